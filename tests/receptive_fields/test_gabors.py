"""Fitted Gabors: planted ones are found again, and what is no Gabor says so."""

import numpy as np
import pytest
import strategies  # noqa: F401  (the profile)
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares

from sparsecode.receptive_fields import GaborFits, fit_gabors, gabors
from sparsecode.receptive_fields._least_squares import _linearize

SHAPES = [(16, 16), (12, 20), (20, 12)]
#: Those parameters that a Gabor is drawn from; the other two come as width and aspect ratio.
PARAMETERS = ("x", "y", "orientation", "frequency", "phase", "sigma_across", "sigma_along")


def plain_gabor(shape, x, y, orientation, frequency, phase, sigma_across, sigma_along):
    """Evaluate one Gabor pixel by pixel, from the formula."""
    angle = np.radians(orientation)
    atom = np.empty(shape)
    for row in range(shape[0]):
        for column in range(shape[1]):
            right, up = column - x, y - row
            along = right * np.cos(angle) + up * np.sin(angle)
            across = right * np.sin(angle) - up * np.cos(angle)
            envelope = np.exp(-((across / sigma_across) ** 2 + (along / sigma_along) ** 2) / 2)
            wave = np.cos(2 * np.pi * frequency * across + np.radians(phase))
            atom[row, column] = envelope * wave
    return atom.ravel()


def circular_distance(a, b, period):
    distance = np.abs(np.asarray(a) - b) % period
    return np.minimum(distance, period - distance)


@st.composite
def planted(draw, shape):
    """Draw parameters that the pixels determine: some stripes, inside the patch."""
    frequency = draw(st.floats(0.1, 0.35))
    across = draw(st.floats(max(1.0, 0.35 / frequency), max(1.5, 0.7 / frequency)))
    along = across * draw(st.floats(0.7, 2.0))
    return dict(
        x=draw(st.floats(4, shape[1] - 5)), y=draw(st.floats(4, shape[0] - 5)),
        orientation=draw(st.floats(0, 179.99)), frequency=frequency,
        phase=draw(st.floats(0, 359.99)), sigma_across=across, sigma_along=along,
    )  # fmt: skip


def random_gabors(n_atoms, shape=(16, 16), seed=0, noise=0.0):
    """Return Gabors with noise of this fraction of their energy, and their parameters."""
    rng = np.random.default_rng(seed)
    frequency = rng.uniform(0.12, 0.3, n_atoms)
    across = rng.uniform(0.4, 0.6, n_atoms) / frequency
    truth = dict(
        x=rng.uniform(4, shape[1] - 5, n_atoms), y=rng.uniform(4, shape[0] - 5, n_atoms),
        orientation=rng.uniform(0, 180, n_atoms), frequency=frequency,
        phase=rng.uniform(0, 360, n_atoms), sigma_across=across,
        sigma_along=across * rng.uniform(0.7, 2, n_atoms),
    )  # fmt: skip
    atoms = gabors(shape, **truth)
    disturbance = rng.normal(size=atoms.shape)
    size = np.sqrt(noise) * np.linalg.norm(atoms, axis=1) / np.linalg.norm(disturbance, axis=1)
    return atoms + size[:, None] * disturbance, truth


# The function


@given(st.data())
@pytest.mark.parametrize("shape", SHAPES)
def test_gabors_follow_the_formula(shape, data):
    truth = data.draw(planted(shape))
    np.testing.assert_allclose(gabors(shape, **truth)[0], plain_gabor(shape, **truth), atol=1e-12)


def test_orientation_is_seen_in_the_picture():
    wide = dict(x=2, y=2, frequency=0.2, phase=0, sigma_across=9, sigma_along=99)
    lying, rising, standing = gabors((5, 5), orientation=[0, 45, 90], **wide).reshape(3, 5, 5)
    np.testing.assert_allclose(lying, lying[:, :1].repeat(5, 1), atol=1e-3)
    np.testing.assert_allclose(standing, standing[:1].repeat(5, 0), atol=1e-3)
    assert np.fliplr(rising).diagonal().min() > 0.99  # from the lower left to the upper right
    assert rising.diagonal().min() < -0.5


# Planted Gabors


