"""Sums of atoms and products with them, map by map, by fast Fourier transforms."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from scipy import fft

from sparsecode._parallel import map_tiles
from sparsecode.convolutional._problem import ConvProblem
from sparsecode.convolutional._proximal_kernels import subtract_maps
from sparsecode.convolutional._sample import Sample, dual_value
from sparsecode.penalties._dispatch import dual_parts

__all__ = ["AtomSum", "GapStop", "MapWork", "Transforms", "check_convex", "keep_silent", "square"]

#: Groups of atoms, at most, that are worked on side by side.
GROUPS = 16
#: Entries of the maps that are transformed at a time; they stay in the processor's cache.
CHUNK_ENTRIES = 2**16
#: Weights of places are taken to lie between this and its inverse, for float32.
LEAST = 1e-30
#: Entries of all maps from which on several threads are worth starting.
ENTRIES_FOR_THREADS = 2**19
#: Entries of active windows that cost as much as one place of a transformed map.
WINDOW_ENTRIES = 4
#: Share of the tolerance that is aimed at.
SHARE = 0.9
#: Iterations, at least, from a gap that was too large to the next one that is computed.
PATIENCE = 5


class Transforms:
    """The atoms' spectra, and what they do to maps on a grid that holds the whole domain.

    Parameters
    ----------
    problem : ConvProblem
    dtype : dtype, optional
        What to compute in; by default the dtype of the signals.

    Attributes
    ----------
    shape : tuple of int
        The grid: the domain if it is circular, else some size, no smaller, that is fast to
        transform.
    spectra : ndarray of shape (n_atoms, n_channels, n_rows, n_columns // 2 + 1)
    groups : list of list of slice
        Chunks of atoms that are transformed together, in groups.
    """

    def __init__(self, problem: ConvProblem, dtype: Any = None) -> None:
        geometry = problem.geometry
        self.kernels = problem.kernels if dtype is None else problem.atoms.astype(dtype)
        self.domain, self.maps = geometry.domain, geometry.maps
        self.shape = self.domain
        if not geometry.is_circular:
            height, width = self.domain
            self.shape = fft.next_fast_len(height, True), fft.next_fast_len(width, True)
        first = fft.rfft2(self.kernels[0], self.shape, workers=1)
        self.spectra = np.empty((len(self.kernels), *first.shape), first.dtype)
        for k, atom in enumerate(self.kernels):
            self.spectra[k] = fft.rfft2(atom, self.shape, workers=1)
        self.groups = self._groups()

    @property
    def n_channels(self) -> int:
        return self.kernels.shape[1]

    def _groups(self) -> list[list[slice]]:
        """Cut the atoms by shapes alone, so that sums do not depend on the number of threads."""
        n_atoms = len(self.kernels)
        group = -(-n_atoms // GROUPS)
        chunk = max(1, CHUNK_ENTRIES // prod(self.shape))
        return [
            [
                slice(k, min(k + chunk, first + group, n_atoms))
                for k in range(first, min(first + group, n_atoms), chunk)
            ]
            for first in range(0, n_atoms, group)
        ]

    def spectrum(self, image: np.ndarray) -> np.ndarray:
        """Return the conjugate spectrum of an image, with zeros around it."""
        return fft.rfft2(image, self.shape, workers=1).conj()

    def image(self, spectrum: np.ndarray) -> np.ndarray:
        """Return the image on the grid that has a spectrum."""
        return fft.irfft2(spectrum, self.shape, workers=1)

    def products(self, spectrum: np.ndarray, atoms: slice) -> np.ndarray:
        """Return the inner products of atoms at all places with the image of a `spectrum`.

        Parameters
        ----------
        spectrum : ndarray
            What :meth:`spectrum` returned.

        Returns
        -------
        ndarray of shape (n_atoms, n_rows, n_columns)
            Over the grid; places outside the maps are of no use.
        """
        spectra = self.spectra[atoms]
        total = spectra[:, 0] * spectrum[0]
        for channel in range(1, self.n_channels):
            total += spectra[:, channel] * spectrum[channel]
        # The transform of conj(s) is the inverse transform of s: the atoms' spectra stay as are.
        return fft.hfft2(total, self.shape, norm="forward", overwrite_x=True, workers=1)


class AtomSum:
    """Minus a sum of atoms: of sparse maps place by place, of dense ones by transforms."""

    def __init__(self, transforms: Transforms) -> None:
        self.transforms = transforms
        shape = transforms.n_channels, *transforms.domain
        self.image = np.zeros(shape, transforms.kernels.dtype)
        self.spectrum: np.ndarray | None = None

    def subtract(self, atoms: slice, maps: np.ndarray, active: np.ndarray) -> None:
        """Subtract atoms at the active units of their maps, of which `active` are the numbers."""
        transforms = self.transforms
        taps = prod(transforms.kernels.shape[1:])
        sparse = active * taps <= WINDOW_ENTRIES * prod(transforms.shape)
        subtract_maps(maps, *transforms.maps, sparse, transforms.kernels[atoms], self.image)
        for k in np.flatnonzero(~sparse):
            spectrum = fft.rfft2(maps[k], transforms.shape, workers=1)
            if self.spectrum is None:
                self.spectrum = np.zeros_like(transforms.spectra[0])
            for channel in range(transforms.n_channels):
                spectra = transforms.spectra[atoms.start + k, channel]
                self.spectrum[channel] -= spectrum * spectra

    @staticmethod
    def total(sums: list[AtomSum]) -> np.ndarray:
        """Return what several of them come to, on the domain."""
        image = sums[0].image
        for one in sums[1:]:
            image += one.image
        spectra = [one.spectrum for one in sums if one.spectrum is not None]
        if spectra:
            transforms = sums[0].transforms
            height, width = transforms.domain
            image += transforms.image(sum(spectra[1:], spectra[0]))[:, :height, :width]
        return image


class MapWork:
    """One sample's penalty over maps, and passes over groups of its maps.

    Attributes
    ----------
    parts : ndarray of shape (2, n_atoms)
        The penalty's weights of l1 and ridge.
    weights : ndarray of shape (1 or n_atoms, 1 or height, width)
        What multiplies them, for alpha multiplies both.
    """

    def __init__(self, transforms: Transforms, sample: Sample) -> None:
        problem = sample.problem
        self.transforms, self.sample = transforms, sample
        self.dtype = problem.X.dtype
        self.positive = problem.positive
        penalty: Any = problem.penalty
        weighted = penalty._replace(alpha=sample.alpha)
        parts = [dual_parts(weighted, k) for k in range(problem.n_atoms)]
        self.parts = np.array(parts, np.float64).T.copy()
        width = transforms.maps[1]
        weights = np.clip(problem.weights, LEAST, 1.0 / LEAST).astype(self.dtype)
        if weights.shape[1] == 1:
            weights = np.repeat(weights, width, axis=1)
        self.weights = weights.reshape(len(weights), -1, width)
        many = problem.n_atoms * prod(transforms.shape) >= ENTRIES_FOR_THREADS
        self.n_threads = sample.n_threads if many else 1

    def start(self) -> np.ndarray:
        """Return dense maps of the code to start from."""
        codes = np.zeros((len(self.transforms.kernels), *self.transforms.maps), self.dtype)
        codes.reshape(-1)[self.sample.units] = self.sample.values
        if self.sample.problem.positive:
            np.maximum(codes, 0, out=codes)
        return codes

    @property
    def goal(self) -> float:
        """The duality gap to reach; less than asked for, as it is computed anew in float64."""
        return SHARE * self.sample.problem.tol * self.sample.energy

    def map_groups(self, function: Callable[[list[slice]], Any]) -> list[Any]:
        """Return what `function` makes of each group of atoms."""
        return map_tiles(function, self.transforms.groups, self.n_threads)

    def parts_of(self, atoms: slice) -> tuple[np.ndarray, np.ndarray]:
        """Return the weights of l1 and ridge at the places of some atoms' maps."""
        weights = self.weights if len(self.weights) == 1 else self.weights[atoms]
        l1, ridge = self.parts[:, atoms, None, None]
        return l1 * weights, ridge * weights

    def minus_atoms(self, code_of: Callable[[slice], np.ndarray]) -> np.ndarray:
        """Return minus the signal, on the domain, of maps given chunk by chunk."""

        def add(chunks: list[slice]) -> AtomSum:
            total = AtomSum(self.transforms)
            for atoms in chunks:
                maps = code_of(atoms)
                total.subtract(atoms, maps, np.count_nonzero(maps, axis=(1, 2)))
            return total

        return AtomSum.total(self.map_groups(add))

    def gap(self, residual: np.ndarray, code_of: Callable[[slice], np.ndarray]) -> float:
        """Return the duality gap of a code; the dual point is its residual, scaled."""
        spectrum = self.transforms.spectrum(residual)
        height, width = self.transforms.maps

        def bounds(chunks: list[slice]) -> tuple[float, float, float]:
            largest, cost, energy = 0.0, 0.0, 0.0
            for atoms in chunks:
                code = code_of(atoms)
                l1, ridge = self.parts_of(atoms)
                slack = self.transforms.products(spectrum, atoms)[:, :height, :width]
                slack = (slack - ridge * code) / l1
                largest = max(largest, float((slack if self.positive else np.abs(slack)).max()))
                size = np.abs(code)
                extra = float(np.sum(ridge * size**2))
                cost += float(np.sum(l1 * size)) + 0.5 * extra
                energy += extra
            return largest, cost, energy

        found = np.array(self.map_groups(bounds))
        cost, energy = found[:, 1:].sum(axis=0)
        objective = 0.5 * square(residual) + cost
        return objective - self.dual_value(residual, float(energy), float(found[:, 0].max()))

    def dual_value(self, residual: np.ndarray, ridge_energy: float, largest: float) -> float:
        """Return the dual objective of a residual, scaled to be feasible.

        Parameters
        ----------
        residual : ndarray
            On the domain, or on a grid that holds it.
        ridge_energy : float
            What the ridge adds to its energy.
        largest : float
            Largest slack, in units of the l1 weight.
        """
        height, width = self.transforms.domain
        signal = self.sample.signal
        fit = float(np.sum(np.multiply(signal, residual[:, :height, :width], dtype=np.float64)))
        return dual_value(fit, square(residual) + ridge_energy, largest)

    def keep(self, code_of: Callable[[slice], np.ndarray], n_iter: int) -> None:
        """Hand over the active units."""
        units, values = [], []
        n_positions = prod(self.transforms.maps)
        for atoms in (chunk for group in self.transforms.groups for chunk in group):
            code = code_of(atoms).reshape(-1)
            active = np.flatnonzero(code)
            units.append(active + atoms.start * n_positions)
            values.append(code[active])
        self.sample.keep(np.concatenate(units), np.concatenate(values), n_iter)


class GapStop:
    """Says when a duality gap is small enough, at little cost.

    Each iteration offers an upper bound of the gap, from a dual point that it has at hand. Only
    once that is small enough is the certificate worth its price, about that of an iteration.

    Parameters
    ----------
    gap : callable
        Returns the gap whose dual point is the code's own residual.
    goal : float
        The largest gap to stop at.
    """

    def __init__(self, gap: Callable[[], float], goal: float) -> None:
        self.gap, self.goal, self.rest = gap, goal, 0

    def met(self, bound: float) -> bool:
        """Say whether to stop after an iteration that offers this bound."""
        self.rest -= 1
        if bound > self.goal or self.rest > 0:
            return False
        self.rest = PATIENCE
        return self.gap() <= self.goal


def check_convex(problem: ConvProblem, name: str) -> None:
    """Raise a TypeError that names the solver if the penalty is not convex."""
    if not problem.convex:
        raise TypeError(
            f"the penalty of {name} must be convex, L1 or ElasticNet; got "
            f"{type(problem.penalty).__name__}. Use greedy_cd."
        )


def keep_silent(sample: Sample) -> bool:
    """Hand over the code 0 if no atom sees the signal, and say whether so."""
    silent = sample.alpha == 0.0 or sample.energy == 0.0
    if silent:
        sample.keep(np.zeros(0, np.int32), np.zeros(0, sample.signal.dtype), 0)
    return silent


def square(image: np.ndarray) -> float:
    """Return the squared norm of an image, summed in float64."""
    return float(np.sum(np.square(image, dtype=np.float64)))
