"""The locally competitive algorithm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sparsecode._jit import threads
from sparsecode._validation import check_count, check_positive
from sparsecode.penalties._dispatch import Penalty
from sparsecode.penalties.l0 import L0
from sparsecode.penalties.l1 import L1
from sparsecode.solvers._docs import shared_docs
from sparsecode.solvers._lca_kernels import lca_record, lca_tile
from sparsecode.solvers._problem import Problem
from sparsecode.solvers._result import SolverResult
from sparsecode.solvers._tile import Tile

__all__ = ["LCATimeCourse", "lca", "lca_time_course"]


def _check_lca(problem: Problem) -> None:
    if not isinstance(problem.penalty, (L1, L0)):
        raise TypeError(
            f"the penalty of lca must be L1 (soft threshold) or L0 (hard threshold); got "
            f"{type(problem.penalty).__name__}. Use cd."
        )
    off = np.abs(problem.squared_norms - 1.0)
    if off.max() > 1e-5:
        raise ValueError(
            f"the atoms of lca must have unit norm; atom {off.argmax()} has norm "
            f"{np.sqrt(problem.squared_norms[off.argmax()]):.6g}. Use core.normalize."
        )


@shared_docs
def lca(
    X: Any,
    dictionary: Any,
    penalty: Penalty | str,
    *,
    alpha_ratio: float | None = None,
    init: Any = None,
    step: float | None = None,
    max_iter: int = 20_000,
    tol: float | None = None,
    n_threads: int | None = None,
    progress: bool = False,
) -> SolverResult:
    r"""Let competing leaky integrators run to equilibrium.

    The network :math:`\tau \dot u = Dx - u - (G - I) a`, :math:`a = T(u)`, descends
    :math:`\frac12 \|x - aD\|^2 + \mathrm{penalty}(a)` per sample: T is the soft threshold at
    alpha for :class:`~sparsecode.penalties.L1` and the hard threshold at
    :math:`\sqrt{2\alpha}` for :class:`~sparsecode.penalties.L0`.

    Parameters
    ----------
    <X>
    dictionary : array-like of shape (n_atoms, n_features)
        Atoms as rows, of unit norm (to 1e-5).
    penalty : L1, L0, "l1" or "l0"
        A name needs `alpha_ratio`.
    alpha_ratio : float, optional
        As in the other solvers.
    init : SparseCode or array-like of shape (n_samples, n_atoms), optional
        Outputs a to start from, with the potentials that would hold them at equilibrium;
        u = 0 if unset.
    step : float, optional
        Euler step in units of :math:`\tau`, at most 2 / L; 1 / L if unset, L the largest
        eigenvalue of the Gram matrix G.
    max_iter : int, default=20000
        Largest number of steps.
    <tol>
    <n_threads>

    <returns>

    Notes
    -----
    Rozell, Johnson, Baraniuk & Olshausen 2008 (Neural Comput. 20, 2526-2563), eqs. 3.1 and
    3.3. With the hard threshold the equilibria are the coordinate-stationary points of l0, and
    atoms that are nearly the same may cross the threshold together without end.
    """
    problem = Problem(
        X, dictionary, penalty,
        alpha_ratio=alpha_ratio, init=init, max_iter=max_iter, tol=tol, n_threads=n_threads,
        progress=progress,
    )  # fmt: skip
    _check_lca(problem)
    step = problem.check_step(step)
    gram = problem.gram

    def kernel(tile: Tile) -> None:
        lca_tile(
            tile.projections, tile.energies, gram, problem.squared_norms,
            problem.penalty, tile.alphas, problem.convex, problem.init is not None, step,
            problem.max_iter, 0.9 * problem.tol, tile.codes, tile.n_iter,
        )  # fmt: skip

    return problem.solve(kernel)


@dataclass(frozen=True)
class LCATimeCourse:
    """Course of one LCA network towards equilibrium.

    Parameters
    ----------
    time : ndarray of shape (n_records,)
        In units of the membrane time constant.
    potentials : ndarray of shape (n_records, n_atoms)
        Internal states u.
    codes : ndarray of shape (n_records, n_atoms)
        Outputs a = T(u).
    objective : ndarray of shape (n_records,)
        1/2 ||x - aD||**2 + penalty(a).
    """

    time: np.ndarray
    potentials: np.ndarray
    codes: np.ndarray
    objective: np.ndarray


def lca_time_course(
    x: Any,
    dictionary: Any,
    penalty: Penalty,
    *,
    duration: float = 10.0,
    step: float | None = None,
    n_records: int = 101,
) -> LCATimeCourse:
    r"""Record the course of the LCA network of one sample, from rest.

    Parameters
    ----------
    x : array-like of shape (n_features,)
        One sample.
    dictionary : array-like of shape (n_atoms, n_features)
        Atoms as rows, of unit norm.
    penalty : L1 or L0
        Soft or hard threshold; see :func:`lca`.
    duration : float, default=10.0
        Simulated time in units of the membrane time constant.
    step : float, optional
        Largest Euler step in the same units; 1 / L if unset.
    n_records : int, default=101
        Number of states kept, evenly spaced, the first at rest.

    Returns
    -------
    LCATimeCourse

    Raises
    ------
    TypeError, ValueError
        For bad arguments, as :func:`lca` does.

    Notes
    -----
    Rozell et al. 2008, eq. 3.1.
    """
    problem = Problem(np.atleast_2d(np.asarray(x)), dictionary, penalty)
    _check_lca(problem)
    if len(problem.X) != 1:
        raise ValueError(f"x must be one sample; got {len(problem.X)}. Call once per sample.")
    step = problem.check_step(step)
    n_records = check_count("n_records", n_records, minimum=2)
    duration = check_positive("duration", duration)
    every = int(np.ceil(duration / step / (n_records - 1)))
    step = duration / (every * (n_records - 1))  # at most the step asked for, and ends in time
    shape = (n_records, problem.n_atoms)
    potentials, codes = np.empty(shape, problem.X.dtype), np.empty(shape, problem.X.dtype)
    objective = np.empty(n_records)
    with threads(1):
        tile = Tile(problem, slice(0, 1))
        lca_record(
            tile.projections[0], tile.energies[0], problem.gram, problem.penalty, step, every,
            potentials, codes, objective,
        )  # fmt: skip
    return LCATimeCourse(np.arange(n_records) * every * step, potentials, codes, objective)
