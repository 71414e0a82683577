"""Several starting points, and paths of warm starts."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from sparsecode._validation import check_numbers, check_option
from sparsecode.core.code import SparseCode
from sparsecode.penalties._dispatch import Penalty, struct_of
from sparsecode.penalties.l0 import L0
from sparsecode.penalties.l1 import L1
from sparsecode.solvers._docs import shared_docs
from sparsecode.solvers._problem import Problem
from sparsecode.solvers._result import SolverResult
from sparsecode.solvers._stop_kernels import silences
from sparsecode.solvers.encode import encode
from sparsecode.solvers.feature_sign import feature_sign
from sparsecode.solvers.sbr import sbr

__all__ = ["alpha_path", "multi_start"]

STARTS = ("zero", "l1", "ols")


@shared_docs
def multi_start(
    X: Any,
    dictionary: Any,
    penalty: Penalty,
    *,
    starts: Sequence[Any] = STARTS,
    solver: Callable[..., SolverResult] = encode,
    tol: float | None = None,
    n_threads: int | None = None,
    progress: bool = False,
) -> SolverResult:
    r"""Descend from several codes and keep, sample by sample, where the objective is lowest.

    For :math:`\frac12 \|x - zD\|^2 + \mathrm{penalty}(z)` with a penalty that is not convex, whose
    minima depend on the start.

    Parameters
    ----------
    <X>
    <dictionary>
    penalty : penalty struct
        Such as ``MCP(0.1)``.
    starts : sequence of str, SparseCode or array-like, default=("zero", "l1", "ols")
        "zero" is where the solver itself begins; "l1" the l1 code and "ols" the code of
        orthogonal least squares in which each atom becomes active at the same correlation as with
        `penalty`. Codes of shape (n_samples, n_atoms) are starts too.
    solver : callable, default=encode
        ``solver(X, dictionary, penalty, init=..., tol=...)``.
    <tol>
    <n_threads>

    <returns>

    See Also
    --------
    branch_and_bound : The lowest objective of all, proven, for l0 and small problems.
    """
    if isinstance(penalty, str):
        raise TypeError(f"multi_start needs a struct such as MCP(0.1); got the name {penalty!r}.")
    penalty = struct_of(penalty)
    problem = Problem(X, dictionary, penalty, tol=tol, n_threads=n_threads)
    options = {"n_threads": n_threads, "progress": progress}
    if isinstance(starts, str):
        starts = [starts]
    inits = [_start(start, problem, options) for start in starts]
    if not inits:
        raise ValueError("starts must name at least one start; got none.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of those that are not kept
        results = [
            solver(problem.X, dictionary, penalty, init=init, tol=tol, **options) for init in inits
        ]
    best = np.argmin([result.objective for result in results], axis=0)
    kept = _choose(results, best)
    problem.warn(kept.converged, kept.certificate, "Give the solver more iterations or raise tol.")
    return kept


def _start(start: Any, problem: Problem, options: dict[str, Any]) -> Any:
    """Return the code of one start, None for 0."""
    if not isinstance(start, str):
        return start
    if check_option("start", start, STARTS) == "zero":
        return None
    limits = np.zeros(problem.n_atoms)
    silences(problem.penalty, problem.squared_norms, 0.0, limits)
    if not (np.isfinite(limits) & (limits > 0.0)).all():
        raise ValueError(
            f"the start {start!r} needs a penalty that keeps every atom silent up to some "
            f"correlation; {type(problem.penalty).__name__} does not. Give other starts."
        )
    positive = problem.positive
    if start == "l1" or positive:
        lasso = L1(1.0, positive, limits)
        return feature_sign(problem.X, problem.atoms, lasso, tol=1e-2, **options).code
    count = L0(0.5, weights=limits**2 / problem.squared_norms)
    return sbr(problem.X, problem.atoms, count, swaps=False, **options).code


def _choose(results: list[SolverResult], chosen: np.ndarray) -> SolverResult:
    """Return a result that takes sample i from ``results[chosen[i]]``."""
    n_samples = chosen.size
    stacked = SparseCode.concatenate([result.code for result in results])

    def pick(name: str) -> Any:
        columns = [getattr(result, name) for result in results]
        if any(column is None for column in columns):
            return None
        return np.array(columns)[chosen, np.arange(n_samples)]

    names = (
        "n_iter", "converged", "certificate", "objective", "alpha", "coordinate_stationary",
        "swap_stationary",
    )  # fmt: skip
    return SolverResult(
        code=stacked[chosen * n_samples + np.arange(n_samples)],
        certificate_name=results[0].certificate_name,
        **{name: pick(name) for name in names},
    )


def alpha_path(
    X: Any,
    dictionary: Any,
    penalty: Penalty | str,
    alphas: Any = None,
    *,
    alpha_ratios: Any = None,
    solver: Callable[..., SolverResult] = encode,
    tol: float | None = None,
    n_threads: int | None = None,
    progress: bool = False,
) -> list[SolverResult]:
    r"""Solve for one alpha after another, each from the code of the last, the largest first.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Samples.
    dictionary : array-like of shape (n_atoms, n_features)
        Atoms as rows.
    penalty : penalty struct or str
        A struct, whose own alpha is ignored, or a registered name.
    alphas : array-like of shape (n_alphas,), optional
        Weights of the penalty, above 0, in any order.
    alpha_ratios : array-like of shape (n_alphas,), optional
        The same as fractions of each sample's :func:`alpha_max`; give one of the two.
    solver : callable, default=encode
        ``solver(X, dictionary, penalty, init=..., tol=...)``.
    tol : float, optional
        Largest certificate of a converged sample, as in the solvers.
    n_threads : int, optional
        Threads over samples.
    progress : bool, default=False
        Whether to show progress bars.

    Returns
    -------
    list of SolverResult
        One for each alpha, in the order given.

    Raises
    ------
    TypeError, ValueError
        For bad arguments, as the solvers do.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        Once for each alpha at which samples did not converge.

    See Also
    --------
    lasso_path : Every alpha of l1 at once, exactly.

    Notes
    -----
    For penalties that are not convex, codes of a larger alpha are good starts (Breheny & Huang
    2011, Ann. Appl. Stat. 5, 232-253; for l0 Soussen, Idier, Duan & Brie 2015, IEEE Trans. Signal
    Process. 63, 3301-3316, CSBR).
    """
    if (alphas is None) == (alpha_ratios is None):
        raise ValueError("alpha_path needs either alphas or alpha_ratios; give one of the two.")
    name = "alphas" if alpha_ratios is None else "alpha_ratios"
    values = check_numbers(alphas if alpha_ratios is None else alpha_ratios, name, np.float64)
    if values.ndim != 1 or not (values > 0.0).all():
        raise ValueError(f"{name} must be a row of numbers above 0; got {values!r}.")
    struct = struct_of(penalty)
    solve = partial(solver, X, dictionary, tol=tol, n_threads=n_threads, progress=progress)
    results: list[Any] = [None] * values.size
    code = None
    for place in np.argsort(-values, kind="stable"):
        value = float(values[place])
        if alpha_ratios is None:
            results[place] = solve(struct._replace(alpha=value), init=code)
        else:
            results[place] = solve(struct, alpha_ratio=value, init=code)
        code = results[place].code
    return results
