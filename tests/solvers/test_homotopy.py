"""The lasso path is exact at every alpha, through ties, twins, rounding and any end."""

import importlib
import warnings

import numpy as np
import pytest
import strategies
import twins
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.exceptions import ConvergenceWarning

from sparsecode.core import normalize
from sparsecode.datasets import extract_patches, natural_images, whiten
from sparsecode.penalties import CEL0, L1, ElasticNet
from sparsecode.solvers import alpha_max, certify, feature_sign, homotopy, lasso_path

#: The module; its name stands for the function in the package.
module = importlib.import_module("sparsecode.solvers.homotopy")


@pytest.fixture(scope="module")
def patches():
    images = whiten(natural_images())
    X = extract_patches(images, 8, n_patches=40, rng=1)
    return X, normalize(extract_patches(images, 8, n_patches=150, rng=2))


def twin_path(x, dictionary, weights, positive, stop):
    """Return knots (alpha, code) by least squares on the support, without ties."""
    z = np.zeros(len(dictionary))
    support: list[int] = []
    signs = np.zeros(len(dictionary))
    pull = dictionary @ x / weights
    alpha = pull.max() if positive else np.abs(pull).max()
    knots = [(alpha, z)]
    while True:
        slopes = dictionary @ (x - z @ dictionary)
        best, event = alpha - stop, None
        if support:
            atoms = dictionary[support]
            turn = np.linalg.solve(atoms @ atoms.T, (weights * signs)[support])
            drift = dictionary @ (turn @ atoms)
        else:
            turn, drift = np.zeros(0), np.zeros(len(dictionary))
        for j in set(range(len(dictionary))) - set(support):
            for sign in (1.0,) if positive else (1.0, -1.0):
                lag = weights[j] - sign * drift[j]
                time = (alpha * weights[j] - sign * slopes[j]) / lag if lag > 1e-9 else np.inf
                if -1e-9 <= time < best:
                    best, event = time, (j, sign)
        for a, j in enumerate(support):
            time = -z[j] / turn[a]
            if turn[a] * signs[j] < 0 and time < best:
                best, event = time, (j, 0.0)
        z = z.copy()
        z[support] += best * turn
        alpha -= best
        if event is not None:
            j, sign = event
            signs[j], z[j] = sign, 0.0
            support = [i for i in support if i != j] if sign == 0.0 else [*support, j]
        if best > 1e-9:
            knots.append((alpha, z))
        if event is None:
            return knots


def assert_exact(X, dictionary, penalty, path, tol):
    """Check every knot, and a point between each two, by plain NumPy."""
    for i, x in enumerate(np.asarray(X, float)):
        alphas, codes = path.sample(i)
        assert (np.diff(alphas) < 0.0).all()
        assert np.isfinite(codes.values).all()
        if penalty.positive:
            assert (codes.values > 0.0).all()
        z = codes.to_dense().astype(float)
        middles = 0.5 * (alphas[1:] + alphas[:-1]), 0.5 * (z[1:] + z[:-1])
        for alpha, code in zip(np.r_[alphas, middles[0]], np.vstack([z, middles[1]])):
            if alpha > 0.0:
                gap = twins.relative_gap(penalty._replace(alpha=alpha), x, dictionary, code)
                assert gap <= tol


