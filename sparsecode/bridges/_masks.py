"""Thresholds on activations: which entries are kept, calibrated on some tokens, used on others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg

from sparsecode._validation import (
    check_count,
    check_data,
    check_fraction,
    check_numbers,
    check_option,
    check_probability,
)
from sparsecode.core.code import SparseCode

__all__ = [
    "RSparse",
    "TealAllocation",
    "Thresholds",
    "TopScores",
    "cats",
    "chess",
    "core_neurons",
    "output_error",
    "r_sparse",
    "search_r_sparse",
    "sentence_core",
    "teal",
    "teal_blocks",
    "wina",
]


class _Masking:
    """What is common to rules that keep some entries of each token."""

    __slots__ = ()

    def mask(self, x: Any) -> np.ndarray:
        """Return which entries are kept, bool of shape (n_tokens, n_channels)."""
        raise NotImplementedError

    def apply(self, x: Any) -> np.ndarray:
        """Return `x` of shape (n_tokens, n_channels) with 0 in place of what is not kept."""
        x = _check_tokens(x)
        return np.where(self.mask(x), x, x.dtype.type(0))

    def code(self, x: Any) -> SparseCode:
        """Return what is kept of `x`, shape (n_tokens, n_channels), as a sparse code."""
        return SparseCode.from_dense(self.apply(x))

    def sparsity(self, x: Any) -> float:
        """Return the share of zeros in what is kept of `x`, between 0 and 1."""
        kept = self.apply(x)
        return float(1 - np.count_nonzero(kept) / kept.size)


@dataclass(frozen=True, slots=True, eq=False)
class Thresholds(_Masking):
    """Keep the entries whose score, magnitude times `scale`, passes a threshold.

    Attributes
    ----------
    method : str
        What calibrated them.
    threshold : ndarray of shape () or (n_channels,)
        One for all channels, or one for each.
    scale : ndarray of shape (n_channels,) or None
        Factor of each channel's magnitudes; 1 if None.
    keeps_equal : bool
        Whether a score equal to the threshold is kept.
    n_channels : int
        Channels of the tokens they were calibrated on.
    """

    method: str
    threshold: np.ndarray
    scale: np.ndarray | None
    keeps_equal: bool
    n_channels: int

    def mask(self, x: Any) -> np.ndarray:
        """Return which entries are kept, bool of shape (n_tokens, n_channels)."""
        scores = _scores(_check_tokens(x, n_channels=self.n_channels), self.scale)
        return scores >= self.threshold if self.keeps_equal else scores > self.threshold


@dataclass(frozen=True, slots=True, eq=False)
class TopScores(_Masking):
    """Keep in each token the entries of largest score, magnitude times `scale`.

    Attributes
    ----------
    method : str
        What made it.
    n_kept : int
        Entries kept of each token; the lower channel first among equals.
    scale : ndarray of shape (n_channels,) or None
        Factor of each channel's magnitudes; 1 if None.
    n_channels : int
        Channels of a token.
    """

    method: str
    n_kept: int
    scale: np.ndarray | None
    n_channels: int

    def mask(self, x: Any) -> np.ndarray:
        """Return which entries are kept, bool of shape (n_tokens, n_channels)."""
        scores = _scores(_check_tokens(x, n_channels=self.n_channels), self.scale)
        best = np.argsort(-scores, axis=1, kind="stable")[:, : self.n_kept]
        kept = np.zeros(scores.shape, bool)
        np.put_along_axis(kept, best, True, axis=1)
        return kept


def cats(gate: Any, sparsity: float) -> Thresholds:
    r"""Calibrate CATS: zero gate activations below a quantile of their magnitudes.

    .. math:: t = \min \{ t' : F_{|v|}(t') \ge k \}, \quad v = \mathrm{SiLU}(x W_\text{gate})

    Parameters
    ----------
    gate : array-like of shape (n_tokens, n_units)
        Activations ``v`` of the calibration tokens, after the nonlinearity.
    sparsity : float
        Share ``k`` to be zeroed, at least 0 and below 1.

    Returns
    -------
    Thresholds
        One threshold for the layer; entries with ``|v| < t`` become 0.

    Raises
    ------
    ValueError, TypeError
        If `gate` is empty or not finite, or `sparsity` out of range.

    Notes
    -----
    The share zeroed is that of the calibration tokens, up to ties; on other tokens it is as close
    as their distribution is. Accuracies and speeds of the paper are of language models and are
    not reproduced here.

    References
    ----------
    D. Lee, J.-Y. Lee, G. Zhang, M. Tiwari and A. Mirhoseini, "CATS: Contextually-aware
    thresholding for sparsity in large language models", COLM 2024, arXiv:2404.08763.
    """
    gate = _check_tokens(gate, "gate")
    threshold = _quantile(np.abs(gate), _check_sparsity(sparsity))
    return Thresholds("cats", threshold, None, True, gate.shape[1])


def teal(
    x: Any, sparsity: float, *, quantile: str = "histogram", n_bins: int = 10_000
) -> Thresholds:
    r"""Calibrate TEAL: zero inputs of a matrix by magnitude.

    .. math:: t_p = F^{-1}(1/2 + p/2), \quad \text{zero where } |x_i| \le t_p

    Parameters
    ----------
    x : array-like of shape (n_tokens, n_channels)
        Inputs of one weight matrix.
    sparsity : float
        Share ``p`` to be zeroed, at least 0 and below 1.
    quantile : {"histogram", "magnitude"}
        :math:`F` from a histogram of the signed inputs, or the quantile ``p`` of magnitudes.
    n_bins : int, default=10000
        Bins of the histogram.

    Returns
    -------
    Thresholds
        One threshold for the matrix.

    Raises
    ------
    ValueError, TypeError
        If `x` is empty or not finite, `sparsity` out of range, or `quantile` unknown.

    Notes
    -----
    The histogram's formula, the official code's, takes the inputs to be symmetric about 0. Where
    they are skewed it misses the target; the magnitude's quantile does not. Accuracies and speeds
    of the paper are of language models and are not reproduced here.

    References
    ----------
    J. Liu, P. Ponnusamy, T. Cai, H. Guo, Y. Kim and B. Athiwaratkun, "Training-free activation
    sparsity in large language models", ICLR 2025, arXiv:2408.14690.
    """
    x = _check_tokens(x)
    return _teal(x, _check_sparsity(sparsity), quantile, n_bins)


def _teal(x: np.ndarray, sparsity: float, quantile: str, n_bins: int) -> Thresholds:
    check_option("quantile", quantile, ("histogram", "magnitude"))
    if sparsity == 0:
        threshold = np.asarray(0.0)
    elif sparsity == 1:
        threshold = np.asarray(np.inf)
    elif quantile == "magnitude":
        threshold = _quantile(np.abs(x), sparsity)
    else:
        counts, edges = np.histogram(x, bins=n_bins)
        share = np.concatenate([[0.0], np.cumsum(counts) / x.size])
        threshold = np.asarray(max(np.interp(0.5 + sparsity / 2, share, edges), 0.0))
    return Thresholds("teal", threshold, None, False, x.shape[1])


@dataclass(frozen=True, slots=True, eq=False)
class TealAllocation:
    """How the sparsity of a block is spread over its matrices.

    Attributes
    ----------
    sparsities : dict of str to float
        Target of each matrix.
    thresholds : dict of str to Thresholds
        Calibrated to them.
    errors : ndarray of shape (n_steps,)
        Error of the block after each step.
    """

    sparsities: dict[str, float]
    thresholds: dict[str, Thresholds]
    errors: np.ndarray


def teal_blocks(
    inputs: Mapping[str, Any],
    weights: Mapping[str, Any],
    sparsity: float,
    *,
    step: float = 0.05,
    error: Callable[[dict[str, Thresholds]], float] | None = None,
    quantile: str = "histogram",
) -> TealAllocation:
    r"""Spread the sparsity of a block over its matrices, greedily.

    From none, each step adds sparsity to the one matrix for which the error of the block is then
    least: ``step * F / f_i``, of ``f_i`` the weights of the matrix and ``F`` those of the block,
    so that the sparsity of the block, the mean weighted by ``f_i``, grows by `step`.

    Parameters
    ----------
    inputs : mapping of str to array-like of shape (n_tokens, n_channels)
        Inputs of each matrix; several may share one array.
    weights : mapping of str to array-like of shape (n_outputs, n_channels)
        Matrices ``W``, whose outputs are ``x @ W.T``; the same keys.
    sparsity : float
        Of the block, at least 0 and below 1.
    step : float, default=0.05
        What one step adds to it; the last step adds what is left.
    error : callable, optional
        Takes thresholds by name (of all matrices) and returns the error of the block's output. By
        default the squared relative output errors of the matrices are added up.
    quantile : {"histogram", "magnitude"}
        As in :func:`teal`.

    Returns
    -------
    TealAllocation

    Raises
    ------
    ValueError, TypeError
        If the names differ, or a matrix does not suit its inputs.

    Notes
    -----
    The paper measures the error at the output of a whole transformer block: pass `error` to do
    so. The default sees each matrix alone, with its inputs as they were.

    References
    ----------
    J. Liu, P. Ponnusamy, T. Cai, H. Guo, Y. Kim and B. Athiwaratkun, "Training-free activation
    sparsity in large language models", ICLR 2025, algorithm 1.
    """
    sparsity, step = _check_sparsity(sparsity), check_fraction("step", step)
    if not inputs or set(inputs) != set(weights):
        raise ValueError(
            "inputs and weights must have the same names, at least one; got "
            f"{sorted(inputs)} and {sorted(weights)}."
        )
    x = {name: _check_tokens(one, f"inputs[{name!r}]") for name, one in inputs.items()}
    w = {name: _check_weight(weights[name], x[name], f"weights[{name!r}]") for name in x}
    size = {name: one.size for name, one in w.items()}
    total = sum(size.values())

    def calibrated(name: str, p: float) -> Thresholds:
        return _teal(x[name], p, quantile, 10_000)

    def own_error(name: str, chosen: Thresholds) -> float:
        return _relative_error(w[name], x[name], chosen.apply(x[name])) ** 2

    p = dict.fromkeys(x, 0.0)
    chosen = {name: calibrated(name, 0.0) for name in x}
    own = dict.fromkeys(x, 0.0)
    reached, errors = 0.0, []
    while sparsity - reached > 1e-12:
        best: tuple[float, str, float, Thresholds, float] | None = None
        for name in x:
            if p[name] >= 1.0:
                continue
            after = min(p[name] + min(step, sparsity - reached) * total / size[name], 1.0)
            made = calibrated(name, after)
            if error is None:
                mine = own_error(name, made)
                whole = sum(own.values()) - own[name] + mine
            else:
                mine, whole = 0.0, float(error(chosen | {name: made}))
            if best is None or whole < best[0]:
                best = whole, name, after, made, mine
        assert best is not None  # the target is below 1, so that a matrix is not yet full
        whole, name, p[name], chosen[name], own[name] = (best[0], *best[1:])
        reached = sum(p[name] * size[name] for name in x) / total
        errors.append(whole)
    return TealAllocation(p, chosen, np.array(errors))


def wina(
    x: Any, weight: Any | None, sparsity: float, *, per_token: bool = True
) -> Thresholds | TopScores:
    r"""Calibrate WINA: keep the inputs of largest :math:`|x_i| \, \|W_{:,i}\|_2`.

    Parameters
    ----------
    x : array-like of shape (n_tokens, n_channels)
        Inputs of the matrix; with `per_token` only their number of channels counts.
    weight : array-like of shape (n_outputs, n_channels) or None
        Matrix ``W``, whose output is ``x @ W.T``. ``None`` takes all norms as 1.
    sparsity : float
        Share to be zeroed, at least 0 and below 1.
    per_token : bool, default=True
        Whether to keep as many inputs of every token, or those above one threshold.

    Returns
    -------
    TopScores or Thresholds

    Raises
    ------
    ValueError, TypeError
        If `x` or `weight` is empty or not finite, they do not suit each other, or `sparsity` is
        out of range.

    Notes
    -----
    With equal column norms this is :func:`teal` by magnitude. The official code uses the norms
    for the keys' and the gate's matrices only (for both projections together where they are
    fused), and 1 for the others: pass ``None`` for those. Accuracies of the paper are of language
    models and are not reproduced here.

    References
    ----------
    S. Chen et al., "WINA: Weight informed neuron activation for accelerating large language model
    inference", arXiv:2505.19427, 2025.
    """
    x = _check_tokens(x)
    sparsity = _check_sparsity(sparsity)
    scale = None if weight is None else _column_norms(_check_weight(weight, x))
    if per_token:
        n_kept = max(1, round((1 - sparsity) * x.shape[1]))
        return TopScores("wina", n_kept, scale, x.shape[1])
    threshold = _quantile(_scores(x, scale), sparsity) if sparsity else np.asarray(0.0)
    return Thresholds("wina", threshold, scale, False, x.shape[1])


def chess(gate: Any, up: Any, sparsity: float) -> Thresholds:
    r"""Calibrate CHESS: a threshold for each channel of the gate.

    Entries are scored by :math:`a_{\text{gate},j}^2 \, \mathrm E[a_{\text{up},j}^2]`, and with
    :math:`\tau` the quantile of all scores of the layer, :math:`t_j = \sqrt{\tau / \mathrm
    E[a_{\text{up},j}^2]}`.

    Parameters
    ----------
    gate, up : array-like of shape (n_tokens, n_units)
        Activations of the gate, after the nonlinearity, and of the up-projection.
    sparsity : float
        Share to be zeroed, at least 0 and below 1.

    Returns
    -------
    Thresholds
        One threshold for each channel, infinite where the up-projection is silent; entries with
        ``|a_gate| < t_j`` become 0.

    Raises
    ------
    ValueError, TypeError
        If the two differ in shape, are empty or not finite, or `sparsity` is out of range.

    Notes
    -----
    With equal mean squares this is :func:`cats`, which also gives the scalar threshold that the
    official code uses for the inputs of some matrices of attention. Speeds of the paper are not
    reproduced here.

    References
    ----------
    J. He, S. Wu, W. Wen, C. J. Xue and Q. Li, "CHESS: Optimizing LLM inference via channel-wise
    thresholding and selective sparsification", EMNLP 2024, arXiv:2409.01366.
    """
    gate = _check_tokens(gate, "gate")
    up = _check_tokens(up, "up")
    if gate.shape != up.shape:
        raise ValueError(f"gate and up must have the same shape; got {gate.shape} and {up.shape}.")
    root = np.sqrt(np.mean(np.square(up, dtype=np.float64), axis=0))
    tau = _quantile(_scores(gate, root), _check_sparsity(sparsity))
    threshold = np.divide(tau, root, out=np.full(root.shape, np.inf), where=root > 0)
    return Thresholds("chess", threshold, None, True, gate.shape[1])


@dataclass(frozen=True, slots=True, eq=False)
class RSparse:
    """A matrix that acts on some inputs in full and on the others through a low rank.

    Attributes
    ----------
    weight : ndarray of shape (n_outputs, n_channels)
        Matrix ``W``.
    u, s, vt : ndarray of shape (n_outputs, rank), (rank,) and (rank, n_channels)
        Its first singular vectors and values.
    thresholds : Thresholds
        Which inputs act in full.
    """

    weight: np.ndarray
    u: np.ndarray
    s: np.ndarray
    vt: np.ndarray
    thresholds: Thresholds

    @property
    def rank(self) -> int:
        """Rank of the remainder."""
        return self.s.size

    def apply(self, x: Any) -> np.ndarray:
        """Return the inputs that act in full, 0 in place of others."""
        return self.thresholds.apply(x)

    def code(self, x: Any) -> SparseCode:
        """Return the inputs that act in full, as a sparse code."""
        return self.thresholds.code(x)

    def output(self, x: Any) -> np.ndarray:
        """Return ``W (x m) + U S V' (x (1 - m))`` of each token, shape (n_tokens, n_outputs)."""
        x = _check_tokens(x)
        kept = self.thresholds.apply(x)
        return kept @ self.weight.T + (((x - kept) @ self.vt.T) * self.s) @ self.u.T

    def output_error(self, x: Any) -> float:
        """Return the Frobenius norm of the output's error over that of the output."""
        x = _check_tokens(x)
        exact = x @ self.weight.T
        return _divide(np.linalg.norm(exact - self.output(x)), np.linalg.norm(exact))


