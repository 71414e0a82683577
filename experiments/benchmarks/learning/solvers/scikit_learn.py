"""`sklearn.decomposition.MiniBatchDictionaryLearning`."""

from __future__ import annotations

import numpy as np

from experiments.benchmarks.learning._learner import Learner


class Solver(Learner):
    """Online learning with codes by coordinate descent."""

    name = "scikit-learn"
    parameters = {"dtype": ["float32", "float64"], "n_threads": [1]}  # noqa: RUF012
    requires = "sklearn"

    def learn(self) -> np.ndarray:
        """Return the atoms that `batches` teach."""
        from sklearn.decomposition import MiniBatchDictionaryLearning

        learner = MiniBatchDictionaryLearning(
            len(self.D), alpha=self.alpha, batch_size=self.batch_size, max_iter=1,
            fit_algorithm="cd", dict_init=self.D, tol=0.0, max_no_improvement=None,
            random_state=0,
        )  # fmt: skip
        return learner.fit(self.batches).components_
