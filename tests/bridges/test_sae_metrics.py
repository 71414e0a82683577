"""Metrics of autoencoders, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsecode.bridges import (
    dark_matter,
    effective_rank,
    firing_rates,
    fraction_variance_unexplained,
    loss_recovered,
    silent_latents,
    streamed_explained_variance,
)
from sparsecode.core import SparseCode
from sparsecode.core.measures import explained_variance

VECTOR = np.array([[2.0, 0.0], [0.0, 4.0]]), np.array([[2.0, 1.0], [0.0, 3.0]])


@given(n=st.integers(1, 30), rows=st.integers(1, 12), offset=st.floats(-100, 100))
def test_streamed_variance_is_that_of_the_whole_set(n, rows, offset):
    rng = np.random.default_rng(n)
    X = rng.standard_normal((n, 3)) + offset
    known = explained_variance(X, np.round(X))
    found = streamed_explained_variance(X, np.round, rows_per_block=rows)
    np.testing.assert_allclose(found, known, rtol=1e-9, atol=1e-9)


def test_variance_vector():
    X, found = VECTOR
    parts = iter(found)
    assert streamed_explained_variance(
        X, lambda block: next(parts)[None], rows_per_block=1
    ) == pytest.approx(0.8)
    assert fraction_variance_unexplained(X, found) == pytest.approx(0.2)
    mean = np.broadcast_to(X.mean(axis=0), X.shape)
    assert streamed_explained_variance(X, lambda block: mean) == 0.0
    assert np.isnan(streamed_explained_variance(np.ones((3, 2)), lambda block: block))
    assert np.isnan(streamed_explained_variance(np.ones((0, 2)), lambda block: block))
    target = X @ np.ones((2, 1))
    assert streamed_explained_variance(X, lambda block: target, target=target) == 1.0


def test_loss_recovered():
    assert loss_recovered(3.0, 3.0, 8.0) == 1.0
    assert loss_recovered(3.0, 8.0, 8.0) == 0.0
    assert np.isnan(loss_recovered(3.0, 3.0, 3.0))
    with pytest.raises(ValueError, match="losses must be finite"):
        loss_recovered(3.0, np.nan, 8.0)


def test_firing_rates_of_blocks_are_those_of_the_whole():
    code = SparseCode.from_dense(np.array([[1.0, 0, 0, 2], [0, 0, 0, 3], [1, 0, 0, 0]]))
    np.testing.assert_allclose(firing_rates(code), [2 / 3, 0, 0, 2 / 3])
    assert np.array_equal(firing_rates([code[:1], code[1:]]), firing_rates(code))
    assert silent_latents(iter([code, code])).tolist() == [1, 2]
    assert np.isnan(firing_rates(code[:0])).all()
    with pytest.raises(ValueError, match="at least 9 samples, min_samples; got 3"):
        silent_latents(code, min_samples=9)
    with pytest.raises(ValueError, match="must have the same units"):
        firing_rates([code, SparseCode.from_dense(np.eye(2))])
    with pytest.raises(ValueError, match="at least one SparseCode"):
        firing_rates([])


@pytest.mark.parametrize("shape", [(9, 5), (5, 9)])
def test_effective_rank_by_singular_values(shape):
    rng = np.random.default_rng(0)
    Z = np.where(rng.random(shape) < 0.5, rng.standard_normal(shape), 0)
    p = np.linalg.svd(Z, compute_uv=False) ** 2
    p = p[p > 1e-12] / p.sum()
    wanted = np.exp(-(p * np.log(p)).sum())
    assert effective_rank(Z) == pytest.approx(wanted)
    assert effective_rank(SparseCode.from_dense(Z)) == pytest.approx(wanted)
    assert np.isnan(effective_rank(0 * Z))
    assert effective_rank(np.ones((6, 4))) == pytest.approx(1.0)


def test_dark_matter_of_errors_that_are_known():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((4000, 4)) + 2
    A = 0.3 * rng.standard_normal((4, 4))
    linear = dark_matter(X, X - X @ A - 1.0, rng=0)
    assert linear.error_r2 == pytest.approx(1.0)
    assert linear.nonlinear_share == pytest.approx(0.0, abs=1e-20)
    noise = rng.standard_normal(X.shape)
    unrelated = dark_matter(X, X - noise, rng=0)
    # least squares on 2000 rows loses about 5 unknowns of 2000 per column
    assert -0.02 < unrelated.error_r2 < 0.01
    assert unrelated.nonlinear_fvu == pytest.approx(1.0, abs=0.06)
    half = dark_matter(X, X - noise - X @ A, rng=0)
    expected = np.trace(A.T @ np.cov(X.T) @ A)
    assert half.error_r2 == pytest.approx(expected / (expected + 4), abs=0.03)
    # the norm of an error along one direction is linear where its sign is one
    ray = dark_matter(X, X - np.outer(10 + X[:, 0], [1, 0, 0, 0]), rng=0)
    assert ray.norm_r2 == pytest.approx(1.0)
    again = dark_matter(X, X - X @ A - 1.0, ridge=10.0, rng=0)
    assert 0 < again.error_r2 < linear.error_r2


def test_bad_input_is_refused():
    X = VECTOR[0]
    for call in (
        lambda: dark_matter(X, X[:1]),
        lambda: dark_matter(X, X),
        lambda: dark_matter(np.full((9, 2), np.nan), np.ones((9, 2))),
        lambda: dark_matter(np.ones((9, 2)), np.ones((9, 2)), ridge=-1),
        lambda: streamed_explained_variance(X[0], np.round),
        lambda: streamed_explained_variance(X, lambda block: block[:, :1]),
        lambda: streamed_explained_variance(X, lambda block: block * np.inf),
        lambda: streamed_explained_variance(X, np.round, target=X[:1]),
        lambda: effective_rank(np.full((2, 2), np.inf)),
    ):
        with (
            np.errstate(invalid="ignore"),
            pytest.raises(ValueError, match=r"must (have|be|hold).*; (it )?got "),
        ):
            call()
