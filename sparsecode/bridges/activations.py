"""How sparse activations are, and their sparse codes: read a block at a time, NumPy alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from sparsecode._validation import check_count, check_fraction
from sparsecode.bridges.store import check_activations
from sparsecode.core import RowReader, SparseCode, top_k

__all__ = ["LazyStatistics", "lazy_by_layer", "lazy_statistics", "to_code"]

_BLOCK_BYTES = 2**24  # what is looked at together, as float32


@dataclass(frozen=True)
class LazyStatistics:
    """How often the neurons of one layer are active.

    Attributes
    ----------
    n_tokens : int
        Rows counted.
    epsilon : float
        A neuron counts as active strictly above it.
    firing_rate : ndarray of shape (n_neurons,)
        Share of the tokens at which each neuron is active, between 0 and 1.

    References
    ----------
    Li et al. (2023), The lazy neuron phenomenon, arXiv:2210.06313, section 2; dead neurons at a
    rate below 0.1 %: Luo et al. (2025), Sparsing law, arXiv:2411.02335.
    """

    n_tokens: int
    epsilon: float
    firing_rate: np.ndarray

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return self.firing_rate.size

    @property
    def percent_nonzero(self) -> float:
        """The layer's score: 100 times the mean over tokens of ||a||_0 / n_neurons."""
        return 100 * float(self.firing_rate.mean())

    @property
    def n_active(self) -> float:
        """Mean number of active neurons of a token."""
        return float(self.firing_rate.sum())

    @property
    def n_silent(self) -> int:
        """Number of neurons that were never active."""
        return int(np.count_nonzero(self.firing_rate == 0))

    def share_below(self, rate: float) -> float:
        """Return the share of neurons with a firing rate below `rate`.

        Parameters
        ----------
        rate : float
            Between 0 and 1: 0.1 gives the lazy neurons of Li et al., 0.001 the dead ones of
            Luo et al., who count a neuron as dead below 0.1 % of the tokens.

        Returns
        -------
        float
        """
        return float(np.mean(self.firing_rate < check_fraction("rate", rate)))

    def __repr__(self) -> str:
        return (
            f"<LazyStatistics of {self.n_neurons} neurons, {self.n_tokens} tokens: "
            f"{self.percent_nonzero:.1f} % above {self.epsilon:g}, {self.n_silent} silent>"
        )


def lazy_statistics(
    activations: RowReader | SparseCode, *, epsilon: float = 0.0, magnitudes: bool = False
) -> LazyStatistics:
    """Count how often each neuron of a layer is active.

    Parameters
    ----------
    activations : RowReader or SparseCode, shape (n_tokens, n_neurons)
        Hidden activations, after the non-linearity: an array, a memory map, a site of an
        :class:`ActivationStore` (read a block at a time) or a code.
    epsilon : float, default=0.0
        A neuron is active where its activation is strictly above `epsilon`.
    magnitudes : bool, default=False
        Whether to compare magnitudes, for activations of both signs.

    Returns
    -------
    LazyStatistics

    Raises
    ------
    ValueError, TypeError
        If there is no token, or the activations are not finite.

    Notes
    -----
    With `epsilon` 0 this is the count of Li et al. (arXiv:2210.06313, section 2), made for ReLU.
    GELU and SiLU are almost never exactly 0: for them a percentage means nothing without the
    `epsilon` it belongs to, which should come from an error one accepts.
    """
    if not isinstance(epsilon, Real) or isinstance(epsilon, bool) or not 0 <= epsilon < np.inf:
        raise ValueError(f"epsilon must be finite and at least 0; got {epsilon!r}.")
    n_tokens, n_neurons = _check_shape(activations)
    if n_tokens == 0:
        raise ValueError("activations must have at least one row to be counted; got none.")
    counts = np.zeros(n_neurons, np.int64)
    if isinstance(activations, SparseCode):
        values = activations.values
        if values is None:
            active = np.full(activations.nnz, epsilon < 1)
        else:
            active = (np.abs(values) if magnitudes else values) > epsilon
        counts += np.bincount(activations.indices[active], minlength=n_neurons)
    else:
        for block in _blocks(activations):
            counts += np.count_nonzero((np.abs(block) if magnitudes else block) > epsilon, axis=0)
    return LazyStatistics(n_tokens, float(epsilon), counts / n_tokens)


