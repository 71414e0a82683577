"""ConvDictionaryLearner: the convolutional learners' atoms, scikit-learn's manners."""

import copy
import pickle
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from sparsecode import convolutional, estimators
from sparsecode.convolutional import draw_atoms, learn_alternating, learn_online
from sparsecode.core import load_arrays, load_metadata, save_arrays
from sparsecode.estimators import (
    ConvDictionaryLearner,
    DictionaryLearner,
    SparseEncoder,
    negative_objective,
)
from sparsecode.penalties import CEL0, L1

N_ATOMS = 4
#: Samples of every form, and a kernel for each: signals or images, of one or more channels.
FORMS = {
    "signals": ((5, 1, 60), 7),
    "signals of channels": ((5, 2, 40), (6,)),
    "images": ((5, 1, 18, 20), (5, 4)),
    "images of channels": ((4, 3, 16, 16), 4),
}
every_form = pytest.mark.parametrize("form", FORMS)
every_method = pytest.mark.parametrize("method", ["online", "alternating"])
BOUNDARIES = ("circular", "zero", "valid")


def samples(form="images", dtype=np.float64):
    return np.random.default_rng(0).normal(size=FORMS[form][0]).astype(dtype)


@pytest.fixture(scope="module")
def X():
    return samples()


def learner(form="images", **parameters):
    defaults = {
        "penalty": L1(0.8), "n_epochs": 2, "step": (10.0, 1000.0), "random_state": 0,
        "n_threads": 1, "solver_options": {"tol": 1e-3},
    }  # fmt: skip
    return ConvDictionaryLearner(N_ATOMS, FORMS[form][1], **{**defaults, **parameters})


def first_atoms(form="images"):
    shape, kernel = FORMS[form]
    kernel = (kernel,) * (len(shape) - 2) if isinstance(kernel, int) else kernel
    return np.random.default_rng(1).normal(size=(N_ATOMS, shape[1], *kernel))


def same(one, other):
    """Say whether two learners have learned the same, bit by bit."""
    return (
        np.array_equal(one.dictionary_, other.dictionary_)
        and one.dictionary_.dtype == other.dictionary_.dtype
        and one.n_steps_ == other.n_steps_
        and np.array_equal(one._silent_for, other._silent_for)
        and all(np.array_equal(one.history_[name], other.history_[name]) for name in one.history_)
    )


# What is learned


@every_form
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_online_fits_are_those_of_learn_online(form, boundary):
    X, rng = samples(form), np.random.default_rng(0)
    atoms = draw_atoms(X, N_ATOMS, FORMS[form][1], rng=rng)
    solver = partial(convolutional.greedy_cd, tol=1e-3)
    common = dict(boundary=boundary, step=(10.0, 1000.0), batch_size=2, dead_after=3)
    expected = learn_online(X, atoms, L1(0.8), solver=solver, n_steps=5, rng=rng, **common)
    fitted = learner(form, n_steps=5, **common).fit(X)
    np.testing.assert_array_equal(fitted.dictionary_, expected.dictionary)
    for name, column in expected.history.items():
        np.testing.assert_array_equal(fitted.history_[name], column)
    assert np.abs(fitted.dictionary_ - atoms).max() > 0.001


@every_form
def test_alternating_fits_are_those_of_learn_alternating(form):
    X, atoms = samples(form), first_atoms(form)
    solver = partial(convolutional.greedy_cd, tol=1e-3)
    expected = learn_alternating(
        X, atoms, L1(0.8), solver=solver, n_epochs=3, n_sweeps=2, constraint="mean_free"
    )
    fitted = learner(
        form, method="alternating", init=atoms, n_epochs=3, n_sweeps=2, constraint="mean_free"
    ).fit(X)
    np.testing.assert_array_equal(fitted.dictionary_, expected.dictionary)
    for name, column in expected.history.items():
        np.testing.assert_array_equal(fitted.history_[name], column)


