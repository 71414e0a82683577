"""The interior-point method on maps, against plain solvers on the explicit dictionary."""

import importlib

import numpy as np
import pytest
import strategies  # noqa: F401 - loads the profile
from conftest import explicit
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

from sparsecode.convolutional import _fourier, greedy_cd, interior_point
from sparsecode.convolutional._band import Band
from sparsecode.convolutional._problem import ConvProblem
from sparsecode.penalties import L0, L1, ElasticNet
from sparsecode.solvers import feature_sign

BOUNDARIES = ("circular", "zero", "valid")
TOL = 1e-5
MODULE = importlib.import_module("sparsecode.convolutional.interior_point")

pytestmark = pytest.mark.filterwarnings("ignore:alpha is so small that the codes are dense")


@pytest.mark.parametrize("alpha", [0.01, 3.0])
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize(("n_axes", "n_channels"), [(1, 1), (1, 2), (2, 1), (2, 3)])
def test_objectives_are_those_of_the_plain_problem(
    boundary, n_axes, n_channels, alpha, problem, plain
):
    X, dictionary = problem(n_axes, n_channels, n_samples=1)
    result = interior_point(X, dictionary, L1(alpha), boundary=boundary, tol=TOL)
    expected = feature_sign(*plain(X, dictionary, boundary), L1(alpha), tol=1e-12)
    assert result.converged.all()
    assert result.code.unit_shape == ConvProblem(X, dictionary, boundary=boundary).unit_shape
    energies = 0.5 * (X**2).sum(axis=(1, *range(2, X.ndim)))
    np.testing.assert_array_less(
        np.abs(result.objective - expected.objective), 1.01 * TOL * energies
    )


@pytest.mark.parametrize("alpha", [0.05, 2.0])
@pytest.mark.parametrize(
    "penalty",
    [
        L1(1.0, positive=True),
        L1(1.0, weights=np.array([1, 2, 0.5, 1.5])),
        ElasticNet(1.0, 0.6),
        ElasticNet(1.0, 0.1),
        ElasticNet(1.0, 0.6, positive=True),
    ],
    ids=["positive", "weighted", "ridge", "mostly ridge", "positive ridge"],
)
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_variants_of_l1(penalty, boundary, alpha, problem, plain):
    X, dictionary = problem(n_channels=2, n_samples=1)
    penalty = penalty._replace(alpha=alpha)
    maps = ConvProblem(X, dictionary, boundary=boundary).unit_shape[1:]
    weights = np.random.default_rng(0).uniform(0.5, 2.0, size=maps)
    own = np.ones(4) if penalty.weights is None else penalty.weights
    result = interior_point(X, dictionary, penalty, boundary=boundary, weights=weights, tol=TOL)
    per_unit = np.repeat(own, weights.size) * np.tile(weights.ravel(), 4)
    expected = feature_sign(
        *plain(X, dictionary, boundary), penalty._replace(weights=per_unit), tol=1e-12
    )
    assert result.converged.all()
    energies = 0.5 * (X**2).sum(axis=(1, 2, 3))
    np.testing.assert_array_less(
        np.abs(result.objective - expected.objective), 1.01 * TOL * energies
    )
    if penalty.positive:
        assert (result.code.values > 0).all()


def test_the_support_is_that_of_the_solution(problem, plain):
    X, dictionary = problem(n_samples=1)
    result = interior_point(X, dictionary, L1(0.5), tol=1e-10)
    expected = feature_sign(*plain(X, dictionary, "circular"), L1(0.5), tol=1e-14)
    np.testing.assert_allclose(
        result.code.to_dense().ravel(), expected.code.to_dense().ravel(), atol=1e-4
    )
    n_active = np.count_nonzero(expected.code.to_dense())
    assert n_active <= result.code.values.size <= 1.02 * n_active


@given(seed=st.integers(0, 2**32 - 1), log_ratio=st.floats(-4.0, -0.1))
@settings(max_examples=10)
def test_gaps_hold_at_every_alpha(seed, log_ratio):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(1, 1, 9, 12)) * 10.0 ** rng.uniform(-3, 3)
    dictionary = rng.normal(size=(5, 1, 3, 3)) * rng.lognormal(size=(5, 1, 1, 1))
    result = interior_point(X, dictionary, "l1", alpha_ratio=10.0**log_ratio, tol=1e-5)
    assert result.converged.all()
    plain = explicit(dictionary, X.shape[2:], "circular")[0]
    exact = feature_sign(X.reshape(1, -1), plain, L1(result.alpha[0]), tol=1e-12)
    energy = 0.5 * (X**2).sum()
    assert result.objective[0] - exact.objective[0] <= result.certificate[0] * energy * (1 + 1e-9)


