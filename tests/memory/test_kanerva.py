"""Kanerva's memory against its definition and against the theory of its errors."""

import numpy as np
import pytest
from scipy import stats

from memory._count_simd import count_bits
from memory._words import pack_bits, pack_rows, unpack_rows
from memory.kanerva import SparseDistributedMemory
from sparsecode._jit import available_threads
from sparsecode.core import SparseCode


def words(n_samples, n_units, seed=0, density=0.5):
    return (np.random.default_rng(seed).random((n_samples, n_units)) < density).astype(np.uint8)


def addresses_of(memory, n_units):
    return unpack_rows(memory._arrays()["addresses"], n_units).astype(int)


def active(memory, X):
    """Return which locations each word reaches, from the definition."""
    addresses = addresses_of(memory, X.shape[1])
    if memory.radius is not None:
        return (addresses[None] != X[:, None]).sum(axis=2) <= memory.radius
    return X.astype(int) @ addresses.T >= memory.threshold


def counters_of(memory, X, Y):
    return active(memory, X).T.astype(int) @ (2 * Y.astype(int) - 1)


RULES = [{"radius": 30}, {"n_address_units": 20, "threshold": 7}]


def test_words_keep_bits():
    X = words(5, 70).astype(bool)
    packed = pack_bits(X)
    np.testing.assert_array_equal(packed, pack_rows(SparseCode.from_dense(X)))
    np.testing.assert_array_equal(unpack_rows(packed, 70), X)
    assert sum(count_bits(word) for word in packed.ravel()) == X.sum()


@pytest.mark.parametrize("rule", RULES, ids=["radius", "threshold"])
@pytest.mark.parametrize("max_iter", [1, 4])
def test_counters_and_recall_are_as_defined(rule, max_iter):
    X, cues = words(30, 70), words(40, 70, seed=1)
    memory = SparseDistributedMemory(200, **rule, max_iter=max_iter, random_state=0)
    memory.store(X)
    counters = counters_of(memory, X, X)
    np.testing.assert_array_equal(memory._arrays()["counters"], counters)
    state = cues
    for _ in range(max_iter):
        state = (active(memory, state).astype(int) @ counters > 0).astype(np.uint8)
    found = memory.recall(cues)
    np.testing.assert_array_equal(found.code.to_dense(), state)
    distance = (state != cues).mean(axis=1)
    share = (state & cues).sum(axis=1) / np.maximum(state.sum(axis=1), cues.sum(axis=1))
    wanted = np.maximum(1 - 2 * distance, 0) if "radius" in rule else share
    np.testing.assert_allclose(found.familiarity, np.where(state.any(axis=1), wanted, 0.0))
    assert memory.n_weights == 200 * 70
    assert memory.nbytes == 200 * (70 * 2 + 2 * 8 + 8)


def test_addresses_are_uniform():
    memory = SparseDistributedMemory(3000, n_address_units=20, threshold=7, random_state=1)
    memory.store(words(1, 100))
    addresses = addresses_of(memory, 100)
    assert (addresses.sum(axis=1) == 20).all()
    assert stats.chisquare(addresses.sum(axis=0)).pvalue > 1e-4
    memory = SparseDistributedMemory(3000, radius=40, random_state=1)
    memory.store(words(1, 100))
    counts = addresses_of(memory, 100).sum(axis=0)
    assert (np.abs(counts - 1500) < 5 * np.sqrt(750)).all()


def shared_share(distance, n_units, radius):
    """Return the probability that a location is within the radius of two words."""
    errors = np.arange(distance + 1)
    rest = stats.binom.cdf(radius - np.maximum(errors, distance - errors), n_units - distance, 0.5)
    return float(stats.binom.pmf(errors, distance, 0.5) @ rest)


def test_bit_errors_follow_the_theory():
    n_units, n_locations, radius, n_stored = 256, 3000, 112, 400
    X, Y = words(n_stored, n_units), words(n_stored, 2000, seed=1)
    memory = SparseDistributedMemory(n_locations, radius=radius, random_state=3)
    with pytest.warns(UserWarning, match=r"reads about \d+ random words without error; it holds"):
        memory.store(X, Y)  # recalling X itself, similar words would help
    reached = active(memory, X).astype(int)
    own, shared = reached.sum(axis=1), reached @ reached.T
    z = own / np.sqrt((shared**2).sum(axis=1) - own**2)  # other words add random signs
    wanted = stats.norm.cdf(-z).mean()
    errors = (memory.recall(X).code.to_dense() != Y).mean(axis=0)  # of each target
    assert abs(errors.mean() - wanted) < 5 * errors.std() / np.sqrt(errors.size)
    assert wanted > 0.01
    distances = (X[None, :100] != X[100:, None]).sum(axis=2)
    expected = n_locations * np.array([shared_share(d, n_units, radius) for d in range(n_units)])
    assert shared[100:, :100].mean() == pytest.approx(expected[distances].mean(), rel=0.1)
    assert own.mean() == pytest.approx(
        n_locations * stats.binom.cdf(radius, n_units, 0.5), rel=0.05
    )


