"""Do sparse real-valued vectors recognise each other as binary ones do? Ahmad & Scheinkman 2019."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from experiments import _scalar_claims, _scalar_figures
from experiments._framework import Claim, Outcome, Record, experiment
from experiments._scalar_measure import point_row, points
from sparsecode.core.rng import Streams

__all__ = ["Config", "scalar_sdr"]


@dataclass(frozen=True)
class Config:
    """How often does a random real-valued input match a sparse vector of random weights?

    `n_inputs` inputs meet `n_segments` weight vectors each, all of them really drawn; the theory
    takes its conditional probabilities from `n_draws` draws of its own.
    """

    n_weights: int = 32
    sizes: tuple[int, ...] = (250, 500, 1000, 2000)
    n_active: tuple[int, ...] = (64, 256)
    scales: tuple[float, ...] = (1.0, 2.0, 4.0)
    scaled_size: int = 1000
    n_inputs: int = 12_000
    n_segments: int = 1_000
    n_draws: int = 1_000_000

    def __post_init__(self) -> None:
        if not 1 <= self.n_weights <= min(*self.sizes, self.scaled_size):
            raise ValueError(
                f"n_weights must be at least 1 and at most every size; got {self.n_weights}."
            )
        if not all(scale > 0.0 for scale in self.scales) or 1.0 not in self.scales:
            raise ValueError(f"scales must be above 0 and hold 1; got {self.scales}.")
        if self.n_inputs < 2 or self.n_segments < 1 or self.n_draws < 2 or min(self.n_active) < 1:
            raise ValueError(
                f"n_inputs and n_draws must be at least 2, n_segments and n_active at least 1; "
                f"got {self.n_inputs}, {self.n_draws}, {self.n_segments} and {self.n_active}."
            )


@experiment(
    "scalar-sdr",
    config=Config,
    title="Sparse vectors of real numbers",
    cites=("arXiv:1903.11257",),
    smoke=dict(sizes=(250, 500), n_inputs=20, n_segments=50, n_draws=2_000),
    quick=dict(n_inputs=400, n_draws=200_000),
)
def scalar_sdr(config: Config, streams: Streams, swept: Any) -> Outcome:
    """Simulate and calculate every point."""
    tasks = {point.key: (point_row, config, streams, point) for point in points(config)}
    parts = list(swept(tasks, "points").values())
    return Outcome({name: [part[name].item() for part in parts] for name in parts[0]})


@scalar_sdr.claims
def claims(record: Record) -> list[Claim]:
    """Judge theory against simulation, and both against the paper's numbers."""
    return _scalar_claims.judge(record)


@scalar_sdr.plot
def figure(record: Record, figure: Any) -> None:
    """Draw the match probability over n and over scale."""
    _scalar_figures.draw(record, figure)
