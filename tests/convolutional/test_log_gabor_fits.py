"""Fits of log-Gabor kernels against planted parameters, and on what is no log-Gabor."""

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_gabors import circular_distance, planted, shapes, with_noise

from sparsecode.convolutional.log_gabor import log_gabor, log_gabor_bank
from sparsecode.convolutional.log_gabor_fits import fit_log_gabor

# Planted kernels


@given(angles=planted, scale=st.floats(0.01, 100), offset=st.floats(-1, 1))
@settings(max_examples=40)
def test_planted_parameters_are_found(angles, scale, offset):
    kernel = scale * (log_gabor(**angles) + offset)
    fits = fit_log_gabor(kernel)
    assert circular_distance(fits.orientation, angles["orientation"], 180)[0] < 1e-5
    assert fits.orientation_bandwidth[0] == pytest.approx(angles["orientation_bandwidth"], abs=1e-5)
    # at 0 and 180 degrees the wave may run either way, with the mirrored phase
    turned = abs(fits.orientation[0] - angles["orientation"]) > 90
    signed = -angles["phase"] if turned else angles["phase"]
    assert circular_distance(fits.parameters.phase, signed, 360)[0] < 1e-4
    assert fits.amplitude[0] == pytest.approx(scale, rel=1e-6)
    assert fits.offset[0] == pytest.approx(scale * offset, abs=1e-6 * scale)
    assert fits.explained_variance[0] > 1 - 1e-12
    assert fits.converged[0]
    assert not fits.at_limit[0]
    np.testing.assert_allclose(fits.kernels(), kernel, atol=1e-6 * scale)


@given(angles=planted, shape=shapes)
@settings(max_examples=15)
def test_frequency_and_its_bandwidth_are_found_where_they_are_free(angles, shape):
    kernel = log_gabor(**angles, **shape)
    fits = fit_log_gabor(kernel, frequency=None, frequency_bandwidth=None)
    np.testing.assert_allclose(fits.kernels(), kernel, atol=1e-3)
    assert circular_distance(fits.orientation, angles["orientation"], 180)[0] < 0.05
    given_one = fit_log_gabor(
        kernel, frequency=None, frequency_bandwidth=shape["frequency_bandwidth"]
    )
    assert given_one.parameters.frequency[0] == pytest.approx(shape["frequency"], rel=1e-3)
    assert given_one.parameters.frequency_bandwidth[0] == pytest.approx(
        shape["frequency_bandwidth"], rel=1e-12
    )


@pytest.mark.parametrize("noise", [0.01, 0.1])
def test_standard_errors_are_those_of_repeated_fits(noise):
    rng = np.random.default_rng(5)
    n_atoms = 300
    truth = dict(
        orientation=rng.uniform(0, 180, n_atoms),
        orientation_bandwidth=rng.uniform(10, 25, n_atoms),
        phase=rng.uniform(0, 360, n_atoms),
    )
    fits = fit_log_gabor(with_noise(log_gabor(**truth), noise, rng), bandwidth_limits=(1, 90))
    assert not fits.at_limit.any()
    errors = fits.standard_errors
    is_turned = np.abs(fits.orientation - truth["orientation"]) > 90
    phase = np.where(is_turned, -truth["phase"], truth["phase"])
    scores = dict(
        orientation=circular_distance(fits.orientation, truth["orientation"], 180)
        / errors.orientation,
        bandwidth=np.abs(fits.orientation_bandwidth - truth["orientation_bandwidth"])
        / errors.orientation_bandwidth,
        phase=circular_distance(fits.parameters.phase, phase, 360) / errors.phase,
    )
    # 95 % of 300 intervals hold the truth: four binomial standard deviations either way
    for name, score in scores.items():
        assert abs(np.mean(score < 1.96) - 0.95) < 4 * np.sqrt(0.95 * 0.05 / n_atoms), name
    left = 1 - noise / (1 + noise)
    assert np.mean(fits.explained_variance) == pytest.approx(left, abs=0.01)
    assert np.isnan(errors.frequency).all()
    assert np.isnan(errors.frequency_bandwidth).all()


