"""Convolutional dictionary learning: online, an image a step, or in alternation with codes."""

from __future__ import annotations

import hashlib
import inspect
import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Sized
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sparsecode._docs import sharing
from sparsecode._jit import threads
from sparsecode._parallel import map_tiles
from sparsecode._validation import (
    check_count,
    check_option,
    check_positive,
    check_rng,
    level_outside,
)
from sparsecode.convolutional._geometry import BOUNDARIES, Geometry
from sparsecode.convolutional._learning_kernels import add_lags, add_windows
from sparsecode.convolutional._problem import check_signals, kernels_of
from sparsecode.convolutional._window_kernels import subtract_atoms
from sparsecode.convolutional.greedy_cd import greedy_cd
from sparsecode.core.code import SparseCode
from sparsecode.core.io import load_arrays, load_metadata, save_arrays
from sparsecode.penalties._dispatch import Penalty
from sparsecode.solvers._result import SolverResult

__all__ = [
    "AlternatingConvLearner",
    "ConvLearningResult",
    "OnlineConvLearner",
    "draw_atoms",
    "learn_alternating",
    "learn_online",
]

CONSTRAINTS = (None, "positive", "mean_free")
KIND = "convolutional learning checkpoint"
#: Groups of atoms, or of samples, that are worked on side by side.
GROUPS = 16
#: Projected gradient steps on one atom while the others are held, at most.
INNER = 50
#: Length of such a step at which an atom counts as minimised over.
STILL = 1e-7
#: Norm, in machine epsilons of what it was, at which a centred atom is taken for rounding.
NOTHING_LEFT = 10.0

Callback = Callable[[int, dict[str, Any], np.ndarray], object]


@dataclass(frozen=True, eq=False)
class ConvLearningResult:
    r"""A convolutional dictionary, and how it came about.

    Parameters
    ----------
    dictionary : ndarray of shape (n_atoms, n_channels, \*kernel_shape)
        Atoms of norm 1, in the dtype of the signals.
    history : dict of str to ndarray of shape (n_steps,)
        One entry per step, or epoch, measured on its codes before the dictionary moved:

        - ``mse``: squared residual over the number of entries of the signals, mean over samples;
        - ``objective``: 1/2 ||x - sum_k d_k * z_k||**2 + penalty(z), mean over samples;
        - ``density``: fraction of coefficients that are not 0;
        - ``n_silent``: atoms that no sample used;
        - ``n_replaced``: atoms that were given up after it;
        - ``n_unconverged``: samples whose codes did not meet the solver's tolerance.
    code : SparseCode of shape (n_samples, n_atoms, \*map_shape) or None
        From :func:`learn_alternating`: the codes of the last epoch, from which the atoms were
        updated once more. They serve as `init` of a solver.
    """

    dictionary: np.ndarray
    history: dict[str, np.ndarray]
    code: SparseCode | None = None

    @property
    def n_steps(self) -> int:
        """Number of steps, or epochs."""
        return len(self.history["objective"])

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.dictionary.shape))
        return (
            f"<ConvLearningResult {shape}, {self.n_steps} steps, last mse "
            f"{self.history['mse'][-1]:.3g} at {100 * self.history['density'][-1]:.2g} % active>"
        )


def draw_atoms(
    X: Any,
    n_atoms: int,
    kernel_shape: int | tuple[int, ...],
    *,
    rng: np.random.Generator | int | None = None,
) -> np.ndarray:
    r"""Draw windows of signals, scaled to norm 1, as atoms to start from.

    They are drawn with a probability that is proportional to their energy, and lie within the
    signals.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_channels, \*shape)
        Signals of shape (width,) or images of shape (height, width).
    n_atoms : int
        Number of windows, no two of which are the same.
    kernel_shape : int or tuple of int
        Their width, or height and width; an int is both.
    rng : Generator, int or None
        Source of the draws.

    Returns
    -------
    ndarray of shape (n_atoms, n_channels, \*kernel_shape)
        In the dtype of the signals.

    Raises
    ------
    TypeError, ValueError
        If the shapes make no sense, a window is larger than the signals, or these have fewer
        windows that are not 0 than there are atoms to draw.
    """
    n_atoms = check_count("n_atoms", n_atoms)
    if np.ndim(X) not in (3, 4):
        raise ValueError(
            f"X must have shape (n_samples, n_channels, width) or (n_samples, n_channels, height, "
            f"width); got {np.shape(X)}. Insert an axis of length 1 for a single channel."
        )
    n_axes = np.ndim(X) - 2
    given = (kernel_shape,) * n_axes if np.ndim(kernel_shape) == 0 else tuple(kernel_shape)  # type: ignore[arg-type]
    if len(given) != n_axes:
        raise ValueError(f"kernel_shape must have {n_axes} axes, as X has; got {kernel_shape!r}.")
    wanted = tuple(check_count("kernel_shape", n) for n in given)
    like = np.ones((1, np.shape(X)[1], *wanted))
    X = check_signals(X, like, kernels_of(like))
    geometry = Geometry(X.shape[2:], kernels_of(like).shape[2:], "valid")
    energies = np.array([_energies(geometry, signal) for signal in X]).reshape(-1)
    if np.count_nonzero(energies) < n_atoms:
        raise ValueError(
            f"X must have at least n_atoms = {n_atoms} windows that are not 0; got "
            f"{np.count_nonzero(energies)}. Use more signals, or fewer atoms."
        )
    drawn = check_rng(rng).choice(
        energies.size, n_atoms, replace=False, p=energies / energies.sum()
    )
    atoms = np.zeros((n_atoms, *like.shape[1:]))
    for atom, place in zip(atoms, drawn):
        i, position = divmod(int(place), geometry.n_positions)
        y, x = divmod(position, geometry.maps[1])
        atom[:] = geometry.windows(X[i], slice(y, y + 1))[x].reshape(atom.shape)
    return _project(atoms, None)[0].astype(X.dtype)


