"""What `sae-hierarchy` measures: autoencoders of a known hierarchy, scored latent by latent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from experiments._classify_network import one_thread
from experiments._framework import Record

if TYPE_CHECKING:
    from experiments.sae_hierarchy import Config

__all__ = ["BATCH", "SCORES", "methods", "scored", "scores", "table"]

#: Samples of a training step.
BATCH = 200
#: Amplitudes of the absorption table: mean and standard deviation.
AMPLITUDES = {"parent_amplitude": (1.0, 0.25), "child_amplitude": (1.0, 0.125)}
#: What is kept of every autoencoder. "recovered" is the mean cosine of learned with true features,
#: "within" and "cross" by how much cosines of learned features miss the true ones.
SCORES = ("absorption", "l0", "explained_variance", "recovered", "within", "cross", "true_l0")
#: How all are trained, as published.
TRAINING = {
    "batch_size": BATCH, "learning_rate": 3e-2, "n_warmup": 100, "decay_share": 0.2,
    "decay_to": 0.1, "betas": (0.5, 0.9375), "clip": 1.0, "centre": False,
}  # fmt: skip
#: Latents, as many as features.
N = 20


def methods(config: Config) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return every autoencoder by its label: the architecture and its options."""
    mean = {"k": 1.36, "initial_k": 3.0, "n_initial": min(1000, config.n_steps // 2)}
    made: dict[str, tuple[str, dict[str, Any]]] = {
        "MP": ("mp", {"n_steps": N, "tolerance": 0.05, "stop_on_repeat": True})
    }
    for prefixes in config.prefixes:
        label = f"Matryoshka {', '.join(map(str, prefixes))}"
        made[label] = ("matryoshka", {**mean, "prefixes": list(prefixes)})
    made["BatchTopK"] = ("batchtopk", mean)
    for penalty in config.penalties:
        made[f"ReLU {penalty:g}"] = ("relu", {"penalty": penalty})
    return made


def scored(config: Config, seed: int, label: str) -> dict[str, np.ndarray]:
    """Train one autoencoder on the hierarchy of one seed, and score it.

    Returns
    -------
    dict of str to ndarray
        `scores` in the order of `SCORES`, and `errors` of shape (n_most,): the squared error with
        1, 2, ... atoms a sample, over the samples' energy.
    """
    from sparsecode.bridges import (
        absorption,
        autoencoder,
        gram_errors,
        hierarchical_features,
        match_latents,
        train_autoencoder,
    )
    from sparsecode.core.measures import explained_variance

    truth = hierarchical_features([seed, 0])
    X, _ = truth.sample(config.n_train, [seed, 1], **AMPLITUDES)
    architecture, options = methods(config)[label]
    model = autoencoder(architecture, N, N, rng=[seed, 2], **options)
    with one_thread():
        train_autoencoder(model, X, n_steps=config.n_steps, seed=seed, **TRAINING)
        test, present = truth.sample(config.n_test, [seed, 3], **AMPLITUDES)
        code = model.to_code(test)
        latents = match_latents(code, present)
        atoms = model.dictionary
        unit = atoms / np.maximum(np.linalg.norm(atoms, axis=1, keepdims=True), 1e-12)
        gram = gram_errors(unit, truth, latents)
        scores = {
            "absorption": absorption(unit, truth, latents),
            "l0": code.n_active.mean(),
            "explained_variance": explained_variance(test, model.reconstruct(test)),
            "recovered": np.mean(np.sum(unit[latents] * truth.features, axis=1)),
            "true_l0": present.n_active.mean(),
            **gram,
        }
        errors = _errors(model, test, config.n_most)
    return {"scores": np.array([float(scores[name]) for name in SCORES]), "errors": errors}


def _errors(model: Any, X: np.ndarray, n_most: int) -> np.ndarray:
    """Return the relative squared error with 1 to `n_most` atoms a sample.

    A matching pursuit goes so many steps; of any other the so many largest latents are kept.
    """
    from sparsecode.bridges._torch import torch

    x = torch.from_numpy(X)
    found = []
    for k in range(1, n_most + 1):
        with torch.no_grad():
            if model.architecture == "mp":
                kept, model.n_steps, model.tolerance = (model.n_steps, model.tolerance), k, None
                model.stop_on_repeat = False
                out = model.centre(x) - model.pursue(x).residual + (x - model.centre(x))
                model.n_steps, model.tolerance = kept
                model.stop_on_repeat = True
            else:
                z = torch.relu(model.pre_activations(x))
                values, chosen = z.topk(k, dim=1)
                out = model.decode(torch.zeros_like(z).scatter(1, chosen, values))
        found.append(float(((x - out) ** 2).sum() / (x**2).sum()))
    return np.array(found)


def table(config: Config, scored: np.ndarray) -> dict[str, list[Any]]:
    """Return a row for each autoencoder and seed."""
    labels = list(methods(config))
    rows = [(label, seed) for seed in range(config.n_seeds) for label in labels]
    flat = scored.reshape(len(rows), len(SCORES))
    return {
        "method": [label for label, _ in rows],
        "seed": [seed for _, seed in rows],
        **{name: flat[:, i].tolist() for i, name in enumerate(SCORES)},
    }


def scores(record: Record, name: str) -> dict[str, np.ndarray]:
    """Return one score of every autoencoder, over seeds."""
    column = record.arrays["scores"][:, :, SCORES.index(name)]
    return dict(zip(methods(record.config), column.T))
