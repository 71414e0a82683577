"""Iteratively reweighted l1, plain and with CEL0's macro moves."""

import numpy as np

from sparsecode._jit import jit
from sparsecode._simd import largest_magnitude
from sparsecode.penalties._dispatch import slope, with_alpha
from sparsecode.penalties.l1 import L1
from sparsecode.solvers._cd_kernels import CHUNK, cd_sample, workspace
from sparsecode.solvers._stop_kernels import prox_residual, start_correlation

__all__ = ["irl1_tile"]

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
def _smallest_on_slope(penalty, tol, codes):
    """Return the active atom nearest 0 whose penalty is not flat there, -1 if there is none."""
    chosen = -1
    for j in range(codes.size):
        size = np.float64(abs(codes[j]))
        if size == 0.0 or slope(penalty, size, j) <= tol * slope(penalty, 0.0, j):
            continue
        if chosen < 0 or size < abs(codes[chosen]):
            chosen = j
    return chosen


@jit
def _irl1_chunk(
    first, last, projections, energies, gram, squared_norms, penalty, alphas, macro, step,
    max_iter, tol, codes, n_iter,
):  # fmt: skip
    """Solve samples one after another in one workspace."""
    weights = np.empty(codes.shape[1])
    correlation, scores, members, places, block, rows, local, before = workspace(codes)
    for i in range(first, last):
        weighted = with_alpha(penalty, alphas[i])
        while True:
            n_iter[i] += _irl1_sample(
                projections[i], energies[i], gram, squared_norms, weighted, step,
                max_iter - n_iter[i], tol, weights, correlation, scores, members, places, block,
                rows, local, before, codes[i],
            )  # fmt: skip
            loose = _smallest_on_slope(weighted, tol, codes[i]) if macro else -1
            if loose < 0 or n_iter[i] >= max_iter:
                break
            codes[i, loose] = 0.0


@jit
def irl1_tile(
    projections, energies, gram, squared_norms, penalty, alphas, macro, step, max_iter, tol,
    codes, n_iter,
):  # fmt: skip
    """Reweight every sample of a tile; `macro` asks for CEL0's moves along flat segments too."""
    n_samples = codes.shape[0]
    for chunk in range((n_samples + CHUNK - 1) // CHUNK):
        _irl1_chunk(
            chunk * CHUNK, min((chunk + 1) * CHUNK, n_samples), projections, energies, gram,
            squared_norms, penalty, alphas, macro, step, max_iter, tol, codes, n_iter,
        )  # fmt: skip
