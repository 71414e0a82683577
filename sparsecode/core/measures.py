r"""How sparse activations are: per sample over units, and per unit over samples.

Every measure takes the magnitudes :math:`c_i = |a_i|` of ``n`` activations (the excess kurtosis
alone takes them with their signs), given as a :class:`SparseCode`, which is never made dense, or
as an array. ``axis=-1`` is the *population* sparseness, over the units of each sample; ``axis=0``
the *lifetime* sparseness, over the samples of each unit. Where a measure is 0/0, as for a neuron
that is silent throughout, it is NaN.

===================  ==========  ==============================================================
measure              sparser is  fails of the six criteria of Hurley & Rickard [1]_
===================  ==========  ==============================================================
gini                 higher      none
treves_rolls         lower       none
vinje_gallant        higher      Cloning
hoyer                higher      Cloning
entropy              lower       Cloning, Babies
participation_ratio  lower       Cloning, Babies
kappa4               higher      Robin Hood, Cloning, Babies
excess_kurtosis      higher      Robin Hood, Rising Tide, Babies, Bill Gates if n < 4
l0                   lower       Robin Hood, Rising Tide, Bill Gates
===================  ==========  ==============================================================

With an ``epsilon``, l0 fails Scaling as well.

:func:`explained_variance` is about something else: what is left of the samples in their codes.

References
----------
.. [1] N. Hurley and S. Rickard, "Comparing measures of sparsity", IEEE Trans. Inf. Theory
   55(10), 2009, section III.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from numbers import Real
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from sparsecode._validation import check_data, check_option
from sparsecode.core.code import SparseCode

__all__ = [
    "HIGHER_IS_SPARSER",
    "entropy",
    "excess_kurtosis",
    "explained_variance",
    "gini",
    "hoyer",
    "kappa4",
    "l0",
    "lifetime",
    "participation_ratio",
    "population",
    "summary",
    "treves_rolls",
    "vinje_gallant",
]


class _Groups(NamedTuple):
    """Non-zero activations, each with the sample or the unit that it belongs to."""

    values: np.ndarray  # float64, (nnz,)
    group: np.ndarray  # int, (nnz,)
    n_groups: int
    size: int  # entries of a group, zeros included
    is_vector: bool

    def sum(self, terms: np.ndarray) -> np.ndarray:
        """Add `terms` (nnz,) up within each group, shape (n_groups,)."""
        return np.bincount(self.group, terms, self.n_groups)

    def scaled(self) -> np.ndarray:
        """Return magnitudes over the largest of their group, so that powers stay in range."""
        magnitude = np.abs(self.values)
        largest = np.zeros(self.n_groups)
        np.maximum.at(largest, self.group, magnitude)
        return magnitude / largest[self.group]

    def result(self, measured: np.ndarray) -> Any:
        """Return one number for one vector, else an array of shape (n_groups,)."""
        return float(measured[0]) if self.is_vector else measured


def _groups(activations: Any, axis: int, threshold: float | None = None) -> _Groups:
    """Check activations, keep those above a threshold if one is given, and group them."""
    check_option("axis", axis, (-1, 0, 1))
    is_vector = False
    if not isinstance(activations, SparseCode):
        array = np.asarray(activations)
        is_vector = array.ndim == 1
        if is_vector and axis == 1:
            raise ValueError("axis must be -1 or 0 for activations of one dimension; got 1.")
        array = check_data(array[None] if is_vector else array, name="activations")
        if array.shape[1] == 0:
            raise ValueError(f"activations must hold at least one unit; got {array.shape}.")
        activations = SparseCode.from_dense(array)
    code = activations if threshold is None else activations.binarize(threshold=threshold)
    values = np.ones(code.nnz) if code.values is None else code.values.astype(np.float64)
    if axis == 0 and not is_vector:
        return _Groups(values, code.indices, code.n_units, code.n_samples, False)
    return _Groups(values, code._rows(), code.n_samples, code.n_units, is_vector)


def _divide(numerator: Any, denominator: Any) -> np.ndarray:
    """Divide, 0/0 being NaN without a warning."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(numerator, np.float64) / denominator


