"""Compiled loops of :mod:`sdr.temporal`: columns that burst or were predicted, step by step.

Nothing grows here: `run` stops before a step that could run out of room, and says in the counters
what it needs.
"""

from __future__ import annotations

import numpy as np

from sdr._segment_kernels import (
    ACTIVATION,
    BAR,
    CELL,
    CELLS_PER_COLUMN,
    CONNECTED,
    DECREMENT,
    ENTRIES,
    FILLED,
    HEAD,
    INCREMENT,
    MAX_NEW,
    MAX_SYNAPSES,
    MINIMUM,
    N_ACTIVE,
    N_CHUNKS,
    N_FIRING,
    N_MATCHING,
    N_OWN,
    N_SEGMENTS,
    N_TOUCHED,
    N_WINNERS,
    NEED_CHUNKS,
    NEED_SEGMENTS,
    NEED_WIDTH,
    PUNISHMENT,
    SIZE,
    STEP,
    adapt,
    add_segment,
    draw_below,
    grow,
    learn_segment,
    move,
)
from sparsecode._jit import jit


@jit
def _sort(values):
    """Sort a short list in place, by Shell's gaps."""
    for gap in (701, 301, 132, 57, 23, 10, 4, 1):
        for i in range(gap, values.size):
            value, j = values[i], i
            while j >= gap and values[j - gap] > value:
                values[j] = values[j - gap]
                j -= gap
            values[j] = value


@jit
def _link(listed, per_column, segments, heads, links):
    """Chain a sorted list of segments by column, so that each chain ascends."""
    for q in range(listed.size - 1, -1, -1):
        column = segments[listed[q], CELL] // per_column
        links[q] = heads[column]
        heads[column] = q


@jit
def depolarise(limits, memory, counts, active, firing, matching, touched):
    """Count the active synapses of every segment that the active cells speak to."""
    cells, chunks, state = memory.cells, memory.chunks, memory.state
    for q in range(state[N_TOUCHED]):
        counts[touched[q]] = 0
    n = 0
    for q in range(state[N_ACTIVE]):
        chunk, filled = cells[active[q], HEAD], cells[active[q], FILLED]
        while chunk >= 0:
            for p in range(1, filled + 1):
                entry = chunks[chunk, p]
                old = counts[entry >> 1]
                counts[entry >> 1] = old + 1 + CONNECTED * (entry & 1)
                touched[n] = entry >> 1
                n += old == 0
            chunk, filled = chunks[chunk, 0], ENTRIES
    state[N_TOUCHED] = n
    n_firing = n_matching = 0
    for q in range(n):
        count = counts[touched[q]]
        if count & (CONNECTED - 1) >= limits[MINIMUM]:
            matching[n_matching] = touched[q]
            n_matching += 1
        if count >> 16 >= limits[ACTIVATION]:
            firing[n_firing] = touched[q]
            n_firing += 1
    _sort(firing[:n_firing])
    _sort(matching[:n_matching])
    state[N_FIRING], state[N_MATCHING] = n_firing, n_matching


@jit
def _fits(columns, limits, memory, counts, firing, matching, heads, links):
    """Say whether there is room for whatever the step may grow; `state` says what is needed."""
    segments, presynaptic, chunks, state = (
        memory.segments,
        memory.presynaptic,
        memory.chunks,
        memory.state,
    )
    n_learning, width = columns.size, limits[MAX_NEW]
    for c in columns:
        for kind in range(2):
            q = heads[kind, c]
            while q >= 0:
                segment = firing[q] if kind == 0 else matching[q]
                missing = max(limits[MAX_NEW] - (counts[segment] & (CONNECTED - 1)), 0)
                width = max(width, segments[segment, SIZE] + missing)
                n_learning += 1
                q = links[kind, q]
    state[NEED_SEGMENTS] = state[N_SEGMENTS] + columns.size
    state[NEED_CHUNKS] = state[N_CHUNKS] + n_learning * limits[MAX_NEW]
    state[NEED_WIDTH] = min(width, limits[MAX_SYNAPSES])
    return (
        state[NEED_SEGMENTS] <= segments.shape[0]
        and state[NEED_CHUNKS] <= chunks.shape[0]
        and state[NEED_WIDTH] <= presynaptic.shape[1]
    )


@jit
def _least_used(column, per_column, cells, state):
    """Return the living cell with the fewest segments, drawn among equals; -1 if all are dead."""
    least, n_equal = -1, 0
    for cell in range(column * per_column, (column + 1) * per_column):
        n = cells[cell, N_OWN]
        if n >= 0 and (least < 0 or n < least):
            least, n_equal = n, 0
        n_equal += n >= 0 and n == least
    if least < 0:
        return -1
    chosen = draw_below(n_equal, state) if n_equal > 1 else 0
    for cell in range(column * per_column, (column + 1) * per_column):
        if cells[cell, N_OWN] == least:
            if chosen == 0:
                return cell
            chosen -= 1
    return -1


@jit
def _insert(cell, listed, start, stop):
    """Insert a cell into ``listed[start:stop]``, ascending, unless it is there; return the end."""
    place = stop
    while place > start and listed[place - 1] >= cell:
        place -= 1
    if place < stop and listed[place] == cell:
        return stop
    for p in range(stop, place, -1):
        listed[p] = listed[p - 1]
    listed[place] = cell
    return stop + 1


