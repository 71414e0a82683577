"""Kernels of the hierarchy: how the macs of all levels take their steps in time.

A unit keeps its weights as a row of bits over all that may reach it, so that a sum of weights is
the number of bits that row and input share. Inputs are laid side by side, a stretch of whole words
for each source mac; level 1 has a single stretch, the pixels that the mac sees. The steps from the
sums to a code are those of :mod:`memory._sparsey_kernels`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from memory._count_simd import count_bits
from memory._sparsey_batch_kernels import CASES, LEVELS, evaluate
from memory._sparsey_kernels import (
    choose_hard,
    choose_soft,
    correction,
    count_hypotheses,
    normalise,
    relative_chances,
)
from sparsecode._jit import jit

__all__ = ["Rules", "State", "Wiring", "reinstate", "run"]

#: Kinds of wires, as rows of tables.
U, H, D = 0, 1, 2


class Wiring(NamedTuple):
    """Who is connected with whom; macs are numbered through all levels, the lowest first.

    ``sources[pointers[kind, g] : pointers[kind, g + 1]]`` are the macs that reach mac ``g``, the
    mac itself first among those of H. A row of weights begins at
    ``first_weight[kind, g] + unit * row_words[kind, g]`` of the weights.
    """

    first_mac: np.ndarray  # (n_levels + 1,)
    n_modules: np.ndarray  # (n_levels,)
    n_units: np.ndarray
    n_words: np.ndarray
    first_word: np.ndarray  # (n_macs,), in the activity
    first_slot: np.ndarray  # (n_macs,), in the winners
    pointers: np.ndarray  # (3, n_macs + 1)
    sources: np.ndarray
    row_words: np.ndarray  # (3, n_macs)
    first_weight: np.ndarray  # (3, n_macs)
    n_afferents: np.ndarray  # (3, n_macs)
    pixel_pointers: np.ndarray  # (n_pixels + 1,)
    pixel_mac: np.ndarray  # who sees the pixel
    pixel_bit: np.ndarray  # and at which bit of its view
    first_view: np.ndarray  # (macs of level 1 + 1,)


class Rules(NamedTuple):
    """When macs are active, and how they choose; arrays have an entry for each level."""

    minimum: np.ndarray
    maximum: np.ndarray
    persistence: np.ndarray
    saturation: np.ndarray  # share of a unit's weights that ends its learning
    is_frozen: np.ndarray
    exponents: np.ndarray  # (2, 3): U, H, D; in the second row as in the first frame
    kind: int
    constants: np.ndarray
    by_bound: bool  # divide U by the lower bound rather than by what is active
    backoff: float
    keeps_input: bool  # whether the back-off may not leave out U, nor H without U
    gate: float
    hypothesis: np.ndarray  # (3,): threshold, exponent, most


class State(NamedTuple):
    """What changes from step to step, and scratch; the rows of pairs take turns being now."""

    words: np.ndarray  # (2, n_words) uint64
    active: np.ndarray  # (2, n_macs)
    strength: np.ndarray  # (2, n_macs)
    left: np.ndarray  # (n_macs,), steps for which a code will still be held
    views: np.ndarray  # uint64
    seen: np.ndarray  # active pixels in each view
    inputs: np.ndarray  # (3, longest row) uint64
    strengths: np.ndarray  # (3, most sources)
    largest: np.ndarray  # (3,), sums that count as 1
    signals: np.ndarray  # (3, most units)
    V: np.ndarray
    chances: np.ndarray


# ------------------------------------------------------------------ bits


@jit
def stretch_mask(w, begin, end):
    """Return which bits of word `w` are those from `begin` to `end` of a row of bits."""
    low, high = max(0, begin - 64 * w), min(64, end - 64 * w)
    if high <= low:
        return np.uint64(0)
    return (np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - high + low)) << np.uint64(low)


@jit
def add_counts(weights, first, inputs, n_sources, width, strengths, sums):
    """Sum the weights of what is active, each source with its strength, for every unit."""
    for i in range(sums.size):
        row, total = first + i * n_sources * width, 0.0
        for s in range(n_sources):
            if strengths[s] > 0.0:
                count = 0
                for w in range(s * width, (s + 1) * width):
                    count += count_bits(weights[row + w] & inputs[w])
                total += strengths[s] * count
        sums[i] = total


@jit
def raise_weights(weights, first, inputs, n_words, winners, n_own, most):
    """Set the weights from what is active to the winners that may still learn.

    `n_own` is the number of units in a module where the first source is the mac itself, whose
    units do not reach their own module; else 0.
    """
    for q in range(winners.size):
        row, raised = first + winners[q] * n_words, 0
        for w in range(n_words):
            raised += count_bits(weights[row + w])
        if raised > most:
            continue
        for w in range(n_words):
            own = stretch_mask(w, q * n_own, (q + 1) * n_own)
            weights[row + w] |= inputs[w] & ~own


# ------------------------------------------------------------------ one mac


@jit
def look(wiring, state, pixels):
    """Set what the macs of level 1 see."""
    state.views[:] = 0
    state.seen[:] = 0
    for pixel in pixels:
        for p in range(wiring.pixel_pointers[pixel], wiring.pixel_pointers[pixel + 1]):
            g, bit = wiring.pixel_mac[p], wiring.pixel_bit[p]
            state.views[wiring.first_view[g] + bit // 64] |= np.uint64(1) << np.uint64(bit % 64)
            state.seen[g] += 1


@jit
def gather(wiring, state, kind, g, width, when):
    """Lay the activity of a mac's sources side by side; return how many of them are active."""
    begin, end, n_active = wiring.pointers[kind, g], wiring.pointers[kind, g + 1], 0
    for s in range(begin, end):
        source, place = wiring.sources[s], (s - begin) * width
        word = wiring.first_word[source]
        state.inputs[kind, place : place + width] = state.words[when, word : word + width]
        state.strengths[kind, s - begin] = state.strength[when, source]
        n_active += state.active[when, source]
    return n_active


