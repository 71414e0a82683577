"""What a learner returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["LearningResult"]


@dataclass(frozen=True, eq=False)
class LearningResult:
    """A dictionary, and how it came about.

    Parameters
    ----------
    dictionary : ndarray of shape (n_atoms, n_features)
        Atoms of norm 1 as rows, in the dtype of the batches.
    history : dict of str to ndarray of shape (n_batches,)
        One entry per batch, measured on its codes before the dictionary moved:

        - ``mse``: squared reconstruction error, mean over samples and features;
        - ``objective``: 1/2 ||x - zD||**2 + penalty(z), mean over samples;
        - ``density``: fraction of coefficients that are not 0;
        - ``n_silent``: atoms that no sample of the batch used;
        - ``n_replaced``: atoms that were given up after it;
        - ``n_unconverged``: samples whose codes did not meet the solver's tolerance;
        - ``held_out``: objective on the held-out samples, mean over them, with the atoms as the
          batch left them; NaN where it was not evaluated.
    stopped_early : bool
        Whether the held-out objective had stopped falling.
    """

    dictionary: np.ndarray
    history: dict[str, np.ndarray]
    stopped_early: bool = False

    @property
    def n_batches(self) -> int:
        """Number of batches that were learned from."""
        return len(self.history["mse"])

    def __repr__(self) -> str:
        n_atoms, n_features = self.dictionary.shape
        return (
            f"<LearningResult {n_atoms} x {n_features}, {self.n_batches} batches, last mse "
            f"{self.history['mse'][-1]:.3g} at {100 * self.history['density'][-1]:.1f} % active>"
        )
