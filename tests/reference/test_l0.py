"""l0 and CEL0 against brute force over all supports."""

from itertools import combinations

import numpy as np
import pytest

from sparsecode.penalties import CEL0, L0, check_penalty, value
from sparsecode.solvers import cd, cel0_macro, ista

N_ATOMS, N_FEATURES = 10, 6


def brute_force(x, dictionary, alpha):
    """Return a code with the least 1/2 ||x - zD||^2 + alpha ||z||_0 over all supports."""
    best, optimum = 0.5 * x @ x, np.zeros(N_ATOMS)
    for size in range(1, N_FEATURES + 1):
        for support in combinations(range(N_ATOMS), size):
            atoms = dictionary[list(support)]
            z = np.linalg.lstsq(atoms.T, x, rcond=None)[0]
            residual = x - z @ atoms
            cost = 0.5 * residual @ residual + alpha * size
            if cost < best:
                best, optimum = cost, np.zeros(N_ATOMS)
                optimum[list(support)] = z
    return best, optimum


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(21)
    dictionary = rng.standard_normal((N_ATOMS, N_FEATURES)) * rng.uniform(0.5, 2, (N_ATOMS, 1))
    X = rng.standard_normal((12, N_FEATURES))
    alpha = 0.15
    best, optima = zip(*(brute_force(x, dictionary, alpha) for x in X))
    return X, dictionary, alpha, np.array(best), np.array(optima)


def random_starts(X, n_starts):
    rng = np.random.default_rng(22)
    return [rng.standard_normal((len(X), N_ATOMS)) for _ in range(n_starts)]


SOLVES = {
    "l0 by cd": lambda X, D, alpha, **o: cd(X, D, L0(alpha), max_iter=1_000_000, **o),
    "cel0 by cd": lambda X, D, alpha, **o: cd(X, D, CEL0(alpha), max_iter=1_000_000, **o),
    "cel0 by macro": lambda X, D, alpha, **o: cel0_macro(
        X, D, CEL0(alpha), max_iter=1_000_000, **o
    ),
}


@pytest.mark.parametrize("solve", SOLVES.values(), ids=SOLVES)
def test_the_global_optimum_is_a_fixed_point(solve, problem):
    X, dictionary, alpha, exact, optima = problem
    result = solve(X, dictionary, alpha, init=optima)
    np.testing.assert_allclose(result.objective, exact, rtol=1e-12)
    np.testing.assert_allclose(result.code.to_dense(), optima, atol=1e-9)
    assert result.coordinate_stationary.all()


@pytest.mark.parametrize("solve", SOLVES.values(), ids=SOLVES)
def test_no_start_leads_below_the_global_optimum(solve, problem):
    """For CEL0 this is its exactness: the relaxation has no lower value than l0."""
    X, dictionary, alpha, exact, _ = problem
    reached = np.zeros(len(X), bool)
    for init in [None, *random_starts(X, 25)]:
        objective = solve(X, dictionary, alpha, init=init).objective
        assert (objective >= exact - 1e-8).all()
        reached |= objective <= exact + 1e-7
    assert reached.sum() >= 4


def test_macro_output_is_locally_optimal_for_l0(problem):
    X, dictionary, alpha, *_ = problem
    result = cel0_macro(X, dictionary, CEL0(alpha), init=random_starts(X, 1)[0])
    assert result.converged.all()
    codes = result.code.to_dense()
    knees = np.sqrt(2 * alpha) / np.linalg.norm(dictionary, axis=1)
    strictly_between = (np.abs(codes) > 1e-12) & (np.abs(codes) < knees * (1 - 1e-4))
    assert not strictly_between.any()
    for x, z, objective in zip(X, codes, result.objective):
        support = np.flatnonzero(z)
        l0 = 0.5 * ((x - z @ dictionary) ** 2).sum() + alpha * support.size
        assert l0 == pytest.approx(objective, abs=1e-5)
        best, *_ = np.linalg.lstsq(dictionary[support].T, x, rcond=None)
        np.testing.assert_allclose(z @ dictionary, best @ dictionary[support], atol=1e-4)


