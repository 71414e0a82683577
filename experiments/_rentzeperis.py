"""How Rentzeperis et al. 2023 code a batch: a short fixed step and an early stop."""

from __future__ import annotations

from typing import Any

import numpy as np

from sparsecode.penalties import Penalty
from sparsecode.solvers import SolverResult
from sparsecode.solvers._problem import Problem
from sparsecode.solvers._tile import Tile

from ._rentzeperis_kernels import iterate_batch, silenced, spectral_norm

__all__ = ["published_coder"]

#: When the power iteration for a spectral norm may end: relative change, and iterations.
POWER = (1e-6, 200)


class Rows:
    """Sparse rows in buffers that are written anew at each iteration, and their spectral norm."""

    def __init__(self, shape: tuple[int, int], dtype: np.dtype) -> None:
        self.indices = np.empty(shape, np.int32)
        self.values = np.empty(shape, dtype)
        self.sizes = np.zeros(shape[0], np.int64)
        self.vector = np.full(shape[1], shape[1] ** -0.5)
        self.image = np.empty(shape[1])

    def norm(self) -> float:
        """Return the largest singular value, by power iteration that goes on where it stood."""
        return spectral_norm(self.indices, self.values, self.sizes, *POWER, self.vector, self.image)


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
    """Code a batch as the authors' program does.

    Proximal gradient from 0 with the step ``step / (1 + decay * t)`` (the threshold keeps the
    first step; at most 1 / L, beyond which it may diverge), until the codes of the batch change
    by less than `rtol` in one iteration: ``||change|| / (0.01 + ||codes||) < rtol`` in spectral
    norms; then one iteration more. A batch too large for a tile stops tile by tile. The
    certificates of the result are those of every solver, so they show what the early stop leaves
    undone; `converged` says whether the authors' rule was met.
    """
    problem = Problem(X, dictionary, penalty, n_threads=n_threads)
    step = min(step, problem.check_step(None))
    transposed = np.ascontiguousarray(problem.dictionary.T)
    limits = np.empty(problem.n_atoms)
    silenced(problem.penalty, step, limits)

    stopped = np.zeros(len(problem.X), bool)

    def kernel(tile: Tile) -> None:
        X, codes = tile.X, tile.codes
        residuals = np.array(X)
        moves, active = Rows(codes.shape, codes.dtype), Rows(codes.shape, codes.dtype)
        stopping = False
        for iteration in range(max_iter):
            iterate_batch(
                X, problem.dictionary, transposed, problem.penalty, limits,
                step / (1.0 + decay * iteration), step, residuals, codes,
                moves.indices, moves.values, moves.sizes,
                active.indices, active.values, active.sizes,
            )  # fmt: skip
            if stopping:
                break
            stopping = moves.norm() < rtol * (0.01 + active.norm())
        tile.n_iter[:] = iteration + 1
        stopped[tile.rows] = stopping

    # whatever the certificate: the authors' rule looks at the batch alone
    return problem.solve(kernel, step=step, met=lambda *_: stopped, lockstep=True)
