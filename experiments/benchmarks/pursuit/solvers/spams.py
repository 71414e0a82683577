"""`spams.omp`, which chooses atoms as orthogonal least squares does."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.benchmarks._coder import Coder


class Solver(Coder):
    """Orthogonal least squares; without eps=0.0 its codes may be all zero in float32."""

    name = "spams"
    parameters = {"dtype": ["float32", "float64"], "n_threads": [1]}  # noqa: RUF012
    requires = "spams"
    licence = "GPL-3"

    def solve(self, stop_val: Any) -> Any:
        """Choose atom after atom."""
        import spams

        codes = spams.omp(
            np.asfortranarray(self.X.T), np.asfortranarray(self.D.T),
            L=self.n_nonzero, eps=0.0, numThreads=self.n_threads,
        )  # fmt: skip
        return codes.T
