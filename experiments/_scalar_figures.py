"""The figure of `scalar-sdr`: match probability over n, and over the scale of the inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._framework import Record, Table, expected

__all__ = ["draw"]

COLORS = ("#0072b2", "#009e73", "#d55e00", "#cc79a7")
INK = "#20262e"
PAPER = expected("scalar2019")


def draw(record: Record, figure: Any) -> None:
    """Draw both panels with one legend."""
    figure.set_size_inches(9.6, 4.4)
    axes = figure.subplots(1, 2, sharey=True, gridspec_kw={"width_ratios": (1.6, 1.0)})
    _draw_sizes(record, axes[0])
    _draw_scales(record, axes[1])
    axes[0].plot([], [], color=INK, label="theory")
    axes[0].plot([], [], "o", color=INK, label="simulation, ± 2 standard errors")
    axes[0].plot([], [], "D", color="white", markeredgecolor=INK, markersize=7, label="2019 paper")
    axes[0].legend(loc="lower left", fontsize="small")


def _points(ax: Any, x: np.ndarray, rows: Table, color: str) -> None:
    """Draw one curve of theory and its simulated points."""
    ax.plot(x, rows["theory"], color=color, zorder=2)
    found = rows["simulated"] > 0  # no match in a small run has no place on a logarithmic axis
    ax.errorbar(
        x[found], rows["simulated"][found],
        yerr=np.minimum(2 * rows["simulated_error"], 0.9 * rows["simulated"])[found],
        fmt="o", color=color, markersize=4, elinewidth=1.2, capsize=2.5, zorder=4,
    )  # fmt: skip


def _published(ax: Any, x: Any, values: Any, color: str) -> None:
    ax.plot(x, values, "D", color="white", markeredgecolor=color, markersize=9, mew=1.4, zorder=3)


def _draw_sizes(record: Record, ax: Any) -> None:
    """Draw the match probability over n, a line for each number of active units."""
    published = PAPER["fig2_by_n"].value
    labels = [*(str(a) for a in record.config.n_active), "n/2"]
    for label, color in zip(labels, COLORS):
        rows = record.table.where(label=label, scale=1.0)
        rows = Table({name: column[np.argsort(rows["n"])] for name, column in rows.items()})
        rows = _only(rows, np.isin(rows["n"], record.config.sizes))
        _points(ax, rows["n"], rows, color)
        ax.annotate(
            f"a = {label}", (rows["n"][-1], rows["theory"][-1]), (9, 0),
            textcoords="offset points", color=color, va="center",
        )  # fmt: skip
        if label.isdigit() and int(label) in published["a"]:
            values = published["false_positive"][published["a"].index(int(label))]
            shown = [(n, p) for n, p in zip(published["n"], values) if n in record.config.sizes]
            _published(ax, [n for n, _ in shown], [p for _, p in shown], color)
    sizes = sorted(record.config.sizes)
    dense = PAPER["fig2_dense"].value["false_positive"]
    _published(ax, sizes, [dense] * len(sizes), COLORS[len(labels) - 1])
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xticks(sizes, [f"{n:,}" for n in sizes])
    ax.set_xticks([], minor=True)
    ax.set(
        xlim=(sizes[0] / 1.15, sizes[-1] * 1.5), ylim=(2e-7, 0.4),
        xlabel="units n", ylabel="P(random input matches)",
    )  # fmt: skip
    ax.set_title("Sparse inputs: the more units the fewer matches")


def _only(rows: Table, keep: np.ndarray) -> Table:
    return Table({name: column[keep] for name, column in rows.items()})


def _draw_scales(record: Record, ax: Any) -> None:
    """Draw the match probability over the scale of the inputs."""
    config = record.config
    rows = record.table.where(label=str(config.n_active[0]), n=config.scaled_size)
    rows = _only(rows, np.argsort(rows["scale"]))
    _points(ax, rows["scale"], rows, COLORS[0])
    published = PAPER["fig2_by_scale"].value
    _published(ax, published["scale"], published["false_positive"], COLORS[0])
    ax.set_xscale("log", base=2)
    ax.set_xticks(sorted(config.scales), [f"{scale:g}" for scale in sorted(config.scales)])
    ax.set_xticks([], minor=True)
    ax.set(xlabel="scale of the inputs S")
    ax.set_title(f"Loud inputs match: n = {config.scaled_size:,}, a = {config.n_active[0]}")