def r_sparse(x: Any, weight: Any, sparsity: float, *, alpha: float) -> RSparse:
    r"""Calibrate R-Sparse: large inputs in full, what remains through a low rank.

    .. math:: y = W (x \circ m) + U_r S_r V_r^\top (x \circ (1 - m)),
       \quad m_i = 1\{|x_i| \, \|W_{:,i}\| > t\}

    Of the budget :math:`(1 - s)` times the entries of `W`, the share `alpha` goes to inputs that
    act in full, :math:`(1 - s) \alpha \, n_\text{channels}` of a token on average, and the rest to
    the rank :math:`r = \lfloor (1 - s)(1 - \alpha) \, n_\text{outputs} n_\text{channels} /
    (n_\text{outputs} + n_\text{channels}) \rfloor`.

    Parameters
    ----------
    x : array-like of shape (n_tokens, n_channels)
        Inputs of the matrix.
    weight : array-like of shape (n_outputs, n_channels)
        Matrix ``W``, whose output is ``x @ W.T``.
    sparsity : float
        The ``s`` above, at least 0 and below 1.
    alpha : float
        Share of the budget for inputs that act in full, between 0 and 1. The paper searches one
        for each matrix; compare the results' ``output_error``.

    Returns
    -------
    RSparse

    Raises
    ------
    ValueError, TypeError
        If `x` or `weight` is empty or not finite, they do not suit each other, or `sparsity` or
        `alpha` is out of range.

    Notes
    -----
    As in the official code, at ``alpha=1`` the norms are dropped, which leaves the mask of plain
    magnitudes, and nothing of the remainder. Scores of the paper are of language models and are
    not reproduced here.

    References
    ----------
    Z. Zhang et al., "R-Sparse: Rank-aware activation sparsity for efficient LLM inference",
    ICLR 2025, arXiv:2504.19449.
    """
    x = _check_tokens(x)
    weight = _check_weight(weight, x)
    sparsity, alpha = _check_sparsity(sparsity), check_probability("alpha", alpha)
    n_outputs, n_channels = weight.shape
    budget = (1 - sparsity) * (1 - alpha) * n_outputs * n_channels
    rank = min(int(budget / (n_outputs + n_channels) + 1e-9), n_outputs, n_channels)
    scale = None if alpha == 1 else _column_norms(weight)
    silenced = min(sparsity + (1 - sparsity) * (1 - alpha), 1.0)  # exact if alpha is 1
    threshold = _quantile(_scores(x, scale), silenced) if silenced > 0 else np.asarray(0.0)
    if alpha == 0:
        threshold = np.asarray(np.inf)  # on other tokens too
    u, s, vt = linalg.svd(weight, full_matrices=False)
    thresholds = Thresholds("r_sparse", threshold, scale, False, n_channels)
    return RSparse(weight, u[:, :rank], s[:rank], vt[:rank], thresholds)


