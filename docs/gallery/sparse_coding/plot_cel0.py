r"""
The landscape of CEL0
=====================

With two atoms the cost of a code can be drawn as a landscape. Under l0 it has four minimisers here,
one for each choice of atoms; under CEL0, its exact relaxation, one: the best of the four.
"""

# %%
# Two unit atoms at an angle of 55 degrees, and a sample made mostly of the first. The weight
# :math:`\alpha` puts the knee :math:`\tau = \sqrt{2\alpha}` of CEL0 at 0.6.

import matplotlib.pyplot as plt
import numpy as np

from sparsecode.penalties import CEL0, L0, prox, value
from sparsecode.plotting import COLORS

angle = np.deg2rad(55)
D = np.array([[1.0, 0.0], [np.cos(angle), np.sin(angle)]])
x = np.array([1.3, 0.5]) @ D
alpha = 0.18
penalties = {"l0": L0(alpha), "cel0": CEL0(alpha, norms=np.linalg.norm(D, axis=1))}

# %%
# The penalty is a sum over coefficients, so that its values along one axis give it on the plane.

axis = np.linspace(-0.6, 2.2, 281)
codes = np.stack(np.meshgrid(axis, axis), axis=-1)
error = 0.5 * np.sum((x - codes @ D) ** 2, axis=-1)


def landscape(penalty):
    """Return the cost of every code of the plane."""
    paid = np.array([[value(penalty, z, j) for z in axis] for j in (0, 1)])
    return error + paid[0][None, :] + paid[1][:, None]


# %%
# Each atom is used or not, and each choice has its least-squares code: the minimisers of l0. A
# proximal gradient step is the gradient of the error, then the penalty's operator. We walk from the
# same starts on both landscapes, with steps a fifth as long as would be allowed.

fits = [np.zeros(2), np.array([x @ D[0], 0]), np.array([0, x @ D[1]]), np.array([1.3, 0.5])]
starts = [(-0.45, -0.4), (0.3, -0.45), (1.9, -0.3), (2.1, 0.9), (1.6, 2.0), (0.5, 2.0), (-0.4, 1.5)]
starts += [(0.25, 0.0), (0.0, 0.4)]
step = 0.2 / np.linalg.norm(D, 2) ** 2


def walk(penalty, start, n_steps=400):
    """Return every code on the way from a start."""
    path = [np.array(start)]
    for _ in range(n_steps):
        v = path[-1] + step * (x - path[-1] @ D) @ D.T
        path.append(np.array([prox(penalty, v[j], step, j) for j in (0, 1)]))
    return np.array(path)


figure, axes = plt.subplots(1, 2, figsize=(10, 5), sharey=True, layout="constrained")
for ax, (name, penalty) in zip(axes, penalties.items()):
    cost = landscape(penalty)
    height = np.sqrt(cost - cost.min())  # so that the valley has contours too
    ax.contourf(axis, axis, height, levels=16, cmap="Greys", alpha=0.45)
    ax.contour(axis, axis, height, levels=16, colors="white", linewidths=0.7)
    for start in starts:
        path = walk(penalty, start)
        ax.plot(*path.T, color=COLORS[name], linewidth=1.2)
        ax.plot(*path[0], ".", color=COLORS[name], markersize=5)
        ax.plot(*path[-1], "o", color=COLORS[name], markersize=8)
    ax.plot(*np.transpose(fits), "k+", markersize=12, mew=1.5, label="minimiser of l0")
    ax.set(title=f"{name}: paths to their ends", xlabel="first coefficient", aspect="equal")
axes[0].set(ylabel="second coefficient")
axes[1].legend(loc="lower right")
plt.show()

# %%
# The crosses are the minimisers of l0. On the left every one of them catches some of the starts. On
# the right all paths end in the same code, on the axis of the first atom: the other crosses lie on
# slopes now, because a coefficient in them is below the knee, or because a silent atom would pay.
# The costs of the ends say which cross is best:

for z in fits:
    l0_cost = 0.5 * np.sum((x - z @ D) ** 2) + alpha * np.count_nonzero(z)
    cel0_cost = 0.5 * np.sum((x - z @ D) ** 2)
    cel0_cost += sum(value(penalties["cel0"], z[j], j) for j in (0, 1))
    print(f"code {z.round(2)!s:12} costs {l0_cost:.3f} under l0, {cel0_cost:.3f} under CEL0")
