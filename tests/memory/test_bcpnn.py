"""`BCPNN` weighs probabilities as defined, forgets as told, and is near Willshaw's when sparse."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from memory import BCPNN, Willshaw
from sparsecode.core import SparseCode


def draw(n_samples: int, n_units: int, k: int, rng: np.random.Generator) -> SparseCode:
    rows = [rng.choice(n_units, k, replace=False) for _ in range(n_samples)]
    return SparseCode.from_indices(rows, n_units)


def filled(one, patterns):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        one.store(patterns)
    return one


def assert_best(active, fields, k):
    """Assert that `k` units are active, none of which has a smaller field than one that is not."""
    assert (active.sum(axis=1) == k).all()
    worst = np.where(active, fields, np.inf).min(axis=1)
    assert (worst >= np.where(active, -np.inf, fields).max(axis=1) - 1e-5).all()


def test_weights_are_logarithms_of_probabilities():
    rng = np.random.default_rng(0)
    patterns = draw(30, 50, 5, rng)
    one = filled(BCPNN(prior=2.0, max_iter=1), patterns)
    X, p0 = patterns.to_dense().astype(float), 0.1
    alone = (X.sum(axis=0) + 2.0 * p0) / 32
    pairs = (X.T @ X + 2.0 * p0**2) / 32
    weights = np.log(pairs / np.outer(alone, alone))
    np.fill_diagonal(weights, 0.0)
    cues = draw(9, 50, 5, rng)
    found = one.recall(cues).code
    np.testing.assert_allclose(one._made[0], weights, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(one._made[1], np.log(alone), rtol=1e-5)
    assert_best(found.to_dense(), cues.to_dense().astype(float) @ weights + np.log(alone), 5)


def test_traces_fade_with_tau():
    rng = np.random.default_rng(1)
    patterns = draw(40, 30, 3, rng)
    at_once = filled(BCPNN(tau=10.0), patterns)
    one_by_one = BCPNN(tau=10.0)
    for row in patterns:
        filled(one_by_one, row)
    X = patterns.to_dense().astype(float)
    age = 0.9 ** np.arange(40)[::-1]
    for one in (at_once, one_by_one):
        pairs = one._pairs / one._scale
        np.testing.assert_allclose(pairs, (X * age[:, None]).T @ X, rtol=1e-5, atol=1e-6)
        assert one._mass / one._scale == pytest.approx(age.sum())
    assert at_once.n_stored == 40


def test_old_patterns_are_forgotten_and_new_ones_are_not():
    rng = np.random.default_rng(2)
    patterns = draw(1200, 100, 8, rng)
    exact = {}
    for tau in (None, 40.0):
        found = filled(BCPNN(tau=tau), patterns).recall(patterns[-15:]).code
        exact[tau] = np.mean([a == b for a, b in zip(found, patterns[-15:])])
    assert exact[40.0] > 0.8 > exact[None]


def test_one_unit_wins_in_each_hypercolumn():
    rng = np.random.default_rng(3)
    units = rng.integers(0, 10, (40, 12)) + 10 * np.arange(12)
    patterns = SparseCode.from_indices(units, (12, 10))
    one = filled(BCPNN(hypercolumns=True), patterns)
    cues = SparseCode.from_indices(units[:, :6], (12, 10))
    found = one.recall(cues)
    assert (found.code.to_dense().sum(axis=2) == 1).all()
    assert np.mean([a == b for a, b in zip(found.code, patterns)]) > 0.95
    with pytest.raises(ValueError, match=r"\(\.\.\., n_hypercolumns, n_units\); got \(120,\)"):
        BCPNN(hypercolumns=True).store(draw(3, 120, 5, rng))


def test_bad_parameters():
    for options, said in (
        ({"tau": 0.5}, "tau must be at least 1 pattern"),
        ({"tau": -1.0}, "tau must"),
        ({"prior": 0.0}, "prior must"),
        ({"n_winners": 0}, "n_winners must be at least 1"),
    ):
        with pytest.raises(ValueError, match=said):
            BCPNN(**options)


@pytest.mark.parametrize("tau", [1.0, 1.5, 20.0, 1e9, 1e300])
def test_batches_of_traces_change_no_bit(tau):
    """With 1.5 the counts are brought back to 1 every 12 patterns."""
    rng = np.random.default_rng(4)
    patterns = draw(70, 40, 4, rng)
    at_once, in_parts = filled(BCPNN(tau=tau), patterns), BCPNN(tau=tau)
    for first in range(0, 70, 9):
        filled(in_parts, patterns[first : first + 9])
    np.testing.assert_array_equal(at_once._pairs, in_parts._pairs)
    assert np.isfinite(at_once._pairs).all()
    assert at_once._mass == in_parts._mass


@pytest.mark.parametrize("tau", [1.5, 30.0])
def test_traces_follow_their_differential_equation(tau):
    """p += (o - p) / tau from 0, over the same trace of a unit that is always active."""
    patterns = draw(100, 20, 3, np.random.default_rng(5))
    one = filled(BCPNN(tau=tau), patterns)
    p, always = np.zeros((20, 20)), 0.0
    for x in patterns.to_dense().astype(float):
        p += (np.outer(x, x) - p) / tau
        always += (1.0 - always) / tau
    np.testing.assert_allclose(one._pairs / one._mass, p / always, rtol=1e-4, atol=1e-6)


def test_endless_traces_count_all_patterns_alike():
    rng = np.random.default_rng(6)
    patterns, cues = draw(60, 50, 5, rng), draw(30, 50, 5, rng)
    fading, counting = filled(BCPNN(tau=1e15), patterns), filled(BCPNN(), patterns)
    assert fading.recall(cues).code == counting.recall(cues).code


def test_sparse_patterns_are_held_as_willshaw_holds_them():
    """Half cues of very sparse patterns: exact in both at low load, later BCPNN knows more."""
    patterns = draw(1200, 600, 8, np.random.default_rng(7))
    exact = {}
    for n_stored in (150, 1200):
        some, kept = patterns[:n_stored], patterns[:150]
        halves = SparseCode.from_indices([one.indices[:4] for one in kept], 600)
        for kind in (BCPNN, Willshaw):
            found = filled(kind(), some).recall(halves).code
            exact[kind, n_stored] = np.mean([a == b for a, b in zip(found, kept)])
    assert exact[BCPNN, 150] == exact[Willshaw, 150] == 1.0
    assert exact[BCPNN, 1200] > exact[Willshaw, 1200]


def test_threads_company_and_files_change_no_bit(tmp_path):
    rng = np.random.default_rng(8)
    one = filled(BCPNN(tau=25.0), draw(200, 100, 8, rng))
    cues = draw(300, 100, 8, rng)
    found = one.recall(cues, n_threads=1).code
    assert found == one.recall(cues, n_threads=2).code
    assert found == SparseCode.concatenate([one.recall(cue).code for cue in cues])
    one.save(tmp_path / "kept.npz")
    other = BCPNN.load(tmp_path / "kept.npz")
    more = draw(50, 100, 8, rng)
    assert filled(one, more).recall(cues).code == filled(other, more).recall(cues).code
