"""The alpha that silences a sample, and the one that gives a density."""

from functools import partial

import numpy as np
import pytest

from sparsecode.penalties import CEL0, L0, L1, MCP, Half, PaperCEL0, make
from sparsecode.solvers import alpha_for_density, alpha_max, cd, encode


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(4)
    dictionary = rng.standard_normal((30, 18)) * rng.uniform(0.3, 2.0, (30, 1))
    return rng.standard_normal((200, 18)), dictionary


def test_alpha_max_has_its_closed_forms(problem):
    X, dictionary = problem
    correlation = np.abs(X @ dictionary.T)
    norms = np.linalg.norm(dictionary, axis=1)
    weights = np.random.default_rng(5).uniform(0.5, 2.0, 30)
    closed = [
        (L1(1.0), correlation.max(axis=1)),
        (L1(1.0, weights=weights), (correlation / weights).max(axis=1)),
        (L1(1.0, positive=True), (X @ dictionary.T).max(axis=1)),
        (L0(1.0), (correlation**2 / (2 * norms**2)).max(axis=1)),
        (CEL0(1.0), (correlation**2 / (2 * norms**2)).max(axis=1)),
        (Half(1.0), (norms**2 * (2 / 3 * correlation / norms**2) ** 1.5).max(axis=1)),
        (MCP(1.0, beta=100.0), correlation.max(axis=1)),
    ]
    for penalty, expected in closed:
        np.testing.assert_allclose(alpha_max(X, dictionary, penalty), expected, rtol=1e-12)


def test_zero_samples_are_silent_at_every_alpha(problem):
    _, dictionary = problem
    assert (alpha_max(np.zeros((3, 18)), dictionary, "l0") == 0.0).all()


@pytest.mark.parametrize("name", ["l1", "cel0"])
@pytest.mark.parametrize("density", [0.03, 0.2])
def test_density_is_met(problem, name, density):
    X, dictionary = problem
    alpha = alpha_for_density(X, dictionary, name, density, rtol=0.02)
    found = encode(X, dictionary, make(name, alpha)).code.density
    assert found == pytest.approx(density, rel=0.02)


def test_unreachable_densities_and_silent_samples_are_refused(problem):
    X, dictionary = problem
    silent = np.vstack([X[:5], np.zeros((15, 18))])  # at most a quarter can be active
    with pytest.raises(ValueError, match="density must be one that the samples can have"):
        alpha_for_density(silent, dictionary, "l0", 0.5, solver=partial(cd, tol=1e-2))
    with pytest.raises(ValueError, match="some atom sees"):
        alpha_for_density(np.zeros((3, 18)), dictionary, "l1", 0.1)
    with pytest.raises(ValueError, match="density must lie"):
        alpha_for_density(X, dictionary, "l1", 1.5)
    with pytest.raises(TypeError, match="PaperCEL0"):
        alpha_max(X, dictionary, PaperCEL0(1.0))
    for function in (alpha_max, partial(alpha_for_density, density=0.1)):
        with pytest.raises(TypeError, match="must be a registered struct"):
            function(X, dictionary, None)
