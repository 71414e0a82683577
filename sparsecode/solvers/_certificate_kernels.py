"""Certificates of finished codes, from residuals computed afresh."""

import numpy as np

from sparsecode._jit import jit
from sparsecode._row_kernels import copy_row
from sparsecode._simd import BYTES, above, dot, largest_magnitude, lowest_bit
from sparsecode.penalties._dispatch import dual_parts, prox, value, with_alpha

__all__ = ["certify_convex_tile", "certify_tile", "residual_tile", "support_residual_tile"]


#: What products of unit vectors in float32 round at most, in units of their number of features + 8.
ROUNDING = 2.0**-24


@jit
def residual_tile(X, dictionary, indptr, indices, values, residuals, lengths):
    """Write x - zD of every sample into float64 `residuals`, and its norm."""
    for i in range(X.shape[0]):
        residual = residuals[i]
        copy_row(X[i], residual)
        for position in range(indptr[i], indptr[i + 1]):
            z = values[position]
            atom = dictionary[indices[position]]
            for f in range(X.shape[1]):
                residual[f] -= z * atom[f]
        lengths[i] = np.sqrt(dot(residual, residual))


@jit
def _largest_slack(
    residual, length, dictionary, rough, margin, penalty, limits, least, first, last, indices,
    values,
):  # fmt: skip
    """Return the largest slack over atoms, each in units of its l1 weight, in float64.

    Exact on the support. Another atom is computed only where `rough`, the products of unit
    vectors in float32, cannot exclude that it is larger: `margin` bounds their rounding.
    """
    largest = 0.0
    for position in range(first, last):
        j = indices[position]
        l1, ridge = dual_parts(penalty, j)
        product = dot(dictionary[j], residual) - ridge * values[position]
        largest = max(largest, (product if penalty.positive else abs(product)) / l1)
    lanes = BYTES // rough.itemsize
    position = first
    for start in range(0, rough.size, lanes):
        factor = largest * least / length - margin
        factor *= 1.0 - 1e-6 if factor > 0.0 else 1.0 + 1e-6  # for the rounding of the limits
        exceed = above(rough, limits, factor, start, penalty.positive)
        while exceed != 0:
            j = start + lowest_bit(exceed)
            exceed &= exceed - 1
            while position < last and indices[position] < j:
                position += 1
            if position < last and indices[position] == j:
                continue  # known already
            product = dot(dictionary[j], residual)
            slack = product if penalty.positive else abs(product)
            largest = max(largest, slack / dual_parts(penalty, j)[0])
    return largest


@jit
def _set_relative_limits(penalty, norms, limits):
    """Write l1 weights in units of the atoms' norms, relative to the least, and return that."""
    least = np.inf
    for j in range(norms.size):
        least = min(least, dual_parts(penalty, j)[0] / norms[j])
    for j in range(norms.size):
        limits[j] = dual_parts(penalty, j)[0] / norms[j] / least
    return least


@jit
def certify_convex_tile(
    X, residuals, lengths, projections, rough, dictionary, norms, penalty, alphas, indptr,
    indices, values, certificates, objectives,
):  # fmt: skip
    """Measure the duality gap of every sample, in units of 1/2 ||x||^2.

    The dual point is the residual, scaled to be feasible.
    """
    limits = np.ones(rough.shape[1], np.float32)
    margin = (X.shape[1] + 8) * ROUNDING
    least = 1.0
    sample = np.empty(X.shape[1])
    for i in range(X.shape[0]):
        weighted = with_alpha(penalty, alphas[i])
        if i == 0 or alphas[i] != alphas[i - 1]:
            least = _set_relative_limits(weighted, norms, limits)
        first, last = indptr[i], indptr[i + 1]
        copy_row(X[i], sample)
        fit = dot(sample, residuals[i])
        energy = lengths[i] * lengths[i]
        objective = 0.5 * energy
        for position in range(first, last):
            j, z = indices[position], values[position]
            energy += dual_parts(weighted, j)[1] * z * z
            objective += value(weighted, z, j)
        objectives[i] = objective
        if not projections[i].any():  # no atom sees the sample
            certificates[i] = 0.0 if first == last else np.inf
            continue
        gap = objective
        if lengths[i] > 0.0:
            largest = _largest_slack(
                residuals[i], lengths[i], dictionary, rough[i], margin, weighted, limits, least,
                first, last, indices, values,
            )  # fmt: skip
            scale = fit / energy
            if largest * scale > 1.0:
                scale = 1.0 / largest
            scale = max(scale, 0.0)
            gap = objective - scale * fit + 0.5 * scale * scale * energy
        certificates[i] = max(gap, 0.0) / (0.5 * dot(sample, sample))


