"""Slices of columns of a SciPy CSC array: an inverted index."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from experiments.benchmarks.sdr_overlap._searcher import Searcher
from sparsecode.core import SparseCode


class Solver(Searcher):
    """The rows in the columns of a query's units, counted by `numpy.bincount`."""

    name = "SciPy CSC slices"
    parameters = {"batch": ["single"], "n_threads": [1]}  # noqa: RUF012
    requires = "scipy"

    def store(self, stored: SparseCode) -> None:
        """Compress columns."""
        self.columns = sparse.csc_array(stored.to_scipy())

    def query(self, X: SparseCode) -> np.ndarray:
        """Return the active units."""
        return X.indices

    def overlaps(self, query: np.ndarray) -> Any:
        """Count the rows of the slice."""
        return np.bincount(self.columns[:, query].indices, minlength=self.n_stored)
