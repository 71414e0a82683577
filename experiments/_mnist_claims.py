"""What a record of `sparsey-mnist` says of the published results."""

from __future__ import annotations

import numpy as np
from scipy import stats

from experiments._framework import Claim, Record, Verdict, expected
from experiments._mnist_measure import METHODS, TIMES, shares

__all__ = ["judge"]

PAPER = expected("rinkus_mnist")
PROJECT = "hypothesis of this project"
#: Largest ratio of the time of the last items to that of earlier ones that counts as constant.
CONSTANT = 1.15
#: Loss of share, from the published count to the largest, that still is slow.
SLOW = 0.05


def judge(record: Record) -> list[Claim]:
    """Judge the share, its course, its comparisons and its cost."""
    return [
        _share_claim(record),
        _more_claim(record),
        *(_comparison(record, *one) for one in COMPARISONS),
        _time_claim(record),
        _constant_claim(record),
    ]


def _limits(values: np.ndarray) -> tuple[float, float, float]:
    """Return the mean and its limits of 95 %, after Student."""
    half = stats.t.ppf(0.975, values.size - 1) * values.std(ddof=1) / np.sqrt(values.size)
    mean = float(values.mean())
    return mean, mean - float(half), mean + float(half)


def _text(values: np.ndarray) -> str:
    mean, low, high = _limits(values)
    return f"{mean:.1%} ({low:.1%} to {high:.1%})"


def _setting(record: Record) -> str:
    config = record.config
    if config.data == "digits":
        return "scikit-learn's digits, not MNIST: "
    return (
        f"{config.reported[1] - config.reported[0]:,} digits held out, "
        f"{config.n_repeats} draws of those to learn from: "
    )


def _share_claim(record: Record) -> Claim:
    found = shares(record, "sparsey", record.config.n_per_class)
    published = PAPER["accuracy"].value
    verdict: bool | Verdict = _limits(found)[2] >= published
    if record.config.data != "mnist":
        verdict = Verdict.NOT_TESTED
    return Claim(
        "With 200 digits of each class, each seen once, Sparsey recognises 91 % of others",
        PAPER["accuracy"].cited,
        f"{published:.0%}",
        _setting(record) + "; ".join(
            f"{text} {_text(shares(record, name, record.config.n_per_class))}"
            for name, text in METHODS.items()
        ),
        verdict,
        "Macs, receptive fields and sigmoid of the published run are not known; those here were "
        "chosen among some sixty on digits that are not reported.",
    )  # fmt: skip


def _more_claim(record: Record) -> Claim:
    config = record.config
    base, most = config.n_per_class, max(config.counts)
    lost = shares(record, "sparsey", base) - shares(record, "sparsey", most)
    mean, low, high = _limits(lost)
    note = ""
    if most == base:
        verdict: bool | Verdict = Verdict.NOT_TESTED
        note = "No larger count was measured."
    elif low <= 0.0:
        verdict = Verdict.CAVEAT if high <= SLOW else False
        note = "No fall is seen here beyond what chance may give."
    else:
        verdict = mean <= SLOW
    return Claim(
        "With more digits of each class the share falls, slowly",
        PAPER["more"].cited,
        "falls slowly up to 700",
        f"from {base} to {most} of each class it changes by {-mean:+.1%} ({-high:+.1%} to "
        f"{-low:+.1%})",
        verdict,
        note,
    )


#: What is compared at the published count: text, the better one, the other.
COMPARISONS = (
    ("Codes chosen by familiarity are recognised better than codes drawn by chance", "sparsey",
     "by chance"),
    ("A sheet of macs recognises more than one mac", "sparsey", "one mac"),
    ("Sparsey, seeing each digit once, beats a linear classifier of the same thinned pixels",
     "sparsey", "thinned, linear"),
    ("Sparsey beats the nearest neighbour among the same thinned pixels", "sparsey",
     "thinned, nearest"),
    ("Sparsey beats the nearest neighbour among grey pixels", "sparsey", "greys, nearest"),
)  # fmt: skip


def _comparison(record: Record, text: str, better: str, other: str) -> Claim:
    """Judge a difference of paired shares by its limits."""
    count = record.config.n_per_class
    gain = shares(record, better, count) - shares(record, other, count)
    mean, low, high = _limits(gain)
    return Claim(
        text,
        PROJECT,
        "a difference above 0",
        f"{mean:+.1%} ({low:+.1%} to {high:+.1%})",
        low > 0.0,
        preset="quick",
    )


def _time_claim(record: Record) -> Claim:
    n = 10 * record.config.n_per_class
    took = float(np.median(record.arrays[TIMES].mean(axis=1)) * n)
    return Claim(
        "2,000 digits are learned in less than the published time",
        PAPER["seconds"].cited,
        f"{PAPER['seconds'].value} s",
        f"{took:.1f} s for {n:,} digits, one thread",
        took < PAPER["seconds"].value if n == 2_000 else Verdict.NOT_TESTED,
        "On another machine, with a network of another size.",
    )


def _constant_claim(record: Record) -> Claim:
    """Judge that items cost the same whatever is stored: medians of the second half and the last.

    Until the weights of a unit freeze items change them, which costs more.
    """
    seconds = record.arrays[TIMES]
    n = seconds.shape[1]
    late, last = seconds[:, n // 2 : 3 * n // 4], seconds[:, 3 * n // 4 :]
    ratio = float(np.median(last) / np.median(late))
    first = float(np.median(seconds[:, : max(n // 4, 1)]) / np.median(late))
    return Claim(
        "The time of an item does not grow with the number stored",
        PAPER["seconds"].cited,
        f"constant: a ratio of at most {CONSTANT}",
        f"last quarter of items over the third {ratio:.2f}, first over the third {first:.2f}",
        ratio <= CONSTANT,
        "Medians of every ten items, macs and class field together. Operations of one mac are "
        "counted, and constant, in the benchmark `memory-speed`.",
        preset="quick",
    )
