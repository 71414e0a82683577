"""The figure of `sequence-robustness`: learning and swapping, death, and noise beside theory."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import hypergeom

from experiments._framework import Record

__all__ = ["draw"]

COLORS = {"high order": "#0072b2", "first order": "#d55e00", "theory": "#5b6470"}
INK = "#20262e"


def draw(record: Record, figure: Any) -> None:
    """Draw everything on one figure."""
    figure.set_size_inches(9.6, 7.0)
    axes = figure.subplots(2, 2, width_ratios=(1.25, 1.0))
    _draw_course(record, axes[0, 0])
    _draw_recovery(record, axes[1, 0])
    _draw_death(record, axes[0, 1])
    _draw_noise(record, axes[1, 1])


def _draw_course(record: Record, ax: Any) -> None:
    """Draw accuracy over time, with the swap of the set."""
    config = record.config
    for (name, color), courses in zip(COLORS.items(), record.arrays["course"]):
        _band(ax, courses[:, :, 0], config.stretch, color, name)
    _ceiling(ax)
    ax.axvline(config.n_before, color=INK, linewidth=1.0, linestyle=":")
    ax.annotate(
        "another set", (config.n_before, 4), xytext=(6, 0), textcoords="offset points",
        color=INK, fontsize="small",
    )  # fmt: skip
    ax.set(xlabel="elements seen", ylabel="elements predicted (%)", ylim=(0, 58))
    ax.set_xlim(0, config.n_before + config.n_after)
    ax.set_title("Learning a stream, and learning anew")
    _name(ax, "high order", 0.47, 0.72)
    _name(ax, "first order", 0.47, 0.5)


def _draw_recovery(record: Record, ax: Any) -> None:
    """Draw accuracy after cells have died, learning going on."""
    import matplotlib

    config = record.config
    colors = matplotlib.colormaps["viridis"](np.linspace(0.0, 0.88, len(config.deaths)))
    for row in range(len(config.deaths)):
        mean = 100 * record.arrays["death"][:, row, :, 0].mean(axis=0)
        ax.plot(_middles(mean.size, config.stretch), mean, color=colors[row], linewidth=1.4)
    _ceiling(ax)
    shown = range(0, len(config.deaths), max(1, len(config.deaths) // 5))
    handles = [ax.plot([], [], color=colors[row])[0] for row in shown]
    labels = [f"{100 * config.deaths[row]:.0f} %" for row in shown]
    ax.legend(
        handles, labels, title="cells dead", loc="lower right", ncols=2, fontsize="small",
        title_fontsize="small",
    )  # fmt: skip
    ax.set(xlabel="elements since the cells died", ylabel="elements predicted (%)", ylim=(0, 58))
    ax.set_xlim(0, config.n_after)
    ax.set_title("Learning on with dead cells")


def _draw_death(record: Record, ax: Any) -> None:
    """Draw accuracy against the share of dead cells."""
    styles = {
        "not learning": ("o", COLORS["high order"], "at once, not learning"),
        "last": ("s", "#009e73", "after learning on"),
    }
    for part, (marker, color, label) in styles.items():
        rows = record.table.where(part=f"death, {part}")
        ax.errorbar(
            100 * rows["level"], 100 * rows["guessed"], 100 * rows["error"], color=color,
            marker=marker, label=label, capsize=2,
        )  # fmt: skip
    _ceiling(ax)
    ax.axvspan(0, 40, color="#0072b2", alpha=0.06, linewidth=0)
    ax.text(20, 3, "no loss claimed", ha="center", color=INK, fontsize="small")
    ax.set(xlabel="cells dead (%)", xlim=(0, 80), ylim=(0, 58))
    ax.set_title("Dead cells")
    ax.legend(loc="center left", bbox_to_anchor=(0.02, 0.35), fontsize="small")


def _draw_noise(record: Record, ax: Any) -> None:
    """Draw the share of predicted elements, and of single cells beside theory, against noise."""
    rows = record.table.where(part="noise")
    config = record.config
    best = rows["guessed"][0]
    ax.plot(
        100 * rows["level"], 100 * rows["guessed"] / best, "o-", color=COLORS["high order"],
        label="the stream's letters",
    )  # fmt: skip
    bits = np.arange(config.n_active + 1)
    for theta, single in zip(config.thetas, record.table.where(part="one sequence").rows()):
        law = hypergeom(config.n_active, config.n_synapses, config.n_active - bits)
        ax.plot(
            100 * bits / config.n_active, 100 * law.sf(theta - 1), color=COLORS["theory"],
            linewidth=1.1,
        )  # fmt: skip
        half = 100 * (config.n_active // 2) / config.n_active
        ax.plot(half, 100 * single["guessed"], "D", color=COLORS["first order"], zorder=3)
        level = 0.35
        place = bits[np.argmin(np.abs(law.sf(theta - 1) - level))]
        ax.annotate(
            f"$\\theta$ = {theta}", (100 * place / config.n_active, 100 * level), xytext=(4, 0),
            textcoords="offset points", color=COLORS["theory"], fontsize="small", va="center",
        )  # fmt: skip
    ax.plot([], [], color=COLORS["theory"], label="theory, one cell")
    ax.plot([], [], "D", color=COLORS["first order"], label="one cell, measured")
    ax.set(xlabel="bits moved (%)", ylabel="predicted, of what is without noise (%)")
    ax.set(xlim=(0, 85), ylim=(-3, 152), yticks=range(0, 101, 20))
    ax.set_title("Noise")
    ax.legend(loc="upper left", fontsize="small")


def _band(ax: Any, courses: np.ndarray, stretch: int, color: str, label: str) -> None:
    """Draw the mean over networks, and their range."""
    x, percent = _middles(courses.shape[1], stretch), 100 * courses
    ax.fill_between(
        x, percent.min(axis=0), percent.max(axis=0), color=color, alpha=0.18, linewidth=0
    )
    ax.plot(x, percent.mean(axis=0), color=color, label=label)


def _name(ax: Any, name: str, x: float, y: float) -> None:
    """Write the name of a network beside its line."""
    ax.text(x, y, name, color=COLORS[name], transform=ax.transAxes, ha="right")


def _ceiling(ax: Any) -> None:
    """Draw what can be predicted at most."""
    ax.axhline(50, color=INK, linewidth=1.0, linestyle="--")
    ax.text(
        0.99, 50.6, "ceiling", color=INK, fontsize="small", ha="right",
        transform=ax.get_yaxis_transform(),
    )  # fmt: skip


def _middles(n: int, stretch: int) -> np.ndarray:
    return stretch * (np.arange(n) + 0.5)
