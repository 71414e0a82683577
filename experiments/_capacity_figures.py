"""The figure of `memory-capacity`: memories on one axis, and theory beside what was measured."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.ticker import NullLocator

from experiments import _capacity_measure as parts
from experiments._framework import Record
from memory import theory

__all__ = ["draw"]

COLORS = {
    "Willshaw": "#0072b2", "Tsodyks-Feigelman": "#d55e00", "BCPNN": "#009e73",
    "Sparsey": "#cc79a7", "nearest": "0.6", "Hopfield": "#20262e", "Kanerva": "#e69f00",
    "dense, cubic": "#56b4e9",
}  # fmt: skip
TITLES = {
    "random": "random sparse patterns",
    "images": "l0 codes of images",
    "dense": "half active",
}
INK = "#20262e"


def draw(record: Record, figure: Any) -> None:
    """Draw recall, bits a byte, and four theories."""
    figure.set_size_inches(13.0, 9.6)
    below = ("willshaw", "hopfield", "sparse", "kanerva")
    axes = figure.subplot_mosaic(
        [
            [f"exact {kind}" for kind in parts.KINDS for _ in range(4)],
            [f"bits {kind}" for kind in parts.KINDS for _ in range(4)],
            [name for name in below for _ in range(3)],
        ]
    )
    for kind in parts.KINDS:
        _curves(record, axes[f"exact {kind}"], kind, "exact", "recalled exactly")
        axes[f"exact {kind}"].set_title(TITLES[kind])
        _curves(record, axes[f"bits {kind}"], kind, "bits_per_byte", "bits a byte")
        axes[f"bits {kind}"].set_yscale("log")
    for name, theory_of in zip(below, (_willshaw, _hopfield, _sparse, _kanerva)):
        theory_of(record, axes[name])


def _curves(record: Record, ax: Any, kind: str, column: str, label: str) -> None:
    """Draw one line for each memory, the mean of its trials."""
    for name in parts.makers(record.config, kind):
        if name == "nearest" and column == "bits_per_byte":
            continue
        rows = record.table.where(kind=kind, memory=name)
        loads = np.unique(rows["load"])
        means = [rows[column][rows["load"] == load].mean() for load in loads]
        ax.plot(loads, means, "o-", markersize=3, color=COLORS[name], label=name)
    ax.set(xscale="log", xlabel="patterns stored", ylabel=label)
    _ticks(ax, [load for load in record.config.loads if load <= loads[-1]][::2])
    if column == "exact":
        ax.legend(fontsize="x-small", loc="lower left")


def _willshaw(record: Record, ax: Any) -> None:
    loads = np.array(record.config.willshaw_loads)
    measured = record.arrays["willshaw_measured"]
    error = measured.std(axis=1, ddof=1) / np.sqrt(measured.shape[1])
    ax.plot(loads, record.arrays["willshaw_exact"], color=INK, label="exact")
    ax.plot(loads, record.arrays["willshaw_limit"], "--", color="0.6", label="power of the load")
    ax.errorbar(loads, measured.mean(axis=1), 2 * error, fmt="o", color=COLORS["Willshaw"],
                label="measured", zorder=3)  # fmt: skip
    ax.set(yscale="log", xlabel="pairs stored", ylabel="spurious units a pattern")
    ax.set_title(f"Willshaw, {record.config.willshaw_units:,} units")
    ax.legend(fontsize="x-small")


def _hopfield(record: Record, ax: Any) -> None:
    loads = np.array(record.config.hopfield_loads)
    fine = np.linspace(loads[0], loads[-1], 300)
    ax.plot(fine, theory.hopfield_overlap(fine), color=INK, label="mean field")
    for n, found, shade in zip(
        record.config.hopfield_units, record.arrays["hopfield"], ("#9ecae1", "#4292c6", "#08519c")
    ):
        ax.plot(loads, found[:, :, 0].mean(axis=0), "o-", ms=3, color=shade, label=f"N = {n:,}")
    ax.set(xlabel="patterns a unit", ylabel="overlap", ylim=(-0.03, 1.03))
    ax.set_title("Hopfield, from the pattern")
    ax.legend(fontsize="x-small", loc="lower left")


def _sparse(record: Record, ax: Any) -> None:
    f = np.array(record.config.sparse_densities)
    fine = np.geomspace(f.min(), f.max(), 50)
    middle, low, high = record.arrays["sparse"].T
    ax.plot(fine, theory.sparse_hopfield_capacity(fine), color=INK)
    ax.vlines(f, low, np.minimum(high, 4 * middle), color=COLORS["Tsodyks-Feigelman"])
    ax.plot(f, middle, "o", color=COLORS["Tsodyks-Feigelman"])
    ax.set(xscale="log", yscale="log", xlabel="density f", ylabel="patterns a unit")
    _ticks(ax, sorted(f))
    ax.set_yticks([0.5, 1, 2, 5], ["0.5", "1", "2", "5"])
    ax.yaxis.set_minor_locator(NullLocator())
    ax.set_title("Tsodyks-Feigelman")


def _kanerva(record: Record, ax: Any) -> None:
    loads = np.array(record.config.word_loads)
    measured = record.arrays["kanerva_measured"]
    error = measured.std(axis=1, ddof=1) / np.sqrt(measured.shape[1])
    ax.plot(loads, record.arrays["kanerva_theory"], color=INK)
    ax.errorbar(loads, measured.mean(axis=1), 2 * error, fmt="o", color=COLORS["Kanerva"])
    ax.set(xscale="log", yscale="log", xlabel="words", ylabel="wrong bits")
    _ticks(ax, list(loads))
    ax.set_title("Kanerva")


def _ticks(ax: Any, values: list[Any]) -> None:
    """Name a few places of a logarithmic axis in plain numbers."""
    ax.set_xticks(values, [f"{value:,g}" for value in values])
    ax.xaxis.set_minor_locator(NullLocator())
