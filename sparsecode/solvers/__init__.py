"""Solvers: codes with a certificate.

Each is one function, ``solve(X, dictionary, penalty, ...)`` for penalties and
``solve(X, dictionary, n_nonzero=...)`` for a number of active atoms, and returns a
:class:`SolverResult`.
"""

from collections.abc import Callable

from sparsecode._validation import check_option
from sparsecode.solvers._alpha import alpha_for_density, alpha_max
from sparsecode.solvers._result import SolverResult
from sparsecode.solvers.cd import cd
from sparsecode.solvers.cel0_macro import cel0_macro
from sparsecode.solvers.certify import certify
from sparsecode.solvers.encode import encode
from sparsecode.solvers.feature_sign import feature_sign
from sparsecode.solvers.fista import fista
from sparsecode.solvers.iht import htp, iht
from sparsecode.solvers.irl1 import irl1
from sparsecode.solvers.ista import ista
from sparsecode.solvers.lca import LCATimeCourse, lca, lca_time_course
from sparsecode.solvers.pursuit import mp, ols, omp

__all__ = [
    "LCATimeCourse",
    "SolverResult",
    "alpha_for_density",
    "alpha_max",
    "cd",
    "cel0_macro",
    "certify",
    "encode",
    "feature_sign",
    "fista",
    "get",
    "htp",
    "iht",
    "irl1",
    "ista",
    "lca",
    "lca_time_course",
    "mp",
    "ols",
    "omp",
    "registered",
]

_SOLVERS: dict[str, Callable[..., SolverResult]] = {
    solver.__name__: solver
    for solver in (cd, cel0_macro, feature_sign, fista, htp, iht, irl1, ista, lca, mp, ols, omp)
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
