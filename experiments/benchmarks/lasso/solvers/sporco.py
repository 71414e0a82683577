"""`sporco.admm.bpdn.BPDN`, all samples at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.benchmarks._coder import Coder


class Solver(Coder):
    """The alternating direction method of multipliers; its sparse variable is the code."""

    name = "sporco"
    parameters = {"dtype": ["float64"], "n_threads": [1]}  # noqa: RUF012
    requires = "sporco"
    sampling_strategy = "iteration"

    def warm_up(self) -> None:
        """Import it."""
        self.run(1)

    def solve(self, stop_val: int) -> Any:
        """Iterate as often as is asked for."""
        from sporco.admm import bpdn

        n_iter = max(int(stop_val), 1)
        options = bpdn.BPDN.Options(
            {"MaxMainIter": n_iter, "RelStopTol": 0.0, "AutoRho": {"Enabled": True}}
        )
        return bpdn.BPDN(np.asarray(self.D.T), self.X.T, self.penalty.alpha, options).solve().T
