import hashlib
import io
import json
import os
import stat
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import save_file
from strategies import codes

from sparsecode.core import (
    SparseCode,
    atomic_path,
    load_arrays,
    load_code,
    load_json,
    load_metadata,
    save_arrays,
    save_code,
    save_json,
    write_bytes,
)

SUFFIXES = [".safetensors", ".npz"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("io")


@pytest.fixture(params=SUFFIXES)
def path(request, tmp_path):
    return tmp_path / f"file{request.param}"


def same(a, b):
    """Say whether two dicts hold the same arrays: names, dtypes, shapes, bits."""
    return sorted(a) == sorted(b) and all(
        a[k].dtype == b[k].dtype and a[k].shape == b[k].shape and a[k].tobytes() == b[k].tobytes()
        for k in a
    )


# --- what is saved comes back --------------------------------------------------------------------

plain_dtypes = st.sampled_from(["?", "i1", "<i2", "<i4", "<i8", "u1", "<u8", "<f2", "<f4", "<f8"])
array_dicts = st.dictionaries(
    st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=8).filter(
        lambda name: name not in ("sparsecode", "__metadata__")
    ),
    plain_dtypes.flatmap(
        lambda t: hnp.arrays(t, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
    ),
    max_size=4,
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(arrays=array_dicts, metadata=json_values)
def test_arrays_and_metadata_come_back(folder, suffix, arrays, metadata):
    path = folder / f"arrays{suffix}"
    save_arrays(path, arrays, metadata)
    loaded = load_arrays(path)
    assert same(loaded, arrays)
    assert all(array.flags.writeable for array in loaded.values())
    assert load_metadata(path) == metadata


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(code=codes())
def test_codes_come_back(folder, suffix, code):
    path = folder / f"code{suffix}"
    save_code(path, code)
    assert load_code(path) == code


@given(value=json_values)
def test_json_comes_back(folder, value):
    save_json(folder / "value.json", value)
    assert load_json(folder / "value.json") == value


def test_memory_layout_and_byte_order_do_not_matter(path):
    array = np.arange(12.0).reshape(3, 4)
    arrays = {
        "fortran": np.asfortranarray(array),
        "big": array.astype(">f4"),
        "cut": array[::2, 1:],
    }
    save_arrays(path, arrays)
    for name, loaded in load_arrays(path).items():
        np.testing.assert_array_equal(loaded, arrays[name])


def test_any_name_serves(path):
    arrays = {name: np.ones(1) for name in ("file", "allow_pickle", "a/b", "../c", "x.npy", "é")}
    save_arrays(path, arrays)
    assert same(load_arrays(path), arrays)


def test_the_same_content_gives_the_same_bytes(path):
    digests = set()
    for _ in range(2):
        save_arrays(path, {"a": np.arange(3), "b": np.ones((2, 2))}, {"x": 1})
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 1


def test_numpy_values_become_plain_json(tmp_path):
    path = tmp_path / "a.json"
    save_json(path, {"n": np.int64(3), "x": np.float32(0.5), "a": np.eye(2), "nan": np.nan})
    loaded = load_json(path)
    assert np.isnan(loaded.pop("nan"))
    assert loaded == {"n": 3, "x": 0.5, "a": [[1, 0], [0, 1]]}


def test_others_can_read_the_files(tmp_path):
    arrays = {"a": np.arange(3.0), "b": np.array([True, False])}
    save_arrays(tmp_path / "x.npz", arrays)
    with np.load(tmp_path / "x.npz") as loaded:
        assert same({k: loaded[k] for k in arrays}, arrays)


@pytest.mark.parametrize("compressed", [False, True])
def test_files_from_elsewhere_need_a_word(tmp_path, compressed):
    arrays = {"a": np.zeros((1000, 30)), "b": np.asfortranarray(np.arange(6.0).reshape(2, 3))}
    (np.savez_compressed if compressed else np.savez)(tmp_path / "x.npz", **arrays)
    save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, tmp_path / "x.safetensors")
    for suffix in SUFFIXES:
        with pytest.raises(ValueError, match="no checksum, which checksum=False allows"):
            load_arrays(tmp_path / f"x{suffix}")
        assert same(load_arrays(tmp_path / f"x{suffix}", checksum=False), arrays)


# --- whole or not at all -------------------------------------------------------------------------


def test_a_failure_leaves_everything_as_it_was(path):
    save_arrays(path, {"a": np.ones(3)})
    before = path.read_bytes()

    def fail():
        with atomic_path(path) as temporary:
            temporary.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    with pytest.raises(TypeError):
        save_arrays(path, {"a": np.ones(3), "b": np.array([None])})
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_the_disk_has_the_bytes_before_the_name(path, monkeypatch):
    events = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (events.append("fsync"), fsync(fd)))
    monkeypatch.setattr(
        os, "replace", lambda a, b: (events.append((a.parent, a.suffix, b)), replace(a, b))
    )
    save_arrays(path, {"a": np.ones(3)})
    assert events[:2] == ["fsync", (path.parent, path.suffix, path)]
    if os.name == "posix":
        assert events[2:] == ["fsync"]


