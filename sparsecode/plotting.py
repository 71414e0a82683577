"""Figures of dictionaries, codes and penalties: axes in, axes out.

Every function draws on the axes it is given, or on new ones, and returns them; nothing is shown
or saved. Matplotlib is imported when a function is called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sparsecode._validation import check_count, check_dictionary, check_positive
from sparsecode.core._checks import check_code
from sparsecode.core.code import SparseCode
from sparsecode.receptive_fields import GaborFits, Tuning
from sparsecode.receptive_fields._patch import check_patch_shape

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "COLORS",
    "MARKERS",
    "codes_raster",
    "gabor_ellipses",
    "mse_against_density",
    "penalty_curves",
    "receptive_fields",
    "tuning_curves",
]

#: Colour of each penalty, by its registered name: Okabe & Ito's, safe for colour-blind readers.
COLORS = {
    "l1": "#d55e00",
    "l0": "#cc79a7",
    "half": "#009e73",
    "cel0": "#0072b2",
    "mcp": "#56b4e9",
    "scad": "#e69f00",
    "log_sum": "#5b6470",
    "elastic_net": "#8a5a2b",
    "paper_cel0": "#003a5d",
}
#: Marker of each penalty, so that a figure does not rest on colour alone.
MARKERS = {
    "l1": "s",
    "l0": "^",
    "half": "D",
    "cel0": "o",
    "mcp": "v",
    "scad": "P",
    "log_sum": "X",
    "elastic_net": "p",
    "paper_cel0": "*",
}
_INK = "#20262e"
_PAPER = "#ffffff"


def _axes(ax: Axes | None) -> Axes:
    if ax is None:
        from matplotlib import pyplot

        _, ax = pyplot.subplots(layout="constrained")
    return ax


def _style(name: str | None) -> dict[str, Any]:
    """Return line style keywords of a penalty; of any other label, none."""
    if name not in COLORS:
        return {}
    return {"color": COLORS[name], "marker": MARKERS[name]}


def receptive_fields(
    dictionary: Any,
    ax: Axes | None = None,
    *,
    shape: tuple[int, int] | None = None,
    n_columns: int | None = None,
    order: Any = None,
) -> Axes:
    """Draw atoms as a mosaic of grey tiles; 0 is mid-grey in each.

    Every atom has a grey scale of its own, symmetric about 0 up to its largest magnitude, so that
    shapes can be compared whatever the norms.

    Parameters
    ----------
    dictionary : array-like of shape (n_atoms, n_features)
        Rows are atoms, read line by line.
    ax : matplotlib Axes, optional
        Where to draw; new axes by default.
    shape : (int, int), optional
        Height and width of an atom in pixels; square by default.
    n_columns : int, optional
        Atoms in a row; by default the mosaic comes out about square.
    order : array-like of int, optional
        Which atoms to draw, in this order; by default all as they stand.

    Returns
    -------
    matplotlib Axes
        With one image in it, one cell per pixel.

    Raises
    ------
    ValueError
        If the atoms do not have `shape` or are not square, or `order` names none or an atom that
        does not exist.

    Examples
    --------
    The 100 atoms that are used most::

        receptive_fields(dictionary, order=np.argsort(-code.to_scipy().mean(axis=0))[:100])
    """
    atoms = check_dictionary(dictionary)
    height, width = check_patch_shape(shape, atoms.shape[1], name="shape")
    atoms = atoms[_chosen(order, len(atoms))]
    mosaic = _Mosaic.of(len(atoms), (height, width), n_columns)
    pixels = np.full(mosaic.size, np.nan, np.float32)
    scaled = (atoms / np.abs(atoms).max(axis=1, keepdims=True)).reshape(-1, height, width)
    for tile, top, left in zip(scaled, mosaic.tops, mosaic.lefts):
        pixels[top : top + height, left : left + width] = tile
    ax = _axes(ax)
    image = ax.imshow(pixels, cmap="gray", vmin=-1, vmax=1, interpolation="nearest")
    image.cmap = image.get_cmap().with_extremes(bad=_PAPER)
    ax.set_axis_off()
    return ax


def gabor_ellipses(
    fits: GaborFits,
    ax: Axes | None = None,
    *,
    n_columns: int | None = None,
    order: Any = None,
    color: str = COLORS["l1"],
) -> Axes:
    """Draw fitted Gabors on the mosaic of :func:`receptive_fields`, as ellipses.

    The ellipse is where the envelope is at half its height; the line through its centre runs
    along the stripes. What lies outside of an atom's tile is left out.

    Parameters
    ----------
    fits : GaborFits
        One fit for each atom of the mosaic.
    ax : matplotlib Axes, optional
        Where the mosaic was drawn; new axes by default.
    n_columns : int, optional
        As given to :func:`receptive_fields`.
    order : array-like of int, optional
        As given to :func:`receptive_fields`: which fits to draw, in this order.
    color : str
        Colour of the lines.

    Returns
    -------
    matplotlib Axes
        With one more line.

    Raises
    ------
    TypeError
        If `fits` are not GaborFits.
    ValueError
        If `order` names no fit or one that does not exist.

    Examples
    --------
    The 25 atoms that are closest to Gabors::

        best = np.argsort(fits.error)[:25]
        gabor_ellipses(fits, receptive_fields(dictionary, order=best), order=best)
    """
    if not isinstance(fits, GaborFits):
        raise TypeError(f"fits must be GaborFits; got {type(fits).__name__}. Use fit_gabors.")
    height, width = fits.patch_shape
    chosen = _chosen(order, len(fits))
    mosaic = _Mosaic.of(chosen.size, fits.patch_shape, n_columns)
    around = np.linspace(0.0, 2.0 * np.pi, 73)
    # across and along the stripes, in units of the half-widths: once around, then from end to end
    outline = np.array(
        [[*np.cos(around), np.nan, 0.0, 0.0, np.nan], [*np.sin(around), np.nan, -1.0, 1.0, np.nan]]
    )
    half = sqrt(2.0 * np.log(2.0))
    across = half * fits.sigma_across[chosen, None] * outline[0]
    along = half * fits.sigma_along[chosen, None] * outline[1]
    angle = np.radians(fits.orientation[chosen, None])
    x = fits.x[chosen, None] + np.sin(angle) * across + np.cos(angle) * along
    y = fits.y[chosen, None] + np.cos(angle) * across - np.sin(angle) * along
    outside = (np.abs(2 * x - width + 1) > width) | (np.abs(2 * y - height + 1) > height)
    x[outside] = np.nan
    ax = _axes(ax)
    ax.plot(
        (mosaic.lefts[:, None] + x).ravel(), (mosaic.tops[:, None] + y).ravel(),
        color=color, linewidth=1.0,
    )  # fmt: skip
    ax.set(xlim=(-0.5, mosaic.size[1] - 0.5), ylim=(mosaic.size[0] - 0.5, -0.5), aspect="equal")
    ax.set_axis_off()
    return ax


class _Mosaic(NamedTuple):
    """Where the tiles of a mosaic stand."""

    size: tuple[int, int]
    tops: np.ndarray
    lefts: np.ndarray

    @classmethod
    def of(cls, n_tiles: int, shape: tuple[int, int], n_columns: int | None) -> _Mosaic:
        height, width = shape
        if n_columns is None:
            n_columns = max(1, min(n_tiles, ceil(sqrt(n_tiles * height / width))))
        n_columns = check_count("n_columns", n_columns)
        gap = max(1, min(height, width) // 12)
        rows, columns = np.divmod(np.arange(n_tiles), n_columns)
        n_rows = ceil(n_tiles / n_columns)
        return cls(
            (n_rows * (height + gap) - gap, n_columns * (width + gap) - gap),
            rows * (height + gap),
            columns * (width + gap),
        )


def _chosen(order: Any, n_atoms: int) -> np.ndarray:
    """Return the indices of the atoms to draw."""
    if order is None:
        return np.arange(n_atoms)
    chosen = np.asarray(order)
    if chosen.ndim != 1 or chosen.dtype.kind not in "iu" or not chosen.size:
        raise ValueError(f"order must list at least one atom by its index; got {order!r}.")
    if not 0 <= chosen.min() <= chosen.max() < n_atoms:
        raise ValueError(
            f"order must hold indices between 0 and {n_atoms - 1}; got {chosen.min()} to "
            f"{chosen.max()}."
        )
    return chosen


def tuning_curves(tuning: Tuning, ax: Axes | None = None, *, order: Any = None) -> Axes:
    """Draw responses to gratings against their orientation, relative to the largest of each unit.

    Parameters
    ----------
    tuning : Tuning
        What :func:`~sparsecode.receptive_fields.orientation_tuning` returns.
    ax : matplotlib Axes, optional
        Where to draw; new axes by default.
    order : array-like of int, optional
        Which units to draw, in this order; by default all as they stand.

    Returns
    -------
    matplotlib Axes
        With one line for each unit, labelled by its circular variance. A silent unit's line
        stays at 0.

    Raises
    ------
    TypeError
        If `tuning` is not a Tuning.
    ValueError
        If `order` names no unit or one that does not exist.

    Examples
    --------
    The sharpest unit and the broadest::

        variance = tuning.circular_variance
        tuning_curves(tuning, order=[np.nanargmin(variance), np.nanargmax(variance)]).legend()
    """
    if not isinstance(tuning, Tuning):
        raise TypeError(
            f"tuning must be a Tuning; got {type(tuning).__name__}. Use orientation_tuning."
        )
    chosen = _chosen(order, len(tuning))
    curves = tuning.responses[chosen]
    largest = curves.max(axis=1, keepdims=True)
    curves = curves / np.where(largest > 0.0, largest, 1.0)
    ax = _axes(ax)
    # the first orientation again, at the end of the circle
    orientations = np.append(tuning.orientations, 180.0)
    for curve, variance in zip(curves, tuning.circular_variance[chosen]):
        ax.plot(orientations, np.append(curve, curve[0]), label=f"CV {variance:.2f}")
    ax.set(
        xlabel="orientation (degrees)", ylabel="response relative to the largest",
        xlim=(0.0, 180.0), ylim=(0.0, 1.05), xticks=(0, 45, 90, 135, 180),
    )  # fmt: skip
    return ax


def codes_raster(code: SparseCode, ax: Axes | None = None, *, color: str = _INK) -> Axes:
    """Draw which units each sample uses: one dot for each active coefficient.

    Parameters
    ----------
    code : SparseCode of shape (n_samples, n_units)
        Real codes show magnitudes as the area of the dots.
    ax : matplotlib Axes, optional
        Where to draw; new axes by default.
    color : str
        Colour of the dots.

    Returns
    -------
    matplotlib Axes
        Samples run along x, units along y.

    Raises
    ------
    TypeError
        If `code` is not a SparseCode.
    """
    check_code("code", code)
    samples = np.repeat(np.arange(code.n_samples), code.n_active)
    areas: Any = 4.0
    if code.values is not None and code.nnz:
        areas = 12.0 * np.abs(code.values) / np.abs(code.values).max()
    ax = _axes(ax)
    ax.scatter(samples, code.indices, s=areas, color=color, linewidths=0)
    ax.set(
        xlim=(-0.5, max(code.n_samples, 1) - 0.5), ylim=(-0.5, code.n_units - 0.5),
        xlabel="sample", ylabel="unit",
    )  # fmt: skip
    return ax


def penalty_curves(
    functions: Mapping[str, Callable[[float], float]],
    ax: Axes | None = None,
    *,
    limit: float = 2.0,
    n_points: int = 401,
) -> Axes:
    """Draw functions of one coefficient: penalties, or their proximal operators.

    Parameters
    ----------
    functions : mapping of str to callable
        Label and function of one number. A label that is the name of a penalty takes its colour.
    ax : matplotlib Axes, optional
        Where to draw; new axes by default.
    limit : float, default=2.0
        Curves run from ``-limit`` to ``limit``.
    n_points : int, default=401
        Points on each curve, joined by straight lines: jumps are drawn as steep pieces.

    Returns
    -------
    matplotlib Axes
        With one line for each function, in the order given, and a legend.

    Raises
    ------
    ValueError
        If there is no function, or `limit` or `n_points` is out of range.

    Examples
    --------
    Value and proximal operator, from :mod:`sparsecode.penalties`::

        penalty_curves({"l1": lambda u: value(L1(0.5), u, 0)}, left)
        penalty_curves({"l1": lambda v: prox(L1(0.5), v, 1.0, 0)}, right)
    """
    limit = check_positive("limit", limit)
    n_points = check_count("n_points", n_points, minimum=3)
    if not functions:
        raise ValueError("functions must hold at least one function by its label; got none.")
    ax = _axes(ax)
    x = np.linspace(-limit, limit, n_points)
    for name, function in functions.items():
        y = np.array([float(function(number)) for number in x])
        ax.plot(x, y, label=name, color=COLORS.get(name))
    ax.axhline(0.0, color=_INK, linewidth=0.5, zorder=0)
    ax.axvline(0.0, color=_INK, linewidth=0.5, zorder=0)
    ax.set_xlim(-limit, limit)
    ax.legend()
    return ax


def mse_against_density(
    density: Any,
    mse: Any,
    ax: Axes | None = None,
    *,
    label: str | None = None,
    **style: Any,
) -> Axes:
    """Draw reconstruction error against the share of active coefficients: lower left is better.

    Parameters
    ----------
    density : array-like of shape (n_points,)
        Fraction of coefficients that are not 0, between 0 and 1; drawn in percent.
    mse : array-like of shape (n_points,)
        Mean squared error of each point, above 0; drawn on a logarithmic axis.
    ax : matplotlib Axes, optional
        Where to draw; new axes by default. Call again on the same axes for the next curve.
    label : str, optional
        Name in the legend. The name of a penalty takes its colour and marker.
    **style
        Further keywords of :meth:`matplotlib.axes.Axes.plot`.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        If `density` and `mse` are not of one length, or out of range.
    """
    density, mse = np.asarray(density, np.float64), np.asarray(mse, np.float64)
    if density.ndim != 1 or density.shape != mse.shape:
        raise ValueError(
            "density and mse must be one-dimensional and of one length; got shapes "
            f"{density.shape} and {mse.shape}."
        )
    if not (np.all((density >= 0) & (density <= 1)) and np.all((mse > 0) & (mse < np.inf))):
        raise ValueError("density must lie between 0 and 1, and mse must be finite and above 0.")
    order = np.argsort(density, kind="stable")
    ax = _axes(ax)
    ax.plot(100 * density[order], mse[order], label=label, **{**_style(label), **style})
    ax.set(xlabel="active coefficients (%)", ylabel="mean squared error", yscale="log")
    if label is not None:
        ax.legend()
    return ax
