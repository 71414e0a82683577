"""What all learners share: what they find, constraints, warm starts, held-out samples."""

import inspect
import re
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from learners import LEARNERS

from sparsecode import learning
from sparsecode.core import SparseCode, match, normalize
from sparsecode.datasets import planted_codes
from sparsecode.learning import ksvd, mod, olshausen_field, online
from sparsecode.learning._atoms import duplicated
from sparsecode.learning._learner import Learner
from sparsecode.learning._stream import LastCodes
from sparsecode.learning.gradient import GradientRule
from sparsecode.penalties import CEL0, L1
from sparsecode.solvers import cd, encode, fista, omp

N_FEATURES, N_ATOMS = 12, 18
every_learner = pytest.mark.parametrize("learn", LEARNERS.values(), ids=LEARNERS)


@pytest.fixture(scope="module")
def X():
    return planted_codes(
        400, n_atoms=N_ATOMS, n_features=N_FEATURES, n_active=2, amplitudes="uniform", rng=3
    ).X


def test_every_learner_is_tried():
    public = {
        getattr(learning, name)
        for name in learning.__all__
        if inspect.isfunction(getattr(learning, name))
    }
    assert {getattr(learn, "func", learn) for learn in LEARNERS.values()} == public


def test_learners_share_their_words_and_their_keywords():
    own = {"learning_rate", "decay", "reduction", "ridge", "forgetting", "n_sweeps"}
    common = []
    for learn in (ksvd, mod, olshausen_field, online):
        names = list(inspect.signature(learn).parameters)
        common.append([name for name in names if name not in own])
        assert not re.search(r"^ *<\w+>$", learn.__doc__, flags=re.MULTILINE)
    assert common[1:] == common[:-1]


# What they find


@every_learner
def test_the_objective_falls_on_samples_it_never_saw(X, learn):
    result = learn(
        X[100:], N_ATOMS, L1(0.1), batch_size=100, n_batches=31, held_out=X[:100],
        held_out_every=10, patience=None, rng=1,
    )  # fmt: skip
    seen = result.history["held_out"][[9, 19, 29]]
    assert np.all(np.diff(seen) < 0)


# Where atoms start


def test_atoms_start_as_samples_and_then_as_mixtures(X):
    learner = Learner(GradientRule(), L1(0.1))
    learner.start(10, N_FEATURES, float, np.random.default_rng(0), samples=X)
    cosines = np.abs(learner.atoms @ normalize(X).T)
    np.testing.assert_allclose(cosines.max(axis=1), 1.0)
    assert len(set(cosines.argmax(axis=1))) == 10
    few = np.vstack([X[:3], np.zeros((2, N_FEATURES))])
    learner.start(8, N_FEATURES, float, np.random.default_rng(0), samples=few)
    assert np.linalg.matrix_rank(learner.atoms) == 3
    np.testing.assert_allclose(np.linalg.norm(learner.atoms, axis=1), 1.0)
    learner.start(4, N_FEATURES, float, np.random.default_rng(0), samples=0 * X)
    assert np.linalg.matrix_rank(learner.atoms) == 4


@every_learner
def test_one_seed_gives_one_result(X, learn):
    run = partial(learn, X, N_ATOMS, L1(0.1), batch_size=100, n_batches=3)
    for init in ("samples", "gaussian"):
        one = run(rng=1, init=init).dictionary
        np.testing.assert_array_equal(one, run(rng=1, init=init, n_threads=1).dictionary)
        assert not np.allclose(one, run(rng=2, init=init).dictionary)


# Constraints


@every_learner
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("constraint", ["positive", "mean_free"])
def test_constraints_hold_after_every_batch(X, learn, constraint, dtype):
    def check(step, row, atoms):
        np.testing.assert_allclose(np.linalg.norm(atoms, axis=1), 1.0, rtol=1e-5)
        if constraint == "positive":
            assert atoms.min() >= 0
        else:
            np.testing.assert_allclose(atoms.sum(axis=1), 0.0, atol=1e-5)

    learn((X + 0.3).astype(dtype), N_ATOMS, L1(0.1), constraint=constraint, batch_size=100,
          n_batches=5, callback=check, rng=0)  # fmt: skip