@settings(max_examples=60)
@given(st.data())
@pytest.mark.parametrize("shape", SHAPES)
def test_planted_gabors_are_found(shape, data):
    truth = data.draw(planted(shape))
    amplitude = data.draw(st.floats(0.01, 100))
    fits = fit_gabors(amplitude * plain_gabor(shape, **truth)[None], shape)
    assert fits.converged.all()
    assert fits.error[0] < 1e-6
    assert np.hypot(fits.x - truth["x"], fits.y - truth["y"])[0] < 0.05
    assert circular_distance(fits.orientation, truth["orientation"], 180)[0] < 1
    assert fits.frequency[0] == pytest.approx(truth["frequency"], rel=0.01)
    assert fits.aspect[0] == pytest.approx(truth["sigma_along"] / truth["sigma_across"], rel=0.01)
    assert fits.sigma_across[0] == pytest.approx(truth["sigma_across"], rel=0.01)
    assert fits.amplitude[0] == pytest.approx(amplitude, rel=0.01)
    # at 0 and 180 degrees the wave may run either way, with the opposite phase
    signed = truth["phase"] * (-1 if abs(fits.orientation[0] - truth["orientation"]) > 90 else 1)
    assert circular_distance(fits.phase, signed, 360)[0] < 3


@pytest.mark.parametrize("shape", [(12, 20), (16, 16)])
def test_small_even_gabors_along_the_pixels_are_found(shape):
    """The peaks of their wide spectra lie beside their frequencies, where fits used to stay."""
    grid = np.meshgrid([4.0, 6.0], [0.0, 2.0, 4.0, 90.0], [0.0, 180.0], [0.72, 1.03125])
    x, orientation, phase, along = (one.ravel() for one in grid)
    truth = dict(
        x=x, y=4.0, orientation=orientation, frequency=0.34765625, phase=phase,
        sigma_across=1.0067, sigma_along=along,
    )  # fmt: skip
    fits = fit_gabors(gabors(shape, **truth), shape)
    assert fits.converged.all()
    assert fits.error.max() < 1e-6


def test_noise_is_left_over_and_moves_little():
    atoms, truth = random_gabors(100, noise=0.05)
    fits = fit_gabors(atoms)
    # eight of 256 directions of the noise are fitted: 97 % of 0.05 / 1.05 is left, on average
    assert np.mean(fits.error) == pytest.approx(0.05 / 1.05 * 248 / 256, rel=0.02)
    assert np.max(np.hypot(fits.x - truth["x"], fits.y - truth["y"])) < 0.5
    assert np.max(circular_distance(fits.orientation, truth["orientation"], 180)) < 5
    assert np.median(np.abs(fits.frequency / truth["frequency"] - 1)) < 0.02


@pytest.mark.parametrize("x", [0.0, 15.0])
def test_atoms_cut_off_by_the_border_are_found_as_long_as_their_centre_shows(x):
    truth = dict(x=x, y=7.3, orientation=70.0, frequency=0.2, sigma_across=2.5, sigma_along=3.0)
    fits = fit_gabors(gabors((16, 16), phase=40.0, **truth))
    for name, value in truth.items():
        assert getattr(fits, name)[0] == pytest.approx(value, abs=1e-3)
    assert not fits.at_limit[0]
    outside = fit_gabors(gabors((16, 16), phase=40.0, **truth | {"x": x * 1.4 - 3.0}))
    assert outside.at_limit[0]
    assert outside.x[0] in (-0.5, 15.5)
    assert outside.error[0] < 0.1


def test_no_solver_finds_a_better_fit_nearby():
    atoms, _ = random_gabors(20, noise=0.2)
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    fits = fit_gabors(atoms)
    start = np.array([fits.amplitude, *(getattr(fits, name) for name in PARAMETERS)]).T
    for atom, parameters, error in zip(atoms, start, fits.error):
        scale = np.array([1, 1, 1, 60, 0.1, 60, 1, 1])

        def residual(scaled, atom=atom, scale=scale):
            amplitude, *others = scaled * scale
            return amplitude * gabors((16, 16), **dict(zip(PARAMETERS, others)))[0] - atom

        better = least_squares(residual, parameters / scale, xtol=1e-12, ftol=1e-12, gtol=1e-12)
        assert 2 * better.cost == pytest.approx(error, abs=1e-7)


