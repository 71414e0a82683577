"""Feature-sign search: l1 codes that are exact for their signs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sparsecode.penalties._dispatch import Penalty
from sparsecode.solvers._cd_kernels import cd_tile
from sparsecode.solvers._docs import shared_docs
from sparsecode.solvers._feature_sign_kernels import feature_sign_tile
from sparsecode.solvers._parts import in_parts
from sparsecode.solvers._problem import Problem
from sparsecode.solvers._result import SolverResult
from sparsecode.solvers._tile import Tile

__all__ = ["feature_sign"]

#: Members of a working set beyond n_features, which no support needs but for ties.
SPARE = 128
#: Most members of a working set: the tableau and its scratch take 64 MiB a thread.
LARGEST = 2048


@shared_docs
def feature_sign(
    X: Any,
    dictionary: Any,
    penalty: Penalty | str = "l1",
    *,
    alpha_ratio: float | None = None,
    init: Any = None,
    max_iter: int = 10_000,
    tol: float | None = None,
    n_threads: int | None = None,
    progress: bool = False,
) -> SolverResult:
    r"""Guess the signs of the code, solve for them exactly, and mend the guess.

    Minimises :math:`\frac12 \|x - zD\|^2 + \sum_j \alpha w_j |z_j|` per sample, with a ridge for
    :class:`~sparsecode.penalties.ElasticNet`. The atom whose correlation exceeds its limit most
    joins the support S; the code moves to the minimiser for these signs,
    :math:`z_S = G_{SS}^{-1} (D_S x - \alpha s)`, or to the first coefficient that would change
    its sign, which is silenced.

    Parameters
    ----------
    <X>
    <dictionary>
    penalty : L1, ElasticNet or str, default="l1"
        The name needs `alpha_ratio`.
    alpha_ratio : float, optional
        As in the other solvers.
    <init>
    max_iter : int, default=10000
        Largest number of changes of the support; also of sweeps of coordinate descent, which
        takes over where the search gives up.
    <tol>
    <n_threads>

    <returns>

    Notes
    -----
    Lee, Battle, Raina & Ng 2006 (NIPS 19, 801-808), one atom at a time; the active-set method of
    Osborne, Presnell & Turlach 2000 (IMA J. Numer. Anal. 20, 389-403). Working sets grow as in
    Massias, Gramfort & Salmon 2018 (ICML, celer). The Gram matrix of a working set is kept swept
    on the support (Goodnight 1979, Am. Stat. 33, 149-158), so that a change of the support costs
    one outer product in fast memory, not a factorisation. The end is exact but for rounding;
    `tol` decides how early the search may stop. `n_iter` counts the changes of the support.
    Where the Gram matrix would take more than 2 GiB, working sets of atoms that a few samples share
    take its place; `max_iter` then counts over all of them.
    """
    problem = Problem(
        X, dictionary, penalty,
        alpha_ratio=alpha_ratio, init=init, max_iter=max_iter, tol=tol, n_threads=n_threads,
        progress=progress,
    )  # fmt: skip
    if not problem.convex:
        raise TypeError(
            f"the penalty of feature_sign must be L1 or ElasticNet; got "
            f"{type(problem.penalty).__name__}. Use cd."
        )
    return problem.solve(in_parts(problem, sign_search), remedy="Raise max_iter or tol.")


def sign_search(problem: Problem) -> Callable[[Tile], None]:
    """Return the kernel that searches the signs of every sample of a tile."""
    gram = problem.gram
    norms = problem.norms.astype(problem.X.dtype)
    capacity, slack = working_set_size(problem), rounding_slack(problem)
    goal = 0.9 * problem.tol

    def kernel(tile: Tile) -> None:
        indices, values, counts = tile.rows_to_fill()
        solved = np.zeros(len(tile.X), bool)
        start = tile.start
        feature_sign_tile(
            tile.projections, tile.energies, gram, norms, problem.penalty, tile.alphas,
            capacity, problem.max_iter, goal, slack, start.indptr, start.indices, start.values,
            indices, values, counts, tile.n_iter, solved,
        )  # fmt: skip
        descend_where_stuck(tile, solved, goal)

    return kernel


def working_set_size(problem: Problem) -> int:
    """Return the most members of a working set."""
    return min(problem.n_atoms, problem.X.shape[1] + SPARE, LARGEST)


def rounding_slack(problem: Problem) -> float:
    """Return by which part of its limit a slope may exceed it for rounding."""
    return float(np.finfo(problem.X.dtype).eps ** 0.75)


def descend_where_stuck(tile: Tile, solved: np.ndarray, goal: float) -> None:
    """Go on by coordinate descent where rounding or a support too large stopped the search."""
    stuck = np.flatnonzero(~solved)
    if not stuck.size:
        return
    problem = tile.problem
    indices, values, counts = tile.rows_to_fill()
    codes = np.zeros((stuck.size, problem.n_atoms), problem.X.dtype)
    for row, i in enumerate(stuck):
        codes[row, indices[i, : counts[i]]] = values[i, : counts[i]]
    residuals = tile.X[stuck] - codes @ problem.dictionary
    worse = ~(0.5 * (residuals**2).sum(axis=1) <= tile.energies[stuck])  # or NaN
    codes[worse] = 0.0
    sweeps = np.zeros(stuck.size, np.int64)
    cd_tile(
        tile.projections[stuck], tile.energies[stuck], problem.gram, problem.squared_norms,
        problem.penalty, tile.alphas[stuck], problem.convex, problem.max_iter, goal, codes, sweeps,
    )  # fmt: skip
    for row, i in enumerate(stuck):
        support = np.flatnonzero(codes[row])
        counts[i] = support.size
        indices[i, : support.size] = support
        values[i, : support.size] = codes[row, support]
        tile.n_iter[i] += sweeps[row]
