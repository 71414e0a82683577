"""How fast, and how well, a dictionary is learned in one pass, beside every installed peer."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from experiments._framework import Outcome, Record, experiment
from sparsecode import datasets
from sparsecode._jit import threads as limited_threads
from sparsecode.core import normalize
from sparsecode.core.rng import Streams
from sparsecode.learning import online
from sparsecode.penalties import L1
from sparsecode.solvers import encode

__all__ = ["Config", "learn_online"]


@dataclass(frozen=True)
class Config:
    """How good is a dictionary after one pass over whitened 16 x 16 patches, and how soon?

    Patches have unit norm, and every learner starts from the same patches as atoms, takes
    batches of the same size and minimises the same l1 objective, which is measured on other
    patches. All learners run in turn, round after round, after a warm-up on one batch; slow ones
    in the first round only.
    """

    n_samples: int = 50_000
    n_held_out: int = 3_000
    n_atoms: int = 512
    alpha: float = 0.15
    batch_size: int = 256
    n_rounds: int = 5


class Contestant(NamedTuple):
    """A way to learn: ``learn(X, atoms, config)`` gives atoms."""

    name: str
    licence: str
    n_threads: int
    dtype: type
    is_slow: bool
    learn: Callable[[np.ndarray, np.ndarray, Config], np.ndarray]


def _ours(n_threads: int) -> Callable[..., np.ndarray]:
    def learn(X: np.ndarray, atoms: np.ndarray, config: Config) -> np.ndarray:
        learned = online(
            X, atoms, L1(config.alpha), batch_size=config.batch_size, rng=0, n_threads=n_threads
        )
        return learned.dictionary

    return learn


def _scikit_learn(X: np.ndarray, atoms: np.ndarray, config: Config) -> np.ndarray:
    from sklearn.decomposition import MiniBatchDictionaryLearning

    learner = MiniBatchDictionaryLearning(
        len(atoms), alpha=config.alpha, batch_size=config.batch_size, max_iter=1,
        fit_algorithm="cd", dict_init=atoms, tol=0.0, max_no_improvement=None, random_state=0,
    )  # fmt: skip
    return learner.fit(X).components_


def _spams(X: np.ndarray, atoms: np.ndarray, config: Config) -> np.ndarray:
    import spams

    learned = spams.trainDL(
        np.asfortranarray(X.T), D=np.asfortranarray(atoms.T), lambda1=config.alpha,
        iter=max(1, len(X) // config.batch_size), batchsize=config.batch_size, numThreads=1,
        verbose=False,
    )  # fmt: skip
    return np.ascontiguousarray(learned.T)


def contestants() -> list[Contestant]:
    """Return our learner and every peer that is installed."""
    found = []
    for dtype in (np.float32, np.float64):
        found += [Contestant("sparsecode", "BSD-3", n, dtype, False, _ours(n)) for n in (1, 2)]
        found.append(Contestant("scikit-learn", "BSD-3", 1, dtype, True, _scikit_learn))
        if find_spec("spams"):
            found.append(Contestant("spams", "GPL-3", 1, dtype, False, _spams))
    return found


@experiment("learn-online", config=Config, title="One pass of learning, beside the peers")
def learn_online(config: Config, streams: Streams, progress: Any) -> Outcome:
    """Time every learner in turn and measure what each has learned."""
    images = datasets.whiten(datasets.natural_images())

    def unit_patches(n_patches: int, name: str) -> np.ndarray:
        X = datasets.extract_patches(images, 16, n_patches=n_patches, rng=streams(name))
        return X / np.linalg.norm(X, axis=1, keepdims=True)

    X = unit_patches(config.n_samples, "samples")
    atoms = unit_patches(config.n_atoms, "atoms")
    held_out = unit_patches(config.n_held_out, "held-out")

    def objective(dictionary: np.ndarray) -> float:
        D = normalize(dictionary.astype(np.float64))  # peers may return shorter atoms
        return float(encode(held_out, D, L1(config.alpha)).objective.mean())

    contest = contestants()
    seconds = np.full((config.n_rounds + 1, len(contest)), np.nan)
    learned: list[Any] = [None] * len(contest)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's codes miss its own tolerance
        for round_, index in progress(list(np.ndindex(seconds.shape)), "learners"):
            one = contest[index]
            if one.is_slow and round_ > 1:
                continue
            n_samples = config.n_samples if round_ else config.batch_size
            batch, start = X[:n_samples].astype(one.dtype), atoms.astype(one.dtype)
            with limited_threads(one.n_threads):
                began = time.perf_counter()
                learned[index] = one.learn(batch, start, config)
                seconds[round_, index] = time.perf_counter() - began
    return Outcome(
        {
            "learner": [one.name for one in contest],
            "licence": [one.licence for one in contest],
            "threads": [one.n_threads for one in contest],
            "dtype": [np.dtype(one.dtype).name for one in contest],
            "rounds": [int(np.isfinite(column[1:]).sum()) for column in seconds.T],
            "per_second": [config.n_samples / np.nanmedian(column[1:]) for column in seconds.T],
            "objective": [objective(dictionary) for dictionary in learned],
            "objective_before": [objective(atoms)] * len(contest),
        },
        {"seconds": seconds},
    )


@learn_online.plot
def figure(record: Record, ax: Any) -> None:
    """Draw the rates, each with the objective that was reached."""
    rows = sorted(record.table.rows(), key=lambda row: row["per_second"])
    for height, row in enumerate(rows):
        color = "C0" if row["learner"] == "sparsecode" else "0.7"
        ax.barh(height, row["per_second"], color=color)
        ax.annotate(
            f" {row['objective']:.5f}", (row["per_second"], height), va="center", fontsize="small"
        )
    names = [f"{row['learner']}, {row['dtype']}, threads: {row['threads']}" for row in rows]
    ax.set_yticks(range(len(rows)), names)
    ax.set(xlabel="patches per second (median); numbers: held-out objective")
    ax.set_xlim(0, 1.15 * rows[-1]["per_second"])
    ax.grid(visible=False, axis="y")


if __name__ == "__main__":
    kept = learn_online.run(results="results", progress=True)
    for row in kept.table.rows():
        print(
            f"{row['learner']:>14} {row['dtype']} {row['threads']} threads: "
            f"{row['per_second']:9.0f} patches/s, objective {row['objective']:.5f}"
        )
