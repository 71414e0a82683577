"""Every registered experiment: the same digest twice, a figure, a verdict for each claim."""

import pytest

from experiments._framework import Verdict, discover, registered

ABSENT = discover()
EXPERIMENTS = registered()


@pytest.fixture(scope="module", params=EXPERIMENTS)
def one(request):
    """Give each registered experiment whose modules are installed."""
    found = EXPERIMENTS[request.param]
    if found.missing():
        pytest.skip(f"{found.name} needs {', '.join(found.missing())}")
    return found


@pytest.fixture(scope="module")
def record(one):
    return one.run(one.config("smoke"), seed=1)


def test_experiments_are_found_and_all_can_be_imported():
    assert "v1-penalties" in EXPERIMENTS
    assert ABSENT == {}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_says_what_it_asks_and_whom_it_cites(name):
    found = EXPERIMENTS[name]
    assert found.question.endswith(("?", "."))
    assert found.cites
    assert found.presets["smoke"] != found.presets["paper"]


def test_smoke_runs_twice_to_the_same_digest(one, record):
    assert one.run(one.config("smoke"), seed=1).digest == record.digest
    assert record.table.n_rows > 0


def test_the_figure_draws(one, record):
    figure = one.draw(record)
    assert any(axis.has_data() for axis in figure.axes)


def test_every_claim_has_a_verdict(record):
    assert record.claims
    for claim in record.claims:
        assert claim.verdict in list(Verdict)
        assert claim.text
        assert claim.source
