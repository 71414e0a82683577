r"""
Penalties and their proximal operators
======================================

A penalty decides two things: what a coefficient costs, and how much of it survives a step. Both
are drawn here for one atom of norm 1, with weights for which every penalty silences coefficients
below 1.
"""

# %%
# Each penalty is a small struct; :func:`~sparsecode.penalties.prox` and
# :func:`~sparsecode.penalties.value` evaluate any of them. With a step of 1, l1 silences what lies
# below :math:`\alpha`, l0 and CEL0 what lies below :math:`\sqrt{2\alpha}`, l1/2 what lies below
# :math:`\tfrac{3}{2} \alpha^{2/3}`.

from functools import partial

import matplotlib.pyplot as plt
import numpy as np

from sparsecode.penalties import CEL0, L0, L1, MCP, SCAD, Half, LogSum, prox, value
from sparsecode.plotting import penalty_curves

penalties = {
    "l1": L1(1.0),
    "l0": L0(0.5),
    "half": Half((2 / 3) ** 1.5),
    "cel0": CEL0(0.5, norms=np.ones(1)),
    "mcp": MCP(1.0, beta=3.0),
    "scad": SCAD(1.0, c=3.7),
    "log_sum": LogSum(1.0, epsilon=1.0),
}

# %%
# Left, the cost. l1 grows without end, and so it shrinks large coefficients too; the others level
# off or nearly do. CEL0 meets l0 above its threshold and is linear-quadratic below it.
# Right, the operator: what is left of a coefficient. On the dotted line nothing is lost.


def after_a_step(penalty, v, step=1.0):
    """Return what one step leaves of the coefficient `v` of atom 0."""
    return prox(penalty, v, step, 0)


def cost(penalty, u):
    """Return what the coefficient `u` of atom 0 costs."""
    return value(penalty, u, 0)


figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
penalty_curves({name: partial(cost, one) for name, one in penalties.items()}, left, limit=3)
penalty_curves(
    {name: partial(after_a_step, one) for name, one in penalties.items()}, right, limit=3
)
left.set(xlabel="coefficient", ylabel="cost", ylim=(0, 2.5))
right.set(xlabel="before the step", ylabel="after it")
right.axline((0, 0), slope=1, linestyle=":", color="0.5", zorder=0)
plt.show()

# %%
# The step matters. Below :math:`1/a^2`, where :math:`a` is the norm of the atom, the operator of
# CEL0 is continuous: it grows steeply out of the threshold. From :math:`1/a^2` on it is the hard
# threshold, which is why coordinate descent treats l0 and CEL0 alike.

curves = {
    f"step {step}": partial(after_a_step, penalties["cel0"], step=step) for step in (0.25, 0.5, 1)
}
figure, ax = plt.subplots(figsize=(5, 4), layout="constrained")
penalty_curves(curves, ax)
ax.set(xlabel="before the step", ylabel="after it", title="CEL0")
plt.show()
