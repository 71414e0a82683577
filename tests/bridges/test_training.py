"""Trainers: learning, resuming to the bit, files."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from sparsecode.bridges import MLP, Crate, CrateAlpha, Mixer, ViT, load_model, save_model, train
from sparsecode.core.io import load_metadata, save_arrays


@pytest.fixture(scope="module")
def digits():
    """Images and labels of 160 digits, and of 60 others."""
    X, y = load_digits(return_X_y=True)
    X = X.reshape(-1, 1, 8, 8) / 16
    return {"X": X[:160], "y": y[:160], "X_test": X[160:220], "y_test": y[160:220]}


class Dropping(torch.nn.Module):
    """A network that draws random numbers while it learns, and has a buffer."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.Linear(64, 8), torch.nn.BatchNorm1d(8),
            torch.nn.Dropout(0.3), torch.nn.Linear(8, 10),
        )  # fmt: skip
        torch.nn.init.constant_(self.layers[1].weight, 0.01)
        torch.nn.init.eye_(self.layers[4].weight)
        torch.nn.init.zeros_(self.layers[1].bias)
        torch.nn.init.zeros_(self.layers[4].bias)

    def forward(self, x):
        return self.layers(x)


def small(kind):
    if kind is MLP:
        return MLP(64, 10, hidden=(32,), seed=0)
    if kind in (Crate, CrateAlpha):
        return kind(8, 4, 10, d_model=16, n_heads=2, n_layers=1, seed=0)
    return kind(8, 4, 10, d_model=16, d_ff=16, n_layers=1, seed=0)


KINDS = [Crate, CrateAlpha, MLP, Mixer, ViT]