class ConvLearner:
    """Convolutional atoms that learn step by step, and all that the next step depends on.

    Parameters
    ----------
    penalty, boundary, solver, alpha_ratio, constraint, dead_after, n_threads
        Those of :func:`learn_online`.

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
        kernels, norms = _project(kernels_of(dictionary).astype(np.float64), self.constraint)
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

    def _step(self, X: np.ndarray, n_threads: int) -> dict[str, Any]:
        raise NotImplementedError

    def _encode(self, X: np.ndarray, init: SparseCode | None = None) -> SolverResult:
        """Return the codes of signals over two axes, silent about those that did not converge."""
        options = self._options if init is None else {**self._options, "init": init}
        signals = X if self.atoms.ndim == 4 else X[:, :, 0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return self.solver(signals, self.atoms, *self._arguments, **options)

    def _measure(self, result: SolverResult, fits: _Fits) -> dict[str, Any]:
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

    def _replace_dead(self, kernels: np.ndarray, gone: np.ndarray, fits: _Fits) -> int:
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
        self._set_atoms(np.array(arrays["atoms"]))
        self._silent_for = np.array(arrays["silent_for"])
        self.n_steps = int(arrays["n_steps"])


class OnlineConvLearner(ConvLearner):
    """Atoms that take a gradient step after each batch; the state behind :func:`learn_online`.

    Parameters
    ----------
    penalty, boundary, solver, alpha_ratio, step, constraint, dead_after, n_threads
        Those of :func:`learn_online`.
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
        fits = _Fits(X, kernels, result.code, self.boundary, n_threads)
        row = self._measure(result, fits)
        rate = self.a / (self.n_steps + self.b) / len(X)
        moved, norms = _project(kernels + rate * fits.windows_of_all(), self.constraint)
        gone = norms == 0.0
        moved[gone] = kernels[gone]  # until it is replaced, such an atom stays where it was
        row["n_replaced"] = self._replace_dead(moved, gone, fits)
        self._set_atoms(moved.reshape(self.atoms.shape).astype(self.atoms.dtype))
        return row