@pytest.mark.parametrize(
    ("parameters", "solver", "penalty", "options"),
    [
        ({"penalty": "l1", "alpha_ratio": 0.3}, "greedy_cd", "l1", {"alpha_ratio": 0.3}),
        ({"alpha": 0.9}, "greedy_cd", L1(0.9), {}),
        ({"penalty": CEL0(0.5)}, "greedy_cd", CEL0(0.5), {}),
        ({"positive": True}, "greedy_cd", L1(0.8, positive=True), {}),
        ({"solver": "fista"}, "fista", L1(0.8), {}),
        ({"solver": "admm"}, "admm", L1(0.8), {}),
        ({"solver": "interior_point"}, "interior_point", L1(0.8), {}),
        ({"solver": "mp", "penalty": None, "n_nonzero": 9}, "mp", None, {"n_nonzero": 9}),
        (
            {"solver": "mp", "penalty": None, "error": 15.0, "positive": True},
            "mp", None, {"error": 15.0, "positive": True},
        ),
    ],
)  # fmt: skip
def test_parameters_ask_for_the_solvers_codes(X, parameters, solver, penalty, options):
    options = {**options, "tol": 1e-3} if solver != "mp" else options
    given = {"solver_options": None} if solver == "mp" else {}
    fitted = learner(**parameters, **given, n_steps=2).fit(X)
    solve = partial(getattr(convolutional, solver), **options)
    arguments = [] if penalty is None else [penalty]
    expected = solve(X, fitted.dictionary_, *arguments)
    result = fitted.encode(X)
    assert result.code == expected.code
    assert result.code.nnz > 0
    np.testing.assert_array_equal(result.certificate, expected.certificate)
    learned = learn_online(
        X, draw_atoms(X, N_ATOMS, (5, 4), rng=(rng := np.random.default_rng(0))), penalty,
        solver=solve, step=(10.0, 1000.0), n_steps=2, rng=rng,
    )  # fmt: skip
    np.testing.assert_array_equal(fitted.dictionary_, learned.dictionary)


def test_a_solver_may_be_a_function(X):
    named = learner(n_steps=2).fit(X)
    given = partial(convolutional.greedy_cd, tol=1e-3)
    called = learner(n_steps=2, solver=given, solver_options=None).fit(X)
    assert same(named, called)


def test_attributes_describe_what_was_learned(X):
    fitted = learner(batch_size=2, n_epochs=3).fit(X)  # a sample is left over in each pass
    assert fitted.dictionary_.shape == (N_ATOMS, 1, 5, 4)
    np.testing.assert_allclose(np.linalg.norm(fitted.dictionary_, axis=(2, 3)), 1.0)
    assert fitted.penalty_ == L1(0.8)
    assert fitted.n_features_in_ == 1
    assert fitted.n_steps_ == 6
    assert {len(column) for column in fitted.history_.values()} == {6}
    assert learner(batch_size=99).fit(X).n_steps_ == 2
    assert learner(n_steps=7).fit(X).n_steps_ == 7
    assert learner(method="alternating").fit(X).n_steps_ == 2


@pytest.mark.parametrize("init", ["windows", "noise"])
def test_first_atoms_depend_on_the_random_state_alone(X, init):
    def learned(random_state):
        return learner(init=init, random_state=random_state).fit(X).dictionary_

    for make in (int, np.random.RandomState, np.random.default_rng):
        np.testing.assert_array_equal(learned(make(7)), learned(make(7)))
    assert not np.array_equal(learned(7), learned(8))
    assert not np.array_equal(learned(None), learned(None))


def test_a_bank_is_what_learning_starts_from(X):
    bank = first_atoms()
    fitted = learner(init=bank.tolist(), step=(1e-12, 1.0), n_steps=1).fit(X)
    norms = np.linalg.norm(bank, axis=(2, 3), keepdims=True)  # over the one channel
    np.testing.assert_allclose(fitted.dictionary_, bank / norms, atol=1e-8)


