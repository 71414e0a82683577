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
from sparsecode.bridges.crate_codes import CodeComparison, compare_codes
from sparsecode.bridges.rate_reduction import (
    coding_rate,
    compressed_rate,
    compressed_rate_gradient,
    sparse_rate_reduction,
)
from sparsecode.bridges.sae_lens import SAEWeights, load_sae_lens, save_sae_lens
from sparsecode.bridges.store import ActivationStore, ActivationWriter, StoredSite

__all__ = [
    "CRATE_ALPHA_ABLATION",
    "CRATE_SIZES",
    "MLP",
    "ActivationStore",
    "ActivationWriter",
    "CodeComparison",
    "Crate",
    "CrateAlpha",
    "CrateSize",
    "LazyStatistics",
    "LocalEncoder",
    "Mixer",
    "SAEWeights",
    "StoredSite",
    "TrainingResult",
    "ViT",
    "coding_rate",
    "collect",
    "compare_codes",
    "compressed_rate",
    "compressed_rate_gradient",
    "lazy_by_layer",
    "lazy_statistics",
    "load_model",
    "load_sae_lens",
    "save_model",
    "save_sae_lens",
    "sites_of",
    "sparse_rate_reduction",
    "to_code",
    "train",
]

#: Names whose modules import PyTorch, and those modules.
_NEED_TORCH: dict[str, str] = {
    "CRATE_ALPHA_ABLATION": "crate",
    "CRATE_SIZES": "crate",
    "MLP": "vit",
    "Crate": "crate",
    "CrateAlpha": "crate",
    "CrateSize": "crate",
    "LocalEncoder": "local_model",
    "Mixer": "vit",
    "TrainingResult": "training",
    "ViT": "vit",
    "collect": "hooks",
    "load_model": "training",
    "save_model": "training",
    "sites_of": "hooks",
    "train": "training",
}


def __getattr__(name: str) -> Any:
    if name not in _NEED_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_NEED_TORCH[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
