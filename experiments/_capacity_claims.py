"""What a record of `memory-capacity` says of theory, and of the memories side by side."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from experiments import _capacity_measure as parts
from experiments._framework import Claim, Record, Verdict
from memory import theory

__all__ = ["crossing", "judge"]

#: Standard errors within which a rate is that of the theory.
SIGMAS = 3.5


def judge(record: Record) -> list[Claim]:
    """Judge each theory, then the order of the memories."""
    return [
        _willshaw_claim(record),
        _limit_claim(record),
        _hopfield_claim(record),
        _fifty_claim(record),
        _sparse_claim(record),
        _kanerva_claim(record),
        _bytes_claim(record),
        _images_claim(record),
    ]


def _error(measured: np.ndarray) -> np.ndarray:
    return measured.std(axis=-1, ddof=1) / np.sqrt(measured.shape[-1])


def _willshaw_claim(record: Record) -> Claim:
    measured, exact = record.arrays["willshaw_measured"], record.arrays["willshaw_exact"]
    apart = np.abs(measured.mean(axis=-1) - exact) / np.maximum(_error(measured), 1e-12)
    listed = zip(record.config.willshaw_loads, measured.mean(axis=-1), exact)
    return Claim(
        "A Willshaw memory has as many spurious units as the exact formula says",
        "inclusion and exclusion; see memory.theory",
        "; ".join(f"M={load:,}: {theirs:.3g}" for load, _, theirs in listed),
        "; ".join(f"{one:.3g} ± {error:.1g}" for one, error in
                  zip(measured.mean(axis=-1), _error(measured))),
        bool((apart <= SIGMAS).all()),
        f"Per pattern; at most {apart.max():.1f} standard errors apart.",
        preset="quick",
    )  # fmt: skip


def _limit_claim(record: Record) -> Claim:
    exact, limit = record.arrays["willshaw_exact"], record.arrays["willshaw_limit"]
    return Claim(
        "The power of the load, p1^z, gives the number of spurious units",
        "Willshaw et al. 1969; Palm 1980",
        "; ".join(f"{one:.3g}" for one in limit),
        "; ".join(f"{one:.3g}" for one in record.arrays["willshaw_measured"].mean(axis=-1)),
        bool((np.abs(limit / exact - 1.0) < 0.05).all()),
        f"The limit is {(1 - limit / exact).max():.0%} too low at most, at "
        f"{record.config.willshaw_units:,} units.",
        preset="quick",
    )


def _hopfield_claim(record: Record) -> Claim:
    loads = np.array(record.config.hopfield_loads)
    low = loads <= 0.12
    overlaps = record.arrays["hopfield"][:, :, :, 0].mean(axis=1)
    theirs = theory.hopfield_overlap(loads[low])
    return Claim(
        "A Hopfield network keeps m > 0.95 up to 0.12 patterns a unit",
        "Amit, Gutfreund & Sompolinsky 1987",
        "; ".join(f"alpha={a:g}: {one:.3f}" for a, one in zip(loads[low], np.atleast_1d(theirs))),
        "; ".join(f"N={n:,}: " + ", ".join(f"{one:.3f}" for one in row)
                  for n, row in zip(record.config.hopfield_units, overlaps[:, low])),
        bool((overlaps[-1, low] > 0.95).all()),
        "Asynchronous, from the pattern; the largest network decides.",
        preset="quick",
    )  # fmt: skip


def crossing(loads: np.ndarray, shares: np.ndarray, level: float = 0.5) -> float:
    """Return where a falling share crosses a level, on straight lines; NaN if it does not."""
    for (a, one), (b, other) in pairwise(zip(loads, shares)):
        if one >= level > other:
            return float(a + (b - a) * (one - level) / (one - other))
    return np.nan


def _fifty_claim(record: Record) -> Claim:
    loads = np.array(record.config.hopfield_loads)
    shares = record.arrays["hopfield"][:, :, :, 1].mean(axis=1)
    at = [crossing(loads, row) for row in shares]
    falls = all(b < a for a, b in pairwise(at)) if len(at) > 1 else None
    return Claim(
        "Half of the patterns are lost at a load that falls towards 0.138 as networks grow",
        "Amit, Gutfreund & Sompolinsky 1987",
        "0.138 for infinitely many units",
        "; ".join(f"N={n:,}: {one:.3f}" for n, one in zip(record.config.hopfield_units, at)),
        Verdict.NOT_TESTED if falls is None else bool(falls and min(at) > 0.138),
        "Lost: an overlap below 0.9.",
        preset="quick",
    )


def _sparse_claim(record: Record) -> Claim:
    densities = np.array(record.config.sparse_densities)
    measured = record.arrays["sparse"]
    limit = theory.sparse_hopfield_capacity(densities)
    over = limit / np.maximum(measured[:, 0], 1e-9)
    return Claim(
        "Sparse attractor networks hold more than 0.138 patterns a unit, and ever more",
        "Tsodyks & Feigelman 1988",
        "; ".join(f"f={f:g}: {one:.2g}" for f, one in zip(densities, np.atleast_1d(limit))),
        "; ".join(f"{one:.2g} ({low:.2g} to {high:.2g})" for one, low, high in measured),
        bool((measured[:, 0] > 0.138).all() and (np.diff(measured[:, 0]) > 0).all()),
        f"A twentieth of the active units missing; the limit for small f promises "
        f"{over.min():.1f} to {over.max():.1f} times as much as {record.config.sparse_units:,} "
        "units hold.",
        preset="quick",
    )


def _kanerva_claim(record: Record) -> Claim:
    measured, theirs = record.arrays["kanerva_measured"], record.arrays["kanerva_theory"]
    mean, error = measured.mean(axis=-1), _error(measured)
    apart = np.abs(mean - theirs) / np.maximum(error, 1e-12)
    close = np.abs(mean / theirs - 1.0) < 0.1
    verdict = Verdict.REPRODUCED if (apart <= SIGMAS).all() else Verdict.NOT_REPRODUCED
    if verdict is Verdict.NOT_REPRODUCED and close.all():
        verdict = Verdict.CAVEAT
    return Claim(
        "A sparse distributed memory errs in as many bits as the noise of shared locations says",
        "two-circle probability; see memory.theory",
        "; ".join(f"T={load:,}: {one:.3g}" for load, one in zip(record.config.word_loads, theirs)),
        "; ".join(f"{one:.3g} ± {each:.1g}" for one, each in zip(mean, error)),
        verdict,
        f"{record.config.words} bits, {record.config.n_locations:,} locations, random targets; at "
        f"most {np.abs(mean / theirs - 1).max():.0%} and {apart.max():.1f} standard errors apart.",
        preset="quick",
    )


def best(record: Record, kind: str, column: str) -> dict[str, float]:
    """Return the most of a column that each memory reaches at any load, with errors of 1 %."""
    found = {}
    for name in parts.makers(record.config, kind):
        rows = record.table.where(kind=kind, memory=name)
        good = rows["exact"] >= 0.9
        found[name] = float(rows[column][good].max()) if good.any() else 0.0
    return found


def _bytes_claim(record: Record) -> Claim:
    found = best(record, "random", "bits_per_byte")
    del found["nearest"]
    return Claim(
        "Per byte, the Willshaw memory keeps most of random sparse patterns",
        "this package",
        None,
        "; ".join(f"{name} {value:.3g}" for name, value in found.items()),
        bool(max(found, key=lambda name: found[name]) == "Willshaw"),
        "Bits a byte at the best load at which nine in ten are recalled exactly. Not counted: the "
        "nearest-pattern oracle, which keeps the patterns themselves.",
        preset="quick",
    )


def _images_claim(record: Record) -> Claim:
    random, images = (best(record, kind, "load") for kind in ("random", "images"))
    worse = {name: images[name] < random[name] for name in random if name != "nearest"}
    return Claim(
        "Every memory holds fewer codes of images than random ones",
        "this package",
        None,
        "; ".join(f"{name}: {images[name]:.0f} and {random[name]:.0f}" for name in worse),
        all(worse.values()),
        "Largest tried load at which nine in ten are recalled exactly: certified l0 codes, and "
        "random ones of as many units. The experiment `codes-into-memory` asks why.",
        preset="quick",
    )
