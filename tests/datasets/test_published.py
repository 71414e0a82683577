"""Loaders of published sets: local copies first, no download unasked, no unknown content."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import os
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pooch
import pytest
import scipy.io
import sklearn.datasets
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsecode.datasets import (
    RENTZEPERIS_NUMBERS,
    formats,
    load_mnist,
    load_olshausen_field,
    load_van_hateren,
    published,
    sources,
    whiten,
)

REAL_DATA = os.environ.get(sources.DATA_VARIABLE)
STACK = np.random.default_rng(0).standard_normal((3, 20, 24)).astype(np.float32)
DIGITS = np.random.default_rng(1).integers(0, 256, size=(5, 28, 28)).astype(np.uint8)
LABELS = np.array([3, 1, 4, 1, 5], dtype=np.uint8)


def sha256(*contents):
    return hashlib.sha256(b"".join(contents)).hexdigest()


def npz_content():
    file = io.BytesIO()
    np.savez_compressed(file, images=STACK)
    return file.getvalue()


def mat_content():
    file = io.BytesIO()
    scipy.io.savemat(file, {"IMAGES": np.moveaxis(STACK, 0, -1).astype(np.float64)})
    return file.getvalue()


def idx_content(array):
    return formats.idx_header(array.shape) + array.tobytes()


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """An empty cache, no data folder in the environment, and no network."""

    def refuse(*args, **kwargs):
        raise AssertionError("a download was tried")

    monkeypatch.delenv(sources.DATA_VARIABLE, raising=False)
    monkeypatch.setattr(sources, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(pooch, "retrieve", refuse)
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def pin(monkeypatch):
    def pin(name, content):
        monkeypatch.setitem(sources.PINNED, name, sha256(content))

    return pin


def test_the_npz_is_believed_by_its_pinned_checksum(folder, pin):
    (folder / "olshausen_field_1996.npz").write_bytes(npz_content())
    found = sha256(npz_content())
    with pytest.raises(ValueError, match=rf"must have the SHA-256 f8b9c10c.* got {found}"):
        load_olshausen_field(data_dir=folder)
    pin("olshausen_field_1996.npz", npz_content())
    images = load_olshausen_field(data_dir=folder)
    np.testing.assert_array_equal(np.stack(list(images)), STACK, strict=True)
    assert images.whitened
    with pytest.raises(ValueError, match="must not be whitened yet"):
        whiten(images)


def test_a_mat_file_is_refused_until_its_checksum_is_passed(folder, monkeypatch):
    (folder / "IMAGES.mat").write_bytes(mat_content())
    with monkeypatch.context() as patch:

        def refuse(*args, **kwargs):
            raise AssertionError("a file was parsed before its checksum was compared")

        patch.setattr(scipy.io, "loadmat", refuse)
        patch.setattr(scipy.io, "whosmat", refuse)
        with pytest.raises(ValueError, match="none is published") as caught:
            load_olshausen_field(data_dir=folder)
        with pytest.raises(ValueError, match="that was passed; got"):
            load_olshausen_field(data_dir=folder, sha256="0" * 64)
        with pytest.raises(ValueError, match="64 hexadecimal digits; got 'beef'"):
            load_olshausen_field(data_dir=folder, sha256="beef")
    found = str(caught.value).split("sha256='")[1].split("'")[0]
    images = load_olshausen_field(data_dir=folder, sha256=found.upper())
    np.testing.assert_array_equal(np.stack(list(images)), STACK, strict=True)
    assert images.whitened


def test_a_passed_checksum_speaks_of_the_mat_file(folder, pin):
    pin("olshausen_field_1996.npz", npz_content())
    (folder / "olshausen_field_1996.npz").write_bytes(npz_content())
    (folder / "IMAGES.mat").write_bytes(mat_content())
    assert len(load_olshausen_field(data_dir=folder)) == 3
    assert len(load_olshausen_field(data_dir=folder, sha256=sha256(mat_content()))) == 3


@settings(max_examples=30, deadline=None)
@given(position=st.integers(0, len(npz_content()) - 1), change=st.integers(1, 255))
def test_a_flipped_byte_is_always_noticed(tmp_path_factory, position, change):
    content = bytearray(npz_content())
    content[position] ^= change
    folder = tmp_path_factory.mktemp("flipped")
    (folder / "olshausen_field_1996.npz").write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sources.PINNED, "olshausen_field_1996.npz", sha256(npz_content()))
        with pytest.raises(ValueError, match="must have the SHA-256"):
            load_olshausen_field(data_dir=folder)


def test_a_damaged_file_with_the_passed_checksum_is_one_error(folder):
    content = npz_content()[:-40]
    (folder / "olshausen_field_1996.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"olshausen_field_1996\.npz must be an \.npz archive"):
        load_olshausen_field(data_dir=folder, sha256=sha256(content))


def test_a_file_over_the_limit_is_not_read(folder, monkeypatch):
    (folder / "olshausen_field_1996.npz").write_bytes(npz_content())
    monkeypatch.setattr(sources, "MAX_BYTES", 100)
    monkeypatch.setattr(Path, "read_bytes", lambda self: pytest.fail("the file was read"))
    with pytest.raises(ValueError, match="must have at most 100 bytes"):
        load_olshausen_field(data_dir=folder)


def test_the_environment_names_the_folder_and_the_argument_overrides_it(
    folder, tmp_path, monkeypatch, pin
):
    pin("olshausen_field_1996.npz", npz_content())
    (folder / "olshausen_field_1996.npz").write_bytes(npz_content())
    monkeypatch.setenv(sources.DATA_VARIABLE, str(folder))
    assert len(load_olshausen_field()) == 3
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(FileNotFoundError, match=r"empty or .*cache; it was not found"):
        load_olshausen_field(data_dir=empty)
    with pytest.raises(FileNotFoundError, match="data_dir must name an existing folder"):
        load_olshausen_field(data_dir=tmp_path / "absent")
    monkeypatch.setenv(sources.DATA_VARIABLE, str(tmp_path / "absent"))
    with pytest.raises(FileNotFoundError, match="SPARSECODE_DATA must name an existing folder"):
        load_olshausen_field()


@pytest.mark.parametrize("load", [load_olshausen_field, load_van_hateren, load_mnist])
def test_nothing_is_downloaded_unasked(load):
    with pytest.raises(FileNotFoundError, match="pass download=True to fetch https://"):
        load()


def write_van_hateren(folder, kind="imc"):
    contents = []
    for number in (61, 94):
        pixels = np.random.default_rng(number).integers(0, 2**16, size=(1024, 1536))
        contents.append(pixels.astype(">u2").tobytes())
        (folder / f"imk{number:05d}.{kind}").write_bytes(contents[-1])
    return contents


def test_van_hateren_images_are_believed_by_their_common_checksum(folder):
    contents = write_van_hateren(folder)
    with pytest.raises(ValueError, match=f"2 files .* must have .*sha256='{sha256(*contents)}'"):
        load_van_hateren([61, 94], data_dir=folder)
    images = load_van_hateren([61, 94], data_dir=folder, sha256=sha256(*contents))
    assert images.names == ("imk00061.imc", "imk00094.imc")
    assert not images.whitened
    expected = np.frombuffer(contents[1], ">u2").reshape(1024, 1536)
    np.testing.assert_array_equal(images["imk00094.imc"], expected)
    with pytest.raises(ValueError, match="that was passed"):
        load_van_hateren([94, 61], data_dir=folder, sha256=sha256(*contents))


def test_both_kinds_of_van_hateren_files_load_and_truncated_ones_do_not(folder):
    (content, _) = write_van_hateren(folder, "iml")
    assert len(load_van_hateren([61], kind="iml", data_dir=folder, sha256=sha256(content))) == 1
    (folder / "imk00061.iml").write_bytes(content[:1000])
    with pytest.raises(ValueError, match=r"imk00061\.iml must have 3145728 bytes.* got 1000"):
        load_van_hateren([61], kind="iml", data_dir=folder, sha256=sha256(content[:1000]))


@pytest.mark.parametrize(
    ("numbers", "kind", "message"),
    [
        ([], "imc", "at least one image"),
        ([5, 5], "imc", "each once"),
        ([0], "imc", "number must be at least 1 and at most 4212; got 0"),
        ([4213], "imc", "at most 4212"),
        ([1], "raw", "kind must be one of 'imc', 'iml'; got 'raw'"),
    ],
)
def test_unknown_van_hateren_images_are_refused(numbers, kind, message):
    with pytest.raises(ValueError, match=message):
        load_van_hateren(numbers, kind=kind)


def test_the_papers_selection_has_137_images():
    assert len(set(RENTZEPERIS_NUMBERS)) == 137
    assert sorted(RENTZEPERIS_NUMBERS) == list(RENTZEPERIS_NUMBERS)


@pytest.mark.parametrize("subset", ["train", "test"])
@pytest.mark.parametrize("zipped", [True, False])
def test_mnist_comes_from_idx_files(folder, pin, subset, zipped):
    prefix = {"train": "train", "test": "t10k"}[subset]
    for kind, array in (("images-idx3", DIGITS), ("labels-idx1", LABELS)):
        content = gzip.compress(idx_content(array)) if zipped else idx_content(array)
        name = f"{prefix}-{kind}-ubyte" + (".gz" if zipped else "")
        (folder / name).write_bytes(content)
        pin(name, content)
    digits = load_mnist(subset, data_dir=folder)
    np.testing.assert_allclose(digits.images, DIGITS / 255.0, rtol=1e-6)
    np.testing.assert_array_equal(digits.labels, LABELS)
    assert (digits.images.dtype, digits.labels.dtype) == (np.float32, np.int64)


def test_mnist_images_and_labels_must_agree(folder):
    contents = idx_content(DIGITS), idx_content(LABELS[:-1])
    (folder / "t10k-images-idx3-ubyte").write_bytes(contents[0])
    (folder / "t10k-labels-idx1-ubyte").write_bytes(contents[1])
    with pytest.raises(ValueError, match="must have the SHA-256 0fa7898d"):
        load_mnist("test", data_dir=folder)
    with pytest.raises(ValueError, match=r"got uint8 \(5, 28, 28\) and uint8 \(4,\)"):
        load_mnist("test", data_dir=folder, sha256=sha256(*contents))


def test_mnist_options_are_checked():
    with pytest.raises(ValueError, match="subset must be one of 'train', 'test'"):
        load_mnist("validation")
    with pytest.raises(ValueError, match="source must be one of 'idx', 'openml'"):
        load_mnist(source="torch")
    with pytest.raises(ValueError, match="download must be True"):
        load_mnist(source="openml")


def test_openml_must_give_the_very_same_digits(monkeypatch):
    pixels = np.zeros((60_005, 784), dtype=np.uint8)
    pixels[60_000:] = DIGITS.reshape(5, -1)
    labels = np.array(["7"] * 60_000 + [str(label) for label in LABELS])
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", lambda *args, **kwargs: (pixels, labels))
    with pytest.raises(ValueError, match="t10k-images-idx3-ubyte must have the SHA-256 0fa7898d"):
        load_mnist("test", source="openml", download=True)
    known = sha256(idx_content(DIGITS), idx_content(LABELS))
    digits = load_mnist("test", source="openml", download=True, sha256=known)
    np.testing.assert_array_equal(digits.labels, LABELS)
    np.testing.assert_allclose(digits.images, DIGITS / 255.0, rtol=1e-6)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server on this machine in the place of the real ones, and its folder."""
    monkeypatch.undo()  # downloads are tried here
    monkeypatch.delenv(sources.DATA_VARIABLE, raising=False)
    monkeypatch.setattr(sources, "cache_folder", lambda: tmp_path / "cache")
    folder = tmp_path / "served"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            """Keep the test's output clean."""

    handler = partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        base = f"http://127.0.0.1:{httpd.server_port}"
        monkeypatch.setattr(published, "_MNIST_URL", base)
        monkeypatch.setattr(published, "_OLSHAUSEN_FIELD_URL", f"{base}/IMAGES.mat")
        monkeypatch.setattr(published, "_VAN_HATEREN_URL", base)
        yield folder
        httpd.shutdown()
        thread.join()


