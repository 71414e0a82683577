"""Recording by path, at the sites that our networks name."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sparsecode.bridges import MLP, Crate, CrateAlpha, Mixer, ViT, collect, lazy_by_layer, to_code

IMAGES = torch.from_numpy(np.random.default_rng(0).standard_normal((6, 1, 8, 8), dtype=np.float32))


@pytest.mark.parametrize("make", [Crate, CrateAlpha])
def test_crate_is_recorded_as_it_traces_itself(make):
    model = make(8, 4, 3, n_channels=1, d_model=8, n_heads=2, n_layers=2, seed=0)
    traced = model.trace(IMAGES)
    for name, paths in model.block_sites.items():
        found = collect(model, [IMAGES[:4], IMAGES[4:]], paths)
        for path, expected in zip(paths, traced[name], strict=True):
            rows = expected.reshape(-1, expected.shape[-1])
            np.testing.assert_allclose(found[path], rows, atol=1e-6)


@pytest.mark.parametrize("top_k", [None, 5])
def test_hidden_units_of_a_vit_are_those_that_its_codes_have(top_k):
    model = ViT(
        8, 4, 3, n_channels=1, d_model=8, d_ff=32, n_heads=2, n_layers=2, top_k=top_k, seed=1
    )
    found = collect(model, [IMAGES], model.sites)
    assert list(found) == list(model.sites)
    layers = lazy_by_layer(found)
    for site, activations in found.items():
        assert activations.shape == (6 * 5, 32)  # four tokens and that of the class
        assert (activations >= 0).all()
        code = to_code(activations)
        assert layers[site].percent_nonzero == pytest.approx(100 * code.density)
        if top_k is not None:
            assert (code.n_active <= top_k).all()


@pytest.mark.parametrize(
    ("model", "images"),
    [
        (Mixer(8, 4, 3, n_channels=1, d_model=8, d_ff=16, n_layers=1, seed=2), IMAGES),
        (MLP(64, 3, hidden=(20, 10), seed=3), IMAGES.reshape(6, 64)),
    ],
)
def test_other_networks_are_recorded_at_their_sites(model, images):
    for activations in collect(model, [images], model.sites).values():
        assert np.isfinite(activations).all()
        assert 0.2 < (activations > 0).mean() < 0.8
