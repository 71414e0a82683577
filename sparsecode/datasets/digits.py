"""Digits as an associative memory takes them: small, binary, one pixel thin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sparsecode._validation import check_count, check_fraction, check_numbers
from sparsecode.core.code import SparseCode
from sparsecode.datasets.images import LabelledImages

__all__ = ["prepare_digits"]


def prepare_digits(
    images: Any,
    *,
    shape: Sequence[int] = (24, 16),
    crop: int | str = 0,
    threshold: float = 0.5,
    skeleton: bool = True,
) -> SparseCode:
    """Bring digits to a small frame, binarise them, and thin their strokes to one pixel.

    Parameters
    ----------
    images : LabelledImages or array-like of shape (n_samples, height, width)
        Bright strokes on a dark ground, as of :func:`load_digits16` and :func:`load_mnist`; at
        least 0.
    shape : pair of int, default=(24, 16)
        Height and width of the frame: 24 high and 16 wide.
    crop : int or "box", default=0
        What is scaled to the frame. A number of pixels is cut off at each side, and what is left
        stretched to the frame; 0 takes the whole image. ``"box"`` takes the smallest box around
        each digit, scales it alike in both directions until it fills the frame in one, and centres
        it in the other.
    threshold : float, default=0.5
        Pixels above this share of the brightest of the scaled digit are strokes.
    skeleton : bool, default=True
        Whether strokes are thinned.

    Returns
    -------
    SparseCode of shape (n_samples, height * width)
        Binary, with `shape` as its units. An image that is dark throughout has no active unit.

    Raises
    ------
    ValueError, TypeError
        If the images are not finite numbers of at least 0 in such a shape, or an option is out of
        range.

    Notes
    -----
    The published runs of Sparsey on MNIST use digits of 16 x 24 pixels, binarised and skeletonised
    with ImageJ; how they were cropped and at which threshold is not said, and is a parameter here.
    ImageJ and :func:`skimage.morphology.skeletonize` both thin after Zhang & Suen [1]_. Digits are
    scaled by linear interpolation, after a Gaussian filter where they shrink.

    References
    ----------
    .. [1] T. Y. Zhang and C. Y. Suen, "A fast parallel algorithm for thinning digital patterns",
       Communications of the ACM 27 (1984).

    Examples
    --------
    >>> from sparsecode.datasets import load_digits16, prepare_digits
    >>> prepare_digits(load_digits16().images[:100]).unit_shape
    (24, 16)
    """
    from skimage.morphology import skeletonize

    images = _check_images(images)
    height, width = check_frame(shape)
    threshold = check_fraction("threshold", threshold)
    if crop != "box":
        images = _cut_margin(images, crop)
    frames = np.zeros((len(images), height, width), bool)
    for image, frame in zip(images, frames):
        if image.any():
            scaled = _scale_box(image, frame.shape) if crop == "box" else _scale(image, frame.shape)
            strokes = scaled > threshold * scaled.max()
            frame[...] = skeletonize(strokes) if skeleton else strokes
    return SparseCode.from_dense(frames)


def check_frame(shape: Any) -> tuple[int, int]:
    """Return a height and a width of at least one pixel."""
    if not np.iterable(shape) or len(tuple(shape)) != 2:
        raise ValueError(f"shape must be a height and a width; got {shape!r}.")
    height, width = shape
    return check_count("height", height), check_count("width", width)


def _check_images(images: Any) -> np.ndarray:
    """Return finite images of shape (n_samples, height, width), none below 0."""
    if isinstance(images, LabelledImages):
        images = images.images
    images = check_numbers(images, "images")
    if images.ndim != 3 or 0 in images.shape[1:]:
        hint = " Use images[None] for one image." if images.ndim == 2 else ""
        raise ValueError(
            f"images must have shape (n_samples, height, width) and hold pixels; got "
            f"{images.shape}.{hint}"
        )
    if images.size and images.min() < 0:
        raise ValueError(
            f"images must be at least 0, bright strokes on a dark ground; got {images.min():.4g}."
        )
    return images


def _cut_margin(images: np.ndarray, margin: Any) -> np.ndarray:
    """Leave out so many pixels at each side, as long as one is left."""
    if isinstance(margin, str):
        raise ValueError(f'crop must be a number of pixels or "box"; got {margin!r}.')
    height, width = images.shape[1:]
    margin = check_count("crop", margin, minimum=0, maximum=(min(height, width) - 1) // 2)
    return images[:, margin : height - margin, margin : width - margin]


def _box(image: np.ndarray) -> tuple[slice, slice]:
    """Return the smallest box around what is not 0."""
    rows, columns = (np.flatnonzero(image.any(axis=axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _scale(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Stretch an image to another shape."""
    from skimage.transform import resize

    return resize(image, shape, order=1, mode="constant", anti_aliasing=True)


def _scale_box(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Scale the box around a digit alike in both directions, and centre it in a frame."""
    image = image[_box(image)]
    factor = min(shape[0] / image.shape[0], shape[1] / image.shape[1])
    size = tuple(
        min(max(round(factor * side), 1), whole) for side, whole in zip(image.shape, shape)
    )
    frame = np.zeros(shape, image.dtype)
    first = tuple((whole - side) // 2 for side, whole in zip(size, shape))
    inner = tuple(slice(start, start + side) for start, side in zip(first, size))
    frame[inner] = _scale(image, size)
    return frame
