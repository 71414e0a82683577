"""How good l1 codes are: by their duality gap, from the codes alone, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.benchmarks._bases import BaseObjective
from experiments.benchmarks._coder import as_code
from sparsecode.penalties import L1
from sparsecode.solvers import SolverResult, alpha_for_density, certify


class Objective(BaseObjective):
    """1/2 ||x - zD||^2 + alpha ||z||_1 per sample, at the alpha that gives a wanted density."""

    name = "Lasso"
    parameters = {"percent_active": [5, 2]}  # noqa: RUF012
    test_config = {"percent_active": 10}  # noqa: RUF012
    test_dataset_name = "natural-images"
    #: What the ratio tables hold coders to, and how samples are summed up.
    measure = "largest gap"
    reduce = staticmethod(np.max)
    percent_active: int

    def skip(self, **data: Any) -> tuple[bool, str | None]:
        """Pass over data that are not there."""
        return ("missing" in data, data.get("missing"))

    def set_data(self, X: np.ndarray, dictionary: np.ndarray) -> None:
        """Take samples and atoms, and find alpha."""
        self.X, self.D = X, dictionary
        density = self.percent_active / 100  # benchopt cuts the names of files at a point
        self.penalty = L1(alpha_for_density(X[:500], dictionary, "l1", density))

    def get_objective(self) -> dict[str, Any]:
        """Return what every solver is told."""
        return {"X": self.X, "dictionary": self.D, "penalty": self.penalty}

    def certify(self, code: Any) -> SolverResult:
        """Certify the codes of the first samples."""
        code = as_code(code)
        return certify(self.X[: code.shape[0]], self.D, self.penalty, code)

    def judge(self, code: Any) -> np.ndarray:
        """Return the duality gap of each sample, relative to 1/2 ||x||^2."""
        return self.certify(code).certificate

    def evaluate_result(self, code: Any) -> dict[str, float]:
        """Return the mean objective, the gaps and the density."""
        proof = self.certify(code)
        return {
            "value": float(proof.objective.mean()),
            "largest_gap": float(proof.certificate.max()),
            "median_gap": float(np.median(proof.certificate)),
            "density": proof.code.density,
        }

    def get_one_result(self) -> dict[str, Any]:
        """Return codes of zeros."""
        return {"code": np.zeros((len(self.X), len(self.D)))}
