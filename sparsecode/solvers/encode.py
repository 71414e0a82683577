"""Codes by the solver that suits the penalty."""

from __future__ import annotations

from typing import Any

from sparsecode.penalties._dispatch import Penalty, formulas, make
from sparsecode.solvers._docs import shared_docs
from sparsecode.solvers._result import SolverResult
from sparsecode.solvers.cd import cd
from sparsecode.solvers.feature_sign import feature_sign

__all__ = ["encode"]


@shared_docs
def encode(
    X: Any,
    dictionary: Any,
    penalty: Penalty | str,
    *,
    alpha_ratio: float | None = None,
    init: Any = None,
    max_iter: int = 10_000,
    tol: float | None = None,
    n_threads: int | None = None,
    progress: bool = False,
) -> SolverResult:
    r"""Code every sample by the solver that suits the penalty.

    Minimises :math:`\frac12 \|x - zD\|^2 + \mathrm{penalty}(z)` per sample:
    by :func:`feature_sign` where the penalty is convex, by :func:`cd` where it is not.

    Parameters
    ----------
    <X>
    <dictionary>
    <penalty>
    <init>
    max_iter : int, default=10000
        Largest number of changes of the support, or of sweeps over the working set.
    <tol>
    <n_threads>

    <returns>
    """
    struct = make(penalty) if isinstance(penalty, str) else penalty
    solver = cd if formulas(struct).dual_parts is None else feature_sign
    return solver(
        X, dictionary, penalty,
        alpha_ratio=alpha_ratio, init=init, max_iter=max_iter, tol=tol, n_threads=n_threads,
        progress=progress,
    )  # fmt: skip
