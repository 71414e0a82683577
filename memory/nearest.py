"""`NearestPattern`: the stored pattern nearest to a cue, the oracle for other memories."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from memory._protocol import AssociativeMemory, Recall
from sparsecode._validation import check_option
from sparsecode.core.code import SparseCode
from sparsecode.core.index import OverlapIndex

__all__ = ["NearestPattern"]

#: Overlaps of cues and stored patterns that are held at a time.
_HELD = 2**22


class NearestPattern(AssociativeMemory):
    r"""Keep every pattern, and recall the one most similar to the cue.

    Parameters
    ----------
    measure : {"overlap", "jaccard"}, default="overlap"
        What makes patterns similar: the number of units active in both cue and pattern, or that
        over the number of units active in either.

    Attributes
    ----------
    n_stored : int
        Number of patterns that were presented.
    unit_shape : tuple of int or None
        Shape of the units of patterns.

    Raises
    ------
    ValueError
        If `measure` is unknown.

    Notes
    -----
    No memory that has to tell random patterns apart does better on average than comparing the cue
    with all of them, so this is the bound for the others: for patterns of one number of active
    units the largest overlap is the most probable pattern, whatever the share of units that noise
    has moved. Among equals the first that was stored is recalled. A cue that shares no unit with
    any pattern recalls nothing.

    *Familiarity* is the overlap over the larger number of active units of cue and pattern, or with
    ``measure="jaccard"`` the Jaccard index: 1 exactly where the cue is the pattern.

    Patterns lie in a :class:`sparsecode.core.OverlapIndex`: 4 bytes for each active unit and 8 for
    each row, and what the index adds to search faster. Each active unit counts as one weight.
    With ``"jaccard"`` a cue is compared with all patterns; with ``"overlap"`` the index prunes.

    Examples
    --------
    >>> from memory.nearest import NearestPattern
    >>> memory = NearestPattern()
    >>> _ = memory.store([[1, 1, 1, 0, 0, 0], [0, 0, 1, 1, 1, 0]])
    >>> found = memory.recall([[0, 0, 0, 1, 1, 1]])
    >>> found.code.to_dense().astype(int)
    array([[0, 0, 1, 1, 1, 0]])
    >>> found.familiarity.round(2)
    array([0.67])
    """

    _parameters: ClassVar[tuple[str, ...]] = ("measure",)

    def __init__(self, measure: str = "overlap") -> None:
        self.measure = check_option("measure", measure, ("overlap", "jaccard"))
        self._index: OverlapIndex | None = None
        self._n_active = np.empty(0, np.int64)

    @property
    def n_weights(self) -> int:
        """Number of active units of all patterns; 0 before the first."""
        return int(self._n_active.sum())

    @property
    def nbytes(self) -> int:
        """Bytes of the rows of all patterns, without what the index adds to search faster."""
        return 4 * self.n_weights + 8 * self.n_stored

    def store(self, patterns: Any) -> SparseCode:
        """Keep every pattern.

        Parameters
        ----------
        patterns : SparseCode, array-like or sparse array of shape (n_samples, n_units)
            Binary. Patterns that are stored already are stored again.

        Returns
        -------
        SparseCode
            The patterns.

        Raises
        ------
        ValueError, TypeError
            If the patterns are not binary, or not over the units of those before.
        """
        code = self._check_patterns(patterns)
        if code.n_samples == 0:
            return code
        if self._index is None:
            self.unit_shape, self._index = code.unit_shape, OverlapIndex(code.unit_shape)
        self._index.add(code)
        self._n_active = np.concatenate([self._n_active, code.n_active])
        self.n_stored += code.n_samples
        return code

    def recall(self, cues: Any, *, n_threads: int | None = None) -> Recall:
        """Find the stored pattern most similar to every cue.

        Parameters
        ----------
        cues : SparseCode, array-like or sparse array of shape (n_samples, n_units)
            Binary, over the units of the patterns.
        n_threads : int, optional
            Threads at most; by default all that Numba may use. Answers do not depend on it.

        Returns
        -------
        Recall
            Nothing, at a familiarity of 0, for a cue that shares no unit with any pattern.

        Raises
        ------
        ValueError, TypeError
            If the cues are not binary, or not over the units of the patterns.
        sklearn.exceptions.NotFittedError
            Before anything is stored.
        """
        code = self._check_cues(cues)
        search = self._largest_overlap if self.measure == "overlap" else self._largest_jaccard
        nearest, familiarity = search(code, n_threads)
        assert self._index is not None  # something is stored
        found = _without(self._index.codes(nearest), familiarity == 0)
        return Recall(found, familiarity, found)

    def _largest_overlap(
        self, code: SparseCode, n_threads: int | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the pattern of largest overlap with each cue, and its share of the larger."""
        assert self._index is not None
        matches = self._index.search(code, k=1, n_threads=n_threads)
        most = np.maximum(code.n_active, self._n_active[matches.ids])
        return matches.ids, matches.overlaps / np.maximum(most, 1)

    def _largest_jaccard(
        self, code: SparseCode, n_threads: int | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the pattern of largest Jaccard index with each cue, and that index."""
        assert self._index is not None
        nearest, largest = np.zeros(len(code), np.int64), np.zeros(len(code))
        height = max(_HELD // self.n_stored, 1)
        for first in range(0, len(code), height):
            cues = code[first : first + height]
            shared = self._index.overlaps(cues, n_threads=n_threads)
            either = cues.n_active[:, None] + self._n_active - shared
            indices = shared / np.maximum(either, 1)  # equal quotients round to equal numbers
            nearest[first : first + height] = indices.argmax(axis=1)
            largest[first : first + height] = indices.max(axis=1)
        return nearest, largest

    def _arrays(self) -> dict[str, np.ndarray]:
        assert self._index is not None
        codes = self._index.codes()
        return {"indptr": codes.indptr, "indices": codes.indices}

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        assert self.unit_shape is not None
        codes = SparseCode(arrays["indptr"], arrays["indices"], None, self.unit_shape)
        if codes.n_samples != self.n_stored:
            raise ValueError("another number of patterns")
        self._index, self._n_active = OverlapIndex(self.unit_shape), codes.n_active
        self._index.add(codes)


def _without(code: SparseCode, empty: np.ndarray) -> SparseCode:
    """Return a code with some rows emptied."""
    kept = np.where(empty, 0, code.n_active)
    indices = code.indices[np.repeat(~empty, code.n_active)]
    indptr = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)
    return SparseCode(indptr, indices, None, code.unit_shape)
