"""What a record of `one-yardstick` says: every claim is a hypothesis of this project."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments import _yardstick_networks as networks
from experiments import _yardstick_systems as systems
from experiments._framework import Claim, Record, Verdict

__all__ = ["BLOCK_NAMES", "judge", "systems_of", "values"]

PROJECT = "hypothesis of this project"
BLOCK_NAMES = {"photographs": "patches of photographs", "digits": "digits"}
#: Relative certificate and deviation of the density that still pass.
CERTIFIED, TUNED = 2e-3, 0.05


#: Why a claim about networks may not be tested.
WITHOUT = (
    "The transformers were left out: they need PyTorch (`pip install 'sparsecode[torch]'`, then "
    "`--set networks=true`)."
)


def systems_of(record: Record) -> list[tuple[str, float]]:
    """Return system and target density (NaN: its own) in the order of arrays and figures."""
    rows = record.table.where(block=record.config.blocks[0], repeat=0, measure="density")
    return list(zip(rows["system"].tolist(), rows["target"].tolist()))


def values(record: Record, block: str, system: str, density: float, measure: str) -> np.ndarray:
    """Return what was measured of a system, repeat by repeat."""
    rows = record.table.where(block=block, system=system, measure=measure)
    same = np.isnan(rows["target"]) if np.isnan(density) else rows["target"] == density
    return rows["value"][same]


def judge(record: Record) -> list[Claim]:
    """Judge what holds for all systems, then comparisons, block by block."""
    density = max(record.config.densities)
    comparisons = (
        ("l0 codes keep fewer active units under noise than l1 codes", "strictly less",
         "robust", ("l1", density), ("l0", density)),
        ("A Willshaw memory holds more l0 codes than l1 codes", "more",
         "capacity", ("l0", density), ("l1", density)),
        ("A trained ViT is sparser than an untrained one", "more",
         "population", ("ViT", np.nan), ("ViT, untrained", np.nan)),
        ("A trained CRATE is sparser than an untrained one", "more",
         "population", ("CRATE", np.nan), ("CRATE, untrained", np.nan)),
        ("A trained ViT is read out better than l0 codes that never saw a label", "more",
         "read-out", ("ViT", np.nan), ("l0", density)),
        ("Codes shuffled over the stimuli cannot be read out as the codes can", "less",
         "read-out", ("l0", density), ("l0, shuffled", density)),
        ("Sparsey's codes, drawn in one trial, are read out better than a spatial pooler's", "more",
         "read-out", ("Sparsey", density), ("spatial pooler", density)),
    )  # fmt: skip
    return [
        _certified_claim(record),
        _tuned_claim(record),
        *(_comparison(record, *one) for one in comparisons),
        _geometry_claim(record),
    ]


def _certified_claim(record: Record) -> Claim:
    rows = record.table.where(measure="certificate")
    converged = record.table.where(measure="converged")["value"]
    return Claim(
        "Every code with a penalty is certified",
        PROJECT,
        f"all converged, relative certificates at most {CERTIFIED:g}",
        f"{converged.min():.2%} of samples at least, largest certificate {rows['value'].max():.1e}",
        bool(converged.min() == 1.0 and rows["value"].max() <= CERTIFIED),
        "Duality gap for l1; for l0 and CEL0 that no atom alone can do better.",
        preset="quick",
    )


def _tuned_claim(record: Record) -> Claim:
    rows = record.table.where(measure="density")
    tuned = ~np.isnan(rows["target"])
    off = np.abs(rows["value"][tuned] / rows["target"][tuned] - 1.0)
    worst = rows["system"][tuned][np.argsort(-off)][:1].tolist()
    good = bool((off <= TUNED).all())
    return Claim(
        "Systems that can be tuned have the densities asked for",
        PROJECT,
        f"within {TUNED:.0%}",
        f"largest deviation {off.max():.1%}, of {worst[0]}",
        good or Verdict.CAVEAT,
        ""
        if good
        else "The number of active units of a pooler and of modules is whole, and some "
        "macs stay silent; networks have units that no input activates.",
        preset="quick",
    )


def _difference(
    record: Record, block: str, measure: str, a: tuple[str, float], b: tuple[str, float]
) -> np.ndarray:
    return values(record, block, *a, measure) - values(record, block, *b, measure)


def _comparison(
    record: Record, text: str, published: str, measure: str, a: tuple[str, float],
    b: tuple[str, float],
) -> Claim:  # fmt: skip
    """Judge a difference by its sign in every repeat of every block."""
    if not {a[0], b[0]} <= {name for name, _ in systems_of(record)}:
        return Claim(text, PROJECT, published, None, Verdict.NOT_TESTED, WITHOUT)
    found = {block: _difference(record, block, measure, a, b) for block in record.config.blocks}
    holds = {block: bool((one > 0.0).all()) for block, one in found.items()}
    verdict: Any = all(holds.values())
    note = f"In all of {record.config.n_repeats} repeats, with other stimuli and draws."
    if not verdict and any(holds.values()):
        verdict = Verdict.CAVEAT
        note += " Not with " + " and ".join(
            BLOCK_NAMES[block] for block, good in holds.items() if not good
        ) + "."  # fmt: skip
    return Claim(
        text,
        PROJECT,
        published,
        "; ".join(
            f"{BLOCK_NAMES[block]}: {values(record, block, *a, measure).mean():.3g} against "
            f"{values(record, block, *b, measure).mean():.3g}"
            for block in found
        ),
        verdict,
        note,
        preset="quick",
    )


def _geometry_claim(record: Record) -> Claim:
    """Judge that certified codes are more alike than any of them is like a network."""
    text = "Codes of different penalties are more alike than any is like a trained network"
    published = "larger debiased CKA"
    if not record.config.networks:
        return Claim(text, PROJECT, published, None, Verdict.NOT_TESTED, WITHOUT)
    names = [system for system, _ in systems_of(record)]
    density = max(record.config.densities)
    keys = systems_of(record)
    codes = [keys.index((name, density)) for name in systems.DICTIONARY]
    nets = [i for i, name in enumerate(names) if name in networks.OWN and "untrained" not in name]
    texts, holds = [], []
    for block in record.config.blocks:
        likeness = record.arrays[f"cka-{block}"]
        among = np.array([likeness[:, i, j] for i in codes for j in codes if i < j])
        across = np.array([likeness[:, i, j] for i in codes for j in nets])
        holds.append(bool((among.min(axis=0) > across.max(axis=0)).all()))
        texts.append(
            f"{BLOCK_NAMES[block]}: at least {among.min():.2f} among l1, l0 and CEL0, at most "
            f"{across.max():.2f} with a trained network"
        )
    return Claim(
        text,
        PROJECT,
        published,
        "; ".join(texts),
        all(holds) or (Verdict.CAVEAT if any(holds) else False),
        "" if all(holds) or not any(holds) else "Not in every block.",
        preset="quick",
    )
