"""Sparse codes whose dictionary is known: what a solver or a learner should find again."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from sparsecode._validation import (
    check_count,
    check_data,
    check_dictionary,
    check_option,
    check_rng,
)
from sparsecode.core.code import SparseCode

__all__ = ["PlantedCodes", "planted_codes"]

_AMPLITUDES = ("normal", "laplace", "uniform")
_BLOCK = 2**20  # random keys held at once while supports are drawn


class PlantedCodes(NamedTuple):
    """Data that are sparse by construction.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        ``code @ dictionary`` plus noise.
    code : SparseCode of shape (n_samples, n_atoms)
        The true codes.
    dictionary : ndarray of shape (n_atoms, n_features)
        The true atoms, as rows.
    """

    X: np.ndarray
    code: SparseCode
    dictionary: np.ndarray


def planted_codes(
    n_samples: int = 1000,
    *,
    n_atoms: int = 128,
    n_features: int = 64,
    n_active: int = 5,
    noise: float = 0.0,
    amplitudes: str = "normal",
    positive: bool = False,
    dictionary: Any = None,
    rng: np.random.Generator | int | None = None,
    dtype: Any = np.float64,
) -> PlantedCodes:
    """Draw data ``X = code @ dictionary + noise`` from sparse codes over known atoms.

    Each sample has exactly `n_active` active atoms, every set of that size being equally likely.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of samples.
    n_atoms : int, default=128
        Number of atoms; ignored if a `dictionary` is given.
    n_features : int, default=64
        Length of an atom; ignored if a `dictionary` is given.
    n_active : int, default=5
        Active atoms in each sample, at most the number of atoms.
    noise : float, default=0.0
        Standard deviation of the Gaussian noise on each entry of `X`.
    amplitudes : {"normal", "laplace", "uniform"}, default="normal"
        Active amplitudes: standard normal, Laplace of scale 1, or a random sign times a uniform
        number in [0.5, 1.5], which keeps them away from 0.
    positive : bool, default=False
        Whether to take the amplitudes' absolute values.
    dictionary : array of shape (n_atoms, n_features), optional
        The atoms, taken as they are. By default Gaussian directions of norm 1.
    rng : Generator, int or None
        Source of randomness.
    dtype : {numpy.float64, numpy.float32}, default=numpy.float64
        Type of all three results.

    Returns
    -------
    PlantedCodes
        The data, the codes and the dictionary.

    Raises
    ------
    ValueError
        If a count or option is out of range, or the dictionary holds an atom of norm 0.

    Notes
    -----
    The generative model is equation 1 of Olshausen & Field, Vision Research 37 (1997), with
    exactly sparse causes, as in the synthetic experiments of Aharon, Elad & Bruckstein, "K-SVD",
    IEEE Trans. Signal Processing 54 (2006).
    """
    n_samples = check_count("n_samples", n_samples, minimum=0)
    rng = check_rng(rng)
    dtype = check_option("dtype", np.dtype(dtype), (np.dtype("f8"), np.dtype("f4")))
    check_option("amplitudes", amplitudes, _AMPLITUDES)
    if not 0.0 <= noise < np.inf:
        raise ValueError(f"noise must be finite and at least 0; got {noise!r}.")
    if dictionary is None:
        shape = check_count("n_atoms", n_atoms), check_count("n_features", n_features)
        atoms = rng.standard_normal(shape)
        atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    else:
        atoms = check_dictionary(dictionary)
    n_active = check_count("n_active", n_active, minimum=0, maximum=len(atoms))

    indices = _random_supports(n_samples, len(atoms), n_active, rng)
    values = _random_amplitudes(indices.size, amplitudes, rng)
    if positive:
        values = np.abs(values)
    code = SparseCode(
        indptr=np.arange(n_samples + 1, dtype=np.int64) * n_active,
        indices=indices.ravel(),
        values=values.astype(dtype),
        unit_shape=(len(atoms),),
    )
    atoms = atoms.astype(dtype)
    X = np.asarray(code.to_scipy() @ atoms)
    if noise:
        X += (noise * rng.standard_normal(X.shape)).astype(dtype)
    return PlantedCodes(check_data(X), code, atoms)


def _random_supports(
    n_samples: int, n_atoms: int, n_active: int, rng: np.random.Generator
) -> np.ndarray:
    """Return uniform subsets of the atoms, sorted in each row, shape (n_samples, n_active)."""
    supports = np.empty((n_samples, n_active), dtype=np.int32)
    if n_active == 0:
        return supports
    block = max(1, _BLOCK // n_atoms)
    for start in range(0, n_samples, block):
        rows = supports[start : start + block]
        keys = rng.random((len(rows), n_atoms))
        rows[:] = np.sort(keys.argpartition(n_active - 1, axis=1)[:, :n_active], axis=1)
    return supports


def _random_amplitudes(n: int, amplitudes: str, rng: np.random.Generator) -> np.ndarray:
    """Return `n` active amplitudes of the named distribution."""
    if amplitudes == "normal":
        return rng.standard_normal(n)
    if amplitudes == "laplace":
        return rng.laplace(size=n)
    return rng.choice((-1.0, 1.0), size=n) * rng.uniform(0.5, 1.5, size=n)