def test_iteration_corrects_errors():
    X = words(15, 256)
    noisy = X ^ words(15, 256, seed=1, density=0.2)
    errors = []
    for max_iter in (1, 10):
        memory = SparseDistributedMemory(4000, radius=112, max_iter=max_iter, random_state=0)
        memory.store(X)
        errors.append((memory.recall(noisy).code.to_dense() != X).mean())
    assert errors[0] > 0.01
    assert errors[1] < 0.5 * errors[0]


@pytest.mark.filterwarnings("ignore:a memory of")
def test_targets_are_recalled():
    X, Y = words(20, 256), words(20, 33, seed=1)
    memory = SparseDistributedMemory(3000, radius=112, random_state=0)
    assert memory.store(X[:9], Y[:9]) == SparseCode.from_dense(Y[:9].astype(bool))
    memory.store(X[9:], Y[9:])
    found = memory.recall(X)
    np.testing.assert_array_equal(found.code.to_dense(), Y)
    np.testing.assert_array_equal(found.pattern.to_dense(), X)
    sums = active(memory, X).astype(int) @ counters_of(memory, X, Y)
    written = active(memory, X).astype(int) @ active(memory, X).sum(axis=0)
    np.testing.assert_allclose(found.familiarity, np.abs(sums).mean(axis=1) / written)
    assert ((found.familiarity > 0) & (found.familiarity <= 1)).all()
    with pytest.raises(ValueError, match="targets must be given for all patterns, as for those"):
        memory.store(X)
    with pytest.raises(ValueError, match="targets must have 20 rows, one for each pattern; got 3"):
        memory.store(X, Y[:3])
    with pytest.raises(ValueError, match=r"targets must have unit_shape \(33,\)"):
        memory.store(X, X)
    alone = SparseDistributedMemory(100, radius=112, random_state=0)
    alone.store(X)
    with pytest.raises(ValueError, match="targets must be given for no patterns"):
        alone.store(X, Y)


def test_targets_come_back_from_files(tmp_path):
    X, Y = words(5, 70), words(5, 12, seed=1)
    memory = SparseDistributedMemory(300, radius=32)
    memory.store(X, Y)
    memory.save(tmp_path / "memory.npz")
    other = SparseDistributedMemory.load(tmp_path / "memory.npz")
    assert other.recall(X).code == memory.recall(X).code
    assert other.store(X, Y) == memory.store(X, Y)
    np.testing.assert_array_equal(other._arrays()["counters"], memory._arrays()["counters"])


def test_sparse_words_are_recalled_by_winners():
    rng = np.random.default_rng(0)
    X = SparseCode.from_indices([rng.choice(500, 20, replace=False) for _ in range(30)], 500)
    cues = SparseCode.from_indices([row.indices[:15] for row in X], 500)
    memory = SparseDistributedMemory(
        4000, n_address_units=50, threshold=5, n_winners=20, random_state=0
    )
    memory.store(X)
    assert memory.recall(cues).code == X


@pytest.mark.filterwarnings("ignore:a memory of")
def test_counters_stop_at_their_limits():
    X = words(1, 64)
    memory = SparseDistributedMemory(10, radius=64, counter_dtype="int8", random_state=0)
    memory.store(np.repeat(X, 200, axis=0))
    counters = memory._arrays()["counters"]
    np.testing.assert_array_equal(
        counters, np.broadcast_to(127 * (2 * X.astype(int) - 1), (10, 64))
    )
    memory.store(1 - X)
    assert set(np.abs(counters).ravel()) == {126}


@pytest.mark.filterwarnings("ignore:a memory of")
def test_threads_and_batches_make_no_difference():
    X, cues = words(300, 70), words(50, 70, seed=1)
    made = []
    for n_threads in (1, available_threads()):
        memory = SparseDistributedMemory(300, radius=30, random_state=0)
        for part in np.array_split(X, 1 + 2 * (n_threads - 1)):
            memory.store(part, n_threads=n_threads)
        found = memory.recall(cues, n_threads=n_threads)
        made.append((memory._arrays()["counters"], found.code.to_dense(), found.familiarity))
    for one, other in zip(*made):
        np.testing.assert_array_equal(one, other)


def test_cues_that_reach_nothing_recall_nothing():
    memory = SparseDistributedMemory(50, radius=0, random_state=0)
    memory.store(words(3, 64))
    found = memory.recall(words(3, 64))
    assert found.code.nnz == 0
    assert (found.familiarity == 0).all()


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({}, "radius, or n_address_units and threshold, must say"),
        ({"radius": 3, "threshold": 2}, "radius, or n_address_units and threshold, must say"),
        ({"n_address_units": 3}, "radius, or n_address_units and threshold, must say"),
        ({"radius": -1}, "radius must be at least 0; got -1"),
        ({"radius": 3, "counter_dtype": "int64"}, "counter_dtype must be one of 'int8'"),
        ({"radius": 3, "max_iter": 0}, "max_iter must be at least 1"),
    ],
)
def test_bad_parameters_are_refused(parameters, said):
    with pytest.raises(ValueError, match=said):
        SparseDistributedMemory(10, **parameters)


def test_parameters_must_suit_the_patterns():
    with pytest.raises(ValueError, match="radius must be at most 8, the units there are; got 9"):
        SparseDistributedMemory(10, radius=9).store(words(1, 8))
    with pytest.raises(ValueError, match="n_winners must be at most 8, the units"):
        SparseDistributedMemory(10, radius=2, n_winners=9).store(words(1, 8))
