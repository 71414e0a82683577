"""Dictionaries as plain arrays, rows are atoms: scale, geometry, matching, reconstruction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, overload

import numpy as np
from scipy.optimize import linear_sum_assignment

from sparsecode._jit import threads
from sparsecode._validation import check_count, check_dictionary, check_option
from sparsecode.core._checks import check_code
from sparsecode.core.code import SparseCode

__all__ = [
    "Match",
    "babel",
    "coherence",
    "gram",
    "match",
    "normalize",
    "reconstruct",
    "reconstruct_tiles",
]

_BLOCK = 2**22  # cosines held together


@overload
def normalize(dictionary: Any, code: None = None) -> np.ndarray: ...
@overload
def normalize(dictionary: Any, code: SparseCode) -> tuple[np.ndarray, SparseCode]: ...
def normalize(
    dictionary: Any, code: SparseCode | None = None
) -> np.ndarray | tuple[np.ndarray, SparseCode]:
    """Scale every atom to norm 1 and, to keep the reconstruction, a code by the old norms.

    Parameters
    ----------
    dictionary : array-like of shape (n_atoms, n_features)
        Rows are atoms, none of norm 0.
    code : SparseCode, optional
        Code over these atoms. A binary code becomes real: its ones stand for whole atoms. Values
        so small that they become 0 in their dtype are dropped.

    Returns
    -------
    ndarray of shape (n_atoms, n_features), or a pair of it and the rescaled SparseCode

    Raises
    ------
    ValueError, TypeError
        If an atom has norm 0, `code` has other units, or its values leave the range of their
        dtype.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.core import SparseCode, normalize, reconstruct
    >>> atoms = np.array([[3.0, 4.0], [0.0, 2.0]])
    >>> code = SparseCode.from_dense(np.array([[1.0, -1.0]]))
    >>> unit_atoms, rescaled = normalize(atoms, code)
    >>> unit_atoms
    array([[0.6, 0.8],
           [0. , 1. ]])
    >>> reconstruct(rescaled, unit_atoms), reconstruct(code, atoms)
    (array([[3., 2.]]), array([[3., 2.]]))
    """
    dictionary = check_dictionary(dictionary)
    largest = np.abs(dictionary).max(axis=1, keepdims=True)  # keeps squares within range
    atoms = dictionary / largest
    norms = np.linalg.norm(atoms, axis=1, keepdims=True)
    atoms /= norms
    if code is None:
        return atoms
    _check_units(code, dictionary)
    with np.errstate(over="ignore"):  # infinite values are refused below
        scale = (norms * largest)[code.indices, 0]
        values = scale if code.values is None else (code.values * scale).astype(code.dtype)
    return atoms, SparseCode(code.indptr, code.indices, values, code.unit_shape)


def gram(dictionary: Any) -> np.ndarray:
    """Return the inner products of all pairs of atoms, ``D @ D.T``.

    Parameters
    ----------
    dictionary : array-like of shape (n_atoms, n_features)
        Rows are atoms, of any norm.

    Returns
    -------
    ndarray of shape (n_atoms, n_atoms)

    Raises
    ------
    ValueError, TypeError
        If `dictionary` is not such an array, or an atom has norm 0.
    """
    dictionary = check_dictionary(dictionary)
    return dictionary @ dictionary.T


def coherence(dictionary: Any) -> float:
    """Return the largest cosine between two atoms, ``max_{i != j} |<d_i, d_j>|``.

    Parameters
    ----------
    dictionary : array-like of shape (n_atoms, n_features)
        Rows are atoms; their norms play no part.

    Returns
    -------
    float
        Between 0 and 1; 0 for a single atom.

    Raises
    ------
    ValueError, TypeError
        If `dictionary` is not such an array, or an atom has norm 0.
    """
    dictionary = check_dictionary(dictionary)
    return float(babel(dictionary, 1)) if len(dictionary) > 1 else 0.0


def babel(dictionary: Any, n_terms: Any, *, supports: SparseCode | None = None) -> np.ndarray:
    r"""Return the Babel function, the worst summed cosine of one atom with `n_terms` others.

    .. math:: \mu_1(r) = \max_i \max_{|R| = r, i \notin R} \sum_{j \in R} |\langle d_i, d_j\rangle|

    ``babel(D, 1)`` is the coherence, and ``babel(D, r) <= r * coherence(D)``. With `supports` the
    maximum runs over the atoms that each sample uses together, and over sums within them.

    Parameters
    ----------
    dictionary : array-like of shape (n_atoms, n_features)
        Rows are atoms; their norms play no part.
    n_terms : int or array-like of int
        Numbers of terms ``r``, each between 1 and ``n_atoms - 1``.
    supports : SparseCode, optional
        Samples whose co-selected atoms are examined. A sample with fewer than ``r + 1`` atoms sums
        all it has: a lone atom gives 0, a silent sample NaN.

    Returns
    -------
    ndarray of float64
        Of the shape of `n_terms`; with `supports`, (n_samples, \*shape of n_terms).

    Raises
    ------
    ValueError, TypeError
        If there is a single atom, an atom has norm 0, `n_terms` is out of range, or `supports` has
        other units.

    References
    ----------
    J. A. Tropp, "Greed is good: algorithmic results for sparse approximation", IEEE Trans. Inf.
    Theory 50(10), 2004, definition 2.2.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.core import babel
    >>> babel(np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]]), [1, 2])
    array([0.8, 1.4])
    """
    atoms = normalize(check_dictionary(dictionary, dtype=np.float64))
    n_atoms = len(atoms)
    if n_atoms < 2:
        raise ValueError("dictionary must have at least two atoms to compare; got one.")
    terms = np.asarray(n_terms)
    if terms.dtype.kind not in "iu":
        raise TypeError(f"n_terms must hold integers; got {n_terms!r}.")
    if terms.size and not 1 <= terms.min() <= terms.max() < n_atoms:
        raise ValueError(
            f"n_terms must lie between 1 and {n_atoms - 1}, one below n_atoms; got {n_terms!r}."
        )
    most = int(terms.max(initial=1))
    if supports is None:
        worst = np.zeros(most)
        for _, cosines in _cosine_blocks(atoms, atoms, signed=False, skip_diagonal=True):
            worst = np.maximum(worst, _largest_sums(cosines, most))
        return worst[terms - 1]
    _check_units(supports, atoms)
    sums = np.full((supports.n_samples, most), np.nan)
    with threads():  # the products are small: BLAS is faster alone
        for i, (start, stop) in enumerate(zip(supports.indptr[:-1], supports.indptr[1:])):
            if stop > start:
                used = atoms[supports.indices[start:stop]]
                cosines = _cosines(used, used, signed=False)
                np.fill_diagonal(cosines, 0.0)
                found = _largest_sums(cosines, min(most, stop - start))
                sums[i, : found.size] = found
                sums[i, found.size :] = found[-1]
    return sums[:, terms - 1]


class Match(NamedTuple):
    """Pairs of atoms of two dictionaries: ``a[rows[i]]`` goes with ``b[columns[i]]``.

    Attributes
    ----------
    rows, columns : ndarray of int64, shape (n_pairs,)
        Atoms of the first and of the second dictionary; `rows` ascends.
    cosines : ndarray of float64, shape (n_pairs,)
        Cosine of each pair, its magnitude if matched without sign.
    """

    rows: np.ndarray
    columns: np.ndarray
    cosines: np.ndarray

    @property
    def score(self) -> float:
        """Mean cosine: MMCS for ``method="max"``, the Hungarian score otherwise."""
        return float(self.cosines.mean())


def match(a: Any, b: Any, *, method: str = "hungarian", signed: bool = True) -> Match:
    """Pair the atoms of two dictionaries by cosine.

    Parameters
    ----------
    a, b : array-like of shape (n_atoms_a, n_features) and (n_atoms_b, n_features)
        Rows are atoms; their norms play no part.
    method : {"hungarian", "max"}
        "hungarian" pairs one to one so that the cosines sum to the most (with unequal numbers,
        atoms of the larger dictionary stay alone). "max" takes for each atom of `a` the best of
        `b`, many to one and therefore asymmetric: the mean maximum cosine similarity (MMCS).
    signed : bool, default=True
        Whether an atom and its negative are opposites. Sparse codes of both signs cannot tell
        them apart: then pass ``False``, and magnitudes are compared.

    Returns
    -------
    Match
        Pairs, their cosines and the mean, ``score``.

    Raises
    ------
    ValueError, TypeError
        If the numbers of features differ, an atom has norm 0, or `method` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.core import match
    >>> found = match(np.eye(3), -np.eye(3)[[2, 0, 1]], signed=False)
    >>> found.columns, found.score
    (array([1, 2, 0]), 1.0)
    """
    check_option("method", method, ("hungarian", "max"))
    a = normalize(check_dictionary(a, name="a", dtype=np.float64))
    b = normalize(check_dictionary(b, name="b", dtype=np.float64))
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"a and b must have atoms of as many features; got {a.shape[1]} and {b.shape[1]}."
        )
    if method == "hungarian":
        cosines = _cosines(a, b, signed)
        rows, columns = linear_sum_assignment(cosines, maximize=True)
        return Match(rows, columns, cosines[rows, columns])
    columns = np.empty(len(a), np.int64)
    best = np.empty(len(a))
    for start, cosines in _cosine_blocks(a, b, signed=signed):
        part = slice(start, start + len(cosines))
        columns[part] = cosines.argmax(axis=1)
        best[part] = cosines.max(axis=1)
    return Match(np.arange(len(a)), columns, best)


def reconstruct(code: SparseCode, dictionary: Any, *, out: np.ndarray | None = None) -> np.ndarray:
    """Return ``z @ D`` for a batch; the code is never made dense.

    Parameters
    ----------
    code : SparseCode
        Codes ``z``, n_units equal to n_atoms.
    dictionary : array-like of shape (n_atoms, n_features)
        Rows are atoms.
    out : ndarray of shape (n_samples, n_features), optional
        Where the result is written, tile after tile (a memory map serves too).

    Returns
    -------
    ndarray of shape (n_samples, n_features)
        `out` if given; else float32 if code and dictionary are, a binary code being of any
        precision, and float64 otherwise.

    Raises
    ------
    ValueError, TypeError
        If the units are not the atoms, an atom has norm 0, or `out` has another shape.

    See Also
    --------
    reconstruct_tiles : The same, a few samples at a time.
    """
    dictionary = check_dictionary(dictionary)
    _check_units(code, dictionary)
    shape = (code.n_samples, dictionary.shape[1])
    if out is None:
        return code.to_scipy() @ dictionary
    if out.shape != shape:
        raise ValueError(f"out must have shape {shape}, (n_samples, n_features); got {out.shape}.")
    for part, tile in reconstruct_tiles(code, dictionary):
        out[part] = tile
    return out


def reconstruct_tiles(
    code: SparseCode, dictionary: Any, *, tile: int = 4096
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield ``z @ D`` a few samples at a time.

    Parameters
    ----------
    code : SparseCode
        Codes ``z``, n_units equal to n_atoms.
    dictionary : array-like of shape (n_atoms, n_features)
        Rows are atoms.
    tile : int, default=4096
        Samples per tile; the last one may hold fewer.

    Yields
    ------
    samples : slice
        Which samples of the batch.
    reconstruction : ndarray of shape (n_samples of the tile, n_features)

    Raises
    ------
    ValueError, TypeError
        If the units are not the atoms, an atom has norm 0, or `tile` is below 1; raised when the
        first tile is asked for.

    Examples
    --------
    The squared error of each sample, in the memory of one tile::

        for part, reconstruction in reconstruct_tiles(code, dictionary):
            error[part] = ((X[part] - reconstruction) ** 2).sum(axis=1)
    """
    tile = check_count("tile", tile)
    dictionary = check_dictionary(dictionary)
    _check_units(code, dictionary)
    for start in range(0, code.n_samples, tile):
        part = slice(start, min(start + tile, code.n_samples))
        yield part, code[part].to_scipy() @ dictionary