def test_descent_is_the_derivative():
    rng = np.random.default_rng(1)
    targets = rng.normal(size=(4, 9 * 12))
    parameters = np.array([5.2, 4.1, 0.7, np.log(0.15), np.log(2.0), np.log(3.0)])
    parameters = parameters + 0.1 * rng.normal(size=(4, 6))
    _, _, curvature, descent = _linearize(parameters, targets, (9, 12))
    for k in range(6):
        shift = 1e-5 * np.eye(6)[k]
        errors = [_linearize(parameters + s * shift, targets, (9, 12))[1] for s in (1, -1)]
        np.testing.assert_allclose(descent[:, k], (errors[1] - errors[0]) / 4e-5, rtol=1e-5)
    assert np.linalg.eigvalsh(curvature).min() > 0


# Invariance


@pytest.fixture(scope="module")
def disturbed():
    """Return atoms that are no clean Gabors, and their fits."""
    atoms, _ = random_gabors(40, noise=0.1, seed=3)
    return atoms, fit_gabors(atoms)


def test_error_is_that_of_the_gabor_that_is_returned(disturbed):
    atoms, fits = disturbed
    left = np.sum((atoms - fits.gabors()) ** 2, axis=1) / np.sum(atoms**2, axis=1)
    np.testing.assert_allclose(fits.error, left, atol=1e-12)
    plain = [
        fits.amplitude[i] * plain_gabor((16, 16), *(getattr(fits, name)[i] for name in PARAMETERS))
        for i in range(len(fits))
    ]
    np.testing.assert_allclose(fits.gabors(), plain, atol=1e-12)


@pytest.mark.parametrize("scale", [-1.0, 1e-150, -1e150, 1e300])
def test_sign_and_scale_do_not_matter(disturbed, scale):
    atoms, fits = disturbed
    scaled = fit_gabors(scale * atoms)
    for name in ("x", "y", "orientation", "frequency", "sigma_across", "sigma_along", "error"):
        np.testing.assert_allclose(getattr(scaled, name), getattr(fits, name), rtol=1e-9)
    np.testing.assert_allclose(scaled.amplitude / abs(scale), fits.amplitude, rtol=1e-9)
    turned = fits.phase + (180 if scale < 0 else 0)
    assert circular_distance(scaled.phase, turned, 360).max() < 1e-6


def test_an_atom_does_not_depend_on_the_others(disturbed):
    atoms, fits = disturbed
    alone = fit_gabors(atoms[7:8])
    np.testing.assert_allclose(alone.error[0], fits.error[7], rtol=1e-12)
    np.testing.assert_allclose(alone.orientation[0], fits.orientation[7], rtol=1e-9)


def test_single_precision_is_enough(disturbed):
    atoms, fits = disturbed
    single = fit_gabors(atoms.astype(np.float32))
    assert single.error.dtype == np.float64
    np.testing.assert_allclose(single.error, fits.error, atol=1e-6)


@pytest.mark.parametrize(
    ("turn", "moved"),
    [
        (np.rot90, lambda x, y, o: (y, 15 - x, o + 90)),
        (np.fliplr, lambda x, y, o: (15 - x, y, -o)),
        (np.flipud, lambda x, y, o: (x, 15 - y, -o)),
        (np.transpose, lambda x, y, o: (y, x, 90 - o)),
    ],
    ids=["rot90", "fliplr", "flipud", "transpose"],
)
def test_a_turned_picture_has_turned_fits(disturbed, turn, moved):
    atoms, fits = disturbed
    pictures = np.array([turn(atom) for atom in atoms.reshape(-1, 16, 16)])
    turned = fit_gabors(pictures.reshape(len(atoms), -1))
    np.testing.assert_allclose(turned.error, fits.error, atol=1e-7)
    x, y, orientation = moved(fits.x, fits.y, fits.orientation)
    np.testing.assert_allclose(turned.x, x, atol=1e-2)
    np.testing.assert_allclose(turned.y, y, atol=1e-2)
    assert circular_distance(turned.orientation, orientation, 180).max() < 0.1
    np.testing.assert_allclose(turned.frequency, fits.frequency, rtol=1e-3)
    np.testing.assert_allclose(turned.aspect, fits.aspect, rtol=1e-2)


