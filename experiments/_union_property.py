"""What `union-property` counts, says of the papers, and draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from experiments import _dendrite_points as points
from experiments._framework import Claim, Record, Table, Verdict, expected
from sdr.simulation import ErrorCounts, simulate_false_positives, simulate_union
from sdr.theory import (
    any_false_positive,
    bloom_false_positive,
    false_positive,
    union_false_positive,
    union_size,
)

if TYPE_CHECKING:
    from experiments.union_property import Config

__all__ = ["counted", "curves", "draw", "judge", "rows", "settings"]

PAPER = expected("ahmad_hawkins2016")
EARLIER = expected("ahmad_hawkins2015")
SIZES, SEGMENTS, INPUTS = (PAPER[key].value for key in ("fig7a", "fig7b", "fig7b_input_union"))
CODES, STORED = (EARLIER[key].value for key in ("union_exact", "classification_simulated"))
#: Overlaps from which on a code of 20 counts as held by a union of codes.
CODE_THRESHOLDS = (20, 18, 15)


# ------------------------------------------------------------------------------- counting


def settings(config: Config) -> dict[str, dict[str, Any]]:
    """Return what is drawn at each point, by the name of its part."""
    found: dict[str, dict[str, Any]] = {}
    for m in config.n_patterns:
        for s in SIZES["s"]:
            found[f"7A-{s}-{m}"] = _setting("7A", SIZES["n"], 1, s, m, (1,))
        for n in SEGMENTS["n"]:
            thresholds = (SEGMENTS["theta"],)
            found[f"7B-{n}-{m}"] = _setting("7B", n, SEGMENTS["a"], SEGMENTS["s"], m, thresholds)
    for n in INPUTS["n"]:  # a segment against a union of inputs: the names exchanged
        found[f"inputs-{n}"] = _setting(
            "inputs", n, INPUTS["s"], INPUTS["a"], INPUTS["M"], (INPUTS["theta"],)
        )
    for m in config.n_united:
        found[f"codes-{m}"] = _setting(
            "codes", CODES["n"], CODES["w"], CODES["w"], m, CODE_THRESHOLDS
        )
    for m in config.n_stored:
        thresholds = tuple(STORED["theta"])
        found[f"stored-{m}"] = _setting(
            "stored", STORED["n"], STORED["w"], STORED["w"], m, thresholds
        )
    for setting in found.values():
        setting["n_trials"] = config.n_trials
    return found


def _setting(
    part: str, n: int, a: int, s: int, m: int, thresholds: tuple[int, ...]
) -> dict[str, Any]:
    return {
        "part": part, "n_units": n, "n_active": a, "n_synapses": s, "n_patterns": m,
        "thresholds": thresholds,
    }  # fmt: skip


def _numbers(setting: dict[str, Any]) -> dict[str, int]:
    """Return the numbers that a simulation takes."""
    return {name: value for name, value in setting.items() if name not in ("part", "thresholds")}


def counted(setting: dict[str, Any], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw the inputs of one point."""
    numbers = _numbers(setting)
    if setting["part"] == "stored":
        numbers["n_segments"] = numbers.pop("n_patterns")
        return {"counts": simulate_false_positives(**numbers, rng=rng).counts}
    found = simulate_union(**numbers, rng=rng)
    return {"counts": found.counts, "size": np.array([found.mean_size, found.size_error])}


def law(setting: dict[str, Any], threshold: int) -> float:
    """Return the exact probability of a match."""
    n, a, s, m = (setting[name] for name in ("n_units", "n_active", "n_synapses", "n_patterns"))
    if setting["part"] == "stored":
        return float(any_false_positive(n, a, s, threshold, m))
    return float(union_false_positive(n, a, s, threshold, m))


def rows(setting: dict[str, Any], counts: np.ndarray) -> list[tuple[Any, ...]]:
    """Return the rows of one point."""
    laws = [law(setting, threshold) for threshold in setting["thresholds"]]
    named = {name: value for name, value in setting.items() if name != "thresholds"}
    return points.counted_rows(ErrorCounts(counts, "match"), setting["thresholds"], laws, **named)


def curves(config: Config) -> dict[str, np.ndarray]:
    """Return the formulas along the curves of the figure."""
    few, many = np.arange(1, 21), np.arange(2, max(config.n_united) + 1, 2)
    n, w, a, s, theta = CODES["n"], CODES["w"], SEGMENTS["a"], SEGMENTS["s"], SEGMENTS["theta"]
    return {
        "few": few,
        "figure_7a": union_size(SIZES["n"], _column(SIZES["s"]), few),
        "figure_7b": union_false_positive(_column(SEGMENTS["n"]), a, s, theta, few),
        "many": many,
        "codes": union_false_positive(n, w, w, _column(CODE_THRESHOLDS), many),
        "codes_bloom": bloom_false_positive(n, w, many),
    }


