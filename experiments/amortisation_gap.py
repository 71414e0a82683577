"""What do solvers gain over the encoders of sparse autoencoders, with the same dictionary?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments import _amortisation_claims, _amortisation_figures
from experiments import _amortisation_measure as parts
from experiments._framework import Claim, Outcome, Record, experiment
from sparsecode._validation import check_count, check_positive
from sparsecode.core.rng import Streams

__all__ = ["Config", "amortisation_gap"]


@dataclass(frozen=True)
class Config:
    """How much of a sparse code's quality does one pass through an encoder give away?

    Autoencoders of `n_latents` latents learn from whitened patches of `side` x `side` pixels, of
    the left halves of photographs, and from what a block of a small ViT, trained on digits, passes
    on; inputs have a mean squared entry of 1. On `n_test` others, of the right halves and of
    held-out digits, their codes are compared with those of solvers over their own atoms at the
    encoder's l0: its supports refitted, OMP, the lasso, the lasso refitted, and CEL0, all held to
    positive codes. `k` is the l0 that can be asked for; `penalty` weighs the l1 norm of ReLU and
    Gated, `jump` the l0 of JumpReLU. `n_seeds` times with other samples and weights.
    """

    blocks: tuple[str, ...] = parts.BLOCKS
    architectures: tuple[str, ...] = tuple(parts.ARCHITECTURES)
    n_seeds: int = 5
    n_latents: int = 256
    k: int = 8
    penalty: float = 1.0
    jump: float = 0.3
    n_steps: int = 4_000
    batch_size: int = 256
    n_train: int = 20_000
    n_test: int = 1_000
    side: int = 8
    n_epochs: int = 20

    def __post_init__(self) -> None:
        for name, known in (("blocks", parts.BLOCKS), ("architectures", parts.ARCHITECTURES)):
            given = getattr(self, name)
            if not given or not set(given) <= set(known):
                raise ValueError(f"{name} must be of {tuple(known)}; got {given}.")
        check_count("n_seeds", self.n_seeds, minimum=2)
        for name in ("n_latents", "n_steps", "n_test", "n_epochs"):
            check_count(name, getattr(self, name))
        check_count("k", self.k, maximum=self.n_latents)
        check_count("side", self.side, minimum=4)
        check_count("n_train", self.n_train, minimum=self.batch_size)
        for name in ("penalty", "jump"):
            check_positive(name, getattr(self, name))


@experiment(
    "amortisation-gap",
    config=Config,
    title="The amortisation gap",
    cites=("arXiv:2411.13117", "arXiv:2506.03093"),
    smoke=dict(
        blocks=("patches",), architectures=("relu", "topk", "mp"), n_seeds=2, n_latents=32, k=3,
        n_steps=60, n_train=500, n_test=60, side=5,
    ),
    quick=dict(
        architectures=("relu", "topk", "jumprelu", "mp"), n_seeds=2, n_latents=128, k=6,
        n_steps=800, n_train=8_000, n_test=300, n_epochs=6,
    ),
    requires=("torch",),
)  # fmt: skip
def amortisation_gap(config: Config, streams: Streams, swept: Any) -> Outcome:
    """Train every autoencoder, and code the test samples anew with every solver."""
    draws = {
        f"inputs-{block}-{seed}": (parts.inputs, config, streams, block, seed)
        for block in config.blocks
        for seed in range(config.n_seeds)
    }
    inputs = swept(draws, "inputs")
    tasks = {
        f"{block}-{name}-{seed}": (
            parts.one_gap, config, inputs[f"inputs-{block}-{seed}"], block, name, seed
        )
        for block, name, seed in parts.runs(config)
    }  # fmt: skip
    values = [part["values"] for part in swept(tasks, "autoencoders").values()]
    shape = (len(config.blocks), len(config.architectures), config.n_seeds)
    arrays = {"values": np.reshape(values, (*shape, len(parts.METHODS), len(parts.MEASURES)))}
    return Outcome(parts.table(config, arrays["values"]), arrays)


@amortisation_gap.claims
def claims(record: Record) -> list[Claim]:
    """Judge what each solver gains, what supports and values have of it, and certificates."""
    return _amortisation_claims.judge(record)


@amortisation_gap.plot
def figure(record: Record, figure: Any) -> None:
    """Draw explained variance by solver, for each autoencoder."""
    _amortisation_figures.draw(record, figure)
