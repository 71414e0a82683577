"""What `memory-capacity` measures: recall on one axis of loads, and rates beside their theory."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

import memory
from experiments import _codes_measure as codes
from experiments.codes_into_memory import Config as CodesConfig
from memory import theory
from memory.measures import recall_curve
from sdr import SDRSpace
from sparsecode.core import SparseCode, intersection
from sparsecode.core.rng import Streams

if TYPE_CHECKING:
    from experiments.memory_capacity import Config

#: Kinds of patterns.
KINDS = ("random", "images", "dense")
#: Columns of the curves that are kept.
KEPT = (
    "trial", "load", "exact", "bit_error", "missing", "spurious", "bits_per_synapse",
    "bits_per_byte",
)  # fmt: skip
#: Patterns whose overlap tells how far a network has drifted.
PROBED = 60


def makers(config: Config, kind: str) -> dict[str, Callable[[Any], Any]]:
    """Return how each memory is made that suits a kind of patterns."""
    k, n = config.n_active, config.n_units
    if kind == "dense":
        return {
            "Hopfield": lambda rng: memory.Hopfield(),
            "Kanerva": lambda rng: memory.SparseDistributedMemory(
                4 * n, radius=_radius(n), random_state=int(rng.integers(2**31))
            ),
            "dense, cubic": lambda rng: memory.DenseMemory("polynomial", degree=3),
        }
    return {
        "Willshaw": lambda rng: memory.Willshaw(n_winners=k),
        "Tsodyks-Feigelman": lambda rng: memory.SparseHopfield(density=k / n, n_winners=k),
        "BCPNN": lambda rng: memory.BCPNN(n_winners=k),
        "Sparsey": lambda rng: memory.Sparsey(24, 8, random_state=int(rng.integers(2**31))),
        "nearest": lambda rng: memory.NearestPattern(),
    }


def _radius(n: int) -> int:
    """Return the radius within which one location in a hundred lies."""
    at = np.array([theory.sdm_activation(n, r) for r in range(n // 2 + 1)])
    return int(np.argmin(np.abs(at - 0.01)))


def tasks(config: Config) -> dict[str, tuple[Any, ...]]:
    """Return every part: the function, and what it is called with."""
    found: dict[str, tuple[Any, ...]] = {
        f"curve-{kind}-{name.replace(', ', '-')}": (curve, kind, name)
        for kind in KINDS
        for name in makers(config, kind)
    }
    found |= {f"willshaw-{load}": (willshaw, load) for load in config.willshaw_loads}
    found |= {f"hopfield-{n}": (hopfield, n) for n in config.hopfield_units}
    found |= {f"sparse-{f:g}": (sparse, f) for f in config.sparse_densities}
    found |= {f"kanerva-{load}": (kanerva, load) for load in config.word_loads}
    return found


def curve(config: Config, streams: Streams, kind: str, name: str) -> dict[str, np.ndarray]:
    """Measure one memory with one kind of patterns."""
    k = config.n_units // 2 if kind == "dense" else config.n_active
    space = SDRSpace(config.n_units, k)

    def damaged(patterns: SparseCode, rng: np.random.Generator) -> SparseCode:
        if kind == "dense":
            return space.corrupt(patterns, n_moved=round(0.1 * k), rng=rng)
        n_missing = max(1, round(config.missing * k))
        return intersection(patterns, space.corrupt(patterns, n_moved=n_missing, rng=rng))

    draw = _images(config, streams) if kind == "images" else lambda n, rng: space.sample(n, rng)
    loads = [load for load in config.loads if kind != "dense" or load <= 2 * config.n_units]
    found = recall_curve(
        makers(config, kind)[name], draw, loads, make_cues=damaged, n_trials=config.n_trials,
        n_cues=config.n_cues, answer="pattern", rng=streams(f"{kind}-{name}"),
    )  # fmt: skip
    return {column: found[column] for column in KEPT}


def _images(config: Config, streams: Streams) -> Callable[[int, np.random.Generator], SparseCode]:
    """Return how to draw l0 codes of natural patches, of one dictionary."""
    how = CodesConfig(
        patch_size=12 if config.n_units >= 512 else 6, n_atoms=config.n_units,
        n_active=config.n_active, n_batches=100, loads=(max(config.loads),),
    )  # fmt: skip
    pool = _pool(how, streams.seed)
    return lambda n, rng: pool[np.sort(rng.choice(pool.n_samples, n, replace=False))]


@cache
def _pool(how: CodesConfig, seed: int) -> SparseCode:
    """Return the images' patterns, which several parts share."""
    streams = Streams(seed)
    atoms = codes.learn_atoms(how, streams)["atoms"]
    return codes.draw_patterns(how, streams, atoms, 0)["l0"]