@every_form
@every_method
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_kept_and_bits_do_not_depend_on_threads(form, method, dtype):
    X = samples(form, dtype)
    one, two, most = (learner(form, method=method, n_threads=n).fit(X) for n in (1, 2, None))
    assert same(one, two)
    assert same(one, most)
    assert one.dictionary_.dtype == dtype
    code = one.transform(X)
    assert code.values.dtype == dtype == one.reconstruct(code).dtype
    assert code == two.transform(X) == most.transform(X)
    assert one.partial_fit(X.astype(np.float64)).dictionary_.dtype == dtype
    assert same(one, two.partial_fit(X.astype(np.float64)))


# Batch by batch


@every_form
def test_partial_fit_makes_the_steps_of_learn_online(form):
    X, atoms = samples(form), first_atoms(form)
    batches = [X[:2], X[2:3], X[3:]]
    solver = partial(convolutional.greedy_cd, tol=1e-3)
    expected = learn_online(
        iter(batches), atoms, L1(0.8), solver=solver, step=(10.0, 1000.0), dead_after=1
    )
    fitted = learner(form, init=atoms, dead_after=1)
    for batch in batches:
        assert fitted.partial_fit(batch) is fitted
    np.testing.assert_array_equal(fitted.dictionary_, expected.dictionary)
    for name, column in expected.history.items():
        np.testing.assert_array_equal(fitted.history_[name], column)


def test_partial_fit_makes_the_steps_of_fit(X):
    whole = learner(batch_size=5, init=first_atoms(), n_epochs=3).fit(X)
    order, step_by_step = np.random.default_rng(0), learner(init=first_atoms())
    for _ in range(3):
        step_by_step.partial_fit(X[order.permutation(5)])
    assert same(whole, step_by_step)


def test_images_of_batches_may_differ_in_size():
    rng = np.random.default_rng(0)
    batches = [rng.normal(size=(n, 2, 10 + n, 15 - n)) for n in (1, 2, 3)]
    solver = partial(convolutional.greedy_cd, tol=1e-3)
    start = draw_atoms(batches[0], N_ATOMS, (5, 4), rng=0)
    expected = learn_online(batches, start, L1(0.8), solver=solver, step=(10.0, 1000.0))
    fitted = learner()
    for batch in batches:
        fitted.partial_fit(batch)
    np.testing.assert_array_equal(fitted.dictionary_, expected.dictionary)
    for batch in batches:
        assert fitted.reconstruct(fitted.transform(batch)).shape == batch.shape


@every_method
def test_partial_fit_goes_on_after_fit_and_after_a_pickle(X, method):
    one = learner(method=method, dead_after=2).fit(X)
    other, third = pickle.loads(pickle.dumps(one)), copy.deepcopy(one)
    n_steps = one.n_steps_
    for fitted in (one, other, third):
        fitted.partial_fit(X[:2]).partial_fit(X[2:, :, :12])
        assert fitted.n_steps_ == n_steps + 2
    assert same(one, other)
    assert same(one, third)


def test_fit_starts_anew(X):
    assert same(learner().partial_fit(X[:2]).fit(X), learner().fit(X))


def test_a_new_alpha_serves_the_next_batch(X):
    fitted = learner().fit(X).set_params(alpha=1.1)
    expected = convolutional.greedy_cd(X[:2], fitted.dictionary_, L1(1.1), tol=1e-3)
    fitted.partial_fit(X[:2])
    assert fitted.history_["objective"][-1] == expected.objective.mean()
    assert fitted.penalty_ == L1(1.1)


# Codes, and back


@every_form
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_codes_of_every_form_are_turned_back(form, boundary):
    X = samples(form)
    fitted = learner(form, boundary=boundary, n_epochs=1).fit(X)
    code = fitted.transform(X)
    expected = convolutional.reconstruct(code, fitted.dictionary_, boundary=boundary)
    assert expected.shape == X.shape
    maps = fitted.set_params(output="dense").transform(X)
    np.testing.assert_array_equal(maps, code.to_dense())
    assert maps.ndim == X.ndim
    rows = fitted.set_params(output="sparse").transform(X)
    assert isinstance(rows, sparse.csr_array)
    np.testing.assert_array_equal(rows.toarray(), maps.reshape(len(X), -1))
    for codes in (code, maps, maps.tolist()):
        np.testing.assert_array_equal(fitted.reconstruct(codes), expected)
        np.testing.assert_array_equal(fitted.inverse_transform(codes), expected)


