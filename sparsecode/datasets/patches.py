"""Patches of images: one array of them, or a stream of batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from sparsecode._validation import check_count, check_option, check_rng
from sparsecode.datasets.images import as_image_set

__all__ = ["extract_patches", "patch_batches"]

# Rejected draws that are tolerated for each patch asked for, before giving up.
_MAX_DRAWS_PER_PATCH = 100


def extract_patches(
    images: Any,
    size: int | tuple[int, int] = 16,
    *,
    n_patches: int = 10_000,
    rng: np.random.Generator | int | None = None,
    subtract_mean: bool = True,
    min_contrast: float = 0.01,
    dtype: Any = np.float64,
) -> np.ndarray:
    """Draw patches uniformly over images and, within the image, over positions.

    Parameters
    ----------
    images : ImageSet, LabelledImages, array or sequence of arrays
        Grey images of shape (height, width), none smaller than a patch.
    size : int or (int, int), default=16
        Height and width of a patch in pixels.
    n_patches : int, default=10000
        Number of patches; they may overlap.
    rng : Generator, int or None
        Source of randomness.
    subtract_mean : bool, default=True
        Whether each patch loses its own mean.
    min_contrast : float, default=0.01
        Patches count as constant, and are drawn again, if their standard deviation lies below
        this fraction of the images' (root mean square over images). 0 keeps every patch.
    dtype : {numpy.float64, numpy.float32}, default=numpy.float64
        Type of the result.

    Returns
    -------
    ndarray of shape (n_patches, height * width)
        Rows are patches, read line by line.

    Raises
    ------
    ValueError
        If an image is smaller than a patch, or all images or nearly all patches are constant.

    See Also
    --------
    patch_batches : The same stream of patches, batch by batch.

    Notes
    -----
    Rentzeperis et al. (2023) train on 10**6 patches of 16 x 16 pixels, each without its mean.
    """
    n_patches = check_count("n_patches", n_patches, minimum=0)
    return _PatchSampler(images, size, subtract_mean, min_contrast, dtype).draw(
        n_patches, check_rng(rng)
    )


def patch_batches(
    images: Any,
    batch_size: int = 250,
    *,
    size: int | tuple[int, int] = 16,
    n_batches: int | None = None,
    rng: np.random.Generator | int | None = None,
    subtract_mean: bool = True,
    min_contrast: float = 0.01,
    dtype: Any = np.float64,
) -> Iterator[np.ndarray]:
    """Stream batches of patches, without end or `n_batches` of them.

    The batches hold, one after another, the patches that :func:`extract_patches` draws from the
    same `rng`: a stream does not depend on the size of its batches.

    Parameters
    ----------
    images : ImageSet, LabelledImages, array or sequence of arrays
        Grey images of shape (height, width), none smaller than a patch.
    batch_size : int, default=250
        Patches in a batch.
    size : int or (int, int), default=16
        Height and width of a patch in pixels.
    n_batches : int, optional
        Number of batches; by default the stream has no end.
    rng : Generator, int or None
        Source of randomness.
    subtract_mean : bool, default=True
        Whether each patch loses its own mean.
    min_contrast : float, default=0.01
        Which patches count as constant, as in :func:`extract_patches`.
    dtype : {numpy.float64, numpy.float32}, default=numpy.float64
        Type of the batches.

    Returns
    -------
    iterator of ndarray of shape (batch_size, height * width)
        The batches. Bad input is refused at once, not when the first one is asked for.

    Raises
    ------
    ValueError
        As :func:`extract_patches`.
    """
    batch_size = check_count("batch_size", batch_size)
    if n_batches is not None:
        n_batches = check_count("n_batches", n_batches, minimum=0)
    generator = check_rng(rng)
    sampler = _PatchSampler(images, size, subtract_mean, min_contrast, dtype)

    def stream() -> Iterator[np.ndarray]:
        drawn = 0
        while n_batches is None or drawn < n_batches:
            yield sampler.draw(batch_size, generator)
            drawn += 1

    return stream()


class _PatchSampler:
    """Images that were checked once, ready to be drawn from."""

    def __init__(
        self, images: Any, size: Any, subtract_mean: bool, min_contrast: float, dtype: Any
    ) -> None:
        if np.shape(size) not in ((), (2,)):
            raise ValueError(f"size must be a number of pixels or (height, width); got {size!r}.")
        height, width = np.broadcast_to(size, 2).tolist()
        self.shape = check_count("size", height), check_count("size", width)
        self.subtract_mean = subtract_mean
        self.dtype = check_option("dtype", np.dtype(dtype), (np.dtype("f8"), np.dtype("f4")))
        images = as_image_set(images)
        for name, image in zip(images.names, images):
            if image.shape[0] < self.shape[0] or image.shape[1] < self.shape[1]:
                raise ValueError(
                    f"every image must hold a patch of {self.shape[0]} x {self.shape[1]} pixels; "
                    f"image {name!r} has shape {image.shape}. Remove it or choose a smaller size."
                )
        self.windows = [sliding_window_view(image, self.shape) for image in images]
        self.corners = np.array([windows.shape[:2] for windows in self.windows])
        if not 0.0 <= min_contrast < 1.0:
            raise ValueError(f"min_contrast must lie in [0, 1); got {min_contrast!r}.")
        self.min_contrast = min_contrast
        if min_contrast and all(image.min() == image.max() for image in images):
            raise ValueError("images must vary, but every one is constant; pass other images.")
        self.min_std = min_contrast * np.sqrt(
            np.mean([np.var(image, dtype=np.float64) for image in images])
        )

    def draw(self, n_patches: int, rng: np.random.Generator) -> np.ndarray:
        """Return the next `n_patches` patches of the stream that `rng` defines."""
        patches = np.empty((n_patches, self.shape[0] * self.shape[1]), dtype=self.dtype)
        n_drawn = n_kept = 0
        while n_kept < n_patches:
            if n_drawn > _MAX_DRAWS_PER_PATCH * n_patches:
                raise ValueError(
                    "the images' patches must not be constant, but only "
                    f"{n_kept} of {n_drawn} drawn had a standard deviation of at least "
                    f"{self.min_std:.3g}; lower min_contrast or choose other images."
                )
            # Three numbers for each patch and never one more than is needed: that keeps the
            # stream independent of the size of its batches.
            candidates = self._gather(rng.random((n_patches - n_kept, 3)))
            n_drawn += len(candidates)
            means = candidates.mean(axis=1, keepdims=True)
            if self.min_contrast:
                varied = candidates.std(axis=1) >= self.min_std
                candidates, means = candidates[varied], means[varied]
            if self.subtract_mean:
                candidates -= means
            patches[n_kept : n_kept + len(candidates)] = candidates
            n_kept += len(candidates)
        return patches

    def _gather(self, uniform: np.ndarray) -> np.ndarray:
        """Turn numbers in [0, 1), shape (n, 3), into float64 patches, shape (n, n_pixels)."""
        which = (uniform[:, 0] * len(self.windows)).astype(np.intp)
        corner = (uniform[:, 1:] * self.corners[which]).astype(np.intp)
        patches = np.empty((len(uniform), *self.shape))
        for i in np.unique(which):
            rows = np.flatnonzero(which == i)
            patches[rows] = self.windows[i][corner[rows, 0], corner[rows, 1]]
        return patches.reshape(len(uniform), -1)
