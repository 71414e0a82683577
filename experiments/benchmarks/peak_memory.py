"""How much memory a large batch takes beyond its own, beside scikit-learn's dense codes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments._framework import Outcome, Record, experiment
from experiments.benchmarks._memory import GIB, alone, forget_peak, peak, resident
from sparsecode.core.rng import Streams

__all__ = ["Config", "peak_memory"]

CODERS = "sparsecode", "scikit-learn"


@dataclass(frozen=True)
class Config:
    """How much memory do l1 codes of many whitened patches take, beyond the patches?

    By the operating system's peak of a fresh process, above what it held before the call.
    Dictionary: as many other patches as there are atoms; patches and atoms have norm 1.
    scikit-learn codes fewer patches: its codes are dense.
    """

    n_samples: int = 1_000_000
    n_samples_peer: int = 20_000
    n_atoms: int = 1024
    density: float = 0.02
    n_threads: int = 2


def measure(coder: str, config: dict[str, Any]) -> dict[str, float]:
    """Code patches in this process; return seconds, samples, GiB beyond the input and density."""
    settings = Config(**config)
    X, dictionary, alpha = _problem(settings, coder)
    encode = _encoder(coder, dictionary, alpha, settings)
    encode(X[:300])  # compiled and warm
    forget_peak()
    before = resident()
    start = time.perf_counter()
    density = encode(X)
    seconds = time.perf_counter() - start
    return {
        "n_samples": len(X), "input": X.nbytes / GIB, "beyond": peak() - before,
        "seconds": seconds, "density": density,
    }  # fmt: skip


def _problem(config: Config, coder: str) -> tuple[np.ndarray, np.ndarray, float]:
    """Return patches, atoms and the alpha of the density, with little held beside them."""
    from sparsecode import datasets
    from sparsecode.solvers import alpha_for_density

    images = datasets.whiten(datasets.natural_images())

    def unit_patches(n_patches: int, seed: int) -> np.ndarray:
        X = datasets.extract_patches(images, 16, n_patches=n_patches, rng=seed)
        X /= np.linalg.norm(X, axis=1, keepdims=True)
        return X

    dictionary = unit_patches(config.n_atoms, 0)
    alpha = alpha_for_density(unit_patches(500, 1), dictionary, "l1", config.density)
    n_samples = config.n_samples if coder == "sparsecode" else config.n_samples_peer
    X = np.empty((n_samples, 256))
    for number, first in enumerate(range(0, n_samples, 50_000)):
        block = X[first : first + 50_000]
        block[:] = unit_patches(len(block), 2 + number)
    return X, dictionary, alpha


def _encoder(
    coder: str, dictionary: np.ndarray, alpha: float, config: Config
) -> Callable[[np.ndarray], float]:
    """Return a function that codes a batch and says how dense the codes are."""
    if coder == "sparsecode":
        from sparsecode.penalties import L1
        from sparsecode.solvers import encode

        def ours(X: np.ndarray) -> float:
            result = encode(X, dictionary, L1(alpha), n_threads=config.n_threads)
            if not result.converged.all():
                raise RuntimeError("every code must be certified; some are not.")
            return result.code.density

        return ours
    from sklearn.decomposition import sparse_encode

    def theirs(X: np.ndarray) -> float:
        codes = sparse_encode(X, dictionary, algorithm="lasso_cd", alpha=alpha, max_iter=10_000)
        return float((codes != 0).mean())

    return theirs


@experiment("peak-memory", config=Config, title="Memory of a large batch of codes")
def peak_memory(config: Config, streams: Streams, progress: Any) -> Outcome:
    """Measure each coder in a process of its own."""
    found = [
        alone("experiments.benchmarks.peak_memory", "measure", coder, vars(config))
        for coder in progress(CODERS, "coders")
    ]
    columns = {name: [one[name] for one in found] for name in found[0]}
    per_million = [1e6 * one["beyond"] / one["n_samples"] for one in found]
    return Outcome({"coder": list(CODERS), **columns, "beyond_per_million": per_million}, {})


@peak_memory.plot
def figure(record: Record, ax: Any) -> None:
    """Draw the memory of a million samples beyond the input."""
    rows = record.table.rows()
    ax.barh([row["coder"] for row in rows], [row["beyond_per_million"] for row in rows])
    ax.set(xlabel="GiB beyond the input, per million samples")


if __name__ == "__main__":
    kept = peak_memory.run(results="results", progress=True)
    for row in kept.table.rows():
        print(
            f"{row['coder']:>14}: {row['n_samples']} samples ({row['input']:.2f} GiB) take "
            f"{row['beyond']:.2f} GiB more and {row['seconds']:.0f} s; "
            f"{row['beyond_per_million']:.2f} GiB a million"
        )