def test_l0_and_cel0_share_the_fixed_points_of_coordinate_descent(problem):
    X, dictionary, alpha, *_ = problem
    l0 = cd(X, dictionary, L0(alpha))
    cel0 = cd(X, dictionary, CEL0(alpha))
    np.testing.assert_allclose(l0.code.to_dense(), cel0.code.to_dense(), atol=1e-6)
    assert l0.coordinate_stationary.all()
    assert cel0.coordinate_stationary.all()


def test_stationarity_is_what_it_says(problem):
    X, dictionary, alpha, *_ = problem
    squared = (dictionary**2).sum(axis=1)
    result = ista(X, dictionary, L0(alpha), step=1e-3)
    for x, z, claimed in zip(X, result.code.to_dense(), result.coordinate_stationary):
        correlation = dictionary @ (x - z @ dictionary) + squared * z  # z_j taken out
        best = np.where(correlation**2 > 2 * alpha * squared, correlation / squared, 0.0)
        assert claimed == np.allclose(z, best, atol=1e-5)


def test_short_steps_hold_back_correlated_atoms(problem):
    """The hysteresis of iterative hard thresholding: spec, Why CEL0 wins."""
    X, dictionary, alpha, *_ = problem
    dictionary = dictionary / np.linalg.norm(dictionary, axis=1, keepdims=True)
    step = 0.01
    hard = ista(X, dictionary, L0(alpha), step=step, max_iter=100_000).code.to_dense()
    relaxed = ista(X, dictionary, CEL0(alpha), step=step, max_iter=100_000).code.to_dense()
    held_hard = np.abs((X - hard @ dictionary) @ dictionary.T)[hard == 0].max()
    held_relaxed = np.abs((X - relaxed @ dictionary) @ dictionary.T)[relaxed == 0].max()
    assert held_hard <= np.sqrt(2 * alpha / step)
    assert held_hard > 2 * np.sqrt(2 * alpha)
    assert held_relaxed <= np.sqrt(2 * alpha) * (1 + 1e-4)


@pytest.mark.filterwarnings("ignore:.*did not converge")  # a few supports are nearly dependent
def test_cel0_has_fewer_limits_and_lower_costs_than_hard_thresholding():
    """Many starts: CEL0 removes spurious minimisers (in the mean over problems)."""
    rng = np.random.default_rng(33)
    limits, costs = {"l0": [], "cel0": []}, {"l0": [], "cel0": []}
    for _ in range(8):
        dictionary = rng.standard_normal((N_ATOMS, N_FEATURES))
        x = rng.standard_normal((1, N_FEATURES))
        X, alpha = np.repeat(x, 60, axis=0), 0.1 * float((x**2).sum())
        init = rng.standard_normal((60, N_ATOMS))
        for penalty in (L0(alpha), CEL0(alpha)):
            name = type(penalty).__name__.lower()
            result = ista(X, dictionary, penalty, init=init, tol=1e-5, max_iter=50_000)
            codes = result.code.to_dense()
            l0 = check_penalty(L0(alpha), np.ones(N_ATOMS))
            cost = 0.5 * ((X - codes @ dictionary) ** 2).sum(axis=1)
            cost += [sum(value(l0, z, j) for j, z in enumerate(code)) for code in codes]
            limits[name].append(len(np.unique(codes.round(4) != 0, axis=0)))
            costs[name].append(cost.mean())
    assert np.mean(limits["cel0"]) <= np.mean(limits["l0"])
    assert np.mean(costs["cel0"]) < np.mean(costs["l0"])


@pytest.mark.parametrize("norm", [0.5, 1.0, 2.0])
def test_macro_leaves_the_flat_segment_at_a_tie(norm):
    """Also for the atom of the largest norm, where a step of 1 / L would make the operator jump."""
    rotation = np.linalg.qr(np.random.default_rng(5).standard_normal((4, 4)))[0]
    dictionary, alpha = norm * rotation, 0.1
    knee = np.sqrt(2 * alpha) / norm
    ends = knee * np.array([1.0, 1.0, 1.7, 2.4])
    start = knee * np.array([0.5, 0.5, 1.7, 2.4])
    result = cel0_macro(ends[None] @ dictionary, dictionary, CEL0(alpha), init=start[None])
    assert result.converged.all()
    np.testing.assert_allclose(result.code.to_dense()[0], [0, 0, 1.7 * knee, 2.4 * knee], atol=1e-9)
    assert result.objective[0] == pytest.approx(4 * alpha)
