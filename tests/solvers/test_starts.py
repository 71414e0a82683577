"""Several starts, and paths of warm starts."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sparsecode.core import normalize
from sparsecode.penalties import CEL0, L0, L1, MCP, SCAD, Half, LogSum
from sparsecode.solvers import (
    alpha_max,
    alpha_path,
    branch_and_bound,
    cd,
    certify,
    encode,
    feature_sign,
    multi_start,
)

PENALTIES = [L0(0.1), CEL0(0.1), MCP(0.4), SCAD(0.4), LogSum(0.2), Half(0.2)]
EVERY = pytest.mark.parametrize("penalty", PENALTIES, ids=lambda one: type(one).__name__)


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(11)
    return rng.standard_normal((20, 8)), normalize(rng.standard_normal((16, 8)))


@EVERY
def test_the_best_of_the_starts_is_kept_sample_by_sample(penalty, problem):
    X, dictionary = problem
    kept = multi_start(X, dictionary, penalty)
    each = [multi_start(X, dictionary, penalty, starts=[name]) for name in ("zero", "l1", "ols")]
    objectives = np.array([one.objective for one in each])
    np.testing.assert_array_equal(kept.objective, objectives.min(axis=0))
    for i in range(20):
        best = each[int(np.argmin(objectives[:, i]))]
        assert kept.code[i] == best.code[i]
        assert kept.certificate[i] == best.certificate[i]
    again = certify(X, dictionary, penalty, kept.code)
    np.testing.assert_allclose(again.objective, kept.objective, rtol=1e-12)
    assert kept.converged.all()


def test_starts_differ_and_some_are_better(problem):
    X, dictionary = problem
    penalty = MCP(0.4, beta=1.5)
    single = encode(X, dictionary, penalty).objective
    several = multi_start(X, dictionary, penalty).objective
    assert (several <= single + 1e-12).all()
    assert (several < single - 1e-6).any()


def test_codes_of_ones_own_are_starts(problem):
    X, dictionary = problem
    best = branch_and_bound(X, dictionary, L0(0.1))
    found = multi_start(X, dictionary, L0(0.1), starts=["zero", best.code])
    np.testing.assert_allclose(found.objective, best.objective, rtol=1e-9)
    dense = multi_start(X, dictionary, L0(0.1), starts=[best.code.to_dense()])
    np.testing.assert_allclose(dense.objective, best.objective, rtol=1e-9)


def test_positive_codes_and_other_solvers(problem):
    X, dictionary = problem
    result = multi_start(X, dictionary, MCP(0.4, positive=True), solver=cd)
    assert (result.code.values > 0).all()
    assert result.converged.all()


def test_bad_starts_get_one_sentence(problem):
    X, dictionary = problem
    with pytest.raises(TypeError, match="needs a struct"):
        multi_start(X, dictionary, "mcp")
    with pytest.raises(TypeError, match="must be a registered struct"):
        multi_start(X, dictionary, None)
    with pytest.raises(TypeError, match="must be a registered struct"):
        alpha_path(X, dictionary, None, [0.1])
    with pytest.raises(ValueError, match=r"start must be one of 'zero', 'l1', 'ols'; got 'omp'"):
        multi_start(X, dictionary, L0(0.1), starts=["omp"])
    with pytest.raises(ValueError, match="at least one start"):
        multi_start(X, dictionary, L0(0.1), starts=[])
    with pytest.raises(ValueError, match="init must have shape"):
        multi_start(X, dictionary, L0(0.1), starts=[np.zeros((3, 16))])


def test_no_samples_and_one_warning(problem):
    X, dictionary = problem
    assert multi_start(X[:0], dictionary, MCP(0.4)).code.shape == (0, 16)

    def short(*arguments, **options):
        return cd(*arguments, **options, max_iter=1)

    with pytest.warns(ConvergenceWarning, match="did not converge") as caught:
        multi_start(X, dictionary, Half(0.05), solver=short, tol=1e-13)
    assert len(caught) == 1


@EVERY
def test_a_path_holds_one_certified_result_for_each_alpha(penalty, problem):
    X, dictionary = problem
    alphas = [0.02, 0.3, 0.1]
    path = alpha_path(X, dictionary, penalty, alphas)
    assert [one.alpha[0] for one in path] == alphas
    assert all(one.converged.all() for one in path)
    n_active = [one.code.nnz for one in path]
    assert n_active[0] > n_active[2] > n_active[1]
    first = encode(X, dictionary, penalty._replace(alpha=0.3))
    assert path[1].code == first.code  # the largest begins at 0


def test_a_path_of_l1_is_the_path_of_single_solutions(problem):
    X, dictionary = problem
    path = alpha_path(X, dictionary, "l1", alpha_ratios=[0.5, 0.2, 0.1])
    for ratio, one in zip([0.5, 0.2, 0.1], path):
        np.testing.assert_array_equal(one.alpha, ratio * alpha_max(X, dictionary, "l1"))
        alone = feature_sign(X, dictionary, "l1", alpha_ratio=ratio)
        np.testing.assert_allclose(one.objective, alone.objective, rtol=1e-6)
    assert path[2].n_iter.sum() < feature_sign(X, dictionary, "l1", alpha_ratio=0.1).n_iter.sum()


def test_bad_paths_get_one_sentence(problem):
    X, dictionary = problem
    with pytest.raises(ValueError, match="either alphas or alpha_ratios"):
        alpha_path(X, dictionary, L1(1.0))
    with pytest.raises(ValueError, match="either alphas or alpha_ratios"):
        alpha_path(X, dictionary, L1(1.0), [0.1], alpha_ratios=[0.1])
    for bad in ([0.1, 0.0], [[0.1]], [-1.0]):
        with pytest.raises(ValueError, match="alphas must be a row of numbers above 0"):
            alpha_path(X, dictionary, L1(1.0), bad)
    assert alpha_path(X, dictionary, L1(1.0), []) == []
