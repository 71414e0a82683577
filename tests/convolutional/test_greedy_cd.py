"""Greedy coordinate descent finds what a plain solver finds on the explicit dictionary."""

import tracemalloc

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sparsecode import solvers
from sparsecode.convolutional import _problem, admm, fista, greedy_cd, reconstruct
from sparsecode.core import SparseCode
from sparsecode.penalties import CEL0, L0, L1, MCP, ElasticNet, PaperCEL0
from sparsecode.solvers import feature_sign

BOUNDARIES = ("circular", "zero", "valid")


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize(("n_axes", "n_channels"), [(1, 1), (1, 2), (2, 1), (2, 3)])
def test_l1_codes_are_those_of_the_plain_problem(boundary, n_axes, n_channels, problem, plain):
    X, dictionary = problem(n_axes, n_channels)
    result = greedy_cd(X, dictionary, L1(3.0), boundary=boundary, tol=1e-9)
    expected = feature_sign(*plain(X, dictionary, boundary), L1(3.0), tol=1e-12)
    assert result.converged.all()
    np.testing.assert_allclose(result.objective, expected.objective, rtol=1e-9)
    np.testing.assert_allclose(
        result.code.to_dense().reshape(len(X), -1), expected.code.to_dense(), atol=1e-3
    )
    if boundary != "zero":  # whose residual beyond the signal is cut off
        residual = X - reconstruct(result.code, dictionary, boundary=boundary)
        squares = (residual**2).reshape(len(X), -1).sum(axis=1)
        cost = 3.0 * np.abs(result.code.to_dense()).reshape(len(X), -1).sum(axis=1)
        np.testing.assert_allclose(result.objective, 0.5 * squares + cost)


@pytest.mark.parametrize(
    "penalty",
    [L1(2.0, positive=True), L1(2.0, weights=np.array([1, 2, 0.5, 1.5])), ElasticNet(2.0, 0.6)],
    ids=["positive", "weighted", "ridge"],
)
def test_variants_of_l1(penalty, problem, plain):
    X, dictionary = problem()
    n_positions = X.shape[2] * X.shape[3]
    weights = np.random.default_rng(0).uniform(0.5, 2.0, size=(1, *X.shape[2:]))
    own = np.ones(4) if penalty.weights is None else penalty.weights
    result = greedy_cd(X, dictionary, penalty, weights=weights, tol=1e-9)
    per_unit = np.repeat(own, n_positions) * np.tile(weights.ravel(), 4)
    expected = feature_sign(
        *plain(X, dictionary, "circular"), penalty._replace(weights=per_unit), tol=1e-12
    )
    np.testing.assert_allclose(result.objective, expected.objective, rtol=1e-8)
    if penalty.positive:
        assert (result.code.values > 0).all()


@pytest.mark.parametrize("penalty", [L0(4.0), CEL0(4.0), MCP(2.0, beta=9.0)], ids=repr)
def test_other_penalties_end_where_no_unit_alone_moves(penalty, problem, plain):
    X, dictionary = problem()
    result = greedy_cd(X, dictionary, penalty, tol=1e-7)
    assert result.converged.all()
    signals, dictionary = plain(X, dictionary, "circular")
    judged = solvers.certify(signals, dictionary, penalty, result.code.to_dense().reshape(2, -1))
    assert judged.converged.all()
    for one in (result, judged):
        assert isinstance(penalty, MCP) or one.coordinate_stationary.all()
    np.testing.assert_allclose(judged.objective, result.objective)
    assert (result.objective < 0.5 * (signals**2).sum(axis=1)).all()


def test_l0_codes_are_as_good_as_plain_coordinate_descents(problem, plain):
    X, dictionary = problem()
    result = greedy_cd(X, dictionary, L0(4.0))
    plainly = solvers.cd(*plain(X, dictionary, "circular"), L0(4.0))
    assert result.objective.sum() <= 1.05 * plainly.objective.sum()


@pytest.mark.parametrize("penalty", [L1(3.0), L0(8.0)], ids=["l1", "l0"])
@pytest.mark.parametrize("boundary", ["circular", "zero"])
def test_threads_do_not_change_a_bit(penalty, boundary):
    rng = np.random.default_rng(0)
    X, dictionary = rng.normal(size=(1, 1, 90, 101)), rng.normal(size=(5, 1, 6, 7))
    X = X.astype(np.float32)
    one, two = (
        greedy_cd(X, dictionary, penalty, boundary=boundary, tol=1e-3, n_threads=n) for n in (1, 2)
    )
    assert one.code == two.code
    np.testing.assert_array_equal(one.certificate, two.certificate)
    batch = np.concatenate([X, X[:, :, ::-1]])
    both = greedy_cd(batch, dictionary, penalty, boundary=boundary, tol=1e-3)
    assert both.code[:1] == one.code


def test_a_solution_is_where_it_starts(problem):
    X, dictionary = problem()
    first = greedy_cd(X, dictionary, L1(2.0), tol=1e-6)
    again = greedy_cd(X, dictionary, L1(2.0), tol=1e-6, init=first.code)
    assert (again.n_iter == 0).all()
    assert again.code == first.code
    dense = greedy_cd(X, dictionary, L1(2.0), tol=1e-6, init=first.code.to_dense())
    assert dense.code == first.code
    negative = greedy_cd(X, dictionary, L1(2.0, positive=True), init=first.code)
    assert (negative.code.values > 0).all()


