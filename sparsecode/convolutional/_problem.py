"""The one driver under every convolutional solver: check, embed, solve, certify."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from scipy import fft

from sparsecode._jit import threads
from sparsecode._parallel import map_tiles
from sparsecode._validation import (
    check_count,
    check_numbers,
    check_positive,
)
from sparsecode.convolutional._certificate_kernels import (
    code_cost,
    largest_ratio,
    largest_shifts,
    penalty_cost,
    raise_alpha,
)
from sparsecode.convolutional._geometry import Geometry
from sparsecode.convolutional._window_kernels import largest_product, subtract_atoms
from sparsecode.core.code import SparseCode
from sparsecode.penalties._dispatch import Penalty
from sparsecode.solvers._request import Request
from sparsecode.solvers._result import SolverResult
from sparsecode.solvers._stop_kernels import silences

__all__ = [
    "ConvProblem",
    "Sample",
    "check_signals",
    "correlate_strip",
    "duality_gap",
    "kernels_of",
    "strips",
    "written",
]

#: Entries of the windows, or of the correlations, of positions that are looked at together.
STRIP_ENTRIES = 2**19
#: Points of the frequency grid of the curvature's bound, in units of the kernel's size.
OVERSAMPLING = 16
#: Units that a code may have: what its indices can count.
MOST_UNITS = 2**31 - 1
#: Relative gap of a converged sample, if none is asked for.
TOL = 1e-4


def kernels_of(dictionary: Any) -> np.ndarray:
    """Return atoms of shape (n_atoms, n_channels, height, width), of height 1 for signals."""
    atoms = check_numbers(dictionary, "dictionary")
    if atoms.ndim not in (3, 4) or 0 in atoms.shape:
        raise ValueError(
            f"dictionary must have shape (n_atoms, n_channels, width) or (n_atoms, n_channels, "
            f"height, width), with at least one atom; got {atoms.shape}. Insert an axis of length "
            f"1 for a single channel."
        )
    flat = atoms.reshape(len(atoms), -1)
    silent = np.flatnonzero(np.einsum("ke,ke->k", flat, flat, dtype=np.float64) == 0.0)
    if silent.size:
        raise ValueError(
            f"dictionary must have no atom of norm 0; got {silent.size}, the first in row "
            f"{silent[0]}. Remove or replace them."
        )
    return atoms if atoms.ndim == 4 else atoms[:, :, None, :]


def check_signals(X: Any, dictionary: Any, atoms: np.ndarray) -> np.ndarray:
    """Return signals of shape (n_samples, n_channels, height, width) that suit the atoms."""
    X = check_numbers(X, "X")
    wanted = "(n_samples, n_channels, width)"
    if np.ndim(dictionary) == 4:
        wanted = "(n_samples, n_channels, height, width)"
    if X.ndim != np.ndim(dictionary):
        raise ValueError(
            f"X must have shape {wanted}, as the dictionary has "
            f"{np.ndim(dictionary)} axes; got {X.shape}. Use X[None] for one sample and "
            f"X[:, None] for a single channel."
        )
    n_axes = X.ndim - 2
    X = X if X.ndim == 4 else X[:, :, None, :]
    if X.shape[1] != atoms.shape[1]:
        raise ValueError(
            f"X must have {atoms.shape[1]} channels, as the dictionary has; got {X.shape[1]}."
        )
    if X.shape[2] < atoms.shape[2] or X.shape[3] < atoms.shape[3]:
        raise ValueError(
            f"X must be at least as large as an atom, {written(atoms.shape[-n_axes:])}; got "
            f"{written(X.shape[-n_axes:])}. Use smaller atoms, or pad X."
        )
    return X


def written(shape: tuple[int, ...]) -> str:
    """Return a shape as it is said: 12 x 12."""
    return " x ".join(map(str, shape))


def strips(geometry: Geometry, n_channels: int, n_atoms: int) -> list[slice]:
    """Cut the rows of the maps into strips; the cuts depend on shapes alone."""
    entries = geometry.maps[1] * max(n_channels * prod(geometry.kernel), n_atoms)
    height = max(1, STRIP_ENTRIES // entries)
    n_rows = geometry.maps[0]
    return [slice(first, min(first + height, n_rows)) for first in range(0, n_rows, height)]


def correlate_strip(
    geometry: Geometry, domain: np.ndarray, flat_atoms: np.ndarray, rows: slice
) -> np.ndarray:
    """Return the products of all atoms with the windows at some rows of the maps.

    Returns
    -------
    ndarray of shape (n_atoms, n_rows * map_width)
    """
    return flat_atoms @ geometry.windows(domain, rows).T


class ConvProblem(Request):
    """Checked arguments of one call of a convolutional solver.

    Parameters
    ----------
    X, dictionary, penalty, boundary, alpha_ratio, weights, init, max_iter, tol, n_threads, progress
        As every convolutional solver takes them; `penalty` is None for matching pursuit.

    Attributes
    ----------
    X : ndarray of shape (n_samples, n_channels, height, width)
    kernels : ndarray of shape (n_atoms, n_channels, height, width)
        The atoms in the dtype of the signals; `atoms` in float64.
    weights : ndarray
        Over atoms and positions, either of which may have length 1.

    Raises
    ------
    TypeError, ValueError
        One sentence for each bad argument, before any work is done.
    """

    def __init__(
        self,
        X: Any,
        dictionary: Any,
        penalty: Penalty | str | None = None,
        *,
        boundary: str = "circular",
        alpha_ratio: float | None = None,
        weights: Any = None,
        init: Any = None,
        max_iter: int = 1000,
        tol: float | None = None,
        n_threads: int | None = None,
        progress: bool = False,
    ) -> None:
        atoms = kernels_of(dictionary)
        self.X = check_signals(X, dictionary, atoms)
        self.n_axes = np.ndim(dictionary) - 2
        self.kernels = np.ascontiguousarray(atoms, dtype=self.X.dtype)
        kernels_of(self.kernels)  # not 0 in the dtype of the signals either
        self.atoms = np.ascontiguousarray(atoms, dtype=np.float64)
        self.squared_norms = (self.flat_atoms**2).sum(axis=1)
        self.geometry = Geometry(self.X.shape[2:], atoms.shape[2:], boundary)
        self._check_size()
        self.max_iter = check_count("max_iter", max_iter)
        self.tol = TOL if tol is None else check_positive("tol", tol)
        self.n_threads = n_threads
        self.progress = progress
        self.weights = self._check_weights(weights)
        self.init = self._check_init(init)
        if penalty is not None:
            self.take_penalty(penalty, alpha_ratio)

    @property
    def n_atoms(self) -> int:
        return len(self.atoms)

    @property
    def flat_atoms(self) -> np.ndarray:
        """The atoms in float64 as rows."""
        return self.atoms.reshape(len(self.atoms), -1)

    @property
    def unit_shape(self) -> tuple[int, ...]:
        """Shape of a sample's code: atoms, then the positions over the signal's axes."""
        return self.n_atoms, *self.geometry.maps[2 - self.n_axes :]

    @property
    def strips(self) -> list[slice]:
        """Rows of the maps that are looked at together."""
        return strips(self.geometry, self.atoms.shape[1], self.n_atoms)

    @cached_property
    def norms(self) -> np.ndarray:
        """Norms of the atoms."""
        return np.sqrt(self.squared_norms)

    @cached_property
    def curvature(self) -> float:
        r"""A bound on the largest eigenvalue of the data term's Hessian.

        At a frequency that is the largest eigenvalue of :math:`\sum_k \hat d_k \hat d_k^*`, over
        channels. What v of norm 1 makes of it is a trigonometric polynomial whose degree is below
        the kernel's size n, so that on M points it is missed by a factor of cos(n pi / M) an axis
        at most (Ehlich & Zeller 1964, Math. Z. 86, 41-44).
        """
        bound = 1.0
        grid = []
        for n in self.geometry.kernel:
            grid.append(1 if n == 1 else fft.next_fast_len(OVERSAMPLING * n))
            bound /= np.cos(n * np.pi / grid[-1]) if n > 1 else 1.0
        gram = np.zeros((*grid, *[self.atoms.shape[1]] * 2), np.complex128)
        for atom in self.atoms:
            spectrum = np.moveaxis(fft.fft2(atom, grid), 0, -1)
            gram += spectrum[..., :, None] * spectrum[..., None, :].conj()
        return bound * float(np.linalg.eigvalsh(gram)[..., -1].max())

    def _check_size(self) -> None:
        n_units = self.n_atoms * self.geometry.n_positions
        if n_units > MOST_UNITS:
            raise ValueError(
                f"codes must have at most {MOST_UNITS} units; got {self.unit_shape}, {n_units} "
                f"units. Code parts of the signals, or use fewer atoms."
            )

    def _check_weights(self, weights: Any) -> np.ndarray:
        if weights is None:
            return np.ones((1, 1))
        given = check_numbers(weights, "weights", np.float64)
        try:
            np.broadcast_to(given, self.unit_shape)
        except ValueError:
            raise ValueError(
                f"weights must have a shape that broadcasts to {self.unit_shape}, atoms and "
                f"positions; got {given.shape}."
            ) from None
        if (given <= 0).any():
            raise ValueError(f"weights must be above 0; got {given.min()}.")
        given = given.reshape((1,) * (len(self.unit_shape) - given.ndim) + given.shape)
        if max(given.shape[1:]) > 1:  # positions differ, so that each has its own
            given = np.broadcast_to(given, (len(given), *self.unit_shape[1:]))
        return np.ascontiguousarray(given.reshape(len(given), -1))

    def _check_init(self, init: Any) -> SparseCode | None:
        if init is None:
            return None
        shape = (len(self.X), *self.unit_shape)
        code = init
        if not isinstance(init, SparseCode):
            dense = check_numbers(init, "init", self.X.dtype)
            if dense.shape != shape:
                raise ValueError(f"init must have shape {shape}; got {dense.shape}.")
            code = SparseCode.from_dense(dense)
        if code.n_samples != shape[0] or code.unit_shape != self.unit_shape:
            raise ValueError(
                f"init must have shape {shape}; got {(code.n_samples, *code.unit_shape)}."
            )
        return code

    def solve(
        self,
        kernel: Callable[[Sample], None],
        *,
        met: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
        remedy: str = "Raise max_iter or tol.",
    ) -> SolverResult:
        """Run `kernel` on each sample and certify the code that it leaves there.

        Several samples are solved side by side, on one thread each; a single one has all.

        Parameters
        ----------
        kernel : callable
            ``kernel(sample)`` calls ``sample.keep``.
        met : callable, optional
            ``met(objective, n_iter)`` says which samples met their target; by default those whose
            certificate is at most `tol`.
        remedy : str
            What the warning advises.
        """
        n_samples = len(self.X)
        with threads(self.n_threads) as n_threads:
            inner = n_threads if n_samples == 1 else 1
            if self.penalty is not None and not self.convex:
                self.curvature  # noqa: B018 - made once, before samples ask

            def solve_sample(i: int) -> tuple[Any, ...]:
                sample = Sample(self, i, inner)
                kernel(sample)
                return sample.units, sample.values, sample.n_iter, sample.alpha, *sample.certify()

            found = map_tiles(solve_sample, range(n_samples), n_threads, progress=self.progress)
        columns = list(zip(*found)) if found else [()] * 7
        units, values = columns[:2]
        indptr = np.zeros(n_samples + 1, np.int64)
        np.cumsum([len(one) for one in units], out=indptr[1:])
        code = SparseCode._trusted(
            indptr,
            np.concatenate([np.zeros(0, np.int32), *units]),
            np.concatenate([np.zeros(0, self.X.dtype), *values]),
            self.unit_shape,
        )
        kinds = np.int64, np.float64, np.float64, np.float64, bool
        n_iter, alphas, certificate, objective, stationary = (
            np.array(column, kind) for column, kind in zip(columns[2:], kinds)
        )
        converged = met(objective, n_iter) if met else certificate <= self.tol
        converged &= np.isfinite(objective)
        self.warn(converged, certificate, remedy)
        return SolverResult(
            code,
            n_iter,
            converged,
            certificate,
            objective,
            None if self.penalty is None else alphas,
            stationary if self.counts_units else None,
            certificate_name=self.certificate_name,
        )


class Sample:
    """One signal on its domain, and the code that a solver finds for it.

    Attributes
    ----------
    signal : ndarray of shape (n_channels, height, width)
        On the domain, in the dtype of the signals.
    energy : float
        1/2 ||x||**2.
    alpha : float
        Weight of the penalty.
    n_threads : int
        For the kernel to use.
    units, values : ndarray
        Where to start, as positions in the flattened maps, then what was found.
    n_iter : int
    """

    def __init__(self, problem: ConvProblem, i: int, n_threads: int) -> None:
        self.problem, self.n_threads = problem, n_threads
        self.signal = np.ascontiguousarray(problem.geometry.embed(problem.X[i]))
        self.energy = 0.5 * float(np.sum(self.signal.astype(np.float64) ** 2))
        self.alpha = self._alpha()
        self.units, self.values = np.zeros(0, np.int32), np.zeros(0, problem.X.dtype)
        if problem.init is not None:
            start = problem.init[i : i + 1]
            values = np.ones(start.indices.size) if start.values is None else start.values
            self.units, self.values = start.indices, values.astype(problem.X.dtype)
        self.n_iter = 0

    def keep(self, units: np.ndarray, values: np.ndarray, n_iter: int) -> None:
        """Take the code of active units, in any order."""
        order = np.argsort(units, kind="stable")
        active = values[order] != 0
        self.units = units[order][active].astype(np.int32)
        self.values = values[order][active].astype(self.problem.X.dtype)
        self.n_iter = n_iter

    def map_strips(self, function: Callable[[slice], Any]) -> list[Any]:
        """Return what `function` makes of each strip of rows of the maps."""
        return map_tiles(function, self.problem.strips, self.n_threads)

    def correlations(self, domain: np.ndarray, rows: slice) -> np.ndarray:
        """Return the products of all atoms with the windows at some rows, in float64."""
        problem = self.problem
        return correlate_strip(problem.geometry, domain, problem.flat_atoms, rows)

    def _alpha(self) -> float:
        problem = self.problem
        if problem.penalty is None:
            return 1.0
        if problem.alpha_ratio is None:
            return float(problem.penalty.alpha)
        return problem.alpha_ratio * self.alpha_max()

    def alpha_max(self) -> float:
        """Return the smallest alpha at which no unit alone would leave 0."""
        problem = self.problem
        width = problem.geometry.maps[1]
        signal = self.signal.astype(np.float64)

        def limit(rows: slice) -> float:
            return raise_alpha(
                self.correlations(signal, rows), rows.start * width, problem.squared_norms,
                problem.penalty, problem.weights, 0.0,
            )  # fmt: skip

        return max(self.map_strips(limit))

    def silences(self, step: float) -> np.ndarray:
        """Return up to which correlation an idle atom surely stays at 0, at `step` and 1 / a**2."""
        problem = self.problem
        penalty: Any = problem.penalty
        least = problem.weights.min(axis=1)  # over places
        weighted = penalty._replace(alpha=self.alpha, weights=penalty.weights * least)
        limits = np.zeros(problem.n_atoms)
        silences(weighted, problem.squared_norms, step, limits)
        return limits * (1.0 - 1e-12)

    def residual(self, dtype: Any = np.float64) -> np.ndarray:
        """Return what the code leaves of the signal, on the domain."""
        problem = self.problem
        residual = self.signal.astype(dtype)
        atoms = problem.atoms if dtype == np.float64 else problem.kernels
        subtract_atoms(self.units, self.values, *problem.geometry.maps, atoms, residual)
        return residual

    def certify(self) -> tuple[float, float, bool]:
        """Return certificate, objective and whether no unit alone would move, all in float64."""
        problem = self.problem
        residual = self.residual()
        fit = float(np.sum(self.signal * residual))
        squares = float(np.sum(residual**2))
        if problem.penalty is None:
            return (*self._support_residual(residual), True)
        cost_of = code_cost if problem.convex else penalty_cost
        n_positions, width = problem.geometry.n_positions, problem.geometry.maps[1]
        rows_of_units = self.units % n_positions // width
        cost = cost_of(
            self.units, self.values, n_positions, problem.penalty, self.alpha, problem.weights
        )
        common = (problem.penalty, self.alpha, problem.weights)

        def members(rows: slice) -> tuple[np.ndarray, np.ndarray]:
            inside = (rows_of_units >= rows.start) & (rows_of_units < rows.stop)
            return self.units[inside], self.values[inside]

        if problem.convex:
            cost, ridge_energy = cost

            def ratio(rows: slice) -> float:
                return largest_ratio(
                    self.correlations(residual, rows), rows.start * width, *members(rows),
                    n_positions, *common,
                )  # fmt: skip

            largest = max(self.map_strips(ratio))
            gap, objective = duality_gap(fit, squares, ridge_energy, cost, largest)
            if self.energy == 0.0:
                return np.inf if len(self.units) else 0.0, objective, True
            return gap / self.energy, objective, True
        step = 1.0 / problem.curvature
        limits = self.silences(step)

        def shifts(rows: slice) -> tuple[float, float, float]:
            scale = np.abs(self.correlations(self.signal.astype(np.float64), rows)).max()
            worst = largest_shifts(
                self.correlations(residual, rows), rows.start * width, *members(rows), n_positions,
                problem.squared_norms, limits, *common, step,
            )  # fmt: skip
            return *worst, scale

        worst, alone, scale = np.max(self.map_strips(shifts), axis=0)
        objective = 0.5 * squares + cost
        if scale == 0.0:  # no atom sees the signal
            silent = not len(self.units)
            return 0.0 if silent else np.inf, objective, silent
        return worst / scale, objective, bool(alone <= problem.tol * scale)

    def _support_residual(self, residual: np.ndarray) -> tuple[float, float]:
        """Return ||D_S r|| / ||Dx|| in maximum norms, and 1/2 ||r||**2."""
        problem = self.problem
        signal = self.signal.astype(np.float64)

        def largest(rows: slice) -> float:
            return float(np.abs(self.correlations(signal, rows)).max())

        scale = max(self.map_strips(largest))
        worst = largest_product(self.units, *problem.geometry.maps, problem.atoms, residual)
        silent = 0.0 if not len(self.units) else np.inf
        return worst / scale if scale > 0.0 else silent, 0.5 * float(np.sum(residual**2))


def duality_gap(
    fit: float, squares: float, ridge_energy: float, cost: float, largest: float
) -> tuple[float, float]:
    """Return duality gap and objective; the dual point is the residual, scaled to be feasible.

    Parameters
    ----------
    fit, squares : float
        x.r and ||r||**2.
    ridge_energy, cost : float
        What a ridge adds to ||r||**2, and the penalty.
    largest : float
        Largest slack, in units of the l1 weight.
    """
    objective = 0.5 * squares + cost
    energy = squares + ridge_energy
    if energy <= 0.0:
        return objective, objective
    scale = fit / energy
    if largest * scale > 1.0:
        scale = 1.0 / largest
    scale = max(scale, 0.0)
    return max(objective - scale * fit + 0.5 * scale * scale * energy, 0.0), objective
