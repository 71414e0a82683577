"""Linear systems on the support of a code."""

import numpy as np

from sparsecode._jit import jit

__all__ = ["along_dependence", "novelty", "solve_on_support"]


@jit
def novelty(dtype):
    """Return the fraction of its energy that an atom must add to those chosen before it."""
    return np.finfo(dtype).eps ** 0.75


@jit
def solve_on_support(gram, members, ridge, rows, vector):
    """Solve ``(G_SS + diag(ridge)) y = vector`` in place by Cholesky's method.

    Unknowns of atoms that depend linearly on atoms before them become 0. `members` lists S,
    `rows` receives the factor. Returns the positions of the other atoms, and that of the first
    dependent one, -1 if there is none.
    """
    size = members.size
    chosen = np.empty(size, np.int64)
    moments = np.empty(size)
    least = novelty(gram.dtype)
    used = 0
    dependent = -1
    for k in range(size):
        j = members[k]
        energy = gram[j, j] + ridge[k]
        fresh = energy
        for i in range(used):
            fresh -= rows[i, k] * rows[i, k]
        if fresh <= least * energy:
            if dependent < 0:
                dependent = k
            continue
        row = rows[used]
        for f in range(k + 1, size):
            row[f] = gram[j, members[f]]
        for i in range(used):
            known = rows[i]
            factor = known[k]
            for f in range(k + 1, size):
                row[f] -= factor * known[f]
        row[k] = np.sqrt(fresh)
        moment = vector[k] / row[k]
        for f in range(k + 1, size):
            row[f] /= row[k]
            vector[f] -= moment * row[f]
        moments[used] = moment
        chosen[used] = k
        used += 1
    for k in range(size):
        vector[k] = 0.0
    for a in range(used - 1, -1, -1):
        moment = moments[a]
        for b in range(a + 1, used):
            moment -= rows[a, chosen[b]] * vector[chosen[b]]
        vector[chosen[a]] = moment / rows[a, chosen[a]]
    return chosen[:used], dependent


@jit
def along_dependence(chosen, dependent, rows, vector):
    """Write a combination of atoms that is 0 into `vector`; the arguments as solved before.

    The dependent atom has the coefficient 1, those of `chosen` before it make up for it.
    """
    vector[:] = 0.0
    vector[dependent] = 1.0
    before = 0
    while before < chosen.size and chosen[before] < dependent:
        before += 1
    for a in range(before - 1, -1, -1):
        total = rows[a, dependent]
        for b in range(a + 1, before):
            total += rows[a, chosen[b]] * vector[chosen[b]]
        vector[chosen[a]] = -total / rows[a, chosen[a]]
