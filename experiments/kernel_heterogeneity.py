"""Do heterogeneous kernels give sparser codes? Ladret, Casanova & Perrinet 2023/24, audited."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments import _ladret_claims, _ladret_figures
from experiments._framework import Claim, Outcome, Record, experiment
from experiments._ladret import SIDE
from experiments._ladret_measure import (
    CONTROL,
    FIXED,
    LEARNED,
    crops,
    fixed_bank,
    learn,
    measure,
    noise,
    refit,
    settings,
)
from sparsecode.core.rng import Streams

__all__ = ["Config", "kernel_heterogeneity"]

#: Columns that describe one code, as `measure` returns them.
COLUMNS = (
    "psnr", "sparseness", "sparseness_kept", "per_pixel", "objective", "energy", "gap", "n_iter",
)  # fmt: skip
#: Settings and dictionaries of which a record keeps reconstructions of the first crop.
PICTURED = ("published", "certified"), ("hom", "het", "het-learned")


@dataclass(frozen=True)
class Config:
    """Are images coded more sparsely with kernels of many orientation bandwidths than with one?

    Crops of photographs are coded with the two log-Gabor banks and with dictionaries learned from
    these and from noise: by 100 iterations of ADMM, as published, and some of them to a certified
    duality gap by at most `max_iter` Newton steps and `n_removing` iterations of ADMM that remove
    what an optimal code has not, with kernels of the published and of unit norms. `images` is
    "natural", the offline pool, or the path of the authors' photographs: a folder or an ``.npy``
    file.

    Windows of `learning_size` pixels give noisier gradients than the published images of
    256 x 256: the step, scaled to their area, is divided by `slowed`. Otherwise nothing is left of
    the kernels that learning starts from.
    """

    images: str = "natural"
    crop_size: int = 128
    n_crops: int = 32
    n_certified: int = 8
    tol: float = 1e-6
    max_iter: int = 100
    n_removing: int = 50
    n_steps: int = 300
    learning_size: int = 64
    learning_tol: float = 1e-2
    learning_sweeps: int = 300
    slowed: float = 10.0
    n_learning_seeds: int = 3
    n_fits: int = 144
    course: tuple[int, ...] = (25, 50, 200, 400, 800)
    n_course: int = 2

    def __post_init__(self) -> None:
        if not 2 <= self.n_certified <= self.n_crops:
            raise ValueError(
                f"n_certified must be between 2 and n_crops, {self.n_crops}; got "
                f"{self.n_certified}."
            )
        if not 0 <= self.n_course <= self.n_crops:
            raise ValueError(
                f"n_course must be between 0 and n_crops, {self.n_crops}; got {self.n_course}."
            )
        if min(self.crop_size, self.learning_size) < 24:
            raise ValueError(
                f"crop_size and learning_size must be at least 24, twice a kernel's; got "
                f"{self.crop_size} and {self.learning_size}."
            )
        if self.learning_size > SIDE:
            raise ValueError(
                f"learning_size must be at most {SIDE}, the side of the images to learn from; got "
                f"{self.learning_size}."
            )
        if self.n_learning_seeds < 1:
            raise ValueError(f"n_learning_seeds must be at least 1; got {self.n_learning_seeds}.")


@experiment(
    "kernel-heterogeneity",
    config=Config,
    title="Kernels of one and of many bandwidths",
    cites=("doi:10.1088/2634-4386/ad5d0f",),
    smoke=dict(
        crop_size=24, n_crops=2, n_certified=2, tol=1e-3, max_iter=5, n_removing=5, n_steps=3,
        learning_size=32, learning_tol=5e-2, learning_sweeps=20, n_learning_seeds=1, n_fits=6,
        course=(20,), n_course=1,
    ),
    quick=dict(
        crop_size=26, n_crops=4, n_certified=2, tol=5e-3, n_removing=60, n_steps=20,
        learning_size=40, n_learning_seeds=1, n_fits=24, course=(25, 250), n_course=1,
    ),
    headline=True,
)  # fmt: skip
def kernel_heterogeneity(config: Config, streams: Streams, swept: Any) -> Outcome:
    """Learn the dictionaries, then code crop by crop in every setting."""
    images, photographs = crops(config, streams)
    seeds = range(config.n_learning_seeds)
    found = swept(
        {
            f"learn-{name}-{seed}": (learn, config, streams, start, seed)
            for name, start in LEARNED.items()
            for seed in seeds
        },
        "dictionaries",
    )
    learned = {(name, n): found[f"learn-{name}-{n}"] for name in LEARNED for n in seeds}
    control = noise(streams, 0)
    tasks = list(settings(config))
    measured = swept(
        {
            task.key: (
                measure, config, images[task.crop], _bank(task, learned, control), task.setting
            )
            for task in tasks
        },
        "codes",
    )  # fmt: skip
    names = ("setting", "dictionary", "seed", "crop", "photograph", "alpha", "norm", *COLUMNS)
    columns: dict[str, list[Any]] = {name: [] for name in names}
    sums: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {"example": images[0].astype(np.float16)}
    pruned = []
    for task in tasks:
        setting, name, seed, crop = task
        part = measured[task.key]
        row = (
            setting.name, name, seed, crop, photographs[crop], setting.alpha,
            setting.normalize if name in FIXED else "unit", *part["row"],
        )  # fmt: skip
        for column, value in zip(columns.values(), row):
            column.append(value)
        pruned.append(part["pruned"])
        if seed == 0 and not setting.name.startswith("course"):
            for kind in ("histogram", "usage"):
                key = f"{kind}-{setting.name}-{name}"
                sums[key] = sums.get(key, 0) + part[kind]
            if crop == 0 and setting.name in PICTURED[0] and name in PICTURED[1]:
                arrays[f"picture-{setting.name}-{name}"] = part["picture"]
    arrays |= sums
    fitted = np.sort(streams("fits").permutation(144)[: config.n_fits])
    arrays["pruned"] = np.array(pruned, np.float32)  # rows of the table, cutoffs, two columns
    refits = {
        f"refit-{name}-{seed}": (refit, part["atoms"], fitted)
        for (name, seed), part in learned.items()
    }
    arrays |= {key: part["refit"] for key, part in swept(refits, "fits").items()}
    for name in LEARNED:
        arrays[f"atoms-{name}"] = learned[name, 0]["atoms"].astype(np.float16)
        arrays[f"course-{name}"] = np.stack([learned[name, seed]["course"] for seed in seeds])
    columns["n_iter"] = [int(n) for n in columns["n_iter"]]
    return Outcome(columns, arrays)


def _bank(task: Any, learned: dict[tuple[str, int], Any], control: np.ndarray) -> np.ndarray:
    """Return the kernels that a task codes with."""
    if task.dictionary in FIXED:
        return fixed_bank(task.dictionary, task.setting.normalize)
    return control if task.dictionary == CONTROL else learned[task.dictionary, task.seed]["atoms"]


@kernel_heterogeneity.claims
def claims(record: Record) -> list[Claim]:
    """Judge what the paper says, at its iterations and certified."""
    return _ladret_claims.judge(record)


@kernel_heterogeneity.plot
def figure(record: Record, figure: Any) -> None:
    """Draw kernels, reconstructions, the table, the trade-off and the statistics."""
    _ladret_figures.draw(record, figure)
