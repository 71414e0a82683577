"""What a record of `scalar-sdr` says of Ahmad and Scheinkman 2019."""

from __future__ import annotations

import numpy as np

from experiments._framework import Claim, Record, Table, Verdict, expected

__all__ = ["judge"]

PAPER = expected("scalar2019")
#: Standard errors within which two estimates are the same: with a dozen points, one run in a
#: thousand has one further apart by chance.
SIGMAS = 4.0
#: Relative standard error granted to the published estimates, whose weight vectors were few.
PUBLISHED_ERROR = 0.025


def judge(record: Record) -> list[Claim]:
    """Judge theory, table, flatness and scale."""
    return [
        _theory_claim(record),
        _table_claim(record),
        _dense_claim(record),
        _scale_claim(record),
        _falling_claim(record),
    ]


def _theory_claim(record: Record) -> Claim:
    """Compare simulation with theory at every point."""
    table = record.table
    spread = np.hypot(_simulated_error(record), table["theory_error"])
    apart = np.abs(table["simulated"] - table["theory"]) / spread
    return Claim(
        "Exact overlaps and simulated inner products give the match probability",
        "formula of the scalar version",
        None,
        f"{table.n_rows} points at most {apart.max():.1f} standard errors from simulation",
        bool(apart.max() <= SIGMAS),
        "Inputs and weight vectors of the simulation are all drawn anew, unit by unit.",
        preset="quick",
    )


def _simulated_error(record: Record) -> np.ndarray:
    """Return the simulation's standard errors, at least those that theory expects of counts."""
    config, table = record.config, record.table
    n_pairs = config.n_inputs * config.n_segments
    return np.maximum(table["simulated_error"], np.sqrt(table["theory"] / n_pairs))


def _pairs(record: Record) -> list[tuple[str, float, float, float]]:
    """Return label, published and measured number, and the latter's error, of the first table."""
    published, pairs = PAPER["fig2_by_n"].value, []
    for a, row in zip(published["a"], published["false_positive"]):
        for n, value in zip(published["n"], row):
            found = record.table.where(label=str(a), n=n, scale=1.0)
            if found.n_rows:
                pairs.append((f"a={a}, n={n}", value, *_best(found)))
    return pairs


def _best(found: Table) -> tuple[float, float]:
    """Return the theory's number and its error, which is the smaller one."""
    return float(found["theory"][0]), float(found["theory_error"][0])


def _close(published: float, found: float, error: float, n_pairs: float = 1.2e7) -> bool:
    """Say whether a published count of random pairs agrees with a number and its error."""
    sampling = np.sqrt(found / n_pairs)
    spread = np.sqrt(error**2 + sampling**2 + (PUBLISHED_ERROR * found) ** 2)
    return bool(abs(published - found) <= SIGMAS * spread)


def _table_claim(record: Record) -> Claim:
    """Compare the table over n."""
    pairs = _pairs(record)
    return Claim(
        "Matches of a = 64 fall from 3.7e-3 at n = 250 to 1.5e-6 at 2,000, of a = 256 from 0.076 "
        "to 3.3e-4",
        PAPER["fig2_by_n"].cited,
        "; ".join(f"{label}: {value:.3g}" for label, value, *_ in pairs),
        "; ".join(f"{label}: {found:.3g}" for label, _, found, _ in pairs),
        all(_close(value, found, error) for _, value, found, error in pairs),
        "Up to sampling: theirs is a Monte Carlo too. Of n = 250 units, 256 cannot be active; "
        "with all of them active the published number comes out.",
        preset="quick",
    )


def _dense_claim(record: Record) -> Claim:
    """Judge that dense inputs gain nothing from more units."""
    rows = record.table.where(label="n/2")
    published = PAPER["fig2_dense"]
    values = rows["theory"]
    deviation = np.abs(values / published.value["false_positive"] - 1.0)
    noise = SIGMAS * rows["theory_error"] / values
    return Claim(
        "With a = n/2 the match probability does not fall with n",
        published.cited,
        published.value["false_positive"],
        f"{values.min():.3g} to {values.max():.3g}",
        bool((deviation <= (published.tolerance or 0.0) + noise).all()),
        "A true n/2 here, unlike the dashed curve of Ahmad and Hawkins 2016, Fig. 5A.",
        preset="quick",
    )


def _scale_claim(record: Record) -> Claim:
    """Compare the table over scales."""
    published = PAPER["fig2_by_scale"]
    a, n = published.value["a"], published.value["n"]
    pairs = []
    for scale, value in zip(published.value["scale"], published.value["false_positive"]):
        found = record.table.where(label=str(a), n=n, scale=float(scale))
        if found.n_rows:
            pairs.append((f"S={scale:g}", value, *_best(found)))
    return Claim(
        "Larger inputs match more: 1.9e-5, 7.2e-3 and 0.079 at scales 1, 2 and 4",
        published.cited,
        "; ".join(f"{label}: {value:.3g}" for label, value, *_ in pairs),
        "; ".join(f"{label}: {found:.3g}" for label, _, found, _ in pairs),
        all(_close(value, found, error) for _, value, found, error in pairs)
        if pairs
        else Verdict.NOT_TESTED,
        "Up to sampling. The threshold stays at half of the expected w.w, so that scale and "
        "threshold must go together.",
        preset="quick",
    )


def _falling_claim(record: Record) -> Claim:
    """Judge that a larger population helps sparse inputs."""
    table = record.table
    falls = []
    for label in sorted(set(table["label"].tolist()) - {"n/2"}):
        rows = table.where(label=label, scale=1.0)
        values = rows["theory"][np.argsort(rows["n"])]
        falls.append(values[-1] / values[0])
    return Claim(
        "For sparse inputs the match probability falls steeply with n",
        PAPER["fig2_by_n"].cited,
        "falls",
        f"by factors of {min(1 / fall for fall in falls):.3g} to "
        f"{max(1 / fall for fall in falls):.3g}",
        max(falls) < 0.1,
        preset="quick",
    )
