"""Whether overlaps with stored SDRs are right: against SciPy's sparse product, one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from experiments.benchmarks._bases import BaseObjective
from sparsecode.core import SparseCode


class Objective(BaseObjective):
    """All overlaps of each query with the stored SDRs, or the ten largest."""

    name = "SDR overlap"
    parameters = {"task": ["all", "ten largest"]}  # noqa: RUF012
    test_config = {"task": "ten largest"}  # noqa: RUF012
    test_dataset_name = "sdrs"
    #: What the ratio tables hold everybody to, and how queries are summed up.
    measure = "wrong overlaps"
    reduce = staticmethod(np.max)
    task: str

    def set_data(self, X: SparseCode, stored: SparseCode) -> None:
        """Take queries and stored SDRs."""
        self.X, self.stored = X, stored

    def get_objective(self) -> dict[str, Any]:
        """Return what everybody is told."""
        return {"X": self.X, "stored": self.stored, "task": self.task}

    def judge(self, overlaps: np.ndarray) -> np.ndarray:
        """Return how many numbers are wrong for each query."""
        overlaps = np.asarray(overlaps)
        columns = sparse.csc_array(self.stored.to_scipy())
        wrong = np.empty(len(overlaps))
        for i, found in enumerate(overlaps):
            units = self.X[i].indices
            wanted = np.bincount(columns[:, units].indices, minlength=self.stored.n_samples)
            if self.task != "all":
                wanted = np.sort(wanted)[::-1][: found.size]
            wrong[i] = np.count_nonzero(found != wanted)
        return wrong

    def evaluate_result(self, overlaps: np.ndarray) -> dict[str, float]:
        """Return the mean number of wrong overlaps of a query."""
        return {"value": float(self.judge(overlaps).mean())}

    def get_one_result(self) -> dict[str, Any]:
        """Return overlaps that no SDR has."""
        width = self.stored.n_samples if self.task == "all" else min(10, self.stored.n_samples)
        return {"overlaps": np.full((self.X.n_samples, width), -1)}
