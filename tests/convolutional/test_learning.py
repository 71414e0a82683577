"""Convolutional learners find planted atoms, lower the objective, and keep their promises."""

from functools import partial

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.signal import correlate2d
from sklearn.exceptions import ConvergenceWarning

from sparsecode.convolutional import greedy_cd
from sparsecode.convolutional._fits import Descent, Fits
from sparsecode.convolutional._learners import OnlineConvLearner
from sparsecode.convolutional._learning_kernels import add_lags
from sparsecode.convolutional.learning import (
    draw_atoms,
    learn_alternating,
    learn_online,
)
from sparsecode.convolutional.matching_pursuit import mp
from sparsecode.core import SparseCode
from sparsecode.penalties import CEL0, L1

BOUNDARIES = ("circular", "zero", "valid")
LEARNERS = {
    "online": partial(learn_online, n_steps=6, step=(20.0, 1000.0), rng=0),
    "alternating": partial(learn_alternating, n_epochs=3),
}


@pytest.fixture(scope="module")
def planted():
    """Return images of sparse maps of four smooth-edged random atoms, and these."""
    rng = np.random.default_rng(2)
    taper = np.hanning(9)[1:-1]
    atoms = rng.normal(size=(4, 1, 7, 7)) * np.outer(taper, taper)
    atoms /= np.linalg.norm(atoms, axis=(2, 3), keepdims=True)
    shape = (10, 4, 32, 32)
    maps = (rng.random(shape) < 0.006) * rng.choice([-1, 1], shape) * rng.uniform(1, 2, shape)
    spectra = np.fft.fft2(maps) * np.fft.fft2(atoms[:, 0], shape[2:])
    images = np.fft.ifft2(spectra.sum(axis=1)).real[:, None]
    return images + 0.01 * rng.normal(size=images.shape), atoms


def best_cosines(found, planted):
    """Return, atom by atom of the best assignment, the largest cosine over shifts and signs."""
    over_shifts = [
        [np.abs(correlate2d(one[0], other[0])).max() for one in found] for other in planted
    ]
    cosines = np.array(over_shifts)
    return cosines[linear_sum_assignment(-cosines)]


def coded(n_axes, n_channels, boundary, problem, plain):
    """Return signals, atoms, sparse codes and the residual of the plain problem."""
    X, dictionary = problem(n_axes, n_channels)
    rows, whole = plain(X, dictionary, boundary)
    rng = np.random.default_rng(0)
    dense = rng.normal(size=(2, len(whole))) * (rng.random((2, len(whole))) < 0.1)
    unit_shape = greedy_cd(X[:1], dictionary, "l1", alpha_ratio=1.0, boundary=boundary)
    code = SparseCode.from_dense(dense, unit_shape.code.unit_shape)
    return X, dictionary, code, rows - dense @ whole


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize(("n_axes", "n_channels"), [(1, 2), (2, 1)])
def test_the_gradient_is_that_of_the_plain_problem(boundary, n_axes, n_channels, problem, plain):
    X, dictionary, code, residual = coded(n_axes, n_channels, boundary, problem, plain)
    images, kernels = (a if a.ndim == 4 else a[:, :, None] for a in (X, dictionary))
    fits = Fits(images, kernels, code, boundary, 1)
    gradient = fits.windows_of_all().reshape(dictionary.shape)
    dense = code.to_dense().reshape(2, -1)
    for seed in range(3):  # the plain dictionary is linear in the atoms
        direction = np.random.default_rng(seed).normal(size=dictionary.shape)
        expected = np.sum(residual * (dense @ plain(X, direction, boundary)[1]))
        np.testing.assert_allclose(np.sum(gradient * direction), expected)
    one_by_one = [fits.windows_of(k) for k in range(4)]
    np.testing.assert_allclose(np.reshape(one_by_one, gradient.shape), gradient)
    np.testing.assert_allclose(fits.squared_error(), np.sum(residual**2))


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_one_atoms_quadratic_is_that_of_the_plain_problem(boundary, problem, plain):
    X, dictionary, code, _ = coded(2, 1, boundary, problem, plain)
    matrix = Descent(Fits(X, dictionary, code, boundary, 1), 1, None)._matrix()
    dense = code.to_dense().reshape(2, -1)
    unit = np.zeros((12, *dictionary.shape))
    unit.reshape(12, 4, 12)[range(12), 1, range(12)] = 1.0
    moves = np.array([(dense @ plain(X, one, boundary)[1]).ravel() for one in unit])
    np.testing.assert_allclose(matrix, moves @ moves.T, atol=1e-9)


