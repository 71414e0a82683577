"""Steps of proximal methods on whole maps, and the sparse sums of atoms that follow them.

The compiler may reorder the sums of a row, so that its loops run in vectors; their order depends on
shapes alone, and what is reported is computed anew, in order and in float64.
"""

import numpy as np

from sparsecode._jit import jit
from sparsecode.convolutional._window_kernels import move_window

__all__ = ["admm_maps", "fista_maps", "subtract_maps"]

#: What the compiler needs in order to add in vectors.
REORDERED = {"reassoc", "contract", "nnan", "nsz"}
#: Entries of a map that are passed over at once if all are 0.
BLOCK = 16


@jit
def _fill(l1, ridge, step, weights, n_inside, rows):
    """Write what the penalty of a row of places comes to: its parts, and what a step needs.

    No atom may lie beyond the first `n_inside` places: thresholds there are infinite.
    """
    dtype = rows.dtype
    l1, ridge, step, one = dtype.type(l1), dtype.type(ridge), dtype.type(step), dtype.type(1.0)
    for x in range(n_inside):
        rows[0, x] = l1 * weights[x]
        rows[1, x] = ridge * weights[x]
        rows[2, x] = one / rows[0, x]
        rows[3, x] = step * rows[0, x]
        rows[4, x] = one / (one + step * rows[1, x])
    for x in range(n_inside, rows.shape[1]):
        rows[0, x] = rows[1, x] = rows[2, x] = dtype.type(0.0)
        rows[3, x] = dtype.type(np.inf)
        rows[4, x] = one


@jit(fastmath=REORDERED)
def _fista_row(
    product, code, older, l1, ridge, inverse, threshold, shrinkage, highest, positive, step, beta
):
    zero, half, one = code.dtype.type(0.0), code.dtype.type(0.5), code.dtype.type(1.0)
    cost, energy, against, active = zero, zero, zero, zero
    for x in range(code.size):
        z = code[x]
        ahead = z + beta * (z - older[x])
        v = ahead + step * product[x]
        below = min(v + threshold[x], zero)
        new = (max(v - threshold[x], zero) + (zero if positive else below)) * shrinkage[x]
        slack = product[x] - ridge[x] * ahead
        # A maximum for each column: no compiler finds that of a whole row in vectors.
        highest[x] = max(highest[x], (slack if positive else abs(slack)) * inverse[x])
        cost += abs(new) * (l1[x] + half * ridge[x] * abs(new))
        energy += ridge[x] * ahead * ahead
        against += (ahead - new) * (new - z)
        active += one if new != zero else zero
        older[x] = new
    return cost, energy, against, active


@jit
def fista_maps(
    products, parts, weights, first, positive, step, beta, codes, older, rows, active, sums
):
    """Step atom by atom, with momentum; new codes are written over `older` ones.

    Parameters
    ----------
    products : ndarray of shape (n_atoms, >= height, >= width)
        Inner products with the residual of the point ahead, the one that is stepped from.
    parts : ndarray of shape (2, n_all_atoms)
        The penalty's weights of l1 and ridge.
    weights : ndarray of shape (1 or n_all_atoms, 1 or height, width)
        What multiplies them.
    first : int
        Which of all atoms `codes` begin with.
    codes, older : ndarray of shape (n_atoms, height, width)
    rows : ndarray of shape (6, width)
        Room to work in.
    active : ndarray of shape (n_atoms,)
        Becomes the number of active units of each atom.
    sums : ndarray of shape (4,)
        Raised: largest slack in units of l1, penalty of the new codes, energy of the ridge ahead,
        and what the step has against the momentum.
    """
    step_, beta_ = codes.dtype.type(step), codes.dtype.type(beta)
    rows[5] = codes.dtype.type(0.0)
    for k in range(codes.shape[0]):
        weight = weights[min(first + k, weights.shape[0] - 1)]
        active[k] = 0
        for y in range(codes.shape[1]):
            if y == 0 or weight.shape[0] > 1:
                _fill(
                    parts[0, first + k], parts[1, first + k], step, weight[y], rows.shape[1], rows
                )
            cost, energy, against, n_active = _fista_row(
                products[k, y], codes[k, y], older[k, y], rows[0], rows[1], rows[2], rows[3],
                rows[4], rows[5], positive, step_, beta_,
            )  # fmt: skip
            sums[1] += cost
            sums[2] += energy
            sums[3] += against
            active[k] += n_active
    sums[0] = max(sums[0], rows[5].max())


