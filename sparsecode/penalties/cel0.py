"""CEL0, the continuous exact relaxation of l0, and the variant of Rentzeperis et al."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np

from sparsecode._jit import jit
from sparsecode.penalties._dispatch import at, hard, register, soft

__all__ = ["CEL0", "PaperCEL0"]


class CEL0(NamedTuple):
    r"""Continuous exact relaxation of the l0 penalty.

    .. math:: \sum_j \lambda_j - \frac{a_j^2}{2}
       \Bigl(|z_j| - \frac{\sqrt{2\lambda_j}}{a_j}\Bigr)^2
       1\Bigl\{|z_j| \le \frac{\sqrt{2\lambda_j}}{a_j}\Bigr\},
       \qquad \lambda_j = \alpha w_j.

    Its global minimisers include those of :class:`L0` with the same `alpha`, and it adds no
    local minimiser.

    Parameters
    ----------
    alpha : float
        The l0 weight that is relaxed, above 0, in units of energy.
    norms : ndarray of shape (n_atoms,), optional
        :math:`a_j`. If unset, solvers take the norms of the dictionary's atoms, for which the
        relaxation is exact; smaller ones break exactness. Outside a solver unset means 1.
    positive : bool, default=False
        Restrict the codes to :math:`z \ge 0`.
    weights : ndarray of shape (n_atoms,), optional
        :math:`w_j > 0`; 1 if unset.

    Notes
    -----
    Soubies, Blanc-Féraud & Aubert 2015 (SIAM J. Imaging Sci. 8, 1607-1639). It is
    :class:`MCP` with slope :math:`a\sqrt{2\lambda}` and :math:`\beta = 1/a^2`.
    """

    alpha: float
    norms: np.ndarray | None = None
    positive: bool = False
    weights: np.ndarray | None = None


@jit
def _rise(height, x):
    """Return `height` less half the square of what `x` lacks of its root; 0 at 0 to the bit."""
    root = sqrt(2.0 * height)
    return min(x * (root - 0.5 * x), height) if x < root else height


def _cel0_prox(penalty, v, step, j):
    height = penalty.alpha * at(penalty.weights, j)
    norm = at(penalty.norms, j)
    curvature = step * norm * norm
    # At curvature 1 (a coordinate update of CD, where a * a and 1 / (a * a) round) both sides
    # agree but for rounding, and the first one would divide by a rounding error.
    if curvature >= 1.0 - 1e-12:
        return hard(v, sqrt(2.0 * step * height))
    return min(v, soft(v, sqrt(2.0 * height) * step * norm) / (1.0 - curvature))


def _cel0_value(penalty, u, j):
    height = penalty.alpha * at(penalty.weights, j)
    return _rise(height, at(penalty.norms, j) * u)


def _cel0_slope(penalty, u, j):
    norm = at(penalty.norms, j)
    return norm * max(sqrt(2.0 * penalty.alpha * at(penalty.weights, j)) - norm * u, 0.0)


register(CEL0, "cel0", prox=_cel0_prox, value=_cel0_value, slope=_cel0_slope)


class PaperCEL0(NamedTuple):
    r"""CEL0 as the code of Rentzeperis et al. 2023 has it: :math:`a_j = 1` for every atom.

    Its operator returns 0 for every step of 1 or more, where the proximal operator is the hard
    threshold. Use :class:`CEL0` unless the paper's code is to be reproduced.

    Parameters
    ----------
    alpha : float
        The l0 weight that is relaxed, above 0.
    positive : bool, default=False
        Restrict the codes to :math:`z \ge 0`.
    weights : ndarray of shape (n_atoms,), optional
        :math:`w_j > 0`; 1 if unset.

    Notes
    -----
    Rentzeperis, Calatroni, Perrinet & Prandi 2023 (PLoS Comput. Biol. 19, e1011459), the
    published code.
    """

    alpha: float
    positive: bool = False
    weights: np.ndarray | None = None


def _paper_cel0_prox(penalty, v, step, j):
    if step >= 1.0:
        return 0.0
    threshold = sqrt(2.0 * penalty.alpha * at(penalty.weights, j)) * step
    return min(v, soft(v, threshold) / (1.0 - step))


def _paper_cel0_value(penalty, u, j):
    return _rise(penalty.alpha * at(penalty.weights, j), u)


def _paper_cel0_slope(penalty, u, j):
    return max(sqrt(2.0 * penalty.alpha * at(penalty.weights, j)) - u, 0.0)


register(
    PaperCEL0,
    "paper_cel0",
    prox=_paper_cel0_prox,
    value=_paper_cel0_value,
    slope=_paper_cel0_slope,
)
