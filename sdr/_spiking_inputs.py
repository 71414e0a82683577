"""What arrives at a dendrite: spikes of the synapses that an input hits, drawn sets of both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from sparsecode._validation import check_count, check_numbers, check_probability, check_rng
from sparsecode.core import SparseCode

__all__ = [
    "InputSpikes",
    "check_counts",
    "check_not_negative",
    "draw_noisy",
    "draw_spikes",
    "draw_strangers",
]

#: Random keys drawn together.
BLOCK = 2**22


@dataclass(frozen=True, eq=False)
class InputSpikes:
    """Input spikes of many trials, in any order.

    Parameters
    ----------
    trial : array-like of int, shape (n_spikes,)
        The trial, and with it the cell, at which each spike arrives.
    time : array-like of float, shape (n_spikes,)
        When, in ms after the start; at least 0.
    n_trials : int
        Number of trials, those without a spike included.

    Raises
    ------
    ValueError, TypeError
        If the arrays differ in length, a trial does not exist, or a time is negative or no
        number.

    Examples
    --------
    >>> from sdr.spiking import InputSpikes
    >>> InputSpikes.from_lists([[0.0, 0.3], [], [1.5]])
    <InputSpikes 3 spikes in 3 trials>
    """

    trial: np.ndarray
    time: np.ndarray
    n_trials: int

    def __post_init__(self) -> None:
        n_trials = check_count("n_trials", self.n_trials, minimum=0)
        trial = check_counts("trial", self.trial)
        time = check_numbers(self.time, "time", np.float64)
        if trial.shape != time.shape or trial.ndim != 1:
            raise ValueError(
                f"trial and time must have shape (n_spikes,), one entry a spike; got "
                f"{trial.shape} and {time.shape}."
            )
        if trial.size and trial.max() >= n_trials:
            raise ValueError(
                f"trial must lie below n_trials, {n_trials}; got {trial.max()}. Raise n_trials."
            )
        if time.size and time.min() < 0.0:
            raise ValueError(f"time must be at least 0 ms; got {time.min():g}.")
        for name, value in (("trial", trial), ("time", time), ("n_trials", n_trials)):
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return f"<InputSpikes {self.trial.size} spikes in {self.n_trials} trials>"

    @classmethod
    def from_lists(cls, times: Iterable[Any]) -> InputSpikes:
        """Take the spike times of each trial.

        Parameters
        ----------
        times : iterable of array-like of float
            One array of times in ms per trial; empty where nothing arrives.

        Returns
        -------
        InputSpikes

        Raises
        ------
        ValueError, TypeError
            If a time is negative or no number.
        """
        arrays = [check_numbers(one, "time", np.float64).ravel() for one in times]
        trial = np.repeat(np.arange(len(arrays)), [one.size for one in arrays])
        return cls(trial, np.concatenate(arrays) if arrays else np.empty(0), len(arrays))


def draw_spikes(
    overlaps: Any, *, jitter: float = 2.0, failure: float = 0.0, rng: Any = None
) -> InputSpikes:
    """Draw one spike for each synapse that an input hits.

    Parameters
    ----------
    overlaps : array-like of int, shape (n_trials,)
        How many of the segment's synapses the input of each trial hits.
    jitter : float, default=2
        Spikes come at independent times, uniform between 0 and `jitter` ms.
    failure : float, default=0
        Probability that a synapse transmits nothing, of each spike by itself.
    rng : Generator, int or None
        Random numbers.

    Returns
    -------
    InputSpikes

    Raises
    ------
    ValueError, TypeError
        If an overlap is no integer of at least 0, `jitter` is negative, or `failure` no
        probability.
    """
    overlaps = check_counts("overlaps", overlaps)
    jitter, failure = check_not_negative("jitter", jitter), check_probability("failure", failure)
    rng = check_rng(rng)
    trial = np.repeat(np.arange(overlaps.size), overlaps)
    time = rng.uniform(0.0, jitter, trial.size)
    arrives = rng.random(trial.size) >= failure
    return InputSpikes(trial[arrives], time[arrives], overlaps.size)


def draw_strangers(
    n_units: int,
    n_active: int,
    n_synapses: int,
    n_trials: int,
    *,
    n_patterns: int = 1,
    rng: Any = None,
) -> tuple[SparseCode, SparseCode]:
    """Draw segments, and inputs that none of them has stored: trials for false positives.

    Parameters
    ----------
    n_units : int
        Size of the population.
    n_active : int
        Active units of each input, a uniform subset.
    n_synapses : int
        Synapses of a segment for each pattern, a uniform subset.
    n_trials : int
        Number of segments and of inputs.
    n_patterns : int, default=1
        Patterns on each segment: its synapses are the union of as many subsets.
    rng : Generator, int or None
        Random numbers.

    Returns
    -------
    segments : SparseCode
        Binary, `n_trials` rows over `n_units` units.
    inputs : SparseCode
        Likewise.

    Raises
    ------
    ValueError, TypeError
        If a number is no positive integer, or there are more active units or synapses than units.
    """
    n_units = check_count("n_units", n_units)
    n_active = check_count("n_active", n_active, maximum=n_units)
    n_synapses = check_count("n_synapses", n_synapses, maximum=n_units)
    n_patterns = check_count("n_patterns", n_patterns)
    rng = check_rng(rng)
    segments, inputs = [], []
    for n_rows in _blocks(n_trials, n_units):
        drawn = np.zeros((n_rows, n_units), bool)
        for _ in range(n_patterns):
            _mark(drawn, *_subsets(rng, n_rows, n_units, n_synapses))
        segments.append(SparseCode.from_dense(drawn))
        drawn = np.zeros((n_rows, n_units), bool)
        _mark(drawn, *_subsets(rng, n_rows, n_units, n_active))
        inputs.append(SparseCode.from_dense(drawn))
    return SparseCode.concatenate(segments), SparseCode.concatenate(inputs)


def draw_noisy(
    n_units: int,
    n_active: int,
    n_synapses: int,
    n_trials: int,
    *,
    n_moved: int,
    rng: Any = None,
) -> tuple[SparseCode, SparseCode]:
    """Draw segments, and noisy versions of the pattern of each: trials for false negatives.

    Parameters
    ----------
    n_units : int
        Size of the population.
    n_active : int
        Active units of a pattern.
    n_synapses : int
        Synapses of a segment, a uniform subset of its pattern's units.
    n_trials : int
        Number of patterns.
    n_moved : int
        How many of the pattern's active units the input exchanges for silent ones.
    rng : Generator, int or None
        Random numbers.

    Returns
    -------
    segments : SparseCode
        Binary, `n_trials` rows over `n_units` units.
    inputs : SparseCode
        Likewise.

    Raises
    ------
    ValueError, TypeError
        If a number is no integer in its range: `n_synapses` up to `n_active`, `n_moved` up to
        `n_active` and to the number of silent units.
    """
    n_units = check_count("n_units", n_units)
    n_active = check_count("n_active", n_active, maximum=n_units)
    n_synapses = check_count("n_synapses", n_synapses, maximum=n_active)
    silent = n_units - n_active
    n_moved = check_count("n_moved", n_moved, minimum=0, maximum=min(n_active, silent))
    rng = check_rng(rng)
    segments, inputs = [], []
    for n_rows in _blocks(n_trials, n_units):
        without = n_active - n_synapses
        synapses, rest, fresh = _subsets(rng, n_rows, n_units, n_synapses, without, n_moved)
        pattern = np.concatenate([synapses, rest], axis=1)
        (kept,) = _subsets(rng, n_rows, n_active, n_active - n_moved)  # synapses or not
        drawn = np.zeros((n_rows, n_units), bool)
        _mark(drawn, synapses)
        segments.append(SparseCode.from_dense(drawn))
        drawn = np.zeros((n_rows, n_units), bool)
        _mark(drawn, np.take_along_axis(pattern, kept, axis=1))
        _mark(drawn, fresh)
        inputs.append(SparseCode.from_dense(drawn))
    return SparseCode.concatenate(segments), SparseCode.concatenate(inputs)


def _blocks(n_trials: int, n_units: int) -> Iterator[int]:
    """Yield how many trials to draw together."""
    left = check_count("n_trials", n_trials)
    together = max(1, BLOCK // n_units)
    while left > 0:
        yield min(left, together)
        left -= together


def _subsets(rng: np.random.Generator, n_rows: int, n_units: int, *sizes: int) -> list[np.ndarray]:
    """Return disjoint uniform subsets of the units in each row, one array for each size."""
    ends = np.cumsum(sizes)
    order = np.argpartition(rng.random((n_rows, n_units)), np.unique(ends[ends > 0] - 1), axis=1)
    return [order[:, end - size : end] for size, end in zip(sizes, ends)]


def _mark(drawn: np.ndarray, units: np.ndarray) -> None:
    np.put_along_axis(drawn, units, True, axis=1)


def check_counts(name: str, values: Any) -> np.ndarray:
    """Return `values` as int64 of one dimension, none negative."""
    array = np.asarray(values)
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"{name} must hold integers; got dtype {array.dtype}.")
    if array.ndim != 1:
        raise ValueError(f"{name} must have one dimension; got shape {array.shape}.")
    if array.size and array.min() < 0:
        raise ValueError(f"{name} must be at least 0; got {array.min()}.")
    return array.astype(np.int64)


def check_not_negative(name: str, value: Any) -> float:
    """Return `value` as a float if it is finite and at least 0."""
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number of at least 0; got {value!r}.")
    if not 0.0 <= float(value) < np.inf:
        raise ValueError(f"{name} must be finite and at least 0; got {value!r}.")
    return float(value)
