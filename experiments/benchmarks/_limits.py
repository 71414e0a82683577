"""What the machine can do at most: products of matrices, and streams through memory."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from threadpoolctl import threadpool_limits

from experiments.benchmarks._limits_kernels import triad
from experiments.benchmarks._race import on_threads
from sparsecode._jit import available_threads
from sparsecode._jit import threads as limited_threads

__all__ = ["machine_limits"]


def machine_limits(n_matrix: int, n_repeats: int = 3) -> dict[str, float]:
    """Return the rates of products of square matrices and of a triad, by name.

    Parameters
    ----------
    n_matrix : int
        Order of the matrices; the triad's three arrays are as large as eight of them together.
    n_repeats : int
        How often each is run after a warm-up; the best run counts, as this is a limit.
    """
    found = {}
    for n_threads in range(1, available_threads() + 1):
        threads = on_threads(n_threads)
        for dtype in ("float32", "float64"):
            seconds = _product(n_matrix, dtype, n_threads, n_repeats)
            found[f"GEMM {dtype}, {threads}, GFLOP/s"] = 2e-9 * n_matrix**3 / seconds
        n_bytes = 24 * 8 * n_matrix**2
        seconds = _triad(8 * n_matrix**2, n_threads, n_repeats)
        found[f"triad float64, {threads}, GB/s"] = 1e-9 * n_bytes / seconds
    return found


def _product(n_matrix: int, dtype: str, n_threads: int, n_repeats: int) -> float:
    """Return the seconds of a product of square matrices."""
    a, out = np.ones((n_matrix, n_matrix), dtype), np.empty((n_matrix, n_matrix), dtype)
    with threadpool_limits(n_threads, user_api="blas"):
        return _best(lambda: np.matmul(a, a, out=out), n_repeats)


def _triad(n_elements: int, n_threads: int, n_repeats: int) -> float:
    """Return the seconds of a triad."""
    a, b, out = np.ones(n_elements), np.ones(n_elements), np.zeros(n_elements)
    with limited_threads(n_threads, parallel=True):
        return _best(lambda: triad(a, b, 2.0, out), n_repeats)


def _best(work: Callable[[], object], n_repeats: int) -> float:
    """Return the seconds of the fastest run after a warm-up."""
    seconds = []
    for _ in range(n_repeats + 1):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])
