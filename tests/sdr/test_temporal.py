"""The temporal memory: its definition, contexts, anomalies, files, bad input."""

import numpy as np
import pytest
from htm_twins import TemporalTwin

from sdr import _temporal_store
from sdr.temporal import TemporalMemory
from sparsecode.core import SparseCode, save_arrays

SMALL = {"activation_threshold": 3, "min_threshold": 2, "max_new_synapses": 4}
#: Settings at which segments fill up, die, and replace each other.
SETTINGS = [
    {**SMALL, "initial_permanence": 0.41, "n_cells": 5},
    {**SMALL, "initial_permanence": 0.5, "n_cells": 3, "max_segments": 2, "max_synapses": 6,
     "predicted_segment_decrement": 0.06},
    {"activation_threshold": 2, "min_threshold": 1, "max_new_synapses": 2, "max_segments": 1,
     "max_synapses": 3, "decrement": 0.3, "initial_permanence": 0.55, "n_cells": 1,
     "predicted_segment_decrement": 0.2},
]  # fmt: skip


def random_steps(rng, n_columns, n_steps):
    """Give a short sequence again and again, with other steps in between."""
    known = [np.sort(rng.choice(n_columns, rng.integers(0, 6), replace=False)) for _ in range(8)]
    for i in range(n_steps):
        strange = rng.random() < 0.2
        yield np.sort(rng.choice(n_columns, 4, replace=False)) if strange else known[i % 8]


def table(memory):
    """Return cell and synapses of every segment, as the twin does."""
    found = memory.segments()
    return sorted(
        (int(cell), tuple(zip(found.presynaptic[a:b].tolist(), found.permanences[a:b])))
        for cell, a, b in zip(found.cells, found.indptr[:-1], found.indptr[1:])
    )


def letters(words, n_active=20):
    """Return words as sequences of disjoint sets of columns."""
    alphabet = sorted(set("".join(words)))
    rows = [range(n_active * i, n_active * (i + 1)) for i in range(len(alphabet))]
    code = SparseCode.from_indices(rows, n_active * len(alphabet))
    return [code[[alphabet.index(letter) for letter in word]] for word in words]


# The definition


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("settings", SETTINGS)
def test_every_step_is_that_of_the_definition(seed, settings, monkeypatch):
    monkeypatch.setattr(_temporal_store, "ROOM", 2)  # so that everything grows many times
    rng = np.random.default_rng(seed)
    memory = TemporalMemory(12, rng=seed, **settings)
    twin = TemporalTwin(memory)
    for i, columns in enumerate(random_steps(rng, 12, 90)):
        learn = bool(rng.random() < 0.85)
        step = memory.step(columns, learn=learn)
        assert step.anomaly == twin.step(columns.tolist(), learn)
        assert step.active_cells.tolist() == sorted(twin.active)
        assert step.winner_cells.tolist() == twin.winners
        assert step.predictive_cells.tolist() == twin.predictive()
        assert table(memory) == twin.table()
        if i == 60:
            dead = rng.choice(memory.n_columns * memory.n_cells, 5, replace=False)
            memory.kill_cells(dead)
            twin.kill(dead.tolist())
        if rng.random() < 0.03:
            memory.reset()
            twin.reset()
    assert memory.n_segments == len(twin.segments)
    assert memory.n_synapses == sum(len(one.synapses) for one in twin.segments.values())
    assert memory.n_steps == twin.n_steps


def test_a_sequence_at_once_and_step_by_step_is_the_same():
    steps = list(random_steps(np.random.default_rng(3), 12, 80))
    code = SparseCode.from_indices(steps, 12)
    memories = [TemporalMemory(12, rng=1, **SETTINGS[0]) for _ in range(4)]
    anomaly = memories[0].anomaly(code, learn=True)
    trace = memories[1].trace(code.to_dense(), learn=True)
    memories[2].partial_fit(code)
    alone, predicted = [], []
    for columns in steps:
        expected = memories[3].predict().indices if alone else []
        predicted.append(expected)
        alone.append(memories[3].step(columns).anomaly)
    assert all(table(one) == table(memories[0]) for one in memories)
    np.testing.assert_array_equal(trace.anomaly, anomaly)
    np.testing.assert_array_equal(alone, anomaly)
    assert trace.predicted == SparseCode.from_indices(predicted, 12)
    assert trace.active_cells.unit_shape == trace.winner_cells.unit_shape == (12, 5)


