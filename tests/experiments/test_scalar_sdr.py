"""Units drawn without replacement, and claims that fail when they should."""

import dataclasses
from math import comb

import numpy as np
import pytest

from experiments._framework import Table, Verdict
from experiments._scalar_claims import judge
from experiments._scalar_measure import Point, distinct_units, points, simulate
from experiments.scalar_sdr import scalar_sdr


@pytest.fixture(scope="module")
def record():
    """Give a record of the paper's points with a thousandth of its comparisons."""
    config = scalar_sdr.config(n_inputs=30, n_segments=400, n_draws=60_000)
    return scalar_sdr.run(config, seed=1)


def changed(record, factor, column="theory", **where):
    """Return the record with some numbers multiplied."""
    table = dict(record.table)
    keep = np.all([table[name] == value for name, value in where.items()], axis=0)
    table[column] = np.where(keep, table[column] * factor, table[column])
    return dataclasses.replace(record, table=Table(table))


def verdicts(record):
    return [claim.verdict for claim in judge(record)]


def test_units_are_distinct_and_every_set_equally_likely():
    units = np.sort(distinct_units(60_000, 6, 3, np.random.default_rng(0)), axis=0)
    assert (np.diff(units, axis=0) > 0).all()
    counts = np.unique(units, axis=1, return_counts=True)[1]
    assert counts.size == comb(6, 3)
    chi_squared = np.sum((counts - 3000) ** 2 / 3000)
    assert chi_squared < 43.8  # 99.9 % of 19 degrees of freedom


def test_a_simulation_counts_matches():
    config = scalar_sdr.config(n_weights=1, sizes=(5,), scaled_size=5, n_inputs=50, n_segments=200)
    rates = simulate(config, np.random.default_rng(0), Point("5", 5, 5, 1.0))
    # one weight w on [-1, 1], x on [0, 2]: P(w x >= 1/6) = (1 - (1 + log 12) / 12) / 2
    assert abs(rates.mean() - 0.3548) < 4 * rates.std() / np.sqrt(50)


def test_points_are_unique_and_no_more_units_are_active_than_there_are():
    found = points(scalar_sdr.config())
    assert len({point.key for point in found}) == len(found) == 14
    assert all(point.a <= point.n for point in found)


def test_the_paper_holds(record):
    assert verdicts(record) == [Verdict.REPRODUCED] * 5


def test_other_numbers_change_the_verdicts(record):
    at = {"label": "256", "n": 500}
    assert verdicts(changed(record, 2.0, "simulated", **at))[0] == Verdict.NOT_REPRODUCED
    assert verdicts(changed(record, 2.0, **at))[1] == Verdict.NOT_REPRODUCED
    assert verdicts(changed(record, 2.0, label="n/2", n=2000))[2] == Verdict.NOT_REPRODUCED
    assert verdicts(changed(record, 2.0, scale=4.0))[3] == Verdict.NOT_REPRODUCED
    assert verdicts(changed(record, 1e3, label="64", n=2000))[4] == Verdict.NOT_REPRODUCED


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n_weights": 300}, "at most every size"),
        ({"scales": (2.0,)}, "hold 1"),
        ({"n_inputs": 1}, "n_inputs and n_draws must be at least 2"),
    ],
)
def test_configs_that_make_no_sense_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        scalar_sdr.config(**changes)
