"""The arrays of a temporal memory: made, grown by halves more, written out and read back."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from sdr import _segment_kernels as k
from sdr import _temporal_kernels as kernels
from sdr._temporal_check import check_store
from sparsecode.core.code import SparseCode

__all__ = ["Segments", "Store"]

#: Segments and chunks of postings that a new memory has room for.
ROOM = 1024
#: What is kept in files, and the counter of `state` that says how much of it is in use.
KEPT = {
    "cells": None, "state": None, "segments": k.N_SEGMENTS, "presynaptic": k.N_SEGMENTS,
    "permanences": k.N_SEGMENTS, "used": k.N_SEGMENTS, "chunks": k.N_CHUNKS,
    "active": k.N_ACTIVE, "winners": k.N_WINNERS,
}  # fmt: skip


class Segments(NamedTuple):
    """All segments of a memory, in the order of their cells.

    Attributes
    ----------
    cells : ndarray of int32, shape (n_segments,)
        Cell that each segment belongs to; cell ``c * n_cells + i`` is the i-th of column ``c``.
    indptr : ndarray of int64, shape (n_segments + 1,)
        Segment ``s`` has the synapses ``indptr[s]:indptr[s + 1]``.
    presynaptic : ndarray of int32, shape (n_synapses,)
        Cell that each synapse listens to, ascending within a segment.
    permanences : ndarray of float32, shape (n_synapses,)
        Their permanences.
    """

    cells: np.ndarray
    indptr: np.ndarray
    presynaptic: np.ndarray
    permanences: np.ndarray


class Store:
    """The arrays that the kernels work on."""

    def __init__(self, n_columns: int, n_cells: int, limits: np.ndarray) -> None:
        self.limits = limits
        width = min(-(-int(limits[k.MAX_NEW]) // 8) * 8, int(limits[k.MAX_SYNAPSES]))
        self.cells = np.zeros((n_cells, 4), np.int32)
        self.cells[:, [k.HEAD, k.FIRST]] = -1
        self.segments = np.zeros((ROOM, 3), np.int32)
        self.presynaptic = np.zeros((ROOM, width), np.int32)
        self.permanences = np.zeros((ROOM, width), np.float32)
        self.used = np.zeros(ROOM, np.int64)
        self.chunks = np.zeros((ROOM, 1 + k.ENTRIES), np.int32)
        self.state = np.zeros(k.N_STATE, np.int64)
        self.state[[k.FREE_SEGMENT, k.FREE_CHUNK]] = -1
        self.marks = np.zeros(n_cells, np.uint8)
        self.active = np.zeros(n_cells, np.int32)
        self.winners = np.zeros(n_cells, np.int32)
        self.others = np.zeros((2, n_cells), np.int32)
        self.candidates = np.zeros(n_cells, np.int32)
        self.heads = np.full((2, n_columns), -1, np.int32)
        self._make_lists()

    def _make_lists(self) -> None:
        """Make the lists of segments as long as there may be segments."""
        room = len(self.segments)
        self.counts = np.zeros(room, np.int32)
        self.touched = np.zeros(room + 1, np.int32)  # one more than can be listed is written
        self.firing, self.matching = np.zeros((2, room), np.int32)
        self.links = np.zeros((2, room), np.int32)

    def step(
        self, indptr: np.ndarray, columns: np.ndarray, rates: np.ndarray, learning: bool
    ) -> np.ndarray:
        """Take all steps, growing where a step needs room; return their anomaly."""
        anomaly, done = np.zeros(indptr.size - 1), 0
        while True:
            done += kernels.run(
                indptr[done:], columns, learning, self.limits, rates, self._memory(),
                self.counts, self.used, self.marks, self.active, self.winners, self.others,
                self.firing, self.matching, self.touched, self.heads, self.links, self.candidates,
                anomaly[done:],
            )  # fmt: skip
            if done == anomaly.size:
                return anomaly
            self._grow()

    def _memory(self) -> k.Memory:
        """Return what the kernels remember in."""
        return k.Memory(*(getattr(self, name) for name in k.Memory._fields))

    def depolarise(self) -> None:
        """Find out anew which segments the active cells reach."""
        kernels.depolarise(
            self.limits, self._memory(), self.counts, self.active, self.firing, self.matching,
            self.touched,
        )  # fmt: skip

    def _grow(self) -> None:
        """Make room for what the next step may need, and half as much again."""
        room, width = self.presynaptic.shape
        rows = _more(room, self.state[k.NEED_SEGMENTS])
        width = min(_more(width, self.state[k.NEED_WIDTH]), int(self.limits[k.MAX_SYNAPSES]))
        chunks = _more(len(self.chunks), self.state[k.NEED_CHUNKS])
        self.presynaptic = _enlarged(self.presynaptic, (rows, width))
        self.permanences = _enlarged(self.permanences, (rows, width))
        self.chunks = _enlarged(self.chunks, (chunks, 1 + k.ENTRIES))
        if rows > room:
            self.segments = _enlarged(self.segments, (rows, 3))
            self.used = _enlarged(self.used, (rows,))
            self._make_lists()
            self.state[k.N_TOUCHED] = 0
            self.depolarise()

    def forget_activity(self) -> None:
        """Leave no cell active and no segment depolarised."""
        self.marks[:] = 0
        self.state[[k.N_ACTIVE, k.N_WINNERS]] = 0
        self.depolarise()

    def kill(self, cells: np.ndarray) -> None:
        """Take cells out for good, with their segments; nobody hears from them any more."""
        for cell in cells:
            while (segment := int(self.cells[cell, k.FIRST])) >= 0:
                k.remove_segment(segment, self._memory())
        self.cells[cells, k.N_OWN] = -1
        self.marks[cells] = 0
        for name, counter in (("active", k.N_ACTIVE), ("winners", k.N_WINNERS)):
            listed = getattr(self, name)[: self.state[counter]]
            left = listed[self.cells[listed, k.N_OWN] >= 0]
            listed[: left.size] = left
            self.state[counter] = left.size
        self.depolarise()

    def table(self) -> Segments:
        """Return all segments, by cell, and their synapses, by presynaptic cell."""
        n_segments = self.state[k.N_SEGMENTS]
        numbers = np.flatnonzero(self.segments[:n_segments, k.CELL] >= 0)
        numbers = numbers[np.argsort(self.segments[numbers, k.CELL], kind="stable")]
        sizes = self.segments[numbers, k.SIZE]
        inside = np.arange(self.presynaptic.shape[1]) < sizes[:, None]
        presynaptic = self.presynaptic[numbers][inside]
        order = np.lexsort((presynaptic, np.repeat(np.arange(sizes.size), sizes)))
        return Segments(
            self.segments[numbers, k.CELL],
            np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]),
            presynaptic[order],
            self.permanences[numbers][inside][order],
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what a file must keep."""
        return {
            name: getattr(self, name)[: None if counter is None else self.state[counter]]
            for name, counter in KEPT.items()
        }

    def restore(self, arrays: dict[str, np.ndarray], bar: float) -> None:
        """Take over what a file kept, which must be sound, and derive the rest.

        Synapses are connected from the permanence `bar` on.
        """
        check_store(arrays, len(self.cells), self.limits, bar)
        for name, counter in KEPT.items():
            array = arrays[name].copy()
            if counter in (k.N_ACTIVE, k.N_WINNERS):
                array = _enlarged(array, getattr(self, name).shape)
            setattr(self, name, array)
        self._make_lists()
        self.marks[self.active[: self.state[k.N_ACTIVE]]] = 1
        self.state[k.N_TOUCHED] = 0
        self.depolarise()


