"""What `codes-into-memory` measures: codes of patches, and what each memory recalls of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

import memory
from experiments._v1_measure import load
from memory.measures import exact_recall, missing, spurious
from sdr import SDRSpace, SpatialPooler
from sparsecode import datasets, penalties
from sparsecode.core import SparseCode, intersection, normalize, overlap
from sparsecode.core.rng import Streams
from sparsecode.learning import online
from sparsecode.solvers import alpha_for_density, encode

if TYPE_CHECKING:
    from experiments.codes_into_memory import Config

#: Where patterns come from, in the order of arrays and legends.
PENALTIES = ("l1", "l0", "cel0")
SOURCES = (*PENALTIES, "pooler", "random", "as often as l0")
#: How cues are damaged.
DAMAGES = ("missing", "moved")
#: Columns of the table; arrays of every repeat.
COLUMNS = ("repeat", "source", "memory", "damage", "load", "exact", "missing", "spurious")
ARRAYS = ("shapes", "agreement")
#: What is measured of the patterns themselves.
SHAPES = ("mean overlap", "largest overlap", "entropy of use", "units never used")
#: Patches drawn for each that is needed: some have too few active atoms.
SPARE = 3.0


def makers(config: Config) -> dict[str, Callable[[], Any]]:
    """Return how each memory is made anew."""
    k, n = config.n_active, config.n_atoms
    return {
        "Willshaw": lambda: memory.Willshaw(n_winners=k),
        "Tsodyks-Feigelman": lambda: memory.SparseHopfield(density=k / n, n_winners=k),
        "BCPNN": lambda: memory.BCPNN(n_winners=k),
        "Sparsey": lambda: memory.Sparsey(24, 8, random_state=0),
        "nearest": lambda: memory.NearestPattern(),
    }


def learn_atoms(config: Config, streams: Streams) -> dict[str, np.ndarray]:
    """Learn the atoms that all penalties share, from l1 codes of the wanted activity."""
    shape = config.n_atoms, config.patch_size**2
    atoms = normalize(streams("atoms").standard_normal(shape, dtype=np.float32))
    batches = datasets.patch_batches(
        load("natural"), 256, size=config.patch_size, rng=streams("learning"), dtype=np.float32
    )
    sample = _patches(config, streams("calibration"), 1000)
    for n_batches in (config.n_batches // 4, config.n_batches - config.n_batches // 4):
        struct = _tuned(config, sample, atoms, "l1")
        atoms = online(
            batches, atoms, struct, n_batches=n_batches, rng=streams(f"order-{n_batches}")
        ).dictionary
    return {"atoms": atoms}


def _patches(config: Config, rng: np.random.Generator, n_patches: int) -> np.ndarray:
    return datasets.extract_patches(
        load("natural"), config.patch_size, n_patches=n_patches, rng=rng, dtype=np.float32
    )


def _tuned(config: Config, sample: np.ndarray, atoms: np.ndarray, name: str) -> Any:
    """Return a penalty with the weight that gives the wanted mean activity."""
    struct = penalties.make(name)
    density = config.surplus * config.n_active / config.n_atoms
    return struct._replace(alpha=alpha_for_density(sample, atoms, struct, density, rtol=0.02))


def draw_patterns(
    config: Config, streams: Streams, atoms: np.ndarray, repeat: int
) -> dict[str, SparseCode]:
    """Return as many patterns from every source, each with `n_active` active units."""
    needed, k = config.loads[-1], config.n_active
    patches = _patches(config, streams(f"patches-{repeat}"), int(SPARE * needed) + 50)
    coded = {}
    for name in PENALTIES:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            coded[name] = encode(patches, atoms, _tuned(config, patches[:1000], atoms, name)).code
    enough = np.all([code.n_active >= k for code in coded.values()], axis=0)
    kept = np.flatnonzero(enough)[:needed]
    if kept.size < needed:
        raise ValueError(
            f"surplus must give {needed} patches with {k} active atoms by every penalty; got "
            f"{kept.size}. Raise it."
        )
    found = {name: code[kept].binarize(k=k) for name, code in coded.items()}
    found["pooler"] = _pooled(config, streams, patches[kept], repeat)
    space = SDRSpace(config.n_atoms, k)
    found["random"] = space.sample(needed, streams(f"random-{repeat}"))
    often = np.bincount(found["l0"].indices, minlength=config.n_atoms) / found["l0"].nnz
    rng = streams(f"often-{repeat}")
    # the largest of exponentials with such rates: drawing one unit after another without return
    keys = np.log(rng.random((needed, config.n_atoms))) / np.maximum(often, 1e-300)
    rows = np.argpartition(keys, -k, axis=1)[:, -k:]
    found["as often as l0"] = SparseCode.from_indices(rows, config.n_atoms)
    return found


def _pooled(config: Config, streams: Streams, patches: np.ndarray, repeat: int) -> SparseCode:
    """Return what a spatial pooler makes of the brightest and darkest quarter of the pixels."""
    quarter = patches.shape[1] // 4
    order = np.argsort(patches, axis=1, kind="stable")
    binary = np.zeros((len(patches), 2 * patches.shape[1]), bool)
    np.put_along_axis(binary, order[:, -quarter:], True, axis=1)
    np.put_along_axis(binary, patches.shape[1] + order[:, :quarter], True, axis=1)
    pooler = SpatialPooler(
        config.n_atoms, density=config.n_active / config.n_atoms, boost_strength=3.0,
        random_state=streams(f"pooler-{repeat}"),
    )  # fmt: skip
    return pooler.fit(binary).encode(binary)


def damage(config: Config, kind: str, patterns: SparseCode, rng: np.random.Generator) -> SparseCode:
    """Return patterns of which active units are missing, or have moved elsewhere."""
    space = SDRSpace(config.n_atoms, config.n_active)
    n_moved = max(1, round(getattr(config, kind) * config.n_active))
    moved = space.corrupt(patterns, n_moved=n_moved, rng=rng)
    return intersection(patterns, moved) if kind == "missing" else moved


def one_repeat(
    config: Config, streams: Streams, atoms: np.ndarray, repeat: int
) -> dict[str, np.ndarray]:
    """Store the patterns of every source in every memory, and recall a sample at each load."""
    patterns = draw_patterns(config, streams, atoms, repeat)
    made = makers(config)
    errors = np.full((len(SOURCES), len(made), len(DAMAGES), len(config.loads), 3), np.nan)
    for s, source in enumerate(SOURCES):
        for m, make in enumerate(made.values()):
            one, stored = make(), 0
            for at, n_stored in enumerate(config.loads):
                store(one, patterns[source][stored:n_stored])
                stored = n_stored
                rng = streams(f"cues-{repeat}-{n_stored}")
                rows = np.sort(rng.choice(n_stored, min(config.n_cues, n_stored), replace=False))
                truth = patterns[source][rows]
                for d, kind in enumerate(DAMAGES):
                    answer = one.recall(damage(config, kind, truth, rng)).pattern
                    errors[s, m, d, at] = (
                        exact_recall(answer, truth), missing(answer, truth).mean(),
                        spurious(answer, truth).mean(),
                    )  # fmt: skip
    return {
        "errors": errors,
        "shapes": np.array([shape(patterns[source]) for source in SOURCES]),
        "agreement": agreement(patterns),
    }


def store(one: Any, *patterns: Any) -> None:
    """Store, beyond what the memory is made for too."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        one.store(*patterns)


