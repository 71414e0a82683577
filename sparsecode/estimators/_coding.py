"""What the estimators share: parameters that become a solver, rows, files and random states."""

from __future__ import annotations

import inspect
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from sparsecode import solvers
from sparsecode._docs import sharing
from sparsecode._jit import available_threads
from sparsecode._validation import check_count, check_dictionary, check_option, check_rng
from sparsecode.core import SparseCode, save_arrays
from sparsecode.core.measures import explained_variance
from sparsecode.estimators._packing import pack
from sparsecode.penalties import L1, Penalty, make
from sparsecode.penalties._dispatch import formulas
from sparsecode.solvers import SolverResult
from sparsecode.solvers._lazy import encode_lazily, is_lazy, transform_lazily

__all__ = [
    "DTYPES",
    "Coder",
    "Coding",
    "Stored",
    "appended",
    "as_generator",
    "check_coding",
    "check_options",
    "check_threads",
    "coding_docs",
]

DTYPES = (np.float64, np.float32)
DEFAULT_PENALTY = L1(0.1)

_CODING = """
penalty : penalty struct, str or None, default=None
    A struct such as ``L1(0.1)``, or a registered name such as ``"cel0"``, which needs `alpha` or
    `alpha_ratio`. None is ``L1(0.1)``, or no penalty for a solver that works without one
    (``"omp"``, ``"ols"``, ``"mp"``, ``"htp"``, ``"iht"``).
alpha : float, optional
    Replaces the penalty's alpha, so that one can search over it whatever the penalty. In units
    of data times atom for l1, and the same as scikit-learn's.
alpha_ratio : float, optional
    Replaces alpha, sample by sample, by this fraction of the smallest alpha at which the code 0
    is optimal: a choice that does not depend on the scale of the data.
positive : bool, default=False
    Restrict the codes to be at least 0, whatever the penalty or pursuit; ``"ols"`` cannot.
n_nonzero : int, optional
    For solvers without a penalty: the largest number of active atoms per sample. A number above
    that of the atoms means all of them.
error : float, optional
    For pursuits: stop as soon as ``||x - zD||`` is at most this, in units of the data.
solver : str or callable, default="auto"
    "auto" for :func:`sparsecode.solvers.encode`, a name of
    :func:`sparsecode.solvers.registered`, or a function that is called as those are.
solver_options : dict, optional
    Further options of the solver by name, such as ``{"tol": 1e-4, "max_iter": 500}``.
output : {"dense", "sparse"}, default="dense"
    Whether `transform` returns an array or a SciPy CSR array.
n_threads : int, optional
    Threads over samples, at most those that Numba may use, and all of them if unset. The codes
    are the same, bit by bit, for every number.
"""

#: Replaces the line ``<coding>`` of a docstring by the parameters that `Coder` reads.
coding_docs = sharing({"coding": _CODING})


class Coding(NamedTuple):
    """A solver with its options bound, and the penalty that it is called with, if any."""

    solve: Callable[..., SolverResult]
    penalty: Penalty | None

    def __call__(self, X: np.ndarray, dictionary: Any) -> SolverResult:
        return self.solve(X, dictionary, *([] if self.penalty is None else [self.penalty]))


def check_coding(
    estimator: Any,
    most: int | None,
    *,
    find: Callable[[str], Callable] = solvers.get,
    **common: Any,
) -> Coding:
    """Return what the parameters of `estimator` ask for, once they are found to go together.

    Parameters
    ----------
    estimator : object
        Its attributes are the parameters.
    most : int or None
        What a larger `n_nonzero` means, if anything.
    find : callable
        Returns the solver of a name.
    **common
        Options that the solver must take whatever the parameters are.
    """
    solve = estimator.solver
    solve = find(solve) if isinstance(solve, str) else solve
    if not callable(solve):
        raise TypeError(f"solver must be a name or a callable; got {solve!r}.")
    penalty = _check_penalty(estimator, solve)
    n_nonzero = estimator.n_nonzero
    if n_nonzero is not None:
        n_nonzero = check_count("n_nonzero", n_nonzero)
        n_nonzero = n_nonzero if most is None else min(n_nonzero, most)
    options = {
        "alpha_ratio": estimator.alpha_ratio,
        "n_nonzero": n_nonzero,
        "error": estimator.error,
        "positive": True if penalty is None and estimator.positive else None,
        "n_threads": check_threads(estimator.n_threads),
    } | common
    more = check_options("solver_options", estimator.solver_options)
    _check_not_repeated(estimator, more, ("penalty", "alpha", *options))
    options = {name: given for name, given in options.items() if given is not None} | more
    arguments = [None] * (2 if penalty is None else 3)
    try:
        inspect.signature(solve).bind(*arguments, **options)
    except TypeError as misfit:
        asked = ", ".join([*["X", "dictionary", "penalty"][: len(arguments)], *options])
        raise TypeError(
            f"solver must take ({asked}), which the other parameters ask for; got "
            f"{estimator.solver!r}: {misfit}."
        ) from None
    return Coding(partial(solve, **options), penalty)


