import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import codes

from sparsecode.core import SparseCode, measures
from sparsecode.core.measures import HIGHER_IS_SPARSER, lifetime, population, summary

NAMES = sorted(HIGHER_IS_SPARSER)
SIX = ["robin_hood", "scaling", "rising_tide", "cloning", "bill_gates", "babies"]


# --- formulas, one vector at a time -------------------------------------------------------------


def plain(name, a):
    """Return a measure of one vector of activations by its textbook formula."""
    c, n = np.abs(a).astype(float), len(a)
    if name == "l0":
        return sum(c > 0) / n
    if name == "excess_kurtosis":
        return scipy.stats.kurtosis(a) if np.ptp(a) else np.nan
    if not c.any():
        return np.nan
    activity = (c.sum() / n) ** 2 / ((c**2).sum() / n)
    if name == "treves_rolls":
        return activity
    if name == "participation_ratio":
        return c.sum() ** 2 / (c**2).sum()
    if name == "kappa4":
        return (c**4).sum() / (c**2).sum() ** 2
    if name == "gini":
        k = np.arange(1, n + 1)
        return 1 - 2 * sum(np.sort(c) / c.sum() * (n - k + 0.5) / n)
    if name == "entropy":
        return scipy.stats.entropy(c)
    if n == 1:
        return np.nan
    if name == "vinje_gallant":
        return (1 - activity) / (1 - 1 / n)
    assert name == "hoyer"
    return (n**0.5 - c.sum() / np.linalg.norm(c)) / (n**0.5 - 1)


@pytest.mark.parametrize("name", NAMES)
@given(code=codes())
def test_codes_and_arrays_agree_with_the_formula(name, code):
    dense = code.to_dense().reshape(code.shape).astype(float)
    by_sample = [plain(name, row) for row in dense]
    by_unit = [plain(name, column) if len(code) else np.nan for column in dense.T]
    near = {"rtol": 1e-9, "atol": 1e-9}
    for activations in (code, dense):
        np.testing.assert_allclose(population(activations, name), by_sample, **near)
        np.testing.assert_allclose(lifetime(activations, name), by_unit, **near)
    function = getattr(measures, name)
    np.testing.assert_array_equal(function(code), function(code, axis=1))
    for row, wanted in zip(dense, by_sample):
        assert isinstance(function(row), float)
        np.testing.assert_allclose(function(row), wanted, **near)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gini", 0.25),
        ("hoyer", 0.1743),
        ("treves_rolls", 0.8333),
        ("vinje_gallant", 0.2222),
        ("participation_ratio", 10 / 3),
        ("kappa4", 0.3933),
        ("entropy", 1.2799),
        ("excess_kurtosis", -1.36),
        ("l0", 1.0),
    ],
)
def test_vectors_of_the_specification(name, value):
    measure = getattr(measures, name)
    assert measure([1, 2, 3, 4]) == pytest.approx(value, abs=5e-5)
    assert measure([0, 0, 0, 0]) == 0 if name == "l0" else np.isnan(measure([0, 0, 0, 0]))


@pytest.mark.parametrize("scale", [1e-300, 1e-120, 1e120, 1e300])
@pytest.mark.parametrize("name", NAMES)
def test_powers_stay_within_range(name, scale):
    measure = getattr(measures, name)
    assert measure(np.array([1, 2, 3, 4]) * scale) == pytest.approx(measure([1, 2, 3, 4]))


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"excess_kurtosis"}))
@given(code=codes(binary=False))
def test_signs_play_no_part(name, code):
    dense = code.to_dense().reshape(code.shape)
    np.testing.assert_array_equal(population(dense, name), population(np.abs(dense), name))


def test_kurtosis_is_that_of_the_signed_activations():
    a = np.random.default_rng(0).laplace(size=500)
    assert measures.excess_kurtosis(a) == pytest.approx(scipy.stats.kurtosis(a))
    assert measures.excess_kurtosis(np.abs(a)) != pytest.approx(measures.excess_kurtosis(a))


def test_l0_counts_strictly_above_epsilon():
    a = [0.0, 0.1, -0.2, 0.3]
    assert [measures.l0(a, epsilon=e) for e in (0, 0.1, 0.25, 1)] == [0.75, 0.5, 0.25, 0]
    assert measures.l0(np.array(a, np.float32), epsilon=0.1) == 0.5  # 0.1 in float32 is not above
    assert population([a], "l0", epsilon=0.1) == [0.5]
    assert summary([a], ["l0"], epsilon=0.1)["l0"]["population"] == 0.5


def test_codes_are_never_made_dense():
    rows = [[0, 2**31 - 2], [5], []]
    code = SparseCode.from_indices(rows, 2**31 - 1)  # 2 GB a row
    np.testing.assert_allclose(population(code, "participation_ratio"), [2, 1, np.nan])
    tall = SparseCode.from_scipy(code.to_scipy()[:, :10].T)
    many = SparseCode.concatenate([tall] * 1000)
    assert lifetime(many, "l0")[1] == pytest.approx(0.1)


