"""Medians, paired differences and curves of one record of `kernel-heterogeneity`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from experiments._framework import Record
from experiments._ladret import MisesFit, fit_exponential, fit_von_mises
from experiments._ladret_measure import CONTROL, EDGES, FIXED
from sparsecode.convolutional import log_gabor_preset

__all__ = ["LONG", "Comparison", "Difference"]

#: What the dictionaries are called in full, as in the paper's table.
LONG = {
    "hom": "homogeneous",
    "het": "heterogeneous",
    "hom-learned": "homogeneous, learned",
    "het-learned": "heterogeneous, learned",
    "noise-learned": "noise, learned",
    CONTROL: "noise",
}
#: Resamples of a bootstrap, and the seed that makes it the same every time.
RESAMPLES, SEED = 2000, 0


class Difference(NamedTuple):
    """The median of paired differences, its 95 % interval, and two tests.

    Attributes
    ----------
    median, low, high : float
    wilcoxon, mann_whitney : float
        Two-sided p-values: of the pairs, and of the two sets as the paper compares them.
    n : int
    """

    median: float
    low: float
    high: float
    wilcoxon: float
    mann_whitney: float
    n: int

    def __str__(self) -> str:
        small = max(abs(self.low), abs(self.high)) < 0.1
        form = "+.4f" if small else "+.2f"
        return f"{self.median:{form}} [{self.low:{form}}, {self.high:{form}}]"

    def tests(self) -> str:
        """Say the p-values in a sentence."""
        return (
            f"Wilcoxon p = {self.wilcoxon:.2g}, Mann-Whitney p = {self.mann_whitney:.2g} "
            f"(n = {self.n})."
        )


def interval(values: np.ndarray) -> tuple[float, float]:
    """Return the bootstrap's 95 % interval of the median."""
    if len(values) < 2 or np.ptp(values) == 0.0:
        return float(values.min()), float(values.max())
    found = stats.bootstrap(
        (values,), np.median, n_resamples=RESAMPLES, method="percentile",
        random_state=np.random.default_rng(SEED),
    ).confidence_interval  # fmt: skip
    return float(found.low), float(found.high)


def signed_rank(gaps: np.ndarray) -> float:
    """Return Wilcoxon's p-value: exact where no two sizes are the same and none is 0."""
    sizes = np.abs(gaps)
    is_plain = len(np.unique(sizes)) == len(sizes) and sizes.min() > 0.0
    return float(stats.wilcoxon(gaps, method="exact" if is_plain else "approx").pvalue)


class Comparison:
    """What one record holds, by dictionary and setting."""

    def __init__(self, record: Record) -> None:
        self.record = record

    def values(self, name: str, setting: str, column: str) -> np.ndarray:
        """Return one number a crop, averaged over the seeds of learning."""
        rows = self.record.table.where(dictionary=name, setting=setting)
        crops = np.unique(rows["crop"])
        return np.array([rows[column][rows["crop"] == crop].mean() for crop in crops])

    def median(self, name: str, setting: str, column: str) -> float:
        return float(np.median(self.values(name, setting, column)))

    def paired(self, name: str, other: str, setting: str, column: str) -> Difference:
        """Compare two dictionaries crop by crop."""
        first, second = (self.values(each, setting, column) for each in (name, other))
        return self.difference(first, second)

    def difference(self, first: np.ndarray, second: np.ndarray) -> Difference:
        """Compare two sets of values that belong together pair by pair."""
        gaps = first - second
        pairs = signed_rank(gaps) if np.any(gaps) else 1.0
        sets = stats.mannwhitneyu(first, second).pvalue
        return Difference(
            float(np.median(gaps)), *interval(gaps), float(pairs), float(sets), len(gaps)
        )

    def pruned(self, name: str, setting: str) -> np.ndarray:
        """Return median PSNR and sparseness for each cutoff."""
        table = self.record.table
        rows = (table["dictionary"] == name) & (table["setting"] == setting)
        return np.median(self.record.arrays["pruned"][rows].astype(np.float64), axis=0)

    def exponential(self, name: str) -> tuple[float, float, float]:
        """Fit the histogram of coefficients at the small alpha: A, b, explained variance."""
        centres = 0.5 * (EDGES[1:] + EDGES[:-1])
        return fit_exponential(centres, self.histogram(name, "small-alpha").astype(np.float64))

    def histogram(self, name: str, setting: str) -> np.ndarray:
        return self.record.arrays[f"histogram-{setting}-{name}"]

    def by_orientation(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return orientations in degrees, and what part of the coefficients each has."""
        angles = log_gabor_preset(FIXED[name])[1].orientation
        counts = self.record.arrays[f"usage-small-alpha-{name}"][0]
        degrees = np.unique(angles)
        parts = np.array([counts[angles == angle].sum() for angle in degrees])
        return degrees, parts / parts.sum()

    def orientations(self, name: str) -> MisesFit:
        return fit_von_mises(*self.by_orientation(name))
