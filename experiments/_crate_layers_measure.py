"""What `crate-layers` measures: coding rates and shares of nonzeros of every block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from experiments._crate_networks import STATES, trace, twins
from experiments._framework import Record
from sparsecode.bridges import compressed_rate
from sparsecode.core.rng import Streams

if TYPE_CHECKING:
    from experiments.crate_layers import Config

__all__ = ["MEASURES", "SIZES", "SPLITS", "course", "one_network", "parameter_counts", "table"]

#: Published sizes in the order of the arrays.
SIZES = ("tiny", "small", "base", "large")
SPLITS = ("seen", "held out")
#: Columns: R^c at the block's input behind LayerNorm, of the tokens that enter the block (unknown
#: for the first), of Z^(l+1/2), all on the block's own subspaces; and the share of nonzeros.
MEASURES = ("rate_input", "rate_tokens", "rate_half", "nonzero")


def layers(model: Any, images: np.ndarray) -> np.ndarray:
    """Return `MEASURES` of every block, means over images: shape (n_layers, n_measures)."""
    found = trace(model, images)
    rows = []
    for layer, code in enumerate(found["code"]):
        subspaces = model.subspaces(layer)

        def rate(tokens: np.ndarray, subspaces: np.ndarray = subspaces) -> float:
            return float(np.mean(compressed_rate(tokens, subspaces, normalize=True)))

        before = rate(found["code"][layer - 1]) if layer else np.nan
        rows.append(
            (rate(found["attention_input"][layer]), before, rate(found["half"][layer]),
             np.count_nonzero(code) / code.size)
        )  # fmt: skip
    return np.array(rows)


def one_network(
    config: Config, streams: Streams, seed: int, learning_rate: float
) -> dict[str, np.ndarray]:
    """Return `MEASURES` of shape (n_states, n_splits, n_layers, n_measures), and accuracies."""
    pair = twins(config, streams, seed, learning_rate)
    splits = [images[: config.n_measured] for images in (pair.seen, pair.held_out)]
    measured = [[layers(model, images) for images in splits] for model in pair[:2]]
    return {"layers": np.array(measured), "accuracy": np.array(pair.accuracy)}


def parameter_counts() -> dict[str, np.ndarray]:
    """Return the number of parameters of each of `SIZES`, without memory for them."""
    from sparsecode.bridges import Crate
    from sparsecode.bridges._torch import torch

    with torch.device("meta"):
        models = [Crate.of_size(size) for size in SIZES]
    counts = [sum(p.numel() for p in model.parameters()) for model in models]
    return {"parameters": np.array(counts)}


def table(
    config: Config, runs: list[tuple[float, int]], found: list[dict[str, np.ndarray]]
) -> dict[str, list[Any]]:
    """Return a row for each network, state, split and layer; layers count from 1."""
    names = ("learning_rate", "seed", "state", "split", "layer", *MEASURES)
    rows = [
        (rate, seed, state, split, layer + 1, *(float(x) for x in one["layers"][i, j, layer]))
        for (rate, seed), one in zip(runs, found)
        for i, state in enumerate(STATES)
        for j, split in enumerate(SPLITS)
        for layer in range(config.n_layers)
    ]
    return dict(zip(names, map(list, zip(*rows))))


def course(
    record: Record, measure: str, state: str, rate: float, split: str = "held out"
) -> np.ndarray:
    """Return a measure over depth, of shape (n_seeds, n_layers)."""
    rows = record.table.where(state=state, split=split, learning_rate=rate)
    return rows[measure].reshape(record.config.n_seeds, record.config.n_layers)
