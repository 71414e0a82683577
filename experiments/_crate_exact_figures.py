"""The figure of `crate-vs-exact`."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._crate_exact_measure import STARTS, layer_number, measured
from experiments._crate_networks import STATES
from experiments._framework import Record

__all__ = ["draw"]

GREY = "#7a828e"
#: Line and marker of untrained and trained networks.
STYLES = ("--", "-")


def draw(record: Record, figure: Any) -> None:
    """Draw six panels over depth, untrained networks dashed."""
    figure.set_size_inches(11.4, 6.8)
    axes = figure.subplots(2, 3)
    most = max(record.config.n_steps)
    _panel(
        record, axes[0, 0], "Objective of the code", "relative to the minimum",
        {
            "max(x, 0)": ("start", GREY), "the block": ("layer", "#d55e00"),
            "a step from 0": ("ista_1_from_0", "#e69f00"),
            f"{most} steps from x": (f"ista_{most}", "#009e73"), "exact": ("lasso", "#20262e"),
        },
        lambda method, state: measured(record, "excess", method, state) + 1.0,
    )  # fmt: skip
    axes[0, 0].set_yscale("log")
    axes[0, 0].set_ylim(0.9, 20)
    axes[0, 0].set_yticks([1, 2, 5, 10], ["1", "2", "5", "10"])
    axes[0, 0].set_yticks([], minor=True)
    _panel(
        record, axes[0, 1], "Support, beside the exact one", "Jaccard",
        {
            "the block": ("layer", "#d55e00"), "other tokens'": ("chance", GREY),
            "a step from 0": ("ista_1_from_0", "#e69f00"),
            f"{most} steps from x": (f"ista_{most}", "#009e73"),
        },
        lambda method, state: (
            measured(record, "jaccard_shuffled", "layer", state) if method == "chance"
            else measured(record, "jaccard", method, state)
        ),
    )  # fmt: skip
    axes[0, 1].set_ylim(0, 1.3)
    axes[0, 1].set_yticks([0, 0.25, 0.5, 0.75, 1.0])
    _panel(
        record, axes[0, 2], "Density of the codes", "share of nonzeros",
        {
            "the block": ("layer", "#d55e00"), "exact": ("lasso", "#20262e"),
            "CEL0": ("cel0", "#0072b2"),
        },
        lambda method, state: measured(record, "density", method, state),
    )  # fmt: skip
    axes[0, 2].set_ylim(0, 0.85)
    _needed(record, axes[1, 0])
    _numbers(record, axes[1, 1], "step_x_curvature", "Step times curvature, $\\eta L$", 1.0,
             r"$\eta = 1 / L$")  # fmt: skip
    _numbers(record, axes[1, 2], "orthogonality",
             r"$\Vert D^\top D - I \Vert_F / \sqrt{d}$", 0.0, "orthogonal")  # fmt: skip
    handles = [
        axes[1, 2].plot([], [], style, color=GREY, label=state)[0]
        for state, style in zip(STATES, STYLES)
    ]
    axes[1, 2].legend(handles=handles, fontsize="small", loc="center right")


def _panel(
    record: Record, ax: Any, title: str, label: str, lines: dict[str, tuple[str, str]], values: Any
) -> None:
    depth = np.arange(1, record.config.n_layers + 1)
    for name, (method, color) in lines.items():
        for state, style in zip(STATES, STYLES):
            found = values(method, state)
            ax.errorbar(
                depth, found.mean(axis=0), yerr=found.std(axis=0, ddof=1), color=color, fmt=style,
                marker="o", markersize=3.5, elinewidth=1.0, linewidth=1.5,
                label=name if state == "trained" else None,
            )  # fmt: skip
    ax.set(xlabel="layer", ylabel=label, xticks=depth)
    ax.set_title(title)
    ax.legend(fontsize="small", ncols=2, loc="upper left")


def _needed(record: Record, ax: Any) -> None:
    """Draw medians of the steps needed; those not reached lie on the largest number tried."""
    depth = np.arange(1, record.config.n_layers + 1)
    needed = np.minimum(record.arrays["needed"], record.config.max_steps)
    for j, (start, color) in enumerate(zip(STARTS, ("#d55e00", "#e69f00", "#0072b2"))):
        for i, style in enumerate(STYLES):
            ax.plot(
                depth, np.median(needed[:, i, :, j], axis=0), style, marker="o", markersize=3.5,
                color=color, linewidth=1.5, label=start if i else None,
            )  # fmt: skip
    ax.axhline(1.0, color=GREY, linewidth=1.0)
    ax.text(depth[0], 1.08, "the block takes one", fontsize="small", color=GREY)
    ax.set_yscale("log")
    ax.set_ylim(0.8, 4 * float(needed.max()))
    ax.set(xlabel="layer", ylabel="steps, median over tokens", xticks=depth)
    ax.set_title(f"Steps to within {record.config.excess:.0%} of the minimum")
    ax.legend(fontsize="small", loc="upper right", ncols=3)


def _numbers(record: Record, ax: Any, name: str, title: str, mark: float, what: str) -> None:
    depth = np.arange(1, record.config.n_layers + 1)
    for state, style, color in zip(STATES, STYLES, (GREY, "#d55e00")):
        found = layer_number(record, name, state)
        ax.plot(depth, found.T, style, color=color, linewidth=0.7, alpha=0.4)
        ax.plot(depth, found.mean(axis=0), style, marker="o", markersize=3.5, color=color)
    ax.axhline(mark, color="#20262e", linewidth=1.0)
    ax.annotate(what, (depth[0], mark), (0, 3), textcoords="offset points", ha="left",
                fontsize="small")  # fmt: skip
    ax.set_ylim(0, None)
    ax.set(xlabel="layer", xticks=depth)
    ax.set_title(title)
