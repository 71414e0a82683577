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

__all__ = [
    "connect",
    "connected_share",
    "count_marked",
    "list_marked",
    "recall_all",
    "recall_best",
]


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
def recall_all(indptr, indices, bits, winners):
    """Mark for each cue the units that are connected to all of its active units."""
    n_words = bits.shape[1]
    for i in range(indptr.size - 1):
        begin, end = indptr[i], indptr[i + 1]
        mine = winners[i]
        mine[:] = 0
        if begin == end:
            continue
        mine[:] = bits[indices[begin]]
        for p in range(begin + 1, end):
            row = bits[indices[p]]
            left = np.uint64(0)
            for word in range(n_words):
                mine[word] &= row[word]
                left |= mine[word]
            if left == 0:
                break


@jit
def recall_best(indptr, indices, bits, fraction, n_winners, planes, counts, tally, winners):
    """Mark for each cue the units with the largest sums of connections to its active units.

    The `n_winners` best, the first of equals; or, where that is 0, all whose sum is at least this
    `fraction` of the cue's active units. Units without a connection never win.
    """
    n_words = bits.shape[1]
    flat = bits.reshape(-1)
    for i in range(indptr.size - 1):
        begin, end = indptr[i], indptr[i + 1]
        mine = winners[i]
        mine[:] = 0
        if begin == end:
            continue
        n_planes = planes.size // 8
        while n_planes > 3 and (end - begin) >> (n_planes - 1) == 0:
            n_planes -= 1
        for group in range(n_words // 8):
            add_columns(flat, 8 * group, n_words, 0, indices, begin, end, n_planes, planes)
            spread(planes, n_planes, counts, COUNTERS * group)
        least, n_equal = max(np.int64(np.ceil(fraction * (end - begin) - 1e-9)), 1), counts.size
        if n_winners > 0:
            tally[: end - begin + 1] = 0
            for unit in range(counts.size):
                tally[counts[unit]] += 1
            least, n_equal = end - begin, n_winners
            while least > 1 and tally[least] < n_equal:
                n_equal -= tally[least]
                least -= 1
        for unit in range(counts.size):
            if counts[unit] > least or (counts[unit] == least and n_equal > 0):
                n_equal -= counts[unit] == least
                mine[unit >> 6] |= np.uint64(1) << np.uint64(unit & 63)


@jit
def count_marked(winners, indptr):
    """Count the marked units of each cue, so that they can be listed."""
    indptr[0] = 0
    for i in range(winners.shape[0]):
        n = 0
        for word in range(winners.shape[1]):
            n += count_bits(winners[i, word])
        indptr[i + 1] = indptr[i] + n


@jit
def list_marked(winners, indptr, indices):
    """List the marked units of each cue."""
    for i in range(winners.shape[0]):
        n, end = indptr[i], indptr[i + 1]
        word = 0
        while n < end:
            mask: Any = np.int64(winners[i, word])
            while mask != 0:
                indices[n] = 64 * word + lowest_bit(mask)
                mask &= mask - 1
                n += 1
            word += 1


@jit
def _holds(indices, begin, end, marked):
    """Say whether all of a row's units are marked."""
    for p in range(begin, end):
        if marked[indices[p] >> 6] >> np.uint64(indices[p] & 63) & np.uint64(1) == 0:
            return False
    return True


@jit
def connected_share(indptr, indices, other_indptr, other_indices, bits, winners, all_, shares):
    """Say which share of the pairs of a row's units and the other's is connected, 0 for none.

    Where the `winners` are those connected to `all_` of the row, it is 1 if the other's are among
    them.
    """
    for i in range(shares.size):
        begin, end = other_indptr[i], other_indptr[i + 1]
        if all_ and begin < end and _holds(other_indices, begin, end, winners[i]):
            shares[i] = 1.0
            continue
        n_pairs = (indptr[i + 1] - indptr[i]) * (other_indptr[i + 1] - other_indptr[i])
        shared = np.uint64(0)
        for p in range(indptr[i], indptr[i + 1]):
            row = bits[indices[p]]
            for q in range(other_indptr[i], other_indptr[i + 1]):
                unit = other_indices[q]
                shared += row[unit >> 6] >> np.uint64(unit & 63) & np.uint64(1)
        shares[i] = shared / max(n_pairs, 1)
