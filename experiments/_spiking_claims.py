"""What a record of `spiking-dendrite` says: thresholds, plateaus, rates, and where theory stops."""

from __future__ import annotations

import numpy as np
from scipy import stats

from experiments._framework import Claim, Record, Table, Verdict, expected
from experiments._spiking_measure import (
    DRIVEN,
    JITTER,
    MODELS,
    VARIANTS,
    fitted,
    settings,
)

__all__ = ["LABELS", "deviations", "judge", "threshold"]

PAPER = expected("ahmad2016_dendrite")
REFERENCE = expected("spiking_reference")
#: How each cell is called.
LABELS = {
    "nmda": "NMDA dendrite",
    "event": "coincidence counter",
    "three": "three compartments",
}
#: How improbable the largest of many deviations may be, if the theory is right.
LEVEL = 1e-3


def threshold(record: Record, model: str, jitter: float = JITTER, failure: float = 0.0) -> int:
    """Return a cell's threshold at one setting; 0 where its curve does not reach one half."""
    for one in settings(record.config):
        if (one.jitter, one.failure) == (jitter, failure):
            counts = record.arrays[f"curve-{one.part}-{one.key}-{model}"]
            fit = fitted(record.config, counts)[1]
            return fit.theta if fit else 0
    raise ValueError(f"no setting has jitter {jitter:g} and failure {failure:g}")


def deviations(table: Table, column: str) -> np.ndarray:
    """Return measured minus expected rates in standard errors of the expected ones."""
    p = table[column]
    error = np.sqrt(p * (1.0 - p) / table["n_trials"])
    return (table["measured"] - p) / np.maximum(error, 1.0 / table["n_trials"])


def agreement(table: Table, column: str = "theory") -> tuple[str, bool]:
    """Say how far rates are from a theory, and whether chance may explain the farthest.

    Each rate is judged by its exact binomial tail; one of many must be less probable than one
    alone, by their number.
    """
    p, n = table[column], table["n_trials"]
    count = np.round(table["measured"] * n)
    tails = np.minimum(stats.binom.cdf(count, n, p), stats.binom.sf(count - 1, n, p))
    z = np.abs(deviations(table, column))
    text = (
        f"{np.sum(z <= 3.0)} of {z.size} rates within 3 standard errors, the farthest at "
        f"{z.max():.1f}"
    )
    return text, bool(2.0 * tails.min() * z.size >= LEVEL)


def judged(
    key: str, text: str, found: str, verdict: Verdict | bool, note: str = "", preset: str = "quick"
) -> Claim:
    """Return a claim of the paper."""
    value = PAPER[key].value
    shown = f"{value[0]} to {value[1]}" if isinstance(value, list) else value
    return Claim(text, PAPER[key].cited, shown, found, verdict, note, preset)


def own(text: str, found: str, verdict: Verdict | bool, note: str = "") -> Claim:
    """Return a claim that is ours."""
    return Claim(text, "not in the paper", None, found, verdict, note, "quick")


def judge(record: Record) -> list[Claim]:
    """Judge everything."""
    parts = (cell_claims, reference_claims, rate_claims, departure_claims, soma_claims)
    return [claim for part in parts for claim in part(record)]


def cell_claims(record: Record) -> list[Claim]:
    """Judge the cells against biology."""
    low, high = PAPER["synapses"].value
    thetas = {name: threshold(record, name) for name in MODELS}
    shortest, longest = PAPER["plateau"].value
    overlaps = np.array(record.config.curve_overlaps)
    durations = record.arrays["duration_steep"][overlaps >= thetas["nmda"]]
    window = [jitter for jitter in record.config.jitters if jitter <= PAPER["window"].value[1]]
    same = {LABELS[name]: {threshold(record, name, jitter) for jitter in window} for name in MODELS}
    seen = sum(record.arrays[f"seen-{name}"].sum() for name in MODELS)
    wrong = 0
    for name, theta in thetas.items():
        counts, plateaus = record.arrays[f"seen-{name}"], record.arrays[f"plateaus-{name}"]
        wrong += plateaus[:theta].sum() + (counts - plateaus)[theta:].sum()
    return [
        judged(
            "synapses", "A handful of inputs starts a plateau",
            ", ".join(f"{LABELS[name]} {theta}" for name, theta in thetas.items()),
            all(low <= theta <= high for theta in thetas.values()),
            "The constants were chosen so; of the counter the threshold is a parameter.",
        ),
        judged(
            "plateau", "A plateau of the NMDA dendrite lasts as long as measured ones",
            f"{durations.min():.0f} to {durations.max():.0f} ms for {thetas['nmda']} to "
            f"{overlaps.max()} inputs",
            bool(shortest <= durations.min() and durations.max() <= longest),
        ),
        judged(
            "window", "Within a few ms the timing of inputs does not matter",
            f"thresholds at jitters up to {max(window):g} ms: "
            + "; ".join(f"{name} {', '.join(map(str, sorted(t)))}" for name, t in same.items()),
            all(len(found) == 1 for found in same.values()),
        ),
        judged(
            "threshold_rule", "A dendrite is all or none: the overlap decides",
            f"{wrong:,} of {seen:,} drawn pairs decided otherwise",
            bool(wrong == 0),
            f"Spikes within {JITTER:g} ms.",
        ),
    ]  # fmt: skip


