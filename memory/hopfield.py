"""`Hopfield`: the attractor network of dense patterns."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np

from memory._hopfield_kernels import settle_at_once, settle_one_by_one
from memory._protocol import AssociativeMemory, Recall
from sparsecode._jit import threads
from sparsecode._parallel import map_tiles
from sparsecode._validation import check_count, check_option
from sparsecode.core.code import SparseCode

__all__ = ["Hopfield"]

#: Cues whose fields are computed together, cues that settle side by side, and patterns that are
#: added up together.
TILE, SIDE_BY_SIDE, BATCH = 256, 64, 1024
#: Whole numbers up to here are exact in float32.
EXACT = 2**24
#: Patterns a unit beyond which no pattern is stable (Amit, Gutfreund & Sompolinsky 1987).
LIMIT = 0.138


class Hopfield(AssociativeMemory):
    r"""Remember dense patterns as fixed points of a network with symmetric weights.

    With :math:`\xi_i = 1` for active units and :math:`-1` for others, :math:`W_{ij} = \sum_\mu
    \xi_i^\mu \xi_j^\mu`, :math:`W_{ii} = 0` (the factor :math:`1/N` moves no unit), and a unit
    follows the sign of its field :math:`h_i = \sum_j W_{ij} s_j`; where that is 0 it stays.

    Parameters
    ----------
    update : {"asynchronous", "synchronous"}, default="asynchronous"
        One unit after the other, in an order that is random but the same for all cues, which never
        raises the energy :math:`-\frac12 s^\top W s`; or all at once, which may end in a cycle of
        two states: the answer is then the one that step `max_iter` reaches.
    max_iter : int, default=100
        Sweeps over all units at most; fewer once none moves. With ``update="synchronous"`` and 1,
        the single read of a linear associator.
    random_state : int, default=0
        Seed of the order.

    Attributes
    ----------
    n_stored : int
        Number of patterns that were presented.
    unit_shape : tuple of int or None
        Shape of the units; None before the first pattern.

    Raises
    ------
    ValueError, TypeError
        If a parameter is out of its range.

    See Also
    --------
    memory.SparseHopfield : The same for sparse patterns.
    memory.DenseMemory : Steeper energies, which hold many more.

    Notes
    -----
    Hopfield, "Neural networks and physical systems with emergent collective computational
    abilities", PNAS 79:2554, 1982. Weights are whole numbers in float32, ``4 n_units ** 2`` bytes,
    exact for up to 16 million patterns. Made for patterns of which half of the units are active;
    beyond 0.138 patterns a unit none is stable any more, of which a warning tells.

    Left out: random orders that differ between cues or sweeps, noise (temperature), and the
    pseudo-inverse rule.

    *Familiarity*: by how many units the answer is like the cue, beyond chance: of :math:`d` that
    differ, :math:`\max(0, 1 - 2 d / N)`; 0 for a cue without an active unit.

    Examples
    --------
    >>> import numpy as np
    >>> from memory import Hopfield
    >>> patterns = np.random.default_rng(0).random((5, 100)) < 0.5
    >>> one = Hopfield()
    >>> _ = one.store(patterns)
    >>> noisy = patterns.copy()
    >>> noisy[:, :10] = ~noisy[:, :10]
    >>> bool((one.recall(noisy).code.to_dense() == patterns).all())
    True
    """

    _parameters: ClassVar[tuple[str, ...]] = ("update", "max_iter", "random_state")

    def __init__(
        self, *, update: str = "asynchronous", max_iter: int = 100, random_state: int = 0
    ) -> None:
        self.update = check_option("update", update, ("asynchronous", "synchronous"))
        self.max_iter = check_count("max_iter", max_iter)
        self.random_state = check_count("random_state", random_state, minimum=0)
        self._weights = np.zeros((0, 0), np.float32)

    @property
    def n_weights(self) -> int:
        """Number of weights, each pair of units once; 0 before the first pattern."""
        n = len(self._weights)
        return n * (n - 1) // 2

    @property
    def nbytes(self) -> int:
        """Bytes of the weights."""
        return self._weights.nbytes

    def store(self, patterns: Any) -> SparseCode:
        """Add the products of every pattern's units to the weights.

        Parameters
        ----------
        patterns : SparseCode, array-like or sparse array of shape (n_samples, n_units)
            Binary: a binary code, bool, or numbers that are all 0 or 1.

        Returns
        -------
        SparseCode
            The patterns.

        Raises
        ------
        ValueError, TypeError
            If the patterns are not binary, or not over the units of those before.

        Warns
        -----
        UserWarning
            Once, when there are more than 0.138 patterns a unit.
        """
        code = self._check_patterns(patterns)
        if code.n_samples == 0:
            return code
        if not self.n_stored:
            self.unit_shape = code.unit_shape
            self._weights = np.zeros((code.n_units, code.n_units), np.float32)
        for first in range(0, code.n_samples, BATCH):
            states = _as_states(code[first : first + BATCH])
            self._weights += states.T @ states
        np.fill_diagonal(self._weights, 0.0)
        before, self.n_stored = self.n_stored, self.n_stored + code.n_samples
        if before <= LIMIT * code.n_units < self.n_stored:
            warnings.warn(
                f"A Hopfield network of {code.n_units} units holds at most some "
                f"{LIMIT * code.n_units:.0f} patterns; got {self.n_stored}. Take more units, or "
                f"DenseMemory.",
                stacklevel=2,
            )
        return code

    def recall(self, cues: Any, *, n_threads: int | None = None) -> Recall:
        """Let the network settle from every cue.

        Parameters
        ----------
        cues : SparseCode, array-like or sparse array of shape (n_samples, n_units)
            Binary, over the units of the patterns.
        n_threads : int, optional
            Threads over cues, which change no bit; by default all that Numba may use.

        Returns
        -------
        Recall
            What does not settle within `max_iter` sweeps is as the last one left it.

        Raises
        ------
        ValueError, TypeError
            If the cues are not binary, or not over the units of the patterns.
        sklearn.exceptions.NotFittedError
            Before anything is stored.
        """
        code = self._check_cues(cues)
        with threads(n_threads) as width:
            height = max(1, min(TILE, -(-code.n_samples // width)))  # fields are exact in any tile
            tiles = [slice(i, i + height) for i in range(0, code.n_samples, height)]
            found = map_tiles(lambda rows: self._settle(code[rows]), tiles, width)
        states = np.concatenate([np.zeros((0, code.n_units), bool), *found])
        answer = SparseCode.from_dense(states.reshape(-1, *code.unit_shape))
        same = (states == code.to_dense().reshape(states.shape)).mean(axis=1)
        familiarity = np.maximum(0.0, 2.0 * same - 1.0) * (code.n_active > 0)
        return Recall(answer, familiarity, answer)

    def energy(self, code: Any) -> np.ndarray:
        """Return the energy of states, -1/2 of the sum of W_ij s_i s_j, never raised one by one.

        Parameters
        ----------
        code : SparseCode, array-like or sparse array of shape (n_samples, n_units)
            Binary, over the units of the patterns.

        Returns
        -------
        ndarray of shape (n_samples,)

        Raises
        ------
        ValueError, TypeError
            If the states are not binary, or not over the units of the patterns.
        sklearn.exceptions.NotFittedError
            Before anything is stored.
        """
        states = _as_states(self._check_cues(code))
        return -0.5 * (self._fields(states) * states).sum(axis=1, dtype=np.float64)

    def _settle(self, code: SparseCode) -> np.ndarray:
        """Return which units are active once some cues have settled."""
        states = _as_states(code)
        fields = self._fields(states)
        for first in range(0, len(states), SIDE_BY_SIDE):
            some = slice(first, first + SIDE_BY_SIDE)
            self._follow(states[some], fields[some])
        return states > 0

    def _follow(self, states: np.ndarray, fields: np.ndarray) -> None:
        """Let states that fit into the cache follow their fields, in place."""
        n_flips = np.empty(len(states), np.int64)
        if self.update == "asynchronous":
            order = np.random.default_rng(self.random_state).permutation(states.shape[1])
            settle_one_by_one(self._weights, order, self.max_iter, states, fields, n_flips)
        else:
            flips = np.zeros(states.shape, bool)
            settle_at_once(self._weights, self.max_iter, states, fields, flips, n_flips)

    def _fields(self, states: np.ndarray) -> np.ndarray:
        """Return the fields of states, whole numbers: in float32 where that holds them all."""
        if self._largest_field() < EXACT:
            return states @ self._weights
        return states.astype(np.float64) @ self._weights.astype(np.float64)

    def _largest_field(self) -> float:
        """Return what no field can exceed, and no part of its sum."""
        bound = float(self.n_stored) * len(self._weights)
        if bound < EXACT:
            return bound
        return float(np.abs(self._weights).sum(axis=1, dtype=np.float64).max())

    def _arrays(self) -> dict[str, np.ndarray]:
        return {"weights": self._weights}

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        weights = np.ascontiguousarray(arrays["weights"], np.float32)
        n_units = int(np.prod(self.unit_shape or (0,)))
        if weights.shape != (n_units, n_units):
            raise ValueError(f"weights must be {n_units} x {n_units}; got {weights.shape}.")
        self._weights = weights


def _as_states(code: SparseCode) -> np.ndarray:
    """Return 1 for active units and -1 for others, in float32."""
    states = np.full((code.n_samples, code.n_units), -1.0, np.float32)
    states[code._rows(), code.indices] = 1.0
    return states
