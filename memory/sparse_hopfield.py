"""`SparseHopfield`: the attractor network of sparse patterns, after Tsodyks and Feigelman."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np

from memory._coactivation import CoactivationMemory, best_units
from memory._protocol import Recall
from sparsecode._validation import check_count, check_fraction
from sparsecode.core.code import SparseCode

__all__ = ["SparseHopfield"]


class SparseHopfield(CoactivationMemory):
    r"""Remember sparse patterns by the covariance of their units.

    :math:`W_{ij} = \frac{1}{f (1 - f) N} \sum_\mu (x_i^\mu - f)(x_j^\mu - f)`, :math:`W_{ii} = 0`;
    a unit's field is :math:`h_i = \sum_j W_{ij} x_j`, and the units with the largest fields are
    active next, or those above a threshold.

    Parameters
    ----------
    density : float, optional
        Share of active units :math:`f`, between 0 and 1. By default the mean of all patterns so
        far.
    n_winners : int, optional
        How many units are active next, the first of equals. By default as many as `density` says.
    threshold : float, optional
        Instead of winners, all units whose field exceeds it. Fields of a stored pattern's units are
        near :math:`1 - f`, of others near :math:`-f`.
    max_iter : int, default=50
        Steps at most; fewer once the answer stays.

    Attributes
    ----------
    n_stored : int
        Number of patterns that were presented.
    unit_shape : tuple of int or None
        Shape of the units; None before the first pattern.

    Raises
    ------
    ValueError, TypeError
        If a parameter is out of its range, or both `n_winners` and `threshold` are given.

    See Also
    --------
    memory.Willshaw : Weights of one bit.
    memory.BCPNN : Weights from probabilities.

    Notes
    -----
    Tsodyks & Feigelman, "The enhanced storage capacity in neural networks with low activity level",
    Europhysics Letters 6:101, 1988. What is kept is how often units, and pairs of units, were
    active, so that :math:`f` may change; ``8 n_units ** 2`` bytes with the weights.

    *Familiarity*: share of the cue's active units that are active in the answer.

    Examples
    --------
    >>> from sparsecode.core import SparseCode
    >>> from memory import SparseHopfield
    >>> one = SparseHopfield()
    >>> _ = one.store(SparseCode.from_indices([[0, 1, 2, 3], [4, 5, 6, 7]], 40))
    >>> one.recall(SparseCode.from_indices([[0, 1], [5, 30]], 40)).code.indices.reshape(2, 4)
    array([[0, 1, 2, 3],
           [4, 5, 6, 7]], dtype=int32)
    """

    _parameters: ClassVar[tuple[str, ...]] = ("density", "n_winners", "threshold", "max_iter")

    def __init__(
        self,
        *,
        density: float | None = None,
        n_winners: int | None = None,
        threshold: float | None = None,
        max_iter: int = 50,
    ) -> None:
        super().__init__()
        if n_winners is not None and threshold is not None:
            raise ValueError("n_winners or threshold must be None; got both. Give one of them.")
        self.density = None if density is None else check_fraction("density", density)
        if self.density == 1.0:
            raise ValueError("density must be below 1; got 1.0. All units cannot be active.")
        self.n_winners = None if n_winners is None else check_count("n_winners", n_winners)
        self.threshold = None if threshold is None else _check_finite("threshold", threshold)
        self.max_iter = check_count("max_iter", max_iter)

    def store(self, patterns: Any) -> SparseCode:
        """Count the active units of every pattern, alone and in pairs.

        Parameters
        ----------
        patterns : SparseCode, array-like or sparse array of shape (n_samples, n_units)
            Binary: a binary code, bool, or numbers that are all 0 or 1.

        Returns
        -------
        SparseCode
            The patterns.

        Raises
        ------
        ValueError, TypeError
            If the patterns are not binary, or not over the units of those before.
        """
        code = self._check_patterns(patterns)
        if code.n_samples:
            self._add(code)
        return code

    def recall(self, cues: Any, *, n_threads: int | None = None) -> Recall:
        """Go on from every cue until the answer stays.

        Parameters
        ----------
        cues : SparseCode, array-like or sparse array of shape (n_samples, n_units)
            Binary, over the units of the patterns.
        n_threads : int, optional
            Threads over cues, which change no bit; by default all that Numba may use.

        Returns
        -------
        Recall
            For a cue without an active unit an empty pattern, familiarity 0.

        Raises
        ------
        ValueError, TypeError
            If the cues are not binary, or not over the units of the patterns.
        sklearn.exceptions.NotFittedError
            Before anything is stored.
        """
        return self._recall(cues, n_threads)

    @property
    def _f(self) -> float:
        """Share of active units, away from 0 and 1."""
        n = len(self._pairs)
        f = self._activity / n if self.density is None else self.density
        return min(max(f, 0.5 / n), 1.0 - 0.5 / n)

    def _make(self) -> tuple[np.ndarray, np.ndarray]:
        n, f = len(self._pairs), self._f
        alone = np.diag(self._pairs).astype(np.float64)
        pairs = self._pairs - (f * alone - 0.5 * f * f * self._mass)[:, None]
        pairs -= (f * alone - 0.5 * f * f * self._mass)[None, :]
        weights = (pairs / (f * (1.0 - f) * n)).astype(np.float32)
        np.fill_diagonal(weights, 0.0)
        return weights, np.zeros(n, np.float32)

    def _choose(self, fields: np.ndarray) -> np.ndarray:
        if self.threshold is not None:
            return fields > self.threshold
        k = self.n_winners or max(1, round(self._f * fields.shape[1]))
        return best_units(fields, k)


def _check_finite(name: str, value: Any) -> float:
    """Return `value` as a float if it is a finite number."""
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number; got {value!r}.")
    if not np.isfinite(float(value)):
        raise ValueError(f"{name} must be finite; got {value}.")
    return float(value)
