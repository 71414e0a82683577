"""The figure of `amortisation-gap`."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._amortisation_claims import NAMES
from experiments._amortisation_measure import ARCHITECTURES, METHODS, measured
from experiments._crate_networks import limits
from experiments._framework import Record

__all__ = ["draw"]

STYLES = {
    "encoder": ("#111827", "s", "the encoder"),
    "refit": ("#6b7280", "o", "its supports, refitted"),
    "omp": ("#0072b2", "D", "OMP"),
    "lasso": ("#e69f00", "v", "lasso"),
    "lasso_refit": ("#d55e00", "^", "lasso, refitted"),
    "cel0": ("#009e73", "P", "CEL0"),
}


def draw(record: Record, figure: Any) -> None:
    """Draw explained variance and the agreement of supports, a column for each kind of input."""
    blocks, names = record.config.blocks, record.config.architectures
    figure.set_size_inches(5.2 * len(blocks) + 1.6, 6.4)
    axes = figure.subplots(2, len(blocks), squeeze=False, sharex=True)
    places = np.arange(len(names))
    for column, block in enumerate(blocks):
        own = measured(record, block, "l0", "encoder")
        for number, method in enumerate(METHODS):
            color, marker, label = STYLES[method]
            shift = 0.12 * (number - (len(METHODS) - 1) / 2)
            for row, measure in enumerate(("explained_variance", "jaccard")):
                if measure == "jaccard" and method in ("encoder", "refit"):
                    continue
                found = measured(record, block, measure, method)
                means, lows, highs = np.array([limits(found[name]) for name in names]).T
                axes[row, column].errorbar(
                    places + shift, means, yerr=[means - lows, highs - means], fmt=marker, ms=5,
                    lw=1, color=color, label=label if row == 0 else None,
                )  # fmt: skip
        axes[0, column].set_title(NAMES[block])
        axes[1, column].set_ylim(0, 1)
        axes[1, column].set_xticks(
            places,
            [f"{ARCHITECTURES[name]}\nl0 {own[name].mean():.1f}" for name in names],
            fontsize="x-small",
        )
    axes[0, 0].set_ylabel("explained variance")
    axes[1, 0].set_ylabel("Jaccard with the encoder's supports")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right upper")
