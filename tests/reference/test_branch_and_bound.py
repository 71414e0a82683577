"""Branch and bound against brute force over all supports."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import dictionaries

from sparsecode.core import normalize
from sparsecode.penalties import L0
from sparsecode.solvers import branch_and_bound, cd, htp, iht, ols, omp


def brute_force(x, dictionary, costs, most, positive=False):
    """Return the least cost over all supports; a code is feasible if its values are above 0.

    A positive code that is best has a support on which plain least squares is positive.
    """
    best = 0.5 * x @ x
    for size in range(1, most + 1):
        for support in map(list, combinations(range(len(dictionary)), size)):
            atoms = dictionary[support]
            z = np.linalg.lstsq(atoms.T, x, rcond=None)[0]
            if positive and (z <= 0).any():
                continue
            residual = x - z @ atoms
            best = min(best, 0.5 * residual @ residual + costs[support].sum())
    return best


def dependent(rng, n_atoms, n_features):
    """Return a dictionary with twins, scaled and turned, and sums of other atoms."""
    atoms = rng.standard_normal((n_atoms, n_features))
    atoms[-1] = atoms[0]
    atoms[-2] = -3.0 * atoms[1]
    atoms[-3] = atoms[2] + atoms[3]
    return atoms


DICTIONARIES = {
    "overcomplete": lambda rng: rng.standard_normal((12, 6)) * rng.uniform(0.3, 3, (12, 1)),
    "undercomplete": lambda rng: rng.standard_normal((8, 11)),
    "coherent": lambda rng: 2.0 + rng.standard_normal((11, 6)),
    "dependent": lambda rng: dependent(rng, 12, 7),
    "integers": lambda rng: rng.integers(-1, 2, (11, 5)) + np.eye(11, 5),
    "orthogonal": lambda rng: np.linalg.qr(rng.standard_normal((9, 9)))[0],
    "two dimensions": lambda rng: rng.standard_normal((12, 2)),
}


@pytest.fixture(params=DICTIONARIES)
def problem(request):
    rng = np.random.default_rng(40)
    dictionary = DICTIONARIES[request.param](rng)
    dictionary = dictionary[dictionary.any(axis=1)].astype(float)
    X = rng.standard_normal((4, dictionary.shape[1]))
    X[1] = np.rint(X[1])
    X[1, 0] = 1.0
    X[2] = dictionary[0] - 0.5 * dictionary[3] + dictionary[5]  # an exact code exists
    X[3] = 0.0
    return X, dictionary


def assert_optimal(result, expected):
    np.testing.assert_allclose(result.objective, expected, rtol=1e-8, atol=1e-9)
    assert result.converged.all()
    assert (result.certificate <= 1e-9).all()


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("n_nonzero", [1, 2, 3, 4, 5, 8])
def test_the_k_sparse_optimum_is_that_of_brute_force(n_nonzero, positive, problem):
    X, dictionary = problem
    result = branch_and_bound(X, dictionary, n_nonzero=n_nonzero, positive=positive)
    costs, most = np.zeros(len(dictionary)), min(n_nonzero, *dictionary.shape)
    expected = [brute_force(x, dictionary, costs, most, positive) for x in X]
    assert_optimal(result, expected)
    assert (result.code.n_active <= n_nonzero).all()
    assert not positive or (result.code.values > 0).all()


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("alpha", [0.003, 0.1, 0.5])
def test_the_penalised_optimum_is_that_of_brute_force(alpha, positive, problem):
    X, dictionary = problem
    weights = np.linspace(0.5, 2.0, len(dictionary))
    for given_weights in (None, weights):
        result = branch_and_bound(X, dictionary, L0(alpha, positive, given_weights))
        costs = alpha * (np.ones_like(weights) if given_weights is None else weights)
        most = min(dictionary.shape)
        assert_optimal(result, [brute_force(x, dictionary, costs, most, positive) for x in X])


@given(st.data())
def test_any_small_integer_problem(data):
    """Integers make ties and exact dependence, and nothing that depends but for little."""
    dictionary = np.rint(data.draw(dictionaries()))
    dictionary[~dictionary.any(axis=1), 0] = 1.0
    x = np.array(data.draw(st.lists(st.integers(-4, 4), min_size=1, max_size=5)), float)
    x = np.resize(x, dictionary.shape[1])
    costs = np.array(data.draw(st.lists(st.sampled_from([0.1, 0.5, 2.0]), min_size=1, max_size=6)))
    costs, positive = np.resize(costs, len(dictionary)), data.draw(st.booleans())
    most = min(dictionary.shape)
    penalised = branch_and_bound(x[None], dictionary, L0(1.0, positive, costs))
    assert_optimal(penalised, [brute_force(x, dictionary, costs, most, positive)])
    n_nonzero = data.draw(st.integers(1, len(dictionary)))
    sparse = branch_and_bound(x[None], dictionary, n_nonzero=n_nonzero, positive=positive)
    free = np.zeros(len(dictionary))
    assert_optimal(sparse, [brute_force(x, dictionary, free, min(most, n_nonzero), positive)])


@pytest.fixture(scope="module")
def larger():
    rng = np.random.default_rng(41)
    return rng.standard_normal((10, 20)), normalize(rng.standard_normal((40, 20)))


def lower_bounds(result, X):
    return result.objective - result.certificate * 0.5 * (X**2).sum(axis=1)


@pytest.mark.parametrize("max_nodes", [1, 30, 100_000])
def test_no_other_solver_falls_below_the_bound(max_nodes, larger):
    X, dictionary = larger
    with np.testing.suppress_warnings() as quiet:
        quiet.filter(UserWarning)
        sparse = branch_and_bound(X, dictionary, n_nonzero=4, max_nodes=max_nodes)
        penalised = branch_and_bound(X, dictionary, L0(1.5), max_nodes=max_nodes)
        others = [s(X, dictionary, n_nonzero=4) for s in (omp, ols, iht, htp)]
    for other in others:
        assert (other.objective >= lower_bounds(sparse, X) - 1e-9).all()
        assert (other.objective >= sparse.objective - 1e-9).all() or max_nodes < 1000
    descended = cd(X, dictionary, L0(1.5))
    assert (descended.objective >= lower_bounds(penalised, X) - 1e-9).all()
    if max_nodes > 1000:
        assert sparse.converged.all()
        assert penalised.converged.all()
        assert (descended.objective >= penalised.objective - 1e-9).all()


@pytest.mark.filterwarnings("ignore:.*did not converge")
def test_bounds_of_searches_that_end_early_hold_and_do_not_fall(larger):
    X, dictionary = larger
    for options in ({"n_nonzero": 5}, {"penalty": L0(0.8)}):
        exact = branch_and_bound(X, dictionary, **options)
        assert exact.converged.all()
        for max_nodes in (1, 2, 5, 20, 100):
            cut = branch_and_bound(X, dictionary, max_nodes=max_nodes, **options)
            assert (lower_bounds(cut, X) <= exact.objective + 1e-9).all()
            assert (cut.objective >= exact.objective - 1e-9).all()
            assert (cut.n_iter <= max_nodes).all()
