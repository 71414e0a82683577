"""Figures: what is on the axes, not only that something is."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex

matplotlib.use("Agg")

from matplotlib import pyplot

from sparsecode import penalties
from sparsecode.core import SparseCode
from sparsecode.plotting import (
    COLORS,
    MARKERS,
    codes_raster,
    gabor_ellipses,
    mse_against_density,
    penalty_curves,
    receptive_fields,
    tuning_curves,
)
from sparsecode.receptive_fields import Tuning, fit_gabors, gabors


@pytest.fixture
def ax():
    figure, ax = pyplot.subplots()
    yield ax
    pyplot.close(figure)


@pytest.fixture
def atoms():
    return np.random.default_rng(0).normal(size=(7, 6))  # seven atoms of 2 x 3 pixels


def mosaic(ax):
    (image,) = ax.images
    return np.ma.filled(np.ma.asarray(image.get_array()), np.nan)


# Receptive fields


def test_each_atom_stands_in_its_tile_scaled_by_its_largest_magnitude(ax, atoms):
    atoms[3] *= 100
    assert receptive_fields(atoms, ax, shape=(2, 3), n_columns=4) is ax
    pixels = mosaic(ax)
    assert pixels.shape == (2 * 2 + 1, 4 * 3 + 3)
    for i, atom in enumerate(atoms):
        top, left = i // 4 * 3, i % 4 * 4
        np.testing.assert_allclose(
            pixels[top : top + 2, left : left + 3],
            atom.reshape(2, 3) / np.abs(atom).max(),
            rtol=1e-6,
        )
    assert np.isnan(pixels[2]).all()  # the gap between rows
    assert np.isnan(pixels[:, [3, 7, 11]]).all()  # and between columns
    assert np.isnan(pixels[3:, 12:]).all()  # no eighth atom
    assert np.isfinite(pixels).sum() == atoms.size


def test_zero_is_mid_grey_and_gaps_are_white(ax, atoms):
    receptive_fields(atoms, ax, shape=(2, 3))
    (image,) = ax.images
    assert image.get_clim() == (-1, 1)
    dark, middle, bright = (image.cmap(image.norm(value))[:3] for value in (-1.0, 0.0, 1.0))
    assert dark == (0, 0, 0)
    assert bright == (1, 1, 1)
    np.testing.assert_allclose(middle, 0.5, atol=0.01)
    gap = image.cmap(np.ma.masked_invalid([np.nan]))[0]
    np.testing.assert_array_equal(gap, [1, 1, 1, 1])
    assert not ax.axison


def test_square_atoms_need_no_shape_and_make_a_square_mosaic(ax):
    receptive_fields(np.ones((16, 9)), ax)
    assert mosaic(ax).shape == (4 * 3 + 3, 4 * 3 + 3)
    assert np.nanmin(mosaic(ax)) == 1.0


def test_order_chooses_and_sorts_atoms(ax, atoms):
    receptive_fields(atoms, ax, shape=(2, 3), n_columns=2, order=[5, 0])
    pixels = mosaic(ax)
    assert pixels.shape == (2, 7)
    np.testing.assert_allclose(pixels[:, :3].ravel(), atoms[5] / np.abs(atoms[5]).max(), rtol=1e-6)
    np.testing.assert_allclose(pixels[:, 4:].ravel(), atoms[0] / np.abs(atoms[0]).max(), rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "atoms must be square or come with their shape; got 6 features"),
        ({"shape": (2, 2)}, r"shape must have 6 pixels, .*; got \(2, 2\)"),
        ({"shape": (0, 3)}, "shape must be at least 1; got 0"),
        ({"shape": 6}, "shape must be a pair, height and width; got 6"),
        ({"shape": (2, 3), "n_columns": 0}, "n_columns must be at least 1; got 0"),
        ({"shape": (2, 3), "order": []}, "order must list at least one atom"),
        ({"shape": (2, 3), "order": [0.5]}, "order must list at least one atom"),
        ({"shape": (2, 3), "order": [7]}, "order must hold indices between 0 and 6; got 7 to 7"),
    ],
)
def test_bad_mosaics(ax, atoms, options, said):
    with pytest.raises(ValueError, match=said):
        receptive_fields(atoms, ax, **options)
    assert not ax.images


# Gabors


@pytest.fixture(scope="module")
def fits():
    """Return fits of three Gabors of 12 x 15 pixels, the last one cut off on the right."""
    parameters = dict(
        x=[6.0, 7.5, 13.5], y=[5.0, 6.5, 6.0], orientation=[30.0, 90.0, 120.0], phase=20.0,
        frequency=0.2, sigma_across=[1.8, 2.0, 1.8], sigma_along=[2.2, 3.0, 2.5],
    )  # fmt: skip
    return fit_gabors(gabors((12, 15), **parameters), (12, 15))


def envelope(fits, i, x, y):
    """Return the envelope of fit `i` at points of its patch."""
    angle, right, up = np.radians(fits.orientation[i]), x - fits.x[i], fits.y[i] - y
    along = right * np.cos(angle) + up * np.sin(angle)
    across = right * np.sin(angle) - up * np.cos(angle)
    square = (across / fits.sigma_across[i]) ** 2 + (along / fits.sigma_along[i]) ** 2
    return np.exp(-square / 2), across


def test_ellipses_are_at_half_the_height_of_the_envelopes(ax, fits):
    order = [2, 0, 1]
    receptive_fields(fits.gabors(), ax, shape=(12, 15), n_columns=2, order=order)
    limits = ax.get_xlim(), ax.get_ylim()
    assert gabor_ellipses(fits, ax, n_columns=2, order=order, color="#0072b2") is ax
    assert (ax.get_xlim(), ax.get_ylim()) == limits
    (line,) = ax.lines
    assert to_hex(line.get_color()) == "#0072b2"
    for place, (i, points) in enumerate(zip(order, np.split(line.get_xydata(), 3))):
        x, y = (points - np.array([16, 13]) * [place % 2, place // 2]).T
        height, across = envelope(fits, i, x, y)
        around, axis = np.split(np.arange(len(x)), [-4])
        seen = np.isfinite(x)
        np.testing.assert_allclose(height[around][seen[around]], 0.5)
        np.testing.assert_allclose(height[axis][seen[axis]], 0.5)
        np.testing.assert_allclose(across[axis][seen[axis]], 0, atol=1e-9)
        assert seen.sum() == len(x) - 2 or i == 2  # the one that leaves its tile
        assert seen[around].sum() > 30
        assert -0.5 <= x[seen].min() < x[seen].max() <= 14.5
        assert -0.5 <= y[seen].min() < y[seen].max() <= 11.5


def test_bad_ellipses(ax, fits):
    with pytest.raises(TypeError, match="fits must be GaborFits; got ndarray"):
        gabor_ellipses(fits.gabors(), ax)
    with pytest.raises(ValueError, match="order must hold indices between 0 and 2; got 3 to 3"):
        gabor_ellipses(fits, ax, order=[3])
    assert not ax.lines


# Tuning


@pytest.fixture
def tuning():
    responses = np.array([[0.0, 4.0, 0.0], [0.0, 0.0, 0.0], [3.0, 3.0, 3.0]])
    return Tuning(np.array([0.0, 60.0, 120.0]), responses, np.array([0.1, np.nan, 0.1]))


def test_curves_are_scaled_and_closed(ax, tuning):
    assert tuning_curves(tuning, ax, order=[2, 0, 1]) is ax
    flat, sharp, silent = ax.lines
    np.testing.assert_array_equal(flat.get_xdata(), [0, 60, 120, 180])
    np.testing.assert_array_equal(flat.get_ydata(), [1, 1, 1, 1])
    np.testing.assert_array_equal(sharp.get_ydata(), [0, 1, 0, 0])
    np.testing.assert_array_equal(silent.get_ydata(), [0, 0, 0, 0])
    assert [line.get_label() for line in ax.lines] == ["CV 1.00", "CV 0.00", "CV nan"]
    assert ax.get_xlim() == (0, 180)
    assert ax.get_xlabel() == "orientation (degrees)"


def test_bad_curves_of_tuning(ax, tuning):
    with pytest.raises(TypeError, match="tuning must be a Tuning; got ndarray"):
        tuning_curves(tuning.responses, ax)
    with pytest.raises(ValueError, match="order must list at least one atom"):
        tuning_curves(tuning, ax, order=[])


# Codes


def test_a_raster_has_one_dot_for_each_active_coefficient(ax):
    code = SparseCode.from_dense(np.array([[0, 2.0, 0, -4.0], [0, 0, 0, 0], [1.0, 0, 0, 0]]))
    assert codes_raster(code, ax) is ax
    (dots,) = ax.collections
    assert dots.get_offsets().tolist() == [[0, 1], [0, 3], [2, 0]]
    np.testing.assert_allclose(dots.get_sizes() / dots.get_sizes().max(), [0.5, 1.0, 0.25])
    assert ax.get_xlim() == (-0.5, 2.5)
    assert ax.get_ylim() == (-0.5, 3.5)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("sample", "unit")


def test_binary_codes_have_equal_dots_and_empty_ones_none(ax):
    codes_raster(SparseCode.from_indices([[0, 2], [1]], 4), ax, color="#0072b2")
    codes_raster(SparseCode.from_dense(np.zeros((0, 5))), ax)
    full, empty = ax.collections
    assert len(full.get_offsets()) == 3
    assert len(set(full.get_sizes())) == 1
    assert to_hex(full.get_facecolor()[0]) == "#0072b2"
    assert len(empty.get_offsets()) == 0


def test_a_dense_array_is_no_code(ax):
    with pytest.raises(TypeError, match="code must be a SparseCode; got ndarray"):
        codes_raster(np.eye(3), ax)


# Penalties


def test_curves_are_the_functions_in_the_colours_of_the_penalties(ax):
    soft = partial(penalties.prox, penalties.L1(0.5), step=1.0, j=0)
    assert penalty_curves({"l1": soft, "mine": abs}, ax, limit=3.0, n_points=7) is ax
    l1, mine = (line for line in ax.lines if not line.get_label().startswith("_"))
    np.testing.assert_allclose(l1.get_xdata(), np.arange(-3, 4))
    np.testing.assert_allclose(l1.get_ydata(), [-2.5, -1.5, -0.5, 0, 0.5, 1.5, 2.5])
    np.testing.assert_allclose(mine.get_ydata(), np.abs(np.arange(-3, 4)))
    assert to_hex(l1.get_color()) == COLORS["l1"]
    assert to_hex(mine.get_color()) not in COLORS.values()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["l1", "mine"]
    assert ax.get_xlim() == (-3, 3)


@pytest.mark.parametrize(
    ("functions", "options", "said"),
    [
        ({}, {}, "functions must hold at least one function"),
        ({"l1": abs}, {"limit": 0.0}, "limit must be finite and above 0"),
        ({"l1": abs}, {"n_points": 2}, "n_points must be at least 3"),
    ],
)
def test_bad_curves(ax, functions, options, said):
    with pytest.raises(ValueError, match=said):
        penalty_curves(functions, ax, **options)


# Error against sparsity


def test_error_against_density_runs_from_sparse_to_dense(ax):
    assert mse_against_density([0.1, 0.02], [0.5, 2.0], ax, label="cel0") is ax
    mse_against_density([0.1, 0.02], [0.6, 3.0], ax, label="l1", linestyle="--", color="#000000")
    cel0, l1 = ax.lines
    np.testing.assert_allclose(cel0.get_xdata(), [2, 10])
    np.testing.assert_allclose(cel0.get_ydata(), [2.0, 0.5])
    assert to_hex(cel0.get_color()) == COLORS["cel0"]
    assert (cel0.get_marker(), l1.get_marker()) == (MARKERS["cel0"], MARKERS["l1"])
    assert (l1.get_linestyle(), to_hex(l1.get_color())) == ("--", "#000000")
    assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "log")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["cel0", "l1"]


@pytest.mark.parametrize(
    ("density", "mse", "said"),
    [
        ([0.1, 0.2], [1.0], r"of one length; got shapes \(2,\) and \(1,\)"),
        ([2.0], [1.0], "density must lie between 0 and 1"),
        ([0.1], [0.0], "mse must be finite and above 0"),
        ([0.1], [np.nan], "mse must be finite and above 0"),
    ],
)
def test_bad_points(ax, density, mse, said):
    with pytest.raises(ValueError, match=said):
        mse_against_density(density, mse, ax)


# The house style


def test_every_registered_penalty_has_a_colour_and_a_marker_of_its_own():
    assert set(COLORS) == set(MARKERS) == set(penalties.registered())
    assert len(set(COLORS.values())) == len(set(MARKERS.values())) == len(COLORS)


def luminance(color):
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in matplotlib.colors.to_rgb(color)
    ]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


@pytest.mark.parametrize("name", COLORS)
def test_colours_stand_out_from_white_paper(name):
    assert 1.05 / (luminance(COLORS[name]) + 0.05) >= 2.0


@pytest.mark.parametrize(
    "draw",
    [
        lambda: receptive_fields(np.eye(4)),
        lambda: codes_raster(SparseCode.from_dense(np.eye(3))),
        lambda: penalty_curves({"l1": abs}),
        lambda: mse_against_density([0.1], [1.0]),
        lambda: gabor_ellipses(fit_gabors(np.eye(1, 16))),
        lambda: tuning_curves(Tuning(np.arange(3) * 60.0, np.ones((1, 3)), np.ones(1))),
    ],
    ids=[
        "receptive_fields",
        "codes_raster",
        "penalty_curves",
        "mse_against_density",
        "gabor_ellipses",
        "tuning_curves",
    ],
)
def test_axes_are_made_where_none_are_given(draw):
    before = set(pyplot.get_fignums())
    ax = draw()
    assert set(pyplot.get_fignums()) - before == {ax.figure.number}
    ax.figure.canvas.draw()
    pyplot.close(ax.figure)


def test_matplotlib_is_imported_only_to_draw():
    program = "import sys, sparsecode.plotting; print('matplotlib' in sys.modules)"
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
