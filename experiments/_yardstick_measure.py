"""What `one-yardstick` measures of every system, with the same instruments."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from sklearn.preprocessing import normalize as scaled
from sklearn.svm import LinearSVC

from experiments import _yardstick_networks as networks
from experiments import _yardstick_systems as systems
from experiments._framework import Outcome
from experiments._yardstick_stimuli import Stimuli, stimuli
from memory import Willshaw
from memory.measures import exact_recall
from sdr import SDRSpace
from sparsecode.core import SparseCode, intersection, jaccard
from sparsecode.core.compare import similarity_matrix
from sparsecode.core.measures import population, vinje_gallant
from sparsecode.core.rng import Streams

if TYPE_CHECKING:
    from experiments.one_yardstick import Config

__all__ = ["BLOCKS", "MEASURES", "measure", "runs"]

BLOCKS = ("photographs", "digits")
#: Everything that is measured of a system, with what it is called in tables and figures.
MEASURES = {
    "density": "active",
    "population": "population sparseness",
    "lifetime": "lifetime sparseness",
    "silent": "silent units",
    "robust": "active units kept under noise",
    "strangers": "active units that two stimuli share",
    "read-out": "classified",
    "read-out, noise": "classified under noise",
    "capacity": "codes held",
    "share of random": "codes held, of random ones",
    "certificate": "largest certificate",
    "converged": "converged",
}
#: What is taken from a cue, share of the active units; share of exact recall at capacity.
MISSING, LEVEL = 0.3, 0.9
#: Regularisation that the linear read-out may choose from, on a fifth of what it learns from.
REGULARISATION = (0.1, 1.0, 10.0)
#: Quantile of the active units that all stored patterns have at least.
LEAST = 0.25


def runs(config: Config) -> list[tuple[str, str, float, int]]:
    """Return block, system, density (NaN: its own) and repeat of every run."""
    with_density, without = [*systems.TUNED], [*systems.OWN]
    if config.networks:
        with_density += networks.TUNED
        without += networks.OWN
    tuned = [(name, density) for name in with_density for density in config.densities]
    own = [(name, np.nan) for name in without]
    return [
        (block, name, density, repeat)
        for block in config.blocks
        for repeat in range(config.n_repeats)
        for name, density in (*tuned, *own)
    ]


def measure(config: Config, streams: Streams, swept: Any) -> Outcome:
    """Return the table in long form, and the likeness of geometries as arrays."""
    rows: list[dict[str, Any]] = []
    codes: dict[tuple[str, int], dict[str, SparseCode]] = {}
    draws = [(block, repeat) for block in config.blocks for repeat in range(config.n_repeats)]
    seen = {draw: stimuli(config, draw[0], streams, draw[1]) for draw in draws}
    learned = swept(
        {
            f"atoms-{block}-{repeat}": (_atoms, config, seen[block, repeat], streams, block, repeat)
            for block, repeat in draws
        },
        "dictionaries",
    )
    tasks = {
        _key(*run): (
            one, config, streams, *run, seen[run[0], run[3]],
            learned[f"atoms-{run[0]}-{run[3]}"]["atoms"],
        )
        for run in runs(config)
    }  # fmt: skip
    found = swept(tasks, "systems")
    for block, name, density, repeat in runs(config):
        draw, label = (block, repeat), _label(name, density)
        part = found[_key(block, name, density, repeat)]
        code = SparseCode(part["indptr"], part["indices"], part["values"], (int(part["n_units"]),))
        codes.setdefault(draw, {})[label] = code
        rows += [
            {"block": block, "system": name, "target": float(density), "repeat": repeat,
             "measure": quantity, "value": float(part[quantity])}
            for quantity in MEASURES if quantity in part
        ]  # fmt: skip
    arrays = {}
    for block in config.blocks:
        found = [_likeness(codes[block, repeat]) for repeat in range(config.n_repeats)]
        arrays[f"cka-{block}"] = np.stack(found).astype(np.float32)
    return Outcome({name: [row[name] for row in rows] for name in rows[0]}, arrays)


def _label(name: str, density: float) -> str:
    return name if np.isnan(density) else f"{name}, {density:.0%}"


def _key(block: str, name: str, density: float, repeat: int) -> str:
    return re.sub(r"[^\w.-]+", "-", f"{block}-{_label(name, density)}-{repeat}")


def _atoms(
    config: Config, seen: Stimuli, streams: Streams, block: str, repeat: int
) -> dict[str, np.ndarray]:
    return {"atoms": systems.learn_atoms(config, seen, streams(f"atoms-{block}-{repeat}"))}


def one(
    config: Config, streams: Streams, block: str, name: str, density: float, repeat: int,
    seen: Stimuli, atoms: np.ndarray,
) -> dict[str, Any]:  # fmt: skip
    """Let a system learn, and measure its codes of stimuli that it has not seen."""
    seed = int(streams(f"{block}-{name}-{density}-{repeat}").integers(2**31))
    make = systems.fit if name in (*systems.TUNED, *systems.OWN) else networks.fit
    fitted = make(config, name, density, seen, atoms, seed)
    train = fitted.encode(seen.X)
    test = fitted.encode(seen.X_test)
    found: dict[str, Any] = {}
    if fitted.certificate is not None:
        found["certificate"], found["converged"] = fitted.certificate()
    noise = streams(f"noise-{block}-{repeat}").standard_normal(seen.X_test.shape, dtype=np.float32)
    noisy = fitted.encode(seen.X_test + np.float32(config.noise) * noise)
    found |= sparseness(test)
    found |= robustness(test, noisy, streams(f"strangers-{repeat}"))
    found |= read_out(train, seen.y, {"read-out": test, "read-out, noise": noisy}, seen.y_test)
    found |= holding(test, streams(f"memory-{block}-{name}-{density}-{repeat}"))
    flat = test if len(test.unit_shape) == 1 else _flat(test)
    return found | {
        "indptr": flat.indptr, "indices": flat.indices, "n_units": flat.n_units,
        "values": np.ones(flat.nnz, np.float32) if flat.values is None else flat.values,
    }  # fmt: skip


def _flat(code: SparseCode) -> SparseCode:
    return SparseCode(code.indptr, code.indices, code.values, (code.n_units,))


def sparseness(code: SparseCode) -> dict[str, float]:
    """Return density, and sparseness over units and over stimuli (Vinje & Gallant), medians."""
    lifetime = vinje_gallant(code, axis=0)
    return {
        "density": code.density,
        "population": float(np.nanmedian(population(code, "vinje_gallant"))),
        "lifetime": float(np.nanmedian(lifetime)),
        "silent": float(np.mean(np.isnan(lifetime))),
    }


def robustness(clean: SparseCode, noisy: SparseCode, rng: np.random.Generator) -> dict[str, float]:
    """Return Jaccard's index of active units: with the noisy stimulus, and with another one."""
    other = clean[np.roll(np.arange(clean.n_samples), 1 + int(rng.integers(clean.n_samples - 1)))]
    return {
        "robust": float(np.nanmean(jaccard(clean, noisy, rowwise=True))),
        "strangers": float(np.nanmean(jaccard(clean, other, rowwise=True))),
    }


