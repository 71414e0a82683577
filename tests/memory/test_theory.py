"""Formulas against textbooks' numbers, exact arithmetic and memories that were really filled."""

from __future__ import annotations

import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from memory import Willshaw, theory
from sparsecode.core import SparseCode


def test_the_textbook_s_numbers():
    assert theory.willshaw_load(6931, 1000, 10) == pytest.approx(0.5, abs=1e-5)
    assert 990 * theory.willshaw_false_positive(6931, 1000, 10) == pytest.approx(1.251, abs=5e-4)
    assert 990 * theory.willshaw_load(6931, 1000, 10) ** 10 == pytest.approx(0.967, abs=5e-4)
    assert theory.willshaw_capacity(1000, 10) == 4791
    assert theory.willshaw_capacity(1000, 10, method="load") == 5083
    assert theory.willshaw_information(4791, 1000, 10) == pytest.approx(0.373, abs=5e-4)
    assert theory.willshaw_capacity(2048, 40) == 3985
    assert theory.willshaw_capacity(2048, 40, method="load") == 4327
    assert theory.sparse_hopfield_capacity(0.01) == pytest.approx(10.86, abs=0.01)
    assert theory.hopfield_capacity(1000) == pytest.approx(138)
    assert theory.hopfield_overlap(0.137905) == pytest.approx(0.967, abs=1e-3)
    assert theory.hopfield_overlap(0.13791) == 0.0
    np.testing.assert_allclose(theory.sdm_activation(1000, 451), 0.001072, atol=5e-7)
    for stored, z, simple in ((10**4, 6.59, 6.8), (10**5, 2.085, 2.16)):
        place = (1000, 10**6, 451, stored)
        assert theory.sdm_signal_to_noise(*place) == pytest.approx(z, abs=0.005)
        kanerva = theory.sdm_signal_to_noise(*place, method="Kanerva")
        assert kanerva == pytest.approx(simple, abs=0.03)
    assert theory.sdm_bit_error(1000, 10**6, 451, 10**5) == pytest.approx(0.0185, abs=5e-5)
    assert theory.sdm_critical_distance(1000, 10**6, 451, 10**4) == 154
    assert theory.dense_capacity(40) == 2.0**20


@given(
    st.integers(2, 60), st.integers(2, 30), st.integers(1, 40), st.data()
)  # fmt: skip
def test_floats_are_as_good_as_fractions(m, n, n_stored, data):
    k, l_ = data.draw(st.integers(1, m)), data.draw(st.integers(1, n))
    how = {
        "n_targets": n, "n_active_targets": l_, "n_cue": data.draw(st.integers(1, k)),
    }  # fmt: skip
    exact = theory.willshaw_false_positive(n_stored, m, k, **how, exact=True)
    assert isinstance(exact, Fraction)
    assert 0 <= exact <= 1
    found = theory.willshaw_false_positive(n_stored, m, k, **how)
    assert found == pytest.approx(float(exact), rel=1e-12, abs=1e-300)


def test_tiny_false_positives_keep_their_digits():
    exact = theory.willshaw_false_positive(3, 4000, 40, exact=True)
    assert 0 < exact < Fraction(1, 10**60)
    assert theory.willshaw_false_positive(3, 4000, 40) == pytest.approx(float(exact), rel=1e-12)


