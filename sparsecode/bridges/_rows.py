"""Rows read from anywhere: arrays, memory maps and stores, a block at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from sparsecode._validation import check_count, check_data

__all__ = ["BLOCK_ENTRIES", "as_rows", "blocks"]

BLOCK_ENTRIES = 2**22  # numbers held together


def as_rows(data: Any, *, n_features: int | None = None, name: str = "X") -> Any:
    """Return something with ``shape`` and slices of rows; arrays and readers stay as they are.

    Parameters
    ----------
    data : array-like or reader of shape (n_samples, n_features)
        A reader has ``shape`` and gives arrays for slices of rows; it is never read as a whole.
    n_features : int, optional
        Number of columns that it must have.
    name : str, default="X"
        How messages call it.

    Returns
    -------
    reader

    Raises
    ------
    ValueError, TypeError
        If it has not two dimensions, or other columns.
    """
    rows = data if hasattr(data, "shape") and hasattr(data, "__getitem__") else np.asarray(data)
    shape = tuple(rows.shape)
    wanted = "n_features" if n_features is None else n_features
    if len(shape) != 2 or (n_features is not None and shape[1] != n_features):
        hint = f" Use {name}[None, :] for one sample." if len(shape) == 1 else ""
        raise ValueError(f"{name} must have shape (n_samples, {wanted}); got {shape}.{hint}")
    return rows


def blocks(
    rows: Any, *, width: int, rows_per_block: int | None = None, name: str = "X"
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield checked blocks of rows, each with at most `BLOCK_ENTRIES` numbers of that width."""
    if rows_per_block is None:
        rows_per_block = max(1, BLOCK_ENTRIES // max(1, width, rows.shape[1]))
    rows_per_block = check_count("rows_per_block", rows_per_block)
    for start in range(0, rows.shape[0], rows_per_block):
        part = slice(start, min(start + rows_per_block, rows.shape[0]))
        yield part, check_data(rows[part], n_features=rows.shape[1], name=name)
