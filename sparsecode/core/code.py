"""`SparseCode`: a batch of sparse codes, real or binary, over units of any shape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from numbers import Integral, Real
from typing import Any, ClassVar, NoReturn

import numpy as np
from scipy import sparse

from sparsecode._validation import check_count
from sparsecode.core._ops_kernels import mark_top_k

__all__ = ["SparseCode"]

_MAX_UNITS = 2**31 - 1
_BLOCK = 2**20  # dense entries looked at together


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SparseCode:
    """A batch of sparse codes in compressed rows: one row per sample, real or binary.

    A code never changes: its arrays are read-only, and the constructors copy what they are given.
    The constructor sorts the units of each row and drops zeros; anything ambiguous (a unit twice
    in a row, NaN, an index out of range) is refused.

    Parameters
    ----------
    indptr : array-like of int, shape (n_samples + 1,)
        Row ``i`` occupies ``indptr[i]:indptr[i + 1]`` of `indices` and `values`.
    indices : array-like of int, shape (nnz,)
        Active units, as positions in the flattened `unit_shape`.
    values : array-like of shape (nnz,) or None
        Coefficients; float32 and float64 are kept, integers become float64. ``None`` (or an array
        of bool) makes the code binary.
    unit_shape : int or sequence of int
        Shape of the units, such as ``2048``, ``(64, 64)`` or ``(n_atoms, height, width)``; at most
        2**31 - 1 units.

    Raises
    ------
    ValueError, TypeError
        If the arrays do not describe such a batch.

    Notes
    -----
    Two codes are equal when shape, dtype, supports and values are all the same. As arrays,
    codes are compared by content and are not hashable. They pickle, which serves to send them
    between processes; files are written with :func:`sparsecode.core.save_code`.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.core import SparseCode
    >>> code = SparseCode.from_dense(np.array([[0.0, 2.0, 0.0, -1.0], [0.0, 0.0, 0.0, 0.5]]))
    >>> code
    <SparseCode 2 x 4, 37.5 % active, float64>
    >>> code.binarize(k=1).to_dense().astype(int)
    array([[0, 1, 0, 0],
           [0, 0, 0, 1]])
    """

    indptr: np.ndarray
    indices: np.ndarray
    values: np.ndarray | None
    unit_shape: tuple[int, ...]

    __array_ufunc__: ClassVar[None] = None  # arithmetic with arrays is an error, not a guess

    def __post_init__(self) -> None:
        unit_shape = _check_unit_shape(self.unit_shape)
        indices = _check_integers("indices", self.indices)
        indptr = _check_integers("indptr", self.indptr).astype(np.int64)
        if indptr.size == 0 or indptr[0] != 0 or indptr[-1] != indices.size:
            raise ValueError(
                f"indptr must start at 0 and end at {indices.size}, the number of indices; got "
                f"{_ends(indptr)}."
            )
        if (np.diff(indptr) < 0).any():
            raise ValueError("indptr must never decrease; got a row that ends before it starts.")
        n_units = prod(unit_shape)
        if indices.size and not 0 <= indices.min() <= indices.max() < n_units:
            bad = indices[(indices < 0) | (indices >= n_units)][0]
            raise ValueError(
                f"indices must lie between 0 and {n_units - 1}, one below the number of units; "
                f"got {bad}."
            )
        indices = indices.astype(np.int32)
        values = None if self.values is None else _check_values(self.values, indices.size)
        order = _sorting_order(indptr, indices)
        if order is not None:
            indices = indices[order]
            values = None if values is None else values[order]
        if values is not None and not values.all():
            active = values != 0
            indptr, indices, values = _select(active, indptr, indices, values)
        if values is not None and values.dtype.kind == "b":
            values = None
        _fill(self, indptr, indices, values, unit_shape)

    @classmethod
    def _trusted(
        cls,
        indptr: np.ndarray,
        indices: np.ndarray,
        values: np.ndarray | None,
        unit_shape: tuple[int, ...],
    ) -> SparseCode:
        """Take over arrays that already keep every promise, without a look or a copy."""
        code = object.__new__(cls)
        _fill(code, indptr, indices, values, unit_shape)
        return code

    @classmethod
    def from_dense(cls, array: Any, unit_shape: int | Sequence[int] | None = None) -> SparseCode:
        r"""Keep the non-zero entries of a dense array.

        Parameters
        ----------
        array : array-like of shape (n_samples, \*unit_shape) or (n_samples, n_units)
            A bool array gives a binary code, any other a real one. Read in blocks of rows and
            never copied as a whole.
        unit_shape : int or sequence of int, optional
            Shape of the units; by default that of `array` without its first axis.

        Returns
        -------
        SparseCode

        Raises
        ------
        ValueError, TypeError
            If `array` is sparse, has one dimension, another number of units, or NaN or infinity.
        """
        if sparse.issparse(array):
            raise TypeError(
                f"array must be dense; got {type(array).__name__}. Use SparseCode.from_scipy."
            )
        array = np.asarray(array)
        if array.ndim < 2:
            raise ValueError(
                f"array must have shape (n_samples, *unit_shape); got {array.shape}. "
                "Use array[None] for one sample."
            )
        dtype = _value_dtype("array", array.dtype)
        shape = _check_unit_shape(array.shape[1:] if unit_shape is None else unit_shape)
        n_samples, n_units = len(array), prod(shape)
        if array.shape[1:] not in (shape, (n_units,)):
            raise ValueError(
                f"array must have shape (n_samples, *{shape}) or (n_samples, {n_units}); "
                f"got {array.shape}."
            )

        def blocks() -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
            n_rows = max(1, _BLOCK // n_units)
            for start in range(0, n_samples, n_rows):
                block = array[start : start + n_rows].astype(dtype, copy=False)
                block = block.reshape(-1, n_units)
                yield start, block, block != 0

        indptr = np.zeros(n_samples + 1, np.int64)
        for start, block, active in blocks():
            indptr[start + 1 : start + 1 + len(block)] = np.count_nonzero(active, axis=1)
        np.cumsum(indptr, out=indptr)
        indices = np.empty(indptr[-1], np.int32)
        values = None if dtype.kind == "b" else np.empty(indptr[-1], dtype)
        for start, block, active in blocks():
            found = np.flatnonzero(active)
            part = slice(indptr[start], indptr[start + len(block)])
            indices[part] = found % n_units
            if values is not None:
                values[part] = block.reshape(-1)[found]
        _check_finite("array", values)
        return cls._trusted(indptr, indices, values, shape)

    @classmethod
    def from_scipy(cls, matrix: Any, unit_shape: int | Sequence[int] | None = None) -> SparseCode:
        """Copy a SciPy sparse matrix or array; entries given twice add up, as they do in SciPy.

        Parameters
        ----------
        matrix : sparse matrix or array of shape (n_samples, n_units)
            dtype bool gives a binary code, any other a real one.
        unit_shape : int or sequence of int, optional
            Shape of the units; by default ``(n_units,)``.

        Returns
        -------
        SparseCode

        Raises
        ------
        ValueError, TypeError
            If `matrix` is not sparse, has another number of units, or NaN or infinity.
        """
        if not sparse.issparse(matrix):
            raise TypeError(
                f"matrix must be a SciPy sparse matrix; got {type(matrix).__name__}. "
                "Use SparseCode.from_dense for arrays."
            )
        if matrix.ndim != 2:
            raise ValueError(f"matrix must have shape (n_samples, n_units); got {matrix.shape}.")
        shape = _check_unit_shape(matrix.shape[1] if unit_shape is None else unit_shape)
        if prod(shape) != matrix.shape[1]:
            raise ValueError(
                f"matrix must have {prod(shape)} columns, the units of unit_shape {shape}; got "
                f"{matrix.shape[1]}."
            )
        matrix = sparse.csr_array(matrix)
        if not matrix.has_canonical_format:
            matrix = matrix.copy()
            matrix.sum_duplicates()
        return cls(matrix.indptr, matrix.indices, matrix.data, shape)

    @classmethod
    def from_indices(cls, rows: Iterable[Any], unit_shape: int | Sequence[int]) -> SparseCode:
        """Build a binary code from the active units of each sample.

        Parameters
        ----------
        rows : iterable of array-like of int
            One array of unit positions per sample, in any order, each unit at most once.
        unit_shape : int or sequence of int
            Shape of the units.

        Returns
        -------
        SparseCode

        Raises
        ------
        ValueError, TypeError
            If an index is out of range, given twice in a row, or not an integer.
        """
        arrays = [_check_integers("rows", row) for row in rows]
        indptr = np.cumsum([0, *(row.size for row in arrays)])
        indices = np.concatenate(arrays) if arrays else np.empty(0, np.int64)
        return cls(indptr, indices, None, _check_unit_shape(unit_shape))

    @classmethod
    def concatenate(cls, codes: Iterable[SparseCode]) -> SparseCode:
        """Stack batches over samples.

        Parameters
        ----------
        codes : iterable of SparseCode
            At least one; all of one `unit_shape`, all binary or all real. float32 and float64
            together give float64.

        Returns
        -------
        SparseCode

        Raises
        ------
        ValueError
            If there is none, or they differ in units or mix binary with real.
        """
        codes = list(codes)
        if not codes:
            raise ValueError("codes must hold at least one SparseCode; got none.")
        first = codes[0]
        for code in codes:
            if code.unit_shape != first.unit_shape or code.is_binary != first.is_binary:
                raise ValueError(
                    "codes must share one unit_shape and be all binary or all real; got "
                    f"{first!r} and {code!r}."
                )
        counts = np.concatenate([[0], *(code.n_active for code in codes)])
        values = [code.values for code in codes if code.values is not None]
        return cls._trusted(
            np.cumsum(counts, dtype=np.int64),
            np.concatenate([code.indices for code in codes]),
            np.concatenate(values) if values else None,
            first.unit_shape,
        )

    @property
    def n_samples(self) -> int:
        """Number of rows."""
        return self.indptr.size - 1

    @property
    def n_units(self) -> int:
        """Number of units, the product of `unit_shape`."""
        return prod(self.unit_shape)

    @property
    def shape(self) -> tuple[int, int]:
        """The pair (n_samples, n_units)."""
        return self.n_samples, self.n_units

    @property
    def nnz(self) -> int:
        """Number of active units in the whole batch."""
        return self.indices.size

    @property
    def is_binary(self) -> bool:
        """Whether the code has supports but no values."""
        return self.values is None

    @property
    def dtype(self) -> np.dtype:
        """Type of the values: float32, float64, or bool for a binary code."""
        return np.dtype(bool) if self.values is None else self.values.dtype

    @property
    def n_active(self) -> np.ndarray:
        """Number of active units of each sample, shape (n_samples,)."""
        return np.diff(self.indptr)

    @property
    def density(self) -> float:
        """Share of active entries in the batch, between 0 and 1; NaN for an empty batch."""
        return self.nnz / (self.n_samples * self.n_units) if self.n_samples else float("nan")

    def to_dense(self) -> np.ndarray:
        r"""Return an array of shape (n_samples, \*unit_shape); bool for a binary code."""
        dense = np.zeros((self.n_samples, self.n_units), self.dtype)
        dense[self._rows(), self.indices] = True if self.values is None else self.values
        return dense.reshape(self.n_samples, *self.unit_shape)

    def to_scipy(self, *, copy: bool = False) -> sparse.csr_array:
        """Return a CSR array of shape (n_samples, n_units); bool for a binary code.

        Parameters
        ----------
        copy : bool, default=False
            Whether to copy indices and values. Without, they are shared and read-only.

        Returns
        -------
        scipy.sparse.csr_array
        """
        values = np.ones(self.nnz, bool) if self.values is None else self.values
        narrow = self.nnz <= np.iinfo(np.int32).max  # what scikit-learn's linear models ask for
        indptr = self.indptr.astype(np.int32) if narrow else self.indptr
        matrix = sparse.csr_array((values, self.indices, indptr), self.shape, copy=copy)
        matrix.has_canonical_format = True
        return matrix

    def binarize(self, *, k: int | None = None, threshold: float | None = None) -> SparseCode:
        """Return the binary code of the units that respond most.

        Parameters
        ----------
        k : int, optional
            Keep the `k` largest magnitudes of each sample, the lower index first among equals. A
            sample with fewer active units keeps all of them.
        threshold : float, optional
            Keep the magnitudes strictly above it, compared in the dtype of the values. Without
            `k` and `threshold` every active unit stays.

        Returns
        -------
        SparseCode

        Raises
        ------
        ValueError
            If both are given, `k` exceeds the number of units, or `threshold` is negative.
        """
        if k is not None and threshold is not None:
            raise ValueError("k or threshold must be given, not both. Drop one of them.")
        indptr, indices = self.indptr, self.indices
        if k is not None:
            indptr, indices, _ = _select(self._top_k(k), indptr, indices, None)
        elif threshold is not None:
            if not isinstance(threshold, Real) or not 0 <= threshold < np.inf:
                raise ValueError(f"threshold must be finite and at least 0; got {threshold!r}.")
            if self.values is not None:
                above = np.abs(self.values) > threshold
            else:
                above = np.full(self.nnz, threshold < 1)
            indptr, indices, _ = _select(above, indptr, indices, None)
        return SparseCode._trusted(indptr, indices, None, self.unit_shape)

    def __len__(self) -> int:
        return self.n_samples

    def __iter__(self) -> Iterator[SparseCode]:
        return (self[i] for i in range(self.n_samples))

    def __getitem__(self, rows: Any) -> SparseCode:
        """Select samples by an integer (one row), a slice, a mask or an array of integers."""
        if isinstance(rows, Integral) and not isinstance(rows, bool):
            start = int(rows)
            if not -self.n_samples <= start < self.n_samples:
                raise IndexError(f"sample {start} is out of range for {self.n_samples} samples.")
            rows = slice(start % self.n_samples, start % self.n_samples + 1)
        if isinstance(rows, slice) and rows.indices(self.n_samples)[2] == 1:
            start, stop, _ = rows.indices(self.n_samples)
            indptr = self.indptr[start : max(start, stop) + 1]
            part = slice(indptr[0], indptr[-1])
            values = None if self.values is None else self.values[part]
            return SparseCode._trusted(
                indptr - indptr[0], self.indices[part], values, self.unit_shape
            )
        if isinstance(rows, tuple):
            raise TypeError("samples must be selected by one index; got a tuple. Use to_scipy().")
        if isinstance(rows, slice):
            rows = np.arange(self.n_samples)[rows]
        rows = np.asarray(rows)
        if rows.ndim != 1 or (rows.dtype.kind not in "iub" and rows.size):
            raise TypeError(
                "samples must be selected by an integer, a slice, a mask or an array of integers; "
                f"got {rows.dtype} of shape {rows.shape}."
            )
        if rows.dtype == bool and rows.size != self.n_samples:
            raise IndexError(f"a mask must have {self.n_samples} entries; got {rows.size}.")
        rows = np.arange(self.n_samples)[rows if rows.size else []]
        indptr = np.concatenate([[0], np.cumsum(self.n_active[rows])])
        position = np.arange(indptr[-1]) + np.repeat(
            self.indptr[rows] - indptr[:-1], self.n_active[rows]
        )
        values = None if self.values is None else self.values[position]
        return SparseCode._trusted(indptr, self.indices[position], values, self.unit_shape)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SparseCode):
            return NotImplemented
        return (
            self.unit_shape == other.unit_shape
            and self.dtype == other.dtype
            and np.array_equal(self.indptr, other.indptr)
            and np.array_equal(self.indices, other.indices)
            and (
                self.values is None
                or other.values is None
                or np.array_equal(self.values, other.values)
            )
        )

    def __repr__(self) -> str:
        units = " x ".join(map(str, self.unit_shape))
        if len(self.unit_shape) > 1:
            units = f"({units})"
        percent = 100 * self.density
        active = f"{percent:.1f}" if percent >= 0.1 or self.nnz == 0 else f"{percent:.1g}"
        share = f"{active} % active, " if self.n_samples else ""
        kind = "binary" if self.is_binary else str(self.dtype)
        return f"<SparseCode {self.n_samples} x {units}, {share}{kind}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return SparseCode._trusted, (self.indptr, self.indices, self.values, self.unit_shape)

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("a dense array must be asked for; got a SparseCode. Call .to_dense().")

    def _rows(self) -> np.ndarray:
        """Return the sample of each entry, shape (nnz,)."""
        return np.repeat(np.arange(self.n_samples), self.n_active)

    def _top_k(self, k: int) -> np.ndarray:
        """Return which entries are among the `k` largest magnitudes of their sample."""
        k = check_count("k", k, maximum=self.n_units)
        keep = np.zeros(self.nnz, bool)
        magnitudes = np.ones(self.nnz) if self.values is None else np.abs(self.values)
        mark_top_k(self.indptr, magnitudes.astype(np.float64, copy=False), k, keep)
        return keep


def _fill(
    code: SparseCode,
    indptr: np.ndarray,
    indices: np.ndarray,
    values: np.ndarray | None,
    unit_shape: tuple[int, ...],
) -> None:
    """Set the fields of a frozen code, and freeze its arrays."""
    for array in (indptr, indices, values):
        if array is not None:
            array.setflags(write=False)
    object.__setattr__(code, "indptr", indptr)
    object.__setattr__(code, "indices", indices)
    object.__setattr__(code, "values", values)
    object.__setattr__(code, "unit_shape", unit_shape)


def _select(
    keep: np.ndarray, indptr: np.ndarray, indices: np.ndarray, values: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Keep the marked entries of compressed rows."""
    before = np.concatenate([[0], np.cumsum(keep)])
    return before[indptr], indices[keep], None if values is None else values[keep]


