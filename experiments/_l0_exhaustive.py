"""Every local minimiser of l0 and of CEL0 for few atoms, by enumeration: no solver takes part.

One sample ``y``, a dictionary ``D`` with atoms in its rows, and the cost of a code ``z`` is
``1/2 ||y - zD||^2`` plus the penalty.

l0. Once its support is fixed, a code's penalty is fixed, so the best code of every support is its
least-squares fit. Supports of dependent atoms can be left out: one of their atoms is superfluous.

CEL0. It is differentiable except where a coefficient is 0, so that its global minimiser is a
stationary point of its *cell*: each atom is silent, on the flat part of the penalty (at least the
knee, ``sqrt(2 alpha) / a``), or between, with either sign. Within a cell the cost is quadratic,
hence a linear system gives its stationary point. Again dependent atoms can be left out: along a
combination that the data do not feel the penalty is concave between zeros, so one coefficient can
go to 0 at no cost. Every stationary point is a code, whose cost is computed as that of any code;
the least of them therefore *is* the global minimum, and nothing that is known about the relation
of CEL0 to l0 is used. What remains is rounding, and systems that are singular: those have no
stationary point for almost every sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product
from typing import NamedTuple

import numpy as np

__all__ = ["Minimisers", "Sample", "cel0_minimisers", "cel0_penalty", "l0_minimisers"]

#: How far outside of its cell rounding may push a stationary point, relative to the knee.
SLACK = 1e-9


class Sample(NamedTuple):
    """One sample, its dictionary (atoms in rows) and the weight of the l0 penalty."""

    y: np.ndarray
    dictionary: np.ndarray
    alpha: float

    @property
    def norms(self) -> np.ndarray:
        """Norms of the atoms."""
        return np.linalg.norm(self.dictionary, axis=1)

    def data_term(self, codes: np.ndarray) -> np.ndarray:
        """Return half the squared distance of each code's reconstruction from the sample."""
        return 0.5 * np.square(self.y - codes @ self.dictionary).sum(axis=-1)

    def l0(self, codes: np.ndarray) -> np.ndarray:
        """Return the cost of each code under l0."""
        return self.data_term(codes) + self.alpha * np.count_nonzero(codes, axis=-1)

    def cel0(self, codes: np.ndarray, norms: np.ndarray | None = None) -> np.ndarray:
        """Return the cost of each code under CEL0, with the atoms' norms or with others."""
        norms = self.norms if norms is None else norms
        return self.data_term(codes) + cel0_penalty(codes, self.alpha, norms).sum(axis=-1)


class Minimisers(NamedTuple):
    """Local minimisers of one cost, the strict ones: ``codes[best]`` is the global one."""

    codes: np.ndarray
    cost: np.ndarray
    between: np.ndarray  # whether a coefficient lies strictly between 0 and its knee

    @property
    def best(self) -> int:
        """Index of the global minimiser."""
        return int(np.argmin(self.cost))


def cel0_penalty(codes: np.ndarray, alpha: float, norms: np.ndarray | float) -> np.ndarray:
    """Return CEL0 of each coefficient, as Soubies et al. write it."""
    lacking = np.sqrt(2.0 * alpha) / norms - np.abs(codes)
    return alpha - 0.5 * np.square(norms * np.maximum(lacking, 0.0))


def l0_minimisers(sample: Sample) -> Minimisers:
    """Return the least-squares code of every support of independent atoms.

    They are the strict local minimisers of l0: nearby codes with more atoms cost a jump, those on
    the same atoms fit worse.
    """
    projections = sample.dictionary @ sample.y
    codes = [np.zeros((1, projections.size))]
    for support, gram in _supports(sample):
        z = np.linalg.solve(gram, projections[support][:, :, None])[:, :, 0]
        codes.append(_scattered(z, support, projections.size))
    found = np.concatenate(codes)
    return Minimisers(found, sample.l0(found), np.zeros(len(found), bool))


