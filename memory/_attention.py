"""Softmax retrieval in tiles: means of stored rows, weighed by how well they match a state."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sparsecode._parallel import map_tiles

__all__ = ["attend", "log_sums"]

#: States that are treated together, stored rows that are, and threads that their groups can use.
STATES, ROWS, GROUPS = 128, 256, 8

#: Returns stored rows from one place up to another, as an array of floats.
Rows = Callable[[int, int], np.ndarray]


class Partial(NamedTuple):
    """What some rows contribute to states: relative to the largest exponent among them."""

    largest: np.ndarray
    total: np.ndarray
    mean: np.ndarray


def attend(
    rows: Rows, n_stored: int, states: np.ndarray, beta: float, n_threads: int
) -> np.ndarray:
    """Return ``softmax(beta * states @ X.T) @ X`` for the stored rows ``X``.

    Never more than a tile of scores is held. Tiles depend on the sizes alone, and are put together
    in their order, so that the result does not depend on the number of threads.
    """
    out = np.empty_like(states)
    for first in range(0, len(states), STATES):
        tile = states[first : first + STATES]
        parts = map_tiles(
            lambda group, tile=tile: _attend_group(rows, group, tile, beta),  # type: ignore[misc]
            _groups(n_stored),
            n_threads,
        )
        whole = parts[0]
        for part in parts[1:]:
            whole = _join(whole, part)
        np.divide(whole.mean, whole.total[:, None], out=out[first : first + STATES])
    return out


def log_sums(rows: Rows, n_stored: int, states: np.ndarray, beta: float) -> np.ndarray:
    """Return ``log(sum(exp(beta * states @ X.T)))`` over the stored rows ``X``."""
    sums = np.full(len(states), -np.inf)
    for first in range(0, n_stored, ROWS):
        scores = beta * (states @ rows(first, min(first + ROWS, n_stored)).T)
        sums = np.logaddexp(sums, np.logaddexp.reduce(scores, axis=1))
    return sums


def _groups(n_stored: int) -> list[slice]:
    """Cut stored rows into groups, each the work of one thread."""
    height = max(ROWS, -(-n_stored // GROUPS))
    return [slice(first, min(first + height, n_stored)) for first in range(0, n_stored, height)]


def _attend_group(rows: Rows, group: slice, states: np.ndarray, beta: float) -> Partial:
    """Return what a group of rows contributes, going through them in blocks."""
    whole = None
    for first in range(group.start, group.stop, ROWS):
        block = rows(first, min(first + ROWS, group.stop))
        weights = states @ block.T
        largest = weights.max(axis=1)
        weights -= largest[:, None]
        weights *= states.dtype.type(beta)
        np.exp(weights, out=weights)
        part = Partial(largest * states.dtype.type(beta), weights.sum(axis=1), weights @ block)
        whole = part if whole is None else _join(whole, part)
    assert whole is not None  # groups are not empty
    return whole


def _join(a: Partial, b: Partial) -> Partial:
    """Return two contributions as one; that of `a` is overwritten."""
    largest = np.maximum(a.largest, b.largest)
    scale_a, scale_b = np.exp(a.largest - largest), np.exp(b.largest - largest)
    mean = a.mean
    mean *= scale_a[:, None]
    mean += b.mean * scale_b[:, None]
    return Partial(largest, a.total * scale_a + b.total * scale_b, mean)
