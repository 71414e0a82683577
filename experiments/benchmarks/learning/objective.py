"""How good a learned dictionary is: by the l1 objective of other samples, certified."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.benchmarks._bases import BaseObjective
from sparsecode.core import normalize
from sparsecode.penalties import L1
from sparsecode.solvers import encode


class Objective(BaseObjective):
    """min_z 1/2 ||x - zD||^2 + alpha ||z||_1 of samples that were held out; atoms of norm 1."""

    name = "Dictionary learning"
    parameters = {"batch_size": [256]}  # noqa: RUF012
    test_config = {"batch_size": 32}  # noqa: RUF012
    test_dataset_name = "natural-images"
    sampling_strategy = "iteration"
    alpha = 0.15
    measure = "test objective"
    reduce = staticmethod(np.mean)
    batch_size: int

    def skip(self, **data: Any) -> tuple[bool, str | None]:
        """Pass over data that are not there."""
        return ("missing" in data, data.get("missing"))

    def set_data(self, X: np.ndarray, dictionary: np.ndarray, held_out: np.ndarray) -> None:
        """Take samples, the atoms that everybody starts from, and other samples to judge by."""
        self.X, self.D, self.held_out = X, dictionary, held_out

    def get_objective(self) -> dict[str, Any]:
        """Return what every learner is told."""
        return {
            "X": self.X,
            "dictionary": self.D,
            "alpha": self.alpha,
            "batch_size": self.batch_size,
        }

    def judge(self, dictionary: np.ndarray) -> np.ndarray:
        """Return the objective of each held-out sample; atoms shorter than 1 are lengthened."""
        D = normalize(np.asarray(dictionary, dtype=np.float64))
        return encode(self.held_out, D, L1(self.alpha)).objective

    def evaluate_result(self, dictionary: np.ndarray) -> dict[str, float]:
        """Return the mean objective of the held-out samples."""
        return {"value": float(self.judge(dictionary).mean())}

    def get_one_result(self) -> dict[str, Any]:
        """Return the atoms that everybody starts from."""
        return {"dictionary": self.D}
