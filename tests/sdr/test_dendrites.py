"""Banks of segments against dense arithmetic; what they learn, keep and refuse."""

import numpy as np
import pytest
from scipy import stats

from sdr import _lists
from sdr.dendrites import SegmentBank
from sdr.space import SDRSpace
from sparsecode._jit import available_threads
from sparsecode.core import SparseCode, overlap, save_arrays, save_code


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def bank():
    return SegmentBank.random(50, 8, n_neurons=7, n_segments=3, rng=1)


@pytest.fixture
def patterns():
    return SegmentBank.random(50, 20, n_neurons=30, rng=2).synapses


def dense_overlaps(bank, code):
    """Return all overlaps as one product of matrices, shape (n_samples, n_neurons, n_segments)."""
    synapses = bank.synapses.to_dense().reshape(bank.n_neurons, bank.n_segments, -1)
    return np.einsum("iu,nsu->ins", code.to_dense().astype(int), synapses.astype(int))


# ---------------------------------------------------------------------- detection


@pytest.mark.parametrize("threshold", [1, 4, 6])
@pytest.mark.parametrize("tile", [64, 2**14])
def test_overlaps_are_those_of_dense_arithmetic(bank, patterns, threshold, tile, monkeypatch):
    monkeypatch.setattr(_lists, "TILE", tile)
    monkeypatch.setattr(_lists, "ROWS", 7)
    wanted = dense_overlaps(bank, patterns)
    found = bank.overlaps(patterns, threshold=threshold)
    np.testing.assert_array_equal(found.to_dense(), np.where(wanted >= threshold, wanted, 0))
    detected = bank.detect(patterns, threshold)
    assert (detected.is_binary, detected.unit_shape) == (True, (7, 3))
    np.testing.assert_array_equal(detected.to_dense(), wanted >= threshold)
    neurons = bank.active_neurons(patterns, threshold)
    np.testing.assert_array_equal(neurons.to_dense(), (wanted >= threshold).any(axis=2))


def test_tiles_and_crowded_detections_change_nothing(rng, monkeypatch):
    bank = SegmentBank.random((4, 10), 6, n_neurons=100, n_segments=3, rng=rng)
    code = SparseCode.from_dense(rng.random((20, 4, 10)) < 0.6)
    monkeypatch.setattr(_lists, "TILE", 128)
    found = bank.overlaps(code)  # nearly every segment: room is made several times
    np.testing.assert_array_equal(found.to_dense(), dense_overlaps(bank, SparseCode.from_dense(
        code.to_dense().reshape(20, -1))))  # fmt: skip
    assert found == SparseCode(found.indptr, found.indices, found.values, found.unit_shape)
    both = [bank.overlaps(code, n_threads=n) for n in (1, min(2, available_threads()))]
    assert both[0] == both[1] == found


def test_silent_inputs_and_bare_segments_are_silent(bank, patterns):
    nothing = SparseCode.from_indices([[], []], 50)
    assert bank.detect(nothing, 1).nnz == 0
    assert bank.detect(patterns[:0], 1).shape == (0, 21)
    assert bank.active_neurons(patterns[:0], 1).shape == (0, 7)
    before = bank.synapses
    assert bank.learn(patterns[:0], [], n_synapses=2, rng=0).synapses == before
    assert SegmentBank(50, n_neurons=2).active_neurons(patterns, 3).nnz == 0


def test_synapses_fail_by_chance(bank, patterns):
    sure = bank.overlaps(patterns)
    assert bank.overlaps(patterns, failure=0.0, rng=0) == sure
    assert bank.overlaps(patterns, failure=1.0, rng=0).nnz == 0
    kept = bank.overlaps(patterns, failure=0.3, rng=0)
    assert (kept.to_dense() <= sure.to_dense()).all()
    n_events = int(sure.values.sum())
    assert stats.binomtest(int(kept.values.sum()), n_events, 0.7).pvalue > 1e-3
    assert bank.detect(patterns, 3, failure=0.3, rng=5) == bank.detect(
        patterns, 3, failure=0.3, rng=5
    )


