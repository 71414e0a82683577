"""DictionaryLearner: the learners' atoms, scikit-learn's manners."""

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.callback import ScoringMonitor
from sklearn.decomposition import MiniBatchDictionaryLearning
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline

from sparsecode import learning
from sparsecode.core import match, normalize
from sparsecode.datasets import planted_codes
from sparsecode.estimators import DictionaryLearner, SparseEncoder, negative_objective
from sparsecode.penalties import L1
from sparsecode.solvers import encode

N_ATOMS, N_FEATURES = 16, 12
METHODS = ("online", "gradient", "mod", "ksvd")
every_method = pytest.mark.parametrize("method", METHODS)


@pytest.fixture(scope="module")
def planted():
    return planted_codes(
        1000, n_atoms=N_ATOMS, n_features=N_FEATURES, n_active=2, amplitudes="uniform", rng=3
    )


@pytest.fixture(scope="module")
def X(planted):
    return planted.X


def learner(**parameters):
    defaults = {"alpha": 0.1, "batch_size": 100, "n_epochs": 2, "random_state": 0, "n_threads": 1}
    return DictionaryLearner(**{"n_atoms": N_ATOMS, **defaults, **parameters})


def same(one, other):
    """Say whether two learners have learned the same, bit by bit."""
    return (
        np.array_equal(one.dictionary_, other.dictionary_)
        and one.dictionary_.dtype == other.dictionary_.dtype
        and one.n_iter_ == other.n_iter_
        and all(np.array_equal(one.history_[name], other.history_[name]) for name in one.history_)
    )


# What is learned


@every_method
def test_it_steps_as_the_functions_do(X, method):
    """Batches in their order: the estimator adds nothing of its own to the rule."""
    function = getattr(learning, "olshausen_field" if method == "gradient" else method)
    atoms = normalize(np.random.default_rng(1).normal(size=(N_ATOMS, N_FEATURES)))
    expected = function(
        X.reshape(10, 100, N_FEATURES), atoms, L1(0.1), dead_after=3, max_cosine=0.9
    )
    fitted = learner(
        method=method, init=atoms, n_epochs=1, shuffle=False, dead_after=3, max_cosine=0.9
    ).fit(X)
    np.testing.assert_array_equal(fitted.dictionary_, expected.dictionary)
    for name in fitted.history_:
        np.testing.assert_array_equal(fitted.history_[name], expected.history[name])
    assert np.abs(atoms - fitted.dictionary_).max() > 0.01


def test_planted_atoms_are_found():
    cosines = []
    for seed in (10, 11, 12):
        planted = planted_codes(
            4000, n_atoms=24, n_features=32, n_active=2, amplitudes="uniform", rng=seed
        )
        fitted = learner(n_atoms=24, alpha=0.2, n_epochs=10, random_state=100 + seed).fit(planted.X)
        cosines.append(match(fitted.dictionary_, planted.dictionary, signed=False).cosines)
        assert fitted.score(planted.X) > 0.9
    assert np.mean(np.stack(cosines) > 0.99) >= 0.95


def test_attributes_describe_what_was_learned(X):
    fitted = learner(batch_size=250).fit(X)
    assert fitted.dictionary_.shape == (N_ATOMS, N_FEATURES)
    np.testing.assert_allclose(np.linalg.norm(fitted.dictionary_, axis=1), 1.0)
    assert fitted.components_ is fitted.dictionary_
    assert fitted.penalty_ == L1(0.1)
    assert fitted.n_features_in_ == N_FEATURES
    assert fitted.n_iter_ == 8
    assert {len(column) for column in fitted.history_.values()} == {8}
    assert fitted.history_["objective"][-1] < fitted.history_["objective"][0]