def read_out(
    train: SparseCode, y: np.ndarray, tests: dict[str, SparseCode], y_test: np.ndarray
) -> dict[str, float]:
    """Return the shares that a linear classifier gets right, of rows scaled to unit length."""

    def rows(code: SparseCode) -> sparse.csr_array:
        return scaled(code.to_scipy().astype(np.float64))

    X, n_kept = rows(train), 4 * len(y) // 5
    shares = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of iterations that end early
        for C in REGULARISATION:
            model = LinearSVC(C=C, random_state=0).fit(X[:n_kept], y[:n_kept])
            shares.append(model.score(X[n_kept:], y[n_kept:]))
        model = LinearSVC(C=REGULARISATION[int(np.argmax(shares))], random_state=0).fit(X, y)
    return {name: float(model.score(rows(code), y_test)) for name, code in tests.items()}


def holding(code: SparseCode, rng: np.random.Generator) -> dict[str, float]:
    """Return how many codes a Willshaw memory holds, and that over as many random codes.

    Each becomes a pattern of its k strongest units, k being the number that three quarters of
    the codes have. Cues lack 30 % of them; held are as many as 90 % of which come back exactly.
    """
    k = int(np.quantile(code.n_active, LEAST))
    if k < 2:
        return {"capacity": 0.0, "share of random": 0.0}
    patterns = _flat(code)[np.flatnonzero(code.n_active >= k)].binarize(k=k)
    space = SDRSpace(code.n_units, k)
    random = space.sample(patterns.n_samples, rng)
    held, chance = (_held(one, space, k, rng) for one in (patterns, random))
    return {"capacity": held, "share of random": held / chance if chance else np.nan}


def _held(patterns: SparseCode, space: SDRSpace, k: int, rng: np.random.Generator) -> float:
    """Return the load at which exact recall falls below the level, loads doubling."""
    memory, stored, before = Willshaw(n_winners=k), 0, 1.0
    load = 8
    while True:
        load = min(load, patterns.n_samples)
        with warnings.catch_warnings():  # of a memory that is full, which is what is looked for
            warnings.simplefilter("ignore", UserWarning)
            memory.store(patterns[stored:load])
        truth = patterns[np.sort(rng.choice(load, min(load, 200), replace=False))]
        n_missing = max(1, round(MISSING * k))
        cues = intersection(truth, space.corrupt(truth, n_moved=n_missing, rng=rng))
        exact = float(exact_recall(memory.recall(cues).pattern, truth))
        if exact < LEVEL:
            part = (before - LEVEL) / (before - exact)
            return stored * (load / stored) ** part if stored else 0.0
        if load == patterns.n_samples:
            return float(load)
        stored, before, load = load, exact, 2 * load


def _likeness(codes: dict[str, SparseCode]) -> np.ndarray:
    """Return the debiased CKA of every pair of systems."""
    return similarity_matrix(list(codes.values()), "cka", debiased=True, space="samples")
