"""Coordinate descent on the units of a working set, and the search for units that want to join."""

import numpy as np

from sparsecode._jit import jit
from sparsecode.convolutional._certificate_kernels import weight_at
from sparsecode.convolutional._window_simd import subtract_window, window_dot
from sparsecode.penalties._dispatch import dual_parts, prox, value, with_alpha

__all__ = ["best_of_segments", "descend_on_tiles"]


@jit
def _load(domain, y, x, height, width, patch):
    """Copy part of the domain, from (y, x) on, which may go on at the ends; rest with 0."""
    n_channels = domain.shape[0]
    for c in range(n_channels):
        for i in range(height):
            row = y + i
            line = domain[c, row if row < domain.shape[1] else row - domain.shape[1]]
            copy = patch[c * height + i]
            within = min(width, line.size - x)
            for j in range(within):
                copy[j] = line[x + j]
            for j in range(within, width):
                copy[j] = line[x + j - line.size]
            copy[width:] = 0


@jit
def _store(patch, y, x, height, width, domain):
    """Copy a patch back to where it came from."""
    n_channels = domain.shape[0]
    for c in range(n_channels):
        for i in range(height):
            row = y + i
            line = domain[c, row if row < domain.shape[1] else row - domain.shape[1]]
            copy = patch[c * height + i]
            within = min(width, line.size - x)
            for j in range(within):
                line[x + j] = copy[j]
            for j in range(within, width):
                line[x + j - line.size] = copy[j]


@jit
def _descend(
    patch, height, atoms, squared_norms, penalty, alpha, weights, convex, ks, ys, xs, positions,
    values, max_sweeps, goal,
):  # fmt: skip
    """Sweep over the units of one tile until none moves its correlation by more than `goal`.

    Where the penalty is not convex and a unit as good as ties with 0, an active one stays, for else
    rounding would have it come and go for ever. Returns the sweeps, and the largest move of the
    first.
    """
    n_channels = patch.shape[0] // height
    rounding = 16.0 * np.finfo(values.dtype).eps
    first_move = 0.0
    for sweep in range(max_sweeps):
        largest = 0.0
        for a in range(ks.size):
            k = ks[a]
            inner = patch.dtype.type(0.0)
            for c in range(n_channels):
                inner += window_dot(patch, atoms[k, c], c * height + ys[a], xs[a])
            z = np.float64(values[a])
            step = 1.0 / squared_norms[k]
            weighted = with_alpha(penalty, alpha * weight_at(weights, k, positions[a]))
            alone = z + step * inner
            target = prox(weighted, alone, step, k)
            if target == 0.0 and z != 0.0 and not convex:
                target = prox(weighted, alone * (1.0 + rounding), step, k)
            moved = patch.dtype.type(target)
            change = moved - values[a]
            if change != 0.0:
                for c in range(n_channels):
                    subtract_window(patch, atoms[k, c], c * height + ys[a], xs[a], change)
                values[a] = moved
                largest = max(largest, abs(change) * squared_norms[k])
        if sweep == 0:
            first_move = largest
        if largest <= goal:
            return sweep + 1, first_move
    return max_sweeps, first_move


@jit
def descend_on_tiles(
    domain, origins, extents, starts, chosen, atoms, kernel_width, squared_norms, penalty, alpha,
    weights, convex, ks, ys, xs, positions, values, max_sweeps, goal, patch, sweeps, moves,
):  # fmt: skip
    """Sweep over the units of some tiles, whose windows do not meet.

    The units of tile t are ``starts[t]:starts[t + 1]``; `ys` and `xs` count from its origin.
    """
    kernel_height = atoms.shape[2]
    for t in chosen:
        height = extents[t, 0] + kernel_height - 1
        width = extents[t, 1] + kernel_width - 1
        y, x = origins[t]
        part = patch[: domain.shape[0] * height]
        _load(domain, y, x, height, width, part)
        units = slice(starts[t], starts[t + 1])
        sweeps[t], moves[t] = _descend(
            part, height, atoms, squared_norms, penalty, alpha, weights, convex, ks[units],
            ys[units], xs[units], positions[units], values[units], max_sweeps, goal,
        )  # fmt: skip
        if moves[t] > 0.0:
            _store(part, y, x, height, width, domain)


@jit
def best_of_segments(
    correlations, first, members, values, n_positions, map_width, side, share, squared_norms,
    limits, penalty, alpha, weights, convex, gains, atoms_of,
):  # fmt: skip
    """Find the units of a strip that want to become active, the best of each segment.

    Position p of the strip belongs to segment ``(p // map_width // side, p % map_width // side)``.
    `gains` and `atoms_of` receive, position by position, by how much the best idle unit alone
    would lower the objective, and its atom, where that is at least `share` of the segment's most;
    other gains are 0. An idle unit up to `limits` stays silent.
    Returns the largest slope in units of l1 weights (convex), or of prox residuals (not), over all
    units; `correlations` of members are overwritten.
    """
    largest = 0.0
    for a in range(members.size):
        k, position = divmod(np.int64(members[a]), n_positions)
        p = position - first
        weighted = with_alpha(penalty, alpha * weight_at(weights, k, position))
        inner, held = np.float64(correlations[k, p]), np.float64(values[a])
        if convex:
            l1, ridge = dual_parts(weighted, k)
            slope = inner - ridge * held
            largest = max(largest, (slope if penalty.positive else abs(slope)) / l1)
        else:
            step = 1.0 / squared_norms[k]
            moved = prox(weighted, held + step * inner, step, k)
            largest = max(largest, abs(moved - held) * squared_norms[k])
        correlations[k, p] = 0.0
    gains[:] = 0.0
    for k in range(correlations.shape[0]):
        step = 1.0 / squared_norms[k]
        limit = limits[k]
        for p in range(correlations.shape[1]):
            inner = np.float64(correlations[k, p])
            if abs(inner) <= limit:
                continue
            weighted = with_alpha(penalty, alpha * weight_at(weights, k, first + p))
            z = prox(weighted, step * inner, step, k)
            if z == 0.0:
                continue
            if convex:
                largest = max(largest, abs(inner) / dual_parts(weighted, k)[0])
            else:
                largest = max(largest, abs(z) * squared_norms[k])
            gain = z * inner - 0.5 * squared_norms[k] * z * z - value(weighted, z, k)
            if gain > gains[p]:
                gains[p] = gain
                atoms_of[p] = k
    _keep_the_best(gains, map_width, side, share)
    return largest


@jit
def _keep_the_best(gains, map_width, side, share):
    """Set gains to 0 that are below `share` of the most in their segment of `side` x `side`."""
    n_rows = gains.size // map_width
    for top in range(0, n_rows, side):
        for left in range(0, map_width, side):
            most = 0.0
            for row in range(top, min(top + side, n_rows)):
                for p in range(
                    row * map_width + left, row * map_width + min(left + side, map_width)
                ):
                    most = max(most, gains[p])
            for row in range(top, min(top + side, n_rows)):
                for p in range(
                    row * map_width + left, row * map_width + min(left + side, map_width)
                ):
                    if gains[p] < share * most:
                        gains[p] = 0.0
