"""What does a union of patterns still tell apart? Ahmad & Hawkins 2016, Figure 7, and 2015."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from experiments import _union_property as parts
from experiments._dendrite_points import COLUMNS
from experiments._framework import Claim, Outcome, Record, experiment
from sparsecode.core.rng import Streams

__all__ = ["Config", "union_property"]


@dataclass(frozen=True)
class Config:
    """How many patterns can a segment, or a union of codes, hold before it matches anything?

    A segment samples synapses from several patterns (Figure 7), or whole codes are united (2015):
    the size of the union, and how often a random input matches it. Then the 2015 paper's
    classification: a random code against many stored ones. `n_trials` random inputs a point.
    """

    n_patterns: tuple[int, ...] = (1, 2, 3, 4, 5, 7, 10, 14, 19)
    n_united: tuple[int, ...] = (10, 20, 30, 40, 60, 80, 100, 130, 160)
    n_stored: tuple[int, ...] = (5, 20, 100, 500)
    n_trials: int = 1_000_000

    def __post_init__(self) -> None:
        for name in ("n_patterns", "n_united", "n_stored"):
            if min(getattr(self, name)) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}.")
        if self.n_trials < 100:
            raise ValueError(f"n_trials must be at least 100; got {self.n_trials}.")


@experiment(
    "union-property",
    config=Config,
    title="What a union of patterns tells apart",
    cites=("arXiv:1601.00720", "arXiv:1503.07469"),
    smoke=dict(n_patterns=(1, 5), n_united=(20, 60), n_stored=(5, 20), n_trials=2000),
    quick=dict(n_trials=100_000),
)  # fmt: skip
def union_property(config: Config, streams: Streams, swept: Any) -> Outcome:
    """Count each point, then add sizes and curves."""
    settings = parts.settings(config)
    tasks = {key: (parts.counted, setting, streams(key)) for key, setting in settings.items()}
    found = swept(tasks, "points")
    rows = [row for key in settings for row in parts.rows(settings[key], found[key]["counts"])]
    sizes = [
        [setting["n_synapses"], setting["n_patterns"], *found[key]["size"]]
        for key, setting in settings.items()
        if setting["part"] == "7A"
    ]
    arrays = {"sizes": sizes, **parts.curves(config)}
    return Outcome(dict(zip(COLUMNS, map(list, zip(*rows)))), arrays)


@union_property.claims
def claims(record: Record) -> list[Claim]:
    """Judge tables and points."""
    return parts.judge(record)


@union_property.plot
def figure(record: Record, figure: Any) -> None:
    """Draw Figures 7A and 7B, unions of codes and the classification."""
    parts.draw(record, figure)
