"""l1 codes against scikit-learn and celer, and gaps against a plain recomputation."""

import numpy as np
import pytest
import twins
from sklearn.decomposition import sparse_encode
from sklearn.linear_model import lars_path

from sparsecode.datasets import extract_patches, natural_images, whiten
from sparsecode.penalties import L1, ElasticNet
from sparsecode.solvers import cd, feature_sign, fista, ista

BOTH = pytest.mark.parametrize("solver", [cd, feature_sign])


def objective(X, dictionary, codes, alpha, weights=1.0):
    residuals = X - codes @ dictionary
    return 0.5 * (residuals**2).sum(axis=1) + alpha * (np.abs(codes) * weights).sum(axis=1)


@pytest.fixture(scope="module", params=["gaussian", "overcomplete", "tall", "photographs"])
def problem(request):
    """Problems of different kinds, all with unequal atom norms."""
    rng = np.random.default_rng(11)
    if request.param == "photographs":
        images = whiten(natural_images())
        X = extract_patches(images, 8, n_patches=30, rng=1)
        dictionary = extract_patches(images, 8, n_patches=160, rng=2)
    else:
        n_atoms = {"gaussian": 40, "overcomplete": 150, "tall": 10}[request.param]
        X = rng.standard_normal((30, 25))
        dictionary = rng.standard_normal((n_atoms, 25)) * rng.uniform(0.2, 3.0, (n_atoms, 1))
    return X, dictionary


@pytest.mark.parametrize("solver", [cd, feature_sign, fista, ista])
@pytest.mark.parametrize("fraction", [0.05, 0.4])
def test_codes_match_scikit_learn(problem, solver, fraction):
    X, dictionary = problem
    alpha = fraction * np.abs(X @ dictionary.T).max()
    if solver is ista and fraction < 0.1:
        X = X[:3]  # plain proximal gradient is slow where many atoms are active
    result = solver(X, dictionary, L1(alpha), max_iter=1_000_000)
    theirs = sparse_encode(X, dictionary, algorithm="lasso_cd", alpha=alpha, max_iter=1_000_000)
    ours = objective(X, dictionary, result.code.to_dense(), alpha)
    np.testing.assert_allclose(ours, result.objective, rtol=1e-12)
    assert (ours <= objective(X, dictionary, theirs, alpha) * (1 + 1e-6)).all()


@BOTH
def test_codes_match_celer_with_weights(problem, solver):
    from celer import Lasso

    X, dictionary = problem
    n_atoms, n_features = dictionary.shape
    weights = np.random.default_rng(5).uniform(0.5, 2.0, n_atoms)
    alpha = 0.2 * np.abs(X @ dictionary.T).max()
    result = solver(X, dictionary, L1(alpha, weights=weights))
    peer = Lasso(alpha / n_features, weights=weights, fit_intercept=False, tol=1e-12)
    theirs = np.array([peer.fit(np.asfortranarray(dictionary.T), x).coef_.copy() for x in X])
    np.testing.assert_allclose(
        result.objective, objective(X, dictionary, theirs, alpha, weights), rtol=1e-6
    )


@BOTH
@pytest.mark.parametrize("seed", range(6))
def test_codes_match_the_exact_path_on_coherent_atoms(seed, solver):
    """Few features, many atoms that are nearly alike, norms from 0.05 to 20, a small alpha."""
    rng = np.random.default_rng(seed)
    n_features = int(rng.integers(2, 30))
    dictionary = np.cumsum(rng.standard_normal((100, n_features)), axis=1)
    dictionary *= np.exp(rng.uniform(-3, 3, (100, 1)))
    X = rng.standard_normal((4, n_features))
    result = solver(X, dictionary, "l1", alpha_ratio=0.01)
    for x, alpha, found in zip(X, result.alpha, result.objective):
        # the path counts in alpha / n_features
        path = lars_path(dictionary.T, x, method="lasso", alpha_min=alpha / n_features)
        exact = objective(x[None], dictionary, path[2][:, -1][None], alpha)[0]
        assert found == pytest.approx(exact, rel=1e-6)


@BOTH
@pytest.mark.parametrize("positive", [False, True])
def test_gaps_recomputed_from_the_returned_codes(problem, positive, solver):
    X, dictionary = problem
    weights = np.random.default_rng(6).uniform(0.5, 2.0, len(dictionary))
    alpha = 0.1 * np.abs(X @ dictionary.T).max()
    result = solver(X, dictionary, L1(alpha, positive, weights))
    assert result.converged.all()
    for x, z, certificate in zip(X, result.code.to_dense(), result.certificate):
        gap = twins.relative_gap(L1(alpha, positive, weights), x, dictionary, z)
        assert gap <= 1e-6
        assert certificate == pytest.approx(max(gap, 0.0), abs=1e-12)


@BOTH
def test_positive_codes_match_scikit_learn(problem, solver):
    X, dictionary = problem
    alpha = 0.1 * np.abs(X @ dictionary.T).max()
    theirs = sparse_encode(
        X, dictionary, algorithm="lasso_cd", alpha=alpha, max_iter=1_000_000, positive=True
    )
    ours = solver(X, dictionary, L1(alpha, positive=True)).objective
    np.testing.assert_allclose(ours, objective(X, dictionary, theirs, alpha), rtol=1e-6)


@BOTH
def test_elastic_net_is_the_lasso_of_augmented_data(problem, solver):
    X, dictionary = problem
    alpha, n_atoms = 0.2 * np.abs(X @ dictionary.T).max(), len(dictionary)
    ridge = np.sqrt(0.3 * alpha) * np.eye(n_atoms)
    augmented = np.hstack([dictionary, ridge])
    padded = np.hstack([X, np.zeros((len(X), n_atoms))])
    lasso = solver(padded, augmented, L1(0.7 * alpha))
    ours = solver(X, dictionary, ElasticNet(alpha, l1_ratio=0.7))
    np.testing.assert_allclose(ours.objective, lasso.objective, rtol=1e-6)
    np.testing.assert_allclose(ours.code.to_dense(), lasso.code.to_dense(), atol=1e-3)
    assert ours.converged.all()


@BOTH
@pytest.mark.filterwarnings("ignore:alpha is so small")
def test_float32_reaches_its_tolerance(problem, solver):
    X, dictionary = problem
    result = solver(X.astype(np.float32), dictionary.astype(np.float32), "l1", alpha_ratio=0.05)
    assert result.converged.all()
    assert result.code.dtype == np.float32
