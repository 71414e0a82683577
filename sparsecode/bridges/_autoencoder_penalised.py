"""Autoencoders whose loss penalises active latents: ReLU, Gated and JumpReLU."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from sparsecode._validation import check_positive
from sparsecode.bridges._autoencoder_base import (
    SparseAutoencoder,
    as_array,
    squared_error,
)
from sparsecode.bridges._torch import nn, torch
from sparsecode.bridges.sae_lens import SAEWeights

__all__ = [
    "GatedAutoencoder",
    "JumpReLUAutoencoder",
    "ReLUAutoencoder",
]


class ReLUAutoencoder(SparseAutoencoder):
    r"""The l1 autoencoder: :math:`z = \mathrm{ReLU}(h)`.

    Minimises :math:`\|x - \hat x\|^2 + \lambda \sum_i z_i \|W_{dec,i}\|`, the mean over samples.
    The norms in the penalty make it blind to the scale of atoms, which stay as they come.

    Parameters
    ----------
    n_features, n_latents : int
        Entries of inputs and of codes.
    penalty : float, default=0.1
        The weight lambda.
    **options
        Of :class:`SparseAutoencoder`.

    References
    ----------
    T. Bricken et al., "Towards monosemanticity", 2023; the weighted norm: T. Conerly et al.,
    "Update on how we train SAEs", 2024 (transformer-circuits.pub).
    """

    architecture = "relu"
    unit_atoms: ClassVar[bool] = False

    def __init__(
        self, n_features: int, n_latents: int, *, penalty: float = 0.1, **options: Any
    ) -> None:
        super().__init__(n_features, n_latents, **options)
        self.penalty = check_positive("penalty", penalty)
        self.options["penalty"] = self.penalty

    def activate(self, h: torch.Tensor, gradients: torch.Tensor | None = None) -> torch.Tensor:
        return torch.relu(h)

    def penalties(
        self,
        x: torch.Tensor,
        target: torch.Tensor,
        out: torch.Tensor,
        h: torch.Tensor,
        z: torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        norms = torch.linalg.vector_norm(self.W_dec, dim=1)
        return {"sparsity": self.penalty * (z @ norms).mean()}


class GatedAutoencoder(SparseAutoencoder):
    r"""A gate chooses latents, a second map of the same directions says how strong they are.

    :math:`\pi = (x - b_{dec}) W_{enc} + b_{enc}`, and
    :math:`z = 1\{\pi > 0\}\, \mathrm{ReLU}((x - b_{dec}) W_{enc} e^{r} + b_{mag})`. Minimises
    :math:`\|x - \hat x\|^2 + \lambda \|\mathrm{ReLU}(\pi)\|_1 + \|x - \hat x_{frozen}(
    \mathrm{ReLU}(\pi))\|^2`; the last decoder is held fixed.

    Parameters
    ----------
    n_features, n_latents : int
        Entries of inputs and of codes.
    penalty : float, default=0.1
        The weight lambda.
    **options
        Of :class:`SparseAutoencoder`.

    References
    ----------
    S. Rajamanoharan et al., "Improving dictionary learning with gated sparse autoencoders", 2024
    (arXiv:2404.16014), equations 6 and 8.
    """

    architecture = "gated"

    def __init__(
        self, n_features: int, n_latents: int, *, penalty: float = 0.1, **options: Any
    ) -> None:
        super().__init__(n_features, n_latents, **options)
        self.penalty = check_positive("penalty", penalty)
        self.options["penalty"] = self.penalty
        self.r_mag = nn.Parameter(torch.zeros(self.n_latents))
        self.b_mag = nn.Parameter(torch.zeros(self.n_latents))

    def activate(self, h: torch.Tensor, gradients: torch.Tensor | None = None) -> torch.Tensor:
        magnitude = (h - self.b_enc) * self.r_mag.exp() + self.b_mag
        return (h > 0) * torch.relu(magnitude)

    def penalties(
        self,
        x: torch.Tensor,
        target: torch.Tensor,
        out: torch.Tensor,
        h: torch.Tensor,
        z: torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        gate = torch.relu(h)
        frozen = gate @ self.W_dec.detach() + self.b_dec.detach()
        if self.W_skip is not None:
            frozen = frozen + x @ self.W_skip.detach()
        return {
            "sparsity": self.penalty * gate.sum(dim=1).mean(),
            "gate": squared_error(target, frozen),
        }

    def to_weights(self) -> SAEWeights:
        # pi > 0 says h_mag > b_mag - exp(r) b_enc, and ReLU says h_mag > 0
        scale = self.r_mag.exp()
        return replace(
            super().to_weights(),
            W_enc=as_array(self.W_enc * scale),
            b_enc=as_array(self.b_mag),
            threshold=as_array(torch.relu(self.b_mag - scale * self.b_enc)),
            architecture="jumprelu",
        )


class JumpReLUAutoencoder(SparseAutoencoder):
    r"""A threshold for each latent, learned: :math:`z = h\, 1\{h > \theta\}`.

    Minimises :math:`\|x - \hat x\|^2 + \lambda \sum_i 1\{h_i > \theta_i\}`. Thresholds learn from
    entries within half a bandwidth of them:
    :math:`\partial z / \partial \theta = -(\theta / \varepsilon)\, \mathrm{rect}((h - \theta) /
    \varepsilon)` and :math:`\partial 1 / \partial \theta = -(1 / \varepsilon)\, \mathrm{rect}(
    (h - \theta) / \varepsilon)`; nothing reaches h through the gate.

    Parameters
    ----------
    n_features, n_latents : int
        Entries of inputs and of codes.
    penalty : float, default=0.1
        The weight lambda.
    threshold : float, default=0.01
        Where all thresholds start.
    bandwidth : float, default=0.05
        The width epsilon.
    **options
        Of :class:`SparseAutoencoder`.

    Notes
    -----
    Atoms may have any norm: the penalty does not see them. Thresholds stay at or above 0.

    References
    ----------
    S. Rajamanoharan et al., "Jumping ahead: improving reconstruction fidelity with JumpReLU sparse
    autoencoders", 2024 (arXiv:2407.14435), equations 9 to 12; start and width are SAELens's.
    """

    architecture = "jumprelu"
    unit_atoms: ClassVar[bool] = False

    def __init__(
        self,
        n_features: int,
        n_latents: int,
        *,
        penalty: float = 0.1,
        threshold: float = 0.01,
        bandwidth: float = 0.05,
        **options: Any,
    ) -> None:
        super().__init__(n_features, n_latents, **options)
        self.penalty = check_positive("penalty", penalty)
        self.bandwidth = check_positive("bandwidth", bandwidth)
        start = check_positive("threshold", threshold)
        self.options |= {
            "penalty": self.penalty,
            "threshold": start,
            "bandwidth": self.bandwidth,
        }
        self.threshold = nn.Parameter(torch.full((self.n_latents,), start))

    def activate(self, h: torch.Tensor, gradients: torch.Tensor | None = None) -> torch.Tensor:
        return _Jump.apply(h, self.threshold, self.bandwidth)

    def penalties(
        self,
        x: torch.Tensor,
        target: torch.Tensor,
        out: torch.Tensor,
        h: torch.Tensor,
        z: torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        count = _Step.apply(h, self.threshold, self.bandwidth).sum(dim=1)
        return {"sparsity": self.penalty * count.mean()}

    @torch.no_grad()
    def project(self) -> None:
        super().project()
        self.threshold.clamp_(min=0.0)

    def _thresholds(self) -> np.ndarray:
        return as_array(self.threshold)


def _rectangle(h: torch.Tensor, threshold: torch.Tensor, bandwidth: float) -> torch.Tensor:
    return ((h - threshold).abs() < 0.5 * bandwidth).to(h.dtype)


class _Jump(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, h: torch.Tensor, threshold: torch.Tensor, bandwidth: float
    ) -> torch.Tensor:
        ctx.save_for_backward(h, threshold)
        ctx.bandwidth = bandwidth
        return h * (h > threshold)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        h, threshold = ctx.saved_tensors
        near = _rectangle(h, threshold, ctx.bandwidth)
        to_threshold = -(threshold / ctx.bandwidth) * near * grads[0]
        return grads[0] * (h > threshold), to_threshold.sum(dim=0), None


class _Step(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, h: torch.Tensor, threshold: torch.Tensor, bandwidth: float
    ) -> torch.Tensor:
        ctx.save_for_backward(h, threshold)
        ctx.bandwidth = bandwidth
        return (h > threshold).to(h.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[None, torch.Tensor, None]:
        h, threshold = ctx.saved_tensors
        near = _rectangle(h, threshold, ctx.bandwidth)
        return None, (-near / ctx.bandwidth * grads[0]).sum(dim=0), None
