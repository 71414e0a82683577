"""What is reported of sparse autoencoders: variance explained, loss recovered, dead latents.

Coherence and the Babel function, of the whole dictionary and of co-selected atoms, are
:func:`sparsecode.core.coherence` and :func:`sparsecode.core.babel`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import eigvalsh

from sparsecode._validation import check_count, check_data, check_fraction, check_rng
from sparsecode.bridges._rows import as_rows, blocks
from sparsecode.core.code import SparseCode
from sparsecode.core.measures import explained_variance

__all__ = [
    "DarkMatter",
    "dark_matter",
    "effective_rank",
    "firing_rates",
    "fraction_variance_unexplained",
    "loss_recovered",
    "silent_latents",
    "streamed_explained_variance",
]


def fraction_variance_unexplained(X: Any, reconstruction: Any) -> float:
    """Return FVU, 1 minus :func:`~sparsecode.core.measures.explained_variance`.

    Parameters
    ----------
    X, reconstruction : array-like of shape (n_samples, n_features)
        Samples and what codes make of them.

    Returns
    -------
    float
        0 if nothing is lost, 1 for the mean in place of every sample.

    Raises
    ------
    ValueError, TypeError
        If the two are not finite arrays of the same such shape.

    Examples
    --------
    >>> from sparsecode.bridges.sae_metrics import fraction_variance_unexplained
    >>> round(fraction_variance_unexplained([[2, 0], [0, 4]], [[2, 1], [0, 3]]), 12)
    0.2
    """
    return 1.0 - explained_variance(X, reconstruction)


def streamed_explained_variance(
    X: Any,
    reconstruct: Callable[[np.ndarray], Any],
    *,
    target: Any = None,
    rows_per_block: int = 4096,
) -> float:
    r"""Return the explained variance of data that need not fit into memory.

    .. math:: \mathrm{EV} = 1 - \frac{\sum_i \|x_i - \hat x_i\|^2}{\sum_i \|x_i - \mu\|^2},

    with :math:`\mu` the mean of each feature over the *whole* set: sums of all blocks are made
    before the division, never a mean of blocks' values.

    Parameters
    ----------
    X : array-like or reader of shape (n_samples, n_features)
        Anything with ``shape`` that gives arrays for slices of rows; read once.
    reconstruct : callable
        Turns a block of rows into its reconstruction.
    target : array-like or reader of shape (n_samples, n_outputs), optional
        What a transcoder predicts; by default `X`.
    rows_per_block : int, default=4096
        Rows held together.

    Returns
    -------
    float
        As :func:`~sparsecode.core.measures.explained_variance`.

    Raises
    ------
    ValueError, TypeError
        If the rows or what comes back have another shape, or NaN or infinity.
    """
    rows = as_rows(X)
    wanted = rows if target is None else as_rows(target, name="target")
    if wanted.shape[0] != rows.shape[0]:
        raise ValueError(f"target must have {rows.shape[0]} rows, as X has; got {wanted.shape[0]}.")
    error = spread = 0.0
    shift = total = np.zeros(wanted.shape[1])
    for part, block in blocks(rows, width=1, rows_per_block=rows_per_block):
        truth = check_data(wanted[part], name="target", dtype=np.float64)
        found = check_data(reconstruct(block), name="reconstruction", dtype=np.float64)
        if found.shape != truth.shape:
            raise ValueError(f"reconstruction must have shape {truth.shape}; got {found.shape}.")
        if part.start == 0:
            shift = truth[0].copy()  # exactly 0 spread where all rows are the same
        error += float(np.sum((truth - found) ** 2))
        shifted = truth - shift
        spread += float(np.sum(shifted**2))
        total = total + shifted.sum(axis=0)
    n_samples = rows.shape[0]
    if not n_samples:
        return float("nan")
    variance = spread - float(total @ total) / n_samples
    return 1.0 - error / variance if variance > 0 else float("nan")


def loss_recovered(original: float, spliced: float, ablated: float) -> float:
    """Return the share of a network's loss that a reconstruction saves from an ablation.

    Parameters
    ----------
    original : float
        Loss of the network as it is.
    spliced : float
        Loss with activations replaced by their reconstruction.
    ablated : float
        Loss with activations ablated: by zeros, by their mean or otherwise. The value depends on
        the choice, which must be stated with it.

    Returns
    -------
    float
        ``(ablated - spliced) / (ablated - original)``: 1 if nothing is lost, 0 if the
        reconstruction is no better than the ablation. NaN if the ablation does not matter.

    Raises
    ------
    ValueError
        If a loss is not finite.

    Examples
    --------
    >>> from sparsecode.bridges.sae_metrics import loss_recovered
    >>> loss_recovered(3.0, 3.5, 8.0)
    0.9
    """
    losses = np.array([original, spliced, ablated], dtype=np.float64)
    if not np.isfinite(losses).all():
        raise ValueError(f"losses must be finite; got {losses.tolist()}.")
    full = losses[2] - losses[0]
    return float((losses[2] - losses[1]) / full) if full else float("nan")


def firing_rates(codes: SparseCode | Iterable[SparseCode]) -> np.ndarray:
    """Return the share of samples in which each latent is active.

    Parameters
    ----------
    codes : SparseCode or iterable of SparseCode
        One batch, or blocks of one after another.

    Returns
    -------
    ndarray of float64, shape (n_latents,)
        NaN if there is no sample.

    Raises
    ------
    ValueError
        If there is no block, or blocks differ in units.
    """
    counts, n_samples = _firings(codes)
    return counts / n_samples if n_samples else np.full(counts.size, np.nan)


def silent_latents(codes: SparseCode | Iterable[SparseCode], *, min_samples: int = 1) -> np.ndarray:
    """Return the latents that no sample activates: the dead ones.

    Parameters
    ----------
    codes : SparseCode or iterable of SparseCode
        One batch, or blocks of one after another.
    min_samples : int, default=1
        Number of samples that there must be at least: silence means little over few samples, so
        that a share of dead latents is reported together with this number.

    Returns
    -------
    ndarray of int64
        Ascending.

    Raises
    ------
    ValueError
        If there are fewer samples, no block, or blocks differ in units.
    """
    min_samples = check_count("min_samples", min_samples)
    counts, n_samples = _firings(codes)
    if n_samples < min_samples:
        raise ValueError(
            f"codes must hold at least {min_samples} samples, min_samples; got {n_samples}."
        )
    return np.flatnonzero(counts == 0)


def effective_rank(code: Any) -> float:
    r"""Return :math:`\exp H(p)` of the eigenvalues of :math:`Z^T Z`, divided by their sum.

    Parameters
    ----------
    code : SparseCode or array-like of shape (n_samples, n_latents)
        Codes, not centred. Memory and time are those of the smaller side's square and cube.

    Returns
    -------
    float
        Between 1 and the rank; NaN for codes that are all 0.

    Raises
    ------
    ValueError, TypeError
        If `code` is an array of another shape, or has NaN or infinity.

    Notes
    -----
    O. Roy and M. Vetterli, "The effective rank: a measure of effective dimensionality", EUSIPCO
    2007, define it by singular values; here their squares are taken, as for a covariance.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.bridges.sae_metrics import effective_rank
    >>> round(effective_rank(np.eye(4)), 6)
    4.0
    """
    if isinstance(code, SparseCode):
        Z = code.to_scipy().astype(np.float64)
        small = Z @ Z.T if Z.shape[0] < Z.shape[1] else Z.T @ Z
        gram = small.toarray()
    else:
        X = check_data(code, name="code", dtype=np.float64)
        gram = X @ X.T if X.shape[0] < X.shape[1] else X.T @ X
    if not gram.size or not np.trace(gram):
        return float("nan")
    eigenvalues = np.maximum(eigvalsh(gram), 0.0)
    shares = eigenvalues[eigenvalues > 0] / eigenvalues.sum()
    return float(np.exp(-np.sum(shares * np.log(shares))))


class DarkMatter(NamedTuple):
    """How far the error of an autoencoder follows linearly from its input.

    Attributes
    ----------
    error_r2 : float
        Variance of the error vector that a linear map of the input explains, on rows not fitted.
    norm_r2 : float
        The same for the norm of the error.
    nonlinear_share : float
        Energy of what the map leaves of the error, divided by the energy of the error.
    nonlinear_fvu : float
        That energy divided by the variance of the inputs.
    """

    error_r2: float
    norm_r2: float
    nonlinear_share: float
    nonlinear_fvu: float


def dark_matter(
    X: Any, reconstruction: Any, *, fit_share: float = 0.5, ridge: float = 0.0, rng: Any = None
) -> DarkMatter:
    r"""Split the error :math:`e = x - \hat x` into what is linear in the input and the rest.

    e, and its norm, are regressed on (x, 1) over one part of the rows and scored on the other;
    rows must be independent, so that tokens of one text should not fall into both.

    Parameters
    ----------
    X, reconstruction : array-like of shape (n_samples, n_features)
        Inputs and what the autoencoder makes of them.
    fit_share : float, default=0.5
        Share of the rows, drawn at random, that is fitted.
    ridge : float, default=0.0
        Weight of a ridge, in units of the mean energy of a feature: 0 is least squares.
    rng : int, Generator or None
        Which rows are fitted.

    Returns
    -------
    DarkMatter

    Raises
    ------
    ValueError, TypeError
        If the arrays do not fit, or fewer rows than features plus one would be fitted, or fewer
        than two scored.

    References
    ----------
    J. Engels, L. Riggs and M. Tegmark, "Decomposing the dark matter of sparse autoencoders", 2024
    (arXiv:2410.14670).
    """
    X = check_data(X, dtype=np.float64)
    reconstruction = check_data(reconstruction, name="reconstruction", dtype=np.float64)
    if reconstruction.shape != X.shape:
        raise ValueError(
            f"reconstruction must have the shape of X, {X.shape}; got {reconstruction.shape}."
        )
    if not 0.0 <= ridge < np.inf:
        raise ValueError(f"ridge must be finite and at least 0; got {ridge!r}.")
    n_samples, n_features = X.shape
    n_fitted = round(check_fraction("fit_share", fit_share) * n_samples)
    if n_fitted < n_features + 1 or n_samples - n_fitted < 2:
        raise ValueError(
            f"X must have enough rows to fit {n_features + 1} unknowns and to score two or more; "
            f"got {n_fitted} to fit and {n_samples - n_fitted} to score."
        )
    order = check_rng(rng).permutation(n_samples)
    fitted, scored = order[:n_fitted], order[n_fitted:]
    error = X - reconstruction
    wanted = np.column_stack([error, np.linalg.norm(error, axis=1)])
    mean, offset = X[fitted].mean(axis=0), wanted[fitted].mean(axis=0)
    inputs, outputs = X[fitted] - mean, wanted[fitted] - offset
    if ridge:
        weight = np.sqrt(ridge * np.mean(inputs**2) * n_fitted)
        inputs = np.vstack([inputs, weight * np.eye(n_features)])
        outputs = np.vstack([outputs, np.zeros((n_features, outputs.shape[1]))])
    slopes = np.linalg.lstsq(inputs, outputs, rcond=None)[0]
    predicted = (X[scored] - mean) @ slopes + offset
    left = error[scored] - predicted[:, :-1]
    energy = float(np.sum(left**2))
    spread = float(np.sum((X[scored] - X[scored].mean(axis=0)) ** 2))
    whole = float(np.sum(error[scored] ** 2))
    return DarkMatter(
        explained_variance(error[scored], predicted[:, :-1]),
        explained_variance(wanted[scored][:, -1:], predicted[:, -1:]),
        energy / whole if whole else float("nan"),
        energy / spread if spread else float("nan"),
    )


def _firings(codes: SparseCode | Iterable[SparseCode]) -> tuple[np.ndarray, int]:
    n_samples, counts = 0, None
    for code in [codes] if isinstance(codes, SparseCode) else codes:
        if counts is None:
            counts = np.zeros(code.n_units, np.int64)
        elif code.n_units != counts.size:
            raise ValueError(
                f"codes must have the same units; got {counts.size} and {code.n_units}."
            )
        counts += np.bincount(code.indices, minlength=code.n_units)
        n_samples += code.n_samples
    if counts is None:
        raise ValueError("codes must hold at least one SparseCode; got none.")
    return counts, n_samples