def test_a_real_memory_errs_as_often():
    """Targets' silent units, within a binomial bound widened for cues that share a matrix."""
    rng = np.random.default_rng(0)
    m, k, n, l_, n_stored = 120, 6, 100, 5, 260
    rates = []
    for _ in range(60):
        rows = [rng.permuted(np.arange(size)) for size in (m, n) for _ in range(n_stored)]
        patterns = SparseCode.from_indices([row[:k] for row in rows[:n_stored]], m)
        targets = SparseCode.from_indices([row[:l_] for row in rows[n_stored:]], n)
        one = Willshaw()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            one.store(patterns, targets)
        cues = SparseCode.from_indices([row.indices[:4] for row in patterns], m)
        found = one.recall(cues).code
        rates.append((found.nnz - targets.nnz) / (n_stored * (n - l_)))
    expected = theory.willshaw_false_positive(
        n_stored, m, k, n_targets=n, n_active_targets=l_, n_cue=4
    )
    error = np.std(rates, ddof=1) / np.sqrt(len(rates))
    assert abs(np.mean(rates) - expected) < stats.t.ppf(0.9995, 59) * error
    assert abs(theory.willshaw_load(n_stored, m, k, n_targets=n, n_active_targets=l_) ** 4
               - expected) > 10 * error  # the limit is told apart from the truth  # fmt: skip


def test_arrays_go_through():
    loads = theory.willshaw_load(np.array([[1, 10], [100, 1000]]), 50, 4)
    assert loads.shape == (2, 2)
    assert (np.diff(loads.ravel()) > 0).all()
    errors = theory.willshaw_false_positive(np.array([1, 10, 100]), 50, 4)
    assert errors[0] == 0.0
    assert (np.diff(errors) > 0).all()
    assert isinstance(theory.willshaw_load(3, 50, 4), float)
    overlaps = theory.hopfield_overlap(np.linspace(0.01, 0.2, 20))
    assert (np.diff(overlaps) <= 0).all()
    assert theory.hopfield_capacity(np.array([10, 100]), "all exact").shape == (2,)


def test_two_circles_by_enumeration():
    n, radius = 10, 4
    words = np.arange(2**n, dtype=np.uint64)
    for d in (0, 1, 3, 7, 10):
        other = np.uint64(2**d - 1)
        near = (np.bitwise_count(words) <= radius) & (np.bitwise_count(words ^ other) <= radius)
        assert theory.sdm_shared_activation(n, radius, d) == pytest.approx(near.mean())
    assert theory.sdm_shared_activation(n, radius, 0) == theory.sdm_activation(n, radius)


def test_polynomials_of_degree_two_are_hopfield_networks():
    assert theory.dense_capacity(500, 2) == pytest.approx(500 / (2 * np.log(500)))
    assert theory.dense_capacity(500, 4) == pytest.approx(500**3 / (2 * 15 * np.log(500)))
    assert np.isinf(theory.dense_capacity(10_000))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: theory.willshaw_load(0, 10, 2), "n_stored must be at least 1"),
        (lambda: theory.willshaw_load(5, 10, 11), "n_active must be at least 1 and at most 10"),
        (
            lambda: theory.willshaw_false_positive(5, 10, 2, n_cue=3),
            "n_cue must be at least 1 and at most 2",
        ),
        (lambda: theory.willshaw_capacity(10, 2, epsilon=0.0), "epsilon must"),
        (lambda: theory.willshaw_capacity(10, 2, epsilon=9.0), "less than all units"),
        (lambda: theory.willshaw_capacity(10, 10), "n_active_targets must be below n_targets"),
        (lambda: theory.hopfield_overlap(0.0), "load must be above 0"),
        (lambda: theory.hopfield_capacity(1), "n_units must be at least 2"),
        (lambda: theory.hopfield_capacity(9, "some"), "criterion must be one of"),
        (lambda: theory.sparse_hopfield_capacity(1.0), "density must be between 0 and 1"),
        (lambda: theory.sdm_activation(10, 11), "radius must be at least 0 and at most 10"),
        (lambda: theory.sdm_shared_activation(10, 4, 11), "distance must be at most n_units"),
        (lambda: theory.sdm_signal_to_noise(10, 9, 4, 5, method="x"), "method must be one of"),
        (lambda: theory.dense_capacity(9, 1), "degree must be at least 2"),
    ],
)
def test_bad_input(call, said):
    with pytest.raises(ValueError, match=said):
        call()
    with pytest.raises(TypeError, match="n_stored must hold integers"):
        theory.willshaw_load(2.5, 10, 2)
