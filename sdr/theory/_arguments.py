"""What the formulas take: counts and probabilities that broadcast, checked with one sentence."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

__all__ = ["broadcast", "check_limits", "check_most", "check_probability", "exactly", "finished"]

#: Largest count; products of two of them must fit into 64 bits.
LARGEST = 2**31 - 1


def check_counts(name: str, value: Any) -> np.ndarray:
    """Return `value` as an int64 array of counts, at least one, none negative."""
    try:
        array = np.asarray(value)
    except ValueError:  # rows of unequal length
        raise ValueError(f"{name} must be a rectangular array; got rows that differ.") from None
    if array.size == 0:
        raise ValueError(f"{name} must hold at least one integer; got an empty array.")
    integers = array.dtype == object and all(_is_integer(one) for one in array.flat)
    if array.dtype.kind not in "iu" and not integers:
        shown = repr(value) if array.ndim == 0 else f"dtype {array.dtype}"
        raise TypeError(f"{name} must be an integer or an array of integers; got {shown}.")
    if array.min() < 0 or array.max() > LARGEST:
        bad = array.min() if array.min() < 0 else array.max()
        raise ValueError(f"{name} must be between 0 and {LARGEST}; got {bad}.")
    return array.astype(np.int64)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def check_probability(name: str, value: Any) -> np.ndarray:
    """Return `value` as an array of probabilities: float64, or object if it holds Fractions."""
    array = np.asarray(value)
    if array.size == 0:
        raise ValueError(f"{name} must hold at least one probability; got an empty array.")
    fractions = array.dtype == object and all(
        isinstance(one, Fraction | int | float) and not isinstance(one, bool) for one in array.flat
    )
    if array.dtype.kind not in "fiu" and not fractions:
        raise TypeError(f"{name} must be a number between 0 and 1; got {value!r}.")
    inside = np.array([0 <= one <= 1 for one in array.flat])  # false for NaN
    if not inside.all():
        raise ValueError(
            f"{name} must be between 0 and 1; got {array.flat[int(np.argmin(inside))]}."
        )
    return array if fractions else array.astype(np.float64)


def check_most(name: str, value: np.ndarray, limit_name: str, limit: np.ndarray) -> None:
    """Raise where a count exceeds its limit."""
    value, limit = np.broadcast_arrays(value, limit)
    if (value > limit).any():
        first = np.unravel_index(int(np.argmax(value > limit)), value.shape)
        raise ValueError(
            f"{name} must be at most {limit_name}; got {name} = {value[first]} and "
            f"{limit_name} = {limit[first]}."
        )


def check_limits(counts: dict[str, np.ndarray]) -> None:
    """Raise where active units, synapses or moved units are too many, or theta exceeds s."""
    for name, limit in (
        ("a", "n"), ("s", "n"), ("b", "s"), ("theta", "s"), ("n_moved", "a"),
    ):  # fmt: skip
        if name in counts and limit in counts:
            check_most(name, counts[name], limit, counts[limit])


def broadcast(**values: Any) -> dict[str, np.ndarray]:
    """Return checked counts, broadcast against each other.

    ``failure`` alone is a probability. The shapes must agree; all the rest is said one by one.
    """
    arrays = {
        name: (check_probability if name == "failure" else check_counts)(name, value)
        for name, value in values.items()
    }
    try:
        shape = np.broadcast_shapes(*(array.shape for array in arrays.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items() if array.ndim)
        raise ValueError(
            f"The arguments' shapes must broadcast against each other; got {shapes}."
        ) from None
    check_limits(arrays)
    return {name: np.broadcast_to(array, shape) for name, array in arrays.items()}


def finished(log_probability: np.ndarray, log: bool) -> Any:
    """Return probabilities, or their logarithms, as an array, or as a float where there is one."""
    result = log_probability if log else np.exp(log_probability)
    return float(result) if np.ndim(result) == 0 else result


def exactly(formula: Callable[..., Any], arrays: dict[str, np.ndarray], log: bool = False) -> Any:
    """Return an exact formula of Python integers, element by element."""
    if log:
        raise ValueError(
            "exact and log must not both be True: the logarithm of a fraction is not one."
        )
    shape = next(iter(arrays.values())).shape
    rows = zip(*(array.ravel().tolist() for array in arrays.values()))
    results = [formula(*row) for row in rows]
    if not shape:
        return results[0]
    whole = np.empty(len(results), dtype=object)
    whole[:] = results
    return whole.reshape(shape)
