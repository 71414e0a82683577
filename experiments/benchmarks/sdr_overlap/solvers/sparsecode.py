"""`sparsecode.core.OverlapIndex`."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.benchmarks.sdr_overlap._searcher import Searcher
from sparsecode.core import OverlapIndex, SparseCode


class Solver(Searcher):
    """Columns of bits or lists of rows, chosen by density."""

    name = "sparsecode"
    parameters = {"batch": ["single", "all"], "n_threads": [1]}  # noqa: RUF012

    def store(self, stored: SparseCode) -> None:
        """Add the SDRs, and let the layout be chosen."""
        self.index = OverlapIndex(stored.unit_shape)
        self.index.add(stored)

    def overlaps(self, query: SparseCode) -> np.ndarray:
        """Count all overlaps."""
        return self.index.overlaps(query, n_threads=self.n_threads)

    def best(self, query: SparseCode) -> Any:
        """Search."""
        found = self.index.search(query, k=10, n_threads=self.n_threads)
        return found.overlaps.reshape(len(query), -1)
