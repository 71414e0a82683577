"""Hierarchies: every step against a slow twin and against one Sparsey, weights counted by hand,
sequences, and what is refused.
"""

import numpy as np
import pytest
from hierarchy_twin import HierarchyTwin
from scipy import stats
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from memory import ClassField, Hierarchy, Level, Sparsey
from memory._count_simd import count_bits
from memory._hierarchy_kernels import stretch_mask
from sparsecode.core import SparseCode

TWO_LEVELS = (
    Level(4, 5, shape=(3, 3), tiling="hexagonal", overlap=1.0, activation_bounds=(2, 9)),
    Level(5, 4, shape=(1, 2), activation_bounds=(2, None)),
)
SHAPE = (9, 10)


def patterns(n_samples, n_pixels, n_active, seed=0):
    rng = np.random.default_rng(seed)
    X = np.zeros((n_samples, n_pixels), bool)
    for row in X:
        row[rng.choice(n_pixels, n_active, replace=False)] = True
    return X


def same(one, other):
    """Assert that two recalls are the same."""
    assert one.code == other.code
    assert one.pattern == other.pattern
    np.testing.assert_array_equal(one.familiarity, other.familiarity)


def pixels(recall):
    """Return what a recall gives back, flat."""
    return recall.pattern.to_dense().reshape(len(recall.familiarity), -1)


# ------------------------------------------------------------------ the definition


def test_words_are_counted_and_masked_bit_by_bit():
    for word in (0, 1, 2**63, 2**64 - 1, 0x123456789ABCDEF0):
        assert count_bits(np.uint64(word)) == bin(word).count("1")
    row = [int(stretch_mask(w, 60, 131)) for w in range(3)]
    bits = "".join(f"{word:064b}"[::-1] for word in row)
    assert bits == "0" * 60 + "1" * 71 + "0" * 61
    assert int(stretch_mask(1, 0, 64)) == int(stretch_mask(0, 5, 5)) == 0


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"normalisation": "bound", "backoff_threshold": 0.9, "activation": "core"},
        {"backoff_keeps_input": False, "exponents": (1.0, 0.5, 2.0), "first_exponent": 3.0,
         "hypothesis_threshold": 0.4, "max_hypotheses": 2, "gate": 0.2, "activation": "2010"},
    ],
)  # fmt: skip
def test_every_step_is_that_of_the_definition(settings):
    levels = [
        TWO_LEVELS[0]._replace(saturation=0.2),
        TWO_LEVELS[1]._replace(saturation=None),
        Level(3, 4, wires="UH"),
    ]
    hierarchy = Hierarchy(levels, input_shape=SHAPE, random_state=3, **settings)
    twin = HierarchyTwin(hierarchy)
    items, frames = patterns(5, 90, 30), patterns(9, 90, 25, seed=1)
    frames[4] = False  # nothing to see
    frames[6] = frames[2]
    for given, in_sequence in ((items, False), (frames, True), (frames[2:], True)):
        store = hierarchy.store_sequence if in_sequence else hierarchy.store
        assert store(given) == twin.present(given, in_sequence, learning=True)[0]
    cue = frames[:5] ^ patterns(5, 90, 6, seed=2)
    unseen = np.zeros((9, 90), bool)
    unseen[:5] = cue
    for found, given, in_sequence in (
        (hierarchy.recall(cue), cue, False),
        (hierarchy.recall_sequence(cue, 9), unseen, True),
    ):
        code, familiarity, given_back = twin.present(given, in_sequence, learning=False)
        assert found.code == code
        np.testing.assert_allclose(found.familiarity, familiarity, rtol=1e-12)
        np.testing.assert_array_equal(pixels(found), given_back)


