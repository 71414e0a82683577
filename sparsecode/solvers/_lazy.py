"""Codes of dask arrays: nothing is computed before it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse

from sparsecode.solvers._result import SolverResult

__all__ = ["LazyResult", "encode_lazily", "is_lazy", "transform_lazily"]


@dataclass(frozen=True)
class LazyResult:
    """What a solver will return, as dask arrays with the samples' chunks.

    Parameters
    ----------
    code : dask.array.Array of shape (n_samples, n_atoms)
        Blocks are ``scipy.sparse.csr_array``.
    n_iter, converged, certificate, objective : dask.array.Array of shape (n_samples,)
        Those of :class:`~sparsecode.solvers.SolverResult`. Compute them together with the codes,
        ``dask.compute(result.code, result.certificate)``, and the samples are coded once.
    certificate_name : str
        What `certificate` will measure is known when it is computed; this says where to look.
    """

    code: Any
    n_iter: Any
    converged: Any
    certificate: Any
    objective: Any
    certificate_name: str = field(default="see SolverResult", kw_only=True)


def is_lazy(X: Any) -> bool:
    """Say whether samples are a dask array."""
    return hasattr(X, "__dask_graph__") and hasattr(X, "map_blocks")


def transform_lazily(
    transform: Callable[[np.ndarray], Any], X: Any, shape: tuple[int, ...], output: str
) -> Any:
    """Return the codes of a dask array, block by block when they are computed.

    Parameters
    ----------
    transform : callable
        Codes one block.
    X : dask.array.Array of shape (n_samples, n_features)
        Samples; the number of rows may be unknown.
    shape : tuple of int
        The dictionary's, (n_atoms, n_features).
    output : {"dense", "sparse"}
        Whether blocks are ndarrays or ``scipy.sparse.csr_array``.

    Returns
    -------
    dask.array.Array of shape (n_samples, n_atoms)
        With the chunks of the samples, the codes' dtype, and a `meta` of the blocks' kind.

    Raises
    ------
    ValueError
        If the samples have another number of features, or no two axes.
    """
    n_atoms, n_features = shape
    X, dtype = _checked(X, n_features)
    return X.map_blocks(
        transform, dtype=dtype, chunks=(X.chunks[0], (n_atoms,)), meta=_meta(output, dtype)
    )


def encode_lazily(
    encode: Callable[[np.ndarray], SolverResult], X: Any, shape: tuple[int, ...]
) -> LazyResult:
    """Return the codes of a dask array with their certificates, when they are computed.

    Parameters
    ----------
    encode : callable
        Codes one block.
    X : dask.array.Array of shape (n_samples, n_features)
        Samples; the number of rows may be unknown.
    shape : tuple of int
        The dictionary's, (n_atoms, n_features).

    Returns
    -------
    LazyResult

    Raises
    ------
    ValueError
        If the samples have another number of features, or no two axes.
    """
    import dask
    import dask.array as da

    n_atoms, n_features = shape
    X, dtype = _checked(X, n_features)
    results = [dask.delayed(encode)(block) for block in X.to_delayed().ravel()]
    n_rows = X.chunks[0]

    def field_of(name: str, kind: Any) -> Any:
        return da.concatenate([
            da.from_delayed(dask.delayed(getattr)(result, name), (n,), dtype=kind)
            for result, n in zip(results, n_rows)
        ])  # fmt: skip

    code = da.concatenate([
        da.from_delayed(dask.delayed(_csr)(result), (n, n_atoms), meta=_meta("sparse", dtype))
        for result, n in zip(results, n_rows)
    ])  # fmt: skip
    return LazyResult(
        code,
        field_of("n_iter", np.int64),
        field_of("converged", bool),
        field_of("certificate", np.float64),
        field_of("objective", np.float64),
    )


def _checked(X: Any, n_features: int) -> tuple[Any, np.dtype[Any]]:
    """Return samples with whole rows in each block, and the dtype of their codes."""
    if X.ndim != 2 or X.shape[1] != n_features:
        raise ValueError(
            f"X must have shape (n_samples, {n_features}), the dictionary's n_features; got "
            f"{X.shape}."
        )
    if X.numblocks[1] > 1:
        X = X.rechunk({1: -1})
    dtype = X.dtype if X.dtype in (np.float32, np.float64) else np.dtype(np.float64)
    return X, dtype


def _meta(output: str, dtype: np.dtype[Any]) -> Any:
    return np.empty((0, 0), dtype) if output == "dense" else sparse.csr_array((0, 0), dtype=dtype)


def _csr(result: SolverResult) -> sparse.csr_array:
    return result.code.to_scipy(copy=True)
