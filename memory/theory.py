"""What textbooks say of associative memories: errors and capacities, exact where they can be."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from math import comb, factorial, log, log2, sqrt
from typing import Any

import numpy as np
from scipy import optimize, special, stats

from sparsecode._validation import check_count, check_option, check_positive

__all__ = [
    "dense_capacity",
    "hopfield_capacity",
    "hopfield_overlap",
    "sdm_activation",
    "sdm_bit_error",
    "sdm_critical_distance",
    "sdm_shared_activation",
    "sdm_signal_to_noise",
    "sparse_hopfield_capacity",
    "willshaw_capacity",
    "willshaw_false_positive",
    "willshaw_information",
    "willshaw_load",
]

#: Digits with which alternating sums are first tried.
DIGITS = 60
#: Relative difference between two precisions at which a sum is settled.
SETTLED = Decimal("1e-20")


class _Pairs:
    """Patterns of `k` of `m` units, their targets of `l` of `n`, and `z` active units of a cue."""

    def __init__(
        self,
        n_units: Any,
        n_active: Any,
        n_targets: Any = None,
        n_active_targets: Any = None,
        n_cue: Any = None,
    ) -> None:
        self.m = check_count("n_units", n_units)
        self.k = check_count("n_active", n_active, maximum=self.m)
        self.n = self.m if n_targets is None else check_count("n_targets", n_targets)
        active = self.k if n_active_targets is None else n_active_targets
        self.l = check_count("n_active_targets", active, maximum=self.n)
        self.z = check_count("n_cue", self.k if n_cue is None else n_cue, maximum=self.k)

    def never_met(self, i: int) -> Fraction:
        """Return the chance that one pair connects none of `i` cue units with a target unit."""
        meets = 1 - Fraction(comb(self.m - i, self.k), comb(self.m, self.k))
        return 1 - Fraction(self.l, self.n) * meets


def willshaw_load(
    n_stored: Any,
    n_units: int,
    n_active: int,
    *,
    n_targets: int | None = None,
    n_active_targets: int | None = None,
) -> Any:
    r"""Return the expected share of set weights, :math:`p_1 = 1 - (1 - kl/mn)^M`.

    Parameters
    ----------
    n_stored : int or array-like of int
        Pairs that were stored, :math:`M`.
    n_units, n_active : int
        Units :math:`m` of a pattern, of which :math:`k` random ones are active.
    n_targets, n_active_targets : int, optional
        Units :math:`n` of a target, of which :math:`l` are active. By default as in a pattern.

    Returns
    -------
    float or ndarray
        In the shape of `n_stored`.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range.

    References
    ----------
    G. Palm, "On associative memory", Biological Cybernetics 36:19, 1980.

    Examples
    --------
    >>> from memory.theory import willshaw_load
    >>> round(willshaw_load(6931, 1000, 10), 4)
    0.5
    """
    pairs = _Pairs(n_units, n_active, n_targets, n_active_targets)
    n_stored = _counts("n_stored", n_stored)
    return _plain(-np.expm1(n_stored * np.log1p(-pairs.k * pairs.l / (pairs.m * pairs.n))))


def willshaw_false_positive(
    n_stored: Any,
    n_units: int,
    n_active: int,
    *,
    n_targets: int | None = None,
    n_active_targets: int | None = None,
    n_cue: int | None = None,
    exact: bool = False,
) -> Any:
    r"""Return the chance that a unit that should be silent is connected to all of a cue.

    .. math:: \sum_{i=0}^z (-1)^i \binom zi \Bigl[1 - \tfrac ln \bigl(1 - \tbinom{m-i}{k} /
        \tbinom mk\bigr)\Bigr]^{M-1}

    for a cue of :math:`z` active units of a stored pattern, over random patterns and targets. The
    power of the load, :math:`p_1^z`, is only its limit.

    Parameters
    ----------
    n_stored : int or array-like of int
        Pairs that were stored, :math:`M`.
    n_units, n_active : int
        Units :math:`m` of a pattern, of which :math:`k` random ones are active.
    n_targets, n_active_targets : int, optional
        Units :math:`n` of a target, of which :math:`l` are active. By default as in a pattern; of
        an autoassociative memory the formula is an approximation.
    n_cue : int, optional
        Active units of the cue, :math:`z`; by default all.
    exact : bool, default=False
        Return a Fraction, for one `n_stored`; slow for thousands.

    Returns
    -------
    float, ndarray or Fraction
        Floats are right to their last digits.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range.

    Notes
    -----
    Inclusion and exclusion over the cue's units; summed with as many digits as the cancellation
    takes.

    Examples
    --------
    >>> from memory.theory import willshaw_false_positive
    >>> spurious = 990 * willshaw_false_positive(6931, 1000, 10)
    >>> round(spurious, 3)
    1.251
    """
    pairs = _Pairs(n_units, n_active, n_targets, n_active_targets, n_cue)
    if exact:
        others = check_count("n_stored", n_stored) - 1
        terms = (
            (-1) ** i * comb(pairs.z, i) * pairs.never_met(i) ** others for i in range(pairs.z + 1)
        )
        return sum(terms, Fraction(0))
    n_stored = _counts("n_stored", n_stored)
    bases = [pairs.never_met(i) for i in range(pairs.z + 1)]
    settled = np.vectorize(lambda stored: _settled(bases, int(stored) - 1), otypes=[float])
    return _plain(settled(n_stored))


def _settled(bases: list[Fraction], power: int) -> float:
    """Return the alternating sum with enough digits."""
    if power == 0:  # nothing else was stored
        return 0.0
    z, digits, before = len(bases) - 1, DIGITS, None
    while True:
        with localcontext() as context:
            context.prec = digits
            total = Decimal(0)
            for i, base in enumerate(bases):
                one = (Decimal(base.numerator) / Decimal(base.denominator)) ** power
                total += (-1) ** i * comb(z, i) * one
        if before is not None and abs(total - before) <= SETTLED * abs(total) and total > 0:
            return float(total)
        before, digits = total, 2 * digits


def willshaw_capacity(
    n_units: int,
    n_active: int,
    *,
    n_targets: int | None = None,
    n_active_targets: int | None = None,
    n_cue: int | None = None,
    epsilon: float = 0.01,
    method: str = "exact",
) -> int:
    r"""Return the largest number of pairs at which spurious units are at most :math:`\epsilon l`.

    Parameters
    ----------
    n_units, n_active : int
        Units :math:`m` of a pattern, of which :math:`k` random ones are active.
    n_targets, n_active_targets : int, optional
        Units :math:`n` of a target, of which :math:`l` are active. By default as in a pattern.
    n_cue : int, optional
        Active units of the cue, :math:`z`; by default all.
    epsilon : float, default=0.01
        Mean number of spurious units for each unit of a target.
    method : {"exact", "load"}, default="exact"
        From :func:`willshaw_false_positive`, or from :math:`p_1^z`, which promises too much:
        :math:`\ln(1 - p_\epsilon) / \ln(1 - kl/mn)` with :math:`p_\epsilon = (\epsilon l / (n -
        l))^{1/z}`.

    Returns
    -------
    int

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range.

    References
    ----------
    A. Knoblauch, G. Palm and F. T. Sommer, "Memory capacities for synaptic and structural
    plasticity", Neural Computation 22:289, 2010.

    Examples
    --------
    >>> from memory.theory import willshaw_capacity
    >>> willshaw_capacity(1000, 10), willshaw_capacity(1000, 10, method="load")
    (4791, 5083)
    """
    pairs = _Pairs(n_units, n_active, n_targets, n_active_targets, n_cue)
    epsilon = check_positive("epsilon", epsilon)
    check_option("method", method, ("exact", "load"))
    if pairs.l == pairs.n:
        raise ValueError(f"n_active_targets must be below n_targets, {pairs.n}; got {pairs.l}.")
    most = epsilon * pairs.l / (pairs.n - pairs.l)
    if most >= 1.0:
        raise ValueError(f"epsilon must allow less than all units to be spurious; got {epsilon}.")
    naive = log(1.0 - most ** (1.0 / pairs.z)) / log(1.0 - pairs.k * pairs.l / (pairs.m * pairs.n))
    if method == "load":
        return int(naive)
    bases = [pairs.never_met(i) for i in range(pairs.z + 1)]
    low, high = 1, 2 * int(naive) + 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _settled(bases, middle - 1) <= most else (low, middle)
    return low


def willshaw_information(
    n_stored: Any,
    n_units: int,
    n_active: int,
    *,
    n_targets: int | None = None,
    n_active_targets: int | None = None,
) -> Any:
    r"""Return the bits a weight that error-free targets carry, :math:`M \log_2 \binom nl / mn`.

    Parameters
    ----------
    n_stored : int or array-like of int
        Pairs that were stored.
    n_units, n_active : int
        Units :math:`m` of a pattern, of which :math:`k` random ones are active.
    n_targets, n_active_targets : int, optional
        Units :math:`n` of a target, of which :math:`l` are active. By default as in a pattern.

    Returns
    -------
    float or ndarray
        At most :math:`\ln 2 = 0.69` in large memories.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range.
    """
    pairs = _Pairs(n_units, n_active, n_targets, n_active_targets)
    bits = log2(comb(pairs.n, pairs.l))
    return _plain(_counts("n_stored", n_stored) * bits / (pairs.m * pairs.n))


def hopfield_overlap(load: Any) -> Any:
    r"""Return the overlap :math:`m` of a retrieved pattern in a large Hopfield network.

    The zero-temperature mean field of Amit, Gutfreund & Sompolinsky: the largest solution of
    :math:`y (\sqrt{2\alpha} + \frac{2}{\sqrt\pi} e^{-y^2}) = \operatorname{erf} y`, :math:`m =
    \operatorname{erf} y`; 0 beyond :math:`\alpha_c = 0.138`, where it ceases to exist.

    Parameters
    ----------
    load : float or array-like of float
        Patterns a unit, :math:`\alpha`, above 0.

    Returns
    -------
    float or ndarray
        In the shape of `load`.

    Raises
    ------
    ValueError, TypeError
        If a load is not above 0.

    References
    ----------
    D. J. Amit, H. Gutfreund and H. Sompolinsky, "Statistical mechanics of neural networks near
    saturation", Annals of Physics 173:30, 1987.

    Examples
    --------
    >>> from memory.theory import hopfield_overlap
    >>> round(hopfield_overlap(0.1379), 2), hopfield_overlap(0.15)
    (0.97, 0.0)
    """
    loads = np.asarray(load, float)
    if not (np.isfinite(loads).all() and (loads > 0).all()):
        raise ValueError(f"load must be above 0 and finite; got {load}.")
    return _plain(np.vectorize(_overlap, otypes=[float])(loads))


def _overlap(load: float) -> float:
    def left_over(y: float) -> float:
        return special.erf(y) - y * (sqrt(2.0 * load) + 2.0 / sqrt(np.pi) * np.exp(-y * y))

    grid = np.linspace(0.05, 12.0, 4000)
    positive = np.flatnonzero([left_over(y) > 0.0 for y in grid])
    if not positive.size or positive[-1] + 1 == grid.size:
        return 1.0 if positive.size else 0.0
    last = positive[-1]
    return float(special.erf(optimize.brentq(left_over, grid[last], grid[last + 1])))


def hopfield_capacity(n_units: Any, criterion: str = "retrieval") -> Any:
    r"""Return how many random patterns a Hopfield network of :math:`N` units holds.

    Parameters
    ----------
    n_units : int or array-like of int
        Number of units, at least 2.
    criterion : {"retrieval", "most exact", "all exact"}, default="retrieval"
        Near a fixed point with some errors, :math:`0.138 N`; most patterns without an error,
        :math:`N / 2 \ln N`; every pattern without one, :math:`N / 4 \ln N`.

    Returns
    -------
    float or ndarray
        In the shape of `n_units`.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range.

    References
    ----------
    R. J. McEliece et al., "The capacity of the Hopfield associative memory", IEEE Transactions on
    Information Theory 33:461, 1987.

    Examples
    --------
    >>> from memory.theory import hopfield_capacity
    >>> [round(float(hopfield_capacity(1000, one))) for one in ("retrieval", "all exact")]
    [138, 36]
    """
    n = _counts("n_units", n_units, minimum=2)
    check_option("criterion", criterion, ("retrieval", "most exact", "all exact"))
    if criterion == "retrieval":
        return _plain(0.138 * n)
    return _plain(n / ((2.0 if criterion == "most exact" else 4.0) * np.log(n)))


def sparse_hopfield_capacity(density: Any) -> Any:
    r"""Return patterns a unit of sparse attractor networks, :math:`1 / (2 f |\ln f|)` for small f.

    Networks of a thousand units hold a third of that.

    Parameters
    ----------
    density : float or array-like of float
        Share of active units, :math:`f`, between 0 and 1.

    Returns
    -------
    float or ndarray
        In the shape of `density`.

    Raises
    ------
    ValueError
        If a density is not between 0 and 1.

    References
    ----------
    M. V. Tsodyks and M. V. Feigelman, "The enhanced storage capacity in neural networks with low
    activity level", Europhysics Letters 6:101, 1988.

    Examples
    --------
    >>> from memory.theory import sparse_hopfield_capacity
    >>> round(sparse_hopfield_capacity(0.01), 1)
    10.9
    """
    f = np.asarray(density, float)
    if not ((f > 0) & (f < 1)).all():
        raise ValueError(f"density must be between 0 and 1, exclusive; got {density}.")
    return _plain(1.0 / (2.0 * f * np.abs(np.log(f))))


def sdm_activation(n_units: int, radius: int) -> float:
    """Return the chance that a random hard location lies within a radius of a word.

    Parameters
    ----------
    n_units : int
        Bits of a word.
    radius : int
        Largest Hamming distance.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range.

    References
    ----------
    P. Kanerva, "Sparse Distributed Memory", MIT Press, 1988.

    Examples
    --------
    >>> from memory.theory import sdm_activation
    >>> round(sdm_activation(1000, 451), 6)
    0.001072
    """
    n = check_count("n_units", n_units)
    return float(stats.binom.cdf(check_count("radius", radius, minimum=0, maximum=n), n, 0.5))


def sdm_shared_activation(n_units: int, radius: int, distance: Any) -> Any:
    """Return the chance that a random hard location lies within a radius of two words.

    Parameters
    ----------
    n_units : int
        Bits of a word.
    radius : int
        Largest Hamming distance.
    distance : int or array-like of int
        Hamming distance of the two words.

    Returns
    -------
    float or ndarray
        In the shape of `distance`.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range.
    """
    n = check_count("n_units", n_units)
    radius = check_count("radius", radius, minimum=0, maximum=n)
    distances = _counts("distance", distance, minimum=0)
    if (distances > n).any():
        raise ValueError(f"distance must be at most n_units, {n}; got {distances.max()}.")

    def shared(d: int) -> float:
        x = np.arange(d + 1)  # of the bits in which the words differ, those away from the first
        rest = stats.binom.cdf(radius - np.maximum(x, d - x), n - d, 0.5)
        return float(stats.binom.pmf(x, d, 0.5) @ rest)

    return _plain(np.vectorize(shared, otypes=[float])(distances))


def sdm_signal_to_noise(
    n_units: int, n_locations: int, radius: int, n_stored: int, *, method: str = "overlaps"
) -> float:
    r"""Return the mean of a recalled bit's sum in standard deviations of what other words add.

    :math:`z = N' p / \sqrt{T\, E_d[N' p_2 (1 - p_2) + (N' p_2)^2]}` with :math:`p_2` at the
    distance :math:`d \sim \operatorname{Bin}(N, 1/2)` of random words.

    Parameters
    ----------
    n_units, n_locations, radius : int
        Bits of a word :math:`N`, hard locations :math:`N'`, and the largest distance of active
        ones.
    n_stored : int
        Words that were written, :math:`T`, to targets of random bits.
    method : {"overlaps", "Kanerva"}, default="overlaps"
        As above, or Kanerva's simpler :math:`\sqrt{N' / (T (1 + p^2 N'))}`.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range.

    Examples
    --------
    >>> from memory.theory import sdm_signal_to_noise
    >>> round(sdm_signal_to_noise(1000, 10**6, 451, 10_000), 2)
    6.59
    """
    p = sdm_activation(n_units, radius)
    n_locations = check_count("n_locations", n_locations)
    n_stored = check_count("n_stored", n_stored)
    check_option("method", method, ("overlaps", "Kanerva"))
    if method == "Kanerva":
        return sqrt(n_locations / (n_stored * (1.0 + p * p * n_locations)))
    return n_locations * p / sqrt(n_stored * _crosstalk(n_units, n_locations, radius))


def _crosstalk(n_units: int, n_locations: int, radius: int) -> float:
    """Return the mean square of the locations that two random words share."""
    d = np.arange(n_units + 1)
    p2 = sdm_shared_activation(n_units, radius, d)
    squares = n_locations * p2 * (1.0 - p2) + (n_locations * p2) ** 2
    return float(stats.binom.pmf(d, n_units, 0.5) @ squares)


def sdm_bit_error(
    n_units: int, n_locations: int, radius: int, n_stored: int, *, distance: int = 0
) -> float:
    r"""Return the share of bits that are recalled wrongly from a word at a distance.

    :math:`\Phi(-z)`, the signal being the locations that the cue shares with the word.

    Parameters
    ----------
    n_units, n_locations, radius : int
        Bits of a word, hard locations, and the largest distance of active ones.
    n_stored : int
        Words that were written.
    distance : int, default=0
        Hamming distance of the cue from the word.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range.
    """
    z = sdm_signal_to_noise(n_units, n_locations, radius, n_stored)
    kept = sdm_shared_activation(n_units, radius, distance) / sdm_activation(n_units, radius)
    return float(stats.norm.sf(z * kept))


def sdm_critical_distance(n_units: int, n_locations: int, radius: int, n_stored: int) -> int:
    """Return the distance of a cue from a word up to which what is read comes closer to it.

    Parameters
    ----------
    n_units, n_locations, radius : int
        Bits of a word, hard locations, and the largest distance of active ones.
    n_stored : int
        Words that were written.

    Returns
    -------
    int
        0 if nothing comes closer.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range.

    References
    ----------
    P. Kanerva, "Sparse Distributed Memory", MIT Press, 1988, chapter 7, is quoted with 209 for the
    numbers below; with the noise of :func:`sdm_signal_to_noise` by either method it is less.

    Examples
    --------
    >>> from memory.theory import sdm_critical_distance
    >>> sdm_critical_distance(1000, 10**6, 451, 10_000)
    154
    """
    z = sdm_signal_to_noise(n_units, n_locations, radius, n_stored)
    d = np.arange(1, n_units // 2 + 1)
    kept = sdm_shared_activation(n_units, radius, d) / sdm_activation(n_units, radius)
    closer = n_units * stats.norm.sf(z * kept) < d
    away = np.flatnonzero(~closer & np.maximum.accumulate(closer))
    if not closer.any():
        return 0
    return int(d[away[0]] - 1 if away.size else d[-1])


def dense_capacity(n_units: Any, degree: int | None = None) -> Any:
    r"""Return how many random patterns a dense associative memory holds without an error.

    Parameters
    ----------
    n_units : int or array-like of int
        Number of units :math:`N`, at least 2.
    degree : int, optional
        Of the polynomial :math:`F(x) = x^n`, at least 2: :math:`N^{n-1} / (2 (2n-3)!! \ln N)`. By
        default :math:`F = e^x`: :math:`2^{N/2}`.

    Returns
    -------
    float or ndarray
        In the shape of `n_units`; infinite where a float cannot hold it.

    Raises
    ------
    ValueError, TypeError
        If a number is out of its range.

    References
    ----------
    D. Krotov and J. J. Hopfield, "Dense associative memory for pattern recognition", NeurIPS 2016;
    M. Demircigil et al., "On a model of associative memory with huge storage capacity", Journal of
    Statistical Physics 168:288, 2017.

    Examples
    --------
    >>> from memory.theory import dense_capacity
    >>> round(dense_capacity(100, 3)), dense_capacity(40)
    (362, 1048576.0)
    """
    n = _counts("n_units", n_units, minimum=2)
    with np.errstate(over="ignore"):
        if degree is None:
            return _plain(np.exp2(0.5 * n))
        degree = check_count("degree", degree, minimum=2)
        odd = factorial(2 * degree - 2) // (2 ** (degree - 1) * factorial(degree - 1))
        return _plain(n ** (degree - 1.0) / (2.0 * odd * np.log(n)))


def _counts(name: str, values: Any, minimum: int = 1) -> np.ndarray:
    """Return whole numbers of at least `minimum` as floats."""
    array = np.asarray(values)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold integers; got dtype {array.dtype}.")
    if array.size and array.min() < minimum:
        raise ValueError(f"{name} must be at least {minimum}; got {array.min()}.")
    return array.astype(float)


def _plain(values: np.ndarray) -> Any:
    """Return an array, or the one number in it."""
    return float(values) if np.ndim(values) == 0 else values
