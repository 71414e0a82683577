"""Hooks record what a module computes, and leave nothing behind."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from torch import nn

from sparsecode.bridges import ActivationStore, collect, sites_of


@pytest.fixture(scope="module", autouse=True)
def no_waiting_for_the_disk():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: None)
        yield


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(3, 5), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(5, 2)
    ).train()


@pytest.fixture
def data():
    return torch.randn(11, 3, generator=torch.Generator().manual_seed(1))


class Tokens(nn.Module):
    """A transformer over tokens with padding, called by keywords."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(20, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(8, 3)

    def forward(self, input_ids, attention_mask):
        hidden = self.encoder(
            self.embed(input_ids), src_key_padding_mask=attention_mask.logical_not()
        )
        return self.head(hidden[:, 0]), hidden


@pytest.fixture
def tokens():
    torch.manual_seed(2)
    return Tokens()


@pytest.fixture
def batches():
    generator = torch.Generator().manual_seed(3)
    lengths = [[5, 3], [4, 1], [2]]
    return [
        {
            "input_ids": torch.randint(0, 20, (len(n), max(n)), generator=generator),
            "attention_mask": (torch.arange(max(n)) < torch.tensor(n)[:, None]).long(),
        }
        for n in lengths
    ]


def test_rows_are_what_the_layers_compute(network, data):
    found = collect(network, data.split(4), ["0", "1", "3:input", "3"])
    with torch.no_grad():
        before = network[0](data)
        after = torch.relu(before)
        out = network[3](after)
    # the ReLU in place must not reach what was recorded before it
    np.testing.assert_allclose(found["0"], before, atol=1e-6)
    np.testing.assert_allclose(found["1"], after, atol=1e-6)
    np.testing.assert_allclose(found["3:input"], after, atol=1e-6)
    np.testing.assert_allclose(found["3"], out, atol=1e-6)
    assert list(found) == ["0", "1", "3:input", "3"]


def test_nothing_is_left_behind(network, data):
    network[2].eval()
    modes = [module.training for module in network.modules()]
    collect(network, [data], "0")
    with pytest.raises(RuntimeError, match="shapes"):
        collect(network, [data, data[:, :2]], ["0", "1:input"])
    assert [module.training for module in network.modules()] == modes
    for module in network.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
    assert network(data).requires_grad


def test_arrays_tuples_and_lists_are_batches(network, data):
    wanted = collect(network, [data], "3")["3"]
    for batch in (data.numpy(), (data,), [data.numpy()], {"input": data}):
        np.testing.assert_array_equal(collect(network, [batch], "3")["3"], wanted)


def reference(model, batch):
    """Hidden states of the first layer's feed-forward part, from its parts."""
    layer = model.encoder.layers[0].eval()
    with torch.no_grad():
        x = model.embed(batch["input_ids"])
        pad = batch["attention_mask"] == 0
        attended = layer.self_attn(x, x, x, key_padding_mask=pad, need_weights=False)[0]
        return layer.linear1(layer.norm1(x + attended))


def test_padding_is_dropped_and_ids_are_kept(tokens, batches, tmp_path):
    site = "encoder.layers.0.linear1"
    with ActivationStore.create(tmp_path, n_rows_per_shard=4) as store:
        assert collect(tokens, batches, [site, "head"], store=store) is None
    found = ActivationStore(tmp_path)
    wanted = [reference(tokens, b)[b["attention_mask"] == 1].numpy() for b in batches]
    np.testing.assert_allclose(found[site][:], np.concatenate(wanted), atol=1e-5)
    assert found[site].sample_ids.tolist() == [0] * 5 + [1] * 3 + [2] * 4 + [3] + [4] * 2
    assert found[site].position_ids.tolist() == [*range(5), *range(3), *range(4), 0, 0, 1]
    # one row a sample: no position to mask
    assert found["head"].sample_ids.tolist() == [0, 1, 2, 3, 4]
    assert found[site].kind == "output"