def l0(activations: Any, *, axis: int = -1, epsilon: float = 0.0) -> Any:
    """Return the share of activations above `epsilon`; lower is sparser, silent is 0.

    Parameters
    ----------
    activations : SparseCode or array-like of shape (n_samples, n_units) or (n,)
        Activations ``c``, by magnitude.
    axis : {-1, 0, 1}
        Over units (-1 or 1) or over samples (0).
    epsilon : float, default=0.0
        Magnitudes must be strictly above it, in their own precision, to count. Activations that
        are never exactly 0, as those of GELU, need one.

    Returns
    -------
    float or ndarray of shape (n_samples,) or (n_units,)
        ``#{c > epsilon} / n``, between 0 and 1.

    Raises
    ------
    ValueError, TypeError
        If `epsilon` is negative, or activations are not finite numbers of such a shape.
    """
    if not isinstance(epsilon, Real) or not 0 <= epsilon < np.inf:
        raise ValueError(f"epsilon must be finite and at least 0; got {epsilon!r}.")
    groups = _groups(activations, axis, threshold=epsilon)
    return groups.result(_divide(groups.sum(groups.values), groups.size))


def hoyer(activations: Any, *, axis: int = -1) -> Any:
    r"""Return :math:`(\sqrt n - \ell_1 / \ell_2) / (\sqrt n - 1)`; higher is sparser.

    Parameters
    ----------
    activations : SparseCode or array-like of shape (n_samples, n_units) or (n,)
        Activations ``c``, by magnitude.
    axis : {-1, 0, 1}
        Over units (-1 or 1) or over samples (0).

    Returns
    -------
    float or ndarray of shape (n_samples,) or (n_units,)
        Between 0 (all equal) and 1 (one active); NaN if silent, or if ``n`` is 1.

    Raises
    ------
    ValueError, TypeError
        If activations are not finite numbers of such a shape.

    References
    ----------
    P. O. Hoyer, "Non-negative matrix factorization with sparseness constraints", JMLR 5, 2004,
    section 3.1.
    """
    groups = _groups(activations, axis)
    c = groups.scaled()
    root = np.sqrt(groups.size)
    ratio = _divide(groups.sum(c), np.sqrt(groups.sum(c**2)))
    return groups.result(_divide(root - ratio, root - 1))


def gini(activations: Any, *, axis: int = -1) -> Any:
    r"""Return the Gini index of the magnitudes; higher is sparser.

    .. math:: 1 - 2 \sum_{k=1}^n \frac{c_{(k)}}{\ell_1} \frac{n - k + 1/2}{n},
       \quad c_{(1)} \le \dots \le c_{(n)}

    Parameters
    ----------
    activations : SparseCode or array-like of shape (n_samples, n_units) or (n,)
        Activations ``c``, by magnitude.
    axis : {-1, 0, 1}
        Over units (-1 or 1) or over samples (0).

    Returns
    -------
    float or ndarray of shape (n_samples,) or (n_units,)
        Between 0 (all equal) and ``1 - 1/n`` (one active); NaN if silent.

    Raises
    ------
    ValueError, TypeError
        If activations are not finite numbers of such a shape.

    References
    ----------
    N. Hurley and S. Rickard, "Comparing measures of sparsity", IEEE Trans. Inf. Theory 55(10),
    2009, table I.
    """
    groups = _groups(activations, axis)
    c = groups.scaled()
    order = np.lexsort((c, groups.group))
    ends = np.cumsum(np.bincount(groups.group, minlength=groups.n_groups))
    from_top = np.empty(c.size)  # n - k: how many of the group are ranked above
    from_top[order] = ends[groups.group[order]] - 1 - np.arange(c.size)
    weighted = groups.sum(c * (from_top + 0.5)) / max(groups.size, 1)
    return groups.result(1 - 2 * _divide(weighted, groups.sum(c)))


