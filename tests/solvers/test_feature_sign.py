"""Feature-sign search is exact for its signs, from any start and on any support."""

import importlib

import numpy as np
import pytest
import twins
from sklearn.exceptions import ConvergenceWarning

from sparsecode.core import SparseCode, normalize
from sparsecode.datasets import extract_patches, natural_images, whiten
from sparsecode.penalties import CEL0, L0, L1, ElasticNet
from sparsecode.solvers import cd, feature_sign

#: The module; its name stands for the function in the package.
module = importlib.import_module("sparsecode.solvers.feature_sign")


@pytest.fixture(scope="module")
def patches():
    images = whiten(natural_images())
    X = extract_patches(images, 8, n_patches=60, rng=1)
    return X, normalize(extract_patches(images, 8, n_patches=150, rng=2))


def subgradient(X, dictionary, code, alpha):
    """Return how far correlations are from alpha sign(z) on the support, from |.| <= alpha off."""
    z = code.to_dense()
    correlation = (X - z @ dictionary) @ dictionary.T
    on = np.abs(correlation - alpha * np.sign(z)) * (z != 0)
    return np.maximum(on.max(axis=1), np.abs(correlation).max(axis=1) - alpha)


@pytest.mark.parametrize("ratio", [0.5, 0.1, 0.02])
def test_the_end_is_exact_but_for_rounding(patches, ratio):
    X, dictionary = patches
    alpha = ratio * np.abs(X @ dictionary.T).max()
    result = feature_sign(X, dictionary, L1(alpha))
    scale = np.abs(X @ dictionary.T).max()
    assert (subgradient(X, dictionary, result.code, alpha) <= 1e-9 * scale).all()
    assert result.certificate.max() <= 1e-12


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_any_start_leads_to_the_same_code(patches, dtype):
    X, dictionary = (array.astype(dtype) for array in patches)
    rng = np.random.default_rng(0)
    cold = feature_sign(X, dictionary, "l1", alpha_ratio=0.1)
    wrong_signs = SparseCode.from_dense(-cold.code.to_dense())
    noise = (rng.random((60, 150)) < 0.1) * rng.normal(size=(60, 150))
    dense = rng.normal(size=(60, 150))  # more active atoms than features
    for start in (cold.code, wrong_signs, noise.astype(dtype), dense.astype(dtype)):
        warm = feature_sign(X, dictionary, "l1", alpha_ratio=0.1, init=start)
        assert warm.converged.all()
        rtol = 1e-3 if dtype == np.float32 else 1e-9
        np.testing.assert_allclose(warm.objective, cold.objective, rtol=rtol)
    again = feature_sign(X, dictionary, "l1", alpha_ratio=0.1, init=cold.code)
    assert again.n_iter.max() == 0


def test_a_negative_start_of_a_positive_code_is_given_up(patches):
    X, dictionary = patches
    cold = feature_sign(X, dictionary, L1(0.1, positive=True))
    start = cold.code.to_dense()
    start[:, ::2] = -1.0
    warm = feature_sign(X, dictionary, L1(0.1, positive=True), init=start)
    assert warm.converged.all()
    assert (warm.code.values > 0).all()
    np.testing.assert_allclose(warm.objective, cold.objective, rtol=1e-9)


def test_twin_atoms_and_atoms_that_depend_on_others(patches):
    X, dictionary = patches
    rng = np.random.default_rng(3)
    twins = np.vstack([dictionary, dictionary[:40], rng.normal(size=(20, 150)) @ dictionary])
    for dtype, rtol in ((np.float64, 1e-6), (np.float32, 1e-3)):
        A, B = X.astype(dtype), twins.astype(dtype)
        result = feature_sign(A, B, "l1", alpha_ratio=0.02)
        assert result.converged.all()
        expected = cd(A, B, "l1", alpha_ratio=0.02)
        np.testing.assert_allclose(result.objective, expected.objective, rtol=rtol)


def test_codes_as_dense_as_they_can_be():
    rng = np.random.default_rng(5)
    X, dictionary = rng.normal(size=(3, 400)), normalize(rng.normal(size=(700, 400)))
    with pytest.warns(UserWarning, match="codes are dense"):
        result = feature_sign(X, dictionary, L1(1e-3))
    assert result.converged.all()
    assert np.diff(result.code.indptr).min() > 350


