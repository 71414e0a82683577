"""What `amortisation-gap` measures: codes of encoders and solvers over the same atoms."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments._classify_network import one_thread
from experiments._framework import Record
from sparsecode.core.rng import Streams
from sparsecode.datasets import extract_patches, natural_images, whiten

if TYPE_CHECKING:
    from experiments.amortisation_gap import Config

__all__ = [
    "ARCHITECTURES",
    "BLOCKS",
    "MEASURES",
    "METHODS",
    "inputs",
    "measured",
    "one_gap",
    "runs",
    "table",
]

BLOCKS = ("patches", "vit")
#: Labels of the architectures.
ARCHITECTURES = {
    "relu": "ReLU",
    "topk": "TopK",
    "batchtopk": "BatchTopK",
    "jumprelu": "JumpReLU",
    "gated": "Gated",
    "matryoshka": "Matryoshka",
    "mp": "MP",
}
METHODS = ("encoder", "refit", "omp", "lasso", "lasso_refit", "cel0")
MEASURES = ("explained_variance", "gain", "l0", "jaccard", "certificate", "converged")
#: Of the ViT whose residual stream is coded after its second block.
VIT = {"d_model": 48, "d_ff": 192, "n_layers": 3, "n_heads": 4}
SITE, N_TRAIN_IMAGES = "blocks.1", 1_297


def runs(config: Config) -> list[tuple[str, str, int]]:
    """Return every autoencoder to train: block, architecture, seed."""
    return list(product(config.blocks, config.architectures, range(config.n_seeds)))


def inputs(config: Config, streams: Streams, block: str, seed: int) -> dict[str, np.ndarray]:
    """Return what an autoencoder learns from, and other samples, both scaled alike."""
    rng = streams(f"{block}-{seed}")
    if block == "patches":
        pool = whiten(natural_images())
        halves = [
            [image[:, : image.shape[1] // 2] for image in pool],
            [image[:, image.shape[1] // 2 :] for image in pool],
        ]
        sizes = (config.n_train, config.n_test)
        train, test = (
            extract_patches(half, config.side, n_patches=n, rng=rng, min_contrast=0.0)
            for half, n in zip(halves, sizes)
        )
    else:
        train, test = _stream(config, rng)
    scale = 1.0 / np.sqrt(np.mean((train - train.mean(axis=0)) ** 2))
    return {"train": (train * scale).astype(np.float32), "test": (test * scale).astype(np.float32)}


def _stream(config: Config, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Train a ViT on digits; return its residual stream on seen and on held-out images."""
    from sklearn.datasets import load_digits

    from sparsecode.bridges import ViT, collect, train
    from sparsecode.bridges._torch import torch

    digits = load_digits()
    order = rng.permutation(len(digits.target))
    images = (digits.images[order, None] / 16).astype(np.float32)
    labels = digits.target[order]
    cut = N_TRAIN_IMAGES
    weights, course = (int(number) for number in rng.integers(2**31, size=2))
    model = ViT(8, 2, 10, seed=weights, **VIT)
    with one_thread():
        train(
            model, images[:cut], labels[:cut], X_test=images[cut:], y_test=labels[cut:],
            n_epochs=config.n_epochs, learning_rate=5e-3, seed=course, device="cpu",
        )  # fmt: skip
        found = [
            collect(model, [torch.from_numpy(part)], [SITE])[SITE]
            for part in (images[:cut], images[cut:])
        ]
    sizes = (config.n_train, config.n_test)
    seen, others = (rows[rng.permutation(len(rows))[:n]] for rows, n in zip(found, sizes))
    return seen, others


def one_gap(
    config: Config, found: dict[str, np.ndarray], block: str, architecture: str, seed: int
) -> dict[str, np.ndarray]:
    """Train one autoencoder and compare its codes with those of solvers.

    Returns
    -------
    dict of str to ndarray
        `values` of shape (n_methods, n_measures).
    """
    from sparsecode.bridges import amortisation_gap, autoencoder, train_autoencoder

    train, test = found["train"], found["test"]
    options: dict[str, dict[str, Any]] = {
        "relu": {"penalty": config.penalty},
        "gated": {"penalty": config.penalty},
        "jumprelu": {"penalty": config.jump, "bandwidth": 0.2},
        "mp": {"n_steps": config.k},
    }
    own = options.get(architecture, {"k": config.k})
    number = (BLOCKS.index(block), list(ARCHITECTURES).index(architecture), seed)
    with one_thread():
        model = autoencoder(architecture, train.shape[1], config.n_latents, rng=number, **own)
        train_autoencoder(
            model, train, n_steps=config.n_steps, batch_size=config.batch_size,
            learning_rate=2e-3, n_warmup=min(100, config.n_steps // 4), seed=seed,
        )  # fmt: skip
        gap = amortisation_gap(test, model)
    rows = [[gap[method].get(name, np.nan) for name in MEASURES] for method in METHODS]
    return {"values": np.array(rows, np.float64)}


def table(config: Config, values: np.ndarray) -> dict[str, list[Any]]:
    """Return a row for each autoencoder, seed and way of coding."""
    rows = [
        (block, ARCHITECTURES[name], seed, method)
        for block, name, seed in runs(config)
        for method in METHODS
    ]
    names = ("block", "autoencoder", "seed", "coded by")
    columns: dict[str, list[Any]] = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    flat = values.reshape(len(rows), len(MEASURES))
    return columns | {name: flat[:, i].tolist() for i, name in enumerate(MEASURES)}


def measured(record: Record, block: str, measure: str, method: str) -> dict[str, np.ndarray]:
    """Return one measure of one way of coding, over seeds, by the architecture."""
    config: Config = record.config
    part = record.arrays["values"][config.blocks.index(block)]
    found = part[:, :, METHODS.index(method), MEASURES.index(measure)]
    return dict(zip(config.architectures, found))
