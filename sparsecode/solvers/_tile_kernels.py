"""What every tile goes through before and after its solver."""

import numpy as np

from sparsecode._jit import jit
from sparsecode._row_kernels import copy_row
from sparsecode._simd import dot

__all__ = ["compress_rows", "survey"]


@jit
def survey(X, norms, limit, projections, energies):
    """Measure 1/2 ||x||^2, and silence samples all of whose cosines are at most `limit`."""
    sample = np.empty(X.shape[1])
    for i in range(X.shape[0]):
        copy_row(X[i], sample)
        energy = dot(sample, sample)
        energies[i] = 0.5 * energy
        threshold = limit * np.sqrt(energy)
        seen = False
        for j in range(projections.shape[1]):
            if abs(np.float64(projections[i, j])) > threshold * norms[j]:
                seen = True
                break
        if not seen:
            projections[i] = 0.0


@jit
def _sort_by_index(indices, values):
    """Sort a short row in place, by insertion into what is sorted already."""
    for a in range(1, indices.size):
        index, value = indices[a], values[a]
        b = a
        while b > 0 and indices[b - 1] > index:
            indices[b] = indices[b - 1]
            values[b] = values[b - 1]
            b -= 1
        indices[b] = index
        values[b] = value


@jit
def compress_rows(indices, values, indptr, packed_indices, packed_values):
    """Copy the filled part of every row, sorted by index."""
    for i in range(indptr.size - 1):
        first, last = indptr[i], indptr[i + 1]
        for a in range(last - first):
            packed_indices[first + a] = indices[i, a]
            packed_values[first + a] = values[i, a]
        _sort_by_index(packed_indices[first:last], packed_values[first:last])
