"""What `sparsey-sequences` measures: one mac after the other, asked with every kind of cue."""

from __future__ import annotations

from functools import cache
from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments._framework import Outcome
from memory import Sigmoid2014, Sparsey
from sparsecode.core.code import SparseCode
from sparsecode.core.rng import Streams
from sparsecode.datasets import moving_edges, natural_images, random_sequences

if TYPE_CHECKING:
    from experiments.sparsey_sequences import Config

#: Kinds of frames.
DATA = ("random", "edges")
#: Every kind of cue; those with "back-off" meet a mac that may believe single signals.
MODES = (
    "first", "first-moved-2", "all", "moved-1", "moved-2", "skipped", "doubled",
    "skipped, back-off", "doubled, back-off",
)  # fmt: skip
#: Winners right, sequences with all of them right, frames given back pixel by pixel.
QUANTITIES = ("winners", "exact", "pixels")


def measure(config: Config, streams: Streams, cached: Any, swept: Any) -> Outcome:
    """Return the table in long form, and winners frame by frame of random sequences."""
    rows: list[dict[str, Any]] = []
    arrays: dict[str, np.ndarray] = {}
    parts = [(data, rule, load) for data in DATA for rule in config.rules for load in config.loads]
    tasks = {
        f"{data}-{rule}-{load}": (recall_part, config, streams, data, rule, load)
        for data, rule, load in parts
    }
    for (data, rule, load), part in zip(parts, swept(tasks, "sequences").values()):
        if data == "random":  # net by net at the load at which frames are compared
            arrays |= {
                f"{name}-{rule}-{load}": np.asarray(
                    values if load == config.low_load else values.mean(axis=0, keepdims=True),
                    dtype=np.float32,
                )
                for name, values in part.items() if name.startswith("frames")
            }  # fmt: skip
        rows += [
            _row(data, rule, load, mode, quantity, part[f"{quantity}-{mode}"])
            for mode in MODES for quantity in QUANTITIES
        ]  # fmt: skip
        distinct = part["distinct"][np.isfinite(part["distinct"])]
        if distinct.size > 1:
            rows.append(_row(data, rule, load, "first", "distinct", distinct))
    demo = cached("demonstration", demonstration_part, config, streams)
    rows += [_row("demonstration", "2014", 1, "first", name, values) for name, values in
             demo.items()]  # fmt: skip
    weights = new_mac(config, "2014", np.random.default_rng(0))
    weights.store_sequence(np.eye(2, config.side**2))
    rows.append(_row("random", "2014", 1, "none", "weights", np.full(2, weights.n_weights)))
    return Outcome({name: [row[name] for row in rows] for name in rows[0]}, arrays)


def _row(
    data: str, rule: str, load: int, mode: str, quantity: str, values: np.ndarray
) -> dict[str, Any]:
    """Return the mean over nets and its standard error as one row."""
    values = np.asarray(values, dtype=np.float64)
    return {
        "data": data, "rule": rule, "load": load, "mode": mode, "quantity": quantity,
        "value": float(values.mean()),
        "error": float(values.std(ddof=1) / np.sqrt(values.size)), "n_nets": values.size,
    }  # fmt: skip


def new_mac(config: Any, rule: str, rng: np.random.Generator) -> Sparsey:
    """Return an empty mac that draws codes by a rule, and never freezes."""
    return Sparsey(
        config.n_modules, config.n_units, saturation=None, n_threads=1,
        activation=Sigmoid2014(gain=0.0) if rule == "random" else rule,
        random_state=int(rng.integers(2**31)),
    )  # fmt: skip


# ------------------------------------------------------------------ cues


def move(frames: np.ndarray, n_moved: int, rng: np.random.Generator) -> np.ndarray:
    """Return frames in each of which so many active pixels went to places that were inactive."""
    moved = frames.copy()
    for frame, now in zip(frames, moved, strict=True):
        now[rng.permutation(np.flatnonzero(frame))[:n_moved]] = False
        now[rng.permutation(np.flatnonzero(~frame))[:n_moved]] = True
    return moved


