"""One choice of a code by :class:`memory.Sparsey`, step by step, to look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from memory import _sparsey_batch_kernels as batch
from memory import _sparsey_kernels as kernels
from memory._sparsey_setup import Plan

__all__ = ["CodeChoice", "explain"]


@dataclass(frozen=True, eq=False)
class CodeChoice:
    r"""How a Sparsey comes from a cue to a code.

    Attributes
    ----------
    evidence : ndarray of shape (n_modules, n_units)
        V, the normalised and combined evidence for each code unit.
    familiarity : float
        G, the mean of the largest evidence of each module.
    n_hypotheses : int
        :math:`\zeta`.
    chances : ndarray of shape (n_modules, n_units)
        :math:`\rho`, with which each unit would win in learning; every module sums to 1.
    """

    evidence: np.ndarray
    familiarity: float
    n_hypotheses: int
    chances: np.ndarray


def explain(
    plan: Plan, weights: list[np.ndarray], inputs: np.ndarray, top: np.ndarray
) -> CodeChoice:
    """Return the steps for active inputs and active units above, without H."""
    V = np.ones(plan.n_code_units)
    for s, sources in ((0, inputs), (2, top)):
        if sources.size:
            full = float(sources.size * plan.largest)
            if s == 0 and plan.settings[batch.BY_BOUND]:
                full = plan.settings[batch.FEWEST] * plan.largest
            signal = weights[s][sources].sum(axis=0, dtype=np.float64)
            V *= np.minimum(1.0, signal / full) ** plan.settings[s]
    G = float(kernels.familiarity(V, plan.n_modules))
    zeta = int(kernels.count_hypotheses(V, plan.n_modules, plan.settings[batch.HYPOTHESIS]))
    evidence = V.reshape(plan.n_modules, plan.n_units)
    chances = plan.sigmoid.chances(evidence, G)
    return CodeChoice(evidence, G, zeta, chances / chances.sum(axis=1, keepdims=True))
