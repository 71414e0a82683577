"""Atoms brought to norm 1 under a constraint."""

import numpy as np

from sparsecode._jit import jit
from sparsecode._simd import dot, largest_magnitude

__all__ = ["project_atom", "project_atoms"]

#: Norm, in machine epsilons of what it was, at which a centred atom is taken for rounding.
NOTHING_LEFT = 10.0


@jit
def _norm(atom):
    """Return the norm, in the atom's precision, also where squares would leave its range."""
    limits = np.finfo(atom.dtype)
    largest = largest_magnitude(atom)
    if np.sqrt(limits.tiny / limits.eps) < largest < np.sqrt(limits.eps * limits.max):
        return np.sqrt(np.float64(dot(atom, atom)))
    if largest == 0.0:
        return 0.0
    total = 0.0
    for f in range(atom.size):
        total += (atom[f] / largest) ** 2
    return largest * np.sqrt(total)


@jit
def project_atom(atom, positive, mean_free):
    """Overwrite `atom` by the nearest one of norm 1; return the norm it had under the constraint.

    If the constraint leaves nothing of it, both are 0.
    """
    if positive:
        for f in range(atom.size):
            atom[f] = max(atom[f], 0)
    norm = _norm(atom)
    if mean_free:
        mean = 0.0
        for f in range(atom.size):
            mean += atom[f]
        mean /= atom.size
        for f in range(atom.size):
            atom[f] -= mean
        floor = NOTHING_LEFT * np.finfo(atom.dtype).eps * norm
        norm = _norm(atom)
        if norm <= floor:
            norm = 0.0
    if norm == 0.0:
        for f in range(atom.size):
            atom[f] = 0
        return 0.0
    for f in range(atom.size):
        atom[f] /= norm
    return norm


@jit
def project_atoms(atoms, positive, mean_free, norms):
    """Project every row of `atoms` and write the norms that they had under the constraint."""
    for j in range(atoms.shape[0]):
        norms[j] = project_atom(atoms[j], positive, mean_free)
