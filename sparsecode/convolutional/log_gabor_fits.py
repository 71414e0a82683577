"""How well log-Gabor kernels describe learned ones: the closest to each atom, by least squares.

Angles and frequencies are those of :mod:`sparsecode.convolutional.log_gabor`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from sparsecode._jit import threads
from sparsecode._validation import check_numbers, check_positive
from sparsecode.convolutional.log_gabor import (
    LogGaborParameters,
    _check_parameters,
    _Grid,
    _spectra,
    _waves,
    log_gabor,
)

__all__ = ["LogGaborFits", "fit_log_gabor"]

#: A kernel whose variance is below this fraction of its energy is constant.
_CONSTANT = 1e-20

#: Steps of orientation, in degrees, between the starts of a fit.
_STEP = 5.0
#: Orientation bandwidths, frequencies and frequency bandwidths among the starts.
_N_BANDWIDTHS, _N_FREQUENCIES, _N_FREQUENCY_BANDWIDTHS = 6, 6, 3
#: Starts that are followed.
_N_STARTS = 4
#: What the frequency bandwidth may be where it is fitted.
_FREQUENCY_BANDWIDTHS = (0.1, 2.0)
#: How near to a limit, in its logarithm, a parameter stands at it.
_AT_LIMIT = 1e-6
#: Below this relative singular value the parameters are not told apart.
_SINGULAR = 1e-10


@dataclass(frozen=True, eq=False)
class LogGaborFits:
    """The log-Gabor closest to each atom, how close it is, and how well it is determined.

    Parameters
    ----------
    size : int
        Height and width of the atoms in pixels.
    parameters : LogGaborParameters
        Orientations from 0 to 180 degrees, phases from 0 to 360; those that were given are
        repeated.
    standard_errors : LogGaborParameters
        In the same units; NaN for parameters that were given or stand at a limit, infinite where
        the pixels do not determine them.
    amplitude : ndarray of shape (n_atoms,)
        Factor of the kernel under the published normalisation, at least 0.
    offset : ndarray of shape (n_atoms,)
        Constant that is added to it.
    explained_variance : ndarray of shape (n_atoms,)
        Fraction of the variance over the atom's pixels, 0 to 1.
    converged : ndarray of bool of shape (n_atoms,)
        Whether the best start came to rest.
    at_limit : ndarray of bool of shape (n_atoms,)
        Whether a bandwidth or the frequency stopped at the limit of what is allowed.
    """

    size: int
    parameters: LogGaborParameters
    standard_errors: LogGaborParameters
    amplitude: np.ndarray
    offset: np.ndarray
    explained_variance: np.ndarray
    converged: np.ndarray
    at_limit: np.ndarray

    @property
    def orientation(self) -> np.ndarray:
        """Orientation of the stripes in degrees, see `parameters`."""
        return self.parameters.orientation

    @property
    def orientation_bandwidth(self) -> np.ndarray:
        """Orientation bandwidth in degrees, see `parameters`."""
        return self.parameters.orientation_bandwidth

    def kernels(self) -> np.ndarray:
        """Return the fits as kernels, offset included, shape (n_atoms, 1, size, size)."""
        kernels = log_gabor(self.size, **self.parameters._asdict())
        scale, offset = (part[:, None, None, None] for part in (self.amplitude, self.offset))
        return scale * kernels + offset

    def __len__(self) -> int:
        return len(self.amplitude)

    def __repr__(self) -> str:
        return (
            f"<LogGaborFits {len(self)} atoms of {self.size} x {self.size}, median explained "
            f"variance {np.median(self.explained_variance):.3g}, "
            f"{np.mean(self.at_limit):.1%} at a limit>"
        )


def fit_log_gabor(
    dictionary: Any,
    *,
    frequency: float | None = 0.4,
    frequency_bandwidth: float | None = 0.4,
    bandwidth_limits: tuple[float, float] = (5.0, 30.0),
) -> LogGaborFits:
    r"""Fit a log-Gabor to every atom, by least squares over its pixels.

    Parameters
    ----------
    dictionary : array-like of shape (n_atoms, 1, size, size)
        Kernels of one channel, at least 5 x 5 pixels, none of them constant; their sign and scale
        do not matter.
    frequency : float or None, default=0.4
        Centre frequency in cycles per pixel, above 0 and at most 0.5; ``None`` fits it, from half
        a cycle per kernel to 0.5.
    frequency_bandwidth : float or None, default=0.4
        Standard deviation of the logarithm of the frequency, above 0; ``None`` fits it, from 0.1
        to 2.
    bandwidth_limits : (float, float), default=(5.0, 30.0)
        Smallest and largest orientation bandwidth in degrees.

    Returns
    -------
    LogGaborFits
        Parameters, standard errors, explained variances and flags, one entry per atom.

    Raises
    ------
    ValueError, TypeError
        If `dictionary` is not such an array, an atom is constant, or an option is out of range.

    See Also
    --------
    log_gabor : The function that is fitted, with its formula.

    Notes
    -----
    The sum of squares is that of :math:`a\,C + b\,S + c` and the atom's pixels, where :math:`C`
    and :math:`S` are the even and the odd kernel. It holds every phase, amplitude and
    normalisation, and its linear part :math:`a, b, c` is eliminated by variable projection [2]_,
    so that the orientation and the logarithms of the bandwidths are left. The sum has several
    minima. It is computed on a grid of orientations, 5 degrees apart, and bandwidths; from its
    four best points of different orientation a trust-region method within limits (``dogbox`` of
    :func:`scipy.optimize.least_squares`) goes on, and the best end is kept. The published refit
    fixes the frequency and its bandwidth, and limits the orientation bandwidth as the defaults
    do.

    Standard errors are those of linearised least squares,
    :math:`\hat\sigma^2 (J^\top J)^{-1}` with the Jacobian of all free parameters, the linear ones
    included. They assume a log-Gabor plus independent noise of equal variance in all pixels. A
    learned atom deviates otherwise: where `explained_variance` is low, it is no log-Gabor, and
    neither its parameters nor their errors describe it. A parameter at a limit counts as known.

    White noise has an explained variance of 0.04 in 12 x 12 pixels, a log-Gabor with half as much
    noise as energy one of 0.68. With frequency and bandwidths all free, atoms that are far from
    log-Gabors have many minima, and more starts would explain one or two per cent more of them.

    A narrow bandwidth is hard to tell: below the spacing of the frequencies of the kernel, about
    12 degrees in 12 pixels, the spectrum is a peak or two whatever the bandwidth.

    References
    ----------
    .. [1] H. J. Ladret, C. Casanova and L. U. Perrinet, "Kernel heterogeneity improves sparseness
       of natural images representations", Neuromorphic Computing and Engineering 4, 2024.
    .. [2] G. H. Golub and V. Pereyra, "The differentiation of pseudo-inverses and nonlinear least
       squares problems whose variables separate", SIAM J. Numer. Anal. 10, 1973.

    Examples
    --------
    >>> from sparsecode.convolutional import fit_log_gabor, log_gabor
    >>> atom = log_gabor(orientation=[33, 80], orientation_bandwidth=[12, 21], phase=200)
    >>> fits = fit_log_gabor(3 * atom)
    >>> fits.orientation.round(3), fits.orientation_bandwidth.round(3)
    (array([33., 80.]), array([12., 21.]))
    >>> fits.amplitude.round(3), fits.parameters.phase.round(3)
    (array([3., 3.]), array([200., 200.]))
    """
    atoms = _check_kernels(dictionary)
    n_atoms, _, size, _ = atoms.shape
    space = _Space.of(size, frequency, frequency_bandwidth, bandwidth_limits)
    targets = atoms.reshape(n_atoms, -1)
    largest = np.abs(targets).max(axis=1, keepdims=True)  # keeps squares within range
    targets = targets / largest
    means = targets.mean(axis=1, keepdims=True)
    targets -= means
    norms = np.linalg.norm(targets, axis=1, keepdims=True)
    targets /= norms
    with threads():  # small products: BLAS is faster on one
        starts = _starts(targets, space)
        fits = [_fit(target, start, space) for target, start in zip(targets, starts)]
    values, errors, linear, unexplained, converged, at_limit = map(np.array, zip(*fits))

    theta, bandwidth, centre, width = values.T
    orientation = np.mod(np.degrees(theta), 180.0)
    orientation[orientation == 180.0] = 0.0  # rounded up from below 0
    phase = np.degrees(np.arctan2(linear[:, 1], linear[:, 0]))
    is_turned = np.cos(theta - np.radians(orientation)) < 0.0
    phase = np.mod(np.where(is_turned, -phase, phase), 360.0)
    phase[phase == 360.0] = 0.0
    waves = _waves(size, theta, bandwidth, centre, width).reshape(n_atoms, -1)
    kernels = linear[:, :1] * waves.real + linear[:, 1:] * waves.imag
    medians = np.median(kernels, axis=1)
    scale = (norms * largest)[:, 0]
    return LogGaborFits(
        size,
        LogGaborParameters(orientation, np.degrees(bandwidth), phase, centre, width),
        LogGaborParameters(*errors.T),
        scale * np.abs(kernels - medians[:, None]).max(axis=1),
        (largest * means)[:, 0] + scale * (medians - kernels.mean(axis=1)),
        np.clip(1.0 - unexplained, 0.0, 1.0),
        converged,
        at_limit,
    )


# The fit


@dataclass(frozen=True, eq=False)
class _Space:
    """Which parameters are fitted, and within which limits.

    Parameters are theta and the logarithms of the orientation bandwidth in radians, the frequency
    and its bandwidth.
    """

    size: int
    grid: _Grid
    lower: np.ndarray
    upper: np.ndarray
    is_free: np.ndarray

    @classmethod
    def of(cls, size: int, frequency: Any, frequency_bandwidth: Any, limits: Any) -> _Space:
        """Return the space that the caller's options describe."""
        limits = check_numbers(limits, "bandwidth_limits", np.float64)
        if limits.shape != (2,) or not 0.0 < limits[0] < limits[1]:
            raise ValueError(
                "bandwidth_limits must be a pair of degrees, the first above 0 and below the "
                f"second; got {limits.tolist()}."
            )
        if frequency is not None:
            frequency = check_positive("frequency", frequency)
            _check_parameters(0.0, limits, 0.0, frequency, 1.0)
        if frequency_bandwidth is not None:
            frequency_bandwidth = check_positive("frequency_bandwidth", frequency_bandwidth)
        ranges = [
            np.radians(limits),
            [0.5 / size, 0.5] if frequency is None else [frequency] * 2,
            _FREQUENCY_BANDWIDTHS if frequency_bandwidth is None else [frequency_bandwidth] * 2,
        ]
        lower, upper = np.log(np.array(ranges, dtype=np.float64)).T
        lower, upper = np.append(-np.inf, lower), np.append(np.inf, upper)
        return cls(size, _Grid.of(size), lower, upper, lower < upper)

    def start_axes(self) -> list[np.ndarray]:
        """Return the values of each parameter among the starts."""
        counts = (_N_BANDWIDTHS, _N_FREQUENCIES, _N_FREQUENCY_BANDWIDTHS)
        axes = [np.radians(np.arange(0.0, 180.0, _STEP))]
        for k, count in enumerate(counts, 1):
            n = count if self.is_free[k] else 1
            axes.append(self.lower[k] + (np.arange(n) + 0.5) / n * (self.upper[k] - self.lower[k]))
        return axes

    def columns(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return waves without their mean, and their derivatives by the free parameters.

        Shapes (size ** 2,) and (n_free, size ** 2). The factor that scales the spectrum is taken
        as constant: the amplitude absorbs it.
        """
        natural = np.append(parameters[0], np.exp(parameters[1:]))
        spectra, angle, ratio = _spectra(self.grid, *natural[:, None])
        _, bandwidth, _, width = natural
        slopes = np.stack(
            [
                np.ones_like(angle[0]),
                np.sin(angle[0]) / bandwidth**2,
                2.0 * (1.0 - np.cos(angle[0])) / bandwidth**2,
                ratio[0] / width**2,
                (ratio[0] / width) ** 2,
            ]
        )[np.append(True, self.is_free)]
        waves = (np.fft.ifft2(slopes * spectra) * self.grid.disk).reshape(len(slopes), -1)
        waves -= waves.mean(axis=1, keepdims=True)
        return waves[0], waves[1:]


def _starts(targets: np.ndarray, space: _Space) -> np.ndarray:
    """Return parameters to start from, shape (n_atoms, _N_STARTS, 4), the best ones first."""
    axes = space.start_axes()
    table = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(len(axes[0]), -1, 4)
    # of every orientation the point that explains most: where it lies, and how much
    best = np.empty((len(axes[0]), len(targets)))
    where = np.empty(best.shape, int)
    for i, points in enumerate(table):
        waves = _waves(space.size, points[:, 0], *np.exp(points[:, 1:].T)).reshape(len(points), -1)
        waves -= waves.mean(axis=1, keepdims=True)
        basis, _ = np.linalg.qr(np.stack([waves.real, waves.imag], axis=2))
        explained = np.square(np.einsum("np,mpk->nmk", targets, basis, optimize=True)).sum(axis=2)
        where[i] = explained.argmax(axis=1)
        best[i] = explained.max(axis=1)
    # peaks come before their slopes
    is_peak = (best >= np.roll(best, 1, axis=0)) & (best > np.roll(best, -1, axis=0))
    order = np.argsort(-(best + is_peak), axis=0, kind="stable")[:_N_STARTS].T
    return table[order, np.take_along_axis(where.T, order, axis=1)]


class _Projection:
    """Residual and Jacobian of one atom, its linear part eliminated (Kaufman's approximation)."""

    def __init__(self, target: np.ndarray, space: _Space, parameters: np.ndarray) -> None:
        self.target, self.space, self.parameters = target, space, parameters.copy()

    def at(self, free: np.ndarray) -> None:
        """Go to these values of the free parameters."""
        self.parameters[self.space.is_free] = free
        wave, slopes = self.space.columns(self.parameters)
        self.pair = np.stack([wave.real, wave.imag], axis=1)
        self.basis, sizes, turn = np.linalg.svd(self.pair, full_matrices=False)
        kept = sizes > _SINGULAR * sizes[0]
        self.basis = self.basis[:, kept]
        shares = self.basis.T @ self.target
        self.linear = (turn[kept] / sizes[kept, None]).T @ shares
        self.slopes = (complex(*self.linear).conjugate() * slopes).real.T

    def residual(self, free: np.ndarray) -> np.ndarray:
        """Return the fit minus the atom."""
        self.at(free)
        return self.pair @ self.linear - self.target

    def jacobian(self, free: np.ndarray) -> np.ndarray:
        """Return the derivatives of the residual by the free parameters."""
        self.at(free)
        return self.slopes - self.basis @ (self.basis.T @ self.slopes)


def _fit(target: np.ndarray, starts: np.ndarray, space: _Space) -> tuple[Any, ...]:
    """Return values, standard errors, linear part, unexplained fraction and flags of one atom."""
    free = space.is_free
    limits = space.lower[free], space.upper[free]
    ends = []
    for start in starts:
        problem = _Projection(target, space, start)
        answer = least_squares(
            problem.residual, start[free], problem.jacobian, limits, "dogbox",
            ftol=1e-12, xtol=1e-12, gtol=1e-12, max_nfev=200,
        )  # fmt: skip
        ends.append((answer, problem))
    answer, problem = min(ends, key=lambda end: end[0].cost)
    problem.at(answer.x)
    at_limit = np.zeros(4, bool)
    at_limit[free] = np.minimum(answer.x - limits[0], limits[1] - answer.x) < _AT_LIMIT
    values = np.append(problem.parameters[0], np.exp(problem.parameters[1:]))
    errors = _standard_errors(problem, at_limit, 2.0 * answer.cost)
    return values, errors, problem.linear, 2.0 * answer.cost, answer.status > 0, at_limit.any()


def _standard_errors(problem: _Projection, at_limit: np.ndarray, cost: float) -> np.ndarray:
    """Return those of `LogGaborParameters`, in its units; NaN for what was not fitted."""
    free = problem.space.is_free
    fitted = free & ~at_limit
    a, b = problem.linear  # by the logarithm of the amplitude and by the phase
    linear = problem.pair @ np.array([[a, -b], [b, a]])
    jacobian = np.hstack([linear, problem.slopes[:, ~at_limit[free]]])
    n_pixels, n_fitted = jacobian.shape
    sizes = np.linalg.norm(jacobian, axis=0)
    sizes[sizes == 0.0] = 1.0
    _, singular, turn = np.linalg.svd(jacobian / sizes, full_matrices=False)
    undetermined = singular <= _SINGULAR * singular[0]
    root = turn.T / np.where(undetermined, 1.0, singular) / sizes[:, None]
    root[:, ~undetermined] *= np.sqrt(cost / (n_pixels - 1 - n_fitted))
    root[:, undetermined] = np.where(np.abs(root[:, undetermined]) > 1e-8, np.inf, 0.0)
    errors = np.full(4, np.nan)
    errors[fitted] = np.linalg.norm(root[2:], axis=1)
    errors[1:] *= np.exp(problem.parameters[1:])  # of logarithms so far
    phase = np.linalg.norm(root[1])
    theta, bandwidth, frequency, width = errors
    return np.array([np.degrees(theta), np.degrees(bandwidth), np.degrees(phase), frequency, width])


# What callers pass


def _check_kernels(dictionary: Any) -> np.ndarray:
    """Return kernels of one channel, square, large enough and none of them constant."""
    atoms = check_numbers(dictionary, "dictionary", np.float64)
    if atoms.ndim != 4 or atoms.shape[1] != 1 or atoms.shape[2] != atoms.shape[3] or not len(atoms):
        raise ValueError(
            "dictionary must have shape (n_atoms, 1, size, size), square kernels of one channel; "
            f"got {atoms.shape}."
        )
    if atoms.shape[2] < 5:
        raise ValueError(
            f"dictionary must have kernels of at least 5 x 5 pixels; got {atoms.shape[2:]}."
        )
    largest = np.abs(atoms).max(axis=(1, 2, 3), keepdims=True)
    scaled = atoms / np.where(largest > 0.0, largest, 1.0)
    constant = np.flatnonzero(scaled.var(axis=(1, 2, 3)) <= _CONSTANT)
    if constant.size:
        raise ValueError(
            f"dictionary must have no constant atom; got {constant.size}, the first in row "
            f"{constant[0]}. Remove or replace them."
        )
    return atoms
