"""The figure of `sparse-images-classify`: kernels, then accuracy by dictionary and pruning."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._classify_claims import accuracies
from experiments._classify_coding import CUTOFFS, PAPER
from experiments._classify_measure import DICTIONARIES, PIXELS, interval, overlap
from experiments._framework import Record
from sparsecode.plotting import COLORS, receptive_fields

__all__ = ["accuracy", "draw", "kernels", "published"]

#: What stands under the axes.
LABELS = ("hom", "hom\nlearned", "het", "het\nlearned")
#: Colour, marker and place of each cutoff.
STYLES = tuple(
    zip((COLORS["cel0"], COLORS["scad"], COLORS["l1"]), ("o", "s", "^"), (-0.2, 0.0, 0.2))
)
#: Kernels that are shown of each dictionary.
SHOWN = 32


def draw(record: Record, figure: Any) -> None:
    """Draw everything on one figure."""
    figure.set_size_inches(10.0, 8.2)
    top, rest = figure.subfigures(2, 1, height_ratios=(0.24, 1.0))
    kernels(record, top)
    axes = rest.subplots(2, 2)
    data = "digits" if record.config.data == "digits" else "CIFAR-10"
    published(axes[0, 0])
    accuracy(record, axes[0, 1], form="published")
    accuracy(record, axes[1, 0], form="code")
    accuracy(record, axes[1, 1], form="code", classifier="probe")
    for ax, title in zip(
        axes.flat,
        (
            "Published: CIFAR-10, ResNet-18",
            f"{data}, small network: dense maps, as published",
            f"{data}, small network: the codes themselves",
            f"{data}, linear probe of pooled codes",
        ),
    ):
        ax.set_title(title)
    low = min(ax.get_ylim()[0] for ax in axes.flat[1:])
    for ax in axes.flat[1:]:
        ax.set_ylim(max(low, 0.0), 100.5)
    axes[0, 0].legend(title="pruned below", loc="upper left", fontsize="small")


def kernels(record: Record, figure: Any) -> None:
    """Draw some kernels of each dictionary."""
    axes = figure.subplots(1, len(DICTIONARIES))
    for number, (ax, name) in enumerate(zip(axes, DICTIONARIES)):
        atoms = record.arrays[f"atoms-{number}"].astype(np.float32)
        chosen = np.linspace(0, len(atoms) - 1, SHOWN).astype(int)
        receptive_fields(atoms[chosen].reshape(SHOWN, -1), ax, n_columns=8)
        ax.set_title(name, fontsize="small")


def points(ax: Any, means: Any, halves: Any, k: int) -> None:
    """Draw the accuracies of all dictionaries at one cutoff, with their intervals."""
    color, marker, shift = STYLES[k]
    label = "nothing" if not CUTOFFS[k] else f"{CUTOFFS[k]:g} of the largest"
    ax.errorbar(
        np.arange(len(means)) + shift, means, yerr=halves, color=color, marker=marker,
        linestyle="", capsize=2.5, elinewidth=1.2, label=label,
    )  # fmt: skip


def dress(ax: Any, labels: tuple[str, ...]) -> None:
    """Name the dictionaries, and lighten the grid between them."""
    ax.set_xticks(range(len(labels)), labels)
    ax.grid(axis="x", visible=False)
    ax.set(xlim=(-0.6, len(labels) - 0.4), ylabel="accuracy (%)")


def accuracy(record: Record, ax: Any, *, form: str, classifier: str = "network") -> None:
    """Draw mean accuracies and 95 % intervals, with pixels as a band."""
    shared = overlap(record.config)
    for k, cutoff in enumerate(CUTOFFS):
        found = [
            interval(accuracies(record, name, form, cutoff, classifier), shared)
            for name in DICTIONARIES
        ]
        means, halves = np.array(found).T
        points(ax, means, halves, k)
    mean, half = interval(accuracies(record, PIXELS, PIXELS, classifier=classifier), shared)
    ax.axhspan(mean - half, mean + half, color="#5b6470", alpha=0.13, linewidth=0)
    ax.axhline(mean, color="#5b6470", linewidth=1.0)
    ax.text(-0.58, mean, "pixels", ha="left", va="bottom", color="#5b6470", fontsize="small")
    dress(ax, LABELS)


def published(ax: Any) -> None:
    """Draw the published accuracies with their spreads."""
    values, spread = PAPER["accuracy"].value, PAPER["spread"].value
    for k in range(len(CUTOFFS)):
        points(
            ax, [values[name][k] for name in DICTIONARIES],
            [spread[name][k] for name in DICTIONARIES], k,
        )  # fmt: skip
    dress(ax, LABELS)
