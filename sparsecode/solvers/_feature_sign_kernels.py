"""Feature-sign search on growing working sets, one sample at a time.

A working set has a tableau: its Gram matrix G, swept on the active members S. Row a of the swept
matrix says how everything moves with one more unit of member a: for an active b it holds
(G_SS^-1 G_S.)_ba, for an idle b what G_ab leaves once S has answered; the block of S is
-G_SS^-1. To activate a member, or to silence one, is one sweep: a product of outer vectors.
"""

from typing import Any, NamedTuple

import numpy as np

from sparsecode._jit import jit
from sparsecode._row_kernels import copy_row
from sparsecode._simd import (
    BYTES,
    above,
    largest_magnitude,
    largest_product,
    lowest_bit,
    subtract_outer,
    subtract_rows,
)
from sparsecode.penalties._dispatch import dual_parts, value, with_alpha
from sparsecode.solvers._feature_sign_simd import (
    first_to_vanish,
    most_wanting,
    move_members,
    subtract_product,
)
from sparsecode.solvers._stop_kernels import move

__all__ = [
    "Search",
    "allocate_search",
    "end_search",
    "feature_sign_tile",
    "forget_idle",
    "largest_energy",
    "move_slopes",
    "remember",
    "run_search",
    "set_limits",
    "settle",
    "silence",
    "start_search",
]

#: Fewest atoms that join a working set, if as many want to.
FEWEST = 12
#: Atoms join whose slope, in units of their limits, is at least this part of the largest.
RAISED = 0.75
#: How far a code may travel, in units of its l1 norm, before its slopes are computed anew.
DRIFT = 8.0
#: Rounding of a slope, in units of the machine epsilon and of what was added up to it.
ROUNDING = 4.0
#: Rounds in which no atom joins before a sample is given up.
STALE = 5
#: Working sets tried before a sample is given up.
ROUNDS = 1000


class Search(NamedTuple):
    """Where the search for one sample's code stands; `size` members come first in each array."""

    slopes: Any  #: of the data term at the code, less the ridge's: what every atom wants
    limits: Any  #: slopes up to which an atom stays silent
    inverses: Any  #: of the limits, 0 for atoms that need no watching
    candidates: Any  #: scratch
    scores: Any  #: scratch
    member: Any  #: of every atom, whether it is in the working set
    tableau: Any
    block: Any  #: scratch
    members: Any
    positions: Any  #: scratch
    active: Any  #: of every member, whether the tableau is swept on it
    codes: Any
    before: Any  #: codes that the slopes of all atoms belong to
    heights: Any  #: limits of the members
    scales: Any  #: squared norms of the members
    here: Any  #: slopes of the members
    errors: Any  #: scratch
    left: Any  #: scratch
    right: Any  #: scratch


@jit
def _sweep(tableau, k, size, sign, left, right):
    """Sweep the tableau on member k: `sign` is 1 to activate it, -1 to silence it."""
    inverse = tableau.dtype.type(1.0) / tableau[k, k]
    for b in range(size):
        right[b] = tableau[k, b]
        left[b] = tableau[k, b] * inverse
    left[k] = 0.0
    subtract_outer(tableau, left, right, size, size)
    factor = tableau.dtype.type(sign) * inverse
    for b in range(size):
        entry = right[b] * factor
        tableau[k, b] = entry
        tableau[b, k] = entry
    tableau[k, k] = -inverse


@jit
def set_limits(penalty, n_atoms, limits, inverses):
    """Write up to which correlation an atom stays silent; padding is never wanted."""
    limits[:] = np.inf
    inverses[:] = 0.0
    for j in range(n_atoms):
        limits[j] = dual_parts(penalty, j)[0]
        inverses[j] = 1.0 / limits[j]