def test_score_is_the_share_of_the_channels_variances(X):
    X = np.concatenate([X, 3.0 + 2.0 * X[:, :, ::-1]], axis=1)
    fitted = learner(penalty=L1(0.3)).fit(X)
    residual = X - fitted.reconstruct(fitted.transform(X))
    around = X - X.mean(axis=(0, 2, 3), keepdims=True)
    expected = 1.0 - np.sum(residual**2) / np.sum(around**2)
    np.testing.assert_allclose(fitted.score(X), expected)
    assert 0.1 < expected < 1.0
    assert np.isfinite(fitted.score(X[:1]))  # a single image has a variance


def test_no_sample_gives_no_code(X):
    fitted = learner().fit(X)
    code = fitted.transform(X[:0])
    assert (code.n_samples, code.unit_shape) == (0, (N_ATOMS, 18, 20))
    assert fitted.reconstruct(code).shape == (0, 1, 18, 20)
    with pytest.raises(ValueError, match="X must hold at least one sample; got none"):
        fitted.score(X[:0])
    encoder = SparseEncoder(np.eye(3)).fit(np.ones((2, 3)))
    with pytest.raises(ValueError, match="X must hold at least one sample; got none"):
        encoder.score(np.ones((0, 3)))


# The manners


def test_parameters_are_stored_untouched_and_cloned(X):
    given = {
        "init": first_atoms(), "kernel_shape": [5, 4], "n_atoms": N_ATOMS, "callback": print,
        "checkpoint": Path("course.safetensors"), "solver_options": {"tol": 1e-3}, "step": [1, 2],
        "random_state": np.random.default_rng(0), "boundary": "mirror", "n_epochs": -3,
    }  # fmt: skip
    built = ConvDictionaryLearner(**given)
    assert all(getattr(built, name) is value for name, value in given.items())
    fresh = clone(learner(penalty=L1(0.9)).fit(X))
    assert fresh.get_params() == learner(penalty=L1(0.9)).get_params()
    for method in ("transform", "encode", "score", "reconstruct", "inverse_transform"):
        with pytest.raises(NotFittedError):
            getattr(fresh, method)(X)


def test_it_takes_part_in_pipelines_and_searches(X):
    y = np.arange(5) % 2
    model = make_pipeline(learner(output="sparse", n_epochs=1), LogisticRegression()).fit(X, y)
    assert model.score(X, y) == 1.0
    search = GridSearchCV(
        learner(n_epochs=1), {"alpha": [2.0, 0.5]}, cv=2, error_score="raise"
    ).fit(X)
    assert search.best_params_ == {"alpha": 0.5}  # explained variance, the default
    scores = cross_val_score(learner(n_epochs=1), X, cv=2, scoring=negative_objective)
    assert np.isfinite(scores).all()
    fitted = learner().fit(X)
    expected = convolutional.greedy_cd(X, fitted.dictionary_, L1(0.8), tol=1e-3).objective
    assert negative_objective(fitted, X) == -expected.mean()


@every_method
def test_callbacks_follow_each_step(X, method):
    seen = []

    def look(step, row, atoms):
        seen.append((step, row["objective"]))
        assert not atoms.flags.writeable

    fitted = learner(method=method, callback=look).fit(X).partial_fit(X[:1])
    assert [step for step, _ in seen] == list(range(fitted.n_steps_))
    assert [objective for _, objective in seen] == fitted.history_["objective"].tolist()


def test_progress_shows_a_bar(X, capsys):
    learner(progress=True).fit(X)
    assert "learning" in capsys.readouterr().err


