"""Orientation tuning: gratings, the curves they give, and how selective these are."""

import numpy as np
import pytest
import strategies  # noqa: F401  (the profile)
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ive

from sparsecode.core import SparseCode
from sparsecode.receptive_fields import (
    Tuning,
    circular_variance,
    gabors,
    gratings,
    half_width,
    orientation_tuning,
    preferred_orientation,
)

ORIENTATIONS = np.arange(0, 180, 2.5)
sharpness = st.floats(0.05, 8)
angles = st.floats(0, 179)


def von_mises(kappa, centre, orientations=ORIENTATIONS):
    return np.exp(kappa * (np.cos(2 * np.radians(orientations - centre)) - 1))


# Gratings


@pytest.mark.parametrize("shape", [(8, 8), (6, 11)])
def test_gratings_are_gabors_without_an_envelope(shape):
    orientations, frequencies, phases = [0, 30, 90, 150], [0.05, 0.3], [0, 45, 200]
    stimuli = gratings(shape, orientations, frequencies, phases)
    assert stimuli.shape == (4, 2, 3, shape[0] * shape[1])
    grid = np.meshgrid(orientations, frequencies, phases, indexing="ij")
    orientation, frequency, phase = (part.ravel() for part in grid)
    endless = gabors(
        shape, x=(shape[1] - 1) / 2, y=(shape[0] - 1) / 2, orientation=orientation,
        frequency=frequency, phase=phase, sigma_across=1e6, sigma_along=1e6,
    )  # fmt: skip
    np.testing.assert_allclose(stimuli.reshape(-1, shape[0] * shape[1]), endless, atol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (((4, 4), [], [0.1], [0]), "orientations must be one-dimensional and not empty"),
        (((4, 4), [[0]], [0.1], [0]), "orientations must be one-dimensional and not empty"),
        (((4, 4), [0], [0.0], [0]), "frequencies must be above 0; got 0.0"),
        (((4, 4), [0], [np.nan], [0]), "frequencies must be finite"),
        (((4, 4), [0], [0.1], [[0]]), "phases must be one-dimensional"),
        ((16, [0], [0.1], [0]), "patch_shape must be a pair"),
        ((None, [0], [0.1], [0]), "patch_shape must be a pair"),
    ],
)
def test_bad_gratings(arguments, said):
    with pytest.raises(ValueError, match=said):
        gratings(*arguments)


# Circular variance, preferred orientation, width


def test_one_orientation_is_0_and_all_are_1():
    np.testing.assert_allclose(circular_variance(np.eye(72), ORIENTATIONS), 0, atol=1e-12)
    np.testing.assert_allclose(circular_variance(np.ones(72), ORIENTATIONS), 1, atol=1e-12)
    np.testing.assert_allclose(preferred_orientation(np.eye(72), ORIENTATIONS), ORIENTATIONS)


def test_the_formula_written_out():
    rates = np.random.default_rng(0).uniform(size=7)
    orientations = np.arange(7) * 180 / 7
    cosine = sum(r * np.cos(2 * np.radians(o)) for r, o in zip(rates, orientations))
    sine = sum(r * np.sin(2 * np.radians(o)) for r, o in zip(rates, orientations))
    expected = 1 - np.hypot(cosine, sine) / rates.sum()
    assert circular_variance(rates, orientations) == pytest.approx(expected)


@given(kappa=sharpness, centre=angles)
def test_von_mises_curves_have_a_ratio_of_bessel_functions(kappa, centre):
    curve = von_mises(kappa, centre)
    variance = circular_variance(curve, ORIENTATIONS)
    assert variance == pytest.approx(1 - ive(1, kappa) / ive(0, kappa), abs=1e-9)
    distance = (preferred_orientation(curve, ORIENTATIONS) - centre + 90) % 180 - 90
    assert abs(distance) < 1e-6


@given(kappa=sharpness, broader=st.floats(0.3, 0.95), centre=angles, gain=st.floats(1e-6, 1e6))
def test_broader_curves_vary_more_whatever_their_gain_and_place(kappa, broader, centre, gain):
    narrow = circular_variance(von_mises(kappa, 0.0), ORIENTATIONS)
    broad = circular_variance(gain * von_mises(broader * kappa, centre), ORIENTATIONS)
    assert broad > narrow


