"""What `sparse-images-classify` computes: dictionaries, codes, accuracies, their intervals."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from experiments._classify_coding import INPUTS, PAPER, code_all
from experiments._classify_data import Pictures, prepare, splits
from experiments._classify_network import Schedule, one_thread, train_and_test
from experiments._framework import expected
from experiments._ladret_measure import quietly, windows
from sparsecode._jit import threads
from sparsecode._parallel import map_tiles
from sparsecode.convolutional import greedy_cd, learn_online, log_gabor_preset
from sparsecode.core.rng import Streams
from sparsecode.penalties import L1

__all__ = [
    "DICTIONARIES",
    "PIXELS",
    "evaluate",
    "evaluate_pixels",
    "interval",
    "kernels",
    "overlap",
]

#: Which bank a dictionary is, or is learned from.
DICTIONARIES = {
    "homogeneous": "homogeneous",
    "homogeneous, learned": "homogeneous",
    "heterogeneous": "heterogeneous",
    "heterogeneous, learned": "heterogeneous",
}
PIXELS = "pixels"
#: Places of a map along each side that the linear probe sees, and its weight of the data.
PROBED, PROBE_C = 2, 0.1
#: Sweeps of coordinate descent that an image may take while dictionaries are learned.
SWEEPS = 100


def kernels(config: Any, streams: Streams, name: str, pictures: Pictures) -> dict[str, np.ndarray]:
    """Return a published bank, or learn one online from it, one image a step.

    As published, kernels are learned from whitened photographs; `config` may ask for the pictures
    to train on instead. The published step stays as it is, though its gradients are sums over
    256 x 256 places and ours over fewer: made longer by as much, steps follow single images so far
    that kernels end as noise.
    """
    bank = DICTIONARIES[name]
    if name == bank:
        return {"atoms": log_gabor_preset(bank, dtype=np.float32)[0][:, 0]}
    first = log_gabor_preset(bank, normalize="unit", dtype=np.float32)[0]
    stream: Iterator[np.ndarray]
    if config.learned_from == "photographs":
        setting = SimpleNamespace(images=config.photographs, learning_size=config.learning_size)
        stream = windows(setting, streams("windows"))
    else:
        reserved = prepare(pictures.images[: config.n_reserved], config.upscale)
        order = streams("learning").integers(len(reserved), size=config.n_steps)
        stream = (reserved[i][None, None] for i in order)
    result = quietly(
        learn_online, stream, first, L1(PAPER["coding"].value["alpha"]),
        solver=partial(greedy_cd, tol=config.learning_tol, max_iter=SWEEPS),
        step=expected("ladret2023")["learning"].value["step"], n_steps=config.n_steps,
        dead_after=None,
    )  # fmt: skip
    return {"atoms": result.dictionary[:, 0]}


def schedule(config: Any) -> Schedule:
    """Return how to train."""
    given = PAPER["training"].value
    return Schedule(
        config.n_epochs, config.batch_size, config.learning_rate, config.weight_decay,
        given["dropout"], config.width, flip=config.data == "cifar10",
    )  # fmt: skip


def by_network(
    config: Any, streams: Streams, inputs: list[tuple[str, np.ndarray]], pictures: Pictures
) -> np.ndarray:
    """Train a network for each input and seed.

    But for the published ones, inputs are divided by their root mean square over the pictures to
    train on, one number, so that dictionaries do not differ by the size of coefficients.

    Returns
    -------
    ndarray of shape (2, n_inputs, n_seeds)
        Accuracies on the pictures to test with and on those trained on. All inputs of one seed
        share the split, the order and the random numbers.
    """
    cuts = splits(config, streams, pictures)
    plan = schedule(config)

    def run(task: tuple[int, int]) -> tuple[float, float]:
        one, seed = task
        (form, values), (train, test) = inputs[one], cuts[seed]
        number = int(streams(f"network-{seed}").integers(2**31))
        scale = 1.0 if form == "published" else root_mean_square(values[train])
        return train_and_test(values, pictures.labels, train, test, plan, number, scale)

    tasks = [(one, seed) for one in sorted(set(same(inputs))) for seed in range(config.n_seeds)]
    with threads() as n_threads, one_thread():
        found = dict(zip(tasks, map_tiles(run, tasks, n_threads)))
    seeds = range(config.n_seeds)
    every = np.array([[found[one, seed] for seed in seeds] for one in same(inputs)])
    return np.moveaxis(every, 2, 0)


def same(inputs: list[tuple[str, np.ndarray]]) -> list[int]:
    """Return for each input the first one that equals it: pruning may leave everything as it is."""
    return [
        next(
            k for k, (form, values) in enumerate(inputs)
            if form == inputs[one][0] and np.array_equal(values, inputs[one][1])
        )
        for one in range(len(inputs))
    ]  # fmt: skip


def root_mean_square(values: np.ndarray) -> float:
    """Return the root of the mean square, 1 where there is nothing."""
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float32), dtype=np.float64))) or 1.0


def by_probe(
    config: Any, streams: Streams, features: list[np.ndarray], pictures: Pictures
) -> np.ndarray:
    """Fit a logistic regression for each array of features and seed; shaped as by the network."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    cuts = splits(config, streams, pictures)

    def run(task: tuple[int, int]) -> tuple[float, float]:
        X, (train, test) = features[task[0]], cuts[task[1]]
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=PROBE_C, max_iter=300))
        probe.fit(X[train], pictures.labels[train])
        return tuple(probe.score(X[some], pictures.labels[some]) for some in (test, train))

    tasks = [(one, seed) for one in range(len(features)) for seed in range(config.n_seeds)]
    with threads():
        accuracies = np.array(quietly(lambda: [run(task) for task in tasks]))
    return accuracies.T.reshape(2, len(features), config.n_seeds)


