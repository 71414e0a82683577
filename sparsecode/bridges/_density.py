"""What makes activations sparse while a network is trained: DEFT's loss, ProSparse's schedule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sparsecode._validation import check_numbers, check_positive

__all__ = ["deft_gradient", "deft_loss", "prosparse_weight", "shifted_relu"]


def deft_loss(activations: Any, *, epsilon: float = 1e-7) -> Any:
    r"""Return DEFT's density loss, the mean of :math:`a^2 / (a^2 + \epsilon)`.

    Parameters
    ----------
    activations : array-like, or tensor, of any shape
        Activations ``a``. A PyTorch tensor is taken as it is, so that its gradient flows.
    epsilon : float, default=1e-7
        Squares well above it count as 1, well below as 0.

    Returns
    -------
    float, or tensor of shape ()
        Between 0 (silent) and 1; multiply it by a weight and add it to the loss of the task.

    Raises
    ------
    ValueError, TypeError
        If an array is empty or not finite, or `epsilon` is not above 0.

    Notes
    -----
    Densities of the paper are of fine-tuned language models and are not reproduced here.

    References
    ----------
    B. Runwal, T. Pedapati and P.-Y. Chen, "From PEFT to DEFT: Parameter efficient finetuning for
    reducing activation density in transformers", AAAI 2025, arXiv:2402.01911.
    """
    epsilon = check_positive("epsilon", epsilon)
    if hasattr(activations, "backward"):
        wide = activations.float() if activations.element_size() < 4 else activations
        squares = wide * wide
        return (squares / (squares + epsilon)).mean()
    squares = np.square(_check_activations(activations))
    return float(np.mean(squares / (squares + epsilon)))


def deft_gradient(activations: Any, *, epsilon: float = 1e-7) -> np.ndarray:
    r"""Return the gradient of :func:`deft_loss`, :math:`2 a \epsilon / (n (a^2 + \epsilon)^2)`.

    Parameters
    ----------
    activations : array-like of any shape
        Activations ``a``, ``n`` in all.
    epsilon : float, default=1e-7
        As in the loss.

    Returns
    -------
    ndarray of the shape of `activations`

    Raises
    ------
    ValueError, TypeError
        If `activations` is empty or not finite, or `epsilon` is not above 0.

    Notes
    -----
    It is largest at ``|a| = sqrt(epsilon / 3)`` and vanishes for large activations, which the
    loss therefore leaves alone.

    References
    ----------
    B. Runwal, T. Pedapati and P.-Y. Chen, "From PEFT to DEFT: Parameter efficient finetuning for
    reducing activation density in transformers", AAAI 2025, arXiv:2402.01911.
    """
    epsilon = check_positive("epsilon", epsilon)
    a = _check_activations(activations)
    return 2 * a * epsilon / (a**2 + epsilon) ** 2 / a.size


def prosparse_weight(step: Any, boundaries: Sequence[int], weights: Sequence[float]) -> Any:
    r"""Return the weight of ProSparse's l1 penalty at a step of training.

    In the first stage it is constant; in stage ``i`` it rises from the weight before to its own,

    .. math:: \lambda_{i-1} + \frac{\lambda_i - \lambda_{i-1}}{2}
       \Bigl(1 + \sin\bigl(-\tfrac\pi2 + \pi \tfrac{t - T_{i-1}}{T_i - T_{i-1}}\bigr)\Bigr).

    Parameters
    ----------
    step : int or array-like of int
        Step ``t``, from 0.
    boundaries : sequence of int
        Last step ``T_i`` of each stage, ascending, above 0.
    weights : sequence of float
        Weight of each stage at its end, at least 0, never falling.

    Returns
    -------
    float or ndarray of the shape of `step`
        After the last stage, its weight.

    Raises
    ------
    ValueError, TypeError
        If stages are not as described, or a step is below 0.

    Notes
    -----
    The penalty is :math:`\lambda \sum \|x_1\|_1` over layers, ``x_1`` the product of gate and up
    projection, with ReLU in place of the nonlinearity. Sparsities of the paper are of language
    models trained on and are not reproduced here.

    References
    ----------
    C. Song et al., "ProSparse: Introducing and enhancing intrinsic activation sparsity within large
    language models", COLING 2025, arXiv:2402.13516.
    """
    t = check_numbers(step, "step", np.float64).reshape(np.shape(step))
    ends = check_numbers(boundaries, "boundaries", np.float64)
    lambdas = check_numbers(weights, "weights", np.float64)
    if ends.ndim != 1 or ends.size == 0 or (np.diff(ends, prepend=0.0) <= 0).any():
        raise ValueError(f"boundaries must ascend from above 0; got {list(boundaries)!r}.")
    if lambdas.shape != ends.shape or (np.diff(lambdas, prepend=0.0) < 0).any():
        raise ValueError(
            f"weights must hold {ends.size} numbers of at least 0 that never fall, one for each "
            f"stage; got {list(weights)!r}."
        )
    if (t < 0).any():
        raise ValueError(f"step must be at least 0; got {t.min():g}.")
    stage = np.minimum(np.searchsorted(ends, t), ends.size - 1)
    before = np.maximum(stage - 1, 0)
    start = np.where(stage > 0, ends[before], 0.0)
    part = np.minimum((t - start) / (ends[stage] - start), 1.0)
    rise = (1 + np.sin(-np.pi / 2 + np.pi * part)) / 2
    found = lambdas[before] + (lambdas[stage] - lambdas[before]) * rise
    return float(found) if np.ndim(step) == 0 else found


def shifted_relu(x: Any, threshold: float = 0.0) -> np.ndarray:
    r"""Return ProSparse's shifted ReLU, :math:`x \, 1\{x \ge t\}`.

    Parameters
    ----------
    x : array-like of any shape
        Activations.
    threshold : float, default=0.0
        The ``t`` above, at least 0; with 0 it is ReLU.

    Returns
    -------
    ndarray of the shape of `x`

    Raises
    ------
    ValueError, TypeError
        If `x` is empty or not finite, or `threshold` is below 0.

    References
    ----------
    C. Song et al., "ProSparse: Introducing and enhancing intrinsic activation sparsity within large
    language models", COLING 2025, arXiv:2402.13516.
    """
    if threshold != 0:
        threshold = check_positive("threshold", threshold)
    x = _check_activations(x, "x")
    return np.where(x >= threshold, x, x.dtype.type(0)) + x.dtype.type(0)  # no -0


def _check_activations(activations: Any, name: str = "activations") -> np.ndarray:
    shape = np.shape(activations)
    checked = check_numbers(activations, name).reshape(shape)
    if checked.size == 0:
        raise ValueError(f"{name} must hold at least one number; got shape {shape}.")
    return checked
