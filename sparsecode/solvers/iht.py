"""Iterative hard thresholding and hard thresholding pursuit."""

from __future__ import annotations

from typing import Any

import numpy as np

from sparsecode._validation import check_count, check_positive
from sparsecode.penalties.l0 import L0
from sparsecode.solvers._docs import shared_docs
from sparsecode.solvers._greedy_kernels import htp_tile, niht_tile
from sparsecode.solvers._problem import Problem
from sparsecode.solvers._result import SolverResult
from sparsecode.solvers._tile import Tile
from sparsecode.solvers.ista import ista

__all__ = ["htp", "iht"]


@shared_docs
def iht(
    X: Any,
    dictionary: Any,
    penalty: L0 | str | None = None,
    *,
    n_nonzero: int | None = None,
    positive: bool = False,
    alpha_ratio: float | None = None,
    init: Any = None,
    step: float | None = None,
    max_iter: int = 10_000,
    tol: float | None = None,
    n_threads: int | None = None,
    progress: bool = False,
) -> SolverResult:
    r"""Iterate a gradient step and a hard threshold, penalised or k-sparse.

    Minimises, per sample, :math:`\frac12 \|x - zD\|^2 + \alpha \|z\|_0` or
    :math:`\frac12 \|x - zD\|^2` over codes with at most `n_nonzero` active atoms, by
    :math:`z \leftarrow H(z + \gamma\, D(x - zD))`.

    Parameters
    ----------
    <X>
    <dictionary>
    penalty : L0 or "l0", optional
        For the penalised form; leave unset with `n_nonzero`.
    <n_nonzero>
    positive : bool, default=False
        With `n_nonzero`: keep the largest values rather than magnitudes. The penalised form
        takes ``L0(alpha, positive=True)``.
    alpha_ratio : float, optional
        As in the other solvers, for the penalised form.
    <init>
    step : float, optional
        :math:`\gamma`. If unset, 1 / L in the penalised form and the normalised step of each
        iteration in the k-sparse form; L is the largest eigenvalue of the Gram matrix.
    max_iter : int, default=10000
        Largest number of iterations.
    <tol>
    <n_threads>

    <returns>

    Notes
    -----
    Blumensath & Davies 2008 (J. Fourier Anal. Appl. 14, 629-654), eqs. 2.2 and 2.3; the
    normalised step of Blumensath & Davies 2010 (IEEE J. Sel. Top. Signal Process. 4, 298-309),
    eqs. 13 and 14. The certificate of the k-sparse form is the support residual. A fixed point
    of the penalised form with a short step may be far from coordinate-stationary:
    inactive atoms are held at 0 up to a correlation of :math:`\sqrt{2\alpha/\gamma}`.
    """
    if (penalty is None) == (n_nonzero is None):
        raise ValueError(
            f"iht needs either a penalty or n_nonzero; got penalty={penalty!r} and "
            f"n_nonzero={n_nonzero!r}."
        )
    if penalty is not None:
        if penalty != "l0" and not isinstance(penalty, L0):
            raise TypeError(
                f"the penalty of iht must be L0; got {penalty!r}. Use ista for other penalties."
            )
        if positive:
            raise ValueError("positive of iht belongs to n_nonzero; use L0(alpha, positive=True).")
        return ista(
            X, dictionary, penalty,
            alpha_ratio=alpha_ratio, init=init, step=step, max_iter=max_iter, tol=tol,
            n_threads=n_threads, progress=progress,
        )  # fmt: skip
    if alpha_ratio is not None:
        raise ValueError("alpha_ratio of iht belongs to the penalised form; got n_nonzero too.")
    problem = Problem(
        X, dictionary, init=init, max_iter=max_iter, tol=tol, n_threads=n_threads, progress=progress
    )
    n_nonzero = check_count("n_nonzero", n_nonzero, maximum=problem.n_atoms)
    fixed = 0.0 if step is None else problem.check_step(step)
    gram = problem.gram

    def kernel(tile: Tile) -> None:
        niht_tile(
            tile.projections, gram, positive, n_nonzero, fixed, problem.max_iter,
            0.3 * problem.tol, tile.codes, tile.n_iter,
        )  # fmt: skip

    return problem.solve(kernel)


@shared_docs
def htp(
    X: Any,
    dictionary: Any,
    *,
    n_nonzero: int,
    init: Any = None,
    step: float | None = None,
    max_iter: int = 1000,
    tol: float | None = None,
    n_threads: int | None = None,
    progress: bool = False,
) -> SolverResult:
    r"""Threshold a gradient step, then fit the support it chose by least squares.

    Minimises :math:`\frac12 \|x - zD\|^2` per sample over codes with at most `n_nonzero` active
    atoms: S holds the `n_nonzero` largest magnitudes of :math:`z + \gamma\, D(x - zD)`, and z
    becomes the least-squares code on S, until S repeats.

    Parameters
    ----------
    <X>
    <dictionary>
    n_nonzero : int
        Number of active atoms per sample, at most n_atoms.
    <init>
    step : float, optional
        :math:`\gamma`; 1 / L if unset, L the largest eigenvalue of the Gram matrix. Longer
        steps, such as the 1 that is usual for unit-norm atoms, often find better supports but
        may cycle.
    max_iter : int, default=1000
        Largest number of supports tried.
    <tol>
    <n_threads>

    <returns>

    Notes
    -----
    Foucart 2011, SIAM J. Numer. Anal. 49, 2543-2563, algorithm HTP with a fixed step. An atom
    that depends linearly on others of the support gets the coefficient 0.
    """
    problem = Problem(
        X, dictionary, init=init, max_iter=max_iter, tol=tol, n_threads=n_threads, progress=progress
    )
    n_nonzero = check_count("n_nonzero", n_nonzero, maximum=problem.n_atoms)
    size = problem.check_step(None) if step is None else check_positive("step", step)
    used = np.zeros(len(problem.X), np.int64)
    gram = problem.gram

    def kernel(tile: Tile) -> None:
        htp_tile(
            tile.projections, gram, n_nonzero, size, problem.max_iter, tile.codes,
            tile.n_iter,
        )  # fmt: skip
        used[tile.rows] = tile.n_iter

    def met(certificate: np.ndarray, objective: np.ndarray) -> np.ndarray:
        return (certificate <= problem.tol) & (used < problem.max_iter)

    return problem.solve(kernel, met=met)