@pytest.mark.parametrize("is_circular", [True, False])
@pytest.mark.parametrize(
    ("shape", "kernel"), [((7, 9), (3, 4)), ((4, 5), (4, 5)), ((1, 8), (1, 5))]
)
def test_lags_around_small_circles(is_circular, shape, kernel):
    rng = np.random.default_rng(0)
    one = rng.normal(size=shape) * (rng.random(shape) < 0.6)
    lags = np.zeros((kernel[0], 2 * kernel[1] - 1))
    positions = np.flatnonzero(one)
    add_lags(positions, one.ravel()[positions], *shape, is_circular, lags)
    padded = one if is_circular else np.pad(one, [(0, n) for n in kernel])
    for dy, dx in np.ndindex(*lags.shape):
        shifted = np.roll(padded, (-dy, kernel[1] - 1 - dx), axis=(0, 1))
        np.testing.assert_allclose(lags[dy, dx], np.sum(padded * shifted), atol=1e-12)


def test_alternation_finds_planted_atoms(planted):
    images, atoms = planted
    learned = learn_alternating(images, draw_atoms(images, 5, 9, rng=0), L1(0.3), n_epochs=15)
    assert best_cosines(learned.dictionary, atoms).min() > 0.95


@pytest.mark.parametrize("penalty", [L1(0.3), CEL0(0.1)], ids=repr)
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_alternation_never_raises_the_objective(penalty, boundary, planted):
    images, _ = planted
    start = np.random.default_rng(0).normal(size=(4, 1, 6, 5))
    learned = learn_alternating(images[:4], start, penalty, boundary=boundary, n_epochs=6)
    objective = learned.history["objective"]
    assert (np.diff(objective) <= 1e-12 * objective[0]).all()
    assert objective[-1] < 0.9 * objective[0]


def test_online_learning_finds_planted_atoms(planted):
    images, atoms = planted
    start = draw_atoms(images, 5, 9, rng=0)
    learned = learn_online(images, start, L1(0.3), n_steps=60, step=(50.0, 1000.0), rng=1)
    assert best_cosines(learned.dictionary, atoms).min() > 0.95
    objective = learned.history["objective"]
    assert objective[-10:].mean() < 0.8 * objective[:10].mean()


def test_atoms_descend_while_codes_are_held(planted):
    images, _ = planted
    start = draw_atoms(images, 5, 9, rng=0)
    first = learn_alternating(images, start, L1(0.3), n_epochs=1)
    before = first.history["mse"][0]
    moved = Fits(images, first.dictionary, first.code, "circular", 1)
    assert moved.squared_error() / images.size < 0.95 * before


@pytest.mark.parametrize("constraint", [None, "positive", "mean_free"])
@pytest.mark.parametrize("learn", LEARNERS.values(), ids=LEARNERS)
def test_constraints_hold_after_each_step(learn, constraint, planted):
    images, _ = planted
    seen = []

    def look(step, row, atoms):
        seen.append(step)
        np.testing.assert_allclose(np.linalg.norm(atoms.reshape(4, -1), axis=1), 1.0)
        assert constraint != "positive" or (atoms >= 0).all()
        assert constraint != "mean_free" or np.abs(atoms.mean(axis=(1, 2, 3))).max() < 1e-15
        assert not atoms.flags.writeable

    start = np.random.default_rng(0).normal(size=(4, 1, 6, 5))
    learned = learn(images, start, L1(0.5), constraint=constraint, callback=look)
    assert seen == list(range(learned.n_steps))
    objective = learned.history["objective"]
    if learned.code is not None:
        assert (np.diff(objective) <= 1e-12 * objective[0]).all()
        assert learned.code.unit_shape == (4, 32, 32)


