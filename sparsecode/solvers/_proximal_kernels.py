"""Proximal gradient iterations, plain and accelerated."""

import numpy as np

from sparsecode._jit import jit
from sparsecode._simd import largest_magnitude
from sparsecode.penalties._dispatch import prox, with_alpha
from sparsecode.solvers._stop_kernels import duality_gap, move, start_correlation

__all__ = ["fista_tile", "ista_tile"]


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
def _ista_sample(projection, energy, gram, penalty, convex, step, max_iter, tol, codes):
    """Iterate on one sample's `codes` from where they stand; return the iterations used."""
    correlation, trial = np.empty_like(codes), np.empty_like(codes)
    start_correlation(projection, gram, codes, correlation)
    goal = tol * largest_magnitude(projection)
    fresh = True  # whether `correlation` has gathered no rounding errors
    for iteration in range(max_iter):
        while True:
            residual = _forward_backward(correlation, penalty, step, codes, trial)
            if convex:
                gap = duality_gap(projection, correlation, energy, penalty, codes)[1]
                solved = gap <= tol * energy
            else:
                solved = residual <= goal
            if fresh or not solved:
                break
            start_correlation(projection, gram, codes, correlation)
            fresh = True
        if solved:
            return iteration
        _adopt(trial, gram, correlation, codes)
        fresh = False
    return max_iter


@jit
def ista_tile(
    projections, energies, gram, penalty, alphas, convex, step, max_iter, tol, codes, n_iter
):
    """Iterate on every sample of a tile."""
    for i in range(codes.shape[0]):
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
    fresh = True  # whether `correlation` has gathered no rounding errors
    for iteration in range(max_iter):
        while True:
            gap = duality_gap(projection, correlation, energy, penalty, codes)[1]
            if fresh or gap > tol * energy:
                break
            start_correlation(projection, gram, codes, correlation)
            fresh = True
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
        fresh = False
        if against > 0.0:  # the momentum points uphill
            momentum = 1.0
    return max_iter


@jit
def fista_tile(projections, energies, gram, penalty, alphas, step, max_iter, tol, codes, n_iter):
    """Iterate with adaptively restarted momentum on every sample of a tile."""
    for i in range(codes.shape[0]):
        n_iter[i] = _fista_sample(
            projections[i], energies[i], gram, with_alpha(penalty, alphas[i]), step, max_iter,
            tol, codes[i],
        )  # fmt: skip
