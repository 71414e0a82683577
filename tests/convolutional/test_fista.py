"""FISTA on maps, against plain solvers on the explicit dictionary."""

import numpy as np
import pytest
import twins
from sklearn.exceptions import ConvergenceWarning

from sparsecode.convolutional import _fourier
from sparsecode.convolutional._problem import ConvProblem
from sparsecode.convolutional.fista import fista
from sparsecode.penalties import L0, L1, ElasticNet
from sparsecode.solvers import feature_sign

BOUNDARIES = ("circular", "zero", "valid")


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize(("n_axes", "n_channels"), [(1, 1), (1, 2), (2, 1), (2, 3)])
def test_objectives_are_those_of_the_plain_problem(boundary, n_axes, n_channels, problem, plain):
    X, dictionary = problem(n_axes, n_channels)
    result = fista(X, dictionary, L1(3.0), boundary=boundary, tol=1e-9)
    expected = feature_sign(*plain(X, dictionary, boundary), L1(3.0), tol=1e-12)
    assert result.converged.all()
    assert result.code.unit_shape == ConvProblem(X, dictionary, boundary=boundary).unit_shape
    np.testing.assert_allclose(result.objective, expected.objective, rtol=1e-8)


@pytest.mark.parametrize(
    "penalty",
    [L1(2.0, positive=True), L1(2.0, weights=np.array([1, 2, 0.5, 1.5])), ElasticNet(2.0, 0.6)],
    ids=["positive", "weighted", "ridge"],
)
@pytest.mark.parametrize("boundary", ["circular", "zero"])
def test_variants_of_l1(penalty, boundary, problem, plain):
    X, dictionary = problem(n_channels=2)
    maps = ConvProblem(X, dictionary, boundary=boundary).unit_shape[1:]
    weights = np.random.default_rng(0).uniform(0.5, 2.0, size=maps)
    own = np.ones(4) if penalty.weights is None else penalty.weights
    result = fista(X, dictionary, penalty, boundary=boundary, weights=weights, tol=1e-9)
    per_unit = np.repeat(own, weights.size) * np.tile(weights.ravel(), 4)
    expected = feature_sign(
        *plain(X, dictionary, boundary), penalty._replace(weights=per_unit), tol=1e-12
    )
    np.testing.assert_allclose(result.objective, expected.objective, rtol=1e-8)
    if penalty.positive:
        assert (result.code.values > 0).all()


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("n_iter", [1, 2, 40])
@pytest.mark.parametrize("penalty", [L1(2.0), ElasticNet(2.0, 0.6, positive=True)], ids=repr)
@pytest.mark.filterwarnings("ignore:.*did not converge")
def test_steps_are_those_of_its_twin(boundary, n_iter, penalty, problem, plain):
    X, dictionary = problem(n_channels=2, n_samples=1)
    result = fista(X, dictionary, penalty, boundary=boundary, max_iter=n_iter, tol=1e-15)
    x, rows = plain(X, dictionary, boundary)
    step = 1 / ConvProblem(X, dictionary, penalty, boundary=boundary).curvature
    twin = twins.fista(penalty, x[0], rows, np.zeros(len(rows)), step, n_iter)
    np.testing.assert_allclose(result.code.to_dense().ravel(), twin, atol=1e-10)
    assert result.n_iter == n_iter


@pytest.mark.parametrize("boundary", ["circular", "valid"])
def test_float32_stays_so_and_is_certified(boundary, problem):
    X, dictionary = problem(dtype=np.float32)
    result = fista(X, dictionary, "l1", alpha_ratio=0.1, boundary=boundary, tol=1e-5)
    exact = fista(X.astype(float), dictionary, "l1", alpha_ratio=0.1, boundary=boundary, tol=1e-9)
    assert result.converged.all()
    assert result.code.values.dtype == np.float32
    np.testing.assert_allclose(result.objective, exact.objective, rtol=2e-5)
    np.testing.assert_allclose(result.alpha, exact.alpha, rtol=1e-6)


def test_a_solution_is_left_as_it_is(problem):
    X, dictionary = problem()
    first = fista(X, dictionary, L1(2.0), tol=1e-8)
    again = fista(X, dictionary, L1(2.0), tol=1e-8, init=first.code)
    assert (again.n_iter == 0).all()
    np.testing.assert_array_equal(again.code.to_dense(), first.code.to_dense())


def test_codes_do_not_depend_on_threads_or_on_the_batch(problem, monkeypatch):
    monkeypatch.setattr(_fourier, "ENTRIES_FOR_THREADS", 0)
    X, _ = problem(dtype=np.float32)
    dictionary = np.random.default_rng(1).normal(size=(37, 1, 3, 4))
    one, two = (fista(X, dictionary, L1(3.0), n_threads=n) for n in (1, 2))
    alone = fista(X[1:], dictionary, L1(3.0), n_threads=2)
    np.testing.assert_array_equal(one.code.to_dense(), two.code.to_dense())
    np.testing.assert_array_equal(one.code.to_dense()[1:], alone.code.to_dense())


def test_signals_that_want_no_atom_have_the_code_0(problem):
    X, dictionary = problem()
    X[0] = 0
    result = fista(X, dictionary, "l1", alpha_ratio=1.0)
    assert result.code.indices.size == 0
    assert result.converged.all()
    assert (result.n_iter == 0).all()
    warm = np.ones((2, 4, *X.shape[2:]))
    assert fista(X[:1], dictionary, L1(2.0), init=warm[:1]).code.indices.size == 0
    assert fista(X[:0], dictionary, L1(2.0)).code.n_samples == 0


def test_an_early_end_is_reported(problem):
    X, dictionary = problem()
    with pytest.warns(ConvergenceWarning, match="2 of 2 samples did not converge: largest duality"):
        result = fista(X, dictionary, L1(0.1), max_iter=3)
    assert (result.n_iter == 3).all()
    assert not result.converged.any()


def test_penalties_must_be_convex(problem):
    with pytest.raises(TypeError, match=r"of fista must be convex.* got L0\. Use greedy_cd"):
        fista(*problem(), L0(1.0))