@jit
def gather_all(wiring, state, rules, level, g, now):
    """Lay out all inputs of a mac; return how many U features are active."""
    largest, before = state.largest, 1 - now
    if level == 0:
        begin, end = wiring.first_view[g], wiring.first_view[g + 1]
        state.inputs[U, : end - begin] = state.views[begin:end]
        state.strengths[U, 0] = 1.0
        n_features, each = state.seen[g], 1
    else:
        n_features = gather(wiring, state, U, g, wiring.n_words[level - 1], now)
        each = wiring.n_modules[level - 1]
    largest[U] = each * (rules.minimum[level] if rules.by_bound else n_features)
    largest[H] = largest[D] = 0.0
    n_modules = wiring.n_modules[level]
    if wiring.row_words[H, g] > 0:
        n_active = gather(wiring, state, H, g, wiring.n_words[level], before)
        largest[H] = n_active * n_modules - state.active[before, g]
    if wiring.row_words[D, g] > 0:
        n_active = gather(wiring, state, D, g, wiring.n_words[level + 1], before)
        largest[D] = n_active * wiring.n_modules[level + 1]
    return n_features


@jit
def n_sources_of(wiring, kind, level, g):
    """Return the number of stretches in a row of weights."""
    if kind == U and level == 0:
        return 1
    return wiring.pointers[kind, g + 1] - wiring.pointers[kind, g]


@jit
def sense(wiring, state, level, g, may_see, weights):
    """Fill the normalised signals of a mac; return which kinds there are (1 U, 2 H, 4 D)."""
    n_here, available = wiring.n_modules[level] * wiring.n_units[level], 0
    for kind in range(3):
        if state.largest[kind] > 0.0 and (kind != U or may_see):
            n_sources = n_sources_of(wiring, kind, level, g)
            width = wiring.row_words[kind, g] // n_sources
            sums = state.signals[kind, :n_here]
            add_counts(
                weights, wiring.first_weight[kind, g], state.inputs[kind], n_sources, width,
                state.strengths[kind], sums,
            )  # fmt: skip
            normalise(state.largest[kind], sums)
            available |= 1 << kind
    return available


@jit
def back_off(available, required, threshold, signals, exponents, n_modules, V):
    """Return the case to believe among those with the required signals.

    As in a Sparsey: the best that passes in the first rank where any does, all signals, then
    pairs, then single ones; where none passes, the best of all. V is overwritten.
    """
    best, best_G, rank = available, -1.0, -1
    for place in range(CASES.size):
        case = CASES[place]
        if case & ~available or required & ~case:
            continue
        if best_G >= threshold and LEVELS[place] > rank:
            break
        G = evaluate(case, signals, exponents, n_modules, V)
        if best_G < G:
            best, best_G = case, G
        rank = LEVELS[place]
    return best


@jit
def choose(
    wiring, state, rules, level, g, now, may_see, in_sequence, learning, weights, draws, code
):
    """Choose a code for one mac if it is active; return G, or -1 if it is silent.

    Without pixels to go by, a mac of level 1 is active where G exceeds the gate.
    """
    n_features = gather_all(wiring, state, rules, level, g, now)
    if may_see and not rules.minimum[level] <= n_features <= rules.maximum[level]:
        return -1.0
    case = sense(wiring, state, level, g, may_see, weights)
    if case == 0:
        return -1.0
    n_modules = wiring.n_modules[level]
    V = state.V[: n_modules * wiring.n_units[level]]
    exponents = rules.exponents[1 if in_sequence and case == 1 else 0]
    if rules.backoff > 0.0 and not learning:
        required = case & 1 or case & 2 if rules.keeps_input else 0
        case = back_off(case, required, rules.backoff, state.signals, exponents, n_modules, V)
    G = evaluate(case, state.signals, exponents, n_modules, V)
    if not (may_see or rules.gate < G):
        return -1.0
    n_held = count_hypotheses(V, n_modules, rules.hypothesis[0])
    state.strength[now, g] = correction(n_held, rules.hypothesis[1], rules.hypothesis[2])
    state.left[g] = rules.persistence[level]
    if learning:
        chances = state.chances[: V.size]
        relative_chances(V, G, n_modules, rules.kind, rules.constants, chances)
        choose_soft(chances, n_modules, draws, code)
    else:
        choose_hard(V, n_modules, draws, code)
    return G


