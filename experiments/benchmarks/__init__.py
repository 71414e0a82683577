"""Ours and the peers side by side: ``python -m experiments.benchmarks``.

Each folder is a benchmark of benchopt's: one objective, which judges everybody's results, data
sets, and solvers. benchopt draws curves of them; ``races.py`` says who is held to which precision
on what, and the ratio tables follow from that.
"""

from sparsecode._cache import use_hashed_numba_cache

use_hashed_numba_cache()  # before anything imports Numba
