"""Branch and bound: its bounds and tableaux, one by one; ends, starts and messages."""

import importlib

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sparsecode._jit import jit
from sparsecode.core import normalize
from sparsecode.penalties import CEL0, L0, L1
from sparsecode.solvers import _branch_and_bound_kernels as kernels
from sparsecode.solvers import branch_and_bound, ols

#: The module; its name stands for the function in the package.
module = importlib.import_module("sparsecode.solvers.branch_and_bound")


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(50)
    return rng.standard_normal((5, 16)), normalize(rng.standard_normal((28, 16)))


@pytest.mark.parametrize("options", [{"n_nonzero": 6}, {"penalty": L0(0.4)}], ids=str)
def test_a_search_that_ends_early_says_so_and_keeps_an_honest_gap(problem, options):
    X, dictionary = problem
    exact = branch_and_bound(X, dictionary, **options)
    with pytest.warns(
        ConvergenceWarning, match=r"5 of 5 samples.*largest optimality gap"
    ) as caught:
        cut = branch_and_bound(X, dictionary, max_nodes=1, **options)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert "Raise max_nodes or tol." in str(caught[0].message)
    assert (cut.n_iter == 1).all()
    assert not cut.converged.any()
    excess = (cut.objective - exact.objective) / (0.5 * (X**2).sum(axis=1))
    assert (cut.certificate >= excess - 1e-9).all()
    assert exact.converged.all()
    assert exact.certificate_name == "optimality gap"


def test_gaps_of_undercomplete_dictionaries_come_from_least_squares():
    """With fewer atoms than features even one node has a bound above 0."""
    rng = np.random.default_rng(51)
    X, dictionary = rng.standard_normal((4, 30)), rng.standard_normal((16, 30))
    with pytest.warns(ConvergenceWarning):
        cut = branch_and_bound(X, dictionary, n_nonzero=6, max_nodes=1)
    whole = X - X @ np.linalg.pinv(dictionary) @ dictionary
    bound = cut.objective - cut.certificate * 0.5 * (X**2).sum(axis=1)
    np.testing.assert_array_less(0.5 * (whole**2).sum(axis=1) - 1e-9, bound)


def test_orthogonal_atoms_need_one_node_for_all_sizes_or_each():
    rng = np.random.default_rng(52)
    dictionary = np.linalg.qr(rng.standard_normal((24, 24)))[0]
    X = rng.standard_normal((6, 24))
    sparse = branch_and_bound(X, dictionary, n_nonzero=9)
    assert (sparse.n_iter == 1).all()
    kept = -np.sort(-((X @ dictionary.T) ** 2), axis=1)[:, 9:]
    np.testing.assert_allclose(sparse.objective, 0.5 * kept.sum(axis=1), rtol=1e-9)
    penalised = branch_and_bound(X, dictionary, L0(0.3))
    assert (penalised.n_iter <= 24).all()
    moments = X @ dictionary.T
    expected = np.where(moments**2 > 0.6, moments, 0.0)
    np.testing.assert_allclose(penalised.code.to_dense(), expected, atol=1e-9)


@pytest.mark.parametrize("factor", [1e-100, 1e-12, 1e12, 1e100])
def test_scale_changes_nothing(problem, factor):
    X, dictionary = problem
    one = branch_and_bound(X, dictionary, n_nonzero=4)
    other = branch_and_bound(factor * X, dictionary, n_nonzero=4)
    np.testing.assert_array_equal(one.code.indices, other.code.indices)
    np.testing.assert_allclose(factor * one.code.values, other.code.values, rtol=1e-9)
    longer = branch_and_bound(X, 1e6 * dictionary, n_nonzero=4)
    np.testing.assert_allclose(one.code.values, 1e6 * longer.code.values, rtol=1e-9)


def test_stationary_codes_are_not_always_best_but_proven_ones_are_stationary(problem):
    X, dictionary = problem
    proven = branch_and_bound(X, dictionary, L0(0.3))
    assert proven.converged.all()
    assert proven.coordinate_stationary.all()
    greedy = ols(X, dictionary, n_nonzero=5)
    exact = branch_and_bound(X, dictionary, n_nonzero=5)
    assert (exact.objective <= greedy.objective + 1e-9).all()
    assert (exact.objective < greedy.objective - 1e-3).any()


