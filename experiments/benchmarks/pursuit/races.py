"""Pursuits of whitened patches and of activations, beside the peers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.benchmarks._race import Entry, Race, Sizes, on_threads


@dataclass(frozen=True)
class Config(Sizes):
    """How many times as fast are the atoms chosen that leave the same residual?

    Orthogonal least squares must come within 0.5 % of the residual of `spams.omp`, which chooses
    by that rule; orthogonal matching pursuit within 0.1 % of that of scikit-learn. Patches are of
    16 x 16 pixels and norm 1, and so are the atoms; activations are sums of few of very many
    random directions. scikit-learn codes the first `n_slow` samples.
    """

    n_samples: int = 10_000
    n_slow: int = 500
    n_atoms: int = 1024
    n_nonzero: tuple[int, ...] = (10, 20)
    n_activations: int = 2_000
    n_slow_activations: int = 50
    n_features: int = 768
    n_directions: int = 6144
    n_active: int = 32


SMOKE: dict[str, Any] = {
    "n_rounds": 2, "n_matrix": 64, "n_samples": 24, "n_slow": 6, "n_atoms": 64, "n_nonzero": (3,),
    "n_activations": 24, "n_slow_activations": 6, "n_features": 24, "n_directions": 96,
    "n_active": 3,
}  # fmt: skip
QUICK: dict[str, Any] = {"n_samples": 2_000, "n_slow": 200, "n_activations": 500}


def races(config: Config) -> list[Race]:
    """Return the races: both rules on patches, then on activations."""
    patches = {"n_samples": config.n_samples, "n_atoms": config.n_atoms}
    activations = {
        "n_samples": config.n_activations, "n_atoms": config.n_directions,
        "n_features": config.n_features, "n_active": config.n_active,
    }  # fmt: skip
    found = []
    for k in config.n_nonzero:
        on_patches = Race("patches", "pursuit", {"n_nonzero": k}, "natural_images", patches, ())
        found += [_ols(on_patches, n_threads) for n_threads in (1, 2)]
        found += [_omp(on_patches, dtype, config.n_slow, 60.0) for dtype in ("float32", "float64")]
    on_activations = Race(
        "activations", "pursuit", {"n_nonzero": config.n_active}, "activations", activations, ()
    )
    found += [
        _ols(on_activations, n_threads, gram) for gram in (True, False) for n_threads in (1, 2)
    ]
    spams = Entry("spams", {"dtype": "float32", "n_threads": 1}, goal=2.0)
    found.append(_omp(on_activations, "float32", config.n_slow_activations, np.nan, spams))
    return found


def _ols(problem: Race, n_threads: int, gram: bool = True) -> Race:
    """Return ours and spams by orthogonal least squares, in float32; `gram` is of ours."""
    how: dict[str, Any] = {"dtype": "float32", "n_threads": n_threads}
    k = problem.objective["n_nonzero"]
    return problem._replace(
        name=f"OLS{'' if gram else ' without Gram'}, {problem.name}, k={k}, float32, "
        f"{on_threads(n_threads)}",
        entries=(
            Entry("sparsecode", {**how, "rule": "ols", "gram": gram}),
            Entry("spams", how, goal=2.0),
        ),
        reference="spams",
        slack=0.005,
    )


def _omp(problem: Race, dtype: str, n_slow: int, goal: float, *others: Entry) -> Race:
    """Return ours and scikit-learn by orthogonal matching pursuit, on one thread."""
    how: dict[str, Any] = {"dtype": dtype, "n_threads": 1}
    k = problem.objective["n_nonzero"]
    ours = Entry("sparsecode", {**how, "rule": "omp"})
    return problem._replace(
        name=f"OMP, {problem.name}, k={k}, {dtype}, 1 thread",
        entries=(ours, Entry("scikit_learn", how, n_samples=n_slow, goal=goal), *others),
        reference="scikit_learn",
        slack=0.001,
    )