def test_masks_are_functions_arrays_or_none(tokens, batches):
    site = "encoder.layers.1.linear2:input"
    default = collect(tokens, batches, site)[site]
    assert default.shape == (15, 16)
    assert (default >= 0).all()  # after the ReLU
    as_function = collect(tokens, batches, site, mask=lambda b: b["attention_mask"] > 0)
    as_arrays = collect(tokens, batches, site, mask=[b["attention_mask"].numpy() for b in batches])
    np.testing.assert_array_equal(as_function[site], default)
    np.testing.assert_array_equal(as_arrays[site], default)
    assert len(collect(tokens, batches, site, mask=False)[site]) == 10 + 8 + 2
    whole = collect(tokens, batches, site, mask=[[1, 0], [0, 1], [1]])[site]
    assert len(whole) == 5 + 4 + 2


def test_special_positions_are_left_out_by_choice(tokens, batches, tmp_path):
    with ActivationStore.create(tmp_path) as store:
        collect(tokens, batches, "embed", store=store, skip_positions=(0, -1))
    site = ActivationStore(tmp_path)["embed"]
    # of lengths 5, 3, 4, 1, 2: all but the first and the last that is real
    assert site.sample_ids.tolist() == [0, 0, 0, 1, 2, 2]
    assert site.position_ids.tolist() == [1, 2, 3, 1, 1, 2]


def test_sequence_first_transformers():
    torch.manual_seed(4)
    layer = nn.TransformerEncoderLayer(6, 2, 12, batch_first=False)
    model = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
    x = torch.randn(7, 3, 6)  # positions, samples, features
    found = collect(model, [x], "layers.0.linear1", sample_axis=1)["layers.0.linear1"]
    model.eval()
    with torch.no_grad():
        block = model.layers[0]
        attended = block.self_attn(x, x, x, need_weights=False)[0]
        wanted = block.linear1(block.norm1(x + attended)).transpose(0, 1).reshape(21, 12)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    mask = np.ones((3, 7), bool)
    mask[0, 2:] = False
    kept = collect(model, [x], "layers.0.linear1", sample_axis=1, mask=[mask])["layers.0.linear1"]
    np.testing.assert_array_equal(kept, found[mask.reshape(-1)])


def test_channels_first_maps():
    torch.manual_seed(5)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(4 * 9, 2))
    x = torch.randn(2, 1, 5, 5)
    found = collect(model, [x], "0", feature_axis=1)["0"]
    with torch.no_grad():
        wanted = model[0](x).permute(0, 2, 3, 1).reshape(18, 4)
    np.testing.assert_array_equal(found, wanted)


class Flattened(nn.Module):
    def __init__(self):
        super().__init__()
        self.part = nn.Linear(3, 2, dtype=torch.bfloat16)

    def forward(self, x):
        return self.part(x.reshape(-1, 3).bfloat16())


def test_flattened_positions_need_a_mask():
    x = torch.randn(4, 5, 3)
    mask = np.arange(20).reshape(4, 5) % 3 > 0
    found = collect(Flattened(), [x], "part", mask=[mask])["part"]
    assert found.shape == (mask.sum(), 2)
    assert found.dtype == np.float32  # NumPy has no bfloat16
    with pytest.raises(ValueError, match=r"4 samples on axis 0; got shape \(20, 2\)"):
        collect(Flattened(), [x], "part")


def test_a_writer_takes_one_recording_of_a_site(tokens, batches, tmp_path):
    with ActivationStore.create(tmp_path) as store:
        collect(tokens, batches, "embed", store=store)
        with pytest.raises(ValueError, match=r"recorded once by one writer.*\['embed'\]"):
            collect(tokens, batches, ["embed", "encoder"], store=store)


