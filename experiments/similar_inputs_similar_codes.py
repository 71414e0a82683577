"""Do similar inputs get similar codes in Sparsey, and how much does its sigmoid matter?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from experiments import _similar_claims, _similar_figures
from experiments._framework import Claim, Outcome, Record, experiment
from experiments._similar_measure import measure
from sparsecode.core.rng import Streams

__all__ = ["Config", "similar_inputs_similar_codes"]


@dataclass(frozen=True)
class Config:
    """Do similar inputs get similar codes, and does that depend on the sigmoid of the draw?

    `n_nets` macs store `n_stored` random patterns each (and, as a control, one), then meet probes
    that share all to none of the active inputs of one stored pattern. `n_families` macs meet
    random patterns and many probes of each; `n_digit_nets` macs store `n_digits` handwritten
    digits and meet `n_digit_probes` others. `inflections` are values of the inflection
    (sigma_3) of the sigmoid of 2014.
    """

    n_modules: int = 24
    n_units: int = 8
    n_inputs: int = 144
    n_active: int = 12
    n_stored: int = 6
    n_nets: int = 1_000
    n_families: int = 100
    n_digits: int = 6
    n_digit_probes: int = 150
    n_digit_nets: int = 100
    activations: tuple[str, ...] = ("2014", "2010", "core", "neurithmic")
    inflections: tuple[float, ...] = (0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5)

    def __post_init__(self) -> None:
        if not 2 <= self.n_active <= self.n_inputs // 2:
            raise ValueError(
                f"n_active must be at least 2 and at most half of n_inputs; got {self.n_active} "
                f"and {self.n_inputs}."
            )
        if min(self.n_stored, self.n_nets, self.n_families, self.n_digit_nets) < 2:
            raise ValueError(
                "n_stored, n_nets, n_families and n_digit_nets must be at least 2; got "
                f"{self.n_stored}, {self.n_nets}, {self.n_families} and {self.n_digit_nets}."
            )
        if self.n_digits < 1 or self.n_digit_probes < 3:
            raise ValueError(
                "n_digits must be at least 1 and n_digit_probes at least 3; got "
                f"{self.n_digits} and {self.n_digit_probes}."
            )


@experiment(
    "similar-inputs-similar-codes",
    config=Config,
    title="Similar inputs, similar codes",
    cites=("doi:10.3389/fncom.2014.00160", "doi:10.3389/fnana.2010.00017"),
    smoke=dict(
        n_nets=10, n_families=2, n_digits=3, n_digit_probes=20, n_digit_nets=2,
        inflections=(0.8, 1.0, 1.3),
    ),
    quick=dict(n_nets=300, n_families=20, n_digit_nets=20),
)  # fmt: skip
def similar_inputs_similar_codes(config: Config, streams: Streams, swept: Any) -> Outcome:
    """Meet macs with probes: one stored pattern and its neighbours, families, digits."""
    return measure(config, streams, swept)


@similar_inputs_similar_codes.claims
def claims(record: Record) -> list[Claim]:
    """Judge the limits of the code selection, the sanity targets, and preservation."""
    return _similar_claims.judge(record)


@similar_inputs_similar_codes.plot
def figure(record: Record, figure: Any) -> None:
    """Draw familiarity, intersections and preservation."""
    _similar_figures.draw(record, figure)
