"""Does training make ReLU networks sparse, and whatever the data? Li et al. 2022."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments import _lazy_neurons_claims, _lazy_neurons_figures
from experiments import _lazy_neurons_measure as parts
from experiments._framework import Claim, Outcome, Record, experiment
from experiments._lazy_networks import check_sizes, different
from sparsecode._validation import check_count, check_positive
from sparsecode.core.rng import Streams

__all__ = ["Config", "lazy_neurons"]


@dataclass(frozen=True)
class Config:
    """Does training make the hidden activations of ReLU networks sparse, whatever they learn?

    A ViT, an MLP-Mixer and an MLP are trained on scikit-learn's digits (8 x 8 pixels, patches of
    2) with AdamW at each of `rates`, the MLP also with SGD at `sgd_rates`; `n_seeds` times with
    another split, other weights and another order. Rates are constant, so that the course over
    epochs is the grid of rates by epochs. At `rate`, ViT and MLP also learn random labels, random
    inputs and fresh noise, and have other widths and depths. A unit is active where its output is
    above 0; every network is measured before its training too, on what it was not trained on.
    """

    n_train: int = 1297
    n_test: int = 500
    n_seeds: int = 4
    n_epochs: int = 40
    batch_size: int = 64
    rates: tuple[float, ...] = (1e-3, 3e-3, 5e-3, 1e-2)
    rate: float = 5e-3
    sgd_rates: tuple[float, ...] = (0.1, 0.3)
    d_model: int = 48
    d_ff: int = 192
    n_heads: int = 4
    n_layers: int = 4
    mlp_width: int = 512
    widths: tuple[int, ...] = (48, 96, 192, 384, 768)
    depths: tuple[int, ...] = (1, 2, 4, 8)
    theory_scales: tuple[float, ...] = (0.2, 0.1, 0.05, 0.025)
    theory_width: int = 64
    n_draws: int = 20_000

    def __post_init__(self) -> None:
        check_sizes(self)
        for name in ("mlp_width", "theory_width"):
            check_count(name, getattr(self, name), minimum=2)
        check_count("n_draws", self.n_draws, minimum=100)
        for name in ("rates", "sgd_rates", "widths", "depths", "theory_scales"):
            different(name, getattr(self, name))
        for name in ("rates", "sgd_rates", "theory_scales"):
            for number in getattr(self, name):
                check_positive(f"a number of {name}", number)
        for name, minimum in (("widths", 2), ("depths", 1)):
            for number in getattr(self, name):
                check_count(f"a number of {name}", number, minimum=minimum)
            if len(getattr(self, name)) < 2:
                raise ValueError(f"{name} must be several to compare; got {getattr(self, name)}.")


@experiment(
    "lazy-neurons",
    config=Config,
    title="Lazy neurons: what training does to the share of active units",
    cites=("arXiv:2210.06313",),
    smoke=dict(
        n_train=32, n_test=16, n_seeds=2, n_epochs=1, batch_size=16, rates=(1e-3,), rate=1e-3,
        sgd_rates=(0.1,), d_model=8, d_ff=12, n_heads=2, n_layers=1, mlp_width=12, widths=(12, 24),
        depths=(1, 2), theory_scales=(0.1, 0.05), theory_width=16, n_draws=500,
    ),
    quick=dict(
        n_train=600, n_test=200, n_seeds=3, n_epochs=6, rates=(1e-3, 1e-2), rate=1e-2,
        sgd_rates=(0.1,), n_layers=2, mlp_width=256, widths=(48, 192), depths=(1, 2),
        theory_scales=(0.1, 0.025),
    ),
    requires=("torch",),
)  # fmt: skip
def lazy_neurons(config: Config, streams: Streams, cached: Any, swept: Any) -> Outcome:
    """Train every setting, and measure it before, at every epoch and after."""
    theory = cached("theory", parts.gradients, config, streams)
    settings = parts.settings(config)
    runs = [(setting, seed) for setting in settings for seed in range(config.n_seeds)]
    tasks = {
        f"{setting.key}-seed-{seed}": (parts.one_network, config, streams, setting, seed)
        for setting, seed in runs
    }
    found = list(swept(tasks, "networks").values())
    course = np.array([one["course"] for one in found])
    base = parts.base(config, "vit")
    firing = [one["firing"] for (setting, _), one in zip(runs, found) if setting == base]
    arrays = {
        "course": course.reshape(len(settings), config.n_seeds, config.n_epochs + 1),
        "firing": np.array(firing),
        **{f"theory {name}": values for name, values in theory.items()},
    }
    return Outcome(parts.table(runs, found), arrays)


@lazy_neurons.claims
def claims(record: Record) -> list[Claim]:
    """Judge the theory, and trained networks against their untrained twins."""
    return _lazy_neurons_claims.judge(record)


@lazy_neurons.plot
def figure(record: Record, figure: Any) -> None:
    """Draw courses by rate, tasks, width, depth and firing rates, beside the untrained twins."""
    _lazy_neurons_figures.draw(record, figure)