def treves_rolls(activations: Any, *, axis: int = -1) -> Any:
    r"""Return the activity ratio :math:`a = (\sum c / n)^2 / (\sum c^2 / n)`; *lower* is sparser.

    Parameters
    ----------
    activations : SparseCode or array-like of shape (n_samples, n_units) or (n,)
        Activations ``c``, by magnitude.
    axis : {-1, 0, 1}
        Over units (-1 or 1) or over samples (0).

    Returns
    -------
    float or ndarray of shape (n_samples,) or (n_units,)
        Between ``1/n`` (one active) and 1 (all equal); NaN if silent.

    Raises
    ------
    ValueError, TypeError
        If activations are not finite numbers of such a shape.

    References
    ----------
    A. Treves and E. T. Rolls, "What determines the capacity of autoassociative memories in the
    brain?", Network 2(4), 1991, the sparseness ``a``.
    """
    groups = _groups(activations, axis)
    return groups.result(_activity_ratio(groups))


def _activity_ratio(groups: _Groups) -> np.ndarray:
    c = groups.scaled()
    return _divide(groups.sum(c) ** 2, groups.size * groups.sum(c**2))


def vinje_gallant(activations: Any, *, axis: int = -1) -> Any:
    """Return ``S = (1 - a) / (1 - 1/n)``, `a` that of :func:`treves_rolls`; higher is sparser.

    Parameters
    ----------
    activations : SparseCode or array-like of shape (n_samples, n_units) or (n,)
        Activations ``c``, by magnitude.
    axis : {-1, 0, 1}
        Over units (-1 or 1) or over samples (0).

    Returns
    -------
    float or ndarray of shape (n_samples,) or (n_units,)
        Between 0 (all equal) and 1 (one active); NaN if silent, or if ``n`` is 1.

    Raises
    ------
    ValueError, TypeError
        If activations are not finite numbers of such a shape.

    References
    ----------
    W. E. Vinje and J. L. Gallant, "Sparse coding and decorrelation in primary visual cortex
    during natural vision", Science 287, 2000, note on the sparseness ``S``.
    """
    groups = _groups(activations, axis)
    return groups.result(_divide(1 - _activity_ratio(groups), 1 - _divide(1, groups.size)))


def excess_kurtosis(activations: Any, *, axis: int = -1) -> Any:
    r"""Return :math:`m_4 / m_2^2 - 3` of the *signed* activations; higher is sparser.

    :math:`m_2` and :math:`m_4` are the central moments, divided by ``n``: 0 for a Gaussian.
    See :func:`kappa4` for the ratio of raw moments of the magnitudes.

    Parameters
    ----------
    activations : SparseCode or array-like of shape (n_samples, n_units) or (n,)
        Activations, with their signs.
    axis : {-1, 0, 1}
        Over units (-1 or 1) or over samples (0).

    Returns
    -------
    float or ndarray of shape (n_samples,) or (n_units,)
        At least -2; NaN if all activations are equal.

    Raises
    ------
    ValueError, TypeError
        If activations are not finite numbers of such a shape.
    """
    groups = _groups(activations, axis)
    a = np.copysign(groups.scaled(), groups.values)
    n_zeros = groups.size - np.bincount(groups.group, minlength=groups.n_groups)
    mean = groups.sum(a) / max(groups.size, 1)
    rest = a - mean[groups.group]
    second = groups.sum(rest**2) + n_zeros * mean**2
    fourth = groups.sum(rest**4) + n_zeros * mean**4
    return groups.result(_divide(groups.size * fourth, second**2) - 3)


def kappa4(activations: Any, *, axis: int = -1) -> Any:
    r"""Return :math:`\kappa_4 = \sum c^4 / (\sum c^2)^2`; higher is sparser.

    Raw moments, no mean subtracted, not multiplied by ``n``: not the excess kurtosis, which is
    :func:`excess_kurtosis`.

    Parameters
    ----------
    activations : SparseCode or array-like of shape (n_samples, n_units) or (n,)
        Activations ``c``, by magnitude.
    axis : {-1, 0, 1}
        Over units (-1 or 1) or over samples (0).

    Returns
    -------
    float or ndarray of shape (n_samples,) or (n_units,)
        Between ``1/n`` (all equal) and 1 (one active); NaN if silent.

    Raises
    ------
    ValueError, TypeError
        If activations are not finite numbers of such a shape.

    References
    ----------
    N. Hurley and S. Rickard, "Comparing measures of sparsity", IEEE Trans. Inf. Theory 55(10),
    2009, table I.
    """
    groups = _groups(activations, axis)
    c = groups.scaled()
    return groups.result(_divide(groups.sum(c**4), groups.sum(c**2) ** 2))


