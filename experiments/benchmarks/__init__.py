"""Side by side with the peers: ``python -m experiments.benchmarks.encode_l1`` and its kin."""

from sparsecode._cache import use_hashed_numba_cache

use_hashed_numba_cache()  # before anything imports Numba
