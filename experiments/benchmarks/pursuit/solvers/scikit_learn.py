"""`sklearn.linear_model.orthogonal_mp_gram`; the Gram matrix is given."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.benchmarks._coder import Coder


class Solver(Coder):
    """Orthogonal matching pursuit."""

    name = "scikit-learn"
    parameters = {"dtype": ["float32", "float64"], "n_threads": [1]}  # noqa: RUF012
    requires = "sklearn"

    def set_objective(self, X: np.ndarray, dictionary: np.ndarray, **problem: Any) -> None:
        """Take the problem, and the Gram matrix, which is not timed."""
        super().set_objective(X, dictionary, **problem)
        self.gram = self.D @ self.D.T

    def solve(self, stop_val: Any) -> Any:
        """Choose atom after atom."""
        from sklearn.linear_model import orthogonal_mp_gram

        coefficients = orthogonal_mp_gram(
            self.gram, self.D @ self.X.T, n_nonzero_coefs=self.n_nonzero
        )
        return coefficients.T
