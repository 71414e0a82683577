"""How :class:`sparsecode.core.OverlapIndex` searches: queries and blocks, shared out on threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from sparsecode._jit import available_threads, threads
from sparsecode._parallel import map_tiles
from sparsecode.core._index_kernels import LAST_ROW, ROW_BITS, collect, keep_best
from sparsecode.core._index_layouts import BLOCK
from sparsecode.core.code import SparseCode

__all__ = ["Matches", "at_least", "best", "check_threads", "overlaps"]

#: Queries that are counted together.
GROUP = 4
#: Estimated seconds of work from which on a second thread is worth starting.
WORTH = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Stored codes that were found for each query, in compressed rows.

    Attributes
    ----------
    indptr : ndarray of int64, shape (n_queries + 1,)
        What was found for query ``i`` is ``indptr[i]:indptr[i + 1]`` of `ids` and `overlaps`.
    ids : ndarray of int64, shape (n_found,)
        Ids of stored codes.
    overlaps : ndarray of int64, shape (n_found,)
        Number of active units that each shares with the query.
    """

    indptr: np.ndarray
    ids: np.ndarray
    overlaps: np.ndarray

    def __len__(self) -> int:
        return self.indptr.size - 1

    def __getitem__(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the ids and overlaps of one query."""
        i = range(len(self))[i]
        part = slice(self.indptr[i], self.indptr[i + 1])
        return self.ids[part], self.overlaps[part]

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return (self[i] for i in range(len(self)))


class Queries(NamedTuple):
    """Some rows of a batch of queries."""

    indptr: np.ndarray
    indices: np.ndarray
    largest: int  # active units of the most active one

    @property
    def n_queries(self) -> int:
        """Number of rows."""
        return self.indptr.size - 1


def overlaps(layout: Any, queries: SparseCode, n_threads: int) -> np.ndarray:
    """Return the overlaps of each query with every living row."""
    store, n_rows = layout.store, layout.store.n_rows
    shared = np.empty((queries.n_samples, n_rows), store.counter)
    flat = shared.reshape(-1)

    def count(some: Queries, first: int, blocks: range) -> None:
        floors = np.full(some.n_queries, -1)
        for b in blocks:
            layout.count(some, b, floors, flat, first * n_rows + b * BLOCK, n_rows)

    _share_out(count, layout, queries, n_threads)
    return shared[:, store.alive] if store.n_dead else shared


def at_least(layout: Any, queries: SparseCode, threshold: int, n_threads: int) -> Matches:
    """Return the living rows whose overlap reaches a threshold, by ascending id."""
    store = layout.store
    floor = min(threshold - 1, store.largest)

    def find(some: Queries, first: int, blocks: range) -> list[tuple]:
        room = some.n_queries * BLOCK
        counts = np.empty(room, store.counter)
        rows, shared = np.empty(room, np.int64), np.empty(room, np.int64)
        floors, pieces = np.full(some.n_queries, floor), []
        for b in blocks:
            begin, end = store.block(b)
            layout.count(some, b, floors, counts, 0, BLOCK)
            found = np.empty(some.n_queries, np.int64)
            place = begin, end - begin, floor
            n = collect(counts, BLOCK, store.alive, *place, found, rows, shared)
            whose = np.repeat(np.arange(first, first + some.n_queries), found)
            pieces.append((whose, rows[:n].copy(), shared[:n].copy()))
        return pieces

    done = _share_out(find, layout, queries, n_threads)
    nothing = (np.empty(0, np.int64),) * 3
    pieces = [nothing, *(piece for _, found in done for piece in found)]
    whose, rows, shared = map(np.concatenate, zip(*pieces))
    order = np.argsort(whose, kind="stable")  # the blocks of a query come in their order
    indptr = np.concatenate([[0], np.cumsum(np.bincount(whose, minlength=queries.n_samples))])
    return Matches(indptr, store.ids[rows[order]], shared[order])


def best(layout: Any, queries: SparseCode, k: int, n_threads: int) -> Matches:
    """Return the `k` living rows of largest overlap, of which there must be so many."""
    store = layout.store

    def find(some: Queries, first: int, blocks: range) -> np.ndarray:
        counts = np.empty(some.n_queries * BLOCK, store.counter)
        heaps = np.full((some.n_queries, k), -1)
        for b in blocks:
            begin, end = store.block(b)
            layout.count(some, b, heaps[:, 0] >> ROW_BITS, counts, 0, BLOCK)
            keep_best(counts, BLOCK, store.alive, begin, end - begin, heaps)
        return heaps

    keys = np.full((queries.n_samples, k), -1)
    if k:
        for first, heaps in _share_out(find, layout, queries, n_threads):
            mine = keys[first : first + len(heaps)]
            mine[:] = -np.sort(-np.hstack([mine, heaps]))[:, :k]
    flat = keys.reshape(-1)
    indptr = np.arange(queries.n_samples + 1) * k
    return Matches(indptr, store.ids[LAST_ROW - (flat & LAST_ROW)], flat >> ROW_BITS)


def _share_out(
    function: Callable[..., Any], layout: Any, queries: SparseCode, n_threads: int
) -> list[tuple[int, Any]]:
    """Call a function with some queries and blocks, until all have met.

    Returns what it returned, with the number of the first query; a query's blocks in their order.
    """
    n_queries, n_blocks = queries.n_samples, layout.store.n_blocks
    if n_queries == 0 or n_blocks == 0:
        return []
    if layout.work(queries.nnz) < WORTH:
        n_threads = 1
    n_parts = 1 if n_queries > GROUP * (n_threads - 1) else min(n_threads, n_blocks)
    cuts = [n_blocks * part // n_parts for part in range(n_parts + 1)]
    tasks = [
        (first, range(cuts[part], cuts[part + 1]))
        for first in range(0, n_queries, GROUP)
        for part in range(n_parts)
    ]

    def run(task: tuple[int, range]) -> tuple[int, Any]:
        first, blocks = task
        indptr = queries.indptr[first : first + GROUP + 1]
        largest = int((indptr[1:] - indptr[:-1]).max())
        return first, function(Queries(indptr, queries.indices, largest), first, blocks)

    return map_tiles(run, tasks, n_threads)


def check_threads(n_threads: int | None) -> int:
    """Return a number of threads; :func:`threads` says what is wrong with one, but is slow."""
    if n_threads is not None and (
        type(n_threads) is not int or not 1 <= n_threads <= available_threads()
    ):
        with threads(n_threads) as width:
            return width
    return available_threads() if n_threads is None else n_threads
