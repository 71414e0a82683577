"""Samples that are solved together, and memory that is used again."""

from __future__ import annotations

import threading
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from sparsecode.core.code import SparseCode
from sparsecode.solvers._tile_kernels import compress_rows, survey

if TYPE_CHECKING:
    from sparsecode.solvers._problem import Problem

__all__ = ["Scratch", "Tile"]

#: Cosine, in machine epsilons, up to which an inner product is taken for rounding.
UNSEEN = 10.0


class Scratch(threading.local):
    """Arrays by name, one set for each thread: fresh memory costs a page fault every 4 KiB."""

    def __init__(self) -> None:
        self.memory: dict[tuple[str, Any], np.ndarray] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Return an array of any content, which the next call with the same name takes back."""
        key = name, np.dtype(dtype)
        if key not in self.memory or self.memory[key].size < prod(shape):
            self.memory[key] = np.empty(prod(shape), dtype)
        return self.memory[key][: prod(shape)].reshape(shape)


class Tile:
    """Samples that are solved together, with what every kernel wants to know of them.

    Parameters
    ----------
    problem : Problem
        Whose samples they are.
    rows : slice
        Which.

    Attributes
    ----------
    X : ndarray of shape (n_samples, n_features)
        The samples.
    projections : ndarray of shape (n_samples, n_atoms)
        Dx; exactly 0 where no atom sees the sample.
    energies, alphas : ndarray of shape (n_samples,)
        1/2 ||x||**2 and the weight of the penalty.
    n_iter : ndarray of shape (n_samples,)
        For the kernel to fill.
    found : SparseCode or None
        For a kernel that has its codes at once.
    """

    def __init__(self, problem: Problem, rows: slice) -> None:
        self.problem = problem
        self.rows = rows
        self.X = problem.X[rows]
        shape = len(self.X), problem.n_atoms
        self.projections = problem.scratch.array("projections", shape, self.X.dtype)
        np.matmul(self.X, problem.dictionary.T, out=self.projections)
        self.energies = np.empty(len(self.X))
        limit = UNSEEN * np.finfo(self.X.dtype).eps
        survey(self.X, problem.norms, limit, self.projections, self.energies)
        self.alphas = problem.alphas(self.projections)
        self.n_iter = np.zeros(len(self.X), np.int64)
        self.found: SparseCode | None = None
        self._filled: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None

    @cached_property
    def start(self) -> SparseCode:
        """The codes to start at, in the dtype of the samples; 0 if no others were given."""
        shape = (self.problem.n_atoms,)
        if self.problem.init is None:
            indptr, indices = np.zeros(len(self.X) + 1, np.int64), np.zeros(0, np.int32)
            return SparseCode._trusted(indptr, indices, np.zeros(0, self.X.dtype), shape)
        given = self.problem.init[self.rows]
        values = np.ones(given.indices.size) if given.values is None else given.values
        return SparseCode._trusted(given.indptr, given.indices, values.astype(self.X.dtype), shape)

    @cached_property
    def codes(self) -> np.ndarray:
        """Dense codes, which start at `start`, but at 0 where no atom sees the sample."""
        codes = np.array(self.start.to_dense(), dtype=self.X.dtype)
        codes = codes.reshape(len(self.X), self.problem.n_atoms)
        codes[~self.projections.any(axis=1)] = 0
        return codes

    def rows_to_fill(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return indices, values and counts: room for the support of every sample.

        Row i is to hold its active atoms in any order, counts[i] of them; only the memory that
        is written is really taken.
        """
        if self._filled is None:
            scratch, shape = self.problem.scratch, (len(self.X), self.problem.n_atoms)
            indices = scratch.array("indices", shape, np.int32)
            values = scratch.array("values", shape, self.X.dtype)
            self._filled = indices, values, np.zeros(len(self.X), np.int64)
        return self._filled

    def compress(self) -> SparseCode:
        """Return what the kernel found."""
        if self.found is not None:
            return self.found
        if self._filled is None:
            return SparseCode.from_dense(self.codes)
        indices, values, counts = self._filled
        indptr = np.zeros(len(counts) + 1, np.int64)
        np.cumsum(counts, out=indptr[1:])
        packed = np.empty(indptr[-1], np.int32), np.empty(indptr[-1], values.dtype)
        compress_rows(indices, values, indptr, *packed)
        return SparseCode._trusted(indptr, *packed, (self.problem.n_atoms,))
