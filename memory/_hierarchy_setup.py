"""A network of macs: who is connected with whom, and the parameters as the kernels read them."""

from __future__ import annotations

from math import prod
from types import SimpleNamespace
from typing import Any

import numpy as np

from memory import _sparsey_batch_kernels as batch
from memory._hierarchy_kernels import Rules, State, Wiring
from memory._levels import KINDS, Description, Level, LevelDescription
from memory._sparsey_setup import make_plan
from memory._tiling import Sheet, pixel_sheet, receptive_fields, sheet_over
from sparsecode._validation import check_probability

__all__ = ["Network", "make_rules"]

#: Parameters that mean for every mac what they mean for a Sparsey.
SHARED = (
    "activation",
    "exponents",
    "first_exponent",
    "normalisation",
    "hypothesis_threshold",
    "correction_exponent",
    "max_hypotheses",
    "backoff_threshold",
    "feedback_threshold",
)


class Network:
    """A hierarchy over an input of a certain shape, laid out but without weights."""

    def __init__(self, levels: tuple[Level, ...], input_shape: tuple[int, ...]) -> None:
        if len(input_shape) > 2:
            raise ValueError(f"the input must have one or two axes; got shape {input_shape}.")
        self.levels, self.input_shape = levels, input_shape
        plane = input_shape[0] if len(input_shape) > 1 else 1, input_shape[-1]
        below: Sheet = pixel_sheet(plane)
        self._counts = [prod(level.shape) for level in levels]
        self._first = np.concatenate([[0], np.cumsum(self._counts)])
        self._seen: list[list[np.ndarray]] = []
        self._beside: list[list[np.ndarray]] = []
        for i, level in enumerate(levels):
            sheet = sheet_over(plane, level.shape, level.tiling)
            self._seen.append(receptive_fields(sheet, below, level.overlap))
            self._beside.append(sheet.neighbours())
            self._refuse_blind(i)
            below = sheet
        self.wiring = self._wire(plane[0] * plane[1])
        sizes = self.wiring.row_words * self._per_mac([lv.n_modules * lv.n_units for lv in levels])
        self.n_words = int(sizes.sum())
        self._bytes = 8 * sizes

    def _refuse_blind(self, i: int) -> None:
        """Refuse a level with a mac that sees nothing."""
        blind = [mac for mac, field in enumerate(self._seen[i]) if not field.size]
        if blind:
            raise ValueError(
                f"levels[{i}] must leave every mac something to see; got {len(blind)} that see "
                f"nothing, the first being mac {blind[0]}. Use fewer macs or more overlap."
            )

    def _per_mac(self, values: Any) -> np.ndarray:
        """Repeat the values of levels for their macs."""
        return np.repeat(np.array(values, dtype=np.int64), self._counts)

    def _sources(self, kind: int, i: int) -> list[np.ndarray]:
        """Return the macs that reach each mac of a level by one kind of wires."""
        if KINDS[kind] not in self.levels[i].wires or (kind == 0 and i == 0):
            return [np.empty(0, np.int64)] * self._counts[i]
        if kind == 0:
            return [self._first[i - 1] + field for field in self._seen[i]]
        if kind == 1:
            places = enumerate(self._beside[i])
            return [self._first[i] + np.concatenate([[mac], near]) for mac, near in places]
        if i + 1 == len(self.levels):
            return [np.empty(0, np.int64)] * self._counts[i]
        above = self._seen[i + 1]
        return [
            self._first[i + 1] + np.array([j for j, field in enumerate(above) if mac in field], int)
            for mac in range(self._counts[i])
        ]

    def _wire(self, n_pixels: int) -> Wiring:
        """Return the tables that the kernels go by."""
        levels, n_macs = self.levels, int(self._first[-1])
        n_modules = np.array([level.n_modules for level in levels])
        n_units = np.array([level.n_units for level in levels])
        n_words = -(-n_modules * n_units // 64)
        depth = self._per_mac(range(len(levels)))
        found = [[mac for i in range(len(levels)) for mac in self._sources(k, i)] for k in range(3)]
        reaching = np.array([[one.size for one in macs] for macs in found])
        ends = np.cumsum(reaching).reshape(3, n_macs)
        pointers = np.column_stack([ends[:, 0] - reaching[:, 0], ends])
        origin = np.clip(depth + np.array([[-1], [0], [1]]), 0, len(levels) - 1)
        row_words = reaching * n_words[origin]
        n_afferents = reaching * (n_modules * n_units)[origin]
        n_afferents[1] -= np.where(reaching[1] > 0, n_units[depth], 0)
        seen = self._seen[0]
        row_words[0, : len(seen)] = [-(-field.size // 64) for field in seen]
        n_afferents[0, : len(seen)] = [field.size for field in seen]
        sizes = row_words * (n_modules * n_units)[depth]
        ordered = np.argsort(np.concatenate(seen), kind="stable")
        self.first_unit = _starts((n_modules * n_units)[depth])
        first_view = _starts(row_words[0, : len(seen)])
        self.fields = np.full(64 * first_view[-1], -1)
        for mac, field in enumerate(seen):
            self.fields[64 * first_view[mac] :][: field.size] = field
        return Wiring(
            self._first.astype(np.int64),
            n_modules,
            n_units,
            n_words,
            _starts(n_words[depth])[:-1],
            _starts(n_modules[depth])[:-1],
            pointers,
            np.concatenate([mac for macs in found for mac in macs]).astype(np.int64),
            row_words,
            _starts(sizes.ravel())[:-1].reshape(sizes.shape),
            n_afferents,
            _starts(np.bincount(np.concatenate(seen), minlength=n_pixels)),
            np.repeat(np.arange(len(seen)), [field.size for field in seen])[ordered],
            np.concatenate([np.arange(field.size) for field in seen])[ordered],
            first_view,
        )

    @property
    def n_slots(self) -> int:
        """Modules of all macs, each with a winner."""
        return int(self._per_mac(self.wiring.n_modules).sum())

    @property
    def n_units(self) -> int:
        """Units of all macs."""
        return int(self.first_unit[-1])

    def units_of(self, i: int) -> tuple[int, int]:
        """Return where the units of a level begin and end among those of all."""
        first, last = self._first[i], self._first[i + 1]
        return int(self.first_unit[first]), int(self.first_unit[last])

    def unit_of_slot(self) -> np.ndarray:
        """Return the first unit of the mac of each slot."""
        return np.repeat(self.first_unit[:-1], self._per_mac(self.wiring.n_modules))

    def new_state(self) -> State:
        """Return a state in which nothing is active, with room for the largest mac."""
        w, n_macs = self.wiring, int(self._first[-1])
        widest = int((w.n_modules * w.n_units).max())
        most = max(1, int(np.diff(w.pointers, axis=1).max()))
        return State(
            np.zeros((2, int(self._per_mac(w.n_words).sum())), np.uint64),
            np.zeros((2, n_macs), np.int64),
            np.zeros((2, n_macs)),
            np.zeros(n_macs, np.int64),
            np.zeros(w.first_view[-1], np.uint64),
            np.zeros(self._counts[0], np.int64),
            np.zeros((3, max(1, w.row_words.max())), np.uint64),
            np.zeros((3, most)),
            np.zeros(3),
            np.zeros((3, widest)),
            np.zeros(widest),
            np.zeros(widest),
        )

    def describe(self) -> Description:
        """Return what the network consists of."""
        weights = self.wiring.n_afferents * np.diff(self.first_unit)
        found = []
        for i, level in enumerate(self.levels):
            macs = slice(self._first[i], self._first[i + 1])
            sizes = [field.size for field in self._seen[i]]
            up, horizontal, down = (int(total) for total in weights[:, macs].sum(axis=1))
            found.append(
                LevelDescription(
                    level.shape, level.tiling, self._counts[i], level.n_modules, level.n_units,
                    (min(sizes), max(sizes)), level.activation_bounds, int(level.persistence or 0),
                    up, horizontal, down, int(self._bytes[:, macs].sum()),
                )
            )  # fmt: skip
        return Description(self.input_shape, tuple(found))


def _starts(sizes: np.ndarray) -> np.ndarray:
    """Return where each of some stretches begins, and the end of all."""
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def make_rules(memory: Any, levels: tuple[Level, ...], is_frozen: np.ndarray) -> Rules:
    """Check the parameters that all macs share, and return what the kernels go by."""
    check_probability("gate", memory.gate)
    shared = {name: getattr(memory, name) for name in SHARED}
    first = levels[0]
    plan = make_plan(
        SimpleNamespace(
            **shared, n_modules=first.n_modules, n_units=first.n_units, weights="binary",
            decay=None, saturation=None, activation_bounds=(1, None), output=memory.output,
        )
    )  # fmt: skip
    settings = plan.settings
    exponents = np.stack([settings[:3]] * 2)
    exponents[1, 0] = settings[batch.FIRST_EXPONENT]
    most = [level.activation_bounds[1] for level in levels]
    shares = [1.0 if level.saturation is None else level.saturation for level in levels]
    return Rules(
        np.array([level.activation_bounds[0] for level in levels], dtype=np.int64),
        np.array([2**62 if bound is None else bound for bound in most], dtype=np.int64),
        np.array([level.persistence for level in levels], dtype=np.int64),
        np.array(shares, dtype=np.float64),
        is_frozen,
        exponents,
        int(plan.sigmoid.kind),
        plan.sigmoid.constants,
        bool(settings[batch.BY_BOUND]),
        float(settings[batch.BACKOFF]),
        bool(memory.backoff_keeps_input),
        float(memory.gate),
        settings[[batch.HYPOTHESIS, batch.CORRECTION, batch.MANY]],
    )