def probed(maps: np.ndarray) -> np.ndarray:
    """Return mean magnitudes of each map's quarters, one row a picture."""
    size = np.abs(maps.astype(np.float32))
    halves = [
        part.mean(axis=(2, 3))
        for half in np.array_split(size, PROBED, axis=2)
        for part in np.array_split(half, PROBED, axis=3)
    ]
    return np.concatenate(halves, axis=1)


def evaluate(
    config: Any, streams: Streams, pictures: Pictures, atoms: np.ndarray
) -> dict[str, np.ndarray]:
    """Code the pictures with a dictionary, and classify every input that comes of it.

    Returns
    -------
    dict of ndarray
        ``network``, of shape (2, n_inputs, n_seeds), and ``probe``, which sees the codes alone;
        ``nonzero``, ``coding`` and ``removed`` as :func:`code_all` returns them.
    """
    part = code_all(prepare(pictures.images, config.upscale), atoms, config.upscale)
    inputs = [(form, one) for one, (form, _) in zip(part.pop("inputs"), INPUTS)]
    codes = [probed(one) for form, one in inputs if form == "code"]
    return part | {
        "network": by_network(config, streams, inputs, pictures),
        "probe": by_probe(config, streams, codes, pictures),
    }


def evaluate_pixels(config: Any, streams: Streams, pictures: Pictures) -> dict[str, np.ndarray]:
    """Classify the grey pictures themselves."""
    images = pictures.images[:, None]
    flat = pictures.images.reshape(len(pictures.images), -1)
    return {
        "network": by_network(config, streams, [(PIXELS, images)], pictures),
        "probe": by_probe(config, streams, [flat], pictures),
        "nonzero": np.array([np.count_nonzero(pictures.images) / pictures.images.size]),
    }


def overlap(config: Any) -> float:
    """Return test over training pictures where splits are drawn anew, 0 where there is one."""
    return config.n_test / config.n_train if config.data == "digits" else 0.0


def interval(values: np.ndarray, shared: float, level: float = 0.95) -> tuple[float, float]:
    """Return a mean over seeds and half the width of its t interval.

    Splits that are drawn from the same pictures share most of them, so that their accuracies vary
    less than those of fresh pictures would: the variance is multiplied by 1/n + `shared` and not
    by 1/n (Nadeau & Bengio 2003, Machine Learning 52, 239-281).
    """
    from scipy import stats

    n = len(values)
    spread = np.std(values, ddof=1) * np.sqrt(1.0 / n + shared)
    return float(np.mean(values)), float(stats.t.ppf(0.5 + level / 2, n - 1) * spread)
