"""Parsers of the published files: bytes in, array out, sizes checked before anything is allocated.

Whatever the bytes are, a parser returns an array or raises one ValueError.
"""

from __future__ import annotations

import gzip
import io
import math
import zipfile
import zlib

import numpy as np
from numpy.lib import format as npy

__all__ = ["MAX_BYTES", "idx_header", "parse_idx", "parse_mat", "parse_npz", "parse_van_hateren"]

#: No file, and no array in one, may be larger than this.
MAX_BYTES = 2**28

#: Shape of every van Hateren image (height, width).
VAN_HATEREN_SHAPE = (1024, 1536)

_IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_IDX_MAX_DIMENSIONS = 4


def idx_header(shape: tuple[int, ...]) -> bytes:
    """Return the header of an IDX file of unsigned bytes of the given shape."""
    return bytes((0, 0, 8, len(shape))) + np.array(shape, dtype=">u4").tobytes()


def parse_idx(content: bytes, *, name: str = "file") -> np.ndarray:
    """Parse an IDX file, gzipped or not.

    Parameters
    ----------
    content : bytes
        The file's content.
    name : str, default="file"
        What messages call the file.

    Returns
    -------
    ndarray
        Of the shape and type that the header states, in the machine's byte order.

    Raises
    ------
    ValueError
        If the content is not an IDX file, or is shorter or longer than its header states.

    References
    ----------
    .. [1] LeCun, Cortes & Burges, "The MNIST database of handwritten digits",
       http://yann.lecun.com/exdb/mnist/, "The IDX file format".
    """
    if content[:2] == b"\x1f\x8b":
        content = _gunzip(content, name)
    magic = content[:4]
    if (
        len(magic) < 4
        or magic[:2] != b"\0\0"
        or magic[2] not in _IDX_TYPES
        or not 1 <= magic[3] <= _IDX_MAX_DIMENSIONS
    ):
        raise ValueError(
            f"{name} must be an IDX file of 1 to {_IDX_MAX_DIMENSIONS} dimensions; it starts with "
            f"the bytes {magic.hex() or '(none)'}. Fetch it again."
        )
    n_dimensions = magic[3]
    start = 4 + 4 * n_dimensions
    if len(content) < start:
        raise ValueError(
            f"{name} must hold its header of {start} bytes; it ends at {len(content)}."
        )
    shape = tuple(np.frombuffer(content, ">u4", n_dimensions, offset=4).tolist())
    dtype = np.dtype(_IDX_TYPES[magic[2]])
    expected = start + math.prod(shape) * dtype.itemsize
    if 0 in shape or len(content) != expected:
        raise ValueError(
            f"{name} must hold data, {expected} bytes for the shape {shape} in its header; "
            f"got {len(content)}. Fetch it again."
        )
    array = np.frombuffer(content, dtype, offset=start).reshape(shape)
    return array.astype(dtype.newbyteorder("="))


def _gunzip(content: bytes, name: str) -> bytes:
    """Decompress at most `MAX_BYTES`."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            plain = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(
            f"{name} must be a whole gzip file; got: {_said(error)}. Fetch it again."
        ) from error
    if len(plain) > MAX_BYTES:
        raise ValueError(f"{name} must decompress to at most {MAX_BYTES} bytes; it holds more.")
    return plain


def parse_van_hateren(content: bytes, *, name: str = "file") -> np.ndarray:
    """Parse an .iml or .imc file: 1024 lines of 1536 big-endian unsigned 16-bit numbers.

    Parameters
    ----------
    content : bytes
        The file's content.
    name : str, default="file"
        What messages call the file.

    Returns
    -------
    ndarray of shape (1024, 1536)
        Float32 intensities.

    Raises
    ------
    ValueError
        If the file has another size.
    """
    expected = 2 * math.prod(VAN_HATEREN_SHAPE)
    if len(content) != expected:
        raise ValueError(
            f"{name} must have {expected} bytes, 1024 x 1536 16-bit numbers; got {len(content)}. "
            "Fetch it again."
        )
    return np.frombuffer(content, ">u2").reshape(VAN_HATEREN_SHAPE).astype(np.float32)


def parse_npz(content: bytes, key: str, *, name: str = "file") -> np.ndarray:
    """Parse one array of a NumPy .npz archive; pickled objects are refused.

    Parameters
    ----------
    content : bytes
        The file's content.
    key : str
        The array's name.
    name : str, default="file"
        What messages call the file.

    Returns
    -------
    ndarray
        The array, of a real type.

    Raises
    ------
    ValueError
        If the archive is damaged, lacks the array or states a size that its content has not.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            info = archive.getinfo(f"{key}.npy")
            if info.file_size > MAX_BYTES:
                raise ValueError(f"it states {info.file_size} bytes, more than {MAX_BYTES}")
            member = io.BytesIO(archive.read(info))
        version = npy.read_magic(member)
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran_order, dtype = read_header(member)
        size = len(member.getbuffer()) - member.tell()
        if dtype.kind not in "fiu" or size != math.prod(shape) * dtype.itemsize:
            raise ValueError(f"its header states {shape} of {dtype}, its content is {size} bytes")
        array = np.frombuffer(member.getbuffer(), dtype, offset=member.tell())
        array = array.reshape(shape, order="F" if fortran_order else "C")
        return array.astype(dtype.newbyteorder("="))
    except Exception as error:  # a damaged archive fails in many ways, all of which mean one thing
        raise ValueError(
            f"{name} must be an .npz archive with a numeric array {key!r}; got: {_said(error)}. "
            "Fetch it again."
        ) from error


def parse_mat(content: bytes, key: str, *, name: str = "file") -> np.ndarray:
    """Parse one array of a MATLAB file. Call it only on content whose checksum was compared.

    :func:`scipy.io.loadmat` is not hardened: a crafted file may crash the process.

    Parameters
    ----------
    content : bytes
        The file's content.
    key : str
        The variable's name.
    name : str, default="file"
        What messages call the file.

    Returns
    -------
    ndarray
        The variable, of a real type.

    Raises
    ------
    ValueError
        If the file cannot be read or lacks the variable, or that is not numeric or too large.
    """
    from scipy.io import loadmat, whosmat

    try:
        listed = {entry[0]: entry[1] for entry in whosmat(io.BytesIO(content))}
        if key not in listed:
            raise ValueError(f"variables {sorted(listed)}")
        if 8 * math.prod(listed[key]) > MAX_BYTES:
            raise ValueError(f"shape {listed[key]}, more than {MAX_BYTES} bytes")
        array = np.asarray(loadmat(io.BytesIO(content), variable_names=[key])[key])
        if array.dtype.kind not in "fiu":
            raise ValueError(f"type {array.dtype}")
        return array
    except Exception as error:  # as above
        raise ValueError(
            f"{name} must be a MATLAB file with a numeric array {key!r}; got: {_said(error)}."
        ) from error


def _said(error: Exception) -> str:
    """Return a message of others on one line."""
    return " ".join(str(error).split())[:300]
