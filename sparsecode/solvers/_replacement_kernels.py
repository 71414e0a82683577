"""Single best replacement: insert, remove or exchange an atom, the others refitted.

A support S has a table: row a of it is row a of G_SS^-1 G_S., what every atom shares with the
chosen ones when they answer together. With the table, the energies that the idle atoms have left
beside S, and the inverse of G_SS, the gain of every possible replacement is known exactly, and a
replacement costs one or two outer products.
"""

from typing import Any, NamedTuple

import numpy as np

from sparsecode._jit import jit
from sparsecode._row_kernels import copy_row
from sparsecode._simd import padded, subtract_outer, subtract_rows
from sparsecode.solvers._pursuit_kernels import pursue, pursuit_scratch
from sparsecode.solvers._replacement_simd import best_replacement, in_float64, multiply_rows

__all__ = ["replacement_stationary_tile", "replacement_tile"]

# used by compiled code, where NumPy's dtypes are not at hand
_LANES32, _LANES64 = padded(1, np.float32), padded(1, np.float64)

#: Of an atom's energy, so much must be left beside the support for it to be seen; the root of the
#: machine epsilon in float32.
NOVELTY = 1e-6
#: A gain that is smaller than this many epsilons of the sample's energy may be rounding.
ROUNDING = 64.0
#: Replacements after which everything is computed anew; up to so few, nothing at the end.
RENEWED, FEW = 16, 3


class _State(NamedTuple):
    """A support and what it leaves; vectors over atoms fill whole vector registers."""

    correlation: Any  #: of every atom with the residual
    norms: Any  #: squared norms of the atoms
    energies: Any  #: of every atom, orthogonal to the support
    floors: Any  #: energies up to which an atom counts as spanned
    costs: Any  #: twice what an active atom costs
    table: Any  #: G_SS^-1 G_S.
    inverse: Any  #: G_SS^-1
    members: Any
    slots: Any  #: 0, 1, 2, ...
    codes: Any
    row: Any  #: scratch
    scaled: Any  #: scratch
    factors: Any  #: scratch


@jit
def _lanes(like):
    return _LANES32 if like.itemsize == 4 else _LANES64


@jit
def _allocate(like, width, capacity):
    """Allocate the state of a tile's samples."""
    dtype = like.dtype
    lanes = _lanes(like)
    stride = (capacity + lanes) // lanes * lanes
    return _State(
        np.zeros(width, dtype), np.zeros(width, dtype), np.zeros(width, dtype),
        np.zeros(width, dtype),
        np.full(width, np.inf, dtype), np.zeros((capacity, width), dtype),
        np.zeros((capacity, stride), dtype), np.empty(capacity, np.int64), np.arange(capacity),
        np.zeros(stride, dtype), np.zeros(width, dtype), np.zeros(width, dtype),
        np.zeros(stride, dtype),
    )  # fmt: skip


@jit
def _novelty(state):
    return max(NOVELTY, np.sqrt(np.finfo(state.row.dtype).eps))


@jit
def _prepare(gram, state):
    """Write what is the same for all samples."""
    novelty = _novelty(state)
    for j in range(gram.shape[0]):
        state.norms[j] = gram[j, j]
        state.floors[j] = novelty * gram[j, j]


@jit
def _set_costs(alpha, weights, state):
    for j in range(weights.size):
        state.costs[j] = 2.0 * alpha * weights[j]


@jit
def _begin(projection, state):
    """Start with the empty support."""
    copy_row(projection, state.correlation)
    copy_row(state.norms, state.energies)


