"""What a record of `similar-inputs-similar-codes` says of the model's limits and sanity targets."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._framework import Claim, Record, Verdict, expected
from memory import Sigmoid2010, Sigmoid2014, SigmoidCore, SigmoidNeurithmic

__all__ = ["judge"]

TARGETS = expected("sparsey_sanity")
#: Standard errors within which two estimates are the same: 99.9 % of the time.
SIGMAS = 3.29
#: Share of nets that a retrieval called exact may miss.
MISSED = 0.05
SIGMOIDS = {one.name: one() for one in (Sigmoid2014, Sigmoid2010, SigmoidCore, SigmoidNeurithmic)}
MODEL = "Rinkus 2010, 2014, code selection"


def judge(record: Record) -> list[Claim]:
    """Judge limits, table, order and preservation."""
    return [
        _floor_claim(record),
        _reinstated_claim(record),
        _chances_claim(record),
        _drawn_claim(record),
        _row_claim(record, "G", "familiarity"),
        _row_claim(record, "retrieved", "retrieved"),
        _changed_claim(record),
        _monotone_claim(record),
        _not_monotone_claim(record),
        _digits_claim(record),
        _sweep_claim(record),
    ]


# ------------------------------------------------------------------ limits


def _floor_claim(record: Record) -> Claim:
    """Judge the intersection of the code of a probe that shares nothing."""
    config = record.config
    share = 1.0 / config.n_units
    error = np.sqrt(config.n_modules * share * (1.0 - share) / config.n_nets)
    found = [
        record.arrays[f"{mode}-1-{name}"][0].mean()
        for name in config.activations for mode in ("drawn", "retrieved")
    ]  # fmt: skip
    floor = config.n_modules * share
    return Claim(
        "What is quite unknown gets a code by chance: E|intersection| is Q/K",
        MODEL,
        floor,
        f"{min(found):.3g} to {max(found):.3g}, standard error {error:.2g}",
        bool(np.abs(np.array(found) - floor).max() <= SIGMAS * error),
        "One pattern stored, probes without any of its inputs. Every sigmoid is uniform there, so "
        "that all, drawn or retrieved, make the same draws.",
        preset="quick",
    )


def _reinstated_claim(record: Record) -> Claim:
    """Judge retrieval of what is stored."""
    config, last = record.config, record.config.n_active
    arrays = [(_get(record, "G", name)[last], _get(record, "retrieved", name)[last])
              for name in config.activations]  # fmt: skip
    least_G = min(G.min() for G, _ in arrays)
    least = min(shared.min() for _, shared in arrays)
    return Claim(
        "A stored pattern has G = 1, and taking the unit of most evidence reinstates its code",
        MODEL,
        f"G 1, all {config.n_modules} winners",
        f"G at least {least_G:.3g}, at least {least} winners",
        bool(least_G == 1.0 and least == config.n_modules),
        f"The least of {config.n_nets} nets for each sigmoid.",
        preset="quick",
    )


def _get(record: Record, what: str, name: str) -> np.ndarray:
    """Return G or intersections at the full load, of shape (n_overlaps, n_nets)."""
    return record.arrays[f"{what}-{record.config.n_stored}-{name}"].astype(float)


def chance_to_win(sigmoid: Any, n_units: int) -> float:
    """Return how likely the stored winner wins at G = 1 when its competitors have no evidence."""
    chances = sigmoid.chances(np.eye(1, n_units), 1.0)
    return float(chances[0, 0] / chances.sum())


def _chances_claim(record: Record) -> Claim:
    """Judge formula and draws of the stored winner."""
    config, names = record.config, record.config.activations
    known = TARGETS["chance_to_win"].value
    sigmoids = {name: SIGMOIDS[name] for name in known}
    values = {name: chance_to_win(one, 8) for name, one in sigmoids.items()}
    late = chance_to_win(SigmoidCore(low=0.9, high=0.9), 8)
    pairs = [(values[name], np.atleast_1d(known[name])[0]) for name in known]
    printed = max(abs(ours - theirs) for ours, theirs in [*pairs, (late, known["core"][1])])
    apart = []
    for name in names:
        p, drawn = chance_to_win(SIGMOIDS[name], config.n_units), record.arrays[f"drawn-1-{name}"]
        error = np.sqrt(config.n_modules * p * (1.0 - p) / config.n_nets)
        apart.append(abs(drawn[-1].mean() - config.n_modules * p) / error)
    return Claim(
        "Drawn at G = 1, a stored winner wins against silent units with a chance of 0.991, 0.999, "
        "0.955 and 0.514 to 0.763",
        TARGETS["chance_to_win"].cited,
        "; ".join(f"{name}: {value}" for name, value in known.items()),
        "; ".join(f"{name}: {value:.4f}" for name, value in values.items())
        + f" and {late:.4f}; draws at most {max(apart):.1f} standard errors away",
        bool(printed <= 0.0005 + 1e-9 and max(apart) <= SIGMAS),
        "Draws with one pattern stored: Q times the chance is expected.",
        preset="quick",
    )


# ------------------------------------------------------------------ sanity targets


def _deviation(values: np.ndarray, target: float, step: float) -> float:
    """Return how many standard errors the mean over nets is from a printed value.

    The printed value has its own: that of its nets, spread as ours, and of rounding to `step`.
    """
    n_theirs = TARGETS["setting"].value["n_nets"]
    spread = values.std(ddof=1) * np.sqrt(1.0 / values.size + 1.0 / n_theirs)
    return float(abs(values.mean() - target) / np.hypot(spread, step / np.sqrt(12.0)))


def _is_of_table(record: Record) -> bool:
    """Say whether nets are of the size that the sanity targets are for."""
    setting, config = TARGETS["setting"].value, record.config
    return all(getattr(config, name) == setting[name] for name in setting if name != "n_nets")


def _drawn_claim(record: Record) -> Claim:
    """Compare the intersections in learning mode."""
    target = TARGETS["drawn"]
    names = [name for name in record.config.activations if name in target.value]
    ours, theirs, apart = [], [], [0.0]
    for name in names if _is_of_table(record) else []:
        values = [_get(record, "drawn", name)[overlap] for overlap in target.value["overlap"]]
        apart += [_deviation(a, b, 0.1) for a, b in zip(values, target.value[name], strict=True)]
        ours.append(f"{name}: " + "/".join(f"{one.mean():.1f}" for one in values))
        theirs.append(f"{name}: " + "/".join(f"{one:.1f}" for one in target.value[name]))
    return Claim(
        "In learning mode the codes of neighbours share as many units as the targets say",
        target.cited,
        "; ".join(theirs),
        "; ".join(ours) + f" (at most {max(apart):.1f} standard errors apart)",
        max(apart) <= SIGMAS if ours else Verdict.NOT_TESTED,
        "Overlaps of 12, 8, 6, 4, 2 and 0 of 12 inputs, 6 patterns stored; nets of other sizes "
        "have no targets.",
        preset="quick",
    )


def _row_claim(record: Record, what: str, key: str) -> Claim:
    """Compare a row of the table that names no sigmoid with the nets of 2014."""
    target = TARGETS[key]
    overlaps = target.value["overlap"]
    row, step = target.value["G" if what == "G" else "2014"], 0.01 if what == "G" else 0.1
    ours, apart = "none", 0.0
    tested = _is_of_table(record) and "2014" in record.config.activations
    if tested:
        values = [_get(record, what, "2014")[overlap] for overlap in overlaps]
        apart = max(_deviation(a, b, step) for a, b in zip(values, row, strict=True))
        ours = "/".join(f"{one.mean():.3g}" for one in values)
    texts = {
        "G": "G falls with the overlap from 1 to 0.20 as the targets say",
        "retrieved": "Hard choice gives neighbours the stored code down to half of the inputs",
    }
    return Claim(
        texts[what],
        target.cited,
        "/".join(f"{value:.3g}" for value in row),
        f"{ours} (at most {apart:.1f} standard errors apart)",
        apart <= SIGMAS if tested else Verdict.NOT_TESTED,
        "Overlaps of 12, 8, 6, 4, 2 and 0 of 12 inputs, nets of the sigmoid of 2014. That of "
        "Neurithmic, whose codes overlap more, has higher G at low overlap.",
        preset="quick",
    )


# ------------------------------------------------------------------ order


def _changed_claim(record: Record) -> Claim:
    """Judge retrieval from probes of which a third is changed."""
    config = record.config
    kept = config.n_active - -(-config.n_active // 3)
    shares = {
        name: float((_get(record, "retrieved", name)[kept] == config.n_modules).mean())
        for name in config.activations
    }
    return Claim(
        "With a third of the active inputs moved, hard choice still finds the exact code",
        "checklist of the model at low load",
        f"at least {1 - MISSED:.0%} of nets",
        "; ".join(f"{name}: {share:.1%}" for name, share in shares.items()),
        min(shares.values()) >= 1.0 - MISSED,
        f"{config.n_stored} patterns stored, {kept} of {config.n_active} inputs kept.",
        preset="quick",
    )


def _falls(record: Record, name: str) -> tuple[float, int, int]:
    """Return the surest fall of E|intersection| as the overlap grows, in standard errors.

    The same nets stand at all overlaps, so differences are taken net by net. Also returns the
    overlaps between which it is.
    """
    shared = _get(record, "drawn", name).astype(np.float64)
    falls = []
    for low in range(len(shared)):
        for high in range(low + 1, len(shared)):
            change = shared[low] - shared[high]
            error = change.std(ddof=1) / np.sqrt(change.size)
            falls.append((float(change.mean() / error) if error else 0.0, low, high))
    return max(falls)


def _monotone_claim(record: Record) -> Claim:
    """Judge that more similar inputs never get less similar codes."""
    names = [name for name in record.config.activations if name != "neurithmic"]
    falls = {name: _falls(record, name) for name in names}
    rises = {name: _get(record, "drawn", name)[[0, -1]].mean(axis=1) for name in names}
    growing = all(last > 2.0 * first for first, last in rises.values())
    return Claim(
        "E|intersection| rises with the overlap for the sigmoids of 2014, 2010 and the core",
        TARGETS["drawn"].cited,
        "monotone",
        "; ".join(
            f"{name}: {rises[name][0]:.1f} to {rises[name][1]:.1f}, surest fall "
            f"{fall:.1f} standard errors" for name, (fall, _, _) in falls.items()
        ),
        growing and all(fall <= SIGMAS for fall, _, _ in falls.values()),
        "A fall is the difference between any two overlaps, taken net by net.",
        preset="quick",
    )  # fmt: skip


def _not_monotone_claim(record: Record) -> Claim:
    """Judge that Neurithmic's constants let a less similar input have a more similar code."""
    tested = "neurithmic" in record.config.activations
    fall, low, high = _falls(record, "neurithmic") if tested else (0.0, 0, 0)
    means = _get(record, "drawn", "neurithmic").mean(axis=1) if tested else np.zeros(1)
    return Claim(
        "With Neurithmic's constants E|intersection| is not monotone in the overlap",
        TARGETS["drawn"].cited,
        "16.0 at 12, 15.4 at 8, 15.9 at 6",
        f"{means[low]:.2f} at {low}, {means[high]:.2f} at {high}: a fall of {fall:.1f} standard "
        "errors, the surest of all pairs" if tested else "none",
        fall > SIGMAS if tested else Verdict.NOT_TESTED,
        "The midpoint of its sigmoid, 5/28, is below the evidence of units that other patterns "
        "left: from a third of the inputs on the curve is nearly flat. A standard error of the "
        "targets is 0.3, as large as the falls in them.",
        preset="quick",
    )  # fmt: skip