@jit
def _wanting(slopes, limits, factor, floor, positive, member, candidates):
    """List the atoms outside the working set whose slope exceeds `factor` times their limit.

    What exceeds the limit by no more than `floor` may be rounding.
    """
    n = 0
    lanes = BYTES // slopes.itemsize
    for first in range(0, slopes.size, lanes):
        exceed = above(slopes, limits, factor, first, positive)
        while exceed != 0:
            j = first + lowest_bit(exceed)
            exceed &= exceed - 1
            if not member[j] and abs(slopes[j]) - limits[j] > floor:
                candidates[n] = j
                n += 1
    return n


@jit
def _score(slopes, limits, norms, candidates, n, scores):
    """Score candidates by what each alone would gain."""
    for q in range(n):
        j = candidates[q]
        scores[q] = (abs(slopes[j]) - limits[j]) / norms[j]


@jit
def _bar_for(scores, n, wanted):
    """Return a score that at most `wanted` of n exceed, and more than half as many, if it can."""
    low = scores.dtype.type(0.0)
    if n <= wanted:
        return low
    high = low
    for q in range(n):
        high = max(high, scores[q])
    for _ in range(24):
        middle = scores.dtype.type(0.5) * (low + high)
        beyond = 0
        for q in range(n):
            beyond += scores[q] > middle
        if beyond > wanted:
            low = middle
        else:
            high = middle
            if 2 * beyond > wanted:
                break
    return high


@jit
def _gap(projection, slopes, energy, penalty, members, size, excess, codes):
    """Return the duality gap of one sample; `excess` is the largest slope in units of limits."""
    fit = 2.0 * energy  # becomes x.r
    residual = 2.0 * energy  # becomes ||r||^2
    ridge_energy = 0.0
    cost = 0.0
    for a in range(size):
        j = members[a]
        z = np.float64(codes[a])
        if z != 0.0:
            ridge = dual_parts(penalty, j)[1]
            fit -= z * projection[j]
            residual -= z * (np.float64(projection[j]) + slopes[j] + ridge * z)
            ridge_energy += ridge * z * z
            cost += value(penalty, z, j)
    residual = max(residual, 0.0) + ridge_energy
    objective = 0.5 * (residual - ridge_energy) + cost
    if residual <= 0.0:
        return objective
    scale = fit / residual
    if excess * scale > 1.0:
        scale = 1.0 / excess
    scale = max(scale, 0.0)
    return objective - scale * fit + 0.5 * scale * scale * residual


@jit
def _extend(gram, tableau, members, active, penalty, old, size, positions, block):
    """Give the members from `old` on their rows and columns of the tableau."""
    n_active = 0
    for a in range(old):
        if active[a]:
            positions[n_active] = a
            n_active += 1
    for a in range(old, size):
        row = gram[members[a]]
        for b in range(size):
            tableau[a, b] = row[members[b]]
        tableau[a, a] += dual_parts(penalty, members[a])[1]
    if n_active == 0:
        for b in range(old):
            for a in range(old, size):
                tableau[b, a] = tableau[a, b]
        return
    for q in range(n_active):
        tableau[positions[q], old:size] = 0.0
    for a in range(old, size):  # what moves in the old members with a new one
        for q in range(n_active):
            block[a - old, q] = tableau[a, positions[q]]
            tableau[a, positions[q]] = 0.0
    subtract_product(tableau[old:size, :old], block, positions, tableau, n_active)
    for b in range(old):
        for a in range(old, size):
            tableau[b, a] = tableau[a, b]
    subtract_product(tableau[old:size, old:size], block, positions, tableau[:, old:], n_active)


@jit
def _reach(row, sign, length, size, active, codes):
    """Return how far along `row` the first active member becomes 0, at most `length`, and which."""
    stopped = first_to_vanish(row, codes, active, sign, length, size)
    if stopped >= 0:
        length = codes[stopped] / (sign * row[stopped])
    return length, stopped


@jit
def silence(tableau, k, size, active, codes, left, right):
    _sweep(tableau, k, size, -1.0, left, right)
    active[k] = False
    codes[k] = 0.0


