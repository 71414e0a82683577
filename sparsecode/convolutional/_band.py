"""Newton systems over images, I + D W D^T, factorised by blocks of rows."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_triangular

from sparsecode._parallel import map_tiles

__all__ = ["Band"]

#: Unknowns in a block, about: matrices of this size are multiplied at full speed.
SIDE = 256


class Band:
    """Cholesky factors of I + D W D^T.

    Two pixels interact where one atom covers both, a row therefore with as many neighbours as
    kernels are high. Blocks of rows that follow each other make a banded matrix; on a circle they
    are taken from both ends at once, first with last, which folds it into a band twice as wide.

    Parameters
    ----------
    kernels : ndarray of shape (n_atoms, n_channels, height, width)
    domain : tuple of int
        Rows and columns of the image.
    is_circular : bool
        Whether the last row is the first's neighbour, and the last column the first's.
    n_threads : int
    """

    def __init__(
        self, kernels: np.ndarray, domain: tuple[int, int], is_circular: bool, n_threads: int
    ) -> None:
        self.kernels = kernels.astype(np.float64)
        self.domain, self.is_circular, self.n_threads = domain, is_circular, n_threads
        self.width = domain[1] * kernels.shape[1]
        self.blocks = _blocks_of_rows(domain[0], self.width, is_circular)
        self.first = self._first_neighbours()
        starts = np.cumsum([0, *(len(rows) * self.width for rows in self.blocks)])
        self.spans = [starts[self.first[i] : i + 2] - starts[self.first[i]] for i in self._all()]

    @property
    def n_entries(self) -> int:
        """Return how many numbers the factors hold."""
        return sum(int(span[-1] * (span[-1] - span[-2])) for span in self.spans)

    @property
    def n_operations(self) -> float:
        """Return how many multiplications it takes, about, to assemble and to factorise."""
        n_atoms, n_channels, height, width = self.kernels.shape
        pairs = (n_channels * width) ** 2 * height * (height + 1) / 2
        products = pairs * n_atoms * self.domain[0] * self.domain[1]
        return products + sum(float(s[-1]) ** 2 * (s[-1] - s[-2]) for s in self.spans) / 2

    def factorise(self, weights: np.ndarray) -> None:
        """Factorise for weights W of shape (n_atoms, n_rows, n_columns) at the units.

        Raises
        ------
        numpy.linalg.LinAlgError
            Where rounding makes the matrix indefinite.
        """
        products = self._products(weights)
        self.index, self.valid = self._places()
        self.panels = map_tiles(lambda i: self._panel(products, i), self._all(), self.n_threads)
        self.inverses: list[np.ndarray] = []
        for j in self._all():
            self._subtract(j, j)
            factor = np.linalg.cholesky(self._block(j, j))
            inverse = solve_triangular(factor, np.eye(len(factor)), lower=True)
            self.inverses.append(inverse)

            def eliminate(i: int, j: int = j, inverse: np.ndarray = inverse) -> None:
                self._subtract(i, j)
                self._block(i, j)[...] = self._block(i, j) @ inverse.T

            below = [i for i in range(j + 1, len(self.blocks)) if self.first[i] <= j]
            map_tiles(eliminate, below, self.n_threads)

    def solve(self, image: np.ndarray) -> np.ndarray:
        """Return the solution for a right side of shape (n_channels, n_rows, n_columns)."""
        rows = np.moveaxis(image, 0, 2)
        parts = [rows[block].reshape(-1) for block in self.blocks]
        for i, (panel, span) in enumerate(zip(self.panels, self.spans)):
            before = np.concatenate([np.zeros(0), *parts[self.first[i] : i]])
            parts[i] = self.inverses[i] @ (parts[i] - panel[:, : span[-2]] @ before)
        for i in reversed(self._all()):
            parts[i] = self.inverses[i].T @ parts[i]
            for j in range(self.first[i], i):
                parts[j] = parts[j] - self._block(i, j).T @ parts[i]
        solution = np.empty(rows.shape)
        for block, part in zip(self.blocks, parts):
            solution[block] = part.reshape(len(block), *rows.shape[1:])
        return np.moveaxis(solution, 2, 0)

    def _all(self) -> range:
        return range(len(self.blocks))

    def _first_neighbours(self) -> list[int]:
        """Return for each block the first that its factors reach back to."""
        reach, n_rows = self.kernels.shape[2] - 1, self.domain[0]
        first: list[int] = []
        for i, rows in enumerate(self.blocks):
            for j in range(i + 1):
                apart = np.abs(rows[:, None] - self.blocks[j])
                if self.is_circular:
                    apart = np.minimum(apart, n_rows - apart)
                if apart.min() <= reach:
                    first.append(j)
                    break
        return np.minimum.accumulate(first[::-1])[::-1].tolist()

    def _block(self, i: int, j: int) -> np.ndarray:
        """Return the block between blocks of rows i >= j, a view."""
        span, place = self.spans[i], j - self.first[i]
        return self.panels[i][:, span[place] : span[place + 1]]

    def _subtract(self, i: int, j: int) -> None:
        """Take from a block what the elimination of those before column j leaves."""
        begin = max(self.first[i], self.first[j])
        if begin < j:
            left, right = (
                self.panels[k][:, self.spans[k][begin - self.first[k]] :][
                    :, : self.spans[j][j - self.first[j]] - self.spans[j][begin - self.first[j]]
                ]
                for k in (i, j)
            )
            self._block(i, j)[...] -= left @ right.T

    def _products(self, weights: np.ndarray) -> list[np.ndarray]:
        """Return entries of D W D^T between pixels dy rows and dx columns apart.

        Each array, one for each dy, has the shape (n_channels, n_channels, 2 * width - 1, n_rows,
        n_columns): the pixel, and its partner dy rows below and dx - width + 1 columns beside.
        """
        tasks = range(self.kernels.shape[2])
        return map_tiles(lambda dy: self._products_at(weights, dy), tasks, self.n_threads)

    def _products_at(self, weights: np.ndarray, dy: int) -> np.ndarray:
        n_atoms, n_channels, height, width = self.kernels.shape
        n_rows, n_columns = weights.shape[1:]
        flat = weights.reshape(n_atoms, -1).astype(np.float64)
        shape = n_channels, n_channels, 2 * width - 1, n_rows + height, n_columns + width
        total = np.zeros(shape)
        for y in range(height - dy):
            one, other = self.kernels[:, :, y], self.kernels[:, :, y + dy]
            pairs = np.einsum("kcx,kdz->cdxzk", one, other).reshape(-1, n_atoms)
            sums = (pairs @ flat).reshape(n_channels, n_channels, width, width, n_rows, n_columns)
            for x in range(width):
                partners = slice(width - 1 - x, 2 * width - 1 - x)
                total[:, :, partners, y : y + n_rows, x : x + n_columns] += sums[:, :, x]
        return self._on_domain(total)

    def _on_domain(self, sums: np.ndarray) -> np.ndarray:
        """Cut sums to the domain; on a circle what is beyond its end counts at its start."""
        n_rows, n_columns = self.domain
        if self.is_circular:
            for start in range(n_columns, sums.shape[-1], n_columns):
                beyond = sums[..., start : start + n_columns]
                sums[..., : beyond.shape[-1]] += beyond
            for start in range(n_rows, sums.shape[-2], n_rows):
                beyond = sums[..., start : start + n_rows, :]
                sums[..., : beyond.shape[-2], :] += beyond
        return sums[..., :n_rows, :n_columns]

    def _places(self) -> tuple[np.ndarray, np.ndarray]:
        """Return where the products of two rows stand in their block, and which are inside."""
        n_channels, width, n_columns = self.kernels.shape[1], self.kernels.shape[3], self.domain[1]
        channel, partner, dx, x = np.indices(
            (n_channels, n_channels, 2 * width - 1, n_columns), sparse=True
        )
        beside = x + dx - (width - 1)
        inside = (beside >= 0) & (beside < n_columns) | self.is_circular
        valid = np.broadcast_to(
            inside, np.broadcast_shapes(channel.shape, partner.shape, dx.shape, x.shape)
        ).reshape(-1)
        place = (x * n_channels + channel) * self.width + beside % n_columns * n_channels + partner
        return place.reshape(-1)[valid], np.flatnonzero(valid)

    def _panel(self, products: list[np.ndarray], i: int) -> np.ndarray:
        """Return the blocks of I + D W D^T between block i of rows and those before it."""
        panel = np.zeros((len(self.blocks[i]), self.width, self.spans[i][-1]))
        column = 0
        for j in range(self.first[i], i + 1):
            for z in self.blocks[j].tolist():
                for row, y in zip(panel, self.blocks[i].tolist()):
                    row[:, column : column + self.width] = self._between(products, y, z)
                column += self.width
        panel = panel.reshape(-1, column)
        panel[:, self.spans[i][-2] :].flat[:: panel.shape[0] + 1] += 1.0
        return panel

    def _between(self, products: list[np.ndarray], y: int, z: int) -> np.ndarray | float:
        """Return the entries of D W D^T between rows y and z."""
        height, n_rows = self.kernels.shape[2], self.domain[0]
        total: np.ndarray | float = 0.0
        for dy in {z - y, z - y + n_rows, z - y - n_rows} if self.is_circular else {z - y}:
            if abs(dy) < height:
                values = products[abs(dy)][..., y if dy >= 0 else z, :].reshape(-1)[self.valid]
                block = np.bincount(self.index, values, self.width**2).reshape(self.width, -1)
                total = total + (block if dy >= 0 else block.T)
        return total


def _blocks_of_rows(n_rows: int, width: int, is_circular: bool) -> list[np.ndarray]:
    """Return the rows of each block of about SIDE unknowns; on a circle from both ends."""
    rows = np.arange(n_rows)
    if is_circular:  # 0, n - 1, 1, n - 2, ...
        rows = np.where(rows % 2 == 0, rows // 2, n_rows - 1 - rows // 2)
    count = max(SIDE // width, 1) if not is_circular else 2 * max(SIDE // (2 * width), 1)
    return [rows[first : first + count] for first in range(0, n_rows, count)]
