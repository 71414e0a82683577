"""The figure of `lazy-neurons`."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._framework import Record
from experiments._lazy_neurons_claims import LABELS
from experiments._lazy_neurons_measure import (
    STATES,
    TASKS,
    Setting,
    base,
    course,
    layers,
    model_score,
)

__all__ = ["draw"]

GREY = "#7a828e"
COLORS = ("#56b4e9", "#0072b2", "#009e73", "#d55e00", "#cc79a7", "#e69f00")


def draw(record: Record, figure: Any) -> None:
    """Draw six panels: courses, tasks, width, depth and how often neurons fire."""
    figure.set_size_inches(11.8, 7.2)
    axes = figure.subplots(2, 3)
    config = record.config
    _courses(
        record, axes[0, 0], "ViT (solid), Mixer (dashed)",
        [[base(config, net, rate=rate) for rate in config.rates] for net in ("vit", "mixer")],
    )  # fmt: skip
    _courses(
        record, axes[0, 1], "MLP, AdamW (solid), SGD (dashed)",
        [
            [base(config, "mlp", rate=rate) for rate in config.rates],
            [base(config, "mlp", optimizer="sgd", rate=rate) for rate in config.sgd_rates],
        ],
    )  # fmt: skip
    _tasks(record, axes[0, 2])
    _widths(record, axes[1, 0])
    _depths(record, axes[1, 1])
    _firing(record, axes[1, 2])


def _courses(record: Record, ax: Any, title: str, groups: list[list[Setting]]) -> None:
    """Draw the model score over epochs; epoch 0 is before training."""
    rates = list(dict.fromkeys(one.rate for group in groups for one in group))
    for group, style in zip(groups, ("-", "--")):
        for setting in group:
            found = course(record, setting)
            epochs = np.arange(found.shape[1])
            color = COLORS[rates.index(setting.rate) % len(COLORS)]
            new = style == "-" or setting.optimizer == "sgd"
            ax.plot(
                epochs, found.mean(axis=0), style, color=color,
                label=f"{setting.rate:g}" if new else None,
            )  # fmt: skip
            ax.fill_between(
                epochs, found.min(axis=0), found.max(axis=0), color=color, alpha=0.12, linewidth=0
            )
    ax.axhline(50.0, color=GREY, linewidth=0.8, linestyle=":")
    ax.set(xlabel="epoch (0: untrained)", ylabel="active units (%)", ylim=(0, 115))
    ax.set_yticks(range(0, 101, 20))
    ax.set_title(title)
    ax.legend(fontsize="small", ncols=3, loc="upper right", title="rate", title_fontsize="small")


def _tasks(record: Record, ax: Any) -> None:
    """Draw what is learned: untrained beside trained, every seed a dot."""
    places = np.arange(len(TASKS))
    for offset, (net, color) in enumerate((("vit", "#0072b2"), ("mlp", "#e69f00"))):
        for shift, state, fill in ((-0.1, STATES[0], "white"), (0.1, STATES[1], color)):
            found = [
                model_score(record, base(record.config, net, task=task), state=state)
                for task in TASKS
            ]
            x = places + 0.36 * (offset - 0.5) + shift
            ax.bar(
                x, [one.mean() for one in found], 0.17, facecolor=fill, edgecolor=color,
                label=f"{LABELS[net]}, {state}",
            )  # fmt: skip
            for at, one in zip(x, found):
                ax.plot(np.full(one.size, at), one, ".", color="#20262e", markersize=3)
    ax.set_xticks(places, [task.replace(" ", "\n") for task in TASKS])
    ax.set(ylabel="active units (%)")
    ax.set_ylim(0, 1.35 * ax.get_ylim()[1])
    ax.grid(visible=False, axis="x")
    ax.set_title(f"What is learned, rate {record.config.rate:g}")
    ax.legend(fontsize="small", ncols=2, loc="upper left")


def _widths(record: Record, ax: Any) -> None:
    """Draw counts over width, both logarithmic: half of all units is a straight line."""
    sizes = np.array(record.config.widths)
    for net, color in (("vit", "#0072b2"), ("mlp", "#e69f00")):
        for state, style in zip(STATES, ("o--", "o-")):
            found = [
                model_score(record, base(record.config, net, d_ff=int(size)), "n_active", state)
                for size in sizes
            ]
            means = np.array([one.mean() for one in found])
            spread = np.array([one.std(ddof=1) for one in found])
            ax.errorbar(
                sizes, means, yerr=spread, fmt=style, color=color, elinewidth=1.0,
                markerfacecolor="white" if state == STATES[0] else color,
                label=f"{LABELS[net]}, {state}",
            )  # fmt: skip
    ax.plot(sizes, 0.5 * sizes, ":", color=GREY, linewidth=1.0, label="half of all")
    ax.set(xscale="log", yscale="log", xlabel="units of a layer", ylabel="active units")
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.set_yticks(sizes / 2, [f"{size / 2:g}" for size in sizes])
    ax.minorticks_off()
    ax.set_title("Width: how many are active")
    ax.legend(fontsize="small")


def _depths(record: Record, ax: Any) -> None:
    """Draw every layer of ViTs of several depths."""
    for depth, color in zip(record.config.depths, COLORS):
        setting = base(record.config, "vit", n_layers=depth)
        for state, style, width in zip(STATES, ("--", "o-"), (0.9, 1.8)):
            found = layers(record, setting, "nonzero", state).mean(axis=0)
            ax.plot(
                np.arange(1, depth + 1), found, style if depth > 1 else style[-1].replace("-", "o"),
                color=color, linewidth=width,
                markerfacecolor="white" if state == STATES[0] else color,
                label=f"{depth} layer{'s' if depth > 1 else ''}" if state == STATES[1] else None,
            )  # fmt: skip
    ax.plot([], [], "--", color=GREY, linewidth=0.9, label="untrained")
    ax.set(xlabel="layer", ylabel="active units (%)")
    ax.set_xticks(np.arange(1, max(record.config.depths) + 1))
    ax.set_ylim(0, 1.35 * ax.get_ylim()[1])
    ax.set_title("Depth: every layer of the ViT")
    ax.legend(fontsize="small", ncols=2, loc="upper left")


def _firing(record: Record, ax: Any) -> None:
    """Draw sorted firing rates of the first and the last layer of the ViT, means over seeds."""
    found = record.arrays["firing"].mean(axis=0)
    n_layers, n_units = found.shape[1:]
    rank = 100.0 * (np.arange(n_units) + 0.5) / n_units
    for layer, color in dict(zip((n_layers - 1, 0), ("#d55e00", "#0072b2"))).items():
        for i, (state, style) in enumerate(zip(STATES, ("--", "-"))):
            ax.plot(rank, 100.0 * found[i, layer], style, color=color,
                    label=f"layer {layer + 1}, {state}")  # fmt: skip
    ax.axhline(10.0, color=GREY, linewidth=0.8, linestyle=":")
    ax.set(xlabel="neurons, the laziest first (%)", ylabel="tokens at which one is active (%)")
    ax.set_title("How often neurons of the ViT fire")
    ax.legend(fontsize="small", loc="upper left")
