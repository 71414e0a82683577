"""A package of the same name that is not ours is named with its file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sparsecode._ownership import require_own

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("package", ["sdr", "memory"])
def test_our_packages_are_ours(package):
    require_own(package)
    assert sys.modules[package].__distribution__ == "sparsecode"


@pytest.mark.parametrize("package", ["sdr", "memory"])
def test_a_shadowing_package_is_named(tmp_path, package):
    intruder = tmp_path / package / "__init__.py"
    intruder.parent.mkdir()
    intruder.write_text("loaded = True\n")
    program = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]\n"
        f"from sparsecode._ownership import require_own; require_own({package!r})"
    )
    outcome = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert outcome.returncode == 1
    assert "ImportError" in outcome.stderr
    assert repr(package) in outcome.stderr
    assert str(intruder) in outcome.stderr
    assert "pip install --force-reinstall --no-deps sparsecode" in outcome.stderr


def test_a_folder_without_init_is_not_ours(tmp_path, monkeypatch):
    (tmp_path / "unowned_namespace").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match="unowned_namespace"):
        require_own("unowned_namespace")
    del sys.modules["unowned_namespace"]