def _sorting_order(indptr: np.ndarray, indices: np.ndarray) -> np.ndarray | None:
    """Return the order that sorts each row, None if sorted; refuse a unit given twice."""
    ascending = np.ones(indices.size, bool)
    ascending[1:] = indices[1:] > indices[:-1]
    ascending[indptr[:-1][indptr[:-1] < indices.size]] = True
    if ascending.all():
        return None
    rows = np.repeat(np.arange(indptr.size - 1), np.diff(indptr))
    order = np.lexsort((indices, rows))
    twice = (np.diff(rows) == 0) & (np.diff(indices[order]) == 0)
    if twice.any():
        first = np.flatnonzero(twice)[0]
        raise ValueError(
            "indices must name each unit at most once in a row; got unit "
            f"{indices[order][first]} twice in row {rows[first]}."
        )
    return order


def _check_unit_shape(unit_shape: Any) -> tuple[int, ...]:
    """Return a tuple of positive integers whose product fits an int32."""
    if not isinstance(unit_shape, Integral | Iterable):
        raise TypeError(f"unit_shape must be an integer or a tuple of such; got {unit_shape!r}.")
    sizes = (unit_shape,) if isinstance(unit_shape, Integral) else tuple(unit_shape)
    if not sizes:
        raise ValueError("unit_shape must have at least one axis; got (). Use (1,) for one unit.")
    sizes = tuple(check_count("unit_shape", size) for size in sizes)
    if prod(sizes) > _MAX_UNITS:
        raise ValueError(
            f"unit_shape must hold at most {_MAX_UNITS} units; got {sizes}, {prod(sizes)} units."
        )
    return sizes


