"""What `dendrite-noise` counts, says of the paper, and draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments import _dendrite_points as points
from experiments._framework import Claim, Record, Table, expected
from sdr.dendrites import SegmentBank
from sdr.simulation import ErrorCounts, simulate_false_negatives
from sdr.space import SDRSpace
from sdr.theory import false_negative
from sparsecode.core.rng import Streams

if TYPE_CHECKING:
    from experiments.dendrite_noise import Config

__all__ = ["bank_counts", "bank_rows", "counted", "curves", "draw", "judge", "rows", "settings"]

PAPER = expected("ahmad_hawkins2016")
#: The bank's patterns and segments: those of the authors' temporal memory under noise.
BANK = PAPER["tm_noise"].value
#: Active cells that move in each test of the bank.
BANK_MOVED = tuple(range(0, 41, 4))


# ------------------------------------------------------------------------------- counting


def settings(config: Config) -> dict[str, dict[str, Any]]:
    """Return what is drawn at each point, by the name of its part."""
    common = {
        "n_active": config.n_active, "n_synapses": config.n_synapses, "n_trials": config.n_trials
    }  # fmt: skip
    found = {}
    for fraction in config.fractions:
        n_moved = round(fraction * config.n_active)
        moved = {"part": "4B", "n_units": config.n_units, "n_moved": n_moved}
        found[f"moved-{n_moved}"] = common | moved
    for failure in config.failures:
        failing = {"part": "failure", "n_units": config.n_units, "n_moved": 0, "failure": failure}
        found[f"failure-{failure:g}"] = common | failing
    for n in config.other_units:
        half = {"part": "cells", "n_units": n, "n_moved": config.n_active // 2}
        found[f"cells-{n}"] = common | half
    return found


def counted(setting: dict[str, Any], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw the pairs of one point."""
    numbers = {name: value for name, value in setting.items() if name != "part"}
    return {"counts": simulate_false_negatives(**numbers, rng=rng).counts}


def rows(
    setting: dict[str, Any], counts: np.ndarray, thresholds: tuple[int, ...]
) -> list[tuple[Any, ...]]:
    """Return the rows of one point, a threshold each."""
    a, s, n_moved = (setting[name] for name in ("n_active", "n_synapses", "n_moved"))
    failure = setting.get("failure", 0.0)
    law = [false_negative(a, s, n_moved, theta, failure=failure) for theta in thresholds]
    return points.counted_rows(ErrorCounts(counts, "miss"), thresholds, law, **setting)


def bank_counts(config: Config, streams: Streams) -> dict[str, np.ndarray]:
    """Let a bank learn patterns, and count the overlaps of noisy ones with their own segments."""
    n, a, s = BANK["n"], BANK["a"], BANK["s"]
    found = np.zeros((len(BANK_MOVED), s + 1), np.int64)
    space = SDRSpace(n, a)
    sizes = [min(5000, config.n_patterns - k) for k in range(0, config.n_patterns, 5000)]
    for number, size in enumerate(sizes):  # banks of 5,000 segments
        patterns = SegmentBank.random(n, a, n_neurons=size, rng=streams(f"patterns-{number}"))
        bank = SegmentBank(n, n_neurons=size)
        own = np.arange(size)
        bank.learn(patterns.synapses, own, n_synapses=s, rng=streams(f"learn-{number}"))
        for row, n_moved in enumerate(BANK_MOVED):
            rng = streams(f"noise-{number}-{n_moved}")
            noisy = space.corrupt(patterns.synapses, n_moved=n_moved, rng=rng)
            overlaps = bank.overlaps(noisy).to_scipy().diagonal()
            hits = np.bincount(overlaps.astype(int), minlength=s + 1)
            found[row] += hits
    return {"counts": found}


def bank_rows(counts: np.ndarray) -> list[tuple[Any, ...]]:
    """Return the rows of the bank."""
    found = []
    for row, n_moved in zip(counts, BANK_MOVED):
        law = [false_negative(BANK["a"], BANK["s"], n_moved, theta) for theta in BANK["theta"]]
        found += points.counted_rows(
            ErrorCounts(row, "miss"), BANK["theta"], law, part="bank", n_units=BANK["n"],
            n_active=BANK["a"], n_synapses=BANK["s"], n_moved=n_moved,
        )  # fmt: skip
    return found


