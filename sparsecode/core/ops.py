"""Operations on batches of supports: overlap, sets of units, top-k, shapes of units."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import prod
from numbers import Integral
from typing import Any

import numpy as np

from sparsecode._jit import threads
from sparsecode._parallel import map_tiles, tiles_of
from sparsecode.core._checks import check_code
from sparsecode.core._ops_kernels import count_postings, count_row_overlaps
from sparsecode.core.code import SparseCode, _check_unit_shape, _select

__all__ = [
    "concatenate_units",
    "coordinates",
    "difference",
    "intersection",
    "jaccard",
    "overlap",
    "reshape",
    "symmetric_difference",
    "top_k",
    "union",
]

#: Rows that are counted together.
TILE = 256


def overlap(
    a: SparseCode, b: SparseCode, *, rowwise: bool = False, n_threads: int | None = None
) -> np.ndarray:
    """Count the active units that samples share.

    Values play no part: a real code counts by its support. Inner products of values are
    ``a.to_scipy() @ b.to_scipy().T``. Codes that are searched more than once belong into an
    :class:`OverlapIndex`.

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
    shared = np.empty((a.n_samples, b.n_samples), np.int32)
    postings = b.to_scipy().tocsc()
    lists = postings.indptr.astype(np.int64), postings.indices, b.n_samples
    counts = shared.reshape(-1)

    def count(rows: slice) -> None:
        indptr = a.indptr[rows.start : rows.stop + 1]
        place = rows.start * b.n_samples, b.n_samples
        count_postings(indptr, a.indices, *lists, counts, *place)

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
        check_code("a", a)
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
        check_code("a", a)
        if a.n_samples == 0:
            raise ValueError("a must hold at least one sample to intersect; got an empty batch.")
        units, counts = np.unique(a.indices, return_counts=True)
        return _one_row(units[counts == a.n_samples], a)
    _check_pair(a, b, rowwise=True)
    both = a.binarize().to_scipy().multiply(b.binarize().to_scipy())
    return SparseCode.from_scipy(both, a.unit_shape)


def difference(a: SparseCode, b: SparseCode) -> SparseCode:
    """Return the units active in `a` and not in `b`, row by row.

    Parameters
    ----------
    a, b : SparseCode
        Batches over the same units, with as many samples; values play no part.

    Returns
    -------
    SparseCode
        Binary.

    Raises
    ------
    ValueError, TypeError
        If the two batches differ in units or samples.
    """
    return _where(lambda in_a, in_b: in_a & ~in_b, a, b)


def symmetric_difference(a: SparseCode, b: SparseCode) -> SparseCode:
    """Return the units active in one of two batches and not in the other, row by row.

    Parameters
    ----------
    a, b : SparseCode
        Batches over the same units, with as many samples; values play no part.

    Returns
    -------
    SparseCode
        Binary.

    Raises
    ------
    ValueError, TypeError
        If the two batches differ in units or samples.
    """
    return _where(lambda in_a, in_b: in_a ^ in_b, a, b)


def reshape(code: SparseCode, unit_shape: int | Sequence[int]) -> SparseCode:
    """Return the same units in another shape, in C order; nothing is copied.

    Parameters
    ----------
    code : SparseCode
        Real or binary.
    unit_shape : int or sequence of int
        Shape of as many units.

    Returns
    -------
    SparseCode

    Raises
    ------
    ValueError, TypeError
        If `unit_shape` holds another number of units.
    """
    check_code("code", code)
    shape = _check_unit_shape(unit_shape)
    if prod(shape) != code.n_units:
        raise ValueError(
            f"unit_shape must hold the {code.n_units} units of the code; got {shape}, "
            f"{prod(shape)} units."
        )
    return SparseCode._trusted(code.indptr, code.indices, code.values, shape)


def coordinates(code: SparseCode) -> tuple[np.ndarray, ...]:
    """Return the sample of each active unit, and its place along each axis of the units.

    Parameters
    ----------
    code : SparseCode
        Real or binary.

    Returns
    -------
    tuple of ndarray of int64, shape (nnz,)
        As many as axes, and one: ``np.nonzero(code.to_dense())``, without the dense array.

    Examples
    --------
    >>> from sparsecode.core import SparseCode, coordinates
    >>> [axis.tolist() for axis in coordinates(SparseCode.from_indices([[1], [0, 5]], (2, 3)))]
    [[0, 1, 1], [0, 0, 1], [1, 0, 2]]
    """
    check_code("code", code)
    return code._rows(), *np.unravel_index(code.indices, code.unit_shape)


