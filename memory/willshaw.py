"""`Willshaw`: the binary associative memory, whose weights are bits."""

from __future__ import annotations

import warnings
from math import prod
from typing import Any, ClassVar

import numpy as np

from memory import _willshaw_kernels as kernels
from memory._protocol import AssociativeMemory, Recall
from sparsecode._jit import threads
from sparsecode._parallel import map_tiles, tiles_of
from sparsecode._validation import check_count, check_fraction
from sparsecode.core.code import SparseCode

__all__ = ["Willshaw"]

#: Cues that are recalled together, and words of weights read below which threads do not pay.
TILE, SMALL = 1024, 2**23
#: Share of set bits beyond which recall breaks down.
LIMIT = 0.5


class Willshaw(AssociativeMemory):
    r"""Remember pairs of sparse patterns in binary weights: a synapse is set once and for all.

    :math:`W_{ij} = 1` if unit :math:`i` of a pattern and unit :math:`j` of its target were ever
    active together. A cue :math:`x` recalls the units whose sums :math:`h_j = \sum_i x_i W_{ij}`
    reach the number of its active units (Willshaw et al.), a part of it, or are the largest.

    Parameters
    ----------
    n_winners : int, optional
        Recall so many units, those with the largest sums, the first of equals; fewer where fewer
        have any connection. By default all that reach the threshold.
    threshold : float, default=1.0
        Part of a cue's active units that a recalled unit must be connected to, above 0 and at most
        1; below 1 it forgives wrong units in the cue. Without effect beside `n_winners`.
    n_steps : int, default=1
        How often an autoassociative memory takes its answer for the next cue; it ends earlier
        where the answers stay.

    Attributes
    ----------
    n_stored : int
        Number of patterns that were presented.
    unit_shape, target_shape : tuple of int or None
        Shapes of patterns and of targets; None before the first.

    Raises
    ------
    ValueError, TypeError
        If a parameter is out of its range.

    See Also
    --------
    memory.theory.willshaw_false_positive : How often it errs, exactly.
    memory.SparseHopfield : The same patterns in graded weights.

    Notes
    -----
    Willshaw, Buneman & Longuet-Higgins, "Non-holographic associative memory", Nature 222:960, 1969;
    Palm, "On associative memory", Biological Cybernetics 36:19, 1980. The diagonal is kept. A bit
    for each pair of units, ``n_units * n_targets / 8`` bytes, the targets rounded up to 512.

    *Familiarity*: in an autoassociative memory the share of pairs of the cue's active units that
    are connected; in a heteroassociative one that of pairs of cue and answer.

    Beyond half of the bits set recall breaks down; a warning says so when they are.

    Examples
    --------
    >>> from sparsecode.core import SparseCode
    >>> from memory import Willshaw
    >>> patterns = SparseCode.from_indices([[0, 1, 2, 3], [3, 4, 5, 6]], 10)
    >>> one = Willshaw()
    >>> _ = one.store(patterns)
    >>> found = one.recall(SparseCode.from_indices([[0, 1], [5, 6], [0, 6]], 10))
    >>> found.code.to_dense().astype(int)
    array([[1, 1, 1, 1, 0, 0, 0, 0, 0, 0],
           [0, 0, 0, 1, 1, 1, 1, 0, 0, 0],
           [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]])
    >>> found.familiarity
    array([1. , 1. , 0.5])
    """

    _parameters: ClassVar[tuple[str, ...]] = ("n_winners", "threshold", "n_steps")

    def __init__(
        self, *, n_winners: int | None = None, threshold: float = 1.0, n_steps: int = 1
    ) -> None:
        self.n_winners = None if n_winners is None else check_count("n_winners", n_winners)
        self.threshold = check_fraction("threshold", threshold)
        self.n_steps = check_count("n_steps", n_steps)
        self.target_shape: tuple[int, ...] | None = None
        self._bits = np.zeros((0, 8), np.uint64)
        self._is_auto = True
        self._most_set, self._is_full = 0, False

    @property
    def n_weights(self) -> int:
        """Number of binary weights, one for each pair of units; 0 before the first pattern."""
        return 0 if self.target_shape is None else len(self._bits) * prod(self.target_shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the weights."""
        return self._bits.nbytes

    @property
    def matrix_load(self) -> float:
        """Share of the weights that are set."""
        return int(np.bitwise_count(self._bits).sum()) / max(self.n_weights, 1)

    def store(self, patterns: Any, targets: Any = None) -> SparseCode:
        """Connect the active units of every pattern with those of its target, or with each other.

        Parameters
        ----------
        patterns : SparseCode, array-like or sparse array of shape (n_samples, n_units)
            Binary: a binary code, bool, or numbers that are all 0 or 1.
        targets : SparseCode, array-like or sparse array of shape (n_samples, n_targets), optional
            What `recall` is to answer. By default the patterns themselves; a memory takes either
            targets always or never.

        Returns
        -------
        SparseCode
            The targets.

        Raises
        ------
        ValueError, TypeError
            If patterns or targets are not binary, not as many, or not over the units of those
            before.

        Warns
        -----
        UserWarning
            Once, when more than half of the weights are set.
        """
        code = self._check_patterns(patterns)
        answer = code if targets is None else self._check_targets(targets, code.n_samples)
        if self.n_stored and self._is_auto != (targets is None):
            raise ValueError(
                "targets must be given with every batch or with none; got "
                f"{'none' if targets is None else 'some'} after batches "
                f"{'without' if self._is_auto else 'with'}. Use another memory."
            )
        if code.n_samples == 0:
            return answer
        if not self.n_stored:
            self.unit_shape, self.target_shape = code.unit_shape, answer.unit_shape
            self._is_auto = targets is None
            self._bits = np.zeros((code.n_units, 8 * -(-answer.n_units // 512)), np.uint64)
        packed = np.zeros(self._bits.shape[1], np.uint64)
        kernels.connect(
            code.indptr, code.indices, answer.indptr, answer.indices, packed, self._bits
        )
        self.n_stored += code.n_samples
        self._watch(int(code.n_active @ answer.n_active))
        return answer

    def _check_targets(self, targets: Any, n_samples: int) -> SparseCode:
        """Return binary targets, as many as patterns."""
        code = self._check_over(targets, "targets", self.target_shape, "the stored targets")
        if code.n_samples != n_samples:
            raise ValueError(
                f"targets must be as many as patterns, {n_samples}; got {code.n_samples}."
            )
        return code

    def _watch(self, n_pairs: int) -> None:
        """Warn once that too many weights are set; count them only when that may be so."""
        self._most_set += n_pairs
        if self._is_full or self._most_set <= LIMIT * self.n_weights:
            return
        self._most_set = round(self.matrix_load * self.n_weights)
        if self._most_set > LIMIT * self.n_weights:
            self._is_full = True
            warnings.warn(
                f"A Willshaw memory is full when half of its weights are set, and breaks down "
                f"beyond; after {self.n_stored} patterns {self.matrix_load:.0%} are. Store fewer "
                f"or sparser patterns, or take more units.",
                stacklevel=3,
            )

    def recall(self, cues: Any, *, n_threads: int | None = None) -> Recall:
        """Return the units that the active units of every cue call up.

        Parameters
        ----------
        cues : SparseCode, array-like or sparse array of shape (n_samples, n_units)
            Binary, over the units of the patterns.
        n_threads : int, optional
            Threads over cues, which change no bit; by default all that Numba may use.

        Returns
        -------
        Recall
            For a cue without an active unit an empty pattern, familiarity 0. The `pattern` of a
            memory with targets is the target.

        Raises
        ------
        ValueError, TypeError
            If the cues are not binary, or not over the units of the patterns.
        sklearn.exceptions.NotFittedError
            Before anything is stored.
        """
        code = self._check_cues(cues)
        with threads(n_threads) as width:
            answer, shares = self._answer(code, width)
            for _ in range(self.n_steps - 1 if self._is_auto else 0):
                last, (answer, _) = answer, self._answer(answer, width)
                if answer == last:
                    break
        return Recall(answer, shares, answer)

    def _answer(self, code: SparseCode, n_threads: int) -> tuple[SparseCode, np.ndarray]:
        """Return one step of recall, and how familiar every cue is."""
        assert self.target_shape is not None
        counts, shares = np.empty(code.n_samples, np.int64), np.empty(code.n_samples)
        small = code.nnz * self._bits.shape[1] < SMALL
        found = map_tiles(
            lambda rows: self._answer_tile(code, rows, counts[rows], shares[rows]),
            [slice(0, code.n_samples)] if small else tiles_of(code.n_samples, TILE),
            n_threads,
        )
        indptr = np.concatenate([[0], np.cumsum(counts)])
        parts = [part for parts in found for part in parts]
        indices = parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.int32), *parts])
        return SparseCode._trusted(indptr, indices, None, self.target_shape), shares

    def _answer_tile(
        self, code: SparseCode, rows: slice, counts: np.ndarray, shares: np.ndarray
    ) -> list[np.ndarray]:
        """Recall some cues: fill in how many units and how familiar, and list units in parts."""
        assert self.target_shape is not None
        indptr = code.indptr[rows.start : rows.stop + 1]
        row = np.empty(self._bits.shape[1], np.uint64)
        is_exact = self.n_winners is None and self.threshold == 1.0
        if not is_exact:
            largest = int(np.diff(indptr).max(initial=0))
            planes = np.empty(8 * max(largest.bit_length(), 3), np.uint64)
            sums, tally = np.empty(64 * row.size, np.int32), np.empty(largest + 1, np.int64)
        parts, done = [], 0
        while done < counts.size:
            likely = 2 * int(indptr[-1] - indptr[done]) + kernels.AHEAD
            room = np.empty(prod(self.target_shape) + likely, np.int32)
            first = done
            if is_exact:
                done = kernels.recall_all(
                    indptr, code.indices, self._bits, self._is_auto, first, row, counts, room,
                    shares,
                )  # fmt: skip
            else:
                done = kernels.recall_best(
                    indptr, code.indices, self._bits, self._is_auto, first, self.threshold,
                    self.n_winners or 0, planes, sums, tally, row, counts, room, shares,
                )  # fmt: skip
            parts.append(room[: counts[first:done].sum()])
        return parts

    def _arrays(self) -> dict[str, np.ndarray]:
        return {
            "bits": self._bits,
            "target_shape": np.array(self.target_shape),
            "state": np.array([self._is_auto, self._is_full, self._most_set]),
        }

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        assert self.unit_shape is not None
        self.target_shape = tuple(map(int, arrays["target_shape"]))
        shape = prod(self.unit_shape), 8 * -(-prod(self.target_shape) // 512)
        bits = np.ascontiguousarray(arrays["bits"], np.uint64)
        if bits.shape != shape:
            raise ValueError(f"bits must have shape {shape}; got {bits.shape}.")
        self._bits = bits
        is_auto, is_full, most_set = arrays["state"].tolist()
        self._is_auto, self._is_full, self._most_set = bool(is_auto), bool(is_full), int(most_set)