@pytest.mark.parametrize("seed", range(3))
def test_one_mac_is_a_sparsey(seed):
    X = patterns(40, 150, 15, seed)
    cues = X ^ patterns(40, 150, 4, seed + 10)
    sparsey = Sparsey(12, 9, random_state=seed, backoff_threshold=0.5)
    hierarchy = Hierarchy(
        [Level(12, 9)], random_state=seed, backoff_threshold=0.5, gate=0.0,
        backoff_keeps_input=False,
    )  # fmt: skip

    def agree(one, other):
        np.testing.assert_array_equal(one.indptr, other.indptr)
        np.testing.assert_array_equal(one.indices, other.indices)

    agree(sparsey.store(X), hierarchy.store(X))
    agree(sparsey.store_sequence(cues[:20]), hierarchy.store_sequence(cues[:20]))
    assert hierarchy.n_weights == sparsey.n_weights
    for cue, n_frames in ((cues, None), (X[:3], 12), (cues[2:5] ^ X[2:5], 25)):
        if n_frames is None:
            one, other = sparsey.recall(cue), hierarchy.recall(cue)
        else:
            one = sparsey.recall_sequence(cue, n_frames)
            other = hierarchy.recall_sequence(cue, n_frames)
        agree(one.code, other.code)
        assert one.pattern == other.pattern
        np.testing.assert_array_equal(one.familiarity, other.familiarity)


# ------------------------------------------------------------------ counts by hand


def test_the_weights_of_the_capacity_studies():
    hierarchy = Hierarchy([Level(9, 16)], input_shape=(12, 12))
    about = hierarchy.describe()
    (level,) = about.levels
    assert level.n_weights_up == 144 * 144
    assert level.n_weights_horizontal == 144 * 128
    assert about.n_weights == 39168
    assert hierarchy.n_weights == hierarchy.nbytes == 0
    hierarchy.store(patterns(1, 144, 12))
    assert hierarchy.n_weights == 39168
    assert hierarchy.nbytes == about.nbytes == 144 * (3 + 3) * 8  # 144 bits take three words


def test_weights_of_two_levels_counted_by_hand():
    levels = [Level(4, 5, shape=(3, 3), tiling="hexagonal"), Level(5, 4, shape=(1, 3))]
    about = Hierarchy(levels).describe((9, 12))
    low, high = about.levels
    assert (low.n_macs, high.n_macs, about.n_macs, about.n_units) == (9, 3, 12, 240)
    # the six neighbours of nine hexagons: 2 4 3 5 6 3 2 4 3, in all 32
    assert low.n_weights_horizontal == 9 * 20 * 15 + 32 * 20 * 20
    assert high.n_weights_horizontal == 3 * 20 * 16 + 4 * 20 * 20
    assert high.n_weights_down == 0
    # rows 1 and 3 of macs lie at columns 1.2, 4.6, 8.1, row 2 at 2.9, 6.4, 9.8 of 12 pixels
    assert high.receptive_field == (3, 3)
    assert high.n_weights_up == low.n_weights_down == 9 * 20 * 20
    assert low.n_weights_up == 20 * 9 * 12  # no pixel on a border
    assert about.n_weights == sum(
        (low.n_weights_up, low.n_weights_horizontal, low.n_weights_down,
         high.n_weights_up, high.n_weights_horizontal)
    )  # fmt: skip
    assert (low.persistence, high.persistence) == (1, 2)


def test_descriptions_are_text_and_data():
    about = Hierarchy(TWO_LEVELS).describe(SHAPE)
    text = str(about)
    assert text.startswith("input of 9 x 10 pixels\nlevel 1: 9 macs (hexagonal, 3 x 3) of 4")
    assert "is active with 2 to 9, holds a code for 1" in text
    assert "is active with 2 or more, holds a code for 2" in text
    assert text.endswith(f"{about.n_weights:,} weights, {about.nbytes:,} bytes")
    data = about.as_dict()
    assert data["levels"][1]["n_modules"] == 5
    assert data["n_weights"] == sum(level.n_weights for level in about.levels)


def test_wires_can_be_left_out():
    (low, high) = Hierarchy([one._replace(wires="U") for one in TWO_LEVELS]).describe(SHAPE).levels
    assert low.n_weights == low.n_weights_up
    assert high.n_weights == high.n_weights_up


