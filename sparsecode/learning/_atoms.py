"""What every learner does to atoms: draw them, keep a constraint, replace those of no use."""

from __future__ import annotations

import numpy as np

from sparsecode.learning._projection_kernels import project_atoms

__all__ = ["CONSTRAINTS", "draw_atoms", "duplicated", "project", "replace"]

CONSTRAINTS = (None, "positive", "mean_free")


def draw_atoms(
    n_atoms: int, n_features: int, samples: np.ndarray | None, rng: np.random.Generator
) -> np.ndarray:
    """Return atoms of any norm: Gaussian, or distinct samples and random mixtures of them.

    Mixtures, which have the samples' covariance, stand in where there are too few samples.
    """
    if samples is None:
        return rng.standard_normal((n_atoms, n_features))
    alive = samples[np.any(samples, axis=1)]
    drawn = alive[rng.permutation(len(alive))[:n_atoms]]
    n_missing = n_atoms - len(drawn)
    if not n_missing:
        return drawn
    if not len(drawn):
        return rng.standard_normal((n_atoms, n_features))
    return np.vstack([drawn, rng.standard_normal((n_missing, len(drawn))) @ drawn])


def project(atoms: np.ndarray, constraint: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest atoms of norm 1 under the constraint, and the norms they had under it.

    Atoms of which the constraint leaves nothing are 0 and had the norm 0.
    """
    unit, norms = np.array(atoms, order="C"), np.empty(len(atoms))
    project_atoms(unit, constraint == "positive", constraint == "mean_free", norms)
    return unit, norms


def duplicated(atoms: np.ndarray, usage: np.ndarray, limit: float, signed: bool) -> np.ndarray:
    """Return which atoms are near-duplicates of an atom that more samples of the batch use."""
    cosines = atoms @ atoms.T
    if not signed:
        cosines = np.abs(cosines)
    doubled = np.zeros(len(atoms), bool)
    for i, j in np.argwhere(np.triu(cosines > limit, 1)):
        if not doubled[i] and not doubled[j]:
            doubled[i if usage[i] < usage[j] else j] = True
    return doubled


def replace(
    atoms: np.ndarray, useless: np.ndarray, residuals: np.ndarray, constraint: str | None
) -> np.ndarray:
    """Overwrite useless atoms by the largest residuals of the batch; return those replaced.

    Where no residual is left, the atom stays.
    """
    if not useless.size:
        return useless
    candidates, norms = project(residuals, constraint)
    worst = np.argsort(-norms, kind="stable")[: useless.size]
    worst = worst[norms[worst] > 0]
    useless = useless[: worst.size]
    atoms[useless] = candidates[worst]
    return useless
