"""What a penalty promises: its prox minimises, its value is even and grows."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from penalties.examples import (
    EXAMPLES,
    N_ATOMS,
    every_penalty,
    every_proximal_step,
    is_proximal,
)
from strategies import reals

from sparsecode.penalties import CEL0, L0, L1, MCP, SCAD, Half, prox, registered, value
from sparsecode.penalties._dispatch import dual_parts, formulas, slope

ATOMS = (0, 5, N_ATOMS - 1)
alphas = st.floats(0.05, 2.0)
steps = st.floats(0.05, 4.0)
atoms = st.integers(0, N_ATOMS - 1)


def cost(penalty, u, v, step, j):
    return (u - v) ** 2 / (2 * step) + value(penalty, u, j)


def test_every_registered_penalty_has_an_example():
    assert {type(penalty) for penalty in EXAMPLES} == set(registered().values())


@every_proximal_step
def test_prox_beats_every_rival_on_a_grid(penalty, step):
    rivals = np.linspace(-6, 6, 2401)
    for j in ATOMS:
        values = np.array([value(penalty, u, j) for u in rivals])
        for v in np.linspace(-4, 4, 83):
            best = np.min((rivals - v) ** 2 / (2 * step) + values)
            assert cost(penalty, prox(penalty, v, step, j), v, step, j) <= best + 1e-12


@every_penalty
@given(v=reals, rival=reals, alpha=alphas, step=steps, j=atoms)
def test_prox_beats_any_rival(penalty, v, rival, alpha, step, j):
    assume(is_proximal(penalty, step))
    penalty = penalty._replace(alpha=alpha)
    least = cost(penalty, prox(penalty, v, step, j), v, step, j)
    for other in (rival, 0.0, abs(v)):
        assert least <= cost(penalty, other, v, step, j) * (1 + 1e-12) + 1e-12


@every_penalty
@given(v=reals, w=reals, alpha=alphas, step=steps, j=atoms)
def test_prox_is_odd_and_monotone_and_shrinks(penalty, v, w, alpha, step, j):
    penalty = penalty._replace(alpha=alpha)
    low, high = sorted((v, w))
    assert prox(penalty, low, step, j) <= prox(penalty, high, step, j) + 1e-12
    assert 0.0 <= prox(penalty, abs(v), step, j) <= abs(v)
    mirrored = 0.0 if penalty.positive else -prox(penalty, abs(v), step, j)
    assert prox(penalty, -abs(v), step, j) == mirrored


@every_proximal_step
def test_the_threshold_is_where_silence_stops_paying(penalty, step):
    for j in ATOMS:
        silent, active = 0.0, 50.0
        assert prox(penalty, silent, step, j) == 0.0 < prox(penalty, active, step, j)
        while silent < (middle := 0.5 * (silent + active)) < active:
            if prox(penalty, middle, step, j) == 0.0:
                silent = middle
            else:
                active = middle
        u = prox(penalty, active, step, j)
        stays = cost(penalty, 0.0, active, step, j)
        assert cost(penalty, u, active, step, j) == pytest.approx(stays, rel=1e-12)


@pytest.mark.parametrize(
    ("penalty", "threshold"),
    [
        (L1(1.0), 1.0),
        (L0(0.5), 1.0),
        (Half(1.0), 1.5),
        (CEL0(0.5), 1.0),
        (CEL0(0.5, norms=np.array([2.0])), 1.0),
        (CEL0(0.5, norms=np.array([0.5])), 0.5),
        (MCP(1.0, beta=1.0), 1.0),
        (MCP(2.0, beta=0.25), 1.0),
        (SCAD(1.0), 1.0),
    ],
    ids=str,
)
def test_zero_wins_ties(penalty, threshold):
    assert prox(penalty, threshold, 1.0, 0) == 0.0
    assert prox(penalty, -threshold, 1.0, 0) == 0.0
    assert prox(penalty, math.nextafter(threshold, 9), 1.0, 0) > 0.0


@pytest.mark.parametrize("n_ulps", range(-3, 4))
@given(norm=st.floats(0.3, 3.0), alpha=alphas, offset=st.integers(-4, 4))
def test_prox_survives_rounding_at_the_critical_step(n_ulps, norm, alpha, offset):
    """At step 1 / norm**2, that of coordinate descent, a branch would divide by rounding errors."""
    start = norm * math.sqrt(2 * alpha)
    for penalty, critical, edge in (
        (CEL0(alpha, np.array([norm])), 1 / norm**2, start / norm**2),
        (MCP(start, beta=1 / (norm * norm)), 1 / norm**2, start / norm**2),
        (SCAD(start, c=2 + norm), 1 + norm, start * (2 + norm)),
    ):
        step = critical + n_ulps * math.ulp(critical)
        v = edge + offset * math.ulp(edge)
        u = prox(penalty, v, step, 0)
        least = cost(penalty, u, v, step, 0)
        for rival in (0.0, v):
            assert least <= cost(penalty, rival, v, step, 0) * (1 + 1e-12)
        assert u in (0.0, v) or isinstance(penalty, SCAD)


@every_penalty
@given(u=reals, w=reals, j=atoms)
def test_value_is_even_and_grows_from_zero(penalty, u, w, j):
    assert value(penalty, 0.0, j) == 0.0
    low, high = sorted((abs(u), abs(w)))
    assert 0.0 <= value(penalty, low, j) <= value(penalty, high, j)
    mirrored = math.inf if penalty.positive and u < 0 else value(penalty, abs(u), j)
    assert value(penalty, u, j) == mirrored


@every_penalty
def test_slope_is_the_derivative_of_value(penalty):
    if formulas(penalty).slope is None:
        with pytest.raises(TypeError, match="must have a slope that is finite and never grows"):
            slope(penalty, 0.0, 0)
        return
    h = 1e-7
    for j in ATOMS:
        assert slope(penalty, 0.0, j) == pytest.approx(value(penalty, h, j) / h, abs=1e-5)
        for u in np.linspace(0.01, 4, 57):
            rise = (value(penalty, u + h, j) - value(penalty, u - h, j)) / (2 * h)
            assert slope(penalty, u, j) == pytest.approx(rise, abs=1e-6)
            assert slope(penalty, u, j) <= slope(penalty, u - 0.01, j)


@every_penalty
def test_dual_parts_are_the_value_of_convex_penalties(penalty):
    points = np.linspace(0, 4, 41)
    for j in ATOMS:
        l1, ridge = dual_parts(penalty, j)
        values = np.array([value(penalty, u, j) for u in points])
        if formulas(penalty).dual_parts is None:
            assert (l1, ridge) == (0.0, 0.0)
        else:
            np.testing.assert_allclose(values, l1 * points + ridge * points**2 / 2, rtol=1e-14)