@jit
def settle(size, search):
    """Bring the active members to the minimiser for their signs, or to the first that changes.

    Returns the members that were silenced on the way.
    """
    tableau, active, heights = search.tableau, search.active, search.heights
    codes, slopes, errors = search.codes, search.here, search.errors
    positions, right = search.positions, search.right
    one = codes.dtype.type(1.0)
    silenced = 0
    while True:
        n_active = 0
        for a in range(size):
            right[a] = 0.0
            if active[a]:
                errors[n_active] = slopes[a] - (heights[a] if codes[a] > 0.0 else -heights[a])
                positions[n_active] = a
                n_active += 1
        if n_active == 0:
            return silenced
        subtract_rows(right[:size], errors, positions, tableau, n_active)
        length, stopped = _reach(right, -one, one, size, active, codes)
        for q in range(n_active):
            slopes[positions[q]] -= length * errors[q]
        move_members(right, -length, active, codes, slopes, size)
        if stopped < 0:
            return silenced
        silence(tableau, stopped, size, active, codes, search.left, right)
        silenced += 1


@jit
def _search(
    tableau, positive, size, slack, floor, most, heights, scales, active, codes, slopes, left, right
):
    """Activate the worst member again and again; return the sweeps, and whether there was an end.

    A member that the active ones span, but for rounding, can only take the place of one of them.
    """
    dtype = codes.dtype
    novelty = dtype.type(np.finfo(dtype).eps ** 0.75)
    n_sweeps = 0
    while n_sweeps < min(most, 8 * size + 64):
        a = most_wanting(slopes, heights, active, positive, dtype.type(slack), floor, size)
        if a < 0:
            return n_sweeps, True
        sign = dtype.type(1.0 if slopes[a] > 0.0 else -1.0)
        while True:
            spanned = not tableau[a, a] > novelty * scales[a]
            wanted = dtype.type(np.inf)
            if not spanned:
                wanted = (abs(slopes[a]) - heights[a]) / tableau[a, a]
            length, stopped = _reach(tableau[a], sign, wanted, size, active, codes)
            if spanned and stopped < 0:
                return n_sweeps, False
            move_members(tableau[a], sign * length, active, codes, slopes, size)
            codes[a] += sign * length
            n_sweeps += 1
            if stopped < 0:
                break
            silence(tableau, stopped, size, active, codes, left, right)
        _sweep(tableau, a, size, 1.0, left, right)
        active[a] = True
        slopes[a] = sign * heights[a]
    return n_sweeps, False


@jit
def forget_idle(size, search):
    """Keep only the active members, in their order; return how many."""
    tableau, members, codes, positions = (
        search.tableau, search.members, search.codes, search.positions
    )  # fmt: skip
    kept = 0
    for a in range(size):
        if search.active[a]:
            positions[kept] = a
            kept += 1
        else:
            search.member[members[a]] = False
    for p in range(kept):
        a = positions[p]
        for q in range(kept):
            tableau[p, q] = tableau[a, positions[q]]
        members[p] = members[a]
        search.heights[p] = search.heights[a]
        search.scales[p] = search.scales[a]
        codes[p] = codes[a]
    for a in range(size):
        search.active[a] = a < kept
    return kept


@jit
def _refresh(projection, gram, penalty, members, size, codes, errors, slopes):
    """Compute the slopes anew from the code, without the rounding of the way to it."""
    copy_row(projection, slopes)
    for a in range(size):
        errors[a] = codes[a]
        slopes[members[a]] -= dual_parts(penalty, members[a])[1] * codes[a]
    subtract_rows(slopes, errors, members, gram, size)