def search_r_sparse(x: Any, weight: Any, sparsity: float, *, n_grid: int = 21) -> RSparse:
    """Calibrate R-Sparse with the share `alpha` that errs least on the calibration tokens.

    Parameters
    ----------
    x : array-like of shape (n_tokens, n_channels)
        Inputs of the matrix.
    weight : array-like of shape (n_outputs, n_channels)
        Matrix ``W``, whose output is ``x @ W.T``.
    sparsity : float
        As for :func:`r_sparse`.
    n_grid : int, default=21
        Shares that are tried, evenly from 0 to 1.

    Returns
    -------
    RSparse
        With the least ``output_error`` on `x`; of several the one with the largest share.

    Raises
    ------
    ValueError, TypeError
        As :func:`r_sparse`, or if fewer than 2 shares are asked for.

    Notes
    -----
    The paper searches all matrices of a model together, by an evolutionary algorithm, for the loss
    of the model. Here each matrix is judged by its own output, so that matrices can be searched
    one by one, and all shares of a grid be tried.

    References
    ----------
    Z. Zhang et al., "R-Sparse: Rank-aware activation sparsity for efficient LLM inference",
    ICLR 2025, arXiv:2504.19449.
    """
    tokens = _check_tokens(x)
    shares = np.linspace(1.0, 0.0, check_count("n_grid", n_grid, minimum=2))
    tried = [r_sparse(tokens, weight, sparsity, alpha=float(share)) for share in shares]
    return min(tried, key=lambda one: one.output_error(tokens))