def weights(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("kind", KINDS)
def test_every_network_learns_digits(kind, digits):
    model = small(kind)
    result = train(model, **digits, n_epochs=8, batch_size=20, learning_rate=5e-3)
    assert result.history["epoch"].tolist() == list(range(9))
    assert result.history["loss"][-1] < result.history["loss"][0]
    # chance is 6 of 60; 21 right by chance has a probability below 1e-6
    assert result.history["test_accuracy"][-1] >= 21 / 60
    assert len(result.seconds) == 9
    assert "8 epochs" in repr(result)
    assert not model.training


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
def test_a_run_that_goes_on_ends_with_the_same_bits(optimizer, digits, tmp_path):
    options = {
        **digits,
        "batch_size": 24,
        "optimizer": optimizer,
        "learning_rate": 0.01,
        "weight_decay": 0.1,
        "label_smoothing": 0.1,
        "transform": noisy,
        "seed": 3,
    }
    whole = Dropping()
    straight = train(whole, **options, n_epochs=4)
    path = tmp_path / "run.safetensors"
    train(Dropping(), **options, n_epochs=2, checkpoint=path)
    torch.manual_seed(99)  # whatever happened in between
    resumed = Dropping()
    seen = []
    result = train(
        resumed, **options, n_epochs=4, checkpoint=path,
        on_epoch=lambda epoch, row, model: seen.append(epoch),
    )  # fmt: skip
    assert same(weights(whole), weights(resumed))
    assert seen == [3, 4]
    for name, column in straight.history.items():
        np.testing.assert_array_equal(result.history[name], column)
    again = train(Dropping(), **options, n_epochs=4, checkpoint=path)
    np.testing.assert_array_equal(again.history["loss"], straight.history["loss"])


def noisy(inputs, labels):
    return inputs + 0.1 * torch.randn_like(inputs), labels


def test_a_run_broken_off_in_an_epoch_goes_on_from_the_one_before(digits, tmp_path):
    path = tmp_path / "run.safetensors"
    whole = small(MLP)
    train(whole, **digits, n_epochs=4)

    def broken(epoch, row, model):
        if epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(small(MLP), **digits, n_epochs=4, checkpoint=path, on_epoch=broken)
    resumed = small(MLP)
    train(resumed, **digits, n_epochs=4, checkpoint=path)
    assert same(weights(whole), weights(resumed))


def test_seeds_decide_the_course_and_leave_the_stream(digits):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    ends = []
    for seed in (0, 0, 1):
        model = small(MLP)
        train(model, **digits, n_epochs=1, seed=seed)
        ends.append(weights(model))
    assert torch.equal(torch.rand(3), expected)
    assert same(ends[0], ends[1])
    assert not same(ends[0], ends[2])


def test_the_history_tells_what_happened(digits):
    model = small(MLP)
    X = torch.tensor(digits["X"], dtype=torch.float32)
    y = torch.tensor(digits["y"])
    before = torch.nn.functional.cross_entropy(model(X), y).detach()
    rows = []
    result = train(
        model, digits["X"], digits["y"], n_epochs=2, batch_size=160, optimizer="sgd",
        learning_rate=0.1, on_epoch=lambda epoch, row, network: rows.append(row),
    )  # fmt: skip
    # with one batch an epoch's loss is that of the weights before its step
    assert result.history["loss"][0] == pytest.approx(float(before), rel=1e-5)
    assert result.history["loss"][1] == pytest.approx(result.history["loss"][0], rel=1e-5)
    assert np.isnan(result.history["test_accuracy"]).all()
    assert [row["loss"] for row in rows] == result.history["loss"].tolist()
    assert "seconds" not in result.history


def test_a_checkpoint_of_another_run_is_refused(digits, tmp_path):
    path = tmp_path / "run.safetensors"
    train(small(MLP), **digits, n_epochs=1, checkpoint=path)
    with pytest.raises(ValueError, match=r"learning_rate = 0\.001 in the file, 0\.1 here"):
        train(small(MLP), **digits, n_epochs=1, learning_rate=0.1, checkpoint=path)
    with pytest.raises(ValueError, match="model = "):
        train(small(ViT), **digits, n_epochs=1, checkpoint=path)
    with pytest.raises(ValueError, match="same configuration"):
        train(small(MLP), digits["X"], digits["y"], n_epochs=1, checkpoint=path)
    train(small(MLP), **digits, n_epochs=2, checkpoint=path)
    with pytest.raises(ValueError, match="n_epochs must be at least 2"):
        train(small(MLP), **digits, n_epochs=1, checkpoint=path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match="intact"):
        train(small(MLP), **digits, n_epochs=2, checkpoint=path)
    save_arrays(path, {"a": np.ones(2)})
    with pytest.raises(ValueError, match="training checkpoint"):
        train(small(MLP), **digits, n_epochs=2, checkpoint=path)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".pkl", ".bin", ".ckpt", ".PT"])
def test_pickles_are_refused(suffix, digits, tmp_path):
    path = tmp_path / f"run{suffix}"
    torch.save({"a": torch.ones(1)}, path)
    before = path.read_bytes()
    for attempt in (
        lambda: train(small(MLP), **digits, n_epochs=1, checkpoint=path),
        lambda: load_model(path),
        lambda: save_model(path, small(MLP)),
    ):
        with pytest.raises(ValueError, match="a format of pickles, which run code"):
            attempt()
    assert path.read_bytes() == before
    disguised = tmp_path / "run.safetensors"
    disguised.write_bytes(before)
    with pytest.raises(ValueError, match="intact"):
        load_model(disguised)


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_survives_its_file(kind, digits, tmp_path):
    model = small(kind).double() if kind is ViT else small(kind)
    path = tmp_path / "network.safetensors"
    save_model(path, model)
    loaded = load_model(path)
    assert type(loaded) is kind
    assert loaded.config == model.config
    assert not loaded.training
    assert same(weights(model), weights(loaded))
    X = torch.tensor(digits["X"][:5]).to(next(model.parameters()).dtype)
    assert torch.equal(model(X), loaded(X))


