"""What all learners share: a number of batches, and where they start."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.benchmarks._coder import Contestant

__all__ = ["Learner"]


class Learner(Contestant):
    """A way to learn a dictionary from a number of batches of the samples."""

    sampling_strategy = "iteration"

    def set_objective(
        self, X: np.ndarray, dictionary: np.ndarray, alpha: float, batch_size: int
    ) -> None:
        """Take samples, first atoms, the weight of l1 and the size of batches."""
        self.X = np.ascontiguousarray(X, dtype=self.dtype)
        self.D = np.ascontiguousarray(dictionary, dtype=self.dtype)
        self.alpha, self.batch_size = alpha, batch_size

    def warm_up(self) -> None:
        """Learn from one batch, so that everything is compiled and loaded."""
        self.pre_run_hook(1)
        self.run(1)

    def pre_run_hook(self, stop_val: int) -> None:
        """Lay out as many batches as are wanted, from the first again after the last."""
        self.batches = self.X[np.arange(int(stop_val) * self.batch_size) % len(self.X)]

    def solve(self, stop_val: int) -> np.ndarray:
        """Return the first atoms, or what is learned from some batches."""
        return self.learn() if len(self.batches) else self.D

    def learn(self) -> np.ndarray:
        """Return the atoms that `batches` teach."""
        raise NotImplementedError

    def get_result(self) -> dict[str, Any]:
        """Return the atoms of the last run."""
        return {"dictionary": self.result}
