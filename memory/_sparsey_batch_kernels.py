"""Loops of :mod:`memory.sparsey` over the items of a batch, made of the steps for one."""

from __future__ import annotations

import numpy as np

from memory._sparsey_kernels import (
    add_inputs,
    age_inputs,
    choose_hard,
    choose_soft,
    correction,
    count_hypotheses,
    familiarity,
    freeze,
    learn,
    learn_ageing,
    multiply_in,
    normalise,
    relative_chances,
)
from sparsecode._jit import jit

#: Places of the numbers in `settings`; exponents and saturations are those of U, H and D.
EXPONENTS, FIRST_EXPONENT, FEWEST, MOST, BY_BOUND, LARGEST = 0, 3, 4, 5, 6, 7
HYPOTHESIS, CORRECTION, MANY, BACKOFF, SATURATIONS, STIFFENS = 8, 9, 10, 11, 12, 15
N_SETTINGS = 16
#: Signals that the back-off tries together (1 is U, 2 H, 4 D): all, then pairs, then single ones.
CASES = np.array([7, 3, 5, 6, 1, 2, 4])
LEVELS = np.array([0, 1, 1, 1, 2, 2, 2])


@jit
def evaluate(case, signals, exponents, n_modules, V):
    """Fill V with the product of the signals of a case, and return its G."""
    V[:] = 1.0
    for s in range(3):
        if case >> s & 1:
            multiply_in(signals[s], exponents[s], V)
    return familiarity(V, n_modules)


@jit
def back_off(available, threshold, signals, exponents, n_modules, V):
    """Return the case to believe: the best that passes in the first level where any does.

    Where none passes, the best of all. V is overwritten.
    """
    best, best_G, level = available, -1.0, -1
    for place in range(CASES.size):
        case = CASES[place]
        if case & available != case:
            continue
        if best_G >= threshold and LEVELS[place] > level:
            break
        G = evaluate(case, signals, exponents, n_modules, V)
        if best_G < G:
            best, best_G = case, G
        level = LEVELS[place]
    return best


@jit
def gather(sources, strengths, settings, skipped, weights, signals):
    """Fill the three normalised signals from their active sources; return the additions made."""
    n_added = 0
    for s in range(3):
        signals[s, :] = 0.0
        if sources[s].size:
            n_added += add_inputs(sources[s], strengths[s], weights[s], signals[s])
            full = float(sources[s].size - (s == 1)) * settings[LARGEST]
            if s == 0 and settings[BY_BOUND] > 0.0:
                full = settings[FEWEST] * settings[LARGEST]
            normalise(full, signals[s])
    return n_added


@jit
def learn_item(
    sources, winners, settings, n_units, now, table,
    counts, frozen_at, weights, stamps, stiffness,
):  # fmt: skip
    """Raise all weights from the item's sources to its winners, and end critical periods."""
    n_seen, largest = 0, np.uint8(settings[LARGEST])
    for s in range(3):
        if sources[s].size == 0:
            continue
        skipped = n_units if s == 1 else 0
        n_afferents = weights[s].shape[0] - skipped
        if table.size:
            n_seen += learn_ageing(
                sources[s], winners, largest, skipped, now, settings[STIFFENS] > 0.0,
                table.shape[0], counts[s], frozen_at[s], weights[s], stamps[s], stiffness[s],
            )  # fmt: skip
        else:
            n_seen += learn(
                sources[s], winners, largest, skipped, counts[s], frozen_at[s], weights[s]
            )
        most = settings[SATURATIONS + s] * n_afferents
        freeze(winners, most, now, counts[s], frozen_at[s])
    return n_seen


@jit
def present(
    indptr, indices, top_indptr, top_indices, draws, sequence, soft, learning, kind, constants,
    settings, now, table, counts, frozen_at, weights, stamps, stiffness,
    signals, V, chances, winners, G, hypotheses, cases, operations,
):  # fmt: skip
    """Choose a code for every item, in order, and learn it if asked to.

    `weights`, `stamps` and `stiffness` are triples, for U, H and D; so are the rows of `counts`,
    `frozen_at` and `signals`. Winners are -1 and all else 0 where the mac stays inactive.
    """
    n_items, n_modules = winners.shape
    n_units = V.size // n_modules
    nothing = winners[0, :0] if n_items else indices[:0]
    exponents = settings[:3].copy()
    for t in range(n_items):
        winners[t] = -1
        G[t], hypotheses[t], cases[t], operations[t] = 0.0, 0, 0, 0
        inputs = indices[indptr[t] : indptr[t + 1]]
        top = top_indices[top_indptr[t] : top_indptr[t + 1]]
        before = nothing
        if sequence and t > 0 and winners[t - 1, 0] >= 0 and weights[1].shape[0]:
            before = winners[t - 1]
        free = sequence and not learning and inputs.size == 0 and before.size > 0
        if not free and not settings[FEWEST] <= inputs.size <= settings[MOST]:
            continue
        exponents[0] = settings[EXPONENTS]
        if sequence and before.size == 0:
            top = nothing
            exponents[0] = settings[FIRST_EXPONENT]
        sources = (inputs, before, top)
        if learning and table.size:
            for s in range(3):
                age_inputs(
                    sources[s], now + t, frozen_at[s], table, weights[s], stamps[s], stiffness[s]
                )
        strength = 1.0
        if before.size:
            strength = correction(hypotheses[t - 1], settings[CORRECTION], settings[MANY])
        strengths = (1.0, strength, 1.0)
        operations[t] = gather(sources, strengths, settings, n_units, weights, signals)
        case = (inputs.size > 0) + 2 * (before.size > 0) + 4 * (top.size > 0)
        if settings[BACKOFF] > 0.0 and not learning:
            case = back_off(case, settings[BACKOFF], signals, exponents, n_modules, V)
        G[t] = evaluate(case, signals, exponents, n_modules, V)
        if free and G[t] == 0.0:
            continue
        cases[t] = case
        hypotheses[t] = count_hypotheses(V, n_modules, settings[HYPOTHESIS])
        if soft:
            relative_chances(V, G[t], n_modules, kind, constants, chances)
            choose_soft(chances, n_modules, draws[t], winners[t])
        else:
            choose_hard(V, n_modules, draws[t], winners[t])
        if learning:
            operations[t] += learn_item(
                sources, winners[t], settings, n_units, now + t, table,
                counts, frozen_at, weights, stamps, stiffness,
            )  # fmt: skip


@jit
def reinstate(winners, weights, needed, fewest, histogram, sums, active):
    """Mark the inputs that the code units of each item give back; `active` comes as False.

    An input is given back if the weights to the winners sum to `needed` at least; where fewer than
    `fewest` inputs are, the least sum falls to that of the input in this place.
    """
    for t in range(winners.shape[0]):
        if winners[t, 0] < 0:
            continue
        histogram[:] = 0
        for j in range(weights.shape[0]):
            total = np.int64(0)
            for i in winners[t]:
                total += np.int64(weights[j, i])
            sums[j] = total
            histogram[total] += 1
        least, n_above = needed, 0
        for level in range(needed, histogram.size):
            n_above += histogram[level]
        while n_above < fewest and least > 1:
            least -= 1
            n_above += histogram[least]
        for j in range(weights.shape[0]):
            active[t, j] = sums[j] >= least
