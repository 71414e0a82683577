"""Locally greedy coordinate descent."""

from __future__ import annotations

from typing import Any

import numpy as np

from sparsecode._parallel import map_tiles
from sparsecode._simd import padded
from sparsecode.convolutional._certificate_kernels import code_cost
from sparsecode.convolutional._docs import shared_docs
from sparsecode.convolutional._geometry import correlate_strip
from sparsecode.convolutional._greedy_kernels import best_of_segments, descend_on_tiles
from sparsecode.convolutional._problem import ConvProblem
from sparsecode.convolutional._sample import Sample, duality_gap
from sparsecode.convolutional._tiles import Tiles
from sparsecode.penalties._dispatch import Penalty
from sparsecode.solvers._result import SolverResult

__all__ = ["descend_on", "greedy_cd"]

#: Tiles that one call of the kernel goes through.
CHUNK = 4
#: Sweeps over one tile before its neighbours have their turn.
SWEEPS = 5
#: Rounds over all tiles before other units are looked for.
PASSES = 5
#: How far units may be off on the first working set, in units of alpha, and how that shrinks.
START, SHRINK = 0.3, 0.3
#: Units join that would lower a convex objective by at least this part of the segment's best.
SHARE = 0.5
#: Part of `tol` at which the search ends, for the certificate is computed in float64.
SAFETY = 0.9
#: How far units may be off that were not searched for, in units of alpha.
SETTLED = 1e-4


@shared_docs
def greedy_cd(
    X: Any,
    dictionary: Any,
    penalty: Penalty | str,
    *,
    boundary: str = "circular",
    alpha_ratio: float | None = None,
    weights: Any = None,
    init: Any = None,
    max_iter: int = 10_000,
    tol: float | None = None,
    n_threads: int | None = None,
    progress: bool = False,
) -> SolverResult:
    r"""Let the best units of each neighbourhood become active, and descend on the active ones.

    Minimises :math:`\frac12 \|x - \sum_k d_k * z_k\|^2 + \mathrm{penalty}(z)` per sample, from the
    residual on, which is kept current: no map of all positions of every atom is ever held.

    Parameters
    ----------
    <X>
    <dictionary>
    <penalty>
    <boundary>
    <alpha>
    <init>
    max_iter : int, default=10000
        Largest number of sweeps over the active units.
    <tol>
    <n_threads>

    <returns>

    Notes
    -----
    The local greed is that of Moreau, Oudre & Vayatis 2018 (ICML, PMLR 80, 3626-3634): the best
    unit of each segment of the maps becomes active, and for convex penalties those that are half
    as good as it. Between such choices come sweeps over the active units, in tiles whose windows
    do not meet, side by side. A visit costs two passes over one window; the table of
    cross-correlations that an update would otherwise look up costs ``n_atoms`` times as much and
    more, and does not fit the cache. Strips of the maps whose residual has not moved are not
    searched again. `n_iter` counts the sweeps of the tile that needed most.
    """
    problem = ConvProblem(
        X, dictionary, penalty,
        boundary=boundary, alpha_ratio=alpha_ratio, weights=weights, init=init, max_iter=max_iter,
        tol=tol, n_threads=n_threads, progress=progress,
    )  # fmt: skip
    problem.refuse_paper_cel0("greedy_cd")
    return problem.solve(lambda sample: _Search(sample).run())


def descend_on(sample: Sample, n_rounds: int, n_iter: int) -> float:
    """Sweep over a sample's active units, no other joining; return the objective.

    Parameters
    ----------
    n_rounds : int
        Rounds over all tiles, each of some sweeps.
    n_iter : int
        What the sample is to report as its iterations.
    """
    search = _Search(sample)
    search.max_sweeps = n_rounds * PASSES * SWEEPS
    search._compute_residual()
    for _ in range(n_rounds):
        search._descend(SETTLED * sample.alpha, SWEEPS)
    search._compute_residual()
    sample.n_iter = n_iter
    cost, _ = search._cost()
    return 0.5 * float(np.sum(search.domain.astype(np.float64) ** 2)) + cost


