"""One's own pictures: modes, sizes, block averages, and what is refused."""

import numpy as np
import PIL
import pytest
from PIL import Image
from skimage.color import rgb2xyz

from sparsecode.datasets import load_images


@pytest.fixture
def pixels():
    return np.random.default_rng(3).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def test_colour_becomes_linear_luminance(pixels, tmp_path):
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (image,) = load_images(tmp_path / "a.png")
    assert image.dtype == np.float32
    np.testing.assert_allclose(image, rgb2xyz(pixels)[..., 1], atol=1e-6)


def test_a_folder_is_read_in_the_order_of_names_and_nothing_else_of_it(pixels, tmp_path):
    for name in ("b.PNG", "a.bmp", "c.tif"):
        Image.fromarray(pixels).save(tmp_path / name)
    (tmp_path / "readme.txt").write_text("")
    (tmp_path / "inner.png").mkdir()
    images = load_images(tmp_path)
    assert images.names == ("a.bmp", "b.PNG", "c.tif")
    assert images.credits == ("the file a.bmp", "the file b.PNG", "the file c.tif")
    assert not images.whitened


#: Pillow before 13 writes such a TIFF, but cannot read it.
YCBCR = pytest.param(
    "YCbCr", marks=pytest.mark.skipif(int(PIL.__version__.split(".")[0]) < 13, reason="Pillow < 13")
)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "RGBX", "P", "CMYK", YCBCR])
def test_a_grey_picture_is_the_same_in_every_mode(mode, tmp_path):
    grey = np.repeat(np.linspace(0, 255, 40).astype(np.uint8)[None], 8, axis=0)
    suffix = {"CMYK": "tif", "YCbCr": "tif", "RGBX": "tif"}.get(mode, "png")
    Image.fromarray(grey).save(tmp_path / "grey.png")
    through = "L" if mode == "P" else "RGB"  # else P would take the palette of the web
    Image.fromarray(grey).convert(through).convert(mode).save(tmp_path / f"other.{suffix}")
    plain, other = load_images(tmp_path)
    np.testing.assert_allclose(other, plain, atol=0.03)  # CMYK and YCbCr round


@pytest.mark.parametrize("mode", ["L", "LA", "1"])
def test_grey_modes_are_read(mode, tmp_path):
    values = np.array([[0, 255], [255, 0]], dtype=np.uint8)
    Image.fromarray(values).convert(mode).save(tmp_path / "a.png")
    np.testing.assert_allclose(load_images(tmp_path)[0], values / 255.0, atol=1e-6)


def test_sixteen_bits_are_sixteen_bits(tmp_path):
    values = np.array([[0, 65535], [32768, 16384]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    Image.fromarray((values // 257).astype(np.uint8)).save(tmp_path / "flat.png")
    deep, flat = load_images(tmp_path)
    np.testing.assert_allclose(deep, flat, atol=0.005)


def test_transparency_is_ignored(pixels, tmp_path):
    alpha = np.dstack([pixels, np.arange(600).reshape(20, 30, 1) % 256]).astype(np.uint8)
    Image.fromarray(alpha).save(tmp_path / "a.png")
    np.testing.assert_allclose(load_images(tmp_path)[0], rgb2xyz(pixels)[..., 1], atol=1e-6)


def test_large_pictures_are_averaged_over_whole_blocks(pixels, tmp_path):
    Image.fromarray(pixels).save(tmp_path / "a.png")
    full, small = load_images(tmp_path)[0], load_images(tmp_path, max_side=8)[0]
    assert small.shape == (5, 7)  # blocks of 4: 30 columns hold 7
    expected = full[:20, :28].reshape(5, 4, 7, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(small, expected, rtol=1e-5)
    np.testing.assert_array_equal(load_images(tmp_path, max_side=30)[0], full)


def test_thin_pictures_keep_a_pixel(tmp_path):
    Image.fromarray(np.full((2, 100), 255, np.uint8)).save(tmp_path / "thin.png")
    small = load_images(tmp_path, max_side=10)[0]
    assert small.shape == (1, 10)
    np.testing.assert_allclose(small, 1.0, rtol=1e-5)


def test_what_is_not_a_picture_is_refused_by_name(pixels, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere must be a picture or a folder"):
        load_images(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"must hold pictures \(\.bmp, .*\); it holds none"):
        load_images(tmp_path)
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"a\.png must be a picture that can be read"):
        load_images(tmp_path)
    whole = tmp_path / "b.jpg"
    Image.fromarray(pixels).save(whole)
    (tmp_path / "a.png").unlink()
    whole.write_bytes(whole.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"b\.jpg must be a picture that can be read"):
        load_images(tmp_path)


def test_several_frames_are_refused(pixels, tmp_path):
    first = Image.fromarray(pixels)
    other = Image.fromarray(255 - pixels)
    first.save(tmp_path / "a.gif", save_all=True, append_images=[other])
    with pytest.raises(ValueError, match=r"a\.gif must hold one picture; it holds 2 frames"):
        load_images(tmp_path)


def test_fractions_must_be_fractions(tmp_path):
    Image.fromarray(np.array([[0.25, 0.5]], dtype=np.float32)).save(tmp_path / "a.tif")
    np.testing.assert_allclose(load_images(tmp_path)[0].shape, (1, 2))
    Image.fromarray(np.array([[0.25, 7.0]], dtype=np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(ValueError, match=r"a\.tif must hold values between 0 and 1"):
        load_images(tmp_path)


@pytest.mark.parametrize("max_side", [0, -1])
def test_a_side_is_at_least_a_pixel(tmp_path, max_side):
    with pytest.raises(ValueError, match="max_side must"):
        load_images(tmp_path, max_side=max_side)


@pytest.mark.parametrize("values", [[0, 70_000], [-5, 9]])
def test_more_than_sixteen_bits_are_refused(tmp_path, values):
    Image.fromarray(np.array([values], dtype=np.int32)).save(tmp_path / "a.tif")
    with pytest.raises(ValueError, match=r"a\.tif must hold values of at most 16 bits; got"):
        load_images(tmp_path)
