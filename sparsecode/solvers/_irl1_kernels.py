"""Iteratively reweighted l1: a sequence of weighted lassos per sample."""

import numpy as np

from sparsecode._jit import jit, parallel_jit, prange
from sparsecode.penalties._dispatch import slope, with_alpha
from sparsecode.penalties.l1 import L1
from sparsecode.solvers._cd_kernels import CHUNK, cd_sample, workspace
from sparsecode.solvers._stop_kernels import largest_magnitude, prox_residual, start_correlation

__all__ = ["irl1_batch"]

#: Sweeps that one weighted lasso may take.
MAX_SWEEPS = 10_000


@jit
def _irl1_sample(
    projection, energy, gram, squared_norms, penalty, step, max_iter, tol, weights, correlation,
    scores, members, places, block, rows, local, before, codes,
):  # fmt: skip
    """Reweight and solve until the prox residual of the penalty itself is small."""
    goal = tol * largest_magnitude(projection)
    start_correlation(projection, gram, codes, correlation)
    for iteration in range(max_iter):
        for j in range(codes.size):
            weights[j] = slope(penalty, np.float64(abs(codes[j])), j)
        cd_sample(
            projection, energy, gram, squared_norms, L1(1.0, penalty.positive, weights), False,
            MAX_SWEEPS, 0.3 * tol, correlation, scores, members, places, block, rows, local, before,
            codes,
        )  # fmt: skip
        if prox_residual(correlation, squared_norms, penalty, step, codes) <= goal:
            return iteration + 1
    return max_iter


@jit
def _irl1_chunk(
    first, last, projections, energies, gram, squared_norms, penalty, alphas, step, max_iter,
    tol, codes, n_iter,
):  # fmt: skip
    """Solve samples one after another in one workspace."""
    weights = np.empty(codes.shape[1])
    correlation, scores, members, places, block, rows, local, before = workspace(codes)
    for i in range(first, last):
        n_iter[i] = _irl1_sample(
            projections[i], energies[i], gram, squared_norms, with_alpha(penalty, alphas[i]),
            step, max_iter, tol, weights, correlation, scores, members, places, block, rows,
            local, before, codes[i],
        )  # fmt: skip


@parallel_jit
def irl1_batch(
    projections, energies, gram, squared_norms, penalty, alphas, step, max_iter, tol,
    codes, n_iter,
):  # fmt: skip
    """Reweight every sample of a tile."""
    n_samples = codes.shape[0]
    for chunk in prange((n_samples + CHUNK - 1) // CHUNK):
        _irl1_chunk(
            chunk * CHUNK, min((chunk + 1) * CHUNK, n_samples), projections, energies, gram,
            squared_norms, penalty, alphas, step, max_iter, tol, codes, n_iter,
        )  # fmt: skip
