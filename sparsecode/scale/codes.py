"""Codes that lie on disk in shards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from sparsecode._validation import check_count, check_option
from sparsecode.core.code import SparseCode
from sparsecode.core.io import load_code, understood
from sparsecode.scale.manifest import NAME, read_manifest, sha256

__all__ = ["StoredCodes"]


@dataclass(frozen=True, init=False)
class StoredCodes:
    """Codes that :func:`encode_shards` wrote, read from disk as they are asked for.

    Parameters
    ----------
    folder : path-like
        The folder that it wrote to.

    Attributes
    ----------
    folder : pathlib.Path
        That folder.
    n_shards : int
        Number of shards.
    certificate : float
        The largest of all rows, and `certificate_name` says of what.

    Raises
    ------
    ValueError
        If the folder has no manifest, a damaged one, or not all of its shards.

    Examples
    --------
    ::

        codes = StoredCodes("codes")
        codes[1_000_000:1_000_100]     # a SparseCode of 100 rows
        for code in codes:             # one shard after another
            firing += np.bincount(code.indices, minlength=codes.shape[1])
    """

    folder: Path
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    _lines: tuple[dict[str, Any], ...] = field(repr=False)

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        path = Path(folder).absolute()
        header, lines = read_manifest(path)
        done = [line for _, line in sorted(lines.items()) if "sha256" in line]
        with understood(path / NAME, "be the manifest of codes"):
            about = header["about"]
            n_shards = check_count("n_shards", about["n_shards"])
            shape = tuple(check_count(name, about[name]) for name in ("n_samples", "n_atoms"))
            dtype = np.dtype(check_option("dtype", about["dtype"], ("float32", "float64")))
        if len(done) < n_shards:
            numbers = (line["shard"] for line in done)
            first = next((i for i, number in enumerate(numbers) if i != number), len(done))
            raise ValueError(
                f"{path.name} must hold all {n_shards} shards; {n_shards - len(done)} are not "
                f"done, the first number {first}. Run encode_shards again: it goes on."
            )
        with understood(path / NAME, "be the manifest of codes"):
            ends = [0, *(line["stop"] for line in done)]
            if [line["start"] for line in done] != ends[:-1] or ends[-1] != shape[0]:
                raise ValueError("its shards do not follow each other to the last row")
            for line in done:
                check_count("n_nonzero", line["n_nonzero"], minimum=0)
                float(line["certificate"])
        for name, value in (
            ("folder", path), ("shape", shape), ("dtype", dtype), ("_lines", tuple(done)),
        ):  # fmt: skip
            object.__setattr__(self, name, value)

    @property
    def n_shards(self) -> int:
        """Number of shards."""
        return len(self._lines)

    @property
    def certificate(self) -> float:
        """The largest certificate of all rows."""
        return max(line["certificate"] for line in self._lines)

    @property
    def certificate_name(self) -> str:
        """What `certificate` measures."""
        return self._lines[0]["certificate_name"]

    @property
    def density(self) -> float:
        """Share of coefficients that are not 0."""
        return sum(line["n_nonzero"] for line in self._lines) / (self.shape[0] * self.shape[1])

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[SparseCode]:
        """Go through the shards in order."""
        for index in range(self.n_shards):
            yield self.shard(index)

    def __getitem__(self, rows: slice) -> SparseCode:
        """Return consecutive rows, reading only the shards that hold them."""
        if not isinstance(rows, slice) or rows.step not in (None, 1):
            raise TypeError(
                f"rows must be a slice without a step; got {rows!r}. Use codes[i:i + 1], or "
                f"codes.shard(number)."
            )
        start, stop, _ = rows.indices(len(self))
        parts = [
            self.shard(line["shard"])[max(start - line["start"], 0) : stop - line["start"]]
            for line in self._lines
            if line["start"] < stop and start < line["stop"]
        ]
        if parts:
            return SparseCode.concatenate(parts)
        return self.shard(0)[:0]

    def shard(self, index: int) -> SparseCode:
        """Return one shard.

        Parameters
        ----------
        index : int
            Its number, from 0.

        Returns
        -------
        SparseCode

        Raises
        ------
        IndexError
            If there is no such shard.
        ValueError, OSError
            If its file is damaged or gone.
        """
        if not 0 <= index < self.n_shards:
            raise IndexError(f"index must lie between 0 and {self.n_shards - 1}; got {index}.")
        line = self._lines[index]
        code = _load(self.folder / line["file"], line["sha256"])
        if code.shape != (line["stop"] - line["start"], self.shape[1]):
            raise ValueError(
                f"{line['file']} must hold codes of shape {line['stop'] - line['start']} x "
                f"{self.shape[1]}; got {code!r}. Run encode_shards with verify=True."
            )
        return code

    def verify(self) -> list[int]:
        """Read every file and return the numbers of shards that are damaged or gone.

        Returns
        -------
        list of int
            Pass ``verify=True`` to :func:`encode_shards` to have them coded again.
        """
        return [
            line["shard"]
            for line in self._lines
            if not (path := self.folder / line["file"]).is_file() or sha256(path) != line["sha256"]
        ]

    def __repr__(self) -> str:
        n, k = self.shape
        return (
            f"<StoredCodes {n} x {k}, {100 * self.density:.1f} % active, {self.dtype}, in "
            f"{self.n_shards} shards>"
        )


@lru_cache(maxsize=2)  # neighbouring slices read the same shard
def _load(path: Path, digest: str) -> SparseCode:
    return load_code(path)
