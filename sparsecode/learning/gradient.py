"""Gradient dictionary learning, after Olshausen and Field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse

from sparsecode._validation import check_option, check_positive
from sparsecode.learning._loop import Callback, learn
from sparsecode.learning._result import LearningResult
from sparsecode.penalties import Penalty
from sparsecode.solvers import SolverResult

__all__ = ["olshausen_field"]


def olshausen_field(
    batches: Any,
    dictionary: Any,
    penalty: Penalty | str | None,
    *,
    solver: str | Callable[..., SolverResult] = "cd",
    alpha_ratio: float | None = None,
    learning_rate: float = 2.5,
    decay: float = 0.0,
    reduction: str = "mean",
    skip_unconverged: bool = False,
    dead_after: int | None = 50,
    batch_size: int = 250,
    n_batches: int | None = None,
    callback: Callback | None = None,
    progress: bool = False,
    rng: Any = None,
    n_threads: int | None = None,
) -> LearningResult:
    check_positive("learning_rate", learning_rate)
    if decay != 0:
        check_positive("decay", decay)
    check_option("reduction", reduction, ("mean", "sum"))

    def update(
        step: int, atoms: np.ndarray, codes: sparse.csr_array, residuals: np.ndarray
    ) -> np.ndarray:
        rate = learning_rate / (1.0 + decay * step)
        if reduction == "mean":
            rate /= len(residuals)
        return atoms + atoms.dtype.type(rate) * (codes.T @ residuals)

    return learn(
        batches, dictionary, penalty, update,
        solver=solver, alpha_ratio=alpha_ratio, skip_unconverged=skip_unconverged,
        dead_after=dead_after, batch_size=batch_size, n_batches=n_batches, callback=callback,
        progress=progress, rng=rng, n_threads=n_threads,
    )  # fmt: skip
