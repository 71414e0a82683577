"""Designs against a search through everything."""

import dataclasses

import numpy as np
import pytest

from sdr.theory import (
    SegmentDesign,
    any_false_positive,
    design_segment,
    false_negative,
    false_positive,
    largest_union,
    threshold_range,
    union_false_positive,
)

WORLDS = [
    {"noise": 0.3},
    {"noise": 0.3, "n_segments": 50},
    {"noise": 0.25, "failure": 0.1, "extra": 5},
    {"noise": 0.2, "n_patterns": 4},
]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((10**9, 1, 1, 1, 0.99), ValueError, "must be at most 2147483647; got more"),
        (([1000, 2000], 40, 20, 10, 1e-6), TypeError, "n must be an integer"),
    ],
)
def test_unions_without_end_and_several_at_once_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        largest_union(*arguments, form="expected")


def searched(n, a, wanted, missed, *, noise=0.0, n_patterns=1, n_segments=1, failure=0.0, extra=0):
    """Return the smallest s and all of its thresholds, trying every one."""
    for s in range(1, a + 1):
        theta = np.arange(1, s + 1)
        single = union_false_positive(n, a, s, theta, n_patterns, failure=failure, extra=extra)
        matched = -np.expm1(n_segments * np.log1p(-np.minimum(single, 1 - 1e-16)))
        moved = round(noise * a)
        lost = false_negative(a, s, moved, theta, failure=failure, extra=extra, n=n)
        good = theta[(matched <= wanted) & (lost <= missed)]
        if good.size:
            return s, (int(good[0]), int(good[-1]))
    return None


@pytest.mark.parametrize("world", WORLDS, ids=str)
def test_designs_are_the_smallest(world):
    found = design_segment(2000, 40, 1e-5, 5e-2, **world)
    assert (found.n_synapses, found.theta_range) == searched(2000, 40, 1e-5, 5e-2, **world)
    low, high = found.theta_range
    assert low <= found.theta <= high
    assert found.false_positive <= 1e-5
    assert found.false_negative <= 5e-2
    assert threshold_range(2000, 40, found.n_synapses, 1e-5, 5e-2, **world) == (low, high)


def test_a_design_says_what_it_reaches():
    found = design_segment(20_000, 200, 1e-9, 1e-2, noise=0.4)
    assert found.false_positive == pytest.approx(
        false_positive(20_000, 200, found.n_synapses, found.theta), rel=1e-12
    )
    assert found.false_negative == pytest.approx(
        false_negative(200, found.n_synapses, 80, found.theta), rel=1e-12
    )
    assert isinstance(found, SegmentDesign)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.theta = 3
    # of several thresholds, the one with most room on both sides
    wide = design_segment(20_000, 200, 1e-9, 1e-2)
    assert (wide.n_synapses, wide.theta_range) == (5, (5, 5))


@pytest.mark.parametrize("form", ["exact", "expected"])
@pytest.mark.parametrize("n_segments", [1, 30])
def test_the_largest_union_is_just_small_enough(form, n_segments):
    number = largest_union(4000, 80, 20, 10, 1e-6, form=form, n_segments=n_segments)
    rates = union_false_positive(4000, 80, 20, 10, [number, number + 1], form=form)
    assert n_segments * rates[0] <= 1e-6 < n_segments * rates[1]
    assert number > 1


def test_what_cannot_be_is_told_with_the_best_there_is():
    with pytest.raises(ValueError, match=r"at most a = 200 synapses .* theta = 20 reach 0\.539"):
        design_segment(2000, 200, 1e-9, 1e-2, noise=0.9)
    with pytest.raises(ValueError, match=r"theta = 9 is the largest and has false positives at"):
        threshold_range(2000, 200, 20, 1e-9, 1e-2, noise=0.3)
    reached = false_positive(1000, 200, 25, 3)
    with pytest.raises(ValueError, match=f"it has {reached:.3g}"):
        largest_union(1000, 200, 25, 3, 1e-9)
    with pytest.raises(ValueError, match="even with a synapse on every unit"):
        largest_union(1000, 20, 25, 21, 1e-9)
    assert any_false_positive(1000, 20, 1000, 21, 5) == 0.0


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"n": 0}, ValueError, "n must be at least 1"),
        ({"n": 100.0}, TypeError, "n must be an integer"),
        ({"a": 1001}, ValueError, "a must be at most n; got a = 1001"),
        ({"max_false_positive": 0}, ValueError, "max_false_positive must be above 0"),
        ({"max_false_negative": 2}, ValueError, "max_false_negative must be between 0 and 1"),
        ({"noise": -0.1}, ValueError, "noise must be between 0 and 1"),
        ({"noise": [0.1, 0.2]}, TypeError, "noise must be one number"),
        ({"a": 600, "noise": 0.9}, ValueError, "a, with the units that noise moves, must be"),
        ({"n_patterns": 0}, ValueError, "n_patterns must be at least 1"),
        ({"n_segments": 0}, ValueError, "n_segments must be at least 1"),
        ({"failure": 1.5}, ValueError, "failure must be between 0 and 1"),
        ({"extra": -1}, ValueError, "extra must be at least 0"),
        ({"extra": 990}, ValueError, r"a \+ extra must be at most n"),
    ],
)
def test_bad_wishes_are_told_in_one_sentence(changes, error, words):
    wish = {"n": 1000, "a": 40, "max_false_positive": 1e-6, "max_false_negative": 1e-2} | changes
    with pytest.raises(error, match=words):
        design_segment(**wish)
    with pytest.raises(error, match=words):
        threshold_range(s=20, **wish)


def test_a_segment_takes_its_synapses_from_the_pattern():
    with pytest.raises(ValueError, match="s must be at least 1 and at most 40; got 41"):
        threshold_range(1000, 40, 41, 1e-6, 1e-2)
