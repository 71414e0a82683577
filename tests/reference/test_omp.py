"""Orthogonal matching pursuit against scikit-learn, and against non-negative least squares."""

import numpy as np
import pytest
from scipy.optimize import nnls
from sklearn.linear_model import orthogonal_mp

from sparsecode.core import normalize
from sparsecode.solvers import htp, mp, omp


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(3)
    return rng.standard_normal((40, 24)), normalize(rng.standard_normal((60, 24)))


@pytest.mark.parametrize("n_nonzero", [1, 4, 12, 24])
def test_codes_match_scikit_learn(problem, n_nonzero):
    X, dictionary = problem
    theirs = orthogonal_mp(dictionary.T, X.T, n_nonzero_coefs=n_nonzero).T
    result = omp(X, dictionary, n_nonzero=n_nonzero)
    np.testing.assert_allclose(result.code.to_dense(), theirs, atol=1e-9)


def test_unequal_norms_only_rescale_the_codes(problem):
    X, dictionary = problem
    norms = np.random.default_rng(4).uniform(0.1, 5.0, (60, 1))
    scaled = omp(X, dictionary * norms, n_nonzero=6).code.to_dense()
    np.testing.assert_allclose(scaled * norms.T, omp(X, dictionary, n_nonzero=6).code.to_dense())


def test_error_target_is_met_with_the_fewest_steps(problem):
    X, dictionary = problem
    result = omp(X, dictionary, error=1.5)
    assert result.converged.all()
    errors = np.linalg.norm(X - result.code.to_dense() @ dictionary, axis=1)
    assert (errors <= 1.5 * (1 + 1e-9)).all()
    for x, size in zip(X, result.n_iter):
        if size > 1:
            shorter = omp(x[None], dictionary, n_nonzero=int(size) - 1)
            assert np.sqrt(2 * shorter.objective[0]) > 1.5


def test_exact_codes_are_found_and_end_early():
    rng = np.random.default_rng(8)
    dictionary = np.linalg.qr(rng.standard_normal((30, 30)))[0]
    codes = np.zeros((10, 30))
    for code in codes:
        code[rng.choice(30, 4, replace=False)] = rng.uniform(1, 2, 4)
    result = omp(codes @ dictionary, dictionary, n_nonzero=20)
    np.testing.assert_allclose(result.code.to_dense(), codes, atol=1e-12)
    assert (result.n_iter == 4).all()


def test_dependent_atoms_are_passed_over_and_ties_go_to_the_lower_index():
    twins = np.vstack([np.eye(3), np.eye(3)])
    result = omp(np.array([[3.0, 2.0, 1.0]]), twins, n_nonzero=5)
    np.testing.assert_array_equal(result.code.to_dense(), [[3.0, 2.0, 1.0, 0.0, 0.0, 0.0]])


def test_positive_codes_are_least_squares_on_their_support(problem):
    X, dictionary = problem
    result = omp(X, dictionary, n_nonzero=5, positive=True, tol=1e-10)
    for x, z in zip(X, result.code.to_dense()):
        support = np.flatnonzero(z)
        assert 1 <= support.size <= 5
        best, _ = nnls(dictionary[support].T, x)
        np.testing.assert_allclose(z[support], best, atol=1e-7)


def test_matching_pursuit_keeps_energy_and_follows_its_rule(problem):
    X, dictionary = problem
    result = mp(X, dictionary, n_nonzero=4)
    for x, z, steps in zip(X, result.code.to_dense(), result.n_iter):
        residual, code = x.copy(), np.zeros(60)
        for _ in range(steps):
            correlation = dictionary @ residual
            j = np.abs(correlation).argmax()
            code[j] += correlation[j]
            energy = residual @ residual
            residual -= correlation[j] * dictionary[j]
            assert residual @ residual == pytest.approx(energy - correlation[j] ** 2)
        np.testing.assert_allclose(z, code, atol=1e-10)


def test_hard_thresholding_pursuit_fits_its_support(problem):
    X, dictionary = problem
    result = htp(X, dictionary, n_nonzero=5)
    for x, z in zip(X, result.code.to_dense()):
        support = np.flatnonzero(z)
        best = np.linalg.lstsq(dictionary[support].T, x, rcond=None)[0]
        np.testing.assert_allclose(z[support], best, atol=1e-9)


def test_a_pursuit_needs_a_reason_to_stop(problem):
    X, dictionary = problem
    for pursuit in (omp, mp):
        with pytest.raises(ValueError, match="needs n_nonzero or error"):
            pursuit(X, dictionary)