@given(kappa=st.floats(0.5, 8), centre=angles)
def test_half_width_of_von_mises_curves(kappa, centre):
    orientations = np.arange(720) / 4
    expected = np.degrees(np.arccos(1 - np.log(2) / 2 / kappa)) / 2
    width = half_width(von_mises(kappa, centre, orientations), orientations)
    assert width == pytest.approx(expected, abs=0.02)


def test_half_width_of_a_triangle_is_exact():
    triangle = np.maximum(0, 1 - np.abs(ORIENTATIONS - 90) / 30)
    expected = 30 * (1 - np.sqrt(0.5))
    for shift in (0, 5, 36, 60):
        assert half_width(np.roll(triangle, shift), ORIENTATIONS) == pytest.approx(expected)


def test_directions_all_around_give_the_same_as_orientations():
    curve = von_mises(2.0, 30.0)
    around = np.concatenate([ORIENTATIONS, ORIENTATIONS + 180])
    for measure in (circular_variance, preferred_orientation, half_width):
        assert measure(np.tile(curve, 2), around) == pytest.approx(measure(curve, ORIENTATIONS))


def test_silence_is_nan_and_shapes_are_kept():
    rates = np.zeros((2, 3, 72))
    rates[0] = 1.0 + np.cos(2 * np.radians(ORIENTATIONS - 45))
    for measure, value in (
        (circular_variance, 0.5), (preferred_orientation, 45.0), (half_width, 32.765)
    ):  # fmt: skip
        result = measure(rates, ORIENTATIONS)
        assert result.shape == (2, 3)
        np.testing.assert_allclose(result[0], value, atol=0.05)
        assert np.isnan(result[1]).all()


def test_flat_curves_have_no_preference_and_no_width():
    assert np.isnan(preferred_orientation(np.ones(72), ORIENTATIONS))
    assert np.isnan(half_width(np.ones(72), ORIENTATIONS))


@pytest.mark.parametrize("measure", [circular_variance, preferred_orientation, half_width])
@pytest.mark.parametrize(
    ("responses", "orientations", "said"),
    [
        ([1, 1, 1], [0, 60, 130], "orientations must grow in even steps that fill 180 or 360"),
        ([1, 1, 1, 1], [0, 60, 120, 180], "must grow in even steps"),
        ([1, 1, 1], [120, 60, 0], "must grow in even steps"),
        ([1, 1], [0, 90], "three at least"),
        ([1, 1], [0, 60, 120], r"must have 3 orientations along the last axis; got shape \(2,\)"),
        ([[1]], [0, 60, 120], r"must have 3 orientations along the last axis; got shape \(1, 1\)"),
        ([1, -1, 0], [0, 60, 120], "responses must be at least 0; got -1.0. Rectify them"),
        ([1, np.nan, 0], [0, 60, 120], "responses must be finite"),
    ],
)
def test_bad_curves(measure, responses, orientations, said):
    with pytest.raises(ValueError, match=said):
        measure(responses, orientations)


# Atoms


@given(orientation=angles, phase=st.floats(0, 359), length=st.floats(0.5, 1.2))
def test_a_gabor_prefers_its_orientation_and_frequency(orientation, phase, length):
    atom = gabors(
        (16, 16), x=7.5, y=7.5, orientation=orientation, frequency=0.2, phase=phase,
        sigma_across=2.2, sigma_along=length / 0.2,
    )  # fmt: skip
    tuning = orientation_tuning(atom)
    assert abs((tuning.preferred_orientation[0] - orientation + 90) % 180 - 90) < 1.5
    assert tuning.frequency[0] == pytest.approx(0.2, rel=0.1)


def test_longer_gabors_vary_less():
    n_y = np.array([0.2, 0.3, 0.45, 0.6, 0.8])
    atoms = gabors(
        (24, 24), x=11.5, y=11.5, orientation=30, frequency=0.2, phase=0, sigma_across=2.5,
        sigma_along=n_y / 0.2,
    )  # fmt: skip
    tuning = orientation_tuning(atoms)
    assert np.all(np.diff(tuning.circular_variance) < -0.02)
    assert np.all(np.diff(tuning.half_width) < -1)


