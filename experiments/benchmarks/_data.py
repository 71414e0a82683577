"""The samples and dictionaries that everybody codes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from experiments.benchmarks._bases import BaseDataset
from sparsecode import datasets
from sparsecode.core import normalize
from sparsecode.core.rng import Streams

__all__ = ["NaturalPatches", "OlshausenFieldPatches", "activations", "unit_patches"]

#: Side of a patch, in pixels.
SIDE = 16


@lru_cache(maxsize=1)
def natural_images() -> Any:
    """Return the natural images that need no network, whitened."""
    return datasets.whiten(datasets.natural_images())


@lru_cache(maxsize=1)
def olshausen_field() -> Any:
    """Return the images of Olshausen and Field, which are white, where there is a copy."""
    return datasets.load_olshausen_field(download=False)


def unit_patches(images: Any, sizes: dict[str, int], seed: int) -> dict[str, np.ndarray]:
    """Return 16 x 16 patches of norm 1, as many under each name as `sizes` says."""
    streams = Streams(seed)
    found = {}
    for name, n_patches in sizes.items():
        X = datasets.extract_patches(images, SIDE, n_patches=n_patches, rng=streams(name))
        found[name] = X / np.linalg.norm(X, axis=1, keepdims=True)
    return found


class NaturalPatches(BaseDataset):
    """Whitened patches of natural images; other patches are the dictionary."""

    n_samples: int
    n_atoms: int
    seed: int

    def sizes(self) -> dict[str, int]:
        """Return how many patches there are of each kind."""
        return {"X": self.n_samples, "dictionary": self.n_atoms}

    def get_data(self) -> dict[str, Any]:
        """Return patches of each kind."""
        return unit_patches(natural_images(), self.sizes(), self.seed)


class OlshausenFieldPatches(NaturalPatches):
    """The same of the white images of Olshausen and Field, if there is a copy."""

    def get_data(self) -> dict[str, Any]:
        """Return patches of each kind, or why there are none: nothing is downloaded."""
        try:
            return unit_patches(olshausen_field(), self.sizes(), self.seed)
        except FileNotFoundError:
            return {"missing": "the images of Olshausen and Field are not there"}


def activations(
    n_samples: int, n_atoms: int, n_features: int, n_active: int, seed: int
) -> dict[str, np.ndarray]:
    """Return samples like activations of a network: few of very many directions, and noise.

    Directions are random; they are used with frequencies that fall like a power law, with positive
    coefficients of exponential size.
    """
    streams = Streams(seed)
    D = normalize(streams("atoms").normal(size=(n_atoms, n_features)))
    rng = streams("samples")
    # the largest of log(u) / p are a draw without replacement with probabilities p
    keys = np.log(rng.random((n_samples, n_atoms))) * np.sqrt(np.arange(1, n_atoms + 1))
    chosen = np.argpartition(-keys, n_active - 1, axis=1)[:, :n_active]
    sizes = rng.exponential(size=chosen.shape)
    X = np.stack([size @ D[active] for size, active in zip(sizes, chosen)])
    X += 0.1 * np.sqrt(n_active / n_features) * rng.normal(size=X.shape)
    return {"X": X / np.linalg.norm(X, axis=1, keepdims=True), "dictionary": D}
