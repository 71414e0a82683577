"""The figure of `nmda-threshold`: medians, usable thresholds, the printed number."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._framework import Record, expected

__all__ = ["draw"]

BLUE, ORANGE, GREEN, INK, GREY = "#0072b2", "#d55e00", "#009e73", "#20262e", "#5b6470"
PAPER = expected("ahmad_hawkins2016")
TEXT = expected("hawkins_ahmad2016")


def draw(record: Record, figure: Any) -> None:
    """Draw everything on one figure."""
    figure.set_size_inches(9.6, 7.2)
    grid = figure.add_gridspec(2, 2, height_ratios=(1.15, 1.0))
    _draw_medians(record, figure.add_subplot(grid[0, :]))
    _draw_windows(record, figure.add_subplot(grid[1, 0]))
    _draw_text(record, figure.add_subplot(grid[1, 1]))


def _curve(record: Record, part: str, quantity: str) -> tuple[np.ndarray, np.ndarray]:
    rows = record.table.where(part=part, quantity=quantity)
    return rows["theta"], rows["value"]


def _draw_medians(record: Record, ax: Any) -> None:
    """Draw the median over the grid, its spread and the paper's values."""
    thetas, median = _curve(record, "grid", "median")
    for low, high, alpha in (("lowest", "highest", 0.10), ("lower quarter", "upper quarter", 0.22)):
        ax.fill_between(
            thetas, _curve(record, "grid", low)[1], _curve(record, "grid", high)[1],
            color=BLUE, alpha=alpha, linewidth=0,
            label="whole grid" if low == "lowest" else "middle half",
        )  # fmt: skip
    ax.plot(thetas, median, color=BLUE, label="median")
    paper = PAPER["fig6"].value
    ax.plot(
        paper["theta"], paper["median"], "o", color="white", markeredgecolor=INK, mew=1.3,
        label="Ahmad & Hawkins 2016, Fig. 6",
    )  # fmt: skip
    ax.axhline(record.config.error, color=GREY, linewidth=1.0, linestyle="--")
    ax.text(
        thetas[-1] + 0.35, record.config.error * 4, f"{record.config.error:g}",
        color=GREY, ha="right", fontsize="small",
    )  # fmt: skip
    low, high = PAPER["fig6_window"].value["measured"]
    ax.axvspan(low, high, color="#e69f00", alpha=0.10, linewidth=0, zorder=0)
    ax.text(
        (low + high) / 2 + 2.5, 3.0, "measured in neurons: 8 to 20 synapses",
        ha="center", va="center", fontsize="small", color="#8a5f00",
    )  # fmt: skip
    at = dict(zip(thetas.tolist(), median.tolist())).get(9)
    if at is not None:
        ax.annotate(
            f"theta = 9: {at:.2g},\nnot yet below {record.config.error:g}",
            (9, at), (9.6, 1e-3), fontsize="small", color=INK,
            arrowprops={"arrowstyle": "-", "color": INK, "linewidth": 0.8},
        )  # fmt: skip
    ax.set_yscale("log")
    ax.set(
        xlim=(thetas[0] - 0.4, thetas[-1] + 0.4), ylim=(1e-33, 1e2), xticks=thetas,
        xlabel="threshold theta (synapses)", ylabel="P(false positive)",
    )  # fmt: skip
    ax.set_title("Median false positives over populations, sparsities and segments")
    ax.legend(loc="lower left", fontsize="small")


def _draw_windows(record: Record, ax: Any) -> None:
    """Draw, for each number of synapses, from where to where thresholds serve."""
    config = record.config
    colors = dict(zip(sorted(config.noise), (GREEN, ORANGE)))
    lowest = record.table.where(part="lowest theta")["theta"]
    height = 0.36
    for index, noise in enumerate(sorted(config.noise)):
        highest = record.table.where(part="highest theta", value=noise)["theta"]
        for row, (low, high) in enumerate(zip(lowest, highest)):
            y = row + (index - 0.5) * height
            if high >= low:
                ends = [low - 0.3, high + 0.3]
                ax.plot(ends, [y, y], color=colors[noise], linewidth=5, solid_capstyle="butt")
            else:
                ax.plot(low, y, "x", color=colors[noise], markersize=5, mew=1.4)
    for noise, color in colors.items():
        ax.plot([], [], color=color, linewidth=5, label=f"{100 * noise:g} % of a pattern moved")
    ax.plot([], [], "x", color=GREY, mew=1.4, label="none serves")
    low, high = PAPER["fig6_window"].value["measured"]
    ax.axvspan(low, high, color="#e69f00", alpha=0.10, linewidth=0, zorder=0)
    ax.set_yticks(range(len(config.n_synapses)), [str(s) for s in config.n_synapses])
    ax.set(xlim=(5, None), xlabel="threshold theta", ylabel="synapses s")
    ax.set_ylim(-0.7, len(config.n_synapses) + 1.9)  # room for the legend
    ax.grid(axis="y", visible=False)
    ax.set_title(f"Thresholds with matches < {config.error:g}, misses < {config.misses:g}")
    ax.legend(loc="upper left", fontsize="small", ncols=1)


def _draw_text(record: Record, ax: Any) -> None:
    """Draw the formula through the printed number's setting, and the number."""
    thetas, values = _curve(record, "text", "s = 2 theta")
    printed = TEXT["false_positive_text"].value
    ax.plot(thetas, values, "o-", color=BLUE, markersize=4, label="formula, s = 2 theta")
    exact = float(_curve(record, "text", "exact")[1][0])
    ax.plot(printed["theta"], exact, "o", color=BLUE, markersize=8, markerfacecolor="white", mew=2)
    ax.plot(printed["theta"], printed["printed"], "X", color=ORANGE, markersize=9)
    ax.annotate(
        "", (printed["theta"], printed["printed"] * 3), (printed["theta"], exact / 3),
        arrowprops={"arrowstyle": "-", "color": ORANGE, "linewidth": 1.2, "linestyle": ":"},
    )  # fmt: skip
    ax.text(printed["theta"] + 0.3, exact * 2.5, f"exact: {exact:.3g}", color=BLUE)
    ax.text(
        printed["theta"] - 0.3, printed["printed"], f"printed: {printed['printed']:.2g}",
        color=ORANGE, ha="right", va="center",
    )  # fmt: skip
    ax.set_yscale("log")
    ax.set(
        xticks=thetas, xlabel="threshold theta, with s = 2 theta synapses",
        ylabel="P(false positive)",
    )  # fmt: skip
    ax.set_title("A slip in Hawkins & Ahmad 2016")
    ax.legend(loc="upper right", fontsize="small")
