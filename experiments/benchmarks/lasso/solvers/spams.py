"""`spams.lasso`: the exact path of LARS, sample by sample in C++."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.benchmarks._coder import Coder


class Solver(Coder):
    """Least-angle regression on the Gram matrix."""

    name = "spams"
    parameters = {"dtype": ["float64", "float32"], "n_threads": [1]}  # noqa: RUF012
    requires = "spams"
    licence = "GPL-3"

    def solve(self, stop_val: Any) -> Any:
        """Follow the path down to alpha."""
        import spams

        codes = spams.lasso(
            np.asfortranarray(self.X.T), np.asfortranarray(self.D.T),
            lambda1=self.penalty.alpha, numThreads=self.n_threads,
        )  # fmt: skip
        return codes.T
