"""Levels of macs as data: what they are made of, what that amounts to, and their checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from memory._tiling import TILINGS
from sparsecode._validation import check_count, check_fraction, check_option

__all__ = ["KINDS", "Description", "Level", "LevelDescription", "check_levels"]

#: Kinds of wires, in the order of the tables.
KINDS = "UHD"


class Level(NamedTuple):
    """One level of a hierarchy: a sheet of macs that are all alike.

    Parameters
    ----------
    n_modules : int
        Competitive modules of a mac, each with one winner (Q).
    n_units : int
        Units of a module (K).
    shape : tuple of int, default=(1, 1)
        Rows and columns of macs, spread evenly over the input.
    tiling : {"square", "hexagonal"}, default="square"
        Shape of the receptive fields. A mac has up to eight neighbours in a square tiling, and up
        to six in a hexagonal one, where every second row is shifted by half a column.
    overlap : float, default=0.0
        By how much receptive fields reach beyond their borders: pixels at level 1, above in
        distances between the macs of the level below.
    activation_bounds : tuple of int, default=(1, None)
        Least and most active features (pi-minus and pi-plus) with which a mac is active: pixels at
        level 1, above macs of the level below. None for no upper bound.
    persistence : int, optional
        Steps for which a code is held; by default 1 at level 1, and twice as many at each next.
    wires : str, default="UHD"
        Kinds of wires that reach the level: U from below, which there must be, H from its own and
        the neighbouring macs a step ago, D from the level above a step ago.
    saturation : float or None, default=0.5
        Share of its U (and H, and D) weights raised beyond which these freeze at a unit. None is
        never.

    Examples
    --------
    >>> from memory import Level
    >>> Level(9, 16)._replace(wires="UH").n_units
    16
    """

    n_modules: int
    n_units: int
    shape: tuple[int, int] = (1, 1)
    tiling: str = "square"
    overlap: float = 0.0
    activation_bounds: tuple[int, int | None] = (1, None)
    persistence: int | None = None
    wires: str = KINDS
    saturation: float | None = 0.5


@dataclass(frozen=True)
class LevelDescription:
    """What one level of a hierarchy consists of.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns of macs.
    tiling : str
        Their tiling.
    n_macs, n_modules, n_units : int
        Macs, modules of a mac, and units of a module.
    receptive_field : tuple of int
        Fewest and most pixels, or macs of the level below, that a mac sees.
    activation_bounds : tuple of int or None
        Features with which a mac is active.
    persistence : int
        Steps for which a code is held.
    n_weights_up, n_weights_horizontal, n_weights_down : int
        Weights of the U, H and D wires that reach the level.
    nbytes : int
        Bytes of these weights.
    """

    shape: tuple[int, int]
    tiling: str
    n_macs: int
    n_modules: int
    n_units: int
    receptive_field: tuple[int, int]
    activation_bounds: tuple[int, int | None]
    persistence: int
    n_weights_up: int
    n_weights_horizontal: int
    n_weights_down: int
    nbytes: int

    @property
    def n_weights(self) -> int:
        """Number of weights that reach the level."""
        return self.n_weights_up + self.n_weights_horizontal + self.n_weights_down


@dataclass(frozen=True)
class Description:
    """What a hierarchy consists of, as data and, printed, to be read.

    Attributes
    ----------
    input_shape : tuple of int
        Shape of the input.
    levels : tuple of LevelDescription
        The levels, the lowest first.
    """

    input_shape: tuple[int, ...]
    levels: tuple[LevelDescription, ...]

    @property
    def n_macs(self) -> int:
        """Number of macs in all."""
        return sum(level.n_macs for level in self.levels)

    @property
    def n_units(self) -> int:
        """Number of units in all."""
        return sum(level.n_macs * level.n_modules * level.n_units for level in self.levels)

    @property
    def n_weights(self) -> int:
        """Number of weights in all."""
        return sum(level.n_weights for level in self.levels)

    @property
    def nbytes(self) -> int:
        """Bytes of all weights."""
        return sum(level.nbytes for level in self.levels)

    def as_dict(self) -> dict[str, Any]:
        """Return all that is described, in plain values."""
        totals = {name: getattr(self, name) for name in ("n_macs", "n_units", "n_weights")}
        return {**asdict(self), **totals, "nbytes": self.nbytes}

    def __str__(self) -> str:
        lines = [f"input of {' x '.join(map(str, self.input_shape))} pixels"]
        for number, level in enumerate(self.levels, 1):
            lines += _lines(number, level)
        lines.append(
            f"in all: {self.n_macs:,} macs, {self.n_units:,} units, {self.n_weights:,} weights, "
            f"{self.nbytes:,} bytes"
        )
        return "\n".join(lines)


def _lines(number: int, level: LevelDescription) -> list[str]:
    """Describe one level."""
    few, many = level.receptive_field
    least, most = level.activation_bounds
    sees = f"{few:,}" if few == many else f"{few:,} to {many:,}"
    features = ("pixel" if number == 1 else "mac") + "s" * (many > 1)
    rows, columns = level.shape
    return [
        f"level {number}: {level.n_macs:,} macs ({level.tiling}, {rows} x {columns}) of "
        f"{level.n_modules} modules x {level.n_units} units",
        f"  each sees {sees} {features}, is active with {least} "
        f"{'or more' if most is None else f'to {most}'}, holds a code for {level.persistence}",
        f"  weights: U {level.n_weights_up:,}, H {level.n_weights_horizontal:,}, "
        f"D {level.n_weights_down:,}, together {level.n_weights:,} in {level.nbytes:,} bytes",
    ]


# ------------------------------------------------------------------ checks


def check_levels(levels: Any) -> tuple[Level, ...]:
    """Return levels from such, mappings or sequences of their fields, all of them sensible."""
    if not isinstance(levels, Sequence) or isinstance(levels, str | Level):
        raise TypeError(f"levels must be a list of Level; got {type(levels).__name__}.")
    if not levels:
        raise ValueError("levels must hold at least one Level; got none.")
    return tuple(_check_level(level, f"levels[{i}]", i) for i, level in enumerate(levels))


def _check_level(level: Any, name: str, depth: int) -> Level:
    try:
        made = Level(**level) if isinstance(level, Mapping) else Level(*level)
    except TypeError:
        raise TypeError(f"{name} must be a Level; got {level!r}.") from None
    persistence = 2**depth if made.persistence is None else made.persistence
    return Level(
        check_count(f"{name}.n_modules", made.n_modules),
        check_count(f"{name}.n_units", made.n_units),
        _check_shape(f"{name}.shape", made.shape),
        check_option(f"{name}.tiling", made.tiling, TILINGS),
        _check_overlap(f"{name}.overlap", made.overlap),
        _check_range(f"{name}.activation_bounds", made.activation_bounds),
        check_count(f"{name}.persistence", persistence),
        _check_wires(f"{name}.wires", made.wires),
        None if made.saturation is None else check_fraction(f"{name}.saturation", made.saturation),
    )


def _check_shape(name: str, shape: Any) -> tuple[int, int]:
    if not isinstance(shape, Sequence) or isinstance(shape, str) or len(shape) != 2:
        raise ValueError(f"{name} must be the numbers of rows and columns; got {shape!r}.")
    return check_count(name, shape[0]), check_count(name, shape[1])


def _check_overlap(name: str, value: Any) -> float:
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number of at least 0; got {value!r}.")
    if not 0.0 <= float(value) < np.inf:
        raise ValueError(f"{name} must be finite and at least 0; got {value!r}.")
    return float(value)


def _check_range(name: str, bounds: Any) -> tuple[int, int | None]:
    if not isinstance(bounds, Sequence) or isinstance(bounds, str) or len(bounds) != 2:
        raise ValueError(f"{name} must be the least and the most features; got {bounds!r}.")
    least, most = check_count(name, bounds[0]), bounds[1]
    return least, None if most is None else check_count(name, most, minimum=least)


def _check_wires(name: str, wires: Any) -> str:
    if not isinstance(wires, str) or "U" not in wires or not set(wires) <= set(KINDS):
        raise ValueError(f"{name} must hold U, and may hold H and D; got {wires!r}.")
    return "".join(kind for kind in KINDS if kind in wires)
