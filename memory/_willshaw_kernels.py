"""Compiled loops of :mod:`memory.willshaw`: connections as bits, a row of words for each cue unit.

A row has a bit for each unit of the targets, in words of 64, as many as fill vectors of 512 bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from memory._count_simd import count_bits
from sparsecode._bits_simd import COUNTERS, add_columns, spread
from sparsecode._jit import jit
from sparsecode._simd import lowest_bit

__all__ = ["AHEAD", "connect", "recall_all", "recall_best"]

#: Units that are listed of each word at least.
AHEAD = 3
#: The last bit of a word.
LAST_BIT = -(2**63)


@jit
def connect(indptr, indices, target_indptr, target_indices, packed, bits):
    """Set the bits of every pair of a pattern's units and its target's."""
    n_words = bits.shape[1]
    for i in range(indptr.size - 1):
        begin, end = target_indptr[i], target_indptr[i + 1]
        if end - begin < n_words // 2:
            for p in range(indptr[i], indptr[i + 1]):
                row = bits[indices[p]]
                for q in range(begin, end):
                    row[target_indices[q] >> 6] |= np.uint64(1) << np.uint64(target_indices[q] & 63)
            continue
        packed[:] = 0
        for q in range(begin, end):
            packed[target_indices[q] >> 6] |= np.uint64(1) << np.uint64(target_indices[q] & 63)
        for p in range(indptr[i], indptr[i + 1]):
            row = bits[indices[p]]
            for word in range(n_words):
                row[word] |= packed[word]


@jit
def recall_all(indptr, indices, bits, is_auto, first, row, counts, found, shares):
    """List for each cue the units that are connected to all of its active units.

    `row` has a word for each 64 units, `found` room for `AHEAD` more than all units at least. Cues
    are answered from `first` on while there is room; the first that was not is returned.
    """
    n = 0
    for i in range(first, indptr.size - 1):
        begin, end = indptr[i], indptr[i + 1]
        _join(bits.reshape(-1), bits.shape[1], indices, begin, end, row)
        counts[i] = _n_marked(row)
        if n + counts[i] + AHEAD > found.size:
            return i
        n = _list_marked(row, counts[i], found, n)
        if is_auto:
            shares[i] = _connected_share(bits, indices, begin, end, row)
        else:
            shares[i] = counts[i] > 0
    return indptr.size - 1


@jit
def recall_best(
    indptr, indices, bits, is_auto, first, fraction, n_winners, planes, sums, tally, row, counts,
    found, shares,
):  # fmt: skip
    """List for each cue the units with the largest sums of connections to its active units.

    The `n_winners` best, the first of equals; or, where that is 0, all whose sum is at least this
    `fraction` of the cue's active units. Units without a connection never win. Otherwise as in
    :func:`recall_all`.
    """
    n_words = bits.shape[1]
    n = 0
    for i in range(first, indptr.size - 1):
        begin, end = indptr[i], indptr[i + 1]
        n_planes = planes.size // 8
        while n_planes > 3 and (end - begin) >> (n_planes - 1) == 0:
            n_planes -= 1
        for group in range(n_words // 8):
            add_columns(bits.reshape(-1), 8 * group, n_words, 0, indices, begin, end, n_planes,
                        planes)  # fmt: skip
            spread(planes, n_planes, sums, COUNTERS * group)
        least, n_equal = _bar(sums, end - begin, fraction, n_winners, tally)
        row[:] = 0
        n_pairs = 0
        for unit in range(sums.size):
            if sums[unit] > least or (sums[unit] == least and n_equal > 0):
                n_equal -= sums[unit] == least
                n_pairs += sums[unit]
                row[unit >> 6] |= np.uint64(1) << np.uint64(unit & 63)
        counts[i] = _n_marked(row)
        if n + counts[i] + AHEAD > found.size:
            return i
        n = _list_marked(row, counts[i], found, n)
        n_others = counts[i]
        if is_auto:
            n_pairs, n_others = 0, end - begin
            for p in range(begin, end):
                n_pairs += sums[indices[p]]
        shares[i] = n_pairs / max((end - begin) * n_others, 1)
    return indptr.size - 1


@jit
def _join(flat, n_words, units, begin, end, row):
    """Mark the bits that are set in the rows of all units; none where there is no unit."""
    row[:] = 0
    if begin == end:
        return
    row[:] = flat[units[begin] * n_words :][:n_words]
    p = begin + 1
    while p + 4 <= end:  # several rows at a time, for they come from afar
        a, b = flat[units[p] * n_words :][:n_words], flat[units[p + 1] * n_words :][:n_words]
        c, d = flat[units[p + 2] * n_words :][:n_words], flat[units[p + 3] * n_words :][:n_words]
        left = np.uint64(0)
        for word in range(n_words):
            row[word] &= a[word] & b[word] & c[word] & d[word]
            left |= row[word]
        if left == 0:
            return
        p += 4
    while p < end:
        a = flat[units[p] * n_words :][:n_words]
        for word in range(n_words):
            row[word] &= a[word]
        p += 1


@jit
def _bar(sums, n_cue, fraction, n_winners, tally):
    """Return the least sum that wins, and how many of those that have it do."""
    if n_winners == 0:
        return max(np.int64(np.ceil(fraction * n_cue - 1e-9)), 1), sums.size
    tally[: n_cue + 1] = 0
    for unit in range(sums.size):
        tally[sums[unit]] += 1
    least, n_equal = max(n_cue, 1), n_winners
    while least > 1 and tally[least] < n_equal:
        n_equal -= tally[least]
        least -= 1
    return least, n_equal


@jit
def _n_marked(row):
    """Count the marked units."""
    n = 0
    for word in range(row.size):
        n += count_bits(row[word])
    return n


@jit
def _list_marked(row, n_marked, found, n):
    """List the marked units from place `n` on, and return the place behind them.

    The first few of each word are written in any case, and overwritten where there are fewer: how
    many there are is past foreseeing, and a wrong guess costs more than they do. Only where most
    words are empty does it pay to look.
    """
    few = 2 * n_marked < row.size
    for word in range(row.size):
        if few and row[word] == 0:
            continue
        mask: Any = int(np.int64(row[word]))
        for more in range(AHEAD):
            found[n + more] = 64 * word + lowest_bit(mask | LAST_BIT)
            mask &= mask - 1
        n_here = count_bits(row[word])
        for more in range(AHEAD, n_here):
            found[n + more] = 64 * word + lowest_bit(mask)
            mask &= mask - 1
        n += n_here
    return n


@jit
def _connected_share(bits, units, begin, end, row):
    """Say which share of the pairs of some units is connected, where `row` are joined to all."""
    n_known = 0
    for p in range(begin, end):
        n_known += row[units[p] >> 6] >> np.uint64(units[p] & 63) & np.uint64(1)
    if n_known == end - begin:  # all are joined to all, as in whatever was stored
        return 1.0 if end > begin else 0.0
    n_pairs = 0
    for p in range(begin, end):
        mine = bits[units[p]]
        for q in range(begin, end):
            n_pairs += mine[units[q] >> 6] >> np.uint64(units[q] & 63) & np.uint64(1)
    return n_pairs / (end - begin) ** 2
