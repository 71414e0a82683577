"""How a stream of SDRs behaves: its sparsity, how evenly units are used, how much stays active."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from sparsecode._validation import check_count
from sparsecode.core._checks import check_code
from sparsecode.core.code import SparseCode
from sparsecode.core.ops import overlap

__all__ = ["Metrics", "Spread"]


class Spread(NamedTuple):
    """Minimum, mean, standard deviation and maximum of what was measured; NaN if nothing was."""

    minimum: float
    mean: float
    std: float
    maximum: float


class _Average:
    """Running mean and deviation of numbers, and their extremes."""

    def __init__(self) -> None:
        self.origin = float("nan")  # numbers are taken from the first one: no loss of digits
        self.moments = np.zeros(2)
        self.lowest, self.highest = np.inf, -np.inf

    def update(self, numbers: np.ndarray, shares: np.ndarray, rest: float) -> None:
        """Add numbers, each with its share; `rest` is that of what came before."""
        if not numbers.size:
            return
        if np.isnan(self.origin):
            self.origin = float(numbers[0])
        offsets = numbers - self.origin
        self.moments = rest * self.moments + [shares @ offsets, shares @ offsets**2]
        self.lowest = min(self.lowest, float(numbers.min()))
        self.highest = max(self.highest, float(numbers.max()))

    def spread(self) -> Spread:
        """Return what has come together."""
        if np.isnan(self.origin):
            return Spread(*[float("nan")] * 4)
        mean, square = self.moments
        deviation = float(np.sqrt(max(square - mean**2, 0.0)))
        return Spread(self.lowest, self.origin + float(mean), deviation, self.highest)


class Metrics:
    """Averages over a stream of SDRs, recent ones counting more.

    Sample ``t = 1, 2, ...`` enters every average with the weight ``1 / min(period, t)``: a plain
    mean at first, an exponential one of that period later. How the stream is cut into batches makes
    no difference.

    Parameters
    ----------
    period : int, optional
        Samples after which older ones fade; by default none does.

    Raises
    ------
    ValueError, TypeError
        If `period` is no integer of at least 1.

    Examples
    --------
    >>> from sdr import Metrics, SDRSpace
    >>> metrics = Metrics(period=1000).update(SDRSpace(1024, 20).sample(5000, rng=0))
    >>> round(metrics.sparsity.mean, 4), round(metrics.entropy, 3)
    (0.0195, 0.997)
    """

    def __init__(self, period: int | None = None) -> None:
        self.period = None if period is None else check_count("period", period)
        self.n_samples = 0
        self._sparsity, self._overlap = _Average(), _Average()
        self._frequency: np.ndarray | None = None
        self._last: SparseCode | None = None

    def update(self, code: SparseCode) -> Metrics:
        """Go on with the next samples.

        Parameters
        ----------
        code : SparseCode
            The next samples, in their order; values play no part.

        Returns
        -------
        Metrics
            Itself.

        Raises
        ------
        ValueError, TypeError
            If it is no SparseCode, or its units are not those of the samples before.
        """
        last = None if self._last is None else self._last.unit_shape
        code = check_code("code", code, unit_shape=last, whose="the samples before").binarize()
        if code.n_samples == 0:
            return self
        shares, rest = self._shares(self.n_samples, code.n_samples)
        self._sparsity.update(code.n_active / code.n_units, shares, rest)
        frequency = np.bincount(code.indices, shares[code._rows()], code.n_units)
        before = 0.0 if self._frequency is None else rest * self._frequency
        self._frequency = before + frequency
        self._compare(code)
        self.n_samples += code.n_samples
        self._last = code[-1]
        return self

    @property
    def sparsity(self) -> Spread:
        """Share of active units of a sample."""
        return self._sparsity.spread()

    @property
    def overlap(self) -> Spread:
        """Units that consecutive samples share, over the active units of the more active one.

        1 if both are silent.
        """
        return self._overlap.spread()

    @property
    def activation_frequency(self) -> np.ndarray:
        """Share of the samples in which each unit is active, shape (n_units,)."""
        return np.empty(0) if self._frequency is None else np.minimum(self._frequency, 1.0)

    @property
    def frequency(self) -> Spread:
        """Spread of the activation frequency over units."""
        f = self.activation_frequency
        if not f.size:
            return Spread(*[float("nan")] * 4)
        return Spread(float(f.min()), float(f.mean()), float(f.std()), float(f.max()))

    @property
    def entropy(self) -> float:
        """Mean binary entropy of the activation frequencies, over that of their mean.

        1 if all units are used alike; NaN if they are silent, or active, throughout.
        """
        f, sparsity = self.activation_frequency, self._sparsity
        if not f.size or sparsity.highest <= 0.0 or sparsity.lowest >= 1.0:
            return float("nan")
        return float(_binary_entropy(f).mean() / _binary_entropy(f.mean()))

    def _shares(self, n_before: int, n_new: int) -> tuple[np.ndarray, float]:
        """Return the share of each new sample in the averages, and that of what came before."""
        times = np.arange(n_before + 1, n_before + n_new + 1)
        weights = 1.0 / (times if self.period is None else np.minimum(times, self.period))
        fading = np.cumprod((1.0 - weights)[::-1])[::-1]
        return weights * np.append(fading[1:], 1.0), float(fading[0])

    def _compare(self, code: SparseCode) -> None:
        """Measure the overlaps of consecutive samples."""
        stream = code if self._last is None else SparseCode.concatenate([self._last, code])
        before, after = stream[:-1], stream[1:]
        larger = np.maximum(before.n_active, after.n_active)
        shared = overlap(before, after, rowwise=True) / np.maximum(larger, 1)
        n_pairs = max(self.n_samples - 1, 0)
        if after.n_samples:
            shares, rest = self._shares(n_pairs, after.n_samples)
            self._overlap.update(np.where(larger > 0, shared, 1.0), shares, rest)


def _binary_entropy(p: Any) -> Any:
    """Return the entropy of an event of probability `p`, in nats."""
    p = np.clip(p, 0.0, 1.0)
    rest = 1.0 - p
    return -(p * np.log(np.where(p > 0, p, 1.0)) + rest * np.log(np.where(rest > 0, rest, 1.0)))
