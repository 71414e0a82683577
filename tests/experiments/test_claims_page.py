"""The page of claims: whatever a record claims stands there, as it was judged."""

import dataclasses
import importlib
import json
import re
import sys
from pathlib import Path

import pytest
import typer

from experiments._framework import Verdict, discover, registered
from experiments._framework import cli as command_line

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def claims_page():
    sys.path.insert(0, str(DOCS))
    try:
        return importlib.import_module("claims_page")
    finally:
        sys.path.remove(str(DOCS))


@pytest.fixture
def empty(monkeypatch, claims_page, registry):
    """Let the page find nothing but the toys of one test."""
    monkeypatch.setattr(claims_page, "discover", dict)


def keep(one, records, preset="quick"):
    """Run a toy and keep its record where the page looks for it."""
    record = one.judge(one.run(one.config(preset)))
    record.save(records / one.name)
    return record


def unescaped(text):
    return re.sub(r"\\([^a-zA-Z0-9\s])", r"\1", text)


@pytest.mark.usefixtures("empty")
def test_every_claim_of_a_record_is_on_the_page(toy, claims_page, tmp_path):
    record = keep(toy, tmp_path)
    page = unescaped(claims_page.page(claims_page.entries(tmp_path)))
    assert "## Toy\n\nDoes the mean of n draws come closer to <zero> as n grows?" in page
    assert "[doi:10.1000/toy](https://doi.org/10.1000/toy), Anybody 1900." in page
    for part in ("Preset quick, seed 0", record.provenance["date"][:10], record.digest[:16]):
        assert part in page
    rows = re.split(r"\n\* - ", page)[2:]
    assert len(rows) == len(record.claims) == 4
    for row, claim in zip(rows, record.claims):
        assert row.partition("\n")[0].split(None, 1)[1] == claim.verdict
        assert f"  - {claim.text}." in row
        assert f"*{claim.source}; counts from the {claim.preset} preset.*" in row
        assert claim.note in row
    assert "\n  - 3.16\n" in rows[1]  # what the paper has
    assert "\n  - NaN" in rows[2]
    assert "\n  - –" in rows[3]  # what nobody measured


@pytest.mark.usefixtures("empty")
def test_verdicts_are_counted(make_toy, claims_page, tmp_path):
    one, other = make_toy("first"), make_toy("second")
    keep(one, tmp_path)
    keep(other, tmp_path, "paper")
    lines = claims_page.page(claims_page.entries(tmp_path)).splitlines()
    assert lines[0].startswith("Of 8 claims in 2 experiments with a kept record: **2 reproduced,")
    rows = (line.strip("| ").split(" | ") for line in lines[2:8])
    head, _, more, first, second, total = rows
    assert more[:5] == ["**More**", "**2**", "**2**", "**1**", "**3**"]
    assert [cell.split(None, 1)[-1] for cell in head[1:5]] == list(map(str, Verdict))
    assert first == ["[First](#claims-first)", "1", "1", "0", "2", "quick"]
    assert second == ["[Second](#claims-second)", "1", "1", "1", "1", "paper"]
    assert total[:5] == ["all", "2", "2", "1", "3"]


@pytest.mark.usefixtures("empty")
def test_experiments_stand_under_their_science(make_toy, claims_page, tmp_path, monkeypatch):
    for name in ("first", "second", "third"):
        keep(make_toy(name), tmp_path)
    mine = claims_page.Science("Mine", ("third", "first"), ("sdrs",))
    monkeypatch.setattr(claims_page, "SCIENCES", (mine,))
    page = claims_page.page(claims_page.entries(tmp_path), {"third": "/notebooks/third"})
    titles = re.findall(r"^##+ (.*)", page, re.MULTILINE)
    assert titles == ["Mine", "Third", "First", "More", "Second"]
    assert "{doc}`/guide/sdrs`" in page
    assert page.count("{doc}`/notebooks/third`") == 1


@pytest.mark.usefixtures("empty")
def test_without_a_record_all_claims_are_not_tested(toy, claims_page, tmp_path):
    (entry,) = claims_page.entries(tmp_path)
    assert entry.record is None
    assert entry.counts == {Verdict.NOT_TESTED: 4}
    assert all(claim.measured is None for claim in entry.claims)
    page = unescaped(claims_page.page([entry]))
    assert "Not run yet: python -m experiments run toy --preset paper" in page
    assert "```{image}" not in page


