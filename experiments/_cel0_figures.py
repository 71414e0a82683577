"""The figure of `cel0-exactness`: limits and gaps by method, then what wrong norms do."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._cel0_measure import METHODS, QUANTILES
from experiments._framework import Record
from sparsecode.plotting import COLORS

__all__ = ["draw"]

#: How each is drawn: l0 and CEL0 in the penalties' colours, short steps dashed.
STYLES: dict[str, dict[str, Any]] = {
    "l0, short step": {"color": COLORS["l0"], "linestyle": "--"},
    "l0, step 1/L": {"color": COLORS["l0"]},
    "CEL0, short step": {"color": COLORS["cel0"], "linestyle": "--"},
    "CEL0, step 1/L": {"color": COLORS["cel0"]},
    "CEL0, macro": {"color": COLORS["half"]},
    "coordinate descent": {"color": COLORS["scad"]},
}


def draw(record: Record, figure: Any) -> None:
    """Draw everything on one figure."""
    figure.set_size_inches(9.6, 7.0)
    axes = figure.subplots(2, 2, gridspec_kw={"height_ratios": (1.1, 1.0)})
    _draw_limits(record, axes[0, 0])
    _draw_gaps(record, axes[0, 1])
    _draw_minimisers(record, axes[1, 0])
    _draw_exactness(record, axes[1, 1])


def _draw_limits(record: Record, ax: Any) -> None:
    """Draw how many limits each method has on each problem."""
    counts = record.arrays["n_limits"]
    for row, style in enumerate(STYLES.values()):
        column = counts[:, row]
        shift = 0.26 * np.sin(2.4 * np.arange(column.size))  # apart, so that equal counts show
        ax.plot(column, row + shift, "o", color=style["color"], markersize=3.5, alpha=0.35, mew=0)
        ax.plot(column.mean(), row, "|", color="#20262e", markersize=17, mew=2)
    ax.set_yticks(range(len(STYLES)), STYLES)
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.set(xlim=(0, None), xlabel=f"distinct limits of {record.config.n_starts} starts")
    ax.set_title("Distinct limits: dots are problems, bars means")


def _draw_gaps(record: Record, ax: Any) -> None:
    """Draw which share of the starts ends how far above the global optimum."""
    quantiles = record.arrays["gap_quantiles"]
    for name, style, gaps in zip(STYLES, STYLES.values(), quantiles):
        ax.plot(1.0 + gaps, QUANTILES, label=name, **style)
    longest = quantiles[list(METHODS).index("l0, step 1/L")][-2]
    ax.set(
        xlim=(1.0, 1.1 + longest), ylim=(0.0, 1.0),
        xlabel="l0 cost of the limit / global optimum", ylabel="share of starts",
    )  # fmt: skip
    ax.set_title("How good they are: left is better")
    ax.legend(loc="center right", bbox_to_anchor=(1.0, 0.66), fontsize="small")


def _draw_minimisers(record: Record, ax: Any) -> None:
    """Draw the share of l0's minimisers that a relaxation with wrong norms keeps."""
    factors = np.array(record.config.norm_factors)
    counts = record.arrays["swept_n_minimisers"]
    share = counts / record.arrays["n_l0"][: len(counts), None]
    _lines(ax, factors, share)
    ax.axhline(1.0, color=STYLES["l0, step 1/L"]["color"], linewidth=1.2, linestyle="--")
    ax.text(factors[0], 0.985, "l0", va="top", color=STYLES["l0, step 1/L"]["color"])
    ax.set(ylim=(0, 1.05), ylabel="strict minimisers, share of l0's")
    ax.set_title("Wrong norms: how many minimisers are left")


def _draw_exactness(record: Record, ax: Any) -> None:
    """Draw how far the relaxation's global value lies below l0's."""
    factors = np.array(record.config.norm_factors)
    _lines(ax, factors, 100.0 * record.arrays["swept_gap"])
    fine = np.linspace(factors.min(), 1.0, 50)
    worst = -100.0 * (1.0 - fine) / (1.0 + fine)
    ax.plot(fine, worst, color="#20262e", linewidth=1.2, linestyle=":")
    ax.text(1.06, -20.0, "dotted: one atom at a tie", va="center", fontsize="small")
    ax.set(ylabel="CEL0's global value against l0's, %")
    ax.set_title("... and the price: exact from 1 on only")


def _lines(ax: Any, factors: np.ndarray, curves: np.ndarray) -> None:
    """Draw one faint line a problem and the mean of all, over factors on a logarithmic axis."""
    color = STYLES["CEL0, step 1/L"]["color"]
    ax.plot(factors, curves.T, color=color, alpha=0.22, linewidth=1.0)
    ax.plot(factors, curves.mean(axis=0), "o-", color=color)
    ax.axvline(1.0, color="#5b6470", linewidth=0.8)
    ax.set_xscale("log", base=2)
    ticks = [factor for factor in (0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0) if factor in factors]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.set_xticks([], minor=True)
    ax.set(xlabel="norm given / norm of the atom")
