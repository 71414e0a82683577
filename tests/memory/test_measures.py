"""Errors and information against closed forms, similarity against SciPy, capacity against a toy."""

from __future__ import annotations

import warnings
from fractions import Fraction
from math import comb, log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.stats import binom, spearmanr
from sklearn.metrics import mutual_info_score

from memory import AssociativeMemory, Recall, measures
from sparsecode.core import SparseCode

N_UNITS = 60


class Toy(AssociativeMemory):
    """A list of patterns; once more than `limit` are stored, each is recalled with an error.

    With a probability that grows with the load a unit is added that was not stored.
    """

    _parameters = ("limit", "slope")

    def __init__(self, limit=0, *, slope=0.0, rng=None):
        self.limit, self.slope, self.rng = limit, slope, rng
        self.patterns = []

    def store(self, patterns):
        code = self._check_patterns(patterns)
        if self.n_stored <= self.limit < self.n_stored + code.n_samples:
            warnings.warn("more than it can hold", UserWarning, stacklevel=2)
        self.patterns.append(code)
        self.unit_shape = code.unit_shape
        self.n_stored += code.n_samples
        return code

    def recall(self, cues):
        cues = self._check_cues(cues)
        known = SparseCode.concatenate(self.patterns).to_dense().reshape(self.n_stored, -1)
        shared = cues.to_dense().reshape(len(cues), -1).astype(int) @ known.T.astype(int)
        found = known[shared.argmax(1)]
        wrong = np.full(len(cues), self.n_stored > self.limit)
        if self.slope:
            wrong = self.rng.random(len(cues)) < self.slope * self.n_stored
        found[wrong, found[wrong].argmin(1)] = True
        code = SparseCode.from_dense(found, self.unit_shape)
        return Recall(code, np.ones(len(cues)), code)

    n_weights = property(lambda self: 100)
    nbytes = property(lambda self: 25)

    def _arrays(self):
        return {}

    def _restore(self, arrays):
        pass


def draw(n, rng, n_units=N_UNITS, n_active=6):
    keys = rng.random((n, n_units)).argsort(1)
    return SparseCode.from_dense(keys < n_active)


def pairs():
    """Two small binary batches of one shape."""
    shape = st.tuples(st.integers(1, 5), st.integers(1, 7))
    bits = lambda size: st.lists(st.booleans(), min_size=size, max_size=size)  # noqa: E731
    return shape.flatmap(
        lambda each: st.tuples(
            *[bits(each[0] * each[1]).map(lambda b: np.array(b).reshape(each))] * 2
        )
    )


@settings(deadline=None)
@given(pairs())
def test_counts_are_those_of_dense_arrays(pair):
    recalled, stored = pair
    np.testing.assert_array_equal(measures.spurious(recalled, stored), (recalled & ~stored).sum(1))
    np.testing.assert_array_equal(measures.missing(recalled, stored), (~recalled & stored).sum(1))
    differ = recalled != stored
    np.testing.assert_allclose(measures.bit_error(recalled, stored), differ.mean(1))
    assert measures.exact_recall(recalled, stored) == np.mean(~differ.any(1))
    for errors, active, found in zip(
        differ.sum(1), stored.sum(1), measures.relative_error(recalled, stored)
    ):
        assert found == (errors / active if active else (np.inf if errors else 0.0))
    expected = differ.sum() <= 0.5 * stored.sum()
    assert measures.within_epsilon(recalled, stored, 0.5) == expected


@settings(deadline=None)
@given(pairs())
def test_information_is_that_of_the_pooled_table_of_units(pair):
    recalled, stored = pair
    expected = stored.shape[1] * mutual_info_score(stored.ravel(), recalled.ravel()) / np.log(2)
    found = measures.mutual_information(recalled, stored)
    assert found == pytest.approx(expected, abs=1e-9)
    assert found == pytest.approx(measures.mutual_information(stored, recalled), abs=1e-9)


