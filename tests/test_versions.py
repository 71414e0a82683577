"""What a bug report holds, and what it does not."""

import platform
from pathlib import Path

import pytest

import sparsecode
from sparsecode._versions import installed_versions
from sparsecode.cli import main


def test_a_report_says_all_and_names_nobody(capsys, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    sparsecode.show_versions()
    said = capsys.readouterr().out
    words = "numba llvmlite threadpoolctl architecture processor features cores layer cache blas"
    for word in (*words.split(), "thread pools", "OMP_NUM_THREADS 2"):
        assert word in said, word
    assert f"sparsecode {sparsecode.__version__}" in said
    assert str(Path.home()) not in said
    assert platform.node() not in said.split()
    assert "/" not in said.split("cache ")[1].splitlines()[0]


def test_a_cache_that_cannot_be_read_is_said(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "none"))
    sparsecode.show_versions()
    assert "cache 0 kernels, 0.0 MiB, in NUMBA_CACHE_DIR, not writable" in capsys.readouterr().out


def test_the_command_says_its_version(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"sparsecode {sparsecode.__version__}\n"
    assert installed_versions()["python"].startswith("3.")
