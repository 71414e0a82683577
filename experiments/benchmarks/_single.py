"""Peers that fit one sample at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.benchmarks._coder import Coder

__all__ = ["SingleCoder"]


class SingleCoder(Coder):
    """A loop over samples around a regression with the atoms as columns.

    These peers divide the data term by the number of rows, which is n_features here.
    """

    sampling_strategy = "tolerance"

    def set_objective(self, X: np.ndarray, dictionary: np.ndarray, **problem: Any) -> None:
        """Take the problem, and lay the atoms out as these peers like them."""
        super().set_objective(X, dictionary, **problem)
        self.columns = np.asfortranarray(self.D.T)
        self.n_rows = len(self.columns)

    def solve(self, stop_val: float) -> Any:
        """Fit every sample, to a tolerance of at most 1."""
        return self.fit(min(stop_val, 1.0))

    def fit(self, tol: float) -> np.ndarray:
        """Return a row of coefficients per sample."""
        raise NotImplementedError