def test_information_of_a_willshaw_pattern_at_its_capacity():
    # Without missing units and with as many spurious units as active ones (epsilon = 1), from
    # T = n [h(p (1 + eps)) - (1 - p) h(eps p / (1 - p))], Knoblauch, Palm & Sommer 2010.
    n, active = 1000, 10
    stored = np.zeros((50, n), bool)
    stored[:, :active] = True
    recalled = np.zeros((50, n), bool)
    recalled[:, : 2 * active] = True
    entropy = lambda p: -p * np.log2(p) - (1 - p) * np.log2(1 - p)  # noqa: E731
    expected = n * (entropy(0.02) - 0.99 * entropy(0.01 / 0.99))
    assert measures.mutual_information(recalled, stored) == pytest.approx(expected, rel=1e-12)
    perfect = measures.mutual_information(stored, stored)
    assert perfect == pytest.approx(n * entropy(0.01), rel=1e-12)
    assert log2(comb(n, active)) < perfect


def test_epsilon_counts_an_error_that_is_allowed_exactly():
    stored = np.zeros((1, 400), bool)
    stored[0, :100] = True
    recalled = stored.copy()
    recalled[0, :29] = False  # 0.29 * 100 is 28.999999999999996
    assert measures.within_epsilon(recalled, stored, 0.29)
    assert not measures.within_epsilon(recalled, stored, 0.28)


def test_codes_arrays_and_sparse_arrays_say_the_same():
    rng = np.random.default_rng(0)
    stored, recalled = draw(9, rng), draw(9, rng)
    dense, expected = recalled.to_dense(), measures.report(recalled, stored)
    assert measures.report(dense, stored) == expected
    assert measures.report(sparse.csr_array(dense), stored.to_dense().astype(float)) == expected


def test_an_array_takes_the_units_of_the_stored_code():
    stored = SparseCode.from_indices([[0, 5], [3]], (2, 3))
    flat = np.array([[1, 0, 0, 0, 0, 1], [0, 0, 0, 1, 0, 1]])
    np.testing.assert_array_equal(measures.spurious(flat, stored), [0, 1])


def test_report_holds_every_criterion_and_what_a_memory_stores():
    rng = np.random.default_rng(1)
    memory, patterns = Toy(100), draw(40, rng)
    memory.store(patterns)
    halves = SparseCode.from_indices([row.indices[:3] for row in patterns], N_UNITS)
    found = measures.report(
        memory.recall(patterns).code, patterns, memory=memory, cues=halves, epsilon=0.1
    )
    bits = measures.mutual_information(patterns, patterns)
    gained = bits - measures.mutual_information(halves, patterns)
    assert found == {
        "bit_error": 0.0,
        "spurious": 0.0,
        "missing": 0.0,
        "relative_error": 0.0,
        "exact": 1.0,
        "within_epsilon": 1.0,
        "bits": bits,
        "completion_bits": gained,
        "n_stored": 40,
        "total_bits": 40 * bits,
        "bits_per_synapse": 40 * bits / 100,
        "bits_per_byte": 40 * bits / 25,
        "completion_bits_per_synapse": 40 * gained / 100,
        "completion_bits_per_byte": 40 * gained / 25,
    }
    assert 0 < gained < bits


def test_empty_batches_have_no_mean():
    none = SparseCode.from_indices([], N_UNITS)
    found = measures.report(none, none)
    assert all(np.isnan(value) for value in found.values())
    assert measures.bit_error(none, none).shape == (0,)
    assert not measures.within_epsilon(none, none)


def test_spearman_is_scipys_over_pairs_and_its_null_is_of_samples():
    rng = np.random.default_rng(2)
    inputs, codes = draw(40, rng), draw(40, rng)
    a, b = (each.to_dense().astype(int) for each in (inputs, codes))
    upper = np.triu_indices(40, 1)
    union = a.sum(1)[:, None] + a.sum(1) - a @ a.T
    expected = spearmanr((a @ a.T / union)[upper], (b @ b.T)[upper]).statistic
    found = measures.similarity_preservation(inputs, codes, rng=0)
    assert found.spearman == pytest.approx(expected, abs=1e-12)
    assert found.null_deviation == pytest.approx(1 / np.sqrt(len(upper[0])), rel=0.5)
    assert found.n_pairs.sum() == len(upper[0])


