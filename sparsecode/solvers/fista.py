"""Accelerated proximal gradient."""

from __future__ import annotations

from typing import Any

from sparsecode.penalties._dispatch import Penalty
from sparsecode.solvers._docs import shared_docs
from sparsecode.solvers._problem import Problem
from sparsecode.solvers._proximal_kernels import fista_tile
from sparsecode.solvers._result import SolverResult
from sparsecode.solvers._tile import Tile

__all__ = ["fista"]


@shared_docs
def fista(
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
    r"""Iterate accelerated proximal gradient steps, restarting momentum that points uphill.

    Minimises :math:`\frac12 \|x - zD\|^2 + \mathrm{penalty}(z)` per sample for a convex penalty.

    Parameters
    ----------
    <X>
    <dictionary>
    <penalty>
    <init>
    step : float, optional
        At most 1 / L, which it is if unset; L is the largest eigenvalue of the Gram matrix.
    max_iter : int, default=10000
        Largest number of iterations.
    <tol>
    <n_threads>

    <returns>

    Notes
    -----
    Beck & Teboulle 2009 (SIAM J. Imaging Sci. 2, 183-202), eqs. 4.1-4.3; gradient restart of
    O'Donoghue & Candès 2015 (Found. Comput. Math. 15, 715-732), section 3.2.
    """
    problem = Problem(
        X, dictionary, penalty,
        alpha_ratio=alpha_ratio, init=init, max_iter=max_iter, tol=tol, n_threads=n_threads,
        progress=progress,
    )  # fmt: skip
    if not problem.convex:
        raise TypeError(
            f"the penalty of fista must be convex, L1 or ElasticNet; got "
            f"{type(problem.penalty).__name__}. Use ista or cd."
        )
    step = problem.check_step(step, limit=1.0)
    gram = problem.gram

    def kernel(tile: Tile) -> None:
        fista_tile(
            tile.projections, tile.energies, gram, problem.penalty, tile.alphas,
            step, problem.max_iter, 0.9 * problem.tol, tile.codes, tile.n_iter,
        )  # fmt: skip

    return problem.solve(kernel)
