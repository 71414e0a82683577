"""What `sparsey-sequences` and `sparsey-capacity` measure of small macs."""

from __future__ import annotations

import numpy as np
import pytest

from experiments import _sparsey_capacity_claims as claims
from experiments._sparsey_capacity_measure import size_of
from experiments._sparsey_sequences_measure import cue, move
from experiments.sparsey_capacity import sparsey_capacity
from experiments.sparsey_sequences import sparsey_sequences


def test_moving_pixels_keeps_their_number():
    rng = np.random.default_rng(0)
    frames = np.arange(144) < np.arange(9, 13)[:, None]
    moved = move(frames, 2, rng)
    assert (moved.sum(axis=1) == frames.sum(axis=1)).all()
    assert ((frames & ~moved).sum(axis=1) == 2).all()


@pytest.mark.parametrize(
    ("mode", "n_shown", "times"),
    [
        ("first", 1, [0, 1, 2, 3]),
        ("skipped", 2, [0, 2]),
        ("doubled, back-off", 8, [0, 0, 1, 1, 2, 2, 3, 3]),
        ("moved-1", 4, [0, 1, 2, 3]),
    ],
)
def test_cues_show_the_frames_that_they_name(mode, n_shown, times):
    frames = np.eye(4, 20, dtype=bool)
    shown, of = cue(frames, mode, np.random.default_rng(1))
    assert len(shown) == n_shown
    assert of.tolist() == times
    if "moved" not in mode:
        assert (shown == frames[of[:n_shown]]).all()


def test_a_mac_of_size_one_is_that_of_the_studies():
    size = size_of(sparsey_capacity.config("paper"), "all", 1.0)
    assert size.n_weights("sequences") == 39_168  # 144 U and 128 H weights for each of 144 units
    assert size.n_weights("patterns") == 144 * 144


def test_exponents_leave_out_macs_that_hold_nothing():
    x = np.array([1.0, 2.0, 4.0, 8.0])
    y = 3.0 * x[:, None] ** 1.5 * np.ones(2)
    y[0] = 0.0
    exponent, low, high = claims._exponent(x, y)
    assert exponent == pytest.approx(1.5)
    assert low <= exponent + 1e-9
    assert high >= exponent - 1e-9
    assert np.isnan(claims._exponent(x[:2], y[:2])[0])


def test_a_line_is_found_and_a_curve_is_not():
    x = np.arange(1.0, 6.0)
    slope, r2 = claims.straight(x, np.stack([2.0 * x + 1.0, x**4], axis=1))
    assert slope[0] == pytest.approx(2.0)
    assert r2[0] == pytest.approx(1.0)
    assert r2[1] < claims.LEAST_R2


def test_one_sequence_alone_is_recalled_from_its_first_frame():
    config = sparsey_sequences.config("smoke", loads=(1,), low_load=1, n_edges=4, rules=("2014",))
    record = sparsey_sequences.run(config)
    rows = record.table.where(data="random", mode="first", quantity="winners")
    assert rows["value"][0] == 1.0
