r"""CRATE and CRATE-alpha: transformers whose blocks are steps of an optimization.

A block of CRATE compresses tokens against subspaces :math:`U_1, \dots, U_K`, then takes one
non-negative proximal step on :math:`\frac12 \|x - Dz\|^2 + \lambda \|z\|_1` from :math:`z = x`. In
the papers tokens and atoms are columns; `Crate.dictionary` gives atoms as rows, as the solvers take
them. The nonlinearity is the one-sided ReLU, not a two-sided soft threshold.

How close a *trained* block comes to sparse codes is an open question that
:func:`~sparsecode.bridges.compare_codes` answers for a given network: the step is only one, and
training does not keep D near orthogonal.

References
----------
.. [1] Y. Yu, S. Buchanan, D. Pai, T. Chu, Z. Wu, S. Tong, B. D. Haeffele and Y. Ma, "White-box
   transformers via sparse rate reduction", NeurIPS 36, 2023, arXiv:2306.01129.
.. [2] J. Yang, X. Li, D. Pai, Y. Zhou, Y. Ma, Y. Yu and C. Xie, "Scaling white-box transformers for
   vision", NeurIPS 37, 2024, arXiv:2405.20299.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from sparsecode._validation import check_count, check_option, check_positive
from sparsecode.bridges._network import Network, PatchTokens, check_heads, check_patches, seeded
from sparsecode.bridges._torch import nn, torch

__all__ = ["CRATE_ALPHA_ABLATION", "CRATE_SIZES", "Crate", "CrateAlpha", "CrateSize"]


class CrateSize(NamedTuple):
    """A published size of CRATE.

    Parameters
    ----------
    d_model : int
        Width of a token.
    n_heads : int
        Heads of attention.
    n_layers : int
        Blocks.
    imagenet_top1 : float
        Published accuracy on ImageNet-1k in percent. Not reproduced here.
    """

    d_model: int
    n_heads: int
    n_layers: int
    imagenet_top1: float


#: The published sizes by name (images of 224 pixels, patches of 16).
CRATE_SIZES = MappingProxyType(
    {
        "tiny": CrateSize(384, 6, 12, 66.7),
        "small": CrateSize(576, 12, 12, 69.2),
        "base": CrateSize(768, 12, 12, 70.8),
        "large": CrateSize(1024, 16, 24, 71.3),
    }
)

#: Published ablation of CRATE-alpha B/32, ImageNet-1k top-1 in percent, each change added to those
#: before. Not reproduced here.
CRATE_ALPHA_ABLATION = MappingProxyType(
    {"CRATE": 68.5, "+ overcomplete": 73.8, "+ decoupled": 75.8, "+ residual": 76.5}
)


class _CodeAttention(nn.Module):
    """Multi-head subspace self-attention as the official code has it."""

    def __init__(self, d_model: int, n_heads: int, bias: bool) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.project = nn.Linear(d_model, d_model, bias=False)
        self.out = nn.Identity() if n_heads == 1 else nn.Linear(d_model, d_model, bias=bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, n_tokens, d_model = x.shape
        heads = self.project(x).reshape(batch, n_tokens, self.n_heads, -1).transpose(1, 2)
        logits = heads @ heads.mT * heads.shape[-1] ** -0.5
        mixed = logits.softmax(dim=-1) @ heads
        return self.out(mixed.transpose(1, 2).reshape(batch, n_tokens, d_model))

    def subspaces(self) -> torch.Tensor:
        weight = self.project.weight
        return weight.reshape(self.n_heads, -1, weight.shape[1]).mT


class _PaperAttention(nn.Module):
    """Multi-head subspace self-attention as the paper writes it."""

    def __init__(self, d_model: int, n_heads: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        p = d_model // n_heads
        bases = torch.stack([torch.linalg.qr(torch.randn(d_model, p))[0] for _ in range(n_heads)])
        self.bases = nn.Parameter(bases)  # (n_heads, d_model, p)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        heads = x.unsqueeze(1) @ self.bases  # (batch, n_heads, n_tokens, p)
        mixed = (heads @ heads.mT).softmax(dim=-1) @ heads
        scale = self.bases.shape[2] / (x.shape[1] * self.eps**2)
        return scale * (mixed @ self.bases.mT).sum(dim=1)

    def subspaces(self) -> torch.Tensor:
        return self.bases


class _ISTA(nn.Module):
    """One non-negative proximal step on the lasso of x, from z = x."""

    def __init__(self, d_model: int, step: float, alpha: float) -> None:
        super().__init__()
        self.step, self.alpha = step, alpha
        self.weight = nn.Parameter(torch.empty(d_model, d_model))  # atoms are columns
        nn.init.kaiming_uniform_(self.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        residual = x - x @ self.weight.mT
        return torch.relu(x + self.step * (residual @ self.weight) - self.step * self.alpha)


class _CrateBlock(nn.Module):
    """Compress, then sparsify. Identities mark what has no module of its own."""

    def __init__(
        self, d_model: int, attn: nn.Module, ista: nn.Module, *, normed: bool, eps: float = 1e-5
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model, eps=eps) if normed else nn.Identity()
        self.attn = attn
        self.halfway = nn.Identity()
        self.norm2 = nn.LayerNorm(d_model, eps=eps) if normed else nn.Identity()
        self.ista = ista

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        half = self.halfway(x + self.attn(self.norm1(x)))
        return self.ista(self.norm2(half))


class _WhiteBox(Network):
    """What CRATE and CRATE-alpha share once their modules stand."""

    tokens: nn.Module
    embed: nn.Module
    cls_token: nn.Parameter
    position: nn.Parameter
    blocks: nn.ModuleList
    head: nn.Module
    _code_path = "ista"

    @property
    def sites(self) -> tuple[str, ...]:
        """Paths of the codes, one a block; their outputs are non-negative."""
        return self.block_sites["code"]

    @property
    def block_sites(self) -> dict[str, tuple[str, ...]]:
        r"""Paths, one a block, of what the layer-wise measurements are about.

        "attention_input" is the input of attention, behind LayerNorm where there is one, at which
        the official code measures :math:`R^c`; "half" is :math:`Z^{l+1/2}`, at which the paper says
        it does; "ista_input" is the x of the sparsifying step; "code" the code it gives.
        """
        parts = {
            "attention_input": "norm1",
            "half": "halfway",
            "ista_input": "norm2",
            "code": self._code_path,
        }
        return {
            name: tuple(f"blocks.{i}.{path}" for i in range(len(self.blocks)))
            for name, path in parts.items()
        }

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
        return self.head(x[:, 0])

    def trace(self, images: torch.Tensor) -> dict[str, list[np.ndarray]]:
        """Return what every block computes from some images.

        Parameters
        ----------
        images : tensor of shape (batch, n_channels, image_size, image_size)
            Floats, on the network's device.

        Returns
        -------
        dict of str to list of ndarray of shape (batch, n_tokens, width)
            For each name of `block_sites` one array a block; the class token is token 0.
        """
        found: dict[str, list[np.ndarray]] = {name: [] for name in self.block_sites}
        handles = []

        def keep(name: str) -> Any:
            def hook(module: nn.Module, given: Any, output: torch.Tensor) -> None:
                found[name].append(output.detach().cpu().numpy().copy())

            return hook

        try:
            for name, paths in self.block_sites.items():
                handles += [
                    self.get_submodule(path).register_forward_hook(keep(name)) for path in paths
                ]
            with torch.no_grad():
                self(images)
        finally:
            for handle in handles:
                handle.remove()
        return found

    def subspaces(self, layer: int) -> np.ndarray:
        """Return the subspaces that a block compresses against.

        Parameters
        ----------
        layer : int
            Index of the block.

        Returns
        -------
        ndarray of shape (n_heads, d_model, p)
            The bases, as :func:`compressed_rate` takes them. Training does not keep them
            orthonormal.
        """
        bases = self._block(layer).attn.subspaces()
        return bases.detach().cpu().double().numpy().copy()

    def dictionary(self, layer: int) -> np.ndarray:
        """Return the dictionary of a block.

        Parameters
        ----------
        layer : int
            Index of the block.

        Returns
        -------
        ndarray of shape (n_atoms, d_model)
            Atoms as rows, the transpose of the papers' D, of any norm.
        """
        return self._block(layer).ista.weight.detach().cpu().double().numpy().T.copy()

    def _block(self, layer: int) -> Any:
        check_count("layer", layer, minimum=0, maximum=len(self.blocks) - 1)
        return self.blocks[layer]


class Crate(_WhiteBox):
    r"""CRATE, as its official code computes it or as its paper writes it.

    "code", the variant that was trained and published:

    .. math:: Z^{l+1/2} &= Z + W\,\mathrm{stack}_k\bigl(V_k\,
              \mathrm{softmax}(V_k^\top V_k / \sqrt p)\bigr) + b, \quad
              V_k = U_k^\top \mathrm{LN}(Z) \\
              X &= \mathrm{LN}(Z^{l+1/2}), \qquad
              Z^{l+1} = \mathrm{ReLU}\bigl(X + \eta D^\top (X - DX) - \eta\lambda\bigr)

    "paper":

    .. math:: Z^{l+1/2} &= Z + \frac{p}{N \epsilon^2} \sum_k U_k V_k\,
              \mathrm{softmax}(V_k^\top V_k), \quad V_k = U_k^\top Z \\
              Z^{l+1} &= \mathrm{ReLU}\bigl(Z^{l+1/2}
              + \eta D^\top (Z^{l+1/2} - D Z^{l+1/2}) - \eta\lambda\bigr)

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
        Width of a token, and number of atoms.
    n_heads : int, default=4
        Subspaces; divides `d_model`. They have p = d_model / n_heads dimensions each.
    n_layers : int, default=6
        Blocks.
    step : float, default=0.1
        :math:`\eta`, not trained.
    alpha : float, default=0.1
        :math:`\lambda`, not trained.
    variant : {"code", "paper"}, default="code"
        Which of the two.
    eps : float, default=1.0
        :math:`\epsilon` of the attention of "paper"; "code" has none. The default is ours: the
        paper trains the other variant. N counts the class token.
    seed : int, optional
        Seed of the weights; PyTorch's own stream if unset.

    Raises
    ------
    TypeError, ValueError
        If a size or number does not fit, in one sentence.

    Notes
    -----
    How the official code differs from the formulas of the paper:

    - LayerNorm stands before attention and before the sparsifying step, which therefore starts at
      and codes :math:`\mathrm{LN}(Z^{l+1/2})`, and there is no skip around it;
    - :math:`\frac{p}{N\epsilon^2}[U_1 \dots U_K]` is a free linear map with bias (absent with one
      head, where attention gives out the projections themselves);
    - the logits are scaled by :math:`p^{-1/2}`;
    - :math:`\eta = \lambda = 0.1` throughout.

    One matrix serves as query, key and value in both. Embedding (LayerNorm, linear, LayerNorm),
    positions and class token drawn from N(0, 1), and the head (LayerNorm, linear, on the class
    token) are those of the code in both; D is drawn Kaiming-uniform in both, the bases of "paper"
    are orthonormal at first. Without LayerNorm tokens of "paper" can grow from block to block.

    The paper prints the lasso without the half; the step is that of
    :math:`\frac12 \|x - Dz\|^2 + \lambda\|z\|_1`.

    References
    ----------
    Yu et al. 2023 (NeurIPS 36, arXiv:2306.01129), section 2, and the code published with
    it.
    """

    def __init__(
        self,
        image_size: int,
        patch_size: int,
        n_classes: int,
        *,
        n_channels: int = 1,
        d_model: int = 48,
        n_heads: int = 4,
        n_layers: int = 6,
        step: float = 0.1,
        alpha: float = 0.1,
        variant: str = "code",
        eps: float = 1.0,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        self._configure(locals())
        n_patches = check_patches(image_size, patch_size, n_channels)
        check_heads(d_model, n_heads)
        check_count("n_classes", n_classes)
        check_count("n_layers", n_layers)
        self.step, self.alpha = check_positive("step", step), check_positive("alpha", alpha)
        eps = check_positive("eps", eps)
        as_code = check_option("variant", variant, ("code", "paper")) == "code"

        def attention() -> nn.Module:
            if as_code:
                return _CodeAttention(d_model, n_heads, bias=True)
            return _PaperAttention(d_model, n_heads, eps)

        with seeded(seed):
            d_patch = patch_size**2 * n_channels
            self.tokens = PatchTokens(image_size, patch_size, n_channels)
            self.embed = nn.Sequential(
                nn.LayerNorm(d_patch), nn.Linear(d_patch, d_model), nn.LayerNorm(d_model)
            )
            self.cls_token = nn.Parameter(torch.randn(1, 1, d_model))
            self.position = nn.Parameter(torch.randn(1, n_patches + 1, d_model))
            self.blocks = nn.ModuleList(
                _CrateBlock(
                    d_model, attention(), _ISTA(d_model, self.step, self.alpha), normed=as_code
                )
                for _ in range(n_layers)
            )
            self.head = nn.Sequential(nn.LayerNorm(d_model), nn.Linear(d_model, n_classes))

    @classmethod
    def of_size(
        cls,
        size: str,
        *,
        image_size: int = 224,
        patch_size: int = 16,
        n_channels: int = 3,
        n_classes: int = 1000,
        variant: str = "code",
        seed: int | None = None,
    ) -> Crate:
        """Return an untrained network of a published size.

        Parameters
        ----------
        size : {"tiny", "small", "base", "large"}
            A key of `CRATE_SIZES`.
        image_size : int, default=224
            Height and width of the images, in pixels.
        patch_size : int, default=16
            Height and width of a patch.
        n_channels : int, default=3
            Channels of the images.
        n_classes : int, default=1000
            Number of outputs.
        variant : {"code", "paper"}, default="code"
            Which of the two.
        seed : int, optional
            Seed of the weights; PyTorch's own stream if unset.

        Returns
        -------
        Crate
            As published it has 6,090,856 parameters (tiny), 13,116,328 (small), 22,796,008 (base)
            or 77,641,192 (large).

        Raises
        ------
        TypeError, ValueError
            If the size is unknown or a number does not fit.

        References
        ----------
        Yu et al. 2023 (NeurIPS 36, arXiv:2306.01129), table 1.
        """
        shape = CRATE_SIZES[check_option("size", size, CRATE_SIZES)]
        return cls(
            image_size, patch_size, n_classes,
            n_channels=n_channels, d_model=shape.d_model, n_heads=shape.n_heads,
            n_layers=shape.n_layers, variant=variant, seed=seed,
        )  # fmt: skip


class _TwoSteps(nn.Module):
    """Two non-negative proximal steps from 0 on an overcomplete dictionary, then another map."""

    def __init__(self, d_model: int, n_atoms: int, step: float, alpha: float) -> None:
        super().__init__()
        self.step, self.alpha = step, alpha
        self.weight = nn.Parameter(torch.empty(d_model, n_atoms))  # atoms are columns
        self.decode = nn.Parameter(torch.empty(d_model, n_atoms))
        nn.init.kaiming_uniform_(self.weight)
        nn.init.kaiming_uniform_(self.decode)
        self.code = nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        threshold = self.step * self.alpha
        z = torch.relu(self.step * (x @ self.weight) - threshold)
        residual = x - z @ self.weight.mT
        z = self.code(torch.relu(z + self.step * (residual @ self.weight) - threshold))
        return z @ self.decode.mT


class _CrateAlphaBlock(_CrateBlock):
    """A block of CRATE whose sparsifying part has a skip."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        half = self.halfway(x + self.attn(self.norm1(x)))
        return half + self.ista(self.norm2(half))


