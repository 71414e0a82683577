"""Kernels of Sparsey: the steps of its code selection for one mac, each on plain arrays.

A mac's code units lie module by module, so that unit ``q * n_units + k`` is the k-th of the q-th
competitive module. Weights have one row for each source unit and one column for each code unit.
"""

from __future__ import annotations

import numpy as np

from sparsecode._jit import jit

#: Kinds of sigmoid, as `_sigmoids` numbers them.
SIGMOID_2014, SIGMOID_2010, SIGMOID_CORE, SIGMOID_NEURITHMIC = 0, 1, 2, 3
#: When a unit that never froze will freeze.
NEVER = np.iinfo(np.int64).max


# ------------------------------------------------------------------ evidence


@jit
def add_inputs(sources, strength, weights, sums):
    """Add the weights of active source units, each times `strength`; return the additions made."""
    n_added = 0
    for j in sources:
        row = weights[j]
        for i in range(sums.size):
            sums[i] += strength * row[i]
        n_added += sums.size
    return n_added


@jit
def normalise(largest, sums):
    """Turn sums into values between 0 and 1, where `largest` and more is 1."""
    if largest <= 0.0:
        sums[:] = 0.0
        return
    for i in range(sums.size):
        sums[i] = min(1.0, sums[i] / largest)


@jit
def multiply_in(signal, exponent, product):
    """Multiply `product` by a power of a normalised signal."""
    for i in range(product.size):
        product[i] *= signal[i] if exponent == 1.0 else signal[i] ** exponent


@jit
def familiarity(V, n_modules):
    """Return G, the mean over modules of the largest V in each."""
    n_units, total = V.size // n_modules, 0.0
    for q in range(n_modules):
        largest = V[q * n_units]
        for i in range(q * n_units + 1, (q + 1) * n_units):
            largest = max(largest, V[i])
        total += largest
    return total / n_modules


@jit
def count_hypotheses(V, n_modules, threshold):
    """Return zeta: how many units a module has above `threshold`, rounded mean and at least 1."""
    n_above = 0
    for i in range(V.size):
        n_above += V[i] > threshold
    return max(1, int(np.floor(n_above / n_modules + 0.5)))


@jit
def correction(n_hypotheses, exponent, limit):
    """Return F(zeta): the strength of units whose mac holds so many hypotheses."""
    return float(n_hypotheses) ** exponent if n_hypotheses <= limit else 0.0


# ------------------------------------------------------------------ choice


@jit
def expansivity(G, n_units, floor, power, gain):
    """Return eta - 1: the reach of the sigmoid at familiarity G in a module of `n_units`."""
    above = max(0.0, G - floor) / (1.0 - floor)
    return above**power * gain * n_units


@jit
def relative_chances(V, G, n_modules, kind, constants, chances):
    """Fill `chances` with mu, how likely each unit is to win before modules are normalised."""
    n_units, c = V.size // n_modules, constants
    if kind == SIGMOID_2010:
        reach = c[0] * G ** c[1]
    elif kind == SIGMOID_NEURITHMIC:
        reach = c[1] * max(0.0, G - c[0]) / (1.0 - c[0])
    else:
        reach = expansivity(G, n_units, c[0], c[1], c[2])
    inflection = 0.0
    if kind == SIGMOID_CORE:
        mean = 0.0
        for i in range(V.size):
            mean += V[i]
        inflection = ratchet(mean / V.size, c[4], c[5], int(c[6]))
    for i in range(V.size):
        if kind == SIGMOID_2014:
            fall = c[3] * np.exp(-c[4] * (V[i] - c[5]))
            below = (1.0 + fall) ** c[6] if c[7] > 0.0 else 1.0 + fall ** c[6]
            chances[i] = reach / below + 1.0
        elif kind == SIGMOID_2010:
            chances[i] = reach / (1.0 + np.exp(-(c[2] * V[i] + c[3]))) + 1.0
        elif kind == SIGMOID_CORE:
            chances[i] = max((reach + 1.0) / (1.0 + np.exp(-c[3] * (V[i] - inflection))), 1.0)
        else:
            chances[i] = reach / (1.0 + np.exp(-c[2] * V[i] + c[3])) + c[4]