@jit
def _insert(gram, j, size, state):
    """Let atom j join a support of `size`; return the new size.

    An atom that turns out to be spanned is closed instead.
    """
    correlation, energies, table, inverse = (
        state.correlation, state.energies, state.table, state.inverse
    )  # fmt: skip
    row, scaled, factors, codes = state.row, state.scaled, state.factors, state.codes
    copy_row(gram[j], row)
    for a in range(size):
        factors[a] = row[state.members[a]]
    subtract_rows(row, factors, state.slots, table, size)
    for a in range(size):
        row[state.members[a]] = 0.0
        factors[a] = table[a, j]
    energy = row[j]
    if not energy > 0.5 * state.floors[j]:
        energies[j] = 0.0
        return size
    reciprocal = row.dtype.type(1.0) / energy
    amount = correlation[j] * reciprocal
    for f in range(row.size):
        scaled[f] = row[f] * reciprocal
    scaled[j] = 1.0
    subtract_outer(table, factors, scaled, size, row.size)
    copy_row(scaled, table[size])
    for f in range(row.size):
        energies[f] -= row[f] * scaled[f]
    for f in range(row.size):
        correlation[f] -= row[f] * amount
    energies[j] = 0.0
    correlation[j] = 0.0
    for a in range(size):
        codes[a] -= factors[a] * amount
        share = factors[a] * reciprocal
        for b in range(size):
            inverse[a, b] += share * factors[b]
        inverse[a, size] = -share
        inverse[size, a] = -share
    inverse[size, size] = reciprocal
    codes[size] = amount
    state.members[size] = j
    return size + 1


@jit
def _remove(slot, size, state):
    """Let the atom in `slot` leave a support of `size`; return the new size."""
    table, inverse, factors, codes = state.table, state.inverse, state.factors, state.codes
    correlation, energies, row = state.correlation, state.energies, state.row
    energy = row.dtype.type(1.0) / inverse[slot, slot]
    amount = codes[slot] * energy
    copy_row(table[slot], row)
    for f in range(row.size):
        correlation[f] += amount * row[f]
    for f in range(row.size):
        energies[f] += energy * row[f] * row[f]
    for a in range(size):
        factors[a] = inverse[a, slot] * energy
    factors[slot] = 0.0
    subtract_outer(table, factors, row, size, row.size)
    for a in range(size):
        codes[a] -= factors[a] * codes[slot]
        if a != slot:
            for b in range(size):
                inverse[a, b] -= factors[a] * inverse[slot, b]
    last = size - 1
    if slot != last:
        copy_row(table[last], table[slot])
        codes[slot] = codes[last]
        state.members[slot] = state.members[last]
        for a in range(last):
            inverse[slot, a] = inverse[last, a]
            inverse[a, slot] = inverse[a, last]
        inverse[slot, slot] = inverse[last, last]
    return last


@jit
def _gain(state, j, slot):
    """Return the gain of inserting atom j, once the atom in `slot`, unless -1, has left."""
    inner, energy = state.correlation[j], state.energies[j]
    if slot >= 0:
        share = state.table[slot, j]
        freed = 1.0 / np.float64(state.inverse[slot, slot])
        inner += state.codes[slot] * freed * share
        energy += freed * share * share
    return np.float64(inner) * inner / energy - state.costs[j]


@jit
def _best_insertion(state, margin):
    """Return the atom whose insertion gains most, -1 if none gains more than `margin`."""
    scalar = state.row.dtype.type
    return best_replacement(
        state.correlation, state.energies, state.floors, state.costs, state.energies,
        scalar(0.0), scalar(0.0), scalar(margin),
    )  # fmt: skip


@jit
def _best_removal(state, size, margin):
    """Return the slot whose removal gains most, -1 if none gains more than `margin`."""
    best, most = -1, margin
    for a in range(size):
        loss = np.float64(state.codes[a]) * state.codes[a] / state.inverse[a, a]
        gain = state.costs[state.members[a]] - loss
        if gain > most:
            best, most = a, gain
    return best


@jit
def _best_exchange(state, size, margin):
    """Return the slot and the atom whose exchange gains most, -1 twice if none gains enough."""
    scalar = state.row.dtype.type
    slot, atom, most = -1, -1, margin
    for a in range(size):
        freed = scalar(1.0) / state.inverse[a, a]
        shift = state.codes[a] * freed
        loss = np.float64(state.codes[a]) * shift - state.costs[state.members[a]]
        j = best_replacement(
            state.correlation, state.energies, state.floors, state.costs, state.table[a], shift,
            freed, scalar(loss + most),
        )  # fmt: skip
        if j >= 0:
            most = _gain(state, j, a) - loss
            slot, atom = a, j
    return slot, atom


@jit
def _list(indices, state):
    """Make a sample's given support the members."""
    for a in range(indices.size):
        state.members[a] = indices[a]


