"""Safe files: arrays as safetensors or npz, all else as JSON; written whole or not at all.

Nothing is ever pickled. A file appears under its name only when it is complete and on the disk.
Array files carry a SHA-256 of all they hold, and sizes written in a file are compared with its
true size before memory is set aside, so that a damaged file is a ``ValueError``.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import secrets
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import IO, Any, Protocol, runtime_checkable

import numpy as np
import safetensors
import safetensors.numpy

from sparsecode._validation import check_option
from sparsecode.core.code import SparseCode

__all__ = [
    "RowReader",
    "atomic_path",
    "load_arrays",
    "load_code",
    "load_json",
    "load_metadata",
    "map_npy",
    "save_arrays",
    "save_code",
    "save_json",
    "understood",
    "write_bytes",
]

_SUFFIXES = (".safetensors", ".npz")
_KEY = "sparsecode"  # the entry with checksum and metadata
_RESERVED = (_KEY, "__metadata__")
_MAX_RATIO = 1032  # no deflated stream expands further
_MAX_HEADER = 2**16  # bytes of what precedes an array in a file
_CHUNK = 2**22  # bytes read together


@runtime_checkable
class RowReader(Protocol):
    """Rows that are read a block at a time: an array, a memory map, or a file larger than memory.

    Whoever takes one asks for ``reader[start:stop]`` and gets an ndarray of shape
    (stop - start, n_features), so that it never needs the whole. NumPy arrays and memory maps
    are readers as they are.

    Attributes
    ----------
    shape : tuple of int
        The pair (n_samples, n_features).
    dtype : numpy.dtype
        Type of the entries.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """The pair (n_samples, n_features)."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the entries."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Any: ...


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path to write to, which replaces `path` once the block has succeeded.

    The temporary file lies in the same folder and has the same suffix. Its content reaches the
    disk before it is renamed; after an error `path` is as it was and the temporary file is gone.

    Parameters
    ----------
    path : path-like
        File to write, in a folder that exists. A symbolic link stays, its target is replaced.

    Yields
    ------
    pathlib.Path

    Examples
    --------
    ::

        with atomic_path("figure.png") as temporary:
            figure.savefig(temporary)
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.stem}-{secrets.token_hex(4)}.tmp{target.suffix}")
    temporary.touch(exist_ok=False)
    mode = temporary.stat().st_mode  # what the umask allows, whoever writes the file
    try:
        yield temporary
        temporary.chmod(mode)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    if hasattr(os, "O_DIRECTORY"):  # POSIX: the new name must reach the disk too
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file atomically.

    Parameters
    ----------
    path : path-like
        File to write or replace.
    data : bytes
        Its content.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def save_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write JSON atomically; NumPy numbers and arrays become numbers and lists.

    Parameters
    ----------
    path : path-like
        File to write or replace.
    value : object
        Nested dict, list, str, bool, None and numbers. NaN and infinities are written as
        ``NaN`` and ``Infinity``, as Python reads them.

    Raises
    ------
    TypeError, ValueError
        If `value` holds anything else, or itself.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, default=_plain)
    write_bytes(path, text.encode() + b"\n")


def load_json(path: str | os.PathLike[str]) -> Any:
    """Read a JSON file.

    Parameters
    ----------
    path : path-like
        File to read.

    Returns
    -------
    object

    Raises
    ------
    ValueError
        If the file is not JSON, for instance because it was cut short.
    OSError
        If it cannot be opened.
    """
    data = Path(path).read_bytes()
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "be valid JSON", error) from error


def save_arrays(
    path: str | os.PathLike[str], arrays: Mapping[str, Any], metadata: Any = None
) -> None:
    """Write named arrays and metadata to one file, atomically and with a checksum.

    Parameters
    ----------
    path : path-like
        File to write or replace; its suffix, ``.safetensors`` or ``.npz``, chooses the format.
    arrays : mapping of str to array-like
        Arrays of numbers or bool; npz takes strings too, safetensors no complex128.
    metadata : object, optional
        Anything :func:`save_json` takes; read back by :func:`load_metadata`.

    Raises
    ------
    ValueError, TypeError
        If the suffix, a name or a dtype does not fit, for instance dtype object.
    OSError
        If the file cannot be written, as on a full disk; one that was there stays as it was.
    """
    suffix = _suffix(path)
    plain = {name: _storable(name, array, suffix) for name, array in arrays.items()}
    text = json.dumps(metadata, default=_plain)
    header = json.dumps({"metadata": text, "sha256": _digest(plain, text)})
    with atomic_path(path) as temporary:
        if suffix == ".npz":
            note = np.frombuffer(header.encode(), np.uint8)
            _write_npz(temporary, {_KEY: note, **plain})
        else:
            try:
                safetensors.numpy.save_file(plain, temporary, {_KEY: header})
            except safetensors.SafetensorError as error:  # also for a full disk
                raise OSError(f"{Path(path).name} could not be written: {error}") from error


def load_arrays(path: str | os.PathLike[str], *, checksum: bool = True) -> dict[str, np.ndarray]:
    """Read every array of a file.

    Parameters
    ----------
    path : path-like
        A ``.safetensors`` or ``.npz`` file.
    checksum : bool, default=True
        Whether to insist on the checksum of :func:`save_arrays`. Pass ``False`` for files from
        elsewhere; sizes are checked all the same.

    Returns
    -------
    dict of str to ndarray

    Raises
    ------
    ValueError
        If the file is damaged, was cut short, has another format, or lacks the checksum.
    OSError
        If it cannot be opened.
    """
    return _load(path, checksum)[0]


def load_metadata(path: str | os.PathLike[str], *, checksum: bool = True) -> Any:
    """Read the metadata that :func:`save_arrays` was given, after checking the whole file.

    Parameters
    ----------
    path : path-like
        A ``.safetensors`` or ``.npz`` file.
    checksum : bool, default=True
        Whether to insist on the checksum of :func:`save_arrays`. With ``False`` a file from
        elsewhere has the metadata None.

    Returns
    -------
    object

    Raises
    ------
    ValueError
        If the file is damaged, was cut short, has another format, or lacks the checksum.
    OSError
        If it cannot be opened.
    """
    return _load(path, checksum)[1]


def map_npy(path: str | os.PathLike[str]) -> np.ndarray:
    """Map the array of an ``.npy`` file; it is read where it is looked at.

    Parameters
    ----------
    path : path-like
        A file that ``numpy.save`` wrote.

    Returns
    -------
    ndarray
        Read-only.

    Raises
    ------
    ValueError
        If the file is damaged, was cut short, is longer than its header says, or holds objects.
    OSError
        If it cannot be opened.
    """
    with open(path, "rb") as file:
        try:
            shape, fortran, dtype = _read_npy_header(file, os.path.getsize(path))
            order: Any = "F" if fortran else "C"
            if 0 in shape:  # nothing can be mapped
                return np.empty(shape, dtype, order)
            return np.memmap(file, dtype, "r", file.tell(), shape, order)
        except Exception as error:  # NumPy's parser raises much on damaged bytes
            raise _damaged(path, "be an intact .npy file of numbers", error) from error


def save_code(path: str | os.PathLike[str], code: SparseCode) -> None:
    """Write a code to a ``.safetensors`` or ``.npz`` file, atomically and with a checksum.

    Parameters
    ----------
    path : path-like
        File to write or replace.
    code : SparseCode
        Real or binary.

    Raises
    ------
    ValueError
        If the suffix is neither.
    """
    arrays = {"indptr": code.indptr, "indices": code.indices}
    if code.values is not None:
        arrays["values"] = code.values
    save_arrays(path, arrays, {"kind": "SparseCode", "unit_shape": code.unit_shape})


def load_code(path: str | os.PathLike[str]) -> SparseCode:
    """Read a code that :func:`save_code` wrote.

    Parameters
    ----------
    path : path-like
        A ``.safetensors`` or ``.npz`` file.

    Returns
    -------
    SparseCode

    Raises
    ------
    ValueError
        If the file is damaged, was cut short, or holds something else.
    OSError
        If it cannot be opened.
    """
    arrays, metadata = _load(path, checksum=True)
    if not isinstance(metadata, dict) or metadata.get("kind") != "SparseCode":
        raise ValueError(
            f"{Path(path).name} must hold a SparseCode; got other arrays. Use load_arrays."
        )
    try:
        return SparseCode(
            arrays["indptr"], arrays["indices"], arrays.get("values"), metadata["unit_shape"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, "be a SparseCode", error) from error


def _load(path: str | os.PathLike[str], checksum: bool) -> tuple[dict[str, np.ndarray], Any]:
    """Return arrays and metadata, after comparing them with the checksum."""
    read = _read_npz if _suffix(path) == ".npz" else _read_safetensors
    with open(path, "rb"):  # a missing file is an OSError, anything later is damage
        pass
    try:
        arrays, header = read(path)
        if header is None and not checksum:
            return arrays, None
        if header is None:
            raise ValueError("no checksum, which checksum=False allows in files from elsewhere")
        note = json.loads(header)
        if note["sha256"] != _digest(arrays, note["metadata"]):
            raise ValueError("its content does not agree with its checksum")
        return arrays, json.loads(note["metadata"])
    except Exception as error:  # whatever a parser raises on damaged bytes
        raise _damaged(path, f"be an intact {_suffix(path)} file of arrays", error) from error


def _read_safetensors(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], str | None]:
    # The library compares header and offsets with the length of the file when it opens it.
    with safetensors.safe_open(path, framework="numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return arrays, (file.metadata() or {}).get(_KEY)


def _write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write as ``np.savez`` does, but with any array name (its own arguments take some)."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def _read_npz(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], bytes | None]:
    arrays: dict[str, np.ndarray] = {}
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if sum(member.compress_size for member in members) > os.path.getsize(path):
            raise ValueError("its arrays overlap")  # else a small file might fill the memory
        for member in members:
            name = member.filename.removesuffix(".npy")
            if name in arrays:
                raise ValueError(f"array {name!r} is stored twice")
            try:
                arrays[name] = _read_member(archive, member, os.path.getsize(path))
            except ValueError as error:
                raise ValueError(f"array {name!r}, {error}") from error
    note = arrays.pop(_KEY, None)
    return arrays, None if note is None else note.tobytes()


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, true_size: int) -> np.ndarray:
    """Read one array, once all sizes have been found to agree."""
    expansion = 1 if member.compress_type == zipfile.ZIP_STORED else _MAX_RATIO
    if member.compress_size > true_size or member.file_size > expansion * member.compress_size:
        raise ValueError(f"{member.file_size} bytes claimed in a file of {true_size}")
    with archive.open(member) as file:
        shape, fortran, dtype = _read_npy_header(file, member.file_size)
        n_bytes = member.file_size - file.tell()
        data, filled = bytearray(n_bytes), 0
        while part := file.read(_CHUNK):  # the archive checks its CRC at the end
            data[filled : filled + len(part)] = part
            filled += len(part)
    if filled != n_bytes:
        raise ValueError(f"{filled} bytes of {n_bytes} are there")
    flat = np.frombuffer(data, dtype, prod(shape))
    return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)


def _read_npy_header(file: IO[bytes], size: int) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, whether in Fortran's order, and dtype, which must fill a file of that size."""
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"version {version} of the format is unknown")
    prefix = file.read(2 * version[0])
    length = int.from_bytes(prefix, "little")
    if length > min(size, _MAX_HEADER):  # NumPy would set aside what it says
        raise ValueError(f"a header of {length} bytes claimed in a file of {size}")
    read_header = getattr(np.lib.format, f"read_array_header_{version[0]}_0")
    shape, fortran, dtype = read_header(io.BytesIO(prefix + file.read(length)))
    n_bytes = size - file.tell()
    if dtype.hasobject or min(shape, default=0) < 0 or prod(shape) * dtype.itemsize != n_bytes:
        raise ValueError(f"{n_bytes} bytes do not hold {dtype} of shape {shape}")
    return shape, fortran, dtype


