"""The hierarchical benchmark of sparse autoencoders: data with parents and children, absorption.

A latent *absorbs* when the latent of a child points at its parent too: the parent's own latent
then falls silent where the child is present. The true child and parent are orthogonal, so that the
cosine of the learned child with the true parent says how far this has gone.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from sparsecode._validation import check_count, check_dictionary, check_rng
from sparsecode.core.code import SparseCode

__all__ = [
    "HierarchicalFeatures",
    "absorption",
    "gram_errors",
    "hierarchical_features",
    "match_latents",
    "sibling_mixing",
]

_PARENTS = np.array([0.2] * 3 + [0.05] * 8)
_CHILD_PROBABILITY = 0.2
_N_CHILDREN = 3  # of each of the first three parents

#: Mixing that gives siblings a cosine of 0, .1, ..., .8, as the paper tabulates it.
CORRELATIONS = tuple(round(0.1 * i, 1) for i in range(9))
CHILD_MIXING = (0.0, 0.0895, 0.163, 0.226, 0.282, 0.3335, 0.3825, 0.431, 0.482)
PARENT_MIXING = (0.0, 0.3, 0.44, 0.529, 0.594, 0.6467, 0.692, 0.733, 0.7739)


class HierarchicalFeatures(NamedTuple):
    """Twenty features in 20 dimensions: 11 exclusive parents, and 9 children of the first three.

    Attributes
    ----------
    features : ndarray of shape (20, 20)
        Unit rows; parents first, then the children, three of each parent.
    parent_of : ndarray of int64, shape (20,)
        The parent of each feature, -1 for parents.
    """

    features: np.ndarray
    parent_of: np.ndarray

    def sample(
        self,
        n_samples: int,
        rng: Any,
        *,
        parent_amplitude: tuple[float, float] = (1.5, 0.25),
        child_amplitude: tuple[float, float] = (1.5, 0.25),
    ) -> tuple[np.ndarray, SparseCode]:
        """Draw samples: one parent each, and of some parents at most one child.

        Parameters
        ----------
        n_samples : int
            Number of samples.
        rng : int, Generator or None
            Seed or source of randomness.
        parent_amplitude, child_amplitude : pair of float
            Mean and standard deviation of the normal law of coefficients. The absorption table has
            (1, 0.25) for parents and (1, 0.125) for children.

        Returns
        -------
        X : ndarray of float32, shape (n_samples, 20)
            Sums of the present features.
        code : SparseCode of shape (n_samples, 20)
            Their coefficients; 1.36 present on average.
        """
        rng = check_rng(rng)
        n_samples = check_count("n_samples", n_samples, minimum=0)
        n_parents = len(_PARENTS)
        parents = rng.choice(n_parents, size=n_samples, p=_PARENTS)
        which = np.floor(rng.random(n_samples) / _CHILD_PROBABILITY).astype(np.int64)
        has_child = (parents < 3) & (which < _N_CHILDREN)
        rows = np.arange(n_samples)
        z = np.zeros((n_samples, len(self.features)), np.float32)
        z[rows, parents] = rng.normal(*parent_amplitude, n_samples)
        strengths = rng.normal(*child_amplitude, n_samples)
        children = n_parents + _N_CHILDREN * parents + which
        z[rows[has_child], children[has_child]] = strengths[has_child]
        return z @ self.features.astype(np.float32), SparseCode.from_dense(z)


def sibling_mixing(correlation: float, n_siblings: int) -> float:
    r"""Return how much of the others each of some orthonormal vectors takes to have a cosine.

    With :math:`q_i \leftarrow (1 - \varepsilon) q_i + \varepsilon\, \mathrm{mean}_{j \ne i} q_j`,
    renormalised, all pairs have the same cosine.

    Parameters
    ----------
    correlation : float
        Wanted cosine, at least 0 and below 1.
    n_siblings : int
        Number of vectors, at least 2.

    Returns
    -------
    float
        The mixing epsilon. The paper's table, found by trial, agrees within 0.002.

    Examples
    --------
    >>> from sparsecode.bridges.sae_benchmark import sibling_mixing
    >>> round(sibling_mixing(0.5, 3), 3)
    0.333
    """
    if not 0.0 <= correlation < 1.0:
        raise ValueError(f"correlation must be at least 0 and below 1; got {correlation!r}.")
    n = check_count("n_siblings", n_siblings, minimum=2)
    share = (np.sqrt(1.0 + n * correlation / (1.0 - correlation)) - 1.0) / n
    other = 1.0 / (n - 1)
    return float(share / (other + share * (1.0 + other)))


def hierarchical_features(
    rng: Any, *, parent_correlation: float = 0.0, child_correlation: float = 0.0
) -> HierarchicalFeatures:
    """Draw the twenty features of the benchmark.

    Parameters
    ----------
    rng : int, Generator or None
        Seed or source of randomness.
    parent_correlation, child_correlation : float, default=0.0
        Cosine between any two parents, and between children of the same parent. Children stay
        orthogonal to parents and to the children of others.

    Returns
    -------
    HierarchicalFeatures

    References
    ----------
    V. Costa et al., "From flat to hierarchical: extracting sparse representations with matching
    pursuit", NeurIPS 2025 (arXiv:2506.03093), section 4.
    """
    rng = check_rng(rng)
    n_parents, n_children = len(_PARENTS), 3 * _N_CHILDREN
    q = np.linalg.qr(rng.standard_normal((n_parents + n_children,) * 2))[0].T.copy()
    groups = [(slice(0, n_parents), parent_correlation)]
    starts = range(n_parents, n_parents + n_children, _N_CHILDREN)
    groups += [(slice(s, s + _N_CHILDREN), child_correlation) for s in starts]
    for group, correlation in groups:
        siblings = q[group]
        epsilon = sibling_mixing(correlation, len(siblings))
        others = (siblings.sum(axis=0) - siblings) / (len(siblings) - 1)
        mixed = (1.0 - epsilon) * siblings + epsilon * others
        q[group] = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
    parent_of = np.concatenate([np.full(n_parents, -1), np.repeat(np.arange(3), _N_CHILDREN)])
    return HierarchicalFeatures(q, parent_of)


def match_latents(code: SparseCode, truth: SparseCode) -> np.ndarray:
    """Pair true features with latents by their activations, one to one.

    Parameters
    ----------
    code : SparseCode of shape (n_samples, n_latents)
        Codes of an autoencoder, at least as many latents as features.
    truth : SparseCode of shape (n_samples, n_true)
        Coefficients of the true features of the same samples.

    Returns
    -------
    ndarray of int64, shape (n_true,)
        The latent of each feature: the assignment of least squared difference between activations
        that are divided by their maximum.

    Raises
    ------
    ValueError
        If the samples differ in number, or latents are too few.
    """
    if code.n_samples != truth.n_samples or not code.n_samples:
        raise ValueError(
            f"code and truth must have the same samples, at least one; got {code.n_samples} and "
            f"{truth.n_samples}."
        )
    if code.n_units < truth.n_units:
        raise ValueError(
            f"code must have at least {truth.n_units} latents, one a feature; got {code.n_units}."
        )
    learned, true = _max_normalised(code), _max_normalised(truth)
    products = (true.T @ learned).toarray()
    squares = [np.asarray(a.multiply(a).sum(axis=0)).ravel() for a in (true, learned)]
    cost = squares[0][:, None] - 2.0 * products + squares[1]
    return linear_sum_assignment(cost)[1]


def absorption(dictionary: Any, truth: HierarchicalFeatures, latents: Any) -> float:
    """Return the mean cosine of learned children with their true parents.

    Parameters
    ----------
    dictionary : array-like of shape (n_latents, 20)
        Learned atoms, of any norm.
    truth : HierarchicalFeatures
        The features.
    latents : array-like of int, shape (20,)
        The latent of each feature, as :func:`match_latents` returns them.

    Returns
    -------
    float
        0 where children have been told from parents; 0.71 where each child has become the sum of
        both, in equal parts.
    """
    atoms = check_dictionary(dictionary, dtype=np.float64)
    atoms = atoms / np.linalg.norm(atoms, axis=1, keepdims=True)
    children = np.flatnonzero(truth.parent_of >= 0)
    parents = truth.features[truth.parent_of[children]]
    return float(np.mean(np.sum(atoms[np.asarray(latents)[children]] * parents, axis=1)))


def gram_errors(dictionary: Any, truth: HierarchicalFeatures, latents: Any) -> dict[str, float]:
    """Return by how much cosines between learned atoms miss the true ones.

    Parameters
    ----------
    dictionary : array-like of shape (n_latents, 20)
        Learned atoms, of any norm.
    truth : HierarchicalFeatures
        The features.
    latents : array-like of int, shape (20,)
        The latent of each feature.

    Returns
    -------
    dict of str to float
        Mean squared difference over pairs of one level ("within") and over pairs of a parent and
        a child ("cross"). The paper's own flat and hierarchical errors were not recovered; these
        stand in their place.
    """
    atoms = check_dictionary(dictionary, dtype=np.float64)[np.asarray(latents)]
    atoms = atoms / np.linalg.norm(atoms, axis=1, keepdims=True)
    squared = (atoms @ atoms.T - truth.features @ truth.features.T) ** 2
    level = truth.parent_of >= 0
    same = level[:, None] == level
    off = ~np.eye(len(level), dtype=bool)
    return {"within": float(squared[same & off].mean()), "cross": float(squared[~same].mean())}


def _max_normalised(code: SparseCode) -> Any:
    matrix = code.to_scipy().astype(np.float64)
    largest = np.zeros(code.n_units)
    np.maximum.at(largest, code.indices, np.abs(matrix.data))
    largest[largest == 0] = 1.0
    matrix.data = matrix.data / largest[code.indices]
    return matrix
