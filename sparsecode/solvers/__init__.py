"""Solvers: codes with a certificate.

Each is one function, ``solve(X, dictionary, penalty, ...)`` for penalties and
``solve(X, dictionary, n_nonzero=...)`` for a number of active atoms, and returns a
:class:`SolverResult`.
"""

from collections.abc import Callable

from sparsecode._validation import check_option
from sparsecode.solvers._alpha import alpha_for_density, alpha_max
from sparsecode.solvers._result import SolverResult
from sparsecode.solvers.branch_and_bound import branch_and_bound
from sparsecode.solvers.cd import cd
from sparsecode.solvers.cel0_macro import cel0_macro
from sparsecode.solvers.certify import certify
from sparsecode.solvers.encode import encode
from sparsecode.solvers.feature_sign import feature_sign
from sparsecode.solvers.fista import fista
from sparsecode.solvers.homotopy import LassoPath, homotopy, lasso_path
from sparsecode.solvers.iht import htp, iht
from sparsecode.solvers.irl1 import irl1
from sparsecode.solvers.ista import ista
from sparsecode.solvers.lca import LCATimeCourse, lca, lca_time_course
from sparsecode.solvers.pursuit import mp, ols, omp
from sparsecode.solvers.sbr import sbr
from sparsecode.solvers.starts import alpha_path, multi_start

__all__ = [
    "LCATimeCourse",
    "LassoPath",
    "SolverResult",
    "alpha_for_density",
    "alpha_max",
    "alpha_path",
    "branch_and_bound",
    "cd",
    "cel0_macro",
    "certify",
    "encode",
    "feature_sign",
    "fista",
    "get",
    "homotopy",
    "htp",
    "iht",
    "irl1",
    "ista",
    "lasso_path",
    "lca",
    "lca_time_course",
    "mp",
    "multi_start",
    "ols",
    "omp",
    "registered",
    "sbr",
]

_SOLVERS: dict[str, Callable[..., SolverResult]] = {
    solver.__name__: solver
    for solver in (
        branch_and_bound,
        cd,
        cel0_macro,
        feature_sign,
        fista,
        homotopy,
        htp,
        iht,
        irl1,
        ista,
        lca,
        mp,
        ols,
        omp,
        sbr,
    )
}


def registered() -> dict[str, Callable[..., SolverResult]]:
    """Return every solver by its name."""
    return dict(_SOLVERS)


def get(name: str) -> Callable[..., SolverResult]:
    """Return the solver called `name`.

    Parameters
    ----------
    name : str
        One of :func:`registered`, or "auto" for :func:`encode`.

    Returns
    -------
    callable
        The solver function.

    Raises
    ------
    ValueError
        If there is no such solver; the known names are listed.
    """
    known = {"auto": encode, **_SOLVERS}
    return known[check_option("solver", name, known)]
