"""What `similar-inputs-similar-codes` measures: one mac after the other, probed without learning.

Every sigmoid and every mode meets the same patterns and probes.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments._framework import Outcome
from memory import Sigmoid2014, Sparsey
from memory.measures import similarity_preservation
from sparsecode.core.code import SparseCode
from sparsecode.core.rng import Streams
from sparsecode.datasets import load_digits16, prepare_digits

if TYPE_CHECKING:
    from experiments.similar_inputs_similar_codes import Config

#: Drawing winners as in learning, and taking the unit of most evidence.
MODES = ("drawn", "retrieved")


def measure(config: Config, streams: Streams, swept: Any) -> Outcome:
    """Return the table in long form, and the intersection of every net and probe as arrays."""
    rows: list[dict[str, Any]] = []
    arrays: dict[str, np.ndarray] = {}
    loads = [(load, name) for load in (1, config.n_stored) for name in config.activations]
    tasks: dict[str, tuple[Any, ...]] = {
        f"overlaps-{load}-{name}": (overlap_part, config, streams, load, name)
        for load, name in loads
    }
    for (load, name), part in zip(loads, swept(tasks, "overlaps").values()):
        arrays |= {f"{key}-{load}-{name}": values for key, values in part.items()}
        rows += overlap_rows(config, load, name, part)
    runs = [(data, name, sigmoid) for data in ("random", "digits") for name, sigmoid in
            _sigmoids(config, data)]  # fmt: skip
    tasks = {
        f"{data}-{name}": (preservation_part, config, streams, data, sigmoid)
        for data, name, sigmoid in runs
    }
    for (data, name, _), part in zip(runs, swept(tasks, "preservation").values()):
        arrays |= {f"{key}-{data}-{name}": values for key, values in part.items()}
        rows += [
            _row(data, name, mode, config.n_stored if data == "random" else config.n_digits,
                 np.nan, quantity, part[f"{quantity}-{mode}"])
            for mode in MODES for quantity in ("spearman", "null")
        ]  # fmt: skip
    return Outcome({name: [row[name] for row in rows] for name in rows[0]}, arrays)


def _sigmoids(config: Config, data: str) -> list[tuple[str, Any]]:
    """Return names and sigmoids of the preservation runs; digits without the sweep."""
    named: list[tuple[str, Any]] = [(name, name) for name in config.activations]
    if data == "digits":
        return named
    return named + [
        (f"inflection-{value:g}", Sigmoid2014(inflection=value)) for value in config.inflections
    ]


def _row(
    data: str, activation: str, mode: str, n_stored: int, overlap: float, quantity: str,
    values: np.ndarray,
) -> dict[str, Any]:  # fmt: skip
    """Return the mean over nets and its standard error as one row."""
    values = np.asarray(values, dtype=np.float64)
    return {
        "data": data, "activation": activation, "mode": mode, "n_stored": n_stored,
        "overlap": float(overlap), "quantity": quantity, "value": float(values.mean()),
        "error": float(values.std(ddof=1) / np.sqrt(values.size)), "n_nets": values.size,
    }  # fmt: skip


# ------------------------------------------------------------------ one pattern's neighbours


def random_patterns(config: Config, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return patterns of `n_active` inputs, each chosen anew, as rows of bool."""
    order = rng.random((n, config.n_inputs)).argsort(axis=1)
    return order.argsort(axis=1) < config.n_active


def neighbours(target: np.ndarray, overlaps: Any, rng: np.random.Generator) -> np.ndarray:
    """Return a probe for each overlap: so many inputs of `target`, the others from outside it."""
    probes = np.zeros((len(overlaps), target.size), dtype=bool)
    inside, outside = np.flatnonzero(target), np.flatnonzero(~target)
    for probe, shared in zip(probes, overlaps, strict=True):
        probe[rng.permutation(inside)[:shared]] = True
        probe[rng.permutation(outside)[: inside.size - shared]] = True
    return probes


