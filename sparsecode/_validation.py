"""One voice for bad arguments: what must hold; what arrived; what to do."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

import numpy as np

__all__ = [
    "check_count",
    "check_data",
    "check_dictionary",
    "check_fraction",
    "check_numbers",
    "check_option",
    "check_positive",
    "check_rng",
    "level_outside",
    "warn_of_few_samples",
]


def check_numbers(array: Any, name: str, dtype: Any = None) -> np.ndarray:
    """Return `array` as C-contiguous float32 or float64 with finite entries."""
    if hasattr(array, "toarray"):
        raise TypeError(
            f"{name} must be a dense array; got {type(array).__name__}. Call .toarray() first."
        )
    try:
        array = np.asarray(array)
    except ValueError:  # rows of unequal length
        raise ValueError(f"{name} must be a rectangular array; got rows that differ.") from None
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold real numbers; got dtype {array.dtype}.")
    if dtype is None:
        dtype = array.dtype if array.dtype in (np.float32, np.float64) else np.float64
    array = np.ascontiguousarray(array, dtype=dtype)
    if not _all_finite(array):
        bad = np.argwhere(~np.isfinite(array))
        where = f", the first in row {bad[0, 0]}" if array.ndim > 1 else ""
        raise ValueError(
            f"{name} must be finite; got {len(bad)} NaN or infinite entries{where}. Remove or "
            f"impute them."
        )
    return array


def _all_finite(array: np.ndarray) -> bool:
    """Say whether all entries are finite, a stretch at a time: no mask as large as the array."""
    flat = array.reshape(-1)
    stretch = 2**20
    return all(
        np.isfinite(flat[first : first + stretch]).all() for first in range(0, flat.size, stretch)
    )


def check_data(
    X: Any, *, n_features: int | None = None, name: str = "X", dtype: Any = None
) -> np.ndarray:
    """Return `X` as a finite, C-contiguous float array of shape (n_samples, n_features).

    float32 and float64 are kept, other real types become float64. An empty batch is allowed.
    """
    X = check_numbers(X, name, dtype)
    if X.ndim != 2:
        hint = f" Use {name}[None, :] for one sample." if X.ndim == 1 else ""
        raise ValueError(f"{name} must have shape (n_samples, n_features); got {X.shape}.{hint}")
    if n_features is not None and X.shape[1] != n_features:
        raise ValueError(
            f"{name} must have shape (n_samples, {n_features}), the dictionary's n_features; "
            f"got {X.shape}."
        )
    return X


def check_dictionary(dictionary: Any, *, name: str = "dictionary", dtype: Any = None) -> np.ndarray:
    """Return atoms as rows, shape (n_atoms, n_features): finite, at least one, none of norm 0."""
    atoms = check_numbers(dictionary, name, dtype)
    if atoms.ndim != 2 or 0 in atoms.shape:
        raise ValueError(
            f"{name} must have shape (n_atoms, n_features) with at least one atom; got "
            f"{atoms.shape}."
        )
    squared_norms = np.einsum("jf,jf->j", atoms, atoms, dtype=np.float64)
    silent = np.flatnonzero(squared_norms == 0)
    if silent.size:
        raise ValueError(
            f"{name} must have no atom of norm 0; got {silent.size}, the first in row "
            f"{silent[0]}. Remove or replace them."
        )
    return atoms


def check_option(name: str, value: Any, options: Iterable[Any]) -> Any:
    """Return `value` if it is one of `options`."""
    options = list(options)
    if value not in options:
        known = ", ".join(repr(option) for option in options)
        raise ValueError(f"{name} must be one of {known}; got {value!r}.")
    return value


def check_positive(name: str, value: Any) -> float:
    """Return `value` as a float if it is finite and above 0."""
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number above 0; got {value!r}.")
    if not 0.0 < float(value) < np.inf:
        raise ValueError(f"{name} must be finite and above 0; got {value!r}.")
    return float(value)


def check_fraction(name: str, value: Any) -> float:
    """Return `value` as a float if it lies above 0 and at most at 1."""
    if check_positive(name, value) > 1.0:
        raise ValueError(f"{name} must lie above 0 and at most at 1; got {value!r}.")
    return float(value)


def check_probability(name: str, value: Any) -> float:
    """Return `value` as a float if it lies between 0 and 1, both included."""
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number between 0 and 1; got {value!r}.")
    if not 0.0 <= float(value) <= 1.0:
        raise ValueError(f"{name} must lie between 0 and 1; got {value!r}.")
    return float(value)


def check_count(name: str, value: Any, *, minimum: int = 1, maximum: int | None = None) -> int:
    """Return `value` as an int if it lies between `minimum` and `maximum`."""
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{name} must be an integer; got {value!r}.")
    if int(value) < minimum or (maximum is not None and int(value) > maximum):
        limits = f"at least {minimum}" + ("" if maximum is None else f" and at most {maximum}")
        raise ValueError(f"{name} must be {limits}; got {value}.")
    return int(value)


def check_rng(rng: Any) -> np.random.Generator:
    """Return a Generator from a Generator, a seed or None (fresh entropy)."""
    if isinstance(rng, np.random.RandomState):
        raise TypeError(
            "rng must be a numpy Generator, an integer seed or None; got a RandomState. "
            "Use numpy.random.default_rng(seed)."
        )
    return np.random.default_rng(rng)


def level_outside() -> int:
    """Return the stack level, for a warning of the caller's, of whoever called the package."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("sparsecode."):
        level, frame = level + 1, frame.f_back
    return level


def warn_of_few_samples(n_samples: int, n_atoms: int, *, stacklevel: int) -> None:
    """Say that there are fewer samples than atoms, where that is so."""
    if n_samples < n_atoms:
        warnings.warn(
            f"X has {n_samples} samples, fewer than the {n_atoms} atoms to be learned from them. "
            f"Use more samples or fewer atoms.",
            UserWarning,
            stacklevel=stacklevel + 1,
        )
