"""The time that a good dictionary takes, beside the peers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.benchmarks._race import Entry, Race, Sizes, on_threads


@dataclass(frozen=True)
class Config(Sizes):
    """How many times as soon is a dictionary as good as that of one pass of `spams.trainDL`?

    Good is a low l1 objective of other patches, coded by the same certified solver for everyone.
    Patches are of 16 x 16 pixels and norm 1; all learners start from the same patches as atoms,
    take batches of the same size, and stop after as few as reach that objective to six digits, in
    twentieths of a pass.
    """

    n_samples: int = 50_000
    n_held_out: int = 3_000
    n_atoms: int = 512
    batch_size: int = 256


SMOKE: dict[str, Any] = {
    "n_rounds": 2, "n_matrix": 64, "n_samples": 600, "n_held_out": 60, "n_atoms": 24,
    "batch_size": 60,
}  # fmt: skip
QUICK: dict[str, Any] = {"n_samples": 25_000, "n_held_out": 1_000}


def races(config: Config) -> list[Race]:
    """Return the races: float32 on two threads and on one, and float64 on one."""
    return [_race(config, "float32", 2), _race(config, "float32", 1), _race(config, "float64", 1)]


def _race(config: Config, dtype: str, n_threads: int) -> Race:
    """Return ours and spams, and on one thread scikit-learn, which runs once."""
    how: dict[str, Any] = {"dtype": dtype, "n_threads": n_threads}
    one_pass = max(1, config.n_samples // config.batch_size)
    parts = tuple(
        sorted({max(1, int(np.ceil(part * one_pass))) for part in np.arange(0.3, 2.01, 0.05)})
    )
    goal = 3.0 if n_threads == 2 else np.nan
    entries = [Entry("sparsecode", how, parts), Entry("spams", how, (one_pass,), goal=goal)]
    if n_threads == 2:  # which spams may be better off without
        entries.append(Entry("spams", {**how, "n_threads": 1}, (one_pass,), goal=goal))
    else:
        entries.append(Entry("scikit_learn", how, (one_pass,), n_rounds=1))
    return Race(
        name=f"{config.n_atoms} atoms, {dtype}, {on_threads(n_threads)}",
        benchmark="learning",
        objective={"batch_size": config.batch_size},
        dataset="natural_images",
        data={
            "n_samples": config.n_samples,
            "n_atoms": config.n_atoms,
            "n_held_out": config.n_held_out,
        },
        entries=tuple(entries),
        reference="spams",
        slack=1e-6,
        per="run",
    )
