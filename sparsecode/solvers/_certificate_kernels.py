"""Certificates of finished codes, from residuals computed afresh."""

import numpy as np

from sparsecode._jit import jit, parallel_jit, prange
from sparsecode.penalties._dispatch import prox, value, with_alpha
from sparsecode.solvers._stop_kernels import coordinate_residual, duality_gap

__all__ = ["certify_batch", "residual_batch", "support_residual_batch"]


@parallel_jit
def residual_batch(X, dictionary, indptr, indices, values, residuals):
    """Write x - zD of every sample into float64 `residuals`."""
    for i in prange(X.shape[0]):
        for f in range(X.shape[1]):
            residuals[i, f] = X[i, f]
        for position in range(indptr[i], indptr[i + 1]):
            z = values[position]
            atom = dictionary[indices[position]]
            for f in range(X.shape[1]):
                residuals[i, f] -= z * atom[f]


@jit
def _certify_sample(
    projection, correlation, energy, squared_norms, penalty, convex, counts_units, step, tol,
    indices, values,
):  # fmt: skip
    """Return certificate, penalty and coordinate-stationarity of one sample."""
    codes = np.zeros(projection.size)
    cost = 0.0
    for position in range(indices.size):
        codes[indices[position]] = values[position]
        cost += value(penalty, values[position], indices[position])
    scale = np.max(np.abs(projection))
    if scale == 0.0:
        size = np.max(np.abs(codes))
        return size, cost, size == 0.0
    if convex:
        _, gap = duality_gap(projection, correlation, energy, penalty, codes)
        certificate = max(gap, 0.0) / energy
    else:
        largest = 0.0
        for j in range(codes.size):
            moved = prox(penalty, codes[j] + step * correlation[j], step, j)
            largest = max(largest, abs(moved - codes[j]))
        certificate = largest / (step * scale)
    is_stationary = False
    if counts_units:
        residual = coordinate_residual(correlation, squared_norms, penalty, codes)
        is_stationary = residual <= tol * scale
    return certificate, cost, is_stationary


@parallel_jit
def certify_batch(
    projections, correlations, energies, residual_energies, squared_norms, penalty, alphas,
    convex, counts_units, step, tol, indptr, indices, values, certificates, objectives, stationary,
):  # fmt: skip
    """Measure every sample: relative gap if convex, else the prox residual at `step`."""
    for i in prange(len(projections)):
        row = slice(indptr[i], indptr[i + 1])
        certificates[i], cost, stationary[i] = _certify_sample(
            projections[i], correlations[i], energies[i], squared_norms,
            with_alpha(penalty, alphas[i]), convex, counts_units, step, tol, indices[row],
            values[row],
        )  # fmt: skip
        objectives[i] = residual_energies[i] + cost


@parallel_jit
def support_residual_batch(projections, correlations, indptr, indices, certificates):
    """Measure ||D_S r|| / ||Dx|| over the support S of every sample, in maximum norms."""
    for i in prange(projections.shape[0]):
        largest = 0.0
        for position in range(indptr[i], indptr[i + 1]):
            largest = max(largest, abs(correlations[i, indices[position]]))
        scale = np.max(np.abs(projections[i]))
        certificates[i] = largest / scale if scale > 0.0 else 0.0