def _rows(n_rows: int, n: int, k: int, rng: np.random.Generator) -> SparseCode:
    return SDRSpace(n, k).sample(n_rows, rng)


def willshaw(config: Config, streams: Streams, load: int) -> dict[str, np.ndarray]:
    """Count the spurious units of random pairs, trial by trial."""
    n, k, rng = config.willshaw_units, config.n_active, streams(f"willshaw-{load}")
    spurious = []
    for _ in range(config.n_theory_trials):
        one, patterns, targets = memory.Willshaw(), _rows(load, n, k, rng), _rows(load, n, k, rng)
        codes.store(one, patterns, targets)
        spurious.append((one.recall(patterns).code.nnz - targets.nnz) / load)
    return {
        "measured": np.array(spurious),
        "exact": np.array((n - k) * theory.willshaw_false_positive(load, n, k)),
        "limit": np.array((n - k) * theory.willshaw_load(load, n, k) ** k),
    }


def hopfield(config: Config, streams: Streams, n: int) -> dict[str, np.ndarray]:
    """Start from stored patterns and measure their overlap with where the network settles."""
    rng, overlaps = streams(f"hopfield-{n}"), []
    for _ in range(max(2, config.n_theory_trials // 4)):
        row = []
        for alpha in config.hopfield_loads:
            patterns = rng.random((max(1, round(alpha * n)), n)) < 0.5
            one = memory.Hopfield()
            codes.store(one, patterns)
            found = one.recall(patterns[:PROBED]).code.to_dense()
            row.append(2.0 * (found == patterns[:PROBED]).mean(axis=1) - 1.0)
        overlaps.append([[one.mean(), (one > 0.9).mean()] for one in row])
    return {"overlap": np.array(overlaps)}


def sparse(config: Config, streams: Streams, f: float) -> dict[str, np.ndarray]:
    """Find the load at which a network of sparse patterns loses a twentieth of them."""
    n, rng = config.sparse_units, streams(f"sparse-{f:g}")
    k = max(2, round(f * n))
    found = memory.measures.capacity(
        lambda rng: memory.SparseHopfield(density=k / n, n_winners=k),
        lambda many, rng: _rows(many, n, k, rng),
        criterion="missing", tolerance=0.05, low=max(2, n // 20), high=8 * n,
        resolution=0.05, n_trials=max(2, config.n_theory_trials // 4), n_cues=PROBED, rng=rng,
    )  # fmt: skip
    return {"capacity": np.array([found.n_patterns, *found.interval]) / n}


def kanerva(config: Config, streams: Streams, load: int) -> dict[str, np.ndarray]:
    """Count wrong bits of random targets, trial by trial."""
    n, rng = config.words, streams(f"kanerva-{load}")
    wrong = []
    for _ in range(config.n_theory_trials):
        words, targets = (rng.random((load, n)) < 0.5 for _ in range(2))
        one = memory.SparseDistributedMemory(
            config.n_locations, radius=config.radius, random_state=int(rng.integers(2**31))
        )
        one.store(words, targets)
        probed = slice(0, min(load, 200))
        found = one.recall(words[probed]).code.to_dense()
        wrong.append((found != targets[probed]).mean())
    expected = theory.sdm_bit_error(n, config.n_locations, config.radius, load)
    return {"measured": np.array(wrong), "theory": np.array(expected)}


def gather(
    config: Config, found: dict[str, dict[str, np.ndarray]]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the table of all curves, and the arrays that stand beside theory."""
    table: dict[str, list[Any]] = {name: [] for name in ("kind", "memory", *KEPT)}
    for kind in KINDS:
        for name in makers(config, kind):
            part = found[f"curve-{kind}-{name.replace(', ', '-')}"]
            n_rows = len(part["load"])
            table["kind"] += [kind] * n_rows
            table["memory"] += [name] * n_rows
            for column in KEPT:
                table[column] += part[column].tolist()
    willshaws = [found[f"willshaw-{load}"] for load in config.willshaw_loads]
    words = [found[f"kanerva-{load}"] for load in config.word_loads]
    arrays = {f"willshaw_{name}": [one[name] for one in willshaws] for name in willshaws[0]}
    arrays |= {f"kanerva_{name}": [one[name] for one in words] for name in words[0]}
    arrays["hopfield"] = [found[f"hopfield-{n}"]["overlap"] for n in config.hopfield_units]
    arrays["sparse"] = [found[f"sparse-{f:g}"]["capacity"] for f in config.sparse_densities]
    return table, arrays
