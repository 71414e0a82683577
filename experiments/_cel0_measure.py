"""What `cel0-exactness` computes: minimisers listed, descents from many starts, wrong norms."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from experiments._l0_exhaustive import Sample, cel0_minimisers, cel0_penalty, l0_minimisers
from sparsecode.core.rng import Streams
from sparsecode.penalties import CEL0, L0, MCP, prox, value
from sparsecode.solvers import SolverResult, alpha_max, cd, cel0_macro, certify, iht, ista

if TYPE_CHECKING:
    from experiments.cel0_exactness import Config

#: One number of the table: part, quantity, cases, what was measured.
Row = tuple[str, str, int, float]
#: Up to which relative difference two costs are the same.
ROUNDING = 1e-9
#: The steps of the proximal iterations, as fractions of 1 / L.
LONG, SHORT = 0.95, 0.1
#: Quantiles of the gaps that are kept.
QUANTILES = np.linspace(0.0, 1.0, 101)


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


def rescaled(config: Config, streams: Streams, number: int) -> dict[str, Any]:
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