def test_the_p_value_of_unrelated_codes_is_uniform():
    rng = np.random.default_rng(3)
    values = [
        measures.similarity_preservation(
            draw(12, rng), draw(12, rng), n_permutations=19, rng=rng
        ).p_value
        for _ in range(200)
    ]
    n_small = np.sum(np.array(values) <= 0.25)
    assert binom.ppf(1e-4, 200, 0.25) <= n_small <= binom.ppf(1 - 1e-4, 200, 0.25)


@pytest.mark.parametrize("similarity", ["jaccard", "cosine", "overlap"])
def test_bins_hold_the_mean_intersection(similarity):
    rng = np.random.default_rng(4)
    inputs = draw(30, rng, n_units=20)
    found = measures.similarity_preservation(inputs, inputs, similarity=similarity, bins=6, rng=0)
    dense = inputs.to_dense().astype(float)
    shared = dense @ dense.T
    alike = {"jaccard": shared / (12 - shared), "cosine": shared / 6, "overlap": shared}[similarity]
    upper = np.triu_indices(30, 1)
    for low, high, mean, count in zip(
        found.edges, found.edges[1:], found.intersection, found.n_pairs
    ):
        inside = (alike >= low) & ((alike < high) | (high == found.edges[-1]))
        chosen = shared[upper][inside[upper]]
        assert count == chosen.size
        assert mean == pytest.approx(chosen.mean()) if count else np.isnan(mean)
    assert found.spearman == pytest.approx(1.0)


def test_codes_that_are_all_the_same_have_no_correlation():
    rng = np.random.default_rng(5)
    same = SparseCode.from_indices([[1, 2]] * 10, 8)
    found = measures.similarity_preservation(draw(10, rng), same, rng=0)
    assert np.isnan([found.spearman, found.p_value, found.null_deviation]).all()
    assert found.intersection[found.n_pairs > 0].tolist() == [2.0] * (found.n_pairs > 0).sum()


def test_many_samples_are_thinned():
    rng = np.random.default_rng(6)
    codes = draw(50, rng)
    found = measures.similarity_preservation(codes, codes, max_samples=20, rng=0)
    assert found.n_pairs.sum() == 190


@pytest.mark.parametrize("limit", [0, 1, 15, 16, 37, 200])
@pytest.mark.parametrize("low", [1, 16, 300])
def test_capacity_finds_a_sharp_limit_exactly(limit, low):
    found = measures.capacity(
        lambda rng: Toy(limit), draw, low=low, high=512, resolution=1e-9, n_trials=2, n_cues=3,
        tolerance=0.1, rng=0,
    )  # fmt: skip
    assert found.n_patterns == limit
    assert found.interval == (limit, limit)
    assert found.is_bounded
    assert len(found.loads) == len(set(found.loads.tolist())) <= 22
    assert found.errors.shape == (len(found.loads), 2)
    assert (found.errors == np.where(found.loads > limit, 1 / 6, 0.0)[:, None]).all()


def test_capacity_that_was_not_reached_is_a_lower_bound():
    found = measures.capacity(lambda rng: Toy(10**6), draw, low=4, high=50, n_trials=2, rng=0)
    assert found.n_patterns == 50
    assert found.interval == (50, np.inf)
    assert not found.is_bounded
    assert found.loads.tolist() == [4, 8, 16, 32, 50]


