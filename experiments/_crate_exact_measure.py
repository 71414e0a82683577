"""What `crate-vs-exact` measures: codes of every block's inputs, by the block and by solvers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from experiments._crate_networks import STATES, trace, twins
from experiments._framework import Record
from sparsecode.bridges import CodeComparison, compare_codes
from sparsecode.core.ops import jaccard
from sparsecode.core.rng import Streams

if TYPE_CHECKING:
    from experiments.crate_vs_exact import Config

__all__ = [
    "LAYER_NUMBERS",
    "MEASURES",
    "STARTS",
    "TOKENS",
    "layer_number",
    "measured",
    "methods",
    "one_network",
    "steps_needed",
    "table",
]

#: Tokens of an image: 16 patches and the class token.
TOKENS = 17
#: Means over tokens, of every method. "relative_objective" is the objective over that of z = 0.
MEASURES = (
    "objective", "relative_objective", "excess", "relative_gap", "jaccard", "jaccard_shuffled",
    "cosine", "density", "relative_residual", "l0_objective",
)  # fmt: skip
#: What is known of a block rather than of a method.
LAYER_NUMBERS = (
    "step_error", "curvature", "step_x_curvature", "orthogonality", "coherence", "certificate",
    "cel0_residual", "descending",
)  # fmt: skip
#: Proximal steps that are counted: the block's own from z = x and from 0, and accelerated ones of
#: 1 / L from z = x.
STARTS = ("ista", "ista from 0", "fista")


def methods(config: Config) -> list[str]:
    """Return the methods that are kept, in the order of the table."""
    more = [count for count in config.n_steps if count > 1]
    return [
        "layer", "start", "one_step", *(f"ista_{count}" for count in more),
        *(f"ista_{count}_from_0" for count in config.n_steps), "lasso", "cel0",
    ]  # fmt: skip


def objectives(X: np.ndarray, D: np.ndarray, alpha: float, Z: np.ndarray) -> np.ndarray:
    """Return 1/2 ||x - zD||**2 + alpha ||z||_1 of every row."""
    return 0.5 * ((X - Z @ D) ** 2).sum(axis=1) + alpha * np.abs(Z).sum(axis=1)


def steps_needed(
    X: np.ndarray,
    D: np.ndarray,
    alpha: float,
    step: float,
    goal: np.ndarray,
    init: np.ndarray,
    max_steps: int,
    *,
    accelerated: bool = False,
) -> np.ndarray:
    """Return after how many non-negative proximal steps every objective is at most `goal`.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    D : ndarray of shape (n_atoms, n_features)
    alpha, step : float
    goal : ndarray of shape (n_samples,)
    init : ndarray of shape (n_samples, n_atoms)
    max_steps : int
        Steps after which is given up.
    accelerated : bool, default=False
        Whether steps have momentum, restarted where it points uphill, as those of
        :func:`~sparsecode.solvers.fista`.

    Returns
    -------
    ndarray of shape (n_samples,)
        1, 2, ...; infinite where `max_steps` were not enough.
    """
    gram, target = D @ D.T, X @ D.T
    needed = np.full(len(X), np.inf)
    rows, Z, older, momentum = np.arange(len(X)), init, init, np.ones(len(X))
    for count in range(1, max_steps + 1):
        ahead, following = Z, momentum
        if accelerated:
            following = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * momentum**2))
            ahead = Z + ((momentum - 1.0) / following)[:, None] * (Z - older)
        new = np.maximum(ahead + step * (target[rows] - ahead @ gram) - step * alpha, 0.0)
        uphill = ((ahead - new) * (new - Z)).sum(axis=1) > 0.0
        older, Z, momentum = Z, new, np.where(uphill, 1.0, following)
        there = objectives(X[rows], D, alpha, Z) <= goal[rows]
        needed[rows[there]] = count
        rows, Z, older, momentum = (one[~there] for one in (rows, Z, older, momentum))
        if not rows.size:
            break
    return needed


def one_network(config: Config, streams: Streams, seed: int) -> dict[str, np.ndarray]:
    """Measure every block of one network, before and after its training.

    Returns
    -------
    dict of str to ndarray
        `methods` of shape (n_states, n_layers, n_methods, n_measures); `layers` (n_states,
        n_layers, n_numbers); `needed` (n_states, n_layers, n_starts), the median over tokens;
        `within` (n_states, n_layers, n_steps), the share of tokens within `excess` after the
        block's own steps from z = x; `accuracy` (n_states,).
    """
    pair = twins(config, streams, seed, config.learning_rate)
    rng = streams(f"tokens-{seed}")
    chosen = rng.choice(TOKENS * len(pair.held_out), config.n_tokens, replace=False)
    found: dict[str, list[Any]] = {"methods": [], "layers": [], "needed": [], "within": []}
    for model in pair[:2]:
        traced = trace(model, pair.held_out)
        blocks = []
        for layer in range(config.n_layers):
            inputs, codes = (
                traced[name][layer].reshape(-1, config.d_model)[chosen].astype(np.float64)
                for name in ("ista_input", "code")
            )
            blocks.append(_block(config, model, inputs, codes, model.dictionary(layer)))
        for name, values in found.items():
            values.append([block[name] for block in blocks])
    return {**{k: np.array(v) for k, v in found.items()}, "accuracy": np.array(pair.accuracy)}


def _block(
    config: Config, model: Any, X: np.ndarray, layer: np.ndarray, D: np.ndarray
) -> dict[str, Any]:
    alpha, step = model.alpha, model.step
    compared = compare_codes(
        X, D, alpha, step, n_steps=config.n_steps, layer=layer, tol=config.tol, n_threads=1
    )
    exact = compared.table["objective"][compared.methods.index("lasso")]
    goal = (1.0 + config.excess) * exact
    own = step if step * compared.curvature < 2.0 else 1.0 / compared.curvature
    zero = np.zeros_like(layer)
    counted = [
        steps_needed(X, D, alpha, own, goal, X, config.max_steps),
        steps_needed(X, D, alpha, own, goal, zero, config.max_steps),
        steps_needed(
            X, D, alpha, 1.0 / compared.curvature, goal, X, config.max_steps, accelerated=True
        ),
    ]
    return {
        "methods": [_method(compared, name, X) for name in methods(config)],
        "layers": _numbers(compared, layer, D),
        "needed": [np.median(one) for one in counted],
        "within": [np.mean(counted[0] <= count) for count in config.n_steps],
    }


def _method(compared: CodeComparison, name: str, X: np.ndarray) -> list[float]:
    """Return `MEASURES` of a method."""
    means = compared.mean(name)
    row, exact = (
        compared.table["objective"][compared.methods.index(one)] for one in (name, "lasso")
    )
    n = compared.codes[name].n_samples
    other = compared.codes["lasso"][np.roll(np.arange(n), 1)]  # exact codes of other tokens
    means["relative_objective"] = float(np.mean(row / (0.5 * (X**2).sum(axis=1))))
    means["excess"] = float(np.mean(row / exact - 1.0))
    means["jaccard_shuffled"] = float(
        np.nanmean(jaccard(compared.codes[name], other, rowwise=True))
    )
    return [means[measure] for measure in MEASURES]


def _numbers(compared: CodeComparison, layer: np.ndarray, D: np.ndarray) -> list[float]:
    """Return `LAYER_NUMBERS`."""
    objective = compared.table["objective"]
    at = compared.methods.index
    one = compared.codes["one_step"].to_dense()
    units = D / np.linalg.norm(D, axis=1, keepdims=True)
    cosines = np.abs(units @ units.T)[~np.eye(len(D), dtype=bool)]
    return [
        float(np.abs(layer - one).max() / np.abs(one).max()),
        compared.curvature,
        compared.step * compared.curvature,
        compared.orthogonality,
        float(np.sqrt(np.mean(cosines**2))),
        float(compared.table["certificate"][at("lasso")].max()),
        float(compared.cel0_residual.max()),
        float(np.mean(objective[at("one_step")] < objective[at("start")])),
    ]


def table(config: Config, found: list[dict[str, np.ndarray]]) -> dict[str, list[Any]]:
    """Return a row for each network, state, layer and method; layers count from 1."""
    names = ("seed", "state", "layer", "method", *MEASURES)
    rows = [
        (seed, state, layer + 1, method, *(float(x) for x in one["methods"][i, layer, j]))
        for seed, one in enumerate(found)
        for i, state in enumerate(STATES)
        for layer in range(config.n_layers)
        for j, method in enumerate(methods(config))
    ]
    return dict(zip(names, map(list, zip(*rows))))


def measured(record: Record, measure: str, method: str, state: str = "trained") -> np.ndarray:
    """Return a measure of a method, of shape (n_seeds, n_layers)."""
    rows = record.table.where(method=method, state=state)
    return rows[measure].reshape(record.config.n_seeds, record.config.n_layers)


def layer_number(record: Record, name: str, state: str = "trained") -> np.ndarray:
    """Return one of `LAYER_NUMBERS`, of shape (n_seeds, n_layers)."""
    return np.asarray(record.arrays["layers"][:, STATES.index(state), :, LAYER_NUMBERS.index(name)])
