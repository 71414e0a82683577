"""Atoms at places of a domain: sums of them, and their products with it."""

import numpy as np

from sparsecode._jit import jit

__all__ = ["largest_product", "move_window", "subtract_atoms", "window_product"]


@jit
def move_window(domain, atom, y, x, change):
    """Subtract `change` times an atom from the window at (y, x), which may go on at the ends."""
    n_channels, height, width = atom.shape
    for c in range(n_channels):
        for i in range(height):
            row = y + i
            line = domain[c, row if row < domain.shape[1] else row - domain.shape[1]]
            within = min(width, line.size - x)
            for j in range(within):
                line[x + j] -= change * atom[c, i, j]
            for j in range(within, width):
                line[x + j - line.size] -= change * atom[c, i, j]


@jit
def window_product(domain, atom, y, x):
    """Return the inner product of an atom and the window at (y, x)."""
    n_channels, height, width = atom.shape
    total = domain.dtype.type(0.0)
    for c in range(n_channels):
        for i in range(height):
            row = y + i
            line = domain[c, row if row < domain.shape[1] else row - domain.shape[1]]
            within = min(width, line.size - x)
            for j in range(within):
                total += line[x + j] * atom[c, i, j]
            for j in range(within, width):
                total += line[x + j - line.size] * atom[c, i, j]
    return total


@jit
def largest_product(units, map_height, map_width, atoms, domain):
    """Return the largest magnitude of the products of active units' atoms with their windows."""
    largest = 0.0
    for a in range(units.size):
        k, position = divmod(np.int64(units[a]), map_height * map_width)
        y, x = divmod(position, map_width)
        largest = max(largest, abs(window_product(domain, atoms[k], y, x)))
    return largest


@jit
def subtract_atoms(units, values, map_height, map_width, atoms, domain):
    """Subtract what a code stands for, given as places of its active units in flattened maps."""
    n_positions = map_height * map_width
    for a in range(units.size):
        k, position = divmod(np.int64(units[a]), n_positions)
        y, x = divmod(position, map_width)
        move_window(domain, atoms[k], y, x, values[a])
