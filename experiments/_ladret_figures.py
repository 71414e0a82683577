"""The figures of Ladret et al. 2023/24 from a record of `kernel-heterogeneity`, and the audit's."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.ticker import NullLocator

from experiments._framework import Record
from experiments._ladret import PAPER
from experiments._ladret_compare import LONG, Comparison
from experiments._ladret_measure import CONTROL, CUTOFFS, EDGES, FIXED, LEARNED, REFIT, fixed_bank
from sparsecode.plotting import receptive_fields

__all__ = [
    "banks",
    "coefficients",
    "draw",
    "orientation",
    "pictures",
    "pruning",
    "refitted",
    "scatter",
    "table",
]

#: Colour and marker of each dictionary.
STYLES = {
    "hom": ("#d55e00", "o"),
    "het": ("#0072b2", "s"),
    "hom-learned": ("#e69f00", "^"),
    "het-learned": ("#009e73", "v"),
    "noise-learned": ("#cc79a7", "D"),
    CONTROL: ("#5b6470", "x"),
}
#: Settings beside each other: name, title, and the settings to try for a dictionary.
SETTINGS = (
    ("100 iterations, as published", ("published",)),
    ("gap {gap:.1g}, published norms", ("certified",)),
    ("gap {gap:.1g}, unit norms", ("certified-unit", "certified")),
)
SMALL = "small"


def draw(record: Record, figure: Any) -> None:
    """Draw everything on one figure."""
    figure.set_size_inches(10.0, 16.0)
    parts = figure.subfigures(6, 1, height_ratios=(0.88, 1.1, 1.2, 0.75, 0.95, 0.95))
    banks(record, parts[0])
    pictures(record, parts[1])
    axes = parts[2].subplots(1, 3, sharex=True, sharey=True)
    for ax, (title, names) in zip(axes, SETTINGS):
        scatter(record, ax, names)
        ax.set_title(title.format(gap=largest_gap(record, names[0])))
    for ax in axes[1:]:
        ax.set_ylabel("")
    course(record, axes[0])
    frame(record, axes[0])
    axes[0].legend(fontsize="x-small", loc="upper left", handletextpad=0.2, borderpad=0.1)
    table(record, parts[3].subplots())
    left, centre, right = parts[4].subplots(1, 3)
    coefficients(record, left)
    pruning(record, centre, "psnr")
    pruning(record, right, "sparseness")
    left, centre, right = parts[5].subplots(1, 3)
    orientation(record, left)
    refitted(record, centre)
    counts(record, right)


def largest_gap(record: Record, setting: str) -> float:
    """Return the largest relative gap of the two banks in one setting."""
    compare = Comparison(record)
    return float(max(compare.values(name, setting, "gap").max() for name in FIXED))


def frame(record: Record, ax: Any) -> None:
    """Show all settings at one scale, and of the courses what lies within it."""
    drawn = ~np.char.startswith(record.table["setting"], "course")
    x = record.table["sparseness_kept"][drawn]
    y = record.table["psnr"][drawn & (record.table["alpha"] == record.table["alpha"].max())]
    ax.set_xlim(x.min() - 0.0005, x.max() + 0.0008)
    ax.set_ylim(y.min() - 2.0, y.max() + 3.0)


def banks(record: Record, figure: Any) -> None:
    """Draw the atoms of the two banks, and of what was learned from each start."""
    shown = {name: fixed_bank(name, "unit")[:, 0] for name in FIXED}
    shown |= {name: record.arrays[f"atoms-{name}"][:, 0].astype(np.float32) for name in LEARNED}
    for ax, (name, atoms) in zip(figure.subplots(1, len(shown)), shown.items()):
        receptive_fields(atoms.reshape(len(atoms), -1), ax, n_columns=12)
        ax.set_title(LONG[name], fontsize=SMALL)


def pictures(record: Record, figure: Any) -> None:
    """Draw a crop beside its reconstructions, and below them what is missing."""
    image = record.arrays["example"].astype(np.float64)
    columns = [
        (f"{LONG[name]},\n{label}", record.arrays[f"picture-{setting}-{name}"].astype(np.float64))
        for setting, label in (
            ("published", "100 iterations"),
            ("certified", f"gap {largest_gap(record, 'certified'):.1g}"),
        )
        for name in ("hom", "het", "het-learned")
    ]
    axes = figure.subplots(2, len(columns) + 1)
    limit = np.abs(image).max()
    for ax in axes.flat:
        ax.set_axis_off()
    shown = {"cmap": "gray", "vmin": -limit, "vmax": limit, "interpolation": "nearest"}
    axes[0, 0].imshow(image, **shown)
    axes[0, 0].set_title("crop,\nnormalised contrast", fontsize="x-small")
    axes[1, 0].text(
        0.5, 0.5, "what is missing,\nthree times as strong", ha="center", va="center",
        fontsize="x-small", transform=axes[1, 0].transAxes,
    )  # fmt: skip
    for pair, (title, picture) in zip(axes[:, 1:].T, columns):
        pair[0].imshow(picture, **shown)
        pair[0].set_title(title, fontsize="x-small")
        pair[1].imshow(3.0 * (image - picture), **shown)


def scatter(record: Record, ax: Any, settings: tuple[str, ...]) -> None:
    """Draw PSNR against sparseness, one point a crop, with medians."""
    compare = Comparison(record)
    for name, (color, marker) in STYLES.items():
        for setting in settings:
            sparseness, psnr = (
                compare.values(name, setting, column) for column in ("sparseness_kept", "psnr")
            )
            if not len(psnr):
                continue
            ax.plot(
                sparseness, psnr, marker, color=color, markersize=3, alpha=0.35, linestyle="none",
            )  # fmt: skip
            ax.plot(
                np.median(sparseness), np.median(psnr), marker, color=color, markersize=8,
                markeredgecolor="black" if marker == "x" else "white", linestyle="none",
                label=LONG[name],
            )  # fmt: skip
            break
    ax.axvline(1.0 - 1.0 / 144.0, color="0.6", linewidth=0.8, linestyle="--", zorder=0)
    ax.text(
        1.0 - 1.0 / 144.0, 0.03, "1 coefficient a pixel ", ha="right", fontsize="x-small",
        color="0.4", transform=ax.get_xaxis_transform(),
    )  # fmt: skip
    ax.set(xlabel="sparseness", ylabel="PSNR (dB)")
    ax.locator_params(axis="x", nbins=5)


def course(record: Record, ax: Any) -> None:
    """Draw how the two banks move over the plane as ADMM goes on, as arrows of medians."""
    compare = Comparison(record)
    for name in FIXED:
        crops = range(record.config.n_course)
        points = []
        for n in sorted({*record.config.course, 100}):
            setting = "published" if n == 100 else f"course-{n}"
            values = [
                compare.values(name, setting, column)[list(crops)]
                for column in ("sparseness_kept", "psnr")
            ]
            if len(values[0]):
                points.append([np.median(column) for column in values])
        if len(points) > 1:
            x, y = np.array(points).T
            ax.plot(x, y, "-", color=STYLES[name][0], linewidth=1.0, zorder=1)
            ax.annotate(
                "", (x[-1], y[-1]), (x[-2], y[-2]),
                arrowprops={"arrowstyle": "->", "color": STYLES[name][0]},
            )  # fmt: skip
            ax.text(
                x[-1], y[-1], f"{max(record.config.course)} iterations ", fontsize="x-small",
                color=STYLES[name][0], ha="right", clip_on=True,
            )  # fmt: skip


def table(record: Record, ax: Any) -> None:
    """Write the paper's table beside ours, in every setting."""
    compare, published = Comparison(record), PAPER["medians"].value
    rows = []
    for name, long in LONG.items():
        given = published.get(long)
        row = [f"{given['psnr']:.1f}  /  {given['sparseness']:.4f}" if given else "–"]
        for setting in ("published", "published-unit", "certified", "certified-unit"):
            zeros = "sparseness_kept" if setting.startswith("certified") else "sparseness"
            values = [compare.values(name, setting, column) for column in ("psnr", zeros)]
            psnr, sparseness = (np.median(v) if len(v) else np.nan for v in values)
            row.append(f"{psnr:.1f}  /  {sparseness:.4f}" if np.isfinite(psnr) else "–")
        rows.append(row)
    ax.set_axis_off()
    drawn = ax.table(
        rows, rowLabels=list(LONG.values()), loc="center", cellLoc="center", edges="horizontal",
        colLabels=[
            "paper", "100 iterations", "100, unit norms",
            f"gap {largest_gap(record, 'certified'):.1g}",
            f"gap {largest_gap(record, 'certified-unit'):.1g}, unit norms",
        ],
    )  # fmt: skip
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(8.5)
    drawn.scale(1.0, 1.25)
    for cell in drawn.get_celld().values():
        cell.set_edgecolor("#c9ced6")
    ax.set_title(
        f"Median PSNR (dB) / sparseness; the right two columns on {record.config.n_certified} of "
        f"{record.config.n_crops} crops",
    )  # fmt: skip


