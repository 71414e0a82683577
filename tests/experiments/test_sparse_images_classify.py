"""`sparse-images-classify`: its reader, its solver beside slow twins, its pruning, its verdicts."""

import importlib.util
import io
import tarfile

import numpy as np
import pytest
from scipy import stats

from experiments import _classify_data as data
from experiments._classify_coding import (
    CUTOFFS,
    INPUTS,
    PAPER,
    Maps,
    admm_pair,
    code_all,
    explained,
    network_input,
    pool,
    removed,
    shifted,
)
from experiments._classify_measure import DICTIONARIES, interval, kernels, overlap, same
from experiments._framework import Record, Table, Verdict
from experiments.sparse_images_classify import Config, sparse_images_classify
from sparsecode.convolutional import greedy_cd, log_gabor_preset
from sparsecode.core import Streams
from sparsecode.datasets import load_digits16, sources
from sparsecode.penalties import L1

# Pictures


def records(n, rng):
    """Return the bytes of a file of CIFAR-10's binary version, its labels and its colours."""
    labels, colours = rng.integers(10, size=n), rng.integers(256, size=(n, 3, 32, 32))
    rows = np.concatenate([labels[:, None], colours.reshape(n, -1)], axis=1)
    return rows.astype(np.uint8).tobytes(), labels, colours


def test_cifar10_is_read_record_by_record():
    content, labels, colours = records(5, np.random.default_rng(0))
    images, found = data.parse_cifar10(content)
    np.testing.assert_array_equal(found, labels)
    for image, (red, green, blue) in zip(images, colours / 255.0):
        expected = 0.2989 * red + 0.587 * green + 0.114 * blue
        np.testing.assert_allclose(image, expected, atol=1e-6)


@pytest.mark.parametrize("content", [b"", b"\0" * 3072, b"\0" * 3074])
def test_a_file_of_broken_records_is_refused(content):
    with pytest.raises(ValueError, match="cut must hold whole records of 3073 bytes"):
        data.parse_cifar10(content, name="cut")


def test_an_eleventh_class_is_refused():
    with pytest.raises(ValueError, match="a class from 0 to 9; got 17"):
        data.parse_cifar10(b"\x11" * 3073)


def cifar_config(folder, **changes):
    return sparse_images_classify.config(
        "smoke", data="cifar10", folder=str(folder), n_train=20, n_test=4, **changes
    )


def files(rng):
    """Return the six files of a small CIFAR-10."""
    return {
        name: records(6 if name in data.TRAIN_FILES else 5, rng)
        for name in (*data.TRAIN_FILES, *data.TEST_FILES)
    }


@pytest.mark.parametrize("below", [".", "cifar-10-batches-bin"])
def test_cifar10_is_found_where_the_user_put_it(tmp_path, below):
    made = files(np.random.default_rng(1))
    (tmp_path / below).mkdir(exist_ok=True)
    for name, (content, *_) in made.items():
        (tmp_path / below / name).write_bytes(content)
    config = cifar_config(tmp_path)
    pictures = data.load(config, Streams(0))
    assert pictures.images.shape == (24, 32, 32)
    assert pictures.n_train == 20
    everything = np.concatenate([data.parse_cifar10(made[n][0])[0] for n in data.TRAIN_FILES])
    for image in pictures.images[:20]:
        assert (everything == image).all(axis=(1, 2)).any()
    for split in data.splits(config, Streams(0), pictures):
        np.testing.assert_array_equal(split.train, np.arange(20))
        np.testing.assert_array_equal(split.test, np.arange(20, 24))
    with pytest.raises(ValueError, match="n_train must be at most 30"):
        data.load(sparse_images_classify.config(
            "smoke", data="cifar10", folder=str(tmp_path), n_train=31), Streams(0))  # fmt: skip


