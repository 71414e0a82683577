"""Pursuits with sparse output: orthogonal matching, orthogonal least squares, matching."""

import math
from typing import Any, NamedTuple

import numpy as np

from sparsecode._jit import jit
from sparsecode.solvers._pursuit_simd import best_correlated, best_decrease, strip_width

__all__ = [
    "PursuitScratch",
    "advance",
    "exponent_of",
    "mp_tile",
    "nothing_left",
    "ols_tile",
    "omp_tile",
    "pursue",
    "pursuit_scratch",
    "start_correlations",
    "substitute_back",
]

# used by compiled code, where NumPy's dtypes are not at hand
_STRIP32, _STRIP64 = strip_width(np.float32), strip_width(np.float64)


class PursuitScratch(NamedTuple):
    """What the samples of a tile share; atoms are scaled to norm 1 in all of it."""

    weights: Any  #: 1 / norm of every atom, 0 for closed ones
    correlation: Any  #: with the residual
    energies: Any  #: of every atom, orthogonal to the chosen ones
    strips: Any  #: inner products of all atoms with the chosen ones made orthonormal
    coefficients: Any  #: what the new atom shares with the chosen ones
    factor: Any  #: rows of the Cholesky factor of the chosen atoms' Gram matrix
    inverses: Any  #: of its diagonal
    moments: Any
    closed: Any  #: atoms that were chosen or passed over


@jit
def _strip(like):
    return _STRIP32 if like.itemsize == 4 else _STRIP64


