"""Gabor functions, and how well they describe atoms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sparsecode._jit import threads
from sparsecode._validation import check_count, check_dictionary
from sparsecode.receptive_fields._least_squares import Limits, minimize, waves
from sparsecode.receptive_fields._patch import check_patch_shape
from sparsecode.receptive_fields._starts import starts

__all__ = ["GaborFits", "fit_gabors", "gabors"]

#: Gabors times pixels that are held together, so that a block stays in fast cache.
_BLOCK = 2**16


@dataclass(frozen=True, eq=False)
class GaborFits:
    """The Gabor closest to each atom, and how close it is.

    Parameters
    ----------
    patch_shape : (int, int)
        Height and width of the atoms in pixels.
    amplitude : ndarray of shape (n_atoms,)
        Height of the envelope, in the units of the atoms, at least 0. What the Gabor reaches is
        far less where it is odd and holds a fraction of a period.
    x, y : ndarray of shape (n_atoms,)
        Column and row of the centre, in pixels.
    orientation : ndarray of shape (n_atoms,)
        Of the stripes, in degrees, 0 (horizontal) to 180, counter-clockwise.
    frequency : ndarray of shape (n_atoms,)
        Cycles per pixel, above 0.
    phase : ndarray of shape (n_atoms,)
        In degrees, 0 to 360: of the cosine at the centre, growing to the right, or downwards for
        horizontal stripes. 0 and 180 are even, 90 and 270 odd.
    sigma_across, sigma_along : ndarray of shape (n_atoms,)
        Standard deviations of the envelope in pixels, across and along the stripes.
    error : ndarray of shape (n_atoms,)
        Fraction of the atom's energy that the Gabor leaves unexplained, 0 to 1.
    converged : ndarray of bool of shape (n_atoms,)
        Whether the best start came to rest.
    at_limit : ndarray of bool of shape (n_atoms,)
        Whether the centre, the frequency or a width stopped at the limit of what is allowed: the
        atom does not determine it.
    """

    patch_shape: tuple[int, int]
    amplitude: np.ndarray
    x: np.ndarray
    y: np.ndarray
    orientation: np.ndarray
    frequency: np.ndarray
    phase: np.ndarray
    sigma_across: np.ndarray
    sigma_along: np.ndarray
    error: np.ndarray
    converged: np.ndarray
    at_limit: np.ndarray

    @property
    def aspect(self) -> np.ndarray:
        """Aspect ratio of the envelope, length over width: sigma_along / sigma_across."""
        return self.sigma_along / self.sigma_across

    @property
    def n_x(self) -> np.ndarray:
        """Width of the envelope in periods, sigma_across * frequency (Ringach 2002)."""
        return self.sigma_across * self.frequency

    @property
    def n_y(self) -> np.ndarray:
        """Length of the envelope in periods, sigma_along * frequency (Ringach 2002)."""
        return self.sigma_along * self.frequency

    @property
    def peak_frequency(self) -> np.ndarray:
        """Frequency at which the Gabor's spectrum is highest, in cycles per pixel.

        It is `frequency` where the envelope holds a period or more. An edge, which is odd and
        holds less, may come out with any low frequency, but its peak is well determined; a blob
        has its peak at 0.
        """
        # in standard deviations of the envelope's spectrum, on either side of 0
        centre = 2.0 * np.pi * self.n_x[:, None]
        at = np.linspace(0.0, 1.0, 1001) * (centre + 2.0)
        near, far = np.exp(-0.5 * (at - centre) ** 2), np.exp(-0.5 * (at + centre) ** 2)
        power = near**2 + far**2 + 2.0 * near * far * np.cos(2.0 * np.radians(self.phase))[:, None]
        peak = np.take_along_axis(at, power.argmax(axis=1)[:, None], axis=1)[:, 0]
        return peak / (2.0 * np.pi * self.sigma_across)

    @property
    def bandwidth(self) -> np.ndarray:
        """Width of the spectrum at half its height, in octaves; infinite for a lowpass atom."""
        half = np.sqrt(2.0 * np.log(2.0)) / (2.0 * np.pi * self.sigma_across)
        below = np.maximum(self.frequency - half, 0.0)
        with np.errstate(divide="ignore"):
            return np.log2((self.frequency + half) / below)

    def gabors(self) -> np.ndarray:
        """Return the fitted Gabors, shape (n_atoms, n_features)."""
        return gabors(
            self.patch_shape, x=self.x, y=self.y, orientation=self.orientation,
            frequency=self.frequency, phase=self.phase, sigma_across=self.sigma_across,
            sigma_along=self.sigma_along, amplitude=self.amplitude,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.error)

    def __repr__(self) -> str:
        height, width = self.patch_shape
        return (
            f"<GaborFits {len(self)} atoms of {height} x {width}, median error "
            f"{np.median(self.error):.3g}, {np.mean(self.converged):.1%} converged>"
        )


def gabors(
    patch_shape: tuple[int, int],
    *,
    x: Any,
    y: Any,
    orientation: Any,
    frequency: Any,
    phase: Any,
    sigma_across: Any,
    sigma_along: Any,
    amplitude: Any = 1.0,
) -> np.ndarray:
    r"""Return Gabor functions as rows.

    With :math:`u` the distance from the centre across the stripes, to the right (downwards where
    they are horizontal), and :math:`v` the distance along them,

    .. math:: g = A \exp\left(-\frac{u^2}{2\sigma_u^2} - \frac{v^2}{2\sigma_v^2}\right)
              \cos(2\pi f u + \phi).

    Parameters
    ----------
    patch_shape : (int, int)
        Height and width in pixels.
    x, y : float or array-like of shape (n_atoms,)
        Column and row of the centre, in pixels.
    orientation : float or array-like of shape (n_atoms,)
        Of the stripes, in degrees: 0 is horizontal, 90 vertical, 45 rises to the right.
    frequency : float or array-like of shape (n_atoms,)
        Cycles per pixel, above 0.
    phase : float or array-like of shape (n_atoms,)
        In degrees.
    sigma_across, sigma_along : float or array-like of shape (n_atoms,)
        Standard deviations of the envelope across and along the stripes, in pixels, above 0.
    amplitude : float or array-like of shape (n_atoms,)
        Height of the envelope.

    Returns
    -------
    ndarray of shape (n_atoms, height * width)
        Rows are Gabors, read line by line; one row where all parameters are numbers.

    Raises
    ------
    ValueError
        If parameters do not broadcast to one dimension, are not finite, or a frequency or width
        is not above 0.

    References
    ----------
    J. P. Jones and L. A. Palmer, "An evaluation of the two-dimensional Gabor filter model of
    simple receptive fields in cat striate cortex", J. Neurophysiol. 58, 1987.

    Examples
    --------
    >>> from sparsecode.receptive_fields import gabors
    >>> bar = gabors((3, 5), x=2, y=1, orientation=90, frequency=0.25, phase=0,
    ...              sigma_across=100, sigma_along=100)
    >>> bar.reshape(3, 5).round(2) + 0.0
    array([[-1.,  0.,  1.,  0., -1.],
           [-1.,  0.,  1.,  0., -1.],
           [-1.,  0.,  1.,  0., -1.]])
    """
    shape = check_patch_shape(patch_shape)
    given = (x, y, orientation, frequency, phase, sigma_across, sigma_along, amplitude)
    try:
        table = np.array([np.atleast_1d(part) for part in np.broadcast_arrays(*given)], np.float64)
    except ValueError:
        lengths = sorted({np.size(part) for part in given})
        raise ValueError(
            f"x, y and the other parameters must broadcast to one length; got lengths {lengths}."
        ) from None
    if table.ndim != 2 or not np.isfinite(table).all():
        raise ValueError(
            "parameters of Gabors must be finite numbers or arrays of shape (n_atoms,); got shape "
            f"{table.shape[1:]} with {int((~np.isfinite(table)).sum())} NaN or infinite entries."
        )
    x, y, orientation, frequency, phase, across, along, amplitude = table
    if min(part.min(initial=1.0) for part in (frequency, across, along)) <= 0.0:
        raise ValueError("frequency, sigma_across and sigma_along must be above 0; got others.")
    angle = np.radians(90.0 - orientation)
    wave, _, _ = waves(
        np.stack([x, y, angle, np.log(frequency), np.log(across), np.log(along)], 1), shape
    )
    heights = amplitude * np.exp(1j * np.radians(phase))
    return (heights[:, None, None] * wave).real.reshape(len(table.T), -1)


def fit_gabors(
    atoms: Any, patch_shape: tuple[int, int] | None = None, *, max_iter: int = 200
) -> GaborFits:
    """Fit a Gabor function to every atom, by least squares over its pixels.

    Parameters
    ----------
    atoms : array-like of shape (n_atoms, n_features)
        Rows are atoms, read line by line, none of norm 0; their sign and scale do not matter.
    patch_shape : (int, int), optional
        Height and width of an atom in pixels, each at least 3; square by default.
    max_iter : int, default=200
        Most steps from each start.

    Returns
    -------
    GaborFits
        Parameters, errors and flags, one entry per atom, in double precision.

    Raises
    ------
    ValueError
        If an atom is not finite or has norm 0, or `patch_shape` does not match.

    See Also
    --------
    gabors : The function that is fitted, with its formula.
    orientation_tuning : A description of selectivity that assumes no such shape.

    Notes
    -----
    The sum of squares has many minima. Each atom is fitted from six starts: from the three
    highest peaks of its spectrum with the centre and the widths of its energy, and compactly at
    its largest pixel with the two highest peaks and as a blob; the best fit is kept. Amplitude
    and phase are eliminated by variable projection [3]_, so that Levenberg and Marquardt's
    algorithm moves six parameters, for many atoms at once.

    There is no constant offset: learned atoms have next to none. Not every atom is a Gabor, and
    `error` tells which are not: of white noise in 16 by 16 pixels it is near 0.9.

    A blob without stripes and an edge, dark on one side and light on the other, fix no frequency:
    they are what an even and an odd Gabor tend to as it goes to 0. They are fitted by the lowest
    one allowed, a quarter of a cycle in the longer side. An edge is then the steep middle of a
    sine under an envelope of great amplitude; `peak_frequency` still describes it. Other limits
    are Nyquist's frequency along the wave, widths of 0.3 pixels and of twice the longer side, and
    the border of the patch for the centre: an atom that is cut off there does not tell how far it
    would have gone on. `at_limit` flags fits that stand at any of them.

    References
    ----------
    .. [1] J. P. Jones and L. A. Palmer, "An evaluation of the two-dimensional Gabor filter model
       of simple receptive fields in cat striate cortex", J. Neurophysiol. 58, 1987.
    .. [2] D. L. Ringach, "Spatial structure and symmetry of simple-cell receptive fields in
       macaque primary visual cortex", J. Neurophysiol. 88, 2002.
    .. [3] G. H. Golub and V. Pereyra, "The differentiation of pseudo-inverses and nonlinear least
       squares problems whose variables separate", SIAM J. Numer. Anal. 10, 1973.

    Examples
    --------
    >>> from sparsecode.receptive_fields import fit_gabors, gabors
    >>> atom = gabors((12, 12), x=5.2, y=6.1, orientation=30, frequency=0.2, phase=90,
    ...               sigma_across=1.5, sigma_along=3)
    >>> fits = fit_gabors(-2 * atom)
    >>> [float(part[0].round(3)) for part in (fits.x, fits.y, fits.orientation, fits.frequency)]
    [5.2, 6.1, 30.0, 0.2]
    >>> [float(part[0].round(3)) for part in (fits.amplitude, fits.phase, fits.aspect)]
    [2.0, 270.0, 2.0]
    >>> bool(fits.converged[0]), bool(fits.error[0] < 1e-6)
    (True, True)
    """
    atoms = check_dictionary(atoms, name="atoms", dtype=np.float64)
    shape = check_patch_shape(patch_shape, atoms.shape[1])
    if min(shape) < 3:
        raise ValueError(f"patch_shape must be at least 3 by 3 pixels; got {shape}.")
    max_iter = check_count("max_iter", max_iter)
    largest = np.abs(atoms).max(axis=1, keepdims=True)  # keeps squares within range
    targets = atoms / largest
    norms = np.linalg.norm(targets, axis=1, keepdims=True)
    targets /= norms
    size = max(1, _BLOCK // atoms.shape[1])
    with threads():
        parts = [_fit(targets[i : i + size], shape, max_iter) for i in range(0, len(atoms), size)]
    parameters, linear, errors, converged = (np.concatenate(part) for part in zip(*parts))

    x, y, angle, frequency, across, along = parameters.T
    limits = Limits.of(*shape)
    stopped = (parameters <= limits.lower) | (parameters >= limits.ceiling(parameters))
    # one description of each wave: it runs to the right, or downwards
    orientation = np.mod(90.0 - np.degrees(angle), 180.0)
    orientation[orientation == 180.0] = 0.0  # rounded up from below 0
    phase = np.degrees(np.arctan2(linear[:, 1], linear[:, 0]))
    runs_back = np.cos(angle - np.radians(90.0 - orientation)) < 0.0
    phase = np.mod(np.where(runs_back, -phase, phase), 360.0)
    phase[phase == 360.0] = 0.0
    return GaborFits(
        shape, (norms * largest)[:, 0] * np.hypot(linear[:, 0], linear[:, 1]), x, y, orientation,
        np.exp(frequency), phase, np.exp(across), np.exp(along), np.clip(errors, 0.0, 1.0),
        converged, stopped.max(axis=1),
    )  # fmt: skip


def _fit(targets: np.ndarray, shape: tuple[int, int], max_iter: int) -> tuple[np.ndarray, ...]:
    """Return the best of all starts for every target: what `minimize` returns."""
    fits = [minimize(targets, start, shape, max_iter) for start in starts(targets, shape)]
    best = np.argmin([errors for _, _, errors, _ in fits], axis=0)
    each = np.arange(len(targets))
    return tuple(np.stack(part)[best, each] for part in zip(*fits))
