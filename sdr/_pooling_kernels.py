"""Compiled loops of :mod:`sdr.pooling`: overlaps, inhibition, and learning column by column.

Which inputs a column is connected to is kept twice: by the permanences, and as bits, a row of
columns for each input and a last row of zeros (`connected`), of which learning flips those alone
that cross the threshold. Overlaps are sums over the rows of active inputs, 64 columns at a time.
"""

from __future__ import annotations

import numpy as np

from sparsecode._jit import jit
from sparsecode.core._ops_kernels import mark_top_k

#: Synapses that are updated together before anybody asks which of them crossed the threshold.
STRETCH = 256


@jit
def _add_rows(a, b, c, d, e, f, g, planes, carry):
    """Add seven rows of bits to counts of which bit k lies in plane k; leave what plane 3 gets.

    By full adders: of three bits, the sum is their parity, and the carry their majority.
    """
    for w in range(carry.size):
        one = a[w] ^ b[w] ^ c[w]
        two = (a[w] & b[w]) | (c[w] & (a[w] ^ b[w]))
        ones = one ^ d[w] ^ e[w]
        twos = (one & d[w]) | (e[w] & (one ^ d[w]))
        one = ones ^ f[w] ^ g[w]
        third = (ones & f[w]) | (g[w] & (ones ^ f[w]))
        four = (two & twos) | (third & (two ^ twos))
        two = two ^ twos ^ third
        low, middle, high = planes[0, w], planes[1, w], planes[2, w]
        over = low & one
        planes[0, w] = low ^ one
        planes[1, w] = middle ^ two ^ over
        over = (middle & two) | (over & (middle ^ two))
        planes[2, w] = high ^ four ^ over
        carry[w] = (high & four) | (over & (high ^ four))


@jit
def _count(active_inputs, connected, planes, overlaps):
    """Count the connected active inputs of every column; `planes` is scratch."""
    n, silent, carry = active_inputs.size, connected.shape[0] - 1, planes[-1]
    planes[:] = 0
    n_planes = 3
    while n >> n_planes:
        n_planes += 1
    for p in range(0, n, 7):
        _add_rows(
            connected[active_inputs[p]],
            connected[active_inputs[p + 1] if p + 1 < n else silent],
            connected[active_inputs[p + 2] if p + 2 < n else silent],
            connected[active_inputs[p + 3] if p + 3 < n else silent],
            connected[active_inputs[p + 4] if p + 4 < n else silent],
            connected[active_inputs[p + 5] if p + 5 < n else silent],
            connected[active_inputs[p + 6] if p + 6 < n else silent],
            planes, carry,
        )  # fmt: skip
        for k in range(3, n_planes):
            for w in range(carry.size):
                old = planes[k, w]
                planes[k, w] = old ^ carry[w]
                carry[w] &= old
    overlaps[:] = 0
    for k in range(n_planes):
        for w in range(carry.size):
            word, first = planes[k, w], 64 * w
            for bit in range(min(64, overlaps.size - first)):
                overlaps[first + bit] += ((word >> bit) & 1) << k


@jit
def _weigh(overlaps, boost, threshold, scores):
    """Write boosted overlaps; a column below the stimulus threshold gets -1 and cannot win."""
    for c in range(overlaps.size):
        scores[c] = overlaps[c] * boost[c] if overlaps[c] >= threshold else -1.0


@jit
def _compete(scores, first, neighbours, n_winners, active):
    """Mark the winners, of all columns or, if there are neighbours, each among its own.

    A column loses to any with a higher score, and to those of equal score with a lower index.
    Without neighbours `first` is the one row of all columns, (0, n_columns).
    """
    active[:] = False
    if neighbours.size == 0:
        mark_top_k(first, scores, n_winners[0], active)
        for c in range(scores.size):
            active[c] = active[c] and scores[c] >= 0.0
        return
    for c in range(scores.size):
        if scores[c] < 0.0:
            continue
        n_better = 0
        for p in range(first[c], first[c + 1]):
            rival = neighbours[p]
            n_better += scores[rival] > scores[c] or (scores[rival] == scores[c] and rival < c)
        active[c] = n_better < n_winners[c]