# ---------------------------------------------------------------------- learning


def test_segments_sample_their_patterns(patterns):
    bank = SegmentBank(50, n_neurons=10, n_segments=3)
    assert bank.learn(patterns, np.arange(30), n_synapses=9, rng=3) is bank
    assert (bank.synapses.n_active == 9).all()
    assert (overlap(bank.synapses, patterns, rowwise=True) == 9).all()
    assert (np.diff(bank.synapses.indices.reshape(30, 9), axis=1) > 0).all()
    again = SegmentBank(50, n_neurons=10, n_segments=3)
    again.learn(patterns, np.arange(30), n_synapses=9, rng=3)
    assert again.synapses == bank.synapses
    again.learn(patterns, np.arange(30), n_synapses=20, rng=3)
    assert again.synapses == patterns  # all there is to learn


def test_each_active_cell_is_as_likely_to_be_sampled():
    patterns = SparseCode.from_indices([[1, 4, 9, 16, 25, 36]] * 3000, 40)
    bank = SegmentBank(40, n_segments=3000).learn(patterns, np.arange(3000), n_synapses=2, rng=0)
    pairs = np.unique(bank.synapses.indices.reshape(-1, 2), axis=0, return_counts=True)[1]
    assert pairs.size == 15
    assert stats.chisquare(pairs).pvalue > 1e-4


def test_a_segment_keeps_the_union_of_its_patterns(patterns):
    segments = np.array([4, 4, 4, 0, 20, 0])
    once = SegmentBank(50, n_neurons=7, n_segments=3)
    once.learn(patterns[:6], segments, n_synapses=20, rng=0)
    dense = patterns.to_dense()
    for segment, rows in ((4, [0, 1, 2]), (0, [3, 5]), (20, [4])):
        np.testing.assert_array_equal(once.synapses[segment].to_dense()[0], dense[rows].any(axis=0))
    assert once.synapses.n_active[[1, 2, 3, 5]].sum() == 0
    twice = SegmentBank(50, n_neurons=7, n_segments=3)
    for part in (slice(0, 2), slice(2, 6)):
        twice.learn(patterns[part], segments[part], n_synapses=20, rng=0)
        assert twice.detect(patterns[part], 20).n_active.min() >= 1
    assert twice.synapses == once.synapses  # what detection had prepared was made anew


def test_learnt_patterns_are_recognised_and_missed_as_often_as_the_law_says():
    """Each segment has a pattern of its own, so that the misses are binomial."""
    n_patterns, threshold = 4000, 10
    patterns = SegmentBank.random(500, 40, n_neurons=n_patterns, rng=0).synapses
    bank = SegmentBank(500, n_neurons=n_patterns)
    bank.learn(patterns, np.arange(n_patterns), n_synapses=20, rng=1)
    assert (bank.detect(patterns, 20).to_dense().diagonal()).all()
    noisy = SDRSpace(500, 40).corrupt(patterns, n_moved=18, rng=2)
    own = overlap(noisy, bank.synapses, rowwise=True)
    law = stats.hypergeom(40, 22, 20)
    assert stats.binomtest(int((own < threshold).sum()), n_patterns, law.cdf(9)).pvalue > 1e-3
    failing = bank.detect(noisy[:500], threshold, failure=0.2, rng=3)
    hits = sum(i in row.indices for i, row in enumerate(failing))
    kept = sum(law.pmf(b) * stats.binom(b, 0.8).sf(threshold - 1) for b in range(21))
    assert stats.binomtest(hits, 500, kept).pvalue > 1e-3


