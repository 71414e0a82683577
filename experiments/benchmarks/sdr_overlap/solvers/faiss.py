"""faiss: `IndexBinaryFlat`, which finds the smallest Hamming distances."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.benchmarks.sdr_overlap._searcher import Searcher
from sparsecode.core import SparseCode


class Solver(Searcher):
    """A scan of packed rows; for codes of as many active units, the nearest overlap most."""

    name = "faiss IndexBinaryFlat"
    parameters = {"batch": ["single", "all"], "n_threads": [1]}  # noqa: RUF012
    requires = "faiss"
    licence = "MIT"

    def skip(self, **given: Any) -> tuple[bool, str | None]:
        """Pass over what it does not offer."""
        skipped, reason = super().skip(**given)
        if not skipped and given["task"] == "all":
            return True, "it finds the nearest only"
        return skipped, reason

    def store(self, stored: SparseCode) -> None:
        """Pack rows, some at a time."""
        import faiss

        faiss.omp_set_num_threads(self.n_threads)
        self.n_active = int(stored.n_active[0])
        self.index = faiss.IndexBinaryFlat(-(-stored.n_units // 8) * 8)
        for i in range(0, stored.n_samples, 4096):
            self.index.add(self.query(stored[i : i + 4096]))

    def query(self, X: SparseCode) -> np.ndarray:
        """Return rows of bytes."""
        return np.packbits(X.to_dense().reshape(X.shape), axis=1)

    def best(self, query: np.ndarray) -> Any:
        """Search, and turn distances into overlaps."""
        distances, _ = self.index.search(query, min(10, self.n_stored))
        return self.n_active - distances // 2
