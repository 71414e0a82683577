"""Files made to exhaust the memory, to reach other files or to run code."""

import gzip
import io
import json
import os
import struct
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest
from loaders import LOADERS

from sdr import SegmentBank, TemporalMemory
from sparsecode.bridges import ActivationStore, LocalEncoder, load_autoencoder, load_model
from sparsecode.core import load_arrays, load_json, load_metadata, save_arrays, save_json
from sparsecode.core.io import map_npy
from sparsecode.datasets import formats, load_images, load_weizmann
from sparsecode.datasets.videos import _read_with_ffmpeg

#: What refusing a file may take, which is made of a few kilobytes.
BOUND = 4e6


def refused(load, *arguments, match=None, bound=BOUND):
    """Check that a file is refused in one sentence, without much memory."""
    tracemalloc.start()
    try:
        with pytest.raises((ValueError, OSError), match=match) as caught:
            load(*arguments)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < bound
    assert "\n" not in str(caught.value)


def npy_of(header, body=b""):
    text = header if isinstance(header, bytes) else repr(header).encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + body


HUGE = {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6)}


@pytest.mark.parametrize(
    "content",
    [
        npy_of(HUGE, bytes(80)),
        npy_of({**HUGE, "shape": (11,)}, bytes(80)),
        npy_of({**HUGE, "shape": (9,)}, bytes(80)),
        npy_of({**HUGE, "shape": (-1, -10)}, bytes(80)),
        npy_of({**HUGE, "shape": (2**70, 0)}),
        npy_of({**HUGE, "shape": (10,), "descr": "|O"}, bytes(80)),
        npy_of(b"{'descr': '<f8', 'fortran_order': False, 'shape': " + b"(" * 500),
        npy_of(b"__import__('os').mkdir('run')"),
        npy_of(b"{,}"),
        b"PK\5\6" + bytes(18),  # an empty zip archive, which numpy.load opens
        b"\x93NUMPY\1\0\xff\xff",
        b"\x93NUMPY\3\0" + struct.pack("<I", 2**31),
        b"\x93NUMPY\2\0" + struct.pack("<I", 2**31),
        b"",
    ],
)
def test_npy_headers_are_not_believed(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.npy").write_bytes(content)
    refused(map_npy, tmp_path / "a.npy", match=r"a\.npy must be an intact \.npy file")
    assert os.listdir() == ["a.npy"]


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (3, 4)])
def test_npy_files_are_mapped(tmp_path, shape):
    wanted = np.asfortranarray(np.arange(np.prod(shape, dtype=int)).reshape(shape))
    np.save(tmp_path / "a.npy", wanted)
    found = map_npy(tmp_path / "a.npy")
    np.testing.assert_array_equal(found, wanted, strict=True)
    if found.size:
        with pytest.raises(ValueError, match="read-only"):
            found[...] = 1


def test_members_that_share_their_bytes_are_refused(tmp_path):
    """The overlapping archive: each array may be 1032 times its bytes, but only once."""
    zeros = io.BytesIO()
    np.save(zeros, np.zeros(20_000))
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", zeros.getvalue())
        (first,) = archive.infolist()
        for i in range(500):
            twin = zipfile.ZipInfo(f"a{i}.npy")
            for name in ("compress_type", "CRC", "compress_size", "file_size", "header_offset"):
                setattr(twin, name, getattr(first, name))
            archive.filelist.append(twin)
            archive.NameToInfo[twin.filename] = twin
    refused(load_arrays, tmp_path / "a.npz", match="overlap")


@pytest.mark.parametrize("name", [b"../../evil", b"/tmp/evil", b"a\0b", b"..\\evil"])
def test_names_in_archives_are_only_names(tmp_path, monkeypatch, name):
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path / "inside")
    with zipfile.ZipFile("a.npz", "w") as archive:
        archive.writestr(name.decode() + ".npy", npy_of({**HUGE, "shape": (10,)}, bytes(80)))
    (loaded,) = load_arrays("a.npz", checksum=False).values()
    assert loaded.shape == (10,)
    assert os.listdir() == ["a.npz"]
    assert os.listdir(tmp_path) == ["inside"]


