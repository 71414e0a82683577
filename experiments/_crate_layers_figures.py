"""The figure of `crate-layers`."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._crate_layers_claims import PAPER
from experiments._crate_layers_measure import course
from experiments._framework import Record

__all__ = ["draw"]

GREY, PAPER_COLOR = "#7a828e", "#d55e00"
COLORS = ("#0072b2", "#009e73", "#cc79a7", "#e69f00")


def draw(record: Record, figure: Any) -> None:
    """Draw six panels: three measures, the two published curves, and what training changed."""
    figure.set_size_inches(11.4, 6.8)
    axes = figure.subplots(2, 3)
    _courses(record, axes[0, 0], "rate_input", "$R^c$ at the block's input", "nats")
    _courses(record, axes[0, 1], "rate_half", "$R^c$ at $Z^{l+1/2}$", "nats")
    _courses(record, axes[0, 2], "nonzero", "Nonzeros of the code", "share")
    axes[0, 0].legend(fontsize="small", loc="lower left")
    for ax in axes[0]:
        ax.set_ylim(0, 1.08 * ax.get_ylim()[1])
    _published(axes[1, 0], "rate", "Published: $R^c$, CRATE-Small", "nats")
    _changes(record, axes[1, 1])
    _published(axes[1, 2], "nonzero", "Published: nonzeros, CRATE-Small", "share")
    top = max(ax.get_ylim()[1] for ax in axes[:, 2])
    for ax in axes[:, 2]:
        ax.set_ylim(0, top)


def _courses(record: Record, ax: Any, measure: str, title: str, unit: str) -> None:
    """Draw every seed thin and means thick; held-out images."""
    depth = np.arange(1, record.config.n_layers + 1)
    rates = record.config.learning_rates
    untrained = course(record, measure, "untrained", rates[0])
    _lines(ax, depth, untrained, GREY, "untrained", "--")
    for rate, color in zip(rates, COLORS):
        found = course(record, measure, "trained", rate)
        _lines(ax, depth, found, color, f"trained, rate {rate:g}", "-")
    ax.set(xlabel="layer", ylabel=unit, xticks=depth)
    ax.set_title(title)


def _lines(
    ax: Any, depth: np.ndarray, found: np.ndarray, color: str, name: str, style: str
) -> None:
    ax.plot(depth, found.T, style, color=color, linewidth=0.7, alpha=0.35)
    ax.plot(depth, found.mean(axis=0), style, marker="o", color=color, label=name)


def _published(ax: Any, name: str, title: str, unit: str) -> None:
    values = PAPER[name].value
    depth = np.arange(1, len(values) + 1)
    ax.plot(depth, values, "o-", color=PAPER_COLOR, label="trained, read off the figure")
    ax.set(xlabel="layer", ylabel=unit, xticks=depth[1::2])
    ax.set_ylim(0, 1.15 * max(values))
    ax.set_title(title)
    ax.legend(fontsize="small", loc="lower left")


def _changes(record: Record, ax: Any) -> None:
    """Draw trained less untrained, in per cent of the untrained value, for both measures."""
    depth = np.arange(1, record.config.n_layers + 1)
    for measure, name, style in (("rate_input", "$R^c$", "o-"), ("nonzero", "nonzeros", "s--")):
        for rate, color in zip(record.config.learning_rates, COLORS):
            before = course(record, measure, "untrained", rate)
            change = 100.0 * (course(record, measure, "trained", rate) / before - 1.0)
            ax.errorbar(
                depth, change.mean(axis=0), yerr=change.std(axis=0, ddof=1), fmt=style, color=color,
                elinewidth=1.0, label=f"{name}, rate {rate:g}",
            )  # fmt: skip
    ax.axhline(0.0, color=GREY, linewidth=0.8)
    ax.set(xlabel="layer", ylabel="% of the untrained value", xticks=depth)
    ax.set_title("What training changed")
    ax.legend(fontsize="small", loc="upper left")
