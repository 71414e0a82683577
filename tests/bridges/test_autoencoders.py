"""Architectures, their losses and gradients, weights and codes."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sparsecode.bridges import (
    SAEWeights,
    autoencoder,
    encode_rows,
    from_weights,
    load_autoencoder,
    load_sae_lens,
    save_autoencoder,
    save_sae_lens,
    train_autoencoder,
)
from sparsecode.bridges._autoencoder_topk import zipf_counts
from sparsecode.bridges._torch_checkpoint import load_state, save_state
from sparsecode.bridges.autoencoders import ARCHITECTURES
from sparsecode.core import SparseCode, normalize
from sparsecode.solvers import mp, omp

D, M, N = 6, 14, 40
OPTIONS = {
    "relu": {"penalty": 0.2},
    "topk": {"k": 3},
    "batchtopk": {"k": 2.5},
    "jumprelu": {"penalty": 0.2, "threshold": 0.1},
    "gated": {"penalty": 0.2},
    "matryoshka": {"k": 2.5, "prefixes": [3, 7, M]},
    "mutualchoice": {"k": 2.5},
    "featurechoice": {"k": 2.5},
    "gradient": {"k": 3, "beta": 0.5},
    "transcoder": {"k": 3, "n_outputs": 4},
    "mp": {"n_steps": 4},
}
UNIT = [name for name, kind in ARCHITECTURES.items() if kind.unit_atoms]


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(0).standard_normal((N, D)).astype(np.float32)


@pytest.fixture
def make():
    def build(name, **more):
        sae = autoencoder(name, D, M, rng=1, **{**OPTIONS[name], **more})
        rng = np.random.default_rng(2)
        with torch.no_grad():  # no parameter at a value that hides it
            for key, one in sae.named_parameters():
                if key != "W_dec" and key != "threshold":
                    one += 0.1 * torch.tensor(rng.standard_normal(tuple(one.shape)))
        return sae

    return build


@pytest.fixture
def trained(make, X):
    def train(name, **more):
        sae = make(name)
        target = X[:, :4] ** 2 if name == "transcoder" else None
        options = {"n_steps": 12, "batch_size": 16, "learning_rate": 1e-2, "seed": 3, **more}
        return sae, train_autoencoder(sae, X, target=target, **options)

    return train


def test_every_architecture_is_examined():
    assert set(OPTIONS) == set(ARCHITECTURES)


# ---- codes


def test_relu_topk_and_gated_codes_are_those_of_their_formulas(make, X):
    for name in ("relu", "topk", "gated"):
        sae = make(name).eval()
        p = {key: value.detach().numpy() for key, value in sae.named_parameters()}
        shifted = X - p["b_dec"]
        h = shifted @ p["W_enc"] + p["b_enc"]
        if name == "relu":
            z = np.maximum(h, 0)
        elif name == "topk":
            z = np.where(h >= np.sort(h, axis=1)[:, [-3]], np.maximum(h, 0), 0)
        else:
            z = (h > 0) * np.maximum((shifted @ p["W_enc"]) * np.exp(p["r_mag"]) + p["b_mag"], 0)
        np.testing.assert_allclose(sae.to_code(X).to_dense(), z, atol=1e-6)
        np.testing.assert_allclose(sae.reconstruct(X), z @ p["W_dec"] + p["b_dec"], atol=1e-5)


def test_batch_topk_keeps_k_a_sample_on_average_and_its_largest(make, X):
    sae = make("batchtopk", k=2.5, initial_k=4.0, n_initial=1)
    x = torch.tensor(X)
    relu = torch.relu(sae.pre_activations(x))
    first = sae.encode(x)
    sae.loss(x)
    second = sae.encode(x)
    sae.loss(x)
    assert int((first != 0).sum()) == 4 * N
    assert int((second != 0).sum()) == round(2.5 * N)
    assert relu[second == 0].max() <= second[second != 0].min()
    # the first batch sets the threshold, the second moves it by a hundredth
    expected = 0.99 * first[first != 0].min() + 0.01 * second[second != 0].min()
    torch.testing.assert_close(sae.threshold[0], expected.detach())
    sae.eval()
    assert torch.equal(sae.encode(x), relu * (relu > sae.threshold))


def test_weights_that_are_not_finite_replace_no_checkpoint(make, X, tmp_path):
    path = tmp_path / "sae.safetensors"
    with pytest.raises(ValueError, match="the loss must stay finite"):
        train_autoencoder(
            make("relu"), X, n_steps=40, batch_size=N, learning_rate=1e25, checkpoint=path,
            checkpoint_every=1, record_every=40, clip=None,
        )  # fmt: skip
    if path.exists():
        tensors, _ = load_state(path)
        assert all(np.isfinite(one).all() for one in map(np.asarray, tensors.values()))


def test_feature_choice_gives_each_latent_its_share_of_the_batch(make, X):
    sae = make("featurechoice")
    with torch.no_grad():
        sae.b_enc += 10.0  # all pre-activations above 0
    z = sae.encode(torch.tensor(X))
    wanted = zipf_counts(M, round(2.5 * N), N)
    assert np.array_equal((z != 0).sum(dim=0).numpy(), wanted)
    h = sae.pre_activations(torch.tensor(X))
    for i in range(M):
        assert (z[:, i] == 0).all() or h[z[:, i] == 0, i].max() <= z[z[:, i] != 0, i].min()


def test_feature_choice_keeps_silent_who_never_had_a_sample(make, X):
    sae = make("featurechoice")
    sae.loss(torch.tensor(X[:3]))
    never = sae.threshold == 0
    assert 0 < int(never.sum()) < M  # Zipf's law leaves some without a sample
    sae.eval()
    z = sae.encode(torch.tensor(X))
    assert not z[:, never].any()
    assert z[:, ~never].any()
    back = from_weights(sae.to_weights())
    np.testing.assert_allclose(back.encode(torch.tensor(X)).detach(), z.detach(), atol=1e-6)


def test_mutual_choice_wakes_latents_behind_their_rank(make):
    sae = make("mutualchoice")
    with torch.no_grad():
        sae.usage.copy_(sae.expected.flip(0))
    assert not sae.eligible().any()  # ranks are by use, whoever has it
    with torch.no_grad():
        sae.usage[:3] = 0.0
    assert sae.eligible().sum() == 3
    assert sae.eligible()[:3].all()


def test_gradient_scores_choose_and_values_stay(make, X):
    sae = make("gradient", beta=2.0).eval()
    x, g = torch.tensor(X), torch.tensor(X[::-1].copy())
    relu = torch.relu(sae.pre_activations(x))
    score = relu * (1 + 2.0 * (g @ sae.W_dec.T).abs())
    z = sae.encode(x, g)
    least = score.topk(3, dim=1).values[:, -1:]
    torch.testing.assert_close(z, relu * (score >= least))
    assert not torch.equal(z, sae.encode(x))
    assert torch.equal(sae.encode(x), make("topk").eval().encode(x))


@given(n=st.integers(1, 20), share=st.floats(0, 1), largest=st.integers(1, 30), a=st.floats(0.1, 2))
def test_zipf_counts_sum_to_the_total_and_never_rise(n, share, largest, a):
    total = int(share * n * largest)
    counts = zipf_counts(n, total, largest, exponent=a)
    assert counts.sum() == total
    assert (np.diff(counts) <= 0).all()
    assert counts.max() <= largest
    assert counts.min() >= 0


def test_zipf_counts_follow_the_law_where_there_is_room():
    assert zipf_counts(4, 250, 1000).tolist() == [120, 60, 40, 30]
    assert zipf_counts(4, 250, 100).tolist() == [100, 69, 46, 35]
    with pytest.raises(ValueError, match="total must lie between 0 and 6; got 7"):
        zipf_counts(2, 7, 3)


# ---- losses and gradients


def test_losses_are_those_of_their_formulas(make, X):
    x = torch.tensor(X)

    def square(a):
        return (a**2).sum(dim=1).mean()

    sae = make("relu")
    with torch.no_grad():
        sae.W_dec *= 3.0
    z = torch.relu(sae.pre_activations(x))
    terms = sae.loss(x)
    torch.testing.assert_close(terms["mse"], square(x - z @ sae.W_dec - sae.b_dec))
    torch.testing.assert_close(terms["sparsity"], 0.2 * 3.0 * z.sum(dim=1).mean())

    sae = make("gated")
    gate = torch.relu(sae.pre_activations(x))
    terms = sae.loss(x)
    torch.testing.assert_close(terms["sparsity"], 0.2 * gate.sum(dim=1).mean())
    torch.testing.assert_close(terms["gate"], square(x - gate @ sae.W_dec - sae.b_dec))

    sae = make("matryoshka")
    z = sae.encode(x)
    parts = [square(x - z[:, :m] @ sae.W_dec[:m] - sae.b_dec) for m in (3, 7, M)]
    torch.testing.assert_close(sae.loss(x)["mse"], sum(parts))
    for name in OPTIONS:
        target = x[:, :4] if name == "transcoder" else None
        terms = make(name).loss(x, target)
        rest = [value for key, value in terms.items() if key not in ("loss", "l0")]
        torch.testing.assert_close(terms["loss"], sum(rest))


def test_the_frozen_decoder_of_the_gate_term_learns_nothing(make, X):
    sae = make("gated")
    sae.loss(torch.tensor(X))["gate"].backward()
    assert sae.W_dec.grad is None
    assert sae.b_enc.grad.abs().sum() > 0


def test_jump_relu_gradients_are_the_straight_through_ones(make):
    sae = make("jumprelu", threshold=0.1, bandwidth=0.05, penalty=1.0)
    offsets = torch.tensor([-0.03, -0.02, 0.02, 0.03])
    h = torch.zeros(4, M)
    h[:, 0] = 0.1 + offsets
    h.requires_grad_()
    z = sae.activate(h)
    z.sum().backward()
    assert torch.equal(z[:, 0] > 0, offsets > 0)
    # z falls by theta / epsilon for each of the two entries within half a bandwidth
    assert sae.threshold.grad[0] == pytest.approx(-2 * 0.1 / 0.05)
    assert torch.equal(h.grad[:, 0], (offsets > 0).float())
    sae.zero_grad()
    h.grad = None
    x = torch.zeros(4, D)
    sae.penalties(x, x, x, h, z)["sparsity"].backward()
    assert sae.threshold.grad[0] == pytest.approx(-(2 / 0.05) / 4)
    assert h.grad is None  # nothing reaches h through the gate


def test_dead_latents_rebuild_the_residual(make, X):
    sae = make("topk", dead_after=2 * N, k_aux=2)
    x = torch.tensor(X)
    with torch.no_grad():
        sae.b_enc[:5] = -50.0
    for _ in range(2):
        assert sae.loss(x)["auxiliary"] == 0
    assert sae.dead.nonzero()[:, 0].tolist() == [0, 1, 2, 3, 4]
    with torch.no_grad():
        sae.b_enc[:5] = -0.5
    h = sae.pre_activations(x)
    missed = x - sae(x)
    best = h[:, :5].topk(2, dim=1)
    z = torch.zeros(N, 5).scatter(1, best.indices, torch.relu(best.values))
    wanted = ((missed - z @ sae.W_dec[:5]) ** 2).sum(dim=1).mean() / 32
    torch.testing.assert_close(sae.loss(x)["auxiliary"], wanted)
    assert make("topk", dead_after=1).eval().loss(x)["auxiliary"] == 0


@pytest.mark.parametrize("name", UNIT)
def test_atoms_keep_norm_1_and_gradients_are_tangent(name, make, X):
    sae = make(name)
    target = torch.tensor(X[:, :4]) if name == "transcoder" else None
    sae.loss(torch.tensor(X), target)["loss"].backward()
    sae.project_gradients()
    along = (sae.W_dec.grad * sae.W_dec).sum(dim=1)
    assert along.abs().max() < 1e-5 * sae.W_dec.grad.abs().max()
    with torch.no_grad():
        sae.W_dec *= 3.0
    sae.project()
    np.testing.assert_allclose(np.linalg.norm(sae.dictionary, axis=1), 1, atol=1e-6)


# ---- matching pursuit


def test_pursuit_keeps_its_invariants(make, X):
    sae = make("mp", n_steps=9).double()
    x = torch.tensor(X, dtype=torch.float64)
    with torch.no_grad():
        sae.project()
        course = sae.pursue(x)
        residual = x - sae.b_dec
        for t in range(course.atoms.shape[1]):
            atom = sae.W_dec[course.atoms[:, t]]
            following = residual - course.values[:, t, None] * atom
            assert (following * atom).sum(dim=1).abs().max() < 1e-6
            lost = (residual**2).sum(dim=1) - course.values[:, t] ** 2
            torch.testing.assert_close((following**2).sum(dim=1), lost, atol=1e-6, rtol=0)
            residual = following
    torch.testing.assert_close(residual, course.residual)
    torch.testing.assert_close(sae(x), x - course.residual)


def test_pursuit_error_never_rises_with_steps(make, X):
    errors = [((X - make("mp", n_steps=k).reconstruct(X)) ** 2).sum() for k in (1, 2, 4, 8, 16)]
    assert (np.diff(errors) < 0).all()


@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("tolerance", [None, 0.5])
def test_pursuit_agrees_with_the_solver(make, X, positive, tolerance):
    sae = make("mp", n_steps=7, positive=positive, tolerance=tolerance)
    atoms = sae.dictionary.astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of samples that want more steps
        known = mp(
            X.astype(np.float64) - sae.bias, atoms,
            n_nonzero=M, error=tolerance, positive=positive, max_iter=7,
        )  # fmt: skip
    ours = sae.to_code(X)
    assert np.array_equal(ours.indices, known.code.indices)
    np.testing.assert_allclose(ours.to_dense(), known.code.to_dense(), atol=1e-5)


def test_pursuit_ends_when_an_atom_would_come_again(make, X):
    sae = make("mp", n_steps=50, stop_on_repeat=True)
    course = sae.pursue(torch.tensor(X))
    for atoms, values in zip(course.atoms, course.values):
        taken = atoms[values != 0]
        assert len(taken.unique()) == len(taken)
    free = make("mp", n_steps=50).pursue(torch.tensor(X))
    assert free.residual.norm() < course.residual.norm()


def test_gradients_of_the_unrolled_pursuit_are_true(make, X):
    sae = make("mp", n_steps=3).double()
    x = torch.tensor(X[:5], dtype=torch.float64)
    sae.loss(x)["loss"].backward()
    step = 1e-6
    for j, f in ((0, 0), (3, 2), (9, 5)):
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                sae.W_dec[j, f] += sign * step
                values.append(float(sae.loss(x)["loss"]))
                sae.W_dec[j, f] -= sign * step
        slope = (values[0] - values[1]) / (2 * step)
        assert float(sae.W_dec.grad[j, f]) == pytest.approx(slope, abs=1e-6)


# ---- arrays, readers, files


class Reader:
    """Rows on a disk: only slices can be had, and no large ones."""

    def __init__(self, array, most):
        self.array, self.most, self.shape, self.dtype = array, most, array.shape, array.dtype

    def __getitem__(self, rows):
        assert isinstance(rows, slice)
        part = self.array[rows]
        assert len(part) <= self.most
        return part


@pytest.mark.parametrize("name", OPTIONS)
def test_codes_are_read_block_by_block_from_any_reader(name, trained, X):
    sae = trained(name)[0].train()
    code = sae.to_code(X)
    assert sae.training
    assert isinstance(code, SparseCode)
    assert code.shape == (N, M)
    assert code.dtype == np.float32
    blocks = sae.to_code(Reader(X, 7), rows_per_block=7)
    assert np.array_equal(blocks.indices, code.indices)
    np.testing.assert_allclose(blocks.values, code.values, atol=1e-5)
    if name != "gradient":
        with torch.no_grad():
            np.testing.assert_allclose(
                sae.eval().encode(torch.tensor(X)).numpy(), code.to_dense(), atol=1e-5
            )
    assert sae.to_code(X[:0]).shape == (0, M)


@pytest.mark.parametrize("name", OPTIONS)
def test_weights_and_files_give_the_same_codes(name, trained, tmp_path, X):
    sae = trained(name)[0]
    weights = sae.to_weights()
    again = from_weights(weights)
    assert not again.training
    np.testing.assert_allclose(again.to_code(X).to_dense(), sae.to_code(X).to_dense(), atol=1e-5)
    np.testing.assert_allclose(again.reconstruct(X), sae.reconstruct(X), atol=1e-5)
    save_autoencoder(tmp_path / "sae.safetensors", sae)
    loaded = load_autoencoder(tmp_path / "sae.safetensors")
    assert loaded.options == sae.options
    for key, value in sae.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value)
    assert loaded.to_code(X) == sae.to_code(X)


def test_a_linear_path_of_its_own(X, tmp_path):
    sae = autoencoder("transcoder", D, M, k=2, n_outputs=3, skip=True, rng=0)
    target = X @ np.random.default_rng(0).standard_normal((D, 3)).astype(np.float32)
    train_autoencoder(sae, X, target=target, n_steps=150, batch_size=N, learning_rate=5e-2)
    assert ((sae.reconstruct(X) - target) ** 2).mean() < 0.02 * target.var()
    save_autoencoder(tmp_path / "t.safetensors", sae)
    loaded = load_autoencoder(tmp_path / "t.safetensors")
    assert np.array_equal(loaded.reconstruct(X), sae.reconstruct(X))
    with pytest.raises(ValueError, match="must not have a skip connection"):
        from_weights(sae.to_weights())
    with pytest.raises(ValueError, match="decode needs the inputs"):
        sae.decode(torch.zeros(1, M))


def test_biases_of_the_input_can_stay_out(X):
    sae = autoencoder("relu", D, M, apply_b_dec_to_input=False, rng=0)
    with torch.no_grad():
        sae.b_dec += 1.0
    h = X @ sae.W_enc.detach().numpy()
    np.testing.assert_allclose(sae.to_code(X).to_dense(), np.maximum(h, 0), atol=1e-6)
    assert from_weights(sae.to_weights()).to_code(X) == sae.to_code(X)


# ---- training


@pytest.mark.parametrize("name", OPTIONS)
def test_training_lowers_the_loss_and_repeats_itself(name, trained):
    sae, history = trained(name, n_steps=24, record_every=1)
    again, same = trained(name, n_steps=24, record_every=1)
    for key, value in sae.state_dict().items():
        assert torch.equal(again.state_dict()[key], value), key
    assert all(np.array_equal(history[key], same[key]) for key in history)
    assert history["loss"][-6:].mean() < history["loss"][:6].mean()
    assert not sae.training


@pytest.mark.parametrize("name", ["topk", "batchtopk", "mutualchoice", "jumprelu", "mp"])
def test_training_resumes_to_the_same_bits(name, make, X, tmp_path):
    options = {"n_steps": 14, "batch_size": 16, "n_warmup": 3, "record_every": 2, "pool_rows": 16}
    whole = make(name)
    history = train_autoencoder(whole, X, **options)
    path = tmp_path / "course.safetensors"

    def stop(row):
        if row["step"] == 12:
            raise KeyboardInterrupt

    cut = make(name)
    with pytest.raises(KeyboardInterrupt):
        train_autoencoder(cut, X, checkpoint=path, checkpoint_every=5, progress=stop, **options)
    resumed = make(name)
    again = train_autoencoder(resumed, X, checkpoint=path, checkpoint_every=5, **options)
    for key, value in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[key], value), key
    assert all(np.array_equal(history[key], again[key]) for key in history)
    with pytest.raises(ValueError, match="must be of the same training; it differs in seed"):
        train_autoencoder(make(name), X, checkpoint=path, seed=9, **options)


def test_an_epoch_reads_every_row_from_small_slices(X):
    from sparsecode.bridges._autoencoder_training import _batches

    numbers = np.arange(1000, dtype=np.float32)[:, None]
    source = {"x": Reader(numbers, 256)}
    batches = _batches(source, 1000, 50, 1000, 0, first=0)
    first = np.concatenate([next(batches)["x"] for _ in range(20)])
    second = np.concatenate([next(batches)["x"] for _ in range(20)])
    assert np.array_equal(np.sort(first.ravel()), numbers.ravel())
    assert np.array_equal(np.sort(second.ravel()), numbers.ravel())
    assert not np.array_equal(first, second)
    later = _batches(source, 1000, 50, 1000, 0, first=23)
    assert np.array_equal(next(later)["x"], second[150:200])


def test_the_learning_rate_rises_stays_and_falls(X, make):
    history = train_autoencoder(
        make("topk"), X, n_steps=100, batch_size=8, learning_rate=1.0, n_warmup=10,
        decay_share=0.2, decay_to=0.1, record_every=1,
    )  # fmt: skip
    rate = history["learning_rate"]
    np.testing.assert_allclose(rate[:10], np.arange(1, 11) / 10)
    assert (rate[10:80] == 1).all()
    assert (np.diff(rate[80:]) < 0).all()
    assert 0.1 < rate[-1] < 0.2


def test_atoms_led_astray_return():
    rng = np.random.default_rng(0)
    atoms = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    z = np.where(rng.random((1000, 5)) < 0.2, rng.uniform(0.5, 1.5, (1000, 5)), 0)
    sae = autoencoder("mp", 5, 5, n_steps=5, tolerance=0.05, stop_on_repeat=True, rng=0)
    with torch.no_grad():
        sae.W_dec.copy_(torch.tensor(atoms + 0.25 * rng.standard_normal((5, 5))))
    sae.project()
    assert np.diag(sae.dictionary @ atoms.T).min() < 0.9
    train_autoencoder(
        sae, z @ atoms, n_steps=120, batch_size=100, learning_rate=3e-2, betas=(0.5, 0.9375),
        centre=False,
    )  # fmt: skip
    assert np.diag(sae.dictionary @ atoms.T).min() > 0.99


# ---- bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"architecture": "magic"}, "architecture must be one of"),
        ({"architecture": "topk", "k": 0}, "k must be at least 1"),
        ({"architecture": "topk", "k": 15}, "at most 14"),
        ({"architecture": "batchtopk", "k": 15.0}, "k must be at most 14"),
        ({"architecture": "matryoshka", "k": 2, "prefixes": [7, 3, 14]}, "prefixes must ascend"),
        ({"architecture": "matryoshka", "k": 2, "prefixes": [3]}, "end with 14"),
        ({"architecture": "relu", "penalty": -1.0}, "penalty must be finite and above 0"),
        ({"architecture": "jumprelu", "bandwidth": 0.0}, "bandwidth must be finite and above"),
        ({"architecture": "mp", "n_steps": 3, "n_outputs": 2}, "must reconstruct its own input"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        autoencoder(n_features=D, n_latents=M, **options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X[0], "must have shape"),
        (lambda X: X[:, :3], "must have shape"),
        (lambda X: np.full_like(X, np.nan), "must be finite"),
        (lambda X: np.full_like(X, np.inf), "must be finite"),
        (lambda X: X.astype(complex), "must hold real numbers"),
    ],
)
def test_bad_inputs_are_refused(make, X, change, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make("topk").to_code(change(X))
    with pytest.raises((ValueError, TypeError), match=message):
        train_autoencoder(make("topk"), change(X), n_steps=1, batch_size=2)


def test_bad_training_is_refused(make, X):
    sae = make("topk")
    with pytest.raises(ValueError, match="at least one row"):
        train_autoencoder(sae, X[:0], n_steps=1, batch_size=1)
    with pytest.raises(ValueError, match="batch_size must be at least 1 and at most 40"):
        train_autoencoder(sae, X, n_steps=1, batch_size=41)
    with pytest.raises(ValueError, match="target must have 40 rows"):
        train_autoencoder(sae, X, target=X[:5], n_steps=1, batch_size=2)
    with pytest.raises(ValueError, match="a transcoder needs target"):
        train_autoencoder(make("transcoder"), X, n_steps=1, batch_size=2)
    with pytest.raises(ValueError, match="a transcoder needs target"):
        make("transcoder").loss(torch.tensor(X))
    with pytest.raises(ValueError, match="the loss must stay finite"):
        train_autoencoder(
            make("relu"), 1e30 * X, n_steps=3, batch_size=8, record_every=1, centre=False
        )


def test_values_scaled_by_norms_of_atoms_are_folded(make):
    weights = make("topk").to_weights()
    norms = np.linspace(0.5, 2, M).astype(np.float32)
    scaled = replace(
        weights, W_dec=weights.W_dec * norms[:, None], config={"rescale_acts_by_decoder_norm": True}
    )
    plain = replace(weights, W_enc=weights.W_enc * norms, b_enc=weights.b_enc * norms)
    x = np.random.default_rng(0).standard_normal((9, D))
    found, known = from_weights(scaled), from_weights(plain)
    np.testing.assert_allclose(found.dictionary, known.dictionary, atol=1e-6)
    np.testing.assert_allclose(found.to_code(x).to_dense(), known.to_code(x).to_dense(), atol=1e-5)


def test_bad_weights_are_refused(make):
    weights = make("topk").to_weights()
    for change, message in (
        ({"W_enc": weights.W_enc[:, :3]}, "W_enc must have shape"),
        ({"b_enc": weights.b_enc[:3]}, "b_enc must have shape"),
        ({"b_dec": np.full(D, np.nan)}, "b_dec must be finite"),
        ({"threshold": np.full(M, -1.0)}, "threshold must be at or above 0"),
        ({"k": None}, "k must be given"),
        ({"architecture": "batchtopk"}, "or the weights have a threshold"),
    ):
        with pytest.raises(ValueError, match=message):
            from_weights(replace(weights, **change))
    with pytest.raises(TypeError, match="weights must be SAEWeights"):
        from_weights(dict(W_dec=weights.W_dec))


@pytest.mark.parametrize("name", ["relu", "topk", "batchtopk", "jumprelu", "gated"])
def test_a_saved_folder_encodes_as_the_autoencoder_did(name, trained, tmp_path, X):
    sae = trained(name)[0]
    save_sae_lens(tmp_path / "sae", sae.to_weights())
    weights = load_sae_lens(tmp_path / "sae")
    again = from_weights(weights)
    np.testing.assert_allclose(again.to_code(X).to_dense(), sae.to_code(X).to_dense(), atol=1e-5)
    atoms = normalize(weights.dictionary)
    exact = encode_rows(X, lambda block: omp(block, atoms, n_nonzero=2))  # any solver does
    assert (exact.n_active <= 2).all()


def test_a_gate_becomes_a_threshold():
    rng = np.random.default_rng(0)
    W_enc, W_dec = rng.standard_normal((D, M)), rng.standard_normal((M, D))
    b_gate, b_mag, r_mag = rng.standard_normal((3, M))
    extra = {"b_gate": b_gate, "b_mag": b_mag, "r_mag": r_mag}
    weights = SAEWeights(W_dec, np.zeros(D), W_enc, architecture="gated", extra=extra)
    x = rng.standard_normal((20, D))
    h = x @ W_enc
    expected = (h + b_gate > 0) * np.maximum(h * np.exp(r_mag) + b_mag, 0)
    np.testing.assert_allclose(from_weights(weights).to_code(x).to_dense(), expected, atol=1e-5)


def test_pickles_and_other_files_are_refused(make, tmp_path):
    torch.save(make("topk").state_dict(), tmp_path / "sae.pt")
    with pytest.raises(ValueError, match="other formats may be pickles"):
        load_autoencoder(tmp_path / "sae.pt")
    (tmp_path / "sae.pt").rename(tmp_path / "sae.safetensors")
    with pytest.raises(ValueError, match=r"sae\.safetensors must be"):
        load_state(tmp_path / "sae.safetensors")
    with pytest.raises(ValueError, match="other formats may be pickles"):
        save_state(tmp_path / "sae.bin", {}, None)
    save_state(tmp_path / "other.safetensors", {"a": torch.zeros(2)}, {"kind": "else"})
    with pytest.raises(ValueError, match="must hold an autoencoder"):
        load_autoencoder(tmp_path / "other.safetensors")


@pytest.mark.parametrize("kind", ["batchtopk", "matryoshka", "mutualchoice", "featurechoice"])
def test_encoding_moves_no_running_mean_in_training(kind, make, X):
    model, x = make(kind).train(), torch.tensor(X)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.encode(x)
    model(x)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    model.loss(x)
    assert int(model.n_steps) == 1
    assert (model.threshold > 0).any()
