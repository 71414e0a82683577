"""Why 8 to 20 synapses? The error rates of dendritic segments over all thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from experiments import _nmda_claims, _nmda_figures
from experiments._framework import Claim, Outcome, Record, experiment
from experiments._nmda_measure import grid_rows, small_rows, window_rows
from sparsecode.core.rng import Streams

__all__ = ["Config", "nmda_threshold"]


@dataclass(frozen=True)
class Config:
    """Which thresholds make false positives negligible, whatever the cortex's exact numbers?

    Everything is calculated: the grid is that of Fig. 6, n by steps of `n_step`. `noise` and
    `misses` say how damaged a pattern may be, and how rarely such a one may be missed.
    """

    n_smallest: int = 10_000
    n_largest: int = 200_000
    n_step: int = 10_000
    sparsities: tuple[float, ...] = (0.005, 0.01, 0.015, 0.02, 0.025, 0.03)
    n_synapses: tuple[int, ...] = (20, 25, 30, 35, 40, 45, 50)
    thetas: tuple[int, ...] = tuple(range(5, 21))
    error: float = 1e-9
    noise: tuple[float, ...] = (0.2, 0.4)
    misses: float = 1e-2

    def __post_init__(self) -> None:
        if not 1 <= self.n_smallest <= self.n_largest or self.n_step < 1:
            raise ValueError(
                f"n_smallest must be at least 1 and at most n_largest, n_step at least 1; got "
                f"{self.n_smallest}, {self.n_largest} and {self.n_step}."
            )
        if not self.thetas or not 1 <= min(self.thetas) <= max(self.thetas) <= min(self.n_synapses):
            raise ValueError(
                f"thetas must lie between 1 and the smallest of n_synapses, "
                f"{min(self.n_synapses)}; got {self.thetas}."
            )
        if not all(0.0 < share <= 1.0 for share in (*self.sparsities, self.error, self.misses)):
            raise ValueError(
                f"sparsities, error and misses must lie above 0 and at most at 1; got "
                f"{self.sparsities}, {self.error} and {self.misses}."
            )
        if max(self.n_synapses) > self.n_smallest * min(self.sparsities):
            raise ValueError(
                f"n_synapses must be at most the smallest number of active cells, "
                f"{self.n_smallest * min(self.sparsities):g}; got {max(self.n_synapses)}."
            )


@experiment(
    "nmda-threshold",
    config=Config,
    title="The threshold of an NMDA spike",
    cites=("arXiv:1601.00720", "doi:10.3389/fncir.2016.00023"),
    smoke=dict(n_step=95_000, n_synapses=(20, 30, 50)),
    quick=dict(n_step=50_000),
)
def nmda_threshold(config: Config, streams: Streams, progress: Any) -> Outcome:
    """Calculate the grid, the windows of usable thresholds, and the slip in the text."""
    rows, arrays = grid_rows(config, progress)
    rows += window_rows(config) + small_rows()
    return Outcome(dict(zip(("part", "quantity", "theta", "value"), zip(*rows))), arrays)


@nmda_threshold.claims
def claims(record: Record) -> list[Claim]:
    """Judge the medians, the window and the printed number."""
    return _nmda_claims.judge(record)


@nmda_threshold.plot
def figure(record: Record, figure: Any) -> None:
    """Draw the medians, the usable thresholds and the printed number."""
    _nmda_figures.draw(record, figure)
