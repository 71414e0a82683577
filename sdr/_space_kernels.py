"""Compiled loops of :mod:`sdr.space`: move, drop and add active units at random places."""

from __future__ import annotations

from sparsecode._jit import jit
from sparsecode._simd import lowest_bit


@jit
def _mark_distinct(draws, first, count, n, marks):
    """Mark `count` of `n` places, every such set equally likely (R. W. Floyd's algorithm).

    One uniform number of ``draws[first:]`` is used for each.
    """
    for j in range(count):
        last = n - count + j
        place = int(draws[first + j] * (last + 1))
        if marks[place >> 5] >> (place & 31) & 1:
            place = last
        marks[place >> 5] |= 1 << (place & 31)


@jit
def move_units(
    indptr, indices, n_units, n_dropped, n_added, draws, dropped, added, new_indptr, new_indices
):
    """Drop and add units at random, row by row; those added were off.

    `dropped` and `added` hold 32 marks a word, for the places in a row and for units; they arrive
    as zeros and are left so. Row ``i`` uses ``n_dropped[i]`` and then ``n_added[i]`` numbers.
    """
    draw = 0
    for i in range(indptr.size - 1):
        row = indices[indptr[i] : indptr[i + 1]]
        _mark_distinct(draws, draw, n_dropped[i], row.size, dropped)
        draw += n_dropped[i]
        _mark_distinct(draws, draw, n_added[i], n_units - row.size, added)
        draw += n_added[i]
        q, passed = new_indptr[i], 0
        for word in range((n_units + 31) // 32):
            while added[word] != 0:
                rank = 32 * word + lowest_bit(int(added[word]))  # among the units that were off
                added[word] &= added[word] - 1
                while passed < row.size and row[passed] - passed <= rank:
                    if not dropped[passed >> 5] >> (passed & 31) & 1:
                        new_indices[q] = row[passed]
                        q += 1
                    passed += 1
                new_indices[q] = rank + passed
                q += 1
        while passed < row.size:
            if not dropped[passed >> 5] >> (passed & 31) & 1:
                new_indices[q] = row[passed]
                q += 1
            passed += 1
        dropped[: (row.size + 31) // 32] = 0
