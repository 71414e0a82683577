"""What every solver is asked for: a penalty, a precision, and who fell short of it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sparsecode._validation import check_positive, level_outside
from sparsecode.penalties._dispatch import Penalty, check_penalty, formulas
from sparsecode.penalties.cel0 import CEL0, PaperCEL0
from sparsecode.penalties.l0 import L0

__all__ = ["Request"]


class Request:
    """The part of a call that plain and convolutional solvers share.

    Attributes
    ----------
    penalty : penalty struct or None
        Checked; None for pursuits and k-sparse methods.
    convex : bool
        Whether it has a duality gap.
    alpha_ratio : float or None
        What replaces its alpha, relative to each sample's largest.
    tol : float
        Largest certificate of a converged sample.
    norms : ndarray of shape (n_atoms,)
        Norms of the atoms.
    """

    penalty: Penalty | None = None
    convex = False
    alpha_ratio: float | None = None
    tol: float
    norms: Any

    @property
    def positive(self) -> bool:
        """Whether coefficients below 0 are ruled out."""
        return self.penalty is not None and bool(self.penalty.positive)

    @property
    def counts_units(self) -> bool:
        """Whether the penalty is the number of active units, or its relaxation."""
        return isinstance(self.penalty, L0 | CEL0)

    @property
    def certificate_name(self) -> str:
        if self.penalty is None:
            return "support residual"
        return "duality gap" if self.convex else "prox residual"

    def take_penalty(self, penalty: Penalty | str, alpha_ratio: float | None) -> None:
        """Check the penalty and what replaces its alpha."""
        if isinstance(penalty, str) and alpha_ratio is None:
            raise ValueError(
                f"a penalty given by its name needs alpha_ratio; got {penalty!r} alone. Pass "
                f"alpha_ratio=0.1, say, or a struct such as L1(0.1)."
            )
        self.penalty = check_penalty(penalty, self.norms)
        self.convex = formulas(self.penalty).dual_parts is not None
        if alpha_ratio is not None:
            self.refuse_paper_cel0("alpha_max")
            self.alpha_ratio = check_positive("alpha_ratio", alpha_ratio)

    def refuse_paper_cel0(self, name: str) -> None:
        """Raise for an operator that silences every unit atom at a coordinate's own step."""
        if isinstance(self.penalty, PaperCEL0):
            raise TypeError(
                f"{name} takes coordinate steps 1 / ||d||**2, at which PaperCEL0 returns 0 for "
                f"every unit atom; use CEL0, or ista with a step below 1."
            )

    def warn(self, converged: np.ndarray, certificate: np.ndarray, remedy: str) -> None:
        """Say how many samples did not converge, if any."""
        failed = int((~converged).sum())
        if failed:
            warnings.warn(
                f"{failed} of {converged.size} samples did not converge: largest "
                f"{self.certificate_name} {certificate.max():.1e}, tol {self.tol:.1e}. {remedy}",
                ConvergenceWarning,
                stacklevel=level_outside(),
            )