@given(angles=planted, seed=st.integers(0, 2**16))
@settings(max_examples=25)
def test_planted_parameters_are_found_within_six_standard_errors(angles, seed):
    noisy = with_noise(log_gabor(**angles), 0.02, np.random.default_rng(seed))
    fits = fit_log_gabor(noisy, bandwidth_limits=(1, 90))
    errors = fits.standard_errors
    distance = circular_distance(fits.orientation, angles["orientation"], 180)
    assert distance[0] < 6 * errors.orientation[0]
    difference = abs(fits.orientation_bandwidth - angles["orientation_bandwidth"])
    assert fits.at_limit[0] or difference[0] < 6 * errors.orientation_bandwidth[0]


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_no_solver_finds_a_better_fit(noise):
    rng = np.random.default_rng(2)
    dictionary, _ = log_gabor_bank(5, [8, 17, 27], size=12)
    atoms = with_noise(dictionary, noise, rng)
    fits = fit_log_gabor(atoms)
    centred = (atoms - atoms.mean(axis=(1, 2, 3), keepdims=True)).reshape(len(atoms), -1)
    left = np.square(fits.kernels() - atoms).sum(axis=(1, 2, 3)) / np.square(centred).sum(axis=1)
    np.testing.assert_allclose(1 - fits.explained_variance, left, atol=1e-12)
    # all of a fine grid, with the linear part in closed form
    best = np.zeros(len(atoms))
    for bandwidth in np.linspace(5, 30, 26):
        for theta in np.arange(0, 180, 2.0):
            pair = log_gabor(orientation=theta, orientation_bandwidth=bandwidth, phase=[0, 90])
            columns = np.column_stack([np.ones(144), *pair.reshape(2, 144)])
            basis, _ = np.linalg.qr(columns)
            explained = np.square(centred @ basis).sum(axis=1) / np.square(centred).sum(axis=1)
            best = np.maximum(best, explained)
    assert np.all(fits.explained_variance >= best - 1e-12)


def test_bandwidths_beyond_the_limits_stop_there():
    atoms = log_gabor(orientation=40, orientation_bandwidth=[2, 12, 50])
    fits = fit_log_gabor(atoms)
    np.testing.assert_array_equal(fits.at_limit, [True, False, True])
    np.testing.assert_allclose(fits.orientation_bandwidth, [5, 12, 30], rtol=1e-5)
    is_known = np.isnan(fits.standard_errors.orientation_bandwidth)
    np.testing.assert_array_equal(is_known, fits.at_limit)
    assert np.isfinite(fits.standard_errors.orientation).all()
    wide = fit_log_gabor(atoms, bandwidth_limits=(1, 80))
    np.testing.assert_allclose(wide.orientation_bandwidth[1:], [12, 50], rtol=1e-5)


# Invariance, and what is no log-Gabor


@pytest.fixture(scope="module")
def disturbed():
    """Return atoms that are no clean log-Gabors, and their fits."""
    rng = np.random.default_rng(4)
    dictionary, _ = log_gabor_bank(6, [8, 22], size=11)
    atoms = with_noise(dictionary, 0.2, rng)
    return atoms, fit_log_gabor(atoms)


@pytest.mark.parametrize("scale", [-1.0, 1e-150, -1e150, 1e300])
def test_sign_and_scale_do_not_matter(disturbed, scale):
    atoms, fits = disturbed
    scaled = fit_log_gabor(scale * atoms)
    for name in ("orientation", "orientation_bandwidth", "explained_variance"):
        np.testing.assert_allclose(getattr(scaled, name), getattr(fits, name), atol=1e-4)
    np.testing.assert_allclose(scaled.amplitude / abs(scale), fits.amplitude, rtol=1e-4)
    np.testing.assert_allclose(scaled.offset / scale, fits.offset, atol=1e-5)
    phase = fits.parameters.phase + (180 if scale < 0 else 0)
    assert circular_distance(scaled.parameters.phase, phase, 360).max() < 1e-2


def test_an_atom_does_not_depend_on_the_others(disturbed):
    atoms, fits = disturbed
    alone = fit_log_gabor(atoms[7:8])
    assert alone.orientation[0] == pytest.approx(fits.orientation[7], abs=1e-6)
    assert alone.explained_variance[0] == pytest.approx(fits.explained_variance[7], rel=1e-10)