# Atoms that are no Gabors

ROWS, COLUMNS = np.mgrid[:16, :16]


def one(atom):
    fits = fit_gabors(np.reshape(atom, (1, -1)))
    assert np.isfinite([getattr(fits, name) for name in (*PARAMETERS, "amplitude", "error")]).all()
    return fits


def test_noise_is_not_explained():
    noise = np.random.default_rng(0).normal(size=(100, 256))
    fits = fit_gabors(noise)
    assert fits.error.min() > 0.8
    assert fits.error.max() < 1.0


def test_a_blob_has_no_period():
    fits = one(np.exp(-((COLUMNS - 7) ** 2 / 18 + (ROWS - 8.3) ** 2 / 8)))
    assert fits.error[0] < 1e-6
    assert fits.at_limit[0]  # the frequency
    assert fits.frequency[0] == pytest.approx(0.25 / 16)
    assert fits.n_x[0] < 0.05
    assert (fits.x[0], fits.y[0]) == pytest.approx((7, 8.3), abs=0.01)
    assert sorted([fits.sigma_across[0], fits.sigma_along[0]]) == pytest.approx([2, 3], rel=0.03)
    assert fits.peak_frequency[0] == 0.0
    assert np.isinf(fits.bandwidth[0])


def test_an_edge_is_described_by_its_peak():
    fits = one((COLUMNS - 7.5) * np.exp(-((COLUMNS - 7.5) ** 2 + (ROWS - 8) ** 2) / 8))
    assert fits.error[0] < 1e-4
    assert fits.orientation[0] == pytest.approx(90, abs=0.1)
    assert circular_distance(fits.phase, 270, 360)[0] < 1
    assert fits.peak_frequency[0] == pytest.approx(1 / (2 * np.pi * 2), rel=0.01)


@pytest.mark.parametrize(("row", "column"), [(5, 3), (0, 0), (15, 7)])
def test_a_single_pixel_is_a_point(row, column):
    atom = np.zeros((16, 16))
    atom[row, column] = -2
    fits = one(atom)
    assert fits.error[0] < 1e-3
    assert (fits.x[0], fits.y[0]) == pytest.approx((column, row), abs=0.5)
    assert max(fits.sigma_across[0], fits.sigma_along[0]) < 0.5


def test_a_constant_atom_is_as_wide_as_allowed():
    fits = one(np.ones(256))
    assert fits.error[0] < 0.02
    assert fits.at_limit[0]
    assert fits.sigma_along[0] == pytest.approx(32)
    assert fits.frequency[0] == pytest.approx(0.25 / 16)


@pytest.mark.parametrize(
    ("wave", "frequency", "orientation"),
    [
        (np.cos(2 * np.pi * 0.2 * COLUMNS + 1), 0.2, 90),
        (np.cos(np.pi * ROWS), 0.5, 0),
        (np.cos(np.pi * (ROWS + COLUMNS)), np.sqrt(0.5), None),
    ],
    ids=["stripes", "alternating rows", "chequers"],
)
def test_a_grating_without_an_end_is_found(wave, frequency, orientation):
    fits = one(wave)
    assert fits.error[0] < 1e-3
    assert fits.at_limit[0]
    assert fits.frequency[0] == pytest.approx(frequency, rel=1e-3)
    assert orientation is None or circular_distance(fits.orientation, orientation, 180)[0] < 0.1


def test_frequencies_stay_below_nyquist():
    noise = np.random.default_rng(2).normal(size=(60, 64))
    fits = fit_gabors(noise)
    angle = np.radians(fits.orientation)
    along_an_axis = fits.frequency * np.maximum(np.abs(np.sin(angle)), np.abs(np.cos(angle)))
    assert along_an_axis.max() <= 0.5 + 1e-9
    assert fits.x.min() >= -0.5
    assert fits.y.max() <= 7.5


