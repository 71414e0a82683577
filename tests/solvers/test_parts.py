"""Solvers without the Gram matrix end where those with it do."""

from functools import cached_property

import numpy as np
import pytest
import twins

from sparsecode.core import normalize
from sparsecode.penalties import CEL0, L0, L1, MCP, ElasticNet, LogSum
from sparsecode.solvers import _parts, _problem, cd, cel0_macro, certify, feature_sign, irl1, sbr

SOLVERS = {
    "cd l1": (cd, L1(0.3)),
    "cd l0": (cd, L0(0.1)),
    "cd mcp": (cd, MCP(0.3)),
    "feature_sign l1": (feature_sign, L1(0.3)),
    "feature_sign elastic net": (feature_sign, ElasticNet(0.4)),
    "irl1 log sum": (irl1, LogSum(0.1, epsilon=0.5)),
    "cel0_macro": (cel0_macro, CEL0(0.1)),
    "sbr l0": (sbr, L0(0.1)),
}
EVERY = pytest.mark.parametrize(("solve", "penalty"), SOLVERS.values(), ids=SOLVERS)
CONVEX = (L1, ElasticNet)


@pytest.fixture
def in_parts(monkeypatch):
    """Make every Gram matrix too large, and working sets so small that they must grow."""

    def refuse(problem):
        raise AssertionError("the Gram matrix of all atoms was asked for")

    refused = cached_property(refuse)
    refused.__set_name__(_problem.Problem, "gram")

    def start():
        monkeypatch.setattr(_problem, "GRAM_BYTES", 0)
        monkeypatch.setattr(_problem.Problem, "gram", refused)
        monkeypatch.setattr(_parts, "WIDTH", 32)
        monkeypatch.setattr(_parts, "GROUP", 2)

    return start


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(5)
    dictionary = normalize(rng.standard_normal((400, 24))) * rng.uniform(0.6, 1.5, (400, 1))
    return rng.standard_normal((21, 24)), dictionary


def as_good(penalty, ours, theirs, rtol=1e-5):
    """Say whether results are equally good: the same optimum, or critical points of like cost."""
    assert ours.converged.all()
    assert theirs.converged.all()
    if isinstance(penalty, CONVEX):
        np.testing.assert_allclose(ours.objective, theirs.objective, rtol=rtol)
    else:
        assert ours.objective.sum() <= 1.1 * theirs.objective.sum()
    if isinstance(penalty, L0 | CEL0):
        assert ours.coordinate_stationary.all()


def test_size_of_the_gram_matrix_decides(data, monkeypatch):
    X, dictionary = data
    problem = _problem.Problem(X, dictionary)
    n_bytes = problem.gram.nbytes
    monkeypatch.setattr(_problem, "GRAM_BYTES", n_bytes)
    assert not problem.is_large
    monkeypatch.setattr(_problem, "GRAM_BYTES", n_bytes - 1)
    assert problem.is_large


@EVERY
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_results_are_as_good_as_with_the_gram_matrix(solve, penalty, dtype, data, in_parts):
    X, dictionary = (array.astype(dtype) for array in data)
    whole = solve(X, dictionary, penalty)
    in_parts()
    parts = solve(X, dictionary, penalty)
    assert parts.code.dtype == dtype
    as_good(penalty, parts, whole, rtol=1e-5 if dtype == np.float64 else 1e-3)


@EVERY
def test_alpha_ratio_keeps_its_meaning(solve, penalty, data, in_parts):
    X, dictionary = data
    whole = solve(X, dictionary, penalty, alpha_ratio=0.2)
    in_parts()
    parts = solve(X, dictionary, penalty, alpha_ratio=0.2)
    np.testing.assert_array_equal(parts.alpha, whole.alpha)
    as_good(penalty, parts, whole)


@EVERY
def test_weights_and_positivity(solve, penalty, data, in_parts):
    X, dictionary = data
    penalty = penalty._replace(
        weights=np.linspace(0.5, 2.0, len(dictionary)), positive=solve is not sbr
    )
    whole = solve(X, dictionary, penalty)
    in_parts()
    parts = solve(X, dictionary, penalty)
    as_good(penalty, parts, whole)
    if penalty.positive:
        assert (parts.code.values > 0).all()


