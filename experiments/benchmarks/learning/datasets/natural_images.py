"""Whitened patches of the natural images that need no network."""

from __future__ import annotations

from experiments.benchmarks._data import NaturalPatches


class Dataset(NaturalPatches):
    """16 x 16 patches of norm 1, others to start from, and others to judge by."""

    name = "natural-images"
    parameters = {  # noqa: RUF012
        "n_samples": [10_000],
        "n_atoms": [512],
        "n_held_out": [1_000],
        "seed": [0],
    }
    test_config = {"n_samples": 200, "n_atoms": 24, "n_held_out": 40}  # noqa: RUF012
    n_held_out: int

    def sizes(self) -> dict[str, int]:
        """Return how many patches there are of each kind."""
        return {**super().sizes(), "held_out": self.n_held_out}