class AlternatingConvLearner(ConvLearner):
    """Atoms that descend with all codes held; the state behind :func:`learn_alternating`.

    Parameters
    ----------
    penalty, boundary, solver, alpha_ratio, n_sweeps, constraint, dead_after, n_threads
        Those of :func:`learn_alternating`.

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
        fits = _Fits(X, kernels, result.code, self.boundary, n_threads)
        row = self._measure(result, fits)
        descents = [_Descent(fits, k, self.constraint) for k in np.flatnonzero(fits.n_uses)]
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


class _Fits:
    """Signals, their codes, and what these leave of them: the residual, on the domain.

    Attributes
    ----------
    residuals : list of ndarray of shape (n_channels, height, width)
        In the dtype of the signals.
    n_uses : ndarray of shape (n_atoms,)
        Active units of each atom.
    """

    def __init__(
        self, X: np.ndarray, kernels: np.ndarray, code: SparseCode, boundary: str, n_threads: int
    ) -> None:
        self.geometry = Geometry(X.shape[2:], kernels.shape[2:], boundary)
        self.kernel_shape, self.n_entries, self.n_threads = kernels.shape, X.size, n_threads
        n_positions = self.geometry.n_positions
        values = np.ones(code.nnz, X.dtype) if code.values is None else code.values.astype(X.dtype)
        rows = [slice(*ends) for ends in zip(code.indptr[:-1], code.indptr[1:])]
        self.units = [code.indices[row] for row in rows]
        self.values = [values[row] for row in rows]
        #: Where the units of each atom begin, sample by sample; one more is the end.
        borders = np.arange(len(kernels) + 1) * n_positions
        self.starts = [np.searchsorted(units, borders) for units in self.units]
        self.n_uses = np.sum([np.diff(starts) for starts in self.starts], axis=0)
        own = kernels.astype(X.dtype)

        def residual(i: int) -> np.ndarray:
            domain = np.array(self.geometry.embed(X[i]), order="C")
            subtract_atoms(self.units[i], self.values[i], *self.geometry.maps, own, domain)
            return domain

        self.residuals = map_tiles(residual, range(len(X)), n_threads)
        self.groups = np.array_split(np.arange(len(X)), min(GROUPS, len(X)))

    def squared_error(self) -> float:
        """Return the sum of squares of all residuals."""
        return float(sum(np.sum(np.square(one, dtype=np.float64)) for one in self.residuals))

    def windows_of_all(self) -> np.ndarray:
        """Return, atom by atom, the sum of the windows of residuals times its units there.

        That is the gradient of 1/2 ||x - sum_k d_k * z_k||**2 with its sign turned, in float64.
        Atoms are independent, so that how they are shared out does not change a bit.
        """
        totals = np.zeros(self.kernel_shape)

        def add(group: np.ndarray) -> None:
            for units, values, starts, residual in zip(
                self.units, self.values, self.starts, self.residuals
            ):
                own = slice(starts[group[0]], starts[group[-1] + 1])
                add_windows(units[own], values[own], *self.geometry.maps, residual, totals)

        atoms = np.arange(self.kernel_shape[0])
        map_tiles(add, np.array_split(atoms, min(GROUPS, atoms.size)), self.n_threads)
        return totals

    def of_atom(self, i: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return positions and values of an atom's units in one sample."""
        own = slice(self.starts[i][k], self.starts[i][k + 1])
        return self.units[i][own] - np.int32(k * self.geometry.n_positions), self.values[i][own]

    def map_samples(self, function: Callable[[int], Any]) -> list[Any]:
        """Return what `function` makes of each sample, in their order; groups go side by side."""
        found = map_tiles(lambda group: [function(i) for i in group], self.groups, self.n_threads)
        return [one for group in found for one in group]

    def windows_of(self, k: int) -> np.ndarray:
        """Return one atom's part of :meth:`windows_of_all`, summed in the order of samples."""

        def windows(i: int) -> np.ndarray:
            total = np.zeros((1, *self.kernel_shape[1:]))
            add_windows(*self.of_atom(i, k), *self.geometry.maps, self.residuals[i], total)
            return total[0]

        return np.sum(self.map_samples(windows), axis=0)

    def lags_of(self, k: int) -> np.ndarray:
        """Return the autocorrelation of an atom's maps at the lags that two windows may have."""
        height, width = self.geometry.kernel

        def lags(i: int) -> np.ndarray:
            half = np.zeros((height, 2 * width - 1))
            positions, values = self.of_atom(i, k)
            add_lags(positions, values, *self.geometry.maps, self.geometry.is_circular, half)
            return half

        half = np.sum(self.map_samples(lags), axis=0)
        return np.concatenate([half[:0:-1, ::-1], half])

    def move_atom(self, k: int, change: np.ndarray) -> None:
        """Bring the residuals up to date after an atom has changed."""

        def move(i: int) -> None:
            residual = self.residuals[i]
            own = change[None].astype(residual.dtype)
            subtract_atoms(*self.of_atom(i, k), *self.geometry.maps, own, residual)

        self.map_samples(move)

    def largest_windows(self, n_windows: int, constraint: str | None) -> np.ndarray:
        """Return the windows of the residuals with most energy, no two of which meet, as atoms.

        There are fewer where no residual is left, or a constraint leaves nothing of it.
        """
        found: list[np.ndarray] = []
        if not n_windows:
            return np.zeros((0, *self.kernel_shape[1:]))
        energies = np.stack([_energies(self.geometry, residual) for residual in self.residuals])
        floor = 1e-12 * energies.max()
        while len(found) < n_windows:
            i, y, x = np.unravel_index(np.argmax(energies), energies.shape)
            if energies[i, y, x] <= floor:
                break
            window = self.geometry.windows(self.residuals[i], slice(y, y + 1))[x]
            atom, norms = _project(
                window.astype(np.float64).reshape(1, *self.kernel_shape[1:]), constraint
            )
            if norms[0] > 0.0:
                found.append(atom[0])
            rows, columns = (self._near(int(place), axis) for axis, place in enumerate((y, x)))
            energies[i, rows[:, None], columns] = 0.0
        return np.array(found).reshape(-1, *self.kernel_shape[1:])

    def _near(self, place: int, axis: int) -> np.ndarray:
        """Return the positions along an axis whose windows meet that of `place`."""
        n, reach = self.geometry.maps[axis], self.geometry.kernel[axis] - 1
        near = np.arange(place - reach, place + reach + 1)
        return np.unique(near % n) if self.geometry.is_circular else near[(near >= 0) & (near < n)]


