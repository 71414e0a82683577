"""The benchmarks of memory measure each coder in a process of its own."""

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


def test_memory_of_maps_is_that_of_fresh_processes(registry):
    from experiments.benchmarks.map_memory import map_memory

    record = map_memory.run(map_memory.config(side=48, n_atoms=8, n_iter=2, tol=0.1))
    ours = [row for row in record.table.rows() if row["coder"].startswith("sparsecode")]
    assert len(ours) == 3
    assert all(row["maps"] == pytest.approx(4 * 8 * 48**2 / 2**30) for row in ours)
    assert all(row["beyond"] >= 0.0 for row in ours)
    assert map_memory.draw(record).axes[0].has_data()


def test_stored_activations_are_recorded_and_coded(registry, tmp_path):
    pytest.importorskip("torch")
    from experiments.benchmarks.stored_activations import STEPS, stored_activations, work

    changes = {"n_images": 25, "d_model": 16, "n_latents": 32, "k": 3, "n_steps": 2}
    config = stored_activations.config(**changes, batch_size=10)
    for step in STEPS:  # here, for processes of their own would only be slower
        done = work(step, str(tmp_path), vars(config))
        assert done["rows"] == 25 * 16
        assert min(done["seconds"], done["peak"]) > 0
