"""Single best replacement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sparsecode._validation import check_count
from sparsecode.penalties._dispatch import Penalty
from sparsecode.penalties.cel0 import CEL0
from sparsecode.penalties.l0 import L0
from sparsecode.solvers._docs import shared_docs
from sparsecode.solvers._parts import in_parts, replacement_scores
from sparsecode.solvers._problem import Problem
from sparsecode.solvers._replacement_kernels import replacement_tile
from sparsecode.solvers._result import SolverResult
from sparsecode.solvers._tile import Tile

__all__ = ["sbr"]

#: Replacements on one working set, where the Gram matrix is too large; with 8, codes of planted
#: problems cost up to 15 % more than with the Gram matrix, with 2 as much.
PACE = 2


@shared_docs
def sbr(
    X: Any,
    dictionary: Any,
    penalty: Penalty | str | None = None,
    *,
    n_nonzero: int | None = None,
    alpha_ratio: float | None = None,
    swaps: bool = True,
    init: Any = None,
    max_iter: int = 1000,
    tol: float | None = None,
    n_threads: int | None = None,
    progress: bool = False,
) -> SolverResult:
    r"""Insert, remove or swap the one atom that helps most, the others refitted, until none does.

    Descends, per sample, on :math:`\frac12 \|x - zD\|^2 + \alpha \sum_j w_j 1\{z_j \ne 0\}` or
    on :math:`\frac12 \|x - zD\|^2` over codes with at most `n_nonzero` active atoms. The gain of
    every replacement is computed exactly, with the coefficients of the whole support refitted.

    Parameters
    ----------
    <X>
    <dictionary>
    penalty : L0, CEL0, "l0" or "cel0", optional
        For the penalised form; leave unset with `n_nonzero`. CEL0 has the same minimisers.
    <n_nonzero>
    alpha_ratio : float, optional
        As in the other solvers, for the penalised form.
    swaps : bool, default=True
        Whether one atom may take another's place, when no insertion or removal helps any more.
    init : SparseCode or array-like of shape (n_samples, n_atoms), optional
        Codes whose supports to start from; empty ones if unset.
    max_iter : int, default=1000
        Largest number of replacements per sample; one that takes as many has not converged.
    <tol>
    <n_threads>

    <returns>

    Notes
    -----
    Soussen, Idier, Brie & Duan 2011 (IEEE Trans. Signal Process. 59, 4572-4584), SBR: from the
    empty support it begins as orthogonal least squares and may change its mind. The swaps are those
    of Hazimeh & Mazumder 2020 (Oper. Res. 68, 1517-1537, L0Learn), with the whole support refitted
    rather than one coefficient. Where it ends, `swap_stationary` says for each sample, in float64,
    whether any replacement would gain more than `tol` of 1/2 ||x||**2; such codes are
    coordinate-stationary, for l0 and for CEL0, and need not be global minimisers (see
    :func:`branch_and_bound`). Atoms of whose energy less than 1e-6 (in float32
    3e-4) is left beside a support are passed over. At most n_features atoms are active.
    Where the Gram matrix would take more than 2 GiB, working sets of atoms that a few samples share
    take its place; `max_iter` then counts over all of them,
    and each is left after two replacements. The end is as stationary, but may be another; without
    `swaps`, supports of `n_nonzero` atoms are only as good as the atoms that were looked at.
    """
    if (penalty is None) == (n_nonzero is None):
        raise ValueError(
            f"sbr needs either a penalty or n_nonzero; got penalty={penalty!r} and "
            f"n_nonzero={n_nonzero!r}."
        )
    if penalty is None and alpha_ratio is not None:
        raise ValueError("alpha_ratio of sbr belongs to the penalised form; got n_nonzero too.")
    problem = Problem(
        X, dictionary, penalty,
        alpha_ratio=alpha_ratio, init=init, max_iter=max_iter, tol=tol, n_threads=n_threads,
        progress=progress,
    )  # fmt: skip
    if n_nonzero is not None:
        n_nonzero = check_count("n_nonzero", n_nonzero, maximum=problem.n_atoms)
    costs, capacity = unit_costs(problem, "sbr"), min(problem.dictionary.shape)
    limit = capacity if n_nonzero is None else min(n_nonzero, capacity)
    n_replaced = np.zeros(len(problem.X), np.int64)
    replace = in_parts(
        problem,
        lambda part: replacing(part, limit, swaps=swaps),
        replacement_scores(costs, limit, swaps),
        pace=PACE,
    )

    def kernel(tile: Tile) -> None:
        replace(tile)
        n_replaced[tile.rows] = tile.n_iter

    def met(certificate: np.ndarray, objective: np.ndarray) -> np.ndarray:
        return (certificate <= problem.tol) & (n_replaced < problem.max_iter)

    return problem.solve(kernel, met=met, replacements=(costs, limit))


def replacing(problem: Problem, limit: int, *, swaps: bool) -> Callable[[Tile], None]:
    """Return the kernel that replaces atoms in every sample of a tile."""
    costs, gram = unit_costs(problem, "sbr"), problem.gram
    uniform = bool((costs == costs[0]).all())
    limit = min(limit, problem.n_atoms)

    def kernel(tile: Tile) -> None:
        indices, values, counts = tile.rows_to_fill()
        replacement_tile(
            tile.projections, tile.energies, gram, problem.norms, costs, uniform, tile.alphas,
            limit, swaps, problem.max_iter, tile.start.indptr, tile.start.indices, indices, values,
            counts, tile.n_iter,
        )  # fmt: skip

    return kernel


def unit_costs(problem: Problem, asker: str) -> np.ndarray:
    """Return what one active unit of each atom costs, in units of alpha, for whoever asks."""
    penalty = problem.penalty
    if penalty is None:
        return np.zeros(problem.n_atoms)
    if not isinstance(penalty, L0 | CEL0):
        raise TypeError(
            f"the penalty must be L0 or CEL0 for {asker}; got {type(penalty).__name__}."
        )
    if penalty.positive:
        raise ValueError(f"{asker} refits with either sign; got a positive penalty.")
    if isinstance(penalty, CEL0) and not np.allclose(
        np.asarray(penalty.norms), problem.norms, rtol=1e-6
    ):
        raise ValueError(
            f"norms of CEL0 must be those of the atoms for {asker}, or its minimisers are not "
            "those of l0; got others. Leave norms unset."
        )
    return np.asarray(penalty.weights)