def _energies(geometry: Geometry, domain: np.ndarray) -> np.ndarray:
    """Return the sum of squares of the window at each position."""
    sums = np.sum(np.square(domain, dtype=np.float64), axis=0)
    for axis, (n, width) in enumerate(zip(geometry.maps, geometry.kernel)):
        places = np.arange(n + width - 1) % sums.shape[axis]
        views = np.lib.stride_tricks.sliding_window_view(sums.take(places, axis), width, axis)
        sums = views.sum(axis=-1)
    return sums


class _Descent:
    """The quadratic that one atom is to minimise while the others are held.

    With the codes held it has the matrix A, in which entry (q, q') is the autocorrelation of the
    atom's maps at lag q - q', for each channel. On atoms of norm 1, or a part of them, minimising
    the bound that its largest eigenvalue L gives is a step of 1 / L and a projection: no step
    raises it, whatever the constraint.
    """

    def __init__(self, fits: _Fits, k: int, constraint: str | None) -> None:
        self.fits, self.k, self.constraint = fits, k, constraint
        self.lags = fits.lags_of(k)
        self.curvature = float(np.linalg.eigvalsh(self._matrix())[-1]) * (1.0 + 1e-9)

    def _matrix(self) -> np.ndarray:
        (height, width), n = self.fits.geometry.kernel, np.prod(self.fits.geometry.kernel)
        y, x = np.indices((height, width)).reshape(2, -1)
        rows = y[:, None] - y + height - 1
        columns = x[:, None] - x + width - 1
        return self.lags[rows, columns].reshape(n, n)

    def run(self, kernels: np.ndarray) -> None:
        """Descend on the atom in place, and on the residuals with it."""
        k, matrix = self.k, self._matrix()
        if self.curvature <= 0.0:
            return
        slope = self.fits.windows_of(k).reshape(kernels.shape[1], -1)
        atom = start = kernels[k].reshape(slope.shape)
        for _ in range(INNER):
            target = atom + (slope - (atom - start) @ matrix) / self.curvature
            moved, norms = _project(target[None], self.constraint)
            if norms[0] == 0.0:
                break
            length = float(np.linalg.norm(moved[0] - atom))
            atom = moved[0]
            if length < STILL:
                break
        change = (atom - start).reshape(kernels.shape[1:])
        self.fits.move_atom(k, change)
        kernels[k] = atom.reshape(change.shape)


