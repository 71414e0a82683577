"""Whether similar inputs get similar codes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from sparsecode._validation import check_count, check_numbers, check_option, check_rng
from sparsecode.core._checks import as_binary_code
from sparsecode.core.code import SparseCode
from sparsecode.core.ops import overlap


class Similarity(NamedTuple):
    """How the intersection of codes follows the similarity of their inputs.

    Attributes
    ----------
    edges : ndarray of shape (n_bins + 1,)
        Edges of the bins of input similarity; the last bin holds its upper edge.
    intersection : ndarray of shape (n_bins,)
        Mean number of units that two codes share, E|intersection|; NaN where there is no pair.
    deviation : ndarray of shape (n_bins,)
        Standard deviation of that number over pairs. Pairs share samples, so it does not shrink to
        a standard error by the root of their number.
    n_pairs : ndarray of shape (n_bins,)
        Pairs of samples in each bin.
    spearman : float
        Spearman's rank correlation of code intersection with input similarity over pairs; NaN if
        one of them is the same for all pairs.
    p_value : float
        Share of permutations, the identity included, that correlate at least as much.
    null_deviation : float
        Standard deviation of the correlation over permutations; its mean is 0.
    """

    edges: np.ndarray
    intersection: np.ndarray
    deviation: np.ndarray
    n_pairs: np.ndarray
    spearman: float
    p_value: float
    null_deviation: float


def similarity_preservation(
    inputs: Any,
    codes: Any,
    *,
    similarity: str = "jaccard",
    bins: Any = 10,
    n_permutations: int = 199,
    max_samples: int = 500,
    rng: np.random.Generator | int | None = None,
) -> Similarity:
    """Measure whether similar inputs get similar codes, over all pairs of samples.

    Parameters
    ----------
    inputs, codes : SparseCode, array-like or sparse array of shape (n_samples, n_units)
        Binary, with as many rows, each over units of its own.
    similarity : {"jaccard", "cosine", "overlap"}, default="jaccard"
        Of two inputs: shared over all active units, shared over the geometric mean of their active
        units, or the number of shared units itself. Two silent inputs have similarity 0.
    bins : int or array-like of shape (n_bins + 1,), default=10
        Number of equal bins between 0 and the largest possible (1, or the most active units of an
        input), or their rising edges. Pairs outside count for the correlation alone.
    n_permutations : int, default=199
        Permutations that the null is made of; 0 leaves it NaN.
    max_samples : int, default=500
        Of more samples, that many are drawn without replacement.
    rng : Generator, int or None
        Source of randomness.

    Returns
    -------
    Similarity
        The mean intersection in each bin, Spearman's coefficient and its null.

    Raises
    ------
    ValueError, TypeError
        If the batches are not binary, differ in rows or have fewer than three, or an option is out
        of range.

    Notes
    -----
    The n (n - 1) / 2 pairs of n samples are not independent, and the textbook null of Spearman's
    coefficient does not hold. The null here permutes samples: which code belongs to which input
    (Mantel's test on ranks). The p-value is one-sided.

    References
    ----------
    N. Mantel, "The detection of disease clustering and a generalized regression approach", Cancer
    Research 27, 1967. E|intersection| as a measure: R. J. Rinkus, "A cortical sparse distributed
    coding model linking mini- and macrocolumn-scale functionality", Frontiers in Neuroanatomy 4,
    2010.

    Examples
    --------
    >>> import numpy as np
    >>> from memory.measures import similarity_preservation
    >>> inputs = np.tri(8, 9, dtype=int)  # each has one unit more than the one before
    >>> found = similarity_preservation(inputs, inputs, similarity="overlap", bins=4, rng=0)
    >>> found.spearman, found.p_value
    (1.0, 0.005)
    """
    inputs, codes = as_binary_code("inputs", inputs), as_binary_code("codes", codes)
    check_option("similarity", similarity, ("jaccard", "cosine", "overlap"))
    n_permutations = check_count("n_permutations", n_permutations, minimum=0)
    max_samples = check_count("max_samples", max_samples, minimum=3)
    rng = check_rng(rng)
    if inputs.n_samples != codes.n_samples or inputs.n_samples < 3:
        raise ValueError(
            "inputs and codes must have as many rows, at least 3; got "
            f"{inputs.n_samples} and {codes.n_samples}."
        )
    if inputs.n_samples > max_samples:
        chosen = rng.choice(inputs.n_samples, max_samples, replace=False)
        inputs, codes = inputs[chosen], codes[chosen]
    edges = _edges(bins, similarity, inputs)
    alike, shared = _similarities(inputs, similarity), overlap(codes, codes)
    upper = np.triu_indices(len(alike), 1)
    return Similarity(
        edges,
        *_binned(alike[upper], shared[upper].astype(np.float64), edges),
        *_mantel(alike, shared, upper, n_permutations, rng),
    )


def _edges(bins: Any, similarity: str, inputs: SparseCode) -> np.ndarray:
    """Return rising edges of bins."""
    if np.ndim(bins) == 0:
        largest = float(inputs.n_active.max()) if similarity == "overlap" else 1.0
        return np.linspace(0.0, largest or 1.0, check_count("bins", bins) + 1)
    edges = check_numbers(bins, "bins", np.float64)
    if edges.ndim != 1 or edges.size < 2 or (np.diff(edges) <= 0).any():
        raise ValueError(f"bins must be a number, or at least two rising edges; got {bins!r}.")
    return edges


def _similarities(inputs: SparseCode, similarity: str) -> np.ndarray:
    """Return the similarity of all pairs of inputs, shape (n_samples, n_samples)."""
    shared = overlap(inputs, inputs).astype(np.float64)
    if similarity == "overlap":
        return shared
    active = inputs.n_active.astype(np.float64)
    if similarity == "cosine":
        whole = np.sqrt(np.outer(active, active))
    else:
        whole = active[:, None] + active - shared
    return np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)


def _binned(
    alike: np.ndarray, shared: np.ndarray, edges: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean and deviation of the intersection, and the number of pairs, in each bin."""
    which = np.searchsorted(edges, alike, side="right") - 1
    which[alike == edges[-1]] = edges.size - 2
    inside = (which >= 0) & (which < edges.size - 1)
    which, shared = which[inside], shared[inside]
    count = np.bincount(which, minlength=edges.size - 1)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(which, shared, edges.size - 1) / count
        rest = shared - mean[which]
        deviation = np.sqrt(np.bincount(which, rest**2, edges.size - 1) / count)
    return mean, deviation, count


def _mantel(
    alike: np.ndarray,
    shared: np.ndarray,
    upper: tuple[np.ndarray, np.ndarray],
    n_permutations: int,
    rng: np.random.Generator,
) -> tuple[float, float, float]:
    """Return Spearman's coefficient over pairs, its p-value and the null's deviation."""
    first, second = _ranks(alike, upper), _ranks(shared, upper)
    size = np.sqrt((first**2).sum() * (second**2).sum())
    if size == 0:
        return (float("nan"),) * 3
    products = [float((first * second).sum())]
    for _ in range(n_permutations):
        order = rng.permutation(len(first))
        products.append(float((first * second[np.ix_(order, order)]).sum()))
    found = np.array(products) / size
    if not n_permutations:
        return float(found[0]), float("nan"), float("nan")
    as_large = found >= found[0] - 1e-12
    return float(found[0]), float(as_large.mean()), float(np.sqrt((found[1:] ** 2).mean()))


def _ranks(values: np.ndarray, upper: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return the centred ranks of pairs as a symmetric matrix, 0 on its diagonal."""
    from scipy.stats import rankdata  # heavy to import

    ranks = rankdata(values[upper])
    matrix = np.zeros(values.shape)
    matrix[upper] = ranks - ranks.mean()
    return matrix + matrix.T