def coefficients(record: Record, ax: Any) -> None:
    """Draw the histograms of coefficients at the small alpha, with exponentials."""
    compare, centres = Comparison(record), 0.5 * (EDGES[1:] + EDGES[:-1])
    for name in FIXED:
        heights = compare.histogram(name, "small-alpha")
        a, b, explained = compare.exponential(name)
        color = STYLES[name][0]
        ax.stairs(
            np.maximum(heights, 0.5), EDGES, color=color,
            label=f"{LONG[name]}: b = {b:.2f}, R2 = {explained:.2f}",
        )  # fmt: skip
        ax.plot(centres, np.maximum(a * np.exp(-b * centres), 0.5), "--", color=color, linewidth=1)
    ax.set(yscale="log", xlabel="absolute coefficient", ylabel="number")
    ax.legend(fontsize="x-small")
    ax.set_title("coefficients, alpha 0.001")


def pruning(record: Record, ax: Any, what: str) -> None:
    """Draw what pruning does to the medians; the paper's values are crosses."""
    compare, column = Comparison(record), {"psnr": 0, "sparseness": 1}[what]
    given = PAPER["pruning"].value
    for name in (*FIXED, *LEARNED):
        color, marker = STYLES[name]
        curve = compare.pruned(name, "published")[:, column]
        ax.plot(CUTOFFS, curve, "-", marker=marker, color=color, markersize=4, linewidth=1.2)
        if LONG[name] in given:
            ax.plot(given["cutoffs"], given[LONG[name]][what], ":+", color=color, linewidth=0.9)
    ax.set(xlabel="cutoff", ylabel={"psnr": "PSNR (dB)", "sparseness": "sparseness"}[what])
    ax.set_title("pruned (+ paper)")


