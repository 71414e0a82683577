"""The figure of `similar-inputs-similar-codes`: G, intersections, and how they are preserved."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._framework import Record, Table, expected
from memory import Sigmoid2014

__all__ = ["draw"]

COLORS = {"2014": "#0072b2", "2010": "#009e73", "core": "#d55e00", "neurithmic": "#cc79a7"}
INK = "#20262e"
TARGETS = expected("sparsey_sanity")


def draw(record: Record, figure: Any) -> None:
    """Draw four panels."""
    figure.set_size_inches(9.6, 7.6)
    (familiarity, codes), (sweep, digits) = figure.subplots(2, 2)
    _draw_familiarity(record, familiarity)
    _draw_codes(record, codes)
    _draw_sweep(record, sweep)
    _draw_data(record, digits)


def _rows(record: Record, **where: Any) -> Table:
    """Return rows at the full load."""
    return record.table.where(data="overlaps", n_stored=record.config.n_stored, **where)


def _line(ax: Any, rows: Table, color: str, **options: Any) -> None:
    """Draw means with two standard errors."""
    ax.errorbar(
        rows["overlap"], rows["value"], yerr=2 * rows["error"], color=color, elinewidth=1.0,
        **options,
    )  # fmt: skip


def _target(ax: Any, overlaps: Any, values: Any, color: str) -> None:
    """Draw values of the table as open diamonds."""
    ax.plot(overlaps, values, "D", color="none", markeredgecolor=color, markersize=7, mew=1.2)


def _draw_familiarity(record: Record, ax: Any) -> None:
    for name in record.config.activations:
        rows = _rows(record, activation=name, quantity="G")
        _line(ax, rows, COLORS.get(name, INK), label=name)
    target = TARGETS["familiarity"].value
    _target(ax, target["overlap"], target["G"], INK)
    ax.plot([], [], "D", color="none", markeredgecolor=INK, label="targets")
    ax.set(
        xlabel="active inputs shared with a stored pattern", ylabel="familiarity G", ylim=(0, None)
    )
    ax.set_title(f"Familiarity, {record.config.n_stored} patterns stored")
    ax.legend(title="stored with", fontsize="small")


def _draw_codes(record: Record, ax: Any) -> None:
    """Draw E|intersection| of all sigmoids, and of hard choice for the first."""
    config, target = record.config, TARGETS["drawn"].value
    for name in config.activations:
        color = COLORS.get(name, INK)
        rows = _rows(record, activation=name, mode="drawn", quantity="intersection")
        _line(ax, rows, color)
        if name in target:
            _target(ax, target["overlap"], target[name], color)
    first = config.activations[0]
    hard = _rows(record, activation=first, mode="retrieved", quantity="intersection")
    _line(ax, hard, INK, linestyle="--", label=f"hard choice ({first})")
    if first in TARGETS["retrieved"].value:
        _target(ax, TARGETS["retrieved"].value["overlap"], TARGETS["retrieved"].value[first], INK)
    floor = config.n_modules / config.n_units
    ax.axhline(floor, color=INK, linewidth=0.8, linestyle=":", label="chance, Q/K")
    ax.set(xlabel="active inputs shared with a stored pattern", ylabel="code units shared, of "
           f"{config.n_modules}", ylim=(0, config.n_modules + 1))  # fmt: skip
    ax.set_title("Codes of neighbours, drawn as in learning")
    ax.legend(loc="lower right", fontsize="small")


def _draw_sweep(record: Record, ax: Any) -> None:
    """Draw Spearman's coefficient over the inflection."""
    x = np.array(record.config.inflections)
    for mode, style, color in (("drawn", "o-", COLORS["2014"]), ("retrieved", "s--", INK)):
        rows = record.table.where(data="random", quantity="spearman", mode=mode)
        rows = Table({name: column[-x.size :] for name, column in rows.items()})
        label = "drawn" if mode == "drawn" else "hard choice"
        ax.errorbar(
            x, rows["value"], yerr=2 * rows["error"], fmt=style, color=color, markersize=4,
            label=label,
        )  # fmt: skip
    ax.axvline(Sigmoid2014().inflection, color=INK, linewidth=0.8, linestyle=":", label="default")
    ax.set(xlabel="inflection of the sigmoid of 2014, $\\sigma_3$", ylim=(0, None),
           ylabel="Spearman, inputs and codes")  # fmt: skip
    ax.set_title("One constant decides (random patterns)")
    ax.legend(fontsize="small")


def _draw_data(record: Record, ax: Any) -> None:
    """Draw the coefficients on random patterns and digits, a group for each sigmoid."""
    names = record.config.activations
    place = np.arange(len(names))
    bars = [(data, mode) for data in ("random", "digits") for mode in ("drawn", "retrieved")]
    for i, (data, mode) in enumerate(bars):
        rows = record.table.where(data=data, quantity="spearman", mode=mode)
        rows = Table({name: column[: len(names)] for name, column in rows.items()})
        ax.bar(
            place + 0.2 * (i - 1.5), rows["value"], 0.18, yerr=2 * rows["error"],
            color="#8a94a3" if data == "random" else "#e69f00",
            alpha=1.0 if mode == "drawn" else 0.45,
            label=f"{data}, {'drawn' if mode == 'drawn' else 'hard choice'}",
        )  # fmt: skip
    ax.set_xticks(place, names)
    ax.set(ylabel="Spearman, inputs and codes", ylim=(0, 0.75))
    ax.set_title("All sigmoids, random patterns and digits")
    ax.legend(fontsize="small", ncols=2, loc="upper center")