def test_summary_gives_medians_and_the_share_of_silence():
    X = np.array([[1.0, 2, 3, 4, 0], [0, 0, 0, 0, 0], [0, 0, 5, 0, 0], [1, 1, 1, 1, 0]])
    table = summary(X)
    assert set(table) == {*NAMES, "silent"}
    assert table["silent"] == {"population": 0.25, "lifetime": 0.2}
    for name in NAMES:
        for along, values in (("population", population), ("lifetime", lifetime)):
            assert table[name][along] == pytest.approx(np.nanmedian(values(X, name)))
    assert summary(SparseCode.from_dense(X)) == table
    silent = summary(np.zeros((2, 3)), ["gini"])
    assert np.isnan(silent["gini"]["population"])
    empty = summary(np.zeros((0, 3)), ["gini", "l0"])
    assert np.isnan([v for along in empty.values() for v in along.values()]).sum() == 5


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="measure must be one of 'l0', 'hoyer'"):
        population(np.ones((2, 3)), "sparseness")
    with pytest.raises(ValueError, match="axis must be one of -1, 0, 1; got 2"):
        measures.gini(np.ones((2, 3)), axis=2)
    with pytest.raises(ValueError, match="axis must be -1 or 0"):
        measures.gini(np.ones(3), axis=1)
    with pytest.raises(ValueError, match=r"activations must have shape \(n_samples, n_features\)"):
        measures.gini(np.ones((2, 3, 4)))
    with pytest.raises(ValueError, match=r"Call gini\(activations\) for one vector"):
        lifetime(np.ones(3), "gini")
    with pytest.raises(ValueError, match="finite"):
        measures.hoyer([1.0, np.nan])
    with pytest.raises(ValueError, match="at least one unit"):
        measures.hoyer(np.ones((2, 0)))
    with pytest.raises(ValueError, match="epsilon must be finite and at least 0"):
        measures.l0([1.0], epsilon=-1)


# --- the six criteria of Hurley & Rickard ---------------------------------------------------------
# Each takes a sparsity (higher is sparser), magnitudes, two of their places and a share in (0, 1).


def robin_hood(sparsity, c, i, j, share):
    """Taking from the rich and giving to the poor, short of swapping them, makes less sparse."""
    rich, poor = (i, j) if c[i] > c[j] else (j, i)
    after = c.copy()
    gift = share * (c[rich] - c[poor]) / 2
    after[rich] -= gift
    after[poor] += gift
    return c[i] == c[j] or sparsity(after) < sparsity(c) - 1e-12


def scaling(sparsity, c, i, j, share):
    """A factor changes nothing."""
    return np.isclose(sparsity(10 * share * c), sparsity(c), rtol=1e-9, equal_nan=True)


def rising_tide(sparsity, c, i, j, share):
    """Adding the same to all, unless they are equal, makes less sparse."""
    return np.ptp(c) == 0 or sparsity(c + 10 * share) < sparsity(c) - 1e-12


def cloning(sparsity, c, i, j, share):
    """A second copy of all changes nothing."""
    return np.isclose(sparsity(np.concatenate([c, c])), sparsity(c), rtol=1e-9, equal_nan=True)


def bill_gates(sparsity, c, i, j, share):
    """Once one is rich enough, every gain of his makes more sparse (if another has any)."""
    rich = c.copy()
    rich[i] += 50 * c.sum()
    richer = rich.copy()
    richer[i] *= 1 + share
    return not np.delete(c, i).any() or sparsity(richer) > sparsity(rich) + 1e-12


def babies(sparsity, c, i, j, share):
    """One more zero makes more sparse (where more than one is active)."""
    return np.count_nonzero(c) < 2 or sparsity(np.append(c, 0.0)) > sparsity(c) + 1e-12


CRITERIA = {f.__name__: f for f in (robin_hood, scaling, rising_tide, cloning, bill_gates, babies)}

#: Where a measure fails a criterion: magnitudes, two places and a share that show it.
FAILS = {
    ("vinje_gallant", "cloning"): ([0, 1], 0, 1, 0.5),
    ("hoyer", "cloning"): ([0, 1], 0, 1, 0.5),
    ("entropy", "cloning"): ([0, 1], 0, 1, 0.5),
    ("entropy", "babies"): ([1, 2], 0, 1, 0.5),
    ("participation_ratio", "cloning"): ([0, 1], 0, 1, 0.5),
    ("participation_ratio", "babies"): ([1, 2], 0, 1, 0.5),
    ("kappa4", "robin_hood"): ([2.3, 3.4, 4.7, 25.8, 0, 6.5], 0, 2, 0.25),
    ("kappa4", "cloning"): ([0, 1], 0, 1, 0.5),
    ("kappa4", "babies"): ([1, 2], 0, 1, 0.5),
    ("excess_kurtosis", "robin_hood"): ([2.3, 3.4, 4.7, 25.8, 0, 6.5], 0, 2, 0.25),
    ("excess_kurtosis", "rising_tide"): ([1, 2, 4], 0, 1, 0.5),
    ("excess_kurtosis", "bill_gates"): ([1, 2, 3], 0, 1, 0.5),
    ("excess_kurtosis", "babies"): ([6.5, 0, 10.7, 5.6, 6.7], 0, 1, 0.5),
    ("l0", "robin_hood"): ([1, 3], 0, 1, 0.5),
    ("l0", "rising_tide"): ([1, 2], 0, 1, 0.5),
    ("l0", "bill_gates"): ([1, 2], 0, 1, 0.5),
}


