"""Finished parts of a long run, kept until the run is whole."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sparsecode.core.io import load_arrays, save_arrays
from sparsecode.scale.runners import Failure, check_runner, run_shards

from .progress import silent
from .record import as_arrays

__all__ = ["PartError", "Parts"]


class PartError(RuntimeError):
    """Some parts of a sweep failed, after all others were computed and kept."""


@dataclass(frozen=True)
class _Part:
    """One part of a sweep, as it is sent to a worker."""

    index: int
    key: str
    function: Callable[..., Mapping[str, Any]]
    arguments: tuple[Any, ...]


class Parts:
    """Compute each keyed part once, however often the run is interrupted.

    The folder is named by config, seed and source code: a part is resumed only by a run that
    asks the same of the same code, so an edit can never mix old numbers with new ones. It is
    emptied when the run is whole, so that running again computes again.

    Parameters
    ----------
    folder : pathlib.Path or None
        Where parts are kept; None keeps nothing.
    progress : callable
        What shows how far a sweep has come: `track` or `silent`.
    n_workers : int, default=1
        Processes of this machine that sweeps run on.
    client : dask.distributed.Client, optional
        A cluster that sweeps run on instead. It must be able to import what they call.

    Attributes
    ----------
    n_resumed : int
        How many parts were found finished.
    """

    def __init__(
        self,
        folder: Path | None,
        progress: Callable[..., Iterable[Any]] = silent,
        n_workers: int = 1,
        client: Any = None,
    ) -> None:
        self.folder, self.n_resumed = folder, 0
        self.progress = progress
        self.n_workers, self.client = check_runner(n_workers, client), client
        self._used: set[str] = set()

    def cached(
        self, key: str, function: Callable[..., Mapping[str, Any]], *arguments: Any
    ) -> dict[str, np.ndarray]:
        """Return ``function(*arguments)``, or what it returned before the interruption.

        A resumed part is not computed, so it must draw from random streams of its own, named
        by its key: ``streams(f"patches-{penalty}")``.

        Parameters
        ----------
        key : str
            Letters, digits, dots, hyphens and underscores; unique within the run.
        function : callable
            Returns a mapping of names to arrays or numbers.
        *arguments
            What `function` is called with. They do not take part in the key.

        Returns
        -------
        dict of str to ndarray

        Raises
        ------
        ValueError
            If the key was used before or has other characters.
        TypeError
            If the part holds anything but numbers, booleans and text.
        """
        self._use(key)
        part = self._finished(key)
        return self._kept(key, function(*arguments)) if part is None else part

    def swept(
        self, tasks: Mapping[str, tuple[Any, ...]], description: str = "parts"
    ) -> dict[str, dict[str, np.ndarray]]:
        """Return :meth:`cached` of every task, on as many workers as the run has.

        On one, a part that fails ends the sweep with its own error. On several, or on a cluster,
        the others are computed and kept first.

        Parameters
        ----------
        tasks : dict of str to tuple
            By the part's key, a function and what it is called with. It must not write into that:
            other parts may be given the same, and workers get large arrays read-only.
        description : str
            What the parts are, for the progress bar.

        Returns
        -------
        dict of str to dict
            The parts by their keys, in the order of `tasks`.

        Raises
        ------
        PartError
            If a part failed on a worker.
        """
        if self.n_workers == 1 and self.client is None:
            return {
                key: self.cached(key, *task)
                for key, task in self.progress(tasks.items(), description)
            }
        for key in tasks:
            self._use(key)
        known = {key: self._finished(key) for key in tasks}
        found = {key: part for key, part in known.items() if part is not None}
        left = [
            _Part(index, key, task[0], task[1:])
            for index, (key, task) in enumerate(tasks.items())
            if key not in found
        ]
        failed: dict[str, Failure] = {}
        for key, result in self.progress(self._computed(left), description, len(left)):
            if isinstance(result, Failure):
                failed[key] = result
            else:
                found[key] = self._kept(key, result)
        if failed:
            first = min(failed, key=list(tasks).index)
            error = PartError(
                f"every part must be computed; got {len(failed)} of {len(tasks)} that failed, the "
                f"first {first}: {failed[first].reason.rstrip('.')}. Mend it and run again: what "
                f"was computed is kept."
            )
            error.add_note(failed[first].trace)
            raise error
        return {key: found[key] for key in tasks}

    def discard(self) -> None:
        """Remove every part, of this and of older code."""
        if self.folder is not None:
            shutil.rmtree(self.folder.parent, ignore_errors=True)

    def _use(self, key: str) -> None:
        """Refuse a key that cannot name a file, or names another part."""
        if not re.fullmatch(r"[\w.-]+", key) or key in self._used:
            why = "it was used before" if key in self._used else "it has other characters"
            raise ValueError(
                f"A part's key must be unique, of letters, digits, '.', '-' and '_'; got {key!r}, "
                f"and {why}."
            )
        self._used.add(key)

    def _finished(self, key: str) -> dict[str, np.ndarray] | None:
        """Return a part that an interrupted run had finished."""
        if self.folder is None or not (self.folder / f"{key}.npz").is_file():
            return None
        try:
            part = load_arrays(self.folder / f"{key}.npz")
        except ValueError:  # a damaged part is computed again
            return None
        self.n_resumed += 1
        return part

    def _kept(self, key: str, result: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Keep what was computed."""
        part = as_arrays(result)
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            save_arrays(self.folder / f"{key}.npz", part)
        return part

    def _computed(self, left: list[_Part]) -> Iterator[tuple[str, Any]]:
        """Compute parts on the workers, and yield each as it is done."""
        for part, result in run_shards(
            _compute, None, left, n_workers=self.n_workers, client=self.client
        ):
            yield part.key, result


def _compute(job: None, part: _Part) -> dict[str, np.ndarray]:
    return as_arrays(part.function(*part.arguments))
