"""Hypergeometric and binomial tails, in logarithms that keep 12 digits of the probability.

Differences of log-gamma functions lose what the arguments are large by: at n = 200,000 their last
digits are worth 1e-9. Here the large parts of Stirling's formula are summed by hand: what is left
is a deviance, term by term without cancellation (Loader 2000, for the binomial; the same identity
holds for the four cells of the hypergeometric law), and a small correction.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

__all__ = [
    "log1mexp",
    "log_binomial_pmf",
    "log_binomial_tail",
    "log_hypergeometric_pmf",
    "log_hypergeometric_tail",
    "log_sum",
]

#: A term that is smaller, relative to the sum, is the last.
NEGLIGIBLE = 1e-18
#: Coefficients of Stirling's series in 1 / x, 1 / x^3, ...
STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)


def _remainder(x: np.ndarray) -> np.ndarray:
    """Return log(x!) - (x log x - x), for real x >= 0."""
    large = np.maximum(x, 16.0)
    square, series = large * large, np.zeros_like(large)
    for coefficient in reversed(STIRLING):
        series = series / square + coefficient
    small = np.clip(x, 1e-300, 16.0)  # x log x is 0 at 0
    return np.where(
        x > 16.0,
        0.5 * np.log(2.0 * np.pi * large) + series / large,
        gammaln(small + 1.0) - small * np.log(small) + small,
    )


def _deviance(observed: np.ndarray, expected: np.ndarray, excess: np.ndarray) -> np.ndarray:
    """Return o log(o / e) + e - o; `excess`, the difference of both, is known to more digits."""
    ratio = np.divide(excess, expected, out=np.zeros_like(expected), where=expected > 0.0)
    small = np.abs(ratio) < 0.1
    t = np.where(small, ratio, 0.0)
    series = np.zeros_like(t)
    for k in range(16, 1, -1):  # sum of (-t)^k / (k (k - 1))
        series = series * -t + 1.0 / (k * (k - 1))
    silent = observed <= 0.0
    t_large = np.where(small | silent, 1.0, ratio)
    whole = (1.0 + t_large) * np.log1p(t_large) - t_large
    return expected * np.where(silent, 1.0, np.where(small, series * t * t, whole))


def log_hypergeometric_pmf(n: ArrayLike, a: ArrayLike, s: ArrayLike, b: ArrayLike) -> np.ndarray:
    """Return log C(s, b) C(n - s, a - b) / C(n, a); `s` may be real. -inf outside the support."""
    n, a, s, b = np.broadcast_arrays(*(np.asarray(one, dtype=np.float64) for one in (n, a, s, b)))
    corner = n - a - s + b
    outside = (b < 0) | (b > a) | (b > s) | (corner < -1e-9)
    cells = [np.where(outside, 1.0, np.maximum(one, 0.0)) for one in (b, a - b, s - b, corner)]
    whole = np.maximum(n, 1.0)
    excess = (b * n - a * s) / whole
    expected = a * s / whole, a * (n - s) / whole, (n - a) * s / whole, (n - a) * (n - s) / whole
    total = -_remainder(n)
    for margin in (a, n - a, s, n - s):
        total = total + _remainder(np.maximum(margin, 0.0))
    for cell, mean, sign in zip(cells, expected, (1.0, -1.0, -1.0, 1.0)):
        mean, signed = np.where(outside, 1.0, mean), np.where(outside, 0.0, sign * excess)
        total = total - _remainder(cell) - _deviance(cell, mean, signed)
    return np.where(outside, -np.inf, total)


def log_binomial_pmf(m: np.ndarray, p: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return log C(m, b) p^b (1 - p)^(m - b); -inf outside the support."""
    m, p, b = np.broadcast_arrays(*(np.asarray(one, dtype=np.float64) for one in (m, p, b)))
    sure = (p <= 0.0) | (p >= 1.0)
    outside = (b < 0) | (b > m) | (sure & (b != np.where(p > 0.5, m, 0.0)))
    hits = np.where(outside, 0.0, b)
    given = outside | sure
    excess = np.where(given, 0.0, hits - m * p)
    means = np.where(given, hits, m * p), np.where(given, m - hits, m * (1.0 - p))
    total = _remainder(m) - _remainder(hits) - _remainder(m - hits)
    total = total - _deviance(hits, means[0], excess) - _deviance(m - hits, means[1], -excess)
    return np.where(outside, -np.inf, np.where(sure, 0.0, total))


