"""Representations with their column means taken off, without a sparse code becoming dense."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from scipy import linalg, sparse

from sparsecode._validation import check_data
from sparsecode.core.code import SparseCode

__all__ = ["Centred", "live_columns"]

_BLOCK = 2**22  # entries of a product held together
_MAX_GRAM = 2**24  # entries of a Gram matrix that is kept for a next time
_DENSE_FROM = 0.2  # share of active entries from which products of a code are dense anyway


def live_columns(code: SparseCode) -> sparse.csr_array:
    """Return the columns of a code that are ever active, over its largest magnitude."""
    live, indices = np.unique(code.indices, return_inverse=True)
    values = np.ones(code.nnz) if code.values is None else code.values.astype(np.float64)
    if code.nnz:
        values /= np.abs(values).max()
    return sparse.csr_array((values, indices, code.indptr), (code.n_samples, live.size))


class Centred:
    """The rows of a representation less their mean, scaled by a number of no consequence.

    Dense arrays are centred; for sparse codes the mean is taken off every product by algebra.
    """

    dense: np.ndarray | None = None
    matrix: sparse.csr_array | None = None

    def __init__(self, X: Any, name: str) -> None:
        if isinstance(X, SparseCode):
            self.n_samples, self.n_units = X.shape
            self.matrix = live_columns(X)
            if self.n_samples and self.matrix.nnz > _DENSE_FROM * np.prod(self.matrix.shape):
                self.dense, self.matrix = self.matrix.toarray(), None
        else:
            self.dense = check_data(X, name=name, dtype=np.float64)
            self.n_samples, self.n_units = self.dense.shape
        if self.dense is not None:
            largest = np.abs(self.dense).max(initial=0.0)
            dense = self.dense / largest if largest > 0 else self.dense
            dense = dense - dense[0]  # exactly 0 where a unit is constant
            self.dense = dense - dense.mean(axis=0)
        else:
            assert self.matrix is not None
            self.mean = np.asarray(self.matrix.mean(axis=0)).ravel()
            self.on_mean = self.matrix @ self.mean  # each row times the mean

    @property
    def n_columns(self) -> int:
        """Number of units that are held: of a sparse code those that are ever active."""
        held = self.matrix if self.dense is None else self.dense
        assert held is not None
        return int(held.shape[1])

    @property
    def width(self) -> float:
        """Entries that a product reads in one row."""
        if self.matrix is None:
            return self.n_columns
        return float(self.matrix.nnz / self.n_samples)

    @cached_property
    def is_constant(self) -> bool:
        """Whether all rows are the same."""
        if self.matrix is None:
            return not np.any(self.dense)
        first = self.matrix[[0]].toarray().ravel()
        n_equal = np.bincount(
            self.matrix.indices,
            self.matrix.data == first[self.matrix.indices],
            minlength=self.n_columns,
        )
        return bool((n_equal == self.n_samples).all())

    @cached_property
    def squared_norms(self) -> np.ndarray:
        """Squared norm of each centred row, shape (n_samples,)."""
        if self.matrix is None:
            assert self.dense is not None
            return np.einsum("ij,ij->i", self.dense, self.dense)
        raw = np.asarray(self.matrix.multiply(self.matrix).sum(axis=1)).ravel()
        return raw - 2 * self.on_mean + self.mean @ self.mean

    def _gram_blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        n_rows = max(1, _BLOCK // self.n_samples)
        for start in range(0, self.n_samples, n_rows):
            rows = slice(start, min(start + n_rows, self.n_samples))
            yield rows, self.gram_rows(np.arange(rows.start, rows.stop))

    def gram_rows(self, rows: np.ndarray) -> np.ndarray:
        """Return some rows of the Gram matrix of centred rows, shape (n_rows, n_samples)."""
        if self.matrix is None:
            assert self.dense is not None
            return self.dense[rows] @ self.dense.T
        products = (self.matrix[rows] @ self.matrix.T).toarray()
        products -= self.on_mean[rows, None]
        products -= self.on_mean
        products += self.mean @ self.mean
        return products

    @cached_property
    def gram(self) -> np.ndarray:
        """Gram matrix of the centred rows, shape (n_samples, n_samples)."""
        gram = np.empty((self.n_samples, self.n_samples))
        for rows, block in self._gram_blocks():
            gram[rows] = block
        return gram

    def inner_of_grams(self, other: Centred, order: np.ndarray | None) -> float:
        """Return the inner product of two Gram matrices, the other's rows in this `order`."""
        if self.n_samples**2 <= _MAX_GRAM:
            theirs = other.gram if order is None else other.gram[np.ix_(order, order)]
            return float(np.vdot(self.gram, theirs))
        order = np.arange(self.n_samples) if order is None else order
        return float(
            sum(
                np.vdot(block, other.gram_rows(order[rows])[:, order])
                for rows, block in self._gram_blocks()
            )
        )

    def cross(self, other: Centred, order: np.ndarray | None) -> np.ndarray:
        """Return the products of units over rows, shape (n_columns, other.n_columns)."""
        return np.concatenate([block for block in self._cross_blocks(other, order)])

    def _cross_blocks(self, other: Centred, order: np.ndarray | None) -> Iterator[np.ndarray]:
        theirs = other.matrix if other.dense is None else other.dense
        assert theirs is not None
        theirs = theirs if order is None else theirs[order]
        ours = self.dense.T if self.matrix is None else self.matrix.T.tocsr()  # type: ignore[union-attr]
        n_rows = max(1, _BLOCK // max(other.n_columns, 1))
        for start in range(0, self.n_columns, n_rows):
            part = slice(start, start + n_rows)
            block = ours[part] @ theirs
            if sparse.issparse(block):
                block = block.toarray()
                block -= self.n_samples * self.mean[part, None] * other.mean
            yield np.asarray(block)

    def squared_cross(self, other: Centred, order: np.ndarray | None) -> float:
        """Return the sum of squares of :meth:`cross`."""
        if self.matrix is None or other.matrix is None:
            return float(sum(np.vdot(block, block) for block in self._cross_blocks(other, order)))
        theirs = other.matrix if order is None else other.matrix[order]
        on_mean = other.on_mean if order is None else other.on_mean[order]
        ours = self.matrix.T.tocsr()
        n_rows = max(1, int(_BLOCK // max(1.0, self.width * other.width * self.n_samples)
                            * max(self.n_columns, 1)))  # fmt: skip
        total = 0.0
        for start in range(0, self.n_columns, n_rows):
            block = (ours[start : start + n_rows] @ theirs).data
            total += float(block @ block)
        total -= 2 * self.n_samples * float(self.on_mean @ on_mean)
        return total + self.n_samples**2 * float(
            (self.mean @ self.mean) * (other.mean @ other.mean)
        )

    def basis(self, variance: float | None) -> tuple[np.ndarray, np.ndarray]:
        """Return left singular vectors and values, those of rank 0 left out.

        With a share of `variance`, only the first that explain as much of it.
        """
        dense = self.dense
        if dense is None:
            assert self.matrix is not None
            dense = self.matrix.toarray() - self.mean
        if self.is_constant:
            return np.empty((self.n_samples, 0)), np.empty(0)
        u, s, _ = linalg.svd(dense, full_matrices=False)
        rank = int(np.count_nonzero(s > s[0] * max(dense.shape) * np.finfo(float).eps))
        if variance is not None:
            explained = np.cumsum(s[:rank] ** 2)
            rank = min(rank, int(np.searchsorted(explained, variance * explained[-1]) + 1))
        return u[:, :rank], s[:rank]

    def reduced(self) -> Centred:
        """Return the same up to a rotation of units, with no more units than rows."""
        if self.n_columns <= self.n_samples:
            return self
        small = object.__new__(Centred)
        small.n_samples, small.n_units = self.n_samples, self.n_units
        if self.dense is not None:
            small.dense = linalg.qr(self.dense.T, mode="r")[0][: self.n_samples].T
        else:
            values, vectors = linalg.eigh(self.gram)
            small.dense = vectors * np.sqrt(np.maximum(values, 0.0))
        return small
