"""How many times as fast: from a record of races to tables."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._framework import Record
from experiments.benchmarks._race import on_threads

__all__ = ["columns", "goals", "limits", "markdown", "ratios"]

#: What each cell of the tables is called.
HEAD = (
    "race", "peer", "ours", "theirs", "ratio", "in the rounds", "precision: ours", "theirs",
    "at most", "goal", "met",
)  # fmt: skip


def columns(outcomes: list[Any]) -> dict[str, list[Any]]:
    """Return a record's table: a row per contestant of each race.

    Parameters
    ----------
    outcomes : list of Outcome
    """
    rows = [(outcome.race, lane) for outcome in outcomes for lane in outcome.lanes]
    return {
        "race": [race.name for race, _ in rows],
        "solver": [lane.entry.solver for _, lane in rows],
        "name": [_label(lane) for _, lane in rows],
        "licence": [lane.solver.licence for _, lane in rows],
        "threads": [lane.solver.n_threads for _, lane in rows],
        "dtype": [lane.solver.dtype for _, lane in rows],
        "samples": [lane.n_samples for _, lane in rows],
        "rounds": [len(lane.seconds) for _, lane in rows],
        "stop": [float(lane.stop) for _, lane in rows],
        "per": [race.per for race, _ in rows],
        "cost": [_cost(race, lane, float(np.median(lane.seconds))) for race, lane in rows],
        "measure": [lane.measure for _, lane in rows],
        "value": [lane.value for _, lane in rows],
        "limit": [lane.limit for _, lane in rows],
        "precise": [lane.is_precise for _, lane in rows],
        "goal": [float(lane.entry.goal) for _, lane in rows],
    }


def _label(lane: Any) -> str:
    """Return the solver's name, with the rule that it follows where it has several."""
    rule = lane.entry.parameters.get("rule")
    return f"{lane.solver.name} {rule}" if rule else lane.solver.name


def _cost(race: Any, lane: Any, seconds: float) -> float:
    """Return seconds per sample, or for the whole run where that is what counts."""
    return seconds / lane.n_samples if race.per == "sample" else seconds


def ratios(record: Record) -> list[dict[str, Any]]:
    """Return a row per peer of each race: how many times as fast ours is, and how precise.

    A ratio is one of medians over the rounds that both ran; its range is that of single rounds. It
    counts for the goal only where ours was precise.
    """
    rows = list(record.table.rows())
    seconds = record.arrays["seconds"]
    found = []
    for index, row in enumerate(rows):
        ours = next(i for i, other in enumerate(rows) if other["race"] == row["race"])
        if index == ours or rows[ours]["solver"] != "sparsecode":
            continue
        work = rows[ours]["samples"] / row["samples"] if row["per"] == "sample" else 1.0
        theirs, shared = work * seconds[index, : row["rounds"]], seconds[ours, : row["rounds"]]
        ratio, single = float(np.median(theirs) / np.median(shared)), theirs / shared
        found.append(
            {
                "race": row["race"],
                "ours": rows[ours],
                "theirs": row,
                "ratio": ratio,
                "lowest": float(single.min()),
                "highest": float(single.max()),
                "goal": row["goal"],
                "met": bool(rows[ours]["precise"] and ratio >= row["goal"]),
            }
        )
    return found


def goals(record: Record) -> tuple[int, int]:
    """Return how many goals are met, and how many there are."""
    set_ = [row for row in ratios(record) if np.isfinite(row["goal"])]
    return sum(row["met"] for row in set_), len(set_)


def markdown(record: Record) -> str:
    """Return the table of ratios as Markdown."""
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    for row in ratios(record):
        ours, theirs = row["ours"], row["theirs"]
        cells = [
            row["race"],
            _peer(ours, theirs),
            _rate(ours),
            _rate(theirs),
            f"{'≥ ' * _is_bound(row)}**{row['ratio']:.3g}**",
            f"{row['lowest']:.3g}–{row['highest']:.3g}",
            _precision(ours),
            _precision(theirs),
            f"{ours['limit']:.4g}",
            f"{row['goal']:g}" if np.isfinite(row["goal"]) else "–",
            ("yes" if row["met"] else "no") if np.isfinite(row["goal"]) else "–",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _peer(ours: dict[str, Any], theirs: dict[str, Any]) -> str:
    """Return the peer's name, and its threads where they are not ours."""
    if theirs["threads"] == ours["threads"]:
        return theirs["name"]
    return f"{theirs['name']} on {on_threads(theirs['threads'])}"


def _is_bound(row: dict[str, Any]) -> bool:
    """Say whether ours was precise and the peer, which would need longer, was not."""
    return row["ours"]["precise"] and not row["theirs"]["precise"]


def _rate(row: dict[str, Any]) -> str:
    """Return samples per second, or the seconds that a run takes."""
    if row["per"] != "sample":
        return f"{row['cost']:.3g} s"
    return f"{1 / row['cost']:,.0f}/s".replace(",", "\u202f")


def _precision(row: dict[str, Any]) -> str:
    """Return what was certified, and whether that is not enough."""
    return f"{row['value']:.4g}" + ("" if row["precise"] else " (missed)")


def limits(record: Record) -> str:
    """Return what the machine could do at most in the same run, as a Markdown list."""
    pairs = zip(record.arrays["limit_name"], record.arrays["limit"])
    return "; ".join(f"{name}: {value:.3g}" for name, value in pairs)
