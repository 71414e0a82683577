"""One's own photographs, from a folder."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from sparsecode._validation import check_count
from sparsecode.datasets.images import ImageSet, luminance

__all__ = ["IMAGE_SUFFIXES", "load_images"]

#: Endings of the files that :func:`load_images` reads; capitals count as small letters.
IMAGE_SUFFIXES = (
    ".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp",
)  # fmt: skip


def load_images(path: str | os.PathLike[str], *, max_side: int | None = None) -> ImageSet:
    """Load a picture, or all pictures of a folder, as linear luminance.

    Parameters
    ----------
    path : path-like
        A file, or a folder whose own files (not those of folders within it) are read in the
        order of their names. Sizes and modes may differ: grey, colour, with or without
        transparency, 8 or 16 bits.
    max_side : int, optional
        Pictures with a longer side are averaged over square blocks, the smallest that bring it
        down to this; by default none is. Photographs gain from it: block averages undo the
        interpolation of the camera's colour filter and most of what JPEG added.

    Returns
    -------
    ImageSet
        Float32 images of relative luminance in [0, 1], named after their files.

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder.
    ValueError
        If the folder holds no picture, or one is damaged, holds several frames, or claims more
        pixels than Pillow takes, twice its ``Image.MAX_IMAGE_PIXELS`` (179 million).

    Notes
    -----
    Code values are decoded from sRGB to linear light and weighted to luminance, as in
    :func:`natural_images`. Transparency is ignored, and so is an orientation that the camera
    noted in the file.
    """
    path = Path(path)
    if max_side is not None:
        max_side = check_count("max_side", max_side)
    if not path.exists():
        raise FileNotFoundError(f"{path.name} must be a picture or a folder; there is none.")
    files = [path]
    if path.is_dir():
        files = sorted(
            each
            for each in path.iterdir()
            if each.suffix.lower() in IMAGE_SUFFIXES and each.is_file()
        )
        if not files:
            raise ValueError(
                f"{path.name or path} must hold pictures ({', '.join(IMAGE_SUFFIXES)}); it holds "
                f"none."
            )
    return ImageSet(
        tuple(file.name for file in files),
        tuple(_read(file, max_side) for file in files),
        tuple(f"the file {file.name}" for file in files),
    )


def _read(file: Path, max_side: int | None) -> np.ndarray:
    from PIL import Image
    from skimage.transform import downscale_local_mean

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd headers; what matters is the pixels
            with Image.open(file) as picture:
                n_frames = getattr(picture, "n_frames", 1)
                pixels = np.asarray(_without_transparency(picture))
    except Exception as error:  # every decoder has errors of its own
        said = " ".join(str(error).split())[:300]
        raise ValueError(
            f"{file.name} must be a picture that can be read; its decoder says "
            f"{type(error).__name__}: {said}."
        ) from error
    if n_frames > 1:
        raise ValueError(f"{file.name} must hold one picture; it holds {n_frames} frames.")
    if pixels.dtype == np.int32:  # how some decoders give 16 bits
        if pixels.min(initial=0) < 0 or pixels.max(initial=0) > 65535:
            raise ValueError(
                f"{file.name} must hold values of at most 16 bits; got {pixels.min()} to "
                f"{pixels.max()}."
            )
        pixels = pixels.astype(np.uint16)
    if pixels.dtype.kind == "f" and not (pixels.min() >= 0.0 and pixels.max() <= 1.0):
        raise ValueError(
            f"{file.name} must hold values between 0 and 1, as it stores fractions; got "
            f"{pixels.min():.4g} to {pixels.max():.4g}."
        )
    image = luminance(pixels)
    if max_side is not None and max(image.shape) > max_side:
        block = -(-max(image.shape) // max_side)
        blocks = tuple(min(block, side) for side in image.shape)
        whole = tuple(slice(0, side // block * block or side) for side in image.shape)
        image = downscale_local_mean(image[whole], blocks).astype(np.float32)
    return image


def _without_transparency(picture: Any) -> Any:
    """Return the picture in grey, as it is coded, or in red, green and blue."""
    if picture.mode in ("L", "1", "RGB", "F") or picture.mode.startswith("I"):
        return picture
    return picture.convert("L" if picture.mode in ("LA", "La") else "RGB")
