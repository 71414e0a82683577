"""What a record of `codes-into-memory` says; nobody has published such numbers."""

from __future__ import annotations

import numpy as np

from experiments import _codes_measure as parts
from experiments._codes_figures import capacities
from experiments._framework import Claim, Record, Verdict

__all__ = ["judge"]

SOURCE = "this package"


def judge(record: Record) -> list[Claim]:
    """Judge the order of the penalties, and what explains it."""
    found = capacities(record)
    memories = [name for name in parts.makers(record.config) if name != "nearest"]
    return [
        _same_claim(record),
        _order_claim(record, found, memories),
        _random_claim(record, found, memories),
        _use_claim(record, found, memories),
        _nearest_claim(record, found),
    ]


def _listed(record: Record, found: dict, name: str) -> str:
    """Return the middle capacities of the penalties' codes; the largest load is a lower bound."""
    middle = {one: np.median(found[one, name]) for one in parts.PENALTIES}
    most = record.config.loads[-1]
    return f"{name}: " + ", ".join(
        f"{one} {'at least ' * bool(value >= most)}{value:.0f}" for one, value in middle.items()
    )


def _same_claim(record: Record) -> Claim:
    """Say how much the codes of two penalties agree."""
    l1_l0, _, l0_cel0 = record.arrays["agreement"].mean(axis=0)
    return Claim(
        "Certified l0 and CEL0 codes are the same patterns, those of l1 are not",
        SOURCE,
        None,
        f"{l0_cel0:.1%} of the active units of l0 and CEL0 agree, {l1_l0:.1%} of l0 and l1",
        bool(l0_cel0 > 0.95 > l1_l0),
        "Both by single best replacement, for CEL0 has the minimisers of l0.",
        preset="quick",
    )


def _order_claim(record: Record, found: dict, memories: list[str]) -> Claim:
    """Say whether l0 or l1 codes are held better, memory by memory."""
    wins = [bool((found["l0", name] > found["l1", name]).all()) for name in memories]
    verdict = Verdict.REPRODUCED if all(wins) else Verdict.NOT_REPRODUCED
    if any(wins) and not all(wins):
        verdict = Verdict.CAVEAT
    return Claim(
        "Every memory holds more l0 codes than l1 codes of the same images and activity",
        SOURCE,
        None,
        "; ".join(_listed(record, found, name) for name in memories),
        verdict,
        f"Patterns stored until fewer than {record.config.level:.0%} are recalled exactly from "
        f"cues that lack {record.config.missing:.0%}; in every repeat for a yes.",
        preset="quick",
    )


def _random_claim(record: Record, found: dict, memories: list[str]) -> Claim:
    """Say what structure costs."""
    best = [max(np.median(found[one, name]) for one in parts.PENALTIES) for name in memories]
    loss = [np.median(found["random", name]) / max(one, 1.0) for one, name in zip(best, memories)]
    return Claim(
        "Random codes of the same activity are held in larger numbers than any code of images",
        SOURCE,
        None,
        "; ".join(f"{name}: {one:.1f} times" for one, name in zip(loss, memories)),
        bool(min(loss) > 1.0),
        "Of the best penalty's number. What theories of capacity assume, images do not offer.",
        preset="quick",
    )


def _use_claim(record: Record, found: dict, memories: list[str]) -> Claim:
    """Say whether uneven use of the atoms explains the loss."""
    shares = []
    for name in memories:
        random, often, l0 = (
            np.median(found[one, name]) for one in ("random", "as often as l0", "l0")
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            shares.append(np.log(random / often) / np.log(random / l0))
    known = [share for share in shares if np.isfinite(share)]
    return Claim(
        "Uneven use of the atoms explains less than half of that loss; the rest is correlation",
        SOURCE,
        None,
        "; ".join(f"{name}: {share:.0%}" for share, name in zip(shares, memories)),
        bool(max(known) < 0.5) if known else Verdict.NOT_TESTED,
        "Share of the loss (of its logarithm) that random codes suffer once they use each atom as "
        "often as l0 does.",
        preset="quick",
    )


def _nearest_claim(record: Record, found: dict) -> Claim:
    """Say that the cues tell patterns apart."""
    rows = record.table.where(memory="nearest", damage="missing", load=record.config.loads[-1])
    exact = {one: rows.where(source=one)["exact"].mean() for one in parts.SOURCES}
    return Claim(
        "The cues are enough: the nearest stored pattern is the right one",
        SOURCE,
        None,
        ", ".join(f"{one} {value:.1%}" for one, value in exact.items()),
        bool(min(exact.values()) > 0.95),
        "At the largest load; so that what is lost, the memory loses.",
        preset="quick",
    )
