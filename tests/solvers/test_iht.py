"""Hard thresholding, penalised and k-sparse, and hard thresholding pursuit."""

from itertools import combinations

import numpy as np
import pytest
import twins
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsecode.core import normalize
from sparsecode.datasets import planted_codes
from sparsecode.penalties import CEL0, L0
from sparsecode.solvers import htp, iht, ista, omp


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(17)
    dictionary = rng.standard_normal((24, 12)) * rng.uniform(0.5, 2.0, (24, 1))
    return rng.standard_normal((8, 12)), dictionary


def test_penalised_form_is_proximal_gradient(problem):
    X, dictionary = problem
    assert iht(X, dictionary, L0(0.1)).code == ista(X, dictionary, L0(0.1)).code
    one = iht(X, dictionary, "l0", alpha_ratio=0.2, step=0.01)
    assert one.code == ista(X, dictionary, "l0", alpha_ratio=0.2, step=0.01).code


@pytest.mark.parametrize("n_iter", [1, 2, 25])
@pytest.mark.filterwarnings("ignore:.*did not converge")
def test_normalised_steps_are_those_of_the_twin(n_iter, problem):
    X, dictionary = problem
    result = iht(X, dictionary, n_nonzero=4, max_iter=n_iter, tol=1e-15)
    for x, code in zip(X, result.code.to_dense()):
        np.testing.assert_allclose(code, twins.niht(x, dictionary, 4, n_iter), atol=1e-10)


def test_pursuit_is_that_of_the_twin(problem):
    X, dictionary = problem
    curvature = np.linalg.norm(dictionary, 2) ** 2
    for n_nonzero in (1, 3, 7):
        codes = htp(X, dictionary, n_nonzero=n_nonzero).code.to_dense()
        for x, code in zip(X, codes):
            twin = twins.htp(x, dictionary, n_nonzero, 1 / curvature)
            np.testing.assert_allclose(code, twin, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_planted_codes_are_found_on_incoherent_atoms(dtype):
    X, code, dictionary = planted_codes(
        50, n_atoms=100, n_features=80, n_active=4, amplitudes="uniform", rng=5, dtype=dtype
    )
    precision = {np.float32: 1e-3, np.float64: 1e-5}[dtype]
    for result in (
        iht(X, dictionary, n_nonzero=4),
        htp(X, dictionary, n_nonzero=4, step=1.0),
        omp(X, dictionary, n_nonzero=4),
    ):
        assert result.converged.all()
        right = np.abs(result.code.to_dense() - code.to_dense()).max(axis=1) < precision
        assert right.mean() >= 0.96


def test_no_code_beats_the_best_support_of_its_size(problem):
    X, dictionary = problem
    best = np.full(len(X), np.inf)
    for support in combinations(range(24), 3):
        atoms = dictionary[list(support)]
        residuals = X - X @ np.linalg.pinv(atoms) @ atoms
        best = np.minimum(best, 0.5 * (residuals**2).sum(axis=1))
    for solver in (iht, htp, omp):
        found = solver(X, dictionary, n_nonzero=3).objective
        assert (found >= best * (1 - 1e-9)).all()
        assert (found <= 0.5 * (X**2).sum(axis=1)).all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), n_nonzero=st.integers(1, 15), positive=st.booleans())
@pytest.mark.filterwarnings("ignore:.*did not converge")
def test_never_more_atoms_than_asked_for(seed, n_nonzero, positive):
    rng = np.random.default_rng(seed)
    X, dictionary = np.rint(rng.standard_normal((4, 8))), rng.integers(-2, 3, (15, 8)) + 0.5
    for result in (
        iht(X, dictionary, n_nonzero=n_nonzero, positive=positive, max_iter=50),
        htp(X, dictionary, n_nonzero=n_nonzero, max_iter=50),
        omp(X, dictionary, n_nonzero=n_nonzero, positive=positive),
    ):
        assert (result.code.n_active <= n_nonzero).all()
    if positive:
        assert (iht(X, dictionary, n_nonzero=n_nonzero, positive=True).code.values > 0).all()


def test_ties_go_to_lower_indices():
    x = np.array([[1.0, 1.0, 1.0, 1.0]])
    for solver in (iht, htp):
        code = solver(x, np.eye(4), n_nonzero=2).code
        np.testing.assert_array_equal(code.to_dense(), [[1.0, 1.0, 0.0, 0.0]])


def test_dependent_atoms_of_a_support_get_zero():
    dictionary = np.vstack([np.eye(3), [[1.0, 1.0, 0.0]]])
    result = htp(np.array([[2.0, 2.0, 0.5]]), dictionary, n_nonzero=4)
    assert result.code.n_active[0] == 3
    assert result.objective[0] == pytest.approx(0, abs=1e-20)


def test_the_two_forms_are_told_apart(problem):
    X, dictionary = problem
    with pytest.raises(ValueError, match="either a penalty or n_nonzero; got penalty=None"):
        iht(X, dictionary)
    with pytest.raises(ValueError, match="either a penalty or n_nonzero"):
        iht(X, dictionary, L0(0.1), n_nonzero=3)
    with pytest.raises(TypeError, match="must be L0; got CEL0"):
        iht(X, dictionary, CEL0(0.1))
    with pytest.raises(ValueError, match=r"use L0\(alpha, positive=True\)"):
        iht(X, dictionary, L0(0.1), positive=True)
    with pytest.raises(ValueError, match="alpha_ratio of iht"):
        iht(X, dictionary, n_nonzero=3, alpha_ratio=0.1)
    with pytest.raises(ValueError, match="step must be finite and above 0"):
        htp(X, dictionary, n_nonzero=3, step=-1.0)
    with pytest.raises(ValueError, match="step must be at most"):
        iht(normalize(X), normalize(dictionary), n_nonzero=3, step=5.0)