def concatenate_units(codes: Iterable[SparseCode], axis: int = 0) -> SparseCode:
    """Put the units of several batches side by side, sample by sample.

    Batches are stacked over samples with :meth:`SparseCode.concatenate`.

    Parameters
    ----------
    codes : iterable of SparseCode
        At least one; all of as many samples, all binary or all real, and of one `unit_shape` but
        for `axis`.
    axis : int, default=0
        Axis of the units to join along; negative ones count from the last.

    Returns
    -------
    SparseCode

    Raises
    ------
    ValueError, TypeError
        If the batches do not fit together, or there is no such axis.

    Examples
    --------
    >>> from sparsecode.core import SparseCode, concatenate_units
    >>> a, b = SparseCode.from_indices([[0]], (2, 2)), SparseCode.from_indices([[1]], (2, 1))
    >>> concatenate_units([a, b], axis=1).to_dense()[0].astype(int)
    array([[1, 0, 0],
           [0, 0, 1]])
    """
    codes = list(codes)
    if not codes:
        raise ValueError("codes must hold at least one SparseCode; got none.")
    for code in codes:
        check_code("each of codes", code)
    first, n_axes = codes[0], len(codes[0].unit_shape)
    if not isinstance(axis, Integral):
        raise TypeError(f"axis must be an integer; got {axis!r}.")
    if not -n_axes <= axis < n_axes:
        raise ValueError(f"axis must lie between {-n_axes} and {n_axes - 1}; got {axis}.")
    axis %= n_axes
    for code in codes:
        shapes = [one.unit_shape[:axis] + one.unit_shape[axis + 1 :] for one in (first, code)]
        alike = (first.n_samples, first.is_binary) == (code.n_samples, code.is_binary)
        if not alike or len(code.unit_shape) != n_axes or shapes[0] != shapes[1]:
            raise ValueError(
                "codes must have as many samples, one unit_shape but for the axis, and be all "
                f"binary or all real; got {first!r} and {code!r}."
            )
    inner = prod(first.unit_shape[axis + 1 :])
    sizes = [code.unit_shape[axis] for code in codes]
    begins = np.concatenate([[0], np.cumsum(sizes)]) * inner
    moved = [
        code.indices // (size * inner) * begins[-1] + code.indices % (size * inner) + begin
        for code, size, begin in zip(codes, sizes, begins)
    ]
    rows, units = np.concatenate([code._rows() for code in codes]), np.concatenate(moved)
    order = np.lexsort((units, rows))
    values = [code.values for code in codes if code.values is not None]
    return SparseCode._trusted(
        np.sum([code.indptr for code in codes], axis=0),
        units[order].astype(np.int32),
        np.concatenate(values)[order] if values else None,
        _check_unit_shape((*first.unit_shape[:axis], sum(sizes), *first.unit_shape[axis + 1 :])),
    )


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
    check_code("code", code)
    kept = _select(code._top_k(k), code.indptr, code.indices, code.values)
    return SparseCode._trusted(*kept, code.unit_shape)


def _check_pair(a: Any, b: Any, rowwise: bool) -> None:
    check_code("a", a)
    check_code("b", b)
    if a.unit_shape != b.unit_shape:
        raise ValueError(
            f"a and b must share one unit_shape; got {a.unit_shape} and {b.unit_shape}."
        )
    if rowwise and a.n_samples != b.n_samples:
        raise ValueError(
            "a and b must have as many samples to be compared row by row; got "
            f"{a.n_samples} and {b.n_samples}."
        )


def _where(
    operation: Callable[[np.ndarray, np.ndarray], np.ndarray], a: SparseCode, b: SparseCode
) -> SparseCode:
    """Return the units for which an operation on "active in a" and "active in b" is true."""
    _check_pair(a, b, rowwise=True)
    keys, where = np.unique(
        np.concatenate([code._rows() * code.n_units + code.indices for code in (a, b)]),
        return_inverse=True,
    )
    active = np.zeros((2, keys.size), bool)
    active[0, where[: a.nnz]] = True
    active[1, where[a.nnz :]] = True
    rows, units = np.divmod(keys[operation(*active)], a.n_units)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=a.n_samples))])
    return SparseCode._trusted(indptr, units.astype(np.int32), None, a.unit_shape)


def _one_row(units: np.ndarray, code: SparseCode) -> SparseCode:
    return SparseCode._trusted(
        np.array([0, units.size]), units.astype(np.int32), None, code.unit_shape
    )
