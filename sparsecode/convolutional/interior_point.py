"""An interior-point method, for codes that are hard to converge: small alpha, dense codes."""

from __future__ import annotations

from math import isfinite, prod, sqrt
from typing import Any

import numpy as np
from scipy import fft
from scipy.sparse.linalg import LinearOperator, cg

from sparsecode.convolutional._band import Band
from sparsecode.convolutional._barrier_kernels import (
    advance,
    choose_support,
    limit_step,
    pull,
    start_inside,
    weigh,
)
from sparsecode.convolutional._docs import shared_docs
from sparsecode.convolutional._fourier import (
    MapWork,
    Transforms,
    check_convex,
    keep_silent,
    square,
)
from sparsecode.convolutional._problem import ConvProblem
from sparsecode.convolutional._sample import Sample
from sparsecode.convolutional.greedy_cd import descend_on
from sparsecode.penalties._dispatch import Penalty
from sparsecode.solvers._result import SolverResult

__all__ = ["interior_point"]

#: Duality gaps below which the maps of float32 signals are worked on in float64, and norms of atoms
#: that are so too.
FLOAT32_TOL = 1e-4
FLOAT32_NORMS = 1e-6, 1e6
#: Part of the way to the boundary that is gone at most.
CLOSENESS = 0.95
#: Part of the complementarity that the residual of a Newton system may add to the duality gap.
INEXACTNESS = 0.3
#: Largest residual of a Newton system, in units of its right side.
COARSEST = 0.1
#: Complementarity, in units of what it is now, that the affine step is held to.
AFFINE_SHARE = 0.3
#: Iterations of conjugate gradients on one Newton system, at most.
MOST_INNER = 1000
#: Multiplications of a factorisation that take as long as one unit's share of such an iteration.
UNIT_COST = 100
#: Numbers that factors may hold: 1 GiB.
MOST_FACTORS = 2**27
#: Size of both halves of an idle code at the start, in units of the mean code, at the usual l1
#: weight; elsewhere it is inverse to that.
OFFSET = 0.1
#: Largest product with the dual point at the start, in units of the l1 weight.
INSIDE = 0.5
#: Duality gap, in units of the one asked for, from which on the support is worth a try.
EARLY = 10.0
#: Duality gap, in units of half the signal's energy, from which on the best code is kept anyway.
LOOSE = 1e-3
#: Codes at which a unit without slack joins the support, in units of the mean over entries: the
#: sparsest support that meets the tolerance is kept.
GENEROSITY = (1.0, 0.3, 0.1)
#: Rounds of coordinate descent that settle the values of the support.
SETTLED = 4
#: Codes without a smaller gap before the search is given up.
PATIENCE = 5


