"""What a record of `crate-layers` says of the published curves and sizes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from experiments._crate_layers_measure import SIZES, course
from experiments._crate_networks import limits, text
from experiments._framework import Claim, Record, Verdict, expected

__all__ = ["ALPHA", "PAPER", "judge"]

PAPER = expected("yu2023")
ALPHA = expected("yang2024")
PROJECT = "hypothesis of this project"
OTHERS = "Small networks on digits, not CRATE-Small on ImageNet: courses, not values, are compared."


def judge(record: Record) -> list[Claim]:
    """Judge sizes, courses, what training adds to them, and where R^c is measured."""
    rate, nonzero = PAPER["rate"], PAPER["nonzero"]
    return [
        _sizes(record),
        _fall(record, "rate_input", "R^c at the block's input falls from the first layer to the "
              "last", rate.cited, f"{rate.value[0]} to {rate.value[-1]}"),
        _against_twin(record, "rate_input", "Training makes R^c fall over depth: the change from "
                      "first to last layer is lower than in the untrained twin", _last_less_first),
        _against_twin(record, "rate_input", "Training lowers R^c in the layers before the last",
                      lambda values: values[:, :-1].mean(axis=1)),
        _against_twin(record, "rate_input", "Training lowers R^c in the last layer",
                      lambda values: values[:, -1]),
        _place(record),
        _attention(record),
        _fall(record, "nonzero", "The share of nonzeros falls from the first layer to the last",
              nonzero.cited, f"{nonzero.value[0]:.2f} to {nonzero.value[-1]:.2f}"),
        _against_twin(record, "nonzero", "Training makes the later half of the layers sparser",
                      _later),
        _rebound(record),
        Claim("CRATE reaches these accuracies on ImageNet-1k", PAPER["imagenet"].cited,
              ", ".join(f"{PAPER['imagenet'].value[size]} %" for size in SIZES), None,
              Verdict.NOT_TESTED, "ImageNet is needed.", "smoke"),
        Claim("CRATE-alpha's ablation: each change adds to the accuracy on ImageNet-1k",
              ALPHA["ablation"].cited,
              ", ".join(f"{name} {value}" for name, value in ALPHA["ablation"].value.items()),
              None, Verdict.NOT_TESTED, "ImageNet is needed; the numbers are kept for reference.",
              "smoke"),
    ]  # fmt: skip


def _last_less_first(values: np.ndarray) -> np.ndarray:
    return np.asarray(values[:, -1] - values[:, 0])


def _later(values: np.ndarray) -> np.ndarray:
    return np.asarray(values[:, values.shape[1] // 2 :].mean(axis=1))


def _each_rate(record: Record, say: Callable[[float], str]) -> str:
    """Say something of every learning rate."""
    rates = record.config.learning_rates
    return "; ".join(f"rate {rate:g}: {say(rate)}" for rate in rates)


def _all_below(values: list[np.ndarray]) -> bool:
    """Return whether every mean is below 0 by its limits."""
    return all(limits(one)[2] < 0.0 for one in values)


def _learned(record: Record) -> str:
    right = record.arrays["accuracy"][..., 1].mean(axis=1)
    return "Held-out accuracy " + ", ".join(f"{100 * one:.1f} %" for one in right) + "."


def _sizes(record: Record) -> Claim:
    found = record.arrays["parameters"]
    exact = PAPER["exact_parameters"].value
    printed = PAPER["parameters"].value
    same = all(
        count == exact[size] and f"{count / 1e6:.2f}" == f"{printed[size]:.2f}"
        for size, count in zip(SIZES, found.tolist())
    )
    return Claim(
        "The four sizes have the published numbers of parameters",
        PAPER["parameters"].cited,
        ", ".join(f"{printed[size]:.2f} M" for size in SIZES),
        ", ".join(f"{count:,}" for count in found.tolist()),
        same,
        "Networks as the official code builds them.",
        "smoke",
    )


def _fall(record: Record, measure: str, statement: str, source: str, published: str) -> Claim:
    """Judge the change from first to last layer of the trained networks."""

    def change(rate: float, state: str) -> np.ndarray:
        return _last_less_first(course(record, measure, state, rate))

    rates = record.config.learning_rates
    falls = _all_below([change(rate, "trained") for rate in rates])
    more = _all_below([change(rate, "untrained") - change(rate, "trained") for rate in rates])
    twin = "falls more" if more else "has a course too"
    return Claim(
        statement,
        source,
        published,
        _each_rate(
            record,
            lambda rate: (
                f"{text(change(rate, 'trained'))}; untrained {text(change(rate, 'untrained'))}"
            ),
        ),
        Verdict.CAVEAT if falls else False,
        f"{OTHERS} Without training it {twin}. {_learned(record)}",
        "quick",
    )


def _against_twin(
    record: Record, measure: str, statement: str, summary: Callable[[np.ndarray], np.ndarray]
) -> Claim:
    """Judge a difference between trained networks and their untrained twins."""

    def difference(rate: float) -> np.ndarray:
        after, before = (
            summary(course(record, measure, state, rate)) for state in ("trained", "untrained")
        )
        return after - before

    return Claim(
        statement,
        PROJECT,
        "a difference below 0",
        _each_rate(record, lambda rate: text(difference(rate))),
        _all_below([difference(rate) for rate in record.config.learning_rates]),
        _learned(record),
        "quick",
    )


def _place(record: Record) -> Claim:
    """Judge whether input and Z^(l+1/2) lead to one conclusion."""
    rates = record.config.learning_rates
    changes = {
        measure: [_last_less_first(course(record, measure, "trained", rate)) for rate in rates]
        for measure in ("rate_input", "rate_half")
    }

    def sign(values: np.ndarray) -> int:
        _, low, high = limits(values)
        return int(low > 0.0) - int(high < 0.0)

    same = all(sign(a) == sign(b) for a, b in zip(*changes.values()))
    return Claim(
        "Audit: R^c changes in the same direction at Z^(l+1/2), which the caption names, as at the "
        "input, where the code measures",
        PAPER["rate"].cited,
        "Z^(l+1/2) by the caption",
        "; ".join(
            f"rate {rate:g}: input {text(a)}, Z^(l+1/2) {text(b)}"
            for rate, a, b in zip(rates, *changes.values())
        ),
        same,
        "Last less first layer. Directions are up, down or none, by limits of 95 %.",
        "quick",
    )


def _attention(record: Record) -> Claim:
    """Judge whether attention lowers the rate of the tokens that enter a block."""

    def change(rate: float, state: str) -> np.ndarray:
        after, before = (
            course(record, measure, state, rate)[:, 1:] for measure in ("rate_half", "rate_tokens")
        )
        return np.asarray((after - before).mean(axis=1))

    rates = record.config.learning_rates
    return Claim(
        "Attention compresses: R^c of Z^(l+1/2) is below that of Z^l on the same subspaces",
        f"{PAPER.paper}, section 2, as the layer is derived",
        "a difference below 0",
        _each_rate(
            record,
            lambda rate: (
                f"{text(change(rate, 'trained'))}; untrained {text(change(rate, 'untrained'))}"
            ),
        ),
        _all_below([change(rate, "trained") for rate in rates]),
        "Mean over the layers but the first, tokens without LayerNorm, projections scaled to norm "
        "1 as in the official measurement. The trained network mixes heads by a free linear map.",
        "quick",
    )


def _rebound(record: Record) -> Claim:
    nonzero = PAPER["nonzero"].value

    def rise(rate: float, state: str) -> np.ndarray:
        values = course(record, "nonzero", state, rate)
        return np.asarray(values[:, -1] - values[:, -2])

    rates = record.config.learning_rates
    lowest = ", ".join(
        str(1 + int(course(record, "nonzero", "trained", rate).mean(axis=0).argmin()))
        for rate in rates
    )
    rises = all(limits(rise(rate, "trained"))[1] > 0.0 for rate in rates)
    return Claim(
        "In the last layer the share of nonzeros rises again",
        PAPER["nonzero"].cited,
        f"{nonzero[-2]:.2f} to {nonzero[-1]:.2f}",
        _each_rate(
            record,
            lambda rate: (
                f"{text(rise(rate, 'trained'))}; untrained {text(rise(rate, 'untrained'))}"
            ),
        ),
        Verdict.CAVEAT if rises else False,
        f"{OTHERS} The smallest share is in layer {lowest} of {record.config.n_layers} here, in "
        f"layer {1 + int(np.argmin(nonzero))} of {len(nonzero)} there.",
        "quick",
    )