def test_float32_meets_its_gap(problem):
    X, dictionary = problem(dtype=np.float32)
    result = greedy_cd(X, dictionary, L1(2.0), tol=1e-5)
    assert result.converged.all()
    assert result.code.dtype == np.float32


def test_silent_signals_and_large_alphas(problem):
    X, dictionary = problem()
    X[0] = 0.0
    result = greedy_cd(X, dictionary, "l1", alpha_ratio=1.0)
    assert result.code.nnz == 0
    assert result.converged.all()
    barely = greedy_cd(X, dictionary, "l1", alpha_ratio=0.99)
    assert barely.code[1:].nnz > 0
    assert greedy_cd(X[:0], dictionary, L1(1.0)).code.n_samples == 0


def test_too_few_sweeps_are_said(problem):
    X, dictionary = problem()
    with pytest.warns(ConvergenceWarning, match="2 of 2 samples did not converge"):
        greedy_cd(X, dictionary, L1(0.5), tol=1e-12, max_iter=1)


def test_it_ends_where_rounding_forbids_the_gap(problem):
    X, dictionary = problem(dtype=np.float32)
    with pytest.warns(ConvergenceWarning):
        result = greedy_cd(X, dictionary, L1(2.0), tol=1e-14, max_iter=2000)
    assert (result.certificate < 1e-5).all()


def test_it_holds_no_map_of_every_atom():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1, 1, 256, 256)).astype(np.float32)
    dictionary = rng.normal(size=(100, 1, 8, 8)).astype(np.float32)
    greedy_cd(X[:, :, :32, :32], dictionary, "l1", alpha_ratio=0.9)  # compiles
    tracemalloc.start()
    result = greedy_cd(X, dictionary, "l1", alpha_ratio=0.6, tol=1e-2, n_threads=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.converged.all()
    assert peak < 0.5 * 4 * np.prod(result.code.unit_shape)


def test_bad_starts_and_weights_get_one_sentence(problem):
    X, dictionary = problem()
    with pytest.raises(ValueError, match=r"init must have shape \(2, 4, 13, 14\)"):
        greedy_cd(X, dictionary, L1(1.0), init=np.zeros((2, 4, 13, 13)))
    with pytest.raises(ValueError, match=r"init must have shape \(2, 4, 13, 14\)"):
        greedy_cd(X, dictionary, L1(1.0), init=SparseCode.from_dense(np.zeros((2, 728))))
    with pytest.raises(ValueError, match=r"weights must have a shape that broadcasts"):
        greedy_cd(X, dictionary, L1(1.0), weights=np.ones((3, 1, 1)))
    with pytest.raises(ValueError, match=r"weights must be above 0"):
        greedy_cd(X, dictionary, L1(1.0), weights=np.zeros((4, 1, 1)))
    with pytest.raises(ValueError, match="needs alpha_ratio"):
        greedy_cd(X, dictionary, "l1")
    with pytest.raises(TypeError, match="greedy_cd takes coordinate steps"):
        greedy_cd(X, dictionary, PaperCEL0(1.0))


def test_ties_end_the_search():
    """A unit whose threshold is met to the last bit neither joins for ever nor comes and goes."""
    rng = np.random.default_rng(0)
    X, dictionary = rng.normal(size=(1, 1, 6, 6)), rng.normal(size=(2, 1, 3, 3))
    alpha = greedy_cd(X, dictionary, L0(1.0), alpha_ratio=1.0).alpha[0]
    for one in (np.nextafter(alpha, 0.0), alpha, np.nextafter(alpha, 2 * alpha)):
        result = greedy_cd(X, dictionary, L0(one))
        assert result.coordinate_stationary.all()
    atom = np.array([3.0, -2.0, -1.0]) / np.sqrt(14.0)
    tied = greedy_cd(15.0 * atom[None, None], atom[None, None], L0(0.5 * 15.0**2), boundary="valid")
    assert tied.n_iter[0] < 100
    assert tied.converged.all()


def test_max_iter_is_kept(problem):
    X, dictionary = problem()
    for most in (1, 7):
        with pytest.warns(ConvergenceWarning):
            result = greedy_cd(X, dictionary, L1(0.5), tol=1e-12, max_iter=most)
        assert result.n_iter.max() == most


def test_codes_too_large_and_atoms_too_small_are_refused(monkeypatch, problem):
    X, dictionary = problem()
    with pytest.raises(ValueError, match="no atom of norm 0"):
        greedy_cd(X, dictionary * 1e-170, L1(1.0))
    with pytest.raises(ValueError, match="no atom of norm 0"):
        greedy_cd(X.astype(np.float32), dictionary * 1e-50, L1(1.0))
    monkeypatch.setattr(_problem, "MOST_UNITS", 700)
    with pytest.raises(ValueError, match=r"at most 700 units; got \(4, 13, 14\), 728 units"):
        greedy_cd(X, dictionary, L1(1.0))


@pytest.mark.parametrize("solver", [greedy_cd, fista, admm])
def test_small_scales_and_forbidden_starts(solver, problem):
    X, dictionary = problem(dtype=np.float32)
    result = solver(1e-25 * X, dictionary, "l1", alpha_ratio=0.3, tol=1e-3)
    assert result.converged.all()
    assert result.code.nnz
    penalty = L1(2.0, positive=True)
    start = solver(X, dictionary, penalty, tol=1e-3).code.to_dense()
    start[0, 0, 0, 0] = -1e-9
    again = solver(X, dictionary, penalty, tol=1e-2, init=start)
    assert (again.code.values > 0).all()
    assert np.isfinite(again.objective).all()
