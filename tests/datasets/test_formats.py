"""Parsers: what was written comes back, and any other bytes give one ValueError."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from sparsecode.datasets import formats

IDX_CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def idx_bytes(array):
    header = bytes((0, 0, IDX_CODES[array.dtype.str[1:]], array.ndim))
    shape = np.array(array.shape, dtype=">u4").tobytes()
    return header + shape + array.astype(array.dtype.newbyteorder(">")).tobytes()


def npz_bytes(save=np.savez_compressed, **arrays):
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def mat_bytes(**arrays):
    file = io.BytesIO()
    savemat(file, arrays)
    return file.getvalue()


CUBE = np.random.default_rng(0).integers(0, 255, size=(3, 4, 5)).astype(np.uint8)
FLOATS = np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32)


@st.composite
def damaged(draw, content):
    """Cut `content` short, lengthen it, or overwrite some of its bytes."""
    content = bytearray(content)
    for _ in range(draw(st.integers(0, 3))):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    content = content[: draw(st.integers(0, len(content)))] if draw(st.booleans()) else content
    return bytes(content) + draw(st.binary(max_size=4))


@pytest.mark.parametrize("dtype", IDX_CODES)
def test_idx_files_come_back(dtype):
    array = (CUBE.astype(np.int64) - 100).astype(dtype)
    for content in (idx_bytes(array), gzip.compress(idx_bytes(array))):
        parsed = formats.parse_idx(content)
        np.testing.assert_array_equal(parsed, array, strict=True)
        assert parsed.dtype.isnative


def test_the_idx_header_is_that_of_the_format():
    assert formats.idx_header(CUBE.shape) + CUBE.tobytes() == idx_bytes(CUBE)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"starts with the bytes \(none\)"),
        (b"\0\0\7\1", "starts with the bytes 00000701"),
        (b"\0\0\x08\0", "must be an IDX file of 1 to 4 dimensions"),
        (b"\0\0\x08\xff", "must be an IDX file of 1 to 4 dimensions"),
        (b"\0\0\x08\2\0\0\0\1", "must hold its header of 12 bytes; it ends at 8"),
        (idx_bytes(CUBE)[:-1], "76 bytes for the shape .* got 75"),
        (idx_bytes(CUBE) + b"x", "76 bytes for the shape .* got 77"),
        (idx_bytes(np.empty((2, 0), dtype=np.uint8)), "must hold data"),
        (gzip.compress(idx_bytes(CUBE), mtime=0)[:-9], "must be a whole gzip file"),
        (b"\x1f\x8b" + bytes(20), "must be a whole gzip file"),
    ],
)
def test_other_bytes_are_no_idx_file(content, message):
    with pytest.raises(ValueError, match=message) as caught:
        formats.parse_idx(content, name="digits")
    assert str(caught.value).startswith("digits must")


def test_a_header_cannot_make_the_parser_allocate():
    content = b"\0\0\x0e\4" + b"\xff" * 16 + bytes(64)
    tracemalloc.start()
    with pytest.raises(ValueError, match="must hold data"):
        formats.parse_idx(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_decompression_is_bounded(monkeypatch):
    monkeypatch.setattr(formats, "MAX_BYTES", 50)
    with pytest.raises(ValueError, match="decompress to at most 50 bytes"):
        formats.parse_idx(gzip.compress(idx_bytes(CUBE)))
    with pytest.raises(ValueError, match="more than 50"):
        formats.parse_npz(npz_bytes(images=FLOATS), "images")
    with pytest.raises(ValueError, match="more than 50"):
        formats.parse_mat(mat_bytes(IMAGES=FLOATS), "IMAGES")


def test_van_hateren_files_are_big_endian():
    content = np.arange(1024 * 1536, dtype=np.uint32).astype(">u2").tobytes()
    image = formats.parse_van_hateren(content)
    assert (image.shape, image.dtype) == ((1024, 1536), np.dtype("f4"))
    assert image[0, 258] == 258.0
    assert image[1, 0] == 1536.0
    with pytest.raises(ValueError, match=r"must have 3145728 bytes.* got 3145727"):
        formats.parse_van_hateren(content[:-1])


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("array", [CUBE, FLOATS, FLOATS.T, FLOATS.astype(">f8")], ids=str)
def test_npz_arrays_come_back(save, array):
    parsed = formats.parse_npz(npz_bytes(save, other=CUBE, images=array), "images")
    np.testing.assert_array_equal(parsed, array)
    assert parsed.dtype == array.dtype.newbyteorder("=")


def test_pickled_and_missing_arrays_are_refused():
    with pytest.raises(ValueError, match="archive with a numeric array 'images'"):
        formats.parse_npz(npz_bytes(images=np.array([{}, 1])), "images")
    for array in (np.array(["text"]), np.ones(3, dtype=complex), np.ones(3, dtype=[("x", "f4")])):
        with pytest.raises(ValueError, match="its header states"):
            formats.parse_npz(npz_bytes(images=array), "images")
    with pytest.raises(ValueError, match="numeric array 'images'"):
        formats.parse_npz(npz_bytes(other=CUBE), "images")
    with pytest.raises(ValueError, match="numeric array 'images'"):
        formats.parse_npz(b"PK\3\4", "images")


def test_an_npz_header_must_fit_its_content():
    member = io.BytesIO()
    np.save(member, FLOATS)
    assert b"(2, 3, 4)" in member.getvalue()
    lying = io.BytesIO()
    with zipfile.ZipFile(lying, "w") as archive:
        archive.writestr("images.npy", member.getvalue().replace(b"(2, 3, 4)", b"(9, 9, 9)"))
    with pytest.raises(ValueError, match="its header states"):
        formats.parse_npz(lying.getvalue(), "images")


def test_mat_arrays_come_back():
    np.testing.assert_array_equal(formats.parse_mat(mat_bytes(IMAGES=FLOATS), "IMAGES"), FLOATS)
    for content in (mat_bytes(OTHER=FLOATS), mat_bytes(IMAGES="text"), b"not MATLAB" * 30):
        with pytest.raises(ValueError, match="MATLAB file with a numeric array 'IMAGES'"):
            formats.parse_mat(content, "IMAGES")


@settings(max_examples=300, deadline=None)
@given(damaged(idx_bytes(CUBE)))
def test_damaged_idx_files_never_crash(content):
    try:
        array = formats.parse_idx(content)
    except ValueError:
        return
    assert array.nbytes < len(content)


@settings(max_examples=200, deadline=None)
@given(damaged(gzip.compress(idx_bytes(CUBE), mtime=0)))
def test_damaged_gzip_files_never_crash(content):
    try:  # gzip has a checksum: what comes back is right, but for the header's codes
        array = formats.parse_idx(content)
    except ValueError:
        return
    np.testing.assert_array_equal(array, CUBE)


@settings(max_examples=300, deadline=None)
@given(damaged(npz_bytes(np.savez, images=CUBE)), st.sampled_from(["images", "other"]))
def test_damaged_npz_files_never_crash(content, key):
    try:
        array = formats.parse_npz(content, key)
    except ValueError:
        return
    assert array.nbytes < len(content)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=64))
def test_noise_is_no_file(content):
    for parse in (formats.parse_idx, formats.parse_van_hateren):
        try:
            array = parse(content)
        except ValueError:
            continue
        assert 0 < array.nbytes < len(content)
    with pytest.raises(ValueError, match="npz archive"):
        formats.parse_npz(content, "images")