# ------------------------------------------------------------------ when macs are active


def test_macs_are_active_within_their_bounds():
    # the page's example: macs of level 1 fire at 4 or 5 pixels, one of level 2 at 2 macs
    levels = [
        Level(4, 4, shape=(1, 3), activation_bounds=(4, 5)),
        Level(4, 4, activation_bounds=(2, 2)),
    ]
    hierarchy = Hierarchy(levels, input_shape=(6, 9), random_state=0)
    counts = np.array([[4, 5, 3], [6, 5, 0], [4, 4, 4], [3, 6, 3], [5, 0, 4]])
    X = np.zeros((5, 6, 9), bool)
    for row, wanted in zip(X, counts, strict=True):
        for mac, n_active in enumerate(wanted):
            block = np.zeros(18, bool)
            block[:n_active] = True
            row[:, 3 * mac : 3 * mac + 3] = block.reshape(6, 3)
    low, high = hierarchy.by_level(hierarchy.store(X.reshape(5, -1)))
    active = low.to_dense().any(axis=(3, 4)).reshape(5, 3)
    np.testing.assert_array_equal(active, (counts == 4) | (counts == 5))
    np.testing.assert_array_equal(high.n_active > 0, active.sum(axis=1) == 2)
    found = hierarchy.recall(X.reshape(5, -1))
    np.testing.assert_array_equal(found.familiarity > 0, active.any(axis=1))
    assert found.pattern[3].nnz == 0


def test_codes_persist_twice_as_long_at_each_level():
    levels = [Level(8, 20, saturation=None)] * 3
    hierarchy = Hierarchy(levels, input_shape=100, random_state=0)
    codes = hierarchy.by_level(hierarchy.store_sequence(patterns(12, 100, 10)))
    for steps, code in zip((1, 2, 4), codes, strict=True):
        for t in range(12):
            begin = t - t % steps
            assert code[t] == code[begin]
            if t >= steps and t % steps == 0:
                assert code[t] != code[t - 1]


def test_a_held_code_outlasts_its_input():
    hierarchy = Hierarchy([Level(4, 6)._replace(persistence=3)], input_shape=20, random_state=0)
    frames = patterns(5, 20, 5)
    frames[1:] = False
    assert list(hierarchy.store_sequence(frames).n_active) == [4, 4, 4, 0, 0]


# ------------------------------------------------------------------ sequences


def test_the_published_demonstration():
    """One pass over 13 frames of 5 of 100 pixels, Q=10, K=18, recalled from the first."""
    n_perfect = 0
    for seed in range(30):
        frames = patterns(13, 100, 5, seed)
        hierarchy = Hierarchy([Level(10, 18)], input_shape=(10, 10), random_state=seed)
        codes = hierarchy.store_sequence(frames)
        found = hierarchy.recall_sequence(frames[:1], 16)
        n_perfect += found.code[:13] == codes and np.array_equal(pixels(found)[:13], frames)
        assert found.code[13:].nnz == found.pattern[13:].nnz == 0  # the sequence ends
    assert stats.binomtest(n_perfect, 30, 0.9, alternative="less").pvalue > 0.05
    assert n_perfect > 20


@pytest.fixture(scope="module")
def taught():
    """Return a hierarchy that saw two sequences of ten frames once, and these."""
    levels = [
        Level(12, 20, shape=(2, 2), tiling="hexagonal", overlap=1.0, saturation=None),
        Level(12, 20, saturation=None),
    ]
    hierarchy = Hierarchy(levels, input_shape=(12, 12), random_state=1)
    sequences = patterns(20, 144, 30, seed=5).reshape(2, 10, 144)
    codes = [hierarchy.store_sequence(sequence) for sequence in sequences]
    return hierarchy, sequences, codes


def agreement(found, wanted):
    """Return pixels in common by pixels in either."""
    given = pixels(found)
    return (given & wanted).sum() / (given | wanted).sum()


