import inspect
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import check_grad
from strategies import codes

from sparsecode.bridges import thresholds
from sparsecode.bridges.thresholds import (
    RSparse,
    SparsingLaw,
    Thresholds,
    TopScores,
    activation_ratio,
    cats,
    cett,
    cett_ppl,
    chess,
    core_neurons,
    deft_gradient,
    deft_loss,
    epsilon_for_cett,
    fit_sparsing_law,
    output_error,
    prosparse_weight,
    r_sparse,
    sentence_core,
    shifted_relu,
    teal,
    teal_blocks,
    wina,
)
from sparsecode.core import SparseCode

seeds = st.integers(0, 10**6)
shares = st.floats(0.05, 0.95)


def silu(x):
    return x / (1 + np.exp(-x))


def draw(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def tokens(seed, n_tokens=2000, n_channels=40):
    """Return activations of heavy tails, the channels of different scale."""
    return np.random.default_rng(seed).standard_t(4, (n_tokens, n_channels)) * np.geomspace(
        0.2, 5, n_channels
    )


def rules(x, sparsity):
    """Return each method, calibrated on tokens."""
    weight = draw(5, 30, x.shape[1])
    return {
        "cats": cats(x, sparsity),
        "teal": teal(x, sparsity),
        "teal by magnitude": teal(x, sparsity, quantile="magnitude"),
        "chess": chess(x, tokens(6, len(x), x.shape[1]), sparsity),
        "wina": wina(x, weight, sparsity),
        "wina by threshold": wina(x, weight, sparsity, per_token=False),
        "r_sparse": r_sparse(x, weight, sparsity, alpha=1.0).thresholds,
    }


# --- thresholds ---------------------------------------------------------------------------------


@pytest.mark.parametrize("sparsity", [0.25, 0.5, 0.9])
def test_held_out_tokens_are_as_sparse_as_was_asked(sparsity):
    held_out = tokens(1)
    for name, rule in rules(tokens(0), sparsity).items():
        assert abs(rule.sparsity(held_out) - sparsity) < 0.01, name
        kept = rule.apply(held_out)
        np.testing.assert_array_equal(kept, np.where(rule.mask(held_out), held_out, 0))
        np.testing.assert_array_equal(rule.code(held_out).to_dense(), kept)


def test_held_out_gates_of_silu_are_as_sparse_as_was_asked():
    gates, held_out = silu(tokens(0)), silu(tokens(1))
    assert abs(cats(gates, 0.5).sparsity(held_out) - 0.5) < 0.01
    assert abs(chess(gates, tokens(2), 0.5).sparsity(held_out) - 0.5) < 0.01
    by_histogram = teal(gates, 0.5).sparsity(held_out)  # which takes them for symmetric
    assert abs(by_histogram - 0.5) > 0.05
    assert abs(teal(gates, 0.5, quantile="magnitude").sparsity(held_out) - 0.5) < 0.01


@given(seeds, shares)
def test_thresholds_are_the_quantiles_of_their_definition(seed, sparsity):
    x = draw(seed, 7, 5)
    magnitudes = np.sort(np.abs(x), axis=None)
    wanted = next(t for t in magnitudes if np.mean(magnitudes <= t) >= sparsity)
    rule = cats(x, sparsity)
    assert rule.threshold == wanted
    np.testing.assert_array_equal(rule.mask(x), np.abs(x) >= wanted)
    rule = teal(x, sparsity, quantile="magnitude")
    assert rule.threshold == wanted
    np.testing.assert_array_equal(rule.mask(x), np.abs(x) > wanted)


def test_the_histogram_gives_the_quantile_of_symmetric_inputs():
    x = draw(0, 4000, 5)
    symmetric = np.concatenate([x, -x])
    rule = teal(symmetric, 0.4)
    width = np.ptp(symmetric) / 10_000
    assert abs(rule.threshold - np.quantile(np.abs(x), 0.4)) < 2 * width


@pytest.mark.parametrize("make", [cats, teal, lambda x, s: wina(x, None, s, per_token=False)])
def test_without_sparsity_all_is_kept(make):
    x = draw(0, 50, 4)
    np.testing.assert_array_equal(make(x, 0.0).apply(x), x)


@settings(max_examples=25)
@given(seeds, shares, st.floats(0.1, 10))
def test_chess_is_cats_where_all_mean_squares_are_equal(seed, sparsity, size):
    gate, held_out = draw(seed, 30, 6), draw(seed + 1, 30, 6)
    up = size * np.random.default_rng(seed).choice([-1, 1], gate.shape)
    by_channel, by_layer = chess(gate, up, sparsity), cats(gate, sparsity)
    np.testing.assert_allclose(by_channel.threshold, by_layer.threshold, rtol=1e-12)
    np.testing.assert_array_equal(by_channel.mask(held_out), by_layer.mask(held_out))


def test_chess_has_the_thresholds_of_its_definition():
    gate, up = silu(draw(0, 200, 6)), draw(1, 200, 6) * np.geomspace(0.1, 10, 6)
    squares = np.mean(up**2, axis=0)
    tau = np.quantile(gate**2 * squares, 0.6)
    np.testing.assert_allclose(chess(gate, up, 0.6).threshold, np.sqrt(tau / squares), rtol=0.02)
    up[:, 2] = 0
    rule = chess(gate, up, 0.6)
    assert np.isinf(rule.threshold[2])
    assert not rule.mask(gate)[:, 2].any()


@settings(max_examples=25)
@given(seeds, shares, st.floats(0.1, 10))
def test_wina_is_teal_where_all_columns_have_one_norm(seed, sparsity, size):
    x, held_out = draw(seed, 30, 6), draw(seed + 1, 30, 6)
    signs = size * np.random.default_rng(seed).choice([-1.0, 1.0], (4, 6))
    weighted = wina(x, signs, sparsity, per_token=False)
    plain = teal(x, sparsity, quantile="magnitude")
    np.testing.assert_array_equal(weighted.mask(held_out), plain.mask(held_out))
    for weight in (signs, None):
        per_token = wina(x, weight, sparsity)
        assert isinstance(per_token, TopScores)
        n_kept = max(1, round((1 - sparsity) * 6))
        top = SparseCode.from_dense(held_out).binarize(k=n_kept).to_dense()
        np.testing.assert_array_equal(per_token.mask(held_out), top)


def test_wina_weighs_by_the_norms_of_columns():
    x = np.array([[3.0, 2, 1, -1]])
    weight = np.array([[1.0, 1, 6, 0], [0, 1, 8, 1]])
    assert wina(x, weight, 0.5).mask(x).tolist() == [[True, False, True, False]]
    assert wina(x, None, 0.5).mask(x).tolist() == [[True, True, False, False]]
    tied = wina(np.ones((1, 4)), None, 0.5)
    assert tied.mask(np.ones((1, 4))).tolist() == [[True, True, False, False]]


def test_norms_help_where_columns_differ():
    x, weight = draw(0, 400, 30), draw(1, 20, 30) * np.geomspace(0.1, 10, 30)
    by_norm = output_error(weight, x, wina(x, weight, 0.5).apply(x))
    plain = output_error(weight, x, wina(x, None, 0.5).apply(x))
    assert by_norm < 0.5 * plain


# --- R-Sparse -----------------------------------------------------------------------------------


@settings(max_examples=25)
@given(seeds, shares)
def test_r_sparse_with_alpha_1_is_the_mask_of_magnitudes(seed, sparsity):
    x, weight = draw(seed, 30, 6), draw(seed + 1, 4, 6) * [1, 2, 3, 4, 5, 6]
    made = r_sparse(x, weight, sparsity, alpha=1.0)
    plain = teal(x, sparsity, quantile="magnitude")
    np.testing.assert_array_equal(made.thresholds.mask(x), plain.mask(x))
    assert made.rank == 0
    np.testing.assert_allclose(made.output(x), plain.apply(x) @ weight.T, atol=1e-12)
    assert made.output_error(x) == pytest.approx(output_error(weight, x, plain.code(x)))


def test_r_sparse_keeps_within_its_budget():
    x, weight = draw(0, 500, 40), draw(1, 24, 40)
    for sparsity in (0.3, 0.5):
        for alpha in (0.0, 0.4, 0.8):
            made = r_sparse(x, weight, sparsity, alpha=alpha)
            assert made.rank == int((1 - sparsity) * (1 - alpha) * 24 * 40 / 64)
            n_kept = made.thresholds.mask(x).sum(axis=1).mean()
            assert n_kept == pytest.approx((1 - sparsity) * alpha * 40, abs=0.01)
            budget = (1 - sparsity) * weight.size
            assert n_kept * 24 + made.rank * 64 <= budget + 1
            low_rank = (made.u * made.s) @ made.vt
            m = made.thresholds.mask(x)
            wanted = (x * m) @ weight.T + (x * ~m) @ low_rank.T
            np.testing.assert_allclose(made.output(x), wanted, atol=1e-10)
            np.testing.assert_array_equal(made.code(x).to_dense(), made.apply(x))


def test_r_sparse_loses_nothing_of_a_matrix_of_low_rank():
    x, weight = draw(0, 50, 40), draw(1, 30, 5) @ draw(2, 5, 40)
    made = r_sparse(x, weight, 0.5, alpha=0.2)
    assert isinstance(made, RSparse)
    assert made.rank >= 5
    assert made.output_error(x) < 1e-12
    np.testing.assert_allclose(
        made.thresholds.scale, np.linalg.norm((made.vt.T * made.s)[:, :5], axis=1)
    )


# --- TEAL's blocks ------------------------------------------------------------------------------


def test_blocks_reach_their_sparsity_step_by_step():
    x = draw(0, 300, 20)
    inputs = {"q": x, "k": x, "out": draw(1, 300, 10)}
    weights = {"q": draw(2, 20, 20), "k": 0.1 * draw(3, 4, 20), "out": draw(4, 20, 10)}
    found = teal_blocks(inputs, weights, 0.43, step=0.05)
    size = {name: w.size for name, w in weights.items()}
    total = sum(found.sparsities[name] * size[name] for name in size) / sum(size.values())
    assert total == pytest.approx(0.43)
    assert len(found.errors) >= 9
    assert (np.diff(found.errors) > 0).all()
    own = 0.0
    for name, rule in found.thresholds.items():
        own += output_error(weights[name], inputs[name], rule.apply(inputs[name])) ** 2
        expected = teal(inputs[name], min(found.sparsities[name], 0.999))
        if found.sparsities[name] < 0.999:
            assert rule.threshold == expected.threshold
    assert found.errors[-1] == pytest.approx(own)


def test_blocks_spare_the_matrix_that_suffers_most():
    spiky = draw(0, 300, 20) * (np.random.default_rng(1).random((300, 20)) < 0.2)
    flat = np.sign(draw(2, 300, 20)) * (1 + 0.1 * draw(3, 300, 20))
    weights = {"spiky": draw(4, 20, 20), "flat": draw(5, 20, 20)}
    found = teal_blocks({"spiky": spiky, "flat": flat}, weights, 0.4, quantile="magnitude")
    assert found.sparsities["spiky"] > 0.7 > 0.1 > found.sparsities["flat"]


def test_an_error_of_ones_own_decides():
    x = draw(0, 100, 10)
    weights = {"a": draw(1, 5, 10), "b": draw(2, 5, 10)}

    def only_b(chosen):
        return float(chosen["b"].threshold)

    found = teal_blocks({"a": x, "b": x}, weights, 0.3, step=0.1, error=only_b)
    assert found.sparsities == {"a": pytest.approx(0.6), "b": 0.0}
    assert found.errors.tolist() == [0.0] * 3
    full = teal_blocks({"a": x, "b": x}, weights, 0.6, step=0.1, error=only_b)
    assert full.sparsities == {"a": 1.0, "b": pytest.approx(0.2)}
    assert not full.thresholds["a"].mask(1e6 * x).any()


# --- core neurons -------------------------------------------------------------------------------


@given(codes(), st.floats(0.01, 1))
def test_core_neurons_are_the_largest_positive_ones(code, alpha):
    found = core_neurons(code, alpha)
    assert found.unit_shape == code.unit_shape
    dense = code.to_dense().reshape(code.shape).astype(float)
    if len(code):
        np.testing.assert_array_equal(core_neurons(dense, alpha).indices, found.indices)
    for row, core in zip(dense, found):
        n_core = int(np.ceil(alpha * np.sum(row > 0) - 1e-9))
        wanted = np.argsort(-row, kind="stable")[:n_core]
        assert core.indices.tolist() == sorted(wanted)


def test_core_neurons_of_a_sentence_are_the_most_frequent():
    tokens = SparseCode.from_indices([[1, 3], [3, 5], [3, 5, 7], []], 10)
    assert sentence_core(tokens, 0.1).indices.tolist() == [3]
    assert sentence_core(tokens, 0.2).indices.tolist() == [3, 5]
    assert sentence_core(tokens, 0.3).indices.tolist() == [1, 3, 5]  # the lower of 1 and 7
    assert sentence_core(tokens, 1.0).indices.tolist() == [1, 3, 5, 7]
    assert sentence_core(tokens, 0.5).is_binary


# --- training -----------------------------------------------------------------------------------


def test_density_loss_counts_what_is_active_and_has_the_gradient_of_torch():
    a = np.array([[0.0, 1.0, -2.0], [0.0, 0.0, 1e-3]])
    assert deft_loss(a) == pytest.approx((2 + 1e-6 / (1e-6 + 1e-7)) / 6)
    epsilon = 0.3
    x = draw(0, 4, 5)
    tensor = torch.tensor(x, requires_grad=True)
    loss = deft_loss(tensor, epsilon=epsilon)
    loss.backward()
    assert loss.item() == pytest.approx(deft_loss(x, epsilon=epsilon))
    np.testing.assert_allclose(deft_gradient(x, epsilon=epsilon), tensor.grad.numpy())
    off = check_grad(
        lambda v: deft_loss(v, epsilon=epsilon), lambda v: deft_gradient(v, epsilon=epsilon), x[0]
    )
    assert off < 1e-6
    assert deft_loss(3.0, epsilon=1.0) == pytest.approx(0.9)


def test_the_penalty_rises_along_sines():
    ends, weights = [10, 30, 50], [0.1, 0.5, 2.0]
    t = np.arange(60)
    found = prosparse_weight(t, ends, weights)
    assert (found[:11] == 0.1).all()
    assert found[30] == pytest.approx(0.5)
    assert found[20] == pytest.approx(0.3)
    assert found[15] == pytest.approx(0.1 + 0.4 * (1 - np.cos(np.pi / 4)) / 2)
    np.testing.assert_allclose(found[50:], 2.0)
    assert (np.diff(found) >= 0).all()
    assert isinstance(prosparse_weight(40, ends, weights), float)
    assert prosparse_weight(40, ends, weights) == pytest.approx(1.25)


@given(seeds)
def test_shifted_relu_without_shift_is_relu(seed):
    x = np.round(draw(seed, 5, 4), 1)
    np.testing.assert_array_equal(shifted_relu(x), np.maximum(x, 0))
    np.testing.assert_array_equal(shifted_relu(x, 0.5), np.where(x >= 0.5, x, 0))
    assert shifted_relu(x.astype(np.float32), 0.5).dtype == np.float32


# --- CETT ---------------------------------------------------------------------------------------


def plain_cett(a, w, epsilon):
    errors, counts = [], []
    for row in a:
        outputs = [value * column for value, column in zip(row, w.T)]
        small = [o for o in outputs if np.linalg.norm(o) < epsilon]
        counts.append(len(outputs) - len(small))
        whole = np.linalg.norm(np.sum(outputs, axis=0))
        if whole > 0:
            errors.append(np.linalg.norm(np.sum(small, axis=0)) / whole if small else 0.0)
    return np.mean(errors), np.mean(counts) / a.shape[1]


@pytest.mark.parametrize("epsilon", [0.0, 0.3, 1.0, 2.5, 100.0])
def test_cett_is_that_of_its_definition(epsilon):
    a, w = np.maximum(draw(0, 12, 20), 0), draw(1, 5, 20)
    a[3] = 0
    wanted, ratio = plain_cett(a, w, epsilon)
    for one in (a, SparseCode.from_dense(a)):
        assert cett(one, w, epsilon) == pytest.approx(wanted)
        assert activation_ratio(one, w, epsilon) == pytest.approx(ratio)
    assert cett(a, w, 100.0) == pytest.approx(1)
    assert np.isnan(cett(0 * a, w, 1.0))


def test_cett_grows_with_epsilon():
    epsilons = np.linspace(0, 3, 20)
    a = np.maximum(draw(0, 30, 20), 0)
    orthogonal = np.linalg.qr(draw(1, 25, 20))[0] * np.geomspace(0.3, 3, 20)
    found = [cett(a, orthogonal, e) for e in epsilons]
    assert (np.diff(found) >= 0).all()
    assert found[0] == 0 < found[-1]
    many, w = np.maximum(draw(2, 200, 60), 0), draw(3, 30, 60)
    assert (np.diff([cett(many, w, e) for e in 3 * epsilons]) >= 0).all()
    ratios = [activation_ratio(many, w, e) for e in epsilons]
    assert (np.diff(ratios) <= 0).all()


@pytest.mark.parametrize("target", [0.05, 0.2, 0.5])
def test_epsilon_meets_its_cett(target):
    a, w = silu(draw(0, 200, 60)), draw(1, 30, 60)
    found = epsilon_for_cett(a, w, target)
    norms = np.abs(a) * np.linalg.norm(w, axis=0)
    step = np.quantile(norms, 0.99) / 65_535
    assert cett(a, w, found) <= target < cett(a, w, found + step)
    coarse = epsilon_for_cett(a, w, target, n_candidates=100)
    assert coarse <= found + step
    positive = np.maximum(a, 0)
    as_code = epsilon_for_cett(SparseCode.from_dense(positive), w, target)
    assert as_code == pytest.approx(epsilon_for_cett(positive, w, target))


@pytest.mark.parametrize("p", [0.01, 0.1, 1.0])
def test_perplexity_rises_by_p(p):
    slopes = np.array([0.5, 1.0, 4.0])
    found = cett_ppl(lambda c: 2.0 + slopes * c**2, p)
    assert found.converged
    assert np.mean(np.exp(slopes * found.cett**2)) == pytest.approx(1 + p, abs=1e-6)
    assert found.ratio == pytest.approx(1 + p, abs=1e-6)
    one = cett_ppl(lambda c: 3.0 + c, p)
    assert one.cett == pytest.approx(np.log1p(p), abs=2e-6)


def test_perplexity_of_a_truncated_layer_rises_by_p():
    a, w = np.maximum(draw(0, 100, 40), 0), draw(1, 10, 40)
    y = (a @ w.T).argmax(axis=1)

    def loss(target):
        epsilon = epsilon_for_cett(a, w, target) if target > 0 else 0.0
        kept = np.where(np.abs(a) * np.linalg.norm(w, axis=0) < epsilon, 0, a)
        logits = kept @ w.T / 10
        return np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(100), y]

    found = cett_ppl(loss, 0.01, high=0.9, tol=1e-3)
    assert abs(np.mean(np.exp(loss(found.cett) - loss(0.0))) - 1.01) <= 1e-3


