"""What a record of `cel0-exactness` says of Soubies et al. 2015, sentence by sentence."""

from __future__ import annotations

from functools import partial

import numpy as np

from experiments._cel0_measure import LONG, METHODS, ROUNDING
from experiments._framework import Claim, Record, Verdict, expected

__all__ = ["judge"]

PAPER = expected("soubies2015")


def measured(record: Record, part: str, quantity: str) -> float:
    """Return one number of the table."""
    return float(record.table.where(part=part, quantity=quantity)["measured"][0])


def within(record: Record, *names: tuple[str, str], limit: float = ROUNDING) -> tuple[str, bool]:
    """Say how far some numbers of the table are from 0 at most, and whether `limit` is kept."""
    largest = max(abs(measured(record, *name)) for name in names)
    rows = [record.table.where(part=part, quantity=quantity) for part, quantity in names]
    n_cases = sum(int(row["n_cases"][0]) for row in rows)
    return f"at most {largest:.1g} in {n_cases:,} cases", largest <= limit


def judged(
    key: str,
    text: str,
    found: str,
    verdict: Verdict | bool,
    note: str = "",
    preset: str = "quick",
) -> Claim:
    """Return a claim of the paper, or what follows from its definitions."""
    return Claim(text, PAPER[key].cited, PAPER[key].value, found, verdict, note, preset)


def operator_claims(record: Record) -> list[Claim]:
    """Judge the penalty and its proximal operator."""
    identity = within(
        record,
        ("identity", "CEL0 against MCP, difference / alpha"),
        ("identity", "prox of CEL0 against that of MCP"),
        limit=PAPER["identity_mcp"].tolerance or 0.0,
    )
    operator = within(
        record,
        ("prox", "excess cost over a search, step a^2 < 1"),
        ("prox", "excess cost over a search, step a^2 >= 1"),
    )
    return [
        judged(
            "identity_mcp",
            "CEL0 is MCP with slope a sqrt(2 alpha) and beta 1/a^2, and so is its operator",
            *identity, preset="smoke",
        ),
        judged(
            "prox", "The proximal operator minimises, whether step a^2 is below 1 or not",
            *operator,
            "Excess of its cost over that of a search on grids, for unequal norms.",
            preset="smoke",
        ),
    ]  # fmt: skip


def minimiser_claims(record: Record) -> list[Claim]:
    """Judge global and local minimisers, which are all listed."""
    arrays = record.arrays
    exact = within(
        record,
        ("exact", "CEL0's global value against l0's, unit atoms"),
        ("exact", "CEL0's global value against l0's, unequal norms"),
    )
    members = within(
        record,
        ("exact", "CEL0's cost of l0's best code, excess"),
        ("exact", "l0's cost of CEL0's best code, thresholded, excess"),
    )
    lowest = measured(record, "exact", "lowest cost that a search reached, excess")
    n_l0, n_cel0, n_added = (
        measured(record, "minimisers", f"strict local minimisers of {which}")
        for which in ("l0, mean", "CEL0, mean", "CEL0 that are none of l0's")
    )
    return [
        judged(
            "global_minimisers", "CEL0 has l0's global value",
            *exact,
            f"By listing, which is a proof up to rounding: l0's value over all supports, CEL0's "
            f"over the stationary points of all its cells, with no theorem on l0. By searching, "
            f"which is none: {arrays['n_reached'].sum():,} descents, from every least-squares fit "
            f"and from random starts, reach at lowest {lowest:+.0e} relative to it.",
        ),
        judged(
            "global_minimisers",
            "l0's global minimiser minimises CEL0, and CEL0's, thresholded, minimises l0",
            *members,
        ),
        judged(
            "minimisers_eliminated", "CEL0 has fewer strict local minimisers, and none of its own",
            f"{n_cel0:.0f} of l0's {n_l0:.0f} in the mean, {n_added:.0f} new",
            n_added == 0 and bool((arrays["n_cel0"] < arrays["n_l0"]).all()),
            f"All are listed, for each of {arrays['n_l0'].size} problems.",
        ),
    ]  # fmt: skip


