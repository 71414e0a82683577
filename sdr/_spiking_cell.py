"""What all simulated cells have in common: constants, checks, and what a model must say."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any, ClassVar, NamedTuple

import numpy as np

from sparsecode._validation import check_positive

__all__ = ["Cell", "Pathway"]


class Pathway(NamedTuple):
    """What an input spike does to its cell, and how many ms after it arrives."""

    statement: str
    delay: float


@dataclass(frozen=True)
class Cell(ABC):
    """Constants that all cells share; conductances in nS, potentials in mV, times in ms."""

    rest: float = -70.0
    dendrite_capacitance: float = 20.0
    soma_capacitance: float = 200.0
    dendrite_leak: float = 1.0
    soma_leak: float = 10.0
    coupling: float = 4.0
    ampa: float = 0.3
    ampa_decay: float = 2.0
    plateau_level: float = -40.0
    lockout: float = 200.0

    #: Fields that may have any sign, and those that may be 0.
    signed: ClassVar[tuple[str, ...]] = ("rest", "plateau_level")
    may_be_zero: ClassVar[tuple[str, ...]] = ("ampa", "lockout")
    #: The condition and reset of spikes of the soma, where the cell has any.
    soma_threshold: ClassVar[str] = ""
    soma_reset: ClassVar[str] = ""
    #: What happens when a plateau starts, besides being counted.
    on_plateau: ClassVar[str] = ""
    #: The condition under which a plateau starts, outside the lockout.
    plateau_condition: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type not in ("float", float):
                continue
            if field.name in self.signed:
                _check_finite(field.name, value)
            elif not (field.name in self.may_be_zero and _is_zero(value)):
                check_positive(field.name, value)
        if self.plateau_level <= self.rest:
            raise ValueError(
                f"plateau_level must be above rest, {self.rest:g} mV; got {self.plateau_level:g}."
            )

    @property
    @abstractmethod
    def pathways(self) -> tuple[Pathway, ...]:
        """Return what each input spike does."""

    @property
    @abstractmethod
    def equations(self) -> str:
        """Return the differential equations, in Brian2's language."""

    @property
    def least_synapses(self) -> int:
        """Return the number of inputs below which no plateau can start, whatever their timing."""
        return 1

    def constants(self) -> dict[str, tuple[float, str]]:
        """Return each constant of the equations as a number and its unit."""
        return {
            "rest": (self.rest, "mV"),
            "c_d": (self.dendrite_capacitance, "pF"),
            "g_d": (self.dendrite_leak, "nS"),
            "g_c": (self.coupling, "nS"),
            "c_s": (self.soma_capacitance, "pF"),
            "g_s": (self.soma_leak, "nS"),
            "g_ampa": (self.ampa, "nS"),
            "tau_a": (self.ampa_decay, "ms"),
            "level": (self.plateau_level, "mV"),
            "lockout": (self.lockout, "ms"),
        }


def _is_zero(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and float(value) == 0.0


def _check_finite(name: str, value: Any) -> None:
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number; got {value!r}.")
    if not np.isfinite(float(value)):
        raise ValueError(f"{name} must be finite; got {value!r}.")
