"""The Willshaw memory is what its definition says, with an explicit matrix."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory import Willshaw
from sparsecode.core import SparseCode


def draw(n_samples: int, n_units: int, k: int, rng: np.random.Generator) -> SparseCode:
    rows = [rng.choice(n_units, k, replace=False) for _ in range(n_samples)]
    return SparseCode.from_indices(rows, n_units)


def matrix(patterns: SparseCode, targets: SparseCode) -> np.ndarray:
    """Return the weights by their definition."""
    X, Y = (code.to_dense().astype(int) for code in (patterns, targets))
    return (X.T @ Y > 0).astype(int)


def best(sums: np.ndarray, k: int) -> np.ndarray:
    """Mark the first of the largest sums, and never a sum of 0."""
    active = np.zeros(sums.shape, bool)
    for row, mine in zip(sums, active):
        mine[np.argsort(-row, kind="stable")[:k]] = True
    return active & (sums > 0)


@pytest.mark.parametrize("k_out", [3, 70])  # bit by bit, and row by row
@pytest.mark.parametrize("options", [{}, {"threshold": 0.6}, {"n_winners": 5}], ids=str)
def test_recall_is_as_defined(k_out, options):
    rng = np.random.default_rng(0)
    patterns, targets = draw(40, 90, 6, rng), draw(40, 700, k_out, rng)
    cues = draw(25, 90, 5, rng)
    one = Willshaw(**options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert one.store(patterns, targets) == targets
    weights = matrix(patterns, targets)
    sums = cues.to_dense().astype(int) @ weights
    if "n_winners" in options:
        expected = best(sums, 5)
    else:
        expected = (sums >= np.ceil(options.get("threshold", 1.0) * 5)) & (sums > 0)
    found = one.recall(cues)
    assert found.code == SparseCode.from_dense(expected)
    assert found.pattern is found.code
    pairs = (sums * expected).sum(axis=1) / np.maximum(5 * expected.sum(axis=1), 1)
    np.testing.assert_allclose(found.familiarity, pairs)
    assert one.matrix_load == pytest.approx(weights.mean())
    assert (one.n_weights, one.nbytes) == (90 * 700, 90 * 1024 // 8)


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_stored_patterns_are_always_recalled_at_least(seed, n_stored):
    rng = np.random.default_rng(seed)
    patterns = draw(n_stored, 30, 4, rng)
    one = Willshaw()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        one.store(patterns)
    found = one.recall(patterns)
    missing = patterns.to_dense() & ~found.code.to_dense()
    assert not missing.any()
    np.testing.assert_array_equal(found.familiarity, 1.0)


def test_familiarity_is_the_share_of_connected_pairs():
    rng = np.random.default_rng(1)
    patterns, cues = draw(60, 100, 6, rng), draw(20, 100, 6, rng)
    one = Willshaw()
    one.store(patterns)
    weights, X = matrix(patterns, patterns), cues.to_dense().astype(int)
    expected = np.einsum("ni,ij,nj->n", X, weights, X) / 36
    np.testing.assert_allclose(one.recall(cues).familiarity, expected)


def test_more_steps_complete_more():
    rng = np.random.default_rng(2)
    patterns = draw(300, 400, 10, rng)
    damaged = SparseCode.from_indices(
        [
            np.r_[row.indices[:7], rng.choice(np.setdiff1d(np.arange(400), row.indices), 3, False)]
            for row in patterns
        ],
        400,
    )
    exact = []
    for n_steps in (1, 5):
        one = Willshaw(n_winners=10, n_steps=n_steps)
        one.store(patterns)
        found = one.recall(damaged).code
        exact.append(np.mean([a == b for a, b in zip(found, patterns)]))
    assert exact[1] > exact[0]


def test_threads_change_no_bit():
    rng = np.random.default_rng(3)
    patterns = draw(700, 600, 8, rng)
    one = Willshaw(n_winners=8)
    one.store(patterns)
    found = [one.recall(patterns, n_threads=n_threads) for n_threads in (1, None)]
    assert found[0].code == found[1].code
    np.testing.assert_array_equal(found[0].familiarity, found[1].familiarity)


def test_a_full_memory_says_so_once():
    rng = np.random.default_rng(4)
    one = Willshaw()
    with pytest.warns(UserWarning, match=r"full when half of its weights are set.*after 40 patt"):
        one.store(draw(40, 20, 6, rng))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one.store(draw(40, 20, 6, rng))
        one.recall(draw(2, 20, 6, rng))


def test_bad_input():
    rng = np.random.default_rng(5)
    patterns = draw(4, 20, 3, rng)
    for options, said in (
        ({"n_winners": 0}, "n_winners must be at least 1"),
        ({"threshold": 0.0}, "threshold must"),
        ({"threshold": 1.5}, "threshold must"),
        ({"n_steps": 0}, "n_steps must be at least 1"),
    ):
        with pytest.raises(ValueError, match=said):
            Willshaw(**options)
    one = Willshaw()
    with pytest.raises(ValueError, match="targets must be as many as patterns, 4; got 3"):
        one.store(patterns, patterns[:3])
    one.store(patterns)
    with pytest.raises(ValueError, match=r"with every batch or with none; got some after batches"):
        one.store(patterns, patterns)
    other = Willshaw()
    other.store(patterns, draw(4, 30, 3, rng))
    with pytest.raises(ValueError, match=r"targets must have unit_shape \(30,\), that of the sto"):
        other.store(patterns, patterns)


@pytest.mark.parametrize("options", [{}, {"threshold": 0.5}, {"n_winners": 150}], ids=str)
def test_answers_that_are_much_longer_than_cues(options):
    rng = np.random.default_rng(7)
    patterns, targets = draw(30, 40, 3, rng), draw(30, 200, 150, rng)
    one = Willshaw(**options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        one.store(patterns, targets)
    cues = patterns[np.arange(600) % 30]
    sums = cues.to_dense().astype(int) @ matrix(patterns, targets)
    expected = best(sums, 150) if "n_winners" in options else sums >= (2 if options else 3)
    found = one.recall(cues)
    assert found.code == SparseCode.from_dense(expected)
    np.testing.assert_allclose(found.familiarity, (sums * expected).sum(1) / 3 / expected.sum(1))
    assert one.recall(cues[:0]).code.n_samples == 0


@pytest.mark.parametrize("options", [{"threshold": 0.7}, {"n_winners": 6}], ids=str)
def test_familiarity_is_of_the_cue_however_it_is_recalled(options):
    rng = np.random.default_rng(8)
    patterns, cues = draw(60, 100, 6, rng), draw(20, 100, 6, rng)
    exact, other = Willshaw(), Willshaw(n_steps=3, **options)
    exact.store(patterns)
    other.store(patterns)
    wanted = exact.recall(cues).familiarity
    assert len(set(wanted)) > 5
    np.testing.assert_allclose(other.recall(cues).familiarity, wanted)


def test_files_of_pairs(tmp_path):
    rng = np.random.default_rng(6)
    patterns, targets = draw(9, 50, 4, rng), draw(9, 80, 4, rng)
    one = Willshaw()
    one.store(patterns, targets)
    one.save(tmp_path / "pairs.safetensors")
    other = Willshaw.load(tmp_path / "pairs.safetensors")
    assert other.recall(patterns).code == one.recall(patterns).code
    assert other.target_shape == (80,)
    more = draw(9, 50, 4, rng)
    for memory in (one, other):  # what was read can be added to
        memory.store(more, targets)
    assert other.recall(more).code == one.recall(more).code
