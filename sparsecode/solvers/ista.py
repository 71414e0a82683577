"""Proximal gradient."""

from __future__ import annotations

from typing import Any

from sparsecode.penalties._dispatch import Penalty
from sparsecode.solvers._docs import shared_docs
from sparsecode.solvers._problem import Problem
from sparsecode.solvers._proximal_kernels import ista_tile
from sparsecode.solvers._result import SolverResult
from sparsecode.solvers._tile import Tile

__all__ = ["ista"]


@shared_docs
def ista(
    X: Any,
    dictionary: Any,
    penalty: Penalty | str,
    *,
    alpha_ratio: float | None = None,
    init: Any = None,
    step: float | None = None,
    max_iter: int = 10_000,
    tol: float | None = None,
    n_threads: int | None = None,
    progress: bool = False,
) -> SolverResult:
    r"""Iterate a gradient step and the penalty's proximal operator.

    Minimises :math:`\frac12 \|x - zD\|^2 + \mathrm{penalty}(z)` per sample by
    :math:`z \leftarrow \mathrm{prox}_\gamma(z + \gamma\, D(x - zD))`.

    Parameters
    ----------
    <X>
    <dictionary>
    <penalty>
    <init>
    step : float, optional
        :math:`\gamma`, at most 2 / L; 1 / L if unset, L the largest eigenvalue of the Gram matrix.
    max_iter : int, default=10000
        Largest number of iterations.
    <tol>
    <n_threads>

    <returns>

    Notes
    -----
    Daubechies, Defrise & De Mol 2004 (Commun. Pure Appl. Math. 57, 1413-1457); for penalties
    that are not convex Attouch, Bolte & Svaiter 2013 (Math. Program. 137, 91-129). The prox
    residual that certifies the latter is taken at `step`: it proves a fixed point of this
    iteration.
    """
    problem = Problem(
        X, dictionary, penalty,
        alpha_ratio=alpha_ratio, init=init, max_iter=max_iter, tol=tol, n_threads=n_threads,
        progress=progress,
    )  # fmt: skip
    step = problem.check_step(step)
    gram = problem.gram

    def kernel(tile: Tile) -> None:
        ista_tile(
            tile.projections, tile.energies, gram, problem.penalty, tile.alphas,
            problem.convex, step, problem.max_iter, 0.9 * problem.tol, tile.codes, tile.n_iter,
        )  # fmt: skip

    return problem.solve(kernel, step=step)