@pytest.mark.parametrize("n_before", [1, 2])
def test_a_resumed_store_goes_on(tokens, batches, tmp_path, n_before):
    sites = ["embed", "encoder.layers.1.linear2:input"]

    def broken():
        yield from batches[:n_before]
        raise KeyboardInterrupt

    def create(name, resume=False):
        return ActivationStore.create(tmp_path / name, n_rows_per_shard=6, resume=resume)

    with create("whole") as store:
        collect(tokens, batches, sites, store=store)
    with pytest.raises(KeyboardInterrupt), create("cut") as store:
        collect(tokens, broken(), sites, store=store)
    calls = []
    handle = tokens.register_forward_hook(lambda *_: calls.append(1))
    with create("cut", resume=True) as store:
        collect(tokens, batches, sites, store=store)
    handle.remove()
    assert len(calls) == 4 - n_before  # batches whose samples were all stored are not run again
    whole, cut = ActivationStore(tmp_path / "whole"), ActivationStore(tmp_path / "cut")
    for site in sites:
        np.testing.assert_array_equal(cut[site][:], whole[site][:])
        np.testing.assert_array_equal(cut[site].sample_ids, whole[site].sample_ids)
        np.testing.assert_array_equal(cut[site].mean, whole[site].mean)


def test_sites_are_listed(tokens):
    listed = sites_of(tokens)
    assert "" in listed
    assert "encoder.layers.1.linear2" in listed
    with pytest.raises(TypeError, match=r"must be a torch\.nn\.Module; got str"):
        sites_of("model.pt")


def test_unknown_sites_list_near_ones(tokens, batches):
    with pytest.raises(ValueError, match=r"'encoder.layer.0.linear1', and near are 'encoder\.lay"):
        collect(tokens, batches, "encoder.layer.0.linear1")
    with pytest.raises(ValueError, match="none is near"):
        collect(tokens, batches, "zzz")


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.unused, self.shared = nn.Linear(3, 3), nn.ReLU()

    def forward(self, x):
        return self.shared(self.shared(x))


@pytest.mark.parametrize(
    ("sites", "error", "message"),
    [
        ([], ValueError, "at least one module"),
        ([1], TypeError, "module paths"),
        ("0:middle", ValueError, "':input' or ':output'"),
        (["0", "0"], ValueError, "named once"),
    ],
)
def test_bad_sites(network, data, sites, error, message):
    with pytest.raises(error, match=message):
        collect(network, [data], sites)


def test_sites_that_do_not_run_once(data):
    with pytest.raises(ValueError, match="'unused' must run once in a forward pass; got 0"):
        collect(Twice(), [data], "unused")
    with pytest.raises(ValueError, match="'shared' must run once in a forward pass; got 2"):
        collect(Twice(), [data], "shared")


def test_bad_models(data):
    with pytest.raises(TypeError, match="forward method; got ModuleList"):
        collect(nn.ModuleList([nn.Linear(3, 2)]), [data], "0")
    with pytest.raises(TypeError, match="a pickled checkpoint is not loaded"):
        collect("model.pt", [data], "0")


def test_bad_data(network, data, tokens, batches):
    bad = data.clone()
    bad[2, 0] = torch.nan
    with pytest.raises(ValueError, match=r"'0 \(batch 1\)' must be finite.*first in row 2"):
        collect(network, [data, bad], "0")
    with pytest.raises(ValueError, match="at least one sample"):
        collect(network, [], "0")
    with pytest.raises(ValueError, match="a batch must hold a tensor"):
        collect(network, [("text",)], "0")
    with pytest.raises(TypeError, match="floating-point numbers"):
        collect(tokens, batches, "embed:input")
    with pytest.raises(TypeError, match="store must be an ActivationWriter; got str"):
        collect(network, [data], "0", store="folder")
    with pytest.raises(TypeError, match="skip_positions must be"):
        collect(network, [data], "0", skip_positions=0.5)
    with pytest.raises(ValueError, match="feature_axis must be"):
        collect(network, [data], "0", feature_axis=5)


@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        (True, ValueError, "got True"),
        ([np.ones((2, 5))], ValueError, "got 1 arrays and more batches"),
        ([np.ones((2, 9))] * 3, ValueError, r"mask must have shape \(2, 5\)"),
        ([np.ones(4)] * 3, ValueError, r"with 2 samples, as the batch; got \(4,\)"),
        (lambda batch: np.full((2, 5), 0.5), ValueError, "must hold booleans"),
        (3, TypeError, "must be a function"),
    ],
)
def test_bad_masks(tokens, batches, mask, error, message):
    with pytest.raises(error, match=message):
        collect(tokens, batches, "embed", mask=mask)
