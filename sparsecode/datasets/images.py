"""Image sets: what every loader returns, and the pool that installed wheels already hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any, NamedTuple, overload

import numpy as np

from sparsecode._validation import check_data

__all__ = ["ImageSet", "LabelledImages", "as_image_set", "load_digits16", "natural_images"]

#: Pixels that are converted together.
_STRETCH = 2**24


@dataclass(frozen=True, eq=False, repr=False)
class ImageSet:
    """Grey images, which may differ in size, each with its name and credit.

    Iterating gives the images. ``images[2]`` and ``images["coffee"]`` are arrays; a slice is an
    `ImageSet`.

    Parameters
    ----------
    names : sequence of str
        One name for each image.
    images : sequence of ndarray of shape (height, width)
        Finite grey values; float32 and float64 are kept, other real types become float64.
    credits : sequence of str
        Who made each image, and under which licence.
    whitened : bool, default=False
        Whether the images are whitened already. :func:`whiten` refuses such a set.

    Raises
    ------
    ValueError
        If the lengths differ or an image is empty, not 2-D or not finite.
    """

    names: tuple[str, ...]
    images: tuple[np.ndarray, ...]
    credits: tuple[str, ...]
    whitened: bool = False

    def __post_init__(self) -> None:
        for field in ("names", "images", "credits"):
            object.__setattr__(self, field, tuple(getattr(self, field)))
        if not len(self.names) == len(self.images) == len(self.credits):
            raise ValueError(
                "names, images and credits must have one entry for each image; got "
                f"{len(self.names)}, {len(self.images)} and {len(self.credits)}."
            )
        checked = tuple(
            _check_image(image, f"image {name!r}") for name, image in zip(self.names, self.images)
        )
        object.__setattr__(self, "images", checked)

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter(self.images)

    @overload
    def __getitem__(self, key: int | str) -> np.ndarray: ...
    @overload
    def __getitem__(self, key: slice) -> ImageSet: ...
    def __getitem__(self, key: int | str | slice) -> np.ndarray | ImageSet:
        if isinstance(key, slice):
            return ImageSet(self.names[key], self.images[key], self.credits[key], self.whitened)
        if isinstance(key, str):
            if key not in self.names:
                raise KeyError(f"no image is called {key!r}; there are {', '.join(self.names)}")
            key = self.names.index(key)
        return self.images[key]

    def __repr__(self) -> str:
        pixels = sum(image.size for image in self.images) / 1e6
        whitened = ", whitened" if self.whitened else ""
        return f"<ImageSet of {len(self)}, {pixels:.2f} Mpx{whitened}>"


@dataclass(frozen=True, eq=False, repr=False)
class LabelledImages:
    """Grey images of one size with their class labels.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width)
        Grey values in [0, 1], float32.
    labels : ndarray of shape (n_samples,)
        The class of each image, int64.
    credit : str
        Who made the set, and under which licence.
    """

    images: np.ndarray
    labels: np.ndarray
    credit: str

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        height, width = self.images.shape[1:]
        return f"<LabelledImages of {len(self)}, {height} x {width}>"

    @property
    def X(self) -> np.ndarray:
        """The images as rows, shape (n_samples, height * width)."""
        return self.images.reshape(len(self.images), -1)


def _check_image(image: Any, name: str) -> np.ndarray:
    """Return `image` as a finite float array of shape (height, width)."""
    shape = np.shape(image)
    if len(shape) != 2 or 0 in shape:
        raise ValueError(
            f"{name} must be grey, of shape (height, width), and hold pixels; got shape {shape}."
        )
    return check_data(image, name=name)


def as_image_set(images: Any) -> ImageSet:
    """Return `images` as an `ImageSet`.

    Parameters
    ----------
    images : ImageSet, LabelledImages, array or sequence of arrays
        An array of shape (height, width) is one image, (n_images, height, width) several.

    Raises
    ------
    ValueError, TypeError
        If there is no image, or one is empty, not 2-D or not finite.
    """
    if isinstance(images, LabelledImages):
        images = images.images
    if not isinstance(images, ImageSet):
        if not np.iterable(images):
            raise TypeError(
                "images must be an ImageSet, an array or a sequence of arrays; got "
                f"{type(images).__name__}."
            )
        images = [images] if getattr(images, "ndim", None) == 2 else list(images)
        names = tuple(str(i) for i in range(len(images)))
        images = ImageSet(names, tuple(images), ("",) * len(images))
    if not len(images):
        raise ValueError("images must hold at least one image; got none.")
    return images


class _Source(NamedTuple):
    """One photograph of the offline pool."""

    name: str
    package: str
    file: str
    credit: str


_MIDDLEBURY = (
    "Scharstein et al., High-resolution stereo datasets with subpixel-accurate ground truth, "
    "GCPR 2014, https://vision.middlebury.edu/stereo/data/scenes2014/; no licence stated"
)
_POOL = (
    _Source("china", "sklearn.datasets.images", "china.jpg",
            "danielbuechele, CC BY 2.0, https://www.flickr.com/photos/danielbuechele/6061409035"),
    _Source("flower", "sklearn.datasets.images", "flower.jpg",
            "vultilion, CC BY 2.0, https://www.flickr.com/photos/vultilion/6056698931"),
    _Source("astronaut", "skimage.data", "astronaut.png",
            "NASA, public domain, https://flic.kr/p/r9qvLn"),
    _Source("chelsea", "skimage.data", "chelsea.png", "Stefan van der Walt, CC0"),
    _Source("coffee", "skimage.data", "coffee.png", "Rachel Michetti, Pikolo Espresso Bar, CC0"),
    _Source("rocket", "skimage.data", "rocket.jpg",
            "SpaceX, public domain, https://www.flickr.com/photos/spacexphotos/16511594820"),
    _Source("motorcycle_left", "skimage.data", "motorcycle_left.png", _MIDDLEBURY),
    _Source("motorcycle_right", "skimage.data", "motorcycle_right.png", _MIDDLEBURY),
    _Source("grass", "skimage.data", "grass.png",
            "linolafett, CC0, https://www.deviantart.com/linolafett/art/Grass-01-434853879"),
    _Source("gravel", "skimage.data", "gravel.png",
            "CC0Textures, CC0, https://cc0textures.com/view.php?tex=Gravel04"),
    _Source("brick", "skimage.data", "brick.png",
            "CC0Textures, CC0, https://cc0textures.com/view.php?tex=Bricks25"),
    _Source("camera", "skimage.data", "camera.png", "Lav Varshney, CC0"),
)  # fmt: skip


def natural_images() -> ImageSet:
    """Load twelve photographs that lie inside the installed wheels, as linear luminance.

    Two come with scikit-learn and ten with scikit-image. Their files are read from the installed
    packages, so no network is needed and none is tried. Show each image with its credit.

    Returns
    -------
    ImageSet
        Float32 images of relative luminance Y in [0, 1], between 300 x 451 and 512 x 512 or
        500 x 741 pixels, 3.25 Mpx in all.

    Raises
    ------
    FileNotFoundError
        If an installed package lacks its pictures, as some distributions' builds do.

    Notes
    -----
    The sRGB code values are decoded to linear light and weighted to luminance (IEC 61966-2-1, by
    :func:`skimage.color.rgb2xyz`). The photographs were gamma-coded, partly compressed as JPEG
    and never calibrated against luminance; they also show man-made things. They serve to learn
    and to compare. They do not carry the statistics of a calibrated set such as van Hateren's,
    and no claim about natural scene statistics should rest on them.
    """
    return ImageSet(
        tuple(source.name for source in _POOL),
        tuple(_luminance(source) for source in _POOL),
        tuple(source.credit for source in _POOL),
    )


def _luminance(source: _Source) -> np.ndarray:
    """Read one photograph of the pool as relative luminance in [0, 1]."""
    from skimage.io import imread

    file = resources.files(source.package) / source.file
    if not file.is_file():
        distribution = source.package.split(".")[0].replace("sk", "scikit-")
        raise FileNotFoundError(
            f"{source.file} must come with the installed {distribution}, whose {source.package} "
            f"lacks it; install {distribution} from its wheel on PyPI."
        )
    with resources.as_file(file) as path:
        return luminance(imread(path))


def luminance(pixels: np.ndarray) -> np.ndarray:
    """Return sRGB code values, grey or in three colours, as relative luminance in [0, 1]."""
    from skimage.color import gray2rgb, rgb2xyz

    rows = max(1, _STRETCH // max(1, pixels.shape[1]))
    if rows < len(pixels):  # the steps between need 50 bytes a pixel
        return np.concatenate(
            [luminance(pixels[i : i + rows]) for i in range(0, len(pixels), rows)]
        )
    if pixels.ndim == 2:
        pixels = gray2rgb(pixels)
    return rgb2xyz(pixels)[..., 1].astype(np.float32)


def load_digits16() -> LabelledImages:
    """Load scikit-learn's handwritten digits, enlarged from 8 x 8 to 16 x 16 pixels, offline.

    Returns
    -------
    LabelledImages
        1797 images of shape (16, 16) with values in [0, 1], and their digits 0 to 9.

    Notes
    -----
    Enlarged by linear interpolation between pixel centres, which keeps the range. The digits are
    the test part of the UCI set "Optical Recognition of Handwritten Digits" (Alpaydin & Kaynak
    1998, https://doi.org/10.24432/C50P49, CC BY 4.0).
    """
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = zoom(digits.images / 16.0, (1, 2, 2), order=1, mode="nearest", grid_mode=True)
    return LabelledImages(
        images.astype(np.float32),
        digits.target.astype(np.int64),
        "Alpaydin & Kaynak 1998, https://doi.org/10.24432/C50P49, CC BY 4.0",
    )
