"""A BERT encoder from a local folder equals PyTorch's own post-norm encoder."""

from __future__ import annotations

import json
import sys
import types

import numpy as np
import pytest
import safetensors.numpy
import torch
from torch import nn

from sparsecode.bridges import LocalEncoder, collect

CONFIG = {
    "vocab_size": 30,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 10,
    "hidden_act": "gelu",
}
PARTS = {
    "attention.self.query": (8, 8),
    "attention.self.key": (8, 8),
    "attention.self.value": (8, 8),
    "attention.output.dense": (8, 8),
    "attention.output.LayerNorm": (8,),
    "intermediate.dense": (12, 8),
    "output.dense": (8, 12),
    "output.LayerNorm": (8,),
}


@pytest.fixture
def tensors():
    rng = np.random.default_rng(0)
    shapes = {
        "embeddings.word_embeddings.weight": (30, 8),
        "embeddings.position_embeddings.weight": (10, 8),
        "embeddings.token_type_embeddings.weight": (2, 8),
        "embeddings.LayerNorm.weight": (8,),
        "embeddings.LayerNorm.bias": (8,),
    }
    for i in range(2):
        for part, shape in PARTS.items():
            shapes[f"encoder.layer.{i}.{part}.weight"] = shape
            shapes[f"encoder.layer.{i}.{part}.bias"] = shape[:1]
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.fixture
def folder(tmp_path, tensors):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    safetensors.numpy.save_file(tensors, tmp_path / "model.safetensors")
    return tmp_path


@pytest.fixture
def batch():
    ids = torch.randint(0, 30, (3, 5), generator=torch.Generator().manual_seed(1))
    mask = (torch.arange(5) < torch.tensor([5, 2, 3])[:, None]).long()
    return {"input_ids": ids, "attention_mask": mask}


def reference_layer(tensors, i):
    """Return PyTorch's encoder layer with the weights of layer `i`."""
    at = {k.removeprefix(f"encoder.layer.{i}."): torch.tensor(v) for k, v in tensors.items()}
    layer = nn.TransformerEncoderLayer(
        8, 2, 12, activation="gelu", layer_norm_eps=1e-12, batch_first=True
    ).eval()
    state = {}
    for end in ("weight", "bias"):
        heads = [at[f"attention.self.{part}.{end}"] for part in ("query", "key", "value")]
        state[f"self_attn.in_proj_{end}"] = torch.cat(heads)
        for ours, theirs in (
            ("self_attn.out_proj", "attention.output.dense"),
            ("norm1", "attention.output.LayerNorm"),
            ("linear1", "intermediate.dense"),
            ("linear2", "output.dense"),
            ("norm2", "output.LayerNorm"),
        ):
            state[f"{ours}.{end}"] = at[f"{theirs}.{end}"]
    layer.load_state_dict(state)
    return layer


def test_hidden_states_are_those_of_pytorch(folder, tensors, batch):
    model = LocalEncoder.from_folder(folder)
    assert not model.training
    real = batch["attention_mask"] == 1
    sites = ["norm", "layers.0", "layers.1", "layers.0.activation"]
    found = collect(model, [batch], sites)
    with torch.no_grad():
        words = torch.tensor(tensors["embeddings.word_embeddings.weight"])[batch["input_ids"]]
        x = words + torch.tensor(tensors["embeddings.position_embeddings.weight"])[:5]
        x = x + torch.tensor(tensors["embeddings.token_type_embeddings.weight"])[0]
        weight, bias = (
            torch.tensor(tensors[f"embeddings.LayerNorm.{e}"]) for e in ("weight", "bias")
        )
        x = nn.functional.layer_norm(x, (8,), weight, bias, 1e-12)
        np.testing.assert_allclose(found["norm"], x[real], atol=1e-5)
        for i in range(2):
            x = reference_layer(tensors, i)(x, src_key_padding_mask=~real)
            np.testing.assert_allclose(found[f"layers.{i}"], x[real], atol=1e-4)
    assert found["layers.0.activation"].shape == (10, 12)
    assert found["layers.0.activation"].min() > -0.17001  # the least value of the exact GELU


def test_embeddings_do_not_depend_on_padding(folder, batch):
    model = LocalEncoder.from_folder(folder)
    found = model.embed(**batch)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    alone = model.embed(batch["input_ids"][1:2, :2], torch.ones(1, 2))
    np.testing.assert_allclose(found[1:2], alone, atol=1e-5)


def test_a_prefix_is_allowed(folder, tensors, batch):
    wanted = LocalEncoder.from_folder(folder)(**batch)
    prefixed = {f"bert.{name}": array for name, array in tensors.items()}
    safetensors.numpy.save_file(prefixed, folder / "model.safetensors")
    torch.testing.assert_close(LocalEncoder.from_folder(folder)(**batch), wanted)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"hidden_act": "silu"}, ValueError, "hidden_act must be one of"),
        ({"model_type": "gpt2"}, ValueError, "model_type must be one of 'bert'"),
        ({"position_embedding_type": "relative_key"}, ValueError, "position_embedding_type must"),
        ({"num_attention_heads": 3}, ValueError, "a multiple of num_attention_heads"),
        ({"vocab_size": None}, ValueError, "vocab_size must be an integer"),
        ({"intermediate_size": 13}, ValueError, r"layers\.0\.up\.weight must have shape \(13, 8\)"),
        ({"num_hidden_layers": 3}, ValueError, r"must hold encoder\.layer\.2"),
    ],
)
def test_bad_configurations(folder, change, error, message):
    (folder / "config.json").write_text(json.dumps({**CONFIG, **change}))
    with pytest.raises(error, match=message):
        LocalEncoder.from_folder(folder)


def test_bad_folders(folder, batch):
    model = LocalEncoder.from_folder(folder)
    with pytest.raises(ValueError, match="at most 10 tokens a sample; got 15"):
        model(torch.zeros(1, 15, dtype=torch.long))
    (folder / "config.json").write_text("3")
    with pytest.raises(ValueError, match="JSON object"):
        LocalEncoder.from_folder(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"must hold model\.safetensors"):
        LocalEncoder.from_folder(folder)
    (folder / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ValueError, match=r"'pytorch_model\.bin', a pickle"):
        LocalEncoder.from_folder(folder)


class FakeTokenizer:
    """What tokenizers.Tokenizer does, with one token a character."""

    @classmethod
    def from_file(cls, path):
        return cls()

    def enable_truncation(self, limit):
        self.limit = limit

    def enable_padding(self, pad_id):
        self.pad = pad_id

    def encode_batch(self, texts):
        cut = [[ord(c) % 30 for c in text[: self.limit]] for text in texts]
        longest = max(map(len, cut))
        return [
            types.SimpleNamespace(
                ids=ids + [self.pad] * (longest - len(ids)),
                attention_mask=[1] * len(ids) + [0] * (longest - len(ids)),
            )
            for ids in cut
        ]


def test_texts_become_batches(folder, monkeypatch):
    model = LocalEncoder.from_folder(folder)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ImportError, match="pip install tokenizers"):
        model.tokenize(["a"])
    fake = types.SimpleNamespace(Tokenizer=FakeTokenizer)
    monkeypatch.setitem(sys.modules, "tokenizers", fake)
    with pytest.raises(ValueError, match=r"must hold tokenizer\.json"):
        model.tokenize(["a"])
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match="at least one text"):
        model.tokenize("a")
    batch = model.tokenize(["abcdef", "ab"], max_length=4)
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
    assert len(collect(model, [batch], "layers.1.up")["layers.1.up"]) == 6
    assert model.tokenize(["a" * 50])["input_ids"].shape == (1, 10)