@jit
def _best_matching(q, matching, counts, links):
    """Return the segment of a chain with most active synapses, and their number; -1 if none."""
    best, most = np.int64(-1), np.int64(0)
    while q >= 0:
        n = np.int64(counts[matching[q]] & (CONNECTED - 1))
        if n > most:
            best, most = np.int64(matching[q]), n
        q = links[q]
    return best, most


@jit
def _burst(
    c, q, learning, before, marks, limits, rates, memory, counts, used, matching, links, candidates
):
    """Return the winner of a column that nobody predicted, -1 if all its cells are dead."""
    best, most = _best_matching(q, matching, counts, links)
    if best >= 0:
        cell = np.int64(memory.segments[best, CELL])
        if learning:
            learn_segment(best, 0, most, before, marks, limits, rates, memory, candidates)
        return cell
    cell = np.int64(_least_used(c, limits[CELLS_PER_COLUMN], memory.cells, memory.state))
    if learning and cell >= 0 and before.size > 0:
        best = add_segment(cell, limits, used, memory)
        grow(best, limits[MAX_NEW], before, marks, limits, rates, memory, candidates)
    return cell


@jit
def _end_chains(given, punishment, limits, rates, marks, memory, firing, matching, heads, links):
    """Empty the chains; segments in those of silent columns were wrong, and are punished."""
    per_column, segments, state = limits[CELLS_PER_COLUMN], memory.segments, memory.state
    for c in given:
        heads[0, c] = heads[1, c] = -1
    for q in range(state[N_FIRING]):  # a segment that is gone belonged to an active column
        if segments[firing[q], CELL] >= 0:
            heads[0, segments[firing[q], CELL] // per_column] = -1
    for q in range(state[N_MATCHING]):
        cell = np.int64(segments[matching[q], CELL])
        column = max(cell, 0) // per_column
        wrong = cell >= 0 and heads[1, column] >= 0
        links[1, q] = column if wrong else -1
        if wrong and punishment > np.float32(0.0):
            segment = np.int64(matching[q])
            adapt(segment, 0, -punishment, np.float32(0.0), rates[BAR], marks, memory)
    for q in range(state[N_MATCHING]):
        if links[1, q] >= 0:
            heads[1, links[1, q]] = -1


@jit
def run(
    indptr, columns, learning, limits, rates, memory, counts, used, marks, active, winners, others,
    firing, matching, touched, heads, links, candidates, anomaly,
):  # fmt: skip
    """Take step after step; return how many were taken before there was no room for the next.

    `marks` (n_cells,) has bit 1 for the cells active before; `active` and `winners` list cells,
    `others` (2, n_cells) those to come. `heads` (2, n_columns) arrives and leaves as -1. `anomaly`
    holds the share of active columns that no segment had predicted.
    """
    cells, segments, state = memory.cells, memory.segments, memory.state
    presynaptic, permanences = memory.presynaptic, memory.permanences
    per_column = limits[CELLS_PER_COLUMN]
    punishment = rates[PUNISHMENT] if learning else np.float32(0.0)
    for i in range(indptr.size - 1):
        given = columns[indptr[i] : indptr[i + 1]]
        before = winners[: state[N_WINNERS]]
        _link(firing[: state[N_FIRING]], per_column, segments, heads[0], links[0])
        _link(matching[: state[N_MATCHING]], per_column, segments, heads[1], links[1])
        if learning and not _fits(given, limits, memory, counts, firing, matching, heads, links):
            _end_chains(
                given, np.float32(0.0), limits, rates, marks, memory, firing, matching, heads, links
            )
            return i
        state[STEP] += 1
        n_active = n_winners = n_predicted = 0
        for c in given:
            q, start = heads[0, c], n_winners
            if q < 0:
                for cell in range(c * per_column, (c + 1) * per_column):
                    others[0, n_active] = cell
                    n_active += cells[cell, N_OWN] >= 0
                winner = _burst(
                    np.int64(c), np.int64(heads[1, c]), learning, before, marks, limits, rates,
                    memory, counts, used, matching, links[1], candidates,
                )  # fmt: skip
                others[1, n_winners] = winner
                n_winners += winner >= 0
                continue
            n_predicted += 1
            while q >= 0:
                segment = np.int64(firing[q])
                n_winners = _insert(segments[segment, CELL], others[1], start, n_winners)
                if learning:
                    n, stop = np.int64(counts[segment] & (CONNECTED - 1)), segments[segment, SIZE]
                    place = move(
                        0, np.int64(stop), rates[INCREMENT], rates[DECREMENT], rates[BAR], marks,
                        presynaptic[segment], permanences[segment],
                    )  # fmt: skip
                    if place < stop or n < limits[MAX_NEW]:  # seldom, once a sequence is known
                        learn_segment(
                            segment, place, n, before, marks, limits, rates, memory, candidates
                        )
                q = links[0, q]
            for p in range(start, n_winners):
                others[0, n_active] = others[1, p]
                n_active += 1
        anomaly[i] = 1.0 - n_predicted / given.size if given.size else 0.0
        _end_chains(given, punishment, limits, rates, marks, memory, firing, matching, heads, links)
        for q in range(state[N_ACTIVE]):
            marks[active[q]] = 0
        state[N_ACTIVE], state[N_WINNERS] = n_active, n_winners
        active[:n_active] = others[0, :n_active]
        winners[:n_winners] = others[1, :n_winners]
        for q in range(n_active):
            marks[active[q]] = 1
        depolarise(limits, memory, counts, active, firing, matching, touched)
        if learning:
            for q in range(state[N_FIRING]):
                used[firing[q]] = state[STEP]
    return indptr.size - 1