@every_learner
def test_parts_of_positive_samples_are_found(learn):
    parts = np.random.default_rng(5).random((10, 16)) * (np.eye(10, 16) > 0)
    parts += np.eye(10, 16, 3) + 0.5 * np.eye(10, 16, 5)
    truth = planted_codes(
        1000, dictionary=normalize(parts), n_active=2, amplitudes="uniform", positive=True, rng=2
    )
    result = learn(
        truth.X, 10, L1(0.1, positive=True), constraint="positive", rng=7,
        batch_size=100, n_batches=200, n_threads=1,
    )  # fmt: skip
    assert match(result.dictionary, truth.dictionary).score > 0.97


@every_learner
def test_an_atom_that_a_constraint_leaves_nothing_of_is_replaced(learn):
    rng = np.random.default_rng(0)
    bright = np.array([0.0, 0.0, 1.0, 1.0])
    atoms = np.array([[1.0, 1.0, 0.0, 0.0], bright])
    # Only the first atom is used, and all it should become is negative: -3 times itself.
    X = -3.0 * np.outer(1.0 + rng.random(30), atoms[0])
    X[0] += 2.0 * np.array([0.0, 0.0, 1.0, -1.0])
    result = learn([X] * 6, atoms, L1(0.1), constraint="positive", dead_after=None)
    np.testing.assert_allclose(np.linalg.norm(result.dictionary, axis=1), 1.0)
    assert result.dictionary.min() >= 0


def test_a_lost_atom_takes_the_largest_residual_that_the_constraint_leaves_something_of():
    class Vanish(GradientRule):
        def update(self, step, atoms, batch):
            return np.vstack([-np.ones((1, 4)), atoms[1:]])

    atoms = np.eye(4)[:3]
    X = np.array([[0.0, 0, 0, 2], [0, 0, 0, -9.0], [5.0, 0, 0, 0], [0, 0, 0, 1.0]])
    learner = Learner(Vanish(), L1(0.1), constraint="positive", dead_after=None)
    learner.start(atoms, 4, float, np.random.default_rng(0))
    assert learner.step(X)["n_replaced"] == 1
    np.testing.assert_array_equal(learner.atoms, np.eye(4)[[3, 1, 2]])
    assert not learner.codes.to_dense()[:, 0].any()  # what the old atom was given is gone
    # Where the constraint leaves nothing of any residual, the atom stays.
    learner.start(atoms, 4, float, np.random.default_rng(0))
    assert learner.step(X[1:2])["n_replaced"] == 0
    np.testing.assert_array_equal(learner.atoms, atoms)


def test_atoms_given_must_outlast_the_constraint():
    for constraint, atoms in (("positive", -np.eye(3)), ("mean_free", np.ones((2, 3)))):
        with pytest.raises(ValueError, match=f"constraint='{constraint}' must leave .* in row 0"):
            mod(np.eye(3), atoms, L1(0.1), constraint=constraint)
    with pytest.raises(ValueError, match="'mean_free' needs at least 2 features; got 1"):
        mod(np.ones((3, 1)), 1, L1(0.1), constraint="mean_free")


def test_constant_samples_leave_drawn_atoms_to_chance():
    with pytest.warns(UserWarning, match="fewer than the 3 atoms"):
        result = mod(np.ones((2, 4)), 3, L1(0.1), constraint="mean_free", rng=0)
    np.testing.assert_allclose(result.dictionary.sum(axis=1), 0.0, atol=1e-12)


# Near-duplicates


def test_the_less_used_of_two_atoms_alike_is_named():
    atoms = normalize(np.array([[1.0, 0, 0], [1.0, 1e-3, 0], [0, 0, 1.0], [0, 1e-3, -1.0]]))
    usage = np.array([3, 5, 4, 4])
    assert np.flatnonzero(duplicated(atoms, usage, 0.99, signed=False)).tolist() == [0, 3]
    assert np.flatnonzero(duplicated(atoms, usage, 0.99, signed=True)).tolist() == [0]
    assert not duplicated(atoms, usage, 1.0, signed=False).any()


