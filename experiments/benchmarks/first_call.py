"""How long the first call of each solver takes: with nothing compiled, and with kernels on disk."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from experiments._framework import Outcome, Record, experiment
from sparsecode.core.rng import Streams

__all__ = ["Config", "first_call"]

ROOT = Path(__file__).resolve().parent.parent.parent
#: Stands for what the README's example calls.
EXAMPLE = "the example of the README"
#: A fresh process: two timed calls, imports left out.
CHILD = (
    "import json, sys; from experiments.benchmarks.first_call import time_calls; "
    "print(json.dumps(time_calls(sys.argv[1])))"
)


@dataclass(frozen=True)
class Config:
    """How many seconds does the first call of each solver take in a fresh process?

    On eight samples and twelve atoms, imports left out. Cold: into an empty folder, so that
    kernels are compiled. Warm: the median of `n_rounds` processes that find them there. Seconds
    are those of the processor, which other programs change less than those of the clock. By
    default all solvers are timed, and what the README's example calls.
    """

    solvers: tuple[str, ...] = ()
    n_rounds: int = 5


def ways(name: str) -> list[Callable[[], Any]]:
    """Return calls of a solver, of which it may refuse the first, or what the example calls."""
    from sparsecode import learning, penalties, solvers
    from sparsecode.cli.warm_up import calls, problem

    X, atoms = problem(np.dtype(np.float64))
    structs = [struct(0.1) for struct in penalties.registered().values()]
    if name != EXAMPLE:
        return calls(solvers.get(name), X, atoms, structs)

    def example() -> None:
        learned = learning.olshausen_field([X, X], atoms, penalties.L1(0.2), rng=0).dictionary
        for penalty in ("l1", "cel0"):
            alpha = solvers.alpha_for_density(X, learned, penalty, 0.2, rtol=0.5)
            solvers.encode(X, learned, penalties.make(penalty, alpha))

    return [example]


def time_calls(name: str) -> tuple[float, float]:
    """Return the processor's seconds of the first call that is not refused, and of one more."""
    from sparsecode.cli.warm_up import accepted

    logging.getLogger("sparsecode").setLevel(logging.ERROR)  # of kernels being compiled
    for call in ways(name):
        start = time.process_time()
        if accepted(call):
            first = time.process_time()
            accepted(call)
            return first - start, time.process_time() - first
    raise ValueError(f"{name} must take one of the calls of the warm-up; it refuses all of them.")


def _fresh(name: str, folder: str) -> tuple[float, float]:
    """Return what :func:`time_calls` says in a fresh process that keeps its kernels in `folder`."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", CHILD, name], check=True, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": path, "NUMBA_CACHE_DIR": folder},
    )  # fmt: skip
    first, second = json.loads(done.stdout)
    return first, second


@experiment("first-call", config=Config, title="The first call of each solver, cold and warm")
def first_call(config: Config, streams: Streams, progress: Any) -> Outcome:
    """Time first calls in processes that start one after another."""
    from sparsecode.solvers import registered

    names = config.solvers or (EXAMPLE, *registered())
    cold, warm, later = [], [], []
    for name in progress(names, "solvers"):
        with tempfile.TemporaryDirectory() as folder:
            measure = partial(_fresh, name, folder)
            cold.append(measure()[0])
            rounds = np.array([measure() for _ in range(config.n_rounds)])
        warm.append(rounds[:, 0])
        later.append(float(np.median(rounds[:, 1])))
    return Outcome(
        {
            "solver": list(names),
            "cold": cold,
            "warm": [float(np.median(rounds)) for rounds in warm],
            "later": later,
        },
        {"seconds": np.array(warm)},
    )


@first_call.plot
def figure(record: Record, ax: Any) -> None:
    """Draw the seconds of each solver, the slowest on top."""
    rows = sorted(record.table.rows(), key=lambda row: row["cold"])
    labels = [row["solver"] for row in rows]
    for column, color, text in (("cold", "0.7", "compiled"), ("warm", "C0", "kernels on disk")):
        ax.barh(labels, [row[column] for row in rows], color=color, label=text)
    ax.axvline(1.0, color="k", linewidth=0.8)
    ax.set(xscale="log", xlabel="seconds of the first call")
    ax.legend()


if __name__ == "__main__":
    kept = first_call.run(results="results", progress=True)
    for row in kept.table.rows():
        print(
            f"{row['solver']:>25}: cold {row['cold']:6.2f} s, warm {row['warm']:5.2f} s, "
            f"later {1000 * row['later']:5.1f} ms"
        )
