"""The figures of Rentzeperis et al. 2023 from a record of `v1-penalties`, and the audit's."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.ticker import NullLocator

from experiments._framework import Record
from experiments._v1_claims import GABOR_ERROR, error_at, gabor, sizes
from experiments._v1_measure import HYSTERESIS
from sparsecode.plotting import COLORS, MARKERS, mse_against_density, receptive_fields

__all__ = [
    "audit",
    "circular_variance",
    "draw",
    "error_against_activity",
    "error_against_atoms",
    "fields",
    "gabor_shapes",
    "hysteresis",
]

#: Line styles of the protocols that the audit adds for one penalty.
AUDITED = (
    ("l1", "debiased", "l1, debiased", ":"),
    ("l0", "step 1/L", "l0, steps 1/L", "--"),
    ("l0", "lca", "l0, LCA", ":"),
)


def draw(record: Record, figure: Any) -> None:
    """Draw everything on one figure."""
    figure.set_size_inches(10.0, 12.6)
    top, middle, low, bottom = figure.subfigures(4, 1, height_ratios=(1.0, 1.0, 1.0, 1.0))
    fields(record, top)
    left, centre, right = middle.subplots(1, 3)
    n_atoms = record.config.n_atoms[0]
    error_against_activity(record, left, n_atoms=n_atoms, protocol="published")
    left.set_title(f"as published, {n_atoms:,} atoms")
    error_against_activity(record, centre, n_atoms=n_atoms, protocol="certified")
    centre.set_title("every code certified")
    low_, high = (f(a.get_ylim()[i] for a in (left, centre)) for i, f in ((0, min), (1, max)))
    for ax in (left, centre):
        ax.set_ylim(low_, high)
    audit(record, right, n_atoms=n_atoms)
    right.set_title("what becomes of l1 and l0")
    left, centre, right = low.subplots(1, 3)
    error_against_atoms(record, left, protocol="published")
    left.set_title("as published")
    error_against_atoms(record, centre, protocol="certified")
    centre.set_title("every code certified")
    hysteresis(record, right)
    right.set_title("fixed points at every step")
    left, centre, right = bottom.subplots(1, 3)
    circular_variance(record, left, name="cel0")
    left.set_title("tuning, cel0")
    circular_variance(record, centre, name="l1")
    centre.set_title("tuning, l1")
    gabor_shapes(record, right)
    right.set_title(f"Gabor fits, {n_atoms:,} atoms")


def fields(record: Record, figure: Any, *, n_atoms: int | None = None) -> None:
    """Draw the busiest atoms of each penalty."""
    n_atoms = record.config.n_atoms[0] if n_atoms is None else n_atoms
    names, learned = record.config.penalties, record.config.learned_from[0]
    for ax, name in zip(np.atleast_1d(figure.subplots(1, len(names))), names):
        atoms = record.arrays[f"atoms-{learned}-{name}-{n_atoms}"]
        receptive_fields(atoms, ax, n_columns=6)
        ax.set_title(f"{name}, {n_atoms:,} atoms: the busiest", fontsize="small")


def error_against_activity(
    record: Record, ax: Any, *, n_atoms: int, protocol: str, learned: str | None = None
) -> None:
    """Draw the sweep of alpha for each penalty."""
    learned = record.config.learned_from[0] if learned is None else learned
    for name in record.config.penalties:
        rows = record.table.where(penalty=name, n_atoms=n_atoms, learned=learned, protocol=protocol)
        mse_against_density(rows["density"], rows["mse"], ax, label=name)
    ax.axvline(100 * record.config.density, color="0.6", linewidth=0.8, zorder=0)


def audit(record: Record, ax: Any, *, n_atoms: int) -> None:
    """Draw l1 debiased on its support, and l0 by other solvers, between certified l1 and CEL0."""
    learned = record.config.learned_from[0]
    where = {"n_atoms": n_atoms, "learned": learned}
    for name in ("l1", "cel0"):
        rows = record.table.where(penalty=name, protocol="certified", **where)
        if rows.n_rows:
            mse_against_density(rows["density"], rows["mse"], ax, label=name)
    for name, protocol, label, style in AUDITED:
        rows = record.table.where(penalty=name, protocol=protocol, **where)
        if rows.n_rows:
            mse_against_density(
                rows["density"], rows["mse"], ax, label=label, color=COLORS[name],
                linestyle=style, marker=MARKERS[name], markerfacecolor="white",
            )  # fmt: skip
    ax.axvline(100 * record.config.density, color="0.6", linewidth=0.8, zorder=0)


def error_against_atoms(record: Record, ax: Any, *, protocol: str) -> None:
    """Draw the error at equal activity against the size of the dictionary, as in Fig. 3."""
    for learned, style in zip(record.config.learned_from, ("-", "--")):
        tested = sizes(record, learned)
        for name in record.config.penalties:
            errors = [error_at(record, name, n_atoms, protocol, learned) for n_atoms in tested]
            first = learned == record.config.learned_from[0]
            ax.plot(
                tested, errors, style, color=COLORS[name], marker=MARKERS[name],
                label=name if first else None, markerfacecolor=COLORS[name] if first else "white",
            )  # fmt: skip
    ax.set(
        xscale="log", yscale="log", xlabel="atoms",
        ylabel=f"mean squared error at {100 * record.config.density:g} % active",
    )  # fmt: skip
    ax.set_xticks(record.config.n_atoms, [f"{n:,}" for n in record.config.n_atoms])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.legend(loc="lower left")


def circular_variance(record: Record, ax: Any, *, name: str) -> None:
    """Draw how broadly atoms are tuned, for each size of the dictionary, as in Fig. 4."""
    learned, edges = record.config.learned_from[0], np.linspace(0.0, 1.0, 26)
    shades = np.linspace(0.35, 1.0, len(record.config.n_atoms))
    for n_atoms, shade in zip(record.config.n_atoms, shades):
        values = record.arrays[f"linear_tuning-{learned}-{name}-{n_atoms}"]
        heights = np.histogram(values, edges, density=True)[0]
        ax.stairs(heights, edges, color=COLORS[name], alpha=shade, label=f"{n_atoms:,}")
    ax.set(xlabel="circular variance of orientation tuning", ylabel="density of atoms")
    ax.legend(title="atoms", loc="upper left", handlelength=0.8)


def gabor_shapes(record: Record, ax: Any) -> None:
    """Draw the widths of the Gabor envelopes in cycles, along the wave and across it."""
    n_atoms, learned = record.config.n_atoms[0], record.config.learned_from[0]
    for name in record.config.penalties:
        fit = gabor(record, name, n_atoms, learned)
        good = (fit["error"] < GABOR_ERROR) & (fit["at_limit"] == 0)
        ax.plot(
            fit["n_x"][good], fit["n_y"][good], linestyle="", marker=MARKERS[name],
            color=COLORS[name], markersize=2.5, alpha=0.6, label=name,
        )  # fmt: skip
    ax.set(xlabel="width along the wave (cycles)", ylabel="width across it (cycles)")
    ax.set(xlim=(0.0, 1.5), ylim=(0.0, 2.0))
    ax.legend(markerscale=2.0)


def hysteresis(record: Record, ax: Any) -> None:
    """Draw the error of l0 and CEL0 at equal activity against the step of the solver."""
    for name in ("l0", "cel0"):
        rows = dict(zip(HYSTERESIS, record.arrays[f"hysteresis-{name}"].T))
        ax.plot(rows["step"], rows["mse"], color=COLORS[name], marker=MARKERS[name], label=name)
    ax.set(xscale="log", xlabel="step (longest: 1 / L)", ylabel="mean squared error")
    ax.legend()
