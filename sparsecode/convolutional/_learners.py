"""Convolutional atoms that learn step by step: the state behind the learning functions."""

from __future__ import annotations

import inspect
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sparsecode._jit import threads
from sparsecode._validation import check_count, check_option, check_positive
from sparsecode.convolutional._arguments import check_signals, kernels_of
from sparsecode.convolutional._fits import CONSTRAINTS, Descent, Fits, project
from sparsecode.convolutional._geometry import BOUNDARIES
from sparsecode.convolutional.greedy_cd import greedy_cd
from sparsecode.core._course import taken, taken_count
from sparsecode.core.code import SparseCode
from sparsecode.penalties._dispatch import Penalty
from sparsecode.solvers._result import SolverResult

__all__ = ["AlternatingConvLearner", "ConvLearner", "OnlineConvLearner"]


class ConvLearner(ABC):
    """Convolutional atoms that learn step by step, and all that the next step depends on.

    Parameters
    ----------
    penalty, boundary, solver, alpha_ratio, constraint, dead_after, n_threads
        Those of :func:`~sparsecode.convolutional.learn_online`.

    Attributes
    ----------
    atoms : ndarray of shape (n_atoms, n_channels, *kernel_shape)
        Of norm 1, read-only.
    n_steps : int
        Steps learned from.
    """

    atoms: np.ndarray

    def __init__(
        self,
        penalty: Penalty | str | None,
        *,
        boundary: str = "circular",
        solver: Callable[..., SolverResult] = greedy_cd,
        alpha_ratio: float | None = None,
        constraint: str | None = None,
        dead_after: int | None = None,
        n_threads: int | None = None,
    ) -> None:
        self.boundary = check_option("boundary", boundary, BOUNDARIES)
        self.constraint = check_option("constraint", constraint, CONSTRAINTS)
        self.dead_after = None if dead_after is None else check_count("dead_after", dead_after)
        self.n_threads = n_threads
        self.n_steps = 0
        if not callable(solver):
            raise TypeError(
                f"solver must be a function such as greedy_cd; got {solver!r}. Options go with it, "
                f"as in functools.partial(greedy_cd, tol=1e-3)."
            )
        self.solver = solver
        self._arguments = () if penalty is None else (penalty,)
        given = {"boundary": boundary, "alpha_ratio": alpha_ratio, "n_threads": n_threads}
        self._options = {name: value for name, value in given.items() if value is not None}
        signature = inspect.signature(solver)
        try:
            signature.bind(None, None, *self._arguments, **self._options)
        except TypeError as error:
            asked = ["X", "dictionary", *["penalty"] * len(self._arguments), *self._options]
            raise TypeError(
                f"solver must take ({', '.join(asked)}), as given; got {solver!r}: {error}. A "
                f"pursuit takes penalty=None and solver=functools.partial(mp, n_nonzero=500)."
            ) from None
        self._takes_init = "init" in signature.parameters

    def start(self, dictionary: Any, dtype: Any = np.float64) -> None:
        """Begin with given atoms, which are scaled to norm 1 under the constraint."""
        shape = np.shape(dictionary)
        kernels, norms = project(kernels_of(dictionary).astype(np.float64), self.constraint)
        lost = np.flatnonzero(norms == 0.0)
        if lost.size:
            raise ValueError(
                f"constraint={self.constraint!r} must leave something of every atom; got "
                f"{lost.size} of which nothing is left, the first in row {lost[0]}. Replace them."
            )
        self._set_atoms(kernels.reshape(shape).astype(dtype))
        self._silent_for = np.zeros(len(kernels), np.int64)
        self.n_steps = 0

    def step(self, X: Any) -> dict[str, Any]:
        """Learn from a batch of signals; return its row of the history."""
        X = check_signals(X, self.atoms, kernels_of(self.atoms))
        if not len(X):
            raise ValueError(
                f"every batch must hold a sample; that of step {self.n_steps} is empty."
            )
        X = X.astype(self.atoms.dtype, copy=False)
        with threads(self.n_threads) as n_threads:  # once, for setting BLAS takes its time
            row = self._step(X, n_threads)
        self.n_steps += 1
        return row

    @abstractmethod
    def _step(self, X: np.ndarray, n_threads: int) -> dict[str, Any]:
        """Learn from checked signals; return their row of the history."""

    def _encode(self, X: np.ndarray, init: SparseCode | None = None) -> SolverResult:
        """Return the codes of signals over two axes, silent about those that did not converge."""
        options = self._options if init is None else {**self._options, "init": init}
        signals = X if self.atoms.ndim == 4 else X[:, :, 0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return self.solver(signals, self.atoms, *self._arguments, **options)

    def _measure(self, result: SolverResult, fits: Fits) -> dict[str, Any]:
        """Return the row of the history, and count for how long atoms have been silent."""
        silent = fits.n_uses == 0
        self._silent_for = np.where(silent, self._silent_for + 1, 0)
        return {
            "mse": fits.squared_error() / fits.n_entries,
            "objective": float(result.objective.mean()),
            "density": float(result.code.density),
            "n_silent": int(np.count_nonzero(silent)),
            "n_replaced": 0,
            "n_unconverged": int((~result.converged).sum()),
        }

    def _replace_dead(self, kernels: np.ndarray, gone: np.ndarray, fits: Fits) -> int:
        """Overwrite atoms of no use by the windows in which most of the residual lies."""
        if self.dead_after is not None:
            gone = gone | (self._silent_for >= self.dead_after)
        dead = np.flatnonzero(gone)
        found = fits.largest_windows(dead.size, self.constraint)
        replaced = dead[: len(found)]
        if replaced.size:
            kernels[replaced] = found
            self._silent_for[replaced] = 0
        return replaced.size

    def _set_atoms(self, atoms: np.ndarray) -> None:
        atoms.setflags(write=False)
        self.atoms = atoms

    def state(self) -> dict[str, np.ndarray]:
        """Return the arrays that every later step depends on."""
        return {
            "atoms": self.atoms,
            "silent_for": self._silent_for,
            "n_steps": np.array(self.n_steps),
        }

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back what :meth:`state` returned."""
        self._set_atoms(taken(arrays, "atoms", self.atoms))
        self._silent_for = taken(arrays, "silent_for", self._silent_for)
        self.n_steps = taken_count(arrays, "n_steps")


class OnlineConvLearner(ConvLearner):
    """Atoms that take a gradient step after each batch.

    Parameters
    ----------
    penalty, boundary, solver, alpha_ratio, step, constraint, dead_after, n_threads
        Those of :func:`~sparsecode.convolutional.learn_online`.
    """

    def __init__(
        self, penalty: Penalty | str | None, *, step: Any = (100.0, 1000.0), **options: Any
    ) -> None:
        super().__init__(penalty, **options)
        if np.ndim(step) != 1 or len(step) != 2:
            raise ValueError(f"step must be a pair (a, b), for steps of a / (j + b); got {step!r}.")
        self.a, self.b = (check_positive("step's numbers", number) for number in step)

    def _step(self, X: np.ndarray, n_threads: int) -> dict[str, Any]:
        result = self._encode(X)
        kernels = kernels_of(self.atoms)
        fits = Fits(X, kernels, result.code, self.boundary, n_threads)
        row = self._measure(result, fits)
        rate = self.a / (self.n_steps + self.b) / len(X)
        moved, norms = project(kernels + rate * fits.windows_of_all(), self.constraint)
        gone = norms == 0.0
        moved[gone] = kernels[gone]  # until it is replaced, such an atom stays where it was
        row["n_replaced"] = self._replace_dead(moved, gone, fits)
        self._set_atoms(moved.reshape(self.atoms.shape).astype(self.atoms.dtype))
        return row


class AlternatingConvLearner(ConvLearner):
    """Atoms that descend with all codes held.

    Parameters
    ----------
    penalty, boundary, solver, alpha_ratio, n_sweeps, constraint, dead_after, n_threads
        Those of :func:`~sparsecode.convolutional.learn_alternating`.

    Attributes
    ----------
    code : SparseCode or None
        Codes of the last epoch, from which the next one starts.
    """

    def __init__(self, penalty: Penalty | str | None, *, n_sweeps: int = 1, **options: Any) -> None:
        super().__init__(penalty, **options)
        self.n_sweeps = check_count("n_sweeps", n_sweeps)
        self.code: SparseCode | None = None

    def _step(self, X: np.ndarray, n_threads: int) -> dict[str, Any]:
        result = self._encode(X, self.code if self._takes_init else None)
        self.code = result.code
        kernels = np.array(kernels_of(self.atoms), np.float64)
        fits = Fits(X, kernels, result.code, self.boundary, n_threads)
        row = self._measure(result, fits)
        descents = [Descent(fits, k, self.constraint) for k in np.flatnonzero(fits.n_uses)]
        for _ in range(self.n_sweeps):
            for descent in descents:
                descent.run(kernels)
        row["n_replaced"] = self._replace_dead(kernels, np.zeros(len(kernels), bool), fits)
        self._set_atoms(kernels.reshape(self.atoms.shape).astype(self.atoms.dtype))
        return row

    def state(self) -> dict[str, np.ndarray]:
        """Return the arrays that every later step depends on."""
        own = super().state()
        if self.code is not None and self.code.values is not None:
            own |= {name: getattr(self.code, name) for name in ("indptr", "indices", "values")}
            own["unit_shape"] = np.array(self.code.unit_shape)
        return own

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back what :meth:`state` returned."""
        super().restore(arrays)
        self.code = None
        if "indptr" in arrays:
            own = {name: arrays[name] for name in ("indptr", "indices", "values")}
            self.code = SparseCode(**own, unit_shape=tuple(arrays["unit_shape"].tolist()))
