"""Where batches come from: an array drawn in passes, or any stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from itertools import chain
from typing import Any

import numpy as np

from sparsecode._validation import check_count, check_data
from sparsecode.core.code import SparseCode

__all__ = ["ArrayBatches", "LastCodes", "StreamBatches", "open_batches", "too_few"]

#: Rows of the array that a batch consists of (None in a stream), and the batch.
Batch = tuple[np.ndarray | None, Any]


class ArrayBatches:
    """Whole batches of an array, in a new random order at each pass; all of it in its own order.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    batch_size : int or None
        Samples in a batch; None for all.
    n_batches : int or None
        Number of batches; by default `n_passes` over the array.
    n_passes : int
    rng : numpy.random.Generator
        Draws the orders.
    """

    def __init__(
        self,
        X: np.ndarray,
        batch_size: int | None,
        n_batches: int | None,
        n_passes: int,
        rng: np.random.Generator,
    ) -> None:
        if not len(X):
            raise ValueError("X must hold samples to learn from; got none.")
        self.X = self.samples = X
        self.shuffled = batch_size is not None
        self.size = len(X) if batch_size is None else min(batch_size, len(X))
        self.per_pass = len(X) // self.size
        self.n_batches = n_batches or n_passes * self.per_pass
        self.rng = rng
        self.n_samples = len(X)
        self.pass_state: Any = None

    def after(self, n_done: int) -> Iterator[Batch]:
        """Yield the batches that follow the first `n_done`.

        If there are such, the generator must stand where the last pass begun found it, which is
        what `pass_state` held.
        """
        skip = (n_done - 1) % self.per_pass + 1 if n_done else 0
        while True:
            self.pass_state = self.rng.bit_generator.state
            order = np.arange(len(self.X))
            if self.shuffled:
                order = self.rng.permutation(len(self.X))
            for batch in range(skip, self.per_pass):
                rows = order[batch * self.size : (batch + 1) * self.size]
                yield rows, self.X[rows] if self.shuffled else self.X
            skip = 0


class StreamBatches:
    """The batches of an iterable; the first is drawn at once."""

    def __init__(self, batches: Any, n_features: int | None, n_batches: int | None) -> None:
        if not isinstance(batches, Iterable):
            raise TypeError(
                "batches must be an array of shape (n_samples, n_features) or an iterable of "
                f"such; got {type(batches).__name__}."
            )
        if isinstance(batches, Sized) and n_batches is not None and len(batches) < n_batches:
            raise ValueError(too_few(n_batches, len(batches)))
        self.rest = iter(batches)
        try:
            first = next(self.rest)
        except StopIteration:
            raise ValueError("batches must yield at least one batch; it was empty.") from None
        self.samples = check_data(first, n_features=n_features, name="batch 0")
        self.n_batches = n_batches
        self.n_samples = None
        self.pass_state = None  # a generator that the stream draws from moves along with it

    def after(self, n_done: int) -> Iterator[Batch]:
        """Yield the batches that follow the first `n_done`, which are drawn and dropped."""
        stream = chain([self.samples], self.rest)
        for index in range(n_done):
            if next(stream, None) is None:
                raise ValueError(too_few(n_done, index))
        return ((None, batch) for batch in stream)


def open_batches(
    batches: Any,
    *,
    batch_size: int | None,
    n_batches: int | None,
    n_passes: int,
    n_features: int | None,
    rng: np.random.Generator,
) -> ArrayBatches | StreamBatches:
    """Return the source of batches: `batches` is an array of samples, or yields batches."""
    if batch_size is not None:
        batch_size = check_count("batch_size", batch_size)
    if n_batches is not None:
        n_batches = check_count("n_batches", n_batches)
    if isinstance(batches, np.ndarray) and batches.ndim != 3:
        X = check_data(batches, n_features=n_features)
        return ArrayBatches(X, batch_size, n_batches, n_passes, rng)
    return StreamBatches(batches, n_features, n_batches)


def too_few(n_batches: int, got: int) -> str:
    """Say that the stream ended early."""
    return f"batches must yield at least n_batches = {n_batches} batches; got {got}."


class LastCodes:
    """The last code of every sample of an array, 0 for those not seen yet."""

    def __init__(self, n_samples: int, n_atoms: int, dtype: np.dtype) -> None:
        indptr, none = np.zeros(n_samples + 1, np.int64), np.zeros(0, np.int32)
        self.code = SparseCode(indptr, none, np.zeros(0, dtype), (n_atoms,))
        self._fresh = np.zeros(n_samples, bool)
        self._pieces: list[tuple[np.ndarray, SparseCode]] = []

    def __getitem__(self, rows: np.ndarray) -> SparseCode:
        if self._fresh[rows].any():
            self.merge()
        return self.code[rows]

    def keep(self, rows: np.ndarray, code: SparseCode) -> None:
        """Remember the codes of some samples, none of them twice in a pass."""
        self._pieces.append((rows, code))
        self._fresh[rows] = True

    def merge(self) -> SparseCode:
        """Return the codes of all samples in their order."""
        if self._pieces:
            old = np.flatnonzero(~self._fresh)
            rows = np.concatenate([old, *(rows for rows, _ in self._pieces)])
            codes = SparseCode.concatenate([self.code[old], *(code for _, code in self._pieces)])
            self.code = codes[np.argsort(rows)]
            self._pieces.clear()
            self._fresh[:] = False
        return self.code

    def state(self) -> dict[str, np.ndarray]:
        """Return the arrays of the code of all samples."""
        code = self.merge()
        assert code.values is not None
        return {"indptr": code.indptr, "indices": code.indices, "values": code.values}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back what :meth:`state` returned."""
        code = SparseCode(**arrays, unit_shape=self.code.unit_shape)
        if (code.n_samples, code.dtype) != (self.code.n_samples, self.code.dtype):
            raise ValueError(f"codes must be {self.code!r}; got {code!r}")
        self.code = code
