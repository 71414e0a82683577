"""The lasso path of one sample after another, breakpoint by breakpoint.

Between two breakpoints the code is linear in alpha: on the support S with signs s and weights w,
dz_S/dalpha = -G_SS^-1 (w s)_S, and every correlation d_j.(x - zD) moves by -G_jS dz_S/dalpha. The
next breakpoint is where a correlation reaches its limit alpha w_j (a join) or a coefficient
reaches 0 (a drop). The inverse of G_SS is kept, bordered and swept by one outer product each.
"""

from typing import NamedTuple

import numpy as np

from sparsecode._jit import jit
from sparsecode._row_kernels import copy_row
from sparsecode._simd import (
    BYTES,
    above,
    dot,
    largest_magnitude,
    largest_product,
    lowest_bit,
    subtract_outer,
    subtract_rows,
)
from sparsecode.solvers._stop_kernels import move

__all__ = ["ALPHA", "MAX_ITER", "N_NONZERO", "ROUNDING", "SIZE", "homotopy_tile"]

#: Why a path ended; FULL if its knots found no room.
ALPHA, N_NONZERO, MAX_ITER, ROUNDING, SIZE, FULL = range(6)

EPS = float(np.finfo(np.float64).eps)
#: Breakpoints nearer than this, in units of the machine epsilon and of alpha_max, are one.
TIES = 16.0
#: Least distance of a correlation from its limit, in units of such a tie.
LEAST = 1e-3
#: Breakpoints until code and correlations are computed anew.
REFRESH = 32
#: Part of its energy that an atom must have outside the span of the support to join it.
NOVELTY = EPS**0.75
#: Part of alpha by which the correlation of an atom must lag behind its limit to reach it.
SLIGHT = 1e-11
#: Relative errors at which the code or the inverse is computed anew, and the path given up.
BLURRED, LOST = 1e-9, 1e-6
#: Relative error of a code that is as good as it gets.
SHARP = 1e-12
#: Steps of iterative refinement.
REFINEMENTS = 3


class Walk(NamedTuple):
    """Where one sample is on its path: n_atoms entries in the first five, one a member below."""

    slopes: np.ndarray  # correlations d_j.(x - zD)
    drifts: np.ndarray  # their derivatives by alpha
    rates: np.ndarray  # 1 / the fall of alpha at which each atom would join
    open: np.ndarray  # 1 where an atom may join, else 0
    heights: np.ndarray  # limits of the correlations, in units of alpha
    members: np.ndarray  # atoms of the support
    codes: np.ndarray
    turns: np.ndarray  # derivatives of the codes by alpha
    pulls: np.ndarray  # limits with the signs of the codes
    slots: np.ndarray  # 0, 1, 2, ...
    order: np.ndarray  # slots by rising atom
    inverse: np.ndarray  # of the Gram matrix of the members
    left: np.ndarray
    right: np.ndarray


class Book(NamedTuple):
    """Knots in compressed rows, as far as they are filled; `ends` says where each row ends."""

    alphas: np.ndarray
    ends: np.ndarray
    indices: np.ndarray
    values: np.ndarray


