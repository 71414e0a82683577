"""Counted points beside their laws: rows of a table, bounds, claims and markers in figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from experiments._framework import Claim, Table
from experiments._framework.expected import Value
from sdr.simulation import ErrorCounts

__all__ = [
    "COLUMNS",
    "agreement",
    "bounds",
    "counted_rows",
    "draw_points",
    "inside",
    "published",
    "select",
    "table_claim",
    "with_column",
]

#: How often all points of a claim lie within their bounds when the law is right.
CONFIDENCE = 0.999
COLUMNS = (
    "part", "n_units", "n_active", "n_synapses", "n_patterns", "n_moved", "failure", "threshold",
    "n_trials", "n_errors", "measured", "predicted",
)  # fmt: skip
_INK = "#20262e"


def counted_rows(
    found: ErrorCounts, thresholds: Iterable[int], predicted: Iterable[float], **setting: Any
) -> list[tuple[Any, ...]]:
    """Return one row of the table for each threshold."""
    setting = {"n_patterns": 1, "n_moved": 0, "failure": 0.0, "n_trials": found.n_trials} | setting
    rows = []
    for threshold, probability in zip(thresholds, predicted, strict=True):
        errors = {"n_errors": found.n_errors(threshold), "measured": found.rate(threshold)}
        row = setting | errors | {"threshold": threshold, "predicted": float(probability)}
        rows.append(tuple(row[column] for column in COLUMNS))
    return rows


def bounds(points: Table, confidence: float | None = None) -> np.ndarray:
    """Return exact bounds of each point's probability, shape (n_points, 2).

    By default all points together lie within theirs with :data:`CONFIDENCE`: what each may miss is
    divided by their number (Bonferroni), which needs no independence.
    """
    if confidence is None:
        confidence = 1.0 - (1.0 - CONFIDENCE) / max(points.n_rows, 1)
    limits = [
        ErrorCounts(np.array([n_trials - n_errors, n_errors]), "match").interval(1, confidence)
        for n_trials, n_errors in zip(points["n_trials"].tolist(), points["n_errors"].tolist())
    ]
    return np.array(limits).reshape(-1, 2)


def inside(points: Table) -> np.ndarray:
    """Say which points agree with their law, within :func:`bounds`."""
    low, high = bounds(points).T
    return (low <= points["predicted"]) & (points["predicted"] <= high)


def agreement(points: Table) -> tuple[str, bool]:
    """Say how counted points agree with their law, and whether all do."""
    agree = inside(points)
    seen = (points["n_errors"] >= 100) & (points["predicted"] > 0.0)
    off = np.abs(points["measured"][seen] / points["predicted"][seen] - 1.0)
    detail = (
        f"; {100 * off.max():.2g} % off at most where 100 or more were counted" if any(seen) else ""
    )
    return f"{agree.sum()} of {agree.size} points within their bounds{detail}", bool(agree.all())


def published(
    value: Value, found: Any, key: str, tolerances: Any = None
) -> tuple[float | str, float | str, bool]:
    """Compare an array with the published one: say what both are, and whether they agree."""
    wanted = np.asarray(value.value[key], float)
    found = np.asarray(found, float).reshape(wanted.shape)
    off = np.abs(found / wanted - 1.0)
    equal = bool((off <= (value.tolerance if tolerances is None else tolerances)).all())
    if wanted.size == 1:
        return float(wanted.item()), float(found.item()), equal
    return f"{wanted.size} values", f"{100 * off.max():.1g} % off at most", equal


def table_claim(
    text: str, value: Value, found: Any, key: str, *, note: str = "", tolerances: Any = None
) -> Claim:
    """Judge whether the formula gives a published table to its digits."""
    theirs, ours, equal = published(value, found, key, tolerances)
    limit = f"Taken as equal up to {100 * (value.tolerance or 0):.2g} %."
    note = " ".join(filter(None, (note, value.note, limit)))
    return Claim(text, value.cited, theirs, ours, equal, note, preset="smoke")


def draw_points(ax: Any, x: str, points: Table, **style: Any) -> None:
    """Draw rates with 99.9 % bounds of each, and an arrow down from the bound where none was."""
    style = {"fmt": "o", "markersize": 4.5, "elinewidth": 1.2, "zorder": 3} | style
    low, high = bounds(points, CONFIDENCE).T
    some = points["n_errors"] > 0
    rate = points["measured"]
    ax.errorbar(
        points[x][some], rate[some], np.clip([rate - low, high - rate], 0.0, None)[:, some], **style
    )
    ax.plot(
        points[x][~some], high[~some], linestyle="none", marker=r"$\downarrow$", markersize=7,
        color=_INK, alpha=0.3, markeredgewidth=0,
    )  # fmt: skip


def select(table: Table, rows: Sequence[bool] | np.ndarray) -> Table:
    """Return some rows of a table."""
    return Table({name: column[np.asarray(rows, bool)] for name, column in table.items()})


def with_column(table: Table, name: str, values: np.ndarray) -> Table:
    """Return a table with a column more."""
    return Table({**table, name: values})
