"""What codes leave of signals, and the atoms that would leave less."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sparsecode._parallel import map_tiles
from sparsecode.convolutional._geometry import Geometry
from sparsecode.convolutional._learning_kernels import add_lags, add_windows
from sparsecode.convolutional._window_kernels import subtract_atoms
from sparsecode.core.code import SparseCode

__all__ = ["CONSTRAINTS", "Descent", "Fits", "energies_of_windows", "project"]

CONSTRAINTS = (None, "positive", "mean_free")
#: Groups of atoms, or of samples, that are worked on side by side.
GROUPS = 16
#: Projected gradient steps on one atom while the others are held, at most.
INNER = 50
#: Length of such a step at which an atom counts as minimised over.
STILL = 1e-7
#: Norm, in machine epsilons of what it was, at which a centred atom is taken for rounding.
NOTHING_LEFT = 10.0


class Fits:
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
        energies = np.stack(
            [energies_of_windows(self.geometry, residual) for residual in self.residuals]
        )
        floor = 1e-12 * energies.max()
        while len(found) < n_windows:
            i, y, x = np.unravel_index(np.argmax(energies), energies.shape)
            if energies[i, y, x] <= floor:
                break
            window = self.geometry.windows(self.residuals[i], slice(y, y + 1))[x]
            atom, norms = project(
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


def energies_of_windows(geometry: Geometry, domain: np.ndarray) -> np.ndarray:
    """Return the sum of squares of the window at each position."""
    sums = np.sum(np.square(domain, dtype=np.float64), axis=0)
    for axis, (n, width) in enumerate(zip(geometry.maps, geometry.kernel)):
        places = np.arange(n + width - 1) % sums.shape[axis]
        views = np.lib.stride_tricks.sliding_window_view(sums.take(places, axis), width, axis)
        sums = views.sum(axis=-1)
    return sums


class Descent:
    """The quadratic that one atom is to minimise while the others are held.

    With the codes held it has the matrix A, in which entry (q, q') is the autocorrelation of the
    atom's maps at lag q - q', for each channel. On atoms of norm 1, or a part of them, minimising
    the bound that its largest eigenvalue L gives is a step of 1 / L and a projection: no step
    raises it, whatever the constraint.
    """

    def __init__(self, fits: Fits, k: int, constraint: str | None) -> None:
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
            moved, norms = project(target[None], self.constraint)
            if norms[0] == 0.0:
                break
            length = float(np.linalg.norm(moved[0] - atom))
            atom = moved[0]
            if length < STILL:
                break
        change = (atom - start).reshape(kernels.shape[1:])
        self.fits.move_atom(k, change)
        kernels[k] = atom.reshape(change.shape)


def project(kernels: np.ndarray, constraint: str | None) -> tuple[np.ndarray, np.ndarray]:
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