def test_sequences_come_back_from_their_first_frame(taught):
    hierarchy, sequences, codes = taught
    for sequence, code in zip(sequences, codes, strict=True):
        exact = hierarchy.recall_sequence(sequence)
        assert exact.code == code
        np.testing.assert_allclose(exact.familiarity[0], 1.0)
        found = hierarchy.recall_sequence(sequence[:1], 12)
        assert found.code[:10] == code
        assert agreement(found, np.concatenate([sequence, sequence[:2] & False])) > 0.99


def test_noise_is_mended(taught):
    hierarchy, sequences, codes = taught
    for sequence, code in zip(sequences, codes, strict=True):
        noisy = sequence ^ patterns(10, 144, 6, seed=7)
        found = hierarchy.recall_sequence(noisy)
        assert (noisy & sequence).sum() / (noisy | sequence).sum() < 0.83
        assert agreement(found, sequence) > 0.95
        kept = found.code.to_dense() & code.to_dense()
        assert kept.sum() > 0.95 * code.nnz


@pytest.mark.parametrize(
    "times", [[0, 1, 3, 4, 6, 7, 9], [0, 2, 4, 6, 8], [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]]
)
def test_sequences_are_known_at_other_speeds(taught, times):
    hierarchy, sequences, codes = taught
    for sequence, code in zip(sequences, codes, strict=True):
        found = hierarchy.recall_sequence(sequence[times])
        assert agreement(found, sequence[times]) > 0.95
        low = hierarchy.by_level(found.code)[0].to_dense()
        kept = low & hierarchy.by_level(code)[0].to_dense()[times]
        assert kept.sum() > 0.95 * low.sum()


def test_frames_that_were_not_seen_are_bridged(taught):
    hierarchy, sequences, codes = taught
    gappy = sequences[0].copy()
    gappy[[3, 4, 7]] = False
    assert hierarchy.recall_sequence(gappy).code == codes[0]


# ------------------------------------------------------------------ a memory


def test_batches_threads_and_files_change_nothing(tmp_path):
    X, cues = patterns(300, 90, 25), patterns(300, 90, 25, seed=4)
    make = Hierarchy(TWO_LEVELS, input_shape=SHAPE, random_state=2)
    at_once, in_parts = make, clone(make).set_params(n_threads=1)
    stored = at_once.store(X)
    parts = [in_parts.store(X[rows]) for rows in (slice(0, 1), slice(1, 299), slice(299, 300))]
    assert SparseCode.concatenate(parts) == stored
    found = at_once.recall(cues)
    same(found, in_parts.recall(cues))
    same(at_once.recall(cues[7:9]), in_parts.recall(cues[7:9]))
    assert found.code[7:9] == at_once.recall(cues[7:9]).code
    at_once.freeze(1).save(tmp_path / "kept.npz")
    again = Hierarchy.load(tmp_path / "kept.npz")
    assert again.describe() == at_once.describe()
    same(found, again.recall(cues))
    assert again.store_sequence(cues[:9]) == at_once.store_sequence(cues[:9])
    same(at_once.recall_sequence(cues[:2], 9), again.recall_sequence(cues[:2], 9))


def test_codes_of_items_do_not_depend_on_what_is_above():
    X = patterns(30, 90, 25)
    one = Hierarchy(TWO_LEVELS[:1], input_shape=SHAPE, random_state=0)
    two = Hierarchy(TWO_LEVELS, input_shape=SHAPE, random_state=0)
    assert one.by_level(one.store(X))[0] == two.by_level(two.store(X))[0]


