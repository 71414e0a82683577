"""Activations on disk: shards that are mapped, a manifest that is JSON, never a pickle.

A store is a folder. Each site (a place in a network) has a folder of its own with numbered
shards, ``00000.npy``, ``00001.npy``, ..., and beside each the ids of its rows, ``00000.ids.npy``.
``manifest.json`` names the sites, the rows, bytes and SHA-256 of every file, and the running mean
and squared deviation. A shard appears under its name when it is complete, and counts from when
the manifest names it: whoever is interrupted loses at most the shard that was open.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np

from sparsecode._validation import check_count, check_option
from sparsecode.core._locks import hold_lock
from sparsecode.core.io import atomic_path, load_json, map_npy, save_json

__all__ = ["ActivationStore", "ActivationWriter", "StoredSite"]

_FORMAT, _VERSION = "sparsecode activations", 1
_MANIFEST, _LOCK = "manifest.json", ".lock"
_DTYPES = ("float16", "float32", "float64")
_KINDS = ("pre", "post", "input", "output")
_SHARD_BYTES = 2**26  # what a shard takes unless its rows are given
_BLOCK_BYTES = 2**22  # what is looked at together
_SAFETENSORS = {"float16": "F16", "float32": "F32", "float64": "F64"}


@dataclass(frozen=True)
class StoredSite:
    """The activations of one site of a store, read from disk as they are asked for.

    A :class:`~sparsecode.core.RowReader`. It holds no rows itself and opens a shard only while
    reading from it, so that it may be sent to other processes.

    Attributes
    ----------
    folder : pathlib.Path
        Folder of the shards.
    name : str
        Name of the site, such as ``"encoder.layers.0.linear1:output"``.
    kind : str
        What was recorded: ``"pre"`` or ``"post"`` (before or after a non-linearity),
        ``"input"`` or ``"output"`` (of a module).
    dtype : numpy.dtype
        float16, float32 or float64.
    n_features : int
        Columns.
    n_rows : tuple of int
        Rows of each shard.
    mean : ndarray of shape (n_features,)
        Mean over all rows, float64.
    variance : ndarray of shape (n_features,)
        Mean squared deviation from `mean` over all rows, per feature, float64.
    """

    folder: Path
    name: str
    kind: str
    dtype: np.dtype[Any]
    n_features: int
    n_rows: tuple[int, ...]
    mean: np.ndarray
    variance: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """The pair (n_samples, n_features), where each row counts as a sample."""
        return sum(self.n_rows), self.n_features

    @property
    def scale(self) -> float:
        """The factor c for which the mean of ||c (x - mean)||^2 is n_features; 1 if all are equal.

        With it rows of any site have entries of about unit variance while their directions stay.
        """
        spread = float(self.variance.sum())
        return float(np.sqrt(self.n_features / spread)) if spread > 0 else 1.0

    @property
    def sample_ids(self) -> np.ndarray:
        """Sample that each row came from, int64 of shape (n_rows,)."""
        return self._ids(0)

    @property
    def position_ids(self) -> np.ndarray:
        """Position (token, patch) of each row in its sample, int64 of shape (n_rows,)."""
        return self._ids(1)

    def blocks(self, n_rows: int | None = None) -> Iterator[np.ndarray]:
        """Go through all rows in order, a block at a time.

        Parameters
        ----------
        n_rows : int, optional
            Rows of a block; the last may have fewer. By default about 4 MiB.

        Yields
        ------
        ndarray of shape (n_rows, n_features)
        """
        if n_rows is None:
            n_rows = max(1, _BLOCK_BYTES // (self.n_features * self.dtype.itemsize))
        step = check_count("n_rows", n_rows)
        for start in range(0, len(self), step):
            yield self[start : start + step]

    def __len__(self) -> int:
        return sum(self.n_rows)

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Read rows: one for an integer, else those of a slice, a mask or an array of integers."""
        n = len(self)
        if isinstance(rows, Integral) and not isinstance(rows, bool):
            row = int(rows)
            if not -n <= row < n:
                raise IndexError(f"row {row} is out of range for {n} rows of {self.name!r}.")
            return self._take(np.array([row % n]))[0]
        if isinstance(rows, slice):
            start, stop, step = rows.indices(n)
            if step == 1:
                return self._range(start, max(start, stop))
            rows = np.arange(start, stop, step)
        elif isinstance(rows, tuple):
            raise TypeError("rows must be selected by one index; got a tuple. Index the result.")
        rows = np.asarray(rows)
        if rows.ndim != 1 or (rows.dtype.kind not in "iub" and rows.size):
            raise TypeError(
                "rows must be selected by an integer, a slice, a mask or an array of integers; "
                f"got {rows.dtype} of shape {rows.shape}."
            )
        if rows.dtype == bool:
            if rows.size != n:
                raise IndexError(f"a mask must have {n} entries, one a row; got {rows.size}.")
            rows = np.flatnonzero(rows)
        rows = rows.astype(np.int64)
        bad = rows[(rows < -n) | (rows >= n)]
        if bad.size:
            raise IndexError(f"row {bad[0]} is out of range for {n} rows of {self.name!r}.")
        return self._take(rows % n if n else rows)

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        raise TypeError(
            f"the rows of {self.name!r} must be asked for; got the whole site. Read site[:] if "
            "it fits in memory, else go through site.blocks()."
        )

    def __repr__(self) -> str:
        rows, columns = self.shape
        return f"<StoredSite {self.name!r} {rows} x {columns}, {self.dtype}, {self.kind}>"

    def _starts(self) -> np.ndarray:
        return np.concatenate([[0], np.cumsum(self.n_rows, dtype=np.int64)])

    def _shard(self, i: int) -> np.ndarray:
        """Map shard `i`; what is mapped leaves memory with the array."""
        path = self.folder / _shard_name(i)
        shard = _mapped(path)
        if shard.shape != (self.n_rows[i], self.n_features) or shard.dtype != self.dtype:
            raise _damaged(path, f"{shard.dtype} of shape {shard.shape}")
        return shard

    def _range(self, start: int, stop: int) -> np.ndarray:
        out = np.empty((stop - start, self.n_features), self.dtype)
        starts = self._starts()
        for i, (first, last) in enumerate(pairwise(starts)):
            low, high = max(start, first), min(stop, last)
            if low < high:
                out[low - start : high - start] = self._shard(i)[low - first : high - first]
        return out

    def _take(self, rows: np.ndarray) -> np.ndarray:
        out = np.empty((rows.size, self.n_features), self.dtype)
        starts = self._starts()
        shards = np.searchsorted(starts, rows, side="right") - 1
        for i in np.unique(shards):
            here = np.flatnonzero(shards == i)
            out[here] = self._shard(int(i))[rows[here] - starts[i]]
        return out

    def _ids(self, column: int) -> np.ndarray:
        parts = [
            _mapped_ids(self.folder / _ids_name(i), n_rows)[:, column]
            for i, n_rows in enumerate(self.n_rows)
        ]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)


