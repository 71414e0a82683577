"""The psychometric curve of a dendrite, and the threshold that it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, special, stats

from sdr._spiking_inputs import check_counts
from sparsecode._validation import check_fraction

__all__ = ["PsychometricCurve", "ThresholdFit", "binomial_interval", "fit_threshold"]


@dataclass(frozen=True, eq=False)
class PsychometricCurve:
    """How often a plateau starts, for each number of synapses that an input hits.

    Parameters
    ----------
    overlaps : array-like of int, shape (n_overlaps,)
        Rising.
    n_plateaus : array-like of int, shape (n_overlaps,)
        Trials with a plateau.
    n_trials : array-like of int, shape (n_overlaps,)
        Trials in all.
    confidence : float, default=0.95
        Of the binomial intervals.

    Raises
    ------
    ValueError, TypeError
        If the arrays differ in length, overlaps do not rise, or there are more plateaus than
        trials.
    """

    overlaps: np.ndarray
    n_plateaus: np.ndarray
    n_trials: np.ndarray
    confidence: float = 0.95

    def __post_init__(self) -> None:
        names = ("overlaps", "n_plateaus", "n_trials")
        arrays = [check_counts(name, getattr(self, name)) for name in names]
        overlaps, n_plateaus, n_trials = arrays
        if len({array.size for array in arrays}) > 1 or not overlaps.size:
            raise ValueError(
                "overlaps, n_plateaus and n_trials must be equally long, and not empty; got "
                f"lengths {', '.join(str(array.size) for array in arrays)}."
            )
        if (np.diff(overlaps) <= 0).any():
            raise ValueError(f"overlaps must rise; got {overlaps.tolist()}.")
        if (n_plateaus > n_trials).any() or n_trials.min() < 1:
            raise ValueError(
                "n_trials must be at least 1 and at least n_plateaus everywhere; got "
                f"{n_trials.tolist()} for {n_plateaus.tolist()}."
            )
        check_fraction("confidence", self.confidence)
        for name, array in zip(names, arrays):
            object.__setattr__(self, name, array)

    @property
    def probability(self) -> np.ndarray:
        """Return the fraction of trials with a plateau, for each overlap."""
        return self.n_plateaus / self.n_trials

    @property
    def interval(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the lower and upper ends of the binomial intervals."""
        return binomial_interval(self.n_plateaus, self.n_trials, self.confidence)

    def at(self, overlaps: Any) -> np.ndarray:
        """Return the probability at `overlaps`.

        Parameters
        ----------
        overlaps : array-like of int
            Between those measured the curve is a straight line; below and above, it goes on as it
            ends.

        Returns
        -------
        ndarray of float64
        """
        return np.interp(overlaps, self.overlaps, self.probability)


@dataclass(frozen=True)
class ThresholdFit:
    """The threshold of a dendrite, as its psychometric curve shows it.

    Attributes
    ----------
    theta : int
        The smallest overlap whose probability is at least one half: the threshold of the abstract
        segment that is nearest to the cell.
    midpoint : float
        Overlap at which the fitted curve passes one half. Where the cell is all or none this is
        ``theta - 0.5``.
    standard_error : float
        Of the midpoint; 0 where the cell is all or none: then the midpoint is a convention.
    width : float
        Overlaps from 25 % to 75 % of the fitted curve; 0 where the cell is all or none.
    method : str
        "step", "interpolation" (one overlap in between) or "logistic".
    """

    theta: int
    midpoint: float
    standard_error: float
    width: float
    method: str

    @property
    def all_or_none(self) -> bool:
        """Return whether every overlap measured gave always or never a plateau."""
        return self.method == "step"


def binomial_interval(
    n_successes: Any, n_trials: Any, confidence: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return Clopper & Pearson's exact intervals."""
    k, n = np.asarray(n_successes, float), np.asarray(n_trials, float)
    tail = (1.0 - confidence) / 2.0
    low = stats.beta.ppf(tail, np.maximum(k, 1.0), n - np.maximum(k, 1.0) + 1.0)
    high = stats.beta.ppf(1.0 - tail, np.minimum(k, n - 1.0) + 1.0, n - np.minimum(k, n - 1.0))
    return np.where(k > 0, low, 0.0), np.where(k < n, high, 1.0)


def fit_threshold(curve: PsychometricCurve) -> ThresholdFit:
    """Fit the threshold of a psychometric curve.

    Where two overlaps or more give a plateau sometimes, a logistic function is fitted by maximum
    likelihood, with the error of its midpoint from the Fisher information. Where one does, a
    logistic function has no steepest fit; the midpoint is interpolated between its neighbours.
    Where none does, the cell is all or none and the threshold is the step.

    Parameters
    ----------
    curve : PsychometricCurve
        As measured.

    Returns
    -------
    ThresholdFit

    Raises
    ------
    ValueError
        If the curve does not rise through one half, so that it shows no threshold.
    """
    probability = curve.probability
    above = np.flatnonzero(probability >= 0.5)
    if not above.size or above[0] == 0:
        raise ValueError(
            "curve must rise through one half within its overlaps; got probabilities from "
            f"{probability[0]:.3g} to {probability[-1]:.3g}. Measure it over more overlaps."
        )
    first = above[0]
    theta = int(curve.overlaps[first])
    sometimes = (probability > 0.0) & (probability < 1.0)
    if not sometimes.any():
        return ThresholdFit(theta, theta - 0.5, 0.0, 0.0, "step")
    if sometimes.sum() == 1:
        return ThresholdFit(theta, *_interpolated(curve, first), "interpolation")
    return ThresholdFit(theta, *_logistic(curve), "logistic")


def _interpolated(curve: PsychometricCurve, first: int) -> tuple[float, float, float]:
    """Return midpoint, error and width of the line between the two overlaps around one half."""
    places = curve.overlaps[first - 1 : first + 1].astype(float)
    low, high = curve.probability[first - 1 : first + 1]
    counts = curve.n_trials[first - 1 : first + 1]
    rise, run = high - low, places[1] - places[0]
    midpoint = places[0] + run * (0.5 - low) / rise
    slopes = run * np.array([high - 0.5, 0.5 - low]) / rise**2  # of the midpoint in low and high
    variance = np.array([low * (1.0 - low), high * (1.0 - high)]) / counts
    return float(midpoint), float(np.sqrt(slopes**2 @ variance)), float(0.5 * run / rise)


def _logistic(curve: PsychometricCurve) -> tuple[float, float, float]:
    """Return midpoint, error and width of the logistic curve of largest likelihood."""
    x, k, n = curve.overlaps.astype(float), curve.n_plateaus, curve.n_trials

    def cost(parameters: np.ndarray) -> float:
        z = np.exp(parameters[1]) * (x - parameters[0])
        return -float(k @ special.log_expit(z) + (n - k) @ special.log_expit(-z))

    start = np.array([np.interp(0.5, np.maximum.accumulate(curve.probability), x), 0.0])
    best = optimize.minimize(cost, start, method="Nelder-Mead",
                             options={"xatol": 1e-8, "fatol": 1e-10, "maxiter": 4000})  # fmt: skip
    midpoint, slope = best.x[0], np.exp(best.x[1])
    p = special.expit(slope * (x - midpoint))
    weight = n * p * (1.0 - p)
    gradient = np.stack([np.full(x.size, -slope), x - midpoint])  # of the logit
    covariance = np.linalg.inv((gradient * weight) @ gradient.T)
    return float(midpoint), float(np.sqrt(covariance[0, 0])), float(2.0 * np.log(3.0) / slope)
