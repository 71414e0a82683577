"""Laws of overlaps against listing, effective failures, claims that fail when they should."""

from __future__ import annotations

import dataclasses
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from experiments import _spiking_claims as claims
from experiments._framework import Table, Verdict
from experiments._spiking_measure import (
    Question,
    asked_in,
    effective_failure,
    error_of_curve,
    error_theory,
    groups,
    law,
    settings,
)
from experiments.spiking_dendrite import Config, spiking_dendrite
from sdr.spiking import PsychometricCurve

KEPT = Path(__file__).parents[2] / "docs" / "records"
#: Small enough to list every segment and input.
TINY = Config(
    n_units=6, n_active=3, n_synapses=2, synapses=(2,), moved=(1,), n_moved=1, union_synapses=2,
    patterns=(2,),
)  # fmt: skip


@pytest.fixture(scope="module")
def record():
    """Return the kept record, with voltages of the cells and rates of every setting."""
    return spiking_dendrite.load(KEPT / "spiking-dendrite")


def listed(question):
    """Return the distribution of overlaps over every draw, one by one."""
    counts = np.zeros(TINY.n_active + 1)
    units = range(TINY.n_units)
    for pattern in map(set, combinations(units, TINY.n_active)):
        if question.kind == "false negative":
            outside = [unit for unit in units if unit not in pattern]
            for segment, lost, new in product(
                combinations(pattern, TINY.n_synapses), combinations(pattern, 1), outside
            ):
                counts[len(set(segment) & ((pattern - set(lost)) | {new}))] += 1
        else:
            n_patterns = question.value if question.kind == "union" else 1
            segments = list(combinations(units, 2))
            for chosen in product(segments, repeat=n_patterns):
                counts[len(pattern & {unit for one in chosen for unit in one})] += 1
    return counts / counts.sum()


@pytest.mark.parametrize(
    "question",
    [Question("false positive", 2), Question("false negative", 1), Question("union", 2)],
    ids=lambda one: one.kind,
)
def test_overlaps_follow_the_laws(question):
    np.testing.assert_allclose(law(question, TINY), listed(question), atol=1e-12)


def test_theory_is_the_tail_and_thins():
    question, config = Question("false positive", 30), Config()
    assert error_theory(question, config, 10) == pytest.approx(stats.hypergeom(300, 30, 64).sf(9))
    missed = Question("false negative", 40)
    assert error_theory(missed, config, 10) == pytest.approx(stats.hypergeom(64, 30, 40).sf(20))
    assert error_theory(question, config, 10, failure=1.0) == 0.0
    assert error_theory(missed, config, 10, failure=1.0) == 1.0
    b = np.arange(31)
    steps = PsychometricCurve(b, 50 * (b >= 10), np.full(31, 50))
    assert error_of_curve(question, config, steps) == pytest.approx(
        error_theory(question, config, 10)
    )


@pytest.mark.parametrize("failure", [0.0, 0.07, 0.4])
def test_effective_failures_are_found(failure):
    b, n = np.arange(31), np.full(31, 20_000)
    p = stats.binom.sf(9, b, 1.0 - failure)
    k = np.random.default_rng(0).binomial(n, p)
    assert effective_failure(PsychometricCurve(b, k, n), 10) == pytest.approx(failure, abs=2e-3)


def test_settings_are_all_measured_once():
    config = Config(n_trials=1000, n_curve=50)
    grouped = [one for group in groups(config) for one in group]
    assert grouped == settings(config)
    assert len(set(grouped)) == len(grouped)
    assert [len(asked_in(one, config)) for one in grouped[:2]] == [18, 2]


def verdicts(record):
    return {claim.text: claim.verdict for claim in claims.judge(record)}


def test_a_record_that_differs_is_not_reproduced(record):
    text = "Noisy patterns are missed as often as the theory says"
    assert verdicts(record)[text] == Verdict.REPRODUCED
    table = {name: column.copy() for name, column in record.table.items()}
    chosen = (table["part"] == "rates") & (table["question"] == "false negative")
    table["measured"][chosen] = np.clip(table["measured"][chosen] + 0.25, 0, 1)
    changed = dataclasses.replace(record, table=Table(table), digest="")
    assert verdicts(changed)[text] == Verdict.NOT_REPRODUCED


def test_a_cell_that_is_not_all_or_none_is_seen(record):
    text = "A dendrite is all or none: the overlap decides"
    assert verdicts(record)[text] == Verdict.REPRODUCED
    key = "plateaus-event"
    fewer = record.arrays[key] - (record.arrays[key] > 0)
    changed = dataclasses.replace(record, arrays={**record.arrays, key: fewer}, digest="")
    assert verdicts(changed)[text] == Verdict.NOT_REPRODUCED


def test_a_wrong_theory_explains_nothing():
    columns = {"measured": [0.02], "theory": [0.1], "good": [0.02], "bad": [0.1], "n_trials": [99]}
    table = Table(columns)
    assert claims.explained(table, "good") == 1.0
    assert claims.explained(table, "bad") == 0.0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"n_active": 20}, "n_synapses must be at most n_active"),
        ({"jitters": (0.0,)}, "jitters must hold 2 ms and failures 0"),
        ({"synapses": (20,)}, "synapses must hold n_synapses, 30"),
        ({"n_trials": 0}, "n_trials must be at least 1"),
    ],
)
def test_a_config_that_asks_nothing_is_refused(change, said):
    with pytest.raises(ValueError, match=said):
        spiking_dendrite.config(**change)
