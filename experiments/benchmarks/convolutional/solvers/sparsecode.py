"""`greedy_cd`, `interior_point` and `fista` of `sparsecode.convolutional`."""

from __future__ import annotations

from typing import Any

from experiments.benchmarks.convolutional._iterative import Convolver
from sparsecode import convolutional


class Solver(Convolver):
    """Codes to a certified tolerance."""

    name = "sparsecode"
    parameters = {  # noqa: RUF012
        "dtype": ["float32"],
        "n_threads": [1],
        "rule": ["greedy_cd", "interior_point", "fista"],
        "max_iter": [10_000],
    }
    sampling_strategy = "tolerance"
    rule: str
    max_iter: int

    def warm_up(self) -> None:
        """Code roughly, so that everything is compiled and loaded."""
        self.run(0.5)

    def solve(self, stop_val: float) -> Any:
        """Code to a tolerance of at most 1."""
        solver = getattr(convolutional, self.rule)
        return solver(
            self.X, self.D, self.penalty, tol=min(stop_val, 1.0), max_iter=self.max_iter,
            n_threads=self.n_threads,
        )  # fmt: skip

    def get_result(self) -> dict[str, Any]:
        """Return the code of the last run."""
        return {"code": self.result.code}