def reference_claims(record: Record) -> list[Claim]:
    """Judge the NMDA dendrite against the runs by which it was chosen."""
    overlaps = list(record.config.curve_overlaps)

    def mean(name: str, k: int, block: str = "steep") -> float:
        return float(record.arrays[f"{name}_{block}"][overlaps.index(k)])

    def near(key: str, *found: float) -> bool:
        wanted, tolerance = np.atleast_1d(REFERENCE[key].value), REFERENCE[key].tolerance
        return bool((np.abs(np.array(found) - wanted) <= tolerance * np.abs(wanted)).all())

    below, above = mean("peak_dendrite", 9), mean("peak_dendrite", 10)
    lasting = mean("duration", 10), mean("duration", 20)
    soma = mean("peak_soma", 10) - MODELS["nmda"].rest
    steps = {
        block: np.diff(record.arrays[f"peak_dendrite_{block}"]).max()
        for block in ("steep", "standard")
    }
    three = [mean("peak_dendrite", k, "standard") for k in (10, 11, 12)]
    thetas = dict(zip(VARIANTS, record.arrays["variants"].tolist()))
    rate = record.table.where(
        part="rates", model="nmda", question="false positive", value=record.config.n_synapses
    )
    return [
        Claim(
            "The NMDA dendrite stays down at 9 inputs and jumps to a plateau at 10",
            f"{REFERENCE['above'].cited}",
            "-58 and -19 mV; 69 ms (122 ms for 20 inputs); soma up by 13 mV",
            f"{below:.1f} and {above:.1f} mV; {lasting[0]:.0f} ms ({lasting[1]:.0f} ms for 20 "
            f"inputs); soma up by {soma:.1f} mV",
            near("below", below) and near("above", above) and near("duration", *lasting)
            and near("soma", soma),
            preset="quick",
        ),
        Claim(
            "With the standard magnesium block this cell is graded: no all or none",
            REFERENCE["standard_block"].cited, "-42, -39, -36 mV",
            f"{three[0]:.0f}, {three[1]:.0f}, {three[2]:.0f} mV; largest step from one input to "
            f"the next {steps['standard']:.0f} mV, against {steps['steep']:.0f} mV with the steep "
            f"block",
            bool(steps["standard"] < 10.0 and steps["steep"] > 25.0),
            REFERENCE["standard_block"].note, preset="quick",
        ),
        Claim(
            "NMDA, AMPA and the middle of the block set the threshold",
            REFERENCE["variant"].cited, REFERENCE["variant"].value,
            "; ".join(f"{name} {theta}" for name, theta in thetas.items()),
            bool(thetas["less NMDA, more AMPA"] == REFERENCE["variant"].value
                 and thetas["NMDA 2 nS"] < thetas["verified"] < thetas["NMDA 1 nS"]
                 and thetas["block at -45 mV"] < thetas["verified"] < thetas["block at -35 mV"]),
            preset="smoke",
        ),
        Claim(
            "The NMDA dendrite's rate of false positives is the hypergeometric tail at its "
            "threshold, within 3 standard errors",
            REFERENCE["rate"].cited, "0.0776 against 0.0769",
            f"{rate['measured'][0]:.4f} against {rate['theory'][0]:.4f}, "
            f"{abs(deviations(rate, 'theory')[0]):.1f} standard errors",
            bool(abs(deviations(rate, "theory")[0]) <= 3.0),
            f"{rate['n_trials'][0]:,} pairs of drawn sets.", preset="quick",
        ),
    ]  # fmt: skip


def rate_claims(record: Record) -> list[Claim]:
    """Judge the three answers to the three questions."""
    rates = record.table.where(part="rates")
    sentences = {
        "false positive": "Unknown inputs are recognised as often as the theory says",
        "false negative": "Noisy patterns are missed as often as the theory says",
        "union": "Unknown inputs are recognised by dendrites that store several patterns as often "
        "as the theory says",
    }
    claims = []
    for question, text in sentences.items():
        some = rates.where(question=question)
        found, verdict = agreement(some)
        note = (
            f"Three cells, each at the threshold of its psychometric curve; theory from "
            f"{some['theory'].min():.1g} to {some['theory'].max():.2g}."
        )
        claims.append(judged(question.replace(" ", "_"), text, found, verdict, note))
    drawn = rates.where(model="nmda")
    n_sets = drawn["n_trials"] * record.config.n_abstract
    abstract = Table({**drawn, "measured": drawn["abstract"], "n_trials": n_sets})
    found, verdict = agreement(abstract)
    claims.append(
        own("Overlaps of drawn sets, counted, follow the theory", found, verdict,
            f"{n_sets[0]:,} fresh pairs for each rate.")
    )  # fmt: skip
    return claims