@EVERY
def test_starts_duplicates_zeros_and_nothing(solve, penalty, data, in_parts):
    X, dictionary = data
    in_parts()
    cold = solve(X, dictionary, penalty)
    warm = solve(X, dictionary, penalty, init=cold.code)
    np.testing.assert_allclose(warm.objective, cold.objective, rtol=1e-6)
    unrelated = np.random.default_rng(0).standard_normal(cold.code.shape)
    unrelated[:, np.arange(400) % 20 > 0] = 0.0
    assert solve(X, dictionary, penalty, init=unrelated).converged.all()
    doubled = np.vstack([dictionary, dictionary[:40]])
    assert solve(X, doubled, penalty).converged.all()
    silent = np.vstack([X[:2], np.zeros((2, 24))])
    result = solve(silent, dictionary, penalty)
    assert result.converged.all()
    np.testing.assert_array_equal(result.code.n_active > 0, [True, True, False, False])
    assert solve(X[:0], dictionary, penalty).code.shape == (0, 400)


@EVERY
def test_bits_do_not_depend_on_threads(solve, penalty, data, in_parts):
    X, dictionary = data
    in_parts()
    one = solve(X, dictionary, penalty, n_threads=1)
    assert solve(X, dictionary, penalty, n_threads=2).code == one.code


@pytest.mark.parametrize(
    "options", [{"n_nonzero": 4}, {"penalty": L0(0.1)}, {"penalty": CEL0(0.2)}]
)
def test_no_replacement_by_any_atom_helps(options, data, in_parts):
    X, dictionary = data
    whole = sbr(X, dictionary, **options)
    in_parts()
    parts = sbr(X, dictionary, **options)
    assert parts.converged.all()
    assert parts.swap_stationary.all()
    assert parts.objective.sum() <= 1.05 * whole.objective.sum()


@pytest.mark.parametrize("penalty", [L0(0.1), CEL0(0.2)])
def test_swaps_are_certified_as_with_the_gram_matrix(penalty, data, in_parts):
    X, dictionary = data
    codes = [cd(X, dictionary, penalty).code, sbr(X, dictionary, penalty).code]
    codes.append(codes[0][:0].concatenate([codes[0][:11], codes[1][11:]]))
    whole = [certify(X, dictionary, penalty, code, swaps=True) for code in codes]
    in_parts()
    for code, expected in zip(codes, whole):
        proof = certify(X, dictionary, penalty, code, swaps=True)
        np.testing.assert_array_equal(proof.swap_stationary, expected.swap_stationary)
    assert not whole[0].swap_stationary.all()
    assert whole[1].swap_stationary.all()


def test_the_optimum_is_that_of_plain_numpy(data, in_parts):
    X, dictionary = data
    in_parts()
    result = feature_sign(X, dictionary, L1(0.3), tol=1e-10)
    for x, z, certificate in zip(X, result.code.to_dense(), result.certificate):
        assert twins.relative_gap(L1(0.3), x, dictionary, z) == pytest.approx(
            certificate, abs=1e-12
        )
        assert certificate <= 1e-10


def test_a_tile_holds_far_fewer_atoms_than_the_dictionary(monkeypatch):
    rng = np.random.default_rng(2)
    dictionary = normalize(rng.standard_normal((6000, 32)))
    X = rng.standard_normal((40, 32))
    sizes = []
    restricted = _problem.Problem.restricted

    def counted(problem, X, members, *rest):
        sizes.append(members.size)
        return restricted(problem, X, members, *rest)

    monkeypatch.setattr(_problem, "GRAM_BYTES", 0)
    monkeypatch.setattr(_problem.Problem, "restricted", counted)
    assert feature_sign(X, dictionary, L1(0.3)).converged.all()
    assert max(sizes) < 1000
    assert len(sizes) <= 6 * 5  # a few rounds for each of 6 groups
