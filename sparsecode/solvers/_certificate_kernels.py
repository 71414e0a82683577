"""Certificates of finished codes, from residuals computed afresh."""

import numpy as np

from sparsecode._jit import jit, parallel_jit, prange
from sparsecode.penalties._dispatch import value, with_alpha
from sparsecode.solvers._stop_kernels import duality_gap, largest_magnitude, prox_residual

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
    projection, correlation, energy, squared_norms, penalty, convex, step, tol,
    first, last, indices, values,
):  # fmt: skip
    """Return certificate, penalty and stationarity of the code at positions first to last."""
    codes = np.zeros(projection.size)
    cost = 0.0
    for position in range(first, last):
        codes[indices[position]] = values[position]
        cost += value(penalty, values[position], indices[position])
    scale = largest_magnitude(projection)
    if scale == 0.0:  # no atom sees the sample
        return (0.0 if first == last else np.inf), cost, first == last
    if convex:
        gap = duality_gap(projection, correlation, energy, penalty, codes)[1]
        return max(gap, 0.0) / energy, cost, False
    certificate = prox_residual(correlation, squared_norms, penalty, step, codes) / scale
    coordinate = prox_residual(correlation, squared_norms, penalty, 0.0, codes) / scale
    return certificate, cost, coordinate <= tol


@parallel_jit
def certify_batch(
    projections, correlations, energies, residual_energies, squared_norms, penalty, alphas,
    convex, step, tol, indptr, indices, values, certificates, objectives, stationary,
):  # fmt: skip
    """Measure every sample: relative gap if convex, else the prox residual at `step`."""
    for i in prange(projections.shape[0]):
        certificates[i], cost, stationary[i] = _certify_sample(
            projections[i], correlations[i], energies[i], squared_norms,
            with_alpha(penalty, alphas[i]), convex, step, tol, indptr[i], indptr[i + 1],
            indices, values,
        )  # fmt: skip
        objectives[i] = residual_energies[i] + cost


@jit
def _support_residual(projection, correlation, first, last, indices):
    largest = 0.0
    for position in range(first, last):
        largest = max(largest, abs(correlation[indices[position]]))
    scale = largest_magnitude(projection)
    if scale == 0.0:  # no atom sees the sample
        return 0.0 if first == last else np.inf
    return largest / scale


@parallel_jit
def support_residual_batch(projections, correlations, indptr, indices, certificates):
    """Measure ||D_S r|| / ||Dx|| over the support S of every sample, in maximum norms."""
    for i in prange(projections.shape[0]):
        certificates[i] = _support_residual(
            projections[i], correlations[i], indptr[i], indptr[i + 1], indices
        )
