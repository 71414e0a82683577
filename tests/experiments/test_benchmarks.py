"""The benchmark of learning runs at a small size, and compares like with like."""

import numpy as np


def test_learners_are_compared_on_one_objective(registry):
    # Imported here, so that only the registry of this test knows it.
    from experiments.benchmarks.learn_online import learn_online

    config = learn_online.config(
        n_samples=600, n_held_out=100, n_atoms=24, batch_size=100, n_rounds=2
    )
    record = learn_online.run(config, seed=0)
    rows = list(record.table.rows())
    assert {"sparsecode", "scikit-learn"} <= {row["learner"] for row in rows}
    objectives = np.array([row["objective"] for row in rows])
    assert np.all(objectives < [row["objective_before"] for row in rows])
    np.testing.assert_allclose(objectives, objectives[0], rtol=0.02)
    assert all(row["per_second"] > 0 for row in rows)
    assert {row["rounds"] for row in rows if row["learner"] == "scikit-learn"} == {1}
    assert learn_online.draw(record).axes[0].has_data()
