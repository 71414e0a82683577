"""Dendrites that recognise patterns by NMDA plateaus, simulated in Brian2.

Every trial is a cell of its own with its own input spikes; thousands run in one network. From how
often a plateau starts (:func:`psychometric_curve`) follows the threshold that the cell has in fact
(:func:`fit_threshold`), and with drawn segments and inputs the rates of its errors
(:func:`recognise`), to be laid over the theory of the abstract segment. Brian2 is imported when a
simulation starts; networks are explicit, and the caller's preferences and device are given back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sdr._spiking_cell import Cell
from sdr._spiking_curve import PsychometricCurve, ThresholdFit, binomial_interval, fit_threshold
from sdr._spiking_inputs import (
    InputSpikes,
    check_counts,
    check_not_negative,
    draw_noisy,
    draw_spikes,
    draw_strangers,
)
from sdr._spiking_models import EventPlateau, NMDADendrite, ThreeCompartment
from sdr._spiking_simulate import Codegen, DendriteTrials, check_model, simulate_dendrites
from sparsecode._validation import check_count, check_positive, check_probability, check_rng
from sparsecode.core import SparseCode, overlap
from sparsecode.core._checks import check_code

__all__ = [
    "DendriteTrials",
    "EventPlateau",
    "InputSpikes",
    "NMDADendrite",
    "PsychometricCurve",
    "Recognition",
    "ThreeCompartment",
    "ThresholdFit",
    "draw_noisy",
    "draw_spikes",
    "draw_strangers",
    "fit_threshold",
    "psychometric_curve",
    "recognise",
    "simulate_dendrites",
]


def psychometric_curve(
    model: Cell,
    overlaps: Any,
    n_trials: int = 200,
    *,
    jitter: float = 2.0,
    failure: float = 0.0,
    duration: float = 100.0,
    dt: float = 0.1,
    confidence: float = 0.95,
    codegen: Codegen = "auto",
    progress: bool = False,
    rng: Any = None,
) -> PsychometricCurve:
    """Measure how often a plateau starts, for each number of synapses hit.

    Parameters
    ----------
    model : NMDADendrite, EventPlateau or ThreeCompartment
        The cell.
    overlaps : array-like of int, shape (n_overlaps,)
        Rising.
    n_trials : int, default=200
        Trials of each overlap, which differ by their spikes.
    jitter : float, default=2
        Spikes are spread over so many ms.
    failure : float, default=0
        Probability that a synapse transmits nothing.
    duration : float, default=100
        Time to simulate after the latest spike possible, in ms; without a drive no plateau starts
        so late.
    dt : float, default=0.1
        Step, in ms.
    confidence : float, default=0.95
        Of the binomial intervals.
    codegen : {"auto", "cython", "numpy"}, default="auto"
        See :func:`simulate_dendrites`.
    progress : bool, default=False
        Whether to show a progress bar.
    rng : Generator, int or None
        Random numbers.

    Returns
    -------
    PsychometricCurve

    Raises
    ------
    ModuleNotFoundError
        If Brian2 is not installed.
    ValueError, TypeError
        If an argument is out of its range.
    """
    overlaps = check_counts("overlaps", overlaps)
    n_trials = check_count("n_trials", n_trials)
    jitter = check_not_negative("jitter", jitter)
    trials = simulate_dendrites(
        model, np.repeat(overlaps, n_trials), jitter=jitter, failure=failure,
        duration=check_positive("duration", duration) + jitter, dt=dt, codegen=codegen,
        progress=progress, rng=rng,
    )  # fmt: skip
    n_plateaus = trials.plateau.reshape(-1, n_trials).sum(axis=1)
    return PsychometricCurve(overlaps, n_plateaus, np.full(overlaps.size, n_trials), confidence)


@dataclass(frozen=True, eq=False, repr=False)
class Recognition:
    """How often dendrites recognised their input, over drawn segments and inputs.

    Attributes
    ----------
    overlaps : ndarray of int64, shape (n_trials,)
        Synapses that each input hits, counted in the sets.
    trials : DendriteTrials
        What the cells did.
    """

    overlaps: np.ndarray
    trials: DendriteTrials

    def __repr__(self) -> str:
        return f"<Recognition {self.n_recognised} of {self.n_trials}>"

    @property
    def n_trials(self) -> int:
        """Return the number of trials."""
        return int(self.trials.plateau.size)

    @property
    def n_recognised(self) -> int:
        """Return the number of trials with a plateau."""
        return int(self.trials.plateau.sum())

    @property
    def rate(self) -> float:
        """Return the fraction of trials with a plateau."""
        return self.n_recognised / self.n_trials

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return the binomial interval of the rate.

        Parameters
        ----------
        confidence : float, default=0.95
            Probability with which such an interval holds the true rate, at least.

        Returns
        -------
        low : float
        high : float
        """
        low, high = binomial_interval(self.n_recognised, self.n_trials, confidence)
        return float(low), float(high)

    def deviation(self, expected: float) -> float:
        """Return how far the rate lies from an expected one, in standard errors.

        Parameters
        ----------
        expected : float
            A probability.

        Returns
        -------
        float
            In units of sqrt(p (1 - p) / n_trials); infinite if what should be impossible happened.
        """
        expected = check_probability("expected", expected)
        error = np.sqrt(expected * (1.0 - expected) / self.n_trials)
        difference = self.rate - expected
        if error == 0.0:
            return 0.0 if difference == 0.0 else float(np.copysign(np.inf, difference))
        return float(difference / error)