def overlap_part(config: Config, streams: Streams, load: int, activation: Any) -> dict[str, Any]:
    """Return G and the intersections with the target's code, of shape (n_overlaps, n_nets)."""
    rng = streams(f"overlaps-{load}")
    overlaps = range(config.n_active + 1)
    shape = (len(overlaps), config.n_nets)
    G = np.empty(shape, np.float32)  # small types: a kept record stays below 1 MB
    shared = {mode: np.empty(shape, np.int16) for mode in MODES}
    for net in range(config.n_nets):
        patterns, which = random_patterns(config, load, rng), rng.integers(load)
        probes = neighbours(patterns[which], overlaps, rng)
        mac = _mac(config, activation, rng)
        stored = mac.store(patterns).to_dense().reshape(load, -1)[which]
        found = {mode: mac.recall(probes, soft=mode == "drawn") for mode in MODES}
        G[:, net] = found["drawn"].familiarity
        for mode, recall in found.items():
            codes = recall.code.to_dense().reshape(len(overlaps), -1)
            shared[mode][:, net] = (codes & stored).sum(axis=1)
    return {"G": G, **shared}


def _mac(config: Config, activation: Any, rng: np.random.Generator) -> Sparsey:
    """Return an empty mac; its draws in recall go by cue, so its seed is one of its own."""
    seed = int(rng.integers(2**31))
    return Sparsey(
        config.n_modules, config.n_units, activation=activation, random_state=seed, n_threads=1
    )


def overlap_rows(
    config: Config, load: int, name: str, part: dict[str, np.ndarray]
) -> list[dict[str, Any]]:
    """Return G, E|intersection| and how often it is all, for each overlap."""
    rows = []
    for overlap in range(config.n_active + 1):
        rows.append(_row("overlaps", name, "both", load, overlap, "G", part["G"][overlap]))
        for mode in MODES:
            shared = part[mode][overlap]
            rows.append(_row("overlaps", name, mode, load, overlap, "intersection", shared))
            same = shared == config.n_modules
            rows.append(_row("overlaps", name, mode, load, overlap, "exact", same))
    return rows


# ------------------------------------------------------------------ all pairs


def preservation_part(
    config: Config, streams: Streams, data: str, activation: Any
) -> dict[str, np.ndarray]:
    """Return Spearman's coefficient and its null's deviation for every net, in both modes.

    A null of one permutation would do for their mean; the digits, which are claimed upon, get
    more.
    """
    rng, permute = streams(f"preservation-{data}"), streams(f"permutations-{data}")
    n_nets = config.n_families if data == "random" else config.n_digit_nets
    found = {f"{key}-{mode}": np.empty(n_nets) for key in ("spearman", "null") for mode in MODES}
    for net in range(n_nets):
        stored, probes = _family(config, rng) if data == "random" else _digits(config, rng)
        mac = _mac(config, activation, rng)
        mac.store(stored)
        for mode in MODES:
            codes = mac.recall(probes, soft=mode == "drawn").code
            similarity = similarity_preservation(probes, codes, n_permutations=19, rng=permute)
            found[f"spearman-{mode}"][net] = similarity.spearman
            found[f"null-{mode}"][net] = similarity.null_deviation
    return found


def _family(config: Config, rng: np.random.Generator) -> tuple[Any, Any]:
    """Return random patterns, and a probe of each for every overlap but all."""
    patterns = random_patterns(config, config.n_stored, rng)
    probes = [neighbours(target, range(config.n_active), rng) for target in patterns]
    return patterns, np.concatenate([patterns, *probes])


def _digits(config: Config, rng: np.random.Generator) -> tuple[SparseCode, SparseCode]:
    """Return digits to store, and other digits."""
    digits = prepared_digits()
    n = config.n_digits
    chosen = rng.permutation(digits.n_samples)[: n + config.n_digit_probes]
    return digits[np.sort(chosen[:n])], digits[np.sort(chosen[n:])]


@cache
def prepared_digits() -> SparseCode:
    """Return scikit-learn's digits, binarised and thinned in frames of 16 x 24."""
    return prepare_digits(load_digits16())
