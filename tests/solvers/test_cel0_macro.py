"""The macro algorithm: critical for CEL0 and locally optimal for l0."""

import numpy as np
import pytest
import twins
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsecode.penalties import CEL0, L0
from sparsecode.solvers import cel0_macro, irl1, ista

ALPHA = 0.1


def knees(dictionary):
    return np.sqrt(2 * ALPHA) / np.linalg.norm(dictionary, axis=1)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_no_amplitude_lies_between_zero_and_the_knee(seed):
    rng = np.random.default_rng(seed)
    dictionary = rng.standard_normal((16, 8)) * rng.uniform(0.4, 2.0, (16, 1))
    X, start = rng.standard_normal((6, 8)), rng.standard_normal((6, 16))
    result = cel0_macro(X, dictionary, CEL0(ALPHA), init=start, tol=1e-8)
    assert result.converged.all()
    assert result.coordinate_stationary.all()
    codes = result.code.to_dense()
    size = np.abs(codes)
    assert not ((size > 0) & (size < knees(dictionary) * (1 - 1e-6))).any()
    for x, z, first, found in zip(X, codes, start, result.objective):
        assert twins.is_coordinate_stationary(L0(ALPHA), x, dictionary, z)
        assert found == pytest.approx(twins.objective(L0(ALPHA), x, dictionary, z))
        assert found <= twins.objective(CEL0(ALPHA), x, dictionary, first)


def test_a_coefficient_on_a_flat_segment_moves_to_zero():
    """At a correlation of exactly the threshold every amplitude up to the knee costs the same."""
    dictionary = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.9, 0.6]])
    x = np.array([[np.sqrt(2 * ALPHA), 0.0, 0.0]])
    start = np.array([[0.5 * np.sqrt(2 * ALPHA), 0.0, 0.0]])
    left = irl1(x, dictionary, CEL0(ALPHA), init=start)
    np.testing.assert_allclose(left.code.to_dense(), start, atol=1e-6)
    assert left.converged.all()
    assert not left.coordinate_stationary.any()
    moved = cel0_macro(x, dictionary, CEL0(ALPHA), init=start)
    assert moved.code.nnz == 0
    assert moved.coordinate_stationary.all()
    assert moved.objective[0] == pytest.approx(left.objective[0])


def test_codes_cost_less_than_those_of_proximal_gradient():
    rng = np.random.default_rng(31)
    dictionary = rng.standard_normal((60, 20)) * rng.uniform(0.5, 2.0, (60, 1))
    X = rng.standard_normal((100, 20))
    macro = cel0_macro(X, dictionary, CEL0(ALPHA)).objective
    assert macro.mean() < 0.95 * ista(X, dictionary, CEL0(ALPHA), tol=1e-4).objective.mean()


def test_only_cel0_is_taken():
    with pytest.raises(TypeError, match="must be CEL0; got L0"):
        cel0_macro(np.ones((1, 2)), np.eye(2), L0(0.1))
    with pytest.raises(ValueError, match="needs alpha_ratio"):
        cel0_macro(np.ones((1, 2)), np.eye(2))
    assert cel0_macro(np.ones((1, 2)), np.eye(2), alpha_ratio=0.5).code.nnz == 2
