"""Proximal gradient iterations: plain, accelerated, and with CEL0's macro moves."""

import numpy as np

from sparsecode._jit import jit, parallel_jit, prange
from sparsecode.penalties._dispatch import at, prox, with_alpha
from sparsecode.solvers._stop_kernels import duality_gap, move, start_correlation

__all__ = ["cel0_macro_batch", "fista_batch", "ista_batch"]


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
def ista_sample(
    projection, energy, gram, penalty, convex, step, max_iter, tol, correlation, trial, codes
):
    """Iterate on one sample's `codes` from where they stand; return the iterations used."""
    goal = tol * np.max(np.abs(projection))
    for iteration in range(max_iter):
        residual = _forward_backward(correlation, penalty, step, codes, trial)
        if convex:
            _, gap = duality_gap(projection, correlation, energy, penalty, codes)
            if gap <= tol * energy:
                return iteration
        elif residual <= goal:
            return iteration
        for j in range(codes.size):
            change = trial[j] - codes[j]
            if change != 0.0:
                codes[j] = trial[j]
                move(correlation, gram[j], change)
    return max_iter


@parallel_jit
def ista_batch(
    projections, energies, gram, penalty, alphas, convex, step, max_iter, tol, codes, n_iter
):
    """Iterate on every sample of a tile."""
    for i in prange(codes.shape[0]):
        correlation = np.empty_like(codes[i])
        start_correlation(projections[i], gram, codes[i], correlation)
        n_iter[i] = ista_sample(
            projections[i], energies[i], gram, with_alpha(penalty, alphas[i]), convex, step,
            max_iter, tol, correlation, np.empty_like(codes[i]), codes[i],
        )  # fmt: skip


@jit
def _fista_sample(
    projection, energy, gram, penalty, step, max_iter, tol, correlation, trial, codes
):
    n_atoms = codes.size
    dtype = codes.dtype
    older = codes.copy()
    older_correlation = correlation.copy()
    ahead = np.empty(n_atoms, dtype)
    momentum = 1.0
    for iteration in range(max_iter):
        _, gap = duality_gap(projection, correlation, energy, penalty, codes)
        if gap <= tol * energy:
            return iteration
        following = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * momentum * momentum))
        beta = (momentum - 1.0) / following
        momentum = following
        against = 0.0
        for j in range(n_atoms):
            ahead[j] = codes[j] + dtype.type(beta) * (codes[j] - older[j])
            slack = correlation[j] + beta * (correlation[j] - older_correlation[j])
            trial[j] = prox(penalty, ahead[j] + step * slack, step, j)
            against += (ahead[j] - trial[j]) * (trial[j] - codes[j])
        older[:] = codes
        older_correlation[:] = correlation
        for j in range(n_atoms):
            change = trial[j] - codes[j]
            if change != 0.0:
                codes[j] = trial[j]
                move(correlation, gram[j], change)
        if against > 0.0:  # the momentum points uphill
            momentum = 1.0
    return max_iter


@parallel_jit
def fista_batch(projections, energies, gram, penalty, alphas, step, max_iter, tol, codes, n_iter):
    """Iterate with adaptively restarted momentum on every sample of a tile."""
    for i in prange(codes.shape[0]):
        correlation = np.empty_like(codes[i])
        start_correlation(projections[i], gram, codes[i], correlation)
        n_iter[i] = _fista_sample(
            projections[i], energies[i], gram, with_alpha(penalty, alphas[i]), step,
            max_iter, tol, correlation, np.empty_like(codes[i]), codes[i],
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


@parallel_jit
def cel0_macro_batch(
    projections, energies, gram, penalty, alphas, step, max_iter, tol, codes, n_iter
):
    """Alternate proximal gradient and moves to 0 along CEL0's flat segments."""
    for i in prange(codes.shape[0]):
        weighted = with_alpha(penalty, alphas[i])
        correlation = np.empty_like(codes[i])
        trial = np.empty_like(codes[i])
        start_correlation(projections[i], gram, codes[i], correlation)
        used = 0
        while True:
            used += ista_sample(
                projections[i], energies[i], gram, weighted, False, step, max_iter - used, tol,
                correlation, trial, codes[i],
            )  # fmt: skip
            loose = _smallest_on_slope(weighted, tol, codes[i])
            if loose < 0 or used >= max_iter:
                break
            move(correlation, gram[loose], -codes[i, loose])
            codes[i, loose] = 0.0
            used += 1
        n_iter[i] = used
