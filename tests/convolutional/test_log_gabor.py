"""Log-Gabor kernels against their formula and published facts."""

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_gabors import circular_distance, norms, planted, shapes

from sparsecode.convolutional.log_gabor import (
    LogGaborParameters,
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


@pytest.mark.parametrize("one", [log_gabor, log_gabor_bank, log_gabor_preset])
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
