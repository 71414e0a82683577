"""The hierarchical benchmark: its data, correlations, matching and scores."""

from __future__ import annotations

import numpy as np
import pytest

from sparsecode.bridges import (
    absorption,
    gram_errors,
    hierarchical_features,
    match_latents,
    sibling_mixing,
)
from sparsecode.bridges.sae_benchmark import CHILD_MIXING, CORRELATIONS, PARENT_MIXING
from sparsecode.core import SparseCode


@pytest.fixture(scope="module")
def truth():
    return hierarchical_features(0)


def test_samples_have_the_law_of_the_benchmark(truth):
    n = 50_000
    X, code = truth.sample(n, 1)
    z = code.to_dense()
    np.testing.assert_allclose(X, z @ truth.features, atol=1e-5)
    assert code.n_active.mean() == pytest.approx(1.36, abs=0.02)
    active = z != 0
    assert (active[:, :11].sum(axis=1) == 1).all()  # parents exclude each other
    assert (active[:, 11:].sum(axis=1) <= 1).all()
    for child in range(11, 20):
        assert active[active[:, child], truth.parent_of[child]].all()
    # five standard deviations of a binomial share
    p = np.array([0.2] * 3 + [0.05] * 8 + [0.04] * 9)
    assert (np.abs(active.mean(axis=0) - p) < 5 * np.sqrt(p * (1 - p) / n)).all()
    assert z[active].mean() == pytest.approx(1.5, abs=0.01)
    assert z[active].std() == pytest.approx(0.25, abs=0.01)


def test_amplitudes_can_differ(truth):
    z = truth.sample(20_000, 0, parent_amplitude=(1, 0.25), child_amplitude=(1.3, 0.125))[1]
    z = z.to_dense()
    parents, children = z[:, :11][z[:, :11] != 0], z[:, 11:][z[:, 11:] != 0]
    assert parents.std() == pytest.approx(0.25, abs=0.01)
    assert children.mean() == pytest.approx(1.3, abs=0.01)
    assert children.std() == pytest.approx(0.125, abs=0.01)
    assert truth.sample(0, 0)[0].shape == (0, 20)


def test_mixing_gives_the_wanted_cosines():
    found = hierarchical_features(3, parent_correlation=0.4, child_correlation=0.7)
    cosines = found.features @ found.features.T
    np.testing.assert_allclose(np.diag(cosines), 1)
    for i in range(20):
        for j in range(i):
            same = found.parent_of[i] == found.parent_of[j]
            wanted = (0.4 if i < 11 else 0.7) if same else 0.0
            assert cosines[i, j] == pytest.approx(wanted, abs=1e-12)
    np.testing.assert_allclose(
        [sibling_mixing(c, 3) for c in CORRELATIONS], CHILD_MIXING, atol=2e-3
    )
    np.testing.assert_allclose(
        [sibling_mixing(c, 11) for c in CORRELATIONS], PARENT_MIXING, atol=2e-3
    )
    with pytest.raises(ValueError, match="correlation must be at least 0 and below 1"):
        sibling_mixing(1.0, 3)


def test_latents_are_matched_by_their_activations(truth):
    _, z = truth.sample(500, 0)
    order = np.random.default_rng(0).permutation(25)
    shown = np.zeros((500, 25))
    shown[:, order[:20]] = z.to_dense() * np.arange(1, 21)  # scale plays no part
    assert np.array_equal(match_latents(SparseCode.from_dense(shown), z), order[:20])
    with pytest.raises(ValueError, match="at least 20 latents"):
        match_latents(SparseCode.from_dense(shown[:, :19]), z)
    with pytest.raises(ValueError, match="same samples"):
        match_latents(SparseCode.from_dense(shown[:9]), z)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_scores_of_children_that_carry_their_parents(truth, share):
    atoms = truth.features.copy()
    children = np.arange(11, 20)
    atoms[children] += share * atoms[truth.parent_of[children]]
    cosine = share / np.sqrt(1 + share**2)
    assert absorption(5 * atoms, truth, np.arange(20)) == pytest.approx(cosine)
    errors = gram_errors(5 * atoms, truth, np.arange(20))
    # pairs of a parent and its child are 9 of 99; of siblings 18 of the 110 + 72 in order
    assert errors["cross"] == pytest.approx(9 * cosine**2 / 99)
    assert errors["within"] == pytest.approx(18 * cosine**4 / 182)
    mixed = atoms[::-1]
    assert absorption(mixed, truth, np.arange(20)[::-1]) == pytest.approx(cosine)