def test_the_anomaly_is_the_share_of_unpredicted_columns():
    rng = np.random.default_rng(0)
    memory = TemporalMemory(12, rng=0, **SETTINGS[0])
    for columns in random_steps(rng, 12, 60):
        predicted = memory.predict().indices if memory.n_steps else []
        step = memory.step(columns)
        missed = len(np.setdiff1d(columns, predicted))
        assert step.anomaly == pytest.approx(missed / max(1, len(columns)))


@pytest.mark.parametrize("as_given", [
    lambda row: row, lambda row: np.flatnonzero(row.to_dense()[0]),
    lambda row: row.to_dense()[0], lambda row: row.to_dense(),
])  # fmt: skip
def test_a_step_takes_columns_in_every_form(as_given):
    code = SparseCode.from_indices([[0, 3], [1, 4], [0, 3]], 6)
    memory, other = (TemporalMemory(6, 2, rng=0) for _ in range(2))
    for row in code:
        assert memory.step(as_given(row)).anomaly == other.step(row).anomaly
    assert memory.step([]).active_cells.size == 0


# What it is for


def test_context_needs_several_cells():
    words = letters(("ABCD", "XBCY"))
    last = []
    for n_cells in (1, 8):
        memory = TemporalMemory(
            words[0].n_units, n_cells, predicted_segment_decrement=0.03, rng=0
        )  # so that first guesses are unlearned
        for _ in range(30):
            for word in words:
                memory.reset().partial_fit(word)
        found = []
        for word in words:
            predicted = memory.reset().trace(word).predicted
            assert np.isin(word[3].indices, predicted[3].indices).all()
            found.append(predicted[3].nnz)
        last.append(found)
    assert last == [[40, 40], [20, 20]]  # one cell expects both endings


@pytest.mark.parametrize("n_cells", [1, 8])
def test_the_anomaly_jumps_where_the_signal_breaks(n_cells):
    phase = np.arange(1440) % 24
    signal = np.round(10 * np.sin(2 * np.pi * phase / 24)).astype(int)
    signal[1300:1303] = 15  # a level that it never takes
    rows = [range(10 * level, 10 * level + 15) for level in signal - signal.min()]
    code = SparseCode.from_indices(rows, 280)
    memory = TemporalMemory(280, n_cells, predicted_segment_decrement=0.005, rng=0)
    learned = memory.anomaly(code[:1200], learn=True)
    assert learned[0] == 1.0
    assert learned[-120:].max() == 0.0
    seen = memory.anomaly(code[1200:])
    assert np.flatnonzero(seen).tolist() == [100, 101, 102, 103]  # and the first that is normal
    assert seen[100] > 0.9


def test_reset_forgets_the_context_alone():
    word = letters(("ABCD",))[0]
    memory = TemporalMemory(word.n_units, 4, rng=0)
    for _ in range(5):
        memory.reset().partial_fit(word)
    before = table(memory)
    memory.anomaly(word[:2])
    assert memory.predict().nnz == 20
    assert memory.reset().predict().nnz == memory.predict(cells=True).nnz == 0
    np.testing.assert_array_equal(memory.anomaly(word), [1.0, 0.0, 0.0, 0.0])
    assert table(memory) == before  # nothing was learned


def test_dead_cells_stay_silent_and_others_take_over():
    word = letters(("ABCD",))[0]
    memory = TemporalMemory(word.n_units, 4, rng=0)
    for _ in range(5):
        memory.reset().partial_fit(word)
    dead = np.random.default_rng(0).permutation(4 * word.n_units)[: 2 * word.n_units]
    memory.kill_cells(dead)
    for _ in range(8):
        trace = memory.reset().trace(word, learn=True)
        assert not np.isin(trace.active_cells.indices, dead).any()
        assert not np.isin(memory.segments().cells, dead).any()
    alive = np.setdiff1d(np.arange(4 * word.n_units), dead) // 4
    share = np.isin(word.indices.reshape(4, -1), alive).mean(axis=1)
    np.testing.assert_allclose(1.0 - trace.anomaly[1:], share[1:])