def core_neurons(activations: Any, alpha: float) -> SparseCode:
    """Return CoreInfer's core neurons of each token: the largest of its positive activations.

    Parameters
    ----------
    activations : SparseCode or array-like of shape (n_tokens, n_units)
        Activations of a layer; those at or below 0 are never core.
    alpha : float
        Share of the positive activations of a token that is kept, rounded up; the paper uses 0.4.

    Returns
    -------
    SparseCode
        Binary, of shape (n_tokens, n_units).

    Raises
    ------
    ValueError, TypeError
        If activations are not finite numbers of such a shape, or `alpha` is not above 0 and at
        most 1.

    See Also
    --------
    sentence_core : Those of a sentence.

    References
    ----------
    Q. Wang et al., "CoreInfer: Accelerating large language model inference with semantics-inspired
    adaptive sparse activation", arXiv:2410.18311, 2024.
    """
    alpha = check_fraction("alpha", alpha)
    if not isinstance(activations, SparseCode):
        activations = SparseCode.from_dense(_check_tokens(activations, "activations"))
    code = activations
    values = np.ones(code.nnz) if code.values is None else code.values.astype(np.float64)
    rows = np.repeat(np.arange(code.n_samples), code.n_active)
    order = np.lexsort((code.indices, -values, rows))
    rank = np.empty(code.nnz, np.int64)
    rank[order] = np.arange(code.nnz) - code.indptr[rows]
    n_positive = np.bincount(rows[values > 0], minlength=code.n_samples)
    core = (values > 0) & (rank < np.ceil(alpha * n_positive - 1e-9)[rows])
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows[core], minlength=code.n_samples))])
    return SparseCode(indptr, code.indices[core], None, code.unit_shape)


