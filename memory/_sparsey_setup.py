"""What :class:`memory.Sparsey` makes of its parameters, and the wires that it learns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

from memory import _sparsey_batch_kernels as batch
from memory._decay import LARGEST, SmoothDecay, TableDecay, as_decay
from memory._sigmoids import Sigmoid, as_sigmoid
from memory._sparsey_kernels import NEVER
from sparsecode._validation import (
    check_count,
    check_fraction,
    check_option,
    check_positive,
    check_probability,
    check_rng,
)

__all__ = ["Choices", "Plan", "Wires", "as_seed", "make_plan"]

SOURCES = ("U", "H", "D")


class Plan(NamedTuple):
    """Checked parameters as the kernels take them."""

    n_modules: int
    n_units: int
    sigmoid: Sigmoid
    decay: TableDecay | SmoothDecay | None
    settings: np.ndarray
    table: np.ndarray
    largest: int

    @property
    def n_code_units(self) -> int:
        """Number of all units of the mac."""
        return self.n_modules * self.n_units


def make_plan(memory: Any) -> Plan:
    """Check the parameters of a Sparsey, and return what the kernels need."""
    decay = as_decay(memory.decay)
    check_option("weights", memory.weights, ("binary", "8-bit"))
    check_option("normalisation", memory.normalisation, ("active", "bound"))
    check_option("output", memory.output, ("dense", "sparse"))
    check_fraction("feedback_threshold", memory.feedback_threshold)
    if decay is not None and memory.weights != "8-bit":
        raise ValueError(
            f"weights must be '8-bit' for weights that decay; got {memory.weights!r}. "
            "Set decay=None or weights='8-bit'."
        )
    largest = LARGEST if memory.weights == "8-bit" else 1
    fewest, most = _bounds(memory.activation_bounds)
    settings = np.zeros(batch.N_SETTINGS)
    settings[:3] = _triple("exponents", memory.exponents, check_positive)
    settings[batch.FIRST_EXPONENT] = check_positive("first_exponent", memory.first_exponent)
    settings[batch.FEWEST], settings[batch.MOST] = fewest, most
    settings[batch.BY_BOUND] = memory.normalisation == "bound"
    settings[batch.LARGEST] = largest
    settings[batch.HYPOTHESIS] = check_probability(
        "hypothesis_threshold", memory.hypothesis_threshold
    )
    if memory.correction_exponent != 0:
        settings[batch.CORRECTION] = check_positive(
            "correction_exponent", memory.correction_exponent
        )
    settings[batch.MANY] = check_count("max_hypotheses", memory.max_hypotheses)
    settings[batch.BACKOFF] = check_probability("backoff_threshold", memory.backoff_threshold)
    settings[batch.SATURATIONS : batch.SATURATIONS + 3] = _saturations(memory.saturation)
    settings[batch.STIFFENS] = decay is not None and decay.stiffens
    return Plan(
        check_count("n_modules", memory.n_modules),
        check_count("n_units", memory.n_units),
        as_sigmoid(memory.activation),
        decay,
        settings,
        np.empty((0, 0), np.uint8) if decay is None else decay.table(),
        largest,
    )


class Choices(NamedTuple):
    """What was chosen for the items of a batch.

    Attributes
    ----------
    winners : ndarray of int64, shape (n_items, n_modules)
        The winning unit of every module, -1 where the mac stayed inactive.
    familiarity : ndarray of shape (n_items,)
        G.
    n_hypotheses : ndarray of int64, shape (n_items,)
        Zeta; 0 where the mac stayed inactive.
    cases : ndarray of int64, shape (n_items,)
        Sum of 1 for U, 2 for H and 4 for D, of the signals that were used.
    n_operations : ndarray of int64, shape (n_items,)
        Weights that were added up or looked at for raising.
    """

    winners: np.ndarray
    familiarity: np.ndarray
    n_hypotheses: np.ndarray
    cases: np.ndarray
    n_operations: np.ndarray


@dataclass
class Wires:
    """Weights from the three sources, with the traces by which they freeze and decay."""

    weights: list[np.ndarray]
    stamps: list[np.ndarray]
    stiffness: list[np.ndarray]
    counts: np.ndarray
    frozen_at: np.ndarray

    @classmethod
    def new(cls, n_code_units: int) -> Wires:
        """Return wires without a source."""
        return cls(
            [np.zeros((0, n_code_units), np.uint8) for _ in SOURCES],
            [np.zeros((0, n_code_units), np.int32) for _ in SOURCES],
            [np.zeros((0, n_code_units), np.uint8) for _ in SOURCES],
            np.zeros((3, n_code_units), np.int64),
            np.full((3, n_code_units), NEVER, np.int64),
        )

    def connect(self, source: int, n_sources: int, *, decays: bool) -> None:
        """Add weights of 0 from a source that has none yet."""
        if self.weights[source].shape[0]:
            return
        shape = (n_sources, self.counts.shape[1])
        self.weights[source] = np.zeros(shape, np.uint8)
        if decays:
            self.stamps[source] = np.full(shape, -1, np.int32)
            self.stiffness[source] = np.zeros(shape, np.uint8)

    def own(self) -> Wires:
        """Return these wires, or a copy where some come from a file that cannot be written."""
        every = (*self.weights, *self.stamps, *self.stiffness, self.counts, self.frozen_at)
        if all(one.flags.writeable for one in every):
            return self
        return Wires(
            [one.copy() for one in self.weights],
            [one.copy() for one in self.stamps],
            [one.copy() for one in self.stiffness],
            self.counts.copy(),
            self.frozen_at.copy(),
        )

    def age(self, now: int, table: np.ndarray) -> None:
        """Bring all weights to what they are at the item `now`."""
        for s in range(3):
            if table.size and self.weights[s].shape[0]:
                stamps, stiffness = self.stamps[s], self.stiffness[s]
                ages = np.minimum(now, self.frozen_at[s])[None, :] - stamps
                level = np.minimum(stiffness, table.shape[0] - 1)
                found = table[level, np.clip(ages, 0, table.shape[1] - 1)]
                found = np.where(stiffness >= table.shape[0], table[0, 0], found)
                self.weights[s][:] = np.where(stamps >= 0, found, 0)

    def arrays(self, *, binary: bool) -> dict[str, np.ndarray]:
        """Return everything by name; binary weights as bits."""
        found = {"counts": self.counts, "frozen_at": self.frozen_at}
        for s, name in enumerate(SOURCES):
            if self.weights[s].shape[0]:
                weights = self.weights[s]
                found[f"weights_{name}"] = np.packbits(weights, axis=1) if binary else weights
                if self.stamps[s].shape[0]:
                    found[f"stamps_{name}"] = self.stamps[s]
                    found[f"stiffness_{name}"] = self.stiffness[s]
        return found

    @classmethod
    def restored(cls, arrays: dict[str, np.ndarray], plan: Plan) -> Wires:
        """Return the wires of what `arrays` returned."""
        n_code_units = plan.n_code_units
        wires = cls.new(n_code_units)
        wires.counts, wires.frozen_at = arrays["counts"].copy(), arrays["frozen_at"].copy()
        for s, name in enumerate(SOURCES):
            if f"weights_{name}" not in arrays:
                continue
            weights = arrays[f"weights_{name}"]
            if plan.largest == 1:
                weights = np.unpackbits(weights, axis=1, count=n_code_units)
            wires.weights[s] = np.array(weights, np.uint8, order="C")
            if plan.decay is not None:
                wires.stamps[s] = np.array(arrays[f"stamps_{name}"], np.int32, order="C")
                wires.stiffness[s] = np.array(arrays[f"stiffness_{name}"], np.uint8, order="C")
                _same_shape(wires.stamps[s], weights)
                _same_shape(wires.stiffness[s], weights)
        _same_shape(wires.counts, wires.frozen_at)
        if any(one.shape[1] != n_code_units for one in (*wires.weights, wires.counts)):
            raise ValueError(f"weights to {n_code_units} units expected")
        return wires

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        lists = (*self.weights, *self.stamps, *self.stiffness)
        return sum(one.nbytes for one in (*lists, self.counts, self.frozen_at))


def as_seed(random_state: Any) -> int:
    """Return a seed of 63 bits from what scikit-learn takes."""
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**62, dtype=np.int64))
    if not isinstance(random_state, Integral | np.random.Generator | None):
        raise TypeError(
            f"random_state must be an integer, a RandomState, a Generator or None; got "
            f"{random_state!r}."
        )
    return int(check_rng(random_state).integers(2**63))


def _same_shape(one: np.ndarray, other: np.ndarray) -> None:
    if one.shape != other.shape:
        raise ValueError(f"arrays of one shape expected; got {one.shape} and {other.shape}")


def _bounds(bounds: Any) -> tuple[float, float]:
    """Return pi-minus and pi-plus."""
    if isinstance(bounds, str) or not isinstance(bounds, Iterable) or len(tuple(bounds)) != 2:
        raise ValueError(f"activation_bounds must be a pair (least, most or None); got {bounds!r}.")
    least, most = bounds
    fewest = check_count("the lower of activation_bounds", least)
    if most is None:
        return float(fewest), np.inf
    return float(fewest), float(check_count("the upper of activation_bounds", most, minimum=fewest))


def _triple(name: str, values: Any, check: Any) -> list[float]:
    """Return three numbers, for U, H and D, from three or one for all."""
    if isinstance(values, Iterable) and not isinstance(values, str):
        values = list(values)
    else:
        values = [values] * 3
    if len(values) != 3:
        raise ValueError(f"{name} must be one number or three, for U, H and D; got {values!r}.")
    return [check(name, one) for one in values]


def _saturations(saturation: Any) -> list[float]:
    """Return the shares of raised weights at which units freeze; None is never."""
    if saturation is None:
        return [1.0] * 3
    values = saturation if isinstance(saturation, list | tuple) else [saturation] * 3
    values = [1.0 if one is None else one for one in values]
    return _triple("saturation", values, check_fraction)
