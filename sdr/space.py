"""`SDRSpace`: all codes of so many active units, drawn uniformly, and what noise makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb, prod
from typing import Any

import numpy as np

from sdr._space_kernels import move_units
from sparsecode._validation import check_count, check_probability, check_rng
from sparsecode.core._checks import check_code
from sparsecode.core.code import SparseCode, _check_unit_shape, _select

__all__ = ["SDRSpace"]

#: Random numbers that are drawn together.
_CHUNK = 2**20


@dataclass(frozen=True)
class SDRSpace:
    """Sparse distributed representations: `n_active` of `n_units` binary units are active.

    An SDR batch is a binary :class:`~sparsecode.core.SparseCode`. Each method that changes one
    takes and returns batches over the units of the space; their rows may have any number of active
    units, as they have after noise.

    Parameters
    ----------
    n_units : int
        Number of units, ``n`` in the papers.
    n_active : int
        Number of active units of each sample, ``a`` or ``w`` in the papers; at most `n_units`.
    unit_shape : int or sequence of int, optional
        Shape of the units, of `n_units` in all; by default ``(n_units,)``.

    Raises
    ------
    ValueError, TypeError
        If the numbers do not describe such a space.

    References
    ----------
    S. Ahmad and J. Hawkins, "How do neurons operate on sparse distributed representations? A
    mathematical theory of sparsity, neurons and active dendrites", arXiv:1601.00720, 2016.

    Examples
    --------
    >>> from sdr import SDRSpace
    >>> from sparsecode.core import overlap
    >>> space = SDRSpace(2048, 40)
    >>> code = space.sample(3, rng=0)
    >>> code
    <SparseCode 3 x 2048, 2.0 % active, binary>
    >>> noisy = space.corrupt(code, fraction=0.25, rng=1)
    >>> overlap(code, noisy, rowwise=True)
    array([30, 30, 30], dtype=int32)
    """

    n_units: int
    n_active: int
    unit_shape: Any = None

    def __post_init__(self) -> None:
        n_units = check_count("n_units", self.n_units)
        n_active = check_count("n_active", self.n_active)
        if n_active > n_units:
            raise ValueError(f"n_active must be at most n_units, {n_units}; got {n_active}.")
        shape = _check_unit_shape(n_units if self.unit_shape is None else self.unit_shape)
        if prod(shape) != n_units:
            raise ValueError(
                f"unit_shape must hold n_units, {n_units}; got {shape}, {prod(shape)} units."
            )
        object.__setattr__(self, "unit_shape", shape)

    @property
    def sparsity(self) -> float:
        """Share of active units."""
        return self.n_active / self.n_units

    @property
    def n_codes(self) -> int:
        """Number of different codes, ``n! / (a! (n - a)!)``."""
        return comb(self.n_units, self.n_active)

    def check(self, code: Any, name: str = "code") -> SparseCode:
        """Return `code` if it is binary and over the units of this space.

        Parameters
        ----------
        code : SparseCode
            Batch of codes, of any number of active units.
        name : str
            What a message calls it.

        Returns
        -------
        SparseCode

        Raises
        ------
        ValueError, TypeError
            If it is no SparseCode, is real, or has another `unit_shape`.
        """
        return check_code(name, code, unit_shape=self.unit_shape, whose="the space", binary=True)

    def __contains__(self, code: Any) -> bool:
        """Say whether every sample of a batch is a code of this space, of `n_active` units."""
        try:
            return bool((self.check(code).n_active == self.n_active).all())
        except (TypeError, ValueError):
            return False

    def sample(self, n_samples: int, rng: Any = None) -> SparseCode:
        """Draw codes, each of the space's equally likely.

        Parameters
        ----------
        n_samples : int
            How many.
        rng : Generator, int or None
            Source of randomness; the first rows are the same whatever `n_samples` is.

        Returns
        -------
        SparseCode

        Raises
        ------
        ValueError, TypeError
            If `n_samples` is negative or no integer.
        """
        n_samples = check_count("n_samples", n_samples, minimum=0)
        silent = SparseCode._trusted(
            np.zeros(n_samples + 1, np.int64), np.empty(0, np.int32), None, self.unit_shape
        )
        return self._move(silent, np.zeros(n_samples, np.int64), self.n_active, rng)

    def corrupt(
        self,
        code: SparseCode,
        *,
        fraction: float | None = None,
        n_moved: int | None = None,
        rng: Any = None,
    ) -> SparseCode:
        """Move active units to places that were off; each sample keeps their number.

        The noise of the theory (``v`` of the ``a`` units are moved), and what htm.core calls
        ``addNoise``.

        Parameters
        ----------
        code : SparseCode
            Codes over the units of the space.
        fraction : float, optional
            Share of each sample's active units, between 0 and 1, rounded to the nearest number,
            halves to the even one.
        n_moved : int, optional
            Number for each sample, instead of a fraction; at most its active units.
        rng : Generator, int or None
            Source of randomness.

        Returns
        -------
        SparseCode
            Shares exactly the units that were not moved with `code`.

        Raises
        ------
        ValueError, TypeError
            If not exactly one of `fraction` and `n_moved` is given, there are too few active units
            or too few places that are off, or the code is of another space.
        """
        code = self.check(code)
        if (fraction is None) == (n_moved is None):
            raise ValueError(
                f"fraction or n_moved must be given, one of them; got {fraction!r} and {n_moved!r}."
            )
        if n_moved is None:
            moved = np.rint(check_probability("fraction", fraction) * code.n_active)
        else:
            moved = np.full(code.n_samples, check_count("n_moved", n_moved, minimum=0))
        too_few = moved > code.n_active
        if too_few.any():
            raise ValueError(
                f"n_moved must be at most the number of active units; got {n_moved} for "
                f"{code.n_active[too_few][0]} units in row {np.flatnonzero(too_few)[0]}."
            )
        return self._move(code, moved.astype(np.int64), moved, rng)

    def add_noise(self, code: SparseCode, n_extra: int, rng: Any = None) -> SparseCode:
        """Turn on units that were off, such as spikes of cells that the pattern does not contain.

        Parameters
        ----------
        code : SparseCode
            Codes over the units of the space.
        n_extra : int
            How many in each sample; at most as many as are off.
        rng : Generator, int or None
            Source of randomness.

        Returns
        -------
        SparseCode
            Contains `code`.

        Raises
        ------
        ValueError, TypeError
            If too few units are off, or the code is of another space.
        """
        n_extra = check_count("n_extra", n_extra, minimum=0, maximum=self.n_units)
        code = self.check(code)
        return self._move(code, np.zeros(code.n_samples, np.int64), n_extra, rng)

    def drop(self, code: SparseCode, probability: float, rng: Any = None) -> SparseCode:
        """Turn each active unit off independently, as synapses or spikes fail.

        Parameters
        ----------
        code : SparseCode
            Codes over the units of the space.
        probability : float
            Of each active unit of each sample to fail, between 0 and 1.
        rng : Generator, int or None
            Source of randomness.

        Returns
        -------
        SparseCode
            Contained in `code`.

        Raises
        ------
        ValueError, TypeError
            If `probability` lies outside [0, 1], or the code is of another space.
        """
        probability = check_probability("probability", probability)
        code = self.check(code)
        return _kept(code, check_rng(rng).random(code.nnz) >= probability)

    def kill_cells(self, code: SparseCode, fraction: float, rng: Any = None) -> SparseCode:
        """Turn the same units off in every sample, as dead cells are.

        Parameters
        ----------
        code : SparseCode
            Codes over the units of the space.
        fraction : float
            Share of the units that are dead, between 0 and 1, active or not; rounded to the
            nearest number of units.
        rng : Generator, int or None
            Source of randomness. The same seed kills the same cells of any code.

        Returns
        -------
        SparseCode
            Contained in `code`.

        Raises
        ------
        ValueError, TypeError
            If `fraction` lies outside [0, 1], or the code is of another space.
        """
        n_dead = round(check_probability("fraction", fraction) * self.n_units)
        code = self.check(code)
        is_dead = np.zeros(self.n_units, bool)
        is_dead[check_rng(rng).choice(self.n_units, n_dead, replace=False, shuffle=False)] = True
        return _kept(code, ~is_dead[code.indices])

    def _move(self, code: SparseCode, n_dropped: np.ndarray, n_added: Any, rng: Any) -> SparseCode:
        """Drop so many units of each row at random, and add so many that were off."""
        n_added = np.broadcast_to(np.asarray(n_added, np.int64), n_dropped.shape).copy()
        crowded = n_added > self.n_units - code.n_active
        if crowded.any():
            i = np.flatnonzero(crowded)[0]
            raise ValueError(
                f"code must have as many units off as are to be turned on, {n_added[i]}; got "
                f"{self.n_units - code.n_active[i]} in row {i}."
            )
        rng, words = check_rng(rng), self.n_units // 32 + 1
        indptr = np.concatenate([[0], np.cumsum(code.n_active - n_dropped + n_added)])
        indices, marks = np.empty(indptr[-1], np.int32), np.zeros((2, words), np.int64)
        n_draws = np.concatenate([[0], np.cumsum(n_dropped + n_added)])
        first = 0
        while first < code.n_samples:
            last = np.searchsorted(n_draws, n_draws[first] + _CHUNK, "right") - 1
            last = max(int(last), first + 1)
            move_units(
                code.indptr[first : last + 1], code.indices, self.n_units, n_dropped[first:last],
                n_added[first:last], rng.random(n_draws[last] - n_draws[first]), *marks,
                indptr[first : last + 1], indices,
            )  # fmt: skip
            first = last
        return SparseCode._trusted(indptr, indices, None, self.unit_shape)


def _kept(code: SparseCode, keep: np.ndarray) -> SparseCode:
    """Return the code of the marked entries."""
    return SparseCode._trusted(*_select(keep, code.indptr, code.indices, None), code.unit_shape)
