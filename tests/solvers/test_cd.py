"""Coordinate descent where its working sets are large, and what a certificate may claim."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsecode.penalties import L0, L1
from sparsecode.solvers import cd, ista
from sparsecode.solvers._cd_kernels import GATHERED


def test_working_sets_larger_than_the_gathered_block():
    rng = np.random.default_rng(1)
    dictionary = rng.standard_normal((GATHERED + 80, 600))
    X = rng.standard_normal((2, 600))
    result = cd(X, dictionary, "l1", alpha_ratio=1e-4)
    assert (result.code.n_active > GATHERED).all()
    assert result.converged.all()


@pytest.mark.parametrize("seed", [127, 1689, *range(20)])
def test_supports_of_dependent_atoms_are_left(seed):
    """Sweeps hardly move where more atoms are active than the features can tell apart."""
    rng = np.random.default_rng(seed)
    dictionary, X = rng.standard_normal((15, 8)), rng.standard_normal((4, 8))
    result = cd(X, dictionary, L1(0.5), tol=1e-9, max_iter=2000)
    assert result.converged.all()
    crowded = cd(X, dictionary, L1(0.5), tol=1e-9, init=rng.standard_normal((4, 15)))
    np.testing.assert_allclose(crowded.objective, result.objective, rtol=1e-8)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.01, 100.0))
def test_codes_scale_with_the_data_and_gaps_are_never_negative(seed, scale):
    rng = np.random.default_rng(seed)
    dictionary, X = rng.standard_normal((12, 16)), rng.standard_normal((4, 16))
    l1 = cd(X, dictionary, L1(0.5), tol=1e-9)
    scaled = cd(scale * X, dictionary, L1(scale * 0.5), tol=1e-9)
    np.testing.assert_allclose(scaled.objective, scale**2 * l1.objective, rtol=1e-7)
    assert (l1.certificate >= 0.0).all()
    l0 = cd(X, dictionary, L0(0.3))
    scaled = cd(scale * X, dictionary, L0(scale**2 * 0.3))
    np.testing.assert_array_equal(l0.code.indices, scaled.code.indices)
    np.testing.assert_allclose(scale * l0.code.values, scaled.code.values, rtol=1e-4)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_order_of_the_atoms_does_not_matter_for_convex_penalties(seed):
    rng = np.random.default_rng(seed)
    dictionary, X = rng.standard_normal((12, 16)), rng.standard_normal((4, 16))
    order = rng.permutation(12)
    one = cd(X, dictionary, L1(0.5), tol=1e-10)
    other = cd(X, dictionary[order], L1(0.5), tol=1e-10)
    np.testing.assert_allclose(one.objective, other.objective, rtol=1e-8)


@pytest.mark.parametrize("penalty", [L1(0.4), L0(0.2)], ids=repr)
@pytest.mark.filterwarnings("ignore:.*did not converge")
def test_proximal_gradient_never_climbs(penalty):
    rng = np.random.default_rng(9)
    dictionary, X = rng.standard_normal((12, 16)), rng.standard_normal((4, 16))
    start = rng.standard_normal((4, 12))
    costs = [
        ista(X, dictionary, penalty, init=start, max_iter=n, tol=1e-15).objective
        for n in (1, 2, 5, 20, 100)
    ]
    assert (np.diff(costs, axis=0) <= 1e-12).all()