def archive(made):
    """Return the bytes of an archive of files, as CIFAR-10 is published."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, (content, *_) in made.items():
            entry = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def test_the_archive_is_read_if_its_checksum_is_the_known_one(tmp_path, monkeypatch):
    made = files(np.random.default_rng(2))
    content = archive(made)
    (tmp_path / data.ARCHIVE).write_bytes(content)
    with pytest.raises(ValueError, match="must have the SHA-256 c4a38c50"):
        data.load(cifar_config(tmp_path), Streams(0))
    monkeypatch.setattr(data, "ARCHIVE_SHA256", sources._sha256([content]))
    pictures = data.load(cifar_config(tmp_path), Streams(0))
    assert pictures.images.shape == (24, 32, 32)
    assert list(tmp_path.iterdir()) == [tmp_path / data.ARCHIVE]  # nothing was unpacked
    with pytest.raises(ValueError, match=r"must hold other\.bin; it does not"):
        data.member(content, "other.bin")


def test_nothing_is_downloaded_unless_it_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "cache_folder", lambda: tmp_path / "cache")
    with pytest.raises(FileNotFoundError, match=r"cifar-10-binary\.tar\.gz must lie in"):
        data.load(cifar_config(tmp_path), Streams(0))


def test_digits_are_enlarged_as_elsewhere():
    from sklearn.datasets import load_digits

    larger = data.enlarge((load_digits().images[:20] / 16.0).astype(np.float32), 2)
    np.testing.assert_allclose(larger, load_digits16().images[:20], atol=1e-6)


def test_splits_keep_classes_and_reserve_what_was_learned_from():
    config = sparse_images_classify.config(
        "smoke", n_train=100, n_test=60, learned_from="training", n_reserved=40, n_seeds=3
    )
    pictures = data.load(config, Streams(3))
    found = data.splits(config, Streams(3), pictures)
    for train, test in found:
        assert len(train) == 100
        assert len(test) == 60
        assert not set(train) & set(test)
        assert set(range(40)) <= set(train)
        free = np.bincount(pictures.labels[40:], minlength=10) / 120
        drawn = np.bincount(pictures.labels[test], minlength=10) / 60
        np.testing.assert_allclose(drawn, free, atol=1.0 / 60)
    assert set(found[0].test) != set(found[1].test)


@pytest.mark.parametrize("name", DICTIONARIES)
@pytest.mark.parametrize("learned_from", ["photographs", "training"])
def test_dictionaries_are_those_of_the_paper_or_learned_from_them(name, learned_from):
    config = sparse_images_classify.config(
        "smoke", learned_from=learned_from, n_reserved=10 * (learned_from == "training")
    )
    atoms = kernels(config, Streams(0), name, data.load(config, Streams(0)))["atoms"]
    bank = log_gabor_preset(DICTIONARIES[name], dtype=np.float32)[0][:, 0]
    assert atoms.shape == bank.shape == (144, 12, 12)
    if name in ("homogeneous", "heterogeneous"):
        np.testing.assert_array_equal(atoms, bank)
    else:
        np.testing.assert_allclose(np.linalg.norm(atoms, axis=(1, 2)), 1.0, atol=1e-5)


# Codes


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(5)
    images = rng.standard_normal((6, 6, 5)).astype(np.float32)
    bank = rng.standard_normal((4, 3, 3)).astype(np.float32)
    return images, bank


def matrix(bank, shape):
    """Return the circular convolution as a matrix, column by column."""
    n_atoms, height, width = len(bank), *shape
    columns = np.zeros((height * width, n_atoms * height * width))
    for k, atom in enumerate(bank):
        for y in range(height):
            for x in range(width):
                image = np.zeros(shape)
                for i, j in np.ndindex(atom.shape):
                    image[(y + i) % height, (x + j) % width] += atom[i, j]
                columns[:, (k * height + y) * width + x] = image.ravel()
    return columns


def by_the_book(image, bank, tol, max_iter):
    """Run the authors' ADMM with dense matrices, one image at a time."""
    D = matrix(bank, image.shape)
    y, u = np.zeros(D.shape[1]), np.zeros(D.shape[1])
    rho, target = 50 * 0.01 + 1, 1 + 18.3 ** (-2 + 1)
    n_iter = 0
    while n_iter < max_iter:
        n_iter += 1
        x = np.linalg.solve(D.T @ D + rho * np.eye(len(y)), D.T @ image.ravel() + rho * (y - u))
        relaxed = 1.8 * x - 0.8 * y
        older, v = y, relaxed + u
        y = np.sign(v) * np.maximum(np.abs(v) - 0.01 * 0.5 / rho, 0)
        u = v - y
        r, s = np.linalg.norm(x - y), rho * np.linalg.norm(older - y)
        near = max(np.linalg.norm(relaxed), np.linalg.norm(y))
        if r < tol * near and s < tol * rho * np.linalg.norm(u):
            break
        if s > 1.05 / target * r:
            ratio = s * target / r
            change = min(np.sqrt(max(ratio, 1 / ratio)), 100.0)
            rho, u = rho / change, u * change
    return x, y, n_iter


