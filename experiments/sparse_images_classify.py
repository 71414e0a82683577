"""Do sparse codes help a network to classify? Ladret, Casanova & Perrinet 2023/24, on digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from experiments import _classify_claims, _classify_figures
from experiments._classify_coding import CUTOFFS, INPUTS
from experiments._classify_data import load
from experiments._classify_measure import (
    DICTIONARIES,
    PIXELS,
    evaluate,
    evaluate_pixels,
    kernels,
)
from experiments._framework import Claim, Outcome, Record, experiment
from experiments._ladret import SIDE
from sparsecode._validation import check_count
from sparsecode.core.rng import Streams

__all__ = ["Config", "sparse_images_classify"]


@dataclass(frozen=True)
class Config:
    """Are images classified better from codes of heterogeneous, or of learned, kernels?

    A small convolutional network is trained on pixels, and on the maps of four dictionaries,
    whole and pruned: on dense maps, pruned after a shift, as published, and on the codes
    themselves. A linear probe sees the codes too. `data` is "digits", which come with
    scikit-learn, or "cifar10": `folder` then holds the binary version, or `download` fetches it.
    CIFAR-10 takes 3.6 MB of memory an image. Dictionaries are learned from photographs, as
    published, or from `n_reserved` of the pictures to train on.
    """

    data: Literal["digits", "cifar10"] = "digits"
    folder: str = ""
    download: bool = False
    n_train: int = 1347
    n_test: int = 450
    upscale: int = 2
    learned_from: Literal["photographs", "training"] = "photographs"
    photographs: str = "natural"
    n_reserved: int = 0
    n_steps: int = 400
    learning_size: int = 48
    learning_tol: float = 3e-2
    n_seeds: int = 5
    n_epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 5e-3
    weight_decay: float = 5e-4
    width: int = 16

    def __post_init__(self) -> None:
        for name in ("n_train", "n_test", "n_steps", "n_epochs", "batch_size", "width"):
            check_count(name, getattr(self, name))
        check_count("n_reserved", self.n_reserved, minimum=0)
        # twice a kernel's side, and that of the photographs
        check_count("learning_size", self.learning_size, minimum=24, maximum=SIDE)
        if self.n_seeds < 2:
            raise ValueError(f"n_seeds must be at least 2, for intervals; got {self.n_seeds}.")
        if self.upscale < 2:
            raise ValueError(
                f"upscale must be at least 2, or digits are smaller than kernels; got "
                f"{self.upscale}."
            )
        if not self.n_reserved < self.n_train:
            raise ValueError(
                f"n_reserved must be below n_train, {self.n_train}; got {self.n_reserved}."
            )
        if (self.learned_from == "training") != (self.n_reserved > 0):
            raise ValueError(
                f"n_reserved must be above 0 if dictionaries are learned from training pictures, "
                f"and else 0; got {self.n_reserved} and learned_from={self.learned_from!r}."
            )


@experiment(
    "sparse-images-classify",
    config=Config,
    title="Classifying images from their sparse codes",
    cites=("doi:10.1088/2634-4386/ad5d0f",),
    smoke=dict(
        n_train=30, n_test=20, n_steps=2, learning_size=32, n_seeds=2, n_epochs=2, width=4,
    ),
    quick=dict(n_train=160, n_test=80, n_steps=40, n_seeds=3, n_epochs=20, width=8),
    requires=("torch",),
)  # fmt: skip
def sparse_images_classify(config: Config, streams: Streams, cached: Any, swept: Any) -> Outcome:
    """Classify pixels, then the maps of each dictionary."""
    pictures = load(config, streams)
    names = (
        "dictionary", "classifier", "form", "cutoff", "seed", "accuracy", "fitted", "nonzero",
    )  # fmt: skip
    columns: dict[str, list[Any]] = {name: [] for name in names}

    def note(dictionary: str, inputs: Any, part: dict[str, np.ndarray]) -> None:
        probed = [row for row, (form, _) in enumerate(inputs) if form != "published"]
        for classifier, rows in (("network", range(len(inputs))), ("probe", probed)):
            for place, row in enumerate(rows):
                form, cutoff = inputs[row]
                for seed in range(config.n_seeds):
                    values = (
                        dictionary, classifier, form, cutoff, seed,
                        *part[classifier][:, place, seed], part["nonzero"][row],
                    )  # fmt: skip
                    for column, value in zip(columns.values(), values):
                        column.append(value)

    arrays: dict[str, np.ndarray] = {}
    part = cached("pixels", evaluate_pixels, config, streams, pictures)
    note(PIXELS, [(PIXELS, CUTOFFS[0])], part)
    tasks: dict[str, tuple[Any, ...]] = {
        f"kernels-{number}": (kernels, config, streams, name, pictures)
        for number, name in enumerate(DICTIONARIES)
    }
    atoms = [part["atoms"] for part in swept(tasks, "dictionaries").values()]
    tasks = {
        f"accuracy-{number}": (evaluate, config, streams, pictures, found)
        for number, found in enumerate(atoms)
    }
    for number, (name, part) in enumerate(zip(DICTIONARIES, swept(tasks, "codes").values())):
        note(name, INPUTS, part)
        arrays[f"atoms-{number}"] = atoms[number].astype(np.float16)
        arrays[f"coding-{number}"], arrays[f"removed-{number}"] = part["coding"], part["removed"]
    return Outcome(columns, arrays)


@sparse_images_classify.claims
def claims(record: Record) -> list[Claim]:
    """Judge the order of the dictionaries and what pruning does, and audit both."""
    return _classify_claims.judge(record)


@sparse_images_classify.plot
def figure(record: Record, figure: Any) -> None:
    """Draw kernels, and accuracies by dictionary and pruning beside the published ones."""
    _classify_figures.draw(record, figure)
