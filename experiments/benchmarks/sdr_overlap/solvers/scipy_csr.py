"""Products of a SciPy CSR array with dense queries."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from experiments.benchmarks.sdr_overlap._searcher import Searcher
from sparsecode.core import SparseCode


class Solver(Searcher):
    """Stored rows times queries as columns, in int16."""

    name = "SciPy CSR @ dense"
    parameters = {"batch": ["all", "single"], "n_threads": [1]}  # noqa: RUF012
    requires = "scipy"

    def store(self, stored: SparseCode) -> None:
        """Give every active unit a one."""
        self.rows = sparse.csr_array(stored.to_scipy().astype(np.int16))

    def query(self, X: SparseCode) -> np.ndarray:
        """Return dense columns."""
        return np.ascontiguousarray(X.to_dense().reshape(X.shape).T, dtype=np.int16)

    def overlaps(self, query: np.ndarray) -> Any:
        """Multiply."""
        return (self.rows @ query).T
