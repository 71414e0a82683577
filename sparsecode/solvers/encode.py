"""Codes by the solver that suits the penalty."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import numpy as np

from sparsecode._validation import check_dictionary
from sparsecode.penalties._dispatch import Penalty, formulas, struct_of
from sparsecode.penalties.cel0 import CEL0, PaperCEL0
from sparsecode.penalties.l0 import L0
from sparsecode.solvers._docs import shared_docs
from sparsecode.solvers._lazy import encode_lazily, is_lazy
from sparsecode.solvers._result import SolverResult
from sparsecode.solvers.cd import cd
from sparsecode.solvers.feature_sign import feature_sign
from sparsecode.solvers.irl1 import irl1
from sparsecode.solvers.sbr import sbr

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
    by :func:`feature_sign` where the penalty is convex, by :func:`sbr` for l0 and CEL0, by
    :func:`irl1` for others with a finite slope at 0, by :func:`cd` for the rest and where l0 and
    CEL0 are restricted to positive codes.

    A dask array is coded block by block when it is computed, and what is returned is a
    :class:`~sparsecode.scale.LazyResult`; it takes no `init`, and each block warns of its own
    samples that did not converge.

    Parameters
    ----------
    <X>
    <dictionary>
    <penalty>
    <init>
    max_iter : int, default=10000
        Largest number of changes of the support, of reweightings or of sweeps.
    <tol>
    <n_threads>

    <returns>
    """
    solve = _solver_for(struct_of(penalty))
    options = {
        "alpha_ratio": alpha_ratio, "max_iter": max_iter, "tol": tol, "n_threads": n_threads,
        "progress": progress,
    }  # fmt: skip
    if not is_lazy(X):
        return solve(X, dictionary, penalty, init=init, **options)
    if init is not None:
        raise ValueError("init must be None where the samples are a dask array; got one. Omit it.")
    dictionary = check_dictionary(dictionary)
    coded = partial(solve, dictionary=dictionary, penalty=penalty, **options)
    coded(np.empty((0, dictionary.shape[1])))  # what makes no sense is refused at once
    return cast(SolverResult, encode_lazily(coded, X, dictionary.shape))


def _solver_for(penalty: Penalty) -> Callable[..., SolverResult]:
    known = formulas(penalty)
    if known.dual_parts is not None:
        return feature_sign
    if isinstance(penalty, L0 | CEL0):
        suits = not penalty.positive and getattr(penalty, "norms", None) is None
        return sbr if suits else cd
    return cd if known.slope is None or isinstance(penalty, PaperCEL0) else irl1