# ------------------------------------------------------------------ preservation


def _digits_claim(record: Record) -> Claim:
    """Judge that similar digits get similar codes."""
    rows = record.table.where(data="digits", quantity="spearman")
    lowest = float((rows["value"] / rows["error"]).min())
    texts = [
        f"{row['activation']} {row['mode']}: {row['value']:.2f} ± {row['error']:.2f}"
        for row in rows.rows()
    ]
    return Claim(
        "Similar handwritten digits get similar codes, with every sigmoid, drawn or retrieved",
        "Rinkus 2010, 2014, similarity preservation",
        "Spearman's coefficient above 0",
        "; ".join(texts),
        lowest > SIGMAS,
        "Digits that are not stored themselves; intersection of codes against Jaccard similarity "
        "of inputs, over all pairs.",
        preset="quick",
    )


def _sweep_claim(record: Record) -> Claim:
    """Judge how much one constant matters."""
    rows = record.table.where(data="random", quantity="spearman", mode="drawn")
    swept = np.char.startswith(rows["activation"].astype(str), "inflection-")
    values, names = rows["value"][swept], rows["activation"][swept]
    best, worst = values.argmax(), values.argmin()
    return Claim(
        "Preservation depends strongly on the constants: along the inflection of 2014 it is more "
        "than halved",
        "targets of the project: depends strongly on parameters",
        "a factor of 2",
        f"Spearman {values[best]:.2f} at {names[best]}, {values[worst]:.2f} at {names[worst]}",
        bool(values[worst] < values[best] / 2.0),
        "Random patterns and their neighbours, codes drawn. The published constants are not known.",
        preset="quick",
    )
