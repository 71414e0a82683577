"""How often does a dendritic segment fire by mistake? Ahmad & Hawkins 2016, Figures 4A and 5."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from experiments import _dendrite_false_positives as parts
from experiments._dendrite_points import COLUMNS
from experiments._framework import Claim, Outcome, Record, experiment
from sparsecode.core.rng import Streams

__all__ = ["Config", "dendrite_false_positives"]


@dataclass(frozen=True)
class Config:
    """How often does a random input activate a segment that has not learned it?

    By the formula, and by drawing segments and inputs. `n_trials` pairs for each point of
    Figure 4A, `n_trials_more` for each point on the curves of Figure 5 that an experiment can reach
    (the paper has formulas only there).
    """

    n_units: tuple[int, ...] = (300, 500, 700, 900, 1100, 1300, 1500, 1700, 1900)
    n_active: tuple[int, ...] = (64, 128, 256)
    n_synapses: int = 24
    threshold: int = 12
    n_trials: int = 100_000_000
    dense_units: tuple[int, ...] = (300, 1000, 3000, 10_000, 19_900)
    swept_synapses: tuple[int, ...] = (2, 4, 6, 8, 10, 14, 18, 22, 26, 30)
    n_trials_more: int = 10_000_000

    def __post_init__(self) -> None:
        if not 1 <= self.threshold <= self.n_synapses:
            raise ValueError(
                f"threshold must be between 1 and n_synapses, {self.n_synapses}; got "
                f"{self.threshold}."
            )
        if max(self.n_active) > min(self.n_units):
            raise ValueError(
                f"n_active must be at most the smallest of n_units, {min(self.n_units)}; got "
                f"{max(self.n_active)}."
            )
        if min(self.dense_units) < 4 * self.n_synapses:
            raise ValueError(
                f"dense_units must be at least {4 * self.n_synapses}; got {min(self.dense_units)}."
            )
        if any(s % 2 or not 2 <= s <= 200 for s in self.swept_synapses):
            raise ValueError(
                f"swept_synapses must be even, between 2 and 200; got {self.swept_synapses}."
            )


@experiment(
    "dendrite-false-positives",
    config=Config,
    title="False positives of a dendritic segment",
    cites=("arXiv:1601.00720", "arXiv:1503.07469"),
    smoke=dict(
        n_units=(300, 500, 900), n_trials=20_000, dense_units=(300, 1000),
        swept_synapses=(2, 6, 10), n_trials_more=5_000,
    ),
    quick=dict(n_trials=2_000_000, n_trials_more=500_000),
)  # fmt: skip
def dendrite_false_positives(config: Config, streams: Streams, swept: Any) -> Outcome:
    """Count each point, then add the curves."""
    settings = parts.settings(config)
    tasks = {key: (parts.counted, setting, streams(key)) for key, setting in settings.items()}
    found = swept(tasks, "points")
    rows = [row for key in settings for row in parts.rows(settings[key], found[key]["counts"])]
    return Outcome(dict(zip(COLUMNS, map(list, zip(*rows)))), parts.curves(config))


@dendrite_false_positives.claims
def claims(record: Record) -> list[Claim]:
    """Judge tables, points and what is said of the curves."""
    return parts.judge(record)


@dendrite_false_positives.plot
def figure(record: Record, figure: Any) -> None:
    """Draw Figures 4A, 5A and 5B with what was counted."""
    parts.draw(record, figure)
