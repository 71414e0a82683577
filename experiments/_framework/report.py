"""One self-contained HTML page: every figure, every claim, and how each was obtained."""

from __future__ import annotations

import base64
import hashlib
import os
import shlex
import struct
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sparsecode.core.io import write_bytes

from .experiment import Experiment
from .provenance import provenance
from .record import Record, Verdict

__all__ = [
    "MEANINGS",
    "SYMBOLS",
    "Entry",
    "count_verdicts",
    "duration",
    "link",
    "number",
    "write",
]

#: One character for each verdict, so that none is told by its colour alone.
SYMBOLS = {
    Verdict.REPRODUCED: "✓",
    Verdict.CAVEAT: "≈",
    Verdict.NOT_REPRODUCED: "✗",
    Verdict.NOT_TESTED: "·",
}
MEANINGS = {
    Verdict.REPRODUCED: "measured here as published",
    Verdict.CAVEAT: "holds, with the condition that is named",
    Verdict.NOT_REPRODUCED: "measured here, and it came out otherwise",
    Verdict.NOT_TESTED: "data, an extra or the published size is missing",
}
#: Pixels of the page per pixel of a figure, which is drawn fine enough for sharp screens.
PAGE_SCALE = 0.6
#: Rows of a table that the page shows.
SHOWN_ROWS = 60


@dataclass(frozen=True)
class Entry:
    """One experiment's place in a report: its record, or why there is none."""

    experiment: Experiment
    folder: Path
    record: Record | None = None
    problem: str = ""
    reused: bool = False
    outdated: bool = False

    @property
    def verdicts(self) -> list[Verdict]:
        """The verdicts of its claims, in order."""
        return [claim.verdict for claim in self.record.claims] if self.record else []


def count_verdicts(entries: Iterable[Entry]) -> dict[Verdict, int]:
    """Return how many claims have each verdict."""
    counts = Counter(verdict for entry in entries for verdict in entry.verdicts)
    return {verdict: counts[verdict] for verdict in Verdict}


def write(
    entries: Sequence[Entry], path: Path, preset: str, absent: Mapping[str, str] | None = None
) -> Path:
    """Write the page and return its path.

    Parameters
    ----------
    entries : sequence of Entry
    path : pathlib.Path
        The HTML file; links to the figures' PDF files are relative to it.
    preset : str
        The size that was asked for.
    absent : mapping of str to str, optional
        Modules of experiments that could not be imported, and what they need.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=number, picture=_picture, link=link, duration=duration, dots=_dots
    )
    entries = sorted(entries, key=lambda entry: bool(entry.problem))
    digests = "".join(entry.record.digest for entry in entries if entry.record)
    counts = count_verdicts(entries)
    page = environment.get_template("report.html.j2").render(
        entries=entries,
        preset=preset,
        absent=dict(absent or {}),
        counts=counts,
        n_claims=sum(counts.values()),
        seconds=sum(entry.record.seconds for entry in entries if entry.record),
        signature=_dots(hashlib.sha256(digests.encode()).hexdigest(), n_units=336, n_active=17),
        date=datetime.now(UTC),
        machine=provenance(),
        Verdict=Verdict,
        meanings=MEANINGS,
        asdict=asdict,
        shown_rows=SHOWN_ROWS,
        rerun=lambda entry: _rerun(entry, preset),
        pdf=lambda entry: _relative_address(entry.folder / "figure.pdf", path.parent),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, page.encode())
    return path


def number(value: Any) -> str:
    """Return a value as a reader likes it: three digits, thousands apart, a dash for nothing."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\u2009")
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list | tuple):
        return ", ".join(number(item) for item in value) or "–"
    return str(value)


def duration(seconds: float) -> str:
    """Return a time span in the unit that suits it."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def link(citation: str) -> str | None:
    """Return where ``doi:`` and ``arXiv:`` citations are found."""
    kind, _, rest = citation.partition(":")
    roots = {"doi": "https://doi.org/", "arxiv": "https://arxiv.org/abs/"}
    return roots[kind.lower()] + quote(rest) if kind.lower() in roots else None


def _picture(entry: Entry) -> dict[str, Any] | None:
    """Return the figure's data address and its size on the page, or None where there is none."""
    path = entry.folder / "figure.png"
    if entry.record is None or not path.is_file():
        return None
    content = path.read_bytes()
    width, height = struct.unpack(">II", content[16:24])  # as every PNG file begins
    return {
        "address": "data:image/png;base64," + base64.b64encode(content).decode(),
        "width": round(width * PAGE_SCALE),
        "height": round(height * PAGE_SCALE),
    }


def _relative_address(path: Path, start: Path) -> str:
    """Return the address of `path` as seen from the folder `start`."""
    return quote(Path(os.path.relpath(path, start)).as_posix())


def _rerun(entry: Entry, preset: str) -> str:
    """Return the command that computes the entry again."""
    seed = entry.record.seed if entry.record else 0
    name = shlex.quote(entry.experiment.name)
    return f"python -m experiments run {name} --preset {preset} --seed {seed}"


def _dots(digest: str, n_units: int = 128, n_active: int = 9) -> set[int]:
    """Return the active units of a sparse code that stands for a digest."""
    left = int(digest, 16)
    active: set[int] = set()
    while len(active) < n_active:
        left, unit = divmod(left, n_units)
        active.add(unit)
    return active