def _log_series(
    log_first: np.ndarray,
    ratio: Callable[[int, tuple[np.ndarray, ...]], np.ndarray],
    arguments: tuple[np.ndarray, ...],
) -> np.ndarray:
    """Return the log of a sum of falling terms, whose ratios are known.

    `ratio` gives term k + 1 over term k, 0 after the last. Elements whose sum stands are left out.
    """
    total = np.ones(log_first.shape)
    where = np.arange(log_first.size)
    term = np.ones(log_first.size)
    k = 0
    while where.size:
        term = term * ratio(k, arguments)
        total[where] += term
        going = term > NEGLIGIBLE * total[where]
        if not going.all():
            where, term = where[going], term[going]
            arguments = tuple(one[going] for one in arguments)
        k += 1
    return log_first + np.log(total)


def _log_tail(
    first: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    mode: np.ndarray,
    arguments: tuple[np.ndarray, ...],
    log_pmf: Callable[..., np.ndarray],
    up: Callable[..., np.ndarray],
) -> np.ndarray:
    """Return log P(b >= first) of a law on low..high: by its upper terms, or 1 less the lower."""
    result = np.where(first <= low, 0.0, -np.inf)
    inside = (first > low) & (first <= high)
    for upper in (True, False):
        chosen = np.flatnonzero(inside & ((first > mode) == upper))
        if not chosen.size:
            continue
        start = first[chosen] if upper else first[chosen] - 1.0
        some = tuple(one[chosen] for one in arguments)

        def ratio(k: int, rest: tuple[np.ndarray, ...], upper: bool = upper) -> np.ndarray:
            *given, begin = rest
            if upper:
                return np.maximum(up(*given, begin + k), 0.0)
            step = up(*given, begin - k - 1.0)
            return np.divide(1.0, step, out=np.zeros_like(step), where=np.isfinite(step))

        with np.errstate(divide="ignore"):  # one step below the support the ratio is infinite
            logs = _log_series(log_pmf(*some, start), ratio, (*some, start))
        result[chosen] = logs if upper else log1mexp(logs)
    return result


def log_hypergeometric_tail(
    n: np.ndarray, a: np.ndarray, s: np.ndarray, first: np.ndarray
) -> np.ndarray:
    """Return log P(b >= first), b the overlap of `a` and `s` units of `n`; `s` may be real."""
    shape = np.broadcast_shapes(*map(np.shape, (n, a, s, first)))
    n, a, s, first = (
        np.broadcast_to(np.asarray(one, dtype=np.float64), shape).ravel()
        for one in (n, a, s, first)
    )
    low = np.maximum(np.ceil(a + s - n - 1e-9), 0.0)
    high = np.minimum(np.floor(s), a)
    mode = np.floor((a + 1.0) * (s + 1.0) / (n + 2.0))

    def up(n: np.ndarray, a: np.ndarray, s: np.ndarray, b: np.ndarray) -> np.ndarray:
        corner = n - a - s + b + 1.0
        below = (corner < 1.0 - 1e-9) | (b < 0.0)
        ratio = (s - b) * (a - b) / ((b + 1.0) * np.where(below, 1.0, corner))
        return np.where(below, np.inf, np.where((b + 1.0 > s) | (b + 1.0 > a), 0.0, ratio))

    tail = _log_tail(first, low, high, mode, (n, a, s), log_hypergeometric_pmf, up)
    return np.minimum(tail, 0.0).reshape(shape)


def log_binomial_tail(m: np.ndarray, p: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return log P(b >= first) for b binomial."""
    shape = np.broadcast_shapes(*map(np.shape, (m, p, first)))
    m, p, first = (
        np.broadcast_to(np.asarray(one, dtype=np.float64), shape).ravel() for one in (m, p, first)
    )
    low = np.where(p >= 1.0, m, 0.0)
    high = np.where(p <= 0.0, 0.0, m)

    def up(m: np.ndarray, p: np.ndarray, b: np.ndarray) -> np.ndarray:
        ratio = np.maximum(m - b, 0.0) * p / ((b + 1.0) * (1.0 - p))
        return np.where(b < 0.0, np.inf, ratio)

    tail = _log_tail(first, low, high, np.floor((m + 1.0) * p), (m, p), log_binomial_pmf, up)
    return np.minimum(tail, 0.0).reshape(shape)


def log1mexp(x: np.ndarray) -> np.ndarray:
    """Return log(1 - exp(x)) for x <= 0."""
    x = np.asarray(x, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return np.where(x > -0.7, np.log(-np.expm1(x)), np.log1p(-np.exp(x)))


def log_sum(terms: np.ndarray) -> np.ndarray:
    """Return the log of the sum of exponentials over the last axis."""
    largest = terms.max(axis=-1, keepdims=True)
    shift = np.where(np.isfinite(largest), largest, 0.0)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(terms - shift).sum(axis=-1)) + shift[..., 0]
