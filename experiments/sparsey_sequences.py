"""How well does one mac of Sparsey recall and recognise sequences that it has seen once?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from experiments import _sparsey_sequences_claims, _sparsey_sequences_figures
from experiments._framework import Claim, Outcome, Record, experiment
from experiments._sparsey_sequences_measure import measure
from sparsecode.core.rng import Streams

__all__ = ["Config", "sparsey_sequences"]


@dataclass(frozen=True)
class Config:
    """Are sequences, stored in one presentation, recalled from their first frame, or from noise?

    `n_nets` macs store each of `loads` sequences: random frames, or edges that move in
    photographs (`n_edges` sequences are cut, and each mac gets some of them). `rules` are the
    sigmoids by which codes are drawn; "random" draws them by chance, whatever is familiar. Claims
    at low load are judged at `low_load`. `n_demonstrations` macs see the sequence of 13 frames.
    Weights never freeze, so that storing more is the only thing that ends recall.
    """

    n_modules: int = 9
    n_units: int = 16
    side: int = 12
    n_active: tuple[int, int] = (9, 12)
    n_frames: int = 10
    loads: tuple[int, ...] = (1, 2, 4, 6, 8, 10, 12, 16, 24, 32)
    low_load: int = 4
    n_nets: int = 200
    n_edges: int = 1_000
    rules: tuple[str, ...] = ("2014", "2010", "random")
    backoff_threshold: float = 0.9
    n_demonstrations: int = 2_000

    def __post_init__(self) -> None:
        if self.low_load not in self.loads:
            raise ValueError(f"low_load must be one of loads; got {self.low_load}, {self.loads}.")
        if self.n_edges < max(self.loads):
            raise ValueError(f"n_edges must be at least the largest load; got {self.n_edges}.")
        if min(self.n_nets, self.n_demonstrations, self.n_frames) < 2:
            raise ValueError(
                "n_nets, n_demonstrations and n_frames must be at least 2; got "
                f"{self.n_nets}, {self.n_demonstrations} and {self.n_frames}."
            )


@experiment(
    "sparsey-sequences",
    config=Config,
    title="Sequences seen once",
    cites=("doi:10.3389/fncom.2014.00160",),
    smoke=dict(loads=(2, 8), low_load=2, n_nets=3, n_edges=20, n_demonstrations=10),
    quick=dict(loads=(1, 2, 4, 6, 8, 10, 12, 16), n_nets=25, n_edges=200, n_demonstrations=300),
)
def sparsey_sequences(config: Config, streams: Streams, cached: Any, swept: Any) -> Outcome:
    """Store sequences, and recall them from every kind of cue."""
    return measure(config, streams, cached, swept)


@sparsey_sequences.claims
def claims(record: Record) -> list[Claim]:
    """Judge recall, recognition, self-correction, warped cues and the demonstration."""
    return _sparsey_sequences_claims.judge(record)


@sparsey_sequences.plot
def figure(record: Record, figure: Any) -> None:
    """Draw recall over load, and accuracy frame by frame."""
    _sparsey_sequences_figures.draw(record, figure)