def lazy_by_layer(
    layers: Mapping[str, Any], *, epsilon: float = 0.0, magnitudes: bool = False
) -> dict[str, LazyStatistics]:
    """Count how often neurons are active, layer by layer.

    Parameters
    ----------
    layers : mapping of str to RowReader or SparseCode
        Activations of each layer, such as an :class:`ActivationStore`.
    epsilon : float, default=0.0
        A neuron is active where its activation is strictly above `epsilon`.
    magnitudes : bool, default=False
        Whether to compare magnitudes, for activations of both signs.

    Returns
    -------
    dict of str to LazyStatistics
        In the order of `layers`. The score of a model is the mean of their ``percent_nonzero``
        (Li et al., arXiv:2210.06313).

    Raises
    ------
    ValueError, TypeError
        If a layer has no token, or its activations are not finite.
    """
    return {
        name: lazy_statistics(layer, epsilon=epsilon, magnitudes=magnitudes)
        for name, layer in layers.items()
    }


def to_code(activations: RowReader, *, threshold: float = 0.0, k: int | None = None) -> SparseCode:
    """Keep the activations above a threshold as a sparse code, a block at a time.

    Parameters
    ----------
    activations : RowReader of shape (n_samples, n_neurons)
        An array, a memory map, or a site of an :class:`ActivationStore`. It is never held dense
        as a whole.
    threshold : float, default=0.0
        An activation is kept where it is strictly above.
    k : int, optional
        Keep at most the `k` largest of a row, the lower index first among equals.

    Returns
    -------
    SparseCode
        Real, float64 for float64 activations and float32 for others.

    Raises
    ------
    ValueError, TypeError
        If the activations are not finite, `threshold` is negative or `k` exceeds n_neurons.
    """
    if (
        not isinstance(threshold, Real)
        or isinstance(threshold, bool)
        or not 0 <= threshold < np.inf
    ):
        raise ValueError(f"threshold must be finite and at least 0; got {threshold!r}.")
    _, n_neurons = _check_shape(activations)
    if k is not None:
        check_count("k", k, maximum=n_neurons)
    dtype = np.float64 if activations.dtype == np.float64 else np.float32
    parts = [SparseCode.from_dense(np.zeros((0, n_neurons), dtype))]
    for block in _blocks(activations):
        kept = np.where(block > threshold, block, 0).astype(dtype)
        code = SparseCode.from_dense(kept)
        parts.append(code if k is None else top_k(code, k))
    return SparseCode.concatenate(parts)


def _check_shape(activations: Any) -> tuple[int, int]:
    shape = getattr(activations, "shape", None)
    if shape is None or not hasattr(activations, "dtype"):
        raise TypeError(
            "activations must be an array or a reader with shape, dtype and slices; got "
            f"{type(activations).__name__}. Use numpy.asarray, or one site of a store."
        )
    if len(shape) != 2 or shape[1] == 0:
        raise ValueError(
            f"activations must have shape (n_tokens, n_neurons); got {tuple(shape)}. Flatten "
            "samples and positions into rows."
        )
    return int(shape[0]), int(shape[1])


def _blocks(activations: RowReader) -> Iterator[np.ndarray]:
    n_rows, n_features = activations.shape
    step = max(1, _BLOCK_BYTES // (4 * n_features))
    name = str(getattr(activations, "name", "given"))
    for start in range(0, n_rows, step):
        yield check_activations(name, activations[start : start + step])
