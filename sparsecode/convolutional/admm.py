"""The alternating direction method of multipliers, in the Fourier domain."""

from __future__ import annotations

from math import log10, sqrt
from typing import Any

import numpy as np
from scipy import fft

from sparsecode._validation import check_option, check_positive
from sparsecode.convolutional._docs import shared_docs
from sparsecode.convolutional._fourier import (
    AtomSum,
    GapStop,
    MapWork,
    Transforms,
    check_convex,
    keep_silent,
    square,
)
from sparsecode.convolutional._problem import ConvProblem
from sparsecode.convolutional._proximal_kernels import admm_maps
from sparsecode.convolutional._sample import Sample
from sparsecode.penalties._dispatch import Penalty
from sparsecode.solvers._result import SolverResult

__all__ = ["admm"]

#: Ratio of the relative residuals, over their target, that is left alone; and the largest change.
BALANCED, LARGEST_CHANGE = 1.2, 1000.0
#: Iterations over which rho is balanced once, as a share of those done.
BALANCE_SHARE = 10
#: Iterations, at most, of each preset.
PRESETS = {"certified": 1000, "paper": 100}


@shared_docs
def admm(
    X: Any,
    dictionary: Any,
    penalty: Penalty | str,
    *,
    boundary: str = "circular",
    alpha_ratio: float | None = None,
    weights: Any = None,
    init: Any = None,
    preset: str = "certified",
    rho: float | None = None,
    relaxation: float = 1.8,
    max_iter: int | None = None,
    tol: float | None = None,
    n_threads: int | None = None,
    progress: bool = False,
) -> SolverResult:
    r"""Split the penalty from the fit, and solve the fit frequency by frequency.

    Minimises :math:`\frac12 \|x - \sum_k d_k * z_k\|^2 + \mathrm{penalty}(z)` per sample for a
    convex penalty. Returned are the codes of the penalty's half, whose zeros are exact.

    Parameters
    ----------
    <X>
    <dictionary>
    <penalty>
    <boundary>
    <alpha>
    <init>
    preset : {"certified", "paper"}, default="certified"
        "certified": iterate until the duality gap is at most `tol`; rho is balanced ever more
        rarely. "paper": the settings of Ladret et al., to which SPORCO's ConvBPDN defaults
        too but for the tolerance: iterate until both relative residuals are below `tol`, and
        balance rho every time, towards the ratio
        :math:`1 + 18.3^{\log_{10} \alpha + 1}`. Convergence is reported by the duality gap in
        either case; the paper's settings hardly ever reach it.
    rho : float, optional
        Weight of the augmented term at the start; 50 alpha + 1 if unset.
    relaxation : float, default=1.8
        Over-relaxation, above 0 and below 2.
    max_iter : int, optional
        Largest number of iterations; if unset 1000, or 100 for the paper's preset.
    <tol>
    <n_threads>

    <returns>

    Notes
    -----
    Bristow, Eriksson & Lucey 2013 (CVPR, 391-398); Wohlberg 2016 (IEEE Trans. Image Process. 25,
    301-315), section III, whose Sherman-Morrison solution is applied here to what the split leaves
    of the signal, by the Woodbury identity for several channels. Over-relaxation and residuals:
    Boyd et al. 2011 (Found. Trends Mach. Learn. 3, 1-122), sections 3.3 and 3.4.3; relative
    residuals and the balance of rho: Wohlberg 2017 (arXiv:1704.06209). Held are one dense map for
    each atom beside its spectrum.
    """
    check_option("preset", preset, PRESETS)
    problem = ConvProblem(
        X, dictionary, penalty,
        boundary=boundary, alpha_ratio=alpha_ratio, weights=weights, init=init,
        max_iter=PRESETS[preset] if max_iter is None else max_iter, tol=tol,
        n_threads=n_threads, progress=progress,
    )  # fmt: skip
    check_convex(problem, "admm")
    rho = None if rho is None else check_positive("rho", rho)
    if check_positive("relaxation", relaxation) >= 2.0:
        raise ValueError(f"relaxation must be above 0 and below 2; got {relaxation}.")
    transforms = Transforms(problem)
    inverse = _Inverse(transforms)

    def kernel(sample: Sample) -> None:
        if keep_silent(sample):
            return
        start = 50.0 * sample.alpha + 1.0 if rho is None else rho
        split = _Split(MapWork(transforms, sample), inverse, start, float(relaxation))
        split.run(problem.max_iter, preset)

    return problem.solve(kernel)


