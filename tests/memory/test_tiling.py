"""Sheets of macs: every place is seen, neighbours are mutual, and counts done by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory._tiling import TILINGS, pixel_sheet, receptive_fields, sheet_over

sides = st.tuples(st.integers(1, 6), st.integers(1, 6))


def fields(plane, shape, tiling="square", overlap=0.0):
    return receptive_fields(sheet_over(plane, shape, tiling), pixel_sheet(plane), overlap)


@given(
    plane=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    shape=sides,
    tiling=st.sampled_from(TILINGS),
    overlap=st.floats(0, 3),
)
def test_every_pixel_is_seen_and_overlap_only_adds(plane, shape, tiling, overlap):
    narrow = fields(plane, shape, tiling)
    wide = fields(plane, shape, tiling, overlap)
    assert set(np.concatenate(narrow)) == set(range(plane[0] * plane[1]))
    assert len(narrow) == shape[0] * shape[1]
    for few, many in zip(narrow, wide, strict=True):
        assert set(few) <= set(many)
        assert (np.diff(many) > 0).all()


@given(shape=sides, tiling=st.sampled_from(TILINGS))
def test_neighbours_are_mutual_and_near(shape, tiling):
    sheet = sheet_over((60, 60), shape, tiling)
    beside = sheet.neighbours()
    for i, mine in enumerate(beside):
        assert i not in mine
        assert all(i in beside[j] for j in mine)
        steps = np.abs(sheet.places[mine] - sheet.places[i]) / sheet.pitch
        assert (steps <= 1 + 1e-9).all()


def test_neighbours_of_each_tiling_counted_by_hand():
    counted = [len(found) for found in sheet_over((9, 9), (3, 3), "square").neighbours()]
    assert counted == [3, 5, 3, 5, 8, 5, 3, 5, 3]
    counted = [len(found) for found in sheet_over((9, 9), (3, 3), "hexagonal").neighbours()]
    assert counted == [2, 4, 3, 5, 6, 3, 2, 4, 3]
    inner = sheet_over((50, 50), (5, 5), "hexagonal").neighbours()
    assert [len(inner[i]) for i in (6, 7, 8, 11, 12, 13)] == [6] * 6
    assert list(inner[12]) == [6, 7, 11, 13, 16, 17]  # row 2 is not shifted: to its upper left
    assert list(inner[7]) == [2, 3, 6, 8, 12, 13]  # row 1 is: to its upper right


def test_squares_cut_the_plane_into_windows():
    found = fields((4, 6), (2, 3))
    assert [len(field) for field in found] == [4] * 6
    np.testing.assert_array_equal(found[0], [0, 1, 6, 7])
    np.testing.assert_array_equal(found[5], [16, 17, 22, 23])
    wide = fields((4, 6), (2, 3), overlap=1)
    assert [len(field) for field in wide] == [9, 12, 9, 9, 12, 9]
    np.testing.assert_array_equal(wide[0], [0, 1, 2, 6, 7, 8, 12, 13, 14])


def test_what_lies_on_a_border_is_seen_from_both_sides():
    found = fields((1, 3), (1, 2))
    np.testing.assert_array_equal(found[0], [0, 1])
    np.testing.assert_array_equal(found[1], [1, 2])


def test_hexagons_hold_what_is_nearest():
    # two rows of pitch 4, columns of pitch 12 / 2.5 = 4.8, the second row shifted by 2.4
    sheet = sheet_over((8, 12), (2, 2), "hexagonal")
    expected = [[1.5, 1.9], [1.5, 6.7], [5.5, 4.3], [5.5, 9.1]]
    np.testing.assert_allclose(sheet.places, expected)
    found = fields((8, 12), (2, 2), "hexagonal")
    away = sheet.places[:, None] - pixel_sheet((8, 12)).places[None]
    away = np.linalg.norm(away * [np.sqrt(3) / 2 / 4, 1 / 4.8], axis=2)
    for mac, field in enumerate(found):
        np.testing.assert_array_equal(field, np.flatnonzero(away[mac] <= away.min(axis=0) + 1e-9))


@pytest.mark.parametrize("tiling", TILINGS)
def test_one_mac_sees_everything(tiling):
    (field,) = fields((5, 7), (1, 1), tiling)
    np.testing.assert_array_equal(field, np.arange(35))
    assert [len(found) for found in sheet_over((5, 7), (1, 1), tiling).neighbours()] == [0]


def test_higher_levels_see_macs():
    below = sheet_over((16, 24), (4, 6), "square")
    sheet = sheet_over((16, 24), (2, 2), "square")
    found = receptive_fields(sheet, below, 0.0)
    assert [len(field) for field in found] == [6] * 4
    np.testing.assert_array_equal(found[0], [0, 1, 2, 6, 7, 8])
    # one spacing of the level below is 4 pixels: one more row and one more column of macs
    assert [len(field) for field in receptive_fields(sheet, below, 1.0)] == [12] * 4
