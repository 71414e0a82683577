"""Linear systems on the support of a code."""

import numpy as np

from sparsecode._jit import jit

__all__ = ["novelty", "solve_on_support"]


@jit
def novelty(dtype):
    """Return the fraction of its energy that an atom must add to those chosen before it."""
    return np.finfo(dtype).eps ** 0.75


@jit
def solve_on_support(gram, members, ridge, rows, vector):
    """Solve ``(G_SS + diag(ridge)) y = vector`` in place by Cholesky's method.

    Unknowns of atoms that depend linearly on atoms before them become 0. `members` lists S,
    `rows` is scratch for the factor.
    """
    size = members.size
    chosen = np.empty(size, np.int64)
    moments = np.empty(size)
    least = novelty(gram.dtype)
    used = 0
    for k in range(size):
        j = members[k]
        energy = gram[j, j] + ridge[k]
        fresh = energy
        for i in range(used):
            fresh -= rows[i, k] * rows[i, k]
        if fresh <= least * energy:
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
