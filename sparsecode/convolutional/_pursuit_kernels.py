"""Convolutional matching pursuit: the best unit of all, found by bounds, and its subtraction.

The score of a unit is its correlation with the residual, divided by its atom's norm. Atoms of a
like spectrum form groups. What is kept is the best score of each group at each position, negative
once it is stale: its magnitude then is a bound, for a step changes no score of a group by more
than its size times the largest inner product of the atoms there, which a table knows. Only bounds
that come near the best score are made fresh.
"""

from typing import Any, NamedTuple

import numpy as np

from sparsecode._jit import jit
from sparsecode._simd import subtract_rows
from sparsecode.convolutional._pursuit_simd import WINDOWS, best_products, largest_of, loosen
from sparsecode.convolutional._window_kernels import move_window

__all__ = ["BLOCK", "SPARE", "Pursuit", "match", "score_all"]

#: Positions of a line that are searched together.
BLOCK = 64
#: Entries of a vector at most.
SPARE = 16
#: Bounds this near to the best score are made fresh together.
EAGER = 0.8


class Pursuit(NamedTuple):
    """What is known of one signal; scores are correlations with atoms scaled to norm 1.

    Arrays that vectors read whole are `SPARE` entries longer than they need.
    """

    kernels: Any  #: (n_atoms, n_channels, height, width), of any norm
    norms: Any  #: (n_atoms,)
    residual: Any  #: (n_channels, rows, columns); circular axes go on by a kernel less 1
    taps: Any  #: (n_entries,) of a window in the flattened residual, from its start on
    atoms: Any  #: (n_groups, n_entries, group), of norm 1, filled up with 0
    members: Any  #: (n_groups, group): ascending atoms, -1 for what fills up
    drift: Any  #: (n_atoms, n_groups, 2 height - 1, 2 width - 1), flattened: inner products
    bounds: Any  #: (n_blocks, n_groups, BLOCK), flattened; a block is part of a line
    tops: Any  #: (n_blocks,): bounds on the magnitudes in a block
    stale: Any  #: entries of `bounds` that are to be made fresh
    starts: Any  #: (WINDOWS,) of their windows
    scores: Any  #: (WINDOWS,)
    window: Any  #: (n_entries,)
    order: Any  #: (n_entries,): 0, 1, 2, ...
    products: Any  #: (group,)
    heads: Any  #: (n_positions,): the newest slot of a position, -1 for none
    counts: Any  #: slots, active units, steps
    energy: Any  #: (1,): 1/2 ||r||**2
    maps: Any  #: (2,): height and width
    n_blocks: Any
    circular: Any
    positive: Any


@jit
def _blocks_of_line(map_width):
    return (map_width + BLOCK - 1) // BLOCK


@jit
def _place(entry, n_groups, map_width):
    """Return row, column and group of an entry of the bounds."""
    run, column = divmod(entry, BLOCK)
    block, group = divmod(run, n_groups)
    y, part = divmod(block, _blocks_of_line(map_width))
    return y, part * BLOCK + column, group


@jit
def _collect(bounds, first, last, bar, n, stale):
    """Append the stale bounds of a run that lie above the bar; return how many there are."""
    for entry in range(first, last):
        if bounds[entry] < -bar:
            stale[n] = entry
            n += 1
    return n


@jit
def _refresh(group, n, p):
    """Score the first `n` stale entries, all of one group."""
    flat, atoms, bounds, stale = p.residual.reshape(-1), p.atoms[group], p.bounds, p.stale
    n_groups, n_columns, map_width = p.atoms.shape[0], p.residual.shape[2], p.maps[1]
    starts, scores, taps = p.starts, p.scores, p.taps
    for first in range(0, n, WINDOWS):
        last = min(first + WINDOWS, n)
        for a in range(WINDOWS):
            y, x, _ = _place(stale[min(first + a, last - 1)], n_groups, map_width)
            starts[a] = y * n_columns + x
        best_products(flat, starts, taps, atoms, p.positive, scores)
        for a in range(last - first):
            bounds[stale[first + a]] = scores[a]