@pytest.mark.parametrize("n_atoms", [8, 30, 70])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_knots_are_those_of_plain_numpy(n_atoms, positive, weighted):
    rng = np.random.default_rng(n_atoms)
    dictionary = rng.normal(size=(n_atoms, 15)) * rng.uniform(0.3, 3.0, (n_atoms, 1))
    X = rng.normal(size=(6, 15))
    weights = rng.uniform(0.5, 2.0, n_atoms) if weighted else np.ones(n_atoms)
    penalty = L1(1.0, positive=positive, weights=weights)
    path = lasso_path(X, dictionary, penalty, alpha_ratio=0.01)
    assert path.converged.all()
    for i, x in enumerate(X):
        alphas, codes = path.sample(i)
        expected = twin_path(x, dictionary, weights, positive, 0.01 * alphas[0])
        np.testing.assert_allclose(alphas, [alpha for alpha, _ in expected], rtol=1e-9)
        knots = np.array([z for _, z in expected])
        np.testing.assert_allclose(codes.to_dense(), knots, atol=1e-9)
    assert_exact(X, dictionary, penalty, path, 1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_paths_of_patches(dtype, patches):
    X, dictionary = (array.astype(dtype) for array in patches)
    path = lasso_path(X, dictionary, alpha_ratio=0.02)
    assert path.converged.all()
    assert (path.ended == "alpha").all()
    assert path.knots.dtype == dtype
    assert path.certificate.max() <= (1e-5 if dtype == np.float32 else 1e-11)
    first = path.indptr[:-1]
    np.testing.assert_allclose(path.alphas[first], alpha_max(X, dictionary, "l1"), rtol=1e-6)
    np.testing.assert_allclose(path.alphas[path.indptr[1:] - 1], 0.02 * path.alphas[first])
    assert (path.knots.n_active[first] == 0).all()
    assert len(path) == 40
    assert "40 samples" in repr(path)
    exact = [array.astype(float) for array in (X, dictionary)]
    assert_exact(*exact, L1(1.0), path, 1e-5 if dtype == np.float32 else 1e-11)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("penalty", [L1(1.0), L1(1.0, positive=True)], ids=str)
def test_one_code_is_a_point_of_the_path_and_that_of_feature_sign(dtype, penalty, patches):
    X, dictionary = (array.astype(dtype) for array in patches)
    path = lasso_path(X, dictionary, penalty, alpha_ratio=0.01)
    rtol = 2e-4 if dtype == np.float32 else 1e-6
    for ratio in (0.6, 0.1, 0.01):
        result = homotopy(X, dictionary, penalty, alpha_ratio=ratio)
        assert result.converged.all()
        between = path.at(result.alpha).to_dense()
        np.testing.assert_allclose(between, result.code.to_dense(), atol=1e-5)
        other = feature_sign(X, dictionary, penalty, alpha_ratio=ratio)
        np.testing.assert_allclose(result.objective, other.objective, rtol=rtol)
        assert result.certificate.max() <= (2e-6 if dtype == np.float32 else 1e-12)


def test_codes_between_knots_at_one_alpha_and_at_one_a_sample(patches):
    X, dictionary = patches
    path = lasso_path(X, dictionary, alpha_min=0.05)
    one = path.at(0.1)
    assert certify(X, dictionary, L1(0.1), one).certificate.max() <= 1e-12
    assert path.at(np.full(40, 0.1)) == one
    assert path.at(path.alphas.max()).nnz == 0
    ends = path.alphas[path.indptr[1:] - 1]
    assert path.at(ends) == path.knots[path.indptr[1:] - 1]
    assert path.at(10.0 * ends.max()).nnz <= path.at(ends).nnz


def test_points_that_are_not_on_the_path_are_refused(patches):
    X, dictionary = patches
    path = lasso_path(X[:3], dictionary, alpha_ratio=0.1)
    with pytest.raises(ValueError, match=r"^alpha must not lie below.*Trace the path further"):
        path.at(1e-6)
    with pytest.raises(ValueError, match=r"alpha must be one number or have shape \(3,\)"):
        path.at([0.1, 0.2])
    with pytest.raises(ValueError, match="alpha must be finite"):
        path.at(np.nan)
    with pytest.raises(IndexError, match="sample 3 is out of range for 3 samples"):
        path.sample(3)
    np.testing.assert_array_equal(path.sample(-1)[0], path.sample(2)[0])


def test_the_first_end_that_is_met_counts(patches):
    X, dictionary = patches
    path = lasso_path(X, dictionary, n_nonzero=5, alpha_ratio=0.5)
    last = path.knots[path.indptr[1:] - 1].n_active
    ratio = path.alphas[path.indptr[1:] - 1] / path.alphas[path.indptr[:-1]]
    full = path.ended == "n_nonzero"
    assert 0 < full.sum() < 40
    assert (last[full] == 5).all()
    assert (ratio[full] > 0.5).all()
    assert (last[~full] <= 5).all()
    np.testing.assert_allclose(ratio[~full], 0.5)
    longer = lasso_path(X, dictionary, alpha_ratio=0.01)
    ends = path.alphas[path.indptr[1:] - 1]
    np.testing.assert_allclose(longer.at(ends).to_dense(), path.at(ends).to_dense(), atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_number_of_atoms_that_no_path_reaches_is_no_failure(dtype):
    rng = np.random.default_rng(2)
    X, dictionary = rng.normal(size=(5, 6)).astype(dtype), rng.normal(size=(20, 6)).astype(dtype)
    path = lasso_path(X, dictionary, n_nonzero=20)
    assert path.converged.all()
    assert (path.ended == "alpha").all()
    assert (path.knots.n_active <= 6).all()


def test_a_sample_that_is_silent_at_the_end_has_one_knot():
    path = lasso_path([[3.0, 1.0], [0.2, 0.1], [0.0, 0.0]], np.eye(2), alpha_min=0.5)
    np.testing.assert_array_equal(np.diff(path.indptr), [3, 1, 1])
    np.testing.assert_allclose(path.alphas, [3.0, 1.0, 0.5, 0.2, 0.0])
    np.testing.assert_array_equal(path.at(1.0).to_dense(), [[2, 0], [0, 0], [0, 0]])
    assert path.converged.all()
    assert len(lasso_path(np.zeros((0, 2)), np.eye(2), alpha_min=0.5)) == 0
    assert lasso_path(np.zeros((0, 2)), np.eye(2), alpha_min=0.5).at(1.0).shape == (0, 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_no_atom_sees_is_not_coded(dtype, patches):
    _, dictionary = patches
    dictionary = (dictionary - dictionary.mean(axis=1, keepdims=True)).astype(dtype)
    path = lasso_path(np.full((2, 64), 0.7, dtype), dictionary, alpha_ratio=0.01)
    assert path.knots.nnz == 0
    np.testing.assert_array_equal(path.alphas, [0.0, 0.0])
    assert path.converged.all()
    negative = lasso_path([[-1.0, -2.0]], np.eye(2), L1(1.0, positive=True), alpha_ratio=0.01)
    np.testing.assert_array_equal(negative.alphas, [0.0])


def dependent_dictionaries(rng):
    some = normalize(rng.normal(size=(20, 16)))
    doubled = some.copy()
    doubled[1] = 2.0 * doubled[0]
    whole = rng.integers(-2, 3, size=(30, 8)).astype(float)
    hadamard = np.array([[(-1.0) ** bin(i & j).count("1") for j in range(8)] for i in range(8)])
    return {
        "opposites": np.vstack([some, -some]),
        "four of each": np.vstack([some] * 4),
        "a multiple": doubled,
        "integers": whole[whole.any(axis=1)],
        "few directions": rng.normal(size=(40, 3)) @ rng.normal(size=(3, 16)),
        "orthogonal": np.vstack([hadamard, 2.0 * np.eye(8)]),
        "all alike": np.ones((30, 4)),
    }


@pytest.mark.parametrize("kind", dependent_dictionaries(np.random.default_rng(0)))
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("integers", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dependent_atoms_and_ties(kind, positive, integers, dtype):
    rng = np.random.default_rng(12)
    dictionary = dependent_dictionaries(rng)[kind].astype(dtype)
    X = rng.normal(size=(30, dictionary.shape[1])).astype(dtype)
    if integers:
        X = np.rint(2.0 * X)
    penalty = L1(1.0, positive=positive)
    path = lasso_path(X, dictionary, penalty, alpha_ratio=1e-4)
    assert path.converged.all()
    tol = 1e-5 if dtype == np.float32 else 1e-9
    assert path.certificate.max() <= tol
    assert_exact(X[:6], dictionary.astype(float), penalty, path, tol)
    for ratio in (0.3, 0.01, 1e-4):
        assert homotopy(X, dictionary, penalty, alpha_ratio=ratio).certificate.max() <= tol


whole = st.integers(-3, 3).map(float)


@given(
    X=hnp.arrays(np.float64, (3, 4), elements=whole),
    dictionary=hnp.arrays(np.float64, (9, 4), elements=whole).filter(lambda D: D.any(1).all()),
    weights=hnp.arrays(np.float64, 9, elements=st.sampled_from([0.5, 1.0, 2.0])),
    positive=st.booleans(),
)
def test_exact_ties_of_whole_numbers(X, dictionary, weights, positive):
    penalty = L1(1.0, positive=positive, weights=weights)
    path = lasso_path(X, dictionary, penalty, alpha_ratio=0.001)
    assert (path.ended == "alpha").all()
    assert path.converged.all()
    assert_exact(X, dictionary, penalty, path, 1e-9)


@given(
    X=hnp.arrays(np.float64, (3, 4), elements=strategies.reals),
    dictionary=strategies.dictionaries(n_atoms=7, n_features=4),
    positive=st.booleans(),
)
def test_a_code_is_never_wrong_in_silence(X, dictionary, positive):
    """Atoms as nearly alike as a search for trouble can make them."""
    penalty = L1(1.0, positive=positive)
    result = homotopy(X, dictionary, penalty, alpha_ratio=0.01)
    assert result.converged.all()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        path = lasso_path(X, dictionary, penalty, alpha_ratio=0.01)
    good = path.converged
    assert (path.certificate[good] <= 1e-6).all()
    assert (np.diff(path.indptr) >= 1).all()
    assert np.isfinite(path.knots.values).all()


def nearly_alike(rng):
    some = normalize(rng.normal(size=(20, 16)))
    return np.vstack([some, some + 1e-6 * rng.normal(size=some.shape)])


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_rounding_spoils_is_mended_or_said(positive, dtype):
    rng = np.random.default_rng(12)
    dictionary, X = nearly_alike(rng).astype(dtype), rng.normal(size=(60, 16)).astype(dtype)
    penalty = L1(1.0, positive=positive)
    for ratio in (0.1, 0.01, 1e-3):
        result = homotopy(X, dictionary, penalty, alpha_ratio=ratio)
        assert result.converged.all()
        silent = 0.5 * (X.astype(float) ** 2).sum(axis=1)
        assert (result.objective <= silent).all()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        path = lasso_path(X, dictionary, penalty, alpha_ratio=0.01)
    assert np.isfinite(path.certificate).all()
    assert (path.ended[path.converged] == "alpha").all()
    assert path.certificate.max() <= 1e-2
    assert path.converged.mean() >= 0.5


def test_a_path_that_rounding_ends_is_said():
    rng = np.random.default_rng(12)
    dictionary = nearly_alike(rng)
    X = rng.normal(size=(200, 16))
    with pytest.warns(ConvergenceWarning, match=r"of 200 paths did not converge: \d+ ended early"):
        path = lasso_path(X, dictionary, alpha_ratio=1e-4, tol=1e-9)
    assert set(path.ended) >= {"alpha", "rounding"}


def test_coherent_atoms_of_any_norm():
    for seed in range(5):
        rng = np.random.default_rng(seed)
        dictionary = np.cumsum(rng.normal(size=(100, 12)), axis=1)
        dictionary *= np.exp(rng.uniform(-3, 3, (100, 1)))
        X = rng.normal(size=(8, 12))
        path = lasso_path(X, dictionary, alpha_ratio=1e-3)
        assert path.converged.all()
        assert_exact(X, dictionary, L1(1.0), path, 1e-9)


def test_as_many_atoms_as_features_span():
    rng = np.random.default_rng(5)
    X, dictionary = rng.normal(size=(2, 120)), normalize(rng.normal(size=(250, 120)))
    path = lasso_path(X, dictionary, alpha_ratio=1e-4)
    assert path.converged.all()
    assert path.knots.n_active.max() >= 115
    assert path.certificate.max() <= 1e-10


@pytest.mark.parametrize("factor", [1e-12, 1e12])
def test_scale_changes_nothing(patches, factor):
    X, dictionary = patches
    one = lasso_path(X[:10], dictionary, alpha_ratio=0.05)
    other = lasso_path(factor * X[:10], dictionary, alpha_ratio=0.05)
    np.testing.assert_array_equal(one.indptr, other.indptr)
    np.testing.assert_array_equal(one.knots.indices, other.knots.indices)
    np.testing.assert_allclose(other.alphas, factor * one.alphas, rtol=1e-9)


def test_bits_do_not_depend_on_threads_or_on_room(monkeypatch, patches):
    X, dictionary = patches
    one = lasso_path(X, dictionary, alpha_ratio=0.05, n_threads=1)
    two = lasso_path(X, dictionary, alpha_ratio=0.05, n_threads=2)
    monkeypatch.setattr(module, "KNOTS", 1)
    monkeypatch.setattr(module, "ENTRIES", 1)
    monkeypatch.setattr(module, "CERTIFIED", 7)
    code = homotopy(X, dictionary, "l1", alpha_ratio=0.05).code
    monkeypatch.undo()
    assert code == homotopy(X, dictionary, "l1", alpha_ratio=0.05).code
    monkeypatch.setattr(module, "KNOTS", 1)
    narrow = lasso_path(X, dictionary, alpha_ratio=0.05)
    for other in (two, narrow):
        assert other.knots == one.knots
        np.testing.assert_array_equal(other.alphas, one.alphas)
        np.testing.assert_array_equal(other.certificate, one.certificate)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_supports_beyond_the_room_for_them_are_left_to_feature_sign_search(
    monkeypatch, patches, dtype
):
    X, dictionary = (array.astype(dtype) for array in patches)
    whole = homotopy(X, dictionary, L1(0.1))
    monkeypatch.setattr(module, "LARGEST", 4)
    result = homotopy(X, dictionary, L1(0.1))
    assert result.converged.all()
    assert result.code.n_active.max() > 4
    rtol = 2e-4 if dtype == np.float32 else 1e-6
    np.testing.assert_allclose(result.objective, whole.objective, rtol=rtol)
    with pytest.warns(ConvergenceWarning, match="ended early"):
        path = lasso_path(X, dictionary, alpha_min=0.1)
    assert "size" in path.ended
    assert path.certificate.max() <= 1e-6


def test_too_few_breakpoints_are_said(patches):
    with pytest.warns(ConvergenceWarning, match=r"40 of 40 paths did not.*40 ended early") as seen:
        path = lasso_path(*patches, alpha_ratio=0.02, max_iter=3)
    assert seen[0].filename == __file__
    assert (path.ended == "max_iter").all()
    assert (path.n_iter == 3).all()
    assert path.certificate.max() <= 1e-12
    with pytest.warns(ConvergenceWarning, match="did not converge: largest duality gap"):
        assert not homotopy(*patches, "l1", alpha_ratio=0.02, max_iter=3).converged.any()


@pytest.mark.parametrize("solve", [homotopy, lasso_path])
def test_only_l1_has_a_piecewise_linear_path(solve, patches):
    for penalty in (ElasticNet(0.1), CEL0(0.1)):
        with pytest.raises(TypeError, match=rf"^the penalty of {solve.__name__} must be L1, for"):
            solve(*patches, penalty, alpha_ratio=0.1)


def test_bad_ends_get_one_sentence(patches):
    with pytest.raises(ValueError, match=r"needs alpha_ratio, alpha_min or n_nonzero.*got none"):
        lasso_path(*patches)
    for name, bad in (("alpha_ratio", 0.0), ("alpha_ratio", 1.5), ("alpha_min", -1.0)):
        with pytest.raises(ValueError, match=name):
            lasso_path(*patches, **{name: bad})
    for bad in (0, 151):
        with pytest.raises(ValueError, match="n_nonzero must be at least 1 and at most 150"):
            lasso_path(*patches, n_nonzero=bad)
    with pytest.raises(ValueError, match=r"'l1'.*got 'l7'"):
        lasso_path(*patches, "l7", alpha_ratio=0.1)
