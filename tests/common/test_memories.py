"""The contract of every associative memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError

import memory
from sparsecode.core import SparseCode, reshape, save_arrays

N_UNITS, N_STORED = 240, 8


class Case(NamedTuple):
    """How to make a memory, and how many units its patterns have active."""

    make: Callable[[], Any]
    n_active: int = 12


CASES = {
    "Willshaw": Case(lambda: memory.Willshaw()),
    "Hierarchy": Case(lambda: memory.Hierarchy([memory.Level(16, 8)], random_state=0)),
    "Hopfield": Case(lambda: memory.Hopfield(), N_UNITS // 2),
    "SparseHopfield": Case(lambda: memory.SparseHopfield()),
    "BCPNN": Case(lambda: memory.BCPNN()),
    "SparseDistributedMemory": Case(
        lambda: memory.SparseDistributedMemory(4000, radius=105, random_state=0), N_UNITS // 2
    ),
    "DenseMemory": Case(lambda: memory.DenseMemory()),
    "NearestPattern": Case(lambda: memory.NearestPattern()),
    "Sparsey": Case(lambda: memory.Sparsey(16, 8, random_state=0)),
}


def draw(n_samples: int, n_active: int, seed: int = 0) -> SparseCode:
    rng = np.random.default_rng(seed)
    rows = [rng.choice(N_UNITS, n_active, replace=False) for _ in range(n_samples)]
    return SparseCode.from_indices(rows, N_UNITS)


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture
def patterns(case: Case) -> SparseCode:
    return draw(N_STORED, case.n_active)


def same(a: Any, b: Any) -> None:
    """Assert that two recalls are the same."""
    assert a.code == b.code
    assert a.pattern == b.pattern
    np.testing.assert_array_equal(a.familiarity, b.familiarity)


def test_no_memory_is_left_out() -> None:
    made = [getattr(memory, name) for name in memory.__all__]
    classes = {one for one in made if isinstance(one, type)}
    wanted = {one.__name__ for one in classes if issubclass(one, memory.AssociativeMemory)}
    assert wanted - {"AssociativeMemory"} == set(CASES)


def test_what_is_stored_is_recalled_and_familiar(case: Case, patterns: SparseCode) -> None:
    one = case.make()
    stored = one.store(patterns)
    assert (one.n_stored, one.unit_shape) == (N_STORED, (N_UNITS,))
    found = one.recall(patterns)
    assert found.code == stored
    assert found.pattern == patterns
    np.testing.assert_allclose(found.familiarity, 1.0)
    assert one.n_weights > 0
    assert one.nbytes > 0


def test_patterns_may_come_in_many_batches(case: Case, patterns: SparseCode) -> None:
    at_once, one_by_one = case.make(), case.make()
    stored = at_once.store(patterns)
    parts = [one_by_one.store(patterns[i : i + 1]) for i in range(N_STORED)]
    assert SparseCode.concatenate(parts) == stored
    one_by_one.store(patterns[:0])
    assert one_by_one.n_stored == N_STORED
    cues = draw(5, case.n_active, seed=1)
    same(at_once.recall(cues), one_by_one.recall(cues))


def test_arrays_are_as_good_as_codes(case: Case, patterns: SparseCode) -> None:
    one, other = case.make(), case.make()
    one.store(patterns)
    other.store(patterns.to_dense().astype(float))
    cues = draw(3, case.n_active, seed=1)
    found = one.recall(cues)
    same(found, other.recall(cues.to_dense()))
    same(found, other.recall(sparse.csr_array(cues.to_dense().astype(np.int8))))


def test_units_keep_their_shape(case: Case, patterns: SparseCode) -> None:
    one = case.make()
    one.store(patterns.to_dense())
    two = case.make()
    sheet = reshape(patterns, (12, 20))
    two.store(sheet)
    assert two.unit_shape == (12, 20)
    assert two.recall(sheet).pattern == sheet
    assert two.recall(patterns.to_dense()).pattern == sheet
    with pytest.raises(ValueError, match=r"cues must have unit_shape \(12, 20\), that of the sto"):
        two.recall(patterns)


def test_recall_changes_nothing(case: Case, patterns: SparseCode) -> None:
    one = case.make()
    one.store(patterns)
    before = {name: array.copy() for name, array in one._arrays().items()}
    cues = draw(4, case.n_active, seed=2)
    same(one.recall(cues), one.recall(cues))
    for name, array in one._arrays().items():
        np.testing.assert_array_equal(array, before[name])
    assert one.n_stored == N_STORED


def test_cues_without_an_active_unit_are_not_familiar(case: Case, patterns: SparseCode) -> None:
    one = case.make()
    one.store(patterns)
    found = one.recall(SparseCode.from_indices([[], patterns[0].indices], N_UNITS))
    assert found.familiarity[0] == 0.0
    assert found.code.n_samples == 2
    assert found.pattern[1] == patterns[0]


def test_no_cues_give_no_answers(case: Case, patterns: SparseCode) -> None:
    one = case.make()
    stored = one.store(patterns)
    found = one.recall(patterns[:0])
    assert found.code.shape == (0, stored.n_units)
    assert found.code.unit_shape == stored.unit_shape
    assert found.pattern.unit_shape == (N_UNITS,)
    assert found.familiarity.shape == (0,)


def test_an_empty_batch_stores_nothing(case: Case, patterns: SparseCode) -> None:
    one = case.make()
    one.store(patterns[:0])
    assert one.n_stored == 0
    with pytest.raises(NotFittedError, match="must hold a pattern before it can recall"):
        one.recall(patterns)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_files_keep_everything(case: Case, patterns: SparseCode, tmp_path, suffix: str) -> None:
    one = case.make()
    one.store(patterns[:5])
    path = tmp_path / f"kept{suffix}"
    one.save(path)
    other = type(one).load(path)
    assert (other.n_stored, other.unit_shape, other.nbytes) == (5, (N_UNITS,), one.nbytes)
    cues = draw(4, case.n_active, seed=3)
    same(one.recall(cues), other.recall(cues))
    assert one.store(patterns[5:]) == other.store(patterns[5:])  # and goes on alike
    same(one.recall(cues), other.recall(cues))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match="kept"):
        type(one).load(path)


def test_files_of_empty_memories(case: Case, tmp_path) -> None:
    one = case.make()
    one.save(tmp_path / "empty.npz")
    other = type(one).load(tmp_path / "empty.npz")
    assert (other.n_stored, other.unit_shape) == (0, None)


def test_files_of_others_are_refused(case: Case, tmp_path) -> None:
    save_arrays(tmp_path / "other.npz", {"a": np.zeros(2)}, {"kind": "Something"})
    with pytest.raises(ValueError, match="got Something"):
        type(case.make()).load(tmp_path / "other.npz")
    save_arrays(tmp_path / "none.npz", {"a": np.zeros(2)})
    with pytest.raises(ValueError, match="got other arrays"):
        type(case.make()).load(tmp_path / "none.npz")


def test_bad_input_changes_nothing(case: Case, patterns: SparseCode) -> None:
    one = case.make()
    one.store(patterns[:4])
    real = np.full((1, N_UNITS), 0.25)
    for bad, error, said in (
        (real, ValueError, "must hold 0 and 1 only; got 0.25. Binarise"),
        (SparseCode.from_dense(real), TypeError, r"must be binary; got float64 values\. Call"),
        (np.zeros((1, 7)), ValueError, r"must have unit_shape \(240,\), that of the stored"),
        (np.full((1, N_UNITS), np.nan), ValueError, "must be finite"),
        (np.zeros(N_UNITS), ValueError, "must have shape"),
        ("cues", TypeError, "must hold real numbers"),
    ):
        with pytest.raises(error, match=f"patterns {said}"):
            one.store(bad)
        with pytest.raises(error, match=f"cues {said}"):
            one.recall(bad)
    assert one.n_stored == 4
    assert one.recall(patterns[:4]).pattern == patterns[:4]


def test_a_new_memory_knows_nothing(case: Case, patterns: SparseCode) -> None:
    one = case.make()
    assert (one.n_stored, one.unit_shape, one.n_weights) == (0, None, 0)
    with pytest.raises(NotFittedError, match="Call store first"):
        one.recall(patterns)
    assert "0 stored" in repr(one)