def test_unconverged_samples_are_said_once_a_call(X):
    slow = learner(penalty=L1(0.1), solver_options={"max_iter": 1, "tol": 1e-12})
    for call in (slow.fit, slow.partial_fit, slow.transform):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call(X)
        assert [warning.category for warning in caught] == [ConvergenceWarning]
        assert caught[0].filename == __file__
    with pytest.warns(ConvergenceWarning, match="10 of 10 samples coded did not converge"):
        slow.fit(X)


# Files


@pytest.fixture(params=[".safetensors", ".npz"])
def path(request, tmp_path):
    return tmp_path / f"learner{request.param}"


@every_method
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_learners_come_back_and_go_on_to_the_same_bits(path, method, dtype):
    X = samples(dtype=dtype)
    fitted = learner(method=method, dead_after=2, checkpoint_every=3).fit(X)
    for batch in (X[:2], X[2:, :, 2:], X[:1]):
        fitted.save(path)
        again = estimators.load(path)
        assert same(again, fitted)
        assert again.get_params() == fitted.get_params()
        assert set(vars(again)) == set(vars(fitted))
        assert again.transform(X) == fitted.transform(X)
        assert same(again.partial_fit(batch), fitted.partial_fit(batch))


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"init": first_atoms(), "random_state": np.random.default_rng(3)},
        {"solver": "mp", "penalty": None, "n_nonzero": 9, "solver_options": None},
        {"solver": convolutional.fista, "penalty": "l1", "alpha_ratio": 0.3},
        {"solver": partial(convolutional.mp, n_nonzero=9), "penalty": None, "solver_options": None},
    ],
    ids=lambda parameters: str(list(parameters)),
)
def test_learners_without_atoms_come_back(path, X, parameters):
    given = learner(n_steps=2, **parameters)
    given.save(path)
    again = estimators.load(path)
    assert not hasattr(again, "dictionary_")
    assert same(again.fit(X), given.fit(X))


def test_what_belongs_to_one_run_is_not_saved(path, X):
    fitted = learner(callback=print, checkpoint="elsewhere.safetensors")
    fitted.save(path)
    again = estimators.load(path)
    assert again.callback is None
    assert again.checkpoint is None
    with pytest.raises(TypeError, match=r"parameters\.solver must be a registered solver"):
        learner(solver=lambda X, D, penalty, boundary: None).save(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"dictionary_": np.zeros((N_ATOMS, 1, 5, 4))},
        {"dictionary_": np.ones((N_ATOMS, 2, 5, 4))},
        {"dictionary_": np.ones((N_ATOMS, 1))},
        {"dictionary_": np.full((N_ATOMS, 1, 5, 4), np.nan)},
        {"_silent_for": np.zeros(N_ATOMS + 1, np.int64)},
    ],
    ids=["zeros", "channels", "axes", "nan", "silent"],
)
def test_atoms_that_no_learner_made_are_refused(tmp_path, X, changes):
    path = tmp_path / "learner.npz"
    learner().fit(X).save(path)
    arrays = load_arrays(path)
    assert {f"fitted.{name}" for name in changes} <= set(arrays)
    changed = arrays | {f"fitted.{name}": array for name, array in changes.items()}
    save_arrays(path, changed, load_metadata(path))
    with pytest.raises(ValueError, match="must hold a complete estimator"):
        estimators.load(path)


# Resuming


class Killed(Exception):
    pass


def kill(step, row, atoms):
    if step == 2:
        raise Killed


