"""Sparse autoencoders in the folder layout of SAELens, as arrays: no PyTorch, never a pickle."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from sparsecode._validation import check_count, check_numbers
from sparsecode.core.io import atomic_path, load_json, save_json, understood

__all__ = ["SAEWeights", "load_sae_lens", "save_sae_lens"]

_CONFIG, _WEIGHTS = "cfg.json", "sae_weights.safetensors"
_PICKLES = (".pt", ".pth", ".bin", ".pkl", ".pickle", ".ckpt")
_FLOATS = {"F16", "BF16", "F32", "F64"}


@dataclass(frozen=True, eq=False)
class SAEWeights:
    """Weights of one sparse autoencoder, in SAELens' names and orientation.

    With ``h = (x - b_dec) W_enc + b_enc`` (``b_dec`` is subtracted unless
    ``config["apply_b_dec_to_input"]`` is False), the code is a non-linearity of h that
    `architecture` names, and the reconstruction is ``z W_dec + b_dec``.

    Parameters
    ----------
    W_dec : ndarray of shape (d_sae, d_in)
        Decoder; its rows are atoms.
    b_dec : ndarray of shape (d_in,)
        Bias of the reconstruction.
    W_enc : ndarray of shape (d_in, d_sae), optional
        Encoder. None for ``"matching_pursuit"``, which uses ``W_dec.T``.
    b_enc : ndarray of shape (d_sae,), optional
        Bias of the encoder. None for ``"gated"`` and ``"matching_pursuit"``.
    threshold : ndarray of shape (d_sae,), optional
        Threshold of ``"jumprelu"`` (z = h where h > threshold, else 0). A file's
        ``log_threshold`` arrives here as its exponential.
    k : int, optional
        Active units of ``"topk"``.
    architecture : str, default="standard"
        ``"standard"``, ``"topk"``, ``"jumprelu"``, ``"gated"``, ``"matching_pursuit"`` or
        another of SAELens'.
    config : mapping, optional
        All of ``cfg.json``, kept as it is when saved again.
    extra : mapping of str to ndarray, optional
        Other arrays of the file, such as ``b_gate``, ``b_mag`` and ``r_mag`` of ``"gated"``.

    Raises
    ------
    ValueError, TypeError
        If a shape does not fit `W_dec`, or an array is not finite.
    """

    W_dec: np.ndarray
    b_dec: np.ndarray
    W_enc: np.ndarray | None = None
    b_enc: np.ndarray | None = None
    threshold: np.ndarray | None = None
    k: int | None = None
    architecture: str = "standard"
    config: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        decoder = check_numbers(self.W_dec, "W_dec")
        if decoder.ndim != 2 or 0 in decoder.shape:
            raise ValueError(f"W_dec must have shape (d_sae, d_in); got {decoder.shape}.")
        d_sae, d_in = decoder.shape
        object.__setattr__(self, "W_dec", decoder)
        given = getattr(self.W_enc, "shape", ())  # a transcoder's inputs need not be its outputs
        n_inputs = given[0] if "transcoder" in self.architecture and given else d_in
        for name, shape in (
            ("b_dec", (d_in,)),
            ("W_enc", (n_inputs, d_sae)),
            ("b_enc", (d_sae,)),
            ("threshold", (d_sae,)),
        ):
            array = getattr(self, name)
            if array is None and name != "b_dec":
                continue
            array = check_numbers(array, name)
            if array.shape != shape:
                raise ValueError(
                    f"{name} must have shape {shape}, as W_dec {decoder.shape} (d_sae, d_in) "
                    f"says; got {array.shape}."
                )
            object.__setattr__(self, name, array)
        if self.k is not None:
            check_count("k", self.k, maximum=d_sae)
        if self.architecture == "topk" and self.k is None:
            raise ValueError("k must be given for the architecture 'topk'; got none.")
        if self.architecture == "jumprelu" and self.threshold is None:
            raise ValueError("threshold must be given for the architecture 'jumprelu'; got none.")
        extra = {name: check_numbers(array, name) for name, array in self.extra.items()}
        object.__setattr__(self, "extra", extra)

    @property
    def dictionary(self) -> np.ndarray:
        """Atoms as rows, shape (n_atoms, n_features): W_dec, with whatever norms it has."""
        return self.W_dec

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the decoder's entries."""
        return self.W_dec.dtype

    def __repr__(self) -> str:
        d_sae, d_in = self.W_dec.shape
        return f"<SAEWeights {self.architecture}, d_in {d_in}, d_sae {d_sae}, {self.dtype}>"


def load_sae_lens(folder: str | os.PathLike[str]) -> SAEWeights:
    """Read a sparse autoencoder that SAELens (or :func:`save_sae_lens`) saved.

    Parameters
    ----------
    folder : path-like
        Folder with ``cfg.json`` and ``sae_weights.safetensors``. float16 and bfloat16 arrive as
        float32.

    Returns
    -------
    SAEWeights

    Raises
    ------
    ValueError
        If `folder` is a pickle, a file is missing or damaged, or shapes do not agree with each
        other or with ``d_in`` and ``d_sae`` of ``cfg.json``.

    References
    ----------
    SAELens 6, ``sae_lens/saes/sae.py``, methods ``save_model`` and ``load_from_disk``.
    """
    folder = Path(folder)
    refuse_pickle(folder)
    if not (folder / _WEIGHTS).is_file() or not (folder / _CONFIG).is_file():
        pickles = [p.name for p in folder.glob("*") if p.suffix in _PICKLES]
        for name in pickles:
            refuse_pickle(name)
        raise ValueError(
            f"folder must hold {_CONFIG} and {_WEIGHTS}, SAELens' layout; got {folder.name!r} "
            "without them."
        )
    config = load_json(folder / _CONFIG)
    if not isinstance(config, dict):
        raise ValueError(f"{_CONFIG} must hold a JSON object; got {type(config).__name__}.")
    arrays = read_tensors(folder / _WEIGHTS)
    if "W_dec" not in arrays or "b_dec" not in arrays:
        raise ValueError(
            f"{_WEIGHTS} must hold W_dec and b_dec; got {', '.join(sorted(arrays)) or 'nothing'}."
        )
    with understood(folder / _CONFIG, f"be a description of {_WEIGHTS}"):
        return _weights(config, arrays)


