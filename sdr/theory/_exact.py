"""The same formulas in whole numbers: slow, plain and exact."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import comb
from typing import Any

__all__ = [
    "binomial_below",
    "false_negative",
    "false_positive",
    "hypergeometric_tail",
    "real_hypergeometric_tail",
    "union_law",
]


def _overlaps(n: int, a: int, s: int) -> Iterator[tuple[int, int]]:
    """Give every overlap b and C(s, b) C(n - s, a - b), each from the one before."""
    low, high = max(0, a + s - n), min(a, s)
    ways = comb(s, low) * comb(n - s, a - low)
    for b in range(low, high + 1):
        yield b, ways
        ways = ways * (s - b) * (a - b) // ((b + 1) * (n - s - a + b + 1)) if b < high else 0


def hypergeometric_tail(n: int, a: int, s: int, first: int) -> Fraction:
    """Return P(overlap >= first)."""
    a, s = max(a, s), min(a, s)  # smaller numbers, the same law
    ways = sum(count for b, count in _overlaps(n, s, a) if b >= first)
    return Fraction(ways, comb(n, s))


def binomial_below(m: int, p: Fraction, theta: int) -> Fraction:
    """Return P(b < theta) for b binomial."""
    below = range(min(theta, m + 1))
    return sum((comb(m, b) * p**b * (1 - p) ** (m - b) for b in below), Fraction(0))


def false_positive(n: int, a: int, s: int, theta: int, failure: Any, extra: int) -> Fraction:
    """Return the probability that a random pattern matches."""
    a, failure = a + extra, Fraction(failure)
    if failure == 0:
        return hypergeometric_tail(n, a, s, theta)
    total = sum(
        count * (1 - binomial_below(b, 1 - failure, theta))
        for b, count in _overlaps(n, a, s)
        if b >= theta
    )
    return Fraction(total) / comb(n, a)


def false_negative(
    a: int, s: int, n_moved: int, theta: int, failure: Any, extra: int, n: int
) -> Fraction:
    """Return the probability that the segment's own pattern, damaged, is missed."""
    failure, total = Fraction(failure), Fraction(0)
    for recovered, count in _overlaps(n - a, extra, n_moved):
        for lost, ways in _overlaps(a, n_moved - recovered, s):
            missed = binomial_below(s - lost, 1 - failure, theta) if failure else s - lost < theta
            share = Fraction(count * ways, comb(n - a, extra) * comb(a, n_moved - recovered))
            total += share * missed
    return total


def union_law(n: int, s: int, n_patterns: int) -> list[Fraction]:
    """Return P(union of `n_patterns` random s-sets has u units), u = 0..n, by inclusion-exclusion.

    Of a given set of u units, the sum over j of (-1)^j C(u, j) C(u - j, s)^M tuples cover it.
    """
    powers = [comb(u, s) ** n_patterns for u in range(n + 1)]
    law, tuples = [Fraction(0)] * (n + 1), comb(n, s) ** n_patterns
    for u in range(s if n_patterns else 0, min(n, s * n_patterns) + 1):
        covering = sum((-1) ** j * comb(u, j) * powers[u - j] for j in range(u + 1))
        law[u] = Fraction(comb(n, u) * covering, tuples)
    return law


def real_hypergeometric_tail(n: int, a: int, s: Fraction, first: int) -> Fraction:
    """Return the tail with a rational s, by generalised binomials, as the float form does."""
    low, high = max(0, -((n - s - a) // 1)), min(s // 1, a)
    mode = ((a + 1) * (s + 1) / (n + 2)) // 1

    def share(b: int) -> Fraction:
        return _generalised(s, b) * _generalised(n - s, a - b) / comb(n, a)

    if first <= low:
        return Fraction(1)
    if first > mode:
        return sum((share(b) for b in range(first, high + 1)), Fraction(0))
    return 1 - sum((share(b) for b in range(low, first)), Fraction(0))


def _generalised(x: Fraction, k: int) -> Fraction:
    """Return C(x, k) for a rational x."""
    result = Fraction(1)
    for i in range(k):
        result = result * (x - i) / (i + 1)
    return result