@every_method
@pytest.mark.parametrize(
    "init", ["windows", "noise", first_atoms()], ids=["windows", "noise", "bank"]
)
def test_a_killed_fit_goes_on_to_the_same_bits(X, tmp_path, method, init):
    kept = {"checkpoint": tmp_path / "course.safetensors", "checkpoint_every": 2}
    common = {"method": method, "init": init, "n_epochs": 6, "dead_after": 2}
    whole = learner(**common).fit(X)
    with pytest.raises(Killed):
        learner(**common, **kept, callback=kill).fit(X)
    seen = []
    resumed = learner(
        **common, **kept, n_threads=2, callback=lambda step, row, atoms: seen.append(step)
    ).fit(X)
    assert seen[0] == 2
    assert same(resumed, whole)
    assert same(learner(**common, **kept).fit(X), whole)  # nothing is left to do
    further = learner(**{**common, "n_epochs": 7}, **kept).fit(X)
    assert same(further, learner(**{**common, "n_epochs": 7}).fit(X))


def test_an_order_that_nobody_chose_is_gone_on_with(X, tmp_path):
    kept = {"checkpoint": tmp_path / "course.safetensors", "checkpoint_every": 2}
    common = {"init": first_atoms(), "random_state": None}
    with pytest.raises(Killed):
        learner(**common, **kept, callback=kill).fit(X)
    before = load_arrays(kept["checkpoint"])["history.objective"]
    fitted = learner(**common, **kept).fit(X)
    np.testing.assert_array_equal(fitted.history_["objective"][: len(before)], before)
    with pytest.raises(ValueError, match="random_state must be an integer for a checkpoint"):
        learner(random_state=None, **kept).fit(X)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"alpha": 0.9}, "alpha = None in the file, 0.9 here"),
        ({"solver_options": {"tol": 1e-2}}, "solver_options.tol = 0.001 in the file, 0.01 here"),
        ({"method": "alternating"}, "method = 'online' in the file, 'alternating' here"),
        ({"random_state": 1}, "dictionary = .* in the file"),
    ],
)
def test_checkpoints_of_other_learners_are_refused(X, tmp_path, change, named):
    path = tmp_path / "course.safetensors"
    learner(checkpoint=path).fit(X)
    with pytest.raises(ValueError, match=f"same configuration; got .*{named}"):
        learner(checkpoint=path, **change).fit(X)
    with pytest.raises(ValueError, match=r"same configuration; got .*samples = array"):
        learner(checkpoint=path, init=first_atoms()).fit(X + 1.0)


