"""Compiled loops of :mod:`memory.kanerva`: which hard locations a word reaches, and their counters.

A word reaches the locations whose address differs from it in at most ``radii[word]`` bits.
"""

from __future__ import annotations

import numpy as np

from memory._count_simd import count_bits
from sparsecode._jit import jit


@jit
def row_distance(rows, i, others, j):
    """Return the Hamming distance of row `i` and row `j` of another array of words."""
    distance = 0
    for word in range(rows.shape[1]):
        distance += count_bits(rows[i, word] ^ others[j, word])
    return distance


@jit
def write_words(addresses, begin, end, words, radii, signs, limit, counters, n_writes):
    """Add the signs of every word to the counters it reaches, among the locations begin to end.

    A counter stops at plus and minus `limit`; one written to less often cannot be there.
    """
    for i in range(begin, end):
        row = counters[i]
        for p in range(words.shape[0]):
            if row_distance(addresses, i, words, p) > radii[p]:
                continue
            if n_writes[i] < limit:
                for j in range(row.size):
                    row[j] += signs[p, j]
            else:
                for j in range(row.size):
                    row[j] = min(max(np.int64(row[j]) + signs[p, j], -limit), limit)
            n_writes[i] += 1


@jit
def read_words(addresses, words, radii, counters, n_writes, sums, written):
    """Add up the counters that each word reaches, and how often those were written to."""
    for i in range(addresses.shape[0]):
        row = counters[i]
        for q in range(words.shape[0]):
            if row_distance(addresses, i, words, q) <= radii[q]:
                written[q] += n_writes[i]
                for j in range(row.size):
                    sums[q, j] += row[j]
