"""What `sparsify-local` measures: activations of an encoder, and what rules make of them."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments._classify_network import one_thread
from experiments._framework import Record
from sparsecode.core import measures
from sparsecode.core.rng import Streams

if TYPE_CHECKING:
    from experiments.sparsify_local import Config

__all__ = [
    "GROUPS",
    "MATRICES",
    "RULES",
    "activity",
    "docstrings",
    "errors",
    "models",
    "one_model",
    "table",
]

#: Groups of held-out texts, over which limits are taken.
GROUPS = 8
#: The two matrices of a feed-forward block.
MATRICES = ("up", "down")
RULES = ("TEAL", "CATS", "WINA", "R-Sparse 1", "R-Sparse searched", "CoreInfer")
#: What is known of a layer's activations.
ACTIVITY = ("positive", "rare", "gini")
#: Where docstrings come from, in this order.
PACKAGES = ("numpy", "scipy.stats", "scipy.signal", "sklearn.linear_model", "sklearn.cluster")
#: The control: a small encoder of random weights.
CONTROL: dict[str, Any] = {
    "vocab_size": 500, "hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 192, "max_position_embeddings": 512, "hidden_act": "gelu",
}  # fmt: skip


def docstrings(n_texts: int) -> list[str]:
    """Return docstrings of functions and classes, of several packages in turn."""
    pools = []
    for name in PACKAGES:
        module = import_module(name)
        members = (getattr(module, key) for key in sorted(dir(module)) if key[0] != "_")
        texts = (
            inspect.getdoc(one)
            for one in members
            if inspect.isroutine(one) or isinstance(one, type)
        )
        pools.append(list(dict.fromkeys(text for text in texts if text and len(text) > 300)))
    mixed = [pool[i] for i in range(max(map(len, pools))) for pool in pools if i < len(pool)]
    if len(mixed) < n_texts:
        raise ValueError(
            f"n_texts must be at most {len(mixed)}, the docstrings found; got {n_texts}."
        )
    return mixed[:n_texts]


def one_model(config: Config, streams: Streams, name: str) -> dict[str, np.ndarray]:
    """Measure one encoder.

    Returns
    -------
    dict of str to ndarray
        `activity` (n_layers, 3); `cett` (n_layers, n_cett), the share of neurons that are active
        at each error; `errors` and `achieved` (n_layers, 2, n_rules, n_sparsities, n_groups), the
        relative error of the output and the share of zeros on other texts (NaN where a rule does
        not apply); `n_tokens` (2,), of both halves.
    """
    from sparsecode.bridges import LocalEncoder, collect
    from sparsecode.bridges._torch import torch

    half = config.n_texts // 2
    if name == "local":
        model = LocalEncoder.from_folder(config.folder)
        texts = docstrings(config.n_texts)
        groups = [texts[:half], *_split(texts[half:])]
        batches = [model.tokenize(group, max_length=config.n_tokens) for group in groups]
    else:
        torch.manual_seed(int(streams("control").integers(2**31)))
        model = LocalEncoder(CONTROL).eval()
        rng = streams("tokens")
        sizes = [half, *map(len, _split(list(range(half))))]
        shapes = [(size, config.n_tokens) for size in sizes]
        batches = [
            {"input_ids": torch.from_numpy(rng.integers(0, CONTROL["vocab_size"], shape))}
            for shape in shapes
        ]
    found: dict[str, list[Any]] = {key: [] for key in ("activity", "cett", "errors", "achieved")}
    n_tokens = [0, 0]
    with one_thread():
        for number in range(len(model.layers)):
            sites = {
                "x": f"layers.{number}.up:input", "pre": f"layers.{number}.up",
                "a": f"layers.{number}.activation",
            }  # fmt: skip
            rows = [collect(model, [batch], list(sites.values())) for batch in batches]
            seen, *others = [{key: one[site] for key, site in sites.items()} for one in rows]
            n_tokens = [len(seen["x"]), sum(len(one["x"]) for one in others)]
            layer = model.layers[number]
            weights = {
                "up": layer.up.weight.detach().numpy(), "down": layer.down.weight.detach().numpy(),
            }  # fmt: skip
            activity, shares = _activity(config, others, weights["down"])
            found["activity"].append(activity)
            found["cett"].append(shares)
            errors, achieved = _rules(config, seen, others, weights)
            found["errors"].append(errors)
            found["achieved"].append(achieved)
    return {key: np.array(value) for key, value in found.items()} | {"n_tokens": np.array(n_tokens)}


def _split(texts: list[Any]) -> list[list[Any]]:
    """Return groups of about as many texts."""
    return [texts[i::GROUPS] for i in range(GROUPS)]


def _activity(
    config: Config, others: list[dict[str, np.ndarray]], down: np.ndarray
) -> tuple[list[float], list[float]]:
    """Return how active a layer is, and the share of neurons at each CETT."""
    from sparsecode.bridges.thresholds import activation_ratio, epsilon_for_cett

    pre, a = (np.concatenate([one[key] for one in others]) for key in ("pre", "a"))
    fires = (pre > 0).mean(axis=0)
    gini = float(np.nanmedian(measures.gini(np.abs(a[:2000]))))
    some = a[:: max(1, len(a) // 1000)]
    shares = [
        activation_ratio(some, down, epsilon_for_cett(some, down, target)) for target in config.cett
    ]
    return [float((pre > 0).mean()), float((fires < 0.1).mean()), gini], shares


def _rules(
    config: Config,
    seen: dict[str, np.ndarray],
    others: list[dict[str, np.ndarray]],
    weights: dict[str, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Return errors and achieved sparsities of every rule."""
    shape = (len(MATRICES), len(RULES), len(config.sparsities), GROUPS)
    errors, achieved = np.full(shape, np.nan), np.full(shape, np.nan)
    for m, matrix in enumerate(MATRICES):
        key, weight = {"up": "x", "down": "a"}[matrix], weights[matrix].astype(np.float64)
        calibration = seen[key].astype(np.float64)
        for r, rule in enumerate(RULES):
            for s, sparsity in enumerate(config.sparsities):
                made = _made(rule, matrix, calibration, weight, sparsity, config.n_grid)
                if made is None:
                    continue
                for g, other in enumerate(others):
                    x = other[key].astype(np.float64)
                    errors[m, r, s, g], achieved[m, r, s, g] = made(x)
    return errors, achieved