# Bad input


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"n_atoms": 0}, ValueError, "n_atoms must be at least 1; got 0"),
        ({"n_atoms": 2.5}, TypeError, "n_atoms must be an integer; got 2.5"),
        ({"n_atoms": 5000}, ValueError, "at least n_atoms = 5000 windows that are not 0"),
        ({"kernel_shape": 0}, ValueError, "kernel_shape must be at least 1; got 0"),
        ({"kernel_shape": (5, 4, 3)}, ValueError, "kernel_shape must be an integer or have the 2"),
        ({"kernel_shape": 19}, ValueError, "as large as an atom, 19 x 19; got 18 x 20"),
        (
            {"kernel_shape": 19, "init": "noise"},
            ValueError, "as large as an atom, 19 x 19; got 18 x 20",
        ),
        ({"method": "ksvd"}, ValueError, "method must be one of 'online', 'alternating'; got 'k"),
        ({"penalty": "l1"}, ValueError, "needs alpha or alpha_ratio"),
        ({"penalty": 3}, TypeError, "penalty must be a registered struct"),
        ({"alpha": -1.0}, ValueError, "alpha of l1 must be finite and above 0"),
        ({"alpha": 1.0, "alpha_ratio": 0.1}, ValueError, "exclude each other"),
        ({"n_nonzero": 3}, TypeError, "which the other parameters ask for; got 'greedy_cd'"),
        ({"solver": "cd"}, ValueError, "solver must be one of 'admm', .*; got 'cd'"),
        ({"solver": 3}, TypeError, "solver must be a name or a callable"),
        ({"solver_options": {"speed": 3}}, TypeError, "speed.*; got 'greedy_cd'"),
        ({"solver_options": 3}, TypeError, "solver_options must be a dict or None"),
        (
            {"solver_options": {"boundary": "valid"}},
            ValueError, "must leave boundary to .*; got 'valid'. Pass boundary='valid' to Conv",
        ),
        (
            {"alpha": 1.0, "solver_options": {"alpha_ratio": 0.1}},
            ValueError, "must leave alpha_ratio to .*; got 0.1. Pass alpha_ratio=0.1 to Conv",
        ),
        ({"boundary": "mirror"}, ValueError, "boundary must be one of .*'zero'.*; got 'mirror'"),
        ({"constraint": "round"}, ValueError, "constraint must be one of"),
        ({"init": "svd"}, ValueError, "init must be one of 'windows', 'noise'; got 'svd'"),
        ({"init": np.ones((3, 2))}, ValueError, r"init must have shape \(4, 1, 5, 4\)"),
        ({"init": np.zeros((4, 1, 5, 4))}, ValueError, "init must have no atom of norm 0"),
        ({"init": np.full((4, 1, 5, 4), np.nan)}, ValueError, "init must be finite"),
        ({"step": 0.1}, ValueError, r"step must be a pair \(a, b\)"),
        ({"n_sweeps": 0, "method": "alternating"}, ValueError, "n_sweeps must be at least 1"),
        ({"dead_after": 0}, ValueError, "dead_after must be at least 1; got 0"),
        (
            {"dead_after": "never"},
            ValueError, "dead_after must be an integer, None or 'auto'; got 'never'",
        ),
        ({"callback": 3}, TypeError, "callback must be callable or None; got 3. Pass a function"),
        ({"checkpoint": 3}, TypeError, "checkpoint must be a path or None; got 3. Pass the path"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1; got 0"),
        ({"n_epochs": 0}, ValueError, "n_epochs must be at least 1; got 0"),
        ({"n_steps": 0}, ValueError, "n_steps must be at least 1; got 0"),
        (
            {"n_steps": 3, "method": "alternating"},
            ValueError, "n_steps must be None for method='alternating'; got 3",
        ),
        ({"n_threads": 0}, ValueError, "n_threads must be at least 1; got 0"),
        ({"random_state": "seed"}, TypeError, "random_state must be an integer, a RandomState"),
        ({"checkpoint": "course.npz"}, ValueError, "checkpoint must be a .safetensors file"),
        ({"checkpoint_every": 0}, ValueError, "checkpoint_every must be at least 1; got 0"),
    ],
)  # fmt: skip
def test_bad_parameters_are_refused_in_one_sentence(X, parameters, error, message):
    with pytest.raises(error, match=message):
        learner().set_params(**parameters).fit(X)
    of_fit = {"method", "batch_size", "n_epochs", "n_steps", "checkpoint", "checkpoint_every"}
    if not of_fit & set(parameters):
        with pytest.raises(error, match=message):
            learner().set_params(**parameters).partial_fit(X)


@pytest.mark.parametrize(
    "repeated",
    [
        {"penalty": L1(0.2)}, {"alpha": 0.1}, {"alpha_ratio": 0.1}, {"n_nonzero": 2},
        {"error": 0.1}, {"positive": True}, {"n_threads": 1},
    ],
    ids=lambda repeated: next(iter(repeated)),
)  # fmt: skip
def test_no_estimator_takes_a_parameter_as_an_option_of_its_solver(X, repeated):
    (name,) = repeated
    rows = X[:, 0, 0]
    for estimator, data in (
        (ConvDictionaryLearner(N_ATOMS, (5, 4), solver_options=repeated), X),
        (DictionaryLearner(N_ATOMS, solver_options=repeated), rows),
        (SparseEncoder(rows, solver_options=repeated), rows),
    ):
        with pytest.raises(ValueError, match=f"solver_options must leave {name} to the parameter"):
            estimator.fit(data)


def test_options_that_only_share_a_name_with_a_parameter_go_to_the_solver(X):
    fitted = learner(solver="fista", n_epochs=1).fit(X)
    start = np.zeros((len(X), N_ATOMS, 18, 20))
    expected = fitted.encode(X).code
    assert fitted.set_params(solver_options={"tol": 1e-3, "init": start}).encode(X).code == expected


