"""What `nmda-threshold` calculates: false positives over the grid, usable thresholds, a slip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from experiments._framework import expected
from sdr.theory import false_negative, false_positive

if TYPE_CHECKING:
    from experiments.nmda_threshold import Config

#: One number of the table: part, quantity, theta, value.
Row = tuple[str, str, int, float]
#: Quantiles of the grid that are kept beside the median.
QUANTILES = {"lowest": 0.0, "lower quarter": 0.25, "upper quarter": 0.75, "highest": 1.0}


def population(config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Return every pair of a population size and its number of active cells, flattened."""
    n = np.arange(config.n_smallest, config.n_largest + 1, config.n_step)
    a = np.rint(n[:, None] * np.array(config.sparsities)).astype(int)
    return np.repeat(n, len(config.sparsities)), a.ravel()


def grid_rows(config: Config, progress: Any) -> tuple[list[Row], dict[str, np.ndarray]]:
    """Return the median false-positive probability of the whole grid at each threshold."""
    n, a = population(config)
    s, rows, grids = np.array(config.n_synapses), [], []
    for theta in progress(config.thetas, "thresholds"):
        grid = false_positive(n[:, None], a[:, None], s, theta)
        grids.append(grid)
        rows.append(("grid", "median", theta, float(np.median(grid))))
        rows += [
            ("grid", name, theta, float(np.quantile(grid, share)))
            for name, share in QUANTILES.items()
        ]
    return rows, {"false_positive": np.stack(grids)}


def window_rows(config: Config) -> list[Row]:
    """Return, for each number of synapses, the thresholds that keep both errors small.

    From below: the median over n and sparsity of the false positives. From above: misses of a
    damaged pattern, the most over all numbers of active cells.
    """
    n, a = population(config)
    rows: list[Row] = []
    for s in config.n_synapses:
        thetas = np.arange(1, s + 1)
        matched = np.median(false_positive(n[:, None], a[:, None], s, thetas), axis=0)
        rows.append(("lowest theta", f"s = {s}", int(thetas[matched <= config.error][0]), 0.0))
        sizes = np.unique(a)[:, None]
        for noise in config.noise:
            moved = np.rint(noise * sizes).astype(int)
            missed = false_negative(sizes, s, moved, thetas).max(axis=0)
            few = thetas[missed <= config.misses]
            rows.append(
                ("highest theta", f"s = {s}", int(few[-1]) if few.size else 0, float(noise))
            )
    return rows


def small_rows() -> list[Row]:
    """Return the false positives of s = 2 theta in the setting of Hawkins and Ahmad 2016."""
    printed = expected("hawkins_ahmad2016")["false_positive_text"].value
    rows: list[Row] = []
    for theta in range(6, 15):
        value = false_positive(printed["n"], printed["a"], 2 * theta, theta)
        rows.append(("text", "s = 2 theta", theta, float(value)))
    exact = false_positive(printed["n"], printed["a"], printed["s"], printed["theta"], exact=True)
    rows.append(("text", "exact", printed["theta"], float(exact)))
    return rows
