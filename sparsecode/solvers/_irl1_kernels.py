"""Iteratively reweighted l1 on the feature-sign search, plain and with CEL0's macro moves."""

import numpy as np

from sparsecode._jit import jit
from sparsecode._row_kernels import copy_row
from sparsecode._simd import largest_magnitude
from sparsecode.penalties._dispatch import prox, slope, with_alpha
from sparsecode.penalties.l1 import L1
from sparsecode.solvers._feature_sign_kernels import (
    allocate_search,
    end_search,
    forget_idle,
    largest_energy,
    move_slopes,
    remember,
    run_search,
    set_limits,
    settle,
    silence,
    start_search,
)
from sparsecode.solvers._stop_kernels import move

__all__ = ["irl1_tile"]

#: Changes of the support that one weighted lasso may take.
MAX_CHANGES = 10_000
#: By which part of its limit a slope may exceed it in the first weighted lasso.
LOOSE = 0.05
#: How far codes are extrapolated at most, in units of their last change, and up to which
#: reweighting.
FARTHEST, PATIENCE = 30.0, 300


@jit
def _reweight(penalty, size, stretch, before, search):
    """Set the members' limits to the slopes of the penalty at their codes.

    At the codes that they have once they have gone on by `stretch` of the way from `before`, but
    not beyond 0. Returns the largest change of an active one's limit.
    """
    largest = 0.0
    for a in range(size):
        code = np.float64(search.codes[a])
        ahead = code + stretch * (code - before[a])
        height = 0.0 if code * ahead < 0.0 else abs(ahead)
        limit = search.heights.dtype.type(slope(penalty, height, search.members[a]))
        if search.active[a]:
            largest = max(largest, abs(np.float64(limit) - search.heights[a]))
        search.heights[a] = limit
    return largest


@jit
def _stretch(codes, before, earlier, size):
    """Return how much farther codes go that change ever less, in units of their last change."""
    product, square = 0.0, 0.0
    for a in range(size):
        change = np.float64(before[a]) - earlier[a]
        product += (np.float64(codes[a]) - before[a]) * change
        square += change * change
    if not 0.0 < product < square:
        return 0.0
    return min(product / (square - product), FARTHEST)


@jit
def _watch(size, search):
    """Let the limits of all atoms follow those of the members, which are active.

    They are where they want to be, and their limits may be 0.
    """
    for a in range(size):
        j = search.members[a]
        search.limits[j] = search.heights[a]
        search.inverses[j] = 0.0


@jit
def _release_idle(penalty, size, search):
    """Keep only the active members; return how many."""
    for a in range(size):
        if not search.active[a]:
            j = search.members[a]
            search.limits[j] = slope(penalty, 0.0, j)
            search.inverses[j] = 1.0 / search.limits[j]
    return forget_idle(size, search)


@jit
def _reweight_members(
    gram, penalty, lasso, size, goal, done, max_iter, before, earlier, search
):  # fmt: skip
    """Reweight and settle the members until the weights stay.

    Every third time, the changes of the codes are extrapolated (Aitken), while all times, of which
    `done` are over, are few. Returns how many are left, the times and the way that the codes went.
    """
    remember(size, search)
    n_iter = 0
    while n_iter < max_iter:
        stretch = 0.0
        if n_iter % 3 == 0 and n_iter > 0 and done + n_iter < PATIENCE:
            stretch = _stretch(search.codes, before, earlier, size)
        if _reweight(penalty, size, stretch, before, search) <= goal and stretch == 0.0:
            break
        copy_row(before[:size], earlier)
        copy_row(search.codes[:size], before)
        settle(size, search)
        n_iter += 1
    _watch(size, search)
    way = move_slopes(gram, lasso, size, search)
    return _release_idle(penalty, size, search), n_iter, way


@jit
def _smallest_on_slope(penalty, tol, size, search):
    """Return the active member nearest 0 whose penalty is not flat there, -1 if there is none."""
    chosen = -1
    for a in range(size):
        j, height = search.members[a], np.float64(abs(search.codes[a]))
        if height == 0.0 or slope(penalty, height, j) <= tol * slope(penalty, 0.0, j):
            continue
        if chosen < 0 or height < abs(search.codes[chosen]):
            chosen = a
    return chosen


@jit
def _clear(gram, chosen, size, search):
    """Set the code of a member to 0, whatever that costs."""
    move(search.slopes, gram[search.members[chosen]], -search.codes[chosen])
    if search.active[chosen]:
        silence(
            search.tableau, chosen, size, search.active, search.codes, search.left, search.right
        )
    search.codes[chosen] = 0.0


