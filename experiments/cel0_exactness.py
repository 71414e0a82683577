"""Is CEL0 as exact as it says? Soubies, Blanc-Féraud & Aubert 2015, sentence by sentence."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from experiments._framework import Claim, Outcome, Record, Verdict, expected, experiment
from experiments._l0_exhaustive import Sample, cel0_minimisers, cel0_penalty, l0_minimisers
from sparsecode.core.rng import Streams
from sparsecode.penalties import CEL0, L0, MCP, prox, value
from sparsecode.plotting import COLORS
from sparsecode.solvers import SolverResult, alpha_max, cd, cel0_macro, certify, iht, ista

__all__ = ["Config", "cel0_exactness"]

PAPER = expected("soubies2015")
#: One number of the table: part, quantity, cases, what was measured.
Row = tuple[str, str, int, float]
#: Up to which relative difference two costs are the same.
ROUNDING = 1e-9
#: The steps of the proximal iterations, as fractions of 1 / L.
LONG, SHORT = 0.95, 0.1
#: Quantiles of the gaps that are kept.
QUANTILES = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True)
class Config:
    """Does CEL0 keep the global minimum of l0, add no minimum, and end in better ones?

    Few atoms, so that every local minimiser can be listed. Samples are planted codes plus noise;
    the atoms of every other problem have unequal norms.
    """

    n_atoms: int = 15
    n_features: int = 6
    n_active: int = 3
    noise: float = 0.1
    alpha_ratios: tuple[float, ...] = (0.02, 0.05, 0.1)
    n_problems: int = 100
    n_starts: int = 200
    norm_factors: tuple[float, ...] = (0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0, 3.0, 4.0)
    n_swept: int = 40
    n_draws: int = 4000

    def __post_init__(self) -> None:
        if not 2 <= self.n_atoms <= 15:
            raise ValueError(
                f"n_atoms must be between 2 and 15, or listing every minimiser takes too long; "
                f"got {self.n_atoms}."
            )
        if not 1 <= self.n_active <= self.n_atoms:
            raise ValueError(
                f"n_active must be between 1 and n_atoms, {self.n_atoms}; got {self.n_active}."
            )
        if self.n_features < 2:
            raise ValueError(f"n_features must be at least 2; got {self.n_features}.")
        if not 2 <= self.n_problems >= self.n_swept >= 1:
            raise ValueError(
                f"n_problems must be at least 2, n_swept between 1 and n_problems; got "
                f"{self.n_problems} and {self.n_swept}."
            )
        if 1.0 not in self.norm_factors or min(self.norm_factors) <= 0.0:
            raise ValueError(
                f"norm_factors must be above 0 and hold 1, the right one; got {self.norm_factors}."
            )


# ------------------------------------------------------------------------------ problems


def problem(config: Config, streams: Streams, number: int) -> Sample:
    """Return problem `number`: unit atoms if it is even, norms of 1/2 to 2 if it is odd."""
    rng = streams(f"problem-{number}")
    dictionary = rng.standard_normal((config.n_atoms, config.n_features))
    dictionary /= np.linalg.norm(dictionary, axis=1, keepdims=True)
    norms = np.exp2(rng.uniform(-1.0, 1.0, config.n_atoms))
    code = np.zeros(config.n_atoms)
    active = rng.choice(config.n_atoms, config.n_active, replace=False)
    code[active] = rng.choice([-1.0, 1.0], active.size) * rng.uniform(0.5, 2.0, active.size)
    y = code @ dictionary + config.noise * rng.standard_normal(config.n_features)
    if number % 2:
        dictionary *= norms[:, None]
    ratio = config.alpha_ratios[number // 2 % len(config.alpha_ratios)]
    return Sample(y, dictionary, ratio * float(alpha_max(y[None], dictionary, "cel0")[0]))


def tied(config: Config, rng: np.random.Generator) -> tuple[Sample, np.ndarray]:
    """Return a sample at a tie and a CEL0 minimiser halfway along its flat segments.

    The atoms are orthogonal. To half of them the sample correlates with exactly
    ``sqrt(2 alpha) a``, where 0, the knee and all between cost the same.
    """
    n = config.n_features
    norms, alpha = np.exp2(rng.uniform(-1.0, 1.0, n)), 0.1
    rotation = np.linalg.qr(rng.standard_normal((n, n)))[0]
    knees = np.sqrt(2.0 * alpha) / norms
    flat = np.arange(n) < n // 2
    code = knees * np.where(flat, 1.0, rng.uniform(1.1, 3.0, n))
    dictionary = rotation * norms[:, None]
    return Sample(code @ dictionary, dictionary, alpha), np.where(flat, 0.5 * code, code)


def starts(config: Config, streams: Streams, number: int, sample: Sample) -> np.ndarray:
    """Return codes to start from: 0 first, then random ones with 1 to n_features active atoms."""
    rng = streams(f"starts-{number}")
    shape = config.n_starts, config.n_atoms
    codes = rng.standard_normal(shape) / sample.norms
    n_active = rng.integers(1, min(config.n_features, config.n_atoms) + 1, config.n_starts)
    ranks = rng.permuted(np.tile(np.arange(config.n_atoms), (config.n_starts, 1)), axis=1)
    return np.concatenate([np.zeros((1, config.n_atoms)), codes * (ranks < n_active[:, None])])


# ------------------------------------------------------------------------------- solvers


def inverse_curvature(sample: Sample) -> float:
    """Return 1 / L, L the largest eigenvalue of the Gram matrix."""
    return 1.0 / float(np.linalg.norm(sample.dictionary, 2) ** 2)


def forward_backward(
    sample: Sample, init: np.ndarray, penalty: Any, fraction: float
) -> SolverResult:
    """Run proximal gradient steps, of a fraction of 1 / L, from every start."""
    solve = iht if isinstance(penalty, L0) else ista
    return _quietly(
        solve, sample, init, penalty,
        step=fraction * inverse_curvature(sample), max_iter=20_000, tol=1e-8,
    )  # fmt: skip


def _quietly(
    solve: Callable[..., SolverResult],
    sample: Sample,
    init: np.ndarray,
    penalty: Any,
    **options: Any,
) -> SolverResult:
    """Solve from every start; what does not converge is counted, not announced."""
    X = np.repeat(sample.y[None], len(init), axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return solve(X, sample.dictionary, penalty, init=init, **options)


#: What descends from many starts, by its label in the figure.
METHODS: dict[str, Callable[[Sample, np.ndarray], SolverResult]] = {
    "l0, short step": lambda s, init: forward_backward(s, init, L0(s.alpha), SHORT),
    "l0, step 1/L": lambda s, init: forward_backward(s, init, L0(s.alpha), LONG),
    "CEL0, short step": lambda s, init: forward_backward(s, init, CEL0(s.alpha), SHORT),
    "CEL0, step 1/L": lambda s, init: forward_backward(s, init, CEL0(s.alpha), LONG),
    "CEL0, macro": lambda s, init: _quietly(
        cel0_macro, s, init, CEL0(s.alpha), max_iter=100_000, tol=1e-8
    ),
    "coordinate descent": lambda s, init: _quietly(
        cd, s, init, L0(s.alpha), max_iter=100_000, tol=1e-8
    ),
}
#: How each is drawn: l0 and CEL0 in the penalties' colours, short steps dashed.
STYLES: dict[str, dict[str, Any]] = {
    "l0, short step": {"color": COLORS["l0"], "linestyle": "--"},
    "l0, step 1/L": {"color": COLORS["l0"]},
    "CEL0, short step": {"color": COLORS["cel0"], "linestyle": "--"},
    "CEL0, step 1/L": {"color": COLORS["cel0"]},
    "CEL0, macro": {"color": COLORS["half"]},
    "coordinate descent": {"color": COLORS["scad"]},
}


# --------------------------------------------------------- one problem, and all its minimisers


def listed(config: Config, streams: Streams, number: int) -> dict[str, Any]:
    """List every minimiser of one problem, descend from many starts, and compare."""
    sample = problem(config, streams, number)
    l0, relaxed = l0_minimisers(sample), cel0_minimisers(sample)
    init = starts(config, streams, number, sample)
    limits = {name: method(sample, init) for name, method in METHODS.items()}
    codes = {name: result.code.to_dense() for name, result in limits.items()}
    from_fits = forward_backward(sample, l0.codes, CEL0(sample.alpha), LONG).code.to_dense()
    reached = np.concatenate([from_fits, *codes.values()])
    known = {support.tobytes() for support in relaxed.codes != 0.0}
    macro = codes["CEL0, macro"]
    return {
        "l0_optimum": l0.cost[l0.best],
        "cel0_optimum": relaxed.cost[relaxed.best],
        "cel0_of_l0_optimum": sample.cel0(l0.codes[l0.best]),
        "l0_of_cel0_optimum": sample.l0(thresholded(sample, relaxed.codes[relaxed.best])),
        "n_l0": l0.cost.size,
        "n_cel0": relaxed.cost.size,
        "n_added": np.count_nonzero(relaxed.between),
        "n_reached": len(reached),
        "lowest_reached": sample.cel0(reached).min(),
        "n_limits": [count_supports(codes[name][1:]) for name in METHODS],
        "costs": [sample.l0(codes[name]) for name in METHODS],
        "n_unconverged": [np.count_nonzero(~limits[name].converged) for name in METHODS],
        "n_dependent": [count_dependent(config, codes[name]) for name in METHODS],
        "n_unlisted": [
            count_unlisted(config, codes[name][limits[name].converged], known) for name in METHODS
        ],
        "n_macro_optimal": np.count_nonzero(coordinate_optimal(sample, macro)),
        "n_macro_between": np.count_nonzero(between(sample, macro)),
        "macro_rise": np.abs(rise_by_thresholding(sample, macro)).max(),
    }


def thresholded(sample: Sample, codes: np.ndarray) -> np.ndarray:
    """Return the codes with 0 for what lies clearly below the knee."""
    return np.where(_below_knee(sample, codes), 0.0, codes)


def between(sample: Sample, codes: np.ndarray) -> np.ndarray:
    """Tell which codes have a coefficient strictly between 0 and the knee."""
    return (_below_knee(sample, codes) & (codes != 0.0)).any(axis=-1)


def _below_knee(sample: Sample, codes: np.ndarray) -> np.ndarray:
    return np.abs(codes) < np.sqrt(2.0 * sample.alpha) / sample.norms * (1.0 - 1e-6)


def rise_by_thresholding(sample: Sample, codes: np.ndarray) -> np.ndarray:
    """Return by how much l0's cost after thresholding exceeds CEL0's before, relative to it."""
    before = sample.cel0(codes)
    return (sample.l0(thresholded(sample, codes)) - before) / before


def coordinate_optimal(sample: Sample, codes: np.ndarray) -> np.ndarray:
    """Tell for which codes no coefficient can be changed, alone, to lower the cost under l0."""
    lowest = np.full(len(codes), np.inf)
    for j, atom in enumerate(sample.dictionary):
        rivals = codes.copy()
        rivals[:, j] = 0.0
        lowest = np.minimum(lowest, sample.l0(rivals))
        rivals[:, j] = (sample.y - rivals @ sample.dictionary) @ atom / (atom @ atom)
        lowest = np.minimum(lowest, sample.l0(rivals))
    return sample.l0(codes) <= lowest * (1.0 + ROUNDING)


def is_fit(sample: Sample, code: np.ndarray) -> bool:
    """Tell whether a code is the least-squares fit on its atoms: a local minimiser of l0."""
    correlations = (sample.y - code @ sample.dictionary) @ sample.dictionary.T / sample.norms
    return bool(np.abs(correlations[code != 0.0]).max(initial=0.0) <= 1e-6 * np.abs(sample.y).max())


def count_supports(codes: np.ndarray) -> int:
    """Return how many supports occur; a limit is the least-squares code on its support."""
    return len(np.unique(codes != 0.0, axis=0))


def count_dependent(config: Config, codes: np.ndarray) -> int:
    """Return how many codes have more atoms than features: plateaus, not strict minimisers."""
    return int(np.count_nonzero(np.count_nonzero(codes, axis=1) > config.n_features))


def count_unlisted(config: Config, codes: np.ndarray, known: set[bytes]) -> int:
    """Return how many codes of independent atoms have a support that no listed minimiser has."""
    found = sum(support.tobytes() not in known for support in codes != 0.0)
    return found - count_dependent(config, codes)


def swept(config: Config, streams: Streams, number: int) -> dict[str, Any]:
    """Relax one problem with norms that are wrong by a factor; list and compare minimisers."""
    sample = problem(config, streams, number)
    init = starts(config, streams, number, sample)
    optimum = l0_minimisers(sample).cost.min()
    columns: dict[str, list[float]] = {"n_minimisers": [], "gap": [], "n_limits": []}
    for factor in config.norm_factors:
        norms = factor * sample.norms
        found = cel0_minimisers(sample, norms)
        codes = forward_backward(sample, init, CEL0(sample.alpha, norms), LONG).code.to_dense()
        columns["n_minimisers"].append(found.cost.size)
        columns["gap"].append(found.cost.min() / optimum - 1.0)
        columns["n_limits"].append(count_supports(codes[1:]))
    return columns


def one_atom(factor: float) -> float:
    """Return the gap of a norm wrong by `factor` for one atom and the sample that serves it worst.

    At ``y = sqrt(2 alpha)`` silence and the full code cost the same under l0.
    """
    sample = Sample(np.array([1.0]), np.ones((1, 1)), 0.5)
    found = cel0_minimisers(sample, np.array([factor]))
    return float(found.cost.min() / l0_minimisers(sample).cost.min() - 1.0)


def listed_rows(config: Config, arrays: dict[str, np.ndarray]) -> list[Row]:
    """Sum up what was found on all problems."""
    n, optimum = config.n_problems, arrays["l0_optimum"]
    deviation = np.abs(arrays["cel0_optimum"] / optimum - 1.0)
    n_macro = n * (config.n_starts + 1)
    rows: list[Row] = [
        ("exact", "CEL0's global value against l0's, unit atoms", deviation[::2].size,
         deviation[::2].max()),
        ("exact", "CEL0's global value against l0's, unequal norms", deviation[1::2].size,
         deviation[1::2].max()),
        ("exact", "CEL0's cost of l0's best code, excess", n,
         np.max(arrays["cel0_of_l0_optimum"] / arrays["cel0_optimum"] - 1.0)),
        ("exact", "l0's cost of CEL0's best code, thresholded, excess", n,
         np.max(arrays["l0_of_cel0_optimum"] / optimum - 1.0)),
        ("exact", "lowest cost that a search reached, excess", int(arrays["n_reached"].sum()),
         np.min(arrays["lowest_reached"] / optimum - 1.0)),
        ("minimisers", "strict local minimisers of l0, mean", n, arrays["n_l0"].mean()),
        ("minimisers", "strict local minimisers of CEL0, mean", n, arrays["n_cel0"].mean()),
        ("minimisers", "strict local minimisers of CEL0 that are none of l0's", n,
         arrays["n_added"].sum()),
        ("macro", "optimal for l0 along every axis, fraction", n_macro,
         arrays["n_macro_optimal"].sum() / n_macro),
        ("macro", "a coefficient between 0 and the knee, fraction", n_macro,
         arrays["n_macro_between"].sum() / n_macro),
        ("macro", "l0's cost against CEL0's, relative", n_macro, arrays["macro_rise"].max()),
    ]  # fmt: skip
    for index, name in enumerate(METHODS):
        for quantity, of_method in (
            ("distinct limits, mean", arrays["n_limits"][:, index].mean()),
            ("gap to the global optimum, mean", arrays["mean_gap"][:, index].mean()),
            ("gap from the start at 0, mean", arrays["gap_from_zero"][:, index].mean()),
            ("ends on dependent atoms, mean", arrays["n_dependent"][:, index].mean()),
            ("limits that are no minimiser of CEL0", arrays["n_unlisted"][:, index].sum()),
            ("starts that did not converge", arrays["n_unconverged"][:, index].sum()),
        ):
            rows.append((name, quantity, n, of_method))
    return rows


# ------------------------------------------------------------------------- algebra, measured


def penalty_rows(config: Config, streams: Streams) -> list[Row]:
    """Compare CEL0 with MCP, and its proximal operator with a search, at random arguments."""
    rng, n = streams("penalty"), config.n_draws
    worst = dict.fromkeys(("penalty", "prox", "search"), 0.0)
    excess, count = dict.fromkeys(("below", "above"), 0.0), dict.fromkeys(("below", "above"), 0)
    arguments = np.stack(
        [
            np.exp2(rng.uniform(-2.0, 2.0, n)), np.exp2(rng.uniform(-4.0, 2.0, n)),
            3.0 * rng.standard_normal(n), np.exp2(rng.uniform(-4.0, 4.0, n)),
        ],
        axis=1,
    )  # fmt: skip
    for a, alpha, v, curvature in arguments.tolist():
        step, regime = curvature / a**2, "below" if curvature < 1.0 else "above"
        cel0 = CEL0(alpha, norms=np.array([a]))
        mcp = MCP(a * np.sqrt(2.0 * alpha), beta=1.0 / a**2)
        u = prox(cel0, v, step, 0)
        differences = {
            "penalty": abs(value(cel0, v, 0) - value(mcp, v, 0)) / alpha,
            "prox": abs(u - prox(mcp, v, step, 0)) / max(abs(v), 1.0),
        }
        worst |= {name: max(worst[name], found) for name, found in differences.items()}
        found, cost = searched_prox(a, alpha, v, step)
        own = np.square(u - v) / (2.0 * step) + cel0_penalty(np.array(u), alpha, a)
        excess[regime] = max(excess[regime], float(own - cost))
        worst["search"] = max(worst["search"], abs(u - found))
        count[regime] += 1
    return [
        ("identity", "CEL0 against MCP, difference / alpha", n, worst["penalty"]),
        ("identity", "prox of CEL0 against that of MCP", n, worst["prox"]),
        ("prox", "excess cost over a search, step a^2 < 1", count["below"], excess["below"]),
        ("prox", "excess cost over a search, step a^2 >= 1", count["above"], excess["above"]),
        ("prox", "distance to the search's minimiser", n, worst["search"]),
    ]


def searched_prox(a: float, alpha: float, v: float, step: float) -> tuple[float, float]:
    """Minimise ``(u - v)^2 / (2 step) + CEL0(u)`` over finer and finer grids."""
    low, high = min(v, 0.0), max(v, 0.0)
    for _ in range(4):
        grid = np.concatenate([[0.0], np.linspace(low, high, 401)])
        cost = np.square(grid - v) / (2.0 * step) + cel0_penalty(grid, alpha, a)
        best, width = grid[np.argmin(cost)], (high - low) / 200
        low, high = max(best - width, min(v, 0.0)), min(best + width, max(v, 0.0))
    return float(best), float(cost.min())


def tie_rows(config: Config, streams: Streams) -> list[Row]:
    """Start on flat segments: what does thresholding cost, and does the macro algorithm leave?"""
    rng, n = streams("ties"), config.n_problems
    stayed, fits, left, rises, changes = 0, 0, 0, [0.0], [0.0]
    for _ in range(n):
        sample, code = tied(config, rng)
        limit = forward_backward(sample, code[None], CEL0(sample.alpha), LONG).code.to_dense()
        stayed += int(between(sample, limit)[0])
        fits += int(is_fit(sample, thresholded(sample, limit[0])))
        rises.append(abs(float(rise_by_thresholding(sample, limit)[0])))
        macro = METHODS["CEL0, macro"](sample, code[None]).code.to_dense()
        left += int(~between(sample, macro)[0] & coordinate_optimal(sample, macro)[0])
        changes.append(abs(float(sample.l0(macro)[0] / sample.cel0(code) - 1.0)))
    return [
        ("ties", "proximal gradient stays between 0 and the knee, fraction", n, stayed / n),
        ("ties", "l0's cost after thresholding against CEL0's before, relative", n, max(rises)),
        ("ties", "thresholded codes that minimise l0 on their atoms, fraction", n, fits / n),
        ("ties", "macro ends at 0 or beyond, optimal for l0, fraction", n, left / n),
        ("ties", "l0's cost of the macro's codes against CEL0's before", n, max(changes)),
    ]


def scale_rows(config: Config, streams: Streams) -> list[Row]:
    """Scale samples, and ask from which alpha on 0 is critical."""
    n, scale = config.n_problems, 10.0
    rescaled, formula, changed, flags, not_global = [], [], 0, 0, 0
    for number in range(n):
        sample = problem(config, streams, number)
        y, dictionary, alpha = sample
        zero = np.zeros((1, config.n_atoms))
        large = Sample(scale * y, dictionary, scale**2 * alpha)
        codes = [
            forward_backward(one, zero, CEL0(one.alpha), LONG).code.to_dense()
            for one in (sample, large)
        ]
        rescaled.append(np.abs(codes[1] - scale * codes[0]).max() / np.abs(codes[1]).max())
        best, mistaken = (
            one.codes[one.best] != 0.0
            for one in map(l0_minimisers, (sample, large._replace(alpha=scale * alpha)))
        )
        changed += int((best != mistaken).any())
        critical = np.max(np.square(dictionary @ y) / (2.0 * np.square(sample.norms)))
        formula.append(abs(alpha_max(y[None], dictionary, "cel0")[0] / critical - 1.0))
        above, below = (
            certify(y[None], dictionary, CEL0(critical * factor), zero).coordinate_stationary
            for factor in (1.001, 0.999)
        )
        flags += int(np.all(above) and not np.any(below))
        at_threshold = l0_minimisers(sample._replace(alpha=1.001 * critical))
        not_global += int(at_threshold.codes[at_threshold.best].any())
    return [
        ("scale", "codes of 10 y at 100 alpha against 10 codes, relative", n, max(rescaled)),
        ("scale", "l0's best support changes at 10 alpha instead, fraction", n, changed / n),
        ("scale", "alpha_max against the formula, relative", n, max(formula)),
        ("scale", "0 is critical just above and not just below, fraction", n, flags / n),
        ("scale", "0 is critical there but not the global minimiser, fraction", n, not_global / n),
    ]


def axis_rows(config: Config, streams: Streams) -> list[Row]:
    """Walk along axes: are the second differences of the cost of one sign?"""
    n, convex, flat, broken = 0, [0.0], [0.0], 0
    for number in range(config.n_problems):
        sample = problem(config, streams, number)
        rng = streams(f"axes-{number}")
        for j in range(config.n_atoms):
            knee = np.sqrt(2.0 * sample.alpha) / sample.norms[j]
            walk = np.tile(rng.standard_normal(config.n_atoms) / sample.norms, (121, 1))
            walk[:, j] = np.linspace(-3.0 * knee, 3.0 * knee, 121)
            bends = np.diff(sample.cel0(walk), 2) / sample.cel0(walk).max()
            inside = np.abs(np.abs(walk[1:-1, j]) - 0.5 * knee) < 0.45 * knee
            convex.append(-float(bends.min()))
            flat.append(float(np.abs(bends[inside]).max()))
            broken += int(np.diff(sample.l0(walk), 2).min() < -0.5 * sample.alpha)
            n += 1
    return [
        ("axes", "largest concavity of CEL0's cost along an axis, relative", n, max(convex)),
        ("axes", "largest curvature between 0 and the knee, relative", n, max(flat)),
        ("axes", "axes along which l0's cost is not convex, fraction", n, broken / n),
    ]


def hull_rows(config: Config, streams: Streams) -> list[Row]:
    """For orthogonal atoms, compare CEL0's cost with the convex hull of l0's, atom by atom."""
    rng, n = streams("hull"), config.n_problems
    hulls, sums, minima, midpoints = [], [], [], []
    for _ in range(n):
        sample = tied(config, rng)[0]
        sample = sample._replace(y=sample.y * rng.uniform(0.3, 3.0))
        pulls = sample.dictionary @ sample.y / sample.norms
        codes = 3.0 * rng.standard_normal((2, 50, config.n_features)) / sample.norms
        apart = np.zeros((2, 50))
        for j, (a, pull) in enumerate(zip(sample.norms, pulls)):
            grid = np.sqrt(2.0 * sample.alpha) / a * np.linspace(-4.0, 4.0, 161)  # with the knees
            fit = 0.5 * np.square(pull - a * grid)
            hull = lower_hull(grid, fit + sample.alpha * (grid != 0.0))
            hulls.append(np.abs(fit + cel0_penalty(grid, sample.alpha, a) - hull).max())
            apart += 0.5 * np.square(pull - a * codes[..., j])
            apart += cel0_penalty(codes[..., j], sample.alpha, a)
        sums.append(np.abs(sample.cel0(codes) - apart).max() / sample.cel0(codes).max())
        middle = sample.cel0(codes.mean(axis=0)) - sample.cel0(codes).mean(axis=0)
        midpoints.append(max(0.0, float(middle.max())))
        reached = forward_backward(sample, codes[0], CEL0(sample.alpha), LONG).code.to_dense()
        optimum = l0_minimisers(sample).cost.min()
        minima.append(np.abs(sample.cel0(reached) / optimum - 1.0).max())
    return [
        ("orthogonal", "CEL0 against the convex hull of l0, one atom", len(hulls), max(hulls)),
        ("orthogonal", "cost against the sum over atoms, relative", 100 * n, max(sums)),
        ("orthogonal", "largest excess at a midpoint", 50 * n, max(midpoints)),
        ("orthogonal", "costs reached against l0's optimum, relative", 50 * n, max(minima)),
    ]


def lower_hull(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the largest convex function below the points, at each of the increasing `x`."""
    corners: list[int] = []
    for i in range(x.size):
        while len(corners) > 1:
            a, b = corners[-2:]
            if (y[b] - y[a]) * (x[i] - x[a]) < (y[i] - y[a]) * (x[b] - x[a]):
                break
            corners.pop()
        corners.append(i)
    return np.interp(x, x[corners], y[corners])


