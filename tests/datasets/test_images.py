"""Image sets, the offline pool and the enlarged digits."""

from __future__ import annotations

import socket

import numpy as np
import pooch
import pytest
import skimage.data
from sklearn.datasets import load_digits, load_sample_image

from sparsecode.datasets import ImageSet, LabelledImages, images, load_digits16, natural_images


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("the network was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(pooch, "retrieve", refuse)
    monkeypatch.setattr(pooch.Pooch, "fetch", refuse)


@pytest.fixture(scope="module")
def pool():
    return natural_images()


def luminance(pixels):
    """Decode sRGB (IEC 61966-2-1) the slow and obvious way."""
    code = pixels / 255.0
    linear = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    return linear if pixels.ndim == 2 else linear @ [0.2126, 0.7152, 0.0722]


@pytest.mark.usefixtures("no_network")
def test_the_pool_loads_without_a_network():
    pool = natural_images()
    assert pool.names == (
        "china", "flower", "astronaut", "chelsea", "coffee", "rocket", "motorcycle_left",
        "motorcycle_right", "grass", "gravel", "brick", "camera",
    )  # fmt: skip
    assert all(pool.credits)
    assert not pool.whitened
    for image in pool:
        assert image.dtype == np.float32
        assert min(image.shape) >= 300
        assert image.min() >= 0.0
        assert image.max() <= 1.0
        assert image.std() > 0.05


@pytest.mark.parametrize("name", ["camera", "brick", "coffee", "astronaut", "china"])
def test_the_pool_is_linear_luminance(pool, name):
    pixels = load_sample_image("china.jpg") if name == "china" else getattr(skimage.data, name)()
    np.testing.assert_allclose(pool[name], luminance(pixels), atol=2e-4)


def test_a_stripped_package_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(images.resources, "files", lambda package: tmp_path)
    with pytest.raises(FileNotFoundError, match=r"china\.jpg must come with .* scikit-learn"):
        natural_images()


@pytest.mark.usefixtures("no_network")
def test_digits_are_enlarged_by_linear_interpolation():
    digits = load_digits16()
    source = load_digits()
    np.testing.assert_array_equal(digits.labels, source.target)
    padded = np.pad(source.images / 16.0, [(0, 0), (1, 1), (1, 1)], mode="edge")

    def enlarge(array):  # pixel centres lie a quarter of a pixel off those of the source
        left = 0.25 * array[..., :-2] + 0.75 * array[..., 1:-1]
        right = 0.75 * array[..., 1:-1] + 0.25 * array[..., 2:]
        return np.stack([left, right], axis=-1).reshape(*array.shape[:-1], -1)

    expected = enlarge(enlarge(padded).swapaxes(1, 2)).swapaxes(1, 2)
    np.testing.assert_allclose(digits.images, expected, atol=1e-6)
    assert repr(digits) == "<LabelledImages of 1797, 16 x 16>"
    assert digits.X.shape == (len(digits), 256)
    assert digits.labels.dtype == np.int64


def test_an_image_set_behaves_like_a_sequence():
    first, second = np.arange(6.0).reshape(2, 3), np.ones((4, 4), dtype=np.uint8)
    pair = ImageSet(["a", "b"], [first, second], ["", "someone"], whitened=True)
    assert len(pair) == 2
    assert [image.shape for image in pair] == [(2, 3), (4, 4)]
    np.testing.assert_array_equal(pair["a"], first)
    assert pair[1].dtype == np.float64
    tail = pair[1:]
    assert (tail.names, tail.credits, tail.whitened) == (("b",), ("someone",), True)
    assert repr(tail) == "<ImageSet of 1, 0.00 Mpx, whitened>"
    with pytest.raises(KeyError, match="no image is called 'c'; there are a, b"):
        pair["c"]


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((2, 2, 3)), r"image 'x' must be grey, of shape \(height, width\)"),
        (np.zeros((0, 5)), "and hold pixels"),
        (np.full((2, 2), np.nan), "image 'x' must be finite"),
    ],
)
def test_bad_images_are_refused(image, message):
    with pytest.raises(ValueError, match=message):
        ImageSet(["x"], [image], [""])


def test_an_image_set_needs_a_name_and_a_credit_for_each_image():
    with pytest.raises(ValueError, match="one entry for each image; got 1, 1 and 0"):
        ImageSet(["x"], [np.eye(2)], [])


def test_anything_with_images_becomes_a_set():
    stack = np.arange(24.0).reshape(2, 3, 4)
    labelled = LabelledImages(stack, np.zeros(2, dtype=int), "")
    for given in (stack, list(stack), labelled, images.as_image_set(stack)):
        assert [image.shape for image in images.as_image_set(given)] == [(3, 4), (3, 4)]
    assert len(images.as_image_set(stack[0])) == 1
    with pytest.raises(ValueError, match="at least one image"):
        images.as_image_set([])
    with pytest.raises(TypeError, match="got NoneType"):
        images.as_image_set(None)
