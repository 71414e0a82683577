"""What :class:`sparsecode.core.OverlapIndex` keeps: stored rows, and how they are counted."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from sparsecode._bits_simd import COUNTERS, FEWEST_PLANES, WORDS
from sparsecode._parallel import map_tiles
from sparsecode.core._index_kernels import (
    STEP,
    TILE,
    count_packed,
    count_rows,
    fill_postings,
    set_bits,
)
from sparsecode.core._ops_kernels import count_postings
from sparsecode.core.code import SparseCode

__all__ = ["BLOCK", "LAYOUTS", "Mask", "Packed", "Postings", "Store", "cheapest"]

#: Rows that are counted together: their counters stay in the cache, 16 bits number them.
BLOCK = 65_536
#: Active units that a scan looks up, for all queries, while the call itself takes as long.
_FEW = 16_384
#: Rows from which on a tile is filled well enough.
_ENOUGH = 2_048
#: Share of active units from which on columns of bits are preferred to lists of rows. They are as
#: fast at 1 in 200 already, but take more memory.
_DENSE = 1 / 128


class Growing:
    """An array that is appended to, in amortised time."""

    def __init__(self, values: np.ndarray) -> None:
        self._room, self._size = values, values.size

    @property
    def array(self) -> np.ndarray:
        """What has been appended so far."""
        return self._room[: self._size]

    @property
    def nbytes(self) -> int:
        """Bytes set aside."""
        return self._room.nbytes

    def append(self, values: np.ndarray) -> None:
        """Put `values` at the end."""
        size = self._size + values.size
        if size > self._room.size:
            room = np.empty(max(size, self._room.size * 3 // 2), self._room.dtype)
            room[: self._size] = self.array
            self._room = room
        self._room[self._size : size] = values
        self._size = size


class Store:
    """Binary rows over the same units, each with an id; what is removed stays as a dead row."""

    def __init__(self, code: SparseCode, ids: np.ndarray) -> None:
        self.unit_shape, self.n_units = code.unit_shape, code.n_units
        self._indptr = Growing(code.indptr.copy())
        self._indices = Growing(code.indices.copy())
        self._ids = Growing(ids)
        self._alive = Growing(np.ones(ids.size, bool))
        self.n_rows = ids.size  # the dead ones included
        self.n_dead = 0
        self.largest = int(code.n_active.max(initial=0))

    @property
    def indptr(self) -> np.ndarray:
        """Row ``i`` occupies ``indptr[i]:indptr[i + 1]`` of `indices`."""
        return self._indptr.array

    @property
    def indices(self) -> np.ndarray:
        """Active units, row by row."""
        return self._indices.array

    @property
    def ids(self) -> np.ndarray:
        """Ids of the rows, ascending."""
        return self._ids.array

    @property
    def alive(self) -> np.ndarray:
        """Whether each row is still stored; may be written to."""
        return self._alive.array

    @property
    def counter(self) -> Any:
        """Type that holds every overlap."""
        return np.int16 if self.largest < 2**15 else np.int32

    @property
    def n_blocks(self) -> int:
        """Number of blocks of rows."""
        return -(-self.n_rows // BLOCK)

    @property
    def nbytes(self) -> int:
        """Bytes set aside."""
        return sum(one.nbytes for one in (self._indptr, self._indices, self._ids, self._alive))

    def block(self, b: int) -> tuple[int, int]:
        """Return the first row of a block and the row after its last."""
        return b * BLOCK, min((b + 1) * BLOCK, self.n_rows)

    def append(self, code: SparseCode, ids: np.ndarray) -> None:
        """Put codes at the end."""
        self._indptr.append(code.indptr[1:] + self.indptr[-1])
        self._indices.append(code.indices)
        self._ids.append(ids)
        self._alive.append(np.ones(ids.size, bool))
        self.n_rows += ids.size
        self.largest = max(self.largest, int(code.n_active.max(initial=0)))

    def rows_of(self, ids: np.ndarray) -> np.ndarray:
        """Return the living rows with these ids."""
        rows = np.searchsorted(self.ids, ids)
        known = rows < self.n_rows
        known[known] = (self.ids[rows[known]] == ids[known]) & self.alive[rows[known]]
        if not known.all():
            raise ValueError(
                f"ids must be among those of the {self.n_rows - self.n_dead} stored codes; got "
                f"{ids[~known][0]}, which was never given or has been removed."
            )
        return rows

    def bury(self, rows: np.ndarray) -> None:
        """Mark rows as dead."""
        self.alive[rows] = False
        self.n_dead += rows.size

    def code(self, rows: Any) -> SparseCode:
        """Return a copy of some rows."""
        whole = SparseCode._trusted(self.indptr, self.indices, None, self.unit_shape)
        return whole[rows]


class Mask:
    """No layout: each stored row is looked up in a mask of the query."""

    name: ClassVar[str] = "mask"
    nbytes: ClassVar[int] = 0
    #: Seconds per query and active unit stored.
    cost: ClassVar[float] = 1e-9

    def __init__(self, store: Store) -> None:
        self.store = store

    def update(self, n_threads: int) -> None:
        """There is nothing to do: the rows themselves are read."""

    def work(self, n_active: int) -> float:
        """Return about how many seconds queries with so many active units in all take."""
        return self.cost * n_active * self.store.indices.size / max(self.store.largest, 1)

    def count(self, queries: Any, b: int, floors: np.ndarray, counts: Any, *place: int) -> None:
        """Count the units that queries share with the rows of a block."""
        store, mask = self.store, np.zeros(self.store.n_units, np.uint8)
        rows = store.indptr, store.indices, *store.block(b)
        count_rows(queries.indptr, queries.indices, *rows, mask, counts, *place)


class Postings:
    """For each unit the list of the rows in which it is active, block by block."""

    name: ClassVar[str] = "postings"
    #: Seconds per query and row that is counted up.
    cost: ClassVar[float] = 5e-10

    def __init__(self, store: Store) -> None:
        self.store = store
        self.blocks: list[tuple[np.ndarray, np.ndarray]] = []
        self.n_rows = 0

    @property
    def nbytes(self) -> int:
        """Bytes set aside."""
        return sum(starts.nbytes + rows.nbytes for starts, rows in self.blocks)

    def update(self, n_threads: int) -> None:
        """List the blocks that are new or have grown."""
        store = self.store
        if self.n_rows == store.n_rows:
            return
        changed = range(self.n_rows // BLOCK, store.n_blocks)
        self.blocks = self.blocks[: changed.start]

        def fill(b: int) -> tuple[np.ndarray, np.ndarray]:
            begin, end = store.block(b)
            starts = np.empty(store.n_units + 1, np.int32)
            rows = np.empty(store.indptr[end] - store.indptr[begin], np.uint16)
            fill_postings(store.indptr, store.indices, begin, end, starts, rows)
            return starts, rows

        self.blocks += map_tiles(fill, changed, n_threads)
        self.n_rows = store.n_rows

    def work(self, n_active: int) -> float:
        """Return about how many seconds queries with so many active units in all take."""
        return self.cost * n_active * self.store.indices.size / self.store.n_units

    def count(self, queries: Any, b: int, floors: np.ndarray, counts: Any, *place: int) -> None:
        """Count the units that queries share with the rows of a block."""
        begin, end = self.store.block(b)
        count_postings(
            queries.indptr, queries.indices, *self.blocks[b], end - begin, counts, *place
        )


class Packed:
    """For each unit a column of bits, one per row, cut into tiles of 8,192 rows."""

    name: ClassVar[str] = "packed"
    #: Seconds per query, row and active unit of the query.
    cost: ClassVar[float] = 5e-12

    def __init__(self, store: Store) -> None:
        self.store = store
        # An odd number: tiles do not share places in the cache, unit by unit.
        self.width = store.n_units | 1
        self.blocks: list[np.ndarray] = []
        self.n_rows = 0

    @property
    def nbytes(self) -> int:
        """Bytes set aside."""
        return sum(bits.nbytes for bits in self.blocks)

    def update(self, n_threads: int) -> None:
        """Set the bits of new rows."""
        store = self.store
        if self.n_rows == store.n_rows:
            return
        changed = range(self.n_rows // BLOCK, store.n_blocks)
        nothing = np.zeros((0, self.width, STEP, WORDS), np.uint64)
        self.blocks += [nothing] * (store.n_blocks - len(self.blocks))

        def fill(b: int) -> None:
            begin, end = store.block(b)
            bits = self.blocks[b] = self._roomy(self.blocks[b], -(-(end - begin) // TILE))
            new = max(begin, self.n_rows)
            set_bits(store.indptr, store.indices, new, end, begin, bits)

        map_tiles(fill, changed, n_threads)
        self.n_rows = store.n_rows

    def _roomy(self, bits: np.ndarray, n_tiles: int) -> np.ndarray:
        """Return the bits of a block with room for so many tiles."""
        if n_tiles <= len(bits):
            return bits
        roomy = np.zeros(
            (min(max(n_tiles, 2 * len(bits)), BLOCK // TILE), *bits.shape[1:]), bits.dtype
        )
        roomy[: len(bits)] = bits
        return roomy

    def work(self, n_active: int) -> float:
        """Return about how many seconds queries with so many active units in all take."""
        return self.cost * n_active * self.store.n_rows

    def count(self, queries: Any, b: int, floors: np.ndarray, counts: Any, *place: int) -> None:
        """Count the units that queries share with the rows of a block; see `count_packed`."""
        begin, end = self.store.block(b)
        n_planes = max(min(queries.largest, self.store.largest).bit_length(), FEWEST_PLANES)
        planes, rest = np.empty(WORDS * n_planes, np.uint64), np.empty(COUNTERS, counts.dtype)
        count_packed(
            queries.indptr, queries.indices, self.blocks[b].reshape(-1), self.width, end - begin,
            floors, n_planes, planes, rest, counts, *place,
        )  # fmt: skip


LAYOUTS: dict[str, Any] = {layout.name: layout for layout in (Postings, Packed, Mask)}


def cheapest(store: Store, n_queries: int) -> str:
    """Return the layout that was measured to be fastest for such codes and so many queries."""
    n_entries = store.indices.size
    if n_queries * n_entries <= _FEW:
        return Mask.name
    dense = n_entries >= _DENSE * store.n_rows * store.n_units
    return Packed.name if dense and store.n_rows >= _ENOUGH else Postings.name
