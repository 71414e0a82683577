"""The listing of minimisers against slow twins, and claims that fail when they should."""

import dataclasses
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from experiments import _cel0_measure as module
from experiments._framework import Table, Verdict
from experiments._l0_exhaustive import Sample, cel0_minimisers, cel0_penalty, l0_minimisers
from experiments.cel0_exactness import cel0_exactness
from sparsecode.core import Streams
from sparsecode.penalties import CEL0, L0, check_penalty, value
from sparsecode.solvers import certify

seeds = st.integers(0, 2**32 - 1)
factors = st.sampled_from([0.5, 0.8, 1.0, 1.5, 3.0])


def random_sample(seed, n_atoms=4, n_features=3, alpha=0.1):
    rng = np.random.default_rng(seed)
    dictionary = rng.standard_normal((n_atoms, n_features)) * rng.uniform(0.5, 2, (n_atoms, 1))
    return Sample(1.5 * rng.standard_normal(n_features), dictionary, alpha)


# ---------------------------------------------------------------------- the slow twins


def supports(sample):
    n_atoms, n_features = sample.dictionary.shape
    for size in range(1, min(n_atoms, n_features) + 1):
        yield from map(list, combinations(range(n_atoms), size))


def fits(sample):
    """Return the least-squares code of every support, one by one."""
    yield np.zeros(len(sample.dictionary))
    for support in supports(sample):
        code = np.zeros(len(sample.dictionary))
        code[support] = np.linalg.lstsq(sample.dictionary[support].T, sample.y, rcond=None)[0]
        yield code


def is_strict_minimiser(sample, code, norms):
    """Walk from a code: CEL0 rises in every direction, those of least curvature included."""
    active = np.flatnonzero(code)
    bends = np.where(np.abs(code) < np.sqrt(2 * sample.alpha) / norms, norms**2, 0.0)
    hessian = sample.dictionary @ sample.dictionary.T - np.diag(bends)
    curved = np.zeros((active.size, code.size))
    curved[:, active] = np.linalg.eigh(hessian[np.ix_(active, active)])[1].T
    steps = np.random.default_rng(0).standard_normal((1000, code.size))
    steps = np.concatenate([steps, np.eye(code.size), -np.eye(code.size), curved])
    rise = sample.cel0(code + 1e-5 * steps, norms) - sample.cel0(code, norms)
    return rise.min() > 0.0


def stationary_points(sample, norms):
    """Return the stationary point of every cell that holds it, cell by cell."""
    gram, root = sample.dictionary @ sample.dictionary.T, np.sqrt(2 * sample.alpha)
    projections = sample.dictionary @ sample.y
    yield np.zeros(len(gram))
    for support in supports(sample):
        for signs in product((-1, 0, 1), repeat=len(support)):
            signs, code = np.array(signs), np.zeros(len(gram))
            hessian = gram[np.ix_(support, support)] - np.diag(norms[support] ** 2 * signs**2)
            pull = projections[support] - root * norms[support] * signs
            code[support] = np.linalg.lstsq(hessian, pull, rcond=None)[0]
            size, knees = np.abs(code[support]), root / norms[support]
            between = (size < knees) & (code[support] * signs > 0)
            inside = np.where(signs == 0, size >= knees, between)
            if inside.all():
                yield code


# ----------------------------------------------------------------------- the listing


