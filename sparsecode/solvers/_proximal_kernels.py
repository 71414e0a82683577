"""Proximal gradient iterations: plain, accelerated, and with CEL0's macro moves."""

import numpy as np

from sparsecode._jit import jit, parallel_jit, prange
from sparsecode.penalties._dispatch import at, prox, with_alpha
from sparsecode.solvers._stop_kernels import (
    duality_gap,
    largest_magnitude,
    move,
    start_correlation,
)

__all__ = ["cel0_macro_batch", "fista_batch", "ista_batch"]


@jit
def _adopt(trial, gram, correlation, codes):
    """Make `trial` the code, and `correlation` the one that belongs to it."""
    for j in range(codes.size):
        change = trial[j] - codes[j]
        if change != 0.0:
            codes[j] = trial[j]
            move(correlation, gram[j], change)


@jit
def _forward_backward(correlation, penalty, step, codes, trial):
    """Write prox(z + step D(x - zD)) into `trial`; return the largest move divided by step."""
    largest = 0.0
    for j in range(codes.size):
        z = np.float64(codes[j])
        trial[j] = prox(penalty, z + step * correlation[j], step, j)
        largest = max(largest, abs(trial[j] - z))
    return largest / step


@jit
def _descend(
    projection, energy, gram, penalty, convex, step, max_iter, tol, correlation, trial, codes
):
    """Iterate on one sample's `codes` from where they stand; return the iterations used."""
    goal = tol * largest_magnitude(projection)
    for iteration in range(max_iter):
        residual = _forward_backward(correlation, penalty, step, codes, trial)
        if convex:
            gap = duality_gap(projection, correlation, energy, penalty, codes)[1]
            if gap <= tol * energy:
                return iteration
        elif residual <= goal:
            return iteration
        _adopt(trial, gram, correlation, codes)
    return max_iter


@jit
def _ista_sample(projection, energy, gram, penalty, convex, step, max_iter, tol, codes):
    correlation = np.empty_like(codes)
    start_correlation(projection, gram, codes, correlation)
    return _descend(
        projection, energy, gram, penalty, convex, step, max_iter, tol, correlation,
        np.empty_like(codes), codes,
    )  # fmt: skip


@parallel_jit
def ista_batch(
    projections, energies, gram, penalty, alphas, convex, step, max_iter, tol, codes, n_iter
):
    """Iterate on every sample of a tile."""
    for i in prange(codes.shape[0]):
        n_iter[i] = _ista_sample(
            projections[i], energies[i], gram, with_alpha(penalty, alphas[i]), convex, step,
            max_iter, tol, codes[i],
        )  # fmt: skip


@jit
def _fista_sample(projection, energy, gram, penalty, step, max_iter, tol, codes):
    dtype = codes.dtype
    correlation = np.empty_like(codes)
    start_correlation(projection, gram, codes, correlation)
    older = codes.copy()
    older_correlation = correlation.copy()
    trial = np.empty_like(codes)
    momentum = 1.0
    for iteration in range(max_iter):
        gap = duality_gap(projection, correlation, energy, penalty, codes)[1]
        if gap <= tol * energy:
            return iteration
        following = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * momentum * momentum))
        beta = (momentum - 1.0) / following
        momentum = following
        against = 0.0
        for j in range(codes.size):
            ahead = codes[j] + dtype.type(beta) * (codes[j] - older[j])
            slack = correlation[j] + beta * (correlation[j] - older_correlation[j])
            trial[j] = prox(penalty, ahead + step * slack, step, j)
            against += (ahead - trial[j]) * (trial[j] - codes[j])
            older[j] = codes[j]
            older_correlation[j] = correlation[j]
        _adopt(trial, gram, correlation, codes)
        if against > 0.0:  # the momentum points uphill
            momentum = 1.0
    return max_iter


@parallel_jit
def fista_batch(projections, energies, gram, penalty, alphas, step, max_iter, tol, codes, n_iter):
    """Iterate with adaptively restarted momentum on every sample of a tile."""
    for i in prange(codes.shape[0]):
        n_iter[i] = _fista_sample(
            projections[i], energies[i], gram, with_alpha(penalty, alphas[i]), step, max_iter,
            tol, codes[i],
        )  # fmt: skip


@jit
def _smallest_on_slope(penalty, tol, codes):
    """Return the active atom nearest 0 that lies below CEL0's flat part, -1 if there is none."""
    chosen = -1
    for j in range(codes.size):
        magnitude = abs(codes[j])
        knee = np.sqrt(2.0 * penalty.alpha * at(penalty.weights, j)) / at(penalty.norms, j)
        if 0.0 < magnitude < knee * (1.0 - tol) and (chosen < 0 or magnitude < abs(codes[chosen])):
            chosen = j
    return chosen


@jit
def _cel0_macro_sample(projection, energy, gram, penalty, step, max_iter, tol, codes):
    correlation = np.empty_like(codes)
    trial = np.empty_like(codes)
    start_correlation(projection, gram, codes, correlation)
    used = 0
    while True:
        used += _descend(
            projection, energy, gram, penalty, False, step, max_iter - used, tol, correlation,
            trial, codes,
        )  # fmt: skip
        loose = _smallest_on_slope(penalty, tol, codes)
        if loose < 0 or used >= max_iter:
            return used
        move(correlation, gram[loose], -codes[loose])
        codes[loose] = 0.0
        used += 1


@parallel_jit
def cel0_macro_batch(
    projections, energies, gram, penalty, alphas, step, max_iter, tol, codes, n_iter
):
    """Alternate proximal gradient and moves to 0 along CEL0's flat segments."""
    for i in prange(codes.shape[0]):
        n_iter[i] = _cel0_macro_sample(
            projections[i], energies[i], gram, with_alpha(penalty, alphas[i]), step, max_iter,
            tol, codes[i],
        )  # fmt: skip
