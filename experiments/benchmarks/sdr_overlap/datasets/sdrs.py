"""Random SDRs, stored and asked for."""

from __future__ import annotations

from typing import Any

from experiments.benchmarks._bases import BaseDataset
from sdr.space import SDRSpace
from sparsecode.core import Streams


class Dataset(BaseDataset):
    """Uniform codes of so many units; queries are other such codes."""

    name = "sdrs"
    parameters = {  # noqa: RUF012
        "n_units": [2048],
        "n_active": [41],
        "n_stored": [10_000],
        "n_queries": [64],
        "seed": [0],
    }
    test_config = {  # noqa: RUF012
        "n_units": 128,
        "n_active": 12,
        "n_stored": 300,
        "n_queries": 5,
    }
    n_units: int
    n_active: int
    n_stored: int
    n_queries: int
    seed: int

    def get_data(self) -> dict[str, Any]:
        """Return queries and stored SDRs."""
        space, streams = SDRSpace(self.n_units, self.n_active), Streams(self.seed)
        return {
            "X": space.sample(self.n_queries, streams("queries")),
            "stored": space.sample(self.n_stored, streams("stored")),
        }
