"""Tuning to the orientation of gratings, of atoms or of whatever codes with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparsecode._jit import threads
from sparsecode._validation import check_count, check_dictionary, check_numbers
from sparsecode.core.code import SparseCode
from sparsecode.receptive_fields._patch import check_patch_shape

__all__ = [
    "Tuning",
    "circular_variance",
    "gratings",
    "half_width",
    "orientation_tuning",
    "preferred_orientation",
]

#: Frequencies that are tried where none are given, from one cycle per patch to Nyquist's.
_N_FREQUENCIES = 16


@dataclass(frozen=True, eq=False)
class Tuning:
    """Responses to gratings by orientation, each unit at its best frequency.

    Parameters
    ----------
    orientations : ndarray of shape (n_orientations,)
        In degrees, evenly spaced from 0 up to 180.
    responses : ndarray of shape (n_atoms, n_orientations)
        At least 0; all 0 for a unit that no grating drives.
    frequency : ndarray of shape (n_atoms,)
        In cycles per pixel, of the grating that drives the unit most; NaN if none does.
    """

    orientations: np.ndarray
    responses: np.ndarray
    frequency: np.ndarray

    @property
    def circular_variance(self) -> np.ndarray:
        """Circular variance of every unit, see :func:`circular_variance`."""
        return circular_variance(self.responses, self.orientations)

    @property
    def preferred_orientation(self) -> np.ndarray:
        """Preferred orientation of every unit, see :func:`preferred_orientation`."""
        return preferred_orientation(self.responses, self.orientations)

    @property
    def half_width(self) -> np.ndarray:
        """Half-width of every tuning curve, see :func:`half_width`."""
        return half_width(self.responses, self.orientations)

    def __len__(self) -> int:
        return len(self.responses)

    def __repr__(self) -> str:
        variance = self.circular_variance
        n_silent = int(np.isnan(variance).sum())
        median = "" if n_silent == len(self) else f", median CV {np.nanmedian(variance):.3g}"
        silent = f", {n_silent} silent" if n_silent else ""
        return f"<Tuning {len(self)} units, {self.orientations.size} orientations{median}{silent}>"


def gratings(
    patch_shape: tuple[int, int], orientations: Any, frequencies: Any, phases: Any
) -> np.ndarray:
    """Return sinusoidal gratings of amplitude 1 that fill the patch.

    Parameters
    ----------
    patch_shape : (int, int)
        Height and width in pixels.
    orientations : array-like of shape (n_orientations,)
        Of the stripes, in degrees: 0 is horizontal, 90 vertical, 45 rises to the right.
    frequencies : array-like of shape (n_frequencies,)
        Cycles per pixel, above 0.
    phases : array-like of shape (n_phases,)
        Of the cosine at the middle of the patch, in degrees, growing to the right (downwards
        where stripes are horizontal).

    Returns
    -------
    ndarray of shape (n_orientations, n_frequencies, n_phases, height * width)
        Pixels line by line. Below one cycle a patch, and between whole cycles, the mean over the
        patch is not 0: subtract it where the dictionary was learned from patches without means.

    Raises
    ------
    ValueError
        If an argument is empty, not finite or of more than one dimension, or a frequency is not
        above 0.

    Examples
    --------
    >>> from sparsecode.receptive_fields import gratings
    >>> gratings((3, 3), [90], [0.25], [0]).reshape(3, 3).round(2) + 0.0
    array([[0., 1., 0.],
           [0., 1., 0.],
           [0., 1., 0.]])
    """
    waves = _waves(patch_shape, orientations, frequencies)
    turns = np.exp(1j * np.radians(_check_list("phases", phases)))
    return (waves[:, :, None] * turns[:, None]).real


def orientation_tuning(
    atoms: Any,
    patch_shape: tuple[int, int] | None = None,
    *,
    frequencies: Any = None,
    n_orientations: int = 36,
    n_phases: int = 8,
    response: Callable[[np.ndarray], Any] | None = None,
) -> Tuning:
    r"""Measure the orientation tuning of atoms with gratings that fill the patch.

    Parameters
    ----------
    atoms : array-like of shape (n_atoms, n_features)
        Rows are atoms, read line by line, none of norm 0.
    patch_shape : (int, int), optional
        Height and width of an atom in pixels; square by default.
    frequencies : array-like of shape (n_frequencies,), optional
        In cycles per pixel; by default 16 from one cycle in the longer side to 0.5, evenly spaced
        in octaves.
    n_orientations : int, default=36
        Orientations tried, evenly spaced over 180 degrees; at least 3.
    n_phases : int, default=8
        Phases tried, evenly spaced over 360 degrees; only `response` needs them.
    response : callable, optional
        What responds, if not the atoms as linear filters: it is called with the gratings of one
        orientation, (n_gratings, n_features), and returns the responses of all atoms to them,
        (n_gratings, n_atoms), as an array or a SparseCode.

    Returns
    -------
    Tuning
        Of each atom the curve at its best frequency, the one with the largest response at any
        orientation.

    Raises
    ------
    ValueError
        If `atoms` has no such patches, a frequency or count is out of range, or the responses
        have another shape or are not finite.

    See Also
    --------
    gratings : The stimuli.
    circular_variance : The selectivity of the curves.

    Notes
    -----
    The response of a linear filter :math:`d` to a drifting grating is a sinusoid of its phase.
    The curves hold its amplitude,
    :math:`|\sum_r d(r) e^{2 \pi i f \cdot r}|`, which needs no sampling of phases. A simple cell
    that cuts off what is negative has this amplitude divided by :math:`\pi` as its mean rate and
    by 2 as its first harmonic; no measure here depends on such a factor.

    Codes are no linear function of the image: other atoms explain parts of the grating. Responses
    that `response` returns are cut off below 0 and averaged over phases, the mean rate of a cell
    that signals by firing more.

    References
    ----------
    D. L. Ringach, R. M. Shapley and M. J. Hawken, "Orientation selectivity in macaque V1:
    diversity and laminar dependence", J. Neurosci. 22, 2002.

    Examples
    --------
    >>> from sparsecode.receptive_fields import gabors, orientation_tuning
    >>> atoms = gabors((12, 12), x=5.5, y=5.5, orientation=[20, 135], frequency=0.2, phase=0,
    ...                sigma_across=2, sigma_along=[1.5, 3])
    >>> tuning = orientation_tuning(atoms)
    >>> tuning.preferred_orientation.round()
    array([ 20., 135.])
    >>> tuning.circular_variance.round(1)
    array([0.4, 0.2])

    The responses of codes, here with 3 % of the coefficients active::

        alpha = alpha_for_density(X, dictionary, "l1", density=0.03)
        orientation_tuning(dictionary, response=lambda X: cd(X, dictionary, L1(alpha)).code)
    """
    atoms = check_dictionary(atoms, name="atoms", dtype=np.float64)
    shape = check_patch_shape(patch_shape, atoms.shape[1])
    n_orientations = check_count("n_orientations", n_orientations, minimum=3)
    n_phases = check_count("n_phases", n_phases, minimum=2)
    if frequencies is None:
        frequencies = np.geomspace(1.0 / max(shape), 0.5, _N_FREQUENCIES)
    frequencies = _check_frequencies(frequencies)
    orientations = np.arange(n_orientations) * (180.0 / n_orientations)
    phases = np.arange(n_phases) * (360.0 / n_phases)

    responses = np.empty((n_orientations, frequencies.size, len(atoms)))
    for i, orientation in enumerate(orientations):
        if response is None:
            with threads():  # small products: BLAS is faster on one
                responses[i] = np.abs(_waves(shape, [orientation], frequencies)[0] @ atoms.T)
        else:
            stimuli = gratings(shape, [orientation], frequencies, phases)
            rates = _respond(response, stimuli.reshape(-1, atoms.shape[1]), len(atoms))
            responses[i] = rates.reshape(frequencies.size, n_phases, -1).mean(axis=1)
    best = responses.max(axis=0).argmax(axis=0)
    each = np.arange(len(atoms))
    curves = np.ascontiguousarray(responses[:, best, each].T)
    return Tuning(orientations, curves, np.where(curves.any(axis=1), frequencies[best], np.nan))


def circular_variance(responses: Any, orientations: Any) -> np.ndarray:
    r"""Return 0 for units that respond to one orientation, 1 for those indifferent to it.

    .. math:: 1 - \frac{|\sum_\theta r(\theta) e^{2 i \theta}|}{\sum_\theta r(\theta)}

    Parameters
    ----------
    responses : array-like of shape (..., n_orientations)
        At least 0; orientations along the last axis.
    orientations : array-like of shape (n_orientations,)
        In degrees, growing in even steps that fill 180 or 360.

    Returns
    -------
    ndarray of shape (...)
        NaN, as 0/0, for a unit that does not respond.

    Raises
    ------
    ValueError
        If a response is below 0 or not finite, or the orientations are not such.

    References
    ----------
    D. L. Ringach, R. M. Shapley and M. J. Hawken, "Orientation selectivity in macaque V1:
    diversity and laminar dependence", J. Neurosci. 22, 2002.

    Examples
    --------
    >>> from sparsecode.receptive_fields import circular_variance
    >>> circular_variance([[0, 4, 0, 0], [1, 1, 1, 1], [1, 2, 1, 0]], [0, 45, 90, 135]) + 0.0
    array([0. , 1. , 0.5])
    """
    return 1.0 - np.abs(_resultant(*_check_curves(responses, orientations)))


def preferred_orientation(responses: Any, orientations: Any) -> np.ndarray:
    r"""Return the direction of the resultant :math:`\sum_\theta r(\theta) e^{2 i \theta}`, halved.

    Parameters
    ----------
    responses : array-like of shape (..., n_orientations)
        At least 0; orientations along the last axis.
    orientations : array-like of shape (n_orientations,)
        In degrees, growing in even steps that fill 180 or 360.

    Returns
    -------
    ndarray of shape (...)
        In degrees, 0 to 180; NaN for a unit that does not respond or has no preference.

    Raises
    ------
    ValueError
        As :func:`circular_variance`.

    Examples
    --------
    >>> from sparsecode.receptive_fields import preferred_orientation
    >>> preferred_orientation([[1, 2, 1, 0], [1, 1, 1, 1]], [0, 45, 90, 135])
    array([45., nan])
    """
    resultant = _resultant(*_check_curves(responses, orientations))
    degrees = np.mod(np.degrees(np.angle(resultant)) / 2.0, 180.0)
    degrees = np.where(degrees == 180.0, 0.0, degrees)  # rounded up from below 0
    return np.where(np.abs(resultant) > 1e-12, degrees, np.nan)


def half_width(responses: Any, orientations: Any) -> np.ndarray:
    r"""Return half the width of the highest peak at :math:`1/\sqrt{2}` of its height, in degrees.

    Curves are joined by straight lines, and the two sides of the peak are averaged.

    Parameters
    ----------
    responses : array-like of shape (..., n_orientations)
        At least 0; orientations along the last axis.
    orientations : array-like of shape (n_orientations,)
        In degrees, growing in even steps that fill 180 or 360.

    Returns
    -------
    ndarray of shape (...)
        NaN for a unit that does not respond, or nowhere so little.

    Raises
    ------
    ValueError
        As :func:`circular_variance`.

    References
    ----------
    D. L. Ringach, R. M. Shapley and M. J. Hawken, "Orientation selectivity in macaque V1:
    diversity and laminar dependence", J. Neurosci. 22, 2002.

    Examples
    --------
    >>> from sparsecode.receptive_fields import half_width
    >>> half_width([[0, 4, 0, 0], [3, 4, 3, 3]], [0, 45, 90, 135]).round(2)
    array([13.18,   nan])
    """
    curves, orientations = _check_curves(responses, orientations)
    n_orientations = orientations.size
    peak = curves.argmax(axis=-1)[..., None]
    level = curves.max(axis=-1, keepdims=True) * np.sqrt(0.5)
    sides = []
    for direction in (1, -1):
        away = (peak + direction * np.arange(n_orientations)) % n_orientations
        side = np.take_along_axis(curves, away, axis=-1)
        first = (side < level).argmax(axis=-1)[..., None]  # 0: nowhere
        below = np.take_along_axis(side, first, axis=-1)
        above = np.take_along_axis(side, first - 1, axis=-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            sides.append(first - 1 + (above - level) / (above - below))
        sides[-1][first == 0] = np.nan
    step = orientations[1] - orientations[0]
    return (sides[0] + sides[1])[..., 0] / 2.0 * step


def _waves(patch_shape: Any, orientations: Any, frequencies: Any) -> np.ndarray:
    """Return complex gratings, shape (n_orientations, n_frequencies, n_features)."""
    height, width = check_patch_shape(patch_shape)
    angles = np.radians(90.0 - _check_list("orientations", orientations))[:, None]
    across = np.cos(angles) * (np.arange(width * height) % width - (width - 1) / 2.0)
    across += np.sin(angles) * (np.arange(width * height) // width - (height - 1) / 2.0)
    return np.exp(2j * np.pi * _check_frequencies(frequencies)[:, None] * across[:, None])


def _respond(response: Callable, stimuli: np.ndarray, n_atoms: int) -> np.ndarray:
    """Return what the caller's function responds, cut off below 0."""
    answer = response(stimuli)
    if isinstance(answer, SparseCode):
        answer = answer.to_dense()
    answer = check_numbers(answer, "the answer of response", np.float64)
    if answer.shape != (len(stimuli), n_atoms):
        raise ValueError(
            f"response must return an array of shape (n_gratings, n_atoms), here "
            f"{(len(stimuli), n_atoms)}; got {answer.shape}."
        )
    return np.maximum(answer, 0.0)