@pytest.mark.skipif(os.name != "posix", reason="modes and links are those of POSIX")
def test_mode_and_links_are_those_of_an_ordinary_file(path):
    target = path.with_name("target" + path.suffix)
    path.symlink_to(target)
    save_arrays(path, {"a": np.ones(3)})
    assert path.is_symlink()
    (path.parent / "plain").touch()
    wanted = stat.S_IMODE((path.parent / "plain").stat().st_mode)
    assert stat.S_IMODE(target.stat().st_mode) == wanted


def test_bytes_are_written(tmp_path):
    write_bytes(tmp_path / "a", b"one")
    write_bytes(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"two"
    with pytest.raises(FileNotFoundError):
        write_bytes(tmp_path / "none" / "a", b"")


# --- damage is a ValueError ----------------------------------------------------------------------

CODE = SparseCode.from_dense(np.arange(24.0).reshape(4, 2, 3) % 4)


def right_or_refused(path, data):
    """Check that damaged bytes give the code that was saved or a ValueError that names the file."""
    path.write_bytes(data)
    try:
        loaded = load_code(path)
    except ValueError as error:
        message = str(error)
    else:
        assert loaded == CODE
        return
    assert message.startswith(path.name)
    assert len(message) < 400


@pytest.fixture(scope="module")
def saved(folder):
    contents = {}
    for suffix in SUFFIXES:
        save_code(folder / f"intact{suffix}", CODE)
        contents[suffix] = (folder / f"intact{suffix}").read_bytes()
    return contents


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_byte_flipped_and_many_truncations(folder, saved, suffix):
    path, data = folder / f"flipped{suffix}", saved[suffix]
    for i in range(len(data)):
        flipped = bytearray(data)
        flipped[i] ^= 1 << i % 8
        right_or_refused(path, flipped)
    for length in range(0, len(data), 7):
        path.write_bytes(data[:length])
        with pytest.raises(ValueError, match=path.name):
            load_code(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(data=st.data())
def test_any_damage_is_noticed(folder, saved, suffix, data):
    content = bytearray(saved[suffix])
    place = st.integers(0, len(content))
    for _ in range(data.draw(st.integers(1, 4))):
        start, stop = sorted(data.draw(st.tuples(place, place)))
        stop = data.draw(st.sampled_from([start, start + 1, stop]))
        content[start:stop] = data.draw(st.binary(max_size=9))
    right_or_refused(folder / f"fuzzed{suffix}", content)


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(content=st.binary(max_size=200))
def test_rubbish_is_refused(folder, suffix, content):
    path = folder / f"rubbish{suffix}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="must be an intact"):
        load_arrays(path, checksum=False)


@pytest.mark.parametrize("content", [b"", b'{"a": 1', b"\xff\xfe{", b"[" * 100_000, b"{} {}"])
def test_damaged_json_is_refused(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.json must be valid JSON; got"):
        load_json(path)


def npz_of(header, body, claimed=None, version=1, **options):
    """Return an npz with one array of any header, its size in the directory set to `claimed`."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as archive:
        text = repr(header).encode()
        text += b" " * (-(len(text) + 11) % 64) + b"\n"
        start = b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H", len(text))
        archive.writestr("a.npy", start + text + body)
        if claimed is not None:
            archive.infolist()[0].file_size = claimed
    return file.getvalue()


HUGE = {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6)}


def tensors_of(tensors, body):
    header = json.dumps(tensors).encode()
    return struct.pack("<Q", len(header)) + header + body


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".npz", npz_of(HUGE, bytes(80))),
        (".npz", npz_of(HUGE, bytes(80), claimed=8 * 10**12 + 128)),
        (
            ".npz",
            npz_of(HUGE, bytes(80), claimed=8 * 10**12, compression=zipfile.ZIP_DEFLATED),
        ),
        (
            ".npz",
            npz_of(
                {**HUGE, "shape": (20,)},
                bytes(80),
                claimed=128 + 160,
                compression=zipfile.ZIP_DEFLATED,
            ),
        ),
        (".npz", npz_of({**HUGE, "shape": (10,)}, bytes(80), version=9)),
        (".npz", npz_of({**HUGE, "shape": (-1, -10)}, bytes(80))),
        (".npz", npz_of({**HUGE, "shape": (2**64, 0)}, bytes(80))),
        (".npz", npz_of({**HUGE, "descr": "|O", "shape": (10,)}, bytes(80))),
        (
            ".safetensors",
            tensors_of(
                {"a": {"dtype": "F64", "shape": [10**6, 10**6], "data_offsets": [0, 8 * 10**12]}},
                bytes(80),
            ),
        ),
        (
            ".safetensors",
            tensors_of({"a": {"dtype": "F64", "shape": [20], "data_offsets": [0, 80]}}, bytes(80)),
        ),
        (".safetensors", struct.pack("<Q", 2**62) + bytes(80)),
    ],
)
def test_sizes_are_compared_with_the_file_before_memory_is_taken(tmp_path, suffix, content):
    path = tmp_path / f"huge{suffix}"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="must be an intact"):
            load_arrays(path, checksum=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2e6


def test_the_crafted_files_are_sound_apart_from_their_sizes(tmp_path):
    (tmp_path / "a.npz").write_bytes(npz_of({**HUGE, "shape": (10,)}, bytes(80)))
    tensors = {"a": {"dtype": "F64", "shape": [10], "data_offsets": [0, 80]}}
    (tmp_path / "a.safetensors").write_bytes(tensors_of(tensors, bytes(80)))
    for suffix in SUFFIXES:
        assert load_arrays(tmp_path / f"a{suffix}", checksum=False)["a"].tolist() == [0.0] * 10


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_array_stored_twice_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for value in (0.0, 1.0):
            with archive.open("a.npy", "w") as file:
                np.lib.format.write_array(file, np.full(3, value))
    with pytest.raises(ValueError, match="array 'a' is stored twice"):
        load_arrays(tmp_path / "a.npz", checksum=False)


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


def test_pickles_are_neither_written_nor_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("bomb.npz", a=np.array([Bomb()], object))
    with pytest.raises(ValueError, match=r"bomb\.npz must be an intact"):
        load_arrays("bomb.npz", checksum=False)
    assert os.listdir() == ["bomb.npz"]


def test_a_checksum_does_not_make_a_code_of_other_arrays(path):
    save_arrays(path, {"a": np.ones(3)})
    with pytest.raises(ValueError, match="must hold a SparseCode; got other arrays"):
        load_code(path)
    kind = {"kind": "SparseCode", "unit_shape": [4]}
    for indptr, indices in (([0, 1], [4]), ([0, 2], [1]), ([0.0, 1.0], [1])):
        save_arrays(path, {"indptr": indptr, "indices": indices}, kind)
        with pytest.raises(ValueError, match="must be a SparseCode"):
            load_code(path)
    save_arrays(path, {"indptr": [0]}, kind)
    with pytest.raises(ValueError, match="must be a SparseCode"):
        load_code(path)


def test_bad_arguments_are_refused(tmp_path):
    for suffix in ("", ".pkl", ".npy"):
        with pytest.raises(ValueError, match=r"the suffix of path must be one of '\.safetensors'"):
            save_arrays(tmp_path / f"a{suffix}", {})
        with pytest.raises(ValueError, match="the suffix of path"):
            load_arrays(tmp_path / f"a{suffix}")
    for suffix in SUFFIXES:
        path = tmp_path / f"a{suffix}"
        with pytest.raises(FileNotFoundError):
            load_arrays(path)
        for name in ("", "sparsecode", "__metadata__", "a\0b", "\ud800", 3):
            with pytest.raises(ValueError, match="names of arrays must be printable"):
                save_arrays(path, {name: np.ones(1)})
        for array in (np.array([None]), np.array([object()])):
            with pytest.raises(TypeError, match="must hold numbers or bool"):
                save_arrays(path, {"a": array})
        with pytest.raises(TypeError, match="JSON holds numbers"):
            save_arrays(path, {}, metadata={"a": object()})
    with pytest.raises(TypeError, match="must hold numbers or bool"):
        save_arrays(tmp_path / "a.safetensors", {"a": np.ones(1, complex)})
    with pytest.raises(TypeError, match="JSON holds numbers"):
        save_json(tmp_path / "a.json", {1, 2})
    assert os.listdir(tmp_path) == []
