"""What differs between recalled and stored patterns, and how much information came through."""

from __future__ import annotations

from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from scipy.special import entr

from memory._protocol import AssociativeMemory
from sparsecode.core._checks import as_binary_code, check_code
from sparsecode.core.code import SparseCode
from sparsecode.core.ops import overlap, reshape


class Counts(NamedTuple):
    """Units of each pair of patterns, int64 arrays of shape (n_samples,)."""

    spurious: np.ndarray
    missing: np.ndarray
    active: np.ndarray  # in the stored pattern
    n_units: int

    @property
    def errors(self) -> np.ndarray:
        """Units that differ."""
        return self.spurious + self.missing

    def relative(self) -> np.ndarray:
        """Return errors over active units: 0/0 is 0, and any error of an empty pattern infinite."""
        empty = np.where(self.errors > 0, np.inf, 0.0)
        return np.divide(self.errors, self.active, out=empty, where=self.active > 0)

    def mean(self, values: np.ndarray) -> float:
        """Return the mean over patterns; NaN if there is none."""
        return float(values.mean()) if values.size else float("nan")

    def relative_mean(self) -> float:
        """Return mean errors over mean active units, as the epsilon criterion takes them."""
        if not self.active.size:
            return float("nan")
        errors, active = self.errors.sum(), self.active.sum()
        return float(errors / active) if active else (float("inf") if errors else 0.0)

    def bits(self) -> float:
        """Return the information per pattern through the binary channel of the pooled counts."""
        units = self.active.size * self.n_units
        if not units:
            return float("nan")
        active = int(self.active.sum())
        return self.n_units * _channel(
            active / units,
            _ratio(self.missing.sum(), active),
            _ratio(self.spurious.sum(), units - active),
        )


def count_errors(recalled: Any, stored: Any) -> Counts:
    """Check a pair of batches and count what differs."""
    stored = as_binary_code("stored", stored)
    is_code = isinstance(recalled, SparseCode)
    recalled = as_binary_code("recalled", recalled)
    if not is_code and recalled.n_units == stored.n_units:
        recalled = reshape(recalled, stored.unit_shape)
    check_code("recalled", recalled, unit_shape=stored.unit_shape, whose="the stored patterns")
    if recalled.n_samples != stored.n_samples:
        raise ValueError(
            f"recalled must have one row per stored pattern, {stored.n_samples}; got "
            f"{recalled.n_samples}."
        )
    shared = overlap(recalled, stored, rowwise=True).astype(np.int64)
    return Counts(
        recalled.n_active - shared, stored.n_active - shared, stored.n_active, stored.n_units
    )


def check_tolerance(name: str, value: Any) -> float:
    """Return `value` as a float if it is finite and at least 0."""
    if isinstance(value, Real) and not isinstance(value, bool) and 0 <= float(value) < np.inf:
        return float(value)
    raise ValueError(f"{name} must be a finite number of at least 0; got {value!r}.")


def _ratio(part: Any, whole: Any) -> float:
    return float(part / whole) if whole else 0.0


def _entropy(p: float) -> float:
    """Return the entropy in bits of a choice between two."""
    return float((entr(p) + entr(1.0 - p)) / np.log(2.0))


def _channel(density: float, miss: float, false_alarm: float) -> float:
    """Return the bits per unit through a binary channel with these two error rates."""
    recalled = density * (1.0 - miss) + (1.0 - density) * false_alarm
    noise = density * _entropy(miss) + (1.0 - density) * _entropy(false_alarm)
    return max(_entropy(recalled) - noise, 0.0)


def bit_error(recalled: Any, stored: Any) -> np.ndarray:
    """Return the share of all units that differ.

    Parameters
    ----------
    recalled, stored : SparseCode, array-like or sparse array of shape (n_samples, n_units)
        Binary, over the same units, with as many rows.

    Returns
    -------
    ndarray of shape (n_samples,)
        Between 0 and 1.

    Raises
    ------
    ValueError, TypeError
        If the two are not binary, or differ in units or rows.
    """
    counts = count_errors(recalled, stored)
    return counts.errors / counts.n_units


