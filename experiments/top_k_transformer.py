"""Is a ViT more robust and better calibrated if tokens keep k active units? Li et al. 2022."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments import _top_k_transformer_claims, _top_k_transformer_figures
from experiments import _top_k_transformer_measure as parts
from experiments._framework import Claim, Outcome, Record, experiment
from experiments._lazy_networks import check_sizes, different
from sparsecode._validation import check_count, check_probability
from sparsecode.core.rng import Streams

__all__ = ["Config", "top_k_transformer"]


@dataclass(frozen=True)
class Config:
    """Is a ViT whose tokens keep only their k most active units more robust and better calibrated?

    ViTs are trained on scikit-learn's digits (8 x 8 pixels, patches of 2) for each k of `ks`, in
    training and in test, with all else alike; `d_ff` must be among them and is the dense network.
    A share `label_noise` of the training labels is drawn anew from all classes. Networks of clean
    labels are also shown held-out images with noise. Every seed has another split, other weights
    and another order, the same for all k; differences are paired.
    """

    n_train: int = 1297
    n_test: int = 500
    n_seeds: int = 8
    n_epochs: int = 40
    batch_size: int = 64
    rate: float = 3e-3
    ks: tuple[int, ...] = (8, 16, 32, 64, 192)
    label_noise: tuple[float, ...] = (0.0, 0.4, 0.8)
    d_model: int = 48
    d_ff: int = 192
    n_heads: int = 4
    n_layers: int = 2
    n_bins: int = 15

    def __post_init__(self) -> None:
        check_sizes(self)
        check_count("n_bins", self.n_bins)
        different("ks", self.ks)
        different("label_noise", self.label_noise)
        for k in self.ks:
            check_count("a number of ks", k, maximum=self.d_ff)
        if self.d_ff not in self.ks or len(self.ks) < 2:
            raise ValueError(
                f"ks must hold d_ff, {self.d_ff}, and a smaller number; got {self.ks}."
            )
        for share in self.label_noise:
            check_probability("a number of label_noise", share)
        if 0.0 not in self.label_noise:
            raise ValueError(
                f"label_noise must hold 0, on which corruptions are tested; got {self.label_noise}."
            )

    @property
    def k(self) -> int:
        """The k whose share of d_ff is nearest to the paper's, 128 of 3072."""
        return min((k for k in self.ks if k < self.d_ff), key=lambda k: abs(k - self.d_ff / 24))


@experiment(
    "top-k-transformer",
    config=Config,
    title="Top-k ViT: label noise, corrupted images and calibration",
    cites=("arXiv:2210.06313", "arXiv:1903.12261", "arXiv:1706.04599"),
    smoke=dict(
        n_train=32, n_test=16, n_seeds=2, n_epochs=1, batch_size=16, ks=(2, 12),
        label_noise=(0.0, 0.4), d_model=8, d_ff=12, n_heads=2, n_layers=1,
    ),
    quick=dict(
        n_train=600, n_test=300, n_seeds=3, n_epochs=10, ks=(8, 192), label_noise=(0.0, 0.4),
    ),
    requires=("torch",),
)  # fmt: skip
def top_k_transformer(config: Config, streams: Streams, cached: Any, swept: Any) -> Outcome:
    """Train every k at every label noise, and test each."""
    runs = [
        (share, k, seed)
        for share in config.label_noise
        for k in config.ks
        for seed in range(config.n_seeds)
    ]
    tasks = {
        f"noise-{share:g}-k-{k}-seed-{seed}": (parts.one_network, config, streams, share, k, seed)
        for share, k, seed in runs
    }
    found = list(swept(tasks, "networks").values())
    arrays = {
        "same": cached("same", parts.same_as_dense, config, streams)["difference"],
        "severities": np.array(
            [one["severities"] for (share, _, _), one in zip(runs, found) if share == 0.0]
        ),
    }
    return Outcome(parts.table(runs, found), arrays)


@top_k_transformer.claims
def claims(record: Record) -> list[Claim]:
    """Judge paired differences from the dense network."""
    return _top_k_transformer_claims.judge(record)


@top_k_transformer.plot
def figure(record: Record, figure: Any) -> None:
    """Draw accuracies, calibration and paired differences over k."""
    _top_k_transformer_figures.draw(record, figure)