def check_threads(n_threads: Any) -> int | None:
    """Return a number of threads that may be had, None for all of them."""
    if n_threads is None:
        return None
    return min(check_count("n_threads", n_threads), available_threads())


def check_options(name: str, options: Any) -> dict[str, Any]:
    """Return options by name, none of them for None."""
    if options is not None and not isinstance(options, Mapping):
        raise TypeError(f"{name} must be a dict or None; got {options!r}.")
    return dict(options or {})


def _check_not_repeated(estimator: Any, more: dict[str, Any], own: tuple[str, ...]) -> None:
    """Refuse options of the solver that the estimator's parameters say, and check, themselves."""
    for name in own:
        if name in more:
            raise ValueError(
                f"solver_options must leave {name} to the parameter of that name; got "
                f"{more[name]!r}. Pass {name}={more[name]!r} to {type(estimator).__name__} instead."
            )


def _check_penalty(estimator: Any, solve: Callable) -> Penalty | None:
    """Return the penalty struct that the parameters describe, None for a solver without."""
    penalty, alpha = estimator.penalty, estimator.alpha
    if alpha is not None and estimator.alpha_ratio is not None:
        raise ValueError(
            f"alpha and alpha_ratio exclude each other; got {alpha!r} and "
            f"{estimator.alpha_ratio!r}. Leave one of them None."
        )
    if penalty is None:
        default = _default_penalty(solve)
        if default is None:
            if alpha is not None:
                raise ValueError(
                    f"alpha belongs to a penalty, which {estimator.solver!r} does without; got "
                    f"{alpha!r}. Pass a penalty, or n_nonzero or error instead of alpha."
                )
            return None
        penalty = default
    if isinstance(penalty, str):
        if alpha is None and estimator.alpha_ratio is None:
            raise ValueError(
                f"a penalty given by its name needs alpha or alpha_ratio; got {penalty!r} alone. "
                f"Pass alpha_ratio=0.1, say, or a struct such as L1(0.1)."
            )
        penalty = make(penalty)
    formulas(penalty)  # or it is no penalty, and says so
    changes: dict[str, Any] = {} if alpha is None else {"alpha": alpha}
    if estimator.positive:
        changes["positive"] = estimator.positive
    return penalty._replace(**changes) if changes else penalty


def _default_penalty(solve: Callable) -> Penalty | str | None:
    """Return what a solver minimises if nobody says: a name of its own, `DEFAULT_PENALTY`, none."""
    given = inspect.signature(solve).parameters.values()
    third = [one for one in given if one.kind not in (one.KEYWORD_ONLY, one.VAR_KEYWORD)][2:3]
    if not third or third[0].default is None:
        return None
    return third[0].default if isinstance(third[0].default, str) else DEFAULT_PENALTY


def as_generator(random_state: Any) -> np.random.Generator:
    """Return a Generator from what scikit-learn takes, or as it is."""
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**31, size=4))
    if not isinstance(random_state, Integral | np.random.Generator | None):
        raise TypeError(
            f"random_state must be an integer, a RandomState, a Generator or None; got "
            f"{random_state!r}."
        )
    return check_rng(random_state)


