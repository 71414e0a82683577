"""Coordinate descent on growing working sets, one sample at a time."""

import numpy as np

from sparsecode._jit import jit, parallel_jit, prange
from sparsecode.penalties._dispatch import prox, with_alpha
from sparsecode.solvers._selection_kernels import largest
from sparsecode.solvers._stop_kernels import is_solved, move, start_correlation

__all__ = ["cd_batch", "cd_sample"]

#: Samples that share one workspace. Fixed, so that results do not depend on the threads.
CHUNK = 16
#: Largest working set whose Gram matrix is gathered into a block that stays in fast cache.
GATHERED = 384
#: How much closer each round on a working set is solved than the one before.
SHRINK = 0.3


@jit
def _violations(correlation, squared_norms, penalty, codes, scores):
    """Score every atom by how much it wants to move: a |z - prox(...)|, 0 for the content."""
    worst = 0.0
    for j in range(codes.size):
        z = np.float64(codes[j])
        step = 1.0 / squared_norms[j]
        change = abs(prox(penalty, z + step * correlation[j], step, j) - z)
        scores[j] = change * np.sqrt(squared_norms[j])
        worst = max(worst, change * squared_norms[j])
    return worst


@jit
def _choose(codes, scores, n_new, members):
    """Fill `members` with the active atoms and the `n_new` worst violators; return how many."""
    size = 0
    for j in range(codes.size):
        if codes[j] != 0.0:
            members[size] = j
            size += 1
            scores[j] = 0.0
    # the worst violators move first: for penalties that are not convex the order matters
    return size + largest(scores, n_new, members[size:])


@jit
def _solve_gathered(gram, squared_norms, penalty, goal, max_epochs, members, block, local, codes):
    """Descend over `members` with their Gram block in cache; return the epochs used."""
    size = members.size
    for a in range(size):
        for b in range(size):
            block[a, b] = gram[members[a], members[b]]
    for epoch in range(max_epochs):
        largest = 0.0
        for a in range(size):
            j = members[a]
            z = np.float64(codes[j])
            step = 1.0 / squared_norms[j]
            change = prox(penalty, z + step * local[a], step, j) - z
            if change != 0.0:
                codes[j] = z + change
                change = np.float64(codes[j]) - z
                row = block[a]
                for b in range(size):
                    local[b] -= row.dtype.type(change) * row[b]
                largest = max(largest, abs(change) * squared_norms[j])
        if largest <= goal:
            return epoch + 1
    return max_epochs


@jit
def _solve_spread(gram, squared_norms, penalty, goal, max_epochs, members, correlation, codes):
    """Descend over many `members`, every move updating all correlations."""
    for epoch in range(max_epochs):
        largest = 0.0
        for a in range(members.size):
            j = members[a]
            z = np.float64(codes[j])
            step = 1.0 / squared_norms[j]
            change = prox(penalty, z + step * correlation[j], step, j) - z
            if change != 0.0:
                codes[j] = z + change
                move(correlation, gram[j], codes.dtype.type(np.float64(codes[j]) - z))
                largest = max(largest, abs(change) * squared_norms[j])
        if largest <= goal:
            return epoch + 1
    return max_epochs


@jit
def cd_sample(
    projection, energy, gram, squared_norms, penalty, convex, max_iter, tol,
    correlation, scores, members, block, local, before, codes,
):  # fmt: skip
    """Minimise over one sample's `codes`, from where they stand; return the epochs used.

    `correlation` must hold D(x - zD) for the codes given and holds it for those returned.
    """
    scale = np.max(np.abs(projection))
    if scale == 0.0:  # no atom sees the sample
        codes[:] = 0.0
        correlation[:] = 0.0
        return 0
    epochs = 0
    n_new = 24
    goal = np.inf
    while True:
        if epochs >= max_iter or is_solved(
            projection, correlation, energy, squared_norms, penalty, convex, tol, codes
        ):
            return epochs
        worst = _violations(correlation, squared_norms, penalty, codes, scores)
        size = _choose(codes, scores, n_new, members)
        goal = SHRINK * min(worst, goal)
        if not convex:
            goal = max(goal, 0.1 * tol * scale)
        if size <= GATHERED:
            for a in range(size):
                before[a] = codes[members[a]]
                local[a] = correlation[members[a]]
            epochs += _solve_gathered(
                gram, squared_norms, penalty, goal, max_iter - epochs,
                members[:size], block, local, codes,
            )  # fmt: skip
            for a in range(size):
                change = codes[members[a]] - before[a]
                if change != 0.0:
                    move(correlation, gram[members[a]], change)
        else:
            epochs += _solve_spread(
                gram, squared_norms, penalty, goal, max_iter - epochs,
                members[:size], correlation, codes,
            )  # fmt: skip
        n_new = max(24, size // 2)


@jit
def _cd_chunk(
    chunk, projections, energies, gram, squared_norms, penalty, alphas, convex, max_iter, tol,
    codes, n_iter,
):  # fmt: skip
    """Solve the samples of one chunk, which share a workspace."""
    n_samples, n_atoms = codes.shape
    dtype = codes.dtype
    width = min(GATHERED, n_atoms)
    correlation = np.empty(n_atoms, dtype)
    scores = np.empty(n_atoms, dtype)
    members = np.empty(n_atoms, np.int64)
    block = np.empty((width, width), dtype)
    local = np.empty(width, dtype)
    before = np.empty(width, dtype)
    for i in range(chunk * CHUNK, min((chunk + 1) * CHUNK, n_samples)):
        start_correlation(projections[i], gram, codes[i], correlation)
        n_iter[i] = cd_sample(
            projections[i], energies[i], gram, squared_norms,
            with_alpha(penalty, alphas[i]), convex, max_iter, tol,
            correlation, scores, members, block, local, before, codes[i],
        )  # fmt: skip


@parallel_jit
def cd_batch(
    projections, energies, gram, squared_norms, penalty, alphas, convex, max_iter, tol,
    codes, n_iter,
):  # fmt: skip
    """Solve every sample of a tile; `codes` hold the starting points and receive the solutions."""
    for chunk in prange((len(codes) + CHUNK - 1) // CHUNK):
        _cd_chunk(
            chunk, projections, energies, gram, squared_norms, penalty, alphas, convex, max_iter,
            tol, codes, n_iter,
        )  # fmt: skip
