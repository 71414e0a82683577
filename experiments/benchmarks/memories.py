"""How fast associative memories store and recall, beside NumPy, and whether Sparsey's cost stays.

Peers that are not installed here (torchhd, hflayers) are named with the figures that were measured
once on another machine; those are no race side by side.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

import memory
from experiments._framework import Outcome, Record, experiment
from sdr import SDRSpace
from sparsecode._jit import available_threads
from sparsecode.core import SparseCode
from sparsecode.core.rng import Streams

__all__ = ["Config", "memory_speed"]


@dataclass(frozen=True)
class Config:
    """How many patterns a second are stored and recalled, and what does one more cost Sparsey?

    Willshaw's memory of `n_units` units with `n_active` active ones and cues of half of them;
    softmax retrieval among `n_dense` real patterns, 64 cues at a time; Hopfield's network;
    Kanerva's memory of `n_locations`. Everybody in turn, medians of `n_rounds`. Sparsey stores
    `n_digits` patterns of 16 x 24 pixels, and its time an item is measured with few and many
    stored, also in turn.
    """

    n_units: int = 4096
    n_active: tuple[int, ...] = (12, 82)
    n_patterns: int = 1500
    n_dense: int = 1000
    n_cues: int = 64
    n_hopfield: int = 256
    n_locations: int = 2000
    radius: int = 1990
    n_digits: int = 2000
    n_pixels_active: int = 75
    stored: tuple[int, ...] = (100, 10_000, 60_000)
    n_items: int = 1000
    n_rounds: int = 7


class Contest(NamedTuple):
    """Somebody at a task: what one run does, how many items that are, and our goal against it.

    `again` makes what a run needs anew, off the clock.
    """

    task: str
    name: str
    threads: int
    run: Callable[[Any], object]
    n_items: int
    goal: float = np.nan
    again: Callable[[], Any] = lambda: None


# ------------------------------------------------------------------------------- Willshaw


def numpy_store(rows: np.ndarray, matrix: np.ndarray) -> None:
    """Set the weights of each pattern's pairs, a byte each: the fastest way in NumPy."""
    for units in rows:
        matrix[np.ix_(units, units)] = True


def numpy_recall(cues: np.ndarray, matrix: np.ndarray) -> list[np.ndarray]:
    """List the units that are connected to all of each cue, from a byte for each pair."""
    return [np.flatnonzero(np.logical_and.reduce(matrix[units])) for units in cues]


def numpy_packed(cues: np.ndarray, words: np.ndarray) -> list[np.ndarray]:
    """List them from a bit for each pair, which is the faster the more units a cue has."""
    return [
        np.flatnonzero(np.unpackbits(np.bitwise_and.reduce(words[units]).view(np.uint8)))
        for units in cues
    ]


