"""A user's model folder: measured when it is named, not tested without one."""

from __future__ import annotations

import json
import sys
import types

import numpy as np
import pytest
import safetensors.numpy

from experiments import _sparsify_claims as claims
from experiments import _sparsify_measure as parts
from experiments._framework import Verdict
from experiments.sparsify_local import sparsify_local


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return the folder of a tiny encoder, whose tokenizer counts letters."""
    from sparsecode.bridges import LocalEncoder
    from sparsecode.bridges.local_model import _EMBEDDINGS, _NAMES

    config = parts.CONTROL | {"hidden_size": 12, "intermediate_size": 24, "vocab_size": 128}
    theirs = {}
    for name, value in LocalEncoder(config).state_dict().items():
        module, _, end = name.rpartition(".")
        if module.startswith("layers."):
            _, number, part = module.split(".", 2)
            known = next(key for key, ours in _NAMES.items() if ours == part)
            theirs[f"encoder.layer.{number}.{known}.{end}"] = value.numpy()
        else:
            known = next(key for key, ours in _EMBEDDINGS.items() if ours == module)
            theirs[f"embeddings.{known}.{end}"] = value.numpy()
    safetensors.numpy.save_file(theirs, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "tokenizer.json").write_text("{}")

    class Tokenizer:
        from_file = classmethod(lambda cls, path: cls())

        def enable_truncation(self, limit):
            self.limit = limit

        def enable_padding(self, pad_id):
            pass

        def encode_batch(self, texts):
            cut = [[min(ord(c), 127) for c in text[: self.limit]] for text in texts]
            return [types.SimpleNamespace(ids=ids, attention_mask=[1] * len(ids)) for ids in cut]

    monkeypatch.setitem(sys.modules, "tokenizers", types.SimpleNamespace(Tokenizer=Tokenizer))
    return tmp_path


def test_a_folder_is_measured_and_judged(folder):
    config = sparsify_local.config("smoke", folder=str(folder), cett=(0.1, 0.2), n_texts=32)
    record = sparsify_local.run(config, seed=0)
    assert set(record.table["model"]) == {"untrained", "local"}
    assert {claim.verdict for claim in record.claims} <= {Verdict.NOT_TESTED}  # at this size
    judged = {claim.text: claim for claim in claims.judge(record)}
    assert all(claim.measured for claim in judged.values())
    teal = record.arrays["local achieved"][:, :, parts.RULES.index("TEAL")].mean(axis=-1)
    np.testing.assert_allclose(teal, 0.5, atol=0.05)
    found = {rule: record.arrays["local errors"][:, 1, i] for i, rule in enumerate(parts.RULES)}
    np.testing.assert_allclose(found["R-Sparse 1"], found["TEAL"])
    np.testing.assert_allclose(found["CATS"], found["TEAL"])
    assert (found["CoreInfer"] < 1).all()
    assert len(sparsify_local.draw(record).axes) == 4


def test_without_a_folder_nothing_is_claimed():
    record = sparsify_local.run(sparsify_local.config("smoke"), seed=0)
    assert all(claim.verdict == Verdict.NOT_TESTED for claim in record.claims)
    assert all("SPARSECODE_MODEL" in claim.note for claim in record.claims)


def test_texts_are_the_same_and_enough():
    texts = parts.docstrings(40)
    assert texts == parts.docstrings(40)
    assert len(set(texts)) == 40
    with pytest.raises(ValueError, match="n_texts must be at most"):
        parts.docstrings(10**6)


def test_a_config_that_asks_nothing_is_refused():
    for change, said in (
        ({"n_texts": 3}, "n_texts must be at least 16"),
        ({"sparsities": (1.0,)}, "sparsities must lie between 0 and 1"),
        ({"cett": ()}, "cett must lie between 0 and 1"),
    ):
        with pytest.raises(ValueError, match=said):
            sparsify_local.config(**change)
