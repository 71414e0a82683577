"""Matching pursuit, orthogonal matching pursuit and orthogonal least squares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sparsecode._parallel import MANY
from sparsecode._simd import padded
from sparsecode._validation import check_count, check_positive
from sparsecode.solvers import _problem
from sparsecode.solvers._docs import shared_docs
from sparsecode.solvers._greedy_kernels import positive_omp_tile
from sparsecode.solvers._problem import Problem
from sparsecode.solvers._pursuit_kernels import mp_tile, ols_tile, omp_tile
from sparsecode.solvers._pursuit_round_kernels import (
    Rounds,
    matching_round,
    orthogonal_round,
    start_rounds,
)
from sparsecode.solvers._pursuit_simd import strip_width
from sparsecode.solvers._result import SolverResult
from sparsecode.solvers._tile import Tile

__all__ = ["mp", "ols", "omp"]

#: Bytes that the scratch of a tile may take where products by rounds replace the Gram matrix.
ROUND_BYTES = 2**26
#: Samples of such a tile at least, whatever they take, and before it is cut for more threads.
ROUND_HEIGHT, ROUND_SHARE = 32, 64


class _Pursuit(Problem):
    """Checked arguments of one call of a pursuit, whose tiles are tall where it goes by rounds.

    Parameters
    ----------
    X, dictionary, options
        As :class:`~sparsecode.solvers._problem.Problem` takes them.
    n_nonzero, error
        As every pursuit takes them.
    orthogonal : bool
        Whether the chosen atoms are made orthonormal.

    Attributes
    ----------
    limit : int
        Atoms that a code may have.
    target : float
        Residual energy that ends a pursuit.
    basis_rows : int
        Atoms that an orthogonal pursuit takes at most, each a row of a basis; 0 for others.
    """

    def __init__(
        self,
        X: Any,
        dictionary: Any,
        n_nonzero: int | None,
        error: float | None,
        *,
        orthogonal: bool,
        **options: Any,
    ) -> None:
        super().__init__(X, dictionary, **options)
        if n_nonzero is None and error is None:
            raise ValueError(
                "a pursuit needs n_nonzero or error to know when to stop; got neither."
            )
        self.limit = self.n_atoms
        if n_nonzero is not None:
            self.limit = check_count("n_nonzero", n_nonzero, maximum=self.n_atoms)
        self.target = 0.0 if error is None else 0.5 * check_positive("error", error) ** 2
        self.basis_rows = min(self.limit, self.X.shape[1]) if orthogonal else 0

    def tiles(self, *, lockstep: bool = False) -> list[slice]:
        """Return the rows of each tile; they depend on sizes alone, never on threads."""
        if not self.is_large:
            return super().tiles(lockstep=lockstep)
        n_samples, n_features = self.X.shape
        # projections, products, correlations and energies of all atoms, and the basis
        taken = 4 * self.n_atoms * self.X.dtype.itemsize + 8 * self.basis_rows * n_features
        height = min(ROUND_BYTES // taken, max(-(-n_samples // MANY), ROUND_SHARE))
        height = max(height, ROUND_HEIGHT)
        return [slice(first, first + height) for first in range(0, n_samples, height)]


def _rounds(tile: Tile, n_rows: int, keeps_energies: bool) -> Rounds:
    """Return what is known of the samples of a tile, in memory that is used again."""
    problem, dtype = tile.problem, tile.X.dtype
    n_samples, n_features = tile.X.shape
    n_atoms, width = problem.n_atoms, padded(n_features, np.float64)
    strip = strip_width(dtype)
    n_strips = -(-n_atoms // strip)

    def array(name: str, *shape: int, dtype: Any = np.float64) -> np.ndarray:
        return problem.scratch.array(f"rounds: {name}", shape, dtype)

    # an odd number of vectors: rows a power of 2 apart would crowd a part of the cache
    lanes = padded(1, dtype)
    n_products = lanes * (-(-n_atoms // lanes) | 1)
    products = array("products", n_samples, n_products, dtype=dtype)
    products[:, n_atoms:] = 0
    weights = array("weights", n_strips * strip, dtype=dtype)
    weights[:n_atoms], weights[n_atoms:] = 1.0 / problem.norms, 0.0
    sample = array("sample", width)
    sample[n_features:] = 0.0
    return Rounds(
        eps=float(np.finfo(dtype).eps),
        running=array("running", n_samples, dtype=np.int64),
        stack=array("stack", n_samples, n_features, dtype=dtype),
        products=products,
        weights=weights,
        strips=array("strips", n_strips, 1, strip, dtype=dtype),
        correlations=array("correlations", n_samples, n_strips * strip, dtype=dtype),
        energies=array(
            "energies", n_samples if keeps_energies else 1, n_strips * strip, dtype=dtype
        ),
        residuals=array("residuals", n_samples),
        moments=array("moments", n_samples),
        basis=array("basis", n_samples, n_rows, width),
        order=np.arange(n_rows),
        closed=array("closed", n_samples, n_atoms, dtype=np.int32),
        n_closed=array("n_closed", n_samples, dtype=np.int64),
        sample=sample,
        coefficients=array("coefficients", n_rows),
        factor=array("factor", n_rows, n_rows),
        inverses=array("inverses", n_rows),
        fits=array("fits", n_rows),
    )


def _solve_by_rounds(
    tile: Tile, rounds: Rounds, target: float, advance: Callable[[int], int]
) -> None:
    """Multiply what the running samples have stacked by the dictionary, until none goes on."""
    dictionary = tile.problem.dictionary
    n_atoms, counts = tile.problem.n_atoms, tile.rows_to_fill()[2]
    n_running = start_rounds(tile.projections, tile.energies, target, rounds, counts, tile.n_iter)
    n_running = advance(n_running)
    while n_running > 0:
        np.matmul(rounds.stack[:n_running], dictionary.T, out=rounds.products[:n_running, :n_atoms])
        n_running = advance(n_running)


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

    Where the Gram matrix would take more than 2 GiB, it is not made: the chosen atoms of each
    sample are made orthonormal (the QR form of Sturm & Christensen 2012, EUSIPCO, 220-224), and
    every round multiplies the newest vectors of many samples by the dictionary at once. The codes
    are the same but for rounding. `positive` needs the Gram matrix, and is refused there.
    """
    if positive:
        return _pursue(_positive_omp, X, dictionary, n_nonzero, error, tol, n_threads, progress)
    return _pursue(
        _orthogonal(ols=False), X, dictionary, n_nonzero, error, tol, n_threads, progress
    )


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
    and the two targets, and dictionaries too large for a Gram matrix, are treated as in
    :func:`omp`; atoms of which less than the square root of
    the machine epsilon is left beside the support are passed over, for their scores are rounding.
    """
    return _pursue(_orthogonal(ols=True), X, dictionary, n_nonzero, error, tol, n_threads, progress)


def _orthogonal(ols: bool) -> Callable[[Tile, _Pursuit], None]:
    """Return how a tile is solved by a pursuit that chooses atoms and fits them in one pass."""
    kernel = ols_tile if ols else omp_tile

    def solve(tile: Tile, problem: _Pursuit) -> None:
        if problem.is_large:
            _orthogonal_by_rounds(tile, problem, ols)
            return
        indices, values, counts = tile.rows_to_fill()
        kernel(
            tile.projections, tile.energies, problem.gram, problem.norms, problem.basis_rows,
            problem.target, indices, values, counts,
        )  # fmt: skip
        tile.n_iter[:] = counts

    return solve


def _orthogonal_by_rounds(tile: Tile, problem: _Pursuit, ols: bool) -> None:
    rounds = _rounds(tile, problem.basis_rows, keeps_energies=ols)

    def advance(n_running: int) -> int:
        return orthogonal_round(
            ols, tile.X, tile.energies, problem.atoms, problem.norms, problem.basis_rows,
            problem.target, rounds, n_running, *tile.rows_to_fill(), tile.n_iter,
        )  # fmt: skip

    _solve_by_rounds(tile, rounds, problem.target, advance)


def _positive_omp(tile: Tile, problem: _Pursuit) -> None:
    positive_omp_tile(
        tile.projections, tile.energies, problem.gram, problem.norms, problem.limit,
        problem.target, tile.codes, tile.n_iter,
    )  # fmt: skip


def _pursue(
    solve: Callable[[Tile, _Pursuit], None],
    X: Any,
    dictionary: Any,
    n_nonzero: int | None,
    error: float | None,
    tol: float | None,
    n_threads: int | None,
    progress: bool,
) -> SolverResult:
    problem = _Pursuit(
        X, dictionary, n_nonzero, error, orthogonal=True, tol=tol, n_threads=n_threads,
        progress=progress,
    )  # fmt: skip
    if solve is _positive_omp and problem.is_large:
        raise ValueError(
            f"omp with positive=True needs a Gram matrix of at most "
            f"{_problem.GRAM_BYTES / 2**30:g} GiB; got {problem.n_atoms} atoms. Take fewer, or mp "
            f"with positive=True."
        )
    if not problem.is_large:
        problem.gram  # noqa: B018 - made once, before tiles ask for it side by side

    def met(certificate: np.ndarray, objective: np.ndarray) -> np.ndarray:
        fitted = certificate <= problem.tol
        if error is None:
            return fitted
        return fitted & (objective <= problem.target * (1.0 + problem.tol))

    return problem.solve(
        lambda tile: solve(tile, problem),
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
    Where the Gram matrix would take more than 2 GiB, every step multiplies the atoms that many
    samples have chosen by the dictionary instead.
    """
    problem = _Pursuit(
        X, dictionary, n_nonzero, error, orthogonal=False, max_iter=max_iter, n_threads=n_threads,
        progress=progress,
    )  # fmt: skip
    n_choices = np.zeros(len(problem.X), np.int64)
    if not problem.is_large:
        problem.gram  # noqa: B018 - made once, before tiles ask for it side by side

    def kernel(tile: Tile) -> None:
        if problem.is_large:
            _match_by_rounds(tile, problem, positive)
        else:
            mp_tile(
                tile.projections, tile.energies, problem.gram, problem.norms, positive,
                problem.limit, problem.target, problem.max_iter, *tile.rows_to_fill(), tile.n_iter,
            )  # fmt: skip
        n_choices[tile.rows] = tile.n_iter

    def met(certificate: np.ndarray, objective: np.ndarray) -> np.ndarray:
        if error is None:
            return n_choices < problem.max_iter
        return objective <= problem.target * (1.0 + problem.tol)

    return problem.solve(kernel, met=met, remedy="Raise n_nonzero, error or max_iter.")


def _match_by_rounds(tile: Tile, problem: _Pursuit, positive: bool) -> None:
    rounds = _rounds(tile, 0, keeps_energies=False)

    def advance(n_running: int) -> int:
        return matching_round(
            positive, tile.energies, problem.atoms, problem.norms, problem.limit,
            problem.target, problem.max_iter, rounds, n_running, *tile.rows_to_fill(), tile.n_iter,
        )  # fmt: skip

    _solve_by_rounds(tile, rounds, problem.target, advance)
