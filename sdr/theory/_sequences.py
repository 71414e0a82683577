"""Temporal memory: what false matches of many small segments do to a prediction."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from sdr.theory._arguments import broadcast, check_limits, exactly, finished
from sdr.theory._misses import false_negative
from sdr.theory._recognition import false_positive, log_any

__all__ = ["cell_false_positive", "prediction_accuracy", "prediction_jaccard", "segments_per_cell"]


def segments_per_cell(n: Any, a: Any, n_transitions: Any, *, exact: bool = False) -> Any:
    """Return how many segments a cell has once transitions are learnt: n_transitions a / n.

    Parameters
    ----------
    n, a : int or array_like of int
        Cells, and those active in each pattern. `n` is at least 1.
    n_transitions : int or array_like of int
        Transitions learnt; each gives one segment to each of `a` cells.
    exact : bool, default=False
        Return Fractions.

    Returns
    -------
    float, Fraction or ndarray
        The expected number, of the arguments' broadcast shape.

    Raises
    ------
    ValueError, TypeError
        If a count is negative, no integer or too large, `n` is 0, or an array is empty.
    """
    given = broadcast(n=n, a=a, n_transitions=n_transitions)
    if not given["n"].all():
        raise ValueError("n must be at least 1; got 0.")
    if exact:
        return exactly(lambda n, a, number: Fraction(number * a, n), given)
    number = given["n_transitions"] * given["a"] / given["n"]
    return float(number) if np.ndim(number) == 0 else number


def cell_false_positive(
    n: Any,
    a: Any,
    s: Any,
    theta: Any,
    n_transitions: Any,
    *,
    exact: bool = False,
    log: bool = False,
) -> Any:
    """Return the probability that a cell predicts wrongly: 1 - (1 - P)^m, m segments a cell.

    Parameters
    ----------
    n, a, s, theta : int or array_like of int
        As in :func:`false_positive`.
    n_transitions : int or array_like of int
        Transitions learnt; see :func:`segments_per_cell`.
    exact, log : bool, default=False
        Return Fractions, where m is a whole number; or natural logarithms.

    Returns
    -------
    float, Fraction or ndarray
        Of the arguments' broadcast shape.

    Raises
    ------
    ValueError, TypeError
        As :func:`false_positive` does; also if `exact` is asked for and m is no whole number.

    References
    ----------
    The authors' code of Ahmad and Hawkins 2016, arXiv:1601.00720.
    """
    given = broadcast(n=n, a=a, s=s, theta=theta, n_transitions=n_transitions)
    number = given.pop("n_transitions")
    segments = segments_per_cell(given["n"], given["a"], number, exact=exact)
    single = false_positive(**given, exact=exact, log=not exact)
    if not exact:
        return finished(log_any(np.asarray(single), np.asarray(segments)), log)
    arrays = {"single": np.array(single, object), "segments": np.array(segments, object)}
    return exactly(_exact_any, arrays, log)


def _exact_any(single: Fraction, segments: Fraction) -> Fraction:
    if segments.denominator != 1:
        raise ValueError(
            f"n_transitions a / n must be a whole number for an exact fraction; got {segments}. "
            f"Use exact=False."
        )
    return 1 - (1 - single) ** int(segments)


def prediction_jaccard(n: Any, a: Any, s: Any, theta: Any, n_transitions: Any) -> Any:
    """Return the expected Jaccard index of a prediction and what comes: a / (a + P_cell (n - a)).

    Parameters
    ----------
    n, a, s, theta, n_transitions : int or array_like of int
        As in :func:`cell_false_positive`; `a` is at least 1.

    Returns
    -------
    float or ndarray
        1 where no cell predicts wrongly.

    Raises
    ------
    ValueError, TypeError
        As :func:`cell_false_positive` does; also if `a` is 0.

    References
    ----------
    The authors' code of Ahmad and Hawkins 2016, arXiv:1601.00720.
    """
    given = broadcast(n=n, a=a, s=s, theta=theta, n_transitions=n_transitions)
    if not given["a"].all():
        raise ValueError("a must be at least 1; got 0.")
    wrong = cell_false_positive(n, a, s, theta, n_transitions) * (given["n"] - given["a"])
    index = given["a"] / (given["a"] + wrong)
    return float(index) if np.ndim(index) == 0 else index


def prediction_accuracy(
    a: Any, s: Any, n_moved: Any, theta: Any, *, exact: bool = False, log: bool = False
) -> Any:
    """Return the share of cells that predict rightly under noise, after one sequence.

    It is 1 less what :func:`false_negative` returns.

    Parameters
    ----------
    a, s, n_moved, theta : int or array_like of int
        As in :func:`false_negative`.
    exact, log : bool, default=False
        Return Fractions, or natural logarithms.

    Returns
    -------
    float, Fraction or ndarray
        Of the arguments' broadcast shape.

    Raises
    ------
    ValueError, TypeError
        As :func:`false_negative` does.

    References
    ----------
    The authors' code of Ahmad and Hawkins 2016, arXiv:1601.00720.

    Examples
    --------
    >>> from sdr.theory import prediction_accuracy
    >>> print(f"{prediction_accuracy(40, 20, 20, 12):.3f}")
    0.172
    """
    given = broadcast(a=a, s=s, n_moved=n_moved, theta=theta)
    # at least theta of the synapses on units that stay: the same tail, seen from the other side
    if exact:
        missed = np.array(false_negative(a, s, n_moved, theta, exact=True), dtype=object)
        return exactly(lambda one: 1 - one, {"missed": missed}, log)
    check_limits({"a": given["a"], "n": given["a"], "s": given["s"]})
    kept = given["a"] - given["n_moved"]
    return false_positive(given["a"], kept, given["s"], given["theta"], log=log)
