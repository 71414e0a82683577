"""Codes with MCP, CEL0 and l0, beside the peers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from experiments.benchmarks._race import Entry, Race, Sizes, on_threads


@dataclass(frozen=True)
class Config(Sizes):
    """How many times as fast is the mean objective as low as the peer's?

    MCP and CEL0 are held to the objective of skglm on the first `n_single` patches, to six digits.
    Both start from lasso codes; those of skglm are not timed, ours are. l0 is held to the objective
    of spams' greedy search on all patches. Patches are of 16 x 16 pixels and norm 1, and so are the
    atoms.
    """

    n_samples: int = 10_000
    n_single: int = 40
    n_atoms: int = 1024


SMOKE: dict[str, Any] = {
    "n_rounds": 2, "n_matrix": 64, "n_samples": 24, "n_single": 4, "n_atoms": 80,
}  # fmt: skip
QUICK: dict[str, Any] = {"n_samples": 1_000, "n_single": 20}

#: Tolerances that are tried until the objective is low enough.
TOLERANCES = (1e-2, 1e-3, 1e-4, 1e-6)


def races(config: Config) -> list[Race]:
    """Return the races, all in float64: MCP, CEL0, and l0 on one and two threads."""
    one: dict[str, Any] = {"dtype": "float64", "n_threads": 1}
    found = []
    for penalty in ("mcp", "cel0"):
        skglm = Entry("skglm", one, (1e-6,), config.n_single, goal=30.0)
        found.append(_race(config, penalty, "zero", skglm, 1e-6))
    for n_threads in (1, 2):
        spams = Entry("spams", {**one, "n_threads": n_threads}, goal=1.0)
        found.append(_race(config, "l0", "zero", spams, 0.0))
    return found


def _race(config: Config, penalty: str, start: str, peer: Entry, slack: float) -> Race:
    """Return ours and a peer, whose objective ours must reach."""
    n_threads = peer.parameters["n_threads"]
    return Race(
        name=f"{penalty}, float64, {on_threads(n_threads)}",
        benchmark="nonconvex",
        objective={"penalty": penalty},
        dataset="natural_images",
        data={"n_samples": config.n_samples, "n_atoms": config.n_atoms},
        entries=(Entry("sparsecode", {**peer.parameters, "start": start}, TOLERANCES), peer),
        reference=peer.solver,
        slack=slack,
    )