@pytest.mark.usefixtures("empty")
def test_the_figure_is_drawn_from_the_record(make_toy, claims_page, tmp_path):
    seen = {}
    keep(make_toy(seen=seen), tmp_path / "records")
    runs = seen["runs"]
    claims_page.write(tmp_path)
    assert seen["runs"] == runs
    assert seen["drawn"] == 1
    assert (tmp_path / "_generated" / "claims" / "toy.png").stat().st_size > 1000
    text = (tmp_path / "_generated" / "claims.md").read_text(encoding="utf8")
    assert "```{image} /_generated/claims/toy.png" in text


@pytest.mark.usefixtures("empty")
def test_a_record_that_is_judged_otherwise_today_is_refused(toy, claims_page, tmp_path):
    record = keep(toy, tmp_path)
    claims = (dataclasses.replace(record.claims[0], text="the error rises"), *record.claims[1:])
    dataclasses.replace(record, claims=claims).save(tmp_path / "toy")
    with pytest.raises(ValueError, match="must hold the claims that its experiment makes"):
        claims_page.entries(tmp_path)


@pytest.mark.usefixtures("empty")
def test_a_record_of_nobody_is_refused(toy, claims_page, tmp_path):
    record = keep(toy, tmp_path)
    record.save(tmp_path / "renamed")
    with pytest.raises(ValueError, match="renamed does not"):
        claims_page.entries(tmp_path)


def test_keep_copies_a_record_to_the_docs(toy, tmp_path, capsys):
    options = {"preset": "smoke", "results": tmp_path / "results", "records": tmp_path / "records"}
    config = toy.config("smoke")
    record = toy.run(config, seed=2, results=tmp_path / "results")
    command_line.keep("toy", seed=2, **options)
    assert Path(capsys.readouterr().out.strip()).name == "toy"
    kept = toy.load(tmp_path / "records" / "toy")
    assert (kept.digest, kept.seed, len(kept.claims)) == (record.digest, 2, 4)
    assert not (tmp_path / "records" / "toy" / "figure.png").exists()


def test_keep_refuses_what_is_missing_or_too_large(toy, tmp_path, capsys, monkeypatch):
    options = {"preset": "smoke", "results": tmp_path, "records": tmp_path / "records"}
    with pytest.raises(typer.Exit):
        command_line.keep("toy", **options)
    assert "toy has no finished record" in capsys.readouterr().err
    toy.run(toy.config("smoke"), results=tmp_path)
    monkeypatch.setattr(command_line, "MAX_KEPT", 10)
    with pytest.raises(typer.Exit):
        command_line.keep("toy", **options)
    assert "must stay below 1 MB" in capsys.readouterr().err
    assert not (tmp_path / "records").exists()


@pytest.mark.parametrize(
    "text", ["a_b *c* `d` $e$ x < y | z", "- 3", "1. a", "(x)=", "% no", "+++"]
)
def test_markup_is_escaped(claims_page, text):
    escaped = claims_page.plain(text)
    assert unescaped(escaped) == text
    assert not re.search(r"(?<!\\)[*_`$<|%]", escaped)
    assert not re.match(r"[-+(%]|\d+\.", escaped)


def test_sciences_name_experiments_and_guides_that_exist(claims_page):
    discover()
    placed = [name for science in claims_page.SCIENCES for name in science.experiments]
    assert len(placed) == len(set(placed))
    assert set(placed) <= set(registered())
    for guide in (name for science in claims_page.SCIENCES for name in science.guides):
        assert (DOCS / "guide" / f"{guide}.md").is_file()


def test_committed_records_agree_with_the_claims_of_today(claims_page):
    """Or the build of the docs would refuse them."""
    discover()
    for path in (DOCS / "records").glob("*/record.json"):
        saved = json.loads(path.read_text(encoding="utf8"))["claims"]
        if not saved:
            continue
        one = registered()[path.parent.name]
        record = one.load(path.parent)
        assert claims_page.saved_claims(one.judge(record)) == saved
        assert one.draw(record).axes