def sentence_core(tokens: SparseCode, beta: float) -> SparseCode:
    """Return CoreInfer's core neurons of a sentence: the most frequent among those of its tokens.

    Parameters
    ----------
    tokens : SparseCode
        Core neurons of the tokens of one sentence, as :func:`core_neurons` returns them.
    beta : float
        Share of all units that is kept; neurons that are core in no token are not.

    Returns
    -------
    SparseCode
        Binary, one row. Of equally frequent units the lower comes first.

    Raises
    ------
    ValueError, TypeError
        If `tokens` is no code or holds no token, or `beta` is not above 0 and at most 1.

    Notes
    -----
    These stay fixed while the model goes on decoding.

    References
    ----------
    Q. Wang et al., "CoreInfer: Accelerating large language model inference with semantics-inspired
    adaptive sparse activation", arXiv:2410.18311, 2024.
    """
    beta = check_fraction("beta", beta)
    if not isinstance(tokens, SparseCode) or not len(tokens):
        raise TypeError(
            f"tokens must be a SparseCode of at least one token; got {tokens!r:.60}. "
            "Use core_neurons."
        )
    counts = np.bincount(tokens.indices, minlength=tokens.n_units).astype(np.float64)
    n_kept = max(1, round(beta * tokens.n_units))
    return SparseCode.from_dense(counts[None], tokens.unit_shape).binarize(k=n_kept)


