"""What a record of `sparsify-local` says of rules for sparse inference in a user's model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from experiments._crate_networks import limits, text
from experiments._framework import Claim, Record, Verdict
from experiments._sparsify_measure import MATRICES, RULES, activity, errors, models

if TYPE_CHECKING:
    from experiments.sparsify_local import Config

__all__ = ["judge"]

PROJECT = "hypothesis of this project"
ABSENT = (
    "No model was named: set SPARSECODE_MODEL to a folder with config.json, model.safetensors and "
    "tokenizer.json, and run again."
)
#: What the share of zeros may differ from the one asked for, on other texts; the checklist.
NEAR = 0.01


def judge(record: Record) -> list[Claim]:
    """Judge shares of zeros, rules beside TEAL, and how sparse GELU is."""
    made = (
        ("Thresholds keep the share of zeros they were calibrated for, on other texts", _achieved),
        ("WINA errs less than TEAL, for inputs of the first matrix", _wina),
        ("R-Sparse with a searched share errs less than without a low rank", _searched),
        ("Fewer than half of the pre-activations are positive", _positive),
        ("A tenth of the output's error leaves most neurons of GELU active", _active),
    )
    if "local" not in models(record.arrays):
        return [
            Claim(said, PROJECT, None, None, Verdict.NOT_TESTED, ABSENT, "smoke")
            for said, _ in made
        ]
    return [judged(said, record) for said, judged in made]


def _achieved(said: str, record: Record) -> Claim:
    config: Config = record.config
    found = record.arrays["local achieved"].mean(axis=-1)
    asked = np.array(config.sparsities)
    rules = [RULES.index(name) for name in ("TEAL", "CATS", "R-Sparse 1")]
    worst = float(np.nanmax(np.abs(found[:, :, rules] - asked)))
    return Claim(
        said, PROJECT, f"within {NEAR:g}", f"at most {worst:.3f} off", worst <= NEAR,
        f"Every layer, matrix and sparsity; {_tokens(record)}",
    )  # fmt: skip


def _wina(said: str, record: Record) -> Claim:
    return _compared(said, record, "WINA", "TEAL", ("up",))


def _searched(said: str, record: Record) -> Claim:
    return _compared(said, record, "R-Sparse searched", "R-Sparse 1", MATRICES)


def _compared(
    said: str, record: Record, first: str, second: str, matrices: tuple[str, ...]
) -> Claim:
    config: Config = record.config
    measured, verdicts = [], []
    for matrix in matrices:
        differences = errors(record, "local", matrix, first) - errors(
            record, "local", matrix, second
        )
        for sparsity, column in zip(config.sparsities, differences.T):
            measured.append(f"{matrix} at {sparsity:.0%} {text(column, '+.4f')}")
            verdicts.append(limits(column)[2] < 0)
    return Claim(
        said, PROJECT, "below 0", "; ".join(measured), all(verdicts),
        f"Relative error of the matrix's output, {first} less {second}: means over layers, limits "
        f"of 95 % over groups of texts. {_tokens(record)}",
    )  # fmt: skip


def _positive(said: str, record: Record) -> Claim:
    found = activity(record, "local", "positive")
    control = activity(record, "untrained", "positive")
    return Claim(
        said, PROJECT, "below 50 % in every layer",
        f"{', '.join(f'{100 * one:.0f} %' for one in found)}; untrained control "
        f"{', '.join(f'{100 * one:.0f} %' for one in control)}",
        bool((found < 0.5).all()), _tokens(record),
    )  # fmt: skip


def _active(said: str, record: Record) -> Claim:
    config: Config = record.config
    if 0.1 not in config.cett:
        return Claim(said, PROJECT, None, None, Verdict.NOT_TESTED, "cett must hold 0.1.", "smoke")
    found = record.arrays["local cett"][:, config.cett.index(0.1)]
    return Claim(
        said, PROJECT, "above 50 % in every layer",
        ", ".join(f"{100 * one:.0f} %" for one in found),
        bool((found > 0.5).all()),
        "Neurons whose output is not below the epsilon at which CETT is 0.1. Pre-activations that "
        f"are mostly negative do not make GELU sparse. {_tokens(record)}",
    )  # fmt: skip


def _tokens(record: Record) -> str:
    seen, others = record.arrays["local n_tokens"]
    return f"Calibrated on {seen:,} tokens, judged on {others:,} others."
