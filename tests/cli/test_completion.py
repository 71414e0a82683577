"""Shells complete commands, options, values and files; messages name pages that are there."""

import shutil
import subprocess
from pathlib import Path

import pytest

from sparsecode.cli._pages import PAGES, with_page
from sparsecode.cli.completion import SHELLS, script
from sparsecode.cli.main import build_parser, main

ROOT = Path(__file__).resolve().parents[2]


def completed(line, folder, shell="bash"):
    """Return what a shell offers for the last word of a line."""
    words = line.split(" ")
    if shell == "fish":
        program = script(build_parser(), "fish") + f"complete --do-complete '{line}'\n"
        command = ["fish", "--no-config", "-c", program]
    else:
        array = " ".join(f"'{word}'" for word in words)
        program = script(build_parser(), "bash") + (
            f"COMP_WORDS=({array}); COMP_CWORD={len(words) - 1}; _sparsecode\n"
            'printf "%s\\n" "${COMPREPLY[@]}"\n'
        )
        command = ["bash", "--norc", "-c", program]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return {each.split("\t")[0] for each in done.stdout.split("\n")} - {""}


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_what_is_offered(tmp_path, shell):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "samples.npy").touch()
    offered = {
        "sparsecode ": {"learn", "encode", "inspect", "warm-up", "completion"},
        "sparsecode le": {"learn"},
        "sparsecode learn --penalty ce": {"cel0"},
        "sparsecode learn --whiten ": {"auto", "yes", "no"},
        "sparsecode learn --n-at": {"--n-atoms"},
        "sparsecode encode --dictionary sam": {"samples.npy"},
        "sparsecode encode sam": {"samples.npy"},
        "sparsecode learn samples.npy --n-atoms 12 --met": {"--method"},
        "sparsecode completion z": {"zsh"},
        "sparsecode inspect --n-at": set(),
        "sparsecode learn --n-atoms ": set(),
    }
    for line, wanted in offered.items():
        assert completed(line, tmp_path, shell) == wanted, line


def test_every_option_is_offered(tmp_path):
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    commands = build_parser()._subparsers._group_actions[0].choices
    for name, command in commands.items():
        flags = {flag for action in command._actions for flag in action.option_strings}
        assert completed(f"sparsecode {name} -", tmp_path) == flags


@pytest.mark.parametrize("shell", SHELLS)
def test_the_command_prints_the_script(shell, capsys):
    assert main(["completion", shell]) == 0
    said = capsys.readouterr()
    assert said.out == script(build_parser(), shell)
    assert said.err == ""


def test_zsh_reads_the_script_of_bash(tmp_path):
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed")
    (tmp_path / "_sparsecode").write_text(script(build_parser(), "zsh"))
    lines = "autoload -U compinit && compinit -u -D; source ./_sparsecode; "
    lines += "whence -w _sparsecode; echo $_comps[sparsecode]"
    done = subprocess.run(
        ["zsh", "-f", "-c", lines], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "_sparsecode: function" in done.stdout
    assert "_bash_complete" in done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.section)
def test_pages_and_sections_are_there(page):
    text = (ROOT / page.file).read_text()
    assert f"\n## {page.section}\n" in text


def test_a_message_names_the_page_that_explains_it(tmp_path, capsys):
    assert main(["learn", str(tmp_path), "-o", str(tmp_path / "d.npz")]) == 2
    assert capsys.readouterr().err.endswith(
        'it holds none. See "When it says no" in docs/guide/own_images.md.\n'
    )
    assert with_page("something else.") == "something else."
