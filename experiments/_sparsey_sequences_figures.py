"""The figure of `sparsey-sequences`: recall over the load, and frame by frame."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._framework import Record
from experiments._sparsey_sequences_claims import RIGHT

__all__ = ["RULES", "draw"]

#: Colour of each rule by which codes are drawn.
RULES = {"2014": "#0072b2", "2010": "#009e73", "random": "#7a828e"}
CUES = {"first": "-", "moved-1": "--", "moved-2": ":"}
NAMES = {
    "first": "first frame alone", "moved-1": "all frames, 1 pixel moved",
    "moved-2": "all frames, 2 pixels moved", "first-moved-2": "first frame, 2 pixels moved",
    "skipped": "every second frame left out", "doubled": "every frame twice",
}  # fmt: skip
INK = "#20262e"


def draw(record: Record, figure: Any) -> None:
    """Draw four panels."""
    figure.set_size_inches(10.4, 8.0)
    (random, edges), (frames, warped) = figure.subplots(2, 2)
    _draw_loads(record, random, "random", "Random frames")
    _draw_loads(record, edges, "edges", "Moving edges of photographs")
    _draw_frames(record, frames)
    _draw_warped(record, warped)


def _draw_loads(record: Record, ax: Any, data: str, title: str) -> None:
    """Draw the share of right winners over the number of sequences stored."""
    for rule in record.config.rules:
        for mode, style in CUES.items():
            rows = record.table.where(data=data, rule=rule, mode=mode, quantity="winners")
            ax.errorbar(
                rows["load"], rows["value"], yerr=2 * rows["error"], color=RULES.get(rule, INK),
                linestyle=style, marker="o", markersize=3, elinewidth=1.0,
            )  # fmt: skip
    ax.axhline(RIGHT, color=INK, linewidth=0.8, linestyle=(0, (1, 3)))
    ax.set_xscale("log", base=2)
    ax.set_xticks(record.config.loads, [str(load) for load in record.config.loads])
    ax.set_xticks([], minor=True)
    ax.set(xlabel="sequences stored", ylabel="winners right", ylim=(0, 1.05))
    ax.set_title(title)
    if data == "random":
        for rule in record.config.rules:
            ax.plot([], [], color=RULES.get(rule, INK), label=f"codes drawn: {rule}")
        for mode, style in CUES.items():
            ax.plot([], [], color=INK, linestyle=style, label=NAMES[mode])
        ax.legend(fontsize="small", loc="lower left")


def _middle(record: Record) -> int:
    """Return the load at which recall from the first frame is nearest to three quarters right."""
    rule = record.config.rules[0]
    rows = record.table.where(data="random", rule=rule, mode="first", quantity="winners")
    return int(rows["load"][np.abs(rows["value"] - 0.75).argmin()])


def _draw_frames(record: Record, ax: Any) -> None:
    """Draw the share of right winners frame by frame, at low load and near its end."""
    rule, config = record.config.rules[0], record.config
    modes = ("first", "first-moved-2", "moved-1", "moved-2")
    for mode, color in zip(modes, ("#20262e", "#d55e00", "#56b4e9", "#0072b2"), strict=True):
        for load, style in ((config.low_load, "-"), (_middle(record), "--")):
            winners = record.arrays[f"frames-{mode}-{rule}-{load}"].mean(axis=0)
            ax.plot(
                np.arange(1, winners.size + 1), winners, style, color=color, marker="o",
                markersize=3, label=NAMES[mode] if style == "-" else None,
            )  # fmt: skip
    ax.plot([], [], "-", color=INK, label=f"{config.low_load} sequences stored")
    ax.plot([], [], "--", color=INK, label=f"{_middle(record)} sequences stored")
    ax.set(xlabel="frame", ylabel="winners right", ylim=(0, 1.5))
    ax.set_yticks(np.linspace(0, 1, 6))
    ax.set_title(f"Frame by frame (codes drawn: {rule})")
    ax.legend(fontsize="small", loc="upper center", ncols=2, columnspacing=1.0)


def _draw_warped(record: Record, ax: Any) -> None:
    """Draw warped cues with and without back-off, at low load, a group for each rule."""
    rules, load = record.config.rules, record.config.low_load
    bars = [(mode, back) for mode in ("skipped", "doubled") for back in ("", ", back-off")]
    for i, (mode, back) in enumerate(bars):
        rows = [
            record.table.where(
                data="random", rule=rule, load=load, mode=mode + back, quantity="winners"
            )
            for rule in rules
        ]
        ax.bar(
            np.arange(len(rules)) + 0.2 * (i - 1.5), [row["value"][0] for row in rows], 0.18,
            yerr=[2 * row["error"][0] for row in rows],
            color="#e69f00" if mode == "skipped" else "#8a94a3", alpha=1.0 if back else 0.45,
            label=NAMES[mode] + back,
        )  # fmt: skip
    ax.set_xticks(np.arange(len(rules)), rules)
    ax.set(xlabel="codes drawn by", ylabel="winners right", ylim=(0, 1.45))
    ax.set_yticks(np.linspace(0, 1, 6))
    ax.set_title(f"Warped time, {load} sequences of random frames stored")
    ax.legend(fontsize="small", loc="upper center", ncols=2, columnspacing=1.0)
