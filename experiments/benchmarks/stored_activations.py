"""A million activations on disk: recorded, and coded by an autoencoder and by a solver."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments._framework import Outcome, Record, experiment
from experiments.benchmarks._memory import GIB, alone, peak
from sparsecode.core.rng import Streams

__all__ = ["Config", "stored_activations"]

SITE = "blocks.0:output"
STEPS = "record", "topk", "omp"


@dataclass(frozen=True)
class Config:
    """In how much memory are a million activations of a transformer recorded and coded?

    An untrained ViT sees `n_images` patches of photographs, 16 x 16 pixels, as 16 tokens of
    `d_model` entries each; the residual stream behind its block goes to an `ActivationStore`, class
    tokens left out. A TopK autoencoder learns from the store for `n_steps` steps and codes all of
    it; OMP codes it over the same atoms, with as many a row, shard by shard. Each step is a process
    of its own, whose peak counts mapped pages and libraries too.
    """

    n_images: int = 62_500
    d_model: int = 384
    n_latents: int = 1536
    k: int = 16
    n_steps: int = 60
    batch_size: int = 500


def work(step: str, folder: str, config: dict[str, Any]) -> dict[str, float]:
    """Do one step in this process; return its seconds, rows and peak of memory in GiB."""
    settings, place = Config(**config), Path(folder)
    start = time.perf_counter()
    n_rows = {"record": _record, "topk": _topk, "omp": _omp}[step](place, settings)
    return {"rows": n_rows, "seconds": time.perf_counter() - start, "peak": peak()}


def _record(folder: Path, config: Config) -> int:
    """Run the network and store its stream."""
    from sparsecode import datasets
    from sparsecode.bridges import ActivationStore, ViT, collect
    from sparsecode.bridges._torch import torch

    images = datasets.whiten(datasets.natural_images())
    model = ViT(16, 4, 10, d_model=config.d_model, n_layers=1, seed=0)

    def batches() -> Iterator[Any]:
        for number, start in enumerate(range(0, config.n_images, config.batch_size)):
            n = min(config.batch_size, config.n_images - start)
            X = datasets.extract_patches(images, 16, n_patches=n, rng=number)
            yield torch.from_numpy(X.reshape(n, 1, 16, 16).astype(np.float32))

    with ActivationStore.create(folder / "store") as store:
        collect(model, batches(), SITE, store=store, skip_positions=(0,))
    return len(ActivationStore(folder / "store")[SITE])


def _topk(folder: Path, config: Config) -> int:
    """Learn from the store, keep the atoms, and code all of it."""
    from sparsecode.bridges import ActivationStore, autoencoder, train_autoencoder

    rows = ActivationStore(folder / "store")[SITE]
    model = autoencoder("topk", config.d_model, config.n_latents, k=config.k, rng=0)
    train_autoencoder(model, rows, n_steps=config.n_steps, batch_size=min(2048, len(rows)))
    np.save(folder / "atoms.npy", model.dictionary)
    code = model.to_code(rows)
    if not 0 < code.n_active.max() <= config.k:
        raise RuntimeError(f"codes must have at most {config.k} atoms; one has another number.")
    return len(code)


def _omp(folder: Path, config: Config) -> int:
    """Code the store shard by shard."""
    from sparsecode.bridges import ActivationStore
    from sparsecode.scale import encode_shards

    rows = ActivationStore(folder / "store")[SITE]
    atoms = np.load(folder / "atoms.npy")
    run = encode_shards(rows, atoms, folder / "codes", solver="omp", n_nonzero=config.k)
    return len(run.codes)


@experiment(
    "stored-activations", config=Config, title="A million stored activations",
    requires=("torch",),
)  # fmt: skip
def stored_activations(config: Config, streams: Streams, progress: Any) -> Outcome:
    """Take each step in a process of its own."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", ".")) as folder:
        found = [
            alone("experiments.benchmarks.stored_activations", "work", step, folder, vars(config))
            for step in progress(STEPS, "steps")
        ]
        size = sum(path.stat().st_size for path in (Path(folder) / "store").rglob("*.npy")) / GIB
    columns = {name: [one[name] for one in found] for name in found[0]}
    return Outcome({"step": list(STEPS), **columns, "on_disk": [size] * len(STEPS)})


@stored_activations.plot
def figure(record: Record, ax: Any) -> None:
    """Draw the peak of each step, and what the store takes on disk."""
    rows = record.table.rows()
    ax.barh([row["step"] for row in rows], [row["peak"] for row in rows])
    ax.axvline(rows[0]["on_disk"], color="0.3", linestyle="--", label="rows on disk")
    ax.legend()
    ax.set(xlabel="GiB at most")


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=Config.n_images)
    parser.add_argument("--keep", action="store_true", help="Keep the record in docs/records.")
    given = parser.parse_args()
    changed = stored_activations.config(n_images=given.images)
    kept = stored_activations.run(changed, results="results", progress=True)
    for row in kept.table.rows():
        print(
            f"{row['step']:>7}: {row['rows']:,.0f} rows, {row['peak']:.2f} GiB at most, "
            f"{row['seconds']:.0f} s"
        )
    if given.keep:
        kept.save(Path("docs/records") / "stored-activations")
