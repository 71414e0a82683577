r"""How alike two representations of the same stimuli are, beside what chance and noise would give.

A representation is an array of shape (n_samples, n_units) or a :class:`SparseCode`; row ``i`` of
both is the answer to stimulus ``i``, and their units need not be as many. :math:`X` and :math:`Y`
are centred (each unit's mean is taken off) for CKA, CCA, SVCCA and Procrustes, not for the others.

===================  ========  ===========================================================
measure              alike is  not changed by
===================  ========  ===========================================================
cka                  higher    rotations of the units, one common scale
cca                  higher    any invertible map of the units
svcca                higher    rotations of the units, one common scale
rsa                  higher    a scale and an offset of each row, any order of the units
procrustes           lower     rotations of the units, one common scale
mutual_knn           higher    rotations of the units, a scale of each row
dictionary           higher    any order of the atoms, a scale of each
===================  ========  ===========================================================

A value alone says little: with more units than stimuli the biased CKA and the CCA of unrelated
representations are near 1. :func:`compare` puts beside it the values that remain when the rows of
one of the two are shuffled, and those between several seeds of one model, above which no other
model is to be expected.

The products of sparse codes are sparse, and a mean is taken off them by algebra. A code with more
than 20 % active entries, and any code in :func:`cca` and :func:`svcca`, is made dense over the
units that are ever active.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from scipy import linalg, sparse

from sparsecode._validation import (
    check_count,
    check_data,
    check_fraction,
    check_option,
    check_rng,
)
from sparsecode.core._centred import Centred, live_columns
from sparsecode.core.code import SparseCode
from sparsecode.core.dictionary import match

__all__ = [
    "HIGHER_IS_ALIKE",
    "Similarity",
    "canonical_correlations",
    "cca",
    "cka",
    "compare",
    "dictionary_similarity",
    "mutual_knn",
    "procrustes",
    "rsa",
    "similarity_matrix",
    "svcca",
]

_BLOCK = 2**22  # cosines held together
_DECIMALS = 12  # below it, similarities of rows count as equal

Order = np.ndarray | None


@dataclass(frozen=True, slots=True, eq=False)
class Similarity:
    """What a measure says of two representations, beside chance and noise.

    Attributes
    ----------
    measure : str
        A key of `HIGHER_IS_ALIKE`.
    value : float
        The measure; NaN where it is not defined, as for a constant representation.
    null : ndarray of shape (n_shuffles,)
        The same after shuffling the rows of one of the two.
    ceiling : float or None
        Mean value between representations of one model under several seeds.
    """

    measure: str
    value: float
    null: np.ndarray
    ceiling: float | None = None

    @property
    def null_mean(self) -> float:
        """Mean of `null`; NaN without shuffles."""
        return float(self.null.mean()) if self.null.size else float("nan")

    @property
    def p_value(self) -> float:
        """``(1 + n_alike) / (1 + n_shuffles)``; NaN without shuffles or value.

        `n_alike` counts the shuffles that are at least as much alike as the representations are.
        """
        if not self.null.size or not np.isfinite(self.value):
            return float("nan")
        higher = HIGHER_IS_ALIKE[self.measure]
        n_alike = np.sum(self.null >= self.value if higher else self.null <= self.value)
        return float((1 + n_alike) / (1 + self.null.size))


# --- CKA ----------------------------------------------------------------------------------------


def cka(X: Any, Y: Any, *, debiased: bool | None = None, space: str = "auto") -> float:
    r"""Return the linear centred kernel alignment of two representations.

    .. math:: \frac{\|Y^\top X\|_F^2}{\|X^\top X\|_F \, \|Y^\top Y\|_F}

    Parameters
    ----------
    X, Y : SparseCode or array-like of shape (n_samples, n_units_x) and (n_samples, n_units_y)
        Representations, rows for the same stimuli.
    debiased : bool, optional
        Whether to put the unbiased estimate of HSIC in place of each of the three norms. By
        default it is, if `X` or `Y` has as many units as rows or more.
    space : {"auto", "units", "samples"}
        Whether to multiply units, in O(n_samples n_units^2), or samples, in
        O(n_samples^2 n_units). Both give the same number; "auto" takes the cheaper.

    Returns
    -------
    float
        At most 1, for representations that differ by a rotation and a scale. Biased, at least 0;
        debiased, unrelated representations give 0 on average. NaN if one of them is constant.

    Raises
    ------
    ValueError, TypeError
        If the rows are not as many, fewer than 2 (debiased: 4), or not finite.

    Notes
    -----
    The biased value of two independent representations grows with the ratio of units to rows,
    towards 1: compare values only at equal numbers, or debiased. The unbiased HSIC is [2]_

    .. math:: \frac{1}{n(n-3)} \Bigl( \mathrm{tr}(\tilde K \tilde L)
       + \frac{1^\top \tilde K 1 \, 1^\top \tilde L 1}{(n-1)(n-2)}
       - \frac{2}{n-2} 1^\top \tilde K \tilde L 1 \Bigr),

    the Gram matrices having zeros on their diagonals.

    References
    ----------
    .. [1] S. Kornblith, M. Norouzi, H. Lee and G. Hinton, "Similarity of neural network
       representations revisited", ICML 2019, section 3.
    .. [2] L. Song, A. Smola, A. Gretton, J. Bedo and K. Borgwardt, "Feature selection via
       dependence maximization", JMLR 13, 2012, equation 5.
    """
    return _pair("cka", X, Y, {"debiased": debiased, "space": space})


def _hsic(a: Centred, b: Centred, order: Order, debiased: bool, space: str) -> float:
    """Return HSIC up to a factor of the number of rows."""
    if space == "auto":
        in_units = a.width * b.width <= a.n_samples * (a.width + b.width)
    else:
        in_units = space == "units"
    found = a.squared_cross(b, order) if in_units else a.inner_of_grams(b, order)
    if not debiased:
        return found
    n = a.n_samples  # rows are centred: the sum of a row without its diagonal is minus that
    theirs = b.squared_norms if order is None else b.squared_norms[order]
    found -= n / (n - 2) * float(a.squared_norms @ theirs)
    return found + float(a.squared_norms.sum() * theirs.sum()) / ((n - 1) * (n - 2))


class _Kernel(NamedTuple):
    rows: Centred
    own: float  # HSIC with itself


def _prepare_cka(X: Any, name: str, options: dict[str, Any], rng: np.random.Generator) -> _Kernel:
    rows = Centred(X, name)
    if options["debiased"]:
        _check_rows(name, rows.n_samples, 4, "the debiased CKA")
    if rows.is_constant:
        return _Kernel(rows, 0.0)
    return _Kernel(rows, _hsic(rows, rows, None, options["debiased"], options["space"]))


def _cka(a: _Kernel, b: _Kernel, order: Order, options: dict[str, Any]) -> float:
    if not a.own > 0 or not b.own > 0:
        return float("nan")
    both = _hsic(a.rows, b.rows, order, options["debiased"], options["space"])
    return min(float(both / np.sqrt(a.own) / np.sqrt(b.own)), 1.0)


def _options_cka(
    sizes: list[tuple[int, int]], *, debiased: bool | None = None, space: str = "auto"
) -> dict[str, Any]:
    check_option("debiased", debiased, (None, True, False))
    check_option("space", space, ("auto", "units", "samples"))
    if debiased is None:
        debiased = any(n_units >= n_samples for n_samples, n_units in sizes)
    return {"debiased": bool(debiased), "space": space}


# --- CCA ----------------------------------------------------------------------------------------


def cca(X: Any, Y: Any) -> float:
    r"""Return the mean canonical correlation of two representations.

    Parameters
    ----------
    X, Y : SparseCode or array-like of shape (n_samples, n_units_x) and (n_samples, n_units_y)
        Representations, rows for the same stimuli.

    Returns
    -------
    float
        Mean of :func:`canonical_correlations`, between 0 and 1. NaN if one is constant.

    Raises
    ------
    ValueError, TypeError
        If a rank reaches ``n_samples - 1``, where every correlation is 1 whatever the data; if
        the rows are not as many, or not finite.

    Notes
    -----
    Correlations of directions of little variance count as much as others. Where the ranks of the
    two sum to more than ``n_samples - 1``, as many correlations as they exceed it by are 1 by
    necessity: see what :func:`compare` finds after shuffling.

    References
    ----------
    M. Raghu, J. Gilmer, J. Yosinski and J. Sohl-Dickstein, "SVCCA: Singular vector canonical
    correlation analysis for deep learning dynamics and interpretability", NeurIPS 2017.
    """
    return _pair("cca", X, Y, {})


def svcca(X: Any, Y: Any, *, variance: float = 0.99) -> float:
    r"""Return the mean canonical correlation of the first principal components.

    Parameters
    ----------
    X, Y : SparseCode or array-like of shape (n_samples, n_units_x) and (n_samples, n_units_y)
        Representations, rows for the same stimuli.
    variance : float, default=0.99
        Of each, the fewest principal components are kept that explain this share.

    Returns
    -------
    float
        Mean of :func:`canonical_correlations`, between 0 and 1. NaN if one is constant.

    Raises
    ------
    ValueError, TypeError
        If a rank reaches ``n_samples - 1`` all the same, `variance` is not above 0 and at most 1,
        the rows are not as many, or not finite.

    References
    ----------
    M. Raghu, J. Gilmer, J. Yosinski and J. Sohl-Dickstein, "SVCCA: Singular vector canonical
    correlation analysis for deep learning dynamics and interpretability", NeurIPS 2017.
    """
    return _pair("svcca", X, Y, {"variance": variance})


def canonical_correlations(X: Any, Y: Any, *, variance: float | None = None) -> np.ndarray:
    r"""Return the canonical correlations of two representations.

    They are the singular values of :math:`U_X^\top U_Y`, where the columns of :math:`U` are the
    left singular vectors of each representation, those of rank 0 left out.

    Parameters
    ----------
    X, Y : SparseCode or array-like of shape (n_samples, n_units_x) and (n_samples, n_units_y)
        Representations, rows for the same stimuli.
    variance : float, optional
        As in :func:`svcca`; by default every component of the rank is kept.

    Returns
    -------
    ndarray of shape (n_correlations,)
        Between 0 and 1, descending; as many as the smaller of the two ranks.

    Raises
    ------
    ValueError, TypeError
        As :func:`cca`.

    Notes
    -----
    The bases come from a singular value decomposition cut at the rank. A QR decomposition would
    give units that are silent, or copies of others, a direction of their own.
    """
    name = "cca" if variance is None else "svcca"
    a, b, _ = _prepared_pair(name, X, Y, {} if variance is None else {"variance": variance})
    return _correlations(a, b, None)


def _prepare_cca(
    X: Any, name: str, options: dict[str, Any], rng: np.random.Generator
) -> np.ndarray:
    rows = Centred(X, name)
    basis, _ = rows.basis(options["variance"])
    if basis.shape[1] and basis.shape[1] >= rows.n_samples - 1:
        raise ValueError(
            f"{name} must have a rank below n_samples - 1 = {rows.n_samples - 1}, or every "
            f"canonical correlation is 1; got rank {basis.shape[1]}. Use more stimuli, svcca with "
            "a smaller variance, or cka."
        )
    return basis


def _correlations(a: np.ndarray, b: np.ndarray, order: Order) -> np.ndarray:
    if not a.shape[1] or not b.shape[1]:
        return np.empty(0)
    return np.clip(linalg.svdvals(a.T @ (b if order is None else b[order])), 0.0, 1.0)


def _cca(a: np.ndarray, b: np.ndarray, order: Order, options: dict[str, Any]) -> float:
    found = _correlations(a, b, order)
    return float(found.mean()) if found.size else float("nan")


def _options_cca(sizes: list[tuple[int, int]]) -> dict[str, Any]:
    return {"variance": None}


def _options_svcca(sizes: list[tuple[int, int]], *, variance: float = 0.99) -> dict[str, Any]:
    return {"variance": check_fraction("variance", variance)}


# --- Procrustes ---------------------------------------------------------------------------------


def procrustes(X: Any, Y: Any) -> float:
    r"""Return the squared Procrustes distance of two representations; *lower* is more alike.

    .. math:: d^2 = \min_Q \Bigl\| \frac{X}{\|X\|_F} - \frac{Y}{\|Y\|_F} Q \Bigr\|_F^2
       = 2 - 2 \frac{\|X^\top Y\|_*}{\|X\|_F \|Y\|_F}, \quad Q^\top Q = I,

    the fewer units being filled up with silent ones.

    Parameters
    ----------
    X, Y : SparseCode or array-like of shape (n_samples, n_units_x) and (n_samples, n_units_y)
        Representations, rows for the same stimuli.

    Returns
    -------
    float
        Between 0, for representations that differ by a rotation and a scale, and 2. NaN if one
        of them is constant.

    Raises
    ------
    ValueError, TypeError
        If the rows are not as many, fewer than 2, or not finite.

    Notes
    -----
    With as many units as rows or more, two unrelated representations are near each other too.

    References
    ----------
    A. H. Williams, E. Kunz, S. Kornblith and S. W. Linderman, "Generalized shape metrics on neural
    representations", NeurIPS 2021.
    """
    return _pair("procrustes", X, Y, {})


def _prepare_procrustes(
    X: Any, name: str, options: dict[str, Any], rng: np.random.Generator
) -> tuple[Centred, float]:
    rows = Centred(X, name)
    if rows.is_constant:
        return rows, 0.0
    return rows.reduced(), float(np.sqrt(rows.squared_norms.sum()))


def _procrustes(
    a: tuple[Centred, float], b: tuple[Centred, float], order: Order, options: dict[str, Any]
) -> float:
    (x, x_norm), (y, y_norm) = a, b
    if x_norm == 0 or y_norm == 0:
        return float("nan")
    nuclear = linalg.svdvals(x.cross(y, order)).sum()
    return max(float(2 - 2 * nuclear / (x_norm * y_norm)), 0.0)


# --- RSA ----------------------------------------------------------------------------------------


def rsa(X: Any, Y: Any) -> float:
    """Return the rank correlation of the dissimilarities of stimuli in two representations.

    The dissimilarity of two stimuli is 1 minus the Pearson correlation of their rows over units;
    of all pairs, Spearman's correlation between the two representations is taken.

    Parameters
    ----------
    X, Y : SparseCode or array-like of shape (n_samples, n_units_x) and (n_samples, n_units_y)
        Representations, rows for the same stimuli.

    Returns
    -------
    float
        Between -1 and 1; NaN if in one of them all pairs are as dissimilar.

    Raises
    ------
    ValueError, TypeError
        If a row is constant over its units (a silent sample of a sparse code is), there are fewer
        than 3 rows, the rows are not as many, or not finite.

    Notes
    -----
    Correlations are rounded to 12 decimals, so that pairs of equal dissimilarity share a rank.
    Memory is that of a few matrices of shape (n_samples, n_samples).

    References
    ----------
    N. Kriegeskorte, M. Mur and P. Bandettini, "Representational similarity analysis: connecting
    the branches of systems neuroscience", Frontiers in Systems Neuroscience 2, 2008.
    """
    return _pair("rsa", X, Y, {})


def _row_correlations(X: Any, name: str) -> np.ndarray:
    """Return Pearson's correlation of all pairs of rows over their units."""
    if isinstance(X, SparseCode):
        matrix = live_columns(X)
        mean = np.asarray(matrix.sum(axis=1)).ravel() / X.n_units
        products = (matrix @ matrix.T).toarray() / X.n_units
        products -= np.outer(mean, mean)
        values = np.ones(X.nnz) if X.values is None else X.values
        is_constant = X.n_active == 0
        for row in np.flatnonzero(X.n_active == X.n_units):
            is_constant[row] = np.ptp(values[X.indptr[row] : X.indptr[row + 1]]) == 0
    else:
        dense = check_data(X, name=name, dtype=np.float64)
        dense = dense / max(np.abs(dense).max(initial=0.0), np.finfo(float).tiny)
        is_constant = np.ptp(dense, axis=1) == 0
        dense = dense - dense.mean(axis=1, keepdims=True)
        products = dense @ dense.T
    if is_constant.any():
        raise ValueError(
            f"{name} must vary over the units of each row for rsa; got {is_constant.sum()} "
            f"constant rows, the first in row {np.flatnonzero(is_constant)[0]}. Leave those "
            "stimuli out of both representations."
        )
    scale = np.sqrt(np.diagonal(products))
    products /= scale[:, None]
    products /= scale
    return products


