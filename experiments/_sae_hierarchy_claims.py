"""What a record of `sae-hierarchy` says of absorption, its order, and errors by atoms."""

from __future__ import annotations

import numpy as np

from experiments._crate_networks import limits, text
from experiments._framework import Claim, Record, Verdict, expected
from experiments._sae_hierarchy_measure import methods, scores

__all__ = ["judge"]

PAPER = expected("costa2025")
PROJECT = "hypothesis of this project"
#: Absorption below which children count as told from parents; the checklist of this project.
TOLD = 0.02
#: What rounding may add to an error, relative to the samples' energy.
ROUNDING = 1e-6


def judge(record: Record) -> list[Claim]:
    """Judge the samples, absorption one by one and in order, recovery, and errors by atoms."""
    mat = [label for label in methods(record.config) if label.startswith("Matryoshka")]
    relu = [label for label in methods(record.config) if label.startswith("ReLU")]
    return [
        _law(record),
        _absorbs(record),
        _recovers(record),
        _below(record, "MP", "BatchTopK"),
        *(_below(record, "MP", label) for label in mat),
        *(_below(record, label, "BatchTopK") for label in mat),
        *(_alike(record, "BatchTopK", label) for label in relu),
        *(_value(record, label, name) for label, name in _published(mat, relu)),
        _pursuit(record),
        _beyond(record),
    ]


def _published(mat: list[str], relu: list[str]) -> list[tuple[str, str]]:
    return [
        *((label, "Matryoshka") for label in mat),
        ("BatchTopK", "BatchTopK"),
        *((label, "vanilla") for label in relu),
    ]


def _law(record: Record) -> Claim:
    drawn = scores(record, "true_l0")["MP"]
    wanted = PAPER["n_active"]
    return Claim(
        "Samples have 1.36 features on average",
        wanted.cited,
        f"{wanted.value} +- {wanted.tolerance}",
        text(drawn, ".4g"),
        bool(abs(drawn.mean() - wanted.value) <= wanted.tolerance),
    )


def _absorbs(record: Record) -> Claim:
    found = scores(record, "absorption")["MP"]
    return Claim(
        "MP tells children from parents",
        PAPER["absorption"].cited,
        f"{PAPER['absorption'].value['MP']}",
        text(found, ".2g"),
        bool(limits(found)[2] < TOLD),
        f"Counts as told with absorption below {TOLD}, limits included.",
    )


def _recovers(record: Record) -> Claim:
    found = scores(record, "recovered")
    worst = found["MP"].min()
    return Claim(
        "MP recovers every feature of an uncorrelated hierarchy",
        PAPER["absorption"].cited,
        "cosine 1",
        "; ".join(f"{label} {values.mean():.3f}" for label, values in found.items()),
        bool(worst > 0.99),
        f"Mean cosine of learned with true features, mean over seeds; the worst seed of MP has "
        f"{worst:.4f}.",
    )


def _below(record: Record, first: str, second: str) -> Claim:
    found = scores(record, "absorption")
    difference = found[first] - found[second]
    _, low, high = limits(difference)
    verdict: bool | Verdict = bool(high < 0)
    note = "Paired differences over seeds, limits of 95 % after Student."
    if low < 0 < high:
        verdict = Verdict.CAVEAT if difference.mean() < 0 else False
        note += " The limits include 0: the order is not established."
    if "Matryoshka" in first + second:
        fits = scores(record, "recovered")[first if "Matryoshka" in first else second]
        note += (
            f" The published prefixes are unknown; with these, features are recovered with a mean "
            f"cosine of {fits.mean():.2f} ({fits.min():.2f} to {fits.max():.2f} over seeds), so "
            f"that absorption need not mean what it does elsewhere."
        )
    return Claim(
        f"{first} absorbs less than {second}",
        PAPER["absorption"].cited,
        "lower",
        f"{text(found[first], '.2g')} beside {text(found[second], '.2g')}; difference "
        f"{text(difference)}",
        verdict,
        note,
    )


def _alike(record: Record, first: str, second: str) -> Claim:
    found = scores(record, "absorption")
    difference = found[second] - found[first]
    published = PAPER["absorption"].value
    wanted = published["vanilla"] - published["BatchTopK"]
    mean, low, high = limits(difference)
    return Claim(
        f"{second} absorbs about as much as {first}",
        PAPER["absorption"].cited,
        f"a difference of {wanted:+.2f}",
        text(difference),
        True if low <= wanted <= high else Verdict.CAVEAT if abs(mean) < 0.15 else False,
        "The published weight of the l1 norm is unknown, and absorption depends on it.",
    )


def _value(record: Record, label: str, name: str) -> Claim:
    found = scores(record, "absorption")[label]
    published = PAPER["absorption"].value[name]
    _, low, high = limits(found)
    return Claim(
        f"Absorption of {label}",
        PAPER["absorption"].cited,
        f"{published}",
        text(found, ".2g"),
        bool(low <= published <= high),
        "Reproduced if the published value lies within the limits of 95 % over seeds.",
    )


def _errors(record: Record, label: str) -> np.ndarray:
    return record.arrays["errors"][:, list(methods(record.config)).index(label)]


def _pursuit(record: Record) -> Claim:
    errors = _errors(record, "MP")
    rise = float(np.diff(errors, axis=1).max())
    said = ", ".join(f"{value:.2g}" for value in errors.mean(axis=0))
    return Claim(
        "The error of MP never rises with more atoms",
        PAPER["absorption"].cited,
        "monotone",
        f"{said} with 1 to {errors.shape[1]} atoms",
        rise <= ROUNDING,
        "Squared error over the samples' energy, mean over seeds; every seed is judged.",
    )


def _beyond(record: Record) -> Claim:
    errors = _errors(record, "BatchTopK")
    best = errors.argmin(axis=1)
    rise = errors[:, -1] - errors.min(axis=1)
    said = ", ".join(f"{value:.2g}" for value in errors.mean(axis=0))
    return Claim(
        "The error of BatchTopK rises beyond the number of atoms that it was trained for",
        PAPER["absorption"].cited,
        "rises",
        f"{said} with 1 to {errors.shape[1]} atoms",
        bool(limits(rise)[1] > ROUNDING and best.max() < errors.shape[1] - 1),
        "The largest latents of each sample are kept, as many as said. It counts as risen if the "
        f"smallest error comes before {errors.shape[1]} atoms in every seed (it does in "
        f"{(best < errors.shape[1] - 1).sum()} of {len(best)}) and the mean rise from there is "
        f"established; it is {text(rise, '.1e')}.",
    )