def _weights(config: dict[str, Any], arrays: dict[str, np.ndarray]) -> SAEWeights:
    """Return the weights that a file's configuration and tensors make together."""
    decoder = arrays.pop("W_dec")
    claimed = tuple(config.get(name) for name in ("d_sae", "d_in"))
    if decoder.shape != claimed:
        raise ValueError(
            f"W_dec must have shape (d_sae, d_in), {claimed} in {_CONFIG}; got {decoder.shape}."
        )
    threshold = arrays.pop("threshold", None)
    if threshold is None and "log_threshold" in arrays:
        with np.errstate(over="ignore"):  # what overflows is refused as not finite
            threshold = np.exp(arrays.pop("log_threshold"))
    # before SAELens 6 a top-k autoencoder was "standard" with activation_fn_str "topk"
    options = config.get("activation_fn_kwargs") or {}
    is_top_k = config.get("activation_fn_str", config.get("activation_fn")) == "topk"
    architecture = str(config.get("architecture", "standard"))
    return SAEWeights(
        decoder,
        arrays.pop("b_dec"),
        arrays.pop("W_enc", None),
        arrays.pop("b_enc", None),
        threshold,
        _whole(config.get("k", options.get("k"))),
        "topk" if is_top_k and architecture == "standard" else architecture,
        config,
        arrays,
    )


def save_sae_lens(folder: str | os.PathLike[str], weights: SAEWeights) -> None:
    """Write a sparse autoencoder in SAELens' layout, both files atomically.

    Parameters
    ----------
    folder : path-like
        Folder to make or to write into: ``cfg.json`` and ``sae_weights.safetensors``. float64
        is written as float32, which is what SAELens computes in.
    weights : SAEWeights
        What to write. Its config is kept; sizes, architecture, dtype and k are set from the
        arrays, and what SAELens asks for besides gets SAELens' defaults.

    Raises
    ------
    TypeError
        If `weights` is something else.
    ValueError
        If a number does not fit float32.
    """
    if not isinstance(weights, SAEWeights):
        raise TypeError(f"weights must be SAEWeights; got {type(weights).__name__}.")
    folder = Path(folder)
    refuse_pickle(folder)
    d_sae, d_in = weights.W_dec.shape
    given = {name: getattr(weights, name) for name in ("W_enc", "b_enc", "threshold")}
    arrays = {"W_dec": weights.W_dec, "b_dec": weights.b_dec, **weights.extra}
    arrays.update({name: array for name, array in given.items() if array is not None})
    with np.errstate(over="ignore"):
        single = {name: np.ascontiguousarray(a, np.float32) for name, a in arrays.items()}
    for name, array in single.items():
        if not np.isfinite(array).all():
            raise ValueError(f"{name} must fit float32; got entries that overflow it.")
    config: dict[str, Any] = {
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "none",
        **weights.config,
        "architecture": weights.architecture,
        "d_in": d_in,
        "d_sae": d_sae,
        "dtype": "float32",
    }
    if weights.k is not None:
        config["k"] = int(weights.k)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / _WEIGHTS) as temporary:
        safetensors.numpy.save_file(single, temporary)
    save_json(folder / _CONFIG, config)


def refuse_pickle(path: str | os.PathLike[str]) -> None:
    """Refuse a name that a pickle would have: loading one may run any code."""
    if Path(path).suffix.lower() in _PICKLES:
        raise ValueError(
            f"a checkpoint must be safetensors; got {Path(path).name!r}, a pickle, which may run "
            "any code when it is loaded. Convert it where you trust it: "
            "safetensors.torch.save_file(state_dict, path)."
        )


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """Return all floating-point tensors of a safetensors file, float16 and bfloat16 as float32."""
    content = path.read_bytes()
    with understood(path, "be an intact safetensors file"):
        return _floats(safetensors.deserialize(content))


def _floats(content: list[tuple[str, dict[str, Any]]]) -> dict[str, np.ndarray]:
    arrays = {}
    for name, tensor in content:
        kind, shape, data = tensor["dtype"], tensor["shape"], tensor["data"]
        if kind not in _FLOATS:
            continue
        if kind == "BF16":  # the upper half of a float32
            bits = np.frombuffer(data, "<u2").astype(np.uint32) << 16
            array = bits.view(np.float32)
        else:
            array = np.frombuffer(data, {"F16": "<f2", "F32": "<f4", "F64": "<f8"}[kind])
            array = array.astype(np.float32) if kind == "F16" else array
        arrays[name] = array.reshape(shape)
    return arrays


def _whole(value: Any) -> Any:
    """Return a whole number as an int (SAELens may write 64.0), and none for an average of k."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value
