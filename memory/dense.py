"""`DenseMemory`: dense associative memories, which are also called modern Hopfield networks."""

from __future__ import annotations

import math
import warnings
from math import prod
from typing import Any, ClassVar

import numpy as np

from memory._attention import attend, log_sums
from memory._dense_kernels import descend, largest_shares
from memory._protocol import AssociativeMemory, Recall
from memory._words import pack_bits, pack_rows, unpack_rows
from sparsecode._jit import threads
from sparsecode._parallel import map_tiles
from sparsecode._validation import check_count, check_data, check_option, check_positive
from sparsecode.core.code import SparseCode

__all__ = ["DenseMemory"]

#: Cues that one thread takes at a time, and stored patterns whose bits are transposed together.
CUES, TRANSPOSED = 8, 4096
#: States whose energies are found together.
STATES = 128


class DenseMemory(AssociativeMemory):
    r"""Dense associative memory with a polynomial, exponential or softmax separation.

    Parameters
    ----------
    separation : {"softmax", "polynomial", "exponential"}, default="softmax"
        How steeply a pattern's part in the energy grows with its agreement with the state.
    degree : int, default=3
        Degree of the polynomial, at least 2; 2 is Hopfield's memory, but for its diagonal.
    beta : float, default=1.0
        Inverse temperature of the softmax, above 0. The larger, the more only the nearest pattern
        counts.
    n_steps : int, default=1
        Sweeps over the units at most, or softmax steps. Sweeps end when no unit flips.
    update : {"asynchronous", "synchronous"}, default="asynchronous"
        Whether units of a sweep flip one after the other, from the first to the last, so that the
        energy never rises, or all at once. The softmax always updates all at once.
    n_winners : int, optional
        With the softmax: recall so many units of largest retrieved value, the lower index first
        among equals. By default those with a probability above 0.5.
    values : {"binary", "real"}, default="binary"
        With the softmax also ``"real"``: patterns, cues and what is recalled are then arrays of
        finite real numbers, which take the place of binary codes in every check.
    dtype : {"float32", "float64"}, default="float32"
        Type the softmax computes in, and real patterns are kept in.

    Attributes
    ----------
    n_stored : int
        Number of patterns that were presented.
    unit_shape : tuple of int or None
        Shape of the units of patterns.

    Raises
    ------
    ValueError, TypeError
        If a parameter lies outside its limits, or one is given to a separation without use for it.

    Notes
    -----
    With patterns :math:`\xi^\mu` and states :math:`\sigma` of :math:`\pm 1` for active and silent
    units, over :math:`N` units:

    - ``"polynomial"``: :math:`E = -\sum_\mu (\xi^\mu \cdot \sigma)^n` (Krotov and Hopfield 2016,
      equation 1). A unit flips where that lowers the energy (their equation 3). With an even degree
      the complement of a pattern is a memory too. Random patterns are recalled without error up to
      about :math:`N^{n-1} / (2 (2n - 3)!! \ln N)` (their equation 7).
    - ``"exponential"``: :math:`E = -\sum_\mu e^{\xi^\mu \cdot \sigma}`, up to about
      :math:`2^{N/2}` patterns (Demircigil et al. 2017, theorem 3). Exponentials are taken relative
      to the nearest pattern, in float64.
    - ``"softmax"``: :math:`\sigma' = X\, \mathrm{softmax}(\beta X^\top \sigma)` (Ramsauer et al.
      2021, equation 3), which lowers
      :math:`-\beta^{-1} \ln \sum_\mu e^{\beta \xi^\mu \cdot \sigma} + \|\sigma\|^2 / 2`.

    One warning says when a memory first holds more than its limit of patterns.

    *Familiarity* is the largest, over stored patterns, of the number of units shared with the cue
    over the larger number of active units: 1 if the cue is stored, 0 if it shares no unit. With
    real values it is the cosine of the cue and what it recalls, or 0 if that is negative.

    Binary patterns are kept as bits, ``n_units / 8`` bytes each; sweeps keep a transposed copy as
    well from the first recall on. A sweep takes a step per unit and pattern, a softmax two products
    of matrices, in tiles: scores of all cues and all patterns are never held together.

    Left out: rectified polynomials, learned patterns, and attention with learned projections.

    References
    ----------
    D. Krotov, J. J. Hopfield. Dense associative memory for pattern recognition. NeurIPS 2016.

    M. Demircigil, J. Heusel, M. Löwe, S. Upgang, F. Vermet. On a model of associative memory with
    huge storage capacity. Journal of Statistical Physics 168, 2017.

    H. Ramsauer et al. Hopfield networks is all you need. ICLR 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from memory.dense import DenseMemory
    >>> patterns = np.random.default_rng(0).integers(2, size=(1000, 64))
    >>> memory = DenseMemory("exponential")
    >>> _ = memory.store(patterns)  # 1,000 patterns in 64 units
    >>> noisy = patterns.copy()
    >>> noisy[:, :6] = 1 - noisy[:, :6]
    >>> bool((memory.recall(noisy).code.to_dense() == patterns).all())
    True
    """

    _parameters: ClassVar[tuple[str, ...]] = (
        "separation", "degree", "beta", "n_steps", "update", "n_winners", "values", "dtype",
    )  # fmt: skip

    def __init__(
        self,
        separation: str = "softmax",
        *,
        degree: int = 3,
        beta: float = 1.0,
        n_steps: int = 1,
        update: str = "asynchronous",
        n_winners: int | None = None,
        values: str = "binary",
        dtype: str = "float32",
    ) -> None:
        known = ("softmax", "polynomial", "exponential")
        self.separation = check_option("separation", separation, known)
        self.degree = check_count("degree", degree, minimum=2)
        self.beta = check_positive("beta", beta)
        self.n_steps = check_count("n_steps", n_steps)
        self.update = check_option("update", update, ("asynchronous", "synchronous"))
        self.n_winners = None if n_winners is None else check_count("n_winners", n_winners)
        self.values = check_option("values", values, ("binary", "real"))
        self.dtype = check_option("dtype", dtype, ("float32", "float64"))
        if separation != "softmax" and (values == "real" or n_winners is not None):
            raise ValueError(
                'values="real" and n_winners must go with separation="softmax"; got '
                f"{separation!r}."
            )
        if values == "real" and n_winners is not None:
            raise ValueError('n_winners must go with values="binary"; got "real".')
        self._rows: list[np.ndarray] = []
        self._columns: np.ndarray | None = None
        self._n_active = np.empty(0, np.int64)

    @property
    def n_weights(self) -> int:
        """Number of stored values, one for each unit of each pattern."""
        return self.n_stored * prod(self.unit_shape or ())

    @property
    def nbytes(self) -> int:
        """Bytes of the patterns, without the transposed copy that sweeps make of them."""
        return sum(rows.nbytes for rows in self._rows) + self._n_active.nbytes

    def store(self, patterns: Any) -> SparseCode:
        """Keep every pattern.

        Parameters
        ----------
        patterns : SparseCode, array-like or sparse array of shape (n_samples, n_units)
            Binary; with ``values="real"`` an array of finite real numbers.

        Returns
        -------
        SparseCode
            The patterns; with ``values="real"`` a real code.

        Raises
        ------
        ValueError, TypeError
            If the patterns are not binary (real), or not over the units of those before.

        Warns
        -----
        UserWarning
            When the memory first holds more patterns than it recalls without error.
        """
        if self.values == "real":
            X = self._check_real("patterns", patterns)
            code, rows = SparseCode.from_dense(X), X.copy()
        else:
            code = self._check_patterns(patterns)
            rows = pack_rows(code)
        if code.n_samples == 0:
            return code
        if self.n_winners is not None:
            check_count("n_winners", self.n_winners, maximum=code.n_units)
        self.unit_shape, self._columns = code.unit_shape, None
        self._rows.append(rows)
        self._n_active = np.concatenate([self._n_active, code.n_active])
        self._count(code.n_samples)
        return code

    def recall(self, cues: Any, *, n_threads: int | None = None) -> Recall:
        """Let every cue settle to a pattern.

        Parameters
        ----------
        cues : SparseCode, array-like or sparse array of shape (n_samples, n_units)
            Binary, over the units of the patterns; with ``values="real"`` an array.
        n_threads : int, optional
            Threads at most; by default all that Numba may use. Answers do not depend on it.

        Returns
        -------
        Recall
            Binary codes, where cues without an active unit recall none; with ``values="real"``
            real codes.

        Raises
        ------
        ValueError, TypeError
            If the cues are not binary (real), or not over the units of the patterns.
        sklearn.exceptions.NotFittedError
            Before anything is stored.
        """
        cues = self._check(cues)
        if self.values == "real":
            retrieved = self._retrieve(cues, n_threads)
            found = SparseCode.from_dense(retrieved, self.unit_shape)
            return Recall(found, _cosines(cues, retrieved), found)
        if self.separation == "softmax":
            bits = self._decide(self._retrieve(_signs(cues, self.dtype), n_threads))
        else:
            bits = self._settle(cues, n_threads)
        bits[cues.n_active == 0] = False
        found = SparseCode.from_dense(bits, self.unit_shape)
        return Recall(found, self._familiarity(cues, n_threads), found)

    def retrieve(self, cues: Any, *, n_threads: int | None = None) -> np.ndarray:
        """Return the states that the softmax retrieves, before they become binary.

        Parameters
        ----------
        cues : SparseCode, array-like or sparse array of shape (n_samples, n_units)
            As for :meth:`recall`.
        n_threads : int, optional
            Threads at most; by default all that Numba may use. The result does not depend on it.

        Returns
        -------
        ndarray of shape (n_samples, n_units)
            Means of the patterns, weighed by the softmax; those of binary patterns lie between -1,
            silent, and 1, active.

        Raises
        ------
        ValueError, TypeError
            As :meth:`recall`; and if the separation is not the softmax.
        sklearn.exceptions.NotFittedError
            Before anything is stored.
        """
        if self.separation != "softmax":
            raise ValueError(
                f'separation must be "softmax" to retrieve states; got {self.separation!r}. '
                "Call recall."
            )
        cues = self._check(cues)
        return self._retrieve(
            cues if self.values == "real" else _signs(cues, self.dtype), n_threads
        )

    def energy(self, states: Any) -> np.ndarray:
        r"""Return the energy of states.

        Parameters
        ----------
        states : SparseCode, array-like or sparse array of shape (n_samples, n_units)
            As the cues of :meth:`recall`.

        Returns
        -------
        ndarray of float64, shape (n_samples,)
            Of the polynomial in units of :math:`N^n`; of the exponential the logarithm,
            :math:`-\ln \sum_\mu e^{\xi^\mu \cdot \sigma}`, which rises and falls with it; of the
            softmax without the constants of its source.

        Raises
        ------
        ValueError, TypeError
            As :meth:`recall`.
        sklearn.exceptions.NotFittedError
            Before anything is stored.
        """
        checked = self._check(states)
        X = checked.astype(np.float64) if self.values == "real" else _signs(checked, "float64")
        energies = np.empty(len(X))
        with threads():
            for first in range(0, len(X), STATES):
                energies[first : first + STATES] = self._energy(X[first : first + STATES])
        return energies

    def _energy(self, X: np.ndarray) -> np.ndarray:
        """Return the energy of some states of float64."""
        if self.separation == "polynomial":
            powers = np.zeros(len(X))
            for first in range(0, self.n_stored, STATES):
                agreements = X @ self._signed(first, first + STATES).T
                powers += ((agreements / X.shape[1]) ** self.degree).sum(axis=1)
            return -powers
        beta = self.beta if self.separation == "softmax" else 1.0
        sums = -log_sums(self._signed, self.n_stored, X, beta) / beta
        return sums + (0.5 * (X**2).sum(axis=1) if self.separation == "softmax" else 0.0)

    def _check(self, cues: Any) -> Any:
        """Return cues: a code, or with real values an array."""
        if self.values == "binary" or not self.n_stored:
            return self._check_cues(cues)  # which also says that nothing is stored
        return self._check_real("cues", cues)

    def _check_real(self, name: str, X: Any) -> np.ndarray:
        """Return real numbers over the units of what is stored."""
        if isinstance(X, SparseCode):
            X = X.to_dense()
        X = check_data(X, name=name, dtype=self.dtype)
        if self.unit_shape is not None and X.shape[1:] != self.unit_shape:
            raise ValueError(
                f"{name} must have shape (n_samples, {self.unit_shape[0]}), like the stored "
                f"patterns; got {X.shape}."
            )
        if X.shape[1] == 0:
            raise ValueError(f"{name} must have a unit at least; got {X.shape}.")
        return X

    def _count(self, n_new: int) -> None:
        """Count patterns, and say when they first exceed the limit of the model."""
        before, self.n_stored = self.n_stored, self.n_stored + n_new
        limit = _log_capacity(self.separation, prod(self.unit_shape or ()), self.degree)
        if before <= math.exp(min(limit, 700.0)) < self.n_stored:
            warnings.warn(
                f"a {self.separation} memory of {prod(self.unit_shape or ())} units recalls about "
                f"{math.exp(limit):.0f} random patterns without error; it holds {self.n_stored}. "
                "Use more units or a steeper separation.",
                UserWarning,
                stacklevel=3,
            )

    def _stored(self) -> np.ndarray:
        """Return all patterns in one array."""
        if len(self._rows) > 1:
            self._rows = [np.concatenate(self._rows)]
        return self._rows[0]

    def _floats(self, first: int, stop: int) -> np.ndarray:
        """Return stored patterns as floats: real values, or bits as 0 and 1."""
        rows = self._rows[0][first:stop]
        if self.values == "real":
            return rows
        return unpack_rows(rows, prod(self.unit_shape or ())).astype(self.dtype)

    def _signed(self, first: int, stop: int) -> np.ndarray:
        """Return stored patterns as float64: real values, or bits as -1 and 1."""
        self._stored()
        X = self._floats(first, stop).astype(np.float64)
        return X if self.values == "real" else 2.0 * X - 1.0

    def _retrieve(self, states: np.ndarray, n_threads: int | None) -> np.ndarray:
        """Return states after the softmax steps.

        With bits of 0 and 1 for patterns of -1 and 1, scores are half as large, but for a number
        that all patterns of a state have in common.
        """
        binary = self.values == "binary"
        self._stored()
        with threads(n_threads) as width:
            for _ in range(self.n_steps):
                beta = 2.0 * self.beta if binary else self.beta
                states = attend(self._floats, self.n_stored, states, beta, width)
                if binary:
                    states *= 2.0
                    states -= 1.0
        return states

    def _decide(self, states: np.ndarray) -> np.ndarray:
        """Return which units are recalled, as bool."""
        if self.n_winners is None:
            return states > 0
        order = np.argsort(-states, axis=1, kind="stable")[:, : self.n_winners]
        bits = np.zeros(states.shape, bool)
        np.put_along_axis(bits, order, True, axis=1)
        return bits

    def _settle(self, cues: SparseCode, n_threads: int | None) -> np.ndarray:
        """Return the bits of cues after sweeps."""
        states = cues.to_dense().reshape(cues.shape).astype(np.uint8)
        if self._columns is None:
            self._columns = _transpose(self._stored(), cues.n_units)
        columns, relative = self._columns, self.separation == "exponential"
        table = _gains(self.separation, cues.n_units, self.degree)

        def settle(first: int) -> None:
            n = self.n_stored
            descend(
                columns, table, relative, self.update == "asynchronous", self.n_steps,
                states[first : first + CUES], np.empty(n, np.int64), np.empty(n), np.empty(n),
                np.empty(cues.n_units, np.int64),
            )  # fmt: skip

        with threads(n_threads) as width:
            map_tiles(settle, list(range(0, cues.n_samples, CUES)), width)
        return states.astype(bool)

    def _familiarity(self, cues: SparseCode, n_threads: int | None) -> np.ndarray:
        """Return the largest share of units that each cue has in common with a pattern."""
        words, n_active = pack_rows(cues), cues.n_active
        rows, shares = self._stored(), np.zeros(cues.n_samples)

        def share(first: int) -> None:
            here = slice(first, first + CUES)
            largest_shares(rows, self._n_active, words[here], n_active[here], shares[here])

        with threads(n_threads) as width:
            map_tiles(share, list(range(0, cues.n_samples, CUES)), width)
        return shares

    def _arrays(self) -> dict[str, np.ndarray]:
        return {"rows": self._stored(), "n_active": self._n_active}

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        n_units = prod(self.unit_shape or ())
        real = self.values == "real"
        shape = self.n_stored, n_units if real else -(-n_units // 64)
        rows = np.array(arrays["rows"])
        if rows.shape != shape or rows.dtype != (self.dtype if real else np.uint64):
            raise ValueError("rows of another form")
        if arrays["n_active"].shape != shape[:1]:
            raise ValueError("another number of patterns")
        self._rows, self._n_active = [rows], np.array(arrays["n_active"], np.int64)


def _signs(cues: SparseCode, dtype: Any) -> np.ndarray:
    """Return a binary code as an array of -1 and 1."""
    dense = cues.to_dense().reshape(cues.shape).astype(dtype)
    dense *= 2.0
    dense -= 1.0
    return dense


def _cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the cosine of rows where it is positive, and 0 elsewhere."""
    lengths = np.linalg.norm(a, axis=1).astype(np.float64) * np.linalg.norm(b, axis=1)
    products = np.einsum("ij,ij->i", a, b, dtype=np.float64)
    return np.clip(products / np.where(lengths > 0, lengths, 1.0), 0.0, 1.0)


def _transpose(rows: np.ndarray, n_units: int) -> np.ndarray:
    """Return the bits of patterns unit by unit, shape (n_units, ceil(n_patterns / 64))."""
    columns = np.empty((n_units, -(-len(rows) // 64)), np.uint64)
    for first in range(0, len(rows), TRANSPOSED):
        bits = unpack_rows(rows[first : first + TRANSPOSED], n_units)
        words = pack_bits(np.ascontiguousarray(bits.T))
        columns[:, first // 64 : first // 64 + words.shape[1]] = words
    return columns


def _gains(separation: str, n_units: int, degree: int) -> np.ndarray:
    """Return at place d + 1 what a pattern at distance d adds to the energy if one more unit errs.

    Place d is then what it takes away if a unit that errs is put right. Polynomials are computed
    in integers, and divided by their largest value unless that is exact in float64; exponentials
    are relative to the nearest pattern, at place 1.
    """
    if separation == "exponential":
        return np.exp(2.0 - 2.0 * np.arange(n_units + 2))
    unit = 1 if n_units**degree < 2**53 else n_units**degree
    agreements = range(n_units, -n_units, -2)
    gains = [(h**degree - (h - 2) ** degree) / unit for h in agreements]
    return np.array([0.0, *gains, 0.0])


def _log_capacity(separation: str, n_units: int, degree: int) -> float:
    """Return the logarithm of the number of random patterns recalled without error."""
    if separation == "exponential":
        return 0.5 * n_units * math.log(2.0)
    if separation == "softmax" or n_units < 2:
        return math.inf
    odd = math.prod(range(2 * degree - 3, 0, -2))
    return (degree - 1) * math.log(n_units) - math.log(2.0 * odd * math.log(n_units))