def cel0_minimisers(sample: Sample, norms: np.ndarray | None = None) -> Minimisers:
    """Return the strict local minimisers of CEL0, with the atoms' norms or with others.

    The global minimum is the least cost over *all* stationary points; it is checked that one of
    the strict minimisers attains it.
    """
    dictionary, root = sample.dictionary, np.sqrt(2.0 * sample.alpha)
    norms = sample.norms if norms is None else norms
    projections = dictionary @ sample.y
    silent = np.zeros((1, projections.size))
    codes, strict = [silent], [np.ones(1, bool)]
    for support, gram in _supports(sample):
        a = norms[support]
        for between in map(np.array, product((False, True), repeat=support.shape[1])):
            hessian = gram - np.eye(between.size) * np.where(between, a * a, 0.0)[:, None]
            signs = np.array(list(product(*((-1.0, 1.0) if one else (0.0,) for one in between))))
            pull = projections[support][:, None] - root * a[:, None] * signs
            z = np.einsum("nij,nkj->nki", _inverse(hessian), pull)
            rows, columns = np.nonzero(_inside(z, signs, root / a[:, None]))
            codes.append(_scattered(z[rows, columns], support[rows], projections.size))
            strict.append(_positive_definite(hessian, bool(between.any()))[rows])
    found = np.concatenate(codes)
    cost = sample.cel0(found, norms)
    correlations = np.abs((sample.y - found @ dictionary) @ dictionary.T)
    held = ((found != 0.0) | (correlations < root * norms * (1.0 + SLACK))).all(axis=1)
    minimal = held & np.concatenate(strict)
    if cost[minimal].min() > cost.min() * (1.0 + SLACK):
        raise ArithmeticError("the global minimiser of CEL0 must be strict; it is not: a tie.")
    knees = root / norms
    size = np.abs(found[minimal])
    inner = ((size > 0.0) & (size < knees * (1.0 - SLACK))).any(axis=1)
    return Minimisers(found[minimal], cost[minimal], inner)


def _supports(sample: Sample) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield, size by size, the supports of at most n_features atoms and their Gram matrices."""
    n_atoms, n_features = sample.dictionary.shape
    gram = sample.dictionary @ sample.dictionary.T
    for size in range(1, min(n_atoms, n_features) + 1):
        support = np.array(list(combinations(range(n_atoms), size)))
        yield support, gram[support[:, :, None], support[:, None, :]]


def _scattered(values: np.ndarray, support: np.ndarray, n_atoms: int) -> np.ndarray:
    """Return full codes from the values on their supports."""
    codes = np.zeros((len(values), n_atoms))
    np.put_along_axis(codes, support, values, axis=1)
    return codes


def _inside(z: np.ndarray, signs: np.ndarray, knees: np.ndarray) -> np.ndarray:
    """Tell which points lie in their cell: between 0 and the knee where signed, else beyond it."""
    signed = signs * z
    between = (signed > -SLACK * knees) & (signed < knees * (1.0 + SLACK))
    beyond = np.abs(z) >= knees * (1.0 - SLACK)
    return np.asarray(np.where(signs != 0.0, between, beyond).all(axis=2))


def _inverse(matrices: np.ndarray) -> np.ndarray:
    """Return the inverse of each matrix; of a singular one, something far too large."""
    size = matrices.shape[-1]
    tiny = 1e-14 * np.abs(matrices).max(axis=(1, 2), keepdims=True, initial=1e-300)
    return np.linalg.inv(matrices + tiny * np.eye(size))


def _positive_definite(matrices: np.ndarray, needed: bool) -> np.ndarray:
    """Tell which matrices are positive definite; Gram matrices of independent atoms all are."""
    if not needed:
        return np.ones(len(matrices), bool)
    values = np.linalg.eigvalsh(matrices)
    return values[:, 0] > 1e-9 * np.abs(values).max(axis=1)
