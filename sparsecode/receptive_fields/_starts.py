"""Where fits of Gabors start: at peaks of the spectrum, and at the energy or the largest pixel."""

from __future__ import annotations

import numpy as np

__all__ = ["starts"]

#: Peaks of the spectrum that are tried.
N_PEAKS = 3
#: By how much the frequency of the highest peak is also moved, up and down, in logarithms. The
#: spectrum of a small Gabor is so wide that its peak lies beside the frequency.
SHIFT = 0.3


def starts(targets: np.ndarray, shape: tuple[int, int]) -> list[np.ndarray]:
    """Return arrays of parameters to start from, each of shape (n_atoms, 6)."""
    images = targets.reshape(-1, *shape)
    weights = images**4  # of a Gabor, half as wide as it; noise around it hardly counts
    weights /= weights.sum(axis=(1, 2), keepdims=True)
    columns, rows = np.arange(shape[1]), np.arange(shape[0])
    x, y = weights.sum(axis=1) @ columns, weights.sum(axis=2) @ rows
    dx, dy = columns - x[:, None], rows - y[:, None]
    spread_x = np.einsum("nij,nj->n", weights, dx**2)
    spread_y = np.einsum("nij,ni->n", weights, dy**2)
    shared = np.einsum("nij,nj,ni->n", weights, dx, dy)
    at_rows, at_columns = np.divmod(np.abs(targets).argmax(axis=1), shape[1])
    compact = np.full(len(targets), np.log(max(shape) / 10.0))

    def wide(angle: np.ndarray, frequency: np.ndarray) -> np.ndarray:
        mean, difference = (spread_x + spread_y) / 2.0, (spread_x - spread_y) / 2.0
        tilt = difference * np.cos(2.0 * angle) + shared * np.sin(2.0 * angle)
        across, along = (
            np.log(2.0 * np.sqrt(np.maximum(part, 0.02))) for part in (mean + tilt, mean - tilt)
        )
        return np.stack([x, y, angle, frequency, across, along], axis=1)

    def narrow(angle: np.ndarray, frequency: np.ndarray) -> np.ndarray:
        return np.stack([at_columns, at_rows, angle, frequency, compact, compact], axis=1)

    peaks = _peaks(images)
    blob = np.arctan2(2.0 * shared, spread_x - spread_y) / 2.0, np.full(len(targets), -np.inf)
    return [
        *(wide(*peak) for peak in peaks),
        *(narrow(*peak) for peak in peaks[:2]),
        *(narrow(peaks[0][0], peaks[0][1] + shift) for shift in (SHIFT, -SHIFT)),
        narrow(*blob),
    ]


def _peaks(images: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return angles and logarithms of frequencies of the highest peaks of the spectra."""
    height, width = images.shape[1:]
    power = np.square(np.abs(np.fft.rfft2(images, s=(4 * height, 4 * width))))
    vertical = np.fft.fftfreq(4 * height)[:, None]
    horizontal = np.fft.rfftfreq(4 * width)[None, :]
    apart = 1.0 / max(height, width)  # about what the patch resolves
    peaks = []
    for _ in range(N_PEAKS):
        i, j = np.divmod(power.reshape(len(images), -1).argmax(axis=1), power.shape[2])
        at = horizontal[0, j], vertical[i, 0]
        with np.errstate(divide="ignore"):  # the mean: clipped to the lowest frequency
            peaks.append((np.arctan2(at[1], at[0]), np.log(np.hypot(*at))))
        for sign in (1.0, -1.0):  # the spectrum of real numbers is symmetric
            right = horizontal - sign * at[0][:, None, None]
            down = vertical - sign * at[1][:, None, None]
            down -= np.round(down)
            power[np.hypot(right, down) < apart] = 0.0
    return peaks
