"""What a solver returns."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sparsecode.core.code import SparseCode

__all__ = ["SolverResult"]


@dataclass(frozen=True)
class SolverResult:
    """Codes, and the proof of how good they are.

    Parameters
    ----------
    code : SparseCode of shape (n_samples, n_atoms)
        The codes, in the dtype of the samples.
    n_iter : ndarray of shape (n_samples,)
        Iterations (for coordinate descent: sweeps; for pursuits: atoms chosen).
    converged : ndarray of shape (n_samples,)
        Whether `certificate` meets the tolerance (for pursuits with an error target: whether
        the target is met too).
    certificate : ndarray of shape (n_samples,)
        Recomputed in float64 from the returned codes, whatever the solver believed.
        `certificate_name` says which quantity it is.
    objective : ndarray of shape (n_samples,)
        1/2 ||x - zD||**2 + penalty(z); for pursuits 1/2 ||x - zD||**2.
    alpha : ndarray of shape (n_samples,) or None
        Weight of the penalty, sample by sample; None for methods without a penalty.
    coordinate_stationary : ndarray of shape (n_samples,) or None
        For l0 and CEL0: whether no single coefficient can be changed to lower the objective.
    swap_stationary : ndarray of shape (n_samples,) or None
        From :func:`sbr` and on request from :func:`certify`: whether no atom can be inserted,
        removed or put in another's place, the support refitted, to lower the objective by more
        than the tolerance times 1/2 ||x||**2.
    certificate_name : str
        "duality gap" relative to 1/2 ||x||**2; "prox residual",
        ``||z - prox(z + step * D(x - zD))|| / (step * ||Dx||)`` in maximum norms; "support
        residual", ``||D_S(x - zD)|| / ||Dx||`` in maximum norms over the support S; or, from
        :func:`branch_and_bound`, "optimality gap", how far the objective lies above a proven lower
        bound, relative to 1/2 ||x||**2.

    Notes
    -----
    A sample that no atom sees (Dx = 0 but for rounding: every cosine is at most 10 machine
    epsilons) has the code 0 and the certificate 0.
    """

    code: SparseCode
    n_iter: np.ndarray
    converged: np.ndarray
    certificate: np.ndarray
    objective: np.ndarray
    alpha: np.ndarray | None = None
    coordinate_stationary: np.ndarray | None = None
    swap_stationary: np.ndarray | None = None
    certificate_name: str = field(default="duality gap", kw_only=True)

    def __repr__(self) -> str:
        worst = float(self.certificate.max(initial=0.0))
        return (
            f"<SolverResult {self.code!r}, {int(self.converged.sum())} of "
            f"{self.converged.size} converged, largest {self.certificate_name} {worst:.1e}>"
        )