class ActivationStore(Mapping[str, StoredSite]):
    """A folder of recorded activations, opened for reading: a mapping of site names to readers.

    Opening reads the manifest and compares the size of every file with it; no row is read.

    Parameters
    ----------
    folder : path-like
        A folder that :meth:`create` made.

    Raises
    ------
    ValueError
        If it holds no store, if the manifest is damaged, or if a file is missing or cut short.

    Examples
    --------
    ::

        with ActivationStore.create("activations") as writer:
            collect(model, batches, ["layers.0.linear1"], store=writer)
        site = ActivationStore("activations")["layers.0.linear1"]
        for block in site.blocks(4096):
            omp((block - site.mean) * site.scale, dictionary, n_nonzero=8)
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self._manifest = _read_manifest(self.folder)
        self._sites = {
            name: _open_site(self.folder, name, entry)
            for name, entry in self._manifest["sites"].items()
        }

    @classmethod
    def create(
        cls,
        folder: str | os.PathLike[str],
        *,
        dtype: str = "float32",
        n_rows_per_shard: int | None = None,
        metadata: Any = None,
        resume: bool = False,
    ) -> ActivationWriter:
        """Open a store for writing, for use in a ``with`` statement.

        Parameters
        ----------
        folder : path-like
            Folder to make. It may exist if it is empty.
        dtype : {"float16", "float32", "float64"}, default="float32"
            Type that is stored.
        n_rows_per_shard : int, optional
            Rows of a shard, which a writer holds in memory for each site. By default what
            64 MiB take.
        metadata : object, optional
            Anything JSON holds, such as the names of model and data.
        resume : bool, default=False
            Whether to go on after the last shard that was finished, where `folder` holds a
            store. Its dtype must be the same; its metadata stay.

        Returns
        -------
        ActivationWriter

        Raises
        ------
        ValueError, TypeError
            If `folder` holds a store and `resume` is False, holds anything else, or has another
            writer.
        """
        return ActivationWriter(
            folder,
            dtype=dtype,
            n_rows_per_shard=n_rows_per_shard,
            metadata=metadata,
            resume=resume,
        )

    @property
    def metadata(self) -> Any:
        """What the writer was given about the whole store."""
        return self._manifest["metadata"]

    def verify(self) -> None:
        """Compare every file with its SHA-256.

        Raises
        ------
        ValueError
            If one differs.
        """
        for entry in self._manifest["sites"].values():
            for i, shard in enumerate(entry["shards"]):
                for name, key in ((_shard_name(i), "sha256"), (_ids_name(i), "ids_sha256")):
                    path = self.folder / entry["folder"] / name
                    if _sha256(path) != shard.get(key):
                        raise _damaged(path, "content that differs from its checksum")

    def export_safetensors(self, path: str | os.PathLike[str], site: str) -> None:
        """Write one site to a ``.safetensors`` file, atomically and a block at a time.

        Parameters
        ----------
        path : path-like
            File to write or replace. It gets the arrays ``activations``, ``sample_ids``,
            ``position_ids``, ``mean`` and ``variance``; read it with any safetensors library, or
            ``load_arrays(path, checksum=False)``.
        site : str
            Name of the site.

        Raises
        ------
        ValueError, KeyError
            If the suffix is another or there is no such site.
        """
        check_option("the suffix of path", Path(path).suffix, [".safetensors"])
        reader = self[site]
        wide = {
            "mean": reader.mean,
            "position_ids": reader.position_ids,
            "sample_ids": reader.sample_ids,
            "variance": reader.variance,
        }
        header: dict[str, Any] = {
            "__metadata__": {"site": reader.name, "kind": reader.kind, "scale": repr(reader.scale)}
        }
        end = 0
        for name, array in wide.items():  # entries of 8 bytes first: all stay aligned
            code = "I64" if array.dtype.kind == "i" else "F64"
            offsets = [end, end + array.nbytes]
            header[name] = {"dtype": code, "shape": array.shape, "data_offsets": offsets}
            end = offsets[1]
        n_bytes = len(reader) * reader.n_features * reader.dtype.itemsize
        header["activations"] = {
            "dtype": _SAFETENSORS[reader.dtype.name],
            "shape": reader.shape,
            "data_offsets": [end, end + n_bytes],
        }
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        with atomic_path(path) as temporary, open(temporary, "wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for array in wide.values():
                file.write(array.tobytes())
            for block in reader.blocks():
                file.write(block.tobytes())

    def __getitem__(self, site: str) -> StoredSite:
        try:
            return self._sites[site]
        except KeyError:
            known = ", ".join(map(repr, self._sites)) or "none"
            raise KeyError(f"site must be one of {known}; got {site!r}.") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._sites)

    def __len__(self) -> int:
        return len(self._sites)

    def __repr__(self) -> str:
        return f"<ActivationStore of {len(self)} sites: {', '.join(self)}>"


class ActivationWriter:
    """Append activations to a store; made by :meth:`ActivationStore.create`.

    It holds one open shard for each site. Leaving the ``with`` block writes the open shards;
    leaving it by an error drops them, as a crash would, and what was finished before stays.

    Parameters
    ----------
    folder : path-like
        Folder to make. It may exist if it is empty.
    dtype : {"float16", "float32", "float64"}, default="float32"
        Type that is stored.
    n_rows_per_shard : int, optional
        Rows of a shard; by default what 64 MiB take.
    metadata : object, optional
        Anything JSON holds.
    resume : bool, default=False
        Whether to go on after the last shard that was finished.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        dtype: str = "float32",
        n_rows_per_shard: int | None = None,
        metadata: Any = None,
        resume: bool = False,
    ) -> None:
        self.folder = Path(folder)
        self.dtype = np.dtype(check_option("dtype", dtype, _DTYPES))
        if n_rows_per_shard is not None:
            check_count("n_rows_per_shard", n_rows_per_shard)
        self.n_rows_per_shard = n_rows_per_shard
        self._open: dict[str, _OpenShard] = {}
        self._closed = False
        self.collected: set[str] = set()  # sites that a network was recorded at
        if self.folder.exists() and not self.folder.is_dir():
            raise ValueError(f"folder must be a folder; got the file {self.folder.name!r}.")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self.folder)
        try:
            self._start(metadata, resume)
        except BaseException:
            self._lock.close()
            raise

    def _start(self, metadata: Any, resume: bool) -> None:
        if (self.folder / _MANIFEST).exists():
            if not resume:
                raise ValueError(
                    f"folder must hold no store yet; got {self.folder.name!r}, which does. Pass "
                    "resume=True to go on with it."
                )
            self._manifest = _read_manifest(self.folder)
            for name, entry in self._manifest["sites"].items():
                stored = _open_site(self.folder, name, entry).dtype
                if stored != self.dtype:
                    raise ValueError(
                        f"dtype must be {stored}, which the store has; got {self.dtype}."
                    )
                for left in (self.folder / entry["folder"]).glob(".*.tmp.npy"):
                    left.unlink()  # what an interrupted writer had not finished
            return
        if any(path.name != _LOCK for path in self.folder.iterdir()):
            raise ValueError(
                f"folder must be empty or hold a store; got {self.folder.name!r} with other files."
            )
        self._manifest = {
            "format": _FORMAT,
            "version": _VERSION,
            "metadata": metadata,
            "sites": {},
        }
        save_json(self.folder / _MANIFEST, self._manifest)

    def append(
        self,
        site: str,
        rows: Any,
        *,
        sample_ids: Any = None,
        position_ids: Any = None,
        kind: str = "output",
    ) -> None:
        """Add rows to a site, which the first call for it makes.

        Parameters
        ----------
        site : str
            Its name.
        rows : array-like of shape (n_rows, n_features)
            Finite numbers; cast to the dtype of the store.
        sample_ids : array-like of int, shape (n_rows,), optional
            Sample of each row; by default the number of rows before it.
        position_ids : array-like of int, shape (n_rows,), optional
            Position of each row in its sample; 0 by default.
        kind : {"pre", "post", "input", "output"}, default="output"
            What the rows are; the same in every call for one site.

        Raises
        ------
        ValueError, TypeError
            If a row is not finite (the message names site and row), or shape or kind differ from
            what came before.
        """
        if self._closed:
            raise ValueError("a writer must be open to append; got a closed one. Use resume=True.")
        if not isinstance(site, str) or not site or not site.isprintable():
            raise ValueError(f"site must be printable text; got {site!r}.")
        check_option("kind", kind, _KINDS)
        rows = check_activations(site, rows, self.dtype)
        before = self.n_rows(site)
        samples = _check_ids("sample_ids", sample_ids, before + np.arange(len(rows)))
        positions = _check_ids("position_ids", position_ids, np.zeros(len(rows), np.int64))
        ids = np.stack([samples, positions], axis=1)
        entry = self._entry(site, rows.shape[1], kind)
        done = 0
        while done < len(rows):
            shard = self._open.get(site)
            if shard is None:
                shard = self._open[site] = self._new_shard(entry["n_features"])
            done += shard.fill(rows[done:], ids[done:])
            if shard.is_full:
                self._finish(site)

    def n_rows(self, site: str) -> int:
        """Return the rows of a site so far, those of its open shard included; 0 if it is new.

        Parameters
        ----------
        site : str
            Its name.

        Returns
        -------
        int
        """
        entry = self._manifest["sites"].get(site)
        written = sum(shard["n_rows"] for shard in entry["shards"]) if entry else 0
        return written + (self._open[site].n_rows if site in self._open else 0)

    def last_id(self, site: str) -> tuple[int, int] | None:
        """Return sample and position of the last row of a site, None if it has none.

        Parameters
        ----------
        site : str
            Its name.

        Returns
        -------
        tuple of int, or None
        """
        if site in self._open and self._open[site].n_rows:
            sample, position = self._open[site].ids[self._open[site].n_rows - 1]
            return int(sample), int(position)
        entry = self._manifest["sites"].get(site)
        if not entry or not entry["shards"]:
            return None
        number = len(entry["shards"]) - 1
        path = self.folder / entry["folder"] / _ids_name(number)
        sample, position = _mapped_ids(path, entry["shards"][number]["n_rows"])[-1]
        return int(sample), int(position)

    def close(self) -> None:
        """Write the open shards and let others write; nothing happens the second time."""
        if self._closed:
            return
        try:
            for site in list(self._open):
                self._finish(site)
        finally:
            self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._release()

    def __repr__(self) -> str:
        sites = ", ".join(f"{site} ({self.n_rows(site)} rows)" for site in self._manifest["sites"])
        return f"<ActivationWriter: {sites or 'no site yet'}>"

    def _release(self) -> None:
        self._open.clear()
        self._closed = True
        self._lock.close()

    def _entry(self, site: str, n_features: int, kind: str) -> dict[str, Any]:
        """Return the manifest's entry of a site, after comparing it with what arrives."""
        sites = self._manifest["sites"]
        if site not in sites:
            slug = re.sub(r"[^A-Za-z0-9_-]+", "-", site).strip("-")[:60]
            folder = f"{len(sites):03d}-{slug}"
            path = self.folder / folder
            if path.exists():  # left by a writer that was interrupted before its first shard
                shutil.rmtree(path)
            path.mkdir()
            sites[site] = {
                "folder": folder,
                "kind": kind,
                "dtype": self.dtype.name,
                "n_features": n_features,
                "mean": [0.0] * n_features,
                "squared_deviation": [0.0] * n_features,
                "shards": [],
            }
        entry: dict[str, Any] = sites[site]
        if entry["n_features"] != n_features:
            raise ValueError(
                f"rows of site {site!r} must have {entry['n_features']} features, as before; got "
                f"{n_features}."
            )
        if entry["kind"] != kind:
            raise ValueError(
                f"kind of site {site!r} must be {entry['kind']!r}, as before; got {kind!r}."
            )
        return entry

    def _new_shard(self, n_features: int) -> _OpenShard:
        n_rows = self.n_rows_per_shard
        if n_rows is None:
            n_rows = max(1, _SHARD_BYTES // (n_features * self.dtype.itemsize))
        return _OpenShard(n_rows, n_features, self.dtype)

    def _finish(self, site: str) -> None:
        """Write the open shard of a site, then the manifest that names it."""
        shard, entry = self._open[site], self._manifest["sites"][site]
        rows, ids = shard.rows[: shard.n_rows], shard.ids[: shard.n_rows]
        number, folder = len(entry["shards"]), self.folder / entry["folder"]
        note: dict[str, Any] = {"n_rows": len(rows)}
        for prefix, name, array in (
            ("ids_", _ids_name(number), ids),
            ("", _shard_name(number), rows),
        ):
            with atomic_path(folder / name) as temporary:
                np.save(temporary, array, allow_pickle=False)
                note[f"{prefix}bytes"] = temporary.stat().st_size
                note[f"{prefix}sha256"] = _sha256(temporary)
        total = sum(one["n_rows"] for one in entry["shards"])
        mean, deviation = np.array(entry["mean"]), np.array(entry["squared_deviation"])
        mean, deviation = _merge_moments(rows, total, mean, deviation)
        changed = {
            "mean": mean.tolist(),
            "squared_deviation": deviation.tolist(),
            "shards": [*entry["shards"], note],
        }
        sites = {**self._manifest["sites"], site: {**entry, **changed}}
        manifest = {**self._manifest, "sites": sites}
        save_json(self.folder / _MANIFEST, manifest)
        self._manifest = manifest
        del self._open[site]


class _OpenShard:
    """Rows that are not yet on the disk."""

    def __init__(self, n_rows: int, n_features: int, dtype: np.dtype[Any]) -> None:
        self.rows = np.empty((n_rows, n_features), dtype)
        self.ids = np.empty((n_rows, 2), np.int64)
        self.n_rows = 0

    @property
    def is_full(self) -> bool:
        return self.n_rows == len(self.rows)

    def fill(self, rows: np.ndarray, ids: np.ndarray) -> int:
        """Take over as many rows as there is room for, and say how many."""
        n = min(len(rows), len(self.rows) - self.n_rows)
        here = slice(self.n_rows, self.n_rows + n)
        self.rows[here], self.ids[here] = rows[:n], ids[:n]
        self.n_rows += n
        return n


def check_activations(site: str, rows: Any, dtype: np.dtype[Any] | None = None) -> np.ndarray:
    """Return finite rows of shape (n_rows, n_features), cast to `dtype` if one is given."""
    rows = np.asarray(rows)
    if rows.dtype.kind not in "fiub":
        raise TypeError(f"activations of site {site!r} must be real numbers; got {rows.dtype}.")
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise ValueError(
            f"activations of site {site!r} must have shape (n_rows, n_features); got {rows.shape}."
        )
    _check_finite_rows(site, rows, "Look for an overflow in the model, or drop such rows.")
    if dtype is None or rows.dtype == dtype:
        return rows
    with np.errstate(over="ignore"):
        cast = rows.astype(dtype)
    _check_finite_rows(site, cast, f"They overflow {dtype}: store a wider dtype.")
    return cast


def _check_finite_rows(site: str, rows: np.ndarray, remedy: str) -> None:
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"activations of site {site!r} must be finite; got NaN or infinity in "
            f"{np.count_nonzero(~finite)} of {len(rows)} rows, the first in row "
            f"{np.flatnonzero(~finite)[0]}. {remedy}"
        )


