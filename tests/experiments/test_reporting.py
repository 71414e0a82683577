"""The command line and the report page, exercised with toy experiments."""

import dataclasses
import math
import platform
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from experiments._framework import Table, Verdict, get
from experiments._framework import cli as command_line
from experiments._framework.record import differences
from experiments._framework.report import Entry, number, write

ROOT = Path(__file__).resolve().parents[2]
SHELL = CliRunner()

# ------------------------------------------------------------------- the command line


def call(*arguments, status=0):
    result = SHELL.invoke(command_line.app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == status, result.output
    return result


def test_list_shows_what_is_there_and_what_is_missing(make_toy, monkeypatch):
    make_toy("ready")
    make_toy("minor", headline=False)
    make_toy("poor", requires=("no_such_module",))
    monkeypatch.setattr(command_line, "discover", lambda: {"broken_module": "brian9"})
    lines = call("list").stdout.splitlines()
    assert lines[0].split()[:2] == ["minor", "Does"]
    assert lines[1].startswith("* poor")
    assert lines[1].endswith("[needs no_such_module]")
    assert lines[2].startswith("* ready")
    assert lines[3].split(None, 1) == ["broken_module", "[needs brian9]"]


def test_run_keeps_the_record_and_prints_claims_and_folder(toy, tmp_path):
    result = call("run", "toy", "--preset", "smoke", "--set", "sizes=[4,8]", "--set",
                  "shape=flat", "--seed", 3, "--results", tmp_path)  # fmt: skip
    folder = toy.folder(toy.config("smoke", sizes=(4, 8), shape="flat"), 3, tmp_path)
    lines = result.stdout.splitlines()
    assert lines[-1] == str(folder)
    assert toy.load(folder).digest[:16] in lines[-2]
    assert "· the error falls: not tested" in lines
    assert "sizes: 2 of 2" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "No experiment is called 'nothing'; the known ones are poor, toy."),
        (["toy", "--preset", "huge"], "preset must be one of smoke, quick, paper; got 'huge'."),
        (["toy", "--set", "a=1"], "toy has no field 'a'; its fields are sizes, n_repeats"),
        (["toy", "--set", "n_repeats"], "--set must look like field=value; got 'n_repeats'."),
        (["toy", "--set", "n_repeats=x"], "n_repeats must be a valid integer"),
        (["toy", "--set", "sizes=[a,b]"], "sizes[0] must be a valid integer"),
        (["poor"], "poor needs no_such_module"),
    ],
)
def test_a_bad_command_ends_with_one_sentence(make_toy, toy, tmp_path, arguments, words):
    make_toy("poor", requires=("no_such_module",))
    result = call("run", *arguments, "--results", tmp_path, status=2)
    assert result.stdout == ""
    assert result.stderr.startswith("Error: " + words)
    assert len(result.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_run_names_what_an_unimportable_experiment_needs(toy, monkeypatch):
    monkeypatch.setattr(command_line, "discover", lambda: {"spiking_dendrite": "brian9"})
    result = call("run", "spiking-dendrite", status=2)
    assert result.stderr == "Error: spiking-dendrite needs brian9: pip install '.[all]'.\n"


def test_plot_draws_without_computing(make_toy, tmp_path):
    seen = {}
    toy = make_toy(seen=seen)
    arguments = ["toy", "--preset", "smoke", "--results", tmp_path]
    assert "has no finished record" in call("plot", *arguments, status=2).stderr
    call("run", *arguments)
    picture = toy.folder(toy.config("smoke"), 0, tmp_path) / "figure.png"
    picture.unlink()
    seen["fail"] = True
    call("plot", *arguments)
    assert picture.is_file()
    assert seen == {"runs": 1, "drawn": 2, "fail": True}


def test_verify_compares_with_a_fresh_run(make_toy, tmp_path):
    seen = {}
    toy = make_toy(seen=seen)
    arguments = ["toy", "--preset", "smoke", "--results", tmp_path]
    assert "has no finished record" in call("verify", *arguments, status=2).stderr
    call("run", *arguments)
    folder = toy.folder(toy.config("smoke"), 0, tmp_path)
    before = (folder / "record.json").read_bytes()
    assert call("verify", *arguments).stdout.startswith("toy: identical, digest ")
    assert seen["runs"] == 2
    seen["drift"] = 1e-9
    result = call("verify", *arguments)
    assert result.stdout == "toy: equal within the relative tolerance 1e-06, digests differ\n"
    assert "beyond" in call("verify", *arguments, "--rtol", 0, status=1).stdout
    seen["drift"] = 1e-3
    result = call("verify", *arguments, status=1)
    assert "column 'error' differs by 0.001 (" in result.stdout
    assert (folder / "record.json").read_bytes() == before


def test_differences_are_named(toy):
    record = toy.run(toy.config("smoke"))
    table = dict(record.table)

    def compare(table=table, arrays=record.arrays):
        other = dataclasses.replace(record, table=Table(table), arrays=arrays)
        return differences(record, other, 1)

    assert compare() == []
    assert compare(arrays={}) == ["array 'last' is only in the old record"]
    assert compare(table | {"new": [1, 2]}) == ["column 'new' is only in the new record"]
    assert compare(table | {"kind": ["a", "normal"]}) == ["column 'kind' differs in 1 of 2 entries"]
    assert compare(table | {"size": [0.1, 0.2]})[0].startswith("column 'size' was int64 (2,)")
    assert compare(table | {"error": [np.nan, 1]}) == [
        "column 'error' has NaN or infinity in other places"
    ]


# ------------------------------------------------------------------------ the report


class Page(HTMLParser):
    """What a browser would fetch, follow or run, and what a reader reads."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.loads, self.links, self.ids, self.text = set(), [], [], set(), ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.tags.add(tag)
        self.ids.add(values.get("id"))
        if tag == "a":
            self.links.append(values["href"])
        else:
            self.loads += [values[name] for name in ("src", "href", "srcset") if name in values]
        assert not [name for name in values if name.startswith("on")]

    def handle_data(self, data):
        self.text += data


def test_report_is_one_page_with_every_claim(make_toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_toy("first")
    make_toy("second")
    make_toy("minor", headline=False)
    result = call("report", "--preset", "smoke")
    lines = result.stdout.splitlines()
    assert lines[-1] == "results/report-smoke.html"
    assert [line.split(None, 1) for line in lines[:4]] == [
        ["2", "reproduced"], ["0", "reproduced with a caveat"], ["0", "not reproduced"],
        ["6", "not tested"],
    ]  # fmt: skip
    assert "[2/2] second (smoke)" in result.stderr
    text = Path(lines[-1]).read_text()
    page = Page(text)
    assert not page.tags & {"script", "iframe", "object", "embed"}
    assert all(address.startswith("data:") for address in page.loads)
    assert sum(address.startswith("data:image/png;base64,") for address in page.loads) == 2
    assert "url(" not in text
    assert "@import" not in text
    for claim in get("first").run(get("first").config("smoke")).claims:
        assert page.text.count(claim.text) == 2
        assert claim.note in page.text
    for verdict in Verdict:
        assert verdict in page.text
    assert "<zero>" in page.text  # escaped, so a reader reads it
    assert "Minor" not in page.text
    assert "python -m experiments run first --preset smoke --seed 0" in page.text
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids
        elif not link.startswith("https://"):
            assert (tmp_path / "results" / link).read_bytes().startswith(b"%PDF")
    assert "https://doi.org/10.1000/toy" in page.links
    assert str(tmp_path) not in text
    assert str(ROOT) not in text
    assert (platform.node() or "nobody's host") not in page.text


def test_report_reuses_records_only_when_asked(make_toy, tmp_path):
    seen, minor = {}, {}
    make_toy(seen=seen, drawn=False)
    make_toy("minor", headline=False, seen=minor, drawn=False)
    arguments = ["report", "--preset", "smoke", "--results", tmp_path]
    call(*arguments, "--reuse")
    assert seen["runs"] == 1  # there was none to reuse
    call(*arguments)
    assert seen["runs"] == 2
    assert not minor
    result = call(*arguments, "--reuse", "--all")
    assert seen["runs"] == 2
    assert minor["runs"] == 1
    assert "taken from" in result.stderr
    page = (tmp_path / "report-smoke.html").read_text()
    assert "kept since" in page
    assert "Made by other code" not in page


def test_report_says_when_a_reused_record_is_of_other_code(make_toy, tmp_path, monkeypatch):
    make_toy(drawn=False)
    call("report", "--preset", "smoke", "--results", tmp_path)
    monkeypatch.setattr(command_line, "source_hash", lambda file: "another")
    call("report", "--preset", "smoke", "--results", tmp_path, "--reuse")
    assert "Made by other code" in (tmp_path / "report-smoke.html").read_text()


def test_one_failure_costs_the_report_nothing_else(make_toy, tmp_path, monkeypatch):
    make_toy("bad", seen={"fail": True})
    make_toy("good")
    make_toy("poor", requires=("no_such_module",))
    monkeypatch.setattr(command_line, "discover", lambda: {"broken_module": "brian9"})
    result = call("report", "--preset", "smoke", "--results", tmp_path, status=1)
    path = tmp_path / "report-smoke.html"
    assert result.stdout.splitlines()[-1] == str(path)
    page = Page(path.read_text())
    assert "It failed with RuntimeError: the <toy> broke" in page.text
    assert "Not run: it needs no_such_module." in page.text
    assert "broken_module needs brian9" in page.text
    assert page.text.count("the error falls") == 1


def test_an_empty_report_is_a_page_too(tmp_path):
    page = Page(write([], tmp_path / "page.html", "quick").read_text())
    assert "0 experiments" in page.text


def test_a_table_too_long_for_the_page_is_cut(make_toy, tmp_path):
    toy = make_toy()
    config = toy.config("smoke", sizes=range(1, 100))
    record = toy.run(config)
    page = Page(write([Entry(toy, tmp_path, record)], tmp_path / "page.html", "x").read_text())
    assert "The first 60 rows; the record holds them all." in page.text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.013849, "0.0138"), (12000, "12\u2009000"), (True, "yes"), (None, "–"),
     ("about 5", "about 5"), ((1, 2.0), "1, 2"), ((), "–"), (math.nan, "nan")],
)  # fmt: skip
def test_numbers_are_written_for_readers(value, text):
    assert number(value) == text


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return np.dot([0.2126, 0.7152, 0.0722], linear)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_the_page_is_legible(theme):
    css = (ROOT / "experiments/_framework/report.css").read_text()
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", css.split(":root")[theme + 1]))
    verdicts = ["reproduced", "caveat", "not-reproduced", "not-tested"]
    pairs = [(v, f"{v}-tint") for v in verdicts] + [(v, "card") for v in verdicts]
    pairs += [(text, back) for text in ("ink", "soft", "accent") for back in ("page", "card")]
    pairs += [("soft", "code"), ("ink", "code"), *(("ink", f"{v}-tint") for v in verdicts)]
    for text, back in pairs:
        dark, light = sorted([luminance(colours[text]), luminance(colours[back])])
        assert (light + 0.05) / (dark + 0.05) >= 4.5, f"{text} on {back}"
