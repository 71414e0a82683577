"""The folder of compiled kernels changes with their sources, and only with them."""

import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def checkout(tmp_path):
    """Return a copy of the packages."""
    for package in ("sparsecode", "sdr", "memory"):
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    return tmp_path


@pytest.fixture
def folder_of(monkeypatch, tmp_path):
    """Return a function that asks a checkout, afresh, where its kernels are kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))

    def ask(checkout):
        monkeypatch.setenv("NUMBA_CACHE_DIR", "to be restored")
        monkeypatch.delenv("NUMBA_CACHE_DIR")
        path = checkout / "sparsecode" / "_cache.py"
        spec = importlib.util.spec_from_file_location("copied_cache", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        folder = module.use_hashed_numba_cache()
        assert os.environ["NUMBA_CACHE_DIR"] == str(folder)
        return folder

    return ask


def append(path):
    path.write_text(path.read_text() + "\n# edited\n")


def test_the_folder_is_in_the_users_cache_and_stays(checkout, folder_of, tmp_path):
    folder = folder_of(checkout)
    assert folder.is_dir()
    assert folder.parent == tmp_path / "home" / "sparsecode" / "numba"
    assert folder_of(checkout) == folder


@pytest.mark.parametrize(
    "edited",
    [
        "sparsecode/_jit.py",
        "sparsecode/penalties/l1.py",
        "sparsecode/penalties/_dispatch.py",
        "sparsecode/solvers/_stop_kernels.py",
    ],
)
def test_an_edit_of_what_is_compiled_changes_the_folder(checkout, folder_of, edited):
    before = folder_of(checkout)
    append(checkout / edited)
    assert folder_of(checkout) != before


@pytest.mark.parametrize("added", ["sparsecode/penalties/mine.py", "sdr/_new_kernels.py"])
def test_a_new_source_changes_the_folder(checkout, folder_of, added):
    before = folder_of(checkout)
    (checkout / added).write_text("")
    assert folder_of(checkout) != before


def test_an_edit_elsewhere_does_not(checkout, folder_of):
    before = folder_of(checkout)
    append(checkout / "sparsecode" / "solvers" / "cd.py")
    append(checkout / "sparsecode" / "_validation.py")
    assert folder_of(checkout) == before


def test_a_chosen_folder_is_left_alone(monkeypatch, tmp_path):
    from sparsecode._cache import use_hashed_numba_cache

    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "mine"))
    assert use_hashed_numba_cache() == tmp_path / "mine"
    assert os.environ["NUMBA_CACHE_DIR"] == str(tmp_path / "mine")


def test_without_a_home_each_run_has_a_folder_of_its_own(
    checkout, folder_of, monkeypatch, tmp_path
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    first, second = folder_of(checkout), folder_of(checkout)
    assert first != second
    assert first.is_dir()
    assert first.parent == tmp_path
    assert first.stat().st_mode & 0o077 == 0  # nobody else can put code there
