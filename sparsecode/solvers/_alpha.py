"""Which alpha silences a sample, and which gives a wanted density."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from sparsecode._validation import check_fraction
from sparsecode.penalties._dispatch import Penalty, struct_of
from sparsecode.solvers._lazy import is_lazy
from sparsecode.solvers._problem import Problem
from sparsecode.solvers._result import SolverResult
from sparsecode.solvers.encode import encode

__all__ = ["alpha_for_density", "alpha_max"]


def alpha_max(
    X: Any, dictionary: Any, penalty: Penalty | str, *, n_threads: int | None = None
) -> np.ndarray:
    r"""Return, per sample, the smallest alpha at which the code 0 is coordinate-wise optimal.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Samples.
    dictionary : array-like of shape (n_atoms, n_features)
        Atoms as rows.
    penalty : penalty struct or str
        A struct, whose own alpha is ignored, or a registered name.
    n_threads : int, optional
        Threads over samples.

    Returns
    -------
    ndarray of shape (n_samples,)
        For l1 :math:`\max_j |d_j \cdot x| / w_j`, for l0 and CEL0
        :math:`\max_j (d_j \cdot x)^2 / (2 \|d_j\|^2 w_j)`; for every other penalty that grows
        with alpha the same limit, found by bisection of its proximal operator. For penalties
        that are not convex 0 need not be the global minimiser there.

    Raises
    ------
    TypeError, ValueError
        For bad arguments, as the solvers do.
    """
    struct = struct_of(penalty)
    problem = Problem(X, dictionary, struct, n_threads=n_threads)
    return np.concatenate(
        [np.zeros(0), *problem.map(lambda tile: problem.alphas_max(tile.projections))]
    )


def alpha_for_density(
    X: Any,
    dictionary: Any,
    penalty: Penalty | str,
    density: float,
    *,
    rtol: float = 0.01,
    solver: Callable[..., SolverResult] = encode,
    n_threads: int | None = None,
) -> float:
    """Return the alpha at which codes have a wanted density.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Samples to measure on; a thousand are usually enough.
    dictionary : array-like of shape (n_atoms, n_features)
        Atoms as rows.
    penalty : penalty struct or str
        A struct, whose own alpha is ignored, or a registered name.
    density : float
        Wanted mean fraction of active atoms, above 0 and at most 1.
    rtol : float, default=0.01
        Accepted relative deviation of the density.
    solver : callable, default=encode
        ``solver(X, dictionary, penalty, n_threads=...)`` makes the codes, by default to its
        certificate. Give tolerances with :func:`functools.partial`.
    n_threads : int, optional
        Threads over samples.

    Returns
    -------
    float
        One alpha for all samples.

    Raises
    ------
    ValueError
        If no sample is given, or no alpha gives the density: the samples span too little, or
        the density jumps over the wanted value.

    Notes
    -----
    Bisection on a logarithmic scale between the largest :func:`alpha_max` and 1e-8 of it, each
    code solved from 0. Codes that do not converge count as they are.
    """
    density = check_fraction("density", density)
    struct = struct_of(penalty)
    if is_lazy(X):  # whose codes would be lazy, when they are to be measured
        X = np.asarray(X)
    limits = alpha_max(X, dictionary, struct, n_threads=n_threads)
    high = float(limits.max(initial=0.0))
    if high == 0.0:
        raise ValueError(
            f"X must hold a sample that some atom sees; got {limits.size} samples, none of them "
            f"correlated with an atom."
        )

    def measure(alpha: float) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of codes that are dense or did not converge
            result = solver(X, dictionary, struct._replace(alpha=alpha), n_threads=n_threads)
        return result.code.density

    low, found = high, 0.0
    while found < density and low > 1e-8 * high:
        low *= 0.25
        found = measure(low)
    if found < density * (1.0 - rtol):
        raise ValueError(
            f"density must be one that the samples can have; got {density}, and even a vanishing "
            f"alpha gives {found:.4g}."
        )
    if abs(found - density) <= rtol * density:
        return low
    high = min(high, 4.0 * low)
    for _ in range(60):
        middle = float(np.sqrt(low * high))
        found = measure(middle)
        if abs(found - density) <= rtol * density:
            return middle
        if found > density:
            low = middle
        else:
            high = middle
    raise ValueError(
        f"density must be one that an alpha gives to within rtol={rtol}; got {density}, where the "
        f"density jumps. Use more samples or a larger rtol."
    )