# Files and seeds


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_a_file_goes_on_to_the_same_bits(tmp_path, suffix):
    rng = np.random.default_rng(4)
    steps = SparseCode.from_indices(list(random_steps(rng, 12, 120)), (3, 4))
    memory = TemporalMemory((3, 4), rng=2, **SETTINGS[1]).partial_fit(steps[:60])
    memory.kill_cells([1, 5])
    memory.save(tmp_path / f"memory.{suffix}")
    other = TemporalMemory.load(tmp_path / f"memory.{suffix}")
    assert repr(other) == repr(memory)
    assert other.predict(cells=True) == memory.predict(cells=True)
    np.testing.assert_array_equal(
        other.anomaly(steps[60:], learn=True), memory.anomaly(steps[60:], learn=True)
    )
    assert table(other) == table(memory)
    assert np.array_equal(other._store.state, memory._store.state)


def test_seeds_decide_and_nothing_else():
    steps = SparseCode.from_indices(list(random_steps(np.random.default_rng(5), 12, 60)), 12)
    a, b, c = (
        table(TemporalMemory(12, rng=seed, **SETTINGS[0]).partial_fit(steps)) for seed in (0, 0, 1)
    )
    assert a == b != c


def test_a_foreign_or_damaged_file_is_refused(tmp_path):
    path = tmp_path / "other.npz"
    save_arrays(path, {"a": np.zeros(2)})
    with pytest.raises(ValueError, match=r"other.npz must hold a TemporalMemory"):
        TemporalMemory.load(path)
    TemporalMemory(8, 2, rng=0).save(path)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ValueError, match=r"other.npz must be an intact"):
        TemporalMemory.load(path)


# Bad input


@pytest.mark.parametrize(
    ("sequence", "words"),
    [
        (np.full((2, 6), 0.5), r"0 and 1 only; got 0.5. Binarise it first: with a SpatialPooler"),
        (np.full((2, 6), np.nan), "0 and 1 only; got nan"),
        (np.ones((2, 5)), "6 columns, as the memory; got <SparseCode 2 x 5"),
        (np.ones(6), r"of shape \(n_steps, 6\); got float64 of shape \(6,\)"),
        (np.array([["a"]]), "an array of 0 and 1"),
        (np.zeros((0, 6), bool), "at least one step; got none"),
        (SparseCode.from_dense(np.eye(6)), r"binary SparseCode; got .* Call .binarize"),
    ],
)
def test_bad_sequences_are_refused(sequence, words):
    memory = TemporalMemory(6, 2, rng=0)
    for method in (memory.partial_fit, memory.anomaly, memory.trace):
        with pytest.raises(ValueError, match=words):
            method(sequence)
    assert memory.n_steps == 0


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"activation_threshold": 300}, "activation_threshold must be at most max_synapses, 255"),
        ({"min_threshold": 14}, "min_threshold must be at most activation_threshold, 13; got 14"),
        ({"max_new_synapses": 12}, "must be at least activation_threshold, 13, or no cell"),
        ({"max_new_synapses": 256}, "max_new_synapses must be at most max_synapses"),
        ({"max_synapses": 2**15}, "max_synapses must be at least 1 and at most 32767"),
        ({"n_cells": 0}, "n_cells must be at least 1; got 0"),
        ({"n_cells": 2**25}, "the number of all cells must be at least 1 and at most"),
        ({"connected": 1.5}, "connected must lie above 0 and at most at 1; got 1.5"),
        ({"decrement": -0.1}, "decrement must be finite and above 0; got -0.1"),
        ({"unit_shape": ()}, r"unit_shape must have at least one axis; got \(\)"),
    ],
)
def test_parameters_that_cannot_hold_are_refused(parameters, words):
    with pytest.raises(ValueError, match=words):
        TemporalMemory(**{"unit_shape": 2048, "rng": 0, **parameters})


def test_bad_calls_are_refused():
    memory = TemporalMemory(6, 2, rng=0)
    with pytest.raises(ValueError, match="predict needs at least one step; none was taken"):
        memory.predict()
    with pytest.raises(ValueError, match="indices must lie between 0 and 5"):
        memory.step([6])
    with pytest.raises(ValueError, match="each unit at most once"):
        memory.step([1, 1])
    with pytest.raises(ValueError, match="columns must be one row; got 2"):
        memory.step(SparseCode.from_indices([[0], [1]], 6))
    with pytest.raises(ValueError, match="indices must lie between 0 and 11"):
        memory.kill_cells([12])
    with pytest.raises(TypeError, match="rng must be a numpy Generator"):
        TemporalMemory(6, rng=np.random.RandomState(0))
