"""Iteratively reweighted l1."""

from __future__ import annotations

from typing import Any

from sparsecode.penalties._dispatch import Penalty, formulas, registered
from sparsecode.solvers._docs import shared_docs
from sparsecode.solvers._irl1_kernels import irl1_tile
from sparsecode.solvers._problem import Problem
from sparsecode.solvers._result import SolverResult
from sparsecode.solvers._tile import Tile

__all__ = ["irl1"]


@shared_docs
def irl1(
    X: Any,
    dictionary: Any,
    penalty: Penalty | str,
    *,
    alpha_ratio: float | None = None,
    init: Any = None,
    max_iter: int = 1000,
    tol: float | None = None,
    n_threads: int | None = None,
    progress: bool = False,
) -> SolverResult:
    r"""Solve weighted lassos whose weights are the penalty's slopes at the last solution.

    Minimises :math:`\frac12 \|x - zD\|^2 + \mathrm{penalty}(z)` per sample by majorising the
    penalty: :math:`w_j = \mathrm{penalty}'(|z_j|)`, then z minimises
    :math:`\frac12 \|x - zD\|^2 + \sum_j w_j |z_j|`, warm-started.

    Parameters
    ----------
    <X>
    <dictionary>
    <penalty>
    <init>
    max_iter : int, default=1000
        Largest number of reweightings.
    <tol>
    <n_threads>

    <returns>

    Notes
    -----
    Candès, Wakin & Boyd 2008 (J. Fourier Anal. Appl. 14, 877-905), section 2.2; Ochs,
    Dosovitskiy, Brox & Pock 2015 (SIAM J. Imaging Sci. 8, 331-372) for the general penalty. The
    slope must be finite at 0 and never grow, which excludes l0, l1/2 and the elastic net. It
    ends at a critical point; where the penalty is more concave than the data term is convex, the
    prox residual, taken at the step 1 / 2L, may show that a larger move would still pay.
    """
    problem = Problem(
        X, dictionary, penalty,
        alpha_ratio=alpha_ratio, init=init, max_iter=max_iter, tol=tol, n_threads=n_threads,
        progress=progress,
    )  # fmt: skip
    if formulas(problem.penalty).slope is None:
        known = [
            struct.__name__
            for struct in registered().values()
            if formulas(struct(1.0)).slope is not None
        ]
        raise TypeError(
            f"the penalty of irl1 must have a finite slope that never grows, as "
            f"{', '.join(known)} have; got "
            f"{type(problem.penalty).__name__}. Use cd."
        )
    step = 0.5 / problem.curvature  # where CEL0's operator has no jump, not even at a tie
    gram = problem.gram

    def kernel(tile: Tile) -> None:
        irl1_tile(
            tile.projections, tile.energies, gram, problem.squared_norms,
            problem.penalty, tile.alphas, False, step, problem.max_iter, 0.9 * problem.tol,
            tile.codes, tile.n_iter,
        )  # fmt: skip

    return problem.solve(kernel, step=step)