# ---------------------------------------------------------------------------- the experiment


@experiment(
    "cel0-exactness",
    config=Config,
    title="CEL0, the exact relaxation of l0",
    cites=("doi:10.1137/151003714",),
    smoke=dict(
        n_atoms=6, n_features=4, n_active=2, n_problems=6, n_starts=20, n_swept=2, n_draws=200,
        norm_factors=(0.5, 1.0, 2.0),
    ),
    quick=dict(
        n_atoms=10, n_problems=18, n_starts=100, n_swept=6, n_draws=1000,
        norm_factors=(0.5, 0.7, 0.85, 1.0, 1.5, 2.0, 4.0),
    ),
    headline=True,
)  # fmt: skip
def cel0_exactness(config: Config, streams: Streams, progress: Any, cached: Any) -> Outcome:
    """List, descend, sweep; then the sentences that are algebra."""
    problems = [
        cached(f"listed-{number}", listed, config, streams, number)
        for number in progress(range(config.n_problems), "problems")
    ]
    sweeps = [
        cached(f"swept-{number}", swept, config, streams, number)
        for number in progress(range(config.n_swept), "wrong norms")
    ]
    arrays = {name: np.stack([one[name] for one in problems]) for name in problems[0]}
    arrays |= {f"swept_{name}": np.stack([one[name] for one in sweeps]) for name in sweeps[0]}
    arrays["swept_one_atom"] = np.array([one_atom(factor) for factor in config.norm_factors])
    gaps = arrays.pop("costs") / arrays["l0_optimum"][:, None, None] - 1.0
    arrays["gap_from_zero"] = gaps[:, :, 0]
    arrays["mean_gap"] = gaps[:, :, 1:].mean(axis=2)
    arrays["gap_quantiles"] = np.quantile(gaps[:, :, 1:], QUANTILES, axis=(0, 2)).T
    parts = (penalty_rows, tie_rows, scale_rows, axis_rows, hull_rows)
    rows = listed_rows(config, arrays) + [row for part in parts for row in part(config, streams)]
    return Outcome(dict(zip(("part", "quantity", "n_cases", "measured"), zip(*rows))), arrays)


