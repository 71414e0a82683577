"""K-SVD, after Aharon, Elad and Bruckstein, with one power iteration for each atom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparsecode.learning._docs import shared_docs
from sparsecode.learning._ksvd_kernels import ksvd_sweep
from sparsecode.learning._loop import Callback, learn
from sparsecode.learning._result import LearningResult
from sparsecode.learning._rule import Coded, Rule
from sparsecode.penalties import PaperCEL0, Penalty
from sparsecode.solvers import SolverResult

__all__ = ["KSVDRule", "ksvd"]


@dataclass
class KSVDRule(Rule):
    """Fit each atom in turn, and its coefficients where there are any, to what the others leave."""

    def start(
        self, shape: tuple[int, int], dtype: np.dtype, constraint: str | None, penalty: Penalty
    ) -> None:
        """Refuse the one penalty whose operator is 0 for every step of 1."""
        if isinstance(penalty, PaperCEL0):
            raise TypeError(
                "ksvd takes coordinate steps of 1, at which PaperCEL0 returns 0 for every unit "
                "atom; use CEL0."
            )
        super().start(shape, dtype, constraint, penalty)

    def update(self, step: int, atoms: np.ndarray, batch: Coded) -> np.ndarray:
        """Return the atoms after one sweep; codes and residuals move with them."""
        codes = batch.codes
        entries = np.argsort(codes.indices, kind="stable")  # by atom, then by sample
        starts = np.searchsorted(codes.indices[entries], np.arange(len(atoms) + 1))
        samples = np.repeat(np.arange(len(batch.X)), np.diff(codes.indptr))[entries]
        alphas = batch.alpha
        if alphas is None:
            alphas = np.full(len(batch.X), getattr(self.penalty, "alpha", 1.0))
        moved = np.array(atoms)
        ksvd_sweep(
            starts, samples, entries, self.penalty, alphas, self.constraint == "positive",
            self.constraint == "mean_free", codes.data, batch.residuals, moved,
        )  # fmt: skip
        return moved


@shared_docs
def ksvd(
    batches: Any,
    dictionary: Any,
    penalty: Penalty | str | None,
    *,
    solver: str | Callable[..., SolverResult] = "auto",
    alpha_ratio: float | None = None,
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
    r"""Learn atoms of norm 1, each in turn with its own coefficients (approximate K-SVD).

    Alternates between the codes Z, for the mean over samples of

    .. math:: \min_z \tfrac12 \|x - zD\|^2 + \mathrm{penalty}(z), \qquad \|d_j\| = 1,

    and a sweep over the atoms. With E the residual of the samples that use atom j when it is left
    out, and g its coefficients there,

    .. math:: d_j \leftarrow E^\top g / \|E^\top g\|, \qquad
              g \leftarrow \mathrm{prox}_{\mathrm{penalty}}(E d_j).

    Either step minimises the objective over what it changes, so that a sweep never raises it;
    a coefficient may become 0 but none appears. Without a penalty :math:`g = E d_j`, and the two
    are one power iteration towards the best approximation of E of rank 1.

    Parameters
    ----------
    <batches>
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
    [1]_ in the form of algorithm 5 of [2]_, with the replacement of atoms that are not used, or
    double others, of [1]_. There codes have a number of active atoms, here
    ``solver=functools.partial(omp, n_nonzero=8)`` with ``penalty=None``. The proximal operator in
    the sweep is that of [3]_, kept to the supports: were coefficients fitted without it, they would
    take up the shrinkage that tells the atoms where to go, and with l1 atoms hardly move. With
    `warm_start` the next pass starts from the coefficients of the sweep.

    References
    ----------
    .. [1] Aharon, Elad & Bruckstein, "K-SVD: an algorithm for designing overcomplete dictionaries
       for sparse representation", IEEE Trans. Signal Process. 54 (2006), 4311-4322.
    .. [2] Rubinstein, Zibulevsky & Elad, "Efficient implementation of the K-SVD algorithm using
       batch orthogonal matching pursuit", Technion CS-2008-08 (2008).
    .. [3] Ravishankar, Nadakuditi & Fessler, "Efficient sum of outer products dictionary learning
       (SOUP-DIL) and its application to inverse problems", IEEE Trans. Comput. Imaging 3 (2017),
       694-709.

    Examples
    --------
    >>> from functools import partial
    >>> from sparsecode.core import match
    >>> from sparsecode.datasets import planted_codes
    >>> from sparsecode.learning import ksvd
    >>> from sparsecode.solvers import omp
    >>> planted = planted_codes(2000, n_atoms=24, n_features=16, n_active=2, rng=0)
    >>> learned = ksvd(planted.X, 24, None, solver=partial(omp, n_nonzero=2), rng=1)
    >>> found = match(learned.dictionary, planted.dictionary, signed=False).cosines
    >>> bool((found > 0.95).mean() > 0.9)
    True
    """
    return learn(
        KSVDRule(), batches, dictionary, penalty,
        solver=solver, alpha_ratio=alpha_ratio, init=init, constraint=constraint,
        skip_unconverged=skip_unconverged, dead_after=dead_after, max_cosine=max_cosine,
        warm_start=warm_start, batch_size=batch_size, n_batches=n_batches, n_passes=30,
        held_out=held_out, held_out_every=held_out_every, patience=patience,
        checkpoint=checkpoint, checkpoint_every=checkpoint_every, callback=callback,
        progress=progress, rng=rng, n_threads=n_threads,
    )  # fmt: skip