def test_curves_hold_the_largest_response_over_phases_at_the_best_frequency():
    atoms = np.random.default_rng(0).normal(size=(4, 6 * 9))
    frequencies = [0.1, 0.2, 0.4]
    tuning = orientation_tuning(atoms, (6, 9), frequencies=frequencies, n_orientations=5)
    stimuli = gratings((6, 9), np.arange(5) * 36, frequencies, np.arange(0, 360, 0.5))
    largest = (stimuli @ atoms.T).max(axis=2)  # of all phases
    for i in range(4):
        best = largest[:, :, i].max(axis=0).argmax()
        assert tuning.frequency[i] == frequencies[best]
        np.testing.assert_allclose(tuning.responses[i], largest[:, best, i], rtol=1e-4)
    np.testing.assert_array_equal(tuning.orientations, np.arange(5) * 36)


def test_a_picture_turned_by_90_degrees_prefers_another_90():
    atoms = np.random.default_rng(1).normal(size=(6, 8, 8))
    before = orientation_tuning(atoms.reshape(6, -1))
    after = orientation_tuning(np.rot90(atoms, axes=(1, 2)).reshape(6, -1))
    np.testing.assert_allclose(after.responses, np.roll(before.responses, 18, axis=1), rtol=1e-9)
    np.testing.assert_allclose(after.circular_variance, before.circular_variance, rtol=1e-9)


def test_a_filter_that_cuts_off_has_the_same_curve_over_pi():
    atoms = np.random.default_rng(2).normal(size=(3, 64))
    filters = orientation_tuning(atoms)
    cells = orientation_tuning(atoms, n_phases=64, response=lambda X: X @ atoms.T)
    np.testing.assert_allclose(cells.responses, filters.responses / np.pi, rtol=2e-3)
    np.testing.assert_array_equal(cells.frequency, filters.frequency)
    for a, b in zip(cells.circular_variance, filters.circular_variance):
        assert a == pytest.approx(b, abs=1e-3)


def test_codes_respond_and_may_be_sparse():
    atoms, seen = np.eye(3, 16), []

    def encode(X):
        seen.append(X)
        return SparseCode.from_dense(np.where(X[:, :3] > 0.5, X[:, :3], -1.0) * [1, 0, -1])

    tuning = orientation_tuning(
        atoms, frequencies=[0.1, 0.3], n_orientations=4, n_phases=6, response=encode
    )
    stimuli = gratings((4, 4), np.arange(4) * 45, [0.1, 0.3], np.arange(6) * 60)
    np.testing.assert_allclose(seen, stimuli.reshape(4, 12, 16))
    rates = np.maximum(np.where(stimuli > 0.5, stimuli, 0)[..., 0], 0).mean(axis=2)
    np.testing.assert_allclose(tuning.responses[0], rates[:, rates.max(axis=0).argmax()])
    assert not tuning.responses[1].any()
    assert np.isnan([tuning.frequency[1], tuning.circular_variance[1]]).all()
    assert tuning.responses[2].all()  # where the code was negative before its sign turned
    assert repr(tuning).startswith("<Tuning 3 units, 4 orientations, median CV 0.")
    assert repr(tuning).endswith(", 1 silent>")


def test_repr_of_silence():
    tuning = Tuning(np.arange(3) * 60.0, np.zeros((2, 3)), np.full(2, np.nan))
    assert repr(tuning) == "<Tuning 2 units, 3 orientations, 2 silent>"
    assert len(tuning) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"frequencies": [0.0]}, "frequencies must be above 0"),
        ({"frequencies": []}, "frequencies must be one-dimensional and not empty"),
        ({"n_orientations": 2}, "n_orientations must be at least 3; got 2"),
        ({"n_phases": 1}, "n_phases must be at least 2; got 1"),
        ({"patch_shape": (3, 3)}, "patch_shape must have 16 pixels"),
        ({"response": lambda X: X}, r"response must return .* here \(128, 2\); got \(128, 16\)"),
        ({"response": lambda X: X[:, :2] * np.inf}, "the answer of response must be finite"),
    ],
)
def test_bad_tuning(options, said):
    with pytest.raises(ValueError, match=said), np.errstate(invalid="ignore"):
        orientation_tuning(np.eye(2, 16), **options)


def test_bad_atoms():
    with pytest.raises(ValueError, match="atoms must have no atom of norm 0"):
        orientation_tuning(np.zeros((2, 16)))
