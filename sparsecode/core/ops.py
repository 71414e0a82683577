"""Operations on batches of supports: overlap, Jaccard, union, intersection, top-k."""

from __future__ import annotations

from typing import Any

import numpy as np

from sparsecode._jit import threads
from sparsecode._parallel import map_tiles, tiles_of
from sparsecode.core._ops_kernels import count_overlaps, count_row_overlaps
from sparsecode.core.code import SparseCode, _select

__all__ = ["intersection", "jaccard", "overlap", "top_k", "union"]

#: Rows that are counted together.
TILE = 256


def overlap(
    a: SparseCode, b: SparseCode, *, rowwise: bool = False, n_threads: int | None = None
) -> np.ndarray:
    """Count the active units that samples share.

    Values play no part: a real code counts by its support. Inner products of values are
    ``a.to_scipy() @ b.to_scipy().T``.

    Parameters
    ----------
    a, b : SparseCode
        Batches over the same units.
    rowwise : bool, default=False
        Compare sample ``i`` of `a` with sample ``i`` of `b` alone, instead of all pairs.
    n_threads : int, optional
        Threads over the samples of `a`; by default all that Numba may use.

    Returns
    -------
    ndarray of int32, shape (a.n_samples, b.n_samples), or (n_samples,) if `rowwise`

    Raises
    ------
    ValueError, TypeError
        If the units differ, or, with `rowwise`, the numbers of samples.

    Examples
    --------
    >>> from sparsecode.core import SparseCode, overlap
    >>> a = SparseCode.from_indices([[0, 1, 2], [3]], 5)
    >>> b = SparseCode.from_indices([[1, 2, 3], [], [4]], 5)
    >>> overlap(a, b)
    array([[2, 0, 0],
           [1, 0, 0]], dtype=int32)
    """
    _check_pair(a, b, rowwise)
    if rowwise:
        shared = np.zeros(a.n_samples, np.int32)
        count_row_overlaps(a.indptr, a.indices, b.indptr, b.indices, shared)
        return shared
    shared = np.zeros((a.n_samples, b.n_samples), np.int32)
    postings = b.to_scipy().tocsc()
    starts = postings.indptr.astype(np.int64)

    def count(rows: slice) -> None:
        indptr = a.indptr[rows.start : rows.stop + 1]
        count_overlaps(indptr, a.indices, starts, postings.indices, shared[rows])

    with threads(n_threads) as width:
        map_tiles(count, tiles_of(a.n_samples, TILE), width)
    return shared


def jaccard(
    a: SparseCode, b: SparseCode, *, rowwise: bool = False, n_threads: int | None = None
) -> np.ndarray:
    """Return the shared active units over the units active in either sample.

    Parameters
    ----------
    a, b : SparseCode
        Batches over the same units; values play no part.
    rowwise : bool, default=False
        Compare sample ``i`` of `a` with sample ``i`` of `b` alone, instead of all pairs.
    n_threads : int, optional
        Threads over the samples of `a`; by default all that Numba may use.

    Returns
    -------
    ndarray of float64, shape (a.n_samples, b.n_samples), or (n_samples,) if `rowwise`
        Between 0 and 1; NaN (0/0) for two silent samples.

    Raises
    ------
    ValueError, TypeError
        If the units differ, or, with `rowwise`, the numbers of samples.
    """
    shared = overlap(a, b, rowwise=rowwise, n_threads=n_threads)
    active = a.n_active if rowwise else a.n_active[:, None]
    either = active + b.n_active - shared
    return np.divide(shared, either, out=np.full(shared.shape, np.nan), where=either > 0)


def union(a: SparseCode, b: SparseCode | None = None) -> SparseCode:
    """Return the units active in any sample of a batch, or in either of two batches row by row.

    Parameters
    ----------
    a : SparseCode
        Batch of codes; values play no part.
    b : SparseCode, optional
        Second batch over the same units, with as many samples.

    Returns
    -------
    SparseCode
        Binary: one row, or ``a.n_samples`` rows when `b` is given.

    Raises
    ------
    ValueError, TypeError
        If the two batches differ in units or samples.

    Examples
    --------
    >>> from sparsecode.core import SparseCode, union
    >>> union(SparseCode.from_indices([[0, 1], [1, 4]], 5)).indices
    array([0, 1, 4], dtype=int32)
    """
    if b is None:
        return _one_row(np.unique(a.indices), a)
    _check_pair(a, b, rowwise=True)
    either = a.binarize().to_scipy() + b.binarize().to_scipy()
    return SparseCode.from_scipy(either, a.unit_shape)


def intersection(a: SparseCode, b: SparseCode | None = None) -> SparseCode:
    """Return the units active in every sample of a batch, or in both of two batches row by row.

    Parameters
    ----------
    a : SparseCode
        Batch of codes, with at least one sample unless `b` is given; values play no part.
    b : SparseCode, optional
        Second batch over the same units, with as many samples.

    Returns
    -------
    SparseCode
        Binary: one row, or ``a.n_samples`` rows when `b` is given.

    Raises
    ------
    ValueError, TypeError
        If the two batches differ in units or samples, or a lone batch is empty.
    """
    if b is None:
        if a.n_samples == 0:
            raise ValueError("a must hold at least one sample to intersect; got an empty batch.")
        units, counts = np.unique(a.indices, return_counts=True)
        return _one_row(units[counts == a.n_samples], a)
    _check_pair(a, b, rowwise=True)
    both = a.binarize().to_scipy().multiply(b.binarize().to_scipy())
    return SparseCode.from_scipy(both, a.unit_shape)


def top_k(code: SparseCode, k: int) -> SparseCode:
    """Keep the `k` largest magnitudes of each sample, with their values.

    Parameters
    ----------
    code : SparseCode
        Real or binary. Among equal magnitudes the lower index stays; a sample with fewer active
        units keeps all of them.
    k : int
        Between 1 and the number of units.

    Returns
    -------
    SparseCode

    Raises
    ------
    ValueError, TypeError
        If `k` is not such an integer.
    """
    kept = _select(code._top_k(k), code.indptr, code.indices, code.values)
    return SparseCode._trusted(*kept, code.unit_shape)


def _check_pair(a: Any, b: Any, rowwise: bool) -> None:
    for code in (a, b):
        if not isinstance(code, SparseCode):
            raise TypeError(
                f"a and b must be SparseCode; got {type(code).__name__}. "
                "Use SparseCode.from_dense or from_scipy."
            )
    if a.unit_shape != b.unit_shape:
        raise ValueError(
            f"a and b must share one unit_shape; got {a.unit_shape} and {b.unit_shape}."
        )
    if rowwise and a.n_samples != b.n_samples:
        raise ValueError(
            "a and b must have as many samples to be compared row by row; got "
            f"{a.n_samples} and {b.n_samples}."
        )


def _one_row(units: np.ndarray, code: SparseCode) -> SparseCode:
    return SparseCode._trusted(
        np.array([0, units.size]), units.astype(np.int32), None, code.unit_shape
    )
