"""Proximal gradient, plain and accelerated, step by step against a NumPy twin."""

import warnings

import numpy as np
import pytest
import twins
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

from sparsecode.penalties import CEL0, L0, L1, ElasticNet, Half
from sparsecode.solvers import cd, fista, ista

PENALTIES = [L1(0.3), L0(0.1), Half(0.15), CEL0(0.1)]


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(13)
    dictionary = rng.standard_normal((14, 9)) * rng.uniform(0.4, 2.0, (14, 1))
    weights = rng.uniform(0.5, 2.0, 14)
    return rng.standard_normal((6, 9)), dictionary, weights


@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
@pytest.mark.parametrize("n_iter", [1, 2, 30])
@pytest.mark.filterwarnings("ignore:.*did not converge")
def test_ista_steps_like_its_twin(penalty, n_iter, problem):
    X, dictionary, weights = problem
    curvature = np.linalg.norm(dictionary, 2) ** 2
    init = np.random.default_rng(1).standard_normal((6, 14))
    for struct, step, start in (
        (penalty, 1 / curvature, init),
        (penalty._replace(positive=True, weights=weights), 0.4 / curvature, np.abs(init)),
    ):
        result = ista(X, dictionary, struct, init=start, step=step, max_iter=n_iter, tol=1e-15)
        for x, z, code, found in zip(X, start, result.code.to_dense(), result.objective):
            twin = twins.ista(struct, x, dictionary, z, step, n_iter)
            np.testing.assert_allclose(code, twin, atol=1e-10)
            assert found == pytest.approx(twins.objective(struct, x, dictionary, twin))


@pytest.mark.parametrize("penalty", [L1(0.3), ElasticNet(0.3)], ids=repr)
@pytest.mark.parametrize("n_iter", [1, 3, 60])
@pytest.mark.filterwarnings("ignore:.*did not converge")
def test_fista_steps_like_its_twin(penalty, n_iter, problem):
    X, dictionary, weights = problem
    step = 1 / np.linalg.norm(dictionary, 2) ** 2
    for struct in (penalty, penalty._replace(positive=True, weights=weights)):
        codes = fista(X, dictionary, struct, max_iter=n_iter, tol=1e-15).code.to_dense()
        for x, code in zip(X, codes):
            twin = twins.fista(struct, x, dictionary, np.zeros(14), step, n_iter)
            np.testing.assert_allclose(code, twin, atol=1e-10)


def test_acceleration_pays_on_ill_conditioned_problems():
    rng = np.random.default_rng(3)
    dictionary = rng.standard_normal((30, 20)) + 1.0  # all atoms share a direction
    X = rng.standard_normal((10, 20))
    slow = ista(X, dictionary, "l1", alpha_ratio=0.1, max_iter=500_000)
    fast = fista(X, dictionary, "l1", alpha_ratio=0.1)
    assert slow.converged.all()
    assert fast.converged.all()
    np.testing.assert_allclose(slow.objective, fast.objective, rtol=1e-5)
    assert 5 * fast.n_iter.mean() < slow.n_iter.mean()


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    penalty=st.sampled_from([*PENALTIES, ElasticNet(0.3, positive=True)]),
    steps=st.integers(1, 12),
)
@pytest.mark.filterwarnings("ignore:.*did not converge")
def test_ista_never_climbs_and_convex_gaps_are_never_negative(seed, penalty, steps):
    rng = np.random.default_rng(seed)
    dictionary, X = rng.standard_normal((15, 8)), rng.standard_normal((4, 8))
    start = np.abs(rng.standard_normal((4, 15)))
    before = ista(X, dictionary, penalty, init=start, max_iter=steps, tol=1e-15)
    after = ista(X, dictionary, penalty, init=start, max_iter=steps + 1, tol=1e-15)
    assert (after.objective <= before.objective + 1e-12).all()
    assert (after.certificate >= 0).all()


@pytest.mark.parametrize("step", [0.05, 0.3, 1.0])
def test_prox_residuals_prove_a_fixed_point_of_the_step_that_was_taken(step, problem):
    X, dictionary, _ = problem
    step = step / np.linalg.norm(dictionary, 2) ** 2
    for penalty in PENALTIES[1:]:
        result = ista(X, dictionary, penalty, step=step, max_iter=3_000_000)
        assert result.converged.all()
        assert result.certificate_name == "prox residual"
        for x, z, found in zip(X, result.code.to_dense(), result.certificate):
            twin = twins.prox_residual(penalty, x, dictionary, z, step)
            assert found == pytest.approx(twin, rel=1e-6, abs=1e-12)


def test_rounding_of_many_float32_steps_is_noticed_before_stopping():
    """Correlations gather errors over thousands of moves; a stop is checked on fresh ones."""
    rng = np.random.default_rng(4)
    dictionary = (rng.standard_normal((60, 30)) + 1.0).astype(np.float32)
    X = rng.standard_normal((40, 30)).astype(np.float32)
    for solver in (ista, fista):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            result = solver(X, dictionary, "l1", alpha_ratio=0.03)
        assert (result.n_iter > 300).all()
        assert result.converged[result.n_iter < 10_000].all()


def test_solvers_of_one_convex_problem_agree(problem):
    X, dictionary, weights = problem
    penalty = L1(0.2, weights=weights)
    one, two, three = (
        f(X, dictionary, penalty, tol=1e-8, max_iter=200_000) for f in (cd, fista, ista)
    )
    np.testing.assert_allclose(one.objective, two.objective, rtol=1e-7)
    np.testing.assert_allclose(one.objective, three.objective, rtol=1e-7)
