"""The vector instructions of feature-sign search do what their NumPy twins say."""

import numpy as np
import pytest

from sparsecode._jit import jit
from sparsecode.solvers._feature_sign_simd import (
    first_to_vanish,
    most_wanting,
    move_members,
    subtract_product,
)

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
#: Entries that the arrays go on for beyond the members, with numbers that must not matter.
BEYOND = 16


@jit
def vanishing(row, codes, active, sign, length, size):
    return first_to_vanish(row, codes, active, sign, length, size)


@jit
def moved(row, length, active, codes, slopes, size):
    move_members(row, length, active, codes, slopes, size)


@jit
def wanting(slopes, heights, active, signed, slack, floor, size):
    return most_wanting(slopes, heights, active, signed, slack, floor, size)


@jit
def subtracted(target, factors, rows, matrix, n):
    subtract_product(target, factors, rows, matrix, n)


def working_set(size, seed, dtype):
    """Return a row, codes, slopes and heights, and which members are active."""
    rng = np.random.default_rng(seed)
    row, codes, slopes, heights = rng.normal(size=(4, size + BEYOND)).astype(dtype)
    row[::5], codes[::7] = 0.0, 0.0
    row[size + 1 :: 3], slopes[size + 1 :: 3] = np.nan, np.inf
    return row, codes, slopes, np.abs(heights), rng.random(size + BEYOND) < 0.6


@DTYPES
@pytest.mark.parametrize("size", [0, 1, 8, 37, 64, 201])
@pytest.mark.parametrize("seed", range(3))
def test_the_first_code_to_vanish(size, seed, dtype):
    row, codes, _, _, active = working_set(size, seed, dtype)
    for sign in (1.0, -1.0):
        for length in (np.inf, 1.0, 1e-9):
            given = row, codes, active, dtype(sign), dtype(length), size
            assert vanishing(*given) == first_to_vanish(*given)
            assert vanishing(*given) < size


@DTYPES
@pytest.mark.parametrize("size", [0, 1, 8, 37, 64, 201])
def test_moves_end_with_the_members(size, dtype):
    row, codes, slopes, _, active = working_set(size, 0, dtype)
    got, expected = (codes.copy(), slopes.copy()), (codes.copy(), slopes.copy())
    moved(row, dtype(0.7), active, *got, size)
    move_members(row, dtype(0.7), active, *expected, size)
    for one, other, before in zip(got, expected, (codes, slopes)):
        np.testing.assert_allclose(one[:size], other[:size], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(one[size:], before[size:])


@DTYPES
@pytest.mark.parametrize("size", [0, 1, 8, 37, 64, 201])
@pytest.mark.parametrize("signed", [False, True])
def test_the_idle_member_that_wants_most(size, signed, dtype):
    for seed in range(3):
        _, _, slopes, heights, active = working_set(size, seed, dtype)
        for slack, floor in ((0.0, 0.0), (0.5, 0.1), (0.0, 1e9), (1e9, 0.0)):
            given = slopes, heights, active, signed, dtype(slack), dtype(floor), size
            assert wanting(*given) == most_wanting(*given)


@DTYPES
def test_the_first_of_equals_counts(dtype):
    ones, active = np.ones(80, dtype), np.zeros(80, bool)
    slopes, codes = ones.copy(), 3.0 * ones
    slopes[[5, 20, 21, 40]] = 2.0
    codes[[30, 31, 6]] = 2.0
    assert wanting(slopes, ones, active, False, dtype(0), dtype(0), 64) == 5
    assert wanting(slopes, ones, ~active, False, dtype(0), dtype(0), 64) == -1
    assert vanishing(ones, codes, ~active, dtype(1), dtype(9), 64) == 6
    assert vanishing(ones, codes, active, dtype(1), dtype(9), 64) == -1


@DTYPES
@pytest.mark.parametrize("height", [0, 1, 4, 13])
@pytest.mark.parametrize("width", [0, 1, 16, 100])
@pytest.mark.parametrize("n", [0, 1, 9])
def test_subtract_product(height, width, n, dtype):
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(32, width + BEYOND)).astype(dtype)
    factors = rng.normal(size=(14, 11)).astype(dtype)
    rows = rng.permutation(16)[:10]
    got, expected = matrix.copy(), matrix.copy()
    subtracted(got[16 : 16 + height, :width], factors, rows, got, n)  # others than `rows`
    subtract_product(expected[16 : 16 + height, :width], factors, rows, expected, n)
    np.testing.assert_allclose(got[:, :width], expected[:, :width], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(got[16 + height :], matrix[16 + height :])
