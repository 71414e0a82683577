import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import procrustes as scipy_procrustes
from scipy.spatial.distance import pdist
from scipy.stats import binom, kstest, ortho_group, spearmanr
from sklearn.cross_decomposition import CCA
from sklearn.neighbors import NearestNeighbors

from sparsecode.core import SparseCode, match
from sparsecode.core.compare import (
    HIGHER_IS_ALIKE,
    canonical_correlations,
    cca,
    cka,
    compare,
    dictionary_similarity,
    mutual_knn,
    procrustes,
    rsa,
    similarity_matrix,
    svcca,
)

FUNCTIONS = {
    "cka": cka,
    "cca": cca,
    "svcca": svcca,
    "rsa": rsa,
    "procrustes": procrustes,
    "mutual_knn": mutual_knn,
    "dictionary": dictionary_similarity,
}
OF_STIMULI = sorted(set(FUNCTIONS) - {"dictionary"})


def draw(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def draw_code(seed, n_samples=40, n_units=90, density=0.08, silent=5):
    """Return an array of mostly zeros: some units silent, no row so."""
    rng = np.random.default_rng(seed)
    dense = np.where(
        rng.random((n_samples, n_units)) < density, rng.random((n_samples, n_units)), 0
    )
    dense[np.arange(n_samples), rng.integers(0, n_units - silent, n_samples)] = 1.5
    dense[:, n_units - silent :] = 0
    return dense


def alike(X):
    """Return what is like X but for noise."""
    return X + 0.5 * draw(99, *X.shape)


# --- twins --------------------------------------------------------------------------------------


def plain_cka(X, Y, debiased):
    n = len(X)
    K, L = X @ X.T, Y @ Y.T
    if not debiased:
        H = np.eye(n) - 1 / n

        def hsic(K, L):
            return np.trace(K @ H @ L @ H)

        return hsic(K, L) / np.sqrt(hsic(K, K) * hsic(L, L))
    for gram in (K, L):
        np.fill_diagonal(gram, 0)
    one = np.ones(n)

    def unbiased(K, L):
        product = np.trace(K @ L) + (one @ K @ one) * (one @ L @ one) / ((n - 1) * (n - 2))
        return product - 2 / (n - 2) * (one @ K @ L @ one)

    return unbiased(K, L) / np.sqrt(unbiased(K, K) * unbiased(L, L))


def plain_knn(X, Y, k):
    shared = 0
    for i in range(len(X)):
        sets = []
        for Z in (X, Y):
            cosines = [np.dot(Z[i], z) / np.linalg.norm(Z[i]) / np.linalg.norm(z) for z in Z]
            cosines[i] = -2
            sets.append(set(np.argsort(cosines)[-k:]))
        shared += len(sets[0] & sets[1])
    return shared / len(X) / k


@pytest.mark.parametrize("debiased", [False, True])
@pytest.mark.parametrize(("p", "q"), [(3, 4), (5, 60), (70, 50)])
def test_cka_is_that_of_its_definition_in_both_spaces(p, q, debiased):
    X = 3 + draw(0, 30, p)
    Y = X[:, :1] + draw(1, 30, q)
    wanted = plain_cka(X, Y, debiased)
    for space in ("units", "samples", "auto"):
        assert cka(X, Y, debiased=debiased, space=space) == pytest.approx(wanted, rel=1e-9)


def test_products_in_blocks_are_the_same(monkeypatch):
    X, Y = draw(0, 30, 50), draw(1, 30, 45)
    C = SparseCode.from_dense(draw_code(2, 30))
    spaces = ("units", "samples")
    whole = [cka(a, b, space=s) for a in (X, C) for b in (Y, C) for s in spaces]
    whole += [procrustes(X, Y), mutual_knn(X, Y)]
    monkeypatch.setattr("sparsecode.core._centred._BLOCK", 200)
    monkeypatch.setattr("sparsecode.core._centred._MAX_GRAM", 0)
    monkeypatch.setattr("sparsecode.core.compare._BLOCK", 200)
    parts = [cka(a, b, space=s) for a in (X, C) for b in (Y, C) for s in spaces]
    parts += [procrustes(X, Y), mutual_knn(X, Y)]
    np.testing.assert_allclose(parts, whole, rtol=1e-9)
    null = [compare(C, Y, "cka", n_shuffles=5, rng=0, space=space).null for space in spaces]
    np.testing.assert_allclose(*null, atol=1e-12)


def test_canonical_correlations_are_those_of_scikit_learn():
    X = draw(0, 60, 4)
    Y = X[:, :3] @ draw(1, 3, 3) + draw(2, 60, 3)
    a, b = CCA(3, scale=False, max_iter=5000, tol=1e-12).fit(X, Y).transform(X, Y)
    wanted = [np.corrcoef(a[:, i], b[:, i])[0, 1] for i in range(3)]
    np.testing.assert_allclose(canonical_correlations(X, Y), wanted, atol=1e-6)
    assert cca(X, Y) == pytest.approx(np.mean(wanted), abs=1e-6)


def test_svcca_is_cca_of_principal_components():
    X = draw(0, 60, 6) * [10, 5, 3, 0.1, 0.1, 0.1]
    Y = draw(1, 60, 5)
    first = scipy.linalg.svd(X - X.mean(0), full_matrices=False)[0][:, :3]
    assert svcca(X, Y) == pytest.approx(cca(first, Y))
    assert canonical_correlations(X, Y, variance=0.99).size == 3
    assert svcca(X, Y, variance=1.0) == pytest.approx(cca(X, Y))


def test_rsa_is_that_of_scipy():
    X = draw(0, 20, 7)
    Y = alike(X)[:, :5]
    wanted = spearmanr(pdist(X, "correlation"), pdist(Y, "correlation")).statistic
    assert rsa(X, Y) == pytest.approx(wanted)


def test_rsa_gives_equal_dissimilarities_one_rank():
    X = (draw(0, 25, 12) > 0).astype(float)[:, [0, 1, 2, 3, 4, 5, 6]]
    X[:, 0], X[:, 1] = 1, 0  # no row is constant
    dissimilarity = np.round(pdist(X, "correlation"), 9)
    assert np.unique(dissimilarity).size < 100
    Y = draw(1, 25, 5)
    wanted = spearmanr(dissimilarity, pdist(Y, "correlation")).statistic
    assert rsa(X, Y) == pytest.approx(wanted)


def test_procrustes_is_that_of_scipy():
    X, Y = draw(0, 30, 4), draw(1, 30, 4) + 2
    wanted = 2 - 2 * np.sqrt(1 - scipy_procrustes(X, Y)[2])  # SciPy scales the second one too
    assert procrustes(X, Y) == pytest.approx(wanted)


@pytest.mark.parametrize(("p", "q"), [(50, 45), (50, 4)])
def test_procrustes_with_more_units_than_rows(p, q):
    X, Y = draw(0, 12, p), draw(1, 12, q)
    x, y = ((Z - Z.mean(0)) / np.linalg.norm(Z - Z.mean(0)) for Z in (X, Y))
    wanted = 2 - 2 * np.linalg.norm(x.T @ y, "nuc")
    assert procrustes(X, Y) == pytest.approx(wanted)


def test_neighbours_are_those_of_scikit_learn_and_of_a_loop():
    X = draw(0, 50, 6)
    Y = alike(X)
    near = [
        NearestNeighbors(n_neighbors=10, metric="cosine").fit(Z).kneighbors(return_distance=False)
        for Z in (X, Y)
    ]
    wanted = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(*near)])
    assert mutual_knn(X, Y) == pytest.approx(wanted)
    assert mutual_knn(X, Y, k=3) == pytest.approx(plain_knn(X, Y, 3))


