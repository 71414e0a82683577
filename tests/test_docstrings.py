"""Every public object has a docstring in numpydoc's format, complete and in order."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent

#: What we do not ask for: an extended summary, examples, "See Also", words below the opening
#: quotes, words under a return type that says it all, a capital where "l1" begins a sentence.
WAIVED = {"ES01", "EX01", "GL01", "PR08", "RT03", "SA01", "SS02"}
#: What a docstring of one line may leave out besides: its sentence says what is returned.
WAIVED_IN_ONE_LINE = WAIVED | {"PR01", "RT01"}


def public_objects() -> dict[str, Any]:
    """Return every class and function of the API reference, and the methods, by full name."""
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        sections = importlib.import_module("api_reference").API
    finally:
        sys.path.remove(str(ROOT / "docs"))
    found: dict[str, Any] = {}
    for section in sections:
        module = importlib.import_module(section.module)
        for name in sorted(section.names):
            one = getattr(module, name)
            if one is not Any and (inspect.isclass(one) or inspect.isroutine(one)):
                found[f"{section.module}.{name}"] = one
            if inspect.isclass(one) and one is not Any:
                found.update((f"{section.module}.{name}.{m}", o) for m, o in members(one))
    return found


def members(one: type) -> Iterator[tuple[str, Any]]:
    for name, member in vars(one).items():
        is_ours = inspect.isroutine(member) or isinstance(
            member, property | classmethod | staticmethod
        )
        if is_ours and not name.startswith("_"):
            yield name, getattr(one, name)


OBJECTS = public_objects()


def complaints(name: str, one: Any) -> list[tuple[str, str]]:
    from numpydoc.validate import validate

    text = inspect.getdoc(one) or ""
    waived = WAIVED if "\n" in text else WAIVED_IN_ONE_LINE
    if isinstance(one, type) and "\nAttributes\n" in text:
        waived = waived | {"PR01"}  # the fields of a named tuple or dataclass
    return [(code, said) for code, said in validate(name)["errors"] if code not in waived]


@pytest.mark.parametrize("name", OBJECTS)
def test_docstring(name):
    assert complaints(name, OBJECTS[name]) == []


def test_the_table_is_not_empty():
    assert len(OBJECTS) > 50
