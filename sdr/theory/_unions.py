"""A segment that holds several patterns: how large their union is, and what else it matches."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from sdr.theory import _exact
from sdr.theory._arguments import broadcast, check_most, exactly, finished
from sdr.theory._recognition import log_false_positive
from sdr.theory._tails import log_hypergeometric_pmf, log_sum
from sparsecode._validation import check_count, check_option

__all__ = [
    "bloom_false_positive",
    "union_false_positive",
    "union_size",
    "union_size_distribution",
    "unset_probability",
]

#: Forms of the false-positive probability of a union.
FORMS = ("exact", "expected", "rounded")
#: Sizes of a union that are less likely than the likeliest by more than this, in logarithms, are
#: left out: they matter to no probability above 1e-600.
IMPOSSIBLE = 1500.0
#: Transition probabilities that are kept in memory.
MOST_KEPT = 2**24


def _log_unset(n: np.ndarray, s: np.ndarray, n_patterns: np.ndarray) -> np.ndarray:
    """Return log (1 - s/n)^M, 0 for no pattern."""
    share = np.divide(s, n, out=np.zeros(np.shape(s)), where=n > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(n_patterns > 0, n_patterns * np.log1p(-share), 0.0)


def _exact_unset(n: int, s: int, n_patterns: int) -> Fraction:
    return (1 - Fraction(s, max(n, 1))) ** n_patterns


def unset_probability(
    n: Any, s: Any, n_patterns: Any, *, exact: bool = False, log: bool = False
) -> Any:
    """Return the probability that a unit is in none of several patterns: (1 - s/n)^M.

    Parameters
    ----------
    n : int or array_like of int
        Units of the population.
    s : int or array_like of int
        Units of each random pattern, at most `n`.
    n_patterns : int or array_like of int
        Patterns M.
    exact, log : bool, default=False
        Return Fractions, or natural logarithms.

    Returns
    -------
    float, Fraction or ndarray
        Of the arguments' broadcast shape.

    Raises
    ------
    ValueError, TypeError
        If a count is negative, no integer or too large, or an array is empty.

    References
    ----------
    Ahmad and Hawkins 2016, arXiv:1601.00720, unions.
    """
    given = broadcast(n=n, s=s, n_patterns=n_patterns)
    if exact:
        return exactly(_exact_unset, given, log)
    return finished(_log_unset(**given), log)


def union_size(n: Any, s: Any, n_patterns: Any, *, exact: bool = False) -> Any:
    """Return the expected number of units in a union of random patterns, n (1 - (1 - s/n)^M).

    Parameters
    ----------
    n, s, n_patterns : int or array_like of int
        As in :func:`unset_probability`.
    exact : bool, default=False
        Return Fractions.

    Returns
    -------
    float, Fraction or ndarray
        Of the arguments' broadcast shape.

    Raises
    ------
    ValueError, TypeError
        As :func:`unset_probability` does.

    References
    ----------
    Ahmad and Hawkins 2016, arXiv:1601.00720, unions: E[ON].

    Examples
    --------
    >>> from sdr.theory import union_size
    >>> print(f"{union_size(1000, 25, 10):.2f}")
    223.67
    """
    given = broadcast(n=n, s=s, n_patterns=n_patterns)
    if exact:
        return exactly(lambda n, s, number: n * (1 - _exact_unset(n, s, number)), given)
    size = -given["n"] * np.expm1(_log_unset(**given)) + 0.0
    return float(size) if np.ndim(size) == 0 else size


def union_size_distribution(
    n: int, s: int, n_patterns: int, *, exact: bool = False, log: bool = False
) -> np.ndarray:
    """Return the law of the number of units in a union of random patterns.

    By a Markov chain: of a further pattern's s units, s - b are new where b, hypergeometric, are
    in the union already. Exactly, by inclusion and exclusion over the units left out.

    Parameters
    ----------
    n, s, n_patterns : int
        As in :func:`unset_probability`; one of each.
    exact, log : bool, default=False
        Return Fractions, or natural logarithms.

    Returns
    -------
    ndarray of shape (n + 1,)
        The probability of each size from 0 to `n`.

    Raises
    ------
    ValueError, TypeError
        As :func:`unset_probability` does.
    """
    n, s = check_count("n", n, minimum=0), check_count("s", s, minimum=0)
    n_patterns = check_count("n_patterns", n_patterns, minimum=0)
    check_most("s", np.asarray(s), "n", np.asarray(n))
    if exact:
        if log:
            raise ValueError(
                "exact and log must not both be True: the logarithm of a fraction is not one."
            )
        return np.array(_exact.union_law(n, s, n_patterns), dtype=object)
    law = np.full(n + 1, -np.inf)
    found = log_union_laws(n, s, (n_patterns,))[n_patterns]
    law[: found.size] = found
    return law if log else np.exp(law)


def log_union_laws(n: int, s: int, wanted: tuple[int, ...]) -> dict[int, np.ndarray]:
    """Return the log law of the union's size, from 0 up to its largest, for each number wanted."""
    added = _added(n, s, min(n, s * max(wanted)))
    law, low, laws = np.array([0.0]), 0, {}  # of sizes from `low` on
    for number in range(max(wanted) + 1):
        if number in wanted:
            laws[number] = np.concatenate([np.full(low, -np.inf), law])
        after = np.full(min(n, low + law.size - 1 + s) - low + 1, -np.inf)
        for new in range(min(s + 1, after.size) if number < max(wanted) else 0):
            width = min(law.size, after.size - new)
            moved = law[:width] + added(new, slice(low, low + width))
            after[new : new + width] = np.logaddexp(after[new : new + width], moved)
        kept = np.flatnonzero(after > after.max() - IMPOSSIBLE)
        if kept.size:
            law, low = after[kept[0] : kept[-1] + 1], low + int(kept[0])
    return laws