@pytest.mark.parametrize("method", ["hungarian", "max"])
@pytest.mark.parametrize("signed", [True, False])
def test_dictionaries_are_matched(method, signed):
    a, b = draw(0, 6, 4), draw(1, 8, 4)
    found = dictionary_similarity(a, b, method=method, signed=signed)
    assert found == match(a, b, method=method, signed=signed).score


# --- sparse codes -------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", OF_STIMULI)
@pytest.mark.parametrize("kind", ["both", "first", "second"])
@pytest.mark.parametrize("density", [0.08, 0.4])
def test_codes_and_arrays_agree(measure, kind, density):
    n_samples, n_units = (120, 50) if measure == "cca" else (40, 90)
    X, Y = (draw_code(seed, n_samples, n_units, density) for seed in (0, 1))
    Y[:, :20] += X[:, :20]
    a = X if kind == "second" else SparseCode.from_dense(X)
    b = Y if kind == "first" else SparseCode.from_dense(Y)
    function = FUNCTIONS[measure]
    assert function(a, b) == pytest.approx(function(X, Y), abs=1e-7)
    dense = compare(X, Y, measure, n_shuffles=3, rng=0)
    ours = compare(a, b, measure, n_shuffles=3, rng=0)
    np.testing.assert_allclose(ours.null, dense.null, atol=1e-7)


