"""The locally competitive algorithm against its differential equation and its equilibria."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from sparsecode.core import normalize
from sparsecode.penalties import L0, L1, prox
from sparsecode.solvers import cd, lca, lca_time_course


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(2)
    return rng.standard_normal((5, 16)), normalize(rng.standard_normal((24, 16)))


def test_time_course_follows_the_differential_equation(problem):
    X, dictionary = problem
    penalty = L1(0.4)

    def velocity(_, u):
        a = np.sign(u) * np.maximum(np.abs(u) - 0.4, 0.0)
        return dictionary @ (X[0] - a @ dictionary) - u + a

    course = lca_time_course(X[0], dictionary, penalty, duration=6.0, step=1e-4, n_records=13)
    exact = solve_ivp(velocity, (0, 6), np.zeros(24), t_eval=course.time, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(course.time, np.linspace(0, 6, 13))
    np.testing.assert_allclose(course.potentials, exact.y.T, atol=2e-3)
    expected = [[prox(penalty, u, 1.0, j) for j, u in enumerate(row)] for row in course.potentials]
    np.testing.assert_allclose(course.codes, expected)
    energy = 0.5 * ((X[0] - course.codes @ dictionary) ** 2).sum(axis=1)
    np.testing.assert_allclose(course.objective, energy + 0.4 * np.abs(course.codes).sum(axis=1))
    assert course.objective[-1] < course.objective[0]


def test_soft_equilibria_are_lasso_codes(problem):
    X, dictionary = problem
    network = lca(X, dictionary, L1(0.2), tol=1e-10)
    np.testing.assert_allclose(
        network.code.to_dense(), cd(X, dictionary, L1(0.2), tol=1e-10).code.to_dense(), atol=1e-4
    )


def test_hard_equilibria_are_stationary_for_l0(problem):
    X, dictionary = problem
    network = lca(X, dictionary, L0(0.1))
    assert network.coordinate_stationary.all()
    kept = cd(X, dictionary, L0(0.1), init=network.code)
    np.testing.assert_allclose(kept.code.to_dense(), network.code.to_dense(), atol=1e-5)


def test_atoms_must_have_unit_norm(problem):
    X, dictionary = problem
    with pytest.raises(ValueError, match=r"unit norm; atom \d+ has norm 2"):
        lca(X, 2.0 * dictionary, L1(0.2))
    with pytest.raises(ValueError, match="one sample; got 5"):
        lca_time_course(X, dictionary, L1(0.2))
    with pytest.raises(ValueError, match="duration"):
        lca_time_course(X[0], dictionary, L1(0.2), duration=-1.0)
