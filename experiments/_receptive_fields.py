"""What a receptive field looks like in numbers: how local, how oriented, at which frequency."""

from __future__ import annotations

import numpy as np

__all__ = ["describe", "fraction_localised_and_oriented"]


def describe(atoms: np.ndarray) -> dict[str, np.ndarray]:
    """Return three statistics of each square atom.

    Parameters
    ----------
    atoms : ndarray of shape (n_atoms, side**2)

    Returns
    -------
    dict of str to ndarray of shape (n_atoms,)
        ``spread``: effective number of pixels that hold the energy, as a fraction of all;
        ``orientation``: length of the resultant of doubled orientations in the power spectrum,
        0 (none) to 1 (one orientation); ``frequency``: of the spectrum's peak, in cycles per
        pixel.
    """
    side = round(atoms.shape[1] ** 0.5)
    energy = np.square(atoms, dtype=np.float64)
    energy /= energy.sum(axis=1, keepdims=True)
    spread = 1.0 / np.square(energy).sum(axis=1) / atoms.shape[1]
    padded = 4 * side
    spectra = np.fft.fft2(atoms.reshape(-1, side, side), s=(padded, padded))
    power = np.square(np.abs(spectra)).reshape(len(atoms), -1)
    grid = np.fft.fftfreq(padded)
    vertical, horizontal = (axis.ravel() for axis in np.meshgrid(grid, grid, indexing="ij"))
    doubled = np.exp(2j * np.arctan2(vertical, horizontal))
    return {
        "spread": spread,
        "orientation": np.abs(power @ doubled) / power.sum(axis=1),
        "frequency": np.hypot(vertical, horizontal)[power.argmax(axis=1)],
    }


def fraction_localised_and_oriented(atoms: np.ndarray, rng: np.random.Generator) -> float:
    """Return the fraction of atoms that white noise of the same size does not explain.

    An atom counts if its energy is spread less, and its spectrum oriented more, than in 99 % of
    1,000 atoms of white noise each, and its spectrum peaks off 0.
    """
    noise = describe(rng.standard_normal((1000, atoms.shape[1])))
    shape = describe(atoms)
    local = shape["spread"] < np.quantile(noise["spread"], 0.01)
    oriented = shape["orientation"] > np.quantile(noise["orientation"], 0.99)
    return float(np.mean(local & oriented & (shape["frequency"] > 0.0)))