@pytest.mark.parametrize("measure", sorted(set(OF_STIMULI) - {"cca"}))
def test_codes_are_never_made_dense(measure):
    n_units = 2**31 - 1  # 2 GB a row
    rng = np.random.default_rng(0)
    code = SparseCode.from_indices(
        [np.sort(rng.choice(300, 8, replace=False)) * 7_000_000 for _ in range(30)], n_units
    )
    small = SparseCode(code.indptr, code.indices // 7_000_000, None, 300)
    other = draw(1, 30, 5)
    options = {"mutual_knn": {"k": 5}, "svcca": {"variance": 0.5}}.get(measure, {})
    found = compare(code, other, measure, n_shuffles=0, rng=0, **options).value
    wanted = compare(small, other, measure, n_shuffles=0, rng=0, **options).value
    assert found == pytest.approx(wanted, abs=0.02 if measure == "rsa" else 1e-9)


def test_ties_do_not_make_unrelated_codes_alike():
    rng = np.random.default_rng(0)
    n, k = 200, 10
    X, Y = (
        SparseCode.from_indices([rng.choice(400, 3, replace=False) for _ in range(n)], 400)
        for _ in range(2)
    )  # nearly all cosines are 0
    found = mutual_knn(X, Y, k=k)
    chance = k / (n - 1)
    assert abs(found - chance) < 4 * np.sqrt(chance * (1 - chance) / (n * k))


# --- what does not change, and what does --------------------------------------------------------


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.floats(1e-3, 1e3), st.booleans())
def test_invariances(seed, scale, debiased):
    rng = np.random.default_rng(seed)
    X, Y = rng.standard_normal((2, 25, 5))
    Q = ortho_group(5, seed=rng).rvs()
    general = rng.standard_normal((5, 5)) + 3 * np.diag([1, 2, 3, 4, 5])
    offset = rng.standard_normal(5)
    moved = scale * X @ Q + offset
    near = {"abs": 1e-8}
    assert cka(X, moved, debiased=debiased) == pytest.approx(1, **near)
    assert cka(moved, Y, debiased=debiased) == pytest.approx(cka(X, Y, debiased=debiased), **near)
    assert cka(X, X @ general, debiased=debiased) < 0.999
    assert procrustes(X, moved) == pytest.approx(0, **near)
    assert procrustes(moved, Y) == pytest.approx(procrustes(X, Y), **near)
    assert procrustes(X, X @ general) > 1e-3
    assert cca(X, X @ general + offset) == pytest.approx(1, **near)
    assert cca(X @ general, Y) == pytest.approx(cca(X, Y), **near)
    rows = rng.uniform(0.5, 2, (25, 1))
    assert mutual_knn(X, scale * rows * (X @ Q)) == 1
    assert rsa(X, rows * X[:, ::-1] + rng.standard_normal((25, 1))) == pytest.approx(1, **near)
    for function in (cka, cca, rsa, procrustes, mutual_knn):
        assert function(X, Y) == pytest.approx(function(Y, X), **near)


