"""Small ReLU networks on embedded digits, for the experiments on lazy neurons."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from sparsecode._validation import check_count, check_positive
from sparsecode.core.rng import Streams

__all__ = [
    "IMAGE_SIZE",
    "NETWORKS",
    "N_CLASSES",
    "N_DIGITS",
    "Digits",
    "build",
    "check_sizes",
    "different",
    "digits",
    "limits",
    "scores",
    "text",
]

#: Pixels of an image's side, and of a patch's: 16 patches, and a class token in the ViT.
IMAGE_SIZE, PATCH_SIZE = 8, 2
N_CLASSES, N_DIGITS = 10, 1797
NETWORKS = ("vit", "mixer", "mlp")


class Digits(NamedTuple):
    """Images (n_samples, 1, 8, 8) in [0, 1] and their labels: to train on, and held out."""

    seen: np.ndarray
    seen_labels: np.ndarray
    held_out: np.ndarray
    held_out_labels: np.ndarray


def check_sizes(config: Any) -> None:
    """Refuse a config whose networks cannot be built, trained or compared."""
    names = ("n_train", "n_test", "n_epochs", "batch_size", "d_model", "n_heads", "n_layers")
    for name in names:
        check_count(name, getattr(config, name))
    check_count("d_ff", config.d_ff, minimum=2)
    check_count("n_seeds", config.n_seeds, minimum=2)
    check_positive("rate", config.rate)
    if config.n_train + config.n_test > N_DIGITS:
        raise ValueError(
            f"n_train and n_test must not exceed {N_DIGITS} together, the digits that there are; "
            f"got {config.n_train} and {config.n_test}."
        )
    if config.d_model % config.n_heads:
        raise ValueError(f"n_heads must divide d_model; got {config.n_heads} and {config.d_model}.")


def different(name: str, values: tuple[Any, ...]) -> None:
    """Refuse a list that is empty or names something twice."""
    if not values or len(set(values)) < len(values):
        raise ValueError(f"{name} must be one value or several different ones; got {values}.")


def digits(config: Any, streams: Streams, seed: int) -> Digits:
    """Draw a split of scikit-learn's digits from ``streams(f"split-{seed}")``."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    order = streams(f"split-{seed}").permutation(N_DIGITS)[: config.n_train + config.n_test]
    images = (bunch.images[order, None] / 16.0).astype(np.float32)
    labels = bunch.target[order].astype(np.int64)
    n = config.n_train
    return Digits(images[:n], labels[:n], images[n:], labels[n:])


def build(
    config: Any, network: str, d_ff: int, n_layers: int, seed: int, top_k: int | None = None
) -> Any:
    """Return an untrained network; an MLP has `n_layers` hidden layers of `d_ff` units."""
    from sparsecode.bridges import MLP, Mixer, ViT

    if network == "mlp":
        return MLP(IMAGE_SIZE**2, N_CLASSES, hidden=[d_ff] * n_layers, top_k=top_k, seed=seed)
    sizes = {"d_model": config.d_model, "d_ff": d_ff, "n_layers": n_layers, "top_k": top_k}
    if network == "mixer":
        return Mixer(IMAGE_SIZE, PATCH_SIZE, N_CLASSES, **sizes, seed=seed)
    return ViT(IMAGE_SIZE, PATCH_SIZE, N_CLASSES, **sizes, n_heads=config.n_heads, seed=seed)


def scores(model: Any, images: np.ndarray) -> list[Any]:
    """Return the :class:`~sparsecode.bridges.LazyStatistics` of every layer of codes."""
    from sparsecode.bridges import collect, lazy_by_layer
    from sparsecode.bridges._torch import torch

    found = collect(model, [torch.from_numpy(images)], model.sites)
    return list(lazy_by_layer(found).values())


def limits(values: np.ndarray, n_looks: int = 1) -> tuple[float, float, float]:
    """Return a mean over seeds and its limits after Student.

    Parameters
    ----------
    values : ndarray of shape (n_seeds,)
        Such as paired differences.
    n_looks : int, default=1
        Limits of which any one may decide; they hold 95 % together, after Bonferroni.

    Returns
    -------
    tuple of float
        Mean, lower and upper limit.
    """
    error = values.std(ddof=1) / np.sqrt(values.size)
    half = float(stats.t.ppf(1.0 - 0.025 / n_looks, values.size - 1) * error)
    mean = float(values.mean())
    return mean, mean - half, mean + half


def text(values: np.ndarray, form: str = "+.1f", n_looks: int = 1) -> str:
    """Say a mean with its limits."""
    mean, low, high = limits(values, n_looks)
    return f"{mean:{form}} ({low:{form}} to {high:{form}})"