# ---------------------------------------------------------------------- files


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_banks_come_back_from_files(bank, patterns, tmp_path, suffix):
    path = tmp_path / f"bank.{suffix}"
    bank.save(path)
    back = SegmentBank.load(path)
    assert back.synapses == bank.synapses
    assert (back.n_neurons, back.n_segments) == (7, 3)
    assert back.detect(patterns, 3) == bank.detect(patterns, 3)


def test_damaged_and_other_files_are_refused(bank, tmp_path):
    path = tmp_path / "bank.npz"
    bank.save(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"bank\.npz must be an intact \.npz file"):
        SegmentBank.load(path)
    save_code(path, bank.synapses)
    with pytest.raises(ValueError, match=r"bank\.npz must hold a SegmentBank; got other arrays"):
        SegmentBank.load(path)
    arrays = {"indptr": bank.synapses.indptr, "indices": bank.synapses.indices}
    about = {"kind": "SegmentBank", "unit_shape": [50], "n_neurons": 6, "n_segments": 3}
    save_arrays(path, arrays, about)
    with pytest.raises(ValueError, match="one row of synapses for each of 18 segments; got 21"):
        SegmentBank.load(path)
    save_arrays(path, arrays, about | {"unit_shape": [5]})
    with pytest.raises(
        ValueError, match=r"must be a SegmentBank; got ValueError \(indices must lie between"
    ):
        SegmentBank.load(path)


def test_memory_is_what_the_docstring_says():
    bank = SegmentBank.random(100, 20, n_neurons=500, n_segments=100, rng=0)
    synapses = 4 * bank.synapses.nnz + 8 * (50_000 + 1)
    assert bank.nbytes == synapses
    bank.detect(bank.synapses[:1], 20)
    assert bank.nbytes == synapses + 2 * bank.synapses.nnz + 4 * 8 * 101
    assert repr(bank) == "<SegmentBank 500 neurons x 100 segments, 1000000 synapses from 100 cells>"


# ---------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda b, p: b.detect(p, 9), "threshold must be at most 8, the most synapses on a seg"),
        (lambda b, p: b.detect(p, 0), "threshold must be at least 1; got 0"),
        (lambda b, p: b.detect(p, 2, failure=1.1), "failure must lie between 0 and 1; got 1.1"),
        (lambda b, p: b.learn(p, np.zeros(30, int), n_synapses=21), "at least n_synapses, 21, act"),
        (lambda b, p: b.learn(p, np.full(30, 21), n_synapses=2), "between 0 and 20; got 21"),
        (lambda b, p: b.learn(p, np.full(30, -1), n_synapses=2), "between 0 and 20; got -1"),
        (lambda b, p: b.learn(p, [1, 2], n_synapses=2), "one integer for each of 30 patterns"),
        (lambda b, p: b.learn(p, np.ones(30), n_synapses=2), "one integer for each of 30 patterns"),
        (lambda b, p: SegmentBank.random(50, 51), "n_synapses must be at least 1 and at most 50"),
        (lambda b, p: SegmentBank(50, n_neurons=0), "n_neurons must be at least 1; got 0"),
    ],
)  # fmt: skip
def test_bad_numbers_are_refused(bank, patterns, call, message):
    with pytest.raises(ValueError, match=message):
        call(bank, patterns)


def test_codes_of_other_cells_are_refused(bank, patterns):
    other = SparseCode.from_indices([[3]], (5, 10))
    with pytest.raises(
        ValueError, match=r"unit_shape \(50,\), that of the bank's cells; got \(5, 10\)"
    ):
        bank.detect(other, 2)
    with pytest.raises(ValueError, match="that of the bank's cells"):
        bank.learn(other, [0], n_synapses=1)
    with pytest.raises(TypeError, match="code must be a SparseCode; got ndarray"):
        bank.detect(patterns.to_dense(), 2)


def test_segments_have_a_largest_size():
    with pytest.raises(ValueError, match="at most 65,535 synapses; got 65536"):
        SegmentBank.random(70_000, 65_536, rng=0)
