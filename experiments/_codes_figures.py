"""The figure of `codes-into-memory`: recall against load, and what the patterns are like."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments import _codes_measure as parts
from experiments._framework import Record

__all__ = ["capacities", "draw"]

COLORS = dict(zip(parts.SOURCES, ("#d55e00", "#0072b2", "#56b4e9", "#009e73", "#20262e", "0.6")))


def capacities(record: Record, damage: str = "missing") -> dict[tuple[str, str], np.ndarray]:
    """Return the capacities of each source and memory, one for each repeat."""
    found = {}
    for source in parts.SOURCES:
        for name in parts.makers(record.config):
            rows = record.table.where(source=source, memory=name, damage=damage)
            exact = rows["exact"].reshape(record.config.n_repeats, -1)
            loads = np.asarray(record.config.loads)
            found[source, name] = np.array(
                [parts.capacity(loads, one, record.config.level) for one in exact]
            )
    return found


def draw(record: Record, figure: Any) -> None:
    """Draw a panel for each memory, and the patterns' similarity."""
    names = list(parts.makers(record.config))
    figure.set_size_inches(12.0, 6.8)
    axes = figure.subplots(2, 3, sharey=False)
    for ax, name in zip(axes.flat, names):
        _recall(record, ax, name)
    _shapes(record, axes.flat[len(names)])
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))


def _recall(record: Record, ax: Any, name: str) -> None:
    """Draw the share of patterns that a memory recalls without an error, from the missing cues."""
    for source in parts.SOURCES:
        rows = record.table.where(source=source, memory=name, damage="missing")
        exact = rows["exact"].reshape(record.config.n_repeats, -1)
        middle, low, high = np.median(exact, 0), exact.min(0), exact.max(0)
        dashes = "--" if source in ("cel0", "as often as l0") else "-"
        ax.plot(record.config.loads, middle, dashes, color=COLORS[source], label=source)
        ax.fill_between(record.config.loads, low, high, color=COLORS[source], alpha=0.15, lw=0)
    ax.axhline(record.config.level, color="0.6", linewidth=0.8, linestyle=":", zorder=0)
    ax.set(xscale="log", ylim=(-0.03, 1.03), xlabel="patterns stored", ylabel="recalled exactly")
    ax.set_title(name)


def _shapes(record: Record, ax: Any) -> None:
    """Draw how many active units two patterns of a source share, by what chance lets them."""
    mean = record.arrays["shapes"][:, :, 0].mean(axis=0)
    ratio = mean / (record.config.n_active**2 / record.config.n_atoms)
    bars = ax.barh(parts.SOURCES[::-1], ratio[::-1], color=[COLORS[s] for s in parts.SOURCES[::-1]])
    ax.bar_label(bars, [f"{value:.2f}" for value in ratio[::-1]], padding=4, fontsize="small")
    ax.set(xscale="log", xlabel="overlap of two patterns, by chance 1")
    ax.set_xticks([1, 2, 4, 8], ["1", "2", "4", "8"])
    ax.set_xlim(0.8, max(16.0, 1.6 * ratio.max()))
    ax.set_title("what the patterns are like")
