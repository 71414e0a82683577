"""Small CRATEs on embedded digits, untrained and trained, for the experiments on their layers."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from experiments._classify_network import one_thread
from sparsecode._validation import check_count, check_positive
from sparsecode.core.rng import Streams
from sparsecode.datasets import load_digits16

__all__ = ["STATES", "Twins", "check_sizes", "limits", "text", "trace", "twins"]

#: Pixels of an image's side, and of a patch's: 16 patches and a class token.
IMAGE_SIZE, PATCH_SIZE = 16, 4
N_CLASSES, N_DIGITS = 10, 1797
#: Whether a network was trained; an untrained one is measured beside every trained one.
STATES = ("untrained", "trained")


class Twins(NamedTuple):
    """A network before and after its training, and the images it saw and did not see.

    `accuracy` holds the share of held-out images that each state gets right.
    """

    untrained: Any
    trained: Any
    seen: np.ndarray
    held_out: np.ndarray
    accuracy: tuple[float, float]


def check_sizes(config: Any) -> None:
    """Refuse a config whose networks cannot be built, trained or compared."""
    for name in ("n_train", "n_test", "n_epochs", "batch_size", "d_model", "n_heads"):
        check_count(name, getattr(config, name))
    check_count("n_layers", config.n_layers, minimum=2)
    check_count("n_seeds", config.n_seeds, minimum=2)
    if config.n_train + config.n_test > N_DIGITS:
        raise ValueError(
            f"n_train and n_test must not exceed {N_DIGITS} together, the digits that there are; "
            f"got {config.n_train} and {config.n_test}."
        )
    if config.d_model % config.n_heads:
        raise ValueError(f"n_heads must divide d_model; got {config.n_heads} and {config.d_model}.")


def twins(config: Any, streams: Streams, seed: int, learning_rate: float) -> Twins:
    """Train one network.

    Split, weights and order of images are drawn from ``streams(f"network-{seed}")``, so that
    networks of one seed that are trained at other rates begin alike.
    """
    from sparsecode.bridges import Crate, train

    rng = streams(f"network-{seed}")
    digits = load_digits16()
    order = rng.permutation(N_DIGITS)[: config.n_train + config.n_test]
    images = digits.images[order, None].astype(np.float32)
    labels = digits.labels[order]
    seen, held_out = images[: config.n_train], images[config.n_train :]
    weights, course = (int(number) for number in rng.integers(2**31, size=2))
    model = Crate(
        IMAGE_SIZE, PATCH_SIZE, N_CLASSES, d_model=config.d_model, n_heads=config.n_heads,
        n_layers=config.n_layers, seed=weights,
    ).eval()  # fmt: skip
    untrained = copy.deepcopy(model)
    with one_thread():
        result = train(
            model, seen, labels[: config.n_train], X_test=held_out,
            y_test=labels[config.n_train :], n_epochs=config.n_epochs,
            batch_size=config.batch_size, learning_rate=check_positive("rate", learning_rate),
            seed=course, device="cpu",
        )  # fmt: skip
    tested = result.history["test_accuracy"]
    return Twins(untrained, model, seen, held_out, (float(tested[0]), float(tested[-1])))


def trace(model: Any, images: np.ndarray) -> dict[str, list[np.ndarray]]:
    """Return what every block computes from some images; see ``Crate.trace``."""
    from sparsecode.bridges._torch import torch

    with one_thread():
        found: dict[str, list[np.ndarray]] = model.trace(torch.from_numpy(images))
    return found


def limits(values: np.ndarray) -> tuple[float, float, float]:
    """Return the mean over seeds and its limits of 95 %, after Student."""
    half = stats.t.ppf(0.975, values.size - 1) * values.std(ddof=1) / np.sqrt(values.size)
    mean = float(values.mean())
    return mean, mean - float(half), mean + float(half)


def text(values: np.ndarray, form: str = "+.3g") -> str:
    """Say a mean with its limits."""
    mean, low, high = limits(values)
    return f"{mean:{form}} ({low:{form}} to {high:{form}})"
