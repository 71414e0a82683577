"""Log-Gabor kernels, and banks of them.

Orientations are those of the stripes, in degrees from 0 to 180, as in
:mod:`sparsecode.receptive_fields`: 0 is horizontal, and they grow counter-clockwise in the
picture. Orientation bandwidths and phases are in degrees, frequencies in cycles per pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from sparsecode._validation import check_count, check_numbers, check_option, check_positive

__all__ = [
    "LogGaborParameters",
    "log_gabor",
    "log_gabor_bank",
    "log_gabor_preset",
]

#: Orientations and orientation bandwidths in degrees of the two published banks.
PRESETS = {
    "homogeneous": (72, (12.0,)),
    "heterogeneous": (12, (5.0, 10.0, 15.0, 20.0, 25.0, 30.0)),
}
NORMALIZATIONS = ("published", "unit")

#: How steeply the retina cuts off below Nyquist's frequency, in cycles per pixel.
_CUTOFF = 0.035
#: A kernel with no pixel above this fraction of its envelope is nothing but rounding.
_NOTHING_LEFT = 1e-9


class LogGaborParameters(NamedTuple):
    """The parameters of a bank, one entry per atom; `log_gabor` takes them as they are.

    Attributes
    ----------
    orientation : ndarray of shape (n_atoms,)
        Of the stripes, in degrees.
    orientation_bandwidth : ndarray of shape (n_atoms,)
        In degrees.
    phase : ndarray of shape (n_atoms,)
        In degrees: 0 and 180 are even, 90 and 270 odd.
    frequency : ndarray of shape (n_atoms,)
        Cycles per pixel.
    frequency_bandwidth : ndarray of shape (n_atoms,)
        Standard deviation of the logarithm of the frequency.
    """

    orientation: np.ndarray
    orientation_bandwidth: np.ndarray
    phase: np.ndarray
    frequency: np.ndarray
    frequency_bandwidth: np.ndarray


def log_gabor(
    size: int = 12,
    *,
    orientation: Any,
    orientation_bandwidth: Any,
    phase: Any = 0.0,
    frequency: Any = 0.4,
    frequency_bandwidth: Any = 0.4,
    normalize: str = "published",
    dtype: Any = np.float64,
) -> np.ndarray:
    r"""Return log-Gabor kernels as a convolutional dictionary.

    The kernel is defined by its spectrum. At frequency :math:`f` and direction :math:`\psi` of
    the wave, which runs across the stripes of orientation :math:`\theta`, it is

    .. math:: \frac{1}{f} \exp\left(-\frac{\ln^2(f / f_0)}{2 B_f^2}\right)
              \exp\left(\frac{\cos(\psi - \theta)}{B_\theta^2}\right) R(f)\,
              e^{-2 \pi i f \cdot c - i \phi},

    where :math:`c` is the centre, pixel ``size // 2`` in both directions, and

    .. math:: R(f) = \left[1 - e^{(f - 1/2) / 0.035}\right]_{f < 1/2}
              \left[1 - e^{-f^2 / (2 (0.5 / \text{size})^2)}\right]

    suppresses the mean and the corners of the spectrum. The real part of its inverse Fourier
    transform is multiplied by a disk and normalised.

    Parameters
    ----------
    size : int, default=12
        Height and width in pixels, at least 2.
    orientation : float or array-like of shape (n_atoms,)
        Of the stripes, :math:`\theta`, in degrees: 0 is horizontal, 90 vertical, 45 rises to the
        right.
    orientation_bandwidth : float or array-like of shape (n_atoms,)
        :math:`B_\theta` in degrees, above 0: the smaller, the longer the stripes.
    phase : float or array-like of shape (n_atoms,), default=0
        :math:`\phi` in degrees: 0 and 180 are even, 90 and 270 odd.
    frequency : float or array-like of shape (n_atoms,), default=0.4
        :math:`f_0` in cycles per pixel, above 0 and at most 0.5.
    frequency_bandwidth : float or array-like of shape (n_atoms,), default=0.4
        :math:`B_f`, standard deviation of the logarithm of the frequency, above 0.
    normalize : {'published', 'unit'}, default='published'
        Both subtract the median of the pixels. Then ``"published"`` divides by the largest
        absolute value, so that norms differ (1.5 to 3.9 in the published banks), ``"unit"`` by
        the l2 norm.
    dtype : {numpy.float64, numpy.float32}, default=numpy.float64
        Type of the kernels; they are computed in double precision.

    Returns
    -------
    ndarray of shape (n_atoms, 1, size, size)
        The kernels, of one channel; one kernel where all parameters are numbers.

    Raises
    ------
    ValueError, TypeError
        If `size` is no integer of at least 2, parameters do not broadcast to one dimension, are
        not finite or out of range, or nothing is left of a kernel: within the disk below 5 pixels,
        or of an odd one without orientation.

    See Also
    --------
    log_gabor_bank : Kernels of all orientations, bandwidths and phases.
    fit_log_gabor : The parameters that describe a learned kernel.

    Notes
    -----
    One lobe of the spectrum suffices: the real part belongs to the even kernel and the imaginary
    part to the odd one, so that a phase of 180 degrees flips the sign, and turning the
    orientation by 180 mirrors the phase.

    The disk is :math:`[(1 + \cos \pi r) / 2]^{1/3}` up to the radius 1, and 0 beyond, of a grid
    from -1 to 1. It is centred between the pixels where `size` is even, half a pixel from the
    centre of the wave, as published. The stripes of a single kernel hold no constant, but the
    disk adds some and the median does not remove all: pixels of the published banks have means up
    to 0.003 of the largest.

    References
    ----------
    .. [1] H. J. Ladret, C. Casanova and L. U. Perrinet, "Kernel heterogeneity improves sparseness
       of natural images representations", Neuromorphic Computing and Engineering 4, 2024.
    .. [2] S. Fischer, F. Sroubek, L. Perrinet, R. Redondo and G. Cristobal, "Self-invertible 2D
       log-Gabor wavelets", Int. J. Computer Vision 75, 2007.

    Examples
    --------
    >>> from sparsecode.convolutional import log_gabor
    >>> pair = log_gabor(orientation=30, orientation_bandwidth=12, phase=[0, 90])
    >>> pair.shape, float(abs(pair).max())
    ((2, 1, 12, 12), 1.0)
    """
    size = check_count("size", size, minimum=2)
    normalize = check_option("normalize", normalize, NORMALIZATIONS)
    dtype = check_option("dtype", np.dtype(dtype), (np.dtype("f8"), np.dtype("f4")))
    parameters = _check_parameters(
        orientation, orientation_bandwidth, phase, frequency, frequency_bandwidth
    )
    waves = _waves(size, *_natural(parameters))
    angles = np.radians(parameters.phase)[:, None, None]
    kernels = np.cos(angles) * waves.real + np.sin(angles) * waves.imag
    kernels -= np.median(kernels, axis=(1, 2), keepdims=True)
    largest = np.abs(kernels).max(axis=(1, 2), keepdims=True)
    lost = np.flatnonzero(largest <= _NOTHING_LEFT * np.abs(waves).max(axis=(1, 2), keepdims=True))
    if lost.size:
        raise ValueError(
            f"size and orientation_bandwidth must leave something of each kernel; got size {size} "
            f"and {parameters.orientation_bandwidth[lost[0]]:g} degrees, and kernel {lost[0]} is "
            "0. Use at least 5 pixels, and a narrower bandwidth for odd kernels."
        )
    kernels /= largest
    if normalize == "unit":
        kernels /= np.linalg.norm(kernels, axis=(1, 2), keepdims=True)
    return kernels[:, None].astype(dtype)


def log_gabor_bank(
    n_orientations: int,
    orientation_bandwidths: Any,
    n_phases: int = 2,
    size: int = 12,
    *,
    frequency: float = 0.4,
    frequency_bandwidth: float = 0.4,
    normalize: str = "published",
    dtype: Any = np.float64,
) -> tuple[np.ndarray, LogGaborParameters]:
    r"""Return log-Gabor kernels of all orientations, orientation bandwidths and phases.

    Parameters
    ----------
    n_orientations : int
        Orientations, evenly spaced over 180 degrees from 0.
    orientation_bandwidths : float or array-like of shape (n_bandwidths,)
        In degrees, above 0.
    n_phases : int, default=2
        Phases, evenly spaced over 180 degrees from 0: the default is one even and one odd kernel.
        Signed coefficients give the other half of the circle.
    size : int, default=12
        Height and width in pixels, at least 2.
    frequency : float, default=0.4
        In cycles per pixel, above 0 and at most 0.5.
    frequency_bandwidth : float, default=0.4
        Standard deviation of the logarithm of the frequency, above 0.
    normalize : {'published', 'unit'}, default='published'
        As in :func:`log_gabor`.
    dtype : {numpy.float64, numpy.float32}, default=numpy.float64
        Type of the kernels.

    Returns
    -------
    dictionary : ndarray of shape (n_atoms, 1, size, size)
        ``n_atoms = n_orientations * n_bandwidths * n_phases``. The phase changes fastest, so that
        an even kernel and its odd partner are neighbours, then the bandwidth.
    parameters : LogGaborParameters
        Of every atom: ``log_gabor(size, **parameters._asdict())`` is the dictionary.

    Raises
    ------
    ValueError, TypeError
        If a count is below 1, there is no bandwidth, or :func:`log_gabor` refuses a parameter.

    See Also
    --------
    log_gabor : The kernel, with its formula.
    log_gabor_preset : The two published banks.

    References
    ----------
    H. J. Ladret, C. Casanova and L. U. Perrinet, "Kernel heterogeneity improves sparseness of
    natural images representations", Neuromorphic Computing and Engineering 4, 2024.

    Examples
    --------
    >>> from sparsecode.convolutional import log_gabor_bank
    >>> dictionary, parameters = log_gabor_bank(8, [10, 20])
    >>> dictionary.shape
    (32, 1, 12, 12)
    >>> parameters.orientation_bandwidth[:6], parameters.phase[:6]
    (array([10., 10., 20., 20., 10., 10.]), array([ 0., 90.,  0., 90.,  0., 90.]))
    """
    n_orientations = check_count("n_orientations", n_orientations)
    n_phases = check_count("n_phases", n_phases)
    frequency = check_positive("frequency", frequency)
    frequency_bandwidth = check_positive("frequency_bandwidth", frequency_bandwidth)
    bandwidths = np.atleast_1d(
        check_numbers(orientation_bandwidths, "orientation_bandwidths", np.float64)
    )
    if bandwidths.ndim != 1 or not bandwidths.size:
        raise ValueError(
            "orientation_bandwidths must be one-dimensional and hold at least one bandwidth; got "
            f"shape {bandwidths.shape}."
        )
    grid = np.meshgrid(
        np.arange(n_orientations) * (180.0 / n_orientations),
        bandwidths,
        np.arange(n_phases) * (180.0 / n_phases),
        indexing="ij",
    )
    orientation, bandwidth, phase = (part.ravel() for part in grid)
    parameters = _check_parameters(orientation, bandwidth, phase, frequency, frequency_bandwidth)
    dictionary = log_gabor(size, **parameters._asdict(), normalize=normalize, dtype=dtype)
    return dictionary, parameters


def log_gabor_preset(
    name: str, *, normalize: str = "published", dtype: Any = np.float64
) -> tuple[np.ndarray, LogGaborParameters]:
    """Return one of the two published banks of 144 kernels of 12 x 12 pixels.

    Parameters
    ----------
    name : {'homogeneous', 'heterogeneous'}
        ``"homogeneous"`` has 72 orientations, one orientation bandwidth of 12 degrees and two
        phases, ``"heterogeneous"`` 12 orientations, six bandwidths from 5 to 30 degrees and two
        phases.
    normalize : {'published', 'unit'}, default='published'
        As in :func:`log_gabor`.
    dtype : {numpy.float64, numpy.float32}, default=numpy.float64
        Type of the kernels.

    Returns
    -------
    dictionary : ndarray of shape (144, 1, 12, 12)
        The kernels, all of frequency 0.4 cycles per pixel and frequency bandwidth 0.4.
    parameters : LogGaborParameters
        Of every atom.

    Raises
    ------
    ValueError, TypeError
        If an option is not one of those.

    See Also
    --------
    log_gabor_bank : Banks of other sizes.

    Notes
    -----
    Under the published normalisation the l2 norms run from 2.3 to 3.1 in the homogeneous bank.
    In the heterogeneous one they run from 1.5 to 3.9, with a mean of 3.2 at 5 degrees and of 1.8
    at 30: a common weight of the l1 norm, or a common threshold on coefficients, then asks more
    of wide bandwidths than of narrow ones. ``normalize="unit"`` treats all kernels alike.

    References
    ----------
    H. J. Ladret, C. Casanova and L. U. Perrinet, "Kernel heterogeneity improves sparseness of
    natural images representations", Neuromorphic Computing and Engineering 4, 2024.

    Examples
    --------
    >>> from sparsecode.convolutional import log_gabor_preset
    >>> dictionary, parameters = log_gabor_preset("heterogeneous", normalize="unit")
    >>> dictionary.shape, sorted({int(b) for b in parameters.orientation_bandwidth})
    ((144, 1, 12, 12), [5, 10, 15, 20, 25, 30])
    """
    n_orientations, bandwidths = PRESETS[check_option("name", name, PRESETS)]
    return log_gabor_bank(n_orientations, bandwidths, normalize=normalize, dtype=dtype)


# The formula


@dataclass(frozen=True, eq=False)
class _Grid:
    """Where spectrum and kernel are sampled; the first axis is that of f_x, downwards.

    The direction of a wave along it, 0, then belongs to stripes that lie, of orientation 0.
    """

    log_frequency: np.ndarray
    direction: np.ndarray
    #: The retina's filter times the shift to the centre.
    gain: np.ndarray
    disk: np.ndarray

    @classmethod
    def of(cls, size: int) -> _Grid:
        """Return the grid of kernels of `size` pixels."""
        along = np.fft.fftfreq(size)
        f_x, f_y = np.meshgrid(along, along, indexing="ij")
        frequency = np.hypot(f_x, f_y)
        surround = -np.expm1(-(frequency**2) / (2.0 * (0.5 / size) ** 2))
        centre = np.where(frequency < 0.5, -np.expm1((frequency - 0.5) / _CUTOFF), 0.0)
        shift = np.exp(-2j * np.pi * (size // 2) * (f_x + f_y))
        frequency[0, 0] = 1.0  # the retina lets no mean through
        at = np.linspace(-1.0, 1.0, size)
        radius = np.hypot(at[:, None], at)
        disk = np.where(radius < 1.0, 0.5 + 0.5 * np.cos(np.pi * radius), 0.0)
        return cls(
            np.log(frequency), np.arctan2(f_y, f_x), surround * centre * shift, np.cbrt(disk)
        )


def _spectra(
    grid: _Grid, theta: Any, bandwidth: Any, frequency: Any, frequency_bandwidth: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return spectra scaled to a largest value near 1, and the two angular and radial distances.

    Theirs are psi - theta and ln(f / f_0), all of shape (n_kernels, size, size).
    """
    theta, bandwidth, frequency, frequency_bandwidth = (
        np.asarray(part)[:, None, None]
        for part in (theta, bandwidth, frequency, frequency_bandwidth)
    )
    angle = grid.direction - theta
    ratio = grid.log_frequency - np.log(frequency)
    log = (np.cos(angle) - 1.0) / bandwidth**2
    log -= 0.5 * (ratio / frequency_bandwidth) ** 2 + grid.log_frequency
    log[:, grid.gain == 0.0] = -np.inf
    log -= log.max(axis=(1, 2), keepdims=True, initial=-1e300)  # no bandwidth over- or underflows
    return np.exp(log) * grid.gain, angle, ratio


