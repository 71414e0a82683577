"""Slow, obvious NumPy twins of the solvers, written from the formulas and not from the kernels.

They know l1, elastic net, l0, l1/2, CEL0 and log-sum, work on one sample, and keep codes dense.
"""

import numpy as np
from scipy.optimize import nnls

from sparsecode.penalties import CEL0, L0, L1, ElasticNet, Half, LogSum

TYPES = {
    L1: "l1",
    ElasticNet: "elastic_net",
    L0: "l0",
    Half: "half",
    CEL0: "cel0",
    LogSum: "log_sum",
}


def weights_of(penalty, dictionary):
    return np.ones(len(dictionary)) if penalty.weights is None else np.asarray(penalty.weights)


def cost(penalty, dictionary, z):
    """Return the penalty of one code."""
    if penalty.positive and (z < 0).any():
        return np.inf
    weights, norms, size = weights_of(penalty, dictionary), np.sqrt((dictionary**2).sum(1)), abs(z)
    heights = penalty.alpha * weights
    name = TYPES[type(penalty)]
    if name == "l1":
        return (heights * size).sum()
    if name == "elastic_net":
        rho = penalty.l1_ratio
        return (heights * (rho * size + (1 - rho) * size**2 / 2)).sum()
    if name == "l0":
        return heights[z != 0].sum()
    if name == "half":
        return (heights * np.sqrt(size)).sum()
    if name == "log_sum":
        return (heights * np.log(1 + size / penalty.epsilon)).sum()
    below = np.minimum(size - np.sqrt(2 * heights) / norms, 0)
    return (heights - norms**2 / 2 * below**2).sum()


def objective(penalty, x, dictionary, z):
    return 0.5 * ((x - z @ dictionary) ** 2).sum() + cost(penalty, dictionary, z)


def prox(penalty, dictionary, u, step):
    """Return the proximal operator, atom by atom, of a vector of coefficients."""
    norms = np.sqrt((dictionary**2).sum(1))
    heights = penalty.alpha * weights_of(penalty, dictionary)
    step = np.broadcast_to(step, u.shape)
    sign, size = np.sign(u), np.abs(u)
    name = TYPES[type(penalty)]
    if name == "l1":
        z = np.maximum(size - step * heights, 0)
    elif name == "elastic_net":
        z = np.maximum(size - step * heights * penalty.l1_ratio, 0)
        z /= 1 + step * heights * (1 - penalty.l1_ratio)
    elif name == "l0":
        z = np.where(size > np.sqrt(2 * step * heights), size, 0)
    elif name == "half":
        scaled = step * heights
        inside = scaled / 4 * (np.maximum(size, 1e-300) / 3) ** -1.5
        angle = np.arccos(np.minimum(inside, 1))
        z = 2 / 3 * size * (1 + np.cos(2 * np.pi / 3 - 2 / 3 * angle))
        z = np.where(size > 1.5 * scaled ** (2 / 3), z, 0)
    elif name == "log_sum":
        inside = (size + penalty.epsilon) ** 2 - 4 * step * heights
        z = np.maximum(0.5 * (size - penalty.epsilon + np.sqrt(np.maximum(inside, 0))), 0)
        gain = size * z - z**2 / 2 - step * heights * np.log(1 + z / penalty.epsilon)
        z = np.where((inside >= 0) & (gain > 0), z, 0)
    else:
        steep = 1 - step * norms**2
        hard = np.where(size > np.sqrt(2 * step * heights), size, 0)
        soft = np.maximum(size - np.sqrt(2 * heights) * step * norms, 0)
        slanted = np.minimum(size, soft / np.where(steep > 0, steep, 1))
        z = np.where(steep > 1e-9, slanted, hard)
    return np.where((sign < 0) & penalty.positive, 0.0, sign * z)


def relative_gap(penalty, x, dictionary, z):
    """Return the duality gap of one l1 or elastic code over 1/2 ||x||^2.

    The elastic net is the lasso of data augmented by the square root of its ridge.
    """
    heights = penalty.alpha * weights_of(penalty, dictionary)
    rho = getattr(penalty, "l1_ratio", 1.0)
    atoms = np.hstack([dictionary, np.diag(np.sqrt(heights * (1 - rho)))])
    data = np.concatenate([x, np.zeros(len(z))])
    residual = data - z @ atoms
    pull = atoms @ residual if penalty.positive else np.abs(atoms @ residual)
    scale = min((rho * h / c for h, c in zip(heights, pull) if c > 0), default=np.inf)
    if residual @ residual > 0:
        scale = max(min(scale, data @ residual / (residual @ residual)), 0)
    else:
        scale = 0
    primal = 0.5 * residual @ residual + rho * heights @ np.abs(z)
    dual = 0.5 * data @ data - 0.5 * ((scale * residual - data) ** 2).sum()
    return (primal - dual) / (0.5 * x @ x)


