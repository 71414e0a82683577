"""Estimators are kept without pickle, and come back as they were, or not at all."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsecode import estimators
from sparsecode.core import SparseCode, load_arrays, load_metadata, save_arrays, save_code
from sparsecode.estimators import DictionaryLearner, SparseEncoder
from sparsecode.penalties import L1, MCP, ElasticNet
from sparsecode.solvers import cd, fista, omp

N_ATOMS, N_FEATURES = 6, 4
X = np.random.default_rng(0).normal(size=(60, N_FEATURES))
DICTIONARY = np.random.default_rng(1).normal(size=(N_ATOMS, N_FEATURES))
SMALL = {"batch_size": 20, "n_epochs": 1, "random_state": 0, "n_threads": 1}


def equal(one, other):
    """Say whether two values are the same: arrays by their bits, containers item by item."""
    one, other = (v.item() if isinstance(v, np.generic) else v for v in (one, other))
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, dict):
        return set(one) == set(other) and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(equal(a, b) for a, b in zip(one, other))
    if isinstance(one, partial):
        return one.func is other.func and equal(one.keywords, other.keywords)
    if isinstance(one, np.random.RandomState):
        return np.array_equal(one.randint(99, size=9), other.randint(99, size=9))
    if isinstance(one, np.random.Generator):
        return np.array_equal(one.integers(99, size=9), other.integers(99, size=9))
    return one == other


def same(one, other):
    return type(one) is type(other) and equal(vars(one), vars(other))


@pytest.fixture(params=[".safetensors", ".npz"])
def path(request, tmp_path):
    return tmp_path / f"estimator{request.param}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("estimators")


# What is saved comes back


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"penalty": L1(np.float64(0.2), positive=True), "output": "sparse", "n_threads": 2},
        {"penalty": L1(0.2, weights=np.linspace(1, 2, N_ATOMS))},
        {"penalty": ElasticNet(0.2, l1_ratio=0.7)},
        {"penalty": MCP(0.2, beta=3.0)},
        {"penalty": "l0", "alpha": np.float32(0.25)},
        {"penalty": "cel0", "alpha_ratio": 0.2},
        {"solver": "omp", "n_nonzero": np.int64(2)},
        {"solver": partial(omp, error=0.3), "positive": True},
        {"solver": fista, "solver_options": {"tol": 1e-3, "init": np.zeros((60, N_ATOMS))}},
    ],
)
def test_encoders_come_back(path, parameters):
    encoder = SparseEncoder(DICTIONARY, **parameters)
    encoder.save(path)
    again = estimators.load(path)
    assert same(again, encoder)


def test_what_comes_back_codes_as_before(path):
    for parameters in ({"penalty": L1(0.2, weights=np.arange(1.0, 7.0))}, {"n_nonzero": 2}):
        solver = "omp" if "n_nonzero" in parameters else "cd"
        encoder = SparseEncoder(DICTIONARY, solver=solver, **parameters)
        encoder.save(path)
        assert estimators.load(path).encode(X).code == encoder.encode(X).code


def test_dictionaries_of_any_form_and_dtype_come_back(path):
    for given_form in (DICTIONARY.tolist(), DICTIONARY.astype(np.float32), DICTIONARY > 0):
        encoder = SparseEncoder(given_form)
        encoder.save(path)
        assert same(estimators.load(path), encoder)
    SparseEncoder(pd.DataFrame(DICTIONARY)).save(path)
    np.testing.assert_array_equal(estimators.load(path).dictionary, DICTIONARY)


@pytest.mark.parametrize("method", ["online", "gradient", "mod", "ksvd"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_learners_come_back_and_go_on_to_the_same_bits(path, method, dtype):
    batches = X.astype(dtype).reshape(3, 20, N_FEATURES)
    learner = DictionaryLearner(N_ATOMS, method=method, **SMALL).fit(X.astype(dtype))
    for batch in batches:
        learner.save(path)
        again = estimators.load(path)
        assert same(again, learner)
        again.partial_fit(batch)
        assert same(again, learner.partial_fit(batch))


@pytest.mark.parametrize(
    "random_state",
    [
        None,
        3,
        np.random.default_rng(3),
        np.random.Generator(np.random.Philox(3)),
        np.random.RandomState(3),
    ],
    ids=lambda state: type(state).__name__,
)
def test_learners_without_atoms_come_back(path, random_state):
    learner = DictionaryLearner(
        N_ATOMS, random_state=random_state, init=DICTIONARY, method_options={"forgetting": 3.0}
    )
    learner.save(path)
    again = estimators.load(path)
    assert equal(again.get_params(), learner.get_params())
    assert not hasattr(again, "dictionary_")
    again.partial_fit(X)


def test_names_and_output_come_back(path):
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    learner = DictionaryLearner(N_ATOMS, **SMALL).set_output(transform="pandas").fit(frame)
    learner.save(path)
    again = estimators.load(path)
    pd.testing.assert_frame_equal(again.transform(frame), learner.transform(frame))
    assert same(again, learner)


def test_a_fitted_encoder_comes_back(path):
    encoder = SparseEncoder(DICTIONARY).fit(X)
    encoder.save(path)
    assert same(estimators.load(path), encoder)


# What cannot be saved is said, and nothing is written


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"solver": lambda X, D, penalty: None}, "parameters.solver must be a registered solver"),
        ({"solver": partial(lambda X: X, 3)}, "parameters.solver must be a registered solver"),
        ({"solver": partial(cd, init=object())}, "parameters.solver.init must be plain data"),
        ({"penalty": object()}, "parameters.penalty must be plain data, an array, a penalty"),
    ],
)
def test_what_has_no_words_is_refused(path, parameters, message):
    with pytest.raises(TypeError, match=message):
        SparseEncoder(DICTIONARY, **parameters).save(path)
    assert not path.exists()


def test_other_formats_are_refused(tmp_path):
    with pytest.raises(ValueError, match="the suffix of path must be one of"):
        SparseEncoder(DICTIONARY).save(tmp_path / "encoder.pkl")


# Damage and other files are a ValueError


def test_other_files_are_refused(path):
    save_arrays(path, {"a": np.ones(3)})
    with pytest.raises(ValueError, match=f"{path.name} must hold an estimator; got other arrays"):
        estimators.load(path)
    save_code(path, SparseCode.from_dense(np.eye(3)))
    with pytest.raises(ValueError, match="must hold an estimator"):
        estimators.load(path)
    with pytest.raises(FileNotFoundError):
        estimators.load(path.with_name("none" + path.suffix))


def change(path, **changes):
    """Save an encoder, some of its metadata replaced, with a checksum that agrees."""
    SparseEncoder(DICTIONARY).fit(X).save(path)
    save_arrays(path, load_arrays(path), {**load_metadata(path), **changes})


def test_unknown_estimators_are_named(path):
    change(path, **{"class": "DeepDictionaryLearner"})
    with pytest.raises(ValueError, match=r"must hold one of SparseEncoder.*'DeepDictionaryL"):
        estimators.load(path)
    change(path, **{"class": ["a", "list"]})
    with pytest.raises(ValueError, match="must hold one of SparseEncoder"):
        estimators.load(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"parameters": {"dict": {}}},
        {"parameters": {"dict": {"dictionary": {"array": "nowhere"}}}},
        {"parameters": {"dict": {"dictionary": 1, "temperature": 2}}},
        {"parameters": {"dict": {"dictionary": {"penalty": "l7", "fields": {}}}}},
        {"parameters": {"dict": {"dictionary": {"penalty": "l1", "fields": {"beta": 1}}}}},
        {"parameters": {"dict": {"dictionary": {"penalty": ["l1"], "fields": {}}}}},
        {"parameters": {"dict": {"dictionary": {"solver": "eval", "options": None}}}},
        {"parameters": {"dict": {"dictionary": {"os.system": "rm"}}}},
        {"parameters": {"dict": {"dictionary": {"generator": {"dict": {"bit_generator": "os"}}}}}},
        {"parameters": {"dict": {"dictionary": {}}}},
        {"parameters": [1]},
        {"parameters": None},
        {"fitted": {"dict": {"transform": 3}}},
        {"fitted": {"dict": {"__class__": 3}}},
        {"fitted": {"dict": {"dictionary_": 3}}},
        {"fitted": [3]},
    ],
    ids=lambda changes: str(changes)[:70],
)
def test_estimators_that_no_save_wrote_are_refused(path, changes):
    change(path, **changes)
    with pytest.raises(ValueError, match=f"{path.name} must hold a complete estimator; got ") as e:
        estimators.load(path)
    assert len(str(e.value)) < 400


@pytest.mark.parametrize(
    "changes",
    [
        {"dictionary_": np.zeros((N_ATOMS, N_FEATURES))},
        {"dictionary_": np.ones((N_ATOMS, N_FEATURES + 1))},
        {"dictionary_": np.array(["a", "b"])},
    ],
    ids=["zeros", "features", "text"],
)
def test_atoms_that_no_learner_made_are_refused(tmp_path, changes):
    path = tmp_path / "learner.npz"
    DictionaryLearner(N_ATOMS, **SMALL).fit(X).save(path)
    arrays = load_arrays(path)
    assert {f"fitted.{name}" for name in changes} <= set(arrays)
    changed = arrays | {f"fitted.{name}": array for name, array in changes.items()}
    save_arrays(path, changed, load_metadata(path))
    with pytest.raises(ValueError, match="must hold a complete estimator"):
        estimators.load(path)


@pytest.fixture(scope="module")
def saved(folder):
    """Return a small learner that was fitted, and the bytes of its files."""
    learner = DictionaryLearner(2, **SMALL).fit(X[:, :2])
    contents = {}
    for suffix in (".safetensors", ".npz"):
        learner.save(folder / f"intact{suffix}")
        contents[suffix] = (folder / f"intact{suffix}").read_bytes()
    return learner, contents


def assert_right_or_refused(path, data, learner):
    """Check that damaged bytes give the learner that was saved or a ValueError naming the file."""
    path.write_bytes(data)
    try:
        loaded = estimators.load(path)
    except ValueError as error:
        message = str(error)
    else:
        assert same(loaded, learner)
        return
    assert message.startswith(path.name)
    assert len(message) < 400


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_many_bytes_flipped_and_many_truncations(folder, saved, suffix):
    learner, contents = saved
    path, data = folder / f"flipped{suffix}", contents[suffix]
    for i in range(0, len(data), 5):
        flipped = bytearray(data)
        flipped[i] ^= 1 << i % 8
        assert_right_or_refused(path, flipped, learner)
    for length in range(0, len(data), 97):
        path.write_bytes(data[:length])
        with pytest.raises(ValueError, match=path.name):
            estimators.load(path)


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
@given(data=st.data())
def test_any_damage_is_noticed(folder, saved, suffix, data):
    learner, contents = saved
    content = bytearray(contents[suffix])
    place = st.integers(0, len(content))
    for _ in range(data.draw(st.integers(1, 4))):
        start, stop = sorted(data.draw(st.tuples(place, place)))
        stop = data.draw(st.sampled_from([start, start + 1, stop]))
        content[start:stop] = data.draw(st.binary(max_size=9))
    assert_right_or_refused(folder / f"fuzzed{suffix}", content, learner)
