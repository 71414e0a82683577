"""How well does Sparsey recognise handwritten digits, each of which it has seen once?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments import _mnist_claims, _mnist_figures
from experiments import _mnist_measure as parts
from experiments._framework import Claim, Outcome, Record, experiment
from sparsecode.core.rng import Streams

__all__ = ["Config", "sparsey_mnist"]


@dataclass(frozen=True)
class Config:
    """Which share of digits is recognised when each of the others was presented once?

    Digits become 24 x 16 pixels, binary, with strokes thinned to one pixel. A sheet of macs sees
    them, and a class field learns from its codes, both digit by digit. `counts` are the digits of
    each class seen so far when the share is measured; at `n_per_class` all else is. Baselines see
    the same digits, thinned or in greys. `n_repeats` times, with other digits to learn from and
    other draws. Digits to learn from have indices in `learned`, those to recognise in `reported`:
    of MNIST's test images (``data="mnist"``, from the folder ``SPARSECODE_DATA`` or a `download`),
    where everything was chosen on indices 5,000 to 7,499, or of scikit-learn's 1,797 digits.
    """

    data: str = "mnist"
    learned: tuple[int, int] = (0, 5_000)
    reported: tuple[int, int] = (7_500, 10_000)
    counts: tuple[int, ...] = (5, 10, 20, 50, 100, 200, 400)
    n_per_class: int = 200
    n_repeats: int = 10
    crop: int = 4
    shape: tuple[int, int] = (24, 16)
    n_modules: int = 16
    n_units: int = 64
    overlap: float = 2.5
    active_pixels: tuple[int, int] = (4, 8)
    saturation: float = 0.05
    download: bool = False

    def __post_init__(self) -> None:
        if self.data not in ("mnist", "digits"):
            raise ValueError(f"data must be 'mnist' or 'digits'; got {self.data!r}.")
        if list(self.counts) != sorted(set(self.counts)) or min(self.counts, default=0) < 1:
            raise ValueError(f"counts must rise from at least 1; got {self.counts}.")
        if self.n_per_class not in self.counts:
            raise ValueError(
                f"n_per_class must be one of counts; got {self.n_per_class} and {self.counts}."
            )
        if self.n_repeats < 2:
            raise ValueError(f"n_repeats must be at least 2; got {self.n_repeats}.")
        for name in ("learned", "reported"):
            start, stop = getattr(self, name)
            if not 0 <= start < stop:
                raise ValueError(f"{name} must be a start and a later stop; got {start}, {stop}.")
        if self.learned[0] < self.reported[1] and self.reported[0] < self.learned[1]:
            raise ValueError(
                f"learned and reported must not share a digit; got {self.learned} and "
                f"{self.reported}."
            )


@experiment(
    "sparsey-mnist",
    config=Config,
    title="Digits, each seen once",
    cites=("doi:10.3389/fncom.2014.00160",),
    smoke=dict(
        data="digits", learned=(0, 300), reported=(300, 400), counts=(2, 5), n_per_class=5,
        n_repeats=2, crop=0, shape=(3, 2), n_units=8, n_modules=4,
    ),
    quick=dict(
        data="digits", learned=(0, 1_000), reported=(1_000, 1_797), counts=(5, 10, 20, 40, 80),
        n_per_class=80, n_repeats=3, crop=0,
    ),
)  # fmt: skip
def sparsey_mnist(config: Config, streams: Streams, swept: Any) -> Outcome:
    """Learn digits in one presentation each, and recognise others."""
    tasks = {
        f"repeat-{repeat}": (parts.one_repeat, config, streams, repeat)
        for repeat in range(config.n_repeats)
    }
    repeats = list(swept(tasks, "repeats").values())
    arrays = {
        name: np.stack([one[key] for one in repeats])
        for name, key in (("confusion", "confusion"), (parts.TIMES, "seconds"))
    }
    return Outcome(parts.table(config, repeats), arrays)


@sparsey_mnist.claims
def claims(record: Record) -> list[Claim]:
    """Judge the share recognised, against the published one and the baselines, and the time."""
    return _mnist_claims.judge(record)


@sparsey_mnist.plot
def figure(record: Record, figure: Any) -> None:
    """Draw shares over the number seen, confusions and the time of an item."""
    _mnist_figures.draw(record, figure)
