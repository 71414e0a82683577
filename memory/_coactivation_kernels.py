"""The compiled loop of :mod:`memory._coactivation`: count who is active with whom."""

from __future__ import annotations

from sparsecode._jit import jit

__all__ = ["count_pairs"]


@jit
def count_pairs(indptr, indices, weights, pairs):
    """Add each pattern's weight to all pairs of its active units, pattern after pattern."""
    for pattern in range(indptr.size - 1):
        active = indices[indptr[pattern] : indptr[pattern + 1]]
        weight = weights[pattern]
        for unit in active:
            row = pairs[unit]
            for other in active:
                row[other] += weight