def _column(numbers: Sequence[int]) -> np.ndarray:
    """Return numbers along an axis of their own."""
    return np.array(numbers)[:, None]


# ------------------------------------------------------------------------------- judging


def judge(record: Record) -> list[Claim]:
    """Return all claims."""
    return [
        *formula_claims(), *earlier_formula_claims(), *size_claims(record), *counted_claims(record),
        *classification_claims(record),
    ]  # fmt: skip


def formula_claims() -> list[Claim]:
    """Compare the formulas with the numbers of 2016."""
    sizes = union_size(SIZES["n"], _column(SIZES["s"]), np.array(SIZES["M"]))
    segments = (SEGMENTS["a"], SEGMENTS["s"], SEGMENTS["theta"], np.array(SEGMENTS["M"]))
    rounded = union_false_positive(_column(SEGMENTS["n"]), *segments, form="rounded")
    inputs = [INPUTS[name] for name in ("s", "a", "theta", "M")]  # the names exchanged
    united = union_false_positive(np.array(INPUTS["n"]), *inputs, form="expected")
    text = [PAPER["text_union"].value[name] for name in ("n", "a", "s", "theta", "M")]
    one = union_false_positive(*text, form="rounded")
    key = "false_positive"
    return [
        points.table_claim(
            "The formula gives the sizes of unions of Figure 7A", PAPER["fig7a"], sizes,
            "expected_on",
        ),
        points.table_claim(
            "The formula gives the false positives of Figure 7B", PAPER["fig7b"], rounded, key
        ),
        points.table_claim(
            "The formula gives the authors' later version, a union of inputs",
            PAPER["fig7b_input_union"], united, key,
        ),
        points.table_claim(
            "A segment that holds ten patterns of 100 active in 20,000 cells is wrong in 2 inputs "
            "of 1e12", PAPER["text_union"], one, key,
        ),
    ]  # fmt: skip


def earlier_formula_claims() -> list[Claim]:
    """Compare the formulas with the numbers of 2015."""
    n, w, m = CODES["n"], CODES["w"], CODES["M"]
    exactly = float(union_false_positive(n, w, w, w, m))
    _, found, equal = points.published(
        EARLIER["union_exact"], bloom_false_positive(n, w, m), "false_positive"
    )
    small, large = (
        union_false_positive(
            one["n"], one["w"], one["w"], np.array(one["theta"]), one["M"], form="expected"
        )
        for one in (EARLIER["union_inexact"].value, EARLIER["union_inexact_2048"].value)
    )
    bound = EARLIER["classification"].value
    return [
        Claim(
            "A union of 20 codes of 20 in 1,024 holds all of a random code with probability "
            "1.835e-10", EARLIER["union_exact"].cited, CODES["false_positive"],
            f"{exactly:.4g} exactly; {found:.4g} by the paper's form",
            Verdict.CAVEAT if equal else False,
            f"The paper's (Bloom) form lets a code draw the same bit twice, and is "
            f"{100 * (CODES['false_positive'] / exactly - 1):.0f} % high.", preset="smoke",
        ),
        points.table_claim(
            "With one or two bits missing it is 5.6e-9 and 1.2e-7", EARLIER["union_inexact"],
            small, "false_positive",
        ),
        points.table_claim(
            "In 2,048 cells, two bits missing, it is 3.1e-12", EARLIER["union_inexact_2048"],
            large, "false_positive",
        ),
        points.table_claim(
            "Ten stored codes of 21 in 1,024 are taken for another at most 9 times in 1e21",
            EARLIER["classification"],
            bound["M"] * false_positive(bound["n"], bound["w"], bound["w"], bound["theta"]),
            "bound",
        ),
    ]  # fmt: skip


def size_claims(record: Record) -> list[Claim]:
    """Judge how large unions are."""
    s, m, mean, error = record.arrays["sizes"].T
    law = union_size(SIZES["n"], s.astype(int), m.astype(int))
    sure = m == 1
    deviates = np.abs(mean - law)[~sure] / error[~sure]
    limit = stats.norm.isf((1.0 - points.CONFIDENCE) / (2 * max(deviates.size, 1)))
    synapses, patterns = (PAPER["fig7_capacity"].value[key] for key in ("synapses", "patterns"))
    held = union_size(SIZES["n"], 25, np.array(patterns))
    return [
        Claim(
            "Unions that are drawn have the sizes of Figure 7A", PAPER["fig7a"].cited, "they agree",
            f"{deviates.size} means at most {deviates.max(initial=0.0):.1f} standard errors away",
            bool((deviates < limit).all() and (np.abs(mean - law)[sure] < 1e-9).all()),
            f"{record.config.n_trials:,} unions each; the limit is {limit:.1f}.", preset="smoke",
        ),
        Claim(
            "Segments of 100 to 400 synapses hold 4 to 16 patterns of 25 synapses each",
            PAPER["fig7_capacity"].cited, "4 to 16",
            f"{patterns[0]} patterns take {held[0]:.0f} synapses, {patterns[1]} take {held[1]:.0f}",
            bool(all(size <= limit for size, limit in zip(held, synapses))),
            "In 1,000 cells, where patterns share synapses; a little more in larger populations.",
            preset="smoke",
        ),
    ]  # fmt: skip