def test_frozen_levels_learn_no_more():
    hierarchy = Hierarchy(TWO_LEVELS, input_shape=SHAPE, random_state=0)
    hierarchy.store_sequence(patterns(5, 90, 25))
    low = slice(0, int(hierarchy._network.wiring.first_weight[0, 9]))  # U of level 1
    before = hierarchy._weights.copy()
    hierarchy.freeze()
    hierarchy.store_sequence(patterns(5, 90, 25, seed=1))
    np.testing.assert_array_equal(hierarchy._weights[low], before[low])
    assert (hierarchy._weights != before).any()
    before = hierarchy._weights.copy()
    hierarchy.freeze(2).store_sequence(patterns(5, 90, 25, seed=2))
    np.testing.assert_array_equal(hierarchy._weights, before)
    hierarchy.freeze(0).store_sequence(patterns(5, 90, 25, seed=2))
    assert (hierarchy._weights[low] != before[low]).any()


def test_full_units_freeze_on_their_own():
    X = patterns(200, 60, 20)
    rows = []
    for saturation in (0.3, None):
        hierarchy = Hierarchy([Level(5, 4, saturation=saturation)], random_state=0)
        hierarchy.store(X)
        first = hierarchy._network.wiring.first_weight[0, 0]
        words = hierarchy._weights[first : first + 20]
        rows.append([int(word).bit_count() for word in words])
    assert max(rows[0]) <= 0.3 * 60 + 20 < max(rows[1])


def test_weights_take_the_same_room_whatever_is_stored():
    """Every loop of the kernels is over these arrays and over what is active."""
    X = patterns(64, 90, 25)
    hierarchy = Hierarchy(TWO_LEVELS, input_shape=SHAPE, random_state=0)
    hierarchy.store(X)
    size = hierarchy.nbytes
    hierarchy.store(patterns(500, 90, 25, seed=1))
    assert hierarchy.nbytes == size == hierarchy.describe().nbytes


def test_codes_for_classifiers():
    rng = np.random.default_rng(0)
    prototypes = patterns(4, 90, 25)
    y = rng.integers(4, size=120)
    X = prototypes[y] ^ (rng.random((120, 90)) < 0.02)
    hierarchy = Hierarchy(TWO_LEVELS, input_shape=SHAPE, random_state=0)
    codes = hierarchy.partial_fit(X[:60]).transform(X)
    assert codes.shape == (120, 9 * 20 + 2 * 20)
    top = hierarchy.set_params(transform_levels=2, output="sparse").transform(X)
    np.testing.assert_array_equal(top.toarray(), codes[:, 180:])
    assert hierarchy.encode(X).unit_shape == (40,)
    assert len(hierarchy.get_feature_names_out()) == 40
    hierarchy.set_params(transform_levels=[1])
    np.testing.assert_array_equal(hierarchy.transform(X).toarray(), codes[:, :180])
    for read_out in (ClassField(), ClassField("mean"), LogisticRegression()):
        pipeline = make_pipeline(Hierarchy(TWO_LEVELS, input_shape=SHAPE, random_state=0), read_out)
        assert pipeline.fit(X[:60], y[:60]).score(X[60:], y[60:]) > 0.9


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("levels", "error", "said"),
    [
        ([], ValueError, "levels must hold at least one Level; got none"),
        (Level(3, 4), TypeError, "levels must be a list of Level; got Level"),
        ([7], TypeError, r"levels\[0\] must be a Level; got 7"),
        ([{"n_moduls": 3}], TypeError, r"levels\[0\] must be a Level; got \{'n_moduls'"),
        ([Level(0, 4)], ValueError, r"levels\[0\].n_modules must be at least 1; got 0"),
        ([Level(3, 4), Level(3, 2.5)], TypeError, r"levels\[1\].n_units must be an integer"),
        ([Level(3, 4, shape=3)], ValueError, r"levels\[0\].shape must be the numbers of rows and"),
        ([Level(3, 4, tiling="round")], ValueError, r"levels\[0\].tiling must be one of 'square'"),
        ([Level(3, 4, overlap=-1)], ValueError, r"levels\[0\].overlap must be finite and at least"),
        ([Level(3, 4, overlap="1")], TypeError, r"levels\[0\].overlap must be a number of at"),
        ([Level(3, 4, activation_bounds=(3, 2))], ValueError, "must be at least 3; got 2"),
        ([Level(3, 4, activation_bounds=3)], ValueError, "the least and the most features; got 3"),
        ([Level(3, 4, persistence=0)], ValueError, r"levels\[0\].persistence must be at least 1"),
        ([Level(3, 4, wires="HD")], ValueError, r"levels\[0\].wires must hold U, and may hold H"),
        ([Level(3, 4, saturation=1.5)], ValueError, r"levels\[0\].saturation must lie above 0"),
        ([Level(3, 4, shape=(30, 1))], ValueError, r"levels\[0\] must leave every mac something"),
    ],
)
def test_levels_that_make_no_sense(levels, error, said):
    with pytest.raises(error, match=said):
        Hierarchy(levels).describe(SHAPE)
    with pytest.raises(error, match=said):
        Hierarchy(levels, input_shape=SHAPE).store(patterns(1, 90, 9))


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"gate": 2.0}, ValueError, "gate must lie between 0 and 1; got 2.0"),
        ({"activation": "2011"}, ValueError, "activation must be one of"),
        ({"normalisation": "none"}, ValueError, "normalisation must be one of"),
        ({"output": "csr"}, ValueError, "output must be one of"),
        ({"random_state": -1}, ValueError, "random_state must be at least 0; got -1"),
        ({"input_shape": (9, 9)}, ValueError, r"unit_shape \(9, 9\), the input_shape; got \(90,\)"),
        ({"input_shape": 2.5}, TypeError, "input_shape must be an integer; got 2.5"),
        ({"transform_levels": 3}, ValueError, "transform_levels must be at least 1 and at most 2"),
        ({"transform_levels": (1, 1)}, ValueError, "transform_levels must name levels once each"),
    ],
)
def test_parameters_that_make_no_sense(settings, error, said):
    with pytest.raises(error, match=said):
        Hierarchy(TWO_LEVELS, **settings).store(patterns(1, 90, 25))


