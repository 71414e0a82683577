"""Parts of `memory-capacity`: crossings, radii, and theories at sizes that take no time."""

from __future__ import annotations

import numpy as np
import pytest

from experiments import _capacity_measure as parts
from experiments._capacity_claims import crossing
from experiments.memory_capacity import Config
from memory import theory
from sparsecode.core.rng import Streams


def test_where_a_share_crosses_a_half():
    assert crossing(np.array([0.1, 0.2, 0.3]), np.array([1.0, 0.75, 0.25])) == pytest.approx(0.25)
    assert np.isnan(crossing(np.array([0.1, 0.2]), np.array([1.0, 0.75])))


def test_a_hundredth_of_the_locations_is_active():
    assert theory.sdm_activation(512, parts._radius(512)) == pytest.approx(0.01, rel=0.2)


def test_every_part_is_gathered():
    config = Config(
        n_units=64, n_active=4, loads=(5, 20), n_trials=2, n_cues=10, willshaw_units=100,
        willshaw_loads=(100, 200), hopfield_units=(100,), hopfield_loads=(0.05, 0.2),
        sparse_units=100, sparse_densities=(0.1,), n_locations=500, words=64, radius=26,
        word_loads=(20,), n_theory_trials=2,
    )  # fmt: skip
    found = {
        key: work(config, Streams(0), *arguments)
        for key, (work, *arguments) in parts.tasks(config).items()
    }
    table, arrays = parts.gather(config, found)
    n_memories = sum(len(parts.makers(config, kind)) for kind in parts.KINDS)
    assert len(table["kind"]) == n_memories * 2 * 2
    assert np.shape(arrays["willshaw_measured"]) == (2, 2)
    assert np.shape(arrays["hopfield"]) == (1, 2, 2, 2)
    exact, limit = np.array(arrays["willshaw_exact"]), np.array(arrays["willshaw_limit"])
    assert (exact > limit).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"n_active": 200}, "a quarter of n_units"),
        ({"missing": 0.0}, "missing must lie between 0 and 1"),
        ({"n_trials": 1}, "must be at least 2"),
    ],
)
def test_bad_config(change, said):
    with pytest.raises(ValueError, match=said):
        Config(**change)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_speed_of_memories_is_measured(registry):
    # Imported here, so that only the registry of this test knows it.
    from experiments.benchmarks.memories import memory_speed, ratios

    record = memory_speed.run(memory_speed.config("smoke"))
    rows = ratios(record)
    assert {row["task"] for row in rows} >= {"Willshaw, k=4, store", "softmax retrieval"}
    assert all(row["ratio"] > 0 for row in rows)
    assert {row["goal"] for row in rows if "Willshaw" in row["task"]} == {10.0, 15.0}
    operations = record.arrays["sparsey_operations"]
    assert operations.min() == operations.max() > 0
    assert memory_speed.draw(record).axes[0].has_data()
