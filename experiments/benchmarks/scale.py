"""Rows beyond memory: coded, killed twice, resumed and compared; workers and shards, timed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap

from experiments._framework import Outcome, Record, experiment
from experiments.benchmarks._memory import CHILD, ROOT, alone, peak
from sparsecode.core.rng import Streams
from sparsecode.scale import StoredCodes, encode_shards
from sparsecode.scale.manifest import NAME
from sparsecode.solvers import omp

__all__ = ["Config", "scale"]


@dataclass(frozen=True)
class Config:
    """What does it take to code ten million rows on a small machine, and what do shards cost?

    Gaussian rows of `n_features` in float32, a random dictionary of `n_atoms`, `n_nonzero` atoms a
    row by OMP. A process that codes `n_rows` of them on two threads is killed with SIGKILL
    `n_kills` times, at random moments, and started again; its shards must be those of a run that
    nobody interrupts, on two processes. Memory is the peak of each process, mapped pages included.
    Throughput is measured on `n_timed` rows, medians of `n_rounds`; the overhead of a shard on
    `n_tiny` shards of `tiny_rows` rows, beside as many calls of the solver.
    """

    n_rows: int = 10_000_000
    n_features: int = 64
    n_atoms: int = 128
    n_nonzero: int = 5
    shard_rows: int = 131_072
    n_kills: int = 2
    n_timed: int = 1_000_000
    n_rounds: int = 5
    n_tiny: int = 200
    tiny_rows: int = 64


def code(rows: str, folder: str, config: dict[str, Any], how: dict[str, Any]) -> dict[str, float]:
    """Code the rows of a file in this process; return seconds and its peak of memory in GiB."""
    settings = Config(**config)
    start = time.perf_counter()
    run = encode_shards(
        rows, _atoms(settings), folder, solver="omp", n_nonzero=settings.n_nonzero,
        shard_rows=settings.shard_rows, **how,
    )  # fmt: skip
    return {
        "seconds": time.perf_counter() - start, "peak": peak(), "encoded": run.n_encoded,
        "skipped": run.n_skipped,
    }  # fmt: skip


@experiment("scale", config=Config, title="Rows beyond memory")
def scale(config: Config, streams: Streams, progress: Any) -> Outcome:
    """Kill, resume and compare; then time workers, and shards that are hardly any work."""
    columns: dict[str, list[Any]] = {"what": [], "value": [], "unit": []}

    def say(what: str, value: Any, unit: str) -> None:
        for name, one in (("what", what), ("value", float(value)), ("unit", unit)):
            columns[name].append(one)

    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", ".")) as folder:
        rows = _write(Path(folder) / "rows.npy", config, streams)
        say("rows", config.n_rows, "rows")
        say("rows on disk", rows.stat().st_size / 2**30, "GiB")
        killed = _killed(rows, Path(folder) / "killed", config, streams)
        whole = _alone(rows, Path(folder) / "whole", config, {"n_workers": 2, "n_threads": 1})
        same = _digests(Path(folder) / "killed") == _digests(Path(folder) / "whole")
        say("times killed", config.n_kills, "")
        say("shards done before each kill", np.mean(killed["done"]), "of all, mean")
        say("killed and resumed: peak memory", killed["peak"], "GiB")
        say("uninterrupted on two processes: peak memory of the first", whole["peak"], "GiB")
        say("shards are the same", same, "")
        say("largest certificate", StoredCodes(Path(folder) / "killed").certificate, "")
        seconds = _timed(rows, Path(folder), config, progress)
        for name, each in seconds.items():
            say(f"{name}", config.n_timed / np.median(each), "rows a second")
        say("overhead of a shard", _overhead(Path(folder), config, streams), "ms")
    return Outcome(columns, {f"seconds {name}": np.array(each) for name, each in seconds.items()})


def _atoms(config: Config) -> np.ndarray:
    atoms = np.random.default_rng(0).standard_normal((config.n_atoms, config.n_features))
    return atoms / np.linalg.norm(atoms, axis=1, keepdims=True)


def _write(path: Path, config: Config, streams: Streams) -> Path:
    """Write the rows, a block at a time."""
    mapped = open_memmap(path, "w+", np.float32, (config.n_rows, config.n_features))
    rng = streams("rows")
    for start in range(0, config.n_rows, 100_000):
        block = mapped[start : start + 100_000]
        block[:] = rng.standard_normal(block.shape, np.float32)
    mapped.flush()
    return path


def _alone(rows: Path, folder: Path, config: Config, how: dict[str, Any]) -> dict[str, float]:
    return alone("experiments.benchmarks.scale", "code", str(rows), str(folder), vars(config), how)


def _killed(rows: Path, folder: Path, config: Config, streams: Streams) -> dict[str, Any]:
    """Code, be killed at random moments, go on; return how far each got and the last one's peak."""
    arguments = ["experiments.benchmarks.scale", "code", str(rows), str(folder), vars(config), {}]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    rng, done = streams("kills"), []
    n_shards = -(-config.n_rows // config.shard_rows)
    for number in range(config.n_kills):
        wanted = (number + rng.random()) / (config.n_kills + 1) * n_shards
        child = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", CHILD, json.dumps(arguments)],
            env=environment, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        while child.poll() is None and _n_lines(folder) <= wanted:
            time.sleep(0.01)
        time.sleep(rng.random() * 0.3)  # wherever in a shard it may be
        child.send_signal(signal.SIGKILL)
        child.wait()
        done.append((_n_lines(folder) - 1) / n_shards)
    return {"done": done, **_alone(rows, folder, config, {})}


def _n_lines(folder: Path) -> int:
    path = folder / NAME
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _digests(folder: Path) -> dict[str, str]:
    """Return the hash of every shard, read from the files themselves."""
    codes = StoredCodes(folder)
    if codes.verify():
        raise RuntimeError("a shard is not what the manifest says.")
    lines = [json.loads(line) for line in (folder / NAME).read_text().splitlines()[1:]]
    return {line["file"]: line["sha256"] for line in lines}


def _timed(rows: Path, folder: Path, config: Config, progress: Any) -> dict[str, list[float]]:
    """Return seconds of coding some rows, in turns, each in a process that is warm."""
    part = folder / "part.npy"
    np.save(part, np.load(rows, mmap_mode="r")[: config.n_timed])
    shard_rows = max(1, config.n_timed // 16)
    ways: dict[str, dict[str, Any]] = {
        "one process, one thread": {"n_threads": 1},
        "one process, two threads": {"n_threads": 2},
        "two processes, one thread each": {"n_workers": 2, "n_threads": 1},
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in progress(range(config.n_rounds + 1), "rounds"):
        for name, how in ways.items():
            with tempfile.TemporaryDirectory(dir=folder) as out:
                start = time.perf_counter()
                encode_shards(
                    part, _atoms(config), out, solver="omp", n_nonzero=config.n_nonzero,
                    shard_rows=shard_rows, **how,
                )  # fmt: skip
                if number:  # the first round starts processes and loads kernels
                    seconds[name].append(time.perf_counter() - start)
    return seconds


def _overhead(folder: Path, config: Config, streams: Streams) -> float:
    """Return milliseconds that a shard takes beyond the solver's call."""
    n_rows = config.n_tiny * config.tiny_rows
    X = streams("tiny").standard_normal((n_rows, config.n_features)).astype(np.float32)
    atoms = _atoms(config)
    seconds: dict[str, list[float]] = {"shards": [], "calls": []}
    for _ in range(3):
        start = time.perf_counter()
        for i in range(0, n_rows, config.tiny_rows):
            omp(X[i : i + config.tiny_rows], atoms, n_nonzero=config.n_nonzero, n_threads=1)
        seconds["calls"].append(time.perf_counter() - start)
        with tempfile.TemporaryDirectory(dir=folder) as out:
            start = time.perf_counter()
            encode_shards(
                X, atoms, out, solver="omp", n_nonzero=config.n_nonzero, n_threads=1,
                shard_rows=config.tiny_rows,
            )  # fmt: skip
            seconds["shards"].append(time.perf_counter() - start)
    extra = np.median(seconds["shards"]) - np.median(seconds["calls"])
    return float(1e3 * extra / config.n_tiny)


@scale.plot
def figure(record: Record, ax: Any) -> None:
    """Draw the rows a second of each way."""
    rows = [row for row in record.table.rows() if row["unit"] == "rows a second"]
    ax.barh([row["what"] for row in rows], [row["value"] for row in rows])
    ax.set(xlabel="rows a second")


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=Config.n_rows)
    parser.add_argument("--timed", type=int, default=Config.n_timed)
    parser.add_argument("--shard-rows", type=int, default=Config.shard_rows)
    parser.add_argument("--keep", action="store_true", help="Keep the record in docs/records.")
    given = parser.parse_args()
    changed = {"n_rows": given.rows, "n_timed": given.timed, "shard_rows": given.shard_rows}
    kept = scale.run(scale.config(**changed), results="results", progress=True)
    for row in kept.table.rows():
        print(f"{row['what']:>58}: {row['value']:.4g} {row['unit']}")
    if given.keep:
        kept.save(Path("docs/records") / "scale")
