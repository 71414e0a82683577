"""Digits in a small frame: the shapes that are drawn, not more, and one pixel thin."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import label

from sparsecode.datasets import LabelledImages, load_digits16, prepare_digits


@pytest.fixture(scope="module")
def digits():
    return load_digits16()


def bar(height=28, width=28, rows=slice(4, 24), columns=slice(12, 16)):
    image = np.zeros((1, height, width))
    image[0, rows, columns] = 0.8
    return image


def test_digits_become_binary_codes_over_the_frame(digits):
    code = prepare_digits(digits)
    assert code.is_binary
    assert code.unit_shape == (24, 16)
    assert len(code) == len(digits)
    assert code.n_active.min() > 0
    assert prepare_digits(digits.images) == code


def test_strokes_are_thin_and_stay_in_one_piece(digits):
    thick = prepare_digits(digits.images[:300], skeleton=False).to_dense()
    thin = prepare_digits(digits.images[:300]).to_dense()
    assert not (thin & ~thick).any()
    squares = thin[:, :-1, :-1] & thin[:, 1:, :-1] & thin[:, :-1, 1:] & thin[:, 1:, 1:]
    assert squares.mean() < 0.001
    eight = np.ones((3, 3))
    for before, after in zip(thick, thin):
        assert label(before, eight)[1] == label(after, eight)[1]


def test_each_digit_is_prepared_on_its_own(digits):
    whole = prepare_digits(digits.images[:20])
    assert prepare_digits(digits.images[7:8]) == whole[7]
    assert prepare_digits(0.3 * digits.images[:20]) == whole


def test_the_whole_image_is_stretched_to_the_frame():
    thick = prepare_digits(bar(), shape=(14, 7), skeleton=False).to_dense()[0]
    expected = np.zeros((14, 7), bool)
    expected[2:12, 3] = True  # 20 of 28 rows are 10 of 14, 4 of 28 columns one of 7
    np.testing.assert_array_equal(thick, expected)


def test_a_margin_is_cut_off_each_side():
    image = bar()
    cut = prepare_digits(image, crop=4)
    assert cut == prepare_digits(image[:, 4:-4, 4:-4])
    assert cut.to_dense()[0].any(axis=1).sum() >= 22  # the bar is as high as what is left


def test_a_box_keeps_proportions_and_is_centred():
    code = prepare_digits(bar(columns=slice(1, 5)), crop="box", skeleton=False).to_dense()[0]
    rows, columns = np.flatnonzero(code.any(axis=1)), np.flatnonzero(code.any(axis=0))
    assert rows.tolist() == list(range(24))
    assert 4 <= columns.size <= 6  # 4 of 20 is 4.8 of 24
    assert abs(columns.mean() - 7.5) <= 0.5


def test_mnist_sized_bytes_and_dark_images():
    images = np.concatenate([255 * bar(), np.zeros((1, 28, 28))]).astype(np.uint8)
    for crop in (0, 3, "box"):
        code = prepare_digits(images, crop=crop)
        assert code.n_active[0] > 10
        assert code.n_active[1] == 0
    assert prepare_digits(images[:0]).shape == (0, 384)


def test_labelled_images_keep_nothing_but_pixels():
    images = LabelledImages(bar().astype(np.float32), np.array([1]), "")
    assert prepare_digits(images) == prepare_digits(bar().astype(np.float32))


@pytest.mark.parametrize(
    ("images", "options", "said"),
    [
        (np.zeros((8, 8)), {}, r"got \(8, 8\). Use images\[None\] for one image"),
        (np.full((1, 8, 8), -1.0), {}, "at least 0, bright strokes on a dark ground; got -1"),
        (np.full((1, 8, 8), np.nan), {}, "must be finite"),
        (np.zeros((1, 8, 8)), {"shape": 8}, "shape must be a height and a width; got 8"),
        (np.zeros((1, 8, 8)), {"shape": (8, 0)}, "width must be at least 1; got 0"),
        (np.zeros((1, 8, 8)), {"crop": "tight"}, "crop must be a number of pixels or \"box\""),
        (np.zeros((1, 8, 8)), {"crop": 4}, "crop must be at least 0 and at most 3; got 4"),
        (np.zeros((1, 8, 8)), {"threshold": 1.5}, "threshold must lie above 0 and at most at 1"),
    ],
)  # fmt: skip
def test_bad_arguments_are_named(images, options, said):
    with pytest.raises(ValueError, match=said):
        prepare_digits(images, **options)
