"""What tells learners apart: how a batch and its codes move the atoms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import sparse

from sparsecode.penalties import Penalty

__all__ = ["Coded", "Rule"]


class Coded(NamedTuple):
    """A batch and its codes, for the rule to keep: one that solves for codes as well writes them.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    codes : scipy.sparse.csr_array of shape (n_samples, n_atoms)
    residuals : ndarray of shape (n_samples, n_features)
        ``X - codes @ atoms``.
    alpha : ndarray of shape (n_samples,) or None
        Weight of the penalty, sample by sample; None without a penalty.
    """

    X: np.ndarray
    codes: sparse.csr_array
    residuals: np.ndarray
    alpha: np.ndarray | None


@dataclass
class Rule:
    """How a batch and its codes move the atoms; the fields are the rule's own numbers."""

    def start(
        self, shape: tuple[int, int], dtype: np.dtype, constraint: str | None, penalty: Penalty
    ) -> None:
        """Begin anew with (n_atoms, n_features); `penalty` is ready for kernels, or None."""
        self.constraint, self.penalty = constraint, penalty

    def update(self, step: int, atoms: np.ndarray, batch: Coded) -> np.ndarray:
        """Return new atoms of any norm, after batch number `step`."""
        raise NotImplementedError

    def forget(self, replaced: np.ndarray) -> None:
        """Drop what was gathered about atoms that others have replaced."""

    def state(self) -> dict[str, np.ndarray]:
        """Return the arrays that the next update depends on."""
        return {}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back what :meth:`state` returned."""