@jit
def _invert(gram, size, novelty, state):
    """Write G_SS^-1 for the members into the state; say whether they are independent.

    Of the energy of each, more than `novelty` must be left beside those before it.
    """
    members, inverse = state.members, state.inverse
    for a in range(size):
        for b in range(size):
            inverse[a, b] = gram[members[a], members[b]]
    for k in range(size):  # Gauss and Jordan's sweeps
        if not inverse[k, k] > novelty * gram[members[k], members[k]]:
            return False
        reciprocal = 1.0 / inverse[k, k]
        inverse[k, k] = 1.0
        for b in range(size):
            inverse[k, b] *= reciprocal
        for a in range(size):
            if a != k:
                factor = inverse[a, k]
                inverse[a, k] = 0.0
                for b in range(size):
                    inverse[a, b] -= factor * inverse[k, b]
    return True


@jit
def _settle(projection, matrix, rows, size, state):
    """Take all members at once, whose Gram rows are some rows of a matrix."""
    energies, codes, correlation = state.energies, state.codes, state.correlation
    members = state.members
    for a in range(size):
        amount = 0.0
        for b in range(size):
            amount += state.inverse[a, b] * projection[members[b]]
        codes[a] = amount
    multiply_rows(state.table, state.inverse, matrix, rows, size, energies)
    subtract_rows(correlation, codes, rows, matrix, size)
    for a in range(size):
        energies[members[a]] = 0.0
        correlation[members[a]] = 0.0
        for b in range(size):
            state.table[b, members[a]] = 0.0
        state.table[a, members[a]] = 1.0


@jit
def _best_step(size, n_nonzero, swaps, margin, state):
    """Return the slot to empty and the atom to insert, -1 each for none.

    An exchange is sought only where no removal and no insertion gains more than `margin`.
    """
    slot = _best_removal(state, size, margin if size <= n_nonzero else -np.inf)
    if slot >= 0:
        return slot, -1
    if size < n_nonzero:
        j = _best_insertion(state, margin)
        if j >= 0:
            return -1, j
    if swaps:
        return _best_exchange(state, size, margin)
    return -1, -1


@jit
def _renew(projection, gram, size, state):
    """Compute everything anew from the support, without the rounding of the way to it."""
    if _invert(gram, size, ROUNDING * np.finfo(state.row.dtype).eps, state):
        _begin(projection, state)
        _settle(projection, gram, state.members, size, state)


@jit
def _improve(projection, gram, waiting, size, n_nonzero, swaps, margin, max_iter, state):
    """Insert what waits, then replace until nothing gains; return the size and the replacements."""
    n_done, n_iter = 0, 0
    while n_done < waiting.size or size > n_nonzero or n_iter < max_iter:
        if n_done < waiting.size:
            slot, j = -1, int(waiting[n_done])
            n_done += 1
        else:
            slot, j = _best_step(size, n_nonzero, swaps, margin, state)
            if slot < 0 and j < 0:
                break
            n_iter += 1
            if n_iter % RENEWED == 0:
                _renew(projection, gram, size, state)
                continue
        if slot >= 0:
            size = _remove(slot, size, state)
        if j >= 0:
            size = _insert(gram, j, size, state)
    return size, n_iter


@jit
def _refine(projection, gram, size, state):
    """Solve for the codes on the support once more, without the rounding of the way to them."""
    members, codes, factors = state.members, state.codes, state.factors
    for _ in range(2):
        for a in range(size):
            slack = np.float64(projection[members[a]])
            for b in range(size):
                slack -= np.float64(gram[members[a], members[b]]) * codes[b]
            factors[a] = slack
        for a in range(size):
            change = 0.0
            for b in range(size):
                change += np.float64(state.inverse[a, b]) * factors[b]
            codes[a] += change


@jit
def _cost(projection, gram, size, state):
    """Return by how much the objective exceeds that of the code 0."""
    cost = 0.0
    for a in range(size):
        j, z = state.members[a], np.float64(state.codes[a])
        fit = 0.0
        for b in range(size):
            fit += np.float64(gram[j, state.members[b]]) * state.codes[b]
        cost += z * (0.5 * fit - projection[j]) + 0.5 * state.costs[j]
    return cost


