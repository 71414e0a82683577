"""CRATE against its formulas, its published sizes and our own proximal step."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax

from sparsecode.bridges import (
    CRATE_ALPHA_ABLATION,
    CRATE_SIZES,
    Crate,
    CrateAlpha,
    compressed_rate,
)
from sparsecode.penalties import L1
from sparsecode.solvers import ista

PARAMETERS = {"tiny": 6_090_856, "small": 13_116_328, "base": 22_796_008, "large": 77_641_192}


@pytest.fixture(scope="module")
def images():
    """Two images of three channels."""
    return torch.rand(2, 3, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def build(kind=Crate, **options):
    sizes = {"n_channels": 3, "d_model": 12, "n_heads": 3, "n_layers": 3, "seed": 0}
    return kind(6, 2, 5, **(sizes | options)).double()


def norm(x, layer):
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + layer.eps)
    return x * layer.weight.detach().numpy() + layer.bias.detach().numpy()


@pytest.mark.parametrize("size", CRATE_SIZES)
def test_published_sizes_to_the_parameter(size):
    with torch.device("meta"):  # counted without memory
        model = Crate.of_size(size)
    assert model.n_parameters == PARAMETERS[size]
    d, _, n_layers, _ = CRATE_SIZES[size]
    block = 2 * 2 * d + d * d + (d * d + d) + d * d  # norms, projection, map, dictionary
    embedding = 2 * 768 + (768 * d + d) + 2 * d + d + 197 * d
    assert model.n_parameters == n_layers * block + embedding + 2 * d + 1000 * d + 1000


def test_published_numbers_are_kept():
    assert [size.imagenet_top1 for size in CRATE_SIZES.values()] == [66.7, 69.2, 70.8, 71.3]
    gains = np.diff(list(CRATE_ALPHA_ABLATION.values()))
    np.testing.assert_allclose(gains, [5.3, 2.0, 0.7])


@pytest.mark.parametrize("variant", ["code", "paper"])
@pytest.mark.parametrize("layer", [0, 2])
def test_the_block_is_one_proximal_step_of_our_solver(variant, layer, images):
    model = build(variant=variant)
    found = model.trace(images)
    x = found["ista_input"][layer].reshape(-1, 12)
    code = found["code"][layer].reshape(-1, 12)
    with pytest.warns(UserWarning, match="did not converge"):
        step = ista(
            x, model.dictionary(layer), L1(0.1, positive=True), init=x, step=0.1, max_iter=1
        )
    np.testing.assert_allclose(step.code.to_dense(), code, atol=1e-12)


def test_the_block_is_one_proximal_step_in_single_precision(images):
    model = build().float()
    found = model.trace(images.float())
    x = found["ista_input"][1].reshape(-1, 12).astype(np.float64)
    with pytest.warns(UserWarning, match="did not converge"):
        step = ista(x, model.dictionary(1), L1(0.1, positive=True), init=x, step=0.1, max_iter=1)
    np.testing.assert_allclose(step.code.to_dense(), found["code"][1].reshape(-1, 12), atol=1e-6)


def test_a_block_of_the_code_is_its_formula(images):
    model = build(step=0.2, alpha=0.3)
    found = model.trace(images)
    block = model.blocks[1]
    previous = found["code"][0]
    x = norm(previous, block.norm1)
    np.testing.assert_allclose(found["attention_input"][1], x, atol=1e-12)
    heads = []
    for U in model.subspaces(1):  # (d, p)
        projected = x @ U
        heads.append(softmax(projected @ projected.transpose(0, 2, 1) / 2, axis=-1) @ projected)
    out = block.attn.out
    half = previous + np.concatenate(heads, -1) @ out.weight.detach().numpy().T
    half += out.bias.detach().numpy()
    np.testing.assert_allclose(found["half"][1], half, atol=1e-12)
    x = norm(half, block.norm2)
    np.testing.assert_allclose(found["ista_input"][1], x, atol=1e-12)
    D = model.dictionary(1).T  # columns are atoms, as in the paper
    for token, code in zip(x.reshape(-1, 12), found["code"][1].reshape(-1, 12)):
        expected = np.maximum(token + 0.2 * D.T @ (token - D @ token) - 0.2 * 0.3, 0)
        np.testing.assert_allclose(code, expected, atol=1e-12)


def test_a_block_of_the_paper_is_its_formula(images):
    model = build(variant="paper", eps=0.7)
    found = model.trace(images)
    U, D = model.subspaces(2), model.dictionary(2).T
    np.testing.assert_allclose(U.transpose(0, 2, 1) @ U, np.tile(np.eye(4), (3, 1, 1)), atol=1e-6)
    for image in range(2):
        Z = found["code"][1][image].T  # columns are tokens, as in the paper
        n = Z.shape[1]
        V = [basis.T @ Z for basis in U]
        attended = np.concatenate([v @ softmax(v.T @ v, axis=0) for v in V])
        half = Z + 4 / (n * 0.7**2) * np.concatenate(list(U), axis=1) @ attended
        np.testing.assert_allclose(found["half"][2][image].T, half, rtol=1e-10)
        np.testing.assert_array_equal(found["ista_input"][2][image], found["half"][2][image])
        code = np.maximum(half + 0.1 * D.T @ (half - D @ half) - 0.01, 0)
        np.testing.assert_allclose(found["code"][2][image].T, code, rtol=1e-9, atol=1e-11)
    assert n == 10


def test_alpha_takes_two_steps_from_zero(images):
    model = build(CrateAlpha)
    found = model.trace(images)
    x = found["ista_input"][1].reshape(-1, 12)
    code = found["code"][1].reshape(-1, 48)
    D = model.dictionary(1)
    with pytest.warns(UserWarning, match="did not converge"):
        step = ista(x, D, L1(0.1, positive=True), step=0.1, max_iter=2, tol=1e-14)
    np.testing.assert_allclose(step.code.to_dense(), code, atol=1e-12)
    decoded = found["code"][1] @ model.blocks[1].ista.decode.detach().numpy().T
    given = found["half"][1] + decoded
    following = norm(given, model.blocks[2].norm1)
    np.testing.assert_allclose(found["attention_input"][2], following, atol=1e-12)
    assert model.sites == tuple(f"blocks.{i}.ista.code" for i in range(3))


def test_the_published_alpha_has_72_million_parameters():
    with torch.device("meta"):
        model = CrateAlpha(224, 16, 1000, n_channels=3, d_model=768, n_heads=12, n_layers=12)
    d = 768
    block = 2 * 2 * d + 2 * d * d + 2 * 4 * d * d
    embedding = (768 * d + d) + d + 197 * d
    assert model.n_parameters == 12 * block + embedding + 2 * d + 1000 * d + 1000 == 72_328_936


def test_codes_are_non_negative_and_sites_are_where_they_are(images):
    for model in (build(), build(variant="paper"), build(CrateAlpha)):
        found = model.trace(images)
        assert all(code.min() >= 0 and (code == 0).any() for code in found["code"])
        assert model.sites == model.block_sites["code"]
        for paths in model.block_sites.values():
            assert len(paths) == 3
            assert all(model.get_submodule(path) is not None for path in paths)
        assert not any(module._forward_hooks for module in model.modules())


def test_the_official_measurement_is_of_the_projections(images):
    """The official code hooks the projections: they are what the subspaces make of the input."""
    model = build()
    seen = []
    handle = model.blocks[1].attn.project.register_forward_hook(
        lambda module, given, output: seen.append(output.numpy())
    )
    found = model.trace(images)
    handle.remove()
    heads = seen[0].reshape(2, 10, 3, 4).transpose(0, 2, 1, 3)
    heads = heads / np.linalg.norm(heads, axis=-1, keepdims=True)
    gram = heads.transpose(0, 1, 3, 2) @ heads
    rate = 0.5 * np.linalg.slogdet(np.eye(4) + 4 / (10 * 0.01) * gram)[1].sum(axis=1)
    ours = compressed_rate(found["attention_input"][1], model.subspaces(1), eps=0.1, normalize=True)
    np.testing.assert_allclose(ours, rate, rtol=1e-10)


def test_one_head_gives_out_its_projections():
    model = build(n_heads=1)
    assert isinstance(model.blocks[0].attn.out, torch.nn.Identity)
    assert model.subspaces(0).shape == (1, 12, 12)


def test_the_dictionary_is_a_copy(images):
    model = build()
    model.dictionary(0)[:] = 7
    model.subspaces(0)[:] = 7
    assert model.blocks[0].ista.weight.detach().max() < 7
    assert model.blocks[0].attn.project.weight.detach().max() < 7


def test_half_precision_is_still_a_method(images):
    assert next(build().half().parameters()).dtype == torch.float16


@pytest.mark.parametrize("kind", [Crate, CrateAlpha])
@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"n_heads": 5}, ValueError, "n_heads must divide"),
        ({"step": 0.0}, ValueError, "step"),
        ({"step": "a"}, TypeError, "step"),
        ({"alpha": np.nan}, ValueError, "alpha"),
        ({"n_layers": 0}, ValueError, "n_layers"),
        ({"seed": 0.5}, TypeError, "seed"),
    ],
)
def test_bad_numbers(kind, change, error, words):
    with pytest.raises(error, match=words):
        build(kind, **change)


def test_bad_names():
    with pytest.raises(ValueError, match="variant must be one of"):
        build(variant="official")
    with pytest.raises(ValueError, match="eps"):
        build(variant="paper", eps=0.0)
    with pytest.raises(ValueError, match="size must be one of"):
        Crate.of_size("huge")
    with pytest.raises(ValueError, match="patch_size must divide"):
        Crate(6, 4, 5)
    with pytest.raises(ValueError, match="layer"):
        build().dictionary(3)
    with pytest.raises(ValueError, match="images must have shape"):
        build()(torch.zeros(1, 1, 6, 6))
