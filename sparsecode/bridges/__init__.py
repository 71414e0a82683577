"""Bridges to transformers: their activations, measured with the instruments of sparse codes.

What needs only arrays works without PyTorch. Names that need it load it when they are first used.
"""

from __future__ import annotations

import importlib
from typing import Any

from sparsecode.bridges import thresholds
from sparsecode.bridges.activations import LazyStatistics, lazy_by_layer, lazy_statistics, to_code
from sparsecode.bridges.amortisation import amortisation_gap, encode_rows
from sparsecode.bridges.crate_codes import CodeComparison, compare_codes
from sparsecode.bridges.rate_reduction import (
    coding_rate,
    compressed_rate,
    compressed_rate_gradient,
    sparse_rate_reduction,
)
from sparsecode.bridges.sae_benchmark import (
    HierarchicalFeatures,
    absorption,
    gram_errors,
    hierarchical_features,
    match_latents,
    sibling_mixing,
)
from sparsecode.bridges.sae_lens import SAEWeights, load_sae_lens, save_sae_lens
from sparsecode.bridges.sae_metrics import (
    DarkMatter,
    dark_matter,
    effective_rank,
    firing_rates,
    fraction_variance_unexplained,
    loss_recovered,
    silent_latents,
    streamed_explained_variance,
)
from sparsecode.bridges.store import ActivationStore, ActivationWriter, StoredSite

__all__ = [
    "CRATE_ALPHA_ABLATION",
    "CRATE_SIZES",
    "MLP",
    "ActivationStore",
    "ActivationWriter",
    "BatchTopKAutoencoder",
    "CodeComparison",
    "Crate",
    "CrateAlpha",
    "CrateSize",
    "DarkMatter",
    "FeatureChoiceAutoencoder",
    "GatedAutoencoder",
    "GradientAutoencoder",
    "HierarchicalFeatures",
    "JumpReLUAutoencoder",
    "LazyStatistics",
    "LocalEncoder",
    "MatchingPursuitAutoencoder",
    "MatryoshkaAutoencoder",
    "Mixer",
    "MutualChoiceAutoencoder",
    "Pursuit",
    "ReLUAutoencoder",
    "SAEWeights",
    "SparseAutoencoder",
    "StoredSite",
    "TopKAutoencoder",
    "TrainingResult",
    "Transcoder",
    "ViT",
    "absorption",
    "amortisation_gap",
    "autoencoder",
    "coding_rate",
    "collect",
    "compare_codes",
    "compressed_rate",
    "compressed_rate_gradient",
    "dark_matter",
    "effective_rank",
    "encode_rows",
    "firing_rates",
    "fraction_variance_unexplained",
    "from_weights",
    "gram_errors",
    "hierarchical_features",
    "lazy_by_layer",
    "lazy_statistics",
    "load_autoencoder",
    "load_model",
    "load_sae_lens",
    "loss_recovered",
    "match_latents",
    "save_autoencoder",
    "save_model",
    "save_sae_lens",
    "sibling_mixing",
    "silent_latents",
    "sites_of",
    "sparse_rate_reduction",
    "streamed_explained_variance",
    "thresholds",
    "to_code",
    "train",
    "train_autoencoder",
]

#: Names whose modules import PyTorch, and those modules.
_NEED_TORCH: dict[str, str] = {
    "CRATE_ALPHA_ABLATION": "crate",
    "CRATE_SIZES": "crate",
    "MLP": "vit",
    "BatchTopKAutoencoder": "autoencoders",
    "Crate": "crate",
    "CrateAlpha": "crate",
    "CrateSize": "crate",
    "FeatureChoiceAutoencoder": "autoencoders",
    "GatedAutoencoder": "autoencoders",
    "GradientAutoencoder": "autoencoders",
    "JumpReLUAutoencoder": "autoencoders",
    "LocalEncoder": "local_model",
    "MatchingPursuitAutoencoder": "autoencoders",
    "MatryoshkaAutoencoder": "autoencoders",
    "Mixer": "vit",
    "MutualChoiceAutoencoder": "autoencoders",
    "Pursuit": "autoencoders",
    "ReLUAutoencoder": "autoencoders",
    "SparseAutoencoder": "autoencoders",
    "TopKAutoencoder": "autoencoders",
    "TrainingResult": "training",
    "Transcoder": "autoencoders",
    "ViT": "vit",
    "autoencoder": "autoencoders",
    "collect": "hooks",
    "from_weights": "autoencoders",
    "load_autoencoder": "autoencoders",
    "load_model": "training",
    "save_autoencoder": "autoencoders",
    "save_model": "training",
    "sites_of": "hooks",
    "train": "training",
    "train_autoencoder": "autoencoders",
}


def __getattr__(name: str) -> Any:
    if name not in _NEED_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_NEED_TORCH[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
