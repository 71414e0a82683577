"""`sparsecode.solvers.encode`."""

from __future__ import annotations

from typing import Any

from experiments.benchmarks._coder import Coder
from sparsecode.solvers import encode


class Solver(Coder):
    """Codes to a certified tolerance."""

    name = "sparsecode"
    parameters = {"dtype": ["float64", "float32"], "n_threads": [1]}  # noqa: RUF012
    sampling_strategy = "tolerance"

    def solve(self, stop_val: float) -> Any:
        """Code to a tolerance of at most 1."""
        tol = min(stop_val, 1.0)
        return encode(self.X, self.D, self.penalty, tol=tol, n_threads=self.n_threads).code