@jit
def _prepare(n_atoms, width, capacity, weights):
    """Return the scratch that all samples of a tile share."""
    lanes = BYTES // 8
    stride = lanes * (((capacity + lanes - 1) // lanes + 1) | 1)
    heights, are_open = np.ones(width), np.zeros(width)
    copy_row(weights[:n_atoms], heights)
    are_open[:n_atoms] = 1.0
    return Walk(
        np.zeros(width), np.zeros(width), np.zeros(width), are_open, heights,
        np.zeros(stride, np.int64), np.zeros(stride), np.zeros(stride), np.zeros(stride),
        np.arange(stride), np.zeros(stride, np.int64), np.empty((capacity, stride)),
        np.zeros(stride), np.zeros(stride),
    )  # fmt: skip


@jit
def _apply_inverse(walk, vector, size, result):
    """Write minus the inverse times a vector."""
    result[:size] = 0.0
    subtract_rows(result[:size], vector, walk.slots, walk.inverse, size)


@jit
def _novelty(gram, walk, size, j):
    """Return the energy of atom j outside the span of the members; `right` says what spans it."""
    for a in range(size):
        walk.left[a] = gram[j, walk.members[a]]
    _apply_inverse(walk, walk.left, size, walk.right)
    return gram[j, j] + dot(walk.left[:size], walk.right[:size])


@jit
def _border(walk, size, energy):
    """Add a row and a column to the inverse, after :func:`_novelty`."""
    factor = 1.0 / energy
    for a in range(size):
        walk.left[a] = -factor * walk.right[a]
    subtract_outer(walk.inverse, walk.left, walk.right, size, size)
    for a in range(size):
        walk.inverse[size, a] = -walk.left[a]
        walk.inverse[a, size] = -walk.left[a]
    walk.inverse[size, size] = factor


@jit
def _rebuild(gram, walk, size):
    """Invert the Gram matrix of the members anew; say whether that was possible."""
    for a in range(size):
        j = walk.members[a]
        energy = _novelty(gram, walk, a, j)
        if not energy > 0.0:
            return False
        _border(walk, a, energy)
    return True


@jit
def _join(walk, size, j, sign):
    """Make atom j the last member; the inverse is bordered already."""
    walk.members[size] = j
    walk.codes[size] = 0.0
    walk.pulls[size] = sign * walk.heights[j]
    walk.open[j] = 0.0
    place = size
    while place > 0 and walk.members[walk.order[place - 1]] > j:
        walk.order[place] = walk.order[place - 1]
        place -= 1
    walk.order[place] = size


@jit
def _drop(walk, size, slot):
    """Sweep a member out of the inverse, and put the last one into its place."""
    inverse, last = walk.inverse, size - 1
    factor = 1.0 / inverse[slot, slot]
    for a in range(size):
        walk.right[a] = inverse[slot, a]
        walk.left[a] = factor * inverse[slot, a]
    subtract_outer(inverse, walk.left, walk.right, size, size)
    for a in range(last):
        inverse[slot, a] = inverse[last, a]
        inverse[a, slot] = inverse[a, last]
    inverse[slot, slot] = inverse[last, last]
    walk.open[walk.members[slot]] = 1.0
    walk.members[slot] = walk.members[last]
    walk.codes[slot] = walk.codes[last]
    walk.pulls[slot] = walk.pulls[last]
    kept = 0
    for place in range(size):
        a = walk.order[place]
        if a != slot:
            walk.order[kept] = slot if a == last else a
            kept += 1


@jit
def _drift(gram, walk, size):
    """Find how correlations move with the code; return the largest relative error of a member."""
    walk.drifts[:] = 0.0
    subtract_rows(walk.drifts, walk.turns, walk.members, gram, size)
    error = 0.0
    for a in range(size):
        walk.left[a] = walk.pulls[a] - walk.drifts[walk.members[a]]
        error = max(error, abs(walk.left[a]) / walk.heights[walk.members[a]])
    return error


@jit
def _turn(gram, walk, size):
    """Find the direction of the code and of all correlations; say whether it can be trusted."""
    _apply_inverse(walk, walk.pulls, size, walk.turns)
    error = _drift(gram, walk, size)
    if error <= BLURRED:
        return True
    if not _rebuild(gram, walk, size):
        return False
    _apply_inverse(walk, walk.pulls, size, walk.turns)
    error = _drift(gram, walk, size)
    for _ in range(REFINEMENTS):
        if error <= BLURRED:
            break
        _apply_inverse(walk, walk.left, size, walk.right)
        for a in range(size):
            walk.turns[a] += walk.right[a]
        error = _drift(gram, walk, size)
    return error <= LOST


@jit
def _miss(walk, energy, alpha, size):
    """Return how far members are from their limits, relatively; infinity for an absurd code.

    The penalty of a minimiser is at most the energy of the sample.
    """
    miss, cost = 0.0, 0.0
    for a in range(size):
        limit = alpha * walk.pulls[a]
        miss = max(miss, abs(walk.slopes[walk.members[a]] - limit) / abs(limit))
        cost += abs(limit * walk.codes[a])
    return miss if cost <= 1.001 * energy else np.inf


@jit
def _wrong(walk, energy, alpha, size):
    """Return the penalty of all members whose codes have the wrong sign, relative to the energy."""
    cost = 0.0
    for a in range(size):
        cost -= min(alpha * walk.pulls[a] * walk.codes[a], 0.0)
    return cost / energy


@jit
def _settle(projection, gram, walk, energy, alpha, size):
    """Compute the correlations anew from the code, and mend the code where they miss alpha.

    Say whether that was possible.
    """
    miss = np.inf
    for attempt in range(REFINEMENTS + 1):
        copy_row(projection, walk.slopes)
        walk.slopes[projection.size :] = 0.0
        subtract_rows(walk.slopes, walk.codes, walk.members, gram, size)
        miss = _miss(walk, energy, alpha, size)
        if miss <= SHARP or (attempt > 0 and miss <= BLURRED):
            return True
        if attempt == REFINEMENTS or (attempt == 1 and not _rebuild(gram, walk, size)):
            break
        for a in range(size):
            walk.left[a] = alpha * walk.pulls[a] - walk.slopes[walk.members[a]]
        _apply_inverse(walk, walk.left, size, walk.right)
        for a in range(size):
            walk.codes[a] += walk.right[a]
    return miss <= LOST


@jit
def _advance(walk, length, size):
    """Lower alpha by `length`."""
    move(walk.slopes, walk.drifts, length)
    for a in range(size):
        walk.codes[a] -= length * walk.turns[a]


@jit
def _rate_joins(walk, alpha, least, positive):
    """Write how soon each atom reaches its limit, and return the largest rate.

    Distances to the limits are at least `least`: what is less, or beyond the limit, is rounding.
    """
    slopes, drifts, rates = walk.slopes, walk.drifts, walk.rates
    heights, are_open = walk.heights, walk.open
    for j in range(rates.size):
        height = heights[j]
        slight, nearest = SLIGHT * height, least * height
        upper = alpha * height - slopes[j]
        upper = upper if upper > nearest else nearest
        rise = height - drifts[j]
        rise = rise if rise > slight else 0.0
        if positive:
            rates[j] = are_open[j] * rise / upper
        else:
            lower = alpha * height + slopes[j]
            lower = lower if lower > nearest else nearest
            fall = height + drifts[j]
            fall = fall if fall > slight else 0.0
            first, second = rise * lower, fall * upper
            rates[j] = are_open[j] * (first if first > second else second) / (upper * lower)
    return largest_magnitude(rates)


@jit
def _first_at(rates, ones, least):
    """Return the lowest atom whose rate is at least `least`; one must be."""
    lanes = BYTES // rates.itemsize
    for first in range(0, rates.size, lanes):
        exceed = above(rates, ones, least * (1.0 - 2.0 * EPS), first, True)
        if exceed != 0:
            return first + lowest_bit(exceed)
    return 0


@jit
def _sign_of_join(walk, alpha, least, positive, j):
    """Return at which of its two limits atom j joins."""
    height = walk.heights[j]
    upper = max(alpha * height - walk.slopes[j], least * height)
    lower = max(alpha * height + walk.slopes[j], least * height)
    rise, fall = height - walk.drifts[j], height + walk.drifts[j]
    return 1.0 if positive or rise * lower >= fall * upper else -1.0


@jit
def _time_to_zero(walk, a):
    """Return by how much alpha falls until member a has the code 0, infinity if it grows."""
    if walk.turns[a] * walk.pulls[a] > 0.0:
        return max(walk.codes[a] / walk.turns[a], 0.0)
    return np.inf


@jit
def _next_drop(walk, tie, size):
    """Return when the first member drops and which; among those within `tie`, the lowest atom."""
    first, slot = np.inf, -1
    for a in range(size):
        time = _time_to_zero(walk, a)
        if time < first:
            first, slot = time, a
    if first <= tie:
        for place in range(size):
            a = walk.order[place]
            time = _time_to_zero(walk, a)
            if time <= tie:
                return time, a
    return first, slot


@jit
def _write(book, n_knots, nnz, alpha, walk, size):
    """Write a knot; return how many entries are taken now, -1 if there was no room."""
    if n_knots == book.alphas.size or nnz + size > book.indices.size:
        return -1
    for place in range(size):
        a = walk.order[place]
        if walk.codes[a] * walk.pulls[a] > 0.0:
            book.indices[nnz] = walk.members[a]
            book.values[nnz] = walk.codes[a]
            if book.values[nnz] != 0.0:  # which float32 may have made of it
                nnz += 1
    book.alphas[n_knots] = alpha
    book.ends[n_knots] = nnz
    return nnz


@jit
def _flaw(walk, energy, inverses, positive, alpha, size):
    """Return about the relative duality gap, from how far correlations are from their limits."""
    flaw = largest_product(walk.slopes, inverses, positive) / alpha - 1.0
    length = 0.0
    for a in range(size):
        j = walk.members[a]
        miss = abs(walk.slopes[j] - alpha * walk.pulls[a]) / (alpha * walk.heights[j])
        flaw = max(flaw, miss)
        length += walk.heights[j] * abs(walk.codes[a])
    flaw = max(flaw, _wrong(walk, energy, alpha, size))
    return flaw * (2.0 * alpha * length / energy + flaw)


@jit
def _lift(walk, barred, n_barred):
    """Let atoms that were passed over try again."""
    for q in range(n_barred):
        walk.open[barred[q]] = 1.0
    return 0


@jit
def _bar(walk, barred, n_barred, j):
    """Pass over atom j until it is let try again."""
    walk.open[j] = 0.0
    barred[n_barred] = j
    return n_barred + 1


@jit
def _next_event(walk, ones, alpha, tie, positive, size):
    """Return by how much alpha falls to the next breakpoint, and which member drops or atom joins.

    -1 stands for neither. Of several events within `tie` the one of the lowest atom is first:
    Murty's least-index rule, which cannot turn in a circle.
    """
    rate = _rate_joins(walk, alpha, LEAST * tie, positive)
    time, slot = _next_drop(walk, tie, size)
    if rate > 0.0 and (rate * time > 1.0 or rate * tie >= 1.0):
        j = _first_at(walk.rates, ones, min(rate, 1.0 / tie))
        if not (time <= tie and walk.members[slot] < j):
            return 1.0 / walk.rates[j], -1, j
    return time, slot, -1


@jit
def _trace(
    projection, energy, gram, positive, top, stop, most, rank, capacity, max_iter, keep, walk,
    barred, ones, book, written, nnz,
):  # fmt: skip
    """Follow one path to its end, and write all knots but the first and the last, if `keep`.

    Returns why and at which alpha it ended, the alpha of the last knot, the numbers of members and
    of breakpoints, and how many knots and entries of the book are taken.
    """
    tie = TIES * EPS * top
    alpha, last = top, top
    size, n_events, still, n_barred = 0, 0, 0, 0
    reason = -1
    turned = True
    while reason < 0:
        if n_events == max_iter:
            reason = MAX_ITER
            break
        if turned and not _turn(gram, walk, size):
            reason = ROUNDING
            break
        turned = False
        time, slot, j = _next_event(walk, ones, alpha, tie, positive, size)
        at_end = time >= alpha - stop
        sign, novelty = 1.0, 0.0
        if at_end:
            time = alpha - stop
        elif j >= 0:
            sign = _sign_of_join(walk, alpha, LEAST * tie, positive, j)
            novelty = _novelty(gram, walk, size, j)
            if size == rank or not novelty > NOVELTY * gram[j, j]:
                n_barred = _bar(walk, barred, n_barred, j)
                continue
        still = 0 if time > tie else still + 1
        if time > tie:
            n_barred = _lift(walk, barred, n_barred)
            if keep and last - alpha > tie:
                if _wrong(walk, energy, alpha, size) > LOST:
                    reason = ROUNDING
                    break
                taken = _write(book, written, nnz, alpha, walk, size)
                if taken < 0:
                    reason = FULL
                    break
                written, nnz, last = written + 1, taken, alpha
        _advance(walk, time, size)
        alpha = stop if at_end else alpha - time
        if at_end:
            reason = ALPHA
            break
        if j >= 0:
            if size in (most, capacity):
                reason = N_NONZERO if size == most else SIZE
                break
            _border(walk, size, novelty)
            _join(walk, size, j, sign)
            size += 1
        else:
            j = walk.members[slot]
            move(walk.slopes, gram[j], -walk.codes[slot])  # what rounding left of it
            _drop(walk, size, slot)
            size -= 1
            if still <= 2 * size + 16:
                n_barred = _lift(walk, barred, n_barred)
            else:  # rounding turns in a circle: j waits for the next breakpoint
                n_barred = _bar(walk, barred, n_barred, j)
        n_events += 1
        turned = True
        blurred = _miss(walk, energy, alpha, size) > BLURRED
        if (blurred or n_events % REFRESH == 0) and not _settle(
            projection, gram, walk, energy, alpha, size
        ):
            reason = ROUNDING
    _lift(walk, barred, n_barred)
    if reason != FULL and not _settle(projection, gram, walk, energy, alpha, size):
        reason = ROUNDING
    return reason, alpha, last, size, n_events, written, nnz


@jit
def homotopy_tile(
    first, projections, energies, gram, weights, positive, stops, ratio, slack, most, rank,
    capacity, max_iter, keep, book, n_knots, n_iter, ended, flaws,
):  # fmt: skip
    """Follow the paths of a tile from sample `first` on, until the book is full.

    Row by row down to the larger of its stop and `ratio` times its alpha_max, or to where an atom
    beyond `most` would join. All knots are written, or only the last one, and 0 for it where
    rounding has spoilt it. Returns the first sample whose knots found no room, and how many knots
    and entries those before it have taken.
    """
    n_atoms, width = projections.shape[1], gram.shape[1]
    walk = _prepare(n_atoms, width, capacity, weights)
    barred, ones, inverses = np.empty(n_atoms, np.int64), np.ones(width), np.zeros(width)
    inverses[:n_atoms] = 1.0 / walk.heights[:n_atoms]
    written, nnz = 0, 0
    for i in range(first, projections.shape[0]):
        written_before, nnz_before = written, nnz
        copy_row(projections[i], walk.slopes)
        walk.slopes[n_atoms:] = 0.0
        top = largest_product(walk.slopes, inverses, positive)
        stop = max(stops[i], ratio * top)
        reason, alpha, last, size, n_events = ALPHA, top, np.inf, 0, 0
        flaw = 0.0
        if top > stop * (1.0 + slack):
            if keep:
                nnz = _write(book, written, nnz, top, walk, 0)
                if nnz < 0:
                    return i, written_before, nnz_before
                written += 1
            reason, alpha, last, size, n_events, written, nnz = _trace(
                projections[i], energies[i], gram, positive, top, stop, most, rank, capacity,
                max_iter, keep, walk, barred, ones, book, written, nnz,
            )  # fmt: skip
            if reason == FULL:
                return i, written_before, nnz_before
            flaw = _flaw(walk, energies[i], inverses, positive, alpha, size)
        for a in range(size):
            walk.open[walk.members[a]] = 1.0
        sound = reason != ROUNDING
        nearest = 0.0 if reason == ALPHA else TIES * EPS * top
        if not keep or (sound and last - alpha > nearest):
            nnz = _write(book, written, nnz, alpha, walk, size if sound else 0)
            if nnz < 0:
                return i, written_before, nnz_before
            written += 1
        n_knots[i] = written - written_before
        n_iter[i], ended[i], flaws[i] = n_events, reason, flaw
    return projections.shape[0], written, nnz
