"""What the commands read: pictures, arrays, dictionaries."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sparsecode.core.io import load_arrays, load_metadata, map_npy
from sparsecode.datasets import (
    ImageSet,
    extract_patches,
    load_images,
    load_olshausen_field,
    whiten,
)
from sparsecode.datasets.folders import IMAGE_SUFFIXES

__all__ = [
    "Dictionary",
    "check_output",
    "draw",
    "read_array",
    "read_dictionary",
    "read_notes",
    "read_source",
    "take",
    "tiles",
    "whitened",
]

#: Samples on which the weight of a penalty is tuned.
N_TUNED = 1000
_OLSHAUSEN_FIELD = ("olshausen_field_1996.npz", "IMAGES.mat")
_ARRAYS = (".npy", ".npz", ".safetensors")


class Dictionary(NamedTuple):
    """Atoms, and what `learn` noted beside them."""

    atoms: np.ndarray
    notes: dict[str, Any]


def read_source(given: argparse.Namespace) -> np.ndarray | ImageSet:
    """Return samples of shape (n_samples, n_features), mapped where they can be, or images."""
    path: Path = given.source
    if not path.exists():
        raise FileNotFoundError(f"{path} must be a file or a folder; there is none.")
    if path.name in _OLSHAUSEN_FIELD:
        return load_olshausen_field(data_dir=path.parent, sha256=given.sha256)
    if path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES:
        return load_images(path, max_side=given.max_side)
    array = read_array(path, key=given.key)
    if array.ndim == 3:
        names = tuple(f"{path.stem}-{i}" for i in range(len(array)))
        return ImageSet(names, tuple(array), (f"the file {path.name}",) * len(array))
    if array.ndim != 2:
        raise ValueError(
            f"{path.name} must hold samples (n_samples, n_features) or images (n_images, height, "
            f"width); got shape {array.shape}."
        )
    return array


def read_array(path: Path, *, key: str | None = None) -> np.ndarray:
    """Return one array of numbers of a file; that of an .npy file stays on disk."""
    if path.suffix not in _ARRAYS:
        raise ValueError(
            f"{path.name} must end in {', '.join(_ARRAYS)}, or be a picture or a folder of them."
        )
    if path.suffix != ".npy":
        arrays = load_arrays(path, checksum=False)
        array = arrays[_chosen(path, list(arrays), key)]
    else:
        array = map_npy(path)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{path.name} must hold real numbers; got dtype {array.dtype}.")
    return array


def _chosen(path: Path, names: list[str], key: str | None) -> str:
    if key is None and len(names) == 1:
        return names[0]
    if key in names:
        return str(key)
    listed = ", ".join(names) or "none"
    if key is None:
        raise ValueError(f"{path.name} holds several arrays; name one with --key: {listed}.")
    raise ValueError(f"{path.name} holds no array {key!r}; it holds {listed}.")


def read_dictionary(path: Path) -> Dictionary:
    """Return the atoms of a file, with the notes of `learn` if it wrote it."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} must be a dictionary; there is no such file.")
    atoms, notes = read_array(path), read_notes(path)
    if atoms.ndim != 2:
        raise ValueError(
            f"{path.name} must hold atoms of shape (n_atoms, n_features); got shape {atoms.shape}."
        )
    if atoms.dtype not in (np.float32, np.float64):
        atoms = atoms.astype(np.float64)
    shape = notes.get("patch_shape")
    if shape is not None and not (
        isinstance(shape, list)
        and len(shape) == 2
        and all(type(side) is int and side > 0 for side in shape)
        and shape[0] * shape[1] == atoms.shape[1]
    ):
        raise ValueError(
            f"{path.name} must note a patch_shape [height, width] of its {atoms.shape[1]} "
            f"features; got {shape!r}."
        )
    return Dictionary(np.asarray(atoms), notes)


def read_notes(path: Path) -> dict[str, Any]:
    """Return what is noted beside the arrays of a file, nothing if it comes from elsewhere."""
    known = path.suffix in _ARRAYS and path.suffix != ".npy"
    notes = load_metadata(path, checksum=False) if known else None
    return notes if isinstance(notes, dict) else {}


def check_output(path: Path, option: str, suffixes: tuple[str, ...]) -> None:
    """Refuse, before any work, a path that cannot be written to."""
    if path.suffix not in suffixes:
        raise ValueError(f"{option} must end in {' or '.join(suffixes)}; got {path.name}.")
    if not path.resolve().parent.is_dir():
        raise FileNotFoundError(f"the folder of {path} must exist; there is none.")


def whitened(images: ImageSet, scale: float | None = None) -> tuple[ImageSet, float]:
    """Whiten images and scale them, by default to a mean variance of 0.1; return the scale too.

    With the scale of a dictionary's images any others are treated as those were.
    """
    filtered = whiten(images, variance=None)
    if scale is None:
        mean = np.mean([image.var(dtype=np.float64) for image in filtered])
        scale = float(np.sqrt(0.1 / mean))
    scaled = tuple((scale * image).astype(image.dtype) for image in filtered)
    return ImageSet(filtered.names, scaled, filtered.credits, whitened=True), scale


def draw(
    source: np.ndarray | ImageSet, shape: Any, rng: np.random.Generator, *, flat: bool
) -> np.ndarray:
    """Draw samples to tune a weight on: rows, or patches of images, flat ones too or not."""
    if isinstance(source, ImageSet):
        return extract_patches(
            source, shape, n_patches=N_TUNED, rng=rng, min_contrast=0.0 if flat else 0.01,
            dtype=np.float32,
        )  # fmt: skip
    return take(source, np.sort(rng.permutation(len(source))[:N_TUNED]))


def take(source: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return some rows as floats; those of a file on disk are read now."""
    dtype = source.dtype if source.dtype in (np.float32, np.float64) else np.float64
    return np.asarray(source[rows], dtype=dtype)


def tiles(images: ImageSet, shape: tuple[int, int]) -> Iterator[np.ndarray]:
    """Yield, image by image, the patches of its grid, row by row, each without its mean."""
    height, width = shape
    for name, image in zip(images.names, images):
        rows, columns = image.shape[0] // height, image.shape[1] // width
        if not rows * columns:
            raise ValueError(
                f"every image must hold a patch of {height} x {width} pixels, the dictionary's; "
                f"image {name!r} has shape {image.shape}."
            )
        cut = image[: rows * height, : columns * width]
        grid = cut.reshape(rows, height, columns, width).swapaxes(1, 2)
        patches = grid.reshape(rows * columns, height * width)
        yield patches - patches.mean(axis=1, keepdims=True)
