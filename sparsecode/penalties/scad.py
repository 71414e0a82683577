"""The smoothly clipped absolute deviation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sparsecode.penalties._dispatch import at, register, soft, value_of_magnitude

__all__ = ["SCAD"]


class SCAD(NamedTuple):
    r"""Smoothly clipped absolute deviation: slope :math:`s_j = \alpha w_j`, flat at :math:`c s_j`.

    .. math:: \sum_j \begin{cases} s_j |z_j| & |z_j| \le s_j \\
       (2 c s_j |z_j| - z_j^2 - s_j^2) / (2(c-1)) & s_j < |z_j| \le c s_j \\
       (c+1) s_j^2 / 2 & \text{beyond.}\end{cases}

    Parameters
    ----------
    alpha : float
        Slope at 0, above 0.
    c : float, default=3.7
        Where it becomes flat, in units of the slope; above 2. The default is the authors'.
    positive : bool, default=False
        Restrict the codes to :math:`z \ge 0`.
    weights : ndarray of shape (n_atoms,), optional
        :math:`w_j > 0`; 1 if unset.

    Notes
    -----
    Fan & Li 2001, J. Am. Stat. Assoc. 96, 1348-1360. For steps of :math:`c - 1` and more the
    middle branch is concave and the operator compares its two ends by their cost.
    """

    alpha: float
    c: float = 3.7
    positive: bool = False
    weights: np.ndarray | None = None


def _scad_prox(penalty, v, step, j):
    start = penalty.alpha * at(penalty.weights, j)
    inner = penalty.c - 1.0
    # just below `inner` the middle branch is as good as flat, and would magnify rounding errors
    if step < inner * (1.0 - 1e-12):
        if v <= start * (1.0 + step):
            return soft(v, step * start)
        return min(v, (inner * v - step * penalty.c * start) / (inner - step))
    low = min(soft(v, step * start), start)
    high = max(v, penalty.c * start)
    cost_low = (low - v) ** 2 / (2.0 * step) + value_of_magnitude(penalty, low, j)
    cost_high = (high - v) ** 2 / (2.0 * step) + value_of_magnitude(penalty, high, j)
    return low if cost_low <= cost_high else high


def _scad_value(penalty, u, j):
    start = penalty.alpha * at(penalty.weights, j)
    if u <= start:
        return start * u
    if u <= penalty.c * start:
        return (2.0 * penalty.c * start * u - u * u - start * start) / (2.0 * (penalty.c - 1.0))
    return 0.5 * (penalty.c + 1.0) * start * start


def _scad_slope(penalty, u, j):
    start = penalty.alpha * at(penalty.weights, j)
    if u <= start:
        return start
    return max(penalty.c * start - u, 0.0) / (penalty.c - 1.0)


def _scad_check(penalty):
    if penalty.c <= 2.0:
        raise ValueError(f"c of scad must lie above 2; got {penalty.c}. Fan & Li use 3.7.")


register(SCAD, "scad", prox=_scad_prox, value=_scad_value, slope=_scad_slope, check=_scad_check)
