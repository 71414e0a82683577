"""Error rates of dendritic segments by Monte Carlo: segments and inputs are really drawn.

Nothing here knows the hypergeometric law: :mod:`sdr.theory` predicts, these functions count.

Each trial draws fresh segments. An input, whose drawing costs more, serves up to 1,000 trials, and
the counts are binomial all the same. Given the input, the trials are independent, and each has an
event with the same probability, since its segments are drawn afresh. That probability is the same
for every input too: renaming the units turns any input into any other of its kind and leaves
uniform segments uniform. So the number of events has one and the same binomial law given every
input, and summed over inputs it is the binomial law of all trials together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from sdr._monte_carlo_kernels import count_matches, count_unions
from sparsecode._jit import threads
from sparsecode._parallel import map_tiles
from sparsecode._validation import (
    check_count,
    check_fraction,
    check_option,
    check_probability,
    check_rng,
)

__all__ = [
    "ErrorCounts",
    "UnionCounts",
    "simulate_false_negatives",
    "simulate_false_positives",
    "simulate_union",
]

#: Trials that one input serves at most.
N_SERVED = 1000
#: Trials that share a state of random numbers, and run on one thread.
BLOCK = 100 * N_SERVED


@dataclass(frozen=True, eq=False)
class ErrorCounts:
    """How many trials had which overlap: the errors at every threshold at once.

    Parameters
    ----------
    counts : ndarray of int64, shape (n_synapses + 1,)
        Trials with an overlap of 0, 1, 2, ...
    event : {"match", "miss"}
        Which of the two is the error: an overlap that reaches the threshold, or one below it.

    Examples
    --------
    >>> from sdr.simulation import simulate_false_positives
    >>> found = simulate_false_positives(300, 64, 24, n_trials=100_000, rng=0)
    >>> low, high = found.interval(10)
    >>> low < 0.01551 < high  # what the theory predicts
    True
    """

    counts: np.ndarray
    event: str

    def __post_init__(self) -> None:
        check_option("event", self.event, ("match", "miss"))
        counts = np.array(self.counts)
        if counts.ndim != 1 or counts.dtype.kind not in "iu" or counts.min(initial=0) < 0:
            raise ValueError(
                "counts must be one row of integers from 0 up; got "
                f"{counts.dtype} of shape {counts.shape}."
            )
        counts = counts.astype(np.int64)
        counts.setflags(write=False)
        object.__setattr__(self, "counts", counts)

    @property
    def n_trials(self) -> int:
        """Number of trials."""
        return int(self.counts.sum())

    def n_errors(self, threshold: int) -> int:
        """Return how many trials were errors at a threshold.

        Parameters
        ----------
        threshold : int
            Overlap from which on a segment is active, at most the number of synapses.

        Returns
        -------
        int

        Raises
        ------
        ValueError, TypeError
            If `threshold` is not such an integer.
        """
        threshold = check_count("threshold", threshold, maximum=self.counts.size - 1)
        part = self.counts[threshold:] if self.event == "match" else self.counts[:threshold]
        return int(part.sum())

    def rate(self, threshold: int) -> float:
        """Return the share of trials that were errors at a threshold.

        Parameters
        ----------
        threshold : int
            Overlap from which on a segment is active.

        Returns
        -------
        float

        Raises
        ------
        ValueError, TypeError
            If `threshold` is not an integer between 1 and the number of synapses.
        """
        return self.n_errors(threshold) / self.n_trials

    def interval(self, threshold: int, confidence: float = 0.999) -> tuple[float, float]:
        """Return the exact (Clopper-Pearson) interval of the probability of an error.

        Parameters
        ----------
        threshold : int
            Overlap from which on a segment is active.
        confidence : float, default=0.999
            How often such an interval holds the true probability at least; below 1.

        Returns
        -------
        tuple of float
            The probabilities at which so many errors or more, and so few or less, would each have
            the probability ``(1 - confidence) / 2``.

        Raises
        ------
        ValueError, TypeError
            If an argument is out of its range.
        """
        if check_fraction("confidence", confidence) == 1.0:
            raise ValueError("confidence must lie below 1; got 1.0. Use 0.999.")
        n_errors, n_trials = self.n_errors(threshold), self.n_trials
        tail = (1.0 - confidence) / 2.0
        low = stats.beta.ppf(tail, n_errors, n_trials - n_errors + 1) if n_errors else 0.0
        high = 1.0
        if n_errors < n_trials:
            high = stats.beta.isf(tail, n_errors + 1, n_trials - n_errors)
        return float(low), float(high)


@dataclass(frozen=True, eq=False)
class UnionCounts(ErrorCounts):
    """How many trials had which overlap with a union, and how large the unions were.

    Parameters
    ----------
    counts : ndarray of int64, shape (n_synapses + 1,)
        Trials with an overlap of 0, 1, 2, ...
    event : {"match", "miss"}
        ``"match"``: an overlap that reaches the threshold is an error.
    sizes : ndarray of int64, shape (largest_size + 1,)
        Trials with a union of 0, 1, 2, ... units.
    """

    sizes: np.ndarray

    def __post_init__(self) -> None:
        ErrorCounts.__post_init__(self)
        sizes = np.array(self.sizes, np.int64)
        sizes.setflags(write=False)
        object.__setattr__(self, "sizes", sizes)

    @property
    def mean_size(self) -> float:
        """Mean number of units in a union."""
        return float(self.sizes @ np.arange(self.sizes.size) / self.n_trials)

    @property
    def size_error(self) -> float:
        """Standard error of :attr:`mean_size`."""
        spread = self.sizes @ np.square(np.arange(self.sizes.size) - self.mean_size)
        return float(np.sqrt(spread) / self.n_trials)


def simulate_false_positives(
    n_units: int,
    n_active: int,
    n_synapses: int,
    *,
    n_trials: int,
    n_segments: int = 1,
    failure: float = 0.0,
    rng: Any = None,
    n_threads: int | None = None,
) -> ErrorCounts:
    """Count how often segments with random synapses match a random input.

    Parameters
    ----------
    n_units : int
        Cells that synapses may come from (the papers' n).
    n_active : int
        Cells active in an input (a). Spikes beyond a pattern are more active cells.
    n_synapses : int
        Synapses on a segment, each from another cell (s).
    n_trials : int
        Trials; an input serves up to 1,000 of them.
    n_segments : int, default=1
        Segments drawn in each trial, of which the largest overlap counts (M).
    failure : float, default=0.0
        Probability that a synapse of an active cell transmits nothing, each by itself.
    rng : Generator, int or None
        Source of random numbers. The counts do not depend on the number of threads.
    n_threads : int, optional
        Threads to compute on; by default all that Numba may use.

    Returns
    -------
    ErrorCounts
        Counts of matches.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range, such as more active cells than cells.

    References
    ----------
    .. [1] S. Ahmad and J. Hawkins, "How do neurons operate on sparse distributed representations? A
       mathematical theory of sparsity, neurons and active dendrites", arXiv:1601.00720, 2016.
       Equation 4, Figure 4A.
    .. [2] S. Ahmad and J. Hawkins, "Properties of sparse distributed representations and their
       application to hierarchical temporal memory", arXiv:1503.07469, 2015.
       The classification, with several segments.
    """
    n_units, n_active = _check_sets(n_units, n_active=n_active)
    _, n_synapses = _check_sets(n_units, n_synapses=n_synapses)
    n_segments = check_count("n_segments", n_segments)
    numbers = (n_active, 0, n_units, n_synapses, n_segments, check_probability("failure", failure))
    counts = _count_matches(n_units, numbers, n_synapses, n_trials, rng, n_threads)
    return ErrorCounts(counts, "match")


def simulate_false_negatives(
    n_units: int,
    n_active: int,
    n_synapses: int,
    n_moved: int,
    *,
    n_trials: int,
    failure: float = 0.0,
    rng: Any = None,
    n_threads: int | None = None,
) -> ErrorCounts:
    """Count how often segments miss a noisy version of the pattern that they have learned.

    Parameters
    ----------
    n_units : int
        Cells that synapses may come from (the papers' n).
    n_active : int
        Cells active in the pattern (a).
    n_synapses : int
        Synapses that a segment samples from these cells, at most `n_active` (s).
    n_moved : int
        Active cells of the pattern that are silent in the input, while as many cells outside the
        pattern are active instead (v); at most ``n_units - n_active``.
    n_trials : int
        Trials; a pattern with its noise serves up to 1,000 of them.
    failure : float, default=0.0
        Probability that a synapse of an active cell transmits nothing, each by itself.
    rng : Generator, int or None
        Source of random numbers. The counts do not depend on the number of threads.
    n_threads : int, optional
        Threads to compute on; by default all that Numba may use.

    Returns
    -------
    ErrorCounts
        Counts of misses.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range, such as more synapses than active cells.

    References
    ----------
    .. [1] S. Ahmad and J. Hawkins, "How do neurons operate on sparse distributed representations? A
       mathematical theory of sparsity, neurons and active dendrites", arXiv:1601.00720, 2016.
       Equation 5, Figure 4B.
    """
    n_units, n_active = _check_sets(n_units, n_active=n_active)
    n_synapses = check_count("n_synapses", n_synapses, maximum=n_active)
    largest = min(n_active, n_units - n_active)
    n_moved = check_count("n_moved", n_moved, minimum=0, maximum=largest)
    numbers = (n_active, n_moved, n_active, n_synapses, 1, check_probability("failure", failure))
    counts = _count_matches(n_units, numbers, n_synapses, n_trials, rng, n_threads)
    return ErrorCounts(counts, "miss")


def simulate_union(
    n_units: int,
    n_active: int,
    n_synapses: int,
    n_patterns: int,
    *,
    n_trials: int,
    rng: Any = None,
    n_threads: int | None = None,
) -> UnionCounts:
    """Count how often a union of random sets matches a random input.

    Parameters
    ----------
    n_units : int
        Cells that synapses may come from (the papers' n).
    n_active : int
        Cells active in an input (a).
    n_synapses : int
        Cells in each of the sets that are united: synapses sampled from one pattern (s), or all
        its active cells (w).
    n_patterns : int
        Sets in the union (M).
    n_trials : int
        Trials, each with a union of its own; an input serves up to 1,000 of them.
    rng : Generator, int or None
        Source of random numbers. The counts do not depend on the number of threads.
    n_threads : int, optional
        Threads to compute on; by default all that Numba may use.

    Returns
    -------
    UnionCounts
        Counts of matches, and of the sizes of the unions.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range.

    Notes
    -----
    A segment of `n_active` synapses against a union of inputs is the same question with the names
    exchanged, and is counted by the same call.

    References
    ----------
    .. [1] S. Ahmad and J. Hawkins, "Properties of sparse distributed representations and their
       application to hierarchical temporal memory", arXiv:1503.07469, 2015.
       Section on unions.
    .. [2] S. Ahmad and J. Hawkins, "How do neurons operate on sparse distributed representations? A
       mathematical theory of sparsity, neurons and active dendrites", arXiv:1601.00720, 2016.
       Figure 7.
    """
    n_units, n_active = _check_sets(n_units, n_active=n_active)
    _, n_synapses = _check_sets(n_units, n_synapses=n_synapses)
    n_patterns = check_count("n_patterns", n_patterns)
    largest = min(n_units, n_patterns * n_synapses)

    def count(state: np.ndarray, n: int) -> np.ndarray:
        pool, mask = np.arange(n_units, dtype=np.int32), np.zeros(n_units, np.uint8)
        seen = np.full(n_units, -1)
        found = np.zeros(largest + n_active + 2, np.int64)
        counts, sizes = found[: n_active + 1], found[n_active + 1 :]
        with np.errstate(over="ignore"):  # words wrap, which only interpreted kernels notice
            count_unions(
                state, n_active, n_synapses, n_patterns, n, N_SERVED, pool, mask, seen, counts,
                sizes,
            )  # fmt: skip
        return found

    found = _in_blocks(count, n_trials, rng, n_threads)
    counts = np.zeros(largest + 1, np.int64)  # for thresholds as large as the union
    shared = min(largest, n_active) + 1
    counts[:shared] = found[:shared]
    return UnionCounts(counts, "match", found[n_active + 1 :])


def _count_matches(
    n_units: int,
    numbers: tuple[int, int, int, int, int, float],
    largest: int,
    n_trials: int,
    rng: Any,
    n_threads: int | None,
) -> np.ndarray:
    """Return how many trials had which overlap up to `largest`."""

    def count(state: np.ndarray, n: int) -> np.ndarray:
        pool, mask = np.arange(n_units, dtype=np.int32), np.zeros(n_units, np.uint8)
        counts = np.zeros(largest + 1, np.int64)
        with np.errstate(over="ignore"):  # words wrap, which only interpreted kernels notice
            count_matches(state, *numbers, n, N_SERVED, pool, mask, counts)
        return counts

    return _in_blocks(count, n_trials, rng, n_threads)


def _in_blocks(
    count: Callable[[np.ndarray, int], np.ndarray], n_trials: int, rng: Any, n_threads: int | None
) -> np.ndarray:
    """Return the sum of the counts of blocks, each with a state of its own."""
    n_trials = check_count("n_trials", n_trials)
    sizes = [min(BLOCK, n_trials - first) for first in range(0, n_trials, BLOCK)]
    states = random_states(rng, len(sizes))
    with threads(n_threads) as width:
        found = map_tiles(lambda i: count(states[i], sizes[i]), range(len(sizes)), width)
    return np.sum(found, axis=0)


def random_states(rng: Any, n_states: int) -> np.ndarray:
    """Return states of the kernels' random numbers, shape (n_states, 4)."""
    return check_rng(rng).integers(2**64, size=(n_states, 4), dtype=np.uint64)


def _check_sets(n_units: int, **size: int) -> tuple[int, int]:
    """Return the number of units, and how many of them a set holds."""
    ((name, value),) = size.items()
    n_units = check_count("n_units", n_units, maximum=2**31 - 1)
    if check_count(name, value) > n_units:
        raise ValueError(f"{name} must be at most n_units, {n_units}; got {value}.")
    return n_units, int(value)