class CrateAlpha(_WhiteBox):
    r"""CRATE-alpha: an overcomplete dictionary, a decoder of its own, and a skip.

    .. math:: z_1 &= \mathrm{ReLU}(\eta D^\top x - \eta\lambda) \\
              z_2 &= \mathrm{ReLU}\bigl(z_1 - \eta D^\top (D z_1 - x) - \eta\lambda\bigr) \\
              Z^{l+1} &= Z^{l+1/2} + D_1 z_2, \qquad x = \mathrm{LN}(Z^{l+1/2})

    :math:`z_2` is two proximal steps from 0: the code is not what the block gives out, and sparsity
    is to be measured on :math:`z_2`, at ``blocks.{i}.ista.code``.

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
    n_heads : int, default=4
        Subspaces; divides `d_model`.
    n_layers : int, default=6
        Blocks.
    expansion : int, default=4
        Atoms per dimension of a token.
    step : float, default=0.1
        :math:`\eta`, not trained.
    alpha : float, default=0.1
        :math:`\lambda`, not trained.
    seed : int, optional
        Seed of the weights; PyTorch's own stream if unset.

    Raises
    ------
    TypeError, ValueError
        If a size or number does not fit, in one sentence.

    Notes
    -----
    Attention is that of :class:`Crate`, "code", its second map without a bias. Patches are embedded
    by one linear map, and LayerNorm in the blocks has the epsilon 1e-6. Positions and class token
    are drawn from N(0, 1) and D and D_1 Kaiming-uniform, as in the PyTorch port that was published
    with the paper; the runs behind its numbers were made with other code and other initial values.

    References
    ----------
    Yang et al. 2024 (NeurIPS 37, arXiv:2405.20299) and the code published with it.
    """

    _code_path = "ista.code"

    def __init__(
        self,
        image_size: int,
        patch_size: int,
        n_classes: int,
        *,
        n_channels: int = 1,
        d_model: int = 48,
        n_heads: int = 4,
        n_layers: int = 6,
        expansion: int = 4,
        step: float = 0.1,
        alpha: float = 0.1,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        self._configure(locals())
        n_patches = check_patches(image_size, patch_size, n_channels)
        check_heads(d_model, n_heads)
        check_count("n_classes", n_classes)
        check_count("n_layers", n_layers)
        check_count("expansion", expansion)
        self.step, self.alpha = check_positive("step", step), check_positive("alpha", alpha)
        with seeded(seed):
            self.tokens = PatchTokens(image_size, patch_size, n_channels)
            self.embed = nn.Linear(patch_size**2 * n_channels, d_model)
            self.cls_token = nn.Parameter(torch.randn(1, 1, d_model))
            self.position = nn.Parameter(torch.randn(1, n_patches + 1, d_model))
            self.blocks = nn.ModuleList(
                _CrateAlphaBlock(
                    d_model,
                    _CodeAttention(d_model, n_heads, bias=False),
                    _TwoSteps(d_model, expansion * d_model, self.step, self.alpha),
                    normed=True,
                    eps=1e-6,
                )
                for _ in range(n_layers)
            )
            self.head = nn.Sequential(nn.LayerNorm(d_model), nn.Linear(d_model, n_classes))
