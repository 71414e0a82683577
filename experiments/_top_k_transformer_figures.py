"""The figure of `top-k-transformer`."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._framework import Record
from experiments._lazy_networks import limits
from experiments._top_k_transformer_claims import NAMES, NOISE, PAPER, difference
from experiments._top_k_transformer_measure import CORRUPTIONS, values

__all__ = ["draw"]

GREY = "#7a828e"
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")


def draw(record: Record, figure: Any) -> None:
    """Draw accuracy by label noise, by corruption, calibration, and differences from dense."""
    figure.set_size_inches(11.4, 7.2)
    axes = figure.subplots(2, 2)
    shares = record.config.label_noise
    _over_k(
        record, axes[0, 0], "Label noise", "held-out accuracy (%)",
        [(f"{100 * share:.0f} % redrawn", "accuracy", share) for share in shares],
    )  # fmt: skip
    _over_k(
        record, axes[0, 1], "Noise in the images, mean over severities", "held-out accuracy (%)",
        [("none", "accuracy", 0.0), *((NAMES[kind], kind, 0.0) for kind in CORRUPTIONS)],
    )  # fmt: skip
    _over_k(
        record, axes[1, 0], "Calibration, clean labels", "expected calibration error (%)",
        [("held out", "calibration", 0.0)],
    )  # fmt: skip
    _differences(record, axes[1, 1])


def _over_k(
    record: Record, ax: Any, title: str, unit: str, lines: list[tuple[str, str, float]]
) -> None:
    """Draw means over seeds with limits of 95 %."""
    ks = sorted(record.config.ks)
    middle = 0.5 * (len(lines) - 1)
    for place, ((name, measure, share), color) in enumerate(zip(lines, COLORS)):
        found = np.array([limits(values(record, measure, k, share)) for k in ks])
        ax.errorbar(
            np.array(ks) * 1.03 ** (place - middle), found[:, 0],
            yerr=[found[:, 0] - found[:, 1], found[:, 2] - found[:, 0]], fmt="o-",
            color=color, capsize=2, elinewidth=1.0, label=name,
        )  # fmt: skip
    ax.set_xscale("log", base=2)
    ax.set_xticks(ks, [f"{k}" if k < record.config.d_ff else f"{k}\n(dense)" for k in ks])
    ax.minorticks_off()
    ax.set(xlabel="active units a token keeps, k", ylabel=unit)
    if len(lines) > 1:
        ax.set_yticks(range(0, 101, 20))
        ax.set_ylim(0, 122)
    else:
        ax.set_ylim(0, 1.1 * ax.get_ylim()[1])
    ax.set_title(title)
    if len(lines) > 1:
        ax.legend(fontsize="small", ncols=len(lines), loc="upper center")


def _differences(record: Record, ax: Any) -> None:
    """Draw top-k less dense for every column of table 1, beside the published differences."""
    rows = [("clean", "accuracy", 0.0, "clean")]
    rows += [
        (f"{100 * share:.0f} % label noise", "accuracy", share, key)
        for share, key in NOISE.items()
        if share in record.config.label_noise
    ]
    rows += [(f"{NAMES[kind]} noise", kind, 0.0, kind) for kind in CORRUPTIONS]
    rows += [("calibration error", "calibration", 0.0, "calibration")]
    places = -np.arange(len(rows))
    k = record.config.k
    found = np.array([limits(difference(record, m, k, share)) for _, m, share, _ in rows])
    paper = [PAPER[key].value["top-k"] - PAPER[key].value["dense"] for *_, key in rows]
    ax.errorbar(
        found[:, 0], places, xerr=[found[:, 0] - found[:, 1], found[:, 2] - found[:, 0]], fmt="o",
        color=COLORS[0], capsize=2, label=f"here, top-{k}, 95 %",
    )  # fmt: skip
    ax.plot(paper, places - 0.22, "D", color=COLORS[1], markersize=5, label="published, top-128")
    ax.axvline(0.0, color=GREY, linewidth=0.8)
    ax.set_yticks(places, [row[0] for row in rows])
    ax.set_ylim(places[-1] - 0.6, 1.3)
    ax.set(xlabel="top-k less dense (points)")
    ax.set_title("Paired differences")
    ax.legend(fontsize="small", ncols=2, loc="upper center")
