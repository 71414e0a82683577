"""A parallel kernel whose result is known."""

from sparsecode._jit import parallel_jit, prange


@parallel_jit
def sum_rows(table, sums):
    """Write the sum of every row, slowly enough for several callers to meet inside."""
    for i in prange(table.shape[0]):
        total = 0.0
        for _ in range(200):
            for j in range(table.shape[1]):
                total += table[i, j]
        sums[i] = total / 200
