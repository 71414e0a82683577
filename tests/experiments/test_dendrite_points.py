"""Claims about counted rates fail when they should, and the benchmark's peers count rightly."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from experiments import _dendrite_points as points
from experiments._framework import Table, Verdict
from experiments.dendrite_false_positives import dendrite_false_positives
from experiments.dendrite_noise import dendrite_noise
from experiments.union_property import union_property
from sdr.dendrites import SegmentBank
from sdr.simulation import ErrorCounts


def counted(laws, n_trials=1000, seed=0):
    """Return a table of binomial counts."""
    n_errors = np.random.default_rng(seed).binomial(n_trials, laws)
    return Table({
        "n_trials": np.full(len(laws), n_trials), "n_errors": n_errors,
        "measured": n_errors / n_trials, "predicted": laws,
    })  # fmt: skip


def test_all_points_together_keep_their_bounds(monkeypatch):
    """At a fifth for all of 15 points, at most a fifth of the repetitions fail, but for chance."""
    monkeypatch.setattr(points, "CONFIDENCE", 0.8)
    laws = np.tile([0.0, 1e-3, 0.02, 0.5, 1.0], 3)
    failed = sum(not points.agreement(counted(laws, seed=seed))[1] for seed in range(60))
    assert 0 < failed <= stats.binom.isf(1e-3, 60, 0.2)


def test_a_wrong_law_is_found_out():
    right = counted(np.full(20, 0.3), n_trials=100_000)
    text, agree = points.agreement(right)
    assert agree
    assert text.startswith("20 of 20 points within their bounds; ")
    laws = np.full(20, 0.3)
    laws[3] = 0.31
    text, agree = points.agreement(Table({**right, "predicted": laws}))
    assert not agree
    assert text.startswith("19 of 20 points")
    assert points.agreement(counted(np.zeros(3)))[0] == "3 of 3 points within their bounds"


@pytest.mark.parametrize("experiment", [dendrite_false_positives, dendrite_noise, union_property])
def test_claims_of_agreement_fail_for_other_counts(experiment):
    """Each claim that drawn things agree with a law must notice when they do not."""
    record = experiment.run(experiment.config("smoke"))
    assert {claim.verdict for claim in record.claims} <= {Verdict.REPRODUCED, Verdict.CAVEAT}
    n_trials = record.table["n_trials"]
    wrong = np.where(record.table["n_errors"] > n_trials // 2, 0, n_trials)
    table = Table({**record.table, "n_errors": wrong, "measured": wrong / n_trials})
    judged = experiment.judge(dataclasses.replace(record, table=table, digest=""))
    before, after = (
        {claim.text for claim in one.claims if "within their bounds" in str(claim.measured)}
        for one in (record, judged)
    )
    failed = {claim.text for claim in judged.claims if claim.verdict == Verdict.NOT_REPRODUCED}
    assert before == after
    authors = {text for text in before if text.startswith("The authors' ")}
    assert before - authors <= failed
    assert not authors & failed


def test_speed_is_measured_beside_peers_that_count_the_same(registry):
    from experiments.benchmarks import dendrites as module

    record = module.dendrite_speed.run(module.dendrite_speed.config("smoke"))
    assert {"sparsecode", "numpy rows", "numpy choice", "scipy product"} == {*record.table["name"]}
    assert (record.table["per_second"] > 0).all()
    assert module.dendrite_speed.draw(record).axes[0].has_data()
    config, law = module.Config(), stats.hypergeom(1500, 64, 24)
    for draw, n_trials in ((module.numpy_rows, 5500), (module.numpy_choice, 1500)):
        found = ErrorCounts(draw(config, n_trials, np.random.default_rng(0)), "match")
        low, high = found.interval(1)
        assert found.n_trials == n_trials
        assert low <= law.sf(0) <= high
    bank = SegmentBank.random(60, 9, n_neurons=8, n_segments=3, rng=0)
    code = SegmentBank.random(60, 20, n_neurons=70, rng=1).synapses
    assert module.scipy_product(bank, code, 4) == bank.detect(code, 4).nnz
