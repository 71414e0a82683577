"""The framework itself, exercised with toy experiments in a registry of their own."""

import ast
import contextlib
import dataclasses
import importlib
import json
import math
import os
import platform
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments._framework import (
    Claim,
    Outcome,
    Table,
    Verdict,
    discover,
    expected,
    experiment,
    get,
    registered,
)
from experiments._framework import cli as command_line
from experiments._framework import progress as bars
from experiments._framework.parts import PartError, Parts
from experiments._framework.provenance import provenance, source_hash
from experiments._framework.record import PRESETS

ROOT = Path(__file__).resolve().parents[2]

# ------------------------------------------------------------------------- configs


def test_values_are_coerced(toy):
    config = toy.config(sizes=["1", 2.0], n_repeats="512", scale=np.float32(0.5))
    assert config == toy.Config(sizes=(1, 2), n_repeats=512, scale=0.5)
    assert type(toy.config(scale=2).scale) is float


def test_presets_change_the_defaults(toy):
    assert toy.config() == toy.Config() == toy.presets["paper"]
    assert toy.config("smoke", scale=3.0) == toy.Config((10, 20), 5, 3.0)
    assert [toy.preset_of(toy.config(preset)) for preset in PRESETS] == list(PRESETS)
    assert toy.preset_of(toy.config("smoke", scale=3.0)) is None


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"n_unitz": 3}, "toy has no field 'n_unitz'; its fields are sizes, n_repeats, scale, "),
        ({"n_repeats": "many"}, "n_repeats must be a valid integer, unable to parse string as an "
                                "integer; got 'many'."),
        ({"n_repeats": 2.5}, "n_repeats must be a valid integer, got a number with a fractional "
                             "part; got 2.5."),
        ({"sizes": [3, "x"]}, "sizes[1] must be a valid integer, "),
        ({"sizes": 3}, "sizes must be a valid tuple; got 3."),
        ({"n_repeats": 1}, "n_repeats must be at least 2; got 1."),
    ],
)  # fmt: skip
def test_a_bad_value_gets_one_sentence(toy, changes, sentence):
    with pytest.raises(ValueError, match=r"\A[^\n]+\.\Z") as caught:
        toy.config(**changes)
    assert str(caught.value).startswith(sentence)


def test_an_unknown_preset_lists_the_known_ones(toy):
    with pytest.raises(ValueError, match="smoke, quick, paper; got 'huge'"):
        toy.config("huge")


def test_a_config_built_by_hand_is_checked_too(toy):
    with pytest.raises(ValueError, match="sizes must be a valid tuple"):
        toy.run(toy.Config(sizes=7))


def test_a_config_must_be_a_frozen_dataclass(registry):
    @dataclass
    class Loose:
        """Can be changed behind our back."""

    with pytest.raises(TypeError, match="must be a frozen dataclass"):
        experiment("loose", config=Loose)(lambda config, streams: {})


def test_a_preset_that_its_config_refuses_is_found_when_declared(toy):
    with pytest.raises(ValueError, match="no field 'sises'"):
        experiment("other", config=toy.Config, smoke={"sises": 1})(lambda config, streams: {})


def test_a_name_belongs_to_one_module(toy):
    def stranger(config, streams):
        return {}

    stranger.__module__ = "experiments.another"
    with pytest.raises(ValueError, match="must be unique; 'toy' is declared in"):
        experiment("toy", config=toy.Config)(stranger)
    assert get("toy") is toy
    assert list(registered()) == ["toy"]


def test_an_unknown_name_lists_the_known_ones(toy):
    with pytest.raises(ValueError, match="No experiment is called 'tot'; the known ones are toy"):
        get("tot")


def test_title_and_question_come_from_name_and_docstring(make_toy):
    plain = make_toy("mean-of-draws")
    assert plain.title == "Mean of draws"
    assert plain.question == plain.Config.__doc__


# ------------------------------------------------------------------ tables, digests


def test_a_table_has_rows_and_can_be_narrowed():
    table = Table({"penalty": ["l1", "l0", "l1"], "mse": [3, 1.5, 2]})
    assert table.n_rows == 3
    assert table.where(penalty="l1")["mse"].tolist() == [3.0, 2.0]
    assert table.rows()[1] == {"penalty": "l0", "mse": 1.5}
    assert Table({"mse": 0.5}).n_rows == 1
    with pytest.raises(KeyError, match="no column 'mae'; the table has penalty, mse"):
        table["mae"]


