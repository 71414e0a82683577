"""Bridges to transformers: their activations, measured with the instruments of sparse codes.

What needs only arrays works without PyTorch. Names that need it load it when they are first used.
"""

from __future__ import annotations

import importlib
from typing import Any

from sparsecode.bridges.activations import (
    LazyStatistics,
    lazy_by_layer,
    lazy_statistics,
    to_code,
)
from sparsecode.bridges.sae_lens import SAEWeights, load_sae_lens, save_sae_lens
from sparsecode.bridges.store import ActivationStore, ActivationWriter, StoredSite

__all__ = [
    "ActivationStore",
    "ActivationWriter",
    "LazyStatistics",
    "LocalEncoder",
    "SAEWeights",
    "StoredSite",
    "collect",
    "lazy_by_layer",
    "lazy_statistics",
    "load_sae_lens",
    "save_sae_lens",
    "sites_of",
    "to_code",
]

#: Names whose modules import PyTorch, and those modules.
_NEED_TORCH: dict[str, str] = {
    "LocalEncoder": "local_model",
    "collect": "hooks",
    "sites_of": "hooks",
}


def __getattr__(name: str) -> Any:
    if name not in _NEED_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_NEED_TORCH[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
