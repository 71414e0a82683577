"""How near are the codes of a trained CRATE to the minimum that its block is a step towards?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments import _crate_exact_claims, _crate_exact_figures
from experiments import _crate_exact_measure as parts
from experiments._crate_networks import check_sizes
from experiments._framework import Claim, Outcome, Record, experiment
from sparsecode._validation import check_count, check_positive
from sparsecode.core.rng import Streams

__all__ = ["Config", "crate_vs_exact"]


@dataclass(frozen=True)
class Config:
    """Is the code of a trained CRATE near the exact sparse code of its input?

    CRATEs are trained on scikit-learn's digits, `n_seeds` times with another split, other weights
    and another order. `n_tokens` inputs of every sparsifying block, of held-out images, are then
    coded on the block's own dictionary: by the block, by one proximal step, by more of them from
    z = x and from 0, exactly (non-negative lasso, certified to `tol`), and under CEL0. Steps are
    counted until the objective is within `excess` of its minimum, up to `max_steps`. Every network
    is measured before its training too.
    """

    n_train: int = 1297
    n_test: int = 500
    n_tokens: int = 400
    n_steps: tuple[int, ...] = (1, 10, 100)
    max_steps: int = 2000
    excess: float = 0.01
    tol: float = 1e-8
    learning_rate: float = 3e-3
    n_seeds: int = 8
    n_epochs: int = 40
    batch_size: int = 64
    d_model: int = 48
    n_heads: int = 4
    n_layers: int = 6

    def __post_init__(self) -> None:
        check_sizes(self)
        check_count("n_tokens", self.n_tokens, minimum=2, maximum=parts.TOKENS * self.n_test)
        check_count("max_steps", self.max_steps)
        for name in ("excess", "tol", "learning_rate"):
            check_positive(name, getattr(self, name))
        if list(self.n_steps) != sorted(set(self.n_steps)) or min(self.n_steps, default=0) != 1:
            raise ValueError(f"n_steps must rise from 1; got {self.n_steps}.")


@experiment(
    "crate-vs-exact",
    config=Config,
    title="Codes of a CRATE beside exact codes",
    cites=("arXiv:2306.01129", "doi:10.1137/151003714"),
    smoke=dict(
        n_train=48, n_test=16, n_tokens=20, n_steps=(1, 5), max_steps=50, n_seeds=2, n_epochs=1,
        d_model=16, n_heads=2, n_layers=2,
    ),
    quick=dict(
        n_train=1000, n_test=300, n_tokens=120, max_steps=1000, n_seeds=3, n_epochs=12,
    ),
    requires=("torch",),
)  # fmt: skip
def crate_vs_exact(config: Config, streams: Streams, swept: Any) -> Outcome:
    """Train, and code the inputs of every block before and after."""
    tasks = {
        f"seed-{seed}": (parts.one_network, config, streams, seed) for seed in range(config.n_seeds)
    }
    found = list(swept(tasks, "networks").values())
    arrays = {
        name: np.stack([one[name] for one in found])
        for name in ("accuracy", "layers", "within", "needed")
    }
    return Outcome(parts.table(config, found), arrays)


@crate_vs_exact.claims
def claims(record: Record) -> list[Claim]:
    """Judge the block's formula, its distance from the minimum, its step and its dictionary."""
    return _crate_exact_claims.judge(record)


@crate_vs_exact.plot
def figure(record: Record, figure: Any) -> None:
    """Draw objectives, supports, the course of the steps, and the dictionaries."""
    _crate_exact_figures.draw(record, figure)
