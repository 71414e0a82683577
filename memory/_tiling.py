"""Sheets of macs over a plane: where they lie, what each one sees, and who its neighbours are.

Places are given in pixels of the input plane, (row, column), the first pixel being at (0, 0).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["TILINGS", "Sheet", "pixel_sheet", "receptive_fields", "sheet_over"]

TILINGS = ("square", "hexagonal")

#: Height of a row of a regular hexagonal lattice, its columns being 1 apart.
_HEXAGON = np.sqrt(3.0) / 2.0
#: Distances that differ by less are equal.
_EQUAL = 1e-9


@dataclass(frozen=True, eq=False)
class Sheet:
    """Places on a plane, row by row.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns.
    tiling : {"square", "hexagonal"}
        In a hexagonal tiling every second row, from the second on, is shifted by half a column.
    pitch : tuple of float
        Distance in pixels between rows and between columns.
    places : ndarray of shape (n_places, 2)
        Row and column of each place, in pixels.
    """

    shape: tuple[int, int]
    tiling: str
    pitch: tuple[float, float]
    places: np.ndarray

    @property
    def spacing(self) -> float:
        """Distance between neighbours in pixels, the mean over both axes."""
        return float(np.sqrt(self.pitch[0] * self.pitch[1]))

    def neighbours(self) -> list[np.ndarray]:
        """Return for each place those beside it: at most eight in a square tiling, or six."""
        rows, columns = self.shape
        found = []
        for row in range(rows):
            for column in range(columns):
                steps = _steps(self.tiling, row)
                beside = [(row + down, column + right) for down, right in steps]
                inside = [r * columns + c for r, c in beside if 0 <= r < rows and 0 <= c < columns]
                found.append(np.array(sorted(inside), dtype=np.int64))
        return found


def pixel_sheet(shape: tuple[int, int]) -> Sheet:
    """Return the pixels of an input of this shape."""
    places = np.indices(shape).reshape(2, -1).T.astype(np.float64)
    return Sheet(shape, "square", (1.0, 1.0), places)


def sheet_over(plane: tuple[int, int], shape: tuple[int, int], tiling: str) -> Sheet:
    """Return places that are spread evenly over an input of shape `plane`."""
    rows, columns = np.indices(shape).reshape(2, -1).astype(np.float64)
    shifted = tiling == "hexagonal" and shape[0] > 1
    pitch = plane[0] / shape[0], plane[1] / (shape[1] + 0.5 * shifted)
    across = columns + 0.5 * (shifted * (rows % 2))
    places = np.column_stack([(rows + 0.5) * pitch[0], (across + 0.5) * pitch[1]]) - 0.5
    return Sheet(shape, tiling, pitch, places)


def receptive_fields(sheet: Sheet, below: Sheet, overlap: float) -> list[np.ndarray]:
    """Return which places of the sheet below each mac sees, in ascending order.

    Without overlap a mac sees what lies in its own cell, and what lies on a border is seen from
    both sides. Cells of a square tiling are rectangles, those of a hexagonal one hold all that is
    nearest to the mac. `overlap` moves every border outwards, in spacings of the sheet below.
    """
    reach = overlap * below.spacing + _EQUAL
    distances = _square if sheet.tiling == "square" else _hexagonal
    beyond = distances(sheet, below.places)
    return [np.flatnonzero(row <= reach) for row in beyond]


def _square(sheet: Sheet, points: np.ndarray) -> np.ndarray:
    """Return by how much each point lies outside each rectangle, shape (n_macs, n_points)."""
    away = np.abs(points[None, :, :] - sheet.places[:, None, :])
    return (away - np.asarray(sheet.pitch) / 2.0).max(axis=2)


def _hexagonal(sheet: Sheet, points: np.ndarray) -> np.ndarray:
    """Return by how much each point lies outside each cell of nearest points.

    Distances are those of the plane stretched so that the lattice is regular. Half the difference
    of two distances is the way to the border between them, along the line that joins the macs.
    """
    regular = np.array([_HEXAGON, 1.0]) if sheet.shape[0] > 1 else np.ones(2)
    scale = regular / np.asarray(sheet.pitch)
    scale /= np.sqrt(scale.prod())
    away = np.linalg.norm(scale * (points[None, :, :] - sheet.places[:, None, :]), axis=2)
    return (away - away.min(axis=0)) / 2.0


def _steps(tiling: str, row: int) -> list[tuple[int, int]]:
    """Return the ways to the neighbours, rows and columns."""
    if tiling == "square":
        return [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right]
    left = row % 2 - 1  # where the nearer columns of the rows above and below begin
    beside = [(0, -1), (0, 1)]
    return beside + [(down, left + right) for down in (-1, 1) for right in (0, 1)]
