"""What `lazy-neurons` measures: shares of active units over training, and gradients in theory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.special import softmax

from experiments._classify_network import one_thread
from experiments._framework import Record
from experiments._lazy_networks import N_CLASSES, NETWORKS, Digits, build, digits, scores
from sparsecode.core.rng import Streams

if TYPE_CHECKING:
    from experiments.lazy_neurons import Config

__all__ = [
    "MEASURES",
    "STATES",
    "TASKS",
    "THEORY",
    "Setting",
    "base",
    "course",
    "gradients",
    "layers",
    "model_score",
    "one_network",
    "settings",
    "table",
]

STATES = ("untrained", "trained")
#: What is learned. Inputs of the last two are Gaussian, with the mean and spread of the digits; of
#: the last, every batch is new.
TASKS = ("true labels", "random labels", "random inputs", "fresh noise")
#: Of every layer: per cent of units active, held out and seen; per cent of the units that are never
#: active and active below 10 % of the time, held out; units active at a time, held out.
MEASURES = ("nonzero", "nonzero_seen", "dead", "lazy", "n_active")
#: Of every draw: the slope of the gradient over the activation, for cross-entropy and squared
#: error, and what Stein's lemma says of the first.
THEORY = ("cross-entropy", "squared error", "stein")


class Setting(NamedTuple):
    """One kind of network, as it is trained."""

    network: str
    optimizer: str
    task: str
    rate: float
    d_ff: int
    n_layers: int

    @property
    def key(self) -> str:
        """A name of letters, digits, dots and hyphens."""
        return "-".join(str(part).replace(" ", ".") for part in self)


def base(config: Config, network: str, **changes: Any) -> Setting:
    """Return the setting that the others of a network differ from in one thing."""
    shape = (config.mlp_width, 1) if network == "mlp" else (config.d_ff, config.n_layers)
    return Setting(network, "adamw", TASKS[0], config.rate, *shape)._replace(**changes)


def settings(config: Config) -> list[Setting]:
    """Return every setting once: the grid, other tasks, widths and depths."""
    found = [base(config, net, rate=rate) for net in NETWORKS for rate in config.rates]
    found += [base(config, "mlp", optimizer="sgd", rate=rate) for rate in config.sgd_rates]
    for net in ("vit", "mlp"):
        found += [base(config, net, task=task) for task in TASKS]
        found += [base(config, net, d_ff=width) for width in config.widths]
        found += [base(config, net, n_layers=depth) for depth in config.depths]
    return list(dict.fromkeys(found))


def one_network(
    config: Config, streams: Streams, setting: Setting, seed: int
) -> dict[str, np.ndarray]:
    """Train one network.

    Split, weights and order depend on `seed` alone, so that networks of one shape begin alike
    whatever they learn and however fast.

    Returns
    -------
    dict of str to ndarray
        `layers` of shape (n_states, n_layers, n_measures); `accuracy` (n_states, 2), on the
        training samples and held out; `course` (n_epochs + 1,), the mean over layers of the
        per cent of units active, held out; `firing` (n_states, n_layers, d_ff), sorted, or empty
        where layers differ in width.
    """
    from sparsecode.bridges import train
    from sparsecode.bridges._torch import torch

    split = digits(config, streams, seed)
    mean, spread = float(split.seen.mean()), float(split.seen.std())
    given = _samples(setting.task, split, mean, spread, streams(f"{setting.task}-{seed}"))
    weights, order = (int(n) for n in streams(f"weights-{seed}").integers(2**31, size=2))
    model = build(config, setting.network, setting.d_ff, setting.n_layers, weights)
    course, layers, firing = [], [], []

    def fresh(inputs: Any, labels: Any) -> tuple[Any, Any]:
        return mean + spread * torch.randn_like(inputs), torch.randint_like(labels, N_CLASSES)

    def measure(epoch: int, row: dict[str, float], model: Any) -> None:
        held_out = scores(model, given.held_out)
        course.append(np.mean([one.percent_nonzero for one in held_out]))
        if epoch not in (0, config.n_epochs):
            return
        seen = scores(model, given.seen)
        layers.append(
            [
                (
                    one.percent_nonzero, other.percent_nonzero,
                    100.0 * one.n_silent / one.n_neurons, 100.0 * one.share_below(0.1),
                    one.n_active,
                )
                for one, other in zip(held_out, seen)
            ]
        )  # fmt: skip
        if setting.network != "mixer":
            firing.append([np.sort(one.firing_rate) for one in held_out])

    with one_thread():
        result = train(
            model, given.seen, given.seen_labels, X_test=given.held_out,
            y_test=given.held_out_labels, n_epochs=config.n_epochs, batch_size=config.batch_size,
            learning_rate=setting.rate, optimizer=setting.optimizer, seed=order, device="cpu",
            transform=fresh if setting.task == TASKS[3] else None, on_epoch=measure,
        )  # fmt: skip
    accuracy = [
        [result.history[f"{part}_accuracy"][epoch] for part in ("train", "test")]
        for epoch in (0, -1)
    ]
    return {
        "layers": np.array(layers),
        "accuracy": np.array(accuracy),
        "course": np.array(course),
        "firing": np.array(firing),
    }


def _samples(
    task: str, split: Digits, mean: float, spread: float, rng: np.random.Generator
) -> Digits:
    """Return what is learned and what is measured: both of one kind."""
    if task == TASKS[0]:
        return split
    labels = [rng.integers(N_CLASSES, size=len(old)) for old in (split[1], split[3])]
    images = [split.seen, split.held_out]
    if task != TASKS[1]:
        images = [rng.normal(mean, spread, old.shape).astype(np.float32) for old in images]
    return Digits(images[0], labels[0], images[1], labels[1])


def gradients(config: Config, streams: Streams) -> dict[str, np.ndarray]:
    r"""Measure the gradient at a last hidden layer whose outgoing weights are random.

    With logits Va, entries of V independent N(0, s^2) and V independent of a, the mean gradient at
    unit i is a slope times :math:`a_i`. For :math:`\frac12\|Va - y\|^2` the slope is
    :math:`C s^2`. For cross-entropy it is :math:`s^2 E[1 - \sum_c p_c^2]` by Stein's lemma, which
    tends to :math:`s^2 (1 - 1/C)` as s falls.

    Returns
    -------
    dict of str to ndarray
        `slopes` of shape (n_scales, n_kinds, 2): mean over draws and its standard error, for
        `THEORY`; `excess` (n_scales, 2), the same for cross-entropy less Stein; `activations`
        (theory_width,); `units` (n_scales, theory_width), the mean gradient of each unit for
        cross-entropy, without the part V^T (1/C - y) of it, whose mean is 0.
    """
    rng = streams("theory")
    a = np.maximum(rng.normal(size=config.theory_width), 0.0)
    a[0] = max(a[0], 1.0)  # at least one unit is active
    length = float(a @ a)
    slopes, excess, units = [], [], []
    for scale in config.theory_scales:
        kept, total, n_left = [], np.zeros(config.theory_width), config.n_draws
        while n_left:
            n = min(n_left, 1000)
            V = scale * rng.normal(size=(n, N_CLASSES, config.theory_width))
            target = np.eye(N_CLASSES)[rng.integers(N_CLASSES, size=n)]
            u = V @ a
            p = softmax(u, axis=1)
            along = [(u * (p - target)).sum(axis=1), (u * (u - target)).sum(axis=1)]
            stein = scale**2 * (1.0 - (p**2).sum(axis=1))
            kept.append(np.stack([along[0] / length, along[1] / length, stein]))
            total += np.einsum("ncw,nc->w", V, p - 1.0 / N_CLASSES)
            n_left -= n
        draws = np.concatenate(kept, axis=1)
        slopes.append([_mean(one) for one in draws])
        excess.append(_mean(draws[0] - draws[2]))
        units.append(total / config.n_draws)
    return {
        "slopes": np.array(slopes), "excess": np.array(excess), "activations": a,
        "units": np.array(units),
    }  # fmt: skip


def _mean(values: np.ndarray) -> tuple[float, float]:
    """Return the mean and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(values.size))


