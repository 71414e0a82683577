"""How much of a layer's output small neurons carry, and the laws of sparsity over training."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.optimize import OptimizeWarning, curve_fit

from sparsecode._validation import (
    check_count,
    check_data,
    check_numbers,
    check_option,
    check_positive,
)
from sparsecode.core.code import SparseCode

__all__ = [
    "CettPPL",
    "SparsingLaw",
    "activation_ratio",
    "cett",
    "cett_ppl",
    "epsilon_for_cett",
    "fit_sparsing_law",
]


class _Outputs:
    """The output of every neuron on every token, by its norm."""

    def __init__(self, activations: Any, w_out: Any) -> None:
        if isinstance(activations, SparseCode):
            self.a: Any = activations.to_scipy().astype(np.float64)
        else:
            self.a = check_data(activations, name="activations", dtype=np.float64)
        if 0 in self.a.shape:
            raise ValueError(
                f"activations must hold at least one token and one unit; got shape {self.a.shape}."
            )
        self.w_out = check_data(w_out, name="w_out", dtype=np.float64)
        if self.w_out.shape[0] == 0 or self.w_out.shape[1] != self.a.shape[1]:
            raise ValueError(
                f"w_out must have shape (n_outputs, {self.a.shape[1]}), the units of the "
                f"activations; got {self.w_out.shape}. Transpose it if its rows are units."
            )
        norms = np.linalg.norm(self.w_out, axis=0)
        if sparse.issparse(self.a):
            self.norms = np.abs(self.a.data) * norms[self.a.indices]
        else:
            self.norms = np.abs(self.a) * norms
        self.whole = np.linalg.norm(self.a @ self.w_out.T, axis=1)

    def cett(self, epsilon: float) -> float:
        lost = self.norms < epsilon
        if sparse.issparse(self.a):
            small = self.a.copy()
            small.data = np.where(lost, small.data, 0.0)
        else:
            small = np.where(lost, self.a, 0.0)
        counted = self.whole > 0
        if not counted.any():
            return float("nan")
        rest = np.linalg.norm(small @ self.w_out.T, axis=1)
        return float(np.mean(rest[counted] / self.whole[counted]))

    def ratio(self, epsilon: float) -> float:
        n_all = self.a.shape[0] * self.a.shape[1]
        if epsilon == 0:
            return 1.0
        return int(np.count_nonzero(self.norms >= epsilon)) / n_all


def cett(activations: Any, w_out: Any, epsilon: float) -> float:
    r"""Return the cumulative error of tail truncation: what neurons of small output carry.

    .. math:: \mathrm{CETT} = \operatorname{mean}_x
       \frac{\| \sum_{i \in D} n_i \|}{\| \sum_i n_i \|}, \quad D = \{i : \|n_i\| < \epsilon\},

    with :math:`n_i = a_i W_{:,i}` the output of neuron ``i``.

    Parameters
    ----------
    activations : SparseCode or array-like of shape (n_tokens, n_units)
        Activations ``a`` that enter the second matrix (with a gate, the products).
    w_out : array-like of shape (n_outputs, n_units)
        Second matrix ``W``, whose output is ``a @ W.T``.
    epsilon : float
        Norm of a neuron's output below which it is left out, at least 0.

    Returns
    -------
    float
        0 with no such neuron, 1 if all are left out. Tokens without output are not counted; NaN
        if there is no other.

    Raises
    ------
    ValueError, TypeError
        If shapes do not match, something is not finite, or `epsilon` is below 0.

    Notes
    -----
    A neuron that is left out may undo the error of another: CETT grows with `epsilon` without
    fail only where the columns of `W` are orthogonal, elsewhere on the whole.

    References
    ----------
    Y. Luo et al., "Sparsing law: Towards large language models with greater activation sparsity",
    ICML 2025, arXiv:2411.02335.
    """
    return _Outputs(activations, w_out).cett(_check_epsilon(epsilon))


def activation_ratio(activations: Any, w_out: Any, epsilon: float) -> float:
    r"""Return the share of neurons whose output is not below `epsilon`, :math:`1 - |D| / d`.

    Parameters
    ----------
    activations : SparseCode or array-like of shape (n_tokens, n_units)
        As in :func:`cett`.
    w_out : array-like of shape (n_outputs, n_units)
        As in :func:`cett`.
    epsilon : float
        As in :func:`cett`.

    Returns
    -------
    float
        Mean over tokens, between 0 and 1. At 0 no neuron is below: 1.

    Raises
    ------
    ValueError, TypeError
        As :func:`cett`.

    References
    ----------
    Y. Luo et al., "Sparsing law: Towards large language models with greater activation sparsity",
    ICML 2025, arXiv:2411.02335.
    """
    return _Outputs(activations, w_out).ratio(_check_epsilon(epsilon))


def epsilon_for_cett(
    activations: Any, w_out: Any, target: float, *, n_candidates: int = 65_536
) -> float:
    """Return the largest epsilon found whose CETT does not exceed a target.

    Parameters
    ----------
    activations : SparseCode or array-like of shape (n_tokens, n_units)
        As in :func:`cett`.
    w_out : array-like of shape (n_outputs, n_units)
        As in :func:`cett`.
    target : float
        CETT, above 0 and below 1.
    n_candidates : int, default=65536
        Equally spaced values from 0 to the quantile 0.99 of the norms above 0, among which it is
        looked for by bisection.

    Returns
    -------
    float
        A candidate at or below the target whose next one is above it (there may be more of them,
        as CETT need not be monotone); the last candidate, if that is not above either.

    Raises
    ------
    ValueError, TypeError
        As :func:`cett`; if `target` is out of range, or no token has an output.

    References
    ----------
    Y. Luo et al., "Sparsing law: Towards large language models with greater activation sparsity",
    ICML 2025, arXiv:2411.02335.
    """
    target = check_positive("target", target)
    if target >= 1:
        raise ValueError(f"target must lie above 0 and below 1; got {target!r}.")
    n_candidates = check_count("n_candidates", n_candidates, minimum=2)
    outputs = _Outputs(activations, w_out)
    if not outputs.whole.any():
        raise ValueError("activations must give an output on some token; got none above 0.")
    norms = outputs.norms[outputs.norms > 0]
    candidates = np.linspace(0.0, np.quantile(norms, 0.99), n_candidates)
    low, high = 0, n_candidates
    while high - low > 1:
        middle = (low + high) // 2
        if outputs.cett(candidates[middle]) <= target:
            low = middle
        else:
            high = middle
    return float(candidates[low])


@dataclass(frozen=True, slots=True)
class CettPPL:
    """The CETT at which perplexity has risen by a given share.

    Attributes
    ----------
    cett : float
        The value found.
    ratio : float
        Perplexity there over that of the dense model.
    converged : bool
        Whether `ratio` meets its target within the tolerance.
    n_evaluations : int
        Calls of the loss.
    """

    cett: float
    ratio: float
    converged: bool
    n_evaluations: int


def cett_ppl(
    loss_function: Callable[[float], Any],
    p: float,
    *,
    tol: float = 1e-6,
    high: float = 1.0,
    max_iter: int = 100,
) -> CettPPL:
    r"""Find the CETT at which perplexity is ``1 + p`` times that of the dense model.

    Bisection for :math:`\operatorname{mean} \exp(L(\text{CETT}) - L(0)) = 1 + p`.

    Parameters
    ----------
    loss_function : callable
        Takes a CETT, 0 for the dense model, and returns the loss in nats: a number, or one for
        each text of the validation set. Each layer should take its own epsilon for that CETT, by
        :func:`epsilon_for_cett`.
    p : float
        Rise of perplexity, above 0: 0.01 for PPL-1%.
    tol : float, default=1e-6
        Accepted distance of the ratio from ``1 + p``.
    high : float, default=1.0
        Largest CETT looked at.
    max_iter : int, default=100
        Largest number of bisections.

    Returns
    -------
    CettPPL
        If the tolerance was not met, as with a loss that has jumps, the largest CETT found whose
        ratio is not above ``1 + p``.

    Raises
    ------
    ValueError, TypeError
        If the ratio at `high` is below ``1 + p``, a loss is not finite, or a parameter is out of
        range.

    References
    ----------
    Y. Luo et al., "Sparsing law: Towards large language models with greater activation sparsity",
    ICML 2025, arXiv:2411.02335.
    """
    p, tol = check_positive("p", p), check_positive("tol", tol)
    high = check_positive("high", high)
    max_iter = check_count("max_iter", max_iter)
    dense = _loss(loss_function, 0.0)
    n_evaluations = 1

    def ratio(value: float) -> float:
        nonlocal n_evaluations
        n_evaluations += 1
        loss = _loss(loss_function, value)
        if loss.shape != dense.shape:
            raise ValueError(
                f"loss_function must always return as many losses; got {dense.shape} at 0 and "
                f"{loss.shape} at {value:g}."
            )
        return float(np.mean(np.exp(loss - dense)))

    low, at_low, at_high = 0.0, 1.0, ratio(high)
    if abs(at_high - 1 - p) <= tol:
        return CettPPL(high, at_high, True, n_evaluations)
    if at_high < 1 + p:
        raise ValueError(
            f"the perplexity ratio must reach 1 + p = {1 + p:g} within [0, high]; got {at_high:g} "
            f"at {high:g}. Use a smaller p or a larger high."
        )
    for _ in range(max_iter):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        found = ratio(middle)
        if abs(found - 1 - p) <= tol:
            return CettPPL(middle, found, True, n_evaluations)
        if found < 1 + p:
            low, at_low = middle, found
        else:
            high = middle
    return CettPPL(low, at_low, abs(at_low - 1 - p) <= tol, n_evaluations)


def _loss(loss_function: Callable[[float], Any], value: float) -> np.ndarray:
    loss = np.asarray(loss_function(value), np.float64)
    if loss.size == 0 or not np.isfinite(loss).all():
        raise ValueError(f"loss_function must return finite losses; got {loss} at {value:g}.")
    return loss


@dataclass(frozen=True, slots=True, eq=False)
class SparsingLaw:
    r"""A fitted law of the activation ratio over the tokens trained on.

    Attributes
    ----------
    activation : {"relu", "silu"}
        Which law.
    limit : float
        Ratio :math:`A_0` after infinitely many tokens, a share.
    c, alpha : float
        Coefficient and exponent.
    b : float or None
        Logarithm of the ratio that training takes away (ReLU only).
    standard_errors : dict of str to float
        Of the parameters, from the curvature at the least squares; NaN if not determined.
    residual : float
        Root of the mean squared residual.
    """

    activation: str
    limit: float
    c: float
    alpha: float
    b: float | None
    standard_errors: dict[str, float]
    residual: float

    def predict(self, tokens: Any) -> np.ndarray:
        """Return the activation ratio after `tokens`, in the unit of the fit, any shape."""
        tokens = _check_curve(tokens, "tokens")
        if self.b is not None:
            return np.exp(-self.c * tokens**self.alpha + self.b) + self.limit
        return -self.c / tokens**self.alpha + self.limit


def fit_sparsing_law(tokens: Any, ratio: Any, *, activation: str) -> SparsingLaw:
    r"""Fit the law of activation ratios over training by least squares.

    ReLU: :math:`A(D) = \exp(-c D^\alpha + b) + A_0`, which falls. SiLU: :math:`A(D) = A_0 - c /
    D^\alpha`, which rises.

    Parameters
    ----------
    tokens : array-like of shape (n_points,)
        Tokens trained on, above 0. The paper's coefficients are for billions.
    ratio : array-like of shape (n_points,)
        Activation ratios there, as shares between 0 and 1.
    activation : {"relu", "silu"}
        Which law.

    Returns
    -------
    SparsingLaw

    Raises
    ------
    ValueError, TypeError
        If there are not more points of different `tokens` than parameters (4 or 3), `ratio` does
        not change in the direction of the law, or something is out of range.

    Notes
    -----
    For each exponent (and coefficient) of a grid the linear parameters follow; the best start
    goes to `scipy.optimize.curve_fit`. A curve that has not begun to level off determines
    neither the limit nor the exponent: look at the standard errors. The paper's models are
    not trained here, so that its coefficients are reference, not result.

    References
    ----------
    Y. Luo et al., "Sparsing law: Towards large language models with greater activation sparsity",
    ICML 2025, arXiv:2411.02335.
    """
    check_option("activation", activation, ("relu", "silu"))
    tokens, ratio = _check_curve(tokens, "tokens"), check_numbers(ratio, "ratio", np.float64)
    if tokens.ndim != 1 or ratio.shape != tokens.shape:
        raise ValueError(
            f"tokens and ratio must have one shape (n_points,); got {tokens.shape} and "
            f"{ratio.shape}."
        )
    if (ratio < 0).any() or (ratio > 1).any():
        raise ValueError("ratio must lie between 0 and 1; divide percentages by 100.")
    n_parameters = 4 if activation == "relu" else 3
    if np.unique(tokens).size <= n_parameters:
        raise ValueError(
            f"tokens must hold more than {n_parameters} different values for {n_parameters} "
            f"parameters; got {np.unique(tokens).size}."
        )
    largest = float(tokens.max())
    u = tokens / largest  # c is kappa / largest**alpha for ReLU, times it for SiLU

    def relu(u: np.ndarray, log_k: float, log_alpha: float, b: float, limit: float) -> np.ndarray:
        return np.exp(b - np.exp(log_k) * u ** np.exp(log_alpha)) + limit

    def silu(u: np.ndarray, log_k: float, log_alpha: float, limit: float) -> np.ndarray:
        return limit - np.exp(log_k) * u ** -np.exp(log_alpha)

    best: tuple[float, list[float]] | None = None
    for alpha in np.geomspace(0.05, 5, 30):
        for kappa in np.geomspace(1e-2, 1e2, 30) if activation == "relu" else (0.0,):
            shape = np.exp(-kappa * u**alpha) if activation == "relu" else -(u**-alpha)
            centred = shape - shape.mean()
            spread = float(centred @ centred)
            factor = float(centred @ ratio) / spread if spread > 0 else 0.0
            if factor <= 0:
                continue
            limit = float(ratio.mean() - factor * shape.mean())
            misfit = float(np.sum((ratio - limit - factor * shape) ** 2))
            if best is None or misfit < best[0]:
                start = (
                    [np.log(kappa), np.log(alpha), np.log(factor), limit]
                    if activation == "relu"
                    else [np.log(factor), np.log(alpha), limit]
                )
                best = misfit, start
    if best is None:
        way = "fall" if activation == "relu" else "rise"
        raise ValueError(f"ratio must {way} with tokens for {activation}; got one that does not.")
    function = relu if activation == "relu" else silu
    with warnings.catch_warnings(), np.errstate(over="ignore"):
        warnings.simplefilter("ignore", OptimizeWarning)
        found, covariance = curve_fit(
            function, u, ratio, best[1], ftol=1e-15, xtol=1e-15, gtol=1e-15, max_nfev=20_000,
            method="trf", x_scale="jac",
        )  # fmt: skip
    alpha = float(np.exp(found[1]))
    sign = -1.0 if activation == "relu" else 1.0
    c = float(np.exp(found[0] + sign * alpha * np.log(largest)))
    slope = np.zeros(n_parameters)  # of log c in the parameters
    slope[:2] = 1.0, sign * alpha * np.log(largest)
    variances = {"c": slope @ covariance @ slope * c**2, "alpha": covariance[1, 1] * alpha**2}
    variances["limit"] = covariance[-1, -1]
    if activation == "relu":
        variances["b"] = covariance[2, 2]
    errors = {
        name: float(np.sqrt(v)) if np.isfinite(v) and v >= 0 else float("nan")
        for name, v in variances.items()
    }
    residual = float(np.sqrt(np.mean((function(u, *found) - ratio) ** 2)))
    b = float(found[2]) if activation == "relu" else None
    return SparsingLaw(activation, float(found[-1]), c, alpha, b, errors, residual)


def _check_curve(tokens: Any, name: str) -> np.ndarray:
    shape = np.shape(tokens)
    tokens = check_numbers(tokens, name, np.float64).reshape(shape)
    if (tokens <= 0).any():
        raise ValueError(f"{name} must be above 0; got {tokens.min():g}.")
    return tokens


def _check_epsilon(epsilon: Any) -> float:
    return 0.0 if epsilon == 0 else check_positive("epsilon", epsilon)
