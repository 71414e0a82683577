"""Least squares for a whole batch of Gabors at once: variable projection, Levenberg-Marquardt.

A Gabor is linear in its cosine and its sine part. Both are eliminated, so that six parameters are
left: ``x``, ``y`` (pixels), ``angle`` (of the wave, radians, from x towards y), and the logarithms
of ``frequency``, ``across`` and ``along`` (the widths of the envelope).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["ANGLE", "FREQUENCY", "Limits", "minimize", "waves"]

X, Y, ANGLE, FREQUENCY, ACROSS, ALONG = range(6)

#: Keeps the projection defined where cosine and sine coincide on the pixels; relative.
RIDGE = 1e-12
#: Energy below which a Gabor has left the patch.
FLOOR = 1e-30
#: A step whose predicted and actual gains both lie below this fraction of the energy is the last.
TOL = 1e-9
#: A fit that would need steps damped more than this has stalled.
MOST_DAMPING = 1e8


@dataclass(frozen=True)
class Limits:
    """What the parameters may be; the frequency never exceeds Nyquist's along its direction."""

    lower: np.ndarray
    upper: np.ndarray

    @classmethod
    def of(cls, height: int, width: int) -> Limits:
        """Return the limits for patches of this shape.

        Centres lie in the patch; the lowest frequency is a quarter of a cycle in the longer side;
        widths run from 0.3 pixels to twice the longer side.
        """
        longer = max(height, width)
        slowest, narrowest, widest = np.log([0.25 / longer, 0.3, 2.0 * longer])
        return cls(
            np.array([-0.5, -0.5, -np.inf, slowest, narrowest, narrowest]),
            np.array([width - 0.5, height - 0.5, np.inf, np.inf, widest, widest]),
        )

    def ceiling(self, parameters: np.ndarray) -> np.ndarray:
        """Return the upper limit of each parameter of each fit."""
        upper = np.broadcast_to(self.upper, parameters.shape).copy()
        right, down = np.cos(parameters[:, ANGLE]), np.sin(parameters[:, ANGLE])
        upper[:, FREQUENCY] = -np.log(2.0 * np.maximum(np.abs(right), np.abs(down)))
        return upper

    def clip(self, parameters: np.ndarray) -> np.ndarray:
        """Return the nearest allowed parameters."""
        return np.clip(parameters, self.lower, self.ceiling(parameters))


def waves(parameters: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, ...]:
    """Return the complex Gabors of amplitude 1, and the coordinates across and along them.

    All of shape (n_fits, height, width).
    """
    x, y, angle, frequency, across, along = parameters.T[:, :, None]
    dx, dy = np.arange(shape[1]) - x, np.arange(shape[0]) - y
    cosine, sine = np.cos(angle), np.sin(angle)
    u = (cosine * dx)[:, None, :] + (sine * dy)[:, :, None]
    v = (cosine * dy)[:, :, None] - (sine * dx)[:, None, :]
    pace = 2j * np.pi * np.exp(frequency)
    carrier = np.exp(pace * cosine * dx)[:, None, :] * np.exp(pace * sine * dy)[:, :, None]
    rates = -0.5 * np.exp(-2.0 * np.stack([across, along]))[..., None]
    return carrier * np.exp(rates[0] * u * u + rates[1] * v * v), u, v


def _project(gram: np.ndarray, correlation: np.ndarray) -> np.ndarray:
    """Solve the 2 x 2 systems of the linear part; coinciding columns share the coefficient."""
    a, d = ((1.0 + RIDGE) * gram[:, k, k] + FLOOR for k in (0, 1))
    b = gram[:, 0, 1]
    inverse = np.array([[d, -b], [-b, a]]) / (a * d - b * b)
    return np.einsum("ijn,nj...->ni...", inverse, correlation)


