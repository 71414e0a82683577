"""Coding rates: closed forms, invariances, the gradient."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sparsecode.bridges import (
    coding_rate,
    compressed_rate,
    compressed_rate_gradient,
    sparse_rate_reduction,
)

tokens = hnp.arrays(np.float64, (5, 4), elements=st.floats(-3, 3))
bases = hnp.arrays(np.float64, (3, 4, 2), elements=st.floats(-2, 2))
precisions = st.floats(0.05, 2.0)


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    return rng.standard_normal((7, 6)), rng.standard_normal((3, 6, 2))


@given(Z=tokens, U=bases, eps=precisions)
def test_rates_are_the_log_determinants_of_the_paper(Z, U, eps):
    columns = Z.T  # the paper's Z
    d, n = columns.shape
    rate = 0.5 * np.linalg.slogdet(np.eye(n) + d / (n * eps**2) * columns.T @ columns)[1]
    assert coding_rate(Z, eps) == pytest.approx(rate, rel=1e-9, abs=1e-9)
    projected = [basis.T @ columns for basis in U]
    scale = U.shape[2] / (n * eps**2)
    parts = [0.5 * np.linalg.slogdet(np.eye(n) + scale * p.T @ p)[1] for p in projected]
    assert compressed_rate(Z, U, eps) == pytest.approx(sum(parts), rel=1e-9, abs=1e-9)
    singular = np.concatenate([np.linalg.svd(p, compute_uv=False) for p in projected])
    spectral = 0.5 * np.log(1 + scale * singular**2).sum()
    assert compressed_rate(Z, U, eps) == pytest.approx(spectral, rel=1e-9, abs=1e-9)


@given(Z=tokens, U=bases, eps=precisions, order=st.permutations(range(3)))
def test_the_compressed_rate_is_positive_and_knows_no_order(Z, U, eps, order):
    rate = compressed_rate(Z, U, eps)
    assert rate >= 0.0
    assert compressed_rate(Z, U[order], eps) == pytest.approx(rate, rel=1e-12)
    assert compressed_rate(Z[::-1], U, eps) == pytest.approx(rate, rel=1e-9, abs=1e-12)


def test_one_token_has_a_closed_form():
    Z, U = np.array([[3.0, 4.0]]), np.eye(2)[None]
    assert coding_rate(Z, 1.0) == pytest.approx(0.5 * np.log(51))
    assert compressed_rate(Z, U, 1.0) == pytest.approx(0.5 * np.log(51))
    assert compressed_rate(Z, U, 1.0, normalize=True) == pytest.approx(0.5 * np.log(3))
    assert compressed_rate(np.zeros((4, 2)), U, normalize=True) == 0.0


def test_normalizing_forgets_the_length_of_each_token(pair):
    Z, U = pair
    lengths = np.linspace(0.1, 9.0, len(Z))[:, None]
    assert compressed_rate(lengths * Z, U, normalize=True) == pytest.approx(
        compressed_rate(Z, U, normalize=True), rel=1e-12
    )


def test_the_gradient_is_that_of_finite_differences(pair):
    Z, U = pair
    for eps in (0.1, 0.7):
        gradient = compressed_rate_gradient(Z, U, eps)
        numeric = np.empty_like(Z)
        for place in np.ndindex(Z.shape):
            shift = np.zeros_like(Z)
            shift[place] = 1e-5
            rise = compressed_rate(Z + shift, U, eps) - compressed_rate(Z - shift, U, eps)
            numeric[place] = rise / 2e-5
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-7)


@given(Z=tokens, U=bases, eps=precisions)
def test_a_small_step_against_the_gradient_lowers_the_rate(Z, U, eps):
    gradient = compressed_rate_gradient(Z, U, eps)
    slope = (gradient**2).sum()
    if slope < 1e-6:
        return
    # the Hessian is at most the curvature at 0, p / (N eps^2) sum_k ||U_k||^2
    curvature = U.shape[2] / (len(Z) * eps**2) * (np.linalg.norm(U, 2, axis=(1, 2)) ** 2).sum()
    moved = compressed_rate(Z - gradient / curvature * 0.1, U, eps)
    assert moved < compressed_rate(Z, U, eps)


def test_batches_are_measured_one_by_one(pair):
    Z, U = pair
    stack = np.stack([Z, 2 * Z, np.zeros_like(Z)])
    for function in (coding_rate, lambda z: compressed_rate(z, U, normalize=True)):
        np.testing.assert_allclose(function(stack), [function(z) for z in stack], rtol=1e-12)
    np.testing.assert_allclose(
        compressed_rate_gradient(stack, U), [compressed_rate_gradient(z, U) for z in stack]
    )


def test_the_objective_adds_up(pair):
    Z, U = pair
    Z[Z < 0] = 0.0
    expected = coding_rate(Z, 0.5) - compressed_rate(Z, U, 0.5) - 0.3 * np.count_nonzero(Z)
    assert sparse_rate_reduction(Z, U, 0.5, alpha=0.3) == pytest.approx(expected)
    assert sparse_rate_reduction(np.stack([Z, Z]), U).shape == (2,)


@pytest.mark.parametrize(
    ("Z", "U", "eps", "error", "words"),
    [
        (np.ones(3), np.ones((1, 3, 1)), 1.0, ValueError, "n_tokens, d"),
        (np.ones((0, 3)), np.ones((1, 3, 1)), 1.0, ValueError, "at least one token"),
        (np.full((2, 3), np.nan), np.ones((1, 3, 1)), 1.0, ValueError, "finite"),
        (np.full((2, 3), np.inf), np.ones((1, 3, 1)), 1.0, ValueError, "finite"),
        (np.array([["a"]]), np.ones((1, 3, 1)), 1.0, TypeError, "real numbers"),
        (np.ones((2, 3)), np.ones((3, 1)), 1.0, ValueError, r"\(n_heads, 3, p\)"),
        (np.ones((2, 3)), np.ones((1, 4, 1)), 1.0, ValueError, r"\(n_heads, 3, p\)"),
        (np.ones((2, 3)), np.ones((1, 3, 1)), 0.0, ValueError, "eps"),
        (np.ones((2, 3)), np.ones((1, 3, 1)), "a", TypeError, "eps"),
    ],
)
def test_bad_input(Z, U, eps, error, words):
    for function in (compressed_rate, compressed_rate_gradient, sparse_rate_reduction):
        with pytest.raises(error, match=words):
            function(Z, U, eps)


@pytest.mark.parametrize(
    ("alpha", "error"), [(-1.0, ValueError), (np.inf, ValueError), ("a", TypeError)]
)
def test_a_bad_weight(pair, alpha, error):
    with pytest.raises(error, match="alpha"):
        sparse_rate_reduction(*pair, alpha=alpha)
