"""What `sparsey-capacity` measures: for every size, how much one mac holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.special import gammaln

from experiments._framework import Outcome
from experiments._sequence_store import SequenceStore
from memory import Sigmoid2014, Sparsey
from memory.measures import capacity
from sdr import SDRSpace
from sparsecode.core.code import SparseCode
from sparsecode.core.rng import Streams
from sparsecode.datasets import random_sequences

if TYPE_CHECKING:
    from experiments.sparsey_capacity import Config

#: What is stored.
TASKS = ("patterns", "sequences")


class Size(NamedTuple):
    """The numbers that make a mac and its inputs."""

    side: int
    n_active: int
    n_modules: int
    n_units: int

    def n_weights(self, task: str) -> int:
        """Return U weights, and for sequences H weights too."""
        units = self.n_modules * self.n_units
        across = units * (units - self.n_units) if task == "sequences" else 0
        return self.side**2 * units + across

    def bits(self) -> float:
        """Return the bits of one frame: the logarithm of how many there are."""
        n, k = self.side**2, self.n_active
        ways = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
        return float(ways / np.log(2.0))


def size_of(config: Config, series: str, scale: float) -> Size:
    """Return what grows by a factor in a series, and what stays."""
    whole, modules = scale if series == "all" else 1.0, scale if series != "units" else 1.0
    units = scale if series != "modules" else 1.0
    return Size(
        round(config.side * whole), round(config.n_active * whole),
        round(config.n_modules * modules), round(config.n_units * units),
    )  # fmt: skip


def measure(config: Config, streams: Streams, swept: Any) -> Outcome:
    """Return a row for each search."""
    parts = [
        (task, series, rule, scale)
        for task in TASKS for series in config.series for rule in config.rules
        for scale in config.sizes
    ]  # fmt: skip
    tasks = {
        f"{task}-{series}-{rule}-{scale:g}": (
            search_part, config, streams, task, series, rule, scale
        )
        for task, series, rule, scale in parts
    }  # fmt: skip
    rows = []
    for (task, series, rule, scale), found in zip(parts, swept(tasks, "sizes").values()):
        size = size_of(config, series, scale)
        n_frames = config.n_frames if task == "sequences" else 1
        for search, n in enumerate(found["capacity"].tolist()):
            rows.append({
                "task": task, "series": series, "rule": rule, "scale": float(scale),
                "search": search, "n_weights": size.n_weights(task),
                "n_units": size.n_modules * size.n_units, "capacity": int(n),
                "bounded": bool(found["bounded"][search]),
                "bits": n * n_frames * size.bits() / size.n_weights(task),
            })  # fmt: skip
    return Outcome({name: [row[name] for row in rows] for name in rows[0]})


def search_part(
    config: Config, streams: Streams, task: str, series: str, rule: str, scale: float
) -> dict[str, np.ndarray]:
    """Search one capacity many times, each with macs and patterns of its own."""
    size = size_of(config, series, scale)
    rng = streams(f"{task}-{series}-{rule}-{scale:g}")

    def make(rng: np.random.Generator) -> Any:
        mac = Sparsey(
            size.n_modules, size.n_units, saturation=None, n_threads=1,
            activation=Sigmoid2014(gain=0.0) if rule == "random" else rule,
            random_state=int(rng.integers(2**31)),
        )  # fmt: skip
        return mac if task == "patterns" else SequenceStore(mac, config.n_frames)

    def draw(n: int, rng: np.random.Generator) -> SparseCode:
        if task == "patterns":
            return SDRSpace(size.side**2, size.n_active).sample(n, rng)
        return _joined(config, size, n, rng)

    found = [
        capacity(
            make, draw, criterion="missing", tolerance=1.0 - config.accuracy, low=4,
            high=config.most, resolution=0.04, n_trials=config.n_trials, n_cues=config.n_cues,
            rng=rng,
        )
        for _ in range(config.n_searches)
    ]  # fmt: skip
    return {
        "capacity": np.array([one.n_patterns for one in found]),
        "bounded": np.array([one.is_bounded for one in found]),
    }


def _joined(config: Config, size: Size, n: int, rng: np.random.Generator) -> SparseCode:
    """Return random sequences as rows, the frames of each one after another."""
    frames = random_sequences(
        n, config.n_frames, unit_shape=size.side**2, n_active=size.n_active, rng=rng
    ).code
    unit = frames.indices + size.side**2 * np.tile(
        np.repeat(np.arange(config.n_frames), size.n_active), n
    )
    starts = np.arange(n + 1) * config.n_frames * size.n_active
    return SparseCode(starts, unit, None, (size.side**2 * config.n_frames,))
