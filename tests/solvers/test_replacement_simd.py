"""The vector instructions of single best replacement do what their NumPy twins say."""

import numpy as np
import pytest

from sparsecode._jit import jit
from sparsecode._simd import padded
from sparsecode.solvers._replacement_simd import best_replacement, multiply_rows

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@jit
def replacement(correlation, energies, floors, costs, row, shift, rise, bar):
    return best_replacement(correlation, energies, floors, costs, row, shift, rise, bar)


@jit
def multiplied(table, factors, matrix, rows, n, energies):
    multiply_rows(table, factors, matrix, rows, n, energies)


@DTYPES
@pytest.mark.parametrize("size", [1, 16, 100, 300])
@pytest.mark.parametrize("seed", range(3))
def test_best_replacement(size, seed, dtype):
    rng = np.random.default_rng(seed)
    width = padded(size, dtype)
    correlation, row = rng.normal(size=(2, width)).astype(dtype)
    energies, costs = rng.uniform(size=(2, width)).astype(dtype)
    floors = np.full(width, 0.3, dtype)
    costs[size:] = np.inf
    for shift, rise, bar in ((0.0, 0.0, 0.1), (0.7, 0.4, 0.1), (0.7, 0.4, 1e9)):
        scalars = dtype(shift), dtype(rise), dtype(bar)
        expected = best_replacement(correlation, energies, floors, costs, row, *scalars)
        assert replacement(correlation, energies, floors, costs, row, *scalars) == expected
        assert expected < size


@DTYPES
def test_the_first_of_equals_is_the_best(dtype):
    ones = np.ones(64, dtype)
    correlation = ones.copy()
    correlation[[5, 20, 21, 40]] = 2.0
    zeros = np.zeros(64, dtype)
    scalars = dtype(0), dtype(0), dtype(0)
    assert replacement(correlation, ones, zeros, zeros, ones, *scalars) == 5
    assert replacement(zeros, ones, zeros, zeros, ones, *scalars) == -1


@DTYPES
@pytest.mark.parametrize("n", [0, 1, 4, 7])
@pytest.mark.parametrize("size", [8, 100, 200])
def test_multiply_rows(n, size, dtype):
    rng = np.random.default_rng(0)
    width = padded(size, dtype)
    matrix = rng.normal(size=(12, width)).astype(dtype)
    factors = rng.normal(size=(8, 9)).astype(dtype)
    rows = rng.permutation(12)[:8].astype(np.int32)
    energies = rng.normal(size=width).astype(dtype)
    table, expected, left = (
        np.zeros((8, width), dtype),
        np.zeros((8, width), dtype),
        energies.copy(),
    )
    multiply_rows(expected, factors, matrix, rows, n, left)
    multiplied(table, factors, matrix, rows, n, energies)
    scale = 30 * np.finfo(dtype).eps * max(np.abs(left).max(), 1.0)
    np.testing.assert_allclose(table, expected, atol=scale)
    np.testing.assert_allclose(energies, left, atol=scale)