def test_videos_of_an_archive_stay_in_their_folder(tmp_path):
    """Only published names are written, without their folders, as plain files."""
    seen = []

    def reader(path):
        seen.append(path)
        assert not path.is_symlink()
        yield np.zeros((2, 2), np.uint8)

    with zipfile.ZipFile(tmp_path / "bend.zip", "w") as archive:
        archive.writestr("../../../daria_bend.avi", b"1")
        archive.writestr("/etc/denis_bend.avi", b"1")
        link = zipfile.ZipInfo("eli_bend.avi")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("../evil.avi", b"1")
    assert len(load_weizmann(tmp_path / "bend.zip", reader=reader)) == 3
    assert {path.name for path in seen} == {
        "daria_bend.avi", "denis_bend.avi", "eli_bend.avi"
    }  # fmt: skip
    assert len({path.parent for path in seen}) == 1
    assert os.listdir(tmp_path) == ["bend.zip"]


def test_archives_of_videos_may_not_state_more_than_they_should(tmp_path):
    with zipfile.ZipFile(tmp_path / "bend.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for person in ("daria", "denis"):
            archive.writestr(f"{person}_bend.avi", bytes(1000))
        for member in archive.infolist():
            member.file_size = formats.MAX_BYTES // 2 + 1
    refused(load_weizmann, tmp_path / "bend.zip", match=r"bend\.zip must be a whole zip archive")


def test_a_playlist_that_calls_itself_a_video_opens_nothing(tmp_path):
    (tmp_path / "secret.txt").write_text("P6 1 1 255 abc")
    for text in (
        "#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile '{tmp_path / 'secret.txt'}'\n",
    ):
        (tmp_path / "daria_bend.avi").write_text(text)
        with pytest.raises(ValueError, match=r"^daria_bend\.avi must be a video"):
            load_weizmann(tmp_path)


def test_frames_of_a_video_are_bounded(tmp_path, monkeypatch):
    import subprocess

    from imageio_ffmpeg import get_ffmpeg_exe

    command = [get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", "color=s=512x512:d=2:r=10"]
    subprocess.run([*command, str(tmp_path / "daria_bend.avi")], check=True)
    assert len(list(_read_with_ffmpeg(tmp_path / "daria_bend.avi"))) == 20
    monkeypatch.setattr("sparsecode.datasets.videos.MAX_BYTES", 2**20)
    refused(load_weizmann, tmp_path, match=r"daria_bend\.avi must be a video.*frames of more than")


def test_pictures_that_claim_too_many_pixels_are_refused(tmp_path):
    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    size = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 0, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size)
    content += chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(content)
    refused(load_images, tmp_path, match=r"a\.png must be a picture.*DecompressionBombError")


def test_large_pictures_are_converted_by_stretches(monkeypatch):
    from sparsecode.datasets import images

    pixels = np.random.default_rng(0).integers(0, 256, (23, 17, 3), dtype=np.uint8)
    whole = images.luminance(pixels)
    monkeypatch.setattr(images, "_STRETCH", 40)
    np.testing.assert_allclose(images.luminance(pixels), whole, rtol=1e-6)
    assert images.luminance(pixels[..., 0]).shape == (23, 17)


def test_gzip_bombs_are_cut(monkeypatch):
    monkeypatch.setattr(formats, "MAX_BYTES", 2**20)
    bomb = gzip.compress(bytes(2**24))
    refused(formats.parse_idx, bomb, match="must decompress to at most", bound=2**22)


def test_idx_headers_are_not_believed():
    header = bytes((0, 0, 14, 4)) + np.full(4, 2**32 - 1, ">u4").tobytes()
    refused(formats.parse_idx, header + bytes(80), match="must hold data")


@pytest.mark.parametrize("content", [b"[" * 10**5, b'{"a":' * 10**5, b"[" * 10**5 + b"]" * 10**5])
def test_json_of_any_depth(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    refused(load_json, tmp_path / "a.json", match=r"a\.json must be valid JSON", bound=1e8)


def test_metadata_of_any_depth(tmp_path):
    deep = []
    for _ in range(900):
        deep = [deep]
    save_arrays(tmp_path / "a.npz", {"a": np.ones(2)}, deep)
    assert load_metadata(tmp_path / "a.npz") == deep


def test_nan_in_metadata_comes_back(tmp_path):
    save_arrays(tmp_path / "a.npz", {"a": np.ones(2)}, {"x": [np.nan, np.inf]})
    nan, infinity = load_metadata(tmp_path / "a.npz")["x"]
    assert np.isnan(nan)
    assert infinity == np.inf


@pytest.mark.parametrize("key", ["mean", "squared_deviation"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -1e300])
def test_nan_in_a_manifest_is_refused(tmp_path, key, value):
    path = LOADERS["store manifest"].make(tmp_path)
    manifest = json.loads(path.read_text())
    manifest["sites"]["layer"][key][0] = value
    save_json(path, manifest)
    if key == "mean" and np.isfinite(value):
        assert ActivationStore(path.parent)["layer"].mean[0] == value
    else:
        refused(ActivationStore, path.parent, match=r"^manifest\.json must be")


@pytest.mark.parametrize("folder", ["../000-layer", "/etc", "..", ".", "", "a/b", "link", 3, None])
def test_a_manifest_names_no_other_folder(tmp_path, folder):
    path = LOADERS["store manifest"].make(tmp_path)
    (path.parent / "link").symlink_to(path.parent / "000-layer")
    manifest = json.loads(path.read_text())
    manifest["sites"]["layer"]["folder"] = folder
    save_json(path, manifest)
    refused(ActivationStore, path.parent, match=r"^manifest\.json must be")


@pytest.mark.parametrize("value", [10**12, 2**62, 10**30])
def test_a_manifest_that_promises_rows_is_compared_with_the_files(tmp_path, value):
    path = LOADERS["store manifest"].make(tmp_path)
    manifest = json.loads(path.read_text())
    manifest["sites"]["layer"]["shards"][0]["n_rows"] = value
    save_json(path, manifest)
    refused(ActivationStore, path.parent, match=r"^manifest\.json must be")


@pytest.mark.parametrize(
    ("name", "load", "changes"),
    [
        ("network", load_model, {"config": {"n_features": 10**9, "n_classes": 10**9,
                                            "hidden": [10**6]}}),
        ("sae", load_autoencoder, {"n_latents": 10**9}),
        ("sae", load_autoencoder, {"n_features": 10**12}),
        ("segments", SegmentBank.load, {"n_neurons": 10**9, "n_segments": 10**9}),
        ("temporal", TemporalMemory.load,
         {"parameters": {"unit_shape": [10**6], "n_cells": 1000}}),
    ],
)  # fmt: skip
def test_sizes_in_metadata_are_compared_with_the_arrays(tmp_path, name, load, changes):
    path = LOADERS[name].make(tmp_path)
    arrays, metadata = load_arrays(path), load_metadata(path)
    save_arrays(path, arrays, metadata | changes)
    refused(load, path, match=path.name)


@pytest.mark.parametrize(
    "changes",
    [{"vocab_size": 10**12}, {"num_hidden_layers": 10**9}, {"intermediate_size": 10**12}],
)
def test_sizes_in_a_configuration_are_compared_with_the_tensors(tmp_path, changes):
    path = LOADERS["bert config"].make(tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    refused(LocalEncoder.from_folder, tmp_path, bound=2e8)  # PyTorch imports parts of itself


def test_a_temporal_memory_with_wrong_lists_is_refused(tmp_path):
    """Its kernels follow indices without looking: each is looked at when the file is read."""
    path = LOADERS["temporal"].make(tmp_path)
    arrays, metadata = load_arrays(path), load_metadata(path)
    refusals = []
    for name in ("cells", "segments", "presynaptic", "chunks", "state", "active"):
        flat = arrays[name].reshape(-1)
        for place in range(0, flat.size, max(1, flat.size // 6)):
            for value in (-2, 10**6, flat[place] + 1):
                changed = flat.copy()
                changed[place] = value
                save_arrays(path, {**arrays, name: changed.reshape(arrays[name].shape)}, metadata)
                try:
                    memory = TemporalMemory.load(path)
                except ValueError as error:
                    refusals.append(str(error))
                else:
                    LOADERS["temporal"].use(memory)
    assert all("temporal.npz must be a whole TemporalMemory" in one for one in refusals)
    assert len(refusals) > 30
