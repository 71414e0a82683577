"""The parts of `sequence-robustness`: streams, judgements, noise, verdicts; and its benchmark."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import hypergeom

from experiments import _sequence_claims as claims
from experiments import _sequence_measure as measure
from experiments.sequence_robustness import Config, sequence_robustness
from sparsecode.core import SparseCode
from sparsecode.core.rng import Streams

RNG = np.random.default_rng(0)


def test_a_stream_is_words_and_noise_in_turn():
    config = SimpleNamespace(n_columns=200, n_active=10)
    letters = measure._letters(config, RNG)
    stream = measure._stream(config, letters, 200, RNG)
    names = {row.indices.tobytes(): letter for letter, row in letters.items()}
    found = [names.get(row.indices.tobytes(), ".") for row in stream]
    assert len(found) == 200
    for first in range(0, 200, 10):
        assert "".join(found[first : first + 6]) in measure.WORDS
        assert found[first + 6 : first + 10] == ["."] * 4


def test_moved_bits_leave_and_arrive_outside():
    row = SparseCode.from_indices([range(20)], 100)
    for n_bits in (0, 7, 20):
        shown = measure.moved(row, n_bits, RNG)
        assert shown.nnz == 20
        assert np.isin(shown.indices, row.indices).sum() == 20 - n_bits


@pytest.mark.parametrize(
    ("expected", "guess", "jaccard"),
    [
        ([], 0.0, 0.0),
        ([0, 1, 2, 3], 1.0, 1.0),
        ([0, 1, 8], 1.0, 2 / 5),
        ([0, 1, 4, 5], 0.5, 2 / 6),  # two letters with equally many columns
        ([0, 4, 5], 0.0, 1 / 6),
        ([9, 10], 0.0, 0.0),
    ],
)
def test_the_letter_with_most_columns_is_guessed(expected, guess, jaccard):
    table = np.zeros((2, 12), bool)
    table[0, :4] = table[1, 4:8] = True
    element = SparseCode.from_indices([[0, 1, 2, 3]], 12)
    found = measure._judge(np.array(expected, np.int64), element, table)
    assert found == pytest.approx((guess, jaccard))


def test_noise_is_as_the_hypergeometric_law_says():
    config = sequence_robustness.config("quick", n_noisy=300)
    shares = measure.one_sequence(config, Streams(5), 12)["shares"]
    law = hypergeom(40, 20, 20).sf(11)
    assert abs(shares.mean() - law) < 4 * np.sqrt(law * (1 - law) / (300 * 40))


def test_stretches_are_averaged():
    accuracy = np.arange(24.0).reshape(2, 6, 2)
    np.testing.assert_allclose(measure.averaged(accuracy, 4), accuracy[:, None, :4].mean(axis=2))


def test_the_ceiling_counts_from_where_it_is_kept():
    course = np.array([0.1, 0.5, 0.3, 0.5, 0.5])
    assert claims._reached(course, 0.4, 100) == 400
    assert claims._reached(course, 0.05, 100) == 100


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"threshold": 41}, "threshold <= n_active"),
        ({"n_after": 100}, "at least two stretches of 100"),
        ({"n_networks": 1}, "n_networks must be at least 2"),
        ({"deaths": (0.1,)}, "begin with 0"),
    ],
)
def test_configs_that_make_no_sense_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        Config(**changes)


def test_the_benchmark_runs_and_says_what_its_figures_are(registry):
    # Imported here, so that only the registry of this test knows it.
    from experiments.benchmarks.htm import FIGURES, LIMITS, htm

    record = htm.run(htm.config("smoke"))
    assert record.table["task"].tolist() == [one.task for one in FIGURES]
    assert (record.table["ours"] > 0).all()
    limits = dict(zip(LIMITS, record.arrays["limits"]))
    for limit, what in (("GEMM", "arithmetic"), ("triad", "memory")):
        factor = max(1.0, *(limits[name] / LIMITS[name] for name in LIMITS if limit in name), 0.0)
        assert record.arrays[what] == factor
        ratios = record.table["ours"] / (factor * record.table["htm_core_figure"])
        np.testing.assert_allclose(record.table[f"by_{what}"], ratios)
    assert htm.draw(record).axes[0].has_data()
