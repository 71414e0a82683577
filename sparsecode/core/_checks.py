"""One voice for codes that are of other units, real where they must be binary, or no codes."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from sparsecode._validation import check_numbers
from sparsecode.core.code import SparseCode


def check_code(
    name: str,
    code: Any,
    *,
    unit_shape: tuple[int, ...] | None = None,
    whose: str = "",
    binary: bool = False,
) -> SparseCode:
    """Return `code` if it is one, of this `unit_shape` (`whose` says which that is), and binary."""
    if not isinstance(code, SparseCode):
        raise TypeError(
            f"{name} must be a SparseCode; got {type(code).__name__}. "
            "Use SparseCode.from_dense or from_indices."
        )
    if unit_shape is not None and code.unit_shape != unit_shape:
        raise ValueError(
            f"{name} must have unit_shape {unit_shape}, that of {whose}; got {code.unit_shape}."
        )
    if binary and not code.is_binary:
        raise TypeError(
            f"{name} must be binary; got {code.dtype} values. Call .binarize(k=...) or "
            ".binarize(threshold=...) first."
        )
    return code


def as_binary_code(name: str, X: Any) -> SparseCode:
    """Return a code of 0 and 1 from a binary code, or from an array or sparse array of 0 and 1."""
    if isinstance(X, SparseCode):
        return check_code(name, X, binary=True)
    if sparse.issparse(X):
        X = X.tocsr()
    elif not isinstance(X, np.ndarray):
        X = check_numbers(X, name)
    if X.ndim != 2 or X.shape[1] == 0:
        raise ValueError(
            f"{name} must have shape (n_samples, n_units), with a unit at least; got {X.shape}. "
            "Use X.reshape(len(X), -1), or a SparseCode, which keeps the shape of its units."
        )
    values = X.data if sparse.issparse(X) else X
    if values.dtype.kind != "b":
        values = check_numbers(values, name)
        bad = (values != 0) & (values != 1)
        if bad.any():
            raise ValueError(
                f"{name} must hold 0 and 1 only; got {values[bad][0]:g}. Binarise real values "
                "first: X > threshold, or SparseCode.from_dense(X).binarize(k=40)."
            )
    made = SparseCode.from_scipy if sparse.issparse(X) else SparseCode.from_dense
    return made(X.astype(bool))
