"""Which penalty's codes does a memory hold best? Codes of natural images stored in each memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments import _codes_claims, _codes_figures
from experiments import _codes_measure as parts
from experiments._framework import Claim, Outcome, Record, experiment
from sparsecode.core.rng import Streams

__all__ = ["Config", "codes_into_memory"]


@dataclass(frozen=True)
class Config:
    """How many codes of image patches does a memory recall, by the penalty that made them?

    Patches of whitened photographs are coded over one learned dictionary with l1, l0 and CEL0, each
    certified and tuned to `surplus` times `n_active` active atoms on average; the `n_active`
    largest of each become a binary pattern. Beside them: codes of a spatial pooler that sees the
    same patches, random codes, and random codes that use the atoms as often as those of l0 do. Of
    each stored pattern `missing` of the active units are taken from the cue, or moved elsewhere
    (`moved`). `n_repeats` times, with other patches.
    """

    patch_size: int = 12
    n_atoms: int = 512
    n_active: int = 10
    surplus: float = 1.5
    n_batches: int = 600
    loads: tuple[int, ...] = (50, 100, 200, 400, 800, 1600, 3200)
    n_cues: int = 400
    missing: float = 0.3
    moved: float = 0.2
    n_repeats: int = 5
    level: float = 0.9

    def __post_init__(self) -> None:
        if not 2 <= self.n_active <= self.n_atoms // 4:
            raise ValueError(
                f"n_active must lie between 2 and a quarter of n_atoms; got {self.n_active}."
            )
        if not self.loads or min(self.loads) < 1 or list(self.loads) != sorted(set(self.loads)):
            raise ValueError(f"loads must rise from at least 1; got {self.loads}.")
        for name in ("missing", "moved", "level"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise ValueError(
                    f"{name} must lie between 0 and 1, exclusive; got {getattr(self, name)}."
                )


@experiment(
    "codes-into-memory",
    config=Config,
    title="Codes of images, stored in memories",
    cites=("doi:10.3389/fnsys.2023.1178446", "doi:10.1038/222960a0"),
    smoke=dict(
        patch_size=8, n_atoms=96, n_active=5, n_batches=10, loads=(10, 40), n_cues=20, n_repeats=2
    ),
    quick=dict(n_batches=150, loads=(100, 200, 400, 800, 1600), n_cues=150, n_repeats=3),
)
def codes_into_memory(config: Config, streams: Streams, cached: Any, swept: Any) -> Outcome:
    """Code patches, then store and recall them in every memory."""
    atoms = cached("dictionary", parts.learn_atoms, config, streams)["atoms"]
    tasks = {
        f"repeat-{repeat}": (parts.one_repeat, config, streams, atoms, repeat)
        for repeat in range(config.n_repeats)
    }
    repeats = list(swept(tasks, "repeats").values())
    rows = [row for i, found in enumerate(repeats) for row in parts.rows(config, i, found)]
    arrays = {name: np.stack([found[name] for found in repeats]) for name in parts.ARRAYS}
    return Outcome(dict(zip(parts.COLUMNS, zip(*rows))), arrays)


@codes_into_memory.claims
def claims(record: Record) -> list[Claim]:
    """Judge which codes are held best."""
    return _codes_claims.judge(record)


@codes_into_memory.plot
def figure(record: Record, figure: Any) -> None:
    """Draw recall against load, and capacities."""
    _codes_figures.draw(record, figure)