@given(seed=seeds)
@settings(max_examples=20)
def test_l0_minimisers_are_the_least_squares_codes(seed):
    sample = random_sample(seed)
    found = l0_minimisers(sample)
    twins = np.array(list(fits(sample)))
    np.testing.assert_allclose(found.codes, twins, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(found.cost, sample.l0(twins), rtol=1e-9)
    assert found.cost[found.best] == found.cost.min()


@given(seed=seeds, factor=factors)
@settings(max_examples=40)
def test_cel0_minimisers_are_those_of_the_slow_twin(seed, factor):
    sample = random_sample(seed)
    assume(all(np.linalg.cond(sample.dictionary[support]) < 1e3 for support in supports(sample)))
    norms = factor * sample.norms
    found = cel0_minimisers(sample, norms)
    points = np.array(list(stationary_points(sample, norms)))
    assert found.cost.min() == pytest.approx(sample.cel0(points, norms).min(), rel=1e-9)
    strict = [point for point in points if is_strict_minimiser(sample, point, norms)]
    assert len(found.codes) == len(strict)
    for code in found.codes:
        nearest = min(np.abs(code - point).max() for point in strict)
        assert nearest <= 1e-6 * (1 + np.abs(code).max())


@given(seed=seeds, factor=factors)
@settings(max_examples=10, deadline=None)
def test_no_code_on_a_fine_grid_costs_less(seed, factor):
    """For two atoms the whole plane can be searched; the minimum is met up to the mesh."""
    sample = random_sample(seed, n_atoms=2, n_features=2)
    norms = factor * sample.norms
    found = cel0_minimisers(sample, norms)
    reach = 1.5 * np.abs(l0_minimisers(sample).codes).max() + 0.1
    axis = np.linspace(-reach, reach, 801)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    lowest = sample.cel0(grid, norms).min()
    assert found.cost.min() <= lowest + 1e-12
    mesh = reach / 400
    assert lowest <= found.cost.min() + 4 * mesh * (1 + np.sqrt(2 * sample.alpha) * norms.sum())


def test_minimisers_between_0_and_the_knee_are_told():
    sample = Sample(np.array([1.0]), np.ones((1, 1)), 0.5)  # at a tie: the knee is 1
    found = cel0_minimisers(sample, np.array([0.5]))
    np.testing.assert_allclose(found.codes, [[2 / 3]])
    assert found.between.all()
    assert not cel0_minimisers(random_sample(3)).between.any()


def test_costs_are_those_of_the_package():
    sample = random_sample(5)
    codes = np.random.default_rng(6).standard_normal((7, 4)) * [[1, 1, 0, 1]]
    X = np.repeat(sample.y[None], 7, axis=0)
    for penalty, ours in ((L0(0.1), sample.l0(codes)), (CEL0(0.1), sample.cel0(codes))):
        theirs = certify(X, sample.dictionary, penalty, codes).objective
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    penalty = check_penalty(CEL0(0.1), 2 * sample.norms)
    theirs = [[value(penalty, z, j) for j, z in enumerate(code)] for code in codes]
    np.testing.assert_allclose(cel0_penalty(codes, 0.1, 2 * sample.norms), theirs, atol=1e-15)


# -------------------------------------------------------------- the parts of the experiment


def test_coordinate_optimality_agrees_with_the_certificate():
    sample = random_sample(7, n_atoms=6)
    codes = l0_minimisers(sample).codes
    X = np.repeat(sample.y[None], len(codes), axis=0)
    claimed = certify(X, sample.dictionary, L0(sample.alpha), codes).coordinate_stationary
    ours = module.coordinate_optimal(sample, codes)
    assert np.array_equal(ours, claimed)
    assert 0 < ours.sum() < ours.size


@given(
    points=st.lists(
        st.tuples(st.integers(-50, 50), st.floats(-5, 5)), min_size=2, unique_by=lambda p: p[0]
    )
)
def test_the_lower_hull_is_the_least_mixture_of_two_points(points):
    x, y = np.array(sorted(points), dtype=float).T
    hull = module.lower_hull(x, y)
    for i, left in enumerate(x):
        mixtures = [y[i]]
        for a, b in combinations(range(x.size), 2):
            if x[a] <= left <= x[b]:
                mixtures.append(y[a] + (y[b] - y[a]) * (left - x[a]) / (x[b] - x[a]))
        assert hull[i] == pytest.approx(min(mixtures), abs=1e-9)


@given(a=st.floats(0.3, 3), alpha=st.floats(0.05, 3), v=st.floats(-5, 5), step=st.floats(0.05, 5))
def test_the_searched_prox_beats_a_plain_grid(a, alpha, v, step):
    u, cost = module.searched_prox(a, alpha, v, step)
    grid = np.linspace(-6, 6, 4001)
    rivals = (grid - v) ** 2 / (2 * step) + cel0_penalty(grid, alpha, a)
    assert cost <= rivals.min() + 1e-6
    own = (u - v) ** 2 / (2 * step) + cel0_penalty(np.array(u), alpha, a)
    assert cost == pytest.approx(own, abs=1e-12)


def test_at_a_tie_all_between_0_and_the_knee_costs_the_same():
    config = cel0_exactness.config("smoke", n_features=5)
    sample, code = module.tied(config, np.random.default_rng(0))
    flat = module.thresholded(sample, code) == 0.0
    assert flat.sum() == 2
    for share in (0.0, 0.3, 1.0, 2.0):  # of what stands halfway
        other = np.where(flat, share * code, code)
        assert sample.cel0(other) == pytest.approx(sample.cel0(code), rel=1e-12)
    assert sample.cel0(np.where(flat, 2.5 * code, code)) > sample.cel0(code) + 1e-3
    assert module.between(sample, code)
    assert module.rise_by_thresholding(sample, code) == pytest.approx(0.0, abs=1e-12)
    assert module.is_fit(sample, module.thresholded(sample, code))
    assert not module.is_fit(sample, code)


@pytest.mark.parametrize("factor", [0.3, 0.9, 1.0, 2.0])
def test_one_atom_loses_what_algebra_says(factor):
    expected = min(0.0, -(1 - factor) / (1 + factor))
    assert module.one_atom(factor) == pytest.approx(expected, abs=1e-12)


def test_starts_are_sparse_and_the_first_is_0():
    config = cel0_exactness.config("smoke", n_starts=300)
    sample = module.problem(config, Streams(0), 1)
    codes = module.starts(config, Streams(0), 1, sample)
    counts = np.count_nonzero(codes, axis=1)
    assert counts[0] == 0
    assert set(counts[1:]) == set(range(1, config.n_features + 1))


def test_every_other_problem_has_unequal_norms():
    config = cel0_exactness.config("smoke")
    even, odd = (module.problem(config, Streams(0), number) for number in (2, 3))
    np.testing.assert_allclose(even.norms, 1.0)
    assert odd.norms.max() > 1.3 * odd.norms.min()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"n_atoms": 16}, "n_atoms must be between 2 and 15"),
        ({"n_active": 0}, "n_active must be between 1 and n_atoms, 6; got 0."),
        ({"n_features": 1}, "n_features must be at least 2; got 1."),
        ({"n_swept": 7}, "n_problems must be at least 2, n_swept between 1"),
        ({"norm_factors": (0.5, 2)}, "norm_factors must be above 0 and hold 1"),
    ],
)
def test_a_config_that_cannot_be_run_is_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        cel0_exactness.config("smoke", **changes)


