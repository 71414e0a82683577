"""Gradient dictionary learning, after Olshausen and Field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparsecode._validation import check_option, check_positive
from sparsecode.learning._docs import shared_docs
from sparsecode.learning._loop import Callback, learn
from sparsecode.learning._result import LearningResult
from sparsecode.learning._rule import Coded, Rule
from sparsecode.penalties import Penalty
from sparsecode.solvers import SolverResult

__all__ = ["GradientRule", "olshausen_field"]


@dataclass
class GradientRule(Rule):
    """Move along the gradient, ``D += rate * Z.T @ (X - Z @ D)``."""

    learning_rate: float = 2.5
    decay: float = 0.0
    reduction: str = "mean"

    def __post_init__(self) -> None:
        self.learning_rate = check_positive("learning_rate", self.learning_rate)
        if self.decay != 0:
            self.decay = check_positive("decay", self.decay)
        check_option("reduction", self.reduction, ("mean", "sum"))

    def update(self, step: int, atoms: np.ndarray, batch: Coded) -> np.ndarray:
        """Return the atoms one step further."""
        rate = self.learning_rate / (1.0 + self.decay * step)
        if self.reduction == "mean":
            rate /= len(batch.X)
        return atoms + atoms.dtype.type(rate) * (batch.codes.T @ batch.residuals)


@shared_docs
def olshausen_field(
    batches: Any,
    dictionary: Any,
    penalty: Penalty | str | None,
    *,
    solver: str | Callable[..., SolverResult] = "auto",
    alpha_ratio: float | None = None,
    learning_rate: float = 2.5,
    decay: float = 0.0,
    reduction: str = "mean",
    init: str = "gaussian",
    constraint: str | None = None,
    skip_unconverged: bool = False,
    dead_after: int | None = 50,
    max_cosine: float | None = None,
    warm_start: bool = False,
    batch_size: int | None = 250,
    n_batches: int | None = None,
    held_out: Any = None,
    held_out_every: int = 20,
    patience: int | None = 5,
    checkpoint: Any = None,
    checkpoint_every: int = 50,
    callback: Callback | None = None,
    progress: bool = False,
    rng: np.random.Generator | int | None = None,
    n_threads: int | None = None,
) -> LearningResult:
    r"""Learn atoms of norm 1, one gradient step for each batch of samples.

    Descends the mean over samples of

    .. math:: \min_z \tfrac12 \|x - zD\|^2 + \mathrm{penalty}(z), \qquad \|d_j\| = 1.

    For each batch the solver finds the codes Z, the atoms move along
    :math:`Z^\top (X - ZD)`, averaged or summed over the batch, and are scaled back to norm 1.

    Parameters
    ----------
    <batches>
    learning_rate : float, default=2.5
        Rate of the first step. Samples s times as large call for a rate 1 / s**2 as large.
    decay : float, default=0.0
        Step ``j = 0, 1, ...`` has the rate ``learning_rate / (1 + decay * j)``.
    reduction : {"mean", "sum"}, default="mean"
        Whether the gradient is averaged or summed over the batch. A rate for sums is that for
        means divided by the size of the batch.
    <atoms>
    batch_size : int or None, default=250
        Samples in a batch drawn from an array; all of them if it holds fewer, or for None.
    n_batches : int, optional
        Number of batches; by default all of the stream, or one pass over the array.
    <course>

    <returns>

    Notes
    -----
    The rule is equation 6 of [1]_ and, averaged over presentations, of [2]_. Rentzeperis et al.
    [3]_ sum over batches of 250 at the rate 0.01, the default here, keep dead atoms, skip batches
    that did not converge and, for more than 500 atoms, let the rate ``eta`` decay:
    ``reduction="sum", learning_rate=eta, decay=eta / 50, skip_unconverged=True, dead_after=None``.

    On whitened images of variance 0.1 a rate of 5 to 10 with a decay of 0.01 to 0.02 forms
    receptive fields within some 300 batches of 250 patches: large first steps shake atoms out of
    poor local minima, small last ones average their noise away. At a constant rate of 10 the atoms
    of l0, CEL0 and l1/2 stay noise, for their large coefficients make large steps.

    References
    ----------
    .. [1] Olshausen & Field, "Emergence of simple-cell receptive field properties by learning a
       sparse code for natural images", Nature 381 (1996), 607-609.
    .. [2] Olshausen & Field, "Sparse coding with an overcomplete basis set: a strategy employed
       by V1?", Vision Research 37 (1997), 3311-3325.
    .. [3] Rentzeperis, Calatroni, Perrinet & Prandi, "Beyond l1 sparse coding in V1", PLOS
       Computational Biology 19 (2023), and its code (rentzi/sparseRegularizers).

    Examples
    --------
    >>> from sparsecode.datasets import planted_codes
    >>> from sparsecode.learning import olshausen_field
    >>> from sparsecode.penalties import L1
    >>> X = planted_codes(2000, n_atoms=24, n_features=16, n_active=2, rng=0).X
    >>> learned = olshausen_field(X, 24, L1(0.1), batch_size=100, rng=1)
    >>> learned.dictionary.shape, learned.n_batches
    ((24, 16), 20)
    >>> bool(learned.history["mse"][-1] < learned.history["mse"][0])
    True
    """
    return learn(
        GradientRule(learning_rate, decay, reduction), batches, dictionary, penalty,
        solver=solver, alpha_ratio=alpha_ratio, init=init, constraint=constraint,
        skip_unconverged=skip_unconverged, dead_after=dead_after, max_cosine=max_cosine,
        warm_start=warm_start, batch_size=batch_size, n_batches=n_batches, held_out=held_out,
        held_out_every=held_out_every, patience=patience, checkpoint=checkpoint,
        checkpoint_every=checkpoint_every, callback=callback, progress=progress, rng=rng,
        n_threads=n_threads,
    )  # fmt: skip
