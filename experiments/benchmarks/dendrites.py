"""How fast segments are drawn, and how fast a bank of them recognises, beside NumPy and SciPy."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from experiments._framework import Outcome, Record, experiment
from sdr.dendrites import SegmentBank
from sdr.simulation import N_SERVED, simulate_false_positives
from sparsecode._jit import available_threads
from sparsecode.core import SparseCode
from sparsecode.core.rng import Streams

__all__ = ["Config", "dendrite_speed"]


@dataclass(frozen=True)
class Config:
    """How many segments are really drawn and compared with an input in a second?

    At the size of Figure 4A of Ahmad and Hawkins 2016, on each number of threads, beside two ways
    of NumPy: rows of independent numbers of which those with a repetition are drawn again, and
    ``Generator.choice`` for each segment. Then how many patterns a second are compared with every
    segment of a bank, beside SciPy's product of sparse matrices. The fastest of `n_rounds` counts.
    """

    n_units: int = 1500
    n_active: int = 64
    n_synapses: int = 24
    n_trials: int = 20_000_000
    n_cells: int = 2048
    n_cells_active: int = 40
    n_neurons: int = 2000
    n_segments: int = 128
    n_cell_synapses: int = 25
    threshold: int = 12
    n_patterns: int = 1000
    n_rounds: int = 3


# ------------------------------------------------------------------------------- peers


def numpy_rows(config: Config, n_trials: int, rng: np.random.Generator) -> np.ndarray:
    """Draw many segments at once, and those with a unit twice again, however often it takes."""
    counts, drawn = np.zeros(config.n_synapses + 1, np.int64), 0
    while drawn < n_trials:
        active = np.zeros(config.n_units, np.uint8)
        active[rng.choice(config.n_units, config.n_active, replace=False)] = 1
        wanted = min(N_SERVED, n_trials - drawn)
        while wanted:
            rows = rng.integers(config.n_units, size=(wanted, config.n_synapses), dtype=np.uint16)
            rows.sort(axis=1)
            rows = rows[(rows[:, 1:] != rows[:, :-1]).all(axis=1)]
            overlaps = active[rows].sum(axis=1)
            counts += np.bincount(overlaps, minlength=counts.size)
            drawn, wanted = drawn + len(rows), wanted - len(rows)
    return counts


def numpy_choice(config: Config, n_trials: int, rng: np.random.Generator) -> np.ndarray:
    """Draw one segment after the other."""
    counts = np.zeros(config.n_synapses + 1, np.int64)
    for trial in range(n_trials):
        if trial % N_SERVED == 0:
            active = np.zeros(config.n_units, np.uint8)
            active[rng.choice(config.n_units, config.n_active, replace=False)] = 1
        segment = rng.choice(config.n_units, config.n_synapses, replace=False, shuffle=False)
        counts[active[segment].sum()] += 1
    return counts


def scipy_product(bank: SegmentBank, code: SparseCode, threshold: int) -> int:
    """Return how many segments are active, from products of sparse matrices, 50 patterns each."""
    synapses = bank.synapses.to_scipy().astype(np.int16).T.tocsr()
    patterns = code.to_scipy().astype(np.int16)
    return sum(
        int(((patterns[first : first + 50] @ synapses).data >= threshold).sum())
        for first in range(0, code.n_samples, 50)
    )


# ------------------------------------------------------------------------------- timing


def rate(work: Callable[[], object], number: int, n_rounds: int) -> float:
    """Return how many are done in a second, in the fastest of some rounds after a warm-up."""
    seconds = []
    for _ in range(n_rounds + 1):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return number / min(seconds[1:])


def contestants(
    config: Config, streams: Streams
) -> dict[tuple[str, str, int], tuple[Callable[[], object], int]]:
    """Return what is timed, and how many it does: by task, name and number of threads."""
    bank = SegmentBank.random(
        config.n_cells, config.n_cell_synapses, n_neurons=config.n_neurons,
        n_segments=config.n_segments, rng=streams("bank"),
    )  # fmt: skip
    code = SegmentBank.random(
        config.n_cells, config.n_cells_active, n_neurons=config.n_patterns, rng=streams("patterns")
    ).synapses
    numbers = (config.n_units, config.n_active, config.n_synapses)
    few, fewest = max(config.n_trials // 20, 1), max(config.n_trials // 2000, 1)
    rng, theta = streams("draws"), config.threshold
    found: dict[tuple[str, str, int], tuple[Callable[[], object], int]] = {}
    widths = range(1, available_threads() + 1)
    for width in widths:
        draw = partial(
            simulate_false_positives, *numbers, n_trials=config.n_trials, rng=rng, n_threads=width
        )
        found["draw", "sparsecode", width] = (draw, config.n_trials)
    found["draw", "numpy rows", 1] = (partial(numpy_rows, config, few, rng), few)
    found["draw", "numpy choice", 1] = (partial(numpy_choice, config, fewest, rng), fewest)
    for width in widths:
        detect = partial(bank.detect, code, theta, n_threads=width)
        found["detect", "sparsecode", width] = (detect, config.n_patterns)
    part = code[: max(config.n_patterns // 10, 1)]
    product = partial(scipy_product, bank, part, theta)
    found["detect", "scipy product", 1] = (product, part.n_samples)
    return found


@experiment(
    "dendrite-speed",
    config=Config,
    title="Drawing segments, and a bank that recognises",
    smoke=dict(
        n_trials=20_000, n_neurons=20, n_segments=10, n_patterns=20, threshold=4, n_rounds=1
    ),
)
def dendrite_speed(config: Config, streams: Streams, progress: Any) -> Outcome:
    """Time everybody in turn."""
    found = contestants(config, streams)
    rates = [
        rate(work, number, config.n_rounds) for work, number in progress(found.values(), "contests")
    ]
    tasks, names, widths = zip(*found)
    return Outcome(
        {"task": list(tasks), "name": list(names), "threads": list(widths), "per_second": rates}
    )


@dendrite_speed.plot
def figure(record: Record, figure: Any) -> None:
    """Draw the rates of each task."""
    titles = {"draw": "segments drawn a second", "detect": "patterns recognised a second"}
    for ax, (task, title) in zip(figure.subplots(1, 2), titles.items()):
        rows = record.table.where(task=task).rows()[::-1]
        labels = [f"{row['name']}, {row['threads']}" for row in rows]
        ax.barh(labels, [row["per_second"] for row in rows])
        ax.set(xscale="log", xlabel=title)


if __name__ == "__main__":
    kept = dendrite_speed.run(results="results", progress=True)
    for row in kept.table.rows():
        where = f"{row['name']}, {row['threads']} thread{'s' * (row['threads'] > 1)}"
        print(f"{row['task']:>6} {where:>25}: {row['per_second']:,.0f} a second")
