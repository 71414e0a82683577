"""What all solvers share: ours, told how precise to be, and peers, told how often to iterate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from experiments.benchmarks._coder import Contestant

__all__ = ["Convolver", "Iterative"]


class Convolver(Contestant):
    """A way to code one photograph over kernels."""

    #: Whether a run goes on where the last one stopped.
    resumes = False

    def set_objective(self, X: np.ndarray, dictionary: np.ndarray, penalty: Any) -> None:
        """Take a photograph, kernels and penalty, in the type asked for."""
        self.X = np.ascontiguousarray(X, dtype=self.dtype)
        self.D = np.ascontiguousarray(dictionary, dtype=self.dtype)
        self.penalty = penalty


class Iterative(Convolver, ABC):
    """A way that iterates, and goes on where it stopped until `pre_run_hook` sends it back."""

    sampling_strategy = "iteration"
    resumes = True

    def warm_up(self) -> None:
        """Iterate once on the whole photograph, as transforms are planned for its size."""
        self.pre_run_hook(1)
        self.run(1)

    def pre_run_hook(self, stop_val: Any) -> None:
        """Send it back to the start."""
        self.n_done: int | None = None

    def solve(self, stop_val: int) -> Any:
        """Iterate until there were as many iterations as asked for, at least one."""
        if self.n_done is None:
            self.start()
            self.n_done = 0
        n_iter = max(int(stop_val), 1)
        self.advance(n_iter - self.n_done)
        self.n_done = n_iter

    def curvature(self) -> float:
        """Return the largest eigenvalue of the data term's Hessian."""
        power = np.abs(np.fft.rfft2(self.D[:, 0], self.X.shape[2:])) ** 2
        return float(power.sum(axis=0).max())

    @abstractmethod
    def start(self) -> None:
        """Set everything up."""

    @abstractmethod
    def advance(self, n_iter: int) -> None:
        """Iterate some more."""

    @abstractmethod
    def code(self) -> np.ndarray:
        """Return the maps, shape (n_atoms, height, width)."""

    def get_result(self) -> dict[str, Any]:
        """Return the code of the last run."""
        return {"code": self.code()}