def test_a_loss_with_a_jump_does_not_converge():
    found = cett_ppl(lambda c: float(c >= 0.3), 0.1)
    assert not found.converged
    assert found.cett == pytest.approx(0.3)
    assert found.cett < 0.3
    assert found.ratio == 1


# --- laws ---------------------------------------------------------------------------------------

LIMITS = [("relu", limit) for limit in (0.0614, 0.0674, 0.069, 0.0721, 0.0782, 0.0648)] + [
    ("silu", limit) for limit in (0.409, 0.39, 0.385, 0.383, 0.382)
]


@pytest.mark.parametrize(("activation", "limit"), LIMITS)
def test_laws_are_recovered_from_their_curves(activation, limit):
    billions = np.linspace(5, 800, 60)
    if activation == "relu":  # the paper's coefficients of its 2.4B model
        law = SparsingLaw("relu", limit, 1.56e-4, 1.53, -3.46, {}, 0.0)
    else:
        law = SparsingLaw("silu", limit, 0.11, 0.6, None, {}, 0.0)
    found = fit_sparsing_law(billions, law.predict(billions), activation=activation)
    for name in ("limit", "c", "alpha", "b"):
        if getattr(law, name) is not None:
            assert getattr(found, name) == pytest.approx(getattr(law, name), rel=1e-4), name
    assert found.residual < 1e-8
    np.testing.assert_allclose(found.predict(billions), law.predict(billions), atol=1e-7)


