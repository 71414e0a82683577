"""What those who count overlaps share."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.benchmarks._coder import Contestant
from sparsecode.core import SparseCode

__all__ = ["Searcher"]


class Searcher(Contestant):
    """Queries one at a time, or all together; the stored SDRs are laid out before the clock."""

    dtype = "bool"
    batch: str

    def set_objective(self, X: SparseCode, stored: SparseCode, task: str) -> None:
        """Lay out the stored SDRs, and cut the queries into what is asked at a time."""
        self.task, self.n_stored = task, stored.n_samples
        self.queries = [self.query(part) for part in (X if self.batch == "single" else [X])]
        self.store(stored)

    def store(self, stored: SparseCode) -> None:
        """Lay out the stored SDRs."""
        raise NotImplementedError

    def query(self, X: SparseCode) -> Any:
        """Return some queries as :meth:`overlaps` wants them."""
        return X

    def overlaps(self, query: Any) -> Any:
        """Return an array of shape (n_stored,) or (n_queries, n_stored)."""
        raise NotImplementedError

    def best(self, query: Any) -> Any:
        """Return the ten largest overlaps."""
        shared = np.atleast_2d(self.overlaps(query))
        ten = min(10, self.n_stored)
        return -np.sort(np.partition(-shared, ten - 1, axis=1)[:, :ten], axis=1)

    def warm_up(self) -> None:
        """Ask once, so that everything is compiled and loaded."""
        everything, self.queries = self.queries, self.queries[:1]
        self.run(1)
        self.queries = everything

    def solve(self, stop_val: Any) -> None:
        """Ask, and let each answer go before the next question."""
        ask = self.overlaps if self.task == "all" else self.best
        for query in self.queries:
            ask(query)

    def get_result(self) -> dict[str, Any]:
        """Return all answers, asked for once more, for to keep them takes time too."""
        ask = self.overlaps if self.task == "all" else self.best
        return {"overlaps": np.vstack([ask(query) for query in self.queries])}
