"""Signals and atoms as callers pass them: of one axis or two, checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from sparsecode._validation import check_numbers

__all__ = ["check_signals", "kernels_of", "written"]


def kernels_of(dictionary: Any) -> np.ndarray:
    """Return atoms of shape (n_atoms, n_channels, height, width), of height 1 for signals."""
    atoms = check_numbers(dictionary, "dictionary")
    if atoms.ndim not in (3, 4) or 0 in atoms.shape:
        raise ValueError(
            f"dictionary must have shape (n_atoms, n_channels, width) or (n_atoms, n_channels, "
            f"height, width), with at least one atom; got {atoms.shape}. Insert an axis of length "
            f"1 for a single channel."
        )
    flat = atoms.reshape(len(atoms), -1)
    silent = np.flatnonzero(np.einsum("ke,ke->k", flat, flat, dtype=np.float64) == 0.0)
    if silent.size:
        raise ValueError(
            f"dictionary must have no atom of norm 0; got {silent.size}, the first in row "
            f"{silent[0]}. Remove or replace them."
        )
    return atoms if atoms.ndim == 4 else atoms[:, :, None, :]


def check_signals(X: Any, dictionary: Any, atoms: np.ndarray) -> np.ndarray:
    """Return signals of shape (n_samples, n_channels, height, width) that suit the atoms."""
    X = check_numbers(X, "X")
    wanted = "(n_samples, n_channels, width)"
    if np.ndim(dictionary) == 4:
        wanted = "(n_samples, n_channels, height, width)"
    if X.ndim != np.ndim(dictionary):
        raise ValueError(
            f"X must have shape {wanted}, as the dictionary has "
            f"{np.ndim(dictionary)} axes; got {X.shape}. Use X[None] for one sample and "
            f"X[:, None] for a single channel."
        )
    n_axes = X.ndim - 2
    X = X if X.ndim == 4 else X[:, :, None, :]
    if X.shape[1] != atoms.shape[1]:
        raise ValueError(
            f"X must have {atoms.shape[1]} channels, as the dictionary has; got {X.shape[1]}."
        )
    if X.shape[2] < atoms.shape[2] or X.shape[3] < atoms.shape[3]:
        raise ValueError(
            f"X must be at least as large as an atom, {written(atoms.shape[-n_axes:])}; got "
            f"{written(X.shape[-n_axes:])}. Use smaller atoms, or pad X."
        )
    return X


def written(shape: tuple[int, ...]) -> str:
    """Return a shape as it is said: 12 x 12."""
    return " x ".join(map(str, shape))