@pytest.mark.parametrize("activation", ["relu", "silu"])
def test_standard_errors_cover_the_truth(activation):
    billions = np.geomspace(2, 800, 50)
    if activation == "relu":
        law = SparsingLaw("relu", 0.065, 0.01, 0.8, -2.0, {}, 0.0)
    else:
        law = SparsingLaw("silu", 0.38, 0.1, 0.6, None, {}, 0.0)
    names = ["limit", "c", "alpha"] + (["b"] if activation == "relu" else [])
    scores = []
    for seed in range(20):
        noisy = law.predict(billions) + 1e-3 * draw(seed, 50)
        found = fit_sparsing_law(billions, noisy, activation=activation)
        assert set(found.standard_errors) == set(names)
        scores.append(
            [(getattr(found, n) - getattr(law, n)) / found.standard_errors[n] for n in names]
        )
    spread = np.sqrt(np.mean(np.square(scores), axis=0))  # chi with 20 degrees, over its root
    assert ((spread > 0.45) & (spread < 1.65)).all(), spread


# --- bad input ----------------------------------------------------------------------------------

X, W = np.ones((4, 3)) * [1, 2, 3], np.ones((2, 3))
CALIBRATED = {
    "cats": lambda x: cats(x, 0.5),
    "teal": lambda x: teal(x, 0.5),
    "chess": lambda x: chess(x, x, 0.5),
    "wina": lambda x: wina(x, W, 0.5),
    "r_sparse": lambda x: r_sparse(x, W, 0.5, alpha=0.5),
    "output_error": lambda x: output_error(W, x, x),
    "teal_blocks": lambda x: teal_blocks({"a": x}, {"a": W}, 0.5),
    "core_neurons": lambda x: core_neurons(x, 0.5),
    "cett": lambda x: cett(x, W, 0.1),
    "apply": lambda x: cats(X, 0.5).apply(x),
    "mask": lambda x: wina(X, W, 0.5).mask(x),
    "output": lambda x: r_sparse(X, W, 0.5, alpha=0.5).output(x),
}


