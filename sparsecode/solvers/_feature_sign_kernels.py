"""Feature-sign search on growing working sets, one sample at a time.

A working set has a tableau: its Gram matrix G, swept on the active members S. Row a of the swept
matrix says how everything moves with one more unit of member a: for an active b it holds
(G_SS^-1 G_S.)_ba, for an idle b what G_ab leaves once S has answered; the block of S is
-G_SS^-1. To activate a member, or to silence one, is one sweep: a product of outer vectors.
"""

import numpy as np

from sparsecode._jit import jit
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
from sparsecode.solvers._stop_kernels import move

__all__ = ["feature_sign_tile"]

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
def _set_limits(penalty, n_atoms, limits, inverses):
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
def _extend(gram, tableau, members, active, penalty, old, size, positions, block, left):
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
        subtract_rows(tableau[a, :old], block[a - old], positions, tableau, n_active)
    for b in range(old):
        for a in range(old, size):
            tableau[b, a] = tableau[a, b]
    for a in range(old, size):
        subtract_rows(tableau[a, old:size], block[a - old], positions, tableau[:, old:], n_active)


@jit
def _reach(row, sign, length, size, active, codes):
    """Return how far along `row` the first active member becomes 0, at most `length`, and which."""
    stopped = -1
    for b in range(size):
        rate = row[b] * sign
        if active[b] and rate * codes[b] > 0.0 and abs(codes[b]) < length * abs(rate):
            length = codes[b] / rate
            stopped = b
    return length, stopped


@jit
def _walk(row, length, size, active, codes, slopes):
    """Move along a row of the tableau."""
    for b in range(size):
        step = length * row[b]
        if active[b]:
            codes[b] -= step
        else:
            slopes[b] -= step


@jit
def _silence(tableau, k, size, active, codes, left, right):
    _sweep(tableau, k, size, -1.0, left, right)
    active[k] = False
    codes[k] = 0.0


@jit
def _settle(tableau, size, active, codes, slopes, heights, errors, positions, left, right):
    """Bring the active members to the minimiser for their signs, or to the first that changes.

    Returns the members that were silenced on the way.
    """
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
        for b in range(size):
            if active[b]:
                codes[b] += length * right[b]
            else:
                slopes[b] += length * right[b]
        if stopped < 0:
            return silenced
        _silence(tableau, stopped, size, active, codes, left, right)
        silenced += 1


@jit
def _worst(heights, positive, size, slack, floor, active, slopes):
    """Return the idle member whose slope exceeds its limit most, -1 if none surely does."""
    worst = -1
    most = floor
    for a in range(size):
        height = slopes[a] if positive else abs(slopes[a])
        excess = height - heights[a]
        if excess > most and not active[a] and excess > slack * heights[a]:
            most = excess
            worst = a
    return worst


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
        a = _worst(heights, positive, size, dtype.type(slack), floor, active, slopes)
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
            _walk(tableau[a], sign * length, size, active, codes, slopes)
            codes[a] += sign * length
            n_sweeps += 1
            if stopped < 0:
                break
            _silence(tableau, stopped, size, active, codes, left, right)
        _sweep(tableau, a, size, 1.0, left, right)
        active[a] = True
        slopes[a] = sign * heights[a]
    return n_sweeps, False


@jit
def _forget_idle(tableau, members, member, heights, scales, size, active, codes, positions):
    """Keep only the active members, in their order; return how many."""
    kept = 0
    for a in range(size):
        if active[a]:
            positions[kept] = a
            kept += 1
        else:
            member[members[a]] = False
    for p in range(kept):
        a = positions[p]
        for q in range(kept):
            tableau[p, q] = tableau[a, positions[q]]
        members[p] = members[a]
        heights[p] = heights[a]
        scales[p] = scales[a]
        codes[p] = codes[a]
    for a in range(size):
        active[a] = a < kept
    return kept