@pytest.mark.parametrize("learn", LEARNERS.values(), ids=LEARNERS)
def test_dead_atoms_become_what_is_left(learn, planted):
    images, atoms = planted
    start = np.concatenate([atoms[:3], np.random.default_rng(0).normal(size=(2, 1, 7, 7))])
    penalty = L1(0.3, weights=np.array([1.0, 1.0, 1.0, 99.0, 99.0]))
    learned = learn(images, start, penalty, dead_after=2)
    assert (learned.history["n_silent"] == 2).all()
    assert learned.history["n_replaced"][:3].tolist() == [0, 2, 0]
    assert np.abs(np.sum(learned.dictionary[3] * learned.dictionary[4])) < 0.99
    assert best_cosines(learned.dictionary, atoms).min() > 0.6
    kept = learn(images, start, penalty, dead_after=None)
    np.testing.assert_allclose(kept.dictionary[3], start[3] / np.linalg.norm(start[3]))
    assert best_cosines(kept.dictionary, atoms).min() < 0.6


@pytest.mark.parametrize("learn", LEARNERS.values(), ids=LEARNERS)
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_threads_do_not_change_a_bit(learn, boundary, planted):
    images = planted[0].astype(np.float32)
    start = np.random.default_rng(0).normal(size=(4, 1, 6, 5))
    one, two = (
        learn(images, start, L1(0.4), boundary=boundary, dead_after=1, n_threads=n) for n in (1, 2)
    )
    assert one.dictionary.dtype == np.float32
    np.testing.assert_array_equal(one.dictionary, two.dictionary)
    np.testing.assert_array_equal(one.history["objective"], two.history["objective"])


def test_images_may_differ_in_size_and_signals_have_one_axis():
    rng = np.random.default_rng(0)
    start = rng.normal(size=(3, 2, 4, 5))
    stream = [rng.normal(size=(n, 2, 10 + n, 15 - n)) for n in (1, 2, 3)]
    learned = learn_online(iter(stream), start, L1(2.0), boundary="zero")
    assert learned.n_steps == 3
    signals = rng.normal(size=(4, 2, 50))
    start = rng.normal(size=(3, 2, 6))
    for learn in LEARNERS.values():
        assert learn(signals, start, L1(1.0)).dictionary.shape == (3, 2, 6)


@pytest.mark.parametrize("learn", LEARNERS.values(), ids=LEARNERS)
def test_a_solver_may_have_no_penalty_and_no_start(learn, planted):
    def solver(X, dictionary, *, boundary):
        return greedy_cd(X, dictionary, L1(0.5), boundary=boundary)

    start = draw_atoms(planted[0], 3, 6, rng=0)
    learned = learn(planted[0], start, None, solver=solver)
    named = learn(planted[0], start, "l1", alpha_ratio=0.2)
    assert learned.history["objective"].shape == named.history["objective"].shape
    if learned.code is None:
        np.testing.assert_array_equal(
            learned.dictionary, learn(planted[0], start, L1(0.5)).dictionary
        )


@pytest.mark.parametrize("learn", LEARNERS.values(), ids=LEARNERS)
def test_learning_goes_on_from_a_checkpoint_to_the_same_bits(learn, planted, tmp_path):
    class Killed(Exception):
        pass

    def kill(step, row, atoms):
        if step == 1:
            raise Killed

    images, start = planted[0][:4], draw_atoms(planted[0], 3, 6, rng=0)
    path = tmp_path / "course.safetensors"
    kept = dict(checkpoint=path, checkpoint_every=2)
    whole = learn(images, start, L1(0.5))
    with pytest.raises(Killed):
        learn(images, start, L1(0.5), **kept, callback=kill)
    resumed = learn(images, start, L1(0.5), **kept)
    np.testing.assert_array_equal(resumed.dictionary, whole.dictionary)
    for name, column in whole.history.items():
        np.testing.assert_array_equal(resumed.history[name], column)
    assert resumed.code == whole.code
    assert learn(images, start, L1(0.5), **kept).n_steps == whole.n_steps  # nothing left to do
    with pytest.raises(ValueError, match=r"same configuration; got penalty = .*0\.5.* in the file"):
        learn(images, start, L1(0.6), **kept)


def test_steps_from_a_state_are_those_of_one_run(planted):
    images, start = planted[0], draw_atoms(planted[0], 3, 6, rng=0)
    one, other = OnlineConvLearner(L1(0.5)), OnlineConvLearner(L1(0.5))
    one.start(start)
    one.step(images[:1])
    other.start(start)
    other.restore(one.state())
    assert one.step(images[1:3]) == other.step(images[1:3])
    np.testing.assert_array_equal(one.atoms, other.atoms)


