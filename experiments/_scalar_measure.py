"""What `scalar-sdr` simulates and calculates, point by point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sdr.theory import scalar_false_positive
from sparsecode.core.rng import Streams

if TYPE_CHECKING:
    from experiments.scalar_sdr import Config


class Point(NamedTuple):
    """One point of a figure: `label` is what stands for a in it."""

    label: str
    n: int
    a: int
    scale: float

    @property
    def key(self) -> str:
        """Return a name for the point's part and random streams."""
        return f"{self.label.replace('/', '-')}-n{self.n}-scale{self.scale:g}"


def points(config: Config) -> list[Point]:
    """Return every point once: sizes by activity at scale 1, then the other scales.

    Where more units are to be active than there are, all are: as in the paper's a = 256, n = 250.
    """
    labels = [str(a) for a in config.n_active] + ["n/2"]
    found = [
        Point(label, n, n // 2 if label == "n/2" else min(int(label), n), 1.0)
        for label in labels
        for n in config.sizes
    ]
    n, a = config.scaled_size, config.n_active[0]
    found += [Point(str(a), n, min(a, n), scale) for scale in config.scales]
    return list(dict.fromkeys(found))


def point_row(config: Config, streams: Streams, point: Point) -> dict[str, Any]:
    """Simulate and calculate one point."""
    rates = simulate(config, streams(f"simulated-{point.key}"), point)
    theory = scalar_false_positive(
        point.n, point.a, config.n_weights,
        scale=point.scale, n_draws=config.n_draws, rng=streams(f"theory-{point.key}"),
    )  # fmt: skip
    return {
        "label": point.label,
        "n": point.n,
        "a": point.a,
        "scale": point.scale,
        "simulated": rates.mean(),
        "simulated_error": rates.std(ddof=1) / np.sqrt(rates.size),
        "theory": theory.value,
        "theory_error": theory.standard_error,
    }


def simulate(config: Config, rng: np.random.Generator, point: Point) -> np.ndarray:
    """Return, for each of many inputs, the share of fresh weight vectors that match it.

    Given the input, weight vectors match independently of each other; inputs are independent.
    """
    k, theta = config.n_weights, 1.0 / (6.0 * config.n_weights)
    shape, rates = (config.n_segments, k), np.empty(config.n_inputs)
    for trial in range(config.n_inputs):
        x = np.zeros(point.n)
        active = rng.permutation(point.n)[: point.a]
        x[active] = rng.uniform(0.0, 2.0 * point.scale / k, point.a)
        units = distinct_units(config.n_segments, point.n, k, rng)
        weights = rng.uniform(-1.0 / k, 1.0 / k, shape)
        rates[trial] = np.mean((x[units] * weights.T).sum(axis=0) >= theta)
    return rates


def distinct_units(n_rows: int, n: int, k: int, rng: np.random.Generator) -> np.ndarray:
    """Return columns of k different units of n, every set equally likely (Floyd's algorithm)."""
    units = np.empty((k, n_rows), dtype=np.int32)
    for row, last in enumerate(range(n - k, n)):
        drawn = rng.integers(0, last + 1, n_rows, dtype=np.int32)
        taken = (units[:row] == drawn).any(axis=0)
        units[row] = np.where(taken, last, drawn)
    return units
