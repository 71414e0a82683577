"""The objective on samples that are never learned from, which says when to stop."""

from __future__ import annotations

from typing import Any

import numpy as np

from sparsecode._validation import check_count, check_data, check_dictionary
from sparsecode.learning._learner import Learner

__all__ = ["HeldOut"]


class HeldOut:
    """Evaluates atoms every so often and keeps the best.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features) or None
        None evaluates nothing.
    every : int
        Batches between evaluations.
    patience : int or None
        Evaluations without improvement after which learning should stop; None for never.
    like : ndarray of shape (any, n_features)
        Samples to learn from.
    """

    def __init__(self, X: Any, every: int, patience: int | None, *, like: np.ndarray) -> None:
        self.X: np.ndarray | None = None
        if X is not None:
            self.X = check_data(X, n_features=like.shape[1], name="held_out", dtype=like.dtype)
            if not len(self.X):
                raise ValueError("held_out must hold samples; got none.")
        self.every = check_count("held_out_every", every)
        self.patience = None if patience is None else check_count("patience", patience)
        self.best: np.ndarray | None = None
        self.best_objective = np.inf
        self.n_since_best = 0

    def due(self, n_batches: int) -> bool:
        """Say whether it is time, after so many batches."""
        return self.X is not None and n_batches % self.every == 0

    def evaluate(self, learner: Learner) -> float:
        """Return the mean objective with the atoms as they are, and keep them if it is lowest."""
        assert self.X is not None
        objective = float(learner.encode(self.X).objective.mean())
        self.n_since_best += 1
        if objective < self.best_objective:
            self.best, self.best_objective, self.n_since_best = learner.atoms, objective, 0
        return objective

    @property
    def gave_up(self) -> bool:
        """Whether patience is exhausted."""
        return self.patience is not None and self.n_since_best >= self.patience

    def state(self) -> dict[str, np.ndarray]:
        """Return the best atoms and what is known of them."""
        if self.best is None:
            return {}
        numbers = np.array([self.best_objective, self.n_since_best])
        return {"best": self.best, "numbers": numbers}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back what :meth:`state` returned."""
        if arrays:
            self.best = check_dictionary(arrays["best"], name="best")
            objective, n_since_best = arrays["numbers"].tolist()
            self.best_objective, self.n_since_best = float(objective), int(n_since_best)
