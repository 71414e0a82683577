"""The compiled loop of :mod:`memory.hopfield`: unit after unit follows its field."""

from __future__ import annotations

import numpy as np

from sparsecode._jit import jit

__all__ = ["settle_one_by_one"]


@jit
def settle_one_by_one(weights, order, max_iter, states, fields, n_sweeps):
    """Let the units of each state follow their fields, in `order`, until a sweep moves none.

    `states` hold -1 and 1, `fields` the products with the weights; both are kept up to date.
    """
    for i in range(states.shape[0]):
        state, field = states[i], fields[i]
        n_sweeps[i] = max_iter
        for sweep in range(max_iter):
            moved = False
            for unit in order:
                if field[unit] * state[unit] >= 0.0:
                    continue
                state[unit] = -state[unit]
                change = np.float64(2.0 * state[unit])
                row = weights[unit]
                for other in range(field.size):
                    field[other] += change * row[other]
                moved = True
            if not moved:
                n_sweeps[i] = sweep + 1
                break
