"""Monte Carlo kernels against twins on the same random numbers, and counts against exact laws."""

import inspect

import numpy as np
import pytest
from draw_kernels import draw_subsets, numbers_below
from scipy import stats

from sdr import simulation
from sdr._monte_carlo_kernels import count_matches, count_unions
from sdr.simulation import (
    ErrorCounts,
    simulate_false_negatives,
    simulate_false_positives,
    simulate_union,
)
from sparsecode._jit import available_threads

BITS = 2**64 - 1


@pytest.fixture(autouse=True)
def wrapping_words():
    """Let words wrap silently where kernels are interpreted."""
    with np.errstate(over="ignore"):
        yield


# ---------------------------------------------------------------------- the slow twins


class Words:
    """xoshiro256++ in integers of Python, written from its definition."""

    def __init__(self, state):
        self.state = [int(word) for word in state]

    def word(self):
        def rotated(x, k):
            return (x << k | x >> (64 - k)) & BITS

        s = self.state
        found = (rotated((s[0] + s[3]) & BITS, 23) + s[0]) & BITS
        shifted = s[1] << 17 & BITS
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= shifted
        s[3] = rotated(s[3], 45)
        return found

    def below(self, bound):
        """Refuse the draws that would make some numbers likelier, as Lemire does."""
        while True:
            product = (self.word() >> 32) * bound
            if product % 2**32 >= 2**32 % bound:
                return product >> 32

    def front(self, pool, first, last, n_drawn):
        for i in range(first, first + n_drawn):
            j = i + self.below(last - i)
            pool[i], pool[j] = pool[j], pool[i]
        return pool[first : first + n_drawn]

    def input(self, pool, n_active, n_moved):
        """Return the active units: the pattern's, less those moved, and as many from outside."""
        self.front(pool, 0, len(pool), n_active)
        gone = set(self.front(pool, 0, n_active, n_moved))
        come = set(self.front(pool, n_active, len(pool), n_moved))
        return set(pool[:n_active]) - gone | come


def matches(
    state, n_units, n_active, n_moved, n_pool, n_synapses, n_segments, failure, n_trials, n_served
):
    words, pool, overlaps = Words(state), list(range(n_units)), []
    for trial in range(n_trials):
        if trial % n_served == 0:
            active = words.input(pool, n_active, n_moved)
        best = 0
        for _ in range(n_segments):
            hits = len(active & set(words.front(pool, 0, n_pool, n_synapses)))
            if failure:
                hits -= sum((words.word() >> 11) / 2**53 < failure for _ in range(hits))
            best = max(best, hits)
        overlaps.append(best)
    return np.bincount(overlaps, minlength=n_synapses + 1)


def unions(state, n_units, n_active, n_synapses, n_patterns, n_trials, n_served):
    words, pool, overlaps, sizes = Words(state), list(range(n_units)), [], []
    for trial in range(n_trials):
        if trial % n_served == 0:
            active = words.input(pool, n_active, 0)
        union = set()
        for _ in range(n_patterns):
            union |= set(words.front(pool, 0, n_units, n_synapses))
        overlaps.append(len(union & active))
        sizes.append(len(union))
    largest = min(n_units, n_patterns * n_synapses)
    return np.bincount(overlaps, minlength=n_active + 1), np.bincount(sizes, minlength=largest + 1)


@pytest.fixture
def state():
    return np.random.default_rng(7).integers(2**64, size=4, dtype=np.uint64)


# ---------------------------------------------------------------------- random numbers


def test_words_are_those_of_the_published_generator():
    published = [41943041, 58720359, 3588806011781223, 3591011842654386, 9228616714210784205]
    words = Words([1, 2, 3, 4])
    assert [words.word() for _ in published] == published


