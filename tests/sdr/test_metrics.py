"""Averages over a stream of SDRs, against their recursion."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import codes

from sdr.metrics import Metrics
from sdr.space import SDRSpace
from sparsecode.core import SparseCode


def by_recursion(dense, period):
    """Return mean and variance of the sparsity, frequencies, and mean overlap, sample by sample."""
    weights = [1 / min(period, t + 1) for t in range(len(dense))]
    mean = square = overlaps = 0.0
    frequency = np.zeros(dense.shape[1])
    for t, row in enumerate(dense):
        mean += weights[t] * (row.mean() - mean)
        square += weights[t] * (row.mean() ** 2 - square)
        frequency += weights[t] * (row - frequency)
        if t:
            larger = max(row.sum(), dense[t - 1].sum())
            shared = (row & dense[t - 1]).sum() / larger if larger else 1.0
            overlaps += weights[t - 1] * (shared - overlaps)
    return mean, square - mean**2, frequency, overlaps


@given(codes(binary=True), st.integers(1, 5), st.lists(st.integers(0, 6), max_size=3))
def test_averages_are_those_of_the_recursion_however_the_stream_is_cut(code, period, cuts):
    metrics = Metrics(period)
    edges = [0, *sorted(min(cut, len(code)) for cut in cuts), len(code)]
    for start, stop in pairwise(edges):
        metrics.update(code[start:stop])
    assert metrics.n_samples == len(code)
    if not len(code):
        assert np.isnan(metrics.sparsity.mean)
        assert np.isnan(metrics.frequency.mean)
        return
    dense = code.to_dense().reshape(code.shape)
    mean, variance, frequency, overlaps = by_recursion(dense, period)
    shares = dense.mean(axis=1)
    assert metrics.sparsity == pytest.approx(
        (shares.min(), mean, np.sqrt(max(variance, 0)), shares.max()), abs=1e-7
    )
    np.testing.assert_allclose(metrics.activation_frequency, frequency, atol=1e-12)
    assert metrics.frequency == pytest.approx(
        (frequency.min(), frequency.mean(), frequency.std(), frequency.max()), abs=1e-12
    )
    if len(code) > 1:
        assert metrics.overlap.mean == pytest.approx(overlaps, abs=1e-12)
    else:
        assert np.isnan(metrics.overlap.mean)


def test_entropy_says_how_evenly_units_are_used():
    even = SparseCode.from_dense(np.eye(8, dtype=bool))
    assert Metrics().update(even).entropy == pytest.approx(1.0)
    half = SparseCode.from_indices([[0], [1]], 4)
    wanted = 0.5 * np.log(2) / -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))
    assert Metrics().update(half).entropy == pytest.approx(wanted)
    always = SparseCode.from_indices([[0], [0]], 2)
    assert Metrics().update(always).entropy == pytest.approx(0.0)
    assert np.isnan(Metrics().update(SparseCode.from_indices([[]], 2)).entropy)
    assert np.isnan(Metrics().entropy)
    always = SparseCode.from_indices([range(20)] * 49, 20)
    for n_samples in (10, 49):  # shares whose sum rounding may bring above 1
        metrics = Metrics().update(always[:n_samples])
        assert np.isnan(metrics.entropy)
        assert metrics.activation_frequency.max() <= 1.0


def test_a_constant_stream_deviates_by_nothing():
    metrics = Metrics(7).update(SDRSpace(1000, 20).sample(300, rng=0))
    assert metrics.sparsity == (0.02, 0.02, 0.0, 0.02)


def test_bad_arguments():
    with pytest.raises(ValueError, match="period must be at least 1"):
        Metrics(0)
    metrics = Metrics().update(SparseCode.from_indices([[0]], 3))
    with pytest.raises(ValueError, match=r"unit_shape \(3,\), that of the samples before"):
        metrics.update(SparseCode.from_indices([[0]], 4))
    with pytest.raises(TypeError, match="must be a SparseCode"):
        metrics.update([[0]])
