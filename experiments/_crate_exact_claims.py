"""What a record of `crate-vs-exact` says of the block as a step of sparse coding."""

from __future__ import annotations

import numpy as np

from experiments._crate_exact_measure import STARTS, layer_number, measured
from experiments._crate_networks import STATES, limits, text
from experiments._framework import Claim, Record, Verdict, expected

__all__ = ["judge"]

PAPER = expected("yu2023")
PROJECT = "hypothesis of this project"
SMALL = "Small networks on digits; what larger ones on photographs do is not measured."
#: Largest deviation of the block from its formula, of the largest coefficient, in float32.
ROUNDING = 1e-6
#: Certificate below which a code counts as exact.
EXACT = 1e-6


def judge(record: Record) -> list[Claim]:
    """Judge the formula, the distance from the minimum, the step, the dictionary and CEL0."""
    return [
        _formula(record),
        _certified(record),
        _descent(record),
        _near(record),
        _nothing(record),
        _steps(record),
        _start(record),
        _nearer(record),
        _support(record),
        _step_size(record),
        _orthogonal(record),
        _cel0(record),
    ]


def _each(record: Record, values: dict[str, np.ndarray], form: str = ".3g") -> str:
    return "; ".join(f"{state} {text(values[state], form)}" for state in STATES)


def _by_state(record: Record, measure: str, method: str) -> dict[str, np.ndarray]:
    """Return means over layers, one a seed."""
    return {state: measured(record, measure, method, state).mean(axis=1) for state in STATES}


def _learned(record: Record) -> str:
    return f"Held-out accuracy {100 * record.arrays['accuracy'][:, 1].mean():.1f} %."


def _formula(record: Record) -> Claim:
    worst = max(float(layer_number(record, "step_error", state).max()) for state in STATES)
    return Claim(
        "The sparsifying block is one proximal step on the non-negative lasso, from z = x",
        PAPER["block"].cited,
        f"a deviation of at most {ROUNDING:g}",
        f"{worst:.1e} of the largest coefficient",
        worst <= ROUNDING,
        "Float32 beside float64; the largest deviation of all networks, layers and tokens. The "
        "lasso has a half before the squared error, unlike the printed one.",
        "smoke",
    )


def _certified(record: Record) -> Claim:
    worst = max(float(layer_number(record, "certificate", state).max()) for state in STATES)
    return Claim(
        "The exact codes are exact",
        "solvers of this project",
        f"relative duality gap of at most {EXACT:g}",
        f"at most {worst:.1e}",
        worst <= EXACT,
        preset="smoke",
    )


def _descent(record: Record) -> Claim:
    shares = {state: layer_number(record, "descending", state).mean(axis=1) for state in STATES}
    return Claim(
        "The step lowers the objective: it is below that of max(x, 0)",
        PROJECT,
        "all tokens",
        "; ".join(f"{state} {shares[state].mean():.2%} of tokens" for state in STATES),
        bool(all((one == 1.0).all() for one in shares.values())),
        preset="quick",
    )


def _near(record: Record) -> Claim:
    excess = _by_state(record, "excess", "layer")
    limit = record.config.excess
    return Claim(
        f"The code of a trained block is within {limit:.0%} of the minimum of its objective",
        PROJECT,
        f"an excess of at most {limit:g}",
        "objective over the minimum, less 1: " + _each(record, excess, ".2f"),
        limits(excess["trained"])[2] <= limit,
        f"Mean over tokens and layers. {_learned(record)} {SMALL}",
        "quick",
    )


def _nothing(record: Record) -> Claim:
    found = _by_state(record, "relative_objective", "layer")
    exact = measured(record, "relative_objective", "lasso").mean()
    residual = measured(record, "relative_residual", "layer").mean()
    return Claim(
        "The code of a trained block has a lower objective than no code at all, z = 0",
        PROJECT,
        "a ratio below 1",
        f"ratio to the objective of z = 0: {_each(record, found, '.2f')}; exact codes "
        f"{exact:.2f}. ||x - Dz|| / ||x|| of the trained block's {residual:.2f}",
        limits(found["trained"])[2] < 1.0,
        "Inputs have signs and codes have none: parts of an input may be out of reach of any code.",
        "quick",
    )


def _steps(record: Record) -> Claim:
    """Say how many steps it takes; judged is whether one is enough for most tokens."""
    needed = record.arrays["needed"]  # (seeds, states, layers, starts)

    def shown(value: float) -> str:
        return f"{value:.0f}" if np.isfinite(value) else f"over {record.config.max_steps}"

    parts = []
    for i, state in enumerate(STATES):
        numbers = ", ".join(
            f"{start} {shown(needed[:, i, :, j].min())} to {shown(needed[:, i, :, j].max())}"
            for j, start in enumerate(STARTS)
        )
        parts.append(f"{state}: {numbers}")
    within = record.arrays["within"][:, 1].mean(axis=1)  # (seeds, steps)
    shares = ", ".join(
        f"{share:.0%} after {count}"
        for count, share in zip(record.config.n_steps, within.mean(axis=0))
    )
    return Claim(
        f"One step brings most tokens within {record.config.excess:.0%} of the minimum",
        PROJECT,
        "1 step",
        f"steps needed, median over tokens, range over layers and seeds: {'; '.join(parts)}. "
        f"Tokens within it, trained, from z = x: {shares}",
        bool(limits(within[:, 0])[1] > 0.5),
        "ISTA with the block's step where that is below 2 / L, else 1 / L; FISTA with 1 / L, from "
        "z = x.",
        "quick",
    )


