"""What `kernel-heterogeneity` is made of: images, fits, codes, and resuming."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from experiments import _ladret_measure, kernel_heterogeneity
from experiments._ladret import (
    MisesFit,
    central_square,
    disk,
    encode,
    fit_exponential,
    fit_von_mises,
    from_arrays,
    load,
    local_contrast,
    mises,
    prepare_for_learning,
    prune,
    psnr,
    whiten,
)
from experiments._ladret_measure import (
    CONTROL,
    CUTOFFS,
    EDGES,
    Setting,
    certified_code,
    crops,
    fixed_bank,
    learn,
    measure,
    noise,
    settings,
    windows,
    with_fewer,
)
from sparsecode.convolutional import greedy_cd, reconstruct
from sparsecode.core.rng import Streams
from sparsecode.datasets.images import luminance
from sparsecode.penalties import L1

one = kernel_heterogeneity.kernel_heterogeneity


# Images


def test_contrast_is_normalised_as_the_formula_says():
    """Every pixel by loops, with the authors' window: 15 points from -3 to 3."""
    image = np.random.default_rng(0).random((17, 20))
    along = np.exp(-0.5 * np.linspace(-3.0, 3.0, 15) ** 2)
    window = np.outer(along, along)
    window /= window.sum()

    def local_mean(values):
        padded = np.pad(values, 7, mode="symmetric")
        found = np.empty_like(values)
        for y, x in np.ndindex(values.shape):
            found[y, x] = np.sum(window * padded[y : y + 15, x : x + 15])
        return found

    centred = image - local_mean(image)
    norm = np.sqrt(local_mean(centred**2))
    assert_allclose(local_contrast(image), centred / np.maximum(norm, norm.mean()), atol=1e-12)


@pytest.mark.parametrize("waves", [(0, 3), (5, 0), (4, 7)])
def test_whitening_scales_a_wave_by_the_filter(waves):
    y, x = np.mgrid[:32, :32]
    wave = np.cos(2 * np.pi * (waves[0] * y + waves[1] * x) / 32)

    def gain(ky, kx):
        ky, kx = (k if k < 16 else k - 32 for k in (ky, kx))
        f = np.sqrt(ky**2 + kx**2) / 32
        return f**1.4 * np.exp(-((f / 0.4) ** 4))

    mean = np.mean([gain(ky, kx) for ky in range(32) for kx in range(32)])
    assert_allclose(whiten(3.0 + wave), gain(*waves) / mean * wave, atol=1e-12)


def test_the_mask_is_a_disk():
    mask = disk(9)
    assert mask[4, 4] == 1.0
    assert mask[0, 0] == mask[0, 4] == 0.0
    assert mask[4, 6] == pytest.approx(0.5 ** (1 / 3))
    image = np.random.default_rng(1).random((48, 48))
    assert_allclose(prepare_for_learning(image), local_contrast(whiten(image)) * disk(48))


def test_code_values_are_those_of_files():
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert_allclose(255 * encode(luminance(grey).astype(np.float64)), grey, atol=0.02)


def test_photographs_are_cut_to_their_central_square():
    image = np.arange(20.0).reshape(4, 5)
    assert_array_equal(central_square(image, 4), image[:, 0:4])
    assert central_square(np.ones((30, 20)), 8) == pytest.approx(np.ones((8, 8)))
    pool = load("natural")
    assert len(pool) == 12
    assert {image.shape for image in pool} == {(256, 256)}


def test_the_authors_arrays_are_read_from_a_copy(tmp_path):
    rng = np.random.default_rng(2)
    grey = rng.integers(0, 256, (3, 256, 256), dtype=np.uint8)
    np.save(tmp_path / "grey.npy", grey)
    pool = from_arrays(tmp_path / "grey.npy")
    assert_allclose(pool[1], grey[1] / 255)
    assert pool.names[2] == "grey-2"
    colour = rng.random((2, 40, 50, 3))
    np.save(tmp_path / "colour.npy", colour)
    assert from_arrays(tmp_path / "colour.npy")[0].shape == (256, 256)
    assert load(str(tmp_path / "grey.npy")).names == pool.names


def test_a_folder_of_the_authors_photographs_is_read(tmp_path):
    from skimage.io import imsave

    picture = np.random.default_rng(3).integers(0, 256, (256, 300, 3), dtype=np.uint8)
    imsave(tmp_path / "IMG_0001.png", picture, check_contrast=False)
    pool = from_arrays(tmp_path)
    assert pool.names == ("IMG_0001.png",)
    assert pool[0].shape == (256, 256)
    assert 0.0 <= pool[0].min() < pool[0].max() <= 1.0


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 4)), "must hold images of shape"),
        (np.zeros((0, 4, 4)), "must hold images of shape"),
        (np.zeros((2, 4, 4, 2)), "must hold images of shape"),
        (np.full((2, 4, 4), np.nan), "must hold 8-bit or finite"),
        (np.zeros((2, 4, 4), int), "must hold 8-bit or finite"),
    ],
)
def test_other_arrays_are_refused(tmp_path, array, message):
    np.save(tmp_path / "wrong.npy", array)
    with pytest.raises(ValueError, match=message):
        from_arrays(tmp_path / "wrong.npy")