@jit
def score_all(p):
    """Score every window."""
    n_groups = p.atoms.shape[0]
    for run in range(p.n_blocks * n_groups):
        n = _collect(p.bounds, run * BLOCK, (run + 1) * BLOCK, 0.0, 0, p.stale)
        _refresh(run % n_groups, n, p)
    for block in range(p.n_blocks):
        size = n_groups * BLOCK
        p.tops[block] = largest_of(p.bounds, block * size, (block + 1) * size)


@jit
def _settle(block, p):
    """Say whether a block holds a fresh score as high as its bound, else lower that."""
    n_groups = p.atoms.shape[0]
    top = p.tops[block]
    fresh = True
    for group in range(n_groups):
        first = (block * n_groups + group) * BLOCK
        if largest_of(p.bounds, first, first + BLOCK) >= top:
            n = _collect(p.bounds, first, first + BLOCK, EAGER * top, 0, p.stale)
            if n:
                _refresh(group, n, p)
                fresh = False
    first = block * n_groups * BLOCK
    p.tops[block] = largest_of(p.bounds, first, first + n_groups * BLOCK)
    return fresh and p.tops[block] == top


@jit
def _find(tops, top, first, last):
    """Return the first place of an entry from `first` on, or `last`."""
    while first < last:
        width = min(BLOCK, last - first)
        found = False
        for entry in tops[first : first + width]:  # no exit: it becomes vector instructions
            found |= entry == top
        if found:
            break
        first += width
    while first < last and tops[first] != top:
        first += 1
    return first


@jit
def _choose(entry, p):
    """Return the best atom of an entry's group at its position, and its correlation."""
    y, x, group = _place(entry, p.atoms.shape[0], p.maps[1])
    flat = p.residual.reshape(-1)
    start = y * p.residual.shape[2] + x
    for e in range(p.taps.size):
        p.window[e] = -flat[start + p.taps[e]]
    p.products[:] = 0
    subtract_rows(p.products, p.window, p.order, p.atoms[group], p.order.size)
    best = 0
    for lane in range(1, p.products.size):
        product, record = p.products[lane], p.products[best]
        if not p.positive:
            product, record = abs(product), abs(record)
        if product > record:
            best = lane
    return p.members[group, best], y * p.maps[1] + x, np.float64(p.products[best])


@jit
def _best_of_block(block, unit, inner, p):
    """Return the lowest of equally good units of a block and before it."""
    size = p.atoms.shape[0] * BLOCK
    n_positions = p.maps[0] * p.maps[1]
    first, last = block * size, (block + 1) * size
    entry = _find(p.bounds, p.tops[block], first, last)
    while entry < last:
        k, position, fresh = _choose(entry, p)
        if unit < 0 or k * n_positions + position < unit:
            unit, inner = k * n_positions + position, fresh
        entry = _find(p.bounds, p.tops[block], entry + 1, last)
    return unit, inner


@jit
def _best(floor, p):
    """Return the best unit, the lowest of equal ones, and its correlation; -1 if none counts."""
    while True:
        top = largest_of(p.tops, 0, p.n_blocks)
        if top <= floor:
            return -1, 0.0
        unit, inner = -1, 0.0
        block = _find(p.tops, top, 0, p.n_blocks)
        while block < p.n_blocks and _settle(block, p):
            unit, inner = _best_of_block(block, unit, inner, p)
            block = _find(p.tops, top, block + 1, p.n_blocks)
        if block == p.n_blocks:
            return unit, inner


@jit
def _first_and_last(start, size, end, circular):
    """Return which of `size` places from `start` on lie on an axis."""
    if circular:
        return 0, size
    return max(0, -start), min(size, end - start)


