"""Rows on disk, named by their path, so that other processes open them for themselves."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from sparsecode.core.io import RowReader, map_npy

__all__ = ["NpyRows", "ZarrRows", "need_dask", "open_rows"]

_ACTIVATIONS = "manifest.json"  # what a folder of recorded activations holds


@dataclass(frozen=True)
class _Rows:
    """Rows of a file that is opened while reading; a :class:`~sparsecode.core.RowReader`."""

    path: Path

    @property
    def shape(self) -> tuple[int, ...]:
        """The pair (n_samples, n_features)."""
        return self._form[0]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the entries."""
        return self._form[1]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        return np.array(self._open()[rows])

    @cached_property
    def _form(self) -> tuple[tuple[int, ...], np.dtype[Any]]:
        rows = self._open()
        return tuple(rows.shape), np.dtype(rows.dtype)

    def _open(self) -> Any:
        raise NotImplementedError


@dataclass(frozen=True)
class NpyRows(_Rows):
    """Rows of a ``.npy`` file, mapped while they are read.

    Parameters
    ----------
    path : pathlib.Path
        The file, which must hold a 2-D array of numbers.
    """

    def _open(self) -> Any:
        return map_npy(self.path)


@dataclass(frozen=True)
class ZarrRows(_Rows):
    """Rows of a zarr array, of which only the chunks asked for are read.

    Parameters
    ----------
    path : pathlib.Path
        The array's folder.
    """

    def _open(self) -> Any:
        try:
            import zarr
        except ImportError as error:
            raise need_dask("zarr arrays", "zarr") from error
        try:
            found = zarr.open(self.path, mode="r")
        except Exception as error:  # whatever zarr raises on what is none
            raise ValueError(
                f"{self.path.name} must be a zarr array; got something else: {error}. Pass the "
                f"folder of one array."
            ) from error
        if not hasattr(found, "dtype"):
            raise ValueError(
                f"{self.path.name} must be one zarr array; got a group. Pass the folder of one of "
                f"its arrays."
            )
        return found


def open_rows(source: Any) -> RowReader:
    """Return a reader of rows that may be sent to other processes.

    Parameters
    ----------
    source : path-like, ndarray or RowReader
        A ``.npy`` file, the folder of a zarr array, an array in memory, or any reader, such as a
        site of :class:`~sparsecode.bridges.ActivationStore`.

    Returns
    -------
    RowReader
        A path gives one that holds no rows itself: each process opens the file while it reads.

    Raises
    ------
    ValueError
        If the rows are not a non-empty 2-D array of real numbers, or the path holds none.
    TypeError
        If `source` is none of these.
    OSError
        If the path cannot be opened.
    ImportError
        If it is a zarr array and zarr is not installed.
    """
    rows: Any = source
    if isinstance(source, str | os.PathLike):
        rows = _of_path(Path(source).absolute())
    elif isinstance(source, list | tuple):
        rows = np.asarray(source)
    elif isinstance(source, np.memmap) and _whole_file(source):
        rows = NpyRows(Path(str(source.filename)))
    if not isinstance(rows, RowReader):
        raise TypeError(
            f"source must be a path, an array or a RowReader; got {type(source).__name__}. Pass "
            f"what has shape, dtype, a length and slices of rows."
        )
    dtype = np.dtype(rows.dtype)
    if len(rows.shape) != 2 or 0 in rows.shape or dtype.kind not in "fiub":
        raise ValueError(
            f"source must hold real numbers of shape (n_samples, n_features), at least one row; "
            f"got {dtype} of shape {tuple(rows.shape)}."
        )
    return rows


def _of_path(path: Path) -> RowReader:
    if path.is_dir():
        manifest = path / _ACTIVATIONS
        if manifest.is_file() and b"sparsecode activations" in manifest.read_bytes()[:4096]:
            raise ValueError(
                f"{path.name} is a store of activations, which may hold several sites; pass one: "
                f"sparsecode.bridges.ActivationStore(path)[site]."
            )
        return ZarrRows(path)
    if path.suffix != ".npy":
        with open(path, "rb"):  # a missing file says so
            pass
        raise ValueError(
            f"source must be a .npy file or the folder of a zarr array; got {path.name}. Convert "
            f"it with numpy.save."
        )
    return NpyRows(path)


def _whole_file(array: np.memmap) -> bool:
    """Say whether a memory map is all of a ``.npy`` file, as numpy.load gives it."""
    path = getattr(array, "filename", None)
    if path is None or Path(path).suffix != ".npy":
        return False
    whole = np.load(path, mmap_mode="r")
    return (
        whole.shape == array.shape
        and whole.dtype == array.dtype
        and whole.offset == array.offset
        and whole.strides == array.strides
    )


def fingerprint(rows: RowReader) -> str:
    """Return text that tells this source from others: shape, dtype, and rows from all over it."""
    from sparsecode.core._course import describe

    some = np.unique(np.linspace(0, len(rows) - 1, 64).astype(int))
    seen = np.concatenate([np.asarray(rows[i : i + 1]) for i in some.tolist()])
    return json.dumps([list(rows.shape), np.dtype(rows.dtype).str, describe(seen)])


def need_dask(what: str, name: str) -> ImportError:
    """Return the error that says how to install what is missing."""
    return ImportError(
        f"{what} need {name}, which is not installed; run `pip install 'sparsecode[dask]'`."
    )