@pytest.mark.parametrize("name", CALIBRATED)
def test_bad_activations_are_refused(name):
    call = CALIBRATED[name]
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="must be finite"):
            call(np.where(np.arange(3) == 1, bad, X))
    with pytest.raises(ValueError, match=r"shape"):
        call(np.ones(3))
    with pytest.raises(ValueError, match=r"shape"):
        call(np.ones((2, 4, 3)))
    with pytest.raises(ValueError, match=r"shape"):
        call(np.ones((0, 3)))
    with pytest.raises(TypeError, match="must hold real numbers"):
        call(X.astype(complex))
    with pytest.raises(TypeError, match="must hold real numbers"):
        call(X.astype(str))


@pytest.mark.parametrize(
    "make",
    [
        lambda s: cats(X, s),
        lambda s: teal(X, s),
        lambda s: chess(X, X, s),
        lambda s: wina(X, W, s),
        lambda s: r_sparse(X, W, s, alpha=0.5),
        lambda s: teal_blocks({"a": X}, {"a": W}, s),
    ],
)
def test_bad_sparsities_are_refused(make):
    for bad in (-0.1, 1.5, np.nan):
        with pytest.raises(ValueError, match="sparsity must lie between 0 and 1"):
            make(bad)
    with pytest.raises(ValueError, match="sparsity must be below 1"):
        make(1.0)
    with pytest.raises(TypeError, match="sparsity must be a number"):
        make("half")


