"""Tiles cover the maps once, and windows of those that are worked on at a time do not meet."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sparsecode.convolutional import _tiles
from sparsecode.convolutional._geometry import BOUNDARIES, Geometry
from sparsecode.convolutional._tiles import Tiles


@st.composite
def geometries(draw):
    kernel = tuple(draw(st.integers(1, 7)) for _ in range(2))
    shape = tuple(draw(st.integers(n, n + 14)) for n in kernel)
    return Geometry(shape, kernel, draw(st.sampled_from(BOUNDARIES)))


def windows(tiles, geometry, t):
    """Return how often each pixel of the domain is under the windows of a tile's area."""
    under = np.zeros(geometry.domain, int)
    reach = np.array(geometry.kernel) - 1
    rows, columns = (
        np.arange(first, first + n) for first, n in zip(tiles.origins[t], tiles.extents[t] + reach)
    )
    np.add.at(under, np.ix_(rows % geometry.domain[0], columns % geometry.domain[1]), 1)
    return under


@given(geometries(), st.integers(2, 9))
def test_windows_of_a_group_do_not_meet(geometry, side):
    before, _tiles.SIDE = _tiles.SIDE, side
    try:
        tiles = Tiles(geometry)
    finally:
        _tiles.SIDE = before
    covered = np.zeros(geometry.maps, int)
    for (y, x), (height, width) in zip(tiles.origins, tiles.extents):
        assert height > 0
        assert width > 0
        covered[y : y + height, x : x + width] += 1
    assert (covered == 1).all()
    under = [windows(tiles, geometry, t) for t in range(len(tiles.origins))]
    assert sorted(np.concatenate(tiles.groups)) == list(range(len(under)))
    for group in tiles.groups:
        assert np.sum([under[t] for t in group], axis=0).max() == 1
    for t, one in enumerate(under):
        meeting = [s for s, other in enumerate(under) if s != t and (one * other).any()]
        assert list(tiles.around(np.array([t]))) == meeting
        rows = np.zeros(geometry.domain[0], bool)
        rows[tiles.rows_seen(np.array([t]))] = True
        np.testing.assert_array_equal(rows, one.any(axis=1))


@given(geometries())
def test_every_unit_has_its_tile(geometry):
    tiles = Tiles(geometry)
    units = np.arange(2 * geometry.n_positions)
    place = np.stack(np.divmod(units % geometry.n_positions, geometry.maps[1]), axis=1)
    own = tiles.of_units(units)
    inside = place - tiles.origins[own]
    assert (inside >= 0).all()
    assert (inside < tiles.extents[own]).all()
