"""Pursuits by rounds, without the Gram matrix, against those with it and against their twins."""

from functools import partial

import numpy as np
import pytest
import twins

from sparsecode.datasets import extract_patches, natural_images, whiten
from sparsecode.solvers import _problem, mp, ols, omp
from sparsecode.solvers.pursuit import ROUND_HEIGHT, ROUND_SHARE, _Pursuit

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
SOLVERS = pytest.mark.parametrize(
    "solver", [omp, ols, mp, partial(mp, positive=True)], ids=["omp", "ols", "mp", "positive-mp"]
)
ORTHOGONAL = pytest.mark.parametrize("solver", [omp, ols])


@pytest.fixture
def rounds(monkeypatch):
    """Return a function that calls a solver which may not make the Gram matrix."""

    def refuse(problem):
        raise AssertionError("the Gram matrix was asked for")

    def call(solver, *arguments, **options):
        with monkeypatch.context() as patch:
            patch.setattr(_problem, "GRAM_BYTES", 0)
            patch.setattr(_problem.Problem, "gram", property(refuse))
            return solver(*arguments, **options)

    return call


def random_problem(rng):
    """Norms from 0.3 to 3."""
    return rng.standard_normal((150, 24)), rng.standard_normal((300, 24)) * rng.uniform(
        0.3, 3.0, (300, 1)
    )


def patches(rng):
    images = whiten(natural_images())
    atoms = extract_patches(images, 8, n_patches=200, rng=2)
    return extract_patches(images, 8, n_patches=100, rng=1), atoms


def planted(rng):
    dictionary = rng.standard_normal((130, 32))
    codes = np.zeros((80, 130))
    for code in codes:
        code[rng.choice(130, 3, replace=False)] = rng.uniform(1.0, 2.0, 3)
    return codes @ dictionary, dictionary


@pytest.fixture(params=[random_problem, patches, planted])
def problem(request):
    return request.param(np.random.default_rng(7))


def compare(mine, theirs, dtype):
    """Both results have the same supports, and the same codes but for rounding."""
    mine_dense, dense = mine.code.to_dense(), theirs.code.to_dense()
    np.testing.assert_array_equal(mine_dense != 0.0, dense != 0.0)
    scale = np.abs(dense).max(initial=1.0)
    np.testing.assert_allclose(mine_dense, dense, atol=200 * np.finfo(dtype).eps * scale)
    np.testing.assert_array_equal(mine.n_iter, theirs.n_iter)
    np.testing.assert_array_equal(mine.converged, theirs.converged)
    assert mine.code.dtype == theirs.code.dtype == dtype


@DTYPES
@SOLVERS
@pytest.mark.parametrize("k", [1, 2, 6])
def test_codes_are_those_of_the_gram_matrix(solver, k, dtype, problem, rounds):
    X, dictionary = problem[0].astype(dtype), problem[1]
    compare(rounds(solver, X, dictionary, n_nonzero=k), solver(X, dictionary, n_nonzero=k), dtype)


@DTYPES
@SOLVERS
@pytest.mark.parametrize("fraction", [0.5, 0.1])
@pytest.mark.filterwarnings("ignore:.*did not converge")
def test_error_targets_are_those_of_the_gram_matrix(solver, fraction, dtype, problem, rounds):
    X, dictionary = problem[0].astype(dtype), problem[1]
    options = dict(error=fraction * float(np.linalg.norm(X, axis=1).mean()), n_nonzero=9)
    result = rounds(solver, X, dictionary, **options)
    compare(result, solver(X, dictionary, **options), dtype)
    assert np.unique(result.n_iter).size > 1  # samples leave the rounds one by one
    reached = np.linalg.norm(X - result.code.to_dense() @ dictionary, axis=1)
    assert (reached[result.converged] <= options["error"] * (1 + 1e-4)).all()


@DTYPES
@ORTHOGONAL
@pytest.mark.parametrize("n_nonzero", [24, 300])
def test_as_many_atoms_as_features_fit_exactly(solver, n_nonzero, dtype, rounds):
    X, dictionary = random_problem(np.random.default_rng(3))
    X = X.astype(dtype)
    result = rounds(solver, X, dictionary, n_nonzero=n_nonzero)
    assert result.converged.all()
    assert (result.code.n_active <= 24).all()
    assert (result.objective <= 1e9 * np.finfo(dtype).eps ** 2 * (X**2).sum(1)).all()
    assert result.certificate.max() <= 100 * np.finfo(dtype).eps


@pytest.mark.parametrize("n_nonzero", [1, 3, 6])
def test_coherent_atoms_get_the_codes_of_the_twin(n_nonzero, rounds):
    rng = np.random.default_rng(19)
    centres, axis = np.linspace(-1, 12, 30)[:, None], np.arange(12.0)
    dictionary = np.exp(-0.15 * (axis - centres) ** 2) * rng.uniform(0.3, 3.0, (30, 1))
    X = rng.standard_normal((20, 12))
    for x, code in zip(X, rounds(omp, X, dictionary, n_nonzero=n_nonzero).code.to_dense()):
        np.testing.assert_allclose(code, twins.omp(x, dictionary, n_nonzero), rtol=1e-6, atol=1e-8)


@pytest.mark.filterwarnings("ignore:.*did not converge")
@pytest.mark.parametrize("n_steps", [1, 4, 40])
def test_matching_is_that_of_the_twin(n_steps, rounds):
    X, dictionary = random_problem(np.random.default_rng(7))
    X = X[:20]
    result = rounds(mp, X, dictionary, error=1e-9, max_iter=n_steps)
    np.testing.assert_array_equal(result.n_iter, n_steps)
    assert not result.converged.any()
    for x, code in zip(X, result.code.to_dense()):
        np.testing.assert_allclose(code, twins.mp(x, dictionary, n_steps), atol=1e-9)