def spurious(recalled: Any, stored: Any) -> np.ndarray:
    """Count the units that were recalled and not stored.

    Parameters
    ----------
    recalled, stored : SparseCode, array-like or sparse array of shape (n_samples, n_units)
        Binary, over the same units, with as many rows.

    Returns
    -------
    ndarray of int64, shape (n_samples,)

    Raises
    ------
    ValueError, TypeError
        If the two are not binary, or differ in units or rows.
    """
    return count_errors(recalled, stored).spurious


def missing(recalled: Any, stored: Any) -> np.ndarray:
    """Count the units that were stored and not recalled.

    Parameters
    ----------
    recalled, stored : SparseCode, array-like or sparse array of shape (n_samples, n_units)
        Binary, over the same units, with as many rows.

    Returns
    -------
    ndarray of int64, shape (n_samples,)

    Raises
    ------
    ValueError, TypeError
        If the two are not binary, or differ in units or rows.
    """
    return count_errors(recalled, stored).missing


def relative_error(recalled: Any, stored: Any) -> np.ndarray:
    """Return the number of units that differ, over the active units of the stored pattern.

    Parameters
    ----------
    recalled, stored : SparseCode, array-like or sparse array of shape (n_samples, n_units)
        Binary, over the same units, with as many rows.

    Returns
    -------
    ndarray of shape (n_samples,)
        At least 0, and 1 for a silent answer. For a stored pattern without an active unit 0 if
        nothing is recalled, else infinite.

    Raises
    ------
    ValueError, TypeError
        If the two are not binary, or differ in units or rows.
    """
    return count_errors(recalled, stored).relative()


def exact_recall(recalled: Any, stored: Any) -> float:
    """Return the share of patterns that were recalled without any error.

    Parameters
    ----------
    recalled, stored : SparseCode, array-like or sparse array of shape (n_samples, n_units)
        Binary, over the same units, with as many rows.

    Returns
    -------
    float
        Between 0 and 1; NaN for empty batches.

    Raises
    ------
    ValueError, TypeError
        If the two are not binary, or differ in units or rows.
    """
    counts = count_errors(recalled, stored)
    return counts.mean(counts.errors == 0)


def within_epsilon(recalled: Any, stored: Any, epsilon: float = 0.01) -> bool:
    r"""Say whether recall has at most `epsilon` errors per active unit, on the mean.

    .. math:: \langle s + m \rangle \le \epsilon \, \langle l \rangle

    with :math:`s` spurious, :math:`m` missing and :math:`l` active units.

    Parameters
    ----------
    recalled, stored : SparseCode, array-like or sparse array of shape (n_samples, n_units)
        Binary, over the same units, with as many rows.
    epsilon : float, default=0.01
        Errors allowed for each active unit.

    Returns
    -------
    bool
        False for empty batches.

    Raises
    ------
    ValueError, TypeError
        If the two are not binary, or differ in units or rows, or `epsilon` is negative.

    References
    ----------
    A. Knoblauch, G. Palm and F. T. Sommer, "Memory capacities for synaptic and structural
    plasticity", Neural Computation 22, 2010: high-fidelity recall.
    """
    epsilon = check_tolerance("epsilon", epsilon)
    counts = count_errors(recalled, stored)
    return bool(counts.relative_mean() <= epsilon * (1.0 + 1e-12))


