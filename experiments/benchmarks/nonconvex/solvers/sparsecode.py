"""`sparsecode.solvers.encode`, from zeros or from lasso codes of the same threshold."""

from __future__ import annotations

from typing import Any

from experiments.benchmarks._coder import Coder
from sparsecode.penalties import L1
from sparsecode.solvers import encode


class Solver(Coder):
    """Codes to a tolerance; the lasso codes that they may start from are timed."""

    name = "sparsecode"
    parameters = {  # noqa: RUF012
        "start": ["lasso", "zero"],
        "dtype": ["float64", "float32"],
        "n_threads": [1],
    }
    sampling_strategy = "tolerance"
    start: str

    def solve(self, stop_val: float) -> Any:
        """Code to a tolerance of at most 1."""
        init = self.encode(L1(self.threshold), 1e-2) if self.start == "lasso" else None
        return self.encode(self.penalty, min(stop_val, 1.0), init)

    def encode(self, penalty: Any, tol: float, init: Any = None) -> Any:
        """Return codes for a penalty."""
        return encode(self.X, self.D, penalty, init=init, tol=tol, n_threads=self.n_threads).code