def _made(
    rule: str, matrix: str, x: np.ndarray, weight: np.ndarray, sparsity: float, n_grid: int
) -> Any:
    """Calibrate a rule; return what gives its error and its share of zeros, None if it is none."""
    from sparsecode.bridges import thresholds

    if rule in ("CATS", "CoreInfer") and matrix == "up":
        return None  # rules for activations, not for the residual stream
    if rule == "CoreInfer":

        def core(rows: np.ndarray) -> tuple[float, float]:
            # its largest positive activations, as many as leave this share of zeros
            alpha = min(1.0, (1 - sparsity) * rows.shape[1] / max(1.0, (rows > 0).sum(1).mean()))
            kept = np.where(thresholds.core_neurons(rows, alpha).to_dense() != 0, rows, 0.0)
            return thresholds.output_error(weight, rows, kept), float((kept == 0).mean())

        return core
    if rule.startswith("R-Sparse"):
        if rule.endswith("searched"):
            split = thresholds.search_r_sparse(x, weight, sparsity, n_grid=n_grid)
        else:
            split = thresholds.r_sparse(x, weight, sparsity, alpha=1.0)
        return lambda rows: (split.output_error(rows), float((split.apply(rows) == 0).mean()))
    calibrated = {
        "TEAL": lambda: thresholds.teal(x, sparsity, quantile="magnitude"),
        "CATS": lambda: thresholds.cats(x, sparsity),
        "WINA": lambda: thresholds.wina(x, weight, sparsity),
    }[rule]()

    def masked(rows: np.ndarray) -> tuple[float, float]:
        kept = calibrated.apply(rows)
        return thresholds.output_error(weight, rows, kept), float((kept == 0).mean())

    return masked


def models(record_arrays: dict[str, np.ndarray]) -> list[str]:
    """Return the models that were measured."""
    return [name for name in ("untrained", "local") if f"{name} errors" in record_arrays]


def table(config: Config, arrays: dict[str, np.ndarray]) -> dict[str, list[Any]]:
    """Return a row for each model, layer, matrix, rule and sparsity."""
    names = ("model", "layer", "matrix", "rule", "asked", "achieved", "error")
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for model in models(arrays):
        found, kept = arrays[f"{model} errors"], arrays[f"{model} achieved"]
        for layer, m, r, s in np.ndindex(found.shape[:4]):
            if np.isnan(found[layer, m, r, s]).all():
                continue
            row = (
                model, layer, MATRICES[m], RULES[r], config.sparsities[s],
                float(kept[layer, m, r, s].mean()), float(found[layer, m, r, s].mean()),
            )  # fmt: skip
            for column, value in zip(columns.values(), row):
                column.append(value)
    return columns


def errors(record: Record, model: str, matrix: str, rule: str) -> np.ndarray:
    """Return errors of a rule by group and sparsity, means over layers."""
    found = record.arrays[f"{model} errors"][:, MATRICES.index(matrix), RULES.index(rule)]
    return found.mean(axis=0).T


def activity(record: Record, model: str, name: str) -> np.ndarray:
    """Return one number of every layer."""
    return record.arrays[f"{model} activity"][:, ACTIVITY.index(name)]
