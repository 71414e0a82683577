"""Plain networks: Top-k, sites, shapes, seeds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from sparsecode.bridges import MLP, Mixer, ViT

SMALL = {"d_model": 16, "d_ff": 24, "n_layers": 2}


@pytest.fixture(scope="module")
def digits():
    """Two hundred digits as images."""
    X = load_digits().data[:200].reshape(-1, 1, 8, 8) / 16
    return torch.tensor(X, dtype=torch.float32)


@pytest.fixture
def activations():
    """Return a function that records the outputs of all sites by plain forward hooks."""

    def record(model, images):
        found = {}
        handles = [
            model.get_submodule(path).register_forward_hook(
                lambda module, given, output, path=path: found.__setitem__(path, output)
            )
            for path in model.sites
        ]
        with torch.no_grad():
            logits = model(images)
        for handle in handles:
            handle.remove()
        return logits, found

    return record


def build(kind, **options):
    if kind is MLP:
        return MLP(64, 10, hidden=(24, 32), seed=0, **options)
    return kind(8, 2, 10, seed=0, **SMALL, **options)


KINDS = [ViT, Mixer, MLP]


@pytest.mark.parametrize("kind", KINDS)
def test_top_k_of_every_unit_is_dense_to_the_bit(kind, digits):
    for activation in ("relu", "gelu"):
        dense = build(kind, activation=activation)
        every = build(kind, activation=activation, top_k=24)
        if kind is MLP:
            dense = MLP(64, 10, hidden=(24,), activation=activation, seed=0)
            every = MLP(64, 10, hidden=(24,), activation=activation, top_k=24, seed=0)
        assert torch.equal(dense(digits[:20]), every(digits[:20]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("training", [True, False])
def test_top_k_keeps_the_k_largest(kind, training, digits, activations):
    model = build(kind, top_k=5).train(training)
    _, found = activations(model, digits[:9])
    for path, active in found.items():
        if "token_mlp" in path:
            assert int((active > 0).sum(dim=-1).max()) > 5
            continue
        assert int((active != 0).sum(dim=-1).max()) == 5
        assert float(active.min()) >= 0.0


@settings(max_examples=25)
@given(k=st.integers(1, 6), activation=st.sampled_from(["relu", "gelu"]), data=st.data())
def test_top_k_is_that_of_sorting(k, activation, data):
    model = MLP(6, 2, hidden=(6,), activation=activation, top_k=k, seed=0)
    values = data.draw(st.lists(st.floats(-3, 3, width=32), min_size=6, max_size=6, unique=True))
    drive = torch.tensor([values])
    dense = getattr(torch.nn.functional, activation)(drive)
    active = model.layers[0].act(drive)
    kept = active != 0
    assert int(kept.sum()) <= k
    assert torch.equal(active[kept], dense[kept])
    assert torch.allclose(active.sum(), dense.sort(descending=True).values[0, :k].sum(), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_pass_through_what_is_kept(kind, digits):
    model = build(kind, top_k=3)
    model(digits[:4]).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())
    last = model.get_submodule(model.sites[-1].rsplit(".", 1)[0])
    weight = (last.linear if kind is MLP else last.expand).weight
    assert weight.grad.abs().sum() > 0


def test_half_of_the_units_are_active_at_first(digits, activations):
    shares = []
    for seed in range(3):
        model = ViT(8, 2, 10, d_model=48, d_ff=192, n_layers=4, seed=seed)
        _, found = activations(model, digits[:40])
        shares += [float((active > 0).float().mean()) for active in found.values()]
    # tokens are much alike at first: a layer's share has the deviation of 192 coins, 0.036, and
    # the mean of twelve 0.0104
    assert abs(np.mean(shares) - 0.5) < 0.05
    assert max(abs(share - 0.5) for share in shares) < 5 * 0.036


def test_sites_are_paths_of_hidden_activations(digits, activations):
    shapes = {
        ViT: {"blocks.0.mlp.act": (3, 17, 24), "blocks.1.mlp.act": (3, 17, 24)},
        Mixer: {
            "blocks.0.token_mlp.act": (3, 16, 32),
            "blocks.0.mlp.act": (3, 16, 24),
            "blocks.1.token_mlp.act": (3, 16, 32),
            "blocks.1.mlp.act": (3, 16, 24),
        },
        MLP: {"layers.0.act": (3, 24), "layers.1.act": (3, 32)},
    }
    for kind, expected in shapes.items():
        logits, found = activations(build(kind), digits[:3])
        assert logits.shape == (3, 10)
        assert {path: tuple(a.shape) for path, a in found.items()} == expected


def test_attention_is_softmax_over_tokens():
    block = build(ViT).blocks[0]
    x = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(0))
    q, k, v = (
        part.detach().numpy().reshape(2, 5, 4, 4).transpose(0, 2, 1, 3)
        for part in block.attn.qkv(x).chunk(3, dim=-1)
    )
    weights = np.exp(q @ k.transpose(0, 1, 3, 2) / 2)
    mixed = (weights / weights.sum(-1, keepdims=True)) @ v
    expected = block.attn.out(torch.tensor(mixed.transpose(0, 2, 1, 3).reshape(2, 5, 16)))
    torch.testing.assert_close(block.attn(x), expected, atol=1e-6, rtol=1e-5)


def test_patches_are_tokens_in_reading_order():
    model = ViT(4, 2, 3, n_channels=2, d_model=4, d_ff=4, n_heads=1, n_layers=1, seed=0)
    images = torch.arange(32.0).reshape(1, 2, 4, 4)
    tokens = model.tokens(images)
    assert tokens.shape == (1, 4, 8)
    assert tokens[0, 1].tolist() == [2, 18, 3, 19, 6, 22, 7, 23]


@pytest.mark.parametrize("kind", KINDS)
def test_seeds_decide_the_weights_and_leave_the_stream(kind):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, same = build(kind), build(kind)
    assert torch.equal(torch.rand(3), expected)
    for a, b in zip(one.parameters(), same.parameters()):
        assert torch.equal(a, b)
    assert one.n_parameters == sum(p.numel() for p in one.parameters())


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: ViT(8, 3, 10), ValueError, "patch_size must divide"),
        (lambda: ViT(8, 2, 10, d_model=10, n_heads=4), ValueError, "n_heads must divide"),
        (lambda: ViT(8, 2, 10, d_ff=8, top_k=9), ValueError, "top_k"),
        (lambda: ViT(8, 2, 10, top_k=0), ValueError, "top_k"),
        (lambda: ViT(8, 2, 10, top_k=2.0), TypeError, "top_k"),
        (lambda: ViT(8, 2, 10, activation="silu"), ValueError, "activation"),
        (lambda: ViT(8, 2, 0), ValueError, "n_classes"),
        (lambda: ViT(8, 2, 10, n_layers=0), ValueError, "n_layers"),
        (lambda: ViT(8, 2, 10, seed=-1), ValueError, "seed"),
        (lambda: ViT(8, 2, 10, n_channels=0), ValueError, "n_channels"),
        (lambda: Mixer(8, 3, 10), ValueError, "patch_size must divide"),
        (lambda: Mixer(8, 2, 10, d_token=0), ValueError, "d_token"),
        (lambda: MLP(64, 10, hidden=()), ValueError, "hidden"),
        (lambda: MLP(64, 10, hidden=3), ValueError, "hidden"),
        (lambda: MLP(64, 10, hidden=(0,)), ValueError, "hidden"),
        (lambda: MLP(64, 10, hidden=(8, 4), top_k=5), ValueError, "top_k"),
        (lambda: MLP(0, 10), ValueError, "n_features"),
    ],
)
def test_bad_sizes(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_bad_images():
    model = build(ViT)
    with pytest.raises(ValueError, match=r"\(batch, 1, 8, 8\)"):
        model(torch.zeros(2, 8, 8))
    with pytest.raises(ValueError, match=r"\(batch, 1, 8, 8\)"):
        model(torch.zeros(2, 1, 8, 7))
    with pytest.raises(TypeError, match="floats"):
        model(torch.zeros(2, 1, 8, 8, dtype=torch.int64))
    with pytest.raises(TypeError, match="floats"):
        model(np.zeros((2, 1, 8, 8)))
    with pytest.raises(ValueError, match="64 features"):
        build(MLP)(torch.zeros(2, 63))
