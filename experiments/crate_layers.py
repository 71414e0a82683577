"""Do tokens become more compact and sparser from layer to layer of a CRATE? Yu et al. 2023."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments import _crate_layers_claims, _crate_layers_figures
from experiments import _crate_layers_measure as parts
from experiments._crate_networks import check_sizes
from experiments._framework import Claim, Outcome, Record, experiment
from sparsecode._validation import check_count, check_positive
from sparsecode.core.rng import Streams

__all__ = ["Config", "crate_layers"]


@dataclass(frozen=True)
class Config:
    """Do R^c and the share of nonzeros fall from layer to layer because CRATE was trained?

    CRATEs are trained on scikit-learn's digits (16 x 16 pixels, patches of 4), at each of
    `learning_rates`, `n_seeds` times with another split, other weights and another order. R^c is
    measured as the official code does, on `n_measured` images that were seen and as many held out:
    at the input of every block, where the code's hook sits, and at Z^(l+1/2), which the caption
    names. Every network is measured before its training too.
    """

    n_train: int = 1297
    n_test: int = 500
    n_measured: int = 500
    learning_rates: tuple[float, ...] = (1e-3, 3e-3)
    n_seeds: int = 8
    n_epochs: int = 40
    batch_size: int = 64
    d_model: int = 48
    n_heads: int = 4
    n_layers: int = 6

    def __post_init__(self) -> None:
        check_sizes(self)
        check_count("n_measured", self.n_measured, maximum=min(self.n_train, self.n_test))
        if not self.learning_rates or len(set(self.learning_rates)) < len(self.learning_rates):
            raise ValueError(
                f"learning_rates must be one number or several different ones; got "
                f"{self.learning_rates}."
            )
        for rate in self.learning_rates:
            check_positive("a number of learning_rates", rate)


@experiment(
    "crate-layers",
    config=Config,
    title="What a CRATE compresses and sparsifies, layer by layer",
    cites=("arXiv:2306.01129", "arXiv:2405.20299"),
    smoke=dict(
        n_train=48, n_test=16, n_measured=16, learning_rates=(3e-3,), n_seeds=2, n_epochs=1,
        d_model=16, n_heads=2, n_layers=3,
    ),
    quick=dict(
        n_train=1000, n_test=300, n_measured=200, learning_rates=(3e-3,), n_seeds=4, n_epochs=12,
    ),
    requires=("torch",),
)  # fmt: skip
def crate_layers(config: Config, streams: Streams, cached: Any, swept: Any) -> Outcome:
    """Train, and measure every layer before and after."""
    tasks = {
        f"rate-{place}-seed-{seed}": (parts.one_network, config, streams, seed, rate)
        for place, rate in enumerate(config.learning_rates)
        for seed in range(config.n_seeds)
    }
    found = list(swept(tasks, "networks").values())
    sizes = cached("sizes", parts.parameter_counts)
    accuracy = np.array([one["accuracy"] for one in found])
    shape = (len(config.learning_rates), config.n_seeds, 2)
    arrays = {"accuracy": accuracy.reshape(shape), "parameters": sizes["parameters"]}
    runs = [(rate, seed) for rate in config.learning_rates for seed in range(config.n_seeds)]
    return Outcome(parts.table(config, runs, found), arrays)


@crate_layers.claims
def claims(record: Record) -> list[Claim]:
    """Judge the courses over depth, trained against untrained, and the sizes."""
    return _crate_layers_claims.judge(record)


@crate_layers.plot
def figure(record: Record, figure: Any) -> None:
    """Draw both measures over depth, trained and untrained, beside the published curves."""
    _crate_layers_figures.draw(record, figure)
