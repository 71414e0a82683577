"""Log-Gabor kernels against their formula, published facts, and planted parameters."""

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsecode.convolutional.log_gabor import (
    LogGaborParameters,
    fit_log_gabor,
    log_gabor,
    log_gabor_bank,
    log_gabor_preset,
)
from sparsecode.receptive_fields import orientation_tuning

PRESETS = ("homogeneous", "heterogeneous")
PLAIN = dict(orientation=20, orientation_bandwidth=15)


def plain_log_gabor(size, theta, bandwidth, phase, f0=0.4, width=0.4):
    """The published formula, one frequency and one pixel at a time; angles in radians."""
    centre = size // 2
    kernel = np.zeros((size, size))
    for k in range(size):
        for m in range(size):
            f_x, f_y = (k - centre) / size, (m - centre) / size
            f = np.sqrt(f_x**2 + f_y**2)
            if f == 0 or f >= 0.5:
                continue
            envelope = np.exp(-0.5 * np.log(f / f0) ** 2 / width**2) / f
            envelope *= np.exp(np.cos(np.arctan2(f_y, f_x) - theta) / bandwidth**2)
            envelope *= 1 - np.exp((f - 0.5) / 0.035)
            envelope *= 1 - np.exp(-(f**2) / (2 * (0.5 / size) ** 2))
            x, y = np.arange(size)[:, None], np.arange(size)[None, :]
            wave = np.exp(2j * np.pi * (f_x * (x - centre) + f_y * (y - centre)) - 1j * phase)
            kernel += (envelope * wave).real
    side = np.linspace(-1, 1, size)
    for i in range(size):
        for j in range(size):
            radius = np.hypot(side[i], side[j])
            inside = radius < 1
            kernel[i, j] *= ((np.cos(np.pi * radius) + 1) / 2) ** (1 / 3) if inside else 0
    kernel -= np.median(kernel)
    return kernel / np.abs(kernel).max()


def circular_distance(a, b, period):
    return np.abs((np.asarray(a) - b + period / 2) % period - period / 2)


def norms(dictionary):
    return np.sqrt(np.square(dictionary).sum(axis=(1, 2, 3)))


def with_noise(dictionary, noise, rng):
    """Add white noise of a fraction of every atom's energy, in expectation."""
    size = np.sqrt(noise / dictionary[0].size) * norms(dictionary)
    return dictionary + size[:, None, None, None] * rng.normal(size=dictionary.shape)


planted = st.fixed_dictionaries(
    dict(
        orientation=st.floats(0, 179.99),
        orientation_bandwidth=st.floats(6, 28),
        phase=st.floats(0, 359.99),
    )
)
shapes = st.fixed_dictionaries(
    dict(frequency=st.floats(0.15, 0.5), frequency_bandwidth=st.floats(0.2, 0.8))
)


# The formula


@given(size=st.integers(5, 20), angles=planted, shape=shapes)
@settings(max_examples=30)
def test_kernels_follow_the_published_formula(size, angles, shape):
    names = ("orientation", "orientation_bandwidth", "phase")
    slow = plain_log_gabor(
        size,
        *(np.radians(angles[name]) for name in names),
        shape["frequency"],
        shape["frequency_bandwidth"],
    )
    kernel = log_gabor(size, **angles, **shape)
    assert kernel.shape == (1, 1, size, size)
    np.testing.assert_allclose(kernel[0, 0], slow, atol=1e-9)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_the_published_banks(name):
    dictionary, parameters = log_gabor_preset(name)
    if name == "homogeneous":
        thetas, bandwidths = np.arange(72) * np.pi / 72, [12]
    else:
        thetas, bandwidths = np.arange(12) * np.pi / 12, [5, 10, 15, 20, 25, 30]
    slow = [
        plain_log_gabor(12, theta, np.radians(bandwidth), phase)
        for theta in thetas
        for bandwidth in bandwidths
        for phase in (0, np.pi / 2)
    ]
    np.testing.assert_allclose(dictionary[:, 0], slow, atol=1e-9)
    assert dictionary.shape == (144, 1, 12, 12)
    assert all(len(part) == 144 for part in parameters)
    assert parameters.orientation.max() < 180


