"""`celer.Lasso`, sample by sample."""

from __future__ import annotations

import numpy as np

from experiments.benchmarks._single import SingleCoder


class Solver(SingleCoder):
    """Working sets with extrapolated dual points."""

    name = "celer"
    parameters = {"dtype": ["float64"], "n_threads": [1]}  # noqa: RUF012
    requires = "celer"

    def fit(self, tol: float) -> np.ndarray:
        """Return a row of coefficients per sample."""
        from celer import Lasso

        model = Lasso(alpha=self.penalty.alpha / self.n_rows, tol=tol, fit_intercept=False)
        return np.array([model.fit(self.columns, x).coef_.copy() for x in self.X])