def test_arguments_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"weight must have shape \(n_outputs, 3\)"):
        wina(X, W.T, 0.5)
    with pytest.raises(ValueError, match=r"w_out must have shape \(n_outputs, 3\)"):
        cett(X, W.T, 0.5)
    with pytest.raises(ValueError, match=r"w_out must be finite"):
        cett(X, W * np.nan, 0.5)
    with pytest.raises(ValueError, match="gate and up must have the same shape"):
        chess(X, X[:2], 0.5)
    with pytest.raises(ValueError, match=r"x must have shape \(n_tokens, 3\)"):
        cats(X, 0.5).apply(X[:, :2])
    with pytest.raises(ValueError, match="quantile must be one of"):
        teal(X, 0.5, quantile="mean")
    with pytest.raises(ValueError, match=r"inputs and weights must have the same names.*'b'"):
        teal_blocks({"a": X}, {"b": W}, 0.5)
    with pytest.raises(ValueError, match=r"weights\['a'\] must have shape"):
        teal_blocks({"a": X}, {"a": W.T}, 0.5)
    with pytest.raises(ValueError, match="alpha must lie between 0 and 1"):
        r_sparse(X, W, 0.5, alpha=2)
    with pytest.raises(ValueError, match="x_sparse must have the shape of x"):
        output_error(W, X, SparseCode.from_dense(X[:2]))
    with pytest.raises(ValueError, match="alpha must lie above 0"):
        core_neurons(X, 1.5)
    with pytest.raises(TypeError, match="tokens must be a SparseCode of at least one token"):
        sentence_core(SparseCode.from_indices([], 4), 0.5)
    with pytest.raises(TypeError, match="tokens must be a SparseCode"):
        sentence_core(X, 0.5)
    with pytest.raises(ValueError, match="beta must lie above 0"):
        sentence_core(core_neurons(X, 0.5), 2)