@jit(fastmath=REORDERED)
def _admm_row(
    product, state, l1, ridge, inverse, threshold, shrinkage, highest, old_threshold,
    old_shrinkage, positive, rho, dual_scale, relaxation,
):  # fmt: skip
    zero, half, one = state.dtype.type(0.0), state.dtype.type(0.5), state.dtype.type(1.0)
    cost, energy, active = zero, zero, zero
    split, size, code_size, change, dual_size = zero, zero, zero, zero, zero
    for x in range(state.size):
        v = state[x]
        below = min(v + old_threshold[x], zero)
        code = (max(v - old_threshold[x], zero) + (zero if positive else below)) * old_shrinkage[x]
        dual = dual_scale * (v - code)
        smooth = code - dual + product[x]
        v = relaxation * smooth + (one - relaxation) * code + dual
        below = min(v + threshold[x], zero)
        new = (max(v - threshold[x], zero) + (zero if positive else below)) * shrinkage[x]
        slack = rho * product[x] - ridge[x] * new
        highest[x] = max(highest[x], (slack if positive else abs(slack)) * inverse[x])
        cost += abs(new) * (l1[x] + half * ridge[x] * abs(new))
        energy += ridge[x] * new * new
        active += one if new != zero else zero
        split += (smooth - new) * (smooth - new)
        size += smooth * smooth
        code_size += new * new
        change += (new - code) * (new - code)
        dual_size += (v - new) * (v - new)
        state[x] = v
        product[x] = new
    return cost, energy, active, split, size, code_size, change, dual_size


@jit
def admm_maps(
    products, parts, weights, first, positive, height, width, rho, old_rho, dual_scale,
    relaxation, states, rows, active, sums,
):  # fmt: skip
    """Do one iteration of ADMM atom by atom; new codes are written over `products`.

    A state is v = y + u, of which the code y is the proximal operator at 1 / `old_rho`; the scaled
    dual variable is u times `dual_scale`. Codes are 0 outside the first `height` rows and `width`
    columns. Others as :func:`fista_maps` has them.

    Parameters
    ----------
    products, states : ndarray of shape (n_atoms, n_rows, n_columns)
        D^T (x - Dz) / rho at the new smooth variable z; states before and after.
    sums : ndarray of shape (8,)
        Raised: largest slack in units of l1, penalty of the new codes, energy of the ridge there,
        and squared norms of z - y, z, y, of the change of y, and of u.
    """
    dtype = states.dtype
    scale_, relaxation_, rho_ = dtype.type(dual_scale), dtype.type(relaxation), dtype.type(rho)
    rows[5] = dtype.type(0.0)
    for k in range(states.shape[0]):
        weight = weights[min(first + k, weights.shape[0] - 1)]
        l1, ridge = parts[0, first + k], parts[1, first + k]
        active[k] = 0
        for y in range(states.shape[1]):
            if y == 0 or y == height or (y < height and weight.shape[0] > 1):
                inside = width if y < height else 0
                place = min(y, weight.shape[0] - 1)
                _fill(l1, ridge, 1.0 / old_rho, weight[place], inside, rows)
                rows[6], rows[7] = rows[3], rows[4]
                _fill(l1, ridge, 1.0 / rho, weight[place], inside, rows)
            cost, energy, n_active, split, size, code_size, change, dual_size = _admm_row(
                products[k, y], states[k, y], rows[0], rows[1], rows[2], rows[3], rows[4], rows[5],
                rows[6], rows[7], positive, rho_, scale_, relaxation_,
            )  # fmt: skip
            sums[1] += cost
            sums[2] += energy
            sums[3] += split
            sums[4] += size
            sums[5] += code_size
            sums[6] += change
            sums[7] += dual_size
            active[k] += n_active
    sums[0] = max(sums[0], rows[5].max())


@jit
def subtract_maps(maps, height, width, chosen, atoms, image):
    """Subtract what some of the atoms' maps stand for, place by place."""
    for k in range(maps.shape[0]):
        if not chosen[k]:
            continue
        for y in range(height):
            line = maps[k, y]
            for start in range(0, width, BLOCK):
                stop = min(start + BLOCK, width)
                total = line.dtype.type(0.0)
                for x in range(start, stop):
                    total += abs(line[x])
                if total == 0.0:
                    continue
                for x in range(start, stop):
                    if line[x] != 0.0:
                        move_window(image, atoms[k], y, x, line[x])