def test_dual_points_certify_more_than_residuals_do(problem):
    """The code alone, certified by its residual, shows a gap many times as large."""
    X, dictionary = problem(n_samples=1)
    result = interior_point(X, dictionary, L1(0.01), tol=1e-4)
    with pytest.warns(ConvergenceWarning):
        alone = greedy_cd(X, dictionary, L1(0.01), init=result.code, max_iter=1, tol=1e-9)
    assert alone.objective[0] <= result.objective[0] * (1 + 1e-9)
    assert alone.certificate[0] > 3.0 * result.certificate[0]


@pytest.mark.parametrize("boundary", ["circular", "valid"])
def test_float32_stays_so_and_is_certified(boundary, problem):
    X, dictionary = problem(dtype=np.float32)
    for tol in (1e-2, 1e-5):
        result = interior_point(X, dictionary, "l1", alpha_ratio=0.01, boundary=boundary, tol=tol)
        assert result.converged.all()
        assert result.code.values.dtype == np.float32
    exact = interior_point(
        X.astype(float), dictionary, "l1", alpha_ratio=0.01, boundary=boundary, tol=1e-6
    )
    energies = 0.5 * (X.astype(float) ** 2).sum(axis=(1, 2, 3))
    np.testing.assert_array_less(result.objective - exact.objective, 1.1e-5 * energies)


def test_codes_do_not_depend_on_threads_or_on_the_batch(problem, monkeypatch):
    monkeypatch.setattr(_fourier, "ENTRIES_FOR_THREADS", 0)
    X, _ = problem(dtype=np.float32)
    dictionary = np.random.default_rng(1).normal(size=(37, 1, 3, 4))
    one, two = (interior_point(X, dictionary, L1(0.1), n_threads=n) for n in (1, 2))
    alone = interior_point(X[1:], dictionary, L1(0.1), n_threads=2)
    np.testing.assert_array_equal(one.code.to_dense(), two.code.to_dense())
    np.testing.assert_array_equal(one.code.to_dense()[1:], alone.code.to_dense())


def test_signals_that_want_no_atom_have_the_code_0(problem):
    X, dictionary = problem()
    X[0] = 0
    result = interior_point(X, dictionary, "l1", alpha_ratio=1.0)
    assert result.converged.all()
    np.testing.assert_allclose(result.code.to_dense()[0], 0.0)
    np.testing.assert_allclose(result.code.to_dense(), 0.0, atol=1e-3)
    assert interior_point(X[:0], dictionary, L1(2.0)).code.n_samples == 0


@pytest.mark.parametrize("scale", [1e-20, 1e15])
def test_scales_are_no_matter(scale, problem):
    X, dictionary = problem(n_samples=1)
    expected = interior_point(X, dictionary, L1(0.1), tol=1e-6)
    result = interior_point(scale * X, dictionary, L1(scale * 0.1), tol=1e-6)
    assert result.converged.all()
    np.testing.assert_allclose(result.objective, scale**2 * expected.objective, rtol=1e-4)


def test_an_early_end_is_reported(problem):
    X, dictionary = problem()
    with pytest.warns(ConvergenceWarning, match="2 of 2 samples did not converge: largest duality"):
        result = interior_point(X, dictionary, L1(0.01), max_iter=1, tol=1e-6)
    assert (result.n_iter == 1).all()
    assert not result.converged.any()
    assert np.isfinite(result.objective).all()


def test_penalties_must_be_convex(problem):
    with pytest.raises(TypeError, match=r"of interior_point must be convex.* got L0\."):
        interior_point(*problem(), L0(1.0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(X=np.ones((1, 1, 2, 9))), "at least as large as an atom"),
        (dict(X=np.ones((1, 2, 9, 9))), "1 channels"),
        (dict(X=np.full((1, 1, 9, 9), np.nan)), "NaN|finite"),
        (dict(dictionary=np.zeros((4, 1, 3, 4))), "no atom of norm 0"),
        (dict(boundary="periodic"), "boundary must be"),
        (dict(max_iter=0), "max_iter"),
        (dict(tol=0.0), "tol"),
    ],
)
def test_bad_arguments(change, message, problem):
    X, dictionary = problem()
    arguments = {"X": X, "dictionary": dictionary, "penalty": L1(1.0)} | change
    with pytest.raises(ValueError, match=message):
        interior_point(**arguments)


