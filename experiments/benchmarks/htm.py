"""Steps a second of spatial pooler and temporal memory, beside htm.core's figures.

htm.core is not run here: it needs a long build by hand. Its figures were measured once on a machine
whose limits are known, on one thread; they are multiplied by how much faster this machine's limits
are now. That is no race side by side, and the ratios say so. Which limit holds htm.core back is not
known, so there are two: the speed of arithmetic, and that of memory, which swings most with what
else the machine's memory serves.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from experiments._framework import Outcome, Record, experiment
from experiments.benchmarks._limits import machine_limits
from sdr.pooling import SpatialPooler
from sdr.temporal import TemporalMemory
from sparsecode.core import SparseCode
from sparsecode.core.rng import Streams

__all__ = ["FIGURES", "LIMITS", "Config", "Figure", "htm"]


class Figure(NamedTuple):
    """Steps a second of htm.core 2.2.0 (8948288) on one thread, the best that were seen."""

    task: str
    figure: float
    goal: float  # how many times as fast ours is to be


FIGURES = (
    Figure("pooler, 1024 inputs, infer", 8800, 3),
    Figure("pooler, 1024 inputs, learn", 1500, 10),
    Figure("pooler, 4096 inputs, infer", 5100, 3),
    Figure("pooler, 4096 inputs, learn", 408, 10),
    Figure("memory, 16 cells, learned sequence, infer", 22000, 1),
    Figure("memory, 16 cells, learned sequence, learn", 15000, 1),
    Figure("memory, 16 cells, novel elements, learn", 4200, 2),
    Figure("memory, 32 cells, learned sequence, infer", 32000, 1),
    Figure("memory, 32 cells, learned sequence, learn", 22000, 1),
    Figure("memory, 32 cells, novel elements, learn", 3800, 2),
)
#: Limits of the machine on which the figures were measured, by the names of `machine_limits`.
LIMITS = {
    "GEMM float32, 1 thread, GFLOP/s": 124.0,
    "GEMM float64, 1 thread, GFLOP/s": 57.0,
    "triad float64, 1 thread, GB/s": 12.0,
}


@dataclass(frozen=True)
class Config:
    """How many steps a second do spatial pooler and temporal memory take on one thread?

    2,048 columns of which 2 % win. How many inputs were active for the figures is not known: here
    `density`, 10 %, which costs more than fewer would. The pooler of 1,024 inputs has them all in
    its potential pools, that of 4,096 inputs half of them. A learned sequence has `n_learned`
    elements, a novel one 300. The fastest of `n_rounds` runs counts, in seconds of the processor,
    which other programs change less than those of the clock. Figures are multiplied by the limit
    that has risen most, and never lowered, so that no choice among limits favours ours.
    """

    n_columns: int = 2048
    density: float = 0.1
    n_samples: int = 500
    n_learned: int = 100
    n_novel: int = 300
    n_rounds: int = 5
    n_matrix: int = 4096


def _pooler_rates(config: Config, n_inputs: int, fraction: float, streams: Streams) -> list[float]:
    """Return steps a second of inference and of learning."""
    rng = streams(f"inputs-{n_inputs}")
    n_active = max(1, round(config.density * n_inputs))
    X = _random(config.n_samples, n_inputs, n_active, rng)
    pooler = SpatialPooler(
        config.n_columns, density=0.02, potential_fraction=fraction, n_threads=1,
        random_state=streams(f"synapses-{n_inputs}"),
    ).fit(X)  # fmt: skip
    infer = _fastest(lambda: pooler.encode(X), config.n_rounds)
    learn = _fastest(lambda: pooler.encode(X, learn=True), config.n_rounds)
    return [config.n_samples / infer, config.n_samples / learn]


def _memory_rates(config: Config, n_cells: int, streams: Streams) -> list[float]:
    """Return steps a second of inference and learning, and of learning what is novel."""
    rng = streams(f"elements-{n_cells}")
    n_active = max(1, round(0.02 * config.n_columns))
    known = _random(config.n_learned, config.n_columns, n_active, rng)
    known = SparseCode.concatenate([known] * 5)
    novel = _random(config.n_novel, config.n_columns, n_active, rng)

    def fresh() -> TemporalMemory:
        return TemporalMemory(config.n_columns, n_cells, rng=streams(f"memory-{n_cells}"))

    memory = fresh().partial_fit(known).partial_fit(known)
    infer = _fastest(lambda: memory.anomaly(known), config.n_rounds)
    learn = _fastest(lambda: memory.partial_fit(known), config.n_rounds)
    empty = [fresh() for _ in range(config.n_rounds + 1)]
    burst = _fastest(lambda: empty.pop().partial_fit(novel), config.n_rounds)
    return [known.n_samples / infer, known.n_samples / learn, config.n_novel / burst]


def _random(n_samples: int, n_units: int, n_active: int, rng: np.random.Generator) -> SparseCode:
    rows = [rng.choice(n_units, n_active, replace=False) for _ in range(n_samples)]
    return SparseCode.from_indices(rows, n_units)


def _fastest(work: Callable[[], object], n_rounds: int) -> float:
    """Return the processor's seconds of the fastest run after a warm-up."""
    seconds = []
    for _ in range(n_rounds + 1):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds[1:])


