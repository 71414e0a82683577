"""What :class:`memory.Sparsey` does behind its methods: checks, batches, wires and files."""

from __future__ import annotations

import warnings
from math import prod
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils.validation import validate_data

from memory import _sparsey_batch_kernels as kernels
from memory._decay import as_decay
from memory._decay import plain as plain_decay
from memory._draws import uniforms
from memory._protocol import AssociativeMemory
from memory._sigmoids import as_sigmoid
from memory._sparsey_kernels import NEVER
from memory._sparsey_setup import Choices, Plan, Wires, as_seed, make_plan
from sparsecode._jit import threads
from sparsecode._validation import check_rng
from sparsecode.core._checks import as_binary_code, check_code
from sparsecode.core.code import SparseCode

__all__ = ["TILE", "SparseyInside"]

#: Items whose draws and answers are held together.
TILE = 256
U, H, D = range(3)


class SparseyInside(AssociativeMemory):
    """The private half of :class:`memory.Sparsey`.

    What was learned has names with an underscore, as scikit-learn wants it of what `fit` sets.
    """

    activation: Any
    decay: Any
    feedback_threshold: float
    random_state: Any
    _n_stored = 0
    _unit_shape: tuple[int, ...] | None = None

    @property
    def n_stored(self) -> int:
        """Number of patterns that were presented."""
        return self._n_stored

    @n_stored.setter
    def n_stored(self, value: int) -> None:
        self._n_stored = value

    @property
    def unit_shape(self) -> tuple[int, ...] | None:
        """Shape of the units of patterns; None before the first."""
        return self._unit_shape

    @unit_shape.setter
    def unit_shape(self, value: tuple[int, ...] | None) -> None:
        self._unit_shape = value

    @property
    def n_weights(self) -> int:
        """Number of modifiable weights; those of H and D count once something used them."""
        if not self.n_stored:
            return 0
        skipped = (0, self._plan.n_units, 0)
        wires = self._wires.weights
        rows = [one.shape[0] - less for one, less in zip(wires, skipped, strict=True)]
        return self._plan.n_code_units * sum(max(0, one) for one in rows)

    @property
    def nbytes(self) -> int:
        """Bytes of weights and of the traces by which they freeze and decay."""
        return self._wires.nbytes if self.n_stored else 0

    # ------------------------------------------------------------------ storing

    def _store(self, patterns: Any, top_down: Any, *, sequence: bool) -> SparseCode:
        """Store patterns; nothing changes before all that was given has been checked."""
        code = self._check_patterns(patterns)
        plan = self._check_plan() if self.n_stored else make_plan(self)
        top_shape = self._top_shape if self.n_stored else None
        top = _check_top(top_down, code.n_samples, top_shape)
        if code.n_samples == 0:
            return self._as_code(np.empty((0, plan.n_modules), np.int64), plan)
        if not self.n_stored:
            self._begin(plan, code)
        self._connect(plan, code, None if top_down is None else top, sequence=sequence)
        height = code.n_samples if sequence else 16 * TILE
        parts = []
        with threads(1):
            for first in range(0, code.n_samples, height):
                rows = slice(first, min(first + height, code.n_samples))
                words = np.arange(rows.start, rows.stop) - rows.start + self.n_stored
                draws = uniforms(self._seed, words, plan.n_modules)
                parts.append(
                    self._present(
                        plan, code[rows], top[rows], draws,
                        soft=True, learning=True, sequence=sequence,
                    )
                )  # fmt: skip
                self.n_stored += rows.stop - rows.start
        self._wires.age(self.n_stored, plan.table)
        self.familiarity_ = np.concatenate([one.familiarity for one in parts])
        self.n_operations_ = np.concatenate([one.n_operations for one in parts])
        self._warn_of_freezing()
        return SparseCode.concatenate([self._as_code(one.winners, plan) for one in parts])

    def _begin(self, plan: Plan, code: SparseCode) -> None:
        """Fix inputs, code units and seed."""
        self._plan, self._wires = plan, Wires.new(plan.n_code_units)
        self._seed, self._fewest = as_seed(self.random_state), code.n_units
        self._top_shape: tuple[int, ...] | None = None
        self._warned = False
        self.unit_shape = code.unit_shape
        self.n_features_in_ = code.n_units

    def _connect(
        self, plan: Plan, code: SparseCode, top: SparseCode | None, *, sequence: bool
    ) -> None:
        """Add the wires that these patterns need, and note the smallest that is stored."""
        decays = plan.decay is not None
        self._wires.connect(U, code.n_units, decays=decays)
        if sequence:
            self._wires.connect(H, plan.n_code_units, decays=decays)
        if top is not None:
            self._top_shape = top.unit_shape
            self._wires.connect(D, top.n_units, decays=decays)
        sizes = np.diff(code.indptr)
        fewest, most = plan.settings[kernels.FEWEST], plan.settings[kernels.MOST]
        inside = sizes[(sizes >= fewest) & (sizes <= most)]
        self._fewest = int(inside.min(initial=self._fewest))

    def _warn_of_freezing(self) -> None:
        """Say once that half of the units can learn no more."""
        if not self._warned and (self._wires.frozen_at[U] != NEVER).mean() >= 0.5:
            self._warned = True
            warnings.warn(
                f"half of the code units of this Sparsey are frozen after {self.n_stored} "
                "patterns, and learn no more from its inputs. Use more units, or another "
                "saturation.",
                UserWarning,
                stacklevel=4,
            )

    def _forget(self) -> None:
        self.n_stored, self.unit_shape = 0, None

    # ------------------------------------------------------------------ both

    def _present(
        self,
        plan: Plan,
        code: SparseCode,
        top: SparseCode,
        draws: np.ndarray,
        *,
        soft: bool,
        learning: bool = False,
        sequence: bool = False,
    ) -> Choices:
        """Choose a code for every item, and learn it where asked to."""
        n_items, n_code_units = code.n_samples, plan.n_code_units
        self._wires = wires = self._wires.own()
        found = Choices(
            np.empty((n_items, plan.n_modules), np.int64),
            np.empty(n_items),
            *(np.empty(n_items, np.int64) for _ in range(3)),
        )
        kernels.present(
            code.indptr.astype(np.int64), code.indices.astype(np.int64),
            top.indptr.astype(np.int64), top.indices.astype(np.int64),
            draws, sequence, soft, learning, plan.sigmoid.kind, plan.sigmoid.constants,
            plan.settings, self.n_stored, plan.table, wires.counts, wires.frozen_at,
            tuple(wires.weights), tuple(wires.stamps), tuple(wires.stiffness),
            np.empty((3, n_code_units)), np.empty(n_code_units), np.empty(n_code_units), *found,
        )  # fmt: skip
        return found

    def _reinstate(self, plan: Plan, winners: np.ndarray) -> np.ndarray:
        """Return which inputs the winners of each item give back."""
        weights, full = self._wires.weights[U], plan.n_modules * plan.largest
        active = np.zeros((winners.shape[0], weights.shape[0]), np.bool_)
        needed = max(1, int(np.ceil(self.feedback_threshold * full - 1e-9)))
        sums, histogram = np.empty(weights.shape[0], np.int64), np.empty(full + 1, np.int64)
        kernels.reinstate(winners, weights, needed, self._fewest, histogram, sums, active)
        return active

    def _as_code(self, winners: np.ndarray, plan: Plan | None = None) -> SparseCode:
        """Return winners as a code; the mac was inactive where they are -1."""
        plan = plan or self._plan
        active = winners[:, :1] >= 0
        indptr = np.concatenate([[0], np.cumsum(active[:, 0] * plan.n_modules)])
        return SparseCode(indptr, winners[active[:, 0]].reshape(-1), None, plan[:2])

    # ------------------------------------------------------------------ checks

    def _check_stored(self) -> None:
        if not self.n_stored:
            self._check_cues(None)

    def _check_plan(self) -> Plan:
        """Return the parameters, of which some must be as they were when the memory was begun."""
        plan, begun = make_plan(self), self._plan
        for name in ("n_modules", "n_units", "largest", "decay"):
            if getattr(plan, name) != getattr(begun, name):
                said = "weights" if name == "largest" else name
                raise ValueError(
                    f"{said} must stay as it was when the memory was begun; got "
                    f"{getattr(self, said)!r}. Call fit to begin anew."
                )
        return plan

    def _check_top(self, top_down: Any, n_samples: int) -> SparseCode:
        """Return D inputs for cues."""
        if top_down is not None and self._top_shape is None:
            raise ValueError(
                "top_down must come with stored patterns before it comes with cues; got it with "
                "cues only. Call store(patterns, top_down=...) first."
            )
        return _check_top(top_down, n_samples, self._top_shape)

    def _check_samples(self, X: Any, *, reset: bool, minimum: int) -> SparseCode:
        """Return a binary code over the inputs, with scikit-learn's checks of arrays."""
        if not isinstance(X, SparseCode):
            X = validate_data(self, X, accept_sparse="csr", reset=reset, ensure_min_samples=minimum)
        elif X.n_samples < minimum:
            raise ValueError("X must hold at least one sample to learn from; got none.")
        if reset:
            return as_binary_code("X", X)
        return self._check_patterns(X, "X")

    def _recall_seed(self, rng: Any) -> int:
        """Return a seed for recall, another than that of storing."""
        if rng is not None:
            return int(check_rng(rng).integers(2**63))
        return self._seed ^ 0x5EED

    # ------------------------------------------------------------------ files

    def _plain_parameters(self) -> dict[str, Any]:
        """Return the parameters as JSON holds them; a generator is not needed again."""
        found = {name: getattr(self, name) for name in self._parameters}
        if not isinstance(self.activation, str):
            found["activation"] = as_sigmoid(self.activation).plain()
        if not isinstance(self.decay, str | None):
            found["decay"] = plain_decay(as_decay(self.decay))
        if not isinstance(self.random_state, Integral | None):
            found["random_state"] = None
        return found

    def _arrays(self) -> dict[str, np.ndarray]:
        about = [self._seed, self._fewest, int(self._warned)]
        top = self._top_shape or ()
        return {
            "about": np.array(about, np.int64),
            "top_shape": np.array(top, np.int64),
            **self._wires.arrays(binary=self._plan.largest == 1),
        }

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        seed, fewest, warned = (int(one) for one in arrays["about"])
        self._plan = make_plan(self)
        self._wires = Wires.restored(arrays, self._plan)
        self._seed, self._fewest, self._warned = seed, fewest, bool(warned)
        self._top_shape = tuple(arrays["top_shape"].tolist()) or None
        self.n_features_in_ = prod(self.unit_shape or ())
        if self._wires.weights[U].shape[0] != self.n_features_in_:
            raise ValueError(f"weights from {self.n_features_in_} inputs expected")


def _check_top(top_down: Any, n_samples: int, top_shape: tuple[int, ...] | None) -> SparseCode:
    """Return D inputs, a row for each of `n_samples`; rows without units if None is given."""
    if top_down is None:
        return SparseCode.from_indices([[]] * n_samples, top_shape or 1)
    code = as_binary_code("top_down", top_down)
    if top_shape is not None:
        code = check_code("top_down", code, unit_shape=top_shape, whose="the first top_down")
    if code.n_samples != n_samples:
        raise ValueError(
            f"top_down must have a row for each of the {n_samples} patterns; got {code.n_samples}."
        )
    return code
