"""`skglm.penalties.MCPenalty`, sample by sample, warm-started from skglm's own lasso."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.benchmarks._single import SingleCoder
from sparsecode.penalties import CEL0, MCP


class Solver(SingleCoder):
    """Working sets with Anderson acceleration; the lasso that it starts from is not timed."""

    name = "skglm"
    parameters = {"dtype": ["float64"], "n_threads": [1]}  # noqa: RUF012
    requires = "skglm"

    def skip(self, **given: Any) -> tuple[bool, str | None]:
        """Pass over l0."""
        skipped, reason = super().skip(**given)
        if not skipped and not isinstance(given["penalty"], MCP | CEL0):
            return True, "skglm's MCPenalty is MCP or CEL0"
        return skipped, reason

    def set_objective(self, X: np.ndarray, dictionary: np.ndarray, **problem: Any) -> None:
        """Take the problem and fit the lasso of the same threshold."""
        from skglm import Lasso

        super().set_objective(X, dictionary, **problem)
        lasso = Lasso(alpha=self.threshold / self.n_rows, tol=1e-6, fit_intercept=False)
        self.starts = np.array([lasso.fit(self.columns, x).coef_.copy() for x in self.X])

    def fit(self, tol: float) -> np.ndarray:
        """Return a row of coefficients per sample."""
        from skglm.datafits import Quadratic
        from skglm.penalties import MCPenalty
        from skglm.solvers import AndersonCD

        # atoms have norm 1, where CEL0 is MCP of beta 1; alpha and 1 / beta are divided by n_rows
        beta = self.penalty.beta if isinstance(self.penalty, MCP) else 1.0
        penalty = MCPenalty(self.threshold / self.n_rows, beta * self.n_rows)
        solver = AndersonCD(tol=tol, fit_intercept=False)
        codes = self.starts.copy()
        for x, code, fitted in zip(self.X, codes, self.starts @ self.D):
            code[:] = solver.solve(self.columns, x, Quadratic(), penalty, code, fitted)[0]
        return codes
