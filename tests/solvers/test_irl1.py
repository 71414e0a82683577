"""Reweighted l1, reweighting by reweighting against a NumPy twin."""

import numpy as np
import pytest
import twins

from sparsecode.penalties import CEL0, L1, ElasticNet, Half, LogSum
from sparsecode.solvers import irl1

SLOPES = {
    LogSum(0.3, epsilon=0.4): lambda size, norms: 0.3 / (0.4 + size),
    CEL0(0.1): lambda size, norms: norms * np.maximum(np.sqrt(0.2) - norms * size, 0),
}


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(29)
    dictionary = rng.standard_normal((14, 9)) * rng.uniform(0.5, 2.0, (14, 1))
    return rng.standard_normal((5, 9)), dictionary


@pytest.mark.parametrize("penalty", SLOPES, ids=repr)
def test_another_reweighting_changes_nothing(penalty, problem):
    X, dictionary = problem
    norms = np.linalg.norm(dictionary, axis=1)
    step = 1 / np.linalg.norm(dictionary, 2) ** 2
    codes = irl1(X, dictionary, penalty, tol=1e-9).code.to_dense()
    for x, code in zip(X, codes):
        lasso = L1(1.0, weights=np.maximum(SLOPES[penalty](np.abs(code), norms), 1e-12))
        again = twins.fista(lasso, x, dictionary, code, step, 3000)
        np.testing.assert_allclose(code, again, atol=1e-6)


@pytest.mark.filterwarnings("ignore:.*did not converge")
def test_more_reweightings_lower_the_objective(problem):
    X, dictionary = problem
    start = np.random.default_rng(2).standard_normal((5, 14))
    costs = [
        irl1(X, dictionary, CEL0(0.1), init=start, max_iter=n, tol=1e-10).objective
        for n in (1, 2, 4, 8, 100)
    ]
    assert (np.diff(costs, axis=0) <= 1e-9).all()


def test_limits_are_critical_points_certified_by_the_prox_residual(problem):
    X, dictionary = problem
    result = irl1(X, dictionary, CEL0(0.1))
    assert result.converged.all()
    for x, z, found in zip(X, result.code.to_dense(), result.certificate):
        assert found == pytest.approx(twins.prox_residual(CEL0(0.1), x, dictionary, z), abs=1e-12)


def test_slopes_must_be_finite_and_never_grow(problem):
    X, dictionary = problem
    for penalty in (Half(0.1), ElasticNet(0.1)):
        with pytest.raises(TypeError, match=r"as .*LogSum, .* have; got \w+\. Use cd"):
            irl1(X, dictionary, penalty)


def test_extrapolation_does_not_lead_in_circles():
    rng = np.random.default_rng(9)
    dictionary = rng.standard_normal((300, 40))
    X = rng.standard_normal((700, 40))[422:423]
    result = irl1(X, dictionary, LogSum(0.5))
    assert result.converged.all()
    assert result.n_iter[0] < 1000
