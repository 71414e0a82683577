"""What a record of `sparsey-sequences` says of the capacity studies and the demonstration.

No numbers of their tables are known: claims are their statements, and the measures are ours.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._framework import Claim, Record, Verdict, expected

__all__ = ["judge"]

PAPER = expected("rinkus_sequences")
#: Share of right winners that counts as recall or recognition: the thesis' criterion.
RIGHT = PAPER["criterion"].value
#: Standard errors of a difference that counts as one: 99.9 % of the time.
SIGMAS = 3.29
#: Share of macs of which the demonstration's "perfect" is taken to speak.
PERFECT = 0.95


def judge(record: Record) -> list[Claim]:
    """Judge all studies."""
    return [
        _weights_claim(record),
        _demonstration_claim(record),
        _first_claim(record),
        _capacity_claim(record),
        _noise_claim(record, "moved-1", "one pixel"),
        _noise_claim(record, "moved-2", "two pixels"),
        _context_claim(record),
        _recovery_claim(record),
        _edges_claim(record, "first"),
        _edges_claim(record, "moved-1"),
        _warp_claim(record, "skipped", "every second frame left out"),
        _warp_claim(record, "doubled", "every frame shown twice"),
    ]


def _value(record: Record, data: str, rule: str, mode: str, quantity: str = "winners") -> float:
    """Return a mean at low load."""
    rows = record.table.where(
        data=data, rule=rule, load=record.config.low_load, mode=mode, quantity=quantity
    )
    return float(rows["value"][0])


def _verdict(passed: dict[str, bool]) -> tuple[Any, str]:
    """Say whether all rules pass, some, or none; with a note of those that do not."""
    failing = [rule for rule, good in passed.items() if not good]
    if not failing or len(failing) == len(passed):
        return not failing, ""
    return Verdict.CAVEAT, f" Not with the rule {' or '.join(failing)}."


def _texts(values: dict[str, float]) -> str:
    return "; ".join(f"{rule}: {value:.3f}" for rule, value in values.items())


def _weights_claim(record: Record) -> Claim:
    config, setting = record.config, PAPER["setting"].value
    found = int(record.table.where(quantity="weights")["value"][0])
    same = all(getattr(config, name) == setting[name] for name in ("side", "n_modules", "n_units"))
    return Claim(
        "A mac of 9 modules of 16 units over 12 x 12 inputs has 39,168 weights",
        PAPER["weights"].cited,
        PAPER["weights"].value,
        found,
        found == PAPER["weights"].value if same else Verdict.NOT_TESTED,
        "U wires from every input, and H wires that leave out the own module.",
        preset="smoke",
    )


def _demonstration_claim(record: Record) -> Claim:
    rows = record.table.where(data="demonstration")
    share = {name: float(rows.where(quantity=name)["value"][0]) for name in ("exact", "pixels")}
    return Claim(
        "A sequence of 13 frames, presented once, is recalled perfectly from its first frame",
        PAPER["demonstration"].cited,
        f"perfect; here in at least {PERFECT:.0%} of macs",
        f"all codes in {share['exact']:.1%}, and all pixels in {share['pixels']:.1%} of "
        f"{int(rows['n_nets'][0])} macs",
        min(share.values()) >= PERFECT,
        "The source shows one sequence; each mac here has a sequence and draws of its own.",
        preset="quick",
    )


def _first_claim(record: Record) -> Claim:
    rules, load = record.config.rules, record.config.low_load
    winners = {rule: _value(record, "random", rule, "first") for rule in rules}
    exact = {rule: _value(record, "random", rule, "first", "exact") for rule in rules}
    verdict, note = _verdict({rule: value >= RIGHT for rule, value in winners.items()})
    return Claim(
        "At low load sequences of random frames are recalled from their first frame",
        PAPER["exact"].cited,
        f"at least {RIGHT:.0%} of winners",
        f"winners {_texts(winners)}; sequences without an error {_texts(exact)}",
        verdict,
        f"{load} sequences stored. The sigmoid of the studies is not known." + note,
        preset="quick",
    )


def _capacities(record: Record, data: str) -> dict[str, int]:
    """Return the largest load, with all smaller ones, at which enough winners are right."""
    found = {}
    for rule in record.config.rules:
        rows = record.table.where(data=data, rule=rule, mode="first", quantity="winners")
        order = np.argsort(rows["load"])
        good = np.cumprod(rows["value"][order] >= RIGHT).astype(bool)
        found[rule] = int(rows["load"][order][good][-1]) if good.any() else 0
    return found


def _capacity_claim(record: Record) -> Claim:
    """Judge that codes by similarity cost capacity for frames that have nothing in common."""
    found = _capacities(record, "random")
    drawn = {rule: load for rule, load in found.items() if rule != "random"}
    tested = "random" in found and bool(drawn)
    return Claim(
        "Drawing codes by familiarity holds no more random sequences than drawing them by chance",
        "hypothesis of this project",
        None,
        "; ".join(f"{rule}: {load}" for rule, load in found.items())
        + f" sequences with at least {RIGHT:.0%} of winners right",
        max(drawn.values()) <= found["random"] if tested else Verdict.NOT_TESTED,
        "Random frames are alike by chance only, so that what similar codes share is of no use; "
        "the loads tried are coarse.",
        preset="quick",
    )


def _noise_claim(record: Record, mode: str, text: str) -> Claim:
    rules = record.config.rules
    winners = {rule: _value(record, "random", rule, mode) for rule in rules}
    verdict, note = _verdict({rule: value >= RIGHT for rule, value in winners.items()})
    return Claim(
        f"With {text} moved in every frame ({PAPER['noise'].value[text]} noise), sequences get the "
        "codes of the originals",
        PAPER["noise"].cited,
        f"recognised: at least {RIGHT:.0%} of winners",
        _texts(winners),
        verdict,
        f"{record.config.low_load} sequences of random frames stored." + note,
        preset="quick",
    )


def _gain(record: Record, rule: str, mode: str, later: slice) -> tuple[float, float, float]:
    """Return winners at the first frame and later ones, and the difference in standard errors."""
    config = record.config
    frames = record.arrays[f"frames-{mode}-{rule}-{config.low_load}"]
    first, after = frames[:, 0], frames[:, later].mean(axis=1, dtype=float)
    gain = after - first
    error = gain.std(ddof=1) / np.sqrt(gain.size)
    return float(first.mean()), float(after.mean()), float(gain.mean() / error) if error else 0.0


def _gain_claim(record: Record, mode: str, later: slice, text: str, note: str) -> Claim:
    """Judge that frames later on have more right winners than the first.

    At low load errors are rare, so that only the paper's preset has macs enough to tell.
    """
    found = {rule: _gain(record, rule, mode, later) for rule in record.config.rules}
    tested = {rule: one for rule, one in found.items() if one[0] < 1.0}
    verdict, but = _verdict({rule: one[2] > SIGMAS for rule, one in tested.items()})
    return Claim(
        text,
        PAPER["noise"].cited,
        "errors correct themselves",
        "; ".join(
            f"{rule}: {first:.4f}, then {after:.4f} ({gain:+.1f} standard errors)"
            for rule, (first, after, gain) in found.items()
        ),
        verdict if tested else Verdict.NOT_TESTED,
        note + ("" if tested else " No first frame had an error.") + but,
        preset="paper",
    )  # fmt: skip


def _context_claim(record: Record) -> Claim:
    return _gain_claim(
        record, "moved-2", slice(1, None),
        "With two pixels moved in every frame, frames in context have fewer wrong winners than "
        "the first, which has none",
        "Winners right at the first frame, and on the mean of all others, at low load; net by net.",
    )  # fmt: skip


def _recovery_claim(record: Record) -> Claim:
    return _gain_claim(
        record, "first-moved-2", slice(-1, None),
        "Recall from a first frame with two pixels moved ends with fewer wrong winners than it "
        "began with",
        "Winners right at the first and at the last frame, at low load; net by net. After the "
        "first frame nothing is shown.",
    )  # fmt: skip


def _edges_claim(record: Record, mode: str) -> Claim:
    rules, load = record.config.rules, record.config.low_load
    winners = {rule: _value(record, "edges", rule, mode) for rule in rules}
    verdict, note = _verdict({rule: value >= RIGHT for rule, value in winners.items()})
    found = record.table.where(data="edges", load=load, quantity="distinct")
    without = _texts(dict(zip(found["rule"].tolist(), found["value"].tolist(), strict=True)))
    if mode == "first":
        note = f" Without sequences that show a frame twice in a row: {without}." + note
    texts = {
        "first": "At low load sequences of natural edges are recalled from their first frame",
        "moved-1": "Sequences of natural edges with one pixel moved in every frame get the codes "
        "of the originals",
    }
    return Claim(
        texts[mode],
        PAPER["edges"].cited,
        f"at least {RIGHT:.0%} of winners",
        _texts(winners),
        verdict,
        f"{load} sequences stored: edges of photographs in a window that moves, 9 to 24 pixels, "
        "not the video of the study." + note,
        preset="quick",
    )


def _warp_claim(record: Record, mode: str, text: str) -> Claim:
    rules = record.config.rules
    plain = {rule: _value(record, "random", rule, mode) for rule in rules}
    back = {rule: _value(record, "random", rule, f"{mode}, back-off") for rule in rules}
    verdict, note = _verdict({rule: value >= RIGHT for rule, value in back.items()})
    return Claim(
        f"With {text}, back-off finds the codes of the frames shown",
        PAPER["warp"].cited,
        f"at least {RIGHT:.0%} of winners",
        f"{_texts(back)}; without back-off {_texts(plain)}",
        verdict,
        f"{record.config.low_load} sequences of random frames stored; back-off where G is below "
        f"{record.config.backoff_threshold:g}." + note,
        preset="quick",
    )