def curves(config: Config) -> dict[str, np.ndarray]:
    """Return the formula along the curves of the figure."""
    a, s = config.n_active, config.n_synapses
    failures, moved = np.linspace(0.02, 0.9, 89), np.arange(1, a + 1)
    bank_moved = np.arange(BANK["a"] + 1)
    return {
        "moved": moved,
        "figure_4b": false_negative(a, s, moved, _column(config.thresholds)),
        "failures": failures,
        "failing": false_negative(a, s, 0, _column(config.thresholds), failure=failures),
        "bank_moved": bank_moved,
        "bank": false_negative(BANK["a"], BANK["s"], bank_moved, _column(BANK["theta"])),
    }


def _column(thresholds: Sequence[int]) -> np.ndarray:
    """Return thresholds along an axis of their own."""
    return np.array(thresholds)[:, None]


# ------------------------------------------------------------------------------- judging


def judge(record: Record) -> list[Claim]:
    """Return all claims."""
    return [*formula_claims(), *counted_claims(record), *bank_claims(record)]


def formula_claims() -> list[Claim]:
    """Compare the formula with the paper's numbers."""
    figure, text = PAPER["fig4b"].value, PAPER["text_false_negative"].value
    moved = np.array(figure["n_moved"])[:, None]
    table = false_negative(figure["a"], figure["s"], moved, np.array(figure["theta"]))
    one = false_negative(text["a"], text["s"], text["n_moved"], text["theta"])
    tolerances = np.full(table.shape, PAPER["fig4b"].tolerance)
    tolerances[0, 0] = 0.03  # printed with two digits
    return [
        points.table_claim(
            "The formula gives the curves of Figure 4B", PAPER["fig4b"], table, "false_negative",
            note="The first up to 3 %.", tolerances=tolerances,
        ),
        points.table_claim(
            "300 active cells, 30 synapses, a threshold of 12: with a fifth of the cells moved a "
            "pattern is missed once in 2.5e7 times",
            PAPER["text_false_negative"], one, "false_negative",
        ),
    ]  # fmt: skip


def counted_claims(record: Record) -> list[Claim]:
    """Compare what was counted, here and by the authors, with the formula."""
    found = []
    for part, text, source, wanted in (
        ("4B", "Drawn segments miss noisy patterns as often as the formula of Figure 4B says",
         PAPER["fig4b"].cited, "they agree"),
        ("cells", "The number of cells plays no part", PAPER["fig4b"].cited, "no part"),
        ("failure", "Synapses that fail each by itself add misses as the binomial law says",
         "follows from the definitions", None),
    ):  # fmt: skip
        here = record.table.where(part=part)
        measured, agree = points.agreement(here)
        units = f" {', '.join(f'{n:,}' for n in np.unique(here['n_units']))} cells."
        found.append(
            Claim(
                text,
                source,
                wanted,
                measured,
                agree,
                f"{here['n_trials'][0]:,} pairs a point; together the points lie within their "
                f"binomial bounds with 99.9 %.{units if part == 'cells' else ''}",
                preset="smoke",
            )
        )
    return [*found, authors_claim(), robust_claim(record)]


def authors_claim() -> Claim:
    """Compare the authors' simulated numbers with the formula."""
    theirs, figure = PAPER["fig4b_simulated"].value, PAPER["fig4b"].value
    rates = np.array(theirs["false_negative"])
    law = false_negative(figure["a"], figure["s"], theirs["n_moved"], np.array(theirs["theta"]))
    table = Table({
        "n_trials": np.full(rates.size, figure["n_trials"]),
        "n_errors": np.rint(rates * figure["n_trials"]).astype(int),
        "measured": rates, "predicted": law,
    })  # fmt: skip
    measured, agree = points.agreement(table)
    return Claim(
        "The authors' own simulation agrees with the formula", PAPER["fig4b_simulated"].cited,
        "they agree", measured, agree, "Their rates of 1e7 trials each, within the same bounds.",
        preset="smoke",
    )  # fmt: skip


def robust_claim(record: Record) -> Claim:
    """Say how much noise each threshold bears."""
    share = record.arrays["moved"] / record.config.n_active
    borne = {
        threshold: share[np.flatnonzero(curve <= 0.01).max(initial=0)]
        for threshold, curve in zip(record.config.thresholds, record.arrays["figure_4b"])
    }
    text = ", ".join(f"{100 * one:.0f} % at {threshold}" for threshold, one in borne.items())
    order = [borne[threshold] for threshold in sorted(borne)]
    return Claim(
        "Segments bear much noise, the more the lower their threshold",
        f"{PAPER.paper}, Fig. 4B", None,
        f"one miss in 100 at {text}",
        bool(order[0] >= 0.5 and (np.diff(order) < 0).all()),
        "Share of the active cells that move, by threshold.", preset="smoke",
    )  # fmt: skip


