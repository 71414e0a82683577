"""`TemporalMemory`: HTM's sequence memory, in which segments predict which cells come next."""

from __future__ import annotations

import os
from math import prod
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sdr import _segment_kernels as kernels
from sdr._pooling_setup import check_shape
from sdr._temporal_store import Segments, Store, as_sequence
from sparsecode._validation import check_count, check_fraction, check_rng
from sparsecode.core.code import SparseCode
from sparsecode.core.io import load_arrays, load_metadata, save_arrays, understood

__all__ = ["Segments", "Step", "TemporalMemory", "Trace"]


class Step(NamedTuple):
    """What one step of a sequence did.

    Attributes
    ----------
    active_cells, winner_cells : ndarray of int32
        Cells that were active, and those among them that learn, one for each active column.
    predictive_cells : ndarray of int32
        Cells that expect to be active in the next step.
    anomaly : float
        Share of active columns that had not been predicted.
    """

    active_cells: np.ndarray
    winner_cells: np.ndarray
    predictive_cells: np.ndarray
    anomaly: float


class Trace(NamedTuple):
    """What the steps of a whole sequence did, one row for each.

    Attributes
    ----------
    anomaly : ndarray of float64, shape (n_steps,)
        Share of active columns that had not been predicted.
    predicted : SparseCode
        Columns that had been predicted for the step, before it came.
    active_cells, winner_cells : SparseCode
        Cells, with the columns' `unit_shape` and a last axis for the cells of a column.
    """

    anomaly: np.ndarray
    predicted: SparseCode
    active_cells: SparseCode
    winner_cells: SparseCode


