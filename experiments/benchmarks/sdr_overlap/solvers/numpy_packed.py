"""Packed bits and `numpy.bitwise_count`."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.benchmarks.sdr_overlap._searcher import Searcher
from sparsecode.core import SparseCode


class Solver(Searcher):
    """Words of stored rows and of a query, and the bits that both have."""

    name = "NumPy packed"
    parameters = {"batch": ["single"], "n_threads": [1]}  # noqa: RUF012
    requires = "numpy"

    def skip(self, **given: Any) -> tuple[bool, str | None]:
        """Pass over a NumPy that does not count bits."""
        if not hasattr(np, "bitwise_count"):
            return True, "numpy.bitwise_count is not installed"
        return super().skip(**given)

    def store(self, stored: SparseCode) -> None:
        """Pack rows, some at a time."""
        parts = [stored[i : i + 4096] for i in range(0, stored.n_samples, 4096)]
        self.words = np.vstack([self.query(part) for part in parts])

    def query(self, X: SparseCode) -> np.ndarray:
        """Return rows of 64-bit words."""
        packed = np.packbits(X.to_dense().reshape(X.shape), axis=1)
        room = np.zeros((len(packed), -(-packed.shape[1] // 8) * 8), np.uint8)
        room[:, : packed.shape[1]] = packed
        return room.view(np.uint64)

    def overlaps(self, query: np.ndarray) -> Any:
        """Count the bits of each row."""
        return np.bitwise_count(self.words & query).sum(axis=1, dtype=np.int32)
