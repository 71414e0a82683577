"""How much k atoms leave unexplained, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.benchmarks._bases import BaseObjective
from experiments.benchmarks._coder import as_code
from sparsecode.core import reconstruct


class Objective(BaseObjective):
    """||x - zD||^2 per sample, for at most `n_nonzero` active atoms."""

    name = "Pursuit"
    parameters = {"n_nonzero": [10, 20]}  # noqa: RUF012
    test_config = {"n_nonzero": 3}  # noqa: RUF012
    test_dataset_name = "natural-images"
    sampling_strategy = "run_once"
    measure = "mean residual"
    reduce = staticmethod(np.mean)
    n_nonzero: int

    def skip(self, **data: Any) -> tuple[bool, str | None]:
        """Pass over data that are not there."""
        return ("missing" in data, data.get("missing"))

    def set_data(self, X: np.ndarray, dictionary: np.ndarray) -> None:
        """Take samples and atoms."""
        self.X, self.D = X, dictionary

    def get_objective(self) -> dict[str, Any]:
        """Return what every solver is told."""
        return {"X": self.X, "dictionary": self.D, "n_nonzero": self.n_nonzero}

    def judge(self, code: Any) -> np.ndarray:
        """Return ||x - zD||^2 of each sample, infinite where too many atoms are active."""
        code = as_code(code)
        error = self.X[: code.shape[0]] - reconstruct(code, self.D)
        return np.where(np.diff(code.indptr) <= self.n_nonzero, (error**2).sum(axis=1), np.inf)

    def evaluate_result(self, code: Any) -> dict[str, float]:
        """Return the mean residual."""
        return {"value": float(self.judge(code).mean())}

    def get_one_result(self) -> dict[str, Any]:
        """Return codes of zeros."""
        return {"code": np.zeros((len(self.X), len(self.D)))}
