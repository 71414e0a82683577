"""Stores of activations: what is read is what was written, and damage is named."""

from __future__ import annotations

import json
import os
import pickle
import shutil

import numpy as np
import pytest
import safetensors.numpy
import strategies  # noqa: F401 - the profile of hypothesis
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsecode.bridges import ActivationStore, ActivationWriter
from sparsecode.core import RowReader, SparseCode, load_arrays
from sparsecode.solvers import omp


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(0).normal(3.0, 2.0, (103, 6)).astype(np.float32)


@pytest.fixture(scope="module", autouse=True)
def no_waiting_for_the_disk():
    """Leave out fsync, which these tests would spend most of their time in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: None)
        yield


@pytest.fixture(scope="module")
def original(tmp_path_factory, rows):
    """Write a store of two sites in shards of 10 rows, appended 7 at a time."""
    folder = tmp_path_factory.mktemp("original")
    with ActivationStore.create(folder, n_rows_per_shard=10, metadata={"model": "none"}) as writer:
        for start in range(0, 103, 7):
            block = rows[start : start + 7]
            ids = np.arange(start, start + len(block))
            writer.append("a.0:output", block, sample_ids=ids // 5, position_ids=ids % 5)
            writer.append("b", 2 * block, kind="post")
    return folder


@pytest.fixture
def store(tmp_path, original):
    """Give a copy of that store."""
    return ActivationStore(shutil.copytree(original, tmp_path / "store"))


def test_what_is_read_is_what_was_written(store, rows):
    assert list(store) == ["a.0:output", "b"]
    assert len(store) == 2
    assert store.metadata == {"model": "none"}
    site = store["a.0:output"]
    assert site.shape == (103, 6)
    assert len(site) == 103
    assert site.dtype == np.float32
    assert site.n_rows == (*[10] * 10, 3)
    assert (site.kind, store["b"].kind) == ("output", "post")
    np.testing.assert_array_equal(site[:], rows)
    np.testing.assert_array_equal(store["b"][5:47], 2 * rows[5:47])
    np.testing.assert_array_equal(site.sample_ids, np.arange(103) // 5)
    np.testing.assert_array_equal(site.position_ids, np.arange(103) % 5)
    np.testing.assert_array_equal(store["b"].sample_ids, np.arange(103))
    np.testing.assert_array_equal(np.concatenate(list(site.blocks(17))), rows)
    assert [len(block) for block in site.blocks(50)] == [50, 50, 3]
    store.verify()
    assert "103 x 6" in repr(site)
    assert "2 sites" in repr(store)


bounds = st.none() | st.integers(-110, 110)


@settings(max_examples=40)
@given(start=bounds, stop=bounds, step=st.none() | st.sampled_from([-13, -1, 1, 2, 30]))
def test_slices_are_those_of_an_array(shared, start, stop, step):
    site, rows = shared
    chosen = slice(start, stop, step)
    np.testing.assert_array_equal(site[chosen], rows[chosen])


@settings(max_examples=30)
@given(chosen=st.lists(st.integers(-103, 102), max_size=20))
def test_arrays_of_integers_are_those_of_an_array(shared, chosen):
    site, rows = shared
    chosen = np.array(chosen, dtype=int)
    np.testing.assert_array_equal(site[chosen], rows[chosen])


@pytest.fixture(scope="module")
def shared(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("shared") / "store"
    with ActivationStore.create(folder, n_rows_per_shard=16) as writer:
        writer.append("a", rows)
    return ActivationStore(folder)["a"], rows


def test_a_site_reads_as_an_array_does(shared):
    site, rows = shared
    assert isinstance(site, RowReader)
    assert isinstance(rows, RowReader)
    np.testing.assert_array_equal(site[-1], rows[-1])
    mask = rows[:, 0] > 3
    np.testing.assert_array_equal(site[mask], rows[mask])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(site))[3:5], rows[3:5])
    for bad, error in [
        (103, IndexError),
        (-104, IndexError),
        (np.array([0, 103]), IndexError),
        (np.zeros(5, bool), IndexError),
        ((1, 2), TypeError),
        (np.array([0.5]), TypeError),
    ]:
        with pytest.raises(error, match=r"rows|mask"):
            site[bad]
    with pytest.raises(TypeError, match=r"Read site\[:\]"):
        np.asarray(site)


@settings(max_examples=20)
@given(cuts=st.lists(st.integers(0, 103), max_size=5), n=st.integers(20, 120))
def test_moments_do_not_depend_on_how_rows_arrive(tmp_path_factory, rows, cuts, n):
    folder = tmp_path_factory.mktemp("cuts") / "store"
    with ActivationStore.create(folder, dtype="float64", n_rows_per_shard=n) as writer:
        for part in np.split(rows, sorted(cuts)):
            writer.append("a", part)
    site = ActivationStore(folder)["a"]
    wide = rows.astype(np.float64)
    np.testing.assert_allclose(site.mean, wide.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(site.variance, wide.var(axis=0), rtol=1e-12)
    centred = site.scale * (site[:] - site.mean)
    assert np.mean((centred**2).sum(axis=1)) == pytest.approx(6, rel=1e-12)


def test_moments_far_from_zero(tmp_path):
    far = 1e8 + np.random.default_rng(1).normal(size=(500, 2))
    with ActivationStore.create(tmp_path, dtype="float64", n_rows_per_shard=100) as writer:
        writer.append("a", far)
        writer.append("same", np.ones((4, 3)))
    store = ActivationStore(tmp_path)
    # entries near 1e8 are themselves rounded to 1.5e-8
    np.testing.assert_allclose(store["a"].variance, (far - 1e8).var(axis=0), rtol=1e-7)
    assert store["same"].scale == 1.0


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_every_dtype(tmp_path, rows, dtype):
    with ActivationStore.create(tmp_path, dtype=dtype) as writer:
        writer.append("a", rows)
    store = ActivationStore(tmp_path)
    np.testing.assert_array_equal(store["a"][:], rows.astype(dtype))
    path = tmp_path / "a.safetensors"
    store.export_safetensors(path, "a")
    for arrays in (safetensors.numpy.load_file(path), load_arrays(path, checksum=False)):
        np.testing.assert_array_equal(arrays["activations"], rows.astype(dtype))
        np.testing.assert_array_equal(arrays["sample_ids"], np.arange(103))
        np.testing.assert_array_equal(arrays["mean"], store["a"].mean)
    with pytest.raises(ValueError, match="suffix of path"):
        store.export_safetensors(tmp_path / "a.npz", "a")


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


@pytest.mark.parametrize("n_before", [0, 9, 10, 57])
def test_a_resumed_store_is_the_uninterrupted_one(tmp_path, rows, n_before):
    def create(name, resume=False):
        return ActivationStore.create(tmp_path / name, n_rows_per_shard=10, resume=resume)

    with create("whole") as writer:
        writer.append("a", rows)

    def interrupted():
        with create("cut") as writer:
            writer.append("a", rows[:n_before])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with create("cut", resume=True) as writer:
        done = writer.n_rows("a")
        assert done == n_before // 10 * 10
        assert writer.last_id("a") == ((done - 1, 0) if done else None)
        writer.append("a", rows[done:])
        assert writer.last_id("a") == (102, 0)
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_what_a_killed_writer_leaves_is_cleared(tmp_path, rows):
    writer = ActivationStore.create(tmp_path, n_rows_per_shard=10)
    writer.append("a", rows[:20])
    writer._release()  # as the system does
    (tmp_path / "000-a" / ".00002-abcd.tmp.npy").write_bytes(b"half")
    (tmp_path / "000-a" / "00002.npy").write_bytes(b"not in the manifest")
    with ActivationStore.create(tmp_path, n_rows_per_shard=10, resume=True) as again:
        again.append("a", rows[20:30])
    np.testing.assert_array_equal(ActivationStore(tmp_path)["a"][:], rows[:30])
    assert not list(tmp_path.rglob("*.tmp.npy"))


def test_one_writer_at_a_time(tmp_path, rows):
    with ActivationStore.create(tmp_path) as writer:
        with pytest.raises(ValueError, match="one writer; got a second"):
            ActivationStore.create(tmp_path, resume=True)
        writer.append("a", rows)
    writer.close()
    with pytest.raises(ValueError, match="got a closed one"):
        writer.append("a", rows)
    with pytest.raises(ValueError, match="Pass resume=True"):
        ActivationStore.create(tmp_path)
    with pytest.raises(ValueError, match="dtype must be float32"):
        ActivationStore.create(tmp_path, dtype="float64", resume=True)
    ActivationStore.create(tmp_path, resume=True).close()


def test_sites_of_like_names_stay_apart(tmp_path, rows):
    with ActivationStore.create(tmp_path) as writer:
        for i, name in enumerate(["a.b", "a/b", "../a", "é"]):
            writer.append(name, i + rows)
    store = ActivationStore(tmp_path)
    for i, name in enumerate(store):
        np.testing.assert_array_equal(store[name][:], i + rows)
    assert all(path.parent == tmp_path for path in tmp_path.iterdir())


def test_bad_rows_are_named(tmp_path, rows):
    bad = rows.copy()
    bad[4, 2] = np.nan
    with ActivationStore.create(tmp_path, dtype="float16") as writer:
        with pytest.raises(ValueError, match=r"site 'a' must be finite.*first in row 4"):
            writer.append("a", bad)
        with pytest.raises(ValueError, match=r"'a' must be finite.*overflow float16"):
            writer.append("a", np.full((1, 6), 1e6))
        with pytest.raises(ValueError, match="shape \\(n_rows, n_features\\); got \\(6,\\)"):
            writer.append("a", rows[0])
        with pytest.raises(TypeError, match="real numbers; got <U1"):
            writer.append("a", [["x"]])
        with pytest.raises(ValueError, match="sample_ids must hold one integer a row"):
            writer.append("a", rows, sample_ids=[1])
        with pytest.raises(ValueError, match="kind must be one of"):
            writer.append("a", rows, kind="middle")
        with pytest.raises(ValueError, match="site must be printable"):
            writer.append("", rows)
        writer.append("a", rows)
        with pytest.raises(ValueError, match="must have 6 features, as before; got 5"):
            writer.append("a", rows[:, :5])
        with pytest.raises(ValueError, match="must be 'output', as before; got 'pre'"):
            writer.append("a", rows, kind="pre")
    assert len(ActivationStore(tmp_path)["a"]) == 103


@pytest.mark.parametrize(
    ("options", "message"),
    [({"dtype": "int8"}, "dtype must be one of"), ({"n_rows_per_shard": 0}, "at least 1")],
)
def test_bad_options(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        ActivationWriter(tmp_path, **options)


def test_a_folder_of_something_else(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match="with other files"):
        ActivationStore.create(tmp_path)
    with pytest.raises(ValueError, match="got the file"):
        ActivationStore.create(tmp_path / "file")
    with pytest.raises(ValueError, match="without one"):
        ActivationStore(tmp_path)
    ActivationStore.create(tmp_path / "empty").close()
    with pytest.raises(KeyError, match="one of none"):
        ActivationStore(tmp_path / "empty")["a"]


def test_a_store_cut_short(store):
    shard = store["a.0:output"].folder / "00003.npy"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-24])
    with pytest.raises(ValueError, match=r"00003\.npy must have .* cut short"):
        ActivationStore(store.folder)
    with pytest.raises(ValueError, match=r"00003\.npy must be what the writer left"):
        store["a.0:output"][35]
    shard.unlink()
    with pytest.raises(ValueError, match=r"00003\.npy must have .* no such file"):
        ActivationStore(store.folder)
    shard.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ValueError, match="differs from its checksum"):
        ActivationStore(store.folder).verify()


@pytest.mark.parametrize(
    "change",
    [
        {"format": "else"},
        {"version": 2},
        {"sites": []},
        {"sites": {"a": {}}},
        {"sites": {"a": None}},
    ],
)
def test_a_damaged_manifest(store, change):
    path = store.folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ValueError, match=r"manifest\.json must"):
        ActivationStore(store.folder)


@pytest.mark.parametrize(
    "change",
    [
        {"folder": "../elsewhere"},
        {"folder": ".."},
        {"mean": [0.0]},
        {"dtype": "object"},
        {"n_features": "six"},
        {"shards": [{"n_rows": 1}]},
    ],
)
def test_a_damaged_entry(store, change):
    path = store.folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["sites"]["b"].update(change)
    path.write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match=r"manifest\.json must be what the writer left"):
        ActivationStore(store.folder)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ValueError, match="valid JSON"):
        ActivationStore(store.folder)


def test_a_pickle_in_place_of_a_shard_is_refused(store):
    shard = store["b"].folder / "00000.npy"
    size = shard.stat().st_size
    shard.write_bytes(pickle.dumps({"a": 1}).ljust(size, b"\0"))
    with pytest.raises(ValueError, match=r"00000\.npy must be what the writer left"):
        ActivationStore(store.folder)["b"][0]


def test_a_store_may_move(store, tmp_path, rows):
    shutil.move(store.folder, tmp_path / "moved")
    np.testing.assert_array_equal(ActivationStore(tmp_path / "moved")["b"][7], 2 * rows[7])


def test_a_store_is_encoded_block_by_block(tmp_path):
    """Codes of a store larger than its blocks are those of the whole array."""
    rng = np.random.default_rng(2)
    dictionary = rng.normal(size=(24, 12)).astype(np.float32)
    dictionary /= np.linalg.norm(dictionary, axis=1, keepdims=True)
    with ActivationStore.create(tmp_path, n_rows_per_shard=700) as writer:
        for _ in range(4):
            writer.append("a", rng.normal(size=(500, 12)))
    site = ActivationStore(tmp_path)["a"]
    parts = [omp(block, dictionary, n_nonzero=3).code for block in site.blocks(300)]
    code = SparseCode.concatenate(parts)
    whole = omp(site[:], dictionary, n_nonzero=3).code
    np.testing.assert_array_equal(code.indices, whole.indices)
    np.testing.assert_allclose(code.values, whole.values, rtol=1e-4, atol=1e-5)
    assert (code.n_active == 3).all()
