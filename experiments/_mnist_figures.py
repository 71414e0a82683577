"""The figure of `sparsey-mnist`."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._framework import Record
from experiments._mnist_claims import PAPER
from experiments._mnist_measure import AT_EVERY_COUNT, METHODS, TIMES, shares

__all__ = ["draw"]

INK = "#20262e"
COLORS = {
    "sparsey": "#d55e00", "thinned, nearest": "#56b4e9", "thinned, linear": "#0072b2",
    "greys, nearest": "#b9bfc8", "greys, linear": "#7a828e",
}  # fmt: skip


def draw(record: Record, figure: Any) -> None:
    """Draw four panels."""
    figure.set_size_inches(10.4, 8.0)
    (course, bars), (times, confusion) = figure.subplots(2, 2)
    _draw_course(record, course)
    _draw_bars(record, bars)
    _draw_time(record, times)
    _draw_confusion(record, confusion)


def _draw_course(record: Record, ax: Any) -> None:
    """Draw the share over the number of digits seen."""
    counts = record.config.counts
    for method in AT_EVERY_COUNT:
        found = np.array([shares(record, method, count) for count in counts])
        ax.errorbar(
            counts, found.mean(axis=1), yerr=found.std(axis=1, ddof=1), color=COLORS[method],
            marker="o", markersize=3, elinewidth=1.0, label=METHODS[method],
            linewidth=2.2 if method == "sparsey" else 1.4,
        )  # fmt: skip
    if record.config.data == "mnist":
        ax.plot(200, PAPER["accuracy"].value, "*", color=INK, markersize=10, label="published")
    ax.set_xscale("log")
    ax.set_xticks(counts, [str(count) for count in counts])
    ax.set_xticks([], minor=True)
    ax.set(xlabel="digits of each class, each seen once", ylabel="share recognised")
    ax.set_title("Recognition over digits seen")
    ax.legend(fontsize="small", loc="lower right")


def _draw_bars(record: Record, ax: Any) -> None:
    """Draw all methods at one count, each repeat a dot."""
    for place, (method, name) in enumerate(METHODS.items()):
        found = shares(record, method, record.config.n_per_class)
        color = COLORS.get(method, "#009e73")
        ax.barh(place, found.mean(), color=color, alpha=0.85, height=0.66)
        ax.plot(found, np.full(found.size, place), "|", color=INK, markersize=7)
        ax.text(0.02, place, name, va="center", fontsize=8, color="white" if place < 6 else INK)
    ax.set(yticks=[], xlabel="share recognised", xlim=(0, 1))
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    ax.set_title(f"{record.config.n_per_class} digits of each class")


def _draw_time(record: Record, ax: Any) -> None:
    """Draw the time of an item over the number stored, every repeat a line."""
    seconds = 1e3 * record.arrays[TIMES]
    stored = 10 * np.arange(1, seconds.shape[1] + 1)
    for one in seconds:
        ax.plot(stored, one, color=COLORS["sparsey"], alpha=0.2, linewidth=0.8)
    ax.plot(stored, np.median(seconds, axis=0), color=INK, label="median of the repeats")
    ax.set(xlabel="digits stored", ylabel="milliseconds for a digit")
    ax.set_ylim(0, 3 * np.median(seconds))
    ax.set_title("Time to learn one more digit")
    ax.legend(fontsize="small", loc="lower right")


def _draw_confusion(record: Record, ax: Any) -> None:
    """Draw which digits are taken for which."""
    counts = record.arrays["confusion"].sum(axis=0).astype(float)
    share = counts / counts.sum(axis=1, keepdims=True)
    errors = np.where(np.eye(10, dtype=bool), np.nan, share)
    image = ax.imshow(errors, cmap="OrRd", vmin=0)
    for label in range(10):
        ax.text(label, label, f"{100 * share[label, label]:.0f}", ha="center", va="center",
                fontsize=8, color=INK)  # fmt: skip
    ax.figure.colorbar(image, ax=ax, shrink=0.85, label="share of the digit, where wrong")
    ax.set(xticks=range(10), yticks=range(10), xlabel="taken for", ylabel="digit")
    ax.grid(False)
    ax.set_title("Confusions (on the diagonal: % right)")