@jit
def learn_mac(wiring, state, rules, level, g, weights, code):
    """Strengthen all wires from what is active to the code of a mac."""
    for kind in range(3):
        n_words = wiring.row_words[kind, g]
        if state.largest[kind] > 0.0 and n_words > 0:
            n_own = wiring.n_units[level] if kind == H else 0
            most = rules.saturation[level] * wiring.n_afferents[kind, g]
            first = wiring.first_weight[kind, g]
            raise_weights(weights, first, state.inputs[kind], n_words, code, n_own, most)


@jit
def activate(wiring, state, g, now, code):
    """Write a code into the activity."""
    state.active[now, g] = 1
    for unit in code:
        place = wiring.first_word[g] + unit // 64
        state.words[now, place] |= np.uint64(1) << np.uint64(unit % 64)


# ------------------------------------------------------------------ batches


@jit
def run(
    indptr, indices, starts, in_sequence, learning, wiring, rules, draws, state, weights, fewest,
    winners, familiarities,
):  # fmt: skip
    """Take a step for every frame, from the lowest level up.

    ``starts[t]`` says whether frame t begins anew. In recall, a frame without pixels leaves level 1
    to H and D. ``winners[t]`` are the winners of all macs, -1 in silent ones; ``familiarities[t]``
    are G, -1 in silent macs, and that of the choice while a code is held. `fewest` are the fewest
    active pixels with which each mac of level 1 ever learned.
    """
    now = 0
    for t in range(starts.size):
        now = 1 - now
        state.active[now] = 0
        state.words[now] = 0
        if starts[t]:
            state.active[1 - now] = 0
            state.words[1 - now] = 0
            state.left[:] = 0
        look(wiring, state, indices[indptr[t] : indptr[t + 1]])
        for level in range(wiring.n_modules.size):
            may_see = level > 0 or learning or indptr[t] < indptr[t + 1]
            for g in range(wiring.first_mac[level], wiring.first_mac[level + 1]):
                slot = wiring.first_slot[g]
                code = winners[t, slot : slot + wiring.n_modules[level]]
                if state.left[g] > 0:
                    code[:] = winners[t - 1, slot : slot + code.size]
                    familiarities[t, g] = familiarities[t - 1, g]
                    state.strength[now, g] = state.strength[1 - now, g]
                    if learning:
                        gather_all(wiring, state, rules, level, g, now)
                else:
                    familiarities[t, g] = choose(
                        wiring, state, rules, level, g, now, may_see, in_sequence, learning,
                        weights, draws[t, slot : slot + code.size], code,
                    )  # fmt: skip
                if familiarities[t, g] < 0.0:
                    code[:] = -1
                    continue
                state.left[g] -= 1
                activate(wiring, state, g, now, code)
                if learning and not rules.is_frozen[level]:
                    learn_mac(wiring, state, rules, level, g, weights, code)
                    if level == 0 and state.seen[g] > 0:
                        fewest[g] = min(fewest[g], state.seen[g])


@jit
def reinstate(winners, wiring, weights, needed, fewest, fields, counts, active):
    """Mark the pixels that codes of level 1 stand for.

    A pixel is given back by a mac if `needed` of the code's units at least have learned it; where
    fewer pixels are than the mac ever learned with, by as many units as it takes for so many.
    ``fields`` are the pixels of all views, bit by bit, and -1 where a word is not filled.
    """
    n_modules = wiring.n_modules[0]
    for t in range(winners.shape[0]):
        for g in range(wiring.first_mac[1]):
            slot, n_words = wiring.first_slot[g], wiring.row_words[U, g]
            if winners[t, slot] < 0:
                continue
            counts[:] = 0
            for q in range(n_modules):
                row = wiring.first_weight[U, g] + winners[t, slot + q] * n_words
                for b in range(64 * n_words):
                    bit = weights[row + b // 64] >> np.uint64(b % 64) & np.uint64(1)
                    counts[b] += np.int64(bit)
            least, n_found = needed + 1, 0
            while least > 1 and n_found < fewest[g]:
                least -= 1
                n_found = 0
                for b in range(64 * n_words):
                    n_found += counts[b] >= least
            first = 64 * wiring.first_view[g]
            for b in range(64 * n_words):
                if fields[first + b] >= 0 and counts[b] >= least:
                    active[t, fields[first + b]] = True