def test_bad_arguments_of_training_are_refused():
    for function in (deft_loss, deft_gradient):
        with pytest.raises(ValueError, match="finite"):
            function([np.nan])
        with pytest.raises(ValueError, match="at least one number"):
            function([])
        with pytest.raises(ValueError, match="epsilon must be finite and above 0"):
            function(X, epsilon=0)
    with pytest.raises(ValueError, match="threshold must be finite and above 0"):
        shifted_relu(X, -1)
    with pytest.raises(ValueError, match="boundaries must ascend"):
        prosparse_weight(0, [10, 5], [0.1, 0.2])
    with pytest.raises(ValueError, match="weights must hold 2 numbers"):
        prosparse_weight(0, [5, 10], [0.1])
    with pytest.raises(ValueError, match="never fall"):
        prosparse_weight(0, [5, 10], [0.2, 0.1])
    with pytest.raises(ValueError, match="step must be at least 0"):
        prosparse_weight(-1, [5], [0.2])


def test_bad_arguments_of_cett_and_laws_are_refused():
    with pytest.raises(ValueError, match="epsilon must be finite and above 0"):
        cett(X, W, -1)
    with pytest.raises(ValueError, match="target must lie above 0 and below 1"):
        epsilon_for_cett(X, W, 1.0)
    with pytest.raises(ValueError, match="must give an output on some token"):
        epsilon_for_cett(0 * X, W, 0.1)
    with pytest.raises(ValueError, match=r"must reach 1 \+ p = 1.5 within"):
        cett_ppl(lambda c: 0.1 * c, 0.5)
    with pytest.raises(ValueError, match="loss_function must return finite losses"):
        cett_ppl(lambda c: np.nan, 0.5)
    with pytest.raises(ValueError, match="as many losses"):
        cett_ppl(lambda c: np.zeros(2 if c else 3), 0.5)
    with pytest.raises(ValueError, match="p must be finite and above 0"):
        cett_ppl(lambda c: c, 0)
    t, falling = np.arange(1.0, 11), np.linspace(0.5, 0.4, 10)
    with pytest.raises(ValueError, match="activation must be one of"):
        fit_sparsing_law(t, falling, activation="gelu")
    with pytest.raises(ValueError, match="ratio must rise with tokens for silu"):
        fit_sparsing_law(t, falling, activation="silu")
    with pytest.raises(ValueError, match="ratio must fall with tokens for relu"):
        fit_sparsing_law(t, falling[::-1], activation="relu")
    with pytest.raises(ValueError, match="tokens must be above 0"):
        fit_sparsing_law(t - 1, falling, activation="relu")
    with pytest.raises(ValueError, match="ratio must lie between 0 and 1"):
        fit_sparsing_law(t, 100 * falling, activation="relu")
    with pytest.raises(ValueError, match="more than 4 different values"):
        fit_sparsing_law(t[:4], falling[:4], activation="relu")
    with pytest.raises(ValueError, match="one shape"):
        fit_sparsing_law(t, falling[:4], activation="relu")
    with pytest.raises(ValueError, match="finite"):
        fit_sparsing_law(t, falling * np.nan, activation="relu")


def test_precision_is_kept():
    x = draw(0, 20, 6).astype(np.float32)
    for rule in rules(x, 0.5).values():
        assert isinstance(rule, Thresholds | TopScores)
        assert rule.apply(x).dtype == np.float32
        assert rule.code(x).dtype == np.float32


def test_torch_is_not_needed():
    for module in {inspect.getmodule(getattr(thresholds, name)) for name in thresholds.__all__}:
        assert "import torch" not in inspect.getsource(module)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert deft_loss(torch.ones(3)) == pytest.approx(1)
