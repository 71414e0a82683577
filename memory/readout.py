"""`ClassField`: a read-out that learns which code units go with which class, in one trial each."""

from __future__ import annotations

from math import prod
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from sparsecode._validation import check_option
from sparsecode.core._checks import as_binary_code
from sparsecode.core.code import SparseCode

__all__ = ["ClassField"]

_RULES = ("binary", "mean", "log")


class ClassField(ClassifierMixin, BaseEstimator):
    r"""Classify binary codes by the summed weights from their active units to class units.

    Every class has a unit, and Hebb's rule strengthens the weights :math:`w_{ic}` from what is
    active to the unit of the right class. The class with the largest sum
    :math:`\sum_i x_i w_{ic}` wins, the first among equals. With the number :math:`n_{ic}` of
    samples of class c in which unit i was active, and :math:`n_c` samples of it,

    * ``"binary"``: :math:`w_{ic} = 1` if :math:`n_{ic} > 0`, as in Sparsey;
    * ``"mean"``: :math:`w_{ic} = n_{ic} / n_c`, which makes the sum the mean overlap of the code
      with those of the class;
    * ``"log"``: :math:`w_{ic} = \ln((n_{ic} + 1) / (n_c + 2))`, Bayes' rule for independent
      units of which only the active ones tell, with equal priors.

    Parameters
    ----------
    rule : {"binary", "mean", "log"}, default="binary"
        How often a unit was active is what is learned; the rule may be changed at any time.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted.
    counts_ : ndarray of shape (n_classes, n_units)
        :math:`n_{ic}`.
    class_count_ : ndarray of shape (n_classes,)
        :math:`n_c`.
    n_features_in_ : int
        Number of code units.

    See Also
    --------
    memory.Hierarchy : Gives codes of several levels.

    Notes
    -----
    After the class field of Rinkus (2014). Binary weights saturate once most units were active
    for most classes.

    Examples
    --------
    >>> import numpy as np
    >>> from memory import ClassField
    >>> X = np.eye(4, dtype=bool)
    >>> field = ClassField().fit(X, ["a", "b", "a", "b"])
    >>> field.predict(X[:2])
    array(['a', 'b'], dtype='<U1')
    """

    # nothing to be passed on to it by meta-estimators
    __metadata_request__partial_fit: ClassVar = {"classes": UNUSED}

    def __init__(self, rule: str = "binary") -> None:
        self.rule = rule

    def fit(self, X: Any, y: Any) -> ClassField:
        """Forget everything, and learn from every sample once.

        Parameters
        ----------
        X : SparseCode, array-like or sparse array of shape (n_samples, n_units)
            Binary: a binary code, bool, or numbers that are all 0 or 1.
        y : array-like of shape (n_samples,)
            Class of each.

        Returns
        -------
        ClassField
            Itself.

        Raises
        ------
        ValueError, TypeError
            If the samples are not binary, or not as many as the classes.
        """
        code = _check_samples(X)
        y = _check_classes(y, code.n_samples)
        return self._start(code.n_units, np.unique(y))._learn(code, y)

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> ClassField:
        """Learn from every sample once, in addition to those before.

        Parameters
        ----------
        X : SparseCode, array-like or sparse array of shape (n_samples, n_units)
            Binary, as for `fit`.
        y : array-like of shape (n_samples,)
            Class of each.
        classes : array-like, optional
            All classes, in the first call; by default those of its samples.

        Returns
        -------
        ClassField
            Itself.

        Raises
        ------
        ValueError, TypeError
            As for `fit`, or if a class is new.
        """
        first = not hasattr(self, "classes_")
        code = _check_samples(X, None if first else self.n_features_in_)
        y = _check_classes(y, code.n_samples)
        known = np.unique(y if classes is None else classes) if first else self.classes_
        new = np.setdiff1d(y, known)
        if new.size:
            raise ValueError(
                f"y must hold classes of the first partial_fit only; got {new[0]!r}. Name all of "
                "them there, as classes."
            )
        if first:
            self._start(code.n_units, known)
        return self._learn(code, y)

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the sum of weights to every class.

        Parameters
        ----------
        X : SparseCode, array-like or sparse array of shape (n_samples, n_units)
            Binary, as for `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples,)
            For two classes the second sum less the first, as scikit-learn wants it.

        Raises
        ------
        ValueError, TypeError
            If the samples are not binary, or have other units.
        sklearn.exceptions.NotFittedError
            Before anything was learned.
        """
        sums = self._sums(X)
        return sums[:, 1] - sums[:, 0] if sums.shape[1] == 2 else sums

    def predict(self, X: Any) -> np.ndarray:
        """Return the class of every sample.

        Parameters
        ----------
        X : SparseCode, array-like or sparse array of shape (n_samples, n_units)
            Binary, as for `fit`.

        Returns
        -------
        ndarray of shape (n_samples,)

        Raises
        ------
        ValueError, TypeError
            If the samples are not binary, or have other units.
        sklearn.exceptions.NotFittedError
            Before anything was learned.
        """
        sums = self._sums(X)
        return self.classes_[sums.argmax(axis=1)]

    def score(self, X: Any, y: Any) -> float:
        """Return the share of samples whose class is predicted.

        Parameters
        ----------
        X : SparseCode, array-like or sparse array of shape (n_samples, n_units)
            Binary, as for `fit`.
        y : array-like of shape (n_samples,)
            Class of each.

        Returns
        -------
        float

        Raises
        ------
        ValueError, TypeError
            If the samples are not binary, have other units, or are not as many as the classes.
        sklearn.exceptions.NotFittedError
            Before anything was learned.
        """
        predicted = self.predict(X)
        return float(np.mean(predicted == _check_classes(y, predicted.size)))

    def _start(self, n_units: int, classes: np.ndarray) -> ClassField:
        self.classes_, self.n_features_in_ = classes, n_units
        self.counts_ = np.zeros((classes.size, n_units), np.int64)
        self.class_count_ = np.zeros(classes.size, np.int64)
        return self

    def _learn(self, code: SparseCode, y: np.ndarray) -> ClassField:
        chosen = np.searchsorted(self.classes_, y)
        np.add.at(self.counts_, (np.repeat(chosen, np.diff(code.indptr)), code.indices), 1)
        self.class_count_ += np.bincount(chosen, minlength=self.classes_.size)
        return self

    def _sums(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        code = _check_samples(X, self.n_features_in_)
        return np.asarray(code.to_scipy().astype(np.float64) @ self._weights().T)

    def _weights(self) -> np.ndarray:
        """Return the weights, shape (n_classes, n_units)."""
        rule = check_option("rule", self.rule, _RULES)
        if rule == "binary":
            return (self.counts_ > 0).astype(np.float64)
        n_samples = self.class_count_[:, None]
        if rule == "mean":
            return self.counts_ / np.maximum(n_samples, 1)
        return np.log((self.counts_ + 1.0) / (n_samples + 2.0))


def _check_samples(X: Any, n_units: int | None = None) -> SparseCode:
    """Return binary codes over so many units."""
    code = as_binary_code("X", X)
    if n_units is not None and prod(code.unit_shape) != n_units:
        raise ValueError(f"X must have {n_units} units, those learned from; got {code.n_units}.")
    return code


def _check_classes(y: Any, n_samples: int) -> np.ndarray:
    """Return a class for each of at least one sample."""
    y = np.asarray(y)
    if y.shape != (n_samples,) or not n_samples:
        raise ValueError(
            f"y must hold a class for each of at least one sample; got shape {y.shape} for "
            f"{n_samples} samples."
        )
    check_classification_targets(y)
    return y