def measured(record: Record, part: str, quantity: str) -> float:
    """Return one number of the table."""
    return float(record.table.where(part=part, quantity=quantity)["measured"][0])


def within(record: Record, *names: tuple[str, str], limit: float = ROUNDING) -> tuple[str, bool]:
    """Say how far some numbers of the table are from 0 at most, and whether `limit` is kept."""
    largest = max(abs(measured(record, *name)) for name in names)
    rows = [record.table.where(part=part, quantity=quantity) for part, quantity in names]
    n_cases = sum(int(row["n_cases"][0]) for row in rows)
    return f"at most {largest:.1g} in {n_cases:,} cases", largest <= limit


def judged(
    key: str,
    text: str,
    found: str,
    verdict: Verdict | bool,
    note: str = "",
    preset: str = "quick",
) -> Claim:
    """Return a claim of the paper, or what follows from its definitions."""
    return Claim(text, PAPER[key].cited, PAPER[key].value, found, verdict, note, preset)


@cel0_exactness.claims
def claims(record: Record) -> list[Claim]:
    """Judge each sentence."""
    return [
        *operator_claims(record),
        *minimiser_claims(record),
        *macro_claims(record),
        *descent_claims(record),
        *norm_claims(record),
        *shape_claims(record),
    ]


def operator_claims(record: Record) -> list[Claim]:
    """Judge the penalty and its proximal operator."""
    identity = within(
        record,
        ("identity", "CEL0 against MCP, difference / alpha"),
        ("identity", "prox of CEL0 against that of MCP"),
        limit=PAPER["identity_mcp"].tolerance or 0.0,
    )
    operator = within(
        record,
        ("prox", "excess cost over a search, step a^2 < 1"),
        ("prox", "excess cost over a search, step a^2 >= 1"),
    )
    return [
        judged(
            "identity_mcp",
            "CEL0 is MCP with slope a sqrt(2 alpha) and beta 1/a^2, and so is its operator",
            *identity, preset="smoke",
        ),
        judged(
            "prox", "The proximal operator minimises, whether step a^2 is below 1 or not",
            *operator,
            "Excess of its cost over that of a search on grids, for unequal norms.",
            preset="smoke",
        ),
    ]  # fmt: skip


