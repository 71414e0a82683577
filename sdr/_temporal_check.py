"""Whether arrays of a file can be those of a temporal memory, which its kernels take on trust."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sdr import _segment_kernels as k

__all__ = ["check_store"]

#: What the shapes of each array begin with, as names of counters, and its dtype.
_FORMS = {
    "cells": (None, np.int32), "state": (None, np.int64), "segments": (k.N_SEGMENTS, np.int32),
    "presynaptic": (k.N_SEGMENTS, np.int32), "permanences": (k.N_SEGMENTS, np.float32),
    "used": (k.N_SEGMENTS, np.int64), "chunks": (k.N_CHUNKS, np.int32),
    "active": (k.N_ACTIVE, np.int32), "winners": (k.N_WINNERS, np.int32),
}  # fmt: skip


def check_store(
    arrays: Mapping[str, np.ndarray], n_cells: int, limits: np.ndarray, bar: float
) -> None:
    """Raise a ValueError or KeyError unless every index and list in the arrays is sound.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        What a store of a temporal memory keeps in files.
    n_cells : int
        Cells of the memory.
    limits : ndarray of int64
        Its limits.
    bar : float
        Permanence from which a synapse is connected.
    """
    _check_forms(arrays, n_cells)
    cells, segments, state = arrays["cells"], arrays["segments"], arrays["state"]
    n_segments, n_chunks = len(segments), len(arrays["chunks"])
    width = arrays["presynaptic"].shape[1]
    _require(0 < width <= limits[k.MAX_SYNAPSES], "the number of synapses")
    _require(_within(cells[:, k.N_OWN], -1, limits[k.MAX_SEGMENTS] + 1), "segments of a cell")
    _require(_within(cells[:, k.FILLED], 0, k.ENTRIES + 1), "postings of a cell")
    _require(_within(segments[:, k.CELL], -1, n_cells), "cells of segments")
    _require(_within(segments[:, k.SIZE], 0, width + 1), "sizes of segments")
    _require(_within(state[[k.DRAW, k.CARRY]], 0, 2**32), "random state")
    _require(state[k.CARRY] < 698769069, "random state")
    _require(_within(state[[k.NEED_SEGMENTS, k.NEED_CHUNKS, k.NEED_WIDTH]], 0, 2**31), "needs")
    for name in ("active", "winners"):
        listed = arrays[name]
        _require(_within(listed, 0, n_cells), name)
        _require(np.unique(listed).size == listed.size, name)
    # who is referred to once at most lies in no circle that a list could enter
    heads = cells[:, k.FIRST], segments[:, k.NEXT], state[[k.FREE_SEGMENT]]
    _require(_once(heads, n_segments), "lists of segments")
    heads = cells[:, k.HEAD], arrays["chunks"][:, 0], state[[k.FREE_CHUNK]]
    _require(_once(heads, n_chunks), "lists of postings")
    _check_owners(cells, segments, int(state[k.FREE_SEGMENT]))
    _check_postings(arrays, n_cells, bar)


def _check_forms(arrays: Mapping[str, np.ndarray], n_cells: int) -> None:
    state = arrays["state"]
    _require(state.shape == (k.N_STATE,) and state.dtype == np.int64, "state")
    inner: dict[str, tuple[int, ...]]
    inner = {"cells": (4,), "segments": (3,), "chunks": (1 + k.ENTRIES,)}
    width = arrays["presynaptic"].shape[1:]
    _require(len(width) == 1, "presynaptic")
    inner |= {"presynaptic": width, "permanences": width, "state": ()}
    for name, (counter, dtype) in _FORMS.items():
        length = n_cells if name == "cells" else k.N_STATE
        if counter is not None:
            length = int(state[counter])
        wanted = (length, *inner.get(name, ()))
        _require((arrays[name].shape, arrays[name].dtype) == (wanted, dtype), name)


def _check_owners(cells: np.ndarray, segments: np.ndarray, free: int) -> None:
    """Check that the list of each cell holds its own segments, all of them."""
    owned = np.zeros(len(cells), np.int64)
    owners = np.flatnonzero(cells[:, k.FIRST] >= 0)
    listed = cells[owners, k.FIRST]
    while listed.size:
        _require(bool((segments[listed, k.CELL] == owners).all()), "lists of segments")
        owned[owners] += 1
        following = segments[listed, k.NEXT]
        owners, listed = owners[following >= 0], following[following >= 0]
    _require(np.array_equal(owned, np.maximum(cells[:, k.N_OWN], 0)), "segments of a cell")
    _require(owned.sum() == np.count_nonzero(segments[:, k.CELL] >= 0), "lists of segments")
    unowned = segments[:, k.CELL] < 0
    _require(not segments[unowned, k.SIZE].any(), "segments of nobody")
    after = segments[unowned, k.NEXT]
    _require(bool(unowned[after[after >= 0]].all()) and (free < 0 or unowned[free]), "free list")


def _check_postings(arrays: Mapping[str, np.ndarray], n_cells: int, bar: float) -> None:
    """Check that each cell's postings are its synapses, and that those are sound."""
    segments, chunks, cells = arrays["segments"], arrays["chunks"], arrays["cells"]
    inside = np.arange(arrays["presynaptic"].shape[1]) < segments[:, k.SIZE][:, None]
    presynaptic, permanences = arrays["presynaptic"][inside], arrays["permanences"][inside]
    _require(_within(presynaptic, 0, n_cells), "presynaptic")
    _require(bool(((permanences > 0) & (permanences <= 1)).all()), "permanences")
    rows = np.repeat(np.arange(len(segments)), segments[:, k.SIZE])
    entries = 2 * rows + (permanences >= np.float32(bar))
    hearers = np.flatnonzero(cells[:, k.HEAD] >= 0)
    _require(not cells[cells[:, k.HEAD] < 0, k.FILLED].any(), "postings of a cell")
    chunk, filled = cells[hearers, k.HEAD], cells[hearers, k.FILLED]
    found = [np.empty((0, 2), np.int64)]
    while chunk.size:
        _require(bool((filled > 0).all()), "postings of a cell")
        there = np.arange(k.ENTRIES) < filled[:, None]
        found.append(np.stack([np.repeat(hearers, filled), chunks[chunk, 1:][there]], axis=1))
        following = chunks[chunk, 0]
        going = following >= 0
        hearers, chunk = hearers[going], following[going]
        filled = np.full(chunk.size, k.ENTRIES)
    ours, theirs = np.stack([presynaptic, entries], axis=1), np.concatenate(found)
    _require(ours.shape == theirs.shape, "postings")
    _require(np.array_equal(_sorted(ours), _sorted(theirs)), "postings")
    _require(arrays["state"][k.N_SYNAPSES] == len(ours), "the number of synapses")


def _sorted(pairs: np.ndarray) -> np.ndarray:
    return pairs[np.lexsort(pairs.T)]


def _within(values: np.ndarray, low: int, high: int) -> bool:
    return bool(((values >= low) & (values < high)).all())


def _once(references: tuple[np.ndarray, ...], n: int) -> bool:
    """Say whether all references below 0 or to one of n, each at most once."""
    joined = np.concatenate(references).astype(np.int64)
    given = joined[joined >= 0]
    return _within(joined, -1, n) and np.unique(given).size == given.size


def _require(holds: Any, what: str) -> None:
    if not holds:
        raise ValueError(f"{what} that no memory can have")