@pytest.mark.parametrize(
    ("columns", "error", "words"),
    [
        ({"a": [1, 2], "b": [1]}, ValueError, "equally long; got lengths {'a': 2, 'b': 1}"),
        ({"a": np.ones((2, 2))}, ValueError, r"got 'a' of shape \(2, 2\). Return it as an array"),
        ({"a": [1, None]}, TypeError, "got 'a' of dtype object. Use NaN"),
        ({"a": [1j]}, TypeError, "got 'a' of dtype complex128"),
    ],
)
def test_a_table_refuses_what_it_cannot_hold(columns, error, words):
    with pytest.raises(error, match=words):
        Table(columns)


def test_the_digest_depends_on_what_was_asked_and_what_came_out(toy):
    record = toy.run(toy.config("smoke"), seed=3)
    assert toy.run(toy.config("smoke"), seed=3).digest == record.digest

    def changed(**fields):
        return dataclasses.replace(record, **fields, digest="").digest

    table = dict(record.table)
    assert changed(seconds=1e6, provenance={}, claims=(), preset=None) == record.digest
    assert changed(table=Table(dict(reversed(table.items())))) == record.digest
    others = [
        toy.run(toy.config("smoke"), seed=4).digest,
        changed(seed=4),
        changed(config=toy.config("smoke", scale=2.0)),
        changed(experiment="boy"),
        changed(table=Table(table | {"error": np.nextafter(record.table["error"], 1)})),
        changed(table=Table(table | {"size": record.table["size"].astype(float)})),
        changed(arrays={"last": record.arrays["last"].astype(np.float32)}),
        changed(arrays={"last": record.arrays["last"][:, None]}),
        changed(arrays={}),
    ]
    assert len({record.digest, *others}) == len(others) + 1


def test_every_nan_has_the_same_digest(toy):
    record = toy.run(toy.config("smoke"))
    one, other = np.array([0x7FF8000000000000, 0xFFF8000000000001], np.uint64).view(np.float64)
    digests = {
        dataclasses.replace(record, arrays={"x": np.array([nan])}, digest="").digest
        for nan in (one, other)
    }
    assert len(digests) == 1


# ------------------------------------------------------------------------- claims


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"verdict": "true enough"}, "must be a bool or one of 'reproduced', 'reproduced with a"),
        ({"verdict": Verdict.CAVEAT}, "must say why; got no note"),
        ({"verdict": Verdict.NOT_TESTED}, "must say why; got no note"),
        ({"verdict": True, "preset": "huge"}, "preset must be one of"),
    ],
)
def test_a_claim_says_what_it_must(fields, words):
    with pytest.raises(ValueError, match=words):
        Claim("text", "source", 1, 2, **fields)


def test_a_verdict_counts_from_its_preset(toy):
    by_size = {preset: toy.run(toy.config(preset)).claims for preset in PRESETS}
    assert [[str(claim.verdict) for claim in by_size[preset]] for preset in PRESETS] == [
        ["reproduced", "not tested", "not tested", "not tested"],
        ["reproduced", "reproduced with a caveat", "not tested", "not tested"],
        ["reproduced", "reproduced with a caveat", "not reproduced", "not tested"],
    ]
    below = by_size["smoke"][1]
    assert below.note == "Not tested at this size: the verdict counts from the quick preset."
    assert below.measured > 0  # the number is told all the same
    assert by_size["paper"][3].note == "The dice are missing."


def test_a_config_of_ones_own_is_no_published_size(toy):
    claims = toy.run(toy.config("paper", n_repeats=51)).claims
    assert {claim.verdict for claim in claims} == {Verdict.NOT_TESTED}


# ---------------------------------------------------------------------- the files


def strict_json(path):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(path.read_text(), parse_constant=refuse)


def test_a_record_comes_back_as_it_was(registry, tmp_path):
    odd = [math.nan, math.inf, -math.inf, -0.0, 0.1 + 0.2]

    Wide = dataclasses.make_dataclass("Wide", [("limit", float, math.inf)], frozen=True)

    @experiment("odd", config=Wide)
    def odd_numbers(config, streams):
        table = {"x": odd, "n": range(5), "text": list("abcNé"), "on": [True, False] * 2 + [True]}
        return Outcome(table, {"maps": np.full((2, 3), np.nan, np.float32), "k": np.int32(4)})

    record = odd_numbers.run(results=tmp_path, seed=5)
    folder = odd_numbers.folder(record.config, 5, tmp_path)
    back = odd_numbers.load(folder)
    assert back.config == Wide()
    assert back.digest == record.digest == back.compute_digest()
    for name, column in record.table.items():
        assert back.table[name].dtype == column.dtype
        np.testing.assert_array_equal(back.table[name], column)
    assert math.copysign(1, back.table["x"][3]) == -1
    assert back.arrays["maps"].dtype == np.float32
    saved = strict_json(folder / "record.json")
    assert saved["table"]["x"] == ["NaN", "Infinity", "-Infinity", -0.0, 0.1 + 0.2]
    assert saved["config"] == {"limit": "Infinity"}
    assert back.provenance == record.provenance


