"""`sparsecode.solvers.ols` and `sparsecode.solvers.omp`."""

from __future__ import annotations

from typing import Any

from experiments.benchmarks._coder import Coder
from sparsecode import solvers
from sparsecode.solvers import _problem


class Solver(Coder):
    """Greedy pursuits over tiles of samples; without `gram`, as over far more atoms."""

    name = "sparsecode"
    parameters = {  # noqa: RUF012
        "rule": ["ols", "omp"],
        "dtype": ["float32", "float64"],
        "n_threads": [1],
        "gram": [True],
    }
    rule: str
    gram: bool

    def solve(self, stop_val: Any) -> Any:
        """Choose atom after atom."""
        pursue = solvers.get(self.rule)
        most = _problem.GRAM_BYTES
        try:
            _problem.GRAM_BYTES = most if self.gram else 0
            return pursue(self.X, self.D, n_nonzero=self.n_nonzero, n_threads=self.n_threads).code
        finally:
            _problem.GRAM_BYTES = most