def appended(before: dict[str, np.ndarray], more: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return a history of columns with more entries at their ends."""
    return {
        name: np.concatenate([before[name], column]) if before else np.asarray(column)
        for name, column in more.items()
    }


class Stored(TransformerMixin, BaseEstimator):
    """A transformer that can be saved without pickle."""

    #: Attributes that are saved, beside the parameters.
    _fitted: tuple[str, ...] = ("n_features_in_",)
    #: Parameters that belong to one run, and come back as their defaults.
    _unsaved: tuple[str, ...] = ()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the estimator to a file: parameters as JSON, arrays with a checksum, no pickle.

        Parameters
        ----------
        path : path-like
            A ``.safetensors`` or ``.npz`` file, replaced atomically;
            :func:`sparsecode.estimators.load` reads it.

        Raises
        ------
        TypeError
            If a parameter is neither plain data, a penalty, nor a registered solver with
            plain options.
        """
        arrays: dict[str, np.ndarray] = {}
        fitted = {name: vars(self)[name] for name in self._fitted if name in vars(self)}
        given = self.get_params(deep=False)
        parameters = {name: given[name] for name in given if name not in self._unsaved}
        metadata = {
            "kind": "estimator",
            "class": type(self).__name__,
            "parameters": pack("parameters", parameters, arrays),
            "fitted": pack("fitted", fitted, arrays),
        }
        save_arrays(path, arrays, metadata)

    def _restore(self, fitted: dict[str, Any]) -> None:
        """Take over fitted attributes that were read from a file."""
        unknown = set(fitted) - set(self._fitted)
        if unknown:
            raise ValueError(f"{type(self).__name__} has no attribute {', '.join(sorted(unknown))}")
        for name, value in fitted.items():
            setattr(self, name, value)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class Coder(ClassNamePrefixFeaturesOutMixin, Stored, ABC):
    """An estimator that codes rows with atoms; a subclass says which."""

    _fitted: tuple[str, ...] = (*Stored._fitted, "feature_names_in_", "_sklearn_output_config")

    @abstractmethod
    def _atoms(self) -> Any:
        """Return the dictionary to code with, shape (n_atoms, n_features)."""

    @property
    def _n_features_out(self) -> int:
        return len(self._atoms())

    def encode(self, X: Any) -> Any:
        """Code samples, and return all that the solver knows of the codes.

        Parameters
        ----------
        X : array-like or dask array of shape (n_samples, n_features)
            Samples; float32 and float64 are kept, other real types become float64.

        Returns
        -------
        SolverResult or LazyResult
            Codes, iterations, certificates and objectives; of a dask array as dask arrays.

        Raises
        ------
        ValueError, TypeError
            If the samples or a parameter make no sense.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            Once, with the number of samples that did not converge.
        """
        if is_lazy(X):
            check_is_fitted(self)
            return encode_lazily(self.encode, X, self._checked_atoms().shape)
        return self._encode(self._check_samples(X))

    def transform(self, X: Any) -> Any:
        """Code samples.

        Parameters
        ----------
        X : array-like or dask array of shape (n_samples, n_features)
            Samples; float32 and float64 are kept, other real types become float64.

        Returns
        -------
        ndarray or scipy.sparse.csr_array of shape (n_samples, n_atoms)
            The codes, as `output` says; of a dask array a dask array of such blocks.
        """
        check_option("output", self.output, ("dense", "sparse"))
        if is_lazy(X):
            check_is_fitted(self)
            atoms = self._checked_atoms()
            return transform_lazily(self.transform, X, atoms.shape, self.output)
        code = self.encode(X).code
        return code.to_scipy(copy=True) if self.output == "sparse" else code.to_dense()

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Return the samples that codes stand for, ``z @ D``.

        Parameters
        ----------
        X : array-like, sparse array or SparseCode of shape (n_samples, n_atoms)
            Codes.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            In the dtype of the codes.
        """
        atoms = self._checked_atoms()
        X = X.to_scipy() if isinstance(X, SparseCode) else X
        codes = check_array(X, accept_sparse="csr", dtype=DTYPES, ensure_min_samples=0)
        if codes.shape[1] != len(atoms):
            raise ValueError(
                f"codes must have a column for each atom. Expected {len(atoms)}, got "
                f"{codes.shape[1]}."
            )
        return codes @ atoms.astype(codes.dtype, copy=False)

    def score(self, X: Any, y: Any = None) -> float:
        """Return the share of the variance of samples that their codes explain.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : object, optional
            Ignored; here because scikit-learn passes it.

        Returns
        -------
        float
            :func:`sparsecode.core.measures.explained_variance`: 1 if nothing is lost.

        Raises
        ------
        ValueError, TypeError
            If there are no samples, or these or a parameter make no sense.
        """
        X = self._check_samples(X)
        if not len(X):
            raise ValueError("X must hold at least one sample; got none.")
        return explained_variance(X, self.inverse_transform(self._encode(X).code))

    def _check_samples(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return validate_data(self, X, dtype=DTYPES, reset=False, ensure_min_samples=0)

    def _checked_atoms(self) -> np.ndarray:
        check_is_fitted(self)
        return check_dictionary(self._atoms())

    def _encode(self, X: np.ndarray) -> SolverResult:
        atoms = self._checked_atoms()
        return check_coding(self, len(atoms))(X, atoms)
