"""What every associative memory does: store patterns in one presentation, recall them from cues."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.exceptions import NotFittedError

from sparsecode.core._checks import as_binary_code, check_code
from sparsecode.core.code import SparseCode
from sparsecode.core.io import _load, save_arrays, understood
from sparsecode.core.ops import reshape

__all__ = ["AssociativeMemory", "Recall"]


@dataclass(frozen=True, eq=False)
class Recall:
    """What a memory answers to a batch of cues.

    Attributes
    ----------
    code : SparseCode
        One row per cue, over the units of what `store` returned: the pattern itself, or what the
        memory associates with it, or the code that it has chosen for it.
    familiarity : ndarray of shape (n_samples,)
        From 0, nothing known, as for a cue without an active unit, to 1, all of the cue known.
        Each memory says how it measures this.
    pattern : SparseCode
        One row per cue: the pattern that the memory gives back, over the units of the patterns.
        The same object as `code` but in memories that code their patterns.
    """

    code: SparseCode
    familiarity: np.ndarray
    pattern: SparseCode


class AssociativeMemory(ABC):
    """Base of the associative memories: the checks, files and names that they share.

    A pattern is presented once: there are no epochs, and whether patterns come in one batch or in
    several makes no difference. The first patterns fix the units of the memory.

    Attributes
    ----------
    n_stored : int
        Number of patterns that were presented.
    unit_shape : tuple of int or None
        Shape of the units of patterns; None before the first.
    """

    #: Names of the constructor's arguments, each also an attribute.
    _parameters: ClassVar[tuple[str, ...]] = ()

    n_stored: int = 0
    unit_shape: tuple[int, ...] | None = None

    @abstractmethod
    def store(self, patterns: Any) -> SparseCode:
        """Store every pattern once, and return what `recall` should answer to each.

        Parameters
        ----------
        patterns : SparseCode, array-like or sparse array of shape (n_samples, n_units)
            Binary: a binary code, bool, or numbers that are all 0 or 1.

        Returns
        -------
        SparseCode

        Raises
        ------
        ValueError, TypeError
            If the patterns are not binary, or not over the units of those before.
        """

    @abstractmethod
    def recall(self, cues: Any) -> Recall:
        """Return what the memory holds for every cue; the memory does not change.

        Parameters
        ----------
        cues : SparseCode, array-like or sparse array of shape (n_samples, n_units)
            Binary, over the units of the patterns.

        Returns
        -------
        Recall

        Raises
        ------
        ValueError, TypeError
            If the cues are not binary, or not over the units of the patterns.
        sklearn.exceptions.NotFittedError
            Before anything is stored.
        """

    @property
    @abstractmethod
    def n_weights(self) -> int:
        """Number of modifiable weights; 0 before the first pattern."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Bytes of everything that was learned."""

    @abstractmethod
    def _arrays(self) -> dict[str, np.ndarray]:
        """Return all that was learned, by name."""

    @abstractmethod
    def _restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take what `_arrays` returned; ValueError or KeyError where it does not fit."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the memory to a file, atomically and with a checksum.

        Parameters
        ----------
        path : path-like
            File to write or replace, ``.safetensors`` or ``.npz``.

        Raises
        ------
        ValueError
            If the suffix is neither.
        """
        about = {
            "kind": type(self).__name__,
            "parameters": self._plain_parameters(),
            "n_stored": self.n_stored,
            "unit_shape": self.unit_shape,
        }
        save_arrays(path, self._arrays() if self.n_stored else {}, about)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what :meth:`save` wrote.

        Parameters
        ----------
        path : path-like
            A ``.safetensors`` or ``.npz`` file.

        Returns
        -------
        AssociativeMemory
            Of this class, with all that was learned.

        Raises
        ------
        ValueError
            If the file is damaged, was cut short, or holds something else.
        OSError
            If it cannot be opened.
        """
        arrays, about = _load(path, checksum=True)
        kind = about.get("kind") if isinstance(about, dict) else None
        if kind != cls.__name__:
            raise ValueError(
                f"{Path(path).name} must hold a {cls.__name__}; got {kind or 'other arrays'}."
            )
        with understood(path, f"be a {cls.__name__}"):
            memory = cls(**about["parameters"])
            if about["n_stored"]:
                memory.n_stored = int(about["n_stored"])
                memory.unit_shape = tuple(int(size) for size in about["unit_shape"])
                memory._restore(arrays)
        return memory

    def __repr__(self) -> str:
        units = "" if self.unit_shape is None else " of " + " x ".join(map(str, self.unit_shape))
        return f"<{type(self).__name__} {self.n_stored} stored{units}, {self.nbytes:,} bytes>"

    def _plain_parameters(self) -> dict[str, Any]:
        """Return the constructor's arguments as JSON holds them."""
        return {name: getattr(self, name) for name in self._parameters}

    def _check_patterns(self, patterns: Any, name: str = "patterns") -> SparseCode:
        """Return binary patterns, over the units of those before if there are any."""
        return self._check_over(patterns, name, self.unit_shape, "the stored patterns")

    @staticmethod
    def _check_over(
        patterns: Any, name: str, unit_shape: tuple[int, ...] | None, whose: str
    ) -> SparseCode:
        """Return binary patterns over units of this shape, which arrays are taken to have."""
        code = as_binary_code(name, patterns)
        if unit_shape is None:
            return code
        if not isinstance(patterns, SparseCode) and code.n_units == prod(unit_shape):
            code = reshape(code, unit_shape)
        return check_code(name, code, unit_shape=unit_shape, whose=whose)

    def _check_cues(self, cues: Any) -> SparseCode:
        """Return binary cues over the units of what is stored."""
        if not self.n_stored:
            raise NotFittedError(
                f"a {type(self).__name__} must hold a pattern before it can recall; got none. "
                "Call store first."
            )
        return self._check_patterns(cues, "cues")
