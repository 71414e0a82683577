"""The shape of the patch that an atom lives on."""

from __future__ import annotations

from math import isqrt
from typing import Any

import numpy as np

from sparsecode._validation import check_count

__all__ = ["check_patch_shape"]


def check_patch_shape(
    shape: Any, n_features: int | None = None, *, name: str = "patch_shape"
) -> tuple[int, int]:
    """Return height and width; None stands for a square of `n_features` pixels."""
    if shape is None and n_features is not None:
        side = isqrt(n_features)
        if side * side != n_features:
            raise ValueError(
                f"atoms must be square or come with their shape; got {n_features} features. Pass "
                f"{name}=(height, width)."
            )
        return side, side
    if np.shape(shape) != (2,):
        raise ValueError(f"{name} must be a pair, height and width; got {shape!r}.")
    height, width = (check_count(name, size) for size in shape)
    if n_features not in (None, height * width):
        raise ValueError(
            f"{name} must have {n_features} pixels, the dictionary's n_features; got "
            f"{tuple(shape)}."
        )
    return height, width