def test_one_pass_is_at_least_as_good_as_scikit_learns(X):
    seen, unseen = X[:800], X[800:]
    theirs = MiniBatchDictionaryLearning(
        N_ATOMS, alpha=0.1, batch_size=100, max_iter=1, random_state=0
    ).fit(seen)
    ours = learner(n_epochs=1).fit(seen)
    encoder = SparseEncoder(theirs.components_, alpha=0.1)
    assert negative_objective(ours, unseen) >= negative_objective(encoder, unseen)


def test_every_sample_takes_part_in_each_pass(X):
    fitted = learner(batch_size=300).fit(X[:700])  # three batches of 233 or 234
    assert fitted.n_iter_ == 6
    for whole in (
        {"batch_size": None},
        {"batch_size": 5000},
        {"batch_size": "auto", "method": "mod"},
    ):
        assert learner(**whole).fit(X[:700]).n_iter_ == 2
    assert learner(batch_size="auto").fit(X[:700]).n_iter_ == 6


def test_constraints_hold(X):
    fitted = learner(constraint="positive", positive=True).fit(np.abs(X))
    assert (fitted.dictionary_ >= 0).all()
    assert (fitted.transform(np.abs(X)) >= 0).all()
    fitted = learner(constraint="mean_free").fit(X)
    np.testing.assert_allclose(fitted.dictionary_.mean(axis=1), 0, atol=1e-12)


def test_it_codes_with_what_it_learned(X):
    fitted = learner(output="sparse").fit(X)
    expected = encode(X[:9], fitted.dictionary_, L1(0.1))
    assert fitted.encode(X[:9]).code == expected.code
    codes = fitted.transform(X[:9])
    np.testing.assert_array_equal(codes.toarray(), expected.code.to_dense())
    np.testing.assert_allclose(fitted.inverse_transform(codes), codes @ fitted.dictionary_)
    assert negative_objective(fitted, X[:9]) == -expected.objective.mean()


def test_pursuits_learn_too(X):
    fitted = learner(solver="omp", n_nonzero=2, alpha=None).fit(X)
    assert fitted.penalty_ is None
    assert (fitted.encode(X).code.n_active <= 2).all()
    assert fitted.score(X) > 0.8


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_of_samples_is_kept_and_bits_do_not_depend_on_threads(X, dtype):
    one, two, most = (learner(n_threads=n).fit(X.astype(dtype)) for n in (1, 2, None))
    assert same(one, two)
    assert same(one, most)
    assert one.dictionary_.dtype == dtype
    assert one.transform(X[:3].astype(dtype)).dtype == dtype
    assert one.partial_fit(X.astype(np.float64)).dictionary_.dtype == dtype


def test_random_states_of_every_kind(X):
    def learned(random_state):
        return learner(random_state=random_state).fit(X).dictionary_

    for make in (int, np.random.RandomState, np.random.default_rng):
        np.testing.assert_array_equal(learned(make(7)), learned(make(7)))
    assert not np.array_equal(learned(7), learned(8))
    assert not np.array_equal(learned(None), learned(None))
    state = np.random.RandomState(7)
    assert not np.array_equal(learned(state), learned(state))  # it goes on


# Batch by batch


@every_method
def test_partial_fit_makes_the_steps_of_fit(X, method):
    atoms = np.random.default_rng(1).normal(size=(N_ATOMS, N_FEATURES))
    at_once = learner(method=method, init=atoms, n_epochs=1, shuffle=False).fit(X)
    step_by_step = learner(method=method, init=atoms)
    for batch in X.reshape(10, 100, N_FEATURES):
        assert step_by_step.partial_fit(batch) is step_by_step
    assert same(at_once, step_by_step)


@every_method
def test_partial_fit_goes_on_after_fit_and_after_a_pickle(X, method):
    one = learner(method=method).fit(X)
    other, third = pickle.loads(pickle.dumps(one)), copy.deepcopy(one)
    for fitted in (one, other, third):
        fitted.partial_fit(X[:50]).partial_fit(X[50:80])
        assert fitted.n_iter_ == 22
    assert same(one, other)
    assert same(one, third)


