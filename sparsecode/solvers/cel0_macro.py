"""The macro algorithm for CEL0."""

from __future__ import annotations

from functools import partial
from typing import Any

from sparsecode.penalties.cel0 import CEL0
from sparsecode.solvers._docs import shared_docs
from sparsecode.solvers._parts import in_parts
from sparsecode.solvers._problem import Problem
from sparsecode.solvers._result import SolverResult
from sparsecode.solvers.irl1 import reweighting, tie_free_step

__all__ = ["cel0_macro"]


@shared_docs
def cel0_macro(
    X: Any,
    dictionary: Any,
    penalty: CEL0 | str = "cel0",
    *,
    alpha_ratio: float | None = None,
    init: Any = None,
    max_iter: int = 1000,
    tol: float | None = None,
    n_threads: int | None = None,
    progress: bool = False,
) -> SolverResult:
    r"""Minimise l2-CEL0 to a point that is locally optimal for l2-l0 too.

    Minimises :math:`\frac12 \|x - zD\|^2 + \mathrm{CEL0}(z)` per sample. Reweighted l1 finds
    a critical point; while a coefficient lies strictly between 0 and
    :math:`\sqrt{2\lambda_j}/a_j`, where the objective along its axis is flat, the smallest such
    moves to 0 at no cost and the descent goes on.

    Parameters
    ----------
    <X>
    <dictionary>
    penalty : CEL0 or "cel0"
        The name needs `alpha_ratio`.
    alpha_ratio : float, optional
        As in the other solvers.
    <init>
    max_iter : int, default=1000
        Largest number of reweightings in all.
    <tol>
    <n_threads>

    <returns>

    Notes
    -----
    Soubies, Blanc-Féraud & Aubert 2015 (SIAM J. Imaging Sci. 8, 1607-1639), section 5, with
    the inner solver :func:`irl1`. The prox residual is taken at the step 1 / 2L: at 1 / L the
    operator may jump, and no point on a flat segment would pass for critical.
    Dictionaries too large for their Gram matrix are solved as :func:`irl1` does.
    """
    problem = Problem(
        X, dictionary, penalty,
        alpha_ratio=alpha_ratio, init=init, max_iter=max_iter, tol=tol, n_threads=n_threads,
        progress=progress,
    )  # fmt: skip
    if not isinstance(problem.penalty, CEL0):
        raise TypeError(
            f"the penalty of cel0_macro must be CEL0; got {type(problem.penalty).__name__}. "
            f"Use ista or cd."
        )
    kernel = in_parts(problem, partial(reweighting, macro=True))
    return problem.solve(kernel, step=tie_free_step(problem))
