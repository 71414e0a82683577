"""Coordinate descent where its working sets are large, and what a certificate may claim."""

import numpy as np
import pytest
import twins
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsecode.datasets import extract_patches, natural_images
from sparsecode.penalties import (
    CEL0,
    L0,
    L1,
    MCP,
    SCAD,
    ElasticNet,
    Half,
    LogSum,
    PaperCEL0,
    registered,
)
from sparsecode.solvers import cd
from sparsecode.solvers._cd_kernels import GATHERED

#: Weights are fractions of what silences each sample.
FRACTIONS = {
    "l1": 0.02,
    "elastic_net": 0.02,
    "l0": 0.005,
    "cel0": 0.005,
    "half": 0.01,
    "mcp": 0.02,
    "scad": 0.02,
    "log_sum": 0.02,
}


@pytest.mark.filterwarnings("ignore:alpha is so small")
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


@pytest.fixture(scope="module")
def photographs():
    """Patches with their mean, and more patches as unit atoms: cosines up to 0.999 and more."""
    patches = extract_patches(natural_images(), 8, n_patches=440, rng=1, subtract_mean=False)
    X, atoms = patches[:40], patches[40:]
    return X, atoms / np.linalg.norm(atoms, axis=1, keepdims=True)


def test_fractions_are_given_for_every_penalty_of_coordinate_descent():
    assert set(FRACTIONS) == set(registered()) - {"paper_cel0"}  # which cd refuses


def test_the_operator_that_silences_unit_atoms_is_refused():
    with pytest.raises(TypeError, match=r"cd takes coordinate steps .* use CEL0, or ista"):
        cd(np.ones((1, 2)), np.eye(2), PaperCEL0(0.1))


@pytest.mark.parametrize("name", FRACTIONS)
def test_raw_photographs_converge_in_few_sweeps(name, photographs):
    """Leaps to the minimiser on a support replace thousands of sweeps over coherent atoms."""
    X, dictionary = photographs
    result = cd(X, dictionary, name, alpha_ratio=FRACTIONS[name], max_iter=2500)
    assert result.converged.all()
    assert (result.objective <= 0.5 * (X**2).sum(axis=1)).all()


@pytest.mark.parametrize("name", ["l1", "l0"])
def test_float32_reaches_its_tolerance_on_raw_photographs(name, photographs):
    X, dictionary = (array.astype(np.float32) for array in photographs)
    result = cd(X, dictionary, name, alpha_ratio=FRACTIONS[name], max_iter=2500)
    assert result.converged.all()


@pytest.mark.parametrize("penalty", [L1(0.3), L0(0.1), CEL0(0.1), Half(0.15), ElasticNet(0.3)])
def test_codes_are_optimal_along_every_axis(penalty):
    rng = np.random.default_rng(6)
    dictionary = rng.standard_normal((14, 9)) * rng.uniform(0.4, 2.0, (14, 1))
    X, weights = rng.standard_normal((6, 9)), rng.uniform(0.5, 2.0, 14)
    for struct in (penalty, penalty._replace(positive=True, weights=weights)):
        result = cd(X, dictionary, struct, tol=1e-9, max_iter=100_000)
        for x, z, found in zip(X, result.code.to_dense(), result.objective):
            assert twins.is_coordinate_stationary(struct, x, dictionary, z, atol=1e-4)
            assert found == pytest.approx(twins.objective(struct, x, dictionary, z), rel=1e-12)


UPHILL = [L1(0.3), L0(0.1), CEL0(0.1), Half(0.15), MCP(0.3), SCAD(0.3), LogSum(0.1)]


@pytest.mark.filterwarnings("ignore:.*did not converge", "ignore:alpha is so small")
@pytest.mark.parametrize("penalty", UPHILL, ids=repr)
def test_neither_a_sweep_nor_a_leap_leads_uphill(penalty):
    """A call whose sweeps run out ends with leaps."""
    rng = np.random.default_rng(7)
    dictionary, X = rng.standard_normal((40, 20)) + 1.0, rng.standard_normal((6, 20))
    codes, before = rng.standard_normal((6, 40)), np.full(6, np.inf)
    for n_sweeps in (1, 1, 1, 2, 5, 20, 1, 1, 1):
        result = cd(X, dictionary, penalty, init=codes, max_iter=n_sweeps, tol=1e-12)
        assert (result.objective <= before * (1 + 1e-9)).all()
        codes, before = result.code, result.objective
