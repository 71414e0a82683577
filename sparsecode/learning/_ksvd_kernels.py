"""One atom after another with its own coefficients: a power iteration for each."""

import numpy as np

from sparsecode._jit import jit
from sparsecode.learning._projection_kernels import project_atom
from sparsecode.penalties._dispatch import prox, with_alpha

__all__ = ["ksvd_sweep"]


@jit
def ksvd_sweep(
    starts, samples, entries, penalty, alphas, positive, mean_free, values, residuals, atoms
):
    """Update atoms, `values` of the codes and `residuals` in place.

    Atom j is used by ``samples[starts[j]:starts[j + 1]]``, its coefficients lie at the same
    places of `entries` in `values`. An atom that the constraint leaves nothing of, and its
    coefficients, become 0.
    """
    n_features = atoms.shape[1]
    direction = np.empty(n_features, atoms.dtype)
    for j in range(atoms.shape[0]):
        energy = 0.0
        direction[:] = 0
        for a in range(starts[j], starts[j + 1]):  # E^T g, where E is the residual without j
            g = values[entries[a]]
            energy += np.float64(g) ** 2
            for f in range(n_features):
                direction[f] += g * residuals[samples[a], f]
        if energy == 0.0:
            continue
        for f in range(n_features):
            direction[f] += energy * atoms[j, f]
        project_atom(direction, positive, mean_free)
        for a in range(starts[j], starts[j + 1]):  # g = prox(E d), and the residual with it
            i = samples[a]
            g = values[entries[a]]
            match = 0.0
            for f in range(n_features):
                residuals[i, f] += g * atoms[j, f]
                match += residuals[i, f] * direction[f]
            if penalty is not None:
                match = prox(with_alpha(penalty, alphas[i]), match, 1.0, j)
            values[entries[a]] = match
            g = values[entries[a]]
            for f in range(n_features):
                residuals[i, f] -= g * direction[f]
        atoms[j] = direction
