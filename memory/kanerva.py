"""`SparseDistributedMemory`: Kanerva's memory of hard locations that are written to in crowds."""

from __future__ import annotations

import warnings
from math import prod
from typing import Any, ClassVar

import numpy as np
from scipy import stats

from memory._kanerva_kernels import read_words, write_words
from memory._protocol import AssociativeMemory, Recall
from memory._words import pack_bits, pack_rows
from sparsecode._jit import threads
from sparsecode._parallel import map_tiles, tiles_of
from sparsecode._validation import check_count, check_option
from sparsecode.core._checks import as_binary_code, check_code
from sparsecode.core.code import SparseCode

__all__ = ["SparseDistributedMemory"]

#: Locations that a thread writes to at a time, and words that are written to them together.
LOCATIONS, WRITTEN = 4096, 256
#: Cues that are read together, each location being fetched once for all of them.
CUES = 32
#: Addresses of few active units that are drawn together.
DRAWN = 1024


class SparseDistributedMemory(AssociativeMemory):
    r"""Kanerva's sparse distributed memory.

    A fixed set of *hard locations* has random addresses. A word activates the locations whose
    addresses are near, writes :math:`\pm 1` to their counters, and is read by adding the counters
    of the locations that are active and taking the sign.

    Parameters
    ----------
    n_locations : int
        Number of hard locations :math:`N'`.
    radius : int, optional
        Hamming distance up to which a location is active. The locations that are active are a
        share ``scipy.stats.binom.cdf(radius, n_units, 0.5)`` of all. Either this, or
        `n_address_units` and `threshold`, must be given.
    n_address_units : int, optional
        Number of active units of each address, for sparse patterns.
    threshold : int, optional
        Units that an address with `n_address_units` must share with a word to be active.
    n_winners : int, optional
        Recall so many units with the largest sums, the lower index first among equals, as suits
        sparse patterns. By default the units with a sum above 0.
    counter_dtype : {"int8", "int16", "int32"}, default="int16"
        Type of the counters, which stop at plus and minus the largest number it holds.
    max_iter : int, default=1
        A word that was read serves as the next cue until it stays the same, so often at most.
        1 reads once. Words with targets are always read once.
    random_state : int, optional
        Seed of the addresses, which are drawn at the first `store`. By default they differ from
        memory to memory.

    Attributes
    ----------
    n_stored : int
        Number of patterns that were written.
    unit_shape : tuple of int or None
        Shape of the units of patterns.

    Raises
    ------
    ValueError, TypeError
        If a parameter lies outside its limits, or the rule of activation is given twice or not.

    Notes
    -----
    With addresses :math:`a_i`, words :math:`x` and targets :math:`y` of 0 and 1, the counters are

    .. math:: C_{ij} = \sum_{\mu : d(a_i, x^\mu) \le r} (2 y^\mu_j - 1)

    and a cue :math:`x` recalls unit :math:`j` where
    :math:`\sum_{i : d(a_i, x) \le r} C_{ij} > 0` (Kanerva 1988, chapters 4 to 7). With
    `n_address_units` the condition is that address and word share `threshold` units instead
    (Jaeckel's and Kanerva's variants with few address bits, here for sparse words).

    *Familiarity* of a pattern is how much of the cue comes back: with `radius`
    :math:`\max(0, 1 - 2 d / n)` for a recalled word at the distance :math:`d` of the cue among
    :math:`n` units, with `threshold` the units in common over the larger number of active units.
    The memory keeps no words to compare a cue with, so that one which is a fixed point of the
    reading by accident appears familiar. Where words have targets, it is how unanimous the active
    locations are: the mean magnitude of the sums over the number of writes that they add up. It is
    0 for a cue that is empty, reaches no location that was written to, or recalls nothing.

    The memory takes ``n_locations * n_target_units`` counters, ``n_units / 8`` bytes for each
    address and 8 for its number of writes: 200 MB for 100,000 locations and 1,000 units. Writing
    and reading compare a word with every address. Random words of half the units can be read
    until about :math:`N' / \Phi^{-1}(2^{-1/n})^2` are stored, a tenth of the locations for
    1,000 units (Kanerva 1988, chapter 7); one warning says when that is exceeded.

    Left out: addresses that adapt to the words, and locations that are chosen by reading a few of
    their address bits.

    References
    ----------
    P. Kanerva. Sparse Distributed Memory. MIT Press, 1988.

    Examples
    --------
    >>> import numpy as np
    >>> from memory.kanerva import SparseDistributedMemory
    >>> words = np.random.default_rng(0).integers(2, size=(20, 256))
    >>> memory = SparseDistributedMemory(2000, radius=112, random_state=0)
    >>> _ = memory.store(words)
    >>> noisy = words.copy()
    >>> noisy[:, :20] = 1 - noisy[:, :20]
    >>> bool((memory.recall(noisy).code.to_dense() == words).all())
    True
    """

    _parameters: ClassVar[tuple[str, ...]] = (
        "n_locations", "radius", "n_address_units", "threshold", "n_winners", "counter_dtype",
        "max_iter", "random_state",
    )  # fmt: skip

    def __init__(
        self,
        n_locations: int,
        *,
        radius: int | None = None,
        n_address_units: int | None = None,
        threshold: int | None = None,
        n_winners: int | None = None,
        counter_dtype: str = "int16",
        max_iter: int = 1,
        random_state: int | None = None,
    ) -> None:
        self.n_locations = check_count("n_locations", n_locations)
        self.radius = _optional("radius", radius, 0)
        self.n_address_units = _optional("n_address_units", n_address_units, 1)
        self.threshold = _optional("threshold", threshold, 1)
        self.n_winners = _optional("n_winners", n_winners, 1)
        self.counter_dtype = check_option("counter_dtype", counter_dtype, COUNTERS)
        self.max_iter = check_count("max_iter", max_iter)
        self.random_state = _optional("random_state", random_state, 0)
        both = n_address_units is not None and threshold is not None
        neither = n_address_units is None and threshold is None
        if not (neither if radius is not None else both):
            raise ValueError(
                "radius, or n_address_units and threshold, must say which locations are active; "
                f"got radius={radius}, n_address_units={n_address_units}, threshold={threshold}."
            )
        self.target_shape: tuple[int, ...] | None = None
        self._addresses = np.empty((0, 0), np.uint64)
        self._counters = np.empty((0, 0), counter_dtype)
        self._n_writes = np.empty(0, np.int64)

    @property
    def n_weights(self) -> int:
        """Number of counters; 0 before the first pattern."""
        return self._counters.size

    @property
    def nbytes(self) -> int:
        """Bytes of counters, addresses and numbers of writes."""
        return self._counters.nbytes + self._addresses.nbytes + self._n_writes.nbytes

    def store(
        self, patterns: Any, targets: Any = None, *, n_threads: int | None = None
    ) -> SparseCode:
        """Write every pattern once, or under each pattern the target that it is to recall.

        Parameters
        ----------
        patterns : SparseCode, array-like or sparse array of shape (n_samples, n_units)
            Binary words, which choose the locations.
        targets : SparseCode, array-like or sparse array of shape (n_samples, n_targets), optional
            Binary words to be written there; by default the patterns themselves. The first batch
            decides whether a memory has targets.
        n_threads : int, optional
            Threads at most; by default all that Numba may use. The memory does not depend on it.

        Returns
        -------
        SparseCode
            The targets, or the patterns if there are none.

        Raises
        ------
        ValueError, TypeError
            If they are not binary, not over the units of those before, or differ in number.

        Warns
        -----
        UserWarning
            When the memory first holds more than Kanerva's capacity.
        """
        code = self._check_patterns(patterns)
        wanted = code if targets is None else self._check_targets(targets, code.n_samples)
        if self.n_stored and (targets is None) != (self.target_shape is None):
            raise ValueError(
                f"targets must be given for {'all' if targets is None else 'no'} patterns, as for "
                "those before; use another memory."
            )
        if code.n_samples == 0:
            return wanted
        with threads(n_threads) as width:
            if not self.n_stored:
                self._prepare(code, None if targets is None else wanted)
            for first in range(0, code.n_samples, WRITTEN):
                self._write(code[first : first + WRITTEN], wanted[first : first + WRITTEN], width)
        self._count(code.n_samples)
        return wanted

    def recall(self, cues: Any, *, n_threads: int | None = None) -> Recall:
        """Read the word that every cue leads to.

        Parameters
        ----------
        cues : SparseCode, array-like or sparse array of shape (n_samples, n_units)
            Binary, over the units of the patterns.
        n_threads : int, optional
            Threads at most; by default all that Numba may use. Answers do not depend on it.

        Returns
        -------
        Recall
            A cue without an active unit recalls none. Where words have targets, `pattern` holds
            the cues as they came, for this memory keeps only targets.

        Raises
        ------
        ValueError, TypeError
            If the cues are not binary, or not over the units of the patterns.
        sklearn.exceptions.NotFittedError
            Before anything is stored.
        """
        code = self._check_cues(cues)
        tiles = [slice(first, first + CUES) for first in range(0, code.n_samples, CUES)]
        shape = code.unit_shape if self.target_shape is None else self.target_shape
        bits = np.zeros((code.n_samples, prod(shape)), bool)
        familiarity = np.zeros(code.n_samples)

        def read(rows: slice) -> None:
            bits[rows], familiarity[rows] = self._read(code[rows])

        with threads(n_threads) as width:
            map_tiles(read, tiles, width)
        found = SparseCode.from_dense(bits, shape)
        return Recall(found, familiarity, found if self.target_shape is None else code)

    def _check_targets(self, targets: Any, n_samples: int) -> SparseCode:
        """Return binary targets, one for each pattern."""
        code = as_binary_code("targets", targets)
        if self.target_shape is not None:
            check_code("targets", code, unit_shape=self.target_shape, whose="the stored targets")
        if code.n_samples != n_samples:
            raise ValueError(
                f"targets must have {n_samples} rows, one for each pattern; got {code.n_samples}."
            )
        return code

    def _prepare(self, code: SparseCode, targets: SparseCode | None) -> None:
        """Draw the addresses and clear the counters."""
        n_targets = code.n_units if targets is None else targets.n_units
        for name, n_wanted, n_units in (
            ("n_address_units", self.n_address_units, code.n_units),
            ("n_winners", self.n_winners, n_targets),
            ("radius", self.radius, code.n_units),
        ):
            if n_wanted is not None and n_wanted > n_units:
                raise ValueError(
                    f"{name} must be at most {n_units}, the units there are; got {n_wanted}."
                )
        rng = np.random.default_rng(self.random_state)
        self._addresses = _draw(rng, self.n_locations, code.n_units, self.n_address_units)
        self._counters = np.zeros((self.n_locations, n_targets), self.counter_dtype)
        self._n_writes = np.zeros(self.n_locations, np.int64)
        self.unit_shape = code.unit_shape
        self.target_shape = None if targets is None else targets.unit_shape

    def _radii(self, n_active: np.ndarray) -> np.ndarray:
        """Return the Hamming distance up to which each word reaches an address.

        Sharing `threshold` units is being near, for words of known numbers of active units.
        """
        if self.radius is not None:
            return np.full(n_active.size, self.radius, np.int64)
        assert self.n_address_units is not None
        assert self.threshold is not None
        return np.asarray(n_active + self.n_address_units - 2 * self.threshold, np.int64)

    def _write(self, code: SparseCode, targets: SparseCode, n_threads: int) -> None:
        """Write some words, each thread to locations of its own and so in the order of words."""
        words, radii = pack_rows(code), self._radii(code.n_active)
        signs = 2 * targets.to_dense().reshape(targets.shape).astype(np.int8) - 1
        limit = int(np.iinfo(self._counters.dtype).max)

        def write(rows: slice) -> None:
            write_words(
                self._addresses, rows.start, min(rows.stop, self.n_locations), words, radii, signs,
                limit, self._counters, self._n_writes,
            )  # fmt: skip

        map_tiles(write, tiles_of(self.n_locations, LOCATIONS), n_threads)

    def _count(self, n_new: int) -> None:
        """Count words, and say when they first exceed the capacity."""
        before, self.n_stored = self.n_stored, self.n_stored + n_new
        capacity = self.n_locations / stats.norm.ppf(0.5 ** (1 / self._counters.shape[1])) ** 2
        if self.radius is not None and before <= capacity < self.n_stored:
            warnings.warn(
                f"a memory of {self.n_locations} locations reads about {capacity:.0f} random words "
                f"without error; it holds {self.n_stored}. Use more locations.",
                UserWarning,
                stacklevel=3,
            )

    def _read(self, cues: SparseCode) -> tuple[np.ndarray, np.ndarray]:
        """Return the bits that some cues recall, and their familiarity."""
        words, known = pack_rows(cues), cues.n_active > 0
        sums, written = self._sum(words, cues.n_active)
        bits = self._decide(sums) & known[:, None] & (written > 0)[:, None]
        if self.target_shape is not None:
            share = np.abs(sums).mean(axis=1) / np.maximum(written, 1)
            return bits, np.where(bits.any(axis=1), share, 0.0)
        moving = np.flatnonzero(known)
        for _ in range(self.max_iter - 1):
            found = pack_bits(bits[moving])
            moved = (found != words[moving]).any(axis=1) & found.any(axis=1)
            moving = moving[moved]
            if moving.size == 0:
                break
            words[moving] = found[moved]
            sums, written = self._sum(words[moving], bits[moving].sum(axis=1))
            bits[moving] = self._decide(sums) & (written > 0)[:, None]
        return bits, self._familiarity(cues, bits)

    def _sum(self, words: np.ndarray, n_active: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the sums of the counters that words reach, and the writes that made them."""
        limit = int(np.iinfo(self._counters.dtype).max)
        is_small = self.n_locations * min(self.n_stored, limit) < 2**31
        dtype = np.int32 if is_small else np.int64
        sums = np.zeros((len(words), self._counters.shape[1]), dtype)
        written = np.zeros(len(words), np.int64)
        radii = self._radii(n_active)
        read_words(self._addresses, words, radii, self._counters, self._n_writes, sums, written)
        return sums, written

    def _decide(self, sums: np.ndarray) -> np.ndarray:
        """Return which units are recalled, as bool."""
        if self.n_winners is None:
            return sums > 0
        n_units = sums.shape[1]
        keys = np.arange(n_units) - sums.astype(np.int64) * n_units  # all different
        winners = np.argpartition(keys, self.n_winners - 1, axis=1)[:, : self.n_winners]
        bits = np.zeros(sums.shape, bool)
        np.put_along_axis(bits, winners, True, axis=1)
        return bits

    def _familiarity(self, cues: SparseCode, bits: np.ndarray) -> np.ndarray:
        """Return how much of each cue came back."""
        given = cues.to_dense().reshape(cues.shape)
        if self.radius is not None:
            share = np.maximum(1 - 2 * (given != bits).mean(axis=1), 0.0)
        else:
            most = np.maximum(given.sum(axis=1), bits.sum(axis=1))
            share = (given & bits).sum(axis=1) / np.maximum(most, 1)
        return np.where(given.any(axis=1) & bits.any(axis=1), share, 0.0)

    def _arrays(self) -> dict[str, np.ndarray]:
        shape = () if self.target_shape is None else self.target_shape
        return {
            "addresses": self._addresses,
            "counters": self._counters,
            "n_writes": self._n_writes,
            "target_shape": np.array(shape, np.int64),
        }

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        n_units = prod(self.unit_shape or ())
        shape = tuple(int(size) for size in arrays["target_shape"])
        self.target_shape = shape or None
        wanted = {
            "addresses": ((self.n_locations, -(-n_units // 64)), np.dtype(np.uint64)),
            "counters": (
                (self.n_locations, prod(shape) if shape else n_units),
                np.dtype(self.counter_dtype),
            ),
            "n_writes": ((self.n_locations,), np.dtype(np.int64)),
        }
        for name, form in wanted.items():
            if (arrays[name].shape, arrays[name].dtype) != form:
                raise ValueError(f"{name} of another form")
            setattr(self, f"_{name}", np.array(arrays[name]))


#: Types of counters.
COUNTERS = ("int8", "int16", "int32")


def _optional(name: str, value: Any, minimum: int) -> int | None:
    return None if value is None else check_count(name, value, minimum=minimum)


def _draw(
    rng: np.random.Generator, n_locations: int, n_units: int, n_active: int | None
) -> np.ndarray:
    """Return random addresses as words: uniform bits, or uniform subsets of `n_active` units."""
    shape = n_locations, -(-n_units // 64)
    if n_active is None:
        words = rng.integers(2**64, size=shape, dtype=np.uint64)
        words[:, -1] &= np.uint64(2 ** (n_units - 64 * (shape[1] - 1)) - 1)
        return words
    words = np.empty(shape, np.uint64)
    for first in range(0, n_locations, DRAWN):
        ranks = rng.random((min(DRAWN, n_locations - first), n_units))
        bits = np.zeros(ranks.shape, bool)
        chosen = np.argpartition(ranks, n_active - 1, axis=1)[:, :n_active]
        np.put_along_axis(bits, chosen, True, axis=1)
        words[first : first + DRAWN] = pack_bits(bits)
    return words
