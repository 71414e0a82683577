"""Compiled loops of :mod:`sdr.dendrites`: sampling synapses, counting overlaps."""

from __future__ import annotations

import numpy as np

from sdr._monte_carlo_kernels import shuffle_front
from sparsecode._jit import jit

__all__ = ["count_tile", "sample_rows"]

#: Segments whose overlaps are looked at together.
STEP = 64


@jit
def sample_rows(state, indptr, indices, n_drawn, pool, drawn):
    """Fill each row of `drawn` with a random subset of a row's units; `pool` is scratch."""
    a, b, c, d = state[0], state[1], state[2], state[3]
    for i in range(drawn.shape[0]):
        start, n = indptr[i], indptr[i + 1] - indptr[i]
        pool[:n] = indices[start : start + n]
        a, b, c, d = shuffle_front(a, b, c, d, pool, 0, n, n_drawn)
        drawn[i] = pool[:n_drawn]
    state[0], state[1], state[2], state[3] = a, b, c, d


@jit
def count_tile(
    indptr, indices, first, starts, postings, threshold, overlaps, samples, segments, found
):  # fmt: skip
    """Count the overlaps of samples with a tile of segments, and list those from `threshold` on.

    ``postings[starts[unit]:starts[unit + 1]]`` are the tile's segments with a synapse from a unit,
    and `overlaps` is scratch of zeros, as many as the tile's segments or more, a multiple of
    :data:`STEP`. Begins with sample `first`; returns
    how many entries are listed, and the sample to go on with when there is no room for one more.
    """
    n_found = 0
    for i in range(first, indptr.size - 1):
        if n_found + overlaps.size > found.size:
            return n_found, i
        for p in range(indptr[i], indptr[i + 1]):
            unit = indices[p]
            for q in range(starts[unit], starts[unit + 1]):
                overlaps[postings[q]] += 1
        for begin in range(0, overlaps.size, STEP):
            stretch = overlaps[begin : begin + STEP]
            largest = np.uint16(0)
            for j in range(STEP):  # in whole vectors: most stretches hold none
                largest = max(largest, stretch[j])
            if largest >= threshold:
                for j in range(STEP):
                    if stretch[j] >= threshold:
                        samples[n_found], segments[n_found] = i, begin + j
                        found[n_found] = stretch[j]
                        n_found += 1
        overlaps[:] = 0
    return n_found, indptr.size - 1
