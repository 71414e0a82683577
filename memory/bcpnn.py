"""`BCPNN`: weights from the probabilities of units and pairs, as naive Bayes would have them."""

from __future__ import annotations

from math import exp, expm1
from typing import Any, ClassVar

import numpy as np

from memory._coactivation import CoactivationMemory, best_units
from memory._protocol import Recall
from sparsecode._validation import check_count, check_positive
from sparsecode.core.code import SparseCode

__all__ = ["BCPNN"]

#: Weight of a pattern at which all counts are brought back to 1.
LARGEST = 1e6


class BCPNN(CoactivationMemory):
    r"""Remember patterns by how much likelier units are together than by chance.

    :math:`w_{ij} = \ln \frac{p_{ij}}{p_i p_j}`, :math:`w_{ii} = 0`, :math:`b_j = \ln p_j`; the
    support of a unit is :math:`h_j = b_j + \sum_i w_{ij} x_i`, and in each hypercolumn the unit of
    largest support is active next, or the units of largest support of all.

    Parameters
    ----------
    hypercolumns : bool, default=False
        Whether units along the last axis of `unit_shape` compete, one winner for each place of the
        other axes: the largest term of their softmax. Otherwise `n_winners` of all.
    n_winners : int, optional
        How many units are active next, the first of equals; without effect on hypercolumns. By
        default the mean number of active units of the patterns so far.
    tau : float, optional
        Time constant, in patterns, of memories that fade, at least 1: each pattern counts
        :math:`1 - 1/\tau` times as much as the next. By default all count alike.
    prior : float, default=1.0
        Patterns of independent units of the mean activity that are thought to have been seen
        besides, so that no probability is 0.
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
        If a parameter is out of its range.

    See Also
    --------
    memory.SparseHopfield : Weights from covariances.

    Notes
    -----
    Lansner & Ekeberg, "A one-layer feedback artificial neural network with a Bayesian learning
    rule", International Journal of Neural Systems 1:77, 1989; with traces as in Sandberg et al.,
    "A Bayesian attractor network with incremental learning", Network 13:179, 2002, whose
    :math:`dp = (o - p) / \tau` weighs patterns the same way. ``8 n_units ** 2`` bytes with the
    weights.

    *Familiarity*: share of the cue's active units that are active in the answer.

    Examples
    --------
    >>> from sparsecode.core import SparseCode
    >>> from memory import BCPNN
    >>> one = BCPNN()
    >>> _ = one.store(SparseCode.from_indices([[0, 1, 2, 3], [4, 5, 6, 7]], 40))
    >>> one.recall(SparseCode.from_indices([[0, 1], [5, 30]], 40)).code.indices.reshape(2, 4)
    array([[0, 1, 2, 3],
           [4, 5, 6, 7]], dtype=int32)
    """

    _parameters: ClassVar[tuple[str, ...]] = (
        "hypercolumns", "n_winners", "tau", "prior", "max_iter",
    )  # fmt: skip

    def __init__(
        self,
        *,
        hypercolumns: bool = False,
        n_winners: int | None = None,
        tau: float | None = None,
        prior: float = 1.0,
        max_iter: int = 50,
    ) -> None:
        super().__init__()
        self.hypercolumns = bool(hypercolumns)
        self.n_winners = None if n_winners is None else check_count("n_winners", n_winners)
        self.tau = None if tau is None else check_positive("tau", tau)
        if self.tau is not None and self.tau < 1.0:
            raise ValueError(f"tau must be at least 1 pattern; got {tau}.")
        self.prior = check_positive("prior", prior)
        self.max_iter = check_count("max_iter", max_iter)

    def store(self, patterns: Any) -> SparseCode:
        """Count the active units of every pattern, alone and in pairs.

        Parameters
        ----------
        patterns : SparseCode, array-like or sparse array of shape (n_samples, n_units)
            Binary: a binary code, bool, or numbers that are all 0 or 1. With `hypercolumns` a
            SparseCode of two axes or more.

        Returns
        -------
        SparseCode
            The patterns.

        Raises
        ------
        ValueError, TypeError
            If the patterns are not binary, or not over the units of those before, or have no
            hypercolumns where these are asked for.
        """
        code = self._check_patterns(patterns)
        if self.hypercolumns and len(code.unit_shape) < 2:
            raise ValueError(
                f"patterns must have units of shape (..., n_hypercolumns, n_units); got "
                f"{code.unit_shape}. Use sparsecode.core.reshape, or hypercolumns=False."
            )
        if self.tau is None:
            if code.n_samples:
                self._add(code)
            return code
        if code.n_samples == 0:
            return code
        first = 0
        while first < code.n_samples:
            age = self.n_stored % self._epoch
            if age == 0:
                self._pairs *= np.float32(exp(-self._rate * self._epoch))
            part = code[first : first + self._epoch - age]
            self._add(part, np.exp(self._rate * np.arange(age, age + part.n_samples)))
            first += part.n_samples
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
    def _rate(self) -> float:
        """Logarithm of how much more the next pattern counts than the one before it."""
        if self.tau is None:
            return 0.0
        return -float(np.log1p(-1.0 / self.tau)) if self.tau > 1.0 else float(np.log(LARGEST))

    @property
    def _epoch(self) -> int:
        """After how many patterns the counts are brought back to a weight of 1 for the newest."""
        return max(1, int(np.log(LARGEST) / self._rate))

    @property
    def _scale(self) -> float:
        """Weight of the newest pattern: newer ones count more, instead of older ones less."""
        return 1.0 if self.tau is None else exp(self._rate * ((self.n_stored - 1) % self._epoch))

    @property
    def _mass(self) -> float:
        """Sum of the weights of all patterns, in the units of the counts."""
        if self.tau is None:
            return float(self.n_stored)
        return self._scale * expm1(-self._rate * self.n_stored) / expm1(-self._rate)

    def _make(self) -> tuple[np.ndarray, np.ndarray]:
        prior = self.prior * self._scale
        n, mass = len(self._pairs), self._mass + prior
        mean = max(self._activity / n, 1e-12)
        alone = (np.diag(self._pairs).astype(np.float64) + prior * mean) / mass
        weights = np.log((self._pairs + prior * mean**2) / mass)
        weights -= np.log(alone)[:, None]
        weights -= np.log(alone)[None, :]
        np.fill_diagonal(weights, 0.0)
        return weights.astype(np.float32), np.log(alone).astype(np.float32)

    def _choose(self, fields: np.ndarray) -> np.ndarray:
        assert self.unit_shape is not None
        if not self.hypercolumns:
            return best_units(fields, self.n_winners or max(1, round(self._activity)))
        columns = fields.reshape(-1, self.unit_shape[-1])
        return best_units(columns, 1).reshape(fields.shape)
