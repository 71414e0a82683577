"""`SparseEncoder`: codes over a given dictionary, for scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklearn.utils.validation import validate_data

from sparsecode._validation import check_data
from sparsecode.estimators._coding import DTYPES, Coder, check_coding, coding_docs
from sparsecode.penalties import Penalty
from sparsecode.solvers import SolverResult

__all__ = ["SparseEncoder"]


@coding_docs
class SparseEncoder(Coder):
    r"""Code samples over a dictionary that is given.

    Minimises :math:`\frac12 \|x - zD\|^2 + \mathrm{penalty}(z)` for each sample, or the first
    term under a bound on the number of active atoms. There is nothing to fit: `transform`
    works at once, and `fit` checks that samples, dictionary and parameters go together.

    Parameters
    ----------
    dictionary : array-like of shape (n_atoms, n_features)
        Atoms as rows, of any norm but 0. Stored as it is given.
    <coding>

    Attributes
    ----------
    n_features_in_ : int
        Number of features of the samples given to `fit`.
    feature_names_in_ : ndarray of str
        Their names, if the samples had any.

    See Also
    --------
    DictionaryLearner : Learn the dictionary, too.
    sparsecode.solvers : The functions behind it.

    Notes
    -----
    Like every solver it keeps the dtype of the samples, gives each code a certificate (in the
    result of `encode`) and warns once a call. Sparse `X` is refused, as by scikit-learn's own
    ``SparseCoder``.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.estimators import SparseEncoder
    >>> encoder = SparseEncoder(np.array([[1.0, 0.0], [0.6, 0.8]]), penalty="l1", alpha=0.5)
    >>> encoder.transform([[2.0, 0.0], [0.6, 0.8]])
    array([[1.5, 0. ],
           [0. , 0.5]])
    >>> encoder.encode([[2.0, 0.0]]).certificate_name
    'duality gap'
    """

    def __init__(
        self,
        dictionary: Any,
        *,
        penalty: Penalty | str | None = None,
        alpha: float | None = None,
        alpha_ratio: float | None = None,
        positive: bool = False,
        n_nonzero: int | None = None,
        error: float | None = None,
        solver: str | Callable[..., SolverResult] = "auto",
        solver_options: dict[str, Any] | None = None,
        output: str = "dense",
        n_threads: int | None = None,
    ) -> None:
        self.dictionary = dictionary
        self.penalty = penalty
        self.alpha = alpha
        self.alpha_ratio = alpha_ratio
        self.positive = positive
        self.n_nonzero = n_nonzero
        self.error = error
        self.solver = solver
        self.solver_options = solver_options
        self.output = output
        self.n_threads = n_threads

    def fit(self, X: Any, y: Any = None) -> SparseEncoder:
        """Check that samples, dictionary and parameters go together.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples; nothing is learned from them.
        y : object, optional
            Ignored; here because scikit-learn passes it.

        Returns
        -------
        SparseEncoder
            Itself.

        Raises
        ------
        ValueError, TypeError
            If they do not.
        """
        X = validate_data(self, X, dtype=DTYPES)
        atoms = self._checked_atoms()
        check_data(X, n_features=atoms.shape[1])
        check_coding(self, len(atoms))
        return self

    def _atoms(self) -> Any:
        return self.dictionary

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags
