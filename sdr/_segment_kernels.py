"""Compiled loops over segments: their synapses, who hears whom, learning and growing.

Nothing is made larger here: :func:`sdr._temporal_kernels.run` asks for room first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sparsecode._jit import jit

# Columns of `cells` and `segments`.
HEAD, FILLED, FIRST, N_OWN = 0, 1, 2, 3
CELL, SIZE, NEXT = 0, 1, 2
#: Entries of a chunk of postings.
ENTRIES = 15
#: Weight of a connected synapse in `counts`.
CONNECTED = 1 << 16

# Entries of `state` (int64).
(
    FREE_SEGMENT, N_SEGMENTS, FREE_CHUNK, N_CHUNKS, N_SYNAPSES, DRAW, CARRY, STEP,
    N_ACTIVE, N_WINNERS, N_FIRING, N_MATCHING, N_TOUCHED, NEED_SEGMENTS, NEED_CHUNKS, NEED_WIDTH,
    N_STATE,
) = range(17)  # fmt: skip

# Entries of `limits` (int64) and `rates` (float32).
CELLS_PER_COLUMN, ACTIVATION, MINIMUM, MAX_NEW, MAX_SEGMENTS, MAX_SYNAPSES = range(6)
INCREMENT, DECREMENT, INITIAL, BAR, PUNISHMENT = range(5)


class Memory(NamedTuple):
    """What is remembered; all int32 but permanences and counters.

    Attributes
    ----------
    cells : ndarray of shape (n_cells, 4)
        First chunk of a cell's postings, entries in it, first segment, number of segments (-1 if
        the cell is dead).
    segments : ndarray of shape (capacity, 3)
        Cell (-1 if there is no such segment), number of synapses, the next segment of the cell (or
        the next that is free).
    presynaptic, permanences : ndarray of shape (capacity, width)
        The synapses of each segment, of float32 permanence.
    chunks : ndarray of shape (capacity, 16)
        Postings: the segments that a cell speaks to, in linked lines of the cache. The next chunk,
        then up to 15 entries ``2 * segment + connected``; all but the first of a list are full.
    state : ndarray of int64
        Counters by the names above.
    """

    cells: np.ndarray
    segments: np.ndarray
    presynaptic: np.ndarray
    permanences: np.ndarray
    chunks: np.ndarray
    state: np.ndarray


@jit
def draw_below(n, state):
    """Draw an integer below `n`, by multiply with carry (Marsaglia's 698769069, base 2**32)."""
    total = 698769069 * state[DRAW] + state[CARRY]
    state[DRAW], state[CARRY] = total & 0xFFFFFFFF, total >> 32
    return (state[DRAW] * n) >> 32


@jit
def _add_posting(cell, entry, cells, chunks, state):
    """Enter a synapse into the postings of its presynaptic cell."""
    head, filled = cells[cell, HEAD], cells[cell, FILLED]
    if head < 0 or filled == ENTRIES:
        chunk = state[FREE_CHUNK]
        if chunk >= 0:
            state[FREE_CHUNK] = chunks[chunk, 0]
        else:
            chunk = state[N_CHUNKS]
            state[N_CHUNKS] += 1
        chunks[chunk, 0] = head
        cells[cell, HEAD] = head = chunk
        filled = 0
    chunks[head, filled + 1] = entry
    cells[cell, FILLED] = filled + 1


@jit
def _change_posting(cell, segment, kind, memory):
    """Mark a posting connected (1) or not (0), or take it out (-1)."""
    cells, chunks, state = memory.cells, memory.chunks, memory.state
    head, filled = cells[cell, HEAD], cells[cell, FILLED]
    chunk, n, place = head, filled, 0
    while place == 0:
        for q in range(1, n + 1):
            if chunks[chunk, q] >> 1 == segment:
                place = q
        if place == 0:
            chunk, n = chunks[chunk, 0], ENTRIES
    if kind >= 0:
        chunks[chunk, place] = 2 * segment + kind
        return
    chunks[chunk, place] = chunks[head, filled]
    cells[cell, FILLED] = filled - 1
    if filled == 1:
        cells[cell, HEAD] = chunks[head, 0]
        cells[cell, FILLED] = ENTRIES if chunks[head, 0] >= 0 else 0
        chunks[head, 0] = state[FREE_CHUNK]
        state[FREE_CHUNK] = head


@jit
def _remove_synapse(segment, place, memory):
    """Take a synapse out; the last one of the segment takes its place."""
    segments, presynaptic, permanences, state = (
        memory.segments,
        memory.presynaptic,
        memory.permanences,
        memory.state,
    )
    _change_posting(np.int64(presynaptic[segment, place]), segment, -1, memory)
    last = segments[segment, SIZE] - 1
    presynaptic[segment, place] = presynaptic[segment, last]
    permanences[segment, place] = permanences[segment, last]
    segments[segment, SIZE] = last
    state[N_SYNAPSES] -= 1


@jit
def remove_segment(segment, memory):
    """Take a segment out with all its synapses."""
    cells, segments, state = memory.cells, memory.segments, memory.state
    while segments[segment, SIZE] > 0:
        _remove_synapse(segment, np.int64(segments[segment, SIZE] - 1), memory)
    cell, following = segments[segment, CELL], segments[segment, NEXT]
    if cells[cell, FIRST] == segment:
        cells[cell, FIRST] = following
    else:
        other = cells[cell, FIRST]
        while segments[other, NEXT] != segment:
            other = segments[other, NEXT]
        segments[other, NEXT] = following
    cells[cell, N_OWN] -= 1
    segments[segment, CELL] = -1
    segments[segment, NEXT] = state[FREE_SEGMENT]
    state[FREE_SEGMENT] = segment


@jit
def add_segment(cell, limits, used, memory):
    """Return a new segment; at the maximum the one that was used least recently gives way."""
    cells, segments, state = memory.cells, memory.segments, memory.state
    while cells[cell, N_OWN] >= limits[MAX_SEGMENTS]:
        oldest = segment = np.int64(cells[cell, FIRST])
        while segment >= 0:
            if used[segment] < used[oldest] or (used[segment] == used[oldest] and segment < oldest):
                oldest = segment
            segment = np.int64(segments[segment, NEXT])
        remove_segment(oldest, memory)
    segment = state[FREE_SEGMENT]
    if segment >= 0:
        state[FREE_SEGMENT] = segments[segment, NEXT]
    else:
        segment = state[N_SEGMENTS]
        state[N_SEGMENTS] += 1
    segments[segment, CELL], segments[segment, SIZE] = cell, 0
    segments[segment, NEXT] = cells[cell, FIRST]
    cells[cell, FIRST] = segment
    cells[cell, N_OWN] += 1
    used[segment] = state[STEP]
    return segment


@jit
def move(place, stop, gain, loss, bar, marks, cells, permanences):
    """Move permanences until one goes to 0 or over the threshold; return the place of that."""
    while place < stop:
        old = permanences[place]
        new = min(old + gain, np.float32(1.0)) if marks[cells[place]] else old - loss
        if new <= np.float32(0.0) or (old >= bar) != (new >= bar):
            break
        permanences[place] = new
        place += 1
    return place


@jit
def adapt(segment, place, gain, loss, bar, marks, memory):
    """Add `gain` to synapses from cells that were active, take `loss` from the others.

    Those before `place` are done already. A synapse whose permanence reaches 0 goes, and a segment
    with its last one.
    """
    segments, permanences = memory.segments, memory.permanences[segment]
    cells, stop = memory.presynaptic[segment], np.int64(segments[segment, SIZE])
    place = move(place, stop, gain, loss, bar, marks, cells, permanences)
    while place < stop:
        new = permanences[place] + gain if marks[cells[place]] else permanences[place] - loss
        if new <= np.float32(0.0):
            _remove_synapse(segment, place, memory)
            stop -= 1
        else:
            permanences[place] = min(new, np.float32(1.0))
            _change_posting(np.int64(cells[place]), segment, np.int64(new >= bar), memory)
            place += 1
        place = move(place, stop, gain, loss, bar, marks, cells, permanences)
    if stop == 0:
        remove_segment(segment, memory)


@jit
def _list_candidates(segment, before, marks, segments, presynaptic, candidates):
    """Write the winners of the step before that a segment has no synapse from; return how many."""
    known = presynaptic[segment, : segments[segment, SIZE]]
    for cell in known:
        marks[cell] |= 2
    n = 0
    for cell in before:
        if marks[cell] & 2 == 0:
            candidates[n] = cell
            n += 1
    for cell in known:
        marks[cell] &= 1
    return n


@jit
def _make_room(segment, n_new, before, marks, limits, memory):
    """Let the weakest synapses go that come from no winner; among equals, from the lowest cell."""
    segments, presynaptic, permanences = memory.segments, memory.presynaptic, memory.permanences
    for cell in before:
        marks[cell] |= 2
    while segments[segment, SIZE] + n_new > limits[MAX_SYNAPSES]:
        weakest, least, lowest = -1, np.float32(2.0), np.int64(-1)
        for q in range(segments[segment, SIZE]):
            cell, permanence = np.int64(presynaptic[segment, q]), permanences[segment, q]
            lower = permanence < least or (permanence == least and cell < lowest)
            if lower and marks[cell] & 2 == 0:
                weakest, least, lowest = q, permanence, cell
        if weakest < 0:
            break
        _remove_synapse(segment, weakest, memory)
    for cell in before:
        marks[cell] &= 1


@jit
def grow(segment, n_wanted, before, marks, limits, rates, memory, candidates):
    """Grow synapses to winners of the step before that the segment does not know yet.

    The candidates, in the order of their cells, are drawn without replacement.
    """
    segments, presynaptic, permanences = memory.segments, memory.presynaptic, memory.permanences
    cells, chunks, state = memory.cells, memory.chunks, memory.state
    n = _list_candidates(segment, before, marks, segments, presynaptic, candidates)
    n_new = min(n_wanted, n)
    if segments[segment, SIZE] + n_new > limits[MAX_SYNAPSES]:
        _make_room(segment, n_new, before, marks, limits, memory)
        n_new = min(n_new, limits[MAX_SYNAPSES] - segments[segment, SIZE])
    entry = 2 * segment + np.int64(rates[INITIAL] >= rates[BAR])
    for q in range(n_new):
        if n_new < n:
            other = q + draw_below(n - q, state)
            candidates[q], candidates[other] = candidates[other], candidates[q]
        place = segments[segment, SIZE]
        presynaptic[segment, place], permanences[segment, place] = candidates[q], rates[INITIAL]
        segments[segment, SIZE] = place + 1
        _add_posting(np.int64(candidates[q]), entry, cells, chunks, state)
    state[N_SYNAPSES] += n_new


@jit
def learn_segment(segment, place, n_active, before, marks, limits, rates, memory, candidates):
    """Adapt a segment of which `n_active` synapses were active, and fill them up."""
    adapt(segment, place, rates[INCREMENT], rates[DECREMENT], rates[BAR], marks, memory)
    missing = limits[MAX_NEW] - n_active
    if missing > 0 and memory.segments[segment, CELL] >= 0:
        grow(segment, missing, before, marks, limits, rates, memory, candidates)