def output_error(weight: Any, x: Any, x_sparse: Any) -> float:
    r"""Return what a matrix loses by sparse inputs: :math:`\|W(x - \hat x)\|_F / \|W x\|_F`.

    Parameters
    ----------
    weight : array-like of shape (n_outputs, n_channels)
        Matrix ``W``, whose output is ``x @ W.T``.
    x : array-like of shape (n_tokens, n_channels)
        Inputs.
    x_sparse : SparseCode or array-like of shape (n_tokens, n_channels)
        What is kept of them.

    Returns
    -------
    float
        0 if nothing is lost; NaN if the output is 0 throughout and nothing is lost.

    Raises
    ------
    ValueError, TypeError
        If shapes do not match, or something is empty or not finite.
    """
    x = _check_tokens(x)
    weight = _check_weight(weight, x)
    if isinstance(x_sparse, SparseCode):
        shape = x_sparse.shape
    else:
        x_sparse = _check_tokens(x_sparse, "x_sparse")
        shape = x_sparse.shape
    if shape != x.shape:
        raise ValueError(f"x_sparse must have the shape of x, {x.shape}; got {shape}.")
    return _relative_error(weight, x, x_sparse)


def _relative_error(weight: np.ndarray, x: np.ndarray, kept: Any) -> float:
    exact = x @ weight.T
    rest = exact - (kept.to_scipy() @ weight.T if isinstance(kept, SparseCode) else kept @ weight.T)
    return _divide(np.linalg.norm(rest), np.linalg.norm(exact))