def test_silent_and_repeated_units_do_not_matter_to_cca():
    X, Y = draw(0, 40, 4), draw(1, 40, 3)
    padded = np.hstack([X, np.zeros((40, 3)), np.full((40, 1), 0.1), X[:, :2]])
    assert cca(padded, Y) == pytest.approx(cca(X, Y))
    assert canonical_correlations(padded, Y).size == 3


def test_debiased_cka_of_unrelated_data_is_near_0_where_the_biased_is_not():
    rng = np.random.default_rng(0)
    pairs = rng.standard_normal((40, 2, 20, 100))
    debiased = np.array([cka(X, Y) for X, Y in pairs])  # the default: more units than rows
    biased = np.array([cka(X, Y, debiased=False) for X, Y in pairs])
    assert abs(debiased.mean()) < 4 * debiased.std() / np.sqrt(len(pairs))
    assert np.abs(debiased).max() < 0.2
    assert biased.min() > 0.7
    few = rng.standard_normal((2, 20, 3))
    assert cka(*few) == cka(*few, debiased=False)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
@pytest.mark.parametrize("measure", sorted(FUNCTIONS))
def test_squares_stay_within_range(measure, scale):
    X, Y = draw(0, 30, 5), draw(1, 30, 5)
    assert FUNCTIONS[measure](X * scale, Y) == pytest.approx(FUNCTIONS[measure](X, Y))


# --- null, ceiling, matrix ----------------------------------------------------------------------


@pytest.mark.parametrize("measure", OF_STIMULI)
def test_shuffled_values_are_those_of_shuffled_rows(measure):
    X = draw(0, 40, 5)
    Y = alike(X)
    found = compare(X, Y, measure, n_shuffles=4, rng=3)
    rng = np.random.default_rng(3)
    if measure == "mutual_knn":
        rng.random((2, 40, 40))  # those that decide between equals
    wanted = [FUNCTIONS[measure](X, Y[rng.permutation(40)]) for _ in range(4)]
    np.testing.assert_allclose(found.null, wanted, atol=1e-12)
    assert found.value == pytest.approx(FUNCTIONS[measure](X, Y))
    assert found.null_mean == pytest.approx(np.mean(wanted))
    assert found.p_value == 1 / 5
    assert found.ceiling is None
    assert (found.value > found.null_mean) == HIGHER_IS_ALIKE[measure]


@pytest.mark.parametrize("measure", sorted(FUNCTIONS))
def test_p_values_of_unrelated_data_are_uniform(measure):
    rng = np.random.default_rng(0)
    n_trials, n_shuffles = 120, 19
    p = np.array(
        [
            compare(
                *rng.standard_normal((2, 16, 4)), measure, n_shuffles=n_shuffles, rng=rng
            ).p_value
            for _ in range(n_trials)
        ]
    )
    for level in (0.1, 0.5):  # exact levels of 19 shuffles, ties of mutual_knn making p larger
        n_below = np.sum(p <= level + 1e-9)
        assert n_below <= binom.ppf(1 - 1e-4, n_trials, level)
        if measure != "mutual_knn":
            assert n_below >= binom.ppf(1e-4, n_trials, level)
    if measure != "mutual_knn":
        jittered = p - rng.random(n_trials) / (n_shuffles + 1)
        assert kstest(jittered, "uniform").pvalue > 1e-4


