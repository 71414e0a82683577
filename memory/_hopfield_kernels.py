"""The compiled loops of :mod:`memory.hopfield`: units follow their fields, one by one or at once.

Cues go side by side, unit after unit, so that a row of weights comes from memory once for all the
cues in which its unit flips. Fields are kept up to date: a sweep costs a row for each flip.
"""

from __future__ import annotations

import numpy as np

from sparsecode._jit import jit

__all__ = ["settle_at_once", "settle_one_by_one"]


@jit
def settle_one_by_one(weights, order, max_iter, states, fields, n_flips):
    """Let the units of each state follow their fields, in `order`, until a sweep flips none.

    `states` hold -1 and 1, `fields` the products with the weights; both are kept up to date.
    `n_flips` are those of the last sweep, above 0 for what did not settle.
    """
    n_flips[:] = 1
    for _ in range(max_iter):
        moving = np.flatnonzero(n_flips)
        if moving.size == 0:
            break
        n_flips[:] = 0
        for unit in order:
            for i in moving:
                if fields[i, unit] * states[i, unit] < 0:
                    states[i, unit] = -states[i, unit]
                    _add_row(weights[unit], 2 * states[i, unit], fields[i])
                    n_flips[i] += 1


@jit
def settle_at_once(weights, max_iter, states, fields, flips, n_flips):
    """Let all units of each state follow their fields at once, `max_iter` times.

    `fields` are the products with the weights, kept up to date but for the last step. What stays,
    stays; of a cycle of two states the one that step `max_iter` ends in is left,
    without going through the rest of the steps. `flips` are 0 at first, and say afterwards which
    units the last step flipped; `n_flips` is their number, above 0 for what did not settle.
    """
    n_cues, n_units = states.shape
    n_flips[:] = 1
    for step in range(max_iter):
        moved = False
        for i in range(n_cues):
            if n_flips[i] > 0:
                n_flips[i] = _flip(step, max_iter, states[i], fields[i], flips[i])
                moved |= n_flips[i] > 0
        if not moved or step == max_iter - 1:
            break
        for unit in range(n_units):
            for i in range(n_cues):
                if n_flips[i] > 0 and flips[i, unit]:
                    _add_row(weights[unit], 2 * states[i, unit], fields[i])
    for i in range(n_cues):
        n_flips[i] = abs(n_flips[i])


@jit
def _flip(step, max_iter, state, field, flips):
    """Flip the units against their field; return how many, negative once in a cycle of two."""
    n_flips, again = 0, True
    for unit in range(state.size):
        flip = field[unit] * state[unit] < 0
        again &= flip == flips[unit]
        flips[unit] = flip
        n_flips += flip
    if n_flips > 0 and again and (max_iter - step) % 2 == 0:
        return -n_flips
    for unit in range(state.size):
        if flips[unit]:
            state[unit] = -state[unit]
    return -n_flips if again else n_flips


@jit
def _add_row(row, change, field):
    """Add `change` times a row of weights to a field."""
    for other in range(field.size):
        field[other] += change * row[other]