@pytest.mark.parametrize("bound", [1, 7, 1500, 2**31, 3 * 2**29 + 1])
def test_numbers_below_a_bound_are_the_twins(state, bound):
    words, numbers = Words(state), np.empty(60, np.int64)
    numbers_below(state, bound, numbers)
    np.testing.assert_array_equal(numbers, [words.below(bound) for _ in numbers])
    assert words.state == state.tolist()  # as many words were used, refused ones included


def test_refused_draws_leave_no_bias(state):
    bound = 3 * 2**29  # without refusals the multiples of 3 would come half as often again
    numbers = np.empty(3000, np.int64)
    numbers_below(state, bound, numbers)
    assert stats.chisquare(np.bincount(numbers % 3)).pvalue > 1e-4


@pytest.mark.parametrize(("n_units", "n_synapses"), [(30, 6), (1500, 24)])
def test_drawn_segments_are_distinct_and_uniform(state, n_units, n_synapses):
    subsets = np.empty((20_000, n_synapses), np.int32)
    draw_subsets(state, np.arange(n_units, dtype=np.int32), subsets)
    subsets.sort(axis=1)
    assert (np.diff(subsets, axis=1) > 0).all()
    assert subsets.min() >= 0
    assert subsets.max() < n_units
    # Counts of units without replacement vary less than chi-square assumes, by this factor.
    shrink = (n_units - n_synapses) / (n_units - 1)
    units = stats.chisquare(np.bincount(subsets.ravel(), minlength=n_units)).statistic / shrink
    assert 1e-4 < stats.chi2.sf(units, n_units - 1) < 1 - 1e-4
    again = np.intersect1d(*(np.flatnonzero((subsets == unit).any(axis=1)) for unit in (0, 17)))
    both = n_synapses * (n_synapses - 1) / (n_units * (n_units - 1))
    assert stats.binomtest(again.size, len(subsets), both).pvalue > 1e-4


def test_all_subsets_are_equally_likely(state):
    subsets = np.empty((10_000, 3), np.int32)
    draw_subsets(state, np.arange(6, dtype=np.int32), subsets)
    names = (1 << subsets).sum(axis=1)
    _, counts = np.unique(names, return_counts=True)
    assert counts.size == 20
    assert stats.chisquare(counts).pvalue > 1e-4
    _, pairs = np.unique(names[:-1:2] * 64 + names[1::2], return_counts=True)
    assert pairs.size == 400  # a subset says nothing of the next one
    assert stats.chisquare(pairs).pvalue > 1e-4


# ---------------------------------------------------------------------- kernels


@pytest.mark.parametrize(
    ("n_moved", "n_pool", "n_segments", "failure"),
    [(0, 40, 1, 0.0), (0, 40, 3, 0.3), (5, 12, 1, 0.0), (5, 12, 1, 0.4)],
)
def test_matches_are_the_twins(state, n_moved, n_pool, n_segments, failure):
    numbers = (12, n_moved, n_pool, 8, n_segments, failure, 60, 25)
    wanted = matches(state.copy(), 40, *numbers)
    pool, mask, counts = np.arange(40, dtype=np.int32), np.zeros(40, np.uint8), np.zeros(9, int)
    count_matches(state, *numbers, pool, mask, counts)
    np.testing.assert_array_equal(counts, wanted)


def test_unions_are_the_twins(state):
    numbers = (12, 8, 4, 60, 25)
    wanted = unions(state.copy(), 40, *numbers)
    pool, mask = np.arange(40, dtype=np.int32), np.zeros(40, np.uint8)
    counts, sizes = np.zeros(13, int), np.zeros(33, int)
    count_unions(state, *numbers, pool, mask, np.full(40, -1), counts, sizes)
    np.testing.assert_array_equal(counts, wanted[0])
    np.testing.assert_array_equal(sizes, wanted[1])


# ---------------------------------------------------------------------- laws


def assert_within(found, probabilities):
    """Compare each error rate with its probability, 99.9 % of the time in all."""
    confidence = 1 - 0.001 / len(probabilities)
    for threshold, probability in probabilities.items():
        low, high = found.interval(threshold, confidence)
        assert low <= probability <= high, (threshold, found.rate(threshold), probability)


