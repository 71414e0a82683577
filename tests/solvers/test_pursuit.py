"""Greedy pursuits against their twins, on atoms that are nearly dependent too."""

import numpy as np
import pytest
import twins
from sklearn.exceptions import ConvergenceWarning

from sparsecode.solvers import mp, omp


@pytest.fixture(scope="module", params=["incoherent", "coherent"])
def problem(request):
    rng = np.random.default_rng(19)
    dictionary = rng.standard_normal((30, 12)) * rng.uniform(0.3, 3.0, (30, 1))
    if request.param == "coherent":  # smooth bumps
        centres, axis = np.linspace(-1, 12, 30)[:, None], np.arange(12.0)
        dictionary = np.exp(-0.15 * (axis - centres) ** 2) * rng.uniform(0.3, 3.0, (30, 1))
    return rng.standard_normal((20, 12)), dictionary


@pytest.mark.parametrize("n_nonzero", [1, 3, 6])
@pytest.mark.parametrize("positive", [False, True])
def test_orthogonal_pursuit_is_that_of_the_twin(n_nonzero, positive, problem):
    X, dictionary = problem
    result = omp(X, dictionary, n_nonzero=n_nonzero, positive=positive)
    assert result.converged.all()
    for x, code, residual in zip(X, result.code.to_dense(), result.certificate):
        np.testing.assert_allclose(
            code, twins.omp(x, dictionary, n_nonzero, positive), rtol=1e-6, atol=1e-8
        )
        assert residual == pytest.approx(twins.support_residual(x, dictionary, code), abs=1e-9)


@pytest.mark.parametrize("positive", [False, True])
def test_float32_codes_fit_as_well_as_float64_ones(positive, problem):
    X, dictionary = problem
    precise = omp(X, dictionary, n_nonzero=5, positive=positive)
    short = omp(X.astype(np.float32), dictionary, n_nonzero=5, positive=positive)
    assert short.converged.all()
    np.testing.assert_allclose(short.objective, precise.objective, rtol=1e-2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("positive", [False, True])
def test_error_target_is_met_or_reported(dtype, positive):
    rng = np.random.default_rng(20)
    dictionary = rng.standard_normal((300, 20))
    X = rng.standard_normal((500, 20)).astype(dtype)
    for fraction in (0.5, 0.05):
        error = fraction * 20**0.5
        result = omp(X, dictionary, error=error, positive=positive)
        assert result.converged.all()
        reached = np.linalg.norm(X - result.code.to_dense() @ dictionary, axis=1)
        assert (reached <= error * (1 + 1e-4)).all()
    with pytest.warns(ConvergenceWarning, match="Raise n_nonzero, error or tol"):
        short = omp(X, dictionary, error=error, n_nonzero=2, positive=positive)
    assert not short.converged.any()
    assert (short.code.n_active <= 2).all()


@pytest.mark.filterwarnings("ignore:.*did not converge")
def test_matching_pursuit_is_that_of_the_twin(problem):
    X, dictionary = problem
    for n_iter in (1, 4, 40):
        result = mp(X, dictionary, error=1e-9, max_iter=n_iter)
        for x, code, used in zip(X, result.code.to_dense(), result.n_iter):
            assert used == n_iter
            np.testing.assert_allclose(code, twins.mp(x, dictionary, n_iter), atol=1e-9)


def test_matching_pursuit_says_when_it_was_cut_short(problem):
    X, dictionary = problem
    with pytest.warns(ConvergenceWarning, match="20 of 20 samples did not converge"):
        result = mp(X, dictionary, n_nonzero=6, max_iter=3)
    assert (result.n_iter == 3).all()
    assert mp(X, dictionary, n_nonzero=3).converged.all()


def test_positive_pursuit_drops_atoms_that_a_refit_silences():
    rng = np.random.default_rng(23)
    dictionary = np.abs(rng.standard_normal((40, 6)))  # every two atoms are much alike
    X = np.abs(rng.standard_normal((200, 6)))
    result = omp(X, dictionary, n_nonzero=4, positive=True)
    dropped = result.n_iter > result.code.n_active
    assert dropped.any()
    for x, code in zip(X[dropped], result.code.to_dense()[dropped]):
        np.testing.assert_allclose(code, twins.omp(x, dictionary, 4, True), atol=1e-8)
    assert omp(-X, dictionary, n_nonzero=1, positive=True).code.nnz == 0


def test_bad_targets_get_one_sentence(problem):
    X, dictionary = problem
    for pursuit in (omp, mp):
        with pytest.raises(ValueError, match="error must be finite and above 0; got -1"):
            pursuit(X, dictionary, error=-1.0)
        with pytest.raises(ValueError, match="n_nonzero must be at least 1 and at most 30; got 31"):
            pursuit(X, dictionary, n_nonzero=31)
        with pytest.raises(TypeError, match="init"):
            pursuit(X, dictionary, n_nonzero=2, init=np.zeros((20, 30)))
    with pytest.raises(ValueError, match="max_iter must be at least 1"):
        mp(X, dictionary, n_nonzero=2, max_iter=0)
