"""`spams.trainDL`."""

from __future__ import annotations

import numpy as np

from experiments.benchmarks.learning._learner import Learner


class Solver(Learner):
    """Online learning in C++; with OpenMP's threads it needs as many of BLAS, or it crawls."""

    name = "spams"
    parameters = {"dtype": ["float32", "float64"], "n_threads": [1]}  # noqa: RUF012
    requires = "spams"
    licence = "GPL-3"
    uses_blas_threads = True

    def learn(self) -> np.ndarray:
        """Return the atoms that `batches` teach."""
        import spams

        learned = spams.trainDL(
            np.asfortranarray(self.batches.T), D=np.asfortranarray(self.D.T), lambda1=self.alpha,
            iter=len(self.batches) // self.batch_size, batchsize=self.batch_size,
            numThreads=self.n_threads, verbose=False,
        )  # fmt: skip
        return np.ascontiguousarray(learned.T)