def participation_ratio(activations: Any, *, axis: int = -1) -> Any:
    r"""Return :math:`(\sum c)^2 / \sum c^2`, the effective number active; *lower* is sparser.

    Of the eigenvalues of a covariance matrix it is the population's dimension.

    Parameters
    ----------
    activations : SparseCode or array-like of shape (n_samples, n_units) or (n,)
        Activations ``c``, by magnitude.
    axis : {-1, 0, 1}
        Over units (-1 or 1) or over samples (0).

    Returns
    -------
    float or ndarray of shape (n_samples,) or (n_units,)
        Between 1 (one active) and ``n`` (all equal); NaN if silent.

    Raises
    ------
    ValueError, TypeError
        If activations are not finite numbers of such a shape.
    """
    groups = _groups(activations, axis)
    return groups.result(groups.size * _activity_ratio(groups))


def entropy(activations: Any, *, axis: int = -1) -> Any:
    r"""Return :math:`-\sum p \ln p` of :math:`p = c / \ell_1`, in nats; *lower* is sparser.

    Parameters
    ----------
    activations : SparseCode or array-like of shape (n_samples, n_units) or (n,)
        Activations ``c``, by magnitude.
    axis : {-1, 0, 1}
        Over units (-1 or 1) or over samples (0).

    Returns
    -------
    float or ndarray of shape (n_samples,) or (n_units,)
        Between 0 (one active) and ``ln n`` (all equal); NaN if silent.

    Raises
    ------
    ValueError, TypeError
        If activations are not finite numbers of such a shape.
    """
    groups = _groups(activations, axis)
    c = groups.scaled()
    total = groups.sum(c)
    p = c / total[groups.group]
    terms = np.where(p > 0, p * np.log(np.where(p > 0, p, 1.0)), 0.0)
    return groups.result(np.where(total > 0, 0.0 - groups.sum(terms), np.nan))


_MEASURES: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        l0,
        hoyer,
        gini,
        excess_kurtosis,
        kappa4,
        treves_rolls,
        vinje_gallant,
        participation_ratio,
        entropy,
    )
}

#: For each measure by name, whether a higher value means sparser.
HIGHER_IS_SPARSER = MappingProxyType(
    {
        name: name not in ("l0", "treves_rolls", "participation_ratio", "entropy")
        for name in _MEASURES
    }
)


def population(activations: Any, measure: str, **options: Any) -> np.ndarray:
    """Return a measure over the units of each sample.

    Parameters
    ----------
    activations : SparseCode or array-like of shape (n_samples, n_units)
        Activations.
    measure : str
        A key of `HIGHER_IS_SPARSER`, such as ``"gini"``.
    **options
        Passed on, such as ``epsilon`` of ``"l0"``.

    Returns
    -------
    ndarray of shape (n_samples,)
        NaN for silent samples (but l0 is 0).

    Raises
    ------
    ValueError, TypeError
        If `measure` is unknown or activations are not finite numbers of such a shape.
    """
    return _along(activations, measure, 1, options)


def lifetime(activations: Any, measure: str, **options: Any) -> np.ndarray:
    """Return a measure over the samples of each unit.

    Parameters
    ----------
    activations : SparseCode or array-like of shape (n_samples, n_units)
        Activations.
    measure : str
        A key of `HIGHER_IS_SPARSER`, such as ``"gini"``.
    **options
        Passed on, such as ``epsilon`` of ``"l0"``.

    Returns
    -------
    ndarray of shape (n_units,)
        NaN for silent units (but l0 is 0).

    Raises
    ------
    ValueError, TypeError
        If `measure` is unknown or activations are not finite numbers of such a shape.
    """
    return _along(activations, measure, 0, options)


