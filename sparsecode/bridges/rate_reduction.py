r"""Coding rates of tokens, and the sparse rate reduction that CRATE's layers are derived from.

The papers write tokens as the columns of :math:`Z \in R^{d \times N}`. Here, as everywhere, samples
are rows: `Z` has shape (n_tokens, d), or (..., n_tokens, d) for several images at a time, and N is
n_tokens. Rates are in nats.

A falling rate from layer to layer is no proof of learning: untrained networks have a curve too.

References
----------
.. [1] Y. Yu, S. Buchanan, D. Pai, T. Chu, Z. Wu, S. Tong, B. D. Haeffele and Y. Ma, "White-box
   transformers via sparse rate reduction", NeurIPS 36, 2023, arXiv:2306.01129.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from sparsecode._validation import check_numbers, check_positive

__all__ = [
    "coding_rate",
    "compressed_rate",
    "compressed_rate_gradient",
    "sparse_rate_reduction",
]

#: The precision at which the official code measures rates: its square is 0.01.
EPS = 0.1


def coding_rate(Z: Any, eps: float = EPS) -> Any:
    r"""Return :math:`R(Z) = \frac12 \log\det(I + \frac{d}{N \epsilon^2} Z^\top Z)`.

    Parameters
    ----------
    Z : array-like of shape (..., n_tokens, d)
        Tokens as rows.
    eps : float, default=0.1
        Precision up to which tokens are to be coded, in their units.

    Returns
    -------
    float or ndarray of shape (...)
        The rate in nats, at least 0.

    Raises
    ------
    TypeError, ValueError
        If `Z` is empty, not finite or of another shape, or `eps` is not above 0.

    References
    ----------
    Yu et al. 2023 (arXiv:2306.01129), section 2.
    """
    Z = _check_tokens(Z)
    n_tokens, d = Z.shape[-2:]
    return _rate(Z, d / (n_tokens * check_positive("eps", eps) ** 2))


def compressed_rate(Z: Any, U: Any, eps: float = EPS, *, normalize: bool = False) -> Any:
    r"""Return :math:`R^c`, the rate of the tokens' projections onto several subspaces.

    .. math:: R^c(Z; U) = \frac12 \sum_k \log\det\Bigl(I
              + \frac{p}{N \epsilon^2} (Z U_k)^\top (Z U_k)\Bigr)
              = \frac12 \sum_k \sum_i \log\Bigl(1 + \frac{p\, \sigma_{ki}^2}{N \epsilon^2}\Bigr)

    with :math:`\sigma_{ki}` the singular values of :math:`Z U_k`.

    Parameters
    ----------
    Z : array-like of shape (..., n_tokens, d)
        Tokens as rows.
    U : array-like of shape (n_heads, d, p)
        Bases of the subspaces, as :meth:`Crate.subspaces` gives them; any columns, orthonormal in
        the theory.
    eps : float, default=0.1
        Precision up to which tokens are to be coded, in their units.
    normalize : bool, default=False
        Whether to scale the projections of each token to norm 1 in every head (those of norm 0
        stay 0), as the official code does when it measures.

    Returns
    -------
    float or ndarray of shape (...)
        The rate in nats, at least 0.

    Raises
    ------
    TypeError, ValueError
        If arrays are empty, not finite or do not fit each other, or `eps` is not above 0.

    Notes
    -----
    The curves in the paper are captioned as rates of :math:`Z^{l+1/2}`, but the hook of the
    official code sits on the projections inside attention, so that they show the input of the block
    after LayerNorm. ``Crate.block_sites`` offers both.

    References
    ----------
    Yu et al. 2023 (arXiv:2306.01129), section 2.
    """
    Z, U = _check_both(Z, U)
    projected = _project(Z, U)
    if normalize:
        lengths = np.linalg.norm(projected, axis=-1, keepdims=True)
        projected = projected / np.where(lengths > 0.0, lengths, 1.0)
    rates = np.asarray(_rate(projected, _scale(Z, U, eps))).sum(axis=-1)
    return float(rates) if rates.ndim == 0 else rates


def compressed_rate_gradient(Z: Any, U: Any, eps: float = EPS) -> np.ndarray:
    r"""Return the gradient of :func:`compressed_rate` with respect to the tokens.

    .. math:: \nabla R^c = \gamma \sum_k Z U_k
              \bigl(I + \gamma (Z U_k)^\top (Z U_k)\bigr)^{-1} U_k^\top,
              \qquad \gamma = \frac{p}{N \epsilon^2}

    Parameters
    ----------
    Z : array-like of shape (..., n_tokens, d)
        Tokens as rows.
    U : array-like of shape (n_heads, d, p)
        Bases of the subspaces.
    eps : float, default=0.1
        Precision up to which tokens are to be coded, in their units.

    Returns
    -------
    ndarray of shape (..., n_tokens, d)
        Of the unnormalised rate.

    Raises
    ------
    TypeError, ValueError
        If arrays are empty, not finite or do not fit each other, or `eps` is not above 0.

    Notes
    -----
    CRATE's attention approximates a step against it: the inverse is replaced by its first two terms
    and those by a softmax.

    References
    ----------
    Yu et al. 2023 (arXiv:2306.01129), section 2.
    """
    Z, U = _check_both(Z, U)
    gamma = _scale(Z, U, eps)
    projected = _project(Z, U)  # (..., n_heads, n_tokens, p)
    system = np.eye(U.shape[2]) + gamma * np.swapaxes(projected, -1, -2) @ projected
    inner = np.swapaxes(np.linalg.solve(system, np.swapaxes(projected, -1, -2)), -1, -2)
    return gamma * (inner @ np.swapaxes(U, -1, -2)).sum(axis=-3)


def sparse_rate_reduction(
    Z: Any, U: Any, eps: float = EPS, *, alpha: float = 0.1, normalize: bool = False
) -> Any:
    r"""Return :math:`R(Z) - R^c(Z; U) - \lambda \|Z\|_0`, which CRATE is derived to raise.

    Parameters
    ----------
    Z : array-like of shape (..., n_tokens, d)
        Tokens as rows.
    U : array-like of shape (n_heads, d, p)
        Bases of the subspaces.
    eps : float, default=0.1
        Precision up to which tokens are to be coded, in their units.
    alpha : float, default=0.1
        :math:`\lambda`, in nats per entry that is not 0; 0 leaves the count out.
    normalize : bool, default=False
        As in :func:`compressed_rate`.

    Returns
    -------
    float or ndarray of shape (...)
        In nats.

    Raises
    ------
    TypeError, ValueError
        If arrays are empty, not finite or do not fit each other, `eps` is not above 0 or `alpha` is
        below 0.

    References
    ----------
    Yu et al. 2023 (arXiv:2306.01129), section 2.
    """
    if not isinstance(alpha, Real) or isinstance(alpha, bool):
        raise TypeError(f"alpha must be a number of at least 0; got {alpha!r}.")
    if not 0.0 <= alpha < np.inf:
        raise ValueError(f"alpha must be finite and at least 0; got {alpha!r}.")
    Z, U = _check_both(Z, U)
    n_nonzero = np.count_nonzero(Z, axis=(-2, -1))
    gain = coding_rate(Z, eps) - compressed_rate(Z, U, eps, normalize=normalize)
    return gain - alpha * n_nonzero


def _rate(A: np.ndarray, scale: float) -> Any:
    """Return 1/2 log det(I + scale A^T A) of the last two axes."""
    singular = np.linalg.svd(A, compute_uv=False)
    rates = 0.5 * np.log1p(scale * singular**2).sum(axis=-1)
    return float(rates) if rates.ndim == 0 else rates


def _project(Z: np.ndarray, U: np.ndarray) -> np.ndarray:
    """Return the tokens' projections, shape (..., n_heads, n_tokens, p)."""
    return Z[..., None, :, :] @ U


def _scale(Z: np.ndarray, U: np.ndarray, eps: float) -> float:
    return U.shape[2] / (Z.shape[-2] * check_positive("eps", eps) ** 2)


def _check_tokens(Z: Any) -> np.ndarray:
    Z = check_numbers(Z, "Z", np.float64)
    if Z.ndim < 2 or 0 in Z.shape[-2:]:
        raise ValueError(
            f"Z must have shape (..., n_tokens, d) with at least one token; got {Z.shape}."
        )
    return Z


def _check_both(Z: Any, U: Any) -> tuple[np.ndarray, np.ndarray]:
    Z, U = _check_tokens(Z), check_numbers(U, "U", np.float64)
    if U.ndim != 3 or 0 in U.shape or U.shape[1] != Z.shape[-1]:
        raise ValueError(
            f"U must have shape (n_heads, {Z.shape[-1]}, p), the width of the tokens; got "
            f"{U.shape}."
        )
    return Z, U
