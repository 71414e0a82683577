"""Whitening and local contrast normalisation against their slow, obvious forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsecode.datasets import ImageSet, normalize_local_contrast, whiten
from sparsecode.datasets.whitening import _whitening_filter


@pytest.fixture
def scenes():
    """Three images with the 1/f amplitude of natural scenes and different contrasts."""
    rng = np.random.default_rng(0)
    rows, columns = np.fft.fftfreq(48)[:, None], np.fft.fftfreq(64)
    amplitude = 1.0 / np.maximum(np.hypot(rows, columns), 1.0 / 64)
    return np.stack(
        [
            contrast * np.fft.ifft2(np.fft.fft2(rng.standard_normal((48, 64))) * amplitude).real
            for contrast in (1.0, 3.0, 0.2)
        ]
    )


def published_whitening(images, isotropic):
    """Whiten as the published scripts do: a centred grid of integer frequencies, shifted."""
    filtered = []
    for image in images:
        height, width = image.shape
        fx, fy = np.meshgrid(
            np.arange(-(height // 2), height // 2),
            np.arange(-(width // 2), width // 2),
            indexing="ij",
        )
        if isotropic:
            fx, fy, f0 = fx / height, fy / width, 0.4
        else:
            image = (image - image.min()) / (image.max() - image.min())
            image = (image - image.mean()) / image.std()
            f0 = 0.4 * height
        rho = np.sqrt(fx**2 + fy**2)
        kernel = np.fft.fftshift(rho * np.exp(-((rho / f0) ** 4)))
        filtered.append(np.fft.ifft2(np.fft.fft2(image) * kernel).real)
    return np.sqrt(0.1) * np.stack(filtered) / np.sqrt(np.mean([f.var() for f in filtered]))


@pytest.mark.parametrize("method", ["olshausen-field", "rentzeperis"])
def test_whitening_is_the_published_one(scenes, method):
    expected = published_whitening(scenes, isotropic=method == "olshausen-field")
    whitened = whiten(scenes, method=method)
    np.testing.assert_allclose(np.stack(list(whitened)), expected, atol=1e-12)
    assert whitened.whitened


@pytest.mark.parametrize("method", ["olshausen-field", "rentzeperis"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_variance_mean_and_dtype_are_as_promised(scenes, method, dtype):
    odd = [scenes[0, :47, :63].astype(dtype), scenes[1].astype(dtype)]
    whitened = whiten(odd, method=method, variance=0.3)
    assert [image.dtype for image in whitened] == [dtype, dtype]
    assert np.mean([image.var() for image in whitened]) == pytest.approx(0.3, rel=1e-5)
    assert max(abs(image.mean()) for image in whitened) < 1e-6


def test_only_one_method_is_isotropic(scenes):
    for method, isotropic in (("olshausen-field", True), ("rentzeperis", False)):
        upright, turned = (
            np.stack(list(whiten(s, method=method))) for s in (scenes, scenes.swapaxes(1, 2))
        )
        assert np.allclose(turned, upright.swapaxes(1, 2), atol=1e-9) is isotropic


def test_the_filters_peak_where_the_papers_put_it():
    peak = 0.4 / 4**0.25  # derivative of f exp(-(f / f0) ** 4)
    for method, horizontal in (("olshausen-field", peak), ("rentzeperis", peak * 1024 / 1536)):
        kernel = _whitening_filter((1024, 1536), method, 0.4)
        assert kernel[:513, 0].argmax() / 1024 == pytest.approx(peak, abs=1e-3)
        assert kernel[0].argmax() / 1536 == pytest.approx(horizontal, abs=1e-3)
        assert kernel[0, 0] == 0.0


def test_whitening_flattens_the_spectrum(scenes):
    frequency = np.hypot(np.fft.fftfreq(48)[:, None], np.fft.fftfreq(64))
    low, middle = (frequency > 0.03) & (frequency < 0.08), (frequency > 0.15) & (frequency < 0.2)

    def ratio(images):
        power = np.mean([np.abs(np.fft.fft2(image)) ** 2 for image in images], axis=0)
        return power[low].mean() / power[middle].mean()

    assert ratio(scenes) > 5.0
    assert 0.7 < ratio(whiten(scenes)) < 1.4


@given(gain=st.floats(1e-3, 1e3), offset=st.floats(-1e3, 1e3))
def test_units_do_not_matter(gain, offset):
    image = np.random.default_rng(3).standard_normal((16, 20))
    other = gain * image + offset
    for method in ("olshausen-field", "rentzeperis"):
        expected = whiten(image, method=method)[0]
        np.testing.assert_allclose(whiten(other, method=method)[0], expected, atol=1e-7)
    expected = normalize_local_contrast(image)[0]
    np.testing.assert_allclose(normalize_local_contrast(other)[0], expected, atol=1e-5)


def test_names_and_credits_are_kept(scenes):
    given = ImageSet("abc", scenes, ["x", "y", "z"])
    for result in (whiten(given), normalize_local_contrast(given)):
        assert (result.names, result.credits) == (given.names, given.credits)
    assert not normalize_local_contrast(given).whitened
    assert normalize_local_contrast(whiten(given)).whitened


def test_nothing_is_whitened_twice(scenes):
    with pytest.raises(ValueError, match="must not be whitened yet; got <ImageSet of 3"):
        whiten(whiten(scenes))


@pytest.mark.parametrize("function", [whiten, normalize_local_contrast])
def test_a_constant_image_is_refused(scenes, function):
    with pytest.raises(ValueError, match=r"every image must vary; image '1' is constant, 7\.0"):
        function([scenes[0], np.full((9, 9), 7.0)])


def test_options_are_checked(scenes):
    with pytest.raises(ValueError, match="method must be one of 'olshausen-field', 'rentzeperis'"):
        whiten(scenes, method="zca")
    with pytest.raises(ValueError, match="cutoff must be finite and above 0"):
        whiten(scenes, cutoff=0.0)
    with pytest.raises(ValueError, match="variance must be finite and above 0"):
        whiten(scenes, variance=-1.0)
    with pytest.raises(ValueError, match="radius must be at least 1"):
        normalize_local_contrast(scenes, radius=0)
    with pytest.raises(ValueError, match="sigma must be finite and above 0"):
        normalize_local_contrast(scenes, sigma=0.0)


@pytest.mark.parametrize(("radius", "sigma"), [(7, 1.0), (7, 7 / 3), (2, 1.5)])
def test_local_contrast_is_normalized_pixel_by_pixel(radius, sigma):
    image = np.random.default_rng(1).standard_normal((18, 21)).cumsum(axis=1)
    offsets = np.arange(-radius, radius + 1)
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * sigma**2))
    window /= window.sum()

    def local_mean(array):
        padded = np.pad(array, radius, mode="symmetric")
        result = np.empty_like(array)
        for i, j in np.ndindex(array.shape):
            result[i, j] = np.sum(window * padded[i : i + 2 * radius + 1, j : j + 2 * radius + 1])
        return result

    centred = image - local_mean(image)
    norm = np.sqrt(local_mean(centred**2))
    expected = centred / np.maximum(norm, norm.mean())
    result = normalize_local_contrast(image, radius=radius, sigma=sigma)[0]
    np.testing.assert_allclose(result, expected, atol=1e-12)
    assert normalize_local_contrast(image.astype(np.float32))[0].dtype == np.float32


def test_contrast_is_evened_out_but_not_invented():
    image = np.random.default_rng(2).standard_normal((64, 96))
    image[:, :32] *= 10.0
    image[:, 64:] *= 1e-3
    strong, middle, weak = np.split(normalize_local_contrast(image)[0], 3, axis=1)
    assert image[:, :32].std() / image[:, 32:64].std() > 9.0
    assert strong.std() / middle.std() < 5.0
    assert weak[:, 16:].std() < 1e-2


def test_without_a_variance_every_image_keeps_the_scale_of_the_filter():
    rng = np.random.default_rng(8)
    images = [rng.normal(size=(20, 24)), 5.0 * rng.normal(size=(20, 24))]
    together = whiten(images, variance=None)
    alone = whiten(images[:1], variance=None)
    np.testing.assert_array_equal(together[0], alone[0])
    scaled = whiten(images, variance=0.3)
    ratio = scaled[0] / together[0]
    np.testing.assert_allclose(ratio, ratio.flat[0])
    np.testing.assert_allclose(scaled[1] / together[1], ratio)
