"""The class field: Hebb's rule in one trial, counted by hand; batches; what is refused."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from memory import ClassField
from sparsecode.core import SparseCode

X = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 1, 1], [0, 0, 0, 1], [1, 1, 0, 0]], bool)
Y = np.array(["b", "b", "a", "c", "a"])


def test_every_rule_by_hand():
    field = ClassField().fit(X, Y)
    np.testing.assert_array_equal(field.classes_, ["a", "b", "c"])
    np.testing.assert_array_equal(field.counts_, [[1, 1, 1, 1], [2, 1, 1, 0], [0, 0, 0, 1]])
    np.testing.assert_array_equal(field.class_count_, [2, 2, 1])
    cue = np.array([[1, 1, 0, 1]])
    np.testing.assert_array_equal(field.decision_function(cue), [[3, 2, 1]])
    np.testing.assert_allclose(
        field.set_params(rule="mean").decision_function(cue), [[1.5, 1.5, 1]]
    )
    logs = np.log([[2 * 2 * 2 / 4**3, 3 * 2 * 1 / 4**3, 1 * 1 * 2 / 3**3]])
    np.testing.assert_allclose(field.set_params(rule="log").decision_function(cue), logs)


@pytest.mark.parametrize("rule", ["binary", "mean", "log"])
def test_sums_are_those_of_the_definition(rule):
    rng = np.random.default_rng(0)
    X, y = rng.random((60, 40)) < 0.2, rng.integers(5, size=60)
    field = ClassField(rule).fit(X, y)
    counts = np.array([X[y == c].sum(axis=0) for c in range(5)])
    size = np.bincount(y)[:, None]
    weights = {"binary": counts > 0, "mean": counts / size}.get(
        rule, np.log((counts + 1) / (size + 2))
    )
    sums = X.astype(float) @ weights.T
    np.testing.assert_allclose(field.decision_function(X), sums)
    np.testing.assert_array_equal(field.predict(X), sums.argmax(axis=1))


def test_samples_may_come_in_batches_and_as_codes():
    at_once = ClassField("log").fit(X, Y)
    parts = clone(at_once).partial_fit(X[:2], Y[:2], classes=["c", "b", "a"])
    parts.partial_fit(SparseCode.from_dense(X[2:], (2, 2)), Y[2:])
    np.testing.assert_array_equal(parts.counts_, at_once.counts_)
    np.testing.assert_array_equal(parts.predict(X), at_once.predict(X.astype(float)))
    assert parts.score(X[:1], ["b"]) == 1.0


def test_two_classes_have_one_decision():
    field = ClassField().fit(X[1:4], ["b", "a", "a"])
    np.testing.assert_array_equal(field.decision_function(X), [1, 1, -1, -1, 1])
    np.testing.assert_array_equal(field.predict(X), ["b", "b", "a", "a", "b"])


def test_refusals():
    with pytest.raises(NotFittedError):
        ClassField().predict(X)
    field = ClassField().fit(X, Y)
    for ask, error, said in (
        (lambda: field.predict(X[:, :3]), ValueError, "X must have 4 units, those learned from"),
        (lambda: field.predict(X * 0.5), ValueError, "X must hold 0 and 1 only; got 0.5"),
        (lambda: field.fit(X, Y[:3]), ValueError, r"y must hold a class for each .* got shape \(3"),
        (lambda: field.fit(X[:0], Y[:0]), ValueError, "y must hold a class for each of at least"),
        (lambda: field.fit(X, np.linspace(0, 1, 5)), ValueError, "Unknown label type"),
        (lambda: field.partial_fit(X[:1], ["d"]), ValueError, "classes of the first partial_fit"),
        (lambda: ClassField("max").fit(X, Y).predict(X), ValueError, "rule must be one of"),
    ):
        with pytest.raises(error, match=said):
            ask()
