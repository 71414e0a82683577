"""The l1 norm, and l1 with a ridge (elastic net)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sparsecode.penalties._dispatch import at, register, soft

__all__ = ["L1", "ElasticNet"]


class L1(NamedTuple):
    r"""Weighted l1 norm, :math:`\alpha \sum_j w_j |z_j|`.

    Parameters
    ----------
    alpha : float
        Weight, above 0, in units of data times atom.
    positive : bool, default=False
        Restrict the codes to :math:`z \ge 0`.
    weights : ndarray of shape (n_atoms,), optional
        :math:`w_j > 0`; 1 if unset.

    Notes
    -----
    Its proximal operator is the soft threshold (Donoho & Johnstone 1994, Biometrika 81,
    425-455).
    """

    alpha: float
    positive: bool = False
    weights: np.ndarray | None = None


def _l1_prox(penalty, v, step, j):
    return soft(v, step * penalty.alpha * at(penalty.weights, j))


def _l1_value(penalty, u, j):
    return penalty.alpha * at(penalty.weights, j) * u


def _l1_slope(penalty, u, j):
    return penalty.alpha * at(penalty.weights, j)


def _l1_dual_parts(penalty, j):
    return penalty.alpha * at(penalty.weights, j), 0.0


register(L1, "l1", prox=_l1_prox, value=_l1_value, slope=_l1_slope, dual_parts=_l1_dual_parts)


class ElasticNet(NamedTuple):
    r"""l1 norm with a ridge, :math:`\alpha \sum_j w_j (\rho |z_j| + (1-\rho) z_j^2 / 2)`.

    Parameters
    ----------
    alpha : float
        Weight of the whole term, above 0.
    l1_ratio : float, default=0.5
        :math:`\rho`, above 0 and at most 1 (which is :class:`L1`).
    positive : bool, default=False
        Restrict the codes to :math:`z \ge 0`.
    weights : ndarray of shape (n_atoms,), optional
        :math:`w_j > 0`; 1 if unset.

    Notes
    -----
    Zou & Hastie 2005, J. R. Stat. Soc. B 67, 301-320.
    """

    alpha: float
    l1_ratio: float = 0.5
    positive: bool = False
    weights: np.ndarray | None = None


def _elastic_net_prox(penalty, v, step, j):
    scaled = step * penalty.alpha * at(penalty.weights, j)
    return soft(v, scaled * penalty.l1_ratio) / (1.0 + scaled * (1.0 - penalty.l1_ratio))


def _elastic_net_value(penalty, u, j):
    ridge = 0.5 * (1.0 - penalty.l1_ratio) * u * u
    return penalty.alpha * at(penalty.weights, j) * (penalty.l1_ratio * u + ridge)


def _elastic_net_dual_parts(penalty, j):
    weight = penalty.alpha * at(penalty.weights, j)
    return weight * penalty.l1_ratio, weight * (1.0 - penalty.l1_ratio)


def _elastic_net_check(penalty):
    if penalty.l1_ratio > 1.0:
        raise ValueError(
            f"l1_ratio of elastic_net must lie above 0 and at most at 1; got {penalty.l1_ratio}."
        )


register(
    ElasticNet,
    "elastic_net",
    prox=_elastic_net_prox,
    value=_elastic_net_value,
    dual_parts=_elastic_net_dual_parts,
    check=_elastic_net_check,
)
