"""One record per benchmark: its races, run in turn, and what the machine could do at most."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from experiments._framework import Experiment, Outcome, Record
from experiments.benchmarks import _race, _ratios
from experiments.benchmarks._limits import machine_limits
from sparsecode.core.rng import Streams

__all__ = ["BENCHMARKS", "make"]

BENCHMARKS = ("lasso", "pursuit", "nonconvex", "learning", "convolutional", "sdr_overlap")


def make(benchmark: str) -> Experiment:
    """Return the experiment that runs a benchmark's races.

    It is not registered, as its numbers are times: no second run gives the same.
    """
    module = import_module(f"{__package__}.{benchmark}.races")
    title = (module.__doc__ or "").rstrip(".")
    made = Experiment(
        f"benchmark-{benchmark}", _measure(module.races, getattr(module, "run", _run)),
        module.Config, title, "", (),
        {"smoke": module.SMOKE, "quick": module.QUICK, "paper": {}}, False, (),
    )  # fmt: skip
    made.plot(figure)
    return made


def _run(race: _race.Race, *how: Any) -> list[_race.Outcome]:
    """Run a race that one precision is asked for in."""
    return [_race.run(race, *how)]


def _measure(
    races: Callable[[Any], list[_race.Race]], run: Callable[..., list[_race.Outcome]]
) -> Callable[..., Outcome]:
    """Return the function of a config that runs all races, by the benchmark's way of running."""

    def measure(config: Any, streams: Streams, progress: Any) -> Outcome:
        outcomes = [
            outcome
            for race in races(config)
            for outcome in run(race, config.n_rounds, streams.seed, progress)
        ]
        for outcome in outcomes:
            _race.report(outcome)
        rates = machine_limits(config.n_matrix)
        return Outcome(
            _ratios.columns(outcomes),
            {
                "seconds": _seconds(outcomes, config.n_rounds),
                "absent": np.array([text for one in outcomes for text in one.absent], dtype=str),
                "limit_name": np.array(list(rates)),
                "limit": np.array(list(rates.values())),
            },
        )

    return measure


def _seconds(outcomes: list[_race.Outcome], n_rounds: int) -> np.ndarray:
    """Return the seconds of every round, a row per contestant, NaN where it did not run."""
    lanes = [lane for outcome in outcomes for lane in outcome.lanes]
    seconds = np.full((len(lanes), n_rounds), np.nan)
    for row, lane in zip(seconds, lanes):
        row[: len(lane.seconds)] = lane.seconds
    return seconds


def figure(record: Record, ax: Any) -> None:
    """Draw how many times as fast ours is, and the goals."""
    rows = _ratios.ratios(record)[::-1]
    for height, row in enumerate(rows):
        ax.plot([row["lowest"], row["highest"]], [height, height], color="C0", lw=3, alpha=0.4)
        ax.plot(row["ratio"], height, "o", color="C0" if row["ours"]["precise"] else "0.7")
        ax.plot(row["goal"], height, "|", color="k", ms=12)
    ax.axvline(1, color="0.7", zorder=0)
    ax.set_yticks(range(len(rows)), [f"{row['race']}: {row['theirs']['name']}" for row in rows])
    ax.set(xscale="log", xlabel="times as fast as the peer (bar: goal)")
