"""Compiled callers of the penalties, to compare with the same calls in Python."""

from sparsecode._jit import jit
from sparsecode.penalties._dispatch import dual_parts, prox, slope, value, with_alpha


@jit
def tabulate(penalty, points, steps, proxes, values):
    """Fill `proxes` (n_atoms, n_steps, n_points) and `values` (n_atoms, n_points)."""
    for j in range(values.shape[0]):
        for i in range(points.size):
            values[j, i] = value(penalty, points[i], j)
            for k in range(steps.size):
                proxes[j, k, i] = prox(penalty, points[i], steps[k], j)


@jit
def tabulate_slopes(penalty, magnitudes, slopes):
    """Fill `slopes` (n_atoms, n_magnitudes)."""
    for j in range(slopes.shape[0]):
        for i in range(magnitudes.size):
            slopes[j, i] = slope(penalty, magnitudes[i], j)


@jit
def tabulate_dual_parts(penalty, parts):
    """Fill `parts` (n_atoms, 2)."""
    for j in range(parts.shape[0]):
        parts[j] = dual_parts(penalty, j)


@jit
def change_alpha(penalty, alpha):
    """Return `penalty` with another alpha."""
    return with_alpha(penalty, alpha)


@jit
def sum_over_alphas(penalty, alphas, u, j):
    """Return the sum of ``value`` over many alphas, a changed struct each."""
    total = 0.0
    for alpha in alphas:
        total += value(with_alpha(penalty, alpha), u, j)
    return total