@jit
def replacement_tile(
    projections, energies, gram, norms, weights, uniform, alphas, n_nonzero, swaps, max_iter,
    start_indptr, start_indices, indices, values, counts, n_iter,
):  # fmt: skip
    """Replace atoms in every sample of a tile until nothing gains, from the supports given on.

    Where none is given and all atoms cost alike, orthogonal least squares makes the first
    insertions. Row i of `indices` and `values` receives the support.
    """
    capacity = n_nonzero
    for i in range(counts.size):
        capacity = max(capacity, start_indptr[i + 1] - start_indptr[i])
    state = _allocate(projections, gram.shape[1], capacity)
    scratch = pursuit_scratch(gram, norms, n_nonzero)
    dearest = np.max(weights)
    rounding = 2.0 * ROUNDING * np.finfo(projections.dtype).eps
    _prepare(gram, state)
    for i in range(projections.shape[0]):
        if i == 0 or alphas[i] != alphas[i - 1]:
            _set_costs(alphas[i], weights, state)
        counts[i] = n_iter[i] = 0
        if not projections[i].any():  # no atom sees the sample
            continue
        margin = rounding * energies[i]
        first, last = start_indptr[i], start_indptr[i + 1]
        for position in range(first, last):
            indices[i, position - first] = start_indices[position]
        size = last - first
        if size == 0 and uniform:
            least = 0.5 * margin + alphas[i] * weights[0]
            size = n_iter[i] = pursue(
                True, projections[i], energies[i], gram, norms, min(n_nonzero, max_iter), 0.0,
                least, scratch, indices[i], values[i],
            )  # fmt: skip
        waiting = indices[i, :size]
        _begin(projections[i], state)
        _list(waiting, state)
        if _invert(gram, size, _novelty(state), state):
            _settle(projections[i], gram, state.members, size, state)
            waiting = waiting[:0]
        else:
            size = 0
        size, used = _improve(
            projections[i],
            gram,
            waiting,
            size,
            n_nonzero,
            swaps,
            margin,
            max_iter - n_iter[i],
            state,
        )
        n_iter[i] += used
        if used > FEW:
            _invert(gram, size, 0.0, state)
        _refine(projections[i], gram, size, state)
        if not _cost(projections[i], gram, size, state) <= 0.0:  # rounding: better no swaps
            size = pursue(
                True, projections[i], energies[i], gram, norms, n_nonzero, 0.0,
                0.5 * margin + alphas[i] * dearest, scratch, indices[i], values[i],
            )  # fmt: skip
        else:
            for a in range(size):
                indices[i, a] = state.members[a]
                values[i, a] = state.codes[a]
        counts[i] = size


@jit
def replacement_stationary_tile(
    projections, energies, gram, weights, alphas, n_nonzero, tol, indptr, indices, stationary
):  # fmt: skip
    """Say of every support of a tile whether no replacement gains more than `tol` of the energy.

    In float64, whatever the dtype of `gram` and `projections`.
    """
    capacity = 1
    for i in range(stationary.size):
        capacity = max(capacity, indptr[i + 1] - indptr[i])
    state = _allocate(energies, gram.shape[1], capacity)
    rows = np.empty((capacity, gram.shape[1]))
    _prepare(gram, state)
    for i in range(projections.shape[0]):
        if i == 0 or alphas[i] != alphas[i - 1]:
            _set_costs(alphas[i], weights, state)
        first, last = indptr[i], indptr[i + 1]
        if not projections[i].any():
            stationary[i] = first == last
            continue
        _begin(projections[i], state)
        size = last - first
        _list(indices[first:last], state)
        if not _invert(gram, size, 1e-3 * NOVELTY, state):
            stationary[i] = False
            continue
        matrix, chosen = in_float64(gram, state.members[:size], rows, state.slots)
        _settle(projections[i], matrix, chosen, size, state)
        margin = 2.0 * tol * energies[i]
        stationary[i] = (
            _best_removal(state, size, margin) < 0
            and (size >= n_nonzero or _best_insertion(state, margin) < 0)
            and _best_exchange(state, size, margin)[0] < 0
        )