def test_fit_starts_anew(X):
    fitted = learner().partial_fit(X[:100])
    assert same(fitted.fit(X), learner().fit(X))


def test_a_new_alpha_serves_the_next_batch(X):
    fitted = learner().fit(X).set_params(alpha=0.3)
    expected = encode(X[:50], fitted.dictionary_, L1(0.3), n_threads=1).objective.mean()
    assert fitted.partial_fit(X[:50]).history_["objective"][-1] == expected
    assert fitted.penalty_ == L1(0.3)


def test_another_method_cannot_go_on(X):
    fitted = learner().fit(X).set_params(method="gradient")
    with pytest.raises(ValueError, match="method must stay 'online' for partial_fit"):
        fitted.partial_fit(X)
    fitted.fit(X)


# The manners


def test_it_is_a_well_behaved_member_of_pipelines_and_searches(X):
    y = X[:, 0] > 0
    model = make_pipeline(learner(n_epochs=1), LogisticRegression())
    search = GridSearchCV(
        model,
        {"dictionarylearner__alpha": [0.05, 0.3], "dictionarylearner__method": ["online", "mod"]},
        cv=2,
        error_score="raise",
    ).fit(X, y)
    assert search.score(X, y) > 0.7
    search = GridSearchCV(
        learner(n_epochs=1),
        {"n_atoms": [2, 16], "method_options": [{"forgetting": 1.0}, None]},
        scoring=negative_objective,
        cv=2,
        error_score="raise",
    ).fit(X)
    assert search.best_params_["n_atoms"] == 16


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_jobs_learn_the_same(X, n_jobs):
    scores = cross_validate(
        learner(n_threads=2), X.astype(np.float32), cv=2, n_jobs=n_jobs, return_estimator=True
    )
    for fitted, rows in zip(scores["estimator"], (slice(500, 1000), slice(0, 500))):
        assert same(fitted, learner().fit(X[rows].astype(np.float32)))


def test_clones_know_nothing(X):
    fitted = learner(penalty=L1(0.2), alpha=None).fit(X)
    fresh = clone(fitted)
    assert fresh.get_params() == fitted.get_params()
    for method in ("transform", "encode", "score", "inverse_transform"):
        with pytest.raises(NotFittedError):
            getattr(fresh, method)(X)
    assert not hasattr(fresh, "components_")


def test_names_of_columns_and_of_codes(X):
    frame = pd.DataFrame(X, columns=[f"pixel{i}" for i in range(N_FEATURES)])
    fitted = learner().set_output(transform="pandas").fit(frame)
    assert fitted.transform(frame).columns.tolist() == [
        f"dictionarylearner{j}" for j in range(N_ATOMS)
    ]
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.partial_fit(frame.rename(columns={"pixel0": "other"}))


def test_callbacks_follow_each_epoch_and_can_end_it(X):
    monitor = ScoringMonitor(scoring={"objective": negative_objective})
    fitted = learner(n_epochs=3).set_callbacks(monitor).fit(X, np.zeros(len(X)))
    rows = monitor.get_logs().data
    assert [row["task_name"] for row in rows] == ["fit", "epoch", "epoch", "epoch"]
    assert rows[0]["objective"] == rows[-1]["objective"] == negative_objective(fitted, X)
    assert rows[1]["objective"] < rows[-1]["objective"]

    class Stop:
        def setup(self, estimator, context): ...
        def teardown(self, estimator, context): ...
        def on_fit_task_begin(self, estimator, context): ...
        def on_fit_task_end(self, estimator, context):
            return context.task_name == "epoch" and context.task_id == 1

    fitted = learner(n_epochs=9).set_callbacks(Stop()).fit(X)
    assert fitted.n_iter_ == 20


def test_verbose_shows_a_bar(X, capsys):
    learner(verbose=True).fit(X)
    assert "learning" in capsys.readouterr().err


