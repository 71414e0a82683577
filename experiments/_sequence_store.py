"""Whole sequences as the items of an associative memory, so that its capacity can be searched."""

from __future__ import annotations

from typing import Any

import numpy as np

from memory import Recall, Sparsey
from memory._protocol import AssociativeMemory
from sparsecode.core.code import SparseCode

__all__ = ["SequenceStore"]


class SequenceStore(AssociativeMemory):
    """A mac whose patterns are sequences, a row for each with its frames one after another.

    A cue is a row too, of which the first frame alone is shown. It lives for one search, and is
    never saved.
    """

    def __init__(self, mac: Sparsey, n_frames: int) -> None:
        self.mac = mac
        self.n_frames = n_frames

    def store(self, patterns: Any) -> SparseCode:
        """Store every sequence once, and return its codes, a row for each sequence."""
        rows = self._check_patterns(patterns)
        self.unit_shape = rows.unit_shape
        codes = [self.mac.store_sequence(frames) for frames in self._frames(rows)]
        self.n_stored += rows.n_samples
        return self._rows(codes)

    def recall(self, cues: Any) -> Recall:
        """Return the codes and frames that follow from each first frame."""
        rows = self._check_cues(cues)
        found = [
            self.mac.recall_sequence(frames[:1], self.n_frames) for frames in self._frames(rows)
        ]
        return Recall(
            self._rows([one.code for one in found]),
            np.array([one.familiarity.mean() for one in found]),
            self._rows([one.pattern for one in found]),
        )

    def _frames(self, rows: SparseCode) -> list[SparseCode]:
        """Return the frames of each row."""
        n_units = rows.n_units // self.n_frames
        sequence, unit = np.divmod(rows.indices, n_units)
        frame = np.repeat(np.arange(rows.n_samples), np.diff(rows.indptr)) * self.n_frames
        counts = np.bincount(frame + sequence, minlength=rows.n_samples * self.n_frames)
        code = SparseCode(np.concatenate([[0], np.cumsum(counts)]), unit, None, (n_units,))
        return [code[i : i + self.n_frames] for i in range(0, code.n_samples, self.n_frames)]

    def _rows(self, codes: list[SparseCode]) -> SparseCode:
        """Return each sequence of codes as one row."""
        dense = np.array([one.to_dense().reshape(-1) for one in codes])
        return SparseCode.from_dense(dense)

    @property
    def n_weights(self) -> int:
        """Weights of the mac."""
        return self.mac.n_weights

    @property
    def nbytes(self) -> int:
        """Bytes of the mac."""
        return self.mac.nbytes

    def _arrays(self) -> dict[str, np.ndarray]:
        raise NotImplementedError

    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        raise NotImplementedError