def cue(frames: np.ndarray, mode: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the frames shown, and for each frame recalled the stored one that it should be."""
    times, kind = np.arange(len(frames)), mode.removesuffix(", back-off")
    if kind == "skipped":
        times = times[::2]
    elif kind == "doubled":
        times = times.repeat(2)
    shown = frames[times]
    if kind.startswith("first"):
        shown = shown[:1]
    if "moved" in kind:
        shown = move(shown, int(kind[-1]), rng)
    return shown, times


def sequences(
    config: Config, streams: Streams, data: str, load: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Return sequences as rows of bool for each frame."""
    if data == "random":
        drawn = random_sequences(
            load, config.n_frames, unit_shape=(config.side, config.side),
            n_active=config.n_active, rng=rng,
        )  # fmt: skip
        chosen = list(drawn)
    else:
        pool = edges(config.n_edges, config.n_frames, config.side, streams.seed)
        chosen = [pool[i] for i in rng.choice(config.n_edges, load, replace=False)]
    return [one.to_dense().reshape(config.n_frames, -1) for one in chosen]


@cache
def edges(n_sequences: int, n_frames: int, side: int, seed: int) -> list[SparseCode]:
    """Return sequences of moving edges of the natural photographs, shared by all nets."""
    return list(
        moving_edges(
            natural_images(), n_sequences, n_frames, shape=(side, side),
            rng=Streams(seed)("edges"),
        )
    )  # fmt: skip


# ------------------------------------------------------------------ recall


def recall_part(
    config: Config, streams: Streams, data: str, rule: str, load: int
) -> dict[str, np.ndarray]:
    """Return the shares of every net, and its winners frame by frame, for each kind of cue.

    All rules store the same sequences and meet the same cues.
    """
    rng, draws = streams(f"{data}-{load}"), streams(f"macs-{data}-{load}-{rule}")
    nets = [_one_net(config, sequences(config, streams, data, load, rng), rule, rng, draws)
            for _ in range(config.n_nets)]  # fmt: skip
    return {name: np.array([net[name] for net in nets]) for name in nets[0]}


def _one_net(
    config: Config, stored: list[np.ndarray], rule: str, rng: np.random.Generator,
    draws: np.random.Generator,
) -> dict[str, Any]:  # fmt: skip
    """Store sequences in one mac and recall each from every kind of cue."""
    mac = new_mac(config, rule, draws)
    codes = [mac.store_sequence(frames).to_dense() for frames in stored]
    found: dict[str, Any] = {}
    distinct = [bool((one[1:] != one[:-1]).any(axis=1).all()) for one in stored]
    for mode in MODES:
        mac.backoff_threshold = config.backoff_threshold if mode.endswith("back-off") else 0.0
        frames, pixels = [], []
        for sequence, code in zip(stored, codes, strict=True):
            shown, times = cue(sequence, mode, rng)
            winners, right = _compare(mac, shown, sequence[times], code[times])
            frames.append(winners)
            pixels.append(right)
        found[f"frames-{mode}"] = np.mean(frames, axis=0)
        found[f"winners-{mode}"] = np.mean(frames)
        found[f"exact-{mode}"] = np.mean(np.min(frames, axis=1) == 1.0)
        found[f"pixels-{mode}"] = np.mean(pixels)
        if mode == "first":  # without sequences that show a frame twice in a row
            found["distinct"] = np.mean(np.mean(frames, axis=1)[distinct]) if any(distinct) else nan
    return found


def _compare(
    mac: Sparsey, shown: np.ndarray, patterns: np.ndarray, codes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return for each frame the share of right winners, and whether all pixels are right."""
    recalled = mac.recall_sequence(shown, len(codes))
    winners = (recalled.code.to_dense() & codes).sum(axis=(1, 2)) / codes.shape[1]
    given = recalled.pattern.to_dense().reshape(patterns.shape)
    return winners, (given == patterns).all(axis=1)


def demonstration_part(config: Config, streams: Streams) -> dict[str, np.ndarray]:
    """Return, for each mac, whether the demonstration's sequence was recalled without an error."""
    rng = streams("demonstration")
    exact = np.empty((2, config.n_demonstrations))
    for net in range(config.n_demonstrations):
        (sequence,) = random_sequences(1, 13, unit_shape=(10, 10), n_active=5, rng=rng)
        mac = Sparsey(10, 18, random_state=int(rng.integers(2**31)), n_threads=1)
        codes = mac.store_sequence(sequence).to_dense()
        frames = sequence.to_dense().reshape(13, -1)
        winners, pixels = _compare(mac, frames[:1], frames, codes)
        exact[:, net] = winners.min() == 1.0, pixels.all()
    return {"exact": exact[0], "pixels": exact[1]}