# ------------------------------------------------------------------------------ claims


@pytest.fixture(scope="module")
def record():
    """Give a small run, judged as if it were a quick one."""
    found = cel0_exactness.run(cel0_exactness.config("smoke"), seed=0)
    return cel0_exactness.judge(dataclasses.replace(found, preset="quick"))


def verdict(record, words):
    (claim,) = (claim for claim in record.claims if words in claim.text)
    return claim.verdict


def tampered(record, quantity, number):
    """Judge the record again with another number in its table."""
    hits = record.table["quantity"] == quantity
    assert hits.sum() == 1
    measured = np.where(hits, number, record.table["measured"])
    table = Table({**record.table, "measured": measured})
    return cel0_exactness.judge(dataclasses.replace(record, table=table, digest=""))


def test_what_is_proven_is_reproduced_even_at_this_size(record):
    for words in (
        "CEL0 is MCP", "proximal operator", "global value", "global minimiser", "none of its own",
        "at no cost", "end in minimisers of CEL0 only", "below the atom's", "above the atom's",
        "scaled by s", "0 is critical", "each axis", "orthogonal",
    ):  # fmt: skip
        assert verdict(record, words) == Verdict.REPRODUCED, words


@pytest.mark.parametrize(
    ("words", "quantity", "number"),
    [
        ("CEL0 is MCP", "prox of CEL0 against that of MCP", 1e-9),
        ("proximal operator", "excess cost over a search, step a^2 >= 1", 1e-6),
        ("global value", "CEL0's global value against l0's, unequal norms", 1e-6),
        ("global minimiser", "l0's cost of CEL0's best code, thresholded, excess", 1e-6),
        ("none of its own", "strict local minimisers of CEL0 that are none of l0's", 1),
        (
            "gives a local minimiser",
            "l0's cost after thresholding against CEL0's before, relative",
            1e-3,
        ),
        (
            "gives a local minimiser",
            "thresholded codes that minimise l0 on their atoms, fraction",
            0.9,
        ),
        ("macro", "optimal for l0 along every axis, fraction", 0.99),
        ("macro", "a coefficient between 0 and the knee, fraction", 0.01),
        ("scaled by s", "codes of 10 y at 100 alpha against 10 codes, relative", 1e-3),
        ("0 is critical", "0 is critical just above and not just below, fraction", 0.9),
        ("each axis", "largest curvature between 0 and the knee, relative", 1e-3),
        ("orthogonal", "CEL0 against the convex hull of l0, one atom", 1e-3),
    ],
)
def test_a_number_that_is_off_is_not_reproduced(record, words, quantity, number):
    assert verdict(tampered(record, quantity, number), words) == Verdict.NOT_REPRODUCED


def test_limits_are_judged_in_every_problem_and_in_the_mean(record):
    hard, relaxed = (list(module.METHODS).index(f"{name}, step 1/L") for name in ("l0", "CEL0"))
    words = "at most as many distinct limits"

    def judged(limits):
        arrays = {**record.arrays, "n_limits": limits}
        return verdict(cel0_exactness.judge(dataclasses.replace(record, arrays=arrays)), words)

    limits = np.full_like(record.arrays["n_limits"], 10)
    assert judged(limits) == Verdict.REPRODUCED
    limits[0, relaxed], limits[1:, hard] = 11, 12
    assert judged(limits) == Verdict.CAVEAT
    limits[:, relaxed] = 13
    assert judged(limits) == Verdict.NOT_REPRODUCED
