"""The formulas against the papers' tables, against whole numbers, and against brute force."""

import json
import math
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import binom, hypergeom

from sdr import theory
from sdr.theory import (
    ScalarEstimate,
    any_false_positive,
    bloom_false_positive,
    cell_false_positive,
    false_negative,
    false_positive,
    false_positive_single_term,
    overlap_probability,
    overlap_set_size,
    prediction_accuracy,
    prediction_jaccard,
    scalar_false_positive,
    segments_per_cell,
    union_false_positive,
    union_size,
    union_size_distribution,
    unset_probability,
)

EXPECTED = Path(__file__).parents[2] / "experiments" / "expected"


def table(paper, key):
    saved = json.loads((EXPECTED / f"{paper}.json").read_text(encoding="utf-8"))
    return saved["values"][key]["value"]


def assert_digits(found, published, rtol=1e-3):
    """Compare with numbers printed with three digits or more."""
    np.testing.assert_allclose(found, published, rtol=rtol)


# ------------------------------------------------------------------------- the papers' tables


def test_false_positives_over_n():
    paper = table("ahmad_hawkins2016", "fig4a")
    n, a = np.array(paper["n"])[:, None], np.array(paper["a"])
    assert_digits(false_positive(n, a, 24, 12), paper["false_positive"])


def test_misses_over_noise():
    paper = table("ahmad_hawkins2016", "fig4b")
    moved = np.array(paper["n_moved"])[:, None]
    found = false_negative(128, 30, moved, paper["theta"])
    published = np.array(paper["false_negative"])
    assert_digits(found.ravel()[1:], published.ravel()[1:])
    assert found[0, 0] == pytest.approx(2.2e-12, rel=0.05)  # printed with two digits