def test_neighbours_in_common_by_chance():
    n, k = 101, 10
    X, Y = draw(0, n, 5), draw(1, n, 5)
    found = compare(X, Y, "mutual_knn", n_shuffles=50, rng=0)
    chance = k / (n - 1)
    assert abs(found.null_mean - chance) < 4 * found.null.std() / np.sqrt(50)


def test_the_ceiling_is_the_mean_over_pairs_of_seeds():
    X = draw(0, 30, 4)
    seeds = [X + 0.3 * draw(i, 30, 4) for i in (1, 2, 3)]
    found = compare(X, seeds[0], "cka", n_shuffles=0, ceiling=seeds)
    pairs = [cka(seeds[i], seeds[j]) for i, j in [(0, 1), (0, 2), (1, 2)]]
    assert found.ceiling == pytest.approx(np.mean(pairs))
    assert np.isnan(found.p_value)
    assert np.isnan(found.null_mean)


def test_dictionaries_are_shuffled_over_features():
    a, b = draw(0, 5, 30), draw(0, 5, 30)[::-1]
    found = compare(a, b, "dictionary", n_shuffles=19, rng=0)
    assert found.value == pytest.approx(1)
    assert found.null.max() < 0.6
    assert found.p_value == 1 / 20


@pytest.mark.parametrize("measure", sorted(FUNCTIONS))
def test_matrix_holds_all_pairs(measure):
    layers = [draw(i, 30, 4) for i in range(3)]
    layers[2] = alike(layers[1])
    one = FUNCTIONS[measure]
    found = similarity_matrix(layers, measure)
    wanted = [[one(a, b) for b in layers] for a in layers]
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    others = [draw(7, 30, 4)]
    rectangle = similarity_matrix(layers, measure, others=others)
    np.testing.assert_allclose(rectangle, [[one(a, others[0])] for a in layers], atol=1e-12)


def test_matrix_of_an_asymmetric_measure_and_of_one_default():
    a, b = draw(0, 3, 5), draw(1, 6, 5)
    found = similarity_matrix([a, b], "dictionary", method="max")
    assert found[0, 1] == match(a, b, method="max").score != found[1, 0]
    X, wide = draw(0, 20, 3), draw(1, 20, 40)
    found = similarity_matrix([X, X + draw(2, 20, 3), wide], "cka")
    assert found[0, 1] == pytest.approx(cka(X, X + draw(2, 20, 3), debiased=True))


# --- undefined, and refused ---------------------------------------------------------------------


@pytest.mark.parametrize("measure", ["cka", "cca", "svcca", "procrustes"])
def test_a_constant_representation_has_no_value(measure):
    Y = draw(0, 30, 4)
    dense = np.full((30, 5), 0.1)
    binary = SparseCode.from_indices([[1, 3]] * 30, 200)
    silent = SparseCode.from_dense(np.zeros((30, 5)))
    for constant in (dense, SparseCode.from_dense(dense), binary, silent):
        assert np.isnan(FUNCTIONS[measure](constant, Y))
        assert np.isnan(FUNCTIONS[measure](Y, constant))
        found = compare(constant, Y, measure, n_shuffles=2, rng=0)
        assert np.isnan(found.value)
        assert np.isnan(found.p_value)


def test_equal_dissimilarities_have_no_rank_correlation():
    assert np.isnan(rsa(np.eye(5), draw(0, 5, 5)))


