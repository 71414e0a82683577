"""What the networks share: their configuration, patches, activations, seeds."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sparsecode._validation import check_count, check_option
from sparsecode.bridges._torch import nn, torch

__all__ = [
    "Activation",
    "Network",
    "PatchTokens",
    "check_heads",
    "check_images",
    "check_patches",
    "check_top_k",
    "seeded",
]

ACTIVATIONS = {"relu": torch.relu, "gelu": torch.nn.functional.gelu}


@contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """Draw from `seed` within the block and leave PyTorch's own stream as it was.

    With None the block draws from that stream.
    """
    if seed is None:
        yield
        return
    seed = check_count("seed", seed, minimum=0)
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(seed)
        yield


class Network(nn.Module):
    """A network that knows the arguments it was made from, and where its codes are.

    Subclasses call ``self._configure(locals())`` first: `config` holds what their constructor
    was given, in plain values.
    """

    config: dict[str, Any]

    def _configure(self, given: dict[str, Any]) -> None:
        names = list(inspect.signature(type(self)).parameters)
        self.config = {name: given[name] for name in names if name != "seed"}

    @property
    def sites(self) -> tuple[str, ...]:
        """Paths of the modules whose outputs are codes, in the order of computation."""
        raise NotImplementedError

    @property
    def n_parameters(self) -> int:
        """Number of trainable entries."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)


class Activation(nn.Module):
    """An activation, of which a token may keep the k largest units only."""

    def __init__(self, name: str, top_k: int | None = None) -> None:
        super().__init__()
        self.name = check_option("activation", name, ACTIVATIONS)
        self.top_k = top_k

    def forward(self, drive: torch.Tensor) -> torch.Tensor:
        """Return activations of the shape of `drive`, its last axis the units."""
        active = ACTIVATIONS[self.name](drive)
        if self.top_k is None:
            return active
        largest, units = active.topk(self.top_k, dim=-1, sorted=False)
        return torch.zeros_like(active).scatter(-1, units, largest)

    def extra_repr(self) -> str:
        """Return what ``repr`` shows."""
        return self.name if self.top_k is None else f"{self.name}, top_k={self.top_k}"


class PatchTokens(nn.Module):
    """Cut images into square patches: one token a patch, rows of patches first.

    A token lists rows of pixels, then columns, then channels, as the official CRATE code does.
    """

    def __init__(self, image_size: int, patch_size: int, n_channels: int) -> None:
        super().__init__()
        self.image_size, self.patch_size = image_size, patch_size
        self.n_channels = n_channels

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return tokens (batch, n_patches, patch_size**2 * n_channels)."""
        check_images(images, self.image_size, self.n_channels)
        side, p = self.image_size // self.patch_size, self.patch_size
        grid = images.reshape(len(images), self.n_channels, side, p, side, p)
        return grid.permute(0, 2, 4, 3, 5, 1).reshape(len(images), side * side, -1)


def check_images(images: torch.Tensor, image_size: int, n_channels: int) -> None:
    """Raise unless images have shape (batch, n_channels, image_size, image_size)."""
    if not isinstance(images, torch.Tensor) or not images.is_floating_point():
        kind = images.dtype if isinstance(images, torch.Tensor) else type(images).__name__
        raise TypeError(
            f"images must be a tensor of floats; got {kind}. Use torch.as_tensor(X).float()."
        )
    wanted = (n_channels, image_size, image_size)
    if tuple(images.shape[1:]) != wanted:
        raise ValueError(
            f"images must have shape (batch, {', '.join(map(str, wanted))}); got "
            f"{tuple(images.shape)}. Reshape them or build a network for their size."
        )


def check_patches(image_size: int, patch_size: int, n_channels: int) -> int:
    """Return the number of patches of an image."""
    check_count("image_size", image_size)
    check_count("patch_size", patch_size)
    check_count("n_channels", n_channels)
    if image_size % patch_size:
        raise ValueError(
            f"patch_size must divide image_size, {image_size}; got {patch_size}. Pad the images "
            f"or take another patch_size."
        )
    return (image_size // patch_size) ** 2


def check_top_k(top_k: int | None, *widths: int) -> None:
    """Raise unless `top_k` is None or a number of units that every layer has."""
    if top_k is not None:
        check_count("top_k", top_k, maximum=min(widths))


def check_heads(d_model: int, n_heads: int) -> int:
    """Return the width of a head."""
    check_count("d_model", d_model)
    check_count("n_heads", n_heads)
    if d_model % n_heads:
        raise ValueError(
            f"n_heads must divide d_model, {d_model}; got {n_heads}. Take another n_heads."
        )
    return d_model // n_heads
