"""What a record of `top-k-transformer` says of table 1 of Li et al. 2022."""

from __future__ import annotations

import numpy as np

from experiments._framework import Claim, Record, Verdict, expected
from experiments._lazy_networks import limits, text
from experiments._top_k_transformer_measure import CORRUPTIONS, values

__all__ = ["NAMES", "NOISE", "PAPER", "difference", "judge"]

PAPER = expected("li2022")
SMALL = "Small ViTs on digits, not ViT-B/16 on ImageNet-1k: directions, not values, are compared."
#: Label noise and the keys of its published values.
NOISE = {0.4: "noise_40", 0.8: "noise_80"}
#: How noise in the images is written.
NAMES = {"gaussian": "Gaussian", "impulse": "impulse", "shot": "shot"}


def judge(record: Record) -> list[Claim]:
    """Judge what must hold, and each column of table 1 by paired differences."""
    return [
        _same(record),
        _at_most(record),
        _clean(record),
        *(_noise(record, share) for share in NOISE),
        *(
            _better(record, f"Top-k loses less to {NAMES[kind]} noise in the images", kind, kind, 1)
            for kind in CORRUPTIONS
        ),
        _better(
            record, "Top-k is better calibrated: its expected calibration error is lower",
            "calibration", "calibration", -1,
        ),
        _memorised(record),
        *_absent(),
    ]  # fmt: skip


def difference(record: Record, measure: str, k: int, share: float = 0.0) -> np.ndarray:
    """Return top-k less dense, of every seed."""
    return values(record, measure, k, share) - values(record, measure, record.config.d_ff, share)


def _others(record: Record, measure: str, share: float = 0.0) -> str:
    """Say the differences of the other k, of which no verdict depends."""
    said = ", ".join(
        f"k = {k} {text(difference(record, measure, k, share))}"
        for k in record.config.ks
        if k not in (record.config.k, record.config.d_ff)
    )
    return f" Other k: {said}." if said else ""


def _published(key: str) -> str:
    found = PAPER[key].value
    return f"{found['top-k']:.2f} (top-128), {found['dense']:.2f} (dense)"


def _measured(record: Record, measure: str, share: float = 0.0) -> str:
    k, dense = (
        values(record, measure, one, share).mean() for one in (record.config.k, record.config.d_ff)
    )
    paired = text(difference(record, measure, record.config.k, share))
    return f"{k:.2f} (top-{record.config.k}), {dense:.2f} (dense); {paired}"


def _note(record: Record, measure: str, share: float = 0.0) -> str:
    config = record.config
    return (
        f"{SMALL} k = {config.k} of {config.d_ff} is the share nearest to the paper's 128 of 3072. "
        f"Paired over {config.n_seeds} seeds, each with another {config.n_test} held-out images; "
        f"splits overlap, which makes limits somewhat too narrow."
        f"{_others(record, measure, share)}"
    )


def _same(record: Record) -> Claim:
    found = float(record.arrays["same"])
    return Claim(
        "With k = d_ff the network is the dense one, trained and tested",
        f"{PAPER.paper}, definition of the Top-k transformer",
        "equal",
        f"logits differ by at most {found:g}",
        found == 0.0,
        "Equal bits, after training of both.",
        "smoke",
    )


def _at_most(record: Record) -> Claim:
    ks = record.config.ks
    most = {
        k: max(values(record, "most_active", k, share).max() for share in record.config.label_noise)
        for k in ks
    }
    return Claim(
        "No token has more than k active units",
        f"{PAPER.paper}, definition of the Top-k transformer",
        "at most k",
        ", ".join(
            f"k = {k}: {most[k]:.0f}, mean {values(record, 'nonzero', k).mean():.1f} %" for k in ks
        ),
        all(most[k] <= k for k in ks),
        "",
        "smoke",
    )


def _clean(record: Record) -> Claim:
    """Judge whether top-k loses no more than the published drop."""
    _, low, high = limits(difference(record, "accuracy", record.config.k))
    margin = PAPER["drop"].value
    verdict: Verdict | bool = Verdict.CAVEAT if low > -margin else False
    wide = f"The limits exclude a loss of {margin:g} points, the published one."
    if low <= -margin <= high:
        verdict = Verdict.NOT_TESTED
        wide = f"The limits hold a loss of {margin:g} points, the published one: too few seeds."
    elif not verdict:
        wide = f"The loss is above {margin:g} points, the published one."
    return Claim(
        "Top-k is as accurate as dense on clean data",
        PAPER["clean"].cited,
        _published("clean"),
        _measured(record, "accuracy"),
        verdict,
        f"{wide} {_note(record, 'accuracy')}",
        "paper",
    )


def _noise(record: Record, share: float) -> Claim:
    statement = f"Top-k loses less to {100 * share:.0f} % label noise"
    key = NOISE[share]
    if share not in record.config.label_noise:
        return Claim(
            statement, PAPER[key].cited, _published(key), None, Verdict.NOT_TESTED,
            "This label noise is not in the config.", "paper",
        )  # fmt: skip
    return _better(record, statement, "accuracy", key, 1, share)


def _better(
    record: Record, statement: str, measure: str, key: str, sign: int, share: float = 0.0
) -> Claim:
    """Judge the sign of a paired difference, and of what noise takes from clean accuracy."""
    k = record.config.k
    found = difference(record, measure, k, share)
    better = limits(sign * found)[1] > 0.0
    lost = ""
    if measure != "calibration":
        kept = found - difference(record, "accuracy", k)
        better = better and limits(kept)[1] > 0.0
        lost = (
            "Held to two differences, of accuracy with noise and of what noise takes from clean "
            f"accuracy; the second is {text(kept)}. "
        )
    return Claim(
        statement,
        PAPER[key].cited,
        _published(key),
        _measured(record, measure, share),
        Verdict.CAVEAT if better else False,
        f"{lost}{_note(record, measure, share)}",
        "paper",
    )


def _memorised(record: Record) -> Claim:
    share = max(record.config.label_noise)
    return Claim(
        "Top-k memorises fewer wrong labels",
        "hypothesis of this project",
        "a difference below 0",
        _measured(record, "train_accuracy", share),
        bool(limits(difference(record, "train_accuracy", record.config.k, share))[2] < 0.0),
        f"Accuracy in per cent on the labels that were given, {100 * share:.0f} % of them drawn "
        "anew.",
        "paper",
    )


def _absent() -> list[Claim]:
    speed = PAPER["speed"]
    return [
        Claim("A Top-128 ViT-B/16 has these accuracies on ImageNet-1k", PAPER["clean"].cited,
              _published("clean"), None, Verdict.NOT_TESTED,
              "Not reproduced offline: ImageNet and a network of that size are needed.", "smoke"),
        Claim("Top-k makes decoding faster", speed.cited, speed.value, None, Verdict.NOT_TESTED,
              "Not reproduced offline: T5-11B and a TPU are needed.", "smoke"),
    ]  # fmt: skip
