"""The figure of `sparsify-local`."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._framework import Record
from experiments._sparsify_claims import ABSENT
from experiments._sparsify_measure import MATRICES, RULES, activity, errors, models

__all__ = ["draw"]

COLORS = ("#0072b2", "#56b4e9", "#009e73", "#e69f00", "#d55e00", "#6b7280")


def draw(record: Record, figure: Any) -> None:
    """Draw active shares by layer, CETT, and the error of every rule by sparsity."""
    config, model = record.config, models(record.arrays)[-1]
    figure.set_size_inches(9.6, 6.4)
    axes = figure.subplots(2, 2)
    for name, color in zip(models(record.arrays), ("0.6", "#0072b2")):
        positive = activity(record, name, "positive")
        layers = np.arange(1, positive.size + 1)
        axes[0, 0].plot(layers, 100 * positive, "o-", color=color, label=f"{name}: above 0")
        if name == model:
            for target, style in zip(config.cett, ("-", "--", "-.", ":")):
                share = record.arrays[f"{name} cett"][:, config.cett.index(target)]
                axes[0, 1].plot(
                    layers, 100 * share, style, marker="o", color=color, label=f"CETT {target:g}"
                )
    axes[0, 0].axhline(50, color="0.3", lw=0.8, ls=":")
    axes[0, 0].set(ylabel="pre-activations above 0 (%)", xlabel="layer", ylim=(0, 100))
    axes[0, 1].set(
        ylabel="neurons active (%)", xlabel="layer", ylim=(0, 100),
        title="at an error of the block's output",
    )  # fmt: skip
    for ax, matrix in zip(axes[1], MATRICES):
        for rule, color in zip(RULES, COLORS):
            found = errors(record, model, matrix, rule)
            if not np.isnan(found).all():
                label = f"{rule}, of those above 0" if rule == "CoreInfer" else rule
                ax.plot(
                    100 * np.array(config.sparsities), found.mean(axis=0), "o-", color=color,
                    label=label,
                )  # fmt: skip
        where = "first" if matrix == "up" else "second"
        ax.set(xlabel="inputs left out (%)", ylabel="error of the output, relative", ylim=(0, None),
               title=f"{where} matrix, mean over layers")  # fmt: skip
    for ax in axes.flat:
        ax.legend(fontsize="x-small")
    if model == "untrained":
        figure.suptitle("Only the untrained control. " + ABSENT, fontsize="small", wrap=True)
