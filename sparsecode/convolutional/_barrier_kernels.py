"""Passes of the interior-point method over maps: what weighs, pulls and moves a code's two halves.

A code z is u - v with u, v > 0 (v = 0 where codes are positive); its slacks are l1 - c + ridge * z
and l1 + c - ridge * z, c being the products of the atoms with the dual point.
"""

import numpy as np

from sparsecode._jit import jit

__all__ = ["advance", "choose_support", "limit_step", "pull", "start_inside", "weigh"]


@jit
def _penalty_of(parts, weights, k, y, x):
    """Return the weights of l1 and ridge at one place of an atom's map."""
    row = weights[k if weights.shape[0] > 1 else 0]
    weight = np.float64(row[y if row.shape[0] > 1 else 0, x])
    return parts[0, k] * weight, parts[1, k] * weight


@jit
def _move(u, v, above, below, ridge, positive, first, second, product):
    """Return how u, v and the upper slack move if the products are to change by given amounts.

    `above` and `below` are the slacks, `first` and `second` what u * above and v * below are to
    gain, `product` is by how much the atom's product with the dual point moves.
    """
    pull = first / above
    weight = u / above
    if not positive:
        pull -= second / below
        weight += v / below
    change = (pull + weight * product) / (1.0 + ridge * weight)
    slack = ridge * change - product
    return (
        (first - u * slack) / above,
        0.0 if positive else (second + v * slack) / below,
        slack,
    )


@jit
def _wanted(u, v, above, below, ridge, positive, product, barrier, corrected):
    """Return what u * above and v * below are to gain, with or without a correction.

    The correction takes off the products of the changes of the affine step, for which the dual
    point's product moves by `product`.
    """
    if not corrected:
        return -u * above, -v * below
    affine = _move(u, v, above, below, ridge, positive, -u * above, -v * below, np.float64(product))
    return (
        barrier - u * above - affine[0] * affine[2],
        barrier - v * below + affine[1] * affine[2],
    )


@jit
def _slacks(up, down, c, l1, ridge):
    """Return the slacks of a unit."""
    shift = c - ridge * (up - down)
    return l1 - shift, l1 + shift


@jit
def _change(up, down, above, below, ridge, positive, affine, barrier, corrected, product):
    """Return the Newton step of u, v and the upper slack of a unit."""
    first, second = _wanted(up, down, above, below, ridge, positive, affine, barrier, corrected)
    return _move(up, down, above, below, ridge, positive, first, second, product)


@jit
def start_inside(products, parts, weights, first, positive, scale, offset, u, v, c):
    """Begin at codes of `scale` times the products c, as far as slacks allow.

    Both halves are larger by `offset`, in units of 1 / l1.
    """
    n_atoms, height, width = u.shape
    for k in range(n_atoms):
        for y in range(height):
            for x in range(width):
                l1, ridge = _penalty_of(parts, weights, first + k, y, x)
                product = np.float64(products[k, y, x])
                z = scale * product
                if ridge > 0.0:
                    z = min(max(z, (product - 0.5 * l1) / ridge), (product + 0.5 * l1) / ridge)
                u[k, y, x] = max(z, 0.0) + offset / l1
                v[k, y, x] = 0.0 if positive else max(-z, 0.0) + offset / l1
                if positive and ridge > 0.0:
                    u[k, y, x] = max(u[k, y, x], (product - 0.5 * l1) / ridge)
                c[k, y, x] = product


@jit
def weigh(u, v, c, parts, weights, first, positive, squared_norms, out, places, sums):
    """Write each unit's weight in the Newton system, and sum them over maps and over atoms."""
    n_atoms, height, width = u.shape
    for k in range(n_atoms):
        total = 0.0
        for y in range(height):
            for x in range(width):
                l1, ridge = _penalty_of(parts, weights, first + k, y, x)
                above, below = _slacks(u[k, y, x], v[k, y, x], c[k, y, x], l1, ridge)
                weight = u[k, y, x] / above
                if not positive:
                    weight += v[k, y, x] / below
                weight /= 1.0 + ridge * weight
                out[k, y, x] = weight
                places[y, x] += weight * squared_norms[first + k]
                total += weight
        sums[k] = total


