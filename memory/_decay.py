"""Laws by which weights of Sparsey fade with the time since they were last raised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from sparsecode._validation import check_count, check_option, check_positive

__all__ = ["SmoothDecay", "TableDecay", "as_decay"]

#: The weight of a synapse that was just raised.
LARGEST = 127


@dataclass(frozen=True, kw_only=True)
class TableDecay:
    """Weights fall in steps, later for stiffer synapses; the stiffest are permanent.

    A synapse that is raised again while its weight is still the largest becomes stiffer by one.

    Parameters
    ----------
    ages : sequence of sequences of int, default=((2000, 3000, 4000), (4000, 6000, 8000))
        For each stiffness but the last, up to which age, in items presented, each level lasts.
    levels : sequence of int, default=(127, 120, 50)
        Weights, the same for every stiffness; the first is 127. Beyond the last age it is 0.
    """

    name: ClassVar[str] = "table"
    stiffens: ClassVar[bool] = True
    ages: tuple[tuple[int, ...], ...] = ((2000, 3000, 4000), (4000, 6000, 8000))
    levels: tuple[int, ...] = (127, 120, 50)

    def __post_init__(self) -> None:
        levels = tuple(check_count("levels", one, maximum=LARGEST) for one in self.levels)
        ages = tuple(tuple(check_count("ages", one, minimum=0) for one in row) for row in self.ages)
        if not levels or levels[0] != LARGEST or any(a < b for a, b in pairwise(levels)):
            raise ValueError(f"levels must fall from {LARGEST}; got {levels}.")
        if not ages or any(len(row) != len(levels) for row in ages):
            raise ValueError(
                f"ages must have a row for each stiffness, with an age for each of the "
                f"{len(levels)} levels; got {ages}."
            )
        if any(a > b for row in ages for a, b in pairwise(row)):
            raise ValueError(f"ages must rise in every row; got {ages}.")
        object.__setattr__(self, "levels", levels)
        object.__setattr__(self, "ages", ages)

    def table(self) -> np.ndarray:
        """Return the weight for each stiffness and age, the last column for all later ages."""
        found = np.zeros((len(self.ages), max(row[-1] for row in self.ages) + 2), np.uint8)
        for stiffness, row in enumerate(self.ages):
            for age, level in zip(row[::-1], self.levels[::-1], strict=True):
                found[stiffness, : age + 1] = level
        return found


@dataclass(frozen=True, kw_only=True)
class SmoothDecay:
    r"""Weights fall as :math:`(1 + c/T) / (1 + c/(T - t))` with age t, to 0 at t = T.

    Parameters
    ----------
    lifetime : int, default=4000
        :math:`T`, in items presented.
    curvature : float, default=100.0
        :math:`c`; the larger, the sooner the weight falls. Weights are rounded to whole numbers.
    """

    name: ClassVar[str] = "smooth"
    stiffens: ClassVar[bool] = False
    lifetime: int = 4000
    curvature: float = 100.0

    def __post_init__(self) -> None:
        check_count("lifetime", self.lifetime)
        check_positive("curvature", self.curvature)

    def table(self) -> np.ndarray:
        """Return the weight for each age, the last column for all later ages."""
        T, c = self.lifetime, self.curvature
        share = (1.0 + c / T) / (1.0 + c / (T - np.arange(T)))
        return np.append(np.rint(LARGEST * share), 0).astype(np.uint8)[None, :]


_LAWS: dict[str, Any] = {one.name: one for one in (TableDecay, SmoothDecay)}


def as_decay(decay: Any) -> TableDecay | SmoothDecay | None:
    """Return a law of decay from its name, a mapping of name and constants, itself, or None.

    Raises
    ------
    ValueError, TypeError
        If there is none of this name, or its constants do not fit.
    """
    if decay is None or isinstance(decay, TableDecay | SmoothDecay):
        return decay
    if isinstance(decay, Mapping):
        constants = dict(decay)
        return _LAWS[check_option("decay", constants.pop("name", None), _LAWS)](**constants)
    return _LAWS[check_option("decay", decay, _LAWS)]()


def plain(law: TableDecay | SmoothDecay | None) -> dict[str, Any] | None:
    """Return name and constants as JSON holds them."""
    return None if law is None else {"name": law.name, **asdict(law)}
