"""What the correlations of a strip of positions prove about a code."""

import numpy as np

from sparsecode._jit import jit
from sparsecode.penalties._dispatch import dual_parts, prox, value, with_alpha
from sparsecode.solvers._stop_kernels import silencing_alpha

__all__ = [
    "code_cost",
    "largest_ratio",
    "largest_shifts",
    "penalty_cost",
    "raise_alpha",
    "soft_energy",
    "weight_at",
]


@jit
def weight_at(weights, k, position):
    """Return the weight of a unit: rows or columns of length 1 stand for all."""
    return weights[min(k, weights.shape[0] - 1), min(position, weights.shape[1] - 1)]


@jit
def code_cost(units, values, n_positions, penalty, alpha, weights):
    """Return the penalty of a code, and the energy that a ridge adds to its residual."""
    cost, ridge_energy = 0.0, 0.0
    for a in range(units.size):
        k, position = divmod(np.int64(units[a]), n_positions)
        weighted = with_alpha(penalty, alpha * weight_at(weights, k, position))
        cost += value(weighted, np.float64(values[a]), k)
        ridge_energy += dual_parts(weighted, k)[1] * np.float64(values[a]) ** 2
    return cost, ridge_energy


@jit
def penalty_cost(units, values, n_positions, penalty, alpha, weights):
    """Return the penalty of a code."""
    cost = 0.0
    for a in range(units.size):
        k, position = divmod(np.int64(units[a]), n_positions)
        weighted = with_alpha(penalty, alpha * weight_at(weights, k, position))
        cost += value(weighted, np.float64(values[a]), k)
    return cost


@jit
def largest_ratio(correlations, first, members, values, n_positions, penalty, alpha, weights):
    """Return the largest slope over units of a strip, each in units of its l1 weight.

    The strip begins at position `first`. `correlations` of members lose their ridge's part.
    """
    for a in range(members.size):
        k, position = divmod(np.int64(members[a]), n_positions)
        weighted = with_alpha(penalty, alpha * weight_at(weights, k, position))
        correlations[k, position - first] -= dual_parts(weighted, k)[1] * values[a]
    largest = 0.0
    shared = weights.shape[1] == 1
    for k in range(correlations.shape[0]):
        l1 = dual_parts(with_alpha(penalty, alpha * weight_at(weights, k, 0)), k)[0]
        for p in range(correlations.shape[1]):
            slope = correlations[k, p]
            if not penalty.positive:
                slope = abs(slope)
            if not shared:
                weighted = with_alpha(penalty, alpha * weight_at(weights, k, first + p))
                l1 = dual_parts(weighted, k)[0]
            if slope > largest * l1:
                largest = slope / l1
    return largest


@jit
def _shift(correlation, z, penalty, step, k):
    return abs(prox(penalty, z + step * correlation, step, k) - z) / step


@jit
def largest_shifts(
    correlations, first, members, values, n_positions, squared_norms, silences, penalty, alpha,
    weights, step,
):  # fmt: skip
    """Return how far any unit of a strip would move, at `step` and at 1 / a**2.

    Idle units up to `silences` stay where they are. `correlations` of members are overwritten.
    """
    worst, worst_alone = 0.0, 0.0
    for a in range(members.size):
        k, position = divmod(np.int64(members[a]), n_positions)
        weighted = with_alpha(penalty, alpha * weight_at(weights, k, position))
        inner, z = correlations[k, position - first], np.float64(values[a])
        worst = max(worst, _shift(inner, z, weighted, step, k))
        worst_alone = max(worst_alone, _shift(inner, z, weighted, 1.0 / squared_norms[k], k))
        correlations[k, position - first] = 0.0
    for k in range(correlations.shape[0]):
        own = 1.0 / squared_norms[k]
        for p in range(correlations.shape[1]):
            inner = correlations[k, p]
            if abs(inner) <= silences[k]:
                continue
            weighted = with_alpha(penalty, alpha * weight_at(weights, k, first + p))
            worst = max(worst, _shift(inner, 0.0, weighted, step, k))
            worst_alone = max(worst_alone, _shift(inner, 0.0, weighted, own, k))
    return worst, worst_alone


@jit
def raise_alpha(correlations, first, squared_norms, penalty, weights, alpha):
    """Return the smallest alpha, at least the one given, at which no unit of a strip leaves 0."""
    for k in range(correlations.shape[0]):
        for p in range(correlations.shape[1]):
            weight = weight_at(weights, k, first + p)
            alpha = silencing_alpha(
                np.float64(correlations[k, p]), squared_norms[k], penalty, weight, k, alpha
            )
    return alpha


@jit
def soft_energy(correlations, first, penalty, alpha, weights):
    """Return what a ridge takes from the dual value of a point: the energy of its soft products.

    The strip begins at position `first`; a product c adds max(|c| - l1, 0)**2 / ridge.
    """
    energy = 0.0
    for k in range(correlations.shape[0]):
        for p in range(correlations.shape[1]):
            weighted = with_alpha(penalty, alpha * weight_at(weights, k, first + p))
            l1, ridge = dual_parts(weighted, k)
            product = np.float64(correlations[k, p])
            size = product if penalty.positive else abs(product)
            energy += max(size - l1, 0.0) ** 2 / ridge
    return energy