def test_unconverged_samples_are_said_once_a_call(X):
    slow = learner(alpha=0.001, solver_options={"max_iter": 1, "tol": 1e-12})
    for call in (slow.fit, slow.partial_fit, slow.transform):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call(X)
        assert [warning.category for warning in caught] == [ConvergenceWarning]
    with pytest.warns(ConvergenceWarning, match=r"of 2000 samples did not converge"):
        slow.fit(X)


# Bad input


def test_fewer_samples_than_atoms_are_allowed_and_said_once(X):
    with pytest.warns(UserWarning, match="X has 10 samples, fewer than the 16 atoms") as caught:
        fitted = learner().fit(X[:10])
    assert len(caught) == 1
    assert fitted.dictionary_.shape == (N_ATOMS, N_FEATURES)
    learner().partial_fit(X[:10])  # a batch is small by nature


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"n_atoms": 0}, ValueError, "n_atoms must be at least 1; got 0"),
        ({"n_atoms": -3}, ValueError, "n_atoms must be at least 1; got -3"),
        ({"n_atoms": 2.5}, TypeError, "n_atoms must be an integer; got 2.5"),
        ({"n_epochs": 0}, ValueError, "n_epochs must be at least 1; got 0"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1; got 0"),
        ({"batch_size": "all"}, ValueError, "batch_size must be one of 'auto'; got 'all'"),
        ({"dead_after": 0}, ValueError, "dead_after must be at least 1; got 0"),
        ({"max_cosine": 2.0}, ValueError, "max_cosine must lie above 0 and at most at 1"),
        ({"method": "lars"}, ValueError, "method must be one of .*'online'.*; got 'lars'"),
        ({"method_options": "fast"}, TypeError, "method_options must be a dict or None"),
        ({"method_options": {"speed": 1}}, ValueError, "method_options of 'online' must be one of"),
        ({"method_options": {"forgetting": -1}}, ValueError, "forgetting must be finite and above"),
        ({"constraint": "round"}, ValueError, "constraint must be one of"),
        ({"init": "svd"}, ValueError, "init must be one of 'samples', 'gaussian'; got 'svd'"),
        ({"init": np.ones((3, 2))}, ValueError, r"init must have shape \(16, 12\)"),
        ({"init": np.zeros((16, 12))}, ValueError, "init must have no atom of norm 0"),
        ({"penalty": "l1", "alpha": None}, ValueError, "needs alpha or alpha_ratio"),
        ({"random_state": "seed"}, TypeError, "random_state"),
    ],
)  # fmt: skip
def test_bad_parameters_are_refused_in_one_sentence(X, parameters, error, message):
    with pytest.raises(error, match=message):
        learner().set_params(**parameters).fit(X)
    if not {"n_epochs", "batch_size"} & set(parameters):
        with pytest.raises(error, match=message):
            learner().set_params(**parameters).partial_fit(X)


def test_bad_samples_are_refused(X):
    fitted = learner().fit(X)
    for call in (fitted.partial_fit, fitted.transform, fitted.score, learner().fit):
        with pytest.raises(ValueError, match="Input X contains NaN"):
            call(np.full((2, N_FEATURES), np.nan))
        with pytest.raises(ValueError, match="Reshape your data"):
            call(X[0])
    for call in (fitted.partial_fit, fitted.transform, fitted.score):
        with pytest.raises(ValueError, match=r"X has 11 features.* expecting 12"):
            call(X[:, 1:])
    for call in (fitted.partial_fit, learner().partial_fit, learner().fit):
        with pytest.raises(ValueError, match="minimum of 1 is required"):
            call(X[:0])


def test_samples_of_zeros_and_of_one_value_have_a_defined_answer():
    for X in (np.zeros((30, N_FEATURES)), np.full((30, N_FEATURES), 0.7)):
        fitted = learner().fit(X)
        np.testing.assert_allclose(np.linalg.norm(fitted.dictionary_, axis=1), 1.0)
        assert np.isfinite(fitted.transform(X)).all()
        assert np.isnan(fitted.score(X))  # nothing varies