def minimiser_claims(record: Record) -> list[Claim]:
    """Judge global and local minimisers, which are all listed."""
    arrays = record.arrays
    exact = within(
        record,
        ("exact", "CEL0's global value against l0's, unit atoms"),
        ("exact", "CEL0's global value against l0's, unequal norms"),
    )
    members = within(
        record,
        ("exact", "CEL0's cost of l0's best code, excess"),
        ("exact", "l0's cost of CEL0's best code, thresholded, excess"),
    )
    lowest = measured(record, "exact", "lowest cost that a search reached, excess")
    n_l0, n_cel0, n_added = (
        measured(record, "minimisers", f"strict local minimisers of {which}")
        for which in ("l0, mean", "CEL0, mean", "CEL0 that are none of l0's")
    )
    return [
        judged(
            "global_minimisers", "CEL0 has l0's global value",
            *exact,
            f"By listing, which is a proof up to rounding: l0's value over all supports, CEL0's "
            f"over the stationary points of all its cells, with no theorem on l0. By searching, "
            f"which is none: {arrays['n_reached'].sum():,} descents, from every least-squares fit "
            f"and from random starts, reach at lowest {lowest:+.0e} relative to it.",
        ),
        judged(
            "global_minimisers",
            "l0's global minimiser minimises CEL0, and CEL0's, thresholded, minimises l0",
            *members,
        ),
        judged(
            "minimisers_eliminated", "CEL0 has fewer strict local minimisers, and none of its own",
            f"{n_cel0:.0f} of l0's {n_l0:.0f} in the mean, {n_added:.0f} new",
            n_added == 0 and bool((arrays["n_cel0"] < arrays["n_l0"]).all()),
            f"All are listed, for each of {arrays['n_l0'].size} problems.",
        ),
    ]  # fmt: skip


