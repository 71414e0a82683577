"""Certified l1 codes of whitened patches, beside the peers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from experiments.benchmarks._race import Entry, Race, Sizes, on_threads


@dataclass(frozen=True)
class Config(Sizes):
    """How many times as fast do whitened patches get l1 codes of the same certified gap?

    Patches are of 16 x 16 pixels and norm 1, and so are the atoms, which are other patches. Slow
    peers code the first `n_slow` patches, those that take one at a time the first `n_single`.
    """

    n_samples: int = 10_000
    n_slow: int = 200
    n_single: int = 40
    n_atoms: int = 1024
    percents_active: tuple[int, ...] = (5, 2)


SMOKE: dict[str, Any] = {
    "n_rounds": 2, "n_matrix": 64, "n_samples": 24, "n_slow": 12, "n_single": 4, "n_atoms": 80,
    "percents_active": (5,),
}  # fmt: skip
QUICK: dict[str, Any] = {"n_samples": 2_000, "n_slow": 100, "n_single": 20}

#: Tolerances that are tried until the gap is small enough.
TOLERANCES = tuple(10.0**-k for k in range(3, 13))


def races(config: Config) -> list[Race]:
    """Return the races: at each density, float64 on one and two threads, and float32 on both."""
    return [
        race
        for percent in config.percents_active
        for race in (
            _race(config, percent, "float64", 1, 1e-6, 4.0, slow=True),
            _race(config, percent, "float64", 2, 1e-6, 4.0),
            _race(config, percent, "float32", 1, 1e-4, 5.0),
            _race(config, percent, "float32", 2, 1e-4, 5.0),
        )
    ]


def _race(
    config: Config,
    percent: int,
    dtype: str,
    n_threads: int,
    gap: float,
    goal: float,
    slow: bool = False,
) -> Race:
    """Return ours and spams on one problem, and those that know float64 and one thread only."""
    how: dict[str, Any] = {"dtype": dtype, "n_threads": n_threads}
    entries = [Entry("sparsecode", how, stops=(gap,)), Entry("spams", how, goal=goal)]
    if slow:
        entries += [
            Entry("scikit_learn", how, n_samples=config.n_slow, goal=25.0),
            Entry("celer", how, TOLERANCES, config.n_single),
            Entry("skglm", how, TOLERANCES, config.n_single),
            Entry("sporco", how, (100, 300, 1000, 3000), config.n_slow, n_rounds=1),
        ]
    return Race(
        name=f"{percent} % active, {dtype}, {on_threads(n_threads)}",
        benchmark="lasso",
        objective={"percent_active": percent},
        dataset="natural_images",
        data={"n_samples": config.n_samples, "n_atoms": config.n_atoms},
        entries=tuple(entries),
        limit=gap,
    )
