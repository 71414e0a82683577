"""Compiled loops of :mod:`sparsecode.core.index`: counts in one block of stored rows, and who wins.

`counts` is one flat array: those of query ``q`` begin at ``first + q * stride``. Queries arrive as
`indptr` and `indices`, the stored rows of a block are numbered from 0.
"""

from __future__ import annotations

import numpy as np

from sparsecode._bits_simd import COMPARED, add_columns, any_above, mask_above, spread
from sparsecode._jit import jit
from sparsecode._simd import lowest_bit
from sparsecode.core._ops_kernels import _sift_down

#: Vectors of 512 rows that lie side by side for one unit, the rows of such a tile, and the vectors
#: that a unit takes up: one more, so that the units do not share places in the cache.
RUN = 16
TILE = 512 * RUN
STEP = RUN + 1
#: Vectors of a unit by which bits are fetched ahead.
AHEAD = 2
#: A key is an overlap, shifted by so many bits, and the complement of a row: higher is better.
ROW_BITS = 32
LAST_ROW = 2**ROW_BITS - 1


@jit
def fill_postings(indptr, indices, begin, end, starts, rows):
    """List for each unit the rows ``begin`` to ``end`` that hold it, numbered from 0."""
    starts[:] = 0
    for p in range(indptr[begin], indptr[end]):
        starts[indices[p] + 1] += 1
    for unit in range(starts.size - 1):
        starts[unit + 1] += starts[unit]
    for i in range(begin, end):
        for p in range(indptr[i], indptr[i + 1]):
            rows[starts[indices[p]]] = i - begin
            starts[indices[p]] += 1
    for unit in range(starts.size - 1, 0, -1):  # each start has moved on to the next one
        starts[unit] = starts[unit - 1]
    starts[0] = 0


@jit
def set_bits(indptr, indices, begin, end, origin, bits):
    """Set the bits of the rows ``begin`` to ``end``, `origin` being the block's first row.

    ``bits[tile, unit, run, word]`` are 64 rows of one unit.
    """
    for i in range(begin, end):
        tile, row = divmod(i - origin, TILE)
        bit = np.uint64(1) << np.uint64(row % 64)
        for p in range(indptr[i], indptr[i + 1]):
            bits[tile, indices[p], row // 512, row // 64 % 8] |= bit


@jit
def count_packed(
    indptr, indices, bits, width, n_rows, floors, n_planes, planes, rest, counts, first, stride
):
    """Count by adding up the columns of bits of each query's units, 512 rows at a time.

    `width` is the number of units that a tile has room for. Where no row of 512 exceeds a query's
    floor of at least 0, zeros are left instead of the counts.
    """
    for group in range(-(-n_rows // 512)):
        later = group + AHEAD
        offset = (group // RUN * width * STEP + group % RUN) * 8
        ahead = (later // RUN * width * STEP + later % RUN) * 8 - offset
        n_here = min(512, n_rows - 512 * group)
        for q in range(indptr.size - 1):
            begin, end = indptr[q], indptr[q + 1]
            add_columns(bits, offset, 8 * STEP, ahead, indices, begin, end, n_planes, planes)
            here = first + q * stride + 512 * group
            if floors[q] >= 0 and not any_above(planes, n_planes, floors[q]):
                counts[here : here + n_here] = 0
            elif n_here == 512:
                spread(planes, n_planes, counts, here)
            else:
                spread(planes, n_planes, rest, 0)
                counts[here : here + n_here] = rest[:n_here]


@jit
def count_rows(
    indptr, indices, stored_indptr, stored_indices, begin, end, mask, counts, first, stride
):
    """Count by looking every unit of each stored row up in a mask of the query."""
    for q in range(indptr.size - 1):
        mask[indices[indptr[q] : indptr[q + 1]]] = 1
        for i in range(begin, end):
            shared = np.int64(0)
            for p in range(stored_indptr[i], stored_indptr[i + 1]):
                shared += mask[stored_indices[p]]
            counts[first + q * stride + i - begin] = shared
        mask[indices[indptr[q] : indptr[q + 1]]] = 0


@jit
def collect(counts, stride, alive, origin, n_rows, floor, found, rows, shared):
    """List the living rows whose counts exceed a floor, query by query; return how many."""
    n = 0
    for q in range(found.size):
        before = n
        for begin in range(0, n_rows, COMPARED):
            mask = mask_above(counts, q * stride + begin, floor)
            while mask != 0:
                row = begin + lowest_bit(mask)
                mask &= mask - 1
                if row < n_rows and alive[origin + row]:
                    rows[n] = origin + row
                    shared[n] = counts[q * stride + row]
                    n += 1
        found[q] = n - before
    return n


@jit
def keep_best(counts, stride, alive, origin, n_rows, best):
    """Let the living rows of a block compete for each query's heap of best keys.

    Rows come in rising order, so that one that only equals the least of the best does not count.
    """
    for q in range(best.shape[0]):
        heap = best[q]
        for begin in range(0, n_rows, COMPARED):
            mask = mask_above(counts, q * stride + begin, heap[0] >> ROW_BITS)
            while mask != 0:
                row = begin + lowest_bit(mask)
                mask &= mask - 1
                count = np.int64(counts[q * stride + row])
                if row < n_rows and count > heap[0] >> ROW_BITS and alive[origin + row]:
                    heap[0] = count << ROW_BITS | LAST_ROW - (origin + row)
                    _sift_down(heap, 0)
