"""Sparsey's sigmoids and laws of decay against their formulas and published figures."""

import numpy as np
import pytest

from memory import (
    Sigmoid2010,
    Sigmoid2014,
    SigmoidCore,
    SigmoidNeurithmic,
    SmoothDecay,
    Sparsey,
    TableDecay,
)
from memory._decay import as_decay
from memory._sigmoids import as_sigmoid

ALL = [Sigmoid2014(), Sigmoid2010(), SigmoidCore(), SigmoidNeurithmic()]
V = np.array([[1.0, 0.0, 0.25, 0.5], [0.75, 0.9, 0.1, 0.0]])


def p_win(sigmoid, n_units=8):
    """Chance of a unit with V = 1 among silent ones, at G = 1."""
    mac = np.zeros((1, n_units))
    mac[0, 0] = 1.0
    chances = sigmoid.chances(mac, 1.0)[0]
    return chances[0] / chances.sum()


@pytest.mark.parametrize(
    ("sigmoid", "published"),
    [
        (Sigmoid2014(), 0.991),
        (Sigmoid2010(), 0.999),
        (SigmoidNeurithmic(gain=2.0), 0.955),
        (SigmoidCore(low=0.5, high=0.5), 0.514),
        (SigmoidCore(low=0.9, high=0.9), 0.763),
    ],
)
def test_chance_to_win_at_full_familiarity(sigmoid, published):
    assert round(p_win(sigmoid), 3) == published


def eta(G, K, floor=0.1, power=2.0, gain=100.0):
    return 1.0 + (max(0.0, G - floor) / (1.0 - floor)) ** power * gain * K


@pytest.mark.parametrize("G", [0.0, 0.05, 0.3, 0.8, 1.0])
def test_formulas(G):
    reach = eta(G, 4) - 1.0
    inside = reach / (1 + (0.1 * np.exp(-4 * (V - 1))) ** 8) + 1
    np.testing.assert_allclose(Sigmoid2014().chances(V, G), inside, rtol=1e-12)
    outside = reach / (1 + 0.1 * np.exp(-4 * (V - 1))) ** 8 + 1
    np.testing.assert_allclose(Sigmoid2014(outside=True).chances(V, G), outside, rtol=1e-12)
    older = 1e4 * G**7 / (1 + np.exp(-(26 * V - 13))) + 1
    np.testing.assert_allclose(Sigmoid2010().chances(V, G), older, rtol=1e-12)
    x = 0.5 + 0.1 * int(V.mean() * 5)
    core = np.maximum(eta(G, 4) / (1 + np.exp(-4 * (V - x))), 1)
    np.testing.assert_allclose(SigmoidCore().chances(V, G), core, rtol=1e-12)
    port = 2 * max(0, G - 0.2) / 0.8 / (1 + np.exp(-28 * V + 5)) + 1e-6
    np.testing.assert_allclose(SigmoidNeurithmic().chances(V, G), port, rtol=1e-12)


def test_expansivity_of_the_ports():
    assert eta(1.0, 8) == 801.0
    chances = Sigmoid2014(scale=0.0).chances(np.ones((1, 8)), 1.0)
    np.testing.assert_allclose(chances, 801.0)


@pytest.mark.parametrize("sigmoid", ALL)
def test_all_are_alike_where_nothing_is_familiar(sigmoid):
    chances = sigmoid.chances(V, 0.0)
    np.testing.assert_array_equal(chances, chances[0, 0])
    more = sigmoid.chances(np.linspace(0, 1, 20)[None, :], 0.9)[0]
    assert (np.diff(more) >= 0).all()


@pytest.mark.parametrize(
    ("mean", "inflection"),
    [(0.0, 0.5), (0.19, 0.5), (0.21, 0.6), (0.5, 0.7), (0.99, 0.9), (1, 0.9)],
)
def test_inflection_of_the_core_rises_with_the_mean(mean, inflection):
    flat = np.full((1, 4), float(mean))
    wanted = max(eta(1.0, 4) / (1 + np.exp(-4 * (mean - inflection))), 1)
    np.testing.assert_allclose(SigmoidCore().chances(flat, 1.0), wanted, rtol=1e-12)


@pytest.mark.parametrize("sigmoid", ALL)
def test_names_and_dicts(sigmoid):
    assert as_sigmoid(sigmoid.name) == sigmoid
    assert as_sigmoid(sigmoid.plain()) == sigmoid
    assert as_sigmoid(sigmoid) is sigmoid


@pytest.mark.parametrize(
    ("activation", "error", "said"),
    [
        ("2020", ValueError, "activation must be one of '2014', '2010', 'core', 'neurithmic'; got"),
        ({"gain": 2}, ValueError, "activation must be one of"),
        (7, ValueError, "activation must be one of"),
    ],
)
def test_unknown_sigmoids(activation, error, said):
    with pytest.raises(error, match=said):
        Sparsey(activation=activation).store(np.eye(3))


def test_bad_constants():
    with pytest.raises(ValueError, match="floor must lie from 0 to below 1; got 1"):
        Sigmoid2014(floor=1.0)
    with pytest.raises(ValueError, match="gain must be at least 0; got -1"):
        Sigmoid2010(gain=-1.0)
    with pytest.raises(ValueError, match="steepness must be finite; got nan"):
        SigmoidCore(steepness=float("nan"))
    with pytest.raises(TypeError, match="shift must be a number; got '5'"):
        SigmoidNeurithmic(shift="5")


def test_steps_of_decay():
    table = TableDecay().table()
    assert table.shape == (2, 8002)
    ages = np.array([0, 2000, 2001, 3000, 3001, 4000, 4001, 6001, 8000, 8001])
    assert table[0, ages].tolist() == [127, 127, 120, 120, 50, 50, 0, 0, 0, 0]
    assert table[1, ages].tolist() == [127] * 6 + [120, 50, 50, 0]


def test_smooth_decay():
    law = SmoothDecay(lifetime=100, curvature=20.0)
    t = np.arange(100)
    wanted = np.append(np.rint(127 * (1 + 20 / 100) / (1 + 20 / (100 - t))), 0)
    np.testing.assert_array_equal(law.table()[0], wanted)
    assert law.table()[0, 0] == 127


def test_bad_laws():
    with pytest.raises(ValueError, match=r"levels must fall from 127; got \(120, 127\)"):
        TableDecay(levels=(120, 127), ages=((1, 2),))
    with pytest.raises(ValueError, match="ages must rise in every row"):
        TableDecay(ages=((3, 2, 1),))
    with pytest.raises(ValueError, match="an age for each of the 3 levels"):
        TableDecay(ages=((3, 4),))
    with pytest.raises(ValueError, match="curvature must be finite and above 0"):
        SmoothDecay(curvature=-1.0)
    with pytest.raises(ValueError, match="decay must be one of 'table', 'smooth'; got 'fast'"):
        as_decay("fast")
    with pytest.raises(ValueError, match="weights must be '8-bit' for weights that decay"):
        Sparsey(decay="table").store(np.eye(3))
    assert as_decay({"name": "smooth", "lifetime": 7}) == SmoothDecay(lifetime=7)
