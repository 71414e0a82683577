"""How Ladret, Casanova & Perrinet 2023/24 prepare images, and how codes are described."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import fft, optimize

from experiments._framework import expected
from sparsecode.core.io import map_npy
from sparsecode.datasets import ImageSet, load_images, natural_images, normalize_local_contrast

__all__ = [
    "ALPHA",
    "PAPER",
    "SMALL_ALPHA",
    "MisesFit",
    "central_square",
    "disk",
    "encode",
    "fit_exponential",
    "fit_von_mises",
    "from_arrays",
    "load",
    "local_contrast",
    "mises",
    "prepare_for_learning",
    "prune",
    "psnr",
    "whiten",
]

PAPER = expected("ladret2023")
#: Weights of the l1 norm: of the comparisons, and of the statistics of coefficients.
ALPHA = PAPER["coding"].value["alpha"]
SMALL_ALPHA = PAPER["coding"].value["alpha_statistics"]
#: Height and width to which photographs are brought.
SIDE = PAPER["images"].value["side"]
#: The whitening filter of SLIP: frequency ** 1.4 times exp(-(frequency / 0.4) ** 4).
SLOPE, CUTOFF = 1.4, 0.4
#: Starts of a fit: concentrations of the two von Mises functions.
CONCENTRATIONS = (1.0, 5.0, 30.0)
#: Cosine of twice the angle beyond which two peaks count as apart.
FAR = 0.8


# Images


def load(images: str) -> ImageSet:
    """Return square grey photographs: of the offline pool, or the user's (a path)."""
    if images != "natural":
        return from_arrays(images)
    pool = natural_images()
    return ImageSet(pool.names, tuple(map(_as_published, pool)), pool.credits)


def from_arrays(path: str | Path) -> ImageSet:
    """Read the authors' photographs from a local copy; nothing is ever downloaded.

    Parameters
    ----------
    path : path-like
        A folder of pictures, as the archive of figshare 24167265 unpacks, or an ``.npy`` file
        with an array of shape (n_images, height, width), grey, or (n_images, height, width, 3),
        in colours; 8 bits or numbers from 0 to 1.

    Returns
    -------
    ImageSet
        Grey images of 256 x 256 pixels, cut to their central square first.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`.
    ValueError
        If the file holds anything but such an array.
    """
    path = Path(path)
    if path.suffix != ".npy":
        pictures = load_images(path)
        return ImageSet(pictures.names, tuple(map(_as_published, pictures)), pictures.credits)
    if not path.is_file():
        raise FileNotFoundError(f"{path.name} must be an .npy file or a folder; there is none.")
    stack = np.array(map_npy(path))
    if stack.ndim not in (3, 4) or (stack.ndim == 4 and stack.shape[3] != 3) or not stack.size:
        raise ValueError(
            f"{path.name} must hold images of shape (n_images, height, width) or (n_images, "
            f"height, width, 3); got {stack.shape}."
        )
    if stack.dtype.kind not in "uf" or not np.isfinite(stack).all():
        raise ValueError(
            f"{path.name} must hold 8-bit or finite floating-point numbers; got {stack.dtype}."
        )
    stack = stack / (255.0 if stack.dtype.kind == "u" else 1.0)
    if stack.ndim == 4:
        stack = stack @ [0.299, 0.587, 0.114]
    return ImageSet(
        tuple(f"{path.stem}-{i}" for i in range(len(stack))),
        tuple(central_square(image, SIDE) for image in stack),
        ("Ladret, Casanova & Perrinet, https://doi.org/10.6084/m9.figshare.24167265",) * len(stack),
    )


def _as_published(luminance: np.ndarray) -> np.ndarray:
    return central_square(encode(luminance), SIDE)


def encode(luminance: np.ndarray) -> np.ndarray:
    """Return linear luminance as code values from 0 to 1 by the sRGB curve, as files hold it."""
    dark = 12.92 * luminance
    return np.where(
        luminance <= 0.0031308, dark, 1.055 * np.maximum(luminance, 0.0) ** (1 / 2.4) - 0.055
    )


def central_square(image: np.ndarray, side: int) -> np.ndarray:
    """Return the central square of an image, brought to `side` pixels."""
    from skimage.transform import resize

    height, width = image.shape
    square = min(height, width)
    top, left = (height - square) // 2, (width - square) // 2
    image = image[top : top + square, left : left + square]
    if square == side:
        return image.astype(np.float64)
    return resize(image.astype(np.float64), (side, side), order=1, anti_aliasing=square > side)


def local_contrast(image: np.ndarray) -> np.ndarray:
    """Subtract the local mean and divide by the local norm, in the published window.

    The authors sample a Gaussian of standard deviation 1 at 15 points from -3 to 3, so that it is
    7/3 pixels; they take the mean of local norms over the padded image, we over the image.
    """
    given = PAPER["images"].value
    radius = given["window"] // 2
    return normalize_local_contrast([image], radius=radius, sigma=given["window_sigma"])[0]


def whiten(image: np.ndarray) -> np.ndarray:
    """Filter by frequency ** 1.4 times exp(-(frequency / 0.4) ** 4), scaled to a mean of 1."""
    rows, columns = (fft.fftfreq(n) for n in image.shape)
    frequency = np.hypot(rows[:, None], columns)
    gain = frequency**SLOPE * np.exp(-((frequency / CUTOFF) ** 4))
    return fft.ifft2(fft.fft2(image) * (gain / gain.mean())).real


