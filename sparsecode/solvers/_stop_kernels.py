"""What every iterative solver asks of one sample: is it solved, and at which alpha is it silent."""

import numpy as np

from sparsecode._jit import jit
from sparsecode._simd import largest_magnitude
from sparsecode.penalties._dispatch import dual_parts, prox, value, with_alpha

__all__ = [
    "alpha_max_tile",
    "duality_gap",
    "is_solved",
    "move",
    "prox_residual",
    "silences",
    "silencing_alpha",
    "start_correlation",
]


@jit
def move(correlation, gram_row, change):
    """Subtract `change` times a Gram row: what a coefficient's move does to all correlations."""
    for j in range(correlation.size):
        correlation[j] -= change * gram_row[j]


@jit
def start_correlation(projection, gram, codes, correlation):
    """Write D(x - zD) into `correlation`."""
    for j in range(codes.size):
        correlation[j] = projection[j]
    for j in range(codes.size):
        if codes[j] != 0.0:
            move(correlation, gram[j], codes[j])


@jit
def duality_gap(projection, correlation, energy, penalty, codes):
    """Return objective and duality gap of one sample from correlations alone.

    With r = x - zD: ||r||^2 = ||x||^2 - z.(Dx + Dr) and x.r = ||x||^2 - z.(Dx), so neither the
    sample nor its residual is needed. The dual point is the residual, scaled to be feasible.
    """
    fit = 2.0 * energy  # becomes x.r
    residual = 2.0 * energy  # becomes ||r||^2
    ridge_energy = 0.0
    cost = 0.0
    scale = np.inf
    for j in range(codes.size):
        l1, ridge = dual_parts(penalty, j)
        z = np.float64(codes[j])
        slack = np.float64(correlation[j])
        if z != 0.0:
            fit -= z * projection[j]
            residual -= z * (np.float64(projection[j]) + slack)
            ridge_energy += ridge * z * z
            cost += value(penalty, z, j)
            slack -= ridge * z
        if not penalty.positive:
            slack = abs(slack)
        if slack * scale > l1:
            scale = l1 / slack
    residual = max(residual, 0.0) + ridge_energy
    objective = 0.5 * (residual - ridge_energy) + cost
    if residual > 0.0:
        scale = max(min(scale, fit / residual), 0.0)
        dual = scale * fit - 0.5 * scale * scale * residual
    else:
        dual = 0.0
    return objective, objective - dual


@jit
def prox_residual(correlation, squared_norms, penalty, step, codes):
    """Return how far one sample is from a fixed point, in units of correlation.

    The largest over atoms of ``|z - prox(z + step * d.r)| / step``. A step of 0 stands for each
    atom's own 1 / a**2, which measures the distance from coordinate-wise optimality.
    """
    largest = 0.0
    for j in range(codes.size):
        size = step if step > 0.0 else 1.0 / squared_norms[j]
        z = np.float64(codes[j])
        change = abs(prox(penalty, z + size * correlation[j], size, j) - z)
        largest = max(largest, change / size)
    return largest


@jit
def is_solved(projection, correlation, energy, squared_norms, penalty, convex, tol, codes):
    """Say whether one sample meets `tol`: relative gap if convex, else coordinate residual."""
    if convex:
        return duality_gap(projection, correlation, energy, penalty, codes)[1] <= tol * energy
    goal = tol * largest_magnitude(projection)
    return prox_residual(correlation, squared_norms, penalty, 0.0, codes) <= goal


@jit
def _silent(projection, squared_norm, penalty, alpha, j):
    step = 1.0 / squared_norm
    return prox(with_alpha(penalty, alpha), step * projection, step, j) == 0.0


@jit
def silencing_alpha(inner, squared_norm, penalty, weight, j, alpha):
    """Return the smallest alpha, at least the one given, at which ``alpha * weight`` silences j.

    `inner` is the atom's correlation. Holds for every penalty that grows with alpha; exact to one
    unit in the last place.
    """
    if inner == 0.0 or (penalty.positive and inner < 0.0):
        return alpha
    low = alpha
    high = max(alpha, 1e-300)
    while not _silent(inner, squared_norm, penalty, high * weight, j):
        low = high
        high *= 2.0 if high > 1e-30 else 1e30
    if high == alpha:
        return alpha
    while True:
        middle = 0.5 * (low + high)
        if middle <= low or middle >= high:
            return high
        if _silent(inner, squared_norm, penalty, middle * weight, j):
            high = middle
        else:
            low = middle


@jit
def _alpha_max_sample(projection, squared_norms, penalty):
    alpha = 0.0
    for j in range(projection.size):
        inner = np.float64(projection[j])
        alpha = silencing_alpha(inner, squared_norms[j], penalty, 1.0, j, alpha)
    return alpha


@jit
def silences(penalty, squared_norms, step, limits):
    """Write up to which correlation an idle atom stays at 0, at `step` and at 1 / a**2.

    At 1 / a**2 alone, if `step` is 0.
    """
    for j in range(limits.size):
        own = 1.0 / squared_norms[j]
        at = step if step > 0.0 else own
        high = 1.0
        while high < 1e150 and _stays(penalty, high, at, own, j):
            high *= 2.0
        if high >= 1e150:
            limits[j] = np.inf
            continue
        low = 0.5 * high
        while low > 1e-150 and not _stays(penalty, low, at, own, j):
            high = low
            low *= 0.5
        if low <= 1e-150:
            limits[j] = 0.0
            continue
        while True:
            middle = 0.5 * (low + high)
            if middle <= low or middle >= high:
                break
            if _stays(penalty, middle, at, own, j):
                low = middle
            else:
                high = middle
        limits[j] = low


@jit
def _stays(penalty, correlation, step, own, j):
    return (
        prox(penalty, step * correlation, step, j) == 0.0
        and prox(penalty, own * correlation, own, j) == 0.0
    )


@jit
def alpha_max_tile(projections, squared_norms, penalty, alphas):
    """Bisect, per sample, for the smallest alpha at which no atom wants to leave 0.

    Not parallel: it is a small part of solving, and parallel kernels take seconds to compile.
    """
    for i in range(projections.shape[0]):
        alphas[i] = _alpha_max_sample(projections[i], squared_norms, penalty)
