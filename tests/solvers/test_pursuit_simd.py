"""The pass of a pursuit's step does what its NumPy twin says, first of the best included."""

import numpy as np
import pytest

from sparsecode._jit import jit
from sparsecode._simd import padded
from sparsecode.solvers._pursuit_simd import best_correlated, best_decrease, strip_width

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@jit
def correlated(source, weights, coefficients, strips, n, scale, moment, positive, correlation):
    return best_correlated(
        source, weights, coefficients, strips, n, scale, moment, positive, correlation
    )


@jit
def decrease(
    source, weights, coefficients, strips, n, scale, moment, closed, correlation, energies
):
    return best_decrease(
        source, weights, coefficients, strips, n, scale, moment, closed, correlation, energies
    )


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def close(actual, expected):
    scale = np.abs(expected).max(initial=1.0)
    np.testing.assert_allclose(actual, expected, atol=30 * np.finfo(actual.dtype).eps * scale)


@pytest.fixture(params=[(1, 0), (16, 1), (100, 2), (300, 5), (300, 6), (256, 3)], ids=str)
def one_pass(request, rng):
    """Return a function that makes the arguments of a pass for a dtype."""
    size, n = request.param

    def make(dtype):
        strip = strip_width(dtype)
        n_strips = -(-size // strip)
        source, weights, correlation = rng.normal(size=(3, n_strips * strip)).astype(dtype)
        weights[size:], correlation[size:], source[size:] = 0, 0, 0
        strips = rng.normal(size=(n_strips, 7, strip)).astype(dtype)
        strips *= (np.arange(n_strips * strip) < size).reshape(n_strips, 1, strip)
        coefficients = rng.normal(size=7).astype(dtype)
        spare = padded(1, dtype) if size == 256 else 0  # as rows of a Gram matrix may have
        source = np.append(source[: padded(size, dtype)], np.full(spare, 5.0, dtype))
        return source, weights, coefficients, strips, n, dtype(0.7), dtype(0.3), correlation, size

    return make


@DTYPES
@pytest.mark.parametrize("positive", [False, True])
def test_best_correlated(one_pass, positive, dtype):
    *inputs, correlation, size = one_pass(dtype)
    correlation[0] += 9.0  # some are positive
    expected_strips, expected = inputs[3].copy(), correlation.copy()
    best = best_correlated(*inputs[:3], expected_strips, *inputs[4:], positive, expected)
    assert correlated(*inputs, positive, correlation) == best
    assert best < size
    close(correlation, expected)
    close(inputs[3], expected_strips)


@DTYPES
def test_best_decrease(one_pass, dtype, rng):
    *inputs, correlation, size = one_pass(dtype)
    energies = rng.uniform(0, 30, correlation.size).astype(dtype)
    expected_strips, expected, left = inputs[3].copy(), correlation.copy(), energies.copy()
    closed = dtype(1.0)
    best = best_decrease(*inputs[:3], expected_strips, *inputs[4:], closed, expected, left)
    assert decrease(*inputs, closed, correlation, energies) == best
    close(correlation, expected)
    close(inputs[3], expected_strips)
    close(energies, left)
    assert (energies == closed).any() or size == 1


@DTYPES
@pytest.mark.parametrize("n", [0, 1])
def test_the_first_of_equal_entries_wins(n, dtype):
    width = 4 * strip_width(dtype)
    nothing = np.zeros(width, dtype)
    strips, energies = np.zeros((4, 2, width // 4), dtype), np.ones(width, dtype)
    zero = dtype(0)
    for first in (0, 17, width // 4 + 3, width - 4):
        correlation = np.zeros(width, dtype)
        correlation[[first, (first + width) // 2, width - 1]] = -2, 2, -2
        inputs = (nothing, nothing, nothing, strips, n, zero, zero)
        assert correlated(*inputs, False, correlation) == first
        assert decrease(*inputs, zero, correlation, energies) == first
        assert correlated(*inputs, True, correlation) == (first + width) // 2


@DTYPES
def test_closed_entries_and_negative_ones_do_not_count(dtype):
    width = strip_width(dtype)
    nothing, strips, zero = np.zeros(width, dtype), np.zeros((1, 1, width), dtype), dtype(0)
    inputs = (nothing, nothing, nothing, strips, 0, zero, zero)
    correlation, energies = np.zeros(width, dtype), np.ones(width, dtype)
    correlation[[3, 9]], energies[3] = (-5, 1), 0.5
    assert decrease(*inputs, dtype(0.5), correlation, energies) == 9
    assert decrease(*inputs, dtype(0.4), correlation, energies) == 3
    assert correlated(*inputs, True, correlation) == 9
    assert correlated(*inputs, True, -np.abs(correlation)) == 0  # whose value is no success