def _waves(size: int, *parameters: np.ndarray) -> np.ndarray:
    """Return even kernels as real and odd ones as imaginary parts, (n_kernels, size, size)."""
    grid = _Grid.of(size)
    return np.fft.ifft2(_spectra(grid, *parameters)[0]) * grid.disk


def _natural(parameters: LogGaborParameters) -> tuple[np.ndarray, ...]:
    """Return what `_waves` takes: angles in radians, and no phase."""
    orientation, bandwidth, _, frequency, frequency_bandwidth = parameters
    return np.radians(orientation), np.radians(bandwidth), frequency, frequency_bandwidth


# What callers pass


def _check_parameters(
    orientation: Any,
    orientation_bandwidth: Any,
    phase: Any,
    frequency: Any,
    frequency_bandwidth: Any,
) -> LogGaborParameters:
    """Return parameters of one length, finite and within range."""
    given = LogGaborParameters(
        orientation, orientation_bandwidth, phase, frequency, frequency_bandwidth
    )
    parts = [check_numbers(part, name, np.float64) for name, part in given._asdict().items()]
    try:
        table = np.array([np.atleast_1d(part) for part in np.broadcast_arrays(*parts)])
    except ValueError:
        table = None
    if table is None or table.ndim != 2 or not table.size:
        shapes = ", ".join(str(part.shape) for part in parts)
        raise ValueError(
            "orientation and the other parameters must be numbers or arrays of one shape "
            f"(n_atoms,) with at least one atom; got shapes {shapes}."
        )
    checked = LogGaborParameters(*table)
    for name in ("orientation_bandwidth", "frequency", "frequency_bandwidth"):
        smallest = getattr(checked, name).min()
        if smallest <= 0.0:
            raise ValueError(f"{name} must be above 0; got {smallest}.")
    if checked.frequency.max() > 0.5:
        raise ValueError(
            "frequency must be at most 0.5 cycles per pixel, Nyquist's; got "
            f"{checked.frequency.max()}."
        )
    return checked
