"""Coordinate descent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sparsecode.penalties._dispatch import Penalty
from sparsecode.solvers._cd_kernels import cd_tile
from sparsecode.solvers._docs import shared_docs
from sparsecode.solvers._parts import in_parts
from sparsecode.solvers._problem import Problem
from sparsecode.solvers._result import SolverResult
from sparsecode.solvers._tile import Tile

__all__ = ["cd"]


@shared_docs
def cd(
    X: Any,
    dictionary: Any,
    penalty: Penalty | str,
    *,
    alpha_ratio: float | None = None,
    init: Any = None,
    max_iter: int = 10_000,
    tol: float | None = None,
    n_threads: int | None = None,
    progress: bool = False,
) -> SolverResult:
    r"""Minimise over one coefficient at a time, on working sets that grow.

    Minimises :math:`\frac12 \|x - zD\|^2 + \mathrm{penalty}(z)` per sample. Each move sets
    :math:`z_j \leftarrow \mathrm{prox}_{1/\|d_j\|^2}(z_j + d_j \cdot r / \|d_j\|^2)`, the global
    minimiser along its axis.

    Parameters
    ----------
    <X>
    <dictionary>
    <penalty>
    <init>
    max_iter : int, default=10000
        Largest number of sweeps over a working set.
    <tol>
    <n_threads>

    <returns>

    Notes
    -----
    Friedman, Hastie & Tibshirani 2010 (J. Stat. Softw. 33, 1) for l1; Breheny & Huang 2011 (Ann.
    Appl. Stat. 5, 232-253) for MCP and SCAD. A working set joins the active atoms and the
    worst violators, as in Massias, Gramfort & Salmon 2018 (ICML, celer), and is solved more
    tightly from round to round. Where sweeps are slow, because atoms are much alike, a damped
    Newton step moves the whole support at once, up to the first sign change, as in the
    feature-sign search of Lee, Battle, Raina & Ng 2006 (NIPS 19, 801-808); it is kept only if
    the objective falls. For l0 and CEL0 the fixed points are the same, and
    coordinate-stationary.
    Where the Gram matrix would take more than 2 GiB, working sets of atoms that a few samples share
    take its place; `max_iter` then counts over all of them.
    """
    problem = Problem(
        X, dictionary, penalty,
        alpha_ratio=alpha_ratio, init=init, max_iter=max_iter, tol=tol, n_threads=n_threads,
        progress=progress,
    )  # fmt: skip

    problem.refuse_paper_cel0("cd")
    return problem.solve(in_parts(problem, descent))


def descent(problem: Problem) -> Callable[[Tile], None]:
    """Return the kernel that descends in every sample of a tile."""
    gram = problem.gram

    def kernel(tile: Tile) -> None:
        cd_tile(
            tile.projections, tile.energies, gram, problem.squared_norms,
            problem.penalty, tile.alphas, problem.convex, problem.max_iter, 0.9 * problem.tol,
            tile.codes, tile.n_iter,
        )  # fmt: skip

    return kernel
