"""What `sequence-robustness` runs: streams with sequences in them, networks, death and noise."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from functools import partial
from typing import Any

import numpy as np

from sdr.temporal import TemporalMemory
from sparsecode.core import SparseCode
from sparsecode.core.rng import Streams

__all__ = ["NETWORKS", "WORDS", "averaged", "one_network", "one_sequence"]

#: Five six-letter sequences. They share their second, third and fifth letters, so that the fourth
#: and the last follow from the first alone.
WORDS = ("ABCDEF", "GBCHEI", "JBCKEL", "MBCNEO", "PBCQER")
#: A tenth of the stream's slots begin a sequence; the rest of ten slots is filled with noise.
SLOTS = 10
#: Networks by name, and whether their columns have several cells.
NETWORKS = {"high order": True, "first order": False}


def one_network(config: Any, streams: Streams, number: int) -> dict[str, np.ndarray]:
    """Return accuracies of one pair of networks: learning, another set, death, noise."""
    streams = streams.spawn(f"network-{number}")
    first, second = (_letters(config, streams(f"{which} set")) for which in ("first", "second"))
    table = np.concatenate([code.to_dense() for code in (*first.values(), *second.values())])
    before = _stream(config, first, config.n_before, streams("before"))
    swapped = _stream(config, second, config.n_after, streams("swapped"))
    after = _stream(config, first, config.n_after, streams("after"))
    found: dict[str, np.ndarray] = {}
    for name, several in NETWORKS.items():
        memory = _memory(config, several, streams(f"synapses, {name}"))
        course = [_follow(memory, before, table)]
        if several:
            short = after[: config.n_probed]
            found["death"] = _deaths(config, memory, after, table, streams, learn=True)
            found["death, not learning"] = _deaths(
                config, memory, short, table, streams, learn=False
            )
            found["noise"] = _noises(config, memory, short, table, streams("noise"))
        found[name] = np.concatenate([*course, _follow(memory, swapped, table)])
    return found


def one_sequence(config: Any, streams: Streams, threshold: int) -> dict[str, np.ndarray]:
    """Return which share of the next cells a network of first order predicts from noisy input.

    One sequence is learned without noise, with `n_synapses` on each segment; then half of the bits
    of single elements are moved. One share for each of `n_noisy` elements.
    """
    streams = streams.spawn(f"one sequence, threshold {threshold}")
    rng = streams("elements")
    elements = _random(config, config.n_elements, rng)
    memory = TemporalMemory(
        config.n_columns, 1, activation_threshold=threshold, min_threshold=threshold,
        max_new_synapses=config.n_synapses, initial_permanence=0.6,
        predicted_segment_decrement=0.0, rng=streams("synapses"),
    )  # fmt: skip
    memory.partial_fit(elements)
    noise, shares = streams("noise"), []
    for number in noise.integers(config.n_elements - 1, size=config.n_noisy):
        shown = moved(elements[int(number)], config.n_active // 2, noise)
        memory.reset().step(shown, learn=False)
        following = elements[int(number) + 1].indices
        shares.append(np.isin(following, memory.predict().indices).mean())
    return {"shares": np.array(shares)}


def moved(row: SparseCode, n_bits: int, rng: np.random.Generator) -> SparseCode:
    """Return a row of which some active units have gone to others that were not active."""
    kept = rng.choice(row.indices, row.nnz - n_bits, replace=False)
    outside = np.setdiff1d(np.arange(row.n_units), row.indices)
    return SparseCode.from_indices(
        [np.concatenate([kept, rng.choice(outside, n_bits, replace=False)])], row.n_units
    )


def averaged(accuracy: np.ndarray, width: int) -> np.ndarray:
    """Return means over stretches of `width` elements, along the last axis but one."""
    n_stretches = accuracy.shape[-2] // width
    cut = accuracy[..., : n_stretches * width, :]
    return cut.reshape(*cut.shape[:-2], n_stretches, width, cut.shape[-1]).mean(axis=-2)


def _memory(config: Any, several: bool, rng: np.random.Generator) -> TemporalMemory:
    """Return a network with the paper's parameters."""
    return TemporalMemory(
        config.n_columns, config.n_cells if several else 1,
        activation_threshold=config.threshold, min_threshold=config.threshold,
        max_new_synapses=config.n_active, predicted_segment_decrement=0.01, rng=rng,
    )  # fmt: skip


def _random(config: Any, n: int, rng: np.random.Generator) -> SparseCode:
    """Return elements whose active columns are drawn without replacement."""
    rows = [rng.choice(config.n_columns, config.n_active, replace=False) for _ in range(n)]
    return SparseCode.from_indices(rows, config.n_columns)


def _letters(config: Any, rng: np.random.Generator) -> dict[str, SparseCode]:
    """Return an element for each letter."""
    alphabet = sorted(set("".join(WORDS)))
    return dict(zip(alphabet, _random(config, len(alphabet), rng)))


def _stream(
    config: Any, letters: dict[str, SparseCode], n: int, rng: np.random.Generator
) -> list[SparseCode]:
    """Return elements: in every ten slots a sequence, then random ones."""
    stream: list[SparseCode] = []
    while len(stream) < n:
        word = WORDS[rng.integers(len(WORDS))]
        stream += [letters[letter] for letter in word]
        stream += _random(config, SLOTS - len(word), rng)
    return stream[:n]


def _follow(
    memory: TemporalMemory,
    stream: Iterable[SparseCode],
    table: np.ndarray,
    *,
    learn: bool = True,
    shown: Callable[[SparseCode], SparseCode] | None = None,
) -> np.ndarray:
    """Return how right the predictions are, one row for each element, of which `shown` is seen."""
    expected, right = np.empty(0, np.int64), []
    for element in stream:
        right.append(_judge(expected, element, table))
        step = memory.step(element if shown is None else shown(element), learn=learn)
        expected = np.unique(step.predictive_cells // memory.n_cells)
    return np.array(right)


def _judge(expected: np.ndarray, element: SparseCode, table: np.ndarray) -> tuple[float, float]:
    """Return whether the letter is guessed, and the Jaccard index of columns.

    Guessed is the letter of `table` that has most predicted columns; among several with equally
    many the guess is a draw, and counts as its chance.
    """
    shared = np.intersect1d(expected, element.indices).size
    jaccard = shared / (expected.size + element.nnz - shared)
    overlaps = table[:, expected].sum(axis=1)
    best: np.ndarray = (overlaps == overlaps.max()) & (overlaps > 0)
    mine = np.asarray(table[:, element.indices].all(axis=1))
    return (mine[best].mean() if best.any() else 0.0), jaccard


def _deaths(
    config: Any,
    learned: TemporalMemory,
    stream: list[SparseCode],
    table: np.ndarray,
    streams: Streams,
    *,
    learn: bool,
) -> np.ndarray:
    """Return accuracies after shares of the cells have died."""
    order = streams("death").permutation(learned.n_columns * learned.n_cells)
    found = []
    for share in config.deaths:
        memory = deepcopy(learned).kill_cells(order[: round(share * order.size)])
        found.append(_follow(memory, stream, table, learn=learn))
    return np.array(found)


def _noises(
    config: Any, learned: TemporalMemory, stream: list, table: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return accuracies on streams of which bits have moved, without learning."""
    found = []
    for share in config.noises:
        shown = partial(moved, n_bits=round(share * config.n_active), rng=rng)
        found.append(_follow(deepcopy(learned), stream, table, learn=False, shown=shown))
    return np.array(found)
