"""Accelerated proximal gradient for convolutional codes."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

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
from sparsecode.convolutional._proximal_kernels import fista_maps
from sparsecode.convolutional._sample import Sample
from sparsecode.penalties._dispatch import Penalty
from sparsecode.solvers._result import SolverResult

__all__ = ["fista"]


@shared_docs
def fista(
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
    r"""Iterate accelerated proximal gradient steps on maps, restarting momentum that points uphill.

    Minimises :math:`\frac12 \|x - \sum_k d_k * z_k\|^2 + \mathrm{penalty}(z)` per sample for a
    convex penalty. Products with the atoms are taken by fast Fourier transforms, of which each
    iteration needs one a map: sums of atoms are taken place by place where the maps are sparse.

    Parameters
    ----------
    <X>
    <dictionary>
    <penalty>
    <boundary>
    <alpha>
    <init>
    max_iter : int, default=10000
        Largest number of iterations.
    <tol>
    <n_threads>

    <returns>

    Notes
    -----
    Beck & Teboulle 2009 (SIAM J. Imaging Sci. 2, 183-202), eqs. 4.1-4.3, for convolutional codes
    as in Chalasani, Principe & Ramakrishnan 2013 (IJCNN); gradient restart of O'Donoghue & Candès
    2015 (Found. Comput. Math. 15, 715-732), section 3.2. The step is 1 / L, where L bounds the
    largest eigenvalue, over frequencies, of the sum of the atoms' power spectra. Codes are held as
    dense maps, two of them for each atom beside its spectrum.
    """
    problem = ConvProblem(
        X, dictionary, penalty,
        boundary=boundary, alpha_ratio=alpha_ratio, weights=weights, init=init,
        max_iter=max_iter, tol=tol, n_threads=n_threads, progress=progress,
    )  # fmt: skip
    check_convex(problem, "fista")
    transforms = Transforms(problem)
    step = 1.0 / problem.curvature

    def kernel(sample: Sample) -> None:
        if not keep_silent(sample):
            _Iterates(MapWork(transforms, sample), step).run(problem.max_iter)

    return problem.solve(kernel)


class _Iterates:
    """Two successive codes of one sample, and what each leaves of the signal."""

    def __init__(self, work: MapWork, step: float) -> None:
        self.work, self.step = work, step
        self.codes = work.start()
        self.older = self.codes.copy()
        self.residual = work.sample.signal + work.minus_atoms(self.code_of)
        self.older_residual = self.residual

    def code_of(self, atoms: slice) -> np.ndarray:
        return self.codes[atoms]

    def run(self, max_iter: int) -> None:
        """Iterate until the duality gap is small enough, and hand over the code."""
        self.work.keep(self.code_of, self._iterate(max_iter))

    def _iterate(self, max_iter: int) -> int:
        stop = GapStop(lambda: self.work.gap(self.residual, self.code_of), self.work.goal)
        if stop.gap() <= stop.goal:
            return 0
        momentum = 1.0
        for iteration in range(1, max_iter + 1):
            following = 0.5 * (1.0 + sqrt(1.0 + 4.0 * momentum * momentum))
            bound, against = self._move((momentum - 1.0) / following)
            if stop.met(bound):
                return iteration
            momentum = 1.0 if against > 0.0 else following  # the momentum may point uphill
        return max_iter

    def _move(self, beta: float) -> tuple[float, float]:
        """Step once; return a duality gap, and what the step has against the momentum."""
        work, transforms = self.work, self.work.transforms
        ahead = self.residual + work.dtype.type(beta) * (self.residual - self.older_residual)
        spectrum = transforms.spectrum(ahead)

        def step(chunks: list[slice]) -> tuple[AtomSum, np.ndarray]:
            total, sums = AtomSum(transforms), np.zeros(4)
            rows = np.empty((6, transforms.maps[1]), work.dtype)
            for atoms in chunks:
                active = np.empty(atoms.stop - atoms.start)
                older = self.older[atoms]
                fista_maps(
                    transforms.products(spectrum, atoms), work.parts, work.weights, atoms.start,
                    work.positive, self.step, beta, self.codes[atoms], older, rows, active, sums,
                )  # fmt: skip
                total.subtract(atoms, older, active)
            return total, sums

        totals, found = zip(*work.map_groups(step))
        self.codes, self.older = self.older, self.codes
        self.older_residual = self.residual
        self.residual = work.sample.signal + AtomSum.total(list(totals))
        sums = np.array(found)
        _, cost, energy, against = sums.sum(axis=0)
        objective = 0.5 * square(self.residual) + cost
        return objective - work.dual_value(ahead, energy, sums[:, 0].max()), against