def _start(record: Record) -> Claim:
    """Judge the block's start against the other one that is usual."""
    found = {
        method: measured(record, "relative_gap", method).mean(axis=1)
        for method in ("one_step", "ista_1_from_0")
    }
    change = found["one_step"] - found["ista_1_from_0"]
    return Claim(
        "One step from z = x, as the block takes, ends nearer to the minimum than one from 0",
        PROJECT,
        "a difference below 0",
        f"gap over 1/2 ||x||^2: from x {text(found['one_step'], '.2f')}, from 0 "
        f"{text(found['ista_1_from_0'], '.2f')}; difference {text(change, '+.2f')}",
        limits(change)[2] < 0.0,
        "Trained networks, same step and threshold; means over tokens and layers. Networks were "
        "trained with the start z = x.",
        "quick",
    )


def _nearer(record: Record) -> Claim:
    gap = _by_state(record, "relative_gap", "layer")
    change = gap["trained"] - gap["untrained"]
    return Claim(
        "Training brings the block's code nearer to the minimum",
        PROJECT,
        "a difference below 0",
        f"gap over 1/2 ||x||^2: {_each(record, gap, '.2f')}; difference {text(change, '+.2f')}",
        limits(change)[2] < 0.0,
        "A smaller gap need not mean a good code; see the other claims.",
        "quick",
    )


def _support(record: Record) -> Claim:
    """Judge the overlap of supports against that with exact codes of other tokens."""
    found, other, cosine = (
        _by_state(record, name, "layer") for name in ("jaccard", "jaccard_shuffled", "cosine")
    )
    gain = found["trained"] - other["trained"]
    return Claim(
        "The block's support overlaps with the exact one more than with those of other tokens",
        PROJECT,
        "a difference above 0",
        f"Jaccard {_each(record, found, '.2f')}; with other tokens' {_each(record, other, '.2f')}; "
        f"cosine {_each(record, cosine, '.2f')}",
        limits(gain)[1] > 0.0,
        f"The density of the block's codes, {measured(record, 'density', 'layer').mean():.2f}, and "
        f"of the exact ones, {measured(record, 'density', 'lasso').mean():.2f}, is not that of "
        "very sparse codes.",
        "quick",
    )


def _step_size(record: Record) -> Claim:
    products = {state: layer_number(record, "step_x_curvature", state) for state in STATES}
    return Claim(
        "The fixed step is below 1 / L in every layer of a trained network",
        PROJECT,
        "eta L below 1",
        "eta L "
        + "; ".join(
            f"{state} {one.min():.2f} to {one.max():.2f}, below 1 in {np.mean(one < 1.0):.0%} of "
            f"layers, below 2 in {np.mean(one < 2.0):.0%}"
            for state, one in products.items()
        ),
        bool((products["trained"] < 1.0).all()),
        f"All layers of {record.config.n_seeds} networks. Between 1 and 2 a proximal gradient step "
        "still does not raise the objective.",
        "quick",
    )


def _orthogonal(record: Record) -> Claim:
    far, cosine = (
        {state: layer_number(record, name, state).mean(axis=1) for state in STATES}
        for name in ("orthogonality", "coherence")
    )
    change = far["trained"] - far["untrained"]
    return Claim(
        "Training brings D nearer to orthogonal than the random one it began with",
        PROJECT,
        "a difference below 0",
        f"||D^T D - I||_F / sqrt(d) {_each(record, far, '.2f')}; difference "
        f"{text(change, '+.2f')}; root mean square cosine of two atoms "
        f"{_each(record, cosine, '.3f')}",
        limits(change)[2] < 0.0,
        f"0 if D is orthogonal. Random directions in {record.config.d_model} dimensions have a "
        f"root mean square cosine of {record.config.d_model**-0.5:.3f}.",
        "quick",
    )


def _cel0(record: Record) -> Claim:
    cost = {
        method: measured(record, "l0_objective", method).mean(axis=1)
        for method in ("cel0", "lasso", "layer")
    }
    density = measured(record, "density", "cel0").mean()
    lower = all(limits(cost["cel0"] - cost[other])[2] < 0.0 for other in ("lasso", "layer"))
    return Claim(
        "Codes under CEL0 have a lower l0 objective than the block's and the lasso's",
        PROJECT,
        "lower than both",
        ", ".join(f"{method} {one.mean():.2f}" for method, one in cost.items())
        + f"; density under CEL0 {density:.2f}",
        Verdict.CAVEAT if lower else False,
        "1/2 ||x - Dz||^2 + lambda ||z||_0 with the block's lambda; CEL0's codes are stationary, "
        "not proven to be minima. At equal weights the two penalties do not ask for equal "
        "densities.",
        "quick",
    )
