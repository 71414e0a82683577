"""Random frames are uniform; moving edges move, stay within their bounds and say what they are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom
from skimage.feature import canny

from sparsecode.core import SparseCode
from sparsecode.datasets import CodeSequences, ImageSet, moving_edges, random_sequences


def test_sequences_know_their_frames():
    code = SparseCode.from_indices([[0], [1], [2], [0, 1], []], 3)
    both = CodeSequences(code, [3, 2])
    assert len(both) == 2
    assert both.sequence.tolist() == [0, 0, 0, 1, 1]
    assert both.frame.tolist() == [0, 1, 2, 0, 1]
    assert [each == code[part] for each, part in zip(both, (slice(0, 3), slice(3, 5)))] == [
        True
    ] * 2
    assert both[-1] == code[3:]
    with pytest.raises(IndexError):
        both[2]


def test_random_frames_have_every_count_and_every_unit_alike():
    made = random_sequences(300, 10, unit_shape=(4, 5), n_active=(2, 5), rng=0)
    assert made.code.unit_shape == (4, 5)
    assert made.lengths.tolist() == [10] * 300
    counts = np.bincount(made.code.n_active, minlength=7)
    assert counts[[0, 1, 6]].tolist() == [0, 0, 0]
    low, high = binom.ppf([1e-5, 1 - 1e-5], 3000, 0.25)
    assert ((counts[2:6] >= low) & (counts[2:6] <= high)).all()
    low, high = binom.ppf([1e-5, 1 - 1e-5], 3000, 3.5 / 20)
    units = np.bincount(made.code.indices, minlength=20)
    assert ((units >= low) & (units <= high)).all()


def test_random_sequences_come_from_a_seed_and_a_lexicon():
    first, again = (random_sequences(4, 13, n_active=5, rng=3).code for _ in range(2))
    assert first == again
    assert first != random_sequences(4, 13, n_active=5, rng=4).code
    lexicon = random_sequences(20, 10, n_distinct=7, rng=0).code.to_dense().reshape(200, -1)
    assert len(np.unique(lexicon, axis=0)) == 7
    assert random_sequences(0, 5, rng=0).code.shape == (0, 144)


@pytest.fixture(scope="module")
def photographs():
    """Two discs, of unequal size and contrast, as photographs with credits."""
    rows, columns = np.mgrid[:160, :200]
    distance = np.hypot(rows - 80, columns - 100)
    images = tuple(scale * (distance < radius) for scale, radius in ((1.0, 40), (0.0625, 55)))
    return ImageSet(("near", "far"), images, ("A. Person, CC0", ""))


def test_frames_are_cut_from_the_edges_along_a_line(photographs):
    image = photographs[:1]
    made = moving_edges(image, 6, 8, shape=(16, 20), n_active=(5, 60), speed=2.0, rng=0)
    assert made.code.unit_shape == (16, 20)
    assert made.lengths.tolist() == [8] * 6
    assert made.code.n_active.min() >= 5
    assert made.code.n_active.max() <= 60
    edges = canny(image[0], 2.0, low_threshold=0.8, high_threshold=0.92, use_quantiles=True)
    windows = np.lib.stride_tricks.sliding_window_view(edges, (16, 20))
    for sequence in made:
        places = [np.argwhere((windows == frame).all(axis=(2, 3))) for frame in sequence.to_dense()]
        ends = [
            (a, b) for a in places[0] for b in places[-1]
            if abs(np.hypot(*(b - a)) - 14.0) <= 1.5  # seven steps of two pixels, rounded
        ]  # fmt: skip
        assert any(
            all(
                (np.abs(place - (a + (b - a) * i / 7)).max(axis=1) <= 1).any()
                for i, place in enumerate(places)
            )
            for a, b in ends
        )


def test_contrast_does_not_matter_and_the_credit_says_synthetic(photographs):
    made = moving_edges(photographs, 20, 3, shape=(24, 24), n_active=(10, 60), rng=1)
    assert "synthetic motion" in made.credit
    assert "near (A. Person, CC0)" in made.credit
    assert "far" in made.credit
    assert made.code == moving_edges(
        ImageSet(("near", "far"), (photographs[0], 16 * photographs[1]), ("", "")),
        20, 3, shape=(24, 24), n_active=(10, 60), rng=1,
    ).code  # fmt: skip


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda p: random_sequences(1, 0), ValueError, "n_frames must be at least 1; got 0"),
        (lambda p: random_sequences(n_active=(5, 4)), ValueError, "n_active must be at least 5"),
        (lambda p: random_sequences(n_active=(1, 2, 3)), ValueError, "a number or a pair of them"),
        (lambda p: random_sequences(unit_shape=4), ValueError, "at most 4; got 9"),
        (lambda p: moving_edges(p, speed=(2, 1)), ValueError, "the slowest, then the fastest"),
        (lambda p: moving_edges(p, speed=-1), ValueError, "speed must be finite and above 0"),
        (
            lambda p: moving_edges(p, n_frames=100, rng=0),
            ValueError,
            "image 'near' must have at least 210 x 210 pixels",
        ),
        (
            lambda p: moving_edges(p, n_active=(140, 144), max_draws=5, rng=0),
            ValueError,
            "none of 5 had between 140 and 144 edge pixels in all 10 frames",
        ),
        (
            lambda p: CodeSequences(SparseCode.from_indices([[0]], 2), [2]),
            ValueError,
            "add up to 1, the rows of code",
        ),
        (lambda p: CodeSequences(np.zeros((1, 2)), [1]), TypeError, "code must be a SparseCode"),
    ],
)
def test_bad_arguments_are_named(photographs, call, error, said):
    with pytest.raises(error, match=said):
        call(photographs)
