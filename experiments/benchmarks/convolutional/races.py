"""Certified convolutional l1 codes of photographs, beside the peers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from experiments.benchmarks._race import Entry, Race, Sizes, on_threads
from experiments.benchmarks.convolutional._contest import run

__all__ = ["QUICK", "SMOKE", "Config", "races", "run"]


@dataclass(frozen=True)
class Config(Sizes):
    """How many times as soon does a photograph get a convolutional code of the same precision?

    Photographs of normalised local contrast are squares of `side` pixels, kernels have 12 x 12
    pixels, and everything is circular, in float32. At a tenth of the alpha that silences all
    kernels these have norm 1; at the paper's alpha, where all are slow, they have the published
    norms, the photograph is smaller, and ours is the interior-point method. Precise is a relative
    duality gap of 1e-2, at the paper's alpha also 1e-4, or an objective within 0.5 % of a certified
    reference, whose dual point also serves to judge everybody's gap there. Whoever is not precise
    after `max_seconds`, or `paper_max_seconds`, has missed it: the ratio is a lower bound.
    """

    n_rounds: int = 1
    side: int = 256
    large_side: int = 512
    paper_side: int = 128
    n_atoms: tuple[int, ...] = (144, 72)
    max_seconds: float = 25.0
    paper_max_seconds: float = 45.0
    max_iter: int = 10_000


SMOKE: dict[str, Any] = {
    "n_matrix": 64, "side": 24, "large_side": 0, "paper_side": 24, "max_iter": 50, "n_atoms": (8,),
    "max_seconds": 0.1, "paper_max_seconds": 0.1,
}  # fmt: skip
QUICK: dict[str, Any] = {
    "side": 128, "large_side": 0, "paper_side": 64, "max_seconds": 10.0, "paper_max_seconds": 15.0,
}  # fmt: skip

#: The two weights of the penalty, and what goes with them.
LEVELS = {"tenth": "0.1 alpha_max", "paper": "alpha 0.01"}
NORMS = {"tenth": "unit", "paper": "published"}
RULES = {"tenth": "greedy_cd", "paper": "interior_point"}
SPORCO_GOALS = {"tenth": 30.0, "paper": 5.0}
#: Tolerances that ours tries until it is precise enough.
STOPS = {
    "tenth": (0.1, 0.05, 0.03, 0.02, 0.01, 0.005, 0.002, 0.001),
    "paper": (0.01, 0.003, 0.001, 0.0003, 0.0001),
}
#: Numbers of iterations that peers go through, each a fifth above the one before.
LADDER = tuple(int(10 * 1.2**k) for k in range(37))
#: Another one of ours, which cannot be sent on, ends after as many pixels.
OTHER_PIXELS = 2**25


def races(config: Config) -> list[Race]:
    """Return the races: on two threads; of most kernels also on one; and a large photograph.

    At the paper's alpha there are most kernels only: 72 took the peers more than 3,000 iterations.
    """
    most = max(config.n_atoms)
    tasks = [(n_atoms, 2) for n_atoms in config.n_atoms] + [(most, 1)]
    found = [_race(config, "tenth", config.side, *task) for task in tasks]
    if config.large_side:
        found.append(_race(config, "tenth", config.large_side, most, 2))
    return found + [_race(config, "paper", config.paper_side, most, n) for n in (2, 1)]


def _race(config: Config, level: str, side: int, n_atoms: int, n_threads: int) -> Race:
    """Return ours and the peers on one problem."""
    how: dict[str, Any] = {"dtype": "float32", "n_threads": n_threads}
    ours = {**how, "rule": RULES[level], "max_iter": config.max_iter}
    entries = [
        Entry("sparsecode", ours, STOPS[level]),
        Entry("sporco_admm", how, LADDER, goal=SPORCO_GOALS[level]),
        Entry("sporco_pgm", how, LADDER, goal=SPORCO_GOALS[level]),
        Entry("torch", how, LADDER, goal=5.0),
    ]
    if n_threads == 2 and n_atoms == max(config.n_atoms) and side != config.large_side:
        other = {"tenth": "fista", "paper": "greedy_cd"}[level]
        max_iter = min(config.max_iter, OTHER_PIXELS // side**2)
        entries.append(Entry("sparsecode", {**how, "rule": other, "max_iter": max_iter}, (0.01,)))
    return Race(
        name=f"{n_atoms} kernels, {side} x {side}, {LEVELS[level]}, {on_threads(n_threads)}",
        benchmark="convolutional",
        objective={"level": level},
        dataset="natural_images",
        data={"side": side, "n_atoms": n_atoms, "norms": NORMS[level]},
        entries=tuple(entries),
        per="run",
        max_seconds=config.max_seconds if level == "tenth" else config.paper_max_seconds,
    )
