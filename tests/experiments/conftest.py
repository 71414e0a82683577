"""A toy experiment, declared into a registry that lasts for one test."""

import math
import sys
from dataclasses import dataclass

import numpy as np
import pytest

from experiments._framework import Claim, Outcome, Verdict, experiment
from experiments._framework import cli as command_line


@dataclass(frozen=True)
class Config:
    """Does the mean of n draws come closer to <zero> as n grows?"""

    sizes: tuple[int, ...] = (10, 100, 1000)
    n_repeats: int = 50
    scale: float = 1.0
    shape: str = "normal"

    def __post_init__(self):
        if self.n_repeats < 2:
            raise ValueError(f"n_repeats must be at least 2; got {self.n_repeats}.")


def declare(name="toy", *, headline=True, requires=(), seen=None, drawn=True):
    """Declare a small experiment; `seen` counts its runs and can make it drift or fail."""
    seen = {} if seen is None else seen

    @experiment(
        name, config=Config, cites=("doi:10.1000/toy", "Anybody 1900"), headline=headline,
        requires=requires, smoke={"sizes": (10, 20), "n_repeats": 5}, quick={"n_repeats": 10},
    )  # fmt: skip
    def toy(config, streams, swept):
        seen["runs"] = seen.get("runs", 0) + 1
        if seen.get("fail"):
            raise RuntimeError("the <toy> broke")
        errors = []
        tasks = {f"size-{size}": (draw, config, streams, size) for size in config.sizes}
        for part in swept(tasks, "sizes").values():
            errors.append(np.abs(part["means"]).mean() + seen.get("drift", 0.0))
        return Outcome(
            {"size": config.sizes, "error": errors, "kind": [config.shape] * len(errors)},
            {"last": part["means"]},
        )

    def draw(config, streams, size):
        noise = streams(f"draws-{size}").normal(size=(config.n_repeats, size))
        return {"means": config.scale * noise.mean(axis=1)}

    def figure(record, ax):
        seen["drawn"] = seen.get("drawn", 0) + 1
        ax.loglog(record.table["size"], record.table["error"], "o-")
        ax.set(xlabel="draws", ylabel="error of the mean")

    if drawn:
        assert toy.plot(figure) is figure

    @toy.claims
    def claims(record):
        error = record.table["error"]
        return [
            Claim("the error falls", "Anybody 1900, Fig. 1", "falls", error[-1] / error[0],
                  verdict=error[-1] < error[0], preset="smoke"),
            Claim("by the root of ten", "Anybody 1900, p. 3", math.sqrt(10), error[0] / error[1],
                  verdict=Verdict.CAVEAT, note="on average", preset="quick"),
            Claim("always", "Anybody 1900, p. 4", None, float("nan"), verdict=False),
            Claim("with real dice", "Anybody 1900, p. 5", 6, None, Verdict.NOT_TESTED,
                  note="The dice are missing.", preset="smoke"),
        ]  # fmt: skip

    return toy


@pytest.fixture
def registry(monkeypatch):
    """Stand in for the registry, which starts empty; nothing is discovered."""
    known = {}
    module = sys.modules["experiments._framework.experiment"]
    monkeypatch.setattr(module, "REGISTRY", known)
    monkeypatch.setattr(command_line, "discover", dict)
    return known


@pytest.fixture
def make_toy(registry):
    """Give the function that declares a toy."""
    return declare


@pytest.fixture
def toy(make_toy):
    """Give a toy experiment."""
    return make_toy()
