"""The public names are those of the API reference, and each module says which they are."""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module", autouse=True)
def table():
    """Return the table of the API reference, which lives beside the docs."""
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        return importlib.import_module("api_reference")
    finally:
        sys.path.remove(str(ROOT / "docs"))


def public_modules() -> list[str]:
    """Return every package, the single files beside them, and modules that packages offer."""
    names = []
    for package in ("sparsecode", "sdr", "memory"):
        for init in sorted((ROOT / package).rglob("__init__.py")):
            name = ".".join(init.parent.relative_to(ROOT).parts)
            module = importlib.import_module(name)
            offered = [getattr(module, inner) for inner in getattr(module, "__all__", [])]
            names += [name, *(inner.__name__ for inner in offered if inspect.ismodule(inner))]
    names += [f"sparsecode.{path.stem}" for path in (ROOT / "sparsecode").glob("[!_]*.py")]
    return sorted(set(names))


def offered(name: str) -> dict[str, object]:
    """Return what a module offers by its ``__all__``, modules left out."""
    module = importlib.import_module(name)
    names = getattr(module, "__all__", [])
    assert len(names) == len(set(names)), f"{name}.__all__ repeats a name"
    found = {inner: getattr(module, inner) for inner in names if not inner.startswith("__")}
    return {inner: value for inner, value in found.items() if not inspect.ismodule(value)}


def test_the_reference_lists_exactly_the_public_names(table):
    listed = {section.module: section.names for section in table.API}
    assert len(listed) == len(table.API)
    documented = [
        getattr(importlib.import_module(section), name)
        for section, names in listed.items()
        for name in names
    ]
    for module in public_modules():
        names = set(offered(module))
        if module == "sparsecode":  # what it only repeats has its page already
            repeated = {
                name for name, one in offered(module).items() if any(one is d for d in documented)
            }
            names -= repeated - listed.get(module, set())
        assert listed.get(module, set()) == names, module
    assert set(listed) <= set(public_modules())


def test_no_name_stands_twice_on_a_page(table):
    for section in table.API:
        assert sum(map(len, section.groups.values())) == len(section.names)


def test_modules_say_what_is_public():
    for package in ("sparsecode", "sdr", "memory"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if path.name.startswith("_"):
                continue
            module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
            assert module.__all__, path


def test_the_pages_hold_every_name(table, tmp_path):
    table.write(tmp_path / "api")
    index = (tmp_path / "api" / "index.rst").read_text()
    for section in table.API:
        assert f"   {section.module}\n" in index
        page = (tmp_path / "api" / f"{section.module}.rst").read_text()
        for name in section.names:
            assert f"   {name}\n" in page