@jit
def pool(
    indptr, indices, connected, boost, threshold, first, neighbours, n_winners, planes, overlaps,
    scores, active,
):  # fmt: skip
    """Mark the winning columns of each sample.

    Scratch: `planes` int64, a row more than numbers of inputs have bits, at least four, and of the
    width of `connected`; `overlaps` (n_columns,) int32; `scores` (n_columns,) float64. The result
    is `active` (n_samples, n_columns) bool.
    """
    for i in range(indptr.size - 1):
        _count(indices[indptr[i] : indptr[i + 1]], connected, planes, overlaps)
        _weigh(overlaps, boost, threshold, scores)
        _compete(scores, first, neighbours, n_winners, active[i])


@jit
def _adapt(permanences, change, bar, column, crossed, connected):
    """Move a column's permanences by `change`, between 0 and 1; negative ones are no synapses."""
    low, high = np.float32(0.0), np.float32(1.0)
    n = permanences.size
    for start in range(0, n, STRETCH):
        size = min(STRETCH, n - start)
        here, moves = permanences[start : start + size], change[start : start + size]
        n_crossed = 0
        for p in range(size):
            before = here[p]
            moved = before + moves[p]
            moved = low if moved < low else moved
            moved = high if moved > high else moved
            after = before if before < low else moved
            here[p] = after
            crossed[p] = (before >= bar) != (after >= bar)
            n_crossed += crossed[p]
        if n_crossed:
            for p in range(size):
                if crossed[p]:
                    connected[start + p, column // 64] ^= np.int64(1) << (column % 64)


@jit
def _update_duty(active, period, duty):
    """Move every duty cycle towards what the column just did."""
    for c in range(duty.size):
        duty[c] = ((period - 1.0) * duty[c] + active[c]) / period


@jit
def refresh_boost(duty, strength, density, first, neighbours, boost):
    """Write exp(strength (target - duty)); with neighbours the target is their mean duty."""
    for c in range(duty.size):
        target = density
        if neighbours.size:
            total = duty[c]
            for p in range(first[c], first[c + 1]):
                total += duty[neighbours[p]]
            target = total / (1 + first[c + 1] - first[c])
        boost[c] = np.exp(strength * (target - duty[c]))


@jit
def learn(
    indptr, indices, threshold, first, neighbours, n_winners, rates, rows, starts, permanences,
    connected, duty, boost, change, crossed, planes, overlaps, scores,
    active,
):  # fmt: skip
    """Mark the winners of each sample and let them learn it, one sample after another.

    `rates` holds increment, decrement, connected threshold, duty period, boost strength and
    density. ``permanences[rows[c]:rows[c + 1]]`` belong to the inputs from ``starts[c]`` on.
    `change` (n_inputs,) float32 arrives as minus the decrement everywhere, and leaves so;
    `crossed` (STRETCH,) uint8 is scratch, as is what :func:`pool` calls so.
    """
    increment, decrement, bar = np.float32(rates[0]), np.float32(-rates[1]), np.float32(rates[2])
    for i in range(indptr.size - 1):
        given = indices[indptr[i] : indptr[i + 1]]
        _count(given, connected, planes, overlaps)
        _weigh(overlaps, boost, threshold, scores)
        _compete(scores, first, neighbours, n_winners, active[i])
        for p in range(given.size):
            change[given[p]] = increment
        for c in range(overlaps.size):
            if active[i, c]:
                start, stop = starts[c], starts[c] + rows[c + 1] - rows[c]
                _adapt(
                    permanences[rows[c] : rows[c + 1]],
                    change[start:stop],
                    bar,
                    c,
                    crossed,
                    connected[start:stop],
                )
        for p in range(given.size):
            change[given[p]] = decrement
        _update_duty(active[i], rates[3], duty)
        if rates[4] > 0.0:
            refresh_boost(duty, rates[4], rates[5], first, neighbours, boost)