def test_the_interval_of_capacity_covers_the_truth_as_often_as_it_says():
    # Of the patterns of a load M a share M / 400 comes back wrong: at a tolerance of 0.2 the
    # capacity is 80.
    def run(seed):
        return measures.capacity(
            lambda rng: Toy(slope=1 / 400, rng=rng), draw, criterion="exact", tolerance=0.2,
            low=64, high=1000, resolution=0.01, n_trials=4, n_cues=50, rng=seed,
        )  # fmt: skip

    found = [run(seed) for seed in range(40)]
    covered = sum(each.interval[0] <= 80 <= each.interval[1] for each in found)
    assert covered >= binom.ppf(1e-3, 40, 0.95)
    assert abs(np.median([each.n_patterns for each in found]) - 80) < 8
    assert all(each.interval[0] <= each.n_patterns <= each.interval[1] for each in found)


def test_capacity_is_reproducible_and_takes_a_criterion_of_ones_own():
    def worst(recalled, stored):
        return measures.spurious(recalled, stored).max()

    options = {"criterion": worst, "tolerance": 0.5, "low": 2, "high": 64, "n_trials": 2}
    first, second = (
        measures.capacity(lambda rng: Toy(20), draw, resolution=1e-9, rng=7, **options)
        for _ in range(2)
    )
    assert first.n_patterns == second.n_patterns == 20
    np.testing.assert_array_equal(first.loads, second.loads)
    np.testing.assert_array_equal(first.errors, second.errors)


def test_a_curve_has_a_row_for_each_trial_and_load():
    def halve(patterns, rng):
        return SparseCode.from_indices([row.indices[:4] for row in patterns], patterns.unit_shape)

    loads = [10, 5, 20]
    table = measures.recall_curve(
        lambda rng: Toy(10), draw, loads, make_cues=halve, n_trials=2, rng=0
    )
    assert {len(column) for column in table.values()} == {6}
    assert table["load"].tolist() == [5, 10, 20] * 2
    assert table["trial"].tolist() == [0, 0, 0, 1, 1, 1]
    np.testing.assert_array_equal(table["n_stored"], table["load"])
    np.testing.assert_array_equal(table["exact"], [1, 1, 0] * 2)
    np.testing.assert_array_equal(table["spurious"], [0, 0, 1] * 2)
    np.testing.assert_allclose(table["total_bits"], table["load"] * table["bits"])
    np.testing.assert_allclose(table["bits_per_byte"], 4 * table["bits_per_synapse"])
    assert (table["completion_bits"] < table["bits"]).all()


def test_a_curve_recalls_from_a_part_and_is_reproducible():
    seen = []

    def keep(patterns, rng):
        seen.append(patterns.n_samples)
        return patterns

    options = {"make_cues": keep, "n_trials": 1, "n_cues": 7, "answer": "pattern"}
    tables = [
        measures.recall_curve(lambda rng: Toy(99), draw, [3, 30], rng=1, **options)
        for _ in range(2)
    ]
    assert seen == [3, 7] * 2
    for name, column in tables[0].items():
        np.testing.assert_array_equal(column, tables[1][name])


class Pairs(Toy):
    """Answers the targets, in the order of the patterns."""

    def store(self, patterns, targets):
        self.targets = getattr(self, "targets", np.empty((0, targets.n_units), bool))
        self.targets = np.concatenate([self.targets, targets.to_dense()])
        super().store(patterns)
        return targets

    def recall(self, cues):
        known = SparseCode.concatenate(self.patterns).to_dense()
        found = (cues.to_dense().astype(int) @ known.T.astype(int)).argmax(1)
        code = SparseCode.from_dense(self.targets[found])
        return Recall(code, np.ones(len(cues)), self._check_cues(cues))


def test_pairs_of_patterns_and_targets_are_stored_and_judged():
    def both(n, rng):
        return draw(n, rng), draw(n, rng, n_units=7, n_active=2)

    table = measures.recall_curve(lambda rng: Pairs(99), both, [4, 9], n_trials=1, rng=0)
    assert table["exact"].tolist() == [1, 1]
    assert "completion_bits" not in table
    assert measures.capacity(lambda rng: Pairs(99), both, high=20, n_trials=2).n_patterns == 20


