"""`spams.omp` with a price per atom: greedy, for l0 only."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.benchmarks._coder import Coder
from sparsecode.penalties import L0


class Solver(Coder):
    """Orthogonal least squares that stops where the next atom is not worth its price."""

    name = "spams"
    parameters = {"dtype": ["float64", "float32"], "n_threads": [1]}  # noqa: RUF012
    requires = "spams"
    licence = "GPL-3"

    def skip(self, **given: Any) -> tuple[bool, str | None]:
        """Pass over other penalties."""
        skipped, reason = super().skip(**given)
        if not skipped and not isinstance(given["penalty"], L0):
            return True, "spams.omp minimises l0 only"
        return skipped, reason

    def solve(self, stop_val: Any) -> Any:
        """Choose atom after atom."""
        import spams

        codes = spams.omp(
            np.asfortranarray(self.X.T), np.asfortranarray(self.D.T), L=self.D.shape[1], eps=0.0,
            lambda1=self.penalty.alpha, numThreads=self.n_threads,
        )  # fmt: skip
        return codes.T
