"""A part of one of the natural images that need no network, and log-Gabor kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.benchmarks._bases import BaseDataset
from sparsecode import datasets
from sparsecode.convolutional import log_gabor_bank, log_gabor_preset
from sparsecode.core.rng import Streams


class Dataset(BaseDataset):
    """A square of a photograph of normalised local contrast, and kernels of 12 x 12 pixels.

    144 kernels are the heterogeneous bank of Ladret, Casanova & Perrinet 2024; other numbers are
    orientations of one bandwidth, in two phases.
    """

    name = "natural-images"
    parameters = {  # noqa: RUF012
        "side": [256],
        "n_atoms": [144, 72],
        "norms": ["unit", "published"],
        "seed": [0],
    }
    test_config = {"side": 24, "n_atoms": 8}  # noqa: RUF012
    side: int
    n_atoms: int
    norms: str
    seed: int

    def get_data(self) -> dict[str, Any]:
        """Return photograph and kernels, rounded to float32, which is what everybody gets."""
        rng = Streams(self.seed)("photograph")
        photographs = [
            image for image in datasets.natural_images().images if min(image.shape) >= self.side
        ]
        image = photographs[rng.integers(len(photographs))]
        top, left = (rng.integers(size - self.side + 1) for size in image.shape)
        image = datasets.normalize_local_contrast(image).images[0]
        part = image[top : top + self.side, left : left + self.side]
        return {"X": np.float32(part[None, None]), "dictionary": np.float32(self.kernels())}

    def kernels(self) -> np.ndarray:
        """Return kernels of the norms asked for."""
        if self.n_atoms == 144:
            return log_gabor_preset("heterogeneous", normalize=self.norms)[0]
        return log_gabor_bank(self.n_atoms // 2, 12.0, normalize=self.norms)[0]
