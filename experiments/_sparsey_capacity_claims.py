"""What a record of `sparsey-capacity` says of growth; no numbers of the thesis are known."""

from __future__ import annotations

from math import nan
from typing import Any, NamedTuple

import numpy as np

from experiments._framework import Claim, Record, Verdict, expected
from experiments._sparsey_capacity_measure import TASKS

__all__ = ["judge", "searches", "straight"]

PAPER = expected("rinkus_sequences")
#: Least R2 at which a line is said to fit, and the furthest exponent of a power that is linear.
LEAST_R2, BEND = 0.98, 0.15
#: Resampled sets of searches from which limits of 95 % are read.
N_RESAMPLED = 2_000


class Searches(NamedTuple):
    """Every search of one series: capacities of shape (n_sizes, n_searches), sizes rising."""

    weights: np.ndarray
    units: np.ndarray
    capacity: np.ndarray
    bits: np.ndarray


def searches(record: Record, task: str, rule: str, series: str = "all") -> Searches:
    """Return the searches of one series."""
    rows = record.table.where(task=task, rule=rule, series=series)
    shape = (len(record.config.sizes), record.config.n_searches)
    columns = [
        rows[name].astype(np.float64).reshape(shape)
        for name in ("n_weights", "n_units", "capacity", "bits")
    ]
    order = np.argsort(columns[0][:, 0], kind="stable")
    weights, units, found, bits = (column[order] for column in columns)
    return Searches(weights[:, 0], units[:, 0], found, bits)


def straight(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return slope and R2 of the line through each column of `y`, by least squares."""
    dx, dy = x - x.mean(), y - y.mean(axis=0)
    slope = dx @ dy / (dx @ dx)
    rest = dy - np.outer(dx, slope)
    return slope, 1.0 - (rest**2).sum(axis=0) / (dy**2).sum(axis=0)


def _resampled(values: np.ndarray) -> np.ndarray:
    """Return means over searches drawn with replacement at each size, one column for each draw."""
    rng = np.random.default_rng(0)
    n_sizes, n_searches = values.shape
    chosen = rng.integers(n_searches, size=(N_RESAMPLED, n_sizes, n_searches))
    return np.take_along_axis(values[None], chosen, axis=2).mean(axis=2).T


def _limits(values: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def _exponent(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Return the exponent of y as a power of x, and its limits.

    Sizes at which some search found a mac that holds nothing have no logarithm, and are left out.
    """
    held = (y > 0.0).all(axis=1)
    if held.sum() < 3:
        return nan, nan, nan
    x, y = x[held], y[held]
    slopes = straight(np.log(x), np.log(_resampled(y)))[0]
    mean = straight(np.log(x), np.log(y.mean(axis=1, keepdims=True)))[0]
    return (float(mean[0]), *_limits(slopes))


def judge(record: Record) -> list[Claim]:
    """Judge growth, the line, the power of units and the bits, for each task."""
    return [
        claim(record, task)
        for task in TASKS
        for claim in (_grows_claim, _line_claim, _units_claim, _bits_claim)
    ]


def _verdict(record: Record, task: str, passed: dict[str, bool]) -> tuple[Any, str]:
    """Say whether all rules pass, some, or none; with a note."""
    note = (
        "Random patterns, each recalled from itself." if task == "patterns" else
        f"Sequences of {record.config.n_frames} random frames, recalled from the first."
    )  # fmt: skip
    rows = record.table.where(task=task)
    if (rows["capacity"] == 0).any():
        note += " Exponents without the sizes at which a mac holds none."
    if not rows["bounded"].all():
        return Verdict.NOT_TESTED, note + " Some searches ended at the largest load allowed."
    failing = [rule for rule, good in passed.items() if not good]
    if not failing or len(failing) == len(passed):
        return not failing, note
    return Verdict.CAVEAT, note + f" Not with the rule {' or '.join(failing)}."


def _per_rule(record: Record, task: str) -> dict[str, Searches]:
    return {rule: searches(record, task, rule) for rule in record.config.rules}


def _grows_claim(record: Record, task: str) -> Claim:
    means = {rule: one.capacity.mean(axis=1) for rule, one in _per_rule(record, task).items()}
    verdict, note = _verdict(
        record, task, {rule: bool((np.diff(one) > 0).all()) for rule, one in means.items()}
    )
    return Claim(
        f"A larger mac holds more {task}",
        PAPER["bits"].cited,
        "grows with size",
        "; ".join(f"{rule}: " + ", ".join(f"{n:.4g}" for n in one) for rule, one in means.items()),
        verdict,
        note,
        preset="quick",
    )


def _line_claim(record: Record, task: str) -> Claim:
    texts, fits, straight_ones = [], {}, {}
    for rule, one in _per_rule(record, task).items():
        _, r2 = straight(one.weights, one.capacity.mean(axis=1, keepdims=True))
        limits = _limits(straight(one.weights, _resampled(one.capacity))[1])
        power = _exponent(one.weights, one.capacity)
        fits[rule] = bool(r2[0] >= LEAST_R2)
        straight_ones[rule] = fits[rule] and abs(power[0] - 1.0) <= BEND
        texts.append(
            f"{rule}: R2 {r2[0]:.4f} ({limits[0]:.4f} to {limits[1]:.4f}), exponent "
            f"{power[0]:.2f} ({power[1]:.2f} to {power[2]:.2f})"
        )
    verdict, note = _verdict(record, task, straight_ones)
    if verdict is False and all(fits.values()):
        verdict = Verdict.CAVEAT
        note += f" A line fits, but the power of weights is not within {BEND} of 1."
    return Claim(
        f"The number of {task} that a mac holds is linear in its weights",
        PAPER["growth"].cited,
        f"linear: R2 at least {LEAST_R2}, exponent within {BEND} of 1",
        "; ".join(texts),
        verdict,
        note + " Limits are of 95 %, from resampled searches.",
        preset="quick",
    )


def _power_claim(
    record: Record, task: str, powers: dict[str, Any], passed: dict[str, bool], text: str,
    source: str, published: str,
) -> Claim:  # fmt: skip
    """State exponents with their limits."""
    verdict, note = _verdict(record, task, passed)
    return Claim(
        text,
        source,
        published,
        "; ".join(f"{rule}: {p:.2f} ({low:.2f} to {high:.2f})"
                  for rule, (p, low, high) in powers.items()),
        verdict,
        note,
        preset="quick",
    )  # fmt: skip


def _units_claim(record: Record, task: str) -> Claim:
    found = _per_rule(record, task)
    powers = {rule: _exponent(one.units, one.capacity) for rule, one in found.items()}
    return _power_claim(
        record, task, powers, {rule: low > 1.0 for rule, (_, low, _) in powers.items()},
        f"The number of {task} that a mac holds grows faster than its units",
        PAPER["growth"].cited, "an exponent above 1, about 2",
    )  # fmt: skip


def _bits_claim(record: Record, task: str) -> Claim:
    found = _per_rule(record, task)
    powers = {rule: _exponent(one.weights, one.bits)
              for rule, one in found.items()}  # fmt: skip
    return _power_claim(
        record, task, powers, {rule: high < 0.0 for rule, (_, _, high) in powers.items()},
        f"Bits per synapse drift down with size for {task}",
        PAPER["bits"].cited, "an exponent below 0",
    )  # fmt: skip
