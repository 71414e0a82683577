"""The figure of `one-yardstick`: a table in colours, and how alike the systems are."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._framework import Record
from experiments._yardstick_claims import BLOCK_NAMES, systems_of, values

__all__ = ["draw"]

INK = "#20262e"
#: Columns of the table: measure, heading, how it is written.
COLUMNS = (
    ("density", "active", "{:.1%}"),
    ("population", "population\nsparseness", "{:.2f}"),
    ("lifetime", "lifetime\nsparseness", "{:.2f}"),
    ("silent", "silent\nunits", "{:.0%}"),
    ("robust", "kept under\nnoise", "{:.2f}"),
    ("strangers", "shared with\na stranger", "{:.2f}"),
    ("read-out", "classified", "{:.0%}"),
    ("read-out, noise", "classified\nunder noise", "{:.0%}"),
    ("capacity", "held in a\nmemory", "{:.0f}"),
    ("share of random", "of random\ncodes held", "{:.2f}"),
)


def draw(record: Record, figure: Any) -> None:
    """Draw a row of panels for every block: the table, and CKA of every pair."""
    blocks = record.config.blocks
    names = [_label(*one) for one in systems_of(record)]
    figure.set_size_inches(15.0, (0.6 + 0.32 * len(names)) * len(blocks) + 0.4)
    grid = figure.subplots(len(blocks), 2, squeeze=False, width_ratios=(1.7, 1.0))
    for (left, right), block in zip(grid, blocks):
        _draw_table(record, left, block, names)
        _draw_likeness(record, right, block, names)


def _label(system: str, density: float) -> str:
    return system if np.isnan(density) else f"{system}, {density:.0%}"


def _draw_table(record: Record, ax: Any, block: str, names: list[str]) -> None:
    """Draw means over repeats, each column shaded from its smallest value to its largest."""
    table = np.array([
        [values(record, block, *one, measure).mean() for measure, _, _ in COLUMNS]
        for one in systems_of(record)
    ])  # fmt: skip
    low, high = np.nanmin(table, axis=0), np.nanmax(table, axis=0)
    shade = (table - low) / np.where(high > low, high - low, 1.0)
    ax.imshow(shade, cmap="Blues", vmin=0, vmax=1.6, aspect="auto")
    for i, row in enumerate(table):
        for j, value in enumerate(row):
            text = "–" if np.isnan(value) else COLUMNS[j][2].format(value)
            ax.text(j, i, text, ha="center", va="center", fontsize=8, color=INK)
    ax.set_xticks(range(len(COLUMNS)), [name for _, name, _ in COLUMNS], fontsize=8)
    ax.set_yticks(range(len(names)), names, fontsize=8)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.grid(False)
    ax.set_title(f"{BLOCK_NAMES[block].capitalize()}: means of {record.config.n_repeats} repeats")


def _draw_likeness(record: Record, ax: Any, block: str, names: list[str]) -> None:
    """Draw the debiased CKA of every pair of systems."""
    likeness = record.arrays[f"cka-{block}"].mean(axis=0)
    image = ax.imshow(likeness, cmap="magma_r", vmin=0, vmax=1, aspect="auto")
    ax.set_xticks(range(len(names)), names, fontsize=7, rotation=60, ha="right")
    ax.set_yticks([])
    ax.tick_params(length=0)
    ax.grid(False)
    ax.set_title("How alike geometries are (CKA, debiased)")
    ax.figure.colorbar(image, ax=ax, shrink=0.85)
