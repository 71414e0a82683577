"""Progress bars on standard error; plain lines, now and then, where that is not a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TextIO, TypeVar

from tqdm.auto import tqdm

__all__ = ["silent", "track"]

Item = TypeVar("Item")
#: Seconds between two lines in a log file.
LOG_INTERVAL = 10.0


class _Lines:
    """Turn what tqdm redraws in place into lines of a log."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> None:
        """Write `text` as a line of its own, unless it is blank."""
        if text.strip():
            self.stream.write(text.strip() + "\n")

    def flush(self) -> None:
        """Flush the stream."""
        self.stream.flush()


def track(items: Iterable[Item], description: str = "", total: int | None = None) -> Iterator[Item]:
    """Iterate over `items` and show how far it has come."""
    if sys.stderr.isatty():
        yield from tqdm(items, description, total, leave=False, dynamic_ncols=True)
    else:
        yield from tqdm(
            items, description, total, file=_Lines(sys.stderr), mininterval=LOG_INTERVAL,
            maxinterval=LOG_INTERVAL, bar_format="{desc}: {n_fmt} of {total_fmt}, {elapsed}",
        )  # fmt: skip


def silent(
    items: Iterable[Item], description: str = "", total: int | None = None
) -> Iterable[Item]:
    """Iterate over `items` and show nothing."""
    return items
