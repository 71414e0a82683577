"""``sparsecode learn``."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

import numpy as np

from sparsecode import datasets, learning, penalties
from sparsecode.cli.sources import check_output, read_source
from sparsecode.core.io import save_arrays
from sparsecode.core.rng import Streams
from sparsecode.solvers import alpha_for_density, cd

__all__ = ["run"]

#: Samples on which the weight of the penalty is tuned.
N_TUNED = 1000
#: Accepted relative deviation of the density that was asked for.
RTOL = 0.05


def run(arguments: argparse.Namespace) -> None:
    """Learn a dictionary and write it, with all that a user of it must know."""
    if arguments.n_atoms < 1:
        raise ValueError(f"--n-atoms must be at least 1; got {arguments.n_atoms}.")
    check_output(arguments.output, "--output", (".safetensors", ".npz"))
    source = read_source(arguments)
    notes: dict[str, Any] = {"kind": "dictionary", "source": arguments.source.name}
    if isinstance(source, datasets.ImageSet):
        source = prepare(source, arguments, notes)
    streams = Streams(arguments.seed)
    sample = draw(source, streams, arguments)
    learner: Any = learning.online if arguments.method == "online" else learning.olshausen_field
    fit = partial(
        learner,
        constraint=arguments.constraint, n_threads=arguments.threads,
    )  # fmt: skip
    struct, atoms = penalties.make(arguments.penalty), arguments.n_atoms
    if arguments.alpha is None:
        struct, atoms = tune(source, sample, struct, fit, streams, arguments)
    else:
        struct = struct._replace(alpha=arguments.alpha)
    result = fit(
        stream(source, streams, arguments), atoms, struct, batch_size=arguments.batch_size,
        n_batches=arguments.n_batches, rng=streams("learning"), progress=not arguments.quiet,
        checkpoint=arguments.checkpoint,
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


def prepare(
    images: datasets.ImageSet, arguments: argparse.Namespace, notes: dict[str, Any]
) -> datasets.ImageSet:
    """Whiten images if asked to, and note how patches are to be cut and made."""
    photographs = arguments.source.is_dir() or images.credits[0] == f"the file {images.names[0]}"
    whiten = arguments.whiten == "yes" or (arguments.whiten == "auto" and photographs)
    size = arguments.patch_size
    if size < 1:
        raise ValueError(f"--patch-size must be at least 1; got {size}.")
    notes |= {"patch_shape": [size, size], "whitened": whiten}
    return datasets.whiten(images) if whiten else images


def stream(source: Any, streams: Streams, arguments: argparse.Namespace) -> Any:
    """Return what is learned from: samples, or batches of patches."""
    if isinstance(source, datasets.ImageSet):
        return datasets.patch_batches(
            source, arguments.batch_size, size=arguments.patch_size, rng=streams("patches"),
            dtype=np.float32,
        )  # fmt: skip
    return source


def draw(source: Any, streams: Streams, arguments: argparse.Namespace) -> np.ndarray:
    """Draw the samples on which the weight is tuned."""
    rng = streams("tuning")
    if isinstance(source, datasets.ImageSet):
        return datasets.extract_patches(
            source, arguments.patch_size, n_patches=N_TUNED, rng=rng, dtype=np.float32
        )
    rows = np.sort(rng.permutation(len(source))[:N_TUNED])
    return np.asarray(source[rows])


def tune(
    source: Any, sample: np.ndarray, struct: Any, fit: Any, streams: Streams,
    arguments: argparse.Namespace,
) -> tuple[Any, np.ndarray]:  # fmt: skip
    """Find the weight that gives the wanted density, on atoms that a short run has shaped."""
    density = 0.02 if arguments.density is None else arguments.density
    weight = partial(
        alpha_for_density, sample, penalty=struct, density=density, rtol=RTOL,
        solver=partial(cd, tol=1e-4), n_threads=arguments.threads,
    )  # fmt: skip
    rng = streams("tuning-atoms")
    atoms = rng.standard_normal((arguments.n_atoms, sample.shape[1])).astype(sample.dtype)
    n_short = max(1, arguments.n_batches // 10)
    for _ in range(2):
        struct = struct._replace(alpha=weight(atoms))
        atoms = fit(
            stream(source, streams, arguments), atoms, struct,
            batch_size=arguments.batch_size, n_batches=n_short, rng=rng,
        ).dictionary  # fmt: skip
    return struct._replace(alpha=weight(atoms)), atoms
