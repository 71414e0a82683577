"""The homotopy (LARS) method: whole lasso paths, and codes from them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from sparsecode._validation import check_count, check_fraction, check_numbers, check_positive
from sparsecode.core.code import SparseCode
from sparsecode.penalties._dispatch import Penalty, struct_of
from sparsecode.penalties.l1 import L1
from sparsecode.solvers._cd_kernels import cd_tile
from sparsecode.solvers._docs import shared_docs
from sparsecode.solvers._feature_sign_kernels import feature_sign_tile
from sparsecode.solvers._homotopy_kernels import ALPHA, N_NONZERO, Book, homotopy_tile
from sparsecode.solvers._problem import Problem
from sparsecode.solvers._result import SolverResult
from sparsecode.solvers._tile import Tile

__all__ = ["LassoPath", "homotopy", "lasso_path"]

#: Largest support: the inverse of its Gram matrix takes 128 MiB a thread.
LARGEST = 4096
#: Where a path ends that only `n_nonzero` bounds, in units of alpha_max.
FLOOR = 1e-6
#: Knots per sample, and active atoms per knot, for which there is room at first.
KNOTS, ENTRIES = 32, 16
#: Knots that are certified together.
CERTIFIED = 256
#: Why paths end, in the order of the kernel's numbers.
ENDS = np.array(["alpha", "n_nonzero", "max_iter", "rounding", "size"])


@dataclass(frozen=True, repr=False)
class LassoPath:
    """Codes of every sample at every alpha: linear between knots.

    Parameters
    ----------
    knots : SparseCode of shape (n_knots, n_atoms)
        Codes at the breakpoints, the samples one after the other.
    indptr : ndarray of shape (n_samples + 1,)
        The knots of sample i are the rows ``indptr[i]:indptr[i + 1]``; each sample has one at
        least, the code 0 at its alpha_max.
    alphas : ndarray of shape (n_knots,)
        Weight of the penalty at each knot, strictly decreasing within a sample.
    ended : ndarray of str, shape (n_samples,)
        What ended the path: "alpha" or "n_nonzero", as was asked for; "max_iter"; "rounding",
        or "size" where a support outgrew 4096 atoms.
    certificate : ndarray of shape (n_samples,)
        Largest duality gap of the knots, relative to 1/2 ||x||**2, recomputed in float64 from
        the codes.
    converged : ndarray of shape (n_samples,)
        Whether the path got where it was to go, and `certificate` is at most the tolerance.
    n_iter : ndarray of shape (n_samples,)
        Breakpoints: atoms that joined or left. Those at one alpha share a knot.
    """

    knots: SparseCode
    indptr: np.ndarray
    alphas: np.ndarray
    ended: np.ndarray
    certificate: np.ndarray
    converged: np.ndarray
    n_iter: np.ndarray

    def __len__(self) -> int:
        return self.indptr.size - 1

    def __repr__(self) -> str:
        worst = float(self.certificate.max(initial=0.0))
        return (
            f"<LassoPath of {len(self)} samples, {self.alphas.size} knots, "
            f"{int(self.converged.sum())} converged, largest duality gap {worst:.1e}>"
        )

    def sample(self, i: int) -> tuple[np.ndarray, SparseCode]:
        """Return the path of one sample.

        Parameters
        ----------
        i : int
            Which sample; negative numbers count from the end.

        Returns
        -------
        alphas : ndarray of shape (n_knots,)
            Strictly decreasing.
        codes : SparseCode of shape (n_knots, n_atoms)
            The code at each of them.

        Raises
        ------
        IndexError
            If there is no such sample.
        """
        if not -len(self) <= i < len(self):
            raise IndexError(f"sample {i} is out of range for {len(self)} samples.")
        i %= len(self)
        rows = slice(int(self.indptr[i]), int(self.indptr[i + 1]))
        return self.alphas[rows], self.knots[rows]

    def at(self, alpha: Any) -> SparseCode:
        """Return the codes of all samples at one alpha, or at one for each sample.

        Parameters
        ----------
        alpha : float or array-like of shape (n_samples,)
            Weight of the penalty, at least that of each sample's last knot (but for rounding).

        Returns
        -------
        SparseCode of shape (n_samples, n_atoms)
            Interpolated linearly between knots, which is exact; 0 above alpha_max.

        Raises
        ------
        TypeError
            If `alpha` does not hold real numbers.
        ValueError
            If `alpha` has another shape, is not finite, or lies below a last knot.
        """
        given = check_numbers(alpha, "alpha", np.float64).reshape(np.shape(alpha))
        if given.shape not in ((), (len(self),)):
            raise ValueError(
                f"alpha must be one number or have shape ({len(self)},), one a sample; got shape "
                f"{given.shape}."
            )
        wanted = np.broadcast_to(given, (len(self),))
        firsts, ends = self.indptr[:-1], self.indptr[1:]
        last = self.alphas[ends - 1]
        below = np.flatnonzero(wanted < last * (1.0 - 8.0 * np.finfo(self.knots.dtype).eps))
        if below.size:
            i = below[0]
            raise ValueError(
                f"alpha must not lie below the last knot of a sample; got {wanted[i]:.6g} for "
                f"sample {i}, whose path ends at {last[i]:.6g}. Trace the path further."
            )
        if not len(self):
            return self.knots
        passed = self.alphas >= np.repeat(wanted, ends - firsts)
        n_passed = np.add.reduceat(passed.astype(np.int64), firsts)
        before = firsts + np.maximum(n_passed - 1, 0)
        after = np.minimum(before + 1, ends - 1)
        length = np.where(after > before, self.alphas[before] - self.alphas[after], 1.0)
        share = np.clip((self.alphas[before] - wanted) / length, 0.0, 1.0)
        share[(n_passed == 0) | (after == before)] = 0.0
        rows = np.repeat(np.arange(len(self)), 2)
        columns = np.column_stack([before, after]).ravel()
        weights = np.column_stack([1.0 - share, share]).ravel()
        blend = sparse.csr_array((weights, (rows, columns)), shape=(len(self), self.alphas.size))
        codes = blend @ self.knots.to_scipy().astype(np.float64)
        return SparseCode.from_scipy(codes.astype(self.knots.dtype))


@dataclass(frozen=True)
class _Course:
    """What every path of a call shares, in float64 whatever the samples are."""

    problem: Problem
    gram: np.ndarray
    ratio: float = 0.0
    most: int = np.iinfo(np.int64).max
    keep: bool = False

    def projections(self, tile: Tile) -> np.ndarray:
        """Return Dx in float64, 0 where no atom sees the sample."""
        if tile.projections.dtype == np.float64:
            return tile.projections
        scratch = self.problem.scratch
        exact = scratch.array("projections", tile.projections.shape, np.float64)
        np.matmul(tile.X.astype(np.float64), self.problem.atoms.T, out=exact)
        exact[~tile.projections.any(axis=1)] = 0.0
        return exact

    def trace(self, tile: Tile, projections: np.ndarray, stops: np.ndarray) -> _Traced:
        """Follow the paths of a tile down to `stops`."""
        n_samples, dtype = len(tile.X), tile.X.dtype
        rank = min(self.problem.dictionary.shape)
        n_knots, ended = np.zeros(n_samples, np.int64), np.zeros(n_samples, np.int64)
        flaws = np.zeros(n_samples)
        room = n_samples * (KNOTS if self.keep else 1)
        entries = room * ENTRIES
        alphas, pieces, first = [np.zeros(0)], [], 0
        while first < n_samples:
            book = self._book(room, entries, dtype)
            following, taken, nnz = homotopy_tile(
                first, projections, tile.energies, self.gram, self._weights, self._positive, stops,
                self.ratio, 4.0 * np.finfo(dtype).eps, self.most, rank, min(rank, LARGEST),
                self.problem.max_iter, self.keep, book, n_knots, tile.n_iter, ended, flaws,
            )  # fmt: skip
            indptr = np.concatenate([[0], book.ends[:taken]])
            rows = book.indices[:nnz].copy(), book.values[:nnz].copy()
            alphas.append(book.alphas[:taken].copy())
            pieces.append(SparseCode._trusted(indptr, *rows, (self.problem.n_atoms,)))
            if following == first:  # one sample alone finds no room
                room, entries = 2 * room, 2 * entries
            first = following
        return _Traced(
            SparseCode.concatenate(pieces), np.concatenate(alphas), n_knots, ended, flaws
        )

    def _book(self, room: int, entries: int, dtype: np.dtype) -> Book:
        scratch = self.problem.scratch
        return Book(
            scratch.array("knots", (room,), np.float64),
            scratch.array("ends", (room,), np.int64),
            scratch.array("entries", (entries,), np.int32),
            scratch.array("coefficients", (entries,), dtype),
        )

    @property
    def _weights(self) -> np.ndarray:
        penalty: Any = self.problem.penalty
        return penalty.weights

    @property
    def _positive(self) -> bool:
        return self.problem.positive


@dataclass(frozen=True)
class _Traced:
    """The paths of a tile: its knots, how many each sample has, and how each path ended."""

    knots: SparseCode
    alphas: np.ndarray
    n_knots: np.ndarray
    ended: np.ndarray
    flaws: np.ndarray


def _exact_gram(problem: Problem) -> np.ndarray:
    """Return the Gram matrix in float64, rows padded with 0 to whole vectors."""
    if problem.X.dtype == np.float64:
        return problem.gram
    nothing = np.zeros((0, problem.X.shape[1]))
    return Problem(nothing, problem.atoms, n_threads=problem.n_threads).gram


def _require_l1(problem: Problem, name: str) -> None:
    if not isinstance(problem.penalty, L1):
        raise TypeError(
            f"the penalty of {name} must be L1, for only its path is piecewise linear (a ridge "
            f"grows with alpha); got {type(problem.penalty).__name__}. Use feature_sign or cd."
        )


@shared_docs
def homotopy(
    X: Any,
    dictionary: Any,
    penalty: Penalty | str = "l1",
    *,
    alpha_ratio: float | None = None,
    max_iter: int = 10_000,
    tol: float | None = None,
    n_threads: int | None = None,
    progress: bool = False,
) -> SolverResult:
    r"""Follow the lasso path from the code 0 down to the penalty's alpha.

    Minimises :math:`\frac12 \|x - zD\|^2 + \alpha \sum_j w_j |z_j|` per sample. As alpha falls
    from the value that silences the sample, the code moves along a broken line: an atom joins the
    support where its correlation reaches :math:`\alpha w_j`, and leaves where its coefficient
    reaches 0. Every breakpoint is visited, so that the cost grows with the number of active
    atoms; :func:`lasso_path` returns them all.

    Parameters
    ----------
    <X>
    <dictionary>
    penalty : L1 or "l1", default="l1"
        The name needs `alpha_ratio`. :class:`~sparsecode.penalties.ElasticNet` is refused: its
        ridge grows with alpha, and its path is not piecewise linear.
    alpha_ratio : float, optional
        As in the other solvers.
    max_iter : int, default=10000
        Largest number of breakpoints; also of changes of the support in feature-sign search and
        of sweeps of coordinate descent, which take over, one after the other, where the path was
        not followed to its end or rounding has spoilt it.
    <tol>
    <n_threads>

    <returns>

    Notes
    -----
    Osborne, Presnell & Turlach 2000 (IMA J. Numer. Anal. 20, 389-403); LARS with the lasso
    modification, Efron, Hastie, Johnstone & Tibshirani 2004 (Ann. Stat. 32, 407-499, section 3.1).
    Paths are followed in float64 for float32 samples too. Of events at one alpha the one of the
    lowest atom comes first, as in Murty's least-index rule for complementarity problems; an atom
    that the support spans waits until a member leaves. A path may have :math:`(3^p + 1) / 2`
    pieces for p atoms (Mairal & Yu 2012, ICML); those of data are short. `n_iter` counts
    breakpoints.
    """
    problem = Problem(
        X, dictionary, penalty,
        alpha_ratio=alpha_ratio, max_iter=max_iter, tol=tol, n_threads=n_threads,
        progress=progress,
    )  # fmt: skip
    _require_l1(problem, "homotopy")
    course = _Course(problem, _exact_gram(problem))

    def kernel(tile: Tile) -> None:
        projections = course.projections(tile)
        traced = course.trace(tile, projections, tile.alphas)
        off = np.flatnonzero((traced.ended != ALPHA) | ~(traced.flaws <= 0.5 * problem.tol))
        tile.found = traced.knots
        if off.size:
            mended = _mend(tile, off, projections, course.gram, traced.knots[off])
            rows = np.arange(len(tile.X))
            rows[off] = len(tile.X) + np.arange(off.size)
            tile.found = SparseCode.concatenate([traced.knots, mended])[rows]

    return problem.solve(kernel, remedy="Raise max_iter or tol.")


def _mend(
    tile: Tile, off: np.ndarray, projections: np.ndarray, gram: np.ndarray, start: SparseCode
) -> SparseCode:
    """Solve some samples of a tile by feature-sign search, and then by coordinate descent."""
    problem = tile.problem
    shape = off.size, problem.n_atoms
    indices, values = np.zeros(shape, np.int32), np.zeros(shape)
    counts, changes = np.zeros(off.size, np.int64), np.zeros(off.size, np.int64)
    solved = np.zeros(off.size, bool)
    goal = 0.5 * problem.tol  # the rest is for the rounding of the returned codes
    capacity = min(problem.n_atoms, problem.X.shape[1] + 128, 2048)
    projections, energies, alphas = projections[off], tile.energies[off], tile.alphas[off]
    feature_sign_tile(
        projections, energies, gram, problem.norms, problem.penalty, alphas, capacity,
        problem.max_iter, goal, float(np.finfo(np.float64).eps ** 0.75), start.indptr,
        start.indices, np.asarray(start.values, np.float64), indices, values, counts, changes,
        solved,
    )  # fmt: skip
    codes, sweeps = np.zeros(shape), np.zeros(off.size, np.int64)
    for row, count in enumerate(counts):
        codes[row, indices[row, :count]] = values[row, :count]
    residuals = tile.X[off] - codes @ problem.atoms
    codes[~(0.5 * (residuals**2).sum(axis=1) <= energies)] = 0.0  # worse than silence, or NaN
    left = np.flatnonzero(~solved)
    if left.size:
        rest = codes[left]
        cd_tile(
            projections[left], energies[left], gram, problem.squared_norms, problem.penalty,
            alphas[left], True, problem.max_iter, goal, rest, sweeps,
        )  # fmt: skip
        codes[left] = rest
    tile.n_iter[off] += changes
    tile.n_iter[off[left]] += sweeps[: left.size]
    return SparseCode.from_dense(codes.astype(tile.X.dtype))


@shared_docs
def lasso_path(
    X: Any,
    dictionary: Any,
    penalty: Penalty | str = "l1",
    *,
    alpha_ratio: float | None = None,
    alpha_min: float | None = None,
    n_nonzero: int | None = None,
    max_iter: int = 10_000,
    tol: float | None = None,
    n_threads: int | None = None,
    progress: bool = False,
) -> LassoPath:
    r"""Return the codes of every sample at every alpha, from alpha_max down.

    Minimises :math:`\frac12 \|x - zD\|^2 + \alpha \sum_j w_j |z_j|` per sample for all alpha at
    once: the minimiser is a piecewise linear function of alpha, given by its knots.

    Parameters
    ----------
    <X>
    <dictionary>
    penalty : L1 or "l1", default="l1"
        Its own alpha is ignored; `weights` and `positive` count.
        :class:`~sparsecode.penalties.ElasticNet` is refused: its ridge grows with alpha, and its
        path is not piecewise linear.
    alpha_ratio : float, optional
        End at this fraction of each sample's alpha_max, at most 1.
    alpha_min : float, optional
        End at this alpha; a sample that is silent there has one knot.
    n_nonzero : int, optional
        End before an atom beyond this number would join; without `alpha_ratio` and `alpha_min`,
        at 1e-6 of alpha_max at the latest.
    max_iter : int, default=10000
        Largest number of breakpoints per sample.
    tol : float, optional
        Largest certificate of a converged sample; 1e-6 for float64 and 1e-4 for float32 if
        unset. The path does not depend on it.
    <n_threads>

    Returns
    -------
    LassoPath
        Knots, and a certificate of each path.

    Raises
    ------
    TypeError
        If the penalty is not L1, or another argument has a type that cannot be used.
    ValueError
        If no end is given, shapes disagree, entries are not finite, an atom has norm 0, or a
        number lies outside its range.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        Once per call, with the number of paths that ended early or miss the tolerance.

    Notes
    -----
    The method and its sources are those of :func:`homotopy`. Of several ends, the first that is
    met counts. Atoms that tie enter together: a path that is to have `n_nonzero` atoms has fewer
    where the next two join at one alpha.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.solvers import lasso_path
    >>> path = lasso_path([[3.0, 1.0]], np.eye(2), alpha_min=0.5)
    >>> path.alphas
    array([3. , 1. , 0.5])
    >>> path.at(2.0).to_dense()
    array([[1., 0.]])
    """
    if alpha_ratio is None and alpha_min is None and n_nonzero is None:
        raise ValueError(
            "lasso_path needs alpha_ratio, alpha_min or n_nonzero to know where to end; got none. "
            "Pass alpha_ratio=0.01, say."
        )
    struct = struct_of(penalty)
    problem = Problem(
        X, dictionary, struct,
        max_iter=max_iter, tol=tol, n_threads=n_threads, progress=progress,
    )  # fmt: skip
    _require_l1(problem, "lasso_path")
    ratio = 0.0 if alpha_ratio is None else check_fraction("alpha_ratio", alpha_ratio)
    stop = 0.0 if alpha_min is None else check_positive("alpha_min", alpha_min)
    most = problem.n_atoms
    if n_nonzero is not None:
        most = check_count("n_nonzero", n_nonzero, maximum=problem.n_atoms)
        ratio = FLOOR if ratio == stop == 0.0 else ratio
    course = _Course(problem, _exact_gram(problem), ratio, most, keep=True)
    problem.directions  # noqa: B018 - made once, before tiles ask for it side by side

    def trace_tile(tile: Tile) -> tuple[Any, ...]:
        stops = np.full(len(tile.X), stop)
        traced = course.trace(tile, course.projections(tile), stops)
        return traced, tile.n_iter, _largest_gaps(tile, traced)

    return _assemble(problem, problem.map(trace_tile))


def _largest_gaps(tile: Tile, traced: _Traced) -> np.ndarray:
    """Certify every knot and return the worst relative gap of each sample."""
    owners = np.repeat(np.arange(len(tile.X)), traced.n_knots)
    worst = np.zeros(len(tile.X))
    wanting = np.flatnonzero(traced.alphas > 0.0)  # at 0 no atom wants to join: 0 is the code
    for first in range(0, wanting.size, CERTIFIED):
        rows = wanting[first : first + CERTIFIED]
        view: Any = SimpleNamespace(
            X=tile.X[owners[rows]],
            projections=tile.projections[owners[rows]],
            alphas=traced.alphas[rows],
        )
        gaps = tile.problem.certify(view, traced.knots[rows], None)[0]
        np.maximum.at(worst, owners[rows], gaps)
    return worst


def _assemble(problem: Problem, tiles: list[tuple[Any, ...]]) -> LassoPath:
    """Join the paths of all tiles, and warn of those that did not get where they were to go."""
    traced = [one for one, _, _ in tiles]
    empty = SparseCode.from_dense(np.zeros((0, problem.n_atoms), problem.X.dtype))
    n_knots = np.concatenate([np.zeros(0, np.int64), *[one.n_knots for one in traced]])
    ended = np.concatenate([np.zeros(0, np.int64), *[one.ended for one in traced]])
    certificate = np.concatenate([np.zeros(0), *[gaps for _, _, gaps in tiles]])
    asked = (ended == ALPHA) | (ended == N_NONZERO)
    path = LassoPath(
        knots=SparseCode.concatenate([empty, *[one.knots for one in traced]]),
        indptr=np.concatenate([[0], np.cumsum(n_knots)]),
        alphas=np.concatenate([np.zeros(0), *[one.alphas for one in traced]]),
        ended=ENDS[ended],
        certificate=certificate,
        converged=asked & (certificate <= problem.tol),
        n_iter=np.concatenate([np.zeros(0, np.int64), *[n_iter for _, n_iter, _ in tiles]]),
    )
    failed = int((~path.converged).sum())
    if failed:
        warnings.warn(
            f"{failed} of {len(path)} paths did not converge: {int((~asked).sum())} ended early, "
            f"largest duality gap {certificate.max():.1e}, tol {problem.tol:.1e}. Raise max_iter "
            f"or tol, or end the paths earlier.",
            ConvergenceWarning,
            stacklevel=3,
        )
    return path
