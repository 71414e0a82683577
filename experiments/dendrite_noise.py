"""How much noise does a dendritic segment bear? Ahmad & Hawkins 2016, Figure 4B."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from experiments import _dendrite_noise as parts
from experiments._dendrite_points import COLUMNS
from experiments._framework import Claim, Outcome, Record, experiment
from sparsecode.core.rng import Streams

__all__ = ["Config", "dendrite_noise"]


@dataclass(frozen=True)
class Config:
    """How often does a segment miss a noisy version of the pattern that it has learned?

    Noise moves a fraction of the active cells elsewhere (Figure 4B), or synapses fail. `n_trials`
    pairs of a segment and a noisy input a point; a bank of neurons learns `n_patterns` patterns,
    each with a segment of its own, and is shown all of them at each level of noise.
    """

    n_units: int = 6000
    n_active: int = 128
    n_synapses: int = 30
    thresholds: tuple[int, ...] = (8, 12, 16)
    fractions: tuple[float, ...] = (
        0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8,
        0.85, 0.9,
    )  # fmt: skip
    failures: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
    other_units: tuple[int, ...] = (256, 1000, 60_000)
    n_trials: int = 10_000_000
    n_patterns: int = 100_000

    def __post_init__(self) -> None:
        if not 1 <= max(self.thresholds) <= self.n_synapses <= self.n_active:
            raise ValueError(
                "thresholds must be at most n_synapses, and those at most n_active; got "
                f"{self.thresholds}, {self.n_synapses} and {self.n_active}."
            )
        if not 0.0 <= min(self.fractions) <= max(self.fractions) <= 1.0:
            raise ValueError(f"fractions must lie between 0 and 1; got {self.fractions}.")
        if not 0.0 <= min(self.failures) <= max(self.failures) <= 1.0:
            raise ValueError(f"failures must lie between 0 and 1; got {self.failures}.")
        if min(self.n_units, *self.other_units) < 2 * self.n_active:
            raise ValueError(
                f"n_units and other_units must be at least {2 * self.n_active}, twice n_active; "
                f"got {min(self.n_units, *self.other_units)}."
            )
        if self.n_patterns < 100:
            raise ValueError(f"n_patterns must be at least 100; got {self.n_patterns}.")


@experiment(
    "dendrite-noise",
    config=Config,
    title="Noise that a dendritic segment bears",
    cites=("arXiv:1601.00720",),
    smoke=dict(
        fractions=(0.25, 0.5, 0.7), failures=(0.3, 0.6), other_units=(256,), n_trials=10_000,
        n_patterns=400,
    ),
    quick=dict(n_trials=1_000_000, n_patterns=10_000),
)  # fmt: skip
def dendrite_noise(config: Config, streams: Streams, cached: Any, swept: Any) -> Outcome:
    """Count each point, then let a bank learn; then add the curves."""
    settings = parts.settings(config)
    tasks = {key: (parts.counted, setting, streams(key)) for key, setting in settings.items()}
    found = swept(tasks, "points")
    rows = [
        row
        for key, setting in settings.items()
        for row in parts.rows(setting, found[key]["counts"], config.thresholds)
    ]
    counts = cached("bank", parts.bank_counts, config, streams.spawn("bank"))["counts"]
    rows += parts.bank_rows(counts)
    return Outcome(dict(zip(COLUMNS, map(list, zip(*rows)))), parts.curves(config))


@dendrite_noise.claims
def claims(record: Record) -> list[Claim]:
    """Judge tables and points."""
    return parts.judge(record)


@dendrite_noise.plot
def figure(record: Record, figure: Any) -> None:
    """Draw Figure 4B, failing synapses, and the bank."""
    parts.draw(record, figure)