@jit
def ratchet(mean, low, high, n_steps):
    """Return the inflection that goes from `low` to `high` in equal steps as the mean V rises."""
    step = min(n_steps - 1, int(mean * n_steps))
    return low + (high - low) * step / max(1, n_steps - 1)


@jit
def choose_soft(chances, n_modules, draws, winners):
    """Draw the winner of every module in proportion to `chances`."""
    n_units = chances.size // n_modules
    for q in range(n_modules):
        first, total = q * n_units, 0.0
        for i in range(first, first + n_units):
            total += chances[i]
        goal, reached, winners[q] = draws[q] * total, 0.0, first + n_units - 1
        for i in range(first, first + n_units):
            reached += chances[i]
            if goal < reached:
                winners[q] = i
                break


@jit
def choose_hard(V, n_modules, draws, winners):
    """Take the unit with the largest V of every module, drawing between equals."""
    n_units = V.size // n_modules
    for q in range(n_modules):
        first = q * n_units
        largest, n_equal = V[first], 0
        for i in range(first, first + n_units):
            if V[i] > largest:
                largest, n_equal = V[i], 0
            n_equal += V[i] == largest
        place = int(draws[q] * n_equal)
        for i in range(first, first + n_units):
            if V[i] == largest:
                if place == 0:
                    winners[q] = i
                    break
                place -= 1


# ------------------------------------------------------------------ learning


@jit
def aged_weight(age, stiffness, table):
    """Return the weight that a synapse still has, by the look-up table of its stiffness."""
    if stiffness >= table.shape[0]:
        return table[0, 0]
    return table[stiffness, min(age, table.shape[1] - 1)]


@jit
def age_inputs(sources, now, frozen_at, table, weights, stamps, stiffness):
    """Bring the weights of some source units up to the present; frozen units stopped ageing."""
    for j in sources:
        for i in range(weights.shape[1]):
            if stamps[j, i] >= 0:
                age = min(now, frozen_at[i]) - stamps[j, i]
                weights[j, i] = aged_weight(age, stiffness[j, i], table)


@jit
def learn(sources, winners, largest, skipped, counts, frozen_at, weights):
    """Raise the weights from active sources to winners that are not frozen.

    `skipped` is the number of units of a module whose sources do not reach their own module (for
    H), or 0. `counts` tells for each code unit how many of its weights were ever raised. Returns
    the number of weights that were looked at.
    """
    n_seen = 0
    for j in sources:
        for i in winners:
            if frozen_at[i] == NEVER and not (skipped > 0 and j // skipped == i // skipped):
                counts[i] += weights[j, i] == 0
                weights[j, i] = largest
            n_seen += 1
    return n_seen


@jit
def learn_ageing(
    sources, winners, largest, skipped, now, stiffens, n_levels,
    counts, frozen_at, weights, stamps, stiffness,
):  # fmt: skip
    """Do what `learn` does where weights decay; those hit again while fresh become stiffer."""
    n_seen = 0
    for j in sources:
        for i in winners:
            if frozen_at[i] == NEVER and not (skipped > 0 and j // skipped == i // skipped):
                if stamps[j, i] < 0:
                    counts[i] += 1
                elif weights[j, i] == 0:
                    stiffness[j, i] = 0
                elif weights[j, i] == largest and stiffens and stiffness[j, i] < n_levels:
                    stiffness[j, i] += 1
                weights[j, i] = largest
                stamps[j, i] = now
            n_seen += 1
    return n_seen


@jit
def freeze(winners, most, now, counts, frozen_at):
    """End the critical period of winners with more than `most` of their weights raised."""
    for i in winners:
        if frozen_at[i] == NEVER and counts[i] > most:
            frozen_at[i] = now
