"""Certificates of finished codes, from residuals computed afresh."""

import numpy as np

from sparsecode._jit import parallel_jit, prange
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


@parallel_jit
def certify_batch(
    projections, correlations, energies, residual_energies, squared_norms, penalty, alphas,
    convex, step, tol, indptr, indices, values, certificates, objectives, stationary,
):  # fmt: skip
    """Measure every sample: relative gap if convex, else the prox residual at `step`."""
    n_samples, n_atoms = projections.shape
    for i in prange(n_samples):
        weighted = with_alpha(penalty, alphas[i])
        codes = np.zeros(n_atoms)
        cost = 0.0
        for position in range(indptr[i], indptr[i + 1]):
            codes[indices[position]] = values[position]
            cost += value(weighted, values[position], indices[position])
        objectives[i] = residual_energies[i] + cost
        scale = np.max(np.abs(projections[i]))
        if scale == 0.0:
            certificates[i] = np.max(np.abs(codes))
            stationary[i] = certificates[i] == 0.0
            continue
        if convex:
            _, gap = duality_gap(projections[i], correlations[i], energies[i], weighted, codes)
            certificates[i] = max(gap, 0.0) / energies[i]
        else:
            largest = 0.0
            for j in range(n_atoms):
                moved = prox(weighted, codes[j] + step * correlations[i, j], step, j)
                largest = max(largest, abs(moved - codes[j]))
            certificates[i] = largest / (step * scale)
        residual = coordinate_residual(correlations[i], squared_norms, weighted, codes)
        stationary[i] = residual <= tol * scale


@parallel_jit
def support_residual_batch(projections, correlations, indptr, indices, certificates):
    """Measure ||D_S r|| / ||Dx|| over the support S of every sample, in maximum norms."""
    for i in prange(projections.shape[0]):
        largest = 0.0
        for position in range(indptr[i], indptr[i + 1]):
            largest = max(largest, abs(correlations[i, indices[position]]))
        scale = np.max(np.abs(projections[i]))
        certificates[i] = largest / scale if scale > 0.0 else 0.0
