"""What a record of `amortisation-gap` says of encoders beside solvers."""

from __future__ import annotations

import numpy as np

from experiments._amortisation_measure import ARCHITECTURES, measured
from experiments._crate_networks import limits
from experiments._framework import Claim, Record, Verdict

__all__ = ["judge"]

PROJECT = "hypothesis of this project"
NAMES = {"patches": "patches of photographs", "vit": "a ViT's residual stream"}
#: Duality gap below which a lasso code counts as exact.
EXACT = 1e-4


def judge(record: Record) -> list[Claim]:
    """Judge every block."""
    return [claim for block in record.config.blocks for claim in _block(record, block)]


def _block(record: Record, block: str) -> list[Claim]:
    return [
        _gains(record, block, "omp", "OMP"),
        _gains(record, block, "cel0", "CEL0"),
        _gains(record, block, "lasso_refit", "The lasso, refitted,"),
        _shrinks(record, block),
        _supports(record, block),
        *([_smallest(record, block)] if "mp" in record.config.architectures else []),
        _certified(record, block),
    ]


def _gains(record: Record, block: str, method: str, label: str) -> Claim:
    found = measured(record, block, "gain", method)
    l0, own = (measured(record, block, "l0", one) for one in (method, "encoder"))
    return Claim(
        f"{label} explains more than the encoder does, of {NAMES[block]}, at about the same l0",
        PROJECT,
        "above 0, for every autoencoder",
        _by_name(found),
        _sign(found, 1),
        "Explained variance less the encoder's, mean over seeds with limits of 95 %. Mean l0 over "
        "the encoder's: "
        + ", ".join(f"{ARCHITECTURES[name]} {np.mean(l0[name] / own[name]):.2f}" for name in l0)
        + "."
        + ("" if method == "omp" else " Unlike OMP it chooses how many atoms each sample gets."),
    )


def _shrinks(record: Record, block: str) -> Claim:
    found = measured(record, block, "gain", "lasso")
    return Claim(
        f"The lasso itself, whose values are shrunk, explains less than the encoder, of "
        f"{NAMES[block]}",
        PROJECT,
        "below 0, for every autoencoder",
        _by_name(found),
        _sign(found, -1),
    )


def _supports(record: Record, block: str) -> Claim:
    omp, refit = (measured(record, block, "gain", one) for one in ("omp", "refit"))
    found = {name: omp[name] - refit[name] for name in omp}
    shared = measured(record, block, "jaccard", "omp")
    return Claim(
        f"It is other supports, and not only better values, that OMP gains by, of {NAMES[block]}",
        PROJECT,
        "above 0, for every autoencoder",
        _by_name(found),
        _sign(found, 1),
        "OMP's gain less that of least-squares values on the encoder's own supports, which refit "
        f"as much as can be: {_by_name(refit)}. Jaccard of OMP's supports with the encoder's: "
        + ", ".join(f"{ARCHITECTURES[name]} {one.mean():.2f}" for name, one in shared.items())
        + ".",
    )


def _smallest(record: Record, block: str) -> Claim:
    found = measured(record, block, "gain", "omp")
    differences = {name: found[name] - found["mp"] for name in found if name != "mp"}
    return Claim(
        f"The pursuit inside MP leaves the smallest gap to OMP, of {NAMES[block]}",
        PROJECT,
        "above 0, for every other autoencoder",
        _by_name(differences),
        _sign(differences, 1),
        "OMP's gain over an encoder less its gain over MP's.",
    )


def _certified(record: Record, block: str) -> Claim:
    worst = max(
        float(one.max()) for one in measured(record, block, "certificate", "lasso").values()
    )
    return Claim(
        f"The lasso's codes of {NAMES[block]} are certified",
        "solvers of this project",
        f"relative duality gap of at most {EXACT:g}",
        f"at most {worst:.1e}",
        worst <= EXACT,
    )


def _by_name(found: dict[str, np.ndarray]) -> str:
    said = []
    for name, values in found.items():
        mean, low, high = limits(values)
        said.append(f"{ARCHITECTURES[name]} {mean:+.3f} ({low:+.3f} to {high:+.3f})")
    return "; ".join(said)


def _sign(found: dict[str, np.ndarray], sign: int) -> bool | Verdict:
    """Return whether all have the sign beyond doubt; with a caveat where none has the other."""
    signed = [limits(sign * values) for values in found.values()]
    if all(low > 0 for _, low, _ in signed):
        return True
    return Verdict.CAVEAT if all(high > 0 for _, _, high in signed) else False
