"""Whitened patches of the natural images that need no network."""

from __future__ import annotations

from experiments.benchmarks._data import NaturalPatches


class Dataset(NaturalPatches):
    """16 x 16 patches of norm 1; other patches are the dictionary."""

    name = "natural-images"
    parameters = {"n_samples": [200], "n_atoms": [1024], "seed": [0]}  # noqa: RUF012
    test_config = {"n_samples": 20, "n_atoms": 64}  # noqa: RUF012