def counted_claims(record: Record) -> list[Claim]:
    """Compare what was counted with the exact laws, and those with the papers' forms."""
    found = []
    for part, text, source in (
        ("7B", "Drawn segments that hold several patterns match random inputs as often as the "
         "exact law says", PAPER["fig7b"]),
        ("inputs", "So do segments against unions of inputs", PAPER["fig7b_input_union"]),
        ("codes", "So do unions of whole codes", EARLIER["union_exact"]),
    ):  # fmt: skip
        here = record.table.where(part=part)
        measured, agree = points.agreement(here)
        note = f"{here['n_trials'][0]:,} inputs a point. {_distance(here)}"
        found.append(Claim(text, source.cited, "they agree", measured, agree, note, preset="smoke"))
    return found


def _distance(here: Table) -> str:
    """Say how far the papers' form lies from the exact law, where it can be counted."""
    numbers = (here[name] for name in ("n_units", "n_active", "n_synapses", "threshold"))
    n, a, s, theta = numbers
    rounded = union_false_positive(n, a, s, theta, here["n_patterns"], form="rounded")
    seen = here["n_errors"] >= 100
    if not seen.any():
        return "Too few matches to tell the paper's form from it."
    off = np.abs(rounded[seen] / here["predicted"][seen] - 1.0)
    told = ~points.inside(Table({**here, "predicted": rounded}))
    return (
        f"The papers' form, at the rounded expected size, is up to {100 * off.max():.2g} % off "
        f"where 100 or more were counted; {told.sum()} of {told.size} points tell it from the "
        "exact law."
    )


def classification_claims(record: Record) -> list[Claim]:
    """Judge a random code against many stored ones, counted here and by the authors."""
    here = record.table.where(part="stored")
    measured, agree = points.agreement(here)
    n, w, m = STORED["n"], STORED["w"], STORED["M"]
    thetas = np.array(STORED["theta"])
    law = any_false_positive(n, w, w, thetas, m)
    bound = m * false_positive(n, w, w, thetas)
    rates = np.array(STORED["simulated"])
    theirs = Table({
        "n_trials": np.full(rates.size, STORED["n_trials"]),
        "n_errors": np.rint(rates * STORED["n_trials"]).astype(int),
        "measured": rates, "predicted": law,
    })  # fmt: skip
    text, equal = points.agreement(theirs)
    counts = here.where(n_patterns=m)
    shown = "; ".join(
        f"{row['measured']:.3g} at {row['threshold']} (law {row['predicted']:.3g})"
        for row in counts.rows()
    )
    _, bounds, close = points.published(EARLIER["classification_simulated"], bound, "bound")
    return [
        Claim(
            "A random code matches one of many stored ones as often as independent segments would",
            EARLIER["classification_simulated"].cited, "they agree", measured, agree,
            f"{here['n_trials'][0]:,} codes a point. {shown}", preset="smoke",
        ),
        Claim(
            "The authors' simulation of 500 stored codes agrees with that law",
            EARLIER["classification_simulated"].cited, "they agree", text, equal,
            "Their rates of 1e6 trials, within the same bounds.", preset="smoke",
        ),
        Claim(
            "Their bound, 500 times the probability of one false positive, holds",
            EARLIER["classification_simulated"].cited, "they agree", bounds,
            bool((law <= bound).all() and close),
            f"It lies {100 * (bound[0] / law[0] - 1):.0f} % above the exact law at a threshold of "
            f"{thetas[0]}, {100 * (bound[1] / law[1] - 1):.1g} % at {thetas[1]}.", preset="smoke",
        ),
    ]  # fmt: skip


# ------------------------------------------------------------------------------- drawing

COLORS = ("#0072b2", "#d55e00", "#009e73")
_INK = "#20262e"


def draw(record: Record, figure: Any) -> None:
    """Draw the four panels."""
    figure.set_size_inches(9.6, 7.2)
    axes = figure.subplots(2, 2)
    _draw_sizes(record, axes[0, 0])
    _draw_segments(record, axes[0, 1])
    _draw_codes(record, axes[1, 0])
    _draw_stored(record, axes[1, 1])