@pytest.mark.parametrize("kernel_shape", [np.array(4), np.array([4, 4]), np.int64(4)])
@pytest.mark.parametrize("init", ["windows", "noise"])
def test_the_shape_of_kernels_may_be_an_array(X, kernel_shape, init):
    np.testing.assert_array_equal(draw_atoms(X, 2, kernel_shape, rng=0), draw_atoms(X, 2, 4, rng=0))
    one, other = (
        learner(init=init).set_params(kernel_shape=shape).fit(X) for shape in (kernel_shape, 4)
    )
    assert same(one, other)
    with pytest.raises(TypeError, match=r"kernel_shape must be an integer; got 4\.5"):
        draw_atoms(X, 2, np.array(4.5))


def test_bad_samples_are_refused_in_one_sentence(X):
    fitted = learner().fit(X)
    calls = (learner().fit, fitted.partial_fit, learner().partial_fit, fitted.score)
    coding = (fitted.transform, fitted.encode)
    for call in (*calls, *coding):
        for shape in ((18, 20), (5,), (5, 1, 3, 18, 20), (5, 0, 18, 20), (5, 1, 0, 20)):
            with pytest.raises(ValueError, match=r"X must have shape \(n_samples, n_channels"):
                call(np.ones(shape))
        for bad in (np.nan, np.inf):
            with pytest.raises(ValueError, match="X must be finite; got 1800 NaN or infinite"):
                call(np.full_like(X, bad))
        with pytest.raises(TypeError, match="dense data is required"):
            call(sparse.csr_array(X[:, 0, 0]))
        with pytest.raises(ValueError, match="Complex data not supported"):
            call(X.astype(complex))
        with pytest.raises(ValueError, match=r"signals of one shape; got \(1, 17, 20\) and \(1, 1"):
            call([X[0], X[1, :, :17]])
        with pytest.raises(ValueError, match="X must be at least as large as an atom, 5 x 4; got"):
            call(X[:, :, :4])
    for call in calls:
        with pytest.raises(ValueError, match="X must hold at least one sample; got none"):
            call(X[:0])
    for call in (fitted.partial_fit, fitted.score, *coding):
        with pytest.raises(
            ValueError, match="X must have 1 channels, as the dictionary has; got 2"
        ):
            call(np.repeat(X, 2, axis=1))
        with pytest.raises(ValueError, match="as the dictionary has 4 axes"):
            call(X[:, 0])


def test_bad_codes_are_refused_in_one_sentence(X):
    fitted = learner().fit(X)
    rows = fitted.transform(X).to_scipy()
    for call in (fitted.reconstruct, fitted.inverse_transform):
        with pytest.raises(TypeError, match="which does not say how large maps are"):
            call(rows)
        with pytest.raises(ValueError, match=r"code must have 4 axes.*got \(5, 1440\)"):
            call(rows.toarray())
        with pytest.raises(ValueError, match="with 4 atoms and 2 axes"):
            call(np.ones((2, N_ATOMS + 1, 18, 20)))
        with pytest.raises(ValueError, match="maps of signals at least as large as an atom"):
            call(np.ones((2, N_ATOMS, 3, 20)))
    with pytest.raises(ValueError, match="output must be one of 'code', 'sparse', 'dense'"):
        learner(output="csr").fit(X).transform(X)
    with pytest.raises(ValueError, match="boundary must be one of"):
        fitted.set_params(boundary="mirror").transform(X)


def test_silence_has_a_defined_answer():
    X = np.zeros((3, 1, 18, 20))
    with pytest.raises(ValueError, match="windows that are not 0; got 0"):
        learner().fit(X)
    fitted = learner(init="noise", dead_after=1).fit(X)
    np.testing.assert_allclose(np.linalg.norm(fitted.dictionary_, axis=(2, 3)), 1.0)
    assert fitted.transform(X).nnz == 0
    assert np.isnan(fitted.score(X))  # nothing varies