def test_a_start_becomes_the_incumbent(problem):
    X, dictionary = problem
    exact = branch_and_bound(X, dictionary, n_nonzero=6)
    with pytest.warns(ConvergenceWarning):
        warm = branch_and_bound(X, dictionary, n_nonzero=6, init=exact.code, max_nodes=1)
    np.testing.assert_allclose(warm.objective, exact.objective, rtol=1e-9)
    dense = np.random.default_rng(1).standard_normal((5, 28))  # more atoms than may be active
    for positive in (False, True):
        result = branch_and_bound(X, dictionary, n_nonzero=3, positive=positive, init=dense)
        again = branch_and_bound(X, dictionary, n_nonzero=3, positive=positive)
        np.testing.assert_allclose(result.objective, again.objective, rtol=1e-9)


@pytest.mark.filterwarnings("ignore:.*did not converge")
def test_a_full_stack_gives_up_honestly(monkeypatch, problem):
    X, dictionary = problem
    monkeypatch.setattr(module, "TABLEAU_ENTRIES", 1)
    cut = branch_and_bound(X, dictionary, n_nonzero=6)
    monkeypatch.undo()
    exact = branch_and_bound(X, dictionary, n_nonzero=6)
    bound = cut.objective - cut.certificate * 0.5 * (X**2).sum(axis=1)
    assert (bound <= exact.objective + 1e-9).all()
    assert not cut.converged.any()
    shallow = branch_and_bound(X, dictionary, n_nonzero=3)
    monkeypatch.setattr(module, "TABLEAU_ENTRIES", 1)
    assert branch_and_bound(X, dictionary, n_nonzero=3).code == shallow.code


@jit
def distance_of(task, members, disturbance, fit, tree, node):
    """Return the safe distance of a sample from atoms, its residual disturbed before."""
    kernels._start_distance(task, 0, fit, tree)
    size = 0
    for b in range(members.size):
        node.kept[b] = members[b]
        size = kernels._absorb(task, members[b], size, -1.0, fit)
    fit.residual[:] += disturbance
    return kernels._distance(task, size, 0, members.size, fit, tree, node)


@pytest.mark.parametrize("noise", [0.0, 1e-9, 1e-3, 1.0])
def test_the_distance_from_a_set_of_atoms_is_safe_for_any_residual(problem, noise):
    X, dictionary = problem
    rng = np.random.default_rng(53)
    task = kernels.Task(dictionary, normalize(X)[0], np.zeros(28), np.zeros(29), 0, 5, False)
    fit = module._make_fit(28, 16)
    tree, node = module._make_tree(dictionary @ dictionary.T, 5), module._make_node(29)
    for size in (1, 5, 12, 15, 16, 28):
        members = rng.permutation(28)[:size]
        disturbance = noise * rng.standard_normal(16)
        distance = distance_of(task, members, disturbance, fit, tree, node)
        atoms = dictionary[members]
        exact = ((task.x - np.linalg.lstsq(atoms.T, task.x, rcond=None)[0] @ atoms) ** 2).sum()
        assert distance <= exact + 1e-13
        if noise == 0.0:
            assert distance == pytest.approx(exact, abs=1e-7)


@pytest.mark.parametrize(
    ("penalty", "options", "error", "message"),
    [
        (None, {}, ValueError, "needs either a penalty or n_nonzero"),
        (L0(0.1), {"n_nonzero": 3}, ValueError, "needs either a penalty or n_nonzero"),
        (None, {"n_nonzero": 3, "alpha_ratio": 0.1}, ValueError, "alpha_ratio of branch_and_bound"),
        (L0(0.1), {"positive": True}, ValueError, "positive of branch_and_bound belongs"),
        (L1(0.1), {}, TypeError, "penalty of branch_and_bound must be L0; got L1"),
        (CEL0(0.1), {}, TypeError, "penalty of branch_and_bound must be L0; got CEL0"),
        ("l0", {}, ValueError, "needs alpha_ratio"),
        (None, {"n_nonzero": 0}, ValueError, "n_nonzero must be at least 1 and at most 28; got 0"),
        (None, {"n_nonzero": 29}, ValueError, "n_nonzero must be at least 1 and at most 28"),
        (None, {"n_nonzero": 3, "max_nodes": 0}, ValueError, "max_nodes must be at least 1; got 0"),
        (None, {"n_nonzero": 3, "max_nodes": 1.5}, TypeError, "max_nodes must be an integer"),
    ],
)
def test_bad_arguments_get_one_sentence(problem, penalty, options, error, message):
    X, dictionary = problem
    with pytest.raises(error, match=message):
        branch_and_bound(X, dictionary, penalty, **options)
