"""What the README shows is what happens."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf8")


def fenced(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def numbers(text: str) -> list[float]:
    return [float(found) for found in re.findall(r"\d+\.?\d*", text)]


def test_the_example_prints_what_it_says():
    (program,) = fenced("python")
    (said,) = fenced("text")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(program, "README.md", "exec"), {})
    masked = (re.sub(r"\d+\.?\d*", "#", text) for text in (printed.getvalue(), said))
    assert next(masked) == next(masked)
    np.testing.assert_allclose(numbers(printed.getvalue()), numbers(said), rtol=0.05)


def test_the_example_has_ten_lines():
    (program,) = fenced("python")
    lines = [line for line in program.splitlines() if line and not line.startswith("from ")]
    assert len(lines) <= 10


def run(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess:
    command = ["bash", str(folder / ".ci" / "run"), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_two_commands_are_those_that_are_checked():
    assert run("--commands").stdout == "".join(fenced("sh"))
    report, tests = fenced("sh")
    for command, extra in ((report, "experiments"), (tests, "test")):
        assert command.startswith(f'pip install -c constraints.txt ".[{extra}]" && python -m ')


@pytest.mark.parametrize(
    "readme",
    [
        "<!-- ci: report -->\n```sh\ntrue\n```\n",
        "<!-- ci: report -->\n```sh\ntrue\n```\n<!-- ci: tests -->\n```sh\n```\n",
        "<!-- ci: report -->\n```sh\na\n```\n<!-- ci: tests -->\n```sh\nb\n```\n<!-- ci: c -->\n",
    ],
    ids=["one", "an empty one", "three"],
)
def test_any_other_number_of_commands_is_refused(tmp_path, readme):
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "run").write_bytes((ROOT / ".ci" / "run").read_bytes())
    (tmp_path / "README.md").write_text(readme)
    outcome = run("--commands", folder=tmp_path)
    assert outcome.returncode == 2
    assert "exactly two commands" in outcome.stderr


def test_every_file_that_it_names_exists():
    for target in re.findall(r"\]\(([\w./-]+)\)", README):
        assert (ROOT / target).exists(), target
