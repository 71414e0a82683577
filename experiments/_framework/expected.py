"""The papers' numbers, each with where it stands and how it is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from sparsecode.core.io import load_json

__all__ = ["Expected", "Value", "expected"]

FOLDER = Path(__file__).resolve().parents[1] / "expected"
#: How a published value is known.
EVIDENCE = {
    "abstract": "printed in the abstract",
    "caption": "printed in a figure caption",
    "text": "printed in the text or a table",
    "code": "found in the authors' public code or its logs",
    "figure": "read off a figure",
    "derived": "follows by algebra from the others",
}


@dataclass(frozen=True)
class Value:
    """One published value.

    Attributes
    ----------
    value : float, str, list or dict
        The number, or what is said.
    source : str
        Figure, table or number within the paper.
    evidence : str
        How it is known, a key of :data:`EVIDENCE`.
    tolerance : float or None
        Relative deviation up to which a measurement counts as equal.
    note : str
        What a reader must know besides.
    cited : str
        Paper and source in one line, for a claim.
    """

    value: Any
    source: str
    evidence: str
    tolerance: float | None = None
    note: str = ""
    cited: str = ""


class Expected(Mapping[str, Value]):
    """A paper's published values by name; see :func:`expected`."""

    def __init__(self, saved: Mapping[str, Any], values: dict[str, Value]) -> None:
        self.paper, self.citation, self.doi = saved["paper"], saved["citation"], saved["doi"]
        self.unknown = list(saved.get("unknown", ()))  # what the paper leaves open
        self._values = values

    def __getitem__(self, name: str) -> Value:
        try:
            return self._values[name]
        except KeyError:
            known = ", ".join(self._values)
            raise KeyError(f"{self.paper} has no value {name!r}; it has {known}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def expected(name: str) -> Expected:
    """Read ``experiments/expected/<name>.json``.

    Raises
    ------
    ValueError
        If there is no such file, or a value says nothing of how it is known.
    """
    path = FOLDER / f"{name}.json"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.json")))
        raise ValueError(f"No published values are called {name!r}; the known ones are {known}.")
    saved = load_json(path)
    values = TypeAdapter(dict[str, Value]).validate_python(
        {
            key: {**value, "cited": f"{saved['paper']}, {value['source']}"}
            for key, value in saved["values"].items()
        }
    )
    for key, value in values.items():
        if value.evidence not in EVIDENCE:
            raise ValueError(
                f"evidence must be one of {', '.join(EVIDENCE)}; got {value.evidence!r} for "
                f"{key} of {name}."
            )
    return Expected(saved, values)