def orientation(record: Record, ax: Any) -> None:
    """Draw what part of the coefficients each orientation has, with the fit."""
    compare = Comparison(record)
    degrees, parts = compare.by_orientation("hom")
    fit, fine = compare.orientations("hom"), np.linspace(0.0, 180.0, 721)
    color = STYLES["hom"][0]
    ax.bar(degrees, 100.0 * parts, width=2.2, color=color, alpha=0.45, align="center")
    ax.plot(fine, 100.0 * fit(fine), color=color, linewidth=1.4)
    ax.set(xlabel="orientation of stripes (degrees)", ylabel="coefficients (%)", xlim=(-2, 182))
    ax.set_xticks([0, 45, 90, 135, 180])
    ax.set_title(f"peaks {fit.peak[0]:.0f} and {fit.peak[1]:.0f} degrees")


def refitted(record: Record, ax: Any) -> None:
    """Draw the bandwidths of the log-Gabors that describe learned atoms."""
    edges = np.linspace(5.0, 30.0, 11)
    for name in ("hom-learned", "het-learned", "noise-learned"):
        fits = dict(zip(REFIT, record.arrays[f"refit-{name}-0"]))
        heights = np.histogram(fits["orientation_bandwidth"], edges)[0]
        explained = np.median(fits["explained_variance"])
        ax.stairs(
            heights, edges, color=STYLES[name][0], label=f"{LONG[name]} (R2 {explained:.2f})",
        )  # fmt: skip
    ax.set(xlabel="fitted bandwidth (degrees)", ylabel="atoms")
    ax.set_ylim(top=1.35 * ax.get_ylim()[1])  # room for the legend
    ax.legend(fontsize="x-small", loc="upper center")
    ax.set_title("log-Gabors fitted to learned atoms")


def counts(record: Record, ax: Any) -> None:
    """Draw how many coefficients the codes still have, by number of iterations."""
    compare = Comparison(record)
    for name in FIXED:
        color, marker = STYLES[name]
        n, reached = [], []
        for iterations in sorted({*record.config.course, 100}):
            setting = "published" if iterations == 100 else f"course-{iterations}"
            values = compare.values(name, setting, "per_pixel")[: record.config.n_course or None]
            if len(values):
                n.append(iterations)
                reached.append(np.median(values))
        ax.plot(n, reached, "-", color=color, marker=marker, label=LONG[name])
    ax.axhline(1.0, color="0.6", linewidth=0.8, linestyle="--", zorder=0)
    ax.set(xscale="log", xlabel="iterations of ADMM", ylabel="coefficients a pixel")
    ax.set_xticks(n, [f"{each}" for each in n])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.legend(fontsize="x-small")
    ax.set_title("an optimal code has at most 1")
