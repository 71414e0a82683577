"""Learn with a checkpoint after each batch; a test kills this process in the middle."""

import sys

from sparsecode._cache import use_hashed_numba_cache

use_hashed_numba_cache()

from learners import LEARNERS  # noqa: E402

from sparsecode.datasets import planted_codes  # noqa: E402
from sparsecode.penalties import L1  # noqa: E402


def learn(name, checkpoint, callback=None):
    X = planted_codes(200, n_atoms=12, n_features=10, n_active=2, rng=0).X
    return LEARNERS[name](
        X[:180], 12, L1(0.1), rng=1, batch_size=50, n_batches=40, held_out=X[180:],
        held_out_every=3, patience=None, checkpoint=checkpoint, checkpoint_every=1,
        callback=callback,
    )  # fmt: skip


if __name__ == "__main__":
    learn(*sys.argv[1:], callback=lambda step, row, atoms: print(step, flush=True))
