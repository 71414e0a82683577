"""Explicit vectors do what the same functions say in NumPy, and nothing before their range."""

import numpy as np
import pytest

from sparsecode._jit import jit
from sparsecode._simd import (
    above,
    dot,
    largest_magnitude,
    largest_product,
    lowest_bit,
    padded,
    subtract_outer,
    subtract_rows,
)


@jit
def outer(A, g, f, n_rows, width):
    subtract_outer(A, g, f, n_rows, width)


@jit
def rows_of(y, coefficients, rows, matrix, n):
    subtract_rows(y, coefficients, rows, matrix, n)


@jit
def right_part(matrix, i, first, last, coefficients, rows, n):
    subtract_rows(matrix[i, first:last], coefficients, rows, matrix[:, first:], n)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@jit
def above_bars(values, bars, factor, first, signed):
    return above(values, bars, factor, first, signed)


@jit
def maximum_norm(x):
    return largest_magnitude(x)


@jit
def inner(x, y):
    return dot(x, y)


@jit
def place_of_lowest_bit(mask):
    return lowest_bit(mask)


@jit
def largest(values, weights, signed):
    return largest_product(values, weights, signed)


DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def close(actual, expected):
    scale = np.abs(expected).max(initial=1.0)
    np.testing.assert_allclose(actual, expected, atol=30 * np.finfo(actual.dtype).eps * scale)


@pytest.mark.parametrize(
    ("size", "dtype", "expected"), [(1, "f4", 16), (16, "f4", 16), (17, "f8", 24)]
)
def test_padding_fills_whole_vectors(size, dtype, expected):
    assert padded(size, dtype) == expected


@DTYPES
@pytest.mark.parametrize(("n_rows", "width"), [(0, 3), (1, 1), (5, 16), (7, 40), (20, 65)])
def test_outer_product(rng, dtype, n_rows, width):
    stride = padded(80, dtype)
    A = rng.normal(size=(24, stride)).astype(dtype)
    g, f = rng.normal(size=(2, stride)).astype(dtype)
    expected = A.copy()
    subtract_outer(expected, g, f, n_rows, width)
    outer(A, g, f, n_rows, width)
    close(A[:n_rows, :width], expected[:n_rows, :width])
    np.testing.assert_array_equal(A[n_rows:], expected[n_rows:])
    beyond = padded(width, dtype)
    np.testing.assert_array_equal(A[:, beyond:], expected[:, beyond:])


@DTYPES
@pytest.mark.parametrize("index_type", [np.int32, np.int64])
@pytest.mark.parametrize("size", [1, 15, 16, 64, 100, 255, 300])
@pytest.mark.parametrize("n", [0, 1, 9])
def test_rows(rng, dtype, index_type, size, n):
    stride = padded(size, dtype)
    matrix = rng.normal(size=(30, stride)).astype(dtype)
    rows = rng.permutation(30)[:12].astype(index_type)
    coefficients = rng.normal(size=12).astype(dtype)
    memory = rng.normal(size=stride + 16).astype(dtype)
    before = memory.copy()
    expected = memory[:size].copy()
    subtract_rows(expected, coefficients, rows, matrix, n)
    rows_of(memory[:size], coefficients, rows, matrix, n)
    close(memory[:size], expected)
    np.testing.assert_array_equal(memory[stride:], before[stride:])


@DTYPES
def test_rows_of_the_right_part_of_a_matrix_that_holds_the_target(rng, dtype):
    matrix = rng.normal(size=(20, 48)).astype(dtype)
    rows, coefficients = np.array([3, 11, 4]), rng.normal(size=3).astype(dtype)
    expected = matrix[7, 10:26] - coefficients @ matrix[rows, 10:26]
    right_part(matrix, 7, 10, 26, coefficients, rows, 3)
    close(matrix[7, 10:26], expected)


@DTYPES
@pytest.mark.parametrize("signed", [False, True])
def test_which_entries_exceed_their_bars(rng, dtype, signed):
    lanes = padded(1, dtype)
    for _ in range(20):
        values, bars = rng.normal(size=(2, 4 * lanes)).astype(dtype)
        bars = abs(bars)
        bars[rng.integers(bars.size)] = np.inf
        factor = dtype(2.0)
        values[:: lanes // 2] = factor * bars[:: lanes // 2]  # a tie does not exceed
        for first in range(0, values.size, lanes):
            expected = above(values, bars, factor, first, signed)
            assert above_bars(values, bars, factor, first, signed) == expected
            shown = [bool(expected >> lane & 1) for lane in range(lanes)]
            sizes = values if signed else abs(values)
            assert shown == list((sizes > factor * bars)[first : first + lanes])


@DTYPES
@pytest.mark.parametrize("signed", [False, True])
def test_the_largest_product(rng, dtype, signed):
    for n_vectors in (1, 2, 5):
        values, weights = rng.normal(size=(2, n_vectors * padded(1, dtype))).astype(dtype)
        weights = abs(weights)
        for given in (values, -abs(values), 0 * values):
            expected = largest_product(given, weights, signed)
            assert largest(given, weights, signed) == expected >= 0.0


@pytest.mark.parametrize("mask", [1, 2, 6, 0b1010_0000, 2**15, 2**40])
def test_the_lowest_bit(mask):
    assert place_of_lowest_bit(mask) == lowest_bit(mask) == f"{mask:b}"[::-1].index("1")


@DTYPES
@pytest.mark.parametrize("size", [0, 1, 7, 16, 33, 64, 200, 256, 301])
def test_inner_products(rng, dtype, size):
    x, y = rng.normal(size=(2, size)).astype(dtype)
    exact = x.astype(np.float64) @ y.astype(np.float64)
    length = np.linalg.norm(x) * np.linalg.norm(y)
    assert abs(inner(x, y) - exact) <= 10 * np.finfo(dtype).eps * length


@DTYPES
@pytest.mark.parametrize("size", [0, 1, 7, 16, 33, 64, 301])
def test_maximum_norms(rng, dtype, size):
    for x in rng.normal(size=(20, size)).astype(dtype):
        assert maximum_norm(x) == largest_magnitude(x) == np.linalg.norm(x, np.inf if size else 0)
