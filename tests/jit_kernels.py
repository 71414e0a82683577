"""Kernels whose results are known."""

from sparsecode._jit import jit, parallel_jit, prange


@parallel_jit
def sum_rows(table, sums):
    """Write the sum of every row, slowly enough for several callers to meet inside."""
    for i in prange(table.shape[0]):
        total = 0.0
        for _ in range(200):
            for j in range(table.shape[1]):
                total += table[i, j]
        sums[i] = total / 200


@jit
def add(table, first, amount):
    """Add to all rows from `first` on."""
    if first >= table.shape[0]:
        raise IndexError("no such row", first)
    for i in range(first, table.shape[0]):
        for j in range(table.shape[1]):
            table[i, j] += amount


@jit
def add_twice(table, first):
    """Add 1 to every row, and 2 to those from `first` on."""
    add(table, 0, 1.0)
    add(table, first, 2.0)
