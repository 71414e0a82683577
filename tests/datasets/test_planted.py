"""Planted codes: the data are what the code and the dictionary say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sparsecode.datasets import planted, planted_codes


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_data_are_the_code_times_the_dictionary(dtype):
    X, code, dictionary = planted_codes(
        200, n_atoms=40, n_features=20, n_active=3, rng=0, dtype=dtype
    )
    assert (X.dtype, code.dtype, dictionary.dtype) == (dtype, dtype, dtype)
    assert (X.shape, code.shape, dictionary.shape) == ((200, 20), (200, 40), (40, 20))
    np.testing.assert_allclose(X, code.to_dense() @ dictionary, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(dictionary, axis=1), 1.0, rtol=1e-6)
    np.testing.assert_array_equal(code.n_active, 3)


def test_every_atom_is_equally_likely():
    code = planted_codes(30_000, n_atoms=30, n_active=4, rng=0).code
    counts = np.bincount(code.indices, minlength=30)
    bound = stats.binom.isf(1e-4 / 30, 30_000, 4 / 30)
    assert counts.max() <= bound
    assert counts.min() >= 2 * 30_000 * 4 / 30 - bound


@pytest.mark.parametrize(
    ("amplitudes", "distribution"),
    [
        ("normal", stats.halfnorm()),
        ("laplace", stats.expon()),
        ("uniform", stats.uniform(0.5, 1.0)),
    ],
)
def test_amplitudes_follow_the_named_distribution(amplitudes, distribution):
    values = planted_codes(1000, amplitudes=amplitudes, rng=0).code.values
    assert stats.kstest(np.abs(values), distribution.cdf).pvalue > 1e-3
    assert stats.binomtest(int(np.sum(values > 0)), values.size).pvalue > 1e-3
    positive = planted_codes(1000, amplitudes=amplitudes, positive=True, rng=0).code.values
    np.testing.assert_array_equal(positive, np.abs(values))


def test_noise_has_the_stated_level():
    X, code, dictionary = planted_codes(500, noise=0.3, rng=0)
    residual = X - code.to_dense() @ dictionary
    low, high = stats.chi2.ppf([1e-4, 1 - 1e-4], residual.size) / residual.size
    assert low < np.mean((residual / 0.3) ** 2) < high


def test_a_given_dictionary_is_taken_as_it_is():
    atoms = np.random.default_rng(0).standard_normal((6, 4)) * 3.0
    X, code, dictionary = planted_codes(10, dictionary=atoms, n_active=6, rng=0)
    np.testing.assert_array_equal(dictionary, atoms)
    np.testing.assert_allclose(X, code.to_dense() @ atoms, atol=1e-12)
    np.testing.assert_array_equal(code.indices.reshape(10, 6), np.tile(np.arange(6), (10, 1)))


def test_the_seed_decides_and_the_block_size_does_not(monkeypatch):
    first = planted_codes(50, noise=0.1, rng=4)
    monkeypatch.setattr(planted, "_BLOCK", 300)
    again = planted_codes(50, noise=0.1, rng=4)
    np.testing.assert_array_equal(first.X, again.X)
    assert first.code == again.code
    assert first.code != planted_codes(50, noise=0.1, rng=5).code


def test_empty_batches_and_empty_codes_are_allowed():
    assert planted_codes(0, rng=0).X.shape == (0, 64)
    silent = planted_codes(3, n_active=0, rng=0)
    assert silent.code.nnz == 0
    np.testing.assert_array_equal(silent.X, 0.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_active": 129}, "n_active must be at least 0 and at most 128; got 129"),
        ({"n_atoms": 0}, "n_atoms must be at least 1"),
        ({"noise": -0.1}, "noise must be finite and at least 0; got -0.1"),
        ({"noise": np.nan}, "noise must be finite"),
        ({"amplitudes": "cauchy"}, "amplitudes must be one of 'normal', 'laplace', 'uniform'"),
        ({"dictionary": np.zeros((3, 4))}, "no atom of norm 0"),
        ({"dtype": int}, "dtype must be one of"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        planted_codes(5, **options)
