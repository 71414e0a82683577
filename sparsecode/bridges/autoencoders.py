r"""Sparse autoencoders: the architectures, one trainer, their weights as files and arrays.

Conventions: W_enc has shape (n_features, n_latents), W_dec (n_latents, n_features), so that rows of
W_dec are atoms as everywhere else; :math:`h = (x - b_{dec}) W_{enc} + b_{enc}` and
:math:`\hat x = z W_{dec} + b_{dec}`. Squared errors are summed over features and averaged over
samples.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sparsecode._validation import check_count, check_dictionary, check_option
from sparsecode.bridges._autoencoder_base import SparseAutoencoder
from sparsecode.bridges._autoencoder_penalised import (
    GatedAutoencoder,
    JumpReLUAutoencoder,
    ReLUAutoencoder,
)
from sparsecode.bridges._autoencoder_pursuit import MatchingPursuitAutoencoder, Pursuit
from sparsecode.bridges._autoencoder_topk import (
    BatchTopKAutoencoder,
    FeatureChoiceAutoencoder,
    GradientAutoencoder,
    MatryoshkaAutoencoder,
    MutualChoiceAutoencoder,
    TopKAutoencoder,
    Transcoder,
)
from sparsecode.bridges._autoencoder_training import train_autoencoder
from sparsecode.bridges._torch import torch
from sparsecode.bridges._torch_checkpoint import load_state, save_state
from sparsecode.bridges.sae_lens import SAEWeights
from sparsecode.core.io import understood

__all__ = [
    "BatchTopKAutoencoder",
    "FeatureChoiceAutoencoder",
    "GatedAutoencoder",
    "GradientAutoencoder",
    "JumpReLUAutoencoder",
    "MatchingPursuitAutoencoder",
    "MatryoshkaAutoencoder",
    "MutualChoiceAutoencoder",
    "Pursuit",
    "ReLUAutoencoder",
    "SparseAutoencoder",
    "TopKAutoencoder",
    "Transcoder",
    "autoencoder",
    "from_weights",
    "load_autoencoder",
    "save_autoencoder",
    "train_autoencoder",
]

ARCHITECTURES: dict[str, type[SparseAutoencoder]] = {
    kind.architecture: kind
    for kind in (
        ReLUAutoencoder,
        TopKAutoencoder,
        BatchTopKAutoencoder,
        JumpReLUAutoencoder,
        GatedAutoencoder,
        MatryoshkaAutoencoder,
        MutualChoiceAutoencoder,
        FeatureChoiceAutoencoder,
        GradientAutoencoder,
        Transcoder,
        MatchingPursuitAutoencoder,
    )
}

#: What files of others call an architecture by which they encode.
_OTHER_NAMES = {"standard": "relu", "vanilla": "relu"}


def autoencoder(
    architecture: str, n_features: int, n_latents: int, **options: Any
) -> SparseAutoencoder:
    """Make an autoencoder by the name of its architecture.

    Parameters
    ----------
    architecture : str
        "relu", "topk", "batchtopk", "jumprelu", "gated", "matryoshka", "mutualchoice",
        "featurechoice", "gradient", "transcoder" or "mp".
    n_features, n_latents : int
        Entries of inputs and of codes.
    **options
        Of its class; `rng` seeds the first weights.

    Returns
    -------
    SparseAutoencoder

    Raises
    ------
    ValueError, TypeError
        If there is no such architecture, or an option is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.bridges import autoencoder
    >>> sae = autoencoder("topk", 8, 32, k=2, rng=0)
    >>> sae.to_code(np.random.default_rng(0).standard_normal((5, 8)))
    <SparseCode 5 x 32, 6.2 % active, float32>
    """
    return ARCHITECTURES[check_option("architecture", architecture, ARCHITECTURES)](
        n_features, n_latents, **options
    )


def from_weights(weights: SAEWeights) -> SparseAutoencoder:
    """Build the module that encodes and decodes by given weights.

    Parameters
    ----------
    weights : SAEWeights
        Such as a SAELens checkpoint read by :func:`load_sae_lens`. Weights with a threshold become
        a JumpReLU autoencoder, whatever trained them, and so do those of "gated"; else the
        architecture must be "relu" (or "standard"), "topk", "transcoder", "gradient" or "mp".
        Of ``config``, "apply_b_dec_to_input" (by default true) and, for TopK,
        "rescale_acts_by_decoder_norm" (by default false; norms are folded into the weights) are
        read, and the options of "mp".

    Returns
    -------
    SparseAutoencoder
        In inference mode.

    Raises
    ------
    ValueError, TypeError
        If shapes do not fit together, entries are not finite, or the architecture cannot be built
        from such weights.
    """
    if not isinstance(weights, SAEWeights):
        raise TypeError(f"weights must be SAEWeights; got {type(weights).__name__}.")
    weights = _without_gate(weights)
    W_dec = check_dictionary(weights.W_dec, name="W_dec", dtype=np.float32)
    no_bias = np.zeros(len(W_dec))
    tensors = {
        "W_enc": W_dec.T if weights.W_enc is None else weights.W_enc,
        "W_dec": W_dec,
        "b_enc": no_bias if weights.b_enc is None else weights.b_enc,
        "b_dec": weights.b_dec,
    }
    if weights.threshold is not None:
        tensors["threshold"] = weights.threshold
    tensors = {name: np.asarray(array, np.float32) for name, array in tensors.items()}
    W_enc = tensors["W_enc"]
    config = dict(weights.config)
    name = _OTHER_NAMES.get(weights.architecture, weights.architecture)
    options: dict[str, Any] = {
        "apply_b_dec_to_input": bool(config.get("apply_b_dec_to_input", True))
    }
    if W_enc.shape[0] != W_dec.shape[1] or config.get("n_outputs") is not None:
        options["n_outputs"] = W_dec.shape[1]
    if config.get("skip"):
        raise ValueError(
            "weights must not have a skip connection, which their fields cannot hold; got "
            "skip=True. Use save_autoencoder and load_autoencoder."
        )
    if "threshold" in tensors:
        if (tensors["threshold"] < 0).any():
            raise ValueError("threshold must be at or above 0; got an entry below.")
        name = "jumprelu"
    elif name in ("topk", "transcoder", "gradient"):
        if config.get("rescale_acts_by_decoder_norm"):  # latents are ranked by what they add
            norms = np.linalg.norm(W_dec, axis=1)
            tensors["W_enc"] = W_enc * norms
            tensors["b_enc"] = tensors["b_enc"] * norms
            tensors["W_dec"] = W_dec / norms[:, None]
        if weights.k is None:
            raise ValueError(f"k must be given for {name!r}; got None.")
        options["k"] = int(weights.k)
    elif name == "mp":
        keys = ("n_steps", "tolerance", "stop_on_repeat", "positive")
        options |= {key: config[key] for key in keys if key in config}
        if "n_steps" not in options:
            raise ValueError("config must say n_steps for 'mp'; got none.")
    elif name != "relu":
        raise ValueError(
            f"architecture must be 'relu', 'topk', 'transcoder', 'gradient' or 'mp', or the "
            f"weights have a threshold; got {weights.architecture!r} without one."
        )
    model = autoencoder(name, W_enc.shape[0], len(W_dec), rng=0, **options)
    with torch.no_grad():
        for key, value in tensors.items():
            if hasattr(model, key):
                getattr(model, key).copy_(torch.tensor(value))
    return model.eval()


def _without_gate(weights: SAEWeights) -> SAEWeights:
    """Return the threshold that a gate amounts to: exp(r) pi > 0 bounds the magnitude below."""
    gate = [weights.extra.get(name) for name in ("b_gate", "b_mag", "r_mag")]
    if weights.architecture != "gated" or any(array is None for array in gate):
        return weights
    b_gate, b_mag, r_mag = (np.asarray(array) for array in gate)
    scale = np.exp(r_mag)
    return replace(
        weights,
        W_enc=np.asarray(weights.W_enc) * scale,
        b_enc=b_mag,
        threshold=np.maximum(b_mag - scale * b_gate, 0.0),
        architecture="jumprelu",
        extra={},
    )


def save_autoencoder(path: str | os.PathLike[str], model: SparseAutoencoder) -> None:
    """Write an autoencoder to a ``.safetensors`` file, atomically and with a checksum.

    Parameters
    ----------
    path : path-like
        File to write or replace.
    model : SparseAutoencoder
        With all that training would go on from, but for the optimiser.
    """
    meta = {
        "kind": "SparseAutoencoder",
        "architecture": model.architecture,
        "n_features": model.n_features,
        "n_latents": model.n_latents,
        "options": model.options,
    }
    save_state(path, model.state_dict(), meta)


def load_autoencoder(path: str | os.PathLike[str]) -> SparseAutoencoder:
    """Read an autoencoder that :func:`save_autoencoder` wrote.

    Parameters
    ----------
    path : path-like
        A ``.safetensors`` file.

    Returns
    -------
    SparseAutoencoder
        On the CPU, in inference mode.

    Raises
    ------
    ValueError
        If the file is a pickle, damaged, was cut short, or holds something else.
    """
    tensors, meta = load_state(path)
    if not isinstance(meta, dict) or meta.get("kind") != "SparseAutoencoder":
        raise ValueError(
            f"{Path(path).name} must hold an autoencoder of save_autoencoder; got other tensors."
        )
    with understood(path, "hold an autoencoder"):
        sizes = [check_count(name, meta[name]) for name in ("n_features", "n_latents")]
        if max(sizes) > max((tensor.numel() for tensor in tensors.values()), default=0):
            raise ValueError(f"sizes {sizes} that its tensors have not")
        model = autoencoder(meta["architecture"], *sizes, rng=0, **meta["options"])
        model.load_state_dict(tensors)
        return model.eval()