def test_a_pinned_download_is_kept_and_used_again(server, cache, monkeypatch, pin):
    names = []
    for kind, array in (("images-idx3", DIGITS), ("labels-idx1", LABELS)):
        names.append(f"t10k-{kind}-ubyte.gz")
        content = gzip.compress(idx_content(array))
        (server / names[-1]).write_bytes(content)
        pin(names[-1], content)
    assert len(load_mnist("test", download=True)) == 5
    assert sorted(path.name for path in cache.iterdir()) == names
    for name in names:
        (server / name).unlink()
    assert len(load_mnist("test")) == 5


def test_a_download_that_differs_from_its_pin_is_not_kept(server, cache):
    (server / "t10k-images-idx3-ubyte.gz").write_bytes(b"something else")
    with pytest.raises(ValueError, match="does not match the known hash"):
        load_mnist("test", download=True)
    assert not any(cache.iterdir())


def test_an_unpinned_download_is_refused_until_its_checksum_is_passed(server):
    (server / "IMAGES.mat").write_bytes(mat_content())
    with pytest.raises(ValueError, match=f"none is published; got SHA-256 {sha256(mat_content())}"):
        load_olshausen_field(download=True)
    (server / "IMAGES.mat").unlink()
    images = load_olshausen_field(sha256=sha256(mat_content()))
    np.testing.assert_array_equal(np.stack(list(images)), STACK)