def test_the_folder_is_named_by_config_and_seed(toy, tmp_path):
    config = toy.config("smoke")
    toy.run(config, seed=3, results=tmp_path)
    folder = toy.folder(config, 3, tmp_path)
    assert re.fullmatch(r"[0-9a-f]{12}-seed3", folder.name)
    assert folder.parent == tmp_path / "toy"
    assert sorted(path.name for path in folder.iterdir()) == [
        "arrays.npz", "figure.pdf", "figure.png", "record.json",
    ]  # fmt: skip
    assert toy.folder(toy.config("smoke", scale=2), 3, tmp_path) != folder
    with Image.open(folder / "figure.png") as picture:
        assert min(picture.size) > 400
        assert len(picture.convert("L").getcolors()) > 10
    assert (folder / "figure.pdf").read_bytes().startswith(b"%PDF")


def test_without_results_nothing_is_written(toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert toy.run(toy.config("smoke")).claims
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["record.json", "arrays.npz"])
@pytest.mark.parametrize("how", ["cut", "flipped", "empty", "gone"])
def test_a_damaged_record_is_refused(make_toy, tmp_path, name, how):
    toy = make_toy(drawn=False)
    config = toy.config("smoke")
    toy.run(config, results=tmp_path)
    folder = toy.folder(config, 0, tmp_path)
    path = folder / name
    content = path.read_bytes()
    if how == "gone":
        path.unlink()
    elif how == "flipped":
        middle = (
            content.index(b"0.", content.index(b'"error": [')) + 3
            if name == "record.json"
            else len(content) // 2
        )
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    else:
        path.write_bytes(b"" if how == "empty" else content[: len(content) // 2])
    error = FileNotFoundError if (name, how) == ("record.json", "gone") else ValueError
    with pytest.raises(error):
        toy.load(folder)


def test_a_record_of_another_experiment_is_refused(make_toy, toy, tmp_path):
    config = toy.config("smoke")
    make_toy("other").run(config, results=tmp_path)
    with pytest.raises(ValueError, match="must hold a record of toy; it is one of other"):
        toy.load(get("other").folder(config, 0, tmp_path))


def test_a_slip_in_claims_or_figure_costs_no_result(make_toy, tmp_path):
    seen = {}
    toy = make_toy(seen=seen)
    good = toy._draw
    config = toy.config("smoke")

    @toy.plot
    def slip(record, ax):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        toy.run(config, results=tmp_path)
    toy.plot(good)
    record = toy.refresh(toy.folder(config, 0, tmp_path))
    assert seen["runs"] == 1
    assert len(record.claims) == 4


def test_a_figure_may_take_several_axes(toy):
    @toy.plot
    def figure(record, figure):
        figure.set_size_inches(5, 2)
        for axis in figure.subplots(1, 3):
            axis.plot(record.table["error"])

    drawn = toy.draw(toy.run(toy.config("smoke")))
    assert len(drawn.axes) == 3
    assert drawn.get_size_inches().tolist() == [5, 2]


# ------------------------------------------------------------- parts and interruption

KILLED = """
import os, signal, sys
from dataclasses import dataclass
from experiments._framework import experiment

@dataclass(frozen=True)
class Config:
    '''Survives a kill?'''
    n_parts: int = 4

def draw(rng):
    return {"x": rng.normal(size=5)}

@experiment("killed", config=Config)
def killed(config, streams, cached):
    sums = []
    for i in range(config.n_parts):
        if i == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        part = cached(f"part-{i}", draw, streams(f"part-{i}"))
        sums.append(part["x"].sum())
    return {"sum": sums}

record = killed.run(results=sys.argv[1])
print(record.digest, record.n_resumed)
"""


def test_a_killed_run_goes_on_where_it_stopped(tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(KILLED)

    def start(results, stop):
        return subprocess.run(
            [sys.executable, str(script), str(tmp_path / results), str(stop)],
            capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip

    whole = start("whole", -1)
    assert whole.stderr == ""
    digest, resumed = whole.stdout.split()
    assert resumed == "0"
    assert start("broken", 2).returncode == -signal.SIGKILL
    kept = sorted(path.name for path in (tmp_path / "broken").rglob("*.*"))
    assert kept == ["part-0.npz", "part-1.npz"]
    assert start("broken", -1).stdout.split() == [digest, "2"]
    assert start("broken", -1).stdout.split() == [digest, "0"]  # a whole run starts afresh
    script.write_text(KILLED + "# edited\n")
    assert start("broken", 2).returncode == -signal.SIGKILL
    script.write_text(KILLED + "# edited again\n")
    assert start("broken", -1).stdout.split() == [digest, "0"]  # other code, other parts


def test_a_part_is_the_same_computed_or_resumed(tmp_path):
    fresh = Parts(tmp_path).cached("a", lambda: {"x": [1, 2], "y": 0.5})
    parts = Parts(tmp_path)
    resumed = parts.cached("a", lambda: pytest.fail("computed again"))
    assert parts.n_resumed == 1
    for part in (fresh, resumed, Parts(None).cached("a", lambda: {"x": [1, 2], "y": 0.5})):
        assert part["x"].dtype == np.int64
        assert part["y"].shape == ()


def test_a_damaged_part_is_computed_again(tmp_path):
    Parts(tmp_path).cached("a", lambda: {"x": np.arange(9)})
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:50])
    parts = Parts(tmp_path)
    assert parts.cached("a", lambda: {"x": np.arange(3)})["x"].tolist() == [0, 1, 2]
    assert parts.n_resumed == 0
    assert Parts(tmp_path).cached("a", dict)["x"].tolist() == [0, 1, 2]


SWEPT = """
import os, signal, sys, time
from dataclasses import dataclass
from pathlib import Path
from experiments._framework import experiment

@dataclass(frozen=True)
class Config:
    '''Survives a kill on two processes?'''
    n_parts: int = 6

def draw(rng, number, victim):
    if number == 3 and victim == "client":
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    if number == 3 and victim == "worker":
        os.kill(os.getpid(), signal.SIGKILL)
    return {"x": rng.normal(size=5)}

@experiment("swept", config=Config)
def sweeping(config, streams, swept):
    tasks = {f"part-{i}": (draw, streams(f"part-{i}"), i, sys.argv[3])
             for i in range(config.n_parts)}
    return {"sum": [part["x"].sum() for part in swept(tasks).values()]}

if __name__ == "__main__":
    try:
        record = sweeping.run(results=sys.argv[1], n_workers=int(sys.argv[2]))
    except RuntimeError as error:
        sys.exit(str(error))
    print(record.digest, record.n_resumed)
"""


def test_a_sweep_on_two_processes_survives_the_death_of_either(tmp_path):
    script = tmp_path / "sweeping.py"
    script.write_text(SWEPT)

    def start(results, n_workers, victim="nobody"):
        """Return status and output; into files, because orphans hold a pipe for minutes."""
        with open(tmp_path / "out", "w") as out, open(tmp_path / "err", "w") as err:
            process = subprocess.Popen(
                [sys.executable, str(script), str(tmp_path / results), str(n_workers), victim],
                stdout=out, stderr=err, env=os.environ | {"PYTHONPATH": str(ROOT)},
                start_new_session=True,
            )  # fmt: skip
            status = process.wait(timeout=120)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        return status, [(tmp_path / name).read_text() for name in ("out", "err")]

    status, (said, _) = start("alone", 1)
    digest, resumed = said.split()
    assert (status, resumed) == (0, "0")
    assert start("together", 2, "client")[0] == -signal.SIGKILL
    status, (_, said) = start("together", 2, "worker")
    assert status == 1
    assert said.splitlines()[-1] == (
        "every part must be computed; got 1 of 6 that failed, the first part-3: its process was "
        "killed, perhaps for want of memory. Mend it and run again: what was computed is kept."
    )
    assert start("together", 2)[1][0].split() == [digest, "5"]


def fail_at(number, bad):
    if number == bad:
        raise ValueError(f"number {number} is <bad>")
    return {"x": number}


def test_a_part_that_fails_on_a_worker_does_not_lose_the_others(tmp_path):
    tasks = {f"part-{i}": (fail_at, i, 1) for i in range(4)}
    with pytest.raises(PartError, match=r"1 of 4 that failed, the first part-1: Value") as caught:
        Parts(tmp_path, n_workers=2).swept(tasks)
    assert "in fail_at" in caught.value.__notes__[0]  # where it happened
    parts = Parts(tmp_path, n_workers=2)
    found = parts.swept({f"part-{i}": (fail_at, i, 9) for i in range(4)})
    assert [(key, int(part["x"])) for key, part in found.items()] == [
        (f"part-{i}", i) for i in range(4)
    ]
    assert parts.n_resumed == 3
    with pytest.raises(ValueError, match="number 1 is <bad>"):  # alone, with its own error
        Parts(None).swept(tasks)


def test_a_sweep_runs_on_a_cluster_that_is_not_ours(tmp_path):
    distributed = pytest.importorskip("dask.distributed")
    from experiments.scalar_sdr import scalar_sdr as scalar  # a module that workers can import

    alone = scalar.run(scalar.presets["smoke"])
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        there = scalar.run(scalar.presets["smoke"], results=tmp_path, client=client)
        assert client.status == "running"
    assert there.digest == alone.digest


def test_the_command_line_says_what_workers_and_clusters_must_be(tmp_path, capsys):
    def said(*more):
        with pytest.raises(SystemExit) as ended:
            command_line.app(
                ["run", "scalar-sdr", "--preset", "smoke", "--results", str(tmp_path), *more]
            )
        return ended.value.code, capsys.readouterr()

    status, out = said("--workers", "2")
    assert status == 0
    assert "digest" in out.out
    for more, sentence in (
        (("--workers", "2", "--scheduler", "tcp://127.0.0.1:1"), "--workers belongs to this"),
        (("--scheduler", "nowhere"), "a scheduler must answer at the address; got 'nowhere'"),
    ):
        status, out = said(*more)
        assert status == 2
        assert sentence in " ".join(out.err.split())


def test_nothing_is_asked_of_a_cluster_when_nothing_is_left(tmp_path):
    class Idle:
        def refuse(self, *arguments, **options):
            pytest.fail("a cluster was asked")

        submit = scatter = cancel = wait_for_workers = refuse

    tasks = {"part-1": (fail_at, 1, 9)}
    Parts(tmp_path).swept(tasks)
    assert Parts(tmp_path, client=Idle()).swept(tasks)["part-1"]["x"] == 1
    assert Parts(None, client=Idle()).swept({}) == {}


def test_workers_and_a_cluster_do_not_go_together():
    with pytest.raises(TypeError, match=r"client must be a dask\.distributed\.Client"):
        Parts(None, client="tcp://here")
    with pytest.raises(ValueError, match="n_workers must be at least 1"):
        Parts(None, n_workers=0)


def test_arrays_of_objects_are_refused(registry, tmp_path):
    @experiment("ragged", config=dataclasses.make_dataclass("Empty", [], frozen=True))
    def ragged(config, streams):
        return Outcome({"x": 1}, {"rows": np.array([[1], [1, 2]], dtype=object)})

    for function in (ragged.run, lambda: Parts(None).cached("a", lambda: {"rows": [None]})):
        with pytest.raises(TypeError, match="got 'rows' of dtype object"):
            function()


@pytest.mark.parametrize("key", ["a", "../b", "", "a/b"])
def test_a_part_needs_a_key_of_its_own(tmp_path, key):
    parts = Parts(tmp_path)
    parts.cached("a", lambda: {"x": 1})
    with pytest.raises(ValueError, match="key must be unique, of letters"):
        parts.cached(key, lambda: {"x": 1})


def test_an_edit_changes_the_source_hash(tmp_path):
    module = tmp_path / "one.py"
    module.write_text("a = 1\n")
    before = source_hash(module)
    assert source_hash(module) == before
    module.write_text("a = 2\n")
    assert source_hash(module) != before


# ------------------------------------------------------------------ provenance, expected


def strings(value):
    if isinstance(value, dict):
        return [text for item in value.values() for text in strings(item)]
    return [value] if isinstance(value, str) else []


def test_provenance_names_neither_host_nor_folder():
    facts = provenance()
    assert {"date", "revision", "dirty", "source", "cpu", "threads", "system", "versions"} == {
        *facts
    }
    assert facts["threads"]["available"] >= 1
    assert facts["versions"]["numpy"] == np.__version__
    texts = strings(facts)
    assert not [text for text in texts if text.startswith(("/", "\\")) or ":\\" in text]
    assert platform.node() not in texts


def test_provenance_tells_revision_and_changes(tmp_path, monkeypatch):
    module = sys.modules["experiments._framework.provenance"]
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert (provenance()["revision"], provenance()["dirty"]) == (None, None)

    def git(*arguments):
        who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        command = ["git", "-C", str(tmp_path), *who, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init")
    git("commit", "--allow-empty", "-m", "first")
    facts = provenance()
    assert facts["revision"] == git("rev-parse", "HEAD")
    assert facts["dirty"] is False
    (tmp_path / "docs/records/toy").mkdir(parents=True)
    (tmp_path / "docs/records/toy/record.json").touch()
    assert provenance()["dirty"] is False
    (tmp_path / "new.py").touch()
    assert provenance()["dirty"] is True


def test_published_values_say_how_they_are_known():
    paper = expected("rentzeperis2023")
    assert paper["mse_cel0_batch_4000"].value == 0.0138
    assert paper["ratio_mse_l1_l0_type"].cited == "Rentzeperis et al. 2023, abstract"
    assert paper.doi == "10.1371/journal.pcbi.1011459"
    assert all(value.source and value.evidence for value in paper.values())
    with pytest.raises(
        KeyError, match=r"Rentzeperis et al\. 2023 has no value 'mse'; it has ratio"
    ):
        paper["mse"]
    with pytest.raises(ValueError, match=r"called 'nobody'; the known ones are .*rentzeperis2023"):
        expected("nobody")


def test_a_published_value_without_evidence_is_refused(tmp_path, monkeypatch):
    value = {"value": 1, "source": "Fig. 1", "evidence": "hearsay"}
    paper = {"paper": "A", "citation": "A", "doi": "", "values": {"x": value}}
    (tmp_path / "a.json").write_text(json.dumps(paper))
    monkeypatch.setattr(sys.modules["experiments._framework.expected"], "FOLDER", tmp_path)
    with pytest.raises(ValueError, match=r"evidence must be one of abstract, .*; got 'hearsay'"):
        expected("a")


# ---------------------------------------------------------------- progress, discovery


def test_progress_in_a_log_is_made_of_lines(monkeypatch):
    log = StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    assert list(bars.track(range(3), "codes")) == [0, 1, 2]
    assert log.getvalue().startswith("codes: 0 of 3, 00:00\n")
    assert log.getvalue().endswith("codes: 3 of 3, 00:00\n")
    assert "\r" not in log.getvalue()


def test_a_missing_extra_is_told_and_a_slip_is_raised(tmp_path, monkeypatch, registry):
    package = tmp_path / "questions"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "_helper.py").write_text("raise RuntimeError")
    (package / "benchmarks.py").write_text("raise RuntimeError")
    (package / "needy.py").write_text("import no_such_module.part\n")
    (package / "good.py").write_text(
        "from dataclasses import dataclass\n"
        "from experiments._framework import experiment\n"
        "@dataclass(frozen=True)\n"
        "class Config:\n    'Is it found?'\n"
        "@experiment('good', config=Config)\n"
        "def good(config, streams):\n    return {'x': 1}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert discover("questions") == {"needy": "no_such_module"}
    assert list(registry) == ["good"]
    (package / "slip.py").write_text("import sparsecode.no_such_module\n")
    importlib.invalidate_caches()
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        discover("questions")


def test_the_module_runs_as_a_program_with_a_hashed_cache():
    code = (
        "import runpy, sys, os\n"
        "sys.argv = ['experiments', 'list']\n"
        "try: runpy.run_module('experiments', run_name='__main__')\n"
        "except SystemExit as end: print(end.code, os.environ['NUMBA_CACHE_DIR'])\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=environment
    )
    assert done.stderr == ""
    status, folder = done.stdout.splitlines()[-1].split(maxsplit=1)
    assert status == "0"
    assert re.search(r"[0-9a-f]{16}$", folder)


def test_the_cache_is_set_before_numba_is_imported():
    body = ast.parse((ROOT / "experiments/__main__.py").read_text()).body
    lines = [ast.unparse(statement) for statement in body[1:3]]
    assert lines == [
        "from sparsecode._cache import use_hashed_numba_cache", "use_hashed_numba_cache()",
    ]  # fmt: skip
    code = "import sys, sparsecode._cache, experiments; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "False\n"