def recognise(
    model: Cell,
    segments: SparseCode,
    inputs: SparseCode,
    *,
    jitter: float = 2.0,
    failure: float = 0.0,
    duration: float = 100.0,
    dt: float = 0.1,
    codegen: Codegen = "auto",
    progress: bool = False,
    rng: Any = None,
) -> Recognition:
    """Show each input to a dendrite whose synapses are those of a segment.

    Segments and inputs of :func:`draw_strangers` give the rate of false positives, with several
    patterns on a segment that of a union; those of :func:`draw_noisy` give the rate of hits, 1
    minus that of false negatives.

    Parameters
    ----------
    model : NMDADendrite, EventPlateau or ThreeCompartment
        The cell.
    segments : SparseCode
        Units on which each segment has a synapse: one row a trial, or one row for all.
    inputs : SparseCode
        Units that are active, one row a trial; each sends one spike to each of its synapses.
    jitter : float, default=2
        Spikes are spread over so many ms.
    failure : float, default=0
        Probability that a synapse transmits nothing.
    duration : float, default=100
        Time to simulate after the latest spike possible, in ms.
    dt : float, default=0.1
        Step, in ms.
    codegen : {"auto", "cython", "numpy"}, default="auto"
        See :func:`simulate_dendrites`.
    progress : bool, default=False
        Whether to show a progress bar.
    rng : Generator, int or None
        Random numbers for the spikes.

    Returns
    -------
    Recognition

    Raises
    ------
    ModuleNotFoundError
        If Brian2 is not installed.
    ValueError, TypeError
        If the codes are not over the same units, or not as many, or if no segment has as many
        synapses as the model's threshold.

    Examples
    --------
    >>> from sdr.spiking import EventPlateau, draw_noisy, recognise
    >>> segments, inputs = draw_noisy(300, 64, 30, 50, n_moved=0, rng=0)
    >>> recognise(EventPlateau(), segments, inputs, codegen="numpy", rng=1)
    <Recognition 50 of 50>
    """
    check_model(model)
    rng, jitter = check_rng(rng), check_not_negative("jitter", jitter)
    for name, code in (("segments", segments), ("inputs", inputs)):
        if check_code(name, code).n_samples == 0:
            raise ValueError(f"{name} must hold at least one row; got none.")
    if segments.unit_shape != inputs.unit_shape:
        raise ValueError(
            f"segments and inputs must be over the same units; got unit_shape "
            f"{segments.unit_shape} and {inputs.unit_shape}."
        )
    if segments.n_samples not in (1, inputs.n_samples):
        raise ValueError(
            f"segments must have one row, or as many as inputs, {inputs.n_samples}; got "
            f"{segments.n_samples}."
        )
    largest = int(segments.n_active.max())
    if model.least_synapses > largest:
        raise ValueError(
            f"theta must be at most the number of synapses, {largest} on the largest segment; got "
            f"{model.least_synapses}."
        )
    if segments.n_samples == 1:
        overlaps = overlap(segments, inputs)[0]
    else:
        overlaps = overlap(segments, inputs, rowwise=True)
    trials = simulate_dendrites(
        model, overlaps, jitter=jitter, failure=failure,
        duration=check_positive("duration", duration) + jitter, dt=dt, codegen=codegen,
        progress=progress, rng=rng,
    )  # fmt: skip
    return Recognition(overlaps.astype(np.int64), trials)
