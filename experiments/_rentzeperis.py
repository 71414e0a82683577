"""How Rentzeperis et al. 2023 code a batch: a short fixed step and an early stop."""

from __future__ import annotations

from typing import Any

import numpy as np

from sparsecode.penalties import Penalty
from sparsecode.solvers import SolverResult
from sparsecode.solvers._problem import Problem, Tile

from ._rentzeperis_kernels import prox_batch

__all__ = ["published_coder"]

#: Power iterations per check of the spectral norm; it changes slowly and is warm-started.
POWER_ITERATIONS = 3


class SpectralNorm:
    """Largest singular value of slowly changing matrices, by warm-started power iteration."""

    def __init__(self, n_columns: int) -> None:
        self.vector = np.full(n_columns, n_columns**-0.5)

    def __call__(self, matrix: np.ndarray) -> float:
        norm = 0.0
        for _ in range(POWER_ITERATIONS):
            image = matrix.T @ (matrix @ self.vector)
            length = float(np.linalg.norm(image))
            if length == 0.0:
                return 0.0
            norm, self.vector = np.sqrt(length), image / length
        return float(norm)


def published_coder(
    X: Any,
    dictionary: Any,
    penalty: Penalty,
    *,
    step: float,
    decay: float = 0.0,
    max_iter: int = 5000,
    rtol: float = 0.01,
    n_threads: int | None = None,
) -> SolverResult:
    """Code batches as the authors' program does.

    Proximal gradient from 0 with the step ``step / (1 + decay * t)`` (the threshold keeps the
    first step; at most 1 / L, beyond which it may diverge), until the codes of the batch change
    by less than `rtol` in one iteration: ``||change|| / (0.01 + ||codes||) < rtol`` in spectral
    norms. The certificates of the result are those of every solver, so they show what the early
    stop leaves undone.
    """
    problem = Problem(X, dictionary, penalty, n_threads=n_threads)
    step = min(step, problem.check_step(None))

    def kernel(tile: Tile) -> None:
        codes = tile.codes
        change_norm, code_norm = SpectralNorm(codes.shape[1]), SpectralNorm(codes.shape[1])
        for iteration in range(max_iter):
            tile.n_iter[:] = iteration + 1
            correlations = (tile.X - codes @ problem.dictionary) @ problem.dictionary.T
            fresh = codes + codes.dtype.type(step / (1.0 + decay * iteration)) * correlations
            prox_batch(problem.penalty, tile.alphas, step, fresh)
            change = change_norm(fresh - codes)
            codes[:] = fresh
            if change < rtol * (0.01 + code_norm(codes)):
                break

    # every sample counts as done: the authors' rule looks at the batch alone
    return problem.solve(kernel, step=step, met=lambda certificate, _: certificate >= 0.0)