def _draw_sizes(record: Record, ax: Any) -> None:
    """Draw Figure 7A."""
    s, m, mean, _ = record.arrays["sizes"].T
    for color, length, curve, row in zip(
        COLORS, SIZES["s"], record.arrays["figure_7a"], SIZES["expected_on"]
    ):
        ax.plot(record.arrays["few"], curve, color=color, label=f"s = {length}")
        ax.plot(m[s == length], mean[s == length], "o", color=color, markersize=4.5)
        ax.plot(SIZES["M"], row, "x", color=_INK, markersize=6, zorder=4)
    ax.set(xlabel="patterns on a segment M", ylabel="synapses", xlim=(0, 20.5), ylim=(0, 480))
    ax.set_xticks(range(0, 21, 5))
    ax.set_title("7A: size of the union, n = 1,000")
    ax.legend(loc="upper left")


def _draw_segments(record: Record, ax: Any) -> None:
    """Draw Figure 7B."""
    counted = record.table.where(part="7B")
    for color, n, curve, row in zip(
        COLORS, SEGMENTS["n"], record.arrays["figure_7b"], SEGMENTS["false_positive"]
    ):
        ax.plot(record.arrays["few"], curve, color=color, label=f"n = {n:,}")
        points.draw_points(ax, "n_patterns", counted.where(n_units=n), color=color)
        ax.plot(SEGMENTS["M"], row, "x", color=_INK, markersize=6, zorder=4)
    ax.plot([], [], "x", color=_INK, markersize=6, label="the paper's")
    ax.set(
        yscale="log", ylim=(1e-20, 5.0), xlim=(0, 20.5), xlabel="patterns on a segment M",
        ylabel="false positives",
    )  # fmt: skip
    ax.set_xticks(range(0, 21, 5))
    ax.set_title("7B: 25 synapses of each, threshold 15")
    ax.legend(loc="lower right", fontsize="small")


def _draw_codes(record: Record, ax: Any) -> None:
    """Draw unions of whole codes."""
    counted = record.table.where(part="codes")
    for color, theta, curve in zip(COLORS, CODE_THRESHOLDS, record.arrays["codes"]):
        label = f"{theta} of {CODES['w']} bits"
        ax.plot(record.arrays["many"], curve, color=color, label=label)
        points.draw_points(ax, "n_patterns", counted.where(threshold=theta), color=color)
    ax.plot(
        record.arrays["many"], record.arrays["codes_bloom"], color=COLORS[0], linestyle=":",
        label="20, Bloom form",
    )  # fmt: skip
    ax.plot(CODES["M"], CODES["false_positive"], "x", color=_INK, markersize=6, zorder=4)
    inexact = EARLIER["union_inexact"].value
    at = [inexact["theta"].index(theta) for theta in CODE_THRESHOLDS if theta in inexact["theta"]]
    ax.plot(
        [inexact["M"]] * len(at), [inexact["false_positive"][k] for k in at], "x", color=_INK,
        markersize=6, zorder=4,
    )  # fmt: skip
    ax.set(yscale="log", ylim=(1e-13, 3.0), xlabel="codes in the union M", ylabel="false positives")
    ax.set_title("Unions of codes, 20 of 1,024 active")
    ax.legend(loc="lower right", fontsize="small")


def _draw_stored(record: Record, ax: Any) -> None:
    """Draw the classification."""
    counted = record.table.where(part="stored")
    numbers = np.unique(np.geomspace(1, max(500, *record.config.n_stored), 60).astype(int))
    n, w = STORED["n"], STORED["w"]
    for color, theta, rate in zip(COLORS, STORED["theta"], STORED["simulated"]):
        single = float(false_positive(n, w, w, theta))
        ax.plot(
            numbers,
            any_false_positive(n, w, w, theta, numbers),
            color=color,
            label=f"threshold {theta}",
        )
        ax.plot(numbers, numbers * single, color=color, linestyle=":")
        points.draw_points(ax, "n_patterns", counted.where(threshold=theta), color=color)
        ax.plot(STORED["M"], rate, "x", color=_INK, markersize=6, zorder=4)
    ax.plot([], [], ":", color=_INK, label="bound")
    ax.plot([], [], "x", color=_INK, markersize=6, label="the authors'")
    ax.set(
        xscale="log", yscale="log", ylim=(1e-8, 30.0), xlabel="stored codes M",
        ylabel="a random code matches one",
    )  # fmt: skip
    ax.set_title("Classification, 7 of 100 active")
    ax.legend(loc="upper left", fontsize="small", ncols=2)