def test_refusals_and_their_words():
    hierarchy = Hierarchy(TWO_LEVELS)
    with pytest.raises(ValueError, match="input_shape must be known to describe a hierarchy"):
        hierarchy.describe()
    for ask in (hierarchy.recall, hierarchy.recall_sequence, hierarchy.transform):
        with pytest.raises(NotFittedError, match="must hold a pattern before it can recall"):
            ask(patterns(1, 90, 9))
    with pytest.raises(NotFittedError, match="must hold a pattern"):
        hierarchy.freeze()
    with pytest.raises(ValueError, match="one or two axes; got shape"):
        hierarchy.store(SparseCode.from_indices([[1]], (3, 3, 10)))
    assert hierarchy.n_stored == 0
    X = SparseCode.from_dense(patterns(3, 90, 25), SHAPE)
    code = hierarchy.store(X)
    with pytest.raises(ValueError, match="n_frames must be at least 3; got 2"):
        hierarchy.recall_sequence(X, 2)
    with pytest.raises(ValueError, match="n_levels must be at least 0 and at most 2"):
        hierarchy.freeze(3)
    with pytest.raises(ValueError, match=r"code must have unit_shape \(220,\), all units of the"):
        hierarchy.by_level(X)
    with pytest.raises(ValueError, match="frames must hold 0 and 1 only"):
        hierarchy.store_sequence(np.full((2, 90), 0.5))
    with pytest.raises(ValueError, match="levels must stay as they are once something is stored"):
        hierarchy.set_params(levels=TWO_LEVELS[:1]).recall(X)
    hierarchy.set_params(levels=TWO_LEVELS)
    assert hierarchy.recall(X).code == code
    with pytest.raises(ValueError, match="X must hold 0 and 1 only"):
        hierarchy.fit(np.full((2, 90), 0.5))
    assert hierarchy.recall(X).code == code
    with pytest.raises(ValueError, match="one or two axes; got shape"):
        hierarchy.fit(SparseCode.from_indices([[1]], (3, 3, 10)))
    assert hierarchy.recall(X).code == code
    assert hierarchy.fit(patterns(2, 40, 20)).unit_shape == (40,)
