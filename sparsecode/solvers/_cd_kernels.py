"""Coordinate descent on growing working sets, one sample at a time."""

import numpy as np

from sparsecode._jit import jit
from sparsecode._simd import largest_magnitude
from sparsecode.penalties._dispatch import dual_parts, prox, value, with_alpha
from sparsecode.solvers._stop_kernels import duality_gap, move, start_correlation
from sparsecode.solvers._support_kernels import solve_on_support

__all__ = ["cd_sample", "cd_tile", "workspace"]

#: Samples that share one workspace. Fixed, so that results do not depend on the threads.
CHUNK = 16
#: Largest working set whose Gram matrix is gathered into a block that stays in fast cache.
GATHERED = 384
#: Fewest atoms that join a working set, if as many want to.
FEWEST = 24
#: How much closer each round on a working set is solved than the one before.
SHRINK = 0.3
#: Sweeps over a working set before a leap, for a small set.
PATIENCE = 50
#: Most leaps in a row; each that falls short silences an atom.
LEAPS = 16


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
def _choose(codes, scores, n_new, room, members):
    """Fill `members` with the active atoms, then the `n_new` worst violators, the worst first.

    The order matters for penalties that are not convex. Fewer are taken where all members would
    not fit into `room`, unless that left hardly any. Returns the number of members.
    """
    first = 0
    for j in range(codes.size):
        if codes[j] != 0.0:
            members[first] = j
            first += 1
    if room - first >= FEWEST:
        n_new = min(n_new, room - first)
    size = first
    for j in range(codes.size):
        if codes[j] != 0.0 or scores[j] == 0.0:
            continue
        if size < first + n_new:
            size += 1
        elif scores[j] <= scores[members[size - 1]]:
            continue
        place = size - 1
        while place > first and scores[j] > scores[members[place - 1]]:
            members[place] = members[place - 1]
            place -= 1
        members[place] = j
    return size


@jit
def _descend(members, places, rows, slack, squared_norms, penalty, goal, max_epochs, codes):
    """Sweep over `members` until no move exceeds `goal`; return the sweeps used.

    Member ``members[a]`` has its correlation with the residual at ``slack[places[a]]`` and its
    Gram row at ``rows[places[a]]``.
    """
    for epoch in range(max_epochs):
        largest = 0.0
        for a in range(members.size):
            j = members[a]
            place = places[a]
            z = np.float64(codes[j])
            step = 1.0 / squared_norms[j]
            change = prox(penalty, z + step * slack[place], step, j) - z
            if change != 0.0:
                codes[j] = z + change
                change = np.float64(codes[j]) - z
                row = rows[place]
                for b in range(slack.size):
                    slack[b] -= slack.dtype.type(change) * row[b]
                largest = max(largest, abs(change) * squared_norms[j])
        if largest <= goal:
            return epoch + 1
    return max_epochs


@jit
def _leap(members, block, local, penalty, rows, codes):
    """Walk towards the minimiser on the support, the penalty made linear there, up to the first 0.

    A penalty that is concave in the magnitude lies below its tangent and a ridge is kept, so
    that the walk never leads uphill; with l1 it ends at the minimiser unless a sign changes.
    Returns the fraction of the way that was walked.
    """
    support = np.empty(members.size, np.int64)
    size = 0
    for a in range(members.size):
        if codes[members[a]] != 0.0:
            support[size] = a
            size += 1
    ridge = np.empty(size)
    direction = np.empty(size)
    for k in range(size):
        j = members[support[k]]
        z = np.float64(codes[j])
        width = 1e-5 * abs(z)
        rise = value(penalty, z + width, j) - value(penalty, z - width, j)
        ridge[k] = dual_parts(penalty, j)[1]
        direction[k] = local[support[k]] - rise / (2.0 * width)
    solve_on_support(block, support[:size], ridge, rows, direction)
    length = 1.0
    for k in range(size):
        z = np.float64(codes[members[support[k]]])
        if z * (z + direction[k]) < 0.0:
            length = min(length, -z / direction[k])
    for k in range(size):
        j = members[support[k]]
        z = codes[j]
        codes[j] = z + length * direction[k]
        if length < 1.0 and -np.float64(z) / direction[k] == length:
            codes[j] = 0.0
        move(local, block[support[k]], codes[j] - z)
    return length


