"""ADMM by transforms, against the same iteration with an explicit dictionary."""

import numpy as np
import pytest
import twins
from sklearn.exceptions import ConvergenceWarning

from sparsecode.convolutional import _fourier
from sparsecode.convolutional._problem import ConvProblem
from sparsecode.convolutional.admm import admm
from sparsecode.penalties import L0, L1, ElasticNet
from sparsecode.solvers import feature_sign

BOUNDARIES = ("circular", "zero", "valid")


def relative(change, *scales):
    scale = max(np.linalg.norm(one) for one in scales)
    return np.linalg.norm(change) / (scale or 1.0)


def twin(penalty, x, rows, n_iter, tol=0.0):
    """Iterate with the published settings; return codes and the iterations used."""
    rho = 50 * penalty.alpha + 1
    target = 1 + 18.3 ** (np.log10(penalty.alpha) + 1)
    y = u = np.zeros(len(rows))
    for iteration in range(n_iter):
        z = np.linalg.solve(rows @ rows.T + rho * np.eye(len(rows)), rows @ x + rho * (y - u))
        relaxed = 1.8 * z - 0.8 * y
        older, y = y, twins.prox(penalty, rows, relaxed + u, 1 / rho)
        u = u + relaxed - y
        primal, dual = relative(z - y, z, y), relative(y - older, u)
        if primal < tol and dual < tol:
            return y, iteration + 1
        if iteration > 0:
            ratio = primal / (target * dual)
            if not 1 / 1.2 <= ratio <= 1.2:
                change = np.clip(np.sqrt(ratio), 1e-3, 1e3)
                rho, u = rho * change, u / change
    return y, n_iter


@pytest.mark.parametrize("n_iter", [1, 2, 3, 30])
@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize(
    "penalty",
    [L1(0.1), L1(2.0, weights=np.array([1, 2, 0.5, 1.5])), ElasticNet(2.0, 0.6, positive=True)],
    ids=["l1", "weighted", "ridge"],
)
@pytest.mark.filterwarnings("ignore:.*did not converge")
def test_published_iterations_are_those_of_its_twin(n_iter, n_channels, penalty, problem, plain):
    X, dictionary = problem(1, n_channels, n_samples=1)
    x, rows = plain(X, dictionary, "circular")
    if penalty.weights is None:
        per_unit = penalty
    else:
        per_unit = penalty._replace(weights=np.repeat(penalty.weights, X.shape[2]))
    result = admm(X, dictionary, penalty, preset="paper", max_iter=n_iter, tol=1e-12)
    expected, _ = twin(per_unit, x[0], rows, n_iter)
    np.testing.assert_allclose(result.code.to_dense().ravel(), expected, atol=1e-9)


@pytest.mark.filterwarnings("ignore:.*did not converge")
def test_the_published_preset_stops_at_small_residuals_or_after_100_iterations(problem, plain):
    X, dictionary = problem(1, n_samples=1)
    x, rows = plain(X, dictionary, "circular")
    penalty = ElasticNet(2.0, 0.6, positive=True)
    for tol in (1e-2, 1e-3):
        expected, n_iter = twin(penalty, x[0], rows, 100, tol)
        result = admm(X, dictionary, penalty, preset="paper", tol=tol)
        assert result.n_iter == n_iter < 100
        np.testing.assert_allclose(result.code.to_dense().ravel(), expected, atol=1e-9)
    assert admm(X, dictionary, L1(0.01), preset="paper", tol=1e-12).n_iter == 100


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize(("n_axes", "n_channels"), [(1, 1), (1, 2), (2, 1), (2, 3)])
def test_objectives_are_those_of_the_plain_problem(boundary, n_axes, n_channels, problem, plain):
    X, dictionary = problem(n_axes, n_channels)
    result = admm(X, dictionary, L1(3.0), boundary=boundary, tol=1e-9)
    expected = feature_sign(*plain(X, dictionary, boundary), L1(3.0), tol=1e-12)
    assert result.converged.all()
    np.testing.assert_allclose(result.objective, expected.objective, rtol=1e-8)


