"""Which penalty codes natural images best at equal activity? Rentzeperis et al. 2023, audited."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from experiments import _v1_claims, _v1_figures
from experiments._framework import Claim, Outcome, Record, experiment
from experiments._v1_measure import describe, hysteresis, learn, learn_as_the_authors, sweep
from sparsecode.core.rng import Streams

__all__ = ["Config", "v1_penalties"]

PENALTIES = ("l1", "half", "l0", "cel0")
#: Atoms of each of the smallest dictionaries that a record keeps: enough for the figure, and small
#: enough for the docs.
KEPT = 36
#: Other ways to the l0 curves, and how their parts are called.
SLUGS = {"step 1/L": "step", "lca": "lca"}
#: Batches whose course a record keeps as one mean.
TOGETHER = 50


def averaged(history: np.ndarray) -> np.ndarray:
    """Return means over :data:`TOGETHER` batches; what is left over at the end is dropped."""
    together = min(TOGETHER, history.shape[1])
    whole = history[:, : history.shape[1] // together * together]
    return whole.reshape(len(history), -1, together).mean(axis=2).astype(np.float32)


@dataclass(frozen=True)
class Config:
    """Which penalty codes natural images with the least error at equal activity?

    Dictionaries of several sizes are learned with each penalty on the same whitened patches,
    alpha being tuned to the same active fraction; then held-out patches are coded at a sweep of
    alphas, by the authors' protocol (a short fixed step, an early stop) and to certified optima.
    The default activity is the one that both of the authors' weights for CEL0 give, 0.45 for 500
    atoms and 0.27 for 1,000, on the images of Olshausen and Field: 1.5 %. What only the audit
    asks for is done up to `largest_audit` atoms.
    """

    images: Literal["natural", "olshausen-field", "van-hateren"] = "olshausen-field"
    penalties: tuple[str, ...] = PENALTIES
    n_atoms: tuple[int, ...] = (500, 1000, 2000, 5000)
    n_batches: tuple[int, ...] = (1600, 1600, 1600, 400)
    learned_from: tuple[Literal["published", "certified"], ...] = ("published", "certified")
    n_authors_batches: int = 4000
    n_notebook_batches: int = 400
    patch_size: int = 16
    batch_size: int = 250
    density: float = 0.015
    learning_rate: float | None = None
    decay: float = 0.0
    dead_after: int | None = None
    n_calibration: int = 250
    n_test: int = 5000
    largest_audit: int = 1000
    n_sweep: int = 7
    n_steps: int = 6
    n_fits: int = 400
    n_orientations: int = 72

    def __post_init__(self) -> None:
        unknown = set(self.penalties) - set(PENALTIES)
        if unknown:
            known = ", ".join(PENALTIES)
            raise ValueError(f"penalties must be among {known}; got {sorted(unknown)}.")
        if len(self.n_atoms) != len(self.n_batches):
            raise ValueError(
                f"n_batches must have one entry for each of n_atoms; got {self.n_batches} for "
                f"{self.n_atoms}."
            )


@experiment(
    "v1-penalties",
    config=Config,
    title="Penalties beyond l1 on natural images",
    cites=("doi:10.1371/journal.pcbi.1011459", "doi:10.1137/151003714"),
    smoke=dict(
        images="natural", n_atoms=(48, 64), n_batches=(16, 16), learned_from=("certified",),
        n_authors_batches=0, n_notebook_batches=0, patch_size=8, density=0.05,
        learning_rate=10.0, decay=0.02, dead_after=10, n_calibration=60, n_test=60,
        largest_audit=48, n_sweep=3, n_steps=2, n_fits=8, n_orientations=12,
    ),
    quick=dict(
        images="natural", n_atoms=(128, 256), n_batches=(240, 240), learned_from=("certified",),
        n_authors_batches=0, n_notebook_batches=0, density=0.02,
        learning_rate=8.0, decay=0.015, dead_after=50, n_test=250,
        largest_audit=128, n_sweep=5, n_steps=3, n_fits=128, n_orientations=36,
    ),
    headline=True,
)  # fmt: skip
def v1_penalties(config: Config, streams: Streams, swept: Any) -> Outcome:
    """Learn with every penalty at every size, then sweep alpha under each protocol."""
    columns: dict[str, list[Any]] = {
        name: []
        for name in (
            "penalty", "n_atoms", "learned", "protocol", "alpha", "density", "mse", "certificate",
        )
    }  # fmt: skip
    arrays: dict[str, np.ndarray] = {}

    def note(name: str, n_atoms: int, learned: str, protocol: str, part: Any, mse: Any) -> None:
        for row in zip(part["alpha"], part["density"], mse, part["certificate"]):
            for column, value in zip(columns, (name, n_atoms, learned, protocol, *row)):
                columns[column].append(value)

    tasks = [
        (learned, name, n_atoms, n_batches)
        for n_atoms, n_batches in zip(config.n_atoms, config.n_batches)
        for learned in config.learned_from
        if learned == config.learned_from[0] or n_atoms <= config.largest_audit
        for name in config.penalties
    ]
    keys = [f"{learned}-{name}-{n_atoms}" for learned, name, n_atoms, _ in tasks]
    runs = swept(
        {f"learn-{key}": (learn, config, streams, *task) for key, task in zip(keys, tasks)},
        "dictionaries",
    )
    sweeps: dict[str, tuple[Any, ...]] = {}
    for key, (learned, name, n_atoms, _) in zip(keys, tasks):
        atoms = runs[f"learn-{key}"]["atoms"]
        protocols = {"published": "published", "certified": "certified"}
        if name == "l0" and n_atoms <= config.largest_audit:
            protocols |= SLUGS
        for protocol, slug in protocols.items():
            sweeps[f"sweep-{key}-{slug}"] = (sweep, config, streams, protocol, name, atoms)
        if name == "cel0" and n_atoms == config.n_atoms[0] and learned == config.learned_from[0]:
            sweeps["hysteresis"] = (hysteresis, config, streams, atoms)
    curves = swept(sweeps, "curves")
    shapes = swept(
        {
            f"describe-{key}": (
                describe, config, streams, name, runs[f"learn-{key}"]["atoms"],
                curves[f"sweep-{key}-certified"],
            )
            for key, (_, name, _, _) in zip(keys, tasks)
        },
        "receptive fields",
    )  # fmt: skip
    for key, (learned, name, n_atoms, _) in zip(keys, tasks):
        run = runs[f"learn-{key}"]
        atoms = run["atoms"]
        arrays[f"history-{key}"] = averaged(run["history"])
        arrays[f"alpha-{key}"] = run["alpha"]
        for protocol in ("published", "certified"):
            part = curves[f"sweep-{key}-{protocol}"]
            note(name, n_atoms, learned, protocol, part, part["mse"])
        if name == "l1":
            note(name, n_atoms, learned, "debiased", part, part["debiased"])
        if n_atoms == config.n_atoms[0]:
            busiest = np.argsort(-part["usage"], kind="stable")[:KEPT]
            arrays[f"atoms-{key}"] = atoms[busiest]
        shape = shapes[f"describe-{key}"]
        arrays |= {f"{column}-{key}": values.astype(np.float16) for column, values in shape.items()}
        if name == "l0" and n_atoms <= config.largest_audit:
            for protocol, slug in SLUGS.items():
                part = curves[f"sweep-{key}-{slug}"]
                note(name, n_atoms, learned, protocol, part, part["mse"])
        if name == "cel0" and n_atoms == config.n_atoms[0] and learned == config.learned_from[0]:
            arrays |= {f"hysteresis-{name}": rows for name, rows in curves["hysteresis"].items()}
    others = {
        f"{label}-{name}": (learn_as_the_authors, config, streams, name, n_atoms, n_batches)
        for label, name, n_atoms, n_batches in [
            ("authors", "cel0", 1000, config.n_authors_batches),
            *(("notebook", name, 500, config.n_notebook_batches) for name in config.penalties),
        ]
        if n_batches
    }
    for key, run in swept(others, "the authors' way").items():
        arrays[key] = run["history"].astype(np.float32)
    return Outcome(columns, arrays)


@v1_penalties.claims
def claims(record: Record) -> list[Claim]:
    """Judge every item of the paper's checklist, and what survives convergence."""
    return _v1_claims.judge(record)


@v1_penalties.plot
def figure(record: Record, figure: Any) -> None:
    """Draw the paper's figures, then the audit's."""
    _v1_figures.draw(record, figure)