def macro_claims(record: Record) -> list[Claim]:
    """Judge flat segments and the algorithm that leaves them."""
    ties = partial(measured, record, "ties")
    stayed = ties("proximal gradient stays between 0 and the knee, fraction")
    fits = ties("thresholded codes that minimise l0 on their atoms, fraction")
    left = ties("macro ends at 0 or beyond, optimal for l0, fraction")
    equal = within(record, ("ties", "l0's cost after thresholding against CEL0's before, relative"))
    optimal = measured(record, "macro", "optimal for l0 along every axis, fraction")
    inside = measured(record, "macro", "a coefficient between 0 and the knee, fraction")
    rise = measured(record, "macro", "l0's cost against CEL0's, relative")
    return [
        judged(
            "thresholding",
            "Setting to 0 what lies between 0 and the knee gives a local minimiser of l0, at no "
            "cost",
            f"{100 * fits:.4g} % are local minimisers; cost {equal[0]}",
            fits == 1.0 and equal[1],
            f"Where CEL0 has such minimisers: samples at a tie, at which {100 * stayed:.0f} % of "
            f"the runs of proximal gradient stay on the flat segment.", preset="smoke",
        ),
        judged(
            "macro",
            "The macro algorithm ends with no coefficient between 0 and the knee, and where l0 "
            "is optimal along every axis",
            f"{100 * optimal:.4g} % of the runs optimal, {100 * inside:.2g} % with a coefficient "
            f"between; {100 * left:.4g} % of the runs from ties both",
            optimal == 1.0 and inside == 0.0 and left == 1.0 and rise <= 1e-6,
            f"l0's cost of its codes differs from CEL0's by at most {rise:.0e}, relative.",
        ),
    ]  # fmt: skip


def descent_claims(record: Record) -> list[Claim]:
    """Judge where descents from many starts end."""
    config, names = record.config, list(METHODS)
    limits, gaps = record.arrays["n_limits"], record.arrays["mean_gap"]
    hard, relaxed = names.index("l0, step 1/L"), names.index("CEL0, step 1/L")
    fewer = np.mean(limits[:, relaxed] <= limits[:, hard])
    lower = np.mean(gaps[:, relaxed] < gaps[:, hard])
    margin = gaps[:, hard] - gaps[:, relaxed]
    error = margin.std(ddof=1) / np.sqrt(margin.size)
    mean = dict(zip(names, limits.mean(axis=0)))
    cost = dict(zip(names, gaps.mean(axis=0)))
    unlisted = dict(zip(names, record.arrays["n_unlisted"].sum(axis=0)))
    strangers = sum(unlisted[name] for name in names[relaxed:])
    settled = (config.n_starts + 1) * config.n_problems - record.arrays["n_dependent"].sum(axis=0)
    starting = (
        f"{config.n_starts} random starts with few active atoms for each of {config.n_problems} "
        f"problems; from dense starts most runs end on as many atoms as there are features, and "
        f"the limits differ less"
    )
    return [
        judged(
            "fewer_limits",
            "From many starts, CEL0 has at most as many distinct limits as hard thresholding",
            f"{mean[names[relaxed]]:.1f} against {mean[names[hard]]:.1f} in the mean; at most as "
            f"many in {100 * fewer:.0f} % of the problems",
            _always_or_on_average(fewer == 1.0, mean[names[relaxed]] <= mean[names[hard]]),
            f"{starting}, steps of {LONG:g} / L; limits differ if their supports do.",
        ),
        judged(
            "lower_costs", "In the mean CEL0 ends at lower l0 costs than hard thresholding",
            f"{100 * gaps[:, relaxed].mean():.0f} % above the optimum against "
            f"{100 * gaps[:, hard].mean():.0f} %; lower in {100 * lower:.0f} % of the problems",
            bool(margin.mean() > 3.0 * error),
            f"{starting}; the difference has a standard error of {100 * error:.0f} %.",
        ),
        Claim(
            "Audit: a ten times shorter step ends hard thresholding at higher costs, not CEL0",
            "not in the paper", None,
            "; ".join(
                f"{name}: {100 * cost[f'{name}, short step']:.0f} % above the optimum instead of "
                f"{100 * cost[f'{name}, step 1/L']:.0f} %, "
                f"{mean[f'{name}, short step']:.1f} limits instead of "
                f"{mean[f'{name}, step 1/L']:.1f}"
                for name in ("l0", "CEL0")
            ),
            bool(
                cost["l0, short step"] > 1.2 * cost["l0, step 1/L"]
                and cost["CEL0, short step"] < 1.2 * cost["CEL0, step 1/L"]
            ),
            "Its hysteresis: a step too short to wake an atom leaves it silent.", preset="quick",
        ),
        Claim(
            "Audit: descents on CEL0, and coordinate descent on l0, end in minimisers of CEL0 only",
            "not in the paper", None, f"all but {strangers:.0f}",
            bool(strangers == 0 and unlisted[names[hard]] > 0),
            f"Hard thresholding ends elsewhere in "
            f"{100 * unlisted[names[hard]] / settled[hard]:.0f} % of the runs; counted are those "
            f"that converged and end on independent atoms.", preset="quick",
        ),
    ]  # fmt: skip


