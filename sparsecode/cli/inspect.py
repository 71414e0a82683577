"""``sparsecode inspect``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from sparsecode.cli.sources import check_output, read_array, read_dictionary, read_notes
from sparsecode.core import SparseCode, coherence, measures
from sparsecode.core.io import atomic_path, load_code

__all__ = ["run"]

#: Rows on which measures are taken.
N_MEASURED = 10_000
#: Atoms or codes that a picture shows.
N_DRAWN = 256


def run(arguments: argparse.Namespace) -> None:
    """Say what a file holds, and draw it if asked to."""
    path: Path = arguments.source
    if arguments.plot is not None:
        check_output(arguments.plot, "--plot", (".png", ".pdf", ".svg"))
    if not path.is_file():
        raise FileNotFoundError(f"{path} must be a file; there is none.")
    notes = read_notes(path)
    if notes.get("kind") == "SparseCode":
        show_code(load_code(path), arguments)
    elif notes.get("kind") == "dictionary":
        show_dictionary(read_dictionary(path).atoms, notes, arguments)
    else:
        show_array(read_array(path, key=arguments.key), arguments)


def show_dictionary(atoms: np.ndarray, notes: dict[str, Any], arguments: Any) -> None:
    """Say how many atoms there are, how much alike, and how they were learned."""
    print(f"dictionary: {atoms.shape[0]} atoms of {atoms.shape[1]} features, {atoms.dtype}")
    norms = np.linalg.norm(atoms, axis=1)
    print(f"norms: {norms.min():.4g} to {norms.max():.4g}")
    if len(atoms) > 1 and norms.min() > 0:
        print(f"coherence: {coherence(atoms):.4g}")
    for name, value in notes.items():
        if name != "kind" and value is not None:
            print(f"{name.replace('_', ' ')}: {value}")
    if arguments.plot is not None:
        draw_atoms(atoms, notes.get("patch_shape"), arguments.plot)


def show_code(code: SparseCode, arguments: Any) -> None:
    """Say how sparse the codes are, by every measure."""
    print(repr(code))
    active = code.n_active
    if len(active):
        print(
            f"active units per sample: {active.min()} to {active.max()}, mean {active.mean():.4g}"
        )
    show_measures(code[:N_MEASURED])
    if arguments.plot is not None:
        from sparsecode.plotting import codes_raster

        draw(lambda ax: codes_raster(code[:N_DRAWN], ax), arguments.plot)


def show_array(array: np.ndarray, arguments: Any) -> None:
    """Say what an array holds; two dimensions are also measured as activations."""
    print(f"array: shape {array.shape}, {array.dtype}")
    if array.size:
        part = np.asarray(array[:N_MEASURED])
        print(f"values: {part.min():.4g} to {part.max():.4g}, mean {part.mean():.4g}")
        print(f"density: {np.count_nonzero(part) / part.size:.4g}")
    if array.ndim == 2 and array.size:
        show_measures(np.asarray(array[:N_MEASURED], dtype=np.float64))
    if arguments.plot is not None:
        if array.ndim != 2:
            raise ValueError(f"--plot needs atoms as rows, 2-D; got shape {array.shape}.")
        draw_atoms(np.asarray(array[:N_DRAWN]), None, arguments.plot)


def show_measures(activations: Any) -> None:
    """Print the medians of every measure of sparseness."""
    print(f"{'median of':22}{'population':>12}{'lifetime':>12}")
    for name, values in measures.summary(activations).items():
        print(f"{name.replace('_', ' '):22}{values['population']:12.4g}{values['lifetime']:12.4g}")


def draw_atoms(atoms: np.ndarray, shape: Any, path: Path) -> None:
    from sparsecode.plotting import receptive_fields

    shape = None if shape is None else tuple(shape)
    draw(lambda ax: receptive_fields(atoms[:N_DRAWN], ax, shape=shape), path)


def draw(plot: Any, path: Path) -> None:
    """Write a picture of what `plot` draws, atomically."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7.0, 7.0), layout="constrained")
    plot(ax)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150)
    plt.close(figure)
    print(path)
