"""How much memory the convolutional code of one photograph takes, beside SPORCO's."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from experiments._framework import Outcome, Record, experiment
from experiments.benchmarks._memory import GIB, alone, forget_peak, peak, resident
from sparsecode.core.rng import Streams

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


def measure(coder: str, config: dict[str, Any]) -> dict[str, float]:
    """Code a photograph in this process; return GiB beyond what was held, and those of the maps."""
    from experiments.benchmarks._race import load

    settings = Config(**config)
    name, options = CODERS[coder]
    data = load("convolutional", "Dataset", "natural_images")
    photograph = data.get_instance(
        side=settings.side, n_atoms=settings.n_atoms, norms="unit", seed=0
    ).get_data()
    objective = load("convolutional", "Objective").get_instance(level="tenth")
    objective.set_data(**photograph)
    greedy = options.get("rule") == "greedy_cd"
    if name == "sparsecode":
        options = {**options, "max_iter": 10_000 if greedy else settings.n_iter}
    solver = load("convolutional", "Solver", name).get_instance(
        dtype="float32", n_threads=1, **options
    )
    solver.set_objective(**objective.get_objective())
    if name == "sparsecode":
        solver.warm_up()
    forget_peak()
    before = resident()
    if name != "sparsecode":
        solver.start()
        solver.advance(settings.n_iter)
    else:
        solver.run(settings.tol)
    maps = 4.0 * settings.n_atoms * settings.side**2 / GIB
    return {"maps": maps, "beyond": peak() - before}


@experiment("map-memory", config=Config, title="Memory of a convolutional code")
def map_memory(config: Config, streams: Streams, progress: Any) -> Outcome:
    """Measure each coder that is installed in a process of its own."""
    here = [
        coder
        for coder, (name, _) in CODERS.items()
        if not name.startswith("sporco") or find_spec("sporco")
    ]
    found = [
        alone("experiments.benchmarks.map_memory", "measure", coder, vars(config))
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
