"""What is installed, from what, and under which pinned versions."""

from __future__ import annotations

import ast
import configparser
import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import sparsecode

ROOT = Path(__file__).resolve().parent.parent
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg", encoding="utf8")


def requirements(text: str) -> list[Requirement]:
    lines = (line.strip() for line in text.splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


CORE = requirements(SETUP["options"]["install_requires"])
EXTRAS = {name: requirements(text) for name, text in SETUP["options.extras_require"].items()}
PINS = {
    canonicalize_name(pin.name): pin
    for pin in requirements((ROOT / "constraints.txt").read_text(encoding="utf8"))
}


def closure(extra: str) -> set[str]:
    """Return the names of an extra's requirements, those of the extras it includes included."""
    names: set[str] = set()
    for requirement in EXTRAS[extra]:
        if requirement.name == "sparsecode":
            names.update(*(closure(included) for included in requirement.extras))
        else:
            names.add(canonicalize_name(requirement.name))
    return names


def test_exactly_three_packages_are_installed():
    found = SETUP["options.packages.find"]["include"].split()
    assert found == ["sparsecode", "sparsecode.*", "sdr", "sdr.*", "memory", "memory.*"]
    for package in ("sparsecode", "sdr", "memory"):
        assert (ROOT / package / "__init__.py").is_file()
        assert (ROOT / package / "py.typed").is_file()


@pytest.mark.parametrize("package", ["sparsecode", "sdr", "memory"])
def test_every_folder_of_modules_is_a_package(package):
    folders = {path.parent for path in (ROOT / package).rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_the_version_stands_in_one_place():
    tree = ast.parse((ROOT / "sparsecode" / "__init__.py").read_text(encoding="utf8"))
    literals = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__"
    ]
    assert literals == [sparsecode.__version__]
    assert SETUP["metadata"]["version"] == "attr: sparsecode.__version__"
    cited = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert cited is not None
    assert cited[1] == sparsecode.__version__


def test_all_is_everything_but_the_peers():
    everything = set().union(*(closure(extra) for extra in EXTRAS if extra != "bench"))
    assert closure("all") == everything
    assert {"brian2", "torch", "dask", "celer"} <= closure("test")
    assert not {"spams-bin", "abess"} & closure("all")


@pytest.mark.parametrize("extra", ["core", *EXTRAS])
def test_every_requirement_is_pinned_within_its_range(extra):
    for requirement in CORE if extra == "core" else EXTRAS[extra]:
        if requirement.name == "sparsecode":
            assert requirement.extras <= set(EXTRAS)
            continue
        (pin,) = PINS[canonicalize_name(requirement.name)].specifier
        assert requirement.specifier.contains(pin.version, prereleases=True), requirement


def test_the_pins_are_names_and_versions_only():
    for line in (ROOT / "constraints.txt").read_text(encoding="utf8").splitlines():
        assert re.fullmatch(r"#.*|[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.]*", line), line


@pytest.mark.parametrize("extra", ["core", "test"])
def test_the_pins_cover_what_the_requirements_require(extra):
    """Follow the metadata of what is installed: nothing may be left for a later release."""
    waiting = [canonicalize_name(r.name) for r in CORE] if extra == "core" else [*closure(extra)]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name == "torch":  # its builds for accelerators bring packages of their own
            continue
        for text in importlib.metadata.requires(name) or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(canonicalize_name(requirement.name))
    assert sorted(seen - {"setuptools"} - set(PINS)) == []


def test_fragments_are_of_a_known_kind():
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))
    kinds = {kind["directory"] for kind in config["tool"]["towncrier"]["type"]}
    fragments = [path for path in (ROOT / "changes").iterdir() if path.name[0] not in "._"]
    for path in fragments:
        assert re.fullmatch(r"(\+[\w-]+|\d+)\.(\w+)\.md", path.name), path.name
        assert path.name.split(".")[1] in kinds
        assert path.read_text(encoding="utf8").strip()
