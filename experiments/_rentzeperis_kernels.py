"""One iteration of the proximal gradient that Rentzeperis et al. run on whole batches."""

import numpy as np

from sparsecode._jit import jit, parallel_jit, prange
from sparsecode.penalties._dispatch import prox

__all__ = ["BLOCK", "iterate_batch", "silenced", "spectral_norm"]

#: Samples whose correlations one product of matrices finds.
BLOCK = 25


@jit
def silenced(penalty, step, limits):
    """Find, for each atom, an input up to which the proximal operator gives 0.

    The largest one, but for rounding: what lies below it needs no operator at all.
    """
    for j in range(limits.size):
        low, high = 0.0, 1.0
        while prox(penalty, high, step, j) == 0.0 and high < 1e30:
            low, high = high, 2.0 * high
        for _ in range(40):
            middle = 0.5 * (low + high)
            if prox(penalty, middle, step, j) == 0.0:
                low = middle
            else:
                high = middle
        limits[j] = low


@parallel_jit
def iterate_batch(
    X, atoms, transposed, penalty, limits, rate, step,
    residuals, codes, moved, moves, n_moved, active, values, n_active,
):  # fmt: skip
    """Move every code by prox(z + rate D(x - zD)); list what moved, and what is active now."""
    n_samples, n_atoms = codes.shape
    for block in prange((n_samples + BLOCK - 1) // BLOCK):
        first, last = BLOCK * block, min(BLOCK * (block + 1), n_samples)
        correlations = np.dot(residuals[first:last], transposed)
        for i in range(first, last):
            row, code, residual = correlations[i - first], codes[i], residuals[i]
            residual[:] = X[i]
            moved_here, active_here = 0, 0
            for j in range(n_atoms):
                z = code[j]
                if z == 0.0 and abs(rate * row[j]) <= limits[j]:
                    continue
                code[j] = prox(penalty, z + rate * row[j], step, j)
                if code[j] != z:
                    moved[i, moved_here], moves[i, moved_here] = j, code[j] - z
                    moved_here += 1
                if code[j] != 0.0:
                    active[i, active_here], values[i, active_here] = j, code[j]
                    active_here += 1
                    residual -= code[j] * atoms[j]
            n_moved[i], n_active[i] = moved_here, active_here


@jit
def spectral_norm(indices, values, sizes, rtol, max_iter, vector, image):
    """Return the largest singular value of the sparse rows, by power iteration from `vector`."""
    norm = 0.0
    for _ in range(max_iter):
        image[:] = 0.0
        for i in range(sizes.size):
            product = 0.0
            for k in range(sizes[i]):
                product += values[i, k] * vector[indices[i, k]]
            for k in range(sizes[i]):
                image[indices[i, k]] += product * values[i, k]
        length = np.sqrt(np.sum(image * image))
        if length == 0.0:
            return 0.0
        before, norm = norm, np.sqrt(length)
        vector[:] = image / length
        if abs(norm - before) <= rtol * norm:
            break
    return norm
