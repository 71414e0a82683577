"""What :class:`memory.Sparsey` offers to scikit-learn."""

from __future__ import annotations

from typing import Any, Self

from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin

from memory._sparsey_inside import SparseyInside
from memory._sparsey_setup import make_plan
from sparsecode.core.code import SparseCode

__all__ = ["SparseyTransformer"]


class SparseyTransformer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, SparseyInside, BaseEstimator
):
    """Storing and recalling under the names of scikit-learn."""

    output: str

    def fit(self, X: Any, y: Any = None) -> Self:
        """Forget everything, and store every sample.

        Parameters
        ----------
        X : SparseCode, array-like or sparse array of shape (n_samples, n_inputs)
            Binary, as for `store`.
        y : object, optional
            Ignored; here because scikit-learn passes it.

        Returns
        -------
        Sparsey
            Itself.

        Raises
        ------
        ValueError, TypeError
            As for `store`.
        """
        code = self._check_samples(X, reset=True, minimum=1)
        make_plan(self)
        self._forget()
        self.store(code)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Store every sample, in addition to those before.

        Parameters
        ----------
        X : SparseCode, array-like or sparse array of shape (n_samples, n_inputs)
            Binary, as for `store`.
        y : object, optional
            Ignored; here because scikit-learn passes it.

        Returns
        -------
        Sparsey
            Itself.

        Raises
        ------
        ValueError, TypeError
            As for `store`.
        """
        self.store(self._check_samples(X, reset=not self.n_stored, minimum=1))
        return self

    def encode(self, X: Any, *, learn: bool = False) -> SparseCode:
        """Return the code of every sample.

        Parameters
        ----------
        X : SparseCode, array-like or sparse array of shape (n_samples, n_inputs)
            Binary, as for `store`.
        learn : bool, default=False
            Learn from each sample, as `partial_fit` does.

        Returns
        -------
        SparseCode
            Binary, of unit_shape (n_modules, n_units).

        Raises
        ------
        ValueError, TypeError
            As for `store`.
        sklearn.exceptions.NotFittedError
            Without `learn`, before anything was learned.
        """
        if learn:
            return self.store(self._check_samples(X, reset=not self.n_stored, minimum=1))
        self._check_stored()
        return self.recall(self._check_samples(X, reset=False, minimum=0)).code

    def transform(self, X: Any) -> Any:
        """Return the code of every sample, as scikit-learn expects them.

        Parameters
        ----------
        X : SparseCode, array-like or sparse array of shape (n_samples, n_inputs)
            Binary, as for `store`.

        Returns
        -------
        ndarray or scipy.sparse.csr_array of bool, shape (n_samples, n_modules * n_units)
            As `output` says.

        Raises
        ------
        ValueError, TypeError
            As for `store`.
        sklearn.exceptions.NotFittedError
            Before anything was learned.
        """
        code = self.encode(X)
        if self.output == "sparse":
            return code.to_scipy(copy=True)
        return code.to_dense().reshape(code.n_samples, -1)

    @property
    def _n_features_out(self) -> int:
        return self._plan.n_code_units

    def __sklearn_is_fitted__(self) -> bool:
        return self.n_stored > 0

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = []
        return tags