N_TRIALS = 250_000


@pytest.mark.parametrize(("n_units", "n_active"), [(300, 64), (1000, 250), (30, 29)])
def test_false_positives_follow_the_hypergeometric_law(n_units, n_active):
    found = simulate_false_positives(n_units, n_active, 24, n_trials=N_TRIALS, rng=1)
    assert found.n_trials == N_TRIALS
    law = stats.hypergeom(n_units, n_active, 24)
    assert_within(found, {threshold: law.sf(threshold - 1) for threshold in range(1, 25)})


def test_the_best_of_several_segments_counts():
    found = simulate_false_positives(100, 7, 7, n_segments=50, n_trials=20_000, rng=2)
    law = stats.hypergeom(100, 7, 7)
    assert_within(found, {t: -np.expm1(50 * law.logcdf(t - 1)) for t in range(1, 8)})


@pytest.mark.parametrize("n_units", [200, 5000])
def test_misses_do_not_depend_on_the_number_of_units(n_units):
    found = simulate_false_negatives(n_units, 64, 30, 28, n_trials=N_TRIALS, rng=3)
    law = stats.hypergeom(64, 64 - 28, 30)
    assert_within(found, {threshold: law.cdf(threshold - 1) for threshold in range(1, 31)})


def test_synapses_fail_each_by_itself():
    found = simulate_false_negatives(200, 64, 30, 0, failure=0.35, n_trials=N_TRIALS, rng=4)
    law = stats.binom(30, 0.65)
    assert_within(found, {threshold: law.cdf(threshold - 1) for threshold in range(1, 31)})
    none = simulate_false_negatives(200, 64, 30, 0, failure=1.0, n_trials=100, rng=4)
    assert none.counts[0] == 100


def test_overlaps_with_unions_follow_their_exact_law():
    """Each set leaves a hypergeometric number of the input's free units free."""
    n_units, n_active, n_synapses, n_patterns = 200, 20, 15, 4
    free = np.zeros(n_active + 1)
    free[-1] = 1.0
    step = stats.hypergeom.pmf(
        np.arange(n_active + 1)[:, None] - np.arange(n_active + 1),
        n_units, np.arange(n_active + 1)[:, None], n_synapses,
    )  # fmt: skip
    for _ in range(n_patterns):
        free = free @ step
    matched = np.cumsum(free)  # at least n_active - i are covered when at most i are free
    found = simulate_union(n_units, n_active, n_synapses, n_patterns, n_trials=N_TRIALS, rng=5)
    assert_within(found, {t: matched[n_active - t] for t in range(1, n_active + 1)})
    size = n_units * (1 - (1 - n_synapses / n_units) ** n_patterns)
    assert abs(found.mean_size - size) < 3.3 * found.size_error
    assert found.sizes.sum() == N_TRIALS


def test_intervals_are_exact():
    found = ErrorCounts(np.array([90, 7, 2, 1]), "match")
    low, high = found.interval(2, 0.99)
    assert stats.binom.sf(2, 100, low) == pytest.approx(0.005)
    assert stats.binom.cdf(3, 100, high) == pytest.approx(0.005)
    missed = ErrorCounts(found.counts, "miss")
    assert (missed.n_errors(2), missed.rate(1)) == (97, 0.9)
    assert ErrorCounts([5, 0], "match").interval(1)[0] == 0.0
    assert ErrorCounts([5, 0], "miss").interval(1)[1] == 1.0


# ---------------------------------------------------------------------- threads and seeds

CALLS = [
    lambda **options: simulate_false_positives(60, 10, 8, n_trials=4000, **options),
    lambda **options: simulate_false_negatives(60, 10, 8, 4, n_trials=4000, **options),
    lambda **options: simulate_union(60, 10, 8, 3, n_trials=4000, **options),
]