def test_unconverged_codes_are_said_once(planted):
    hasty = partial(greedy_cd, max_iter=1, tol=1e-12)
    with pytest.warns(ConvergenceWarning, match="3 of 3 samples coded did not converge") as said:
        learn_online(planted[0][:3], draw_atoms(planted[0], 3, 6, rng=0), L1(0.2), solver=hasty)
    assert len(said) == 1
    assert said[0].filename == __file__


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(dictionary=np.ones((2, 1, 40, 5))), "X must be at least as large as an atom"),
        (dict(dictionary=np.zeros((2, 1, 4, 5))), "no atom of norm 0"),
        (dict(dictionary=np.ones((2, 3, 4, 5))), "X must have 3 channels"),
        (dict(dictionary=np.ones((2, 1, 4, 5)), constraint="mean_free"), "something of every atom"),
        (dict(batches=np.ones((2, 32, 32))), r"X must have shape \(n_samples, n_channels"),
        (dict(batches=np.full((2, 1, 32, 32), np.nan)), "X must be finite"),
        (dict(batches=np.ones((0, 1, 32, 32))), "must hold samples"),
        (dict(batches=[np.ones((0, 1, 32, 32))]), "every batch must hold a sample"),
        (dict(batches=[]), "at least one batch"),
        (dict(batches=iter([np.ones((1, 1, 32, 32))]), n_steps=2), "at least n_steps = 2"),
        (dict(batches=[np.ones((1, 1, 32, 32))], n_steps=2), "at least n_steps = 2"),
        (dict(boundary="mirror"), "boundary must be one of"),
        (dict(constraint="round"), "constraint must be one of"),
        (dict(step=0.1), r"step must be a pair \(a, b\)"),
        (dict(step=(0.0, 1.0)), "finite and above 0"),
        (dict(n_steps=0), "n_steps must be at least 1"),
        (dict(batch_size=0), "batch_size must be at least 1"),
        (dict(dead_after=0), "dead_after must be at least 1"),
        (dict(checkpoint="course.npz"), "must be a .safetensors file"),
        (dict(penalty="l1"), "needs alpha_ratio"),
    ],
)
def test_bad_input_gets_one_sentence(change, message):
    good = dict(
        batches=np.ones((2, 1, 32, 32)),
        dictionary=np.random.default_rng(0).normal(size=(2, 1, 4, 5)),
        penalty=L1(0.5),
    )
    arguments = good | change
    with pytest.raises(ValueError, match=message):
        learn_online(*[arguments.pop(name) for name in good], **arguments)


def test_bad_types_get_one_sentence(planted):
    images, start = planted[0], draw_atoms(planted[0], 3, 6, rng=0)
    with pytest.raises(TypeError, match="solver must be a function"):
        learn_online(images, start, L1(0.5), solver="greedy_cd")
    with pytest.raises(TypeError, match=r"solver must take \(X, dictionary, penalty"):
        learn_online(images, start, L1(0.5), solver=partial(mp, n_nonzero=5), alpha_ratio=0.1)
    with pytest.raises(TypeError, match="batches must be an array"):
        learn_online(3, start, L1(0.5))
    with pytest.raises(TypeError, match="rng must be"):
        learn_online(images, start, L1(0.5), rng=np.random.RandomState(0))
    for learn in LEARNERS.values():
        with pytest.raises(TypeError, match="callback must be callable or None; got 3"):
            learn(images, start, L1(0.5), callback=3)
        with pytest.raises(TypeError, match="checkpoint must be a path or None; got 3"):
            learn(images, start, L1(0.5), checkpoint=3)


def test_drawn_atoms_are_windows():
    rng = np.random.default_rng(0)
    X = np.zeros((2, 2, 20))
    X[1, :, 7:11] = rng.normal(size=(2, 4))
    atoms = draw_atoms(X, 7, 4, rng=0)
    assert atoms.shape == (7, 2, 4)
    np.testing.assert_allclose(np.linalg.norm(atoms, axis=(1, 2)), 1.0)
    with pytest.raises(ValueError, match="at least n_atoms = 8 windows that are not 0; got 7"):
        draw_atoms(X, 8, 4)
    with pytest.raises(ValueError, match="kernel_shape must have 1 axes"):
        draw_atoms(X, 2, (4, 4))
    with pytest.raises(ValueError, match="X must have shape"):
        draw_atoms(X[0], 2, 4)