class Stay(GradientRule):
    def update(self, step, atoms, batch):
        return np.array(atoms)


@pytest.mark.parametrize(("limit", "replaced"), [(None, [0, 0, 0, 0]), (0.99, [0, 1, 0, 0])])
def test_atoms_alike_are_looked_for_every_dead_after_batches(X, limit, replaced):
    start = normalize(np.random.default_rng(0).normal(size=(6, N_FEATURES)))
    start[5] = normalize(start[4:5] + 1e-4)[0]
    learner = Learner(Stay(), L1(0.1), dead_after=2, max_cosine=limit)
    learner.start(start, N_FEATURES, float, np.random.default_rng(0))
    batches = X.reshape(4, 100, N_FEATURES)
    assert [learner.step(batch)["n_replaced"] for batch in batches] == replaced
    moved = ~np.isclose(learner.atoms, start).all(axis=1)
    assert moved.sum() == sum(replaced)
    assert not moved[:4].any()


# Warm starts


@pytest.mark.parametrize("batch_size", [None, 100, 70])
def test_samples_seen_again_start_from_their_last_codes(X, batch_size):
    last = {}
    n_warm = 0

    def spy(X, dictionary, penalty, *, init=None):
        nonlocal n_warm
        result = encode(X, dictionary, penalty, init=init)
        for x, start, code in zip(X, init.to_dense(), result.code.to_dense()):
            np.testing.assert_allclose(start, last.get(x.tobytes(), 0.0 * start), rtol=1e-12)
            n_warm += start.any()
            last[x.tobytes()] = code
        return result

    learning._loop.learn(
        Stay(), X, 6, L1(0.1), solver=spy, alpha_ratio=None, init="gaussian", constraint=None,
        skip_unconverged=False, dead_after=None, max_cosine=None, warm_start=True,
        batch_size=batch_size, n_batches=9, held_out=None, held_out_every=1, patience=None,
        checkpoint=None, checkpoint_every=1, callback=None, progress=False, rng=0, n_threads=None,
    )  # fmt: skip
    assert n_warm > 200


def test_codes_are_rescaled_with_their_atoms(X):
    class Stretch(GradientRule):
        def update(self, step, atoms, batch):
            return atoms * np.arange(1, 7)[:, None]

    learner = Learner(Stretch(), L1(0.1))
    learner.start(6, N_FEATURES, float, np.random.default_rng(0))
    codes = learner.encode(X[:20]).code.to_dense()
    learner.step(X[:20])
    np.testing.assert_allclose(learner.codes.to_dense(), codes * np.arange(1, 7))


@every_learner
def test_with_a_convex_penalty_a_warm_start_changes_little(X, learn):
    run = partial(
        learn, X, 8, L1(0.1), solver=partial(cd, tol=1e-8), batch_size=100, n_batches=12, rng=0
    )
    cold, warm = run(), run(warm_start=True)
    np.testing.assert_allclose(warm.history["objective"], cold.history["objective"], rtol=1e-5)
    assert not np.array_equal(warm.dictionary, cold.dictionary)


def test_a_warm_start_needs_a_solver_that_takes_it(X):
    with pytest.raises(TypeError, match="warm_start needs a solver that takes init; got functools"):
        ksvd(X, 6, None, solver=partial(omp, n_nonzero=2), warm_start=True)
    ksvd(X, 6, L1(0.1), solver=fista, warm_start=True, n_batches=2, rng=0)


@given(
    order=st.permutations(range(9)),
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=6),
    seed=st.integers(0, 99),
)
def test_last_codes_are_an_array_of_codes(order, sizes, seed):
    rng = np.random.default_rng(seed)
    dense, kept = np.zeros((9, 4)), LastCodes(9, 4, np.dtype(float))
    for _ in range(2):
        for size in sizes:
            rows = np.array(order)[(np.arange(size) + rng.integers(9)) % 9]
            np.testing.assert_array_equal(kept[rows].to_dense(), dense[rows])
            dense[rows] = rng.normal(size=(size, 4)) * (rng.random((size, 4)) < 0.5)
            kept.keep(rows, SparseCode.from_dense(dense[rows]))
        copy = LastCodes(9, 4, np.dtype(float))
        copy.restore(kept.state())
        np.testing.assert_array_equal(copy[np.arange(9)].to_dense(), dense)