@jit
def allocate_search(like, width, n_atoms, capacity):
    """Allocate what the samples of a tile share."""
    dtype = like.dtype
    # from row to row one vector more, for a part of a row that is rounded up, and an odd number of
    # vectors: a power of 2 would crowd the caches
    lanes = BYTES // like.itemsize
    stride = lanes * (((capacity + lanes - 1) // lanes + 1) | 1)
    return Search(
        np.zeros(width, dtype), np.empty(width, dtype), np.empty(width, dtype),
        np.empty(width + 1, np.int64), np.empty(width + 1, dtype), np.zeros(n_atoms, np.bool_),
        np.empty((capacity, stride), dtype), np.empty((capacity, stride), dtype),
        np.empty(stride, np.int64), np.empty(stride, np.int64), np.zeros(stride, np.bool_),
        np.zeros(stride, dtype), np.zeros(stride, dtype), np.ones(stride, dtype),
        np.ones(stride, dtype), np.zeros(stride, dtype), np.zeros(stride, dtype),
        np.zeros(stride, dtype), np.zeros(stride, dtype),
    )  # fmt: skip


@jit
def _join(gram, j, size, code, search):
    """Make atom j the next member, idle at first; return the size of the working set."""
    search.members[size] = j
    search.member[j] = True
    search.active[size] = False
    search.codes[size] = code
    search.before[size] = 0.0
    search.here[size] = search.slopes[j]
    search.heights[size] = search.limits[j]
    search.scales[size] = gram[j, j]
    return size + 1


@jit
def start_search(projection, gram, penalty, indices, values, search):
    """Begin with a code; return the size of the working set."""
    slopes, codes, members, active = search.slopes, search.codes, search.members, search.active
    tableau = search.tableau
    copy_row(projection, slopes)
    size = 0
    if indices.size == 0 or indices.size > tableau.shape[0] or not projection.any():
        return size
    for p in range(indices.size):
        if not (penalty.positive and values[p] < 0.0):
            size = _join(gram, np.int64(indices[p]), size, values[p], search)
    _extend(gram, tableau, members, active, penalty, 0, size, search.positions, search.block)
    for a in range(size):
        # an atom that depends on those before it starts at 0
        if tableau[a, a] > 1e-3 * search.scales[a]:
            _sweep(tableau, a, size, 1.0, search.left, search.right)
            active[a] = True
            move(slopes, gram[members[a]], codes[a])
            slopes[members[a]] -= dual_parts(penalty, members[a])[1] * codes[a]
        else:
            codes[a] = 0.0
    return size


@jit
def move_slopes(gram, penalty, size, search):
    """Let the slopes of all atoms follow the codes since `before`; return the way they went."""
    errors, positions, slopes = search.errors, search.positions, search.slopes
    n_moved, way = 0, 0.0
    for a in range(size):
        change = search.codes[a] - search.before[a]
        if change != 0.0:
            way += abs(change)
            errors[n_moved] = change
            positions[n_moved] = search.members[a]
            slopes[search.members[a]] -= dual_parts(penalty, search.members[a])[1] * change
            n_moved += 1
    subtract_rows(slopes, errors, positions, gram, n_moved)
    return way


@jit
def remember(size, search):
    """Take note of where the members stand."""
    for a in range(size):
        search.here[a] = search.slopes[search.members[a]]
        search.before[a] = search.codes[a]


@jit
def run_search(
    projection, gram, norms, energy, penalty, largest, max_iter, tol, exact, slack, size, travelled,
    search,
):  # fmt: skip
    """Solve one sample from where its search stands.

    To a duality gap of `tol` times the energy, or, if `exact`, until no slope exceeds its limit by
    more than `tol` of it. Returns the size of the working set, the changes of the support, the way
    that the codes went, and whether the sample is solved.
    """
    n_atoms, capacity = projection.size, search.tableau.shape[0]
    slopes, limits, codes, members = search.slopes, search.limits, search.codes, search.members
    dtype = slopes.dtype
    steepest = dtype.type(largest_magnitude(projection))
    n_new, n_iter, stale = FEWEST, 0, 0
    for _ in range(ROUNDS):
        excess = largest_product(slopes, search.inverses, penalty.positive)
        if exact:
            done = excess <= 1.0 + tol
        else:
            done = tol * energy >= _gap(
                projection, slopes, energy, penalty, members, size, excess, codes
            )
        if done:
            length = np.abs(codes[:size]).sum()
            if travelled <= DRIFT * length:
                return size, n_iter, travelled, True
            travelled = length
            _refresh(projection, gram, penalty, members, size, codes, search.errors, slopes)
            continue
        fewest = min(FEWEST, n_atoms - size)
        if size + fewest > capacity:
            size = forget_idle(size, search)
            fewest = min(FEWEST, n_atoms - size)
        if size + fewest > capacity:
            break
        room = min(n_new, capacity - size)
        factor = max(RAISED * excess, dtype.type(1.0 + slack))
        # what the way so far may have rounded
        floor = dtype.type(ROUNDING * np.finfo(dtype).eps) * (steepest + travelled * largest)
        candidates, scores = search.candidates, search.scores
        n = _wanting(slopes, limits, factor, floor, penalty.positive, search.member, candidates)
        if n == 0:  # only rounding is left to mend
            stale += 1
            if stale > STALE:
                break
        _score(slopes, limits, norms, candidates, n, scores)
        least = _bar_for(scores, n, room)
        remember(size, search)
        old = size
        for q in range(n):
            if scores[q] > least and size < old + room:
                size = _join(gram, candidates[q], size, dtype.type(0.0), search)
        _extend(
            gram, search.tableau, members, search.active, penalty, old, size, search.positions,
            search.block,
        )  # fmt: skip
        n_iter += settle(size, search)
        sweeps, ended = _search(
            search.tableau, penalty.positive, size, slack, floor, max_iter - n_iter,
            search.heights, search.scales, search.active, codes, search.here, search.left,
            search.right,
        )  # fmt: skip
        n_iter += sweeps
        travelled += move_slopes(gram, penalty, size, search)
        if not ended:
            break
        n_new = max(FEWEST, size // 2)
    return size, n_iter, travelled, False


@jit
def end_search(size, indices, values, search):
    """Write the support and leave the search ready for another sample; return its size."""
    n = 0
    for a in range(size):
        search.member[search.members[a]] = False
        if search.codes[a] != 0.0:
            indices[n] = search.members[a]
            values[n] = search.codes[a]
            n += 1
        search.active[a] = False
    return n


@jit
def largest_energy(gram):
    """Return the largest squared norm of an atom."""
    largest = gram.dtype.type(0.0)
    for j in range(gram.shape[0]):
        largest = max(largest, gram[j, j])
    return largest


@jit
def feature_sign_tile(
    projections, energies, gram, norms, penalty, alphas, capacity, max_iter, tol,
    slack, start_indptr, start_indices, start_values, indices, values, counts, n_iter, solved,
):  # fmt: skip
    """Solve every sample of a tile exactly for its signs, from the codes given on.

    Row i of `indices` and `values` receives the support. Where `solved` stays False, rounding or
    the size of the working set stood in the way; the code is one to go on from.
    """
    n_atoms = projections.shape[1]
    search = allocate_search(projections, gram.shape[1], n_atoms, capacity)
    largest = largest_energy(gram)
    for i in range(projections.shape[0]):
        weighted = with_alpha(penalty, alphas[i])
        if i == 0 or alphas[i] != alphas[i - 1]:
            set_limits(weighted, n_atoms, search.limits, search.inverses)
        given = slice(start_indptr[i], start_indptr[i + 1])
        size = start_search(
            projections[i], gram, weighted, start_indices[given], start_values[given], search
        )
        size, n_iter[i], _, solved[i] = run_search(
            projections[i], gram, norms, energies[i], weighted, largest, max_iter, tol, False,
            slack, size, np.abs(search.codes[:size]).sum(), search,
        )  # fmt: skip
        counts[i] = end_search(size, indices[i], values[i], search)
