"""Samples like the activations of a network, over a wide dictionary."""

from __future__ import annotations

import numpy as np

from experiments.benchmarks._bases import BaseDataset
from experiments.benchmarks._data import activations


class Dataset(BaseDataset):
    """Sums of few of very many random directions, with noise."""

    name = "activations"
    parameters = {  # noqa: RUF012
        "n_samples": [100],
        "n_atoms": [6144],
        "n_features": [768],
        "n_active": [32],
        "seed": [0],
    }
    test_config = {  # noqa: RUF012
        "n_samples": 20,
        "n_atoms": 96,
        "n_features": 24,
        "n_active": 3,
    }
    n_samples: int
    n_atoms: int
    n_features: int
    n_active: int
    seed: int

    def get_data(self) -> dict[str, np.ndarray]:
        """Return samples and atoms."""
        return activations(self.n_samples, self.n_atoms, self.n_features, self.n_active, self.seed)
