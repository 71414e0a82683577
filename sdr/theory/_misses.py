"""One segment, one pattern: how often a segment misses its own, damaged."""

from __future__ import annotations

from typing import Any

import numpy as np

from sdr.theory import _exact
from sdr.theory._arguments import broadcast, check_most, exactly, finished
from sdr.theory._recognition import LAST
from sdr.theory._tails import (
    log_binomial_pmf,
    log_binomial_tail,
    log_hypergeometric_pmf,
    log_hypergeometric_tail,
    log_sum,
)

__all__ = ["false_negative"]


def false_negative(
    a: Any,
    s: Any,
    n_moved: Any,
    theta: Any,
    *,
    failure: Any = 0.0,
    extra: Any = 0,
    n: Any = None,
    exact: bool = False,
    log: bool = False,
) -> Any:
    r"""Return the probability that a segment misses its own pattern, damaged by noise.

    The segment has sampled s of the pattern's a units, of which v = n_moved fall silent:

    .. math:: P = \sum_{b=s-\theta+1}^{\min(s, v)} \binom{s}{b} \binom{a-s}{v-b} / \binom{a}{v}

    Parameters
    ----------
    a : int or array_like of int
        Active units of the pattern.
    s : int or array_like of int
        Synapses of the segment, at most `a`.
    n_moved : int or array_like of int
        Active units that are moved elsewhere, outside the pattern, or simply lost; at most `a`.
    theta : int or array_like of int
        Threshold, at most `s`; see :func:`false_positive`.
    failure : float, Fraction or array_like, default=0
        Probability that an active synapse transmits nothing.
    extra : int or array_like of int, default=0
        Noise spikes on silent units, all equally likely: some may fall on the units that were
        lost. These are rare in a large population, whose size must be given.
    n : int or array_like of int, optional
        Units of the population, at least ``a + n_moved`` and ``a + extra``. Without `extra` the
        result does not depend on it.
    exact, log : bool, default=False
        As in :func:`false_positive`.

    Returns
    -------
    float, Fraction or ndarray
        Of the arguments' broadcast shape.

    Raises
    ------
    ValueError, TypeError
        As :func:`false_positive` does; also if `extra` is given without `n`.

    References
    ----------
    Ahmad and Hawkins 2016, arXiv:1601.00720. `failure` and `extra` follow from the same sums.

    Examples
    --------
    >>> from sdr.theory import false_negative
    >>> print(f"{false_negative(300, 30, 60, 12):.3g}")
    3.95e-08
    """
    population = {} if n is None else {"n": n}
    given = broadcast(
        a=a, s=s, n_moved=n_moved, theta=theta, failure=failure, extra=extra, **population
    )
    check_most("s", given["s"], "a", given["a"])
    if n is None:
        if given["extra"].any():
            raise ValueError(
                "n, the size of the population, must be given with extra noise spikes; got None."
            )
        given["n"] = given["a"] + given["n_moved"]
    check_most("n_moved", given["n_moved"], "n - a", given["n"] - given["a"])
    check_most("extra", given["extra"], "n - a", given["n"] - given["a"])
    if exact:
        return exactly(_exact.false_negative, given, log)
    given["failure"] = given["failure"].astype(np.float64)
    return finished(log_false_negative(**given), log)


def log_false_negative(
    a: np.ndarray,
    s: np.ndarray,
    n_moved: np.ndarray,
    theta: np.ndarray,
    failure: np.ndarray,
    extra: np.ndarray,
    n: np.ndarray,
) -> np.ndarray:
    """Return the log of the probability of a miss, summed over how many units noise brings back.

    The more it brings back the fewer misses, so that numbers too large to occur can be left out.
    """
    back = np.arange(int(np.minimum(n_moved, extra).max()) + 1)
    shape = a.shape
    a, s, n_moved, theta, failure, extra, n = (
        one.ravel()[:, None] for one in (a, s, n_moved, theta, failure, extra, n)
    )
    share = log_hypergeometric_pmf(n - a, extra, n_moved, back)
    likely = (share > share.max(axis=1, keepdims=True) + LAST).any(axis=0)
    last = int(np.flatnonzero(likely)[-1]) + 1
    share, lost = share[:, :last], np.maximum(n_moved - back[:last], 0)
    result = log_sum(share + log_hypergeometric_tail(a, lost, s, s - theta + 1))
    unsure = np.flatnonzero((failure > 0.0) & (theta > 0))
    if unsure.size:
        a, s, theta, failure, share, lost = (
            one[unsure] for one in (a, s, theta, failure, share, lost)
        )
        result[unsure] = _log_missed(a, s, theta, failure, share, lost)
    return np.minimum(result, 0.0).reshape(shape)


def _log_missed(
    a: np.ndarray,
    s: np.ndarray,
    theta: np.ndarray,
    failure: np.ndarray,
    share: np.ndarray,
    lost: np.ndarray,
) -> np.ndarray:
    """Sum over hits b their probability times that of feeling fewer than theta of them.

    The latter falls from b = s downwards by positive terms; below theta it is 1. Rows are cases,
    columns of `share` and `lost` the numbers of units that stay silent.
    """
    s, theta, failure = s[:, 0], theta[:, 0], failure[:, 0]
    with np.errstate(divide="ignore"):
        log_felt = np.log1p(-failure)
    missed = log_binomial_tail(s, failure, s - theta + 1)
    total = np.full(s.shape, -np.inf)
    for b in range(int(s.max()), -1, -1):
        hits = log_sum(share + log_hypergeometric_pmf(a, lost, s[:, None], s[:, None] - b))
        term = np.where(b <= s, hits + np.where(b < theta, 0.0, missed), -np.inf)
        total = np.logaddexp(total, term)
        if (term < total + LAST).all():  # terms rise, then fall ever faster
            break
        step = log_felt + log_binomial_pmf(np.maximum(b - 1.0, 0.0), failure, b - theta)
        missed = np.where(b <= s, np.logaddexp(missed, step), missed)
    return total