@pytest.mark.parametrize(("tol", "max_iter"), [(0.1, 250), (0.3, 250), (1e-9, 7)])
def test_images_are_coded_as_the_authors_do(problem, tol, max_iter):
    images, bank = problem
    maps = admm_pair(images, bank, tol=tol, max_iter=max_iter)
    for k, image in enumerate(images):
        fit, code, n_iter = by_the_book(image, bank, tol, max_iter)
        assert maps.n_iter[k] == n_iter
        np.testing.assert_allclose(maps.fit[k].ravel(), fit, atol=3e-4)
        np.testing.assert_allclose(maps.code[k].ravel(), code, atol=3e-4)


def test_an_image_is_coded_alike_beside_others(problem):
    images, bank = problem
    together = admm_pair(images, bank)
    for k in range(len(images)):
        alone = admm_pair(images[k : k + 1], bank)
        assert alone.n_iter[0] == together.n_iter[k]
        np.testing.assert_allclose(alone.fit[0], together.fit[k], atol=1e-5)


def test_the_optimum_is_that_of_half_the_alpha(problem):
    images, bank = problem[0][:1], problem[1]
    maps = admm_pair(images, bank, tol=1e-6, max_iter=1000)
    optimum = greedy_cd(
        images[:, None].astype(np.float64), bank[:, None].astype(np.float64), L1(0.005),
        tol=1e-5, max_iter=100_000,
    )  # fmt: skip
    left = 1.0 - explained(images, maps.code, bank)
    energy = np.sum(images**2, axis=(1, 2))
    objective = 0.5 * left * energy + 0.005 * np.abs(maps.code).sum(axis=(1, 2, 3))
    assert optimum.converged.all()
    np.testing.assert_array_less(objective, 1.001 * optimum.objective)
    np.testing.assert_array_less(optimum.objective - 0.5e-5 * energy, 1.001 * objective)


def test_maps_are_averaged_over_squares():
    maps = np.arange(2 * 3 * 4 * 6, dtype=np.float32).reshape(2, 3, 4, 6)
    small = pool(maps, 2)
    assert small.shape == (2, 3, 2, 3)
    assert small[1, 2, 1, 0] == maps[1, 2, 2:4, :2].mean()


def test_published_pruning_follows_the_shift():
    """It removes what is near 0.5; zeros stay unless half the maximum is above theirs."""
    maps = np.zeros((2, 1, 2, 2), np.float32)
    maps[0, 0] = [[0.0, 0.6], [1.25, 0.45]]
    maps[1, 0] = [[0.0, 0.6], [5.0, -3.0]]
    np.testing.assert_allclose(
        shifted(maps, 0.0)[0, 0], [[-2.2222, 0.4444], [3.3333, -0.2222]], atol=1e-4
    )
    np.testing.assert_allclose(shifted(maps, 0.5)[0, 0], [[-2.2222, 0.0], [3.3333, 0.0]], atol=1e-4)
    np.testing.assert_allclose(shifted(maps, 0.5)[1, 0], [[0.0, 0.0], [20.0, -15.5556]], atol=1e-4)


def test_where_no_entry_exceeds_the_shift_nothing_is_pruned():
    rng = np.random.default_rng(0)
    maps = 0.4 * rng.random((3, 2, 4, 4), dtype=np.float32)
    for cutoff in CUTOFFS:
        np.testing.assert_array_equal(shifted(maps, cutoff), shifted(maps, 0.0))
    pair = Maps(np.repeat(np.repeat(maps, 2, axis=2), 2, axis=3), maps, np.ones(3))
    assert removed(pair, 0.5, 2) == (0.0, 0.0, 1.0)


def test_codes_are_pruned_by_their_own_size():
    code = np.zeros((1, 1, 2, 2), np.float32)
    code[0, 0] = [[0.0, -4.0], [1.9, 2.1]]
    maps = Maps(code, code, np.ones(1))
    assert network_input(maps, "code", 0.5, 2)[0, 0, 0, 0] == pytest.approx((-4.0 + 2.1) / 4)
    assert network_input(maps, "code", 0.0, 2)[0, 0, 0, 0] == pytest.approx(0.0)