def _digest(arrays: Mapping[str, np.ndarray], metadata: str) -> str:
    """Return the SHA-256 of names, dtypes, shapes, entries and metadata."""
    digest = hashlib.sha256(metadata.encode())
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        digest.update(json.dumps([name, array.dtype.str, array.shape]).encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _storable(name: str, array: Any, suffix: str) -> np.ndarray:
    """Return a C-contiguous, little-endian array that the format can hold."""
    if not isinstance(name, str) or not name.isprintable() or name in ("", *_RESERVED):
        raise ValueError(
            f"names of arrays must be printable text other than {_RESERVED}; got {name!r}."
        )
    array = np.asarray(array, order="C")
    kinds = "biufcU" if suffix == ".npz" else "biuf"
    if array.dtype.kind not in kinds or (suffix != ".npz" and array.dtype.itemsize > 8):
        raise TypeError(
            f"array {name!r} must hold numbers or bool to go into {suffix}; got {array.dtype}."
        )
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


def _plain(value: Any) -> Any:
    """Turn NumPy values into what JSON knows."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"JSON holds numbers, text, lists and dicts; got {type(value).__name__}.")


def _suffix(path: str | os.PathLike[str]) -> str:
    return check_option("the suffix of path", Path(path).suffix, _SUFFIXES)


@contextmanager
def understood(path: str | os.PathLike[str], wanted: str) -> Iterator[None]:
    """Say of the file what goes wrong in the block, which takes over what was read from it.

    Parameters
    ----------
    path : path-like
        The file that the block must be able to make something of.
    wanted : str
        What it must do: "be" or "hold" something.

    Raises
    ------
    ValueError
        Instead of any error of the block but an OSError, which stays.
    """
    try:
        yield
    except (OSError, Warning):
        raise
    except Exception as error:
        raise _damaged(path, wanted, error) from error


def _damaged(path: str | os.PathLike[str], wanted: str, error: BaseException) -> ValueError:
    reason = f"{type(error).__name__} ({_one_line(str(error))})"
    return ValueError(f"{Path(path).name} must {wanted}; got {reason}. Write or fetch it anew.")


def _one_line(text: str) -> str:
    """Return the beginning of a message of others, without its line breaks."""
    return " ".join(text.split())[:200].rstrip(".")
