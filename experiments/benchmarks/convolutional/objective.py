"""How good convolutional l1 codes are: by their duality gap and objective, in float64."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from experiments.benchmarks._bases import BaseObjective
from experiments.benchmarks.convolutional._contest import Standard
from sparsecode.convolutional import greedy_cd, interior_point
from sparsecode.convolutional._problem import ConvProblem
from sparsecode.convolutional._sample import Sample
from sparsecode.core import SparseCode
from sparsecode.penalties import L1
from sparsecode.solvers import SolverResult


class Objective(BaseObjective):
    """1/2 ||x - sum_k d_k * z_k||^2 + alpha ||z||_1 of a photograph that goes on at its other end.

    alpha is a tenth of the one at which the code becomes 0, or the 0.01 of Ladret, Casanova &
    Perrinet 2024.
    """

    name = "Convolutional lasso"
    parameters = {"level": ["tenth", "paper"]}  # noqa: RUF012
    test_config = {"level": "tenth"}  # noqa: RUF012
    test_dataset_name = "natural-images"
    measure = "duality gap"
    #: Largest gaps, and objective relative to that of the reference.
    gaps = {"tenth": (1e-2,), "paper": (1e-2, 1e-4)}  # noqa: RUF012
    slack = 5e-3
    #: Relative gap of the reference, which hence is that close to the optimum.
    reference_tol = {"tenth": 5e-4, "paper": 2e-5}  # noqa: RUF012
    level: str

    def skip(self, **data: Any) -> tuple[bool, str | None]:
        """Say that nothing speaks against these data."""
        return False, None

    def set_data(self, X: np.ndarray, dictionary: np.ndarray) -> None:
        """Take a photograph and kernels, and find alpha."""
        self.X, self.D = X, dictionary
        wide = X.astype(np.float64), dictionary.astype(np.float64)
        alpha = 0.01
        if self.level == "tenth":
            alpha = Sample(ConvProblem(*wide, "l1", alpha_ratio=0.1), 0, 1).alpha
        self.penalty = L1(alpha)
        self.problem = ConvProblem(*wide, self.penalty)

    def get_objective(self) -> dict[str, Any]:
        """Return what every solver is told."""
        return {"X": self.X, "dictionary": self.D, "penalty": self.penalty}

    @cached_property
    def reference(self) -> SolverResult:
        """The code of a long run, certified."""
        solver = greedy_cd if self.level == "tenth" else interior_point
        tol = self.reference_tol[self.level]
        return solver(self.problem.X, self.problem.atoms, self.penalty, tol=tol)

    @property
    def standards(self) -> list[Standard]:
        """What codes are held to in the tables."""
        found = [Standard("duality gap", gap, f"gap {gap:g}") for gap in self.gaps[self.level]]
        limit = (1 + self.slack) * float(self.reference.objective[0])
        return [*found, Standard("objective", limit, f"objective +{self.slack:.1%}")]

    def certify(self, code: Any) -> dict[str, float]:
        """Return relative duality gap and objective of one code, dense or sparse, in float64.

        At the paper's alpha the residuals of good codes are poor dual points: there everybody's
        codes are judged by the best one, the reference's.
        """
        if not isinstance(code, SparseCode):
            code = SparseCode.from_dense(np.asarray(code)[None])
        sample = Sample(self.problem, 0, 1)
        sample.keep(code.indices, code.values, 0)
        gap, objective, _ = sample.certify()
        if self.level == "paper":
            known = self.reference
            bound = known.objective[0] - known.certificate[0] * sample.energy
            gap = min(gap, max(objective - bound, 0.0) / sample.energy)
        return {"duality gap": gap, "objective": objective}

    def evaluate_result(self, code: Any) -> dict[str, float]:
        """Return objective and gap."""
        proof = self.certify(code)
        return {"value": proof["objective"], "largest_gap": proof["duality gap"]}

    def get_one_result(self) -> dict[str, Any]:
        """Return a code of zeros."""
        return {"code": np.zeros(self.problem.unit_shape, np.float32)}
