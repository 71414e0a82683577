"""Finished parts of a long run, kept until the run is whole."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sparsecode.core.io import load_arrays, save_arrays

from .record import as_arrays

__all__ = ["Parts"]


class Parts:
    """Compute each keyed part once, however often the run is interrupted.

    The folder is named by config, seed and source code: a part is resumed only by a run that
    asks the same of the same code, so an edit can never mix old numbers with new ones. It is
    emptied when the run is whole, so that running again computes again.

    Parameters
    ----------
    folder : pathlib.Path or None
        Where parts are kept; None keeps nothing.

    Attributes
    ----------
    n_resumed : int
        How many parts were found finished.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder, self.n_resumed = folder, 0
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
        if not re.fullmatch(r"[\w.-]+", key) or key in self._used:
            why = "it was used before" if key in self._used else "it has other characters"
            raise ValueError(
                f"A part's key must be unique, of letters, digits, '.', '-' and '_'; got {key!r}, "
                f"and {why}."
            )
        self._used.add(key)
        path = None if self.folder is None else self.folder / f"{key}.npz"
        if path is not None and path.is_file():
            with contextlib.suppress(ValueError):  # a damaged part is computed again
                part = load_arrays(path)
                self.n_resumed += 1
                return part
        part = as_arrays(function(*arguments))
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            save_arrays(path, part)
        return part

    def discard(self) -> None:
        """Remove every part, of this and of older code."""
        if self.folder is not None:
            shutil.rmtree(self.folder.parent, ignore_errors=True)
