"""The locally competitive algorithm, its differential equation stepped by Euler's rule."""

import numpy as np

from sparsecode._jit import jit
from sparsecode.penalties._dispatch import prox, with_alpha
from sparsecode.solvers._stop_kernels import duality_gap, is_solved, move, start_correlation

__all__ = ["lca_record", "lca_tile"]


@jit
def _advance(gram, penalty, step, potentials, correlation, codes):
    """Let du = step (Dx - u - (G - I) a), a = T(u), pass once; Dx - G a is `correlation`."""
    for j in range(codes.size):
        potentials[j] += step * (correlation[j] + codes[j] - potentials[j])
    for j in range(codes.size):
        fresh = codes.dtype.type(prox(penalty, np.float64(potentials[j]), 1.0, j))
        change = fresh - codes[j]
        if change != 0.0:
            codes[j] = fresh
            move(correlation, gram[j], change)


@jit
def _lca_sample(
    projection, energy, gram, squared_norms, penalty, convex, warm, step, max_iter, tol, codes
):
    correlation = np.empty_like(codes)
    start_correlation(projection, gram, codes, correlation)
    potentials = np.zeros_like(codes)
    if warm:  # the potentials that would hold these codes at equilibrium
        for j in range(codes.size):
            potentials[j] = codes[j] + correlation[j]
    fresh = True  # whether `correlation` has gathered no rounding errors
    for iteration in range(max_iter):
        while True:
            solved = is_solved(
                projection, correlation, energy, squared_norms, penalty, convex, tol, codes
            )
            if fresh or not solved:
                break
            start_correlation(projection, gram, codes, correlation)
            fresh = True
        if solved:
            return iteration
        fresh = False
        _advance(gram, penalty, step, potentials, correlation, codes)
    return max_iter


@jit
def lca_tile(
    projections, energies, gram, squared_norms, penalty, alphas, convex, warm, step, max_iter,
    tol, codes, n_iter,
):  # fmt: skip
    """Run every sample of a tile to equilibrium."""
    for i in range(codes.shape[0]):
        n_iter[i] = _lca_sample(
            projections[i], energies[i], gram, squared_norms, with_alpha(penalty, alphas[i]),
            convex, warm, step, max_iter, tol, codes[i],
        )  # fmt: skip


@jit
def lca_record(projection, energy, gram, penalty, step, every, potentials, codes, objectives):
    """Fill the rows of `potentials`, `codes` and `objectives` with every `every`-th state."""
    u = np.zeros_like(projection)
    a = np.zeros_like(projection)
    correlation = projection.copy()
    for row in range(codes.shape[0]):
        potentials[row] = u
        codes[row] = a
        objectives[row] = duality_gap(projection, correlation, energy, penalty, a)[0]
        for _ in range(every):
            _advance(gram, penalty, step, u, correlation, a)
