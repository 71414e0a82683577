"""`SpatialPooler`: HTM's competition of columns for binary inputs, in scikit-learn's manners."""

from __future__ import annotations

import os
from math import prod
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from sdr import _pooling_kernels as kernels
from sdr._pooling_setup import (
    Synapses,
    as_generator,
    check_parameters,
    check_shape,
    draw_synapses,
    find_rivals,
    scratch,
)
from sparsecode._jit import available_threads, threads
from sparsecode._parallel import map_tiles, tiles_of
from sparsecode._validation import check_count, check_numbers, check_option
from sparsecode.core.code import SparseCode
from sparsecode.core.io import load_arrays, load_metadata, save_arrays, understood

__all__ = ["SpatialPooler"]

#: Samples whose winners are marked together, a byte for each column.
TILE = 256


class SpatialPooler(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    r"""Code binary inputs by the columns that recognise most of them.

    Each column has a pool of potential synapses, with permanences between 0 and 1; those at or
    above `connected` count. The overlap of a column is the number of its connected active inputs,
    times :math:`\exp(\beta (t - d))` with its duty cycle :math:`d`, the target :math:`t` and the
    `boost_strength` :math:`\beta`. The best columns win, among all or among their neighbours.
    Learning adds `increment` to a winner's permanences on active inputs, takes `decrement` from
    the others, and moves each duty cycle to :math:`((T - 1) d + a) / T`.

    Parameters
    ----------
    unit_shape : int or tuple of int, default=2048
        Shape of the sheet of columns.
    density : float, default=0.05
        Share of columns that win; of the neighbourhood with an `inhibition_radius`.
    inhibition_radius : int, optional
        Columns compete with those that differ by at most so much along every axis of
        `unit_shape`; at the edges a neighbourhood is smaller. By default all compete.
    input_shape : int or tuple of int, optional
        Shape of the inputs, for `potential_radius`. By default the ``unit_shape`` of a SparseCode,
        else one axis.
    potential_radius : int, optional
        Inputs that differ by at most so much from the place below the column, along every axis.
        By default all inputs.
    potential_fraction : float, default=0.5
        Share of these inputs in the potential pool of a column, drawn at random.
    stimulus_threshold : int, default=1
        Overlap, before boosting, below which a column cannot win.
    increment, decrement : float, default=0.1 and 0.01
        Steps of the permanences.
    connected : float, default=0.1
        Permanence from which a synapse is connected.
    initial_connected : float, default=0.5
        Share of synapses that begin connected.
    boost_strength : float, default=0.0
        Weight of the duty cycles; 0 does without them.
    duty_period : float, default=1000
        Steps :math:`T` over which a duty cycle forgets.
    n_epochs : int, default=1
        How often `fit` goes through the samples.
    output : {"dense", "sparse"}, default="dense"
        Whether `transform` returns an array of bool or a CSR array.
    n_threads : int, optional
        Threads of `transform` and `encode`, which change no bit; by default all that Numba may use.
        Learning goes from sample to sample on one.
    random_state : int, RandomState, Generator or None, default=None
        Seed of potential pools and first permanences.

    Attributes
    ----------
    duty_cycles_ : ndarray of shape (n_columns,)
        How often each column won lately; 0 at first.
    n_steps_ : int
        Samples learned so far.
    n_features_in_ : int
        Number of inputs.
    feature_names_in_ : ndarray of str
        Their names, if the samples had any.

    See Also
    --------
    sdr.TemporalMemory : Learns which columns follow each other.

    Notes
    -----
    After Cui, Ahmad & Hawkins (2017), "The HTM spatial pooler", Frontiers in Computational
    Neuroscience 11:111, with the defaults of htm.core except `stimulus_threshold`, there 0, by
    which columns without any active input win too where others are missing. Ties go to the lower
    index. The target is `density`, with an `inhibition_radius` the mean duty cycle of the
    neighbourhood. Permanences are float32 and lie between 0 and 1. Left out of htm.core's: columns
    that lift their permanences when they rarely overlap, and a radius that follows the receptive
    fields.

    Beyond its synapses (four bytes for each input between the first and the last of a pool), a
    pooler keeps a bit for every pair of input and column.

    Examples
    --------
    >>> import numpy as np
    >>> from sdr.pooling import SpatialPooler
    >>> X = np.random.default_rng(0).random((50, 200)) < 0.1
    >>> pooler = SpatialPooler(500, density=0.02, random_state=0).fit(X)
    >>> pooler.encode(X)
    <SparseCode 50 x 500, 2.0 % active, binary>
    """

    def __init__(
        self,
        unit_shape: int | tuple[int, ...] = 2048,
        *,
        density: float = 0.05,
        inhibition_radius: int | None = None,
        input_shape: int | tuple[int, ...] | None = None,
        potential_radius: int | None = None,
        potential_fraction: float = 0.5,
        stimulus_threshold: int = 1,
        increment: float = 0.1,
        decrement: float = 0.01,
        connected: float = 0.1,
        initial_connected: float = 0.5,
        boost_strength: float = 0.0,
        duty_period: float = 1000,
        n_epochs: int = 1,
        output: str = "dense",
        n_threads: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.unit_shape = unit_shape
        self.density = density
        self.inhibition_radius = inhibition_radius
        self.input_shape = input_shape
        self.potential_radius = potential_radius
        self.potential_fraction = potential_fraction
        self.stimulus_threshold = stimulus_threshold
        self.increment = increment
        self.decrement = decrement
        self.connected = connected
        self.initial_connected = initial_connected
        self.boost_strength = boost_strength
        self.duty_period = duty_period
        self.n_epochs = n_epochs
        self.output = output
        self.n_threads = n_threads
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> SpatialPooler:
        """Draw synapses and learn `n_epochs` times from every sample, in order.

        Parameters
        ----------
        X : SparseCode, array-like or sparse array of shape (n_samples, n_inputs)
            Binary: a binary code, bool, or numbers that are all 0 or 1.
        y : object, optional
            Ignored; here because scikit-learn passes it.

        Returns
        -------
        SpatialPooler
            Itself.

        Raises
        ------
        ValueError, TypeError
            If the samples are not binary or a parameter makes no sense.
        """
        code = self._check_samples(X, reset=True, minimum=1)
        self._start(code)
        for _ in range(self.n_epochs):
            self._learn(code)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> SpatialPooler:
        """Learn once more from every sample, in order; the first call draws synapses.

        Parameters
        ----------
        X : SparseCode, array-like or sparse array of shape (n_samples, n_inputs)
            Binary, as for `fit`.
        y : object, optional
            Ignored; here because scikit-learn passes it.

        Returns
        -------
        SpatialPooler
            Itself.

        Raises
        ------
        ValueError, TypeError
            If the samples are not binary or a parameter makes no sense.
        """
        self.encode(X, learn=True)
        return self

    def encode(self, X: Any, *, learn: bool = False) -> SparseCode:
        """Return the winning columns of every sample.

        Parameters
        ----------
        X : SparseCode, array-like or sparse array of shape (n_samples, n_inputs)
            Binary, as for `fit`. Without `learn` there may be no sample.
        learn : bool, default=False
            Learn from each sample after its winners are found, before the next one, as
            `partial_fit` does.

        Returns
        -------
        SparseCode
            Binary, of shape (n_samples, n_columns) and this `unit_shape`.

        Raises
        ------
        ValueError, TypeError
            If the samples are not binary or a parameter makes no sense.
        sklearn.exceptions.NotFittedError
            Without `learn`, before anything was learned.
        """
        fresh = learn and not hasattr(self, "duty_cycles_")
        if not learn:
            check_is_fitted(self, "duty_cycles_")
        code = self._check_samples(X, reset=fresh, minimum=int(learn))
        if fresh:
            self._start(code)
        self._update()
        if learn:
            return self._learn(code)
        n_threads = self.n_threads and min(self.n_threads, available_threads())
        with threads(n_threads) as width:
            tiles = tiles_of(code.n_samples, TILE)
            found = map_tiles(lambda rows: self._pool(code[rows]), tiles, width)
        return SparseCode.concatenate([SparseCode.from_indices([], self._sheet), *found])

    def transform(self, X: Any) -> Any:
        """Return the winning columns of every sample, as scikit-learn expects them.

        Parameters
        ----------
        X : SparseCode, array-like or sparse array of shape (n_samples, n_inputs)
            Binary, as for `fit`.

        Returns
        -------
        ndarray or scipy.sparse.csr_array of bool, shape (n_samples, n_columns)
            As `output` says.

        Raises
        ------
        ValueError, TypeError
            If the samples are not binary or a parameter makes no sense.
        """
        check_option("output", self.output, ("dense", "sparse"))
        code = self.encode(X)
        if self.output == "sparse":
            return code.to_scipy(copy=True)
        return code.to_dense().reshape(code.n_samples, -1)

    @property
    def permanences_(self) -> np.ndarray:
        """Permanences, shape (n_columns, n_inputs) float32; NaN outside the potential pools."""
        check_is_fitted(self, "duty_cycles_")
        table = np.full((self.duty_cycles_.size, self.n_features_in_), np.nan, np.float32)
        for column, (start, row) in enumerate(self._synapses.columns()):
            table[column, start : start + row.size] = np.where(row < 0, np.nan, row)
        return table

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write parameters and synapses to a file, with a checksum and without pickle.

        Parameters
        ----------
        path : path-like
            A ``.safetensors`` or ``.npz`` file, replaced atomically.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If nothing was learned yet.
        """
        check_is_fitted(self, "duty_cycles_")
        parameters = self.get_params(deep=False)
        if not isinstance(self.random_state, Integral | None):
            parameters["random_state"] = None  # nothing more is drawn
        arrays = {"duty_cycles": self.duty_cycles_, **self._synapses._asdict()}
        names = getattr(self, "feature_names_in_", None)
        metadata = {
            "kind": "SpatialPooler",
            "parameters": parameters,
            "n_steps": self.n_steps_,
            "n_inputs": self.n_features_in_,
            "names": None if names is None else names.tolist(),
        }
        save_arrays(path, arrays, metadata)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> SpatialPooler:
        """Read a pooler that `save` wrote; it goes on to the same bits.

        Parameters
        ----------
        path : path-like
            A ``.safetensors`` or ``.npz`` file.

        Returns
        -------
        SpatialPooler

        Raises
        ------
        ValueError
            If the file is damaged, was cut short, or holds something else.
        OSError
            If it cannot be opened.
        """
        metadata = load_metadata(path)
        if not isinstance(metadata, dict) or metadata.get("kind") != "SpatialPooler":
            raise ValueError(
                f"{Path(path).name} must hold a SpatialPooler; got other arrays. Use load_arrays."
            )
        arrays = load_arrays(path)
        with understood(path, "be a whole SpatialPooler"):
            parameters = metadata["parameters"]
            for name in ("unit_shape", "input_shape"):
                if isinstance(parameters[name], list):
                    parameters[name] = tuple(parameters[name])
            pooler = cls(**parameters)
            check_parameters(pooler)
            pooler.n_features_in_ = check_count("n_inputs", metadata["n_inputs"])
            names = metadata["names"]
            if names is not None:
                if len(names) != pooler.n_features_in_ or {type(one) for one in names} != {str}:
                    raise ValueError("names that are not one text for each input")
                pooler.feature_names_in_ = np.array(names, dtype=object)
            pooler.n_steps_ = check_count("n_steps", metadata["n_steps"], minimum=0)
            pooler._synapses = Synapses(*(arrays[name].copy() for name in Synapses._fields))
            pooler._synapses.check(pooler.n_features_in_)
            cycles = check_numbers(arrays["duty_cycles"].copy(), "duty_cycles")
            if cycles.shape != pooler._synapses.starts.shape or cycles.dtype != np.float64:
                raise ValueError(f"duty cycles of {cycles.dtype} and shape {cycles.shape}")
            pooler.duty_cycles_ = cycles
            pooler._prepare()
            return pooler

    # ------------------------------------------------------------------ inside

    def _start(self, code: SparseCode) -> None:
        """Draw potential pools and permanences."""
        check_parameters(self)
        columns = check_shape("unit_shape", self.unit_shape)
        inputs = code.unit_shape
        if self.input_shape is not None:
            inputs = check_shape("input_shape", self.input_shape)
        if prod(inputs) != code.n_units:
            raise ValueError(
                f"input_shape must hold {code.n_units} inputs, the features of X; got {inputs}."
            )
        find_rivals(columns, self.inhibition_radius, self.density)  # before much is drawn
        synapses = draw_synapses(
            columns,
            inputs,
            radius=self.potential_radius,
            fraction=self.potential_fraction,
            connected=self.connected,
            initial_connected=self.initial_connected,
            rng=as_generator(self.random_state),
        )
        largest = max(int(np.count_nonzero(row >= 0)) for _, row in synapses.columns())
        if self.stimulus_threshold > largest:
            raise ValueError(
                f"stimulus_threshold must be at most {largest}, the synapses of the largest "
                f"potential pool; got {self.stimulus_threshold}. Lower it or raise "
                f"potential_fraction."
            )
        self._synapses = synapses
        self.duty_cycles_, self.n_steps_ = np.zeros(prod(columns)), 0
        self._prepare()

    def _prepare(self) -> None:
        """Derive from permanences, duty cycles and parameters what the kernels need."""
        self._sheet = check_shape("unit_shape", self.unit_shape)
        n_columns = self.duty_cycles_.size
        if prod(self._sheet) != n_columns:
            raise ValueError(
                f"unit_shape must keep its {n_columns} columns once there are synapses; got "
                f"{self._sheet}. Call fit to begin anew."
            )
        self._rivals = find_rivals(self._sheet, self.inhibition_radius, self.density)
        self._connected = self._synapses.connect(self.connected, self.n_features_in_)
        self._boost = np.ones(n_columns)
        if self.boost_strength > 0.0 and self.n_steps_:
            kernels.refresh_boost(
                self.duty_cycles_, float(self.boost_strength), float(self.density),
                self._rivals.first, self._rivals.neighbours, self._boost,
            )  # fmt: skip
        self._prepared = self._settings()

    def _settings(self) -> tuple[Any, ...]:
        """Return the parameters that `_prepare` looks at."""
        radius, strength = self.inhibition_radius, self.boost_strength
        return self.unit_shape, radius, self.density, self.connected, strength

    def _update(self) -> None:
        """Take over parameters that were changed since the last call."""
        check_parameters(self)
        if self._prepared != self._settings():
            self._prepare()

    def _pool(self, code: SparseCode) -> SparseCode:
        """Return the winners of some samples."""
        n_columns = self.duty_cycles_.size
        active = np.empty((code.n_samples, n_columns), np.bool_)
        kernels.pool(
            code.indptr, code.indices, self._connected, self._boost, int(self.stimulus_threshold),
            *self._rivals, *scratch(code.n_units, n_columns), active,
        )  # fmt: skip
        return SparseCode.from_dense(active, self._sheet)

    def _learn(self, code: SparseCode) -> SparseCode:
        """Learn from samples, and return the winners of each."""
        n_columns = self.duty_cycles_.size
        change = np.full(code.n_units, -self.decrement, np.float32)
        rates = np.array(
            [self.increment, self.decrement, self.connected, self.duty_period,
             self.boost_strength, self.density]
        )  # fmt: skip
        starts, rows, permanences = self._synapses
        found = []
        for here in tiles_of(code.n_samples, TILE):
            part = code[here]
            active = np.empty((part.n_samples, n_columns), np.bool_)
            kernels.learn(
                part.indptr, part.indices, int(self.stimulus_threshold), *self._rivals, rates,
                rows, starts, permanences, self._connected, self.duty_cycles_, self._boost, change,
                np.empty(kernels.STRETCH, np.uint8), *scratch(code.n_units, n_columns), active,
            )  # fmt: skip
            self.n_steps_ += part.n_samples
            found.append(SparseCode.from_dense(active, self._sheet))
        return SparseCode.concatenate(found)

    def _check_samples(self, X: Any, *, reset: bool, minimum: int) -> SparseCode:
        """Return a binary code over the inputs."""
        if isinstance(X, SparseCode):
            code = self._check_code(X, reset)
        else:
            X = validate_data(self, X, accept_sparse="csr", reset=reset, ensure_min_samples=minimum)
            values = X.data if sparse.issparse(X) else X
            bad = (values != 0) & (values != 1)
            if bad.any():
                raise ValueError(
                    f"X must hold 0 and 1 only; got {values[bad][0]:g}. Binarise real values "
                    f"first: X > threshold, or SparseCode.from_dense(X).binarize(k=40)."
                )
            made = SparseCode.from_scipy if sparse.issparse(X) else SparseCode.from_dense
            code = made(X.astype(bool))
        if code.n_samples < minimum:
            raise ValueError("X must hold at least one sample to learn from; got none.")
        return code

    def _check_code(self, code: SparseCode, reset: bool) -> SparseCode:
        if not code.is_binary:
            raise ValueError(
                f"X must be a binary SparseCode; got {code!r}. Call .binarize(k=40), for instance."
            )
        if reset:
            self.n_features_in_ = code.n_units
        elif code.n_units != self.n_features_in_:
            raise ValueError(
                f"X must have {self.n_features_in_} units, as the samples that were learned; got "
                f"{code!r}."
            )
        return code

    @property
    def _n_features_out(self) -> int:
        return self.duty_cycles_.size

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = []
        return tags
