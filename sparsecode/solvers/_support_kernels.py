"""Linear systems on the support of a code."""

import numpy as np

from sparsecode._jit import jit

__all__ = ["solve_on_support"]


@jit
def solve_on_support(gram, members, ridge, factor, vector):
    """Solve ``(G_SS + diag(ridge)) y = vector`` in place by Cholesky's method.

    Each diagonal entry is raised by a little more than what rounding may have taken from it, so
    that atoms may depend on each other. `factor` is scratch.
    """
    size = members.size
    excess = np.finfo(gram.dtype).eps ** 0.75
    for k in range(size):
        j = members[k]
        row = factor[k]
        for f in range(k + 1, size):
            row[f] = gram[j, members[f]]
        energy = (1.0 + excess) * (gram[j, j] + ridge[k])
        pivot = energy
        for i in range(k):
            above = factor[i]
            slope = above[k]
            pivot -= slope * slope
            for f in range(k + 1, size):
                row[f] -= slope * above[f]
        row[k] = np.sqrt(max(pivot, 0.1 * excess * energy))
        vector[k] /= row[k]
        for f in range(k + 1, size):
            row[f] /= row[k]
            vector[f] -= vector[k] * row[f]
    for k in range(size - 1, -1, -1):
        for f in range(k + 1, size):
            vector[k] -= factor[k, f] * vector[f]
        vector[k] /= factor[k, k]