def mutual_information(recalled: Any, stored: Any) -> float:
    r"""Return the transinformation from stored to recalled patterns, in bits per pattern.

    With :math:`p` the share of active units that are stored, :math:`p_{10}` that of these which
    are missing and :math:`p_{01}` that of the silent ones which are spurious,

    .. math:: T = n \, [h(p (1 - p_{10}) + (1 - p) p_{01}) - p \, h(p_{10}) - (1 - p) \, h(p_{01})],

    where :math:`h` is the entropy of a choice between two. The three rates are pooled over all
    samples: those of single patterns would make the mean too large.

    Parameters
    ----------
    recalled, stored : SparseCode, array-like or sparse array of shape (n_samples, n_units)
        Binary, over the same units, with as many rows.

    Returns
    -------
    float
        Between 0 and :math:`n \, h(p)`; NaN for empty batches.

    Raises
    ------
    ValueError, TypeError
        If the two are not binary, or differ in units or rows.

    Notes
    -----
    Units are taken as independent and alike, as theory takes them. A pattern of exactly ``l``
    active units holds :math:`\log_2 \binom{n}{l}` bits, which is a little less than
    :math:`n \, h(l / n)`; patterns with structure, such as images, hold far less than this says.

    References
    ----------
    G. Palm, "On associative memory", Biological Cybernetics 36, 1980; Knoblauch, Palm & Sommer,
    Neural Computation 22, 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from memory.measures import mutual_information
    >>> stored = np.array([[0, 0, 1, 1], [1, 1, 0, 0]])
    >>> mutual_information(stored, stored), mutual_information(stored[[0, 0]], stored)
    (4.0, 0.0)
    """
    return count_errors(recalled, stored).bits()


def report(
    recalled: Any,
    stored: Any,
    *,
    memory: AssociativeMemory | None = None,
    cues: Any = None,
    epsilon: float = 0.01,
) -> dict[str, float]:
    """Return every error criterion, and the information that the memory holds.

    Parameters
    ----------
    recalled, stored : SparseCode, array-like or sparse array of shape (n_samples, n_units)
        Binary, over the same units, with as many rows. All that was stored, or a random part.
    memory : AssociativeMemory, optional
        The memory that recalled; adds what it stores per synapse and per byte.
    cues : SparseCode, array-like or sparse array of shape (n_samples, n_units), optional
        Parts of the stored patterns that it recalled from; adds what was gained beyond them.
    epsilon : float, default=0.01
        Errors allowed for each active unit.

    Returns
    -------
    dict of str to float
        Means over patterns of ``bit_error``, ``spurious``, ``missing``, ``relative_error`` (mean
        errors over mean active units), ``exact`` and ``within_epsilon`` (shares of patterns), and
        ``bits`` (per pattern). With `cues` also ``completion_bits``, what is left after the bits
        that the cue told already; at a memory from parts, capacities are stated in these. With a
        `memory` also ``n_stored`` and ``total_bits`` (`bits` times the number stored),
        ``bits_per_synapse``, ``bits_per_byte``, and with both
        ``completion_bits_per_synapse`` and ``completion_bits_per_byte``.

    Raises
    ------
    ValueError, TypeError
        If the batches are not binary, or differ in units or rows, or `epsilon` is negative.

    References
    ----------
    Bits of completion: G. Palm and F. T. Sommer, "Associative data storage and retrieval in
    neural networks", in Models of Neural Networks III, 1996.
    """
    epsilon = check_tolerance("epsilon", epsilon)
    counts = count_errors(recalled, stored)
    table = {
        "bit_error": counts.mean(counts.errors / counts.n_units),
        "spurious": counts.mean(counts.spurious),
        "missing": counts.mean(counts.missing),
        "relative_error": counts.relative_mean(),
        "exact": counts.mean(counts.errors == 0),
        "within_epsilon": counts.mean(counts.relative() <= epsilon * (1.0 + 1e-12)),
        "bits": counts.bits(),
    }
    if cues is not None:
        table["completion_bits"] = table["bits"] - count_errors(cues, stored).bits()
    if memory is not None:
        table |= _densities(memory, table)
    return table


def _densities(memory: AssociativeMemory, table: dict[str, float]) -> dict[str, float]:
    """Return bits in all, per synapse and per byte; NaN before there is any."""
    n_stored, nan = memory.n_stored, float("nan")
    made: dict[str, float] = {"n_stored": n_stored, "total_bits": n_stored * table["bits"]}
    for name in ("bits", "completion_bits"):
        if name in table:
            total = n_stored * table[name]
            made[f"{name}_per_synapse"] = total / memory.n_weights if memory.n_weights else nan
            made[f"{name}_per_byte"] = total / memory.nbytes if memory.nbytes else nan
    return made