@jit
def _refresh(projection, gram, penalty, members, size, codes, errors, slopes):
    """Compute the slopes anew from the code, without the rounding of the way to it."""
    slopes[: projection.size] = projection
    for a in range(size):
        errors[a] = codes[a]
        slopes[members[a]] -= dual_parts(penalty, members[a])[1] * codes[a]
    subtract_rows(slopes, errors, members, gram, size)


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
    dtype = projections.dtype
    width = gram.shape[1]
    slopes = np.zeros(width, dtype)
    candidates, scores = np.empty(width + 1, np.int64), np.empty(width + 1, dtype)
    member = np.zeros(n_atoms, np.bool_)
    # from row to row one vector more, for a part of a row that is rounded up, and an odd number of
    # vectors: a power of 2 would crowd the caches
    lanes = BYTES // projections.itemsize
    stride = lanes * (((capacity + lanes - 1) // lanes + 1) | 1)
    members, positions = np.empty(stride, np.int64), np.empty(stride, np.int64)
    active = np.zeros(stride, np.bool_)
    codes, before = np.zeros(stride, dtype), np.zeros(stride, dtype)
    heights, scales = np.ones(stride, dtype), np.ones(stride, dtype)
    here, errors = np.zeros(stride, dtype), np.zeros(stride, dtype)
    left, right = np.zeros(stride, dtype), np.zeros(stride, dtype)
    tableau = np.empty((capacity, stride), dtype)
    block = np.empty((capacity, stride), dtype)
    limits, inverses = np.empty(width, dtype), np.empty(width, dtype)
    largest = dtype.type(0.0)
    for j in range(n_atoms):
        largest = max(largest, gram[j, j])
    for i in range(projections.shape[0]):
        projection = projections[i]
        weighted = with_alpha(penalty, alphas[i])
        if i == 0 or alphas[i] != alphas[i - 1]:
            _set_limits(weighted, n_atoms, limits, inverses)
        slopes[:n_atoms] = projection
        size = 0
        first, last = start_indptr[i], start_indptr[i + 1]
        if last > first and last - first <= capacity and projection.any():
            for p in range(first, last):
                members[size] = start_indices[p]
                codes[size] = start_values[p]
                active[size] = False
                if weighted.positive and codes[size] < 0.0:
                    continue
                member[members[size]] = True
                heights[size] = limits[members[size]]
                scales[size] = gram[members[size], members[size]]
                size += 1
            _extend(gram, tableau, members, active, weighted, 0, size, positions, block, left)
            for a in range(size):
                # an atom that depends on those before it starts at 0
                if tableau[a, a] > 1e-3 * gram[members[a], members[a]]:
                    _sweep(tableau, a, size, 1.0, left, right)
                    active[a] = True
                    move(slopes, gram[members[a]], codes[a])
                    slopes[members[a]] -= dual_parts(weighted, members[a])[1] * codes[a]
                else:
                    codes[a] = 0.0
        steepest = dtype.type(largest_magnitude(projection))
        travelled = np.abs(codes[:size]).sum()
        n_new = FEWEST
        stale = 0
        for _ in range(ROUNDS):
            excess = largest_product(slopes, inverses, weighted.positive)
            gap = _gap(projection, slopes, energies[i], weighted, members, size, excess, codes)
            if gap <= tol * energies[i]:
                length = np.abs(codes[:size]).sum()
                if travelled <= DRIFT * length:
                    solved[i] = True
                    break
                travelled = length
                _refresh(projection, gram, weighted, members, size, codes, errors, slopes)
                continue
            fewest = min(FEWEST, n_atoms - size)
            if size + fewest > capacity:
                size = _forget_idle(
                    tableau, members, member, heights, scales, size, active, codes, positions
                )
                fewest = min(FEWEST, n_atoms - size)
            if size + fewest > capacity:
                break
            room = min(n_new, capacity - size)
            factor = max(RAISED * excess, dtype.type(1.0 + slack))
            # what the way so far may have rounded
            floor = dtype.type(ROUNDING * np.finfo(dtype).eps) * (steepest + travelled * largest)
            n = _wanting(slopes, limits, factor, floor, weighted.positive, member, candidates)
            if n == 0:  # only rounding is left to mend
                stale += 1
                if stale > STALE:
                    break
            _score(slopes, limits, norms, candidates, n, scores)
            least = _bar_for(scores, n, room)
            for a in range(size):
                j = members[a]
                here[a] = slopes[j]
                before[a] = codes[a]
            old = size
            for q in range(n):
                if scores[q] > least and size < old + room:
                    j = candidates[q]
                    members[size] = j
                    member[j] = True
                    active[size] = False
                    codes[size] = 0.0
                    before[size] = 0.0
                    here[size] = slopes[j]
                    heights[size] = limits[j]
                    scales[size] = gram[j, j]
                    size += 1
            _extend(gram, tableau, members, active, weighted, old, size, positions, block, left)
            n_iter[i] += _settle(
                tableau, size, active, codes, here, heights, errors, positions, left, right
            )
            sweeps, ended = _search(
                tableau, weighted.positive, size, slack, floor, max_iter - n_iter[i], heights,
                scales, active, codes, here, left, right,
            )  # fmt: skip
            n_iter[i] += sweeps
            n_moved = 0
            for a in range(size):
                change = codes[a] - before[a]
                travelled += abs(change)
                if change != 0.0:
                    errors[n_moved] = change
                    positions[n_moved] = members[a]
                    slopes[members[a]] -= dual_parts(weighted, members[a])[1] * change
                    n_moved += 1
            subtract_rows(slopes, errors, positions, gram, n_moved)
            if not ended:
                break
            n_new = max(FEWEST, size // 2)
        n = 0
        for a in range(size):
            member[members[a]] = False
            if codes[a] != 0.0:
                indices[i, n] = members[a]
                values[i, n] = codes[a]
                n += 1
            active[a] = False
        counts[i] = n