@pytest.mark.parametrize(
    "penalty",
    [L1(2.0, positive=True), L1(2.0, weights=np.array([1, 2, 0.5, 1.5])), ElasticNet(2.0, 0.6)],
    ids=["positive", "weighted", "ridge"],
)
@pytest.mark.parametrize("boundary", ["circular", "valid"])
def test_variants_of_l1_from_any_start(penalty, boundary, problem, plain):
    X, dictionary = problem(n_channels=2, n_samples=1)
    maps = ConvProblem(X, dictionary, boundary=boundary).unit_shape[1:]
    rng = np.random.default_rng(0)
    weights = rng.uniform(0.5, 2.0, size=maps)
    own = np.ones(4) if penalty.weights is None else penalty.weights
    per_unit = np.repeat(own, weights.size) * np.tile(weights.ravel(), 4)
    expected = feature_sign(
        *plain(X, dictionary, boundary), penalty._replace(weights=per_unit), tol=1e-12
    )
    for init in (None, np.abs(rng.normal(size=(1, 4, *maps))) * (rng.random(maps) < 0.2)):
        result = admm(
            X, dictionary, penalty, boundary=boundary, weights=weights, init=init, tol=1e-9
        )
        np.testing.assert_allclose(result.objective, expected.objective, rtol=1e-8)
        if penalty.positive:
            assert (result.code.values > 0).all()


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.filterwarnings("ignore:.*did not converge")
def test_a_solution_is_a_fixed_point(boundary, problem):
    X, dictionary = problem(n_channels=2)
    penalty = ElasticNet(2.0, 0.8)
    first = admm(X, dictionary, penalty, boundary=boundary, tol=1e-12)
    again = admm(X, dictionary, penalty, boundary=boundary, tol=1e-11, init=first.code)
    assert (again.n_iter == 0).all()
    np.testing.assert_allclose(again.code.to_dense(), first.code.to_dense(), atol=1e-14)
    moved = admm(X, dictionary, penalty, boundary=boundary, tol=1e-15, init=first.code, max_iter=1)
    np.testing.assert_allclose(moved.code.to_dense(), first.code.to_dense(), atol=1e-5)


@pytest.mark.parametrize("boundary", ["circular", "valid"])
def test_float32_stays_so_and_is_certified(boundary, problem):
    X, dictionary = problem(dtype=np.float32, n_channels=2)
    result = admm(X, dictionary, "l1", alpha_ratio=0.1, boundary=boundary, tol=1e-5)
    exact = admm(X.astype(float), dictionary, "l1", alpha_ratio=0.1, boundary=boundary, tol=1e-9)
    assert result.converged.all()
    assert result.code.values.dtype == np.float32
    np.testing.assert_allclose(result.objective, exact.objective, rtol=2e-5)


def test_codes_do_not_depend_on_threads_or_on_the_batch(problem, monkeypatch):
    monkeypatch.setattr(_fourier, "ENTRIES_FOR_THREADS", 0)
    X, _ = problem(dtype=np.float32)
    dictionary = np.random.default_rng(1).normal(size=(37, 1, 3, 4))
    one, two = (admm(X, dictionary, L1(3.0), n_threads=n) for n in (1, 2))
    alone = admm(X[1:], dictionary, L1(3.0), n_threads=2)
    np.testing.assert_array_equal(one.code.to_dense(), two.code.to_dense())
    np.testing.assert_array_equal(one.code.to_dense()[1:], alone.code.to_dense())


@pytest.mark.parametrize("preset", ["certified", "paper"])
def test_signals_that_want_no_atom_have_the_code_0(preset, problem):
    X, dictionary = problem()
    X[0] = 0
    result = admm(X, dictionary, "l1", alpha_ratio=1.01, preset=preset)
    assert result.code.indices.size == 0
    assert result.converged.all()
    warm = np.ones((1, 4, *X.shape[2:]))
    assert admm(X[:1], dictionary, L1(2.0), init=warm, preset=preset).code.indices.size == 0
    assert admm(X[:0], dictionary, L1(2.0), preset=preset).code.n_samples == 0


def test_the_start_of_rho_and_relaxation_change_the_way_but_not_the_end(problem):
    X, dictionary = problem(1)
    wanted = admm(X, dictionary, L1(2.0), tol=1e-9)
    for options in ({"rho": 1e-3}, {"rho": 1e4}, {"relaxation": 1.0}):
        result = admm(X, dictionary, L1(2.0), tol=1e-9, **options)
        assert (result.n_iter != wanted.n_iter).any()
        np.testing.assert_allclose(result.objective, wanted.objective, rtol=1e-8)


def test_an_early_end_is_reported(problem):
    X, dictionary = problem()
    with pytest.warns(ConvergenceWarning, match="2 of 2 samples did not converge: largest duality"):
        result = admm(X, dictionary, L1(0.1), max_iter=3)
    assert (result.n_iter == 3).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "fast"}, "preset must be one of"),
        ({"rho": 0.0}, "rho must be .* above 0"),
        ({"relaxation": 2.0}, "relaxation must be above 0 and below 2; got 2.0"),
        ({"relaxation": -1.0}, "relaxation must be .* above 0"),
    ],
)
def test_bad_options_are_named(options, message, problem):
    with pytest.raises(ValueError, match=message):
        admm(*problem(), L1(1.0), **options)


def test_penalties_must_be_convex(problem):
    with pytest.raises(TypeError, match=r"of admm must be convex.* got L0\. Use greedy_cd"):
        admm(*problem(), L0(1.0))
