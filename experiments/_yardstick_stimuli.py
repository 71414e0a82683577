"""What the systems of `one-yardstick` see: patches of photographs, and digits, both 16 x 16."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.ndimage import zoom
from sklearn.model_selection import train_test_split

from sparsecode.core.rng import Streams
from sparsecode.datasets import (
    ImageSet,
    extract_patches,
    load_digits16,
    load_mnist,
    natural_images,
    whiten,
)

if TYPE_CHECKING:
    from experiments.one_yardstick import Config

__all__ = ["SIZE", "Stimuli", "on_off", "stimuli"]

#: Height and width of every stimulus.
SIZE = 16
#: Pixels between the halves of a photograph, so that no filter reaches across.
GAP = 16
#: Border of MNIST's images, which is empty.
BORDER = 4


class Stimuli(NamedTuple):
    """Rows of pixels with unit variance, and their classes, to learn from and to test with."""

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return int(self.y.max()) + 1


def stimuli(config: Config, block: str, streams: Streams, repeat: int) -> Stimuli:
    """Return one draw of a block; every stimulus has unit variance."""
    draw = _photographs if block == "photographs" else _digits
    X, y, X_test, y_test = draw(config, streams(f"stimuli-{block}-{repeat}"))
    return Stimuli(_unit(X), y, _unit(X_test), y_test)


def _unit(X: np.ndarray) -> np.ndarray:
    """Divide each row by its standard deviation, so that contrast tells nothing."""
    return (X / X.std(axis=1, keepdims=True)).astype(np.float32)


@cache
def _halves() -> tuple[tuple[ImageSet, ImageSet], ...]:
    """Return the whitened photographs, each as a left and a right half."""
    pairs = []
    whole = whiten(natural_images())
    for name, image, credit in zip(whole.names, whole.images, whole.credits):
        middle = image.shape[1] // 2
        parts = image[:, : middle - GAP // 2], image[:, middle + GAP // 2 :]
        left, right = (ImageSet((name,), (part,), (credit,), True) for part in parts)
        pairs.append((left, right))
    return tuple(pairs)


def _photographs(config: Config, rng: np.random.Generator) -> Stimuli:
    """Return whitened patches: left halves to learn from, right ones to test, class = source."""
    sides = []
    for side, n in ((0, config.n_train), (1, config.n_test)):
        per_image = -(-n // len(_halves()))
        patches = [
            extract_patches(pair[side], SIZE, n_patches=per_image, rng=rng) for pair in _halves()
        ]
        labels = np.repeat(np.arange(len(patches)), per_image)
        order = rng.permutation(labels.size)[:n]
        sides += [np.concatenate(patches)[order], labels[order]]
    return Stimuli(*sides)


@cache
def _digit_images(data: str) -> tuple[np.ndarray, np.ndarray]:
    """Return digits of 16 x 16 pixels with their classes."""
    if data == "digits":
        found = load_digits16()
        return found.images.reshape(-1, SIZE**2), found.labels
    found = load_mnist("test")
    inner = found.images[:, BORDER:-BORDER, BORDER:-BORDER]
    factor = SIZE / inner.shape[1]
    small = zoom(inner, (1, factor, factor), order=1, mode="nearest", grid_mode=True)
    return small.reshape(-1, SIZE**2), found.labels


def _digits(config: Config, rng: np.random.Generator) -> Stimuli:
    """Return digits without their mean image, classes in equal shares in both parts."""
    images, labels = _digit_images(config.digits)
    if config.n_train + config.n_test > labels.size:
        raise ValueError(
            f"n_train + n_test must be at most {labels.size}, the digits that there are; got "
            f"{config.n_train + config.n_test}."
        )
    X, X_test, y, y_test = train_test_split(
        images, labels, train_size=config.n_train, test_size=config.n_test, stratify=labels,
        random_state=int(rng.integers(2**31)),
    )  # fmt: skip
    mean = X.mean(axis=0)
    return Stimuli(X - mean, y, X_test - mean, y_test)


def on_off(X: np.ndarray) -> np.ndarray:
    """Return binary rows: pixels brighter than one standard deviation, then those darker."""
    return np.concatenate([X > 1.0, X < -1.0], axis=1)
