"""The minimax concave penalty."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np

from sparsecode.penalties._dispatch import at, hard, register, soft

__all__ = ["MCP"]


class MCP(NamedTuple):
    r"""Minimax concave penalty: slope :math:`s_j = \alpha w_j` at 0, flat from :math:`\beta s_j`.

    .. math:: \sum_j \begin{cases} s_j |z_j| - z_j^2 / (2\beta) & |z_j| \le \beta s_j \\
       \beta s_j^2 / 2 & \text{beyond.}\end{cases}

    Parameters
    ----------
    alpha : float
        Slope at 0, above 0.
    beta : float, default=3.0
        Where it becomes flat, in units of the slope. Coordinate-wise minimisation is convex
        for :math:`\beta > 1 / \|d_j\|^2`.
    positive : bool, default=False
        Restrict the codes to :math:`z \ge 0`.
    weights : ndarray of shape (n_atoms,), optional
        :math:`w_j > 0`; 1 if unset.

    Notes
    -----
    Zhang 2010, Ann. Stat. 38, 894-942.
    """

    alpha: float
    beta: float = 3.0
    positive: bool = False
    weights: np.ndarray | None = None


def _mcp_prox(penalty, v, step, j):
    start = penalty.alpha * at(penalty.weights, j)
    curvature = step / penalty.beta
    # just below 1 the two branches agree but for rounding, which the second would magnify
    if curvature >= 1.0 - 1e-12:
        return hard(v, start * sqrt(step * penalty.beta))
    return min(v, soft(v, step * start) / (1.0 - curvature))


def _mcp_value(penalty, u, j):
    start = penalty.alpha * at(penalty.weights, j)
    if u >= penalty.beta * start:
        return 0.5 * penalty.beta * start * start
    return u * (start - 0.5 * u / penalty.beta)


def _mcp_slope(penalty, u, j):
    return max(penalty.alpha * at(penalty.weights, j) - u / penalty.beta, 0.0)


register(MCP, "mcp", prox=_mcp_prox, value=_mcp_value, slope=_mcp_slope)