def test_noise_and_blobs_are_reported_as_no_log_gabors():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(30, 1, 12, 12))
    fits = fit_log_gabor(noise)
    assert fits.explained_variance.max() < 0.2
    side = np.arange(12) - 6
    blob = np.exp(-(side[:, None] ** 2 + side**2) / 18.0)[None, None]
    assert fit_log_gabor(blob).explained_variance[0] < 0.2
    assert "30 atoms of 12 x 12" in repr(fits)
    assert len(fits) == 30


def test_one_pixel_and_a_checkerboard_give_numbers():
    atoms = np.zeros((2, 1, 8, 8))
    atoms[0, 0, 0, 0] = 1.0  # outside the disk
    atoms[1, 0] = (-1.0) ** np.add.outer(np.arange(8), np.arange(8))
    fits = fit_log_gabor(atoms)
    for name in ("amplitude", "offset", "orientation", "orientation_bandwidth"):
        assert np.isfinite(getattr(fits, name)).all(), name
    assert fits.explained_variance.max() < 0.2
    assert not np.isnan(fits.standard_errors.orientation).any()


def test_single_precision_atoms_are_fitted_in_double():
    dictionary, parameters = log_gabor_bank(4, [10, 20], dtype=np.float32)
    fits = fit_log_gabor(dictionary)
    assert fits.orientation.dtype == np.float64
    assert circular_distance(fits.orientation, parameters.orientation, 180).max() < 1e-3


def test_errors_of_fits_with_everything_free_are_never_nan_but_at_limits():
    rng = np.random.default_rng(3)
    atoms = rng.normal(size=(10, 1, 9, 9))
    fits = fit_log_gabor(atoms, frequency=None, frequency_bandwidth=None)
    errors = np.array(fits.standard_errors)
    assert not np.isnan(errors[[0, 2]]).any()
    np.testing.assert_array_equal(np.isnan(errors[[1, 3, 4]]).any(axis=0), fits.at_limit)


def test_the_example_of_the_docstring_holds():
    (example,) = doctest.DocTestFinder(recurse=False).find(fit_log_gabor, "fit_log_gabor", globs={})
    said = []
    assert example.examples
    assert doctest.DocTestRunner().run(example, out=said.append).failed == 0, "".join(said)


# Bad input


GOOD = log_gabor(orientation=[10, 50], orientation_bandwidth=15)


@pytest.mark.parametrize(
    ("dictionary", "said"),
    [
        (GOOD[:, 0], "dictionary must have shape"),
        (GOOD[:0], "dictionary must have shape"),
        (GOOD[..., 1:], "dictionary must have shape"),
        (np.repeat(GOOD, 3, axis=1), "dictionary must have shape .* of one channel"),
        (GOOD[..., :4, :4], "at least 5 x 5 pixels"),
        (np.where(GOOD == 1, np.nan, GOOD), "dictionary must be finite"),
        (GOOD * [[[[1]]], [[[0]]]], "no constant atom; got 1, the first in row 1"),
        (0 * GOOD + 0.1, "no constant atom; got 2, the first in row 0"),
    ],
    ids=["ndim", "empty", "oblong", "channels", "small", "nan", "zero", "constant"],
)
def test_bad_dictionaries_are_refused(dictionary, said):
    with pytest.raises(ValueError, match=said) as caught:
        fit_log_gabor(dictionary)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (dict(bandwidth_limits=(30, 5)), ValueError, "bandwidth_limits must be a pair"),
        (dict(bandwidth_limits=(0, 5)), ValueError, "bandwidth_limits must be a pair"),
        (dict(bandwidth_limits=5), ValueError, "bandwidth_limits must be a pair"),
        (dict(frequency=0.6), ValueError, "frequency must be at most 0.5"),
        (dict(frequency=[0.3, 0.4]), TypeError, "frequency must be a number above 0"),
        (dict(frequency_bandwidth=-1), ValueError, "frequency_bandwidth must be finite and above"),
    ],
)
def test_bad_options_are_refused(change, error, said):
    with pytest.raises(error, match=said):
        fit_log_gabor(GOOD, **change)
