"""What a spatial pooler begins with: who may connect to what, and who competes with whom."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

from sparsecode._validation import check_count, check_fraction, check_positive, check_rng

__all__ = [
    "Rivals",
    "Synapses",
    "as_generator",
    "check_parameters",
    "check_shape",
    "draw_synapses",
    "find_rivals",
    "scratch",
]


class Synapses(NamedTuple):
    """Permanences of all columns.

    Attributes
    ----------
    starts : ndarray of int64, shape (n_columns,)
        First input of each column's stretch of inputs.
    rows : ndarray of int64, shape (n_columns + 1,)
        ``permanences[rows[c]:rows[c + 1]]`` belong to column ``c``.
    permanences : ndarray of float32
        Between 0 and 1; -1 for an input outside the potential pool.
    """

    starts: np.ndarray
    rows: np.ndarray
    permanences: np.ndarray

    def columns(self) -> Iterator[tuple[int, np.ndarray]]:
        """Go through the columns: first input, permanences from there on."""
        for column, start in enumerate(self.starts):
            yield int(start), self.permanences[self.rows[column] : self.rows[column + 1]]

    def check(self, n_inputs: int) -> None:
        """Refuse arrays that cannot be those of columns over so many inputs."""
        wanted = ("starts", np.int64), ("rows", np.int64), ("permanences", np.float32)
        for name, dtype in wanted:
            array = getattr(self, name)
            if array.ndim != 1 or array.dtype != dtype:
                raise ValueError(f"{name} must be {dtype.__name__} of one dimension")
        sizes = np.diff(self.rows)
        whole = self.rows.size == self.starts.size + 1 > 1 and self.rows[0] == 0
        if not whole or (sizes < 0).any() or self.rows[-1] != self.permanences.size:
            raise ValueError("rows must divide the permanences among the columns")
        if (self.starts < 0).any() or (sizes > n_inputs - self.starts).any():
            raise ValueError(f"pools must lie within {n_inputs} inputs")
        inside = (self.permanences >= 0) & (self.permanences <= 1)
        if not (inside | (self.permanences == -1)).all():
            raise ValueError("permanences must lie between 0 and 1")

    def connect(self, bar: float, n_inputs: int) -> np.ndarray:
        """Return which columns each input is connected to, as bits, and a last row of zeros."""
        n_words = -(-self.starts.size // 64)
        connected = np.zeros((n_inputs + 1, 64 * n_words), bool)
        for column, (start, row) in enumerate(self.columns()):
            connected[start : start + row.size, column] = row >= np.float32(bar)
        return np.packbits(connected, axis=1, bitorder="little").view("<i8").astype(np.int64)


def scratch(n_inputs: int, n_columns: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return planes, overlaps and scores for the kernels to write into."""
    planes = np.empty((max(3, n_inputs.bit_length()) + 1, -(-n_columns // 64)), np.int64)
    return planes, np.empty(n_columns, np.int32), np.empty(n_columns)


class Rivals(NamedTuple):
    """Who competes with whom.

    Attributes
    ----------
    first, neighbours : ndarray of int64
        ``neighbours[first[c]:first[c + 1]]`` are the others around column ``c``. If all columns
        compete there are no neighbours, and `first` is (0, n_columns).
    n_winners : ndarray of int64
        Columns that may win in each neighbourhood, or the one number of all.
    """

    first: np.ndarray
    neighbours: np.ndarray
    n_winners: np.ndarray


def find_rivals(columns: tuple[int, ...], radius: int | None, density: float) -> Rivals:
    """Return who competes with whom on a sheet of columns."""
    if radius is None:
        first, neighbours = np.array([0, prod(columns)]), np.empty(0, np.int64)
        sizes = np.array([prod(columns)])
    else:
        around = [field[field != c] for c, field in enumerate(_fields(columns, columns, radius))]
        first = np.cumsum([0, *(one.size for one in around)], dtype=np.int64)
        neighbours = np.concatenate(around).astype(np.int64)
        sizes = 1 + np.diff(first)
        if neighbours.size == 0:
            raise ValueError(
                f"inhibition_radius must reach another column; got {radius} for {columns}. Pass "
                f"None to let all columns compete."
            )
    return Rivals(first, neighbours, np.maximum(1, (density * sizes + 0.5).astype(np.int64)))


def draw_synapses(
    columns: tuple[int, ...],
    inputs: tuple[int, ...],
    *,
    radius: int | None,
    fraction: float,
    connected: float,
    initial_connected: float,
    rng: np.random.Generator,
) -> Synapses:
    """Draw potential pools and permanences, column after column."""
    if radius is not None and len(inputs) != len(columns):
        raise ValueError(
            f"input_shape must have as many axes as unit_shape, {len(columns)}, for a "
            f"potential_radius; got {inputs}. Pass input_shape, or no radius."
        )
    starts, pieces = [], []
    for field in _fields(columns, inputs, radius):
        size = max(1, int(fraction * field.size + 0.5))
        chosen = field[np.argpartition(rng.random(field.size), size - 1)[:size]]
        drawn, begins = rng.random(size), rng.random(size) < initial_connected
        row = np.full(field[-1] - field[0] + 1, -1.0, np.float32)
        row[chosen - field[0]] = np.where(
            begins, connected + (1.0 - connected) * drawn, connected * drawn
        )
        starts.append(field[0])
        pieces.append(row)
    rows = np.cumsum([0, *(row.size for row in pieces)], dtype=np.int64)
    return Synapses(np.array(starts, np.int64), rows, np.concatenate(pieces))


def check_parameters(pooler: Any) -> None:
    """Refuse parameters of a pooler that make no sense."""
    check_count("n_epochs", pooler.n_epochs)
    for name in ("density", "potential_fraction", "connected"):
        check_fraction(name, getattr(pooler, name))
    check_count("stimulus_threshold", pooler.stimulus_threshold, minimum=0)
    for name in ("inhibition_radius", "potential_radius"):
        if getattr(pooler, name) is not None:
            check_count(name, getattr(pooler, name), minimum=0)
    for name in ("increment", "decrement", "initial_connected", "boost_strength"):
        value = getattr(pooler, name)
        if isinstance(value, bool) or value != 0:
            (check_positive if name == "boost_strength" else check_fraction)(name, value)
    if check_positive("duty_period", pooler.duty_period) < 1.0:
        raise ValueError(f"duty_period must be at least 1 step; got {pooler.duty_period!r}.")
    if pooler.n_threads is not None:
        check_count("n_threads", pooler.n_threads)


def check_shape(name: str, shape: Any) -> tuple[int, ...]:
    """Return a shape as a tuple of positive integers."""
    sizes = (shape,) if isinstance(shape, Integral) else tuple(shape)
    if not sizes:
        raise ValueError(f"{name} must have at least one axis; got ().")
    return tuple(check_count(name, size) for size in sizes)


def as_generator(random_state: Any) -> np.random.Generator:
    """Return a Generator from what scikit-learn takes."""
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**31, size=4))
    if not isinstance(random_state, Integral | np.random.Generator | None):
        raise TypeError(
            f"random_state must be an integer, a RandomState, a Generator or None; got "
            f"{random_state!r}."
        )
    return check_rng(random_state)


def _fields(
    columns: tuple[int, ...], inputs: tuple[int, ...], radius: int | None
) -> Iterator[np.ndarray]:
    """Give the inputs, ascending, around the place below each column."""
    spans: list[list[np.ndarray]] = []
    for n_columns, n_inputs in zip(columns, inputs):
        reach = n_inputs if radius is None else radius
        centres = (2 * np.arange(n_columns) + 1) * n_inputs // (2 * n_columns)
        spans.append([np.arange(max(c - reach, 0), min(c + reach + 1, n_inputs)) for c in centres])
    everything = np.arange(prod(inputs))
    for place in np.ndindex(*columns):
        if radius is None:
            yield everything
        else:
            around = np.ix_(*(span[i] for span, i in zip(spans, place)))
            yield np.ravel_multi_index(around, inputs).ravel()
