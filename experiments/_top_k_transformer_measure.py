"""What `top-k-transformer` measures: accuracies under noise, calibration, numbers of nonzeros."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import softmax

from experiments._classify_network import one_thread
from experiments._framework import Record
from experiments._lazy_networks import N_CLASSES, build, digits
from sparsecode.core.rng import Streams

if TYPE_CHECKING:
    from experiments.top_k_transformer import Config

__all__ = [
    "CORRUPTIONS",
    "MEASURES",
    "calibration_error",
    "corrupt",
    "one_network",
    "redraw",
    "same_as_dense",
    "table",
    "values",
]

#: Corruptions of ImageNet-C (Hendrycks & Dietterich 2019) that the paper reports, and their five
#: severities: standard deviation, share of pixels, photons at full brightness.
CORRUPTIONS: dict[str, tuple[float, ...]] = {
    "gaussian": (0.08, 0.12, 0.18, 0.26, 0.38),
    "impulse": (0.03, 0.06, 0.09, 0.17, 0.27),
    "shot": (60.0, 25.0, 12.0, 5.0, 3.0),
}
#: Per cent, held out but for the second: accuracies, clean and mean over severities, and the
#: calibration error of clean images; per cent of units active and the largest number of them.
MEASURES = (
    "accuracy", "train_accuracy", *CORRUPTIONS, "calibration", "nonzero", "most_active",
)  # fmt: skip


def corrupt(images: np.ndarray, kind: str, severity: float, rng: np.random.Generator) -> np.ndarray:
    """Add noise to images in [0, 1] and clip them.

    Parameters
    ----------
    images : ndarray
        Values in [0, 1].
    kind : {"gaussian", "impulse", "shot"}
        Normal noise; pixels that become 0 or 1; Poisson counts.
    severity : float
        Standard deviation, share of the pixels, or counts at value 1.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float32
        Of the same shape.
    """
    if kind == "gaussian":
        noisy = images + rng.normal(0.0, severity, images.shape)
    elif kind == "impulse":
        hit = rng.random(images.shape) < severity
        noisy = np.where(hit, rng.integers(2, size=images.shape), images)
    else:
        noisy = rng.poisson(images * severity) / severity
    return np.clip(noisy, 0.0, 1.0).astype(np.float32)


def redraw(labels: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Draw a share of the labels anew, uniformly over all classes; some stay what they were."""
    n = round(share * len(labels))
    found = labels.copy()
    found[rng.permutation(len(labels))[:n]] = rng.integers(N_CLASSES, size=n)
    return found


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, n_bins: int) -> float:
    r"""Return the expected calibration error, between 0 and 1.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        Rows sum to 1.
    labels : ndarray of shape (n_samples,)
    n_bins : int
        Bins of the largest probability, of equal width, closed above.

    Returns
    -------
    float
        :math:`\sum_b (n_b / n) |\mathrm{acc}_b - \mathrm{conf}_b|` (Guo et al. 2017, equation 3).
        Few samples make it larger: compare networks on the same samples only.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    bins = np.clip(np.ceil(confidence * n_bins).astype(int) - 1, 0, n_bins - 1)
    gaps = np.bincount(bins, right - confidence, minlength=n_bins)
    return float(np.abs(gaps).sum() / len(labels))


def one_network(
    config: Config, streams: Streams, share: float, k: int, seed: int
) -> dict[str, np.ndarray]:
    """Train one network and test it.

    Split, labels, weights, order and noise in the images do not depend on `k`.

    Returns
    -------
    dict of str to ndarray
        `measures` of shape (n_measures,), NaN for corruptions where labels have noise;
        `severities` (n_corruptions, 5), accuracies in per cent, or empty.
    """
    from sparsecode.bridges import collect
    from sparsecode.bridges._torch import torch

    split = digits(config, streams, seed)
    model, train_accuracy = _train(config, streams, share, k, seed)
    probabilities = softmax(_logits(model, split.held_out), axis=1)
    severities = np.empty((0, 5))
    if share == 0.0:
        severities = np.array(
            [
                [
                    _accuracy(
                        model,
                        corrupt(split.held_out, kind, severity, streams(f"{kind}-{at}-{seed}")),
                        split.held_out_labels,
                    )
                    for at, severity in enumerate(values)
                ]
                for kind, values in CORRUPTIONS.items()
            ]
        )
    with one_thread():
        codes = collect(model, [torch.from_numpy(split.held_out)], model.sites)
    counts = np.stack([np.count_nonzero(code > 0, axis=1) for code in codes.values()])
    means = severities.mean(axis=1) if len(severities) else np.full(len(CORRUPTIONS), np.nan)
    measures = [
        100.0 * np.mean(probabilities.argmax(axis=1) == split.held_out_labels),
        100.0 * train_accuracy,
        *means,
        100.0 * calibration_error(probabilities, split.held_out_labels, config.n_bins),
        100.0 * counts.mean() / config.d_ff,
        counts.max(),
    ]
    return {"measures": np.array(measures, dtype=float), "severities": severities}


def same_as_dense(config: Config, streams: Streams) -> dict[str, np.ndarray]:
    """Return the largest difference of logits between k = d_ff and a network without top-k.

    Both are trained as seed 0 is on clean labels.
    """
    images = digits(config, streams, 0).held_out
    first, second = (
        _logits(_train(config, streams, 0.0, k, 0)[0], images) for k in (config.d_ff, None)
    )
    return {"difference": np.abs(first - second).max()}


def _train(
    config: Config, streams: Streams, share: float, k: int | None, seed: int
) -> tuple[Any, float]:
    """Return a trained network and its accuracy on the labels that it was given."""
    from sparsecode.bridges import train

    split = digits(config, streams, seed)
    labels = redraw(split.seen_labels, share, streams(f"labels-{share:g}-{seed}"))
    weights, order = (int(n) for n in streams(f"weights-{seed}").integers(2**31, size=2))
    model = build(config, "vit", config.d_ff, config.n_layers, weights, k)
    with one_thread():
        train(
            model, split.seen, labels, n_epochs=config.n_epochs, batch_size=config.batch_size,
            learning_rate=config.rate, seed=order, device="cpu",
        )  # fmt: skip
    return model, _accuracy(model, split.seen, labels) / 100.0


def _logits(model: Any, images: np.ndarray) -> np.ndarray:
    from sparsecode.bridges._torch import torch

    with one_thread(), torch.no_grad():
        found: np.ndarray = model(torch.from_numpy(images)).double().numpy()
    return found


def _accuracy(model: Any, images: np.ndarray, labels: np.ndarray) -> float:
    return float(100.0 * np.mean(_logits(model, images).argmax(axis=1) == labels))


def table(
    runs: list[tuple[float, int, int]], found: list[dict[str, np.ndarray]]
) -> dict[str, list[Any]]:
    """Return a row for each network."""
    names = ("label_noise", "k", "seed", *MEASURES)
    rows = [(*run, *(float(x) for x in one["measures"])) for run, one in zip(runs, found)]
    return dict(zip(names, map(list, zip(*rows))))


def values(record: Record, measure: str, k: int, share: float = 0.0) -> np.ndarray:
    """Return a measure of one k, of shape (n_seeds,)."""
    return np.asarray(record.table.where(k=k, label_noise=share)[measure])