@shared_docs
def interior_point(
    X: Any,
    dictionary: Any,
    penalty: Penalty | str,
    *,
    boundary: str = "circular",
    alpha_ratio: float | None = None,
    weights: Any = None,
    max_iter: int = 100,
    tol: float | None = None,
    n_threads: int | None = None,
    progress: bool = False,
) -> SolverResult:
    r"""Follow the central path by Newton steps on the dual image, preconditioned by frequency.

    Minimises :math:`\frac12 \|x - \sum_k d_k * z_k\|^2 + \mathrm{penalty}(z)` per sample for a
    convex penalty. The solver for small alpha, where codes have about as many active units as the
    signal has entries and first-order methods need thousands of iterations.

    Parameters
    ----------
    <X>
    <dictionary>
    <penalty>
    <boundary>
    <alpha>
    max_iter : int, default=100
        Largest number of Newton steps.
    <tol>
    <n_threads>

    <returns>

    Notes
    -----
    A primal-dual method with Mehrotra's corrector (Mehrotra 1992, SIAM J. Optim. 2, 575-601;
    Nocedal & Wright 2006, algorithm 16.4) for

    .. math:: \max_\theta \; \theta \cdot x - \tfrac12 \|\theta\|^2 \quad \text{with} \quad
              |(D^\top \theta)_i| \le \alpha w_i.

    Its Newton systems :math:`(I + D W D^\top)\, \Delta\theta = b` have as many unknowns as the
    signal has entries, however many atoms there are. They are solved inexactly by conjugate
    gradients, as in Kim, Koh, Lustig, Boyd & Gorinevsky 2007 (IEEE J. Sel. Top. Signal Process. 1,
    606-617): the preconditioner is the mean of W at each atom, frequency by frequency, between
    scalings by the weight around each place; a system's residual is allowed to add a small part to
    the duality gap. The systems grow singular along the path: once this takes longer than to
    factorise them, by blocks of rows, that is done instead, for signals whose factors are no larger
    than 1 GiB; for larger ones gaps much below 1e-4 may be out of reach, and the best code is
    returned, with a warning. In the end units whose slack is small join the support, coordinate
    descent settles their values, and the gap is certified with the best dual point of the path.
    There is no warm start: paths begin inside. `n_iter` counts Newton steps. Held for each atom are
    its spectrum and six dense maps, three of them in float64; all of them if `tol` is below 1e-4.
    """
    problem = ConvProblem(
        X, dictionary, penalty,
        boundary=boundary, alpha_ratio=alpha_ratio, weights=weights, max_iter=max_iter, tol=tol,
        n_threads=n_threads, progress=progress,
    )  # fmt: skip
    check_convex(problem, "interior_point")
    wide = problem.tol < FLOAT32_TOL or not (
        FLOAT32_NORMS[0] < problem.norms.min() and problem.norms.max() < FLOAT32_NORMS[1]
    )
    transforms = Transforms(problem, np.float64 if wide else problem.X.dtype)

    def kernel(sample: Sample) -> None:
        if not keep_silent(sample) and isfinite(sample.energy):
            _Path(MapWork(transforms, sample)).run(problem.max_iter)

    return problem.solve(kernel)