def macro_claims(record: Record) -> list[Claim]:
    """Judge flat segments and the algorithm that leaves them."""
    ties = partial(measured, record, "ties")
    stayed = ties("proximal gradient stays between 0 and the knee, fraction")
    fits = ties("thresholded codes that minimise l0 on their atoms, fraction")
    left = ties("macro ends at 0 or beyond, optimal for l0, fraction")
    equal = within(record, ("ties", "l0's cost after thresholding against CEL0's before, relative"))
    optimal = measured(record, "macro", "optimal for l0 along every axis, fraction")
    inside = measured(record, "macro", "a coefficient between 0 and the knee, fraction")
    rise = measured(record, "macro", "l0's cost against CEL0's, relative")
    return [
        judged(
            "thresholding",
            "Setting to 0 what lies between 0 and the knee gives a local minimiser of l0, at no "
            "cost",
            f"{100 * fits:.4g} % are local minimisers; cost {equal[0]}",
            fits == 1.0 and equal[1],
            f"Where CEL0 has such minimisers: samples at a tie, at which {100 * stayed:.0f} % of "
            f"the runs of proximal gradient stay on the flat segment.", preset="smoke",
        ),
        judged(
            "macro",
            "The macro algorithm ends with no coefficient between 0 and the knee, and where l0 "
            "is optimal along every axis",
            f"{100 * optimal:.4g} % of the runs optimal, {100 * inside:.2g} % with a coefficient "
            f"between; {100 * left:.4g} % of the runs from ties both",
            optimal == 1.0 and inside == 0.0 and left == 1.0 and rise <= 1e-6,
            f"l0's cost of its codes differs from CEL0's by at most {rise:.0e}, relative.",
        ),
    ]  # fmt: skip