@jit
def _aligned(size, like):
    """Allocate entries that begin where a cache line does, so that no vector spans two."""
    memory = np.empty(size + 64 // like.itemsize, like.dtype)
    first = -memory.ctypes.data % 64 // like.itemsize
    return memory[first : first + size]


@jit
def pursuit_scratch(gram, norms, n_rows):
    """Allocate the scratch of a tile."""
    n_atoms = norms.size
    strip = _strip(gram)
    n_strips = (n_atoms + strip - 1) // strip
    size = n_strips * strip
    weights, correlation = _aligned(size, gram), _aligned(size, gram)
    weights[:] = 0.0
    for j in range(n_atoms):
        weights[j] = 1.0 / norms[j]
    correlation[:] = 0.0
    return PursuitScratch(
        weights, correlation, _aligned(size, gram),
        _aligned(size * n_rows, gram).reshape((n_strips, n_rows, strip)),
        np.empty(n_rows, gram.dtype), np.empty((n_rows, n_rows)), np.empty(n_rows),
        np.empty(n_rows), np.empty(n_atoms, np.int64),
    )  # fmt: skip


@jit
def exponent_of(energy):
    """Return the power of two that brings a sample of this energy to a norm of about 1.

    Samples are scaled by it, which loses nothing, so that squares in float32 stay in range.
    """
    return max(-100, min(100, -math.frexp(math.sqrt(2.0 * energy))[1]))


@jit
def start_correlations(projection, unit, correlation, weights):
    for j in range(projection.size):
        correlation[j] = projection[j] * unit * weights[j]


@jit
def advance(ols, source, size, scale, moment, novelty, scratch):
    """Add a row to the strips, move the correlations, and return the best atom."""
    scalar = scratch.weights.dtype.type
    if ols:
        return best_decrease(
            source, scratch.weights, scratch.coefficients, scratch.strips, size, scalar(scale),
            scalar(moment), scalar(novelty), scratch.correlation, scratch.energies,
        )  # fmt: skip
    return best_correlated(
        source, scratch.weights, scratch.coefficients, scratch.strips, size, scalar(scale),
        scalar(moment), False, scratch.correlation,
    )  # fmt: skip


@jit
def nothing_left(j, ols, floor, novelty, scratch):
    """Say whether no open atom, given the best one, correlates with the residual."""
    correlation, energies = scratch.correlation, scratch.energies
    if scratch.weights[j] == 0.0:  # closed: no score is above 0
        return True
    if ols:
        if energies[j] <= novelty:
            return True
        if abs(correlation[j]) <= floor:  # the best by its small energy only
            for f in range(correlation.size):
                if abs(correlation[f]) > floor and energies[f] > novelty:
                    return False
    return abs(correlation[j]) <= floor


@jit
def _close(j, size, scratch):
    """Move column j of the strips to the factor; return its energy there.

    Zeros in its place keep the correlation of the atom at exactly 0.
    """
    strip = scratch.strips.shape[2]
    t, lane = j // strip, j % strip
    shared = 0.0
    for a in range(size):
        entry = np.float64(scratch.strips[t, a, lane])
        scratch.strips[t, a, lane] = 0.0
        scratch.factor[size, a] = entry
        shared += entry * entry
    scratch.weights[j] = 0.0
    scratch.correlation[j] = 0.0
    return shared


@jit
def substitute_back(size, factor, inverses, moments):
    """Turn moments on the orthonormal atoms into coefficients of the chosen ones."""
    for b in range(size - 1, -1, -1):
        moments[b] *= inverses[b]
        for a in range(b):
            moments[a] -= factor[b, a] * moments[b]


@jit
def _pass_over(ols, gram_row, size, novelty, scratch):
    """Return the next atom where the last one is not taken: nothing moves."""
    for a in range(size):
        scratch.coefficients[a] = 0.0
    return advance(ols, gram_row, size, 0.0, 0.0, novelty, scratch)


@jit
def pursue(
    ols, projection, energy, gram, norms, n_nonzero, target, least, scratch, indices, values
):  # fmt: skip
    """Pursue one sample, while an atom gains more energy than `least`; return how many it takes.

    The rows in the strips are columns of the progressive Cholesky factor and updates of the
    correlations at once, so each step reads one Gram row, in one pass that also finds the next
    atom. The last atom needs no row.
    """
    # of its energy, an atom must add more than the rounding of its inner products
    eps = np.finfo(values.dtype).eps
    # (least squares seeks atoms with little energy left, whose rounding each step magnifies)
    novelty = math.sqrt(eps) if ols else 64.0 * eps
    exponent = exponent_of(energy)
    unit = math.ldexp(1.0, exponent)
    residual = energy * unit * unit
    floor = 64.0 * eps * math.sqrt(2.0 * residual)
    # the recursion of the residual rounds: stop where it is surely below the target
    rounding = eps * residual
    goal = target * unit * unit - 4.0 * rounding
    bar = least * unit * unit
    if residual <= goal:
        return 0
    start_correlations(projection, values.dtype.type(unit), scratch.correlation, scratch.weights)
    if ols:
        scratch.energies[:] = 1.0
    size, n_closed = 0, 0
    j = advance(ols, gram[0], 0, 0.0, 0.0, novelty, scratch)
    while not nothing_left(j, ols, floor, novelty, scratch):
        inner = np.float64(scratch.correlation[j])
        fresh = 1.0 - _close(j, size, scratch)
        scratch.closed[n_closed] = j
        n_closed += 1
        if fresh <= novelty or abs(inner) <= floor:  # spanned by the atoms chosen before
            j = _pass_over(ols, gram[j], size, novelty, scratch)
            continue
        inverse = 1.0 / math.sqrt(fresh)
        moment = inner * inverse
        if not 0.5 * moment * moment <= residual + 64.0 * rounding:  # more than there is: noise
            j = _pass_over(ols, gram[j], size, novelty, scratch)
            continue
        if 0.5 * moment * moment <= bar:
            break
        residual -= 0.5 * moment * moment
        scratch.inverses[size] = inverse
        scratch.moments[size] = moment
        indices[size] = j
        size += 1
        if size == n_nonzero or residual <= goal:
            break
        for a in range(size - 1):
            scratch.coefficients[a] = scratch.factor[size - 1, a] * norms[j]
        j = advance(ols, gram[j], size - 1, inverse / norms[j], moment, novelty, scratch)
    substitute_back(size, scratch.factor, scratch.inverses, scratch.moments)
    for a in range(size):
        values[a] = math.ldexp(scratch.moments[a] / norms[indices[a]], -exponent)
    for a in range(n_closed):
        scratch.weights[scratch.closed[a]] = 1.0 / norms[scratch.closed[a]]
    return size


@jit
def omp_tile(projections, energies, gram, norms, n_nonzero, target, indices, values, counts):
    """Run orthogonal matching pursuit on a tile of samples; `target` is a residual energy."""
    scratch = pursuit_scratch(gram, norms, n_nonzero)
    for i in range(counts.size):
        counts[i] = pursue(
            False, projections[i], energies[i], gram, norms, n_nonzero, target, 0.0, scratch,
            indices[i], values[i],
        )  # fmt: skip


@jit
def ols_tile(projections, energies, gram, norms, n_nonzero, target, indices, values, counts):
    """Run orthogonal least squares on a tile of samples; `target` is a residual energy."""
    scratch = pursuit_scratch(gram, norms, n_nonzero)
    for i in range(counts.size):
        counts[i] = pursue(
            True, projections[i], energies[i], gram, norms, n_nonzero, target, 0.0, scratch,
            indices[i], values[i],
        )  # fmt: skip


@jit
def _match(
    projection, energy, gram, norms, positive, n_nonzero, target, max_iter, scratch, slots,
    indices, values,
):  # fmt: skip
    """Pursue one sample by matching; return how many atoms it takes, and the steps."""
    scalar = values.dtype.type
    eps = np.finfo(values.dtype).eps
    exponent = exponent_of(energy)
    unit = math.ldexp(1.0, exponent)
    residual = energy * unit * unit
    floor = 64.0 * eps * math.sqrt(2.0 * residual)
    goal = target * unit * unit - 4.0 * eps * residual
    start_correlations(projection, scalar(unit), scratch.correlation, scratch.weights)
    size, steps = 0, 0
    j, change = 0, scalar(0.0)
    while steps < max_iter and residual > goal:
        j = best_correlated(
            gram[j], scratch.weights, scratch.coefficients, scratch.strips, 0, scalar(1.0), change,
            positive, scratch.correlation,
        )  # fmt: skip
        inner = np.float64(scratch.correlation[j])
        if not (inner if positive else abs(inner)) > floor:  # an exact fit
            break
        if slots[j] < 0:
            if size == n_nonzero:
                break
            slots[j] = size
            indices[size] = j
            values[size] = 0.0
            size += 1
        slot = slots[j]
        before = values[slot]
        values[slot] = before + inner / norms[j]
        change = values[slot] - before
        residual -= 0.5 * inner * inner
        steps += 1
        if values[slot] == 0.0:  # the atom has left: the last one takes its place
            size -= 1
            slots[j] = -1
            if slot < size:
                indices[slot] = indices[size]
                values[slot] = values[size]
                slots[indices[slot]] = slot
    for a in range(size):
        slots[indices[a]] = -1
        values[a] = math.ldexp(np.float64(values[a]), -exponent)
    return size, steps


@jit
def mp_tile(
    projections, energies, gram, norms, positive, n_nonzero, target, max_iter, indices, values,
    counts, n_iter,
):  # fmt: skip
    """Run matching pursuit on a tile of samples; `target` is a residual energy."""
    scratch = pursuit_scratch(gram, norms, 1)
    slots = np.full(norms.size, -1, np.int64)
    for i in range(counts.size):
        counts[i], n_iter[i] = _match(
            projections[i], energies[i], gram, norms, positive, n_nonzero, target, max_iter,
            scratch, slots, indices[i], values[i],
        )  # fmt: skip