def explained(table: Table, column: str) -> float:
    """Return which part of the departures from the theory another one explains.

    Departures are those of the logits, added up: 1 where it explains everything.
    """
    n = table["n_trials"]

    def logit(p: np.ndarray) -> np.ndarray:
        p = np.clip(p, 0.5 / n, 1.0 - 0.5 / n)
        return np.log(p / (1.0 - p))

    measured = logit(table["measured"])
    left = np.abs(measured - logit(table[column])).sum()
    return float(1.0 - left / np.abs(measured - logit(table["theory"])).sum())


def _late(record: Record, model: str) -> Table:
    """Return the rates of a cell at the longest jitter."""
    longest = max(record.config.jitters)
    return record.table.where(part="jitter", model=model, jitter=longest)


def departure_claims(record: Record) -> list[Claim]:
    """Judge where the theory of the abstract segment stops, and what repairs it."""
    failing = record.table.where(part="failure")
    failing = Table({k: v[failing["failure"] > 0.0] for k, v in failing.items()})
    found, verdict = agreement(failing, "with_failure")
    plain = np.abs(deviations(failing, "theory"))
    longest = max(record.config.jitters)
    late = {name: _late(record, name) for name in MODELS}
    far = {name: np.abs(deviations(late[name], "theory")).min() for name in MODELS}
    fp = {name: late[name].where(question="false positive") for name in MODELS}
    shift = {name: threshold(record, name, longest) for name in MODELS}
    kept = {
        name: [explained(late[name], f"with_{k}") for k in ("failure", "threshold", "curve")]
        for name in MODELS
    }
    jittered = record.table.where(part="jitter")
    curve_left = np.abs(jittered["measured"] - jittered["with_curve"]).max()
    return [
        own(
            "Failing synapses: the theory holds if each hit counts with the probability that it "
            "transmits",
            found, verdict,
            f"Without that it is up to {plain.max():.0f} standard errors off.",
        ),
        own(
            f"Spikes spread over {longest:g} ms: the theory at the threshold of coincident spikes "
            f"no longer describes any of the cells",
            "; ".join(
                f"{LABELS[name]}: false positives {one['measured'][0]:.2g} instead of "
                f"{one['theory'][0]:.2g}" for name, one in fp.items()
            ),
            all(z > 5.0 for z in far.values()),
            "A dendrite that integrates for as long as NMDA receptors stay open needs one or two "
            "inputs more; one that counts coincidences needs twice as many. Thresholds: "
            + ", ".join(f"{LABELS[name]} {theta or 'none'}" for name, theta in shift.items())
            + ".",
        ),
        own(
            "An effective failure probability explains part of what jitter does, as does a shifted "
            "threshold, and the psychometric curve nearly all of it (more than 80 %)",
            "; ".join(
                f"{LABELS[name]}: {100 * a:.0f} %, {100 * b:.0f} %, {100 * c:.0f} %"
                for name, (a, b, c) in kept.items()
            ),
            all(part[2] > 0.8 and min(part[:2]) > 0.0 for part in kept.values()),
            f"Shares of the departure of both rates' logits at {longest:g} ms. Failures spread "
            f"the overlaps that count; jitter shifts the threshold more than it spreads it. Over "
            f"all jitters, rates by the curve are at most {curve_left:.3f} off. In these cells all "
            f"synapses are alike and on one compartment, so that given the overlap it cannot "
            f"matter which were hit: what is tested is the threshold, not where synapses are.",
        ),
    ]  # fmt: skip


def soma_claims(record: Record) -> list[Claim]:
    """Judge what the soma makes of a plateau."""
    arrays = record.arrays
    alone = int(arrays["soma_spikes_alone"].sum())
    overlaps = arrays["soma_overlaps"].tolist()
    first = dict(zip(overlaps, arrays["soma_first_driven"].tolist()))
    started = dict(zip(overlaps, arrays["soma_plateau_driven"].tolist()))
    return [
        judged(
            "prediction", "A plateau alone makes no spike; a driven soma fires sooner on one",
            f"{alone} spikes without drive; driven by {DRIVEN:g} pA, first spike at "
            f"{first[20]:.0f} ms with 20 inputs, {first[10]:.0f} with 10, {first[0]:.0f} with "
            f"none",
            bool(alone == 0 and first[20] < first[10] < first[0] - 20.0),
            preset="smoke",
        ),
        own(
            "What the soma does feeds back: the drive lowers the dendrite's threshold",
            f"with 9 inputs {'a' if started[9] else 'no'} plateau, first spike at "
            f"{first[9]:.0f} ms",
            bool(started[9] and not arrays["soma_plateau_alone"][overlaps.index(9)]),
            "The theory has no soma.",
        ),
    ]  # fmt: skip