def _willshaw(config: Config, k: int, streams: Streams) -> list[Contest]:
    n, rng = config.n_units, streams(f"willshaw-{k}")
    patterns = SDRSpace(n, k).sample(config.n_patterns, rng)
    rows = rng.permuted(patterns.indices.reshape(-1, k), axis=1)
    halves = SparseCode.from_indices(rows[:, : k // 2], n)
    few = max(config.n_patterns // 10, 1)
    cues = halves.indices.reshape(-1, k // 2)[:few]
    one, matrix = memory.Willshaw(), np.zeros((n, n), bool)
    one.store(patterns)
    numpy_store(rows, matrix)
    words = np.packbits(matrix, axis=1).view(np.uint64)
    store, recall = f"Willshaw, k={k}, store", f"Willshaw, k={k}, recall halves"
    made = [
        Contest(store, "sparsecode", 1, lambda made: made.store(patterns), len(rows),
                again=lambda: _empty(n)),
        Contest(store, "NumPy", 1, lambda made: numpy_store(rows[:few], made), few, 10.0,
                lambda: np.zeros((n, n), bool)),
        Contest(recall, "NumPy", 1, lambda _: numpy_recall(cues, matrix), few, 15.0),
        Contest(recall, "NumPy, packed", 1, lambda _: numpy_packed(cues, words), few, 15.0),
    ]  # fmt: skip
    for width in range(1, available_threads() + 1):
        run = _bound(one.recall, halves, width)
        made.append(Contest(recall, "sparsecode", width, run, len(rows)))
    return made


def _empty(n: int) -> memory.Willshaw:
    """Return a memory without patterns whose weights are there."""
    one = memory.Willshaw()
    one.store(SparseCode.from_indices([[0]], n))
    return one


def _bound(method: Callable[..., object], cues: Any, width: int) -> Callable[[Any], object]:
    return lambda _: method(cues, n_threads=width)


# ------------------------------------------------------------------------------- dense patterns


def numpy_softmax(cues: np.ndarray, patterns: np.ndarray, beta: float) -> np.ndarray:
    """Return one step of modern Hopfield retrieval by plain NumPy."""
    logits = beta * (cues @ patterns.T)
    logits -= logits.max(axis=1, keepdims=True)
    weights = np.exp(logits)
    return weights / weights.sum(axis=1, keepdims=True) @ patterns


def _dense(config: Config, streams: Streams) -> list[Contest]:
    rng, n = streams("dense"), config.n_units
    patterns = rng.standard_normal((config.n_dense, n), dtype=np.float32)
    cues = patterns[: config.n_cues] + rng.standard_normal((config.n_cues, n), dtype=np.float32)
    beta = 1.0 / np.sqrt(n)
    one = memory.DenseMemory(beta=beta, values="real")
    one.store(patterns)
    states = rng.random((config.n_hopfield, n)) < 0.5
    words = memory.SparseDistributedMemory(
        config.n_locations, radius=min(config.radius, n), random_state=0
    )
    words.store(states)
    network = memory.Hopfield(update="synchronous", max_iter=1)
    network.store(states)
    signs = np.where(states, np.float32(1), np.float32(-1))
    weights = signs.T @ signs
    tasks = "softmax retrieval", "Hopfield, store", "Hopfield, one step", "Kanerva, recall"
    made = []
    for width in range(1, available_threads() + 1):
        made += [
            Contest(tasks[0], "sparsecode", width, _bound(one.retrieve, cues, width), len(cues)),
            Contest(tasks[0], "NumPy", width, lambda _: numpy_softmax(cues, patterns, beta),
                    len(cues)),
            Contest(tasks[1], "sparsecode", width, lambda made: made.store(states), len(states),
                    again=memory.Hopfield),
            Contest(tasks[1], "NumPy", width, lambda _: signs.T @ signs, len(states)),
            Contest(tasks[2], "sparsecode", width, _bound(network.recall, states, width),
                    len(states)),
            Contest(tasks[2], "NumPy", width, lambda _: np.sign(signs @ weights), len(states)),
            Contest(tasks[3], "sparsecode", width, _bound(words.recall, states, width),
                    len(states)),
        ]  # fmt: skip
    return made


# ------------------------------------------------------------------------------- timing


def _timed(contests: list[Contest], n_rounds: int, progress: Any) -> list[float]:
    """Return how many items each does in a second: the median of rounds in turn after a warm-up."""
    seconds: list[list[float]] = [[] for _ in contests]
    for round_ in progress(range(n_rounds + 1), "rounds"):
        for one, mine in zip(contests, seconds):
            made = one.again()
            with threadpool_limits(one.threads, user_api="blas"):
                start = time.perf_counter()
                one.run(made)
                mine.append(time.perf_counter() - start)
            if round_ == 0:
                mine.clear()
    return [one.n_items / float(np.median(mine)) for one, mine in zip(contests, seconds)]


def _sparsey(config: Config, streams: Streams) -> dict[str, np.ndarray]:
    """Return seconds of the digits, and of an item with few and many stored, in turn."""
    shape, rng = (24, 16), streams("pixels")
    space = SDRSpace(384, min(config.n_pixels_active, 384), shape)
    digits = space.sample(config.n_digits, rng)
    filled = []
    for n_stored in config.stored:
        one = memory.Sparsey(70, 20, saturation=None, random_state=0, n_threads=1)
        for first in range(0, n_stored, 5000):
            one.store(space.sample(min(5000, n_stored - first), rng))
        filled.append(one)
    whole: list[float] = []
    store: list[list[float]] = [[] for _ in filled]
    recall: list[list[float]] = [[] for _ in filled]
    for _ in range(config.n_rounds):
        fresh = memory.Sparsey(70, 20, saturation=None, random_state=0, n_threads=1)
        start = time.perf_counter()
        fresh.store(digits)
        whole.append(time.perf_counter() - start)
        items = space.sample(max(config.n_items // config.n_rounds, 1), rng)
        for one, mine, theirs in zip(filled, store, recall):
            start = time.perf_counter()
            one.store(items)
            mine.append((time.perf_counter() - start) / items.n_samples)
            start = time.perf_counter()
            one.recall(items)
            theirs.append((time.perf_counter() - start) / items.n_samples)
    return {
        "digits": np.array(whole),
        "store": np.median(store, axis=1),
        "recall": np.median(recall, axis=1),
        "operations": np.array([float(np.median(one.n_operations_)) for one in filled]),
    }


@experiment(
    "memory-speed",
    config=Config,
    title="Associative memories at work",
    smoke=dict(
        n_units=64, n_active=(4,), n_patterns=20, n_dense=10, n_cues=4, n_hopfield=5,
        n_locations=50, radius=30, n_digits=20, stored=(5, 20), n_items=6, n_rounds=2,
    ),
)  # fmt: skip
def memory_speed(config: Config, streams: Streams, progress: Any) -> Outcome:
    """Time everybody in turn, then Sparsey with few and many stored."""
    contests = [one for k in config.n_active for one in _willshaw(config, k, streams)]
    contests += _dense(config, streams)
    rates = _timed(contests, config.n_rounds, progress)
    return Outcome(
        {
            "task": [one.task for one in contests],
            "name": [one.name for one in contests],
            "threads": [one.threads for one in contests],
            "per_second": rates,
            "goal": [one.goal for one in contests],
        },
        {f"sparsey_{name}": array for name, array in _sparsey(config, streams).items()},
    )


@memory_speed.plot
def figure(record: Record, figure: Any) -> None:
    """Draw the rates of each task, and Sparsey's time an item."""
    axes = figure.subplots(1, 2, gridspec_kw={"width_ratios": (1.6, 1.0)})
    rows = record.table.rows()[::-1]
    labels = [f"{row['task']}: {row['name']}, {row['threads']}" for row in rows]
    colors = ["#0072b2" if row["name"] == "sparsecode" else "0.6" for row in rows]
    axes[0].barh(labels, [row["per_second"] for row in rows], color=colors)
    axes[0].set(xscale="log", xlabel="patterns a second")
    axes[0].tick_params(axis="y", labelsize="x-small")
    for name in ("store", "recall"):
        axes[1].plot(record.config.stored, 1e6 * record.arrays[f"sparsey_{name}"], "o-", label=name)
    axes[1].set(xscale="log", xlabel="patterns stored before", ylabel="microseconds an item")
    axes[1].set_ylim(bottom=0.0)
    axes[1].set_title("Sparsey")
    axes[1].legend()
    figure.set_size_inches(12.0, 5.4)


def ratios(record: Record) -> list[dict[str, Any]]:
    """Return, for each peer, how many times as fast ours is on as many threads."""
    rows = record.table.rows()
    return [
        {**peer, "ours": ours["per_second"], "ratio": ours["per_second"] / peer["per_second"]}
        for peer in rows
        for ours in rows
        if peer["name"] != "sparsecode" == ours["name"]
        and (peer["task"], peer["threads"]) == (ours["task"], ours["threads"])
    ]


if __name__ == "__main__":
    kept = memory_speed.run(results="results", progress=True)
    for row in ratios(kept):
        goal = "" if np.isnan(row["goal"]) else f"; goal {row['goal']:g}"
        print(
            f"{row['task']:>28}, {row['threads']} thread(s): ours {row['ours']:,.0f}/s, "
            f"{row['name']} {row['per_second']:,.0f}/s: {row['ratio']:.2f} times{goal}"
        )
    seconds = np.median(kept.arrays["sparsey_digits"])
    print(f"Sparsey, {kept.config.n_digits:,} digits: {seconds:.3f} s")
    for name in ("store", "recall"):
        times = kept.arrays[f"sparsey_{name}"]
        listed = ", ".join(f"{1e6 * one:.1f}" for one in times)
        spread = times.max() / times.min()
        print(f"  {name}: {listed} microseconds an item; slowest by fastest {spread:.3f}")
