"""Random subsets, really drawn, and how many of their units an input shares.

The random numbers are those of xoshiro256++ (Blackman and Vigna 2021), whose state of four words
stays in registers; numbers below a bound come from the upper 32 bits by multiplication, without
bias (Lemire 2019). A subset is the front of a pool that is shuffled in part: whatever the order of
the pool before, each subset is equally likely, and no unit comes twice.
"""

from __future__ import annotations

import numpy as np

from sparsecode._jit import jit

__all__ = ["below", "count_matches", "count_unions", "shuffle_front"]

LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)
RANGE = np.uint64(1 << 32)
TO_FLOAT = 2.0**-53


@jit
def _rotated(word, left):
    return (word << np.uint64(left)) | (word >> np.uint64(64 - left))


@jit
def next_word(a, b, c, d):
    """Return the state after a step, and 64 random bits."""
    word = _rotated(a + d, 23) + a
    shifted = b << np.uint64(17)
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    return a, b, c ^ shifted, _rotated(d, 45), word


@jit
def below(a, b, c, d, bound):
    """Return the state after a draw, and a number below `bound`, each equally likely."""
    limit = np.uint64(bound)
    a, b, c, d, word = next_word(a, b, c, d)
    product = (word >> HALF) * limit
    if product & LOW < limit:  # hardly ever: only then may a draw have to be refused
        refused = (RANGE - limit) % limit
        while product & LOW < refused:
            a, b, c, d, word = next_word(a, b, c, d)
            product = (word >> HALF) * limit
    return a, b, c, d, np.int64(product >> HALF)


@jit
def shuffle_front(a, b, c, d, pool, first, last, n_drawn):
    """Make `n_drawn` random units of ``pool[first:last]`` its first ones."""
    for i in range(first, first + n_drawn):
        a, b, c, d, step = below(a, b, c, d, last - i)
        unit = pool[i + step]
        pool[i + step] = pool[i]
        pool[i] = unit
    return a, b, c, d


@jit
def _draw_input(a, b, c, d, n_active, n_moved, pool, mask):
    """Draw a pattern, the front of the pool, and mark the input: some of its units have moved."""
    a, b, c, d = shuffle_front(a, b, c, d, pool, 0, pool.size, n_active)
    a, b, c, d = shuffle_front(a, b, c, d, pool, 0, n_active, n_moved)
    a, b, c, d = shuffle_front(a, b, c, d, pool, n_active, pool.size, n_moved)
    mask[:] = 0
    for i in range(n_moved, n_active + n_moved):
        mask[pool[i]] = 1
    return a, b, c, d


@jit
def count_matches(
    state, n_active, n_moved, n_pool, n_synapses, n_segments, failure, n_trials, n_served,
    pool, mask, counts,
):  # fmt: skip
    """Count trials by the largest overlap of fresh segments with an input.

    Each `n_served` trials get a new input. Segments are drawn from the first `n_pool` units of the
    pool: from all units, or from the pattern that the input is a noisy version of. A synapse
    that meets an active unit fails with probability `failure`.
    """
    a, b, c, d = state[0], state[1], state[2], state[3]
    for trial in range(n_trials):
        if trial % n_served == 0:
            a, b, c, d = _draw_input(a, b, c, d, n_active, n_moved, pool, mask)
        largest = 0
        for _ in range(n_segments):
            # As `shuffle_front`, with the units looked up on the way.
            overlap = 0
            for i in range(n_synapses):
                a, b, c, d, step = below(a, b, c, d, n_pool - i)
                unit = pool[i + step]
                pool[i + step] = pool[i]
                pool[i] = unit
                overlap += mask[unit]
            if failure > 0.0:
                for _ in range(overlap):
                    a, b, c, d, word = next_word(a, b, c, d)
                    overlap -= 1 if np.float64(word >> np.uint64(11)) * TO_FLOAT < failure else 0
            largest = max(largest, overlap)
        counts[largest] += 1
    state[0], state[1], state[2], state[3] = a, b, c, d


@jit
def count_unions(
    state, n_active, n_synapses, n_patterns, n_trials, n_served, pool, mask, seen, counts, sizes
):
    """Count trials by the overlap of a union with an input, and by the size of the union.

    `seen` (n_units,) arrives with entries below 0, `sizes` and `counts` as zeros.
    """
    a, b, c, d = state[0], state[1], state[2], state[3]
    for trial in range(n_trials):
        if trial % n_served == 0:
            a, b, c, d = _draw_input(a, b, c, d, n_active, 0, pool, mask)
        overlap, size = 0, 0
        for _ in range(n_patterns):
            a, b, c, d = shuffle_front(a, b, c, d, pool, 0, pool.size, n_synapses)
            for i in range(n_synapses):
                unit = pool[i]
                fresh = seen[unit] != trial
                seen[unit] = trial
                size += fresh
                overlap += fresh & mask[unit]
        counts[overlap] += 1
        sizes[size] += 1
    state[0], state[1], state[2], state[3] = a, b, c, d
