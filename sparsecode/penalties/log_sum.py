"""The log-sum penalty."""

from __future__ import annotations

from math import log1p, sqrt
from typing import NamedTuple

import numpy as np

from sparsecode.penalties._dispatch import at, register

__all__ = ["LogSum"]


class LogSum(NamedTuple):
    r"""Log-sum penalty, :math:`\alpha \sum_j w_j \log(1 + |z_j| / \epsilon)`.

    Parameters
    ----------
    alpha : float
        Weight, above 0, in units of energy.
    epsilon : float, default=0.1
        Magnitude, above 0, at which the penalty bends; the slope at 0 is ``alpha / epsilon``.
    positive : bool, default=False
        Restrict the codes to :math:`z \ge 0`.
    weights : ndarray of shape (n_atoms,), optional
        :math:`w_j > 0`; 1 if unset.

    Notes
    -----
    Candès, Wakin & Boyd 2008, J. Fourier Anal. Appl. 14, 877-905, eq. 2.6.
    """

    alpha: float
    epsilon: float = 0.1
    positive: bool = False
    weights: np.ndarray | None = None


def _log_sum_prox(penalty, v, step, j):
    scaled = step * penalty.alpha * at(penalty.weights, j)
    discriminant = (v + penalty.epsilon) ** 2 - 4.0 * scaled
    if discriminant < 0.0:
        return 0.0
    root = sqrt(discriminant)
    if v < penalty.epsilon:  # without the cancellation
        u = 2.0 * (v * penalty.epsilon - scaled) / (root + penalty.epsilon - v)
    else:
        u = 0.5 * (v - penalty.epsilon + root)
    if u <= 0.0:
        return 0.0
    # 1/2 (u - v)**2 + scaled * log(1 + u / epsilon) against 1/2 v**2
    gain = u * (v - 0.5 * u) - scaled * log1p(u / penalty.epsilon)
    return u if gain > 0.0 else 0.0


def _log_sum_value(penalty, u, j):
    return penalty.alpha * at(penalty.weights, j) * log1p(u / penalty.epsilon)


def _log_sum_slope(penalty, u, j):
    return penalty.alpha * at(penalty.weights, j) / (penalty.epsilon + u)


register(LogSum, "log_sum", prox=_log_sum_prox, value=_log_sum_value, slope=_log_sum_slope)
