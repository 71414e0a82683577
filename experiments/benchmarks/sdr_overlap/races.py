"""Overlaps with many stored SDRs, beside the peers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.benchmarks._race import Entry, Race, Sizes, on_threads


@dataclass(frozen=True)
class Config(Sizes):
    """How many times as many queries are answered in a second, by exact overlaps?

    2 % of the units of every SDR are active. Single queries come one after the other, and each is
    answered before the next.
    """

    n_stored: int = 100_000
    n_many: int = 1_000_000
    n_queries: int = 64
    n_units: tuple[int, ...] = (2048, 16_384, 65_536)


SMOKE: dict[str, Any] = {
    "n_rounds": 2, "n_matrix": 64, "n_stored": 300, "n_many": 500, "n_queries": 5,
    "n_units": (256,),
}  # fmt: skip
QUICK: dict[str, Any] = {"n_stored": 20_000, "n_many": 100_000, "n_units": (2048, 16_384)}

#: How many times as fast single queries should be as SciPy's slices, by number of units.
GOALS = {2048: 4.0, 16_384: 2.0, 65_536: 1.5}


def races(config: Config) -> list[Race]:
    """Return single queries and a batch of each size, and the ten best of very many."""
    found = []
    for n_units in config.n_units:
        goal = GOALS.get(n_units, np.nan)
        slow = max(1, config.n_queries // 8)
        for n_threads in (1, 2):
            how = {"batch": "single", "n_threads": n_threads}
            peers = [Entry("scipy_csc", {**how, "n_threads": 1}, goal=goal)]
            if n_threads == 1:
                peers.append(Entry("numpy_packed", how, n_samples=slow))
            found.append(_race(config, n_units, config.n_stored, "all", how, peers))
        how = {"batch": "all", "n_threads": 1}
        batch_goal = 4.0 if n_units == 2048 else np.nan
        found.append(
            _race(
                config, n_units, config.n_stored, "all", how,
                [Entry("scipy_csr", how, goal=batch_goal)],
            )
        )  # fmt: skip
    how = {"batch": "single", "n_threads": 2}
    peers = [
        Entry("scipy_csc", {**how, "n_threads": 1}, n_samples=max(1, config.n_queries // 8)),
        Entry("faiss", how, n_samples=max(1, config.n_queries // 8), goal=10.0),
    ]
    return [*found, _race(config, config.n_units[0], config.n_many, "ten largest", how, peers)]


def _race(
    config: Config, n_units: int, n_stored: int, task: str, how: dict[str, Any], peers: list[Entry]
) -> Race:
    """Return ours and the peers on the same SDRs."""
    n_active = round(0.02 * n_units)
    what = "one at a time" if how["batch"] == "single" else f"{config.n_queries} together"
    return Race(
        name=f"{task} of {n_stored} SDRs of {n_active} in {n_units}, {what}, "
        f"{on_threads(how['n_threads'])}",
        benchmark="sdr_overlap",
        objective={"task": task},
        dataset="sdrs",
        data={
            "n_units": n_units,
            "n_active": n_active,
            "n_stored": n_stored,
            "n_queries": config.n_queries,
        },
        entries=(Entry("sparsecode", how), *peers),
        limit=0.0,
    )
