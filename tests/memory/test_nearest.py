"""The nearest stored pattern against a search of all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.nearest import NearestPattern
from sparsecode.core import SparseCode


def searched(X, cues, measure):
    """Return the first of the most similar patterns, and the familiarity, from the definition."""
    found, familiarity = np.zeros_like(cues), np.zeros(len(cues))
    for i, cue in enumerate(cues):
        shared = [(cue & x).sum() for x in X]
        jaccard = [s / max((cue | x).sum(), 1) for s, x in zip(shared, X)]
        best = int(np.argmax(shared if measure == "overlap" else jaccard))
        if shared[best]:
            found[i] = X[best]
            share = shared[best] / max(cue.sum(), X[best].sum())
            familiarity[i] = share if measure == "overlap" else jaccard[best]
    return found, familiarity


@given(st.integers(0, 2**32), st.sampled_from(["overlap", "jaccard"]), st.integers(1, 9))
def test_the_most_similar_pattern_is_recalled(seed, measure, n_units):
    rng = np.random.default_rng(seed)
    X, cues = rng.random((12, n_units)) < 0.4, rng.random((7, n_units)) < 0.4
    memory = NearestPattern(measure)
    memory.store(X[:5])
    memory.store(X[5:])
    found = memory.recall(cues)
    wanted, familiarity = searched(X, cues, measure)
    np.testing.assert_array_equal(found.code.to_dense(), wanted)
    np.testing.assert_allclose(found.familiarity, familiarity)
    assert memory.n_weights == X.sum()
    assert memory.nbytes == 4 * X.sum() + 8 * 12


@pytest.mark.parametrize("measure", ["overlap", "jaccard"])
def test_threads_make_no_difference(measure):
    rng = np.random.default_rng(0)
    memory = NearestPattern(measure)
    memory.store(rng.random((500, 100)) < 0.1)
    cues = rng.random((300, 100)) < 0.1
    one, two = memory.recall(cues, n_threads=1), memory.recall(cues)
    assert one.code == two.code
    np.testing.assert_array_equal(one.familiarity, two.familiarity)


def test_equal_patterns_give_the_first():
    memory = NearestPattern()
    memory.store(SparseCode.from_indices([[0, 1, 2], [0, 1, 3]], 5))
    assert memory.recall(SparseCode.from_indices([[0, 1]], 5)).code.indices.tolist() == [0, 1, 2]


def test_measures_are_known():
    with pytest.raises(ValueError, match="measure must be one of 'overlap', 'jaccard'; got 'cos"):
        NearestPattern("cosine")