def descent_claims(record: Record) -> list[Claim]:
    """Judge where descents from many starts end."""
    config, names = record.config, list(METHODS)
    limits, gaps = record.arrays["n_limits"], record.arrays["mean_gap"]
    hard, relaxed = names.index("l0, step 1/L"), names.index("CEL0, step 1/L")
    fewer = np.mean(limits[:, relaxed] <= limits[:, hard])
    lower = np.mean(gaps[:, relaxed] < gaps[:, hard])
    margin = gaps[:, hard] - gaps[:, relaxed]
    error = margin.std(ddof=1) / np.sqrt(margin.size)
    mean = dict(zip(names, limits.mean(axis=0)))
    cost = dict(zip(names, gaps.mean(axis=0)))
    unlisted = dict(zip(names, record.arrays["n_unlisted"].sum(axis=0)))
    strangers = sum(unlisted[name] for name in names[relaxed:])
    settled = (config.n_starts + 1) * config.n_problems - record.arrays["n_dependent"].sum(axis=0)
    starting = (
        f"{config.n_starts} random starts with few active atoms for each of {config.n_problems} "
        f"problems; from dense starts most runs end on as many atoms as there are features, and "
        f"the limits differ less"
    )
    return [
        judged(
            "fewer_limits",
            "From many starts, CEL0 has at most as many distinct limits as hard thresholding",
            f"{mean[names[relaxed]]:.1f} against {mean[names[hard]]:.1f} in the mean; at most as "
            f"many in {100 * fewer:.0f} % of the problems",
            _always_or_on_average(fewer == 1.0, mean[names[relaxed]] <= mean[names[hard]]),
            f"{starting}, steps of {LONG:g} / L; limits differ if their supports do.",
        ),
        judged(
            "lower_costs", "In the mean CEL0 ends at lower l0 costs than hard thresholding",
            f"{100 * gaps[:, relaxed].mean():.0f} % above the optimum against "
            f"{100 * gaps[:, hard].mean():.0f} %; lower in {100 * lower:.0f} % of the problems",
            bool(margin.mean() > 3.0 * error),
            f"{starting}; the difference has a standard error of {100 * error:.0f} %.",
        ),
        Claim(
            "Audit: a ten times shorter step ends hard thresholding at higher costs, not CEL0",
            "not in the paper", None,
            "; ".join(
                f"{name}: {100 * cost[f'{name}, short step']:.0f} % above the optimum instead of "
                f"{100 * cost[f'{name}, step 1/L']:.0f} %, "
                f"{mean[f'{name}, short step']:.1f} limits instead of "
                f"{mean[f'{name}, step 1/L']:.1f}"
                for name in ("l0", "CEL0")
            ),
            bool(
                cost["l0, short step"] > 1.2 * cost["l0, step 1/L"]
                and cost["CEL0, short step"] < 1.2 * cost["CEL0, step 1/L"]
            ),
            "Its hysteresis: a step too short to wake an atom leaves it silent.", preset="quick",
        ),
        Claim(
            "Audit: descents on CEL0, and coordinate descent on l0, end in minimisers of CEL0 only",
            "not in the paper", None, f"all but {strangers:.0f}",
            bool(strangers == 0 and unlisted[names[hard]] > 0),
            f"Hard thresholding ends elsewhere in "
            f"{100 * unlisted[names[hard]] / settled[hard]:.0f} % of the runs; counted are those "
            f"that converged and end on independent atoms.", preset="quick",
        ),
    ]  # fmt: skip


