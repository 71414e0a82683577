"""Sums over sparse codes, and block coordinate descent on atoms of norm 1."""

import numpy as np

from sparsecode._jit import jit
from sparsecode._simd import subtract_rows
from sparsecode.learning._projection_kernels import project_atom

__all__ = ["add_statistics", "descend_on_block"]


@jit
def add_statistics(
    indptr, indices, values, starts, samples, negated, X, kept, second_moment, cross_moment
):
    """Scale both moments by `kept`; add z z^T and z x^T for every sample.

    Codes come twice: by sample, and with their signs turned by atom, so that one row of either
    moment at a time lies in fast memory. Rows of `X` are padded to whole vectors.
    """
    n_atoms, n_features = cross_moment.shape
    row = np.zeros(X.shape[1], X.dtype)
    for j in range(n_atoms):
        for k in range(n_atoms):
            second_moment[j, k] *= kept
        for a in range(starts[j], starts[j + 1]):
            i = samples[a]
            for b in range(indptr[i], indptr[i + 1]):
                second_moment[j, indices[b]] -= negated[a] * values[b]
        used = slice(starts[j], starts[j + 1])
        for f in range(n_features):
            row[f] = kept * cross_moment[j, f]
        subtract_rows(row, negated[used], samples[used], X, starts[j + 1] - starts[j])
        for f in range(n_features):
            cross_moment[j, f] = row[f]


@jit
def descend_on_block(
    first, products, second_moment, cross_moment, positive, mean_free, atoms, moves
):
    """Minimise over some consecutive atoms, from `first` on, one after another.

    `products` holds A D for them, before any of them moves; `moves`, padded with 0 to whole
    vectors, receives by how much each does. The minimiser over one atom of norm 1 is the
    projection of ``A_jj d_j + B_j - A_j D``; an atom that the constraint leaves nothing of
    becomes 0.
    """
    n_features = atoms.shape[1]
    target = np.zeros(moves.shape[1], atoms.dtype)
    before = np.arange(products.shape[0])
    for a in range(products.shape[0]):
        j = first + a
        weight = second_moment[j, j]
        if weight <= 0.0:
            for f in range(n_features):
                moves[a, f] = 0
            continue
        for f in range(n_features):
            target[f] = weight * atoms[j, f] + (cross_moment[j, f] - products[a, f])
        subtract_rows(target, second_moment[j, first:j], before, moves, a)
        project_atom(target[:n_features], positive, mean_free)
        for f in range(n_features):
            moves[a, f] = target[f] - atoms[j, f]
            atoms[j, f] = target[f]
