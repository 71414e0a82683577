"""The spatial pooler: its definition, scikit-learn's manners, files, bad input."""

import warnings

import numpy as np
import pytest
from htm_twins import PoolerTwin
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from sdr._pooling_kernels import _count
from sdr._pooling_setup import Synapses, scratch
from sdr.pooling import SpatialPooler
from sparsecode.core import SparseCode, save_arrays

N_INPUTS = 30


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(0).random((40, N_INPUTS)) < 0.25


def neighbourhoods(shape, radius):
    """Return the columns within a radius of each, itself among them."""
    places = np.array(list(np.ndindex(*shape)))
    if radius is None:
        return [np.arange(len(places))] * len(places)
    return [np.flatnonzero((abs(places - one) <= radius).all(axis=1)) for one in places]


# The definition

SETTINGS = [
    {"unit_shape": 50, "density": 0.1},
    {"unit_shape": 50, "density": 0.1, "boost_strength": 8.0, "duty_period": 20},
    {"unit_shape": (6, 7), "density": 0.1, "inhibition_radius": 2, "boost_strength": 3.0},
    {"unit_shape": (4, 8), "inhibition_radius": 1, "input_shape": (5, 6), "potential_radius": 2,
     "stimulus_threshold": 2, "increment": 0.3, "decrement": 0.2, "connected": 0.4},
    {"unit_shape": 20, "stimulus_threshold": 0, "potential_fraction": 1.0, "density": 0.3},
]  # fmt: skip


@pytest.mark.parametrize("settings", SETTINGS)
def test_every_step_is_that_of_the_definition(settings, X):
    pooler = SpatialPooler(random_state=0, **settings).fit(X[:1])
    pooler = clone(pooler).set_params(increment=0.0, decrement=0.0).fit(X[:1])  # as drawn
    shape = np.atleast_1d(settings["unit_shape"])
    twin = PoolerTwin(pooler, neighbourhoods(shape, pooler.inhibition_radius))
    pooler.set_params(**{"increment": 0.1, "decrement": 0.01, **settings})
    twin.duty = pooler.duty_cycles_.copy()
    for x in np.concatenate([X, np.zeros((1, N_INPUTS), bool), X]):
        seen = pooler.transform(x[None])[0]
        np.testing.assert_array_equal(seen, twin.winners(x))
        learned = pooler.encode(x[None], learn=True).to_dense().ravel()
        np.testing.assert_array_equal(learned, twin.learn(x))
    np.testing.assert_array_equal(pooler.permanences_, twin.permanences)
    np.testing.assert_array_equal(pooler.duty_cycles_, twin.duty)


@pytest.mark.parametrize("n_active", [0, 1, 6, 7, 8, 64, 300])
def test_overlaps_are_counted_in_planes_of_bits(n_active):
    rng = np.random.default_rng(n_active)
    for n_columns in (1, 64, 130):
        dense = rng.random((300, n_columns)) < 0.9
        rows = np.arange(n_columns + 1) * 300
        synapses = Synapses(np.zeros(n_columns, int), rows, dense.T.astype(np.float32).ravel())
        active = np.sort(rng.choice(300, n_active, replace=False)).astype(np.int32)
        planes, overlaps, _ = scratch(300, n_columns)
        _count(active, synapses.connect(0.5, 300), planes, overlaps)
        np.testing.assert_array_equal(overlaps, dense[active].sum(axis=0))


def test_potential_pools_lie_around_the_column_and_begin_half_connected():
    settings = {"input_shape": (20, 20), "potential_radius": 3, "random_state": 0}
    pooler = SpatialPooler((10, 10), increment=0, decrement=0, connected=0.3, **settings)
    permanences = pooler.fit(np.zeros((1, 400), bool)).permanences_
    for column, place in enumerate(np.ndindex(10, 10)):
        centre = 2 * np.array(place) + 1
        rows, columns = np.divmod(np.flatnonzero(~np.isnan(permanences[column])), 20)
        assert max(*abs(rows - centre[0]), *abs(columns - centre[1])) <= 3
        field = np.prod(np.minimum(centre + 4, 20) - np.maximum(centre - 3, 0))
        assert rows.size == int(0.5 * field + 0.5)
    begun = permanences[~np.isnan(permanences)]
    spread = np.sqrt(0.25 / begun.size)
    assert abs(np.mean(begun >= 0.3) - 0.5) < 4 * spread
    np.testing.assert_array_equal(begun, begun.clip(0.0, 1.0))


