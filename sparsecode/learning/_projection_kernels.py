"""An atom brought to norm 1 under a constraint."""

import numpy as np

from sparsecode._jit import jit

__all__ = ["project_atom"]

#: Norm, in machine epsilons of what it was, at which a centred atom is taken for rounding.
NOTHING_LEFT = 10.0


@jit
def project_atom(atom, positive, mean_free):
    """Overwrite `atom` by the nearest one of norm 1; by 0 if the constraint leaves nothing."""
    before = 0.0
    mean = 0.0
    for f in range(atom.size):
        if positive:
            atom[f] = max(atom[f], 0)
        before += np.float64(atom[f]) ** 2
        mean += atom[f]
    mean = mean / atom.size if mean_free else 0.0
    after = 0.0
    for f in range(atom.size):
        atom[f] -= mean
        after += np.float64(atom[f]) ** 2
    floor = NOTHING_LEFT * np.finfo(atom.dtype).eps
    scale = 1.0 / np.sqrt(after) if after > floor * floor * before else 0.0
    for f in range(atom.size):
        atom[f] *= scale