def test_all_inputs_are_made_of_each_picture():
    rng = np.random.default_rng(0)
    images = rng.standard_normal((6, 12, 12)).astype(np.float32)
    bank = rng.standard_normal((3, 4, 4)).astype(np.float32)
    part = code_all(images, bank, 2)
    maps = admm_pair(images, bank)
    assert len(part["inputs"]) == len(INPUTS)
    for one, (form, cutoff) in zip(part["inputs"], INPUTS):
        np.testing.assert_allclose(one, network_input(maps, form, cutoff, 2), atol=1e-4)
    n_iter, per_pixel, *energy = part["coding"]
    assert n_iter == maps.n_iter.mean()
    assert per_pixel == pytest.approx(np.count_nonzero(maps.code) / images.size, rel=1e-3)
    assert part["nonzero"][3] == pytest.approx(per_pixel / 3)
    assert np.all(np.array(energy) > 0.9)
    assert part["removed"].shape == (len(CUTOFFS) - 1, 3)


# Accuracies


def test_the_network_is_deterministic_and_learns():
    pytest.importorskip("torch")
    from experiments._classify_network import Schedule, one_thread, train_and_test

    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=160)
    inputs = rng.standard_normal((160, 3, 8, 8)).astype(np.float32)
    inputs[np.arange(160), labels] *= 2.0
    train, test = np.arange(120), np.arange(120, 160)
    schedule = Schedule(12, 20, 1e-2, 5e-4, 0.25, 6, flip=True)
    with one_thread():
        first = train_and_test(inputs, labels, train, test, schedule, seed=3)
        again = train_and_test(inputs, labels, train, test, schedule, seed=3)
        scaled = train_and_test(2 * inputs, labels, train, test, schedule, seed=3, scale=2.0)
    assert first == again == scaled
    # 40 pictures of three classes: guessing is right 22 times or more with probability 0.003
    assert first[0] >= stats.binom.ppf(0.997, 40, 1 / 3) / 40


def test_torch_is_left_as_it_was():
    torch = pytest.importorskip("torch")
    from experiments._classify_network import one_thread

    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_without_torch_one_sentence_says_so(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "torch" else find(name)
    )
    assert sparse_images_classify.missing() == ["torch"]
    with pytest.raises(ModuleNotFoundError, match="must have torch installed; run pip install"):
        sparse_images_classify.run(sparse_images_classify.config("smoke"))
    assert not sparse_images_classify.headline


def test_inputs_that_equal_earlier_ones_are_found():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 3))
    inputs = [("published", a), ("published", a.copy()), ("code", a), ("published", b)]
    assert same(inputs) == [0, 0, 2, 3]


