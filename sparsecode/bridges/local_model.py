"""BERT-like encoders from a local folder of safetensors and tokenizer; nothing is fetched."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sparsecode._validation import check_count, check_option
from sparsecode.bridges._torch import nn, torch
from sparsecode.bridges.sae_lens import read_tensors, refuse_pickle
from sparsecode.core.io import load_json, understood

__all__ = ["LocalEncoder"]

_CONFIG, _WEIGHTS, _TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
#: Parts of a layer, as the file names them, and the path of ours.
_NAMES = {
    "attention.self.query": "query",
    "attention.self.key": "key",
    "attention.self.value": "value",
    "attention.output.dense": "attended",
    "attention.output.LayerNorm": "attention_norm",
    "intermediate.dense": "up",
    "output.dense": "down",
    "output.LayerNorm": "output_norm",
}
_EMBEDDINGS = {
    "word_embeddings": "words",
    "position_embeddings": "positions",
    "token_type_embeddings": "types",
    "LayerNorm": "norm",
}


class LocalEncoder(nn.Module):
    """A BERT encoder, every part of it a module that :func:`collect` can record.

    Layer ``i`` has the sites ``layers.i.up`` (before the GELU), ``layers.i.activation`` (the
    hidden activations), ``layers.i.down``, ``layers.i.attended`` and ``layers.i`` itself.

    Parameters
    ----------
    config : mapping
        ``vocab_size``, ``hidden_size``, ``num_hidden_layers``, ``num_attention_heads``,
        ``intermediate_size``, and optionally ``max_position_embeddings``, ``type_vocab_size``
        and ``layer_norm_eps``, as in ``config.json``. ``hidden_act`` must be ``"gelu"`` (exact,
        by the error function) or ``"relu"``, positions absolute.

    Raises
    ------
    ValueError, TypeError
        If the configuration is another.

    References
    ----------
    Devlin et al. (2019), BERT, arXiv:1810.04805; layer norm after each block.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        sizes = {}
        for name, default in (
            ("vocab_size", None),
            ("hidden_size", None),
            ("num_hidden_layers", None),
            ("num_attention_heads", None),
            ("intermediate_size", None),
            ("max_position_embeddings", 512),
            ("type_vocab_size", 2),
        ):
            sizes[name] = check_count(name, config.get(name, default))
        check_option("model_type", config.get("model_type", "bert"), ["bert"])
        kind = config.get("position_embedding_type", "absolute")
        check_option("position_embedding_type", kind, ["absolute"])
        act = check_option("hidden_act", config.get("hidden_act", "gelu"), ["gelu", "relu"])
        width, n_heads = sizes["hidden_size"], sizes["num_attention_heads"]
        if width % n_heads:
            raise ValueError(
                f"hidden_size must be a multiple of num_attention_heads; got {width} and {n_heads}."
            )
        eps = float(config.get("layer_norm_eps", 1e-12))
        self.config = dict(config)
        self.tokenizer: Any = None
        self.words = nn.Embedding(sizes["vocab_size"], width)
        self.positions = nn.Embedding(sizes["max_position_embeddings"], width)
        self.types = nn.Embedding(sizes["type_vocab_size"], width)
        self.norm = nn.LayerNorm(width, eps=eps)
        self.layers = nn.ModuleList(
            _Layer(width, n_heads, sizes["intermediate_size"], act, eps)
            for _ in range(sizes["num_hidden_layers"])
        )

    @classmethod
    def from_folder(cls, folder: str | os.PathLike[str]) -> LocalEncoder:
        """Build an encoder from ``config.json`` and ``model.safetensors``.

        Parameters
        ----------
        folder : path-like
            A local folder. ``tokenizer.json`` is read where it is there and the package
            tokenizers is installed, which only :meth:`tokenize` needs.

        Returns
        -------
        LocalEncoder
            In evaluation mode, its tokenizer file noted.

        Raises
        ------
        ValueError
            If a file is missing, is a pickle, or tensors do not fit the configuration.
        """
        folder = Path(folder)
        refuse_pickle(folder)
        for name in (_CONFIG, _WEIGHTS):
            if not (folder / name).is_file():
                for path in folder.glob("*"):
                    refuse_pickle(path)
                raise ValueError(f"folder must hold {name}; got {folder.name!r} without it.")
        config = load_json(folder / _CONFIG)
        if not isinstance(config, dict):
            raise ValueError(f"{_CONFIG} must hold a JSON object; got {type(config).__name__}.")
        tensors = read_tensors(folder / _WEIGHTS)
        with understood(folder / _CONFIG, f"be the configuration of {_WEIGHTS}"):
            n_layers = check_count("num_hidden_layers", config.get("num_hidden_layers"))
            _find(tensors, f"layers.{n_layers - 1}.up.weight")  # before so many are made
            with torch.device("meta"):  # which takes no memory
                shapes = {name: tuple(t.shape) for name, t in cls(config).state_dict().items()}
            state = {ours: _find(tensors, ours) for ours in shapes}
            for name, shape in shapes.items():
                if shape != state[name].shape:
                    raise ValueError(
                        f"{name} must have shape {shape}, which {_CONFIG} says; got "
                        f"{state[name].shape} in {_WEIGHTS}."
                    )
            model = cls(config)
        model.load_state_dict({name: torch.tensor(array) for name, array in state.items()})
        model.tokenizer = folder / _TOKENIZER
        return model.eval()

    def tokenize(
        self, texts: Sequence[str], *, max_length: int | None = None
    ) -> dict[str, torch.Tensor]:
        """Turn texts into a batch for :func:`collect`, padded to the longest.

        Parameters
        ----------
        texts : sequence of str
            At least one.
        max_length : int, optional
            Tokens kept, start and end token included; by default the positions of the model.

        Returns
        -------
        dict of str to torch.Tensor
            ``input_ids`` and ``attention_mask``, int64 of shape (n_texts, n_tokens). The first
            position is the start token, the last real one the end token.

        Raises
        ------
        ImportError
            If the package tokenizers is not installed.
        ValueError
            If there is no tokenizer or no text.
        """
        try:
            tokenizers = importlib.import_module("tokenizers")
        except ModuleNotFoundError as error:
            raise ImportError(
                "tokenizers must be installed to tokenize text; run `pip install tokenizers`.",
                name="tokenizers",
            ) from error
        if self.tokenizer is None or not Path(self.tokenizer).is_file():
            raise ValueError(
                f"the folder of the model must hold {_TOKENIZER} to tokenize; got none."
            )
        if isinstance(texts, str) or not len(texts):
            raise ValueError(f"texts must be a sequence of at least one text; got {texts!r}.")
        limit = self.positions.num_embeddings
        if max_length is not None:
            limit = check_count("max_length", max_length, minimum=3, maximum=limit)
        tokenizer = tokenizers.Tokenizer.from_file(str(self.tokenizer))
        tokenizer.enable_truncation(limit)
        tokenizer.enable_padding(pad_id=int(self.config.get("pad_token_id", 0)))
        found = tokenizer.encode_batch(list(texts))
        return {
            "input_ids": torch.tensor([one.ids for one in found]),
            "attention_mask": torch.tensor([one.attention_mask for one in found]),
        }

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the last hidden states.

        Parameters
        ----------
        input_ids : Tensor of int, shape (n_samples, n_tokens)
            Token numbers.
        attention_mask : Tensor of shape (n_samples, n_tokens), optional
            1 for tokens, 0 for padding, which no token attends to.

        Returns
        -------
        Tensor of shape (n_samples, n_tokens, hidden_size)
        """
        n_tokens = input_ids.shape[1]
        if n_tokens > self.positions.num_embeddings:
            raise ValueError(
                f"input_ids must have at most {self.positions.num_embeddings} tokens a sample; got "
                f"{n_tokens}. Cut the texts."
            )
        places = torch.arange(n_tokens, device=input_ids.device)
        types = torch.zeros_like(input_ids)
        x = self.norm(self.words(input_ids) + self.positions(places) + self.types(types))
        mask = None if attention_mask is None else attention_mask.bool()[:, None, None, :]
        for layer in self.layers:
            x = layer(x, mask)
        return x

    def embed(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> np.ndarray:
        """Return the mean of each sample's last hidden states over real tokens, of norm 1.

        Parameters
        ----------
        input_ids : Tensor of int, shape (n_samples, n_tokens)
            Token numbers.
        attention_mask : Tensor of shape (n_samples, n_tokens)
            1 for tokens, 0 for padding.

        Returns
        -------
        ndarray of shape (n_samples, hidden_size)
        """
        with torch.no_grad():
            hidden = self(input_ids, attention_mask)
            weight = attention_mask[..., None].to(hidden.dtype)
            mean = (hidden * weight).sum(dim=1) / weight.sum(dim=1)
            unit = nn.functional.normalize(mean, dim=1)
        return np.asarray(unit.cpu().numpy())


class _Layer(nn.Module):
    """One block: attention, then two linear maps, each with a skip and a norm behind it."""

    def __init__(self, width: int, n_heads: int, n_hidden: int, act: str, eps: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.attended = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width, eps=eps)
        self.up, self.down = nn.Linear(width, n_hidden), nn.Linear(n_hidden, width)
        self.activation = nn.GELU() if act == "gelu" else nn.ReLU()
        self.output_norm = nn.LayerNorm(width, eps=eps)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Return the block's output, of the shape of `x`."""
        n, t, width = x.shape
        query, key, value = (
            part(x).reshape(n, t, self.n_heads, -1).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        x = self.attention_norm(x + self.attended(mixed.transpose(1, 2).reshape(n, t, width)))
        hidden = self.activation(self.up(x))
        return self.output_norm(x + self.down(hidden))


def _find(tensors: dict[str, np.ndarray], ours: str) -> np.ndarray:
    """Return the tensor of a parameter of ours, with or without the file's prefix ``bert.``."""
    module, _, end = ours.rpartition(".")
    if module.startswith("layers."):
        _, number, part = module.split(".", 2)
        theirs = next(name for name, mine in _NAMES.items() if mine == part)
        theirs = f"encoder.layer.{number}.{theirs}.{end}"
    else:
        theirs = next(name for name, mine in _EMBEDDINGS.items() if mine == module)
        theirs = f"embeddings.{theirs}.{end}"
    for name in (theirs, f"bert.{theirs}"):
        if name in tensors:
            return tensors[name]
    raise ValueError(f"{_WEIGHTS} must hold {theirs}; got other tensors. Is it a BERT encoder?")
