"""The operators of Rentzeperis et al. 2023, as their published code has them."""

import math

import numpy as np
import pytest

from sparsecode.penalties import CEL0, L0, L1, Half, PaperCEL0, paper, prox

AUTHORS = [("soft", 0.41, 0.01), ("hard", 0.013, 0.01), ("half", 0.13, 0.01), ("cel0", 0.45, 0.1)]
POINTS = np.concatenate([np.linspace(-2, 2, 401), np.linspace(-0.05, 0.05, 401)])


def authors_soft(u, weight, step):
    return math.copysign(max(abs(u) - weight * step, 0), u)


def authors_hard(u, weight, step):
    return u if abs(u) >= math.sqrt(weight * step) else 0.0


def authors_half(u, weight, step):
    t = weight * step
    if abs(u) <= 54 ** (1 / 3) / 4 * t ** (2 / 3):
        return 0.0
    angle = math.acos(t / 8 * (abs(u) / 3) ** -1.5)
    return 2 / 3 * u * (1 + math.cos(2 * math.pi / 3 - 2 / 3 * angle))


def authors_cel0(u, weight, step):
    if step >= 1:
        return 0.0
    shrunk = max(abs(u) - math.sqrt(2 * weight) * step, 0) / (1 - step)
    return math.copysign(min(abs(u), shrunk), u)


@pytest.mark.parametrize(("name", "weight", "step"), AUTHORS)
@pytest.mark.parametrize("factor", [0.5, 1.0, 7.0])
def test_converted_penalties_are_the_authors_operators(name, weight, step, factor):
    step *= factor
    theirs = globals()[f"authors_{name}"]
    for u in POINTS:
        ours = prox(paper(name, weight), u, step, 0)
        assert ours == pytest.approx(theirs(u, weight, step), rel=1e-12, abs=1e-14)


def test_weights_are_halved_where_their_data_term_is_doubled():
    assert paper("soft", 0.4) == paper("l1", 0.4) == L1(0.4)
    assert paper("hard", 0.4) == paper("l0", 0.4) == L0(0.2)
    assert paper("half", 0.4) == Half(0.2)
    assert paper("cel0", 0.4) == PaperCEL0(0.4)


@pytest.mark.parametrize("step", [1.0, 1.5, 40.0])
def test_their_cel0_is_silent_from_step_1_on(step):
    for u in (-100.0, 0.3, 100.0):
        assert prox(paper("cel0", 0.45), u, step, 0) == 0.0
    assert prox(CEL0(0.45), 100.0, step, 0) == 100.0


@pytest.mark.parametrize("step", [0.1, 0.5, 0.99])
def test_their_cel0_is_ours_at_unit_norms_below_step_1(step):
    for u in POINTS:
        assert prox(paper("cel0", 0.45), u, step, 0) == prox(CEL0(0.45), u, step, 0)


def test_a_penalty_the_paper_lacks_is_refused():
    known = "name must be one of 'soft', 'l1', 'hard', 'l0', 'half', 'cel0'; got 'scad'"
    with pytest.raises(ValueError, match=known):
        paper("scad", 0.1)