def test_intervals_widen_where_splits_share_pictures():
    values = np.array([0.9, 0.92, 0.95, 0.91])
    mean, half = interval(values, 0.0)
    low, high = stats.t.interval(0.95, 3, loc=values.mean(), scale=stats.sem(values))
    assert (mean - half, mean + half) == pytest.approx((low, high))
    assert interval(values, 0.25)[1] == pytest.approx(half * 2.0**0.5)
    config = sparse_images_classify.config("paper")
    assert overlap(config) == pytest.approx(450 / 1347)
    assert overlap(sparse_images_classify.config("paper", data="cifar10")) == 0.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_seeds": 1}, "n_seeds must be at least 2"),
        ({"n_train": 0}, "n_train must be at least 1"),
        ({"n_test": 0}, "n_test must be at least 1"),
        ({"n_steps": 0}, "n_steps must be at least 1"),
        ({"n_epochs": 0}, "n_epochs must be at least 1"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"width": 0}, "width must be at least 1"),
        ({"learning_size": 5}, "learning_size must be at least 24 and at most 256; got 5"),
        ({"learning_size": 257}, "learning_size must be at least 24 and at most 256; got 257"),
        ({"n_reserved": -1}, "n_reserved must be at least 0"),
        ({"upscale": 1}, "upscale must be at least 2"),
        ({"n_reserved": 5}, "n_reserved must be above 0 if"),
        ({"learned_from": "training"}, "n_reserved must be above 0 if"),
        ({"learned_from": "training", "n_reserved": 1347}, "n_reserved must be below n_train"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Config(**changes)


# Verdicts, on a record with planted numbers


def planted(published, code=None, probe=None, *, data="digits", spread=0.001, whole=0.0):
    """Return a record whose mean accuracies are those given, by dictionary and cutoff."""
    config = sparse_images_classify.config("paper", data=data, n_seeds=4)
    # means stay as they are, differences between dictionaries and cutoffs vary
    noise = spread * np.array([[-1, 1, 1, -1], [1, -1, 1, -1], [1, 1, -1, -1]])
    columns = {
        name: [] for name in ("dictionary", "classifier", "form", "cutoff", "seed", "accuracy")
    }
    code = published if code is None else code
    plan = [("network", "published", published), ("network", "code", code)]
    plan += [("probe", "code", code if probe is None else probe)]
    rows = [
        (name, classifier, form, cutoff, mean)
        for classifier, form, means in plan
        for name, values in means.items()
        for cutoff, mean in zip(CUTOFFS, values)
    ]
    rows += [("pixels", classifier, "pixels", 0.0, 90.0) for classifier in ("network", "probe")]
    for *row, mean in rows:
        turn = (list(published).index(row[0]) if row[0] in published else 0) + CUTOFFS.index(row[3])
        for seed in range(4):
            values = (*row, seed, mean / 100.0 + noise[turn % 3, seed])
            for column, value in zip(columns.values(), values):
                column.append(value)
    arrays = {}
    for number in range(4):
        arrays[f"removed-{number}"] = np.array([[0.9, 0.1, whole], [0.9, 0.1, whole]])
    return Record(
        experiment="sparse-images-classify", config=config, preset="paper", seed=0,
        table=Table(columns), arrays=arrays, seconds=0.0, n_resumed=0, provenance={},
    )  # fmt: skip


def verdicts(record):
    return {claim.text: claim for claim in sparse_images_classify.judge(record).claims}


AS_PUBLISHED = {name: PAPER["accuracy"].value[name] for name in DICTIONARIES}
BETTER = "Heterogeneous kernels are classified better than homogeneous ones"
BEST = "Heterogeneous kernels, learned, are classified better than the other three"
WORSE = "Learning from homogeneous kernels makes classification worse"
NOTHING = "Pruning costs nothing with heterogeneous kernels that were learned"
COSTS = "Pruning at 0.5 costs accuracy with fixed kernels, homogeneous or heterogeneous"
NUMBERS = "A network on whole maps reaches these accuracies on CIFAR-10"


def test_published_numbers_reproduce_with_a_caveat():
    said = verdicts(planted(AS_PUBLISHED, whole=1.0))
    for text in (BETTER, BEST, WORSE, NOTHING, COSTS):
        assert said[text].verdict == Verdict.CAVEAT, text
        assert "another data set" in said[text].note
    assert said[BETTER].measured.startswith("+4.4 ± ")
    assert "leaves 100 % of the pictures as they are" in said[NOTHING].note
    assert said[NUMBERS].verdict == Verdict.NOT_TESTED
    assert said[NUMBERS].measured is None


def test_a_difference_within_its_interval_is_none():
    said = verdicts(planted(AS_PUBLISHED, spread=0.08))
    for text in (BETTER, BEST, WORSE, NOTHING, COSTS):
        assert said[text].verdict == Verdict.NOT_REPRODUCED, text


def test_the_opposite_order_gets_the_opposite_verdicts():
    backwards = dict(zip(DICTIONARIES, reversed(AS_PUBLISHED.values())))
    flat = {name: values[::-1] for name, values in backwards.items()}
    said = verdicts(planted(flat))
    for text in (BETTER, BEST, COSTS):
        assert said[text].verdict == Verdict.NOT_REPRODUCED, text


def test_numbers_count_on_cifar10_alone():
    assert verdicts(planted(AS_PUBLISHED, data="cifar10"))[NUMBERS].verdict == Verdict.CAVEAT
    lower = {name: [value - 5.0 for value in values] for name, values in AS_PUBLISHED.items()}
    said = verdicts(planted(lower, data="cifar10"))
    assert said[NUMBERS].verdict == Verdict.NOT_REPRODUCED
    assert said[BETTER].verdict == Verdict.CAVEAT  # the network is another one
    assert "another data set" not in said[BETTER].note


def test_the_audit_reads_what_pruning_removes():
    text = "Audit: pruning after the shift removes small entries and leaves large ones"
    record = planted(AS_PUBLISHED)
    assert verdicts(record)[text].verdict == Verdict.CAVEAT
    record.arrays["removed-2"][-1] = 0.1, 0.6, 0.0
    claim = verdicts(record)[text]
    assert claim.verdict == Verdict.NOT_REPRODUCED
    assert "het 10 % of small, 60 % of large" in claim.measured


def test_below_the_paper_preset_nothing_counts():
    record = planted(AS_PUBLISHED)
    object.__setattr__(record, "preset", "quick")
    assert {claim.verdict for claim in verdicts(record).values()} == {Verdict.NOT_TESTED}
