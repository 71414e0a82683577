"""Patches of the white images of Olshausen and Field, where there is a local copy."""

from __future__ import annotations

from experiments.benchmarks._data import OlshausenFieldPatches


class Dataset(OlshausenFieldPatches):
    """16 x 16 patches of norm 1; other patches are the dictionary."""

    name = "olshausen-field"
    parameters = {"n_samples": [200], "n_atoms": [1024], "seed": [0]}  # noqa: RUF012
    test_config = {"n_samples": 20, "n_atoms": 64}  # noqa: RUF012