@pytest.mark.parametrize("most", [1e2, 1e8])
def test_places_may_weigh_very_differently(most):
    rng = np.random.default_rng(0)
    X, dictionary = rng.normal(size=(1, 1, 24, 24)), rng.normal(size=(6, 1, 5, 5))
    dictionary /= np.sqrt((dictionary**2).sum(axis=(2, 3), keepdims=True))
    weights = np.ones((1, 24, 24))
    weights[:, :, :6] = most
    result = interior_point(X, dictionary, L1(0.3), weights=weights)
    expected = greedy_cd(X, dictionary, L1(0.3), weights=weights)
    assert result.converged.all()
    assert result.objective[0] == pytest.approx(expected.objective[0], abs=1e-4 * 288)


def test_paths_whose_gap_first_rises_are_gone_on():
    X = np.array([[[1.0, -1.0, 0.5, -0.3, 0.2, -2.0]]])
    result = interior_point(
        X, np.ones((1, 1, 1)), L1(1.0, positive=True), alpha_ratio=1e-4, tol=1e-6
    )
    np.testing.assert_allclose(
        result.code.to_dense()[0, 0], np.maximum(X[0, 0] - result.alpha[0], 0.0), atol=1e-3
    )


def test_values_are_settled_however_few_steps_are_allowed(problem):
    X, dictionary = problem(n_samples=1)
    first, second = (
        interior_point(X, dictionary, L1(0.3), tol=1e-2, max_iter=n) for n in (20, 100)
    )
    assert first.n_iter == second.n_iter
    np.testing.assert_array_equal(first.code.to_dense(), second.code.to_dense())


def test_a_smaller_tolerance_gives_no_worse_a_code():
    rng = np.random.default_rng(4)
    X = rng.normal(size=(1, 1, 16, 16))
    y, x = np.mgrid[-3:4, -3:4]
    bank = np.exp(-(y**2 + x**2) / (2.0 * np.arange(0.6, 2.0, 0.3)[:, None, None] ** 2))[:, None]
    tolerances = 1e-3, 1e-5, 1e-9
    results = [interior_point(X, bank, "l1", alpha_ratio=1e-3, tol=tol) for tol in tolerances]
    gaps = [result.certificate[0] for result in results]
    assert all(result.converged.all() for result in results)
    assert gaps[0] >= gaps[1] >= gaps[2] * (1 - 1e-6)


@pytest.mark.parametrize("size", [1e-20, 1e15])
def test_float32_atoms_may_be_tiny_or_huge(size, problem):
    X, dictionary = problem(dtype=np.float32, n_samples=1)
    scaled = (dictionary * size).astype(np.float32)
    result = interior_point(X, scaled, "l1", alpha_ratio=0.1, tol=1e-3)
    assert result.converged.all()


@pytest.mark.filterwarnings("ignore:overflow encountered", "ignore:invalid value encountered")
def test_signals_of_infinite_energy_are_not_said_to_converge(problem):
    X, dictionary = problem(n_samples=1)
    with pytest.warns(ConvergenceWarning, match="1 of 1 samples did not converge"):
        result = interior_point(1e160 * X, dictionary, "l1", alpha_ratio=0.1)
    assert not result.converged.any()


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize(("n_axes", "n_channels"), [(1, 2), (2, 1), (2, 2)])
def test_factorised_systems_lead_to_small_gaps(
    boundary, n_axes, n_channels, problem, plain, always_factorised
):
    X, dictionary = problem(n_axes, n_channels, n_samples=1)
    result = interior_point(X, dictionary, L1(0.01), boundary=boundary, tol=1e-9)
    expected = feature_sign(*plain(X, dictionary, boundary), L1(0.01), tol=1e-12)
    assert result.converged.all()
    assert always_factorised
    np.testing.assert_allclose(result.objective, expected.objective, rtol=1e-8)


def test_systems_that_cannot_be_factorised_are_iterated(problem, always_factorised, monkeypatch):
    def refuse(self, weights):
        raise np.linalg.LinAlgError

    X, dictionary = problem(n_samples=1)
    monkeypatch.setattr(Band, "factorise", refuse)
    assert interior_point(X, dictionary, L1(0.01), tol=TOL).converged.all()


def test_factors_that_are_too_large_are_not_made(problem, always_factorised, monkeypatch):
    X, dictionary = problem(n_samples=1)
    monkeypatch.setattr(MODULE, "MOST_FACTORS", 0)
    assert interior_point(X, dictionary, L1(0.01), tol=TOL).converged.all()
    assert not always_factorised


@pytest.fixture
def always_factorised(monkeypatch):
    """Factorise every system but a path's first; yield the shapes of the weights."""
    made = []

    def factorise(self, weights, original=Band.factorise):
        made.append(weights.shape)
        original(self, weights)

    monkeypatch.setattr(Band, "factorise", factorise)
    monkeypatch.setattr(MODULE, "UNIT_COST", 1e12)
    return made
