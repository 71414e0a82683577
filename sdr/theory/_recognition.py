"""One segment, one pattern: how often a segment matches what it should not."""

from __future__ import annotations

from fractions import Fraction
from math import comb
from typing import Any

import numpy as np

from sdr.theory import _exact
from sdr.theory._arguments import (
    broadcast,
    check_most,
    exactly,
    finished,
)
from sdr.theory._tails import (
    log1mexp,
    log_binomial_pmf,
    log_hypergeometric_pmf,
    log_hypergeometric_tail,
)

__all__ = [
    "any_false_positive",
    "false_positive",
    "false_positive_single_term",
    "overlap_probability",
    "overlap_set_size",
]

#: Log of the share of a sum at which a falling term is the last.
LAST = -45.0


def overlap_set_size(n: Any, a: Any, s: Any, b: Any) -> Any:
    """Count the patterns that overlap a segment in exactly b units: C(s, b) C(n - s, a - b).

    Parameters
    ----------
    n, a : int or array_like of int
        Units of the population, and active ones among them.
    s : int or array_like of int
        Synapses of the segment, at most `n`.
    b : int or array_like of int
        Overlap, at most `s`.

    Returns
    -------
    int or ndarray of object
        Python integers, which do not overflow, of the arguments' broadcast shape.

    Raises
    ------
    ValueError, TypeError
        If a count is negative, no integer or too large, or an array is empty.

    References
    ----------
    Ahmad and Hawkins 2016, arXiv:1601.00720, the size of the overlap set.

    Examples
    --------
    >>> from sdr.theory import overlap_set_size
    >>> overlap_set_size(10, 3, 4, 2)
    36
    """
    return exactly(
        lambda n, a, s, b: comb(s, b) * comb(n - s, a - b) if b <= a else 0,
        broadcast(n=n, a=a, s=s, b=b),
    )


def overlap_probability(
    n: Any, a: Any, s: Any, b: Any, *, exact: bool = False, log: bool = False
) -> Any:
    """Return the probability that a random pattern overlaps a segment in exactly b units.

    Parameters
    ----------
    n, a, s, b : int or array_like of int
        As in :func:`overlap_set_size`.
    exact : bool, default=False
        Return Fractions instead of floats.
    log : bool, default=False
        Return natural logarithms.

    Returns
    -------
    float, Fraction or ndarray
        Of the arguments' broadcast shape.

    Raises
    ------
    ValueError, TypeError
        As :func:`overlap_set_size` does.

    References
    ----------
    Ahmad and Hawkins 2016, arXiv:1601.00720: the hypergeometric law.
    """
    given = broadcast(n=n, a=a, s=s, b=b)
    if exact:
        return exactly(
            lambda n, a, s, b: Fraction(
                comb(s, b) * comb(n - s, a - b) if b <= a else 0, comb(n, a)
            ),
            given, log,
        )  # fmt: skip
    return finished(log_hypergeometric_pmf(given["n"], given["a"], given["s"], given["b"]), log)


def false_positive(
    n: Any,
    a: Any,
    s: Any,
    theta: Any,
    *,
    failure: Any = 0.0,
    extra: Any = 0,
    exact: bool = False,
    log: bool = False,
) -> Any:
    r"""Return the probability that a random pattern makes a segment match.

    .. math:: P = \sum_{b=\theta}^{\min(s, a)} \binom{s}{b} \binom{n-s}{a-b} / \binom{n}{a}

    Parameters
    ----------
    n : int or array_like of int
        Units of the population.
    a : int or array_like of int
        Active units, at most `n`.
    s : int or array_like of int
        Synapses of the segment, at most `n`, on different units.
    theta : int or array_like of int
        Threshold: the segment matches from an overlap of `theta` on. At most `s`, for a segment
        with a larger one can never match. Where it exceeds `a` the result is 0.
    failure : float, Fraction or array_like, default=0
        Probability that an active synapse transmits nothing, each on its own: of b active ones,
        Bin(b, 1 - failure) are felt.
    extra : int or array_like of int, default=0
        Noise spikes of further units, so that a + extra are active.
    exact : bool, default=False
        Return Fractions, by whole numbers; a float `failure` counts as the binary fraction it is.
    log : bool, default=False
        Return natural logarithms, which do not underflow.

    Returns
    -------
    float, Fraction or ndarray
        Of the arguments' broadcast shape. Floats are right to 10 digits, however small.

    Raises
    ------
    ValueError, TypeError
        If a count is negative, no integer or too large, `theta` exceeds `s`, `failure` lies outside
        [0, 1], an array is empty, or shapes do not broadcast.

    References
    ----------
    Ahmad and Hawkins 2016, arXiv:1601.00720. `failure` and `extra` follow from the same sums.

    Examples
    --------
    >>> from sdr.theory import false_positive
    >>> print(f"{false_positive(10_000, 300, 30, 12):.3g}")
    2.28e-11
    """
    given = broadcast(n=n, a=a, s=s, theta=theta, failure=failure, extra=extra)
    check_most("a + extra", given["a"] + given["extra"], "n", given["n"])
    if exact:
        return exactly(_exact.false_positive, given, log)
    active = given["a"] + given["extra"]
    return finished(
        log_false_positive(
            given["n"], active, given["s"], given["theta"], given["failure"].astype(np.float64)
        ),
        log,
    )