def _project(kernels: np.ndarray, constraint: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest atoms of norm 1 under the constraint, and the norms they had under it.

    Atoms of which the constraint leaves nothing are 0 and had the norm 0.
    """
    flat = kernels.reshape(len(kernels), -1)
    before = np.linalg.norm(flat, axis=1)
    if constraint == "positive":
        flat = np.maximum(flat, 0.0)
    elif constraint == "mean_free":
        flat = flat - flat.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(flat, axis=1)
    norms[norms <= NOTHING_LEFT * np.finfo(np.float64).eps * before] = 0.0
    divisors = np.where(norms == 0.0, np.inf, norms)[:, None]
    return (flat / divisors).reshape(kernels.shape), norms


class _Checkpoint:
    """Everything the next step depends on, in one file that is whole or absent.

    Parameters
    ----------
    path : path-like or None
        A ``.safetensors`` file, in a folder that exists; None keeps nothing.
    every : int
        Steps between two checkpoints.
    configuration : dict of str to object
        What learning depends on; a file of another one is refused.
    rng : numpy.random.Generator
        Put where the file's generator was at first.
    """

    def __init__(
        self, path: Any, every: int, configuration: dict[str, Any], rng: np.random.Generator
    ) -> None:
        self.every = check_count("checkpoint_every", every)
        self.path = None if path is None else Path(path)
        self.arrays: dict[str, np.ndarray] = {}
        if self.path is None:
            return
        if self.path.suffix != ".safetensors" or not self.path.parent.is_dir():
            raise ValueError(
                f"checkpoint must be a .safetensors file in a folder that exists; got {self.path}. "
                f"Rename it, or make the folder first."
            )
        ours = {name: _describe(value) for name, value in configuration.items()}
        self.metadata = {"kind": KIND, "configuration": ours, "rng": rng.bit_generator.state}
        if not self.path.exists():
            return
        theirs = load_metadata(self.path)
        if not isinstance(theirs, dict) or theirs.get("kind") != KIND:
            raise ValueError(
                f"{self.path.name} must be a checkpoint of a convolutional learner; got other "
                f"arrays. Pass another path."
            )
        differing = [
            f"{name} = {theirs['configuration'].get(name)} in the file, {text} here"
            for name, text in ours.items()
            if theirs["configuration"].get(name) != text
        ]
        if differing:
            raise ValueError(
                f"{self.path.name} must be a checkpoint of the same configuration; got "
                f"{'; '.join(differing)}. Pass the same arguments, or another path."
            )
        self.arrays = load_arrays(self.path)
        self.metadata["rng"] = rng.bit_generator.state = theirs["rng"]

    def part(self, name: str) -> dict[str, np.ndarray]:
        """Return the arrays of one part of the state, without its name."""
        prefix = f"{name}."
        return {k.removeprefix(prefix): v for k, v in self.arrays.items() if k.startswith(prefix)}

    def save(self, **parts: dict[str, np.ndarray]) -> None:
        """Replace the file, if one is to be kept."""
        if self.path is None:
            return
        arrays = {f"{part}.{k}": array for part, own in parts.items() for k, array in own.items()}
        try:
            save_arrays(self.path, arrays, self.metadata)
        except OSError as error:
            raise OSError(
                f"{self.path.name} could not be written, and is as the checkpoint before left it: "
                f"{error}. Make room, and learning goes on from there."
            ) from error


def _describe(value: Any) -> str:
    """Return text that is the same, in any process, for values that make learning the same."""
    if isinstance(value, np.ndarray):
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()[:16]
        return f"array {value.dtype} {value.shape} {digest}"
    if isinstance(value, np.random.Generator):
        state = json.dumps(value.bit_generator.state, default=np.ndarray.tolist)
        return f"state {hashlib.sha256(state.encode()).hexdigest()[:16]}"
    if isinstance(value, partial):
        given = {name: _describe(one) for name, one in sorted(value.keywords.items())}
        return f"{_describe(value.func)} {[_describe(one) for one in value.args]} {given}"
    if hasattr(value, "_asdict"):
        fields = {name: _describe(one) for name, one in value._asdict().items()}
        return f"{type(value).__name__} {fields}"
    if callable(value):
        named = value if hasattr(value, "__qualname__") else type(value)
        return f"{named.__module__}.{named.__qualname__}"
    return repr(value)


def _of_array(X: np.ndarray, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield whole batches of an array, in a new random order at each pass, without end."""
    while True:
        order = rng.permutation(len(X))
        for first in range(0, len(X) - size + 1, size):
            yield X[order[first : first + size]]


def _of_stream(batches: Any, n_steps: int | None) -> tuple[Any, Iterator[Any]]:
    """Return the first batch of a stream, and all of them."""
    if not isinstance(batches, Iterable):
        raise TypeError(
            f"batches must be an array of shape (n_samples, n_channels, *shape) or an iterable of "
            f"such; got {type(batches).__name__}."
        )
    if isinstance(batches, Sized) and n_steps is not None and len(batches) < n_steps:
        raise ValueError(_too_few(n_steps, len(batches)))
    rest = iter(batches)
    try:
        first = next(rest)
    except StopIteration:
        raise ValueError("batches must yield at least one batch; it was empty.") from None
    return first, chain([first], rest)


def _too_few(n_steps: int, got: int) -> str:
    return f"batches must yield at least n_steps = {n_steps} batches; got {got}."


def _learn(
    learner: ConvLearner,
    stream: Iterator[Any],
    n_steps: int | None,
    file: _Checkpoint,
    callback: Callback | None,
    progress: bool,
) -> ConvLearningResult:
    """Let the learner take its steps, from the file's on, and keep their history."""
    history: dict[str, list[Any]] = {}
    n_samples = 0
    if file.arrays:
        learner.restore(file.part("learner"))
        history = {name: column.tolist() for name, column in file.part("history").items()}
        n_samples = sum(history.pop("n_samples"))
    n_done = learner.n_steps
    if n_steps is not None and n_done > n_steps:
        raise ValueError(
            f"the number of steps must be at least {n_done}, those behind the checkpoint; got "
            f"{n_steps}."
        )
    for index in range(n_done):  # those learned from are drawn and dropped
        if next(stream, None) is None:
            raise ValueError(_too_few(n_done, index))
    steps: Iterable[Any] = islice(stream, None if n_steps is None else n_steps - n_done)
    if progress:
        from tqdm.auto import tqdm  # which speaks up in notebooks without widgets

        steps = tqdm(steps, "learning", n_steps, leave=False, initial=n_done)

    def save() -> None:
        columns = {name: np.array(column) for name, column in history.items()}
        columns["n_samples"] = np.array([n_samples])
        file.save(learner=learner.state(), history=columns)

    for X in steps:
        row = learner.step(X)
        n_samples += len(X)
        for name, value in row.items():
            history.setdefault(name, []).append(value)
        if learner.n_steps % file.every == 0:
            save()
        if callback is not None:
            callback(learner.n_steps - 1, row, learner.atoms)
    if n_steps is not None and learner.n_steps < n_steps:
        raise ValueError(_too_few(n_steps, learner.n_steps))
    if learner.n_steps > n_done and learner.n_steps % file.every:
        save()
    columns = {name: np.array(column) for name, column in history.items()}
    _warn(columns["n_unconverged"], n_samples)
    code = learner.code if isinstance(learner, AlternatingConvLearner) else None
    return ConvLearningResult(np.array(learner.atoms), columns, code)


def _warn(n_unconverged: np.ndarray, n_samples: int) -> None:
    if n_unconverged.any():
        warnings.warn(
            f"{n_unconverged.sum()} of {n_samples} samples coded did not converge, in "
            f"{np.count_nonzero(n_unconverged)} of {n_unconverged.size} steps, and were learned "
            f"from all the same. Raise the solver's max_iter or tol, as in "
            f"solver=functools.partial(greedy_cd, tol=1e-2).",
            ConvergenceWarning,
            stacklevel=level_outside(),
        )


_shared = sharing(
    {
        "dictionary": r"""
        dictionary : array-like of shape (n_atoms, n_channels, \*kernel_shape)
            Atoms to start from, scaled to norm 1: random numbers, windows of the signals, or a
            bank such as :func:`~sparsecode.convolutional.log_gabor_preset`. Their support stays.
        penalty : penalty struct, str or None
            Such as ``L1(0.01)``; a registered name needs `alpha_ratio`; None for a solver without
            a penalty.
        boundary : {"circular", "zero", "valid"}, default="circular"
            As in the solvers.
        solver : callable, default=greedy_cd
            Called as ``solver(X, dictionary, penalty, boundary=boundary)``, with `alpha_ratio` and
            `n_threads` if they are given; returns a SolverResult. Options go with it:
            ``functools.partial(greedy_cd, tol=1e-3)``, or without a penalty
            ``functools.partial(mp, n_nonzero=500)``.
        alpha_ratio : float, optional
            Passed to the solver: replaces the penalty's alpha, sample by sample.
        """,
        "constraint": """
        constraint : {None, "positive", "mean_free"}
            What atoms must be besides of norm 1: without negative entries, or of mean 0. An atom
            of which the constraint leaves nothing is replaced as a dead one is.
        """,
        "course": """
        callback : callable, optional
            ``callback(step, metrics, dictionary)`` after each step, with the row of the history as
            a dict and the new atoms, read-only.
        checkpoint : path-like, optional
            A ``.safetensors`` file, written whole or not at all. If it exists, learning goes on
            from it, to the same bits as without a break: call with the same arguments, a stream
            from its start. Only the number of steps, `callback`, `progress`, `n_threads` and
            `checkpoint_every` may differ.
        checkpoint_every : int
            Steps between checkpoints; there is one more at the end.
        progress : bool, default=False
            Whether to show a progress bar.
        """,
        "n_threads": """
        n_threads : int, optional
            Threads; all that Numba may use if unset. The result is the same, bit by bit, for every
            number.
        """,
        "returns": """
        Returns
        -------
        ConvLearningResult
            The atoms and, step by step, error, objective, density and replaced atoms.

        Raises
        ------
        TypeError, ValueError
            If an argument makes no sense, shapes or channels disagree, a signal is smaller than an
            atom or not finite, a batch is empty, the stream ends early, or the checkpoint is
            damaged or of another configuration, which is named.
        OSError
            If the checkpoint cannot be written; the one before stays whole.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            Once, if codes did not converge, with their number.
        """,
    }
)


@_shared
def learn_online(
    batches: Any,
    dictionary: Any,
    penalty: Penalty | str | None,
    *,
    boundary: str = "circular",
    solver: Callable[..., SolverResult] = greedy_cd,
    alpha_ratio: float | None = None,
    step: tuple[float, float] = (100.0, 1000.0),
    constraint: str | None = None,
    dead_after: int | None = 50,
    batch_size: int = 1,
    n_steps: int | None = None,
    callback: Callback | None = None,
    checkpoint: Any = None,
    checkpoint_every: int = 50,
    progress: bool = False,
    rng: np.random.Generator | int | None = None,
    n_threads: int | None = None,
) -> ConvLearningResult:
    r"""Learn atoms by a gradient step after each image, or batch of images.

    Descends the mean over samples of

    .. math:: \min_z \tfrac12 \Bigl\|x - \sum_k d_k * z_k\Bigr\|^2 + \mathrm{penalty}(z), \qquad
              \|d_k\| = 1.

    With the codes of batch j, whose residuals are r,

    .. math:: d_k \leftarrow \Pi\Bigl(d_k + \eta_j \operatorname{mean}
              \sum_p z_k(p)\, r(p + \cdot)\Bigr), \qquad \eta_j = \frac{a}{j + b},

    where :math:`\Pi` keeps the atom's support, applies the constraint and scales to norm 1.

    Parameters
    ----------
    batches : iterable of array-like of shape (n_samples, n_channels, \*shape), or ndarray of it
        A stream of batches, whose images may differ in size from batch to batch; or all samples,
        from which whole batches are drawn in a new random order at each pass. The atoms take the
        dtype of the first batch.
    <dictionary>
    step : tuple of float, default=(100.0, 1000.0)
        The numbers a and b. The sum goes over places, so that it grows with the size of images:
        what suits one size is to be divided by as much for larger ones.
    <constraint>
    dead_after : int or None, default=50
        An atom that no sample used in so many batches running is replaced by the window in which
        most of the residual lies; None keeps dead atoms.
    batch_size : int, default=1
        Samples in a batch drawn from an array; all of them if it holds fewer.
    n_steps : int, optional
        Number of batches; by default all of the stream, or one pass over the array.
    <course>
    rng : Generator, int or None
        Source of the order of samples drawn from an array.
    <n_threads>

    <returns>

    Notes
    -----
    First-order online convolutional dictionary learning [1]_, one image a step, with its rate
    :math:`a / (j + b)` and projection. The gradient is summed over the active units alone, from
    windows of the residual; no map is ever dense.

    References
    ----------
    .. [1] Liu, Garcia-Cardona, Wohlberg & Yin, "First- and second-order methods for online
       convolutional dictionary learning", SIAM J. Imaging Sci. 11 (2018), 1589-1628.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.convolutional import learn_online
    >>> from sparsecode.penalties import L1
    >>> rng = np.random.default_rng(0)
    >>> images = rng.standard_normal((4, 1, 24, 24))
    >>> learned = learn_online(images, rng.standard_normal((6, 1, 5, 5)), L1(1.0), rng=1)
    >>> learned.dictionary.shape, learned.n_steps
    ((6, 1, 5, 5), 4)
    """
    kernels = kernels_of(dictionary)
    learner = OnlineConvLearner(
        penalty, boundary=boundary, solver=solver, alpha_ratio=alpha_ratio, step=step,
        constraint=constraint, dead_after=dead_after, n_threads=n_threads,
    )  # fmt: skip
    generator = check_rng(rng)
    drawn_from = None if rng is None else deepcopy(generator)
    batch_size = check_count("batch_size", batch_size)
    if n_steps is not None:
        n_steps = check_count("n_steps", n_steps)
    is_array = isinstance(batches, np.ndarray) and batches.ndim != np.ndim(dictionary) + 1
    if is_array:
        samples = check_signals(batches, dictionary, kernels)
        if not len(samples):
            raise ValueError("batches must hold samples to learn from; got none.")
        batch_size = min(batch_size, len(samples))
        n_steps = n_steps or len(samples) // batch_size
        whole = samples if np.ndim(dictionary) == 4 else samples[:, :, 0]
    else:
        first, stream = _of_stream(batches, n_steps)
        samples = check_signals(first, dictionary, kernels)
    learner.start(dictionary, samples.dtype)
    file = _Checkpoint(
        checkpoint, checkpoint_every,
        dict(
            learner="online", penalty=penalty, boundary=boundary, solver=solver,
            alpha_ratio=alpha_ratio, step=(learner.a, learner.b), constraint=constraint,
            dead_after=dead_after, batch_size=batch_size, dictionary=learner.atoms,
            samples=samples, rng=drawn_from,
        ),
        generator,
    )  # fmt: skip
    if is_array:
        stream = _of_array(whole, batch_size, generator)
    return _learn(learner, stream, n_steps, file, callback, progress)


@_shared
def learn_alternating(
    X: Any,
    dictionary: Any,
    penalty: Penalty | str | None,
    *,
    boundary: str = "circular",
    solver: Callable[..., SolverResult] = greedy_cd,
    alpha_ratio: float | None = None,
    n_epochs: int = 20,
    n_sweeps: int = 1,
    constraint: str | None = None,
    dead_after: int | None = 1,
    callback: Callback | None = None,
    checkpoint: Any = None,
    checkpoint_every: int = 1,
    progress: bool = False,
    n_threads: int | None = None,
) -> ConvLearningResult:
    r"""Learn atoms from all signals at once, in alternation with their codes.

    Minimises, over codes and atoms in turn, the mean over samples of

    .. math:: \tfrac12 \Bigl\|x - \sum_k d_k * z_k\Bigr\|^2 + \mathrm{penalty}(z), \qquad
              \|d_k\| = 1.

    Each epoch codes all samples, from the codes of the last one on, and then goes over the atoms,
    each of which descends while the others and all codes are held.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_channels, \*shape)
        Signals of shape (width,) or images of shape (height, width), whose dtype the atoms take.
    <dictionary>
    n_epochs : int, default=20
        Times that all samples are coded and the atoms updated.
    n_sweeps : int, default=1
        Times that the atoms are gone over in an epoch. On natural images 3 or 10 times lowered the
        objective no faster: codes hold the atoms back.
    <constraint>
    dead_after : int or None, default=1
        An atom that no sample used in so many epochs running is replaced by the window in which
        most of the residual lies; None keeps dead atoms.
    <course>
    <n_threads>

    <returns>

    Notes
    -----
    With the codes held, the objective of one atom is a quadratic whose matrix holds the
    autocorrelation of its maps at lags below the kernel's size, and whose slope is the sum of the
    residual's windows at its units: both are summed over the active units alone. Projected
    gradient steps of 1 / L, with L the largest eigenvalue of that matrix, minimise it over atoms
    of norm 1 without ever raising it, so that no update of the atoms raises the objective. Nor
    does a solver that descends from where it starts, as `greedy_cd` does. (A replaced atom had no
    active units: the objective stays.) Norms stay 1 throughout, so that codes need no rescaling.
    With `alpha_ratio`, alpha depends on the atoms, and the objective may rise.

    Atoms move little while the codes of all samples hold them: on 8 natural images of 128 x 128
    with 48 atoms of 12 x 12 from noise, :func:`learn_online` reached in 40 codings of an image a
    lower objective on other images (286) than alternation in 120 (294; 327 at the start). Like any
    learner of this kind it may end with an atom that is shifted and cut off at its edge: take
    kernels a little larger than what is to be found, or the best of several starts.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.convolutional import learn_alternating
    >>> from sparsecode.penalties import L1
    >>> rng = np.random.default_rng(0)
    >>> images = rng.standard_normal((4, 1, 24, 24))
    >>> learned = learn_alternating(
    ...     images, rng.standard_normal((6, 1, 5, 5)), L1(1.0), n_epochs=3
    ... )
    >>> bool((np.diff(learned.history["objective"]) < 0).all())
    True
    """
    learner = AlternatingConvLearner(
        penalty, n_sweeps=n_sweeps, boundary=boundary, solver=solver, alpha_ratio=alpha_ratio,
        constraint=constraint, dead_after=dead_after, n_threads=n_threads,
    )  # fmt: skip
    n_epochs = check_count("n_epochs", n_epochs)
    samples = check_signals(X, dictionary, kernels_of(dictionary))
    if not len(samples):
        raise ValueError("X must hold samples to learn from; got none.")
    learner.start(dictionary, samples.dtype)
    file = _Checkpoint(
        checkpoint, checkpoint_every,
        dict(
            learner="alternating", penalty=penalty, boundary=boundary, solver=solver,
            alpha_ratio=alpha_ratio, n_sweeps=n_sweeps, constraint=constraint,
            dead_after=dead_after, dictionary=learner.atoms, samples=samples,
        ),
        np.random.default_rng(0),
    )  # fmt: skip
    whole = samples if np.ndim(dictionary) == 4 else samples[:, :, 0]
    return _learn(learner, repeat(whole), n_epochs, file, callback, progress)
