"""Iteratively reweighted l1: a sequence of weighted lassos per sample."""

import numpy as np

from sparsecode._jit import parallel_jit, prange
from sparsecode.penalties._dispatch import prox, slope, with_alpha
from sparsecode.penalties.l1 import L1
from sparsecode.solvers._cd_kernels import CHUNK, GATHERED, cd_sample
from sparsecode.solvers._stop_kernels import start_correlation

__all__ = ["irl1_batch"]

#: Sweeps that one weighted lasso may take.
MAX_SWEEPS = 10_000


@parallel_jit
def irl1_batch(
    projections, energies, gram, squared_norms, penalty, alphas, step, max_iter, tol,
    codes, n_iter,
):  # fmt: skip
    """Reweight and solve until the prox residual of the penalty itself is small."""
    n_samples, n_atoms = codes.shape
    for chunk in prange((n_samples + CHUNK - 1) // CHUNK):
        dtype = codes.dtype
        width = min(GATHERED, n_atoms)
        correlation = np.empty(n_atoms, dtype)
        scores = np.empty(n_atoms, dtype)
        members = np.empty(n_atoms, np.int64)
        block = np.empty((width, width), dtype)
        local = np.empty(width, dtype)
        before = np.empty(width, dtype)
        for i in range(chunk * CHUNK, min((chunk + 1) * CHUNK, n_samples)):
            weighted = with_alpha(penalty, alphas[i])
            weights = np.empty(n_atoms)
            scale = np.max(np.abs(projections[i]))
            start_correlation(projections[i], gram, codes[i], correlation)
            for iteration in range(max_iter):
                for j in range(n_atoms):
                    weights[j] = slope(weighted, np.float64(abs(codes[i, j])), j)
                cd_sample(
                    projections[i], energies[i], gram, squared_norms,
                    L1(1.0, penalty.positive, weights), False, MAX_SWEEPS, 0.3 * tol,
                    correlation, scores, members, block, local, before, codes[i],
                )  # fmt: skip
                n_iter[i] = iteration + 1
                residual = 0.0
                for j in range(n_atoms):
                    z = np.float64(codes[i, j])
                    moved = prox(weighted, z + step * correlation[j], step, j)
                    residual = max(residual, abs(moved - z))
                if residual <= tol * scale * step:
                    break
