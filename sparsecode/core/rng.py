"""Named random streams from one seed, so that one more draw never shifts another."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from sparsecode._validation import check_count

__all__ = ["Streams"]


@dataclass(frozen=True, slots=True)
class Streams:
    """Independent random generators, each a function of the seed and its own name alone.

    ``streams(name)`` always starts that stream from its beginning: whichever streams were asked
    for before, and however much was drawn from them, the numbers are the same. Two uses that
    must not share their numbers therefore need two names (``f"batch-{i}"``); one that goes on
    drawing keeps its generator.

    Parameters
    ----------
    seed : int
        At least 0.
    path : tuple of str, optional
        Names that led here through :meth:`spawn`.

    Raises
    ------
    ValueError, TypeError
        If `seed` is negative or no integer, or a name is empty or no string.

    Notes
    -----
    The stream is ``PCG64(SeedSequence(seed, spawn_key=key))`` with 128 bits of the SHA-256 of
    each name on the path as key.

    Examples
    --------
    >>> from sparsecode.core import Streams
    >>> streams = Streams(3)
    >>> first = streams("probes").integers(100, size=4)
    >>> _ = streams("noise").normal(size=1000)
    >>> bool((streams("probes").integers(100, size=4) == first).all())
    True
    """

    seed: int
    path: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", check_count("seed", self.seed, minimum=0))
        object.__setattr__(self, "path", tuple(_check_name(name) for name in self.path))

    def __call__(self, name: str) -> np.random.Generator:
        """Return a fresh generator at the start of the stream called `name`."""
        return np.random.Generator(np.random.PCG64(self.sequence(name)))

    def spawn(self, name: str) -> Streams:
        """Return streams of their own for a part, such as a worker or one repetition."""
        return Streams(self.seed, (*self.path, name))

    def sequence(self, name: str) -> np.random.SeedSequence:
        """Return the SeedSequence behind ``self(name)``, for other bit generators."""
        names = (*self.path, _check_name(name))
        return np.random.SeedSequence(self.seed, spawn_key=[w for n in names for w in _words(n)])


def _words(name: str) -> tuple[int, ...]:
    """Return 128 bits of a name's SHA-256 as four 32-bit words."""
    digest = hashlib.sha256(name.encode()).digest()
    return tuple(int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4))


def _check_name(name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"name must be a string; got {name!r}.")
    if not name:
        raise ValueError("name must not be empty; got ''.")
    return name
