"""`sparsecode.solvers.ols` and `sparsecode.solvers.omp`."""

from __future__ import annotations

from typing import Any

from experiments.benchmarks._coder import Coder
from sparsecode import solvers


class Solver(Coder):
    """Greedy pursuits over tiles of samples."""

    name = "sparsecode"
    parameters = {  # noqa: RUF012
        "rule": ["ols", "omp"],
        "dtype": ["float32", "float64"],
        "n_threads": [1],
    }
    rule: str

    def solve(self, stop_val: Any) -> Any:
        """Choose atom after atom."""
        pursue = solvers.get(self.rule)
        return pursue(self.X, self.D, n_nonzero=self.n_nonzero, n_threads=self.n_threads).code