def _always_or_on_average(always: bool, on_average: bool) -> Verdict:
    """Return the verdict of what is claimed of every problem and may hold in the mean only."""
    if always:
        return Verdict.REPRODUCED
    return Verdict.CAVEAT if on_average else Verdict.NOT_REPRODUCED


def norm_claims(record: Record) -> list[Claim]:
    """Judge norms that are wrong by a factor."""
    factors, gaps = np.array(record.config.norm_factors), record.arrays["swept_gap"]
    order = np.argsort(factors)
    factors, gaps = factors[order], gaps[:, order]
    remaining = record.arrays["swept_n_minimisers"][:, order]
    n_l0 = record.arrays["n_l0"][: len(remaining)]
    below, above = factors < 1.0, factors >= 1.0
    broken = np.mean((gaps[:, below] < -ROUNDING).any(axis=1))
    predicted = np.minimum(0.0, -(1.0 - factors) / (1.0 + factors))
    one_atom = np.abs(record.arrays["swept_one_atom"][order] - predicted).max()
    kept = np.abs(gaps[:, above]).max()
    growing = (np.diff(remaining[:, above], axis=1) >= 0).all()
    return [
        judged(
            "norm_below", "A norm below the atom's breaks exactness",
            f"CEL0's global value is too low in {100 * broken:.0f} % of the problems, by up to "
            f"{-100 * gaps.min(initial=0.0):.0f} %",
            bool(broken > 0.0 and one_atom <= ROUNDING),
            f"Factors {', '.join(f'{factor:g}' for factor in factors[below])}. For every factor "
            f"f < 1 one atom at a tie is a counterexample, with a loss of (1 - f) / (1 + f), as "
            f"measured to {one_atom:.0e}.",
        ),
        judged(
            "norm_above", "A norm above the atom's keeps exactness but removes fewer minimisers",
            f"global value equal up to {kept:.0e}; minimisers left: "
            + ", ".join(
                f"{count:.0f} at {factor:g}"
                for factor, count in zip(factors[above], remaining[:, above].mean(axis=0))
            ),
            bool(kept <= ROUNDING and growing and (remaining[:, above] <= n_l0[:, None]).all()),
            f"l0 has {n_l0.mean():.0f}.",
        ),
    ]  # fmt: skip


def shape_claims(record: Record) -> list[Claim]:
    """Judge scale, convexity along axes and the convex hull."""
    changed, flags, not_global = (
        measured(record, "scale", f"{quantity}, fraction")
        for quantity in (
            "l0's best support changes at 10 alpha instead",
            "0 is critical just above and not just below",
            "0 is critical there but not the global minimiser",
        )
    )
    formula = within(record, ("scale", "alpha_max against the formula, relative"))
    convex = within(record, ("axes", "largest concavity of CEL0's cost along an axis, relative"))
    flat = within(record, ("axes", "largest curvature between 0 and the knee, relative"))
    broken = measured(record, "axes", "axes along which l0's cost is not convex, fraction")
    hull = within(
        record,
        ("orthogonal", "CEL0 against the convex hull of l0, one atom"),
        ("orthogonal", "cost against the sum over atoms, relative"),
        ("orthogonal", "largest excess at a midpoint"),
        ("orthogonal", "costs reached against l0's optimum, relative"),
    )
    return [
        judged(
            "scale", "A sample scaled by s needs alpha scaled by s^2",
            *within(
                record, ("scale", "codes of 10 y at 100 alpha against 10 codes, relative"),
                limit=1e-6,
            ),
            f"With s alpha, as for l1, l0's best support would change in {100 * changed:.0f} % of "
            f"the problems.", preset="smoke",
        ),
        judged(
            "zero_critical", "0 is critical from alpha = max (d_j y)^2 / (2 a_j^2) on",
            formula[0], formula[1] and flags == 1.0,
            f"Critical is not yet best: in {100 * not_global:.0f} % of the problems another code "
            f"costs less there.", preset="smoke",
        ),
        judged(
            "axes", "Along each axis the cost is convex, and linear up to the knee",
            f"concavity {convex[0]}; curvature {flat[0]}", convex[1] and flat[1],
            f"l0's cost is not convex along {100 * broken:.0f} % of the axes.", preset="smoke",
        ),
        judged(
            "orthogonal", "For orthogonal atoms CEL0 gives the convex hull of l0's cost",
            *hull,
            "The hull of each atom's cost, drawn around points; the sum over atoms; midpoints; "
            "and the cost that every start reaches.", preset="smoke",
        ),
    ]  # fmt: skip


def judge(record: Record) -> list[Claim]:
    """Judge each sentence."""
    return [
        *operator_claims(record),
        *minimiser_claims(record),
        *macro_claims(record),
        *descent_claims(record),
        *norm_claims(record),
        *shape_claims(record),
    ]
