"""Explicit vectors do at windows what the same functions say in NumPy, and nothing elsewhere."""

import numpy as np
import pytest

from sparsecode._jit import jit
from sparsecode._simd import padded
from sparsecode.convolutional._window_simd import subtract_window, window_dot


@jit
def product(patch, atom, y, x):
    return window_dot(patch, atom, y, x)


@jit
def subtract(patch, atom, y, x, change):
    subtract_window(patch, atom, y, x, change)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1), (3, 4), (4, 16), (13, 12), (6, 21)])
def test_windows(dtype, shape):
    rng = np.random.default_rng(0)
    height, width = shape
    atom = np.zeros((height, padded(width, dtype)), dtype)
    atom[:, :width] = rng.normal(size=shape)
    patch = rng.normal(size=(height + 4, 9 + padded(width, dtype))).astype(dtype)
    for y, x in ((0, 0), (3, 7)):
        window = patch[y : y + height, x : x + width]
        scale = np.abs(window * atom[:, :width]).sum()
        expected = (window * atom[:, :width]).sum()
        assert abs(product(patch, atom, y, x) - expected) <= 8 * np.finfo(dtype).eps * scale
        moved = patch.copy()
        subtract(moved, atom, y, x, dtype(0.3))
        expected = patch.copy()
        expected[y : y + height, x : x + width] -= dtype(0.3) * atom[:, :width]
        np.testing.assert_allclose(moved, expected, rtol=0, atol=8 * np.finfo(dtype).eps)
        outside = np.ones(patch.shape, bool)
        outside[y : y + height, x : x + width] = False
        np.testing.assert_array_equal(moved[outside], patch[outside])
