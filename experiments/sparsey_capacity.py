"""How does the capacity of one mac of Sparsey grow with its weights?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from experiments import _sparsey_capacity_claims, _sparsey_capacity_figures
from experiments._framework import Claim, Outcome, Record, experiment
from experiments._sparsey_capacity_measure import measure
from sparsecode.core.rng import Streams

__all__ = ["Config", "sparsey_capacity"]


@dataclass(frozen=True)
class Config:
    """Does the capacity of one mac grow linearly with its weights, and what does a weight hold?

    Capacity is the largest number of random patterns, each recalled from itself, or of sequences
    of `n_frames`, each recalled from its first frame, at which `accuracy` of the winners are
    right on the mean. A mac of size 1 is that of the capacity studies: 12 x 12 inputs, 10 of them
    active, 9 modules of 16 units. In the series "all" the side of the inputs, active inputs,
    modules and units grow with `sizes`; in "modules" and "units" only these do. Each capacity is
    searched `n_searches` times, with `n_trials` macs at every load. `rules` are the sigmoids by
    which codes are drawn; "random" draws them by chance. Weights never freeze.
    """

    sizes: tuple[float, ...] = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
    side: int = 12
    n_active: int = 10
    n_modules: int = 9
    n_units: int = 16
    n_frames: int = 10
    accuracy: float = 0.97
    rules: tuple[str, ...] = ("2014", "2010", "random")
    series: tuple[str, ...] = ("all", "modules", "units")
    n_searches: int = 6
    n_trials: int = 4
    n_cues: int = 300
    most: int = 50_000

    def __post_init__(self) -> None:
        if len(self.sizes) < 3 or min(self.sizes) * self.n_modules < 2:
            raise ValueError(
                f"sizes must be at least 3, each with 2 modules or more; got {self.sizes}."
            )
        if not 0.0 < self.accuracy < 1.0:
            raise ValueError(f"accuracy must lie between 0 and 1; got {self.accuracy}.")
        if "all" not in self.series or not set(self.series) <= {"all", "modules", "units"}:
            raise ValueError(f"series must hold 'all', and modules or units; got {self.series}.")
        if min(self.n_searches, self.n_trials) < 2 or min(self.n_cues, self.n_frames) < 2:
            raise ValueError(
                "n_searches, n_trials, n_cues and n_frames must be at least 2; got "
                f"{self.n_searches}, {self.n_trials}, {self.n_cues} and {self.n_frames}."
            )


@experiment(
    "sparsey-capacity",
    config=Config,
    title="Capacity against weights",
    cites=("doi:10.3389/fncom.2014.00160",),
    smoke=dict(sizes=(0.5, 0.75, 1.0), series=("all",), n_searches=2, n_trials=2, n_cues=50),
    quick=dict(
        sizes=(0.5, 0.75, 1.0, 1.5, 2.0), series=("all",), n_searches=4, n_trials=3, n_cues=100
    ),
)
def sparsey_capacity(config: Config, streams: Streams, swept: Any) -> Outcome:
    """Search the capacity of every size."""
    return measure(config, streams, swept)


@sparsey_capacity.claims
def claims(record: Record) -> list[Claim]:
    """Judge growth, linearity in weights and units, and bits per synapse."""
    return _sparsey_capacity_claims.judge(record)


@sparsey_capacity.plot
def figure(record: Record, figure: Any) -> None:
    """Draw capacity and bits per synapse over the weights."""
    _sparsey_capacity_figures.draw(record, figure)
