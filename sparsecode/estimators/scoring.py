"""Scorers for scikit-learn's model selection."""

from __future__ import annotations

from typing import Any

from sklearn.pipeline import Pipeline

__all__ = ["negative_objective"]


def negative_objective(estimator: Any, X: Any, y: Any = None) -> float:
    r"""Return minus the objective of the codes of samples, a scorer for ``GridSearchCV``.

    .. math:: -\frac1n \sum_i \Bigl(\tfrac12 \|x_i - z_i D\|^2 + \mathrm{penalty}(z_i)\Bigr)

    Parameters
    ----------
    estimator : SparseEncoder, a learner, or Pipeline that ends in one
        Its `encode` makes the codes; the earlier steps of a pipeline transform the samples.
    X : array-like of shape (n_samples, n_features) or as the learner takes it
        Samples, best such as were not learned from.
    y : object, optional
        Ignored; here because scikit-learn passes it.

    Returns
    -------
    float
        Higher is better.

    Notes
    -----
    It compares dictionaries: numbers of atoms, ways of learning. A smaller alpha lowers the
    objective by itself, so that alphas are compared by what the codes are for, or by the
    explained variance at a density.

    Examples
    --------
    ::

        search = GridSearchCV(learner, {"n_atoms": [32, 64]}, scoring=negative_objective)
    """
    while isinstance(estimator, Pipeline):
        before, estimator = estimator[:-1], estimator[-1]
        X = before.transform(X) if len(before) else X
    return -float(estimator.encode(X).objective.mean())
