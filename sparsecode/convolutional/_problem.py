"""The one driver under every convolutional solver: check, embed, solve, certify."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from scipy import fft

from sparsecode._jit import threads
from sparsecode._parallel import map_tiles
from sparsecode._validation import check_count, check_numbers, check_positive
from sparsecode.convolutional._arguments import check_signals, kernels_of
from sparsecode.convolutional._geometry import Geometry, strips
from sparsecode.convolutional._sample import Sample
from sparsecode.core.code import SparseCode
from sparsecode.penalties._dispatch import Penalty
from sparsecode.solvers._request import Request
from sparsecode.solvers._result import SolverResult

__all__ = ["ConvProblem"]

#: Points of the frequency grid of the curvature's bound, in units of the kernel's size.
OVERSAMPLING = 16
#: Units that a code may have: what its indices can count.
MOST_UNITS = 2**31 - 1
#: Relative gap of a converged sample, if none is asked for.
TOL = 1e-4


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
