"""``sparsecode encode``."""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from tqdm import tqdm

from sparsecode import datasets, penalties
from sparsecode._validation import check_count
from sparsecode.cli.sources import (
    Dictionary,
    check_output,
    draw,
    read_dictionary,
    read_source,
    tiles,
    whitened,
)
from sparsecode.core import SparseCode, reconstruct
from sparsecode.core.io import RowReader, save_code
from sparsecode.core.rng import Streams
from sparsecode.scale import encode_shards, open_rows
from sparsecode.scale.runners import connected
from sparsecode.solvers import SolverResult, alpha_for_density, omp
from sparsecode.solvers import encode as encode_batch

__all__ = ["run"]

#: Longest side of a picture, unless the dictionary says another.
MAX_SIDE = 1024


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
    if not arguments.output.suffix:
        return run_shards(arguments)
    for name in ("workers", "scheduler", "shard_size", "resume"):
        if getattr(arguments, name):
            raise ValueError(
                f"--{name.replace('_', '-')} goes with a folder of shards; got --output "
                f"{arguments.output.name}. Name a folder, without a suffix."
            )
    check_output(arguments.output, "--output", (".npz", ".safetensors"))
    check_count("--block-size", arguments.block_size)
    dictionary = read_dictionary(arguments.dictionary)
    if arguments.max_side is None:
        arguments.max_side = dictionary.notes.get("max_side", MAX_SIDE)
    source = read_source(arguments)
    if isinstance(source, datasets.ImageSet):
        source, shape = prepare(source, dictionary)
        n_samples = sum((i.shape[0] // shape[0]) * (i.shape[1] // shape[1]) for i in source)
        blocks = split(tiles(source, shape), arguments.block_size)
    else:
        shape, n_samples = None, len(source)
        blocks = split([fitting(source, dictionary)], arguments.block_size)
    encode = encoder(
        arguments, dictionary, partial(draw, source, shape, Streams(0)("tuning"), flat=True)
    )
    totals, folder = Totals(), arguments.output.resolve().parent
    with (
        tempfile.TemporaryFile(dir=folder) as indices,
        tempfile.TemporaryFile(dir=folder) as values,
        tqdm(total=n_samples, desc="encoding", unit=" samples", disable=arguments.quiet) as bar,
    ):
        spool = Spool(indices, values)
        for block in blocks:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                result = encode(block)
            spool.append(result.code)
            totals.add(block, result, dictionary.atoms)
            bar.update(len(block))
        code = spool.save(arguments.output, len(dictionary.atoms))
    print(f"{arguments.output}: {code!r}")
    print(totals)
    if totals.n_unconverged:
        warnings.warn(
            f"{totals.n_unconverged} of {totals.n_samples} samples did not converge; allow a "
            f"larger --tol.",
            ConvergenceWarning,
            stacklevel=1,
        )


def run_shards(arguments: argparse.Namespace) -> None:
    """Encode shard by shard, on workers if there are some, and keep each."""
    rows = open_rows(arguments.source)
    dictionary = read_dictionary(arguments.dictionary)
    chosen = encoder(arguments, dictionary, partial(_some_rows, rows))
    options = dict(chosen.keywords)
    penalty = options.pop("penalty", None)
    atoms, n_threads = options.pop("dictionary"), options.pop("n_threads")
    with connected(arguments.scheduler) as client:
        done = encode_shards(
            rows, atoms, arguments.output, solver=chosen.func, penalty=penalty,
            shard_rows=arguments.shard_size, n_workers=arguments.workers or 1, client=client,
            n_threads=n_threads, resume=arguments.resume, progress=not arguments.quiet, **options,
        )  # fmt: skip
    print(f"{arguments.output}: {done.codes!r}")
    print(
        f"{done.n_encoded} shards encoded, {done.n_skipped} done before; largest "
        f"{done.codes.certificate_name} {done.codes.certificate:.1e}; {done.n_unconverged} of "
        f"{len(done.codes)} samples did not converge"
    )


def _some_rows(rows: RowReader) -> np.ndarray:
    """Return up to 2,000 rows from all over, to tune a weight with."""
    chosen = np.unique(np.linspace(0, len(rows) - 1, 2000).astype(int))
    return np.concatenate([np.asarray(rows[i : i + 1], np.float64) for i in chosen.tolist()])


def fitting(source: np.ndarray, dictionary: Dictionary) -> np.ndarray:
    """Return samples that have the features of the atoms."""
    n_features = dictionary.atoms.shape[1]
    if source.shape[1] != n_features or not len(source):
        raise ValueError(
            f"the samples must have shape (n_samples, {n_features}), the dictionary's n_features, "
            f"and at least one row; got {source.shape}."
        )
    return source


def prepare(
    images: datasets.ImageSet, dictionary: Dictionary
) -> tuple[datasets.ImageSet, tuple[int, int]]:
    """Treat images as those were that the atoms were learned from; return the patches' shape."""
    shape = dictionary.notes.get("patch_shape") or _square(dictionary.atoms.shape[1])
    if dictionary.notes.get("whitened") and not images.whitened:
        images, _ = whitened(images, dictionary.notes.get("scale"))
    return images, (shape[0], shape[1])


def _square(n_features: int) -> tuple[int, int]:
    side = round(n_features**0.5)
    if side * side != n_features:
        raise ValueError(
            f"encoding pictures needs a dictionary of square patches, or one that `learn` wrote; "
            f"got atoms of {n_features} features."
        )
    return side, side


def split(arrays: Any, size: int) -> Iterator[np.ndarray]:
    """Yield blocks of rows."""
    for array in arrays:
        for first in range(0, len(array), size):
            yield np.asarray(array[first : first + size])


def encoder(
    arguments: argparse.Namespace, dictionary: Dictionary, sample: Callable[[], np.ndarray]
) -> partial[SolverResult]:
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
            sample(), atoms, struct, arguments.density, rtol=0.05, n_threads=arguments.threads
        )
        print(f"alpha {alpha:.4g} activates {100 * arguments.density:g} % of the atoms")
    if alpha is None:
        alpha = notes.get("alpha") if name == notes.get("penalty") else None
    if alpha is None:
        raise ValueError(f"the penalty {name} needs a weight; pass --alpha or --density.")
    return partial(
        encode_batch, dictionary=atoms, penalty=struct._replace(alpha=alpha), tol=arguments.tol,
        n_threads=arguments.threads,
    )  # fmt: skip


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
