"""How much do associative memories hold, on one axis, and does theory say so?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments import _capacity_claims, _capacity_figures
from experiments import _capacity_measure as parts
from experiments._framework import Claim, Outcome, Record, experiment
from sparsecode.core.rng import Streams

__all__ = ["Config", "memory_capacity"]


@dataclass(frozen=True)
class Config:
    """How many patterns does each memory recall, and how many bits of them a weight and a byte?

    Every memory is filled with the same kind of patterns of `n_units` units and recalls from cues
    of which a part of the active units is missing: random ones of which `n_active` are active,
    certified l0 codes of natural patches with as many, and random ones of which half are, for the
    memories that are made for these. Then Willshaw's, Hopfield's, Tsodyks and Feigelman's and
    Kanerva's are held against their theory, at sizes of their own.
    """

    n_units: int = 512
    n_active: int = 10
    loads: tuple[int, ...] = (20, 50, 100, 200, 400, 800, 1600, 3200)
    n_trials: int = 5
    n_cues: int = 300
    missing: float = 0.3
    willshaw_units: int = 1000
    willshaw_loads: tuple[int, ...] = (2000, 4000, 5000, 6931, 9000)
    hopfield_units: tuple[int, ...] = (500, 1000, 2000)
    hopfield_loads: tuple[float, ...] = (0.05, 0.1, 0.12, 0.13, 0.14, 0.15, 0.16, 0.17, 0.18, 0.2)
    sparse_units: int = 1000
    sparse_densities: tuple[float, ...] = (0.1, 0.05, 0.02)
    words: int = 256
    n_locations: int = 20_000
    radius: int = 107
    word_loads: tuple[int, ...] = (1000, 1500, 2000, 3000, 4000)
    n_theory_trials: int = 20

    def __post_init__(self) -> None:
        if not 1 <= self.n_active <= self.n_units // 4:
            raise ValueError(
                f"n_active must lie between 1 and a quarter of n_units; got {self.n_active}."
            )
        if not 0.0 < self.missing < 1.0:
            raise ValueError(f"missing must lie between 0 and 1; got {self.missing}.")
        if self.n_trials < 2 or self.n_theory_trials < 2:
            raise ValueError("n_trials and n_theory_trials must be at least 2, for their spread.")


@experiment(
    "memory-capacity",
    config=Config,
    title="What associative memories hold",
    cites=("doi:10.1038/222960a0", "doi:10.1073/pnas.79.8.2554"),
    smoke=dict(
        n_units=64, n_active=4, loads=(5, 20), n_trials=2, n_cues=10, willshaw_units=100,
        willshaw_loads=(100,), hopfield_units=(100,), hopfield_loads=(0.05, 0.2),
        sparse_units=100, sparse_densities=(0.1,), n_locations=500, words=64, radius=26,
        word_loads=(20,), n_theory_trials=2,
    ),
    quick=dict(
        loads=(20, 50, 100, 200, 400, 800, 1600), n_trials=3, n_cues=100,
        hopfield_units=(500, 1000), hopfield_loads=(0.05, 0.1, 0.12, 0.14, 0.16, 0.18, 0.2),
        n_theory_trials=6, word_loads=(1000, 2000, 3000), willshaw_loads=(4000, 6931),
    ),
    headline=True,
)  # fmt: skip
def memory_capacity(config: Config, streams: Streams, swept: Any) -> Outcome:
    """Fill and recall, then compare with theory."""
    tasks = {
        key: (work, config, streams, *arguments)
        for key, (work, *arguments) in parts.tasks(config).items()
    }
    table, arrays = parts.gather(config, swept(tasks))
    return Outcome(table, {name: np.asarray(array) for name, array in arrays.items()})


@memory_capacity.claims
def claims(record: Record) -> list[Claim]:
    """Hold what was measured against theory, and the memories against each other."""
    return _capacity_claims.judge(record)


@memory_capacity.plot
def figure(record: Record, figure: Any) -> None:
    """Draw recall and bits a byte against load, and theory beside what was measured."""
    _capacity_figures.draw(record, figure)
