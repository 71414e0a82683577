"""Which segments each cell reaches: lists by which whole batches are compared with a bank."""

from __future__ import annotations

import numpy as np

from sdr._dendrites_kernels import STEP, count_tile
from sparsecode._jit import threads
from sparsecode._parallel import map_tiles
from sparsecode.core import SparseCode

__all__ = ["SegmentLists"]

#: Segments that are counted together: their overlaps stay in the fastest cache.
TILE = 2**14
#: Samples that one thread takes at a time.
ROWS = 256


class SegmentLists:
    """Lists of segments by cell, tile by tile; a segment has at most 65,535 synapses."""

    def __init__(self, synapses: SparseCode) -> None:
        self.n_segments = synapses.n_samples
        self.tiles = []
        for first in range(0, self.n_segments, TILE):
            columns = synapses[first : first + TILE].to_scipy().tocsc()
            starts = columns.indptr.astype(np.int64)
            self.tiles.append((starts, columns.indices.astype(np.uint16)))

    @property
    def nbytes(self) -> int:
        """Bytes of all lists."""
        return sum(array.nbytes for tile in self.tiles for array in tile)

    def count(
        self, code: SparseCode, threshold: int, n_threads: int | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return sample, segment and overlap of each overlap from `threshold` on, in order."""
        jobs = [
            (first, tile)
            for first in range(0, code.n_samples, ROWS)
            for tile in range(len(self.tiles))
        ]
        with threads(n_threads) as width:
            parts = map_tiles(lambda job: self._count_tile(code, *job, threshold), jobs, width)
        if not parts:
            return np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.uint16)
        samples, segments, found = (np.concatenate(column) for column in zip(*parts))
        if len(self.tiles) > 1:  # of each sample, tiles in turn
            order = np.argsort(samples, kind="stable")
            samples, segments, found = samples[order], segments[order], found[order]
        return samples, segments, found

    def _count_tile(
        self, code: SparseCode, first: int, tile: int, threshold: int
    ) -> list[np.ndarray]:
        """Return sample, segment and overlap of each overlap with one tile, for some samples."""
        indptr = code.indptr[first : first + ROWS + 1]
        n_segments = min(TILE, self.n_segments - tile * TILE)
        overlaps = np.zeros(-(-n_segments // STEP) * STEP, np.uint16)
        room = 4 * overlaps.size
        samples, segments = np.empty(room, np.int64), np.empty(room, np.int32)
        found = np.empty(room, np.uint16)
        parts, done = [], 0
        while done < indptr.size - 1:
            n_found, done = count_tile(
                indptr, code.indices, done, *self.tiles[tile], threshold, overlaps, samples,
                segments, found,
            )  # fmt: skip
            parts.append(
                [
                    samples[:n_found] + first,
                    segments[:n_found] + np.int32(tile * TILE),
                    found[:n_found].copy(),
                ]
            )
        return [np.concatenate(column) for column in zip(*parts)]
