"""Recognition with real-valued weights and inputs: the sparse vectors of 2019."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from sdr.theory._arguments import broadcast, check_most
from sdr.theory._tails import log_hypergeometric_pmf
from sparsecode._validation import check_count, check_positive, check_rng

__all__ = ["ScalarEstimate", "scalar_false_positive"]

#: Draws that are held at once.
CHUNK = 2**14


class ScalarEstimate(NamedTuple):
    """An estimate by Monte Carlo.

    Attributes
    ----------
    value : float or ndarray
        The estimate.
    standard_error : float or ndarray
        Its standard error.
    """

    value: Any
    standard_error: Any


def scalar_false_positive(
    n: Any,
    a: Any,
    n_weights: int = 32,
    *,
    scale: float = 1.0,
    theta: float | None = None,
    n_draws: int = 100_000,
    rng: Any = None,
) -> ScalarEstimate:
    r"""Estimate how often a random real input matches a sparse vector of random weights.

    A weight vector has k non-zeros, uniform on [-1/k, 1/k], an input a, uniform on [0, 2 S/k]. They
    match if their inner product is at least theta:

    .. math:: P = \sum_b \binom{k}{b} \binom{n-k}{a-b} / \binom{n}{a}
              \; P(w \cdot x \ge \theta \mid b \text{ in common})

    The overlaps are summed exactly, the conditional probabilities are counted: each draw of k
    products gives one for every b, by its partial sums.

    Parameters
    ----------
    n : int or array_like of int
        Units.
    a : int or array_like of int
        Active units of the input, at most `n`.
    n_weights : int, default=32
        Non-zero weights k, at least 1 and at most `n`.
    scale : float, default=1.0
        Scale S of the inputs.
    theta : float, optional
        Threshold; by default half of the expected squared norm of the weights, 1 / (6 k).
    n_draws : int, default=100_000
        Draws of k products, at least 2; they serve all `n` and `a`.
    rng : numpy.random.Generator, int or None
        Source of the draws.

    Returns
    -------
    ScalarEstimate
        Of the broadcast shape of `n` and `a`.

    Raises
    ------
    ValueError, TypeError
        If a count is negative, no integer or too large, `scale` is not above 0, or `theta` is not
        a finite number.

    References
    ----------
    Ahmad and Scheinkman 2019, arXiv:1903.11257, and the authors' code of its Fig. 2.
    """
    given = broadcast(n=n, a=a)
    n_weights, n_draws = (
        check_count("n_weights", n_weights),
        check_count("n_draws", n_draws, minimum=2),
    )
    check_most("n_weights", np.asarray(n_weights), "n", given["n"])
    scale, rng = check_positive("scale", scale), check_rng(rng)
    theta = 1.0 / (6.0 * n_weights) if theta is None else float(theta)
    if not np.isfinite(theta):
        raise ValueError(f"theta must be a finite number; got {theta}.")
    overlaps = np.arange(n_weights + 1)
    share = np.exp(
        log_hypergeometric_pmf(given["n"][..., None], given["a"][..., None], n_weights, overlaps)
    ).reshape(-1, overlaps.size)
    total, squares = np.zeros(len(share)), np.zeros(len(share))
    for first in range(0, n_draws, CHUNK):
        shape = min(CHUNK, n_draws - first), n_weights
        products = rng.uniform(-1.0, 1.0, shape) * rng.random(shape) * (2.0 * scale / n_weights**2)
        inner = np.concatenate([np.zeros((len(products), 1)), products.cumsum(axis=1)], axis=1)
        chances = (inner >= theta) @ share.T  # of each draw, over its overlaps
        total += chances.sum(axis=0)
        squares += (chances**2).sum(axis=0)
    mean = total / n_draws
    variance = np.maximum(squares / n_draws - mean**2, 0.0) * n_draws / (n_draws - 1)
    shape = given["n"].shape
    value, error = mean.reshape(shape), np.sqrt(variance / n_draws).reshape(shape)
    return ScalarEstimate(value, error) if shape else ScalarEstimate(float(value), float(error))
