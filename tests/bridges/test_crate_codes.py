"""One step, many steps and exact codes on the same dictionary."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Lasso

from sparsecode.bridges import compare_codes

ALPHA, STEP = 0.1, 0.1


@pytest.fixture(scope="module")
def problem():
    """Inputs of norm about sqrt(d), as LayerNorm gives them, and a Kaiming-uniform dictionary."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((40, 16))
    D = rng.uniform(-1, 1, (16, 16)) * np.sqrt(6 / 16) / np.sqrt(2)
    return X, D


@pytest.fixture(scope="module")
def compared(problem):
    """The comparison of that problem."""
    return compare_codes(*problem, ALPHA, STEP, n_steps=(1, 10, 100))


def row(compared, name, method):
    return compared.table[name][compared.methods.index(method)]


def test_one_step_is_a_proximal_step_from_x(problem, compared):
    X, D = problem
    expected = np.maximum(X - STEP * (X @ D - X) @ D.T - STEP * ALPHA, 0.0)
    np.testing.assert_allclose(compared.codes["one_step"].to_dense(), expected, atol=1e-14)
    np.testing.assert_allclose(
        compared.codes["ista_1"].to_dense(), compared.codes["one_step"].to_dense(), atol=1e-12
    )


def test_columns_are_what_they_say(problem, compared):
    X, D = problem
    for method in compared.methods:
        z = compared.codes[method].to_dense()
        residual = np.linalg.norm(X - z @ D, axis=1)
        objective = 0.5 * residual**2 + ALPHA * np.abs(z).sum(axis=1)
        np.testing.assert_allclose(row(compared, "objective", method), objective, rtol=1e-12)
        counted = 0.5 * residual**2 + ALPHA * (z != 0).sum(axis=1)
        np.testing.assert_allclose(row(compared, "l0_objective", method), counted, rtol=1e-12)
        np.testing.assert_array_equal(row(compared, "density", method), (z != 0).mean(axis=1))
        np.testing.assert_allclose(
            row(compared, "relative_residual", method), residual / np.linalg.norm(X, axis=1)
        )
        exact = compared.codes["lasso"].to_dense()
        shared = ((z != 0) & (exact != 0)).sum(axis=1) / ((z != 0) | (exact != 0)).sum(axis=1)
        np.testing.assert_allclose(row(compared, "jaccard", method), shared)
        cosine = (z * exact).sum(axis=1) / np.linalg.norm(z, axis=1) / np.linalg.norm(exact, axis=1)
        np.testing.assert_allclose(row(compared, "cosine", method), cosine, rtol=1e-9)
        assert compared.mean(method)["density"] == pytest.approx((z != 0).mean())


def test_the_exact_code_is_that_of_scikit_learn(problem, compared):
    X, D = problem
    lasso = Lasso(ALPHA / D.shape[1], positive=True, fit_intercept=False, tol=1e-12, max_iter=10**6)
    exact = compared.codes["lasso"].to_dense()
    for i in range(5):
        np.testing.assert_allclose(exact[i], lasso.fit(D.T, X[i]).coef_, atol=1e-6)


def test_certificates_hold(compared):
    assert row(compared, "certificate", "lasso").max() < 1e-6
    assert (compared.table["certificate"] >= compared.table["relative_gap"] - 1e-8).all()
    assert (compared.table["gap"] >= -1e-6).all()
    assert row(compared, "certificate", "one_step").min() > 1e-3
    assert compared.cel0_residual.max() <= 1e-8


def test_more_steps_come_closer(compared):
    assert compared.step_descends
    for suffix in ("", "_from_0"):
        gaps = [row(compared, "gap", f"ista_{count}{suffix}") for count in (1, 10, 100)]
        assert (np.diff(gaps, axis=0) <= 1e-9).all()
        assert row(compared, "relative_gap", f"fista_100{suffix}").max() < 1e-4


def test_cel0_wins_on_its_own_objective(compared):
    ours = row(compared, "l0_objective", "cel0")
    assert (ours <= row(compared, "l0_objective", "lasso") + 1e-9).all()


def test_geometry_of_the_dictionary(problem, compared):
    _, D = problem
    assert compared.curvature == pytest.approx(np.linalg.eigvalsh(D @ D.T)[-1])
    gram = D @ D.T
    assert compared.orthogonality == pytest.approx(np.linalg.norm(gram - np.eye(16)) / 4)
    turned = np.linalg.qr(D)[0]
    orthonormal = compare_codes(np.ones((1, 16)), turned, n_steps=(1,), cel0=False)
    assert orthonormal.orthogonality < 1e-14
    assert orthonormal.curvature == pytest.approx(1.0)
    assert orthonormal.cel0_residual.size == 0
    assert "cel0" not in orthonormal.methods


def test_a_step_that_would_diverge_gives_way(problem):
    X, D = problem
    large = compare_codes(X[:4], 10 * D, step=0.1, n_steps=(200,), cel0=False)
    assert not large.step_descends
    assert row(large, "gap", "one_step").max() > row(large, "gap", "start").max()
    assert row(large, "relative_gap", "ista_200").max() < 1.0


def test_an_overcomplete_dictionary_starts_at_zero(problem):
    X, _ = problem
    rng = np.random.default_rng(4)
    D = rng.standard_normal((40, 16)) / 4
    layer = rng.standard_normal((40, 40)).clip(0)
    compared = compare_codes(X, D, layer=layer, n_steps=(2,))
    assert compared.methods == ("layer", "ista_2_from_0", "fista_2_from_0", "lasso", "cel0")
    np.testing.assert_array_equal(compared.codes["layer"].to_dense(), layer)


def test_inputs_without_an_answer_are_nan():
    compared = compare_codes(np.zeros((2, 3)), np.eye(3), n_steps=(1,))
    assert np.isnan(compared.table["jaccard"]).all()
    assert np.isnan(compared.mean("lasso")["cosine"])
    assert (compared.table["objective"] == 0).all()
    assert "2 samples" in repr(compared)
    empty = compare_codes(np.zeros((0, 3)), np.eye(3), n_steps=(1,))
    assert empty.table["gap"].shape == (len(empty.methods), 0)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"X": np.full((2, 3), np.nan)}, ValueError, "finite"),
        ({"X": np.full((2, 3), np.inf)}, ValueError, "finite"),
        ({"X": np.ones((2, 4))}, ValueError, "n_features"),
        ({"X": np.array([["a"] * 3])}, TypeError, "real numbers"),
        ({"dictionary": np.zeros((3, 3))}, ValueError, "norm 0"),
        ({"alpha": 0.0}, ValueError, "alpha"),
        ({"step": -1.0}, ValueError, "step"),
        ({"tol": 0.0}, ValueError, "tol"),
        ({"max_iter": 0}, ValueError, "max_iter"),
        ({"n_steps": 3}, TypeError, "n_steps"),
        ({"n_steps": (0,)}, ValueError, "n_steps"),
        ({"layer": np.ones((1, 3))}, ValueError, "layer"),
        ({"layer": -np.ones((2, 3))}, ValueError, "at least 0"),
    ],
)
def test_bad_input(change, error, words):
    arguments = {"X": np.ones((2, 3)), "dictionary": np.eye(3)} | change
    with pytest.raises(error, match=words):
        compare_codes(**arguments)


def test_an_unknown_method(compared):
    with pytest.raises(ValueError, match="method must be one of"):
        compared.mean("ista")
