r"""Plain networks whose hidden activations are to be measured: ViT, MLP-Mixer and MLP.

Each hidden layer computes :math:`a = \sigma(K^\top x)` and hands on :math:`V a`; `sites` names the
modules that give :math:`a`, for forward hooks. With `top_k` a token keeps the k largest entries of
:math:`a`, in training and in test. About half of the units of a ReLU network are active before
training. Whether training lowers that depends on the data, the optimizer and above all the
learning rate: small networks on digits can end denser than they began.

References
----------
Z. Li, C. You et al., "The lazy neuron phenomenon: on emergence of activation sparsity in
transformers", ICLR 2023, arXiv:2210.06313.
"""

from __future__ import annotations

from collections.abc import Sequence

from sparsecode._validation import check_count
from sparsecode.bridges._network import (
    Activation,
    Network,
    PatchTokens,
    check_heads,
    check_patches,
    check_top_k,
    seeded,
)
from sparsecode.bridges._torch import nn, torch

__all__ = ["MLP", "Mixer", "ViT"]


class _FeedForward(nn.Module):
    """Linear, activation, linear."""

    def __init__(self, width: int, d_ff: int, activation: str, top_k: int | None) -> None:
        super().__init__()
        self.expand = nn.Linear(width, d_ff)
        self.act = Activation(activation, top_k)
        self.contract = nn.Linear(d_ff, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.contract(self.act(self.expand(x)))


class _Attention(nn.Module):
    """Multi-head softmax attention, scaled by the root of the width of a head."""

    def __init__(self, d_model: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.qkv = nn.Linear(d_model, 3 * d_model)
        self.out = nn.Linear(d_model, d_model)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, n_tokens, d_model = x.shape
        heads = self.qkv(x).reshape(batch, n_tokens, 3, self.n_heads, -1).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(heads[0], heads[1], heads[2])
        return self.out(mixed.transpose(1, 2).reshape(batch, n_tokens, d_model))


class _ViTBlock(nn.Module):
    def __init__(
        self, d_model: int, d_ff: int, n_heads: int, activation: str, top_k: int | None
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.attn = _Attention(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.mlp = _FeedForward(d_model, d_ff, activation, top_k)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ViT(Network):
    r"""Vision transformer, LayerNorm first, with the class read off a token of its own.

    The feed-forward part of each block is :math:`x + V\,\mathrm{Top}_k(\sigma(K^\top x))`, its
    biases left out here, and its codes are the outputs of ``blocks.{i}.mlp.act``.

    Parameters
    ----------
    image_size : int
        Height and width of the images, in pixels.
    patch_size : int
        Height and width of a patch; divides `image_size`.
    n_classes : int
        Number of outputs.
    n_channels : int, default=1
        Channels of the images.
    d_model : int, default=48
        Width of a token.
    d_ff : int, default=192
        Width of the hidden activations.
    n_heads : int, default=4
        Attention heads; divides `d_model`.
    n_layers : int, default=4
        Blocks.
    activation : {"relu", "gelu"}, default="relu"
        The nonlinearity; "gelu" is the one with the error function, and never exactly 0.
    top_k : int, optional
        Units that a token keeps, at most `d_ff`; all of them if unset. `d_ff` gives the same
        bits.
    seed : int, optional
        Seed of the weights; PyTorch's own stream if unset.

    Raises
    ------
    TypeError, ValueError
        If a size does not fit, in one sentence.

    Notes
    -----
    Dosovitskiy et al. 2021 (ICLR, arXiv:2010.11929). Top-k: Li et al. 2023 (ICLR,
    arXiv:2210.06313), the Top-k Transformer. Images go in as (batch, n_channels, image_size,
    image_size).
    """

    def __init__(
        self,
        image_size: int,
        patch_size: int,
        n_classes: int,
        *,
        n_channels: int = 1,
        d_model: int = 48,
        d_ff: int = 192,
        n_heads: int = 4,
        n_layers: int = 4,
        activation: str = "relu",
        top_k: int | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        self._configure(locals())
        n_patches = check_patches(image_size, patch_size, n_channels)
        check_heads(d_model, n_heads)
        check_count("n_classes", n_classes)
        check_count("d_ff", d_ff)
        check_count("n_layers", n_layers)
        check_top_k(top_k, d_ff)
        with seeded(seed):
            self.tokens = PatchTokens(image_size, patch_size, n_channels)
            self.embed = nn.Linear(patch_size**2 * n_channels, d_model)
            self.cls_token = nn.Parameter(0.02 * torch.randn(1, 1, d_model))
            self.position = nn.Parameter(0.02 * torch.randn(1, n_patches + 1, d_model))
            self.blocks = nn.ModuleList(
                _ViTBlock(d_model, d_ff, n_heads, activation, top_k) for _ in range(n_layers)
            )
            self.norm = nn.LayerNorm(d_model)
            self.head = nn.Linear(d_model, n_classes)

    @property
    def sites(self) -> tuple[str, ...]:
        """Paths of the hidden activations, one a block, outputs (batch, n_tokens, d_ff)."""
        return tuple(f"blocks.{i}.mlp.act" for i in range(len(self.blocks)))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits.

        Parameters
        ----------
        images : tensor of shape (batch, n_channels, image_size, image_size)
            Floats.

        Returns
        -------
        tensor of shape (batch, n_classes)
        """
        x = self.embed(self.tokens(images))
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1) + self.position
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x[:, 0]))


class _MixerBlock(nn.Module):
    def __init__(
        self,
        n_patches: int,
        d_model: int,
        d_token: int,
        d_ff: int,
        activation: str,
        top_k: int | None,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.token_mlp = _FeedForward(n_patches, d_token, activation, None)
        self.norm2 = nn.LayerNorm(d_model)
        self.mlp = _FeedForward(d_model, d_ff, activation, top_k)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.token_mlp(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.mlp(self.norm2(x))


class Mixer(Network):
    r"""MLP-Mixer: one MLP across patches and one across channels, block after block.

    Parameters
    ----------
    image_size : int
        Height and width of the images, in pixels.
    patch_size : int
        Height and width of a patch; divides `image_size`.
    n_classes : int
        Number of outputs.
    n_channels : int, default=1
        Channels of the images.
    d_model : int, default=48
        Width of a token.
    d_token : int, default=32
        Width of the hidden activations across patches.
    d_ff : int, default=192
        Width of the hidden activations across channels.
    n_layers : int, default=4
        Blocks.
    activation : {"relu", "gelu"}, default="relu"
        The nonlinearity of both MLPs.
    top_k : int, optional
        Units that a token keeps of its `d_ff`; all of them if unset. The MLP across patches, which
        knows no tokens, keeps all of its own.
    seed : int, optional
        Seed of the weights; PyTorch's own stream if unset.

    Raises
    ------
    TypeError, ValueError
        If a size does not fit, in one sentence.

    Notes
    -----
    Tolstikhin et al. 2021 (NeurIPS 34, arXiv:2105.01601).
    """

    def __init__(
        self,
        image_size: int,
        patch_size: int,
        n_classes: int,
        *,
        n_channels: int = 1,
        d_model: int = 48,
        d_token: int = 32,
        d_ff: int = 192,
        n_layers: int = 4,
        activation: str = "relu",
        top_k: int | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        self._configure(locals())
        n_patches = check_patches(image_size, patch_size, n_channels)
        for name, size in self.config.items():
            if name in ("n_classes", "d_model", "d_token", "d_ff", "n_layers"):
                check_count(name, size)
        check_top_k(top_k, d_ff)
        with seeded(seed):
            self.tokens = PatchTokens(image_size, patch_size, n_channels)
            self.embed = nn.Linear(patch_size**2 * n_channels, d_model)
            self.blocks = nn.ModuleList(
                _MixerBlock(n_patches, d_model, d_token, d_ff, activation, top_k)
                for _ in range(n_layers)
            )
            self.norm = nn.LayerNorm(d_model)
            self.head = nn.Linear(d_model, n_classes)

    @property
    def sites(self) -> tuple[str, ...]:
        """Paths of the hidden activations, two a block.

        ``blocks.{i}.token_mlp.act`` gives (batch, d_model, d_token), ``blocks.{i}.mlp.act`` gives
        (batch, n_patches, d_ff).
        """
        pair = ("token_mlp", "mlp")
        return tuple(f"blocks.{i}.{part}.act" for i in range(len(self.blocks)) for part in pair)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits.

        Parameters
        ----------
        images : tensor of shape (batch, n_channels, image_size, image_size)
            Floats.

        Returns
        -------
        tensor of shape (batch, n_classes)
        """
        x = self.embed(self.tokens(images))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x).mean(dim=1))


class _Hidden(nn.Module):
    def __init__(self, n_in: int, width: int, activation: str, top_k: int | None) -> None:
        super().__init__()
        self.linear = nn.Linear(n_in, width)
        self.act = Activation(activation, top_k)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.linear(x))


class MLP(Network):
    r"""Fully connected layers, :math:`a_l = \mathrm{Top}_k(\sigma(K_l^\top a_{l-1} + b_l))`.

    Parameters
    ----------
    n_features : int
        Width of the input.
    n_classes : int
        Number of outputs.
    hidden : sequence of int, default=(512,)
        Widths of the hidden layers.
    activation : {"relu", "gelu"}, default="relu"
        The nonlinearity.
    top_k : int, optional
        Units that a sample keeps in every hidden layer, at most the smallest width; all of them if
        unset.
    seed : int, optional
        Seed of the weights; PyTorch's own stream if unset.

    Raises
    ------
    TypeError, ValueError
        If a size does not fit, in one sentence.
    """

    def __init__(
        self,
        n_features: int,
        n_classes: int,
        *,
        hidden: Sequence[int] = (512,),
        activation: str = "relu",
        top_k: int | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        if isinstance(hidden, str) or not isinstance(hidden, Sequence) or not len(hidden):
            raise ValueError(f"hidden must list at least one width; got {hidden!r}.")
        hidden = [check_count("a width of hidden", width) for width in hidden]
        self._configure(locals())
        check_count("n_features", n_features)
        check_count("n_classes", n_classes)
        check_top_k(top_k, *hidden)
        self.n_features = n_features
        with seeded(seed):
            self.layers = nn.ModuleList(
                _Hidden(n_in, width, activation, top_k)
                for n_in, width in zip([n_features, *hidden], hidden)
            )
            self.head = nn.Linear(hidden[-1], n_classes)

    @property
    def sites(self) -> tuple[str, ...]:
        """Paths of the hidden activations, ``layers.{i}.act``, outputs (batch, width)."""
        return tuple(f"layers.{i}.act" for i in range(len(self.layers)))

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """Return logits.

        Parameters
        ----------
        samples : tensor of shape (batch, n_features)
            Floats; images are flattened.

        Returns
        -------
        tensor of shape (batch, n_classes)
        """
        x = samples.flatten(1)
        if x.shape[1] != self.n_features:
            raise ValueError(
                f"samples must have {self.n_features} features; got {tuple(samples.shape)}."
            )
        for layer in self.layers:
            x = layer(x)
        return self.head(x)