@jit(inline="always")  # one library less to optimise: a tenth of the compilation
def cd_sample(
    projection, energy, gram, squared_norms, penalty, convex, max_iter, tol,
    correlation, scores, members, places, block, rows, local, before, codes,
):  # fmt: skip
    """Minimise over one sample's `codes`, from where they stand; return the epochs used.

    `correlation` must hold D(x - zD) for the codes given and holds it for those returned.
    """
    scale = largest_magnitude(projection)
    epochs = 0
    n_new = FEWEST
    goal = np.inf
    while True:
        worst = _violations(correlation, squared_norms, penalty, codes, scores)
        if convex:
            solved = duality_gap(projection, correlation, energy, penalty, codes)[1] <= tol * energy
        else:
            solved = worst <= tol * scale
        if solved or epochs >= max_iter:
            return epochs
        size = _choose(codes, scores, n_new, block.shape[0], members)
        goal = SHRINK * min(worst, goal)
        if not convex:
            goal = max(goal, 0.1 * tol * scale)
        if size <= block.shape[0]:
            for a in range(size):
                before[a] = codes[members[a]]
                local[a] = correlation[members[a]]
                for b in range(size):
                    block[a, b] = gram[members[a], members[b]]
            patience = min(PATIENCE + size // 2, max_iter - epochs)
            used = _descend(
                members[:size], places, block, local[:size], squared_norms, penalty, goal,
                patience, codes,
            )  # fmt: skip
            epochs += used
            if used == patience:
                for _ in range(LEAPS):
                    if _leap(members[:size], block, local[:size], penalty, rows, codes) == 1.0:
                        break
            for a in range(size):
                change = codes[members[a]] - before[a]
                if change != 0.0:
                    move(correlation, gram[members[a]], change)
        else:
            epochs += _descend(
                members[:size], members, gram, correlation, squared_norms, penalty, goal,
                max_iter - epochs, codes,
            )  # fmt: skip
        n_new = max(FEWEST, size // 2)


@jit
def workspace(codes):
    """Return the scratch arrays of :func:`cd_sample`."""
    n_atoms = codes.shape[1]
    width = min(GATHERED, n_atoms)
    return (
        np.empty(n_atoms, codes.dtype),
        np.empty(n_atoms, codes.dtype),
        np.empty(n_atoms, np.int64),
        np.arange(n_atoms),
        np.empty((width, width), codes.dtype),
        np.empty((width, width)),
        np.empty(width, codes.dtype),
        np.empty(width, codes.dtype),
    )


@jit
def _cd_chunk(
    first, last, projections, energies, gram, squared_norms, penalty, alphas, convex, max_iter,
    tol, codes, n_iter,
):  # fmt: skip
    """Solve samples one after another in one workspace."""
    correlation, scores, members, places, block, rows, local, before = workspace(codes)
    for i in range(first, last):
        start_correlation(projections[i], gram, codes[i], correlation)
        n_iter[i] = cd_sample(
            projections[i], energies[i], gram, squared_norms,
            with_alpha(penalty, alphas[i]), convex, max_iter, tol,
            correlation, scores, members, places, block, rows, local, before, codes[i],
        )  # fmt: skip


@jit
def cd_tile(
    projections, energies, gram, squared_norms, penalty, alphas, convex, max_iter, tol,
    codes, n_iter,
):  # fmt: skip
    """Solve every sample of a tile; `codes` hold the starting points and receive the solutions."""
    n_samples = codes.shape[0]
    for chunk in range((n_samples + CHUNK - 1) // CHUNK):
        _cd_chunk(
            chunk * CHUNK, min((chunk + 1) * CHUNK, n_samples), projections, energies, gram,
            squared_norms, penalty, alphas, convex, max_iter, tol, codes, n_iter,
        )  # fmt: skip
