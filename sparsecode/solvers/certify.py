"""Certificates for codes that come from elsewhere."""

from __future__ import annotations

import warnings
from typing import Any

from sklearn.exceptions import ConvergenceWarning

from sparsecode.penalties._dispatch import Penalty
from sparsecode.solvers._docs import shared_docs
from sparsecode.solvers._problem import Problem
from sparsecode.solvers._result import SolverResult
from sparsecode.solvers._tile import Tile
from sparsecode.solvers.sbr import unit_costs

__all__ = ["certify"]


@shared_docs
def certify(
    X: Any,
    dictionary: Any,
    penalty: Penalty | str,
    code: Any,
    *,
    alpha_ratio: float | None = None,
    swaps: bool = False,
    tol: float | None = None,
    n_threads: int | None = None,
    progress: bool = False,
) -> SolverResult:
    r"""Say how good given codes are for :math:`\frac12 \|x - zD\|^2 + \mathrm{penalty}(z)`.

    Parameters
    ----------
    <X>
    <dictionary>
    <penalty>
    code : SparseCode or array-like of shape (n_samples, n_atoms)
        Codes of any origin; they are returned as they came.
    swaps : bool, default=False
        For l0 and CEL0: whether to find out if they are swap-stationary too, as :func:`sbr` does.
    <tol>
    <n_threads>

    Returns
    -------
    SolverResult
        The codes with their certificate, objective and stationarity; no iterations.

    Raises
    ------
    TypeError, ValueError
        For bad arguments, as the solvers do.

    Notes
    -----
    Codes that do not meet `tol` are an answer here, not a failure: there is no warning.
    """
    problem = Problem(
        X, dictionary, penalty, alpha_ratio=alpha_ratio, init=code, tol=tol, n_threads=n_threads,
        progress=progress,
    )  # fmt: skip

    replacements = None
    if swaps:
        replacements = unit_costs(problem, "swaps=True"), min(problem.dictionary.shape)

    def keep(tile: Tile) -> None:  # even where no atom sees the sample
        tile.found = tile.start

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return problem.solve(keep, replacements=replacements)