def bank_claims(record: Record) -> list[Claim]:
    """Judge the bank that learned, and the authors' memory under noise."""
    here = record.table.where(part="bank")
    measured, agree = points.agreement(here)
    half = false_negative(BANK["a"], BANK["s"], BANK["a"] // 2, np.array(BANK["theta"]))
    recognised = {
        int(row["threshold"]): 1.0 - row["measured"]
        for row in here.where(n_moved=BANK["a"] // 2).rows()
    }
    _, text, equal = points.published(PAPER["tm_noise"], 1.0 - half, "theory")
    return [
        Claim(
            "Neurons that learned patterns miss noisy ones as often as the formula says",
            "follows from the definitions", None, measured, agree,
            f"{here['n_trials'][0]:,} patterns with a segment each, shown at "
            f"{np.unique(here['n_moved']).size} levels of noise.", preset="smoke",
        ),
        Claim(
            "With half of the bits moved, segments of 20 synapses recognise 94.4, 17.2 and 0.02 % "
            "of the patterns at thresholds of 8, 12 and 16",
            PAPER["tm_noise"].cited, "0.944, 0.172, 0.00018",
            f"formula: {text}; counted: "
            + ", ".join(f"{recognised[theta]:.3g}" for theta in BANK["theta"]),
            equal, "The authors' temporal memory showed 0.946, 0.172 and 0.", preset="smoke",
        ),
    ]  # fmt: skip


# ------------------------------------------------------------------------------- drawing

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")
_INK = "#20262e"


def draw(record: Record, figure: Any) -> None:
    """Draw the three panels."""
    figure.set_size_inches(11.2, 4.0)
    axes = figure.subplots(1, 3)
    _draw_moved(record, axes[0])
    _draw_failures(record, axes[1])
    _draw_bank(record, axes[2])


def _draw_moved(record: Record, ax: Any) -> None:
    """Draw Figure 4B."""
    config, counted = record.config, record.table.where(part="4B")
    share = 100.0 / config.n_active
    shown = points.with_column(counted, "percent", share * counted["n_moved"])
    for color, theta, curve in zip(COLORS, config.thresholds, record.arrays["figure_4b"]):
        ax.plot(share * record.arrays["moved"], curve, color=color, label=f"threshold {theta}")
        points.draw_points(ax, "percent", shown.where(threshold=theta), color=color)
    theirs = PAPER["fig4b_simulated"].value
    ax.plot(
        [50.0] * len(theirs["theta"]), theirs["false_negative"], "x", color=_INK, markersize=6,
        markeredgewidth=1.2, zorder=4, label="the authors'",
    )  # fmt: skip
    ax.set(
        yscale="log", ylim=(1e-9, 3.0), xlim=(0, 100), xlabel="active cells that move, %",
        ylabel="patterns missed",
    )  # fmt: skip
    ax.set_title(f"4B: {config.n_trials:.0e} pairs a point".replace("e+0", "e"))
    ax.legend(loc="lower right")


def _draw_failures(record: Record, ax: Any) -> None:
    """Draw what failing synapses do."""
    config, counted = record.config, record.table.where(part="failure")
    shown = points.with_column(counted, "percent", 100.0 * counted["failure"])
    for color, theta, curve in zip(COLORS, config.thresholds, record.arrays["failing"]):
        ax.plot(100.0 * record.arrays["failures"], curve, color=color)
        points.draw_points(ax, "percent", shown.where(threshold=theta), color=color)
    ax.set(yscale="log", ylim=(1e-9, 3.0), xlim=(0, 100), xlabel="synapses that fail, %")
    ax.set_title("Failing synapses, intact patterns")


def _draw_bank(record: Record, ax: Any) -> None:
    """Draw how many learned patterns the bank recognises."""
    counted, share = record.table.where(part="bank"), 100.0 / BANK["a"]
    for color, theta, curve in zip(COLORS, BANK["theta"], record.arrays["bank"]):
        here = counted.where(threshold=theta)
        ax.plot(share * record.arrays["bank_moved"], 1.0 - curve, color=color)
        ax.plot(share * here["n_moved"], 1.0 - here["measured"], "o", color=color, markersize=5)
    ax.plot([50.0] * 3, BANK["observed"], "x", color=_INK, markersize=6, zorder=4)
    ax.set(xlim=(-2, 100), xlabel="active cells that move, %", ylabel="patterns recognised")
    ax.set_title(f"Neurons that learned {counted['n_trials'][0]:,} patterns")
