"""Gradient dictionary learning, after Olshausen and Field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse

from sparsecode._validation import check_option, check_positive
from sparsecode.learning._loop import Callback, learn
from sparsecode.learning._result import LearningResult
from sparsecode.penalties import Penalty
from sparsecode.solvers import SolverResult

__all__ = ["olshausen_field"]


def olshausen_field(
    batches: Any,
    dictionary: Any,
    penalty: Penalty | str | None,
    *,
    solver: str | Callable[..., SolverResult] = "cd",
    alpha_ratio: float | None = None,
    learning_rate: float = 2.5,
    decay: float = 0.0,
    reduction: str = "mean",
    skip_unconverged: bool = False,
    dead_after: int | None = 50,
    batch_size: int = 250,
    n_batches: int | None = None,
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
    batches : iterable of array-like of shape (n_samples, n_features), or ndarray of that shape
        A stream of batches, which may differ in size, such as
        :func:`~sparsecode.datasets.patch_batches`; or all samples, from which whole batches are
        drawn in a new random order at each pass. The atoms take the dtype of the first batch.
    dictionary : int or array-like of shape (n_atoms, n_features)
        Number of atoms, drawn from a Gaussian; or the atoms to start from, scaled to norm 1.
    penalty : penalty struct, str or None
        Such as ``L1(0.5)``; a registered name needs `alpha_ratio`; None for a solver without a
        penalty.
    solver : str or callable, default="cd"
        A name of :func:`sparsecode.solvers.registered`; or a function that is called as
        ``solver(X, dictionary, penalty)``, with `alpha_ratio` and `n_threads` if they are given,
        and returns a SolverResult: ``functools.partial(cd, tol=1e-3)``, or without a penalty
        ``functools.partial(omp, n_nonzero=8)``.
    alpha_ratio : float, optional
        Passed to the solver: replaces the penalty's alpha, sample by sample.
    learning_rate : float, default=2.5
        Rate of the first step. Samples s times as large call for a rate 1 / s**2 as large.
    decay : float, default=0.0
        Step ``j = 0, 1, ...`` has the rate ``learning_rate / (1 + decay * j)``.
    reduction : {"mean", "sum"}, default="mean"
        Whether the gradient is averaged or summed over the batch. A rate for sums is that for
        means divided by the size of the batch.
    skip_unconverged : bool, default=False
        Whether a batch takes no step if some of its codes did not converge.
    dead_after : int or None, default=50
        An atom that no sample used in so many batches running is replaced by the largest
        residual of the batch; None keeps dead atoms.
    batch_size : int, default=250
        Samples in a batch drawn from an array; all of them if it holds fewer.
    n_batches : int, optional
        Number of batches; by default all of the stream, or one pass over the array.
    callback : callable, optional
        ``callback(step, metrics, dictionary)`` after each batch, with the row of the history as
        a dict and the new atoms, read-only.
    progress : bool, default=False
        Whether to show a progress bar; needs tqdm.
    rng : Generator, int or None
        Source of the initial atoms and of the order of samples drawn from an array. Not the seed
        that planted a known dictionary: equal seeds would draw equal atoms.
    n_threads : int, optional
        Passed to the solver. The result is the same, bit by bit, for every number.

    Returns
    -------
    LearningResult
        The atoms and, batch by batch, error, objective, density and dead atoms.

    Raises
    ------
    ValueError, TypeError
        If an argument makes no sense, a batch is empty or has other features than the atoms, or
        the stream ends before `n_batches`.
    ImportError
        If `progress` is asked for without tqdm.

    Warns
    -----
    ConvergenceWarning
        Once, if codes did not converge, with their number.

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
    learning_rate = check_positive("learning_rate", learning_rate)
    if decay != 0:
        decay = check_positive("decay", decay)
    check_option("reduction", reduction, ("mean", "sum"))

    def update(
        step: int, atoms: np.ndarray, codes: sparse.csr_array, residuals: np.ndarray
    ) -> np.ndarray:
        rate = learning_rate / (1.0 + decay * step)
        if reduction == "mean":
            rate /= len(residuals)
        return atoms + atoms.dtype.type(rate) * (codes.T @ residuals)

    return learn(
        batches, dictionary, penalty, update,
        solver=solver, alpha_ratio=alpha_ratio, skip_unconverged=skip_unconverged,
        dead_after=dead_after, batch_size=batch_size, n_batches=n_batches, callback=callback,
        progress=progress, rng=rng, n_threads=n_threads,
    )  # fmt: skip