class _Inverse:
    """Frequency by frequency, the inverse of the atoms' Gram matrix over channels plus rho."""

    def __init__(self, transforms: Transforms) -> None:
        n_channels = transforms.n_channels
        shape = transforms.spectra.shape[2:]
        if n_channels == 1:
            self.power = np.zeros((1, *shape), transforms.kernels.dtype)
            for spectra in transforms.spectra:
                self.power += spectra.real**2 + spectra.imag**2
            return
        gram = np.zeros((*shape, n_channels, n_channels), transforms.spectra.dtype)
        for spectra in transforms.spectra:
            at = np.moveaxis(spectra, 0, -1)
            gram += at[..., :, None] * at[..., None, :].conj()
        power, self.basis = np.linalg.eigh(gram)
        self.power = np.ascontiguousarray(np.moveaxis(power, -1, 0))

    def __call__(self, conjugate: np.ndarray, rho: float) -> np.ndarray:
        """Return the conjugate spectrum of what the inverse makes of one so given."""
        scale = self.power + self.power.dtype.type(rho)
        if len(scale) == 1:
            return conjugate / scale
        inner = np.einsum("yxdc,dyx->cyx", self.basis, conjugate) / scale
        return np.einsum("yxdc,cyx->dyx", self.basis.conj(), inner)


