"""Certificates of anybody's codes are neither too small nor too large."""

import numpy as np
import pytest
import twins

from sparsecode.penalties import L0, L1, MCP, ElasticNet
from sparsecode.solvers import certify


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("alpha", [1e-11, 6e-10, 1e-9, 1e-4, 0.1, 10.0])
@pytest.mark.parametrize("kind", ["zero", "noise", "one atom"])
def test_gaps_equal_a_plain_recomputation_at_every_alpha(alpha, positive, kind):
    """Atoms that products in float32 exclude must not matter, also where they are nearly silent."""
    rng = np.random.default_rng(3)
    X, dictionary = rng.normal(size=(40, 9)), rng.normal(size=(64, 9))
    dictionary *= np.geomspace(1e-3, 1e3, 64)[:, None]
    X[0] = 0.0
    X[1] = 1e-9 * X[1] + np.linalg.svd(dictionary[:8])[2][-1]  # nearly unseen by eight atoms
    weights = rng.uniform(0.1, 10.0, 64)
    codes = np.zeros((40, 64))
    if kind == "one atom":
        codes[:, 5] = np.maximum(X @ dictionary[5], 0.0) / (dictionary[5] @ dictionary[5])
    elif kind == "noise":
        codes = np.abs(rng.normal(size=(40, 64))) * (rng.random((40, 64)) < 0.1)
    codes[0] = 0.0
    for penalty in (L1(alpha, positive, weights), ElasticNet(alpha, 0.5, positive, weights)):
        result = certify(X, dictionary, penalty, codes)
        for x, z, gap in zip(X[1:], codes[1:], result.certificate[1:]):
            exact = twins.relative_gap(penalty, x, dictionary, z)
            assert gap == pytest.approx(max(exact, 0.0), rel=1e-9, abs=1e-13)
        assert result.certificate[0] == 0.0


@pytest.mark.parametrize("alpha", [1e-11, 6e-10])
def test_an_atom_that_is_nearly_unseen_counts(alpha):
    x, dictionary = np.array([1.0, -1.0 + 1e-9]), np.full((1, 2), np.sqrt(0.5))
    result = certify(x[None], dictionary, L1(alpha), np.zeros((1, 1)))
    exact = twins.relative_gap(L1(alpha), x, dictionary, np.zeros(1))
    assert exact > 0.02
    assert result.certificate[0] == pytest.approx(exact)


def test_the_float32_filter_hides_no_violation():
    """A product with an idle atom that float32 rounds below 0, where nothing is known of limits."""
    penalty = MCP(1.0, positive=True)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        atom, x = rng.standard_normal((2, 1, 64))
        atom /= np.linalg.norm(atom)
        x -= (x @ atom.T) * atom
        x = x / np.linalg.norm(x) + 3e-9 * atom
        judged = certify(x, atom, penalty, np.zeros((1, 1)), alpha_ratio=0.5)
        # the step 1 takes a correlation c, at alpha = c / 2 and beta = 3, to 3/2 (c - c / 2)
        assert judged.certificate[0] == pytest.approx(0.75, rel=1e-5)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
@pytest.mark.parametrize("penalty", [MCP(0.01), L0(0.01)], ids=repr)
def test_certificates_know_no_scale(penalty, scale):
    rng = np.random.default_rng(0)
    X, dictionary = rng.standard_normal((5, 8)), rng.standard_normal((12, 8))
    power = 2 if isinstance(penalty, L0) else 1
    scaled = penalty._replace(alpha=penalty.alpha * scale**power)
    one = certify(X, dictionary, penalty, np.zeros((5, 12)))
    other = certify(scale * X, dictionary, scaled, np.zeros((5, 12)))
    np.testing.assert_allclose(other.certificate, one.certificate, rtol=1e-6)


def test_swaps_are_of_l0_alone():
    X, dictionary = np.eye(3), np.eye(3)
    with pytest.raises(TypeError, match="must be L0 or CEL0 for swaps=True; got L1"):
        certify(X, dictionary, L1(0.1), np.zeros((3, 3)), swaps=True)
