"""Patches: where they lie, which are refused, and that a stream is one stream."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from scipy import stats

from sparsecode.datasets import ImageSet, extract_patches, patch_batches

IMAGES = [
    np.random.default_rng(0).standard_normal((30, 41)),
    np.random.default_rng(1).standard_normal((25, 22)).astype(np.float32),
]


def numbered(*shapes):
    """Images whose pixels all differ, so that a patch tells where it was taken."""
    starts = np.cumsum([0, *(np.prod(shape) for shape in shapes)])
    return [
        start + np.arange(np.prod(shape), dtype=float).reshape(shape)
        for start, shape in zip(starts, shapes)
    ]


def test_patches_are_windows_of_the_images():
    first, second = numbered((12, 15), (9, 8))
    patches = extract_patches([first, second], (4, 3), n_patches=300, rng=0, subtract_mean=False)
    assert patches.shape == (300, 12)
    for patch in patches:
        image = first if patch[0] < first.size else second
        (i,), (j,) = np.nonzero(image == patch[0])
        np.testing.assert_array_equal(patch.reshape(4, 3), image[i : i + 4, j : j + 3])


def test_images_and_positions_are_equally_likely():
    images = numbered((10, 12), (6, 6))
    corners = extract_patches(images, 5, n_patches=20_000, rng=0, subtract_mean=False)[:, 0]
    for image in images:  # each image has half of the patches, spread over all its positions
        possible = image[: image.shape[0] - 4, : image.shape[1] - 4].ravel()
        counts = np.array([np.sum(corners == corner) for corner in possible])
        assert stats.binomtest(counts.sum(), 20_000).pvalue > 1e-4
        assert stats.chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_means_are_subtracted_and_the_dtype_is_chosen(dtype):
    patches = extract_patches(IMAGES, 8, n_patches=50, rng=0, dtype=dtype)
    assert patches.dtype == dtype
    assert patches.shape == (50, 64)
    np.testing.assert_allclose(patches.mean(axis=1), 0.0, atol=1e-6)
    kept = extract_patches(IMAGES, 8, n_patches=50, rng=0, dtype=dtype, subtract_mean=False)
    np.testing.assert_allclose(kept - kept.mean(axis=1, keepdims=True), patches, atol=1e-6)


def test_the_same_seed_gives_the_same_patches():
    first, again = (extract_patches(IMAGES, 6, n_patches=40, rng=5) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, extract_patches(IMAGES, 6, n_patches=40, rng=6))


def half_flat():
    image = np.full((40, 60), 0.1)
    image[:, 40:] = np.random.default_rng(0).standard_normal((40, 20))
    image[:, :20] += 1e-4 * np.random.default_rng(1).standard_normal((40, 20))
    return image


def test_constant_patches_are_drawn_again():
    image = half_flat()
    patches = extract_patches(image, 8, n_patches=400, rng=0)
    assert patches.std(axis=1).min() >= 0.01 * image.std()
    every = extract_patches(image, 8, n_patches=400, rng=0, min_contrast=0.0)
    varied = every[every.std(axis=1) >= 0.01 * image.std()]
    assert 0 < len(varied) < 300
    np.testing.assert_array_equal(patches[: len(varied)], varied)
    faint = extract_patches(image, 8, n_patches=400, rng=0, min_contrast=1e-5)
    assert 0 < np.sum(faint.std(axis=1) < 1e-3) < 400


@pytest.mark.parametrize("batch_size", [1, 7, 60])
def test_a_stream_does_not_depend_on_its_batches(batch_size):
    image = half_flat()
    n_batches = -(-120 // batch_size)
    batches = list(patch_batches(image, batch_size, size=8, n_batches=n_batches, rng=3))
    assert {batch.shape for batch in batches} == {(batch_size, 64)}
    at_once = extract_patches(image, 8, n_patches=n_batches * batch_size, rng=3)
    np.testing.assert_array_equal(np.concatenate(batches), at_once)


def test_a_stream_has_no_end_unless_it_is_given_one():
    assert len(list(islice(patch_batches(IMAGES, 2, size=4, rng=0), 100))) == 100
    assert len(list(patch_batches(IMAGES, 2, size=4, rng=0, n_batches=3))) == 3
    assert list(patch_batches(IMAGES, 2, size=4, rng=0, n_batches=0)) == []


def test_no_patches_are_an_empty_array():
    assert extract_patches(IMAGES, 4, n_patches=0).shape == (0, 16)


def test_a_patch_may_be_the_whole_image():
    patches = extract_patches(IMAGES[0], (30, 41), n_patches=2, rng=0, subtract_mean=False)
    np.testing.assert_array_equal(patches, np.stack([IMAGES[0].ravel()] * 2))


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (IMAGES, {"size": 23}, r"patch of 23 x 23 pixels; image '1' has shape \(25, 22\)"),
        (np.ones((20, 20)), {}, "images must vary, but every one is constant"),
        ([np.ones((20, 20)), np.zeros((16, 16))], {}, "images must vary"),
        (IMAGES, {"size": 0}, "size must be at least 1"),
        (IMAGES, {"size": (4, 4, 4)}, r"a number of pixels or \(height, width\); got \(4, 4, 4\)"),
        (IMAGES, {"min_contrast": 1.0}, r"min_contrast must lie in \[0, 1\); got 1.0"),
        (IMAGES, {"min_contrast": np.nan}, "min_contrast must lie in"),
        (IMAGES, {"dtype": np.int32}, "dtype must be one of"),
        ([np.full((20, 20), np.inf)], {}, "must be finite"),
        ([], {}, "at least one image"),
    ],
)
def test_bad_input_is_refused_at_once(images, options, message):
    with pytest.raises(ValueError, match=message):
        extract_patches(images, **options)
    with pytest.raises(ValueError, match=message):
        patch_batches(images, **options)


def test_counts_are_checked():
    with pytest.raises(ValueError, match="n_patches must be at least 0"):
        extract_patches(IMAGES, 4, n_patches=-1)
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        patch_batches(IMAGES, 0, size=4)


def test_a_search_for_varied_patches_ends():
    image = np.zeros((400, 400))
    image[0, 0] = 1.0
    message = "patches must not be constant, but only 0 of .* drawn"
    with pytest.raises(ValueError, match=message):
        extract_patches(ImageSet(["dot"], [image], [""]), 4, n_patches=5, rng=0)
