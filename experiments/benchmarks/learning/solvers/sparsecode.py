"""`sparsecode.learning.online`."""

from __future__ import annotations

import numpy as np

from experiments.benchmarks.learning._learner import Learner
from sparsecode.learning import online
from sparsecode.penalties import L1


class Solver(Learner):
    """Online learning with certified codes."""

    name = "sparsecode"
    parameters = {"dtype": ["float32", "float64"], "n_threads": [1]}  # noqa: RUF012

    def learn(self) -> np.ndarray:
        """Return the atoms that `batches` teach."""
        learned = online(
            self.batches, self.D, L1(self.alpha), batch_size=self.batch_size, rng=0,
            n_threads=self.n_threads,
        )  # fmt: skip
        return learned.dictionary