class _Split:
    """The state of one sample: v = y + u of codes and scaled dual variables, map by map.

    The codes y are the proximal operator of v at 1 / `code_rho`, and u is (v - y) * `dual_scale`,
    which is how a change of rho rescales it. As the solution of the fit is
    z = w + D^T (D D^T + rho)^-1 (x - Dw) with w = y - u, and every variable but y is a linear
    function of earlier ones, sums of atoms are needed for y alone, which is sparse; those of the
    others follow.

    Attributes
    ----------
    code_sum, dual_sum : ndarray of shape (n_channels, n_rows, n_columns)
        Dy and Du, on the grid.
    """

    def __init__(self, work: MapWork, inverse: _Inverse, rho: float, relaxation: float) -> None:
        self.work, self.inverse, self.relaxation = work, inverse, relaxation
        transforms = work.transforms
        self.rho = self.code_rho = rho
        self.dual_scale = 1.0
        self.signal = np.zeros((transforms.n_channels, *transforms.shape), work.dtype)
        height, width = transforms.domain
        self.signal[:, :height, :width] = work.sample.signal
        self.states = np.zeros((len(transforms.kernels), *transforms.shape), work.dtype)
        self.code_sum, self.dual_sum = np.zeros_like(self.signal), np.zeros_like(self.signal)
        if work.sample.units.size:
            self._start()

    def _start(self) -> None:
        """Begin at given codes y, with u = D^T (x - Dy) / rho as far as y is optimal there."""
        work, transforms = self.work, self.work.transforms
        codes = work.start()
        self._add_codes(work.minus_atoms(lambda atoms: codes[atoms]))
        spectrum = transforms.spectrum(self.residual)
        height, width = transforms.maps
        sums = np.zeros_like(transforms.spectra[0])
        for atoms in (chunk for group in transforms.groups for chunk in group):
            dual = transforms.products(spectrum, atoms) / work.dtype.type(self.rho)
            inside = dual[:, :height, :width]
            l1, ridge = work.parts_of(atoms)
            limit = l1 / self.rho
            code = codes[atoms]
            idle = np.clip(inside, -np.inf if work.positive else -limit, limit)
            active = np.sign(code) * limit + ridge / self.rho * code
            inside[:] = np.where(code == 0.0, idle, active)
            states = self.states[atoms]
            states[:] = dual
            states[:, :height, :width] += code
            spectra = fft.rfft2(dual, workers=1)
            sums += np.einsum("kyx,kcyx->cyx", spectra, transforms.spectra[atoms])
        self.dual_sum = transforms.image(sums)

    @property
    def residual(self) -> np.ndarray:
        """What the codes leave of the signal, on the grid."""
        return self.signal - self.code_sum

    def _add_codes(self, minus: np.ndarray) -> None:
        """Set Dy from minus its part on the domain, outside of which it is 0."""
        height, width = self.work.transforms.domain
        self.code_sum = np.zeros_like(self.signal)
        self.code_sum[:, :height, :width] = -minus

    def code_of(self, atoms: slice) -> np.ndarray:
        """Return the codes y of some atoms."""
        height, width = self.work.transforms.maps
        l1, ridge = self.work.parts_of(atoms)
        v = self.states[atoms, :height, :width].astype(np.float64)
        size = np.maximum((v if self.work.positive else np.abs(v)) - l1 / self.code_rho, 0.0)
        code = np.copysign(size, v) / (1.0 + ridge / self.code_rho)
        return code.astype(self.work.dtype)

    def run(self, max_iter: int, preset: str) -> None:
        """Iterate as a preset asks for, and hand over the codes y."""
        iterate = self._until_still if preset == "paper" else self._until_certified
        self.work.keep(self.code_of, iterate(max_iter))

    def _until_still(self, max_iter: int) -> int:
        """Stop at small residuals, and balance rho at every iteration but the first."""
        tol = self.work.sample.problem.tol
        target = 1.0 + 18.3 ** (log10(self.work.sample.alpha) + 1.0)
        for iteration in range(1, max_iter + 1):
            _, primal, dual = self._move()
            if primal < tol and dual < tol:
                return iteration
            if iteration > 1:
                self._balance(primal, dual, target)
        return max_iter

    def _until_certified(self, max_iter: int) -> int:
        """Stop at a small gap, and balance rho ever more rarely, so that it may settle."""
        stop = GapStop(lambda: self.work.gap(self.residual, self.code_of), self.work.goal)
        if stop.gap() <= stop.goal:
            return 0
        balance = 2
        for iteration in range(1, max_iter + 1):
            bound, primal, dual = self._move()
            if stop.met(bound):
                return iteration
            if iteration == balance:
                self._balance(primal, dual, 1.0)
                balance += 1 + iteration // BALANCE_SHARE
        return max_iter

    def _balance(self, primal: float, dual: float, target: float) -> None:
        """Bring the ratio of the relative residuals nearer to its target by changing rho."""
        if primal <= target * BALANCED * dual and target * dual <= BALANCED * primal:
            return
        factor = sqrt(primal / (target * dual)) if dual > 0.0 else LARGEST_CHANGE
        factor = min(max(factor, 1.0 / LARGEST_CHANGE), LARGEST_CHANGE)
        self.rho *= factor
        self.dual_scale /= factor
        self.dual_sum /= self.work.dtype.type(factor)

    def _move(self) -> tuple[float, float, float]:
        """Iterate once; return a duality gap and the relative primal and dual residuals."""
        work, transforms = self.work, self.work.transforms
        left = transforms.spectrum(self.signal - self.code_sum + self.dual_sum)
        spectrum = self.inverse(left, self.rho)
        height, width = transforms.maps

        def step(chunks: list[slice]) -> tuple[AtomSum, np.ndarray]:
            total, sums = AtomSum(transforms), np.zeros(8)
            rows = np.empty((8, transforms.shape[1]), work.dtype)
            for atoms in chunks:
                active = np.empty(atoms.stop - atoms.start)
                maps = transforms.products(spectrum, atoms)
                admm_maps(
                    maps, work.parts, work.weights, atoms.start, work.positive, height, width,
                    self.rho, self.code_rho, self.dual_scale, self.relaxation, self.states[atoms],
                    rows, active, sums,
                )  # fmt: skip
                total.subtract(atoms, maps, active)
            return total, sums

        totals, found = zip(*work.map_groups(step))
        # The solution of the fit leaves rho times the image whose products it adds to w.
        fit_residual = work.dtype.type(self.rho) * transforms.image(spectrum.conj())
        relaxation = work.dtype.type(self.relaxation)
        state_sum = (
            relaxation * (self.signal - fit_residual)
            + (1 - relaxation) * self.code_sum
            + self.dual_sum
        )
        self._add_codes(AtomSum.total(list(totals)))
        self.dual_sum = state_sum - self.code_sum
        self.code_rho, self.dual_scale = self.rho, 1.0
        return self._judge(np.array(found), fit_residual)

    def _judge(self, found: np.ndarray, fit_residual: np.ndarray) -> tuple[float, float, float]:
        _, cost, energy, split, size, code_size, change, dual_size = found.sum(axis=0)
        objective = 0.5 * square(self.residual) + cost
        bound = objective - self.work.dual_value(fit_residual, energy, found[:, 0].max())
        primal = sqrt(split / (max(size, code_size) or 1.0))
        return bound, primal, sqrt(change / (dual_size or 1.0))
