"""``sparsecode learn``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from sparsecode import datasets, learning, penalties
from sparsecode._validation import check_count, warn_of_few_samples
from sparsecode.cli.sources import check_output, draw, read_source, take, whitened
from sparsecode.core.io import save_arrays
from sparsecode.core.rng import Streams
from sparsecode.solvers import alpha_for_density, encode

__all__ = ["run"]

#: Batches of each of the two short runs between which it is.
N_SHORT = 30
#: Accepted relative deviation of the density that was asked for.
RTOL = 0.05


def run(arguments: argparse.Namespace) -> None:
    """Learn a dictionary and write it, with all that a user of it must know."""
    check(arguments)
    source = read_source(arguments)
    notes: dict[str, Any] = {"kind": "dictionary", "source": arguments.source.name}
    if isinstance(source, datasets.ImageSet):
        source = prepare(source, arguments, notes)
    elif not source.size:
        raise ValueError(f"the samples must hold numbers to learn from; got shape {source.shape}.")
    else:
        warn_of_few_samples(len(source), arguments.n_atoms, stacklevel=1)
    streams = Streams(arguments.seed)
    learner: Any = learning.online if arguments.method == "online" else learning.olshausen_field
    fit = partial(learner, constraint=arguments.constraint, n_threads=arguments.threads)
    struct, atoms = penalties.make(arguments.penalty), arguments.n_atoms
    if arguments.alpha is None:
        struct, atoms = tune(source, struct, fit, streams, arguments)
    else:
        struct = struct._replace(alpha=arguments.alpha)
    result = fit(
        stream(source, streams, arguments), atoms, struct, n_batches=arguments.n_batches,
        rng=streams("learning"), progress=not arguments.quiet, checkpoint=arguments.checkpoint,
    )  # fmt: skip
    last = slice(-max(1, arguments.n_batches // 10), None)
    mse, density = (float(result.history[name][last].mean()) for name in ("mse", "density"))
    notes |= {
        "penalty": arguments.penalty,
        "alpha": float(struct.alpha),
        "method": arguments.method,
        "constraint": arguments.constraint,
        "n_batches": arguments.n_batches,
        "batch_size": arguments.batch_size,
        "seed": arguments.seed,
        "mse": mse,
        "density": density,
    }
    save_arrays(arguments.output, {"dictionary": result.dictionary}, notes)
    print(
        f"{arguments.output}: {len(result.dictionary)} atoms of {result.dictionary.shape[1]} "
        f"features; {arguments.penalty}, alpha {struct.alpha:.4g}, {100 * density:.2g} % active, "
        f"mean squared error {mse:.4g} in the last batches"
    )


def check(arguments: argparse.Namespace) -> None:
    """Refuse what cannot work before anything is read."""
    for option in ("n_atoms", "patch_size", "n_batches", "batch_size"):
        check_count(f"--{option.replace('_', '-')}", getattr(arguments, option))
    check_output(arguments.output, "--output", (".safetensors", ".npz"))
    if arguments.checkpoint is not None:
        check_output(arguments.checkpoint, "--checkpoint", (".safetensors",))
        if arguments.checkpoint.resolve() == arguments.output.resolve():
            raise ValueError(
                f"--checkpoint must be another file than --output; got {arguments.output} for both."
            )


def prepare(
    images: datasets.ImageSet, arguments: argparse.Namespace, notes: dict[str, Any]
) -> datasets.ImageSet:
    """Whiten images if asked to, and note how patches are to be cut and made."""
    photographs = arguments.source.is_dir() or images.credits[0] == f"the file {images.names[0]}"
    wanted = arguments.whiten == "yes" or (arguments.whiten == "auto" and photographs)
    notes |= {"patch_shape": [arguments.patch_size] * 2, "whitened": wanted or images.whitened}
    if photographs:
        notes["max_side"] = arguments.max_side
    if wanted:
        images, notes["scale"] = whitened(images)
    return images


def stream(source: Any, streams: Streams, arguments: argparse.Namespace) -> Iterator[np.ndarray]:
    """Yield batches of patches, or of samples in a new order at each pass, without end."""
    if isinstance(source, datasets.ImageSet):
        return datasets.patch_batches(
            source, arguments.batch_size, size=arguments.patch_size, rng=streams("patches"),
            dtype=np.float32,
        )  # fmt: skip
    return shuffled(source, arguments.batch_size, streams("order"))


def shuffled(source: np.ndarray, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield whole batches of rows; those of a file on disk are read as they are drawn."""
    size = min(size, len(source))
    while True:
        order = rng.permutation(len(source))
        for first in range(0, len(source) - size + 1, size):
            yield take(source, order[first : first + size])


def tune(
    source: Any, struct: Any, fit: Any, streams: Streams, arguments: argparse.Namespace
) -> tuple[Any, np.ndarray]:
    """Find the weight that gives the wanted density, on atoms that short runs have shaped."""
    sample = draw(source, arguments.patch_size, streams("tuning"), flat=False)
    weight = partial(
        alpha_for_density, sample, penalty=struct, rtol=RTOL, solver=partial(encode, tol=1e-4),
        density=0.02 if arguments.density is None else arguments.density,
        n_threads=arguments.threads,
    )  # fmt: skip
    rng = streams("tuning-atoms")
    atoms = rng.standard_normal((arguments.n_atoms, sample.shape[1])).astype(sample.dtype)
    for _ in range(2):
        struct = struct._replace(alpha=weight(atoms))
        batches = stream(source, streams, arguments)
        atoms = fit(batches, atoms, struct, n_batches=N_SHORT, rng=rng).dictionary
    return struct._replace(alpha=weight(atoms)), atoms
