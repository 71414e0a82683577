"""`sparsey-mnist` presents each digit once, and reports others."""

from __future__ import annotations

import numpy as np
import pytest

from experiments import _mnist_measure as parts
from experiments.sparsey_mnist import Config, sparsey_mnist


def test_every_ten_digits_hold_each_class_once():
    labels = np.random.default_rng(0).integers(0, 10, 400)
    order = parts.drawn(labels, 20, np.random.default_rng(1))
    assert np.unique(order).size == order.size == 200
    for ten in labels[order].reshape(-1, 10):
        assert sorted(ten) == list(range(10))


def test_classes_that_end_early_leave_the_order_to_others():
    labels = np.repeat(np.arange(10), [3, *[6] * 9])
    order = parts.drawn(labels, 6, np.random.default_rng(2))
    assert sorted(order.tolist()) == list(range(57))
    assert (labels[order[-27:]] != 0).all()


def test_a_field_learns_digits_of_scikit_learn():
    config = sparsey_mnist.config(
        "quick", learned=(0, 400), reported=(400, 500), counts=(20,), n_per_class=20, n_repeats=2,
        shape=(6, 4), overlap=3.0, n_units=16,
    )  # fmt: skip
    record = sparsey_mnist.run(config)
    sparsey = parts.shares(record, "sparsey", 20)
    assert (sparsey > 0.3).all()  # a tenth by chance, with a standard error of 0.03
    assert (record.arrays["confusion"].sum(axis=(1, 2)) == 100).all()
    assert record.arrays["confusion"].trace(axis1=1, axis2=2) / 100 == pytest.approx(sparsey)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"data": "letters"}, "data must be"),
        ({"counts": (20, 10), "n_per_class": 10}, "counts must rise"),
        ({"n_per_class": 30}, "n_per_class must be one of counts"),
        ({"n_repeats": 1}, "n_repeats must be at least 2"),
        ({"learned": (5, 5)}, "learned must be a start and a later stop"),
        ({"learned": (0, 8_000)}, "must not share a digit"),
    ],
)
def test_bad_config(change, said):
    with pytest.raises(ValueError, match=said):
        Config(**change)


def test_digits_that_are_not_there():
    config = sparsey_mnist.config("smoke", reported=(1_700, 1_900))
    with pytest.raises(ValueError, match="reported must end at most at 1797"):
        sparsey_mnist.run(config)
