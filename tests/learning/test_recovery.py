"""A planted dictionary is found again, by every learner."""

from functools import partial

import numpy as np
import pytest
from learners import LEARNERS

from sparsecode.core import match
from sparsecode.datasets import planted_codes
from sparsecode.learning import ksvd, mod
from sparsecode.penalties import L1
from sparsecode.solvers import omp

# The easy regime: as many atoms as features, 2 of 32 active with amplitudes
# between 0.5 and 1.5, no noise, 1500 samples, l1 with alpha 0.1, the mean over 6 seeds.


@pytest.mark.parametrize("learn", LEARNERS.values(), ids=LEARNERS)
def test_planted_atoms_are_found(learn):
    full = learn in (ksvd, mod)
    found = []
    for seed in range(10, 16):
        truth = planted_codes(
            1500, n_atoms=32, n_features=32, n_active=2, amplitudes="uniform", rng=seed
        )
        given = {} if full else {"batch_size": 100, "n_batches": 300}
        result = learn(truth.X, 32, L1(0.1), rng=100 + seed, n_threads=1, **given)
        cosines = match(result.dictionary, truth.dictionary, signed=False).cosines
        found.append(np.mean(cosines >= 0.99))
    assert np.mean(found) >= 0.95


@pytest.mark.parametrize("learn", [ksvd, mod])
def test_planted_atoms_are_found_by_a_pursuit(learn):
    found = []
    for seed in (10, 11, 12):
        truth = planted_codes(
            3000, n_atoms=40, n_features=20, n_active=2, amplitudes="uniform", rng=seed
        )
        result = learn(
            truth.X,
            40,
            None,
            solver=partial(omp, n_nonzero=2),
            n_batches=40,
            rng=100 + seed,
            n_threads=1,
        )
        cosines = match(result.dictionary, truth.dictionary, signed=False).cosines
        found.append(np.mean(cosines >= 0.99))
    assert np.mean(found) >= 0.95
