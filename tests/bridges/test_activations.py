"""Lazy-neuron statistics, activations as codes, and SAELens' layout."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import strategies  # noqa: F401 - the profile of hypothesis
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sparsecode.bridges import (
    ActivationStore,
    SAEWeights,
    activations,
    lazy_by_layer,
    lazy_statistics,
    load_sae_lens,
    save_sae_lens,
    to_code,
)
from sparsecode.core import SparseCode

dense = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 30), st.integers(1, 5)),
    elements=st.sampled_from([-2.0, -0.5, 0.0, 0.25, 0.5, 1.0, 3.0]),
)


@settings(max_examples=40)
@given(array=dense, epsilon=st.sampled_from([0.0, 0.25, 0.5, 1.0]), magnitudes=st.booleans())
def test_counts_are_strict_and_the_same_for_codes(array, epsilon, magnitudes):
    active = (np.abs(array) if magnitudes else array) > epsilon
    options = {"epsilon": epsilon, "magnitudes": magnitudes}
    for given_as in (array, SparseCode.from_dense(array)):
        found = lazy_statistics(given_as, **options)
        np.testing.assert_array_equal(found.firing_rate, active.mean(axis=0))
        assert found.percent_nonzero == pytest.approx(100 * active.mean())
        assert found.n_active == pytest.approx(active.sum(axis=1).mean())
        assert found.n_silent == np.count_nonzero(~active.any(axis=0))
        assert (found.n_tokens, found.n_neurons) == array.shape


def test_half_of_random_preactivations_are_positive():
    rows = np.random.default_rng(0).normal(size=(400, 50))
    found = lazy_statistics(np.maximum(rows, 0))
    assert abs(found.percent_nonzero - 50) < 5 * 100 * 0.5 / np.sqrt(rows.size)


def test_shares_of_lazy_and_dead_neurons():
    rows = np.zeros((2000, 4))
    rows[:1, 1] = 1  # 0.05 %
    rows[:100, 2] = 1  # 5 %
    rows[:, 3] = 1
    found = lazy_statistics(rows)
    assert found.share_below(0.1) == 0.75
    assert found.share_below(0.001) == 0.5
    assert found.n_silent == 1
    assert "4 neurons, 2000 tokens" in repr(found)
    with pytest.raises(ValueError, match="rate must"):
        found.share_below(2)


def test_binary_codes_count_as_ones():
    code = SparseCode.from_dense(np.array([[True, False], [True, True]]))
    assert lazy_statistics(code).firing_rate.tolist() == [1.0, 0.5]
    assert lazy_statistics(code, epsilon=1.0).n_silent == 2


@settings(max_examples=40)
@given(array=dense, threshold=st.sampled_from([0.0, 0.25, 0.5]), k=st.none() | st.just(1))
def test_codes_hold_what_is_above_the_threshold(array, threshold, k):
    kept = np.where(array > threshold, array, 0)
    if k == 1:
        first = np.arange(array.shape[1]) == kept.argmax(axis=1)[:, None]
        kept = np.where(first, kept, 0)
    assert to_code(array, threshold=threshold, k=k) == SparseCode.from_dense(kept)


def test_stores_are_read_in_blocks(tmp_path, monkeypatch):
    rows = np.random.default_rng(1).normal(size=(97, 8)).astype(np.float16)
    with ActivationStore.create(tmp_path, dtype="float16", n_rows_per_shard=20) as writer:
        writer.append("first", rows)
        writer.append("second", np.abs(rows))
    store = ActivationStore(tmp_path)
    monkeypatch.setattr(activations, "_BLOCK_BYTES", 4 * 8 * 13)
    found = lazy_by_layer(store)
    assert list(found) == ["first", "second"]
    np.testing.assert_array_equal(found["first"].firing_rate, (rows > 0).mean(axis=0))
    assert found["second"].percent_nonzero > 99
    code = to_code(store["first"])
    assert code == SparseCode.from_dense(np.maximum(rows, 0).astype(np.float32))
    assert code.dtype == np.float32
    assert to_code(rows[:0]).shape == (0, 8)
    assert to_code(rows.astype(np.float64)).dtype == np.float64


@pytest.mark.parametrize("function", [lazy_statistics, to_code])
@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        (np.array([[1.0, np.nan]]), ValueError, "must be finite"),
        (np.array([[np.inf, 1.0]]), ValueError, "must be finite"),
        (np.ones(3), ValueError, r"shape \(n_tokens, n_neurons\)"),
        (np.ones((2, 0)), ValueError, r"shape \(n_tokens, n_neurons\)"),
        (np.array([["a"]]), TypeError, "real numbers"),
        ([[1.0]], TypeError, "an array or a reader"),
    ],
)
def test_bad_activations(function, bad, error, message):
    with pytest.raises(error, match=message):
        function(bad)


def test_bad_options():
    with pytest.raises(ValueError, match="at least one row"):
        lazy_statistics(np.ones((0, 3)))
    for bad in (-1.0, np.nan, "a", True):
        with pytest.raises(ValueError, match="epsilon must be finite"):
            lazy_statistics(np.ones((1, 3)), epsilon=bad)
        with pytest.raises(ValueError, match="threshold must be finite"):
            to_code(np.ones((1, 3)), threshold=bad)
    with pytest.raises(ValueError, match="k must be at least 1 and at most 3"):
        to_code(np.ones((1, 3)), k=4)


@pytest.fixture
def weights():
    rng = np.random.default_rng(3)
    return {
        "W_enc": rng.normal(size=(4, 9)).astype(np.float32),
        "b_enc": rng.normal(size=9).astype(np.float32),
        "W_dec": rng.normal(size=(9, 4)).astype(np.float32),
        "b_dec": rng.normal(size=4).astype(np.float32),
    }


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"architecture": "topk", "k": 3},
        {"architecture": "jumprelu", "threshold": np.full(9, 0.5, np.float32)},
        {"architecture": "gated", "extra": {"r_mag": np.ones(9, np.float32)}, "b_enc": None},
        {"architecture": "matching_pursuit", "W_enc": None, "b_enc": None},
    ],
)
def test_saelens_round_trip(tmp_path, weights, more):
    sae = SAEWeights(**{**weights, **more, "config": {"meta": {"hook_name": "blocks.0"}}})
    save_sae_lens(tmp_path / "sae", sae)
    found = load_sae_lens(tmp_path / "sae")
    assert (found.architecture, found.k) == (sae.architecture, sae.k)
    assert found.config["meta"] == {"hook_name": "blocks.0"}
    assert found.config["apply_b_dec_to_input"] is True
    for name in ("W_enc", "b_enc", "W_dec", "b_dec", "threshold"):
        wanted = getattr(sae, name)
        if wanted is None:
            assert getattr(found, name) is None
        else:
            np.testing.assert_array_equal(getattr(found, name), wanted)
    assert found.extra.keys() == sae.extra.keys()
    assert found.dictionary.shape == (9, 4)
    assert "d_in 4, d_sae 9" in repr(found)


def test_saelens_files_from_elsewhere(tmp_path, weights):
    """As older versions wrote them: top-k named by its function, a logarithm, half precision."""
    half = {name: array.astype(np.float16) for name, array in weights.items()}
    half["log_threshold"] = np.log(np.full(9, 0.25, np.float16))
    safetensors.numpy.save_file(half, tmp_path / "sae_weights.safetensors")
    config = {
        "d_in": 4,
        "d_sae": 9,
        "activation_fn_str": "topk",
        "activation_fn_kwargs": {"k": 5.0},
    }
    (tmp_path / "cfg.json").write_text(json.dumps(config))
    found = load_sae_lens(tmp_path)
    assert (found.architecture, found.k, found.dtype) == ("topk", 5, np.float32)
    np.testing.assert_allclose(found.threshold, 0.25, rtol=1e-3)
    np.testing.assert_array_equal(found.W_dec, half["W_dec"].astype(np.float32))


def test_bfloat16_is_read(tmp_path, weights):
    tensors = {name: torch.from_numpy(array).bfloat16() for name, array in weights.items()}
    safetensors.torch.save_file(tensors, tmp_path / "sae_weights.safetensors")
    (tmp_path / "cfg.json").write_text(json.dumps({"d_in": 4, "d_sae": 9}))
    found = load_sae_lens(tmp_path)
    np.testing.assert_array_equal(found.W_dec, tensors["W_dec"].float().numpy())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"W_enc": np.ones((9, 4))}, r"W_enc must have shape \(4, 9\)"),
        ({"b_dec": np.ones(9)}, r"b_dec must have shape \(4,\)"),
        ({"b_enc": np.full(9, np.nan)}, "b_enc must be finite"),
        ({"W_dec": np.ones(4)}, r"W_dec must have shape \(d_sae, d_in\)"),
        ({"k": 10}, "k must be at least 1 and at most 9"),
        ({"architecture": "topk"}, "k must be given"),
        ({"architecture": "jumprelu"}, "threshold must be given"),
    ],
)
def test_weights_that_do_not_fit(weights, change, message):
    with pytest.raises(ValueError, match=message):
        SAEWeights(**{**weights, **change})


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin", ".pkl", ".ckpt"])
def test_pickles_are_refused(tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    path.write_bytes(pickle.dumps({}))
    for place in (path, tmp_path):
        with pytest.raises(ValueError, match=r"must be safetensors; got .* a pickle"):
            load_sae_lens(place)


def test_bad_folders(tmp_path, weights):
    with pytest.raises(ValueError, match=r"must hold cfg\.json"):
        load_sae_lens(tmp_path)
    sae = SAEWeights(**weights)
    save_sae_lens(tmp_path, sae)
    config = json.loads((tmp_path / "cfg.json").read_text())
    (tmp_path / "cfg.json").write_text(json.dumps({**config, "d_in": 5}))
    with pytest.raises(ValueError, match=r"\(9, 5\) in cfg\.json; got \(9, 4\)"):
        load_sae_lens(tmp_path)
    (tmp_path / "cfg.json").write_text("[]")
    with pytest.raises(ValueError, match="JSON object"):
        load_sae_lens(tmp_path)
    save_sae_lens(tmp_path, sae)
    file = tmp_path / "sae_weights.safetensors"
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(ValueError, match="intact safetensors"):
        load_sae_lens(tmp_path)
    safetensors.numpy.save_file({"W_dec": weights["W_dec"]}, file)
    with pytest.raises(ValueError, match="W_dec and b_dec; got W_dec"):
        load_sae_lens(tmp_path)
    with pytest.raises(TypeError, match="must be SAEWeights; got dict"):
        save_sae_lens(tmp_path, weights)
    with pytest.raises(ValueError, match="W_dec must fit float32"):
        save_sae_lens(tmp_path, SAEWeights(np.full((2, 2), 1e300), np.zeros(2)))
