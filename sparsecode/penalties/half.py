"""The l1/2 quasi-norm."""

from __future__ import annotations

from math import acos, cos, pi, sqrt
from typing import NamedTuple

import numpy as np

from sparsecode.penalties._dispatch import at, register

__all__ = ["Half"]


class Half(NamedTuple):
    r"""Weighted l1/2 quasi-norm, :math:`\alpha \sum_j w_j |z_j|^{1/2}`.

    Parameters
    ----------
    alpha : float
        Weight, above 0.
    positive : bool, default=False
        Restrict the codes to :math:`z \ge 0`.
    weights : ndarray of shape (n_atoms,), optional
        :math:`w_j > 0`; 1 if unset.

    Notes
    -----
    The half threshold of Xu, Chang, Xu & Zhang 2012 (IEEE Trans. Neural Netw. Learn. Syst. 23,
    1013-1027), who minimise without the factor 1/2 before the data term: their weight is twice
    ours.
    """

    alpha: float
    positive: bool = False
    weights: np.ndarray | None = None


def _half_prox(penalty, v, step, j):
    scaled = step * penalty.alpha * at(penalty.weights, j)
    if 8.0 * v * v * v <= 27.0 * scaled * scaled:  # v <= 3/2 scaled**(2/3), without the power
        return 0.0
    angle = acos(min(1.0, 0.25 * scaled * (v / 3.0) ** -1.5))
    return 2.0 / 3.0 * v * (1.0 + cos(2.0 / 3.0 * (pi - angle)))


def _half_value(penalty, u, j):
    return penalty.alpha * at(penalty.weights, j) * sqrt(u)


register(Half, "half", prox=_half_prox, value=_half_value)