@jit
def _shifts(correlation, z, squared_norm, penalty, step, j):
    """Return ``|z - prox(z + step * d.r)| / step`` of an atom, at `step` and at 1 / a**2."""
    moved = prox(penalty, z + step * correlation, step, j)
    own = 1.0 / squared_norm
    moved_alone = prox(penalty, z + own * correlation, own, j)
    return abs(moved - z) / step, abs(moved_alone - z) / own


@jit
def _prox_residuals(
    residual, length, dictionary, rough, limits, least, margin, squared_norms, penalty, step, first,
    last, indices, values,
):  # fmt: skip
    """Return the largest shifts over atoms, in float64.

    An idle atom is computed only where `rough` cannot exclude that its correlation exceeds the
    limit up to which it stays silent.
    """
    worst, worst_alone = 0.0, 0.0
    for position in range(first, last):
        j = indices[position]
        shift, alone = _shifts(
            dot(dictionary[j], residual), values[position], squared_norms[j], penalty, step, j
        )
        worst, worst_alone = max(worst, shift), max(worst_alone, alone)
    if length == 0.0:
        return worst, worst_alone
    lanes = BYTES // rough.itemsize
    factor = -2.0  # which every product exceeds
    if least > 0.0:  # less what the limits and the products round
        factor = max((1.0 - 1e-6) * least / length - margin, factor)
    position = first
    for start in range(0, rough.size, lanes):
        exceed = above(rough, limits, factor, start, penalty.positive)
        while exceed != 0:
            j = start + lowest_bit(exceed)
            exceed &= exceed - 1
            while position < last and indices[position] < j:
                position += 1
            if position < last and indices[position] == j:
                continue  # known already
            product = dot(dictionary[j], residual)
            shift, alone = _shifts(product, 0.0, squared_norms[j], penalty, step, j)
            worst, worst_alone = max(worst, shift), max(worst_alone, alone)
    return worst, worst_alone


@jit
def certify_tile(
    residuals, lengths, projections, rough, dictionary, silences, norms, squared_norms, penalty,
    alphas, step, tol, indptr, indices, values, certificates, objectives, stationary,
):  # fmt: skip
    """Measure the prox residual of every sample at `step`.

    An idle atom stays silent while its correlation is at most its entry of `silences`.
    """
    limits = np.ones(rough.shape[1], np.float32)
    least = np.inf
    for j in range(norms.size):
        least = min(least, silences[j] / norms[j])
    if 0.0 < least < np.inf:
        for j in range(norms.size):
            limits[j] = min(silences[j] / norms[j] / least, 1e30)
    margin = (residuals.shape[1] + 8) * ROUNDING
    for i in range(residuals.shape[0]):
        first, last = indptr[i], indptr[i + 1]
        weighted = with_alpha(penalty, alphas[i])
        objectives[i] = 0.5 * dot(residuals[i], residuals[i])
        for position in range(first, last):
            objectives[i] += value(weighted, values[position], indices[position])
        scale = largest_magnitude(projections[i])
        if scale == 0.0:  # no atom sees the sample
            stationary[i] = first == last
            certificates[i] = 0.0 if first == last else np.inf
            continue
        worst, worst_alone = _prox_residuals(
            residuals[i], lengths[i], dictionary, rough[i], limits, least, margin, squared_norms,
            weighted, step, first, last, indices, values,
        )  # fmt: skip
        certificates[i] = worst / scale
        stationary[i] = worst_alone <= tol * scale


@jit
def support_residual_tile(
    residuals, dictionary, projections, indptr, indices, certificates, objectives
):
    """Measure ||D_S r|| / ||Dx|| over the support S of every sample, in maximum norms."""
    for i in range(residuals.shape[0]):
        objectives[i] = 0.5 * dot(residuals[i], residuals[i])
        largest = 0.0
        for position in range(indptr[i], indptr[i + 1]):
            largest = max(largest, abs(dot(dictionary[indices[position]], residuals[i])))
        scale = largest_magnitude(projections[i])
        if scale > 0.0:
            certificates[i] = largest / scale
        else:  # no atom sees the sample
            certificates[i] = 0.0 if indptr[i] == indptr[i + 1] else np.inf