def _check_integers(name: str, array: Any) -> np.ndarray:
    """Return a one-dimensional integer array."""
    array = np.asarray(array)
    if array.ndim == 1 and array.size == 0:
        return array.astype(np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise TypeError(
            f"{name} must hold integers in one dimension; got {array.dtype} of shape {array.shape}."
        )
    return array


def _value_dtype(name: str, dtype: np.dtype) -> np.dtype:
    """Return the dtype that values are kept in: bool, float32, else float64."""
    if dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers; got dtype {dtype}.")
    return dtype if dtype in (bool, np.float32) else np.dtype(np.float64)


def _check_finite(name: str, values: np.ndarray | None) -> None:
    if values is not None and not np.isfinite(values).all():
        n_bad = values.size - np.count_nonzero(np.isfinite(values))
        raise ValueError(
            f"{name} must be finite; got {n_bad} NaN or infinite entries. Remove or impute them."
        )


def _check_values(values: Any, n_indices: int) -> np.ndarray:
    """Return a copy of one finite value per index."""
    values = np.asarray(values)
    if values.shape != (n_indices,):
        raise ValueError(
            f"values must have shape ({n_indices},), one per index; got {values.shape}."
        )
    values = values.astype(_value_dtype("values", values.dtype))
    _check_finite("values", values)
    return values


def _ends(indptr: np.ndarray) -> str:
    return f"{indptr[0]} and {indptr[-1]}" if indptr.size else "no entry"
