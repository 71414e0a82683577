"""``sparsecode encode``."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np
from tqdm import tqdm

from sparsecode import datasets, penalties
from sparsecode.cli.sources import Dictionary, check_output, read_dictionary, read_source, tiles
from sparsecode.core import SparseCode, reconstruct
from sparsecode.core.io import save_code
from sparsecode.solvers import SolverResult, alpha_for_density, cd, omp

__all__ = ["run"]


class Spool:
    """Rows of codes on disk, in files that have no name and vanish with the process."""

    def __init__(self, indices: IO[bytes], values: IO[bytes]) -> None:
        self.files = {"indices": indices, "values": values}
        self.dtypes: dict[str, np.dtype] = {}
        self.counts = [np.zeros(1, np.int64)]

    def append(self, code: SparseCode) -> None:
        self.counts.append(np.diff(code.indptr))
        for name, file in self.files.items():
            array = getattr(code, name)
            self.dtypes[name] = array.dtype
            file.write(array.tobytes())

    def save(self, path: Path, n_atoms: int) -> SparseCode:
        """Write the codes to `path`, atomically, without holding them in memory."""
        mapped = {}
        for name, file in self.files.items():
            file.flush()
            dtype = self.dtypes[name]
            mapped[name] = np.memmap(file, dtype, "r") if file.tell() else np.zeros(0, dtype)
        indptr = np.cumsum(np.concatenate(self.counts))
        code = SparseCode._trusted(indptr, mapped["indices"], mapped["values"], (n_atoms,))
        save_code(path, code)
        return code


def run(arguments: argparse.Namespace) -> None:
    """Encode block by block and write the codes."""
    check_output(arguments.output, "--output", (".npz", ".safetensors"))
    if arguments.block_size < 1:
        raise ValueError(f"--block-size must be at least 1; got {arguments.block_size}.")
    dictionary = read_dictionary(arguments.dictionary)
    source = read_source(arguments)
    blocks, n_samples = cut(source, dictionary, arguments.block_size)
    first = next(blocks)
    encode = encoder(arguments, dictionary, first)
    totals, folder = Totals(), arguments.output.resolve().parent
    with (
        tempfile.TemporaryFile(dir=folder) as indices,
        tempfile.TemporaryFile(dir=folder) as values,
    ):
        spool = Spool(indices, values)
        for block in progress([first], blocks, n_samples, arguments):
            result = encode(block)
            spool.append(result.code)
            totals.add(block, result, dictionary.atoms)
        code = spool.save(arguments.output, len(dictionary.atoms))
        print(f"{arguments.output}: {code!r}")
    print(totals)


def cut(
    source: np.ndarray | datasets.ImageSet, dictionary: Dictionary, size: int
) -> tuple[Iterator[np.ndarray], int]:
    """Return blocks of samples, and how many samples there are in all."""
    n_features = dictionary.atoms.shape[1]
    if isinstance(source, datasets.ImageSet):
        shape = dictionary.notes.get("patch_shape") or _square(n_features)
        if shape[0] * shape[1] != n_features:
            raise ValueError(
                f"the dictionary's atoms must have the pixels of its patches, {shape[0]} x "
                f"{shape[1]}; got {n_features} features."
            )
        if dictionary.notes.get("whitened"):
            source = datasets.whiten(source)
        total = sum((i.shape[0] // shape[0]) * (i.shape[1] // shape[1]) for i in source)
        return _split(tiles(source, (shape[0], shape[1])), size), total
    if source.shape[1] != n_features or not len(source):
        raise ValueError(
            f"the samples must have shape (n_samples, {n_features}), the dictionary's n_features, "
            f"and at least one row; got {source.shape}."
        )
    return _split([source], size), len(source)


def _square(n_features: int) -> tuple[int, int]:
    side = round(n_features**0.5)
    if side * side != n_features:
        raise ValueError(
            f"encoding pictures needs a dictionary of square patches, or one that `learn` wrote; "
            f"got atoms of {n_features} features."
        )
    return side, side


def _split(arrays: Any, size: int) -> Iterator[np.ndarray]:
    for array in arrays:
        for first in range(0, len(array), size):
            yield np.asarray(array[first : first + size])


def encoder(
    arguments: argparse.Namespace, dictionary: Dictionary, sample: np.ndarray
) -> Callable[[np.ndarray], SolverResult]:
    """Return what encodes a block, from the arguments or from the notes of the dictionary."""
    atoms, notes = dictionary
    if arguments.n_nonzero is not None:
        if arguments.penalty or arguments.alpha is not None or arguments.density is not None:
            raise ValueError("--n-nonzero takes no penalty; leave out --penalty and its weight.")
        return partial(
            omp, dictionary=atoms, n_nonzero=arguments.n_nonzero, n_threads=arguments.threads
        )
    name, alpha = arguments.penalty or notes.get("penalty"), arguments.alpha
    if name is None:
        raise ValueError(
            f"{arguments.dictionary.name} names no penalty; pass --penalty and --alpha or "
            f"--density, or --n-nonzero."
        )
    struct = penalties.make(name)
    if arguments.density is not None:
        alpha = alpha_for_density(
            sample[:1000], atoms, struct, arguments.density, rtol=0.05, n_threads=arguments.threads
        )
        print(f"alpha {alpha:.4g} activates {100 * arguments.density:g} % of the atoms")
    if alpha is None:
        alpha = notes.get("alpha") if name == notes.get("penalty") else None
    if alpha is None:
        raise ValueError(f"the penalty {name} needs a weight; pass --alpha or --density.")
    return partial(
        cd, dictionary=atoms, penalty=struct._replace(alpha=alpha), tol=arguments.tol,
        n_threads=arguments.threads,
    )  # fmt: skip


def progress(
    first: list[np.ndarray], rest: Iterator[np.ndarray], total: int, arguments: argparse.Namespace
) -> Iterator[np.ndarray]:
    """Yield all blocks, with a bar that counts samples."""
    with tqdm(total=total, desc="encoding", unit=" samples", disable=arguments.quiet) as bar:
        for block in chain(first, rest):
            yield block
            bar.update(len(block))


class Totals:
    """What is said of the codes at the end."""

    def __init__(self) -> None:
        self.n_samples = self.n_unconverged = 0
        self.squared_error = self.energy = self.certificate = 0.0
        self.name = ""

    def add(self, X: np.ndarray, result: SolverResult, atoms: np.ndarray) -> None:
        residuals = X - reconstruct(result.code, atoms)
        self.n_samples += len(X)
        self.n_unconverged += int((~result.converged).sum())
        self.squared_error += float(np.sum(np.square(residuals), dtype=np.float64))
        self.energy += float(np.sum(np.square(X), dtype=np.float64))
        self.certificate = max(self.certificate, float(result.certificate.max(initial=0.0)))
        self.name = result.certificate_name

    def __str__(self) -> str:
        share = 1.0 - self.squared_error / self.energy if self.energy else 0.0
        return (
            f"{100 * share:.1f} % of the energy explained; largest {self.name} "
            f"{self.certificate:.1e}; {self.n_unconverged} of {self.n_samples} samples did not "
            f"converge"
        )
