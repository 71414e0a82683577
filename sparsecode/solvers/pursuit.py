"""Matching pursuit, orthogonal matching pursuit and orthogonal least squares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sparsecode._validation import check_count, check_positive
from sparsecode.solvers._docs import shared_docs
from sparsecode.solvers._greedy_kernels import positive_omp_tile
from sparsecode.solvers._problem import Problem
from sparsecode.solvers._pursuit_kernels import mp_tile, ols_tile, omp_tile
from sparsecode.solvers._result import SolverResult
from sparsecode.solvers._tile import Tile

__all__ = ["mp", "ols", "omp"]


def _check_targets(
    problem: Problem, n_nonzero: int | None, error: float | None
) -> tuple[int | None, float]:
    """Return the checked number of atoms and the residual energy that ends a pursuit."""
    if n_nonzero is None and error is None:
        raise ValueError("a pursuit needs n_nonzero or error to know when to stop; got neither.")
    if n_nonzero is not None:
        n_nonzero = check_count("n_nonzero", n_nonzero, maximum=problem.n_atoms)
    target = 0.0 if error is None else 0.5 * check_positive("error", error) ** 2
    return n_nonzero, target


@shared_docs
def omp(
    X: Any,
    dictionary: Any,
    *,
    n_nonzero: int | None = None,
    error: float | None = None,
    positive: bool = False,
    tol: float | None = None,
    n_threads: int | None = None,
    progress: bool = False,
) -> SolverResult:
    r"""Add the best-correlated atom and refit, until k atoms or an error are reached.

    Greedy for :math:`\min \frac12 \|x - zD\|^2` with at most `n_nonzero` active atoms: the atom
    with the largest :math:`|d_j \cdot r| / \|d_j\|` joins the support, whose coefficients become
    the least-squares ones.

    Parameters
    ----------
    <X>
    <dictionary>
    <n_nonzero>
    <error>
    positive : bool, default=False
        Choose by positive correlation and refit with non-negative coefficients; an atom that a
        refit silences does not count.
    <tol>
    <n_threads>

    <returns>

    Notes
    -----
    Pati, Rezaiifar & Krishnaprasad 1993 (Asilomar Conf., 40-44); the Gram matrix and the
    progressive Cholesky factor of Rubinstein, Zibulevsky & Elad 2008 (Technion CS-2008-08,
    Batch-OMP). Ties go to the lower index; an atom that depends linearly on the chosen ones is
    passed over; an exact fit ends the pursuit early. At least one of `n_nonzero` and `error` is
    needed; with both, the first that is met stops, and a sample counts as converged if its
    error is met.
    """
    if positive:
        return _pursue(_positive_omp, X, dictionary, n_nonzero, error, tol, n_threads, progress)
    return _pursue(_orthogonal(omp_tile), X, dictionary, n_nonzero, error, tol, n_threads, progress)


@shared_docs
def ols(
    X: Any,
    dictionary: Any,
    *,
    n_nonzero: int | None = None,
    error: float | None = None,
    tol: float | None = None,
    n_threads: int | None = None,
    progress: bool = False,
) -> SolverResult:
    r"""Add the atom that lowers the residual most and refit, until k atoms or an error are reached.

    Greedy for :math:`\min \frac12 \|x - zD\|^2` with at most `n_nonzero` active atoms: the atom
    with the largest :math:`|d_j \cdot r| / \|P d_j\|` joins the support, P projecting on what the
    support does not span, whose coefficients become the least-squares ones. Unlike :func:`omp`,
    it foresees the refit.

    Parameters
    ----------
    <X>
    <dictionary>
    <n_nonzero>
    <error>
    <tol>
    <n_threads>

    <returns>

    Notes
    -----
    Orthogonal least squares of Chen, Billings & Luo 1989 (Int. J. Control 50, 1873-1896), known as
    order-recursive matching pursuit too; `spams.omp` chooses so. Ties, dependent atoms, exact fits
    and the two targets are treated as in :func:`omp`; atoms of which less than the square root of
    the machine epsilon is left beside the support are passed over, for their scores are rounding.
    """
    return _pursue(_orthogonal(ols_tile), X, dictionary, n_nonzero, error, tol, n_threads, progress)


def _orthogonal(kernel: Callable[..., None]) -> Callable[..., None]:
    """Return how a tile is solved by a kernel that chooses atoms and fits them in one pass."""

    def solve(tile: Tile, gram: np.ndarray, limit: int, target: float) -> None:
        problem = tile.problem
        indices, values, counts = tile.rows_to_fill()
        kernel(
            tile.projections, tile.energies, gram, problem.norms,
            min(limit, problem.X.shape[1]), target, indices, values, counts,
        )  # fmt: skip
        tile.n_iter[:] = counts

    return solve


def _positive_omp(tile: Tile, gram: np.ndarray, limit: int, target: float) -> None:
    positive_omp_tile(
        tile.projections, tile.energies, gram, tile.problem.norms, limit, target, tile.codes,
        tile.n_iter,
    )  # fmt: skip


def _pursue(
    solve: Callable[[Tile, np.ndarray, int, float], None],
    X: Any,
    dictionary: Any,
    n_nonzero: int | None,
    error: float | None,
    tol: float | None,
    n_threads: int | None,
    progress: bool,
) -> SolverResult:
    problem = Problem(X, dictionary, tol=tol, n_threads=n_threads, progress=progress)
    n_nonzero, target = _check_targets(problem, n_nonzero, error)
    limit = problem.n_atoms if n_nonzero is None else n_nonzero
    gram = problem.gram

    def met(certificate: np.ndarray, objective: np.ndarray) -> np.ndarray:
        fitted = certificate <= problem.tol
        return fitted if error is None else fitted & (objective <= target * (1.0 + problem.tol))

    return problem.solve(
        lambda tile: solve(tile, gram, limit, target),
        met=met,
        remedy="Raise n_nonzero, error or tol.",
    )


@shared_docs
def mp(
    X: Any,
    dictionary: Any,
    *,
    n_nonzero: int | None = None,
    error: float | None = None,
    positive: bool = False,
    max_iter: int = 10_000,
    n_threads: int | None = None,
    progress: bool = False,
) -> SolverResult:
    r"""Subtract the best-correlated atom again and again, until k atoms or an error are reached.

    The atom with the largest :math:`|d_j \cdot r| / \|d_j\|` changes its coefficient by
    :math:`d_j \cdot r / \|d_j\|^2`; atoms may be chosen again.

    Parameters
    ----------
    <X>
    <dictionary>
    <n_nonzero>
    <error>
    positive : bool, default=False
        Choose positive correlations only.
    max_iter : int, default=10000
        Largest number of choices per sample.
    <n_threads>

    <returns>

    Notes
    -----
    Mallat & Zhang 1993 (IEEE Trans. Signal Process. 41, 3397-3415). It ends before an atom beyond
    `n_nonzero` would enter. The certificate, the support residual, shows how far the code
    is from the least-squares one (see :func:`omp`); it is not bounded by a tolerance. A sample
    counts as converged if its error is met, where one is given, else if it ended by itself.
    """
    problem = Problem(X, dictionary, max_iter=max_iter, n_threads=n_threads, progress=progress)
    n_nonzero, target = _check_targets(problem, n_nonzero, error)
    limit = problem.n_atoms if n_nonzero is None else n_nonzero
    n_choices = np.zeros(len(problem.X), np.int64)
    gram = problem.gram

    def kernel(tile: Tile) -> None:
        indices, values, counts = tile.rows_to_fill()
        mp_tile(
            tile.projections, tile.energies, gram, problem.norms, positive, limit, target,
            problem.max_iter, indices, values, counts, tile.n_iter,
        )  # fmt: skip
        n_choices[tile.rows] = tile.n_iter

    def met(certificate: np.ndarray, objective: np.ndarray) -> np.ndarray:
        if error is None:
            return n_choices < problem.max_iter
        return objective <= target * (1.0 + problem.tol)

    return problem.solve(kernel, met=met, remedy="Raise n_nonzero, error or max_iter.")