@jit
def pull(u, v, c, parts, weights, first, positive, affine, barrier, corrected, maps):
    """Write by how much each code would move if the dual point stayed."""
    n_atoms, height, width = u.shape
    for k in range(n_atoms):
        for y in range(height):
            for x in range(width):
                l1, ridge = _penalty_of(parts, weights, first + k, y, x)
                up, down = u[k, y, x], v[k, y, x]
                above, below = _slacks(up, down, c[k, y, x], l1, ridge)
                du, dv, _ = _change(
                    up, down, above, below, ridge, positive, affine[k, y, x], barrier, corrected,
                    0.0,
                )  # fmt: skip
                maps[k, y, x] = du - dv


@jit
def limit_step(
    u, v, c, parts, weights, first, positive, affine, barrier, corrected, products, sums
):
    """Find the fastest relative decline of u, v and the slacks, and how the changes multiply."""
    n_atoms, height, width = u.shape
    fastest, crossed = 0.0, 0.0
    for k in range(n_atoms):
        for y in range(height):
            for x in range(width):
                l1, ridge = _penalty_of(parts, weights, first + k, y, x)
                up, down = u[k, y, x], v[k, y, x]
                above, below = _slacks(up, down, c[k, y, x], l1, ridge)
                du, dv, slack = _change(
                    up, down, above, below, ridge, positive, affine[k, y, x], barrier, corrected,
                    np.float64(products[k, y, x]),
                )  # fmt: skip
                fastest = max(fastest, -du / up, -slack / above)
                crossed += du * slack
                if not positive:
                    fastest = max(fastest, -dv / down, slack / below)
                    crossed -= dv * slack
    sums[0], sums[1] = fastest, crossed


@jit
def advance(
    u, v, c, parts, weights, first, positive, affine, barrier, corrected, products, step, maps,
    sums,
):  # fmt: skip
    """Take a step, write the codes, and sum complementarity, penalty and the ridge's energy."""
    n_atoms, height, width = u.shape
    complementarity, cost, energy = 0.0, 0.0, 0.0
    for k in range(n_atoms):
        for y in range(height):
            for x in range(width):
                l1, ridge = _penalty_of(parts, weights, first + k, y, x)
                up, down = u[k, y, x], v[k, y, x]
                if step > 0.0:
                    above, below = _slacks(up, down, c[k, y, x], l1, ridge)
                    product = np.float64(products[k, y, x])
                    du, dv, _ = _change(
                        up, down, above, below, ridge, positive, affine[k, y, x], barrier,
                        corrected, product,
                    )  # fmt: skip
                    up, down = up + step * du, down + step * dv
                    u[k, y, x], v[k, y, x] = up, down
                    c[k, y, x] += step * product
                z = up - down
                above, below = _slacks(up, down, c[k, y, x], l1, ridge)
                complementarity += up * above + down * below
                cost += l1 * abs(z) + 0.5 * ridge * z * z
                energy += ridge * z * z
                maps[k, y, x] = z
    sums[0], sums[1], sums[2] = complementarity, cost, energy


@jit
def choose_support(u, v, c, parts, weights, first, positive, scale, chosen):
    """Choose the units whose code, in units of `scale`, exceeds their slack, in units of l1."""
    n_atoms, height, width = u.shape
    for k in range(n_atoms):
        for y in range(height):
            for x in range(width):
                l1, ridge = _penalty_of(parts, weights, first + k, y, x)
                z = u[k, y, x] - v[k, y, x]
                above, below = _slacks(u[k, y, x], v[k, y, x], c[k, y, x], l1, ridge)
                slack = above if z > 0.0 else below
                chosen[k, y, x] = abs(z) * l1 > scale * slack
