"""The grid against scipy, and claims that fail when they should."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import hypergeom

from experiments._framework import Table, Verdict
from experiments._nmda_claims import first_theta, judge
from experiments._nmda_measure import population
from experiments.nmda_threshold import nmda_threshold


@pytest.fixture(scope="module")
def record():
    """Give a record of the paper's grid, which takes a fraction of a second."""
    return nmda_threshold.run(nmda_threshold.config("paper"), seed=1)


def changed(record, factor, **where):
    """Return the record with some values multiplied."""
    table = dict(record.table)
    keep = np.all([table[name] == value for name, value in where.items()], axis=0)
    table["value"] = np.where(keep, table["value"] * factor, table["value"])
    return dataclasses.replace(record, table=Table(table))


def verdicts(record):
    return [claim.verdict for claim in judge(record)]


def test_the_grid_is_the_hypergeometric_law(record):
    n, a = population(record.config)
    index = record.config.thetas.index(9)
    for row, s in ((0, 0), (40, 3), (n.size - 1, 6)):
        law = hypergeom(n[row], a[row], record.config.n_synapses[s])
        found = record.arrays["false_positive"][index, row, s]
        assert found == pytest.approx(law.sf(8), rel=1e-8)
    median = record.table.where(part="grid", quantity="median", theta=9)["value"][0]
    assert median == np.median(record.arrays["false_positive"][index])


def test_the_paper_holds_but_for_its_slips(record):
    assert verdicts(record) == [
        Verdict.REPRODUCED, Verdict.CAVEAT, Verdict.REPRODUCED, Verdict.NOT_REPRODUCED,
    ]  # fmt: skip
    assert record.claims[3].measured == pytest.approx(1.65e-15, rel=1e-3)
    assert record.claims[3].published == 1.6e-18


def test_other_numbers_change_the_verdicts(record):
    assert verdicts(changed(record, 1.1, theta=12, quantity="median"))[0] == Verdict.NOT_REPRODUCED
    assert verdicts(changed(record, 0.4, theta=9, quantity="median"))[1] == Verdict.REPRODUCED
    assert verdicts(changed(record, 100, quantity="median"))[1] == Verdict.NOT_REPRODUCED
    assert verdicts(changed(record, 1e-3, quantity="exact"))[3] == Verdict.REPRODUCED
    assert first_theta({5: 1.0}, 1e-9) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n_step": 0}, "n_step at least 1"),
        ({"thetas": (5, 30)}, "smallest of n_synapses, 20"),
        ({"error": 0.0}, "must lie above 0"),
        ({"n_smallest": 1000}, "smallest number of active cells, 5"),
    ],
)
def test_configs_that_make_no_sense_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        nmda_threshold.config(**changes)