def test_boosting_evens_out_who_wins():
    X = np.random.default_rng(1).random((600, 100)) < 0.1
    spreads = []
    for strength in (0.0, 10.0):
        pooler = SpatialPooler(
            200, density=0.05, boost_strength=strength, duty_period=100, random_state=0
        )
        spreads.append(pooler.fit(X).duty_cycles_.std())
    assert spreads[1] < 0.5 * spreads[0]


def test_learning_makes_codes_withstand_noise():
    rng = np.random.default_rng(2)
    X = np.zeros((20, 200), bool)
    for row in X:
        row[rng.choice(200, 20, replace=False)] = True
    noisy = X.copy()
    for row in noisy:
        row[rng.choice(np.flatnonzero(row), 6, replace=False)] = False
        row[rng.choice(np.flatnonzero(~row), 6, replace=False)] = True
    kept = []
    for n_epochs in (1, 40):
        pooler = SpatialPooler(
            500, density=0.02, connected=0.5, decrement=0.05, n_epochs=n_epochs, random_state=0
        ).fit(X)
        kept.append((pooler.transform(X) & pooler.transform(noisy)).sum() / 200)
    assert kept[1] > kept[0] + 0.1


# scikit-learn


class Binarised(SpatialPooler):
    """A pooler that looks at the signs of whatever scikit-learn's checks bring."""

    def fit(self, X, y=None):
        return super().fit(signs(X), y)

    def partial_fit(self, X, y=None):
        return super().partial_fit(signs(X), y)

    def encode(self, X, *, learn=False):
        return super().encode(signs(X), learn=learn)


def signs(X):
    """Return which entries are positive, if that can be said."""
    if sparse.issparse(X):
        return X.multiply(X > 0).astype(bool) if X.dtype.kind in "fiu" else X
    array = np.asarray(X)
    if array.dtype == object:
        try:
            array = array.astype(float)
        except (TypeError, ValueError):
            return X
    if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        return X
    return X > 0 if hasattr(X, "columns") else array > 0


@parametrize_with_checks([Binarised(12, density=0.2), Binarised(12, output="sparse")])
def test_scikit_learn_checks_pass(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)


def test_every_form_of_the_samples_gives_one_code(X):
    forms = [X, X.astype(int), X.astype(np.float32), sparse.csr_array(X), sparse.csc_array(X * 1.0)]
    forms += [X.tolist(), SparseCode.from_dense(X), SparseCode.from_dense(X, (5, 6))]
    codes = [SpatialPooler(64, random_state=3).fit(form).encode(form) for form in forms]
    assert all(code == codes[0] for code in codes)
    pooler = SpatialPooler((8, 8), output="sparse", random_state=3).fit(X)
    np.testing.assert_array_equal(pooler.transform(X).toarray(), codes[0].to_dense())
    assert pooler.encode(X).unit_shape == (8, 8)
    assert pooler.encode(X[:0]).shape == pooler.transform(X[:0]).shape == (0, 64)


def test_it_works_in_a_pipeline(X):
    y = X[:, 0]
    model = make_pipeline(SpatialPooler(100, random_state=0), LogisticRegression())
    assert model.fit(X, y).score(X, y) > 0.9
    names = model[0].get_feature_names_out()
    assert names.tolist() == [f"spatialpooler{column}" for column in range(100)]


def test_threads_change_no_bit(X):
    many = np.tile(X, (30, 1))
    pooler = SpatialPooler(64, n_threads=1, random_state=0).fit(X)
    assert pooler.encode(many) == pooler.set_params(n_threads=2).encode(many)


def test_parts_give_what_the_whole_gives(X):
    whole = SpatialPooler(64, boost_strength=2.0, random_state=0).fit(X)
    parts = SpatialPooler(64, boost_strength=2.0, random_state=0)
    first = parts.encode(X[:7], learn=True)
    parts.partial_fit(X[7:])
    np.testing.assert_array_equal(whole.permanences_, parts.permanences_)
    assert first == clone(parts).encode(X, learn=True)[:7]
    assert whole.n_steps_ == parts.n_steps_ == 40
    changed = parts.set_params(density=0.5).encode(X)
    assert (changed.n_active == 32).all()