def _check_units(code: SparseCode, dictionary: np.ndarray) -> None:
    if check_code("code", code).n_units != len(dictionary):
        raise ValueError(
            f"code must have {len(dictionary)} units, the dictionary's n_atoms; got {code!r}."
        )


def _cosines(a: np.ndarray, b: np.ndarray, signed: bool) -> np.ndarray:
    """Return the cosines of all pairs of unit atoms, or their magnitudes."""
    cosines = a @ b.T
    return np.clip(cosines if signed else np.abs(cosines), -1.0, 1.0)


def _cosine_blocks(
    a: np.ndarray, b: np.ndarray, *, signed: bool, skip_diagonal: bool = False
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield blocks of rows of ``a @ b.T``, unit atoms given, so that memory stays bounded."""
    n_rows = max(1, _BLOCK // len(b))
    for start in range(0, len(a), n_rows):
        cosines = _cosines(a[start : start + n_rows], b, signed)
        if skip_diagonal:
            row = np.arange(len(cosines))
            cosines[row, start + row] = 0.0
        yield start, cosines


def _largest_sums(cosines: np.ndarray, most: int) -> np.ndarray:
    """Return for r = 1 ... `most` the largest sum over a row's r largest entries."""
    n_columns = cosines.shape[1]
    largest = np.partition(cosines, n_columns - most, axis=1)[:, n_columns - most :]
    return np.sort(largest, axis=1)[:, ::-1].cumsum(axis=1).max(axis=0)