@experiment(
    "htm",
    config=Config,
    title="Spatial pooler and temporal memory, beside htm.core's figures",
    smoke=dict(n_columns=64, n_samples=20, n_learned=10, n_novel=20, n_rounds=1, n_matrix=64),
    quick=dict(n_samples=200, n_rounds=3, n_matrix=2048),
)
def htm(config: Config, streams: Streams, progress: Any) -> Outcome:
    """Time every task, and rescale the figures by limits that are measured in the same run."""
    limits = machine_limits(config.n_matrix)
    faster = {name: limits[name] / before for name, before in LIMITS.items()}
    arithmetic = max(1.0, *(rate for name, rate in faster.items() if "GEMM" in name))
    memory = max(1.0, *(rate for name, rate in faster.items() if "triad" in name))
    parts: list[Callable[[], list[float]]] = [
        lambda: _pooler_rates(config, 1024, 1.0, streams),
        lambda: _pooler_rates(config, 4096, 0.5, streams),
        lambda: _memory_rates(config, 16, streams),
        lambda: _memory_rates(config, 32, streams),
    ]
    ours = np.concatenate([part() for part in progress(parts, "tasks")])
    figures = np.array([one.figure for one in FIGURES])
    return Outcome(
        {
            "task": [one.task for one in FIGURES],
            "ours": ours,
            "htm_core_figure": figures,
            "by_arithmetic": ours / (arithmetic * figures),
            "by_memory": ours / (memory * figures),
            "goal": [one.goal for one in FIGURES],
        },
        {
            "arithmetic": np.array(arithmetic),
            "memory": np.array(memory),
            "limits": np.array([limits[name] for name in LIMITS]),
        },
    )


@htm.plot
def figure(record: Record, ax: Any) -> None:
    """Draw how many times as fast ours is, rescaled by either limit, with the goals."""
    rows = record.table.rows()[::-1]
    labels = [row["task"] for row in rows]
    for name, color in (("by_arithmetic", "#56b4e9"), ("by_memory", "#0072b2")):
        label = name.replace("by_", "rescaled by ")
        ax.barh(labels, [row[name] for row in rows], color=color, height=0.6, label=label)
    ax.plot([row["goal"] for row in rows], labels, "|", color="#d55e00", markersize=14, mew=2)
    ax.set(xscale="log", xlabel="times htm.core's figure, rescaled (not side by side)")
    ax.set_xticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
    ax.set_xlim(left=0.5)
    ax.set_title("Steps a second on one thread; goals in red", loc="right")
    ax.legend(loc="lower right")


if __name__ == "__main__":
    kept = htm.run(results="results", progress=True)
    for row in kept.table.rows():
        print(
            f"{row['task']:>42}: {row['ours']:9,.0f} steps/s; htm.core's figure "
            f"{row['htm_core_figure']:,.0f}: {row['by_arithmetic']:.1f} times that, rescaled by "
            f"arithmetic, {row['by_memory']:.1f} by memory; goal {row['goal']:g}"
        )
    factors = {name: float(kept.arrays[name]) for name in ("arithmetic", "memory")}
    print(f"figures multiplied by {factors}; not side by side")