@pytest.mark.parametrize(("kind", "place"), [("imc", "imc"), ("iml", "")])
def test_van_hateren_files_are_fetched_one_by_one(server, kind, place):
    (server / place).mkdir(exist_ok=True)
    contents = write_van_hateren(server / place, kind)
    known = sha256(*contents)
    images = load_van_hateren([61, 94], kind=kind, download=True, sha256=known)
    assert images.names == (f"imk00061.{kind}", f"imk00094.{kind}")


@pytest.mark.usefixtures("server")
def test_a_failed_download_says_what_to_do():
    with pytest.raises(OSError, match="must be reachable to download it; got: 404"):
        load_olshausen_field(download=True)


@pytest.mark.skipif(
    REAL_DATA is None
    or not all(
        (Path(REAL_DATA) / name).is_file()
        for name in (
            "olshausen_field_1996.npz",
            "t10k-images-idx3-ubyte.gz",
            "t10k-labels-idx1-ubyte.gz",
        )
    ),
    reason="SPARSECODE_DATA names no folder with the published files",
)
def test_the_published_files_load(monkeypatch):
    monkeypatch.setenv(sources.DATA_VARIABLE, REAL_DATA)
    images = load_olshausen_field()
    assert [image.shape for image in images] == [(512, 512)] * 10
    assert np.mean([image.var() for image in images]) == pytest.approx(0.0791, abs=1e-4)
    digits = load_mnist("test")
    assert digits.images.shape == (10_000, 28, 28)
    assert np.bincount(digits.labels).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
