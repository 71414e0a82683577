"""A report that is interrupted goes on where it stopped, and says how long it may take."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from experiments._framework import cli as command_line
from experiments._framework.schedule import Board, Schedule

ROOT = Path(__file__).resolve().parents[2]


def report(results, *more):
    arguments = ["report", "--preset", "smoke", "--results", str(results), *more]
    return CliRunner().invoke(command_line.app, arguments)


class Interrupted(dict):
    """What a toy sees; asked whether to fail, it is Ctrl-C that answers."""

    def get(self, key, default=None):
        if key == "fail" and self["stop"]:
            raise KeyboardInterrupt
        return super().get(key, default)


def test_what_was_finished_before_ctrl_c_is_not_run_again(make_toy, tmp_path):
    first, second = {}, Interrupted(stop=True)
    make_toy("first", seen=first, drawn=False)
    make_toy("second", seen=second, drawn=False)
    stopped = report(tmp_path)
    assert stopped.exit_code == 130
    assert stopped.stderr.endswith("Interrupted; the same command goes on where it stopped.\n")
    assert not (tmp_path / "report-smoke.html").exists()
    second["stop"] = False
    resumed = report(tmp_path)
    assert resumed.exit_code == 0
    assert (first["runs"], second["runs"]) == (1, 2)  # the second began, and began again
    assert "finished before" in resumed.stderr
    page = (tmp_path / "report-smoke.html").read_text()
    assert page.count("first") >= 1
    assert report(tmp_path).exit_code == 0  # whole, it begins anew
    assert (first["runs"], second["runs"]) == (2, 3)


@pytest.mark.parametrize("change", ["source", "record", "note"])
def test_a_changed_experiment_is_run_again(make_toy, tmp_path, monkeypatch, change):
    first, second = {}, Interrupted(stop=True)
    one = make_toy("first", seen=first, drawn=False)
    make_toy("second", seen=second, drawn=False)
    assert report(tmp_path).exit_code == 130
    second["stop"] = False
    if change == "source":
        monkeypatch.setattr("experiments._framework.schedule.source_hash", lambda path: "other")
    elif change == "record":
        (one.folder(one.presets["smoke"], 0, tmp_path) / "arrays.npz").write_bytes(b"")
    else:
        (tmp_path / "report-smoke-seed0.unfinished.json").write_text('{"first": 3')
    assert report(tmp_path).exit_code == 0
    assert first["runs"] == 2


KILLED = """
import os, signal, sys
from dataclasses import dataclass
from pathlib import Path
from experiments._framework import cli, experiment
cli.discover = dict

@dataclass(frozen=True)
class Config:
    "Is it finished?"
    n: int = 1

def declare(name):
    @experiment(name, config=Config, headline=True)
    def toy(config, streams):
        with open(Path(sys.argv[1]) / "runs", "a") as file:
            file.write(name + " ")
        if name == "second" and len(sys.argv) > 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return {"n": [streams("n").random()]}

declare("first"), declare("second")
cli.app(["report", "--preset", "smoke", "--results", sys.argv[1]])
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="only POSIX kills so")
def test_a_killed_report_goes_on(tmp_path):
    def run(*more):
        return subprocess.run(
            [sys.executable, "-c", KILLED, str(tmp_path), *more],
            env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        )  # fmt: skip

    assert run("kill").returncode == -signal.SIGKILL
    resumed = run()
    assert resumed.returncode == 0, resumed.stderr
    assert (tmp_path / "runs").read_text() == "first second second "
    assert "finished before" in resumed.stderr
    assert "\x1b" not in resumed.stderr  # a log holds plain lines
    assert "[2/2] second (smoke)" in resumed.stderr


def test_time_left_is_what_they_took_last_or_the_mean(tmp_path):
    schedule = Schedule(tmp_path, "quick", 0)
    assert schedule.seconds_left(["a"], []) is None
    assert schedule.seconds_left([], []) == 0.0
    schedule.times = {"a quick": 10.0, "b quick": 2.0, "b paper": 99.0}
    assert schedule.seconds_left(["a", "b"], []) == 12.0
    assert schedule.seconds_left(["a", "c"], [4.0]) == 10.0 + (4.0 + 10.0) / 2


@pytest.mark.parametrize("content", ["", "[]", '{"a quick": "x", "b quick": NaN}', "[" * 10**5])
def test_damaged_times_are_passed_over(tmp_path, content):
    (tmp_path / "report-times.json").write_text(content)
    assert Schedule(tmp_path, "quick", 0).times == {}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_table_is_redrawn_in_place(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "12")
    names = [f"experiment-{i}" for i in range(20)]
    stream = Terminal()
    board = Board(names, "quick", stream)
    for index in range(20):
        board.begin(index, None if index == 0 else 30.0 * (20 - index))
        board.end(index, "2 reproduced " * 9, 30.0, 30.0 * (19 - index))
    frames = stream.getvalue().split("\x1b[J")[1:]
    assert "time left unknown" in frames[0]
    assert "5 of 20 (quick)" in frames[10]
    assert "about 8 min left" in frames[10]
    assert "20 of 20 (quick), 0 s so far, about 0 s left" in frames[-1]
    for number, frame in enumerate(frames):
        lines = frame.split("\x1b")[0].splitlines()
        assert len(lines) == 10  # with room for a bar below
        assert all(len(line) < 60 for line in lines)
        assert f"experiment-{number // 2} " in frame
    ups = [part for part in stream.getvalue().split("\x1b[") if part.endswith("F")]
    assert ups == ["10F"] * (len(frames) - 1)
