"""Lasso paths against the LARS and the coordinate descent of scikit-learn, and feature-sign."""

import numpy as np
import pytest
from sklearn.linear_model import lars_path, lars_path_gram
from sklearn.linear_model import lasso_path as lasso_path_by_descent

from sparsecode.core import normalize
from sparsecode.datasets import extract_patches, natural_images, whiten
from sparsecode.penalties import L1
from sparsecode.solvers import feature_sign, homotopy, lasso_path


@pytest.fixture(scope="module", params=["gaussian", "overcomplete", "tall", "photographs"])
def problem(request):
    """Problems of different kinds, all with unequal atom norms."""
    rng = np.random.default_rng(11)
    if request.param == "photographs":
        images = whiten(natural_images())
        X = extract_patches(images, 8, n_patches=12, rng=1)
        return X, extract_patches(images, 8, n_patches=160, rng=2)
    n_atoms = {"gaussian": 40, "overcomplete": 150, "tall": 10}[request.param]
    dictionary = rng.standard_normal((n_atoms, 25)) * rng.uniform(0.2, 3.0, (n_atoms, 1))
    return rng.standard_normal((12, 25)), dictionary


@pytest.mark.parametrize("positive", [False, True])
def test_paths_match_the_lars_of_scikit_learn(problem, positive):
    X, dictionary = problem
    n_features = X.shape[1]
    path = lasso_path(X, dictionary, L1(1.0, positive=positive), alpha_ratio=0.01)
    for i, x in enumerate(X):
        ours, codes = path.sample(i)
        alphas, _, theirs = lars_path(
            dictionary.T, x, method="lasso", positive=positive,
            alpha_min=0.5 * ours[-1] / n_features, max_iter=2000,
        )  # fmt: skip
        n = ours.size - 1  # where theirs ends it may be wrong: for tall dictionaries by 80 %
        np.testing.assert_allclose(ours[:n], alphas[:n] * n_features, rtol=1e-7)
        size = np.abs(theirs[:, :n]).max()
        np.testing.assert_allclose(codes[:n].to_dense(), theirs.T[:n], atol=1e-7 * size)


def test_paths_match_the_lars_of_scikit_learn_from_the_gram_matrix(problem):
    X, dictionary = problem
    path = lasso_path(X, dictionary, alpha_ratio=0.05)
    gram = dictionary @ dictionary.T
    for i, x in enumerate(X):
        ours, codes = path.sample(i)
        alphas, _, theirs = lars_path_gram(
            dictionary @ x, gram, n_samples=1, method="lasso", alpha_min=0.5 * ours[-1],
            max_iter=2000,
        )  # fmt: skip
        n = ours.size - 1
        np.testing.assert_allclose(ours[:n], alphas[:n], rtol=1e-7)
        size = np.abs(theirs[:, :n]).max()
        np.testing.assert_allclose(codes[:n].to_dense(), theirs.T[:n], atol=1e-7 * size)


def test_points_between_knots_match_coordinate_descent(problem):
    X, dictionary = problem
    n_features = X.shape[1]
    path = lasso_path(X, dictionary, alpha_ratio=0.1)
    for i, x in enumerate(X[:4]):
        alphas = np.geomspace(0.9, 0.11, 7) * path.sample(i)[0][0]
        _, theirs, _ = lasso_path_by_descent(
            dictionary.T, x, alphas=alphas / n_features, tol=1e-12, max_iter=1_000_000
        )
        for alpha, z in zip(alphas, theirs.T):
            wanted = path.alphas[path.indptr[:-1]]
            wanted[i] = alpha
            ours = path.at(wanted)[i].to_dense()[0]

            def cost(code):
                return 0.5 * ((x - code @ dictionary) ** 2).sum() + alpha * np.abs(code).sum()  # noqa: B023

            assert cost(ours) <= cost(z) * (1.0 + 1e-9)
            assert cost(ours) >= cost(z) * (1.0 - 1e-6)


@pytest.mark.filterwarnings("ignore:alpha is so small")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("fraction", [0.4, 0.05, 0.01])
def test_codes_match_feature_sign_search_with_weights(problem, fraction, dtype):
    X, dictionary = (array.astype(dtype) for array in problem)
    weights = np.random.default_rng(5).uniform(0.5, 2.0, len(dictionary))
    penalty = L1(fraction * float(np.abs(X @ dictionary.T).max()), weights=weights)
    ours = homotopy(X, dictionary, penalty)
    theirs = feature_sign(X, dictionary, penalty)
    assert ours.converged.all()
    tol = 1e-4 if dtype == np.float32 else 1e-6
    slack = tol * 0.5 * (X.astype(float) ** 2).sum(axis=1)  # what their certificate allows
    assert (np.abs(ours.objective - theirs.objective) <= slack).all()
    assert (ours.objective <= theirs.objective + 1e-3 * slack).all()


def test_no_patch_is_coded_wrongly():
    """All of 3000 whitened patches, in float32."""
    images = whiten(natural_images())
    X = extract_patches(images, 8, n_patches=3000, rng=3).astype(np.float32)
    dictionary = normalize(extract_patches(images, 8, n_patches=200, rng=4)).astype(np.float32)
    ours = homotopy(X, dictionary, "l1", alpha_ratio=0.1)
    theirs = feature_sign(X, dictionary, "l1", alpha_ratio=0.1)
    assert ours.certificate.max() <= 1e-6
    assert (ours.objective <= theirs.objective * (1.0 + 1e-6)).all()
