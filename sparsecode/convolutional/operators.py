"""From codes to signals, and from signals to the products with every atom at every place."""

from __future__ import annotations

from typing import Any

import numpy as np

from sparsecode.convolutional._arguments import check_signals, kernels_of, written
from sparsecode.convolutional._geometry import Geometry, correlate_strip, strips
from sparsecode.convolutional._window_kernels import subtract_atoms
from sparsecode.core._checks import check_code
from sparsecode.core.code import SparseCode

__all__ = ["correlate", "reconstruct"]


def correlate(X: Any, dictionary: Any, *, boundary: str = "circular") -> np.ndarray:
    r"""Return the inner product of every atom, at every place, with each signal.

    :math:`c_k(p) = \sum_{c,q} d_{k,c}(q)\, x_c(p + q)`, the adjoint of :func:`reconstruct`.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_channels, width) or (n_samples, n_channels, height, width)
        Signals or images.
    dictionary : array-like of shape (n_atoms, n_channels, \*kernel_shape)
        Atoms.
    boundary : {"circular", "zero", "valid"}, default="circular"
        "circular": signals go on at their other end, and maps have their shape. "zero": they are
        surrounded by zeros; maps are larger by the kernel's size less 1. "valid": atoms lie within
        the signal; maps are smaller by as much.

    Returns
    -------
    ndarray of shape (n_samples, n_atoms, \*map_shape)
        Dense, in the dtype of the signals.

    Raises
    ------
    TypeError, ValueError
        If shapes or channels do not suit each other, an atom is larger than the signals or 0, an
        entry is not finite, or the boundary is unknown.
    """
    atoms = kernels_of(dictionary)
    signals = check_signals(X, dictionary, atoms)
    geometry = Geometry(signals.shape[2:], atoms.shape[2:], boundary)
    flat = np.ascontiguousarray(atoms.reshape(len(atoms), -1), dtype=signals.dtype)
    found = np.empty((len(signals), len(atoms), geometry.n_positions), signals.dtype)
    for i, signal in enumerate(geometry.embed(signals)):
        for rows in strips(geometry, atoms.shape[1], len(atoms)):
            places = slice(rows.start * geometry.maps[1], rows.stop * geometry.maps[1])
            found[i, :, places] = correlate_strip(geometry, signal, flat, rows)
    return found.reshape(len(signals), len(atoms), *geometry.maps[4 - np.ndim(dictionary) :])


def reconstruct(code: SparseCode, dictionary: Any, *, boundary: str = "circular") -> np.ndarray:
    r"""Return the signals that codes stand for, :math:`\sum_k d_k * z_k`.

    Parameters
    ----------
    code : SparseCode of shape (n_samples, n_atoms, \*map_shape)
        Codes.
    dictionary : array-like of shape (n_atoms, n_channels, \*kernel_shape)
        Atoms.
    boundary : {"circular", "zero", "valid"}, default="circular"
        As in :func:`correlate`; with "zero", what lies outside the signal is cut off.

    Returns
    -------
    ndarray of shape (n_samples, n_channels, \*shape)
        In the dtype of the codes (float64 if they are binary).

    Raises
    ------
    TypeError, ValueError
        If the code's units are not maps of these atoms, the maps are smaller than an atom, or the
        dictionary is bad.
    """
    atoms = kernels_of(dictionary)
    n_axes = np.ndim(dictionary) - 2
    check_code("code", code)
    if len(code.unit_shape) != n_axes + 1 or code.unit_shape[0] != len(atoms):
        raise ValueError(
            f"code must have units of shape (n_atoms, *map_shape) with {len(atoms)} atoms and "
            f"{n_axes} axes; got {code.unit_shape}."
        )
    maps = (1,) * (2 - n_axes) + code.unit_shape[1:]
    offset = {"circular": 0, "zero": -1, "valid": 1}.get(boundary, 0)
    shape = tuple(m + offset * (n - 1) for m, n in zip(maps, atoms.shape[2:]))
    geometry = Geometry(shape, atoms.shape[2:], boundary)
    if any(m < n for m, n in zip(shape, atoms.shape[2:])):
        raise ValueError(
            f"code must have maps of signals at least as large as an atom, "
            f"{written(atoms.shape[-n_axes:])}; got maps of {written(maps[-n_axes:])}."
        )
    values = np.ones(code.indices.size) if code.values is None else code.values
    kernels = np.ascontiguousarray(atoms, dtype=values.dtype)
    signals = np.empty((code.n_samples, atoms.shape[1], *shape), values.dtype)
    for i in range(code.n_samples):
        active = slice(code.indptr[i], code.indptr[i + 1])
        domain = np.zeros((atoms.shape[1], *geometry.domain), values.dtype)
        subtract_atoms(code.indices[active], -values[active], *maps, kernels, domain)
        signals[i] = geometry.crop(domain)
    return signals.reshape(code.n_samples, atoms.shape[1], *shape[2 - n_axes :])
