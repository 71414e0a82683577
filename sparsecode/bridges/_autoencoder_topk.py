"""Autoencoders that keep a number of latents, of each sample or of a batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from sparsecode._validation import check_count, check_fraction, check_positive
from sparsecode.bridges._autoencoder_base import (
    SparseAutoencoder,
    as_array,
    auxiliary_loss,
    squared_error,
)
from sparsecode.bridges._torch import torch
from sparsecode.bridges.sae_lens import SAEWeights

__all__ = [
    "BatchTopKAutoencoder",
    "FeatureChoiceAutoencoder",
    "GradientAutoencoder",
    "MatryoshkaAutoencoder",
    "MutualChoiceAutoencoder",
    "TopKAutoencoder",
    "Transcoder",
    "zipf_counts",
]


class TopKAutoencoder(SparseAutoencoder):
    r"""The k largest pre-activations of each sample, those below 0 silenced.

    Minimises :math:`\|x - \hat x\|^2` and, with weight `aux_weight`, what the `k_aux` strongest
    dead latents miss of the residual; both are sums over features, neither is divided by a
    variance.

    Parameters
    ----------
    n_features, n_latents : int
        Entries of inputs and of codes.
    k : int
        Active latents per sample, at most.
    k_aux : int, optional
        Dead latents that rebuild the residual, by default half of n_features.
    aux_weight : float, default=1/32
        Weight of that term.
    **options
        Of :class:`SparseAutoencoder`.

    References
    ----------
    L. Gao et al., "Scaling and evaluating sparse autoencoders", ICLR 2025 (arXiv:2406.04093).
    """

    architecture = "topk"
    whole_k: ClassVar[bool] = True

    def __init__(
        self,
        n_features: int,
        n_latents: int,
        *,
        k: float,
        k_aux: int | None = None,
        aux_weight: float = 1 / 32,
        **options: Any,
    ) -> None:
        super().__init__(n_features, n_latents, **options)
        if self.whole_k:
            self.k: float = check_count("k", k, maximum=self.n_latents)
        else:
            self.k = check_positive("k", k)
            if self.k > self.n_latents:
                raise ValueError(f"k must be at most {self.n_latents}, n_latents; got {k!r}.")
        self.k_aux = max(1, n_features // 2) if k_aux is None else check_count("k_aux", k_aux)
        self.aux_weight = check_positive("aux_weight", aux_weight)
        self.options |= {"k": self.k, "k_aux": self.k_aux, "aux_weight": self.aux_weight}

    def scores(self, z: torch.Tensor, gradients: torch.Tensor | None) -> torch.Tensor:
        """Return by what latents are ranked."""
        return z

    def activate(self, h: torch.Tensor, gradients: torch.Tensor | None = None) -> torch.Tensor:
        z = torch.relu(h)
        chosen = self.scores(z, gradients).topk(int(self.k), dim=1).indices
        return torch.zeros_like(z).scatter(1, chosen, z.gather(1, chosen))

    def eligible(self) -> torch.Tensor:
        """Return which latents the auxiliary term wakes."""
        return self.dead

    def penalties(
        self,
        x: torch.Tensor,
        target: torch.Tensor,
        out: torch.Tensor,
        h: torch.Tensor,
        z: torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        eligible = self.eligible()
        if not self.training or not bool(eligible.any()):
            return {"auxiliary": h.new_zeros(())}
        missed = auxiliary_loss(target - out, h, eligible, self.k_aux, self.W_dec)
        return {"auxiliary": self.aux_weight * missed}


class Transcoder(TopKAutoencoder):
    """A TopK code of a layer's input that predicts the layer's output.

    Parameters
    ----------
    n_features, n_latents : int
        Entries of inputs and of codes.
    n_outputs : int
        Entries of the outputs.
    **options
        Of :class:`TopKAutoencoder`; ``skip=True`` adds a linear path from input to output. Every
        other architecture becomes a transcoder too, if it is given `n_outputs`.

    References
    ----------
    J. Dunefsky et al., "Transcoders find interpretable LLM feature circuits", NeurIPS 2024
    (arXiv:2406.11944); skip: G. Paulo et al., 2025 (arXiv:2501.18823).
    """

    architecture = "transcoder"

    def __init__(self, n_features: int, n_latents: int, *, n_outputs: int, **options: Any) -> None:
        if n_outputs is None:
            raise TypeError("a transcoder needs n_outputs, the entries of its target; got None.")
        super().__init__(n_features, n_latents, n_outputs=n_outputs, **options)


class GradientAutoencoder(TopKAutoencoder):
    r"""TopK by :math:`z + \beta\, z \circ |W_{dec} \nabla_x L|`, values z.

    Latents whose atoms would move a downstream loss L are preferred. Without gradients it is
    TopK.

    Parameters
    ----------
    n_features, n_latents : int
        Entries of inputs and of codes.
    beta : float, default=1.0
        Weight of the gradient.
    **options
        Of :class:`TopKAutoencoder`.

    References
    ----------
    J. Olmo et al., "Features that make a difference: leveraging gradients for improved dictionary
    learning", 2024 (arXiv:2411.10397).
    """

    architecture = "gradient"

    def __init__(
        self, n_features: int, n_latents: int, *, beta: float = 1.0, **options: Any
    ) -> None:
        super().__init__(n_features, n_latents, **options)
        self.beta = check_positive("beta", beta)
        self.options["beta"] = self.beta

    def scores(self, z: torch.Tensor, gradients: torch.Tensor | None) -> torch.Tensor:
        if gradients is None:
            return z
        return z * (1.0 + self.beta * (gradients @ self.W_dec.T).abs())


class BatchTopKAutoencoder(TopKAutoencoder):
    r"""The :math:`n k` largest of all ``ReLU(h)`` of a batch of n samples.

    In inference a latent is active above one threshold, a running mean of the smallest value that
    batches kept: codes then do not depend on the batch, and have k active latents on average only
    where data are as in training and this was long beside 1 / (1 - `threshold_decay`) steps, for
    while atoms still improve the mean lags behind. Weights are saved as those of a JumpReLU
    autoencoder.

    Parameters
    ----------
    n_features, n_latents : int
        Entries of inputs and of codes.
    k : float
        Active latents per sample on average.
    initial_k : float, optional
        Used in place of k in the first `n_initial` steps of training.
    n_initial : int, default=0
        Number of these steps.
    threshold_decay : float, default=0.99
        Share of the running mean that a step keeps.
    **options
        Of :class:`TopKAutoencoder`.

    References
    ----------
    B. Bussmann, P. Leask and N. Nanda, "BatchTopK sparse autoencoders", 2024 (arXiv:2412.06410).
    """

    architecture = "batchtopk"
    whole_k: ClassVar[bool] = False
    threshold: torch.Tensor
    n_steps: torch.Tensor

    def __init__(
        self,
        n_features: int,
        n_latents: int,
        *,
        k: float,
        initial_k: float | None = None,
        n_initial: int = 0,
        threshold_decay: float = 0.99,
        **options: Any,
    ) -> None:
        super().__init__(n_features, n_latents, k=k, **options)
        self.initial_k = self.k if initial_k is None else check_positive("initial_k", initial_k)
        self.n_initial = check_count("n_initial", n_initial, minimum=0)
        self.threshold_decay = check_fraction("threshold_decay", threshold_decay)
        self.options |= {
            "initial_k": self.initial_k,
            "n_initial": self.n_initial,
            "threshold_decay": self.threshold_decay,
        }
        self.register_buffer("threshold", torch.zeros(self.n_thresholds))
        self.register_buffer("n_steps", torch.zeros((), dtype=torch.int64))

    @property
    def n_thresholds(self) -> int:
        """One for all latents, or one for each."""
        return 1

    @property
    def current_k(self) -> float:
        """Active latents per sample at this step of training."""
        return self.initial_k if int(self.n_steps) < self.n_initial else self.k

    def activate(self, h: torch.Tensor, gradients: torch.Tensor | None = None) -> torch.Tensor:
        z = torch.relu(h)
        if not self.training:
            never = (self.threshold == 0) & (self.n_steps > 0)  # kept no sample in training
            return z * ((z > self.threshold) & ~never)
        return z * self.choose(z.detach())

    def choose(self, z: torch.Tensor) -> torch.Tensor:
        """Return which entries of a batch are kept."""
        total = min(round(len(z) * self.current_k), z.numel())
        flat = torch.zeros(z.numel(), dtype=torch.bool, device=z.device)
        flat[z.flatten().topk(total).indices] = True
        return flat.view_as(z) & (z > 0)

    @torch.no_grad()
    def follow(self, z: torch.Tensor) -> None:
        """Move thresholds towards the smallest value that was kept, the first time all the way."""
        least = z.masked_fill(z == 0, torch.inf)
        least = least.min().view(1) if self.n_thresholds == 1 else least.min(dim=0).values
        decay = torch.where(self.threshold > 0, self.threshold_decay, 0.0)
        moved = decay * self.threshold + (1 - decay) * least
        self.threshold.copy_(torch.where(least.isfinite(), moved, self.threshold))
        self.n_steps += 1

    def to_weights(self) -> SAEWeights:
        # an entry equal to the threshold is silent on both sides
        threshold = np.broadcast_to(as_array(self.threshold), self.n_latents).copy()
        if int(self.n_steps):
            threshold[threshold == 0] = np.finfo(threshold.dtype).max  # kept no sample in training
        return replace(super().to_weights(), threshold=threshold, architecture="jumprelu")


class MatryoshkaAutoencoder(BatchTopKAutoencoder):
    r"""BatchTopK whose first latents must reconstruct on their own.

    Minimises :math:`\sum_j \|x - \hat x(\text{first } m_j)\|^2` and the auxiliary term.

    Parameters
    ----------
    n_features, n_latents : int
        Entries of inputs and of codes.
    prefixes : sequence of int, optional
        Ascending :math:`m_1 < ... < m`; the last is n_latents. By default a quarter, a half, all.
    **options
        Of :class:`BatchTopKAutoencoder`.

    References
    ----------
    B. Bussmann, N. Nabeshima, A. Karvonen and N. Nanda, "Learning multi-level features with
    Matryoshka sparse autoencoders", ICML 2025 (arXiv:2503.17547).
    """

    architecture = "matryoshka"

    def __init__(
        self, n_features: int, n_latents: int, *, prefixes: Any = None, **options: Any
    ) -> None:
        super().__init__(n_features, n_latents, **options)
        if prefixes is None:
            prefixes = sorted({max(1, n_latents // 4), max(1, n_latents // 2), n_latents})
        self.prefixes = [check_count("prefixes", m, maximum=n_latents) for m in prefixes]
        rising = all(a < b for a, b in zip(self.prefixes, self.prefixes[1:]))
        if not self.prefixes or not rising or self.prefixes[-1] != n_latents:
            raise ValueError(
                f"prefixes must ascend and end with {n_latents}, n_latents; got {list(prefixes)}."
            )
        self.options["prefixes"] = self.prefixes

    def reconstruction_loss(
        self, x: torch.Tensor, target: torch.Tensor, z: torch.Tensor, out: torch.Tensor
    ) -> torch.Tensor:
        loss = squared_error(target, out)
        for m in self.prefixes[:-1]:
            part = z[:, :m] @ self.W_dec[:m] + self.b_dec
            if self.W_skip is not None:
                part = part + x @ self.W_skip
            loss = loss + squared_error(target, part)
        return loss


class MutualChoiceAutoencoder(BatchTopKAutoencoder):
    r"""BatchTopK, whose auxiliary term wakes all latents that fall behind Zipf's law.

    Samples and latents choose each other: the :math:`n k` largest entries of the whole matrix of
    affinities are kept.

    Parameters
    ----------
    n_features, n_latents : int
        Entries of inputs and of codes.
    zipf_exponent : float, default=1.0
        How fast the expected use of latents falls with their rank.
    usage_decay : float, default=0.99
        Share of the running mean of use that a step keeps.
    **options
        Of :class:`BatchTopKAutoencoder`.

    Notes
    -----
    A latent falls behind if it is used less than half as often as Zipf's law has it for its rank.
    The paper's own weights were not available; this is a reading of its idea.

    References
    ----------
    K. Ayonrinde, "Adaptive sparse allocation with Mutual Choice and Feature Choice sparse
    autoencoders", 2024 (arXiv:2411.02124).
    """

    architecture = "mutualchoice"
    usage: torch.Tensor
    expected: torch.Tensor

    def __init__(
        self,
        n_features: int,
        n_latents: int,
        *,
        zipf_exponent: float = 1.0,
        usage_decay: float = 0.99,
        **options: Any,
    ) -> None:
        super().__init__(n_features, n_latents, **options)
        self.zipf_exponent = check_positive("zipf_exponent", zipf_exponent)
        self.usage_decay = check_fraction("usage_decay", usage_decay)
        self.options |= {"zipf_exponent": self.zipf_exponent, "usage_decay": self.usage_decay}
        many = 2**20
        shares = zipf_counts(n_latents, round(many * self.k), many, exponent=zipf_exponent) / many
        self.register_buffer("usage", torch.tensor(shares, dtype=torch.float32))
        self.register_buffer("expected", torch.tensor(shares, dtype=torch.float32))

    @torch.no_grad()
    def follow(self, z: torch.Tensor) -> None:
        """Move the running mean of use, and the threshold."""
        super().follow(z)
        used = (z != 0).float().mean(dim=0)
        self.usage.mul_(self.usage_decay).add_((1 - self.usage_decay) * used)

    def eligible(self) -> torch.Tensor:
        order = self.usage.argsort(descending=True, stable=True)
        behind = torch.empty_like(order, dtype=torch.bool)
        behind[order] = self.usage[order] < 0.5 * self.expected
        return behind


class FeatureChoiceAutoencoder(BatchTopKAutoencoder):
    r"""Every latent keeps its own strongest samples: latent i the :math:`m_i` largest of a batch.

    The :math:`m_i` follow Zipf's law over the index of latents and sum to :math:`n k`; none is
    left without samples while the batch is large enough. In inference each latent has a
    threshold of its own, a running mean of the smallest value that it kept.

    Parameters
    ----------
    n_features, n_latents : int
        Entries of inputs and of codes.
    zipf_exponent : float, default=1.0
        How fast shares fall with the index.
    **options
        Of :class:`BatchTopKAutoencoder`.

    References
    ----------
    K. Ayonrinde, "Adaptive sparse allocation with Mutual Choice and Feature Choice sparse
    autoencoders", 2024 (arXiv:2411.02124).
    """

    architecture = "featurechoice"

    def __init__(
        self, n_features: int, n_latents: int, *, zipf_exponent: float = 1.0, **options: Any
    ) -> None:
        super().__init__(n_features, n_latents, **options)
        self.zipf_exponent = check_positive("zipf_exponent", zipf_exponent)
        self.options["zipf_exponent"] = self.zipf_exponent

    @property
    def n_thresholds(self) -> int:
        """One for each latent."""
        return self.n_latents

    def choose(self, z: torch.Tensor) -> torch.Tensor:
        total = min(round(len(z) * self.current_k), z.numel())
        counts = zipf_counts(self.n_latents, total, len(z), exponent=self.zipf_exponent)
        order = z.argsort(dim=0, descending=True, stable=True)
        place = torch.arange(len(z), device=z.device)[:, None]
        first = place < torch.as_tensor(counts, device=z.device)
        return torch.zeros_like(first).scatter(0, order, first) & (z > 0)


def zipf_counts(n_latents: int, total: int, largest: int, *, exponent: float = 1.0) -> np.ndarray:
    """Divide `total` samples among latents as 1 / rank**exponent, none above `largest`.

    Parameters
    ----------
    n_latents : int
        Number of latents; rank 1 comes first.
    total : int
        What the counts sum to, at most ``n_latents * largest``.
    largest : int
        Samples that a latent can have.
    exponent : float, default=1.0
        Of Zipf's law.

    Returns
    -------
    ndarray of int64, shape (n_latents,)
        Descending; rounded by largest remainder.

    Raises
    ------
    ValueError
        If `total` is more than there are samples to give.
    """
    if not 0 <= total <= n_latents * largest:
        raise ValueError(f"total must lie between 0 and {n_latents * largest}; got {total}.")
    weights = np.arange(1, n_latents + 1, dtype=np.float64) ** -exponent
    shares = np.full(n_latents, float(largest))
    for n_full in range(n_latents):  # the first are full, the rest share what is left
        rest = (total - n_full * largest) * weights[n_full:] / weights[n_full:].sum()
        if rest[0] <= largest:
            shares[n_full:] = rest
            break
    counts = np.floor(shares + 1e-9).astype(np.int64)
    missing = total - int(counts.sum())
    if missing:
        room = np.where(counts < largest, shares - counts, -np.inf)
        counts[np.argsort(-room, kind="stable")[:missing]] += 1
    return -np.sort(-counts)
