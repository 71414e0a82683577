"""Whitening in the Fourier domain, and local contrast normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import fft, ndimage

from sparsecode._validation import check_count, check_option, check_positive
from sparsecode.datasets.images import ImageSet, as_image_set

__all__ = ["normalize_local_contrast", "whiten"]

_METHODS = ("olshausen-field", "rentzeperis")


def whiten(
    images: Any,
    *,
    method: str = "olshausen-field",
    cutoff: float = 0.4,
    variance: float | None = 0.1,
) -> ImageSet:
    r"""Flatten the images' spectra with the filter :math:`\rho \exp(-(\rho / f_0)^4)`.

    The ramp undoes the 1/f amplitude of natural scenes, the exponential removes the corners of
    the Fourier plane, where noise and sampling artefacts dominate. One factor for the whole set
    then brings the mean over images of the pixel variance to `variance`, so that contrasts
    between images are kept.

    Parameters
    ----------
    images : ImageSet, LabelledImages, array or sequence of arrays
        Grey images of shape (height, width), not whitened and not constant.
    method : {"olshausen-field", "rentzeperis"}, default="olshausen-field"
        ``"olshausen-field"`` measures :math:`\rho` in cycles per pixel, so the filter is
        isotropic and images of different sizes are treated alike. ``"rentzeperis"`` is the
        published code of Rentzeperis et al.: each image is first brought to mean 0 and variance
        1 (after a min-max scaling, which this undoes), and :math:`\rho` is an integer frequency
        index with :math:`f_0` equal to `cutoff` times the height. On a 1024 x 1536 image that is
        0.40 cycles per pixel vertically but 0.27 horizontally.
    cutoff : float, default=0.4
        :math:`f_0` in cycles per pixel; of the height's sampling for ``"rentzeperis"``.
    variance : float or None, default=0.1
        Mean over images of the pixel variance of the result; None leaves the filter's own scale,
        so that sets of images can be treated alike.

    Returns
    -------
    ImageSet
        Images of mean 0 in the input's dtype, marked as whitened.

    Raises
    ------
    ValueError
        If the images are whitened already, one is constant, or an option is out of range.

    Notes
    -----
    The transform is circular: opposite borders meet, which leaves a seam a few pixels wide.

    References
    ----------
    .. [1] Olshausen & Field, "Sparse coding with an overcomplete basis set: a strategy employed
       by V1?", Vision Research 37 (1997), 3311-3325: :math:`f_0` = 200 cycles per picture of 512
       pixels, variance 0.1. The authors' *sparsenet* recipe takes 0.4 cycles per pixel.
    .. [2] Rentzeperis, Calatroni, Perrinet & Prandi, "Beyond l1 sparse coding in V1", PLOS
       Computational Biology 19 (2023), and its code (rentzi/sparseRegularizers).
    """
    images = as_image_set(images)
    check_option("method", method, _METHODS)
    cutoff = check_positive("cutoff", cutoff)
    if variance is not None:
        variance = check_positive("variance", variance)
    if images.whitened:
        raise ValueError(
            f"images must not be whitened yet; got {images!r}, marked as whitened. Use it as it is."
        )
    _refuse_constant(images)
    filtered = []
    for image in images:
        image = image.astype(np.float64)
        if method == "rentzeperis":
            image = (image - image.mean()) / image.std()
        spectrum = fft.rfft2(image) * _whitening_filter(image.shape, method, cutoff)
        filtered.append(fft.irfft2(spectrum, s=image.shape))
    scale = 1.0
    if variance is not None:
        scale = np.sqrt(variance / np.mean([image.var() for image in filtered]))
    whitened = tuple((scale * new).astype(old.dtype) for new, old in zip(filtered, images))
    return ImageSet(images.names, whitened, images.credits, whitened=True)


def _whitening_filter(shape: tuple[int, ...], method: str, cutoff: float) -> np.ndarray:
    """Return the filter on the half plane of :func:`scipy.fft.rfft2`."""
    height, width = shape
    rows, columns = fft.fftfreq(height)[:, None], fft.rfftfreq(width)
    if method == "rentzeperis":
        rows, columns, cutoff = rows * height, columns * width, cutoff * height
    frequency = np.hypot(rows, columns)
    return frequency * np.exp(-((frequency / cutoff) ** 4))


def normalize_local_contrast(images: Any, *, radius: int = 7, sigma: float = 1.0) -> ImageSet:
    """Subtract each pixel's local mean and divide by its local norm.

    With a Gaussian window G, ``v = x - G * x`` and ``norm = sqrt(G * v ** 2)``, the result is
    ``v / max(norm, mean(norm))``: where there is less contrast than on average, none is invented.

    Parameters
    ----------
    images : ImageSet, LabelledImages, array or sequence of arrays
        Grey images of shape (height, width), none constant.
    radius : int, default=7
        The window has ``2 * radius + 1`` pixels on a side.
    sigma : float, default=1.0
        Standard deviation of the window in pixels.

    Returns
    -------
    ImageSet
        In the input's dtype. Images marked as whitened stay marked.

    Raises
    ------
    ValueError
        If an image is constant or an option is out of range.

    Notes
    -----
    Borders are padded symmetrically. SPORCO's function samples a Gaussian of standard deviation
    1 on a grid that runs from -3 to 3 across the window: ``sigma=radius / 3`` does the same.

    References
    ----------
    .. [1] Jarrett, Kavukcuoglu, Ranzato & LeCun, "What is the best multi-stage architecture for
       object recognition?", ICCV 2009: local contrast normalization.
    .. [2] Ladret, Casanova & Perrinet, "Kernel heterogeneity improves sparseness of natural
       images representations", Neuromorphic Computing and Engineering 4 (2024): a window of
       15 x 15 pixels.
    .. [3] Wohlberg, "SPORCO: a Python package for standard and convolutional sparse
       representations", SciPy 2017.
    """
    images = as_image_set(images)
    radius = check_count("radius", radius)
    sigma = check_positive("sigma", sigma)
    _refuse_constant(images)

    def local_mean(image: np.ndarray) -> np.ndarray:
        return ndimage.gaussian_filter(image, sigma, radius=radius, mode="reflect")

    normalized = []
    for image in images:
        centred = image.astype(np.float64)
        centred -= local_mean(centred)
        norm = np.sqrt(local_mean(centred**2))
        normalized.append((centred / np.maximum(norm, norm.mean())).astype(image.dtype))
    return ImageSet(images.names, tuple(normalized), images.credits, images.whitened)


def _refuse_constant(images: ImageSet) -> None:
    """Raise if an image holds one grey value only."""
    for name, image in zip(images.names, images):
        if image.min() == image.max():
            raise ValueError(
                f"every image must vary; image {name!r} is constant, {image.flat[0]}. Remove it."
            )