def _along(activations: Any, measure: str, axis: int, options: dict[str, Any]) -> np.ndarray:
    check_option("measure", measure, _MEASURES)
    if not isinstance(activations, SparseCode) and np.ndim(activations) == 1:
        raise ValueError(
            "activations must have shape (n_samples, n_units); got one dimension. "
            f"Call {measure}(activations) for one vector."
        )
    return _MEASURES[measure](activations, axis=axis, **options)


def summary(
    activations: Any, measures: Iterable[str] = tuple(_MEASURES), *, epsilon: float = 0.0
) -> dict[str, dict[str, float]]:
    """Return the medians of population and lifetime values of several measures.

    Parameters
    ----------
    activations : SparseCode or array-like of shape (n_samples, n_units)
        Activations.
    measures : iterable of str, default=all
        Keys of `HIGHER_IS_SPARSER`.
    epsilon : float, default=0.0
        Passed to ``"l0"``.

    Returns
    -------
    dict
        ``{measure: {"population": median, "lifetime": median}}`` over the samples and units whose
        value is not NaN (NaN if there is none), and under ``"silent"`` the share of samples and
        of units without any activity.

    Raises
    ------
    ValueError, TypeError
        If a measure is unknown or activations are not finite numbers of such a shape.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.core import measures
    >>> measures.summary(np.array([[1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 0.0]]), ["gini"])
    {'gini': {'population': 0.25, 'lifetime': 0.5}, 'silent': {'population': 0.5, 'lifetime': 0.0}}
    """
    if not isinstance(activations, SparseCode):
        activations = SparseCode.from_dense(check_data(activations, name="activations"))
    table = {}
    for name in measures:
        options = {"epsilon": epsilon} if name == "l0" else {}
        table[name] = {
            "population": _median(population(activations, name, **options)),
            "lifetime": _median(lifetime(activations, name, **options)),
        }
    table["silent"] = {
        "population": _mean(activations.n_active == 0),
        "lifetime": _mean(np.bincount(activations.indices, minlength=activations.n_units) == 0),
    }
    return table


def _median(values: np.ndarray) -> float:
    values = values[~np.isnan(values)]
    return float(np.median(values)) if values.size else float("nan")


def _mean(marks: np.ndarray) -> float:
    return float(marks.mean()) if marks.size else float("nan")


def explained_variance(X: Any, reconstruction: Any) -> float:
    r"""Return the share of the variance of samples that their reconstruction explains.

    .. math:: \mathrm{EV} = 1 - \frac{\sum_i \|x_i - \hat x_i\|^2}{\sum_i \|x_i - \mu\|^2},

    with :math:`\mu` the mean of each feature over all samples.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Samples.
    reconstruction : array-like of shape (n_samples, n_features)
        What codes make of them, such as :func:`~sparsecode.core.reconstruct` returns.

    Returns
    -------
    float
        1 if nothing is lost, 0 for the mean in place of every sample, below 0 for worse. NaN if
        all samples are the same, or there are none.

    Raises
    ------
    ValueError, TypeError
        If the two are not finite arrays of the same such shape.

    Notes
    -----
    The fraction of variance unexplained is 1 - EV. A mean of all entries, or of each batch, in
    place of that of each feature gives other numbers.

    Examples
    --------
    >>> from sparsecode.core.measures import explained_variance
    >>> explained_variance([[2, 0], [0, 4]], [[2, 1], [0, 3]])
    0.8
    """
    X = check_data(X, dtype=np.float64)
    reconstruction = check_data(reconstruction, name="reconstruction", dtype=np.float64)
    if reconstruction.shape != X.shape:
        raise ValueError(
            f"reconstruction must have the shape of X, {X.shape}; got {reconstruction.shape}."
        )
    if not len(X):
        return float("nan")
    error = np.sum((X - reconstruction) ** 2)
    shifted = X - X[0]  # exactly 0 where all samples are the same
    variance = np.sum((shifted - shifted.mean(axis=0)) ** 2)
    return float(1.0 - error / variance) if variance > 0 else float("nan")
