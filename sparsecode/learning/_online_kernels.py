"""Sums over sparse codes, and block coordinate descent on atoms of norm 1."""

import numpy as np

from sparsecode._jit import jit
from sparsecode._row_kernels import copy_row
from sparsecode.learning._projection_kernels import project_atom

__all__ = ["add_statistics", "descend_on_block"]


@jit
def add_statistics(indptr, indices, values, X, second_moment, cross_moment):
    """Add z z^T to `second_moment` and z x^T to `cross_moment` for every sample."""
    for i in range(X.shape[0]):
        for a in range(indptr[i], indptr[i + 1]):
            j = indices[a]
            for b in range(indptr[i], indptr[i + 1]):
                second_moment[j, indices[b]] += values[a] * values[b]
            for f in range(X.shape[1]):
                cross_moment[j, f] += values[a] * X[i, f]


@jit
def descend_on_block(first, slack, second_moment, positive, mean_free, atoms):
    """Minimise over some consecutive atoms, from `first` on, one after another.

    `slack` holds B - A D for them and is kept current. The minimiser over one atom of norm 1 is
    the projection of ``A_jj d_j + slack_j``; an atom that the constraint leaves nothing of
    becomes 0.
    """
    n_features = atoms.shape[1]
    target = np.empty(n_features, atoms.dtype)
    for a in range(slack.shape[0]):
        j = first + a
        weight = second_moment[j, j]
        if weight <= 0.0:
            continue
        for f in range(n_features):
            target[f] = weight * atoms[j, f] + slack[a, f]
        project_atom(target, positive, mean_free)
        for b in range(slack.shape[0]):
            coupling = second_moment[first + b, j]
            if coupling != 0.0:
                for f in range(n_features):
                    slack[b, f] -= coupling * (target[f] - atoms[j, f])
        copy_row(target, atoms[j])