def _added(n: int, s: int, largest: int) -> Callable[[int, slice], np.ndarray]:
    """Return the function that gives log P(a pattern adds `new` units), for unions of many sizes.

    All are calculated ahead, unless they are too many to keep.
    """
    sizes = np.arange(largest + 1)
    if (s + 1) * sizes.size > MOST_KEPT:
        return lambda new, some: log_hypergeometric_pmf(n, s, sizes[some], s - new)
    table = [log_hypergeometric_pmf(n, s, sizes, s - new) for new in range(s + 1)]
    return lambda new, some: table[new][some]


def bloom_false_positive(
    n: Any, w: Any, n_patterns: Any, *, exact: bool = False, log: bool = False
) -> Any:
    """Return the Bloom filter's probability that a random pattern lies in a union: (1-(1-w/n)^M)^w.

    It takes the w units of the pattern for independent, though they are drawn without replacement
    from a union of limited size: for n = 1024, w = 20, M = 20 it is 38 % high. The exact one is
    ``union_false_positive(n, w, w, w, n_patterns)``.

    Parameters
    ----------
    n : int or array_like of int
        Units of the population.
    w : int or array_like of int
        Active units of each pattern, at most `n`.
    n_patterns : int or array_like of int
        Patterns M in the union.
    exact, log : bool, default=False
        Return Fractions (of this same formula), or natural logarithms.

    Returns
    -------
    float, Fraction or ndarray
        Of the arguments' broadcast shape.

    Raises
    ------
    ValueError, TypeError
        If a count is negative, no integer or too large, or an array is empty.

    References
    ----------
    Ahmad and Hawkins 2015, arXiv:1503.07469, exact matches in a union.
    """
    arrays = broadcast(n=n, w=w, n_patterns=n_patterns)
    check_most("w", arrays["w"], "n", arrays["n"])
    if exact:
        return exactly(lambda n, w, number: (1 - _exact_unset(n, w, number)) ** w, arrays, log)
    with np.errstate(divide="ignore", invalid="ignore"):  # the log of 0, and 0 times that
        share = np.log(-np.expm1(_log_unset(arrays["n"], arrays["w"], arrays["n_patterns"])))
        return finished(np.where(arrays["w"] > 0, arrays["w"] * share, 0.0), log)


