"""`sklearn.decomposition.sparse_encode`: coordinate descent on the Gram matrix."""

from __future__ import annotations

from typing import Any

from experiments.benchmarks._coder import Coder


class Solver(Coder):
    """Coordinate descent whose tolerance, 1e-8, cannot be changed."""

    name = "scikit-learn"
    parameters = {"dtype": ["float64"], "n_threads": [1]}  # noqa: RUF012
    requires = "sklearn"

    def solve(self, stop_val: Any) -> Any:
        """Code all samples."""
        from sklearn.decomposition import sparse_encode

        return sparse_encode(
            self.X, self.D, algorithm="lasso_cd", alpha=self.penalty.alpha, max_iter=10_000
        )
