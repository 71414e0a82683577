"""Kernels that show what the inner ones of the Monte Carlo simulations draw."""

from sdr._monte_carlo_kernels import below, shuffle_front
from sparsecode._jit import jit


@jit
def numbers_below(state, bound, numbers):
    """Fill `numbers` with draws below `bound`."""
    a, b, c, d = state[0], state[1], state[2], state[3]
    for i in range(numbers.size):
        a, b, c, d, numbers[i] = below(a, b, c, d, bound)
    state[0], state[1], state[2], state[3] = a, b, c, d


@jit
def draw_subsets(state, pool, subsets):
    """Fill each row of `subsets` with a random subset of the pool."""
    a, b, c, d = state[0], state[1], state[2], state[3]
    for i in range(subsets.shape[0]):
        a, b, c, d = shuffle_front(a, b, c, d, pool, 0, pool.size, subsets.shape[1])
        subsets[i] = pool[: subsets.shape[1]]
    state[0], state[1], state[2], state[3] = a, b, c, d