def union_false_positive(
    n: Any,
    a: Any,
    s: Any,
    theta: Any,
    n_patterns: Any,
    *,
    form: str = "exact",
    failure: Any = 0.0,
    extra: Any = 0,
    exact: bool = False,
    log: bool = False,
) -> Any:
    """Return the probability that a random pattern matches a segment that holds several others.

    The segment samples s units of each of M random patterns; it has as many synapses as the union
    has units. With the arguments `a` and `s` exchanged it is the input that is the union of M
    patterns, for an overlap is symmetric.

    Parameters
    ----------
    n, a, s, theta : int or array_like of int
        As in :func:`false_positive`; `s` counts the synapses for each pattern.
    n_patterns : int or array_like of int
        Patterns M.
    form : {"exact", "expected", "rounded"}, default="exact"
        "exact" averages over the law of the union's size. The papers put its expectation in the
        place of `s`, within about 5 %: "expected" by binomials of a real argument, "rounded" by
        the nearest integer.
    failure : float, Fraction or array_like, default=0
        As in :func:`false_positive`.
    extra : int or array_like of int, default=0
        As in :func:`false_positive`.
    exact, log : bool, default=False
        As in :func:`false_positive`. ``exact=True`` returns the chosen form in Fractions; that of
        "expected" is offered without `failure`.

    Returns
    -------
    float, Fraction or ndarray
        Of the arguments' broadcast shape.

    Raises
    ------
    ValueError, TypeError
        As :func:`false_positive` does; also if `form` is another word.

    References
    ----------
    Ahmad and Hawkins 2016, arXiv:1601.00720, unions; 2015, arXiv:1503.07469, inexact matches.

    Examples
    --------
    >>> from sdr.theory import union_false_positive
    >>> for form in ("exact", "expected", "rounded"):
    ...     print(f"{union_false_positive(1000, 20, 30, 10, 10, form=form):.4g}")
    0.01871
    0.01857
    0.01879
    """
    check_option("form", form, FORMS)
    given = broadcast(
        n=n, a=a, s=s, theta=theta, n_patterns=n_patterns, failure=failure, extra=extra
    )
    check_most("a + extra", given["a"] + given["extra"], "n", given["n"])
    if exact:
        formula = {"exact": _exact_mixture, "expected": _exact_expected, "rounded": _exact_rounded}
        return exactly(formula[form], given, log)
    active, failing = given["a"] + given["extra"], given["failure"].astype(np.float64)
    if form == "exact":
        return finished(_log_mixture(given, active, failing), log)
    size = np.asarray(union_size(given["n"], given["s"], given["n_patterns"]))
    half = np.rint(2.0 * size) / 2.0  # which rounding may have missed by a hair
    size = np.where(np.abs(size - half) <= 1e-12 * half, half, size)
    size = np.rint(size) if form == "rounded" else size
    return finished(log_false_positive(given["n"], active, size, given["theta"], failing), log)


def _log_mixture(given: dict[str, np.ndarray], a: np.ndarray, failure: np.ndarray) -> np.ndarray:
    """Average over the exact law of the union's size, found once for each n and s."""
    n, s, theta, number = (given[name].ravel() for name in ("n", "s", "theta", "n_patterns"))
    a, failure, shape = a.ravel(), failure.ravel(), a.shape
    result = np.empty(n.size)
    for pair in set(zip(n.tolist(), s.tolist())):
        rows = np.flatnonzero((n == pair[0]) & (s == pair[1]))
        laws = log_union_laws(*pair, tuple(sorted(set(number[rows].tolist()))))
        for row in rows:
            law = laws[int(number[row])]
            sizes = np.flatnonzero(law > -np.inf)
            matched = log_false_positive(
                *np.broadcast_arrays(n[row], a[row], sizes, theta[row], failure[row])
            )
            result[row] = min(float(log_sum(law[sizes] + matched)), 0.0)
    return result.reshape(shape)


def _exact_mixture(
    n: int, a: int, s: int, theta: int, number: int, failure: Any, extra: int
) -> Fraction:
    law = _exact.union_law(n, s, number)
    return sum(
        (
            chance * _exact.false_positive(n, a, size, theta, failure, extra)
            for size, chance in enumerate(law)
            if chance
        ),
        Fraction(0),
    )


def _exact_rounded(
    n: int, a: int, s: int, theta: int, number: int, failure: Any, extra: int
) -> Fraction:
    size = round(n * (1 - _exact_unset(n, s, number)))
    return _exact.false_positive(n, a, size, theta, failure, extra)


def _exact_expected(
    n: int, a: int, s: int, theta: int, number: int, failure: Any, extra: int
) -> Fraction:
    if failure:
        raise ValueError(
            f"failure must be 0 for the exact fraction of form 'expected'; got {failure}. "
            f"Take form='exact' or exact=False."
        )
    size = n * (1 - _exact_unset(n, s, number))
    return _exact.real_hypergeometric_tail(n, a + extra, size, theta)