def prox_residual(penalty, x, dictionary, z, step=None):
    if step is None:
        step = 1 / np.linalg.norm(dictionary, 2) ** 2
    moved = prox(penalty, dictionary, z + step * dictionary @ (x - z @ dictionary), step)
    return np.abs(moved - z).max() / step / np.abs(dictionary @ x).max()


def support_residual(x, dictionary, z):
    correlation = dictionary @ (x - z @ dictionary)
    return np.abs(correlation[z != 0]).max(initial=0) / np.abs(dictionary @ x).max()


def is_coordinate_stationary(penalty, x, dictionary, z, atol=1e-5):
    squared = (dictionary**2).sum(1)
    best = prox(penalty, dictionary, z + dictionary @ (x - z @ dictionary) / squared, 1 / squared)
    return np.allclose(best, z, atol=atol)


def ista(penalty, x, dictionary, z, step, n_iter):
    for _ in range(n_iter):
        z = prox(penalty, dictionary, z + step * dictionary @ (x - z @ dictionary), step)
    return z


def fista(penalty, x, dictionary, z, step, n_iter):
    older, momentum = z, 1.0
    for _ in range(n_iter):
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = z + (momentum - 1) / following * (z - older)
        gradient = dictionary @ (x - ahead @ dictionary)
        fresh = prox(penalty, dictionary, ahead + step * gradient, step)
        momentum = 1.0 if (ahead - fresh) @ (fresh - z) > 0 else following
        older, z = z, fresh
    return z


def largest(u, k):
    """Return `u` with all but its `k` largest magnitudes silenced; ties go to lower indices."""
    keep = np.argsort(-np.abs(u), kind="stable")[:k]
    z = np.zeros_like(u)
    z[keep] = u[keep]
    return z


def least_squares(x, dictionary, support):
    z = np.zeros(len(dictionary))
    z[support] = np.linalg.lstsq(dictionary[support].T, x, rcond=None)[0]
    return z


def niht(x, dictionary, k, n_iter):
    z = np.zeros(len(dictionary))
    support = largest(dictionary @ x, k) != 0
    for _ in range(n_iter):
        gradient = dictionary @ (x - z @ dictionary)
        inside = np.where(support, gradient, 0)
        step = inside @ inside / ((inside @ dictionary) ** 2).sum()
        while True:
            fresh = largest(z + step * gradient, k)
            change = fresh - z
            if ((fresh != 0) == support).all():
                break
            if step <= 0.99 * change @ change / ((change @ dictionary) ** 2).sum():
                break
            step /= 2
        z, support = fresh, fresh != 0
    return z


def htp(x, dictionary, k, step):
    z, support = np.zeros(len(dictionary)), None
    while True:
        found = np.flatnonzero(largest(z + step * dictionary @ (x - z @ dictionary), k))
        if support is not None and np.array_equal(found, support):
            return z
        support = found
        z = least_squares(x, dictionary, support)


def omp(x, dictionary, k, positive=False):
    norms = np.linalg.norm(dictionary, axis=1)
    z = np.zeros(len(dictionary))
    while np.count_nonzero(z) < k:
        score = dictionary @ (x - z @ dictionary) / norms
        score = np.where(z != 0, 0, score if positive else np.abs(score))
        if score.max() <= 1e-12:
            break
        support = np.append(np.flatnonzero(z), score.argmax())
        z = np.zeros(len(dictionary))
        if positive:
            z[support] = nnls(dictionary[support].T, x)[0]
        else:
            z = least_squares(x, dictionary, support)
    return z


def mp(x, dictionary, n_iter):
    squared, z = (dictionary**2).sum(1), np.zeros(len(dictionary))
    for _ in range(n_iter):
        correlation = dictionary @ (x - z @ dictionary)
        j = (np.abs(correlation) / np.sqrt(squared)).argmax()
        z[j] += correlation[j] / squared[j]
    return z


def lca(penalty, x, dictionary, step, n_iter):
    """Euler's rule on du/dt = Dx - u - (G - I) a, a = T(u), for unit atoms."""
    inhibition = dictionary @ dictionary.T - np.eye(len(dictionary))
    u = np.zeros(len(dictionary))
    for _ in range(n_iter):
        a = prox(penalty, dictionary, u, 1.0)
        u = u + step * (dictionary @ x - u - inhibition @ a)
    return prox(penalty, dictionary, u, 1.0)