class TemporalMemory:
    r"""Learn which columns follow each other, in the context of what came before.

    Every column has several cells, every cell dendritic segments with synapses from other cells.
    A segment fires if at least `activation_threshold` of its connected synapses come from active
    cells, and its cell is then predicted. A column that becomes active activates its predicted
    cells, or all of its cells if there are none: it bursts. In a bursting column the cell of the
    best matching segment (most active potential synapses, at least `min_threshold`) learns, or
    else the cell with the fewest segments, on a new one.

    A segment that learns adds `increment` to its synapses from cells active a step ago, takes
    `decrement` from the others, and grows synapses to winners of a step ago until
    `max_new_synapses` of its synapses would have been active. Matching segments of columns that
    stayed silent lose `predicted_segment_decrement` on their active synapses. A synapse whose
    permanence reaches 0 is gone, and so is a segment without synapses.

    Parameters
    ----------
    unit_shape : int or tuple of int, default=2048
        Shape of the sheet of columns.
    n_cells : int, default=32
        Cells of a column. With one cell the memory is of first order: it knows no context.
    activation_threshold : int, default=13
        Active connected synapses with which a segment fires.
    min_threshold : int, default=10
        Active potential synapses with which a segment matches; at most `activation_threshold`.
    max_new_synapses : int, default=20
        Active synapses that a learning segment is filled up to.
    increment, decrement : float, default=0.1
        Steps of the permanences.
    initial_permanence : float, default=0.21
        Permanence of a new synapse.
    connected : float, default=0.5
        Permanence from which a synapse is connected.
    predicted_segment_decrement : float, default=0.002
        What a wrong prediction costs: the share of active columns times `increment` is a good
        choice.
    max_segments : int, default=255
        Segments of a cell; a further one replaces that which fired longest ago.
    max_synapses : int, default=255
        Synapses of a segment; further ones replace the weakest.
    rng : Generator, int or None
        Seed of which synapses grow, and of which cell learns among equals.

    Raises
    ------
    ValueError, TypeError
        If a parameter makes no sense, or a threshold can never be reached.

    See Also
    --------
    sdr.SpatialPooler : Turns binary inputs into columns.

    Notes
    -----
    After Hawkins & Ahmad (2016), "Why neurons have thousands of synapses", Frontiers in Neural
    Circuits 10:23, with the defaults of htm.core; the anomaly is that of Ahmad et al. (2017),
    Neurocomputing 262. Ties go to the lower index, of segments and cells, save between cells
    with equally few segments, of which one is drawn. Active columns are gone through upwards, the
    firing segments of each, and then the wrong ones, by their numbers. Permanences are float32.
    All results are functions of the sequence and the seed.

    Examples
    --------
    >>> import numpy as np
    >>> from sdr.temporal import TemporalMemory
    >>> from sparsecode.core import SparseCode
    >>> letters = {x: range(20 * i, 20 * i + 20) for i, x in enumerate("ABCDXY")}
    >>> words = [
    ...     SparseCode.from_indices([letters[x] for x in word], 120) for word in ("ABCD", "XBCY")
    ... ]
    >>> memory = TemporalMemory(120, 8, rng=0)
    >>> for _ in range(20):
    ...     for word in words:
    ...         _ = memory.reset().partial_fit(word)
    >>> memory.reset().anomaly(words[0])
    array([1., 0., 0., 0.])
    """

    def __init__(
        self,
        unit_shape: int | tuple[int, ...] = 2048,
        n_cells: int = 32,
        *,
        activation_threshold: int = 13,
        min_threshold: int = 10,
        max_new_synapses: int = 20,
        increment: float = 0.1,
        decrement: float = 0.1,
        initial_permanence: float = 0.21,
        connected: float = 0.5,
        predicted_segment_decrement: float = 0.002,
        max_segments: int = 255,
        max_synapses: int = 255,
        rng: Any = None,
    ) -> None:
        self.unit_shape = check_shape("unit_shape", unit_shape)
        self.n_cells = check_count("n_cells", n_cells)
        n_cells_in_all = prod(self.unit_shape) * self.n_cells
        check_count("the number of all cells", n_cells_in_all, maximum=2**31 - 1)
        self.max_synapses = check_count("max_synapses", max_synapses, maximum=2**15 - 1)
        self.max_segments = check_count("max_segments", max_segments)
        self.max_new_synapses = _check_up_to(
            "max_new_synapses", max_new_synapses, "max_synapses", self.max_synapses
        )
        self.activation_threshold = _check_up_to(
            "activation_threshold", activation_threshold, "max_synapses", self.max_synapses
        )
        self.min_threshold = _check_up_to(
            "min_threshold", min_threshold, "activation_threshold", self.activation_threshold
        )
        if self.max_new_synapses < self.activation_threshold:
            raise ValueError(
                f"max_new_synapses must be at least activation_threshold, "
                f"{self.activation_threshold}, or no cell ever predicts; got "
                f"{self.max_new_synapses}."
            )
        self.increment = check_fraction("increment", increment)
        self.decrement = _check_loss("decrement", decrement)
        self.initial_permanence = check_fraction("initial_permanence", initial_permanence)
        self.connected = check_fraction("connected", connected)
        self.predicted_segment_decrement = _check_loss(
            "predicted_segment_decrement", predicted_segment_decrement
        )
        limits = np.array(
            [self.n_cells, self.activation_threshold, self.min_threshold, self.max_new_synapses,
             self.max_segments, self.max_synapses], np.int64
        )  # fmt: skip
        self._rates = np.array(
            [self.increment, self.decrement, self.initial_permanence, self.connected,
             self.predicted_segment_decrement], np.float32
        )  # fmt: skip
        self._store = Store(prod(self.unit_shape), n_cells_in_all, limits)
        rng = check_rng(rng)
        self._store.state[kernels.DRAW] = rng.integers(1, 2**32)
        self._store.state[kernels.CARRY] = rng.integers(1, 698769068)

    def __repr__(self) -> str:
        sheet = " x ".join(map(str, self.unit_shape))
        return (
            f"<TemporalMemory {sheet} x {self.n_cells} cells, {self.n_segments} segments, "
            f"{self.n_synapses} synapses>"
        )

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return prod(self.unit_shape)

    @property
    def n_steps(self) -> int:
        """Steps taken so far."""
        return int(self._store.state[kernels.STEP])

    @property
    def n_segments(self) -> int:
        """Segments of all cells."""
        return int(self._store.cells[:, kernels.N_OWN].clip(0).sum())

    @property
    def n_synapses(self) -> int:
        """Synapses of all segments."""
        return int(self._store.state[kernels.N_SYNAPSES])

    def step(self, columns: Any, *, learn: bool = True) -> Step:
        """Take one step.

        Parameters
        ----------
        columns : SparseCode of one row, array of bool (n_columns,), or array of int
            Active columns, or their indices.
        learn : bool, default=True
            Whether segments learn and grow.

        Returns
        -------
        Step
            Active, winning and predictive cells, and the anomaly.

        Raises
        ------
        ValueError, TypeError
            If `columns` are not binary, not one row, or not columns of the memory.
        """
        code = self._as_row(columns)
        anomaly = self._run(code, learn)
        return Step(
            self._active_cells(), self._winner_cells(), self._predictive_cells(), float(anomaly[0])
        )

    def partial_fit(self, sequence: Any, y: Any = None) -> TemporalMemory:
        """Learn a sequence, as the continuation of what came before; `reset` begins another.

        Parameters
        ----------
        sequence : SparseCode or array of 0 and 1, shape (n_steps, n_columns)
            Active columns of each step, in order.
        y : object, optional
            Ignored; here because scikit-learn passes it.

        Returns
        -------
        TemporalMemory
            Itself.

        Raises
        ------
        ValueError, TypeError
            If the sequence is empty, not binary, or has other columns.
        """
        self._run(self._as_sequence(sequence), True)
        return self

    def anomaly(self, sequence: Any, *, learn: bool = False) -> np.ndarray:
        """Go through a sequence, and say how unexpected each step was.

        Parameters
        ----------
        sequence : SparseCode or array of 0 and 1, shape (n_steps, n_columns)
            Active columns of each step; they continue what came before.
        learn : bool, default=False
            Whether segments learn and grow.

        Returns
        -------
        ndarray of float64, shape (n_steps,)
            ``1 - |predicted and active| / |active|`` in columns; 0 for a step without active ones.

        Raises
        ------
        ValueError, TypeError
            If the sequence is empty, not binary, or has other columns.
        """
        return self._run(self._as_sequence(sequence), learn)

    def trace(self, sequence: Any, *, learn: bool = False) -> Trace:
        """Go through a sequence, and keep what was predicted and active in each step.

        Parameters
        ----------
        sequence : SparseCode or array of 0 and 1, shape (n_steps, n_columns)
            Active columns of each step; they continue what came before.
        learn : bool, default=False
            Whether segments learn and grow.

        Returns
        -------
        Trace
            Anomalies, predicted columns, active and winning cells.

        Raises
        ------
        ValueError, TypeError
            If the sequence is empty, not binary, or has other columns.
        """
        anomaly, predicted, active, winners = [], [], [], []
        for row in self._as_sequence(sequence):
            predicted.append(np.unique(self._predictive_cells() // self.n_cells))
            anomaly.append(self._run(row, learn)[0])
            active.append(self._active_cells())
            winners.append(self._winner_cells())
        cells = (*self.unit_shape, self.n_cells)
        return Trace(
            np.array(anomaly),
            SparseCode.from_indices(predicted, self.unit_shape),
            SparseCode.from_indices(active, cells),
            SparseCode.from_indices(winners, cells),
        )

    def predict(self, *, cells: bool = False) -> SparseCode:
        """Return the columns that are expected in the next step.

        Parameters
        ----------
        cells : bool, default=False
            Return the predictive cells instead.

        Returns
        -------
        SparseCode
            One binary row over columns, or cells; empty where nothing is expected, as after
            `reset`.

        Raises
        ------
        ValueError
            If no step was ever taken.
        """
        if self.n_steps == 0:
            raise ValueError(
                "predict needs at least one step; none was taken. Call step or partial_fit first."
            )
        found = self._predictive_cells()
        if cells:
            return SparseCode.from_indices([found], (*self.unit_shape, self.n_cells))
        return SparseCode.from_indices([np.unique(found // self.n_cells)], self.unit_shape)

    def reset(self) -> TemporalMemory:
        """Begin another sequence: no cell is active or predictive; what was learned stays.

        Returns
        -------
        TemporalMemory
            Itself.
        """
        self._store.forget_activity()
        return self

    def kill_cells(self, cells: Any) -> TemporalMemory:
        """Let cells die: they are never active again, and their segments are gone.

        Parameters
        ----------
        cells : array-like of int
            Cells; cell ``c * n_cells + i`` is the i-th of column ``c``. Dead ones stay dead.

        Returns
        -------
        TemporalMemory
            Itself.

        Raises
        ------
        ValueError, TypeError
            If a cell is out of range, given twice, or no integer.
        """
        n_cells = self.n_columns * self.n_cells
        self._store.kill(SparseCode.from_indices([cells], n_cells).indices)
        return self

    def segments(self) -> Segments:
        """Return every segment with its synapses.

        Returns
        -------
        Segments
            Copies, in the order of the cells; the segments of a cell by their number.
        """
        return self._store.table()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the memory, with what it is expecting, to a file without pickle.

        Parameters
        ----------
        path : path-like
            A ``.safetensors`` or ``.npz`` file, replaced atomically.
        """
        parameters = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        metadata = {"kind": "TemporalMemory", "parameters": parameters}
        save_arrays(path, self._store.arrays(), metadata)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TemporalMemory:
        """Read a memory that `save` wrote; it goes on to the same bits.

        Parameters
        ----------
        path : path-like
            A ``.safetensors`` or ``.npz`` file.

        Returns
        -------
        TemporalMemory

        Raises
        ------
        ValueError
            If the file is damaged, was cut short, or holds something else.
        OSError
            If it cannot be opened.
        """
        metadata = load_metadata(path)
        if not isinstance(metadata, dict) or metadata.get("kind") != "TemporalMemory":
            raise ValueError(
                f"{Path(path).name} must hold a TemporalMemory; got other arrays. Use load_arrays."
            )
        arrays = load_arrays(path)
        with understood(path, "be a whole TemporalMemory"):
            parameters = metadata["parameters"]
            sizes = check_shape("unit_shape", parameters["unit_shape"]), parameters["n_cells"]
            if arrays["cells"].shape[:1] != (prod(sizes[0]) * check_count("n_cells", sizes[1]),):
                raise ValueError("another number of cells")  # before so many are made
            memory = cls(**parameters, rng=0)
            memory._store.restore(arrays, float(memory._rates[kernels.BAR]))
            return memory

    # ------------------------------------------------------------------ inside

    def _run(self, code: SparseCode, learn: bool) -> np.ndarray:
        return self._store.step(code.indptr, code.indices, self._rates, bool(learn))

    def _as_sequence(self, sequence: Any) -> SparseCode:
        code = as_sequence(sequence, self.unit_shape)
        if not code.n_samples:
            raise ValueError("a sequence must have at least one step; got none.")
        return code

    def _as_row(self, columns: Any) -> SparseCode:
        """Return one row of active columns."""
        if not isinstance(columns, SparseCode):
            array = np.asarray(columns)
            if array.dtype.kind in "iu" or not array.size:
                return SparseCode.from_indices([array.astype(np.int64)], self.n_columns)
            columns = array.reshape(1, -1)
        code = as_sequence(columns, self.unit_shape)
        if code.n_samples != 1:
            raise ValueError(
                f"columns must be one row; got {code.n_samples}. Use partial_fit or trace."
            )
        return code

    def _active_cells(self) -> np.ndarray:
        return np.sort(self._store.active[: self._store.state[kernels.N_ACTIVE]])

    def _winner_cells(self) -> np.ndarray:
        return self._store.winners[: self._store.state[kernels.N_WINNERS]].copy()

    def _predictive_cells(self) -> np.ndarray:
        firing = self._store.firing[: self._store.state[kernels.N_FIRING]]
        return np.unique(self._store.segments[firing, kernels.CELL])


def _check_up_to(name: str, value: Any, other: str, largest: int) -> int:
    """Return a count that another parameter bounds."""
    if check_count(name, value) > largest:
        raise ValueError(f"{name} must be at most {other}, {largest}; got {value}.")
    return int(value)


def _check_loss(name: str, value: Any) -> float:
    """Return a step of permanences, which may be 0."""
    if isinstance(value, Integral) and not isinstance(value, bool) and value == 0:
        return 0.0
    return 0.0 if isinstance(value, float) and value == 0.0 else check_fraction(name, value)
