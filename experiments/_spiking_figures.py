"""The figure of `spiking-dendrite`: the cells, three answers to three questions, and departures."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from experiments._framework import Record, Table
from experiments._spiking_claims import LABELS
from experiments._spiking_measure import JITTER, MODELS, TRACED, fitted
from sdr.spiking import NMDADendrite

__all__ = ["draw"]

COLORS = {"nmda": "#0072b2", "event": "#d55e00", "three": "#009e73"}
MARKERS = {"nmda": "o", "event": "s", "three": "^"}
INK, GREY = "#20262e", "#8b949e"
#: Shades of the traced inputs, few to many.
SHADES = ("#8fbcdb", "#0072b2", "#003a5d")
#: How far apart the cells' points stand, in steps of the axis.
DODGE = {"nmda": -0.22, "event": 0.0, "three": 0.22}


def draw(record: Record, figure: Any) -> None:
    """Draw everything on one figure."""
    figure.set_size_inches(11.6, 10.4)
    axes = figure.subplots(3, 3)
    _draw_traces(record, axes[0, 0])
    _draw_peaks(record, axes[0, 1])
    _draw_curves(record, axes[0, 2])
    titles = {
        "false positive": ("Three answers: unknown input, recognised", "synapses of the segment"),
        "false negative": ("Three answers: noisy pattern, missed", "bits moved, of {a}"),
        "union": ("Three answers: several patterns stored", "patterns on the dendrite"),
    }
    for ax, (question, (title, label)) in zip(axes[1], titles.items()):
        _draw_answers(record, ax, question)
        ax.set(title=title, xlabel=label.format(a=record.config.n_active), ylabel="rate")
    axes[1, 0].legend(loc="lower right", fontsize="small")
    _draw_sweep(record, axes[2, 0], "jitter", "false positive")
    _draw_sweep(record, axes[2, 1], "jitter", "false negative")
    _draw_failures(record, axes[2, 2])
    axes[2, 0].legend(loc="lower left", fontsize="small")


def _draw_traces(record: Record, ax: Any) -> None:
    """Draw dendrite and soma for inputs below, at and above the threshold."""
    arrays = record.arrays
    for k, color, dendrite, soma in zip(
        TRACED, SHADES, arrays["trace_dendrite"], arrays["trace_soma"]
    ):
        ax.plot(arrays["trace_time"], dendrite, color=color, label=f"{k} inputs")
        ax.plot(arrays["trace_time"], soma, color=color, linewidth=1.1, linestyle=(0, (3, 1.5)))
    ax.set(xlabel="time (ms)", ylabel="potential (mV)", xlim=(0, 250))
    ax.set_title("The NMDA dendrite; dashed: its soma")
    ax.legend(loc="upper right", fontsize="small")


def _draw_peaks(record: Record, ax: Any) -> None:
    """Draw the highest potential against the number of inputs, for both blocks."""
    overlaps = np.array(record.config.curve_overlaps)
    color = COLORS["nmda"]
    ax.plot(overlaps, record.arrays["peak_dendrite_steep"], "o-", color=color, label="steep block")
    ax.plot(
        overlaps, record.arrays["peak_dendrite_standard"], "o--", color=color, mfc="white",
        linewidth=1.2, label="standard block",
    )  # fmt: skip
    level = NMDADendrite().trigger
    ax.axhline(level, color=GREY, linewidth=1.0, linestyle=":")
    ax.text(
        overlaps[-1], level - 1.0, "counted as a plateau", ha="right", va="top",
        color=INK, fontsize="small",
    )  # fmt: skip
    ax.set(xlabel="inputs", ylabel="peak of the dendrite (mV)")
    ax.set_title("All or none only with a steep block")
    ax.legend(loc="lower right", fontsize="small")


def _draw_curves(record: Record, ax: Any) -> None:
    """Draw psychometric curves, for coincident and for spread inputs."""
    longest = max(record.config.jitters)

    def curve(part: str, jitter: float, name: str) -> Any:
        return fitted(record.config, record.arrays[f"curve-{part}-{jitter:g}-0-{name}"])[0]

    for name, color in COLORS.items():
        spread = curve("jitter", longest, name)
        ax.plot(
            spread.overlaps, spread.probability, linestyle="--", linewidth=1.2, color=color,
            marker=MARKERS[name], markersize=4, label=LABELS[name],
        )  # fmt: skip
        near = curve("rates", JITTER, name)
        ax.plot(near.overlaps, near.probability, color=INK, linewidth=1.8)
    ax.plot([], [], color=INK, linewidth=1.8, label=f"all, within {JITTER:g} ms")
    ax.set(xlabel="inputs", ylabel="probability of a plateau", xlim=(4, record.config.n_synapses))
    ax.set_title(f"Inputs spread over {JITTER:g} and over {longest:g} ms")
    ax.legend(loc="lower left", bbox_to_anchor=(0.3, 0.58), fontsize="small", handlelength=1.4)


def _draw_answers(record: Record, ax: Any, question: str) -> None:
    """Draw theory, counted sets and spiking cells."""
    rows = record.table.where(part="rates", question=question)
    first = rows.where(model="nmda")
    step = float(np.diff(first["value"]).min())
    ax.plot(first["value"], first["theory"], color=INK, linewidth=1.6, label="theory", zorder=1)
    ax.plot(
        first["value"], first["abstract"], "D", color=GREY, mfc="white", markersize=9, mew=1.3,
        label="drawn sets, overlaps counted", zorder=2,
    )  # fmt: skip
    for name in MODELS:
        one = rows.where(model=name)
        _points(ax, one["value"] + DODGE[name] * step, one, name, label=f"spiking: {LABELS[name]}")
    ax.set(yscale="log", ylim=(None, 1.4))
    ax.set_xticks(first["value"])


def _points(ax: Any, places: np.ndarray, rows: Table, name: str, **style: Any) -> None:
    """Draw measured rates with binomial intervals; an arrow where nothing was seen."""
    n = rows["n_trials"]
    count = np.round(rows["measured"] * n)
    low, high = stats.beta.ppf(
        [[0.025], [0.975]],
        np.stack([np.maximum(count, 0.5), np.minimum(count, n - 1) + 1]),
        np.stack([n - np.maximum(count, 0.5) + 1, n - np.minimum(count, n - 1)]),
    )
    seen = count > 0
    rate = rows["measured"]
    ax.errorbar(
        places[seen], rate[seen], np.abs(np.stack([rate - low, high - rate])[:, seen]),
        fmt=MARKERS[name], color=COLORS[name], markersize=4.6, elinewidth=1.1, zorder=4, **style,
    )  # fmt: skip
    if not seen.all():
        ax.plot(
            places[~seen], high[~seen], marker="v", color=COLORS[name], linestyle="", mfc="white"
        )


def _draw_sweep(record: Record, ax: Any, part: str, question: str) -> None:
    """Draw what jitter does to one rate, and two theories that know of it."""
    rows = record.table.where(part=part, question=question)
    first = rows.where(model="nmda")
    ax.plot(first[part], first["theory"], color=INK, linewidth=1.6, label="theory")
    for name in MODELS:
        one = rows.where(model=name)
        ax.plot(one[part], one["with_failure"], color=COLORS[name], linestyle="--", linewidth=1.2)
        ax.plot(one[part], one["with_curve"], color=COLORS[name], linestyle=":", linewidth=1.2)
        _points(ax, one[part], one, name)
    if question == "false positive":
        ax.plot([], [], color=GREY, linestyle="--", linewidth=1.2, label="with effective failures")
        ax.plot([], [], color=GREY, linestyle=":", linewidth=1.2, label="with the measured curve")
        ax.set(yscale="log", ylim=(0.3 / first["n_trials"][0], 0.5))
    else:
        ax.set(ylim=(0, 1.03))
    text = "Unknown input, recognised" if question == "false positive" else "Noisy pattern, missed"
    ax.set(xlabel="spikes spread over (ms)", ylabel="rate")
    ax.set_title(f"{text}: jitter")


def _draw_failures(record: Record, ax: Any) -> None:
    """Draw what failing synapses do to both rates."""
    for question in ("false positive", "false negative"):
        rows = record.table.where(part="failure", question=question)
        first = rows.where(model="nmda")
        ax.plot(first["failure"], first["theory"], color=INK, linewidth=1.6)
        ax.plot(
            first["failure"], first["with_failure"], color=GREY, linestyle="--", linewidth=1.4,
        )  # fmt: skip
        for name in MODELS:
            one = rows.where(model=name)
            _points(ax, one["failure"] + 0.03 * DODGE[name], one, name)
        place = 0.62 * first["failure"][-1]
        line = np.exp(np.interp(place, first["failure"], np.log(first["with_failure"])))
        text, factor = ("recognised", 1.7) if question == "false positive" else ("missed", 0.5)
        ax.text(place, factor * line, text, color=INK, fontsize="small")
    ax.plot([], [], color=GREY, linestyle="--", linewidth=1.4, label="theory with failures")
    ax.set(yscale="log", ylim=(None, 1.4), xlabel="probability that a synapse fails", ylabel="rate")
    ax.set_title("Both rates: failing synapses")
    ax.legend(loc="lower left", fontsize="small")