def test_files_of_other_things_are_refused(tmp_path):
    path = tmp_path / "network.safetensors"
    model = small(MLP)
    with pytest.raises(ValueError, match="suffix"):
        save_model(tmp_path / "network.npz", model)
    with pytest.raises(TypeError, match="model must be one of"):
        save_model(path, Dropping())
    with pytest.raises(FileNotFoundError):
        load_model(path)
    save_arrays(path, {"a": np.ones(2)})
    with pytest.raises(ValueError, match="must hold a network"):
        load_model(path)
    save_model(path, model)
    metadata = load_metadata(path)
    arrays = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    huge = {**metadata, "config": {**metadata["config"], "hidden": [10**9]}}
    for wrong in (
        huge,
        {**metadata, "class": "Linear"},
        {"kind": "network"},
        {**metadata, "config": {"n_features": 64}},
        {**metadata, "config": {**metadata["config"], "activation": "silu"}},
    ):
        save_arrays(path, arrays, wrong)
        with pytest.raises(ValueError, match="must hold a network of this version"):
            load_model(path)
    save_model(path, model)
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="intact"):
        load_model(path)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"X": np.full((4, 64), np.nan)}, ValueError, "finite"),
        ({"X": np.full((4, 64), np.inf)}, ValueError, "finite"),
        ({"X": np.ones(4)}, ValueError, "n_samples"),
        ({"X": np.ones((0, 64)), "y": np.ones(0, int)}, ValueError, "at least one sample"),
        ({"X": np.array([["a"] * 64] * 4)}, TypeError, "real numbers"),
        ({"X": np.ones((4, 63))}, ValueError, "64 features"),
        ({"y": np.ones(4)}, TypeError, "integer labels"),
        ({"y": np.ones(3, int)}, ValueError, r"shape \(4,\)"),
        ({"y": np.array([0, 1, 2, -1])}, ValueError, "labels from 0"),
        ({"y": np.array([0, 1, 2, 10])}, ValueError, "below 10"),
        ({"X_test": np.ones((4, 64))}, ValueError, "both be given"),
        ({"X_test": np.ones((1, 64)), "y_test": np.array([10])}, ValueError, "below 10"),
        ({"n_epochs": 0}, ValueError, "n_epochs"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"learning_rate": 0.0}, ValueError, "learning_rate"),
        ({"learning_rate": np.nan}, ValueError, "learning_rate"),
        ({"weight_decay": -1.0}, ValueError, "weight_decay"),
        ({"optimizer": "lion"}, ValueError, "optimizer"),
        ({"momentum": 2.0}, ValueError, "momentum"),
        ({"label_smoothing": -0.1}, ValueError, "label_smoothing"),
        ({"seed": -1}, ValueError, "seed"),
        ({"device": "abacus"}, ValueError, "device"),
        ({"transform": 3}, TypeError, "transform"),
        ({"on_epoch": 3}, TypeError, "on_epoch"),
        ({"checkpoint": 3}, TypeError, "checkpoint"),
        ({"checkpoint": "run.npz"}, ValueError, "safetensors"),
        ({"checkpoint": "nowhere/run.safetensors"}, ValueError, "folder that exists"),
        ({"checkpoint_every": 0}, ValueError, "checkpoint_every"),
        ({"model": "vit"}, TypeError, "torch.nn.Module"),
        ({"model": torch.nn.ReLU()}, ValueError, "parameters to train"),
        ({"model": torch.nn.Conv1d(1, 1, 1), "X": np.ones((4, 1, 6))}, ValueError, "logits"),
    ],
)
def test_bad_input(change, error, words):
    arguments = {"model": small(MLP), "X": np.ones((4, 64)), "y": np.arange(4)} | change
    with pytest.raises(error, match=words):
        train(**arguments)


def test_a_loss_that_explodes_is_named(digits):
    with pytest.raises(FloatingPointError, match="Lower learning_rate"):
        train(small(MLP), **digits, n_epochs=2, transform=exploding)


def exploding(inputs, labels):
    return inputs * float("inf"), labels
