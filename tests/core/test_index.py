"""Every backend of the index agrees with brute force, whatever was added and removed."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import codes

from sparsecode._bits_simd import (
    COMPARED,
    COUNTERS,
    WORDS,
    add_columns,
    any_above,
    mask_above,
    spread,
)
from sparsecode._jit import jit
from sparsecode.core import (
    OverlapIndex,
    SparseCode,
    _index_layouts,
    _index_search,
    load_code,
    overlap,
    save_arrays,
    save_code,
)

BACKENDS = ("postings", "packed", "mask")


def random_codes(n_samples, n_units, density, seed=0):
    rng = np.random.default_rng(seed)
    return SparseCode.from_dense(rng.random((n_samples, n_units)) < density)


def filled(codes, backend="auto"):
    made = OverlapIndex(codes.unit_shape, backend=backend)
    made.add(codes)
    return made


def brute_force(shared, ids, *, threshold=None, k=None):
    """Return ids and overlaps of one query, by sorting all of them."""
    order = np.lexsort((ids, -shared))[:k]
    chosen = order if threshold is None else np.flatnonzero(shared >= threshold)
    return ids[chosen].tolist(), shared[chosen].tolist()


def agree(made, stored, ids, queries, **how):
    shared = overlap(queries, stored).astype(np.int64)
    found = made.search(queries, **how)
    assert len(found) == len(queries)
    for mine, row in zip(found, shared):
        assert (mine[0].tolist(), mine[1].tolist()) == brute_force(row, ids, **how)


@settings(max_examples=40)
@given(st.data())
def test_all_backends_agree_with_brute_force(data):
    stored = data.draw(codes(binary=True))
    queries = data.draw(codes(unit_shape=stored.unit_shape, binary=True))
    more = data.draw(codes(unit_shape=stored.unit_shape, binary=True))
    gone = data.draw(st.sets(st.integers(0, len(stored) - 1))) if len(stored) else set()
    threshold, k = data.draw(st.integers(0, 4)), data.draw(st.integers(1, 8))
    for backend in ("auto", *BACKENDS):
        made = filled(stored, backend)
        made.overlaps(queries)  # what is laid out is to be changed
        made.remove(sorted(gone))
        new = made.add(more)
        assert new.tolist() == list(range(len(stored), len(stored) + len(more)))
        ids = np.array([i for i in range(len(stored)) if i not in gone] + new.tolist(), np.int64)
        left = SparseCode.concatenate([stored, more])[ids]
        assert len(made) == len(ids)
        assert made.ids.tolist() == ids.tolist()
        assert made.codes() == left
        np.testing.assert_array_equal(made.overlaps(queries), overlap(queries, left))
        agree(made, left, ids, queries, threshold=threshold)
        agree(made, left, ids, queries, k=k)


@pytest.fixture
def small_blocks(monkeypatch):
    """Cut rows into many blocks, and think every search worth several threads."""
    for module in (_index_search, _index_layouts):
        monkeypatch.setattr(module, "BLOCK", 8192)
    monkeypatch.setattr(_index_search, "WORTH", 0.0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_many_blocks_and_threads(small_blocks, backend):
    stored, queries = random_codes(20_000, 40, 0.3), random_codes(11, 40, 0.3, seed=1)
    made = OverlapIndex(40, backend=backend)
    for part in (stored[:700], stored[700:9000], stored[9000:]):
        made.add(part)
        made.overlaps(queries[:1])
    gone = np.arange(3, 20_000, 7)
    made.remove(gone)
    ids = np.setdiff1d(np.arange(20_000), gone)
    left = stored[ids]
    for how in ({"threshold": 7}, {"k": 25}):
        agree(made, left, ids, queries, **how)
        alone, both = (made.search(queries[:3], n_threads=n, **how) for n in (1, None))
        for one, other in zip(alone, both):
            np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(made.overlaps(queries), overlap(queries, left))


def test_rows_of_many_units_are_counted_in_wider_numbers(small_blocks):
    full = SparseCode.from_dense(np.ones((2, 2**15 + 70), bool))
    for backend in BACKENDS:
        made = filled(full, backend)
        assert made.overlaps(full).dtype == np.int32
        assert made.overlaps(full).tolist() == [[2**15 + 70] * 2] * 2
        assert made.search(full, threshold=2**15).ids.tolist() == [0, 1, 0, 1]
        assert filled(full[:0], backend).overlaps(full).dtype == np.int16


def test_removed_rows_are_moved_out_in_the_end():
    stored = random_codes(100, 30, 0.2)
    made = filled(stored, "packed")
    before = made.bytes_per_code
    made.remove(np.arange(25))
    assert made._store.n_dead == 25
    made.remove([40])
    assert made._store.n_dead == 0
    assert made.ids.tolist() == [*range(25, 40), *range(41, 100)]
    assert made.bytes_per_code == pytest.approx(before, rel=0.2)
    assert made.add(stored[:1]).tolist() == [100]
    assert made.codes([100, 41]) == stored[[0, 41]]
    made.remove(made.ids)
    assert len(made) == 0
    assert np.isnan(made.bytes_per_code)


def test_nothing_stored_and_nothing_asked():
    stored, nobody = random_codes(5, 12, 0.4), SparseCode.from_indices([], 12)
    silent = SparseCode.from_indices([[]], 12)
    for backend in BACKENDS:
        empty, made = OverlapIndex(12, backend=backend), filled(stored, backend)
        assert empty.overlaps(stored).shape == (5, 0)
        assert made.overlaps(nobody).shape == (0, 5)
        for how in ({"threshold": 0}, {"k": 3}):
            assert [ids.size for ids, _ in empty.search(stored, **how)] == [0] * 5
            assert len(made.search(nobody, **how)) == 0
        assert made.search(silent, threshold=1).ids.size == 0
        assert made.search(silent, threshold=0).ids.tolist() == [0, 1, 2, 3, 4]
        assert made.search(silent, k=2).ids.tolist() == [0, 1]
        assert made.search(silent, k=99).overlaps.tolist() == [0] * 5


def test_the_layout_follows_size_and_density():
    query = random_codes(1, 400, 0.1)
    made = filled(random_codes(100, 400, 0.1))
    assert made.layout is None
    made.overlaps(query)
    assert made.layout == "mask"
    made.add(random_codes(3000, 400, 0.1))
    made.overlaps(query)
    assert made.layout == "packed"
    assert made.bytes_per_code > 400 / 8
    sparse = filled(random_codes(9000, 400, 0.006))
    sparse.overlaps(query)
    assert sparse.layout == "postings"
    assert repr(sparse) == "<OverlapIndex 9000 codes of 400 units, auto>"


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_saved_and_loaded(tmp_path, suffix):
    stored, path = random_codes(60, 24, 0.2), tmp_path / f"codes.{suffix}"
    made = filled(SparseCode(stored.indptr, stored.indices, None, (4, 6)), "postings")
    made.remove([5, 59])
    made.save(path)
    again = OverlapIndex.load(path)
    assert (again.unit_shape, again.backend) == ((4, 6), "postings")
    assert again.ids.tolist() == made.ids.tolist()
    assert again.codes() == made.codes()
    assert again.add(made.codes([0])).tolist() == [60]
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=rf"^codes.{suffix} must be an intact .*Write or fetch"):
        OverlapIndex.load(path)
    save_code(path, stored)
    with pytest.raises(ValueError, match=rf"codes.{suffix} must hold an OverlapIndex; got other"):
        OverlapIndex.load(path)
    assert load_code(path) == stored
    for ids in ([1, 1], [0, 9]):
        arrays = {"indptr": stored.indptr[:3], "indices": stored.indices[: stored.indptr[2]]}
        about = {"kind": "OverlapIndex", "unit_shape": 24, "backend": "auto", "next_id": 9}
        save_arrays(path, {**arrays, "ids": ids}, about)
        with pytest.raises(ValueError, match="must be an OverlapIndex; got ValueError"):
            OverlapIndex.load(path)


def test_bad_arguments():
    stored = random_codes(4, 10, 0.5)
    made = filled(stored)
    for method in (made.add, made.overlaps, lambda code: made.search(code, k=1)):
        with pytest.raises(
            ValueError, match=r"unit_shape \(10,\), that of the stored codes; got \(2, 5\)"
        ):
            method(SparseCode(stored.indptr, stored.indices, None, (2, 5)))
        with pytest.raises(TypeError, match=r"must be binary; got float64.*\.binarize\(k=\.\.\.\)"):
            method(SparseCode.from_dense(np.eye(10)))
        with pytest.raises(TypeError, match="must be a SparseCode; got ndarray"):
            method(np.eye(10, dtype=bool))
    for how in ({}, {"threshold": 1, "k": 1}):
        with pytest.raises(ValueError, match="threshold or k must be given, one of them"):
            made.search(stored, **how)
    for how, message in (({"k": 0}, "k must be at least 1"), ({"threshold": -1}, "at least 0")):
        with pytest.raises(ValueError, match=message):
            made.search(stored, **how)
    with pytest.raises(ValueError, match=r"one of 'auto', 'postings', 'packed', 'mask'; got 'csc'"):
        OverlapIndex(10, backend="csc")
    with pytest.raises(ValueError, match="n_threads must be at least 1"):
        made.overlaps(stored, n_threads=0)
    for ids, message in (([7], "those of the 4 stored codes; got 7"), ([1, 1], "one twice")):
        with pytest.raises(ValueError, match=message):
            made.remove(ids)
    with pytest.raises(TypeError, match=re.escape("integers in one dimension; got float64")):
        made.codes([0.5])
    assert len(made) == 4
    made.remove([])
    assert len(made) == 4


@jit
def _count(bits, offset, step, ahead, units, start, stop, n_planes, planes, counts, masks, floor):
    add_columns(bits, offset, step, ahead, units, start, stop, n_planes, planes)
    spread(planes, n_planes, counts, 0)
    for part in range(masks.size):
        masks[part] = mask_above(counts, COMPARED * part, floor)
    return any_above(planes, n_planes, floor)


def test_vectors_of_bits_count_as_numpy_does():
    rng = np.random.default_rng(0)
    n_units, step, offset = 60, 24, 8
    bits = rng.integers(2**64, size=offset + n_units * step, dtype=np.uint64)
    units = rng.permutation(n_units).astype(np.int32)
    for start, stop, n_planes in ((0, 0, 3), (5, 8, 3), (1, 9, 4), (3, 60, 6)):
        columns = [bits[offset + u * step :][:WORDS].view(np.uint8) for u in units[start:stop]]
        wanted = np.zeros(COUNTERS, np.int64)
        for column in columns:
            wanted += np.unpackbits(column, bitorder="little")
        for floor in (0, 3, int(wanted.max()), 99):
            planes, counts = np.empty(WORDS * n_planes, np.uint64), np.empty(COUNTERS, np.int16)
            masks = np.empty(COUNTERS // COMPARED, np.int64)
            place = bits, offset, step, 10**9, units, start, stop, n_planes
            above = _count(*place, planes, counts, masks, floor)
            np.testing.assert_array_equal(counts, wanted)
            assert above == (wanted > floor).any()
            again = [np.empty_like(planes), np.empty_like(counts)]
            add_columns(*place, again[0])
            spread(again[0], n_planes, again[1], 0)
            np.testing.assert_array_equal(again[0], planes)
            np.testing.assert_array_equal(again[1], wanted)
            assert any_above(planes, n_planes, floor) == above
            for part, mask in enumerate(masks):
                assert mask == mask_above(counts, COMPARED * part, floor)
                is_set = np.flatnonzero(wanted[COMPARED * part :][:COMPARED] > floor)
                assert mask == sum(1 << int(i) for i in is_set)
