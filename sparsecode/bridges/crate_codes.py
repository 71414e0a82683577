r"""Codes of CRATE's layers beside exact codes for the same inputs and dictionary.

CRATE's feed-forward block is one proximal step on

.. math:: F(z) = \tfrac12 \|x - zD\|^2 + \lambda \|z\|_1, \qquad z \ge 0

that starts at :math:`z = x`, for a square dictionary. (The paper prints the objective without the
half; its step is that of the one above.) How far a trained block is from the minimum of
:math:`F`, :func:`compare_codes` measures.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparsecode._validation import (
    check_count,
    check_data,
    check_dictionary,
    check_numbers,
    check_positive,
)
from sparsecode.core.code import SparseCode
from sparsecode.core.ops import jaccard
from sparsecode.penalties import CEL0, L1
from sparsecode.solvers import SolverResult, certify, encode, fista, ista, multi_start

__all__ = ["CodeComparison", "compare_codes"]


@dataclass(frozen=True, eq=False)
class CodeComparison:
    """Codes of the same samples by several methods, next to the exact ones.

    Parameters
    ----------
    methods : tuple of str
        Rows of the table. "lasso" is the exact code, the reference; "cel0" the best of two descents
        on CEL0; "layer" the codes that were handed in. If the dictionary is square: "start" is
        max(x, 0), "one_step" CRATE's block, "ista_T" and "fista_T" are T steps from z = x.
        "ista_T_from_0" and "fista_T_from_0" begin at 0.
    table : dict of str to ndarray of shape (n_methods, n_samples)
        - ``objective``: F, 1/2 ||x - zD||**2 + alpha ||z||_1, of every method's code;
        - ``gap``: F less F of the exact code;
        - ``relative_gap``: the same over 1/2 ||x||**2;
        - ``certificate``: relative duality gap, which bounds `relative_gap` for any code; that of
          "lasso" says how exact it is. It speaks of F for "cel0" too;
        - ``l0_objective``: 1/2 ||x - zD||**2 + alpha ||z||_0;
        - ``jaccard``: of the supports, with the exact code; NaN if both are empty;
        - ``cosine``: with the exact code; NaN if one of the two is 0;
        - ``density``: share of coefficients that are not 0;
        - ``relative_residual``: ||x - zD|| / ||x||; NaN for x = 0.
    codes : dict of str to SparseCode
        The codes themselves.
    curvature : float
        L, the largest eigenvalue of the Gram matrix, ||D||_2**2.
    step : float
        The layer's step.
    orthogonality : float
        ||G - I||_F / sqrt(n_atoms) with the Gram matrix G of the atoms: 0 if they are orthonormal.
    cel0_residual : ndarray of shape (n_samples,)
        Prox residual of "cel0"; empty if it was left out.

    Notes
    -----
    "cel0" takes the layer's alpha as the weight of l0. On unit atoms its threshold is then
    sqrt(2 alpha), not alpha: codes of the two penalties are not comparable in density at equal
    weights.
    """

    methods: tuple[str, ...]
    table: dict[str, np.ndarray]
    codes: dict[str, SparseCode]
    curvature: float
    step: float
    orthogonality: float
    cel0_residual: np.ndarray

    @property
    def step_descends(self) -> bool:
        """Whether the step is below 1 / L, so that every proximal step lowers the objective."""
        return self.step * self.curvature < 1.0

    def mean(self, method: str) -> dict[str, float]:
        """Return the mean of every column over samples, NaN left out.

        Parameters
        ----------
        method : str
            One of `methods`.

        Returns
        -------
        dict of str to float

        Raises
        ------
        ValueError
            If there is no such method.
        """
        if method not in self.methods:
            raise ValueError(f"method must be one of {', '.join(self.methods)}; got {method!r}.")
        row = self.methods.index(method)
        return {name: _mean(values[row]) for name, values in self.table.items()}

    def __repr__(self) -> str:
        n_samples = len(self.table["objective"][0])
        return (
            f"<CodeComparison {len(self.methods)} methods, {n_samples} samples, step x L "
            f"{self.step * self.curvature:.2f}>"
        )


def compare_codes(
    X: Any,
    dictionary: Any,
    alpha: float = 0.1,
    step: float = 0.1,
    *,
    n_steps: Sequence[int] = (1, 10, 100),
    layer: Any = None,
    cel0: bool = True,
    max_iter: int = 10_000,
    tol: float = 1e-8,
    n_threads: int | None = None,
) -> CodeComparison:
    r"""Compare a CRATE block's code with more steps of the same kind and with the exact code.

    All methods minimise :math:`F(z) = \frac12 \|x - zD\|^2 + \alpha \|z\|_1` over :math:`z \ge 0`
    per sample, but "cel0", which has :class:`~sparsecode.penalties.CEL0` in place of l1.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Inputs of the block, one a token: after LayerNorm, where the network has one. They are
        compared in float64.
    dictionary : array-like of shape (n_atoms, n_features)
        Atoms as rows, as :meth:`Crate.dictionary` gives them: the transpose of the paper's D.
    alpha : float, default=0.1
        :math:`\lambda` of the block.
    step : float, default=0.1
        :math:`\eta` of the block.
    n_steps : sequence of int, default=(1, 10, 100)
        Numbers of proximal steps to take.
    layer : array-like of shape (n_samples, n_atoms), optional
        Codes that the network itself gave, at least 0.
    cel0 : bool, default=True
        Whether to compute codes under CEL0 too.
    max_iter : int, default=10000
        Iterations of the exact solvers.
    tol : float, default=1e-8
        Certificate of the exact codes, relative to 1/2 ||x||**2.
    n_threads : int, optional
        Threads over samples.

    Returns
    -------
    CodeComparison
        One row per method, one column per sample.

    Raises
    ------
    TypeError, ValueError
        If shapes disagree, entries are not finite, an atom has norm 0, or a number lies outside its
        range.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If an exact code did not reach `tol`.

    Notes
    -----
    "ista" keeps the block's step where that step is below 2 / L, and takes 1 / L where it would
    diverge; "fista" always takes 1 / L. The exact code is that of
    :func:`~sparsecode.solvers.encode`, "cel0" the better of its descents from 0 and from the exact
    code: coordinate-stationary, but not proven to be the global minimum.

    References
    ----------
    Yu et al. 2023 (NeurIPS 36, arXiv:2306.01129), section 2, for the step; Soubies, Blanc-Féraud
    & Aubert 2015 (SIAM J. Imaging Sci. 8, 1607-1639) for CEL0.
    """
    alpha, step = check_positive("alpha", alpha), check_positive("step", step)
    tol = check_positive("tol", tol)
    max_iter = check_count("max_iter", max_iter)
    if isinstance(n_steps, str) or not isinstance(n_steps, Sequence):
        raise TypeError(f"n_steps must be a sequence of numbers of steps; got {n_steps!r}.")
    counts = [check_count("a number of n_steps", count) for count in n_steps]
    D = check_dictionary(dictionary, dtype=np.float64)
    X = check_data(X, n_features=D.shape[1], dtype=np.float64)
    handed = None if layer is None else _check_layer(layer, (len(X), len(D)))

    gram = D @ D.T
    curvature = float(np.linalg.norm(D, 2) ** 2)
    penalty = L1(alpha, positive=True)
    options: dict[str, Any] = {"tol": tol, "n_threads": n_threads}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "alpha is so small", UserWarning)
        exact = encode(X, D, penalty, max_iter=max_iter, **options)
        codes = {} if handed is None else {"layer": SparseCode.from_dense(handed)}
        if D.shape[0] == D.shape[1]:
            codes["start"] = SparseCode.from_dense(np.maximum(X, 0.0))
            codes["one_step"] = SparseCode.from_dense(
                np.maximum(X + step * ((X - X @ D) @ D.T - alpha), 0.0)
            )
        codes |= _proximal(X, D, penalty, counts, step, curvature, options)
        codes["lasso"] = exact.code
        residual = np.zeros(0)
        if cel0:
            relaxed = _cel0(X, D, alpha, exact.code, max_iter, options)
            codes["cel0"], residual = relaxed.code, relaxed.certificate
        rows = [_measure(X, D, penalty, code, exact, options) for code in codes.values()]
    return CodeComparison(
        methods=tuple(codes),
        table={name: np.array([row[name] for row in rows]) for name in rows[0]},
        codes=codes,
        curvature=curvature,
        step=step,
        orthogonality=float(np.linalg.norm(gram - np.eye(len(D))) / np.sqrt(len(D))),
        cel0_residual=residual,
    )


def _proximal(
    X: np.ndarray,
    D: np.ndarray,
    penalty: L1,
    counts: Sequence[int],
    step: float,
    curvature: float,
    options: dict[str, Any],
) -> dict[str, SparseCode]:
    """Return codes after some proximal steps, from z = x, where that is a code, and from 0."""
    starts: dict[str, Any] = {"_from_0": None}
    if D.shape[0] == D.shape[1]:
        starts = {"": X, **starts}
    own = step if step * curvature < 2.0 else None
    codes = {}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "", UserWarning)  # that a few steps do not converge
        for suffix, init in starts.items():
            for count in counts:
                common = {"init": init, "max_iter": count, **options}
                codes[f"ista_{count}{suffix}"] = ista(X, D, penalty, step=own, **common).code
                codes[f"fista_{count}{suffix}"] = fista(X, D, penalty, **common).code
    return codes


def _cel0(
    X: np.ndarray,
    D: np.ndarray,
    alpha: float,
    lasso: SparseCode,
    max_iter: int,
    options: dict[str, Any],
) -> SolverResult:
    def solver(*args: Any, **kwargs: Any) -> SolverResult:
        return encode(*args, max_iter=max_iter, **kwargs)

    penalty = CEL0(alpha, positive=True)
    return multi_start(X, D, penalty, starts=["zero", lasso], solver=solver, **options)


def _measure(
    X: np.ndarray,
    D: np.ndarray,
    penalty: L1,
    code: SparseCode,
    exact: SolverResult,
    options: dict[str, Any],
) -> dict[str, np.ndarray]:
    result = certify(X, D, penalty, code, **options)
    dense, reference = code.to_scipy(), exact.code.to_scipy()
    residuals = np.linalg.norm(X - dense @ D, axis=1)
    lengths = np.linalg.norm(X, axis=1)
    norms = [np.sqrt(z.multiply(z).sum(axis=1)) for z in (dense, reference)]
    gap = result.objective - exact.objective
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "objective": result.objective,
            "gap": gap,
            "relative_gap": gap / (0.5 * lengths**2),
            "certificate": result.certificate,
            "l0_objective": 0.5 * residuals**2 + penalty.alpha * code.n_active,
            "jaccard": jaccard(code, exact.code, rowwise=True),
            "cosine": dense.multiply(reference).sum(axis=1) / (norms[0] * norms[1]),
            "density": code.n_active / code.n_units,
            "relative_residual": residuals / lengths,
        }


def _check_layer(layer: Any, shape: tuple[int, int]) -> np.ndarray:
    codes = check_numbers(layer, "layer", np.float64)
    if codes.shape != shape:
        raise ValueError(f"layer must have shape {shape}; got {codes.shape}.")
    if (codes < 0.0).any():
        raise ValueError(
            f"layer must hold codes of at least 0; got {codes.min():.3g}. Pass what the ReLU gives."
        )
    return codes


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
