"""Where atoms may lie: the three boundaries, of which every solver sees one picture.

A signal is embedded into its *domain*, on which the residual is measured; an atom at position p of
its map covers the *window* of the domain that starts at p. Along a circular axis windows go on at
the other end; otherwise none leaves the domain.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from sparsecode._validation import check_option

__all__ = ["BOUNDARIES", "Geometry", "correlate_strip", "strips"]

BOUNDARIES = ("circular", "zero", "valid")
#: Entries of the windows, or of the correlations, of positions that are looked at together.
STRIP_ENTRIES = 2**19


@dataclass(frozen=True)
class Geometry:
    """Shapes of one problem, over two axes; a signal over one axis has a first one of length 1.

    Parameters
    ----------
    shape, kernel : tuple of int
        Height and width of the signals and of the atoms.
    boundary : str
        "circular": the signal goes on at its other end. "zero": it is surrounded by zeros, and
        atoms lie wherever they touch it. "valid": atoms lie within it.
    """

    shape: tuple[int, int]
    kernel: tuple[int, int]
    boundary: str

    def __post_init__(self) -> None:
        check_option("boundary", self.boundary, BOUNDARIES)

    @property
    def is_circular(self) -> bool:
        return self.boundary == "circular"

    @property
    def margin(self) -> tuple[int, int]:
        """Zeros that the domain adds on each side of the signal."""
        if self.boundary != "zero":
            return 0, 0
        return self.kernel[0] - 1, self.kernel[1] - 1

    @property
    def domain(self) -> tuple[int, int]:
        """Shape on which the residual is measured."""
        (height, width), (above, aside) = self.shape, self.margin
        return height + 2 * above, width + 2 * aside

    @property
    def maps(self) -> tuple[int, int]:
        """Shape of each atom's map: the positions that it may take."""
        if self.is_circular:
            return self.shape
        height, width = self.domain
        return height - self.kernel[0] + 1, width - self.kernel[1] + 1

    @property
    def n_positions(self) -> int:
        return prod(self.maps)

    def embed(self, signals: np.ndarray) -> np.ndarray:
        """Return signals of shape (..., height, width) on the domain."""
        above, aside = self.margin
        if not above and not aside:
            return signals
        before = [(0, 0)] * (signals.ndim - 2)
        return np.pad(signals, [*before, (above, above), (aside, aside)])

    def crop(self, signals: np.ndarray) -> np.ndarray:
        """Return the part of what lies on the domain that the signal covers."""
        above, aside = self.margin
        return signals[..., above : above + self.shape[0], aside : aside + self.shape[1]]

    def windows(self, domain: np.ndarray, rows: slice) -> np.ndarray:
        """Return the window of each position of some rows of the maps, flattened.

        Parameters
        ----------
        domain : ndarray of shape (n_channels, height, width)
        rows : slice

        Returns
        -------
        ndarray of shape (n_rows * map_width, n_channels * kernel_height * kernel_width)
        """
        height, width = self.kernel
        first, last = rows.start, min(rows.stop, self.maps[0])
        if self.is_circular:
            lines = np.arange(first, last + height - 1) % self.domain[0]
            part = np.pad(domain[:, lines], [(0, 0), (0, 0), (0, width - 1)], mode="wrap")
        else:
            part = domain[:, first : last + height - 1]
        views = np.lib.stride_tricks.sliding_window_view(part, (len(part), height, width))
        return views.reshape((last - first) * self.maps[1], -1)


def strips(geometry: Geometry, n_channels: int, n_atoms: int) -> list[slice]:
    """Cut the rows of the maps into strips; the cuts depend on shapes alone."""
    entries = geometry.maps[1] * max(n_channels * prod(geometry.kernel), n_atoms)
    height = max(1, STRIP_ENTRIES // entries)
    n_rows = geometry.maps[0]
    return [slice(first, min(first + height, n_rows)) for first in range(0, n_rows, height)]


def correlate_strip(
    geometry: Geometry, domain: np.ndarray, flat_atoms: np.ndarray, rows: slice
) -> np.ndarray:
    """Return the products of all atoms with the windows at some rows of the maps.

    Returns
    -------
    ndarray of shape (n_atoms, n_rows * map_width)
    """
    return flat_atoms @ geometry.windows(domain, rows).T