def _divide(lost: Any, whole: Any) -> float:
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.float64(lost) / np.float64(whole))


def _check_tokens(x: Any, name: str = "x", *, n_channels: int | None = None) -> np.ndarray:
    """Return finite activations with at least one token and channel."""
    x = check_numbers(x, name)
    if x.ndim != 2 or 0 in x.shape or (n_channels is not None and x.shape[1] != n_channels):
        wanted = "n_channels" if n_channels is None else n_channels
        raise ValueError(
            f"{name} must have shape (n_tokens, {wanted}) with at least one token; got "
            f"{x.shape}. Use {name}.reshape(-1, {name}.shape[-1]) for batches of sequences."
        )
    return x


def _check_weight(weight: Any, x: np.ndarray, name: str = "weight") -> np.ndarray:
    weight = check_data(weight, name=name, dtype=np.float64)
    if weight.shape[0] == 0 or weight.shape[1] != x.shape[1]:
        raise ValueError(
            f"{name} must have shape (n_outputs, {x.shape[1]}), the channels of its inputs; got "
            f"{weight.shape}. Transpose it if its rows are inputs."
        )
    return weight


def _check_sparsity(sparsity: Any) -> float:
    sparsity = check_probability("sparsity", sparsity)
    if sparsity == 1:
        raise ValueError("sparsity must be below 1; got 1. At 1 nothing would be kept.")
    return sparsity


def _scores(x: np.ndarray, scale: np.ndarray | None) -> np.ndarray:
    return np.abs(x) if scale is None else np.abs(x) * scale


def _column_norms(weight: np.ndarray) -> np.ndarray:
    return np.linalg.norm(weight, axis=0)


def _quantile(values: np.ndarray, share: float) -> np.ndarray:
    """Return the least value that at least this share does not exceed."""
    return np.asarray(np.quantile(values, share, method="inverted_cdf"), np.float64)
