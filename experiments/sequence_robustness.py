"""Do sequences survive the death of cells, and noise? The simulation of Hawkins & Ahmad 2016."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import hypergeom

from experiments import _sequence_claims, _sequence_figures
from experiments._framework import Claim, Outcome, Record, experiment
from experiments._sequence_measure import NETWORKS, averaged, one_network, one_sequence
from sparsecode.core.rng import Streams

__all__ = ["Config", "sequence_robustness"]

#: Columns of the table: shares of right predictions in two measures, their standard errors, and
#: what theory predicts.
COLUMNS = ("part", "level", "guessed", "jaccard", "error", "jaccard_error", "predicted")


@dataclass(frozen=True)
class Config:
    """How well does a temporal memory predict a stream, and what do death and noise take away?

    A stream of random elements, in every ten slots one of five six-letter sequences: five of ten
    elements can be predicted. After `n_before` elements another set of sequences comes, or cells
    die, or bits of the elements move.
    """

    n_columns: int = 2048
    n_cells: int = 32
    n_active: int = 40
    threshold: int = 15
    n_before: int = 3000
    n_after: int = 3000
    n_networks: int = 10
    deaths: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75)
    noises: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.8)
    n_probed: int = 1000
    stretch: int = 100
    n_synapses: int = 20
    n_elements: int = 40
    n_noisy: int = 2000
    thetas: tuple[int, ...] = (8, 12, 16)

    def __post_init__(self) -> None:
        if not 1 <= self.threshold <= self.n_active <= self.n_columns // 2:
            raise ValueError(
                f"threshold, n_active and n_columns must satisfy threshold <= n_active <= "
                f"n_columns / 2; got {self.threshold}, {self.n_active} and {self.n_columns}."
            )
        if min(self.n_before, self.n_after, self.n_probed) < 2 * self.stretch:
            raise ValueError(
                f"n_before, n_after and n_probed must be at least two stretches of "
                f"{self.stretch}; got {self.n_before}, {self.n_after}, {self.n_probed}."
            )
        if self.n_networks < 2:
            raise ValueError(f"n_networks must be at least 2, for errors; got {self.n_networks}.")
        if self.deaths[0] != 0.0 or self.noises[0] != 0.0:
            raise ValueError(
                f"deaths and noises must begin with 0, to compare with; got {self.deaths[0]} and "
                f"{self.noises[0]}."
            )


@experiment(
    "sequence-robustness",
    config=Config,
    title="Sequences survive dead cells and noise",
    cites=("doi:10.3389/fncir.2016.00023",),
    smoke=dict(
        n_columns=256, n_cells=4, n_active=20, threshold=8, n_before=300, n_after=200,
        n_networks=2, deaths=(0.0, 0.5), noises=(0.0, 0.5), n_probed=100, stretch=50,
        n_elements=10, n_noisy=20, thetas=(8,),
    ),
    quick=dict(
        n_networks=2, n_after=1500, n_probed=300, n_noisy=1000,
        deaths=(0.0, 0.2, 0.4, 0.6, 0.75), noises=(0.0, 0.2, 0.4, 0.5, 0.6, 0.65, 0.8),
    ),
)  # fmt: skip
def sequence_robustness(config: Config, streams: Streams, swept: Any) -> Outcome:
    """Teach networks, then swap, kill and disturb; then one sequence against theory."""
    tasks = {
        f"network-{number}": (one_network, config, streams, number)
        for number in range(config.n_networks)
    }
    networks = list(swept(tasks, "networks").values())
    raw = {name: np.stack([one[name] for one in networks]) for name in networks[0]}
    arrays = {
        "course": np.stack([averaged(raw[name], config.stretch) for name in NETWORKS]),
        "death": averaged(raw["death"], config.stretch),
        "death_not_learning": raw["death, not learning"].mean(axis=2),
        "noise": raw["noise"].mean(axis=2),
    }
    first = max(1, config.n_probed // config.stretch)
    parts = {
        "death, first": arrays["death"][:, :, :first].mean(axis=2),
        "death, last": arrays["death"][:, :, -first:].mean(axis=2),
        "death, not learning": arrays["death_not_learning"],
        "noise": arrays["noise"],
    }
    rows = [
        (part, level, *mean, *error, np.nan)
        for part, found in parts.items()
        for level, mean, error in zip(
            config.noises if part == "noise" else config.deaths,
            found.mean(axis=0),
            found.std(axis=0, ddof=1) / np.sqrt(config.n_networks),
        )
    ]
    thresholds = {f"single-{n}": (one_sequence, config, streams, n) for n in config.thetas}
    singles = swept(thresholds, "thresholds").values()
    rows += [_single_row(config, n, part["shares"]) for n, part in zip(config.thetas, singles)]
    return Outcome(dict(zip(COLUMNS, zip(*rows))), arrays)


def _single_row(config: Config, threshold: int, shares: np.ndarray) -> tuple:
    """Return what one sequence gives, and what the hypergeometric law predicts."""
    kept = config.n_active - config.n_active // 2
    law = hypergeom(config.n_active, config.n_synapses, kept)
    error = shares.std(ddof=1) / np.sqrt(shares.size)
    predicted = law.sf(threshold - 1)
    return ("one sequence", threshold, shares.mean(), shares.mean(), error, error, predicted)


@sequence_robustness.claims
def claims(record: Record) -> list[Claim]:
    """Judge each sentence."""
    return _sequence_claims.judge(record)


@sequence_robustness.plot
def figure(record: Record, figure: Any) -> None:
    """Draw learning and swapping, death, and noise beside theory."""
    _sequence_figures.draw(record, figure)
