"""What a record of `nmda-threshold` says of the papers."""

from __future__ import annotations

import numpy as np

from experiments._framework import Claim, Record, Verdict, expected

__all__ = ["first_theta", "judge", "medians"]

PAPER = expected("ahmad_hawkins2016")
TEXT = expected("hawkins_ahmad2016")


def medians(record: Record) -> dict[int, float]:
    """Return the median false-positive probability by threshold."""
    rows = record.table.where(part="grid", quantity="median")
    return dict(zip(rows["theta"].tolist(), rows["value"].tolist()))


def first_theta(found: dict[int, float], error: float) -> int | None:
    """Return the smallest threshold from which on the median is at most `error`."""
    few = [theta for theta in sorted(found) if found[theta] <= error]
    return few[0] if few else None


def judge(record: Record) -> list[Claim]:
    """Judge the table, the window and the printed number."""
    return [_median_claim(record), *_window_claims(record), _text_claim(record)]


def _median_claim(record: Record) -> Claim:
    """Compare the medians with the figure's."""
    published, found = PAPER["fig6"], medians(record)
    pairs = [
        (theta, value, found[theta])
        for theta, value in zip(published.value["theta"], published.value["median"])
        if theta in found
    ]
    deviations = [abs(ours / theirs - 1.0) for _, theirs, ours in pairs]
    worst = pairs[int(np.argmax(deviations))][0]
    return Claim(
        "The median false-positive probability falls from 1.6e-5 at theta = 6 to 4e-28 at 20",
        published.cited,
        "; ".join(f"{theta}: {value:.3g}" for theta, value, _ in pairs),
        "; ".join(f"{theta}: {value:.3g}" for theta, _, value in pairs),
        max(deviations) <= (published.tolerance or 0.0),
        f"Deviation at most {100 * max(deviations):.2g} %, at theta = {worst}. Over "
        f"{record.arrays['false_positive'][0].size} settings, calculated.",
    )


def _window_claims(record: Record) -> list[Claim]:
    """Judge where the window begins, loosely and strictly, and what ends it."""
    published, found = PAPER["fig6_window"], medians(record)
    error = record.config.error
    first = first_theta(found, error)
    at = published.value["theta"][0]
    noise = max(record.config.noise)
    lowest = record.table.where(part="lowest theta")["theta"]
    highest = record.table.where(part="highest theta", value=noise)["theta"]
    windows = [range(low, high + 1) for low, high in zip(lowest.tolist(), highest.tolist())]
    served = sorted({theta for window in windows for theta in window})
    s = record.config.n_synapses
    return [
        Claim(
            "Thresholds of 9 to 20 make errors negligible, as do the 8 to 20 measured",
            published.cited,
            "9 to 20",
            f"median {found.get(at, float('nan')):.2g} at theta = {at}; at most {error:g} from "
            f"theta = {first} on",
            Verdict.CAVEAT if first == at + 1 else first == at,
            f"Strictly the window begins at theta = {first}: at {at} the median is twice "
            f"{error:g}. At 8 it is {found.get(8, float('nan')):.2g}.",
            preset="quick",
        ),
        Claim(
            f"Audit: with {100 * noise:g} % of a pattern moved, every threshold from {first} to "
            f"{published.value['measured'][1]} serves some segment of {min(s)} to {max(s)} "
            f"synapses",
            "not in the paper",
            None,
            f"{served[0]} to {served[-1]} serve" if served else "none serves",
            first is not None
            and set(range(first, published.value["measured"][1] + 1)) <= set(served),
            f"To serve is to miss at most {record.config.misses:g} of the damaged patterns, with "
            f"median false positives of at most {error:g}.",
            preset="quick",
        ),
    ]


def _text_claim(record: Record) -> Claim:
    """Show the slip in the printed number."""
    published = TEXT["false_positive_text"]
    exact = float(record.table.where(part="text", quantity="exact")["value"][0])
    return Claim(
        "With theta = 10 and s = 20, n = 200,000 and a = 2,000 give 1.6e-18",
        published.cited,
        published.value["printed"],
        exact,
        bool(abs(exact / published.value["printed"] - 1.0) < 0.05),
        f"A slip of the paper's: its own formula, in whole numbers, gives {exact:.3g}, a thousand "
        f"times as much. Segments with theta = 12 and s = 24 have 2.3e-18.",
        preset="smoke",
    )
