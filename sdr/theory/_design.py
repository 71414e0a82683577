"""Backwards: the segment, the thresholds and the number of patterns that keep given error rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sdr.theory._arguments import LARGEST, check_most, check_probability
from sdr.theory._misses import false_negative
from sdr.theory._recognition import false_positive, log_any
from sdr.theory._unions import union_false_positive, union_size
from sparsecode._validation import check_count

__all__ = ["SegmentDesign", "design_segment", "largest_union", "threshold_range"]

#: Segments that are examined at once.
CHUNK = 64


@dataclass(frozen=True, slots=True)
class SegmentDesign:
    """A segment that keeps wanted error rates.

    Attributes
    ----------
    n_synapses : int
        Synapses for each pattern.
    theta : int
        Threshold: of those allowed, the one whose errors lie furthest below what is wanted.
    theta_range : tuple of int
        Smallest and largest threshold that keep both error rates.
    false_positive : float
        Probability, at `theta`, that a random pattern matches any of the segments.
    false_negative : float
        Probability, at `theta`, that a segment misses a pattern of its own.
    """

    n_synapses: int
    theta: int
    theta_range: tuple[int, int]
    false_positive: float
    false_negative: float


@dataclass(frozen=True)
class _Task:
    """What is wanted of a segment, in which world."""

    n: int
    a: int
    log_false_positive: float
    log_false_negative: float
    n_moved: int
    n_patterns: int
    n_segments: int
    failure: float
    extra: int

    def false_positives(self, s: Any, theta: Any) -> np.ndarray:
        """Return the log probability that any segment matches a random pattern."""
        single = union_false_positive(
            self.n, self.a, s, theta, self.n_patterns,
            failure=self.failure, extra=self.extra, log=True,
        )  # fmt: skip
        return log_any(np.asarray(single), np.asarray(self.n_segments))

    def least_false_positives(self, s: Any, theta: Any) -> np.ndarray:
        """Return a bound from below, which needs no law of the union's size.

        That size is a sum of independent indicators (Vatutin and Mikhailov 1982), so that its
        median is at least its expectation rounded down: half of the unions are that large.
        """
        size = np.floor(np.asarray(union_size(self.n, s, self.n_patterns)))
        size = np.minimum(np.maximum(size.astype(np.int64), s), self.n)  # each holds one pattern
        single = np.asarray(
            false_positive(
                self.n, self.a, size, theta, failure=self.failure, extra=self.extra, log=True
            )
        )
        half = 0.0 if self.n_patterns == 1 else np.log(0.5)
        return log_any(single + half, np.asarray(self.n_segments))

    def false_negatives(self, s: Any, theta: Any) -> np.ndarray:
        """Return the log probability that a segment misses one of its patterns."""
        return np.asarray(
            false_negative(
                self.a, s, self.n_moved, theta,
                failure=self.failure, extra=self.extra, n=self.n, log=True,
            )
        )  # fmt: skip

    def highest_theta(self, s: np.ndarray) -> np.ndarray:
        """Return, for each s, the largest threshold with few enough misses, by bisection."""
        low, high = np.zeros_like(s), s.copy()  # misses are few enough at low: none at 0
        while (low < high).any():
            middle = (low + high + 1) // 2
            good = self.false_negatives(s, middle) <= self.log_false_negative
            low, high = np.where(good, middle, low), np.where(good, high, middle - 1)
        return low

    def lowest_theta(self, s: int, high: int) -> int:
        """Return the smallest threshold with few enough false positives, at most `high`."""
        low = 0
        while low < high:
            middle = (low + high) // 2
            if self.false_positives(s, middle) <= self.log_false_positive:
                high = middle
            else:
                low = middle + 1
        return high

    def design(self, s: int, low: int, high: int) -> SegmentDesign:
        """Choose the threshold whose larger error, relative to what is wanted, is smallest."""
        thetas = np.arange(low, high + 1)
        matched, missed = self.false_positives(s, thetas), self.false_negatives(s, thetas)
        margin = np.maximum(matched - self.log_false_positive, missed - self.log_false_negative)
        best = int(np.argmin(margin))
        return SegmentDesign(
            s, int(thetas[best]), (low, high), float(np.exp(matched[best])),
            float(np.exp(missed[best])),
        )  # fmt: skip


def _task(
    n: Any, a: Any, max_false_positive: Any, max_false_negative: Any, noise: Any,
    n_patterns: Any, n_segments: Any, failure: Any, extra: Any,
) -> _Task:  # fmt: skip
    """Check what is wanted."""
    n, a = check_count("n", n), check_count("a", a)
    check_most("a", np.asarray(a), "n", np.asarray(n))
    extra = check_count("extra", extra, minimum=0)
    check_most("a + extra", np.asarray(a + extra), "n", np.asarray(n))
    wanted = _above_0("max_false_positive", max_false_positive)
    missed = _above_0("max_false_negative", max_false_negative)
    n_moved = int(np.rint(_one_probability("noise", noise) * a))
    check_most("a, with the units that noise moves,", np.asarray(a + n_moved), "n", np.asarray(n))
    return _Task(
        n, a, float(np.log(wanted)), float(np.log(missed)), n_moved,
        check_count("n_patterns", n_patterns), check_count("n_segments", n_segments),
        _one_probability("failure", failure), extra,
    )  # fmt: skip


def _one_probability(name: str, value: Any) -> float:
    array = check_probability(name, value)
    if array.ndim:
        raise TypeError(f"{name} must be one number between 0 and 1; got shape {array.shape}.")
    return float(array)


def _above_0(name: str, value: Any) -> float:
    value = _one_probability(name, value)
    if value == 0.0:
        raise ValueError(f"{name} must be above 0, for no segment is without error; got 0.")
    return value


def design_segment(
    n: int,
    a: int,
    max_false_positive: float,
    max_false_negative: float,
    *,
    noise: float = 0.0,
    n_patterns: int = 1,
    n_segments: int = 1,
    failure: float = 0.0,
    extra: int = 0,
) -> SegmentDesign:
    """Find the smallest segment that keeps both error rates, and its thresholds.

    Parameters
    ----------
    n, a : int
        Units of the population, and active ones among them.
    max_false_positive : float
        Largest probability, above 0, that a random pattern matches any of the segments.
    max_false_negative : float
        Largest probability, above 0, that a segment misses a damaged pattern of its own.
    noise : float, default=0
        Fraction of a pattern's active units that are moved elsewhere, rounded to whole units.
    n_patterns : int, default=1
        Patterns that a segment holds, with as many synapses for each; the exact law of their
        union is used.
    n_segments : int, default=1
        Segments of which none may match a random pattern.
    failure : float, default=0
        Probability that an active synapse transmits nothing.
    extra : int, default=0
        Noise spikes of further units.

    Returns
    -------
    SegmentDesign

    Raises
    ------
    ValueError
        If no segment of up to `a` synapses keeps both rates: the sentence says what the best one
        reaches. Also if a number is out of range.
    TypeError
        If a count is no integer or a probability no number.

    References
    ----------
    By the formulas of Ahmad and Hawkins 2016, arXiv:1601.00720.

    Examples
    --------
    >>> from sdr.theory import design_segment
    >>> found = design_segment(20_000, 200, 1e-9, 1e-2, noise=0.4)
    >>> found.n_synapses, found.theta_range
    (19, (7, 7))
    """
    task = _task(
        n, a, max_false_positive, max_false_negative, noise, n_patterns, n_segments, failure, extra
    )
    for first in range(1, a + 1, CHUNK):
        s = np.arange(first, min(first + CHUNK, a + 1))
        high = task.highest_theta(s)
        bound = task.least_false_positives(s, high)
        for index in np.flatnonzero(bound <= task.log_false_positive):
            one, most = int(s[index]), int(high[index])
            if task.false_positives(one, most) <= task.log_false_positive:
                return task.design(one, task.lowest_theta(one, most), most)
    most = int(task.highest_theta(np.array([a]))[0])
    reached = float(np.exp(task.false_positives(a, most)))
    raise ValueError(
        f"A segment of at most a = {a} synapses must reach a false-positive probability of "
        f"{max_false_positive:.3g} with at most {max_false_negative:.3g} misses; with so few "
        f"misses all of them and theta = {most} reach {reached:.3g}. Allow more errors, "
        f"less noise or fewer patterns."
    )


def threshold_range(
    n: int,
    a: int,
    s: int,
    max_false_positive: float,
    max_false_negative: float,
    *,
    noise: float = 0.0,
    n_patterns: int = 1,
    n_segments: int = 1,
    failure: float = 0.0,
    extra: int = 0,
) -> tuple[int, int]:
    """Find the smallest and the largest threshold at which a segment keeps both error rates.

    Parameters
    ----------
    n, a : int
        Units of the population, and active ones among them.
    s : int
        Synapses of the segment for each pattern, at least 1 and at most `a`.
    max_false_positive, max_false_negative : float
        As in :func:`design_segment`.
    noise : float, default=0
        As in :func:`design_segment`.
    n_patterns, n_segments : int, default=1
        As in :func:`design_segment`.
    failure : float, default=0
        As in :func:`design_segment`.
    extra : int, default=0
        As in :func:`design_segment`.

    Returns
    -------
    tuple of int
        Both ends included.

    Raises
    ------
    ValueError
        If there is none: the sentence says what is reached. Also if a number is out of range.
    TypeError
        If a count is no integer or a probability no number.

    Examples
    --------
    >>> from sdr.theory import threshold_range
    >>> threshold_range(20_000, 200, 30, 1e-9, 1e-2, noise=0.4)
    (8, 12)
    """
    task = _task(
        n, a, max_false_positive, max_false_negative, noise, n_patterns, n_segments, failure, extra
    )
    s = check_count("s", s, maximum=a)
    high = int(task.highest_theta(np.array([s]))[0])
    reached = float(task.false_positives(s, high))
    if reached > task.log_false_positive:
        raise ValueError(
            f"A threshold for s = {s} must keep false positives at {max_false_positive:.3g} and "
            f"misses at {max_false_negative:.3g}; with so few misses, theta = {high} is the "
            f"largest and has false positives at {np.exp(reached):.3g}. Take more synapses or "
            f"allow more errors."
        )
    return task.lowest_theta(s, high), high


def largest_union(
    n: int,
    a: int,
    s: int,
    theta: int,
    max_false_positive: float,
    *,
    n_segments: int = 1,
    form: str = "exact",
    failure: float = 0.0,
    extra: int = 0,
) -> int:
    """Find how many patterns a segment can hold before false positives become too many.

    Parameters
    ----------
    n, a, s, theta : int
        As in :func:`union_false_positive`.
    max_false_positive : float
        Largest probability, above 0, that a random pattern matches any of the segments.
    n_segments : int, default=1
        Segments of which none may match.
    form : {"exact", "expected", "rounded"}, default="exact"
        As in :func:`union_false_positive`.
    failure : float, default=0
        As in :func:`design_segment`.
    extra : int, default=0
        As in :func:`design_segment`.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If one pattern is too many, or no number is. Also if a number is out of range.
    TypeError
        If a count is no integer or a probability no number.

    Examples
    --------
    >>> from sdr.theory import largest_union
    >>> largest_union(10_000, 200, 25, 15, 1e-9)
    3
    """
    wanted, number = _above_0("max_false_positive", max_false_positive), 1
    n_segments = check_count("n_segments", n_segments)
    n, a, s, theta = (
        check_count(name, value, minimum=0)
        for name, value in (("n", n), ("a", a), ("s", s), ("theta", theta))
    )

    def reached(n_patterns: int) -> float:
        single = union_false_positive(
            n, a, s, theta, n_patterns, form=form, failure=failure, extra=extra, log=True
        )
        return float(np.exp(log_any(np.asarray(single), np.asarray(n_segments))))

    if reached(1) > wanted:
        raise ValueError(
            f"A segment must keep false positives at {wanted:.3g} with one pattern at least; it "
            f"has {reached(1):.3g}. Raise theta or take fewer synapses."
        )
    whole = false_positive(n, a, n, theta, failure=failure, extra=extra, log=True)
    if s == 0 or float(np.exp(log_any(np.asarray(whole), np.asarray(n_segments)))) <= wanted:
        raise ValueError(
            f"Some number of patterns must bring false positives above {wanted:.3g}; got a segment "
            f"that keeps them there even with a synapse on every unit."
        )
    while reached(2 * number) <= wanted:
        number *= 2
        if 2 * number > LARGEST:
            raise ValueError(
                f"The largest number of patterns must be at most {LARGEST}; got more. Ask for "
                f"fewer false positives."
            )
    low, high = number, 2 * number  # few enough at low, too many at high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if reached(middle) <= wanted else (low, middle)
    return low
