"""`crate-vs-exact` compares a block's code with the exact one of the same input."""

from __future__ import annotations

import numpy as np
import pytest

from experiments._crate_exact_measure import (
    LAYER_NUMBERS,
    layer_number,
    measured,
    methods,
    objectives,
    steps_needed,
)
from experiments._framework import Verdict
from experiments.crate_vs_exact import Config, crate_vs_exact
from sparsecode.penalties import L1
from sparsecode.solvers import encode, fista, ista


@pytest.fixture(scope="module")
def problem():
    """Give inputs, a square dictionary, the minima of the lasso and the curvature."""
    rng = np.random.default_rng(0)
    X, D = rng.standard_normal((12, 8)), rng.standard_normal((8, 8)) / 2.0
    exact = encode(X, D, L1(0.1, positive=True), tol=1e-10)
    return X, D, exact.objective, float(np.linalg.norm(D, 2) ** 2)


@pytest.fixture(scope="module")
def record():
    pytest.importorskip("torch")
    return crate_vs_exact.run(crate_vs_exact.config("smoke"), seed=3)


@pytest.mark.parametrize("accelerated", [False, True])
@pytest.mark.filterwarnings("ignore")  # that few steps do not converge
def test_steps_are_those_of_the_solvers(problem, accelerated):
    X, D, minimum, curvature = problem
    goal, penalty = 1.01 * minimum, L1(0.1, positive=True)
    needed = steps_needed(
        X, D, 0.1, 1.0 / curvature, goal, X, 3000, accelerated=accelerated
    )  # fmt: skip
    assert np.isfinite(needed).all()
    solver = fista if accelerated else ista
    for row, count in enumerate(needed.astype(int)):
        for n_steps, reached in ((count, True), (count - 1, False)):
            if n_steps < 1:
                continue
            z = solver(
                X[[row]], D, penalty, init=X[[row]], max_iter=n_steps, tol=1e-14
            ).code.to_dense()  # fmt: skip
            assert (objectives(X[[row]], D, 0.1, z)[0] <= goal[row]) == reached


def test_goals_that_are_not_reached_are_infinite(problem):
    X, D, minimum, curvature = problem
    below = steps_needed(X, D, 0.1, 1.0 / curvature, 0.9 * minimum, X, 20)
    assert np.isinf(below).all()
    above = steps_needed(X, D, 0.1, 1.0 / curvature, np.full(len(X), np.inf), X, 20)
    assert (above == 1).all()


def test_the_block_is_one_step_and_nothing_is_below_the_minimum(record):
    for state in ("untrained", "trained"):
        for measure in ("objective", "density", "jaccard"):
            layer, step = (measured(record, measure, name, state) for name in ("layer", "one_step"))
            assert layer == pytest.approx(step, rel=1e-5)
        for method in methods(record.config):
            assert (measured(record, "excess", method, state) >= -1e-6).all()
        assert (measured(record, "relative_objective", "lasso", state) <= 1.0).all()
        assert measured(record, "jaccard", "lasso", state) == pytest.approx(1.0)
        curvature = layer_number(record, "curvature", state)
        assert layer_number(record, "step_x_curvature", state) == pytest.approx(0.1 * curvature)
    assert record.arrays["layers"].shape == (2, 2, 2, len(LAYER_NUMBERS))
    first = next(iter(crate_vs_exact.judge(record).claims))
    assert first.verdict == Verdict.REPRODUCED


def test_a_block_that_is_not_the_step_is_found_out(record):
    arrays = dict(record.arrays)
    arrays["layers"] = arrays["layers"].copy()
    arrays["layers"][0, 1, 0, LAYER_NUMBERS.index("step_error")] = 1e-3
    arrays["layers"][0, 1, 0, LAYER_NUMBERS.index("certificate")] = 1e-3
    changed = type(record)(
        "crate-vs-exact", record.config, "smoke", 3, record.table, arrays=arrays
    )  # fmt: skip
    formula, certified, *_ = crate_vs_exact.judge(changed).claims
    assert {formula.verdict, certified.verdict} == {Verdict.NOT_REPRODUCED}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"n_seeds": 1}, "n_seeds must be at least 2"),
        ({"n_tokens": 1}, "n_tokens must be"),
        ({"n_tokens": 10_000}, "n_tokens must be"),
        ({"n_steps": (10, 1)}, "n_steps must rise from 1"),
        ({"n_steps": (2, 10)}, "n_steps must rise from 1"),
        ({"n_steps": ()}, "n_steps must rise from 1"),
        ({"excess": 0.0}, "excess must be"),
        ({"tol": float("nan")}, "tol must be"),
        ({"learning_rate": float("inf")}, "learning_rate must be"),
        ({"max_steps": 0}, "max_steps must be"),
    ],
)
def test_bad_config(change, said):
    with pytest.raises(ValueError, match=said):
        Config(**change)
