"""How much memory the convolutional code of one photograph takes, beside SPORCO's."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from experiments._framework import Outcome, Record, experiment
from experiments.benchmarks._memory import GIB, alone, forget_peak, peak, resident
from experiments.benchmarks._race import load
from sparsecode.core.rng import Streams
from sparsecode.penalties import L1

__all__ = ["CODERS", "Config", "map_memory"]

#: Coders, and the solver of each that is measured.
CODERS: dict[str, tuple[str, dict[str, Any]]] = {
    "sparsecode greedy_cd": ("sparsecode", {"rule": "greedy_cd"}),
    "sparsecode fista": ("sparsecode", {"rule": "fista"}),
    "sparsecode interior_point": ("sparsecode", {"rule": "interior_point"}),
    "sporco ADMM": ("sporco_admm", {}),
    "sporco PGM": ("sporco_pgm", {}),
}


@dataclass(frozen=True)
class Config:
    """How much memory does a photograph's convolutional code take, at a tenth of alpha_max?

    By the operating system's peak of a fresh process, above what it held before the call. Iterative
    solvers reach their peak in the first iterations: they run `n_iter`. Square photographs of
    `side` pixels, kernels of 12 x 12, float32, one thread.
    """

    side: int = 256
    n_atoms: int = 144
    n_iter: int = 5
    tol: float = 1e-2


def measure(coder: str, config: dict[str, Any], alpha: float) -> dict[str, float]:
    """Code a photograph in this process; return GiB beyond what was held, and those of the maps.

    What is compiled and planned is so for a corner of the photograph first, so that hardly any
    memory is left over from before.
    """
    settings = Config(**config)
    photograph, kernels = _problem(settings)
    name, options = CODERS[coder]
    if name == "sparsecode":
        greedy = options["rule"] == "greedy_cd"
        options = {**options, "max_iter": 10_000 if greedy else settings.n_iter}
    made = load("convolutional", "Solver", name)

    def code(X: np.ndarray, D: np.ndarray) -> None:
        solver = made.get_instance(dtype="float32", n_threads=1, **options)
        solver.set_objective(X=X, dictionary=D, penalty=L1(alpha))
        if name == "sparsecode":
            solver.run(settings.tol)
        else:
            solver.start()
            solver.advance(settings.n_iter)

    code(photograph[..., :24, :24], kernels[:4])
    forget_peak()
    before = resident()
    code(photograph, kernels)
    maps = 4.0 * settings.n_atoms * settings.side**2 / GIB
    return {"maps": maps, "beyond": peak() - before}


def _problem(config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Return a photograph and kernels."""
    data = load("convolutional", "Dataset", "natural_images").get_instance(
        side=config.side, n_atoms=config.n_atoms, norms="unit", seed=0
    )
    return tuple(data.get_data().values())


@experiment("map-memory", config=Config, title="Memory of a convolutional code")
def map_memory(config: Config, streams: Streams, progress: Any) -> Outcome:
    """Measure each coder that is installed in a process of its own."""
    here = [
        coder
        for coder, (name, _) in CODERS.items()
        if not name.startswith("sporco") or find_spec("sporco")
    ]
    objective = load("convolutional", "Objective").get_instance(level="tenth")
    objective.set_data(*_problem(config))
    alpha = float(objective.penalty.alpha)
    found = [
        alone("experiments.benchmarks.map_memory", "measure", coder, vars(config), alpha)
        for coder in progress(here, "coders")
    ]
    return Outcome({"coder": here, **{name: [one[name] for one in found] for name in found[0]}}, {})


@map_memory.plot
def figure(record: Record, ax: Any) -> None:
    """Draw the memory of a code."""
    rows = record.table.rows()
    ax.barh([row["coder"] for row in rows], [row["beyond"] for row in rows])
    ax.set(xlabel="GiB beyond what was held before")


if __name__ == "__main__":
    kept = map_memory.run(results="results", progress=True)
    for row in kept.table.rows():
        print(f"{row['coder']:>26}: {row['beyond']:.3f} GiB; one dense code has {row['maps']:.3f}")
