"""Iteratively reweighted l1."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from sparsecode.penalties._dispatch import Penalty, formulas, registered
from sparsecode.penalties.cel0 import PaperCEL0
from sparsecode.solvers._docs import shared_docs
from sparsecode.solvers._irl1_kernels import irl1_tile
from sparsecode.solvers._parts import in_parts
from sparsecode.solvers._problem import Problem
from sparsecode.solvers._result import SolverResult
from sparsecode.solvers._tile import Tile
from sparsecode.solvers.feature_sign import descend_where_stuck, rounding_slack, working_set_size

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
    slope must be finite at 0 and never grow, which excludes l0, l1/2 and the elastic net. The
    lassos are those of :func:`feature_sign`; every third weight is taken where the codes are
    heading (Aitken's extrapolation). It ends at a critical point. Where the penalty is more concave
    than the data term is convex, a proximal step of 1 / 2L, at which the prox residual is taken,
    may still pay there: from such a point coordinate descent goes on.
    Where the Gram matrix would take more than 2 GiB, working sets of atoms that a few samples share
    take its place; `max_iter` then counts over all of them.
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
    kernel = in_parts(problem, partial(reweighting, macro=False))
    return problem.solve(kernel, step=tie_free_step(problem))


def tie_free_step(problem: Problem) -> float:
    """Return a step at which CEL0's operator has no jump, not even at a tie."""
    return 0.5 / problem.curvature


def reweighting(problem: Problem, *, macro: bool) -> Callable[[Tile], None]:
    """Return the kernel that reweights; `macro` asks for CEL0's moves along flat segments too."""
    step = tie_free_step(problem)
    gram = problem.gram
    norms = problem.norms.astype(problem.X.dtype)
    capacity, slack = working_set_size(problem), rounding_slack(problem)
    can_descend = not isinstance(problem.penalty, PaperCEL0)  # which silences every unit atom

    def kernel(tile: Tile) -> None:
        indices, values, counts = tile.rows_to_fill()
        solved = np.zeros(len(tile.X), bool)
        start = tile.start
        irl1_tile(
            tile.projections, tile.energies, gram, norms, problem.penalty, tile.alphas, step,
            problem.silences, capacity, macro, problem.max_iter, 0.3 * problem.tol, slack,
            start.indptr, start.indices, start.values, indices, values, counts, tile.n_iter, solved,
        )  # fmt: skip
        if can_descend:
            descend_where_stuck(tile, solved, 0.9 * problem.tol)

    return kernel
