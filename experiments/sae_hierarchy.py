"""Do the latents of an autoencoder tell children from parents, and which autoencoder's?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments import _sae_hierarchy_claims, _sae_hierarchy_figures
from experiments import _sae_hierarchy_measure as parts
from experiments._framework import Claim, Outcome, Record, experiment
from sparsecode._validation import check_count
from sparsecode.core.rng import Streams

__all__ = ["Config", "sae_hierarchy"]


@dataclass(frozen=True)
class Config:
    """Which sparse autoencoders learn parents and children of a hierarchy as they are?

    Twenty features in 20 dimensions: 11 exclusive parents, three of which have three exclusive
    children each. Autoencoders of 20 latents learn from samples, `n_seeds` times with other
    features, samples and weights: matching pursuit (MP), Matryoshka with each of `prefixes`,
    BatchTopK at the true mean number of features, and ReLU with each of `penalties`, the weights of
    its l1 norm. Latents are matched with features by their activations on `n_test` other samples;
    absorption is the mean cosine of learned children with their true parents. Errors are then
    measured with 1 to `n_most` atoms a sample, whatever was trained.
    """

    n_seeds: int = 15
    n_steps: int = 15_000
    n_train: int = 400_000
    n_test: int = 20_000
    prefixes: tuple[tuple[int, ...], ...] = ((5, 10, 20), (11, 20))
    penalties: tuple[float, ...] = (0.1,)
    n_most: int = 6

    def __post_init__(self) -> None:
        check_count("n_seeds", self.n_seeds, minimum=2)
        check_count("n_steps", self.n_steps, minimum=200)
        check_count("n_train", self.n_train, minimum=parts.BATCH)
        check_count("n_test", self.n_test)
        check_count("n_most", self.n_most, minimum=2, maximum=20)
        if not self.prefixes or not self.penalties or min(self.penalties) <= 0:
            raise ValueError(
                f"prefixes and penalties must each hold one that is positive; got {self.prefixes} "
                f"and {self.penalties}."
            )


@experiment(
    "sae-hierarchy",
    config=Config,
    title="Autoencoders and a hierarchy",
    cites=("arXiv:2506.03093",),
    smoke=dict(n_seeds=2, n_steps=200, n_train=2_000, n_test=500, prefixes=((11, 20),)),
    quick=dict(n_seeds=3, n_steps=1_500, n_train=100_000, n_test=5_000),
    requires=("torch",),
)  # fmt: skip
def sae_hierarchy(config: Config, streams: Streams, swept: Any) -> Outcome:
    """Train every autoencoder on every seed's hierarchy and score its latents."""
    labels = list(parts.methods(config))
    tasks = {
        f"seed-{seed}-method-{number}": (parts.scored, config, seed, label)
        for seed in range(config.n_seeds)
        for number, label in enumerate(labels)
    }
    found = list(swept(tasks, "autoencoders").values())
    arrays = {
        name: np.stack([one[name] for one in found]).reshape(config.n_seeds, len(labels), -1)
        for name in found[0]
    }
    return Outcome(parts.table(config, arrays["scores"]), arrays)


@sae_hierarchy.claims
def claims(record: Record) -> list[Claim]:
    """Judge the law of the samples, absorption and its order, recovery, and errors by atoms."""
    return _sae_hierarchy_claims.judge(record)


@sae_hierarchy.plot
def figure(record: Record, figure: Any) -> None:
    """Draw absorption, what was recovered, cosines, and errors by atoms."""
    _sae_hierarchy_figures.draw(record, figure)