def test_norms_are_the_published_ones():
    dictionary, parameters = log_gabor_preset("heterogeneous")
    sizes = norms(dictionary)
    assert sizes.min() == pytest.approx(1.5, abs=0.05)
    assert sizes.max() == pytest.approx(3.9, abs=0.05)
    bandwidth = parameters.orientation_bandwidth
    means = [sizes[bandwidth == each].mean() for each in np.unique(bandwidth)]
    assert np.all(np.diff(means) < 0)
    assert means[0] == pytest.approx(3.2, abs=0.05)
    assert means[-1] == pytest.approx(1.8, abs=0.05)


@pytest.mark.parametrize("name", PRESETS)
def test_both_normalizations_scale_the_same_kernels(name):
    published, _ = log_gabor_preset(name)
    unit, _ = log_gabor_preset(name, normalize="unit")
    np.testing.assert_allclose(np.abs(published).max(axis=(1, 2, 3)), 1.0, rtol=1e-15)
    np.testing.assert_allclose(np.median(published, axis=(1, 2, 3)), 0.0, atol=1e-15)
    np.testing.assert_allclose(norms(unit), 1.0, rtol=1e-14)
    np.testing.assert_allclose(unit * norms(published)[:, None, None, None], published, atol=1e-14)


def test_single_precision_is_that_of_the_result():
    single, _ = log_gabor_preset("heterogeneous", dtype=np.float32)
    double, _ = log_gabor_preset("heterogeneous")
    assert single.dtype == np.float32
    assert double.dtype == np.float64
    np.testing.assert_array_equal(single, double.astype(np.float32))


def test_parameters_build_the_bank_again():
    dictionary, parameters = log_gabor_bank(
        5, [8, 20, 33], n_phases=4, size=9, frequency=0.3, frequency_bandwidth=0.5
    )
    assert isinstance(parameters, LogGaborParameters)
    assert dictionary.shape == (60, 1, 9, 9)
    np.testing.assert_array_equal(log_gabor(9, **parameters._asdict()), dictionary)
    np.testing.assert_array_equal(parameters.phase[:4], [0, 45, 90, 135])
    np.testing.assert_array_equal(np.unique(parameters.orientation), [0, 36, 72, 108, 144])
    scalar, _ = log_gabor_bank(5, 8, size=9)
    assert scalar.shape == (10, 1, 9, 9)


@pytest.mark.parametrize("bandwidth", [1e-3, 0.3, 1e3, 1e150])
def test_extreme_bandwidths_stay_finite(bandwidth):
    for kernel in (
        log_gabor(orientation=33, orientation_bandwidth=bandwidth),
        log_gabor(**PLAIN, frequency=0.02, frequency_bandwidth=bandwidth),
    ):
        assert np.isfinite(kernel).all()
        np.testing.assert_allclose(np.abs(kernel).max(axis=(1, 2, 3)), 1.0)


# Symmetries


@given(size=st.integers(5, 16), angles=planted)
@settings(max_examples=40)
def test_half_a_turn_of_the_phase_flips_the_sign(size, angles):
    turned = angles | {"phase": angles["phase"] + 180}
    np.testing.assert_allclose(log_gabor(size, **turned), -log_gabor(size, **angles), atol=1e-9)


@given(size=st.integers(5, 16), angles=planted)
@settings(max_examples=40)
def test_half_a_turn_of_the_orientation_mirrors_the_phase(size, angles):
    turned = angles | {"orientation": angles["orientation"] + 180}
    mirrored = angles | {"phase": -angles["phase"]}
    np.testing.assert_allclose(log_gabor(size, **turned), log_gabor(size, **mirrored), atol=1e-9)


@given(angles=planted)
def test_even_and_odd_kernels_of_odd_size_are_symmetric(angles):
    even, odd = log_gabor(13, **angles | {"phase": [0, 90]})[:, 0]
    np.testing.assert_allclose(even[::-1, ::-1], even, atol=1e-12)
    np.testing.assert_allclose(odd[::-1, ::-1], -odd, atol=1e-12)


@given(angles=planted)
def test_a_kernel_of_odd_size_turns_with_its_orientation(angles):
    quarter = log_gabor(13, **angles | {"orientation": angles["orientation"] + 90})[0, 0]
    upright = log_gabor(13, **angles)[0, 0]
    np.testing.assert_allclose(quarter, np.rot90(upright), atol=1e-9)