class _Path:
    """Where one sample's path stands: u, v, c over maps and the dual point over the domain."""

    def __init__(self, work: MapWork) -> None:
        self.work, self.transforms = work, work.transforms
        transforms = self.transforms
        shape = len(transforms.kernels), *transforms.maps
        self.signal = work.sample.signal.astype(np.float64)
        self.u, self.v, self.c = (np.zeros(shape) for _ in range(3))
        self.weights = np.zeros((shape[0], *transforms.shape), transforms.kernels.dtype)
        self.affine, self.products = (np.zeros(shape, self.weights.dtype) for _ in range(2))
        self.n_inner, self.is_factorised = 0, False
        self.band = Band(
            transforms.kernels, transforms.domain, work.sample.problem.geometry.is_circular,
            work.n_threads,
        )  # fmt: skip
        self.n_halves = prod(shape) * (1 if work.positive else 2)
        self.best_dual_value, self.best_objective = -np.inf, np.inf
        self.best_code = work.sample.units, work.sample.values

    def run(self, max_iter: int) -> None:
        """Take Newton steps until a code of few units meets the tolerance."""
        work = self.work
        self._start()
        near = max(EARLY * work.goal, LOOSE * work.sample.energy)
        reached, since = np.inf, 0
        for n_iter in range(max_iter + 1):
            last = n_iter == max_iter or since > PATIENCE or not isfinite(self.objective)
            if last or self.objective - self.best_dual_value <= near:
                self._settle(n_iter)
                gap = self.best_objective - self.best_dual_value
                reached, since = (gap, 0) if gap < reached else (reached, since + 1)
            if last or reached <= work.goal:
                break
            self._step()
        work.sample.keep(*self.best_code, n_iter)

    def _start(self) -> None:
        """Begin at the code of least norm, which is inside as its dual point is small enough."""
        transforms, work = self.transforms, self.work
        height, width = transforms.maps
        ridge = 1e-3 * work.sample.problem.curvature
        while True:
            self.weights[:, :height, :width] = 1.0 / ridge
            self._precondition(np.ones((height, width)), np.full(len(self.u), 1.0 / ridge))
            self.dual = self._solve(self.signal, None, 1e-3 * sqrt(square(self.signal)))
            largest = self._correlate(self.dual, self.products)
            if largest <= INSIDE:
                break
            ridge *= max(0.9 * INSIDE / largest, 1e-3)
        usual = float(np.median(work.parts[0]) * np.median(work.weights))
        offset = usual * OFFSET * float(np.abs(self.products).mean(dtype=np.float64)) / ridge

        def begin(chunks: list[slice]) -> None:
            for k in chunks:
                start_inside(
                    self.products[k], work.parts, work.weights, k.start, work.positive,
                    1.0 / ridge, offset, self.u[k], self.v[k], self.c[k],
                )  # fmt: skip

        work.map_groups(begin)
        self._advance(0.0, False, 0.0)

    def _step(self) -> None:
        """Predict by the affine step, correct, and go most of the way to the boundary."""
        before = self.complementarity
        self._weigh()
        share = max(AFFINE_SHARE * before, self.work.goal)
        move = self._solve(self._right_side(0.0, False), None, self._precision(share))
        self._correlate(move, self.affine)
        fastest, crossed = self._limit(0.0, False, self.affine)
        step = min(1.0, 1.0 / fastest)
        after = (1.0 - step) * before + step * step * crossed
        barrier = max(after / before, 0.0) ** 3 * before / self.n_halves
        share = max(barrier * self.n_halves, 0.1 * before, self.work.goal)
        move = self._solve(self._right_side(barrier, True), move, self._precision(share))
        self._correlate(move, self.products)
        fastest, _ = self._limit(barrier, True, self.products)
        step = min(1.0, CLOSENESS / fastest)
        self.dual = self.dual + step * move
        self._advance(barrier, True, step)

    @staticmethod
    def _precision(share: float) -> float:
        return sqrt(2.0 * INEXACTNESS * share)

    def _weigh(self) -> None:
        """Compute the weights of the Newton system, and its preconditioner."""
        work, transforms = self.work, self.transforms
        height, width = transforms.maps

        def weigh_atoms(chunks: list[slice]) -> tuple[np.ndarray, np.ndarray]:
            places, sums = np.zeros((height, width)), []
            for k in chunks:
                sums.append(np.zeros(k.stop - k.start))
                weigh(
                    self.u[k], self.v[k], self.c[k], work.parts, work.weights, k.start,
                    work.positive, work.sample.problem.squared_norms, self.weights[k], places,
                    sums[-1],
                )  # fmt: skip
            return places, np.concatenate(sums)

        places, sums = zip(*work.map_groups(weigh_atoms))
        self._factorise()
        if self.is_factorised:
            return
        self._precondition(np.sum(places, axis=0), np.concatenate(sums) / (height * width))

    def _factorise(self) -> None:
        """Factorise the system, once its predecessors took as long with conjugate gradients."""
        band = self.band
        cost = self.n_inner * UNIT_COST * self.weights.size
        self.n_inner = 0
        if not self.is_factorised:
            self.is_factorised = cost > band.n_operations and band.n_entries <= MOST_FACTORS
        if self.is_factorised:
            height, width = self.transforms.maps
            try:
                band.factorise(self.weights[:, :height, :width])
            except np.linalg.LinAlgError:
                self.is_factorised = False

    def _precondition(self, places: np.ndarray, means: np.ndarray) -> None:
        """Prepare the preconditioner from sums of weights over atoms, and means over places."""
        transforms = self.transforms
        n_channels = transforms.n_channels
        power = np.zeros((n_channels, n_channels, *transforms.spectra.shape[2:]), np.complex128)
        for spectra, mean in zip(transforms.spectra, means):
            power += mean * spectra[:, None] * spectra[None].conj()
        power += np.eye(n_channels)[:, :, None, None]
        inverse = np.linalg.inv(np.moveaxis(power, (0, 1), (2, 3)))
        self.inverse = np.moveaxis(inverse, (2, 3), (0, 1))
        window = np.ones(transforms.kernels.shape[2:])
        around = fft.rfft2(places, transforms.shape) * fft.rfft2(window, transforms.shape)
        height, width = transforms.domain
        around = fft.irfft2(around, transforms.shape)[:height, :width]
        self.scaling = 1.0 / np.sqrt(np.maximum(around / around.mean(), 1e-3))

    def _solve(self, right: np.ndarray, start: np.ndarray | None, precision: float) -> np.ndarray:
        """Solve the Newton system up to a residual of norm `precision`."""
        transforms, shape = self.transforms, self.signal.shape
        height, width = transforms.domain

        def multiply(flat: np.ndarray) -> np.ndarray:
            self.n_inner += 1
            image = flat.reshape(shape)
            spectrum = transforms.spectrum(image.astype(self.weights.dtype))

            def add(chunks: list[slice]) -> np.ndarray:
                total = np.zeros_like(transforms.spectra[0])
                for k in chunks:
                    maps = transforms.products(spectrum, k)
                    maps *= self.weights[k]
                    self._add(maps, k, total)
                return total

            sums = np.sum(self.work.map_groups(add), axis=0)
            return (image + transforms.image(sums)[:, :height, :width]).reshape(-1)

        def precondition(flat: np.ndarray) -> np.ndarray:
            if self.is_factorised:
                return self.band.solve(flat.reshape(shape)).reshape(-1)
            spectrum = fft.rfft2(self.scaling * flat.reshape(shape), transforms.shape)
            spectrum = np.einsum("dcyx,cyx->dyx", self.inverse, spectrum)
            image = fft.irfft2(spectrum, transforms.shape)[:, :height, :width]
            return (self.scaling * image).reshape(-1)

        operators = [
            LinearOperator((right.size, right.size), matvec=f, dtype=np.float64)
            for f in (multiply, precondition)
        ]
        first = None if start is None else start.reshape(-1)
        precision = min(precision, COARSEST * sqrt(square(right)))
        found, _ = cg(
            operators[0], right.reshape(-1), first, rtol=0.0, atol=precision, maxiter=MOST_INNER,
            M=operators[1],
        )  # fmt: skip
        return found.reshape(shape)

    def _add(self, maps: np.ndarray, atoms: slice, total: np.ndarray) -> None:
        """Add the sum of some atoms, by their maps on the grid, to a spectrum."""
        spectra = fft.rfft2(maps, self.transforms.shape, overwrite_x=True, workers=1)
        total += np.einsum("kyx,kcyx->cyx", spectra, self.transforms.spectra[atoms])

    def _correlate(self, image: np.ndarray, out: np.ndarray) -> float:
        """Write the products of all atoms with an image; return the largest, in units of l1."""
        transforms, work = self.transforms, self.work
        spectrum = transforms.spectrum(image.astype(out.dtype))
        height, width = transforms.maps

        def correlate(chunks: list[slice]) -> float:
            largest = 0.0
            for k in chunks:
                out[k] = transforms.products(spectrum, k)[:, :height, :width]
                l1, _ = work.parts_of(k)
                size = (out[k] if work.positive else np.abs(out[k])) / l1
                largest = max(largest, float(size.max()))
            return largest

        return max(work.map_groups(correlate))

    def _right_side(self, barrier: float, corrected: bool) -> np.ndarray:
        """Return the right side of the Newton system for the dual point's move."""
        work = self.work

        def fill(maps: np.ndarray, k: slice) -> None:
            pull(
                self.u[k], self.v[k], self.c[k], work.parts, work.weights, k.start, work.positive,
                self.affine[k], barrier, corrected, maps,
            )  # fmt: skip

        return self.left - self._sum_of(fill)

    def _limit(self, barrier: float, corrected: bool, products: np.ndarray) -> tuple[float, float]:
        """Return the fastest relative decline, and the sum of the products of changes."""
        work = self.work

        def limit(chunks: list[slice]) -> tuple[float, float]:
            fastest, crossed, sums = 0.0, 0.0, np.zeros(2)
            for k in chunks:
                limit_step(
                    self.u[k], self.v[k], self.c[k], work.parts, work.weights, k.start,
                    work.positive, self.affine[k], barrier, corrected, products[k], sums,
                )  # fmt: skip
                fastest, crossed = max(fastest, sums[0]), crossed + sums[1]
            return fastest, crossed

        fastest, crossed = zip(*work.map_groups(limit))
        return max(*fastest, 1e-300), sum(crossed)

    def _advance(self, barrier: float, corrected: bool, step: float) -> None:
        """Step, and compute objective, dual value and what is left of stationarity anew."""
        work = self.work
        sums = np.zeros((len(self.u), 3))

        def fill(maps: np.ndarray, k: slice) -> None:
            advance(
                self.u[k], self.v[k], self.c[k], work.parts, work.weights, k.start, work.positive,
                self.affine[k], barrier, corrected, self.products[k], step, maps, sums[k.start],
            )  # fmt: skip

        residual = self.signal - self._sum_of(fill)
        self.complementarity, cost, energy = sums.sum(axis=0)
        self.left = residual - self.dual
        self.objective = 0.5 * square(residual) + cost
        dual = float(np.sum(self.signal * self.dual))
        self.dual_value = dual - 0.5 * square(self.dual) - 0.5 * energy
        if self.dual_value > self.best_dual_value:
            self.best_dual_value, work.sample.dual = self.dual_value, self.dual

    def _sum_of(self, fill: Any) -> np.ndarray:
        """Return the sum of atoms, on the domain, of maps that `fill` writes chunk by chunk."""
        transforms = self.transforms
        height, width = transforms.maps

        def add(chunks: list[slice]) -> np.ndarray:
            total = np.zeros_like(transforms.spectra[0])
            for k in chunks:
                shape = k.stop - k.start, *transforms.shape
                maps = np.zeros(shape, self.weights.dtype)
                fill(maps[:, :height, :width], k)
                self._add(maps, k, total)
            return total

        sums = np.sum(self.work.map_groups(add), axis=0)
        height, width = transforms.domain
        return transforms.image(sums)[:, :height, :width].astype(np.float64)

    def _settle(self, n_iter: int) -> None:
        """Choose few units of small slacks and settle their values; keep the best code."""
        work, sample = self.work, self.work.sample
        mean = float(np.abs(self.u - self.v).sum()) / self.signal.size
        for share in GENEROSITY:
            units = self._support(share * mean)
            values = self.u.reshape(-1)[units] - self.v.reshape(-1)[units]
            sample.keep(units, values.astype(sample.values.dtype), n_iter)
            objective = descend_on(sample, SETTLED, n_iter)
            if objective < self.best_objective:
                self.best_objective, self.best_code = objective, (sample.units, sample.values)
            if objective - self.best_dual_value <= work.goal:
                break

    def _support(self, scale: float) -> np.ndarray:
        """Return the units whose code, in units of `scale`, exceeds their slack."""
        work, n_positions = self.work, prod(self.transforms.maps)

        def choose(chunks: list[slice]) -> list[np.ndarray]:
            found = []
            for k in chunks:
                chosen = np.zeros(self.u[k].shape, np.bool_)
                choose_support(
                    self.u[k], self.v[k], self.c[k], work.parts, work.weights, k.start,
                    work.positive, scale, chosen,
                )  # fmt: skip
                found.append(np.flatnonzero(chosen) + k.start * n_positions)
            return found

        return np.concatenate([part for group in work.map_groups(choose) for part in group])
