"""What the active units of maps say about the atoms: products with windows, and lags."""

from sparsecode._jit import jit

__all__ = ["add_lags", "add_windows"]


@jit
def add_windows(units, values, map_height, map_width, domain, totals):
    """Add to each atom's total every window of the domain, times the atom's unit there.

    Units are places in flattened maps. Of a domain's residual that is the gradient of the atoms,
    with its sign turned.
    """
    n_channels, height, width = totals.shape[1:]
    n_positions = map_height * map_width
    for a in range(units.size):
        k, position = divmod(int(units[a]), n_positions)
        y, x = divmod(position, map_width)
        value = values[a]
        for c in range(n_channels):
            for i in range(height):
                row = y + i
                line = domain[c, row if row < domain.shape[1] else row - domain.shape[1]]
                total = totals[k, c, i]
                within = min(width, line.size - x)
                for j in range(within):
                    total[j] += value * line[x + j]
                for j in range(within, width):
                    total[j] += value * line[x + j - line.size]


@jit
def add_lags(positions, values, map_height, map_width, is_circular, lags):
    """Add the autocorrelation of one map at the lags that are not above 0 but below a kernel.

    Positions of its active units ascend. Lag (dy, dx) is entry ``(dy, width - 1 + dx)`` of `lags`,
    which has the shape (height, 2 * width - 1).
    """
    height, width = lags.shape[0], (lags.shape[1] + 1) // 2
    first = 0
    for a in range(positions.size):
        y, x = divmod(int(positions[a]), map_width)
        while positions[first] < y * map_width:
            first += 1
        for turn in range(2 if is_circular else 1):
            for b in range(0 if turn else first, positions.size):
                row, column = divmod(int(positions[b]), map_width)
                dy = row + turn * map_height - y
                if dy >= height:
                    break
                product = values[a] * values[b]
                dx = column - x
                if -width < dx < width:
                    lags[dy, width - 1 + dx] += product
                if is_circular:
                    if dx - map_width > -width:
                        lags[dy, width - 1 + dx - map_width] += product
                    if dx + map_width < width:
                        lags[dy, width - 1 + dx + map_width] += product