def test_stripes_lie_at_0_and_rise_to_the_right_at_45():
    lying, rising = log_gabor(13, orientation=[0, 45], orientation_bandwidth=5)[:, 0]
    assert lying[6, 2:11].min() > 0.5
    assert lying[[5, 7], 6].max() < -0.4
    assert np.fliplr(rising).diagonal()[4:9].min() > 0.7
    assert rising.diagonal().min() < -0.5


@pytest.mark.parametrize("name", PRESETS)
def test_tuning_to_gratings_has_the_orientation_of_the_kernel(name):
    dictionary, parameters = log_gabor_preset(name)
    tuning = orientation_tuning(dictionary.reshape(144, -1), n_orientations=72)
    # 12 x 12 frequencies sample narrow bandwidths of the square grid coarsely
    distance = circular_distance(tuning.preferred_orientation, parameters.orientation, 180)
    assert distance.max() < 1
    bandwidth = parameters.orientation_bandwidth
    widths = [np.median(tuning.half_width[bandwidth == each]) for each in np.unique(bandwidth)]
    assert np.all(np.diff(widths) > 0)


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


@pytest.mark.parametrize("one", [log_gabor, log_gabor_bank, log_gabor_preset, fit_log_gabor])
def test_the_examples_of_the_docstrings_hold(one):
    (example,) = doctest.DocTestFinder(recurse=False).find(one, one.__name__, globs={})
    said = []
    assert example.examples
    assert doctest.DocTestRunner().run(example, out=said.append).failed == 0, "".join(said)


# Bad input


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (dict(size=1), ValueError, "size must be at least 2; got 1"),
        (dict(size=12.0), TypeError, "size must be an integer; got 12.0"),
        (dict(size=2), ValueError, "size and orientation_bandwidth must leave something of each"),
        (dict(orientation_bandwidth=0), ValueError, "orientation_bandwidth must be above 0"),
        (dict(orientation_bandwidth=[5, -1]), ValueError, "orientation_bandwidth must be above 0"),
        (dict(orientation_bandwidth=1e9, phase=90), ValueError, "and kernel 0 is 0"),
        (dict(frequency_bandwidth=0), ValueError, "frequency_bandwidth must be above 0"),
        (dict(frequency=0), ValueError, "frequency must be above 0"),
        (dict(frequency=0.51), ValueError, "frequency must be at most 0.5"),
        (dict(orientation=np.nan), ValueError, "orientation must be finite"),
        (dict(orientation=[]), ValueError, "at least one atom"),
        (dict(orientation=[[1, 2]]), ValueError, "of one shape"),
        (dict(orientation=[1, 2], phase=[1, 2, 3]), ValueError, "of one shape"),
        (dict(phase="even"), TypeError, "phase must hold real numbers"),
        (dict(normalize="max"), ValueError, "normalize must be one of 'published', 'unit'"),
        (dict(dtype=np.int64), ValueError, "dtype must be one of"),
    ],
)
def test_bad_kernels_are_refused(change, error, said):
    with pytest.raises(error, match=said) as caught:
        log_gabor(**PLAIN | change)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (dict(n_orientations=0), ValueError, "n_orientations must be at least 1"),
        (dict(n_orientations=2.5), TypeError, "n_orientations must be an integer"),
        (dict(n_phases=0), ValueError, "n_phases must be at least 1"),
        (dict(orientation_bandwidths=[]), ValueError, "at least one bandwidth"),
        (dict(orientation_bandwidths=[[5]]), ValueError, "orientation_bandwidths must be one-dim"),
        (dict(orientation_bandwidths=[5, 0]), ValueError, "orientation_bandwidth must be above 0"),
        (dict(frequency=[0.3, 0.4]), TypeError, "frequency must be a number above 0"),
    ],
)
def test_bad_banks_are_refused(change, error, said):
    with pytest.raises(error, match=said):
        log_gabor_bank(**dict(n_orientations=3, orientation_bandwidths=[10]) | change)


def test_unknown_presets_are_refused():
    with pytest.raises(ValueError, match="name must be one of 'homogeneous', 'heterogeneous'"):
        log_gabor_preset("learned")


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