def disk(side: int) -> np.ndarray:
    """Return the authors' mask: ((1 + cos(pi r)) / 2) ** (1/3) up to the radius 1, then 0."""
    at = np.linspace(-1.0, 1.0, side)
    radius = np.hypot(at[:, None], at)
    return np.where(radius < 1.0, np.cbrt(0.5 + 0.5 * np.cos(np.pi * radius)), 0.0)


def prepare_for_learning(image: np.ndarray) -> np.ndarray:
    """Whiten, normalise the contrast and mask: what dictionaries are learned from."""
    return local_contrast(whiten(image)) * disk(len(image))


# Codes


def psnr(image: np.ndarray, reconstruction: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio in dB, the peak being the image's own range."""
    error = np.mean(np.square(image.astype(np.float64) - reconstruction))
    return float(10.0 * np.log10(np.ptp(image).astype(np.float64) ** 2 / error))


def prune(values: np.ndarray, cutoff: float) -> np.ndarray:
    """Return which coefficients stay: those of at least `cutoff` in absolute value."""
    return np.abs(values) >= cutoff


def fit_exponential(x: np.ndarray, heights: np.ndarray) -> tuple[float, float, float]:
    """Fit A exp(-b x) by least squares; return A, b and the explained variance."""
    top = heights.max()
    (a, b), _ = optimize.curve_fit(
        lambda x, a, b: a * np.exp(-b * x), x, heights / top, p0=(1.0, 1.0 / np.mean(x)),
        maxfev=10_000,
    )  # fmt: skip
    return float(a * top), float(b), _explained(heights / top, a * np.exp(-b * x))


def _explained(measured: np.ndarray, fitted: np.ndarray) -> float:
    return float(1.0 - np.sum((measured - fitted) ** 2) / np.sum((measured - measured.mean()) ** 2))


class MisesFit(NamedTuple):
    """A constant and two von Mises functions of period 180 degrees.

    Attributes
    ----------
    baseline : float
    height, peak, concentration : tuple of float
        Of the two functions; peaks in degrees from 0 to 180, that nearer to 90 first.
    explained : float
        Fraction of the variance.
    """

    baseline: float
    height: tuple[float, float]
    peak: tuple[float, float]
    concentration: tuple[float, float]
    explained: float

    @property
    def width(self) -> tuple[float, float]:
        """Standard deviations in degrees, for narrow functions."""
        first, second = (float(np.degrees(0.5 / np.sqrt(k))) for k in self.concentration)
        return first, second

    def __call__(self, degrees: np.ndarray) -> np.ndarray:
        """Return the values of the fit."""
        return mises(degrees, self.baseline, *self.height, *self.peak, *np.log(self.concentration))


def mises(
    degrees: np.ndarray, baseline: float, first: float, second: float,
    first_peak: float, second_peak: float, first_log: float, second_log: float,
) -> np.ndarray:  # fmt: skip
    """Return baseline + sum of height exp(concentration (cos 2 (angle - peak) - 1))."""
    total = np.full(np.shape(degrees), baseline, dtype=np.float64)
    for height, peak, log in ((first, first_peak, first_log), (second, second_peak, second_log)):
        total += height * np.exp(np.exp(log) * (np.cos(2.0 * np.radians(degrees - peak)) - 1.0))
    return total


def fit_von_mises(degrees: np.ndarray, heights: np.ndarray) -> MisesFit:
    """Fit two von Mises functions of orientation, and a constant, by least squares.

    Starts near 0 and 90 degrees, and at the largest bin and that which is largest far from it,
    with several widths; the best end is taken.
    """
    scale = float(heights.max())
    scaled = heights / scale
    first = degrees[np.argmax(scaled)]
    far = np.cos(2.0 * np.radians(degrees - first)) < FAR
    second = degrees[far][np.argmax(scaled[far])] if far.any() else first + 90.0
    limits = (
        [0.0, 0.0, 0.0, -180.0, -180.0, np.log(0.05), np.log(0.05)],
        [2.0, 4.0, 4.0, 360.0, 360.0, np.log(1000.0), np.log(1000.0)],
    )
    best: Any = None
    for peaks in ((90.0, 0.0), (first, second)):
        for concentration in CONCENTRATIONS:
            start = [0.5, 0.5, 0.5, *peaks, *[np.log(concentration)] * 2]
            found = optimize.least_squares(
                lambda p: mises(degrees, *p) - scaled, start, bounds=limits, max_nfev=2000
            )
            if best is None or found.cost < best.cost:
                best = found
    baseline, *rest = best.x
    heights_, peaks_, logs = rest[0:2], np.mod(rest[2:4], 180.0), rest[4:6]
    order = np.argsort(np.abs(peaks_ - 90.0), kind="stable")
    pick = lambda values: (float(values[order[0]]), float(values[order[1]]))  # noqa: E731
    return MisesFit(
        scale * float(baseline), pick(scale * np.array(heights_)), pick(peaks_),
        pick(np.exp(logs)), _explained(scaled, mises(degrees, *best.x)),
    )  # fmt: skip
