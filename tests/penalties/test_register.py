"""A penalty of one's own: a struct, two functions and a call of `register`."""

from typing import NamedTuple

import numpy as np
import pytest
from penalties.table_kernels import tabulate

from sparsecode.penalties import (
    _dispatch,
    check_penalty,
    make,
    prox,
    register,
    registered,
    value,
)
from sparsecode.penalties._dispatch import at, soft
from sparsecode.solvers.cd import cd


class CappedL1(NamedTuple):
    """alpha * min(|z|, top): the lasso, as long as nothing reaches the top."""

    alpha: float
    top: float = 1.0
    positive: bool = False
    weights: np.ndarray | None = None


def capped_prox(penalty, v, step, j):
    height = penalty.alpha * at(penalty.weights, j)
    low = min(soft(v, step * height), penalty.top)
    high = max(v, penalty.top)
    cost_low = (low - v) ** 2 / (2 * step) + height * low
    cost_high = (high - v) ** 2 / (2 * step) + height * penalty.top
    return low if cost_low <= cost_high else high


def capped_value(penalty, u, j):
    return penalty.alpha * at(penalty.weights, j) * min(u, penalty.top)


@pytest.fixture
def registered_by_hand():
    """Register CappedL1 for one test."""
    known = dict(_dispatch._FORMULAS)
    register(CappedL1, "registered_by_hand", prox=capped_prox, value=capped_value)
    yield CappedL1
    _dispatch._FORMULAS.clear()
    _dispatch._FORMULAS.update(known)


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    dictionary = rng.normal(size=(12, 8)) * rng.uniform(0.5, 2, (12, 1))
    return rng.normal(size=(5, 8)), dictionary


@pytest.mark.usefixtures("registered_by_hand")
def test_it_is_known_by_name():
    assert registered()["registered_by_hand"] is CappedL1
    assert make("registered_by_hand", 0.3, top=2.0) == CappedL1(0.3, 2.0)


@pytest.mark.usefixtures("registered_by_hand")
def test_it_works_in_python_and_in_kernels():
    penalty = check_penalty(CappedL1(0.4, weights=[1.0, 2.0]), np.ones(2))
    points, steps = np.linspace(-3, 3, 61), np.array([0.3, 1.0, 3.0])
    proxes, values = np.empty((2, 3, 61)), np.empty((2, 61))
    tabulate(penalty, points, steps, proxes, values)
    np.testing.assert_allclose(values[1], 0.8 * np.minimum(np.abs(points), 1.0), rtol=1e-14)
    rivals = np.linspace(-4, 4, 801)
    for j in range(2):
        costs = np.array([value(penalty, u, j) for u in rivals])
        for k, step in enumerate(steps):
            for i, v in enumerate(points):
                u = prox(penalty, v, step, j)
                assert proxes[j, k, i] == pytest.approx(u, rel=1e-14)
                least = (u - v) ** 2 / (2 * step) + value(penalty, u, j)
                assert least <= np.min((rivals - v) ** 2 / (2 * step) + costs) + 1e-12


@pytest.mark.usefixtures("registered_by_hand")
def test_solvers_take_it(problem):
    X, dictionary = problem
    result = cd(X, dictionary, "registered_by_hand", alpha_ratio=0.3, tol=1e-9)
    assert result.converged.all()
    assert 0 < result.code.density < 1
    squared_norms = (dictionary**2).sum(axis=1)
    codes = result.code.to_dense()
    for x, z, alpha in zip(X, codes, result.alpha, strict=True):
        correlation = dictionary @ (x - z @ dictionary)
        for j, u in enumerate(z):
            step = 1 / squared_norms[j]
            moved = prox(CappedL1(alpha), u + step * correlation[j], step, j)
            assert moved == pytest.approx(u, abs=1e-7)

    assert cd(X, dictionary, "registered_by_hand", alpha_ratio=1.0).code.nnz == 0
    lasso = cd(X, dictionary, CappedL1(0.3, top=1e6), tol=1e-9).code.to_dense()
    correlations = (X - lasso @ dictionary) @ dictionary.T
    assert np.abs(correlations).max() <= 0.3 + 1e-6
    active = lasso != 0
    np.testing.assert_allclose(correlations[active], 0.3 * np.sign(lasso[active]), atol=1e-6)


def test_the_registry_is_left_as_it_was():
    assert CappedL1 not in registered().values()
    with pytest.raises(TypeError, match="must be a registered struct such as L1"):
        prox(CappedL1(0.3), 1.0, 1.0, 0)


def test_a_struct_without_the_common_fields_is_refused():
    class Bare(NamedTuple):
        alpha: float

    message = "must be a NamedTuple with fields alpha, positive and weights; Bare lacks positive, w"
    with pytest.raises(ValueError, match=message):
        register(Bare, "bare", prox=capped_prox, value=capped_value)
    with pytest.raises(ValueError, match="float lacks alpha, positive, weights"):
        register(float, "float", prox=capped_prox, value=capped_value)
    assert not {"bare", "float"} & set(registered())


@pytest.mark.usefixtures("registered_by_hand")
def test_a_name_is_given_once_but_a_struct_may_be_registered_again():
    with pytest.raises(ValueError, match="the penalty name must be new; 'l1' is taken"):
        register(CappedL1, "l1", prox=capped_prox, value=capped_value)
    register(CappedL1, "registered_by_hand", prox=capped_prox, value=capped_value)
    assert registered()["registered_by_hand"] is CappedL1