def test_nothing_is_downloaded(tmp_path):
    for name in ("missing.npy", "missing"):
        with pytest.raises(FileNotFoundError, match="there is none"):
            from_arrays(tmp_path / name)


# Fits


def test_exponentials_are_recovered():
    x = np.linspace(0.02, 2.0, 50)
    assert fit_exponential(x, 700 * np.exp(-2.81 * x)) == pytest.approx((700, 2.81, 1.0))
    explained = fit_exponential(x, 700 * np.exp(-2.81 * x) + 100)[2]
    assert 0.5 < explained < 0.999


@pytest.mark.parametrize("peaks", [(90.4, 1.7), (88.0, 178.5), (60.0, 130.0)])
def test_two_von_mises_functions_are_recovered(peaks):
    degrees = np.arange(72) * 2.5
    heights = mises(degrees, 0.8, 7.0, 5.0, *peaks, np.log(23.0), np.log(33.0))
    fit = fit_von_mises(degrees, heights)
    assert isinstance(fit, MisesFit)
    assert fit.peak == pytest.approx(peaks, abs=1e-3)
    assert fit.concentration == pytest.approx((23.0, 33.0), rel=1e-3)
    assert fit.height == pytest.approx((7.0, 5.0), rel=1e-3)
    assert fit.explained == pytest.approx(1.0)
    assert_allclose(fit(degrees), heights, rtol=1e-4)
    assert fit.width[0] == pytest.approx(np.degrees(0.5 / np.sqrt(23.0)), rel=1e-3)


def test_small_coefficients_are_pruned():
    values = np.array([0.3, -0.05, -0.4, 0.1])
    assert_array_equal(prune(values, 0.1), [True, False, True, True])
    assert_array_equal(prune(values, 0.0), [True] * 4)


# Codes


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(5)
    bank = rng.standard_normal((6, 1, 5, 5)).astype(np.float32)
    image = rng.standard_normal((24, 24)).astype(np.float32)
    return one.config("smoke", tol=1e-3, max_iter=50), image, bank


def test_a_certified_code_has_the_gap_that_was_asked_for(problem):
    _, image, bank = problem
    X = image[None, None]
    result = certified_code(X, bank, 0.5, tol=1e-3, max_iter=50, n_removing=50)
    assert result.certificate[0] <= 1e-3
    best = greedy_cd(X, bank, L1(0.5), tol=2e-5).objective[0]
    excess = (result.objective[0] - best) / (0.5 * np.sum(image.astype(float) ** 2))
    assert -2e-5 <= excess <= result.certificate[0]
    short = certified_code(X, bank, 0.5, tol=1e-12, max_iter=2, n_removing=5)
    assert short.certificate[0] > 1e-12


def test_coefficients_are_removed_only_within_the_gap(problem):
    _, image, bank = problem
    X = image[None, None]
    known = greedy_cd(X, bank, L1(0.5), tol=2e-3)
    fewer = with_fewer(known, X, bank, 0.5, tol=1e-2, n_removing=500)
    energy = 0.5 * np.sum(image.astype(float) ** 2)
    dual = known.objective[0] - known.certificate[0] * energy
    assert fewer.code.nnz <= known.code.nnz
    assert fewer.certificate[0] == pytest.approx((fewer.objective[0] - dual) / energy)
    assert fewer.certificate[0] <= 1e-2
    assert with_fewer(known, X, bank, 0.5, tol=1e-9, n_removing=500) is known


@pytest.mark.parametrize("n_iter", [None, 30])
def test_codes_are_described_by_what_they_hold(problem, n_iter):
    config, image, bank = problem
    part = measure(config, image, bank, Setting("any", alpha=0.5, n_iter=n_iter))
    solve = _ladret_measure.code_of(config, image, bank, Setting("any", 0.5, n_iter=n_iter))
    dense = solve.code.to_dense()
    back = reconstruct(solve.code, bank)[0, 0]
    error = np.mean((image.astype(float) - back) ** 2)
    assert part["row"][0] == pytest.approx(10 * np.log10(np.ptp(image) ** 2 / error))
    assert part["row"][1] == pytest.approx(np.mean(dense == 0))
    assert part["row"][3] == pytest.approx(np.count_nonzero(dense) / image.size)
    objective = 0.5 * error * image.size + 0.5 * np.abs(dense).sum()
    assert part["row"][4] == pytest.approx(objective, rel=1e-4)
    assert part["row"][5] == pytest.approx(0.5 * np.sum(image.astype(float) ** 2))
    assert part["histogram"].sum() == np.sum((dense != 0) & (np.abs(dense) <= EDGES[-1]))
    sums = np.abs(dense).reshape(6, -1).sum(axis=1)
    assert_allclose(
        part["usage"], [np.count_nonzero(dense.reshape(6, -1), axis=1), sums], rtol=1e-5
    )
    for (pruned_psnr, sparseness), cutoff in zip(part["pruned"], CUTOFFS):
        kept = np.where(np.abs(dense) >= cutoff, dense, 0)
        assert sparseness == pytest.approx(np.mean(kept == 0))
        again = type(solve.code).from_dense(kept)
        assert pruned_psnr == pytest.approx(psnr(image, reconstruct(again, bank)[0, 0]))
    assert part["row"][2] == part["pruned"][0, 1]


