"""The l0 count."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np

from sparsecode.penalties._dispatch import at, hard, register

__all__ = ["L0"]


class L0(NamedTuple):
    r"""Weighted count of active units, :math:`\alpha \sum_j w_j 1\{z_j \ne 0\}`.

    Parameters
    ----------
    alpha : float
        Cost of one active unit, above 0, in units of energy (data squared).
    positive : bool, default=False
        Restrict the codes to :math:`z \ge 0`.
    weights : ndarray of shape (n_atoms,), optional
        :math:`w_j > 0`; 1 if unset.

    Notes
    -----
    Its proximal operator is the hard threshold at :math:`\sqrt{2\gamma\alpha}` (Blumensath &
    Davies 2008, J. Fourier Anal. Appl. 14, 629-654).
    """

    alpha: float
    positive: bool = False
    weights: np.ndarray | None = None


def _l0_prox(penalty, v, step, j):
    return hard(v, sqrt(2.0 * step * penalty.alpha * at(penalty.weights, j)))


def _l0_value(penalty, u, j):
    return penalty.alpha * at(penalty.weights, j) if u != 0.0 else 0.0


register(L0, "l0", prox=_l0_prox, value=_l0_value)