def _more(have: int, need: int) -> int:
    """Return a size that suffices, half as large again where it does not yet."""
    return have if need <= have else max(int(need), have + have // 2)


def _enlarged(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return `array`, or a larger copy with zeros at its ends."""
    if array.shape == shape:
        return array
    larger = np.zeros(shape, array.dtype)
    larger[tuple(map(slice, array.shape))] = array
    return larger


def as_sequence(sequence: Any, sheet: tuple[int, ...]) -> SparseCode:
    """Return a binary code of columns from a code or an array of 0 and 1."""
    n_columns = int(np.prod(sheet))
    if not isinstance(sequence, SparseCode):
        array = np.asarray(sequence)
        if array.ndim < 2 or array.dtype.kind not in "biuf":
            raise ValueError(
                f"a sequence must be a binary SparseCode or an array of 0 and 1 of shape "
                f"(n_steps, {n_columns}); got {array.dtype} of shape {array.shape}."
            )
        bad = (array != 0) & (array != 1)
        if bad.any():
            raise ValueError(
                f"a sequence must hold 0 and 1 only; got {array[bad][0]:g}. Binarise it first: "
                f"with a SpatialPooler, or SparseCode.from_dense(X).binarize(k=40)."
            )
        sequence = SparseCode.from_dense(array.astype(bool))
    if not sequence.is_binary:
        raise ValueError(
            f"a sequence must be a binary SparseCode; got {sequence!r}. Call .binarize(k=40), for "
            f"instance."
        )
    if sequence.n_units != n_columns:
        raise ValueError(
            f"a sequence must have {n_columns} columns, as the memory; got {sequence!r}."
        )
    return sequence
