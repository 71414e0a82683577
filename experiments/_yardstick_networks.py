"""The transformers of `one-yardstick`: trained on the labels, their last hidden layer as codes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments._yardstick_stimuli import SIZE, Stimuli
from experiments._yardstick_systems import Fitted
from sparsecode.bridges import to_code
from sparsecode.core import SparseCode

if TYPE_CHECKING:
    from experiments.one_yardstick import Config

__all__ = ["OWN", "TUNED", "fit"]

#: Networks whose hidden units are kept to a density, and those that are shown as they are.
TUNED = ("ViT, top-k",)
OWN = ("ViT", "ViT, untrained", "CRATE", "CRATE, untrained")
#: Side of a token in pixels, width of the stream, hidden units of a token.
PATCH, WIDTH, HIDDEN = 4, 48, 192
HEADS, LAYERS = 4, 4


@contextmanager
def one_thread() -> Iterator[Any]:
    """Give PyTorch on one thread, so that the same seed gives the same bits."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield torch
    finally:
        torch.set_num_threads(before)


def as_images(X: np.ndarray) -> np.ndarray:
    """Return rows of pixels as images of one channel."""
    return np.ascontiguousarray(X, dtype=np.float32).reshape(-1, 1, SIZE, SIZE)


def build(name: str, density: float, n_classes: int, seed: int) -> Any:
    """Return a network with random weights."""
    from sparsecode.bridges import Crate, ViT

    if name.startswith("CRATE"):
        return Crate(
            SIZE, PATCH, n_classes, n_channels=1, d_model=WIDTH, n_heads=HEADS, n_layers=LAYERS,
            seed=seed,
        )  # fmt: skip
    top_k = round(density * HIDDEN) if name in TUNED else None
    return ViT(
        SIZE, PATCH, n_classes, n_channels=1, d_model=WIDTH, d_ff=HIDDEN, n_heads=HEADS,
        n_layers=LAYERS, activation="relu", top_k=top_k, seed=seed,
    )  # fmt: skip


def fit(
    config: Config, name: str, density: float, stimuli: Stimuli, atoms: np.ndarray, seed: int
) -> Fitted:
    """Train a network to name the classes, unless it is to stay as it is."""
    from sparsecode.bridges import train

    with one_thread():
        model = build(name, density, stimuli.n_classes, seed)
        if not name.endswith("untrained"):
            train(
                model, as_images(stimuli.X), stimuli.y, n_epochs=config.n_epochs, batch_size=64,
                learning_rate=config.learning_rate, weight_decay=0.0, seed=seed, device="cpu",
            )  # fmt: skip
    return Fitted(lambda X: hidden(model, X))


def hidden(model: Any, X: np.ndarray) -> SparseCode:
    """Return the last layer's hidden units of all tokens, those above 0 active."""
    from sparsecode.bridges import collect

    site = model.sites[-1]
    images = as_images(X)
    with one_thread() as torch:
        batches = [torch.from_numpy(images[i : i + 256]) for i in range(0, len(images), 256)]
        found = collect(model, batches, [site])[site]
    return to_code(found.reshape(len(images), -1))