def test_crops_are_distinct_and_show_many_photographs():
    config = one.config("smoke", crop_size=128, n_crops=30, n_certified=2)
    images, names = crops(config, Streams(0))
    assert images.shape == (30, 128, 128)
    assert len(set(names[:12])) == 12
    assert len({image.tobytes() for image in images}) == 30
    assert_array_equal(crops(config, Streams(0))[0], images)
    with pytest.raises(ValueError, match="n_crops must be at most 48"):
        crops(one.config("smoke", crop_size=128, n_crops=49), Streams(0))


def test_learning_sees_the_same_windows_from_every_start():
    config = one.config("smoke")
    seen = [next(windows(config, Streams(4)("windows-0"))) for _ in range(2)]
    assert_array_equal(*seen)
    assert seen[0].shape == (1, 1, 32, 32)
    for start in ("het", CONTROL):
        run = learn(config, Streams(4), start, 0)
        assert run["course"].shape == (3, config.n_steps)
        assert_allclose(np.linalg.norm(run["atoms"], axis=(2, 3)), 1.0, rtol=1e-5)
    first = noise(Streams(4), 0)
    assert_allclose(np.linalg.norm(first, axis=(2, 3)), 1.0, rtol=1e-5)
    assert np.abs(run["atoms"] - first).max() > 0.0
    assert fixed_bank("hom", "published").max() == pytest.approx(1.0)


def test_every_part_has_a_name_of_its_own():
    tasks = list(settings(one.config("paper")))
    assert len({task.key for task in tasks}) == len(tasks)
    certified = [task for task in tasks if task.setting.n_iter is None]
    assert {task.crop for task in certified} == set(range(8))
    assert all(task.seed == 0 for task in certified)
    assert {task.crop for task in tasks if task.setting.name == "published"} == set(range(32))


def test_a_config_that_does_not_fit_is_refused():
    for changes, message in (
        ({"n_certified": 1}, "n_certified must be between 2 and n_crops"),
        ({"n_course": 9}, "n_course must be between 0 and n_crops"),
        ({"crop_size": 12}, "must be at least 24"),
        ({"learning_size": 257}, "learning_size must be at most 256, the side of the images"),
        ({"n_learning_seeds": 0}, "n_learning_seeds must be at least 1"),
    ):
        with pytest.raises(ValueError, match=message):
            one.config("smoke", **changes)


# Resuming


def test_an_interrupted_run_loses_nothing_that_was_finished(tmp_path, monkeypatch):
    """With stand-ins for what takes time: only the last run's missing parts are computed."""
    config = one.config("smoke")
    computed = []

    def code(config, image, bank, setting):
        if len(computed) == 7 and not tmp_path.joinpath("again").exists():
            raise KeyboardInterrupt
        computed.append(setting.name)
        return {
            "row": np.arange(8.0) + image.mean(), "pruned": np.ones((len(CUTOFFS), 2)),
            "histogram": np.ones(len(EDGES) - 1, int), "usage": np.ones((2, 144)),
            "picture": image.astype(np.float16),
        }  # fmt: skip

    def learned(config, streams, start, seed):
        return {"atoms": noise(streams, seed), "course": np.ones((3, 2), np.float32)}

    def described(atoms, chosen):
        return {"refit": np.ones((4, len(chosen)), np.float32)}

    for name, function in (("measure", code), ("learn", learned), ("refit", described)):
        monkeypatch.setattr(kernel_heterogeneity, name, function)
    monkeypatch.setattr(kernel_heterogeneity._ladret_claims, "judge", lambda record: [])
    monkeypatch.setattr(kernel_heterogeneity._ladret_figures, "draw", lambda record, figure: None)
    framework = sys.modules["experiments._framework.experiment"]
    monkeypatch.setattr(framework, "source_hash", lambda file: "the same source")
    with pytest.raises(KeyboardInterrupt):
        one.run(config, results=tmp_path)
    tmp_path.joinpath("again").touch()
    record = one.run(config, results=tmp_path)
    assert record.n_resumed == 3 + 7
    assert len(computed) == len(list(settings(config)))
    assert record.digest == one.run(config).digest