# Files


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
@pytest.mark.parametrize("settings", SETTINGS[1:4])
def test_a_file_goes_on_to_the_same_bits(tmp_path, suffix, settings, X):
    pooler = SpatialPooler(random_state=np.random.RandomState(0), **settings).fit(X)
    pooler.save(tmp_path / f"pooler.{suffix}")
    other = SpatialPooler.load(tmp_path / f"pooler.{suffix}")
    assert other.encode(X) == pooler.encode(X)
    for one in (pooler, other):
        one.partial_fit(X)
    np.testing.assert_array_equal(other.permanences_, pooler.permanences_)
    np.testing.assert_array_equal(other.duty_cycles_, pooler.duty_cycles_)
    assert other.encode(X) == pooler.encode(X)
    assert other.n_steps_ == pooler.n_steps_ == 80


def test_a_foreign_or_damaged_file_is_refused(tmp_path, X):
    path = tmp_path / "other.npz"
    save_arrays(path, {"a": np.zeros(2)})
    with pytest.raises(ValueError, match=r"other.npz must hold a SpatialPooler"):
        SpatialPooler.load(path)
    with pytest.raises(NotFittedError):
        SpatialPooler(8).save(path)
    SpatialPooler(8, random_state=0).fit(X).save(path)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ValueError, match=r"other.npz must be an intact"):
        SpatialPooler.load(path)


# Bad input


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.full((2, N_INPUTS), 0.37), r"0 and 1 only; got 0.37. Binarise real values first"),
        (np.full((2, N_INPUTS), np.nan), "contains NaN"),
        (np.ones((2, 5)), "5 features, but SpatialPooler is expecting 30"),
        (np.zeros((0, N_INPUTS)), "0 sample"),
        (SparseCode.from_dense(np.eye(30)), "X must be a binary SparseCode; got .*binarize"),
        (SparseCode.from_dense(np.eye(5, dtype=bool)), "must have 30 units, as the samples"),
        (SparseCode.from_indices([], N_INPUTS), "at least one sample to learn from; got none"),
    ],
)
def test_bad_samples_are_refused(given, words, X):
    pooler = SpatialPooler(20, random_state=0).fit(X)
    with pytest.raises(ValueError, match=words):
        pooler.partial_fit(given)
    assert pooler.n_steps_ == 40


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"stimulus_threshold": 16}, "stimulus_threshold must be at most 15, the synapses of the"),
        ({"density": 0.0}, "density must be finite and above 0"),
        ({"density": 1.5}, "density must lie above 0 and at most at 1"),
        ({"connected": 0.0}, "connected must be finite and above 0"),
        ({"increment": -0.1}, "increment must be finite and above 0"),
        ({"duty_period": 0.5}, "duty_period must be at least 1 step; got 0.5"),
        ({"boost_strength": -1}, "boost_strength must be finite and above 0"),
        ({"inhibition_radius": 0}, "inhibition_radius must reach another column; got 0"),
        ({"input_shape": (5, 5)}, "input_shape must hold 30 inputs, the features of X"),
        ({"potential_radius": 1, "input_shape": (5, 6)}, "as many axes as unit_shape, 1"),
        ({"unit_shape": ()}, r"unit_shape must have at least one axis; got \(\)"),
        ({"n_epochs": 0}, "n_epochs must be at least 1"),
        ({"n_threads": 0}, "n_threads must be at least 1"),
    ],
)
def test_bad_parameters_are_refused(parameters, words, X):
    pooler = SpatialPooler(**{"unit_shape": 20, "random_state": 0, **parameters})
    for method in (pooler.fit, pooler.partial_fit):
        with pytest.raises(ValueError, match=words):
            method(X)


def test_bad_calls_are_refused(X):
    with pytest.raises(NotFittedError):
        SpatialPooler(20).transform(X)
    pooler = SpatialPooler(20, random_state=0).fit(X)
    with pytest.raises(ValueError, match="output must be one of 'dense', 'sparse'"):
        pooler.set_params(output="other").transform(X)
    with pytest.raises(ValueError, match="unit_shape must keep its 20 columns"):
        pooler.set_params(unit_shape=21).encode(X)
    with pytest.raises(TypeError, match="random_state must be an integer"):
        SpatialPooler(20, random_state="seed").fit(X)