@jit
def _loosen_around(k, y, x, change, p):
    """Raise the bounds around a step, and make fresh those that may be the best next."""
    height, width = p.kernels.shape[2], p.kernels.shape[3]
    n_rows, n_columns, n_groups = 2 * height - 1, 2 * width - 1, p.atoms.shape[0]
    map_height, map_width = p.maps
    top, left = y - height + 1, x - width + 1
    first_i, last_i = _first_and_last(top, n_rows, map_height, p.circular)
    first_j, last_j = _first_and_last(left, n_columns, map_width, p.circular)
    bounds, drift, tops, stale = p.bounds, p.drift, p.tops, p.stale
    scale = bounds.dtype.type(change)
    bar = EAGER * scale
    for group in range(n_groups):
        n = 0
        for i in range(first_i, last_i):
            line = (top + i) % map_height * _blocks_of_line(map_width)
            source = ((k * n_groups + group) * n_rows + i) * n_columns
            j = first_j
            while j < last_j:
                column = (left + j) % map_width
                size = min(last_j - j, map_width - column, BLOCK - column % BLOCK)
                block = line + column // BLOCK
                first = (block * n_groups + group) * BLOCK + column % BLOCK
                largest = loosen(bounds, drift, first, source + j, size, scale)
                tops[block] = max(tops[block], largest)
                if largest > bar:
                    n = _collect(bounds, first, first + size, bar, n, stale)
                j += size
        if n:
            _refresh(group, n, p)


@jit
def _mirror(y, x, p):
    """Let both ends of circular axes agree again where a window has changed."""
    n_channels, height, width = p.kernels.shape[1:]
    map_height, map_width = p.maps
    if y >= height - 1 and x >= width - 1 and y + height <= map_height and x + width <= map_width:
        return
    for c in range(n_channels):
        for i in range(y, y + height):
            for j in range(x, x + width):
                entry = p.residual[c, i, j]
                for row in range(i % map_height, p.residual.shape[1], map_height):
                    for column in range(j % map_width, p.residual.shape[2], map_width):
                        p.residual[c, row, column] = entry


@jit
def _step(k, position, change, p):
    """Subtract `change` times an atom."""
    y, x = divmod(position, p.maps[1])
    move_window(p.residual, p.kernels[k], y, x, change)
    if p.circular:
        _mirror(y, x, p)
    _loosen_around(k, y, x, abs(np.float64(change)) * p.norms[k], p)


@jit
def _measure(p):
    """Return 1/2 ||r||**2."""
    n_channels, n_rows, n_columns = p.residual.shape
    if p.circular:
        n_rows, n_columns = p.maps
    total = 0.0
    for c in range(n_channels):
        for i in range(n_rows):
            for j in range(n_columns):
                total += np.float64(p.residual[c, i, j]) ** 2
    return 0.5 * total


@jit
def _is_met(goal, p):
    """Say whether the energy is down to the goal; the recursion rounds, and is renewed there."""
    if p.energy[0] > goal:
        return False
    p.energy[0] = _measure(p)
    return p.energy[0] <= goal


@jit
def _slot_of(unit, position, units, links, p):
    """Return where the coefficient of a unit is kept, -1 if it has none."""
    slot = p.heads[position]
    while slot >= 0 and units[slot] != unit:
        slot = links[slot]
    return slot


@jit
def match(limit, goal, floor, max_iter, p, units, values, links):
    """Pursue by matching until a target is met; say whether more slots are needed to go on."""
    n_positions = p.maps[0] * p.maps[1]
    while p.counts[2] < max_iter and not _is_met(goal, p):
        unit, inner = _best(floor, p)
        if unit < 0:  # an exact fit
            break
        k, position = divmod(unit, n_positions)
        slot = _slot_of(unit, position, units, links, p)
        if (slot < 0 or values[slot] == 0.0) and p.counts[1] == limit:
            break
        if slot < 0:
            slot = p.counts[0]
            if slot == units.size:
                return True
            units[slot], values[slot], links[slot] = unit, 0.0, p.heads[position]
            p.heads[position] = slot
            p.counts[0] += 1
        before = values[slot]
        values[slot] = before + inner / p.norms[k]
        change = values[slot] - before
        if change == 0.0:  # below the rounding of the coefficient
            break
        p.counts[1] += int(values[slot] != 0.0) - int(before != 0.0)
        p.counts[2] += 1
        p.energy[0] -= 0.5 * inner * inner
        _step(k, position, change, p)
    return False