def _linearize(
    parameters: np.ndarray, targets: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, ...]:
    """Return linear coefficients, squared errors, curvatures and descents of every fit.

    The curvature is Gauss and Newton's, of the residual after the linear part was projected out.
    """
    n_fits, n_pixels = targets.shape
    wave, u, v = waves(parameters, shape)
    columns = np.empty((n_fits, 8, *shape))
    columns[:, 0], columns[:, 1] = wave.real, -wave.imag
    flat = columns.reshape(n_fits, 8, n_pixels)
    pair = flat[:, :2]
    linear = _project(pair @ pair.transpose(0, 2, 1), np.einsum("nkp,np->nk", pair, targets))
    residual = targets - np.einsum("nkp,nk->np", pair, linear)
    errors = np.einsum("np,np->n", residual, residual)

    # the Gabor is the real part of (a + ib) wave; its imaginary part is minus the phase derivative
    whole = (linear[:, 0] + 1j * linear[:, 1])[:, None, None] * wave
    gabor, quadrature = whole.real, whole.imag
    _, _, angle, frequency, across, along = parameters.T[:, :, None, None]
    pace = 2.0 * np.pi * np.exp(frequency)
    stripes = quadrature * pace
    u_scaled, v_scaled = u * np.exp(-2.0 * across), v * np.exp(-2.0 * along)
    by_u = -u_scaled * gabor - stripes
    by_v = -v_scaled * gabor
    cosine, sine = np.cos(angle), np.sin(angle)
    columns[:, 2 + X] = sine * by_v - cosine * by_u
    columns[:, 2 + Y] = -cosine * by_v - sine * by_u
    columns[:, 2 + ANGLE] = v * by_u - u * by_v
    columns[:, 2 + FREQUENCY] = -u * stripes
    columns[:, 2 + ACROSS] = u * u_scaled * gabor
    columns[:, 2 + ALONG] = -v * by_v

    gram = flat @ flat.transpose(0, 2, 1)
    shared = gram[:, :2, 2:]
    curvature = gram[:, 2:, 2:] - shared.transpose(0, 2, 1) @ _project(gram, shared)
    descent = np.einsum("nkp,np->nk", flat[:, 2:], residual)
    return linear, errors, curvature, descent


def minimize(
    targets: np.ndarray, starts: np.ndarray, shape: tuple[int, int], max_iter: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Fit one Gabor to each target of norm 1 from its start.

    Returns parameters (n_fits, 6), linear coefficients (n_fits, 2) of cosine and minus sine,
    squared errors and whether the fit converged.
    """
    limits = Limits.of(*shape)
    parameters = limits.clip(starts)
    linear, errors, curvature, descent = _linearize(parameters, targets, shape)
    damping = np.full(len(targets), 1e-2)
    converged = np.zeros(len(targets), bool)
    going = np.arange(len(targets))
    for _ in range(max_iter):
        if not going.size:
            break
        old = parameters[going]
        pull, matrix = descent[going].copy(), curvature[going].copy()
        # a parameter at its limit that is pulled outwards stays out of the step
        held = ((old <= limits.lower) & (pull < 0)) | ((old >= limits.ceiling(old)) & (pull > 0))
        pull[held] = 0.0
        matrix[held[:, :, None] | held[:, None, :]] = 0.0
        diagonal = np.einsum("nii->ni", matrix)
        diagonal += damping[going, None] * diagonal + 1e-12
        step = np.linalg.solve(matrix, pull[..., None])[..., 0]
        new = limits.clip(old + step)
        trial = _linearize(new, targets[going], shape)
        gain = errors[going] - trial[1]
        predicted = np.einsum("nk,nk->n", step, pull)
        better = gain >= 0.0
        kept = going[better]
        parameters[kept] = new[better]
        for whole, part in zip((linear, errors, curvature, descent), trial):
            whole[kept] = part[better]
        damping[going] *= np.where(better, np.where(gain > 0.5 * predicted, 0.1, 0.5), 5.0)
        damping[going] = np.maximum(damping[going], 1e-9)
        done = (np.maximum(np.abs(gain), predicted) <= TOL) & (damping[going] < 1e-1)
        converged[going[done]] = True
        going = going[~done & (damping[going] <= MOST_DAMPING)]
    return parameters, linear, errors, converged
