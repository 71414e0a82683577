"""A report under way: what is finished, how long the rest may take, and where it stopped."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from sparsecode.core.io import load_json, save_json

from .experiment import Experiment
from .provenance import source_hash
from .record import Record

__all__ = ["Board", "Schedule"]

#: Lines of the table above and below the experiment that runs.
AROUND = 4


class Schedule:
    """Which experiments of a report are finished, kept on disk until the report is whole.

    Parameters
    ----------
    results : pathlib.Path
        Where records are kept.
    preset : str
        Size of the report.
    seed : int
        Seed of its random streams.

    Attributes
    ----------
    n_resumed : int
        How many experiments an interrupted report had finished.
    """

    def __init__(self, results: Path, preset: str, seed: int) -> None:
        self.path = results / f"report-{preset}-seed{seed}.unfinished.json"
        self.times_path = results / "report-times.json"
        self.preset, self.n_resumed = preset, 0
        self.finished = _mapping(self.path)
        self.times = {
            name: float(seconds)
            for name, seconds in _mapping(self.times_path).items()
            if isinstance(seconds, int | float) and 0 <= seconds < 1e9
        }

    def resumed(self, one: Experiment, folder: Path) -> Record | None:
        """Return the record that the interrupted report had finished, if its code is the same."""
        note = self.finished.get(one.name)
        if not isinstance(note, dict) or note.get("source") != source_hash(one.source_file()):
            return None
        try:
            record = one.load(folder)
        except (OSError, ValueError):
            return None
        if record.digest != note.get("digest"):
            return None
        self.n_resumed += 1
        return record

    def finish(self, one: Experiment, record: Record, seconds: float) -> None:
        """Note that an experiment is finished and how long it took in all."""
        source = source_hash(one.source_file())
        self.finished[one.name] = {"digest": record.digest, "source": source}
        if not record.n_resumed:
            self.times[f"{one.name} {self.preset}"] = round(seconds, 2)
            save_json(self.times_path, self.times)
        save_json(self.path, self.finished)

    def close(self) -> None:
        """Forget what was finished: the report is whole, and the next one begins anew."""
        self.path.unlink(missing_ok=True)

    def seconds_left(self, waiting: Iterable[str], done: Sequence[float]) -> float | None:
        """Estimate how long experiments take: what they took last, else the mean of those done."""
        known = [self.times.get(f"{name} {self.preset}") for name in waiting]
        guesses = [*done, *(seconds for seconds in known if seconds is not None)]
        if not guesses:
            return None if known else 0.0
        mean = sum(guesses) / len(guesses)
        return sum(mean if seconds is None else seconds for seconds in known)


@dataclass
class _Row:
    name: str
    state: str = "waits"
    seconds: float | None = None


class Board:
    """The table of a report on a terminal, redrawn in place; lines of a log elsewhere.

    Parameters
    ----------
    names : sequence of str
        The experiments, in the order in which they run.
    preset : str
        Their size.
    stream : file, optional
        Where it is shown; by default standard error.
    """

    def __init__(self, names: Sequence[str], preset: str, stream: TextIO | None = None) -> None:
        self.rows = [_Row(name) for name in names]
        self.preset = preset
        self.stream = sys.stderr if stream is None else stream
        self.is_live = self.stream.isatty()
        self.started, self._height = time.monotonic(), 0

    def begin(self, index: int, left: float | None) -> None:
        """Show that an experiment begins, and how long all may still take."""
        self.rows[index].state = "runs"
        if self.is_live:
            self._draw(index, left)
        else:
            about = f"; {_about(left)}" if index and left is not None else ""
            name = f"{self.rows[index].name} ({self.preset})"
            self.stream.write(f"[{index + 1}/{len(self.rows)}] {name}{about}\n")
            self.stream.flush()

    def end(self, index: int, state: str, seconds: float, left: float | None) -> None:
        """Show what came of an experiment, and how long the rest may take."""
        self.rows[index] = _Row(self.rows[index].name, state, seconds)
        if self.is_live:
            self._draw(index, left)
        else:
            self.stream.write(f"  {seconds:.1f} s: {state}\n")
            self.stream.flush()

    def _draw(self, index: int, left: float | None) -> None:
        """Draw the rows around one, over those that were drawn before."""
        size = shutil.get_terminal_size()
        around = max(1, min(AROUND, (size.lines - 4) // 2))
        first = max(0, min(index - around, len(self.rows) - 2 * around - 1))
        shown = self.rows[first : first + 2 * around + 1]
        width = max(len(row.name) for row in self.rows)
        lines = [
            f"{number:3d} {row.name:{width}} {_seconds(row.seconds):>8}  {row.state}"
            for number, row in enumerate(shown, first + 1)
        ]
        n_done = sum(row.seconds is not None for row in self.rows)
        lines.append(
            f"{n_done} of {len(self.rows)} ({self.preset}), "
            f"{_seconds(time.monotonic() - self.started)} so far, {_about(left)}"
        )
        back = f"\x1b[{self._height}F" if self._height else ""
        text = "".join(f"{line[: size.columns - 1]}\n" for line in lines)
        self.stream.write(f"{back}\x1b[J{text}")
        self.stream.flush()
        self._height = len(lines)


def _mapping(path: Path) -> dict[str, Any]:
    """Return what a JSON file holds, nothing where there is none or another thing."""
    try:
        found = load_json(path)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _about(left: float | None) -> str:
    if left is None:
        return "time left unknown"
    return f"about {_seconds(left)} left"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
