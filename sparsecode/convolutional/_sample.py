"""One signal and its code: the start, what the code leaves of the signal, and its certificate."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from sparsecode._parallel import map_tiles
from sparsecode.convolutional._certificate_kernels import (
    code_cost,
    largest_ratio,
    largest_shifts,
    penalty_cost,
    raise_alpha,
    soft_energy,
)
from sparsecode.convolutional._geometry import correlate_strip
from sparsecode.convolutional._window_kernels import largest_product, subtract_atoms
from sparsecode.solvers._stop_kernels import silences

if TYPE_CHECKING:
    from sparsecode.convolutional._problem import ConvProblem

__all__ = ["Sample", "dual_value", "duality_gap"]


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
    dual : ndarray of shape (n_channels, height, width) or None
        A dual point on the domain, if the solver has a better one than the residual.
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
        self.dual: np.ndarray | None = None

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

            def largest(point: np.ndarray) -> float:
                def ratio(rows: slice) -> float:
                    return largest_ratio(
                        self.correlations(point, rows), rows.start * width, *members(rows),
                        n_positions, *common,
                    )  # fmt: skip

                return max(self.map_strips(ratio))

            gap, objective = duality_gap(fit, squares, ridge_energy, cost, largest(residual))
            if self.dual is not None:
                bound = self._dual_value(self.dual, ridge_energy > 0.0, largest)
                gap = max(min(gap, objective - bound), 0.0)
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

    def _dual_value(
        self, point: np.ndarray, has_ridge: bool, largest: Callable[[np.ndarray], float]
    ) -> float:
        """Return the dual objective of a point on the domain."""
        problem = self.problem
        fit, energy = float(np.sum(self.signal * point)), float(np.sum(point**2))
        if not has_ridge:
            return dual_value(fit, energy, largest(point))

        def soften(rows: slice) -> float:
            return soft_energy(
                self.correlations(point, rows), rows.start * problem.geometry.maps[1],
                problem.penalty, self.alpha, problem.weights,
            )  # fmt: skip

        return fit - 0.5 * (energy + sum(self.map_strips(soften)))

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
    gap = objective - dual_value(fit, squares + ridge_energy, largest)
    return max(gap, 0.0), objective


def dual_value(fit: float, energy: float, largest: float) -> float:
    """Return the dual objective of a point that is scaled to be feasible.

    It is the most of t * fit - t**2 / 2 * energy for 0 <= t <= 1 / largest.
    """
    if energy <= 0.0:
        return 0.0
    scale = fit / energy
    if largest * scale > 1.0:
        scale = 1.0 / largest
    scale = max(scale, 0.0)
    return scale * fit - 0.5 * scale * scale * energy
