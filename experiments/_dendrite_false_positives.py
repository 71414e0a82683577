"""What `dendrite-false-positives` counts, says of the papers, and draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from experiments import _dendrite_points as points
from experiments._framework import Claim, Record, Table, Verdict, expected
from sdr.simulation import ErrorCounts, simulate_false_positives
from sdr.theory import any_false_positive, false_positive

if TYPE_CHECKING:
    from experiments.dendrite_false_positives import Config

__all__ = ["counted", "curves", "draw", "judge", "rows", "settings"]

PAPER = expected("ahmad_hawkins2016")
EARLIER = expected("ahmad_hawkins2015")
#: Figure 5A: what is drawn, by its share of active cells where it is one.
DENSE = {"a = n/4": 4, "a = n/2": 2}
#: Figure 5B: active cells and cells; the last is the dashed curve.
SPARSE_AND_DENSE = ((32, 2000), (32, 4000), (512, 16_000), (4000, 16_000))
#: Sizes of the curves of Figure 5A.
GRID = np.arange(300, 20_001, 200)


# ------------------------------------------------------------------------------- counting


def settings(config: Config) -> dict[str, dict[str, Any]]:
    """Return what is drawn at each point, by the name of its part."""
    found: dict[str, dict[str, Any]] = {}
    segment = {"n_synapses": config.n_synapses, "threshold": config.threshold}
    for a in config.n_active:
        for n in config.n_units:
            found[f"4A-{a}-{n}"] = {"n_units": n, "n_active": a, **segment}
    for share in DENSE.values():
        for n in config.dense_units:
            found[f"5A-{share}-{n}"] = {"n_units": n, "n_active": n // share, **segment}
    for a, n in SPARSE_AND_DENSE:
        for s in config.swept_synapses:
            segment = {"n_synapses": s, "threshold": s // 2}
            found[f"5B-{a}-{n}-{s}"] = {"n_units": n, "n_active": a, **segment}
    for key, setting in found.items():
        setting["part"] = key[:2]
        setting["n_trials"] = config.n_trials if key[:2] == "4A" else config.n_trials_more
    return found


def counted(setting: dict[str, Any], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw the pairs of one point."""
    numbers = {name: setting[name] for name in ("n_units", "n_active", "n_synapses", "n_trials")}
    return {"counts": simulate_false_positives(**numbers, rng=rng).counts}


def rows(setting: dict[str, Any], counts: np.ndarray) -> list[tuple[Any, ...]]:
    """Return the row of one point."""
    n, a, s, threshold = (
        setting[name] for name in ("n_units", "n_active", "n_synapses", "threshold")
    )
    law = false_positive(n, a, s, threshold)
    return points.counted_rows(ErrorCounts(counts, "match"), [threshold], [law], **setting)