def _check_list(name: str, given: Any) -> np.ndarray:
    """Return finite numbers in one dimension, at least one."""
    numbers = check_numbers(given, name, np.float64)
    if numbers.ndim != 1 or not numbers.size:
        raise ValueError(f"{name} must be one-dimensional and not empty; got {numbers.shape}.")
    return numbers


def _check_frequencies(frequencies: Any) -> np.ndarray:
    frequencies = _check_list("frequencies", frequencies)
    if frequencies.min() <= 0.0:
        raise ValueError(f"frequencies must be above 0; got {frequencies.min()}.")
    return frequencies


def _check_curves(responses: Any, orientations: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return responses that are not negative, and orientations that are evenly spaced."""
    orientations = _check_list("orientations", orientations)
    steps = np.diff(orientations)
    is_even = [np.allclose(steps, full / orientations.size) for full in (180.0, 360.0)]
    if orientations.size < 3 or not any(is_even):
        raise ValueError(
            "orientations must grow in even steps that fill 180 or 360 degrees, three at least; "
            f"got {orientations}."
        )
    responses = check_numbers(responses, "responses", np.float64)
    if responses.shape[-1] != orientations.size:
        raise ValueError(
            f"responses must have {orientations.size} orientations along the last axis; got shape "
            f"{responses.shape}."
        )
    if responses.min(initial=0.0) < 0.0:
        raise ValueError(f"responses must be at least 0; got {responses.min()}. Rectify them.")
    return responses, orientations


def _resultant(responses: np.ndarray, orientations: np.ndarray) -> np.ndarray:
    """Return the mean of doubled orientations as a complex number; NaN without responses."""
    with np.errstate(invalid="ignore"):
        shares = responses / responses.sum(axis=-1, keepdims=True)
    return shares @ np.exp(2j * np.radians(orientations))
