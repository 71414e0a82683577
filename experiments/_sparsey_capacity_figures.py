"""The figure of `sparsey-capacity`: capacity and bits per synapse over the weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._framework import Record
from experiments._sparsey_capacity_claims import searches
from experiments._sparsey_capacity_measure import TASKS
from experiments._sparsey_sequences_figures import RULES

__all__ = ["draw"]

INK = "#20262e"
STYLES = {"all": "o-", "modules": "s--", "units": "^:"}


def draw(record: Record, figure: Any) -> None:
    """Draw four panels, a row for each task."""
    figure.set_size_inches(9.6, 7.6)
    for row, task in zip(figure.subplots(2, 2), TASKS, strict=True):
        _draw_capacity(record, row[0], task)
        _draw_bits(record, row[1], task)


def _draw_capacity(record: Record, ax: Any, task: str) -> None:
    """Draw capacities of the macs that grow in everything, with their lines."""
    for rule in record.config.rules:
        found, color = searches(record, task, rule), RULES.get(rule, INK)
        mean = found.capacity.mean(axis=1)
        error = found.capacity.std(axis=1, ddof=1) / np.sqrt(found.capacity.shape[1])
        ax.errorbar(found.weights / 1e3, mean, yerr=2 * error, fmt="o", color=color, markersize=4)
        slope, offset = np.polyfit(found.weights, mean, 1)
        ax.plot(found.weights / 1e3, slope * found.weights + offset, color=color,
                label=f"codes drawn: {rule}")  # fmt: skip
    ax.set(xlabel="weights (thousands)", ylabel=f"{task} held", ylim=(0, None), xlim=(0, None))
    ax.set_title(f"Capacity for {task}, with lines of least squares")
    ax.legend(fontsize="small")


def _draw_bits(record: Record, ax: Any, task: str) -> None:
    """Draw the bits of the frames held for each weight, for all series."""
    for series in record.config.series:
        for rule in record.config.rules:
            found = searches(record, task, rule, series)
            ax.plot(found.weights, found.bits.mean(axis=1), STYLES[series], markersize=4,
                    color=RULES.get(rule, INK))  # fmt: skip
        label = "everything grows" if series == "all" else f"only {series} grow"
        ax.plot([], [], STYLES[series], color=INK, markersize=4, label=label)
    ax.set_xscale("log")
    ax.set(xlabel="weights", ylabel="bits per synapse", ylim=(0, None))
    ax.set_title("Bits of the frames held, for each weight")
    ax.legend(fontsize="small")
