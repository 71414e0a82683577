"""Tiles of positions whose windows do not meet, so that they may be worked on side by side."""

from __future__ import annotations

import numpy as np

from sparsecode.convolutional._geometry import Geometry

__all__ = ["Tiles"]

#: Least side of a tile, unless the maps are smaller.
SIDE = 32


class Tiles:
    """The maps' positions, cut into tiles; the cuts depend on shapes alone.

    Attributes
    ----------
    origins, extents : ndarray of shape (n_tiles, 2)
        Where each tile begins, and its height and width.
    groups : list of ndarray
        Tiles by colour: no windows of two tiles of one group meet.
    """

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry
        cuts, colours = zip(
            *(
                _cut(n, kernel, geometry.is_circular)
                for n, kernel in zip(geometry.maps, geometry.kernel)
            )
        )
        rows, columns = (len(cut) - 1 for cut in cuts)
        grid = np.indices((rows, columns)).reshape(2, -1).T
        self.origins = np.stack([cut[grid[:, axis]] for axis, cut in enumerate(cuts)], axis=1)
        ends = np.stack([cut[grid[:, axis] + 1] for axis, cut in enumerate(cuts)], axis=1)
        self.extents = ends - self.origins
        colour = colours[0][grid[:, 0]] * (colours[1].max() + 1) + colours[1][grid[:, 1]]
        self.groups = [np.flatnonzero(colour == one) for one in np.unique(colour)]
        self._lines = [
            np.searchsorted(cut, np.arange(n), side="right") - 1
            for cut, n in zip(cuts, geometry.maps)
        ]
        self._n_columns = columns
        self._near = [_find_near(cut, axis, geometry) for axis, cut in enumerate(cuts)]
        self._meeting: dict[int, np.ndarray] = {}

    def of_units(self, units: np.ndarray) -> np.ndarray:
        """Return the tile of each unit of the flattened maps."""
        y, x = np.divmod(units % self.geometry.n_positions, self.geometry.maps[1])
        return self._lines[0][y] * self._n_columns + self._lines[1][x]

    def around(self, chosen: np.ndarray) -> np.ndarray:
        """Return the tiles whose windows meet those of the chosen ones."""
        return np.concatenate([np.zeros(0, np.int64), *(self._meet(int(t)) for t in chosen)])

    def rows_seen(self, chosen: np.ndarray) -> np.ndarray:
        """Return the rows of the domain that windows of the chosen tiles cover."""
        reach = self.geometry.kernel[0] - 1
        rows = [
            np.arange(self.origins[t, 0], self.origins[t, 0] + self.extents[t, 0] + reach)
            for t in chosen
        ]
        return np.concatenate([np.zeros(0, np.int64), *rows]) % self.geometry.domain[0]

    def _meet(self, tile: int) -> np.ndarray:
        """Return the tiles whose windows meet those of one tile, which is none of them."""
        if tile not in self._meeting:
            row, column = divmod(tile, self._n_columns)
            near = np.add.outer(self._near[0][row] * self._n_columns, self._near[1][column])
            self._meeting[tile] = near[near != tile]
        return self._meeting[tile]


def _find_near(cut: np.ndarray, axis: int, geometry: Geometry) -> list[np.ndarray]:
    """Return the tiles along an axis whose windows meet those of each tile, itself among them."""
    reach, length = geometry.kernel[axis] - 1, geometry.maps[axis]
    first, last = cut[:-1], cut[1:]
    ranges = []
    for shift in (-length, 0, length) if geometry.is_circular else (0,):
        begin = np.searchsorted(last, first - reach - shift, side="right")
        end = np.searchsorted(first, last + reach - shift, side="left")
        ranges.append([np.arange(*bounds) for bounds in zip(begin, end)])
    return [np.unique(np.concatenate(found)) for found in zip(*ranges)]


def _cut(n: int, kernel: int, is_circular: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return where the tiles along an axis begin, its end too, and a colour for each.

    Tiles of one colour lie at least a kernel less 1 apart. Around a circle their number is even,
    and none may meet itself; where that cannot be, each has its own colour.
    """
    n_tiles = max(1, n // max(SIDE, kernel - 1))
    colours = np.arange(n_tiles) % 2
    if is_circular and kernel > 1:
        n_tiles = max(2, n_tiles - n_tiles % 2)
        colours = np.arange(n_tiles) % 2
        if (n_tiles > 2 and n // n_tiles < kernel - 1) or -(-n // n_tiles) > n - kernel + 1:
            n_tiles = -(-n // (n - kernel + 1))
            colours = np.arange(n_tiles)
    return np.linspace(0, n, n_tiles + 1).astype(np.int64), colours