def test_small_patches_are_fitted():
    fits = fit_gabors(np.random.default_rng(0).normal(size=(5, 9)))
    assert np.isfinite(fits.error).all()
    assert len(fits) == 5


# What the fits say


def fits_of(**changes):
    given = dict.fromkeys(PARAMETERS, np.ones(1)) | {
        "patch_shape": (16, 16), "amplitude": np.ones(1), "error": np.zeros(1),
        "converged": np.ones(1, bool), "at_limit": np.zeros(1, bool),
    }  # fmt: skip
    return GaborFits(**given | {name: np.array([value]) for name, value in changes.items()})


def test_derived_numbers():
    fits = fits_of(sigma_across=2.0, sigma_along=5.0, frequency=0.2)
    assert (fits.aspect[0], fits.n_x[0], fits.n_y[0]) == pytest.approx((2.5, 0.4, 1.0))
    # half the height of exp(-(2 pi sigma (f - f0))^2 / 2), searched for
    f = np.linspace(0.01, 1, 1_000_000)
    above = f[np.exp(-((2 * np.pi * 2 * (f - 0.2)) ** 2) / 2) > 0.5]
    assert fits.bandwidth[0] == pytest.approx(np.log2(above[-1] / above[0]), abs=1e-4)


@pytest.mark.parametrize("phase", [0.0, 30.0, 90.0, 270.0])
@pytest.mark.parametrize("n_x", [0.05, 0.2, 0.5, 1.5])
def test_the_peak_of_the_spectrum_is_that_of_a_transform(n_x, phase):
    sigma = 10.0
    t = np.arange(-80, 81)
    wave = np.cos(2 * np.pi * n_x / sigma * t + np.radians(phase)) * np.exp(-(t**2) / 2 / sigma**2)
    spectrum = np.abs(np.fft.rfft(wave, 2**16))
    peak = np.fft.rfftfreq(2**16)[spectrum.argmax()]
    fits = fits_of(sigma_across=sigma, frequency=n_x / sigma, phase=phase)
    assert fits.peak_frequency[0] == pytest.approx(peak, abs=2e-4)


def test_repr():
    assert repr(fits_of()) == ("<GaborFits 1 atoms of 16 x 16, median error 0, 100.0% converged>")


def test_too_few_steps_do_not_converge():
    atoms, _ = random_gabors(3, noise=0.1)
    assert not fit_gabors(atoms, max_iter=1).converged.any()


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (([[np.nan] * 16],), ValueError, "atoms must be finite; got 16 NaN"),
        ((np.eye(16) * 0,), ValueError, "atoms must have no atom of norm 0; got 16"),
        ((np.zeros((0, 16)),), ValueError, "with at least one atom"),
        ((np.eye(12),), ValueError, r"got 12 features. Pass patch_shape=\(height, width\)"),
        ((np.eye(12), (3, 5)), ValueError, r"patch_shape must have 12 pixels, .* got \(3, 5\)"),
        ((np.eye(12), (2, 6)), ValueError, r"patch_shape must be at least 3 by 3 .* got \(2, 6\)"),
        ((np.eye(12), 12), ValueError, "patch_shape must be a pair"),
        ((np.eye(12), (3.0, 4.0)), TypeError, "patch_shape must be an integer"),
    ],
)
def test_bad_atoms(arguments, error, said):
    with pytest.raises(error, match=said):
        fit_gabors(*arguments)


def test_bad_steps():
    with pytest.raises(ValueError, match="max_iter must be at least 1; got 0"):
        fit_gabors(np.eye(16), max_iter=0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"x": np.nan}, r"must be finite numbers .* with 1 NaN"),
        ({"x": np.ones((2, 2))}, r"arrays of shape \(n_atoms,\); got shape \(2, 2\)"),
        ({"frequency": 0}, "frequency, sigma_across and sigma_along must be above 0"),
        ({"sigma_along": [1, -1]}, "frequency, sigma_across and sigma_along must be above 0"),
        ({"x": [1, 2, 3], "y": [1, 2]}, "x, y and the other parameters must broadcast"),
    ],
)
def test_bad_parameters(changes, said):
    with pytest.raises(ValueError, match=said):
        gabors((4, 4), **dict.fromkeys(PARAMETERS, 1.0) | changes)
