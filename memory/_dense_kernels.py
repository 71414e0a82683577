"""Compiled loops of :mod:`memory.dense`: flip units while that lowers the energy.

Bit ``p % 64`` of ``columns[unit, p // 64]`` is that of stored pattern ``p``.
"""

from __future__ import annotations

import numpy as np

from memory._count_simd import count_bits
from sparsecode._jit import jit


@jit
def bit_at(column, p):
    """Return one bit of a row of words."""
    return np.int64((column[p >> 6] >> np.uint64(p & 63)) & np.uint64(1))


@jit
def move(column, value, distances):
    """Let distances from a state follow a unit that leaves `value`, or twice its first setting."""
    for p in range(distances.size):
        distances[p] += 1 if bit_at(column, p) == value else -1


@jit
def measure(columns, state, distances):
    """Write the Hamming distance of every stored pattern from a state."""
    distances[:] = state.size
    for unit in range(state.size):  # adds 1 where they differ, subtracts 1 where they agree
        move(columns[unit], 1 - np.int64(state[unit]), distances)
    for p in range(distances.size):
        distances[p] //= 2


@jit
def weigh(distances, table, relative, agreeing, differing):
    """Write what every pattern gains by a unit that agrees with it, and loses by one that does not.

    Relative tables begin at the nearest pattern, so that the largest weight never underflows.
    """
    nearest = distances.min() if relative else 0
    for p in range(distances.size):
        agreeing[p] = table[distances[p] - nearest + 1]
        differing[p] = table[distances[p] - nearest]


@jit(fastmath={"reassoc"})
def support(column, value, agreeing, differing):
    """Return by how much the energy would rise if a unit left its value."""
    total = 0.0
    for p in range(agreeing.size):
        total += agreeing[p] if bit_at(column, p) == value else -differing[p]
    return total


@jit
def flip(column, unit, state, distances):
    """Flip a unit."""
    move(column, np.int64(state[unit]), distances)
    state[unit] = 1 - state[unit]


@jit
def descend(
    columns, table, relative, asynchronous, n_sweeps, states, distances, agreeing, differing, flips
):
    """Sweep over the units of each state, and flip those whose flip alone lowers the energy."""
    for q in range(states.shape[0]):
        state = states[q]
        measure(columns, state, distances)
        weigh(distances, table, relative, agreeing, differing)
        for _ in range(n_sweeps):
            n_flips = 0
            for unit in range(state.size):
                column, value = columns[unit], np.int64(state[unit])
                if support(column, value, agreeing, differing) >= 0.0:
                    continue
                flips[n_flips] = unit
                n_flips += 1
                if asynchronous:
                    flip(column, unit, state, distances)
                    weigh(distances, table, relative, agreeing, differing)
            if n_flips == 0:
                break
            if not asynchronous:
                for f in range(n_flips):
                    flip(columns[flips[f]], flips[f], state, distances)
                weigh(distances, table, relative, agreeing, differing)


@jit
def largest_shares(rows, n_active, cues, n_active_cues, shares):
    """Write the largest overlap of each cue with a pattern, over the larger number of units."""
    for p in range(rows.shape[0]):
        for q in range(cues.shape[0]):
            shared = 0
            for word in range(rows.shape[1]):
                shared += count_bits(rows[p, word] & cues[q, word])
            shares[q] = max(shares[q], shared / max(n_active[p], n_active_cues[q], 1))
