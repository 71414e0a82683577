"""The method of optimal directions, after Engan, Aase and Husoy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg

from sparsecode._validation import check_positive
from sparsecode.learning._docs import shared_docs
from sparsecode.learning._loop import Callback, learn
from sparsecode.learning._result import LearningResult
from sparsecode.learning._rule import Coded, Rule
from sparsecode.penalties import Penalty
from sparsecode.solvers import SolverResult

__all__ = ["ModRule", "mod"]


@dataclass
class ModRule(Rule):
    """Solve for all atoms at once, ``(Z.T @ Z + eps I) D = Z.T @ X``."""

    ridge: float = 1e-6

    def __post_init__(self) -> None:
        self.ridge = check_positive("ridge", self.ridge)

    def update(self, step: int, atoms: np.ndarray, batch: Coded) -> np.ndarray:
        """Return the atoms that reconstruct the batch best; those it does not use stay."""
        wide = batch.codes.astype(np.float64)  # the normal equations square the condition number
        return self.solved(atoms, (wide.T @ wide).toarray(), wide.T @ batch.X)

    def solved(self, atoms: np.ndarray, normal: np.ndarray, cross: np.ndarray) -> np.ndarray:
        """Return the atoms for the sums ``Z.T @ Z`` and ``Z.T @ X``."""
        energies = normal.diagonal()
        used = np.flatnonzero(energies)
        moved = np.array(atoms)
        if used.size:
            normal = normal[np.ix_(used, used)]
            normal[np.diag_indices(used.size)] += self.ridge * energies.max()
            moved[used] = linalg.solve(normal, cross[used], assume_a="pos")
        return moved


@shared_docs
def mod(
    batches: Any,
    dictionary: Any,
    penalty: Penalty | str | None,
    *,
    solver: str | Callable[..., SolverResult] = "auto",
    alpha_ratio: float | None = None,
    ridge: float = 1e-6,
    init: str = "samples",
    constraint: str | None = None,
    skip_unconverged: bool = False,
    dead_after: int | None = 1,
    max_cosine: float | None = 0.99,
    warm_start: bool = False,
    batch_size: int | None = None,
    n_batches: int | None = None,
    held_out: Any = None,
    held_out_every: int = 1,
    patience: int | None = 5,
    checkpoint: Any = None,
    checkpoint_every: int = 1,
    callback: Callback | None = None,
    progress: bool = False,
    rng: np.random.Generator | int | None = None,
    n_threads: int | None = None,
) -> LearningResult:
    r"""Learn atoms of norm 1 by least squares on all samples (method of optimal directions).

    Alternates between the codes Z, for the mean over samples of

    .. math:: \min_z \tfrac12 \|x - zD\|^2 + \mathrm{penalty}(z), \qquad \|d_j\| = 1,

    and the atoms, for the first term alone,

    .. math:: D = (Z^\top Z + \varepsilon I)^{-1} Z^\top X,

    which are then scaled to norm 1.

    Parameters
    ----------
    <batches>
    ridge : float, default=1e-6
        :math:`\varepsilon` as a fraction of the largest entry on the diagonal of
        :math:`Z^\top Z`.
    <atoms>
    batch_size : int or None, default=None
        Samples in a batch drawn from an array; **None takes all of them as one batch**, in their
        order, as the method is meant.
    n_batches : int, optional
        Number of batches, which are passes over the array where a batch is all of it; by default
        all of a stream, or 30 passes over an array.
    <course>

    <returns>

    Notes
    -----
    [1]_ has no penalty but a number of active atoms: ``solver=functools.partial(omp,
    n_nonzero=8)`` with ``penalty=None``. With a penalty, atoms solved for are longer than 1 where
    codes are shrunk; since the norm is taken from them again, the objective may rise from one
    pass to the next, by little. Atoms that no sample of the batch uses stay as they are, until
    they are replaced.

    References
    ----------
    .. [1] Engan, Aase & Husoy, "Method of optimal directions for frame design", ICASSP (1999),
       2443-2446.

    Examples
    --------
    >>> from sparsecode.core import match
    >>> from sparsecode.datasets import planted_codes
    >>> from sparsecode.learning import mod
    >>> from sparsecode.penalties import L1
    >>> planted = planted_codes(2000, n_atoms=24, n_features=16, n_active=2, rng=0)
    >>> learned = mod(planted.X, 24, L1(0.1), n_batches=40, rng=1)
    >>> found = match(learned.dictionary, planted.dictionary, signed=False).cosines
    >>> bool((found > 0.95).mean() > 0.9)
    True
    """
    return learn(
        ModRule(ridge), batches, dictionary, penalty,
        solver=solver, alpha_ratio=alpha_ratio, init=init, constraint=constraint,
        skip_unconverged=skip_unconverged, dead_after=dead_after, max_cosine=max_cosine,
        warm_start=warm_start, batch_size=batch_size, n_batches=n_batches, n_passes=30,
        held_out=held_out, held_out_every=held_out_every, patience=patience,
        checkpoint=checkpoint, checkpoint_every=checkpoint_every, callback=callback,
        progress=progress, rng=rng, n_threads=n_threads,
    )  # fmt: skip