def sparsity_of(name, **options):
    sign = 1 if HIGHER_IS_SPARSER[name] else -1
    return lambda c: sign * getattr(measures, name)(c, **options)


def test_the_table_covers_every_measure_and_criterion():
    assert list(CRITERIA) == SIX
    assert {name for name, _ in FAILS} | {"gini", "treves_rolls"} == set(NAMES)
    in_the_docs = {}
    for line in measures.__doc__.splitlines():
        word, _, rest = line.partition(" ")
        if word in NAMES:
            failed = rest.strip().split("  ")[-1].lower().replace(" ", "_")
            in_the_docs[word] = {criterion for criterion in SIX if criterion in failed}
    assert in_the_docs == {n: {c for m, c in FAILS if m == n} for n in NAMES}


@pytest.mark.parametrize(("name", "criterion"), sorted(FAILS))
def test_a_criterion_fails_where_it_must(name, criterion):
    c, i, j, share = FAILS[name, criterion]
    assert not CRITERIA[criterion](sparsity_of(name), np.array(c, float), i, j, share)


@pytest.mark.parametrize(
    ("name", "criterion"), [(n, c) for n in NAMES for c in SIX if (n, c) not in FAILS]
)
@settings(max_examples=40)
@given(
    c=hnp.arrays(float, st.integers(2, 7), elements=st.integers(0, 20)).filter(np.any),
    share=st.sampled_from([0.05, 0.3, 0.5, 0.9]),
    data=st.data(),
)
def test_a_criterion_holds_where_it_must(name, criterion, c, share, data):
    i, j = data.draw(st.permutations(range(len(c))))[:2]
    assert CRITERIA[criterion](sparsity_of(name), c, i, j, share)


def test_an_epsilon_costs_l0_the_scaling():
    assert not scaling(sparsity_of("l0", epsilon=0.5), np.array([1.0, 2.0]), 0, 1, 0.04)


def test_the_cloned_pair_of_the_specification():
    assert measures.hoyer([0, 1]) == measures.vinje_gallant([0, 1]) == 1
    assert measures.hoyer([0, 1, 0, 1]) == pytest.approx(0.586, abs=5e-4)
    assert measures.vinje_gallant([0, 1, 0, 1]) == pytest.approx(0.667, abs=5e-4)


# --- what reconstructions explain ----------------------------------------------------------------


def test_the_explained_variance_of_the_specification():
    X = np.array([[2.0, 0.0], [0.0, 4.0]])
    assert measures.explained_variance(X, [[2, 1], [0, 3]]) == pytest.approx(0.8)
    assert measures.explained_variance(X, np.tile(X.mean(axis=0), (2, 1))) == 0.0
    assert measures.explained_variance(X, X) == 1.0
    assert measures.explained_variance(X, np.full((2, 2), X.mean())) < 0  # not a scalar mean


def test_explained_variance_is_the_formula_in_double_precision():
    rng = np.random.default_rng(0)
    X = rng.normal(3.0, 1.0, (50, 4))
    guess = X + rng.normal(size=X.shape)
    lost = sum(((x - g) ** 2).sum() for x, g in zip(X, guess))
    total = sum(((x - X.mean(axis=0)) ** 2).sum() for x in X)
    assert measures.explained_variance(X, guess) == pytest.approx(1 - lost / total, rel=1e-12)
    far = (X + 1000).astype(np.float32)  # whose squares do not fit into float32
    expected = measures.explained_variance(far.astype(np.float64), far + np.float32(0.5))
    assert measures.explained_variance(far, far + np.float32(0.5)) == expected


def test_samples_that_do_not_vary_have_no_variance_to_explain():
    constant = np.full((7, 3), 0.1)  # the mean of which is not exactly 0.1
    assert np.isnan(measures.explained_variance(constant, constant + 1))
    assert np.isnan(measures.explained_variance(np.empty((0, 3)), np.empty((0, 3))))


def test_reconstructions_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"reconstruction must have the shape of X, \(2, 3\)"):
        measures.explained_variance(np.ones((2, 3)), np.ones((3, 2)))
    with pytest.raises(ValueError, match="reconstruction must be finite"):
        measures.explained_variance(np.ones((1, 1)), [[np.nan]])