def _prepare_rsa(
    X: Any, name: str, options: dict[str, Any], rng: np.random.Generator
) -> np.ndarray | None:
    from scipy.spatial.distance import squareform
    from scipy.stats import rankdata

    _check_rows(name, len(X), 3, "rsa")
    correlations = _row_correlations(X, name)
    above = np.triu_indices(len(correlations), 1)
    ranks = rankdata(np.round(1 - correlations[above], _DECIMALS))
    ranks -= ranks.mean()
    norm = np.linalg.norm(ranks)
    return None if norm == 0 else squareform(ranks / norm)


def _rsa(
    a: np.ndarray | None, b: np.ndarray | None, order: Order, options: dict[str, Any]
) -> float:
    if a is None or b is None:
        return float("nan")
    theirs = b if order is None else b[np.ix_(order, order)]
    return float(np.clip(np.vdot(a, theirs) / 2, -1.0, 1.0))


# --- mutual nearest neighbours ------------------------------------------------------------------


def mutual_knn(X: Any, Y: Any, *, k: int = 10, rng: Any = 0) -> float:
    r"""Return the share of nearest neighbours that two representations have in common.

    .. math:: \frac1n \sum_i \frac{|N_k^X(i) \cap N_k^Y(i)|}{k}

    with :math:`N_k(i)` the `k` other rows of largest cosine with row ``i``, not centred.

    Parameters
    ----------
    X, Y : SparseCode or array-like of shape (n_samples, n_units_x) and (n_samples, n_units_y)
        Representations, rows for the same stimuli.
    k : int, default=10
        Number of neighbours.
    rng : Generator, int or None, default=0
        Decides between neighbours of equal cosine, in each representation by itself.

    Returns
    -------
    float
        Between 0 and 1; by chance ``k / (n_samples - 1)``.

    Raises
    ------
    ValueError, TypeError
        If a row is all 0, `k` is not between 1 and ``n_samples - 1``, the rows are not as many,
        or not finite.

    Notes
    -----
    Cosines within 1e-12 of each other are often equal in binary codes. Had ties been decided by
    position, unrelated codes would share neighbours above chance; decided at random, a code
    with ties shares fewer than all with itself.

    References
    ----------
    M. Huh, B. Cheung, T. Wang and P. Isola, "The Platonic representation hypothesis", ICML 2024.
    """
    return _pair("mutual_knn", X, Y, {"k": k}, rng)