def _always_or_on_average(always: bool, on_average: bool) -> Verdict:
    """Return the verdict of what is claimed of every problem and may hold in the mean only."""
    if always:
        return Verdict.REPRODUCED
    return Verdict.CAVEAT if on_average else Verdict.NOT_REPRODUCED


def norm_claims(record: Record) -> list[Claim]:
    """Judge norms that are wrong by a factor."""
    factors, gaps = np.array(record.config.norm_factors), record.arrays["swept_gap"]
    order = np.argsort(factors)
    factors, gaps = factors[order], gaps[:, order]
    remaining = record.arrays["swept_n_minimisers"][:, order]
    n_l0 = record.arrays["n_l0"][: len(remaining)]
    below, above = factors < 1.0, factors >= 1.0
    broken = np.mean((gaps[:, below] < -ROUNDING).any(axis=1))
    predicted = np.minimum(0.0, -(1.0 - factors) / (1.0 + factors))
    one_atom = np.abs(record.arrays["swept_one_atom"][order] - predicted).max()
    kept = np.abs(gaps[:, above]).max()
    growing = (np.diff(remaining[:, above], axis=1) >= 0).all()
    return [
        judged(
            "norm_below", "A norm below the atom's breaks exactness",
            f"CEL0's global value is too low in {100 * broken:.0f} % of the problems, by up to "
            f"{-100 * gaps.min(initial=0.0):.0f} %",
            bool(broken > 0.0 and one_atom <= ROUNDING),
            f"Factors {', '.join(f'{factor:g}' for factor in factors[below])}. For every factor "
            f"f < 1 one atom at a tie is a counterexample, with a loss of (1 - f) / (1 + f), as "
            f"measured to {one_atom:.0e}.",
        ),
        judged(
            "norm_above", "A norm above the atom's keeps exactness but removes fewer minimisers",
            f"global value equal up to {kept:.0e}; minimisers left: "
            + ", ".join(
                f"{count:.0f} at {factor:g}"
                for factor, count in zip(factors[above], remaining[:, above].mean(axis=0))
            ),
            bool(kept <= ROUNDING and growing and (remaining[:, above] <= n_l0[:, None]).all()),
            f"l0 has {n_l0.mean():.0f}.",
        ),
    ]  # fmt: skip


