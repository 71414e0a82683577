"""`OverlapIndex`: which of a million stored binary codes share most units with a query."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sparsecode._validation import check_count, check_option
from sparsecode.core._checks import check_code
from sparsecode.core._index_layouts import LAYOUTS, Store, cheapest
from sparsecode.core._index_search import Matches, at_least, best, check_threads, overlaps
from sparsecode.core.code import SparseCode
from sparsecode.core.io import _load, save_arrays, understood

__all__ = ["Matches", "OverlapIndex"]

#: Share of dead rows above which the living ones are moved together.
_MOST_DEAD = 0.25
_KIND = "OverlapIndex"


class OverlapIndex:
    """Binary codes that can be searched by overlap, exactly.

    Parameters
    ----------
    unit_shape : int or sequence of int
        Shape of the units of every code.
    backend : {"auto", "postings", "packed", "mask"}, default="auto"
        How stored codes are laid out to be counted: lists of the codes in which each unit is
        active, columns of bits, or no layout but their rows. Answers are the same, bit for bit;
        see the notes for the choice that ``"auto"`` makes.

    Raises
    ------
    ValueError, TypeError
        If `unit_shape` is no shape, or `backend` unknown.

    Notes
    -----
    The *overlap* of two codes is the number of units active in both. Rows are counted in blocks of
    65,536, whose counters stay in the cache; threads take different queries or blocks.

    ============  ========================================  ====================================
    backend       work per query                            bytes per stored code of `a` units
    ============  ========================================  ====================================
    ``postings``  one step per active unit of the query     ``2 a`` and ``n_units / 16384``
                  and code that shares it
    ``packed``    one bit per active unit of the query      ``17 n_units / 128``
                  and stored code, 512 at once
    ``mask``      one step per active unit of every code    none
    ============  ========================================  ====================================

    All of them keep the rows besides: ``4 a + 17`` bytes per code. Blocks that are not full, and
    room for codes that are added in parts, come to up to 1.7 times as much. Measured, columns of
    bits and lists are equally fast at 1 active unit in 200, and columns 2.5 times as fast at 1 in
    50; as they take more memory, ``"auto"`` chooses them from 1 in 128 on. While queries times
    active units stored stay below some 16,000, a scan takes no longer than the call, and no layout
    is made; beyond that the number of queries made no difference. The choice is made at the first
    search that needs one, and again whenever the number of codes has doubled.

    Several threads may search at once, but not while codes are added or removed.

    Examples
    --------
    >>> from sparsecode.core import OverlapIndex, SparseCode
    >>> index = OverlapIndex(6)
    >>> index.add(SparseCode.from_indices([[0, 1, 2], [2, 3], [4, 5]], 6))
    array([0, 1, 2])
    >>> query = SparseCode.from_indices([[0, 2, 3]], 6)
    >>> index.search(query, threshold=2)[0]
    (array([0, 1]), array([2, 2]))
    >>> index.remove([0])
    >>> index.search(query, k=1)[0]
    (array([1]), array([2]))
    """

    def __init__(self, unit_shape: int | Sequence[int], *, backend: str = "auto") -> None:
        self.backend = check_option("backend", backend, ("auto", *LAYOUTS))
        nothing = SparseCode.from_indices([], unit_shape)
        self._store = Store(nothing, np.empty(0, np.int64))
        self._next_id = 0
        self._layout: Any = None
        self._n_chosen = 0  # rows there were when the layout was chosen
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._store.n_rows - self._store.n_dead

    def __repr__(self) -> str:
        units = " x ".join(map(str, self.unit_shape))
        return f"<OverlapIndex {len(self)} codes of {units} units, {self.backend}>"

    @property
    def unit_shape(self) -> tuple[int, ...]:
        """Shape of the units."""
        return self._store.unit_shape

    @property
    def ids(self) -> np.ndarray:
        """Ids of the stored codes, ascending, shape (len(index),)."""
        return self._store.ids[self._store.alive]

    @property
    def layout(self) -> str | None:
        """Backend in use; None before the first search."""
        return None if self._layout is None else self._layout.name

    @property
    def bytes_per_code(self) -> float:
        """Bytes set aside per stored code, rows and layout together; NaN if there is none."""
        nbytes = self._store.nbytes + (0 if self._layout is None else self._layout.nbytes)
        return nbytes / len(self) if len(self) else float("nan")

    def add(self, codes: SparseCode) -> np.ndarray:
        """Store codes.

        Parameters
        ----------
        codes : SparseCode
            Binary, over the units of the index. Codes that are stored already are stored again.

        Returns
        -------
        ndarray of int64, shape (codes.n_samples,)
            Their ids: ascending from 0 on, never given twice.

        Raises
        ------
        ValueError, TypeError
            If the units differ or the code is real.
        """
        codes = self._check("codes", codes)
        ids = np.arange(self._next_id, self._next_id + codes.n_samples)
        self._store.append(codes, ids)
        self._next_id += codes.n_samples
        return ids

    def remove(self, ids: Any) -> None:
        """Forget codes.

        Their rows are passed over at first; once they are a quarter of all rows, the others are
        moved together. Ids of the others stay as they are.

        Parameters
        ----------
        ids : array-like of int
            What :meth:`add` returned, each id once.

        Raises
        ------
        ValueError, TypeError
            If an id is not stored, or given twice; nothing is removed then.
        """
        ids = _check_ids(ids)
        if np.unique(ids).size < ids.size:
            raise ValueError("ids must be named once each to be removed; got one twice.")
        self._store.bury(self._store.rows_of(ids))
        if self._store.n_dead > _MOST_DEAD * self._store.n_rows:
            self._move_together()

    def codes(self, ids: Any = None) -> SparseCode:
        """Return stored codes.

        Parameters
        ----------
        ids : array-like of int, optional
            Which ones, in any order; by default all, in the order of `ids`.

        Returns
        -------
        SparseCode

        Raises
        ------
        ValueError, TypeError
            If an id is not stored.
        """
        store = self._store
        return store.code(store.alive if ids is None else store.rows_of(_check_ids(ids)))

    def search(
        self,
        queries: SparseCode,
        *,
        threshold: int | None = None,
        k: int | None = None,
        n_threads: int | None = None,
    ) -> Matches:
        """Find the stored codes that share enough units with each query, or most.

        Parameters
        ----------
        queries : SparseCode
            Binary, over the units of the index.
        threshold : int, optional
            Find every code whose overlap is at least this, by ascending id.
        k : int, optional
            Find the `k` codes of largest overlap, the largest first and the lower id first among
            equals; all codes if there are fewer. A query without active units has the overlap 0
            with every code, and so finds the lowest ids.
        n_threads : int, optional
            Threads at most; by default all that Numba may use. The answer does not depend on it.

        Returns
        -------
        Matches

        Raises
        ------
        ValueError, TypeError
            If not exactly one of `threshold` and `k` is given, units differ, or queries are real.
        """
        if (threshold is None) == (k is None):
            raise ValueError(
                f"threshold or k must be given, one of them; got {threshold!r} and {k!r}."
            )
        width, queries = check_threads(n_threads), self._check("queries", queries)
        if k is not None:
            k = min(check_count("k", k), len(self))
            return best(self._ready(queries.n_samples, width), queries, k, width)
        threshold = check_count("threshold", threshold, minimum=0)
        return at_least(self._ready(queries.n_samples, width), queries, threshold, width)

    def overlaps(self, queries: SparseCode, *, n_threads: int | None = None) -> np.ndarray:
        """Count the units that each query shares with every stored code.

        Parameters
        ----------
        queries : SparseCode
            Binary, over the units of the index.
        n_threads : int, optional
            Threads at most; by default all that Numba may use. The answer does not depend on it.

        Returns
        -------
        ndarray of shape (queries.n_samples, len(index))
            Columns in the order of `ids`. int16, or int32 once a code of more than 32,767 active
            units has been stored.

        Raises
        ------
        ValueError, TypeError
            If units differ, or queries are real.
        """
        width, queries = check_threads(n_threads), self._check("queries", queries)
        return overlaps(self._ready(queries.n_samples, width), queries, width)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write codes and ids to a ``.safetensors`` or ``.npz`` file, atomically, with a checksum.

        Parameters
        ----------
        path : path-like
            File to write or replace. The layout is not written, but made anew.

        Raises
        ------
        ValueError
            If the suffix is neither.
        """
        codes = self.codes()
        save_arrays(
            path,
            {"indptr": codes.indptr, "indices": codes.indices, "ids": self.ids},
            {
                "kind": _KIND,
                "unit_shape": self.unit_shape,
                "backend": self.backend,
                "next_id": self._next_id,
            },
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> OverlapIndex:
        """Read an index that :meth:`save` wrote.

        Parameters
        ----------
        path : path-like
            A ``.safetensors`` or ``.npz`` file.

        Returns
        -------
        OverlapIndex

        Raises
        ------
        ValueError
            If the file is damaged, was cut short, or holds something else.
        OSError
            If it cannot be opened.
        """
        arrays, about = _load(path, checksum=True)
        if not isinstance(about, dict) or about.get("kind") != _KIND:
            raise ValueError(
                f"{Path(path).name} must hold an {_KIND}; got other arrays. Use load_arrays."
            )
        with understood(path, f"be an {_KIND}"):
            index = cls(about["unit_shape"], backend=about["backend"])
            codes = SparseCode(arrays["indptr"], arrays["indices"], None, index.unit_shape)
            ids, index._next_id = (
                _check_ids(arrays["ids"]),
                check_count("next_id", about["next_id"], minimum=0),
            )
            if (
                len(ids) != len(codes)
                or (np.diff(ids, prepend=-1, append=index._next_id) <= 0).any()
            ):
                raise ValueError("ids that do not ascend, one for each code")
        index._store = Store(codes, ids)
        return index

    def _check(self, name: str, code: Any) -> SparseCode:
        """Return `code` if it is binary and over the units of the index."""
        return check_code(
            name, code, unit_shape=self.unit_shape, whose="the stored codes", binary=True
        )

    def _move_together(self) -> None:
        """Drop the dead rows."""
        self._store, self._layout = Store(self.codes(), self.ids), None

    def _ready(self, n_queries: int, n_threads: int) -> Any:
        """Return the layout, chosen and brought up to date."""
        with self._lock:
            n_rows = self._store.n_rows
            if self.layout in (None, "mask") or n_rows >= 2 * self._n_chosen:
                auto = self.backend == "auto"
                wanted = cheapest(self._store, n_queries) if auto else self.backend
                if wanted != self.layout:
                    self._layout = LAYOUTS[wanted](self._store)
                self._n_chosen = n_rows
            self._layout.update(n_threads)
            return self._layout


def _check_ids(ids: Any) -> np.ndarray:
    """Return ids as an array of int64 in one dimension."""
    ids = np.asarray(ids)
    if ids.ndim != 1 or (ids.dtype.kind not in "iu" and ids.size):
        raise TypeError(
            f"ids must hold integers in one dimension; got {ids.dtype} of shape {ids.shape}."
        )
    return ids.astype(np.int64)
