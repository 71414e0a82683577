"""The benchmark of memory measures each coder in a process of its own."""

import pytest


def test_memory_is_that_of_fresh_processes(registry):
    # Imported here, so that only the registry of this test knows it.
    from experiments.benchmarks.peak_memory import CODERS, peak_memory

    config = peak_memory.config(n_samples=400, n_samples_peer=40, n_atoms=64, density=0.05)
    record = peak_memory.run(config)
    ours, theirs = record.table.rows()
    assert (ours["coder"], theirs["coder"]) == CODERS
    assert (ours["n_samples"], theirs["n_samples"]) == (400, 40)
    assert ours["density"] == pytest.approx(theirs["density"], rel=0.3)
    assert min(ours["seconds"], theirs["seconds"]) > 0
    assert peak_memory.draw(record).axes[0].has_data()