def curves(config: Config) -> dict[str, np.ndarray]:
    """Return the formula along the curves of the figures."""
    s, threshold = config.n_synapses, config.threshold
    fine = np.arange(min(config.n_units), max(config.n_units) + 1, 20)
    active = np.array(config.n_active)[:, None]
    most = max(config.n_active)
    units = GRID[most <= GRID]
    dense = np.array([units // share for share in DENSE.values()])
    lengths = np.arange(2, 31, 2)
    return {
        "fine_units": fine,
        "figure_4a": false_positive(fine, active, s, threshold),
        "units": units,
        "figure_5a": false_positive(units, active, s, threshold),
        "figure_5a_dense": false_positive(units, dense, s, threshold),
        "synapses": lengths,
        "figure_5b": np.array(
            [false_positive(n, a, lengths, lengths // 2) for a, n in SPARSE_AND_DENSE]
        ),
    }


# ------------------------------------------------------------------------------- judging


def judge(record: Record) -> list[Claim]:
    """Return all claims."""
    return [
        *formula_claims(),
        *counted_claims(record),
        *shape_claims(record),
        *erratum_claims(record),
    ]


def formula_claims() -> list[Claim]:
    """Compare the formula with the numbers of both papers."""
    figure, one, sweep = (PAPER[key].value for key in ("fig4a", "fig5a", "fig5b"))
    text, many = PAPER["text_false_positive"].value, PAPER["text_many_segments"].value
    both, sample = EARLIER["false_positive"].value, EARLIER["subsampled"].value
    n, a = np.array(figure["n"])[:, None], np.array(figure["a"])
    s = np.array(sweep["s"])
    pairs = [false_positive(n, a, s, s // 2) for a, n in zip(sweep["a"], sweep["n"])]
    any_of = any_false_positive(*(many[name] for name in ("n", "a", "s", "theta", "n_segments")))
    key = "false_positive"
    return [
        points.table_claim(
            "The formula gives the curves of Figure 4A", PAPER["fig4a"],
            false_positive(n, a, figure["s"], figure["theta"]), key,
        ),
        points.table_claim(
            "The formula gives 1e-12 for 128 active of 4,000 cells", PAPER["fig5a"],
            false_positive(one["n"], one["a"], one["s"], one["theta"]), key,
        ),
        points.table_claim("The formula gives the curves of Figure 5B", PAPER["fig5b"], pairs, key),
        points.table_claim(
            "300 active of 10,000 cells, 30 synapses, a threshold of 12: one input in 4e10",
            PAPER["text_false_positive"],
            false_positive(text["n"], text["a"], text["s"], text["theta"]), key,
        ),
        Claim(
            "At a threshold of 15, a million segments together are wrong in fewer than one input "
            "in 1e9",
            PAPER["text_many_segments"].cited, many["printed"], f"{any_of:.3g}",
            Verdict.CAVEAT if 1e-9 < any_of < 1.1e-9 else bool(any_of <= 1e-9),
            "1e-9 rounded: the exact probability lies 5 % above it.", preset="smoke",
        ),
        points.table_claim(
            "Two patterns of 40 in 2,048 cells hardly ever overlap by 13 or more",
            EARLIER["false_positive"],
            false_positive(both["n"], both["w"], both["w"], np.array(both["theta"])), key,
        ),
        points.table_claim(
            "Twenty sampled synapses of such a pattern still make few mistakes",
            EARLIER["subsampled"],
            false_positive(sample["n"], sample["a"], sample["s"], sample["theta"]), key,
        ),
    ]  # fmt: skip


def counted_claims(record: Record) -> list[Claim]:
    """Compare what was counted, here and by the authors, with the formula."""
    found = []
    texts = {
        "4A": "Drawn segments and inputs match as often as the formula of Figure 4A says",
        "5A": "The same for dense inputs, on the dashed curve of Figure 5A",
        "5B": "The same for 2 to 30 synapses at a threshold of half of them, Figure 5B",
    }
    for part, text in texts.items():
        here = record.table.where(part=part)
        measured, agree = points.agreement(here)
        found.append(
            Claim(
                text,
                f"{PAPER.paper}, Fig. {part}",
                "they agree",
                measured,
                agree,
                f"{here['n_trials'][0]:,} pairs a point; together the points lie within their "
                "binomial bounds with 99.9 %.",
                preset="smoke",
            )
        )
    return [*found, authors_claim()]


def authors_claim() -> Claim:
    """Compare the authors' simulated numbers with the formula."""
    theirs, n_trials = PAPER["fig4a_simulated"].value, PAPER["fig4a"].value["n_trials"]
    segment = PAPER["fig4a"].value
    rates = np.array(theirs["false_positive"])
    law = false_positive(
        np.array(theirs["n"])[:, None], np.array(theirs["a"]), segment["s"], segment["theta"]
    )
    table = Table({
        "n_trials": np.full(rates.size, n_trials),
        "n_errors": np.rint(rates.ravel() * n_trials).astype(int),
        "measured": rates.ravel(), "predicted": law.ravel(),
    })  # fmt: skip
    measured, agree = points.agreement(table)
    return Claim(
        "The authors' own simulation agrees with the formula", PAPER["fig4a_simulated"].cited,
        "they agree", measured, agree, "Their rates of 1e8 pairs each, within the same bounds.",
        preset="smoke",
    )  # fmt: skip


def shape_claims(record: Record) -> list[Claim]:
    """Say how the probability falls, by the curves."""
    units, sparse = record.arrays["units"], np.log(record.arrays["figure_5a"])
    sparse = sparse[:, units >= 4000]
    slopes = np.diff(sparse) / np.diff(np.log(units[units >= 4000]))
    fall = (record.arrays["figure_5a"][:, -1] / record.arrays["figure_5a"][:, 0]).max()
    steps = np.log10(record.arrays["figure_5b"][:3, 4:])
    ratios = np.diff(steps)
    fit = [np.corrcoef(record.arrays["synapses"][4:], row)[0, 1] ** 2 for row in steps]
    dense = record.arrays["figure_5a_dense"]
    return [
        Claim(
            "False positives fall exponentially with the number of cells, at a fixed number active",
            f"{PAPER.paper}, Fig. 5A", "exponentially",
            f"by 1e{np.log10(fall):.0f} or more up to 20,000 cells, as n to the power of "
            f"{slopes.min():.1f} to {slopes.max():.1f}",
            Verdict.CAVEAT if fall < 1e-6 else False,
            "Steeply, but as a power, from (a/n)^theta: of an exponent close to "
            f"{record.config.threshold}, the threshold, once n is large.", preset="smoke",
        ),
        Claim(
            "False positives fall exponentially with the number of synapses, the threshold being "
            "half of them",
            f"{PAPER.paper}, Fig. 5B", "exponentially",
            f"{10 ** -ratios.max():.1f} to {10 ** -ratios.min():.0f} times fewer for every two "
            f"synapses from 10 on; log of it straight to R2 = {min(fit):.4f}",
            bool(ratios.max() < 0.0 and min(fit) > 0.99), preset="smoke",
        ),
        Claim(
            "Not so for dense inputs: there more cells do not help",
            f"{PAPER.paper}, Fig. 5A, dashed", "flat",
            f"{dense[0, 0]:.2g} to {dense[0, -1]:.2g} at a = n/4, {dense[1, 0]:.2g} to "
            f"{dense[1, -1]:.2g} at a = n/2",
            bool((dense[:, -1] > 0.9 * dense[:, 0]).all()),
            "From 300 to 20,000 cells.", preset="smoke",
        ),
    ]  # fmt: skip


def erratum_claims(record: Record) -> list[Claim]:
    """Show that the curve labelled 50 % is that of a quarter."""
    value = PAPER["fig5a_dashed"]
    drawn = value.value
    n = np.array(drawn["n"])
    quarter, half = (false_positive(n, n // k, drawn["s"], drawn["theta"]) for k in (4, 2))
    _, text, equal = points.published(value, quarter, "false_positive")
    counted = record.table.where(part="5A")
    halves = counted["n_active"] == counted["n_units"] // 2
    rates = counted["measured"][halves]
    return [
        Claim(
            "With half of the cells active, a segment of 24 synapses is wrong in 0.5 to 0.7 % of "
            "the inputs",
            value.cited, "0.0052 to 0.0072",
            f"{half[0]:.3f} to {half[1]:.3f}; counted {rates.min():.3f} to {rates.max():.3f}",
            Verdict.CAVEAT if equal else False,
            f"Erratum: the curve labelled 50 % was made with a quarter of the cells active (the "
            f"formula for a = n/4 is {text}). Both are drawn here.", preset="smoke",
        )
    ]  # fmt: skip


# ------------------------------------------------------------------------------- drawing

COLORS = ("#0072b2", "#d55e00", "#009e73")
QUARTER, HALF, _INK = "#cc79a7", "#5b6470", "#20262e"


def draw(record: Record, figure: Any) -> None:
    """Draw the three panels."""
    figure.set_size_inches(11.2, 4.3)
    axes = figure.subplots(1, 3)
    _draw_units(record, axes[0])
    _draw_far(record, axes[1])
    _draw_synapses(record, axes[2])
    for ax in axes:
        ax.set_yscale("log")


def _draw_units(record: Record, ax: Any) -> None:
    """Draw Figure 4A."""
    config, counted = record.config, record.table.where(part="4A")
    for color, a, curve in zip(COLORS, config.n_active, record.arrays["figure_4a"]):
        ax.plot(record.arrays["fine_units"], curve, color=color, label=f"a = {a}")
        points.draw_points(ax, "n_units", counted.where(n_active=a), color=color)
    theirs = PAPER["fig4a_simulated"].value
    for k in range(len(theirs["a"])):
        ax.plot(
            theirs["n"], [row[k] for row in theirs["false_positive"]], "x", color=_INK,
            markersize=6, markeredgewidth=1.2, zorder=4, label="the authors'" if k == 0 else None,
        )  # fmt: skip
    floor = 0.02 / config.n_trials
    ax.set(ylim=(max(floor, 1e-12), 3.0), xlabel="cells n", ylabel="false positives")
    ax.set_title(f"4A: {config.n_trials:.0e} pairs a point".replace("e+0", "e"))
    ax.legend(loc="upper right")


def _draw_far(record: Record, ax: Any) -> None:
    """Draw Figure 5A."""
    units, counted = record.arrays["units"], record.table.where(part="5A")
    for color, a, curve in zip(COLORS, record.config.n_active, record.arrays["figure_5a"]):
        ax.plot(units, curve, color=color)
        near = record.table.where(part="4A", n_active=a)
        some = near["n_errors"] > 0
        ax.plot(near["n_units"][some], near["measured"][some], "o", color=color, markersize=3.5)
        ax.text(20_700, curve[-1], f"a = {a}", color=color, va="center", fontsize=9)
    names = ("n/4, drawn\nas 50 %", "n/2")
    for color, share, curve, name, shift in zip(
        (QUARTER, HALF), DENSE.values(), record.arrays["figure_5a_dense"], names, (0.02, 1.0)
    ):
        ax.plot(units, curve, color=color, linestyle="--")
        ax.text(20_700, curve[-1] * shift, name, color=color, va="center", fontsize=9)
        here = points.select(counted, counted["n_active"] == counted["n_units"] // share)
        points.draw_points(ax, "n_units", here, color=color)
    theirs = PAPER["fig5a_dashed"].value
    ax.plot(theirs["n"], theirs["false_positive"], "x", color=_INK, markersize=6, zorder=4)
    ax.set(xlim=(0, 26_500), xlabel="cells n")
    ax.set_xticks(range(0, 20_001, 5000), ["0", "5,000", "10,000", "15,000", "20,000"])
    ax.set_title("5A: sparse inputs gain, dense do not")


def _draw_synapses(record: Record, ax: Any) -> None:
    """Draw Figure 5B."""
    counted = record.table.where(part="5B")
    for color, style, (a, n), curve in zip(
        (*COLORS, QUARTER), ("-", "-", "-", "--"), SPARSE_AND_DENSE, record.arrays["figure_5b"]
    ):
        label = f"a = {a:,}, n = {n:,}"
        ax.plot(record.arrays["synapses"], curve, color=color, linestyle=style, label=label)
        here = counted.where(n_active=a, n_units=n)
        points.draw_points(ax, "n_synapses", here, color=color)
    ax.set(xlabel="synapses s, threshold s/2", xlim=(0, 31))
    ax.set_title("5B: more synapses, fewer mistakes")
    ax.legend(loc="lower left")
