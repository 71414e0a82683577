"""What memories with graded weights share: who was active with whom, and the best units."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from memory._coactivation_kernels import count_pairs
from memory._protocol import AssociativeMemory, Recall
from sparsecode._jit import threads
from sparsecode._parallel import map_tiles, tiles_of
from sparsecode.core.code import SparseCode
from sparsecode.core.ops import overlap

__all__ = ["CoactivationMemory", "best_units"]

#: Cues that are recalled together, and patterns that are added up together.
TILE, BATCH = 128, 1024
#: Share of active units from which on patterns are multiplied as dense matrices.
DENSE = 0.1


class CoactivationMemory(AssociativeMemory):
    """Base of memories whose weights follow from how often units were active, alone and in pairs.

    The counts are kept, so that the order and the batches of patterns do not matter; the weights
    are made of them when they are first needed after a store.
    """

    max_iter: int
    n_winners: int | None

    def __init__(self) -> None:
        self._pairs = np.zeros((0, 0), np.float32)
        self._made: tuple[np.ndarray, np.ndarray] | None = None

    @abstractmethod
    def _make(self) -> tuple[np.ndarray, np.ndarray]:
        """Return weights in float32, with zeros on the diagonal, and the bias of each unit."""

    @abstractmethod
    def _choose(self, fields: np.ndarray) -> np.ndarray:
        """Return which units are active at these fields."""

    @property
    def n_weights(self) -> int:
        """Number of weights, each pair of units once; 0 before the first pattern."""
        n = len(self._pairs)
        return n * (n - 1) // 2

    @property
    def nbytes(self) -> int:
        """Bytes of the counts, and of the weights that recall makes of them: twice as many."""
        return 2 * self._pairs.nbytes

    @property
    def _mass(self) -> float:
        """Sum of the weights of all patterns, in the units of the counts."""
        return float(self.n_stored)

    @property
    def _activity(self) -> float:
        """Mean number of active units of a pattern."""
        return float(np.trace(self._pairs, dtype=np.float64)) / self._mass

    def _add(self, code: SparseCode, weights: np.ndarray | None = None) -> None:
        """Count the active units and pairs of patterns, each with a weight, 1 by default."""
        if not self.n_stored:
            self.unit_shape = code.unit_shape
            self._pairs = np.zeros((code.n_units, code.n_units), np.float32)
        if weights is None and len(code.indices) > DENSE * np.prod(code.shape):
            for first in range(0, code.n_samples, BATCH):
                part = code[first : first + BATCH].to_dense().reshape(-1, code.n_units)
                part = part.astype(np.float32)
                self._pairs += part.T @ part
        else:
            if weights is None:
                weights = np.ones(code.n_samples)
            indptr, indices = code.indptr.astype(np.int64), code.indices.astype(np.int32)
            count_pairs(indptr, indices, weights.astype(np.float32), self._pairs)
        self.n_stored += code.n_samples
        self._made = None

    def _recall(self, cues: Any, n_threads: int | None) -> Recall:
        """Go on from every cue until the answer stays."""
        code = self._check_cues(cues)
        if self._made is None:
            self._made = self._make()
        with threads(n_threads) as width:
            tiles = tiles_of(code.n_samples, TILE)
            found = map_tiles(lambda rows: self._settle(code[rows]), tiles, width)
        answer = SparseCode.concatenate([code[:0], *found])
        shared = overlap(code, answer, rowwise=True)
        return Recall(answer, shared / np.maximum(code.n_active, 1), answer)

    def _settle(self, code: SparseCode) -> SparseCode:
        """Return what some cues lead to."""
        assert self._made is not None
        weights, bias = self._made
        for _ in range(self.max_iter):
            fields = code.to_scipy().astype(np.float32) @ weights + bias
            active = self._choose(fields) & (code.n_active > 0)[:, None]
            following = SparseCode.from_dense(active.reshape(-1, *code.unit_shape))
            if following == code:
                break
            code = following
        return code

    def _arrays(self) -> dict[str, np.ndarray]:
        return {"pairs": self._pairs}

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        pairs = np.ascontiguousarray(arrays["pairs"], np.float32)
        n_units = int(np.prod(self.unit_shape or (0,)))
        if pairs.shape != (n_units, n_units):
            raise ValueError(f"pairs must be {n_units} x {n_units}; got {pairs.shape}.")
        self._pairs, self._made = pairs, None


def best_units(fields: np.ndarray, k: int) -> np.ndarray:
    """Mark the `k` units of each row with the largest fields, the first of equals."""
    k = min(k, fields.shape[1])
    bar = np.partition(fields, fields.shape[1] - k, axis=1)[:, -k][:, None]
    chosen = fields >= bar
    many = np.flatnonzero(chosen.sum(axis=1) > k)
    if many.size:
        above, equal = fields[many] > bar[many], fields[many] == bar[many]
        room = k - above.sum(axis=1, keepdims=True)
        chosen[many] = above | (equal & (np.cumsum(equal, axis=1) <= room))
    return chosen
