"""What a convolutional learner returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sparsecode.core.code import SparseCode

__all__ = ["ConvLearningResult"]


@dataclass(frozen=True, eq=False)
class ConvLearningResult:
    r"""A convolutional dictionary, and how it came about.

    Parameters
    ----------
    dictionary : ndarray of shape (n_atoms, n_channels, \*kernel_shape)
        Atoms of norm 1, in the dtype of the signals.
    history : dict of str to ndarray of shape (n_steps,)
        One entry per step, or epoch, measured on its codes before the dictionary moved:

        - ``mse``: squared residual over the number of entries of the signals, mean over samples;
        - ``objective``: 1/2 ||x - sum_k d_k * z_k||**2 + penalty(z), mean over samples;
        - ``density``: fraction of coefficients that are not 0;
        - ``n_silent``: atoms that no sample used;
        - ``n_replaced``: atoms that were given up after it;
        - ``n_unconverged``: samples whose codes did not meet the solver's tolerance.
    code : SparseCode of shape (n_samples, n_atoms, \*map_shape) or None
        From :func:`learn_alternating`: the codes of the last epoch, from which the atoms were
        updated once more. They serve as `init` of a solver.
    """

    dictionary: np.ndarray
    history: dict[str, np.ndarray]
    code: SparseCode | None = None

    @property
    def n_steps(self) -> int:
        """Number of steps, or epochs."""
        return len(self.history["objective"])

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.dictionary.shape))
        return (
            f"<ConvLearningResult {shape}, {self.n_steps} steps, last mse "
            f"{self.history['mse'][-1]:.3g} at {100 * self.history['density'][-1]:.2g} % active>"
        )