def _unit_rows(X: Any, name: str) -> Any:
    """Return rows of norm 1, dense or sparse."""
    if isinstance(X, SparseCode):
        rows: Any = live_columns(X)
        norms = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    else:
        rows = check_data(X, name=name, dtype=np.float64)
        rows = rows / np.maximum(np.abs(rows).max(axis=1, initial=0.0), 1e-300)[:, None]
        norms = np.linalg.norm(rows, axis=1)
    if not norms.all():
        raise ValueError(
            f"{name} must have no row of zeros for mutual_knn, which has no cosine; got "
            f"{np.sum(norms == 0)}, the first in row {np.flatnonzero(norms == 0)[0]}. Leave those "
            "stimuli out of both representations."
        )
    if isinstance(X, SparseCode):
        return sparse.diags_array(1 / norms).tocsr() @ rows
    return rows / norms[:, None]


def _cosine_blocks(rows: Any) -> Iterator[tuple[slice, np.ndarray]]:
    n_samples = rows.shape[0]
    n_rows = max(1, _BLOCK // n_samples)
    for start in range(0, n_samples, n_rows):
        part = slice(start, min(start + n_rows, n_samples))
        block = rows[part] @ rows.T
        yield part, block.toarray() if sparse.issparse(block) else block


def _prepare_knn(
    X: Any, name: str, options: dict[str, Any], rng: np.random.Generator
) -> np.ndarray:
    n_samples, k = len(X), options["k"]
    if n_samples <= k:
        raise ValueError(
            f"k must be at most {n_samples - 1}, one below the number of rows of {name}; got {k}."
        )
    rows = _unit_rows(X, name)
    neighbours = np.empty((n_samples, k), np.int64)
    for part, cosines in _cosine_blocks(rows):
        cosines = np.round(cosines, _DECIMALS)
        cosines += rng.random(cosines.shape) * (0.4 * 10.0**-_DECIMALS)  # decides between equals
        cosines[np.arange(len(cosines)), np.arange(n_samples)[part]] = -np.inf
        neighbours[part] = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
    return neighbours


def _knn(a: np.ndarray, b: np.ndarray, order: Order, options: dict[str, Any]) -> float:
    n_samples = len(a)
    if order is not None:  # row i of the shuffled one is row order[i]
        b = np.argsort(order)[b[order]]
    first = np.arange(n_samples)[:, None] * n_samples
    shared = np.isin((a + first).ravel(), (b + first).ravel(), kind="sort")
    return float(shared.mean())


def _options_knn(sizes: list[tuple[int, int]], *, k: int = 10) -> dict[str, Any]:
    return {"k": check_count("k", k)}


# --- dictionaries -------------------------------------------------------------------------------


def dictionary_similarity(
    X: Any, Y: Any, *, method: str = "hungarian", signed: bool = True
) -> float:
    """Return the mean cosine of the matched atoms of two dictionaries.

    Parameters
    ----------
    X, Y : array-like of shape (n_atoms_x, n_features) and (n_atoms_y, n_features)
        Dictionaries, rows are atoms; their norms play no part.
    method : {"hungarian", "max"}
        One to one, or each atom of `X` with its best in `Y`: the mean maximum cosine similarity
        (MMCS), which is many to one and asymmetric.
    signed : bool, default=True
        Whether an atom and its negative are opposites.

    Returns
    -------
    float
        At most 1.

    Raises
    ------
    ValueError, TypeError
        As :func:`~sparsecode.core.match`, which returns the pairs as well.

    Notes
    -----
    For dictionaries :func:`compare` shuffles the features of `Y`, the same way in all atoms: an
    order of the atoms changes nothing.
    """
    return _pair("dictionary", X, Y, {"method": method, "signed": signed})


def _prepare_dictionary(
    X: Any, name: str, options: dict[str, Any], rng: np.random.Generator
) -> np.ndarray:
    X = check_data(X, name=name, dtype=np.float64)
    largest = np.abs(X).max(axis=1, initial=0.0, keepdims=True)  # keeps squares within range
    return X / np.where(largest > 0, largest, 1.0)


def _dictionary(a: np.ndarray, b: np.ndarray, order: Order, options: dict[str, Any]) -> float:
    return match(a, b if order is None else b[:, order], **options).score


def _options_dictionary(
    sizes: list[tuple[int, int]], *, method: str = "hungarian", signed: bool = True
) -> dict[str, Any]:
    check_option("method", method, ("hungarian", "max"))
    return {"method": method, "signed": signed}


# --- all of them --------------------------------------------------------------------------------


class _Measure(NamedTuple):
    prepare: Callable[[Any, str, dict[str, Any], np.random.Generator], Any]
    value: Callable[[Any, Any, Order, dict[str, Any]], float]
    options: Callable[..., dict[str, Any]]
    higher: bool = True


_MEASURES = {
    "cka": _Measure(_prepare_cka, _cka, _options_cka),
    "cca": _Measure(_prepare_cca, _cca, _options_cca),
    "svcca": _Measure(_prepare_cca, _cca, _options_svcca),
    "rsa": _Measure(_prepare_rsa, _rsa, lambda sizes: {}),
    "procrustes": _Measure(_prepare_procrustes, _procrustes, lambda sizes: {}, higher=False),
    "mutual_knn": _Measure(_prepare_knn, _knn, _options_knn),
    "dictionary": _Measure(_prepare_dictionary, _dictionary, _options_dictionary),
}

#: For each measure by name, whether a higher value means more alike.
HIGHER_IS_ALIKE = MappingProxyType({name: one.higher for name, one in _MEASURES.items()})


def _check_rows(name: str, n_samples: int, minimum: int, what: str) -> None:
    if n_samples < minimum:
        raise ValueError(
            f"{name} must have at least {minimum} rows for {what}; got {n_samples}. "
            "Use more stimuli."
        )


def _representations(measure: str, named: dict[str, Any]) -> dict[str, Any]:
    """Check that representations are codes or finite arrays of as many rows."""
    checked = {
        name: X if isinstance(X, SparseCode) else check_data(X, name=name)
        for name, X in named.items()
    }
    if measure == "dictionary":
        for name, X in checked.items():
            if isinstance(X, SparseCode):
                raise TypeError(f"{name} must be an array of atoms; got {X!r}.")
        return checked
    for name, X in checked.items():
        if len(X) < 2 or X.shape[1] < 1:
            raise ValueError(
                f"{name} must have at least two rows, one for each stimulus, and one unit; got "
                f"shape {X.shape}."
            )
    first, *others = checked
    for name in others:
        if len(checked[name]) != len(checked[first]):
            raise ValueError(
                f"{first} and {name} must have as many rows, one for each stimulus; got "
                f"{len(checked[first])} and {len(checked[name])}."
            )
    return checked


def _check_options(measure: str, named: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    check = _MEASURES[measure].options
    known = getattr(check, "__kwdefaults__", None) or {}
    for name in options:
        if name not in known:
            offered = ", ".join(known) or "none"
            raise TypeError(f"the options of {measure} must be among: {offered}; got {name!r}.")
    return check([X.shape for X in named.values()], **options)


def _prepared(
    measure: str, named: dict[str, Any], options: dict[str, Any], rng: Any
) -> tuple[list[Any], dict[str, Any]]:
    """Return each representation as its measure needs it, and the options."""
    check_option("measure", measure, _MEASURES)
    named = _representations(measure, named)
    options = _check_options(measure, named, options)
    rng = check_rng(rng)
    prepare = _MEASURES[measure].prepare
    return [prepare(X, name, options, rng) for name, X in named.items()], options


def _prepared_pair(
    measure: str, X: Any, Y: Any, options: dict[str, Any], rng: Any = 0
) -> tuple[Any, Any, dict[str, Any]]:
    (a, b), options = _prepared(measure, {"X": X, "Y": Y}, options, rng)
    return a, b, options


def _pair(measure: str, X: Any, Y: Any, options: dict[str, Any], rng: Any = 0) -> float:
    a, b, options = _prepared_pair(measure, X, Y, options, rng)
    return _MEASURES[measure].value(a, b, None, options)


def compare(
    X: Any,
    Y: Any,
    measure: str,
    *,
    n_shuffles: int = 100,
    rng: Any = None,
    ceiling: Sequence[Any] | None = None,
    **options: Any,
) -> Similarity:
    """Compare two representations, with what chance and what noise would give.

    Parameters
    ----------
    X, Y : SparseCode or array-like of shape (n_samples, n_units_x) and (n_samples, n_units_y)
        Representations, rows for the same stimuli (for ``"dictionary"``, atoms).
    measure : str
        A key of `HIGHER_IS_ALIKE`, such as ``"cka"``.
    n_shuffles : int, default=100
        How often the rows of `Y` are shuffled (for ``"dictionary"``, its features).
    rng : Generator, int or None
        Draws the shuffles.
    ceiling : sequence of representations, optional
        At least two of the same stimuli, of one model under several seeds.
    **options
        Of the measure, such as ``k`` of ``"mutual_knn"``.

    Returns
    -------
    Similarity
        The value, its null distribution with mean and p-value, and the mean value between all
        pairs of `ceiling`.

    Raises
    ------
    ValueError, TypeError
        If `measure` or an option is unknown, `ceiling` has fewer than two members, or a
        representation does not suit the measure.

    Notes
    -----
    What is costly is computed once; a shuffle costs one product of the two. A comparison with an
    untrained model of the same kind is the other control, and is called with one.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.core.compare import compare
    >>> X = np.random.default_rng(0).standard_normal((50, 5))
    >>> found = compare(X, X @ np.diag([1, 2, 3, 4, 5]), "cca", n_shuffles=99, rng=0)
    >>> round(found.value, 6), found.p_value
    (1.0, 0.01)
    """
    n_shuffles = check_count("n_shuffles", n_shuffles, minimum=0)
    rng = check_rng(rng)
    named = {"X": X, "Y": Y}
    if ceiling is not None:
        ceiling = list(ceiling)
        if len(ceiling) < 2:
            raise ValueError(f"ceiling must hold at least two representations; got {len(ceiling)}.")
        named |= {f"ceiling[{i}]": one for i, one in enumerate(ceiling)}
    (a, b, *seeds), options = _prepared(measure, named, options, rng)
    value = _MEASURES[measure].value
    n = np.shape(Y)[1] if measure == "dictionary" else len(Y)
    null = [value(a, b, rng.permutation(n), options) for _ in range(n_shuffles)]
    between = [value(one, other, None, options) for one, other in combinations(seeds, 2)]
    return Similarity(
        measure,
        value(a, b, None, options),
        np.array(null, np.float64),
        float(np.mean(between)) if between else None,
    )


def similarity_matrix(
    representations: Sequence[Any],
    measure: str,
    *,
    others: Sequence[Any] | None = None,
    rng: Any = 0,
    **options: Any,
) -> np.ndarray:
    """Compare every representation with every other one.

    Parameters
    ----------
    representations : sequence of SparseCode or array-like of shape (n_samples, n_units)
        Such as the layers of a network, rows for the same stimuli.
    measure : str
        A key of `HIGHER_IS_ALIKE`.
    others : sequence of SparseCode or array-like, optional
        What to compare them with, such as the layers of another network; themselves by default.
    rng : Generator, int or None, default=0
        As in :func:`mutual_knn`.
    **options
        Of the measure. Where a default depends on the number of units, as whether CKA is
        debiased, it is the same for all pairs.

    Returns
    -------
    ndarray of shape (n_representations, n_others)

    Raises
    ------
    ValueError, TypeError
        If there is none, `measure` or an option is unknown, or one does not suit the measure.
    """
    named = {f"representations[{i}]": one for i, one in enumerate(representations)}
    n_rows = len(named)
    if others is not None:
        named |= {f"others[{i}]": one for i, one in enumerate(others)}
    if n_rows == 0 or (others is not None and len(named) == n_rows):
        raise ValueError("representations and others must hold at least one each; got none.")
    prepared, options = _prepared(measure, named, options, rng)
    value = _MEASURES[measure].value
    rows, columns = prepared[:n_rows], prepared if others is None else prepared[n_rows:]
    symmetric = others is None and not (measure == "dictionary" and options["method"] == "max")
    found = np.empty((len(rows), len(columns)))
    for i, a in enumerate(rows):
        for j, b in enumerate(columns):
            if symmetric and j < i:
                found[i, j] = found[j, i]
            else:
                found[i, j] = value(a, b, None, options)
    return found