def shape_claims(record: Record) -> list[Claim]:
    """Judge scale, convexity along axes and the convex hull."""
    changed, flags, not_global = (
        measured(record, "scale", f"{quantity}, fraction")
        for quantity in (
            "l0's best support changes at 10 alpha instead",
            "0 is critical just above and not just below",
            "0 is critical there but not the global minimiser",
        )
    )
    formula = within(record, ("scale", "alpha_max against the formula, relative"))
    convex = within(record, ("axes", "largest concavity of CEL0's cost along an axis, relative"))
    flat = within(record, ("axes", "largest curvature between 0 and the knee, relative"))
    broken = measured(record, "axes", "axes along which l0's cost is not convex, fraction")
    hull = within(
        record,
        ("orthogonal", "CEL0 against the convex hull of l0, one atom"),
        ("orthogonal", "cost against the sum over atoms, relative"),
        ("orthogonal", "largest excess at a midpoint"),
        ("orthogonal", "costs reached against l0's optimum, relative"),
    )
    return [
        judged(
            "scale", "A sample scaled by s needs alpha scaled by s^2",
            *within(
                record, ("scale", "codes of 10 y at 100 alpha against 10 codes, relative"),
                limit=1e-6,
            ),
            f"With s alpha, as for l1, l0's best support would change in {100 * changed:.0f} % of "
            f"the problems.", preset="smoke",
        ),
        judged(
            "zero_critical", "0 is critical from alpha = max (d_j y)^2 / (2 a_j^2) on",
            formula[0], formula[1] and flags == 1.0,
            f"Critical is not yet best: in {100 * not_global:.0f} % of the problems another code "
            f"costs less there.", preset="smoke",
        ),
        judged(
            "axes", "Along each axis the cost is convex, and linear up to the knee",
            f"concavity {convex[0]}; curvature {flat[0]}", convex[1] and flat[1],
            f"l0's cost is not convex along {100 * broken:.0f} % of the axes.", preset="smoke",
        ),
        judged(
            "orthogonal", "For orthogonal atoms CEL0 gives the convex hull of l0's cost",
            *hull,
            "The hull of each atom's cost, drawn around points; the sum over atoms; midpoints; "
            "and the cost that every start reaches.", preset="smoke",
        ),
    ]  # fmt: skip


@cel0_exactness.plot
def figure(record: Record, figure: Any) -> None:
    """Draw limits and gaps by method, then what wrong norms do."""
    figure.set_size_inches(9.6, 7.0)
    axes = figure.subplots(2, 2, gridspec_kw={"height_ratios": (1.1, 1.0)})
    _draw_limits(record, axes[0, 0])
    _draw_gaps(record, axes[0, 1])
    _draw_minimisers(record, axes[1, 0])
    _draw_exactness(record, axes[1, 1])


def _draw_limits(record: Record, ax: Any) -> None:
    """Draw how many limits each method has on each problem."""
    counts = record.arrays["n_limits"]
    for row, style in enumerate(STYLES.values()):
        column = counts[:, row]
        shift = 0.26 * np.sin(2.4 * np.arange(column.size))  # apart, so that equal counts show
        ax.plot(column, row + shift, "o", color=style["color"], markersize=3.5, alpha=0.35, mew=0)
        ax.plot(column.mean(), row, "|", color="#20262e", markersize=17, mew=2)
    ax.set_yticks(range(len(STYLES)), STYLES)
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.set(xlim=(0, None), xlabel=f"distinct limits of {record.config.n_starts} starts")
    ax.set_title("Distinct limits: dots are problems, bars means")


def _draw_gaps(record: Record, ax: Any) -> None:
    """Draw which share of the starts ends how far above the global optimum."""
    quantiles = record.arrays["gap_quantiles"]
    for name, style, gaps in zip(STYLES, STYLES.values(), quantiles):
        ax.plot(1.0 + gaps, QUANTILES, label=name, **style)
    longest = quantiles[list(METHODS).index("l0, step 1/L")][-2]
    ax.set(
        xlim=(1.0, 1.1 + longest), ylim=(0.0, 1.0),
        xlabel="l0 cost of the limit / global optimum", ylabel="share of starts",
    )  # fmt: skip
    ax.set_title("How good they are: left is better")
    ax.legend(loc="center right", bbox_to_anchor=(1.0, 0.66), fontsize="small")


def _draw_minimisers(record: Record, ax: Any) -> None:
    """Draw the share of l0's minimisers that a relaxation with wrong norms keeps."""
    factors = np.array(record.config.norm_factors)
    counts = record.arrays["swept_n_minimisers"]
    share = counts / record.arrays["n_l0"][: len(counts), None]
    _lines(ax, factors, share)
    ax.axhline(1.0, color=STYLES["l0, step 1/L"]["color"], linewidth=1.2, linestyle="--")
    ax.text(factors[0], 0.985, "l0", va="top", color=STYLES["l0, step 1/L"]["color"])
    ax.set(ylim=(0, 1.05), ylabel="strict minimisers, share of l0's")
    ax.set_title("Wrong norms: how many minimisers are left")


def _draw_exactness(record: Record, ax: Any) -> None:
    """Draw how far the relaxation's global value lies below l0's."""
    factors = np.array(record.config.norm_factors)
    _lines(ax, factors, 100.0 * record.arrays["swept_gap"])
    fine = np.linspace(factors.min(), 1.0, 50)
    worst = -100.0 * (1.0 - fine) / (1.0 + fine)
    ax.plot(fine, worst, color="#20262e", linewidth=1.2, linestyle=":")
    ax.text(1.06, -20.0, "dotted: one atom at a tie", va="center", fontsize="small")
    ax.set(ylabel="CEL0's global value against l0's, %")
    ax.set_title("... and the price: exact from 1 on only")


def _lines(ax: Any, factors: np.ndarray, curves: np.ndarray) -> None:
    """Draw one faint line a problem and the mean of all, over factors on a logarithmic axis."""
    color = STYLES["CEL0, step 1/L"]["color"]
    ax.plot(factors, curves.T, color=color, alpha=0.22, linewidth=1.0)
    ax.plot(factors, curves.mean(axis=0), "o-", color=color)
    ax.axvline(1.0, color="#5b6470", linewidth=0.8)
    ax.set_xscale("log", base=2)
    ticks = [factor for factor in (0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0) if factor in factors]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.set_xticks([], minor=True)
    ax.set(xlabel="norm given / norm of the atom")
