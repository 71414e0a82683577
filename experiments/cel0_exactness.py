"""Is CEL0 as exact as it says? Soubies, Blanc-Féraud & Aubert 2015, sentence by sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments import _cel0_claims, _cel0_figures
from experiments._cel0_measure import (
    QUANTILES,
    axis_rows,
    hull_rows,
    listed,
    listed_rows,
    one_atom,
    penalty_rows,
    rescaled,
    scale_rows,
    tie_rows,
)
from experiments._framework import Claim, Outcome, Record, experiment
from sparsecode.core.rng import Streams

__all__ = ["Config", "cel0_exactness"]


@dataclass(frozen=True)
class Config:
    """Does CEL0 keep the global minimum of l0, add no minimum, and end in better ones?

    Few atoms, so that every local minimiser can be listed. Samples are planted codes plus noise;
    the atoms of every other problem have unequal norms.
    """

    n_atoms: int = 15
    n_features: int = 6
    n_active: int = 3
    noise: float = 0.1
    alpha_ratios: tuple[float, ...] = (0.02, 0.05, 0.1)
    n_problems: int = 100
    n_starts: int = 200
    norm_factors: tuple[float, ...] = (0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0, 3.0, 4.0)
    n_swept: int = 40
    n_draws: int = 4000

    def __post_init__(self) -> None:
        if not 2 <= self.n_atoms <= 15:
            raise ValueError(
                f"n_atoms must be between 2 and 15, or listing every minimiser takes too long; "
                f"got {self.n_atoms}."
            )
        if not 1 <= self.n_active <= self.n_atoms:
            raise ValueError(
                f"n_active must be between 1 and n_atoms, {self.n_atoms}; got {self.n_active}."
            )
        if self.n_features < 2:
            raise ValueError(f"n_features must be at least 2; got {self.n_features}.")
        if not 2 <= self.n_problems >= self.n_swept >= 1:
            raise ValueError(
                f"n_problems must be at least 2, n_swept between 1 and n_problems; got "
                f"{self.n_problems} and {self.n_swept}."
            )
        if 1.0 not in self.norm_factors or min(self.norm_factors) <= 0.0:
            raise ValueError(
                f"norm_factors must be above 0 and hold 1, the right one; got {self.norm_factors}."
            )


@experiment(
    "cel0-exactness",
    config=Config,
    title="CEL0, the exact relaxation of l0",
    cites=("doi:10.1137/151003714",),
    smoke=dict(
        n_atoms=6, n_features=4, n_active=2, n_problems=6, n_starts=20, n_swept=2, n_draws=200,
        norm_factors=(0.5, 1.0, 2.0),
    ),
    quick=dict(
        n_atoms=10, n_problems=18, n_starts=100, n_swept=6, n_draws=1000,
        norm_factors=(0.5, 0.7, 0.85, 1.0, 1.5, 2.0, 4.0),
    ),
    headline=True,
)  # fmt: skip
def cel0_exactness(config: Config, streams: Streams, swept: Any) -> Outcome:
    """List, descend, sweep; then the sentences that are algebra."""
    listed_tasks = {f"listed-{n}": (listed, config, streams, n) for n in range(config.n_problems)}
    problems = list(swept(listed_tasks, "problems").values())
    rescaled_tasks = {f"swept-{n}": (rescaled, config, streams, n) for n in range(config.n_swept)}
    sweeps = list(swept(rescaled_tasks, "wrong norms").values())
    arrays = {name: np.stack([one[name] for one in problems]) for name in problems[0]}
    arrays |= {f"swept_{name}": np.stack([one[name] for one in sweeps]) for name in sweeps[0]}
    arrays["swept_one_atom"] = np.array([one_atom(factor) for factor in config.norm_factors])
    gaps = arrays.pop("costs") / arrays["l0_optimum"][:, None, None] - 1.0
    arrays["gap_from_zero"] = gaps[:, :, 0]
    arrays["mean_gap"] = gaps[:, :, 1:].mean(axis=2)
    arrays["gap_quantiles"] = np.quantile(gaps[:, :, 1:], QUANTILES, axis=(0, 2)).T
    parts = (penalty_rows, tie_rows, scale_rows, axis_rows, hull_rows)
    rows = listed_rows(config, arrays) + [row for part in parts for row in part(config, streams)]
    return Outcome(dict(zip(("part", "quantity", "n_cases", "measured"), zip(*rows))), arrays)


@cel0_exactness.claims
def claims(record: Record) -> list[Claim]:
    """Judge each sentence."""
    return _cel0_claims.judge(record)


@cel0_exactness.plot
def figure(record: Record, figure: Any) -> None:
    """Draw limits and gaps by method, then what wrong norms do."""
    _cel0_figures.draw(record, figure)