def test_false_positives_over_s_and_the_dashed_curves():
    paper = table("ahmad_hawkins2016", "fig5b")
    s = np.array(paper["s"])
    for n, a, row in zip(paper["n"], paper["a"], paper["false_positive"]):
        assert_digits(false_positive(n, a, s, s // 2), row, 5e-3)
    assert_digits(false_positive(16000, 4000, s, s // 2), paper["dashed"]["false_positive"], 5e-3)
    assert_digits(false_positive(4000, 128, 24, 12), 1.343e-12)
    n = np.array([300, 19900])
    assert_digits(false_positive(n, n // 4, 24, 12), [0.005186, 0.007167])  # labelled a = n / 2
    assert_digits(false_positive(n, n // 2, 24, 12), [0.584, 0.581])


def test_unions():
    paper = table("ahmad_hawkins2016", "fig7a")
    s = np.array(paper["s"])[:, None]
    assert_digits(union_size(1000, s, paper["M"]), paper["expected_on"])
    paper = table("ahmad_hawkins2016", "fig7b")
    n = np.array(paper["n"])[:, None]
    found = union_false_positive(n, 200, 25, 15, paper["M"], form="rounded")
    assert_digits(found, paper["false_positive"], 2e-3)
    paper = table("ahmad_hawkins2016", "fig7b_input_union")
    for form, key in (("expected", "false_positive"), ("rounded", "rounded")):
        found = union_false_positive(paper["n"], 20, 30, 10, 10, form=form)
        assert_digits(found, paper[key], 5e-3)


def test_the_numbers_of_the_text():
    assert_digits(false_positive(10_000, 300, 30, 12), 2.28e-11, 2e-3)
    assert_digits(false_negative(300, 30, 60, 12), 3.95e-8, 2e-3)
    assert_digits(any_false_positive(10_000, 300, 30, 15, 10**6), 1.05e-9, 2e-3)
    assert_digits(union_size(20_000, 25, 10), 248.6)
    assert_digits(union_false_positive(20_000, 100, 25, 15, 10), 1.7e-12, 0.05)


def test_supplement_of_hawkins_and_ahmad():
    theta = np.array([6, 8, 10, 12])
    assert_digits(false_positive(200_000, 2000, theta[:3], theta[:3]),
                  [9.93e-13, 9.86e-17, 9.78e-21])  # fmt: skip
    assert_digits(false_positive(200_000, 2000, 2 * theta, theta),
                  [8.71e-10, 1.18e-12, 1.65e-15, 2.34e-18], 2e-3)  # fmt: skip
    assert_digits(false_positive(200_000, 2000, [40, 80, 120], 10),
                  [6.31e-12, 8.54e-9, 4.19e-7], 2e-3)  # fmt: skip


def test_numbers_of_2015():
    assert_digits(float(overlap_set_size(2048, 40, 0, 0)), 2.37e84, 2e-3)
    found = false_positive(2048, 40, 40, [13, 14, 20])
    assert_digits(found, [6.00e-14, 1.57e-15, 2.49e-26], 2e-3)
    assert_digits(false_positive(2048, 40, 20, 10), 3.91e-13, 2e-3)
    assert_digits(any_false_positive(1024, 21, 21, 14, 10), 8.83e-21, 2e-3)
    assert_digits(500 * false_positive(100, 7, 7, [4, 5, 6]), [0.14469, 0.002826, 2.04e-5], 2e-3)
    assert_digits(bloom_false_positive(1024, 20, 20), 1.835e-10)
    found = union_false_positive(1024, 20, 20, [19, 18], 20, form="expected")
    assert_digits(found, [5.55e-9, 1.18e-7], 2e-3)
    assert_digits(union_false_positive(2048, 20, 20, 18, 20, form="expected"), 3.09e-12, 2e-3)


def test_the_single_term_is_low_and_the_bloom_form_high():
    theta = np.array([1, 5, 10, 20])
    single = false_positive_single_term(2048, 40, 40, theta)
    low = 1 - single / false_positive(2048, 40, 40, theta)
    np.testing.assert_allclose(low, [0.33, 0.10, 0.04, 0.01], atol=6e-3)
    exact = union_false_positive(1024, 20, 20, 20, 20)
    assert bloom_false_positive(1024, 20, 20) / exact == pytest.approx(1.38, abs=0.005)


def test_temporal_memory():
    theta = [8, 12, 16]
    assert_digits(prediction_accuracy(40, 20, 20, theta), [0.9436, 0.1715, 1.8e-4], 1e-3)
    assert_digits(1 - unset_probability(2000, 40, 50), 0.6358)
    assert segments_per_cell(2048, 40, 1024) == 20
    single = false_positive(2048, 40, 20, 8)
    wrong = cell_false_positive(2048, 40, 20, 8, 1024)
    assert wrong == pytest.approx(20 * single, rel=1e-6)
    assert prediction_jaccard(2048, 40, 20, 8, 1024) == pytest.approx(40 / (40 + wrong * 2008))


# ------------------------------------------------------------------ floats against whole numbers


@st.composite
def recognitions(draw, largest=400):
    """Draw n, a, s, theta, a failure rate and extra spikes."""
    n = draw(st.integers(1, largest))
    a, s = draw(st.integers(0, n)), draw(st.integers(0, min(n, 60)))
    failure = draw(st.sampled_from([0.0, 0.0, 1e-3, 0.25, 0.9, 1.0]))
    return n, a, s, draw(st.integers(0, s)), failure, draw(st.integers(0, n - a))


def assert_exact(found, log, exact):
    """Ten digits, zeros and logarithms included."""
    assert found == pytest.approx(float(exact), rel=1e-10, abs=1e-307)
    if exact == 0:
        assert log == -math.inf
    else:
        size = math.log(exact.numerator) - math.log(exact.denominator)
        assert log == pytest.approx(size, rel=1e-12, abs=1e-10)


@settings(max_examples=100, deadline=None)
@given(recognitions())
def test_false_positives_to_ten_digits(case):
    n, a, s, theta, failure, extra = case
    exact = false_positive(n, a, s, theta, failure=failure, extra=extra, exact=True)
    found = [
        false_positive(n, a, s, theta, failure=failure, extra=extra, log=log)
        for log in (False, True)
    ]
    assert_exact(*found, exact)


@settings(max_examples=60, deadline=None)
@given(recognitions(100), st.integers(0, 60))
def test_misses_to_ten_digits(case, moved):
    n, a, s, theta, failure, extra = case
    s, theta = min(s, a), min(theta, a)
    options = {"failure": failure, "extra": extra, "n": n}
    moved = min(moved, a, n - a)
    exact = false_negative(a, s, moved, theta, **options, exact=True)
    assert_exact(
        *(false_negative(a, s, moved, theta, **options, log=log) for log in (False, True)), exact
    )


@settings(max_examples=40, deadline=None)
@given(recognitions(50), st.integers(0, 6), st.sampled_from(["exact", "expected", "rounded"]))
@example((8, 2, 2, 1, 0.0, 0), 2, "rounded")  # halves go to the even number
@example((32, 0, 1, 1, 0.0, 1), 1, "expected")  # the union's size comes out just below 1
def test_unions_to_ten_digits(case, number, form):
    n, a, s, theta, failure, extra = case
    failure = 0.0 if form == "expected" else failure
    options = {"form": form, "failure": failure, "extra": extra}
    exact = union_false_positive(n, a, s, theta, number, **options, exact=True)
    found = union_false_positive(n, a, s, theta, number, **options)
    assert found == pytest.approx(float(exact), rel=1e-9, abs=1e-13)  # near 1, of differences


@pytest.mark.parametrize("failure", [1e-3, 1e-12, 1e-16, 1e-30])
@pytest.mark.parametrize(("a", "s", "theta"), [(40, 20, 18), (33, 11, 9), (40, 20, 20)])
def test_failures_may_be_as_rare_as_can_be(a, s, theta, failure):
    options = {"failure": failure}
    exact = false_negative(a, s, 3, theta, **options, exact=True)
    assert_exact(*(false_negative(a, s, 3, theta, **options, log=log) for log in (0, 1)), exact)
    exact = false_positive(300, a, s, theta, **options, exact=True)
    assert_exact(*(false_positive(300, a, s, theta, **options, log=log) for log in (0, 1)), exact)


@pytest.mark.parametrize(
    ("n", "a", "s", "theta"),
    [
        (10**9, 1, 1, 1), (10**9, 20, 20, 10), (10**8, 40, 20, 12), (2 * 10**9, 40, 30, 20),
        (200_000, 2000, 20, 10), (200_000, 2000, 400, 140), (200_000, 2000, 1000, 250),
        (200_000, 2000, 100_000, 1300), (200_000, 2000, 100_000, 980), (200_000, 2000, 1999, 50),
        (200_000, 200_000, 30, 30), (200_000, 0, 30, 1), (200_000, 2000, 200_000, 2000),
        (200_000, 2000, 2500, 2400),
    ],
)  # fmt: skip
def test_large_populations_to_ten_digits(n, a, s, theta):
    exact = false_positive(n, a, s, theta, exact=True)
    found = [false_positive(n, a, s, theta, log=log) for log in (False, True)]
    assert_exact(*found, exact)


def test_powers_of_many_segments():
    single = false_positive(1000, 50, 20, 5, exact=True)
    exact = 1 - (1 - single) ** 300
    assert any_false_positive(1000, 50, 20, 5, 300, exact=True) == exact
    assert any_false_positive(1000, 50, 20, 5, 300) == pytest.approx(float(exact), rel=1e-12)
    log = any_false_positive(200_000, 2000, 2000, 1500, 1000, log=True)
    alone = false_positive(200_000, 2000, 2000, 1500, log=True)
    assert log == pytest.approx(alone + math.log(1000), rel=1e-13)
    assert any_false_positive(100, 50, 20, 0, [0, 1, 5]).tolist() == [0.0, 1.0, 1.0]
    assert (
        cell_false_positive(2048, 40, 20, 8, 1024, exact=True)
        == 1 - (1 - false_positive(2048, 40, 20, 8, exact=True)) ** 20
    )


# ------------------------------------------------------------------------- against brute force


def test_overlap_sets_are_counted():
    segment = {0, 1, 2, 3}
    counts = np.bincount([len(segment & set(x)) for x in combinations(range(9), 3)], minlength=5)
    assert overlap_set_size(9, 3, 4, range(5)).tolist() == counts.tolist()
    shares = counts / math.comb(9, 3)
    np.testing.assert_allclose(overlap_probability(9, 3, 4, range(5)), shares, rtol=1e-13)
    assert overlap_probability(9, 3, 4, 2, exact=True) == Fraction(int(counts[2]), 84)


def test_failing_synapses_and_extra_spikes_by_enumeration():
    n, a, s, moved, theta, failure, extra = 8, 4, 3, 2, 2, Fraction(1, 3), 1
    missed, cases = Fraction(0), 0
    for lost in combinations(range(a), moved):  # the segment is on units 0 to 2 of 0 to 3
        landed = set(range(a, a + moved))
        active = set(range(a)) - set(lost) | landed
        for noise in combinations(sorted(set(range(n)) - active), extra):
            hits = len((active | set(noise)) & set(range(s)))
            felt = [math.comb(hits, b) * (1 - failure) ** b * failure ** (hits - b)
                    for b in range(hits + 1)]  # fmt: skip
            missed += sum(felt[:theta])
            cases += 1
    options = {"failure": failure, "extra": extra, "n": n}
    assert false_negative(a, s, moved, theta, **options, exact=True) == missed / cases
    direct = sum(
        hypergeom(n, s, a + extra).pmf(b) * binom(b, 2 / 3).sf(theta - 1) for b in range(s + 1)
    )
    found = false_positive(n, a, s, theta, failure=failure, extra=extra)
    assert found == pytest.approx(direct, rel=1e-12)


def test_the_law_of_a_unions_size():
    sets = [set(x) for x in combinations(range(5), 2)]
    sizes = [len(x | y | z) for x in sets for y in sets for z in sets]
    law = union_size_distribution(5, 2, 3, exact=True)
    assert law.tolist() == [Fraction(sizes.count(u), 1000) for u in range(6)]
    np.testing.assert_allclose(union_size_distribution(5, 2, 3), law.astype(float), rtol=1e-12)
    large = union_size_distribution(1024, 20, 20)
    assert large.sum() == pytest.approx(1, rel=1e-12)
    assert large @ np.arange(1025) == pytest.approx(union_size(1024, 20, 20), rel=1e-12)
    assert union_size_distribution(4, 2, 0).tolist() == [1, 0, 0, 0, 0]


def test_plug_in_forms_lie_within_5_percent_of_the_exact_one():
    exact = union_false_positive(1000, 200, 25, 15, [2, 3, 4])
    for form in ("expected", "rounded"):
        found = union_false_positive(1000, 200, 25, 15, [2, 3, 4], form=form)
        assert np.abs(found / exact - 1).max() < 0.08
        assert (found != exact).all()


# ------------------------------------------------------------------------------- edges


def test_edges():
    assert false_positive(100, 10, 20, 0) == 1.0
    assert false_positive(100, 5, 20, 6) == 0.0
    assert false_positive(100, 5, 20, 6, log=True) == -math.inf
    assert false_positive(100, 5, 100, 5) == 1.0
    assert false_positive(100, 100, 20, 20) == 1.0
    assert false_positive(100, 0, 20, 1) == 0.0
    assert false_positive(0, 0, 0, 0) == 1.0
    assert false_positive(100, 40, 20, 20, failure=1.0) == 0.0
    assert false_positive(100, 40, 20, 0, failure=1.0) == 1.0
    assert false_negative(20, 10, 0, 10) == 0.0
    assert false_negative(20, 10, 20, 1) == 1.0
    assert false_negative(20, 10, 20, 0, failure=0.5) == 0.0
    assert union_false_positive(100, 10, 20, 5, 0) == 0.0
    assert union_size(100, 100, [0, 1, 2]).tolist() == [0.0, 100.0, 100.0]
    assert bloom_false_positive(100, [0, 5, 100], [3, 0, 1]).tolist() == [1.0, 0.0, 1.0]
    assert prediction_jaccard(100, 10, 10, 10, 0) == 1.0


@pytest.mark.parametrize("exact", [False, True])
def test_arguments_broadcast(exact):
    found = false_positive(np.array([[50], [60]]), [5, 10, 15], 8, 3, exact=exact)
    assert found.shape == (2, 3)
    assert found[1, 2] == false_positive(60, 15, 8, 3, exact=exact)
    assert found.dtype == (object if exact else float)
    assert isinstance(false_positive(60, 15, 8, 3, exact=exact), Fraction if exact else float)


def test_rates_fall_with_n_and_rise_with_synapses():
    falling = false_positive(np.arange(300, 5000, 100), 64, 24, 12, log=True)
    assert (np.diff(falling) < 0).all()
    assert (np.diff(false_positive(1000, 64, np.arange(12, 60), 12, log=True)) > 0).all()
    assert (np.diff(false_negative(128, 30, np.arange(20, 100), 12)) > 0).all()


# ------------------------------------------------------------------------------ real numbers


def test_scalar_estimates_agree_with_the_paper():
    paper = table("scalar2019", "fig2_by_n")
    found = scalar_false_positive(paper["n"], 64, n_draws=300_000, rng=3)
    published = np.array(paper["false_positive"][0])
    spread = np.hypot(found.standard_error, np.sqrt(published / 1.2e7))
    assert (np.abs(found.value - published) < 4 * np.hypot(spread, 0.025 * published)).all()
    dense = scalar_false_positive(1000, 500, n_draws=100_000, rng=3)
    assert abs(dense.value - 0.0233) < 4 * dense.standard_error
    assert isinstance(dense, ScalarEstimate)
    assert isinstance(dense.value, float)


def test_scalar_estimates_against_a_slow_twin():
    rng, n, a, k = np.random.default_rng(0), 12, 6, 3
    hits = 0
    for _ in range(20_000):
        w, x = np.zeros(n), np.zeros(n)
        w[rng.choice(n, k, replace=False)] = rng.uniform(-1 / k, 1 / k, k)
        x[rng.choice(n, a, replace=False)] = rng.uniform(0, 2 * 2.0 / k, a)
        hits += w @ x >= 0.05
    found = scalar_false_positive(n, a, k, scale=2.0, theta=0.05, n_draws=50_000, rng=1)
    spread = np.hypot(found.standard_error, np.sqrt(found.value * (1 - found.value) / 20_000))
    assert abs(hits / 20_000 - found.value) < 4 * spread
    certain = scalar_false_positive(n, a, k, theta=-1.0, n_draws=100, rng=1)
    assert certain.value == pytest.approx(1.0)


# -------------------------------------------------------------------------- bad arguments


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: false_positive(10, 11, 5, 3), ValueError, "a must be at most n; got a = 11"),
        (lambda: false_positive(10, 5, 11, 3), ValueError, "s must be at most n; got s = 11"),
        (
            lambda: false_positive(10, 5, 4, [3, 5]),
            ValueError,
            "theta must be at most s; got theta = 5",
        ),
        (lambda: false_positive(10, 5, 4, -1), ValueError, "theta must be between 0 and"),
        (lambda: false_positive(10, 5.0, 4, 1), TypeError, "a must be an integer or an array"),
        (lambda: false_positive(10, True, 4, 1), TypeError, "a must be an integer or an array"),
        (lambda: false_positive("10", 5, 4, 1), TypeError, "n must be an integer or an array"),
        (lambda: false_positive(10, [], 4, 1), ValueError, "a must hold at least one integer"),
        (lambda: false_positive([[10], [10, 20]], 5, 4, 1), ValueError, "rectangular"),
        (lambda: false_positive(2**40, 5, 4, 1), ValueError, "n must be between 0 and 2147483647"),
        (lambda: false_positive([10, 20], [5, 6, 7], 4, 1), ValueError, "must broadcast"),
        (lambda: false_positive(10, 5, 4, 1, failure=1.1), ValueError, "0 and 1; got 1.1"),
        (
            lambda: false_positive(10, 5, 4, 1, failure=math.nan),
            ValueError,
            "failure must be between",
        ),
        (lambda: false_positive(10, 5, 4, 1, failure="a"), TypeError, "failure must be a number"),
        (lambda: false_positive(10, 5, 4, 1, failure=[]), ValueError, "at least one probability"),
        (lambda: false_positive(10, 5, 4, 1, extra=6), ValueError, r"a \+ extra must be at most n"),
        (lambda: false_positive(10, 5, 4, 1, exact=True, log=True), ValueError, "exact and log"),
        (lambda: any_false_positive(10, 5, 4, 1, -1), ValueError, "n_segments must be between 0"),
        (lambda: false_negative(10, 11, 3, 2), ValueError, "s must be at most a"),
        (lambda: false_negative(10, 5, 11, 2), ValueError, "n_moved must be at most a"),
        (lambda: false_negative(10, 5, 3, 2, extra=1), ValueError, "n, the size of the population"),
        (lambda: false_negative(10, 5, 3, 2, n=12), ValueError, "n_moved must be at most n - a"),
        (lambda: overlap_set_size(10, 5, 4, 5), ValueError, "b must be at most s"),
        (lambda: union_size(10, 5, -1), ValueError, "n_patterns must be between 0"),
        (lambda: union_size_distribution(10, 11, 2), ValueError, "s must be at most n"),
        (
            lambda: union_size_distribution(10, 5, 2, exact=True, log=True),
            ValueError,
            "exact and log",
        ),
        (
            lambda: union_false_positive(10, 5, 4, 2, 2, form="best"),
            ValueError,
            "form must be one of",
        ),
        (
            lambda: union_false_positive(10, 5, 4, 2, 2, form="expected", failure=0.5, exact=True),
            ValueError,
            "failure must be 0",
        ),
        (lambda: bloom_false_positive(10, 11, 2), ValueError, "w must be at most n"),
        (lambda: segments_per_cell(0, 0, 2), ValueError, "n must be at least 1"),
        (lambda: prediction_jaccard(10, 0, 2, 1, 3), ValueError, "a must be at least 1"),
        (lambda: cell_false_positive(10, 3, 2, 1, 3, exact=True), ValueError, "whole number"),
        (lambda: scalar_false_positive(10, 3), ValueError, "n_weights must be at most n"),
        (
            lambda: scalar_false_positive(50, 3, scale=0),
            ValueError,
            "scale must be finite and above 0",
        ),
        (
            lambda: scalar_false_positive(50, 3, theta=math.inf),
            ValueError,
            "theta must be a finite",
        ),
    ],
)
def test_bad_arguments_are_told_in_one_sentence(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_everything_public_is_used_here_or_in_the_test_of_designs():
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("*.py"))
    assert [name for name in theory.__all__ if name not in tests] == []