@pytest.mark.parametrize("measure", OF_STIMULI)
def test_bad_representations_are_refused(measure):
    function = FUNCTIONS[measure]
    Y = draw(0, 30, 4)
    with pytest.raises(ValueError, match=r"X and Y must have as many rows.*got 20 and 30"):
        function(Y[:20], Y)
    for bad in (np.nan, np.inf):
        broken = Y.copy()
        broken[3, 1] = bad
        with pytest.raises(ValueError, match=r"X must be finite; got 1 NaN.*row 3"):
            function(broken, Y)
        with pytest.raises(ValueError, match="Y must be finite"):
            function(Y, broken)
    with pytest.raises(ValueError, match=r"X must have shape \(n_samples, n_features\)"):
        function(np.ones(30), Y)
    with pytest.raises(TypeError, match="X must hold real numbers"):
        function(Y.astype(complex), Y)
    with pytest.raises(ValueError, match="X must have at least two rows"):
        function(Y[:1], Y[:1])
    with pytest.raises(ValueError, match=r"X must have at least two rows.*got shape \(0, 3\)"):
        function(np.zeros((0, 3)), np.zeros((0, 3)))
    with pytest.raises(ValueError, match=r"one unit; got shape \(30, 0\)"):
        function(np.zeros((30, 0)), Y)


def test_ranks_that_make_every_correlation_1_are_refused():
    X, Y = draw(0, 20, 30), draw(1, 20, 3)
    message = r"X must have a rank below n_samples - 1 = 19.*got rank 19"
    with pytest.raises(ValueError, match=message):
        cca(X, Y)
    with pytest.raises(ValueError, match="Y must have a rank below"):
        cca(Y, SparseCode.from_dense(X))
    assert 0 < svcca(X, Y, variance=0.5) < 1


def test_rows_without_direction_are_refused():
    Y = draw(0, 30, 4)
    X = Y.copy()
    X[4] = 0
    X[9] = 2
    for constant in (X, SparseCode.from_dense(X)):
        with pytest.raises(ValueError, match="got 2 constant rows, the first in row 4"):
            rsa(constant, Y)
        with pytest.raises(ValueError, match=r"no row of zeros.*got 1, the first in row 4"):
            mutual_knn(constant, Y)


def test_bad_options_are_refused():
    X, Y = draw(0, 30, 4), draw(1, 30, 4)
    with pytest.raises(ValueError, match="measure must be one of 'cka'"):
        compare(X, Y, "similarity")
    with pytest.raises(TypeError, match="options of cka must be among: debiased, space; got 'k'"):
        compare(X, Y, "cka", k=3)
    with pytest.raises(TypeError, match="options of rsa must be among: none; got 'k'"):
        similarity_matrix([X, Y], "rsa", k=3)
    with pytest.raises(ValueError, match="n_shuffles must be at least 0"):
        compare(X, Y, "cka", n_shuffles=-1)
    with pytest.raises(ValueError, match="ceiling must hold at least two"):
        compare(X, Y, "cka", ceiling=[X])
    with pytest.raises(ValueError, match=r"X and ceiling\[1\] must have as many rows"):
        compare(X, Y, "cka", ceiling=[X, Y[:5]])
    with pytest.raises(TypeError, match="rng must be a numpy Generator"):
        compare(X, Y, "cka", rng=np.random.RandomState(0))
    with pytest.raises(ValueError, match="space must be one of"):
        cka(X, Y, space="features")
    with pytest.raises(ValueError, match="debiased must be one of"):
        cka(X, Y, debiased="yes")
    with pytest.raises(ValueError, match="at least 4 rows for the debiased CKA; got 3"):
        cka(X[:3], Y[:3], debiased=True)
    with pytest.raises(ValueError, match="variance must lie above 0 and at most at 1"):
        svcca(X, Y, variance=1.5)
    with pytest.raises(ValueError, match="k must be at most 29"):
        mutual_knn(X, Y, k=30)
    with pytest.raises(ValueError, match="k must be at least 1"):
        mutual_knn(X, Y, k=0)
    with pytest.raises(TypeError, match="X must be an array of atoms; got <SparseCode"):
        dictionary_similarity(SparseCode.from_dense(X), Y)
    with pytest.raises(ValueError, match="atoms of as many features"):
        dictionary_similarity(X, Y[:, :2])
    with pytest.raises(ValueError, match="representations and others must hold at least one"):
        similarity_matrix([], "cka")
    with pytest.raises(ValueError, match="at least one"):
        similarity_matrix([X], "cka", others=[])
