"""Large dictionaries without their Gram matrix: working sets of atoms, tile by tile.

The Gram matrix of 65,536 atoms takes 16 GiB in float32. But few atoms matter to a few samples:
those that their codes use, and those that want to move most. The samples are solved on these alone,
by the kernels that solve small dictionaries, and again with other atoms, from the codes so far,
while an atom left out wants to move, which one product of residuals and dictionary tells for a
whole tile. Working sets of this kind are those of Massias, Gramfort & Salmon 2018 (ICML, celer).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from sparsecode.penalties._dispatch import with_alpha
from sparsecode.solvers._feature_sign_kernels import set_limits
from sparsecode.solvers._replacement_kernels import NOVELTY, ROUNDING
from sparsecode.solvers._stop_kernels import silences
from sparsecode.solvers._tile import Tile

if TYPE_CHECKING:
    from sparsecode.solvers._problem import Problem

__all__ = ["in_parts", "replacement_gains", "replacement_scores"]

Kernel = Callable[[Tile], None]
#: Of a tile: what tells of its rows how much each atom wants to move; above 1 it must be let.
Scores = Callable[[Tile], Callable[[np.ndarray], np.ndarray]]

#: Samples that share a working set.
GROUP = 4
#: Atoms that each of them brings in, or as many as are active if that is more.
WIDTH = 64
#: Working sets tried before a tile is given up, beyond those that were left too early.
ROUNDS = 100
#: The part of `tol` that a working set may leave to itself; a convex limit may be exceeded by less.
INNER, SLACK = 0.5, 0.2


def in_parts(
    problem: Problem,
    make_kernel: Callable[[Problem], Kernel],
    scores: Scores | None = None,
    *,
    pace: int | None = None,
) -> Kernel:
    """Return the kernel of a problem: one on working sets if its Gram matrix is too large.

    `make_kernel` makes the solver's own kernel, of the problem or of a part of it, which does at
    most `pace` iterations on each working set.
    """
    if not problem.is_large:
        return make_kernel(problem)
    most = problem.max_iter if pace is None else pace
    return lambda tile: _solve_in_parts(tile, make_kernel, scores or _coordinate_scores, most)


def _solve_in_parts(
    tile: Tile, make_kernel: Callable[[Problem], Kernel], scores: Scores, most: int
) -> None:
    """Overwrite the codes of a tile, on working sets of atoms until no other wants to move."""
    problem = tile.problem
    rows = np.flatnonzero(tile.projections.any(axis=1))  # the others are not seen by any atom
    scored_of = scores(tile)
    scored = scored_of(rows)
    for _ in range(ROUNDS + problem.max_iter // most):
        inside, unfinished = np.zeros(scored.shape, bool), np.zeros(rows.size, bool)
        for first in range(0, rows.size, GROUP):
            group = slice(first, first + GROUP)
            inside[group] = _choose(tile.codes[rows[group]], scored[group])
            part = rows[group], np.flatnonzero(inside[first])
            unfinished[group] = _solve_part(tile, *part, make_kernel, most)
        scored = scored_of(rows)
        kept = ((scored > 1.0) & (unfinished[:, None] | ~inside)).any(axis=1)
        kept &= tile.n_iter[rows] < problem.max_iter
        rows, scored = rows[kept], scored[kept]
        if not rows.size:
            return


def _solve_part(
    tile: Tile,
    rows: np.ndarray,
    members: np.ndarray,
    make_kernel: Callable[[Problem], Kernel],
    most: int,
) -> np.ndarray:
    """Solve some rows of a tile on some of the atoms; say which were left too early."""
    codes, within = tile.codes, np.ix_(rows, members)
    steps = min(most, tile.problem.max_iter - int(tile.n_iter[rows].max()))
    tol = INNER * tile.problem.tol
    part = tile.problem.restricted(tile.X[rows], members, codes[within], steps, tol)
    small = Tile(part, slice(0, rows.size))
    small.alphas = tile.alphas[rows]
    make_kernel(part)(small)
    codes[within] = small.compress().to_dense()
    tile.n_iter[rows] += small.n_iter
    return small.n_iter >= steps


def _choose(codes: np.ndarray, scored: np.ndarray) -> np.ndarray:
    """Mark the atoms that are active in any row, and those that want to move most in each."""
    active = codes != 0
    inside = active.any(axis=0)
    width = min(max(WIDTH, int(active.sum(axis=1).max())), inside.size)
    idle = np.where(active, -np.inf, scored)  # an elastic net's active atoms score highest
    inside[np.argpartition(-idle, width - 1, axis=1)[:, :width]] = True
    return inside


def _residuals(tile: Tile, rows: np.ndarray) -> np.ndarray:
    """Return x - zD of some rows of a tile, in float64."""
    codes = tile.codes[rows]
    used = np.flatnonzero(codes.any(axis=0))
    return tile.X[rows] - codes[:, used].astype(np.float64) @ tile.problem.atoms[used]


def _coordinate_scores(tile: Tile) -> Callable[[np.ndarray], np.ndarray]:
    """Score by correlations with the residuals, relative to what an idle atom takes in silence."""
    problem = tile.problem
    limits, signed = _limits(tile), not getattr(problem.penalty, "positive", False)

    def scores(rows: np.ndarray) -> np.ndarray:
        heights = _residuals(tile, rows).astype(tile.X.dtype) @ problem.dictionary.T
        if signed:
            np.abs(heights, out=heights)
        with np.errstate(divide="ignore", invalid="ignore"):  # limits may be 0 or infinite
            np.divide(heights, limits[rows if len(limits) > 1 else 0], out=heights)
        return np.nan_to_num(heights, copy=False, nan=0.0, posinf=np.inf)

    return scores


def _limits(tile: Tile) -> np.ndarray:
    """Return up to which correlation an idle atom stays silent, in a row for each alpha."""
    problem = tile.problem
    alphas = tile.alphas if problem.alpha_ratio is not None else tile.alphas[:1]
    limits, unused = np.empty((2, len(alphas), problem.n_atoms))
    for row, alpha in enumerate(alphas):
        penalty = with_alpha(problem.penalty, alpha)
        if problem.convex:
            set_limits(penalty, problem.n_atoms, limits[row], unused[row])
        elif problem.alpha_ratio is not None:
            silences(penalty, problem.squared_norms, problem.step, limits[row])
        else:
            limits[row] = problem.silences
    if problem.convex:
        limits *= 1.0 + SLACK * problem.tol
    return limits.astype(tile.X.dtype)


def replacement_scores(costs: np.ndarray, n_nonzero: int, swaps: bool) -> Scores:
    """Return scores by what replacements gain, in units of what may be rounding.

    `costs` are those of an active unit of each atom, in units of alpha.
    """

    def scores(tile: Tile, rows: np.ndarray) -> np.ndarray:
        scored = np.empty((rows.size, tile.problem.n_atoms))
        for row, i in enumerate(rows):
            support = np.flatnonzero(tile.codes[i])
            eps = ROUNDING * float(np.finfo(tile.X.dtype).eps)
            gains, doubt = replacement_gains(
                tile, i, support, costs, n_nonzero, eps if swaps else -np.inf
            )
            scored[row] = gains / max(eps, doubt)
        return scored

    return lambda tile: partial(scores, tile)


def replacement_gains(
    tile: Tile, i: int, support: np.ndarray, costs: np.ndarray, n_nonzero: int, most: float
) -> tuple[np.ndarray, float]:
    """Return what each atom gains, inserted, exchanged or removed, and how much is rounding.

    All refitted, in float64 and units of the energy of row `i` of a tile; infinite where the
    support is dependent. Exchanges are sought only if nothing else gains more than `most`.
    """
    problem, x, energy = tile.problem, tile.X[i].astype(np.float64), tile.energies[i]
    atoms, costs = problem.atoms, tile.alphas[i] * costs
    chosen, size = atoms[support], support.size
    square = chosen @ chosen.T
    condition = np.linalg.cond(square) if size else 1.0
    if not condition < 1e3 / NOVELTY:
        return np.full(problem.n_atoms, np.inf), 0.0
    inverse = np.linalg.inv(square)
    codes = inverse @ (chosen @ x)
    inner = atoms @ (x - codes @ chosen)
    shared = chosen @ atoms.T
    table = inverse @ shared
    energies = problem.squared_norms - (table * shared).sum(axis=0)
    floors = NOVELTY * problem.squared_norms
    best = np.full(problem.n_atoms, -np.inf)
    if size < n_nonzero:
        best = _gains(inner, energies, floors, costs)
    losses = 0.5 * codes**2 / np.diag(inverse) - costs[support]
    best[support] = -losses if size <= n_nonzero else np.inf
    for a in range(size if best.max() <= most * energy else 0):
        freed = 1.0 / inverse[a, a]
        moved, left = inner + codes[a] * freed * table[a], energies + freed * table[a] ** 2
        gains = _gains(moved, left, floors, costs) - losses[a]
        gains[support] = -np.inf
        np.maximum(best, gains, out=best)
    return best / energy, 4.0 * condition * float(np.finfo(np.float64).eps)


def _gains(
    inner: np.ndarray, energies: np.ndarray, floors: np.ndarray, costs: np.ndarray
) -> np.ndarray:
    """Return what the insertion of each atom gains; nothing if the support spans it."""
    seen = energies > floors
    return np.where(seen, 0.5 * inner**2 / np.where(seen, energies, 1.0) - costs, -np.inf)
