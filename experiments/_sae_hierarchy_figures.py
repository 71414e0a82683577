"""The figure of `sae-hierarchy`."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._crate_networks import limits
from experiments._framework import Record
from experiments._sae_hierarchy_claims import PAPER
from experiments._sae_hierarchy_measure import methods, scores

__all__ = ["draw"]

COLORS = ("#0072b2", "#d55e00", "#e69f00", "#009e73", "#6b7280", "#cc79a7", "#56b4e9")


def draw(record: Record, figure: Any) -> None:
    """Draw absorption beside the paper's, recovery, cosines, and errors by atoms."""
    figure.set_size_inches(9.6, 6.6)
    axes = figure.subplots(2, 2)
    labels = list(methods(record.config))
    colors = dict(zip(labels, COLORS * 3))
    for ax, name, title in (
        (axes[0, 0], "absorption", "absorption: cosine of children with parents"),
        (axes[0, 1], "recovered", "recovery: cosine with the true features"),
    ):
        found = scores(record, name)
        for place, label in enumerate(labels):
            values = found[label]
            mean, low, high = limits(values)
            ax.plot(values, np.full(values.size, place), "o", ms=4, alpha=0.35, color=colors[label])
            ax.errorbar(
                mean, place, xerr=[[mean - low], [high - mean]], fmt="D", ms=6, capsize=3,
                color=colors[label],
            )  # fmt: skip
        ax.set_yticks(range(len(labels)), labels)
        ax.invert_yaxis()
        ax.set_title(title)
    published = PAPER["absorption"].value
    for place, label in enumerate(labels):
        name = label.split()[0].replace("ReLU", "vanilla")
        axes[0, 0].plot(
            published[name], place, "+", ms=13, mew=2, color="k", label=None if place else "paper"
        )
    axes[0, 0].legend(loc="lower left")
    ax = axes[1, 0]
    places = np.arange(len(labels))
    for shift, name, shade in ((-0.2, "within", 1.0), (0.2, "cross", 0.45)):
        found = scores(record, name)
        heights = [np.maximum(found[label].mean(), 1e-9) for label in labels]
        said = "pairs of one level" if name == "within" else "parents and children"
        ax.bar(
            places + shift, heights, 0.38, color=[colors[label] for label in labels], alpha=shade,
            label=said,
        )  # fmt: skip
    ax.set_yscale("log")
    ax.set_xticks(places, [label.replace(" ", "\n", 1) for label in labels], fontsize="x-small")
    ax.set_title("error of cosines (pale: parent, child)")
    ax = axes[1, 1]
    errors = record.arrays["errors"].mean(axis=0)
    for label, course in zip(labels, errors):
        ax.plot(np.arange(1, course.size + 1), course, "o-", color=colors[label], label=label)
    ax.set(yscale="log", xlabel="atoms a sample", title="squared error over energy")
    ax.legend(fontsize="x-small", loc="center right", bbox_to_anchor=(1.0, 0.4))
