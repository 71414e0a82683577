"""Learning from sums: what one machine learns from the whole, to the bit for any workers."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from sparsecode.learning import mod, online
from sparsecode.scale import ShardError, learn_shards, learning
from sparsecode.solvers import omp

OMP = {"solver": "omp", "n_nonzero": 2, "shard_rows": 50, "n_passes": 4}


@pytest.fixture(scope="module")
def unit(atoms):
    return atoms / np.linalg.norm(atoms, axis=1, keepdims=True)


def test_mod_is_that_of_one_machine(X, unit):
    here = learn_shards(X, unit, **OMP)
    solver = partial(omp, n_nonzero=2)
    whole = mod(X, unit, None, solver=solver, n_batches=4, max_cosine=None)
    np.testing.assert_allclose(here.dictionary, whole.dictionary, atol=1e-9)
    for name in here.history:
        np.testing.assert_allclose(here.history[name], whole.history[name], rtol=1e-9)


def test_online_is_that_of_one_machine(X, unit):
    X = X[:200]
    here = learn_shards(X, unit, method="online", round_shards=2, dead_after=None, **OMP)
    whole = online(
        [*(X[:100], X[100:])] * 4, unit, None, solver=partial(omp, n_nonzero=2), dead_after=None,
        max_cosine=None,
    )  # fmt: skip
    np.testing.assert_allclose(here.dictionary, whole.dictionary, atol=1e-9)
    assert here.n_batches == 8


@pytest.mark.parametrize("method", ["mod", "online"])
def test_workers_and_interruptions_change_no_bit(method, X, tmp_path, monkeypatch):
    whole = learn_shards(X, 12, method=method, rng=3, **OMP)
    shared = learn_shards(X, 12, method=method, rng=3, n_workers=2, **OMP)
    np.testing.assert_array_equal(shared.dictionary, whole.dictionary)
    kept = {"checkpoint": tmp_path / "atoms.safetensors"}
    calls = iter(range(1, 100))
    gather = learning._gather

    def interrupted(*arguments):
        if next(calls) == 3:
            raise KeyboardInterrupt
        return gather(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(learning, "_gather", interrupted)
        with pytest.raises(KeyboardInterrupt):
            learn_shards(X, 12, method=method, rng=3, **kept, **OMP)
    resumed = learn_shards(X, 12, method=method, rng=3, **kept, **OMP)
    np.testing.assert_array_equal(resumed.dictionary, whole.dictionary)
    for name, column in whole.history.items():
        np.testing.assert_array_equal(resumed.history[name], column)
    with pytest.raises(ValueError, match="a checkpoint of the same configuration"):
        learn_shards(X, 12, method=method, rng=4, **kept, **OMP)


def test_atoms_that_nobody_uses_are_replaced(X, unit):
    unit = unit.copy()
    unit[3:] = unit[2] + 1e-9 * unit[3:]
    learned = learn_shards(X, unit, constraint="mean_free", **OMP)
    assert learned.history["n_replaced"][0] > 0
    assert learned.history["mse"][-1] < learned.history["mse"][0]
    np.testing.assert_allclose(learned.dictionary.sum(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(learned.dictionary, axis=1), 1)


def test_bad_input_is_refused(X, unit, tmp_path):
    bad = X.copy()
    bad[60] = np.inf
    with pytest.raises(ShardError, match=r"1 that failed, the first shard 1 .* finite"):
        learn_shards(bad, unit, **OMP)
    for change, error, said in (
        ({"method": "ksvd"}, ValueError, "method must be"),
        ({"round_shards": 2}, ValueError, "round_shards belongs to method='online'"),
        ({"n_passes": 0}, ValueError, "n_passes must be at least 1"),
        ({"dictionary": unit[:, :5]}, ValueError, r"\(n_samples, 5\).*got \(230, 6\)"),
        ({"dictionary": 0}, ValueError, "dictionary must be at least 1"),
        ({"constraint": "odd"}, ValueError, "constraint must be"),
        ({"checkpoint": tmp_path / "a.npz"}, ValueError, r"must be a \.safetensors file"),
        ({"penalty": "l1"}, ValueError, "needs alpha_ratio"),
    ):
        with pytest.raises(error, match=said):
            learn_shards(X, **({"dictionary": unit} | OMP | change))