@jit
def _solve(
    projection, gram, norms, energy, penalty, lasso, largest, macro, max_iter, tol, slack, size,
    before, earlier, search,
):  # fmt: skip
    """Reweight one sample until its weights stay and no idle atom wants to move.

    Returns the size of the working set, the reweightings, and whether they came to an end.
    """
    goal = tol * largest_magnitude(projection)
    travelled = np.abs(search.codes[:size]).sum()
    n_iter, slackness = 0, LOOSE
    while n_iter < max_iter:
        remember(size, search)
        settle(size, search)
        travelled += move_slopes(gram, lasso, size, search)
        size, _, travelled, solved = run_search(
            projection, gram, norms, energy, lasso, largest, MAX_CHANGES, slackness, True, slack,
            size, travelled, search,
        )  # fmt: skip
        size = _release_idle(penalty, size, search)
        n_iter += 1
        if not solved:
            return size, n_iter, False
        size, used, way = _reweight_members(
            gram, penalty, lasso, size, goal, n_iter, max_iter - n_iter, before, earlier, search
        )
        n_iter += used
        travelled += way
        if used > 0 or slackness > tol:
            slackness = tol
            continue
        loose = _smallest_on_slope(penalty, tol, size, search) if macro else -1
        if loose < 0:
            return size, n_iter, True
        _clear(gram, loose, size, search)
        size = _release_idle(penalty, size, search)
    return size, n_iter, True


@jit
def _would_move(penalty, step, silences, goal, n_atoms, size, search):
    """Say whether a proximal step moves any atom by more than `step * goal`.

    At a critical point it may, where the penalty is more concave than the data term is convex.
    """
    for a in range(size):
        z, j = np.float64(search.codes[a]), search.members[a]
        if abs(prox(penalty, z + step * search.slopes[j], step, j) - z) > step * goal:
            return True
    for j in range(n_atoms):
        inner = np.float64(search.slopes[j])
        if abs(inner) <= silences[j] or search.member[j]:
            continue
        if abs(prox(penalty, step * inner, step, j)) > step * goal:
            return True
    return False


@jit
def irl1_tile(
    projections, energies, gram, norms, penalty, alphas, step, silences, capacity, macro, max_iter,
    tol, slack, start_indptr, start_indices, start_values, indices, values, counts, n_iter, solved,
):  # fmt: skip
    """Reweight every sample of a tile; `macro` asks for CEL0's moves along flat segments too.

    Row i of `indices` and `values` receives the support. Where `solved` stays False, rounding or
    the size of the working set stood in the way, or a proximal step would go on from there.
    """
    n_atoms = projections.shape[1]
    search = allocate_search(projections, gram.shape[1], n_atoms, capacity)
    largest = largest_energy(gram)
    weights = np.empty(n_atoms)
    lasso = L1(1.0, penalty.positive, weights)
    limits, inverses = np.empty_like(search.limits), np.empty_like(search.inverses)
    before, earlier = np.zeros_like(search.codes), np.zeros_like(search.codes)
    for i in range(projections.shape[0]):
        weighted = with_alpha(penalty, alphas[i])
        if i == 0 or alphas[i] != alphas[i - 1]:
            for j in range(n_atoms):
                weights[j] = slope(weighted, 0.0, j)
            set_limits(lasso, n_atoms, limits, inverses)
        copy_row(limits, search.limits)
        copy_row(inverses, search.inverses)
        given = slice(start_indptr[i], start_indptr[i + 1])
        for position in range(start_indptr[i], start_indptr[i + 1]):
            j = int(start_indices[position])
            search.limits[j] = slope(weighted, np.float64(abs(start_values[position])), j)
        size = start_search(
            projections[i], gram, lasso, start_indices[given], start_values[given], search
        )
        size = _release_idle(weighted, size, search)
        _watch(size, search)
        size, n_iter[i], solved[i] = _solve(
            projections[i], gram, norms, energies[i], weighted, lasso, largest, macro, max_iter,
            tol, slack, size, before, earlier, search,
        )  # fmt: skip
        if solved[i] and n_iter[i] < max_iter:
            goal = 3.0 * tol * largest_magnitude(projections[i])
            solved[i] = not _would_move(weighted, step, silences, goal, n_atoms, size, search)
        counts[i] = end_search(size, indices[i], values[i], search)
