"""How good codes with non-convex penalties are: by their objective, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.benchmarks._bases import BaseObjective
from experiments.benchmarks._coder import as_code
from sparsecode.penalties import CEL0, L0, MCP
from sparsecode.solvers import SolverResult, certify


class Objective(BaseObjective):
    """1/2 ||x - zD||^2 + penalty(z) per sample, all penalties with the same threshold, 0.13.

    For atoms of norm 1: MCP has that slope at 0 and becomes flat at three times that; l0 and CEL0
    have the weight 0.13^2 / 2, so that a lone coefficient below it is not worth its price.
    """

    name = "Non-convex"
    parameters = {"penalty": ["mcp", "cel0", "l0"]}  # noqa: RUF012
    test_dataset_name = "natural-images"
    threshold = 0.13
    measure = "mean objective"
    reduce = staticmethod(np.mean)
    penalty: str

    def skip(self, **data: Any) -> tuple[bool, str | None]:
        """Pass over data that are not there."""
        return ("missing" in data, data.get("missing"))

    def set_data(self, X: np.ndarray, dictionary: np.ndarray) -> None:
        """Take samples and atoms of norm 1."""
        self.X, self.D = X, dictionary
        weight = self.threshold**2 / 2
        self.struct = {"mcp": MCP(self.threshold, 3.0), "cel0": CEL0(weight), "l0": L0(weight)}[
            self.penalty
        ]

    def get_objective(self) -> dict[str, Any]:
        """Return what every solver is told."""
        return {
            "X": self.X,
            "dictionary": self.D,
            "penalty": self.struct,
            "threshold": self.threshold,
        }

    def certify(self, code: Any) -> SolverResult:
        """Certify the codes of the first samples."""
        code = as_code(code)
        return certify(self.X[: code.shape[0]], self.D, self.struct, code)

    def judge(self, code: Any) -> np.ndarray:
        """Return the objective of each sample."""
        return self.certify(code).objective

    def evaluate_result(self, code: Any) -> dict[str, float]:
        """Return the mean objective, the certificates and the mean number of active atoms."""
        proof = self.certify(code)
        return {
            "value": float(proof.objective.mean()),
            "largest_residual": float(proof.certificate.max()),
            "n_active": proof.code.density * len(self.D),
        }

    def get_one_result(self) -> dict[str, Any]:
        """Return codes of zeros."""
        return {"code": np.zeros((len(self.X), len(self.D)))}