def log_false_positive(
    n: np.ndarray, a: np.ndarray, s: np.ndarray, theta: np.ndarray, failure: np.ndarray
) -> np.ndarray:
    """Return the log of the probability of a false positive, for checked arguments."""
    result = np.array(log_hypergeometric_tail(n, a, s, theta))
    unsure = (failure > 0.0) & (theta > 0)
    if unsure.any():
        n, a, s, theta, failure = (
            np.broadcast_to(one, result.shape)[unsure] for one in (n, a, s, theta, failure)
        )
        result[unsure] = _log_failing_false_positive(n, a, s, theta, failure)
    return result


def _log_failing_false_positive(
    n: np.ndarray, a: np.ndarray, s: np.ndarray, theta: np.ndarray, failure: np.ndarray
) -> np.ndarray:
    """Sum over overlaps b the probability of b times that of feeling theta of them.

    The latter rises from b to b + 1 by the probability that synapse b + 1 is felt, and exactly
    theta - 1 before it: a sum of positive terms.
    """
    most = np.minimum(np.floor(s), a)
    with np.errstate(divide="ignore"):
        log_felt = np.log1p(-failure)
        felt = np.where(theta > 0, theta * log_felt, 0.0)
    total = np.full(np.shape(n), -np.inf)
    for k in range(int((most - theta).max()) + 1):
        b = theta + k
        term = np.where(b <= most, log_hypergeometric_pmf(n, a, s, b) + felt, -np.inf)
        total = np.logaddexp(total, term)
        if (term < total + LAST).all():  # terms rise, then fall ever faster
            break
        felt = np.logaddexp(felt, log_felt + log_binomial_pmf(b, failure, b - theta + 1))
    return np.minimum(total, 0.0)


def false_positive_single_term(n: Any, a: Any, s: Any, theta: Any, *, log: bool = False) -> Any:
    """Return the first term of the false-positive probability, that of an overlap of theta.

    Usable for `theta` well above s a / n: for s = a = 40 of n = 2048 it is low by 33, 10, 4 and
    1 % at theta = 1, 5, 10 and 20.

    Parameters
    ----------
    n, a, s, theta : int or array_like of int
        As in :func:`false_positive`.
    log : bool, default=False
        Return natural logarithms.

    Returns
    -------
    float or ndarray
        Of the arguments' broadcast shape.

    Raises
    ------
    ValueError, TypeError
        As :func:`false_positive` does.

    References
    ----------
    Ahmad and Hawkins 2015, arXiv:1503.07469.
    """
    given = broadcast(n=n, a=a, s=s, theta=theta)
    return finished(log_hypergeometric_pmf(given["n"], given["a"], given["s"], given["theta"]), log)


def any_false_positive(
    n: Any,
    a: Any,
    s: Any,
    theta: Any,
    n_segments: Any,
    *,
    failure: Any = 0.0,
    extra: Any = 0,
    exact: bool = False,
    log: bool = False,
) -> Any:
    """Return the probability that a random pattern makes any of several segments match.

    It is ``1 - (1 - P)^n_segments`` for independent segments, at most ``n_segments * P``, where P
    is what :func:`false_positive` returns.

    Parameters
    ----------
    n, a, s, theta : int or array_like of int
        As in :func:`false_positive`.
    n_segments : int or array_like of int
        Segments, each with synapses of its own.
    failure : float, Fraction or array_like, default=0
        As in :func:`false_positive`.
    extra : int or array_like of int, default=0
        As in :func:`false_positive`.
    exact, log : bool, default=False
        As in :func:`false_positive`. An exact power of a million segments has millions of digits.

    Returns
    -------
    float, Fraction or ndarray
        Of the arguments' broadcast shape.

    Raises
    ------
    ValueError, TypeError
        As :func:`false_positive` does.

    References
    ----------
    Ahmad and Hawkins 2016, arXiv:1601.00720.
    """
    given = broadcast(
        n=n, a=a, s=s, theta=theta, n_segments=n_segments, failure=failure, extra=extra
    )
    number = given.pop("n_segments")
    single = false_positive(**given, exact=exact, log=not exact)
    if exact:
        arrays = {"single": np.asarray(single, dtype=object), "number": number}
        return exactly(lambda one, number: 1 - (1 - one) ** number, arrays, log)
    return finished(log_any(np.asarray(single), number), log)


def log_any(log_single: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Return log(1 - (1 - P)^number), for an integer or a real number of trials."""
    log_single, number = np.broadcast_arrays(log_single, np.asarray(number, dtype=np.float64))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        none = number * log1mexp(log_single)  # log of the probability of none
        usual = log1mexp(np.where(none < 0.0, none, -1.0))
        small = np.log(number) + log_single  # where none rounds to 0, or nearly so
    result = np.where((log_single < -500.0) | (none >= 0.0), small, usual)
    return np.where((number == 0.0) | (log_single == -np.inf), -np.inf, result)
