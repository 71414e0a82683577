"""Neurons whose dendritic segments each recognise patterns of many cells by a few synapses."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from sdr._dendrites_kernels import sample_rows
from sdr._lists import SegmentLists
from sdr.simulation import random_states
from sdr.space import SDRSpace
from sparsecode._validation import check_count, check_probability, check_rng
from sparsecode.core import SparseCode, save_arrays, union
from sparsecode.core._checks import check_code
from sparsecode.core.io import _load, understood

__all__ = ["SegmentBank"]

_KIND = "SegmentBank"


class SegmentBank:
    """Neurons with segments, which start without synapses and learn some from each pattern.

    A segment is active when at least `threshold` of its synapses come from active cells. Whatever
    goes in and comes out is a binary :class:`~sparsecode.core.SparseCode`.

    Parameters
    ----------
    unit_shape : int or sequence of int
        Shape of the presynaptic cells, such as ``2048``.
    n_neurons : int, default=1
        Number of neurons.
    n_segments : int, default=1
        Segments on each neuron.

    Attributes
    ----------
    synapses : SparseCode
        The presynaptic cells of each segment, ``n_neurons * n_segments`` rows; those of neuron
        ``i`` begin at ``i * n_segments``.
    n_neurons, n_segments : int
        Number of neurons, and of segments on each.

    Raises
    ------
    ValueError, TypeError
        If a number is below 1.

    Notes
    -----
    Memory: 4 bytes a synapse and 8 a segment for :attr:`synapses`. The first detection after
    learning adds 2 bytes a synapse, and 8 bytes a cell for each 16,384 segments, for lists of the
    segments that each cell reaches. :attr:`nbytes` gives the sum.

    References
    ----------
    .. [1] S. Ahmad and J. Hawkins, "How do neurons operate on sparse distributed representations? A
       mathematical theory of sparsity, neurons and active dendrites", arXiv:1601.00720, 2016.

    Examples
    --------
    >>> from sparsecode.core import SparseCode
    >>> from sdr.dendrites import SegmentBank
    >>> patterns = SparseCode.from_indices([[0, 1, 2, 3], [4, 5, 6, 7]], 100)
    >>> bank = SegmentBank(100, n_neurons=2).learn(patterns, [0, 1], n_synapses=4, rng=0)
    >>> noisy = SparseCode.from_indices([[0, 1, 2, 50], [60, 70, 80, 90]], 100)
    >>> bank.active_neurons(noisy, 3).to_dense().astype(int)
    array([[1, 0],
           [0, 0]])
    """

    def __init__(self, unit_shape: Any, *, n_neurons: int = 1, n_segments: int = 1) -> None:
        self.n_neurons = check_count("n_neurons", n_neurons)
        self.n_segments = check_count("n_segments", n_segments)
        empty = np.zeros(self.n_neurons * self.n_segments + 1, np.int64)
        self.synapses = SparseCode(empty, np.empty(0, np.int32), None, unit_shape)

    @classmethod
    def random(
        cls,
        unit_shape: Any,
        n_synapses: int,
        *,
        n_neurons: int = 1,
        n_segments: int = 1,
        rng: Any = None,
    ) -> SegmentBank:
        """Return neurons whose segments have random synapses, each subset equally likely.

        Parameters
        ----------
        unit_shape : int or sequence of int
            Shape of the presynaptic cells.
        n_synapses : int
            Synapses on each segment, at most as many as there are cells.
        n_neurons, n_segments : int, default=1
            Number of neurons, and of segments on each.
        rng : Generator, int or None
            Source of random numbers.

        Returns
        -------
        SegmentBank

        Raises
        ------
        ValueError, TypeError
            If a number is out of its range.
        """
        bank = cls(unit_shape, n_neurons=n_neurons, n_segments=n_segments)
        n_synapses = check_count("n_synapses", n_synapses, maximum=bank.synapses.n_units)
        space = SDRSpace(bank.synapses.n_units, n_synapses, bank.synapses.unit_shape)
        bank._set_synapses(space.sample(bank.synapses.n_samples, rng))
        return bank

    @property
    def nbytes(self) -> int:
        """Bytes of synapses, and of the lists for detection once they are made."""
        lists = 0 if self._lists is None else self._lists.nbytes
        return self.synapses.indptr.nbytes + self.synapses.indices.nbytes + lists

    def __repr__(self) -> str:
        return (
            f"<SegmentBank {self.n_neurons} neurons x {self.n_segments} segments, "
            f"{self.synapses.nnz} synapses from {self.synapses.n_units} cells>"
        )

    def learn(
        self, code: SparseCode, segments: Any, *, n_synapses: int, rng: Any = None
    ) -> SegmentBank:
        """Let segments grow synapses from random active cells of patterns.

        Parameters
        ----------
        code : SparseCode
            Patterns; values play no part. Each has at least `n_synapses` active cells.
        segments : array-like of int, shape (n_samples,)
            Which segment learns which pattern: ``neuron * n_segments + segment``. One that is named
            several times keeps the union of what it samples from each of its patterns.
        n_synapses : int
            Synapses grown from each pattern; where one is there already none is added.
        rng : Generator, int or None
            Source of random numbers.

        Returns
        -------
        SegmentBank
            This one.

        Raises
        ------
        ValueError, TypeError
            If the code has other cells or too few active ones, or a segment does not exist.
        """
        self._check_code(code)
        n_synapses = check_count("n_synapses", n_synapses)
        segments = self._check_segments(segments, code.n_samples)
        poor = np.flatnonzero(code.n_active < n_synapses)
        if poor.size:
            raise ValueError(
                f"each pattern must have at least n_synapses, {n_synapses}, active cells; got "
                f"{code.n_active[poor[0]]} in row {poor[0]}. Grow fewer synapses."
            )
        drawn = np.empty((code.n_samples, n_synapses), np.int32)
        scratch = np.empty(code.n_active.max(initial=0), np.int32)
        with np.errstate(over="ignore"):
            state = random_states(rng, 1)[0]
            sample_rows(state, code.indptr, code.indices, n_synapses, scratch, drawn)
        rows = np.repeat(segments, n_synapses)
        grown = sparse.csr_array(
            (np.ones(drawn.size, bool), (rows, drawn.reshape(-1))), self.synapses.shape
        )
        grown_code = SparseCode.from_scipy(grown, self.synapses.unit_shape)
        self._set_synapses(union(self.synapses, grown_code) if self.synapses.nnz else grown_code)
        return self

    def overlaps(
        self,
        code: SparseCode,
        *,
        threshold: int = 1,
        failure: float = 0.0,
        rng: Any = None,
        n_threads: int | None = None,
    ) -> SparseCode:
        """Count the synapses of each segment that come from active cells.

        Parameters
        ----------
        code : SparseCode
            Inputs; values play no part.
        threshold : int, default=1
            Overlaps below it are left out.
        failure : float, default=0.0
            Probability that a synapse of an active cell transmits nothing, each by itself.
        rng : Generator, int or None
            Source of random numbers for the failures.
        n_threads : int, optional
            Threads to compute on; by default all that Numba may use.

        Returns
        -------
        SparseCode
            Overlaps in float32, over units of shape (n_neurons, n_segments).

        Raises
        ------
        ValueError, TypeError
            If the code has other cells, or a number is out of its range: a threshold above the
            synapses of every segment, too.
        """
        self._check_code(code)
        threshold = self._check_threshold(threshold)
        failure, rng = check_probability("failure", failure), check_rng(rng)
        if self._lists is None:
            self._lists = SegmentLists(self.synapses)
        samples, segments, values = self._lists.count(code, threshold, n_threads)
        if failure > 0.0:
            values = rng.binomial(values, 1.0 - failure)
            kept = values >= threshold
            samples, segments, values = samples[kept], segments[kept], values[kept]
        indptr = np.searchsorted(samples, np.arange(code.n_samples + 1))
        shape = (self.n_neurons, self.n_segments)
        return SparseCode._trusted(indptr, segments, values.astype(np.float32), shape)

    def detect(
        self,
        code: SparseCode,
        threshold: int,
        *,
        failure: float = 0.0,
        rng: Any = None,
        n_threads: int | None = None,
    ) -> SparseCode:
        """Return the segments that recognise inputs.

        Parameters
        ----------
        code : SparseCode
            Inputs; values play no part.
        threshold : int
            Synapses from active cells that activate a segment (theta).
        failure : float, default=0.0
            Probability that a synapse of an active cell transmits nothing, each by itself.
        rng : Generator, int or None
            Source of random numbers for the failures.
        n_threads : int, optional
            Threads to compute on; by default all that Numba may use.

        Returns
        -------
        SparseCode
            Binary, over units of shape (n_neurons, n_segments).

        Raises
        ------
        ValueError, TypeError
            If the code has other cells, or a number is out of its range.
        """
        found = self.overlaps(
            code, threshold=threshold, failure=failure, rng=rng, n_threads=n_threads
        )
        return SparseCode._trusted(found.indptr, found.indices, None, found.unit_shape)

    def active_neurons(
        self,
        code: SparseCode,
        threshold: int,
        *,
        failure: float = 0.0,
        rng: Any = None,
        n_threads: int | None = None,
    ) -> SparseCode:
        """Return the neurons of which at least one segment recognises inputs.

        Parameters
        ----------
        code : SparseCode
            Inputs; values play no part.
        threshold : int
            Synapses from active cells that activate a segment (theta).
        failure : float, default=0.0
            Probability that a synapse of an active cell transmits nothing, each by itself.
        rng : Generator, int or None
            Source of random numbers for the failures.
        n_threads : int, optional
            Threads to compute on; by default all that Numba may use.

        Returns
        -------
        SparseCode
            Binary, over `n_neurons` units.

        Raises
        ------
        ValueError, TypeError
            If the code has other cells, or a number is out of its range.
        """
        found = self.detect(code, threshold, failure=failure, rng=rng, n_threads=n_threads)
        neurons = found.indices // np.int32(self.n_segments)
        samples = np.repeat(np.arange(found.n_samples), found.n_active)
        first = np.ones(neurons.size, bool)  # of its neuron, in its sample
        first[1:] = (np.diff(neurons) != 0) | (np.diff(samples) != 0)
        indptr = np.searchsorted(samples[first], np.arange(found.n_samples + 1))
        return SparseCode._trusted(indptr, neurons[first], None, (self.n_neurons,))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write neurons and synapses to a file, atomically and with a checksum.

        Parameters
        ----------
        path : path-like
            File to write or replace, ``.safetensors`` or ``.npz``.

        Raises
        ------
        ValueError
            If the suffix is neither.
        """
        shape = {"n_neurons": self.n_neurons, "n_segments": self.n_segments}
        arrays = {"indptr": self.synapses.indptr, "indices": self.synapses.indices}
        about = {"kind": _KIND, "unit_shape": self.synapses.unit_shape, **shape}
        save_arrays(path, arrays, about)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> SegmentBank:
        """Read what :meth:`save` wrote.

        Parameters
        ----------
        path : path-like
            A ``.safetensors`` or ``.npz`` file.

        Returns
        -------
        SegmentBank

        Raises
        ------
        ValueError
            If the file is damaged, was cut short, or holds something else.
        OSError
            If it cannot be opened.
        """
        arrays, about = _load(path, checksum=True)
        name = Path(path).name
        if not isinstance(about, dict) or about.get("kind") != _KIND:
            raise ValueError(f"{name} must hold a SegmentBank; got other arrays. Use load_arrays.")
        with understood(path, "be a SegmentBank"):
            synapses = SparseCode(arrays["indptr"], arrays["indices"], None, about["unit_shape"])
            shape = {key: check_count(key, about[key]) for key in ("n_neurons", "n_segments")}
            n_rows = shape["n_neurons"] * shape["n_segments"]
            if synapses.n_samples != n_rows:  # before a bank of that size is made
                raise ValueError(
                    f"there must be one row of synapses for each of {n_rows} segments; got "
                    f"{synapses.n_samples}"
                )
            bank = cls(about["unit_shape"], **shape)
            bank._set_synapses(synapses)
        return bank

    # ---------------------------------------------------------------- inside

    _lists: SegmentLists | None = None

    def _set_synapses(self, synapses: SparseCode) -> None:
        largest = synapses.n_active.max(initial=0)
        if largest > 2**16 - 1:
            raise ValueError(
                f"a segment must have at most 65,535 synapses; got {largest}. Spread them over "
                "several segments."
            )
        self.synapses, self._lists = synapses, None

    def _check_threshold(self, threshold: int) -> int:
        threshold = check_count("threshold", threshold)
        most = self.synapses.n_active.max(initial=0)
        if self.synapses.nnz and threshold > most:
            raise ValueError(
                f"threshold must be at most {most}, the most synapses on a segment; got "
                f"{threshold}."
            )
        return threshold

    def _check_code(self, code: Any) -> None:
        check_code("code", code, unit_shape=self.synapses.unit_shape, whose="the bank's cells")

    def _check_segments(self, segments: Any, n_samples: int) -> np.ndarray:
        segments = np.asarray(segments)
        if segments.shape != (n_samples,) or (segments.dtype.kind not in "iu" and n_samples):
            raise ValueError(
                f"segments must hold one integer for each of {n_samples} patterns; got "
                f"{segments.dtype} of shape {segments.shape}."
            )
        last = self.synapses.n_samples - 1
        outside = segments[(segments < 0) | (segments > last)]
        if outside.size:
            raise ValueError(
                f"segments must lie between 0 and {last}; got {outside[0]}. Make a bank of more "
                "neurons or segments."
            )
        return segments.astype(np.int64)
