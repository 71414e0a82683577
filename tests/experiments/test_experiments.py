"""Every registered experiment: the same digest twice, a figure, a verdict for each claim."""

import gc

import pytest

from experiments._framework import Verdict, discover, registered

ABSENT = discover()
EXPERIMENTS = registered()


def test_experiments_are_found_and_all_can_be_imported():
    assert "v1-penalties" in EXPERIMENTS
    assert ABSENT == {}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_says_what_it_asks_and_whom_it_cites(name):
    found = EXPERIMENTS[name]
    assert found.question.endswith(("?", "."))
    assert found.cites
    assert found.presets["smoke"] != found.presets["paper"]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_smoke_has_one_digest_a_figure_and_verdicts(name):
    one = EXPERIMENTS[name]
    if one.missing():
        pytest.skip(f"{one.name} needs {', '.join(one.missing())}")
    if "brian2" in one.requires:  # calls the collector at each run, over all that tests have left
        gc.collect()
        gc.freeze()
    record = one.run(one.config("smoke"), seed=1)
    assert one.run(one.config("smoke"), seed=1).digest == record.digest
    assert record.table.n_rows > 0
    assert any(axis.has_data() for axis in one.draw(record).axes)
    assert record.claims
    for claim in record.claims:
        assert claim.verdict in list(Verdict)
        assert claim.text
        assert claim.source
