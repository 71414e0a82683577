"""What :class:`memory.Hierarchy` does behind its methods: checks, batches and files."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, prod
from typing import Any

import numpy as np

from memory._draws import uniforms
from memory._hierarchy_kernels import Rules, State, reinstate, run
from memory._hierarchy_setup import Network, make_rules
from memory._levels import check_levels
from memory._protocol import AssociativeMemory, Recall
from memory._sigmoids import as_sigmoid
from memory._sparsey_setup import as_seed
from sparsecode._validation import check_count
from sparsecode.core.code import SparseCode
from sparsecode.core.ops import reshape

__all__ = ["TILE", "HierarchyInside", "as_shape", "units_between"]

#: Frames whose draws and answers are held together.
TILE = 256
#: Pixels that a mac which never learned has learned with.
MANY = 2**62


class HierarchyInside(AssociativeMemory):
    """The private half of :class:`memory.Hierarchy`."""

    levels: Any
    input_shape: Any
    activation: Any
    feedback_threshold: float
    transform_levels: Any
    random_state: Any

    _network: Network
    _weights: np.ndarray
    _fewest: np.ndarray
    _is_frozen: np.ndarray
    _seed: int

    @property
    def n_weights(self) -> int:
        """Number of weights; 0 before the first pattern."""
        return self._network.describe().n_weights if self.n_stored else 0

    @property
    def nbytes(self) -> int:
        """Bytes of all weights; 0 before the first pattern."""
        return int(self._weights.nbytes) if self.n_stored else 0

    @property
    def _n_features_out(self) -> int:
        return sum(end - begin for begin, end in self._chosen(self.transform_levels))

    def _check_patterns(self, patterns: Any, name: str = "patterns") -> SparseCode:
        """Return binary patterns over the pixels of those before, or of the input."""
        code = super()._check_patterns(patterns, name)
        if self.unit_shape is not None or self.input_shape is None:
            return code
        shape = as_shape(self.input_shape)
        if code.n_units != prod(shape) or code.unit_shape not in (shape, (code.n_units,)):
            raise ValueError(
                f"{name} must have unit_shape {shape}, the input_shape; got {code.unit_shape}."
            )
        return reshape(code, shape)

    def _begin(self, code: SparseCode) -> Rules:
        """Lay out the network before the first pattern; return the rules."""
        if self.n_stored or not code.n_samples:
            return self._check_rules(code.unit_shape)
        levels = check_levels(self.levels)
        self._chosen_numbers(self.transform_levels, len(levels))
        network = Network(levels, code.unit_shape)
        rules = make_rules(self, levels, np.zeros(len(levels), np.bool_))
        self._seed = as_seed(_check_seed(self.random_state))
        self._build(network)
        self.unit_shape, self.n_features_in_ = code.unit_shape, code.n_units
        return rules

    def _build(self, network: Network) -> None:
        """Take over a network without weights."""
        self._network = network
        self._weights = np.zeros(network.n_words, np.uint64)
        self._fewest = np.full(prod(network.levels[0].shape), MANY, np.int64)
        self._is_frozen = np.zeros(len(network.levels), np.bool_)

    def _check_rules(self, unit_shape: tuple[int, ...] | None = None) -> Rules:
        """Return the rules of the parameters as they are now."""
        levels = check_levels(self.levels)
        if not self.n_stored:
            self._build(Network(levels, unit_shape or (1,)))
            self._seed = 0
        if levels != self._network.levels:
            raise ValueError(
                "levels must stay as they are once something is stored; got others. Call fit to "
                "begin anew."
            )
        return make_rules(self, levels, self._is_frozen)

    def _no_winners(self, n_frames: int = 0) -> np.ndarray:
        return np.empty((n_frames, self._network.n_slots), np.int64)

    def _learn(self, code: SparseCode, rules: Rules, *, in_sequence: bool = False) -> SparseCode:
        """Store some frames, of one sequence or each for itself."""
        words = np.arange(self.n_stored, self.n_stored + code.n_samples)
        winners, _ = self._run(code, words, self._seed, rules, in_sequence, learning=True)
        self.n_stored += code.n_samples
        return self._as_code(winners)

    def _recall(
        self, code: SparseCode, words: np.ndarray, rules: Rules, *, in_sequence: bool = False
    ) -> Recall:
        """Return what some frames recall, of one sequence or each for itself."""
        winners, G = self._run(code, words, self._seed ^ 0x5EED, rules, in_sequence, learning=False)
        heard = G >= 0.0
        total = np.where(heard, G, 0.0).sum(axis=1)
        return Recall(
            self._as_code(winners), total / np.maximum(heard.sum(axis=1), 1), self._given(winners)
        )

    def _run(
        self,
        code: SparseCode,
        words: np.ndarray,
        seed: int,
        rules: Rules,
        in_sequence: bool,
        *,
        learning: bool,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the winners and G of every mac at every frame."""
        network = self._network
        winners = self._no_winners(code.n_samples)
        familiarities = np.empty((code.n_samples, network.first_unit.size - 1))
        starts = np.full(code.n_samples, not in_sequence)
        starts[:1] = True
        state: State = network.new_state()
        run(
            code.indptr, code.indices, starts, in_sequence, learning, network.wiring, rules,
            uniforms(seed, words, network.n_slots), state, self._weights, self._fewest,
            winners, familiarities,
        )  # fmt: skip
        return winners, familiarities

    def _given(self, winners: np.ndarray) -> SparseCode:
        """Return the pixels that codes give back."""
        network, shape = self._network, self.unit_shape or (1,)
        active = np.zeros((len(winners), prod(shape)), np.bool_)
        needed = ceil(self.feedback_threshold * network.wiring.n_modules[0] - 1e-9)
        widest = 64 * int(network.wiring.row_words[0].max())
        reinstate(
            winners, network.wiring, self._weights, needed, self._fewest, network.fields,
            np.zeros(widest, np.int64), active,
        )  # fmt: skip
        return SparseCode.from_dense(active, shape)

    def _as_code(self, winners: np.ndarray) -> SparseCode:
        """Return winners as active units of all macs."""
        heard = winners >= 0
        units = (winners + self._network.unit_of_slot())[heard]
        indptr = np.concatenate([[0], np.cumsum(heard.sum(axis=1))])
        shape = (self._network.n_units,)
        return SparseCode._trusted(indptr.astype(np.int64), units.astype(np.int32), None, shape)

    def _chosen(self, numbers: Any) -> list[tuple[int, int]]:
        """Return where the units of some levels begin and end."""
        chosen = self._chosen_numbers(numbers, len(self._network.levels))
        return [self._network.units_of(number - 1) for number in chosen]

    @staticmethod
    def _chosen_numbers(numbers: Any, n_levels: int) -> list[int]:
        if numbers is None:
            return list(range(1, n_levels + 1))
        listed = list(numbers) if isinstance(numbers, Sequence) else [numbers]
        checked = {check_count("transform_levels", one, maximum=n_levels) for one in listed}
        if not checked or len(checked) < len(listed):
            raise ValueError(f"transform_levels must name levels once each; got {numbers!r}.")
        return sorted(checked)

    def _plain_parameters(self) -> dict[str, Any]:
        found = super()._plain_parameters()
        if not isinstance(self.activation, str):
            found["activation"] = as_sigmoid(self.activation).plain()
        return found

    def _arrays(self) -> dict[str, np.ndarray]:
        return {
            "weights": self._weights,
            "fewest": self._fewest,
            "is_frozen": self._is_frozen,
            "seed": np.array([self._seed], np.uint64),
        }

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        assert self.unit_shape is not None
        self._build(Network(check_levels(self.levels), self.unit_shape))
        for name in ("weights", "fewest", "is_frozen"):
            room, given = getattr(self, f"_{name}"), arrays[name]
            if (given.shape, given.dtype) != (room.shape, room.dtype):
                raise ValueError(f"{name} of shape {room.shape} expected; got {given.shape}")
            room[:] = given
        self._seed = int(arrays["seed"][0])
        self.n_features_in_ = prod(self.unit_shape)


def as_shape(shape: Any) -> tuple[int, ...]:
    """Return the shape of an input as a tuple."""
    sizes = shape if isinstance(shape, Sequence) and not isinstance(shape, str) else (shape,)
    return tuple(check_count("input_shape", size) for size in sizes)


def _check_seed(random_state: Any) -> Any:
    """Return a seed that a file can hold."""
    return None if random_state is None else check_count("random_state", random_state, minimum=0)


def units_between(code: SparseCode, ranges: list[tuple[int, int]]) -> SparseCode:
    """Return the units of some ranges, side by side."""
    matrix = code.to_scipy()
    if len(ranges) == 1:
        return SparseCode.from_scipy(matrix[:, slice(*ranges[0])])
    columns = np.concatenate([np.arange(begin, end) for begin, end in ranges])
    return code if columns.size == code.n_units else SparseCode.from_scipy(matrix[:, columns])