def _check_ids(name: str, ids: Any, default: np.ndarray) -> np.ndarray:
    if ids is None:
        return default
    ids = np.asarray(ids)
    if ids.shape != default.shape or (ids.dtype.kind not in "iu" and ids.size):
        raise ValueError(
            f"{name} must hold one integer a row, shape {default.shape}; got {ids.dtype} of "
            f"shape {ids.shape}."
        )
    return ids.astype(np.int64)


def _merge_moments(
    rows: np.ndarray, total: int, mean: np.ndarray, deviation: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Add rows to mean and squared deviation (pairwise update of Chan et al. 1979)."""
    step = max(1, _BLOCK_BYTES // (8 * rows.shape[1]))
    for start in range(0, len(rows), step):
        block = rows[start : start + step].astype(np.float64)
        own = block.mean(axis=0)
        shift, n, all_rows = own - mean, len(block), total + len(block)
        block -= own
        deviation = deviation + (block**2).sum(axis=0) + shift**2 * (total * n / all_rows)
        mean = mean + shift * (n / all_rows)
        total = all_rows
    return mean, deviation


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / _MANIFEST
    if not path.is_file():
        raise ValueError(
            f"folder must hold a store of activations with its {_MANIFEST}; got {folder.name!r} "
            "without one. Write a store with ActivationStore.create."
        )
    manifest = load_json(path)
    if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
        raise ValueError(f"{_MANIFEST} must describe {_FORMAT!r}; got other JSON.")
    if manifest.get("version") != _VERSION:
        raise ValueError(
            f"{_MANIFEST} must have version {_VERSION}; got {manifest.get('version')!r}. Update "
            "sparsecode or write the store anew."
        )
    if not isinstance(manifest.get("sites"), dict) or "metadata" not in manifest:
        raise _damaged(path, "no sites or metadata")
    return manifest


def _open_site(folder: Path, name: str, entry: Any) -> StoredSite:
    """Return a reader, once every file is found to have the size that the manifest says."""
    manifest = folder / _MANIFEST
    try:
        place = folder / entry["folder"]
        if place.parent != folder or entry["folder"] in ("", ".", "..") or place.is_symlink():
            raise ValueError(f"the folder {entry['folder']!r}")
        shards = entry["shards"]
        n_rows = tuple(check_count("n_rows", shard["n_rows"]) for shard in shards)
        total = max(1, sum(n_rows))
        site = StoredSite(
            place,
            name,
            check_option("kind", entry["kind"], _KINDS),
            np.dtype(check_option("dtype", entry["dtype"], _DTYPES)),
            check_count("n_features", entry["n_features"]),
            n_rows,
            np.array(entry["mean"], np.float64),
            np.array(entry["squared_deviation"], np.float64) / total,
        )
        if not site.mean.shape == site.variance.shape == (site.n_features,):
            raise ValueError(f"a mean of shape {site.mean.shape}")
        if not np.isfinite([site.mean, site.variance]).all() or (site.variance < 0).any():
            raise ValueError("mean and deviation that no rows can have")
        row = site.n_features * site.dtype.itemsize, 2 * np.dtype(np.int64).itemsize
        sizes = []
        for i, shard in enumerate(shards):
            files = (_shard_name(i), "bytes"), (_ids_name(i), "ids_bytes")
            for (file, key), n_bytes in zip(files, row):
                size = check_count(key, shard[key])
                if size <= n_rows[i] * n_bytes:  # beside the rows there is a header
                    raise ValueError(f"{n_rows[i]} rows of {n_bytes} bytes in {size}")
                sizes.append((place / file, size))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        said = f"{type(error).__name__} in site {name[:80]!r}: {str(error)[:200]}"
        raise _damaged(manifest, said) from error
    for path, size in sizes:
        true = path.stat().st_size if path.is_file() else None
        if true != size:
            arrived = "no such file" if true is None else f"{true} bytes, so the store is cut short"
            raise ValueError(
                f"{path.parent.name}/{path.name} must have {size} bytes; got {arrived}. Fetch or "
                "record it anew."
            )
    return site


def _lock(folder: Path) -> IO[bytes]:
    """Take the folder's lock, which the system lets go when the process ends."""
    try:
        return hold_lock(folder / _LOCK)
    except OSError as error:
        raise ValueError(
            f"a store must have one writer; got a second for {folder.name!r}. Close the first, or "
            "use another folder."
        ) from error


def _mapped(path: Path) -> np.ndarray:
    """Map the array of a file of a store."""
    try:
        return map_npy(path)
    except ValueError as error:
        raise _damaged(path, str(error.__cause__)[:200].replace("\n", " ")) from error


def _mapped_ids(path: Path, n_rows: int) -> np.ndarray:
    ids = _mapped(path)
    if ids.shape != (n_rows, 2) or ids.dtype != np.int64:
        raise _damaged(path, f"{ids.dtype} of shape {ids.shape}")
    return ids


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _shard_name(i: int) -> str:
    return f"{i:05d}.npy"


def _ids_name(i: int) -> str:
    return f"{i:05d}.ids.npy"


def _damaged(path: Path, arrived: str) -> ValueError:
    where = path.name if path.name == _MANIFEST else f"{path.parent.name}/{path.name}"
    return ValueError(
        f"{where} must be what the writer left; got {arrived.rstrip('.')}. Fetch or record it anew."
    )