@pytest.mark.parametrize("largest", [4, 30])
def test_supports_beyond_the_tableau_are_left_to_coordinate_descent(monkeypatch, patches, largest):
    monkeypatch.setattr(module, "LARGEST", largest)
    X, dictionary = patches
    for penalty in (L1(0.1), ElasticNet(0.1, l1_ratio=0.5)):
        result = feature_sign(X, dictionary, penalty)
        assert result.converged.all()
        assert np.diff(result.code.indptr).max() > largest
        np.testing.assert_allclose(
            result.objective, cd(X, dictionary, penalty).objective, rtol=1e-5
        )


def test_a_full_tableau_forgets_what_is_idle(patches):
    """The working set outgrows a small tableau, the support does not."""
    X, dictionary = patches
    rng = np.random.default_rng(8)
    many = normalize(np.vstack([dictionary, rng.normal(size=(2500, 64))]))
    result = feature_sign(X, many, "l1", alpha_ratio=0.02)
    assert result.converged.all()
    assert result.certificate.max() <= 1e-10


@pytest.mark.parametrize("factor", [1e-12, 1e12])
def test_scale_changes_nothing(patches, factor):
    X, dictionary = patches
    one = feature_sign(X, dictionary, "l1", alpha_ratio=0.1)
    other = feature_sign(factor * X, dictionary, "l1", alpha_ratio=0.1)
    np.testing.assert_array_equal(one.code.indices, other.code.indices)
    np.testing.assert_allclose(other.code.values, factor * one.code.values, rtol=1e-9)


def test_a_penalty_that_is_not_convex_is_refused(patches):
    with pytest.raises(TypeError, match=r"^the penalty of feature_sign must be L1 or Elastic"):
        feature_sign(*patches, CEL0(0.1))


def test_too_few_changes_of_the_support_are_said(patches):
    with pytest.warns(ConvergenceWarning, match="did not converge: largest duality gap"):
        result = feature_sign(*patches, "l1", alpha_ratio=0.02, max_iter=3)
    assert not result.converged.any()


def dependent_dictionaries(rng):
    some = normalize(rng.normal(size=(20, 16)))
    doubled = some.copy()
    doubled[1] = 2.0 * doubled[0]
    whole = rng.integers(-2, 3, size=(30, 8)).astype(float)
    return {
        "opposites": np.vstack([some, -some]),
        "a multiple": doubled,
        "integers": whole[whole.any(axis=1)],
        "few directions": rng.normal(size=(40, 3)) @ rng.normal(size=(3, 16)),
    }


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["opposites", "a multiple", "integers", "few directions"])
@pytest.mark.parametrize("ratio", [0.1, 0.01, 1e-3, 1e-4])
@pytest.mark.parametrize("positive", [False, True])
def test_dependent_atoms_and_small_weights(kind, dtype, ratio, positive):
    rng = np.random.default_rng(12)
    dictionary = dependent_dictionaries(rng)[kind].astype(dtype)
    X = rng.normal(size=(64, dictionary.shape[1])).astype(dtype)
    tol = 1e-4 if dtype == np.float32 else 1e-6
    penalty = L1(1.0, positive=positive)
    result = feature_sign(X, dictionary, penalty, alpha_ratio=ratio)
    assert np.isfinite(result.code.values).all()
    assert result.converged.all()
    codes = result.code.to_dense().astype(np.float64)
    X, dictionary = X.astype(np.float64), dictionary.astype(np.float64)
    for x, z, alpha, gap in zip(X, codes, result.alpha, result.certificate):
        exact = twins.relative_gap(penalty._replace(alpha=alpha), x, dictionary, z)
        assert gap == pytest.approx(max(exact, 0.0), rel=1e-2, abs=0.01 * tol)


def test_dense_codes_are_said_once_and_stay_correct():
    rng = np.random.default_rng(4)
    X, dictionary = rng.standard_normal((50, 40)), normalize(rng.standard_normal((60, 40)))
    with pytest.warns(UserWarning, match="codes are dense: 6.% of the atoms are active") as caught:
        result = feature_sign(X, dictionary, L1(1e-6))
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert result.converged.all()
    with pytest.warns(UserWarning, match="alpha is so small"):
        assert cd(X, dictionary, L0(1e-9)).code.nnz > 0.9 * 50 * 40
    feature_sign(X, dictionary, L1(0.5))  # without a word