class _Search:
    """Where the search for one sample's code stands."""

    def __init__(self, sample: Sample) -> None:
        problem = sample.problem
        self.sample, self.problem, self.geometry = sample, problem, problem.geometry
        self.tiles = Tiles(self.geometry)
        self.limits = sample.silences(0.0)
        self.flat_atoms = problem.kernels.reshape(problem.n_atoms, -1)
        height, width = self.geometry.kernel
        lanes = padded(width, problem.X.dtype)
        self.atoms = np.zeros((*problem.kernels.shape[:3], lanes), problem.X.dtype)
        self.atoms[..., :width] = problem.kernels
        self.side, self.share = max(height, width), 1.0
        if problem.convex:
            self.side, self.share = -(-self.side // 2), SHARE
        self.units, self.values = sample.units.astype(np.int64), sample.values.copy()
        if problem.positive:
            self.values[self.values < 0.0] = 0.0
        self.found = [0.0] * len(problem.strips)
        self.n_sweeps, self.max_sweeps = 0, problem.max_iter

    def run(self) -> None:
        """Let units join and descend on them, until the certificate is met."""
        sample, dtype = self.sample, self.problem.X.dtype
        self._compute_residual()
        self.scale = 0.0 if self.problem.convex else self._largest_product()
        goal = START * (sample.alpha if self.problem.convex else self.scale)
        while True:
            joining, largest = self._scan()
            if self._is_solved(largest):
                self._compute_residual()
                if self._is_solved(largest):
                    break
            if self.n_sweeps >= self.max_sweeps:
                break
            self.units = np.concatenate([self.units, joining])
            self.values = np.concatenate([self.values, np.zeros(len(joining), dtype)])
            goal = max(SHRINK * goal, min(goal, SHRINK * self._excess(largest)))
            self._descend(goal, min(SWEEPS, self.max_sweeps - self.n_sweeps))
            if not self.changed.any():
                break  # nothing moves any more, however small the goal
        sample.keep(self.units, self.values, self.n_sweeps)

    def _compute_residual(self) -> None:
        """Compute the residual anew, without the rounding of the way to it."""
        self.sample.keep(self.units, self.values, self.n_sweeps)
        self.domain = self.sample.residual(self.problem.X.dtype)
        self.changed = np.ones(self.geometry.domain[0], bool)

    def _largest_product(self) -> float:
        """Return ||Dx|| in the maximum norm."""

        def largest(rows: slice) -> float:
            signal = self.sample.signal
            return float(
                np.abs(correlate_strip(self.geometry, signal, self.flat_atoms, rows)).max()
            )

        return max(self.sample.map_strips(largest))

    def _excess(self, largest: float) -> float:
        """Return how far some unit lies beyond what would satisfy it, in units of correlations."""
        return (largest - 1.0) * self.sample.alpha if self.problem.convex else largest

    def _is_solved(self, largest: float) -> bool:
        sample, problem = self.sample, self.problem
        if not problem.convex:
            return largest <= SAFETY * problem.tol * self.scale
        cost, ridge_energy = self._cost()
        residual = self.domain.astype(np.float64)
        fit, squares = float(np.sum(sample.signal * residual)), float(np.sum(residual**2))
        gap, _ = duality_gap(fit, squares, ridge_energy, cost, largest)
        return gap <= SAFETY * problem.tol * sample.energy

    def _cost(self) -> tuple[float, float]:
        """Return the penalty, and the energy that a ridge adds."""
        problem = self.problem
        return code_cost(
            self.units, self.values, self.geometry.n_positions, problem.penalty,
            self.sample.alpha, problem.weights,
        )  # fmt: skip

    def _scan(self) -> tuple[np.ndarray, float]:
        """Return the idle units that want to become active, and how far the worst unit is off.

        That is the largest slope in units of l1 weights for convex penalties, the largest move of
        a unit alone for others, in units of correlations.
        """
        geometry, strips = self.geometry, self.problem.strips
        rows_of_units = self.units % geometry.n_positions // geometry.maps[1]
        order = np.argsort(rows_of_units, kind="stable")
        sorted_rows = rows_of_units[order]

        def look(i: int) -> tuple[np.ndarray, float]:
            rows = strips[i]
            seen = np.arange(rows.start, rows.stop + geometry.kernel[0] - 1) % len(self.changed)
            if not self.changed[seen].any():
                return np.zeros(0, np.int64), self.found[i]
            inside = order[slice(*np.searchsorted(sorted_rows, (rows.start, rows.stop)))]
            return self._look(rows, self.units[inside], self.values[inside])

        looks = map_tiles(look, range(len(strips)), self.sample.n_threads)
        self.found = [largest for _, largest in looks]
        self.changed[:] = False
        return np.concatenate([joining for joining, _ in looks]), max(self.found)

    def _look(
        self, rows: slice, members: np.ndarray, values: np.ndarray
    ) -> tuple[np.ndarray, float]:
        """Return the same of one strip, whose active units are given."""
        problem, width = self.problem, self.geometry.maps[1]
        first = rows.start * width
        correlations = correlate_strip(self.geometry, self.domain, self.flat_atoms, rows)
        gains = np.zeros(correlations.shape[1])
        atoms = np.zeros(correlations.shape[1], np.int64)
        largest = best_of_segments(
            correlations, first, members, values, self.geometry.n_positions, width, self.side,
            self.share, problem.squared_norms, self.limits, problem.penalty, self.sample.alpha,
            problem.weights, problem.convex, gains, atoms,
        )  # fmt: skip
        joining = np.flatnonzero(gains)
        return atoms[joining] * self.geometry.n_positions + first + joining, largest

    def _descend(self, goal: float, most: int) -> None:
        """Sweep over the active units, tile by tile, until none moves by more than `goal`.

        A tile has `most` sweeps before its neighbours have their turn.
        """
        geometry, problem, tiles = self.geometry, self.problem, self.tiles
        tile = tiles.of_units(self.units)
        order = np.lexsort((self.units, tile))
        self.units, self.values, tile = self.units[order], self.values[order], tile[order]
        starts = np.searchsorted(tile, np.arange(len(tiles.origins) + 1))
        k, position = np.divmod(self.units, geometry.n_positions)
        y, x = np.divmod(position, geometry.maps[1])
        y -= tiles.origins[tile, 0]
        x -= tiles.origins[tile, 1]
        waiting = np.diff(starts) > 0
        occupied = waiting.copy()
        sweeps, moves = np.zeros(len(waiting), np.int64), np.zeros(len(waiting))
        height, width = tiles.extents.max(axis=0) + geometry.kernel
        shape = len(self.domain) * height, width + self.atoms.shape[-1]

        def descend(chosen: np.ndarray) -> None:
            descend_on_tiles(
                self.domain, tiles.origins, tiles.extents, starts, chosen, self.atoms,
                geometry.kernel[1], problem.squared_norms, problem.penalty, self.sample.alpha,
                problem.weights, problem.convex, k, y, x, position, self.values, most, goal,
                np.zeros(shape, self.domain.dtype), sweeps, moves,
            )  # fmt: skip

        for _ in range(PASSES):
            longest = 0
            for group in tiles.groups:
                chosen = group[waiting[group]]
                if not chosen.size:
                    continue
                chunks = [chosen[i : i + CHUNK] for i in range(0, chosen.size, CHUNK)]
                map_tiles(descend, chunks, self.sample.n_threads)
                longest = max(longest, int(sweeps[chosen].max()))
                waiting[chosen] = sweeps[chosen] == most
                waiting[tiles.around(chosen[moves[chosen] > goal])] = True
                waiting &= occupied
                self.changed[tiles.rows_seen(chosen[moves[chosen] > 0.0])] = True
            self.n_sweeps += longest
            most = min(most, self.max_sweeps - self.n_sweeps)
            if not waiting.any() or most <= 0:
                break
        active = self.values != 0.0
        self.units, self.values = self.units[active], self.values[active]