# Held-out samples


def test_the_best_atoms_are_returned_and_learning_stops(X):
    seen = []
    result = olshausen_field(
        X[100:], N_ATOMS, L1(0.1), learning_rate=400.0, batch_size=20, n_batches=400,
        held_out=X[:100], held_out_every=2, patience=3, rng=0,
        callback=lambda step, row, atoms: seen.append((row["held_out"], atoms)),
    )  # fmt: skip
    assert result.stopped_early
    column = result.history["held_out"]
    assert result.n_batches == len(seen) == len(column) < 400
    assert np.isnan(column[0::2]).all()
    assert np.isfinite(column[1::2]).all()
    evaluated = column[1::2]
    best = int(np.argmin(evaluated))
    assert len(evaluated) == best + 4  # three more that are no better
    np.testing.assert_array_equal(result.dictionary, seen[2 * best + 1][1])
    objective = encode(X[:100], result.dictionary, L1(0.1)).objective.mean()
    np.testing.assert_allclose(evaluated[best], objective)
    assert np.linalg.norm(result.dictionary - seen[-1][1]) > 0.1


def test_the_last_batch_is_evaluated_too(X):
    result = mod(X[100:], 6, L1(0.1), n_batches=5, held_out=X[:100], held_out_every=4, rng=0)
    assert np.flatnonzero(np.isfinite(result.history["held_out"])).tolist() == [3, 4]
    assert not result.stopped_early


def test_without_held_out_samples_nothing_is_evaluated(X):
    result = mod(X, 6, L1(0.1), n_batches=2, rng=0)
    assert np.isnan(result.history["held_out"]).all()
    assert not result.stopped_early


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"held_out": np.ones((3, 2))}, ValueError, r"held_out must have shape \(n_samples, 12\)"),
        ({"held_out": np.ones((0, 12))}, ValueError, "held_out must hold samples; got none"),
        ({"held_out_every": 0}, ValueError, "held_out_every must be at least 1; got 0"),
        ({"patience": 0}, ValueError, "patience must be at least 1; got 0"),
        ({"constraint": "even"}, ValueError, "constraint must be one of None, .*got 'even'"),
        ({"init": "zeros"}, ValueError, "init must be one of 'gaussian', 'samples'; got 'zeros'"),
        ({"max_cosine": 1.5}, ValueError, "max_cosine must lie above 0 and at most at 1; got 1.5"),
        ({"dictionary": -2}, ValueError, "number of atoms, must be at least 1; got -2"),
    ],
)
def test_bad_arguments(X, changes, error, said):
    for learn in LEARNERS.values():
        with pytest.raises(error, match=said):
            learn(**{"batches": X, "dictionary": 3, "penalty": L1(0.1)} | changes)


# Batches of all samples


@pytest.mark.parametrize("learn", [ksvd, mod])
def test_a_batch_is_all_samples_in_their_order(X, learn):
    seen = []

    def spy(X, dictionary, penalty):
        seen.append(X.copy())
        return encode(X, dictionary, penalty)

    result = learn(X[:50], 6, L1(0.1), solver=spy, rng=0)
    assert result.n_batches == len(seen) == 30
    for batch in seen:
        np.testing.assert_array_equal(batch, X[:50])
    assert learn(X[:50], 6, L1(0.1), batch_size=20, rng=0).n_batches == 60


def test_cold_starts_are_the_default_for_they_find_lower_minima(X):
    final = {}
    for warm in (False, True):
        runs = [
            mod(X, N_ATOMS, CEL0(0.05), warm_start=warm, rng=seed, n_threads=1) for seed in range(3)
        ]
        final[warm] = np.mean([run.history["objective"][-1] for run in runs])
    assert final[False] < final[True]