class Matrix(Pairs):
    """The binary matrix of Willshaw, from patterns to targets, as slow and plain as can be."""

    def store(self, patterns, targets):
        new = patterns.to_dense().astype(int).T @ targets.to_dense()
        self.weights = getattr(self, "weights", np.zeros(new.shape, bool)) | (new > 0)
        return super().store(patterns, targets)

    def recall(self, cues):
        sums = cues.to_dense().astype(int) @ self.weights
        code = SparseCode.from_dense(sums >= cues.n_active[:, None])
        return Recall(code, np.ones(len(cues)), self._check_cues(cues))


def test_the_capacity_of_a_willshaw_matrix_is_that_of_its_exact_theory():
    # False positives of random k-of-n patterns and targets and whole cues, by inclusion-exclusion.
    n, k, epsilon = 120, 5, 0.1

    def false_positive(n_patterns):
        share = Fraction(k, n)
        terms = (
            (-1) ** i * comb(k, i)
            * (1 - share * (1 - Fraction(comb(n - i, k), comb(n, k)))) ** (n_patterns - 1)
            for i in range(k + 1)
        )  # fmt: skip
        return float(sum(terms))

    expected = max(m for m in range(1, 300) if (n - k) * false_positive(m) <= epsilon * k)
    found = measures.capacity(
        lambda rng: Matrix(10**6), lambda m, rng: (draw(m, rng, n, k), draw(m, rng, n, k)),
        tolerance=epsilon, low=32, n_trials=30, confidence=0.999, rng=5,
    )  # fmt: skip
    assert found.interval[0] <= expected <= found.interval[1]
    assert abs(found.n_patterns / expected - 1) < 0.1
    assert found.interval[1] - found.interval[0] < 0.3 * expected


BAD = [
    (lambda: measures.bit_error([[0, 2]], [[0, 1]]), ValueError, "0 and 1 only; got 2"),
    (lambda: measures.spurious([[0, 1]], [[0, 1, 1]]), ValueError, "unit_shape"),
    (lambda: measures.missing([[0, 1]], [[0, 1]] * 2), ValueError, "one row per stored pattern, 2"),
    (lambda: measures.within_epsilon([[1]], [[1]], -1), ValueError, "epsilon must be a finite"),
    (lambda: measures.report([[1]], [[1]], epsilon=np.nan), ValueError, "epsilon must be a finite"),
    (
        lambda: measures.similarity_preservation([[1], [0]], [[1], [1]]),
        ValueError,
        "at least 3; got 2",
    ),
    (
        lambda: measures.similarity_preservation([[1]] * 3, [[1]] * 3, bins=[1, 0]),
        ValueError,
        "two rising edges",
    ),
    (
        lambda: measures.similarity_preservation([[1]] * 3, [[1]] * 3, similarity="dice"),
        ValueError,
        "similarity must be one of",
    ),
    (lambda: measures.capacity(Toy(), draw), TypeError, "make_memory must be a function; got Toy"),
    (
        lambda: measures.capacity(Toy, draw, criterion="good"),
        ValueError,
        "criterion must be one of 'epsilon', 'exact'",
    ),
    (lambda: measures.capacity(Toy, draw, low=9, high=8), ValueError, "high must be at least 9"),
    (lambda: measures.capacity(Toy, draw, n_trials=1), ValueError, "n_trials must be at least 2"),
    (lambda: measures.capacity(Toy, draw, confidence=1), ValueError, "between 0 and 1; got 1"),
    (lambda: measures.capacity(Toy, draw, make_cues=3), TypeError, "make_cues must be a function"),
    (lambda: measures.recall_curve(Toy, draw, []), ValueError, "loads must name at least one"),
    (
        lambda: measures.recall_curve(lambda rng: Toy(), lambda n, rng: draw(3, rng), [4]),
        ValueError,
        "draw_patterns must return as many patterns as it is asked for, 4; got 3",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "said"), BAD)
def test_bad_arguments_are_named(call, error, said):
    with pytest.raises(error, match=said):
        call()