def shape(patterns: SparseCode, n_pairs: int = 1000) -> list[float]:
    """Return how alike patterns are, and how evenly they use the units."""
    some = patterns[:n_pairs]
    shared = overlap(some, some)
    shared = shared[~np.eye(len(shared), dtype=bool)]
    use = np.bincount(patterns.indices, minlength=patterns.n_units) / patterns.n_samples
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = -np.nan_to_num(use * np.log2(use)) - np.nan_to_num((1 - use) * np.log2(1 - use))
    return [
        float(shared.mean()), float(shared.max()), float(bits.mean()), float((use == 0).mean())
    ]  # fmt: skip


def agreement(patterns: dict[str, SparseCode]) -> np.ndarray:
    """Return the shares of active units that two penalties agree on, each pair once."""
    pairs = [(a, b) for i, a in enumerate(PENALTIES) for b in PENALTIES[i + 1 :]]
    k = patterns["l0"].n_active.mean()
    return np.array([overlap(patterns[a], patterns[b], rowwise=True).mean() / k for a, b in pairs])


def rows(config: Config, repeat: int, found: dict[str, np.ndarray]) -> list[tuple[Any, ...]]:
    """Return a repeat's rows of the table."""
    names = list(makers(config))
    return [
        (repeat, source, name, kind, load_, *map(float, found["errors"][s, m, d, at]))
        for s, source in enumerate(SOURCES)
        for m, name in enumerate(names)
        for d, kind in enumerate(DAMAGES)
        for at, load_ in enumerate(config.loads)
    ]


def capacity(loads: np.ndarray, exact: np.ndarray, level: float) -> float:
    """Return the load at which exact recall falls below a level, between loads on a line of logs.

    The largest load where it never does, 0 where it already is below at the smallest one.
    """
    below = np.flatnonzero(exact < level)
    if not below.size:
        return float(loads[-1])
    first = below[0]
    if first == 0:
        return 0.0
    above, under = exact[first - 1], exact[first]
    part = (above - level) / (above - under)
    return float(loads[first - 1] * (loads[first] / loads[first - 1]) ** part)