def table(
    runs: list[tuple[Setting, int]], found: list[dict[str, np.ndarray]]
) -> dict[str, list[Any]]:
    """Return a row for each network, state and layer; layers count from 1."""
    names = (*Setting._fields, "seed", "state", "layer", *MEASURES, "train_accuracy",
             "test_accuracy")  # fmt: skip
    rows = [
        (*setting, seed, state, layer + 1, *(float(x) for x in values),
         *(float(x) for x in one["accuracy"][i]))
        for (setting, seed), one in zip(runs, found)
        for i, state in enumerate(STATES)
        for layer, values in enumerate(one["layers"][i])
    ]  # fmt: skip
    return dict(zip(names, map(list, zip(*rows))))


def layers(record: Record, setting: Setting, measure: str, state: str = "trained") -> np.ndarray:
    """Return a measure of every layer, of shape (n_seeds, n_layers)."""
    rows = record.table.where(**setting._asdict(), state=state)
    return np.asarray(rows[measure].reshape(record.config.n_seeds, -1))


def model_score(
    record: Record, setting: Setting, measure: str = "nonzero", state: str = "trained"
) -> np.ndarray:
    """Return the mean over layers of a measure, of shape (n_seeds,)."""
    return np.asarray(layers(record, setting, measure, state).mean(axis=1))


def course(record: Record, setting: Setting) -> np.ndarray:
    """Return the model score over epochs, of shape (n_seeds, n_epochs + 1)."""
    return np.asarray(record.arrays["course"][settings(record.config).index(setting)])