@DTYPES
@ORTHOGONAL
def test_ties_go_to_the_lower_index_and_duplicates_are_passed_over(solver, dtype, rounds):
    atoms = np.vstack([np.eye(3)[[0, 1]], np.eye(3), np.zeros((200, 3)) + np.eye(3)[2], np.eye(3)])
    X = np.array([[3.0, -3.0, 3.0], [0.0, 0.0, 1.0]], dtype)
    code = rounds(solver, X, atoms, n_nonzero=3).code
    np.testing.assert_array_equal(code.n_active, [3, 1])
    dense = code.to_dense()
    np.testing.assert_array_equal(dense[0, [0, 1, 4]], [3.0, -3.0, 3.0])
    assert dense[1, 4] == 1.0


@DTYPES
@SOLVERS
def test_duplicates_and_multiples_of_atoms_join_once(solver, dtype, rounds):
    rng = np.random.default_rng(4)
    few = rng.integers(-4, 5, (40, 16)) + np.eye(40, 16)
    atoms = np.concatenate([few, 2.0 * few, few])  # whose products round alike
    X = rng.integers(-9, 10, (60, 16)).astype(dtype)
    result = rounds(solver, X, atoms, n_nonzero=8)
    used = result.code.to_dense().reshape(60, 3, 40) != 0.0
    assert (used.sum(1) <= 1).all()
    others = solver(X, few, n_nonzero=8).code.to_dense()
    np.testing.assert_array_equal(used.any(1), others != 0.0)


@DTYPES
@SOLVERS
def test_planted_orthogonal_codes_end_the_pursuit_early(solver, dtype, rounds):
    rng = np.random.default_rng(8)
    dictionary = np.linalg.qr(rng.standard_normal((40, 40)))[0]
    codes = np.zeros((10, 40))
    for code in codes:
        code[rng.choice(40, 4, replace=False)] = rng.uniform(1, 2, 4)
    result = rounds(solver, (codes @ dictionary).astype(dtype), dictionary, n_nonzero=20)
    np.testing.assert_array_equal(result.code.n_active, 4)
    tolerance = 100 * np.finfo(dtype).eps
    np.testing.assert_allclose(result.code.to_dense(), codes, atol=tolerance)


@DTYPES
@SOLVERS
def test_samples_that_no_atom_sees_get_the_empty_code(solver, dtype, rounds):
    rng = np.random.default_rng(1)
    dictionary = rng.standard_normal((30, 10))
    dictionary[:, 9] = 0.0
    X = np.zeros((4, 10), dtype)
    X[1, 9] = 1.0
    X[3] = rng.standard_normal(10)
    result = rounds(solver, X, dictionary, n_nonzero=2)
    np.testing.assert_array_equal(result.code.n_active, [0, 0, 0, 2])
    assert result.converged.all()
    assert rounds(solver, X[:3], dictionary, n_nonzero=2).code.nnz == 0
    empty = rounds(solver, X[:0], dictionary, n_nonzero=2)
    assert empty.code.shape == (0, 30)


@DTYPES
@SOLVERS
def test_a_target_beyond_the_energy_takes_no_atoms(solver, dtype, problem, rounds):
    X, dictionary = problem[0].astype(dtype), problem[1]
    result = rounds(solver, X, dictionary, error=1e4)
    assert result.code.nnz == 0
    assert result.converged.all()


@DTYPES
@SOLVERS
@pytest.mark.parametrize("exponent", [-40, 30])
def test_scaling_a_sample_scales_its_code(solver, exponent, dtype, problem, rounds):
    X, dictionary = problem[0].astype(dtype), problem[1]
    factor = dtype(2.0**exponent)
    code = rounds(solver, X, dictionary, n_nonzero=5).code
    other = rounds(solver, X * factor, dictionary, n_nonzero=5).code
    np.testing.assert_array_equal(other.indices, code.indices)
    np.testing.assert_array_equal(other.values, code.values * factor)


@DTYPES
@SOLVERS
def test_bits_do_not_depend_on_the_number_of_threads(solver, dtype, rounds):
    rng = np.random.default_rng(6)
    X, dictionary = rng.standard_normal((500, 20)).astype(dtype), rng.standard_normal((400, 20))
    error = 0.4 * 20**0.5
    one, two = (rounds(solver, X, dictionary, error=error, n_threads=n) for n in (1, 2))
    np.testing.assert_array_equal(one.code.indices, two.code.indices)
    np.testing.assert_array_equal(one.code.values, two.code.values)
    np.testing.assert_array_equal(one.n_iter, two.n_iter)


def test_tiles_are_tall_and_cover_all_samples(monkeypatch):
    X, dictionary = np.zeros((1000, 4), np.float32), np.ones((2**16, 4), np.float32)
    problem = _Pursuit(X, dictionary, 16, None, orthogonal=True)
    assert problem.basis_rows == 4
    assert problem.is_large
    assert ROUND_HEIGHT < problem.tiles()[0].stop <= ROUND_SHARE
    np.testing.assert_array_equal(
        np.concatenate([np.arange(1000)[t] for t in problem.tiles()]), np.arange(1000)
    )
    problem.basis_rows = 10**6
    assert problem.tiles()[0].stop == ROUND_HEIGHT
    small = _Pursuit(X, dictionary[:100], 16, None, orthogonal=False)
    assert small.tiles() == _problem.Problem(X, dictionary[:100]).tiles()


def test_positive_orthogonal_pursuit_says_that_it_needs_the_gram_matrix(problem, rounds):
    with pytest.raises(ValueError, match=r"at most 0 GiB; got \d+ atoms. Take fewer"):
        rounds(omp, *problem, n_nonzero=2, positive=True)