@pytest.mark.parametrize("call", CALLS)
def test_counts_depend_on_the_seed_and_not_on_threads(call, monkeypatch):
    monkeypatch.setattr(simulation, "BLOCK", 300)
    one, two, other = (
        call(rng=seed, n_threads=width)
        for seed, width in ((0, 1), (0, min(2, available_threads())), (1, 1))
    )
    np.testing.assert_array_equal(one.counts, two.counts)
    assert (one.counts != other.counts).any()
    assert one.n_trials == 4000
    rng = np.random.default_rng(0)
    first, second = call(rng=rng), call(rng=rng)
    assert (first.counts != second.counts).any()  # a generator goes on


# ---------------------------------------------------------------------- bad input

GOOD = {
    simulate_false_positives: dict(n_units=50, n_active=10, n_synapses=8, n_trials=10),
    simulate_false_negatives: dict(n_units=50, n_active=10, n_synapses=8, n_moved=2, n_trials=10),
    simulate_union: dict(n_units=50, n_active=10, n_synapses=8, n_patterns=3, n_trials=10),
}
BAD = [
    ({"n_active": 51}, "n_active must be at most n_units, 50; got 51"),
    ({"n_active": 0}, "n_active must be at least 1; got 0"),
    ({"n_trials": 0}, "n_trials must be at least 1; got 0"),
    ({"n_synapses": 51}, "n_synapses must be at most"),
    ({"n_moved": 11}, "n_moved must be at least 0 and at most 10; got 11"),
    ({"n_patterns": 0}, "n_patterns must be at least 1"),
    ({"n_segments": 0}, "n_segments must be at least 1"),
    ({"failure": 1.5}, "failure must lie between 0 and 1; got 1.5"),
    ({"failure": -0.1}, "failure must lie between 0 and 1; got -0.1"),
    ({"failure": np.nan}, "failure must lie between 0 and 1; got nan"),
]


@pytest.mark.parametrize("function", GOOD)
@pytest.mark.parametrize(("change", "message"), BAD)
def test_bad_numbers_are_refused(function, change, message):
    if not change.keys() <= inspect.signature(function).parameters.keys():
        return
    if function is simulate_false_negatives and "n_synapses" in change:
        message = "n_synapses must be at least 1 and at most 10; got 51"
    with pytest.raises(ValueError, match=message):
        function(**GOOD[function] | change)


def test_synapses_cannot_outnumber_the_pattern():
    with pytest.raises(ValueError, match="n_synapses must be at least 1 and at most 10; got 11"):
        simulate_false_negatives(50, 10, 11, 2, n_trials=10)
    with pytest.raises(ValueError, match="n_moved must be at least 0 and at most 2; got 3"):
        simulate_false_negatives(12, 10, 8, 3, n_trials=10)


@pytest.mark.parametrize("value", ["0.1", None, 1j, True])
def test_probabilities_are_numbers(value):
    with pytest.raises(TypeError, match="failure must be a number between 0 and 1; got"):
        simulate_false_positives(50, 10, 8, n_trials=10, failure=value)


def test_thresholds_and_confidences_have_limits():
    found = simulate_false_positives(50, 10, 8, n_trials=10, rng=0)
    with pytest.raises(ValueError, match="threshold must be at least 1 and at most 8; got 9"):
        found.rate(9)
    with pytest.raises(ValueError, match="threshold must be at least 1"):
        found.interval(0)
    with pytest.raises(ValueError, match=r"confidence must lie below 1; got 1\.0"):
        found.interval(1, 1.0)
    with pytest.raises(ValueError, match="event must be one of 'match', 'miss'; got 'hit'"):
        ErrorCounts(found.counts, "hit")
    with pytest.raises(ValueError, match="counts must be one row of integers from 0 up"):
        ErrorCounts(np.array([-1, 2]), "miss")
    with pytest.raises(ValueError, match="read-only"):
        found.counts[0] = 1
